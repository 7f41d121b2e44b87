"""`evaluate` on files: face sets, verification files, pictures that fail."""

import cv2
import numpy as np
import pytest
from drawn_people import figures_of, result_of

from facedistill.datasets import Face, FaceList, write_bin, write_face_set
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import evaluate, sweep, verify_pairs
from facedistill.evaluation.sweep import sweep_pairs
from facedistill.pictures import encode_picture


def pictures(people=5, each=3, size=(112, 96)):
    """Block patterns, one per person, with noise."""
    random = np.random.default_rng(0)
    blocks = random.normal(size=(people, 14, 12, 3)).repeat(each, axis=0)
    blocks = blocks + 1.5 * random.normal(size=blocks.shape)
    images = [np.clip(128 + 25 * block, 0, 255).astype(np.uint8) for block in blocks]
    return [cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR) for image in images]


def face_list(images, each=3):
    return FaceList(Face(image, index // each, str(index)) for index, image in enumerate(images))


def embed(crops):
    """The crop's 14 x 12 block means; refuses crops of another size than the model's."""
    assert crops.shape[1:] == (112, 96, 3)
    assert crops.dtype == np.uint8
    return (
        (crops.reshape(len(crops), 14, 8, 12, 8, 3).mean(axis=(2, 4)) - 128).reshape(len(crops), -1).astype(np.float32)
    )


def test_a_face_set_folder_is_swept_under_its_name(tmp_path):
    faces = face_list(pictures())
    write_face_set(tmp_path / "people", faces)
    ((name, result),) = evaluate(embed, tmp_path / "people").items()
    assert name == "people"
    assert list(result.to_json()) == ["native", "30", "20", "16", "12", "8", "both"]
    assert result.sweep.one_side["native"].rank1 is not None


def test_damaged_pictures_are_left_out_and_counted(tmp_path):
    images = pictures()
    for index, image in enumerate(images):
        folder = tmp_path / "people" / f"p{index // 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index:02}.png").write_bytes(encode_picture(image, ".png") if index != 4 else b"no picture")
    found = figures_of(embed, str(tmp_path / "people"))
    assert found["native"]["fte"] == 1 / 15
    left = FaceList(Face(image, i // 3, str(i)) for i, image in enumerate(images) if i != 4)
    assert found == sweep(embed, left, failed=1).to_json()


def test_another_convention_is_cropped_anew(tmp_path):
    write_face_set(tmp_path / "square", face_list(pictures(size=(112, 112))))
    assert figures_of(embed, tmp_path / "square")["native"]["eer"] < 0.5


def test_pictures_of_no_convention_are_refused(tmp_path):
    write_face_set(tmp_path / "odd", face_list(pictures(size=(90, 90))))
    with pytest.raises(UsageError, match="no crop convention is 90x90"):
        evaluate(embed, tmp_path / "odd")


def interleaved(images):
    """20 pairs of one person and 20 of two, mixed, as first and second pictures."""
    order = np.random.default_rng(0).permutation(20)
    count = len(images)
    pairs = [((3 * k) % count, (3 * k) % count + 1 + k // 10) for k in range(10)] * 2
    pairs += [(k % count, (k + 3 + k // 8) % count) for k in range(20)]
    left, right = np.array(pairs)[np.concatenate((order, order + 20)).reshape(2, 20).T.ravel()].T
    return left, right, left // 3 == right // 3


def test_a_bin_file_keeps_its_pairs_in_order(tmp_path):
    images = pictures()
    left, right, same = interleaved(images)
    encoded = [encode_picture(images[i], ".png") for pair in zip(left, right, strict=True) for i in pair]
    write_bin(tmp_path / "mini.bin", encoded, same)
    ((name, result),) = evaluate(embed, tmp_path / "mini.bin").items()
    assert name == "mini"
    native = result.one_side["native"]
    expected = verify_pairs(
        embed(np.stack([images[i] for i in left])), embed(np.stack([images[i] for i in right])), same
    )
    assert native.accuracy == pytest.approx(expected.accuracy)
    assert native.eer == pytest.approx(expected.eer)
    assert (native.rank1, native.fte) == (None, 0.0)
    encoded[7] = b"damaged"
    write_bin(tmp_path / "torn.bin", encoded, same)
    keep = np.arange(len(same)) != 3
    sides = ([images[i] for i in side[keep]] for side in (left, right))
    assert result_of(embed, tmp_path / "torn.bin") == sweep_pairs(embed, *sides, same[keep], failed=1)


def test_pictures_of_several_sizes_are_refused(tmp_path):
    images = pictures()
    left, right, same = interleaved(images)
    encoded = [encode_picture(images[i], ".png") for pair in zip(left, right, strict=True) for i in pair]
    encoded[4] = encode_picture(np.zeros((50, 40, 3), dtype=np.uint8), ".png")
    write_bin(tmp_path / "mixed.bin", encoded, same)
    with pytest.raises(UsageError, match="differ in size"):
        evaluate(embed, tmp_path / "mixed.bin")


@pytest.mark.parametrize("name", ["absent", "absent.bin"])
def test_what_is_not_there_is_a_wrong_call(name, tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        evaluate(embed, tmp_path / name)


def test_a_bin_file_of_damaged_pictures_only(tmp_path):
    write_bin(tmp_path / "dead.bin", [b"x", b"y"], [True])
    with pytest.raises(FacedistillError, match="no picture that can be read"):
        evaluate(embed, tmp_path / "dead.bin")


def test_a_bin_file_of_one_class_only(tmp_path):
    images = pictures()
    write_bin(tmp_path / "one.bin", [encode_picture(image, ".png") for image in images[:12]], [True] * 6)
    with pytest.raises(FacedistillError, match="6 genuine and 0 impostor pairs"):
        evaluate(embed, tmp_path / "one.bin")


def test_embeddings_of_a_bin_file_that_are_no_numbers(tmp_path):
    images = pictures()
    write_bin(tmp_path / "nan.bin", [encode_picture(image, ".png") for image in images[:12]], [True, False] * 3)
    with pytest.raises(FacedistillError, match="zero, NaN or infinite"):
        evaluate(lambda crops: embed(crops) * np.nan, tmp_path / "nan.bin")


@pytest.mark.parametrize(
    ("on", "message"),
    [
        pytest.param(
            "lwf:{}",
            "no protocol is called 'lwf'; did you mean 'lfw'?.*known: .*ijbb.*lfw.*megaface.*ytf",
            id="no such protocol",
        ),
        pytest.param("lwf:src", "no protocol is called 'lwf'", id="a folder whose name could be a class's"),
        pytest.param("lfw", "call it as lfw:FOLDER", id="no folder"),
        pytest.param("ijbc:", "call it as ijbc:FOLDER", id="an empty folder"),
        pytest.param("ytf:{}/absent", "absent does not exist; call the protocol as ytf:FOLDER", id="no such folder"),
        pytest.param("{}/absent", "does not exist; name `orl`, .* or PROTOCOL:FOLDER", id="no such face set"),
    ],
)
def test_a_protocol_that_is_not_there_is_a_wrong_call_that_lists_those_that_are(on, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        evaluate(embed, on.format(tmp_path))


def test_a_folder_whose_name_holds_a_colon_is_a_face_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_face_set(tmp_path / "lfw:mine", face_list(pictures()))
    assert list(evaluate(embed, "lfw:mine")) == ["lfw:mine"]


def test_an_option_that_a_protocol_has_not_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="the protocol 'ytf' has no option 'testing'"):
        evaluate(embed, f"ytf:{tmp_path}", testing=8)


@pytest.mark.slow
def test_orl_is_aligned_and_swept():
    cells = figures_of(embed, "orl")
    assert cells["native"]["eer"] < 0.3
    assert cells["native"]["fte"] < 0.05
    assert list(cells["native"]["tar_at_far"]) == ["0.1", "0.01", "0.001", "0.0001"]
