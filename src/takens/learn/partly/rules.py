"""Known rates in JAX, and the flow that joins them with what was found."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from takens.core.errors import InvalidInput
from takens.core.system import AbstractFlow, parameter, static
from takens.learn.partly.parts import filled, rounded
from takens.learn.terms import Terms
from takens.learn.terms.tree import Node, text


class AbstractRule(eqx.Module):
    """Rates :math:`g(t, x, u; p)` that can be traced."""

    @abc.abstractmethod
    def __call__(self, t: Any, x: Any, u: Any, p: Any) -> Any:
        """The rates, shape (dim,)."""

    @abc.abstractmethod
    def text(self, place: int, values: Mapping[str, float], digits: int) -> str:
        """The rate of one state, with the numbers of its parameters."""


def _named(name: str, place: int, values: Mapping[str, float], digits: int) -> str:
    numbers = ", ".join(f"{key}={value:.{digits}g}" for key, value in values.items())
    return f"{name}(t, x{'; ' if numbers else ''}{numbers})[{place}]"


class EquationRule(AbstractRule):
    """One term over states and parameters for each state.

    Parameters
    ----------
    scale : array, shape (dim,)
    terms : Terms
    places : tuple of int
        Which term is the rate of which state.
    nodes : tuple of expression
        The rates as they were written.
    """

    scale: Array = parameter()
    terms: Terms = static()
    places: tuple[int, ...] = static()
    nodes: tuple[Node, ...] = static()

    def __call__(self, t: Any, x: Any, u: Any, p: Any) -> Any:
        """Terms at state and parameters."""
        if u is None and self.terms.uses_inputs:
            u = jnp.zeros(len(self.terms.inputs))
        values = self.terms(jnp.concatenate([jnp.asarray(x), p]), u, t, xp=jnp)
        return values[jnp.asarray(self.places)] * self.scale

    def text(self, place: int, values: Mapping[str, float], digits: int) -> str:
        """As it was written."""
        return text(rounded(filled(self.nodes[place], values), digits))


class FunctionRule(AbstractRule):
    """A function of the user's.

    Parameters
    ----------
    fixed : array
        Parameters that follow the free ones.
    function : callable
    parameters : type
        Named tuple of both.
    takes_input : bool
        Whether it has a fourth argument.
    """

    fixed: Array = parameter()
    function: Callable[..., Any] = static()
    parameters: Any = static()
    takes_input: bool = static()

    def __call__(self, t: Any, x: Any, u: Any, p: Any) -> Any:
        """The function, its answer as one array."""
        named = self.parameters(*p, *self.fixed)
        found = self.function(t, x, named, u) if self.takes_input else self.function(t, x, named)
        if isinstance(found, (list, tuple)):
            found = jnp.stack([jnp.asarray(part, dtype=float) for part in found])
        return jnp.asarray(found, dtype=float)

    def text(self, place: int, values: Mapping[str, float], digits: int) -> str:
        """By the name of the function."""
        return _named(getattr(self.function, "__name__", "known"), place, values, digits)


class SystemRule(AbstractRule):
    """A flow of the package with some of its fields replaced.

    Parameters
    ----------
    system : AbstractFlow
    order : tuple of int
        Column of each state of the flow.
    free : tuple of str
        Fields that `p` replaces.
    """

    system: AbstractFlow
    order: tuple[int, ...] = static()
    free: tuple[str, ...] = static()

    def __call__(self, t: Any, x: Any, u: Any, p: Any) -> Any:
        """Its vector field, in the order of the columns."""
        system = self.system
        if self.free:
            system = system.with_parameters(**dict(zip(self.free, p, strict=True)))
        order = jnp.asarray(self.order)
        return jnp.zeros(len(self.order)).at[order].set(system.vector_field(t, x[order], u))

    def text(self, place: int, values: Mapping[str, float], digits: int) -> str:
        """By the name of its class."""
        return _named(type(self.system).__name__, self.order.index(place), values, digits)


def checked_rule(rule: AbstractRule, dim: int, n_inputs: int, n_parameters: int) -> None:
    """Refuse rates that cannot be traced, or of another shape."""
    u = jnp.zeros(n_inputs) if n_inputs else None
    x, p = jnp.ones(dim), jnp.ones(n_parameters)
    try:
        shape = jax.eval_shape(rule, 0.0, x, u, p).shape
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise InvalidInput(
            f"the known rates cannot be evaluated ({type(error).__name__}: {error}). Write them "
            "with jax.numpy, of x[i], u[i] and p.name, with every parameter named in `free` or "
            "`fixed`."
        ) from error
    if shape != (dim,):
        raise InvalidInput(f"the known rates have shape {shape}; expected ({dim},).")


@eqx.filter_jit
def rates_and_slopes(rule: AbstractRule, t: Any, x: Any, u: Any, p: Any) -> tuple[Any, Any]:
    """Rates and their derivatives by the state at many points."""

    def one(t: Any, x: Any, u: Any) -> tuple[Any, Any]:
        given = u if u.shape[0] else None
        return rule(t, x, given, p), jax.jacfwd(lambda z: rule(t, z, given, p))(x)

    return jax.vmap(one)(t, x, u)


@eqx.filter_jit
def sensitivities(rule: AbstractRule, t: Any, x: Any, u: Any, p: Any) -> Any:
    """Derivatives of the rates by the parameters at many points."""

    def one(t: Any, x: Any, u: Any) -> Any:
        given = u if u.shape[0] else None
        return jax.jacfwd(lambda q: rule(t, x, given, q))(p)

    return jax.vmap(one)(t, x, u)
