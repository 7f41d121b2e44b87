"""Losses, heads, backbones and variances of another package in a recipe, through the commands that users type."""

import os
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
from facedistill.training.log import read_lines
from tests.block_means import write_block_means
from tests.conftest import draw_toy_people

PACKAGE = '''
import torch
from torch import nn
from facedistill.backbones import Backbone
from facedistill.heads import Head


class Agreement(nn.Module):
    """Compares embeddings and logits at once; its scale is learned."""

    needs = ("embedding", "logits")
    equal_sizes = False

    def __init__(self, power: float = 2.0) -> None:
        super().__init__()
        self.power = power
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, student, teacher, labels):
        cosines = [side.embedding @ side.embedding.T / side.embedding.square().sum() for side in (student, teacher)]
        apart = (student.logits.softmax(1) - teacher.logits.softmax(1)).abs().pow(self.power).sum(1)
        return self.scale.square() * (apart + (cosines[0] - cosines[1]).square().sum(1)).mean()


class Whole(Agreement):
    uses_whole_batch = True


class NoMean(Agreement):
    def forward(self, student, teacher, labels):
        return student.logits.sum(1)


class NotANumber(Agreement):
    def forward(self, student, teacher, labels):
        return super().forward(student, teacher, labels) * float("nan")


class NeedsEyes(Agreement):
    needs = ("eyes",)


class NeedsNothing(nn.Module):
    pass


class RaisesInForward(Agreement):
    def forward(self, student, teacher, labels):
        raise LookupError("no such face")


class ExitsWhenBuilt(Agreement):
    def __init__(self):
        raise SystemExit


class RaisesWhenBuilt(Agreement):
    def __init__(self):
        raise OSError("no table")


class NeedsList(Agreement):
    needs = (["embedding"],)


class Centred(Head):
    """Logits without the mean over the classes."""

    def __init__(self, embedding_size, classes, factor: float = 3.0):
        super().__init__(embedding_size, classes, factor=factor)
        self.factor = factor

    def plain_scores(self, embedding, weight):
        scores = self.factor * embedding @ weight.T
        return scores - scores.mean(dim=1, keepdim=True)


def tiny(spec):
    stage = nn.Sequential(nn.Conv2d(3, 8, 3, 4), nn.BatchNorm2d(8), nn.ReLU())
    neck = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, spec.embedding_size))
    return Backbone(spec, [stage], neck)


class Shifted:
    """Moves the picture one column to the right, half of the time."""

    def __init__(self, probability: float = 0.5):
        self.probability = probability

    def __call__(self, crop, rng):
        import numpy as np
        return np.roll(crop, 1, axis=1) if rng.random() < self.probability else crop


number = 3
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a package of somebody else's, faces, a teacher and a recipe."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "__init__.py").touch()
    (folder / "elsewhere" / "parts.py").write_text(PACKAGE)
    (folder / "elsewhere" / "exits.py").write_text("import sys; sys.exit(3)")
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


def test_parts_of_another_package_train_on_one_and_on_two_processes(place, importable):
    assert main(["distill", str(place / "recipe.yaml"), "--out", str(place / "one")]) == 0
    words = ["distill", str(place / "recipe.yaml"), "--out", str(place / "two"), "--devices", "2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, "-m", "facedistill", *words], env=environment, check=True, timeout=300)
    one, two = trained_losses(place / "one"), trained_losses(place / "two")
    assert set(one) == {"hard", "elsewhere.parts:Whole", "elsewhere.parts:Whole@again"}
    assert one == pytest.approx(two, rel=1e-4)
    state = torch.load(place / "one" / "last.pt", weights_only=True)["task"]
    assert "losses.elsewhere/parts:Whole.scale" in state
    assert state["losses.elsewhere/parts:Whole.scale"] != 1, "what the loss learns is trained"

    out = place / "exported.onnx"
    assert main(["export", str(place / "one"), str(out)]) == 0, "the run's own recipe names the net"
    assert out.exists()


def test_a_checkpoint_imports_no_code(place, importable, tmp_path):
    """Here the package was imported by the recipe of the test above; a new process knows nothing of it."""
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


REFUSED = [
    (loss("Missing"), 2, ["recipe: losses.elsewhere.parts:Missing", "cannot be imported"], "no such class"),
    (loss("Agreement", options={"powr": 2}), 2, ["did you mean 'power'?"], "a misspelt option"),
    (loss("number"), 2, ["neither a class nor a function"], "a number"),
    (loss("NeedsEyes"), 2, ["losses.elsewhere.parts:NeedsEyes", "not ('eyes',)"], "an unknown field"),
    (loss("NeedsNothing"), 2, ["losses.elsewhere.parts:NeedsNothing", "attribute `needs`"], "no needs"),
    (loss("Shifted"), 2, ["losses.elsewhere.parts:Shifted", "no torch.nn.Module"], "no module"),
    (loss("NoMean"), 2, ["elsewhere.parts:NoMean", "not a scalar"], "a value for each face"),
    (loss("NotANumber"), 1, ["elsewhere.parts:NotANumber is nan"], "not a number"),
    (
        loss("RaisesInForward"),
        2,
        ["RaisesInForward' fails (LookupError: no such face; parts.py, line "],
        "an error in a step",
    ),
    (
        loss("ExitsWhenBuilt"),
        2,
        ["ExitsWhenBuilt' cannot be built (SystemExit"],
        "an exit, which would pass for success",
    ),
    (loss("RaisesWhenBuilt"), 2, ["RaisesWhenBuilt' cannot be built (OSError: no table; parts.py"], "an error at once"),
    (loss("NeedsList"), 2, ["attribute `needs`", "not (['embedding'],)"], "a list among the needs"),
    (["--head.name", "elsewhere.exits:Head"], 2, ["recipe: head", "cannot be imported (3)"], "a module that exits"),
    (["--head.name", "elsewhere.parts:Agreement"], 2, ["recipe: head", "elsewhere.parts:Agreement"], "a loss as head"),
    (["--head.name", "elsewhere.partz:Centred"], 2, ["recipe: head", "No module named"], "no such module"),
    (["--student.backbone", "elsewhere.parts:Shifted"], 2, ["recipe: student.backbone"], "a variance as net"),
    (["--student.backbone", "elsewhere.parts"], 2, ["recipe: student.backbone", "no backbone is called"], "no colon"),
    (["--variance", '[{"name": "elsewhere.parts:number"}]'], 2, ["recipe: variance", "type int"], "a number to call"),
]


@pytest.mark.parametrize(("words", "code", "parts", "why"), REFUSED, ids=[row[3] for row in REFUSED])
def test_what_cannot_be_used_is_one_line(place, importable, tmp_path, capsys, words, code, parts, why):
    assert main(["distill", str(place / "recipe.yaml"), "--out", str(tmp_path / "run"), *words]) == code
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("facedistill: ")]
    assert len(lines) == 1
    assert "Traceback" not in error
    for part in parts:
        assert part in lines[0]
