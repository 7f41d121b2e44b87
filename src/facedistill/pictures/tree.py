"""The files of a tree of pictures, and what in it is left out, with the reason."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from facedistill.errors import FacedistillError
from facedistill.pictures.decoding import check_picture
from facedistill.pictures.unreadable import UnreadablePicture

# Folders and files that systems make among pictures: of Synology, QNAP, macOS, Windows, NetApp.
_SYSTEM_FOLDERS = {
    *("@eadir", "@tmp", "@sharebin", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "~snapshot"),
    *("__macosx", "network trash folder", "temporary items", "lost+found"),
    *("$recycle.bin", "system volume information"),
}
_SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is not looked at.

    Attributes:
        path: Below the root, with "/" between names; a folder's ends with one.
        reason: "KIND: what to do".
    """

    path: str
    reason: str

    @property
    def kind(self) -> str:
        """See `reason_kind`."""
        return reason_kind(self.reason)


@dataclass(frozen=True)
class PictureTree:
    """What is in a folder tree.

    Attributes:
        files: Paths of all files below the root, with "/" between names; sorted. Pictures or not: nothing was opened.
        left_out: What is not among them; sorted.
    """

    files: list[str]
    left_out: list[LeftOut]


def reason_kind(reason: str) -> str:
    """The word or two by which a reason is counted: what stands before a colon or a bracket."""
    return reason.partition(": ")[0].partition(" (")[0]


def counted(left_out: Iterable[LeftOut]) -> str:
    """Kinds with their numbers and an example of each: "2 HEIC (ann/1.heic: convert it to JPEG)"."""
    left_out = list(left_out)
    first = {each.kind: each for each in reversed(left_out)}
    numbers = sorted(Counter(each.kind for each in left_out).items())
    return ", ".join(
        f"{number} {kind} ({first[kind].path}: {first[kind].reason.partition(': ')[2]})" for kind, number in numbers
    )


def walk_pictures(root: Path) -> PictureTree:
    """Lists a folder tree. Links are followed; a folder that can be reached in several ways is listed once.

    Left out are what is hidden (a name that begins with a dot), what systems keep among pictures, and links to folders
    that are listed already or hold the root.

    Raises:
        FacedistillError: A folder cannot be read.
    """
    files: list[str] = []
    left_out: list[LeftOut] = []
    top = Path(os.path.realpath(root))
    seen: set[Path] = set()
    links: list[str] = []
    pending = [""]
    while pending or links:
        name = pending.pop() if pending else links.pop(0)  # links last, so that a folder is listed at its own place
        real = Path(os.path.realpath(root / name))
        if real in seen or (name and top.is_relative_to(real)):
            left_out.append(LeftOut(f"{name}/", "link to a folder: that is read at its own place"))
            continue
        seen.add(real)
        for entry in _entries(root / name):
            path = f"{name}/{entry.name}" if name else entry.name
            folder = entry.is_dir()
            if reason := _reason(Path(entry.path), folder):
                left_out.append(LeftOut(path + "/" * folder, reason))
            elif not folder:
                files.append(path)
            elif entry.is_symlink():
                links.append(path)
            else:
                pending.append(path)
        links.sort()
    return PictureTree(sorted(files), sorted(left_out, key=lambda each: each.path))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise FacedistillError(f"cannot read {folder}: {error.strerror or error}; check the folder's rights") from error


def _reason(path: Path, folder: bool) -> str:
    """Why a file or folder is left out; empty where it is not."""
    name = path.name.lower()
    if folder and (name.startswith(".") or name in _SYSTEM_FOLDERS):
        count = sum(len(names) for _, _, names in os.walk(path))
        kind = "hidden folder" if name.startswith(".") else "folder of the system"
        return f"{kind}: {count} files in it were not looked at; give it another name to have them read"
    if name.startswith("."):
        try:
            check_picture(path)
        except UnreadablePicture:
            return "hidden file: it is no picture"
        return "hidden picture: its name begins with a dot; give it another name to have it read"
    return "file of the system: it holds no photo" if name in _SYSTEM_FILES and not folder else ""
