"""Cleaning a prepared set: what is proposed, what the user changes, and what is dropped."""

import csv

import numpy as np
import pytest

from facedistill.datasets import Face, open_face_set, write_face_set
from facedistill.errors import FacedistillError, UsageError
from facedistill.faces.prepare import PEOPLE, PICTURES, REJECTS, as_csv
from facedistill.pipelines import clean as clean_module
from facedistill.pipelines.clean import APPLIED, PROPOSED, clean, contradictions
from tests.datasets.test_picture_hashes import encoded, picture


class Teacher:
    """Knows people by the colour of their pictures' upper left corner, as `prepared` paints it."""

    def embed(self, crops):
        return np.asarray(crops[:, 8, 8], np.float64) - 128


@pytest.fixture(autouse=True)
def teacher(monkeypatch):
    monkeypatch.setattr("facedistill.teachers.load_teacher", lambda *_, **__: Teacher())


COLOURS = {"ann": (250, 10, 10), "bob": (10, 250, 10), "eve": (10, 10, 250)}


def painted(number, person):
    image = picture(number)
    image[:16, :16] = COLOURS[person]
    return image


# person, file, picture; ann/1 stands under bob again, eve/8 twice, and a picture of bob among eve's.
ROWS = [
    *(("ann", f"ann/{n}.jpg", painted(n, "ann")) for n in range(4)),
    ("bob", "bob/1.jpg", painted(1, "ann")),
    *(("bob", f"bob/{n}.jpg", painted(n, "bob")) for n in range(4, 8)),
    *(("eve", f"eve/{n}.jpg", painted(n, "eve")) for n in range(8, 12)),
    ("eve", "eve/again.jpg", encoded(painted(8, "eve"), quality=90)),
    ("eve", "eve/stranger.jpg", painted(20, "bob")),
]


def prepared(folder, rows=ROWS):
    """A set as `prepare` leaves it."""
    people = sorted({person for person, _, _ in rows})
    write_face_set(folder, [Face(image, people.index(who), "") for who, _, image in rows], extension=".png")
    (folder / PICTURES).write_text(as_csv(("person", "file"), [row[:2] for row in rows]))
    (folder / REJECTS).write_text(as_csv(("file", "reason"), [("ann/x.jpg", "no face")]))
    (folder / PEOPLE).write_text(as_csv(("label", "person", "photos"), [(n, who, 1) for n, who in enumerate(people)]))
    return folder


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


PROPOSALS = [
    ("bob/1.jpg", "same picture under another person (ann/1.jpg)"),
    ("eve/again.jpg", "same picture again (eve/8.jpg)"),
    ("eve/stranger.jpg", "unlike the person's other pictures"),
]


def test_what_is_proposed_and_then_dropped(tmp_path):
    out = prepared(tmp_path / "set")
    result = clean(out)
    assert sum(result.proposed.values()) == 3
    rows = table(out / PROPOSED)
    assert [row["file"] for row in rows] == [file for file, _ in PROPOSALS]
    assert all(row["reason"].startswith(why) for row, (_, why) in zip(rows, PROPOSALS, strict=True))
    assert len(open_face_set(out)) == len(ROWS), "nothing is dropped before the user has seen the list"

    (out / PROPOSED).write_text((out / PROPOSED).read_text().replace("yes,14", "no,14"))  # eve/again.jpg stays
    result = clean(out)
    assert (result.proposed, result.dropped, result.faces, result.people) == (None, 2, len(ROWS) - 2, 3)
    kept = [row for row in ROWS if row[1] not in ("bob/1.jpg", "eve/stranger.jpg")]
    assert [(row["person"], row["file"]) for row in table(out / PICTURES)] == [row[:2] for row in kept]
    faces = open_face_set(out)
    assert all(np.array_equal(faces[n].image, row[2]) for n, row in enumerate(kept))
    assert faces.labels.tolist() == [["ann", "bob", "eve"].index(row[0]) for row in kept]
    assert [row["file"] for row in table(out / REJECTS)] == ["ann/x.jpg", "bob/1.jpg", "eve/stranger.jpg"]
    assert sum(int(row["photos"]) for row in table(out / PEOPLE)) == len(kept)
    assert not (out / PROPOSED).exists()
    assert (out / APPLIED).exists()


def test_rows_that_are_deleted_are_kept_and_people_without_pictures_leave(tmp_path):
    out = prepared(tmp_path / "set")
    clean(out)
    header = (out / PROPOSED).read_text().splitlines()[0]
    ann = [f"yes,{n},ann,ann/{n - 1}.jpg,mine" for n in range(1, 5)]
    (out / PROPOSED).write_text("\n".join([header, *ann]) + "\n")
    result = clean(out)
    assert (result.dropped, result.people) == (4, 2)
    assert [row["person"] for row in table(out / PEOPLE)] == ["bob", "eve"]


def test_a_clean_set_is_left_as_it_is(tmp_path):
    rows = [row for row in ROWS if row[1] not in dict(PROPOSALS)]
    out = prepared(tmp_path / "set", rows)
    assert clean(out).proposed == {}
    assert not (out / PROPOSED).exists()
    assert contradictions(out) is None


def test_contradictions_are_told_with_the_photos_names(tmp_path):
    sentence = contradictions(prepared(tmp_path / "set"))
    assert "1 picture stands under two people or more (1 identical" in sentence
    assert "ann/1.jpg = bob/1.jpg" in sentence


WRONG = [
    (lambda text: text.replace("yes,5", "yes,50"), "line 2: no such picture", "a picture beyond the set"),
    (lambda text: text.replace("bob/1.jpg", "bob/9.jpg"), "line 2: no such picture", "a list of another set"),
    (lambda text: text.replace("yes,5", "perhaps,5"), "drop is 'perhaps'; write yes or no", "another word"),
    (lambda text: "\x00\x01", "no list|no such picture", "no table"),
]


@pytest.mark.parametrize(("change", "reason", "why"), WRONG, ids=[row[2] for row in WRONG])
def test_a_list_that_is_wrong_changes_nothing(tmp_path, change, reason, why):
    out = prepared(tmp_path / "set")
    clean(out)
    (out / PROPOSED).write_text(change((out / PROPOSED).read_text()))
    if why == "no table":
        (out / PROPOSED).write_bytes(b"drop,record\nyes,\xff\n")
    with pytest.raises(UsageError, match=reason):
        clean(out)
    assert len(open_face_set(out)) == len(ROWS)


def test_a_list_that_leaves_nobody_is_refused(tmp_path):
    out = prepared(tmp_path / "set")
    rows = [("yes", n + 1, who, file, "") for n, (who, file, _) in enumerate(ROWS) if who != "ann"]
    (out / PROPOSED).write_text(as_csv(("drop", "record", "person", "file", "reason"), rows))
    with pytest.raises(FacedistillError, match="fewer than two people"):
        clean(out)


@pytest.mark.parametrize("moved", range(7))
def test_a_stop_while_the_set_is_replaced_is_made_good_by_the_next_call(tmp_path, monkeypatch, moved):
    out = prepared(tmp_path / "set")
    clean(out)
    paths, replace = [], clean_module.Path.replace

    def stopping(path, target):
        if path.parent.name == "ready" and len(paths) == moved:
            raise KeyboardInterrupt
        if path.parent.name == "ready":
            paths.append(target)
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(clean_module.Path, "replace", stopping)
        if moved < 6:
            with pytest.raises(KeyboardInterrupt):
                clean(out)
        else:
            clean(out)
    clean(out)
    assert len(open_face_set(out)) == len(table(out / PICTURES)) == len(ROWS) - 3
    assert not (out / ".clean").exists()


def test_a_set_of_another_maker_is_refused(tmp_path):
    write_face_set(tmp_path, [Face(picture(n), n, "") for n in range(3)])
    with pytest.raises(UsageError, match=r"has no pictures\.csv"):
        clean(tmp_path)
