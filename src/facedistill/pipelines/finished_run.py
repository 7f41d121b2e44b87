"""Finished runs, opened again: their summary, their model files and the pictures they were tested on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facedistill.datasets import Face, FaceList, FaceSet
from facedistill.datasets.folder import FolderFaces
from facedistill.datasets.growing import GrowingFaces
from facedistill.datasets.recordio_set import RecordFaces
from facedistill.datasets.recropped import RecroppedFaces
from facedistill.datasets.sources import TESTABLE, parse_source
from facedistill.datasets.training_faces import open_training_faces
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.labels import AUTO, Columns, find_labels, read_labels
from facedistill.evaluation.sweep import BOTH, readable
from facedistill.faces import recrop
from facedistill.files import file_digest
from facedistill.model_file import NATIVE
from facedistill.recipe import HELD_OUT, Recipe
from facedistill.recipe.files import read_recipe
from facedistill.report.figures import CONTROL, STUDENT, TEACHER, Report, Training
from facedistill.report.gather import FinishedRun, Net, gather
from facedistill.report.scores import TestImages, face_set_pictures, listed_pictures
from facedistill.report.tables import models_in
from facedistill.runtime import Recognizer
from facedistill.teachers import load_teachers
from facedistill.training.average import AVERAGED
from facedistill.training.log import METRICS, TIMING, read_lines
from facedistill.training.run_folder import RECIPE

SUMMARY = "summary.json"
_NO_CURVES = {"step", "kind", "learning_rate", AVERAGED, TIMING}


def report_runs(folders: Sequence[Path]) -> Report:
    """The figures of finished runs, measured on their model files and test pictures; nothing is trained.

    Raises:
        UsageError: A folder holds no finished run, or the runs cannot be compared.
        FacedistillError: A model file or a test set is damaged, or is not the one that the run tested.
    """
    resolved = [folder.resolve() for folder in folders]
    if twice := next((folder for folder in resolved if resolved.count(folder) > 1), None):
        raise UsageError(f"{twice} is given twice; name each run once")
    test_sets = _TestSets()
    return gather([_open(folder, test_sets) for folder in folders])


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of a finished run.

    Raises:
        FacedistillError: There is none, or it is damaged.
    """
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        if not isinstance(summary, dict):
            raise ValueError("it is no record")
        return summary
    except (OSError, ValueError, RecursionError) as error:
        raise FacedistillError(f"{folder / SUMMARY} cannot be read ({error}); delete it and run again") from error


class _TestSets:
    """Test sets, each opened once however many runs were tested on it."""

    def __init__(self) -> None:
        self._opened: dict[str, TestImages] = {}

    def of(self, recipe: Recipe) -> TestImages:
        key = repr((recipe.data if recipe.test == HELD_OUT else None, recipe.test, recipe.student.input_size))
        if key not in self._opened:
            self._opened[key] = _open_test_set(recipe)
        return self._opened[key]


def _open_test_set(recipe: Recipe) -> TestImages:
    """The pictures that a run was tested on, in crops of the student's size."""
    size = recipe.student.input_size
    if recipe.test == HELD_OUT:
        held_out = open_training_faces(recipe.data, size).held_out
        assert held_out is not None, "the recipe was checked"
        return face_set_pictures(held_out, labels_of(held_out.parent, held_out.indices))
    source = parse_source(recipe.test, TESTABLE)
    if source.kind == "orl":
        return face_set_pictures(source.open(size).faces)
    if source.kind == "bin":
        return _fitting(listed_pictures(source.pairs()), size)
    faces = source.as_stored()
    return _fitting(face_set_pictures(faces, labels_of(faces, np.arange(len(faces)))), size)


def labels_of(faces: FaceSet, places: NDArray[np.int64]) -> Columns:
    """The labels beside a face set, of some of its pictures; nothing where it has none."""
    if isinstance(faces, RecroppedFaces):
        faces = faces.source
    if not isinstance(faces, RecordFaces | FolderFaces | GrowingFaces):
        return {}
    try:
        path = find_labels(AUTO, faces.folder)
    except UsageError:
        return {}
    keys: dict[int, str] = {}
    if path.suffix == ".csv":  # whose rows name the pictures; reading all of them takes a while
        keys = readable(lambda index: faces[index].key, len(faces), str(faces.folder))
    columns = read_labels(path, {key: index for index, key in keys.items()}, faces.labels)
    return {name: [values[place] for place in places] for name, values in columns.items()}


def _fitting(pictures: TestImages, size: tuple[int, int]) -> TestImages:
    """The same pictures, cropped anew where they are of another crop convention."""
    if pictures.probes.size == size:
        return pictures

    def fit(side: FaceList) -> FaceList:
        return FaceList(Face(recrop(face.image, size), face.label, face.key) for face in side.faces)

    probes = fit(pictures.probes)
    return replace(pictures, probes=probes, gallery=probes if pictures.same is None else fit(pictures.gallery))


def _open(folder: Path, test_sets: _TestSets) -> FinishedRun:
    if not (folder / RECIPE).is_file():
        raise UsageError(f"{folder} holds no run (no {RECIPE}); give the folder that `facedistill distill` made")
    if not (folder / SUMMARY).is_file():
        raise UsageError(
            f"{folder} holds a run that is not finished (no {SUMMARY}); "
            f"go on with `facedistill distill --resume {folder}`"
        )
    recipe, summary = read_recipe(folder / RECIPE), read_summary(folder)
    _check_summary(folder, summary)
    nets = {
        role: _trained_net(folder / f"{role}.onnx", measured)
        for role, measured in summary["models"].items()
        if role != TEACHER
    }
    if TEACHER in summary["models"]:
        nets[TEACHER] = _teacher_net(recipe)
    training = [
        _training(role, path) for role, path in ((STUDENT, folder), (CONTROL, folder / CONTROL)) if role in nets
    ]
    terms = parse_source(recipe.data.faces if recipe.test == HELD_OUT else recipe.test).terms
    return FinishedRun(folder, recipe, summary, nets, test_sets.of(recipe), training, terms)


def _check_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Refuses a summary that lacks what every report shows."""
    try:
        models_in(summary)
        for model in summary["models"].values():
            model["name"], model["size_mb"], model["latency_ms"], model["sweep"][NATIVE]["ci"], model["sweep"][BOTH]
        summary["name"], summary["test"]["set"], summary["test"]["identities"], summary["settings"]["seed"]
    except (KeyError, TypeError, AttributeError) as error:
        raise FacedistillError(
            f"{folder / SUMMARY} is damaged (it lacks {error}); delete it and go on with `facedistill distill --resume`"
        ) from error


def _trained_net(path: Path, measured: Mapping[str, Any]) -> Net:
    model = Recognizer(path)
    digest = file_digest(path)
    if measured.get("sha256", digest) != digest:
        raise FacedistillError(
            f"{path} is not the file that was tested (its SHA-256 is another); export it again, or delete {SUMMARY} "
            "and go on with `facedistill distill --resume`"
        )
    return Net(model.embed, digest, model.metadata)


def _teacher_net(recipe: Recipe) -> Net:
    try:
        teacher = load_teachers(recipe.all_teachers, "auto")
    except FacedistillError as error:  # a run folder may have travelled without its teacher
        return Net(None, f"unknown: {recipe.all_teachers}", missing=str(error))
    return Net(teacher.embed, teacher.digest)


def _training(role: str, folder: Path) -> Training:
    losses: dict[str, list[list[float]]] = {}
    validation: dict[str, list[list[float]]] = {}
    for line in read_lines(folder / METRICS):
        if line["kind"] not in ("train", "validation"):
            continue
        curves = losses if line["kind"] == "train" else validation
        for name, value in line.items():
            if name not in _NO_CURVES:
                curves.setdefault(name, []).append([line["step"], value])
    return Training(role, losses, validation)
