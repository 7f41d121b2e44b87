"""A moving average of the weights, which often validates better than the weights of any one step.

As in Tarvainen and Valpola (2017, https://arxiv.org/abs/1703.01780), by torch's own `AveragedModel`.
"""

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from facedistill.backbones import Backbone
from facedistill.checks import check_number

__all__ = ["AVERAGED", "AveragedModel", "averaged_net", "make_average"]

AVERAGED = "averaged"  # in the records of a validation: 1 where the average was the better one


def make_average(backbone: Backbone, decay: float) -> AveragedModel | None:
    """The average of a net's weights and of the statistics in its norms, not yet updated.

    Args:
        backbone: The net.
        decay: Share of the average that a step keeps, below 1; 0 gives None.
    """
    if not check_number("decay", decay, 0, below=1):
        return None
    return AveragedModel(backbone, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]


def averaged_net(average: AveragedModel) -> Backbone:
    """The net with the averaged weights."""
    assert isinstance(average.module, Backbone), "it was made of one"
    return average.module
