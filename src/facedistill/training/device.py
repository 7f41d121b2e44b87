"""The engine that runs the steps of a run."""

import logging
import os
from typing import Literal

from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from facedistill.checks import read_count
from facedistill.devices import choose_device, computes_bf16
from facedistill.processes import process_count


def make_fabric(device: str, precision: str, idle_weights: bool = False) -> Fabric:
    """The engine that runs the steps: in this process, or in all of a run's (see `launch`).

    Args:
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `auto`, `32` or `bf16`.
        idle_weights: Whether some weights take no part in the loss, for which several processes must look.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces what stands in the recipe
    chosen = choose_device(device)
    half = precision == "bf16" or (precision == "auto" and computes_bf16(chosen))
    kind: Literal["bf16-mixed", "32-true"] = "bf16-mixed" if half else "32-true"
    if process_count() == 1:
        return Fabric(accelerator=chosen, devices=1, precision=kind)
    here = read_count("LOCAL_WORLD_SIZE", os.environ["LOCAL_WORLD_SIZE"])
    fabric = Fabric(
        accelerator=chosen,
        devices=here,
        num_nodes=process_count() // here,
        strategy=DDPStrategy(find_unused_parameters=idle_weights),
        precision=kind,
        plugins=[TorchElasticEnvironment()],
    )
    fabric.launch()
    return fabric
