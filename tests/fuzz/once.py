"""Readings in one process: python -m tests.fuzz.once READER FOLDER [READER FOLDER...]; prints what is wrong."""

import sys
from pathlib import Path

from tests.fuzz.limits import attempt
from tests.fuzz.reader import load_reader


def main(*words: str) -> None:
    for name, place in zip(words[::2], words[1::2], strict=True):
        folder = Path(place)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if wrong := attempt(load_reader(name), folder, size):
            print(f"{name} {folder.name}: {wrong}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
