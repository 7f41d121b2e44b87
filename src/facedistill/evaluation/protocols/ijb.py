"""IJB-B and IJB-C: templates of pictures and video frames, 1:1 and 1:N.

On disk: a folder that holds `loose_crop/*.jpg` and, in `meta` or in itself, with NAME = ijbb or ijbc:

- `NAME_face_tid_mid.txt`: lines `picture template media`;
- `NAME_name_5pts_score.txt`: lines `picture`, x y of five landmarks in that picture, score;
- `NAME_template_pair_label.txt`: lines `template template 1 or 0`;
- `NAME_1N_gallery_G1.csv`, `NAME_1N_gallery_G2.csv` (or S1, S2), `NAME_1N_probe_mixed.csv`: columns TEMPLATE_ID and
  SUBJECT_ID, further ones are passed over. All three may be absent; then there are no 1:N figures.

A template is the sum over its media of the mean over each medium's unit embeddings, normalised. Neither mirror images
nor detection scores play a part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from rich.table import Table

from facedistill.datasets.ijb import IjbSet, TemplateList, read_ijb
from facedistill.evaluation.embedding import Embed
from facedistill.evaluation.metrics import Bool, Float, paired_cosines
from facedistill.evaluation.protocols.crops import CropReader, at_rows, embed_crops
from facedistill.evaluation.protocols.pairs import failure_text, with_failures
from facedistill.evaluation.protocols.protocol import PROTOCOLS
from facedistill.evaluation.protocols.templates import TemplateSums
from facedistill.evaluation.results import Result, figure_table, percent, rate_rows
from facedistill.evaluation.search import SearchMetric
from facedistill.evaluation.streaming import FMRS, VerificationMetric
from facedistill.evaluation.sweep import Sweep
from facedistill.progress import track

RANKS = (1, 5, 10)
FPIRS = (0.01, 0.1)

_PAIRS_AT_ONCE = 1 << 13  # 64 MB of 512-D embeddings


@dataclass(frozen=True)
class TemplatePairs(Result):
    """1:1 over all listed pairs; rates that the pairs cannot show do not appear.

    Attributes:
        eer: Equal error rate.
        auc: Area under the ROC.
        tar_at_far: FAR, such as "1e-06" -> TAR.
        genuine: Number of pairs of one person.
        impostors: Number of pairs of different people.
        failed_pairs: Pairs with a template that failed to enrol.
    """

    eer: float
    auc: float
    tar_at_far: Mapping[str, float]
    genuine: int
    impostors: int
    failed_pairs: int


@dataclass(frozen=True)
class GallerySearch(Result):
    """Searches in one gallery; rates that the probes cannot show do not appear.

    Attributes:
        rank_k: Rank, such as "5" -> share of the mated probes found among so many.
        tpir_at_fpir: FPIR, such as "0.01" -> TPIR.
        identities: People in the gallery.
        mated: Probes of these people.
        unmated: Other probes.
        failed_searches: Searches without a usable probe, or for a person whose template failed to enrol.
    """

    rank_k: Mapping[str, float]
    tpir_at_fpir: Mapping[str, float]
    identities: int
    mated: int
    unmated: int
    failed_searches: int


@dataclass(frozen=True)
class TemplateSearch(Result):
    """1:N: means over both galleries, and each gallery ("G1", "G2")."""

    rank_k: Mapping[str, float]
    tpir_at_fpir: Mapping[str, float]
    galleries: Mapping[str, GallerySearch]


@dataclass(frozen=True)
class TemplateFigures(Result):
    """1:1, and 1:N where there are lists of it."""

    verification: TemplatePairs
    identification: TemplateSearch | None


@dataclass(frozen=True)
class IjbResult(TemplateFigures):
    """Template verification, and search in two galleries.

    Attributes:
        templates: Number of templates.
        failed_templates: Those without a usable picture.
        fte: Their share.
        failures: {"pictures", "unreadable", "no_face"}.
        sweep: The figures with aligned faces degraded: those of each pair's second template and of the probes, and
            those of all templates.
    """

    OPTIONAL = ("sweep",)

    templates: int
    failed_templates: int
    fte: float
    failures: Mapping[str, int]
    sweep: Sweep[TemplateFigures] | None = None

    def tables(self, title: str) -> list[Table]:
        """A table of 1:1, and one of 1:N where there is any; the same for each resolution."""
        found = self._tables(title, self)
        for side, rows, figures in self.sweep.listed("probes", "all templates") if self.sweep else ():
            found += self._tables(f"{title}, {side} at {rows} rows", figures)
        return found

    def _tables(self, title: str, figures: TemplateFigures) -> list[Table]:
        one = figures.verification
        rows = [*rate_rows("TAR at FAR", one.tar_at_far), ("EER", percent(one.eer)), ("AUC", percent(one.auc))]
        note = (
            f"{one.genuine} genuine and {one.impostors} impostor pairs; {self.failed_templates} of "
            f"{self.templates} templates failed to enrol and match nobody; {failure_text(self.failures)}"
        )
        if (many := figures.identification) is None:
            return [figure_table(f"{title}, 1:1", ("", "%"), rows, f"{note}; no 1:N lists were given")]
        parts: list[TemplateSearch | GallerySearch] = [many, *many.galleries.values()]
        lines = [(f"rank {rank}", *(percent(part.rank_k[rank]) for part in parts)) for rank in many.rank_k]
        lines += [
            (f"TPIR at FPIR {fpir}", *(percent(part.tpir_at_fpir.get(fpir)) for part in parts))
            for fpir in many.galleries["G1"].tpir_at_fpir
        ]
        galleries = "; ".join(
            f"{key}: {part.identities} people, {part.mated} mated and {part.unmated} unmated probes"
            for key, part in many.galleries.items()
        )
        return [
            figure_table(f"{title}, 1:1", ("", "%"), rows, note),
            figure_table(f"{title}, 1:N", ("", "mean %", *(f"{key} %" for key in many.galleries)), lines, galleries),
        ]


@dataclass(frozen=True)
class _Ijb:
    """Template verification, and search in two galleries.

    A template without a usable picture failed to enrol: its genuine pairs match at no threshold, its impostor pairs
    are left out of the FAR; its mated searches find nobody, as do searches for the person of such a gallery template;
    its unmated searches are left out of the FPIR. So no failure makes a figure better.

    Attributes:
        NAME: How the meta files' names begin.
        resolutions: Rows to which aligned faces are shrunk besides.
    """

    NAME: ClassVar[str]

    resolutions: Sequence[int] = ()

    def run(self, embed: Embed, path: Path, size: tuple[int, int]) -> IjbResult:
        """See `Protocol.run`; `path` is the set's folder."""
        ijb = read_ijb(path, self.NAME)
        reader = CropReader(size)
        usable, native = _templates(embed, ijb, reader)

        def measure(gallery: Float, probes: Float) -> TemplateFigures:
            """With unit rows [T, D] for the first templates and galleries, and for the second ones and probes."""
            return TemplateFigures(_verify(ijb, usable, gallery, probes), _identify(ijb, usable, gallery, probes))

        figures = measure(native, native)
        small = {str(rows): _templates(at_rows(embed, rows), ijb, CropReader(size))[1] for rows in self.resolutions}
        return IjbResult(
            **vars(figures),
            templates=len(usable),
            failed_templates=int((~usable).sum()),
            fte=float(np.mean(~usable)),
            failures=reader.failures,
            sweep=Sweep.of(measure, native, small) if small else None,
        )


@PROTOCOLS.register("ijbb")
class Ijbb(_Ijb):
    """IJB-B."""

    NAME = "ijbb"


@PROTOCOLS.register("ijbc")
class Ijbc(_Ijb):
    """IJB-C."""

    NAME = "ijbc"


def _templates(embed: Embed, ijb: IjbSet, reader: CropReader) -> tuple[Bool, Float]:
    """Which templates hold a usable picture, and unit rows [T, D]."""
    media, medium = np.unique(np.stack((ijb.templates, ijb.media)), axis=1, return_inverse=True)
    medium = medium.reshape(-1)
    crops = (
        reader.read_at(picture, ijb.landmarks[index])
        for index, picture in track(enumerate(ijb.pictures), "embedding faces", total=len(ijb.pictures))
    )
    by_medium, by_template = TemplateSums(media.shape[1]), TemplateSums(len(ijb.template_ids))
    for places, rows in embed_crops(embed, crops, "the faces"):
        by_medium.update(medium[places], rows)
    filled, means = by_medium.means()
    by_template.update(media[0, filled], means)
    return by_template.unit("the templates")


def _verify(ijb: IjbSet, usable: Bool, gallery: Float, probes: Float) -> TemplatePairs:
    compared = usable[ijb.first] & usable[ijb.second]
    metric = VerificationMetric(exact=True)
    first, second, same = ijb.first[compared], ijb.second[compared], ijb.same[compared]
    for start in range(0, len(same), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        metric.update(paired_cosines(gallery[first[part]], probes[second[part]]), same[part])
    figures = metric.compute()
    curve = with_failures(figures.curve, compared, ijb.same)
    return TemplatePairs(
        eer=curve.eer(),
        auc=curve.auc(),
        tar_at_far={f"{far:g}": curve.tar_at(far) for far in FMRS[::-1] if far in figures.tar_at_far},
        genuine=int(ijb.same.sum()),
        impostors=int((~ijb.same).sum()),
        failed_pairs=int((~compared).sum()),
    )


def _identify(ijb: IjbSet, usable: Bool, enrolled: Float, searched: Float) -> TemplateSearch | None:
    if ijb.probes is None:
        return None
    probes = ijb.probes
    found = {key: _search(gallery, probes, usable, enrolled, searched) for key, gallery in ijb.galleries.items()}
    shared = [fpir for fpir in found["G1"].tpir_at_fpir if fpir in found["G2"].tpir_at_fpir]
    return TemplateSearch(
        rank_k={str(rank): float(np.mean([part.rank_k[str(rank)] for part in found.values()])) for rank in RANKS},
        tpir_at_fpir={fpir: float(np.mean([part.tpir_at_fpir[fpir] for part in found.values()])) for fpir in shared},
        galleries=found,
    )


def _search(
    gallery: TemplateList, probes: TemplateList, usable: Bool, gallery_rows: Float, probe_rows: Float
) -> GallerySearch:
    """Rank-k of the mated probes, and TPIR (first, and at or above the threshold) at FPIRs of the unmated ones."""
    enrolled, searchable = usable[gallery.templates], usable[probes.templates]
    mated = np.isin(probes.subjects, gallery.subjects)
    possible = np.isin(probes.subjects, gallery.subjects[enrolled])
    searched = searchable & (possible | ~mated)
    metric = SearchMetric(gallery_rows[gallery.templates[enrolled]], gallery.subjects[enrolled], ranks=(1,))
    metric.update(probe_rows[probes.templates[searched]], probes.subjects[searched])
    metric.update_failed(mated=int((mated & ~searched).sum()))
    figures = metric.compute(FPIRS)
    return GallerySearch(
        rank_k={str(rank): figures.rank_k(rank) for rank in RANKS},
        tpir_at_fpir={f"{fpir:g}": tpir for fpir, tpir in figures.tpir_at_fpir[1].items()},
        identities=len(gallery.subjects),
        mated=int(mated.sum()),
        unmated=int((~mated).sum()),
        failed_searches=int((~searched).sum()),
    )
