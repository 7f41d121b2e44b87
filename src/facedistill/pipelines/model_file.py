"""The model files of a run: written, calibrated, priced and tested."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facedistill.backbones import BACKBONES, embed_crops, load_backbone
from facedistill.backbones.int8_weights import with_int8_weights
from facedistill.datasets import FaceSet, open_face_set
from facedistill.datasets.training_faces import TrainingFaces
from facedistill.devices import choose_device
from facedistill.evaluation import calibrate, evaluate, sweep
from facedistill.evaluation.calibration import Camera, as_metadata
from facedistill.export import Proof, build_exporter
from facedistill.export.cost import write_closed
from facedistill.faces import recrop
from facedistill.files import cache_folder, file_digest
from facedistill.foreign import foreign_errors
from facedistill.model_file import ModelMetadata
from facedistill.printable import printable
from facedistill.recipe import HELD_OUT, Recipe
from facedistill.synth.pool import RenderSettings
from facedistill.teachers import OnnxTeacher, Teacher, parts_of
from facedistill.teachers.checkpoint_teacher import CheckpointTeacher
from facedistill.teachers.dlib_on_device import DlibOnDevice
from facedistill.training import BEST
from facedistill.training.loop import Embed

Weights = Literal["float32", "int8"]

POSED = "posed"
_NAMED = {POSED: "posed (rendered people who are alike, by two cameras)"}
_POSED_PEOPLE, _POSED_IMAGES, _POSED_SEED = 100, 5, 827_675
_PARITY_FACES = 64
_TARGETS: dict[Weights, str] = {"float32": "onnx", "int8": "onnx_int8"}


def write_model_file(
    recipe: Recipe,
    faces: TrainingFaces,
    out: Path,
    calibrated_on: str,
    others: FaceSet | None,
    weights: Weights = "float32",
    cameras: Sequence[Camera] = (),
) -> Proof:
    """Writes the model file of a run's best net.

    Args:
        recipe: The run's.
        faces: What it was trained on.
        out: The model file.
        calibrated_on: The name of the set that `others` are from.
        others: Whom to calibrate on, none of them trained on; None calibrates nothing.
        weights: `int8` stores the weights rounded to 8 bits, and calibrates on the embeddings that these give.
        cameras: As for `calibrate`.

    Returns:
        How far the file's embeddings are from torch's.
    """
    BACKBONES.find(recipe.student.backbone)  # of another package it is imported because the recipe names it
    backbone = load_backbone(recipe.folder / BEST)
    calibrated: dict[str, Any] = {}
    calibration = "not calibrated: the recipe keeps no people for validation"
    if others is not None:
        stored = with_int8_weights(backbone) if weights == "int8" else backbone
        embed = partial(embed_crops, stored.to(choose_device("auto")))
        calibrated = as_metadata(calibrate(embed, others, cameras=cameras))
        backbone.cpu()
        calibration = (
            f"on {len(others)} pictures of {others.classes} people of "
            f"{_NAMED.get(calibrated_on, printable(calibrated_on))} "
            "that were not trained on"
        )
    metadata = ModelMetadata(
        name=recipe.name,
        crop_size=recipe.student.input_size,
        embedding_size=backbone.embedding_size,
        **calibrated,
        calibration=calibration,
        data_digest=faces.train.digest,
        recipe_digest=recipe.digest,
        licence=recipe.licence,
        net=backbone.spec,
    )
    with foreign_errors(f"the export of {recipe.student.backbone} fails", recipe.student.backbone):
        exporter = build_exporter(_TARGETS[weights])
        return exporter.write(backbone, out, metadata, sample_crops(faces.validation or faces.initial.train))


def teacher_model_files(teacher: Teacher, folder: Path, faces: TrainingFaces) -> list[Path]:
    """Each teacher as an ONNX file, so that its cost is measured as the student's is."""
    paths = []
    for number, part in enumerate(parts_of(teacher), start=1):
        out = folder / ("teacher.onnx" if number == 1 else f"teacher-{number}.onnx")
        if isinstance(part, OnnxTeacher) and part.entry.free:
            paths.append(write_closed(part.path, part.entry.shape, out))
            continue
        if isinstance(part, OnnxTeacher | DlibOnDevice):
            paths.append(part.path)
            continue
        assert isinstance(part, CheckpointTeacher), "there are no other teachers"
        paths.append(out)
        metadata = ModelMetadata(part.name, part.input_size, part.embedding_size)
        crops = np.stack([recrop(crop, part.input_size) for crop in sample_crops(faces.initial.train)])
        build_exporter("onnx").write(load_backbone(part.path), paths[-1], metadata, crops)
    return paths


def model_digest(paths: Sequence[Path]) -> str:
    """SHA-256 of a model file, or of the digests of several."""
    digests = [file_digest(path) for path in paths]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def sample_crops(faces: FaceSet) -> NDArray[np.uint8]:
    """Enough crops of a set to compare an exported net with the trained one: uint8 [B, H, W, 3]."""
    return np.stack([faces[i].image for i in range(min(_PARITY_FACES, len(faces)))])


def sweep_test_set(recipe: Recipe, faces: TrainingFaces, embed: Embed) -> dict[str, Any]:
    """The sweep of a net over the recipe's test set."""
    if recipe.test == HELD_OUT:
        assert faces.held_out is not None, "the recipe was checked"
        return sweep(embed, faces.held_out, failed=faces.failed).to_json()
    (result,) = evaluate(embed, recipe.test, recipe.student.input_size).values()
    return result.to_json()


def posed_people(size: tuple[int, int]) -> FaceSet:
    """People who are hard to tell apart, rendered when first needed and kept in the cache folder."""
    from facedistill.synth.dataset import write_synthetic  # compiles kernels: only when needed

    settings = RenderSettings(_POSED_IMAGES, _POSED_SEED, size, same_day=True, posed=True)
    folder = cache_folder() / settings.folder_name(_POSED_PEOPLE)
    write_synthetic(folder, _POSED_PEOPLE, _POSED_IMAGES, _POSED_SEED, size, same_day=True, posed=True)
    return open_face_set(folder)
