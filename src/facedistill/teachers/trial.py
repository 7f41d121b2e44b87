"""Tries a foreign net's preprocessing on faces of known people: how well does it tell them apart?

A file states nothing about mean, std and channel order. The wrong scale costs a net most of what it knows without any
other sign, so each plausible one is tried on rendered people. The order of the channels shows in few nets: rendered or
real, most tell people apart nearly as well with red and blue exchanged.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.faces import recrop
from facedistill.pictures import read_picture
from facedistill.teachers.pixels import Pixels

FACES = Path(__file__).with_name("trial_faces.jpg")
"""One person a row; `benchmarks/trial_faces.py` renders it."""
PEOPLE, PER_PERSON = 24, 3
SIZE = (128, 112)

CLEAR = 0.05  # of the pairs of pairs that are in the wrong order
_CLEARLY = 3.0  # standard errors
CHANCE = 0.3  # wrong orders from which on a net is of no use; at random .5

USUAL = ((127.5, 127.5), (0.0, 1.0), (0.0, 255.0))
"""(mean, std) that public nets have."""

Embed = Callable[[NDArray[np.uint8], Pixels], NDArray[np.float32]]


@dataclass(frozen=True)
class Tried:
    """One preprocessing on the faces of known people.

    Attributes:
        pixels: The preprocessing.
        similarities: float64 [N, N], cosines of all pictures; NaN where an embedding is not finite.
    """

    pixels: Pixels
    similarities: NDArray[np.float64]

    def wrong_orders(self, without: int | None = None) -> float:
        """The share of pairs of a genuine and an impostor pair of which the impostor is the more similar, 0..1.

        It is 1 less the area under the ROC curve; equal similarities count one half, and embeddings that are not
        finite give .5.

        Args:
            without: Leave this person out.
        """
        genuine, impostors = self._scores(without)
        if np.isnan(genuine).any() or np.isnan(impostors).any():
            return 0.5
        below = np.searchsorted(impostors, genuine, side="left") + np.searchsorted(impostors, genuine, side="right")
        return 1 - float(below.mean()) / (2 * len(impostors))

    @property
    def eer(self) -> float:
        """The equal error rate, 0..1; 0.5 where embeddings are not finite."""
        genuine, impostors = self._scores(None)
        if np.isnan(genuine).any() or np.isnan(impostors).any():
            return 0.5
        thresholds = np.unique(np.concatenate([genuine, impostors]))
        missed = np.searchsorted(genuine, thresholds, side="left") / len(genuine)
        matched = 1 - np.searchsorted(impostors, thresholds, side="left") / len(impostors)
        nearest = int(np.argmin(np.abs(missed - matched)))
        return float(missed[nearest] + matched[nearest]) / 2

    def _scores(self, without: int | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sorted similarities of genuine and of impostor pairs."""
        people = np.repeat(np.arange(PEOPLE), PER_PERSON)
        one, other = np.triu_indices(len(people), k=1)
        kept = (people[one] != without) & (people[other] != without)
        scores, same = self.similarities[one, other][kept], (people[one] == people[other])[kept]
        return np.sort(scores[same]), np.sort(scores[~same])


@dataclass(frozen=True)
class Trial:
    """What the trial of a net's preprocessing gave.

    Attributes:
        assumed: The one that is given or assumed.
        better: The best of the others, where it is clearly better; else None.
        best: The best of all that were tried.
    """

    assumed: Tried
    better: Tried | None
    best: Tried

    @property
    def useless(self) -> bool:
        """Whether no preprocessing that was tried tells people apart."""
        return self.best.wrong_orders() > CHANCE


def try_pixels(
    embed: Embed, size: tuple[int, int], assumed: Pixels, scales: Iterable[tuple[float, float]] = ()
) -> Trial:
    """Embeds 72 pictures of 24 rendered people with the assumed preprocessing, and with others where that is poor.

    Another one is clearly better where it brings at least 5 of 100 comparisons of a genuine with an impostor pair into
    the right order, and that is 3 standard errors (jackknife over people) from none. The other order of the channels is
    tried with the best scale, and must be clearly better than that with the assumed order.

    Args:
        embed: Crops uint8 [B, H, W, 3] RGB and a preprocessing -> embeddings [B, D].
        size: (height, width) of the crops, a crop convention's.
        assumed: The preprocessing to be judged.
        scales: (mean, std) to try besides, such as `USUAL`; none where the file takes uint8.
    """
    crops = np.stack([recrop(face, size) for face in trial_faces()])
    first = Tried(assumed, _similarities(embed(crops, assumed)))
    if first.wrong_orders() < CLEAR:  # none can be clearly better
        return Trial(first, None, first)
    others = [Pixels(*scale, assumed.channels) for scale in dict.fromkeys(scales)]
    tried = [Tried(pixels, _similarities(embed(crops, pixels))) for pixels in others if pixels != assumed]
    best = min([first, *tried], key=lambda each: each.wrong_orders())
    turned = replace(best.pixels, channels="bgr" if assumed.channels == "rgb" else "rgb")
    exchanged = Tried(turned, _similarities(embed(crops, turned)))
    best = exchanged if _clearly_better(exchanged, best) else best
    return Trial(first, best if _clearly_better(best, first) else None, best)


def trial_faces() -> list[NDArray[np.uint8]]:
    """The faces, uint8 [128, 112, 3] RGB: those of the first person, then those of the second, and so on."""
    sheet = read_picture(FACES)
    return [crop for row in np.vsplit(sheet, PEOPLE) for crop in np.hsplit(row, PER_PERSON)]


def _similarities(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    rows = embeddings.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(units @ units.T, dtype=np.float64)


def _clearly_better(one: Tried, other: Tried) -> bool:
    gain = other.wrong_orders() - one.wrong_orders()
    if gain < CLEAR:
        return False
    left_out = np.array([other.wrong_orders(person) - one.wrong_orders(person) for person in range(PEOPLE)])
    error = np.sqrt((PEOPLE - 1) / PEOPLE * ((left_out - left_out.mean()) ** 2).sum())
    return bool(gain > _CLEARLY * error)
