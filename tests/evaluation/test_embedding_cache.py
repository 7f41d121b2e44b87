"""Embeddings come from the file when it is theirs and sound, and from the model in every other case."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from facedistill.datasets import Damage, Face, FaceList
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import cached_embeddings
from facedistill.files import file_digest
from facedistill.pictures import UnreadablePicture
from facedistill.variance import degrade


class Spoilt:
    """A set some of whose pictures cannot be read."""

    def __init__(self, faces, bad):
        self.faces, self.bad = faces, set(bad)
        self.labels, self.classes, self.size = faces.labels, faces.classes, faces.size
        self.digest = f"{faces.digest} less {sorted(self.bad)}"

    def __len__(self):
        return len(self.faces)

    def __getitem__(self, index):
        if index in self.bad:
            raise UnreadablePicture(f"{index}.jpg is torn")
        return self.faces[index]


class Net:
    """Embeds a picture as means of its parts, and counts them."""

    def __init__(self):
        self.embedded = 0

    def __call__(self, crops):
        self.embedded += len(crops)
        return crops.reshape(len(crops), 4, -1).mean(axis=2).astype(np.float32)


@pytest.fixture(scope="module")
def faces():
    random = np.random.default_rng(0)
    return FaceList([Face(random.integers(1, 255, (16, 12, 3), dtype=np.uint8), i % 7, str(i)) for i in range(150)])


def direct(faces, indices, rows=None):
    images = [faces[int(i)].image for i in indices]
    return Net()(np.stack([image if rows is None else degrade(image, rows) for image in images]))


@pytest.mark.parametrize("rows", [None, 6])
def test_the_second_time_the_file_answers(faces, tmp_path, rows):
    net = Net()
    first = cached_embeddings(net, faces, "model", tmp_path, rows)
    second = cached_embeddings(net, faces, "model", tmp_path, rows)
    assert net.embedded == len(faces)
    for result in (first, second):
        np.testing.assert_array_equal(result.embeddings, direct(faces, range(150), rows))
        assert result.embeddings.dtype == np.float32
        assert isinstance(result.embeddings, np.memmap)
        assert not result.embeddings.flags.writeable
        assert (result.indices.tolist(), result.damage) == (list(range(150)), ())
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".npy"]


def test_the_key_is_model_set_and_condition(faces, tmp_path):
    net = Net()
    fewer = FaceList(faces.faces[:10])
    for model, those, rows in [("a", faces, None), ("b", faces, None), ("a", faces, 8), ("a", fewer, None)]:
        before = net.embedded
        cached_embeddings(net, those, model, tmp_path, rows)
        assert net.embedded == before + len(those)
    assert len(list(tmp_path.glob("*.npy"))) == 4


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param([3], id="one"),
        pytest.param(range(60), id="nearly a whole batch, and fewer digits in the header"),
        pytest.param(range(64), id="the whole first batch"),
        pytest.param(range(128, 150), id="the whole last batch"),
        pytest.param([i for i in range(150) if i != 77], id="all but one"),
    ],
)
def test_unreadable_pictures_are_reported_each_time(faces, tmp_path, bad):
    spoilt, net = Spoilt(faces, bad), Net()
    good = [i for i in range(150) if i not in set(bad)]
    for _ in range(2):
        result = cached_embeddings(net, spoilt, "model", tmp_path)
        assert result.damage == tuple(Damage(i, f"{i}.jpg is torn") for i in bad)
        assert result.indices.tolist() == good
        np.testing.assert_array_equal(result.embeddings, direct(faces, good))
    assert net.embedded == len(good)


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("suffix", "spoil"),
    [
        pytest.param("npy", lambda path: path.write_bytes(path.read_bytes()[:-1]), id="cut short"),
        pytest.param("npy", flip_a_bit, id="one bit"),
        pytest.param("npy", lambda path: np.save(path, np.ones((150, 4), np.float32)), id="another array"),
        pytest.param("npy", lambda path: path.write_bytes(b""), id="empty"),
        pytest.param("npy", Path.unlink, id="array lost"),
        pytest.param("json", Path.unlink, id="record lost"),
        pytest.param("json", lambda path: path.write_text("{"), id="record cut short"),
        pytest.param("json", lambda path: path.write_text("[]"), id="record of another kind"),
        pytest.param("json", lambda path: path.write_text('{"sha256": "0", "damage": 3}'), id="nonsense"),
        pytest.param("json", lambda path: path.write_bytes(b"\xff\xfe"), id="no text"),
    ],
)
def test_what_is_damaged_is_computed_anew(faces, tmp_path, suffix, spoil):
    net = Net()
    cached_embeddings(net, faces, "model", tmp_path)
    (path,) = tmp_path.glob(f"*.{suffix}")
    spoil(path)
    result = cached_embeddings(net, faces, "model", tmp_path)
    assert net.embedded == 2 * len(faces)
    np.testing.assert_array_equal(result.embeddings, direct(faces, range(150)))


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.ones((149, 4), np.float32), id="a face is missing"),
        pytest.param(np.ones((150, 4)), id="float64"),
        pytest.param(np.ones(150, np.float32), id="one axis"),
    ],
)
def test_a_sound_file_of_something_else_is_computed_anew(faces, tmp_path, array):
    cached_embeddings(Net(), faces, "model", tmp_path)
    (path,), (record,) = tmp_path.glob("*.npy"), tmp_path.glob("*.json")
    np.save(path, array)
    record.write_text(json.dumps({"sha256": file_digest(path), "damage": []}))
    result = cached_embeddings(Net(), faces, "model", tmp_path)
    np.testing.assert_array_equal(result.embeddings, direct(faces, range(150)))


def test_the_next_pictures_are_read_while_the_model_works(faces, tmp_path):
    second_batch = threading.Event()

    class Watched(Spoilt):
        def __getitem__(self, index):
            if index >= 64:
                second_batch.set()
            return super().__getitem__(index)

    def embed(crops):
        assert second_batch.wait(timeout=20), "nobody reads while the model works"
        return Net()(crops)

    cached_embeddings(embed, Watched(faces, []), "model", tmp_path)


@pytest.mark.parametrize(
    ("embed", "message"),
    [
        pytest.param(lambda crops: np.full((len(crops), 3), np.nan), "face 0 is zero, NaN", id="NaN"),
        pytest.param(lambda crops: np.zeros((len(crops), 3)), "face 0 is zero", id="zero"),
        pytest.param(lambda crops: np.ones(len(crops)), "shape", id="one axis"),
        pytest.param(lambda crops: np.ones((len(crops) - 1, 3)), "shape", id="too few rows"),
        pytest.param(lambda crops: np.ones((len(crops), len(crops))), "of 64 values, then of 22", id="sizes differ"),
    ],
)
def test_answers_that_are_refused_leave_nothing_behind(faces, tmp_path, embed, message):
    with pytest.raises(FacedistillError, match=message):
        cached_embeddings(embed, faces, "model", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing_behind(faces, tmp_path):
    def embed(crops):
        if len(crops) < 64:
            raise KeyboardInterrupt
        return Net()(crops)

    with pytest.raises(KeyboardInterrupt):
        cached_embeddings(embed, faces, "model", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_set_that_cannot_be_read_at_all(faces, tmp_path):
    with pytest.raises(FacedistillError, match="no picture that can be read"):
        cached_embeddings(Net(), Spoilt(faces, range(150)), "model", tmp_path)


def test_a_model_without_a_digest_is_refused(faces, tmp_path):
    with pytest.raises(UsageError, match="digest"):
        cached_embeddings(Net(), faces, "", tmp_path)


def test_the_cache_folder_is_the_default(faces, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path))
    cached_embeddings(Net(), faces, "model")
    assert len(list((tmp_path / "embeddings").glob("*.npy"))) == 1
