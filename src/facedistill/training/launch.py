"""Many processes for one run: started here, or by torchrun; the first that fails reports for all.

Both ways give each process the same environment (torchrun's: RANK, WORLD_SIZE, ...), so there is one way to join.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from facedistill.checks import read_count
from facedistill.datasets.sources import parse_source
from facedistill.devices import choose_device
from facedistill.errors import AnotherFailedError, FacedistillError, UsageError
from facedistill.processes import barrier, process_count, process_rank
from facedistill.recipe import Recipe
from facedistill.training.stopping import stop_signals
from facedistill.workers import follow_lifeline, lifeline

# A collective may wait for days while one process runs the teacher; a process that is gone is noticed otherwise.
_PATIENCE = timedelta(days=30)
_GRACE = 30.0  # seconds for the others to notice that one has failed
_FAILED = "failed"


def must_launch(recipe: Recipe) -> bool:
    """Whether the recipe sets several processes and nobody has started them yet."""
    return recipe.devices * recipe.nodes > 1 and "RANK" not in os.environ


def launch(command: Sequence[str], recipe: Recipe) -> None:
    """Runs `command` once for each device of this machine and waits for the end; hands on what stops a training.

    Raises:
        UsageError: The recipe does not do for so many processes; nothing was started.
        AnotherFailedError: A process failed and has reported why.
        FacedistillError: A process was killed.
    """
    check_processes(recipe, recipe.devices * recipe.nodes)
    node, address, port = _place(recipe)
    # Held here, not by process 0, so that whoever fails can still say so.
    store = dist.TCPStore(address, port, is_master=node == 0, wait_for_workers=False, timeout=_PATIENCE)
    shared = {
        "MASTER_ADDR": address,
        "MASTER_PORT": str(store.port),
        "WORLD_SIZE": str(recipe.devices * recipe.nodes),
        "LOCAL_WORLD_SIZE": str(recipe.devices),
        "GROUP_RANK": str(node),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // recipe.devices))),
    }
    started: list[subprocess.Popen[bytes]] = []
    try:
        with lifeline() as (line, held), _signals_to(started):
            for local in range(recipe.devices):
                own = {"RANK": str(node * recipe.devices + local), "LOCAL_RANK": str(local)}
                # A session of its own: Ctrl-C on the terminal comes once, from here.
                environment = {**os.environ, **shared, **own, **line}
                started.append(subprocess.Popen(command, env=environment, start_new_session=True, pass_fds=[held]))
            codes = _ended(started)
    finally:
        _kill(started)
    _raise_failure(codes)


@contextmanager
def joined(recipe: Recipe) -> Iterator[None]:
    """Makes this process one of the run's where it was started as such; with a single process, does nothing.

    Raises:
        AnotherFailedError: Another process failed first.
        UsageError: The recipe does not do for so many processes.
    """
    if read_count("WORLD_SIZE", os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    follow_lifeline()
    store = _join(recipe)
    try:
        wanted = recipe.devices * recipe.nodes
        if wanted not in (1, process_count()):
            raise UsageError(
                f"recipe: devices x nodes is {wanted}, but {process_count()} processes were started; leave devices out"
            )
        check_processes(recipe, process_count())
        yield
        barrier()
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, FacedistillError) and not error.exit_code:  # the end of a slice, which all have reached
            if process_rank():
                raise AnotherFailedError(exit_code=0) from None
            raise
        if _lost_another(error) or not _fails_first(store):
            raise AnotherFailedError from None
        raise
    dist.destroy_process_group()


def check_processes(recipe: Recipe, count: int) -> None:
    """Refuses a recipe that `count` processes cannot share; reads no picture.

    Raises:
        UsageError: Names the field.
    """
    recipe.check()
    if recipe.batch_size % count:
        raise UsageError(
            f"recipe: batch_size is {recipe.batch_size}, which {count} processes cannot share evenly; "
            f"give a multiple of {count}"
        )
    device = choose_device(recipe.device)
    if device == "mps":
        raise UsageError("recipe: device is mps, of which a machine has one; leave devices out, or set device: cpu")
    if device == "cuda" and torch.cuda.device_count() < recipe.devices:
        raise UsageError(
            f"recipe: devices is {recipe.devices}, but this machine has {torch.cuda.device_count()} GPUs; give fewer"
        )
    people = parse_source(recipe.data.faces).people(recipe.data.synth)
    people -= recipe.data.held_out_identities + recipe.data.validation_identities
    if count > people:
        raise UsageError(
            f"recipe: devices x nodes is {count}, more processes than the {people} identities to train on; give fewer"
        )


def _place(recipe: Recipe) -> tuple[int, str, int]:
    """This machine's number, and where all meet; port 0 takes a free one."""
    if recipe.nodes == 1:
        return 0, "127.0.0.1", 0
    try:
        node, address, port = (os.environ[name] for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT"))
        place = read_count("NODE_RANK", node, 0, recipe.nodes - 1), address, read_count("MASTER_PORT", port, 1, 65535)
    except KeyError as error:
        raise UsageError(
            f"recipe: nodes is {recipe.nodes}; start the command on each machine with NODE_RANK=0..{recipe.nodes - 1} "
            "and with the address of the first and a free port of it in MASTER_ADDR and MASTER_PORT"
        ) from error
    return place


def _join(recipe: Recipe) -> dist.Store:
    backend = "gloo"
    if choose_device(recipe.device) == "cuda":
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(
            read_count("LOCAL_RANK", os.environ.get("LOCAL_RANK", "0"), 0)
        )  # a teacher is loaded before the training begins
    store, rank, count = next(iter(rendezvous("env://", timeout=_PATIENCE)))
    own = dist.PrefixStore("facedistill", store)
    dist.init_process_group(backend, store=own, rank=rank, world_size=count, timeout=_PATIENCE)
    return own


def _fails_first(store: dist.Store) -> bool:
    try:
        failures: int = store.add(_FAILED, 1)
    except RuntimeError:  # who holds the store is gone
        return False
    return failures == 1


def _lost_another(error: BaseException) -> bool:
    """Whether a collective failed because of another process; gloo has no type of its own for that."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


@contextmanager
def _signals_to(started: Sequence["subprocess.Popen[bytes]"]) -> Iterator[None]:
    """Hands Ctrl-C, SIGTERM and SIGHUP on: the processes stop by themselves, and can be waited for."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hand_on(number: int, _frame: object) -> None:
        for process in started:
            process.send_signal(number)

    former = {number: signal.signal(number, hand_on) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _ended(started: Sequence["subprocess.Popen[bytes]"]) -> Mapping[int, int]:
    """Process -> exit code, in the order of their ends; those that outlive a failure by far are not waited for."""
    codes: dict[int, int] = {}
    deadline = float("inf")
    while len(codes) < len(started) and time.monotonic() < deadline:
        for number, process in enumerate(started):
            code = process.poll()
            if code is not None and number not in codes:
                codes[number] = code
                if code:
                    deadline = min(deadline, time.monotonic() + _GRACE)
        time.sleep(0.05)
    return codes


def _kill(started: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _raise_failure(codes: Mapping[int, int]) -> None:
    failures = {number: code for number, code in codes.items() if code}
    for number, code in failures.items():
        if code < 0:
            raise FacedistillError(
                f"process {number} was killed by {signal.Signals(-code).name}, perhaps for want of memory; "
                "run again, it goes on from the last checkpoint"
            )
        if code != AnotherFailedError.exit_code:
            raise AnotherFailedError(code)
    if failures:
        raise FacedistillError("a process on another machine failed; its message stands there")
