"""TinyFace, QMUL-SurvFace and SCface against oracles of plain loops, and what bad sets do."""

import io
import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from low_resolution_sets import (
    SIZE,
    People,
    column,
    embed,
    look_at,
    read_crop,
    tear,
    write_id_list,
    write_scface,
    write_survface,
    write_tinyface,
)
from rich.console import Console
from scipy.io import loadmat, savemat

from facedistill.cli import main
from facedistill.datasets import FaceList, align_faces, load_orl, write_face_set
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import evaluate
from facedistill.evaluation.protocols import result_tables
from facedistill.pictures import encode_picture
from facedistill.variance import degrade

EXACT = {"rel": 0, "abs": 1e-9}


def listed(mat, role):
    """[(name, id), ...] of a list, by scipy."""
    content = loadmat(mat)
    names = [str(cell[0][0]) for cell in content[f"{role}_set"]]
    return list(zip(names, content[f"{role}_ids"].ravel().tolist(), strict=True))


def seen(path):
    """As `look_at`, or None for a torn picture."""
    try:
        return look_at(path)
    except TypeError:  # OpenCV gives None
        return None


def cosine(a, b):
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


# TinyFace -----------------------------------------------------------------------------------------------------------


def tinyface_oracle(root):
    folder = root / "Testing_Set"
    gallery = [
        (identity, seen(folder / "Gallery_Match" / name))
        for name, identity in listed(folder / "gallery_match_img_ID_pairs.mat", "gallery")
    ]
    searched = gallery + [(None, seen(path)) for path in sorted((folder / "Gallery_Distractor").iterdir())]
    first_ranks, precisions = [], []
    for name, identity in listed(folder / "probe_img_ID_pairs.mat", "probe"):
        probe = seen(folder / "Probe" / name)
        mates = sum(of == identity for of, _ in gallery)
        if probe is None:
            first_ranks.append(float("inf"))
            precisions.append(0.0)
            continue
        scored = [(cosine(probe, row), of == identity) for of, row in searched if row is not None]
        right = [mate for _score, mate in sorted(scored, key=lambda pair: (-pair[0], pair[1]))]
        first_ranks.append(right.index(True) + 1 if True in right else float("inf"))
        area, before, found = 0.0, 1.0, 0
        for rank, mate in enumerate(right, start=1):
            found += mate
            now = found / rank
            area += mate / mates * (before + now) / 2
            before = now
        precisions.append(area)
    rank_k = {k: sum(rank <= k for rank in first_ranks) / len(first_ranks) for k in range(1, 51)}
    return rank_k, sum(precisions) / len(precisions)


def tinyface(root):
    return evaluate(embed, f"tinyface:{root}")["tinyface"]


@pytest.mark.parametrize("seed", [0, 1])
def test_tinyface_is_the_oracle_s(seed, tmp_path):
    figures = tinyface(write_tinyface(tmp_path, seed=seed))
    rank_k, mean_precision = tinyface_oracle(tmp_path)
    assert 0.2 < rank_k[1] < 0.9, "a set that tells nets apart"
    assert figures["rank_k"] == pytest.approx({str(k): rank_k[k] for k in (1, 5, 10, 20, 50)}, **EXACT)
    assert figures["cmc"] == pytest.approx(list(rank_k.values()), **EXACT)
    assert figures["map"] == pytest.approx(mean_precision, **EXACT)
    low, high = figures["ci"]["rank1"]
    assert 0 <= low <= rank_k[1] <= high <= 1
    assert figures["fte"] == 0


def test_tinyface_counts_what_it_cannot_read_and_never_gains_by_it(tmp_path):
    write_tinyface(tmp_path)
    before = tinyface(tmp_path)
    folder = tmp_path / "Testing_Set"
    tear(folder / "Probe" / "1000_probe_0.jpg")
    tear(folder / "Gallery_Match" / "1001_gallery_0.jpg")
    tear(folder / "Gallery_Distractor" / "d0003.jpg")
    figures = tinyface(tmp_path)
    rank_k, mean_precision = tinyface_oracle(tmp_path)
    assert figures["rank_k"]["1"] == pytest.approx(rank_k[1], **EXACT)
    assert figures["map"] == pytest.approx(mean_precision, **EXACT)
    assert figures["failed"] == {"gallery pictures": 1, "probes": 1, "distractors": 1}
    assert figures["fte"] == pytest.approx(3 / sum(before["counts"][name] for name in before["failed"]))
    assert figures["map"] < before["map"]


def test_equal_pictures_rank_before_the_right_one(tmp_path):
    """A net that finds everybody alike finds nobody."""
    write_tinyface(tmp_path)
    figures = evaluate(lambda crops: np.ones((len(crops), 3), np.float32), f"tinyface:{tmp_path}")["tinyface"]
    assert figures["rank_k"] == {"1": 0, "5": 0, "10": 0, "20": 0, "50": pytest.approx(1.0)}


@pytest.mark.parametrize("name", ["scface", "survface"])
def test_a_net_that_finds_everybody_alike_gains_nothing(name, tmp_path):
    WRITERS[name](tmp_path)
    figures = evaluate(lambda crops: np.ones((len(crops), 3), np.float32), f"{name}:{tmp_path}")[name]
    if name == "scface":
        cells = [figures["rank1"], *figures["by_camera"].values(), *figures["cross_distance"].values()]
        assert {rate for cell in cells for rate in cell.values()} == {0.0}
    else:
        assert set(figures["identification"]["tpir20_at_fpir"].values()) == {0.0}
        assert figures["identification"]["auc"] == 0
        assert set(figures["verification"]["tar_at_far"].values()) == {0.0}
        assert figures["verification"]["auc"] == figures["verification"]["accuracy"] == 0.5


def test_a_copy_of_the_mate_among_the_distractors_comes_first(tmp_path):
    write_tinyface(tmp_path)
    folder = tmp_path / "Testing_Set"
    for picture in (folder / "Gallery_Match").iterdir():
        (folder / "Gallery_Distractor" / picture.name).write_bytes(picture.read_bytes())
    assert tinyface(tmp_path)["rank_k"]["1"] == 0


def test_tinyface_says_what_it_cannot_say(tmp_path):
    figures = tinyface(write_tinyface(tmp_path))
    assert figures["open_set"] is None
    notes = " | ".join(figures["notes"])
    assert "can give no open-set figure" in notes
    assert "neither detected nor aligned" in notes
    assert "30 distractors instead of 153428" in notes


def test_its_testing_set_may_be_named_itself(tmp_path):
    write_tinyface(tmp_path)
    assert tinyface(tmp_path / "Testing_Set") == tinyface(tmp_path)


# SurvFace -----------------------------------------------------------------------------------------------------------


def survface(root):
    return evaluate(embed, f"survface:{root}")["survface"]


def scored_pairs(folder):
    """[(score or None, same), ...] in the order of the lists, same pairs first."""
    pairs = []
    for kind, same in (("positive", True), ("negative", False)):
        for left, right in loadmat(folder / f"{kind}_pairs_names.mat")[f"{kind}_pairs_names"]:
            a, b = (seen(folder / "verification_images" / str(cell[0])) for cell in (left, right))
            pairs.append((None if a is None or b is None else cosine(a, b), same))
    return pairs


def verification_oracle(folder, folds=True):
    pairs = scored_pairs(folder)
    genuine = [score for score, same in pairs if same]
    impostor = [score for score, same in pairs if not same and score is not None]
    right = [score for score in genuine if score is not None]

    def accepted(scores, threshold):
        return sum(score is not None and score >= threshold for score in scores)

    tars = {}
    for far in (0.3, 0.1, 0.01, 0.001):
        if far * len(impostor) < 1:
            continue
        allowed = [t for t in {*right, *impostor} if accepted(impostor, t) / len(impostor) <= far]
        tars[f"{far:g}"] = max((accepted(genuine, t) / len(genuine) for t in allowed), default=0.0)
    wins = sum((g > i) + (g == i) / 2 for g in right for i in impostor)
    area = wins / len(genuine) / len(impostor)
    if not folds:
        return tars, area, None
    half = len(genuine)
    tenths = [[*range(k * half // 10, (k + 1) * half // 10)] for k in range(10)]
    accuracies = []
    for fold in tenths:
        test = [*fold, *(half + index for index in fold)]
        train = [pairs[index] for index in range(2 * half) if index not in test and pairs[index][0] is not None]
        values = sorted({score for score, _ in train})
        cuts = [values[0] - 1, *((a + b) / 2 for a, b in pairwise(values)), values[-1] + 1]
        best = max(cuts, key=lambda cut: (sum((score >= cut) == same for score, same in train), cut))
        judged = [score is not None and (score >= best) == same for score, same in (pairs[index] for index in test)]
        accuracies.append(sum(judged) / len(judged))
    return tars, area, sum(accuracies) / 10


def search_oracle(folder):
    """TPIR20 at FPIR 0.3, 0.2, 0.1, the area under the curve, rank-1."""
    rows = {}
    for name, identity in listed(folder / "gallery_img_ID_pairs.mat", "gallery"):
        row = seen(folder / "gallery" / name)
        rows.setdefault(identity, [])
        if row is not None:
            rows[identity].append(row)
    templates = {identity: sum(of) / len(of) for identity, of in rows.items() if of}
    templates = {identity: row / np.sqrt((row**2).sum()) for identity, row in templates.items()}
    mated = []
    for name, identity in listed(folder / "mated_probe_img_ID_pairs.mat", "mated_probe"):
        probe = seen(folder / "mated_probe" / name)
        if probe is None or identity not in templates:
            mated.append((-2.0, float("inf")))
            continue
        scores = {of: cosine(probe, row) for of, row in templates.items()}
        mated.append((scores[identity], sum(score >= scores[identity] for score in scores.values())))
    probes = [seen(path) for path in (folder / "unmated_probe").iterdir()]
    strangers = [max(cosine(probe, row) for row in templates.values()) for probe in probes if probe is not None]

    def tpir(threshold):
        return sum(score >= threshold and rank <= 20 for score, rank in mated) / len(mated)

    at = {}
    for fpir in (0.3, 0.2, 0.1):
        falling = sorted(strangers, reverse=True)
        allowed = int(fpir * len(falling) + 1e-9)
        at[f"{fpir:g}"] = tpir(np.nextafter(falling[allowed] + 1e-6, 2))
    # The curve as steps from the strictest threshold to the laxest: FPIR grows by one stranger at a time.
    area = sum(tpir(stranger) for stranger in strangers) / len(strangers)
    return at, area, sum(rank == 1 for _score, rank in mated) / len(mated)


@pytest.mark.parametrize("seed", [0, 1])
def test_survface_is_the_oracle_s(seed, tmp_path):
    figures = survface(write_survface(tmp_path, seed=seed))
    tars, area, accuracy = verification_oracle(tmp_path / "Face_Verification_Test_Set")
    cell = figures["verification"]
    assert list(tars) == ["0.3", "0.1"], "thirty impostors support no FAR of 0.01"
    assert cell["tar_at_far"] == pytest.approx(tars, **EXACT)
    assert 0.5 < area < 0.99
    assert cell["auc"] == pytest.approx(area, **EXACT)
    assert cell["accuracy"] == pytest.approx(accuracy, **EXACT)
    at, area, rank1 = search_oracle(tmp_path / "Face_Identification_Test_Set")
    cell = figures["identification"]
    assert cell["tpir20_at_fpir"] == pytest.approx(at, **EXACT)
    assert 0 < at["0.1"] < at["0.3"] < 1
    assert cell["auc"] == pytest.approx(area, **EXACT)
    assert cell["rank_k"]["1"] == pytest.approx(rank1, **EXACT)
    assert cell["fte"] == figures["verification"]["fte"] == 0


def test_survface_counts_what_it_cannot_read_and_never_gains_by_it(tmp_path):
    write_survface(tmp_path)
    before = survface(tmp_path)
    search, verification = tmp_path / "Face_Identification_Test_Set", tmp_path / "Face_Verification_Test_Set"
    tear(verification / "verification_images" / "103_positive_3_0.jpg")
    tear(verification / "verification_images" / "105_negative_5_0.jpg")
    gone = [name for name, identity in listed(search / "gallery_img_ID_pairs.mat", "gallery") if identity == 4]
    for name in gone:
        tear(search / "gallery" / name)
    probes = [name for name, identity in listed(search / "mated_probe_img_ID_pairs.mat", "mated_probe")]
    tear(search / "mated_probe" / probes[0])
    tear(next((search / "unmated_probe").iterdir()))
    figures = survface(tmp_path)
    tars, area, accuracy = verification_oracle(verification)
    cell = figures["verification"]
    assert cell["tar_at_far"] == pytest.approx(tars, **EXACT)
    assert cell["auc"] == pytest.approx(area, **EXACT)
    assert cell["accuracy"] == pytest.approx(accuracy, **EXACT)
    assert cell["failed"] == {"same pairs": 1, "different pairs": 1, "pictures": 2}
    at, area, rank1 = search_oracle(search)
    cell = figures["identification"]
    assert cell["tpir20_at_fpir"] == pytest.approx(at, **EXACT)
    assert cell["auc"] == pytest.approx(area, **EXACT)
    assert cell["rank_k"]["1"] == pytest.approx(rank1, **EXACT)
    assert cell["failed"] == {"gallery pictures": len(gone), "mated probes": 1, "unmated probes": 1}
    assert cell["not_enrolled"] == sum(
        identity == 4 for _, identity in listed(search / "mated_probe_img_ID_pairs.mat", "mated_probe")
    )
    assert cell["rank_k"]["1"] < before["identification"]["rank_k"]["1"]


def test_one_of_survface_s_tests_may_be_alone(tmp_path):
    write_survface(tmp_path)
    (tmp_path / "Face_Identification_Test_Set").rename(tmp_path / "elsewhere")
    assert set(survface(tmp_path)) == {"verification", "notes"}
    (tmp_path / "Face_Verification_Test_Set").rename(tmp_path / "elsewhere too")
    with pytest.raises(UsageError, match="holds neither"):
        survface(tmp_path)


# SCface -------------------------------------------------------------------------------------------------------------


def scface(root, **options):
    return evaluate(embed, f"scface:{root}", **options)["scface"]


def scface_pictures(root):
    """{name: embedding or None} of everything below a folder."""
    return {path.stem: seen(path) for path in sorted(root.rglob("*.*")) if path.is_file()}


def first_among(probe, person, gallery):
    """Whether a person of [(person, row), ...] is found before everybody else; False where there is nothing."""
    mates = [cosine(probe, row) for of, row in gallery if of == person and row is not None]
    others = [cosine(probe, row) for of, row in gallery if of != person and row is not None]
    return bool(mates) and max(mates) > max(others)


def scface_oracle(pictures, people):
    shots = [
        (int(name[:3]), int(name[7]), int(name[9]), row)
        for name, row in pictures.items()
        if "_cam" in name and int(name[:3]) in people
    ]
    mugshots = [(person, pictures[f"{person:03}_frontal"]) for person in people]
    hits = [(c, d, row is not None and first_among(row, p, mugshots)) for p, c, d, row in shots]

    def rate(chosen):
        return sum(chosen) / len(chosen)

    rank1 = {str(d): rate([hit for _c, of, hit in hits if of == d]) for d in (1, 2, 3)}
    rank1["all"] = rate([hit for _c, _d, hit in hits])
    by_camera = {
        str(c): {str(d): rate([hit for of, at, hit in hits if (of, at) == (c, d)]) for d in (1, 2, 3)}
        for c in range(1, 6)
    }
    across = {}
    for gallery_at in (1, 2, 3):
        for probe_at in (1, 2, 3):
            chosen = []
            for person, camera, distance, row in shots:
                if distance == probe_at:
                    gallery = [(p, of) for p, c, d, of in shots if d == gallery_at and c != camera]
                    chosen.append(row is not None and first_among(row, person, gallery))
            across.setdefault(str(gallery_at), {})[str(probe_at)] = rate(chosen)
    return rank1, by_camera, across


def check_scface(figures, root, people):
    rank1, by_camera, across = scface_oracle(scface_pictures(root), people)
    assert figures["rank1"] == pytest.approx(rank1, **EXACT)
    for camera, rates in by_camera.items():
        all_distances = figures["by_camera"][camera].pop("all")
        assert figures["by_camera"][camera] == pytest.approx(rates, **EXACT)
        assert all_distances == pytest.approx(np.mean(list(rates.values())), **EXACT)
    for gallery, rates in across.items():
        assert figures["cross_distance"][gallery] == pytest.approx(rates, **EXACT)
    return rank1


def test_scface_is_the_oracle_s(tmp_path):
    figures = scface(write_scface(tmp_path))
    rank1 = check_scface(figures, tmp_path, range(1, 9))
    assert 0.1 < rank1["all"] < 0.9, "a set that tells nets apart"
    assert figures["split"] == {"rule": "all people", "testing": list(range(1, 9)), "training": []}
    low, high = figures["ci"]["all"]
    assert low <= rank1["all"] <= high
    assert "8 mugshots instead of 130" in " ".join(figures["notes"])


def test_scface_in_one_folder_and_with_copies_gives_the_same(tmp_path):
    figures = scface(write_scface(tmp_path / "unpacked"))
    assert scface(write_scface(tmp_path / "flat", flat=True)) == figures
    for picture in list((tmp_path / "unpacked").rglob("*_cam*.jpg")):
        copy = tmp_path / "unpacked" / "surveillance_cameras_all" / picture.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(picture.read_bytes())
    (tmp_path / "unpacked" / "mugshot_frontal_original_all").mkdir()
    (tmp_path / "unpacked" / "mugshot_frontal_original_all" / "001_frontal.jpg").write_bytes(b"another picture")
    assert scface(tmp_path / "unpacked") == figures


def test_scface_split_says_who_and_searches_them_alone(tmp_path):
    write_scface(tmp_path)
    figures = scface(tmp_path, testing=5, seed=3)
    split = figures["split"]
    assert split["rule"] == "5 people drawn by seed 3"
    assert len(split["testing"]) == 5
    assert sorted(split["testing"] + split["training"]) == list(range(1, 9))
    check_scface(figures, tmp_path, split["testing"])
    assert scface(tmp_path, testing=5, seed=4)["split"]["testing"] != split["testing"]


def test_scface_failures_are_misses(tmp_path):
    write_scface(tmp_path)
    tear(tmp_path / "mugshot_frontal_cropped_all" / "002_frontal.JPG")
    tear(tmp_path / "surveillance_cameras_distance_1" / "cam_4" / "005_cam4_1.jpg")
    figures = scface(tmp_path)
    check_scface(figures, tmp_path, range(1, 9))
    assert figures["failed"] == {"1": 1, "2": 0, "3": 0, "mugshots": 1, "all": 1}
    assert figures["fte"]["1"] == 1 / 40
    assert figures["failures"]["unreadable"] == 2


def test_scface_pictures_without_a_face_are_misses(tmp_path):
    """Pictures of no crop convention's size go through the detector."""
    write_scface(tmp_path, people=3)
    blank = People(9)
    for camera in (1, 2, 3, 4, 5):
        path = tmp_path / "surveillance_cameras_distance_3" / f"cam_{camera}" / f"001_cam{camera}_3.jpg"
        blank.write(path, 0, (48, 40))
    figures = scface(tmp_path)
    assert figures["failed"]["3"] == figures["failures"]["no_face"] == 5
    assert figures["rank1"]["3"] <= 10 / 15


def test_scface_photos_are_found_and_aligned(tmp_path):
    """Real photos, of no crop convention's size."""
    photos = [load_orl().faces[index] for index in (0, 1, 10, 11)]
    names = ["001_frontal.JPG", "001_cam1_1.jpg", "002_frontal.JPG", "002_cam1_1.jpg"]
    for name, photo in zip(names, photos, strict=True):
        (tmp_path / name).write_bytes(encode_picture(photo.image, ".png"))
    crops = []
    evaluate(lambda batch: crops.append(batch) or embed(batch), f"scface:{tmp_path}")
    aligned = {face.key: face.image for face in align_faces(FaceList(photos)).faces.faces}
    expected = [aligned[photos[index].key] for index in (0, 2, 1, 3)]  # mugshots first
    np.testing.assert_array_equal(np.concatenate(crops), expected)


def test_scface_at_given_resolutions(tmp_path):
    """The probes alone are degraded, then both sides: native pictures go through `degrade` before the net."""
    write_scface(tmp_path, people=5)
    sweep = scface(tmp_path, resolutions=(16,))["sweep"]
    assert list(sweep) == ["16", "both"]
    pictures = {path.stem: path for path in tmp_path.rglob("*.*") if path.is_file()}

    def looked(path, rows):
        crop = read_crop(path) if rows is None else degrade(read_crop(path), rows)
        row = embed(crop[None])[0].astype(np.float64)
        return row / np.sqrt((row**2).sum())

    for cell, gallery_rows in ((sweep["16"], None), (sweep["both"]["16"], 16)):
        mugshots = [(p, looked(pictures[f"{p:03}_frontal"], gallery_rows)) for p in range(1, 6)]
        hits = [
            first_among(looked(path, 16), int(name[:3]), mugshots) for name, path in pictures.items() if "cam" in name
        ]
        assert cell["rank1"]["all"] == pytest.approx(sum(hits) / len(hits), **EXACT)


# What they share ----------------------------------------------------------------------------------------------------


WRITERS = {"tinyface": write_tinyface, "survface": write_survface, "scface": write_scface}


@pytest.mark.parametrize("name", WRITERS)
def test_figures_are_json_and_have_tables(name, tmp_path):
    WRITERS[name](tmp_path)
    on = f"{name}:{tmp_path}"
    results = evaluate(embed, on)
    assert json.loads(json.dumps(results)) == results
    console = Console(width=200, record=True, file=io.StringIO())
    for table in result_tables("net", on, results):
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


def relist(mat, role, change):
    names, people = zip(*listed(mat, role), strict=True)
    names, people = change(list(names), list(people))
    write_id_list(mat, role, names, people)


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
    ("name", "mat", "role", "change", "said"), [pytest.param(*case[:5], id=f"{case[0]}, {case[5]}") for case in BAD]
)
def test_lists_that_cannot_be_right(name, mat, role, change, said, tmp_path):
    WRITERS[name](tmp_path)
    relist(tmp_path / (TINY if name == "tinyface" else SURV) / mat, role, change)
    with pytest.raises(FacedistillError, match=said) as error:
        evaluate(embed, f"{name}:{tmp_path}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        pytest.param("negative", lambda cells: cells[:, :1], "not a list of pairs", id="one column"),
        pytest.param("negative", lambda cells: cells[:0], "not a list of pairs", id="no impostor at all"),
        pytest.param("negative", lambda cells: cells[:1], "two same and two different", id="one impostor"),
        pytest.param("positive", lambda cells: cells[:, [0, 0]], "with itself", id="a picture and itself"),
    ],
)
def test_pairs_that_cannot_be_right(kind, change, said, tmp_path):
    write_survface(tmp_path, pairs=12)
    mat = tmp_path / "Face_Verification_Test_Set" / f"{kind}_pairs_names.mat"
    cells = loadmat(mat)[f"{kind}_pairs_names"]
    plain = np.array([[cell[0] for cell in row] for row in cells], dtype=object)
    savemat(mat, {f"{kind}_pairs_names": change(plain)})
    with pytest.raises(FacedistillError, match=said):
        survface(tmp_path)


def test_pairs_listed_twice_count_twice_and_are_told(tmp_path):
    write_survface(tmp_path, pairs=12)
    mat = tmp_path / "Face_Verification_Test_Set" / "positive_pairs_names.mat"
    cells = [[str(cell[0]) for cell in row] for row in loadmat(mat)["positive_pairs_names"]]
    savemat(mat, {"positive_pairs_names": np.array([*cells, cells[0][::-1]], dtype=object)})
    figures = survface(tmp_path)
    assert figures["verification"]["counts"]["same pairs"] == 13
    assert figures["verification"]["auc"] == pytest.approx(verification_oracle(mat.parent, folds=False)[1], **EXACT)
    assert "1 pairs are listed more than once" in " ".join(figures["notes"])


def test_a_pair_that_is_same_and_different(tmp_path):
    write_survface(tmp_path, pairs=12)
    folder = tmp_path / "Face_Verification_Test_Set"
    same = loadmat(folder / "positive_pairs_names.mat")["positive_pairs_names"]
    savemat(folder / "negative_pairs_names.mat", {"negative_pairs_names": same})
    with pytest.raises(FacedistillError, match="both as same and as different"):
        survface(tmp_path)


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
    ("name", "change", "said"),
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
def test_sets_that_lack_what_the_protocol_needs(name, change, said, tmp_path):
    WRITERS[name](tmp_path)
    change(tmp_path)
    with pytest.raises(FacedistillError, match=said) as error:
        evaluate(embed, f"{name}:{tmp_path}")
    assert "\n" not in str(error.value)


def test_a_gallery_of_one_person_is_no_gallery(tmp_path):
    write_tinyface(tmp_path)
    folder = tmp_path / "Testing_Set"
    for role, mat in (("gallery", "gallery_match_img_ID_pairs.mat"), ("probe", "probe_img_ID_pairs.mat")):
        relist(folder / mat, role, lambda names, people: (names, [1] * len(people)))
    with pytest.raises(FacedistillError, match="fewer than two people"):
        tinyface(tmp_path)


def test_two_different_pictures_of_one_name(tmp_path):
    write_scface(tmp_path)
    (tmp_path / "001_cam1_1.jpg").write_bytes(b"another")
    with pytest.raises(FacedistillError, match="differ but have one name"):
        scface(tmp_path)


@pytest.mark.parametrize("testing", [0, 1, 9, "half", True])
def test_scface_splits_that_cannot_be(testing, tmp_path):
    with pytest.raises(UsageError, match="testing"):
        scface(write_scface(tmp_path), testing=testing)


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


def test_lists_may_be_rows_of_cells(tmp_path):
    """Some tools write [1, N] where the set's own lists are [N, 1]."""
    write_tinyface(tmp_path)
    before = tinyface(tmp_path)
    mat = tmp_path / "Testing_Set" / "probe_img_ID_pairs.mat"
    names, people = zip(*listed(mat, "probe"), strict=True)
    savemat(mat, {"probe_set": column(names).T, "probe_ids": np.array(people, dtype=np.float64)[None]})
    assert tinyface(tmp_path) == before


def run_eval(monkeypatch, *words):
    """`facedistill eval` of a net that is `embed`."""
    net = SimpleNamespace(embed=embed, input_size=SIZE)
    monkeypatch.setattr("facedistill.teachers.load_teacher", lambda _spec: net)
    return main(["eval", "net.onnx", *words])


def test_the_command_line_reaches_the_options(tmp_path, monkeypatch, capsys):
    write_scface(tmp_path, people=5)
    on, out = f"scface:{tmp_path}", tmp_path / "out.json"
    words = ["--on", on, "--json", str(out), "--testing", "4", "--seed", "2", "--resolutions", "[16]"]
    assert run_eval(monkeypatch, *words) == 0
    expected = evaluate(embed, on, testing=4, seed=2, resolutions=(16,))
    assert json.loads(out.read_text()) == expected
    assert "both at 16 px" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["tinyface", "--resolutions", "[16]"], "tinyface is not degraded", id="natively small"),
        pytest.param(["tinyface", "--testing", "50"], "has no option 'testing'", id="another protocol's option"),
        pytest.param(["scface", "--resolutions", "[200]"], "cannot be shrunk to 200", id="more rows than there are"),
        pytest.param(["scface", "--testing", "all"], "testing", id="no number"),
        pytest.param(["survface", "--resolutions", "[16]"], "survface is not degraded", id="natively small too"),
    ],
)
def test_the_command_line_refuses_in_one_line(words, said, tmp_path, monkeypatch, capsys):
    name, *options = words
    WRITERS[name](tmp_path)
    assert run_eval(monkeypatch, "--on", f"{name}:{tmp_path}", *options) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error


def test_a_face_set_is_swept_at_given_resolutions(tmp_path, toy_people):
    write_face_set(tmp_path / "people", toy_people)
    cells = evaluate(embed, tmp_path / "people", resolutions=(24,))["people"]
    assert set(cells) == {"native", "24", "both"}
