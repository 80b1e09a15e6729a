"""Systems: rules for how a state evolves. Equinox modules in float64; parameters are array fields."""

import abc
import dataclasses
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from takens.core.compile_cache import enable_compile_cache
from takens.core.errors import InvalidInput, WrongKind
from takens.core.integrators import AbstractIntegrator, AbstractStochasticIntegrator

jax.config.update("jax_enable_x64", True)  # once, here: a room that needs JAX imports this module
enable_compile_cache()

State = Float[Array, " dim"]


def _as_array(value: Any) -> Array:
    return value if isinstance(value, jax.core.Tracer) else jnp.asarray(value, dtype=float)


def parameter(default: Any = None) -> Any:
    """A numeric field: an array, because a Python float would recompile for every new value."""
    if default is None:
        return eqx.field(converter=_as_array)
    return eqx.field(default_factory=lambda: _as_array(default), converter=_as_array)


def static(default: Any = None) -> Any:
    """A field that is part of the program and not of the numbers: names, orders, lags."""
    return eqx.field(static=True) if default is None else eqx.field(static=True, default=default)


class AbstractSystem(eqx.Module):
    """A rule for how a state evolves. Its parameters are its array fields; a sweep is a ``vmap``.

    Every class is either abstract (its name says so) or final.
    """

    names: eqx.AbstractVar[tuple[str, ...]]

    @property
    def dim(self) -> int:
        """Number of state components."""
        return len(self.names)

    def with_parameters(self, **values: Any) -> Self:
        """A copy with other values of the named array fields; works on traced values too.

        Raises
        ------
        InvalidInput
            If a name is not an array field of the system.
        """
        for name in values:
            if not eqx.is_array(getattr(self, name, None)):
                known = [f.name for f in dataclasses.fields(self)
                         if eqx.is_array(getattr(self, f.name))]  # fmt: skip
                raise InvalidInput(
                    f"{type(self).__name__} has no parameter {name!r}. It has: {known}."
                )
        return eqx.tree_at(
            lambda system: [getattr(system, name) for name in values],
            self,
            [_as_array(value) for value in values.values()],
        )

    @abc.abstractmethod
    def as_map(self, dt: float = 1.0) -> "AbstractMap":
        """The evolution operator over `dt`. Orbit analyses are written once, against it."""


class AbstractMap(AbstractSystem):
    """Discrete time: ``x[n+1] = step(n, x[n], u[n])``."""

    @abc.abstractmethod
    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The state after one iterate; `x` has shape (dim,), `n` counts iterates from zero."""

    def as_map(self, dt: float = 1.0) -> "AbstractMap":
        """The map itself: it advances by one iterate, and no other `dt` has a meaning."""
        if dt != 1:
            raise InvalidInput(
                f"dt = {dt} was asked of a map, which advances by 1. Iterate it k times instead."
            )
        return self


class AbstractFlow(AbstractSystem):
    """Continuous time: ``dx/dt = vector_field(t, x, u)``."""

    integrator: eqx.AbstractVar[AbstractIntegrator]

    @abc.abstractmethod
    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The rate of change of the state, in state units per time unit."""

    def as_map(self, dt: float = 1.0) -> "AbstractMap":
        """The flow observed every `dt` time units."""
        if not (np.isfinite(dt) and dt != 0):
            raise InvalidInput(f"dt = {dt}; expected a finite, nonzero time step.")
        return TimeMap(self, dt, self.integrator.substeps(float(dt)))


class AbstractDiffusion(AbstractSystem):
    """Stochastic: ``dX = drift(t, X, u) dt + diffusion(t, X, u) dW`` in the sense of Ito."""

    integrator: eqx.AbstractVar[AbstractStochasticIntegrator]

    @abc.abstractmethod
    def drift(self, t: Any, x: Any, u: Any = None) -> Any:
        """The mean rate of change, shape (dim,)."""

    @abc.abstractmethod
    def diffusion(self, t: Any, x: Any, u: Any = None) -> Any:
        """The noise matrix, shape (dim, noise), in state units per square root of time."""

    def as_map(self, dt: float = 1.0) -> "AbstractMap":
        """Refused: a diffusion has no evolution operator on states, only on distributions."""
        raise WrongKind(
            f"{type(self).__name__} is a diffusion; this question needs a deterministic system. "
            "Ask for its density or simulate paths, or pass its drift as a flow."
        )


class TimeMap(AbstractMap):
    """A flow observed every `dt`. Forward-mode differentiation gives its tangent map.

    Cost: that of the flow's integrator over `dt`, for every step.
    """

    flow: AbstractFlow
    dt: Array = parameter()
    n_substeps: int = eqx.field(static=True, default=1)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the flow."""
        return self.flow.names

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """From ``n dt`` to ``(n + 1) dt`` with the input held; NaN where that fails."""
        flow = self.flow
        return flow.integrator.advance(flow, n * self.dt, self.dt, x, u, self.n_substeps)
