"""What is known of each picture, read from a synthetic set's `labels.parquet` or a user's CSV, as groups."""

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from facedistill.datasets.lists import first_few
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.metrics import Float, Int

AUTO = "auto"
UNKNOWN = -1

_PARQUET, _CSV = "labels.parquet", "labels.csv"
_KEY, _INDEX = "key", "index"
_MOST_BYTES = 64 << 20
_MOST_KINDS = 50
_FEW_VALUES = 6  # a column of numbers with no more different ones is a column of kinds
_QUANTILES = (0.25, 0.5, 0.75)
_EDGES = {"yaw": (15.0, 30.0, 45.0), "age": (18.0, 30.0, 45.0, 60.0), "gender": (0.5,)}
_ANCESTRY = "ancestry_"
_SYNTHETIC = [
    *("identity", "age", "gender", "ancestry_african", "ancestry_asian", "ancestry_european"),
    *("skin_tone", "yaw", "light", "glasses", "occlusion"),
]
_OF_PEOPLE = ("age",)  # which a picture's own shift may carry over a border, as no other trait of a person does

Columns = dict[str, list[Any]]


@dataclass(frozen=True, eq=False)
class Attribute:
    """Into which group each picture falls.

    Attributes:
        groups: Their names, in order.
        member: int64 [N], index into `groups`, or `UNKNOWN` where there is no label.
        of_person: Whether it is a trait of the person (and not a condition of the picture): impostor pairs are then
            those of two people of the group.
    """

    groups: tuple[str, ...]
    member: Int
    of_person: bool


def find_labels(labels: str, folder: Path) -> Path:
    """The file that `labels` means for the face set in `folder`; "auto" is its labels.parquet or labels.csv.

    Raises:
        UsageError: There is no such file.
    """
    if labels != AUTO:
        if not Path(labels).is_file():
            raise UsageError(f"{labels} is no file; give a CSV with a column {_KEY} or {_INDEX}, or a {_PARQUET}")
        return Path(labels)
    for name in (_PARQUET, _CSV):
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"{folder} holds neither {_PARQUET} nor {_CSV}; name the file of its labels")


def read_labels(path: Path, keys: Mapping[str, int], people: Int) -> Columns:
    """The labels of a face set's pictures, a value a picture in the set's order.

    Args:
        path: A `labels.parquet` of a synthetic set, whose rows stand in the set's order; or a CSV, whose column `key`
            holds the pictures' keys or whose column `index` holds their positions, counted from 0. Its other columns
            are the labels; an empty cell is no label.
        keys: Key -> position of the pictures that can be read.
        people: int64 [N], whom each picture of the set shows, damaged ones among them.

    Raises:
        UsageError: The labels are not those of this set: a row matches no picture, or a picture has no row.
        FacedistillError: The file is damaged.
    """
    if not 0 < path.stat().st_size <= _MOST_BYTES:
        raise FacedistillError(f"{path} has {path.stat().st_size} bytes; labels have 1 to {_MOST_BYTES}")
    return _read_parquet(path, people) if path.suffix == ".parquet" else _read_csv(path, keys, len(people))


def attributes_of(columns: Columns, people: Int) -> dict[str, Attribute]:
    """Sorts the pictures into groups.

    Yaw goes by its size (0-15, 15-30, 30-45 degrees and more), age by 18, 30, 45 and 60 years, a gender given in
    numbers by 0.5; weights `ancestry_*` make one attribute `ancestry`, of which the heaviest counts. Other numbers
    are parted at their quartiles, and everything else by its value. What is equal in all pictures of each person, and
    age, is taken for a trait of the person.

    Args:
        columns: As from `read_labels`.
        people: int64 [N], whom each picture shows.
    """
    sorted_ = {name: _sort(name, values) for name, values in columns.items() if not name.startswith(_ANCESTRY)}
    weights = {name.removeprefix(_ANCESTRY): values for name, values in columns.items() if name.startswith(_ANCESTRY)}
    if weights:
        table = np.stack([_numbers(values, name) for name, values in weights.items()], axis=1)
        known = np.isfinite(table).all(axis=1)
        heaviest = np.where(known, np.argmax(np.nan_to_num(table), axis=1), UNKNOWN)
        sorted_["ancestry"] = tuple(weights), heaviest.astype(np.int64)
    return {
        name: Attribute(groups, member, name in _OF_PEOPLE or _constant(member, people))
        for name, (groups, member) in sorted_.items()
    }


def _constant(member: Int, people: Int) -> bool:
    """Whether each person's pictures, where known, are all of one group."""
    known = member != UNKNOWN
    pairs = np.unique(np.stack((people[known], member[known])), axis=1)
    return bool(len(np.unique(pairs[0])) == pairs.shape[1])


def _sort(name: str, values: Sequence[Any]) -> tuple[tuple[str, ...], Int]:
    """The groups of one column, and each picture's."""
    texts = ["" if value is None else str(value).strip() for value in values]
    texts = ["" if text.lower() == "nan" else text for text in texts]  # how tables write a number that is not known
    numeric = all(_is_number(text) for text in texts if text)
    if not numeric or (name not in _EDGES and len(set(texts) - {""}) <= _FEW_VALUES):
        kinds = sorted(set(texts) - {""}, key=(lambda text: (float(text), text)) if numeric else None)
        if len(kinds) > _MOST_KINDS:
            raise UsageError(
                f"labels: column {name} has {len(kinds)} different values, and each would be a group; "
                f"at most {_MOST_KINDS} are supported: give numbers, coarser kinds, or leave the column out"
            )
        places = {kind: place for place, kind in enumerate(kinds)}
        return tuple(kinds), np.array([places.get(text, UNKNOWN) for text in texts], dtype=np.int64)
    numbers = np.abs(_numbers(texts, name)) if name == "yaw" else _numbers(texts, name)
    known = np.isfinite(numbers)
    edges = _EDGES.get(name) or tuple(np.unique(np.quantile(numbers[known], _QUANTILES)).tolist())
    names = [f"below {edges[0]:g}", *(f"{a:g} to {b:g}" for a, b in pairwise(edges)), f"from {edges[-1]:g}"]
    between = np.searchsorted(edges, numbers, side="right")
    used, member = np.unique(between[known], return_inverse=True)
    everybody = np.full(len(numbers), UNKNOWN, dtype=np.int64)
    everybody[known] = member
    return tuple(names[place] for place in used), everybody


def _numbers(values: Sequence[Any], name: str) -> Float:
    """float64 [N], NaN where there is none."""
    try:
        return np.array([math.nan if value in (None, "") else float(value) for value in values])
    except ValueError as error:
        raise FacedistillError(f"labels: column {name} should hold numbers ({error}); correct it") from error


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _read_parquet(path: Path, people: Int) -> Columns:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise UsageError(f"reading {path} needs pyarrow: pip install 'facedistill[synth]'") from error
    try:
        present, rows = pyarrow.parquet.read_schema(path).names, pyarrow.parquet.read_metadata(path).num_rows
        if missing := [name for name in _SYNTHETIC if name not in present]:
            raise UsageError(f"{path} lacks the columns {', '.join(missing)} of a synthetic set; give a CSV instead")
        if rows != len(people):  # a few bytes can stand for any number of rows
            raise UsageError(f"{path} is of another face set: {rows} rows for {len(people)} pictures")
        columns: Columns = pyarrow.parquet.read_table(path, columns=_SYNTHETIC).to_pydict()
    except (pyarrow.ArrowException, OSError) as error:
        raise FacedistillError(f"{path} cannot be read as Parquet; it may be truncated: copy it again") from error
    identities = columns.pop("identity")
    if identities != people.tolist():
        raise UsageError(
            f"{path} is of another face set: {len(identities)} rows for {len(people)} pictures, or other people"
        )
    columns["glasses"] = ["none" if kind == "none" else "worn" for kind in columns["glasses"]]
    return columns


def _read_csv(path: Path, keys: Mapping[str, int], pictures: int) -> Columns:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            heads, *rows = csv.reader(file, strict=True)
    except (ValueError, csv.Error) as error:  # bytes that are no text, a quote without end, no line at all
        raise FacedistillError(
            f"{path} cannot be read as CSV ({error}); save it as UTF-8 with a line of names"
        ) from error
    name = next((name for name in (_KEY, _INDEX) if name in heads), None)
    labels = [head for head in heads if head not in (_KEY, _INDEX)]
    if name is None or not labels or len(set(heads)) < len(heads):
        raise UsageError(
            f"{path} has the columns {first_few(heads) or 'none'}; it needs {_KEY} or {_INDEX} and labels, each once"
        )
    rows = [row for row in rows if row]
    if ragged := [number for number, row in enumerate(rows, start=2) if len(row) != len(heads)]:
        raise FacedistillError(f"{path}: {len(ragged)} rows have not {len(heads)} cells (first: row {ragged[0]})")
    named = [row[heads.index(name)] for row in rows]
    known = keys if name == _KEY else {str(number): number for number in range(pictures)}
    places = _match(path, named, known, damaged=pictures - len(keys) if name == _KEY else 0)
    columns: Columns = {label: [None] * pictures for label in labels}
    for row, place in zip(rows, places, strict=True):
        if place is not None:
            for label in labels:
                columns[label][place] = row[heads.index(label)]
    return columns


def _match(path: Path, named: Sequence[str], known: Mapping[str, int], damaged: int) -> list[int | None]:
    """The picture of each row; a row may lack one only where the picture itself cannot be read."""
    counts = Counter(named)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise UsageError(f"{path} has more than one row for {_some(twice)} of the pictures; keep one each")
    strange = [name for name in named if name not in known]
    if len(strange) > damaged:
        raise UsageError(f"{path}: {_some(strange)} of its rows match no picture of the set; remove or correct them")
    if bare := [key for key in known if key not in counts]:
        raise UsageError(f"{path} has no row for {_some(bare)} of the set's pictures; add them")
    return [known.get(name) for name in named]


def _some(names: Sequence[str]) -> str:
    return f"{len(names)} ({first_few(names)})"
