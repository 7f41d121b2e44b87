"""Worker processes end with the process that started them."""

import subprocess
import sys
import time
from pathlib import Path

from facedistill.errors import UsageError
from facedistill.files import sole_writer

OWNER = """
import sys, time
from pathlib import Path
from facedistill.files import sole_writer
from facedistill.workers import in_processes

def start():
    pass

def work(folder):
    with sole_writer(Path(folder)):
        Path(folder).mkdir()
        time.sleep(600)

if __name__ == "__main__":
    list(in_processes(work, sys.argv[1:], start, 2))
"""


def test_a_killed_owner_leaves_no_worker_behind(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    folders = [tmp_path / name for name in ("one", "two")]
    with subprocess.Popen([sys.executable, str(script), *map(str, folders)]) as owner:
        while not all(folder.exists() for folder in folders):
            time.sleep(0.1)
        owner.kill()
    deadline = time.monotonic() + 20
    busy = folders
    while busy and time.monotonic() < deadline:
        busy = [folder for folder in busy if is_busy(folder)]
        time.sleep(0.1)
    assert busy == []


def is_busy(folder):
    try:
        with sole_writer(folder):
            return False
    except UsageError:
        return True


LAUNCHER = """
import os, subprocess, sys
from facedistill.workers import lifeline

child = "from facedistill.workers import follow_lifeline; follow_lifeline(); import time; print('up'); time.sleep(600)"
with lifeline() as (variables, held):
    command = [sys.executable, "-uc", child]
    started = subprocess.Popen(command, env={**os.environ, **variables}, pass_fds=[held], start_new_session=True)
    print(started.pid, flush=True)
    started.wait()
"""


def test_a_process_of_a_session_of_its_own_ends_with_its_launcher():
    with subprocess.Popen([sys.executable, "-c", LAUNCHER], stdout=subprocess.PIPE, text=True) as launcher:
        number = int(launcher.stdout.readline())
        assert launcher.stdout.readline() == "up\n"
        launcher.kill()
        deadline = time.monotonic() + 20
        while alive(number) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert not alive(number)


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
