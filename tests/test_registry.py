"""One registry for all kinds of parts: names, options, and parts of other packages."""

import sys

import pytest

from facedistill.errors import UsageError
from facedistill.registry import Registry


class Part:
    def __init__(self, size: int, depth: int = 1, colour: str = "red") -> None:
        self.built = (size, depth, colour)


def registry() -> Registry[Part]:
    parts: Registry[Part] = Registry("part", fixed=1)
    parts.register("plain")(Part)
    return parts


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A package of somebody else's."""
    (tmp_path / "foreign_parts.py").write_text(
        "class Odd:\n    def __init__(self, size, needed, extra=2): self.built = (size, needed, extra)\nnumber = 3\n"
    )
    (tmp_path / "foreign_broken.py").write_text("raise RuntimeError('no licence\\nfound')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("foreign_parts", "foreign_broken"):
        sys.modules.pop(name, None)


def test_a_registered_part_is_built_with_its_options():
    parts = registry()
    assert parts.build("plain", 4, depth=2).built == (4, 2, "red")
    assert list(parts) == ["plain"]
    assert parts["plain"] is Part


def test_a_part_of_another_package_is_built_by_its_path(foreign):
    assert registry().build("foreign_parts:Odd", 4, needed=7).built == (4, 7, 2)


REFUSED = [
    ("plian", {}, "no part is called 'plian'; did you mean 'plain'? known: plain", "a misspelt name"),
    ("xyz", {}, "no part is called 'xyz'; known: plain", "a name like no other"),
    (None, {}, "no part is called None; known: plain", "no name at all"),
    ("plain", {"dept": 2}, "no option 'dept'; did you mean 'depth'? it takes: depth, colour", "a misspelt option"),
    ("plain", {"size": 2}, "no option 'size'; it takes: depth, colour", "an argument that is no option"),
    ("foreign_parts:Odd", {}, "needs the option 'needed'", "an option without a default"),
    ("foreign_parts:Even", {}, "foreign_parts.py defines no 'Even')", "no such class"),
    ("foreign_parts:number", {}, "is neither a class nor a function, but of type int", "no factory"),
    (
        "foreign_broken:Odd",
        {},
        "cannot be imported (RuntimeError: no licence found; foreign_broken.py, line 1)",
        "a module that fails, on one line",
    ),
    ("no_such_package:Odd", {}, "No module named 'no_such_package'", "no such module"),
    ("foreign_parts:", {}, "not of the form package.module:Class", "no class named"),
]


@pytest.mark.parametrize(("name", "options", "message", "why"), REFUSED, ids=[row[3] for row in REFUSED])
def test_what_cannot_be_built_is_refused_in_one_line(foreign, name, options, message, why):
    with pytest.raises(UsageError) as refused:
        registry().build(name, 4, **options)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_from_files_import_nothing(foreign):
    """A checkpoint may name a part of another package; it is found only once the user's own call imported it."""
    parts = registry()
    with pytest.raises(UsageError, match="your own recipe or call"):
        parts.find("foreign_parts:Odd", importing=False)
    assert "foreign_parts" not in sys.modules
    parts.find("foreign_parts:Odd")
    assert parts.find("foreign_parts:Odd", importing=False).__name__ == "Odd"


def test_a_name_is_registered_once():
    parts = registry()
    with pytest.raises(ValueError, match="two factories"):
        parts.register("plain")(Part)
