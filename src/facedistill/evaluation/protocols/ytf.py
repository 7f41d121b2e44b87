"""YouTube Faces (Wolf et al. 2011): 5,000 pairs of videos in ten folds; a video is one template.

On disk: a folder that holds `splits.txt` (lines `split, name/video, name/video, 1 or 0`) and, in `aligned_images_DB`,
in `frame_images_DB` or in the folder itself, the frames name/video/*.jpg. Frames of a crop convention's size (112x96,
112x112, 150x150) are taken as aligned; in all others the detector looks for the face.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from facedistill.datasets.ytf import VideoPairs, read_ytf
from facedistill.evaluation.metrics import Float, paired_cosines
from facedistill.evaluation.protocols.crops import CropReader, at_rows, embed_crops
from facedistill.evaluation.protocols.pairs import judge_pairs, pair_table
from facedistill.evaluation.protocols.protocol import Figures, Protocol
from facedistill.evaluation.protocols.templates import TemplateSums
from facedistill.evaluation.sweep import BOTH, Embed
from facedistill.progress import track


def run(embed: Embed, path: Path, size: tuple[int, int], *, resolutions: Sequence[int] = ()) -> Figures:
    """Verification of videos: the mean of a video's unit frame embeddings, normalised, against another's.

    Args:
        embed: As in `evaluate`.
        path: The set's folder.
        size: As in `evaluate`.
        resolutions: Rows to which aligned frames are shrunk besides: those of each pair's second video, and of both.

    Returns:
        What `judge_pairs` gives, "failures" {"pictures", "unreadable", "no_face"} of the frames, "videos" and
        "failed_videos", of which no frame could be used; their pairs count as errors. With resolutions also "sweep"
        {"16": what `judge_pairs` gives, ..., "both": {"16": ...}}.
    """
    videos = read_ytf(path)
    reader = CropReader(size)
    usable, native = _templates(embed, videos, reader)
    figures: Figures = {
        **_judge(videos, usable, native, native),
        "failures": reader.failures,
        "videos": len(usable),
        "failed_videos": int((~usable).sum()),
    }
    if len(resolutions):
        small = {str(rows): _templates(at_rows(embed, rows), videos, CropReader(size))[1] for rows in resolutions}
        one_side = {rows: _judge(videos, usable, native, templates) for rows, templates in small.items()}
        both = {rows: _judge(videos, usable, templates, templates) for rows, templates in small.items()}
        figures["sweep"] = {**one_side, BOTH: both}
    return figures


def _templates(embed: Embed, videos: VideoPairs, reader: CropReader) -> tuple[NDArray[np.bool_], Float]:
    """Which videos hold a usable frame, and unit rows [V, D]."""
    owner = np.repeat(np.arange(len(videos.frames)), [len(frames) for frames in videos.frames])
    frames = [frame for listed in videos.frames for frame in listed]
    crops = (reader.read(frame) for frame in track(frames, "embedding frames"))
    sums = TemplateSums(len(videos.frames))
    for places, rows in embed_crops(embed, crops, "the frames"):
        sums.add(owner[places], rows)
    return sums.unit("the videos")


def _judge(videos: VideoPairs, usable: NDArray[np.bool_], first: Float, second: Float) -> Figures:
    compared = usable[videos.first] & usable[videos.second]
    scores = paired_cosines(first[videos.first[compared]], second[videos.second[compared]])
    return judge_pairs(scores, compared, videos.same, videos.folds)


def tables(title: str, figures: Figures) -> list[Table]:
    """The folds' table, and one a resolution."""
    found = [pair_table(title, figures)]
    for rows, cell in figures.get("sweep", {}).items():
        for name, one in cell.items() if rows == BOTH else [(rows, cell)]:
            side = "both videos" if rows == BOTH else "second video"
            found.append(pair_table(f"{title}, {side} at {name} rows", {**figures, **one}))
    return found


PROTOCOL = Protocol(run, tables)
