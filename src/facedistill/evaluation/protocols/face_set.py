"""Any face set: every two of its pictures compared at every resolution.

On disk: a RecordIO set, or a folder for each person with aligned pictures of one size (see `datasets.folder`).
"""

from collections.abc import Sequence
from pathlib import Path

from facedistill.datasets import open_face_set
from facedistill.evaluation.groups import GROUPS, evaluate_groups
from facedistill.evaluation.protocols.protocol import Figures, Protocol
from facedistill.evaluation.protocols.sweeps import fitted, sweep_tables
from facedistill.evaluation.sweep import RESOLUTIONS, Embed, sweep


def run(
    embed: Embed,
    path: Path,
    size: tuple[int, int],
    *,
    resolutions: Sequence[int] = RESOLUTIONS,
    groups: str | None = None,
) -> Figures:
    """What `sweep` gives at these resolutions; pictures that cannot be read are counted in `fte`.

    With `groups`, a file of labels or "auto" for the set's own, "groups" holds what `evaluate_groups` gives.
    """
    faces, embed = open_face_set(path), fitted(embed, size)
    if groups is None:
        return sweep(embed, faces, resolutions)
    found = evaluate_groups(embed, faces, path, groups, resolutions)  # first, as it may refuse the labels
    return {**sweep(embed, faces, resolutions), GROUPS: found}


PROTOCOL = Protocol(run, sweep_tables)
