"""YAML from files and the command line, within bounds that are checked before anything is expanded.

A few lines of YAML can stand for billions of nodes, because an alias repeats a whole branch and may name the branch it
lies in. The bounds are far above what a recipe needs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from facedistill.errors import UsageError

MOST_CHARACTERS = 1 << 18  # of the text, and of all its scalars once aliases are expanded
MOST_NODES = 10_000  # once aliases are expanded
MOST_DEPTH = 32


def read_yaml(path: Path) -> Any:
    """What a YAML file holds, in plain types.

    Raises:
        UsageError: The file cannot be read, is no YAML, or exceeds a bound; the message names it.
    """
    if path.exists() and not path.is_file():  # a device would never end
        raise UsageError(f"{path} is a folder or a special file; give a YAML file")
    try:
        with path.open("rb") as file:
            content = file.read(4 * MOST_CHARACTERS + 4)  # UTF-8 has at most 4 bytes a character
        return load_yaml(content.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}; give a YAML file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no YAML, for it is not UTF-8 text ({error}); save it as UTF-8") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def load_yaml(text: str) -> Any:
    """What a YAML text holds, in plain types.

    Raises:
        UsageError: It is no YAML, or exceeds a bound.
    """
    try:
        check_bounds(text)
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # a date or a number that there is not
        raise UsageError(f"this is no YAML: {' '.join(str(error).split())[:200]}") from error


def check_bounds(text: str) -> None:
    """Refuses YAML that would be too large or too deep once its aliases are expanded.

    Only events are read, which repeat and nest nothing.

    Raises:
        UsageError: Names the bound.
        yaml.YAMLError: The text is no YAML.
    """
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"the YAML has more than {MOST_CHARACTERS} characters; shorten it")
    _Measure().walk(yaml.parse(text, Loader=yaml.SafeLoader))


@dataclass
class _Branch:
    """A node and what lies below it, aliases expanded."""

    nodes: int = 0
    characters: int = 0
    depth: int = 0  # of its deepest node, itself being 1
    anchor: str | None = None
    open: bool = True

    def add(self, inner: "_Branch") -> None:
        self.nodes += inner.nodes
        self.characters += inner.characters
        self.depth = max(self.depth, 1 + inner.depth)


class _Measure:
    """Measures a stream of events without building what it stands for."""

    def __init__(self) -> None:
        self._open = [_Branch()]  # the stream itself, then the collections around the event
        self._anchors: dict[str, _Branch] = {}

    def walk(self, events: Iterator[Any]) -> None:
        """Reads the events; stops with UsageError at the first one that exceeds a bound."""
        for event in events:
            if isinstance(event, yaml.CollectionStartEvent):
                self._open.append(self._begin(_Branch(nodes=1, depth=1, anchor=event.anchor)))
                self._check(len(self._open) - 1)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._end(self._open.pop())
            elif isinstance(event, yaml.ScalarEvent):
                self._end(self._begin(_Branch(1, len(event.value), 1, event.anchor)))
            elif isinstance(event, yaml.AliasEvent):
                self._end(self._named(str(event.anchor)))

    def _begin(self, branch: _Branch) -> _Branch:
        if branch.anchor is not None:
            self._anchors[branch.anchor] = branch
        return branch

    def _end(self, branch: _Branch) -> None:
        """Counts a finished branch in the one around it."""
        branch.open = False
        self._open[-1].add(branch)
        self._check(len(self._open) - 1 + branch.depth)

    def _named(self, anchor: str) -> _Branch:
        branch = self._anchors.get(anchor)
        if branch is None:
            raise yaml.YAMLError(f"the alias *{anchor:.40} has no anchor &{anchor:.40} before it")
        if branch.open:
            raise UsageError(f"the alias *{anchor:.40} lies within what it names, which has no end; leave it out")
        return branch

    def _check(self, depth: int) -> None:
        if depth > MOST_DEPTH:
            raise UsageError(f"the YAML is nested deeper than {MOST_DEPTH}; write it flatter")
        nodes = sum(branch.nodes for branch in self._open)
        characters = sum(branch.characters for branch in self._open)
        for most, found, what in ((MOST_NODES, nodes, "values"), (MOST_CHARACTERS, characters, "characters")):
            if found > most:
                raise UsageError(f"the YAML has more than {most} {what} once its aliases are expanded; shorten it")
