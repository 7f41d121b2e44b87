"""Two processes at one folder: the second is refused, or waits, and nothing is mixed."""

import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from facedistill.cli import main
from facedistill.errors import UsageError
from facedistill.files import sole_writer

RECIPES = Path(__file__).parents[1] / "recipes"
HOLD = (
    "import sys; from pathlib import Path; from facedistill.files import sole_writer\n"
    "with sole_writer(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def busy(tmp_path):
    """A folder that another process is at work in, and that process."""
    folder = tmp_path / "busy"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield folder, holder
        holder.kill()


def test_the_second_process_is_refused_until_the_first_ends(busy):
    folder, holder = busy
    with pytest.raises(UsageError, match="in use by another process"), sole_writer(folder):
        pass
    holder.kill()  # however it ends, the folder is free
    holder.wait()
    with sole_writer(folder):
        pass


def test_a_folder_is_free_again_after_a_failure(tmp_path):
    with pytest.raises(ValueError, match="mine"), sole_writer(tmp_path):
        raise ValueError("mine")
    with sole_writer(tmp_path):
        pass


def test_one_folder_under_two_names_is_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "set")
    with (
        sole_writer(tmp_path / "set"),
        pytest.raises(UsageError, match="link is in use"),
        sole_writer(tmp_path / "link"),
    ):
        pass


def test_who_waits_goes_on_when_the_folder_is_free(tmp_path, capsys):
    entered = Event()

    def wait_and_enter():
        with sole_writer(tmp_path, wait=True):
            entered.set()

    waiting = Thread(target=wait_and_enter)
    with sole_writer(tmp_path):
        waiting.start()
        assert not entered.wait(0.3)
    waiting.join(10)
    assert entered.is_set()
    assert "waiting for it" in capsys.readouterr().err


def test_commands_leave_a_busy_folder_alone(busy, tmp_path, capsys):
    folder, _holder = busy
    (tmp_path / "photos" / "anna").mkdir(parents=True)
    (tmp_path / "photos" / "anna" / "1.jpg").write_bytes(b"not looked at")
    digits = str(RECIPES / "classifier.yaml")
    for words in (
        ["prepare", str(tmp_path / "photos"), str(folder)],
        ["distill", digits, "--out", str(folder)],
        ["search", digits, "--out", str(folder), "--until", "digits@native.accuracy >= 0.9"],
        ["train", str(RECIPES / "orl.yaml"), "--out", str(folder)],
    ):
        assert main(words) == 2, words
        assert f"{folder} is in use by another process" in capsys.readouterr().err, words
    assert not folder.exists()
