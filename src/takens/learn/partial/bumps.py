"""Test functions of compact support on a uniform axis, and how wide they should be."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.polynomial import Polynomial


@dataclasses.dataclass(frozen=True)
class Axis:
    """Test functions ``(1 - s^2)^power`` along one axis, at regularly spaced centres.

    Parameters
    ----------
    n_points : int
        Points of the grid.
    step : float
        Between two points.
    half_width : int
        Of a test function, in points; it vanishes at this distance from its centre.
    power : int
        Of the bump; derivatives below this order vanish at the rim.
    stride : int
        Points between two centres.
    periodic : bool
        Whether the axis closes on itself.
    """

    n_points: int
    step: float
    half_width: int
    power: int
    stride: int
    periodic: bool

    @functools.cached_property
    def centres(self) -> np.ndarray:
        """Indices of the centres; none where a test function would leave an open axis."""
        if self.periodic:
            count = max(self.n_points // self.stride, 1)
            return np.arange(count) * self.n_points // count  # evenly round the axis
        room = self.n_points - 1 - 2 * self.half_width
        return self.half_width + room % self.stride // 2 + np.arange(0, room + 1, self.stride)

    @functools.cached_property
    def offsets(self) -> np.ndarray:
        """Of the points of one support from its centre."""
        return np.arange(-self.half_width, self.half_width + 1)

    @functools.lru_cache(maxsize=64)  # noqa: B019 - axes are few and small
    def matrix(self, order: int) -> np.ndarray:
        """Derivatives of the test functions times the quadrature weight: (centre, point)."""
        bump = Polynomial([1, 0, -1]) ** self.power
        slope = (bump.deriv(order) if order else bump)(self.offsets / self.half_width)
        weights = slope / self.half_width ** (order + 1) / self.step**order
        rows = np.zeros((len(self.centres), self.n_points))
        columns = (self.centres[:, None] + self.offsets) % self.n_points
        np.add.at(rows, (np.arange(len(rows))[:, None], columns), weights)
        return rows

    @functools.lru_cache(maxsize=256)  # noqa: B019 - axes are few and small
    def overlap(self, first: int, second: int) -> np.ndarray:
        """Sums of products of two derivatives: (centre, centre)."""
        return np.asarray(self.matrix(first) @ self.matrix(second).T)
