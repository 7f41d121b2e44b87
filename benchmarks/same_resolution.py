"""How to compare a sharp face with a small one: the choices of `variance/matching.py`, measured on rendered people.

`ways`: the sharp face as it is, degraded to exactly the rows of the small one, to the nearest rung, or to several
whose mean is taken; the rows known rightly, or taken for 15 % fewer or 18 % more. `near`: a face of few rows itself, as
it is or degraded a second time. In per cent, equal error rate and, after a slash, TAR at FMR 1e-2.

facedistill synth faces --identities 150 --images 6 --seed 9101
python benchmarks/same_resolution.py faces student.onnx dlib
"""

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import open_face_set
from facedistill.evaluation.metrics import eer, unit_rows
from facedistill.teachers import Teacher, load_teacher
from facedistill.variance import CROP_ROWS, RUNGS, degrade

PROBES = (8, 9, 11, 12, 14, 16, 18, 22, 30)
GUESSES = (0.85, 1.0, 1.18)  # rows taken for the probe's, over its own
RATIOS = (1.15, 1.3, 1.6, 2.0)
LADDER = (CROP_ROWS, *RUNGS)

Floats = NDArray[np.float64]
Crops = list[NDArray[np.uint8]]


class Faces:
    """The pictures of a set for one model, embedded once for all rows."""

    def __init__(self, crops: Crops, people: NDArray[np.int64], teacher: Teacher) -> None:
        self._crops, self._teacher = crops, teacher
        self._left, self._right = np.nonzero(~np.eye(len(crops), dtype=bool))
        self._same = people[self._left] == people[self._right]
        self._embedded: dict[tuple[int, ...], Floats] = {}

    def at(self, *rows: int) -> Floats:
        """Unit embeddings [N, D] of the crops after each of the degradations; none at `CROP_ROWS`."""
        if rows not in self._embedded:
            crops = self._crops
            for count in rows:
                crops = crops if count == CROP_ROWS else [degrade(crop, count) for crop in crops]
            parts = [self._teacher.embed(np.stack(crops[start : start + 64])) for start in range(0, len(crops), 64)]
            self._embedded[rows] = unit_rows(np.concatenate(parts), f"the embeddings at {rows}")
        return self._embedded[rows]

    def mean(self, rows: Iterable[int]) -> Floats:
        """The unit mean of the embeddings at several rows."""
        return unit_rows(np.mean([self.at(count) for count in rows], axis=0), "the means")

    def errors(self, probes: Floats, gallery: Floats) -> Floats:
        """EER and TAR at FMR 1e-2, per cent, over all ordered pairs of different pictures."""
        scores = (probes @ gallery.T)[self._left, self._right]
        threshold = np.quantile(scores[~self._same], 0.99)
        return 100 * np.array([eer(scores, self._same), np.mean(scores[self._same] > threshold)])


def sharper(count: int) -> Callable[[float], tuple[int, ...]]:
    """The nearest rung and the next `count - 1` sharper ones."""

    def chosen(rows: float) -> tuple[int, ...]:
        place = int(np.argmin(np.abs(np.log(np.array(LADDER) / rows))))
        return LADDER[max(place + 1 - count, 0) : place + 1]

    return chosen


def around(rows: float) -> tuple[int, ...]:
    """The three rungs nearest by their ratio."""
    return tuple(LADDER[place] for place in np.argsort(np.abs(np.log(np.array(LADDER) / rows)), kind="stable")[:3])


def print_ways(faces: Faces) -> None:
    """A line a way of comparing, by the rows of the probe, their mean last."""
    print(f"{'ways':24}" + "".join(f"{rows:>10}" for rows in PROBES) + f"{'mean':>10}")
    ways: dict[str, Callable[[int], tuple[int, ...]]] = {
        "as it is": lambda _rows: (CROP_ROWS,),
        "exactly": lambda rows: (rows,),
    }
    rules = {"nearest": sharper(1), "and the next": sharper(2), "and the next two": sharper(3), "three around": around}
    for (name, rule), guess in product(rules.items(), GUESSES):
        ways[f"{name}, x {guess:g}"] = partial(_guessed, rule, guess)
    for name, way in ways.items():
        figures = [faces.errors(faces.at(rows), faces.mean(way(rows))) for rows in PROBES]
        cells = (f"{errors:.1f}/{tar:.0f}".rjust(10) for errors, tar in [*figures, np.mean(figures, axis=0)])
        print(f"{name:24}{''.join(cells)}")


def _guessed(rule: Callable[[float], tuple[int, ...]], guess: float, rows: int) -> tuple[int, ...]:
    return rule(rows * guess)


def print_near(faces: Faces) -> None:
    """A line a pair of rows: the sharper face as it is, and degraded to the rows of the other."""
    print(f"{'near':24}{'as it is':>10}{'degraded':>10}")
    for rows, ratio in product((8, 12, 16, 30), RATIOS):
        other = round(rows * ratio)
        cells = (faces.errors(faces.at(rows), each) for each in (faces.at(other), faces.at(other, rows)))
        print(f"{f'{rows} against {other}':24}" + "".join(f"{error:.1f}/{tar:.0f}".rjust(10) for error, tar in cells))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path, help="a face set of crops of 112x96, of people no model was trained on")
    parser.add_argument("models", nargs="+", help="what `facedistill eval` takes")
    parser.add_argument("--pictures", type=int, default=420)
    options = parser.parse_args()
    found = open_face_set(options.faces)
    places = range(min(options.pictures, len(found)))
    crops, people = [found[place].image for place in places], np.array([found[place].label for place in places])
    for model in options.models:
        print(model)
        faces = Faces(crops, people, load_teacher(model))
        print_ways(faces)
        print_near(faces)


if __name__ == "__main__":
    main()
