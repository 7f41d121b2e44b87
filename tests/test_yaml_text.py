"""YAML that stands for more than it holds is refused before it is expanded, wherever YAML is read."""

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from facedistill.cli import main
from facedistill.errors import UsageError
from facedistill.yaml_text import MOST_CHARACTERS, MOST_DEPTH, MOST_NODES, load_yaml, read_yaml

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
MERGED = "a0: &a0 {k: v}\n" + "".join(f"a{i}: &a{i} {{<<: [{f'*a{i - 1}, ' * 9}]}}\n" for i in range(1, 12))
REFUSED = [
    (LAUGHS, f"more than {MOST_NODES} values", "aliases of aliases: 9 to the power of 12 values"),
    (MERGED, f"more than {MOST_NODES} values", "merge keys of merge keys"),
    ("data: &a\n  synth: *a\n", "lies within what it names", "an alias within its own anchor"),
    ("&a [*a]", "lies within what it names", "a list that holds itself"),
    ("a: &a [*a]\nb: &a 3\n", "lies within what it names", "an anchor that is named again later"),
    ("[" * 100_000, f"deeper than {MOST_DEPTH}", "nesting that would end the interpreter"),
    ("- " * 5000 + "x", f"deeper than {MOST_DEPTH}", "nesting in block style"),
    ("? " * 5000, f"deeper than {MOST_DEPTH}", "nesting of keys"),
    (
        "a: &a " + "[" * 20 + "x" + "]" * 20 + "\nb: " + "[" * 20 + "*a" + "]" * 20,
        f"deeper than {MOST_DEPTH}",
        "a deep branch named at a deep place",
    ),
    ("[" + "x," * 20_000 + "]", f"more than {MOST_NODES} values", "a list too long"),
    (f"a: &a {'x' * 9000}\nb: [{'*a, ' * 100}]", "characters once its aliases", "a long text, repeated"),
    ("x" * (MOST_CHARACTERS + 1), "characters; shorten", "a text too long"),
    ("a: *b", "no anchor &b", "an alias of nothing"),
    ("a: " + "9" * 5000, "no YAML", "a number of too many digits for Python"),
    ("a: 2001-13-45", "no YAML", "a day that there is not"),
    ("a: !!python/object:os.system x", "no YAML", "a type of Python"),
    ("\x00", "no YAML", "a control character"),
    ("a: b: c", "no YAML", "two values in one line"),
]


@pytest.mark.parametrize(("text", "reason", "why"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_is_refused_is_one_line_at_once(tmp_path, text, reason, why):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    begun = time.monotonic()
    with pytest.raises(UsageError, match=reason) as refused:
        read_yaml(path)
    assert time.monotonic() - begun < 2
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", [LAUGHS, "data: &a\n  synth: *a\n", "losses: " + "[" * 5000])
def test_a_recipe_and_an_option_are_read_within_bounds(tmp_path, capsys, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    assert main(["train", str(path)]) == 2
    path.write_text("steps: 1\n")
    assert main(["train", str(path), "--losses", text]) == 2
    assert main(["eval", "slim-m", "--resolutions", text]) == 2
    assert all(line.startswith("facedistill: ") for line in capsys.readouterr().err.splitlines())


def test_aliases_within_bounds_are_expanded():
    assert load_yaml("a: &a [1, 2]\nb: {c: *a, d: *a}\ne: &f {g: 1}\nh: {<<: *f, i: 2}") == {
        "a": [1, 2],
        "b": {"c": [1, 2], "d": [1, 2]},
        "e": {"g": 1},
        "h": {"g": 1, "i": 2},
    }


def test_an_option_that_is_no_yaml_is_text(tmp_path, capsys):
    path = tmp_path / "recipe.yaml"
    path.write_text("steps: 1\n")
    for name in ("*", "a: b: c", "@x"):
        with pytest.raises(SystemExit):  # the parser ends the program once it has printed
            main(["train", str(path), "--name", name, "--print_config"])
        assert yaml.safe_load(capsys.readouterr().out)["name"] == name


def test_a_special_file_is_no_recipe(tmp_path):
    for path in (tmp_path, "/dev/zero"):
        with pytest.raises(UsageError, match="a folder or a special file"):
            read_yaml(tmp_path / path)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=30,
)


@settings(max_examples=60, deadline=None)
@given(PLAIN)
def test_what_is_written_is_read_back(value):
    assert load_yaml(yaml.safe_dump([value, value])) == [value, value]
