"""A folder set of all kinds of files: every picture is read, or a warning names it."""

import os
import warnings

import numpy as np
import pytest

from facedistill.datasets import open_face_set
from facedistill.errors import FacedistillWarning
from facedistill.pictures import encode_picture

PICTURE = encode_picture(np.full((112, 96, 3), 90, np.uint8), ".jpg")


@pytest.fixture
def folder(tmp_path):
    for name in ("ann/1.jpg", "ann/2.jpg", "bob/1.jpg", "bob/2.jpg"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    return tmp_path / "set"


def keys(folder):
    faces = open_face_set(folder)
    return [faces[index].key for index in range(len(faces))]


def test_jfif_and_names_without_a_suffix_are_pictures_by_content(folder):
    (folder / "ann" / "1.jpg").rename(folder / "ann" / "1.jfif")
    (folder / "ann" / "2.jpg").rename(folder / "ann" / "2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert keys(folder) == ["ann/1.jfif", "ann/2", "bob/1.jpg", "bob/2.jpg"]


def test_a_linked_folder_is_a_person_and_a_linked_file_a_picture(folder, tmp_path):
    (folder / "bob").rename(tmp_path / "elsewhere")
    (folder / "bob").symlink_to(tmp_path / "elsewhere")
    (folder / "ann" / "3.jpg").symlink_to(tmp_path / "elsewhere" / "1.jpg")
    assert keys(folder) == ["ann/1.jpg", "ann/2.jpg", "ann/3.jpg", "bob/1.jpg", "bob/2.jpg"]


@pytest.mark.parametrize(
    ("make", "warning"),
    [
        pytest.param(
            lambda folder: (folder / "ann" / "3.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(60)),
            r"1 HEIC \(ann/3\.heic: convert it to JPEG",
            id="HEIC",
        ),
        pytest.param(lambda folder: os.mkfifo(folder / "ann" / "pipe"), r"1 no file \(ann/pipe", id="a pipe"),
        pytest.param(
            lambda folder: (folder / "ann" / "3").symlink_to("nowhere"), r"1 no file \(ann/3", id="a broken link"
        ),
        pytest.param(
            lambda folder: (folder / "eve").symlink_to(folder / "bob"),
            r"1 link to a folder \(eve/",
            id="read already",
        ),
        pytest.param(
            lambda folder: (folder / "ann" / "up").symlink_to(folder.parent),
            r"1 link to a folder \(ann/up/",
            id="a link upwards",
        ),
        pytest.param(
            lambda folder: (folder / "ann").rename(folder / ".ann"), r"1 hidden folder \(\.ann/: 2 files", id="hidden"
        ),
        pytest.param(
            lambda folder: (folder / "bob").rename(folder / "@eaDir"),
            "1 folder of the system",
            id="of a NAS",
        ),
        pytest.param(
            lambda folder: (folder / "bob" / "1.jpg").rename(folder / "bob" / ".1.jpg"),
            "1 hidden picture",
            id="a picture",
        ),
    ],
)
def test_what_is_left_out_is_counted_with_the_reason(folder, make, warning):
    make(folder)
    with pytest.warns(FacedistillWarning, match=f"pictures; left out: {warning}"):
        faces = open_face_set(folder)
    assert len(faces.left_out) == 1


def test_other_files_are_listed_without_a_warning(folder):
    (folder / "labels.csv").write_text("key,age\n")
    (folder / "ann" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "ann" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        faces = open_face_set(folder)
    assert [each.path for each in faces.left_out] == ["ann/.DS_Store", "ann/Thumbs.db", "labels.csv"]
