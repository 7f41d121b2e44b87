"""MegaFace-style search (Kemelmacher-Shlizerman et al. 2016): one photo of a person among ever more distractors.

On disk: a folder that holds `facescrub/` and `megaface/` with the pictures and, in `templatelists` or in itself, the
devkit's lists: `facescrub_features_list.json` with {"path": [...], "id": [...]}, and for N = 10, 100, ..., 1000000 as
far as they go `megaface_features_list.json_N_1` with {"path": [...]}. Pictures of a crop convention's size (112x96,
112x112, 150x150) are taken as aligned; in all others the detector looks for the face.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from facedistill.datasets.megaface import MegafaceSet, read_megaface
from facedistill.errors import FacedistillError
from facedistill.evaluation.metrics import Float, paired_cosines
from facedistill.evaluation.protocols.crops import CropReader, embed_crops
from facedistill.evaluation.protocols.pairs import failure_text, with_failures
from facedistill.evaluation.protocols.protocol import Figures, Protocol, figure_table, percent, rate_rows
from facedistill.evaluation.streaming import FMRS, VerificationMetric
from facedistill.evaluation.sweep import Embed
from facedistill.progress import track

_KEPT = 20_000_000  # impostor scores that are kept, 160 MB; more are counted in a histogram

Int = NDArray[np.int64]


def run(embed: Embed, path: Path, size: tuple[int, int]) -> Figures:
    """Rank-1 against each list of distractors, and TAR at FARs against the longest.

    Every ordered pair of a person's probes is one search: the one is looked for in a gallery that holds the other and
    the distractors, and is found when no distractor scores as high. A probe that failed makes its searches and
    genuine pairs fail; a distractor that failed cannot be among the gallery, which `distractors` says.

    Returns:
        "rank1" {"10": rate, ...}; "tar_at_far" {"1e-06": rate, ...}, FARs below one impostor pair's share left out,
        with "tar_error" {"1e-06": by how much the exact TAR may be above}, 0 where all scores were kept; "distractors"
        {"10": those used, ...}; "people", "probes", "searches", "failed_probes", "failed_distractors", "fte" (share
        of all pictures), "failures" {"pictures", "unreadable", "no_face"}.
    """
    megaface = read_megaface(path)
    reader = CropReader(size)
    usable, probes = _embed_probes(embed, megaface, reader)
    largest = max(megaface.lists)
    metric = VerificationMetric(exact=len(probes) * largest <= _KEPT)
    best, present = _search(embed, megaface, reader, probes, metric)
    left, right = _mated(megaface.people)
    compared = usable[left] & usable[right]
    place = np.cumsum(usable) - 1
    asked, mate = place[left[compared]], place[right[compared]]
    scores = paired_cosines(probes[asked], probes[mate])
    metric.update(scores, True)
    figures = metric.compute()
    curve = with_failures(figures.curve, compared, np.ones(len(left), dtype=np.bool_))
    fars = [far for far in FMRS[::-1] if far in figures.tar_at_far]
    failed, failed_distractors = int((~usable).sum()), int((~present).sum())
    return {
        "rank1": {str(count): float(np.sum(scores > top[asked]) / len(left)) for count, top in best.items()},
        "tar_at_far": {f"{far:g}": curve.tar_at(far) for far in fars},
        "tar_error": {f"{far:g}": figures.error_bound.tar_at_far[far] for far in fars},
        "distractors": {str(count): int(present[listed].sum()) for count, listed in megaface.lists.items()},
        "people": int(megaface.people.max()) + 1,
        "probes": len(usable),
        "searches": len(left),
        "failed_probes": failed,
        "failed_distractors": failed_distractors,
        "fte": (failed + failed_distractors) / (len(usable) + len(present)),
        "failures": reader.failures,
    }


def tables(title: str, figures: Figures) -> list[Table]:
    """One table of both parts."""
    rows = [(f"rank 1 among {count}", percent(rate)) for count, rate in figures["rank1"].items()]
    rows += rate_rows("TAR at FAR", figures["tar_at_far"])
    note = (
        f"{figures['searches']} searches of {figures['probes']} probes; {figures['failed_probes']} probes failed and "
        f"are found nowhere, {figures['failed_distractors']} distractors failed and are missing from the gallery; "
        f"{failure_text(figures['failures'])}"
    )
    return [figure_table(title, ("", "%"), rows, note)]


def _embed_probes(embed: Embed, megaface: MegafaceSet, reader: CropReader) -> tuple[NDArray[np.bool_], Float]:
    """Which probes can be used, and the unit embeddings of these."""
    usable = np.zeros(len(megaface.probes), dtype=np.bool_)
    parts = []
    crops = (reader.read(probe) for probe in track(megaface.probes, "embedding probes"))
    for places, rows in embed_crops(embed, crops, "the probes"):
        usable[places] = True
        parts.append(rows)
    if not parts:
        raise FacedistillError(f"no face could be read from any probe of {megaface.source}; check the pictures")
    return usable, np.concatenate(parts)


def _mated(people: Int) -> tuple[Int, Int]:
    """Every ordered pair of different probes of one person.

    Raises:
        FacedistillError: Nobody has two.
    """
    left, right = np.nonzero((people[:, None] == people) & ~np.eye(len(people), dtype=np.bool_))
    if not len(left):
        raise FacedistillError("no person has two probes, so nobody can be searched; take the devkit's whole list")
    return left, right


def _search(
    embed: Embed, megaface: MegafaceSet, reader: CropReader, probes: Float, metric: VerificationMetric
) -> tuple[dict[int, Float], NDArray[np.bool_]]:
    """Each probe's best score among each list's distractors, and which distractors could be embedded.

    The longest list's scores go to `metric`.
    """
    member = {count: np.zeros(len(megaface.distractors), dtype=np.bool_) for count in megaface.lists}
    for count, listed in megaface.lists.items():
        member[count][listed] = True
    best = {count: np.full(len(probes), -np.inf) for count in member}
    present = np.zeros(len(megaface.distractors), dtype=np.bool_)
    crops = (reader.read(picture) for picture in track(megaface.distractors, "embedding distractors"))
    for places, rows in embed_crops(embed, crops, "the distractors"):
        present[places] = True
        scores = np.clip(probes @ rows.T, -1.0, 1.0)
        for count, top in best.items():
            inside = scores[:, member[count][places]]
            np.maximum(top, inside.max(axis=1, initial=-np.inf), out=top)
        metric.update(scores[:, member[max(member)][places]].ravel(), False)
    if empty := [count for count, inside in member.items() if not present[inside].any()]:
        raise FacedistillError(
            f"no face could be read from any of the {empty[0]} distractors of {megaface.source}; check the pictures"
        )
    return best, present


PROTOCOL = Protocol(run, tables)
