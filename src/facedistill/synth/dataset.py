"""Writes a face set of synthetic people: in parallel, the same bytes for any number of workers, resumable."""

import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facedistill.checks import check_count, check_processes, check_seed
from facedistill.errors import FacedistillError
from facedistill.faces import Detector, crop_convention
from facedistill.faces.made_folder import is_finished
from facedistill.files import atomic_path, sole_writer, write_bytes, write_text
from facedistill.pictures import encode_picture
from facedistill.progress import track
from facedistill.recordio import INDEX, PROPERTY, RECORDS, write_records
from facedistill.synth.assets import load_assets
from facedistill.synth.conditions import draw_conditions
from facedistill.synth.image_formation import ImageFormation
from facedistill.synth.person import draw_person
from facedistill.synth.pool import (
    LEAST_PEOPLE,
    MOST_IMAGES,
    MOST_PEOPLE,
    SETTINGS,
    WORK,
    RenderSettings,
    check_wide,
    pack_part,
    part_path,
    read_part,
)
from facedistill.synth.posed import draw_alike
from facedistill.synth.posed import posed as as_posed
from facedistill.synth.wider import exaggerate, widen
from facedistill.workers import in_processes

LABELS = "labels.parquet"
_FILES = (RECORDS, INDEX, PROPERTY, LABELS)


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


def write_synthetic(
    out: Path,
    identities: int,
    images: int,
    seed: int = 0,
    size: tuple[int, int] = (112, 96),
    workers: int | None = None,
    same_day: bool = False,
    exaggeration: float = 1.0,
    variety: float = 1.0,
    first: Sequence[int] = (),
    posed: bool = False,
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
        exaggeration: Up to how far people are caricatures, see `wider.exaggerate`.
        variety: How far light and camera are out of the ordinary, see `wider.widen`.
        first: Numbers of the people to render before the others; the finished set does not depend on it.
        posed: People who are alike pose in one light, see `facedistill.synth.posed`.

    Raises:
        UsageError: A number is out of range, or `out` holds something else.
        FacedistillError: Nothing can be written, or a worker was killed.
    """
    crop_convention(size)
    check_count("identities", identities, LEAST_PEOPLE, MOST_PEOPLE)
    check_count("images", images, 1, MOST_IMAGES)
    check_seed("seed", seed)
    check_processes("workers", workers)
    check_wide("exaggeration", exaggeration)
    check_wide("variety", variety)
    settings = RenderSettings(images, seed, size, same_day, exaggeration, variety, posed)
    recorded = settings.recorded(identities)
    with sole_writer(out, wait=True):  # a process that waited finds the finished set
        if is_finished(out, recorded, SETTINGS, WORK, _FILES, "*.person", "rendered with other settings", "render"):
            rows = _read_labels(out / LABELS)
            return SynthResult(len(rows["detected"]), identities, float(np.mean(rows["detected"])), 0.0)
        order = list(dict.fromkeys([*first, *range(identities)]))
        return _render(out, order, settings, recorded, workers)


def _render(out: Path, order: list[int], settings: RenderSettings, recorded: str, workers: int | None) -> SynthResult:
    """Renders the missing identities in the given order and packs the set."""
    write_text(out / WORK / SETTINGS, recorded)
    left = [number for number in order if not part_path(out, number).exists()]
    started = time.perf_counter()
    # `closing`: after an interrupt, worker processes would otherwise finish all queued jobs.
    with closing(_render_missing(out, left, settings, workers)) as pictures:
        for _ in track(pictures, "rendering people", len(left) * settings.images, unit="pictures"):
            pass
    seconds = time.perf_counter() - started
    try:
        result = _pack(out, len(order), settings, len(left) * settings.images / seconds if left else 0.0)
        write_text(out / SETTINGS, recorded)
        shutil.rmtree(out / WORK)
    except OSError as error:
        raise FacedistillError(
            f"cannot pack {out / WORK}: {error.strerror or error}; mend that and run again, it goes on"
        ) from error
    return result


def _render_missing(out: Path, numbers: list[int], settings: RenderSettings, workers: int | None) -> Generator[int]:
    """Renders identities and writes the part file of each; yields once per picture, for the progress bar."""
    if numbers:  # builds cached files once, and raises their errors here instead of in a worker process
        load_assets()
        Detector()
    jobs = [(number, settings) for number in numbers]
    # The first person in this process, which compiles the kernels once instead of in each worker process.
    for share, processes in ((jobs[:1], 1), (jobs[1:], workers)):
        with closing(in_processes(_render_identity, share, _start_worker, processes)) as rendered:
            for number, part in rendered:
                write_bytes(part_path(out, number), part)
                yield from range(settings.images)


_image_formation: ImageFormation | None = None


def _start_worker() -> None:
    global _image_formation  # one per process: building it takes longer than many pictures
    if _image_formation is None:
        _image_formation = ImageFormation()


def _render_identity(job: tuple[int, RenderSettings]) -> tuple[int, bytes]:
    """One identity's pictures (JPEG) and labels as the bytes of a part file."""
    number, settings = job
    assert _image_formation is not None, "the worker was started"
    person = (draw_alike if settings.posed else draw_person)(settings.seed, number)
    person = exaggerate(person, settings.exaggeration)
    encoded, rows = [], []
    for index in range(settings.images):
        conditions = widen(draw_conditions(person, settings.seed, index, settings.same_day), settings.variety)
        if settings.posed:
            conditions = as_posed(conditions, settings.seed, number, index)
        picture = _image_formation.capture(person, settings.seed, index, settings.size, conditions=conditions)
        encoded.append(encode_picture(picture.crop))
        rows.append(picture.labels | {"image": index})
    return number, pack_part(encoded, rows)


def _pack(out: Path, identities: int, settings: RenderSettings, images_per_second: float) -> SynthResult:
    rows: list[dict[str, Any]] = []

    def records() -> Iterator[tuple[int, bytes]]:
        for number in range(identities):
            pictures, labels = read_part(part_path(out, number))
            rows.extend(labels)
            yield from ((number, picture) for picture in pictures)

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
