"""The flow that is known in part: equations with the numbers found, plus what was learned."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.core.errors import InvalidInput, WrongKind
from takens.core.integrators import AbstractIntegrator, Adaptive
from takens.core.system import AbstractFlow, parameter, static
from takens.learn.partly.parts import filled
from takens.learn.partly.rules import AbstractRule, EquationRule
from takens.learn.terms import Terms
from takens.learn.terms.parse import parse
from takens.learn.terms.plan import factors_of
from takens.learn.terms.system import TermFlow, sum_text, term_values, weighted
from takens.learn.terms.tree import add, quoted, text


class AbstractLearned(eqx.Module):
    """Rates that were learned, :math:`r(t, x, u)`, added to the known ones."""

    @abc.abstractmethod
    def __call__(self, t: Any, x: Any, u: Any = None) -> Any:
        """The rates, shape (dim,)."""

    @abc.abstractmethod
    def texts(self, names: tuple[str, ...], digits: int) -> tuple[str, ...]:
        """What is added to each equation, ``"0"`` where nothing is."""


class LearnedTerms(AbstractLearned):
    """A sum of terms; none, where nothing was missing.

    Parameters
    ----------
    coefficients : array, shape (term, dim)
    terms : Terms, optional
    """

    coefficients: Array = parameter()
    terms: Terms | None = eqx.field(static=True, default=None)

    def __call__(self, t: Any, x: Any, u: Any = None) -> Any:
        """The sum."""
        if self.terms is None:
            return jnp.zeros(self.coefficients.shape[1])
        return weighted(term_values(self.terms, t, x, u), self.coefficients)

    def texts(self, names: tuple[str, ...], digits: int) -> tuple[str, ...]:
        """Sums that can be read back."""
        if self.terms is None:
            return ("0",) * len(names)
        return tuple(
            sum_text(self.terms, self.coefficients[..., i], digits) for i in range(len(names))
        )


class PartlyKnownFlow(AbstractFlow):
    r"""A flow whose rates are known in part, :math:`\dot x = g(x, u, t; p) + r(x, u, t)`.

    What is printed, predicted with and simulated is this one object.

    Parameters
    ----------
    parameters : array, shape (parameter,)
        :math:`p`, in the order of `parameter_names`.
    known : AbstractRule
        :math:`g`.
    learned : AbstractLearned
        :math:`r`: terms, a Gaussian process or a network.
    names, inputs, parameter_names : tuple of str
    units : tuple of str
        Of the states; ``()`` when unknown.
    time_unit : str
    integrator : AbstractIntegrator

    Raises
    ------
    InvalidInput
        If there is not one number for each parameter.
    """

    parameters: Array = parameter()
    known: AbstractRule
    learned: AbstractLearned
    names: tuple[str, ...] = static()
    inputs: tuple[str, ...] = static(())
    parameter_names: tuple[str, ...] = static(())
    units: tuple[str, ...] = static(())
    time_unit: str = static("1")
    integrator: AbstractIntegrator = Adaptive()

    def __check_init__(self) -> None:
        """Refuse numbers that do not fit the names."""
        if np.shape(self.parameters)[-1:] != (len(self.parameter_names),):
            raise InvalidInput(
                f"parameters have shape {np.shape(self.parameters)}; expected "
                f"({len(self.parameter_names)},) for {list(self.parameter_names)}."
            )

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Known and learned rates."""
        if u is None and self.inputs:
            u = jnp.zeros(len(self.inputs))
        return self.known(t, x, u, self.parameters) + self.learned(t, x, u)

    def with_values(self, **values: float) -> PartlyKnownFlow:
        """The same flow with other values of some named parameters."""
        new = self.parameters
        for name, value in values.items():
            if name not in self.parameter_names:
                raise InvalidInput(
                    f"{name!r} is no parameter. Parameters are {list(self.parameter_names)}."
                )
            new = new.at[..., self.parameter_names.index(name)].set(value)
        return self.with_parameters(parameters=new)

    def equations(self, digits: int = 4) -> tuple[str, ...]:
        """One equation for each state, numbers to `digits` significant digits.

        Equations that were written down show as equations, and can be read back by
        `takens.learn.known` if what was learned is a sum of terms; a function or system shows by
        its name.
        """
        if np.ndim(self.parameters) != 1:
            raise InvalidInput("equations were asked of an ensemble. Take one member.")
        values = dict(zip(self.parameter_names, np.asarray(self.parameters), strict=True))
        shown = []
        for i, (name, more) in enumerate(
            zip(self.names, self.learned.texts(self.names, digits), strict=True)
        ):
            right = self.known.text(i, values, digits)
            if isinstance(self.known, EquationRule) and isinstance(self.learned, LearnedTerms):
                right = text(add(parse(right), parse(more)))
            elif more != "0":
                right = f"{right} - {more[1:]}" if more.startswith("-") else f"{right} + {more}"
            shown.append(f"{quoted(name)}' = {right}")
        return tuple(shown)

    def as_terms(self) -> TermFlow:
        """The same flow as a sum of terms, which can be saved and exported.

        Raises
        ------
        WrongKind
            If the known part is a function or a system, or the learned one no sum of terms.
        """
        if not isinstance(self.known, EquationRule) or not isinstance(self.learned, LearnedTerms):
            raise WrongKind(
                "only equations that were written down, with terms added, are sums of terms."
            )
        values = dict(zip(self.parameter_names, map(float, self.parameters), strict=True))
        columns: dict[Any, np.ndarray] = {}
        for i, node in enumerate(self.known.nodes):
            whole = filled(node, values)
            for piece in whole[1:] if whole[0] == "+" else (whole,):
                scale, monomial = factors_of(piece)
                columns.setdefault(monomial, np.zeros(len(self.names)))[i] += scale
        functions = self.known.terms.functions
        if self.learned.terms is not None:
            functions += self.learned.terms.functions
            for monomial, row in zip(
                self.learned.terms.monomials, np.asarray(self.learned.coefficients), strict=True
            ):
                columns[monomial] = columns.get(monomial, np.zeros(len(self.names))) + row
        columns = {m: row for m, row in columns.items() if row.any()} or {
            (): np.zeros(len(self.names))
        }
        terms = Terms(self.names, self.inputs, tuple(columns), functions)
        alone = [Terms(self.names, self.inputs, (m,), functions).names[0] for m in columns]
        table = np.zeros((len(terms), len(self.names)))
        for name, row in zip(alone, columns.values(), strict=True):
            table[terms.names.index(name)] += row
        return TermFlow(
            table, terms, units=self.units, time_unit=self.time_unit, integrator=self.integrator
        )
