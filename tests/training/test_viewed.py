"""Training on views: one view for student and teacher, mixtures of two labels, and what the teacher is shown."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_loop import recipe
from test_online_targets import WatchedTargets, unit
from tests.batches import figures
from tests.conftest import draw_toy_people
from tests.finished_runs import write_net

from facedistill.datasets import Face, FaceList, write_face_set
from facedistill.errors import UsageError
from facedistill.faces import crop_convention, crop_matrix, recrop, shown_share
from facedistill.heads import build_head
from facedistill.pipelines.face_workload import open_face_workload
from facedistill.recipe import (
    HARD,
    DataRecipe,
    HeadRecipe,
    LossTerm,
    NetRecipe,
    SynthRecipe,
    TeacherRecipe,
    VarianceStep,
)
from facedistill.recipe.validate import validate
from facedistill.teachers import load_teacher
from facedistill.training import fit
from facedistill.training.build import build_task
from facedistill.training.data import collate
from facedistill.training.run_folder import open_run_folder
from facedistill.training.viewed import ViewedFaces
from facedistill.views import Views, build_view

GEOMETRY = [build_view("turn", degrees=12.0), build_view("scale"), build_view("aspect"), build_view("shift")]
MIXED = [VarianceStep("mixture", {"probability": 0.5}), VarianceStep("turn"), VarianceStep("gamma")]


def with_landmarks(size: tuple[int, int]) -> FaceList:
    """Two black faces whose eyes and corners of the mouth are soft white dots, at their places in the convention."""
    y, x = np.mgrid[: size[0], : size[1]]
    dots = [np.exp(-((x - u) ** 2 + (y - v) ** 2) / 8) for u, v in crop_convention(size).template]
    picture = np.repeat(255 * np.max(dots, axis=0)[:, :, None], 3, axis=2).astype(np.uint8)
    return FaceList([Face(picture, 0, "a"), Face(picture, 1, "b")])


def dots_in(crop, expected):
    """Where the dots are that are expected near these places: their centres of light."""
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    found = []
    for u, v in expected:
        light = crop[..., 0] * (np.hypot(x - u, y - v) < 8)
        found.append([(light * x).sum() / light.sum(), (light * y).sum() / light.sum()])
    return np.array(found)


def moved(points, matrix):
    return points @ matrix[:2, :2].T + matrix[:2, 2]


@pytest.mark.parametrize("position", range(12))
def test_student_and_teacher_are_cut_out_of_one_view(position):
    stored = with_landmarks((150, 150))
    student = FaceList([Face(np.zeros((112, 96, 3), np.uint8), face.label, face.key) for face in stored.faces])
    shown = ViewedFaces(student, stored, Views(GEOMETRY), (), mirror=False, seed=3, teacher_size=(112, 112))
    sample = shown[position, 0]
    assert sample.crop.shape == (112, 96, 3)
    assert sample.view.shape == (112, 112, 3)
    matrices = {size: crop_matrix((150, 150), size) for size in ((112, 96), (112, 112))}
    draws = Views(GEOMETRY).draw(np.random.default_rng((3, 1, position)), 150, 150)
    viewed = moved(crop_convention((150, 150)).template, draws.matrix)
    for crop, size in ((sample.crop, (112, 96)), (sample.view, (112, 112))):
        expected = moved(viewed, matrices[size])
        np.testing.assert_allclose(dots_in(crop, expected), expected, atol=0.35)


@pytest.fixture
def faces(tmp_path):
    write_face_set(tmp_path / "people", draw_toy_people(8, 6), extension=".png")
    return DataRecipe(faces=str(tmp_path / "people"), validation_identities=0)


def trained(settings, cache, seen=None):
    """The lines that a run wrote, without durations."""
    workload = open_face_workload(settings, cache)
    settings = workload.resolved(settings)
    task = build_task(settings, workload.pictures.classes)
    targets = workload.teacher_targets(settings, task)
    task.targets = targets if seen is None else WatchedTargets(targets, seen)
    fit(task, workload.augmented(settings), settings, open_run_folder(settings), None)
    return figures(settings.folder)


def test_the_teacher_is_shown_the_view_before_its_resolution_is_taken_away(tmp_path, faces):
    spec = str(write_net(tmp_path / "net.onnx", 0, size=(112, 96)))
    teacher = TeacherRecipe(spec, input="view", centred=False)
    settings = recipe(data=faces, teacher=teacher, views=MIXED, losses={HARD: LossTerm(), "cosine": LossTerm()})
    settings = replace(settings, student=replace(settings.student, embedding_size=None))
    workload = open_face_workload(settings, tmp_path / "cache")
    assert workload.caches == (None,), "nothing is made of the original faces"
    shown = workload.augmented(settings)
    batch = collate([shown[position, position] for position in range(6)])
    settings = workload.resolved(settings)
    outputs = workload.teacher_targets(settings, build_task(settings, workload.pictures.classes)).for_batch(batch)
    views = batch.views.numpy()
    np.testing.assert_allclose(outputs.embedding.numpy(), unit(load_teacher(spec).embed(views)), atol=1e-5)
    assert all((view != crop).any() for view, crop in zip(views, batch.crops.numpy(), strict=True))
    plain = ViewedFaces(shown.faces, shown.stored, shown.views, (), shown.mirror, shown.seed, (112, 96))
    assert (collate([plain[position, position] for position in range(6)]).crops.numpy() == views).all()


def test_the_mean_is_that_of_views(tmp_path, faces):
    spec = str(write_net(tmp_path / "net.onnx", 0, size=(112, 96)))
    settings = recipe(data=faces, teacher=TeacherRecipe(spec, input="view"), views=MIXED, losses={"cosine": LossTerm()})
    settings = replace(settings, student=replace(settings.student, embedding_size=None))
    workload = open_face_workload(settings, tmp_path / "cache")
    settings = workload.resolved(settings)
    targets = workload.teacher_targets(settings, build_task(settings, workload.pictures.classes))
    shown = workload.augmented(settings)
    rows = range(0, 600)
    views = np.stack([shown[row, row % len(shown.faces)].view for row in rows])
    embeddings = unit(load_teacher(spec).embed(views))
    ours = targets.for_batch(collate([shown[row, row % len(shown.faces)] for row in rows])).embedding.numpy()
    expected = unit(embeddings - embeddings.mean(axis=0))
    assert (ours * expected).sum(axis=1).mean() > 0.95, "the means of two samples of views are near each other"
    assert np.linalg.norm(ours.mean(axis=0)) < 0.2 < np.linalg.norm(embeddings.mean(axis=0))


def test_a_run_on_views_does_not_depend_on_workers_and_goes_on(tmp_path, faces):
    spec = str(write_net(tmp_path / "net.onnx", 0, size=(112, 112)))
    write_face_set(tmp_path / "wide", draw_toy_people(8, 6, (112, 112)), extension=".png")
    data = replace(faces, faces=str(tmp_path / "wide"))
    losses = {HARD: LossTerm(), "infonce": LossTerm(), "soft": LossTerm()}
    settings = recipe(data=data, teacher=TeacherRecipe(spec, input="view"), views=MIXED, losses=losses)
    schedule = replace(settings.optimiser, schedule="trapezoid")
    settings = replace(settings, optimiser=schedule, student=replace(settings.student, embedding_size=None))
    whole = trained(replace(settings, out=str(tmp_path / "whole")), tmp_path / "cache")
    two = trained(replace(settings, out=str(tmp_path / "two"), workers=2), tmp_path / "cache")
    trained(replace(settings, out=str(tmp_path / "parts"), steps=4), tmp_path / "cache")
    parts = trained(replace(settings, out=str(tmp_path / "parts")), tmp_path / "cache")
    assert whole == two
    assert whole[-1] == {**parts[-1], **{k: whole[-1][k] for k in ("hard", "infonce", "soft")}}
    ours, theirs = (torch.load(tmp_path / n / "last.pt", weights_only=True)["task"] for n in ("whole", "parts"))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_the_hard_loss_of_a_mixture_is_that_of_both_labels():
    torch.manual_seed(0)
    head = build_head("amsoftmax", 5, 4).double()
    embedding = torch.randn(3, 5, dtype=torch.float64)
    first, second, shares = torch.tensor([0, 1, 2]), torch.tensor([3, 1, 0]), torch.tensor([0.25, 1.0, 0.5]).double()
    expected = 0.0
    for row in range(3):
        one, other = (float(head.loss(embedding[row : row + 1], who[row : row + 1])) for who in (first, second))
        expected += (float(shares[row]) * one + (1 - float(shares[row])) * other) / 3
    assert head.weighted_loss(embedding, first, (second, shares)).item() == pytest.approx(expected, rel=1e-12)


REFUSED = [
    (
        {"views": [VarianceStep("mixtur")]},
        "views: no view is called 'mixtur'; did you mean 'mixture'",
        "a misspelt name",
    ),
    ({"views": [VarianceStep("mirror")]}, "set data.mirror to false", "mirrored twice"),
    (
        {"views": [VarianceStep("shift", {"share": 0.3}), VarianceStep("scale", {"factor": [0.5, 2.0]})]},
        "views: ",
        "no face left",
    ),
    (
        {"views": MIXED, "losses": {HARD: LossTerm(), "margin": LossTerm()}},
        "losses.margin needs one label",
        "two labels",
    ),
    (
        {"views": MIXED, "head": HeadRecipe(sharded=True), "losses": {HARD: LossTerm()}},
        "which head.sharded cannot label",
        "a sharded head",
    ),
]


@pytest.mark.parametrize(("changes", "reason", "why"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_cannot_work_is_refused(changes, reason, why):
    with pytest.raises(UsageError, match=reason):
        validate(recipe(**changes))


@pytest.mark.parametrize("shown", [{"input": "view"}, {"views": 2}], ids=["drawn views", "fixed views"])
def test_a_teachers_crop_that_does_not_fit_into_the_stored_one_is_refused(tmp_path, faces, shown):
    """Before the teacher has embedded a face, though `soft` needs the original ones too."""
    spec = str(write_net(tmp_path / "net.onnx", 0, size=(112, 112)))
    losses = {"cosine": LossTerm(), "soft": LossTerm()}
    settings = recipe(data=faces, teacher=TeacherRecipe(spec, **shown), views=MIXED, losses=losses)
    settings = replace(settings, student=replace(settings.student, embedding_size=None))
    with pytest.raises(UsageError, match=r"holds crops of 112x96, which show \d+% of the teacher's 112x112; prepare"):
        open_face_workload(settings, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_all_crops_are_cut_out_of_the_stored_size(tmp_path):
    people = SynthRecipe(identities=6, images=2, seed=5)
    data = DataRecipe(synth=people, validation_identities=0, stored_size=(128, 112))
    teacher = TeacherRecipe("dlib", input="view")
    settings = recipe(data=data, teacher=teacher, losses={"cosine": LossTerm()}, student=NetRecipe(width=0.125))
    workload = open_face_workload(settings, tmp_path / "cache")
    shown = workload.augmented(settings)
    assert (shown.faces.size, shown.stored.size) == ((112, 96), (128, 112))
    sample = shown[0, 3]
    stored = shown.stored[3].image
    stored = np.ascontiguousarray(stored[:, ::-1]) if sample.mirrored else stored
    assert np.abs(sample.view.astype(int) - recrop(stored, (150, 150))).max() <= 1, "dlib's own crop"
    with pytest.raises(UsageError, match=r"data.stored_size: no crop convention is 99x99"):
        validate(recipe(data=DataRecipe(stored_size=(99, 99))))


@pytest.mark.parametrize("size", [(112, 96), (112, 112), (150, 150)])
def test_the_crop_to_store_holds_the_others(size):
    assert shown_share((128, 112), size) == 1
