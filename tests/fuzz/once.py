"""One reading in a process of its own: python -m tests.fuzz.once FOLDER READER; prints what is wrong."""

import sys
from pathlib import Path

from tests.fuzz.limits import attempt
from tests.fuzz.reader import load_reader

if __name__ == "__main__":
    folder, name = Path(sys.argv[1]), sys.argv[2]
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(attempt(load_reader(name), folder, size) or "")
