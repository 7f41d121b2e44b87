"""A folder of photos that changed between two calls of `prepare`: nothing is passed over without a word."""

import io
import shutil
import sys
import types

import numpy as np
import pytest
from PIL import Image
from tests.faces.photos import photo_of, save, table, wall

from facedistill.datasets import open_face_set
from facedistill.errors import UsageError
from facedistill.faces import prepare as prepare_module
from facedistill.faces.prepare import PrepareResult, prepare
from facedistill.pictures import decoding


@pytest.fixture
def photos(tmp_path, orl):
    folder = tmp_path / "photos"
    save(folder / "ann" / "1.png", photo_of(orl[0]))
    save(folder / "bob" / "1.png", wall(240, 260))
    save(folder / "bob" / "2.png", photo_of(orl[1]))
    return folder


def replace(photos, orl):
    save(photos / "bob" / "1.png", photo_of(orl[1]))


def replace_by_as_many_bytes(photos, orl):
    path = photos / "bob" / "2.png"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        pytest.param(replace, r"1 changed \(bob/1\.png\)", id="replaced under its old name"),
        pytest.param(replace_by_as_many_bytes, r"1 changed \(bob/2\.png\)", id="of the same size"),
        pytest.param(
            lambda photos, _: (photos / "bob" / "2.png").rename(photos / "bob" / "3.png"),
            r"1 renamed or moved \(bob/2\.png -> bob/3\.png\)",
            id="renamed",
        ),
        pytest.param(
            lambda photos, _: (photos / "bob" / "2.png").rename(photos / "ann" / "2.png"),
            r"1 renamed or moved \(bob/2\.png -> ann/2\.png\)",
            id="moved to another person",
        ),
        pytest.param(lambda photos, _: (photos / "bob" / "1.png").unlink(), r"1 gone \(bob/1\.png\)", id="gone"),
        pytest.param(
            lambda photos, orl: save(photos / "ann" / "9.png", photo_of(orl[0])), r"1 new \(ann/9\.png\)", id="new"
        ),
    ],
)
def test_a_finished_set_of_other_photos_is_refused_with_what_changed(photos, tmp_path, orl, change, difference):
    prepare(photos, tmp_path / "set", workers=1)
    change(photos, orl)
    with pytest.raises(UsageError, match=f"prepared from other photos: {difference}; give another folder"):
        prepare(photos, tmp_path / "set", workers=1)


def test_a_copy_of_the_same_photos_is_the_same(photos, tmp_path):
    """Another time of change, the same content."""
    first = prepare(photos, tmp_path / "set", workers=1)
    shutil.move(photos, tmp_path / "aside")
    shutil.copytree(tmp_path / "aside", photos, copy_function=shutil.copyfile)
    again = prepare(str(photos), str(tmp_path / "set"), workers=1)
    assert again == PrepareResult(first.faces, first.people, first.rejected, already_done=True)


def test_after_a_stop_a_replaced_photo_is_looked_at_anew(photos, tmp_path, orl, monkeypatch):
    monkeypatch.setattr(prepare_module, "_pack", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        prepare(photos, tmp_path / "set", workers=1)
    monkeypatch.undo()
    replace(photos, orl)
    assert prepare(photos, tmp_path / "set", workers=1) == PrepareResult(3, 2)


def test_what_systems_leave_among_photos(photos, tmp_path, orl):
    """Synology's thumbnails would be people of their own; a linked folder is a person like the others."""
    good = (photos / "ann" / "1.png").read_bytes()
    for path in ("ann/@eaDir/1.png/SYNOPHOTO_THUMB_XL.jpg", "ann/.AppleDouble/1.png", "__MACOSX/ann/1.png"):
        (photos / path).parent.mkdir(parents=True)
        (photos / path).write_bytes(good)
    (photos / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (photos / "ann" / "._1.png").write_bytes(b"\0\x05\x16\x07" + bytes(60))
    (photos / "ann" / "1.jfif").write_bytes(good)
    (photos / "ann" / "2.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(60))
    save(tmp_path / "elsewhere" / "1.png", photo_of(orl[2]))
    (photos / "cat").symlink_to(tmp_path / "elsewhere")
    (photos / "ann" / "loop").symlink_to(photos)
    (photos / "dan").symlink_to(photos / "bob")
    result = prepare(photos, tmp_path / "set", workers=1)
    reasons = {row["file"]: row["reason"] for row in table(tmp_path / "set" / "rejects.csv")}
    assert (result.faces, result.people) == (4, 3)
    assert [row["person"] for row in table(tmp_path / "set" / "people.csv")] == ["ann", "bob", "cat"]
    assert result.rejected == {
        "HEIC": 1,
        "file of the system": 1,
        "folder of the system": 2,
        "hidden file": 1,
        "hidden folder": 1,
        "link to a folder": 2,
        "no face": 1,
    }
    assert reasons["ann/2.heic"] == "HEIC: convert it to JPEG, or `pip install pillow-heif`"
    assert reasons["ann/@eaDir/"].startswith("folder of the system: 1 files in it were not looked at")


@pytest.fixture
def heif_opener(monkeypatch):
    """A stand-in for `pillow-heif`: a file is the 24 bytes of its box, and a PNG."""

    def opened(file, _):
        file.seek(24)
        return Image.open(io.BytesIO(file.read()))

    def register():
        Image.register_open("HEIF", opened, lambda head: head[4:12] == b"ftypheic")

    module = types.ModuleType("pillow_heif")
    module.register_heif_opener = register
    monkeypatch.setitem(sys.modules, "pillow_heif", module)
    decoding._heif_opener.cache_clear()
    yield
    decoding._heif_opener.cache_clear()
    Image.OPEN.pop("HEIF", None)
    Image.ID.remove("HEIF")


def test_heic_is_read_where_pillow_heif_is_installed(photos, tmp_path, orl, heif_opener):
    content = (photos / "ann" / "1.png").read_bytes()
    (photos / "ann" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(12) + content)
    assert prepare(photos, tmp_path / "set", workers=1) == PrepareResult(3, 2, {"no face": 1})
    faces = open_face_set(tmp_path / "set")
    np.testing.assert_array_equal(faces[0].image, faces[1].image)
