"""The standard: what can be written, what it means, and how an error is reported."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facedistill.errors import UsageError
from facedistill.search.standard import COSTS, check_people, parse_standard

CELL = {"eer": 0.1, "auc": 0.9, "accuracy": 0.8, "rank1": 0.7, "tar_at_far": {"0.1": 0.6, "0.001": 0.5}}


def test_a_standard_is_read_part_by_part():
    standard = parse_standard(" synth@16.eer<=0.05,size_mb <= 1 ,latency_ms<= 2.5,people of mine@native.tar@1e-3>=.9")
    parsed = [(b.target, b.operator, b.value, b.people, b.resolution, b.metric) for b in standard.bounds]
    assert parsed == [
        ("synth@16.eer", "<=", 0.05, "synth", "16", "eer"),
        ("size_mb", "<=", 1, "", "", "size_mb"),
        ("latency_ms", "<=", 2.5, "", "", "latency_ms"),
        ("people of mine@native.tar@1e-3", ">=", 0.9, "people of mine", "native", "tar@0.001"),
    ]
    assert [bound.target for bound in standard.costs] == ["size_mb", "latency_ms"]


@pytest.mark.parametrize(
    ("text", "quoted", "reason"),
    [
        pytest.param("", "", "is empty", id="nothing"),
        pytest.param(" , ", "", "is empty", id="commas alone"),
        pytest.param("synth@16.eer <= 0.05,", "''", "cannot be read", id="an empty part"),
        pytest.param("synth@16.eer", "'synth@16.eer'", "cannot be read", id="no bound"),
        pytest.param("synth@16.eer 0.05", "'synth@16.eer 0.05'", "cannot be read", id="no operator"),
        pytest.param("synth@16.eer < 0.05", "< 0.05", "only be bounded by <=", id="a strict bound, met by no equal"),
        pytest.param("synth@16.eer == 0.05", "== 0.05", "only be bounded by <=", id="equality"),
        pytest.param("synth@16.eer >= 0.05", ">= 0.05", "only be bounded by <=", id="errors are better few"),
        pytest.param("synth@16.auc <= 0.9", "<= 0.9", "only be bounded by >=", id="hits are better many"),
        pytest.param("size_mb >= 1", "size_mb >= 1", "only be bounded by <=", id="bytes are better few"),
        pytest.param("synth@16.eer <= 5", "<= 5", "write 0.05", id="per cent for a fraction"),
        pytest.param("synth@16.eer <= five", "'five'", "no number", id="a word for a number"),
        pytest.param("synth@16.eer <= -1", "'-1'", "no number of 0 or more", id="negative"),
        pytest.param("synth@16.eer <= nan", "'nan'", "no number", id="not a number"),
        pytest.param("synth@16.eer <= 1e999", "'1e999'", "no number", id="infinite"),
        pytest.param("synth.eer <= 0.05", "'synth.eer'", "neither SET@RESOLUTION.METRIC", id="no resolution"),
        pytest.param("@16.eer <= 0.05", "'@16.eer'", "neither SET@RESOLUTION.METRIC", id="no set"),
        pytest.param("synth@16 <= 0.05", "'synth@16'", "neither SET@RESOLUTION.METRIC", id="no metric"),
        pytest.param("weight <= 1", "'weight'", "size_mb, latency_ms, params, macs", id="an unknown cost"),
        pytest.param("synth@16px.eer <= 0.05", "'16px'", "'native' nor 4..112", id="a unit in the resolution"),
        pytest.param("synth@0.eer <= 0.05", "'0'", "'native' nor 4..112", id="no rows"),
        pytest.param("synth@500.eer <= 0.05", "'500'", "'native' nor 4..112", id="more rows than a crop has"),
        pytest.param("synth@16.err <= 0.05", "'err'", "eer, auc, accuracy, rank1, tar@0.1", id="an unknown metric"),
        pytest.param("synth@16.tar >= 0.5", "'tar'", "tar@0.1", id="TAR at no FAR"),
        pytest.param("synth@16.tar@2e-3 >= 0.5", "'tar@2e-3'", "tar@0.001", id="a FAR that no table has"),
        pytest.param("synth@16.eer@0.1 <= 0.5", "'eer@0.1'", "no metric", id="a FAR for another metric"),
        pytest.param("size_mb <= 1", "", "bounds no recognition figure", id="what no training can miss"),
        pytest.param("a@16.eer <= 0.1, a@16.eer <= 0.2", "a@16.eer", "twice", id="the same twice"),
        pytest.param("a@16.tar@1e-3 >= 0.1, a@16.tar@0.001 >= 0.2", "a@16.tar@0.001", "twice", id="twice, disguised"),
    ],
)
def test_a_slip_is_told_with_the_part_it_is_in(text, quoted, reason):
    with pytest.raises(UsageError) as refused:
        parse_standard(text)
    assert quoted in str(refused.value)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


PARTS = st.one_of(
    st.tuples(st.sampled_from(COSTS), st.just("<="), st.floats(0, 1e9)),
    st.tuples(st.sampled_from(["synth@16.eer", "synth@native.eer", "a b/c@8.eer"]), st.just("<="), st.floats(0, 1)),
    st.tuples(
        st.sampled_from(["synth@16.auc", "validation@30.rank1", "x@12.tar@0.01"]), st.just(">="), st.floats(0, 1)
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=5, unique_by=lambda part: part[0]), st.sampled_from(["", " ", "  "]))
def test_what_is_written_is_what_is_read(parts, space):
    text = ",".join(f"{space}{target}{space}{sign}{space}{value!r}{space}" for target, sign, value in parts)
    if all(target in COSTS for target, _, _ in parts):
        with pytest.raises(UsageError):
            parse_standard(text)
        return
    bounds = parse_standard(text).bounds
    assert [(bound.target, bound.operator, bound.value) for bound in bounds] == parts


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_any_other_text_is_refused_in_one_line(text):
    try:
        parse_standard(text)
    except UsageError as refused:
        refusal = str(refused)
    else:
        refusal = ""
    assert "\n" not in refusal


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
@example(eer=0.0, auc=0.0, allowed=0.0, wanted=5e-324)  # the least miss, of which a mean would be 0
def test_the_shortfall_is_0_exactly_where_all_figures_are_met(eer, auc, allowed, wanted):
    standard = parse_standard(f"s@16.eer <= {allowed!r}, s@8.auc >= {wanted!r}, size_mb <= 1")
    figures = {"s@16.eer": eer, "s@8.auc": auc}
    misses = [max(0, eer - allowed), max(0, wanted - auc)]
    assert standard.shortfall(figures) == pytest.approx(sum(misses) / 2)
    assert (standard.shortfall(figures) == 0) == (eer <= allowed and auc >= wanted)
    assert standard.met({**figures, "size_mb": 1.0}) == (eer <= allowed and auc >= wanted)
    assert not standard.met({**figures, "size_mb": 1.01})


@pytest.mark.parametrize(
    ("metric", "value"),
    [("eer", 0.1), ("auc", 0.9), ("accuracy", 0.8), ("rank1", 0.7), ("tar@1e-1", 0.6), ("tar@0.001", 0.5)],
)
def test_a_figure_is_found_in_a_cell(metric, value):
    sign = "<=" if metric == "eer" else ">="
    (bound,) = parse_standard(f"s@16.{metric} {sign} 0.5").bounds
    assert bound.figure({"16": CELL}) == value


def test_a_matched_figure_is_that_of_both_pictures_at_as_many_rows():
    cells = {"native": {"eer": 0.1}, "16": {"eer": 0.2}, "both": {"native": {"eer": 0.1}, "16": {"eer": 0.3}}}
    found = {}
    for bound in parse_standard("s@native.eer <= 1, s@16.eer <= 1, s@matched 16.eer <= 1").bounds:
        found[bound.resolution] = bound.figure(cells), bound.rows
    assert found == {"native": (0.1, None), "16": (0.2, 16), "matched 16": (0.3, 16)}
    assert str(parse_standard("s@matched 16.eer <= 0.05")) == "s@matched 16.eer <= 0.05"


@pytest.mark.parametrize("resolution", ["matched", "matched native", "matched 300", "matched16", "both 16"])
def test_what_is_no_resolution_is_refused(resolution):
    with pytest.raises(UsageError, match=r"is neither 'native' nor 4\.\.112 rows"):
        parse_standard(f"s@{resolution}.eer <= 0.1")


def test_a_far_that_too_few_people_cannot_show_is_refused():
    (bound,) = parse_standard("s@16.tar@1e-4 >= 0.5").bounds
    with pytest.raises(UsageError, match="too few"):
        bound.figure({"16": CELL})


def test_only_validation_people_judge():
    check_people(parse_standard("validation@16.eer <= 0.1, synth@16.auc >= 0.1"), ["synth"])
    with pytest.raises(UsageError, match=r"'orl'.*validation people alone: write validation@ or synth@"):
        check_people(parse_standard("orl@16.eer <= 0.1"), ["synth"])
