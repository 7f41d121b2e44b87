"""Files that a user names for output: links lead on, pipes and devices stay what they are, `-` is the screen."""

import io
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.table import Table

from facedistill.cli import main
from facedistill.cli.screen import console, show, warn
from facedistill.errors import FacedistillError, UsageError
from facedistill.files import atomic_path, check_output, write_text
from facedistill.printable import printable
from facedistill.progress import notify

ROOT = os.geteuid() == 0


def test_a_link_stays_and_the_file_behind_it_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    file, link = tmp_path / "far" / "real.json", tmp_path / "link.json"
    file.write_text("old")
    link.symlink_to(Path("far/real.json"))
    write_text(link, "new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["far", "link.json", "real.json"]


def test_a_link_to_nothing_yet_makes_the_file_behind_it(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "later")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "later").read_text() == "new"


def test_a_failure_leaves_what_is_behind_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ValueError, match="mine"), atomic_path(tmp_path / "link") as temporary:
        raise ValueError("mine" * temporary.write_text("x"))
    assert (tmp_path / "real").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_pipe_is_written_into(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "x" * 200_000)  # more than a pipe holds
    reader.join()
    assert read == ["x" * 200_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_that_nobody_reads_from_is_no_endless_wait(tmp_path, monkeypatch):
    monkeypatch.setattr("facedistill.files._PIPE_PATIENCE", 0.2)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FacedistillError, match="nobody reads"):
        write_text(tmp_path / "pipe", "x")


def test_a_device_stays_one(tmp_path):
    device = tmp_path / "null"
    if ROOT:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    else:
        device.symlink_to("/dev/null")
    write_text(device, "x")
    assert stat.S_ISCHR(device.stat().st_mode)


def test_the_longest_name_there_is_can_be_written(tmp_path):
    write_text(tmp_path / ("x" * 255), "all")
    assert (tmp_path / ("x" * 255)).read_text() == "all"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/x.json", "there is no folder"),
        ("folder", "is a folder"),
        ("file/x.json", "there is no folder"),
        ("x" * 300, "too long"),
        ("loop", "symbolic links"),
        ("socket", "no file, pipe or character device"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, name, reason):
    import socket

    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(UsageError, match=reason):
            check_output(tmp_path / name)
    with pytest.raises(FacedistillError):
        write_text(tmp_path / name, "x") if name != "missing/x.json" else check_output(tmp_path / name)
    assert (tmp_path / "file").read_text() == "kept"


OUTPUTS = {  # a command with a missing folder as its output; none of the inputs exists, so the check comes first
    "info --json": ["info", "slim", "--json"],
    "verify --json": ["verify", "a.png", "b.png", "--json"],
    "eval --json": ["eval", "no.onnx", "--json"],
    "models --json": ["models", "--json"],
    "report --out": ["report", "no-run", "--out"],
    "report --json": ["report", "no-run", "--json"],
    "report --markdown": ["report", "no-run", "--markdown"],
    "export": ["export", "no-run"],
    "pack": ["pack", "no-run"],
}


@pytest.mark.parametrize("call", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_a_missing_folder_is_an_error_and_not_made(tmp_path, monkeypatch, capsys, call):
    monkeypatch.chdir(tmp_path)
    assert main([*call, "missing/x"]) == 2
    assert "there is no folder missing; make it first" in capsys.readouterr().err
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_figures_on_the_screen_are_alone_there(name):
    command = [sys.executable, "-m", "facedistill", "models", "--json", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["slim-m"]["licence"]
    assert "licence" in done.stderr


def test_an_output_that_nobody_reads_ends_in_one_line():
    command = f"{sys.executable} -m facedistill models | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1


# Names as a file may have them, and what of them may be shown.
NAMES = {
    "plain": ("Zoë Ångström 李", "Zoë Ångström 李"),
    "escape codes": ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
    "8-bit control": ("a\x9b31m", "a\\x9b31m"),
    "a line of its own": ("a\nfacedistill: all is well", "a\\nfacedistill: all is well"),
    "over what stands there": ("a\rb\x08", "a\\rb\\x08"),
    "reads backwards": ("photo\u202egnp.exe", "photo\\u202egnp.exe"),
    "line separator": ("a\u2028b", "a\\u2028b"),
    "not UTF-8": (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
    "half a pair": ("\ud800", "\\ud800"),
    "markup": ("[red]x[/red] [/] :smile:", "[red]x[/red] [/] :smile:"),
}


@pytest.mark.parametrize(("name", "shown"), NAMES.values(), ids=NAMES.keys())
def test_names_do_nothing_on_the_screen(monkeypatch, name, shown):
    assert printable(name) == shown
    for how in (show, warn, notify, table_with):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        how(name)
        expected = shown.replace("\\n", " " if how is warn else "\n") if how in (warn, table_with) else shown
        assert all(line in stream.getvalue() for line in expected.split("\n")), how
        assert not set(stream.getvalue()) & set("\x1b\x9b\r\x08\x07\u202e\ud800"), how


def table_with(name):
    table = Table(title=name, caption=name)
    table.add_column(name)
    table.add_row(name)
    console().print(table)
