"""The child process: reads inputs one after the other, and writes down which one it is at before it reads it.

python -m tests.fuzz.worker STATE FOLDER SEED SECONDS FIRST READER...
"""

import json
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from facedistill.errors import FacedistillError
from tests.fuzz.limits import attempt, write_files
from tests.fuzz.mutation import parts_of
from tests.fuzz.reader import load_reader


def main(state: str, folder: str, seed: str, seconds: str, first: str, *names: str) -> None:
    readers = {name: load_reader(name) for name in names}
    chosen = {name: (reader, reader.goldens()) for name, reader in readers.items()}
    for reader, goldens in chosen.values():  # loads what loads late, so that no input is charged for it
        for parts in goldens:
            write_files(Path(folder), reader.assemble(parts))
            with suppress(FacedistillError):
                reader.read(Path(folder))
    end = time.monotonic() + float(seconds)
    with Path(state).open("wb", buffering=0) as at:
        for number in count(int(first)):
            for name, (reader, goldens) in chosen.items():
                if time.monotonic() > end:
                    return
                parts, done = parts_of(reader, goldens, name, int(seed), number)
                size = write_files(Path(folder), reader.assemble(parts))
                at.seek(0)
                at.write(f"{name} {number} ".encode().ljust(80))
                if wrong := attempt(reader, Path(folder), size):
                    print(json.dumps({"reader": name, "number": number, "what": wrong, "edits": done}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
