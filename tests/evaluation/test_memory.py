"""Memory does not grow with the pictures that are tested, but by their embeddings and scores."""

import tracemalloc

import numpy as np
import pytest
from tests.conftest import draw_toy_people

from facedistill.datasets.bins import write_bin
from facedistill.errors import UsageError
from facedistill.evaluation.protocols.bins import Bins
from facedistill.evaluation.sweep import sweep
from facedistill.pictures import encode_picture

CROP = 112 * 96 * 3  # bytes


def embed(crops):
    return crops[:, 8::24, 8::24].reshape(len(crops), -1).astype(np.float32) + 1


def peak_of(path) -> int:
    """Bytes at most in use while a list of pairs is tested."""
    tracemalloc.start()
    Bins(resolutions=(16,)).run(embed, path, (112, 96))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_list_of_pairs_is_read_batch_by_batch(tmp_path):
    """By each further picture less than a tenth of it: 1e5 pictures of 32 KB stay far under 2 GB."""
    people = draw_toy_people(8, 2).faces
    pictures = [encode_picture(face.image, ".png") for face in people]
    peaks = {}
    for pairs in (200, 800):
        places = np.random.default_rng(0).integers(0, len(pictures), (pairs, 2))
        same = [people[one].label == people[other].label for one, other in places]
        same[:20] = [True, False] * 10
        write_bin(tmp_path / f"{pairs}.bin", [pictures[place] for pair in places for place in pair], same)
        peaks[pairs] = peak_of(tmp_path / f"{pairs}.bin")
    growth = (peaks[800] - peaks[200]) / (2 * 600)
    encoded = (tmp_path / "800.bin").stat().st_size / 1600  # which the list itself holds
    assert growth < encoded + CROP / 10, f"{growth:.0f} bytes a picture"


class Many:
    """A set of so many pictures, none of which may be read."""

    size, classes = (112, 96), 50_000
    labels = np.repeat(np.arange(50_000), 2)

    def __len__(self):
        return 100_000

    def __getitem__(self, index):
        raise AssertionError("it is read")


def test_more_pictures_than_can_be_compared_are_refused_before_one_is_read():
    with pytest.raises(UsageError, match=r"100000 pictures.*at most 5000"):
        sweep(embed, Many())
