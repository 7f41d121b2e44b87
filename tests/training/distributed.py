"""Runs the tests' work in real gloo processes, joined as the command line joins them."""

import os
import socket

import torch
import torch.multiprocessing as mp

from facedistill.training.launch import joined


def _process(rank, count, port, recipe, work, arguments):
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    with joined(recipe):
        work(rank, count, *arguments)


def in_processes(count, recipe, work, *arguments):
    """Calls `work(rank, count, *arguments)` in `count` processes; raises what one of them raises."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(_process, (count, port, recipe, work, arguments), nprocs=count)
