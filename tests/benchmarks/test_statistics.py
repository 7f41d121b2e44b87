"""Means over seeds, and what a run took: against the definitions."""

import json
import time

import numpy as np
import pytest
from scipy import stats
from tests.benchmarks.made_up import ROWS, sweep

from reporting import LOW, difference, estimate, figure, percent, summary
from running import timed


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0], [0.1, 0.3], [3.0, -1.0, 0.0, 2.0, 8.0]])
def test_the_interval_is_that_of_students_t(values):
    result = estimate(values)
    assert result.mean == pytest.approx(np.mean(values))
    assert result.std == pytest.approx(np.std(values, ddof=1))
    assert result.ci == pytest.approx(stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values)))


def test_one_seed_has_no_spread():
    result = estimate([0.25])
    assert (result.mean, result.std, result.ci) == (0.25, None, None)


def test_the_low_figure_is_the_mean_of_the_degraded_ones():
    cells = {at: {"eer": place / 10} for place, at in enumerate(ROWS)}
    assert figure(cells, LOW, "eer") == pytest.approx(0.3)  # native, the first, does not count
    assert figure(cells, "16", "eer") == pytest.approx(0.3)


def test_differences_are_taken_seed_by_seed_where_both_have_one():
    ours = {seed: {"cells": {"orl": sweep(eer)}} for seed, eer in ((0, 0.2), (1, 0.4), (2, 0.9))}
    theirs = {seed: {"cells": {"orl": sweep(eer)}} for seed, eer in ((0, 0.1), (1, 0.2), (7, 0.0))}
    gap = difference(ours, theirs, "orl", "16", "eer")
    assert gap["values"] == pytest.approx((0.1, 0.2))
    assert difference(ours, {7: theirs[7]}, "orl", "16", "eer") is None


def test_a_row_is_summed_up_over_its_seeds_in_their_order():
    book = {"training": {"cpu": 4.0, "wall": 1.0, "whole": True}}
    killed = {"training": {"cpu": 2.0, "wall": 3.0, "whole": False}}
    runs = {
        1: {"cells": {"orl": sweep(0.4)}, "parameters": 7, "macs": 9, "seconds": killed},
        0: {"cells": {"orl": sweep(0.2)}, "parameters": 7, "macs": 9, "seconds": book},
    }
    row = summary(runs)
    assert row["seeds"] == [0, 1]
    assert row["sets"]["orl"]["eer"]["8"]["values"] == (0.2, 0.4)
    assert row["sets"]["orl"]["accuracy"][LOW]["mean"] == pytest.approx(0.7)
    assert row["seconds"]["training"] == {"cpu": 3.0, "wall": 2.0, "whole": False}


@pytest.mark.parametrize(
    ("values", "options", "text"),
    [
        pytest.param([0.0321], {}, "3.21", id="one seed"),
        pytest.param([0.01, 0.03], {}, "2.00 ± 1.41", id="two"),
        pytest.param([0.01, 0.03], {"interval": True}, "2.00 ± 1.41 [-10.71, 14.71]", id="with its interval"),
        pytest.param([0.005], {"signed": True}, "+0.50", id="a difference"),
    ],
)
def test_figures_for_people(values, options, text):
    assert percent(vars(estimate(values)), **options) == text
    assert percent(None) == "-"


def test_what_a_phase_took_adds_up_over_sessions(tmp_path):
    def work(seconds):
        with timed(tmp_path, "training"):
            started = time.process_time()
            while time.process_time() - started < seconds:
                sum(range(1000))

    work(0.05)
    with pytest.raises(KeyboardInterrupt), timed(tmp_path, "training"):
        raise KeyboardInterrupt
    work(0.05)
    book = json.loads((tmp_path / "seconds.json").read_text())
    assert 0.09 < book["training"]["cpu"] < 1
    assert book["training"]["whole"]


def test_a_killed_session_is_marked(tmp_path):
    with timed(tmp_path, "training"):
        left_behind = (tmp_path / "seconds.json").read_text()
    (tmp_path / "seconds.json").write_text(left_behind)  # as it stands when the process is killed
    with timed(tmp_path, "training"):
        pass
    assert not json.loads((tmp_path / "seconds.json").read_text())["training"]["whole"]
