"""A teacher that runs at every step: which crops it gets, and that nothing but the cost differs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_loop import recipe
from tests.batches import batch_of, figures
from tests.conftest import draw_toy_people
from tests.finished_runs import write_net

from facedistill.backbones import build_backbone, embed_crops, load_backbone, save_backbone
from facedistill.datasets import open_face_set, write_face_set
from facedistill.errors import UsageError
from facedistill.pipelines.face_workload import open_face_workload
from facedistill.recipe import HARD, ClassificationRecipe, DataRecipe, LossTerm, TeacherRecipe
from facedistill.recipe.validate import validate
from facedistill.teachers import load_teacher, open_cache
from facedistill.training import fit
from facedistill.training.build import build_task
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


class WatchedTargets:
    """Keeps the embeddings that the targets give and the student's crops that they are given."""

    def __init__(self, targets, seen):
        self.targets, self.seen = targets, seen

    def for_batch(self, batch):
        outputs = self.targets.for_batch(batch)
        self.seen.append((outputs.embedding.numpy(), batch.crops.numpy().copy()))
        return outputs


def trained(folder, settings, seen=None):
    """The lines that a run wrote, without durations."""
    settings = replace(settings, out=str(folder))
    workload = open_face_workload(settings, folder.parent / "store")
    settings = workload.resolved(settings)
    task = build_task(settings, workload.pictures.classes)
    targets = workload.teacher_targets(settings, task)
    task.targets = targets if seen is None else WatchedTargets(targets, seen)
    fit(task, workload.augmented(settings), settings, open_run_folder(settings), None)
    return figures(folder)


@pytest.mark.parametrize(
    ("losses", "precision", "steps", "tolerance"),
    [
        pytest.param({}, "32", 21, 1e-4, id="embeddings"),
        pytest.param({"sp": LossTerm(options={"on": "features"})}, "32", 21, 1e-4, id="and maps"),
        pytest.param({}, "bf16", 1, 0.02, id="in 16 bits, where cached targets have 32; later steps magnify it"),
    ],
)
def test_online_targets_train_what_cached_ones_do(tmp_path, faces, checkpoint, losses, precision, steps, tolerance):
    losses = {HARD: LossTerm(), "soft": LossTerm(), "mk_mmd": LossTerm(), **losses}
    data = DataRecipe(faces=faces, validation_identities=0)
    settings = recipe(data=data, losses=losses, precision=precision, steps=steps)
    cached = trained(tmp_path / "stored", replace(settings, teacher=TeacherRecipe(checkpoint, centred=False)))
    teacher = TeacherRecipe(checkpoint, centred=False, input="view")
    online = trained(tmp_path / "online", replace(settings, teacher=teacher))
    assert len(cached) == len(online) > 0
    for ours, theirs in zip(online, cached, strict=True):
        assert ours.pop("kind") == theirs.pop("kind")
        assert ours == pytest.approx(theirs, rel=tolerance)


@pytest.mark.parametrize("ours", [pytest.param(True, id="a net of ours"), pytest.param(False, id="with another crop")])
def test_a_teacher_that_sees_the_students_crops_embeds_those_very_crops(tmp_path, faces, checkpoint, ours):
    spec = checkpoint if ours else str(write_net(tmp_path / "net.onnx", 0, size=(112, 112)))
    settings = recipe(data=DataRecipe(faces=faces, validation_identities=0), steps=2)
    teacher = TeacherRecipe(spec, input="student")
    seen = []
    student = replace(settings.student, embedding_size=None)
    trained(tmp_path / "run", replace(settings, teacher=teacher, student=student), seen)
    assert len(seen) == 2
    original = open_face_set(faces)
    known = {original[index].image.tobytes() for index in range(len(original))}
    net = load_teacher(spec)
    stored = open_cache(net, original, tmp_path / "originals").embeddings
    mean = unit(stored).mean(axis=(0, 1))
    for embeddings, crops in seen:
        expected = unit(unit(net.embed(crops)) - mean)
        np.testing.assert_allclose(embeddings, expected, atol=1e-4)
        assert not known & {crop.tobytes() for crop in crops}, "low resolution and noise change every crop"


def test_a_teacher_of_the_students_crops_gives_their_embeddings(tmp_path, faces, checkpoint):
    settings = recipe(
        data=DataRecipe(faces=faces, validation_identities=0),
        teacher=TeacherRecipe(checkpoint, centred=False, input="student"),
    )
    workload = open_face_workload(settings, tmp_path / "store")
    settings = workload.resolved(settings)
    targets = workload.teacher_targets(settings, build_task(settings, workload.pictures.classes))
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 96, 3), dtype=np.uint8)
    outputs = targets.for_batch(batch_of([0, 1, 2], [False] * 3, torch.from_numpy(crops)))
    expected = unit(embed_crops(load_backbone(tmp_path / "teacher.pt"), crops))
    np.testing.assert_allclose(outputs.embedding.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        pytest.param({"sees": "student", "stored": False}, "teacher.stored.*write `input: student`", id="of before"),
        pytest.param({"stored": False}, "teacher.stored.*write `input: view`", id="of before, at every step"),
        pytest.param({"input": "student", "own_crop": True}, "teacher.own_crop", id="one crop of two"),
        pytest.param({"input": "view", "own_crop": True}, "teacher.own_crop", id="a crop of its own and the view"),
    ],
)
def test_impossible_ways_of_asking_are_refused(teacher, message):
    with pytest.raises(UsageError, match=message):
        validate(recipe(teacher=TeacherRecipe(**teacher)))
    with pytest.raises(UsageError, match=message.replace("teacher.", "teachers.0.", 1).partition(".*")[0]):
        validate(recipe(teachers=[TeacherRecipe(**teacher)]))


def test_a_classifiers_teacher_is_not_run_again():
    with pytest.raises(UsageError, match=r"teacher.input is view, but a classifier's teacher"):
        recipe(classification=ClassificationRecipe(), teacher=TeacherRecipe(input="view")).check()
