"""The "add a ..." pages, followed to the letter: their files are written into an empty folder, their commands run."""

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from facedistill.datasets import write_face_set
from tests.conftest import draw_toy_people

PAGES = Path(__file__).parents[2] / "docs" / "developers"
FILE = re.compile(r'^( *)```\w+ title="([^"]+)"\n(.*?)^\1```$', re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SOURCE = Path(__file__).parents[2] / "src"

# Page -> what it leaves in the folder.
LEAVES = {
    "add-a-loss": ["runs/my-loss/student.onnx"],
    "add-a-head": ["runs/my-head/student.onnx"],
    "add-a-backbone": ["runs/my-net/student.onnx", "my-net.onnx"],
    "add-a-variance": ["runs/my-variance/student.onnx"],
    "add-a-protocol": ["one-shot.json"],
    "add-a-teacher-format": ["teacher.onnx", "runs/my-teacher/student.onnx"],
    "add-an-export-target": ["net.pt2"],
    "add-a-recipe-section": [],
}


def files_of(page: str) -> dict[str, str]:
    return {name: textwrap.dedent(content) for _, name, content in FILE.findall(page)}


def commands_of(page: str) -> list[str]:
    return [line.strip() for _, block in COMMANDS.findall(page) for line in block.splitlines() if line.strip()]


def run(command: str, folder: Path) -> None:
    """Runs a command of a page; what is installed here is what the page's reader has installed."""
    words = shlex.split(command)
    here = words[0] == "PYTHONPATH=."
    programs = {
        "facedistill": ["-m", "facedistill"],
        "pytest": ["-m", "pytest", "-q", "-p", "no:cacheprovider"],
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


def test_every_page_is_followed():
    assert {path.stem for path in PAGES.glob("add-*.md")} == set(LEAVES)


@pytest.mark.parametrize("name", LEAVES)
def test_a_page_works_from_an_empty_folder(name, tmp_path):
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    files, commands = files_of(page), commands_of(page)
    assert files
    assert commands
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")
    if "FACES" in page:
        write_face_set(tmp_path / "FACES", draw_toy_people(12, 3), extension=".png")
    for command in commands:
        run(command, tmp_path)
    for left in LEAVES[name]:
        assert (tmp_path / left).is_file()
