"""What a face set holds twice: the same picture under two people, whose labels contradict each other."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.face import FaceSet
from facedistill.datasets.picture_hashes import PictureHashes, hash_faces, same_pictures
from facedistill.errors import FacedistillWarning

_SHOWN = 3
_MEND = "`facedistill prepare PHOTOS OUT --clean` lists them for photos; of a folder of crops delete the wrong ones"

Int = NDArray[np.int64]


def under_two_people(hashes: PictureHashes) -> list[Int]:
    """Groups of positions in `hashes` that are the same picture under different labels."""
    return [group for group in same_pictures(hashes) if len(set(hashes.labels[group].tolist())) > 1]


def contradiction(what: str, hashes: PictureHashes, groups: Sequence[Int], name: Callable[[int], str]) -> str:
    """One sentence about such groups: how many, how many of them identical, and examples.

    Args:
        what: Names the set.
        hashes: Of the set.
        groups: As from `under_two_people`, at least one.
        name: Place in the set -> the picture's name.
    """
    exact = hashes.records["exact"]
    identical = sum(1 for group in groups if len(np.unique(exact[group])) == 1)
    shown = [" = ".join(name(int(hashes.places[place])) for place in group[:2]) for group in groups[:_SHOWN]]
    pictures = "1 picture stands" if len(groups) == 1 else f"{len(groups)} pictures stand"
    return (
        f"{what}: {pictures} under two people or more ({identical} identical, {len(groups) - identical} encoded anew "
        f"or mirrored), so labels are wrong: {', '.join(shown)}{', ...' if len(groups) > _SHOWN else ''}; {_MEND}"
    )


def warn_of_contradictions(what: str, faces: FaceSet, hashes: PictureHashes | None = None) -> int:
    """Warns where pictures of a set stand under two people.

    Args:
        what: Names the set.
        faces: The set.
        hashes: Of its pictures, where they are there; else they are made.

    Returns:
        How many pictures do.
    """
    hashes = hash_faces(faces) if hashes is None else hashes
    groups = under_two_people(hashes)
    if groups:
        sentence = contradiction(what, hashes, groups, lambda place: _named(faces, place))
        warnings.warn(sentence, FacedistillWarning, stacklevel=2)
    return len(groups)


def _named(faces: FaceSet, place: int) -> str:
    key = faces[place].key
    return key if "/" in key else f"{key} of person {faces.labels[place]}"
