r"""Regression of projected equations, with the noise of the data in every part of it.

Multiplied by a test function :math:`\varphi_q` and integrated by parts, :math:`\dot x = \theta(x) w`
becomes :math:`-\int \dot\varphi_q x = \int \varphi_q \theta(x)\, w`. With measurements
:math:`y = x + e` the residual of row q is, to first order, a moving filter of the noise,

.. math::

    r_{qi} = \sum_n A_{qn} e_{ni} - \sum_{nj} P_{qn} \frac{\partial f_i}{\partial x_j}(y_n) e_{nj},

whose covariance follows from the law itself and whitens the rows (Bortz, Messenger and Dukic, Bulletin
of Mathematical Biology 85, 110, 2023). Terms have the mean of the terms without noise (debiased), and
what noise alone adds to the products of two columns is taken off (Fuller, Measurement Error Models,
1987).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import scipy.linalg
import scipy.sparse

from takens.learn.moments import MomentBlocks, Moments
from takens.learn.regression.equations import WhitenedEquations
from takens.learn.sparse.nodes import Nodes
from takens.learn.terms import Terms
from takens.learn.terms.plan import ordered, product
from takens.learn.terms.tree import column

JITTER = 1e-9  # of the mean variance of a row, so that the covariance has a factor
MOST_PRODUCTS = 5_000  # products of two terms beyond which their noise is not taken off


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Projection:
    """Test functions over one piece of a record, as two sparse matrices with the same entries.

    Parameters
    ----------
    rows : slice
        Samples of the piece.
    columns : integer array, shape (entry,)
        Sample of each entry, test function by test function.
    starts : integer array, shape (test + 1,)
        First entry of each test function.
    inner : array, shape (entry,)
        Integrals against the test functions, ``P``.
    outer : array, shape (entry,)
        The left side as a combination of samples, ``A``.
    rough_inner, rough_outer : array, shape (entry,)
        The same by a rougher integral, whose difference tells the error of the finer one.
    """

    rows: slice
    columns: np.ndarray
    starts: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    rough_inner: np.ndarray
    rough_outer: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(test, sample)."""
        return len(self.starts) - 1, self.rows.stop - self.rows.start

    def matrix(self, entries: np.ndarray) -> scipy.sparse.csr_array:
        """A sparse matrix, (test, sample), from `inner`, `outer` or the like."""
        return scipy.sparse.csr_array((entries, self.columns, self.starts), shape=self.shape)

    def filters(
        self, i: int, slopes: np.ndarray | None, variance: np.ndarray
    ) -> scipy.sparse.csr_array:
        """How the residual of equation `i` answers unit noise, (test, sample * dim)."""
        d = len(variance)
        table = np.zeros((len(self.columns), d))
        if slopes is not None:
            table -= self.inner[:, None] * slopes[self.columns, i]
        table[:, i] += self.outer
        table *= np.sqrt(variance)
        places = self.columns[:, None] * d + np.arange(d)
        return scipy.sparse.csr_array(
            (table.ravel(), places.ravel(), self.starts * d),
            shape=(self.shape[0], self.shape[1] * d),
        )

    def error(self, x: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """Squared error of the integrals of a law, at most, (test, dim)."""
        right = self.matrix(self.inner - self.rough_inner) @ rates
        return (self.matrix(self.outer - self.rough_outer) @ x - right) ** 2

    def traces(self, inverse: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Diagonals of ``P' V^-1 P``, ``P' V^-1 A`` and ``A' V^-1 A``, (sample,) each."""
        tests = np.repeat(np.arange(self.shape[0]), np.diff(self.starts))
        n = self.shape[1]
        inner = (self.matrix(self.inner).T @ inverse)[self.columns, tests]
        outer = (self.matrix(self.outer).T @ inverse)[self.columns, tests]
        return (
            np.bincount(self.columns, self.inner * inner, n),
            np.bincount(self.columns, self.inner * outer, n),
            np.bincount(self.columns, self.outer * outer, n),
        )


class _Products:
    """Products of two columns among terms and states, without the bias of noise."""

    def __init__(self, terms: Terms) -> None:
        plain = [((column(name), 1),) for name in terms.states]
        factors = [*terms.monomials, *plain]
        columns = terms.states + terms.inputs
        pairs = [[ordered(product([a, b]), columns) for b in factors] for a in terms.monomials]
        self.terms = Terms(
            terms.states, terms.inputs, tuple(m for row in pairs for m in row), terms.functions
        )
        places = {m: i for i, m in enumerate(self.terms.monomials)}
        self.places = np.array([[places[m] for m in row] for row in pairs])


def projected(
    nodes: Nodes,
    terms: Terms,
    variance: np.ndarray,
    table: np.ndarray | None,
    projections: Iterable[Projection],
    block: int,
) -> WhitenedEquations:
    """Whitened equations at the covariance that a law gives, or at that of no law.

    Parameters
    ----------
    nodes : Nodes
    terms : Terms
    variance : array, shape (dim,)
        Of the noise.
    table : array, shape (term, dim), or None
    projections : iterable of Projection
        Test functions, piece by piece.
    block : int
        Rows of a block that is kept apart.

    Notes
    -----
    Cost for each equation: ``M^3`` operations a piece of ``M`` test functions, a few hundred.
    Memory: one piece, with the products of two terms.
    """
    k, d = len(terms), nodes.dim
    products = _Products(terms) if k * (k + 1) // 2 + k * d <= MOST_PRODUCTS else None
    parts: list[list[Moments]] = [[] for _ in range(d)]
    noises = np.zeros((d, k + 1, k + 1))
    scores = np.zeros((d, k, d, k))
    for piece in projections:
        x, u, t = nodes.values[piece.rows], nodes.inputs[piece.rows], nodes.times[piece.rows]
        values = terms.debiased(x, variance, u, t)
        slopes, error = None, np.zeros((piece.shape[0], d))
        if table is not None:
            slopes = np.einsum("nkj,ki->nij", terms.jacobian(x, u, t), table, optimize=True)
            error = piece.error(x, values @ table)
        right, left = piece.matrix(piece.inner) @ values, piece.matrix(piece.outer) @ x
        twice = None if products is None else products.terms.debiased(x, variance, u, t)
        answers = []
        for i in range(d):
            noise = piece.filters(i, slopes, variance)
            factor = _factor(noise, error[:, i])
            inverse = _inverse(factor)
            rows = scipy.linalg.solve_triangular(
                factor, np.column_stack([right, left[:, i]]), lower=True, check_finite=False
            )
            count = max(round(len(rows) / block), 1)
            parts[i] += [
                Moments.of_columns(part.T.copy(), k) for part in np.array_split(rows, count)
            ]
            if products is not None and twice is not None:
                noises[i] += _noise_sums(
                    piece.traces(inverse), values, x[:, i], twice, products, i, variance[i]
                )
            weighted = inverse @ right
            scores[i, :, i] += (weighted.T * error[:, i]) @ weighted
            answers.append(noise.T @ weighted)
        for i, first in enumerate(answers):
            for h, second in enumerate(answers):
                scores[i, :, h] += first.T @ second
    return WhitenedEquations(
        blocks=tuple(MomentBlocks.of(p) for p in parts), dim=d, noises=noises, scores=scores
    )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Remains:
    """What a law leaves of whitened left sides, (dim,) each.

    Parameters
    ----------
    left : array
        Sum of squared residuals; the number of rows on the average, if noise is all.
    total : array
        Sum of squares of the left sides about their mean.
    noise : array
        The part of `total` that noise alone makes.
    count : float
        Rows.
    """

    left: np.ndarray
    total: np.ndarray
    noise: np.ndarray
    count: float


def remains(
    nodes: Nodes,
    terms: Terms,
    variance: np.ndarray,
    table: np.ndarray,
    projections: Iterable[Projection],
) -> Remains:
    """Try a law on projections, without the sums that a regression needs."""
    used = np.flatnonzero((table != 0).any(axis=1))
    d, count = nodes.dim, 0
    left, total, noise = np.zeros(d), np.zeros(d), np.zeros(d)
    part = terms.select(used) if len(used) else None
    for piece in projections:
        x, u, t = nodes.values[piece.rows], nodes.inputs[piece.rows], nodes.times[piece.rows]
        sides, slopes = piece.matrix(piece.outer) @ x, None
        rates = np.zeros_like(x)
        if part is not None:
            w = table[used]
            rates = part.debiased(x, variance, u, t) @ w
            slopes = np.einsum("nkj,ki->nij", part.jacobian(x, u, t), w, optimize=True)
        residuals = sides - piece.matrix(piece.inner) @ rates
        error = piece.error(x, rates)
        for i in range(d):
            factor = _factor(piece.filters(i, slopes, variance), error[:, i])
            rows = scipy.linalg.solve_triangular(
                factor,
                np.column_stack([residuals[:, i], sides[:, i]]),
                lower=True,
                check_finite=False,
            )
            left[i] += rows[:, 0] @ rows[:, 0]
            total[i] += ((rows[:, 1] - rows[:, 1].mean()) ** 2).sum()
            noise[i] += piece.traces(_inverse(factor))[2].sum() * variance[i]
        count += len(residuals)
    return Remains(left=left, total=total, noise=noise, count=count)


def _factor(filters: scipy.sparse.csr_array, error: np.ndarray) -> np.ndarray:
    """Lower factor of the covariance of the rows: filtered noise, and error of integration."""
    total = (filters @ filters.T).toarray()
    total[np.diag_indices_from(total)] += error + JITTER * np.trace(total) / len(total) + 1e-300
    return np.asarray(scipy.linalg.cholesky(total, lower=True, check_finite=False))


def _inverse(factor: np.ndarray) -> np.ndarray:
    inverse, _ = scipy.linalg.lapack.dpotri(factor, lower=1)
    return np.tril(inverse) + np.tril(inverse, -1).T


def _noise_sums(
    traces: tuple[np.ndarray, np.ndarray, np.ndarray],
    values: np.ndarray,
    x: np.ndarray,
    twice: np.ndarray,
    products: _Products,
    i: int,
    variance: float,
) -> np.ndarray:
    r"""Mean of the whitened sums of equation `i` under noise alone.

    The product of two debiased terms has the mean :math:`\theta_k\theta_l + \mathrm{cov}`, their
    debiased product the mean :math:`\theta_k\theta_l`; the difference estimates the covariance at
    every sample.
    """
    inner, mixed, outer = traces
    k = values.shape[1]
    found = np.zeros((k + 1, k + 1))
    found[:k, :k] = (values.T * inner) @ values - (inner @ twice)[products.places[:, :k]]
    found[:k, k] = (values.T * mixed) @ x - (mixed @ twice)[products.places[:, k + i]]
    found[k, :k] = found[:k, k]
    found[k, k] = outer.sum() * variance
    return found
