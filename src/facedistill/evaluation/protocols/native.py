"""What protocols of faces that were small from the start share: the pictures are embedded as the set cut them out."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.embedding import Crop, Embed
from facedistill.evaluation.metrics import Bool, Float, Int
from facedistill.evaluation.protocols.crops import embed_all, embed_crops
from facedistill.evaluation.trials import draw, percentiles
from facedistill.faces import crop_convention, recrop
from facedistill.pictures import UnreadablePicture, read_picture
from facedistill.progress import track

_BOOTSTRAP = 200


def treatment(size: tuple[int, int]) -> str:
    """How the pictures become crops, for the figures' notes: preprocessing can outweigh the model here."""
    return (
        "faces are neither detected nor aligned, as detectors fail on pictures this small: each picture is resized "
        f"whole to {size[0]}x{size[1]} (bicubic, by area where it shrinks); one that has the size of a crop convention "
        "is taken as aligned"
    )


def incomplete(found: Mapping[str, int], published: Mapping[str, int]) -> list[str]:
    """A note where the numbers of pictures are not those of the published set, so that nobody compares the figures."""
    different = [
        f"{found[name]} {name} instead of {count}" for name, count in published.items() if found[name] != count
    ]
    if not different:
        return []
    return [f"this is not the whole set, so its figures compare with no published ones: {', '.join(different)}"]


def refuse_resolutions(name: str, resolutions: Sequence[int]) -> None:
    """Raises UsageError if a caller wants pictures degraded that a camera degraded already."""
    if len(resolutions):
        raise UsageError(
            f"{name} is not degraded: its faces are natively of low resolution, some 20 pixels high, so fewer rows "
            "would be no known resolution; leave resolutions out, and sweep over orl or a face set"
        )


def check_several(people: Int) -> None:
    """Raises FacedistillError unless a gallery holds two people: whoever is alone is always found."""
    if len(np.unique(people)) < 2:
        raise FacedistillError("the gallery holds pictures of fewer than two people, so nothing can be mistaken")


def fit_crop(image: Crop, size: tuple[int, int]) -> Crop:
    """A picture as a crop of (height, width), as `treatment` describes."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    try:
        crop_convention((height, width))
    except UsageError:  # an ordinary picture
        shrinks = height * width > size[0] * size[1]
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(image, size[::-1], interpolation=interpolation), dtype=np.uint8)
    return recrop(image, size)


def embed_files(embed: Embed, files: Sequence[Path], size: tuple[int, int], what: str) -> Iterator[tuple[Int, Float]]:
    """Yields unit embeddings of pictures batch by batch, with their places in `files`, as `embed_crops` does.

    Pictures that cannot be read are in no batch. One batch is in memory at a time.
    """
    return embed_crops(embed, _crops(files, size, what), what)


def embed_list(embed: Embed, files: Sequence[Path], size: tuple[int, int], what: str) -> tuple[Int, Float]:
    """The places of the pictures that can be read, int64 [N], and their unit embeddings [N, D].

    Raises:
        FacedistillError: As `embed_files`, or not one can be read.
    """
    places, rows = embed_all(embed, _crops(files, size, what), what)
    if not len(places):
        raise FacedistillError(f"not one of {len(files)} pictures of {what} can be read; copy them again")
    return places, rows


def _crops(files: Sequence[Path], size: tuple[int, int], what: str) -> Iterator[Crop | None]:
    return (_read(file, size) for file in track(files, f"embedding {what}"))


def _read(file: Path, size: tuple[int, int]) -> Crop | None:
    try:
        return fit_crop(read_picture(file), size)
    except UnreadablePicture:
        return None


def resampled(hits: Bool, people: Int) -> list[float]:
    """[low, high], the 95 % percentile interval of a hit rate over resampled people.

    Args:
        hits: bool [P], whether each probe was found.
        people: int [P], whom each shows.
    """
    _, index = np.unique(people, return_inverse=True)
    searched = np.bincount(index)
    found = np.bincount(index, weights=hits)
    draws = draw(len(searched), _BOOTSTRAP, seed=0)
    return percentiles((draws @ found) / (draws @ searched))
