"""LFW (Huang et al. 2007): 6,000 pairs in ten folds, natively and with the second picture degraded.

On disk: a folder that holds `pairs.txt` (first line `10 300`; in each fold 300 lines `name i j`, then 300 lines
`name1 i name2 j`) and, in `lfw` or in the folder itself, the pictures `name/name_0001.jpg`. Pictures of a crop
convention's size (112x96, 112x112, 150x150) are taken as aligned; in all others the detector looks for the face.
"""

from pathlib import Path

import numpy as np
from rich.table import Table

from facedistill.datasets import read_lfw_pairs
from facedistill.datasets.lists import first_folder
from facedistill.errors import UsageError
from facedistill.evaluation.folds import contiguous_folds
from facedistill.evaluation.metrics import Float, paired_cosines
from facedistill.evaluation.protocols.crops import CropReader, embed_crops
from facedistill.evaluation.protocols.pairs import judge_pairs, pair_table
from facedistill.evaluation.protocols.protocol import Figures, Protocol
from facedistill.evaluation.protocols.sweeps import sweep_tables
from facedistill.evaluation.sweep import RESOLUTIONS, Embed, sweep_pairs
from facedistill.progress import track


def run(
    embed: Embed, path: Path, size: tuple[int, int], *, resolutions: tuple[int, ...] = RESOLUTIONS, bootstrap: int = 200
) -> Figures:
    """Ten-fold verification of the native pairs, and the sweep over resolutions.

    Args:
        embed: As in `evaluate`.
        path: LFW's folder.
        size: As in `evaluate`.
        resolutions: Rows of the sweep's degraded pictures; none, no sweep.
        bootstrap: Resamples of the sweep's intervals.

    Returns:
        What `judge_pairs` gives, "failures" {"pictures", "unreadable", "no_face"} and "sweep": what `sweep_pairs`
        gives on the pairs that could be compared (ten stretches of those), or None.
    """
    pairs = read_lfw_pairs(first_folder(path, ("lfw",)), path / "pairs.txt")
    if pairs.folds < 2:
        raise UsageError(f"{pairs.source} has one fold, but one is judged by the others; take pairs.txt of ten folds")
    reader = CropReader(size)
    files = [picture for picture in pairs.pictures if isinstance(picture, Path)]  # LFW's are, all of them
    crops = [reader.read(file) for file in track(files, "reading faces")]
    usable = np.array([crop is not None for crop in crops])
    compared = usable[pairs.first] & usable[pairs.second]
    rows = np.concatenate([rows for _places, rows in embed_crops(embed, crops, "the pictures")] or [np.zeros((0, 1))])
    place = np.cumsum(usable) - 1
    first, second = pairs.first[compared], pairs.second[compared]
    scores: Float = paired_cosines(rows[place[first]], rows[place[second]])
    figures = judge_pairs(scores, compared, pairs.same, contiguous_folds(pairs.same, pairs.folds))
    swept = None
    if len(resolutions):
        shown = {index: crop for index, crop in enumerate(crops) if crop is not None}
        swept = sweep_pairs(
            embed,
            [shown[index] for index in first.tolist()],
            [shown[index] for index in second.tolist()],
            pairs.same[compared],
            resolutions,
            failed=int((~compared).sum()),
            bootstrap=bootstrap,
        )
    return {**figures, "failures": reader.failures, "sweep": swept}


def tables(title: str, figures: Figures) -> list[Table]:
    """The folds' table, and the sweep's."""
    swept = figures["sweep"]
    return [pair_table(title, figures), *(sweep_tables(f"{title}, sweep", swept) if swept else [])]


PROTOCOL = Protocol(run, tables)
