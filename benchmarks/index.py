"""What does it take to open a face set of ten million records? CPU seconds and memory of each step on the way.

python benchmarks/index.py --json index.json
python benchmarks/index.py --records 17e6 --people 360e3

The set is in the field's format, with pictures of four bytes, so that only what grows with the number of records is
measured. Each row is measured in a process of its own: memory is the growth of its peak over what the imports took,
`own` without the pages of mapped files, which the system may drop and processes share.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np

from facedistill.datasets import Subset, open_face_set, split_identities
from facedistill.training.sampling import BalancedBatches, ShuffledBatches
from json_option import json_parser, write_json

_RECORD = np.dtype(
    [("magic", "<u4"), ("length", "<u4"), ("flag", "<u4"), ("label", "<f4"), ("ids", "<u8", 2), ("picture", "<u4")]
)
_HEADER_BYTES = 40
_MAGIC = 0xCED7230A
_AT_ONCE = 1 << 18


def write_set(folder: Path, records: int, people: int) -> None:
    """Each person's records stand together, as in the field's sets."""
    folder.mkdir()
    header = np.array([_MAGIC, 32, 2, 0, 0, 0, 0, 0], "<u4").tobytes() + np.full(2, records + 1, "<f4").tobytes()
    with (folder / "train.rec").open("wb") as file, (folder / "train.idx").open("w", encoding="ascii") as index:
        file.write(header)
        index.write("0\t0\n")
        for start in range(0, records, _AT_ONCE):
            numbers = np.arange(start, min(start + _AT_ONCE, records))
            block = np.zeros(len(numbers), _RECORD)
            block["magic"], block["length"] = _MAGIC, _RECORD.itemsize - 8
            block["label"] = numbers * people // records
            file.write(block.tobytes())
            index.writelines(f"{n + 1}\t{_HEADER_BYTES + n * _RECORD.itemsize}\n" for n in numbers.tolist())
    (folder / "property").write_text(f"{people},112,96\n", encoding="ascii")


def opened(folder: Path) -> None:
    """Opens the set; the first time parses the index."""
    open_face_set(folder)


def with_labels(folder: Path) -> None:
    """Reads the labels; the first time, from the records' headers."""
    _ = open_face_set(folder).labels


def parted(folder: Path) -> Subset:
    """Keeps 1000 people out, as a recipe does."""
    faces = open_face_set(folder)
    rest = split_identities(faces, (1000, faces.classes - 1000), seed=0)[1]
    _ = rest.labels
    return rest


def shuffled(folder: Path) -> None:
    """Draws 1000 batches of 512."""
    list(islice(ShuffledBatches(len(open_face_set(folder)), 512, 0, 1000, seed=0), 1000))


def balanced(folder: Path) -> None:
    """Draws 1000 balanced batches of 512."""
    list(islice(BalancedBatches(open_face_set(folder).labels, 512, 0, 1000, seed=0), 1000))


STEPS: dict[str, Callable[[Path], object]] = {
    "open, first time": opened,
    "open": opened,
    "labels, first time": with_labels,
    "labels": with_labels,
    "part the people": parted,
    "shuffled batches": shuffled,
    "balanced batches": balanced,
}


def measure(step: str, folder: Path) -> dict[str, object]:
    """One row, by this process."""
    before, own_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, _own_memory()
    started = time.process_time()
    kept = STEPS[step](folder)
    seconds = time.process_time() - started
    own = _own_memory() - own_before
    del kept
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"step": step, "cpu_s": round(seconds, 2), "peak_mb": round(peak / 1024), "own_after_mb": round(own / 1024)}


def _own_memory() -> int:
    """KiB that no file backs (Linux)."""
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) if found else 0


def main() -> None:
    """Writes the set to a temporary folder, measures, prints the table."""
    parser = json_parser(__doc__)
    parser.add_argument("--records", type=float, default=1e7)
    parser.add_argument("--people", type=float, default=2e5)
    parser.add_argument("--measure", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], Path(options.measure[1]))))
        return
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "set"
        write_set(folder, int(options.records), int(options.people))
        text, binary = ((folder / name).stat().st_size for name in ("train.idx", "train.rec"))
        print(f"{options.records:.3g} records: train.idx {text / 1e6:.0f} MB, train.rec {binary / 1e6:.0f} MB")
        cache = {"FACEDISTILL_CACHE": str(Path(temporary) / "cache"), "OMP_NUM_THREADS": "1"}
        for step in STEPS:
            command = [sys.executable, __file__, "--measure", step, str(folder)]
            done = subprocess.run(command, env=cache, capture_output=True, text=True, check=True)
            rows.append(json.loads(done.stdout))
            print("{step:20} {cpu_s:7.2f} s CPU, peak {peak_mb:5d} MB, kept {own_after_mb:5d} MB".format(**rows[-1]))
    write_json(options, {"records": options.records, "rows": rows})


if __name__ == "__main__":
    main()
