"""The command line as users meet it: what works, and what the message for a wrong call."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml

from facedistill.cli import main
from facedistill.datasets import load_orl, write_face_set
from facedistill.datasets.training_faces import open_training_faces
from facedistill.evaluation.calibration import OTHER_CAMERAS, as_metadata, calibrate
from facedistill.model_file import ModelMetadata
from facedistill.pictures import encode_picture
from facedistill.recipe.files import read_recipe
from facedistill.runtime import Recognizer
from tests.block_means import write_block_means
from tests.conftest import draw_toy_people

COMMANDS = ["train", "distill", "search", "eval", "export", "info", "verify", "prepare"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    """A whole experiment that takes seconds: toy people, a teacher of block means."""
    folder = tmp_path_factory.mktemp("toy")
    write_face_set(folder / "faces", draw_toy_people(14, 5), extension=".png")
    settings = {
        "name": "toy",
        "out": str(folder / "run"),
        "data": {"faces": str(folder / "faces"), "held_out_identities": 4, "validation_identities": 4},
        "teacher": {"spec": str(write_block_means(folder / "teacher.onnx"))},
        "student": {"width": 0.125},
        "losses": {"hard": {"weight": 1}, "mk_mmd": {"weight": 1}, "cosine": {"weight": 4}},
        "steps": 8,
        "batch_size": 8,
        "validate_every": 4,
        "workers": 0,
        "test": "held_out",
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture(scope="module")
def run(recipe) -> Path:
    """The folder of a finished experiment."""
    assert main(["distill", str(recipe)]) == 0
    return recipe.parent / "run"


def test_distill_leaves_models_figures_and_a_page(run):
    assert {"student.onnx", "control.onnx", "summary.json", "report.html", "recipe.yaml", "environment.yaml"} <= {
        path.name for path in run.iterdir()
    }
    summary = json.loads((run / "summary.json").read_text())
    assert list(summary["models"]) == ["teacher", "student", "control"]
    for model in summary["models"].values():
        assert set(model["sweep"]) == {"native", "30", "20", "16", "12", "8", "both"}
        assert 0 <= model["sweep"]["16"]["eer"] <= 1
    assert {path.name for path in (run / "examples").iterdir()} == {"one.png", "one_again.png", "another.png"}
    for folder in (run, run / "control"):
        assert (folder / "metrics.jsonl").read_text().count("validation") == 2
    metadata = onnx.load(run / "student.onnx").metadata_props[0].value
    assert json.loads(metadata)["thresholds"]["native"].keys() == {"1e-1", "1e-2"}


def test_the_control_differs_from_the_student_by_the_teacher_alone(run):
    student, control = (yaml.safe_load((f / "recipe.yaml").read_text()) for f in (run, run / "control"))
    assert {key for key in student if student[key] != control[key]} == {"name", "out", "losses", "control"}
    assert list(control["losses"]) == ["hard"]


def test_a_finished_run_is_shown_not_repeated(run, recipe, capsys):
    before = (run / "student.onnx").stat().st_mtime_ns
    assert main(["distill", str(recipe)]) == 0
    assert main(["distill", "--resume", str(run)]) == 0
    assert (run / "student.onnx").stat().st_mtime_ns == before
    assert "student without a teacher" in capsys.readouterr().out


@pytest.mark.slow
def test_the_same_recipe_gives_the_same_figures(run, recipe, tmp_path):
    assert main(["distill", str(recipe), "--out", str(tmp_path / "again"), "--control", "false"]) == 0
    first, again = (json.loads((f / "summary.json").read_text())["models"] for f in (run, tmp_path / "again"))
    assert [first[role]["sweep"] for role in ("teacher", "student")] == [m["sweep"] for m in again.values()]


def test_train_needs_no_teacher(recipe, tmp_path):
    assert main(["train", str(recipe), "--out", str(tmp_path / "run"), "--teacher.spec", "missing.onnx"]) == 0
    assert list(json.loads((tmp_path / "run" / "summary.json").read_text())["models"]) == ["student"]


@pytest.mark.slow
def test_a_page_of_before_is_written_anew_with_the_figures(recipe, tmp_path):
    summary, page = tmp_path / "run" / "summary.json", tmp_path / "run" / "report.html"
    assert main(["train", str(recipe), "--out", str(tmp_path / "run")]) == 0
    summary.unlink()
    page.write_text("of before")
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    assert summary.is_file()
    assert page.read_text() != "of before", "figures and page are of one evaluation"


@pytest.mark.slow
def test_a_trained_net_can_teach(run, recipe, tmp_path):
    words = ["--teacher.spec", str(run / "best.pt"), "--steps", "2", "--control", "false"]
    assert main(["distill", str(recipe), "--out", str(tmp_path / "run"), *words]) == 0
    models = json.loads((tmp_path / "run" / "summary.json").read_text())["models"]
    assert models["teacher"]["macs"] == models["student"]["macs"]


@pytest.mark.slow  # tests/teachers/test_joint_teachers.py trains with two
def test_two_teachers_teach_and_cost_as_one(run, recipe, tmp_path):
    words = ["--teachers", json.dumps([{"spec": str(run / "best.pt"), "weight": 0.5}]), "--steps", "2"]
    assert main(["distill", str(recipe), "--out", str(tmp_path / "run"), "--control", "false", *words]) == 0
    teacher = json.loads((tmp_path / "run" / "summary.json").read_text())["models"]["teacher"]
    alone = json.loads((run / "summary.json").read_text())["models"]
    assert teacher["name"] == "teacher + best"
    assert teacher["macs"] == alone["teacher"]["macs"] + alone["student"]["macs"]
    assert {path.name for path in (tmp_path / "run").glob("teacher*")} == {"teacher", "teacher-2", "teacher-2.onnx"}
    assert (tmp_path / "run" / "report.html").is_file(), "the page opens both teachers again"


@pytest.mark.parametrize(
    "part", [pytest.param("", id="the student"), pytest.param("control", id="its control", marks=pytest.mark.slow)]
)
def test_export_writes_the_model_file_again(run, part, tmp_path, capsys):
    assert main(["export", str(run / part), str(tmp_path / "out.onnx")]) == 0
    assert "out.onnx" in capsys.readouterr().out
    name = part or "student"
    ours, theirs = (onnx.load(path).metadata_props[0].value for path in (tmp_path / "out.onnx", run / f"{name}.onnx"))
    assert ModelMetadata.from_map({"facedistill": ours}, "a") == ModelMetadata.from_map({"facedistill": theirs}, "b")


@pytest.mark.parametrize("name", ["out.pt", "out", "out.onnx.pth"])
def test_export_refuses_a_name_that_is_no_model_files(name, run, tmp_path, capsys):
    assert main(["export", str(run), str(tmp_path / name)]) == 2
    assert "must end in .onnx; give OUT.onnx" in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_in_place_of_a_model_file_names_the_command(run, tmp_path, capsys):
    picture = next((run / "examples").glob("*.png"))
    assert main(["verify", str(picture), str(picture), "--model", str(run / "best.pt")]) == 1
    assert "`facedistill export RUN OUT.onnx` makes the model file" in " ".join(capsys.readouterr().err.split())


def test_export_calibrates_on_other_people(run, recipe, tmp_path, capsys):
    others, out = tmp_path / "others", tmp_path / "out.onnx"
    write_face_set(others, draw_toy_people(12, 4, seed=9), extension=".png")
    assert main(["export", str(run), str(out), "--calibrate_on", str(others)]) == 0
    metadata = json.loads(onnx.load(out).metadata_props[0].value)
    assert f"48 pictures of 12 people of {others}" in metadata["calibration"]
    assert metadata["thresholds"]["16"].keys() == {"1e-1", "1e-2", "1e-3"}  # 2112 ordered impostor pairs
    assert main(["export", str(run), str(out), "--calibrate_on", str(recipe.parent / "faces")]) == 2
    assert "trained on" in capsys.readouterr().err
    write_face_set(others, draw_toy_people(4, 2, size=(112, 112)), extension=".png")
    assert main(["export", str(run), str(out), "--calibrate_on", str(others)]) == 2
    assert "112x112" in capsys.readouterr().err


def test_export_calibrates_on_posed_people_by_other_cameras(run, tmp_path, monkeypatch):
    people = draw_toy_people(6, 4, seed=9)
    monkeypatch.setattr("facedistill.pipelines.faces.posed_people", lambda size: people)
    out = tmp_path / "posed.onnx"
    assert main(["export", str(run), str(out), "--calibrate_on", "posed"]) == 0
    metadata = Recognizer(out).metadata
    assert "24 pictures of 6 people of posed (rendered people who are alike" in metadata.calibration
    expected = as_metadata(calibrate(Recognizer(out).embed, people, cameras=OTHER_CAMERAS))["thresholds"]
    assert metadata.thresholds.keys() == expected.keys()
    for condition, rates in metadata.thresholds.items():
        assert rates == pytest.approx(expected[condition], abs=1e-4)


def test_export_of_int8_weights_is_calibrated_on_their_embeddings(run, tmp_path, capsys):
    out = tmp_path / "int8.onnx"
    assert main(["export", str(run), str(out), "--weights", "int8"]) == 0
    assert "cosine 0.99" in capsys.readouterr().out
    faces = open_training_faces(read_recipe(run / "recipe.yaml").data, (112, 96)).validation
    expected = as_metadata(calibrate(Recognizer(out).embed, faces))["thresholds"]
    for condition, rates in Recognizer(out).metadata.thresholds.items():
        assert rates == pytest.approx(expected[condition], abs=1e-5)
    assert main(["export", str(run), str(out), "--weights", "int4"]) == 2
    assert "int8" in capsys.readouterr().err


def test_eval_writes_the_layout_that_others_read(run, recipe, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main(["eval", str(run / "student.onnx"), "--on", str(recipe.parent / "faces"), "--json", str(out)]) == 0
    (sweep,) = json.loads(out.read_text()).values()
    cell = {"accuracy", "accuracy_std", "eer", "auc", "tar_at_far", "rank1", "fte", "ci"}
    assert all(set(sweep[at]) == cell == set(sweep["both"][at]) for at in ("native", "30", "20", "16", "12", "8"))
    assert "16 px" in capsys.readouterr().out


def test_eval_by_group(recipe, tmp_path, capsys):
    (tmp_path / "labels.csv").write_text("\n".join(["index,town", *(f"{i},{'ab'[i // 5 % 2]}" for i in range(70))]))
    out, faces = tmp_path / "out.json", str(recipe.parent / "faces")
    words = ["--on", faces, "--groups", str(tmp_path / "labels.csv"), "--json", str(out), "--resolutions", "[8]"]
    assert main(["eval", str(recipe.parent / "teacher.onnx"), *words]) == 0
    written = json.loads(out.read_text())["faces"]
    assert {"native", "8", "both", "groups"} == set(written)
    assert set(written["groups"]["attributes"]) == {"resolution", "town"}
    assert "too few to say: 7 of 10 people" in capsys.readouterr().out
    (tmp_path / "labels.csv").write_text("index,town\n0,a\n")
    assert main(["eval", str(recipe.parent / "teacher.onnx"), *words]) == 2
    assert "no row for 69 (1, 2, 3, 4, 5, ...)" in capsys.readouterr().err


def test_eval_by_a_camera(recipe, tmp_path, capsys):
    out = tmp_path / "out.json"
    words = ["--on", str(recipe.parent / "faces"), "--camera", "--json", str(out), "--resolutions", "[8]"]
    assert main(["eval", str(recipe.parent / "teacher.onnx"), *words]) == 0
    assert json.loads(out.read_text())["faces"]["camera"].keys() == {"native", "8", "both"}
    assert "as a camera sees them" in " ".join(capsys.readouterr().out.split())


def test_verify_answers_in_a_sentence(run, tmp_path, capsys):
    faces = load_orl()
    for number in (0, 1):
        (tmp_path / f"{number}.png").write_bytes(encode_picture(faces[number].image, ".png"))
    words = ["--model", str(run / "student.onnx"), "--json", str(tmp_path / "answer.json")]
    assert main(["verify", str(tmp_path / "0.png"), str(tmp_path / "1.png"), *words]) == 0
    captured = capsys.readouterr().out
    answer = json.loads((tmp_path / "answer.json").read_text())
    measured = {"same", "similarity", "threshold", "fmr", "probability", "resolution", "rows", "faces"}
    assert set(answer) == measured | {"calibration"}
    assert f"condition {answer['resolution']}; faces of" in captured
    assert f"probability {answer['probability']:.3f}" in captured
    assert "that were not trained on" in answer["calibration"]
    assert f"calibrated {answer['calibration']}" in captured


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=lambda words: " ".join(words) or "-")
def test_help_reads(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])
    assert stopped.value.code == 0
    captured = capsys.readouterr().out
    assert "usage: facedistill" in captured
    assert "<class" not in captured


def test_print_config_shows_every_setting(capsys):
    quickstart = Path(__file__).parents[1] / "recipes" / "quickstart.yaml"
    with pytest.raises(SystemExit) as stopped:
        main(["distill", str(quickstart), "--student.width", "0.5", "--print_config"])
    assert stopped.value.code == 0
    resolved = yaml.safe_load(capsys.readouterr().out)
    assert resolved["student"]["width"] == 0.5
    assert resolved["losses"]["hard"]["weight"] == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param([], "subcommand", id="no command"),
        pytest.param(["distil"], "distil", id="a misspelt command"),
        pytest.param(["distill", "missing.yaml"], "missing.yaml", id="no such recipe"),
        pytest.param(["distill", "--resume", "missing"], "missing", id="no such run"),
        pytest.param(["distill", "RECIPE", "--studnt.width", "1"], "studnt.width", id="a misspelt option"),
        pytest.param(["distill", "RECIPE", "--student.width", "wide"], "student.width", id="a word for a number"),
        pytest.param(["distill", "RECIPE", "--student.width", "-1"], "student.width", id="a negative width"),
        pytest.param(["distill", "RECIPE", "--student.backbone", "resnet21"], "resnet20", id="an unknown backbone"),
        pytest.param(["distill", "RECIPE", "--head.name", "arcfase"], "arcface", id="an unknown head"),
        pytest.param(
            ["distill", "RECIPE", "--losses", '{"hard": {"weight": 1}, "sotf": {"weight": 1}}'],
            "soft",
            id="an unknown loss",
        ),
        pytest.param(
            ["distill", "RECIPE", "--losses", '{"hard": {"weight": 1}, "soft": {"options": {"heat": 2}}}'],
            "temperature",
            id="an unknown option of a loss",
        ),
        pytest.param(
            ["distill", "RECIPE", "--losses", '{"hard": {"weight": 1}}'], "facedistill train", id="nothing to distil"
        ),
        pytest.param(
            ["distill", "RECIPE", "--losses", '{"l2": {"weight": 1}}'], "control", id="a control without a loss"
        ),
        pytest.param(
            ["distill", "RECIPE", "--variance", '[{"name": "low_resolutoin"}]'], "low_resolution", id="a variance"
        ),
        pytest.param(["distill", "RECIPE", "--variance", '[{"name": "mirror"}]'], "data.mirror", id="a mirror"),
        pytest.param(["distill", "RECIPE", "--data.held_out_identities", "0"], "held_out", id="nobody to test on"),
        pytest.param(["distill", "RECIPE", "--data.held_out_identities", "3"], "at least 4", id="too few to test on"),
        pytest.param(["distill", "RECIPE", "--data.held_out_identities", "9"], "14 people", id="too few to train on"),
        pytest.param(
            ["distill", "RECIPE", "--student.embedding_size", "64"], "embedding_size is 64", id="sizes that do not meet"
        ),
        pytest.param(["distill", "RECIPE", "--teacher.spec", "missing.onnx"], "missing.onnx", id="no such teacher"),
        pytest.param(["distill", "RECIPE", "--student.input_size", "[112,112]"], "input_size", id="other crops"),
        pytest.param(["distill", "RECIPE", "--steps", "0"], "steps", id="no steps"),
        pytest.param(["distill", "RECIPE", "--data.faces", "nowhere"], "nowhere", id="no such faces"),
        pytest.param(["eval", "missing.onnx"], "missing.onnx", id="no such model"),
        pytest.param(["export", "nowhere", "out.onnx"], "nowhere", id="no such run folder"),
        pytest.param(["verify", "a.jpg"], "verify.b", id="a photo is missing"),
        pytest.param(["verify", "a.jpg", "b.jpg", "--model", "missing.onnx"], "missing.onnx", id="model missing"),
        pytest.param(["prepare", "nowhere", "out"], "nowhere", id="no such photos"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(recipe, tmp_path, monkeypatch, capsys, words, reason):
    monkeypatch.chdir(tmp_path)
    words = [str(recipe) if word == "RECIPE" else word for word in words]
    if words[:1] == ["distill"] and str(recipe) in words:
        words += ["--out", str(tmp_path / "run")]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    # Not counted: how the teacher, a foreign net that knows nobody, is fed, and the warning that it knows nobody.
    assert len([line for line in captured.err.splitlines() if "teacher.onnx" not in line]) == 1
    assert captured.out == ""
    assert not (tmp_path / "run" / "summary.json").exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"losses: [1,", id="cut off"),
        pytest.param(b"[1, 2]", id="a list"),
        pytest.param(bytes(range(256)), id="no text"),
        pytest.param(b"stepz: 100", id="a misspelt key"),
        pytest.param(b"student: {width: wide}", id="a value of another type"),
    ],
)
def test_a_file_that_is_no_recipe_is_named(tmp_path, capsys, content):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    assert main(["distill", str(path)]) == 2
    captured = capsys.readouterr().err
    assert "broken.yaml" in captured
    assert captured.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("losses: {hard: {weight: 1}, sp: {options: {on: features}}}", id="an option of a loss"),
        pytest.param("losses: {on: {weight: 1}}", id="a loss"),
        pytest.param("head: {name: arcface, options: {no: 1}}", id="an option of a head"),
        pytest.param("variance: [{name: grey, options: {yes: 1}}]", id="an option of a variance"),
        pytest.param("losses: {sp: {options: {1: features}}}", id="a number"),
    ],
)
def test_a_key_that_yaml_reads_as_a_truth_value_is_refused(tmp_path, capsys, content):
    path = tmp_path / "unquoted.yaml"
    path.write_text(content)
    assert main(["distill", str(path), "--out", str(tmp_path / "run")]) == 2
    captured = capsys.readouterr().err
    assert "quote the name" in captured
    assert captured.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_another_recipe_in_the_same_folder_is_refused(run, recipe, capsys):
    assert main(["distill", str(recipe), "--seed", "7"]) == 2
    assert "another recipe" in capsys.readouterr().err


def test_a_folder_with_other_things_is_left_alone(recipe, tmp_path, capsys):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    assert main(["distill", str(recipe), "--out", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err


def test_a_missing_library_is_named_with_what_installs_it(recipe, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "facedistill.pipelines.faces", None)
    assert main(["distill", str(recipe)]) == 2
    assert "pip install" in capsys.readouterr().err


def test_a_photo_without_a_face_is_exit_code_1(run, tmp_path, capsys):
    (tmp_path / "wall.png").write_bytes(encode_picture(np.full((200, 200, 3), 90, np.uint8), ".png"))
    photo = str(tmp_path / "wall.png")
    assert main(["verify", photo, photo, "--model", str(run / "student.onnx")]) == 1
    assert "no face" in capsys.readouterr().err
