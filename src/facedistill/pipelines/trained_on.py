"""Whether a run is tested or calibrated on pictures that it was trained on, by their content, whatever their names."""

import warnings
from pathlib import Path
from typing import Any

from facedistill.datasets import FaceSet
from facedistill.datasets.picture_hashes import PictureHashes, copied, hash_faces, hash_pictures
from facedistill.datasets.repeated_pictures import warn_of_contradictions
from facedistill.datasets.sources import ORL, parse_source
from facedistill.datasets.training_faces import TrainingFaces
from facedistill.errors import FacedistillWarning, UsageError
from facedistill.evaluation.sweep import readable
from facedistill.processes import process_rank
from facedistill.recipe import HELD_OUT, Recipe
from facedistill.training.run_folder import TRAINED_ON

_SYNTH = "synth"
_SHOWN = 3


def hash_training_faces(recipe: Recipe, faces: TrainingFaces, folder: Path) -> PictureHashes | None:
    """The hashes of the pictures to train on, written to the run folder by the first process.

    The whole set is looked at, so that the same picture under two people is told, also where they are not both trained
    on. Rendered people are no copies of each other, and are hashed where it is wanted.

    Returns:
        None of rendered people, and in other processes than the first.
    """
    if recipe.data.faces == _SYNTH or process_rank():
        return None
    if (folder / TRAINED_ON).exists():  # the run goes on, and has told what there was to tell
        return PictureHashes.read(folder / TRAINED_ON)
    hashes = hash_faces(faces.train.parent)
    warn_of_contradictions(recipe.data.faces, faces.train.parent, hashes)
    trained_on = hashes.of(faces.train.indices)
    trained_on.write(folder / TRAINED_ON)
    return trained_on


def describe_test_set(recipe: Recipe, faces: TrainingFaces, trained_on: PictureHashes | None) -> dict[str, Any]:
    """The test set for the summary: its name, people and pictures, and a note about what was trained on.

    Warns where pictures to test on were trained on.

    Args:
        recipe: Of the run.
        faces: Its faces.
        trained_on: As from `hash_training_faces`.
    """
    source = parse_source(recipe.test) if recipe.test != HELD_OUT else None
    name, note = recipe.test, "another set than the training set"
    stored: FaceSet | None = None  # of a list of pairs, which does not say whom it shows
    if source is None:
        name, note = recipe.data.faces, "people of the same set as the training people, none of them trained on"
        stored = faces.held_out
    elif source.kind != "bin":
        stored = source.as_stored()
    hashes = None
    if trained_on is not None:
        hashes = _hashes_to_test(recipe, stored)
    elif source is not None and source.kind == "face set":  # which may be one of rendered people
        trained_on, hashes = _hashes_of(faces), _hashes_to_test(recipe, stored)
    if hashes is not None and trained_on is not None and (found := len(copied(hashes, trained_on))):
        note = f"{found} of its {len(hashes)} pictures were trained on, so the figures are too good"
        warnings.warn(f"test: {name}: {note}; test on other people", FacedistillWarning, stacklevel=2)
    return {
        "set": name,
        "identities": None if stored is None else stored.classes,
        "pictures": None if stored is None else len(stored),
        "note": note,
    }


def refuse_trained_on(name: str, others: FaceSet, faces: TrainingFaces, folder: Path) -> None:
    """Refuses a set to calibrate on that holds pictures that were trained on, under whatever names.

    Args:
        name: The set's.
        others: The set.
        faces: Those of the run, for one that has no hashes in its folder.
        folder: The run's.

    Raises:
        UsageError: It does; the message names some of them.
    """
    recorded = [path / TRAINED_ON for path in (folder, folder.parent)]  # of RUN, and of RUN for RUN/control
    kept = [path for path in recorded if path.exists()]
    trained_on = PictureHashes.read(kept[0]) if kept else _hashes_of(faces)
    hashes = hash_faces(others)
    found = copied(hashes, trained_on)[:, 0]
    if len(found):
        examples = ", ".join(others[int(place)].key for place in hashes.places[found[:_SHOWN]])
        raise UsageError(
            f"{len(found)} of the {len(hashes)} pictures in {name} were trained on ({examples}"
            f"{', ...' if len(found) > _SHOWN else ''}), so thresholds measured on them would be too low; leave "
            "calibrate_on out, or give other people"
        )


def _hashes_to_test(recipe: Recipe, stored: FaceSet | None) -> PictureHashes:
    """Those of the pictures to test on, as the net is shown them."""
    if stored is None:
        pairs = parse_source(recipe.test).pairs()
        return hash_pictures(readable(pairs.image, len(pairs.pictures), recipe.test).values())
    if recipe.test == ORL:  # photos, whose crops may have been trained on
        return hash_faces(parse_source(recipe.test).open(recipe.student.input_size).faces)
    return hash_faces(stored)


def _hashes_of(faces: TrainingFaces) -> PictureHashes:
    """Those of the pictures to train on that are there from the beginning."""
    return hash_faces(faces.initial.train)
