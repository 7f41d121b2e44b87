"""Losses that learn or remember, inside a run: trained, saved and resumed with it; impossible ones refused first."""

import os
import signal
from dataclasses import replace

import pytest
import torch
from test_loop import recipe
from tests.batches import batch_of, figures, random_targets, run_loop

from facedistill.errors import UsageError
from facedistill.recipe import HARD, HeadRecipe, LossTerm
from facedistill.recipe.validate import validate
from facedistill.training import LAST, InterruptedRunError
from facedistill.training.build import build_task
from facedistill.training.data import AugmentedFaces

LOSSES = {
    HARD: LossTerm(),
    "fitnets": LossTerm(10.0, {"on": "embedding"}),
    "adadistill": LossTerm(0.1),
    "ekd": LossTerm(),
    "neurons": LossTerm(),
    "infonce": LossTerm(0.5, {"queue": 8}),  # shorter than two batches, so that parts of batches are forgotten
    "seed": LossTerm(0.1),
}


def last_task(folder):
    return torch.load(folder / LAST, weights_only=True)["task"]


def test_an_interrupted_run_with_learned_losses_goes_on_bit_for_bit(tmp_path, toy_people):
    settings = recipe(losses=LOSSES, head=HeadRecipe("curricularface"), steps=4, validate_every=4)
    run_loop(tmp_path / "whole", toy_people, settings)
    before = build_task(settings, toy_people.classes)
    assert not list(before.losses.parameters())

    class PressesCtrlC(AugmentedFaces):
        def __getitem__(self, place):
            if place[0] == 2 * 6 - 1:  # the last face of the second step
                os.kill(os.getpid(), signal.SIGINT)
            return super().__getitem__(place)

    folder = tmp_path / "stopped"
    with pytest.raises(InterruptedRunError, match="step 2 of 4"):
        run_loop(folder, toy_people, settings, augmented=PressesCtrlC)
    stopped = last_task(folder)
    run_loop(folder, toy_people, settings)

    assert figures(folder) == figures(tmp_path / "whole")
    ours, theirs = last_task(folder), last_task(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    learned = {"losses.fitnets.regressors.0.weight", "losses.adadistill.centres", "losses.ekd.thresholds", "head.t"}
    learned |= {"losses.infonce.embeddings", "losses.infonce.labels", "losses.seed.embeddings"}
    assert learned <= ours.keys()
    assert not any(torch.equal(ours[key], stopped[key]) for key in learned if ours[key].shape == stopped[key].shape)


def test_the_student_starts_from_the_same_weights_with_and_without_learned_losses(toy_people):
    with_them, without = (
        build_task(recipe(losses=losses), toy_people.classes) for losses in (LOSSES, {HARD: LossTerm()})
    )
    state = with_them.backbone.state_dict()
    assert all(torch.equal(state[key], value) for key, value in without.backbone.state_dict().items())


def test_queues_hold_the_teachers_embeddings_without_the_sets_mean(tmp_path, toy_people):
    losses = {HARD: LossTerm(), "infonce": LossTerm(), "seed": LossTerm()}
    run_loop(tmp_path, toy_people, recipe(losses=losses, steps=2, validate_every=2))
    everyone, faces = range(len(toy_people)), len(toy_people)
    targets = random_targets(toy_people, 8)
    centred = torch.cat([targets.for_batch(batch_of(everyone, [m] * faces)).embedding for m in (False, True)])
    for name in ("infonce", "seed"):
        queue = last_task(tmp_path)[f"losses.{name}.embeddings"]
        assert len(queue) == 2 * 6
        assert torch.cdist(queue, centred).amin(dim=1).max() < 1e-3


@pytest.mark.parametrize(
    ("losses", "head", "message"),
    [
        pytest.param({"fitnets": {}}, {}, 'losses.fitnets compares feature maps.*"on": embedding', id="hints"),
        pytest.param({"attention": {}}, {}, "losses.attention compares feature maps", id="attention"),
        pytest.param({"sp": {"on": "features"}}, {}, "losses.sp compares feature maps", id="maps by option"),
        pytest.param({"rkdd": {}}, {}, "no loss is called 'rkdd'", id="an unknown loss"),
        pytest.param({"ekd": {"topk": 5}}, {}, "'ekd' has no option 'topk'", id="an unknown option"),
        pytest.param({}, {"name": "sphereface"}, "no head is called", id="an unknown head"),
        pytest.param({}, {"name": "magface", "options": {"most": 0.1}}, "most of the head", id="a wrong margin"),
    ],
)
def test_impossible_recipes_are_refused_before_anything_is_loaded(losses, head, message):
    terms = {HARD: LossTerm(), **{name: LossTerm(options=options) for name, options in losses.items()}}
    with pytest.raises(UsageError, match=message):
        validate(replace(recipe(losses=terms), head=HeadRecipe(**head)))


def test_every_loss_that_a_stored_teacher_can_teach_passes_the_checks():
    options = {"fitnets": {"on": "embedding"}}
    names = ["adadistill", "cross_sample", "dist", "dkd", "ekd", "fitnets", "infonce", "margin", "neurons", "pkt"]
    names += ["rkd", "seed", "sp"]
    terms = {HARD: LossTerm(), **{name: LossTerm(options=options.get(name, {})) for name in names}}
    validate(recipe(losses=terms))


def test_a_test_set_that_does_not_exist_is_named_before_anything_is_loaded():
    with pytest.raises(UsageError, match="test: 'lfw:pictures' does not exist"):
        validate(replace(recipe(losses={"hard": LossTerm()}), test="lfw:pictures"))


def test_a_loss_used_twice_is_two_terms(tmp_path, toy_people):
    terms = {HARD: LossTerm(), "mk_mmd": LossTerm(), "mk_mmd@logits": LossTerm(2.0, {"on": "logits"})}
    settings = recipe(losses=terms, steps=2)
    validate(settings)
    run_loop(tmp_path / "twice", toy_people, settings)
    (record,) = figures(tmp_path / "twice")
    assert record["mk_mmd"] > 0
    assert record["mk_mmd@logits"] > 0
    assert record["mk_mmd"] != record["mk_mmd@logits"]
    with pytest.raises(UsageError, match="no loss is called 'mk_mdm'"):
        validate(recipe(losses={HARD: LossTerm(), "mk_mdm@logits": LossTerm()}))
