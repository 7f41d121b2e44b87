"""QMUL-SurvFace against an oracle of plain loops."""

from itertools import pairwise

import numpy as np
import pytest
from drawn_people import embed, figures_of
from low_resolution_sets import EXACT, cosine, listed, seen, tear, write_survface
from scipy.io import loadmat, savemat

from facedistill.errors import FacedistillError, UsageError


def survface(root):
    return figures_of(embed, f"survface:{root}")


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
        correct = [score is not None and (score >= best) == same for score, same in (pairs[index] for index in test)]
        accuracies.append(sum(correct) / len(correct))
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


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        pytest.param("negative", lambda cells: cells[:, :1], "not a list of pairs", id="one column"),
        pytest.param("negative", lambda cells: cells[:0], "not a list of pairs", id="no impostor at all"),
        pytest.param("negative", lambda cells: cells[:1], "two same and two different", id="one impostor"),
        pytest.param("positive", lambda cells: cells[:, [0, 0]], "with itself", id="a picture and itself"),
    ],
)
def test_pairs_that_cannot_be_right(kind, change, message, tmp_path):
    write_survface(tmp_path, pairs=12)
    mat = tmp_path / "Face_Verification_Test_Set" / f"{kind}_pairs_names.mat"
    cells = loadmat(mat)[f"{kind}_pairs_names"]
    plain = np.array([[cell[0] for cell in row] for row in cells], dtype=object)
    savemat(mat, {f"{kind}_pairs_names": change(plain)})
    with pytest.raises(FacedistillError, match=message):
        survface(tmp_path)


def test_pairs_listed_twice_count_twice_and_are_noted(tmp_path):
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
