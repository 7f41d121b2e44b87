"""A folder of photos becomes a face set; in parallel, and able to go on after a stop."""

import csv
import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from facedistill.checks import check_count, check_number, check_processes
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces.crops import crop_convention
from facedistill.faces.detector import MOST_LEAST_FACE, Detector
from facedistill.faces.made_folder import is_finished
from facedistill.faces.photo import Reject, Standard, crop_photo
from facedistill.files import sole_writer, write_bytes, write_text
from facedistill.pictures import MAX_BYTES, encode_picture
from facedistill.progress import track
from facedistill.recordio import INDEX, PROPERTY, RECORDS, write_records
from facedistill.workers import in_processes

REJECTS, PEOPLE, SETTINGS = "rejects.csv", "people.csv", "prepare.json"
_WORK = ".prepare"
_DONE = "done.jsonl"
_FILES = (RECORDS, INDEX, PROPERTY, PEOPLE, REJECTS)


@dataclass(frozen=True)
class PrepareResult:
    """The counts of a call of `prepare`.

    Attributes:
        faces: Photos that gave a crop.
        people: Persons with at least one.
        rejected: Reason -> photos.
        already_done: Whether an earlier call had finished the same work.
    """

    faces: int
    people: int
    rejected: dict[str, int] = field(default_factory=dict)
    already_done: bool = False


def prepare(
    photos: Path,
    out: Path,
    size: tuple[int, int] = (112, 96),
    min_face: int = 40,
    min_sharpness: float = 0.004,
    workers: int | None = None,
) -> PrepareResult:
    """Finds, aligns and packs the faces of a folder tree of photos.

    The folder that holds a photo names its person, by its path below `photos`. Labels follow the order of the names
    and skip persons without an accepted photo. Finished photos are kept under OUT until all are packed, so after a
    stop the same call goes on.

    Args:
        photos: Folder tree, person/photo.jpg at any depth. Hidden files are passed over; all others are photos.
        out: Gets `train.rec`, `train.idx`, `property`, `rejects.csv` (file, reason), `people.csv` (label, person,
            photos).
        size: (height, width) of a crop convention.
        min_face: Least shorter side of a face, in pixels of the photo.
        min_sharpness: Least `photo.sharpness` of a crop.
        workers: Processes; None takes one per core.

    Raises:
        UsageError: `photos` is missing, empty, or not of the form above; `out` lies in it or holds something else (a
            set of another number of photos, too); or an argument is out of its range.
        FacedistillError: No photo was accepted, or nothing can be written.
    """
    crop_convention(size)
    check_processes("workers", workers)
    check_count("min_face", min_face, 1, MOST_LEAST_FACE)
    check_number("min_sharpness", min_sharpness, 0, 1)
    files = _photo_files(photos)
    if out.resolve().is_relative_to(photos.resolve()):
        raise UsageError(f"{out} lies among the photos; give a folder outside of {photos}")
    standard = Standard(size, min_face, min_sharpness)
    settings = json.dumps({"photos": str(photos.resolve()), **asdict(standard)}, sort_keys=True)
    with sole_writer(out):
        differing = "prepared from other photos or settings"
        if is_finished(out, settings, SETTINGS, _WORK, _FILES, "*.jpg", differing, "prepare"):
            return _recorded(out, len(files))
        return _prepare(photos, files, out, standard, settings, workers)


def _prepare(
    photos: Path, files: list[str], out: Path, standard: Standard, settings: str, workers: int | None
) -> PrepareResult:
    """Begins, or goes on."""
    work = out / _WORK
    if not (work / SETTINGS).exists():
        write_text(work / SETTINGS, settings)
    try:
        done = _process_photos(photos, files, work, standard, workers)
        result = _pack(out, {file: done[file] for file in files}, standard.size)
        write_text(out / SETTINGS, settings)
        shutil.rmtree(work)
    except OSError as error:
        raise FacedistillError(
            f"cannot write {work}: {error.strerror or error}; mend that and run again, it goes on"
        ) from error
    return result


def _process_photos(
    photos: Path, files: list[str], work: Path, standard: Standard, workers: int | None
) -> dict[str, str | None]:
    """Crops all files that an earlier call has not finished; the crops go to `work`. File -> reason or None."""
    with (work / _DONE).open("a+", encoding="utf-8") as log:
        log.seek(0)
        done = _read_done(log)
        left = [file for file in files if file not in done]
        # Closed at once on a stop: worker processes would finish all that waits.
        with closing(_crops(photos, left, standard, workers)) as crops:
            for file, (crop, reason) in zip(left, track(crops, "aligning faces", len(left)), strict=True):
                if crop is not None:
                    write_bytes(_crop_path(work, file), crop)
                done[file] = reason
                log.write(json.dumps([file, reason]) + "\n")
                log.flush()
    return done


def _photo_files(photos: Path) -> list[str]:
    """Paths below `photos`, in order, of all files that lie in a person's folder."""
    if not photos.is_dir():
        raise UsageError(f"{photos} is no folder; give the folder that holds person/photo.jpg")
    files = []
    for folder, folders, names in os.walk(photos, onerror=_refuse_folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(folder, name) for name in folders):
            if path.is_symlink():
                raise UsageError(f"{path} is a link to a folder, which is not followed; put the folder in its place")
        files += [Path(folder, name).relative_to(photos).as_posix() for name in names if not name.startswith(".")]
    if homeless := [file for file in files if "/" not in file]:
        raise UsageError(
            f"{photos / homeless[0]} lies in no person's folder; move it to {photos}/PERSON/, which names the person"
        )
    if not files:
        raise UsageError(f"{photos} holds no photos; give the folder that holds person/photo.jpg")
    return sorted(files)


def _refuse_folder(error: OSError) -> None:
    raise FacedistillError(f"cannot read {error.filename}: {error.strerror}; check the folder's rights") from error


def _read_done(lines: Iterable[str]) -> dict[str, str | None]:
    """File -> reason or None; a line cut off by a crash is dropped, and its photo is done again."""
    done: dict[str, str | None] = {}
    for line in lines:
        try:
            file, reason = json.loads(line)
        except ValueError:
            continue
        done[file] = reason
    return done


def _crops(
    photos: Path, files: list[str], standard: Standard, workers: int | None
) -> Generator[tuple[bytes | None, str | None]]:
    """For each file its encoded crop, or None and the reason."""
    _start_worker()  # here even when others work: what is wrong with the detector is reported once
    jobs = [(photos / file, standard) for file in files]
    yield from in_processes(_crop_file, jobs, _start_worker, workers, chunk=4)


_detector: Detector | None = None


def _start_worker() -> None:
    global _detector
    _detector = Detector(threads=1)


def _crop_file(job: tuple[Path, Standard]) -> tuple[bytes | None, str | None]:
    path, standard = job
    assert _detector is not None, "the worker was started"
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:  # reading a pipe would never end
            return None, Reject.UNREADABLE.value
        data = path.read_bytes()
    except OSError:
        return None, Reject.UNREADABLE.value
    crop = crop_photo(_detector, data, standard)
    return (None, crop.value) if isinstance(crop, Reject) else (encode_picture(crop), None)


def _crop_path(work: Path, file: str) -> Path:
    digest = hashlib.sha256(os.fsencode(file)).hexdigest()  # a name of its own, however long the photo's is
    return work / "crops" / digest[:2] / f"{digest[2:]}.jpg"


def _pack(out: Path, done: dict[str, str | None], size: tuple[int, int]) -> PrepareResult:
    accepted = [file for file, reason in done.items() if reason is None]
    rejects = [(file, reason) for file, reason in done.items() if reason is not None]
    write_text(out / REJECTS, _csv(("file", "reason"), rejects))
    if not accepted:
        raise FacedistillError(f"none of {len(done)} photos gave a face; see {out / REJECTS}")
    counts = Counter(_person(file) for file in accepted)
    labels = {person: label for label, person in enumerate(sorted(counts))}
    accepted.sort(key=lambda file: (labels[_person(file)], file))
    records = ((labels[_person(file)], _crop_path(out / _WORK, file).read_bytes()) for file in accepted)
    with closing(records):
        write_records(out, records, size, len(labels))
    people = [(label, person, counts[person]) for person, label in labels.items()]
    write_text(out / PEOPLE, _csv(("label", "person", "photos"), people))
    return PrepareResult(len(accepted), len(labels), dict(Counter(reason for _, reason in rejects)))


def _person(file: str) -> str:
    return file.rpartition("/")[0]


def _csv(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode("utf-8", "backslashreplace").decode()  # a file's name need not be UTF-8


def _recorded(out: Path, photos: int) -> PrepareResult:
    """What an earlier, finished call had found; refused when the number of photos is another one now."""
    with (out / PEOPLE).open(newline="", encoding="utf-8") as file:
        people = [int(row["photos"]) for row in csv.DictReader(file)]
    with (out / REJECTS).open(newline="", encoding="utf-8") as file:
        reasons = [row["reason"] for row in csv.DictReader(file)]
    if sum(people) + len(reasons) != photos:
        raise UsageError(
            f"{out} was prepared from {sum(people) + len(reasons)} photos, but there are {photos} photos now; "
            "give another folder, or delete it"
        )
    return PrepareResult(sum(people), len(people), dict(Counter(reasons)), already_done=True)
