"""A whole experiment: the teacher's word, the student, its control, the model files and the proof.

Each part is kept in the run folder once it is done, so the same call goes on where it stopped.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from facedistill.datasets import FaceSet, align_faces, load_orl, open_face_set
from facedistill.errors import UsageError
from facedistill.export import export_model, latencies_ms
from facedistill.export.cost import total_cost
from facedistill.faces import recrop
from facedistill.files import file_digest, sole_writer, write_bytes, write_text
from facedistill.model_file import ModelMetadata
from facedistill.pictures import encode_picture
from facedistill.processes import barrier, first_process_first, process_rank
from facedistill.recipe import HELD_OUT, Recipe
from facedistill.recipe_file import read_recipe
from facedistill.recognition import (
    FaceWorkload,
    cache_teacher_targets,
    check_student,
    export_net,
    final_sweep,
    some_crops,
)
from facedistill.report import write_report
from facedistill.report.figures import CONTROL, STUDENT, TEACHER
from facedistill.runs import SUMMARY, read_summary, report_runs
from facedistill.teachers import OnnxTeacher, Teacher, TeacherCache, load_teacher, parts_of, teacher_of
from facedistill.teachers.checkpoint_teacher import CheckpointTeacher
from facedistill.training import BEST, train
from facedistill.training.loop import Embed
from facedistill.training.run_folder import RECIPE, open_run_folder, versions
from facedistill.training.setup import (
    ORL,
    TrainingFaces,
    build_task,
    check_names,
    open_training_faces,
)

REPORT = "report.html"
EXAMPLES = "examples"


def run(recipe: Recipe) -> dict[str, Any]:
    """Trains, exports and tests what a recipe describes; a finished run is only read.

    In a distributed run all processes call it together; the first one exports, tests and writes.

    Args:
        recipe: With distillation losses, its student is trained by the teacher, and beside it the control;
            with `hard` alone, a net is trained by labels.

    Returns:
        The summary that stands in `summary.json` (see `report.gather.FinishedRun`).

    Raises:
        FacedistillError: See `fit`, `open_cache`, `export_model`.
        UsageError: The recipe cannot work, or another process works in its folder; nothing was loaded.
    """
    check_names(recipe)
    teacher = teacher_of(recipe) if recipe.distils else None
    recipe = check_student(recipe, teacher)
    with nullcontext() if process_rank() else sole_writer(recipe.folder):
        return _finish(recipe, teacher)


def _finish(recipe: Recipe, teacher: Teacher | None) -> dict[str, Any]:
    """What of `run` is done in the run folder."""
    folder = open_run_folder(recipe)
    if (folder / SUMMARY).exists():
        if not (folder / REPORT).exists() and not process_rank():
            write_report(folder / REPORT, report_runs([folder]))
        return read_summary(folder)
    with first_process_first():  # synthetic people may have to be rendered
        faces = open_training_faces(recipe.data, recipe.student.input_size)
    seconds: dict[str, float] = {}
    nets = {STUDENT: recipe}
    stores: tuple[TeacherCache, ...] = ()
    if teacher is not None:
        started = time.perf_counter()
        with first_process_first():
            stores = cache_teacher_targets(teacher, recipe, faces, folder / TEACHER)
        seconds[TEACHER] = time.perf_counter() - started
        if recipe.control:
            nets[CONTROL] = recipe.control_recipe()
    lesson = FaceWorkload(faces, teacher, stores)
    files: dict[str, Path] = {}
    for name, net in nets.items():
        result = train(lesson, net, build_task(net, faces.train.classes))
        seconds[name] = result.seconds
        files[name] = folder / f"{name}.onnx"
        if not process_rank():
            export_net(net, faces, files[name], recipe.data.faces, faces.validation)
    if not process_rank():
        summary = _evaluate_models(recipe, faces, teacher, files, seconds)
        _write_examples(recipe, faces, folder)
        write_text(folder / SUMMARY, json.dumps(summary, indent=1) + "\n")
        write_report(folder / REPORT, report_runs([folder]))
    barrier()
    return read_summary(folder)


def export_run(folder: Path, out: Path, calibrate_on: str | None = None) -> float:
    """Writes a run's best net as a model file.

    Args:
        folder: The run folder; `RUN/control` is one too.
        out: The model file.
        calibrate_on: "orl" or a face set of people who were not trained on, to measure thresholds and probability on;
            None takes the run's validation people.

    Returns:
        The largest difference to torch's embeddings, see `export_model`.

    Raises:
        UsageError: The folder holds no run, or the set to calibrate on has other crops or was trained on.
    """
    if not (folder / RECIPE).exists() or not (folder / BEST).exists():
        raise UsageError(f"{folder} holds no trained run (no {RECIPE} or no {BEST}); give a run folder")
    recipe = replace(read_recipe(folder / RECIPE), out=str(folder))
    others = None if calibrate_on is None else _open_others(recipe, calibrate_on)
    faces = open_training_faces(recipe.data, recipe.student.input_size)
    return export_net(recipe, faces, out, calibrate_on or recipe.data.faces, others or faces.validation)


def _open_others(recipe: Recipe, name: str) -> FaceSet:
    """A face set to calibrate on that is not the one trained on."""
    if name == recipe.data.faces or Path(name).resolve() == Path(recipe.data.faces).resolve():
        raise UsageError(f"{name} holds the people that were trained on; leave calibrate_on out, or give other people")
    size = recipe.student.input_size
    faces = align_faces(load_orl(), size).faces if name == ORL else open_face_set(name)
    if faces.size != size:
        raise UsageError(
            f"the crops in {name} are {faces.size[0]}x{faces.size[1]}, but the net takes {size[0]}x{size[1]}; "
            "prepare the photos in that size"
        )
    return faces


def _evaluate_models(
    recipe: Recipe, faces: TrainingFaces, teacher: Teacher | None, files: Mapping[str, Path], seconds: dict[str, float]
) -> dict[str, Any]:
    """Tests every model on the same pictures and puts what it costs beside it."""
    embedders: dict[str, Embed] = {TEACHER: teacher.embed} if teacher else {}
    embedders |= {name: load_teacher(path).embed for name, path in files.items()}
    costed = {name: [path] for name, path in files.items()}
    if teacher is not None:
        costed[TEACHER] = _teacher_files(teacher, recipe, faces)
    times = latencies_ms({str(path): path for paths in costed.values() for path in paths})
    models: dict[str, dict[str, Any]] = {}
    for name, embed in embedders.items():
        started = time.perf_counter()
        models[name] = {
            "name": teacher.name if teacher and name == TEACHER else recipe.name,
            **asdict(total_cost(costed[name])),
            "latency_ms": sum(times[str(path)] for path in costed[name]),
            "sha256": _digest(costed[name]),
            "sweep": final_sweep(recipe, faces, embed),
        }
        seconds[f"testing the {name}"] = time.perf_counter() - started
    return {
        "name": recipe.name,
        "test": _tested_on(recipe, faces),
        "models": models,
        "settings": {
            "seed": recipe.seed,
            "split_seed": recipe.data.split_seed,
            "recipe": f"{recipe.folder / RECIPE}",
            "recipe_digest": recipe.digest,
            "versions": versions(),
            "train_identities": faces.train.classes,
            "train_pictures": len(faces.train),
            "steps": recipe.steps,
            "seconds": {name: round(taken, 1) for name, taken in seconds.items()},
        },
    }


def _teacher_files(teacher: Teacher, recipe: Recipe, faces: TrainingFaces) -> list[Path]:
    """Each teacher as an ONNX file, so that its cost is measured as the student's is."""
    paths = []
    for number, part in enumerate(parts_of(teacher), start=1):
        if isinstance(part, OnnxTeacher):
            paths.append(part.path)
            continue
        assert isinstance(part, CheckpointTeacher), "there are no other teachers"
        paths.append(recipe.folder / ("teacher.onnx" if number == 1 else f"teacher-{number}.onnx"))
        metadata = ModelMetadata(part.name, part.input_size, part.embedding_size)
        crops = np.stack([recrop(crop, part.input_size) for crop in some_crops(faces.train)])
        export_model(part.backbone, paths[-1], metadata, crops)
    return paths


def _digest(paths: Sequence[Path]) -> str:
    """SHA-256 of a file, or of the digests of several."""
    digests = [file_digest(path) for path in paths]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _write_examples(recipe: Recipe, faces: TrainingFaces, folder: Path) -> None:
    """Three photos of two people who were not trained on, to try `facedistill verify` with."""
    tested: FaceSet | None = load_orl() if recipe.test == ORL else faces.held_out
    if tested is None:
        return
    # ORL's own photos, where the faces come from there: an aligned crop is not what a camera gives.
    photos = {face.key: face.image for face in load_orl().faces} if ORL in (recipe.test, recipe.data.faces) else {}
    person = int(np.argmax(np.bincount(tested.labels) > 1))
    one, one_again = np.flatnonzero(tested.labels == person)[:2]
    another = np.flatnonzero(tested.labels != person)[0]
    for name, index in (("one", one), ("one_again", one_again), ("another", another)):
        face = tested[int(index)]
        picture = encode_picture(photos.get(face.key, face.image), ".png")
        write_bytes(folder / EXAMPLES / f"{name}.png", picture)


def _tested_on(recipe: Recipe, faces: TrainingFaces) -> dict[str, Any]:
    if recipe.test == HELD_OUT and faces.held_out is not None:
        return {
            "set": recipe.data.faces,
            "identities": faces.held_out.classes,
            "pictures": len(faces.held_out),
            "note": "people of the same set as the training people, none of them trained on",
        }
    people = pictures = None
    if not recipe.test.endswith(".bin"):  # whose pairs do not say whom they show
        tested = load_orl() if recipe.test == ORL else open_face_set(recipe.test)
        people, pictures = tested.classes, len(tested)
    note = "another set than the training set" if recipe.test != recipe.data.faces else "the training set itself"
    return {"set": recipe.test, "identities": people, "pictures": pictures, "note": note}
