"""A folder of photos becomes a face set: what is taken, what is rejected and why, and what a stop leaves behind."""

import csv
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
from PIL import Image

from facedistill import files as files_module
from facedistill.datasets import load_orl, open_face_set
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import Detector, align, find_face
from facedistill.faces import prepare as prepare_module
from facedistill.faces.photo import Reject, Standard, crop_photo, sharpness
from facedistill.faces.prepare import PrepareResult, prepare
from facedistill.pictures import decode_picture, encode_picture, read_picture


@pytest.fixture(scope="module")
def orl():
    faces = load_orl()
    return [faces[index].image for index in range(0, 400, 10)]


@pytest.fixture(scope="module")
def finder():
    return Detector(threads=1)


def wall(height, width, seed=0):
    small = np.random.default_rng(seed).uniform(90, 170, (4, 5, 3))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).clip(0, 255).astype(np.uint8)


def photo_of(face, zoom=1.5, height=240, width=260):
    """The face in the middle of a larger picture."""
    image = wall(height, width)
    face = cv2.resize(face, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LANCZOS4)
    y, x = (height - face.shape[0]) // 2, (width - face.shape[1]) // 2
    image[y : y + face.shape[0], x : x + face.shape[1]] = face
    return image


def beside(left, right, zooms=(1.5, 1.5)):
    """Two faces, as far from the middle."""
    image = wall(260, 460)
    for face, zoom, centre in zip((left, right), zooms, (130, 330), strict=True):
        face = cv2.resize(face, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LANCZOS4)
        y, x = (260 - face.shape[0]) // 2, centre - face.shape[1] // 2
        image[y : y + face.shape[0], x : x + face.shape[1]] = face
    return image


def save(path, image, orientation=None):
    """Stores a picture; with an EXIF orientation (3 or 6) turned so that it is seen upright."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
        image = np.rot90(image, {3: 2, 6: 1}[orientation])
    Image.fromarray(np.ascontiguousarray(image)).save(path, quality=95, exif=exif)


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
    "ghost/notes.txt": "unreadable",
    "ghost/pair.png": "several faces",
    "ghost/tiny.jpg": "too small",
}
RESULT = PrepareResult(7, 3, dict.fromkeys(REJECTED.values(), 1))
PRODUCTS = ["people.csv", "prepare.json", "property", "rejects.csv", "train.idx", "train.rec"]


@pytest.fixture(scope="module")
def prepared(album, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "set"
    assert prepare(album, out, workers=1) == RESULT
    return out


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(out):
    return {path.name: path.read_bytes() for path in out.iterdir()}


class Counted:
    """Stands in for `crop_photo`; counts the photos looked at and may fail at one of them."""

    def __init__(self, monkeypatch, fail_at=None, error=KeyboardInterrupt):
        self.seen, self.fail_at, self.error = 0, fail_at, error
        monkeypatch.setattr(prepare_module, "crop_photo", self)

    def __call__(self, detector, data, standard):
        if self.seen == self.fail_at:
            raise self.error
        self.seen += 1
        return crop_photo(detector, data, standard)


def test_the_set_opens_with_the_right_faces_and_labels(album, prepared, finder):
    faces = open_face_set(prepared)
    assert len(faces) == len(ACCEPTED)
    assert (faces.classes, faces.size) == (3, (112, 96))
    labels = {"ann": 0, "ann/summer, 2020": 1, "zoe": 2}
    for index, (person, name) in enumerate(ACCEPTED):
        photo = read_picture(album / person / name)
        crop = align(photo, find_face(finder, photo).landmarks)
        assert faces[index].label == labels[person]
        np.testing.assert_array_equal(faces[index].image, decode_picture(encode_picture(crop), "crop"))


def test_a_photo_turned_by_exif_gives_the_crop_of_the_upright_one(prepared):
    faces = open_face_set(prepared)
    np.testing.assert_array_equal(faces[5].image, faces[6].image)


def test_people_and_rejects_are_told(prepared):
    assert [tuple(row.values()) for row in table(prepared / "people.csv")] == [
        ("0", "ann", "2"),
        ("1", "ann/summer, 2020", "2"),
        ("2", "zoe", "3"),
    ]
    assert {row["file"]: row["reason"] for row in table(prepared / "rejects.csv")} == REJECTED
    assert sorted(content(prepared)) == PRODUCTS


def test_a_finished_run_is_not_done_again(album, prepared, monkeypatch):
    counted = Counted(monkeypatch)
    again = prepare(album, prepared, workers=1)
    assert again == PrepareResult(RESULT.faces, RESULT.people, RESULT.rejected, already_done=True)
    assert counted.seen == 0


def test_photos_that_came_later_are_not_passed_over_in_silence(album, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "set")
    newcomer = album / "zoe" / "newcomer.jpg"
    newcomer.write_bytes(b"")
    try:
        with pytest.raises(UsageError, match="photos now"):
            prepare(album, tmp_path / "set", workers=1)
    finally:
        newcomer.unlink()


def test_two_workers_write_the_same_bytes(album, prepared, tmp_path):
    assert prepare(album, tmp_path / "set", workers=2) == RESULT
    assert content(tmp_path / "set") == content(prepared)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError], ids=["Ctrl-C", "a crash"])
def test_after_a_stop_finished_photos_are_not_looked_at_again(album, prepared, tmp_path, monkeypatch, error):
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
    assert prepare(photos, out, workers=1) == PrepareResult(1, 1, {"unreadable": 60})


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
    with pytest.raises(UsageError, match="other photos or settings"):
        prepare(album, begun, workers=1, **other)


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
        pytest.param(only_hidden_files, "holds no photos", id="only hidden files"),
        pytest.param(photo_without_a_person, "lost.jpg lies in no person's folder", id="a photo of nobody"),
        pytest.param(link_to_a_folder, "ann is a link to a folder", id="a link would be passed over in silence"),
    ],
)
def test_photos_that_make_no_sense_are_one_line(tmp_path, make, match):
    folder = tmp_path / "photos"
    folder.mkdir()
    with pytest.raises(UsageError, match=match) as caught:
        prepare(make(folder), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_out_folder_that_holds_something_else_is_refused_and_untouched(album, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not empty"):
        prepare(album, tmp_path)
    with pytest.raises(UsageError, match=r"thesis\.txt is no folder"):
        prepare(album, tmp_path / "thesis.txt")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"thesis.txt": "years of work"}


def test_an_out_folder_among_the_photos_is_refused(album):
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
def test_wrong_options_are_refused(album, tmp_path, options, match):
    with pytest.raises(UsageError, match=match):
        prepare(album, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lost", ["people.csv", "rejects.csv", "property", "train.rec", "train.idx"])
def test_a_finished_set_that_lost_a_file_is_one_line(album, prepared, tmp_path, lost):
    out = shutil.copytree(prepared, tmp_path / "set")
    (out / lost).unlink()
    with pytest.raises(FacedistillError, match=f"has lost its {lost}; delete"):
        prepare(album, out)


def test_no_face_at_all_names_the_rejects(tmp_path):
    save(tmp_path / "photos" / "ann" / "1.jpg", wall(100, 100))
    with pytest.raises(FacedistillError, match=r"none of 1 photos gave a face; see .*rejects\.csv"):
        prepare(tmp_path / "photos", tmp_path / "out", workers=1)
    assert table(tmp_path / "out" / "rejects.csv") == [{"file": "ann/1.jpg", "reason": "no face"}]


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
    assert result == PrepareResult(4, 2, {"unreadable": 3})
    rejects = [row["file"] for row in table(tmp_path / "out" / "rejects.csv")]
    assert rejects == ["ann/broken link.jpg", "ann/m\\udcfcller.txt", "ann/pipe.jpg"]


def encoded(image):
    return encode_picture(image, ".png")


def jpeg_of(face):
    return encode_picture(photo_of(face), ".jpg")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda _: b"", Reject.UNREADABLE, id="empty"),
        pytest.param(lambda _: b"Dear diary", Reject.UNREADABLE, id="text"),
        pytest.param(lambda faces: jpeg_of(faces[0])[:5000], Reject.UNREADABLE, id="truncated"),
        pytest.param(lambda _: encoded(wall(200, 300)), Reject.NO_FACE, id="a bare wall"),
        pytest.param(lambda _: encoded(wall(5, 5)), Reject.NO_FACE, id="hardly a picture"),
        pytest.param(lambda faces: encoded(beside(faces[0], faces[0])), Reject.SEVERAL_FACES, id="twins"),
        pytest.param(
            lambda faces: encoded(beside(faces[0], faces[0], (1.5, 1.3))), Reject.SEVERAL_FACES, id="nearly as large"
        ),
        pytest.param(lambda faces: encoded(photo_of(faces[0], 0.45)), Reject.TOO_SMALL, id="far away"),
        pytest.param(
            lambda faces: encoded(cv2.GaussianBlur(photo_of(faces[0]), (0, 0), 8)), Reject.TOO_BLURRED, id="fog"
        ),
    ],
)
def test_reasons(finder, orl, make, reason):
    assert crop_photo(finder, make(orl), Standard()) is reason


def test_a_much_smaller_second_face_does_no_harm(finder, orl):
    image = beside(orl[0], orl[1], (1.8, 0.7))
    crop = crop_photo(finder, encoded(image), Standard())
    alone = image.copy()
    alone[:, 270:] = wall(260, 460)[:, 270:]
    np.testing.assert_allclose(crop, crop_photo(finder, encoded(alone), Standard()), atol=40)


def test_each_standard_can_be_lowered(finder, orl):
    small, fog = photo_of(orl[0], 0.45), cv2.GaussianBlur(photo_of(orl[0]), (0, 0), 8)
    assert isinstance(crop_photo(finder, encoded(small), Standard(min_face=20, min_sharpness=0)), np.ndarray)
    crop = crop_photo(finder, encoded(fog), Standard(size=(112, 112), min_sharpness=0))
    assert crop.shape == (112, 112, 3)


def test_sharpness_knows_blur_from_low_contrast(orl):
    face = orl[0]
    dim = (face // 2 + 60).astype(np.uint8)
    assert sharpness(dim) == pytest.approx(sharpness(face), rel=0.1)
    blurred = [sharpness(cv2.GaussianBlur(face, (0, 0), sigma)) for sigma in (1, 2, 4)]
    assert sharpness(face) > blurred[0] > blurred[1] > blurred[2]
    assert sharpness(np.full((112, 96, 3), 77, np.uint8)) == 0


def test_rounding_is_no_detail():
    """A dim, smooth surface: nearly all that its Laplacian sees is rounding."""
    y, x = np.mgrid[:112, :96]
    dim = np.rint(120 + 15 * np.sin(x / 17) * np.cos(y / 23)).astype(np.uint8)
    with_rounding = cv2.Laplacian(dim.astype(float), cv2.CV_64F).var() / dim.var()
    assert with_rounding > 0.01
    assert sharpness(np.stack([dim] * 3, axis=2)) < 0.15 * with_rounding


@pytest.mark.parametrize(
    ("rows", "least", "most"),
    [
        pytest.param(40, 1, 1, id="40 rows pass"),
        pytest.param(30, 0.9, 1, id="nearly all of 30 rows pass"),
        pytest.param(20, 0, 0.1, id="nearly none of 20 rows pass"),
        pytest.param(16, 0, 0, id="16 rows fail"),
    ],
)
def test_the_default_sharpness_is_what_its_docstring_says(finder, orl, rows, least, most):
    passed = []
    for face in orl:
        crop = align(face, find_face(finder, face).landmarks)
        small = cv2.resize(crop, (round(rows * 96 / 112), rows), interpolation=cv2.INTER_AREA)
        passed.append(sharpness(cv2.resize(small, (96, 112), interpolation=cv2.INTER_CUBIC)) >= 0.004)
    assert least <= np.mean(passed) <= most


def test_sharpness_in_numbers():
    """A checkerboard of 0 and 255: a pixel's Laplacian is four times its contrast to its neighbours."""
    board = (np.indices((8, 8)).sum(axis=0) % 2 * 255).astype(np.uint8)
    grey = board.astype(float)
    padded = np.pad(grey, 1, mode="reflect")
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * grey
    assert sharpness(np.stack([board] * 3, axis=2)) == pytest.approx((laplacian.var() - 20 / 12) / grey.var())


def test_progress_stays_silent_when_quick(album, tmp_path, capsys):
    prepare(album, tmp_path / "set", workers=1)
    assert capsys.readouterr().out == ""
