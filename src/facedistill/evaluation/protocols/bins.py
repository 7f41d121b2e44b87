"""The field's `.bin` verification files (LFW, CFP-FP, AgeDB-30, CALFW, CPLFW), at every resolution.

On disk: one pickle of (encoded aligned pictures, truths); pair k is pictures 2k and 2k + 1 (see `datasets.bins`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from facedistill.datasets import read_bin
from facedistill.evaluation.protocols.crops import fitted
from facedistill.evaluation.protocols.protocol import SETS
from facedistill.evaluation.sweep import RESOLUTIONS, Crop, Embed, SweepResult, readable, sweep_pairs


@SETS.register("bin")
@dataclass(frozen=True)
class Bins:
    """The sweep over a file's pairs, which keep their order and 10 folds; the second picture of each is degraded.

    Pairs that hold a picture that cannot be read are left out and counted in `fte`.

    Attributes:
        resolutions: Rows of the degraded pictures.
        camera: Whether the probes are shown as a camera sees them, see `sweep`.
        seed: Of the resamples, and of what the camera does.
    """

    resolutions: Sequence[int] = RESOLUTIONS
    camera: bool = False
    seed: int = 0

    def run(self, embed: Embed, path: Path, size: tuple[int, int]) -> SweepResult:
        """See `Protocol.run`."""
        pairs = read_bin(path)

        def pair(index: int) -> tuple[Crop, Crop, bool]:
            return pairs.image(int(pairs.first[index])), pairs.image(int(pairs.second[index])), bool(pairs.same[index])

        first, second, same = zip(*readable(pair, len(pairs), str(path)).values(), strict=True)
        figures = partial(sweep_pairs, failed=len(pairs) - len(same), seed=self.seed, camera=self.camera)
        return figures(fitted(embed, size), first, second, np.array(same), self.resolutions)
