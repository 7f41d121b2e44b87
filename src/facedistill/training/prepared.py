"""What is done to a task before its first step."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from facedistill.heads import ShardedHead
from facedistill.training.data import AugmentedFaces, collate
from facedistill.training.on_device import FacesOnDevice
from facedistill.training.synced_norm import synchronise_norms
from facedistill.training.task import Task

_ignore: Callable[[nn.Module, list[str]], None] = DistributedDataParallel._set_params_and_buffers_to_ignore_for_model


def shape_parameters(task: Task, augmented: AugmentedFaces | FacesOnDevice) -> None:
    """Gives the task one face, so that parameters that a first batch shapes exist before the optimiser."""
    if not task.shapes_parameters:
        return
    one = augmented.augmented if isinstance(augmented, FacesOnDevice) else augmented
    batch = collate([one[0, 0]])
    task.eval()  # nothing but shapes is learned of it
    with torch.no_grad():
        task(batch)
    task.train()


def prepare_to_share(task: Task, device: torch.device) -> None:
    """Makes of a task what DDP may wrap: its norms see all processes' faces, and centres are nobody else's."""
    synchronise_norms(task, device)
    if isinstance(task.head, ShardedHead):
        own = [f"head.{name}" for name in task.head.state_dict()]
        _ignore(task, own)
