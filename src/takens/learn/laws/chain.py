r"""Columns together with their derivatives by time, which nobody measured.

A law of order k in the measured columns :math:`q` is a flow of
:math:`x = (q, \dot q, \dots, q^{(k-1)})`, of which only :math:`q` is seen: the derivatives are as
unknown as the noise, and are found with it, as points of the orbit.
"""

from __future__ import annotations

import dataclasses
import functools
from math import sqrt

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import factorial

from takens.core import InvalidInput
from takens.learn.sparse.bordered import Bordered, bordered
from takens.learn.sparse.fields import AbstractSupportedField, SparseField
from takens.learn.sparse.nodes import Nodes
from takens.learn.terms import Terms

ROUGHNESS = (-16.0, 12.0)  # decades searched for how fast the highest derivative wanders


def derivative_name(name: str, order: int) -> str:
    """``x``, ``dx``, ``d2x``, ..."""
    return name if order == 0 else f"d{order if order > 1 else ''}{name}"


def chain_names(names: tuple[str, ...], order: int) -> tuple[str, ...]:
    """Names of the columns and of their derivatives below `order`, all columns first.

    Raises
    ------
    InvalidInput
        If a derivative would be called as another column is.
    """
    found = tuple(derivative_name(name, k) for k in range(order) for name in names)
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise InvalidInput(
            f"{twice} would name a column and a derivative of another one. Rename the columns."
        )
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class ChainField(AbstractSupportedField):
    r"""A sum of terms for the highest derivative, :math:`q_i^{(k)} = \sum_j \theta_j(x) W_{ji}`.

    Parameters
    ----------
    terms : Terms
        Over the columns and their derivatives, as `chain_names` orders them.
    support : array of bool, shape (term, column)
    """

    terms: Terms
    support: np.ndarray

    @functools.cached_property
    def _top(self) -> SparseField:
        return SparseField(self.terms, self.support)

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Each derivative is the rate of the one before; the sums are that of the last."""
        width = self.support.shape[1]
        sums, slopes = self._top.rates(x, u, t, w)
        return _chained(x, sums, slopes, width)

    def response(
        self, carry: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> np.ndarray:
        """The coefficients act on the highest derivatives alone."""
        return self._top.response(carry[:, :, -self.support.shape[1] :], x, u, t, w)


def _chained(
    x: np.ndarray, top: np.ndarray, slopes: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    dim = x.shape[1]
    tangent = np.zeros((len(x), dim, dim))
    place = np.arange(dim - width)
    tangent[:, place, place + width] = 1.0
    tangent[:, dim - width :] = slopes
    return np.concatenate([x[:, width:], top], axis=1), tangent


def derivatives(nodes: Nodes, variance: np.ndarray, order: int) -> np.ndarray:
    r"""Each column and its derivatives up to `order`, smoothed, (order + 1, node, dim).

    A column is taken as noise on the path of a process whose derivative of one order more is a
    random walk (much as a smoothing spline; Wahba, J. R. Stat. Soc. B 40, 364, 1978). How fast it
    walks is what makes the data most likely. Cost: some thirty banded factorisations of
    ``2 N (order + 2)`` unknowns for each column.
    """
    return np.stack(
        [_wandering(nodes, j, float(variance[j]), order) for j in range(nodes.dim)], axis=-1
    )


def _wandering(nodes: Nodes, column: int, variance: float, order: int) -> np.ndarray:
    dim, step = order + 2, float(np.median(nodes.steps[nodes.linked]))
    seen = nodes.seen[:, column]
    error = np.zeros((len(nodes), dim))
    error[:, 0] = np.where(seen, nodes.values[:, column], 0.0)
    spread = np.full(error.shape, np.inf)
    spread[seen, 0] = 1.0  # of the data, in units of their noise; time in units of a step
    ahead = nodes.steps[:, None, None] / step
    power = np.maximum(np.arange(dim) - np.arange(dim)[:, None], 0)
    tangent = np.triu(ahead**power / factorial(power))
    still, nothing = np.zeros((len(nodes) - 1, dim)), np.zeros((len(nodes) - 1, dim, 0))

    def smooth(log_rate: float) -> Bordered:
        walk = np.zeros_like(still)
        walk[:, -1] = 10.0**log_rate * ahead[:, 0, 0]
        return bordered(tangent, still, nothing, error / sqrt(variance), spread, walk, nodes.linked)

    def unlikely(log_rate: float) -> float:
        found = smooth(log_rate)
        return float(found.gram[0, 0]) + found.log_determinant

    rate = minimize_scalar(unlikely, bounds=ROUGHNESS, method="bounded", options={"maxiter": 25}).x
    path = smooth(float(rate)).shift[:, :, 0]
    return np.asarray((path * sqrt(variance) / step ** np.arange(dim)).T[: order + 1])
