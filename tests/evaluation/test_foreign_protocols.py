"""Protocols of other packages, called as package.module:Class."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from drawn_people import embed, result_of

from facedistill.cli import main
from facedistill.errors import UsageError

PACKAGE = """
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from facedistill.evaluation import Result


@dataclass(frozen=True)
class Lengths(Result):
    mean: float
    folder: str | None
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Grey:
    level: int = 90

    def run(self, embed, path, size):
        rows = embed(np.full((2, *size, 3), self.level, np.uint8))
        return Lengths(float(np.linalg.norm(rows, axis=1).mean()), path and path.name, (0.0, 1.0))


class Dictionary:
    def run(self, embed, path, size):
        return {"mean": 1.0}


class Unwritten(Dictionary):
    def run(self, embed, path, size):
        return Lengths(np.float32(1), None)


class NoRun:
    pass
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "elsewhere_protocols.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("elsewhere_protocols", None)


@pytest.mark.parametrize(
    ("end", "folder"), [pytest.param("", None, id="no folder"), pytest.param(":{}", "data", id="a folder")]
)
def test_a_protocol_of_another_package_is_run_with_its_options(end, folder, package, tmp_path):
    (tmp_path / "data").mkdir()
    result = result_of(embed, "elsewhere_protocols:Grey" + end.format(tmp_path / "data"), level=91)
    assert result.to_json() == {"mean": pytest.approx(37 * np.sqrt(126)), "folder": folder, "bounds": [0.0, 1.0]}


REFUSED = [
    ("elsewhere_protocols:Grey", {"levl": 1}, "no option 'levl'; did you mean 'level'?", "a misspelt option"),
    ("elsewhere_protocols:Gray", {}, "'elsewhere_protocols:Gray' cannot be imported", "no such class"),
    ("nowhere:Grey", {}, "No module named 'nowhere'", "no such package"),
    ("elsewhere_protocols:Grey:/no/folder", {}, "/no/folder does not exist", "no such folder"),
    (
        "elsewhere_protocols:NoRun",
        {},
        "is of type NoRun, which has no method run",
        "no run",
    ),
    ("elsewhere_protocols:Dictionary", {}, "is of type dict, which has no method to_json", "no result"),
]


@pytest.mark.parametrize(("on", "options", "message", "why"), REFUSED, ids=[row[3] for row in REFUSED])
def test_what_is_no_protocol_is_refused_in_one_line(on, options, message, why, package):
    with pytest.raises(UsageError) as refused:
        result_of(embed, on, **options)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.fixture
def evaluate_command(package, tmp_path, monkeypatch):
    """`facedistill eval` of a net that is `embed`, writing JSON."""
    net = SimpleNamespace(embed=embed, input_size=(112, 96))
    monkeypatch.setattr("facedistill.teachers.load_teacher", lambda _spec, *_stated: net)
    return lambda on: main(["eval", "net.onnx", "--on", on, "--json", str(tmp_path / "out.json")])


def test_the_command_line_writes_its_figures(evaluate_command, tmp_path, capsys):
    assert evaluate_command("elsewhere_protocols:Grey") == 0
    assert list(json.loads((tmp_path / "out.json").read_text())) == ["elsewhere_protocols:Grey"]
    text = capsys.readouterr().out
    assert "net.onnx on elsewhere_protocols:Grey" in text
    assert "| mean | 426.5 |" in " ".join(text.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", "|").split())


@pytest.mark.parametrize("name", ["NoRun", "Dictionary", "Unwritten"])
def test_the_command_line_refuses_in_one_line(name, evaluate_command, capsys):
    assert evaluate_command(f"elsewhere_protocols:{name}") == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
