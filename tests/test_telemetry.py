"""Nothing leaves the machine: no socket is opened and nothing is written below the home folder."""

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_SOCKET = {"x86_64": 41, "aarch64": 198}.get(platform.machine())  # the system call's number on Linux
linux = pytest.mark.skipif(
    sys.platform != "linux" or _SOCKET is None, reason="system calls are filtered as Linux does it"
)

# The process ends by SIGSYS at its first call of socket(), whatever library makes it (seccomp(2)).
GUARD = f"""
import ctypes

class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("value", ctypes.c_uint)]

class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("first", ctypes.POINTER(Instruction))]

rules = (Instruction * 4)(
    Instruction(0x20, 0, 0, 0),  # load the number of the call
    Instruction(0x15, 0, 1, {_SOCKET}),  # socket()?
    Instruction(0x06, 0, 0, 0x80000000),  # end the process
    Instruction(0x06, 0, 0, 0x7FFF0000),  # allow
)
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(4, rules)), 0, 0) == 0, ctypes.get_errno()
"""

RECOGNISE = """
import numpy
from facedistill.runtime import Recognizer

recognizer = Recognizer("slim-m")
recognizer.detect(numpy.zeros((64, 64, 3), numpy.uint8))
recognizer.embed(numpy.zeros((1, *recognizer.metadata.crop_size, 3), numpy.uint8))
"""
EVALUATE = """
from facedistill.export.cost import latencies_ms
from facedistill.models import shipped_models
from facedistill.teachers import load_teacher

load_teacher("slim-m").faces_per_second()
latencies_ms(shipped_models(), rounds=1)
"""
COMMAND = """
from facedistill.cli import main

assert main(["info", "slim-m"]) == 0
"""


def run_guarded(code: str, tmp_path: Path) -> tuple[int, str, set[Path]]:
    """Exit code, errors, and what was written below a new home folder."""
    (tmp_path / "home").mkdir()
    # onnxruntime is still by itself under a CI service or a test of its own; here the package alone may still it.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "CI", "XDG_", "GITHUB_"))}
    own |= {"HOME": str(tmp_path / "home"), "FACEDISTILL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", GUARD + code], env=own, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, set((tmp_path / "home").rglob("*"))


@linux
def test_the_guard_ends_a_process_that_opens_a_socket(tmp_path: Path) -> None:
    assert run_guarded("import socket; socket.socket()", tmp_path)[0] == -signal.SIGSYS


@linux
@pytest.mark.parametrize("code", [RECOGNISE, EVALUATE, COMMAND], ids=["recognise", "evaluate", "command"])
def test_no_socket_and_nothing_below_the_home_folder(code: str, tmp_path: Path) -> None:
    exit_code, errors, written = run_guarded(code, tmp_path)
    assert exit_code == 0, errors
    assert written == set()


def test_a_program_that_imported_onnxruntime_first_is_stilled_at_the_first_session() -> None:
    code = (
        "import onnxruntime; calls = []; onnxruntime.disable_telemetry_events = lambda: calls.append(1); "
        "from facedistill.runtime import Recognizer; Recognizer('slim-m'); assert calls"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"})
