"""Any face set: every two of its pictures compared at every resolution.

On disk: a RecordIO set, or a folder for each person with aligned pictures of one size (see `datasets.folder`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from facedistill.datasets import open_face_set
from facedistill.datasets.repeated_pictures import warn_of_contradictions
from facedistill.errors import UsageError
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.group_results import GroupsResult
from facedistill.evaluation.groups import evaluate_groups
from facedistill.evaluation.protocols.crops import fitted
from facedistill.evaluation.protocols.protocol import SETS
from facedistill.evaluation.results import Result
from facedistill.evaluation.sweep import RESOLUTIONS, SweepResult, sweep


@dataclass(frozen=True)
class FaceSetResult(Result):
    """A sweep, and the errors by group where they were wanted.

    Attributes:
        sweep: Over all pictures; those that cannot be read are counted in `fte`.
        groups: Under "groups" in JSON, beside the sweep's cells.
    """

    sweep: SweepResult
    groups: GroupsResult | None = None

    def to_json(self) -> dict[str, Any]:
        """The sweep's dictionary, with "groups" where there are any."""
        return {**self.sweep.to_json(), **({"groups": self.groups.to_json()} if self.groups else {})}

    def tables(self, title: str) -> list[Table]:
        """The table of the sweep, and that of the groups."""
        return [*self.sweep.tables(title), *(self.groups.tables(f"{title}, by group") if self.groups else [])]


@SETS.register("face set")
@dataclass(frozen=True)
class FaceSetProtocol:
    """The sweep over a face set.

    Attributes:
        resolutions: Rows of the degraded pictures.
        groups: A file of labels, or "auto" for the set's own, by which `evaluate_groups` parts the pictures.
        camera: Whether the probes are shown as a camera sees them, see `sweep`.
        seed: Of the resamples, and of what the camera does.
    """

    resolutions: Sequence[int] = RESOLUTIONS
    groups: str | None = None
    camera: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.camera and self.groups is not None:
            raise UsageError("groups are measured by the standard degradation alone; give camera or groups, not both")

    def run(self, embed: Embed, path: Path, size: tuple[int, int]) -> FaceSetResult:
        """See `Protocol.run`."""
        faces, embed = open_face_set(path), fitted(embed, size)
        warn_of_contradictions(str(path), faces)
        # The groups first, as they may refuse the labels.
        groups = evaluate_groups(embed, faces, path, self.groups, self.resolutions) if self.groups is not None else None
        swept = sweep(embed, faces, self.resolutions, seed=self.seed, camera=self.camera)
        return FaceSetResult(swept, groups)
