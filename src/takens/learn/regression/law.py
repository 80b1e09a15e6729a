"""What a sparse regression reports."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.core import Status
from takens.learn.sparse.law import AbstractLaw


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RegressionLaw(AbstractLaw):
    """A law found by linear regression; see `takens.learn.SparseRegression`.

    Parameters
    ----------
    explained : array, shape (dim,)
        Share of the variance of each left side that the law accounts for, noise left out where its
        size is known. Of the rows of the form: slopes, projections, integrals, next values.
    measurement_noise : array, shape (dim,)
        Standard deviation of the noise that the form assumed, in the units of the columns; zero
        where it assumes none.
    inclusion : array, shape (term, dim)
        Share of the members of the ensemble that select each term; without an ensemble one where it
        stands and zero elsewhere.
    lower, upper : array, shape (term, dim)
        Ends of the intervals.
    intervals_from : str
        Where they come from.
    path : tuple of (int, float)
        Number of coefficients and misfit along the selection, one law after the other.
    """

    explained: np.ndarray
    measurement_noise: np.ndarray
    inclusion: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    intervals_from: str
    path: tuple[tuple[int, float], ...]

    @property
    def method(self) -> str:
        """As the result says."""
        return self.intervals_from

    def interval(self, k: int, i: int) -> tuple[float, float]:
        """Of term `k` in equation `i`."""
        return float(self.lower[k, i]), float(self.upper[k, i])

    def by_equation(self) -> dict[str, np.ndarray]:
        """What the law accounts for, and the noise."""
        return {"explained": self.explained, "measurement_noise": self.measurement_noise}

    def summary(self) -> str:
        """The equations, or why there are none."""
        if self.status is not Status.OK:
            return self.status.value
        stands = int(self.support.sum())
        doubtful = [
            f"{self.terms[k]} in {self.names[i]} ({self.inclusion[k, i]:.0%})"
            for i, k in np.argwhere(self.support.T & (self.inclusion.T < 0.9))
        ]
        lines = [
            *self.equations,
            f"{stands} of {self.support.size} coefficients, {self.n_samples} samples; in brackets "
            f"the standard error of the last digits ({self.intervals_from}).",
            f"The law accounts for at least {float(self.explained.min()):.2%} of each left side.",
        ]
        if doubtful:
            lines.append(f"Selected in fewer than 90 % of the ensemble: {', '.join(doubtful)}.")
        return "\n".join(lines)
