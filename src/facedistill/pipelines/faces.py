"""A whole run on faces, from top to bottom: data, teacher, cache, student and control, model files, tests, report.

Each stage keeps what it made in the run folder, so the same call goes on where it stopped.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from facedistill.datasets import Face, FaceSet
from facedistill.datasets.sources import parse_source
from facedistill.datasets.training_faces import TrainingFaces, open_training_faces
from facedistill.devices import choose_device
from facedistill.errors import UsageError
from facedistill.evaluation.calibration import OTHER_CAMERAS
from facedistill.export import Proof, latencies_ms
from facedistill.export.cost import total_cost
from facedistill.files import sole_writer, write_bytes, write_text
from facedistill.pictures import UnreadablePicture, encode_picture
from facedistill.pipelines.face_workload import FaceWorkload, cache_teacher_targets, resolve_student
from facedistill.pipelines.finished_run import SUMMARY, read_summary, report_runs
from facedistill.pipelines.model_file import (
    POSED,
    Weights,
    model_digest,
    posed_people,
    sweep_test_set,
    teacher_model_files,
    write_model_file,
)
from facedistill.pipelines.trained_on import describe_test_set, hash_training_faces, refuse_trained_on
from facedistill.printable import printable
from facedistill.processes import barrier, first_process_first, process_rank
from facedistill.progress import notify
from facedistill.recipe import HELD_OUT, Recipe
from facedistill.recipe.files import read_recipe
from facedistill.recipe.validate import validate
from facedistill.report import write_report
from facedistill.report.figures import CONTROL, STUDENT, TEACHER
from facedistill.teachers import Teacher, load_teacher, load_teachers
from facedistill.training import BEST, train
from facedistill.training.build import build_task
from facedistill.training.loop import Embed
from facedistill.training.run_folder import RECIPE, open_run_folder, versions

REPORT = "report.html"
EXAMPLES = "examples"
_ONNX = ".onnx"
DAMAGE = "damaged.txt"


def run_faces(recipe: Recipe) -> dict[str, Any]:
    """Trains, exports and tests what a recipe describes; a finished run is only read.

    In a distributed run all processes call it together; the first one exports, tests and writes.

    Args:
        recipe: With distillation losses, the teacher trains its student, and labels alone train the control beside it;
            with `hard` alone, labels train a net.

    Returns:
        The summary that stands in `summary.json` (see `report.gather.FinishedRun`).

    Raises:
        FacedistillError: See `fit`, `open_cache`, `Exporter.write`.
        UsageError: The recipe cannot work, or another process works in its folder; nothing was loaded.
    """
    validate(recipe)
    teacher = load_teachers(recipe.all_teachers, choose_device(recipe.device)) if recipe.distils else None
    recipe = resolve_student(recipe, teacher)
    with nullcontext() if process_rank() else sole_writer(recipe.folder):
        folder = open_run_folder(recipe)
        # A run that can be prolonged has a summary for each number of steps.
        finished = (folder / SUMMARY).exists() and read_summary(folder)["settings"]["steps"] == recipe.steps
        if not finished:
            _train_and_test(recipe, teacher, folder)
        if not process_rank() and not (finished and (folder / REPORT).exists()):
            write_report(folder / REPORT, report_runs([folder]))
        barrier()
        return read_summary(folder)


def _train_and_test(recipe: Recipe, teacher: Teacher | None, folder: Path) -> None:
    """All stages of a run that is not finished; the last one writes `summary.json`."""
    seconds: dict[str, float] = {}
    deadline = None if recipe.minutes is None else time.monotonic() + 60 * recipe.minutes
    with first_process_first():  # synthetic people may have to be rendered
        faces = open_training_faces(recipe.data, recipe.student.input_size).readable()
        trained_on = hash_training_faces(recipe, faces, folder)
    _report_damage(faces, folder)
    workload = FaceWorkload(faces)
    if teacher is not None:
        with first_process_first(), _timed(seconds, TEACHER):
            workload = FaceWorkload(faces, teacher, cache_teacher_targets(teacher, recipe, faces, folder / TEACHER))
            workload.cache_all_views(recipe)
    files: dict[str, Path] = {}
    for role, net in _nets_to_train(recipe).items():
        if deadline is not None:
            net = replace(net, minutes=max(0, deadline - time.monotonic()) / 60)
        seconds[role] = train(workload, net, build_task(net, faces.train.classes, faces.train)).seconds
        files[role] = folder / f"{role}.onnx"
        if not process_rank():
            write_model_file(net, faces, files[role], recipe.data.faces, faces.validation)
    faces.close()
    if not process_rank():
        models = _evaluate_models(recipe, faces, teacher, files, seconds)
        _write_examples(recipe, faces, folder)
        test = describe_test_set(recipe, faces, trained_on)
        write_text(folder / SUMMARY, json.dumps(_summary(recipe, faces, test, models, seconds), indent=1) + "\n")
    barrier()


def _report_damage(faces: TrainingFaces, folder: Path) -> None:
    """Tells which pictures are left out, in a line and in a file."""
    if not faces.damage or process_rank():
        return
    write_text(folder / DAMAGE, "".join(f"{printable(entry.reason)}\n" for entry in faces.damage))
    notify(
        f"{len(faces.damage)} pictures cannot be read and are left out (all of them: {folder / DAMAGE}); the first: "
        f"{faces.damage[0].reason}"
    )


def _nets_to_train(recipe: Recipe) -> dict[str, Recipe]:
    """Role -> its recipe: the student, and beside a student that has a teacher the control."""
    return {STUDENT: recipe} | ({CONTROL: recipe.control_recipe()} if recipe.distils and recipe.control else {})


def _evaluate_models(
    recipe: Recipe, faces: TrainingFaces, teacher: Teacher | None, files: Mapping[str, Path], seconds: dict[str, float]
) -> dict[str, dict[str, Any]]:
    """Role -> its figures on the test set and its cost; every model sees the same pictures."""
    embedders: dict[str, Embed] = {TEACHER: teacher.embed} if teacher else {}
    embedders |= {role: load_teacher(path, device="auto").embed for role, path in files.items()}
    costed = {role: [path] for role, path in files.items()}
    if teacher is not None:
        costed[TEACHER] = teacher_model_files(teacher, recipe.folder, faces)
    times = latencies_ms({str(path): path for paths in costed.values() for path in paths})
    models: dict[str, dict[str, Any]] = {}
    for role, embed in embedders.items():
        with _timed(seconds, f"testing the {role}"):
            models[role] = {
                "name": teacher.name if teacher and role == TEACHER else recipe.name,
                **asdict(total_cost(costed[role])),
                "latency_ms": sum(times[str(path)] for path in costed[role]),
                "sha256": model_digest(costed[role]),
                "sweep": sweep_test_set(recipe, faces, embed),
            }
    return models


def _summary(
    recipe: Recipe,
    faces: TrainingFaces,
    test: Mapping[str, Any],
    models: Mapping[str, Any],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    growing, drawn = faces.growing, recipe.steps * recipe.batch_size
    return {
        "name": recipe.name,
        "test": test,
        "models": models,
        "settings": {
            "seed": recipe.seed,
            "split_seed": recipe.data.split_seed,
            "recipe": f"{recipe.folder / RECIPE}",
            "recipe_digest": recipe.digest,
            "versions": versions(),
            "train_identities": faces.train.classes if growing is None else growing.people(drawn),
            "train_pictures": len(faces.train) if growing is None else growing.faces(drawn),
            **({"damaged_pictures": len(faces.damage)} if faces.damage else {}),
            "steps": recipe.steps,
            "seconds": {name: round(taken, 1) for name, taken in seconds.items()},
        },
    }


def _write_examples(recipe: Recipe, faces: TrainingFaces, folder: Path) -> None:
    """Three photos of two people who were not trained on, to try `facedistill verify` with."""
    source = parse_source(recipe.data.faces if recipe.test == HELD_OUT else recipe.test)
    tested = faces.held_out if recipe.test == HELD_OUT or source.kind != "orl" else source.as_stored()
    if tested is None:
        return
    photos = parse_source(recipe.data.faces).photos() or source.photos()  # an aligned crop is not what a camera gives
    shown = _two_people(tested)
    for name, face in zip(("one", "one_again", "another"), shown, strict=False):
        write_bytes(folder / EXAMPLES / f"{name}.png", encode_picture(photos.get(face.key, face.image), ".png"))


def _two_people(faces: FaceSet) -> list[Face]:
    """Two pictures of somebody and one of somebody else that can be read; nothing without such."""
    shown: dict[int, list[Face]] = {}
    for index in range(len(faces)):
        with suppress(UnreadablePicture):
            face = faces[index]
            shown.setdefault(face.label, []).append(face)
        pair = next((each for each in shown.values() if len(each) > 1), None)
        if pair and len(shown) > 1:
            return [*pair[:2], next(each[0] for each in shown.values() if each is not pair)]
    return []


def export_run(folder: Path, out: Path, calibrate_on: str | None = None, weights: Weights = "float32") -> Proof:
    """Writes a run's best net as a model file.

    Args:
        folder: The run folder; `RUN/control` is one too.
        out: The model file.
        calibrate_on: `orl` or a face set of people who were not trained on, to measure thresholds and probability on;
            `posed` renders people who are hard to tell apart (`facedistill.synth.posed`), shown by cameras that the net
            does not know; None takes the run's validation people.
        weights: As for `write_model_file`.

    Returns:
        How far the file's embeddings are from torch's.

    Raises:
        UsageError: The folder holds no run, the model file's name does not end in .onnx, or the set to calibrate on has
            other crops or was trained on.
    """
    if out.suffix.lower() != _ONNX:
        raise UsageError(f"{out} is written as ONNX, so its name must end in {_ONNX}; give OUT{_ONNX}")
    if not (folder / RECIPE).exists() or not (folder / BEST).exists():
        raise UsageError(f"{folder} holds no trained run (no {RECIPE} or no {BEST}); give a run folder")
    recipe = replace(read_recipe(folder / RECIPE), out=str(folder))
    if calibrate_on == POSED:
        others: FaceSet | None = posed_people(recipe.student.input_size)
    else:
        others = None if calibrate_on is None else _open_others(recipe, calibrate_on)
    calibrated_on = calibrate_on or recipe.data.faces
    cameras = OTHER_CAMERAS if calibrate_on == POSED else ()
    with closing(open_training_faces(recipe.data, recipe.student.input_size).readable()) as faces:
        if others is not None and calibrate_on is not None and calibrate_on != POSED:
            refuse_trained_on(calibrate_on, others, faces, folder)
        return write_model_file(recipe, faces, out, calibrated_on, others or faces.validation, weights, cameras)


def _open_others(recipe: Recipe, name: str) -> FaceSet:
    """A face set to calibrate on that is not the one trained on."""
    if name == recipe.data.faces or Path(name).resolve() == Path(recipe.data.faces).resolve():
        raise UsageError(f"{name} holds the people that were trained on; leave calibrate_on out, or give other people")
    size = recipe.student.input_size
    source = parse_source(name, ("orl", "face set"))
    faces = source.open(size).faces if source.kind == "orl" else source.as_stored()
    if faces.size != size:
        raise UsageError(
            f"the crops in {name} are {faces.size[0]}x{faces.size[1]}, but the net takes {size[0]}x{size[1]}; "
            "prepare the photos in that size"
        )
    return faces


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Records how long the stage inside took."""
    started = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - started
