"""Many processes as users start them: one that fails ends the run with its one line, Ctrl-C leaves it resumable."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from tests.conftest import draw_toy_people

from facedistill.datasets import open_face_set, write_face_set
from facedistill.datasets.damaged import readable_part
from facedistill.datasets.split import Subset
from facedistill.recordio import RECORDS, RecordFile
from facedistill.training import LAST
from facedistill.training.log import read_lines

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def recipe(tmp_path) -> Path:
    write_face_set(tmp_path / "faces", draw_toy_people(10, 4), extension=".png")
    settings = {
        "name": "toy",
        "out": str(tmp_path / "run"),
        "data": {"faces": str(tmp_path / "faces"), "held_out_identities": 4, "validation_identities": 0},
        "student": {"backbone": "slim", "width": 0.25, "embedding_size": 8},
        "losses": {"hard": {"weight": 1}},
        "head": {"sharded": True},
        "control": False,
        "steps": 4,
        "batch_size": 8,
        "validate_every": 2,
        "workers": 1,
        "test": "held_out",
        "device": "cpu",
        "precision": "32",
        "optimiser": {"learning_rate": 1e-5},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def started(*words, launcher=(sys.executable, "-m", "facedistill"), **environment):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*launcher, *map(str, words)], env=ENVIRONMENT | environment, **pipes)


def ended(process, code):
    """What was output on stderr, without progress; a bar of another process may stand before it on the line."""
    output, complaint = process.communicate(timeout=300)
    assert process.returncode == code, output + complaint
    return re.findall(r"facedistill: .*|.*Error.*|Traceback.*", complaint)


def harm_a_picture(faces):
    """Damages the last picture of the set, which every epoch shows."""
    records = RecordFile(faces)
    _, picture = records[0]
    del records
    path = faces / RECORDS
    content = path.read_bytes()
    path.write_bytes(content.replace(picture, bytes(len(picture))))


def pass_as_readable(faces, cache):
    """The set passes as one that was checked before the picture was damaged."""
    whole = open_face_set(faces)
    readable_part(Subset(whole, range(len(whole))))
    (record,) = (cache / "damage").iterdir()
    record.write_text(json.dumps({"pictures": len(whole), "damage": []}))


def test_a_process_with_a_damaged_picture_ends_the_run_with_one_line(recipe, tmp_path, monkeypatch):
    harm_a_picture(tmp_path / "faces")
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path / "cache"))
    pass_as_readable(tmp_path / "faces", tmp_path / "cache")
    words = ("train", recipe, "--devices", 2, "--data.held_out_identities", 0, "--test", "orl")
    (line,) = ended(started(*words, FACEDISTILL_CACHE=str(tmp_path / "cache")), 1)
    assert "record 1 of" in line
    assert "faces/train.rec" in line


@pytest.mark.slow
def test_two_devices_two_nodes_and_torchrun_learn_what_one_process_learns(recipe, tmp_path):
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "facedistill")
    runs = {name: tmp_path / name for name in ("one", "two", "torchrun", "nodes")}
    assert ended(started("train", recipe, "--out", runs["one"]), 0) == []
    assert ended(started("train", recipe, "--out", runs["two"], "--devices", 2), 0) == []
    assert ended(started("train", recipe, "--out", runs["torchrun"], launcher=torchrun), 0) == []
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29653"}
    words = ("train", recipe, "--out", runs["nodes"], "--nodes", 2)
    for node in [started(*words, NODE_RANK=number, **place) for number in "01"]:
        assert ended(node, 0) == []
    losses = {}
    for name, folder in runs.items():
        assert {"student.onnx", "summary.json", "report.html"} <= {path.name for path in folder.iterdir()}
        (losses[name],) = [line["hard"] for line in read_lines(folder / "metrics.jsonl") if line["kind"] == "train"]
    assert list(losses.values()) == pytest.approx([losses["one"]] * 4, rel=1e-4)


@pytest.mark.slow
def test_ctrl_c_leaves_a_state_that_another_number_of_processes_goes_on_from(recipe, tmp_path):
    process = started("train", recipe, "--devices", 2, "--steps", 100_000)
    while not (tmp_path / "run" / LAST).exists():
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    (line,) = ended(process, 1)
    assert "stopped at step" in line
    assert "run it again" in line
    step = torch.load(tmp_path / "run" / LAST, weights_only=True)["progress"]["step"]
    assert sorted(path.name for path in (tmp_path / "run").glob("head-*")) == [
        f"head-{rank}-of-2-step-{step}.pt" for rank in range(2)
    ]
    again = started("train", recipe, "--steps", 100_000)
    while not list((tmp_path / "run").glob("head-0-of-1-*")):
        assert again.poll() is None
        time.sleep(0.2)
    again.send_signal(signal.SIGTERM)
    (line,) = ended(again, 1)
    assert "stopped at step" in line
    assert torch.load(tmp_path / "run" / LAST, weights_only=True)["progress"]["step"] > step


@pytest.mark.slow
def test_a_killed_process_ends_the_run_with_one_line(recipe, tmp_path):
    process = started("train", recipe, "--devices", 2, "--steps", 100_000)
    while not (tmp_path / "run" / LAST).exists():
        time.sleep(0.2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[1]), signal.SIGKILL)
    (line,) = ended(process, 1)
    assert "was killed by SIGKILL, perhaps for want of memory" in line
