"""What `prepare` refuses, and odd photos that it passes over."""

import os

import pytest
from tests.faces.photos import photo_of, save, table, wall

from facedistill.errors import FacedistillError, UsageError
from facedistill.faces.prepare import PrepareResult, prepare


def one_photo(folder):
    save(folder / "ann" / "1.jpg", wall(100, 100))
    return folder


def empty(folder):
    return folder


def photo_without_a_person(folder):
    (folder / "lost.jpg").write_bytes(b"")
    return folder


def only_hidden_files(folder):
    (folder / "ann").mkdir()
    (folder / "ann" / ".hidden.jpg").write_bytes(b"")
    return folder


def no_folder(folder):
    (folder / "photos.zip").write_bytes(b"")
    return folder / "photos.zip"


def link_to_a_folder(folder):
    (folder / "ann").symlink_to(folder.parent, target_is_directory=True)
    return folder


@pytest.mark.parametrize(
    ("make", "match"),
    [
        pytest.param(lambda folder: folder / "missing", "is no folder", id="missing"),
        pytest.param(no_folder, "is no folder", id="a file"),
        pytest.param(empty, "holds no photos", id="empty"),
        pytest.param(only_hidden_files, r"left out: 1 hidden file \(ann/\.hidden\.jpg", id="only hidden files"),
        pytest.param(photo_without_a_person, "lost.jpg lies in no person's folder", id="a photo of nobody"),
        pytest.param(link_to_a_folder, r"holds no photos \(left out: 1 link to a folder \(ann/", id="a link upwards"),
    ],
)
def test_photos_that_make_no_sense_are_one_line(tmp_path, make, match):
    folder = tmp_path / "photos"
    folder.mkdir()
    with pytest.raises(UsageError, match=match) as caught:
        prepare(make(folder), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_out_folder_that_holds_something_else_is_refused_and_untouched(tmp_path):
    album, out = one_photo(tmp_path / "album"), tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not empty"):
        prepare(album, out)
    with pytest.raises(UsageError, match=r"thesis\.txt is no folder"):
        prepare(album, out / "thesis.txt")
    assert {path.name: path.read_text() for path in out.iterdir()} == {"thesis.txt": "years of work"}


def test_an_out_folder_among_the_photos_is_refused(tmp_path):
    album = one_photo(tmp_path)
    with pytest.raises(UsageError, match="lies among the photos"):
        prepare(album, album / "out")
    assert not (album / "out").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        pytest.param({"size": (100, 100)}, "100x100", id="no such convention"),
        pytest.param({"workers": 0}, "workers", id="no worker"),
        pytest.param({"workers": -2}, "workers", id="less than none"),
    ],
)
def test_wrong_options_are_refused(tmp_path, options, match):
    with pytest.raises(UsageError, match=match):
        prepare(one_photo(tmp_path / "album"), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_no_face_at_all_names_the_rejects(tmp_path):
    photos = one_photo(tmp_path / "photos")
    with pytest.raises(FacedistillError, match=r"none of 1 photos gave a face; see .*rejects\.csv"):
        prepare(photos, tmp_path / "out", workers=1)
    assert table(tmp_path / "out" / "rejects.csv") == [
        {"file": "ann/1.jpg", "reason": "no face: the detector found none; give a photo with a clear face"}
    ]


def test_odd_names_and_odd_files_do_not_stop_the_work(tmp_path, orl):
    photos = tmp_path / "photos"
    save(photos / "ann" / "1.jpg", photo_of(orl[0]))
    good = (photos / "ann" / "1.jpg").read_bytes()
    (photos / "ann" / ("x" * 251 + ".jpg")).write_bytes(good)  # as long as a name may be
    (photos / "ann" / "b").write_bytes(good)
    (photos / "ann" / "b.jpg").mkdir()
    (photos / "ann" / "b.jpg" / "c.jpg").write_bytes(good)  # a person named like another's photo
    (photos / "ann" / os.fsdecode(b"m\xfcller.txt")).write_bytes(b"")  # a name in Latin-1
    os.mkfifo(photos / "ann" / "pipe.jpg")  # reading it would never end
    (photos / "ann" / "broken link.jpg").symlink_to("nowhere")
    result = prepare(photos, tmp_path / "out", workers=1)
    assert result == PrepareResult(4, 2, {"missing": 1, "empty": 1, "no file": 1})
    rejects = [row["file"] for row in table(tmp_path / "out" / "rejects.csv")]
    assert rejects == ["ann/broken link.jpg", "ann/m\\udcfcller.txt", "ann/pipe.jpg"]
