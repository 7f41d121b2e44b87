"""Losses, heads, backbones and variances of another package in a recipe, through the commands that users type."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from facedistill.backbones import load_backbone
from facedistill.cli import main
from facedistill.datasets import write_face_set
from facedistill.errors import FacedistillError
from facedistill.recipe import SearchRange
from facedistill.recipe.files import read_recipe
from facedistill.search.space import check_space, recipe_with
from facedistill.training.data import AugmentedFaces, collate
from facedistill.training.log import read_lines
from facedistill.variance import build_variance
from tests.block_means import write_block_means
from tests.conftest import draw_toy_people
from tests.foreign_package import PACKAGE


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a package of somebody else's, faces, a teacher and a recipe."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "__init__.py").touch()
    (folder / "elsewhere" / "parts.py").write_text(PACKAGE)
    (folder / "elsewhere" / "exits.py").write_text("import sys; sys.exit(3)")
    (folder / "elsewhere" / "broken.py").write_text("class Head(:")
    (folder / "elsewhere" / "wants.py").write_text("import not_there")
    write_face_set(folder / "faces", draw_toy_people(10, 4), extension=".png")
    settings = {
        "name": "foreign",
        "data": {"faces": str(folder / "faces"), "held_out_identities": 4, "validation_identities": 0},
        "teacher": {"spec": str(write_block_means(folder / "teacher.onnx"))},
        "student": {"backbone": "elsewhere.parts:tiny", "embedding_size": 8},
        "head": {"name": "elsewhere.parts:Centred", "options": {"factor": 2.0}},
        "losses": {
            "hard": {"weight": 1},
            "elsewhere.parts:Whole": {"weight": 2, "options": {"power": 1.5}},
            "elsewhere.parts:Whole@again": {"weight": 0.5},
        },
        "variance": [{"name": "elsewhere.parts:Shifted", "options": {"probability": 0.4}}],
        "control": False,
        "steps": 4,
        "batch_size": 8,
        "validate_every": 2,
        "workers": 0,
        "test": "held_out",
        "device": "cpu",
        "precision": "32",
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(settings))
    return folder


@pytest.fixture
def importable(place, monkeypatch):
    """What PYTHONPATH does for the command line."""
    monkeypatch.syspath_prepend(str(place))


def trained_losses(folder: Path) -> dict[str, float]:
    (line,) = [line for line in read_lines(folder / "metrics.jsonl") if line["kind"] == "train"]
    return {name: value for name, value in line.items() if ":" in name or name == "hard"}


@pytest.fixture(scope="module")
def run(place) -> Path:
    """A run that uses the package for everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place))
        assert main(["distill", str(place / "recipe.yaml"), "--out", str(place / "one")]) == 0
    return place / "one"


def test_parts_of_another_package_are_trained(run):
    assert set(trained_losses(run)) == {"hard", "elsewhere.parts:Whole", "elsewhere.parts:Whole@again"}
    state = torch.load(run / "last.pt", weights_only=True)["task"]
    assert "losses.elsewhere/parts:Whole.scale" in state
    assert state["losses.elsewhere/parts:Whole.scale"] != 1, "what the loss learns is trained"
    assert (run / "student.onnx").is_file(), "the run's own recipe names the net, so it can be exported"


@pytest.mark.slow
def test_two_processes_train_parts_of_another_package_as_one_does(place, run):
    words = ["distill", str(place / "recipe.yaml"), "--out", str(place / "two"), "--devices", "2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, "-m", "facedistill", *words], env=environment, check=True, timeout=300)
    assert trained_losses(run) == pytest.approx(trained_losses(place / "two"), rel=1e-4)


def test_a_checkpoint_imports_no_code(place, importable, tmp_path):
    """Here the package may have been imported by a recipe; a new process knows nothing of it."""
    load = "from pathlib import Path; from facedistill.backbones import load_backbone; load_backbone(Path(r'{}'))"
    path = tmp_path / "best.pt"
    content = {"format": "facedistill-checkpoint-1", "weights": {}, "head": None}
    torch.save(content | {"backbone": {"name": "elsewhere.parts:evil"}}, path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])}
    code = load.format(path) + "\n"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert "'elsewhere.parts:evil' is code of another package" in done.stderr.splitlines()[-1]
    with pytest.raises(FacedistillError, match="only imported where your own recipe or call names it"):
        load_backbone(path)


def loss(name, **term):
    return ["--losses", str({"hard": {"weight": 1}, f"elsewhere.parts:{name}": {"weight": 1, **term}})]


def head(name):
    return ["--head", str({"name": name})]


def net(name):
    return ["--student.backbone", name]


def variance(name, **options):
    return ["--variance", str([{"name": f"elsewhere.parts:{name}", "options": options}])]


def view(name, **options):
    return ["--views", str([{"name": f"elsewhere.parts:{name}", "options": options}])]


REFUSED = [
    (loss("Missing"), 2, ["recipe: losses.elsewhere.parts:Missing", "defines no 'Missing'"], "no such class"),
    (loss("Agrement"), 2, ["defines no 'Agrement'", "did you mean 'Agreement'?"], "a misspelt class"),
    (loss("Agreement.x"), 2, ["not of the form package.module:Class"], "two attributes"),
    (loss("Agreement", options={"powr": 2}), 2, ["did you mean 'power'?"], "a misspelt option"),
    (loss("number"), 2, ["neither a class nor a function"], "a number"),
    (loss("NeedsEyes"), 2, ["losses.elsewhere.parts:NeedsEyes", "not ('eyes',)"], "an unknown field"),
    (loss("NeedsNothing"), 2, ["losses.elsewhere.parts:NeedsNothing", "attribute `needs`"], "no needs"),
    (loss("Shifted"), 2, ["losses.elsewhere.parts:Shifted", "derive it from torch.nn.Module"], "no module"),
    (loss("NoMean"), 2, ["elsewhere.parts:NoMean", "not a scalar"], "a value for each face"),
    (loss("NotANumber"), 1, ["elsewhere.parts:NotANumber is nan"], "not a number"),
    (loss("WholeNumber"), 2, ["WholeNumber' gives a number of type torch.int64"], "a whole number"),
    (loss("Complex"), 2, ["Complex' gives a number of type torch.complex64"], "a complex number"),
    (loss("NoGradient"), 2, ["NoGradient' has no gradient, so it trains nothing"], "a constant"),
    (loss("ReadsMore"), 2, ["reads embedding, which its `needs` does not name"], "a field that is not needed"),
    (loss("NoInit"), 2, ["losses.elsewhere.parts:NoInit", "call super().__init__()"], "torch has not set it up"),
    (loss("Lazy"), 2, ["losses.elsewhere.parts:Lazy", "lazy modules", "give their sizes"], "parameters without shape"),
    (loss("RaisesWhenRead"), 2, ["cannot be used (LookupError: no size; parts.py, line "], "an error in a property"),
    (loss("RaisesInForward"), 1, ["RaisesInForward' fails (LookupError: no such face; parts.py, line "], "in a step"),
    (loss("RaisesInBackward"), 1, ["step 0: the gradient with ", "(LookupError: no slope; parts.py"], "in backward"),
    (loss("ChangesWhatTorchSaved"), 1, ["modified by an inplace operation"], "an error of torch's own in backward"),
    (loss("Exits"), 1, ["Exits' fails (SystemExit: 0"], "an exit in a step, which would pass for success"),
    (loss("ExitsWhenBuilt"), 2, ["ExitsWhenBuilt' cannot be built (SystemExit"], "an exit when it is built"),
    (loss("RaisesWhenBuilt"), 2, ["RaisesWhenBuilt' cannot be built (OSError: no table; parts.py"], "an error at once"),
    (loss("NeedsList"), 2, ["attribute `needs`", "not (['embedding'],)"], "a list among the needs"),
    (
        head("elsewhere.exits:Head"),
        2,
        ["cannot be imported (SystemExit: 3; exits.py, line 1)"],
        "exits",
    ),
    (head("elsewhere.broken:Head"), 2, ["(SyntaxError: invalid syntax; broken.py, line 1)"], "no Python"),
    (head("elsewhere.wants:Head"), 2, ["No module named 'not_there'", "install not_there"], "an import of its own"),
    (head("elsewhere.parts:Agreement"), 2, ["recipe: head", "derive it from facedistill.heads.Head"], "a loss as head"),
    (head("elsewhere.partz:Centred"), 2, ["No module named", "install its package"], "no such module"),
    (head(".parts:Centred"), 2, ["not of the form package.module:Class"], "a relative name"),
    (head("elsewhere.parts:RaisesInScores"), 1, ["RaisesInScores", "(LookupError: no centre; parts.py"], "in a head"),
    (head("elsewhere.parts:NoArguments"), 1, ["NoArguments", "takes 1 positional argument"], "a wrong signature"),
    (
        net("elsewhere.parts:Shifted"),
        2,
        ["recipe: student.backbone", "facedistill.backbones.Backbone"],
        "a variance as net",
    ),
    (net("elsewhere.parts"), 2, ["recipe: student.backbone", "no backbone is called"], "no colon"),
    (net("elsewhere.parts:raising"), 1, ["elsewhere.parts:raising", "(LookupError: no neck; parts.py"], "in a net"),
    (net("elsewhere.parts:unexportable"), 1, ["the export of elsewhere.parts:unexportable fails"], "in an export"),
    (loss("TwoLines"), 1, ["one line and another"], "an error of two lines"),
    (variance("number"), 2, ["recipe: variance", "type int"], "a number to call"),
    (variance("Halved"), 2, ["Halved' gives", "[56, 96, 3], not a crop"], "half a crop"),
    (variance("Listed"), 2, ["Listed' gives list, not a crop"], "a list"),
    (variance("Divides"), 1, ["Divides' fails (ZeroDivisionError: division by zero; parts.py"], "in a variance"),
    (view("Shifted"), 2, ["recipe: views", "derive it from facedistill.views"], "a variance as view"),
    (view("Spotted", fault="draw"), 1, ["elsewhere.parts", "(LookupError: no spot; parts.py"], "in a view's draw"),
    (view("Spotted", fault="exit"), 1, ["elsewhere.parts", "(SystemExit: 0; parts.py"], "an exit in a view"),
    (view("Tilted", drawn="text"), 2, ["views: Tilted draws str"], "a text for a matrix"),
    (view("Tilted", drawn="small"), 2, ["views: Tilted draws [2, 2]"], "a matrix of another size"),
    (view("Tilted", drawn="flat"), 2, ["views: Tilted draws", "that has an inverse"], "a matrix without inverse"),
    (view("Tilted", drawn="nan"), 2, ["views: Tilted draws", "finite"], "a matrix of NaN"),
    (view("Spotted", fault="size"), 2, ["Spotted", "[112, 96, 3]"], "a view of another size"),
    (view("Spotted", fault="nan"), 2, ["views: Spotted gives float32 [112, 96, 3], not", "finite"], "a view of NaN"),
    (view("Spotted", fault="closes"), 1, ["elsewhere.parts", "(GeneratorExit; parts.py"], "an end of a generator"),
    (view("Spotted", fault="text share"), 2, ["views: Spotted gives the share 'half'"], "a text for a share"),
    (view("Spotted", fault="nan share"), 2, ["views: Spotted gives the share nan"], "a share of NaN"),
    (view("Tilted", drawn="no extremes"), 2, ["views: Tilted has the extremes []; give at least"], "no extremes"),
    (view("Tilted", drawn="text extremes"), 2, ["views: Tilted has the extreme str"], "a text for an extreme"),
    (view("Tilted", drawn="far extremes"), 2, ["views: tilted together may leave 0% of the face"], "no face left"),
    (view("Bent", fault="text"), 2, ["views: Bent displaces by str, not [112, 96, 2]"], "a text for a displacement"),
    (view("Bent", fault="small"), 2, ["views: Bent displaces by float64 [56, 96, 2]"], "half a displacement"),
    (view("Bent", fault="words"), 2, ["views: Bent displaces by <U", "finite"], "words for a displacement"),
    (view("Bent", fault="nan"), 2, ["views: Bent displaces by float64 [112, 96, 2], not", "finite"], "one of NaN"),
    (view("Bent", fault="far"), 2, ["views: bent together may leave", "of the face"], "one that leaves no face"),
    (view("Bent", fault="furthest text"), 2, ["views: Bent has furthest 'far'"], "a text for the furthest"),
    (view("Bent", fault="furthest nan"), 2, ["views: Bent has furthest nan"], "NaN for the furthest"),
    (variance("Coarse", rows=0), 2, ["Coarse' leaves 0 rows, not"], "no row left"),
    (variance("Coarse", rows="few"), 2, ["Coarse' leaves 'few' rows, not"], "a text for rows"),
    (head("elsewhere.parts:Kept"), 2, ["recipe: head", "no plain values ({'factor': tensor(1.)})"], "a tensor to keep"),
    (["--losses.elsewhere.parts:Whole.weight", "3"], 2, ["set it in the recipe file"], "an option that has dots"),
]


def one_line(capsys, parts):
    """The one line that stands on the screen, which holds `parts`."""
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if re.match("facedistill: (?!warning: )", line)]
    assert len(lines) == 1, error
    assert "Traceback" not in error
    for part in parts:
        assert part in lines[0]


@pytest.mark.parametrize(("words", "code", "parts", "why"), REFUSED, ids=[row[3] for row in REFUSED])
def test_what_cannot_be_used_is_one_line(place, importable, tmp_path, capsys, words, code, parts, why):
    assert main(["distill", str(place / "recipe.yaml"), "--out", str(tmp_path / "run"), *words]) == code
    one_line(capsys, parts)


@pytest.mark.slow
def test_an_error_beside_other_processes_ends_the_program(place, tmp_path):
    """Its traceback holds the processes that prepare pictures, and they ignore the signal that would end them."""
    words = ["distill", str(place / "recipe.yaml"), "--out", str(tmp_path / "run"), *loss("RaisesInBackward")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "facedistill", *words, "--workers", "2", *variance("Shifted")]
    assert subprocess.run(command, env=environment, check=False, timeout=100).returncode == 1


EVALUATED = [
    ("elsewhere.parts:RaisesInRun", 1, ["RaisesInRun' fails (LookupError: no list; parts.py"], "in its run"),
    ("elsewhere.parts:RaisesInJson", 1, ["elsewhere.parts", "fails (SystemExit: 0; parts.py"], "an exit in its JSON"),
    ("elsewhere.parts:Rated", 1, ["elsewhere.parts", "fails (LookupError: no table; parts.py"], "in its tables"),
    ("elsewhere.parts:NoTables", 1, ["elsewhere.parts:NoTables fails (TypeError: 'NoneType'"], "no tables"),
    ("elsewhere.parts:GivesNaN", 2, ["x.json: ", ".rates.1.eer is no finite number"], "a figure of NaN"),
    ("elsewhere.parts:Shifted", 2, ["no method run"], "a variance"),
    ("lfww", 2, ["'lfww' does not exist", "did you mean 'lfw'?"], "a misspelt protocol"),
    ("", 2, ["'' does not exist", "name `orl`"], "nothing, which is not the current folder"),
    ("x" * 300, 2, ["does not exist"], "a name that is too long for a path"),
]


@pytest.mark.parametrize(("on", "code", "parts", "why"), EVALUATED, ids=[row[3] for row in EVALUATED])
def test_what_cannot_be_evaluated_is_one_line(place, importable, tmp_path, capsys, on, code, parts, why):
    assert main(["eval", str(place / "teacher.onnx"), "--on", on, "--json", str(tmp_path / "x.json")]) == code
    one_line(capsys, parts)


def test_the_rows_that_a_variance_of_another_package_leaves_weigh_its_faces(importable):
    faces = draw_toy_people(2, 1)
    for name, rows in (("Coarse", 9), ("Shifted", 112)):
        shown = AugmentedFaces(faces, [build_variance(f"elsewhere.parts:{name}")], False, 0)
        assert collate([shown[0, 0], shown[1, 1]]).rows.tolist() == [rows, rows]


def test_a_search_sets_the_weight_of_a_loss_of_another_package(place, importable):
    recipe = read_recipe(place / "recipe.yaml")
    name = "elsewhere.parts:Whole"
    space = {f"losses.{name}.weight": 3.0, f"losses.{name}.options.power": 2.5}
    recipe.search = {path: SearchRange(low=1, high=4) for path in space}
    check_space(recipe)
    term = recipe_with(recipe, space).losses[name]
    assert (term.weight, term.options) == (3, {"power": 2.5})
