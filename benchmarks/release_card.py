"""A shipped model's card for people: Markdown, all of it from the card's figures."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from facedistill.evaluation.results import NOT_KNOWN, percent, percent_with_interval
from facedistill.evaluation.sweep import resolutions_of

_SHOWN = ("native", "16", "8")
_GROUPED = ("age", "gender", "ancestry", "skin_tone", "glasses", "occlusion")


def card_page(figures: Mapping[str, Any]) -> str:
    """The page.

    Args:
        figures: What `release.release` writes to NAME.json.
    """
    return "\n".join([*_head(figures), *_tests(figures), *_reliability(figures), *_groups(figures), *_tail(figures)])


def _head(figures: Mapping[str, Any]) -> Iterator[str]:
    file, int8 = figures["file"], figures["int8"]
    yield f"# {figures['name']}"
    yield ""
    yield (
        f"A face recogniser of {file['bytes'] / 1e6:.2f} MB: {file['parameters']:,} parameters, stored as int8, "
        f"{file['macs'] / 1e6:.0f} million multiply-accumulates and {file['latency_ms']:.1f} ms a face on one core "
        f"of the machine that made this card. Released on {figures['released']}. The cosine of its embeddings with "
        f"those of the float32 net is {int8['least_cosine']:.4f} or more ({int8['faces']} faces); all figures are "
        "the file's own."
    )
    yield ""
    yield from _table(("", ""), [(name, str(value)) for name, value in figures["facts"].items() if value])


def _tests(figures: Mapping[str, Any]) -> Iterator[str]:
    for title, test in figures["tests"].items():
        who = f": {test['people']} people, {test['pictures']} pictures" if "people" in test else ""
        yield f"## {title}{who}"
        yield ""
        yield (
            "Equal error rate in per cent and its 95 % interval over resampled people. The probe is degraded to so "
            "many rows" + (" and shown as a camera sees it" if title.endswith("camera") else "") + "; matched: the "
            "other picture is degraded to the same rows; gallery native: it stays as it is."
        )
        yield ""
        models = test["models"]
        rows = resolutions_of(next(iter(models.values()))["both"])
        lines = [
            (name, side, *(_rate((cells["both"] if side == "matched" else cells)[at]) for at in rows))
            for name, cells in models.items()
            for side in ("matched", "gallery native")
        ]
        yield from _table(("", "", *rows), lines)
    if not any("control" in test["models"] for test in figures["tests"].values()):
        yield "No control (the same net trained without a teacher) was trained for this release."
        yield ""


def _rate(cell: Mapping[str, Any]) -> str:
    return percent_with_interval(cell["eer"], cell.get("ci", {}).get("eer"), 1)


def _reliability(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "## Probabilities and thresholds on real faces"
    yield ""
    yield (
        "ECE: expected calibration error of the probability. FMR: the share of pairs of different people at or above "
        "the threshold that promises 1 %."
    )
    yield ""
    lines = [
        (condition, *(NOT_KNOWN if cell[key] is None else percent(cell[key], 1) for key in ("ece", "fmr")))
        for condition, cell in figures["reliability"].items()
    ]
    yield from _table(("condition", "ECE, %", "FMR, %"), lines)


def _groups(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "## Groups of people who were kept out"
    yield ""
    if not figures["groups"]:
        yield "Nothing is known of them to sort them by."
        yield ""
        return
    groups = figures["groups"]
    yield (
        f"At native size, at one threshold for all ({groups['threshold']:.3f}, false match rate {groups['fmr']:g} "
        "over all pairs), in per cent with 95 % intervals. These people are rendered: the figures are not those of "
        "real groups, and show only where to look first."
    )
    yield ""
    lines = [
        (
            name,
            group,
            str(cell["people"]),
            *(_group_rate(cell, rate) for rate in ("fmr", "fnmr", "eer")),
            cell["warning"],
        )
        for name in _GROUPED
        if name in groups["attributes"]
        for group, cell in groups["attributes"][name]["groups"].items()
    ]
    yield from _table(("", "group", "people", "FMR", "FNMR", "EER", ""), lines)


def _group_rate(cell: Mapping[str, Any], rate: str) -> str:
    return percent_with_interval(cell[rate], cell["ci"].get(rate), 1)


def _tail(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "## Every look at real faces by a candidate"
    yield ""
    yield "Nothing was chosen by them. Equal error rate, matched, in per cent; in brackets, with the gallery native."
    yield ""
    lines = []
    for each in figures["looks"]:
        cells = each["figures"]["standard"]
        rates = (f"{percent(cells['both'][at]['eer'], 1)} ({percent(cells[at]['eer'], 1)})" for at in _SHOWN)
        lines.append((each["date"], each["on"], f"`{each['weights'][:12]}`", *rates))
    yield from _table(("date", "on", "weights", *_SHOWN), lines)
    yield "## Not for"
    yield ""
    yield from (f"- {each}" for each in figures["not_for"])
    yield ""
    yield "## Go on training it"
    yield ""
    name = figures["name"]
    yield f"`student.start: {name}` starts a recipe from its weights. Its own run goes on from the light pack:"
    yield ""
    yield "```"
    yield f"cat recipes/shipped/{name}.pack.* > {name}.pack"
    yield f"facedistill unpack {name}.pack runs/{name}"
    yield f"facedistill distill --resume runs/{name} --steps MORE"
    yield "```"
    yield ""


def _table(heads: Sequence[str], lines: Sequence[Sequence[str | None]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for line in lines:
        yield f"| {' | '.join((cell or '').replace('|', '/') for cell in line)} |"
    yield ""
