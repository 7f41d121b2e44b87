"""Makes what is shipped of a run: the int8 model file, its card with all figures, and a light pack to go on with.

    python benchmarks/release.py RUN NAME [--control RUN] [--calibrate-on SET]

It evaluates the candidate on ORL, which is a look at the test set: the look is added to `recipes/shipped/looks.jsonl`,
a list that only grows. Nothing may be chosen by it; choose on validation people before.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from facedistill.datasets.sources import ORL, SYNTH, parse_source
from facedistill.datasets.training_faces import TrainingFaces, open_training_faces
from facedistill.errors import UsageError
from facedistill.export import Proof, file_cost, latencies_ms
from facedistill.files import file_digest, write_bytes, write_text
from facedistill.pipelines.faces import export_run
from facedistill.recipe import Recipe
from facedistill.recipe.files import read_recipe
from facedistill.report.cards import model_card
from facedistill.report.figures import STUDENT
from facedistill.runtime import Recognizer
from facedistill.teachers import load_teachers
from facedistill.training import BEST
from facedistill.training.log import METRICS, read_lines
from facedistill.training.pack import pack_run
from facedistill.training.run_folder import ENVIRONMENT, RECIPE, versions
from release_card import card_page
from release_figures import beside, group_figures, held_out_figures, look, looks_at, pictures_of, real_figures
from running import run_script

FORMAT = "facedistill-card-1"
LOOKS = "looks.jsonl"
PART_BYTES = 4_900_000

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Release:
    """What to release, and where to.

    Attributes:
        run: The folder of the run, finished or between two slices.
        name: Of the shipped model.
        control: The run of the same net on the same faces without its teacher; None takes RUN/control, if there is one.
        calibrate_on: As for `facedistill export`.
        models: The folder of shipped models.
        recipes: The folder of their recipes, for the light pack and the list of looks.
        real: The test set of real faces.
    """

    run: Path
    name: str
    control: Path | None = None
    calibrate_on: str | None = None
    models: Path = _ROOT / "src" / "facedistill" / "models"
    recipes: Path = _ROOT / "recipes" / "shipped"
    real: str = ORL


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, help="the run folder")
    parser.add_argument("name", help="of the shipped model, such as slim-m")
    parser.add_argument("--control", type=Path, help="the control's run folder; RUN/control by default, if it exists")
    parser.add_argument("--calibrate-on", help="a face set of people who were not trained on")
    given = parser.parse_args(arguments)
    for path in release(Release(given.run, given.name, given.control, given.calibrate_on)):
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def release(what: Release) -> list[Path]:
    """Measures everything, then writes everything; returns the files.

    Raises:
        UsageError: The run holds no net, keeps nobody out, or its control saw other faces.
        FacedistillError: As for `export_run`, `pack_run` and the evaluations.
    """
    recipe, control = _read_runs(what)
    faces = open_training_faces(recipe.data, recipe.student.input_size)
    with closing(faces), tempfile.TemporaryDirectory() as folder:
        file, pack = Path(folder) / f"{what.name}.onnx", Path(folder) / f"{what.name}.pack"
        proof = export_run(what.run, file, what.calibrate_on, "int8")
        pack_run(what.run, pack, light=True)
        figures = _figures(what, recipe, control, faces, file, proof)
        model, parts = file.read_bytes(), _parts(pack.read_bytes())
    packs = [what.recipes / f"{what.name}.pack.{number}" for number in range(1, len(parts) + 1)]
    for former in what.recipes.glob(f"{what.name}.pack.*"):
        former.unlink()
    for path, content in zip(packs, parts, strict=True):
        write_bytes(path, content)
    written = {suffix: what.models / f"{what.name}.{suffix}" for suffix in ("onnx", "json", "md")}
    write_bytes(written["onnx"], model)
    write_text(written["json"], json.dumps(figures, indent=1, sort_keys=True) + "\n")
    write_text(written["md"], card_page(figures))
    return [*written.values(), *packs]


def _read_runs(what: Release) -> tuple[Recipe, Path | None]:
    """The run's recipe, and the control's folder."""
    for folder in (what.run, *([what.control] if what.control else [])):
        if not (folder / RECIPE).is_file() or not (folder / BEST).is_file():
            raise UsageError(f"{folder} holds no trained run (no {RECIPE} or no {BEST}); give a run folder")
    recipe = read_recipe(what.run / RECIPE)
    if not recipe.data.held_out_identities:
        raise UsageError(f"{what.run} keeps nobody for the final test; train with data.held_out_identities")
    control = what.control or what.run / "control"
    if not (control / BEST).is_file():
        return recipe, None
    other = read_recipe(control / RECIPE)
    if (other.data, other.student) != (recipe.data, recipe.student) or other.distils:
        raise UsageError(f"{control} is no control of {what.run}: its faces or net differ, or it has a teacher")
    return recipe, control


def _figures(
    what: Release, recipe: Recipe, control: Path | None, faces: TrainingFaces, file: Path, proof: Proof
) -> dict[str, Any]:
    model, others = Recognizer(file), beside(control)
    digest, cost = file_digest(file), file_cost(file)
    steps = max((line["step"] for line in read_lines(what.run / METRICS)), default=0)
    growing, drawn = faces.growing, steps * recipe.batch_size
    people = faces.train.classes if growing is None else growing.people(drawn)
    pictures = len(faces.train) if growing is None else growing.faces(drawn)
    source = parse_source(what.real, ("orl", "face set"))
    teachers = load_teachers(recipe.all_teachers) if recipe.distils else None
    held_out = held_out_figures({what.name: model.embed, **others}, faces)
    groups = group_figures(model.embed, faces)
    real = {name: real_figures(embed, what.real, model.metadata.crop_size) for name, embed in others.items()}
    own = look(what.recipes / LOOKS, what.name, what.real, what.run, recipe.digest, model)
    real = {what.name: own.figures, **real}
    assert faces.held_out is not None, "it was checked"
    summary = {
        "settings": {"train_identities": people, "train_pictures": pictures},
        "test": {"identities": source.as_stored().classes, "set": what.real},
        "models": {"teacher": {"name": teachers.name if teachers else ""}},
    }
    card = model_card(recipe, summary, STUDENT, model.metadata, digest)
    return {
        "format": FORMAT,
        "name": what.name,
        "released": date.today().isoformat(),
        "licence": recipe.licence,
        "facts": card.facts | _more_facts(recipe, what.run, own.weights, steps, teachers.digest if teachers else ""),
        "not_for": card.not_for,
        "file": {
            "bytes": file.stat().st_size,
            "sha256": digest,
            "parameters": cost.parameters,
            "macs": cost.macs,
            "latency_ms": latencies_ms({what.name: file})[what.name],
        },
        "int8": asdict(proof),
        "recipe": {key: value for key, value in recipe.plain().items() if key != "out"},
        "tests": {
            what.real: pictures_of(source.as_stored()) | {"models": {n: f["standard"] for n, f in real.items()}},
            f"{what.real} camera": {"models": {name: found["camera"] for name, found in real.items()}},
            "held out": pictures_of(faces.held_out) | {"models": held_out},
        },
        "reliability": own.figures["reliability"],
        "groups": groups,
        "looks": [asdict(each) for each in looks_at(what.recipes / LOOKS, what.name)],
    }


def _more_facts(recipe: Recipe, run: Path, weights: str, steps: int, teachers: str) -> dict[str, str]:
    synth = recipe.data.synth
    people = f", synthetic people from seed {synth.seed}" if recipe.data.faces == SYNTH else ""
    return {
        "views": ", ".join(step.name for step in recipe.views) or "none",
        "start": recipe.student.start or "random weights",
        "training": f"{steps} steps of {recipe.batch_size} faces so far",
        "seeds": f"weights and draws {recipe.seed}, who is kept out {recipe.data.split_seed}{people}",
        "made with": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "environment of the training": (run / ENVIRONMENT).read_text(encoding="utf-8").replace("\n", "; ").strip("; "),
        "weights SHA-256": weights,
        "teacher SHA-256": teachers,
    }


def _parts(content: bytes) -> list[bytes]:
    """A pack in parts small enough for a repository; put together by `cat`."""
    return [content[start : start + PART_BYTES] for start in range(0, len(content), PART_BYTES)]


if __name__ == "__main__":
    run_script(main)
