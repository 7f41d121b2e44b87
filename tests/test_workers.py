"""Worker processes end with the process that started them."""

import subprocess
import sys
import time

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
