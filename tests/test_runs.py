"""Finished runs read again: what is measured, what is folded, what is refused."""

import json
import shutil
import statistics

import numpy as np
import pytest

from facedistill.cli import main
from facedistill.datasets import Face, write_bin, write_face_set
from facedistill.datasets.sources import Source
from facedistill.errors import FacedistillError, UsageError
from facedistill.pictures import encode_picture
from facedistill.pipelines.finished_run import report_runs
from facedistill.recipe import DataRecipe, NetRecipe
from facedistill.runtime import Recognizer
from tests.conftest import draw_toy_people
from tests.finished_runs import HELD_OUT, plain, write_net, write_people, write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def faces(folder):
    return write_people(folder / "faces")


@pytest.fixture(scope="module")
def run(folder, faces):
    return write_run(folder / "seed0", faces)


@pytest.fixture(scope="module")
def sibling(folder, faces):
    return write_run(folder / "seed1", faces, seed=1)


@pytest.fixture(scope="module")
def report(run):
    return report_runs([run])


def test_every_model_is_measured_on_its_own_file(report, run):
    assert [model.title for model in report.models] == ["teacher", "student", "student without a teacher"]
    summary = json.loads((run / "summary.json").read_text())
    for model in report.models:
        assert model.measured["sweep"] == summary["models"][model.role]["sweep"]
        for at, scores in model.scores.items():
            pictures = HELD_OUT * 4
            assert scores.genuine == pictures * 3 / 2
            assert scores.genuine + scores.impostors == pictures * (pictures - 1) / 2
            # The same file on the same pictures: the curve must pass through the summary's figure.
            near = np.abs(np.array(scores.trade.fmr) - 0.1).argmin()
            assert scores.trade.tmr[near] == pytest.approx(model.measured["sweep"]["both"][at]["tar_at_far"]["0.1"])


def test_groups_and_probabilities_are_told_where_they_are_known(report):
    student = report.models[1]
    assert list(student.groups) == ["16", "native"]
    assert list(student.groups["16"]["attributes"]["glasses"]["groups"]) == ["none", "worn"]
    assert 0 <= student.scores["16"].reliability["ece"] <= 1
    assert report.models[0].scores["16"].reliability is None


def test_the_student_is_compared_with_all_others_on_the_same_pairs(report):
    assert [(test.resolution, test.a, test.b) for test in report.comparisons] == [
        (at, "student", other) for at in ("16", "native") for other in ("teacher", "student without a teacher")
    ]
    for test in report.comparisons:
        cells = {model.title: model.measured["sweep"]["both"][test.resolution] for model in report.models}
        assert test.comparison.a == pytest.approx(cells[test.a]["accuracy"])
        assert test.comparison.b == pytest.approx(cells[test.b]["accuracy"])


def test_training_curves_are_those_of_both_nets(report):
    assert [curves.title for curves in report.training] == ["student", "student without a teacher"]
    assert report.training[0].losses == {"hard": [[10, 2.0], [20, 1.0]]}
    assert report.training[1].validation == {"eer_native": [[10, 0.2], [20, 0.1]]}


def test_the_second_report_asks_no_model(run, report, monkeypatch):
    def embed(*_):
        raise AssertionError("the embeddings are cached")

    monkeypatch.setattr(Recognizer, "embed", embed)
    assert plain(report_runs([run])) == plain(report)


def test_runs_that_differ_by_their_seed_alone_become_means(run, sibling):
    alone = [report_runs([one]) for one in (run, sibling)]
    both = report_runs([run, sibling])
    assert [model.title for model in both.models] == ["teacher", "student", "student without a teacher"]
    assert [model.seeds for model in both.models] == [[], [0, 1], [0, 1]]
    for place in (1, 2):
        model, single = both.models[place], [one.models[place] for one in alone]
        for metric in ("accuracy", "eer"):
            values = [one.measured["sweep"]["16"][metric] for one in single]
            cell = model.measured["sweep"]["16"]
            assert cell[metric] == pytest.approx(statistics.mean(values))
            assert cell["std"][metric] == pytest.approx(statistics.stdev(values))
        rates = zip(*(one.scores["16"].trade.tmr for one in single), strict=True)
        assert model.scores["16"].trade.tmr == pytest.approx([statistics.mean(pair) for pair in rates])
        digests = [one.card.facts["file SHA-256"] for one in single]
        assert model.card.facts["file SHA-256"] == f"seed 0: {digests[0]}, seed 1: {digests[1]}"
    assert both.comparisons[0].a == "student (seed 0)"


def test_runs_of_other_recipes_stand_beside_each_other_and_share_their_teacher(run, folder, faces):
    wide = write_run(folder / "wide", faces, seed=3, name="wide", student=NetRecipe(width=2.0, embedding_size=84))
    titles = [model.title for model in report_runs([run, wide]).models]
    assert titles == ["teacher teacher", "toy", "toy without a teacher", "wide", "wide without a teacher"]


def test_recipes_of_one_name_are_told_apart_by_their_folders(run, folder, faces):
    longer = write_run(folder / "longer", faces, steps=40)
    assert [model.title for model in report_runs([run, longer]).models][1::2] == ["seed0", "longer"]


def test_a_teacher_that_is_gone_is_told_of(folder, faces):
    spec = write_net(folder / "gone.onnx", seed=5)
    run = write_run(folder / "orphan", faces, teacher=True)
    recipe = (run / "recipe.yaml").read_text().replace(str(faces.parent / "teacher.onnx"), str(spec))
    (run / "recipe.yaml").write_text(recipe)
    spec.unlink()
    report = report_runs([run])
    assert report.models[0].scores == {}
    assert "gone.onnx" in report.notes[0]


def test_a_net_without_a_teacher_has_a_report(folder, faces):
    run = write_run(folder / "alone", faces, teacher=False)
    report = report_runs([run])
    assert [model.title for model in report.models] == ["student"]
    assert report.comparisons == []
    assert main(["report", str(run), "--out", str(run / "page.html")]) == 0


def test_a_list_of_pairs_is_tested_pair_by_pair(folder, faces):
    people = draw_toy_people(6, 2).faces
    pairs = [(0, 1), (0, 2), (2, 3), (2, 4), (4, 5), (4, 6), (6, 7), (6, 8), (8, 9), (8, 10), (10, 11), (10, 0)]
    pictures = [encode_picture(people[at].image, ".png") for pair in pairs for at in pair]
    write_bin(folder / "pairs.bin", pictures, [True, False] * 6)
    run = write_run(folder / "listed", faces, test=str(folder / "pairs.bin"))
    student = report_runs([run]).models[1]
    scores = student.scores["native"]
    assert (scores.genuine, scores.impostors, student.groups) == (6, 6, {})
    assert len(scores.hardest_genuine) == 6


@pytest.mark.parametrize(
    ("source", "terms"),
    [
        pytest.param(Source("orl", "orl"), "AT&T", id="ORL's credit"),
        pytest.param(Source("synth", "synth"), "are synthetic; anybody", id="synthetic people"),
        pytest.param(Source("face set", "own/photos"), "own/photos and are part of this file: give it only", id="own"),
    ],
)
def test_who_may_see_the_pictures(source, terms):
    assert terms in source.terms


def copied(run, target):
    shutil.copytree(run, target)
    return target


def spoil_recipe(folder):
    (folder / "recipe.yaml").unlink()


def spoil_summary(folder):
    (folder / "summary.json").unlink()


def cut_summary(folder):
    path = folder / "summary.json"
    path.write_text(path.read_text()[:200])


def empty_summary(folder):
    (folder / "summary.json").write_text('{"models": {"student": {"name": "x"}}}')


def list_summary(folder):
    (folder / "summary.json").write_text("[]")


def cut_model(folder):
    path = folder / "student.onnx"
    path.write_bytes(path.read_bytes()[:500])


def lose_model(folder):
    (folder / "control.onnx").unlink()


def change_model(folder):
    write_net(folder / "student.onnx", seed=77, metadata=Recognizer(folder / "student.onnx").metadata)


@pytest.mark.parametrize(
    ("spoil", "code", "reason"),
    [
        pytest.param(spoil_recipe, 2, "holds no run", id="no run"),
        pytest.param(spoil_summary, 2, "not finished", id="not finished"),
        pytest.param(cut_summary, 1, "summary.json", id="a summary cut off"),
        pytest.param(empty_summary, 1, "summary.json is damaged", id="a summary without figures"),
        pytest.param(list_summary, 1, "summary.json cannot be read (it is no record)", id="a summary that is a list"),
        pytest.param(cut_model, 1, "student.onnx", id="a model file cut off"),
        pytest.param(lose_model, 2, "control.onnx", id="no model file"),
        pytest.param(change_model, 1, "is not the file that was tested", id="another model file"),
    ],
)
def test_a_spoilt_run_is_one_clear_line(run, tmp_path, capsys, spoil, code, reason):
    spoilt = copied(run, tmp_path / "run")
    spoil(spoilt)
    assert main(["report", str(spoilt), "--out", str(tmp_path / "page.html")]) == code
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_a_test_set_that_changed_since_is_refused(tmp_path):
    run = write_run(tmp_path / "run", write_people(tmp_path / "faces", labels=False))
    noise = np.random.default_rng(0).integers(0, 256, (64, 112, 96, 3), dtype=np.uint8)
    write_face_set(tmp_path / "faces", [Face(image, place // 4, "") for place, image in enumerate(noise)])
    with pytest.raises(FacedistillError, match="has changed since"):
        report_runs([run])


def test_runs_that_keep_other_people_out_are_refused(run, folder, faces):
    other = write_run(
        folder / "other_people",
        faces,
        data=DataRecipe(faces=str(faces), held_out_identities=HELD_OUT, validation_identities=4, split_seed=1),
    )
    with pytest.raises(UsageError, match="tested on other pictures"):
        report_runs([run, other])


def test_the_same_run_twice_is_refused(run, folder):
    with pytest.raises(UsageError, match="given twice"):
        report_runs([run, folder / "faces" / ".." / "seed0"])
    twin = copied(run, folder / "twin")
    with pytest.raises(UsageError, match="one recipe and one seed"):
        report_runs([run, twin])


def test_damaged_pictures_of_the_test_set_are_left_out(tmp_path):
    faces = tmp_path / "faces"
    for face in draw_toy_people(16, 4).faces:
        path = faces / f"{face.key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_picture(face.image, ".png"))
    for path in sorted(faces.glob("*/0.png")):
        path.write_bytes(b"no picture")
    run = write_run(tmp_path / "run", faces)
    assert report_runs([run]).models[1].scores["native"].genuine == HELD_OUT * 3


def test_report_writes_the_page_the_figures_and_the_table(run, sibling, tmp_path, capsys):
    page, figures, table = (tmp_path / name for name in ("page.html", "figures.json", "table.md"))
    words = ["--out", str(page), "--json", str(figures), "--markdown", str(table)]
    assert main(["report", str(run), str(sibling), *words]) == 0
    assert "3 models" in capsys.readouterr().out
    written = json.loads(figures.read_text())
    assert len(written["models"]) == 3
    assert written["test"]["pictures"] == HELD_OUT * 4
    assert set(written["models"][1]["scores"]["16"]["hardest_genuine"][0]) == {"score", "first", "second"}
    assert table.read_text().startswith("|  | teacher | student | student without a teacher |")
    assert page.stat().st_size < 3_000_000
