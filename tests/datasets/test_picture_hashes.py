"""Copies of pictures are found however they are encoded or named, and different pictures are told apart."""

import warnings

import cv2
import numpy as np
import pytest

from facedistill.datasets import Face, FaceList, RecroppedFaces, split_identities
from facedistill.datasets.picture_hashes import PictureHashes, copied, hash_faces, hash_pictures, same_pictures
from facedistill.datasets.repeated_pictures import contradiction, under_two_people, warn_of_contradictions
from facedistill.datasets.training_faces import TrainingFaces
from facedistill.errors import FacedistillError, FacedistillWarning, UsageError
from facedistill.pipelines.trained_on import refuse_trained_on
from facedistill.training.run_folder import TRAINED_ON


def picture(number, size=(112, 96)):
    """A picture like no other number's, with detail of every size as photos have it."""
    random, image = np.random.default_rng(number), np.full((*size, 3), 128.0)
    for rows in (4, 8, 16, 32):
        coarse = random.normal(0, 160 / rows, (rows, rows, 3))
        image += cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return image.clip(0, 255).astype(np.uint8)


def encoded(image, extension=".jpg", quality=60):
    option = {".jpg": cv2.IMWRITE_JPEG_QUALITY, ".webp": cv2.IMWRITE_WEBP_QUALITY}[extension]
    return cv2.imdecode(cv2.imencode(extension, image, [option, quality])[1], cv2.IMREAD_COLOR)


def faces(numbers, people=None, change=lambda image: image):
    people = [number // 3 for number in numbers] if people is None else people
    named = zip(numbers, people, strict=True)
    return FaceList([Face(change(picture(number)), who, f"p{who}/{number}.png") for number, who in named])


COPIES = [
    (lambda image: image, "the same pixels"),
    (lambda image: encoded(image, quality=50), "JPEG"),
    (lambda image: encoded(encoded(image, quality=80), quality=70), "JPEG twice"),
    (lambda image: encoded(image, ".webp", 75), "WebP"),
    (lambda image: np.ascontiguousarray(image[:, ::-1]), "mirrored"),
    (lambda image: encoded(np.ascontiguousarray(image[:, ::-1])), "mirrored and encoded anew"),
    (lambda image: cv2.add(cv2.convertScaleAbs(image, alpha=0.9), 8), "another brightness"),
]


@pytest.mark.parametrize("change", [row[0] for row in COPIES], ids=[row[1] for row in COPIES])
def test_a_copy_is_found_and_nothing_else(change):
    origin = hash_faces(faces(range(40)))
    found = copied(hash_pictures([change(picture(number)) for number in (7, 99, 3, 120, 0)]), origin)
    assert found.tolist() == [[0, 7], [2, 3], [4, 0]]


def test_different_pictures_are_not_the_same():
    assert same_pictures(hash_pictures([picture(number) for number in range(600)])) == []


def test_crops_of_other_conventions_are_compared_by_what_both_show():
    wide = FaceList([Face(picture(number, (128, 112)), number, str(number)) for number in range(5)])
    assert len(copied(hash_faces(RecroppedFaces(wide, (112, 96))), hash_faces(wide))) == 5


def test_groups_hold_all_copies_whatever_their_order():
    images = [picture(1), picture(2), encoded(picture(1)), picture(3), picture(2), picture(1)[:, ::-1]]
    assert [group.tolist() for group in same_pictures(hash_pictures(images))] == [[0, 2, 5], [1, 4]]
    backwards = [group.tolist() for group in same_pictures(hash_pictures(images[::-1]))]
    assert sorted(sorted(5 - place for place in group) for group in backwards) == [[0, 2, 5], [1, 4]]


def test_pictures_without_contrast_are_the_same_by_their_pixels_alone():
    flat = [np.full((112, 96, 3), grey, np.uint8) for grey in (0, 128, 128)]
    assert [group.tolist() for group in same_pictures(hash_pictures(flat))] == [[1, 2]]


def test_hashes_are_read_as_written(tmp_path):
    hashes = hash_faces(faces(range(6)))
    hashes.write(tmp_path / "hashes.npy")
    assert PictureHashes.read(tmp_path / "hashes.npy").records.tobytes() == hashes.records.tobytes()
    assert (tmp_path / "hashes.npy").stat().st_size < 512 + 6 * 100


@pytest.mark.parametrize("content", [b"", b"no hashes", b"\x93NUMPY\x01\x00"])
def test_damaged_hashes_are_refused(tmp_path, content):
    (tmp_path / "hashes.npy").write_bytes(content)
    with pytest.raises(FacedistillError, match="is damaged"):
        PictureHashes.read(tmp_path / "hashes.npy")


def test_a_picture_under_two_people_is_counted_and_shown():
    twice = faces([0, 1, 2, 3, 1, 4, 0], [0, 0, 0, 1, 1, 1, 0])  # 1 under two people, 0 twice under one
    with pytest.warns(FacedistillWarning, match=r"set: 1 picture stands under two people .*p0/1.png = p1/1.png"):
        assert warn_of_contradictions("set", twice) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert warn_of_contradictions("set", faces(range(9))) == 0


def test_examples_are_few_however_many_there_are():
    many = faces([*range(30), *range(30)], [*range(30), *range(1, 31)])
    hashes = hash_faces(many)
    sentence = contradiction("set", hashes, under_two_people(hashes), str)
    assert sentence.startswith("set: 30 pictures stand under two people or more (30 identical, 0 encoded anew")
    assert sentence.count(" = ") == 3


CALIBRATED = [
    (faces(range(30)), True, "a copy of the set"),
    (faces(range(31)), True, "with one picture more"),
    (faces(range(30), change=lambda image: encoded(image, quality=90)), True, "encoded anew"),
    (faces(range(30), change=lambda image: np.ascontiguousarray(image[:, ::-1])), True, "mirrored"),
    (faces(range(100, 130)), False, "other people"),
]


@pytest.mark.parametrize(("others", "refused", "why"), CALIBRATED, ids=[row[2] for row in CALIBRATED])
@pytest.mark.parametrize("recorded", [True, False])
def test_people_trained_on_are_not_calibrated_on(tmp_path, others, refused, why, recorded):
    validation, train = split_identities(faces(range(30)), (4, 6), seed=0)
    training = TrainingFaces(train, validation, None, 0)
    if recorded:
        hash_faces(train).write(tmp_path / TRAINED_ON)
    for folder in (tmp_path, tmp_path / "control"):
        if refused:
            with pytest.raises(UsageError, match=r"18 of the 3[01] pictures in others were trained on \(p"):
                refuse_trained_on("others", others, training, folder)
        else:
            refuse_trained_on("others", others, training, folder)


def test_people_kept_out_of_training_may_be_calibrated_on(tmp_path):
    validation, train = split_identities(faces(range(30)), (4, 6), seed=0)
    training = TrainingFaces(train, validation, None, 0)
    refuse_trained_on("kept out", FaceList([validation[place] for place in range(12)]), training, tmp_path)
