"""YouTube Faces (Wolf et al. 2011): 5,000 pairs of videos in ten folds; a video is one template.

On disk: a folder that holds `splits.txt` (lines `split, name/video, name/video, 1 or 0`) and, in `aligned_images_DB`,
in `frame_images_DB` or in the folder itself, the frames name/video/*.jpg. Frames of a crop convention's size (112x96,
112x112, 150x150) are taken as aligned; in all others the detector looks for the face.
"""

from pathlib import Path

import numpy as np
from rich.table import Table

from facedistill.datasets.ytf import read_ytf
from facedistill.evaluation.metrics import paired_cosines
from facedistill.evaluation.protocols.crops import CropReader, embed_crops
from facedistill.evaluation.protocols.pairs import judge_pairs, pair_table
from facedistill.evaluation.protocols.protocol import Figures, Protocol
from facedistill.evaluation.protocols.templates import TemplateSums
from facedistill.evaluation.sweep import Embed
from facedistill.progress import track


def run(embed: Embed, path: Path, size: tuple[int, int]) -> Figures:
    """Verification of videos: the mean of a video's unit frame embeddings, normalised, against another's.

    Returns:
        What `judge_pairs` gives, "failures" {"pictures", "unreadable", "no_face"} of the frames, "videos" and
        "failed_videos", of which no frame could be used; their pairs count as errors.
    """
    videos = read_ytf(path)
    owner = np.repeat(np.arange(len(videos.frames)), [len(frames) for frames in videos.frames])
    reader = CropReader(size)
    frames = [frame for listed in videos.frames for frame in listed]
    crops = (reader.read(frame) for frame in track(frames, "embedding frames"))
    sums = TemplateSums(len(videos.frames))
    for places, rows in embed_crops(embed, crops, "the frames"):
        sums.add(owner[places], rows)
    usable, templates = sums.unit("the videos")
    compared = usable[videos.first] & usable[videos.second]
    scores = paired_cosines(templates[videos.first[compared]], templates[videos.second[compared]])
    return {
        **judge_pairs(scores, compared, videos.same, videos.folds),
        "failures": reader.failures,
        "videos": len(usable),
        "failed_videos": int((~usable).sum()),
    }


def tables(title: str, figures: Figures) -> list[Table]:
    """The folds' table."""
    return [pair_table(title, figures)]


PROTOCOL = Protocol(run, tables)
