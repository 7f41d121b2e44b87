"""Fidelity: the student against the centred teacher on faces that nobody was trained on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_loop import recipe
from test_online_targets import unit
from tests.conftest import draw_toy_people
from tests.finished_runs import write_net

from facedistill.backbones import embed_crops
from facedistill.datasets import write_face_set
from facedistill.datasets.portraits import load_portraits
from facedistill.faces import Detector, find_face
from facedistill.pipelines.face_workload import open_face_workload
from facedistill.recipe import DataRecipe, LossTerm, TeacherRecipe, VarianceStep
from facedistill.teachers import load_teacher
from facedistill.training import train
from facedistill.training.build import build_task
from facedistill.training.log import read_lines


@pytest.fixture
def settings(tmp_path):
    write_face_set(tmp_path / "people", draw_toy_people(10, 4), extension=".png")
    made = recipe(
        data=DataRecipe(faces=str(tmp_path / "people"), validation_identities=4),
        teacher=TeacherRecipe(str(write_net(tmp_path / "net.onnx", 0, size=(112, 96))), input="view"),
        losses={"cosine": LossTerm()},
        views=[VarianceStep("turn"), VarianceStep("grey")],
        out=str(tmp_path / "run"),
        steps=4,
    )
    return replace(made, student=replace(made.student, embedding_size=None))


def test_the_portraits_show_a_face_each():
    photos = load_portraits()
    assert "Grace Hopper" in photos
    assert all(find_face(Detector(), photo) is not None for photo in photos.values())


def test_fidelity_is_the_mean_cosine_to_the_centred_teacher(settings, tmp_path):
    workload = open_face_workload(settings, tmp_path / "cache")
    settings = workload.resolved(settings)
    task = build_task(settings, workload.pictures.classes)
    assert workload.observer(settings, task) is None, "there are no targets yet"
    task.targets = workload.teacher_targets(settings, task)
    observe = workload.observer(settings, task)

    teacher = load_teacher(settings.teacher.spec)
    kept = workload.faces.validation
    crops = np.stack([kept[place].image for place in range(len(kept))])
    targets = unit(unit(teacher.embed(crops)) - task.targets.space.mean)
    expected = (unit(embed_crops(task.backbone, crops)) * targets).sum(axis=1).mean()
    figures = observe(lambda shown: embed_crops(task.backbone, shown))
    assert figures["fidelity_rendered"] == pytest.approx(expected, abs=1e-5)
    assert -1 <= figures["fidelity_real"] <= 1

    def as_the_teacher(shown):
        return 3 * task.targets.space.centred(teacher.embed(shown))

    assert observe(as_the_teacher) == pytest.approx({"fidelity_rendered": 1, "fidelity_real": 1}, abs=1e-5)


def test_a_run_logs_it_and_trains_as_without(settings, tmp_path, monkeypatch):
    workload = open_face_workload(settings, tmp_path / "cache")
    settings = workload.resolved(settings)
    train(workload, settings, build_task(settings, workload.pictures.classes))
    lines = read_lines(tmp_path / "run" / "metrics.jsonl")
    assert [line["step"] for line in lines if line["kind"] == "fidelity"] == [4]
    alone = replace(settings, out=str(tmp_path / "alone"))
    monkeypatch.setattr(type(workload), "observer", lambda *_: None)
    train(workload, alone, build_task(alone, workload.pictures.classes))
    one, other = (torch.load(tmp_path / name / "last.pt", weights_only=True)["task"] for name in ("run", "alone"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_student_whose_embedding_is_longer_has_no_cosine_to_its_teacher(settings, tmp_path):
    """Losses such as `pkt` compare relations, for which the two need not be equally long."""
    settings = replace(settings, losses={"pkt": LossTerm()}, student=replace(settings.student, embedding_size=24))
    workload = open_face_workload(settings, tmp_path / "cache")
    assert workload.teacher.embedding_size != 24
    train(workload, settings, build_task(settings, workload.pictures.classes))
    kinds = {line["kind"] for line in read_lines(tmp_path / "run" / "metrics.jsonl")}
    assert kinds == {"train", "validation"}
