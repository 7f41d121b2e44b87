"""The disk is full at each write of a run in turn: the error is one line, and the same call then goes on to its end."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from facedistill.cli import main
from facedistill.datasets import write_face_set
from facedistill.errors import FacedistillError
from facedistill.recipe import HARD, DataRecipe, LossTerm, NetRecipe, Recipe
from facedistill.training.run_folder import open_run_folder
from tests.batches import figures, run_loop
from tests.block_means import write_block_means
from tests.conftest import draw_toy_people
from tests.failing_writes import failing_disk


def small(folder: Path) -> Recipe:
    return Recipe(
        out=str(folder),
        data=DataRecipe(faces="toy"),
        student=NetRecipe(width=0.125, embedding_size=8),
        losses={HARD: LossTerm()},
        variance=[],
        steps=2,
        batch_size=4,
        validate_every=1,
        workers=0,
        device="cpu",
        precision="32",
    )


def train(folder, toy_people):
    open_run_folder(small(folder))
    run_loop(folder, toy_people, small(folder), lambda embed: {"figure": float(embed(toy_people[0].image[None])[0, 0])})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, toy_people):
    """The figures of a training, and how many operations its files take."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with failing_disk(folder, None) as disk:
        train(folder, toy_people)
    return figures(folder), disk.count


def fails_and_goes_on(tmp_path, toy_people, undisturbed, first, once):
    folder = tmp_path / f"{first} {once}" / "run"
    # A single failure may be made good, such as that of TensorBoard's last write.
    fails = (
        suppress(OSError, FacedistillError) if once else pytest.raises((OSError, FacedistillError), match="No space")
    )
    with failing_disk(folder, first, once) as disk, fails:
        train(folder, toy_people)
    assert disk.count >= first
    train(folder, toy_people)
    assert figures(folder) == undisturbed[0], f"operation {first}"
    assert (folder / "environment.yaml").exists()
    assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize("once", [False, True], ids=["stays full", "one operation alone"])
def test_a_training_goes_on_after_a_full_disk(tmp_path, toy_people, undisturbed, once):
    """At every fifth operation, which meets each kind of file; the slow test takes all."""
    for first in range(1, undisturbed[1] + 1, 5):
        fails_and_goes_on(tmp_path, toy_people, undisturbed, first, once)


@pytest.mark.slow
@pytest.mark.parametrize("once", [False, True], ids=["stays full", "one operation alone"])
def test_a_training_goes_on_after_a_full_disk_at_any_operation(tmp_path, toy_people, undisturbed, once):
    for first in range(1, undisturbed[1] + 1):
        fails_and_goes_on(tmp_path, toy_people, undisturbed, first, once)


def whole_run(folder: Path) -> Path:
    """A recipe that distils, trains the control, exports and tests, in seconds."""
    write_face_set(folder / "faces", draw_toy_people(12, 3), extension=".png")
    settings = {
        "name": "toy",
        "data": {"faces": str(folder / "faces"), "held_out_identities": 4, "validation_identities": 4},
        "teacher": {"spec": str(write_block_means(folder / "teacher.onnx"))},
        "student": {"backbone": "slim", "width": 0.125, "embedding_size": 16},
        "losses": {"hard": {"weight": 1}, "cosine": {"weight": 4}},
        "steps": 2,
        "batch_size": 4,
        "validate_every": 1,
        "workers": 0,
        "test": "held_out",
        "control": False,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(settings))
    return folder / "recipe.yaml"


def result_of(run: Path) -> dict:
    """What must not depend on when the disk was full."""
    models = json.loads((run / "summary.json").read_text())["models"]
    return {name: {key: model[key] for key in ("sweep", "parameters")} for name, model in models.items()}


@pytest.mark.slow
def test_a_whole_run_goes_on_after_a_full_disk_at_any_operation(tmp_path, monkeypatch, capsys):
    recipe = whole_run(tmp_path)
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path / "disk" / "cache"))
    with failing_disk(tmp_path / "disk", None) as disk:
        assert main(["distill", str(recipe), "--out", str(tmp_path / "disk" / "run")]) == 0
    expected = result_of(tmp_path / "disk" / "run")
    for first in range(1, disk.count + 1):
        place = tmp_path / str(first)
        monkeypatch.setenv("FACEDISTILL_CACHE", str(place / "cache"))
        call = ["distill", str(recipe), "--out", str(place / "run")]
        capsys.readouterr()
        with failing_disk(place, first):
            assert main(call) == 1, first
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert "No space left" in message, (first, message)
        assert main(call) == 0, first
        assert result_of(place / "run") == expected, first
