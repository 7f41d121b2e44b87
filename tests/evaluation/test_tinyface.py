"""TinyFace against an oracle of plain loops."""

import numpy as np
import pytest
from drawn_people import embed, figures_of
from low_resolution_sets import EXACT, column, cosine, listed, relist, seen, tear, write_tinyface
from scipy.io import savemat

from facedistill.errors import FacedistillError


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
    return figures_of(embed, f"tinyface:{root}")


@pytest.mark.parametrize("seed", [0, 1])
def test_tinyface_is_the_oracle_s(seed, tmp_path):
    figures = tinyface(write_tinyface(tmp_path, seed=seed))
    rank_k, mean_precision = tinyface_oracle(tmp_path)
    assert 0.2 < rank_k[1] < 0.9, "a set that separates nets"
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
    figures = figures_of(lambda crops: np.ones((len(crops), 3), np.float32), f"tinyface:{tmp_path}")
    assert figures["rank_k"] == {"1": 0, "5": 0, "10": 0, "20": 0, "50": pytest.approx(1.0)}


def test_a_copy_of_the_mate_among_the_distractors_comes_first(tmp_path):
    write_tinyface(tmp_path)
    folder = tmp_path / "Testing_Set"
    for picture in (folder / "Gallery_Match").iterdir():
        (folder / "Gallery_Distractor" / picture.name).write_bytes(picture.read_bytes())
    assert tinyface(tmp_path)["rank_k"]["1"] == 0


def test_tinyface_notes_what_it_cannot_measure(tmp_path):
    figures = tinyface(write_tinyface(tmp_path))
    assert figures["open_set"] is None
    notes = " | ".join(figures["notes"])
    assert "can give no open-set figure" in notes
    assert "neither detected nor aligned" in notes
    assert "30 distractors instead of 153428" in notes


def test_its_testing_set_may_be_named_itself(tmp_path):
    write_tinyface(tmp_path)
    assert tinyface(tmp_path / "Testing_Set") == tinyface(tmp_path)


def test_a_gallery_of_one_person_is_no_gallery(tmp_path):
    write_tinyface(tmp_path)
    folder = tmp_path / "Testing_Set"
    for role, mat in (("gallery", "gallery_match_img_ID_pairs.mat"), ("probe", "probe_img_ID_pairs.mat")):
        relist(folder / mat, role, lambda names, people: (names, [1] * len(people)))
    with pytest.raises(FacedistillError, match="fewer than two people"):
        tinyface(tmp_path)


def test_lists_may_be_rows_of_cells(tmp_path):
    """Some tools write [1, N] where the set's own lists are [N, 1]."""
    write_tinyface(tmp_path)
    before = tinyface(tmp_path)
    mat = tmp_path / "Testing_Set" / "probe_img_ID_pairs.mat"
    names, people = zip(*listed(mat, "probe"), strict=True)
    savemat(mat, {"probe_set": column(names).T, "probe_ids": np.array(people, dtype=np.float64)[None]})
    assert tinyface(tmp_path) == before
