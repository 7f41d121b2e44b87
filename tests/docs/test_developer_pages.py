"""The "add a ..." pages, followed to the letter: their files are written into an empty folder, their commands run."""

import os
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from facedistill.cli import main
from facedistill.datasets import write_face_set
from tests.conftest import draw_toy_people

PAGES = Path(__file__).parents[2] / "docs" / "developers"
FILE = re.compile(r'^( *)```\w+ title="([^"]+)"\n(.*?)^\1```$', re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
QUIET = ["-q", "-p", "no:cacheprovider"]
SOURCE = Path(__file__).parents[2] / "src"

# What they do is done in other tests too: parts of another package are trained in tests/test_foreign_parts.py.
LIKE_OTHERS = {"add-a-head", "add-a-backbone", "add-a-variance", "add-a-teacher-format"}

# Page -> what it leaves in the folder.
LEAVES = {
    "add-a-loss": ["runs/my-loss/student.onnx"],
    "add-a-head": ["runs/my-head/student.onnx"],
    "add-a-backbone": ["runs/my-net/student.onnx", "my-net.onnx"],
    "add-a-variance": ["runs/my-variance/student.onnx"],
    "add-a-view": [],
    "add-a-protocol": ["one-shot.json"],
    "add-a-teacher-format": ["teacher.onnx", "runs/my-teacher/student.onnx"],
    "add-an-export-target": ["net.pt2"],
    "add-a-recipe-section": [],
}


def files_of(page: str) -> dict[str, str]:
    return {name: textwrap.dedent(content) for _, name, content in FILE.findall(page)}


def commands_of(page: str) -> list[str]:
    return [line.strip() for _, block in COMMANDS.findall(page) for line in block.splitlines() if line.strip()]


def run_as_typed(command: str, folder: Path) -> None:
    """Runs a command of a page in a process of its own; what is installed here is what the page's reader has."""
    words = shlex.split(command)
    here = words[0] == "PYTHONPATH=."
    programs = {
        "facedistill": ["-m", "facedistill"],
        "pytest": ["-m", "pytest", *QUIET],
        "python": [],
    }
    program, *arguments = words[1:] if here else words
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*(["."] if here else []), str(SOURCE)])}
    done = subprocess.run(
        [sys.executable, *programs[program], *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def run_here(command: str, folder: Path) -> None:
    """Runs a command of a page in this process, where everything is imported: it takes a fourth of the time."""
    program, *arguments = [word for word in shlex.split(command) if word != "PYTHONPATH=."]
    if program == "facedistill":
        assert main(arguments) == 0, command
    elif program == "pytest":
        assert pytest.main([*QUIET, "--rootdir", str(folder), *arguments]) == 0, command
    else:
        runpy.run_path(str(folder / arguments[0]), run_name="__main__")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def test_every_page_is_followed():
    assert {path.stem for path in PAGES.glob("add-*.md")} == set(LEAVES)


@pytest.mark.parametrize(
    ("name", "run"),
    [
        *(pytest.param(name, run_here, id=f"{name}, in this process") for name in LEAVES if name not in LIKE_OTHERS),
        *(pytest.param(name, run_as_typed, id=f"{name}, as typed", marks=pytest.mark.slow) for name in LEAVES),
    ],
)
def test_a_page_works_from_an_empty_folder(name, run, folder):
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    files, commands = files_of(page), commands_of(page)
    assert files
    assert commands
    for path, content in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")
    if "FACES" in page:
        write_face_set(folder / "FACES", draw_toy_people(12, 3), extension=".png")
    for command in commands:
        run(command, folder)
    for left in LEAVES[name]:
        assert (folder / left).is_file()
