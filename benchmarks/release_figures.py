"""The figures of a card: a model's errors on people who were kept out of training and on real ones, beside others'."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from facedistill.backbones import embed_crops, load_backbone
from facedistill.backbones.int8_weights import with_int8_weights
from facedistill.datasets import FaceSet
from facedistill.datasets.sources import parse_source
from facedistill.datasets.training_faces import TrainingFaces
from facedistill.evaluation import evaluate, sweep
from facedistill.evaluation.embedding import embed_at
from facedistill.evaluation.groups import evaluate_columns
from facedistill.evaluation.metrics import unit_rows
from facedistill.evaluation.probability import probabilities, reliability
from facedistill.evaluation.sweep import read_faces
from facedistill.evaluation.trials import picture_pairs
from facedistill.files import file_digest, write_text
from facedistill.model_file import MATCHED_PREFIX, NATIVE
from facedistill.pipelines.finished_run import labels_of
from facedistill.runtime import Recognizer
from facedistill.teachers import load_teacher
from facedistill.training import BEST
from facedistill.training.loop import Embed
from facedistill.variance import CROP_ROWS, matching

BESIDE = "dlib"  # whose figures stand beside those of every model
STANDARD, CAMERA, RELIABILITY = "standard", "camera", "reliability"

_KEPT = ("eer", "accuracy", "rank1", "fte", "ci")
_ROWS = (16, 8)  # at which probabilities are tested, beside native size
_RATE = "1e-2"

Cells = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """One evaluation of a candidate on real faces. The list of them only grows; nothing is chosen by it.

    Attributes:
        name: What the candidate is a candidate for.
        on: The test set.
        date: ISO 8601.
        weights: SHA-256 of the candidate's checkpoint.
        recipe: Digest of its recipe.
        figures: "standard" and "camera" -> cells of a sweep; "reliability", see `reliability_on`.
        calibration: On whom the candidate's probabilities were calibrated, which the reliability depends on.
        metadata: SHA-256 of what travels in the candidate's model file, thresholds among it; "" in looks from before.
    """

    name: str
    on: str
    date: str
    weights: str
    recipe: str
    figures: dict[str, Cells]
    calibration: str = ""
    metadata: str = ""


def looks_at(path: Path, name: str) -> list[Look]:
    """All looks by candidates for a name, the oldest first."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [look for look in (Look(**json.loads(line)) for line in lines) if look.name == name]


def look(path: Path, name: str, on: str, run: Path, recipe_digest: str, model: Recognizer) -> Look:
    """A candidate's figures on real faces: those of the look there was at the very same file, or of a new one.

    A new look is added to the list before anybody sees its figures.
    """
    weights, calibration = file_digest(run / BEST), model.metadata.calibration
    metadata = hashlib.sha256(json.dumps(model.metadata.to_map()).encode()).hexdigest()
    for former in looks_at(path, name):
        if (former.weights, former.on, former.metadata) == (weights, on, metadata):
            return former
    figures = real_figures(model.embed, on, model.metadata.crop_size)
    figures[RELIABILITY] = reliability_on(model, on)
    taken = Look(name, on, date.today().isoformat(), weights, recipe_digest, figures, calibration, metadata)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text(path, before + json.dumps(asdict(taken), sort_keys=True) + "\n")
    return taken


def real_figures(embed: Embed, on: str, size: tuple[int, int]) -> dict[str, Cells]:
    """The sweep over a test set, and the one in which probes are shown as a camera sees them.

    Args:
        embed: The net.
        on: The test set.
        size: (height, width) of the net's crops.
    """
    (standard,) = evaluate(embed, on, size).values()
    (camera,) = evaluate(embed, on, size, camera=True).values()
    return {STANDARD: kept(standard.to_json()), CAMERA: kept(camera.to_json()["camera"])}


def kept(cells: Mapping[str, Any]) -> Cells:
    """A sweep without what no card shows."""
    return {
        name: kept(cell) if name == "both" else {key: cell[key] for key in _KEPT if key in cell}
        for name, cell in cells.items()
    }


def reliability_on(model: Recognizer, on: str) -> Cells:
    """How well a model file's probabilities and thresholds hold on a test set, by condition.

    Returns:
        Condition -> "ece", the expected calibration error, and "fmr", the share of pairs of different people at or
        above the threshold that promises 1 in 100; None where the file has none.
    """
    source, size = parse_source(on, ("orl", "face set")), model.metadata.crop_size
    found, people = read_faces(source.open(size).faces if source.kind == "orl" else source.as_stored())
    mates = {rows: matching(CROP_ROWS, rows) for rows in _ROWS}
    rows = {*_ROWS, *(int(name) for names in mates.values() for name in names if name != NATIVE)}
    embeddings = embed_at(model.embed, [face.image for face in found.values()], sorted(rows))
    galleries = {
        f"{MATCHED_PREFIX}{rows}": (
            embeddings[str(rows)],
            unit_rows(np.mean([embeddings[name] for name in names], axis=0), "the mean embeddings"),
        )
        for rows, names in mates.items()
    }
    figures = {}
    for condition, (probes, gallery) in {NATIVE: (embeddings[NATIVE],) * 2, **galleries}.items():
        left, right, same = picture_pairs(people, ordered=probes is not gallery)
        scores = np.clip(probes @ gallery.T, -1.0, 1.0)[left, right]
        logistic = model.metadata.probability.get(condition)
        threshold = model.metadata.thresholds.get(condition, {}).get(_RATE)
        figures[condition] = {
            "ece": None if logistic is None else reliability(probabilities(logistic, scores), same).ece,
            "fmr": None if threshold is None else float(np.mean(scores[~same] >= threshold)),
        }
    return figures


def held_out_figures(nets: Mapping[str, Embed], faces: TrainingFaces) -> dict[str, Cells]:
    """The sweeps of several nets over the people who were kept out of training."""
    assert faces.held_out is not None, "a release needs people who were kept out"
    return {name: kept(sweep(embed, faces.held_out, failed=faces.failed).to_json()) for name, embed in nets.items()}


def group_figures(embed: Embed, faces: TrainingFaces) -> Cells:
    """Errors by group of the people who were kept out, at native size; empty where nothing is known of them."""
    assert faces.held_out is not None, "a release needs people who were kept out"
    columns = labels_of(faces.held_out.parent, faces.held_out.indices)
    return evaluate_columns(embed, faces.held_out, columns, ()).to_json() if columns else {}


def beside(control: Path | None) -> dict[str, Embed]:
    """The nets that stand beside every model: dlib's, and the control with int8 weights where there is one."""
    nets: dict[str, Embed] = {}
    if control is not None:
        net = with_int8_weights(load_backbone(control / BEST))
        nets["control"] = lambda crops: embed_crops(net, crops)
    return nets | {BESIDE: load_teacher(BESIDE).embed}


def pictures_of(faces: FaceSet) -> dict[str, int]:
    """How many people and pictures a set has."""
    return {"people": faces.classes, "pictures": len(faces)}
