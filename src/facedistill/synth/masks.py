"""The one curve that every mask is made of."""

import numpy as np
from numpy.typing import NDArray

from facedistill.synth.arrays import Floats


def smooth_step(low: float, high: float, value: NDArray[np.floating]) -> Floats:
    """0 below `low`, 1 above `high`, smooth between; falling where low > high."""
    t = np.clip((value - low) / (high - low), 0, 1)
    result: Floats = (t * t * (3 - 2 * t)).astype(np.float32)
    return result
