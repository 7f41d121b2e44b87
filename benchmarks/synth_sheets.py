"""Draws the contact sheets of docs/synthetic-people.md: people, variety, and one factor a row from extreme to extreme.

python benchmarks/synth_sheets.py docs/synthetic
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.files import write_bytes
from facedistill.pictures import encode_picture
from facedistill.progress import track
from facedistill.synth.conditions import OCCLUSIONS
from facedistill.synth.image_formation import ImageFormation, Picture
from facedistill.synth.person import draw_person
from facedistill.synth.pose_and_light import LIGHTS
from facedistill.synth.preview import contact_sheet, sorted_sheet

SIDE = 8
LARGEST = 300_000  # bytes of a sheet


def plain(picture: Picture) -> bool:
    """Whether the face is not occluded."""
    labels = picture.labels
    return labels["occlusion"] == "none" and not labels["sunglasses"]


def frontal(picture: Picture) -> bool:
    return plain(picture) and abs(picture.labels["yaw"]) < 20 and abs(picture.labels["pitch"]) < 15


def hidden_by(picture: Picture) -> int:
    """Index of the kind of occlusion, sunglasses last."""
    kind = picture.labels["occlusion"]
    return len(OCCLUSIONS) if kind == "none" else list(OCCLUSIONS).index(kind)


# A row each: the selection of pictures, and the value that they are sorted by.
FACTORS: tuple[tuple[Callable[[Picture], bool], Callable[[Picture], float]], ...] = (
    (lambda p: plain(p) and abs(p.labels["pitch"]) < 12, lambda p: p.labels["yaw"]),
    (lambda p: plain(p) and abs(p.labels["yaw"]) < 25, lambda p: p.labels["pitch"]),
    (frontal, lambda p: list(LIGHTS).index(p.labels["light"])),
    (frontal, lambda p: p.labels["exposure"]),
    (frontal, lambda p: p.labels["age"]),
    (frontal, lambda p: p.labels["motion"] + p.labels["blur"]),
    (frontal, lambda p: p.labels["noise"]),
    (lambda p: not plain(p), hidden_by),
)


def factor_rows(pictures: list[Picture]) -> NDArray[np.uint8]:
    """A row for each of `FACTORS`."""
    rows = []
    for belongs, value in FACTORS:
        chosen = [picture for picture in pictures if belongs(picture)]
        crops, values = [picture.crop for picture in chosen], [value(picture) for picture in chosen]
        rows.append(sorted_sheet(crops, values.__getitem__, columns=SIDE, rows=1))
    return np.concatenate(rows)


def write_sheet(path: Path, sheet: NDArray[np.uint8]) -> None:
    """A JPEG of the best quality that stays below `LARGEST` bytes."""
    encoded = (encode_picture(sheet, quality=quality) for quality in range(92, 0, -4))
    write_bytes(path, next(data for data in encoded if len(data) < LARGEST))


def main() -> None:
    """Renders 64 people and draws the sheets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    image_formation = ImageFormation()
    people = [draw_person(options.seed, number) for number in range(SIDE * SIDE)]
    pictures = [
        [image_formation.capture(person, options.seed, image) for image in range(SIDE)]
        for person in track(people, "rendering")
    ]
    first_frontal = [next(filter(frontal, taken), taken[0]).crop for taken in pictures]
    write_sheet(options.folder / "people.jpg", contact_sheet(first_frontal, SIDE))
    write_sheet(
        options.folder / "variety.jpg", contact_sheet([p.crop for taken in pictures[:SIDE] for p in taken], SIDE)
    )
    write_sheet(options.folder / "factors.jpg", factor_rows([p for taken in pictures for p in taken]))


if __name__ == "__main__":
    main()
