"""The faces of a training run, split by identity into training, validation and test."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from facedistill.datasets.damaged import readable_part
from facedistill.datasets.face import Damage
from facedistill.datasets.growing import GrowingFaces, GrowingPeople
from facedistill.datasets.recropped import RecroppedFaces
from facedistill.datasets.rendered import SynthSettings
from facedistill.datasets.sources import LABELLED, parse_source
from facedistill.datasets.split import Subset, split_identities
from facedistill.errors import UsageError
from facedistill.progress import track
from facedistill.synth.renderers import Renderers


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
        growing: Who of `train` is drawn from, where people are rendered while training goes on; else None.
        damage: The pictures that `readable` has left out.
    """

    train: Subset
    validation: Subset | None
    held_out: Subset | None
    failed: int
    growing: GrowingPeople | None = None
    damage: tuple[Damage, ...] = ()

    def readable(self) -> "TrainingFaces":
        """Without those to train on and to validate on whose picture cannot be read; they are listed in `damage`.

        Those kept out for the test stay: a test counts them as failures.

        Raises:
            UsageError: Fewer than two people are left to train on, or nobody to validate on.
        """
        train, damage = readable_part(self.train)
        validation = self.validation
        if validation is not None:
            validation, more = readable_part(validation)
            damage += more
        if not damage:
            return self
        if train.classes < 2 or (validation is not None and not validation):
            raise UsageError(
                f"{len(damage)} pictures cannot be read, which leaves too few people; the first: {damage[0].reason}"
            )
        return replace(self, train=train, validation=validation, damage=damage)

    @property
    def initial(self) -> "TrainingFaces":
        """The same groups with those to train on who are there from the beginning; no more of them come."""
        if self.growing is None:
            return self
        first = np.arange(self.growing.faces(0))
        return replace(self, train=Subset(self.train.parent, self.train.indices[first]), growing=None)

    def close(self) -> None:
        """Ends what renders people in the background."""
        if self.growing is not None:
            self.growing.close()


def open_training_faces(settings: FaceSettings, size: tuple[int, int]) -> TrainingFaces:
    """Opens the faces to train on as crops of `size` (height, width), and splits them by identity.

    Where the people of `synth` are rendered while training goes on, those who are kept out and those to begin with are
    rendered first.

    Raises:
        UsageError: The stored crops do not hold crops of `size`, or too few people are left to train on.
        FacedistillError: The set is damaged, or people cannot be rendered.
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
    faces = TrainingFaces(train, validation or None, held_out or None, opened.failed)
    stored = opened.faces.source if isinstance(opened.faces, RecroppedFaces) else opened.faces
    synth = settings.synth
    if not isinstance(stored, GrowingFaces) or synth.start is None:
        return faces
    kept_out = np.unique(stored.labels[np.concatenate([validation.indices, held_out.indices])]).tolist()
    renderers = Renderers(stored.folder, stored.settings, stored.classes, kept_out)
    first = kept + min(synth.start, train.classes)
    for _ in track(map(renderers.wait, range(1, first + 1)), "rendering people", first):
        pass
    growing = GrowingPeople(synth.start, train.classes, synth.images, synth.growth, renderers, kept)
    return replace(faces, growing=growing)
