"""A recipe's optimiser, and its learning rate over the run."""

import math
from dataclasses import dataclass
from typing import Literal

from facedistill.errors import UsageError
from facedistill.recipe.fields import added


@dataclass
class OptimiserRecipe:
    """The optimiser, and its learning rate over the run.

    Attributes:
        learning_rate: Its peak, for the batch size given.
        momentum: Nesterov momentum of `sgd`; `adamw` takes its moments' usual rates, 0.9 and 0.999.
        weight_decay: On weights of two or more dimensions; never on norms and biases.
        warmup: For `cosine`: share of the steps in which the learning rate rises from zero.
        clip: Largest norm of the gradient.
        name: `sgd` with momentum, or `adamw` (Loshchilov and Hutter 2019).
        schedule: `cosine` falls to zero along half a cosine, so the number of steps is decided beforehand. `trapezoid`
            stays at the peak until the cool-down (Zhai et al. 2022), so a run can be prolonged by more `steps`.
        warmup_images: For `trapezoid`: images in which the learning rate rises from zero.
        cooldown_images: For `trapezoid`: the last images of the run, in which the rate falls to zero; 0 keeps it.
    """

    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: float = 0.05
    clip: float = 5.0
    name: Literal["sgd", "adamw"] = added("sgd")
    schedule: Literal["cosine", "trapezoid"] = added("cosine")
    warmup_images: int = added(0)
    cooldown_images: int = added(0)

    def check(self) -> None:
        """Refuses what cannot work."""
        for name in ("warmup_images", "cooldown_images"):
            images = getattr(self, name)
            if images and self.schedule != "trapezoid":
                raise UsageError(
                    f"recipe: optimiser.{name} is {images}, which goes with optimiser.schedule: trapezoid; "
                    "leave one of them out"
                )

    def rate(self, step: int, steps: int, batch_size: int) -> float:
        """The learning rate of a step.

        With `trapezoid` the rate of a step before the cool-down does not depend on `steps`. The cool-down falls as
        1 - sqrt (Hagele et al. 2024, https://arxiv.org/abs/2405.18392).

        Args:
            step: 0..steps-1.
            steps: Of the whole run.
            batch_size: Images a step.
        """
        if self.schedule == "trapezoid":
            risen = min(1.0, (step + 1) * batch_size / max(1, self.warmup_images))
            left = min(1.0, (steps - step) * batch_size / max(1, self.cooldown_images))
            share = risen * (1 - math.sqrt(1 - left))
        elif step < (warmup := round(self.warmup * steps)):
            share = (step + 1) / warmup
        else:
            share = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
        return share * self.learning_rate
