"""Any face set: every two of its pictures compared at every resolution.

On disk: a RecordIO set, or a folder for each person with aligned pictures of one size (see `datasets.folder`).
"""

from collections.abc import Sequence
from pathlib import Path

from facedistill.datasets import open_face_set
from facedistill.evaluation.protocols.protocol import Figures, Protocol
from facedistill.evaluation.protocols.sweeps import fitted, sweep_tables
from facedistill.evaluation.sweep import RESOLUTIONS, Embed, sweep


def run(embed: Embed, path: Path, size: tuple[int, int], *, resolutions: Sequence[int] = RESOLUTIONS) -> Figures:
    """What `sweep` gives at these resolutions; pictures that cannot be read are counted in `fte`."""
    return sweep(fitted(embed, size), open_face_set(path), resolutions)


PROTOCOL = Protocol(run, sweep_tables)
