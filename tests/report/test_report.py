"""The report's figures, tables, pictures and page, from scores drawn at random."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.conftest import draw_toy_people

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.uncertainty import compare
from facedistill.model_file import Logistic
from facedistill.report import Model, Report, markdown_table, summary_table, write_report
from facedistill.report.figures import TITLES, Card, Paired, Training
from facedistill.report.plots import det_plot, pareto_front, resolution_plot, series_of
from facedistill.report.scores import compare_groups, face_set_pictures, summarise

RESOLUTIONS = ("native", "30", "20", "16", "12", "8")
SCORED = ("native", "16")


def cell(accuracy, interval=0.02):
    bounds = {"accuracy": [accuracy - interval, accuracy + interval], "eer": [0.01, 0.05]} if interval else {}
    return {
        "accuracy": accuracy,
        "accuracy_std": 0.01,
        "eer": 1 - accuracy,
        "auc": 0.9,
        "tar_at_far": {"0.1": 0.9},
        "rank1": None,
        "fte": 0.0125,
        "ci": bounds,
    }


def measure(best, **changes):
    """A model as a run's summary has it."""
    sweep = {name: cell(best - 0.03 * step) for step, name in enumerate(RESOLUTIONS)}
    sweep["both"] = {name: cell(best - 0.04 * step) for step, name in enumerate(RESOLUTIONS)}
    costs = {"size_mb": 3.14, "parameters": 812_345, "macs": 133_000_000, "latency_ms": 2.44}
    return {"name": "net", "sweep": sweep} | costs | changes


@pytest.fixture(scope="module")
def pictures():
    """Twelve people, three pictures each; every other picture is dark."""
    faces = draw_toy_people(12, 3)
    return face_set_pictures(faces, {"light": [("dark", "bright")[index % 2] for index in range(len(faces))]})


def draw_scores(pictures, resolution, seed):
    trial = pictures.trial(resolution)
    random = np.random.default_rng(seed)
    return np.clip(random.normal(0.5 * trial.same, 0.25), -1, 1)


@pytest.fixture(scope="module")
def models(pictures):
    """Teacher, student and control with scores."""
    made = {}
    for seed, (role, best) in enumerate((("teacher", 0.99), ("student", 0.97), ("control", 0.9))):
        scores = {at: draw_scores(pictures, at, seed) for at in SCORED}
        probability = {} if role == "teacher" else dict.fromkeys(SCORED, Logistic(8.0, -2.0))
        groups = {at: compare_groups(values, pictures, at) for at, values in scores.items()}
        card = Card({"trained on": f"{role} <b>pictures</b>", "file SHA-256": "a" * 64}, ["Anything"], {})
        told = summarise(scores, pictures, probability)
        made[role] = Model(TITLES[role], role, [0], measure(best), told, groups, card)
    return made


def make_report(models, **changes):
    said = {
        "title": "quickstart",
        "test": {"set": "orl", "identities": 10, "pictures": 100, "note": "none of them trained on"},
        "models": list(models),
        "comparisons": [],
        "training": [Training("student", {"hard": [[1, 2.0], [2, 1.0]]}, {"eer_16": [[2, 0.2]]})],
        "settings": [
            {
                "seed": 7,
                "recipe": "recipes/quickstart.yaml",
                "versions": {"numpy": "2.4"},
                "train_identities": 25,
                "seconds": {"student": 140.2},
            }
        ],
        "notes": [],
        "picture_rights": "Show them to nobody.",
    }
    return Report(**said | changes)


@pytest.fixture
def report(models):
    return make_report(models.values())


class Page(HTMLParser):
    """Collects the text, checks that every tag is closed, and notes what would be fetched from elsewhere."""

    VOID = ("meta", "input", "path", "use", "br", "img")

    def __init__(self, source):
        super().__init__()
        self.open, self.words, self.ids, self.links = [], [], [], []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.note(attributes)

    def handle_startendtag(self, _, attributes):
        self.note(attributes)

    def note(self, attributes):
        self.ids += [value for name, value in attributes if name == "id"]
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def written(report, folder):
    write_report(folder / "report.html", report)
    return (folder / "report.html").read_text()


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(report, tmp_path):
    source = written(report, tmp_path)
    page = Page(source)
    links = [link for link in page.links if not link.startswith("data:image/jpeg;base64,")]
    assert all(link.startswith("#") for link in links)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in links} <= set(page.ids)
    assert not re.search(r"url\((?!#)|@import|<script", source)
    assert set(re.findall(r"url\(#([^)]+)\)", source)) <= set(page.ids)


def test_the_page_says_what_was_found_and_how(report, tmp_path):
    text = Page(written(report, tmp_path)).text
    for words in (
        "The 3.1 MB student is right in 88.0 % of the cases on faces 16 pixels high",
        "Its teacher is right in 90.0 %",
        "trained without a teacher, is right in 81.0 %",
        "gains 7.0 points",
        "10 people",
        "recipes/quickstart.yaml",
        "numpy 2.4",
        "1.2 %",
        "Show them to nobody.",
        "dark",
        "expected calibration error",
        "student <b>pictures</b>",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("gap", "verdict"),
    [
        pytest.param(0.5, "more than the choice of people explains", id="far apart"),
        pytest.param(0.0, "which the choice of people may explain as well", id="the same scores"),
    ],
)
def test_the_verdict_is_the_paired_tests(models, pictures, tmp_path, gap, verdict):
    trial = pictures.trial("16")
    ours = draw_scores(pictures, "16", 5)
    theirs = ours - gap * trial.same
    test = compare(ours, theirs, trial.same, pictures.sides(trial), "accuracy", draws=100)
    paired = Paired("16", "student", "student without a teacher", test.sentence("student", "control"), test)
    page = Page(written(make_report(models.values(), comparisons=[paired]), tmp_path))
    assert verdict in page.text
    assert paired.sentence.replace("\u00a0", " ") in page.text.replace("\u00a0", " ")


def test_what_is_not_known_is_left_out(models, tmp_path):
    measured = measure(0.9, size_mb=None, parameters=None, macs=None, latency_ms=None)
    for entry in measured["sweep"].values():
        entry |= {"ci": {}} if "ci" in entry else {}
    alone = replace(models["student"], measured=measured, scores={}, groups={}, card=Card({}, [], {}))
    test = {"set": "orl", "identities": None, "pictures": None, "note": ""}
    report = make_report([alone], test=test, training=[])
    text = Page(written(report, tmp_path)).text
    assert "The student is right in 81.0" in text
    assert "None" not in text
    for absent in ("teacher's lesson", "hardest", "What accuracy costs", "False matches against", "Similarities"):
        assert absent not in text
    assert "n/a" in markdown_table(report)


def test_a_sweep_without_16_is_headed_by_its_smallest(models, tmp_path):
    measured = measure(0.9)
    for name in ("16", "12", "8"):
        del measured["sweep"][name], measured["sweep"]["both"][name]
    few = replace(models["student"], measured=measured, scores={}, groups={})
    assert "faces 20 pixels high" in Page(written(make_report([few]), tmp_path)).text


def test_several_students_are_headed_by_the_best(models, tmp_path):
    others = [
        replace(models["student"], title=name, measured=measure(best)) for name, best in (("a", 0.9), ("b", 0.95))
    ]
    text = Page(written(make_report(others), tmp_path)).text
    assert "b, the best of 2 students, is right in 86.0 %" in text
    assert "a 81.0 %" in text


def test_names_cannot_break_the_page(models, tmp_path):
    evil = "<script>alert(1)</script>"
    report = make_report(
        [replace(models["student"], title=evil)],
        title=evil,
        notes=[evil],
        picture_rights=evil,
        settings=[{"recipe": evil}],
    )
    assert "<script" not in written(report, tmp_path)


def test_the_same_report_makes_the_same_page(report, tmp_path):
    write_report(tmp_path / "a.html", report)
    write_report(tmp_path / "b.html", report)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_the_json_holds_every_figure_and_no_picture(report):
    told = json.loads(json.dumps(report.to_json()))
    assert told["test"]["pictures"] == 100
    student = told["models"][1]
    assert student["measured"]["sweep"]["16"]["accuracy"] == pytest.approx(0.88)
    assert "pictures" not in student["scores"]["16"]["hardest_genuine"][0]
    assert len(student["scores"]["16"]["trade"]["fmr"]) == len(student["scores"]["16"]["trade"]["tmr"])


def test_roc_is_that_of_a_loop_over_all_thresholds(models, pictures):
    for at in SCORED:
        trial, values = pictures.trial(at), draw_scores(pictures, at, 1)
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
    trial, values = pictures.trial("16"), draw_scores(pictures, "16", 1)
    histogram = models["student"].scores["16"].histogram
    assert sum(histogram.genuine) == pytest.approx(1)
    assert sum(histogram.impostor) == pytest.approx(1)
    place = np.searchsorted(histogram.edges, 0.5)
    assert sum(histogram.genuine[:place]) == pytest.approx(np.mean(values[trial.same] < 0.5))


def test_the_hardest_pairs_are_the_extremes_each_people_once(models, pictures):
    trial, values = pictures.trial("16"), draw_scores(pictures, "16", 1)
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
    assert "| accuracy, %, 16 px | 90.0 (88.0-92.0) | 88.0 (86.0-90.0) | 81.0 (79.0-83.0) |" in lines


def test_a_mean_over_seeds_is_told_with_its_spread(models):
    measured = measure(0.9)
    measured["sweep"]["16"]["std"] = {"accuracy": 0.012, "eer": 0.0}
    lines = markdown_table(make_report([replace(models["student"], measured=measured)])).splitlines()
    assert "| accuracy, %, 16 px | 81.0 \u00b1 1.2 (79.0-83.0) |" in lines


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


def test_a_page_that_cannot_be_written_is_one_clear_line(report, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FacedistillError, match="cannot write"):
        write_report(tmp_path / "file" / "report.html", report)


def test_without_matplotlib_the_extra_is_named(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'facedistill\[train\]'"):
        write_report(tmp_path / "report.html", report)
    assert not list(tmp_path.iterdir())


def test_the_report_loads_neither_torch_nor_matplotlib():
    code = (
        "import sys, facedistill.evaluation, facedistill.report.gather;"
        "print([name for name in ('torch', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
