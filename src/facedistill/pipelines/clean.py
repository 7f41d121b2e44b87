"""Labels of a prepared set put right: what to drop is proposed in a list that the user edits, then dropped."""

import csv
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import open_face_set
from facedistill.datasets.face import FaceSet
from facedistill.datasets.picture_hashes import hash_faces, same_pictures
from facedistill.datasets.repeated_pictures import contradiction, under_two_people
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces.prepare import PEOPLE, PICTURES, REJECTS, as_csv
from facedistill.files import sole_writer, write_text
from facedistill.models import DEFAULT
from facedistill.pictures import UnreadablePicture
from facedistill.recordio import INDEX, PROPERTY, RECORDS, RecordFile, write_records

PROPOSED, APPLIED = "clean.csv", "cleaned.csv"
_HEADER = ("drop", "record", "person", "file", "reason")
_WORK, _READY = ".clean", "ready"
_FEWEST = 3  # pictures of a person of whom one can be judged by the others
_AT_ONCE = 256
_MOST_BYTES = 1 << 28

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class CleanResult:
    """What a call of `clean` did.

    Attributes:
        proposed: Reason -> pictures in the list that was written; None where a list was applied.
        dropped: Pictures that were dropped.
        faces: Pictures of the set now.
        people: People of the set now.
    """

    proposed: dict[str, int] | None
    dropped: int
    faces: int
    people: int


def clean(out: Path, teacher: str = DEFAULT) -> CleanResult:
    """Proposes what to drop from a prepared set; called again, drops what the list names.

    The list, `clean.csv`, has a row a picture: rows whose `drop` the user sets to `no`, or deletes, are kept. Proposed
    are, in this order: the same picture under another person (the copy that is most like its other pictures stays, by
    the teacher's similarity, where there are enough of them; else none does); the same picture of the person again (the
    first stays); and a picture that is less like the others of its person than like another person, or than pictures
    usually are like the stranger whom they are most like.

    Args:
        out: A set that `prepare` made.
        teacher: What tells people apart, see `load_teacher`.

    Raises:
        UsageError: The list is not of this set, or a row is damaged; or the set was not made by `prepare`.
        FacedistillError: Nothing would be left, or nothing can be written.
    """
    with sole_writer(out):
        _finish(out)
        photos = _photos(out)
        if not (out / PROPOSED).exists():
            rows = _propose(open_face_set(out), photos, teacher)
            if rows:
                table = [("yes", place + 1, *photos[place], why) for place, why in rows]
                write_text(out / PROPOSED, as_csv(_HEADER, table))
            people = len({person for person, _ in photos})
            return CleanResult(dict(Counter(why.partition(" (")[0] for _, why in rows)), 0, len(photos), people)
        return _apply(out, photos)


def contradictions(out: Path) -> str | None:
    """One sentence about the pictures of a prepared set that stand under two people, or None."""
    faces = open_face_set(out)
    hashes = hash_faces(faces)
    groups = under_two_people(hashes)
    if not groups:
        return None
    photos = _photos(out)
    return contradiction(str(out), hashes, groups, lambda place: photos[place][1])


def _photos(out: Path) -> list[tuple[str, str]]:
    """(person, file) of each picture, in the set's order."""
    if not (out / PICTURES).is_file():
        raise UsageError(f"{out} has no {PICTURES}: no `facedistill prepare` of this version made it; prepare anew")
    with (out / PICTURES).open(newline="", encoding="utf-8") as file:
        return [(row["person"], row["file"]) for row in csv.DictReader(file)]


def _propose(faces: FaceSet, photos: list[tuple[str, str]], teacher: str) -> list[tuple[int, str]]:
    """(place, reason), in the set's order."""
    hashes = hash_faces(faces)
    places, unit = _embed(faces, teacher)
    own, other, nearest = _similarities(unit, faces.labels[places])
    alike = dict(zip(places.tolist(), own.tolist(), strict=True))
    found: dict[int, str] = {}
    for group in same_pictures(hashes):
        pictures = hashes.places[group]
        labels = faces.labels[pictures]
        if len(set(labels.tolist())) > 1:
            score = np.array([alike.get(int(place), np.nan) for place in pictures])
            best = pictures[int(np.nanargmax(score))] if np.isfinite(score).any() else -1
            for place in pictures[pictures != best].tolist():
                twin = next(int(one) for one in pictures if faces.labels[one] != faces.labels[place])
                found[place] = f"same picture under another person ({photos[twin][1]})"
        for label in set(labels.tolist()):
            first, *again = [int(place) for place in pictures[labels == label] if int(place) not in found] or [-1]
            found |= dict.fromkeys(again, f"same picture again ({photos[first][1]})")
    usual = np.nanmedian(other) if np.isfinite(other).any() else -np.inf
    for row in np.flatnonzero((own < other) | (own < usual)).tolist():
        like = photos[int(np.flatnonzero(faces.labels == nearest[row])[0])][0]
        found.setdefault(int(places[row]), f"unlike the person's other pictures ({own[row]:.2f}; most like {like})")
    return sorted(found.items())


def _embed(faces: FaceSet, teacher: str) -> tuple[Int, Float]:
    """The places of the pictures that can be read, and their unit embeddings [N, D]."""
    from facedistill.teachers import load_teacher  # here, as `contradictions` needs no torch

    net = load_teacher(teacher, device="auto")
    places, rows, crops = [], [], []
    for place in range(len(faces)):
        try:
            crops.append(faces[place].image)
            places.append(place)
        except UnreadablePicture:
            pass
        if crops and (len(crops) == _AT_ONCE or place == len(faces) - 1):
            rows.append(np.asarray(net.embed(np.stack(crops)), dtype=np.float64))
            crops = []
    found = np.concatenate(rows)
    return np.array(places, dtype=np.int64), found / np.linalg.norm(found, axis=1, keepdims=True)


def _similarities(unit: Float, labels: Int) -> tuple[Float, Float, Int]:
    """How alike each picture is to others.

    Returns:
        [N] each: its cosine to the mean of its person's other pictures, NaN where they are too few; the greatest to the
        mean of another person; and who that is.
    """
    people, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(people), unit.shape[1]))
    np.add.at(sums, index, unit)
    centres = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    others = sums[index] - unit
    lengths = np.linalg.norm(others, axis=1)
    few = (counts[index] < _FEWEST) | (lengths == 0)
    own = np.where(few, np.nan, np.einsum("nd,nd->n", unit, others) / np.where(few, 1, lengths))
    other, nearest = np.full(len(unit), np.nan), np.zeros(len(unit), dtype=np.int64)
    for start in range(0, len(unit), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        scores = unit[part] @ centres.T
        scores[np.arange(len(scores)), index[part]] = -np.inf
        if len(people) > 1:
            other[part], nearest[part] = scores.max(axis=1), people[scores.argmax(axis=1)]
    return own, other, nearest


def _apply(out: Path, photos: list[tuple[str, str]]) -> CleanResult:
    dropped = _read_list(out / PROPOSED, photos)
    kept = [place for place in range(len(photos)) if place not in dropped]
    names = sorted({photos[place][0] for place in kept})
    if len(names) < 2:
        raise FacedistillError(f"{out / PROPOSED} leaves fewer than two people; set `drop` to `no` where it is wrong")
    labels = {person: label for label, person in enumerate(names)}
    records = RecordFile(out)
    work = out / _WORK
    shutil.rmtree(work, ignore_errors=True)
    made = work / "set"
    write_records(made, ((labels[photos[place][0]], records[place][1]) for place in kept), records.size, len(labels))
    counts = Counter(photos[place][0] for place in kept)
    people = [(label, person, counts[person]) for person, label in labels.items()]
    write_text(made / PEOPLE, as_csv(("label", "person", "photos"), people))
    write_text(made / PICTURES, as_csv(("person", "file"), [photos[place] for place in kept]))
    with (out / REJECTS).open(newline="", encoding="utf-8") as file:
        rejects = [(row["file"], row["reason"]) for row in csv.DictReader(file)]
    # Without what stands in brackets, so that reasons can be counted; the list keeps it.
    rejects += [(photos[place][1], why.partition(" (")[0]) for place, why in dropped.items()]
    write_text(made / REJECTS, as_csv(("file", "reason"), rejects))
    made.rename(work / _READY)
    _finish(out)
    return CleanResult(None, len(dropped), len(kept), len(labels))


def _finish(out: Path) -> None:
    """Puts a cleaned set in the place of the old one, which a stop may have interrupted."""
    ready = out / _WORK / _READY
    if not ready.is_dir():
        return
    (out / PROPERTY).unlink(missing_ok=True)  # until it is back there is no set that could be opened half replaced
    for name in (RECORDS, INDEX, PEOPLE, PICTURES, REJECTS, PROPERTY):
        if (ready / name).exists():
            (ready / name).replace(out / name)
    if (out / PROPOSED).exists():
        (out / PROPOSED).replace(out / APPLIED)
    shutil.rmtree(out / _WORK)


def _read_list(path: Path, photos: list[tuple[str, str]]) -> dict[int, str]:
    """Place -> reason of the rows to drop."""
    if path.stat().st_size > _MOST_BYTES:
        raise UsageError(f"{path} has {path.stat().st_size} bytes; it is no list that this command wrote")
    dropped: dict[int, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                record, verdict = str(row.get("record")), str(row.get("drop")).strip().lower()
                known = record.isascii() and record.isdecimal() and len(record) < 12 and 1 <= int(record) <= len(photos)
                if not known or photos[int(record) - 1] != (row["person"], row["file"]):
                    raise UsageError(
                        f"{path}, line {number}: no such picture is in the set; delete the list to begin anew"
                    )
                if verdict not in ("yes", "no"):
                    raise UsageError(f"{path}, line {number}: drop is {verdict!r:.20}; write yes or no")
                if verdict == "yes":
                    dropped[int(record) - 1] = str(row["reason"])
    except (UnicodeDecodeError, csv.Error, KeyError) as error:
        raise UsageError(f"{path} is no list that this command wrote ({error}); delete it to begin anew") from error
    return dropped
