"""A teacher that is asked anew at every step: what it looks at, and that nothing but the cost differs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_loop import figures, recipe
from tests.conftest import draw_toy_people
from tests.finished_runs import write_net

from facedistill.backbones import build_backbone, embed_crops, load_backbone, save_backbone
from facedistill.datasets import open_face_set, write_face_set
from facedistill.errors import UsageError
from facedistill.faces import recrop
from facedistill.pipelines.face_workload import open_face_workload
from facedistill.recipe import HARD, ClassificationRecipe, DataRecipe, LossTerm, TeacherRecipe
from facedistill.recipe.parts import build_variances
from facedistill.recipe.validate import validate
from facedistill.training import fit
from facedistill.training.build import build_task
from facedistill.training.data import AugmentedFaces
from facedistill.training.run_folder import open_run_folder


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    save_backbone(tmp_path / "teacher.pt", build_backbone("slim", 8, width=0.25))
    return str(tmp_path / "teacher.pt")


@pytest.fixture
def faces(tmp_path):
    write_face_set(tmp_path / "people", draw_toy_people(8, 6), extension=".png")
    return str(tmp_path / "people")


def taught(folder, said, crops=None):
    """The lines that a run wrote, without what the clock said; `crops` collects what its teacher looked at."""
    said = replace(said, out=str(folder))
    lesson = open_face_workload(said, folder.parent / "store")
    said = lesson.resolved(said)
    task = build_task(said, lesson.pictures.classes)
    word = lesson.teacher_targets(said, task)
    if crops is not None:
        asked = word.outputs

        def outputs(indices, mirrored, shown):
            crops.append((word._sight.crops(indices, mirrored, shown), shown.numpy().copy()))
            return asked(indices, mirrored, shown)

        word.outputs = outputs
    shown = AugmentedFaces(lesson.pictures, build_variances(said), said.data.mirror, said.seed)
    fit(task, shown, word, said, open_run_folder(said), None)
    return figures(folder)


@pytest.mark.parametrize(
    ("losses", "precision", "steps", "tolerance"),
    [
        pytest.param({}, "32", 21, 1e-4, id="embeddings"),
        pytest.param({"sp": LossTerm(options={"on": "features"})}, "32", 21, 1e-4, id="and maps"),
        pytest.param({}, "bf16", 1, 0.02, id="in 16 bits, where the stored word has 32; later steps magnify it"),
    ],
)
def test_a_teacher_asked_anew_teaches_what_the_stored_one_does(
    tmp_path, faces, checkpoint, losses, precision, steps, tolerance
):
    losses = {HARD: LossTerm(), "soft": LossTerm(), "mk_mmd": LossTerm(), **losses}
    data = DataRecipe(faces=faces, validation_identities=0)
    said = recipe(data=data, losses=losses, precision=precision, steps=steps)
    stored = taught(tmp_path / "stored", replace(said, teacher=TeacherRecipe(checkpoint, centred=False)))
    teacher = TeacherRecipe(checkpoint, centred=False, stored=False)
    anew = taught(tmp_path / "anew", replace(said, teacher=teacher))
    assert len(stored) == len(anew) > 0
    for ours, theirs in zip(anew, stored, strict=True):
        assert ours.pop("kind") == theirs.pop("kind")
        assert ours == pytest.approx(theirs, rel=tolerance)


@pytest.mark.parametrize("ours", [pytest.param(True, id="a net of ours"), pytest.param(False, id="with another crop")])
def test_a_teacher_that_sees_what_the_student_sees_is_given_the_very_same_crops(tmp_path, faces, checkpoint, ours):
    spec = checkpoint if ours else str(write_net(tmp_path / "net.onnx", 0, size=(112, 112)))
    said = recipe(data=DataRecipe(faces=faces, validation_identities=0), steps=2)
    teacher = TeacherRecipe(spec, stored=False, sees="student")
    seen = []
    student = replace(said.student, embedding_size=None)
    taught(tmp_path / "run", replace(said, teacher=teacher, student=student), seen)
    assert len(seen) == 2
    original = open_face_set(faces)
    known = {original[index].image.tobytes() for index in range(len(original))}
    for theirs, ours in seen:
        if theirs.shape == ours.shape:
            assert np.array_equal(theirs, ours)
        else:
            assert np.array_equal(theirs, np.stack([recrop(crop, theirs.shape[1:3]) for crop in ours]))
        assert not known & {crop.tobytes() for crop in ours}  # low resolution and noise: nobody is shown as he is


def test_a_teacher_that_sees_the_student_s_crops_answers_for_them(tmp_path, faces, checkpoint):
    said = recipe(
        data=DataRecipe(faces=faces, validation_identities=0),
        teacher=TeacherRecipe(checkpoint, centred=False, stored=False, sees="student"),
    )
    lesson = open_face_workload(said, tmp_path / "store")
    said = lesson.resolved(said)
    word = lesson.teacher_targets(said, build_task(said, lesson.pictures.classes))
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 96, 3), dtype=np.uint8)
    answer = word.outputs(torch.arange(3), torch.zeros(3, dtype=torch.bool), torch.from_numpy(crops))
    expected = unit(embed_crops(load_backbone(tmp_path / "teacher.pt"), crops))
    np.testing.assert_allclose(answer.embedding.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        pytest.param({"sees": "student"}, r"teacher.sees is student.*teacher.stored to false", id="other each step"),
        pytest.param({"sees": "student", "stored": False, "own_crop": True}, "teacher.own_crop", id="one crop of two"),
    ],
)
def test_impossible_ways_of_asking_are_refused(teacher, said):
    with pytest.raises(UsageError, match=said):
        validate(recipe(teacher=TeacherRecipe(**teacher)))
    with pytest.raises(UsageError, match=said.replace("teacher.", "teachers.0.", 1).partition(".*")[0]):
        validate(recipe(teachers=[TeacherRecipe(**teacher)]))


def test_a_classifiers_teacher_is_not_asked_anew():
    with pytest.raises(UsageError, match=r"teacher.stored is false, but a classifier's teacher"):
        recipe(classification=ClassificationRecipe(), teacher=TeacherRecipe(stored=False)).check()
