"""Writes a face set of synthetic people: in parallel, the same bytes for any number of workers, resumable."""

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
from facedistill.faces.made_folder import is_finished
from facedistill.files import atomic_path, sole_writer, write_bytes, write_text
from facedistill.pictures import encode_picture
from facedistill.progress import track
from facedistill.recordio import INDEX, PROPERTY, RECORDS, write_records
from facedistill.synth.assets import load_assets
from facedistill.synth.image_formation import ImageFormation
from facedistill.synth.person import draw_person
from facedistill.workers import in_processes

LABELS, SETTINGS = "labels.parquet", "synth.json"
_WORK = ".synth"
_FILES = (RECORDS, INDEX, PROPERTY, LABELS)
PICTURES_VERSION = 4  # raise it when the same seed gives other pictures, so that old and new ones are never mixed


@dataclass(frozen=True)
class SynthResult:
    """The result of `write_synthetic`.

    Attributes:
        faces: Number of pictures in the set.
        people: Number of identities.
        detected: Share of pictures in which the detector found the face, 0..1.
        images_per_second: Rendering rate of this call; 0 when nothing was left to render.
    """

    faces: int
    people: int
    detected: float
    images_per_second: float


@dataclass(frozen=True)
class _Settings:
    """What is rendered, besides the number of identities; recorded in `SETTINGS`."""

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
    """Renders a face set (RecordIO) and its `labels.parquet`, a row a picture in the set's settings.

    Each picture is determined by the seed, the identity and its number. Rendered identities are kept under `out` until
    all are packed, so that the same call resumes an interrupted run.

    Args:
        out: Folder of the set.
        identities: Number of people, at least 2.
        images: Pictures per person, at least 1.
        seed: Seed of the population and of its pictures, at least 0.
        size: (height, width) of a crop convention.
        workers: Number of processes, at least 1; None takes one per core.
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
    settings = _Settings(images, seed, size, same_day)
    recorded = json.dumps({"version": PICTURES_VERSION, "identities": identities, **asdict(settings)})
    with sole_writer(out, wait=True):  # a process that waited finds the finished set
        if is_finished(out, recorded, SETTINGS, _WORK, _FILES, "rendered with other settings", "render"):
            rows = _read_labels(out / LABELS)
            return SynthResult(len(rows["detected"]), identities, float(np.mean(rows["detected"])), 0.0)
        return _render(out, identities, settings, recorded, workers)


def _render(out: Path, identities: int, settings: _Settings, recorded: str, workers: int | None) -> SynthResult:
    """Renders the missing identities and packs the set."""
    work = out / _WORK
    write_text(work / SETTINGS, recorded)
    left = [number for number in range(identities) if not _part(work, number).exists()]
    started = time.perf_counter()
    # `closing`: after an interrupt, worker processes would otherwise finish all queued jobs.
    with closing(_render_missing(work, left, settings, workers)) as pictures:
        for _ in track(pictures, "rendering people", len(left) * settings.images, unit="pictures"):
            pass
    seconds = time.perf_counter() - started
    try:
        result = _pack(out, work, identities, settings, len(left) * settings.images / seconds if left else 0.0)
        write_text(out / SETTINGS, recorded)
        shutil.rmtree(work)
    except OSError as error:
        raise FacedistillError(
            f"cannot pack {work}: {error.strerror or error}; mend that and run again, it goes on"
        ) from error
    return result


def _part(work: Path, number: int) -> Path:
    return work / f"{number:08d}.npz"


def _render_missing(work: Path, numbers: list[int], settings: _Settings, workers: int | None) -> Generator[int]:
    """Renders identities and writes the part file of each; yields once per picture, for the progress bar."""
    if numbers:  # builds cached files once, and raises their errors here instead of in a worker process
        load_assets()
        Detector()
    jobs = [(number, settings) for number in numbers]
    with closing(in_processes(_render_identity, jobs, _start_worker, workers)) as rendered:
        for number, part in rendered:
            write_bytes(_part(work, number), part)
            yield from range(settings.images)


_image_formation: ImageFormation | None = None


def _start_worker() -> None:
    global _image_formation  # one per process: building it takes longer than many pictures
    if _image_formation is None:
        _image_formation = ImageFormation()


def _render_identity(job: tuple[int, _Settings]) -> tuple[int, bytes]:
    """One identity's pictures (JPEG) and labels (JSON) as the bytes of an .npz file."""
    number, settings = job
    assert _image_formation is not None, "the worker was started"
    person = draw_person(settings.seed, number)
    contents: dict[str, Any] = {}
    rows = []
    for index in range(settings.images):
        picture = _image_formation.capture(person, settings.seed, index, settings.size, settings.same_day)
        contents[f"picture{index}"] = np.frombuffer(encode_picture(picture.crop), dtype=np.uint8)
        rows.append(picture.labels | {"image": index})
    part = io.BytesIO()
    np.savez(part, labels=np.frombuffer(json.dumps(rows).encode(), dtype=np.uint8), **contents)
    return number, part.getvalue()


def _pack(out: Path, work: Path, identities: int, settings: _Settings, images_per_second: float) -> SynthResult:
    rows: list[dict[str, Any]] = []

    def records() -> Iterator[tuple[int, bytes]]:
        for number in range(identities):
            with np.load(_part(work, number), allow_pickle=False) as part:
                rows.extend(json.loads(part["labels"].tobytes()))
                for index in range(settings.images):
                    yield number, part[f"picture{index}"].tobytes()

    (out / PROPERTY).unlink(missing_ok=True)
    write_records(out, records(), settings.size, identities)
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

    return dict(pyarrow.parquet.read_table(path).to_pydict())
