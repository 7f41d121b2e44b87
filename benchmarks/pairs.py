"""How long do all pairs of many embeddings take to score and count? Wall-clock and CPU seconds, memory and figures.

python benchmarks/pairs.py --pairs 1e8 --json pairs.json
"""

import os
import resource
import time

import numpy as np

from facedistill.evaluation import VerificationMetric, score_all_pairs
from json_option import json_parser, write_json

PICTURES_PER_PERSON = 10
NOISE = 2.3  # standard deviation in a picture against that between people; at 512-D some pairs are confused


def main() -> None:
    """Draws embeddings, scores every two of them, prints and writes what it took."""
    parser = json_parser(__doc__)
    parser.add_argument("--pairs", type=float, default=1e8, help="at least so many (default: 1e8)")
    parser.add_argument("--size", type=int, default=512, help="of an embedding (default: 512)")
    parser.add_argument("--threads", type=int, default=None, help="default: one per core")
    parser.add_argument("--rounds", type=int, default=3, help="the quickest is shown (default: 3)")
    options = parser.parse_args()
    if options.rounds < 1 or options.pairs < 100:
        parser.error("--rounds must be at least 1 and --pairs at least 100")
    pictures = int(np.ceil((1 + np.sqrt(1 + 8 * options.pairs)) / 2))
    random = np.random.default_rng(0)
    people = np.arange(pictures) // PICTURES_PER_PERSON
    centres = random.standard_normal((people[-1] + 1, options.size), dtype=np.float32)
    embeddings = centres[people] + np.float32(NOISE) * random.standard_normal(
        (pictures, options.size), dtype=np.float32
    )
    runs = []
    for _ in range(options.rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        figures = score_all_pairs(embeddings, people, VerificationMetric(), options.threads).compute()
        runs.append((time.perf_counter() - wall, time.process_time() - cpu))
    best = min(runs)
    report = {
        "pairs": figures.genuine + figures.impostors,
        "embedding_size": options.size,
        "cores": os.cpu_count(),
        "seconds": round(best[0], 2),
        "cpu_seconds": round(min(cpu for _, cpu in runs), 2),
        "rounds": [{"seconds": round(wall, 2), "cpu_seconds": round(cpu, 2)} for wall, cpu in runs],
        "embeddings_mb": round(embeddings.nbytes / 1e6, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1),
        "eer": figures.eer,
        "eer_error_bound": figures.error_bound.eer,
        "tar_at_far": {f"{far:g}": tar for far, tar in figures.tar_at_far.items()},
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }
    for name, value in report.items():
        print(f"{name:18}{value}")
    write_json(options, report)


if __name__ == "__main__":
    main()
