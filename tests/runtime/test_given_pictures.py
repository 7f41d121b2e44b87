"""A picture in every form that a caller has it in; and what is none names the argument."""

import io

import numpy as np
import pytest
from PIL import Image

from facedistill.datasets import load_orl
from facedistill.errors import UsageError
from facedistill.faces import Detector, find_face
from facedistill.faces.photo import Standard, crop_photo
from facedistill.pictures import UnreadablePicture, encode_picture
from facedistill.runtime import Recognizer

PHOTO = load_orl()[0].image


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer("slim-m", threads=1)


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    path.write_bytes(encode_picture(PHOTO, ".png"))
    unread = Image.open(io.BytesIO(path.read_bytes()))
    turned = Image.fromarray(np.rot90(PHOTO))
    turned.getexif()[0x0112] = 6  # to be turned by 90 degrees clockwise
    content = path.read_bytes()
    return [str(path), path, content, bytearray(content), unread, Image.fromarray(PHOTO), turned, PHOTO]


CALLS = [
    pytest.param(lambda known, photo: known.embed(photo), "picture", id="embed"),
    pytest.param(lambda known, photo: known.templates(photo).embeddings["native"], "picture", id="templates"),
    pytest.param(lambda known, photo: known.verify(photo, PHOTO).similarity, "picture a", id="verify, the first"),
    pytest.param(lambda known, photo: known.verify(PHOTO, photo).similarity, "picture b", id="verify, the second"),
    pytest.param(lambda known, photo: known.compare(known.templates(PHOTO), photo).similarity, "probe", id="compare"),
    pytest.param(lambda known, photo: known.detect(photo)[0].landmarks, "picture", id="detect"),
    pytest.param(lambda _, photo: Detector(threads=1).detect(photo)[0].landmarks, "image", id="the detector"),
    pytest.param(lambda _, photo: find_face(Detector(threads=1), photo).landmarks, "image", id="find_face"),
    pytest.param(lambda _, photo: crop_photo(Detector(threads=1), photo, Standard()), "photo", id="crop_photo"),
]


@pytest.mark.parametrize(("call", "argument"), CALLS)
def test_every_form_gives_the_same(recognizer, forms, call, argument):
    expected = call(recognizer, PHOTO)
    for form in forms:
        np.testing.assert_allclose(call(recognizer, form), expected, atol=1e-5)


@pytest.mark.parametrize(("call", "argument"), CALLS)
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param(None, r"is None \(.*\)", id="what cv2.imread gives for a missing file"),
        pytest.param([PHOTO, PHOTO], "is of the type list", id="a list"),
        pytest.param(7, "is of the type int", id="a number"),
        pytest.param(PHOTO[..., 0], r"is an array of uint8 \[112, 92\]", id="grey without channels"),
        pytest.param(np.zeros((8, 8, 4), np.uint8), r"is an array of uint8 \[8, 8, 4\]", id="with transparency"),
        pytest.param(PHOTO / 255, r"is an array of float64 \[112, 92, 3\]", id="floats"),
        pytest.param(PHOTO.transpose(2, 0, 1), r"is an array of uint8 \[3, 112, 92\]", id="channels first"),
    ],
)
def test_what_is_no_picture_names_the_argument_and_what_is_taken(recognizer, call, argument, wrong, reason):
    with pytest.raises(UsageError, match=f"^{argument} {reason}; give a file's path, its bytes, a PIL image") as caught:
        call(recognizer, wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"Dear diary"])
def test_bytes_that_are_no_picture_name_the_argument(recognizer, content):
    with pytest.raises(UnreadablePicture, match=r"^picture b "):
        recognizer.verify(PHOTO, content)


def test_templates_of_another_kind_are_refused(recognizer):
    with pytest.raises(UsageError, match="templates are of the type ndarray"):
        recognizer.compare(recognizer.embed(PHOTO), PHOTO)
