"""Second moments of regressors and targets, accumulated piece by piece, and what they determine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Moments:
    r"""Normal equations of a linear regression :math:`Y \approx A C`.

    Parameters
    ----------
    gram : array, shape (regressor, regressor)
        :math:`A^\top A`.
    cross : array, shape (regressor, target)
        :math:`A^\top Y`.
    square : array, shape (target, target)
        :math:`Y^\top Y`.
    count : int
        Number of rows.
    """

    gram: np.ndarray
    cross: np.ndarray
    square: np.ndarray
    count: int

    def part(self, columns: np.ndarray) -> Moments:
        """The normal equations of a regression on some of the regressors."""
        return Moments(
            gram=self.gram[np.ix_(columns, columns)],
            cross=self.cross[columns],
            square=self.square,
            count=self.count,
        )

    def solve(self, penalty: np.ndarray | float = 0.0) -> np.ndarray:
        """Coefficients (regressor, target) that minimise squared error plus `penalty`.

        `penalty` is a matrix or a multiple of the identity that is added to `gram`. Directions
        that rounding cannot tell from zero get no weight.
        """
        matrix = self.gram + (penalty if np.ndim(penalty) else penalty * np.eye(len(self.gram)))
        size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
        scaled = matrix / np.outer(size, size)
        values, vectors = np.linalg.eigh(scaled)
        keep = values > 1e-14 * values[-1]
        rotated = vectors[:, keep].T @ (self.cross / size[:, None])
        return np.asarray((vectors[:, keep] @ (rotated / values[keep, None])) / size[:, None])

    def residual_covariance(self, coefficients: np.ndarray) -> np.ndarray:
        """Mean product of residuals, (target, target), at given coefficients."""
        cross = coefficients.T @ self.cross
        total = self.square - cross - cross.T + coefficients.T @ self.gram @ coefficients
        return np.asarray(total / self.count)


def moments(
    regressors: Callable[[np.ndarray], np.ndarray],
    past: np.ndarray,
    future: np.ndarray,
    *,
    chunk: int = 20_000,
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
    gram, cross, square = 0.0, 0.0, 0.0
    for start in range(0, len(past), chunk):
        design = regressors(past[start : start + chunk])
        target = future[start : start + chunk]
        gram = gram + design.T @ design
        cross = cross + design.T @ target
        square = square + target.T @ target
    return Moments(
        gram=np.asarray(gram), cross=np.asarray(cross), square=np.asarray(square), count=len(past)
    )


def with_intercept(rows: np.ndarray) -> np.ndarray:
    """Rows with a leading column of ones."""
    return np.concatenate([np.ones((len(rows), 1)), rows], axis=1)
