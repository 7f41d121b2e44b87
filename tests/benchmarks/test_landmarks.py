"""What landmarks that are off make of a crop."""

import numpy as np
import pytest

from facedistill.faces import CROP_112X96
from landmarks import misalignment

MIDDLE = np.array([47.5, 55.5])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(lambda points: points, (0, 1, 0, 0), id="the same"),
        pytest.param(lambda points: points - [9.6, 0], (0, 1, 0.1, 0), id="found to the left: it lies to the right"),
        pytest.param(lambda points: np.add(points, (0, 11.2)), (0, 1, 0, -0.1), id="found below: it lies above"),
        pytest.param(lambda points: (points - MIDDLE) * 0.8 + MIDDLE, (0, 1.25, 0, 0), id="found too small"),
        pytest.param(lambda points: (points - MIDDLE) @ turn(10) + MIDDLE, (-10, 1, 0, 0), id="found turned"),
    ],
)
def test_it_is_what_the_crop_turns_scales_and_shifts(found, expected):
    points = CROP_112X96.template
    assert misalignment(found(points), points) == pytest.approx(expected, abs=1e-6)
    photo = points * 3 + [20, -7]  # however large the face is in its photo
    assert misalignment(found(points) * 3 + [20, -7], photo) == pytest.approx(expected, abs=1e-6)


def turn(degrees):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cosine, -sine], [sine, cosine]])
