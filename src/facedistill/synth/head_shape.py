"""The head shape model: a linear blend-shape model of person, age and expression."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from facedistill.errors import UsageError
from facedistill.synth.arrays import Floats
from facedistill.synth.assets import AGES, ANCESTRIES, BUILDS, GENDERS, MACROS, Assets
from facedistill.synth.person import Person
from facedistill.synth.traits import TRAITS

_CHILD, _YOUNG, _OLD = 10.0, 25.0, 90.0  # years that the ages of the blend shapes stand for
EXPRESSION_LIMIT = 1.0
_DIMORPHISM = 1.55  # the blend shapes of women and men differ less, to a recogniser, than real faces do
# The midpoint of the eyeballs' centres of all heads, decimetres.
EYES_AT = np.array([0.0, 7.28, 1.20], np.float32)
# The blend shapes give heads that are narrow for their height: in real photos the distance between the eyes is larger
# relative to that from eyes to mouth. Their jaws are wide enough.
_STRETCH = np.array([1.115, 0.955, 1.0], np.float32)
_TAPER, _JAW, _NECK = 0.10, -0.23, -1.14  # narrower per decimetre, from here to there, decimetres above the eyes
_LONGER = 0.12  # relative stretch of the face above the brows and below the mouth
_BROW, _CHIN = 0.12, -0.72  # where that begins, decimetres above the eyes
_BEND = 0.02  # softness of that transition, square decimetres


@dataclass(frozen=True, eq=False)
class Head:
    """A head in its own frame: x to the subject's left, y up, z forward, decimetres, eyes at `EYES_AT`.

    Attributes:
        neutral: float32 [V, 3], relaxed.
        posed: float32 [V, 3], with the expression.
    """

    neutral: Floats
    posed: Floats


def macro_weights(person: Person, age: float) -> Floats:
    """Weights [len(MACROS)] of the whole-head blend shapes for a person at an age in years."""
    older = float(np.clip((age - _YOUNG) / (_OLD - _YOUNG), 0, 1))
    younger = float(np.clip((_YOUNG - age) / (_YOUNG - _CHILD), 0, 0.6))
    ages = dict(zip(AGES, (younger, 1 - older - younger, older), strict=True))
    male = 0.5 + _DIMORPHISM * (person.gender - 0.5)
    genders = dict(zip(GENDERS, (1 - male, male), strict=True))
    # The exaggeration moves an ancestry away from the mean of the three, so the weights may leave 0..1 a little.
    mixed = 1 / 3 + (np.array(person.ancestry) - 1 / 3) * person.exaggeration
    ancestries = dict(zip(ANCESTRIES, mixed, strict=True))
    builds = {
        ("average", "average"): 1 - abs(person.weight) * 0.9 - abs(person.muscle) * 0.6,
        ("average", "min"): max(-person.weight, 0) * 0.9,
        ("average", "max"): max(person.weight, 0) * 0.9,
        ("min", "average"): max(-person.muscle, 0) * 0.6,
        ("max", "average"): max(person.muscle, 0) * 0.6,
    }
    weights = [ancestries[a] * genders[g] * ages[y] for a in ANCESTRIES for g in GENDERS for y in AGES]
    weights += [genders[g] * ages[y] * builds[b] for g in GENDERS for y in AGES for b in BUILDS]
    assert len(weights) == len(MACROS)
    return np.array(weights, np.float32)


def _blend(weights: Floats, shapes: Floats) -> Floats:
    """The weighted sum of `shapes` [N, V, 3], in their order: BLAS would round by the number of its threads."""
    total = np.zeros(shapes.shape[1:], np.float32)
    for index in np.flatnonzero(weights):
        total += weights[index] * shapes[index]
    return total


class HeadShapeModel:
    """Computes head shapes from blend shapes; remembers the identity part of the last person."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._number_of = {str(name): index for index, name in enumerate(assets.expression_names)}
        self._eyes = assets.vertices_of("eye")
        self._identity = lru_cache(maxsize=1)(self._local)

    def build(self, person: Person, age: float, expression: Mapping[str, float]) -> Head:
        """The person's head at an age, relaxed and with an expression.

        Args:
            person: Person whose head is computed.
            age: Years.
            expression: Coefficients 0..1 by name; see `Assets.expression_names`.

        Raises:
            UsageError: An expression of an unknown name.
        """
        unknown = sorted(set(expression) - set(self._number_of))
        if unknown:
            raise UsageError(f"unknown expression {unknown[0]!r}; known are {', '.join(self._number_of)}")
        assets = self._assets
        neutral = assets.points + self._identity(person)
        neutral += _blend(macro_weights(person, age), assets.macros)
        neutral += EYES_AT - self.eye_centres(neutral).mean(axis=0)
        resting = _resting(person)
        total = dict(resting)
        for name, amount in expression.items():
            total[name] = min(total.get(name, 0.0) + float(amount), EXPRESSION_LIMIT)
        return Head(_stretch(self._express(neutral, resting)), _stretch(self._express(neutral, total)))

    def eye_centres(self, points: Floats) -> Floats:
        """Centres of the subject's right and left eyeball, float32 [2, 3]."""
        eyes = points[self._eyes]
        resting = self._assets.points[self._eyes, 0]
        return np.stack([eyes[resting < 0].mean(axis=0), eyes[resting > 0].mean(axis=0)])

    def _local(self, person: Person) -> Floats:
        low = np.array([-min(c, 0) if trait.low else 0 for c, trait in zip(person.shape, TRAITS, strict=True)])
        high = np.maximum(person.shape, 0)
        displacement = _blend(low.astype(np.float32), self._assets.lows)
        displacement += _blend(high.astype(np.float32), self._assets.highs)
        return displacement

    def _express(self, neutral: Floats, amounts: Mapping[str, float]) -> Floats:
        posed = neutral.copy()
        for name, amount in amounts.items():
            if amount:
                posed += np.float32(amount) * self._assets.expressions[self._number_of[name]]
        return posed


def _stretch(points: Floats) -> Floats:
    stretched: Floats = EYES_AT + _STRETCH * (points - EYES_AT)
    height = points[:, 1] - EYES_AT[1]
    stretched[:, 1] += _LONGER * (_beyond(height - _BROW) - _beyond(_CHIN - height))
    stretched[:, 0] *= 1 - _TAPER * (_JAW - np.clip(stretched[:, 1] - EYES_AT[1], _NECK, _JAW))
    return stretched


def _beyond(x: Floats) -> Floats:
    """A smooth rectifier: about 0 below 0, about `x` above."""
    return np.asarray(0.5 * (x + np.sqrt(x * x + _BEND)), np.float32)


def _resting(person: Person) -> dict[str, float]:
    """Expression coefficients of the person's neutral face."""
    up, wide = person.resting_mouth, person.resting_lids
    smile, frown = 0.04 + max(up, 0) * 0.18, max(-up, 0) * 0.14
    squint, open_ = max(-wide, 0) * 0.18, 0.12 + max(wide, 0) * 0.25
    brows = 0.03 + 0.05 * person.brow_height
    paired = {"mouthSmile": smile, "mouthFrown": frown, "eyeBlink": squint, "eyeWide": open_, "browOuterUp": 2 * brows}
    both = {name + side: amount for name, amount in paired.items() for side in ("Left", "Right")}
    return {"browInnerUp": brows} | both
