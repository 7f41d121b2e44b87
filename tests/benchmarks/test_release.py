"""The release of a trained run: model file, card and pack, all figures from files, and looks that are never lost."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.block_means import write_block_means
from tests.conftest import draw_toy_people

import facedistill.models
import release_figures
from facedistill.backbones import load_backbone, save_backbone
from facedistill.backbones.int8_weights import load_int8_backbone, with_int8_weights
from facedistill.cli import main
from facedistill.datasets import open_face_set, write_face_set
from facedistill.errors import UsageError
from facedistill.evaluation import evaluate
from facedistill.files import file_digest
from facedistill.pipelines.face_workload import open_face_workload
from facedistill.recipe.files import read_recipe
from facedistill.runtime import Recognizer
from facedistill.training import train
from facedistill.training.build import build_task
from facedistill.training.pack import unpack_run
from facedistill.training.run_folder import open_run_folder
from release import LOOKS, Release, release
from release_figures import looks_at


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Toy people to train on and others to test on, and a run of a few steps with its control."""
    folder = tmp_path_factory.mktemp("release")
    write_face_set(folder / "faces", draw_toy_people(24, 5), extension=".png")
    faces = open_face_set(folder / "faces")
    ages = [f"{faces[place].key},{20 + 20 * (faces[place].label % 2)}" for place in range(len(faces))]
    (folder / "faces" / "labels.csv").write_text("key,age\n" + "\n".join(ages) + "\n")
    write_face_set(folder / "real", draw_toy_people(8, 3, seed=5), extension=".png")
    settings = {
        "name": "toy",
        "out": str(folder / "run"),
        "data": {"faces": str(folder / "faces"), "held_out_identities": 12, "validation_identities": 4},
        "teacher": {"spec": str(write_block_means(folder / "teacher.onnx"))},
        "student": {"backbone": "slim", "width": 0.25, "embedding_size": 16},
        "losses": {"hard": {"weight": 1}, "pkt": {"weight": 1}},
        "steps": 1,
        "batch_size": 8,
        "validate_every": 1,
        "workers": 0,
        "test": "held_out",
        "licence": "Apache-2.0. Toys.",
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(settings))
    recipe = read_recipe(folder / "recipe.yaml")
    workload = open_face_workload(recipe, folder / "targets")
    for net in (recipe, recipe.control_recipe()):
        open_run_folder(net)
        train(workload, net, build_task(net, workload.faces.train.classes))
    return folder


@pytest.fixture(scope="module", autouse=True)
def quick(home):
    """In dlib's place, whose net takes a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release_figures, "BESIDE", str(home / "teacher.onnx"))
        yield


@pytest.fixture(scope="module")
def what(home):
    return Release(home / "run", "slim-x", models=home / "models", recipes=home / "recipes", real=str(home / "real"))


@pytest.fixture(scope="module")
def made(what):
    return release(what)


@pytest.fixture(scope="module")
def figures(what, made):
    return json.loads((what.models / "slim-x.json").read_text())


def test_it_leaves_a_file_a_card_its_figures_a_pack_and_a_look(what, made):
    names = ["slim-x.onnx", "slim-x.json", "slim-x.md"]
    assert made == [*(what.models / name for name in names), what.recipes / "slim-x.pack.1"]
    assert sorted(path.name for path in what.recipes.iterdir()) == [LOOKS, "slim-x.pack.1"]


def test_the_file_is_the_runs_net_in_int8(what, made):
    assert Recognizer(made[0]).metadata.name == "toy"
    rounded = with_int8_weights(load_backbone(what.run / "best.pt")).state_dict()
    weights = load_int8_backbone(made[0]).state_dict()
    assert all(np.array_equal(weights[key], rounded[key]) for key in rounded if not key.endswith("batches_tracked"))


def test_its_figures_are_those_of_an_evaluation_of_the_file(what, made, figures):
    (found,) = evaluate(Recognizer(made[0]).embed, what.real).values()
    own = figures["tests"][what.real]["models"]["slim-x"]
    assert own["both"]["8"]["eer"] == found.to_json()["both"]["8"]["eer"]
    assert own["native"]["ci"] == found.to_json()["native"]["ci"]
    assert figures["file"]["sha256"] == file_digest(made[0])
    for test in figures["tests"].values():
        assert set(test["models"]) == {"slim-x", "control", release_figures.BESIDE}
    assert set(figures["groups"]["attributes"]) == {"resolution", "age"}
    assert set(figures["reliability"]) == {"native", "matched 16", "matched 8"}


def test_its_card_shows_them(what, made, figures):
    page = made[2].read_text()
    assert figures["file"]["sha256"] in page
    eer = figures["tests"][what.real]["models"]["slim-x"]["both"]["16"]["eer"]
    assert f"{100 * eer:.1f} (" in page
    assert "Apache-2.0. Toys." in page
    groups = figures["groups"]["attributes"]["age"]["groups"]
    assert len(groups) == 2
    assert all(f"| age | {group} |" in page for group in groups)
    assert f"| {figures['released']} |" in page


def test_nothing_names_a_folder_of_the_machine_but_what_the_recipe_names(what, made):
    assert [path.name for path in made if str(what.run).encode() in path.read_bytes()] == []


def test_the_parts_of_the_pack_make_a_run_that_goes_on(what, made, tmp_path):
    pack = tmp_path / "slim-x.pack"
    pack.write_bytes(b"".join(path.read_bytes() for path in made[3:]))
    unpack_run(pack, tmp_path / "run")
    assert read_recipe(tmp_path / "run" / "recipe.yaml").digest == read_recipe(what.run / "recipe.yaml").digest
    assert (tmp_path / "run" / "last.pt").is_file()


def test_another_candidate_is_another_look_and_leaves_no_part_of_the_former(what, made, home, monkeypatch):
    before = [path.read_bytes() for path in made]
    (first,) = looks_at(what.recipes / LOOKS, "slim-x")
    assert first.weights == file_digest(what.run / "best.pt")
    other = shutil.copytree(what.run, home / "other", ignore=shutil.ignore_patterns("control"))
    net = load_backbone(other / "best.pt")
    net.state_dict()["neck.4.weight"].mul_(-1)
    save_backbone(other / "best.pt", net)
    monkeypatch.setattr("release.PART_BYTES", 50_000)
    several = release(replace(what, run=other))[3:]
    assert len(several) == -(-sum(path.stat().st_size for path in several) // 50_000) > 2
    assert len(several) == len(list(what.recipes.glob("*.pack.*")))
    assert b"".join(path.read_bytes() for path in several) != before[3]
    looks = looks_at(what.recipes / LOOKS, "slim-x")
    assert looks[0] == first
    assert len(looks) == 2
    figures = json.loads((what.models / "slim-x.json").read_text())
    assert figures["looks"] == [asdict(each) for each in looks]
    assert set(figures["tests"]["held out"]["models"]) == {"slim-x", release_figures.BESIDE}
    assert "No control" in (what.models / "slim-x.md").read_text()
    for path, content in zip(made, before, strict=True):
        path.write_bytes(content)


def test_the_same_weights_are_looked_at_once(what, made):
    model = Recognizer(made[0])
    listed = (what.recipes / LOOKS).read_text()
    again = release_figures.look(what.recipes / LOOKS, "slim-x", what.real, what.run, "digest", model)
    assert again == looks_at(what.recipes / LOOKS, "slim-x")[0]
    assert (what.recipes / LOOKS).read_text() == listed
    assert looks_at(what.recipes / LOOKS, "slim-y") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"run": Path("nowhere")}, "nowhere holds no trained run", id="no run"),
        pytest.param({"control": Path("nowhere")}, "nowhere holds no trained run", id="no control"),
        pytest.param({"control": "run"}, "is no control of", id="a control with a teacher"),
    ],
)
def test_runs_that_cannot_be_released_are_refused_before_a_look(change, message, what, tmp_path):
    changed = {key: what.run if value == "run" else value for key, value in change.items()}
    with pytest.raises(UsageError, match=message):
        release(replace(what, recipes=tmp_path, **changed))
    assert list(tmp_path.iterdir()) == []


def test_models_lists_a_released_one(what, made, figures, monkeypatch, capsys):
    monkeypatch.setattr(facedistill.models, "FOLDER", what.models)
    figures["tests"]["orl"] = figures["tests"].pop(what.real)
    (what.models / "slim-x.json").write_text(json.dumps(figures))
    assert main(["models"]) == 0
    assert "slim-x" in capsys.readouterr().out
