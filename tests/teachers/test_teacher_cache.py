"""The cache: the teacher embeds each face once, and a cache that is not right is refused or built anew."""

import hashlib
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from facedistill.datasets import Face, FaceList
from facedistill.errors import FacedistillError, UsageError
from facedistill.teachers import load_teacher, open_cache
from facedistill.teachers.cache import ARRAY, STATE

COUNT = 300  # more than two blocks


class Counting:
    """A teacher that counts the crops it embeds."""

    def __init__(self, teacher) -> None:
        self._teacher = teacher
        self.embedded = 0

    def __getattr__(self, name: str):
        return getattr(self._teacher, name)

    def embed(self, crops):
        self.embedded += len(crops)
        return self._teacher.embed(crops)


class Failing(FaceList):
    """Faces of which reading one fails."""

    def __init__(self, faces, index: int, error: BaseException) -> None:
        super().__init__(faces)
        self._index, self._error = index, error

    def __getitem__(self, index: int) -> Face:
        if index == self._index:
            raise self._error
        return super().__getitem__(index)


@pytest.fixture
def net(tiny_net):
    return tiny_net(dimension=8)


@pytest.fixture
def teacher(net) -> Counting:
    return Counting(load_teacher(net.path))


@pytest.fixture(scope="module")
def faces() -> FaceList:
    rng = np.random.default_rng(0)
    return FaceList(
        Face(rng.integers(0, 256, (112, 96, 3), dtype=np.uint8), index % 7, f"person{index % 7}/{index}.png")
        for index in range(COUNT)
    )


@pytest.fixture
def expected(net, faces):
    images = np.stack([face.image for face in faces.faces])
    return np.stack([net.embed(images), net.embed(images[:, :, ::-1])], axis=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "set" / "teacher"


def state_of(folder: Path) -> dict:
    return json.loads((folder / STATE).read_text())


def test_image_and_mirror_of_every_face(teacher, faces, folder, expected) -> None:
    cache = open_cache(teacher, faces, folder)
    assert cache.embeddings.dtype == np.float32
    assert isinstance(cache.embeddings, np.memmap)
    assert not cache.embeddings.flags.writeable
    np.testing.assert_allclose(cache.embeddings, expected, rtol=1e-4, atol=1e-4)
    assert state_of(folder)["done"] == COUNT
    assert sorted(path.name for path in folder.iterdir()) == [ARRAY, STATE]


def test_each_face_is_embedded_once(teacher, faces, folder) -> None:
    first = np.array(open_cache(teacher, faces, folder).embeddings)
    assert teacher.embedded == 2 * COUNT
    assert np.array_equal(open_cache(teacher, faces, folder).embeddings, first)
    assert teacher.embedded == 2 * COUNT


def test_a_cache_of_an_earlier_version_is_opened(teacher, faces, folder) -> None:
    """The format on disk is fixed: a folder written by hand, byte for byte, serves without the teacher."""
    values = np.arange(COUNT * 2 * 8, dtype="<f4").reshape(COUNT, 2, 8)
    folder.mkdir(parents=True)
    np.save(folder / "embeddings.npy", values)
    state = {
        "format": "facedistill-teacher-store-1",
        "teacher": teacher.name,
        "teacher_digest": teacher.digest,
        "preprocessing": teacher.normalisation,
        "face_set_digest": faces.digest,
        "shape": [COUNT, 2, 8],
        "done": COUNT,
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "modified_ns": 0,
    }
    (folder / "store.json").write_text(json.dumps(state))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(open_cache(teacher, faces, folder).embeddings, values)
    assert teacher.embedded == 0


@pytest.mark.parametrize("junk", [b"", b"half a block"], ids=["clean", "a crash left half a block"])
def test_it_goes_on_where_it_was_interrupted(teacher, faces, folder, expected, junk: bytes) -> None:
    with pytest.raises(KeyboardInterrupt):
        open_cache(teacher, Failing(faces.faces, COUNT - 20, KeyboardInterrupt()), folder)
    done = state_of(folder)["done"]
    assert 0 < done < COUNT
    with (folder / ARRAY).open("ab") as file:
        file.write(junk)
    teacher.embedded = 0
    cache = open_cache(teacher, faces, folder)
    assert teacher.embedded == 2 * (COUNT - done)
    np.testing.assert_allclose(cache.embeddings, expected, rtol=1e-4, atol=1e-4)


def test_interrupted_before_the_first_block(teacher, faces, folder, expected) -> None:
    with pytest.raises(KeyboardInterrupt):
        open_cache(teacher, Failing(faces.faces, 0, KeyboardInterrupt()), folder)
    np.testing.assert_allclose(open_cache(teacher, faces, folder).embeddings, expected, rtol=1e-4, atol=1e-4)


def test_another_teacher_is_refused(teacher, tiny_net, faces, folder) -> None:
    open_cache(teacher, faces, folder)
    before = (folder / ARRAY).read_bytes()
    other = load_teacher(tiny_net("other.onnx", dimension=8, seed=1).path)
    with pytest.raises(FacedistillError, match=r"stale: the teacher .* changed; delete the folder") as caught:
        open_cache(other, faces, folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (folder / ARRAY).read_bytes() == before


def test_other_preprocessing_is_refused(tiny_net, faces, folder) -> None:
    path = tiny_net("foreign.onnx", uint8=False).path
    open_cache(load_teacher(path), faces, folder)
    with pytest.raises(FacedistillError, match=r"the preprocessing \(there RGB, .* now BGR"):
        open_cache(load_teacher(path, channels="bgr"), faces, folder)


def test_other_faces_are_refused(teacher, faces, folder) -> None:
    open_cache(teacher, faces, folder)
    with pytest.raises(FacedistillError, match=r"the face set .*the shape \(there \[300, 2, 8\], now \[299, 2, 8\]"):
        open_cache(teacher, FaceList(faces.faces[:-1]), folder)


def test_an_unfinished_cache_of_other_faces_is_refused_too(teacher, faces, folder) -> None:
    with pytest.raises(KeyboardInterrupt):
        open_cache(teacher, Failing(faces.faces, COUNT - 20, KeyboardInterrupt()), folder)
    with pytest.raises(FacedistillError, match="stale: the face set"):
        open_cache(teacher, FaceList(reversed(faces.faces)), folder)


def _cut(folder: Path) -> None:
    with (folder / ARRAY).open("r+b") as file:
        file.truncate(1000)


def _extend(folder: Path) -> None:
    with (folder / ARRAY).open("ab") as file:
        file.write(b"more")


def _flip(folder: Path, at: int = 5000) -> None:
    data = bytearray((folder / ARRAY).read_bytes())
    data[at] ^= 1
    (folder / ARRAY).write_bytes(data)


def _set(**values):
    def change(folder: Path) -> None:
        (folder / STATE).write_text(json.dumps({**state_of(folder), **values}))

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(_cut, "1000 bytes instead of", id="truncated"),
        pytest.param(_extend, "bytes instead of", id="too long"),
        pytest.param(_flip, "checksum", id="one bit"),
        pytest.param(lambda folder: _flip(folder, 20), "header", id="one bit of the header"),
        pytest.param(lambda folder: (folder / ARRAY).unlink(), "is missing", id="no embeddings"),
        pytest.param(lambda folder: (folder / STATE).unlink(), "is missing", id="nobody knows whose they are"),
        pytest.param(lambda folder: (folder / STATE).write_text('{"done": 3'), "damaged", id="half of the JSON"),
        pytest.param(lambda folder: (folder / STATE).write_bytes(b"\xff\xfe\x00"), "damaged", id="no text"),
        pytest.param(lambda folder: (folder / STATE).write_text("[1]"), "damaged", id="JSON of another kind"),
        pytest.param(_set(done="all"), "damaged", id="a count that is none"),
        pytest.param(_set(done=COUNT + 1), "damaged", id="more than all"),
        pytest.param(_set(done=-1), "damaged", id="fewer than none"),
        pytest.param(_set(done=10), "checksum", id="a wrong count"),
        pytest.param(_set(format="0"), "damaged", id="another format"),
        pytest.param(_set(extra=1), "damaged", id="a field too many"),
    ],
)
def test_a_broken_cache_is_reported_and_built_anew(teacher, faces, folder, expected, damage, message: str) -> None:
    open_cache(teacher, faces, folder)
    damage(folder)
    with pytest.warns(UserWarning, match=message):
        cache = open_cache(teacher, faces, folder)
    np.testing.assert_allclose(cache.embeddings, expected, rtol=1e-4, atol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_cache(teacher, faces, folder)


@pytest.mark.parametrize("touched", [False, True])
def test_a_large_cache_is_trusted_while_its_time_stands(teacher, faces, folder, monkeypatch, touched: bool) -> None:
    open_cache(teacher, faces, folder)
    monkeypatch.setattr("facedistill.teachers.cache._ALWAYS_HASHED", 0)
    recorded = state_of(folder)["modified_ns"]
    _flip(folder)
    teacher.embedded = 0
    if touched:
        with pytest.warns(UserWarning, match="checksum"):
            open_cache(teacher, faces, folder)
    else:
        os.utime(folder / ARRAY, ns=(recorded, recorded))
        open_cache(teacher, faces, folder)
    assert teacher.embedded == (2 * COUNT if touched else 0)


def test_nan_names_the_face(tiny_net, faces, folder) -> None:
    matrix = np.zeros((126, 8))
    matrix[0, 0] = 3e38
    blank = np.zeros((112, 96, 3), dtype=np.uint8)
    bright = Face(np.full_like(blank, 255), 0, "bright.png")  # 255 * 3e38 is no float32
    teacher = load_teacher(tiny_net("overflowing.onnx", matrix=matrix).path)
    dark = [Face(blank, 0, f"{index}.png") for index in range(130)]
    with pytest.raises(FacedistillError, match=r"NaN or Inf for face bright\.png"):
        open_cache(teacher, FaceList([*dark, bright, *dark]), folder)
    assert state_of(folder)["done"] == 128


def test_a_corrupt_picture_is_named_and_the_rest_kept(teacher, faces, folder, expected) -> None:
    corrupt = Failing(faces.faces, 290, FacedistillError("record 290 is damaged"))
    with pytest.raises(FacedistillError, match="record 290 is damaged"):
        open_cache(teacher, corrupt, folder)
    assert state_of(folder)["done"] == 256


def test_a_place_that_cannot_be_written_is_one_line(teacher, faces, tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FacedistillError, match="cannot"):
        open_cache(teacher, faces, tmp_path / "file" / "teacher")


def test_an_empty_set_is_refused(teacher, faces, folder) -> None:
    class Empty(FaceList):
        def __len__(self) -> int:
            return 0

    with pytest.raises(UsageError, match="is empty"):
        open_cache(teacher, Empty(faces.faces), folder)
