"""Delay equations made of terms."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.errors import InvalidInput
from takens.core.integrators import AbstractIntegrator, Adaptive
from takens.core.system import parameter, static
from takens.learn.terms.system import (
    AbstractTermSystem,
    checked_shape,
    checked_terms,
    sum_text,
    term_values,
    used_rows,
    weighted,
)
from takens.learn.terms.terms import Terms
from takens.learn.terms.tree import quoted
from takens.systems.delay import AbstractDelayFlow


class TermDelayFlow(AbstractDelayFlow, AbstractTermSystem):
    r"""A delay equation whose rates are sums of terms, one delay for all of them.

    .. math:: \dot x(t) = \theta(x(t), x(t - \tau), u, t)\, C

    Parameters
    ----------
    coefficients : array, shape (n_terms, n_states)
        In state units over term units and time unit.
    terms : Terms
        Over the states and their values one lag ago, as `Delays` gives them.
    delay : float
        :math:`\tau`, in time units: the lag in samples times their interval.
    n_nodes : int
        Chebyshev nodes that hold the past, see `takens.systems.AbstractDelayFlow`.
    units : tuple of str
        Of the states; ``()`` when unknown.
    time_unit : str
        ``"1"`` when unknown.
    integrator : AbstractIntegrator

    Raises
    ------
    InvalidInput
        If shapes disagree, or the terms hold no lag or several.

    Examples
    --------
    Hutchinson's equation, :math:`\dot x = 1.8\, x\, (1 - x(t - 1))`, from samples 0.1 apart:

    >>> from takens.learn.terms import Delays, Polynomials
    >>> terms = Delays(10, Polynomials(2)).over(("x",)).select(("x", "x*x[-10]"))
    >>> flow = TermDelayFlow([[1.8], [-1.8]], terms, delay=1.0)
    >>> flow.equations()
    ("x' = 1.8*x - 1.8*x*x[-10]",)
    >>> flow.dim
    17
    """

    coefficients: Array = parameter()
    terms: Terms = static()
    delay: Array = parameter()
    n_nodes: int = static(17)
    units: tuple[str, ...] = static(())
    time_unit: str = static("1")
    integrator: AbstractIntegrator = Adaptive()

    def __check_init__(self) -> None:
        """Refuse what does not fit, before anything is traced."""
        checked_terms(self.terms)
        lags = sorted({lag for _, lag in self.terms.delays})
        if len(lags) != 1:
            raise InvalidInput(
                f"the terms hold the lags {lags}; expected one. Take TermMap for several, TermFlow "
                "for none."
            )
        checked_shape("coefficients", self.coefficients, self.terms, self.laws)

    @property
    def components(self) -> tuple[str, ...]:  # type: ignore[override]
        """The states of the terms."""
        return self.terms.states

    @property
    def laws(self) -> tuple[str, ...]:
        """The states of the terms."""
        return self.terms.states

    @property
    def inputs(self) -> tuple[str, ...]:
        """Those of the terms."""
        return self.terms.inputs

    def delayed_field(self, t: Any, x: Any, x_delayed: Any, u: Any = None) -> Any:
        """The sums."""
        earlier = [x_delayed[self.terms.states.index(name)] for name, _ in self.terms.delays]
        seen = jnp.concatenate([x, jnp.stack(earlier)])
        return weighted(term_values(self.terms, t, seen, u), self.coefficients)

    def equations(self, digits: int = 4) -> tuple[str, ...]:
        """As in ``x' = 1.8*x - 1.8*x*x[-10]``, the lag in samples."""
        return tuple(
            f"{quoted(name)}' = {sum_text(self.terms, self.coefficients[..., i], digits)}"
            for i, name in enumerate(self.laws)
        )

    def pruned(self) -> TermDelayFlow:
        """The same flow without the terms that no equation uses."""
        used = used_rows(self.coefficients)
        return TermDelayFlow(
            self.coefficients[..., used, :],
            self.terms.select(used),
            delay=self.delay,
            n_nodes=self.n_nodes,
            units=self.units,
            time_unit=self.time_unit,
            integrator=self.integrator,
        )
