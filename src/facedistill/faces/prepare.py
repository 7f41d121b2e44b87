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
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from facedistill.checks import check_count, check_number, check_processes
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces.crops import crop_convention
from facedistill.faces.detector import MOST_LEAST_FACE, Detector
from facedistill.faces.made_folder import is_finished
from facedistill.faces.photo import Reject, Standard, crop_photo
from facedistill.faces.seen_photos import Photo, difference, read_photos
from facedistill.files import sole_writer, write_bytes, write_text
from facedistill.pictures import (
    LeftOut,
    PictureTree,
    UnreadablePicture,
    counted,
    encode_picture,
    read_file,
    reason_kind,
    walk_pictures,
)
from facedistill.progress import track
from facedistill.recordio import INDEX, PROPERTY, RECORDS, write_records
from facedistill.workers import in_processes

REJECTS, PEOPLE, PHOTOS, SETTINGS = "rejects.csv", "people.csv", "photos.jsonl", "prepare.json"
PICTURES = "pictures.csv"
_WORK = ".prepare"
_DONE = "done.jsonl"
_FILES = (RECORDS, INDEX, PROPERTY, PEOPLE, REJECTS, PHOTOS)


@dataclass(frozen=True)
class PrepareResult:
    """The counts of a call of `prepare`.

    Attributes:
        faces: Photos that gave a crop.
        people: Persons with at least one.
        rejected: Kind of reason, such as "no face" or "hidden folder" -> rows of `rejects.csv`.
        already_done: Whether an earlier call had finished the same work.
    """

    faces: int
    people: int
    rejected: dict[str, int] = field(default_factory=dict)
    already_done: bool = False


def prepare(
    photos: Path | str,
    out: Path | str,
    size: tuple[int, int] = (112, 96),
    min_face: int = 40,
    min_sharpness: float = 0.004,
    workers: int | None = None,
) -> PrepareResult:
    """Finds, aligns and packs the faces of a folder tree of photos.

    The folder that holds a photo names its person, by its path below `photos`. Labels follow the order of the names
    and skip persons without an accepted photo. Finished photos are kept under OUT until all are packed, so after a
    stop the same call goes on, with those photos anew that have changed.

    Args:
        photos: Folder tree, person/photo.jpg at any depth. Links are followed. What is hidden, or a system keeps among
            photos, is left out (`facedistill.pictures.walk_pictures`) and listed in `rejects.csv`.
        out: Gets `train.rec`, `train.idx`, `property`, `rejects.csv` (file, reason), `people.csv` (label, person,
            photos), `photos.jsonl` (a line a photo: file, bytes, time of change in ns, SHA-256, reason or null),
            `pictures.csv` (person, file; a row a picture, in the set's order).
        size: (height, width) of a crop convention.
        min_face: Least shorter side of a face, in pixels of the photo.
        min_sharpness: Least `photo.sharpness` of a crop.
        workers: Processes; None takes one per core.

    Raises:
        UsageError: `photos` is missing, empty, or not of the form above; `out` lies in it or holds something else, or
            was prepared before and photos changed, came, went or moved since; or an argument is out of its range.
        FacedistillError: No photo was accepted, or nothing can be written.
    """
    crop_convention(size)
    check_processes("workers", workers)
    check_count("min_face", min_face, 1, MOST_LEAST_FACE)
    check_number("min_sharpness", min_sharpness, 0, 1)
    photos, out = Path(photos), Path(out)
    tree = _photo_tree(photos)
    if out.resolve().is_relative_to(photos.resolve()):
        raise UsageError(f"{out} lies among the photos; give a folder outside of {photos}")
    standard = Standard(size, min_face, min_sharpness)
    settings = json.dumps({"photos": str(photos.resolve()), **asdict(standard)}, sort_keys=True)
    with sole_writer(out):
        differing = "prepared from other photos or settings"
        if is_finished(out, settings, SETTINGS, _WORK, _FILES, "*.jpg", differing, "prepare"):
            return _recorded(photos, tree.files, out)
        return _prepare(photos, tree, out, standard, settings, workers)


def _prepare(
    photos: Path, tree: PictureTree, out: Path, standard: Standard, settings: str, workers: int | None
) -> PrepareResult:
    """Begins, or goes on."""
    work = out / _WORK
    if not (work / SETTINGS).exists():
        write_text(work / SETTINGS, settings)
    try:
        done = _process_photos(photos, tree.files, work, standard, workers)
        result = _pack(out, [done[file] for file in tree.files], tree.left_out, standard.size)
        write_text(out / SETTINGS, settings)
        shutil.rmtree(work)
    except OSError as error:
        raise FacedistillError(
            f"cannot write {work}: {error.strerror or error}; mend that and run again, it goes on"
        ) from error
    return result


def _process_photos(
    photos: Path, files: list[str], work: Path, standard: Standard, workers: int | None
) -> dict[str, Photo]:
    """Crops all files that an earlier call has not finished, or that changed since; the crops go to `work`."""
    with (work / _DONE).open("a+", encoding="utf-8") as log:
        log.seek(0)
        done = read_photos(log)
        left = [file for file in files if file not in done or done[file].has_changed(photos)]
        # Closed at once on a stop: worker processes would finish all that waits.
        with closing(_crops(photos, left, standard, workers)) as crops:
            for crop, photo in track(crops, "aligning faces", len(left)):
                if crop is not None:
                    write_bytes(_crop_path(work, photo.file), crop)
                done[photo.file] = photo
                log.write(photo.line())
                log.flush()
    return done


def _photo_tree(photos: Path) -> PictureTree:
    """The tree of `photos`, in which each file lies in a person's folder."""
    if not photos.is_dir():
        raise UsageError(f"{photos} is no folder; give the folder that holds person/photo.jpg")
    tree = walk_pictures(photos)
    if homeless := [file for file in tree.files if "/" not in file]:
        raise UsageError(
            f"{photos / homeless[0]} lies in no person's folder; move it to {photos}/PERSON/, which names the person"
        )
    if not tree.files:
        hidden = f" (left out: {counted(tree.left_out)})" if tree.left_out else ""
        raise UsageError(f"{photos} holds no photos{hidden}; give the folder that holds person/photo.jpg")
    return tree


def _crops(
    photos: Path, files: list[str], standard: Standard, workers: int | None
) -> Generator[tuple[bytes | None, Photo]]:
    """For each file its encoded crop, or None, and what was seen."""
    _start_worker()  # here even when others work: what is wrong with the detector is reported once
    jobs = [(photos, file, standard) for file in files]
    yield from in_processes(_crop_file, jobs, _start_worker, workers, chunk=4)


_detector: Detector | None = None


def _start_worker() -> None:
    global _detector
    _detector = Detector(threads=1)


def _crop_file(job: tuple[Path, str, Standard]) -> tuple[bytes | None, Photo]:
    photos, file, standard = job
    assert _detector is not None, "the worker was started"
    photo = Photo.at(photos, file)
    try:
        data = read_file(photos / file)
        photo = replace(photo, sha256=hashlib.sha256(data).hexdigest())
        crop = crop_photo(_detector, data, standard)
    except UnreadablePicture as error:
        return None, replace(photo, reason=error.reason)
    if isinstance(crop, Reject):
        return None, replace(photo, reason=crop.reason)
    return encode_picture(crop), photo


def _crop_path(work: Path, file: str) -> Path:
    digest = hashlib.sha256(os.fsencode(file)).hexdigest()  # a name of its own, however long the photo's is
    return work / "crops" / digest[:2] / f"{digest[2:]}.jpg"


def _pack(out: Path, done: list[Photo], left_out: list[LeftOut], size: tuple[int, int]) -> PrepareResult:
    accepted = [photo.file for photo in done if photo.reason is None]
    rejects = [(photo.file, photo.reason) for photo in done if photo.reason is not None]
    rejects = sorted([*rejects, *((each.path, each.reason) for each in left_out)])
    write_text(out / REJECTS, as_csv(("file", "reason"), rejects))
    write_text(out / PHOTOS, "".join(photo.line() for photo in done))
    if not accepted:
        raise FacedistillError(f"none of {len(done)} photos gave a face; see {out / REJECTS}")
    counts = Counter(_person(file) for file in accepted)
    labels = {person: label for label, person in enumerate(sorted(counts))}
    accepted.sort(key=lambda file: (labels[_person(file)], file))
    records = ((labels[_person(file)], _crop_path(out / _WORK, file).read_bytes()) for file in accepted)
    with closing(records):
        write_records(out, records, size, len(labels))
    people = [(label, person, counts[person]) for person, label in labels.items()]
    write_text(out / PEOPLE, as_csv(("label", "person", "photos"), people))
    write_text(out / PICTURES, as_csv(("person", "file"), [(_person(file), file) for file in accepted]))
    return PrepareResult(len(accepted), len(labels), dict(Counter(reason_kind(reason) for _, reason in rejects)))


def _person(file: str) -> str:
    return file.rpartition("/")[0]


def as_csv(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A table as CSV; what is not UTF-8 in a file's name is escaped."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode("utf-8", "backslashreplace").decode()  # a file's name need not be UTF-8


def _recorded(photos: Path, files: list[str], out: Path) -> PrepareResult:
    """What an earlier, finished call had found; refused when the photos are other ones now."""
    with (out / PHOTOS).open(encoding="utf-8") as lines:
        if differing := difference(photos, files, read_photos(lines)):
            raise UsageError(f"{out} was prepared from other photos: {differing}; give another folder, or delete it")
    with (out / PEOPLE).open(newline="", encoding="utf-8") as file:
        people = [int(row["photos"]) for row in csv.DictReader(file)]
    with (out / REJECTS).open(newline="", encoding="utf-8") as file:
        kinds = Counter(reason_kind(row["reason"]) for row in csv.DictReader(file))
    return PrepareResult(sum(people), len(people), dict(kinds), already_done=True)
