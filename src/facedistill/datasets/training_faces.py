"""The faces of a training run, split by identity into training, validation and test."""

from dataclasses import dataclass
from typing import Protocol

from facedistill.datasets.sources import LABELLED, SynthSettings, parse_source
from facedistill.datasets.split import Subset, split_identities
from facedistill.errors import UsageError


class FaceSettings(Protocol):
    """Which faces to train on and whom to keep out; see `facedistill.recipe.DataRecipe`."""

    faces: str
    held_out_identities: int
    validation_identities: int
    split_seed: int
    stored_size: tuple[int, int] | None

    @property
    def synth(self) -> SynthSettings:
        """What `synth` renders."""


@dataclass(frozen=True)
class TrainingFaces:
    """Three groups of people without a common member.

    Attributes:
        train: Whom the net is trained on.
        validation: Whom checkpoints and thresholds are chosen on; None when nobody is kept for it.
        held_out: Whom the result is tested on; None when nobody is kept for it.
        failed: Pictures in which no face was found.
    """

    train: Subset
    validation: Subset | None
    held_out: Subset | None
    failed: int


def open_training_faces(settings: FaceSettings, size: tuple[int, int]) -> TrainingFaces:
    """Opens the faces to train on as crops of `size` (height, width), and splits them by identity.

    Raises:
        UsageError: The stored crops do not hold crops of `size`, or too few people are left to train on.
        FacedistillError: The set is damaged.
    """
    try:
        opened = parse_source(settings.faces, LABELLED).open(size, settings.synth, settings.stored_size)
    except UsageError as error:
        raise UsageError(f"recipe: data.faces: {error}") from error
    kept = settings.held_out_identities + settings.validation_identities
    left = opened.faces.classes - kept
    if left < 2:
        raise UsageError(
            f"{settings.faces} has {opened.faces.classes} people, of whom data.held_out_identities and "
            f"data.validation_identities keep {kept}; at least 2 must be left to train on"
        )
    held_out, validation, train = split_identities(
        opened.faces, (settings.held_out_identities, settings.validation_identities, left), seed=settings.split_seed
    )
    return TrainingFaces(train, validation or None, held_out or None, opened.failed)
