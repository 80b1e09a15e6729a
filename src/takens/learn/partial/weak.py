"""The weak form of a field on a grid: projections on test functions, and their noise."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator

import numpy as np
import scipy.linalg
import scipy.sparse

from takens.learn.partial.bumps import Axis
from takens.learn.partial.terms import Orders, PDETerm, Powers, monomial

CHUNK = 2**21  # cells of the field that are worked on at once
BLOCK = 900  # test functions whose residuals are whitened together
JITTER = 1e-6  # of the mean variance of a residual, so that the covariance has a factor

Block = tuple[slice, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Weak:
    """One record and the lattice of test functions laid over it.

    Parameters
    ----------
    values : array, shape (time, axes..., component)
        Filled where that could be done; zero in cells that no kept test function touches. Inputs
        stand behind the components, without noise.
    variance : array, shape of `values`
        Of the noise in every cell.
    clean : array of bool, shape of `values`
        Cells that were measured.
    filling : tuple of sparse array, shape (cell, cell) each, or None
        For every component, the values as combinations of the measured ones; None where no cell
        was filled.
    density : array, shape (component,)
        Noise power of the filled field at long waves, in units of that of the measured cells.
    axes : tuple of Axis
        Time first.
    kept : array of bool, shape (time centres, centres of the axes...)
        Test functions that touch no lost cell.
    """

    values: np.ndarray
    variance: np.ndarray
    clean: np.ndarray
    filling: tuple[scipy.sparse.csr_array | None, ...]
    density: np.ndarray
    axes: tuple[Axis, ...]
    kept: np.ndarray

    @property
    def n_tests(self) -> int:
        """Test functions in use."""
        return int(self.kept.sum())

    def chunks(self) -> Iterator[slice]:
        """Spans of time of bounded size."""
        rows = max(1, CHUNK // int(np.prod(self.values.shape[1:-1])))
        for start in range(0, len(self.values), rows):
            yield slice(start, min(start + rows, len(self.values)))

    def project(self, features: tuple[PDETerm, ...]) -> np.ndarray:
        """Weak form of all features, signs of integration by parts included: (centres..., feature).

        The orders of a feature have time first.
        """
        out = np.zeros((*self.kept.shape, len(features)))
        members: dict[Powers, list[int]] = {}
        for i, feature in enumerate(features):
            members.setdefault(feature.powers, []).append(i)
        for span in self.chunks():
            table: dict[tuple[int, int], np.ndarray] = {}
            for powers, places in members.items():
                made = monomial(self.values[span], self.variance[span], powers, table)
                for i in places:
                    time, *space = features[i].orders
                    mats = [a.matrix(o) for a, o in zip(self.axes[1:], space, strict=True)]
                    rows = self.axes[0].matrix(time)[:, span]
                    out[..., i] += np.tensordot(rows, contracted(made, mats), 1)
        return out * signs(features)

    def spread(self, orders: Orders, weights: np.ndarray, span: slice) -> np.ndarray:
        """Sum over test functions of their derivative times weights (centres..., column)."""
        part = np.tensordot(self.axes[0].matrix(orders[0])[:, span].T, weights, 1)
        pairs = zip(self.axes[1:], orders[1:], strict=True)
        return contracted(part, [a.matrix(o).T for a, o in pairs])

    def noise(self, powers: tuple[Powers, ...]) -> np.ndarray:
        """Mean over cells of the covariance of debiased monomials: (powers, powers).

        The product of two debiased monomials has the mean ``m_k m_l + cov``, and the debiased
        product has the mean ``m_k m_l``; the difference estimates the covariance without bias.
        """
        total, weight = np.zeros((2, len(powers), len(powers)))
        mats = [a.matrix(0).T ** 2 for a in self.axes]
        noisy = [c for c in range(self.values.shape[-1]) if self.variance[..., c].any()]
        for span in self.chunks():
            cover = np.tensordot(mats[0][span], self.kept.astype(float), 1)
            cover = contracted(cover, mats[1:])
            values, variance, clean = self.values[span], self.variance[span], self.clean[span]
            table: dict[tuple[int, int], np.ndarray] = {}
            made = [monomial(values, variance, p, table) for p in powers]
            for i, first in enumerate(powers):
                for j, second in enumerate(powers[: i + 1]):
                    if not any(first[c] and second[c] for c in noisy):
                        continue  # no noise in common
                    both = tuple(a + b for a, b in zip(first, second, strict=True))
                    used = [c for c in noisy if both[c]]
                    w = cover * clean[..., used].all(axis=-1)
                    common = made[i] * made[j] - monomial(values, variance, both, table)
                    total[i, j] += self.density[used].mean() * (w * common).sum()
                    weight[i, j] += w.sum()
        mean = total / np.maximum(weight, 1e-300)
        return np.asarray(mean + np.tril(mean, -1).T)

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Spans of time centres, each with its kept test functions as flat indices."""
        per_time = int(np.prod(self.kept.shape[1:]))
        count = -(-len(self.kept) // max(1, BLOCK // per_time))
        edges = np.linspace(0, len(self.kept), count + 1).astype(int)
        spans = [slice(a, b) for a, b in itertools.pairwise(edges)]
        found = [(span, np.flatnonzero(self.kept[span])) for span in spans]
        return tuple((span, index) for span, index in found if len(index))

    @functools.cached_property
    def patterns(self) -> tuple[int, ...]:
        """For every block the first one with the same test functions up to a shift in time."""
        first: list[int] = []
        for n, (span, index) in enumerate(self.blocks):
            same = (
                m for m in first
                if _length(self.blocks[m][0]) == _length(span)
                and np.array_equal(self.blocks[m][1], index)
            )  # fmt: skip
            first.append(next(same, n))
        return tuple(first)

    def across(self, first: Orders, second: Orders) -> np.ndarray:
        """Overlaps of derivatives of the test functions in space: (test, test)."""
        made = np.ones((1, 1))
        for axis, a, b in zip(self.axes[1:], first, second, strict=True):
            made = np.kron(made, axis.overlap(a, b))
        return made

    def covariance(self, block: Block, weights: dict[tuple[Orders, Orders], float]) -> np.ndarray:
        """Sum over pairs of derivatives of their weight times their overlap: (test, test)."""
        span, index = block
        by_time: dict[tuple[int, int], np.ndarray] = {}
        for (a, b), weight in weights.items():
            key = (a[0], b[0])
            by_time[key] = by_time.get(key, 0.0) + weight * self.across(a[1:], b[1:])
        total = sum(
            np.kron(self.axes[0].overlap(*key)[span, span], part) for key, part in by_time.items()
        )
        total = np.asarray(total)
        return total if len(index) == len(total) else total[np.ix_(index, index)]

    def traces(self, block: Block, inverse: np.ndarray, kinds: tuple[Orders, ...]) -> np.ndarray:
        """Sums of the products of `inverse` with the overlaps of pairs of derivatives."""
        span, index = block
        n, m = _length(span), int(np.prod(self.kept.shape[1:]))
        if len(index) < n * m:
            wide = np.zeros((n * m, n * m))
            wide[np.ix_(index, index)] = inverse
            inverse = wide
        inverse = inverse.reshape(n, m, n, m)
        times = sorted({k[0] for k in kinds})
        inner = {
            (a, b): np.einsum("txsy,ts->xy", inverse, self.axes[0].overlap(a, b)[span, span])
            for a in times for b in times
        }  # fmt: skip
        out = np.zeros((len(kinds), len(kinds)))
        for i, a in enumerate(kinds):
            for j, b in enumerate(kinds[: i + 1]):
                out[i, j] = out[j, i] = np.vdot(inner[a[0], b[0]], self.across(a[1:], b[1:]))
        return out


def _length(span: slice) -> int:
    return int(span.stop - span.start)


def contracted(values: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
    """Each axis after the first multiplied by its matrix (row, axis)."""
    for n, matrix in enumerate(matrices):
        values = np.moveaxis(np.tensordot(values, matrix, axes=(n + 1, 1)), -1, n + 1)
    return values


def signs(features: tuple[PDETerm, ...]) -> np.ndarray:
    """From integration by parts, ``(-1)^|orders|``."""
    return np.array([(-1.0) ** sum(f.orders) for f in features])


def order_weights(
    features: tuple[PDETerm, ...], row: np.ndarray, noise: np.ndarray
) -> dict[tuple[Orders, Orders], float]:
    """Weight of every pair of derivatives in the covariance of ``sum row * features``."""
    weights: dict[tuple[Orders, Orders], float] = {}
    c = signs(features) * row
    for i in np.flatnonzero(c):
        for j in np.flatnonzero(c):
            key = (features[i].orders, features[j].orders)
            weights[key] = weights.get(key, 0.0) + c[i] * c[j] * noise[i, j]
    return weights


@dataclasses.dataclass(frozen=True, eq=False)
class Whitener:
    """Factors of the residual covariance of one record, block by block."""

    weak: Weak
    factors: tuple[np.ndarray, ...]

    @classmethod
    def of(
        cls, weak: Weak, features: tuple[PDETerm, ...], row: np.ndarray, noise: np.ndarray
    ) -> Whitener:
        """For the residual ``sum row * features``; blocks of one pattern share the factor."""
        weights = order_weights(features, row, noise)
        factors: list[np.ndarray] = []
        for n, (block, twin) in enumerate(zip(weak.blocks, weak.patterns, strict=True)):
            if twin < n:
                factors.append(factors[twin])
                continue
            total = weak.covariance(block, weights)
            total = (total + total.T) / 2
            total[np.diag_indices_from(total)] += JITTER * np.trace(total) / len(total)
            factors.append(scipy.linalg.cholesky(total, lower=True, check_finite=False))
        return cls(weak, tuple(factors))

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """The inverse covariance times rows (centres..., column)."""
        out = np.zeros_like(rows)
        for (span, index), factor in zip(self.weak.blocks, self.factors, strict=True):
            part = rows[span].reshape(-1, rows.shape[-1])
            answer = np.zeros_like(part)
            answer[index] = scipy.linalg.cho_solve((factor, True), part[index], check_finite=False)
            out[span] = answer.reshape(rows[span].shape)
        return out

    def noise_gram(self, features: tuple[PDETerm, ...], noise: np.ndarray) -> np.ndarray:
        """Mean of the whitened Gram matrix under noise alone, ``tr(V^-1 Cov(E_k, E_l))``."""
        kinds = tuple(sorted({f.orders for f in features}))
        made: dict[int, np.ndarray] = {}
        total = np.zeros((len(kinds), len(kinds)))
        for n, (block, twin) in enumerate(zip(self.weak.blocks, self.weak.patterns, strict=True)):
            if twin == n:
                inverse, _ = scipy.linalg.lapack.dpotri(self.factors[n], lower=1)
                inverse = np.tril(inverse) + np.tril(inverse, -1).T
                made[n] = self.weak.traces(block, inverse, kinds)
            total += made[twin]
        place = [kinds.index(f.orders) for f in features]
        sign = signs(features)
        return np.asarray(sign[:, None] * sign * noise * total[np.ix_(place, place)])


def score_covariance(
    weak: Weak,
    features: tuple[PDETerm, ...],
    row: np.ndarray,
    weights: np.ndarray,
    sigma: np.ndarray,
) -> np.ndarray:
    r"""Covariance of ``weights^T residual`` under independent noise in the measured cells.

    The residual responds to the noise in cell j by :math:`\sum_\alpha D^\alpha\psi(x_j - x_q)\,
    g_\alpha(x_j)`, where `g` collects the slopes of the monomials; no stationarity is assumed.

    Parameters
    ----------
    row : array, shape (feature,)
        Coefficients of the features in the residual.
    weights : array, shape (centres..., column)
    sigma : array, shape (component,)
        Standard deviation of the noise in a measured cell.

    Returns
    -------
    array, shape (column, column)
    """
    active = np.flatnonzero(row)
    sign = signs(features)
    total = np.zeros((weights.shape[-1], weights.shape[-1]))
    for c in np.flatnonzero(sigma):
        filling = weak.filling[c]
        spans = list(weak.chunks()) if filling is None else [slice(0, len(weak.values))]
        for span in spans:
            table: dict[tuple[int, int], np.ndarray] = {}
            response: dict[Orders, np.ndarray] = {}
            for i in active:
                power = features[i].powers[c]
                if power:
                    less = tuple(p - (n == c) for n, p in enumerate(features[i].powers))
                    slope = monomial(weak.values[span], weak.variance[span], less, table)
                    key = features[i].orders
                    response[key] = response.get(key, 0.0) + row[i] * sign[i] * power * slope
            z = sum(
                g[..., None] * weak.spread(orders, weights, span) for orders, g in response.items()
            )
            if isinstance(z, int):
                continue
            z = np.asarray(z).reshape(-1, weights.shape[-1])
            if filling is not None:
                z = filling.T @ z
            total += sigma[c] ** 2 * z.T @ z
    return total
