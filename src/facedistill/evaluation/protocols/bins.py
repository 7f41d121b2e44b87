"""The field's `.bin` verification files (LFW, CFP-FP, AgeDB-30, CALFW, CPLFW), at every resolution.

On disk: one pickle of (encoded aligned pictures, truths); pair k is pictures 2k and 2k + 1 (see `datasets.bins`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import overload

import numpy as np

from facedistill.datasets import read_bin
from facedistill.datasets.pairs import PairSet
from facedistill.evaluation.embedding import Crop, Embed
from facedistill.evaluation.metrics import Int
from facedistill.evaluation.protocols.crops import fitted
from facedistill.evaluation.protocols.protocol import SETS
from facedistill.evaluation.sweep import RESOLUTIONS, SweepResult, readable, sweep_pairs


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

        def can_be_read(index: int) -> bool:
            return all(pairs.image(int(side[index])) is not None for side in (pairs.first, pairs.second))

        kept = np.array(list(readable(can_be_read, len(pairs), str(path))))
        first, second = (_Crops(pairs, side[kept]) for side in (pairs.first, pairs.second))
        figures = partial(sweep_pairs, failed=len(pairs) - len(kept), seed=self.seed, camera=self.camera)
        return figures(fitted(embed, size), first, second, pairs.same[kept], self.resolutions)


class _Crops(Sequence[Crop]):
    """Some pictures of a set of pairs, each decoded when it is wanted: all of them may not fit into memory."""

    def __init__(self, pairs: PairSet, places: Int) -> None:
        self._pairs, self._places = pairs, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Crop: ...
    @overload
    def __getitem__(self, index: slice) -> list[Crop]: ...
    def __getitem__(self, index: int | slice) -> Crop | list[Crop]:
        if isinstance(index, slice):
            return [self._pairs.image(int(place)) for place in self._places[index]]
        return self._pairs.image(int(self._places[index]))
