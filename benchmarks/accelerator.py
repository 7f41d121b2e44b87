"""How fast does a device train, and what does it wait for? Beside it: the teacher, and the validation.

python benchmarks/accelerator.py --json accelerator.json --markdown accelerator.md
python benchmarks/accelerator.py --device cpu --teacher none --steps 20 --rounds 3

The net alone takes one synthetic batch again and again: forward, losses by labels, backward, optimiser. `train` is a
run by labels on faces read from a set, `distill` one with cached targets, `view` one that shows the teacher each view
as the recipe draws it. All are measured in turn, so that a busy moment hits each; medians are shown.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from rich.console import Console

from facedistill.backbones import embed_crops
from facedistill.datasets import Face, FaceList, write_face_set
from facedistill.datasets.training_faces import open_training_faces
from facedistill.devices import choose_device
from facedistill.evaluation import sweep
from facedistill.faces import CROP_128X112
from facedistill.files import write_text
from facedistill.pipelines.face_workload import FaceWorkload
from facedistill.recipe import HARD, LossTerm, Recipe
from facedistill.recipe.files import read_recipe
from facedistill.teachers import Teacher, load_teacher
from facedistill.training import fit
from facedistill.training.build import build_task
from facedistill.training.data import Batch
from facedistill.training.device import make_fabric
from facedistill.training.log import TIMING, read_lines
from facedistill.training.optimiser import clip_gradient, make_optimiser
from facedistill.training.run_folder import versions
from facedistill.training.targets import CachedTargets
from facedistill.training.task import Task
from json_option import json_parser, write_json

RECIPE = Path(__file__).parents[1] / "recipes" / "shipped" / "slim-m.yaml"
PICTURES = 8  # of each person
VALIDATED = 512
Rates = Mapping[str, float]


def main() -> None:
    parser = json_parser(__doc__)
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="the student, its views and losses")
    parser.add_argument("--teacher", default="dlib", help="see load_teacher; none leaves it out (default: dlib)")
    parser.add_argument("--batch-size", type=int, help="instead of the recipe's")
    parser.add_argument("--steps", type=int, default=60, help="of a run; the first 20 are not counted (default: 60)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--faces", type=int, default=4096, help="in the set (default: 4096)")
    options = parser.parse_args()
    if options.steps < 20 or options.rounds < 1:
        parser.error("--steps must be at least 20, and --rounds at least 1")
    with tempfile.TemporaryDirectory() as folder:
        rates = measure(options, Path(folder))
    report = summary(options, rates)
    table = markdown(report)
    Console().print(table, markup=False)
    write_json(options, report)
    if options.markdown:
        write_text(options.markdown, table)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[Rates]]:
    """Name -> what each round measured."""
    recipe = settings(options, folder)
    write_faces(Path(recipe.data.faces), options.faces)
    teacher = None if options.teacher == "none" else load_teacher(options.teacher, device=choose_device(recipe.device))
    contenders = contenders_of(recipe, teacher, folder)
    rates: dict[str, list[Rates]] = {name: [] for name in contenders}
    for number in range(options.rounds):
        for name, call in contenders.items():
            rates[name].append(call(number))
    return rates


def settings(options: argparse.Namespace, folder: Path) -> Recipe:
    """The recipe on made-up faces, for runs of a few steps by labels alone."""
    recipe = read_recipe(options.recipe)
    data = replace(recipe.data, faces=str(folder / "faces"), stored_size=None, held_out_identities=0)
    data = replace(data, validation_identities=0)
    size = recipe.student.embedding_size or 128
    return replace(
        recipe,
        data=data,
        student=replace(recipe.student, embedding_size=size, start=None),
        device=options.device,
        batch_size=options.batch_size or recipe.batch_size,
        steps=options.steps,
        validate_every=options.steps,
        minutes=None,
    )


def write_faces(folder: Path, count: int) -> None:
    """Blurred patterns in the size of stored crops, as JPEG of the size that photographs take."""
    rng = np.random.default_rng(0)
    height, width = CROP_128X112.size

    def face(number: int) -> Face:
        pattern = cv2.resize(rng.uniform(0, 255, (16, 14, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
        picture = (pattern + rng.normal(0, 4, pattern.shape)).clip(0, 255).astype(np.uint8)
        return Face(picture, number // PICTURES, str(number))

    write_face_set(folder, map(face, range(count)))


def contenders_of(recipe: Recipe, teacher: Teacher | None, folder: Path) -> dict[str, Callable[[int], Rates]]:
    """Name -> what measures it once."""
    faces = open_training_faces(recipe.data, recipe.student.input_size)
    labels = replace(recipe, losses={HARD: LossTerm()}, views=[])
    cached = replace(labels, losses={HARD: LossTerm(), "cosine": LossTerm()})
    size = recipe.student.embedding_size or 0
    embeddings = np.random.default_rng(1).normal(size=(len(faces.train), 2, size)).astype(np.float32)
    targets = CachedTargets(embeddings, faces.train.labels, faces.train.classes, True, None)
    net = NetAlone(labels, faces.train.classes)
    contenders: dict[str, Callable[[int], Rates]] = {
        "net alone": net.rates,
        "train": lambda number: run(labels, FaceWorkload(faces), folder / f"train-{number}"),
        "distill, cached": lambda number: run(cached, FaceWorkload(faces), folder / f"cached-{number}", targets),
        "validation": lambda _: validation(net.task, recipe),
    }
    if teacher is not None:
        workload = FaceWorkload(faces, teacher, (None,))
        crops = np.random.default_rng(2).integers(0, 256, (VALIDATED, *teacher.input_size, 3), dtype=np.uint8)
        contenders["teacher"] = lambda _: {"rate": len(crops) / seconds(partial(teacher.embed, crops))}
        if size == teacher.embedding_size and recipe.distils:
            shown = replace(recipe, teacher=replace(recipe.teacher, input="view"))
            contenders["distill, view"] = lambda number: run(shown, workload, folder / f"view-{number}")
    return contenders


class NetAlone:
    """Steps of a net on one batch that lies on the device.

    Args:
        recipe: Of labels alone.
        classes: Number of people.
    """

    def __init__(self, recipe: Recipe, classes: int) -> None:
        self._recipe = recipe
        self.task = build_task(recipe, classes).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._fabric = make_fabric(recipe.device, recipe.precision)
        optimiser = make_optimiser(self.task, recipe.optimiser)
        self._model, self._optimiser = self._fabric.setup(self.task, optimiser)
        rng = np.random.default_rng(0)
        crops = rng.integers(0, 256, (recipe.batch_size, *recipe.student.input_size, 3), dtype=np.uint8)
        labels = rng.integers(0, classes, recipe.batch_size)
        whole = torch.arange(recipe.batch_size)
        batch = Batch(torch.from_numpy(crops), torch.from_numpy(labels), whole, torch.zeros(len(whole)).bool(), ())
        self._batch = batch.to(self._fabric.device)

    def rates(self, _number: int) -> Rates:
        """images/s, the first steps not counted."""
        self._steps(5)
        count = max(10, self._recipe.steps - 20)
        return {"rate": count * self._recipe.batch_size / seconds(partial(self._steps, count))}

    def _steps(self, count: int) -> None:
        for _ in range(count):
            loss = torch.stack(list(self._model(self._batch).values())).sum()
            self._fabric.backward(loss)
            clip_gradient(self.task, self._recipe.optimiser.clip)
            self._optimiser.step()
            self._optimiser.zero_grad(set_to_none=True)
            loss.item()  # waits for the device, as a run does to write its losses


def run(recipe: Recipe, workload: FaceWorkload, folder: Path, targets: CachedTargets | None = None) -> Rates:
    """images/s and the share of waiting of a run, the first record left out."""
    folder.mkdir()
    recipe = replace(recipe, out=str(folder))
    task = build_task(recipe, workload.pictures.classes)
    task.targets = targets or (workload.teacher_targets(recipe, task) if recipe.distils else None)
    fit(task, workload.augmented(recipe), recipe, folder, None)
    timings = [line[TIMING] for line in read_lines(folder / "metrics.jsonl") if line["kind"] == "train"]
    timings = timings[1:] or timings
    return {
        "rate": statistics.median(timing["images_per_second"] for timing in timings),
        "waiting": statistics.median(timing["data_wait_share"] for timing in timings),
    }


def validation(task: Task, recipe: Recipe) -> Rates:
    """Faces/s of a sweep at native size and 16 rows, as a run validates."""
    faces = open_training_faces(recipe.data, recipe.student.input_size).train
    few = [faces[index] for index in range(min(VALIDATED, len(faces)))]
    taken = seconds(lambda: sweep(partial(embed_crops, task.backbone), FaceList(few), (16,), bootstrap=0))
    return {"rate": 2 * len(few) / taken}


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def summary(options: argparse.Namespace, rates: Mapping[str, Sequence[Rates]]) -> dict[str, Any]:
    """Medians, and each run's share of the nets alone that it is made of."""
    rows = {
        name: {key: statistics.median(each[key] for each in measured) for key in measured[0]}
        for name, measured in rates.items()
    }
    net = rows["net alone"]["rate"]
    for name in ("train", "distill, cached"):
        rows[name]["of the nets alone"] = rows[name]["rate"] / net
    if "distill, view" in rows:
        in_sequence = 1 / (1 / net + 1 / rows["teacher"]["rate"])
        rows["distill, view"]["of the nets alone"] = rows["distill, view"]["rate"] / in_sequence
    device = choose_device(options.device)
    named = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine()
    return {
        "device": device,
        "named": named,
        "threads": torch.get_num_threads(),
        "recipe": options.recipe.stem,
        "batch_size": options.batch_size or read_recipe(options.recipe).batch_size,
        "rounds": options.rounds,
        "versions": versions(),
        "rows": rows,
        "rounds_measured": {name: [dict(each) for each in measured] for name, measured in rates.items()},
    }


def markdown(report: Mapping[str, Any]) -> str:
    """The table of a report."""
    lines = [
        f"{report['recipe']}, batches of {report['batch_size']}, on {report['device']} ({report['named']}); medians of "
        f"{report['rounds']} rounds.",
        "",
        "| | images/s | of the nets alone | waiting for data |",
        "|---|---|---|---|",
    ]
    for name, row in report["rows"].items():
        share, waiting = (f"{100 * row[key]:.0f} %" if key in row else "-" for key in ("of the nets alone", "waiting"))
        lines.append(f"| {name} | {row['rate']:,.0f} | {share} | {waiting} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
