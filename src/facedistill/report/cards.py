"""Model cards: what a model was trained on, what it is for, and what it is not for."""

from collections.abc import Iterable, Mapping
from typing import Any

from facedistill.model_file import NATIVE, ModelMetadata
from facedistill.recipe import Recipe
from facedistill.report.figures import STUDENT, Card

_SETS = {"orl": "the ORL faces (AT&T Laboratories Cambridge)", "synth": "synthetic people"}


def model_card(
    recipe: Recipe, summary: Mapping[str, Any], role: str, metadata: ModelMetadata, file_digest: str
) -> Card:
    """The card of a trained model.

    Args:
        recipe: Of its run.
        summary: Of its run.
        role: "student" or "control".
        metadata: What travels in the model file.
        file_digest: SHA-256 of the model file.
    """
    settings, net = summary["settings"], recipe.student
    distilled = role == STUDENT and recipe.distils
    losses = " + ".join(f"{term.weight:g} {name}" for name, term in recipe.losses.items()) if distilled else "hard"
    people, pictures = settings.get("train_identities"), settings.get("train_pictures")
    count = "" if people is None else f": {people} people, {pictures} pictures"
    shown = ", ".join(step.name for step in recipe.variance) or "the pictures as they are"
    height, width = metadata.crop_size
    facts = {
        "net": f"{net.backbone}, width {net.width:g}{', squeeze-and-excitation' if net.se else ''}, {net.activation}",
        "input": f"aligned faces, {height}x{width} (height x width), uint8 RGB",
        "output": f"embedding of {metadata.embedding_size} numbers, unit length",
        "trained on": f"{_SETS.get(recipe.data.faces, recipe.data.faces)}{count}",
        "taught by": summary["models"]["teacher"]["name"] if distilled else "labels alone",
        "losses": losses,
        "shown with": shown,
        "training": f"{recipe.steps} steps of {recipe.batch_size} faces",
        "calibrated": metadata.calibration or "not known",
        "licence": metadata.licence or "not stated",
        "file SHA-256": file_digest,
        "faces SHA-256": metadata.data_digest,
        "recipe SHA-256": metadata.recipe_digest,
    }
    return Card(facts, list(_not_for(summary, metadata)), dict(metadata.thresholds))


def teacher_card(recipe: Recipe, measured: Mapping[str, Any], digest: str) -> Card:
    """The card of a teacher, whose training is not known here."""
    facts = {
        "net": measured["name"],
        "given as": ", ".join(teacher.spec for teacher in recipe.all_teachers),
        "trained on": "not known to this report; see its maker's own card",
        "licence": "its maker's terms; they may bind the student too",
        "SHA-256": digest,
    }
    return Card(facts, [], {})


def _not_for(summary: Mapping[str, Any], metadata: ModelMetadata) -> Iterable[str]:
    people, seen = summary["test"]["identities"], summary["test"]["set"]
    tested = f"{people} people of {seen}" if people is not None else f"the pairs of {seen}"
    yield f"Faces, cameras or light unlike those tested: the figures hold for {tested}."
    rates = metadata.thresholds.get(NATIVE, {})
    if rates:
        least = min(float(rate) for rate in rates)
        yield f"False match rates below {100 * least:g} %: the people it was calibrated on show no smaller one."
    else:
        yield "Saying yes or no by itself: it carries no thresholds."
    yield "Keeping impostors out alone: it does not notice a photo, a screen or a mask held before the camera."
    yield "Decisions about people that nobody checks, and recognising people without their knowledge."
    yield "Saying anything of a person's age, sex, origin, mood or character."
