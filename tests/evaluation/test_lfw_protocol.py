"""LFW's protocol against plain loops; what fails counts against the model."""

import cv2
import numpy as np
import pytest
from drawn_people import SIZE, embed, embedded, figures_of, result_of, spoil, write_picture
from generated_sets import write_lfw
from slow_oracles import cosine, flat, pair_figures

from facedistill.datasets import load_orl
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import evaluate
from facedistill.evaluation.sweep import sweep_pairs

NO_SWEEP = {"resolutions": ()}


def expected(made, lost=()):
    vectors = {picture: embedded(crop) for picture, crop in made.crops.items() if picture not in lost}
    return pair_figures(
        [
            (cosine(vectors[one], vectors[two]) if one in vectors and two in vectors else None, same, fold)
            for one, two, same, fold in made.pairs
        ]
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_the_figures_are_those_of_plain_loops(seed, tmp_path):
    made = write_lfw(tmp_path, seed=seed)
    found = figures_of(embed, f"lfw:{tmp_path}", **NO_SWEEP)
    assert found.pop("sweep") is None
    assert found.pop("failures") == {"pictures": len(made.crops), "unreadable": 0, "no_face": 0}
    wanted = expected(made)
    assert 0.6 < wanted["accuracy"] < 0.99
    assert flat(found) == pytest.approx(flat(wanted), abs=1e-9)


def test_a_picture_that_cannot_be_read_makes_its_pairs_fail(tmp_path):
    made = write_lfw(tmp_path)
    lost = {made.pairs[0][0], made.pairs[20][1]}
    whole = expected(made)
    for picture in lost:
        spoil(made.file(picture))
    found = figures_of(embed, f"lfw:{tmp_path}", **NO_SWEEP)
    assert found["failures"] == {"pictures": len(made.crops), "unreadable": 2, "no_face": 0}
    assert found["failed_pairs"] >= 2
    assert found["accuracy"] < whole["accuracy"]
    del found["failures"], found["sweep"]
    assert flat(found) == pytest.approx(flat(expected(made, lost)), abs=1e-9)


def test_the_sweep_degrades_the_second_picture_of_the_pairs_that_are_left(tmp_path):
    made = write_lfw(tmp_path)
    spoil(made.file(made.pairs[3][1]))
    found = figures_of(embed, f"lfw:{tmp_path}", resolutions=(20, 8), bootstrap=5)["sweep"]
    lost = made.pairs[3][1]
    left = [pair for pair in made.pairs if lost not in pair[:2]]
    sides = ([made.crops[pair[side]] for pair in left] for side in (0, 1))
    same = np.array([pair[2] for pair in left])
    assert found == sweep_pairs(embed, *sides, same, (20, 8), failed=len(made.pairs) - len(left), bootstrap=5).to_json()


def test_protocol_and_sweep_agree_on_native_pairs_in_ten_folds(tmp_path):
    write_lfw(tmp_path, folds=10, each=3)
    found = figures_of(embed, f"lfw:{tmp_path}", resolutions=(8,), bootstrap=0)
    for figure in ("accuracy", "accuracy_std", "eer", "auc"):
        assert found[figure] == pytest.approx(found["sweep"]["native"][figure], abs=1e-12)


def test_pictures_beside_the_list_serve_as_well(tmp_path):
    write_lfw(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "a/pairs.txt").rename(tmp_path / "b/pairs.txt")
    for person in (tmp_path / "a/lfw").iterdir():
        person.rename(tmp_path / "b" / person.name)
    assert figures_of(embed, f"lfw:{tmp_path / 'b'}", **NO_SWEEP)["pairs"] == 64


def test_photos_are_detected_and_aligned(tmp_path):
    """ORL's pictures in LFW's size; one shows no face."""
    orl = load_orl()
    lines, made = ["2\t2"], set()

    def photo(person, number):
        canvas = np.full((250, 250, 3), 128, np.uint8)
        canvas[13:237, 33:217] = cv2.resize(orl[10 * person + number - 1].image, (184, 224))
        path = tmp_path / f"lfw/P{person}/P{person}_{number:04d}.jpg"
        if path not in made:
            write_picture(path, canvas if (person, number) != (2, 2) else np.zeros_like(canvas))
        made.add(path)
        return f"P{person}\t{number}"

    for fold in (0, 1):
        lines += [f"{photo(person, 1)}\t{photo(person, 2)[-1]}" for person in (2 * fold, 2 * fold + 1)]
        lines += [f"{photo(2 * fold, i)}\t{photo(2 * fold + 1, i)}" for i in (1, 3)]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    shapes = set()

    def remembering(crops):
        shapes.add(crops.shape[1:])
        return embed(crops)

    result = result_of(remembering, f"lfw:{tmp_path}", **NO_SWEEP)
    found = result.to_json()
    assert shapes == {(*SIZE, 3)}
    assert found["failures"] == {"pictures": len(made), "unreadable": 0, "no_face": 1}
    assert found["failed_pairs"] == 1
    assert "1 showed no face" in str(result.tables("net")[0].caption)


def test_a_net_that_gives_nan_is_an_error(tmp_path):
    write_lfw(tmp_path)

    def broken(crops):
        answer = embed(crops)
        answer[2] = np.nan
        return answer

    with pytest.raises(FacedistillError, match="zero, NaN or infinite"):
        evaluate(broken, f"lfw:{tmp_path}", **NO_SWEEP)


def test_a_fold_that_lost_all_its_pairs_of_a_kind_is_an_error(tmp_path):
    made = write_lfw(tmp_path)
    for picture in {one for one, _two, same, fold in made.pairs if same and fold == 2}:
        spoil(made.file(picture))
    with pytest.raises(FacedistillError, match="fold 3 of 4 holds no pair of one person"):
        evaluate(embed, f"lfw:{tmp_path}", **NO_SWEEP)


def test_a_list_of_one_fold_is_a_wrong_call(tmp_path):
    write_lfw(tmp_path, folds=1)
    text = (tmp_path / "pairs.txt").read_text()
    (tmp_path / "pairs.txt").write_text(text.replace("1\t8\n", "8\n", 1))
    with pytest.raises(UsageError, match="has one fold"):
        evaluate(embed, f"lfw:{tmp_path}", **NO_SWEEP)


def test_pictures_that_are_missing_are_named(tmp_path):
    made = write_lfw(tmp_path)
    made.file(made.pairs[5][0]).unlink()
    with pytest.raises(FacedistillError, match=made.file(made.pairs[5][0]).name):
        evaluate(embed, f"lfw:{tmp_path}", **NO_SWEEP)
