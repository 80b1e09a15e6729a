r"""What is known of a law before the data speak, as linear constraints on its coefficients.

Every constraint is a small frozen object; any number of them is given together. Those on the form of
the law (symmetry, energy, Hamiltonian) are worked out from the terms themselves: they hold at random
points if and only if they hold as identities, so any library will do.

Standard errors and intervals are then those of the constrained estimate: they take the constraint as
exact, and a constraint that is wrong makes them wrong. A coefficient that a constraint fixes has an
error of zero. A coefficient that a sign stops at zero does not stand; the intervals of the others hold
given that, and that of a coefficient with a sign ends at zero.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from takens.core import InvalidInput
from takens.learn.terms import Terms

POINTS = 4  # random points for each term at which an identity is written down
RANK = 1e-9  # of the largest singular value, below which a row says nothing new


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Bounds:
    """Constraints over all coefficients, equation by equation: index ``equation * n_terms + term``.

    Parameters
    ----------
    allowed, required : array of bool, shape (p,)
    equality : array, shape (row, p)
    rhs : array, shape (row,)
    signs : array, shape (p,)
    """

    allowed: np.ndarray
    required: np.ndarray
    equality: np.ndarray
    rhs: np.ndarray
    signs: np.ndarray

    @classmethod
    def none(cls, p: int) -> Bounds:
        """Nothing known."""
        return cls(
            allowed=np.ones(p, dtype=bool),
            required=np.zeros(p, dtype=bool),
            equality=np.empty((0, p)),
            rhs=np.empty(0),
            signs=np.zeros(p),
        )

    def with_rows(self, rows: np.ndarray, rhs: np.ndarray) -> Bounds:
        """More equations."""
        return dataclasses.replace(
            self, equality=np.vstack([self.equality, rows]), rhs=np.r_[self.rhs, rhs]
        )


class AbstractConstraint(abc.ABC):
    """Something known of the coefficients."""

    @abc.abstractmethod
    def added(self, bounds: Bounds, terms: Terms) -> Bounds:
        """The constraints so far and this one."""


def bounds_of(constraints: Sequence[AbstractConstraint], terms: Terms) -> Bounds:
    """All constraints together.

    Raises
    ------
    InvalidInput
        If one names a term or column that is not there, or cannot be written in these terms.
    """
    found = Bounds.none(len(terms) * len(terms.states))
    for constraint in constraints:
        if not isinstance(constraint, AbstractConstraint):
            raise InvalidInput(
                f"{constraint!r} was given as a constraint; expected Known, Excluded, Required, "
                "Linear, NonNegative, NonPositive, Symmetry, EnergyConserving or Hamiltonian."
            )
        found = constraint.added(found, terms)
    return found


def place(terms: Terms, term: str, equation: str) -> int:
    """Where a coefficient stands."""
    if term not in terms.names or equation not in terms.states:
        raise InvalidInput(
            f"({term!r}, {equation!r}) was given; expected one of the terms {list(terms.names)} "
            f"and one of the columns {list(terms.states)}."
        )
    return terms.states.index(equation) * len(terms) + terms.names.index(term)


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise InvalidInput(f"{what} = {value!r}; expected a number.")
    if not np.isfinite(value):
        raise InvalidInput(f"{what} = {value}; expected a finite number.")
    return float(value)


@dataclasses.dataclass(frozen=True)
class Known(AbstractConstraint):
    """A coefficient whose value is known.

    Parameters
    ----------
    term, equation : str
    value : float
        In the units of the coefficient.
    """

    term: str
    equation: str
    value: float

    def added(self, bounds: Bounds, terms: Terms) -> Bounds:
        """One equation; a value of zero excludes the term."""
        value = _number("value", self.value)
        if value == 0:
            return Excluded(self.term, self.equation).added(bounds, terms)
        return Linear(((self.term, self.equation, 1.0),), value).added(bounds, terms)


@dataclasses.dataclass(frozen=True)
class Excluded(AbstractConstraint):
    """A term that does not stand in an equation.

    Parameters
    ----------
    term, equation : str
    """

    term: str
    equation: str

    def added(self, bounds: Bounds, terms: Terms) -> Bounds:
        """The coefficient is left out."""
        allowed = bounds.allowed.copy()
        allowed[place(terms, self.term, self.equation)] = False
        return dataclasses.replace(bounds, allowed=allowed)


@dataclasses.dataclass(frozen=True)
class Required(AbstractConstraint):
    """A term that stands in an equation whatever the data say; its coefficient is estimated.

    Parameters
    ----------
    term, equation : str
    """

    term: str
    equation: str

    def added(self, bounds: Bounds, terms: Terms) -> Bounds:
        """The coefficient is never taken out."""
        required = bounds.required.copy()
        required[place(terms, self.term, self.equation)] = True
        return dataclasses.replace(bounds, required=required)


@dataclasses.dataclass(frozen=True)
class Linear(AbstractConstraint):
    """A weighted sum of coefficients has a value.

    Parameters
    ----------
    weights : tuple of (term, equation, float)
    value : float

    Examples
    --------
    The diffusive coupling of two columns, equal and opposite:

    >>> Linear((("x", "x", 1.0), ("y", "x", 1.0)))
    Linear(weights=(('x', 'x', 1.0), ('y', 'x', 1.0)), value=0.0)
    """

    weights: tuple[tuple[str, str, float], ...]
    value: float = 0.0

    def added(self, bounds: Bounds, terms: Terms) -> Bounds:
        """One equation."""
        row = np.zeros(len(bounds.allowed))
        for term, equation, weight in self.weights:
            row[place(terms, term, equation)] += _number("weight", weight)
        if not row.any():
            raise InvalidInput("the weights of a linear constraint are all zero. Leave it out.")
        return bounds.with_rows(row[None], np.array([_number("value", self.value)]))


@dataclasses.dataclass(frozen=True)
class NonNegative(AbstractConstraint):
    """A coefficient that is not below zero.

    Parameters
    ----------
    term, equation : str
    """

    term: str
    equation: str

    def added(self, bounds: Bounds, terms: Terms) -> Bounds:
        """A sign of plus one."""
        return _signed(bounds, place(terms, self.term, self.equation), 1.0)


@dataclasses.dataclass(frozen=True)
class NonPositive(AbstractConstraint):
    """A coefficient that is not above zero.

    Parameters
    ----------
    term, equation : str
    """

    term: str
    equation: str

    def added(self, bounds: Bounds, terms: Terms) -> Bounds:
        """A sign of minus one."""
        return _signed(bounds, place(terms, self.term, self.equation), -1.0)


def _signed(bounds: Bounds, at: int, sign: float) -> Bounds:
    signs = bounds.signs.copy()
    if signs[at] == -sign:  # both: it is zero
        allowed = bounds.allowed.copy()
        allowed[at] = False
        return dataclasses.replace(bounds, allowed=allowed)
    signs[at] = sign
    return dataclasses.replace(bounds, signs=signs)


@dataclasses.dataclass(frozen=True)
class Symmetry(AbstractConstraint):
    r"""The law is the same seen in a mirror: :math:`f(S x) = S f(x)`.

    Parameters
    ----------
    matrix : tuple of float, or tuple of tuples
        ``S``; one number for each column stands for a diagonal, so that ``(-1, -1, 1)`` is
        :math:`(x, y, z) \to (-x, -y, z)`.

    Notes
    -----
    The library must hold the image of each of its terms; monomials up to a degree do under every
    matrix.
    """

    matrix: tuple[Any, ...]

    def added(self, bounds: Bounds, terms: Terms) -> Bounds:
        r"""With :math:`\theta(Sx) = \theta(x) R`: :math:`R W = W S^\top`."""
        dim, k = len(terms.states), len(terms)
        given = np.asarray(self.matrix, dtype=float)
        s = np.diag(given) if given.ndim == 1 else given
        if s.shape != (dim, dim) or not np.isfinite(s).all():
            raise InvalidInput(
                f"matrix = {self.matrix!r}; expected {dim} numbers or a {dim} by {dim} matrix."
            )
        x, u, t = _points(terms)
        here, there = terms(x, u, t), terms(x @ s.T, u, t)
        r, *_ = np.linalg.lstsq(here, there, rcond=1e-12)
        if np.abs(here @ r - there).max() > 1e-7 * np.abs(there).max():
            raise InvalidInput(
                f"the terms {list(terms.names)} do not hold their own images under {self.matrix!r}. "
                "Add these, or take a library of all monomials up to a degree."
            )
        r[np.abs(r) < 1e-9] = 0.0
        rows = np.kron(np.eye(dim), r) - np.kron(s, np.eye(k))
        return _reduced(bounds, rows)


@dataclasses.dataclass(frozen=True)
class EnergyConserving(AbstractConstraint):
    r"""The quadratic terms conserve the energy: :math:`\sum_i m_i x_i q_i(x) = 0`.

    With :math:`q` the part of the law of degree two in the columns, as in flows of fluids, where
    forcing and damping are linear.

    Parameters
    ----------
    weights : tuple of float
        ``m``, ones if not given.
    """

    weights: tuple[float, ...] = ()

    def added(self, bounds: Bounds, terms: Terms) -> Bounds:
        """The identity at random points."""
        weights = np.asarray(self.weights or np.ones(len(terms.states)), dtype=float)
        if weights.shape != (len(terms.states),) or not (weights > 0).all():
            raise InvalidInput(
                f"weights = {self.weights!r}; expected {len(terms.states)} positive numbers."
            )
        x, u, t = _points(terms)
        values = terms(x, u, t)
        twice = terms(2 * x, u, t)
        quadratic = np.abs(twice - 4 * values).max(axis=0) <= 1e-9 * np.abs(twice).max(axis=0)
        values[:, ~quadratic] = 0.0
        rows = (weights * x)[:, :, None] * values[:, None, :]
        return _reduced(bounds, rows.reshape(len(x), -1))


@dataclasses.dataclass(frozen=True)
class Hamiltonian(AbstractConstraint):
    r"""Positions and momenta move by a Hamiltonian: :math:`\dot q = \partial_p H, \dot p = -\partial_q H`.

    Parameters
    ----------
    pairs : tuple of (position, momentum)
        Every column is in one of them.

    Notes
    -----
    Such a function exists if and only if the derivative of the law, multiplied by the symplectic
    matrix, is symmetric; that is linear in the coefficients.
    """

    pairs: tuple[tuple[str, str], ...]

    def added(self, bounds: Bounds, terms: Terms) -> Bounds:
        """The symmetry at random points."""
        names = terms.states
        flat = [name for pair in self.pairs for name in pair]
        if sorted(flat) != sorted(names):
            raise InvalidInput(
                f"pairs = {self.pairs!r}; expected each of the columns {list(names)} once."
            )
        partner, sign = np.zeros(len(names), dtype=int), np.zeros(len(names))
        for position, momentum in self.pairs:
            q, p = names.index(position), names.index(momentum)
            partner[q], sign[q] = p, -1.0  # dH/dq = -dp/dt
            partner[p], sign[p] = q, 1.0
        slopes = terms.jacobian(*_points(terms))  # (point, term, column)
        dim, k = len(names), len(terms)
        rows = []
        for i in range(dim):
            for j in range(i):
                row = np.zeros((len(slopes), dim, k))
                row[:, partner[i]] += sign[i] * slopes[:, :, j]
                row[:, partner[j]] -= sign[j] * slopes[:, :, i]
                rows.append(row.reshape(len(slopes), -1))
        return _reduced(bounds, np.concatenate(rows))


def _points(terms: Terms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random points of order one, the same for every call."""
    rng = np.random.default_rng(0)
    n = POINTS * len(terms) + 8
    x = rng.normal(size=(n, len(terms.states)))
    return x, rng.normal(size=(n, len(terms.inputs))), rng.normal(size=n)


def _reduced(bounds: Bounds, rows: np.ndarray) -> Bounds:
    """As few rows as say the same; coefficients that they set to zero are left out."""
    if not np.isfinite(rows).all():
        raise InvalidInput(
            "a term has no value at some states, so that this constraint cannot be checked there. "
            "Leave out terms such as logarithms, roots and reciprocals."
        )
    _, values, right = np.linalg.svd(rows, full_matrices=False)
    kept = right[values > RANK * max(float(values.max(initial=0.0)), 1e-300)]
    free = np.abs(np.diag(kept.T @ kept) - 1) < 1e-9  # the row space holds the coefficient itself
    allowed = bounds.allowed & ~free
    left = kept[:, ~free]
    if len(left):
        _, values, right = np.linalg.svd(left, full_matrices=False)
        right = right[values > RANK]
        wide = np.zeros((len(right), rows.shape[1]))
        wide[:, ~free] = right
        bounds = bounds.with_rows(wide, np.zeros(len(wide)))
    return dataclasses.replace(bounds, allowed=allowed)
