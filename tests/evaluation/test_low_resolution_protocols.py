"""What TinyFace, QMUL-SurvFace and SCface share: notes and tables, and what bad sets do."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from drawn_people import SIZE, embed, figures_of, result_of
from low_resolution_sets import relist, tear, write_scface, write_survface, write_tinyface
from rich.console import Console

from facedistill.cli import main
from facedistill.datasets import write_face_set
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import evaluate

WRITERS = {"tinyface": write_tinyface, "survface": write_survface, "scface": write_scface}


@pytest.mark.parametrize("name", WRITERS)
def test_figures_are_json_and_have_tables(name, tmp_path):
    WRITERS[name](tmp_path)
    on = f"{name}:{tmp_path}"
    result = result_of(embed, on)
    figures = result.to_json()
    assert json.loads(json.dumps(figures)) == figures
    console = Console(width=200, record=True, file=io.StringIO())
    for table in result.tables(f"net on {name}"):
        console.print(table)
    text = " ".join(console.export_text().split())  # captions are wrapped
    assert f"net on {name}" in text
    assert "this is not the whole set" in text


@pytest.mark.parametrize("name", ["tinyface", "survface"])
def test_native_low_resolution_is_not_degraded_again(name, tmp_path):
    WRITERS[name](tmp_path)
    with pytest.raises(UsageError, match=f"{name} is not degraded: its faces are natively of low resolution"):
        evaluate(embed, f"{name}:{tmp_path}", resolutions=(16, 8))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda crops: np.full((len(crops), 4), np.nan, np.float32), id="NaN"),
        pytest.param(lambda crops: np.zeros((len(crops), 4), np.float32), id="no direction"),
        pytest.param(lambda crops: np.ones((len(crops) + 1, 4), np.float32), id="one too many"),
    ],
)
def test_a_net_that_fails_is_an_error(name, answer, tmp_path):
    WRITERS[name](tmp_path)
    with pytest.raises(FacedistillError) as error:
        evaluate(answer, f"{name}:{tmp_path}")
    assert "\n" not in str(error.value)


TINY, SURV = "Testing_Set/", "Face_Identification_Test_Set/"


BAD = [
    ("tinyface", "probe_img_ID_pairs.mat", "probe", lambda n, p: (["x.jpg", *n[1:]], p), "lacks 1 of the", "missing"),
    ("tinyface", "probe_img_ID_pairs.mat", "probe", lambda n, p: (n, [99, *p[1:]]), "not in the gallery", "stranger"),
    ("tinyface", "probe_img_ID_pairs.mat", "probe", lambda n, p: (n, p[1:]), "face ids", "fewer ids than names"),
    ("tinyface", "probe_img_ID_pairs.mat", "probe", lambda n, p: ([n[1], *n[1:]], p), "twice", "duplicate"),
    ("tinyface", "probe_img_ID_pairs.mat", "probe", lambda n, p: (["../x", *n[1:]], p), "no file name", "way out"),
    (
        "tinyface",
        "gallery_match_img_ID_pairs.mat",
        "gallery",
        lambda n, p: (n[:1], p[:1]),
        "not in the gallery",
        "cut list",
    ),
    ("survface", "mated_probe_img_ID_pairs.mat", "mated_probe", lambda n, p: (n, [99, *p[1:]]), "not in", "nobody's"),
    ("survface", "gallery_img_ID_pairs.mat", "gallery", lambda n, p: (["x.jpg", *n[1:]], p), "lacks 1 of", "absent"),
]


@pytest.mark.parametrize(
    ("name", "mat", "role", "change", "message"), [pytest.param(*case[:5], id=f"{case[0]}, {case[5]}") for case in BAD]
)
def test_lists_that_cannot_be_right(name, mat, role, change, message, tmp_path):
    WRITERS[name](tmp_path)
    relist(tmp_path / (TINY if name == "tinyface" else SURV) / mat, role, change)
    with pytest.raises(FacedistillError, match=message) as error:
        evaluate(embed, f"{name}:{tmp_path}")
    assert "\n" not in str(error.value)


def drop(pattern):
    def change(root: Path):
        for path in root.rglob(pattern):
            path.unlink()

    return change


def spoil(pattern):
    def change(root: Path):
        for path in root.rglob(pattern):
            tear(path)

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        pytest.param("tinyface", drop("d*.jpg"), "holds no picture", id="without distractors it would be easy"),
        pytest.param("tinyface", drop("probe_img_ID_pairs.mat"), "does not exist", id="no list"),
        pytest.param("tinyface", spoil("*_probe_*.jpg"), "not one of", id="no probe can be read"),
        pytest.param("tinyface", spoil("probe_img_ID_pairs.mat"), "cannot be read", id="half a list"),
        pytest.param("survface", drop("9??_cam1_*.jpg"), "holds no picture", id="nobody unknown"),
        pytest.param("survface", spoil("9??_cam1_*.jpg"), "not one of 40 unmated", id="nobody unknown can be read"),
        pytest.param("scface", drop("*_frontal.JPG"), "holds 0 mugshots", id="no mugshots"),
        pytest.param("scface", drop("003_frontal.JPG"), "without a mugshot: 003_cam1_1", id="one mugshot less"),
        pytest.param("scface", drop("*_cam*.jpg"), "0 surveillance", id="no probes"),
        pytest.param("scface", spoil("*_frontal.JPG"), "any of 8 mugshots", id="no mugshot can be read"),
        pytest.param("scface", spoil("00[2-8]_frontal.JPG"), "fewer than two people", id="one mugshot can be read"),
    ],
)
def test_sets_that_lack_what_the_protocol_needs(name, change, message, tmp_path):
    WRITERS[name](tmp_path)
    change(tmp_path)
    with pytest.raises(FacedistillError, match=message) as error:
        evaluate(embed, f"{name}:{tmp_path}")
    assert "\n" not in str(error.value)


def test_aligned_pictures_are_not_squeezed(tmp_path):
    """Faces that somebody aligned to 112x112 are cropped to 112x96, not resized."""
    seen_crops = []

    def watch(crops):
        seen_crops.append(crops)
        return embed(crops)

    write_tinyface(tmp_path)
    wide = np.zeros((112, 112, 3), np.uint8)
    wide[:, 8:104] = 255
    path = tmp_path / "Testing_Set" / "Probe" / "1000_probe_0.jpg"
    path.write_bytes(cv2.imencode(".png", wide)[1].tobytes())
    evaluate(watch, f"tinyface:{tmp_path}")
    crops = np.concatenate(seen_crops)
    assert (crops.reshape(len(crops), -1) == 255).all(axis=1).sum() == 1
    assert crops.shape[1:3] == SIZE


def run_eval(monkeypatch, *words):
    """`facedistill eval` of a net that is `embed`."""
    net = SimpleNamespace(embed=embed, input_size=SIZE)
    monkeypatch.setattr("facedistill.teachers.load_teacher", lambda _spec, *_stated: net)
    return main(["eval", "net.onnx", *words])


def test_the_command_line_reaches_the_options(tmp_path, monkeypatch, capsys):
    write_scface(tmp_path, people=5)
    on, out = f"scface:{tmp_path}", tmp_path / "out.json"
    words = ["--on", on, "--json", str(out), "--testing", "4", "--seed", "2", "--resolutions", "[16]"]
    assert run_eval(monkeypatch, *words) == 0
    expected = figures_of(embed, on, testing=4, seed=2, resolutions=(16,))
    assert json.loads(out.read_text()) == {"scface": expected}
    assert "both at 16 px" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["tinyface", "--resolutions", "[16]"], "tinyface is not degraded", id="natively small"),
        pytest.param(["tinyface", "--testing", "50"], "has no option 'testing'", id="another protocol's option"),
        pytest.param(["scface", "--resolutions", "[200]"], "cannot be shrunk to 200", id="more rows than there are"),
        pytest.param(["scface", "--testing", "all"], "testing", id="no number"),
        pytest.param(["survface", "--resolutions", "[16]"], "survface is not degraded", id="natively small too"),
    ],
)
def test_the_command_line_refuses_in_one_line(words, message, tmp_path, monkeypatch, capsys):
    name, *options = words
    WRITERS[name](tmp_path)
    assert run_eval(monkeypatch, "--on", f"{name}:{tmp_path}", *options) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_a_face_set_is_swept_at_given_resolutions(tmp_path, toy_people):
    write_face_set(tmp_path / "people", toy_people)
    cells = figures_of(embed, tmp_path / "people", resolutions=(24,))
    assert set(cells) == {"native", "24", "both"}


@pytest.mark.parametrize("name", ["scface", "survface"])
def test_a_net_that_finds_everybody_alike_gains_nothing(name, tmp_path):
    WRITERS[name](tmp_path)
    figures = figures_of(lambda crops: np.ones((len(crops), 3), np.float32), f"{name}:{tmp_path}")
    if name == "scface":
        cells = [figures["rank1"], *figures["by_camera"].values(), *figures["cross_distance"].values()]
        assert {rate for cell in cells for rate in cell.values()} == {0.0}
    else:
        assert set(figures["identification"]["tpir20_at_fpir"].values()) == {0.0}
        assert figures["identification"]["auc"] == 0
        assert set(figures["verification"]["tar_at_far"].values()) == {0.0}
        assert figures["verification"]["auc"] == figures["verification"]["accuracy"] == 0.5
