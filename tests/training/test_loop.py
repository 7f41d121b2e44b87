"""The loop: what it writes, how it goes on after a stop, and what stops it."""

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.batches import figures, run_loop

from facedistill.backbones import load_backbone
from facedistill.errors import FacedistillError
from facedistill.recipe import HARD, DataRecipe, LossTerm, NetRecipe, Recipe, VarianceStep
from facedistill.training import BEST, LAST, InterruptedRunError
from facedistill.training.data import AugmentedFaces
from facedistill.training.log import TIMING, read_lines


def recipe(**changes: object) -> Recipe:
    small = Recipe(
        data=DataRecipe(faces="toy"),
        student=NetRecipe(width=0.125, embedding_size=8),
        losses={HARD: LossTerm(), "mk_mmd": LossTerm(), "soft": LossTerm(0.5)},
        variance=[VarianceStep("low_resolution", {"size": 16}), VarianceStep("noise")],
        steps=8,
        batch_size=6,
        validate_every=4,
        workers=0,
        device="cpu",
        precision="32",
    )
    return replace(small, **changes)


def first_crops(embed, toy):
    return float(np.abs(embed(np.stack([toy[0].image, toy[7].image]))).mean())


def test_a_run_writes_named_losses_timing_and_the_net(tmp_path, toy_people):
    result = run_loop(tmp_path, toy_people, recipe())
    (record,) = read_lines(tmp_path / "metrics.jsonl")
    assert {HARD, "mk_mmd", "soft", "learning_rate"} <= set(record)
    assert 0 <= record[TIMING]["data_wait_share"] <= 1
    assert record[TIMING]["images_per_second"] > 0
    assert (result.steps, result.best_step) == (8, 8)
    assert load_backbone(tmp_path / BEST).spec["width"] == 0.125
    assert list((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize("stop_after", [pytest.param(4, id="at a checkpoint"), pytest.param(5, id="between two")])
def test_an_interrupted_run_goes_on_as_if_it_had_never_stopped(tmp_path, toy_people, stop_after):
    def score(embed):
        return {"figure": first_crops(embed, toy_people)}

    whole = run_loop(tmp_path / "whole", toy_people, recipe(), score)

    class PressesCtrlC(AugmentedFaces):
        def __getitem__(self, place):
            if place[0] == stop_after * 6 - 1:  # the last face of that step
                os.kill(os.getpid(), signal.SIGINT)
            return super().__getitem__(place)

    folder = tmp_path / "stopped"
    with pytest.raises(InterruptedRunError, match=f"step {stop_after} of 8"):
        run_loop(folder, toy_people, recipe(), score, PressesCtrlC)
    resumed = run_loop(folder, toy_people, recipe(), score)

    assert figures(folder) == figures(tmp_path / "whole")
    assert (resumed.best_step, resumed.best_score) == (whole.best_step, whole.best_score)
    ours, theirs = load_backbone(folder / BEST).state_dict(), load_backbone(tmp_path / "whole" / BEST).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_the_number_of_workers_changes_nothing(tmp_path, toy_people):
    run_loop(tmp_path / "none", toy_people, recipe())
    run_loop(tmp_path / "two", toy_people, recipe(workers=2))
    assert figures(tmp_path / "none") == figures(tmp_path / "two")


def test_the_best_step_is_kept_not_the_last(tmp_path, toy_people):
    scores = iter([0.2, 0.5])
    result = run_loop(tmp_path, toy_people, recipe(), lambda _embed: {"eer": next(scores)})
    assert (result.best_step, result.best_score) == (4, 0.2)


def test_a_finished_run_is_not_trained_again(tmp_path, toy_people):
    run_loop(tmp_path, toy_people, recipe())
    before = (tmp_path / LAST).stat().st_mtime_ns
    run_loop(tmp_path, toy_people, recipe())
    assert (tmp_path / LAST).stat().st_mtime_ns == before


def test_a_nan_stops_the_run_with_step_term_and_faces(tmp_path, toy_people):
    bad = recipe(losses={HARD: LossTerm(1e38)})
    bad = replace(bad, optimiser=replace(bad.optimiser, learning_rate=1e30, clip=1e30))
    with pytest.raises(FacedistillError, match=r"step \d+: (hard|gradient) is (nan|inf).*p\d/\d"):
        run_loop(tmp_path, toy_people, bad)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:1000]), "damaged", id="truncated"),
        pytest.param(lambda path: path.write_bytes(b"not a checkpoint"), "damaged", id="another file"),
    ],
)
def test_a_damaged_state_is_one_clear_line(tmp_path, toy_people, harm, message):
    run_loop(tmp_path, toy_people, recipe())
    harm(tmp_path / LAST)
    with pytest.raises(FacedistillError, match=message):
        run_loop(tmp_path, toy_people, recipe())


def test_the_state_of_another_recipe_is_refused(tmp_path, toy_people):
    run_loop(tmp_path, toy_people, recipe())
    with pytest.raises(FacedistillError, match="another recipe"):
        run_loop(tmp_path, toy_people, recipe(seed=1))


def test_a_batch_larger_than_the_set_is_refused(tmp_path, toy_people):
    with pytest.raises(FacedistillError, match="lower batch_size"):
        run_loop(tmp_path, toy_people, recipe(batch_size=1000))


def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"step": 20}) + '\n{"step": 4')
    assert read_lines(path) == [{"step": 20}]


def test_training_lowers_the_loss(tmp_path, toy_people):
    run_loop(tmp_path, toy_people, recipe(steps=60, batch_size=12, validate_every=60, losses={HARD: LossTerm()}))
    lines = read_lines(tmp_path / "metrics.jsonl")
    assert lines[-1][HARD] < 0.7 * lines[0][HARD]
