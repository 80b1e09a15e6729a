"""A stretch of a line with Chebyshev nodes: functions known there are known, and integrated, everywhere."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

WIDE = 5.0  # ratio of the largest to the smallest positive sample, above which logarithms are taken

ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """Chebyshev nodes between two ends of x, or of log x, and the matrices that belong to them.

    Parameters
    ----------
    low, high : float
        Ends, in the coordinate s.
    logarithmic : bool
        Whether s is log x.
    nodes : array, shape (node,)
        In s.
    coefficients : array, shape (node, node)
        From values at the nodes to Chebyshev coefficients.
    slope : array, shape (node, node)
        From Chebyshev coefficients to derivatives by s at the nodes.
    """

    low: float
    high: float
    logarithmic: bool
    nodes: np.ndarray
    coefficients: np.ndarray
    slope: np.ndarray

    @classmethod
    def over(cls, x: np.ndarray, count: int, below: float = 0.0, above: float = 0.0) -> Chart:
        """Around the samples `x`, with margins in state units that do not reach zero."""
        low, high = float(x.min()), float(x.max())
        positive = low > 0
        logarithmic = positive and high > WIDE * low
        bottom, top = low - below, high + above
        if positive:
            bottom = max(bottom, 0.5 * low if logarithmic else 0.25 * low)
        if logarithmic:
            bottom, top = np.log(bottom), np.log(top)
        k = np.arange(count)
        unit = -np.cos(np.pi * (k + 0.5) / count)
        inverse = np.linalg.inv(chebyshev.chebvander(unit, count - 1))
        columns = [chebyshev.chebval(unit, chebyshev.chebder(e)) for e in np.eye(count)]
        half = 0.5 * (top - bottom)
        return cls(
            low=float(bottom),
            high=float(top),
            logarithmic=bool(logarithmic),
            nodes=bottom + half * (1 + unit),
            coefficients=inverse,
            slope=np.stack(columns, axis=1) / half,
        )

    @property
    def x(self) -> np.ndarray:
        """The nodes in state units."""
        return np.exp(self.nodes) if self.logarithmic else self.nodes

    @property
    def dx_ds(self) -> np.ndarray:
        """Derivative of x by the coordinate at the nodes."""
        return self.x if self.logarithmic else np.ones_like(self.nodes)

    def by_x(self, values: np.ndarray) -> np.ndarray:
        """Derivative by x of a function given at the nodes, at the nodes."""
        found = self.coefficients @ values
        size = np.abs(found)
        # What is below rounding is cut off, or each derivative would multiply it by thousands.
        last = int(np.flatnonzero(size >= ROUNDING * size.max())[-1]) + 1
        return np.asarray((self.slope[:, :last] @ found[:last]) / self.dx_ds)

    def coordinate(self, x: Any) -> np.ndarray:
        """Where states lie."""
        return np.log(x) if self.logarithmic else np.asarray(x, float)

    def values_at(self, x: np.ndarray) -> np.ndarray:
        """Matrix from values at the nodes to values at `x`, shape (x, node)."""
        return np.asarray(self._vander(x, len(self.nodes) - 1) @ self.coefficients)

    def integral_to(self, x: np.ndarray) -> np.ndarray:
        """Matrix from a function of s at the nodes to its integral from the lower end to `x`."""
        count = len(self.nodes)
        half = 0.5 * (self.high - self.low)
        up = np.stack([chebyshev.chebint(e, lbnd=-1) for e in np.eye(count)], axis=1) * half
        return np.asarray(self._vander(x, count) @ (up @ self.coefficients))

    def _vander(self, x: np.ndarray, degree: int) -> np.ndarray:
        unit = (2 * self.coordinate(x) - self.low - self.high) / (self.high - self.low)
        return chebyshev.chebvander(np.clip(unit, -1, 1), degree)
