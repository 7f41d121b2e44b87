"""SCface against an oracle of plain loops."""

import numpy as np
import pytest
from drawn_people import Painter, embed, figures_of
from low_resolution_sets import EXACT, cosine, read_crop, seen, tear, write_scface

from facedistill.datasets import FaceList, align_faces, load_orl
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import evaluate
from facedistill.pictures import encode_picture
from facedistill.variance import degrade


def scface(root, **options):
    return figures_of(embed, f"scface:{root}", **options)


def scface_pictures(root):
    """{name: embedding or None} of everything below a folder."""
    return {path.stem: seen(path) for path in sorted(root.rglob("*.*")) if path.is_file()}


def first_among(probe, person, gallery):
    """Whether a person of [(person, row), ...] is found before everybody else; False where there is nothing."""
    mates = [cosine(probe, row) for of, row in gallery if of == person and row is not None]
    others = [cosine(probe, row) for of, row in gallery if of != person and row is not None]
    return bool(mates) and max(mates) > max(others)


def scface_oracle(pictures, people):
    photos = [
        (int(name[:3]), int(name[7]), int(name[9]), row)
        for name, row in pictures.items()
        if "_cam" in name and int(name[:3]) in people
    ]
    mugshots = [(person, pictures[f"{person:03}_frontal"]) for person in people]
    hits = [(c, d, row is not None and first_among(row, p, mugshots)) for p, c, d, row in photos]

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
            for person, camera, distance, row in photos:
                if distance == probe_at:
                    gallery = [(p, of) for p, c, d, of in photos if d == gallery_at and c != camera]
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
    assert 0.1 < rank1["all"] < 0.9, "a set that separates nets"
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


def test_scface_split_names_people_and_searches_them_alone(tmp_path):
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
    blank = Painter(9)
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


def test_two_different_pictures_of_one_name(tmp_path):
    write_scface(tmp_path)
    (tmp_path / "001_cam1_1.jpg").write_bytes(b"another")
    with pytest.raises(FacedistillError, match="differ but have one name"):
        scface(tmp_path)


@pytest.mark.parametrize("testing", [0, 1, 9, "half", True])
def test_scface_splits_that_cannot_be(testing, tmp_path):
    with pytest.raises(UsageError, match="testing"):
        scface(write_scface(tmp_path), testing=testing)
