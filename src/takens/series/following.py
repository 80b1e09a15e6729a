"""Neighbours of delay vectors and where they lie in the record, for whatever follows pairs."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.series.observable import Observable, delay_vectors, neighbours

MAX_LIBRARY = 100_000


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Pairs:
    """Reference points with their nearest neighbours, as places in one padded series.

    Parameters
    ----------
    series : array, shape (n_places, n_components)
        All records one after another, NaN where a sample is missing and between records.
    starts : array of int, shape (n_references,)
        Place of the newest sample of each reference.
    partners : array of int, shape (n_references, n_neighbours)
        The same of its neighbours, nearest first; -1 where there is none.
    distances : array, shape (n_references, n_neighbours)
        In delay space, Euclidean, in standard deviations.
    """

    series: np.ndarray
    starts: np.ndarray
    partners: np.ndarray
    distances: np.ndarray


def find_pairs(
    view: Observable,
    dimension: int,
    delay: int,
    *,
    theiler: int,
    n_neighbours: int,
    padding: int,
    max_references: int,
) -> Pairs:
    """Nearest neighbours, more than `theiler` samples away in time, of evenly spread references.

    Missing samples are neither bridged nor joined over: a vector that holds one is left out.

    Notes
    -----
    Cost: O(N log N) for the tree and O(log N) for each reference; memory O(N).
    """
    vectors = delay_vectors(view.gapped, dimension, delay)
    width = view.n_components
    pieces: list[np.ndarray] = []
    first: list[int] = []
    for values in view.gapped:
        first.append(sum(len(piece) for piece in pieces))
        pieces += [values, np.full((padding + 1, width), np.nan)]
    lengths = np.array([len(values) for values in view.gapped])
    clocks = np.concatenate([[0], np.cumsum(lengths + 10_000_000)[:-1]])
    record = np.searchsorted(clocks, vectors.clock, side="right") - 1
    place = np.array(first)[record] + vectors.clock - clocks[record] + (dimension - 1) * delay
    n = len(place)
    library = np.arange(n)[:: max(1, -(-n // MAX_LIBRARY))]
    references = np.arange(n)[:: max(1, -(-n // max_references))]
    distances, which = neighbours(
        vectors.points[library],
        vectors.clock[library],
        vectors.points[references],
        vectors.clock[references],
        k=n_neighbours,
        theiler=theiler,
    )
    return Pairs(
        series=np.ascontiguousarray(np.concatenate(pieces)),
        starts=place[references],
        partners=np.where(which >= 0, place[library][which], -1),
        distances=distances,
    )
