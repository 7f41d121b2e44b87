"""The models that come with the package: found by name, used without torch, trained on, and listed."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import facedistill.models
from facedistill.backbones import embed_crops
from facedistill.cli import main
from facedistill.datasets import load_orl
from facedistill.errors import FacedistillError, UsageError
from facedistill.export.info import net_info
from facedistill.files import file_digest
from facedistill.models import model_path, read_figures, shipped_models
from facedistill.pictures import encode_picture
from facedistill.recipe import LossTerm, NetRecipe, Recipe
from facedistill.recipe.files import read_recipe
from facedistill.recipe.validate import validate
from facedistill.runtime import Recognizer
from facedistill.teachers import load_teacher
from facedistill.training.build import build_task
from tests.conftest import draw_toy_people
from tests.shipped_models import write_shipped

CROPS = np.stack([face.image for face in draw_toy_people(3, 2).faces])
STUDENT = {"backbone": "slim", "width": 0.25, "embedding_size": 16, "start": "slim-s"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_shipped(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def shipped(folder, monkeypatch):
    monkeypatch.delenv("FACEDISTILL_MODEL", raising=False)
    monkeypatch.setattr(facedistill.models, "FOLDER", folder)


@pytest.fixture
def nothing_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(facedistill.models, "FOLDER", tmp_path)


def write_photos(folder):
    paths = []
    for place in (0, 1):
        picture = np.pad(load_orl()[place].image, ((60, 60), (60, 60), (0, 0)), mode="edge")
        paths.append(folder / f"{place}.png")
        paths[-1].write_bytes(encode_picture(picture, ".png"))
    return paths


def test_the_smallest_stands_first(folder):
    assert shipped_models() == {name: folder / f"{name}.onnx" for name in ("slim-s", "slim-m")}


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        pytest.param(None, "slim-m", id="no name"),
        pytest.param("slim-s", "slim-s", id="a shipped one"),
        pytest.param(Path("slim-s"), "slim-s", id="a shipped one, as a path"),
    ],
)
def test_a_recognizer_opens_a_shipped_model_by_name(named, expected):
    assert Recognizer(named).metadata.name == expected


def test_the_environment_goes_before_the_default_and_an_argument_before_both(monkeypatch):
    monkeypatch.setenv("FACEDISTILL_MODEL", "slim-s")
    assert Recognizer().metadata.name == "slim-s"
    assert Recognizer("slim-m").metadata.name == "slim-m"


@pytest.mark.parametrize(
    "named",
    ["model.onnx", "models/slim-m", "./slim-n", "/tmp/slim-m.onnx"],
    ids=["ending", "folder", "dot", "absolute"],
)
def test_a_path_is_not_taken_for_a_name(named):
    assert model_path(named) == Path(named)


def test_a_file_without_an_ending_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_bytes(b"")
    assert model_path("mine") == Path("mine")


@pytest.mark.parametrize(
    ("open_model", "message"),
    [
        pytest.param(Recognizer, "or give a model file's path", id="a recognizer"),
        pytest.param(load_teacher, "or give `dlib`, an ONNX file", id="a teacher"),
        pytest.param(net_info, "the nets are", id="info"),
        pytest.param(
            lambda name: validate(Recipe(losses={"hard": LossTerm()}, student=NetRecipe(start=name))),
            "or give `dlib` or a checkpoint",
            id="a student's start",
        ),
    ],
)
def test_a_misspelt_name_gets_the_nearest_and_all(open_model, message):
    with pytest.raises(UsageError, match=message) as raised:
        open_model("slim_m")
    assert "did you mean 'slim-m'? shipped: slim-s, slim-m; " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_where_nothing_is_shipped_faces_are_still_found(nothing_shipped):
    assert Recognizer().detect(np.pad(load_orl()[0].image, ((60, 60), (60, 60), (0, 0)), mode="edge"))
    with pytest.raises(UsageError, match="no model: give"):
        Recognizer().embed(CROPS)
    with pytest.raises(UsageError, match="no shipped model is called 'slim-m'; or give"):
        Recognizer("slim-m")


def test_it_is_a_teacher_under_its_name():
    teacher = load_teacher("slim-s")
    assert teacher.name == "slim-s"
    np.testing.assert_allclose(teacher.embed(CROPS), Recognizer("slim-s").embed(CROPS), atol=1e-6)


def test_info_reads_a_shipped_file():
    assert net_info("slim-m").metadata["name"] == "slim-m"


def test_a_student_starts_from_its_weights():
    recipe = Recipe(losses={"hard": LossTerm()}, student=NetRecipe(**STUDENT))
    validate(recipe)
    embeddings = embed_crops(build_task(recipe, 3).backbone, CROPS)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(embeddings, Recognizer("slim-s").embed(CROPS), atol=1e-4)


def test_a_student_of_another_net_is_refused():
    student = NetRecipe(**(STUDENT | {"width": 0.5}))
    with pytest.raises(
        UsageError, match=r"slim-s is another net than the recipe's student: width 0\.25 instead of 0\.5"
    ):
        build_task(Recipe(losses={"hard": LossTerm()}, student=student), 3)


def test_verify_needs_no_model_and_no_torch(folder, tmp_path):
    """In a process of its own, to see what it loads."""
    code = (
        "import sys; from pathlib import Path; import facedistill.models; from facedistill.cli import main;"
        "facedistill.models.FOLDER = Path(sys.argv[1]); done = main(['verify', *sys.argv[2:], '--fmr', '0.1']);"
        "assert not {'torch', 'onnx', 'matplotlib'} & set(sys.modules); sys.exit(done)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), *map(str, write_photos(tmp_path))], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "the same person: similarity" in done.stdout


def test_models_lists_what_is_shipped(tmp_path, capsys):
    assert main(["models", "--json", str(tmp_path / "models.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    (row,) = (line for line in lines if "slim-m" in line)
    size = f"{shipped_models()['slim-m'].stat().st_size / 1e6:.2f}"
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "slim-m",
        size,
        "12,345",
        "3.1",
        "4.2",
        "7.0",
        "Apache-2.0",
    ]
    written = json.loads((tmp_path / "models.json").read_text())
    assert written == {name: read_figures(name) for name in ("slim-s", "slim-m")}


def test_models_where_nothing_is_shipped_is_one_line(nothing_shipped, capsys):
    assert main(["models"]) == 1
    assert "no model is shipped" in capsys.readouterr().err


def test_a_card_that_is_missing_is_one_line(tmp_path, folder, monkeypatch):
    (tmp_path / "slim-s.onnx").write_bytes((folder / "slim-s.onnx").read_bytes())
    monkeypatch.setattr(facedistill.models, "FOLDER", tmp_path)
    with pytest.raises(FacedistillError, match=r"slim-s\.json cannot be read"):
        read_figures("slim-s")


def test_what_is_really_shipped_is_what_its_card_is_about():
    files = Path(facedistill.models.__file__).parent
    for path in files.glob("*.onnx"):
        figures = json.loads(path.with_suffix(".json").read_text())
        assert figures["file"]["sha256"] == file_digest(path)
        assert figures["file"]["sha256"] in path.with_suffix(".md").read_text()
    assert {path.stem for path in files.glob("*.json")} == {path.stem for path in files.glob("*.onnx")}


def test_the_recipe_to_fine_tune_a_shipped_model_fits_it(monkeypatch):
    monkeypatch.setattr(facedistill.models, "FOLDER", Path(facedistill.models.__file__).parent)
    assert {"slim-m", "slim-l"} <= set(shipped_models())
    recipe = read_recipe(Path(__file__).parents[1] / "recipes" / "fine_tune.yaml")
    validate(recipe)
    size = Recognizer("slim-m").metadata.embedding_size
    build_task(replace(recipe, student=replace(recipe.student, embedding_size=size)), 3)
