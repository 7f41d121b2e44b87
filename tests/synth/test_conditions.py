"""The conditions of pictures: shares, ranges, reproducibility, independence of the identity."""

from collections import Counter
from dataclasses import asdict

import pytest

from facedistill.errors import UsageError
from facedistill.synth.conditions import GLASSES, HEADWEAR, OCCLUSIONS, SUNGLASSES, draw_conditions
from facedistill.synth.person import draw_person
from facedistill.synth.pose_and_light import EXPRESSIONS, FROM_ABOVE, LARGEST_YAW, LIGHTS

DRAWS = 2000


@pytest.fixture(scope="module")
def people():
    return [draw_person(0, number) for number in range(40)]


@pytest.fixture(scope="module")
def drawn(people):
    return [draw_conditions(person, 0, number) for person in people for number in range(DRAWS // len(people))]


def test_the_same_call_draws_the_same(people):
    assert draw_conditions(people[3], 5, 7) == draw_conditions(people[3], 5, 7)


@pytest.mark.parametrize(
    ("seed", "number", "person"),
    [pytest.param(6, 7, 3, id="seed"), pytest.param(5, 8, 3, id="number"), pytest.param(5, 7, 4, id="person")],
)
def test_another_argument_draws_another(people, seed, number, person):
    assert draw_conditions(people[3], 5, 7) != draw_conditions(people[person], seed, number)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param(lambda c: c.wear.glasses is not None and not c.wear.sunglasses, GLASSES, id="glasses"),
        pytest.param(lambda c: c.wear.sunglasses, SUNGLASSES, id="sunglasses"),
        pytest.param(lambda c: c.wear.headwear is not None, HEADWEAR, id="headwear"),
        pytest.param(lambda c: c.occlusion == "none", OCCLUSIONS["none"], id="nothing in front of the face"),
        pytest.param(lambda c: c.expression_kind == "neutral", EXPRESSIONS["neutral"], id="neutral faces"),
        pytest.param(lambda c: c.light.kind == "window", LIGHTS["window"], id="window light"),
    ],
)
def test_stated_shares_hold(drawn, share, expected):
    spread = 4 * (expected * (1 - expected) / DRAWS) ** 0.5
    assert sum(map(share, drawn)) / DRAWS == pytest.approx(expected, abs=spread)


def test_poses_reach_from_frontal_to_profile_and_from_above(drawn):
    assert max(abs(c.pose.yaw) for c in drawn) <= LARGEST_YAW
    assert sum(abs(c.pose.yaw) > 50 for c in drawn) / DRAWS > 0.05
    assert sum(c.pose.pitch > 15 for c in drawn) / DRAWS == pytest.approx(FROM_ABOVE, abs=0.06)


def test_values_stay_in_their_ranges(drawn):
    for c in drawn:
        assert all(0 <= amount <= 1 for amount in c.expression.values())
        assert 0 <= c.light.dim <= 1
        assert len(c.light.ambient) == 4
        assert all(value >= 0 for value in (*c.light.key, *c.wear.clothing_colour, *c.occlusion_colour))
        assert 0.24 <= c.pose.fraction <= 0.32
        assert abs(c.age_shift) <= 6
        assert 35 <= c.sensor.jpeg <= 95


def test_hair_and_glasses_do_not_identify_a_person(people, drawn):
    each = DRAWS // len(people)
    styles = [Counter(c.hair.style for c in drawn[k : k + each]) for k in range(0, DRAWS, each)]
    assert max(counts.most_common(1)[0][1] / each for counts in styles) < 0.75
    wearers = [sum(c.wear.glasses is not None for c in drawn[k : k + each]) / each for k in range(0, DRAWS, each)]
    assert max(wearers) < 0.5


def test_on_one_day_hair_and_clothes_stay_and_pose_and_light_change(people):
    first, second = (draw_conditions(people[0], 0, number, same_day=True) for number in (1, 2))
    assert (first.hair, first.wear, first.age_shift) == (second.hair, second.wear, second.age_shift)
    assert (first.pose, first.light) != (second.pose, second.light)


def test_beards_grow_on_men_who_can(people):
    for person in people:
        if person.gender < 0.5:
            assert all(draw_conditions(person, 1, number).wear.facial_hair == "none" for number in range(20))


@pytest.mark.parametrize(("seed", "number"), [(-1, 0), (0, -1)])
def test_negative_numbers_are_refused(people, seed, number):
    with pytest.raises(UsageError, match="negative"):
        draw_conditions(people[0], seed, number)


def test_conditions_are_plain_values(drawn):
    """They are sent to worker processes and written into labels."""
    assert asdict(drawn[0])["pose"]["yaw"] == drawn[0].pose.yaw
