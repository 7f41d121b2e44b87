"""The field's `.bin` verification files (LFW, CFP-FP, AgeDB-30, CALFW, CPLFW), at every resolution.

On disk: one pickle of (encoded aligned pictures, truths); pair k is pictures 2k and 2k + 1 (see `datasets.bins`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facedistill.datasets import read_bin
from facedistill.evaluation.protocols.protocol import Figures, Protocol
from facedistill.evaluation.protocols.sweeps import fitted, sweep_tables
from facedistill.evaluation.sweep import RESOLUTIONS, Crop, Embed, readable, sweep_pairs

SUFFIX = ".bin"


def run(embed: Embed, path: Path, size: tuple[int, int], *, resolutions: Sequence[int] = RESOLUTIONS) -> Figures:
    """What `sweep_pairs` gives: the pairs keep their order and 10 folds while the second picture of each is degraded.

    Pairs that hold a picture that cannot be read are left out and counted in `fte`.
    """
    pairs = read_bin(path)

    def pair(index: int) -> tuple[Crop, Crop, bool]:
        return pairs.image(int(pairs.first[index])), pairs.image(int(pairs.second[index])), bool(pairs.same[index])

    first, second, same = zip(*readable(pair, len(pairs), str(path)), strict=True)
    return sweep_pairs(fitted(embed, size), first, second, np.array(same), resolutions, failed=len(pairs) - len(same))


PROTOCOL = Protocol(run, sweep_tables)
