"""People rendered in the background: the same set as ever, whoever renders it and however often that ends."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from facedistill.datasets import open_face_set
from facedistill.datasets.growing import GrowingFaces
from facedistill.datasets.training_faces import open_training_faces
from facedistill.errors import FacedistillError
from facedistill.files import sole_writer
from facedistill.recipe import DataRecipe
from facedistill.recipe.sections import SynthRecipe
from facedistill.synth.dataset import write_synthetic
from facedistill.synth.pool import RenderSettings, pack_part, part_path, read_part, read_picture
from facedistill.synth.renderers import Renderers

PEOPLE, PICTURES = 16, 6  # enough that the renderer is still at work when it is looked at
SETTINGS = RenderSettings(PICTURES, 5, (128, 112))


def test_a_part_file_gives_back_what_was_packed(tmp_path):
    pictures, rows = [b"one\n", b"", b"three"], [{"image": 0}, {"image": 1, "name": "é"}]
    path = tmp_path / "part"
    path.write_bytes(pack_part(pictures, rows))
    assert read_part(path) == (pictures, rows)
    assert [read_picture(path, place) for place in range(3)] == pictures


HARMED = [
    (lambda content: content[:-1], "a byte less"),
    (lambda content: content + b"x", "a byte more"),
    (lambda _: b"", "nothing"),
    (lambda content: b"-4 " + content, "a negative length"),
    (lambda _: b"\xff" * 100, "other bytes"),
    (lambda content: content.replace(b"3 ", b"999999999999 ", 1), "a length of any size"),
]


@pytest.mark.parametrize(("harm", "why"), HARMED, ids=[row[1] for row in HARMED])
def test_a_damaged_part_file_is_one_line(tmp_path, harm, why):
    path = tmp_path / "part"
    path.write_bytes(harm(pack_part([b"abc"], [])))
    with pytest.raises(FacedistillError, match=r"part is damaged .*; delete it"):
        read_picture(path, 0)


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A set that was rendered in the background, with what its faces were while it was not finished."""
    out = tmp_path_factory.mktemp("grown") / "set"
    renderers = Renderers(out, SETTINGS, PEOPLE, first=[4, 3], workers=1)
    faces = GrowingFaces(out, SETTINGS, PEOPLE)
    assert renderers.wait(2)
    first = [path.name for path in sorted(part_path(out, 0).parent.glob("*.person"))]
    early = faces[4 * PICTURES + 1].image
    os.kill(renderers._process.pid, signal.SIGKILL)
    renderers._process.wait()
    began = renderers.people
    assert renderers.wait(PEOPLE), "killed, but it had rendered somebody: it goes on"
    renderers._process.wait()
    return out, faces, first, early, began


def test_those_who_are_needed_first_are_rendered_first(grown):
    _, _, first, _, _ = grown
    assert {"00000004.person", "00000003.person"} <= set(first)
    assert len(first) < PEOPLE


def test_a_set_that_has_grown_is_the_set_that_is_written_at_once(grown, tmp_path):
    out, faces, _, early, _ = grown
    write_synthetic(tmp_path / "set", PEOPLE, PICTURES, 5, SETTINGS.size, workers=1)
    for name in ("train.rec", "train.idx", "property", "synth.json"):
        assert (out / name).read_bytes() == (tmp_path / "set" / name).read_bytes()
    finished = open_face_set(tmp_path / "set")
    assert (faces.labels.tolist(), faces.classes, faces.size) == (
        finished.labels.tolist(),
        finished.classes,
        finished.size,
    )
    for index in range(len(finished)):
        one, other = faces[index], finished[index]
        assert (one.label, one.key) == (other.label, other.key)
        assert np.array_equal(one.image, other.image)
    assert np.array_equal(early, finished[4 * PICTURES + 1].image)
    assert faces.digest == GrowingFaces(tmp_path, SETTINGS, PEOPLE).digest


def test_a_person_who_is_not_there_yet_is_one_line(tmp_path):
    with pytest.raises(FacedistillError, match=r"person 1 of .* is not rendered yet"):
        GrowingFaces(tmp_path, SETTINGS, PEOPLE)[PICTURES]


def test_what_cannot_be_rendered_is_one_line(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    renderers = Renderers(tmp_path, SETTINGS, PEOPLE, workers=1)
    with pytest.raises(FacedistillError, match="is not empty and was not made by this command"):
        renderers.wait(1)


OWNER = """
import sys, json, time
from pathlib import Path
from facedistill.synth.pool import RenderSettings
from facedistill.synth.renderers import Renderers
renderers = Renderers(Path(sys.argv[1]), RenderSettings(2, 5, (128, 112)), 400, workers=1)
renderers.wait(1)
print("begun", flush=True)
time.sleep(600)
"""


def test_it_ends_with_its_parent_however_that_ends_and_another_run_goes_on(tmp_path):
    out = tmp_path / "set"
    with subprocess.Popen([sys.executable, "-c", OWNER, str(out)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "begun\n"
        second = Renderers(out, RenderSettings(2, 5, (128, 112)), 400, workers=1)
        there = second.people
        assert there >= 1
        owner.kill()
    assert second.wait(there + 3), "the lock is free again, so the second one renders"
    second.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with sole_writer(out):
                return
        except FacedistillError:
            time.sleep(0.2)
    pytest.fail("a process is still at work")


def test_the_people_kept_out_and_those_to_begin_with_come_first(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path))
    synth = SynthRecipe(identities=10, images=1, seed=5, start=2)
    faces = open_training_faces(DataRecipe(synth=synth, validation_identities=4), (112, 96))
    faces.close()
    assert faces.validation is not None
    assert (faces.train.classes, faces.validation.classes, faces.initial.train.classes) == (6, 4, 2)
    for some in (faces.validation, faces.initial.train):
        assert all(some[place].image.shape == (112, 96, 3) for place in range(len(some)))
    assert faces.initial.growing is None
    assert len(faces.train) == 6, "the others will come"
