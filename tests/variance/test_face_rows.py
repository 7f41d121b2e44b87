"""Rows of a face: a condition takes the same detail from a face, whichever crop of it a net wants."""

import numpy as np
import pytest
from tests.variance.crops import picture

from facedistill.errors import UsageError
from facedistill.faces import align, crop_convention, shown_rows
from facedistill.variance import at_face_rows, degrade, degrade_face

CONVENTIONS = [(112, 96), (112, 112), (128, 112), (150, 150)]
CENTRE = 600  # of the photo below, in pixels; the window is 448 rows high in it


def striped(cycles, phase, axis):
    """A photo with stripes of so many cycles a window, and where the face's landmarks are."""
    at = (np.arange(2 * CENTRE) - CENTRE) / 448
    wave = np.rint(127.5 + 80 * np.sin(2 * np.pi * (cycles * at + phase))).astype(np.uint8)
    photo = np.broadcast_to(wave[:, None] if axis == 0 else wave, (2 * CENTRE, 2 * CENTRE))
    template = crop_convention((112, 112)).template
    return np.repeat(photo[..., None], 3, axis=2), (template - 55.5) * 4 + CENTRE


def left_of(size, cycles, rows, axis=0):
    """The stripes' amplitude in a crop of the convention after the degradation, over that before."""
    kept = []
    for phase in (0, 0.25, 0.5, 0.75):
        photo, landmarks = striped(cycles, phase, axis)
        crop = align(photo, landmarks, size)
        spectra = []
        for shown in (crop, degrade_face(crop, rows)):
            middle = shown[..., 0].mean(axis=1 - axis)
            period = size[0] / shown_rows(size) * 112 / cycles
            places = np.arange(len(middle))
            window = np.hanning(len(middle))
            wave = np.exp(2j * np.pi * places / period)
            spectra.append(abs(np.sum(window * wave * (middle - 127.5))))
        kept.append(spectra[1] / spectra[0])
    return float(np.mean(kept))


@pytest.mark.parametrize("size", CONVENTIONS[1:], ids=str)
@pytest.mark.parametrize("rows", [8, 12, 16, 24, 30])
def test_conventions_lose_the_same_detail(size, rows):
    """At .4 cycles a row most of a wave's loss is decided; 7 % fewer rows lose a tenth more of it."""
    expected = left_of((112, 96), 0.4 * rows, rows)
    assert left_of(size, 0.4 * rows, rows) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("size", "rows"), [((112, 96), 112), ((112, 112), 112), ((128, 112), 128), ((150, 150), 103.01)], ids=str
)
def test_rows_of_the_window_that_a_crop_is_high(size, rows):
    assert shown_rows(size) == pytest.approx(rows, abs=0.01)


@pytest.mark.parametrize("size", [(112, 96), (112, 112), (64, 64)], ids=str)
@pytest.mark.parametrize("rows", [1, 8, 17, 64])
def test_windows_and_crops_of_no_convention_are_degraded_as_they_are(size, rows):
    crop = picture(*size)
    np.testing.assert_array_equal(degrade_face(crop, rows), degrade(crop, rows))


@pytest.mark.parametrize("size", CONVENTIONS, ids=str)
def test_a_crop_keeps_its_size_and_place(size):
    """Whether or not it is continued for the change."""
    crop = picture(*size)
    seen = []
    kept = at_face_rows(crop, 16, lambda shown, left: seen.append(shown.shape[0] / left) or shown)
    np.testing.assert_array_equal(kept, crop)
    assert seen == pytest.approx([size[0] / (16 * shown_rows(size) / 112)], rel=0.01)


@pytest.mark.parametrize("rows", [0, -3, 2.5, True, 400])
@pytest.mark.parametrize("size", [(112, 96), (150, 150)], ids=str)
def test_rows_out_of_range_are_refused(size, rows):
    with pytest.raises(UsageError, match=r"rows|shrunk"):
        degrade_face(picture(*size), rows)
