r"""One law as a quadratic problem: the misfit over coefficients, under linear constraints and signs.

The misfit is :math:`c - 2 b^\top w + w^\top M w` in units of the noise of each equation, with
:math:`M = G - \kappa N`: the products of the regressors without what noise adds to them, where
:math:`\kappa \le 1` is as large as leaves `M` safely positive (Fuller 1987).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.linalg

from takens.core import InvalidInput

SAFE = (
    0.05  # share of the products of the regressors that must remain when their noise is taken off
)
DEPENDENT = (
    1e-11  # squared share of a column outside the earlier ones, below which it is no new one
)
SATISFIED = 1e-8  # residual of a constraint, relative to its size, that still counts as none


class Infeasible(InvalidInput):
    """No coefficients satisfy the constraints."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """The minimum over coefficients that stand.

    Parameters
    ----------
    support : array of bool, shape (p,)
        Those that are not zero; fewer than were allowed where a sign stopped some at zero.
    coefficients : array, shape (p,)
    inner : array, shape (p, p)
        Inverse of `M` on the directions that are free, zero outside.
    covariance : array, shape (p, p)
        If the rows are independent and of variance one.
    misfit : float
    effective : float
        Number of free directions, those that are partly noise counting more.
    """

    support: np.ndarray
    coefficients: np.ndarray
    inner: np.ndarray
    covariance: np.ndarray
    misfit: float
    effective: float

    @property
    def squares(self) -> np.ndarray:
        """Squared scores: how much worse the misfit is without each; infinite where none is free."""
        spread = np.diag(self.covariance)
        free = self.support & (spread > 1e-14 * np.maximum(self.coefficients**2, 1e-300))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(free, self.coefficients**2 / spread, np.inf)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Quadratic:
    """A problem in `p` coefficients, scaled to columns of one length.

    Parameters
    ----------
    gram, noise : array, shape (p, p)
        ``G`` and ``N`` of scaled columns.
    cross : array, shape (p,)
    square : float
    count : float
        Rows of one equation.
    n_terms : int
        Candidate terms of one equation.
    scale : array, shape (p,)
        Coefficients are those of the scaled columns over it.
    units : array, shape (p,)
        Variance of the noise of each coefficient's equation, by which the rest was divided.
    allowed, required : array of bool, shape (p,)
    equality : array, shape (constraint, p)
    rhs : array, shape (constraint,)
        Linear constraints on scaled coefficients.
    signs : array, shape (p,)
        1 and -1 for coefficients that may not be below and above zero, 0 for others.
    """

    gram: np.ndarray
    noise: np.ndarray
    cross: np.ndarray
    square: float
    count: float
    n_terms: int
    scale: np.ndarray
    units: np.ndarray
    allowed: np.ndarray
    required: np.ndarray
    equality: np.ndarray
    rhs: np.ndarray
    signs: np.ndarray

    def __len__(self) -> int:
        return len(self.cross)

    def independent(self) -> np.ndarray:
        """Allowed columns that the earlier ones do not already make up, the simplest first."""
        index = np.flatnonzero(self.allowed)
        gram = self.gram[np.ix_(index, index)]
        whole, failed = scipy.linalg.lapack.dpotrf(gram, lower=1)
        if not failed and (np.diag(whole) ** 2 > DEPENDENT * np.diag(gram)).all():
            return self.allowed.copy()
        kept: list[int] = []
        factor = np.zeros((0, 0))
        for k in index:
            row = (
                scipy.linalg.solve_triangular(factor, self.gram[kept, k], lower=True)
                if kept
                else []
            )
            left = self.gram[k, k] - float(np.dot(row, row))
            if left <= DEPENDENT * self.gram[k, k]:
                continue
            wide = np.zeros((len(kept) + 1, len(kept) + 1))
            wide[:-1, :-1], wide[-1, :-1], wide[-1, -1] = factor, row, np.sqrt(left)
            factor = wide
            kept.append(int(k))
        found = np.zeros(len(self), dtype=bool)
        found[kept] = True
        return found | (self.required & self.allowed)

    def matrix(self, index: np.ndarray) -> np.ndarray:
        """``M`` of some columns."""
        gram = self.gram[np.ix_(index, index)]
        noise = self.noise[np.ix_(index, index)]
        if not noise.any():
            return gram
        left = gram - noise
        _, failed = scipy.linalg.lapack.dpotrf(left - SAFE * gram, lower=1)
        if not failed:
            return left
        largest = float(scipy.linalg.eigh(noise, gram, eigvals_only=True)[-1])
        return gram - (1 - SAFE) / largest * noise

    def solve(self, support: np.ndarray, ridge: float = 0.0) -> Solution:
        """The minimum over the given coefficients, all others zero.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the columns are dependent.
        Infeasible
            If no coefficients satisfy the constraints.
        """
        index = np.flatnonzero(support)
        matrix = self.matrix(index)
        if ridge:
            matrix = matrix + np.diag(ridge / (self.units * self.scale**2)[index])
        given, free = freedom(self.equality[:, index], self.rhs)
        if free is None:
            inner = _inverse(matrix)
            w = inner @ self.cross[index]
        else:
            small = _inverse(free.T @ matrix @ free)
            inner = free @ small @ free.T
            w = given + inner @ (self.cross[index] - matrix @ given)
            fixed = (np.abs(free) < SATISFIED).all(axis=1) & (np.abs(given) < SATISFIED)
            w[fixed] = 0.0
        signs = self.signs[index]
        if (w * signs < 0).any():
            stopped = self._stopped(matrix, index, given, free)
            left = support.copy()
            left[index[stopped]] = False
            return self.solve(left, ridge)
        return self._solution(index, w, inner, matrix)

    def _solution(
        self, index: np.ndarray, w: np.ndarray, inner: np.ndarray, matrix: np.ndarray
    ) -> Solution:
        p = len(self)
        gram = self.gram[np.ix_(index, index)]
        block = np.ix_(index, index)
        wide, spread, full = np.zeros((p, p)), np.zeros((p, p)), np.zeros(p)
        full[index], wide[block] = w, inner
        spread[block] = inner @ gram @ inner
        return Solution(
            support=full != 0,
            coefficients=full,
            inner=wide,
            covariance=spread,
            misfit=float(self.square - 2 * self.cross[index] @ w + w @ matrix @ w),
            effective=float((inner * gram).sum()),
        )

    def _stopped(
        self, matrix: np.ndarray, index: np.ndarray, given: np.ndarray, free: np.ndarray | None
    ) -> np.ndarray:
        """Which coefficients stop at zero: least distance programming (Lawson and Hanson, ch. 23)."""
        from scipy.optimize import nnls

        basis = np.eye(len(index)) if free is None else free
        factor = scipy.linalg.cholesky(basis.T @ matrix @ basis, lower=True)
        pull = basis.T @ (self.cross[index] - matrix @ given)
        best = scipy.linalg.cho_solve((factor, True), pull)
        bound = np.flatnonzero(self.signs[index])
        rows = self.signs[index][bound, None] * basis[bound]
        low = -(self.signs[index][bound] * given[bound] + rows @ best)
        turned = scipy.linalg.solve_triangular(factor, rows.T, lower=True)
        wide = np.vstack([turned, low])
        aim = np.r_[np.zeros(len(turned)), 1.0]
        pushes, _ = nnls(wide, aim)
        rest = wide @ pushes - aim
        if np.abs(rest).max() < SATISFIED:
            raise Infeasible("no coefficients have these signs and satisfy the other constraints.")
        at = np.zeros(len(index), dtype=bool)
        at[bound[pushes > 0]] = True
        if not at.any():  # violated by rounding alone
            at[bound[np.argmax(low)]] = True
        return at


def freedom(part: np.ndarray, rhs: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """One vector that satisfies some equations, and a basis of what may be added to it.

    The basis is None where there are no equations.
    """
    if not len(rhs):
        return np.zeros(part.shape[1]), None
    left, values, right = np.linalg.svd(part, full_matrices=True)
    rank = int((values > SATISFIED * max(float(values.max(initial=0.0)), 1e-300)).sum())
    given = right[:rank].T @ ((left[:, :rank].T @ rhs) / values[:rank])
    if np.abs(part @ given - rhs).max() > SATISFIED * max(np.abs(rhs).max(), 1e-300):
        raise Infeasible(
            "the constraints contradict each other or leave out a coefficient that they need. "
            "Drop one of them, or require that coefficient."
        )
    return given, right[rank:].T


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Of a positive definite matrix; an empty one has none to give."""
    if not len(matrix):
        return matrix
    factor, failed = scipy.linalg.lapack.dpotrf(matrix, lower=1)
    if failed or np.diag(factor).min() ** 2 < 1e-14 * np.diag(matrix).max():
        raise np.linalg.LinAlgError("the columns are dependent")
    half, _ = scipy.linalg.lapack.dpotri(factor, lower=1)
    half = np.tril(half)
    return half + np.tril(half, -1).T
