"""Several teachers as one, and the crop that each of them embeds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.batches import batch_of
from tests.conftest import draw_toy_people

from facedistill.backbones import build_backbone, normalise_crops, save_backbone
from facedistill.datasets import RecroppedFaces, load_orl, sources, write_face_set
from facedistill.datasets.aligned import align_faces
from facedistill.datasets.face import FaceList
from facedistill.datasets.sources import parse_source
from facedistill.datasets.training_faces import open_training_faces
from facedistill.errors import UsageError
from facedistill.faces import CROP_112X112, recrop, shown_share
from facedistill.pipelines.face_workload import open_face_workload, resolve_student
from facedistill.recipe import HARD, DataRecipe, LossTerm, NetRecipe, Recipe, TeacherRecipe
from facedistill.recipe.validate import validate
from facedistill.teachers import load_teacher, load_teachers
from facedistill.training import train
from facedistill.training.build import build_task


def unit(rows):
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def recipe(folder, teachers, size=(112, 96), stored=(112, 96), **changes):
    """Eight drawn people, four of them taught by `teachers`."""
    write_face_set(folder / "faces", draw_toy_people(8, 4, stored), extension=".png")
    first, *others = teachers
    settings = Recipe(
        data=DataRecipe(faces=str(folder / "faces"), held_out_identities=4, validation_identities=0),
        out=str(folder / "run"),
        teacher=first,
        teachers=others,
        student=NetRecipe(backbone="slim", width=0.25, input_size=size),
        losses={HARD: LossTerm(), "cosine": LossTerm(2), "soft": LossTerm()},
        steps=3,
        batch_size=4,
        validate_every=3,
        workers=0,
        device="cpu",
        precision="32",
    )
    return replace(settings, **changes)


def test_similarities_are_the_weighted_mean_of_the_teachers(tiny_net, crops):
    nets = [tiny_net("a.onnx"), tiny_net("b.onnx", size=(112, 112), dimension=24, seed=1)]
    settings = [TeacherRecipe(spec=str(net.path), weight=weight) for net, weight in zip(nets, (3.0, 1.0), strict=True)]
    teacher = load_teachers(settings)
    assert (teacher.name, teacher.embedding_size, teacher.input_size) == ("a + b", 40, (112, 96))
    faces = crops(5)
    embedding = teacher.embed(faces)
    assert embedding.dtype == np.float32
    own = [unit(nets[0].embed(faces)), unit(nets[1].embed(np.stack([recrop(face, (112, 112)) for face in faces])))]
    expected = (3 * own[0] @ own[0].T + 1 * own[1] @ own[1].T) / 4
    np.testing.assert_allclose(embedding @ embedding.T, expected, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-6)
    swapped = load_teachers(settings[::-1])
    assert swapped.digest != teacher.digest


def test_each_teacher_keeps_its_own_targets_and_all_train(tiny_net, tmp_path):
    nets = [tiny_net("a.onnx"), tiny_net("b.onnx", dimension=24, seed=1)]
    teachers = [TeacherRecipe(str(nets[0].path), centred=False, weight=3), TeacherRecipe(str(nets[1].path))]
    settings = recipe(tmp_path, teachers)
    validate(settings)
    workload = open_face_workload(settings, tmp_path / "teacher")
    settings = workload.resolved(settings)
    assert settings.student.embedding_size == 40
    assert {path.name for path in tmp_path.glob("teacher*")} == {"teacher", "teacher-2"}
    task = build_task(settings, workload.pictures.classes)
    targets = workload.teacher_targets(settings, task).for_batch(batch_of([1, 5], [False, True]))

    faces = np.stack([workload.pictures[i].image for i in range(16)])
    both = [np.stack([net.embed(faces), net.embed(faces[:, :, ::-1])], axis=1) for net in nets]
    own = [unit(both[0]), unit(unit(both[1]) - unit(both[1]).mean(axis=(0, 1)))]
    picked = [each[[1, 5], [0, 1]] for each in own]
    expected = np.concatenate([np.sqrt(0.75) * picked[0], np.sqrt(0.25) * picked[1]], axis=1)
    np.testing.assert_allclose(targets.embedding.numpy(), expected, atol=1e-4)
    labels = workload.pictures.labels
    logits = [
        one @ unit(np.stack([each[labels == c].mean(axis=(0, 1)) for c in range(4)])).T
        for one, each in zip(picked, own, strict=True)
    ]
    np.testing.assert_allclose(targets.logits.numpy(), 30 * (0.75 * logits[0] + 0.25 * logits[1]), atol=2e-3)
    assert train(workload, settings, task).steps == 3


# The crop a teacher gets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "wanted", "share"),
    [
        pytest.param((112, 96), (112, 96), 1, id="itself"),
        pytest.param((112, 112), (112, 96), 1, id="the wide one holds the narrow one"),
        pytest.param((112, 96), (112, 112), 96 / 112, id="eight columns are missing on either side"),
        pytest.param((112, 96), (150, 150), 0.81, id="dlib's window goes farther down"),
        pytest.param((150, 150), (112, 96), 0.80, id="and not as far up"),
    ],
)
def test_shown_share(present, wanted, share):
    assert shown_share(present, wanted) == pytest.approx(share, abs=0.005)


def test_a_narrower_crop_is_cut_out_of_a_wider_one():
    wide = draw_toy_people(2, 2, (112, 112))
    narrow = RecroppedFaces(wide, (112, 96))
    assert (len(narrow), narrow.classes, narrow.size) == (4, 2, (112, 96))
    np.testing.assert_array_equal(narrow[1].image, wide[1].image[:, 8:104])
    assert (narrow[1].label, narrow[1].key) == (wide[1].label, wide[1].key)
    assert narrow.digest not in (wide.digest, RecroppedFaces(wide, (112, 112)).digest)
    with pytest.raises(UsageError, match="show 86% of one of 112x112"):
        RecroppedFaces(draw_toy_people(2, 1), (112, 112))


def test_of_a_wider_stored_crop_the_teacher_sees_all_and_the_student_its_own(tmp_path):
    settings = recipe(tmp_path, [TeacherRecipe()], stored=(112, 112)).data
    faces = open_training_faces(settings, (112, 96))
    view = parse_source(settings.faces).crops_for_teacher(faces.train, (112, 112), own_crop=False)
    assert (faces.train.size, view.size) == ((112, 96), (112, 112))
    np.testing.assert_array_equal(faces.train[3].image, view[3].image[:, 8:104])
    assert [faces.train[i].key for i in range(16)] == [view[i].key for i in range(16)]
    assert parse_source(settings.faces).crops_for_teacher(faces.train, (112, 96), own_crop=True) is faces.train


def test_photos_are_aligned_anew_for_a_teacher_who_wants_its_own_crop(monkeypatch):
    few = FaceList([load_orl()[i] for i in range(20)])
    monkeypatch.setattr(sources, "load_orl", lambda: few)
    data = DataRecipe(faces="orl", validation_identities=0)
    faces = open_training_faces(data, (112, 96))
    view = parse_source(data.faces).crops_for_teacher(faces.train, CROP_112X112.size, own_crop=True)
    expected = align_faces(few, CROP_112X112.size).faces
    np.testing.assert_array_equal(view[7].image, expected[int(faces.train.indices[7])].image)
    lazily = parse_source(data.faces).crops_for_teacher(faces.train, CROP_112X112.size, own_crop=False)
    assert lazily.size == (112, 96), "the teacher then cuts what there is of its crop out of the student's"


def test_crops_without_photos_cannot_serve_a_teacher_who_wants_its_own(tmp_path):
    settings = recipe(tmp_path, [TeacherRecipe(own_crop=True)])
    with pytest.raises(UsageError, match=r"own_crop.* needs photos.*112x96, which show 81% of .*150x150"):
        open_face_workload(settings, tmp_path / "teacher")
    assert not (tmp_path / "teacher").exists(), "the teacher has embedded nothing"


# Feature maps ----------------------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    net = build_backbone("slim", 16, (112, 112), width=0.25)
    save_backbone(tmp_path / "teacher.pt", net)
    return TeacherRecipe(str(tmp_path / "teacher.pt"))


def test_a_checkpoint_shows_its_maps_of_the_faces_as_they_are(tmp_path, checkpoint):
    losses = {HARD: LossTerm(), "attention": LossTerm()}
    settings = recipe(tmp_path, [checkpoint], size=(112, 112), stored=(112, 112), losses=losses)
    validate(settings)
    workload = open_face_workload(settings, tmp_path / "store")
    settings = workload.resolved(settings)
    task = build_task(settings, workload.pictures.classes)
    targets = workload.teacher_targets(settings, task).for_batch(batch_of([2, 3], [False, True]))
    faces = np.stack([workload.pictures[2].image, workload.pictures[3].image[:, ::-1]])
    net = workload.teacher.backbone
    with torch.no_grad():
        expected = net.maps(normalise_crops(torch.from_numpy(faces)))
    for theirs, ours in zip(targets.features, expected, strict=True):
        assert torch.allclose(theirs, ours, atol=1e-5)
        assert not theirs.requires_grad
    assert targets.embedding.shape == (2, 16)
    assert train(workload, settings, task).steps == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"teacher": TeacherRecipe("dlib")}, "teacher.spec is dlib", id="dlib gives embeddings alone"),
        pytest.param({"teacher": TeacherRecipe("net.onnx")}, "teacher.spec is net.onnx", id="so does a file"),
        pytest.param(
            {"teacher": TeacherRecipe("net.pt"), "teachers": [TeacherRecipe()]}, "and there are more", id="of several"
        ),
    ],
)
def test_a_teacher_without_maps_is_refused_before_it_is_loaded(changes, reason):
    settings = Recipe(**{"losses": {HARD: LossTerm(), "attention": LossTerm()}, **changes})
    with pytest.raises(UsageError, match=rf"losses\.attention compares feature maps.*{reason}"):
        validate(settings)


def test_maps_of_unequal_shapes_are_refused_before_a_face_is_read(tmp_path, checkpoint):
    settings = recipe(tmp_path, [checkpoint], losses={HARD: LossTerm(), "attention": LossTerm()})
    with pytest.raises(UsageError, match=r"losses\.attention cannot compare student\.backbone with teacher.*56, 48"):
        resolve_student(settings, load_teacher(checkpoint.spec))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param(
            {"teachers": [TeacherRecipe(weight=0)]},
            r"teachers\.0\.weight must be a number above 0, not 0",
            id="no weight",
        ),
        pytest.param(
            {"teacher": TeacherRecipe(weight=-1)},
            r"teacher\.weight must be a number above 0, not -1",
            id="a negative weight",
        ),
        pytest.param(
            {"teachers": [TeacherRecipe(std=0)]}, r"teachers\.0\.std must be a number above 0", id="no deviation"
        ),
    ],
)
def test_a_wrong_list_of_teachers_is_refused(changes, field):
    with pytest.raises(UsageError, match=field):
        validate(Recipe(**changes))


def test_an_embedding_that_is_not_as_long_as_all_of_theirs_is_refused(tiny_net):
    teachers = [TeacherRecipe(str(tiny_net(f"{i}.onnx").path)) for i in range(2)]
    settings = Recipe(teacher=teachers[0], teachers=teachers[1:], student=NetRecipe(embedding_size=16))
    with pytest.raises(UsageError, match=r"embedding_size is 16 and the teacher's 32"):
        resolve_student(settings, load_teachers(settings.all_teachers))
