"""Systems whose rule is a sum of terms: what is printed, predicted with and simulated is one thing."""

from __future__ import annotations

import abc
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.core.errors import InvalidInput
from takens.core.integrators import AbstractIntegrator, Adaptive
from takens.core.system import AbstractFlow, AbstractMap, AbstractSystem, parameter, static
from takens.learn.terms.terms import Terms, delayed_name
from takens.learn.terms.tree import quoted


class AbstractTermSystem(AbstractSystem):
    """What the systems made of terms have in common: terms, their inputs, equations as text."""

    @property
    @abc.abstractmethod
    def laws(self) -> tuple[str, ...]:
        """Names of the states that have an equation of terms, one for each column of numbers."""

    @property
    @abc.abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """Names of the components of `u`; where no input is given it is zero."""

    @abc.abstractmethod
    def equations(self, digits: int = 4) -> tuple[str, ...]:
        """One equation for each state, numbers to `digits` significant digits."""


def term_values(terms: Terms, t: Any, x: Any, u: Any) -> Any:
    """Values of the terms, with an input of zero where none is given."""
    if u is None and terms.uses_inputs:
        u = jnp.zeros(len(terms.inputs))
    return terms(jnp.asarray(x), u, t, xp=jnp)


def weighted(theta: Any, coefficients: Any) -> Any:
    """``theta @ coefficients``, as sums that a compiler joins with the terms."""
    return (theta[:, None] * coefficients).sum(axis=0)


def checked_shape(what: str, coefficients: Any, terms: Terms, laws: tuple[str, ...]) -> None:
    """Refuse coefficients without a row for each term and a column for each law."""
    expected = (len(terms), len(laws))
    if np.shape(coefficients)[-2:] != expected:
        raise InvalidInput(
            f"{what} has shape {np.shape(coefficients)}; expected {expected}: a row for each term, "
            f"a column for each of {list(laws)}."
        )


def checked_terms(terms: Any) -> None:
    """Refuse a library where terms are expected."""
    if not isinstance(terms, Terms):
        raise InvalidInput(
            f"terms = {terms!r}; expected Terms. A library becomes terms by `over(states)`."
        )


def checked_flow_terms(terms: Any) -> None:
    """Refuse terms that need the past."""
    checked_terms(terms)
    if terms.delays:
        raise InvalidInput(
            f"the terms need the earlier values {list(terms.columns[len(terms.states) :])}, which "
            "are no part of a flow's state. Take TermDelayFlow or TermMap, or terms without delays."
        )


def sum_text(terms: Terms, column: Any, digits: int) -> str:
    """A weighted sum of terms as text that `Expressions` reads."""
    if np.ndim(column) != 1:
        raise InvalidInput(
            "equations were asked of an ensemble, whose coefficients have a leading axis. Take one "
            "member: `jax.tree.map(lambda a: a[i], system)`."
        )
    shown = ""
    for value, name in zip(np.asarray(column), terms.names, strict=True):
        if value == 0:
            continue
        size = f"{abs(value):.{digits}g}"
        piece = size if name == "1" else (name if size == "1" else f"{size}*{name}")
        if name.startswith("1/"):
            piece = size + name[1:]
        sign = ("-" if value < 0 else "") if not shown else (" - " if value < 0 else " + ")
        shown += sign + piece
    return shown or "0"


def used_rows(*columns: Any) -> np.ndarray:
    """Which rows hold a number other than zero; the first, where none does."""
    found = np.any([np.any(np.asarray(c) != 0, axis=(*range(c.ndim - 2), -1)) for c in columns], 0)
    if not found.any():
        found[0] = True
    return found


class TermFlow(AbstractFlow, AbstractTermSystem):
    r"""A flow whose rates are sums of terms, :math:`\dot x = \theta(x, u, t)\, C`.

    Parameters
    ----------
    coefficients : array, shape (n_terms, n_laws)
        In state units over term units and time unit, see `Terms.units`.
    terms : Terms
        Over the states in their order.
    velocities : tuple of (str, str)
        Pairs of a state and the state that is its rate of change: of a mechanical system position
        and velocity. Such a position has no column in `coefficients`; all other states have one.
    units : tuple of str
        Of the states; ``()`` when unknown.
    time_unit : str
        ``"1"`` when unknown.
    integrator : AbstractIntegrator

    Raises
    ------
    InvalidInput
        If shapes disagree, the terms need earlier values, or a velocity is no state.

    Notes
    -----
    Cost: one evaluation of all terms, used or not, for every rate: see `pruned`. A term that is
    not finite makes the rates NaN even where its coefficient is zero; a pruned flow lacks it.

    Examples
    --------
    >>> from takens.learn.terms import Polynomials
    >>> terms = Polynomials(2).over(("x", "y")).select(("x", "y", "x*y"))
    >>> flow = TermFlow([[1.0, 0.0], [0.0, -2.0], [-0.5, 1.0]], terms)
    >>> flow.equations()
    ("x' = x - 0.5*x*y", "y' = -2*y + x*y")
    >>> flow.vector_field(0.0, jnp.array([2.0, 1.0])).tolist()
    [1.0, 0.0]

    A pendulum, whose angle changes by its rate:

    >>> from takens.learn.terms import Expressions
    >>> terms = Expressions("sin(angle)", "rate").over(("angle", "rate"))
    >>> TermFlow([[-9.81], [-0.1]], terms, velocities=(("angle", "rate"),)).equations()
    ("angle' = rate", "rate' = -9.81*sin(angle) - 0.1*rate")
    """

    coefficients: Array = parameter()
    terms: Terms = static()
    velocities: tuple[tuple[str, str], ...] = static(())
    units: tuple[str, ...] = static(())
    time_unit: str = static("1")
    integrator: AbstractIntegrator = Adaptive()

    def __check_init__(self) -> None:
        """Refuse shapes that do not fit, before anything is traced."""
        checked_flow_terms(self.terms)
        checked_shape("coefficients", self.coefficients, self.terms, self.laws)
        for pair in self.velocities:
            if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(self.names):
                raise InvalidInput(
                    f"velocities hold {pair!r}; expected pairs of a state and another one, its "
                    f"rate, among {list(self.names)}."
                )

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the terms' states."""
        return self.terms.states

    @property
    def inputs(self) -> tuple[str, ...]:
        """Those of the terms."""
        return self.terms.inputs

    @property
    def laws(self) -> tuple[str, ...]:
        """All states but the positions."""
        positions = {position for position, _ in self.velocities}
        return tuple(name for name in self.names if name not in positions)

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The sums, and the velocities as rates of their positions."""
        rates = weighted(term_values(self.terms, t, x, u), self.coefficients)
        if not self.velocities:
            return rates
        rate_of = dict(self.velocities)
        return jnp.stack([
            x[self.names.index(rate_of[name])] if name in rate_of else rates[self.laws.index(name)]
            for name in self.names
        ])  # fmt: skip

    def equations(self, digits: int = 4) -> tuple[str, ...]:
        """As in ``x' = x - 0.5*x*y``."""
        rate_of = dict(self.velocities)
        right = {
            name: sum_text(self.terms, self.coefficients[..., i], digits)
            for i, name in enumerate(self.laws)
        } | {name: quoted(rate) for name, rate in rate_of.items()}
        return tuple(f"{quoted(name)}' = {right[name]}" for name in self.names)

    def pruned(self) -> TermFlow:
        """The same flow without the terms that no equation uses; it runs faster."""
        used = used_rows(self.coefficients)
        return TermFlow(
            self.coefficients[..., used, :],
            self.terms.select(used),
            velocities=self.velocities,
            units=self.units,
            time_unit=self.time_unit,
            integrator=self.integrator,
        )


class RationalFlow(AbstractFlow, AbstractTermSystem):
    r"""A flow whose rates are quotients, :math:`\dot x_i = \theta a_i / (1 + \varphi b_i)`.

    Parameters
    ----------
    numerator : array, shape (n_terms, dim)
        :math:`a`, one column for each state.
    denominator : array, shape (n_lower_terms, dim)
        :math:`b`.
    terms, lower_terms : Terms
        :math:`\theta` and :math:`\varphi`, over the same states and inputs.
    units : tuple of str
        Of the states; ``()`` when unknown.
    time_unit : str
        ``"1"`` when unknown.
    integrator : AbstractIntegrator

    Raises
    ------
    InvalidInput
        If shapes or columns disagree, or the denominator holds a constant term: its constant is 1.

    Notes
    -----
    Where a denominator passes through zero the rate is infinite. With error control an orbit that
    comes there becomes NaN; fixed steps may jump across.

    Examples
    --------
    Michaelis-Menten uptake, :math:`\dot s = 0.6 - 1.5 s / (0.3 + s)`, over 0.3:

    >>> from takens.learn.terms import Polynomials
    >>> terms = Polynomials(1).over(("s",))
    >>> flow = RationalFlow([[0.6], [-3.0]], [[10 / 3]], terms, terms.select(("s",)))
    >>> flow.equations(3)
    ("s' = (0.6 - 3*s)/(1 + 3.33*s)",)
    """

    numerator: Array = parameter()
    denominator: Array = parameter()
    terms: Terms = static()
    lower_terms: Terms = static()
    units: tuple[str, ...] = static(())
    time_unit: str = static("1")
    integrator: AbstractIntegrator = Adaptive()

    def __check_init__(self) -> None:
        """Refuse shapes that do not fit, before anything is traced."""
        checked_flow_terms(self.terms)
        checked_flow_terms(self.lower_terms)
        checked_shape("numerator", self.numerator, self.terms, self.laws)
        checked_shape("denominator", self.denominator, self.lower_terms, self.laws)
        columns = (self.terms.states, self.terms.inputs, self.terms.delays)
        lower = self.lower_terms
        if (lower.states, lower.inputs, lower.delays) != columns:
            raise InvalidInput(
                f"numerator and denominator are over {columns[:2]} and "
                f"{(lower.states, lower.inputs)}; expected the same columns."
            )
        if "1" in self.lower_terms.names:
            raise InvalidInput("the denominator holds the term 1; its constant is 1 already.")

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the terms' states."""
        return self.terms.states

    @property
    def inputs(self) -> tuple[str, ...]:
        """Those of the terms."""
        return self.terms.inputs

    @property
    def laws(self) -> tuple[str, ...]:
        """All states."""
        return self.names

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The quotients."""
        upper = weighted(term_values(self.terms, t, x, u), self.numerator)
        return upper / (1.0 + weighted(term_values(self.lower_terms, t, x, u), self.denominator))

    def equations(self, digits: int = 4) -> tuple[str, ...]:
        """As in ``s' = (0.6 - 3*s)/(1 + 3.33*s)``."""
        found = []
        for i, name in enumerate(self.names):
            upper = sum_text(self.terms, self.numerator[..., i], digits)
            lower = sum_text(self.lower_terms, self.denominator[..., i], digits)
            if lower != "0":
                joined = f"1 - {lower[1:]}" if lower.startswith("-") else f"1 + {lower}"
                upper = f"({upper})/({joined})"
            found.append(f"{quoted(name)}' = {upper}")
        return tuple(found)


class TermMap(AbstractMap, AbstractTermSystem):
    r"""A map whose next state is a sum of terms, :math:`x_{n+1} = \theta(x_n, u_n, n)\, C`.

    Parameters
    ----------
    coefficients : array, shape (n_terms, n_states)
        One column for each state of the terms.
    terms : Terms
        Where they need earlier values, the state of the map holds all up to the longest lag,
        newest first: ``x, y, x[-1], y[-1], ...``.
    units : tuple of str
        Of the states; ``()`` when unknown.

    Raises
    ------
    InvalidInput
        If shapes disagree.

    Examples
    --------
    >>> from takens.learn.terms import Expressions, Polynomials
    >>> terms = Polynomials(2, constant=False).over(("x",))
    >>> TermMap([[3.7], [-3.7]], terms).equations()
    ('x[+1] = 3.7*x - 3.7*x^2',)
    """

    coefficients: Array = parameter()
    terms: Terms = static()
    units: tuple[str, ...] = static(())

    def __check_init__(self) -> None:
        """Refuse shapes that do not fit, before anything is traced."""
        checked_terms(self.terms)
        checked_shape("coefficients", self.coefficients, self.terms, self.laws)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The states, and their earlier values up to the longest lag."""
        longest = max((lag for _, lag in self.terms.delays), default=0)
        earlier = [
            delayed_name(name, lag) for lag in range(1, longest + 1) for name in self.terms.states
        ]
        return (*self.terms.states, *earlier)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Those of the terms."""
        return self.terms.inputs

    @property
    def laws(self) -> tuple[str, ...]:
        """The states of the terms."""
        return self.terms.states

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The sums; earlier values move on by one place."""
        names, width = self.names, len(self.terms.states)
        chosen = [names.index(column) for column in self.terms.columns]
        seen = x if len(names) == width else jnp.asarray(x)[jnp.asarray(chosen)]
        new = weighted(term_values(self.terms, n, seen, u), self.coefficients)
        return new if len(names) == width else jnp.concatenate([new, x[:-width]])

    def equations(self, digits: int = 4) -> tuple[str, ...]:
        """As in ``x[+1] = 3.7*x - 3.7*x^2``, one for each state of the terms."""
        return tuple(
            f"{quoted(name)}[+1] = {sum_text(self.terms, self.coefficients[..., i], digits)}"
            for i, name in enumerate(self.laws)
        )

    def pruned(self) -> TermMap:
        """The same map without the terms that no equation uses.

        Earlier values stay part of the state.
        """
        used = used_rows(self.coefficients)
        return TermMap(self.coefficients[..., used, :], self.terms.select(used), units=self.units)
