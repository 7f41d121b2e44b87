"""A face set of people who do not exist: in parallel, the same for any number of workers, able to go on."""

import io
import json
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facedistill.errors import FacedistillError, UsageError
from facedistill.faces import Detector, crop_convention
from facedistill.files import atomic_path, sole_writer, write_bytes, write_text
from facedistill.pictures import encode_picture
from facedistill.progress import track
from facedistill.recordio import INDEX, PROPERTY, RECORDS, write_records
from facedistill.synth.assets import load_assets
from facedistill.synth.person import draw_person
from facedistill.synth.picture import Photographer
from facedistill.workers import in_processes

LABELS, SETTINGS = "labels.parquet", "synth.json"
_WORK = ".synth"
PICTURES_VERSION = 4  # raise it when the same seed gives other pictures: old and new ones are then not mixed


@dataclass(frozen=True)
class SynthResult:
    """What was written.

    Attributes:
        faces: Pictures in the set.
        people: Identities.
        detected: Share of pictures in which the detector found the face.
        images_per_second: Of this call; 0 when nothing was left to render.
    """

    faces: int
    people: int
    detected: float
    images_per_second: float


@dataclass(frozen=True)
class _Order:
    """What is to be rendered."""

    images: int
    seed: int
    size: tuple[int, int]
    same_day: bool


def write_synthetic(
    out: Path,
    identities: int,
    images: int,
    seed: int = 0,
    size: tuple[int, int] = (112, 96),
    workers: int | None = None,
    same_day: bool = False,
) -> SynthResult:
    """Renders a face set (RecordIO) and its `labels.parquet`, a row a picture in the set's order.

    Everything follows from the seed, the identity and the picture's number. Finished identities are kept under OUT
    until all are packed, so after a stop the same call goes on.

    Args:
        out: The set's folder.
        identities: People, at least 2.
        images: Pictures of each.
        seed: Of the population and of its pictures.
        size: (height, width) of a crop convention.
        workers: Processes; None takes one per core.
        same_day: Hair, clothes, glasses and age stay the same in all pictures of a person.

    Raises:
        UsageError: A number is out of range, or `out` holds something else.
        FacedistillError: Nothing can be written, or a worker was killed.
    """
    crop_convention(size)
    if identities < 2 or images < 1 or seed < 0:
        raise UsageError(
            f"identities, images and seed are {identities}, {images} and {seed}; "
            "they must be at least 2, at least 1 and not negative"
        )
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; it must be at least 1")
    order = _Order(images, seed, size, same_day)
    settings = json.dumps({"version": PICTURES_VERSION, "identities": identities, **asdict(order)})
    with sole_writer(out, wait=True):  # who waits finds the set that he wanted
        if _finished(out, settings):
            rows = _read_labels(out / LABELS)
            return SynthResult(len(rows["detected"]), identities, float(np.mean(rows["detected"])), 0.0)
        return _render(out, identities, order, settings, workers)


def _render(out: Path, identities: int, order: _Order, settings: str, workers: int | None) -> SynthResult:
    """Begins, or goes on."""
    work = out / _WORK
    write_text(work / SETTINGS, settings)
    left = [number for number in range(identities) if not _part(work, number).exists()]
    started = time.perf_counter()
    # Closed at once on a stop: worker processes would finish all that waits.
    with closing(_render_missing(work, left, order, workers)) as pictures:
        for _ in track(pictures, "rendering people", len(left) * order.images, unit="pictures"):
            pass
    seconds = time.perf_counter() - started
    try:
        result = _pack(out, work, identities, order, len(left) * order.images / seconds if left else 0.0)
        write_text(out / SETTINGS, settings)
        shutil.rmtree(work)
    except OSError as error:
        raise FacedistillError(
            f"cannot pack {work}: {error.strerror or error}; mend that and run again, it goes on"
        ) from error
    return result


def _finished(out: Path, settings: str) -> bool:
    """Whether `out` holds this very set, finished; refuses a folder that holds anything else."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is no folder; give another name")
    for recorded in (out / SETTINGS, out / _WORK / SETTINGS):
        if recorded.exists() and recorded.read_text(encoding="utf-8") != settings:
            raise UsageError(f"{out} was rendered with other settings; give another folder, or delete it")
    if (out / SETTINGS).exists():
        for name in (RECORDS, INDEX, PROPERTY, LABELS):
            if not (out / name).exists():
                raise FacedistillError(f"{out} has lost its {name}; delete the folder and render it again")
        return True
    if out.exists() and any(path.name != _WORK for path in out.iterdir()) and not (out / _WORK).exists():
        raise UsageError(f"{out} is not empty and was not made by this command; give another folder")
    return False


def _part(work: Path, number: int) -> Path:
    return work / f"{number:08d}.npz"


def _render_missing(work: Path, numbers: list[int], order: _Order, workers: int | None) -> Generator[int]:
    """Renders people and keeps each one's part; yields once a picture, for the progress bar."""
    if numbers:  # what is missing is made once, and what is wrong is told clearly, before processes need it
        load_assets()
        Detector()
    jobs = [(number, order) for number in numbers]
    with closing(in_processes(_render_identity, jobs, _start_worker, workers)) as rendered:
        for number, part in rendered:
            write_bytes(_part(work, number), part)
            yield from range(order.images)


_photographer: Photographer | None = None


def _start_worker() -> None:
    global _photographer  # one a process: making it takes longer than many pictures
    if _photographer is None:
        _photographer = Photographer()


def _render_identity(job: tuple[int, _Order]) -> tuple[int, bytes]:
    """One identity's pictures (JPEG) and labels (JSON) as the bytes of an .npz file."""
    number, order = job
    assert _photographer is not None, "the worker was started"
    person = draw_person(order.seed, number)
    pictures, rows = [], []
    for index in range(order.images):
        picture = _photographer.take(person, order.seed, index, order.size, order.same_day)
        pictures.append(np.frombuffer(encode_picture(picture.crop), dtype=np.uint8))
        rows.append(picture.labels | {"image": index})
    part = io.BytesIO()
    contents: dict[str, Any] = {f"picture{index}": picture for index, picture in enumerate(pictures)}
    np.savez(part, labels=np.frombuffer(json.dumps(rows).encode(), dtype=np.uint8), **contents)
    return number, part.getvalue()


def _pack(out: Path, work: Path, identities: int, order: _Order, images_per_second: float) -> SynthResult:
    rows: list[dict[str, Any]] = []

    def records() -> Iterator[tuple[int, bytes]]:
        for number in range(identities):
            with np.load(_part(work, number), allow_pickle=False) as part:
                rows.extend(json.loads(part["labels"].tobytes()))
                for index in range(order.images):
                    yield number, part[f"picture{index}"].tobytes()

    (out / PROPERTY).unlink(missing_ok=True)
    write_records(out, records(), order.size, identities)
    _write_labels(out / LABELS, rows)
    detected = float(np.mean([row["detected"] for row in rows]))
    return SynthResult(len(rows), identities, detected, images_per_second)


def _write_labels(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = {name: [row[name] for row in rows] for name in ("identity", "image", *rows[0])}
    with atomic_path(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(columns), temporary)


def _read_labels(path: Path) -> dict[str, Any]:
    import pyarrow.parquet

    table: dict[str, Any] = pyarrow.parquet.read_table(path).to_pydict()
    return table
