"""The page, the plots and the tables of an experiment's summary."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from io import StringIO
from xml.etree import ElementTree

import pytest
from rich.console import Console

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.plots import resolution_plot
from facedistill.evaluation.report import markdown_table, summary_table, sweep_table, write_report

RESOLUTIONS = ("native", "30", "20", "16", "12", "8")


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


def model(best, **changes):
    sweep = {name: cell(best - 0.03 * step) for step, name in enumerate(RESOLUTIONS)}
    sweep["both"] = {name: cell(best - 0.04 * step) for step, name in enumerate(RESOLUTIONS)}
    costs = {"size_mb": 3.14, "parameters": 812_345, "macs": 133_000_000, "latency_ms": 2.44}
    return {"name": "net", "sweep": sweep} | costs | changes


def make_summary(**models):
    return {
        "name": "quickstart",
        "test": {"set": "orl", "identities": 10, "pictures": 100, "note": "none of them trained on"},
        "models": models,
        "settings": {
            "seed": 7,
            "recipe": "recipes/quickstart.yaml",
            "versions": {"numpy": "2.4"},
            "train_identities": 25,
            "train_pictures": 250,
            "steps": 600,
            "seconds": {"student": 140.2},
        },
    }


@pytest.fixture
def summary():
    return make_summary(teacher=model(0.99, parameters=None, macs=None), student=model(0.97), control=model(0.9))


class Page(HTMLParser):
    """Collects the text, checks that every tag is closed, and notes what would be fetched from elsewhere."""

    VOID = ("meta", "input", "path", "use", "br")

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


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(summary, tmp_path):
    write_report(tmp_path / "report.html", summary)
    source = (tmp_path / "report.html").read_text()
    page = Page(source)
    assert all(link.startswith("#") for link in page.links)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert not re.search(r"url\((?!#)|@import|<script", source)
    assert set(re.findall(r"url\(#([^)]+)\)", source)) <= set(page.ids)


def test_the_page_says_what_was_found_and_how(summary, tmp_path):
    write_report(tmp_path / "report.html", summary)
    text = Page((tmp_path / "report.html").read_text()).text
    for words in (
        "The 3.1 MB student is right in 88.0 % of the cases on faces 16 pixels high",
        "Its teacher is right in 90.0 %",
        "trained without a teacher, is right in 81.0 %",
        "gains 7.0 points, more than the uncertainty",
        "student without a teacher",
        "10 people",
        "recipes/quickstart.yaml",
        "numpy 2.4",
        "1.2 %",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("control", "interval", "verdict"),
    [
        pytest.param(0.96, 0.02, "gains 1.0 points, which is within the uncertainty", id="overlap"),
        pytest.param(0.99, 0.001, "loses 2.0 points, more than the uncertainty", id="a loss is called a loss"),
        pytest.param(0.96, 0.0, "gains 1.0 points.", id="no intervals"),
    ],
)
def test_the_verdict_is_no_better_than_the_figures(control, interval, verdict, tmp_path):
    models = {"student": model(0.97), "control": model(control)}
    for entry, accuracy in zip(models.values(), (0.97, control), strict=True):
        entry["sweep"]["16"] = cell(accuracy, interval)
    write_report(tmp_path / "report.html", make_summary(**models))
    assert verdict in Page((tmp_path / "report.html").read_text()).text


def test_what_is_not_known_is_left_out(tmp_path):
    alone = make_summary(student=model(0.9, size_mb=None, parameters=None, macs=None, latency_ms=None))
    alone["test"] |= {"identities": None, "pictures": None, "note": ""}
    for entry in alone["models"]["student"]["sweep"].values():
        entry |= {"ci": {}} if "ci" in entry else {}
    write_report(tmp_path / "report.html", alone)
    text = Page((tmp_path / "report.html").read_text()).text
    assert "The student is right in 81.0" in text
    assert "None" not in text
    assert "teacher's lesson" not in text
    assert "n/a" in markdown_table(alone)


def test_a_sweep_without_16_is_headed_by_its_smallest(tmp_path):
    few = make_summary(student=model(0.9))
    for name in ("16", "12", "8"):
        del few["models"]["student"]["sweep"][name], few["models"]["student"]["sweep"]["both"][name]
    write_report(tmp_path / "report.html", few)
    assert "faces 20 pixels high" in Page((tmp_path / "report.html").read_text()).text


def test_names_cannot_break_the_page(summary, tmp_path):
    summary["name"] = summary["test"]["set"] = "<script>alert(1)</script>"
    write_report(tmp_path / "report.html", summary)
    assert "<script" not in (tmp_path / "report.html").read_text()


def test_the_same_summary_makes_the_same_page_also_after_a_round_trip_through_json(summary, tmp_path):
    write_report(tmp_path / "a.html", summary)
    write_report(tmp_path / "b.html", json.loads(json.dumps(summary)))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_the_plot_takes_its_colours_from_the_page(summary):
    svg = resolution_plot(summary, "accuracy", "a & b")
    ElementTree.fromstring(svg)
    colours = set(re.findall(r"#[0-9a-f]{6}\b", svg))
    assert colours <= {"#000000", "#ffffff"}
    assert all(f"var(--{name})" in svg for name in ("ink", "line", "teacher", "student", "control"))


def test_markdown(summary):
    lines = markdown_table(summary).splitlines()
    assert lines[0] == "|  | teacher | student | student without a teacher |"
    assert len({line.count("|") for line in lines}) == 1
    assert "| multiply-adds, million | n/a | 133 | 133 |" in lines
    assert "| accuracy, %, 16 px | 90.0 (88.0-92.0) | 88.0 (86.0-90.0) | 81.0 (79.0-83.0) |" in lines


def shown(table):
    console = Console(width=80, file=StringIO(), color_system=None)
    console.print(table)
    return console.file.getvalue()


def test_terminal_tables_fit_80_columns(summary):
    text = shown(summary_table(summary))
    assert "88.0 (86.0-90.0)" in text
    assert "…" not in text
    text = shown(sweep_table("net on orl", summary["models"]["student"]["sweep"]))
    assert "both degraded" in text
    assert "failed to enrol: 1.2 %" in text
    assert "n/a" in text
    assert "…" not in text


@pytest.mark.parametrize("names", [[], ["teacher"], ["student", "rival"]])
def test_models_of_other_names_are_refused(names, tmp_path):
    with pytest.raises(UsageError, match="teacher, student and control"):
        write_report(tmp_path / "report.html", make_summary(**{name: model(0.9) for name in names}))


def test_a_page_that_cannot_be_written_is_one_clear_line(summary, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FacedistillError, match="cannot write"):
        write_report(tmp_path / "file" / "report.html", summary)


def test_without_matplotlib_the_extra_is_named(summary, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'facedistill\[train\]'"):
        write_report(tmp_path / "report.html", summary)
    assert not list(tmp_path.iterdir())


def test_evaluation_loads_neither_torch_nor_matplotlib():
    code = (
        "import sys, facedistill.evaluation, facedistill.evaluation.report;"
        "print([name for name in ('torch', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
