"""The report page, from scores drawn at random."""

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.report.conftest import draw_scores, make_report, measure

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.uncertainty import compare
from facedistill.report import markdown_table, templating, write_report
from facedistill.report.figures import Card, Paired


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
        "The 3.1 MB student is right in 85.0 % of the cases on faces 16 pixels high",
        "Its teacher is right in 87.0 %",
        "trained without a teacher, is right in 78.0 %",
        "distillation gains 7.0 points",
        "10 people",
        "recipes/quickstart.yaml",
        "numpy 2.4",
        "1.2 %",
        "brought to the same resolution (matched)",
        "Show them to nobody.",
        "dark",
        "expected calibration error",
        "on 16 pictures of 4 people",
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
    trial = pictures.trial
    ours = draw_scores(pictures, "16", 5)
    theirs = ours - gap * trial.same
    test = compare(ours, theirs, trial.same, pictures.sides, "accuracy", draws=100)
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
    assert "The student is right in 78.0" in text
    assert "None" not in text
    for absent in ("distillation gains", "hardest", "What accuracy costs", "False matches against", "Similarities"):
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
    assert "b, the best of 2 students, is right in 83.0 %" in text
    assert "a 78.0 %" in text


@pytest.mark.parametrize(
    "evil",
    [
        pytest.param("<script>alert(1)</script>", id="markup"),
        pytest.param('" onload="alert(1)', id="out of an attribute"),
        pytest.param("{{ report.models }}{% raw %}", id="a template"),
    ],
)
def test_names_cannot_break_the_page(models, tmp_path, evil):
    scores = {
        key: replace(
            one,
            hardest_genuine=[replace(pair, first=evil, second=evil) for pair in one.hardest_genuine],
            hardest_impostors=[replace(pair, first=evil, second=evil) for pair in one.hardest_impostors],
        )
        for key, one in models["student"].scores.items()
    }
    groups = {
        key: {**one, "attributes": {name + evil: part for name, part in one["attributes"].items()}}
        for key, one in models["student"].groups.items()
    }
    assert scores
    assert groups
    card = Card({evil: evil, "calibrated": evil}, [evil], {})
    report = make_report(
        [replace(models["student"], title=evil, scores=scores, groups=groups, card=card)],
        title=evil,
        notes=[evil],
        picture_rights=evil,
        settings=[{"recipe": evil}],
    )
    source = written(report, tmp_path)
    assert "<script" not in source
    assert 'onload="' not in source
    assert " ".join(evil.split()) in Page(source).text, "it is shown as it is"


def test_the_same_report_makes_the_same_page(report, tmp_path):
    write_report(tmp_path / "a.html", report)
    write_report(tmp_path / "b.html", report)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_page_that_cannot_be_written_is_one_clear_line(report, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FacedistillError, match="cannot write"):
        write_report(tmp_path / "file" / "report.html", report)


def test_without_matplotlib_the_extra_is_named(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'facedistill\[train\]'"):
        write_report(tmp_path / "report.html", report)
    assert not list(tmp_path.iterdir())


def test_without_jinja2_the_extra_is_named(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    templating._environment.cache_clear()
    with pytest.raises(UsageError, match=r"needs jinja2: pip install 'facedistill\[train\]'"):
        write_report(tmp_path / "report.html", report)
    assert not list(tmp_path.iterdir())
