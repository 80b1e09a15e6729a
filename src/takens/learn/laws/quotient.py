r"""Quotients of two sums of terms, :math:`f_i = \theta a_i / (1 + \varphi b_i)`, as fitting sees them."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from takens.learn.sparse.fields import AbstractSupportedField
from takens.learn.terms import Terms


@dataclasses.dataclass(frozen=True, eq=False)
class QuotientField(AbstractSupportedField):
    """A quotient in every equation, a plain sum where nothing stands below.

    Parameters
    ----------
    upper, lower : Terms
        Candidates above and below the stroke, over the same columns.
    support : array of bool, shape (upper + lower, dim)
        Those above come first. The parameters are those of one equation after the other.
    """

    upper: Terms
    lower: Terms
    support: np.ndarray

    @functools.cached_property
    def _rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Candidates in use, above and below."""
        used = np.asarray(self.support.any(axis=1))
        return np.flatnonzero(used[: len(self.upper)]), np.flatnonzero(used[len(self.upper) :])

    @functools.cached_property
    def _parts(self) -> tuple[Terms | None, Terms | None]:
        above, below = self._rows
        return (
            self.upper.select(above) if len(above) else None,
            self.lower.select(below) if len(below) else None,
        )

    def _tables(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        table = np.zeros(self.support.shape)
        table.T[self.support.T] = w
        above, below = self._rows
        return table[: len(self.upper)][above], table[len(self.upper) :][below]

    def _sums(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numerators and denominators, (point, dim); NaN where a denominator is not positive."""
        part, table = self._parts, self._tables(w)
        none = np.zeros((len(x), self.support.shape[1]))
        top = none if part[0] is None else part[0](x, u, t) @ table[0]
        bottom = 1.0 + (none if part[1] is None else part[1](x, u, t) @ table[1])
        return top, np.where(bottom > 0, bottom, np.nan)

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Quotients, and their derivatives by the quotient rule."""
        top, bottom = self._sums(x, u, t, w)
        rate = top / bottom
        slope = np.zeros((len(x), *[self.support.shape[1]] * 2))
        for k, sign in ((0, 1.0), (1, -1.0)):
            part = self._parts[k]
            if part is None:
                continue
            change = np.einsum(
                "nkj,ki->nij", part.jacobian(x, u, t), self._tables(w)[k], optimize=True
            )
            slope += change / bottom[:, :, None] if sign > 0 else (
                -change * (rate / bottom)[:, :, None])  # fmt: skip
        return rate, slope

    def response(
        self, carry: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> np.ndarray:
        """Terms above over the denominator; terms below times minus the rate over it."""
        top, bottom = self._sums(x, u, t, w)
        values = np.zeros((len(x), len(self.support)))
        (above, below), part = self._rows, self._parts
        if part[0] is not None:
            values[:, above] = part[0](x, u, t)
        if part[1] is not None:
            values[:, len(self.upper) + below] = part[1](x, u, t)
        equation, place = np.nonzero(self.support.T)
        factor = np.where(
            place < len(self.upper), 1 / bottom[:, equation], -(top / bottom**2)[:, equation]
        )
        found: np.ndarray = carry[:, :, equation] * (values[:, place] * factor)[:, None, :]
        return found
