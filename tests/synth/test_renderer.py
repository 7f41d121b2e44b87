"""Rendered synthetic people: reproducible, with correct landmarks, and distinct from each other."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("anny")
from facedistill.errors import UsageError
from facedistill.synth.camera import rotation_matrix
from facedistill.synth.conditions import draw_conditions
from facedistill.synth.hairstyles import HAIR_STYLES
from facedistill.synth.head_shape import EYES_AT, macro_weights
from facedistill.synth.person import draw_person
from facedistill.synth.skin_texture import skin_colour
from facedistill.synth.spectacles import FRAMES
from facedistill.synth.traits import MEANS, TRAITS

LEFT_EYE, RIGHT_EYE, NOSE, LEFT_MOUTH, RIGHT_MOUTH = range(5)


def plain(person, **pose):
    """Frontal, neutral, bare; `pose` changes the pose."""
    drawn = draw_conditions(person, 1, 0)
    straight = dataclasses.replace(drawn.pose, yaw=0.0, pitch=0.0, roll=0.0, shift=(0.0, 0.0), distance=1.5)
    return dataclasses.replace(
        drawn,
        pose=dataclasses.replace(straight, **pose),
        expression={},
        occlusion="none",
        wear=dataclasses.replace(drawn.wear, glasses=None, headwear=None),
    )


def test_the_same_arguments_give_the_same_pixels_after_other_calls(renderer):
    person = draw_person(3, 1)
    conditions = draw_conditions(person, 3, 2)
    first = renderer.render(person, conditions, 96)
    other = draw_person(3, 2)
    renderer.render(other, draw_conditions(other, 3, 0), 64)
    again = renderer.render(draw_person(3, 1), draw_conditions(draw_person(3, 1), 3, 2), 96)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.landmarks, again.landmarks)


@pytest.mark.parametrize("size", [32, 97, 160])
def test_a_photo_is_rgb_bytes_with_a_face_in_it(renderer, size):
    person = draw_person(4, 7)
    photo = renderer.render(person, plain(person), size)
    assert photo.image.shape == (size, size, 3)
    assert photo.image.dtype == np.uint8
    assert photo.landmarks.shape == (5, 2)
    assert photo.landmarks.dtype == np.float64
    assert ((photo.landmarks > 0) & (photo.landmarks < size)).all()
    assert photo.image.std() > 10


@pytest.mark.parametrize("size", [0, 31, 1025])
def test_sizes_out_of_range_are_refused(renderer, size):
    person = draw_person(1, 1)
    with pytest.raises(UsageError, match="size"):
        renderer.render(person, plain(person), size)


def test_unknown_choices_are_refused(renderer):
    person = draw_person(1, 1)
    bad_hair = dataclasses.replace(plain(person), hair=dataclasses.replace(plain(person).hair, style="mohawk"))
    with pytest.raises(UsageError, match="mohawk"):
        renderer.render(person, bad_hair, 64)
    with pytest.raises(UsageError, match="wink"):
        renderer.render(person, dataclasses.replace(plain(person), expression={"wink": 0.5}), 64)
    with pytest.raises(UsageError, match="negative"):
        draw_person(-1, 0)


def test_landmarks_stand_as_in_a_face(renderer):
    for number in range(6):
        person = draw_person(5, number)
        marks = renderer.render(person, plain(person), 64).landmarks
        assert marks[LEFT_EYE, 0] < marks[NOSE, 0] < marks[RIGHT_EYE, 0]
        assert marks[LEFT_MOUTH, 0] < marks[RIGHT_MOUTH, 0]
        assert marks[LEFT_EYE, 1] < marks[NOSE, 1] < marks[LEFT_MOUTH, 1]
        fraction = (marks[3:, 1].mean() - marks[:2, 1].mean()) / 64
        assert fraction == pytest.approx(plain(person).pose.fraction, abs=0.03)


def test_the_nose_follows_yaw_and_pitch(renderer):
    person = draw_person(5, 1)

    def nose(**pose):
        marks = renderer.render(person, plain(person, **pose), 64).landmarks
        return marks[NOSE] - marks[:2].mean(axis=0)

    assert nose(yaw=-30.0)[0] < nose()[0] - 2
    assert nose(yaw=30.0)[0] > nose()[0] + 2
    assert nose(pitch=20.0)[1] > nose()[1] + 0.5
    assert nose(pitch=20.0)[1] > nose(pitch=-20.0)[1] + 2
    tilted = renderer.render(person, plain(person, roll=15.0), 64).landmarks
    assert tilted[RIGHT_EYE, 1] > tilted[LEFT_EYE, 1] + 2  # clockwise: the picture's right eye sinks


def test_rotations_are_rotations():
    for angles in ((30, 0, 0), (0, -20, 0), (10, 20, 30)):
        turned = rotation_matrix(*angles)
        np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(turned) == pytest.approx(1, abs=1e-5)


def test_every_style_and_frame_can_be_drawn(renderer):
    person = draw_person(6, 0)
    base = plain(person, yaw=35.0)
    for number, style in enumerate(HAIR_STYLES):
        frame = list(FRAMES)[number % len(FRAMES)]
        wear = dataclasses.replace(base.wear, glasses=frame, headwear=(None, "cap", "beanie")[number % 3])
        occlusion = ("none", "mask", "scarf", "hand")[number % 4]
        hair = dataclasses.replace(base.hair, style=style)
        renderer.render(person, dataclasses.replace(base, hair=hair, wear=wear, occlusion=occlusion), 32)


def test_people_differ_and_expressions_leave_the_neutral_head(head_shape_model):
    first, second = draw_person(7, 0), draw_person(7, 1)
    face = slice(0, 4828)
    neutral = head_shape_model.build(first, first.age, {}).neutral
    same = head_shape_model.build(first, first.age, {"jawOpen": 0.5})
    np.testing.assert_array_equal(same.neutral, neutral)
    assert np.abs(same.posed - neutral).max() > 0.05
    other = head_shape_model.build(second, second.age, {}).neutral
    assert np.sqrt(((other[face] - neutral[face]) ** 2).sum(axis=1)).mean() > 0.02  # over 2 mm
    np.testing.assert_allclose(
        head_shape_model.eye_centres(head_shape_model.build(first, 30, {}).neutral).mean(axis=0), EYES_AT, atol=0.02
    )


def test_left_and_right_are_alike_but_for_a_little(head_shape_model):
    left = np.array([i - 1 for i, trait in enumerate(TRAITS) if trait.copies is not None])
    shapes = np.array([draw_person(8, number).shape for number in range(60)])
    apart = np.abs(shapes[:, left + 1] - shapes[:, left])
    assert 0 < apart.mean() < 0.1
    even = dataclasses.replace(draw_person(8, 0), shape=np.zeros(len(TRAITS), np.float32), resting_mouth=0.0)
    eyes = head_shape_model.eye_centres(head_shape_model.build(even, 30, {}).neutral)
    np.testing.assert_allclose(eyes[0] * [-1, 1, 1], eyes[1], atol=0.005)


def test_weights_of_the_whole_head_sum_to_one_per_group():
    person = dataclasses.replace(draw_person(9, 3), weight=0.0, muscle=0.0)
    for age in (18.0, 40.0, 80.0):
        weights = macro_weights(person, age)
        assert weights[:18].sum() == pytest.approx(1, abs=1e-5)
        assert weights[18:].sum() == pytest.approx(1, abs=1e-5)


def test_darker_skin_tones_are_darker():
    tones = np.array([skin_colour(tone) for tone in np.linspace(0, 1, 21)])
    assert (np.diff(tones, axis=0) < 0).all()
    assert (tones > 0).all()
    assert (tones < 1).all()


def test_every_mean_is_that_of_a_left_or_single_trait():
    assert set(MEANS) <= {trait.high for trait in TRAITS if trait.low and trait.copies is None}


def test_traits_are_drawn_within_their_bounds():
    shapes = np.array([draw_person(10, number).shape for number in range(100)])
    assert shapes.shape == (100, len(TRAITS))
    assert np.abs(shapes).max() <= 1
    assert np.isfinite(shapes).all()
    one_sided = [not trait.low for trait in TRAITS]
    assert (shapes[:, one_sided] >= 0).all()
