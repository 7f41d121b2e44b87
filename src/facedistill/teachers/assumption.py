"""What the trial of a foreign net's preprocessing means: in words, as a warning, or as a refusal."""

import warnings

from facedistill.errors import FacedistillWarning, UsageError
from facedistill.teachers.trial import PEOPLE, PER_PERSON, Trial

_ON = f"{PEOPLE * PER_PERSON} pictures of {PEOPLE} rendered people"


def judge(what: str, trial: Trial, stated: bool) -> str:
    """The trial in words; warns where the net tells nobody apart, or where another preprocessing is clearly better.

    Args:
        what: Names the net in messages.
        trial: See `try_pixels`.
        stated: Whether the caller chose the preprocessing.

    Raises:
        UsageError: Another one is clearly better, and the caller chose none.
    """
    assumed = trial.assumed
    if trial.useless:
        warnings.warn(
            f"{what} tells nobody apart: its equal error rate on {_ON} is {_percent(trial.best.eer)} at best, whatever "
            "of the usual preprocessing it gets; it is no face embedder, or needs --mean, --std, --channels, --size, "
            "--layout or --output as its publisher states them",
            FacedistillWarning,
            stacklevel=2,
        )
    elif trial.better is not None:
        message = (
            f"{what}: with {assumed.pixels} its equal error rate on {_ON} is {_percent(assumed.eer)}, with "
            f"{trial.better.pixels} {_percent(trial.better.eer)}; give {trial.better.pixels.options}"
        )
        if not stated:
            raise UsageError(f"{message}, or others as its publisher states them")
        warnings.warn(message, FacedistillWarning, stacklevel=2)
    return f"equal error rate {_percent(assumed.eer)} on {_ON}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.0f} %"
