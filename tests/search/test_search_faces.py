"""The command as users meet it, on toy faces: judged on validation people, tested once, wrong calls in one line."""

import json

import pytest
import yaml
from tests.block_means import write_block_means
from tests.conftest import draw_toy_people

from facedistill.cli import main
from facedistill.datasets import write_face_set
from facedistill.pipelines.face_workload import FaceWorkload
from facedistill.runtime import Recognizer

FIGURES = {"size_mb": 0.5, "latency_ms": 1.0, "params": 100, "macs": 1000}


@pytest.fixture
def recipe(tmp_path):
    write_face_set(tmp_path / "people", draw_toy_people(14, 5), extension=".png")
    settings = {
        "name": "toy",
        "data": {"faces": str(tmp_path / "people"), "held_out_identities": 4, "validation_identities": 4},
        "teacher": {"spec": str(write_block_means(tmp_path / "teacher.onnx"))},
        "student": {"width": 0.125},
        "losses": {"hard": {"weight": 1}, "soft": {"weight": 1}, "cosine": {"weight": 4}},
        "steps": 4,
        "batch_size": 8,
        "validate_every": 2,
        "workers": 0,
        "device": "cpu",
        "test": "held_out",
        "search": {
            "losses.soft.options.temperature": {"low": 1, "high": 8, "log": True},
            "losses.cosine.weight": {"choices": [0, 4]},
        },
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture
def cheap_files(monkeypatch):
    monkeypatch.setattr("facedistill.search.run.untrained_costs", lambda *_: FIGURES)
    monkeypatch.setattr(FaceWorkload, "write_best", lambda _self, _recipe, path: path.write_bytes(bytes(500_000)))


def test_faces_are_judged_at_the_resolutions_of_the_standard(recipe, tmp_path, capsys, cheap_files):
    out = tmp_path / "search"
    until = "people@16.eer <= 0, validation@native.tar@1e-1 >= 1, size_mb <= 1"
    code = main(["search", str(recipe), "--until", until, "--trials", "2", "--out", str(out)])
    captured = capsys.readouterr()
    found = json.loads((out / "search.json").read_text())
    assert code == (0 if found["met"] else 1)
    assert len(found["trials"]) == 2 or found["met"]
    for trial in found["trials"]:
        assert set(trial["figures"]) == {"people@16.eer", "validation@native.tar@1e-1"}
    assert "size_mb <= 1: 0.5, met" in captured.out
    line = json.loads((out / "trials/0000/metrics.jsonl").read_text().splitlines()[0])
    assert 0 <= line["people@16.eer"] <= 1
    if code:
        assert captured.err.splitlines()[-1] == (
            "facedistill: the standard is not met after 2 trials; give more --trials, or lower it"
        )


def test_a_figure_that_so_few_people_cannot_show_is_refused_before_training(recipe, tmp_path, capsys, cheap_files):
    words = ["--until", "people@16.tar@1e-4 >= 0.5", "--out", str(tmp_path / "search")]
    assert main(["search", str(recipe), *words]) == 2
    assert "too few" in capsys.readouterr().err
    assert not (tmp_path / "search/trials").exists()


@pytest.mark.slow
def test_the_winner_is_a_model_file_that_was_tested_once(recipe, tmp_path, capsys):
    out = tmp_path / "search"
    words = ["search", str(recipe), "--until", "people@native.eer <= 1, size_mb <= 9, latency_ms <= 1e4"]
    words += ["--trials", "2", "--out", str(out), "--test"]
    assert main(words) == 0
    found = json.loads((out / "search.json").read_text())
    assert found["met"]
    assert set(found["test"]["figures"]) == {"native", "30", "20", "16", "12", "8", "both"}
    size = (out / "student.onnx").stat().st_size / 1e6
    assert found["trials"][0]["file_mb"] == size
    assert found["trials"][0]["costs"]["size_mb"] == pytest.approx(size, rel=0.02)
    assert Recognizer(out / "student.onnx").metadata.name == "toy-0000"
    before = (out / "student.onnx").stat().st_mtime_ns
    assert main(words) == 0
    assert (out / "student.onnx").stat().st_mtime_ns == before
    assert "trial 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param(["missing.yaml", "--until", "people@16.eer <= 0.1"], "missing.yaml", id="no such recipe"),
        pytest.param(["RECIPE"], "the standard is empty", id="no standard"),
        pytest.param(["RECIPE", "--until", "people@16.eer"], "'people@16.eer'", id="a standard that cannot be read"),
        pytest.param(["RECIPE", "--until", "orl@16.eer <= 0.1"], "people@", id="the test set"),
        pytest.param(
            ["RECIPE", "--until", "people@16.eer <= 0.1", "--trials", "0"],
            "trials must be a whole number",
            id="no trials",
        ),
        pytest.param(["RECIPE", "--until", "people@16.eer <= 0.1", "--trials", "two"], "trials", id="a word"),
        pytest.param(["RECIPE", "--until", "people@16.eer <= 0.1", "--hours", "2"], "hours", id="a misspelt option"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(recipe, tmp_path, monkeypatch, capsys, words, reason):
    monkeypatch.chdir(tmp_path)
    words = [str(recipe) if word == "RECIPE" else word for word in words]
    assert main(["search", *words]) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
