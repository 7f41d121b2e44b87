"""Speed of rendering, detection and alignment: images per second with one and with two processes, and memory.

The rate by processor time is printed as well, as other work on the machine affects it less.

python benchmarks/synth.py --people 24 --images 12 --json synth.json
"""

import argparse
import json
import multiprocessing
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

import cv2

from facedistill.synth.image_formation import ImageFormation
from facedistill.synth.person import draw_person

_WARM_UP = 240  # pictures, after which the kernels are loaded and every hairstyle is in the cache


@dataclass(frozen=True)
class Measured:
    """Results of one process: seconds to the first picture, images per second and per processor second, peak GB."""

    first: float
    rate: float
    cpu_rate: float
    memory: float


def render(people: range, images: int, barrier: Barrier | None) -> Measured:
    """Renders `images` pictures of each person, and measures after the warm-up."""
    cv2.setNumThreads(0)
    started = time.perf_counter()
    image_formation = ImageFormation()
    image_formation.capture(draw_person(1, 0), 1, 0)
    first = time.perf_counter() - started
    for image in range(_WARM_UP):
        image_formation.capture(draw_person(1, image), 1, image)
    if barrier is not None:
        barrier.wait()
    started, busy = time.perf_counter(), time.process_time()
    for number in people:
        person = draw_person(2, number)
        for image in range(images):
            image_formation.capture(person, 2, image)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    count = len(people) * images
    return Measured(first, count / seconds, count / busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def _in_process(people: range, images: int) -> Measured:
    return render(people, images, _barrier)


_barrier: Barrier | None = None


def _meet(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def main() -> None:
    """Renders with one process, then with two, and prints both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    # One thread each, as in the processes that render a set; set before numpy's libraries are loaded there.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    context = multiprocessing.get_context("spawn")
    found = {}
    print(
        f"{'processes':>10}{'first picture, s':>18}{'images/s each':>15}{'images/s':>10}"
        f"{'images/CPU s':>14}{'peak GB a process':>19}"
    )
    for processes in (1, 2):
        barrier = context.Barrier(processes)
        with ProcessPoolExecutor(processes, context, initializer=_meet, initargs=(barrier,)) as pool:
            people = [range(k * options.people, (k + 1) * options.people) for k in range(processes)]
            results = list(pool.map(_in_process, people, [options.images] * processes))
        first, rate, memory = (
            max(r.first for r in results),
            sum(r.rate for r in results),
            max(r.memory for r in results),
        )
        cpu_rate = sum(r.cpu_rate for r in results) / processes
        found[processes] = {
            "first_picture_s": first,
            "images_per_second": rate,
            "images_per_cpu_second": cpu_rate,
            "peak_gb": memory,
        }
        print(f"{processes:10}{first:18.1f}{rate / processes:15.1f}{rate:10.1f}{cpu_rate:14.1f}{memory:19.2f}")
    factor = found[2]["images_per_second"] / found[1]["images_per_second"]
    print(f"two processes render {factor:.2f} times as fast as one")
    if options.json:
        content = {"people": options.people, "images": options.images, "processes": found, "factor": factor}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
