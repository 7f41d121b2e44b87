"""People who are hard to tell apart in pictures that are alike: what a calibration for faces of another domain needs.

To a net, faces of a domain that it was not trained on look more alike than those that it was trained on. No rendered
picture shows how much more real ones do. People of one narrow group, who pose in one light on one day, come nearest.
"""

from dataclasses import replace

import numpy as np

from facedistill.synth.conditions import Conditions
from facedistill.synth.person import Person, draw_person
from facedistill.synth.pose_and_light import draw_light

_POSED_STREAM = 0x905E
_NEXT = 1 << 20  # numbers of people who are drawn in another's place; no set has so many
_OLDEST, _LEAST_ANCESTRY = 50.0, 0.6
_YAW, _PITCH = 9.0, 5.0  # standard deviations, degrees
_DISTANCE = 1.4  # metres
_LIGHT = "ceiling"


def draw_alike(seed: int, number: int) -> Person:
    """Samples person `number` of a narrow group: men below 50 of the same main ancestry.

    Arguments and errors as for `draw_person`.
    """
    person = draw_person(seed, number)
    place = number
    while person.gender < 0.5 or person.age > _OLDEST or person.ancestry[2] < _LEAST_ANCESTRY:
        place += _NEXT
        person = draw_person(seed, place)
    return replace(person, number=number)


def posed(conditions: Conditions, seed: int, person: int, number: int) -> Conditions:
    """The conditions of a picture, but posed: near-frontal, at one distance, in light from the ceiling.

    Args:
        conditions: Of the picture.
        seed: Seed of the set.
        person: The person's number.
        number: The picture's.
    """
    rng = np.random.default_rng((seed, person, number, _POSED_STREAM))
    light = draw_light(rng)
    while light.kind != _LIGHT:
        light = draw_light(rng)
    pose = replace(
        conditions.pose,
        yaw=float(rng.normal(0, _YAW)),
        pitch=float(rng.normal(0, _PITCH)),
        roll=conditions.pose.roll / 2,
        distance=_DISTANCE,
    )
    return replace(conditions, pose=pose, light=light)
