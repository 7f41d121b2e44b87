"""A device out of memory: which batch size would fit, found by trying."""

import gc

import torch

from facedistill.errors import FacedistillError
from facedistill.processes import process_count
from facedistill.recipe import HARD, Recipe
from facedistill.training.data import AugmentedFaces
from facedistill.training.device import make_fabric
from facedistill.training.on_device import FacesOnDevice, faces_for, first_batch
from facedistill.training.optimiser import make_optimiser
from facedistill.training.task import Task

_LEAST = 2  # a norm has no variance over one face


def out_of_memory(task: Task, augmented: AugmentedFaces | FacesOnDevice, recipe: Recipe) -> FacedistillError:
    """The error of a run whose device has no memory left.

    Half the batch is tried by one whole step, then half of that, until one fits; peaks that were measured before the
    failure would tell nothing of what the failing step needed. Of several processes none tries alone: the others would
    wait for it.

    Args:
        task: What was trained; its weights are of no use afterwards.
        augmented: Its faces.
        recipe: Its batch size.
    """
    failed = f"the device is out of memory with batch_size {recipe.batch_size}"
    if process_count() > 1:
        return FacedistillError(f"{failed} on {process_count()} devices; give half of it, or more devices")
    size = recipe.batch_size
    while (size := size // 2) >= _LEAST:
        if _fits(task, augmented, recipe, size):
            return FacedistillError(f"{failed}; give at most {size}, with which a step was tried and fits")
    return FacedistillError(f"{failed}, and with any other; give a smaller student or teacher, or free the device")


def _fits(task: Task, augmented: AugmentedFaces | FacesOnDevice, recipe: Recipe, size: int) -> bool:
    """Whether a whole step with so many faces fits, the next batch waiting beside it."""
    gc.collect()  # what the failed step holds
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    try:
        fabric = make_fabric(recipe.device, recipe.precision, idle_weights=HARD not in task.terms)
        model, optimiser = fabric.setup(task, make_optimiser(task, recipe.optimiser))
        faces = faces_for(augmented, fabric.device)
        batch, _waiting = (first_batch(faces, size, fabric.device) for _ in range(2))
        fabric.backward(torch.stack(list(model(batch).values())).sum())
        optimiser.step()
    except torch.OutOfMemoryError:
        return False
    finally:
        task.zero_grad(set_to_none=True)
    return True
