"""The hidden layer of a small network."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.learn.partly.field import AbstractBasis


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class HiddenUnits(AbstractBasis):
    """Hyperbolic tangents of sums of some columns, and a constant.

    Parameters
    ----------
    places : tuple of int
        Columns of `x` that they depend on.
    centre, scale : array, shape (column,)
        By which these are standardised.
    hidden : array, shape (unit, column)
    bias : array, shape (unit,)
    """

    places: tuple[int, ...]
    centre: np.ndarray
    scale: np.ndarray
    hidden: np.ndarray
    bias: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Of the columns, and the bias last, (unit, column + 1)."""
        return np.column_stack([self.hidden, self.bias])

    def moved(self, weights: np.ndarray) -> HiddenUnits:
        """The same units with other weights, in any shape."""
        layer = np.reshape(weights, (len(self.bias), len(self.places) + 1))
        return dataclasses.replace(self, hidden=layer[:, :-1], bias=layer[:, -1])

    def standard(self, x: Any) -> np.ndarray:
        """The columns, standardised."""
        return np.asarray((np.asarray(x)[:, list(self.places)] - self.centre) / self.scale)

    def __call__(self, x: Any, u: Any = None, t: Any = None) -> np.ndarray:
        """Values, (point, unit + 1)."""
        units = np.tanh(self.standard(x) @ self.hidden.T + self.bias)
        return np.concatenate([units, np.ones((len(units), 1))], axis=1)

    def jacobian(self, x: Any, u: Any = None, t: Any = None) -> np.ndarray:
        """Their derivatives."""
        slope = 1 - np.tanh(self.standard(x) @ self.hidden.T + self.bias) ** 2
        whole = np.zeros((len(slope), len(self.bias) + 1, np.shape(x)[1]))
        whole[:, :-1, list(self.places)] = slope[:, :, None] * (self.hidden / self.scale)
        return whole
