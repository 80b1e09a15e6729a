"""Lanczos' process with full reorthogonalisation: extreme eigenvalues, and quadrature, from products."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

INVARIANT = 1e-12  # off-diagonal entry, over the matrix, at which the Krylov space is complete


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Krylov:
    """An orthonormal basis in which a symmetric matrix is tridiagonal.

    Parameters
    ----------
    diagonal, beside : array, shape (step,)
        Of the tridiagonal matrix; the last of `beside` leads out of the space.
    basis : array, shape (step, dim)
    leading_out : array, shape (dim,)
        What the last product has outside the space; of the length that `beside` ends with.
    """

    diagonal: np.ndarray
    beside: np.ndarray
    basis: np.ndarray
    leading_out: np.ndarray

    def __len__(self) -> int:
        return len(self.diagonal)

    def ritz(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ritz values from least to greatest, norms of their residuals, and vectors by column."""
        from scipy.linalg import eigh_tridiagonal

        values, inner = eigh_tridiagonal(self.diagonal, self.beside[:-1])
        return values, np.abs(self.beside[-1] * inner[-1]), inner

    def shorter(self) -> Krylov:
        """The space a step before."""
        return Krylov(
            diagonal=self.diagonal[:-1],
            beside=self.beside[:-1],
            basis=self.basis[:-1],
            leading_out=self.beside[-2] * self.basis[-1],
        )

    def vectors(self, inner: np.ndarray) -> np.ndarray:
        """Vectors of the full space, by row, from columns in the basis."""
        return np.asarray(inner.T @ self.basis)


def krylov(
    product: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    n_steps: int,
    *,
    enough: Callable[[Krylov], bool] = lambda space: False,
) -> Krylov:
    """The Krylov space of a start, to `n_steps` products, or until `enough` of it is there.

    Cost: a product, and ``4 step dim`` operations for reorthogonalising, for each step; memory
    ``n_steps * dim``.
    """
    n_steps = min(n_steps, len(start))
    basis = np.empty((n_steps, len(start)))
    diagonal, beside = np.empty(n_steps), np.empty(n_steps)
    vector = start / np.linalg.norm(start)
    for k in range(n_steps):
        basis[k] = vector
        new = np.array(product(vector), dtype=float)
        diagonal[k] = vector @ new
        for _ in range(2):  # twice is enough
            new -= basis[: k + 1].T @ (basis[: k + 1] @ new)
        beside[k] = np.linalg.norm(new)
        space = Krylov(
            diagonal=diagonal[: k + 1],
            beside=beside[: k + 1],
            basis=basis[: k + 1],
            leading_out=new,
        )
        size = max(float(np.abs(diagonal[: k + 1]).max()), float(beside[: k + 1].max()), 1e-300)
        if not np.isfinite(beside[k]) or beside[k] <= INVARIANT * size:
            return space
        if enough(space):
            return space
        vector = new / beside[k]
    return space
