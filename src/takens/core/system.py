"""Systems: rules for how a state evolves. Equinox modules in float64; parameters are array fields."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from takens.core.compile_cache import enable_compile_cache
from takens.core.errors import InvalidInput, WrongKind

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


class Integrator(eqx.Module):
    """How a flow is integrated: explicit Tsitouras 5(4), or Kvaerno 5(4) for stiff fields.

    Parameters
    ----------
    rtol, atol : float
        Relative tolerance, and absolute tolerance in state units.
    max_steps : int
        Steps allowed per unit call; past it the state is NaN.
    stiff : bool
        Declares the vector field stiff, so that an implicit method is used.
    """

    rtol: float = eqx.field(static=True, default=1e-8)
    atol: float = eqx.field(static=True, default=1e-10)
    max_steps: int = eqx.field(static=True, default=4096)
    stiff: bool = eqx.field(static=True, default=False)


class AbstractFlow(AbstractSystem):
    """Continuous time: ``dx/dt = vector_field(t, x, u)``."""

    integrator: eqx.AbstractVar[Integrator]

    @abc.abstractmethod
    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The rate of change of the state, in state units per time unit."""

    def as_map(self, dt: float = 1.0) -> "AbstractMap":
        """The flow observed every `dt` time units."""
        if not (np.isfinite(dt) and dt != 0):
            raise InvalidInput(f"dt = {dt}; expected a finite, nonzero time step.")
        return TimeMap(self, dt)


class AbstractDiffusion(AbstractSystem):
    """Stochastic: ``dX = drift(t, X, u) dt + diffusion(t, X, u) dW`` in the sense of Ito."""

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

    Cost: one adaptive integration over `dt` for every step.
    """

    flow: AbstractFlow
    dt: Array = parameter()

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the flow."""
        return self.flow.names

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Integrate from ``n dt`` to ``(n + 1) dt`` with the input held; NaN where that fails."""
        import diffrax

        settings = self.flow.integrator
        solver = diffrax.Kvaerno5() if settings.stiff else diffrax.Tsit5()
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(self.flow.vector_field),
            solver,
            n * self.dt,
            (n + 1) * self.dt,
            None,
            x,
            args=u,
            stepsize_controller=diffrax.PIDController(rtol=settings.rtol, atol=settings.atol),
            max_steps=settings.max_steps,
            adjoint=diffrax.ForwardMode(),
            throw=False,
        )
        okay = solution.result == diffrax.RESULTS.successful
        return solution.ys[-1] * jnp.where(okay, 1.0, jnp.nan)  # poisons value and tangent alike
