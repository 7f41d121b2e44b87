"""Every pair of many embeddings scored: matrix products in tiles, counted on all cores in bounded memory."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import product
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from facedistill.checks import check_processes
from facedistill.errors import UsageError
from facedistill.evaluation.metrics import Int, unit_rows32

_TILE = 1024  # rows and columns: 4 MB of scores, which the caches still hold when they are counted

Tile = tuple[slice, slice]


class PairMetric(Protocol):
    """What can take scores piece by piece in several threads: one metric each, merged at the end."""

    def empty(self) -> Self:
        """One of the same settings without scores."""

    def update(self, scores: ArrayLike, same: ArrayLike) -> None:
        """Adds scores [P]; `same` is bool [P], or one bool for all."""

    def merge(self, other: Any) -> None:
        """Adds the scores of another one."""


M = TypeVar("M", bound=PairMetric)


def score_all_pairs(embeddings: ArrayLike, identities: ArrayLike, metric: M, threads: int | None = None) -> M:
    """Feeds a metric the cosine similarity of every two different pictures, each pair once.

    Products are float32, so a score is right to about 1e-7 and lies in [-1, 1].

    Args:
        embeddings: [N, D], of any length but zero; may be memory-mapped.
        identities: [N], numbers or names, whom each picture shows.
        metric: A `VerificationMetric`, for instance; what it already holds stays.
        threads: None takes one per core.

    Returns:
        The metric.

    Raises:
        UsageError: Shapes do not match.
        FacedistillError: A row is zero, NaN or infinite.
    """
    check_processes("threads", threads)
    side = _side(embeddings, np.unique(_one_axis(identities), return_inverse=True)[1], "embeddings")
    parts = _parts(len(side.rows))
    tiles = [(left, right) for number, left in enumerate(parts) for right in parts[number:]]
    return _feed(metric, side, side, tiles, threads)


def score_cross(
    probes: ArrayLike,
    probe_ids: ArrayLike,
    gallery: ArrayLike,
    gallery_ids: ArrayLike,
    metric: M,
    threads: int | None = None,
) -> M:
    """Feeds a metric the cosine similarity of every probe with every entry of the gallery.

    A picture that is on both sides meets itself there; keep it on one.

    Args:
        probes: [P, D], of any length but zero.
        probe_ids: [P], numbers or names.
        gallery: [G, D].
        gallery_ids: [G], of the same kind.
        metric: As for `score_all_pairs`, as are the threads, the result and the errors.
        threads: None takes one per core.
    """
    check_processes("threads", threads)
    names, ids = _one_axis(probe_ids), _one_axis(gallery_ids)
    numbers = np.unique(np.concatenate((names, ids)), return_inverse=True)[1]
    left = _side(probes, numbers[: len(names)], "probes")
    right = _side(gallery, numbers[len(names) :], "gallery")
    if left.rows.shape[1] != right.rows.shape[1]:
        raise UsageError(f"probes {left.rows.shape} and gallery {right.rows.shape} are of different embedding sizes")
    tiles = list(product(_parts(len(left.rows)), _parts(len(right.rows))))
    return _feed(metric, left, right, tiles, threads)


class _Side(NamedTuple):
    """Unit rows in the order of their people, so that most tiles hold impostors alone."""

    rows: NDArray[np.float32]
    people: Int


def _side(embeddings: ArrayLike, people: Int, what: str) -> _Side:
    rows = unit_rows32(embeddings, what)
    if len(rows) != len(people):
        raise UsageError(f"there are {len(people)} identities for {len(rows)} rows of {what}; give one for each")
    order = np.argsort(people, kind="stable")
    return _Side(rows[order], people[order])


def _one_axis(identities: ArrayLike) -> NDArray[Any]:
    ids = np.asarray(identities)
    if ids.ndim != 1:
        raise UsageError(f"identities must be [N], not {ids.shape}")
    return ids


def _parts(count: int) -> list[slice]:
    return [slice(start, min(start + _TILE, count)) for start in range(0, count, _TILE)]


def _feed(metric: M, left: _Side, right: _Side, tiles: Iterable[Tile], threads: int | None) -> M:
    waiting = deque(tiles)

    def work() -> M:
        mine = metric.empty()
        try:
            for tile in _taken(waiting):
                _score(mine, left, right, tile)
        except BaseException:
            waiting.clear()  # nothing is left to do for the others either
            raise
        return mine

    count = max(1, min(threads or os.cpu_count() or 1, len(waiting)))
    # The tiles are the parallelism: a product that takes all cores besides only waits for them (twice the CPU time).
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(count) as pool:
        try:
            done = [part.result() for part in [pool.submit(work) for _ in range(count)]]
        finally:
            waiting.clear()  # Ctrl-C ends the threads
    for part in done:
        metric.merge(part)
    return metric


def _taken(waiting: deque[Tile]) -> Iterator[Tile]:
    with suppress(IndexError):
        while True:
            yield waiting.popleft()


def _score(metric: PairMetric, left: _Side, right: _Side, tile: Tile) -> None:
    rows, columns = tile
    scores = left.rows[rows] @ right.rows[columns].T
    np.clip(scores, -1.0, 1.0, out=scores)
    people, others = left.people[rows], right.people[columns]
    strangers = people[-1] < others[0] or others[-1] < people[0]
    if left is right and rows == columns:
        above = np.triu(np.ones(scores.shape, dtype=bool), 1)
        metric.update(scores[above], (people[:, None] == others)[above])
    else:
        metric.update(scores.ravel(), False if strangers else (people[:, None] == others).ravel())
