"""Wider ranges than people and pictures have, for training sets: caricatures, and uncommon light and cameras.

A net that is matched to a teacher on rendered people agrees with it less on real ones: it must see what lies beyond.
"""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.conditions import Conditions
from facedistill.synth.person import Person
from facedistill.synth.pool import check_wide
from facedistill.synth.pose_and_light import LightSetting
from facedistill.synth.sensor import Sensor
from facedistill.synth.tones import TONES
from facedistill.synth.traits import MEANS, TRAITS

_STREAM = 0xCA21
_LARGEST = 1.35  # of a shape coefficient; further, parts of the face run into each other
_LIGHT_MEAN = 0.6  # of the ambient and of the key light, about
_DISTANCE, _NEAREST, _FARTHEST = 1.1, 0.4, 3.5  # metres
_STOPS = 1.4


def exaggerate(person: Person, most: float) -> Person:
    """The person as a caricature: shape, tones and colours of the skin further from the mean of all people.

    Args:
        person: As `draw_person` gives it.
        most: The largest factor on the distance; the person's own is drawn evenly from 1 to it, the same each time.

    Raises:
        UsageError: `most` is out of range.
    """
    check_wide("exaggeration", most)
    if most == 1:
        return person
    factor = float(np.random.default_rng((person.seed, person.number, _STREAM)).uniform(1, most))
    shape = _shape_means() + factor * (person.shape - _shape_means())
    # Half as much: beyond, chins and cheeks get white patches.
    tones = _tone_means() + (1 + factor) / 2 * (person.tones - _tone_means())
    return replace(
        person,
        exaggeration=1 + factor * (person.exaggeration - 1),
        shape=np.clip(shape, -_LARGEST, _LARGEST).astype(np.float32),
        tones=tones.astype(np.float32),
        skin_tone=_from_middle(person.skin_tone, 0.5, factor, 0, 1),
        undertone=_from_middle(person.undertone, 0, factor, -1, 1),
        ruddiness=_from_middle(person.ruddiness, 0.4, factor, 0, 1),
        lip_red=_from_middle(person.lip_red, 0.5, factor, 0, 1),
        lip_dark=_from_middle(person.lip_dark, 0.35, factor, 0, 1),
    )


def widen(conditions: Conditions, factor: float) -> Conditions:
    """The picture in stronger light, with a stronger tint, from nearer or farther, with more of the sensor's errors.

    Args:
        conditions: As `draw_conditions` gives them.
        factor: On the distance of each from its mean.

    Raises:
        UsageError: The factor is out of range.
    """
    check_wide("variety", factor)
    if factor == 1:
        return conditions
    pose = conditions.pose
    distance = float(np.clip(_DISTANCE * (pose.distance / _DISTANCE) ** factor, _NEAREST, _FARTHEST))
    return replace(
        conditions,
        pose=replace(pose, distance=distance),
        light=_widen_light(conditions.light, factor),
        sensor=_widen_sensor(conditions.sensor, factor),
    )


def _widen_light(light: LightSetting, factor: float) -> LightSetting:
    """Tints and the share of ambient and key light; slopes keep their share of the ambient light."""
    constant, *slopes = (np.array(values) for values in light.ambient)
    ambient = _widen_colour(constant, factor)
    return replace(
        light,
        ambient=tuple(_rgb(values) for values in (ambient, *(ambient * (slope / constant) for slope in slopes))),
        key=_rgb(_widen_colour(np.array(light.key), factor)),
    )


def _widen_colour(colour: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    mean = colour.mean()
    return np.asarray((colour / mean) ** _of_tint(factor) * _LIGHT_MEAN * (mean / _LIGHT_MEAN) ** factor)


def _of_tint(factor: float) -> float:
    """Twice as far as the rest: at the same factor, tints are hardly seen."""
    return 2 * factor - 1


def _widen_sensor(sensor: Sensor, factor: float) -> Sensor:
    red, blue = sensor.white_balance
    return replace(
        sensor,
        exposure=float(np.clip(factor * sensor.exposure, -_STOPS, _STOPS)),
        white_balance=(red ** _of_tint(factor), blue ** _of_tint(factor)),
        noise=factor * sensor.noise,
    )


def _from_middle(value: float, middle: float, factor: float, low: float, high: float) -> float:
    return float(np.clip(middle + factor * (value - middle), low, high))


@cache
def _shape_means() -> NDArray[np.float32]:
    return np.array([MEANS.get(trait.high, 0.0) for trait in TRAITS], np.float32)


@cache
def _tone_means() -> NDArray[np.float32]:
    return np.array([tone.mean for tone in TONES.values()], np.float32)


def _rgb(values: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
