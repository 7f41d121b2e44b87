"""Hints: a learned regressor turns the student's features into the teacher's."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from facedistill.errors import UsageError
from facedistill.losses.fields import check_on, check_stages, field_pairs, mean_over
from facedistill.losses.registered import LOSSES
from facedistill.outputs import Outputs

_SAVED = "regressors."


@LOSSES.register("fitnets")
class FitNets(nn.Module):
    """MSE(r(F_s), F_t) over all elements, mean over the stages (Romero et al. 2015, eq. 3).

    r is learned with the student: a 1x1 convolution from the student's channels to the teacher's, one for each stage,
    or a linear map from embedding to embedding, which may then differ in length. It is shaped by the first batch.
    Not zero where student and teacher agree, unless r has become the identity.

    Args:
        on: "features" (the paper's) or "embedding".
        stages: Which stages to compare, from 0, the shallowest; None takes all. The paper takes the middle one.
    """

    equal_sizes = False
    trainable = True

    def __init__(self, on: Literal["features", "embedding"] = "features", stages: Sequence[int] | None = None) -> None:
        super().__init__()
        self.needs = (check_on("fitnets", on, ("features", "embedding")),)
        if stages is not None and on == "embedding":
            raise UsageError("stages of the loss 'fitnets' are those of features; leave them out on an embedding")
        self.stages = check_stages("fitnets", stages)
        self.regressors = nn.ModuleList()

    def forward(self, student: Outputs, teacher: Outputs, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar; reads embeddings [B, D] or maps [B, c, h, w] of each stage.

        Raises:
            UsageError: The sizes are not those of the first batch.
        """
        del labels
        pairs = field_pairs(student, teacher, self.needs[0], self.stages)
        sizes = [(ours.shape[1], theirs.shape[1]) for ours, theirs in pairs]
        if not self.regressors:
            with torch.random.fork_rng(devices=[]):  # the student's run must not depend on it
                self.regressors.extend(self._regressor(*size).to(pairs[0][0]) for size in sizes)
        made = [(module.weight.shape[1], module.weight.shape[0]) for module in self._modules_made()]
        if made != sizes:
            raise UsageError(f"loss 'fitnets': its regressors are for (student, teacher) sizes {made}, not {sizes}")
        regressed = [(module(ours), theirs) for module, (ours, theirs) in zip(self.regressors, pairs, strict=True)]
        return mean_over(regressed, mse_loss)

    def _regressor(self, ours: int, theirs: int) -> nn.Conv2d | nn.Linear:
        return nn.Linear(ours, theirs) if self.needs == ("embedding",) else nn.Conv2d(ours, theirs, 1)

    def _modules_made(self) -> list[nn.Conv2d | nn.Linear]:
        return [module for module in self.regressors if isinstance(module, nn.Conv2d | nn.Linear)]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # The regressors of a fresh loss are made here, before torch turns to them as children.
        if not self.regressors:
            number = 0
            while isinstance(weight := state_dict.get(f"{prefix}{_SAVED}{number}.weight"), Tensor):
                self.regressors.append(self._regressor(weight.shape[1], weight.shape[0]).to(weight))
                number += 1
        super()._load_from_state_dict(state_dict, prefix, *rest)
