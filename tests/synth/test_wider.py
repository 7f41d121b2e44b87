"""Caricatures, and light and cameras out of the ordinary: what they change, and what they leave."""

from dataclasses import replace

import numpy as np
import pytest

from facedistill.errors import UsageError
from facedistill.recipe import DataRecipe, Recipe
from facedistill.recipe.sections import SynthRecipe
from facedistill.synth.conditions import draw_conditions
from facedistill.synth.person import draw_person
from facedistill.synth.pool import RenderSettings
from facedistill.synth.traits import MEANS, TRAITS
from facedistill.synth.wider import exaggerate, widen

PEOPLE = [draw_person(3, number) for number in range(60)]
MEAN = np.array([MEANS.get(trait.high, 0.0) for trait in TRAITS])


def spread(people):
    return float(np.mean([np.square(person.shape - MEAN).mean() for person in people])) ** 0.5


def test_a_factor_of_one_changes_nothing():
    conditions = draw_conditions(PEOPLE[0], 3, 0)
    assert exaggerate(PEOPLE[0], 1.0) is PEOPLE[0]
    assert widen(conditions, 1.0) is conditions


@pytest.mark.parametrize("most", [1.3, 1.75])
def test_caricatures_are_further_from_the_mean_by_a_factor_of_their_own(most):
    wide = [exaggerate(person, most) for person in PEOPLE]
    assert 1 + 0.3 * (most - 1) < spread(wide) / spread(PEOPLE) < most
    assert [person.shape.tobytes() for person in wide] == [exaggerate(p, most).shape.tobytes() for p in PEOPLE]
    factors = []
    for person, other in zip(PEOPLE, wide, strict=True):
        moved = (np.abs(other.shape) < 1.3) & (np.abs(person.shape - MEAN) > 0.05)
        factors.append(float(np.median((other.shape - MEAN)[moved] / (person.shape - MEAN)[moved])))
        assert (np.abs(other.shape) <= 1.35 + 1e-6).all()
        assert 0 <= other.skin_tone <= 1
        assert -1 <= other.undertone <= 1
        assert (other.age, other.hair_melanin, other.skin_seed) == (person.age, person.hair_melanin, person.skin_seed)
    assert min(factors) < 1 + 0.2 * (most - 1)
    assert max(factors) > 1 + 0.8 * (most - 1)


def test_pictures_are_wider_in_light_tint_distance_and_sensor_and_in_nothing_else():
    for number in range(40):
        before = draw_conditions(PEOPLE[number], 3, 0)
        after = widen(before, 2.0)
        assert np.ptp(np.log(after.light.key)) == pytest.approx(3 * np.ptp(np.log(before.light.key)))
        assert np.ptp(np.log(after.light.ambient[0])) == pytest.approx(3 * np.ptp(np.log(before.light.ambient[0])))
        slopes = [
            np.divide(values, light.ambient[0]) for light in (before.light, after.light) for values in light.ambient
        ]
        np.testing.assert_allclose(slopes[:4], slopes[4:], rtol=1e-9, atol=1e-12)
        assert np.log(after.sensor.white_balance) == pytest.approx(3 * np.log(before.sensor.white_balance))
        assert abs(after.sensor.exposure) <= 1.4
        assert 0.4 <= after.pose.distance <= 3.5
        assert replace(after, light=before.light, sensor=before.sensor, pose=before.pose) == before
        assert replace(after.pose, distance=before.pose.distance) == before.pose


WRONG = [(0.9, "people nearer to the mean"), (2.1, "no faces any more"), (float("nan"), "no number")]


@pytest.mark.parametrize(("factor", "why"), WRONG, ids=[row[1] for row in WRONG])
def test_factors_out_of_range_are_refused(factor, why):
    with pytest.raises(UsageError, match=r"exaggeration must be a number from 1 to [12]"):
        exaggerate(PEOPLE[0], factor)
    with pytest.raises(UsageError, match=r"variety must be a number from 1 to [12]"):
        widen(draw_conditions(PEOPLE[0], 3, 0), factor)
    with pytest.raises(UsageError, match=r"data.synth.variety must be a number from 1 to [12]"):
        Recipe(data=DataRecipe(synth=SynthRecipe(variety=factor))).check()


def test_ordinary_sets_are_named_and_recorded_as_before():
    settings = RenderSettings(12, 5, (112, 96))
    assert settings.folder_name(300) == "people-4-300x12-112x96-5"
    assert replace(settings, same_day=True).folder_name(300) == "people-4-300x12-112x96-5-day"
    assert settings.recorded(300) == (
        '{"version": 4, "identities": 300, "images": 12, "seed": 5, "size": [112, 96], "same_day": false}'
    )
    wide = replace(settings, exaggeration=1.5)
    assert wide.folder_name(300) == "people-4-300x12-112x96-5-exaggeration1.5"
    assert '"exaggeration": 1.5' in wide.recorded(300)


def test_the_widest_are_found_nearly_as_often_as_others(image_formation):
    pictures = [
        image_formation.capture(exaggerate(person, 1.75), 3, number, variety=2.0)
        for person in PEOPLE[:40]
        for number in range(3)
    ]
    assert np.mean([picture.labels["detected"] for picture in pictures]) > 0.95
