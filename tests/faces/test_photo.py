"""One photo to one crop: the reasons to reject it, and the measure of sharpness."""

import cv2
import numpy as np
import pytest
from tests.faces.photos import beside, encoded, photo_of, wall

from facedistill.faces import align, find_face
from facedistill.faces.photo import Reject, Standard, crop_photo, sharpness
from facedistill.pictures import UnreadablePicture, encode_picture


def jpeg_of(face):
    return encode_picture(photo_of(face), ".jpg")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda _: encoded(wall(200, 300)), Reject.NO_FACE, id="a bare wall"),
        pytest.param(lambda _: encoded(wall(5, 5)), Reject.NO_FACE, id="hardly a picture"),
        pytest.param(lambda faces: encoded(beside(faces[0], faces[0])), Reject.SEVERAL_FACES, id="twins"),
        pytest.param(
            lambda faces: encoded(beside(faces[0], faces[0], (1.5, 1.3))), Reject.SEVERAL_FACES, id="nearly as large"
        ),
        pytest.param(lambda faces: encoded(photo_of(faces[0], 0.45)), Reject.TOO_SMALL, id="far away"),
        pytest.param(
            lambda faces: encoded(cv2.GaussianBlur(photo_of(faces[0]), (0, 0), 8)), Reject.TOO_BLURRED, id="fog"
        ),
    ],
)
def test_reasons(detector, orl, make, reason):
    assert crop_photo(detector, make(orl), Standard()) is reason


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(lambda _: b"", "empty", id="empty"),
        pytest.param(lambda _: b"Dear diary", "no picture that can be read", id="text"),
        pytest.param(lambda faces: jpeg_of(faces[0])[:5000], "damaged", id="truncated"),
    ],
)
def test_what_cannot_be_decoded(detector, orl, make, kind):
    with pytest.raises(UnreadablePicture) as caught:
        crop_photo(detector, make(orl), Standard())
    assert caught.value.kind == kind


def test_a_much_smaller_second_face_does_no_harm(detector, orl):
    image = beside(orl[0], orl[1], (1.8, 0.7))
    crop = crop_photo(detector, encoded(image), Standard())
    alone = image.copy()
    alone[:, 270:] = wall(260, 460)[:, 270:]
    np.testing.assert_allclose(crop, crop_photo(detector, encoded(alone), Standard()), atol=40)


def test_each_limit_can_be_lowered(detector, orl):
    small, fog = photo_of(orl[0], 0.45), cv2.GaussianBlur(photo_of(orl[0]), (0, 0), 8)
    assert isinstance(crop_photo(detector, encoded(small), Standard(min_face=20, min_sharpness=0)), np.ndarray)
    crop = crop_photo(detector, encoded(fog), Standard(size=(112, 112), min_sharpness=0))
    assert crop.shape == (112, 112, 3)


def test_sharpness_falls_with_blur_and_not_with_contrast(orl):
    face = orl[0]
    dim = (face // 2 + 60).astype(np.uint8)
    assert sharpness(dim) == pytest.approx(sharpness(face), rel=0.1)
    blurred = [sharpness(cv2.GaussianBlur(face, (0, 0), sigma)) for sigma in (1, 2, 4)]
    assert sharpness(face) > blurred[0] > blurred[1] > blurred[2]
    assert sharpness(np.full((112, 96, 3), 77, np.uint8)) == 0


def test_rounding_is_no_detail():
    """A dim, smooth surface: nearly all that its Laplacian sees is rounding."""
    y, x = np.mgrid[:112, :96]
    dim = np.rint(120 + 15 * np.sin(x / 17) * np.cos(y / 23)).astype(np.uint8)
    with_rounding = cv2.Laplacian(dim.astype(float), cv2.CV_64F).var() / dim.var()
    assert with_rounding > 0.01
    assert sharpness(np.stack([dim] * 3, axis=2)) < 0.15 * with_rounding


@pytest.mark.parametrize(
    ("rows", "least", "most"),
    [
        pytest.param(40, 1, 1, id="40 rows pass"),
        pytest.param(30, 0.9, 1, id="nearly all of 30 rows pass"),
        pytest.param(20, 0, 0.1, id="nearly none of 20 rows pass"),
        pytest.param(16, 0, 0, id="16 rows fail"),
    ],
)
def test_the_default_sharpness_is_as_documented(detector, orl, rows, least, most):
    passed = []
    for face in orl:
        crop = align(face, find_face(detector, face).landmarks)
        small = cv2.resize(crop, (round(rows * 96 / 112), rows), interpolation=cv2.INTER_AREA)
        passed.append(sharpness(cv2.resize(small, (96, 112), interpolation=cv2.INTER_CUBIC)) >= 0.004)
    assert least <= np.mean(passed) <= most


def test_sharpness_in_numbers():
    """A checkerboard of 0 and 255: a pixel's Laplacian is four times its contrast to its neighbours."""
    board = (np.indices((8, 8)).sum(axis=0) % 2 * 255).astype(np.uint8)
    grey = board.astype(float)
    padded = np.pad(grey, 1, mode="reflect")
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * grey
    assert sharpness(np.stack([board] * 3, axis=2)) == pytest.approx((laplacian.var() - 20 / 12) / grey.var())
