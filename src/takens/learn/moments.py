"""Second moments of regressors and targets, accumulated piece by piece, and what they determine.

Every linear estimator of the package rests on these sums. They are added up over chunks of rows and
over records, kept apart by blocks where an ensemble or a cross-validation needs that, and are taken
about the mean, so that a large mean costs no digits. Which rows make a pair is decided before: sums
know no time, and so nothing is joined across the end of a record here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from takens.core import InvalidInput

CHUNK = 8192  # rows at a time: a few dozen columns of them stay in the processor's cache


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Moments:
    r"""Normal equations of a linear regression :math:`Y \approx A C`.

    The columns of `A` and `Y` stand side by side, :math:`Z = [A, Y]`.

    Parameters
    ----------
    n_regressors : int
        Columns of `A`.
    count : float
        Number of rows; with weights, their sum.
    mean : array, shape (column,)
        Mean of each column of `Z`.
    spread : array, shape (column, column)
        Sum of the products of the deviations from it.

    Notes
    -----
    Two sums are merged by the formula of Chan, Golub and LeVeque (The American Statistician 37,
    242, 1983), which loses no digits to the size of the mean. Cost of a chunk: one product of the
    matrix with its own transpose, half the operations of a general one.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> sums = Moments.empty(1, 1).update(x[:20], 3 * x[:20]).update(x[20:], 3 * x[20:])
    >>> sums.count, round(float(sums.solve()[0, 0]), 6)
    (50, 3.0)
    """

    n_regressors: int
    count: float
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def empty(cls, n_regressors: int, n_targets: int) -> Moments:
        """Of no rows."""
        width = n_regressors + n_targets
        return cls(
            n_regressors=n_regressors,
            count=0,
            mean=np.zeros(width),
            spread=np.zeros((width, width)),
        )

    @classmethod
    def of_columns(cls, columns: np.ndarray, n_regressors: int) -> Moments:
        """Of columns as rows of an array, (column, row), which is overwritten."""
        if columns.shape[1] == 0:
            return cls.empty(n_regressors, len(columns) - n_regressors)
        mean = columns.mean(axis=1)
        columns -= mean[:, None]
        return cls(
            n_regressors=n_regressors,
            count=columns.shape[1],
            mean=mean,
            spread=columns @ columns.T,
        )

    def update(self, regressors: np.ndarray, targets: np.ndarray) -> Moments:
        """These sums and those of more rows, (row, regressor) and (row, target)."""
        wide = (self.n_regressors, len(self.mean) - self.n_regressors)
        if len(regressors) != len(targets) or (regressors.shape[1], targets.shape[1]) != wide:
            raise InvalidInput(
                f"rows of shape {regressors.shape} and {targets.shape} were given; expected the same "
                f"number of rows of {wide[0]} regressors and {wide[1]} targets."
            )
        stack = np.empty((len(self.mean), len(regressors)))
        stack[: self.n_regressors], stack[self.n_regressors :] = regressors.T, targets.T
        return self + Moments.of_columns(stack, self.n_regressors)

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        share = other.count / count
        return Moments(
            n_regressors=self.n_regressors,
            count=count,
            mean=self.mean + share * apart,
            spread=self.spread + other.spread + self.count * share * np.outer(apart, apart),
        )

    @property
    def gram(self) -> np.ndarray:
        r""":math:`A^\top A`, (regressor, regressor)."""
        k = self.n_regressors
        return self.spread[:k, :k] + self.count * np.outer(self.mean[:k], self.mean[:k])

    @property
    def cross(self) -> np.ndarray:
        r""":math:`A^\top Y`, (regressor, target)."""
        k = self.n_regressors
        return self.spread[:k, k:] + self.count * np.outer(self.mean[:k], self.mean[k:])

    @property
    def square(self) -> np.ndarray:
        r""":math:`Y^\top Y`, (target, target)."""
        k = self.n_regressors
        return self.spread[k:, k:] + self.count * np.outer(self.mean[k:], self.mean[k:])

    def centred(self) -> Moments:
        """Those of the deviations from the mean: the regression with an intercept, without it."""
        return dataclasses.replace(self, mean=np.zeros_like(self.mean))

    def part(self, columns: np.ndarray) -> Moments:
        """The normal equations of a regression on some of the regressors."""
        kept = np.r_[np.asarray(columns), self.n_regressors : len(self.mean)]
        return Moments(
            n_regressors=len(columns),
            count=self.count,
            mean=self.mean[kept],
            spread=self.spread[np.ix_(kept, kept)],
        )

    def solve(self, penalty: np.ndarray | float = 0.0) -> np.ndarray:
        """Coefficients (regressor, target) that minimise squared error plus `penalty`.

        `penalty` is a matrix or a multiple of the identity that is added to `gram`. Directions
        that rounding cannot tell from zero get no weight.
        """
        matrix = self.gram + (penalty if np.ndim(penalty) else penalty * np.eye(self.n_regressors))
        size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
        scaled = matrix / np.outer(size, size)
        values, vectors = np.linalg.eigh(scaled)
        keep = values > 1e-14 * values[-1]
        rotated = vectors[:, keep].T @ (self.cross / size[:, None])
        return np.asarray((vectors[:, keep] @ (rotated / values[keep, None])) / size[:, None])

    def residual_covariance(self, coefficients: np.ndarray) -> np.ndarray:
        """Mean product of residuals, (target, target), at given coefficients."""
        row = np.concatenate([-coefficients, np.eye(len(self.mean) - self.n_regressors)])
        mean = self.mean @ row
        return np.asarray(row.T @ self.spread @ row / self.count + np.outer(mean, mean))


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class MomentBlocks:
    """Sums kept apart by blocks of rows: any weighting of the blocks costs no look at the data.

    Parameters
    ----------
    n_regressors : int
    counts : array, shape (block,)
    means : array, shape (block, column)
    spreads : array, shape (block, column, column)
        As in `Moments`, block by block.

    Notes
    -----
    Memory: 8 bytes times blocks times columns squared, whatever the number of rows.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 60)[:, None]
    >>> parts = [Moments.empty(1, 1).update(x[i::3], x[i::3] ** 2) for i in range(3)]
    >>> blocks = MomentBlocks.of(parts)
    >>> len(blocks), blocks.total.count, blocks.weighted(np.array([2, 0, 1])).count
    (3, 60.0, 60.0)
    """

    n_regressors: int
    counts: np.ndarray
    means: np.ndarray
    spreads: np.ndarray

    @classmethod
    def of(cls, parts: Sequence[Moments]) -> MomentBlocks:
        """One block for each of the given sums."""
        return cls(
            n_regressors=parts[0].n_regressors,
            counts=np.array([p.count for p in parts], dtype=float),
            means=np.stack([p.mean for p in parts]),
            spreads=np.stack([p.spread for p in parts]),
        )

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def total(self) -> Moments:
        """Of all blocks."""
        return self.weighted(np.ones(len(self)))

    def weighted(self, weights: np.ndarray) -> Moments:
        """Every block as often as its weight says: a bootstrap draw, or a fold left out at zero."""
        share = np.asarray(weights, dtype=float) * self.counts
        count = float(share.sum())
        mean = share @ self.means / max(count, 1e-300)
        apart = self.means - mean
        spread = np.tensordot(weights, self.spreads, 1) + (share * apart.T) @ apart
        return Moments(
            n_regressors=self.n_regressors, count=count, mean=mean, spread=np.asarray(spread)
        )

    def scores(self, coefficients: np.ndarray) -> np.ndarray:
        r"""Sums of regressor times residual in each block, (block, regressor, target)."""
        k = self.n_regressors
        row = np.concatenate([-coefficients, np.eye(self.means.shape[1] - k)])
        about = self.counts[:, None, None] * self.means[:, :k, None] * (self.means @ row)[:, None]
        return np.asarray(self.spreads[:, :k] @ row + about)


def accumulated(pieces: Iterable[tuple[np.ndarray, np.ndarray]]) -> Moments:
    """Sums over pieces of rows, such as chunks of a record or whole records: (regressors, targets)."""
    total: Moments | None = None
    for regressors, targets in pieces:
        if total is None:
            total = Moments.empty(regressors.shape[1], targets.shape[1])
        total = total.update(regressors, targets)
    if total is None:
        raise InvalidInput("no rows were given. Give at least one piece.")
    return total


def moments(
    regressors: Callable[[np.ndarray], np.ndarray],
    past: np.ndarray,
    future: np.ndarray,
    *,
    chunk: int = CHUNK,
) -> Moments:
    """Accumulate the normal equations over chunks of rows, so that memory stays bounded.

    Parameters
    ----------
    regressors : callable
        From rows of `past` to rows of regressors.
    past : array, shape (pair, variable)
    future : array, shape (pair, target)
    chunk : int
        Rows held at once.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> sums = moments(lambda rows: rows, x, 3 * x)
    >>> round(float(sums.solve()[0, 0]), 6)
    3.0
    """
    return accumulated(
        (regressors(past[start : start + chunk]), future[start : start + chunk])
        for start in range(0, max(len(past), 1), chunk)
    )


def with_intercept(rows: np.ndarray) -> np.ndarray:
    """Rows with a leading column of ones."""
    return np.concatenate([np.ones((len(rows), 1)), rows], axis=1)
