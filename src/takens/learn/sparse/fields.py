"""Right-hand sides with unknown numbers in them, as the fitting sees them."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from takens.learn.terms import Terms

Point = tuple[np.ndarray, np.ndarray]  # time and input


class AbstractField(abc.ABC):
    r"""A rule :math:`f(x, u, t; w)`: a rate of change, or the next state of a map.

    All methods take many points at once: `x` of shape (point, dim), `u` (point, input), `t`
    (point,), and the numbers `w` of shape (parameter,). `precision`, (parameter,), where there is
    one, holds inverse variances of a Gaussian prior of the numbers around zero.
    """

    precision: np.ndarray | None = None

    @property
    @abc.abstractmethod
    def n_parameters(self) -> int:
        """Length of `w`."""

    @abc.abstractmethod
    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The rule, (point, dim), and its derivative by the state, (point, dim, dim)."""

    def values(self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray) -> np.ndarray:
        """The rule alone, (point, dim)."""
        return self.rates(x, u, t, w)[0]

    @abc.abstractmethod
    def response(
        self, carry: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> np.ndarray:
        """`carry` (point, dim, dim) times the derivative of the rule by `w`, (point, dim, p)."""


@dataclasses.dataclass(frozen=True, eq=False)
class GivenField(AbstractField):
    """A rule whose parameters are given, so that none are left."""

    field: AbstractField
    given: np.ndarray

    @property
    def n_parameters(self) -> int:
        """None."""
        return 0

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Those of the rule."""
        return self.field.rates(x, u, t, self.given)

    def response(
        self, carry: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> np.ndarray:
        """Nothing to respond to."""
        return np.zeros((*carry.shape[:2], 0))


class AbstractSupportedField(AbstractField):
    """A rule whose numbers fill the places of a table, (candidate, equation), that are marked.

    The parameters are those of the marked places, equation by equation; the others are zero.
    """

    support: np.ndarray

    @property
    def n_parameters(self) -> int:
        """Number of coefficients that are not zero."""
        return int(self.support.sum())


@dataclasses.dataclass(frozen=True, eq=False)
class SparseField(AbstractSupportedField):
    r"""A sum of terms in every equation, :math:`f_i = \sum_k \theta_k(x) W_{ki}`.

    Parameters
    ----------
    terms : Terms
    support : array of bool, shape (term, dim)
        Which terms stand in which equation; their coefficients are `w`, equation by equation.
    """

    terms: Terms
    support: np.ndarray

    @functools.cached_property
    def _entries(self) -> tuple[np.ndarray, np.ndarray]:
        """Equation and term of every coefficient."""
        equation, term = np.nonzero(self.support.T)
        return equation, np.searchsorted(self._used, term)

    @functools.cached_property
    def _used(self) -> np.ndarray:
        """Terms that stand in some equation; one, without a coefficient, where none does."""
        used = np.flatnonzero(self.support.any(axis=1))
        return used if len(used) else np.zeros(1, dtype=int)

    @functools.cached_property
    def _part(self) -> Terms:
        return self.terms.select(self._used)

    def table(self, w: np.ndarray) -> np.ndarray:
        """Coefficients of the terms in use, (used, dim)."""
        equation, place = self._entries
        table = np.zeros((len(self._used), self.support.shape[1]))
        table[place, equation] = w
        return table

    def values(self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Sums of terms."""
        return np.asarray(self._part(x, u, t) @ self.table(w))

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sums of terms and of their derivatives."""
        part, table = self._part, self.table(w)
        slopes = part.jacobian(x, u, t)
        return part(x, u, t) @ table, np.einsum("nkj,ki->nij", slopes, table, optimize=True)

    def response(
        self, carry: np.ndarray, x: np.ndarray, u: np.ndarray, t: np.ndarray, w: np.ndarray
    ) -> np.ndarray:
        """Column of `carry` of the equation, times the term."""
        values = self._part(x, u, t)
        equation, place = self._entries
        found: np.ndarray = carry[:, :, equation] * values[:, None, place]
        return found


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AbstractAdvance(abc.ABC):
    """From each node to the next."""

    @abc.abstractmethod
    def __call__(
        self,
        field: AbstractField,
        w: np.ndarray,
        x: np.ndarray,
        u: tuple[np.ndarray, np.ndarray],
        t: np.ndarray,
        h: np.ndarray,
        *,
        derivatives: bool = True,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The next state, and its derivatives by the state and by the parameters."""

    @abc.abstractmethod
    def states(
        self,
        field: AbstractField,
        w: np.ndarray,
        x: np.ndarray,
        u: tuple[np.ndarray, np.ndarray],
        t: np.ndarray,
        h: np.ndarray,
    ) -> np.ndarray:
        """The next state alone: the same numbers, at a third of the cost."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AbstractWideAdvance(AbstractAdvance):
    """To each node from several before it, so that it makes the linear problem itself."""

    @abc.abstractmethod
    def linearised(
        self, field: AbstractField, w: np.ndarray, states: np.ndarray, nodes: Any, noise: Any
    ) -> Any:
        """As `takens.learn.sparse.shooting.linearised`."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class MapAdvance(AbstractAdvance):
    """One application of the rule."""

    def __call__(
        self,
        field: AbstractField,
        w: np.ndarray,
        x: np.ndarray,
        u: tuple[np.ndarray, np.ndarray],
        t: np.ndarray,
        h: np.ndarray,
        *,
        derivatives: bool = True,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rule itself."""
        f, slope = field.rates(x, u[0], t, w)
        if not derivatives:
            return f, slope, np.empty((*x.shape, 0))
        carry = np.broadcast_to(np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))
        return f, slope, field.response(carry, x, u[0], t, w)

    def states(
        self,
        field: AbstractField,
        w: np.ndarray,
        x: np.ndarray,
        u: tuple[np.ndarray, np.ndarray],
        t: np.ndarray,
        h: np.ndarray,
    ) -> np.ndarray:
        """The rule itself."""
        return field.values(x, u[0], t, w)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FlowAdvance(AbstractAdvance):
    """Classical Runge-Kutta steps of order four between nodes, the input linear between samples.

    The derivative by the parameters is the variation of constants formula with Simpson's rule on
    each step, its midpoint by cubic Hermite interpolation: of the same order as the method.

    Parameters
    ----------
    substeps : int
        Steps between two nodes.
    """

    substeps: int = 1

    def __call__(
        self,
        field: AbstractField,
        w: np.ndarray,
        x: np.ndarray,
        u: tuple[np.ndarray, np.ndarray],
        t: np.ndarray,
        h: np.ndarray,
        *,
        derivatives: bool = True,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As many steps as `substeps`."""
        dim = x.shape[1]
        tangent = np.broadcast_to(np.eye(dim), (len(x), dim, dim))
        response = np.zeros((len(x), dim, field.n_parameters if derivatives else 0))
        step = h / self.substeps
        for here, half, there in self._points(u, t, step):
            old = x
            x, own, (rate, slope) = _runge_kutta(field, w, x, (here, half, there), step)
            tangent = own @ tangent
            if derivatives:
                response = own @ response + _varied(
                    field, w, (old, x), own, (rate, slope), (here, half, there), step
                )
        return x, tangent, response

    def states(
        self,
        field: AbstractField,
        w: np.ndarray,
        x: np.ndarray,
        u: tuple[np.ndarray, np.ndarray],
        t: np.ndarray,
        h: np.ndarray,
    ) -> np.ndarray:
        """As many steps as `substeps`."""
        step = h / self.substeps
        one = step[:, None]
        for (t0, u0), (t1, u1), (t2, u2) in self._points(u, t, step):
            f1 = field.values(x, u0, t0, w)
            f2 = field.values(x + one / 2 * f1, u1, t1, w)
            f3 = field.values(x + one / 2 * f2, u1, t1, w)
            f4 = field.values(x + one * f3, u2, t2, w)
            x = x + one / 6 * (f1 + 2 * f2 + 2 * f3 + f4)
        return x

    def _points(
        self, u: tuple[np.ndarray, np.ndarray], t: np.ndarray, step: np.ndarray
    ) -> Iterator[tuple[Point, Point, Point]]:
        """Time and input at the beginning, the middle and the end of every step."""
        first, change = u[0], u[1] - u[0]
        for k in range(self.substeps):
            here, half, there = (
                (t + (k + s) * step, first + change * ((k + s) / self.substeps))
                for s in (0.0, 0.5, 1.0)
            )
            yield here, half, there


def _runge_kutta(
    field: AbstractField,
    w: np.ndarray,
    x: np.ndarray,
    at: tuple[Point, Point, Point],
    h: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """One step, its derivative by the state, and the rates at its beginning."""
    one, two = h[:, None], h[:, None, None]
    eye = np.eye(x.shape[1])
    (t0, u0), (t1, u1), (t2, u2) = at
    f1, a1 = field.rates(x, u0, t0, w)
    f2, a2 = field.rates(x + one / 2 * f1, u1, t1, w)
    d2 = a2 @ (eye + two / 2 * a1)
    f3, a3 = field.rates(x + one / 2 * f2, u1, t1, w)
    d3 = a3 @ (eye + two / 2 * d2)
    f4, a4 = field.rates(x + one * f3, u2, t2, w)
    d4 = a4 @ (eye + two * d3)
    new = x + one / 6 * (f1 + 2 * f2 + 2 * f3 + f4)
    return new, eye + two / 6 * (a1 + 2 * d2 + 2 * d3 + d4), (f1, a1)


def _varied(
    field: AbstractField,
    w: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    tangent: np.ndarray,
    start: tuple[np.ndarray, np.ndarray],
    at: tuple[Point, Point, Point],
    h: np.ndarray,
) -> np.ndarray:
    """What a change of the parameters during the step adds at its end."""
    (t0, u0), (t1, u1), (t2, u2) = at
    one, two = h[:, None], h[:, None, None]
    rate, slope = field.rates(ends[1], u2, t2, w)
    middle = (ends[0] + ends[1]) / 2 + one / 8 * (start[0] - rate)
    eye = np.broadcast_to(np.eye(ends[0].shape[1]), tangent.shape)
    carry = (tangent + eye) / 2 + two / 8 * (slope - tangent @ start[1])
    total = field.response(tangent, ends[0], u0, t0, w)
    total += 4 * field.response(carry, middle, u1, t1, w)
    total += field.response(eye, ends[1], u2, t2, w)
    return total * (two / 6)
