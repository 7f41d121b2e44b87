"""An ordinary image classifier, from a folder of pictures to student, control and figures."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
import yaml

from facedistill.backbones import normalise_crops
from facedistill.cli import main
from facedistill.datasets.classes import open_classes
from facedistill.errors import FacedistillError
from facedistill.export import class_scores
from facedistill.pipelines.classifier import run_classifier
from facedistill.pipelines.classifier_workload import open_classifier_workload, restore
from facedistill.recipe.files import read_recipe
from tests.batches import batch_of
from tests.class_pictures import CLASSES, draw_classes


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Colours that anybody tells apart; a convolutional teacher, a linear student."""
    folder = tmp_path_factory.mktemp("classes")
    draw_classes(folder / "pictures", pictures=20, noise=20)
    (folder / "pictures" / "red" / "00.png").write_bytes(b"no picture")
    settings = {
        "name": "colours",
        "out": str(folder / "run"),
        "classification": {
            "pictures": str(folder / "pictures"),
            "held_out": 0.3,
            "validation": 0.2,
            "teacher": {"module": "tests.class_pictures:convolutional", "input_size": [9, 7]},
            "teacher_steps": 30,
            "seeds": 2,
        },
        "data": {"mirror": False},
        "student": {"module": "tests.class_pictures:linear", "input_size": [9, 7]},
        "losses": {"hard": {"weight": 0.5}, "soft": {"weight": 0.5, "options": {"temperature": 4}}},
        "variance": [],
        "optimiser": {"learning_rate": 0.05},
        "steps": 20,
        "batch_size": 12,
        "validate_every": 10,
        "workers": 0,
        "device": "cpu",
        "precision": "32",
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture(scope="module")
def run(recipe):
    assert main(["distill", str(recipe)]) == 0
    return recipe.parent / "run"


def test_distill_trains_teacher_student_and_control(run):
    summary = json.loads((run / "summary.json").read_text())
    models = summary["models"]
    assert list(models) == ["teacher", "student", "control"]
    assert models["teacher"]["accuracy"] == 1  # three plain colours
    for role in ("student", "control"):
        assert len(models[role]["accuracies"]) == 2
        assert models[role]["accuracy"] == pytest.approx(np.mean(models[role]["accuracies"]))
        assert models[role]["accuracy_std"] == pytest.approx(np.std(models[role]["accuracies"], ddof=1))
        assert models[role]["accuracy"] > 0.8
        assert models[role]["parameters"] == 3 * 9 * 7 * 3 + 3
        assert models[role]["macs"] == 3 * 9 * 7 * 3
    assert summary["settings"]["damaged_pictures"] == 1
    assert summary["test"]["pictures"] == 18
    assert summary["settings"]["seeds"] == [0, 1]


def test_the_control_differs_by_the_teacher_alone(run):
    student, control = (
        yaml.safe_load(path.read_text()) for path in (run / "student/0/recipe.yaml", run / "control/0/recipe.yaml")
    )
    assert {key for key in student if student[key] != control[key]} == {"name", "out", "losses", "control"}
    assert control["losses"] == {"hard": student["losses"]["hard"]}


def test_the_exported_file_says_what_the_trained_net_says(run, recipe):
    pictures = open_classes(str(recipe.parent / "pictures"), (9, 7))
    crops = np.stack([pictures[index].image for index in range(8)])
    task = restore(read_recipe(run / "student" / "0" / "recipe.yaml"), 3)
    scores = class_scores(run / "student.onnx", crops)
    flat = (crops.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 128
    weight, bias = (part.detach().numpy() for part in task.backbone.module[1].parameters())
    assert scores == pytest.approx(flat.reshape(8, -1) @ weight.T + bias, abs=1e-4)
    (entry,) = onnx.load(run / "student.onnx").metadata_props
    assert json.loads(entry.value)["classes"] == list(CLASSES)


def test_a_finished_run_is_shown_not_repeated(run, recipe, capsys):
    before = (run / "student.onnx").stat().st_mtime_ns
    assert main(["distill", str(recipe)]) == 0
    assert (run / "student.onnx").stat().st_mtime_ns == before
    assert "student without a teacher" in capsys.readouterr().out


def test_the_teacher_targets_are_its_scores(run, recipe):
    settings = read_recipe(recipe)
    workload = open_classifier_workload(settings, run / "teacher")  # trained already
    resolved = workload.resolved(settings)
    targets = workload.teacher_targets(resolved, workload.teacher)
    indices = torch.tensor([3, 0])
    outputs = targets.for_batch(batch_of(indices.tolist(), [False, False]))
    crops = np.stack([workload.pictures[int(index)].image for index in indices])
    with torch.no_grad():
        scores = workload.teacher.backbone.module(normalise_crops(torch.from_numpy(crops)))
    assert outputs.logits.numpy() == pytest.approx(scores.numpy(), abs=1e-4)


def test_labels_alone_need_no_teacher(recipe, tmp_path):
    settings = replace(read_recipe(recipe), out=str(tmp_path / "run"), steps=2, validate_every=2)
    settings = replace(settings, classification=replace(settings.classification, seeds=1))
    summary = run_classifier(settings.labels_only())
    assert list(summary["models"]) == ["student"]
    assert summary["models"]["student"]["accuracy_std"] is None
    assert not (tmp_path / "run" / "teacher").exists()


def test_a_net_of_the_registry_can_learn_pictures(recipe, tmp_path):
    settings = read_recipe(recipe)
    small = {"backbone": "resnet20", "width": 0.03, "embedding_size": 8, "input_size": (32, 32)}
    net = replace(settings.student, module=None, **small)
    settings = replace(
        settings,
        out=str(tmp_path / "run"),
        student=net,
        classification=replace(settings.classification, teacher=net, seeds=1, teacher_steps=2),
        losses={**settings.losses, "cosine": settings.losses["soft"].__class__()},
        head=replace(settings.head, name="softmax", options={"bias": True}),
        steps=2,
        control=False,
    )
    workload = open_classifier_workload(settings, tmp_path / "teacher")
    assert workload.resolved(settings).student.embedding_size == 8
    assert workload.cache.embeddings.shape == (len(workload.pictures), 2, 8)


def test_a_damaged_checkpoint_is_one_clear_line(run, recipe, tmp_path):
    settings = read_recipe(run / "student" / "0" / "recipe.yaml")
    (tmp_path / "best.pt").write_bytes((run / "teacher" / "best.pt").read_bytes())
    with pytest.raises(FacedistillError, match="does not fit the recipe beside it"):
        restore(replace(settings, out=str(tmp_path)), 3)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param(["--classification.held_out", "0"], "classification.held_out", id="no test"),
        pytest.param(["--classification.validation", "0.9"], "leave nothing", id="nothing to train on"),
        pytest.param(["--classification.seeds", "0"], "classification.seeds", id="no seeds"),
        pytest.param(["--classification.teacher_steps", "0"], "classification.teacher_steps", id="no steps"),
        pytest.param(["--classification.pictures", "nowhere"], "nowhere", id="no pictures"),
        pytest.param(["--student.input_size", "[8,8]"], "classification.teacher.input_size", id="two sizes"),
        pytest.param(["--student.module", "nowhere:net"], "nowhere", id="no module"),
        pytest.param(["--student.module", "tests.class_pictures:failing"], "failing", id="a module that fails"),
        pytest.param(["--classification.teacher.module", "nowhere:net"], "nowhere", id="no teacher"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(recipe, tmp_path, capsys, words, reason):
    assert main(["distill", str(recipe), "--out", str(tmp_path / "run"), *words]) == 2
    captured = capsys.readouterr().err
    assert reason in captured
    assert captured.count("\n") == 1
    assert not (tmp_path / "run" / "teacher").exists()
