"""The people of an unfinished set: one file each, so that rendering can stop, go on, and be read meanwhile."""

import io
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facedistill.checks import check_number
from facedistill.errors import FacedistillError

SETTINGS = "synth.json"
WORK = ".synth"
PICTURES_VERSION = 4  # raise it when the same seed gives other pictures, so that old and new ones are never mixed

# Largest factors on the ranges of people and pictures: of wider ones a detector finds fewer than 95 %.
WIDEST = {"exaggeration": 1.75, "variety": 2.0}
LEAST_PEOPLE, MOST_PEOPLE, MOST_IMAGES = 2, 10_000_000, 10_000
_LONGEST_LINE = 1 << 20  # bytes


@dataclass(frozen=True)
class RenderSettings:
    """What is rendered, besides the number of identities; recorded in `SETTINGS`.

    Attributes:
        images: Pictures of each person.
        seed: Seed of the population and of its pictures.
        size: (height, width) of a crop convention.
        same_day: Hair, clothes, glasses and age stay the same in all pictures of a person.
        exaggeration: See `wider.exaggerate`; 1 leaves people as they are.
        variety: See `wider.widen`; 1 leaves pictures as they are.
        posed: People who are alike pose in one light, see `facedistill.synth.posed`.
    """

    images: int
    seed: int
    size: tuple[int, int]
    same_day: bool = False
    exaggeration: float = 1.0
    variety: float = 1.0
    posed: bool = False

    def recorded(self, identities: int) -> str:
        """The content of `SETTINGS`."""
        values = asdict(self)
        for name in WIDEST:
            if values[name] == 1:  # sets of before have no such entry
                del values[name]
        if not self.posed:
            del values["posed"]
        return json.dumps({"version": PICTURES_VERSION, "identities": identities, **values})

    def folder_name(self, identities: int) -> str:
        """The name of such a set in the cache folder."""
        height, width = self.size
        name = f"people-{PICTURES_VERSION}-{identities}x{self.images}-{height}x{width}-{self.seed}"
        wide = "".join(f"-{name}{getattr(self, name):g}" for name in WIDEST if getattr(self, name) != 1)
        return f"{name}{'-day' * self.same_day}{'-posed' * self.posed}{wide}"


def check_wide(name: str, factor: float) -> None:
    """Refuses a factor that is not in 1..`WIDEST` of the last part of its name.

    Raises:
        UsageError: Names it.
    """
    check_number(name, factor, 1, WIDEST[name.rpartition(".")[2]])


def part_path(out: Path, number: int) -> Path:
    """The file of a person's pictures while the set in `out` is not finished."""
    return out / WORK / f"{number:08d}.person"


def pack_part(pictures: list[bytes], rows: list[dict[str, Any]]) -> bytes:
    """The content of a part file: a line with the length of each block, the encoded pictures, their rows of labels."""
    blocks = [*pictures, json.dumps(rows).encode()]
    return b"%s\n%s" % (" ".join(str(len(block)) for block in blocks).encode(), b"".join(blocks))


def read_picture(path: Path, place: int) -> bytes:
    """One encoded picture of a part file.

    Raises:
        FileNotFoundError: The file is not there (yet, or any more).
        FacedistillError: It is damaged.
    """
    (picture,) = _read(path, slice(place, place + 1))
    return picture


def read_part(path: Path) -> tuple[list[bytes], list[dict[str, Any]]]:
    """What `pack_part` packed: encoded pictures and rows of labels; raises what `read_picture` raises."""
    *pictures, labels = _read(path, slice(None))
    rows: list[dict[str, Any]] = json.loads(labels)
    return pictures, rows


def _read(path: Path, wanted: slice) -> list[bytes]:
    try:
        with path.open("rb") as file:
            lengths = [int(length) for length in file.readline(_LONGEST_LINE).split()]
            if min(lengths, default=-1) < 0 or file.tell() + sum(lengths) != os.fstat(file.fileno()).st_size:
                raise ValueError("it is cut short")
            file.seek(sum(lengths[: wanted.start or 0]), io.SEEK_CUR)
            return [file.read(length) for length in lengths[wanted]]
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise FacedistillError(f"{path} is damaged ({error}); delete it, and it is rendered again") from error
