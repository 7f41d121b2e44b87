"""Closed-set 1:N identification: who of the gallery is this?"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facedistill.checks import check_count
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation.metrics import Float, Int, unit_rows

_PROBES_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class IdentificationResult:
    """The figures of a closed-set search.

    Attributes:
        rank_k: k -> share of probes (0..1) whose own identity is among the k best of the gallery.
        ranks: int64 [P], the rank at which each probe's identity was found, 1 = first.
        identities: Number of identities in the gallery.
    """

    rank_k: dict[int, float]
    ranks: Int
    identities: int

    @property
    def cmc(self) -> Float:
        """Cumulative match characteristic: float64 [identities], the rank-k rate for k = 1, 2, ..."""
        found = np.bincount(self.ranks, minlength=self.identities + 1)[1:]
        return np.cumsum(found) / len(self.ranks)


def identify(
    gallery: ArrayLike,
    gallery_ids: ArrayLike,
    probes: ArrayLike,
    probe_ids: ArrayLike,
    ranks: Iterable[int] = (1, 5, 10),
) -> IdentificationResult:
    """Searches each probe in the gallery by cosine similarity.

    A probe's score for an identity is its best over that identity's gallery pictures. An identity with the same
    score as the probe's own is ranked before it: a system gains nothing by giving everybody the same score.

    Args:
        gallery: Embeddings [G, D] of any length but zero.
        gallery_ids: int [G].
        probes: Embeddings [P, D].
        probe_ids: int [P]; each must occur in the gallery.
        ranks: The k to report, each at least 1.

    Raises:
        UsageError: Shapes do not match, or a rank is below 1.
        FacedistillError: A row is zero or NaN, there is no probe, or a probe's identity is not in the gallery.
    """
    known, queries = unit_rows(gallery, "gallery"), unit_rows(probes, "probes")
    known_ids, query_ids = np.asarray(gallery_ids), np.asarray(probe_ids)
    wanted = [check_count("a rank", rank) for rank in ranks]
    if known_ids.shape != known.shape[:1] or query_ids.shape != queries.shape[:1] or known.shape[1] != queries.shape[1]:
        raise UsageError(
            f"gallery {known.shape} with ids {known_ids.shape} and probes {queries.shape} with ids {query_ids.shape} "
            "do not fit; they must be [G, D], [G], [P, D] and [P]"
        )
    if len(queries) == 0:
        raise FacedistillError("there is no probe to identify")
    if strangers := int(np.count_nonzero(~np.isin(query_ids, known_ids))):
        raise FacedistillError(
            f"{strangers} of {len(query_ids)} probes show a person who is not in the gallery; "
            "closed-set identification wants everybody there: leave them out or add their pictures"
        )
    order = np.argsort(known_ids, kind="stable")
    people, starts = np.unique(known_ids[order], return_index=True)
    mates = np.searchsorted(people, query_ids)
    found = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), _PROBES_AT_ONCE):
        part = slice(start, start + _PROBES_AT_ONCE)
        scores = np.maximum.reduceat(queries[part] @ known[order].T, starts, axis=1)
        own = np.take_along_axis(scores, mates[part, None], axis=1)
        found[part] = np.count_nonzero(scores >= own, axis=1)  # its own score is among them
    return IdentificationResult(
        rank_k={k: float(np.mean(found <= k)) for k in wanted}, ranks=found, identities=len(people)
    )
