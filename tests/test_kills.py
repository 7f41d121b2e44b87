"""Commands that are ended from outside leave no process and no lock behind, and the same call goes on to its end."""

import shutil

import pytest

from tests.kills import WAYS, commands, end_often


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return commands(tmp_path_factory.mktemp("inputs"))


def ended(command, folder, moments, ways):
    tally = end_often(command, folder / "runs", moments, ways)
    shutil.rmtree(folder / "runs")
    assert tally.wrong == []
    assert (tally.left, tally.kills) == (0, moments)


def test_a_set_goes_on_after_its_terminal_was_closed(known, tmp_path):
    ended(known["prepare"], tmp_path, 1, ("closed terminal",))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "synth", "prepare", "search", "eval"])
def test_whatever_ends_a_command(known, tmp_path, name):
    ended(known[name], tmp_path, 20, WAYS)


@pytest.mark.slow
def test_processes_of_a_distributed_run_end_with_their_launcher(known, tmp_path):
    command = known["train"]
    several = type(command)(lambda out: [*command.words(out), "--devices", "2"], command.result)
    ended(several, tmp_path, 4, WAYS)
