"""Which photos a call of `prepare` has seen, so that a later one finds those that changed, came, went or moved."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from facedistill.files import file_digest

_SHOWN = 3  # names of each kind of change


@dataclass(frozen=True)
class Photo:
    """A photo, as it was when it was looked at.

    Attributes:
        file: Its path below the folder of photos.
        size: Bytes; -1 where there was no file to read.
        changed: Time of its last change, in nanoseconds.
        sha256: Of its content; empty where it could not be read.
        reason: Why it gave no crop; None where it gave one.
    """

    file: str
    size: int = -1
    changed: int = 0
    sha256: str = ""
    reason: str | None = None

    @classmethod
    def at(cls, photos: Path, file: str) -> "Photo":
        """The file as it is now, its content aside."""
        try:
            state = (photos / file).stat()
        except OSError:  # a link that leads nowhere
            return cls(file)
        return cls(file, state.st_size, state.st_mtime_ns)

    def has_changed(self, photos: Path) -> bool:
        """Whether the file is another one now: by size and time, and by content where only the time differs."""
        now = Photo.at(photos, self.file)
        if now.size != self.size:
            return True
        return now.changed != self.changed and _digest(photos / self.file) != self.sha256

    def line(self) -> str:
        """A line of a log."""
        return json.dumps(astuple(self)) + "\n"


def read_photos(lines: Iterable[str]) -> dict[str, Photo]:
    """File -> photo, the last line of each; one cut off by a crash is dropped, and its photo is done again."""
    seen = {}
    for line in lines:
        try:
            photo = Photo(*json.loads(line))
        except (ValueError, TypeError):
            continue
        seen[photo.file] = photo
    return seen


def difference(photos: Path, files: Sequence[str], seen: dict[str, Photo]) -> str:
    """How the files of a folder differ from those that were seen, with counts and names; empty where they do not."""
    changed = [file for file in files if file in seen and seen[file].has_changed(photos)]
    gone = sorted(seen.keys() - set(files))
    new = [file for file in files if file not in seen]
    moved = []
    if gone and new:
        sizes = {seen[file].size for file in gone}
        by_content = {seen[file].sha256: file for file in gone if seen[file].sha256}
        for file in list(new):
            former = by_content.pop(_digest(photos / file), None) if Photo.at(photos, file).size in sizes else None
            if former is not None:
                new.remove(file)
                gone.remove(former)
                moved.append(f"{former} -> {file}")
    kinds = {"changed": changed, "new": new, "gone": gone, "renamed or moved": moved}
    return ", ".join(f"{len(names)} {kind} ({_shown(names)})" for kind, names in kinds.items() if names)


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _digest(path: Path) -> str:
    try:
        return file_digest(path) if path.is_file() else ""
    except OSError:
        return ""
