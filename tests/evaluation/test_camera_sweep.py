"""The camera sweep: its cells against the plain functions, and what a photograph does to a face."""

import json

import numpy as np
import pytest
from tests.conftest import draw_toy_people

from facedistill.datasets import write_bin, write_face_set
from facedistill.errors import UsageError
from facedistill.evaluation import evaluate, sweep, verify_pairs
from facedistill.evaluation.camera import MISALIGNMENT, photograph
from facedistill.pictures import encode_picture
from facedistill.variance import degrade


def embed(crops):
    """Means of blocks of 16 pixels, mid-grey taken off."""
    return crops.reshape(len(crops), 7, 16, 6, 16, 3).mean(axis=(2, 4)).reshape(len(crops), -1) - 127.5


@pytest.fixture(scope="module")
def faces():
    return draw_toy_people(8, 3, seed=2)


@pytest.fixture(scope="module")
def table(faces):
    return sweep(embed, faces, (16, 8), bootstrap=10, camera=True).to_json()["camera"]


@pytest.mark.parametrize("rows", [16, 8])
@pytest.mark.parametrize("matched", [False, True])
def test_cells_are_those_of_every_photographed_probe(faces, table, rows, matched):
    crops = [face.image for face in faces.faces]
    probes = embed(np.stack([photograph(crop, place, rows, seed=0) for place, crop in enumerate(crops)]))
    gallery = embed(np.stack([degrade(crop, rows) if matched else crop for crop in crops]))
    left, right = np.nonzero(~np.eye(len(faces), dtype=bool))
    sides = np.stack((faces.labels[left], faces.labels[right]), axis=1)
    expected = verify_pairs(probes[left], gallery[right], sides[:, 0] == sides[:, 1], identities=sides)
    cell = (table["both"] if matched else table)[str(rows)]
    assert cell["eer"] == pytest.approx(expected.eer, abs=1e-9)
    assert cell["auc"] == pytest.approx(expected.auc, abs=1e-9)


def test_native_pictures_pass_no_camera(faces, table):
    plain = sweep(embed, faces, (16, 8), bootstrap=10).to_json()
    assert table["native"] == table["both"]["native"] == plain["native"]
    assert table["both"]["8"]["auc"] < plain["both"]["8"]["auc"]
    assert set(table) == set(plain)


def test_the_seed_decides_what_the_camera_does(faces, table):
    def auc(seed):
        return sweep(embed, faces, (16, 8), bootstrap=10, seed=seed, camera=True).to_json()["camera"]["8"]["auc"]

    assert auc(0) == table["8"]["auc"] != auc(1)


def test_a_photograph_depends_on_its_own_numbers_alone(faces):
    crop = faces[0].image
    np.testing.assert_array_equal(photograph(crop, 5, 16, 3), photograph(crop, 5, 16, 3))
    for other in (photograph(crop, 6, 16, 3), photograph(crop, 5, 16, 4), photograph(crop, 5, 15, 3)):
        assert np.abs(other.astype(int) - photograph(crop, 5, 16, 3)).mean() > 1


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(44, MISALIGNMENT[44], id="a row of the table"),
        pytest.param(16, MISALIGNMENT[16], id="another"),
        pytest.param(14, np.mean((MISALIGNMENT[12], MISALIGNMENT[16]), axis=0), id="half way between two"),
        pytest.param(100, MISALIGNMENT[44], id="above all"),
    ],
)
def test_faces_are_shifted_as_the_table_has_it(rows, expected):
    """A bright spot in the middle of the crop is found where the shift has put it."""
    crop = np.zeros((112, 96, 3), np.uint8)
    crop[42:70, 34:62] = 255
    middles = []
    for place in range(200):
        bright = photograph(crop, place, rows, seed=1).mean(axis=2) > 70
        middles.append((np.nonzero(bright)[1].mean() / 96, np.nonzero(bright)[0].mean() / 112))
    # 200 draws know a deviation to 5 %; at few rows the spot's border adds about half a low-resolution pixel in ten.
    np.testing.assert_allclose(np.std(middles, axis=0), expected[2:], rtol=0.15)


def test_the_protocols_of_sets_have_a_camera(faces, tmp_path):
    write_face_set(tmp_path / "set", list(faces.faces))
    pictures = [encode_picture(face.image, ".png") for face in faces.faces]
    same = faces.labels[:-2:2] == faces.labels[1:-1:2]
    write_bin(tmp_path / "pairs.bin", pictures[:-2], same)
    for on in ("set", "pairs.bin"):
        ((_, result),) = evaluate(embed, tmp_path / on, resolutions=(8,), camera=True, seed=4).items()
        figures = json.loads(json.dumps(result.to_json()))
        assert figures["camera"].keys() == {"native", "8", "both"}
        (shown,) = result.tables("net")
        assert "as a camera sees them" in str(shown.title)


@pytest.mark.parametrize(
    ("on", "options", "message"),
    [
        pytest.param("set", {"groups": "auto"}, "camera or groups", id="groups have no camera"),
        pytest.param("tinyface:.", {}, "camera", id="a protocol without one"),
    ],
)
def test_where_there_is_no_camera(faces, tmp_path, on, options, message):
    write_face_set(tmp_path / "set", list(faces.faces))
    with pytest.raises(UsageError, match=message):
        evaluate(embed, on if ":" in on else tmp_path / on, camera=True, **options)
