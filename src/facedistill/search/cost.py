"""What an untrained net would cost, measured once for each shape of net."""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from facedistill.errors import FacedistillError
from facedistill.export import file_cost, latencies_ms
from facedistill.files import write_text
from facedistill.training.task import Task

MEASURED = "costs.json"


def untrained_costs(task: Task, write: Callable[[Task, Path], None], folder: Path) -> Mapping[str, float]:
    """The costs of a net as it will be when trained: size_mb, latency_ms (one picture on one core), params and macs.

    Widths that round to the same channels give the same net, so what was measured is kept in `folder`/costs.json.
    """
    path = folder / MEASURED
    try:
        measured: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise FacedistillError(f"{path} is damaged; delete it, and the costs are measured again") from error
    shape = _shape(task)
    if shape not in measured:
        file = folder / "untrained.onnx"
        try:
            write(_as_if_trained(task), file)
            cost, times = file_cost(file), latencies_ms({"net": file})
            measured[shape] = {
                "size_mb": cost.size_mb,
                "latency_ms": times["net"],
                "params": cost.parameters,
                "macs": cost.macs,
            }
        finally:
            file.unlink(missing_ok=True)
        write_text(path, json.dumps(measured, indent=1) + "\n")
    return measured[shape]


def _as_if_trained(task: Task) -> Task:
    """A copy whose vectors differ: those of fresh norms are all alike, and an export keeps only one of equal ones."""
    copied = copy.deepcopy(task)
    random = torch.Generator().manual_seed(0)  # its own, so that the run's random numbers stay as they are
    with torch.no_grad():
        for values in copied.state_dict().values():
            if values.ndim == 1 and values.is_floating_point():
                values.uniform_(0.5, 1.5, generator=random)
    return copied


def _shape(task: Task) -> str:
    """SHA-256 over all that decides the cost: the shapes of the weights, and what is done with them."""
    spec = {name: value for name, value in task.backbone.spec.items() if name != "width"}
    shapes = [(name, list(value.shape)) for name, value in task.backbone.state_dict().items()]
    return hashlib.sha256(json.dumps([spec, shapes], sort_keys=True).encode()).hexdigest()
