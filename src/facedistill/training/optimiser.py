"""How the weights follow the gradient: stochastic gradient descent, its rate, and the longest step it takes."""

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from facedistill.heads import ShardedHead
from facedistill.processes import all_reduce_sum
from facedistill.recipe import OptimiserRecipe, Recipe
from facedistill.training.task import Task


def make_optimiser(task: nn.Module, recipe: OptimiserRecipe) -> torch.optim.Optimizer:
    """The recipe's optimiser; weight decay falls on matrices and filters, not on norms and biases."""
    matrices = [weight for weight in task.parameters() if weight.ndim > 1]
    vectors = [weight for weight in task.parameters() if weight.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if recipe.name == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    return torch.optim.SGD(
        groups,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
    )


def set_learning_rate(optimiser: torch.optim.Optimizer, recipe: Recipe, step: int) -> None:
    """Gives the optimiser the rate of a step, see `OptimiserRecipe.rate`."""
    for group in optimiser.param_groups:
        group["lr"] = recipe.optimiser.rate(step, recipe.steps, recipe.batch_size)


def clip_gradient(task: Task, largest: float) -> Tensor:
    """Shortens the gradient to the length `largest`; returns its length, to which every part of a head counts."""
    own = [] if not isinstance(task.head, ShardedHead) else list(task.head.parameters())
    common = [weight for weight in task.parameters() if all(weight is not part for part in own)]
    norm = get_total_norm([weight.grad for weight in common if weight.grad is not None])
    if own:
        parts = all_reduce_sum(get_total_norm([part.grad for part in own if part.grad is not None]).square())
        norm = (norm.square() + parts).sqrt()
    clip_grads_with_norm_(task.parameters(), largest, norm)
    return norm
