"""Fixed views: the teacher's embeddings of a few views of each face are cached, and the student is shown those."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_loop import recipe
from test_online_targets import unit
from test_viewed import MIXED, trained
from tests.conftest import draw_toy_people
from tests.finished_runs import write_net
from tests.training.distributed import in_processes

from facedistill.datasets import write_face_set
from facedistill.errors import FacedistillError, FacedistillWarning, UsageError
from facedistill.pipelines.face_workload import open_face_workload
from facedistill.recipe import HARD, ClassificationRecipe, DataRecipe, LossTerm, TeacherRecipe
from facedistill.recipe.validate import validate
from facedistill.teachers import load_teacher
from facedistill.training.build import build_task
from facedistill.training.data import collate
from facedistill.training.log import read_lines

K = 3


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path / "user"))
    write_face_set(tmp_path / "people", draw_toy_people(8, 6, (112, 112)), extension=".png")
    spec = str(write_net(tmp_path / "net.onnx", 0, size=(112, 112)))
    made = recipe(
        data=DataRecipe(faces=str(tmp_path / "people"), validation_identities=0),
        teacher=TeacherRecipe(spec, views=K),
        views=MIXED,
        losses={HARD: LossTerm(), "cosine": LossTerm()},
        out=str(tmp_path / "run"),
    )
    return replace(made, student=replace(made.student, embedding_size=None))


def opened(settings, folder):
    workload = open_face_workload(settings, folder)
    settings = workload.resolved(settings)
    targets = workload.teacher_targets(settings, build_task(settings, workload.pictures.classes))
    return workload.augmented(settings), targets


def caches(tmp_path):
    return sorted((tmp_path / "user" / "teacher-views").iterdir())


def test_a_face_is_shown_in_its_fixed_views_alone_and_degraded_anew(tmp_path, settings):
    plain, _ = opened(replace(settings, variance=[]), tmp_path / "cache")
    degraded, _ = opened(settings, tmp_path / "cache")
    for index in (0, 17):
        seen: dict[int, set[bytes]] = {}
        degradations, second_labels = set(), set()
        for position in range(40):
            sample = plain[position, index]
            seen.setdefault(sample.view_number, set()).add(sample.crop.tobytes())
            second_labels.add((sample.view_number, sample.second_label, sample.share, sample.mirrored))
            assert degraded[position, index].view_number == sample.view_number
            degradations.add(degraded[position, index].crop.tobytes())
        assert sorted(seen) == list(range(K))
        assert all(len(pictures) == 1 for pictures in seen.values()), "a view is one picture"
        assert len({picture for pictures in seen.values() for picture in pictures}) == K, "views differ"
        assert len(second_labels) == K, "the second face of a mixture and its share are fixed as well"
        assert len(degradations) > 3 * K, "each time degraded anew, or not at all"


@pytest.mark.parametrize("centred", [False, True])
def test_targets_are_the_teachers_embeddings_of_the_very_views(tmp_path, settings, centred):
    settings = replace(settings, teacher=replace(settings.teacher, centred=centred))
    shown, targets = opened(settings, tmp_path / "cache")
    net = load_teacher(settings.teacher.spec)
    batch = collate([shown[position, position % len(shown.faces)] for position in range(60)])
    places = zip(batch.indices.tolist(), batch.view_numbers.tolist(), strict=True)
    expected = unit(net.embed(np.stack([shown.fixed_view(*place, (112, 112)) for place in places])))
    if centred:
        every = [shown.fixed_view(i, k, (112, 112)) for i in range(len(shown.faces)) for k in range(K)]
        expected = unit(expected - unit(net.embed(np.stack(every))).mean(axis=0))
    np.testing.assert_allclose(targets.for_batch(batch).embedding.numpy(), expected, atol=2e-5)


def test_one_cache_serves_all_runs_of_the_same_teacher_faces_views_and_seed(tmp_path, settings, monkeypatch):
    opened(settings, tmp_path / "cache")
    (folder,) = caches(tmp_path)
    assert np.load(folder / "embeddings.npy", mmap_mode="r").shape[:2] == (48, K)
    modified = (folder / "embeddings.npy").stat().st_mtime_ns
    opened(replace(settings, steps=20, variance=[], out=None, losses={"l2": LossTerm()}), tmp_path / "other")
    assert caches(tmp_path) == [folder]
    assert (folder / "embeddings.npy").stat().st_mtime_ns == modified
    others = [
        {"seed": 1},
        {"views": [*MIXED, *MIXED[2:]]},
        {"teacher": replace(settings.teacher, views=2)},
        {"data": replace(settings.data, mirror=False)},
    ]
    for number, change in enumerate(others, start=2):
        opened(replace(settings, **change), tmp_path / "cache")
        assert len(caches(tmp_path)) == number, change
    (folder / "embeddings.npy").write_bytes(b"damaged")
    with pytest.warns(FacedistillWarning, match="is broken .* built anew"):
        opened(settings, tmp_path / "cache")


def test_the_control_is_shown_the_same_pictures(tmp_path, settings):
    shown, _ = opened(settings, tmp_path / "cache")
    control = open_face_workload(settings.control_recipe(), tmp_path / "cache")
    theirs = control.augmented(settings.control_recipe())
    for place in ((0, 5), (1, 5), (9, 40)):
        assert (shown[place].crop == theirs[place].crop).all()


def test_a_run_on_fixed_views_does_not_depend_on_workers_and_goes_on(tmp_path, settings):
    losses = {HARD: LossTerm(), "infonce": LossTerm(), "soft": LossTerm()}  # soft needs the class centres besides
    settings = replace(settings, losses=losses, optimiser=replace(settings.optimiser, schedule="trapezoid"))
    whole = trained(replace(settings, out=str(tmp_path / "whole")), tmp_path / "cache")
    assert whole == trained(replace(settings, out=str(tmp_path / "two"), workers=2), tmp_path / "cache")
    trained(replace(settings, out=str(tmp_path / "parts"), steps=4), tmp_path / "cache")
    parts = trained(replace(settings, out=str(tmp_path / "parts")), tmp_path / "cache")
    assert parts[-1]["step"] == whole[-1]["step"]
    ours, theirs = (torch.load(tmp_path / n / "last.pt", weights_only=True)["task"] for n in ("whole", "parts"))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def _train(_rank, _count, settings, cache):
    trained(settings, cache)


def test_two_processes_build_one_cache_and_take_the_step_that_one_does(tmp_path, settings):
    settings = replace(settings, steps=1)  # later ones magnify the rounding of 32 bits
    in_processes(2, settings, _train, replace(settings, out=str(tmp_path / "two")), tmp_path / "cache")
    (folder,) = caches(tmp_path)
    modified = (folder / "embeddings.npy").stat().st_mtime_ns
    one = trained(replace(settings, out=str(tmp_path / "one")), tmp_path / "cache")
    assert (folder / "embeddings.npy").stat().st_mtime_ns == modified
    last = next(line for line in one if line["kind"] == "train")
    two = next(line for line in read_lines(tmp_path / "two" / "metrics.jsonl") if line["kind"] == "train")
    assert (two["hard"], two["cosine"]) == pytest.approx((last["hard"], last["cosine"]), rel=1e-3)


def test_a_cache_that_the_disk_cannot_hold_is_refused_before_the_teacher_works(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(FacedistillError, match=r"GB more for 48 faces x 3 pictures, .* or lower teacher.views$"):
        opened(settings, tmp_path / "cache")
    assert not list(caches(tmp_path)[0].iterdir())


REFUSED = [
    ({"views": -1}, {}, "teacher.views must be a whole number from 0", "a negative number"),
    ({"views": 2, "input": "view"}, {}, r"teacher.views is 2, .* teacher.input is view.*drawn anew", "drawn anew"),
    ({"views": 2, "input": "student"}, {}, r"teacher.input is student.*student's own crops", "the student's crops"),
    ({"views": 2, "own_crop": True}, {}, r"teacher.own_crop is for the original faces", "crops of the photos"),
    ({"views": 2}, {"views": []}, r"teacher's views are 2, but `views` lists nothing", "nothing to draw"),
    ({"views": 2}, {"teachers": [TeacherRecipe(views=3)]}, r"2 and 3 fixed views", "two numbers"),
    ({"views": 2}, {"losses": {"fitnets": LossTerm()}}, r"losses.fitnets .* too large to cache", "feature maps"),
    ({"views": 2}, {"classification": ClassificationRecipe(), "views": []}, "views are for faces", "a classifier"),
]


@pytest.mark.parametrize(("teacher", "changes", "reason", "why"), REFUSED, ids=[row[3] for row in REFUSED])
def test_contradictions_are_refused(teacher, changes, reason, why):
    changes = {"views": MIXED, "control": False, **changes}
    with pytest.raises(UsageError, match=reason):
        validate(recipe(teacher=TeacherRecipe(**teacher), **changes))


def test_teachers_of_the_original_and_of_fixed_views_go_together(tmp_path, settings):
    settings = replace(settings, teachers=[replace(settings.teacher, views=0)], losses={"cosine": LossTerm()})
    settings = replace(settings, control=False)
    validate(settings)
    shown, targets = opened(settings, tmp_path / "cache")
    batch = collate([shown[position, position] for position in range(6)])
    size = load_teacher(settings.teacher.spec).embedding_size
    assert targets.for_batch(batch).embedding.shape == (6, 2 * size)
