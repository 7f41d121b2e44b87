"""A few seconds of fuzzing, and all that longer hunts have found."""

import shutil
import signal
import subprocess
import sys

import pytest

from tests.fuzz.hunt import CORPUS, hunt
from tests.fuzz.mutation import parts_of
from tests.fuzz.reader import Reader, reader_names

SECONDS = 20

FOUND = sorted(folder for folder in CORPUS.glob("*/*") if folder.is_dir())


def test_no_mutated_file_ends_in_anything_but_one_line():
    result = hunt(reader_names(), SECONDS, seed=1)
    assert result.findings == []
    assert min(result.inputs.values()) > 0


def test_what_was_found_is_mended(tmp_path):
    words = []
    for number, folder in enumerate(FOUND):  # copies: some readers write beside what they read
        shutil.copytree(folder, tmp_path / str(number) / folder.name)
        words += [folder.parent.name, str(tmp_path / str(number) / folder.name)]
    done = subprocess.run([sys.executable, "-m", "tests.fuzz.once", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-2000:]


def test_an_input_follows_from_its_seed_and_number():
    reader = Reader(lambda: [{"a": b"some text 12"}], lambda folder: None)
    inputs = [parts_of(reader, reader.goldens(), "name", 1, number) for number in range(50)]
    assert inputs == [parts_of(reader, reader.goldens(), "name", 1, number) for number in range(50)]
    assert len({str(one) for one in inputs}) > 40


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("return", "None", id="as it should"),
        pytest.param("raise FacedistillError('net.pt is damaged')", "None", id="one line"),
        pytest.param("raise FacedistillError('two\\nlines')", "1 line ends", id="two lines"),
        pytest.param("raise KeyError('x')", "KeyError at", id="another exception"),
        pytest.param("bytearray(1 << 29)", "MemoryError at", id="too much memory"),
        pytest.param(
            "\n    try: bytearray(1 << 29)\n    except Exception as error: raise FacedistillError('x') from error",
            "MemoryError at",
            id="too much memory, and an error that hides it",
        ),
        pytest.param("\n    while True: pass", -signal.SIGPROF, id="without an end"),
        pytest.param("list(range(10**9)).count(0) if sum(iter(int, 1)) else 0", -signal.SIGPROF, id="the same in C"),
        pytest.param("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, id="a crash"),
    ],
)
def test_what_a_reader_must_not_do_is_seen(body, expected, tmp_path):
    code = (
        "import os, signal; from pathlib import Path; from facedistill.errors import FacedistillError\n"
        "from tests.fuzz.limits import attempt; from tests.fuzz.reader import Reader\n"
        f"def read(folder):\n    {body}\n"
        "print(attempt(Reader(lambda: [], read), Path('.'), 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if isinstance(expected, str):
        assert expected in done.stdout
    else:
        assert done.returncode == expected
