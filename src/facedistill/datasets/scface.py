"""SCface (Grgic, Delac and Grgic 2011): 130 people in front of five surveillance cameras at three distances."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedistill.checks import check_count
from facedistill.datasets.lists import first_few
from facedistill.datasets.mat_lists import PICTURE_SUFFIXES
from facedistill.errors import FacedistillError, UsageError
from facedistill.files import file_digest

CAMERAS = (1, 2, 3, 4, 5)
METRES = {1: 4.2, 2: 2.6, 3: 1.0}
"""Distance number -> metres."""

PEOPLE = 130

_MUGSHOTS = "mugshot_frontal_cropped_all"
_MUGSHOT = re.compile(r"\d{3}_frontal")
_SURVEILLANCE = re.compile(r"\d{3}_cam[1-5]_[1-3]")


@dataclass(frozen=True)
class ScFacePhoto:
    """A picture by a surveillance camera.

    Attributes:
        file: Where it is.
        person: 1..130.
        camera: 1..5.
        distance: 1..3, see `METRES`.
    """

    file: Path
    person: int
    camera: int
    distance: int


@dataclass(frozen=True)
class SCface:
    """The pictures by visible light.

    Attributes:
        mugshots: Person -> the frontal picture that enrols them, in the people's order.
        photos: Those of the surveillance cameras, ordered by person, camera and distance.
    """

    mugshots: dict[int, Path]
    photos: tuple[ScFacePhoto, ...]

    def only(self, people: set[int]) -> "SCface":
        """The part that shows these people."""
        mugshots = {person: file for person, file in self.mugshots.items() if person in people}
        return SCface(mugshots, tuple(photo for photo in self.photos if photo.person in people))


def read_scface(folder: Path | str) -> SCface:
    """Finds `001_frontal.jpg` and `001_cam1_1.jpg` anywhere below a folder.

    The mugshots are those in `mugshot_frontal_cropped_all` where there is such a folder. The infrared cameras 6 to 8
    are left out. A picture that lies there twice (the set has a folder of all of them beside one for each distance)
    counts once.

    Raises:
        UsageError: There is no such folder, or it holds no mugshot or no surveillance picture.
        FacedistillError: Two different pictures have one name, or people are without a mugshot.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{folder} does not exist; name the folder that SCface was unpacked into")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    frontal = [path for path in files if _MUGSHOT.fullmatch(path.stem)]
    chosen = [path for path in frontal if path.parent.name == _MUGSHOTS]
    mugshots = {int(name[:3]): path for name, path in _by_name(chosen or frontal).items()}
    photos = _by_name([path for path in files if _SURVEILLANCE.fullmatch(path.stem)])
    if not mugshots or not photos:
        raise UsageError(
            f"{folder} holds {len(mugshots)} mugshots (001_frontal.jpg) and {len(photos)} surveillance pictures "
            "(001_cam1_1.jpg); name the folder that SCface was unpacked into"
        )
    pictures = (ScFacePhoto(path, int(name[:3]), int(name[7]), int(name[9])) for name, path in photos.items())
    found = SCface(mugshots, tuple(pictures))
    if unknown := [photo.file.name for photo in found.photos if photo.person not in mugshots]:
        raise FacedistillError(
            f"{folder} holds {len(unknown)} surveillance pictures of people without a mugshot: {first_few(unknown)}; "
            "unpack it again"
        )
    return found


def split_people(people: list[int], testing: int, seed: int) -> tuple[list[int], list[int]]:
    """Splits the people into those to train with and those to test with; the split follows from `seed` alone.

    Args:
        people: Everybody, in any order.
        testing: How many to test with; the field takes 50 of 130.
        seed: Of the random split.

    Returns:
        (training, testing), both sorted.

    Raises:
        UsageError: `testing` is no number, or fewer than two or more than there are.
    """
    if check_count("testing", testing) not in range(2, len(people) + 1):
        raise UsageError(f"testing is {testing} people; SCface has {len(people)} here, and a search needs two")
    shuffled = np.random.default_rng(seed).permutation(sorted(people)).tolist()
    return sorted(shuffled[testing:]), sorted(shuffled[:testing])


def _by_name(files: list[Path]) -> dict[str, Path]:
    """{name without suffix: file} in the names' order; equal copies count once."""
    chosen: dict[str, Path] = {}
    for path in sorted(files, key=lambda path: (path.stem, path)):
        first = chosen.setdefault(path.stem, path)
        if first != path and file_digest(first) != file_digest(path):
            raise FacedistillError(f"{first} and {path} differ but have one name; leave the right one")
    return chosen
