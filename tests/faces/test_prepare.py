"""A folder of photos to a face set: the accepted photos, the rejected ones with the reason, and what a stop leaves."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from tests.faces.photos import beside, photo_of, save, table, wall

from facedistill import files as files_module
from facedistill.datasets import open_face_set
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import align, find_face
from facedistill.faces import prepare as prepare_module
from facedistill.faces.photo import crop_photo
from facedistill.faces.prepare import PrepareResult, prepare
from facedistill.pictures import decode_picture, encode_picture, read_picture


@pytest.fixture(scope="module")
def album(tmp_path_factory, orl):
    """Seven photos of three people that are good, five that are not, and files that are no photos."""
    folder = tmp_path_factory.mktemp("album")
    save(folder / "zoe" / "1.jpg", photo_of(orl[0]))
    save(folder / "zoe" / "2.png", photo_of(orl[0]), orientation=6)
    save(folder / "zoe" / "same as 2.png", photo_of(orl[0]))
    save(folder / "ann" / "10.jpg", photo_of(orl[1]), orientation=3)
    save(folder / "ann" / "9.jpg", photo_of(orl[1], zoom=1.2))
    save(folder / "ann" / "summer, 2020" / "1.jpg", photo_of(orl[2]))
    save(folder / "ann" / "summer, 2020" / "2.jpg", photo_of(orl[2], zoom=1.3))
    save(folder / "ghost" / "nobody.jpg", wall(200, 200))
    save(folder / "ghost" / "tiny.jpg", photo_of(orl[3], zoom=0.45))
    save(folder / "ghost" / "pair.png", beside(orl[4], orl[4]))
    save(folder / "ghost" / "fog.png", cv2.GaussianBlur(photo_of(orl[5]), (0, 0), 8))
    (folder / "ghost" / "notes.txt").write_text("no photo")
    (folder / "zoe" / ".DS_Store").write_bytes(b"\0\0")
    (folder / ".thumbnails" / "zoe").mkdir(parents=True)
    (folder / ".thumbnails" / "zoe" / "1.jpg").write_bytes(b"hidden")
    return folder


ACCEPTED = [
    ("ann", "10.jpg"),
    ("ann", "9.jpg"),
    ("ann/summer, 2020", "1.jpg"),
    ("ann/summer, 2020", "2.jpg"),
    ("zoe", "1.jpg"),
    ("zoe", "2.png"),
    ("zoe", "same as 2.png"),
]
REJECTED = {
    "ghost/fog.png": "too blurred",
    "ghost/nobody.jpg": "no face",
    "ghost/notes.txt": "no picture that can be read",
    "ghost/pair.png": "several faces",
    "ghost/tiny.jpg": "too small",
}
LEFT_OUT = {".thumbnails/": "hidden folder", "zoe/.DS_Store": "hidden file"}
RESULT = PrepareResult(7, 3, dict.fromkeys([*REJECTED.values(), *LEFT_OUT.values()], 1))
PRODUCTS = [
    "people.csv",
    "photos.jsonl",
    "pictures.csv",
    "prepare.json",
    "property",
    "rejects.csv",
    "train.idx",
    "train.rec",
]


@pytest.fixture(scope="module")
def prepared(album, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "set"
    assert prepare(album, out, workers=1) == RESULT
    return out


def content(out):
    return {path.name: path.read_bytes() for path in out.iterdir()}


class Counted:
    """Stands in for `crop_photo`; counts the photos and may fail at one of them."""

    def __init__(self, monkeypatch, fail_at=None, error=KeyboardInterrupt):
        self.seen, self.fail_at, self.error = 0, fail_at, error
        monkeypatch.setattr(prepare_module, "crop_photo", self)

    def __call__(self, detector, data, standard):
        if self.seen == self.fail_at:
            raise self.error
        self.seen += 1
        return crop_photo(detector, data, standard)


def test_the_set_opens_with_the_right_faces_and_labels(album, prepared, detector):
    faces = open_face_set(prepared)
    assert len(faces) == len(ACCEPTED)
    assert (faces.classes, faces.size) == (3, (112, 96))
    labels = {"ann": 0, "ann/summer, 2020": 1, "zoe": 2}
    for index, (person, name) in enumerate(ACCEPTED):
        photo = read_picture(album / person / name)
        crop = align(photo, find_face(detector, photo).landmarks)
        assert faces[index].label == labels[person]
        np.testing.assert_array_equal(faces[index].image, decode_picture(encode_picture(crop), "crop"))


def test_a_photo_turned_by_exif_gives_the_crop_of_the_upright_one(prepared):
    faces = open_face_set(prepared)
    np.testing.assert_array_equal(faces[5].image, faces[6].image)


def test_people_and_rejects_are_listed(prepared):
    assert [tuple(row.values()) for row in table(prepared / "people.csv")] == [
        ("0", "ann", "2"),
        ("1", "ann/summer, 2020", "2"),
        ("2", "zoe", "3"),
    ]
    reasons = {row["file"]: row["reason"].split(": ") for row in table(prepared / "rejects.csv")}
    assert {file: kind for file, (kind, _) in reasons.items()} == REJECTED | LEFT_OUT
    assert all(len(what_to_do) > 10 for _, what_to_do in reasons.values())
    assert sorted(content(prepared)) == PRODUCTS


def test_a_finished_run_is_not_done_again(album, prepared, monkeypatch):
    counted = Counted(monkeypatch)
    again = prepare(album, prepared, workers=1)
    assert again == PrepareResult(RESULT.faces, RESULT.people, RESULT.rejected, already_done=True)
    assert counted.seen == 0


def test_photos_that_came_later_are_reported(album, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "set")
    newcomer = album / "zoe" / "newcomer.jpg"
    newcomer.write_bytes(b"")
    try:
        with pytest.raises(UsageError, match=r"from other photos: 1 new \(zoe/newcomer\.jpg\)"):
            prepare(album, tmp_path / "set", workers=1)
    finally:
        newcomer.unlink()


def test_two_workers_write_the_same_bytes(album, prepared, tmp_path):
    assert prepare(album, tmp_path / "set", workers=2) == RESULT
    assert content(tmp_path / "set") == content(prepared)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError], ids=["Ctrl-C", "a crash"])
def test_after_a_stop_finished_photos_are_not_done_again(album, prepared, tmp_path, monkeypatch, error):
    out = tmp_path / "set"
    Counted(monkeypatch, fail_at=5, error=error)
    with pytest.raises(error):
        prepare(album, out, workers=1)
    assert [path.name for path in out.iterdir()] == [".prepare"]
    rest = Counted(monkeypatch)
    assert prepare(album, out, workers=1) == RESULT
    assert rest.seen == len(ACCEPTED) + len(REJECTED) - 5
    assert content(out) == content(prepared)


@pytest.mark.slow
def test_ctrl_c_on_the_command_with_two_workers(tmp_path, orl):
    """A terminal sends it to all processes at once: one line, and the same command goes on."""
    photos, out = tmp_path / "photos", tmp_path / "set"
    for number in range(80):
        save(photos / "ann" / f"{number}.jpg", photo_of(orl[number % 40], 2.0, 480, 640))
    call = [sys.executable, "-m", "facedistill", "prepare", photos, out, "--workers", "2"]
    command = subprocess.Popen(call, start_new_session=True, stderr=subprocess.PIPE, text=True)
    log = out / ".prepare" / "done.jsonl"
    while command.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.01)
    os.killpg(command.pid, signal.SIGINT)
    _, stderr = command.communicate(timeout=60)
    assert command.returncode == 1
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1].startswith("facedistill: stopped")
    finished = len(log.read_text().splitlines())
    assert 0 < finished < 80
    again = subprocess.run(call, capture_output=True, text=True)
    assert (again.returncode, again.stdout) == (0, f"{out}: 80 faces of 1 people; rejected: none\n")
    assert sorted(content(out)) == PRODUCTS


def test_a_line_cut_off_by_a_crash_costs_one_photo(album, prepared, tmp_path, monkeypatch):
    out = tmp_path / "set"
    Counted(monkeypatch, fail_at=5)
    with pytest.raises(KeyboardInterrupt):
        prepare(album, out, workers=1)
    log = out / ".prepare" / "done.jsonl"
    log.write_bytes(log.read_bytes()[:-4])
    rest = Counted(monkeypatch)
    assert prepare(album, out, workers=1) == RESULT
    assert rest.seen == len(ACCEPTED) + len(REJECTED) - 4
    assert content(out) == content(prepared)


def test_a_full_disk_is_one_line_and_the_work_goes_on_later(album, prepared, tmp_path, monkeypatch):
    out, real, written = tmp_path / "set", files_module.os.fsync, []

    def fsync(file):
        written.append(file)
        if len(written) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    monkeypatch.setattr(files_module.os, "fsync", fsync)
    with pytest.raises(FacedistillError, match=r"cannot write .*No space left"):
        prepare(album, out, workers=1)
    assert [path.name for path in out.iterdir()] == [".prepare"]
    monkeypatch.undo()
    rest = Counted(monkeypatch)
    assert prepare(album, out, workers=1) == RESULT
    assert 0 < rest.seen < len(ACCEPTED) + len(REJECTED)
    assert content(out) == content(prepared)


def test_a_disk_that_fills_while_packing_leaves_no_half_set(album, prepared, tmp_path, monkeypatch):
    out = tmp_path / "set"
    monkeypatch.setattr(prepare_module, "write_records", lambda *_: (_ for _ in ()).throw(FacedistillError("full")))
    with pytest.raises(FacedistillError, match="full"):
        prepare(album, out, workers=1)
    assert not (out / "train.rec").exists()
    monkeypatch.undo()
    rest = Counted(monkeypatch)
    assert prepare(album, out, workers=1) == RESULT
    assert rest.seen == 0
    assert content(out) == content(prepared)


def test_the_log_itself_may_meet_the_limit(tmp_path, orl):
    photos, out = tmp_path / "photos", tmp_path / "set"
    save(photos / "zoe" / "1.jpg", photo_of(orl[0]))
    (photos / "ann").mkdir()
    for number in range(60):
        (photos / "ann" / f"{number}.txt").write_text("no photo")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(FacedistillError, match=r"cannot write .*File too large"):
            prepare(photos, out, workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (out / ".prepare" / "done.jsonl").stat().st_size == 1000
    assert prepare(photos, out, workers=1) == PrepareResult(1, 1, {"no picture that can be read": 60})


@pytest.mark.parametrize(
    "other", [{"min_face": 50}, {"size": (112, 112)}, {"min_sharpness": 0.1}, {"photos": "elsewhere"}], ids=str
)
def test_other_settings_are_refused_whether_finished_or_not(album, prepared, tmp_path, monkeypatch, other):
    other = dict(other)
    if other.pop("photos", None):
        album = shutil.copytree(album, tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="other photos or settings"):
        prepare(album, prepared, workers=1, **other)
    begun = tmp_path / "begun"
    shutil.copytree(prepared, begun / ".prepare")
    (begun / ".prepare" / "1.jpg").touch()  # a crop that would be lost
    with pytest.raises(UsageError, match="other photos or settings"):
        prepare(album, begun, workers=1, **other)


@pytest.mark.parametrize("lost", ["people.csv", "rejects.csv", "photos.jsonl", "property", "train.rec", "train.idx"])
def test_a_finished_set_that_lost_a_file_is_one_line(album, prepared, tmp_path, lost):
    out = shutil.copytree(prepared, tmp_path / "set")
    (out / lost).unlink()
    with pytest.raises(FacedistillError, match=f"has lost its {lost}; delete"):
        prepare(album, out)


def test_progress_stays_silent_when_quick(album, tmp_path, capsys):
    prepare(album, tmp_path / "set", workers=1)
    assert capsys.readouterr().out == ""
