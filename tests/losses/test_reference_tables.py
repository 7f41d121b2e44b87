"""The reference names every loss and head with every option, and each number that it gives is the default."""

import inspect
import re
from pathlib import Path

import pytest

from facedistill.heads import HEADS
from facedistill.losses import LOSSES, build_loss

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")
ROWS = {
    "loss": re.split(r"^\| name \| formula", REFERENCE, flags=re.M)[1].split("\n\n")[0],
    "head": re.split(r"^\| name \| logit", REFERENCE, flags=re.M)[1].split("\n\n")[0],
}


def row(kind, name):
    (found,) = [line for line in ROWS[kind].splitlines() if line.startswith(f"| `{name}` |")]
    return [cell.strip() for cell in found.strip("|").split(" | ")]


def defaults(kind, name):
    parameters = list(inspect.signature(HEADS[name] if kind == "head" else LOSSES[name]).parameters.values())
    own = [option for option in parameters if option.kind is option.POSITIONAL_OR_KEYWORD]
    return {option.name: option.default for option in own[2 if kind == "head" else 0 :]}


@pytest.mark.parametrize(
    ("kind", "name"), [("loss", name) for name in sorted(LOSSES)] + [("head", name) for name in sorted(HEADS)]
)
def test_the_options_and_their_defaults_are_written(kind, name):
    written = dict(re.findall(r"`(\w+)` ([^,(]+)", row(kind, name)[-1].rstrip("| ")))
    expected = defaults(kind, name)
    assert written.keys() == expected.keys()
    for option, default in expected.items():
        value = written[option].strip()
        if isinstance(default, tuple):
            assert [float(number) for number in value.split()] == list(default)
        elif isinstance(default, bool) or default is None:
            assert value == {None: "all", False: "false", True: "true"}[default]
        elif isinstance(default, str):
            assert default in value.split(" / ")
        else:
            assert float(value) == default


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_what_a_loss_needs_is_written(name):
    loss = build_loss(name)
    letter = {"embedding": "E", "logits": "L", "features": "F"}[loss.needs[0]]
    assert letter + ("" if loss.equal_sizes else "'") in row("loss", name)[3]
