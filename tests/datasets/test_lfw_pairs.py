"""LFW's pairs, in the form that its page publishes."""

from pathlib import Path

import numpy as np
import pytest

from facedistill.datasets import read_lfw_pairs
from facedistill.errors import FacedistillError, UsageError
from facedistill.pictures import encode_picture

# Two folds of one same and one different pair each.
PAIRS = "2\t1\nAda_Lovelace\t1\t2\nAda_Lovelace\t2\tAlan_Turing\t10\nJosé\t1\t3\nAlan_Turing\t10\tJosé\t3\n"
NAMES = ["Ada_Lovelace_0001", "Ada_Lovelace_0002", "Alan_Turing_0010", "José_0001", "José_0003"]


@pytest.fixture
def lfw(tmp_path: Path) -> Path:
    """A folder of people; each picture shows its place in NAMES as a grey level."""
    for level, name in enumerate(NAMES):
        path = tmp_path / "lfw" / name[:-5] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_picture(np.full((6, 5, 3), 40 * level, np.uint8)))
    (tmp_path / "pairs.txt").write_text(PAIRS, encoding="utf-8")
    return tmp_path / "lfw"


def test_reads_the_pairs_and_lists_each_picture_once(lfw: Path) -> None:
    pairs = read_lfw_pairs(lfw, str(lfw.parent / "pairs.txt"))
    assert [path.stem for path in pairs.pictures] == NAMES
    assert pairs.first.tolist() == [0, 1, 3, 2]
    assert pairs.second.tolist() == [1, 2, 4, 4]
    assert pairs.same.tolist() == [True, False, True, False]
    for level in range(5):
        assert pairs.image(level).shape == (6, 5, 3)
        assert abs(int(pairs.image(level)[3, 2, 0]) - 40 * level) <= 2


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PAIRS.replace("\t", " ").replace("\n", "\r\n"), id="spaces and Windows' line ends"),
        pytest.param(PAIRS + "\n\n", id="empty lines at the end"),
        pytest.param(PAIRS.replace("2\t1\n", "2\n", 1), id="one fold, as the development sets have"),
    ],
)
def test_reads_other_ways_to_write_it(text: str, lfw: Path) -> None:
    (lfw.parent / "pairs.txt").write_text(text, encoding="utf-8", newline="")
    assert read_lfw_pairs(lfw, lfw.parent / "pairs.txt").same.tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xef\xbb\xbf" + PAIRS.encode(), id="a byte order mark, as Windows' editor writes"),
        pytest.param(PAIRS.encode("utf-16"), id="UTF-16, as Windows' shell writes"),
        pytest.param(PAIRS.encode("latin-1"), id="Latin-1, as old tools write"),
        pytest.param(PAIRS.replace("\n", "\r").encode(), id="old Mac line ends"),
    ],
)
def test_reads_other_encodings(data: bytes, lfw: Path) -> None:
    (lfw.parent / "pairs.txt").write_bytes(data)
    pairs = read_lfw_pairs(lfw, lfw.parent / "pairs.txt")
    assert [path.stem for path in pairs.pictures] == NAMES
    assert pairs.same.tolist() == [True, False, True, False]


@pytest.mark.parametrize("suffix", [".png", ".jpeg", ".JPG", ".PNG", ".bmp"])
def test_finds_pictures_of_other_formats(suffix: str, lfw: Path) -> None:
    for path in lfw.rglob("*.jpg"):
        path.rename(path.with_suffix(suffix))
    pairs = read_lfw_pairs(lfw, lfw.parent / "pairs.txt")
    assert [path.name for path in pairs.pictures] == [name + suffix for name in NAMES]


def test_prefers_the_published_format(lfw: Path) -> None:
    for path in lfw.rglob("*.jpg"):
        path.with_suffix(".png").write_bytes(b"another")
        path.with_suffix(".txt").write_bytes(b"a note")
    assert all(path.suffix == ".jpg" for path in read_lfw_pairs(lfw, lfw.parent / "pairs.txt").pictures)


def test_names_with_spaces_are_kept_between_tabs(lfw: Path) -> None:
    (lfw / "Ada_Lovelace").rename(lfw / "Ada Lovelace")
    for path in (lfw / "Ada Lovelace").iterdir():
        path.rename(path.with_name(path.name.replace("_", " ", 1)))
    (lfw.parent / "pairs.txt").write_text(PAIRS.replace("Ada_Lovelace", "Ada Lovelace"), encoding="utf-8")
    assert read_lfw_pairs(lfw, lfw.parent / "pairs.txt").pictures[0].name == "Ada Lovelace_0001.jpg"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"PK\x03\x04...", "a checkpoint of torch", id="a zip archive"),
        pytest.param(b"<!DOCTYPE html>", "it is a web page, not a text; the download went wrong", id="a web page"),
        pytest.param(b"\xff\xd8\xff\xe0 picture", "it is a picture", id="a picture"),
        pytest.param(b"\x1f\x8b\x08\x00", "packed by gzip, not a text; unpack it", id="gzip"),
        pytest.param(b"2\t1\nA\xe9\x01\n", "it is no text", id="control characters"),
        pytest.param(b"2\t1\0\n", "it is no text", id="a zero byte"),
    ],
)
def test_what_is_no_list_is_named(data: bytes, message: str, lfw: Path) -> None:
    (lfw.parent / "pairs.txt").write_bytes(data)
    with pytest.raises(UsageError, match="cannot read the pairs") as error:
        read_lfw_pairs(lfw, lfw.parent / "pairs.txt")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "the first line of", id="an empty file"),
        pytest.param(PAIRS[: PAIRS.rindex("Alan")], "holds 3 pairs, but its first line announces 4", id="cut"),
        pytest.param(PAIRS.replace("2\t1\n", "", 1), "the first line of", id="no first line"),
        pytest.param("-1\t-1\nAda\t1\t2\nAda\t1\tBob\t1\n", "the first line of", id="negative counts"),
        pytest.param(PAIRS.replace("\t3\nAlan", "\tx\nAlan"), "pair 3 is no pair", id="a number that is none"),
        pytest.param("9" * 5000 + "\n" + PAIRS, "the first line of", id="a count of 5000 digits"),
        pytest.param(PAIRS.replace("\t10\n", "\t" + "9" * 5000 + "\n"), "pair 2 is no pair", id="so long a number"),
        pytest.param(PAIRS.replace("José\t1\t3", "José\t1"), "pair 3 is no pair", id="half a pair"),
        pytest.param(PAIRS.replace("José\t1", "../secret\t1"), "pair 3 is no pair", id="a way out of the folder"),
        pytest.param("1\t0\n", "the first line of", id="a file without a count"),
    ],
)
def test_a_wrong_list_of_pairs_is_refused_with_the_reason(text: str, message: str, lfw: Path) -> None:
    (lfw.parent / "pairs.txt").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        read_lfw_pairs(lfw, lfw.parent / "pairs.txt")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_pictures_are_named(lfw: Path) -> None:
    for name in (NAMES[1], NAMES[4]):
        (lfw / name[:-5] / f"{name}.jpg").unlink()
    with pytest.raises(FacedistillError, match=r"lacks 2 of 5 pictures: Ada_Lovelace_0002\.jpg, José_0003\.jpg;"):
        read_lfw_pairs(lfw, lfw.parent / "pairs.txt")


def test_a_name_that_no_file_can_have_is_a_missing_picture(lfw: Path) -> None:
    (lfw.parent / "pairs.txt").write_text(PAIRS.replace("Alan_Turing", "A" * 300), encoding="utf-8")
    with pytest.raises(FacedistillError, match=r"lacks 1 of 5 pictures: A{300}_0010\.jpg;"):
        read_lfw_pairs(lfw, lfw.parent / "pairs.txt")


def test_the_wrong_folder_is_a_wrong_call(lfw: Path) -> None:
    with pytest.raises(UsageError, match="holds none of the pictures"):
        read_lfw_pairs(lfw / "Ada_Lovelace", lfw.parent / "pairs.txt")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["no file", "no text"])
def test_pairs_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "pairs.txt").write_bytes(content)
    with pytest.raises(UsageError, match="cannot read the pairs"):
        read_lfw_pairs(tmp_path, tmp_path / "pairs.txt")
