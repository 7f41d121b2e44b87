"""What does a step of a head cost against the number of identities? Memory and CPU time; plain, sharded, sampled.

python benchmarks/heads.py --json heads.json
python benchmarks/heads.py --classes 1e4 1e5 1e6 3e6 --embedding-size 512 --batch 512

Each row is measured in a process of its own: the growth of its peak memory over what it took before the head was
made, and the CPU seconds of one step (forward, backward, SGD with momentum). Processes > 1 share the machine.
"""

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import time

import torch
import torch.distributed as dist

from facedistill.heads import Head, ShardedHead, build_head
from json_option import json_parser, write_json

KINDS = ("plain", "sharded", "sampled")
COLUMNS = ("head", "kind", "rate", "processes", "classes", "memory_mb", "cpu_ms")


def measure(options: argparse.Namespace) -> dict[str, object]:
    """One row of the table, by this process (and its peers)."""
    torch.set_num_threads(1)
    count = options.processes
    if count > 1:
        address = f"tcp://127.0.0.1:{options.port}"
        dist.init_process_group("gloo", address, rank=options.rank, world_size=count)
    torch.manual_seed(0)
    classes = int(options.classes[0])
    embedding = torch.randn(options.batch, options.embedding_size, requires_grad=True)
    labels = torch.randint(classes, (options.batch,))
    torch.autograd.backward(embedding.sum())  # so that what the first backward pass loads is not counted as the head's
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rate = options.rate if options.kind == "sampled" else 1.0
    head: Head | ShardedHead
    if options.kind == "plain":
        head = build_head(options.head, options.embedding_size, classes)
    else:
        head = ShardedHead(options.head, options.embedding_size, classes, rate=rate)
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9)
    seconds = []
    for _ in range(options.steps + 1):
        started = time.process_time()
        torch.autograd.backward(head.loss(embedding, labels))
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "head": options.head,
        "kind": options.kind,
        "rate": rate,
        "processes": count,
        "classes": classes,
        "memory_mb": round((peak - before) / 1024, 1),
        "cpu_ms": round(1000 * min(seconds[1:]), 1),  # the first step allocates
    }


def in_processes(options: argparse.Namespace, kind: str, classes: float, count: int) -> dict[str, object]:
    """Measures in new processes; the first one's row, with the greatest memory and time of all."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    same = ("head", "rate", "batch", "embedding_size", "steps")
    given = [part for name in same for part in (f"--{name.replace('_', '-')}", str(getattr(options, name)))]
    command = [sys.executable, __file__, "--measure", *given, "--classes", str(classes), "--kind", kind]
    command += ["--processes", str(count), "--port", str(port)]
    started = [
        subprocess.Popen([*command, "--rank", str(rank)], stdout=subprocess.PIPE, text=True) for rank in range(count)
    ]
    outputs = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"{kind} with {classes:g} classes failed; was there memory enough?")
    rows = [json.loads(text) for text in outputs]
    return {**rows[0], **{key: max(row[key] for row in rows) for key in ("memory_mb", "cpu_ms")}}


def main() -> None:
    """Measures every kind at every number of classes, prints the table and writes it."""
    parser = json_parser(__doc__)
    parser.add_argument("--head", default="arcface", help="any head (default: arcface)")
    parser.add_argument("--classes", type=float, nargs="+", default=[1e4, 1e5, 1e6], help="default: 1e4 1e5 1e6")
    parser.add_argument("--embedding-size", type=int, default=128, help="default: 128")
    parser.add_argument("--batch", type=int, default=64, help="faces of each process (default: 64)")
    parser.add_argument("--rate", type=float, default=0.1, help="of the sampled head (default: 0.1)")
    parser.add_argument("--processes", type=int, default=2, help="of the sharded head, beside 1 (default: 2)")
    parser.add_argument("--steps", type=int, default=3, help="the quickest is shown (default: 3)")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options)))
        return
    if min(options.steps, options.batch, options.processes) < 1 or min(options.classes) < options.processes:
        parser.error("--steps, --batch and --processes must be at least 1, --classes at least --processes")
    rows = []
    print("  ".join(f"{name:>9}" for name in COLUMNS))
    for classes in options.classes:
        cases = [("plain", 1), ("sharded", 1), ("sampled", 1)]
        cases += [("sharded", options.processes), ("sampled", options.processes)] if options.processes > 1 else []
        for kind, count in cases:
            rows.append(in_processes(options, kind, classes, count))
            print("  ".join(f"{rows[-1][name]!s:>9}" for name in COLUMNS), flush=True)
    report = {
        "embedding_size": options.embedding_size,
        "batch": options.batch,
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "rows": rows,
    }
    write_json(options, report)


if __name__ == "__main__":
    main()
