"""A set of real photos that are unaligned, some of them of no use."""

from pathlib import Path

import numpy as np
import pytest

from facedistill.datasets import align_faces, load_orl, open_face_set
from facedistill.errors import FacedistillError
from facedistill.pictures import encode_picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two people with a sound photo each, among damaged ones and a wall."""
    faces = load_orl()
    sound = {
        "ada/2.png": faces[0].image,
        "bob/1.png": faces[10].image,
        "bob/2.png": np.full((112, 92, 3), 99, np.uint8),
    }
    for name, image in sound.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_picture(image, ".png"))
    (tmp_path / "ada/1.png").write_bytes(b"")
    (tmp_path / "ada/3.png").write_bytes(encode_picture(faces[1].image, ".png")[:300])
    (tmp_path / "bob/3.png").write_bytes(encode_picture(faces[11].image[:100], ".png"))  # of another size than the set
    return tmp_path


def test_damaged_photos_are_counted_and_named(photos: Path) -> None:
    aligned = align_faces(open_face_set(photos))
    assert [(face.key, face.label, face.image.shape) for face in aligned.faces] == [
        ("ada/2.png", 0, (112, 96, 3)),
        ("bob/1.png", 1, (112, 96, 3)),
    ]
    assert len(aligned.failed) == 4
    for line, name in zip(aligned.failed, ["ada/1.png", "ada/3.png", "bob/2.png", "bob/3.png"], strict=True):
        assert name in line
        assert "\n" not in line


def test_damaged_photos_and_walls_alone_are_an_error(photos: Path) -> None:
    (photos / "ada/2.png").write_bytes(b"junk")
    (photos / "bob/1.png").write_bytes(b"junk")
    with pytest.raises(FacedistillError, match="no face was found in any of 6 pictures"):
        align_faces(open_face_set(photos))
