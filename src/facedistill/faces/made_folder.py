"""The state of the folder of a set that a command makes, and goes on making after a stop."""

from pathlib import Path

from facedistill.errors import FacedistillError, UsageError


def is_finished(
    out: Path, settings: str, record: str, work: str, files: tuple[str, ...], differing: str, command: str
) -> bool:
    """Whether `out` holds the finished set of these settings.

    Args:
        out: The set's folder.
        settings: As they are recorded.
        record: Name of the file that records them: first of all in `work`, in the set when it is finished.
        work: Name of the folder of unfinished work.
        files: Names of the finished set's files.
        differing: How a set of other settings was made, for the message: "rendered with other settings".
        command: What makes the set, for the message: "render".

    Raises:
        UsageError: `out` is no folder, or holds something else.
        FacedistillError: A file of the finished set is missing.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is no folder; give another name")
    for recorded in (out / record, out / work / record):
        if recorded.exists() and recorded.read_text(encoding="utf-8") != settings:
            raise UsageError(f"{out} was {differing}; give another folder, or delete it")
    if (out / record).exists():
        if lost := [name for name in files if not (out / name).exists()]:
            raise FacedistillError(f"{out} has lost its {lost[0]}; delete the folder and {command} it again")
        return True
    if out.exists() and any(path.name != work for path in out.iterdir()) and not (out / work).exists():
        raise UsageError(f"{out} is not empty and was not made by this command; give another folder")
    return False
