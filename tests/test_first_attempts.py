"""A first attempt that failed does not stand in the way of the corrected call; what does, names the way on."""

from dataclasses import replace

import pytest

from facedistill.errors import UsageError
from facedistill.faces.made_folder import is_finished
from facedistill.recipe import HARD, DataRecipe, LossTerm, NetRecipe, Recipe, SearchRange
from facedistill.search.standard import parse_standard
from facedistill.search.study import Study
from facedistill.training.run_folder import open_run_folder, recorded_digest

EVERY = "faces@16.eer <= 0.1"


@pytest.fixture
def recipe(tmp_path):
    return Recipe(
        out=str(tmp_path / "run"),
        data=DataRecipe(faces="toy"),
        student=NetRecipe(width=0.125),
        losses={HARD: LossTerm(), "cosine": LossTerm()},
        search={"optimiser.learning_rate": SearchRange(low=0.01, high=0.1)},
    )


def test_a_corrected_recipe_takes_over_a_run_of_which_nothing_was_trained(recipe, capsys):
    folder = open_run_folder(recipe)
    (folder / "metrics.jsonl").write_text('{"step": 20, "kind": "train"}\n')
    (folder / "tensorboard").mkdir()
    (folder / "teacher").mkdir()
    corrected = replace(recipe, batch_size=8)
    assert open_run_folder(corrected) == folder
    assert recorded_digest(folder / "recipe.yaml") == corrected.digest
    assert sorted(path.name for path in folder.iterdir()) == ["environment.yaml", "recipe.yaml", "teacher"]
    assert f"batch_size {recipe.batch_size} instead of 8" in capsys.readouterr().err


@pytest.mark.parametrize("trained", ["last.pt", "control/best.pt", "summary.json"])
def test_what_was_trained_stays_and_the_way_on_is_named(recipe, tmp_path, trained):
    recipe = replace(recipe, out=str(tmp_path / "my run"))
    folder = open_run_folder(recipe)
    (folder / trained).parent.mkdir(exist_ok=True)
    (folder / trained).write_bytes(b"")
    with pytest.raises(UsageError, match=r"seed 0 instead of 7.*distill --resume '.*my run'.*another --out") as refused:
        open_run_folder(replace(recipe, seed=7))
    assert "\n" not in str(refused.value)
    assert recorded_digest(folder / "recipe.yaml") == recipe.digest


def test_the_way_on_of_a_run_by_labels_is_train(recipe):
    recipe = replace(recipe, losses={HARD: LossTerm()})
    (open_run_folder(recipe) / "last.pt").write_bytes(b"")
    with pytest.raises(UsageError, match="facedistill train --resume"):
        open_run_folder(replace(recipe, seed=7))


@pytest.mark.parametrize("kept", ["environment.yaml", "recipe.yaml"])
def test_a_folder_with_one_of_its_two_first_files_is_a_run(recipe, kept):
    """A full disk or a kill may come between them."""
    folder = open_run_folder(recipe)
    for path in folder.iterdir():
        if path.name != kept:
            path.unlink()
    (folder / ".0123456789abcdef.part").write_bytes(b"half")
    open_run_folder(recipe)
    assert sorted(path.name for path in folder.iterdir()) == ["environment.yaml", "recipe.yaml"]


def test_a_search_without_a_finished_trial_is_taken_over(recipe):
    study = Study(recipe.folder, recipe, parse_standard(EVERY))
    study.next_trial()
    corrected = replace(recipe, batch_size=8)
    assert Study(recipe.folder, corrected, parse_standard("faces@16.eer <= 0.2")).trials == []
    assert recorded_digest(recipe.folder / "recipe.yaml") == corrected.digest


def test_a_search_with_a_finished_trial_is_refused(recipe):
    study = Study(recipe.folder, recipe, parse_standard(EVERY))
    study.optuna.tell(study.next_trial(), 1.0)
    with pytest.raises(UsageError, match=r"batch_size.*go on with the recipe of before"):
        Study(recipe.folder, replace(recipe, batch_size=8), parse_standard(EVERY))
    with pytest.raises(UsageError, match="standard of before"):
        Study(recipe.folder, recipe, parse_standard("faces@16.eer <= 0.2"))
    assert len(Study(recipe.folder, recipe, parse_standard(EVERY)).finished) == 1


def looked_at(out, settings):
    return is_finished(out, settings, "made.json", ".work", (), "*.jpg", "made with other settings", "make")


def test_unfinished_work_of_other_settings_is_in_the_way_only_where_it_holds_something(tmp_path):
    work = tmp_path / ".work"
    work.mkdir()
    (work / "made.json").write_text("first")
    (work / "log").write_text("none of 9 photos gave a face")
    assert not looked_at(tmp_path, "second")
    assert list(work.iterdir()) == []
    (work / "made.json").write_text("second")
    (work / "crops").mkdir()
    (work / "crops" / "a.jpg").write_bytes(b"")
    assert not looked_at(tmp_path, "second")
    with pytest.raises(UsageError, match=r"the call of before goes on with it; to start anew"):
        looked_at(tmp_path, "third")


def test_what_a_kill_left_beside_a_finished_set_is_removed(tmp_path):
    (tmp_path / "made.json").write_text("first")
    (tmp_path / ".work" / "crops").mkdir(parents=True)
    assert looked_at(tmp_path, "first")
    assert not (tmp_path / ".work").exists()
