"""YouTube Faces (Wolf et al. 2011): 5,000 pairs of videos in ten folds; a video is one template.

On disk: a folder that holds `splits.txt` (lines `split, name/video, name/video, 1 or 0`) and, in `aligned_images_DB`,
in `frame_images_DB` or in the folder itself, the frames name/video/*.jpg. Frames of a crop convention's size (112x96,
112x112, 150x150) are taken as aligned; in all others the detector looks for the face.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from facedistill.datasets.ytf import VideoPairs, read_ytf
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.metrics import Bool, Float, paired_cosines
from facedistill.evaluation.protocols.crops import CropReader, at_rows, embed_crops
from facedistill.evaluation.protocols.pairs import PairFigures, evaluate_pairs, pair_table
from facedistill.evaluation.protocols.protocol import PROTOCOLS
from facedistill.evaluation.protocols.templates import TemplateSums
from facedistill.evaluation.sweep import Sweep
from facedistill.progress import track


@dataclass(frozen=True, kw_only=True)
class YtfResult(PairFigures):
    """Verification of videos.

    Attributes:
        failures: {"pictures", "unreadable", "no_face"} of the frames.
        videos: Number of videos.
        failed_videos: Those of which no frame could be used; their pairs count as errors.
        sweep: The figures with aligned frames degraded: those of each pair's second video, and of both.
    """

    OPTIONAL = ("sweep",)

    failures: Mapping[str, int]
    videos: int
    failed_videos: int
    sweep: Sweep[PairFigures] | None = None

    def tables(self, title: str) -> list[Table]:
        """The folds' table, and one a resolution."""
        found = [pair_table(title, self, self.failures)]
        for side, rows, figures in self.sweep.listed("second video", "both videos") if self.sweep else ():
            found.append(pair_table(f"{title}, {side} at {rows} rows", figures, self.failures))
        return found


@PROTOCOLS.register("ytf")
@dataclass(frozen=True)
class Ytf:
    """Verification of videos: the mean of a video's unit frame embeddings, normalised, against another's.

    Attributes:
        resolutions: Rows to which aligned frames are shrunk besides.
    """

    resolutions: Sequence[int] = ()

    def run(self, embed: Embed, path: Path, size: tuple[int, int]) -> YtfResult:
        """See `Protocol.run`; `path` is the set's folder."""
        videos = read_ytf(path)
        reader = CropReader(size)
        usable, native = _templates(embed, videos, reader)
        compared = usable[videos.first] & usable[videos.second]

        def measure(first: Float, second: Float) -> PairFigures:
            scores = paired_cosines(first[videos.first[compared]], second[videos.second[compared]])
            return evaluate_pairs(scores, compared, videos.same, videos.folds)

        native_figures = measure(native, native)
        small = {str(rows): _templates(at_rows(embed, rows), videos, CropReader(size))[1] for rows in self.resolutions}
        return YtfResult(
            **vars(native_figures),
            failures=reader.failures,
            videos=len(usable),
            failed_videos=int((~usable).sum()),
            sweep=Sweep.of(measure, native, small) if small else None,
        )


def _templates(embed: Embed, videos: VideoPairs, reader: CropReader) -> tuple[Bool, Float]:
    """Which videos hold a usable frame, and unit rows [V, D]."""
    owner = np.repeat(np.arange(len(videos.frames)), [len(frames) for frames in videos.frames])
    frames = [frame for listed in videos.frames for frame in listed]
    crops = (reader.read(frame) for frame in track(frames, "embedding frames"))
    sums = TemplateSums(len(videos.frames))
    for places, rows in embed_crops(embed, crops, "the frames"):
        sums.update(owner[places], rows)
    return sums.unit("the videos")
