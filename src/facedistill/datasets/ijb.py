"""IJB-B (Whitelam et al. 2017) and IJB-C (Maze et al. 2018): templates of pictures and frames, from meta files."""

import csv
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets.lists import first_folder, is_inside, read_list, require_files, separator, shown
from facedistill.errors import FacedistillError, UsageError

Int = NDArray[np.int64]


@dataclass(frozen=True)
class TemplateList:
    """Templates of known people: a gallery, or probes.

    Attributes:
        templates: int64 [n], indices into the set's templates, each once.
        subjects: int64 [n], whom each shows.
    """

    templates: Int
    subjects: Int


@dataclass(frozen=True)
class IjbSet:
    """Faces, how they form templates, and what is compared with what.

    Attributes:
        source: The folder of the meta files.
        pictures: [N] loosely cropped faces.
        landmarks: float64 [N, 5, 2], x and y in the picture: eyes, nose, mouth corners.
        templates: int64 [N], each face's template, an index into `template_ids`.
        media: int64 [N], the photo or video a face comes from; it counts within its template.
        template_ids: int64 [T], ascending.
        first: int64 [P], the 1:1 pairs' first templates, as indices.
        second: int64 [P], their second ones.
        same: bool [P].
        galleries: "G1" and "G2" -> who is enrolled; empty where the set has no 1:N lists.
        probes: Who is searched, or None.
    """

    source: str
    pictures: tuple[Path, ...]
    landmarks: NDArray[np.float64]
    templates: Int
    media: Int
    template_ids: Int
    first: Int
    second: Int
    same: NDArray[np.bool_]
    galleries: dict[str, TemplateList]
    probes: TemplateList | None


def read_ijb(folder: Path | str, name: str) -> IjbSet:
    """Reads the meta files of a set and finds its pictures.

    Args:
        folder: Holds `loose_crop/*.jpg` and, in `meta` or in itself, with NAME for `name`:
            `NAME_face_tid_mid.txt` (lines `picture template media`), `NAME_name_5pts_score.txt` (lines `picture`, ten
            numbers x y of the landmarks, score), `NAME_template_pair_label.txt` (lines `template template 1 or 0`),
            and, all or none, `NAME_1N_gallery_G1.csv`, `NAME_1N_gallery_G2.csv` (also called S1 and S2) and
            `NAME_1N_probe_mixed.csv` with columns TEMPLATE_ID and SUBJECT_ID.
        name: "ijbb" or "ijbc".

    Raises:
        UsageError: A file is missing or not in its form.
        FacedistillError: The files contradict each other: a picture without landmarks, a template that has no face,
            is of two people or is compared with itself, a person enrolled twice, an enrolled probe; or pictures are
            missing.
    """
    folder = Path(folder)
    meta = first_folder(folder, ("meta",))
    faces_txt = meta / f"{name}_face_tid_mid.txt"
    names, template_of, media = _read_faces(faces_txt)
    landmarks = _read_landmarks(meta / f"{name}_name_5pts_score.txt")
    if lost := [picture for picture in names if picture not in landmarks]:
        raise FacedistillError(
            f"{len(lost)} pictures of {faces_txt} have no landmarks in {name}_name_5pts_score.txt (first: "
            f"{shown(lost[0])}); take both files from one release"
        )
    template_ids, templates = np.unique(template_of, return_inverse=True)
    pictures = tuple(folder / "loose_crop" / picture for picture in names)
    require_files(pictures, faces_txt)
    pairs = _read_pairs(meta / f"{name}_template_pair_label.txt", template_ids)
    searched = _read_search_lists(meta, name, template_ids)
    points = np.array([landmarks[picture] for picture in names]).reshape(-1, 5, 2)
    return IjbSet(str(meta), pictures, points, templates.astype(np.int64), media, template_ids, *pairs, *searched)


def _read_faces(path: Path) -> tuple[list[str], Int, Int]:
    faces: list[tuple[str, int, int]] = []
    for number, cells in _rows(read_list(path, "the faces").split("\n")):
        if len(cells) != 3 or not is_inside(cells[0]) or not (_is_id(cells[1]) and _is_id(cells[2])):
            raise UsageError(f"{path}, line {number} must read `picture template media`")
        faces.append((cells[0], int(cells[1]), int(cells[2])))
    if not faces:
        raise UsageError(f"{path} names no face; copy it again")
    if len({face[:2] for face in faces}) < len(faces):
        raise FacedistillError(f"{path} lists a picture twice in one template, which would count double; copy it again")
    names, templates, media = zip(*faces, strict=True)
    return list(names), np.array(templates, np.int64), np.array(media, np.int64)


def _read_landmarks(path: Path) -> dict[str, list[float]]:
    landmarks: dict[str, list[float]] = {}
    for number, (picture, *cells) in _rows(read_list(path, "the landmarks").split("\n")):
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            values = []
        if len(values) != 11 or not np.isfinite(values).all():
            raise UsageError(f"{path}, line {number} must read `picture`, ten numbers for five landmarks, score")
        if landmarks.setdefault(picture, values[:10]) != values[:10]:
            raise FacedistillError(f"{path} gives {shown(picture)} two sets of landmarks; copy it again")
    return landmarks


def _read_pairs(path: Path, template_ids: Int) -> tuple[Int, Int, NDArray[np.bool_]]:
    numbers = array("q")  # IJB-C has 15.6 million pairs; np.loadtxt crashes on some texts that are no numbers
    for count, cells in _rows(StringIO(read_list(path, "the pairs"))):
        if len(cells) != 3 or not (_is_id(cells[0]) and _is_id(cells[1])) or cells[2] not in ("0", "1"):
            raise UsageError(f"{path}, line {count} must read `template template 1 or 0`")
        numbers.extend(map(int, cells))
    if not numbers:
        raise UsageError(f"{path} holds no pair; copy it again")
    first, second, same = np.array(numbers, np.int64).reshape(-1, 3).T
    if own := np.flatnonzero(first == second).tolist():
        raise FacedistillError(f"{path} compares template {first[own[0]]} with itself; copy it again")
    return _places(first, template_ids, path), _places(second, template_ids, path), same == 1


def _read_search_lists(meta: Path, name: str, template_ids: Int) -> tuple[dict[str, TemplateList], TemplateList | None]:
    files = {f"G{n}": _either(meta, f"{name}_1N_gallery_G{n}.csv", f"{name}_1N_gallery_S{n}.csv") for n in (1, 2)}
    probes_csv = meta / f"{name}_1N_probe_mixed.csv"
    if not any(path.exists() for path in (*files.values(), probes_csv)):
        return {}, None
    galleries = {key: _read_template_list(path, template_ids) for key, path in files.items()}
    probes = _read_template_list(probes_csv, template_ids)
    for key, gallery in galleries.items():
        people, counts = np.unique(gallery.subjects, return_counts=True)
        if (counts > 1).any():
            raise FacedistillError(
                f"{files[key]} enrols subject {people[counts > 1][0]} with {counts.max()} templates, but a gallery "
                "holds one of each; copy it again"
            )
        if len(both := np.intersect1d(gallery.templates, probes.templates)):
            raise FacedistillError(
                f"template {template_ids[both[0]]} is enrolled in {files[key]} and searched in {probes_csv.name}, "
                "where it would find itself; copy both again"
            )
    return galleries, probes


def _read_template_list(path: Path, template_ids: Int) -> TemplateList:
    try:
        text = read_list(path, "the list")
        reader = csv.DictReader(text.split("\n"), delimiter=separator(text))
        columns = {column.strip().upper(): column for column in reader.fieldnames or ()}
        rows = list(reader)
    except csv.Error as error:
        raise UsageError(f"{path} is no list that can be read ({error}); copy it again") from error
    if not {"TEMPLATE_ID", "SUBJECT_ID"} <= columns.keys():
        raise UsageError(f"{path} must begin with a line of headings that holds TEMPLATE_ID and SUBJECT_ID")
    subject_of: dict[int, int] = {}
    for number, row in enumerate(rows, start=2):
        cells = [(row[columns[key]] or "").strip() for key in ("TEMPLATE_ID", "SUBJECT_ID")]
        if not all(_is_id(cell) for cell in cells):
            raise UsageError(f"{path}, line {number} must hold a template's and a subject's number")
        template, subject = int(cells[0]), int(cells[1])
        if subject_of.setdefault(template, subject) != subject:
            raise FacedistillError(
                f"{path}: template {template} shows subjects {subject_of[template]} and {subject}; copy it again"
            )
    if not subject_of:
        raise UsageError(f"{path} lists nobody; copy it again")
    templates = np.array(list(subject_of), np.int64)
    return TemplateList(_places(templates, template_ids, path), np.array(list(subject_of.values()), np.int64))


def _places(templates: Int, template_ids: Int, path: Path) -> Int:
    """Indices of templates given by their numbers."""
    places = np.searchsorted(template_ids, templates).clip(max=len(template_ids) - 1)
    unknown = templates[template_ids[places] != templates]
    if len(unknown):
        raise FacedistillError(
            f"{path} names template {unknown[0]}, which has no face in the set; take all meta files from one release"
        )
    return places.astype(np.int64)


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each line that is not blank."""
    return ((number, line.split()) for number, line in enumerate(lines, start=1) if line.strip())


def _either(folder: Path, name: str, other: str) -> Path:
    return folder / other if (folder / other).exists() and not (folder / name).exists() else folder / name


def _is_id(cell: str) -> bool:
    return cell.isdecimal() and cell.isascii() and len(cell) < 16
