"""Work spread over processes: results in order, and a clean end after Ctrl-C or a killed process."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

import cv2

from facedistill.errors import FacedistillError

J = TypeVar("J")
R = TypeVar("R")

# The processes are the parallelism; threads inside them only fight over the cores.
_LIFELINE = "FACEDISTILL_LIFELINE"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def in_processes(
    work: Callable[[J], R], jobs: Sequence[J], start: Callable[[], None], workers: int | None, chunk: int = 1
) -> Generator[R]:
    """Yields `work(job)` for each job, in order; close it to stop early.

    Args:
        work: A module's function; what it keeps between jobs is made by `start`.
        jobs: What it is called with.
        start: Called once in each process before its first job.
        workers: Processes; None takes one per core. One works in this process.
        chunk: Jobs handed over at once.

    Raises:
        FacedistillError: A process was killed.
    """
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    if workers <= 1:
        start()
        yield from map(work, jobs)
        return
    # Spawned, not forked: onnxruntime's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with _environment(_ONE_THREAD):
        pool = ProcessPoolExecutor(workers, context, initializer=_start_process, initargs=(start,))
        try:
            yield from pool.map(work, jobs, chunksize=chunk)
        except BrokenProcessPool as error:
            raise FacedistillError(
                "a worker process was killed, perhaps for want of memory; run again with fewer --workers, it goes on"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _start_process(start: Callable[[], None]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    end_with_parent()
    cv2.setNumThreads(0)
    start()


def end_with_parent() -> None:
    """Ends this process, which `multiprocessing` started, as soon as its parent has ended, however that was.

    Else it would wait for jobs for ever, and hold what it has inherited, such as the lock of a folder.
    """
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "the process was started by another one"
    parent.join()
    os._exit(1)


@contextmanager
def lifeline() -> Iterator[tuple[dict[str, str], int]]:
    """For processes that are started by `subprocess`, and call `follow_lifeline`, to end with this one.

    Yields the variables that they need, and the descriptor to pass on.
    """
    held, own = os.pipe()  # `own` is inherited by nobody, so it is closed when this process ends
    try:
        yield {_LIFELINE: str(held)}, held
    finally:
        os.close(held)
        os.close(own)


def follow_lifeline() -> None:
    """Ends this process as soon as the one has ended that has started it within `lifeline`; else does nothing."""
    held = os.environ.pop(_LIFELINE, None)
    if held is not None:
        os.set_inheritable(int(held), False)
        threading.Thread(target=_wait_for_end, args=(int(held),), daemon=True).start()


def _wait_for_end(held: int) -> None:
    while os.read(held, 1):
        pass
    os._exit(1)


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    """Variables for processes that are started inside."""
    former = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
