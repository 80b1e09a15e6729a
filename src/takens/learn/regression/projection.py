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
import functools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.sparse

from takens.learn.moments import MomentBlocks, Moments
from takens.learn.regression.banded import BandedFactors
from takens.learn.regression.equations import WhitenedEquations
from takens.learn.sparse.nodes import Nodes
from takens.learn.terms import Terms
from takens.learn.terms.plan import ordered, product
from takens.learn.terms.tree import column

JITTER = 1e-9  # of the mean variance of a row, so that the covariance has a factor
MOST_PRODUCTS = 5_000  # products of two terms beyond which their noise is not taken off
ROOM = 4_000_000  # numbers held at once, some tens of megabytes
LEAST_COLUMNS = 64  # as which the windows of test functions and what is made of them count


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Projection:
    """Test functions over pieces of a record, each a window of weights on successive samples.

    Parameters
    ----------
    rows : slice
        Samples of the pieces.
    first : integer array, shape (test,)
        First sample of each window; never falls.
    ends : integer array, shape (test,)
        The sample after the last one that counts. Weights behind it are zero.
    parts : integer array, shape (piece,)
        Test functions of each piece; those of two pieces share no sample.
    inner : array, shape (test, width)
        Integrals against the test functions, ``P``.
    outer : array, shape (test, width)
        The left side as a combination of samples, ``A``.
    rough_inner, rough_outer : array, shape (test, width)
        The same by a rougher integral, whose difference tells the error of the finer one.
    """

    rows: slice
    first: np.ndarray
    ends: np.ndarray
    parts: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    rough_inner: np.ndarray
    rough_outer: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(test, sample)."""
        return len(self.first), self.rows.stop - self.rows.start

    @functools.cached_property
    def columns(self) -> np.ndarray:
        """Sample of each entry, (test, width)."""
        places = self.first[:, None] + np.arange(self.inner.shape[1])
        return np.minimum(places, self.shape[1] - 1)

    @functools.cached_property
    def band(self) -> int:
        """How many test functions further on there is one that shares a sample, at most."""
        last = np.searchsorted(self.first, self.ends, side="left") - 1
        return int((last - np.arange(len(self.first))).max())

    def matrix(self, entries: np.ndarray) -> scipy.sparse.csr_array:
        """A sparse matrix, (test, sample), from `inner`, `outer` or the like."""
        tests, width = entries.shape
        starts = np.arange(tests + 1) * width
        return scipy.sparse.csr_array(
            (entries.ravel(), self.columns.ravel(), starts), shape=self.shape
        )

    def error(self, x: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """Squared error of the integrals of a law, at most, (test, dim)."""
        right = self.matrix(self.inner - self.rough_inner) @ rates
        return (self.matrix(self.outer - self.rough_outer) @ x - right) ** 2

    def _shifted(self, entries: np.ndarray) -> Iterator[np.ndarray]:
        """Weights of test function q on the samples of q + s, (test - s, width), for all s."""
        tests, width = entries.shape
        wide = np.zeros((tests, 2 * width))
        wide[:, :width] = entries
        flat = wide.ravel()
        for s in range(self.band + 1):
            q = tests - s
            apart = np.minimum(self.first[s:] - self.first[:q], width)
            places = (np.arange(q) * 2 * width + apart)[:, None] + np.arange(width)
            yield flat[places]

    def factors(
        self, slopes: np.ndarray | None, variance: np.ndarray, error: np.ndarray
    ) -> BandedFactors:
        r"""Of the covariances of the rows of all equations: filtered noise, and error of integration.

        .. math::

            V_i = v_i A A^\top - A D_i P^\top - P D_i A^\top + P G_i P^\top,

        with :math:`D_i` the diagonal matrix of :math:`v_i\, \partial f_i / \partial x_i` at the samples and
        :math:`G_i` that of :math:`\sum_j v_j (\partial f_i / \partial x_j)^2`.

        Parameters
        ----------
        slopes : array, shape (sample, equation, state), or None
            Derivatives of the law; zero if there is none.
        variance : array, shape (equation,)
            Of the noise.
        error : array, shape (test, equation)
            Squared error of integration.
        """
        d, tests = len(variance), self.shape[0]
        answers = []
        for i in range(d):
            ours, theirs = np.zeros_like(self.inner), variance[i] * self.outer
            if slopes is not None:
                own = (variance[i] * slopes[:, i, i])[self.columns]
                all_columns = (slopes[:, i] ** 2 @ variance)[self.columns]
                ours = self.inner * all_columns - self.outer * own
                theirs = theirs - self.inner * own
            answers.append((ours, theirs))
        bands = np.zeros((d, self.band + 1, tests))
        pairs = zip(self._shifted(self.inner), self._shifted(self.outer), strict=True)
        for s, (inner, outer) in enumerate(pairs):
            for i, (ours, theirs) in enumerate(answers):
                bands[i, s, : tests - s] = np.einsum("qn,qn->q", inner, ours[s:])
                bands[i, s, : tests - s] += np.einsum("qn,qn->q", outer, theirs[s:])
        starts = np.cumsum(self.parts) - self.parts
        means = np.add.reduceat(bands[:, 0], starts, axis=1) / self.parts
        bands[:, 0] += error.T + JITTER * np.repeat(means, self.parts, axis=1) + 1e-300
        return BandedFactors.of(bands, self.parts)

    def traces(self, inverse: np.ndarray) -> np.ndarray:
        """Diagonals of ``P' Z P``, ``P' Z A`` and ``A' Z A`` for each band ``Z`` of an inverse.

        The answer has the shape (3, equation, sample).
        """
        d, n = len(inverse), self.shape[1]
        right = np.zeros((d, 2, *self.inner.shape))  # of the test functions before each, and half
        pairs = zip(self._shifted(self.inner), self._shifted(self.outer), strict=True)
        for s, both in enumerate(pairs):
            for i in range(d):
                weights = inverse[i, s, : self.shape[0] - s, None] * (1.0 if s else 0.5)
                for side, entries in enumerate(both):
                    right[i, side, s:] += weights * entries
        found = np.empty((3, d, n))
        places = self.columns.ravel()
        for i, (inner, outer) in enumerate(right):
            mixed = self.inner * outer + self.outer * inner
            for m, one in enumerate((2 * self.inner * inner, mixed, 2 * self.outer * outer)):
                found[m, i] = np.bincount(places, one.ravel(), n)
        return found

    def responses(
        self, i: int, slopes: np.ndarray | None, variance: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """What combinations (test, k) of rows of equation `i` answer to unit noise, (state * sample, k)."""
        own = self.matrix(self.outer).T @ weights
        found = np.zeros((len(variance), *own.shape))
        if slopes is not None:
            found -= slopes[:, i].T[:, :, None] * (self.matrix(self.inner).T @ weights)
        found[i] += own
        found *= np.sqrt(variance)[:, None, None]
        return found.reshape(-1, own.shape[1])


def gathered(pieces: Iterable[Projection], room: int) -> Iterator[Projection]:
    """Successive pieces as one, as long as they hold at most `room` weights and samples together."""
    group: list[Projection] = []
    for piece in pieces:
        width = max(p.inner.shape[1] for p in (*group, piece))
        tests = sum(p.shape[0] for p in (*group, piece))
        samples = piece.rows.stop - (group[0] if group else piece).rows.start
        if group and max(tests * width, samples) > room:
            yield _joined(group)
            group = []
        group.append(piece)
    if group:
        yield _joined(group)


def _joined(group: list[Projection]) -> Projection:
    if len(group) == 1:
        return group[0]
    start = group[0].rows.start
    width = max(p.inner.shape[1] for p in group)

    def stacked(name: str) -> np.ndarray:
        wide = [(0, 0), (0, 0)]
        parts = []
        for p in group:
            wide[1] = (0, width - p.inner.shape[1])
            parts.append(np.pad(getattr(p, name), wide))
        return np.concatenate(parts)

    return Projection(
        rows=slice(start, group[-1].rows.stop),
        first=np.concatenate([p.first + (p.rows.start - start) for p in group]),
        ends=np.concatenate([p.ends + (p.rows.start - start) for p in group]),
        parts=np.concatenate([p.parts for p in group]),
        inner=stacked("inner"),
        outer=stacked("outer"),
        rough_inner=stacked("rough_inner"),
        rough_outer=stacked("rough_outer"),
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
    Cost for each equation, with `b` test functions further on that share a sample: ``b^2`` operations
    a test function for the covariance, ``b`` for each of its weights, and ``K^2`` a sample for the
    products of K terms. Memory: a few pieces, with the products of two terms.
    """
    k, d = len(terms), nodes.dim
    products = _Products(terms) if k * (k + 1) // 2 + k * d <= MOST_PRODUCTS else None
    columns = k * (d + 1) + (0 if products is None else len(products.terms))
    parts: list[list[Moments]] = [[] for _ in range(d)]
    noises = np.zeros((d, k + 1, k + 1))
    scores = np.zeros((d, k, d, k))
    for piece in gathered(projections, ROOM // max(columns, LEAST_COLUMNS)):
        x, u, t = nodes.values[piece.rows], nodes.inputs[piece.rows], nodes.times[piece.rows]
        values = terms.debiased(x, variance, u, t)
        slopes, error = None, np.zeros((piece.shape[0], d))
        if table is not None:
            slopes = _slopes(terms, table, x, u, t)
            error = piece.error(x, values @ table)
        right, left = piece.matrix(piece.inner) @ values, piece.matrix(piece.outer) @ x
        factors = piece.factors(slopes, variance, error)
        if products is not None:
            twice = products.terms.debiased(x, variance, u, t)
            traces = piece.traces(factors.inverse())
        answers = []
        for i in range(d):
            rows = factors.whitened(i, np.column_stack([right, left[:, i]]))
            for part in np.split(rows, np.cumsum(piece.parts)[:-1]):
                count = max(round(len(part) / block), 1)
                parts[i] += [Moments.of_columns(p.T.copy(), k) for p in np.array_split(part, count)]
            if products is not None:
                noises[i] += _noise_sums(
                    traces[:, i], values, x[:, i], twice, products, i, variance[i]
                )
            weighted = factors.weighted(i, rows[:, :k])
            scores[i, :, i] += (weighted.T * error[:, i]) @ weighted
            answers.append(piece.responses(i, slopes, variance, weighted))
        for i, first in enumerate(answers):
            for h, second in enumerate(answers[i:], i):
                scores[i, :, h] += first.T @ second
    for i in range(d):
        for h in range(i):
            scores[i, :, h] = scores[h, :, i].T
    return WhitenedEquations(
        blocks=tuple(MomentBlocks.of(p) for p in parts), dim=d, noises=noises, scores=scores
    )


def _slopes(terms: Terms, table: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray) -> Any:
    """Derivatives of a law by the states, (sample, equation, state)."""
    used = np.flatnonzero((table != 0).any(axis=1))
    if not len(used):
        return np.zeros((len(x), table.shape[1], x.shape[1]))
    slopes = terms.select(used).jacobian(x, u, t)
    return np.einsum("nkj,ki->nij", slopes, table[used], optimize=True)


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
    for piece in gathered(projections, ROOM // max(len(used) * (d + 1), LEAST_COLUMNS)):
        x, u, t = nodes.values[piece.rows], nodes.inputs[piece.rows], nodes.times[piece.rows]
        sides, rates = piece.matrix(piece.outer) @ x, np.zeros_like(x)
        if len(used):
            rates = terms.select(used).debiased(x, variance, u, t) @ table[used]
        residuals = sides - piece.matrix(piece.inner) @ rates
        factors = piece.factors(_slopes(terms, table, x, u, t), variance, piece.error(x, rates))
        _, _, outer = piece.traces(factors.inverse())
        noise += outer.sum(axis=1) * variance
        for i in range(d):
            rows = factors.whitened(i, np.column_stack([residuals[:, i], sides[:, i]]))
            left[i] += rows[:, 0] @ rows[:, 0]
            for part in np.split(rows[:, 1], np.cumsum(piece.parts)[:-1]):
                total[i] += ((part - part.mean()) ** 2).sum()
        count += len(residuals)
    return Remains(left=left, total=total, noise=noise, count=count)


def _noise_sums(
    traces: np.ndarray,
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
