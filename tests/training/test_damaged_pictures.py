"""Pictures that cannot be read are found before the first step and counted; the state is kept on all ways out."""

import json

import pytest
import torch
import yaml
from tests.conftest import draw_toy_people
from torch import nn

from facedistill.cli import main
from facedistill.datasets import open_face_set
from facedistill.datasets.damaged import readable_part
from facedistill.datasets.split import Subset
from facedistill.errors import FacedistillError
from facedistill.files import write_bytes
from facedistill.pictures import encode_picture
from facedistill.training.ways_out import Step, kept_on_every_way_out


def write_pictures(folder, people=12, pictures=4):
    for face in draw_toy_people(people, pictures).faces:
        write_bytes(folder / f"{face.key}.png", encode_picture(face.image, ".png"))
    return sorted(folder.rglob("*.png"))


def damage(paths):
    """Cut off, empty, no picture, and of another size, in turn."""
    other = encode_picture(draw_toy_people(1, 1, (64, 64)).faces[0].image, ".png")
    for number, path in enumerate(paths):
        path.write_bytes([path.read_bytes()[:300], b"", b"no picture", other][number % 4])


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path / "cache"))
    settings = {
        "name": "toy",
        "out": str(tmp_path / "run"),
        "data": {"faces": str(tmp_path / "faces"), "held_out_identities": 4, "validation_identities": 4},
        "student": {"backbone": "slim", "width": 0.125, "embedding_size": 16},
        "losses": {"hard": {"weight": 1}},
        "steps": 4,
        "batch_size": 4,
        "validate_every": 2,
        "workers": 0,
        "test": "held_out",
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path / "recipe.yaml"


def test_training_goes_without_them_and_counts_them(recipe, tmp_path, capsys):
    files = write_pictures(tmp_path / "faces")
    damage(files[::4])  # the first picture of each person, whichever group that is in
    assert main(["train", str(recipe)]) == 0
    listed = (tmp_path / "run" / "damaged.txt").read_text().splitlines()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert len(listed) == 8  # of those to train on and to validate on; those of the test are its failures
    assert summary["settings"]["damaged_pictures"] == 8
    assert summary["settings"]["train_pictures"] == 4 * 3
    assert summary["models"]["student"]["sweep"]["native"]["fte"] == pytest.approx(4 / 16)
    assert "8 pictures cannot be read and are left out" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "run" / "examples").iterdir()) == [
        "another.png",
        "one.png",
        "one_again.png",
    ]


def test_too_few_people_left_is_an_error_before_the_first_step(recipe, tmp_path, capsys):
    damage(write_pictures(tmp_path / "faces")[8:])
    assert main(["train", str(recipe)]) == 2
    assert "too few people" in capsys.readouterr().err
    assert not list((tmp_path / "run").glob("*.pt"))


def test_a_set_is_read_once_and_again_after_a_change(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path / "cache"))
    files = write_pictures(tmp_path / "faces", 3, 2)
    content = files[2].read_bytes()
    damage([files[2]])
    faces = open_face_set(tmp_path / "faces")
    kept, found = readable_part(Subset(faces, [0, 2, 5]))
    assert kept.indices.tolist() == [0, 5]
    assert [entry.index for entry in found] == [1]
    assert str(files[2]) in found[0].reason
    (record,) = (tmp_path / "cache" / "damage").iterdir()
    record.write_text(json.dumps({"pictures": 6, "damage": [[5, "kept"]]}))
    assert readable_part(Subset(open_face_set(tmp_path / "faces"), [0, 2, 5]))[1][0].reason == "kept"
    record.write_text('{"pictures": 6, "damage": [[6, "beyond"]]}')
    assert readable_part(Subset(open_face_set(tmp_path / "faces"), [0, 2, 5]))[1] == found
    files[2].write_bytes(content)
    assert readable_part(Subset(open_face_set(tmp_path / "faces"), [0, 2, 5]))[1] == ()


@pytest.mark.parametrize(
    "error", [FacedistillError("ours"), RuntimeError("a bug"), KeyboardInterrupt(), OSError("full")]
)
@pytest.mark.parametrize(
    ("at", "mean"),
    [("gradient", 0.0), ("weights", None), ("end", 0.1)],
)
def test_the_state_of_the_last_whole_step_is_kept_whatever_ends_the_training(error, at, mean):
    kept = []
    net = nn.BatchNorm1d(2)
    step = Step(net)

    def train():
        step.begin()
        net(torch.ones(4, 2))
        if at == "gradient":
            raise error
        step.move()
        if at == "weights":
            raise error
        step.end()
        raise error

    with pytest.raises(type(error)), kept_on_every_way_out(step, lambda: kept.append(net.running_mean[0].item())):
        train()
    assert kept == ([] if mean is None else [pytest.approx(mean)])


def test_a_state_that_cannot_be_kept_hides_no_error(capsys):
    def keep():
        raise FacedistillError("the disk is full")

    with pytest.raises(RuntimeError, match="first"), kept_on_every_way_out(Step(nn.Linear(1, 1)), keep):
        raise RuntimeError("first")
    assert "the disk is full" in capsys.readouterr().err
