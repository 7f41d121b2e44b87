"""The state of the folder of a set that a command makes, and goes on making after a stop."""

import shutil
from pathlib import Path

from facedistill.errors import FacedistillError, UsageError


def is_finished(
    out: Path, settings: str, record: str, work: str, files: tuple[str, ...], made: str, differing: str, command: str
) -> bool:
    """Whether `out` holds the finished set of these settings.

    Args:
        out: The set's folder.
        settings: As they are recorded.
        record: Name of the file that records them: first of all in `work`, in the set when it is finished.
        work: Name of the folder of unfinished work.
        files: Names of the finished set's files.
        made: Pattern of what is worth keeping within `work`. Unfinished work of other settings without any is removed:
            a first call that failed does not stand in the way of a corrected one.
        differing: How a set of other settings was made, for the message: "rendered with other settings".
        command: What makes the set, for the message: "render".

    Raises:
        UsageError: `out` is no folder, or holds something else.
        FacedistillError: A file of the finished set is missing.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is no folder; give another name")
    if _differs(out / work / record, settings) and not (out / record).exists():
        if next((out / work).rglob(made), None) is not None:
            raise UsageError(
                f"{out} holds unfinished work and was {differing}; the call of before goes on with it; to start anew, "
                "give another folder, or delete it"
            )
        shutil.rmtree(out / work, ignore_errors=True)
        (out / work).mkdir(exist_ok=True)  # what is left beside it is of the same call
    if _differs(out / record, settings):
        raise UsageError(f"{out} was {differing}; give another folder, or delete it to start anew")
    if (out / record).exists():
        if lost := [name for name in files if not (out / name).exists()]:
            raise FacedistillError(f"{out} has lost its {lost[0]}; delete the folder and {command} it again")
        shutil.rmtree(out / work, ignore_errors=True)  # a kill may have come before it was removed
        return True
    if out.exists() and any(path.name != work for path in out.iterdir()) and not (out / work).exists():
        raise UsageError(f"{out} is not empty and was not made by this command; give another folder")
    return False


def _differs(recorded: Path, settings: str) -> bool:
    return recorded.exists() and recorded.read_text(encoding="utf-8") != settings
