"""The report's figures, tables and plots, from scores drawn at random."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.report.conftest import SCORED, draw_scores, make_report, measure

from facedistill.errors import UsageError
from facedistill.report import markdown_table, summary_table
from facedistill.report.plots import det_plot, pareto_front, resolution_plot, series_of


def test_the_json_holds_every_figure_and_no_picture(report):
    written = json.loads(json.dumps(report.to_json()))
    assert written["test"]["pictures"] == 100
    student = written["models"][1]
    assert student["measured"]["sweep"]["16"]["accuracy"] == pytest.approx(0.88)
    assert "pictures" not in student["scores"]["16"]["hardest_genuine"][0]
    assert len(student["scores"]["16"]["trade"]["fmr"]) == len(student["scores"]["16"]["trade"]["tmr"])


def test_roc_is_that_of_a_loop_over_all_thresholds(models, pictures):
    for at in SCORED:
        trial, values = pictures.trial, draw_scores(pictures, at, 1)
        trade = models["student"].scores[at].trade
        rates = [
            (np.mean(values[~trial.same] >= threshold), np.mean(values[trial.same] >= threshold))
            for threshold in [*np.unique(values), np.inf]
        ]
        for fmr, tmr, low, high in zip(trade.fmr, trade.tmr, trade.low, trade.high, strict=True):
            assert tmr == pytest.approx(max(tar for far, tar in rates if far <= fmr * (1 + 1e-9)))
            assert 0 <= low <= high <= 1
        assert trade.fmr[0] >= 1 / np.count_nonzero(~trial.same)
        assert trade.fmr[-1] == trade.tmr[-1] == 1


def test_histograms_count_every_pair_once(models, pictures):
    trial, values = pictures.trial, draw_scores(pictures, "16", 1)
    histogram = models["student"].scores["16"].histogram
    assert sum(histogram.genuine) == pytest.approx(1)
    assert sum(histogram.impostor) == pytest.approx(1)
    place = np.searchsorted(histogram.edges, 0.5)
    assert sum(histogram.genuine[:place]) == pytest.approx(np.mean(values[trial.same] < 0.5))


def test_the_hardest_pairs_are_the_extremes_each_people_once(models, pictures):
    trial, values = pictures.trial, draw_scores(pictures, "16", 1)
    scores, people = models["student"].scores["16"], {face.key: face.label for face in pictures.probes.faces}
    assert scores.hardest_genuine[0].score == values[trial.same].min()
    assert scores.hardest_impostors[0].score == values[~trial.same].max()
    for pairs, same in ((scores.hardest_genuine, True), (scores.hardest_impostors, False)):
        met = [frozenset((people[pair.first], people[pair.second])) for pair in pairs]
        assert len(set(met)) == len(met) == 6
        assert all((len(who) == 1) == same for who in met)
        assert all(picture.startswith(b"\xff\xd8") for pair in pairs for picture in pair.pictures)
    assert [pair.score for pair in scores.hardest_genuine] == sorted(pair.score for pair in scores.hardest_genuine)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_pareto_front_is_what_no_other_point_beats(points):
    beaten = {
        (cost, gain)
        for cost, gain in points
        if any((c <= cost and g >= gain) and (c, g) != (cost, gain) for c, g in points)
    }
    assert pareto_front(points) == sorted(set(points) - beaten)


def test_plots_take_their_colours_from_the_page(models):
    drawn = list(models.values())
    for svg in (resolution_plot(drawn, "accuracy"), det_plot(drawn, "16", "det"), det_plot(drawn, "16", "roc")):
        ElementTree.fromstring(svg)
        assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) <= {"#000000", "#ffffff"}
        assert all(f"var(--{name})" in svg for name in ("ink", "line", "c0", "c1", "c2"))


def test_models_keep_their_colours_and_many_go_round(models):
    assert series_of([models["teacher"], *[models["student"]] * 8]) == [0, 1, 2, 3, 4, 5, 6, 7, 1]


def test_markdown(report):
    lines = markdown_table(report).splitlines()
    assert lines[0] == "|  | teacher | student | student without a teacher |"
    assert len({line.count("|") for line in lines}) == 1
    assert "| multiply-adds, million | 133 | 133 | 133 |" in lines
    assert "| accuracy, %, 16 px, matched | 87.0 (85.0-89.0) | 85.0 (83.0-87.0) | 78.0 (76.0-80.0) |" in lines
    assert "| accuracy, %, 16 px, gallery native | 90.0 (88.0-92.0) | 88.0 (86.0-90.0) | 81.0 (79.0-83.0) |" in lines


def test_a_mean_over_seeds_has_its_spread(models):
    measured = measure(0.9)
    measured["sweep"]["16"]["std"] = {"accuracy": 0.012, "eer": 0.0}
    lines = markdown_table(make_report([replace(models["student"], measured=measured)])).splitlines()
    assert "| accuracy, %, 16 px, gallery native | 81.0 \u00b1 1.2 (79.0-83.0) |" in lines


def shown(table):
    console = Console(width=80, file=StringIO(), color_system=None)
    console.print(table)
    return console.file.getvalue()


def summary_of(*roles):
    test = {"set": "orl", "identities": 10, "pictures": 100, "note": ""}
    return {"name": "quickstart", "test": test, "models": {role: measure(0.97) for role in roles}, "settings": {}}


def test_terminal_tables_fit_80_columns():
    summary = summary_of("teacher", "student", "control")
    text = shown(summary_table(summary))
    assert "88.0 (86.0-90.0)" in text
    assert "\u2026" not in text


@pytest.mark.parametrize("names", [[], ["teacher"], ["student", "rival"]])
def test_models_of_other_names_are_refused(names):
    with pytest.raises(UsageError, match="teacher, student and control"):
        summary_table(summary_of(*names))


def test_the_report_loads_neither_torch_nor_matplotlib():
    code = (
        "import sys, facedistill.evaluation, facedistill.report.gather;"
        "print([name for name in ('torch', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
