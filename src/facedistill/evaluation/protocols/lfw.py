"""LFW (Huang et al. 2007): 6,000 pairs in ten folds, natively and with the second picture degraded.

On disk: a folder that holds `pairs.txt` (first line `10 300`; in each fold 300 lines `name i j`, then 300 lines
`name1 i name2 j`) and, in `lfw` or in the folder itself, the pictures `name/name_0001.jpg`. Pictures of a crop
convention's size (112x96, 112x112, 150x150) are taken as aligned; in all others the detector looks for the face.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from facedistill.datasets import read_lfw_pairs
from facedistill.datasets.lists import first_folder
from facedistill.errors import UsageError
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.folds import contiguous_folds
from facedistill.evaluation.metrics import Float, paired_cosines
from facedistill.evaluation.protocols.crops import CropReader, embed_all
from facedistill.evaluation.protocols.pairs import PairFigures, evaluate_pairs, pair_table
from facedistill.evaluation.protocols.protocol import PROTOCOLS
from facedistill.evaluation.sweep import RESOLUTIONS, SweepResult, sweep_pairs
from facedistill.progress import track


@dataclass(frozen=True, kw_only=True)
class LfwResult(PairFigures):
    """Ten-fold verification of the native pairs.

    Attributes:
        failures: {"pictures", "unreadable", "no_face"}.
        sweep: What `sweep_pairs` gives on the pairs that could be compared (ten stretches of those), or None.
    """

    failures: Mapping[str, int]
    sweep: SweepResult | None

    def tables(self, title: str) -> list[Table]:
        """The folds' table, and the sweep's."""
        swept = self.sweep.tables(f"{title}, sweep") if self.sweep else []
        return [pair_table(title, self, self.failures), *swept]


@PROTOCOLS.register("lfw")
@dataclass(frozen=True)
class Lfw:
    """Ten-fold verification of the native pairs, and the sweep over resolutions.

    Attributes:
        resolutions: Rows of the sweep's degraded pictures; none, no sweep.
        bootstrap: Resamples of the sweep's intervals.
    """

    resolutions: Sequence[int] = RESOLUTIONS
    bootstrap: int = 200

    def run(self, embed: Embed, path: Path, size: tuple[int, int]) -> LfwResult:
        """See `Protocol.run`; `path` is LFW's folder."""
        pairs = read_lfw_pairs(first_folder(path, ("lfw",)), path / "pairs.txt")
        if pairs.folds < 2:
            raise UsageError(
                f"{pairs.source} has one fold, but thresholds are chosen on other folds; take pairs.txt of ten"
            )
        reader = CropReader(size)
        files = [picture for picture in pairs.pictures if isinstance(picture, Path)]  # LFW's are, all of them
        crops = [reader.read(file) for file in track(files, "reading faces")]
        usable = np.array([crop is not None for crop in crops])
        compared = usable[pairs.first] & usable[pairs.second]
        _, rows = embed_all(embed, crops, "the pictures")
        place = np.cumsum(usable) - 1
        first, second = pairs.first[compared], pairs.second[compared]
        scores: Float = paired_cosines(rows[place[first]], rows[place[second]])
        figures = evaluate_pairs(scores, compared, pairs.same, contiguous_folds(pairs.same, pairs.folds))
        swept = None
        if len(self.resolutions):
            crop_of = {index: crop for index, crop in enumerate(crops) if crop is not None}
            swept = sweep_pairs(
                embed,
                [crop_of[index] for index in first.tolist()],
                [crop_of[index] for index in second.tolist()],
                pairs.same[compared],
                self.resolutions,
                failed=int((~compared).sum()),
                bootstrap=self.bootstrap,
            )
        return LfwResult(**vars(figures), failures=reader.failures, sweep=swept)
