"""Sets of millions of records: parsed once, mapped afterwards, no Python object a record; samples that are fair."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import draw_toy_people

from facedistill.datasets import FaceList, Subset, open_face_set
from facedistill.errors import FacedistillError
from facedistill.recordio import RecordFile
from facedistill.training.sampling import BalancedBatches, ShuffledBatches

RECORD = np.dtype(
    [
        ("magic", "<u4"),
        ("length", "<u4"),
        ("flag", "<u4"),
        ("label", "<f4"),
        ("id", "<u8"),
        ("id2", "<u8"),
        ("end", "<u4"),
    ]
)


def lay_out(folder: Path, images: int, people: int) -> Path:
    """A set in the field's format, written without the code under test: headers, and pictures of four bytes."""
    folder.mkdir()
    records = np.zeros(images + 1, RECORD)
    records["magic"], records["length"] = 0xCED7230A, 28
    records["label"][1:] = np.arange(images) % people
    head = np.zeros(9, "<u4")
    head[:3] = 0xCED7230A, 32, 2
    header = np.array([images + 1, images + 1], "<f4")
    first = head[:8].tobytes() + header.tobytes()  # 40 bytes: two labels and no picture
    with (folder / "train.rec").open("wb") as file:
        file.write(first)
        file.write(records[1:].tobytes())
    keys = np.arange(images + 1)
    offsets = np.where(keys > 0, len(first) + (keys - 1) * RECORD.itemsize, 0)
    with (folder / "train.idx").open("w") as file:
        for start in range(0, len(keys), 100_000):
            part = slice(start, start + 100_000)
            file.writelines(
                f"{key}\t{at}\n" for key, at in zip(keys[part].tolist(), offsets[part].tolist(), strict=True)
            )
    (folder / "property").write_text(f"{people},112,96\n")
    return folder


@pytest.fixture(scope="module")
def million(tmp_path_factory) -> Path:
    return lay_out(tmp_path_factory.mktemp("big") / "set", 1_200_000, 1000)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FACEDISTILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_long_index_is_parsed_once_and_then_mapped(million, cache):
    first, again = RecordFile(million), RecordFile(million)
    assert sorted(path.name.split("-")[0] for path in cache.glob("*.npy")) == ["index"]
    assert isinstance(again.keys, np.memmap)
    assert len(again) == 1_200_000
    assert np.array_equal(first.keys, again.keys)
    label, _ = again[1_199_999]
    assert label == 999
    assert np.array_equal(again.labels, np.arange(1_200_000) % 1000)
    assert isinstance(RecordFile(million).labels, np.memmap)
    assert open_face_set(million).labels.dtype == np.int64


def test_what_is_kept_of_a_set_that_changed_is_made_anew(tmp_path, cache):
    folder = lay_out(tmp_path / "set", 1_200_000, 1000)
    assert len(RecordFile(folder)) == 1_200_000
    index = folder / "train.idx"
    index.write_text(index.read_text() + "x\n")
    with pytest.raises(FacedistillError, match="is damaged"):
        RecordFile(folder)
    os.truncate(index, index.stat().st_size - 2)
    assert len(RecordFile(folder)) == 1_200_000
    (kept,) = cache.glob("index-*.npy")
    kept.write_bytes(kept.read_bytes()[:100])
    assert len(RecordFile(folder)) == 1_200_000


def test_opening_a_parsed_set_takes_no_memory_for_each_record(million):
    """A Python object a record would take above 60 MB; the labels of a face set are int64, about 10 MB."""
    code = (
        "import resource, sys; from facedistill.datasets import open_face_set\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "faces = open_face_set(sys.argv[1]); len(faces)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    RecordFile(million)
    done = subprocess.run([sys.executable, "-c", code, str(million)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40_000  # KiB; the mapped index itself is 19 MB


@pytest.mark.slow
def test_beyond_what_float32_counts_the_records_say_where_the_images_end(tmp_path):
    images = (1 << 24) + 2  # + 1 is the end, which float32 rounds
    assert len(RecordFile(lay_out(tmp_path / "set", images, 1000))) == images


# ---- sampling -----------------------------------------------------------------------------------------------------


def drawn(batches) -> list[int]:
    return [index for batch in batches for _, index in batch]


def test_shuffled_shows_each_face_once_an_epoch_and_goes_on_in_the_middle():
    whole = drawn(ShuffledBatches(30, 7, 0, 12, seed=3))
    assert sorted(whole[:30]) == sorted(whole[30:60]) == list(range(30))
    assert whole[:30] != whole[30:60]
    assert drawn(ShuffledBatches(30, 7, 5, 12, seed=3)) == whole[5 * 7 :]


def test_balanced_shows_each_person_equally_often_and_draws_of_all_faces():
    labels = np.array([4] * 50 + [1] + [2] * 9)  # nobody is 0 or 3
    whole = drawn(BalancedBatches(labels, 6, 0, 100, seed=3))
    people = labels[whole].reshape(-1, 3)
    assert (np.sort(people, axis=1) == [1, 2, 4]).all()
    assert set(whole) >= set(range(51, 60))
    assert len(set(whole) & set(range(50))) > 40
    assert drawn(BalancedBatches(labels, 6, 40, 100, seed=3)) == whole[40 * 6 :]
    assert drawn(BalancedBatches(labels, 6, 0, 100, seed=4)) != whole


def test_a_subset_numbers_its_people_anew_without_gaps():
    toy = draw_toy_people(6, 2)
    part = Subset(FaceList(toy.faces), [11, 4, 5, 0])
    assert part.labels.tolist() == [2, 1, 1, 0]
    assert part.labels.dtype == np.int64
    assert Subset(toy, []).classes == 0
