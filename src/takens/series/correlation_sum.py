"""Correlation sums of all pairs, kept by blocks of time so that time can be resampled."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.series.observable import DelayVectors

N_BLOCKS = 16
MAX_POINTS = 30_000  # longer records are thinned to this many states
MAX_PAIRS = 60_000_000


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class CorrelationSums:
    """How many pairs are closer than each radius, for each embedding dimension.

    Parameters
    ----------
    dimensions : array of int, shape (n_dimensions,)
    radii : array, shape (n_radii,)
        Increasing, in standard deviations; of the maximum norm, or Euclidean where asked.
    counts : array, shape (n_dimensions, n_radii)
        Pairs more than the Theiler window apart and closer than the radius.
    without : array, shape (n_blocks, n_dimensions, n_radii)
        The same when all pairs that touch one block of time are left out: a jackknife over time.
    n_pairs : int
        Pairs looked at.
    near_counts : array, shape (n_dimensions, n_radii)
        Of the counts, those within one block of time or between two neighbouring ones.
    near_share : float
        Share of all pairs that are so near in time.
    stride : int
        Every how many states one was used.
    row_stride : int
        Of these, every how many one was compared with all others.
    """

    dimensions: np.ndarray
    radii: np.ndarray
    counts: np.ndarray
    without: np.ndarray
    n_pairs: int
    near_counts: np.ndarray
    near_share: float
    stride: int
    row_stride: int

    @property
    def sums(self) -> np.ndarray:
        """Shares of pairs, shape (n_dimensions, n_radii)."""
        return self.counts / max(self.n_pairs, 1)


def correlation_sums(
    vectors: DelayVectors,
    dimensions: np.ndarray,
    *,
    theiler: int,
    n_blocks: int = N_BLOCKS,
    max_points: int = MAX_POINTS,
    max_pairs: int = MAX_PAIRS,
    euclidean: bool = False,
) -> CorrelationSums:
    r"""Count all pairs of delay vectors by their distance in several embedding dimensions at once.

    .. math:: C_m(r) = \frac{1}{n} \#\{i < j - w : \max_{k < m} |x_{i-k\tau} - x_{j-k\tau}| < r\}

    The maximum norm makes the distance in ``m + 1`` dimensions that in ``m`` and one more
    difference, so that one pass serves all; the ratio of two successive curves is then the
    probability to stay close for one more step, which is what the entropy asks.

    Parameters
    ----------
    vectors : DelayVectors
        Of the largest dimension asked; the newest block comes first, so a smaller dimension is
        the beginning of a vector and every dimension sees the same pairs.
    dimensions : array of int
        Increasing, the last at most ``vectors.dimension``.
    theiler : int
        Pairs at most this many samples apart are left out.
    n_blocks : int
        Blocks of time for the jackknife.
    max_points, max_pairs : int
        Beyond `max_points` states every `stride`-th is used; beyond `max_pairs` pairs, every
        `row_stride`-th state is compared with all later ones.
    euclidean : bool
        Whether distances are Euclidean instead of in the maximum norm.

    Notes
    -----
    Cost: about 0.7 ns for each pair and dimension; memory O(N).

    References
    ----------
    Grassberger and Procaccia (1983), Physica D 9, 189; Theiler (1986), Phys. Rev. A 34, 2427.
    """
    from takens.series.kernels import side_by_side
    from takens.series.kernels.correlation import bin_edges, pair_counts

    total = len(vectors.clock)
    stride = max(1, -(-total // max_points))
    points, clock = vectors.points[::stride], vectors.clock[::stride]
    n = len(clock)
    width = vectors.n_components
    columns = np.ascontiguousarray(points[:, : int(dimensions[-1]) * width].T)
    first = np.searchsorted(clock, clock + theiler, side="right")
    row_stride = max(1, -(-(n * n // 2) // max_pairs))
    parts = [p for p in np.array_split(np.arange(n), n_blocks) if len(p)]
    tiles = [(a, b) for a in range(len(parts)) for b in range(a, len(parts))]
    counted = side_by_side(
        lambda a, b: pair_counts(
            columns,
            np.ascontiguousarray(parts[a][::row_stride]),
            width,
            first,
            int(parts[b][0]),
            int(parts[b][-1]) + 1,
            int(dimensions[0]),
            euclidean,
        ),
        tiles,
    )
    whole = np.sum(counted, axis=0)
    touching = np.zeros((len(parts), *whole.shape), dtype=np.int64)
    near = np.zeros_like(whole)
    for (a, b), tile in zip(tiles, counted, strict=True):
        near += tile if b - a <= 1 else 0
        touching[a] += tile
        if b != a:
            touching[b] += tile
    kept = np.asarray(dimensions) - int(dimensions[0])
    counts = np.cumsum(whole, axis=1)[kept]
    return CorrelationSums(
        dimensions=np.asarray(dimensions),
        radii=np.sqrt(bin_edges()) if euclidean else bin_edges(),
        counts=counts,
        without=np.cumsum(whole - touching, axis=2)[:, kept],
        n_pairs=int(counts[0, -1]),
        near_counts=np.cumsum(near, axis=1)[kept],
        near_share=float(near[0].sum() / max(whole[0].sum(), 1)),
        stride=stride,
        row_stride=row_stride,
    )
