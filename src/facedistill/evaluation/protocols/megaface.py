"""MegaFace-style search (Kemelmacher-Shlizerman et al. 2016): one photo of a person among ever more distractors.

On disk: a folder that holds `facescrub/` and `megaface/` with the pictures and, in `templatelists` or in itself, the
devkit's lists: `facescrub_features_list.json` with {"path": [...], "id": [...]}, and for N = 10, 100, ..., 1000000 as
far as they go `megaface_features_list.json_N_1` with {"path": [...]}. Pictures of a crop convention's size (112x96,
112x112, 150x150) are taken as aligned; in all others the detector looks for the face.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from facedistill.datasets.megaface import MegafaceSet, read_megaface
from facedistill.errors import FacedistillError
from facedistill.evaluation.metrics import Float, paired_cosines
from facedistill.evaluation.protocols.crops import CropReader, at_rows, embed_crops
from facedistill.evaluation.protocols.pairs import failure_text, with_failures
from facedistill.evaluation.protocols.protocol import Figures, Protocol, figure_table, percent, rate_rows
from facedistill.evaluation.streaming import FMRS, VerificationMetric
from facedistill.evaluation.sweep import Embed
from facedistill.model_file import NATIVE
from facedistill.progress import track

_KEPT = 20_000_000  # impostor scores that are kept, 160 MB; more are counted in a histogram

Int = NDArray[np.int64]


def run(
    embed: Embed, path: Path, size: tuple[int, int], *, resolutions: Sequence[int] = (), exact: bool = False
) -> Figures:
    """Rank-1 against each list of distractors, and TAR at FARs against the longest.

    Every ordered pair of a person's probes is one search: the one is looked for in a gallery that holds the other and
    the distractors, and is found when no distractor scores as high. A probe that failed makes its searches and
    genuine pairs fail; a distractor that failed cannot be among the gallery, which `distractors` says.

    Args:
        embed: As in `evaluate`.
        path: The set's folder.
        size: As in `evaluate`.
        resolutions: Rows to which the face that is looked for is shrunk besides; the gallery stays native.
        exact: Keep all impostor scores, 8 bytes each, also where they are more than 20 million.

    Returns:
        "rank1" {"10": rate, ...}; "tar_at_far" {"1e-06": rate, ...}, FARs below one impostor pair's share left out,
        with "tar_error" {"1e-06": by how much the exact TAR may be above}, 0 where all scores were kept; "distractors"
        {"10": those used, ...}; "people", "probes", "searches", "failed_probes", "failed_distractors", "fte" (share
        of all pictures), "failures" {"pictures", "unreadable", "no_face"}. With resolutions also "sweep"
        {"16": {"rank1", "tar_at_far", "tar_error"}, ...}.
    """
    megaface = read_megaface(path)
    reader = CropReader(size)
    usable, native = _embed_probes(embed, megaface, reader)
    asked = {NATIVE: native} | {
        str(rows): _embed_probes(at_rows(embed, rows), megaface, CropReader(size))[1] for rows in resolutions
    }
    kept = exact or len(native) * max(megaface.lists) <= _KEPT
    metrics = {name: VerificationMetric(exact=kept) for name in asked}
    best, present = _search(embed, megaface, reader, asked, metrics)
    cells = {name: _judge(megaface, usable, rows, native, best[name], metrics[name]) for name, rows in asked.items()}
    failed, failed_distractors = int((~usable).sum()), int((~present).sum())
    figures: Figures = {
        **cells.pop(NATIVE),
        "distractors": {str(count): int(present[listed].sum()) for count, listed in megaface.lists.items()},
        "people": int(megaface.people.max()) + 1,
        "probes": len(usable),
        "searches": len(_mated(megaface.people)[0]),
        "failed_probes": failed,
        "failed_distractors": failed_distractors,
        "fte": (failed + failed_distractors) / (len(usable) + len(present)),
        "failures": reader.failures,
    }
    return {**figures, "sweep": cells} if cells else figures


def _judge(
    megaface: MegafaceSet,
    usable: NDArray[np.bool_],
    probes: Float,
    mates: Float,
    best: dict[int, Float],
    metric: VerificationMetric,
) -> Figures:
    """Rank-1 and TAR at FARs; `metric` holds the impostor scores, `best` each probe's best distractor."""
    left, right = _mated(megaface.people)
    compared = usable[left] & usable[right]
    place = np.cumsum(usable) - 1
    asked = place[left[compared]]
    scores = paired_cosines(probes[asked], mates[place[right[compared]]])
    metric.update(scores, True)
    figures = metric.compute()
    curve = with_failures(figures.curve, compared, np.ones(len(left), dtype=np.bool_))
    fars = [far for far in FMRS[::-1] if far in figures.tar_at_far]
    return {
        "rank1": {str(count): float(np.sum(scores > top[asked]) / len(left)) for count, top in best.items()},
        "tar_at_far": {f"{far:g}": curve.tar_at(far) for far in fars},
        "tar_error": {f"{far:g}": figures.error_bound.tar_at_far[far] for far in fars},
    }


def tables(title: str, figures: Figures) -> list[Table]:
    """One table of both parts, and one a resolution."""
    sweep = figures.get("sweep", {}).items()
    cells = [(title, figures)] + [(f"{title}, probes at {rows} rows", {**figures, **cell}) for rows, cell in sweep]
    return [_table(name, cell) for name, cell in cells]


def _table(title: str, figures: Figures) -> Table:
    rows = [(f"rank 1 among {count}", percent(rate)) for count, rate in figures["rank1"].items()]
    rows += rate_rows("TAR at FAR", figures["tar_at_far"])
    note = (
        f"{figures['searches']} searches of {figures['probes']} probes; {figures['failed_probes']} probes failed and "
        f"are found nowhere, {figures['failed_distractors']} distractors failed and are missing from the gallery; "
        f"{failure_text(figures['failures'])}"
    )
    return figure_table(title, ("", "%"), rows, note)


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
    embed: Embed,
    megaface: MegafaceSet,
    reader: CropReader,
    probes: dict[str, Float],
    metrics: dict[str, VerificationMetric],
) -> tuple[dict[str, dict[int, Float]], NDArray[np.bool_]]:
    """By condition each probe's best score among each list's distractors, and which distractors could be embedded.

    The longest list's scores go to `metrics`.
    """
    member = {count: np.zeros(len(megaface.distractors), dtype=np.bool_) for count in megaface.lists}
    for count, listed in megaface.lists.items():
        member[count][listed] = True
    best = {name: {count: np.full(len(rows), -np.inf) for count in member} for name, rows in probes.items()}
    present = np.zeros(len(megaface.distractors), dtype=np.bool_)
    crops = (reader.read(picture) for picture in track(megaface.distractors, "embedding distractors"))
    for places, rows in embed_crops(embed, crops, "the distractors"):
        present[places] = True
        for name, asked in probes.items():
            scores = np.clip(asked @ rows.T, -1.0, 1.0)
            for count, top in best[name].items():
                inside = scores[:, member[count][places]]
                np.maximum(top, inside.max(axis=1, initial=-np.inf), out=top)
            metrics[name].update(scores[:, member[max(member)][places]].ravel(), False)
    if empty := [count for count, inside in member.items() if not present[inside].any()]:
        raise FacedistillError(
            f"no face could be read from any of the {empty[0]} distractors of {megaface.source}; check the pictures"
        )
    return best, present


PROTOCOL = Protocol(run, tables)
