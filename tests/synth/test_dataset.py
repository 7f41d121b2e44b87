"""Face sets of synthetic people: reproducible, resumable, labelled, readable as any face set."""

import shutil

import numpy as np
import pyarrow.parquet
import pytest

from facedistill.cli import main
from facedistill.datasets import open_face_set
from facedistill.errors import FacedistillError, UsageError
from facedistill.synth import dataset
from facedistill.synth.dataset import LABELS, write_synthetic
from facedistill.synth.preview import contact_sheet, sorted_sheet

PEOPLE, PICTURES = 3, 2


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("synth") / "set"
    result = write_synthetic(out, PEOPLE, PICTURES, seed=5, workers=1)
    return out, result


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".parquet"}


def test_the_set_opens_like_any_other(written):
    out, result = written
    faces = open_face_set(out)
    assert (len(faces), faces.classes, faces.size) == (PEOPLE * PICTURES, PEOPLE, (112, 96))
    assert faces.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert (result.faces, result.people) == (PEOPLE * PICTURES, PEOPLE)
    assert len({faces[i].image.tobytes() for i in range(len(faces))}) == len(faces)


def test_two_workers_write_the_same_bytes(written, tmp_path):
    write_synthetic(tmp_path / "two", PEOPLE, PICTURES, seed=5, workers=2)
    assert contents(tmp_path / "two") == contents(written[0])
    assert pyarrow.parquet.read_table(tmp_path / "two" / LABELS) == pyarrow.parquet.read_table(written[0] / LABELS)


def test_an_interrupted_run_resumes(written, tmp_path, monkeypatch):
    render, rendered = dataset._render_identity, []

    def stops_after_two(job):
        if len(rendered) == 2:
            raise KeyboardInterrupt
        rendered.append(job[0])
        return render(job)

    monkeypatch.setattr(dataset, "_render_identity", stops_after_two)
    with pytest.raises(KeyboardInterrupt):
        write_synthetic(tmp_path / "set", PEOPLE, PICTURES, seed=5, workers=1)
    monkeypatch.setattr(dataset, "_render_identity", lambda job: rendered.append(job[0]) or render(job))
    write_synthetic(tmp_path / "set", PEOPLE, PICTURES, seed=5, workers=1)
    assert rendered == [0, 1, 2]
    assert contents(tmp_path / "set") == contents(written[0])


def test_labels_are_complete_and_in_the_sets_order(written):
    rows = pyarrow.parquet.read_table(written[0] / LABELS).to_pylist()
    assert [(row["identity"], row["image"]) for row in rows] == [(i, k) for i in range(PEOPLE) for k in range(PICTURES)]
    for row in rows:
        assert 15 <= row["age"] <= 90
        assert row["ancestry_african"] + row["ancestry_asian"] + row["ancestry_european"] == pytest.approx(1)
        assert all(len(row[name]) == 10 for name in ("landmarks", "landmarks_used", "landmarks_aligned"))
        assert row["detected"] == (row["detector_score"] > 0)
        assert None not in row.values()


def test_a_finished_set_is_not_rendered_again(written, monkeypatch):
    monkeypatch.setattr(dataset, "_render_identity", None)
    again = write_synthetic(written[0], PEOPLE, PICTURES, seed=5, workers=1)
    assert (again.faces, again.detected, again.images_per_second) == (written[1].faces, written[1].detected, 0.0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"seed": 6}, "other settings", id="the folder holds a set with another seed"),
        pytest.param({"identities": 1}, "identities", id="one person"),
        pytest.param({"images": 0}, "images", id="no pictures"),
        pytest.param({"seed": -1}, "seed", id="a negative seed"),
        pytest.param({"workers": 0}, "workers", id="no workers"),
        pytest.param({"size": (112, 97)}, "112x97", id="no crop convention"),
    ],
)
def test_invalid_arguments_are_refused(written, changes, reason):
    with pytest.raises(UsageError, match=reason):
        write_synthetic(written[0], **{"identities": PEOPLE, "images": PICTURES, "seed": 5, **changes})


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "set").write_text("")
    with pytest.raises(UsageError, match="no folder"):
        write_synthetic(tmp_path / "set", PEOPLE, PICTURES)


def test_a_finished_set_without_a_file_is_refused(written, tmp_path):
    shutil.copytree(written[0], tmp_path / "set")
    (tmp_path / "set" / LABELS).unlink()
    with pytest.raises(FacedistillError, match=LABELS):
        write_synthetic(tmp_path / "set", PEOPLE, PICTURES, seed=5)


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match="not empty"):
        write_synthetic(tmp_path, PEOPLE, PICTURES)


def test_the_command_writes_set_and_preview(tmp_path, capsys):
    numbers = ["--identities", "2", "--images", "2", "--size", "112x112", "--workers", "1"]
    assert main(["synth", str(tmp_path / "set"), *numbers, "--preview"]) == 0
    assert "4 pictures of 2 people" in capsys.readouterr().out
    assert (tmp_path / "set" / "preview.png").read_bytes().startswith(b"\x89PNG")
    assert open_face_set(tmp_path / "set").size == (112, 112)


def test_contact_sheets_hold_every_picture_once():
    pictures = [np.full((4, 3, 3), level, np.uint8) for level in (10, 30, 20)]
    sheet = contact_sheet(pictures, columns=2)
    assert [np.count_nonzero((sheet == level).all(axis=2)) for level in (10, 20, 30)] == [12, 12, 12]
    spread = sorted_sheet(pictures, lambda index: pictures[index].mean(), columns=3, rows=1)
    assert [level for level in spread[4, :, 0] if level != 255] == [10] * 3 + [20] * 3 + [30] * 3


def test_posed_people_are_alike_and_pose_in_one_light(written, tmp_path):
    write_synthetic(tmp_path / "posed", 4, 2, seed=5, workers=1, same_day=True, posed=True)
    rows = pyarrow.parquet.read_table(tmp_path / "posed" / LABELS).to_pydict()
    assert rows["identity"] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert set(rows["light"]) == {"ceiling"}
    assert set(rows["distance"]) == {1.4}
    assert max(map(abs, rows["yaw"])) < 45
    assert min(rows["gender"]) > 0.5
    assert min(rows["ancestry_european"]) >= 0.6
    with pytest.raises(UsageError, match="other settings"):
        write_synthetic(tmp_path / "posed", 4, 2, seed=5, workers=1, same_day=True)
