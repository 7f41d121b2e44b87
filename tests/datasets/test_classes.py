"""Pictures in a folder for each class: sizes, parts, damage, and the digits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.class_pictures import CLASSES, draw_classes

from facedistill.datasets import Face, FaceList
from facedistill.datasets.classes import DIGITS, open_classes, split_pictures
from facedistill.errors import UsageError
from facedistill.pictures import encode_picture


def test_pictures_of_any_size_are_shown_at_one(tmp_path):
    draw_classes(tmp_path, pictures=3, noise=0)
    big = np.full((50, 11, 3), (150, 90, 90), np.uint8)
    (tmp_path / "red" / "big.png").write_bytes(encode_picture(big, ".png"))
    pictures = open_classes(str(tmp_path), (16, 20))
    assert pictures.people == CLASSES
    assert len(pictures) == 10
    for index in range(10):
        face = pictures[index]
        assert face.image.shape == (16, 20, 3)
        assert face.key.startswith(CLASSES[face.label])
        colour = np.full(3, 90)
        colour[2 - face.label] = 150
        assert np.abs(face.image.astype(int) - colour).max() <= 1
    assert pictures.digest != open_classes(str(tmp_path), (16, 16)).digest
    assert pictures.digest == open_classes(str(tmp_path), (16, 20)).digest


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(4, 25), min_size=2, max_size=4),
    st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
    st.integers(0, 9),
)
def test_every_class_is_in_every_part_and_every_picture_in_one(counts, shares, seed):
    blank = np.zeros((2, 2, 3), np.uint8)
    faces = FaceList(Face(blank, label, f"{label}/{n}") for label, count in enumerate(counts) for n in range(count))
    parts = split_pictures(faces, shares, seed)
    assert sorted(np.concatenate([part.indices for part in parts])) == list(range(len(faces)))
    for label, count in enumerate(counts):
        made = [int(np.count_nonzero(part.labels == label)) for part in parts]
        rounded = [max(1, round(share * count)) for share in shares]
        if sum(rounded) < count:
            assert made[:-1] == rounded
        else:  # one picture is left for training, and nobody gives more than one for it
            assert made[-1] == 1
            assert all(0 <= wish - held <= 1 for wish, held in zip(rounded, made[:-1], strict=True))
    assert all(part.classes == len(counts) for part in parts)
    again = split_pictures(faces, shares, seed)
    assert all(np.array_equal(a.indices, b.indices) for a, b in zip(parts, again, strict=True))


def test_damaged_pictures_are_in_no_part(tmp_path):
    draw_classes(tmp_path, pictures=8)
    (tmp_path / "red" / "03.png").write_bytes(b"no picture")
    pictures = open_classes(str(tmp_path), (8, 8))
    parts = split_pictures(pictures, (0.25, 0.25), 0)
    assert sum(map(len, parts)) == len(pictures) - 1
    assert "red/03.png" not in {part[index].key for part in parts for index in range(len(part))}


def test_a_class_too_small_to_part_is_named(tmp_path):
    draw_classes(tmp_path, pictures=8)
    for number in range(6):
        (tmp_path / "green" / f"{number:02d}.png").unlink()
    with pytest.raises(UsageError, match=r"the class of green/0\d\.png has 2 sound pictures"):
        split_pictures(open_classes(str(tmp_path), (8, 8)), (0.25, 0.25), 0)


def test_no_folder_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"classification\.pictures.*nowhere is no folder"):
        open_classes(str(tmp_path / "nowhere"), (8, 8))


def test_the_digits_are_written_once_and_are_scikit_learns(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path))
    digits = open_classes(DIGITS, (8, 8))
    assert (len(digits), digits.people) == (1797, tuple("0123456789"))
    from sklearn.datasets import load_digits

    original = load_digits()
    for index in (0, 500, 1796):
        face = digits[index]
        number = int(face.key.partition("/")[2].removesuffix(".png"))
        assert face.label == original.target[number]
        assert np.array_equal(face.image[..., 1], np.rint(original.images[number] * 255 / 16))
    before = next(tmp_path.glob("digits*")).stat().st_mtime_ns
    open_classes(DIGITS, (8, 8))
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [before]
