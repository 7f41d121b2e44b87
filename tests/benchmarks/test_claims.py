"""The claims' benchmarks: which runs they need, what they report of finished ones, and all of it once, tiny."""

import json
from pathlib import Path

import pytest
import torch
from tests.benchmarks import made_up
from tests.conftest import draw_toy_people

import general
import losses
import low_resolution
import mobile
import running
import starts
import teacher_views
from facedistill.datasets import write_face_set
from facedistill.errors import FacedistillError
from facedistill.heads.margins import AMSoftmax
from facedistill.losses import LOSSES
from facedistill.recipe import HARD, NetRecipe, Recipe
from facedistill.recipe.validate import validate
from running import Run, finish, with_needed
from sizing import macs_of, width_for

SCRIPTS = [low_resolution, mobile, losses, starts]
TINY = [
    *(
        "--people",
        "12",
        "--images",
        "5",
        "--held-out",
        "4",
        "--validation",
        "4",
        "--steps",
        "2",
        "--teacher-steps",
        "2",
    ),
    *("--batch", "8", "--teacher-width", "0.125", "--student-width", "0.125", "--skip-orl"),
]


def parsed(script, arguments):
    """The options and rows that `main` makes of its arguments."""
    made = {}

    def report(options, sizes, rows):
        made.update(options=options, sizes=sizes, rows=rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "report", report)
        script.main([*arguments, "--report"])
    return made


@pytest.fixture
def folders(tmp_path):
    return ["--out", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]


@pytest.mark.parametrize("script", [*SCRIPTS, teacher_views])
def test_every_recipe_of_a_benchmark_can_be_trained(script, folders, monkeypatch):
    monkeypatch.setattr("facedistill.recipe.validate.Path.is_file", lambda _path: True)  # the teachers to come
    rows = parsed(script, [*folders, "--teacher", "dlib"] if script is losses else folders)["rows"]
    folders_seen = [run.folder for runs in rows.values() for run in runs]
    assert len(set(folders_seen)) == len(folders_seen)
    for runs in rows.values():
        assert len({run.recipe.seed for run in runs}) == len(runs)
        for run in runs[:1]:
            validate(run.recipe)
            assert run.recipe.test == "held_out"
            assert run.recipe.data == next(iter(rows.values()))[0].recipe.data  # the same people everywhere
    everything = {run.folder: run for runs in rows.values() for run in runs}
    ordered = [run.folder for run in with_needed(everything, list(everything.values()))]
    for folder, run in everything.items():
        assert all(ordered.index(before) < ordered.index(folder) for before in run.after)


def test_the_variants_differ_in_what_they_are_called_after(folders):
    rows = parsed(low_resolution, folders)["rows"]
    recipes = {name: rows[name][0].recipe for name in rows}
    assert not recipes["no_kd"].distils
    assert recipes["two_step"].teacher.input == "student"
    assert recipes["two_step"].teacher.spec.endswith("augmented/best.pt")
    assert set(recipes["l2"].losses) == {HARD, "soft", "l2"}
    assert recipes["live"].losses == recipes["stored"].losses == recipes["two_step"].losses
    assert recipes["live"].teacher.input == "view"
    assert recipes["stored"].teacher.input == "original"
    assert set(recipes["soft_mmd"].losses) == {*recipes["stored"].losses, "mk_mmd@logits"}
    assert recipes["teacher"].steps == recipes["augmented"].steps
    assert not recipes["teacher"].variance
    assert recipes["augmented"].variance == recipes["stored"].variance
    students = [recipes[name] for name in ("no_kd", "two_step", "l2", "live", "stored", "soft_mmd")]
    assert all(each.student.backbone == "resnet36" and each.steps == students[0].steps for each in students)


def test_the_rows_of_teacher_views_differ_in_what_they_are_called_after(folders, tmp_path):
    rows = parsed(teacher_views, [*folders, "--seeds", "0"])["rows"]
    shown = {name: rows[name][0].recipe.teacher for name in teacher_views.TITLES}
    assert {name: (teacher.input, teacher.views) for name, teacher in shown.items()} == {
        "original": ("original", 0),
        "fixed_1": ("original", 1),
        "fixed_4": ("original", 4),
        "fixed_16": ("original", 16),
        "drawn": ("view", 0),
        "left_out": ("view", 0),
    }
    assert rows["left_out"][0].recipe.head.name == "teacher_views:WithoutMixtures"


def test_a_head_without_mixtures_counts_them_as_0():
    torch.manual_seed(0)
    heads = [kind(5, 4).double() for kind in (teacher_views.WithoutMixtures, AMSoftmax)]
    heads[1].load_state_dict(heads[0].state_dict())
    embedding, labels = torch.randn(3, 5, dtype=torch.float64), torch.tensor([0, 1, 2])
    mixture = torch.tensor([3, 1, 2]), torch.tensor([0.25, 1.0, 1.0]).double()
    expected = 2 / 3 * heads[1].loss(embedding[1:], labels[1:])
    assert heads[0].weighted_loss(embedding, labels, mixture).item() == pytest.approx(expected.item(), rel=1e-12)


def test_every_registered_loss_has_its_row(folders):
    rows = parsed(losses, folders)["rows"]
    assert set(LOSSES) | {"teacher", "hard", "targets", "low_resolution", "quickstart"} == set(rows)
    with_dlib = parsed(losses, [*folders, "--teacher", "dlib"])["rows"]
    assert {"dlib:soft", "dlib:cosine", "dlib:hard", "dlib:quickstart"} <= set(with_dlib)
    assert not {"dlib:attention", "dlib:fitnets"} & set(with_dlib)


@pytest.mark.parametrize("net", low_resolution.NETS)
def test_widths_are_chosen_by_equal_work(net):
    recipe = Recipe(student=NetRecipe("resnet36", embedding_size=256))
    target = macs_of("resnet36", 0.1875, 256, (112, 96))
    assert macs_of(net, width_for(net, target, recipe), 256, (112, 96)) == pytest.approx(target, rel=0.1)


def test_full_sizes_can_be_overruled_one_by_one(folders):
    made = parsed(low_resolution, [*folders, "--full", "--steps", "7"])
    assert made["sizes"].steps == 7
    assert made["sizes"].people == low_resolution.FULL.people


def test_the_low_resolution_report_adds_up_what_had_to_be_run(folders, tmp_path):
    rows = parsed(low_resolution, folders)["rows"]
    eers = {"no_kd": 0.3, "two_step": 0.2, "stored": 0.1}
    spent = {"augmented": 100.0, "two_step": 60.0, "stored": 15.0}
    for name in ("augmented", "targets", "centres", *eers):
        for run in rows[name]:
            made_up.finish(run, eers.get(name, 0.05) + run.recipe.seed / 100, spent.get(name, 10.0), targets=5.0)
    low_resolution.main([*folders, "--report"])
    content = json.loads((tmp_path / "results/low_resolution.json").read_text())
    assert content["cpu_seconds"]["two_step"] == {
        "retraining the teacher": 100,
        "asking for class centres": 5,
        "student": 60,
    }
    assert content["cpu_seconds"]["stored"] == {"asking": 5, "student": 15}
    assert content["cpu_seconds"]["no_kd"] == {"student": 10}
    assert content["ratio"] == pytest.approx(
        {"as_measured": 165 / 20, "without_centres": 160 / 20, "were_asking_free": 165 / 15, "students_share": 0.75}
    )
    assert content["eer_differences"]["stored - two_step"]["orl"]["values"] == pytest.approx([-0.1] * 3)
    page = (tmp_path / "results/low_resolution.md").read_text()
    assert "(b) costs 8.2 times" in page
    assert (tmp_path / "results/low_resolution.png").stat().st_size < 150_000


def test_the_smallest_student_that_keeps_up_is_named(folders, tmp_path):
    rows = parsed(mobile, folders)["rows"]
    made_up.finish(rows["teacher-se"][0], 0.02)
    made_up.finish(rows["teacher-plain"][0], 0.05)

    def files(eer):
        sizes = {}
        for bits, size in (("32", 2.4), ("16", 1.2), ("8", 0.6)):
            cells = made_up.sweep(eer + 0.01 * (bits == "8"))
            sizes[bits] = {"size_mb": size, "cells": {"unseen": cells, "orl": cells}}
        return sizes

    for name, eer in (("both", 0.022), ("slim:0.25", 0.05), ("neither", 0.05)):
        for run in rows[name]:
            made_up.finish(run, eer, files=files(eer))
    for run in rows["se-alone"]:
        made_up.finish(run, 0.042)
    mobile.main([*folders, "--report"])
    content = json.loads((tmp_path / "results/mobile.json").read_text())
    assert content["below_teacher"]["both"]["16"]["orl"]["mean"] == pytest.approx(0.002)
    assert content["below_teacher"]["slim:0.25"]["32"]["orl"]["mean"] == pytest.approx(0.03)
    assert content["gain_over_alone"]["both"]["unseen"]["mean"] == pytest.approx(0.02)
    better, weaker = [line for line in (tmp_path / "results/mobile.md").read_text().splitlines() if "reached" in line]
    assert better.startswith("- The teacher with SE: reached by SE on both at 32 bits, 2.40 MB; SE on both at 16 bits")
    assert better.endswith("The smallest: SE on both at 16 bits, 1.20 MB.**")
    assert weaker.startswith("- The teacher without SE: reached by SE on neither at 32 bits")
    assert weaker.endswith("nets without one recognise people better (student with SE, no teacher).")


def test_what_a_person_decided_stays_in_the_table_of_methods(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(losses, "step_times", lambda rows, _turns: dict.fromkeys(rows, 12.0))
    rows = parsed(losses, folders)["rows"]
    for name in ("teacher", "hard", "rkd"):
        for run in rows[name]:
            made_up.finish(run, 0.1 if name == "rkd" else 0.2)
    losses.main([*folders, "--report"])
    page = tmp_path / "results/losses.md"
    assert page.read_text().endswith("Not yet decided.\n")
    page.write_text(page.read_text().replace("Not yet decided.", "RKD is the default."))
    losses.main([*folders, "--report"])
    assert page.read_text().endswith("RKD is the default.\n")
    content = json.loads((tmp_path / "results/losses.json").read_text())
    assert content["gains"]["rkd"]["orl"]["mean"] == pytest.approx(-0.1)


def test_an_unknown_row_is_refused_with_the_known_ones(folders, capsys):
    with pytest.raises(SystemExit):
        low_resolution.main([*folders, "--only", "three_step"])
    assert "the rows are teacher" in capsys.readouterr().err


def test_finished_runs_are_only_read(folders, monkeypatch):
    rows = parsed(low_resolution, [*folders, "--seeds", "0"])["rows"]
    for runs in rows.values():
        made_up.finish(runs[0], 0.1)
    monkeypatch.setattr(running, "perform", lambda *_: pytest.fail("a finished run was done again"))
    low_resolution.main([*folders, "--seeds", "0"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "only"),
    [
        pytest.param(low_resolution, ["no_kd", "two_step", "live", "soft_mmd", "squeezenet"], id="low resolution"),
        pytest.param(mobile, ["both", "se-alone", "slim:0.125"], id="mobile"),
        pytest.param(losses, ["hard", "fitnets", "sp"], id="losses"),
        pytest.param(starts, ["dlib", "started_thin", "quickstart"], id="starts"),
    ],
)
def test_a_benchmark_runs_from_faces_to_the_report(script, only, folders, tmp_path):
    write_face_set(tmp_path / "people", draw_toy_people(20, 5), extension=".png")
    arguments = [*folders, *TINY, "--faces", str(tmp_path / "people"), "--seeds", "0", "--only", *only]
    script.main(arguments)
    content = json.loads((tmp_path / f"results/{script.NAME}.json").read_text())
    assert set(only) <= set(content["models"])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.json")}
    script.main(arguments)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.json")} == before
    assert (tmp_path / f"results/{script.NAME}.png").stat().st_size < 150_000


@pytest.mark.slow
def test_two_runs_at_once_and_a_failure_in_one_line(folders, tmp_path):
    write_face_set(tmp_path / "people", draw_toy_people(20, 5), extension=".png")
    made = parsed(low_resolution, [*folders, *TINY, "--faces", str(tmp_path / "people"), "--seeds", "0", "1"])
    finish(made["rows"]["no_kd"], 2)
    assert all(run.finished for run in made["rows"]["no_kd"])
    recipe = made["rows"]["stored"][0].recipe
    with pytest.raises(FacedistillError, match="does not exist"):
        finish([Run(recipe, targets_from=tmp_path / "nowhere"), *made["rows"]["no_kd"]], 2)


@pytest.mark.slow
def test_the_general_claim_from_pictures_to_the_report(tmp_path):
    recipe = Path(general.__file__).parents[1] / "recipes/classifier.yaml"
    short = tmp_path / "short.yaml"
    short.write_text(
        recipe.read_text().replace("teacher_steps: 240", "teacher_steps: 20").replace("steps: 60", "steps: 15")
    )
    general.main(["--recipe", str(short), "--seeds", "3", "--temperatures", "4", "--results", str(tmp_path)])
    content = json.loads((tmp_path / "general.json").read_text())
    student, control = content["models"]["student, T = 4"], content["models"][general.CONTROL]
    assert student["against_control"]["mean"] == pytest.approx(student["accuracy"] - control["accuracy"])
    assert "![Accuracy of each student](general.png)" in (tmp_path / "general.md").read_text()
    assert (tmp_path / "general.png").stat().st_size < 150_000
