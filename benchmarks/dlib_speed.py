"""How much faster is dlib's net as our ONNX file than in dlib itself, on this CPU?

Needs the extras `train` (the weights) and `dev` (dlib-bin): python benchmarks/dlib_speed.py --json dlib_speed.json
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import numpy as np
from rich.console import Console
from rich.table import Table

from facedistill.onnx_files import open_session
from facedistill.teachers.dlib_teacher import dlib_onnx, dlib_weights
from json_option import json_parser, write_json

BATCHES = (1, 16)
WORKER = "--worker"


def main() -> None:
    parser = json_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="timings per cell; the median is shown (default: 15)")
    parser.add_argument(WORKER, choices=("one", "default"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.worker:
        print(json.dumps(measure(options.rounds, one_thread=options.worker == "one")))
        return
    rows = [row for threads in ("one", "default") for row in _in_new_process(threads, options.rounds)]
    _show(rows)
    report = {"cores": os.cpu_count(), "onnxruntime": version("onnxruntime"), "rounds": options.rounds, "rows": rows}
    write_json(options, report)


def measure(rounds: int, one_thread: bool) -> list[dict[str, object]]:
    """Median milliseconds per face of both, measured in turn so that a busy moment hits both."""
    import dlib

    session = open_session(dlib_onnx(), "dlib's net", "delete it", threads=1 if one_thread else None)
    reference = dlib.face_recognition_model_v1(str(dlib_weights()))
    rows: list[dict[str, object]] = []
    for batch in BATCHES:
        chips = np.random.default_rng(0).integers(0, 256, (batch, 150, 150, 3), dtype=np.uint8)
        contenders: dict[str, Callable[[], object]] = {
            "onnx": partial(session.run, None, {"crops": chips}),
            "dlib": partial(reference.compute_face_descriptor, list(chips)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for run in range(rounds + 1):
            for name, call in contenders.items():
                start = time.perf_counter()
                call()
                if run:  # the first one warms up
                    seconds[name].append(time.perf_counter() - start)
        onnx_ms, dlib_ms = (1e3 * statistics.median(seconds[name]) / batch for name in ("onnx", "dlib"))
        rows.append(
            {
                "threads": 1 if one_thread else "default",
                "batch": batch,
                "dlib_ms_per_face": dlib_ms,
                "onnx_ms_per_face": onnx_ms,
                "times_faster": dlib_ms / onnx_ms,
            }
        )
    return rows


def _in_new_process(threads: str, rounds: int) -> list[dict[str, object]]:
    """BLAS libraries read the number of threads once, at start."""
    environment = dict(os.environ)
    if threads == "one":
        environment.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    done = subprocess.run(
        [sys.executable, __file__, WORKER, threads, "--rounds", str(rounds)],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


def _show(rows: list[dict[str, object]]) -> None:
    table = Table(title="dlib's face net, median ms per face")
    for heading in ("threads", "batch", "dlib-bin", "our ONNX", "times faster"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            str(row["threads"]),
            str(row["batch"]),
            f"{row['dlib_ms_per_face']:.2f}",
            f"{row['onnx_ms_per_face']:.2f}",
            f"{row['times_faster']:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
