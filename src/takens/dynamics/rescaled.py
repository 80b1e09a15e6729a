"""A system in units of its starts: where a search compares states with one, one must mean them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator
from takens.core.system import AbstractFlow, AbstractMap, AbstractSystem, parameter

LEAST = 1e-100  # smaller starts are zeros
USUAL_RATES = (1e-3, 1e3)  # searches do well on these as they are


class RescaledMap(AbstractMap):
    """A map of states in another unit, conjugate to the given one.

    Parameters
    ----------
    system : AbstractMap
        In the old unit.
    state_unit : array, shape ()
        The new unit in the old one.
    """

    system: AbstractMap
    state_unit: Array = parameter()

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the map."""
        return self.system.names

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """One iterate, in the new unit."""
        return self.system.step(n, self.state_unit * x, u) / self.state_unit


class RescaledFlow(AbstractFlow):
    """A flow of states in another unit.

    Parameters
    ----------
    system : AbstractFlow
        In the old unit.
    state_unit : array, shape ()
        The new unit in the old one.
    """

    system: AbstractFlow
    state_unit: Array = parameter()

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the flow."""
        return self.system.names

    @property
    def integrator(self) -> AbstractIntegrator:  # type: ignore[override]
        """That of the flow; its absolute tolerance counts in the new unit."""
        return self.system.integrator

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The field, in the new unit over time."""
        return self.system.vector_field(t, self.state_unit * x, u) / self.state_unit


def rescaled(system: AbstractSystem, unit: float) -> Any:
    """The system in another unit of its state, itself where that is one."""
    if unit == 1:
        return system
    if isinstance(system, AbstractMap):
        return RescaledMap(system=system, state_unit=jnp.asarray(unit))
    if isinstance(system, AbstractFlow):
        return RescaledFlow(system=system, state_unit=jnp.asarray(unit))
    return system


def unit_of(states: np.ndarray) -> float:
    """The largest size among states (sample, dim), at most one.

    Tolerances are relative to ``1 + |x|``, which suits states that are larger; smaller ones are
    looked at through a glass that makes them so. The power of two keeps all digits.
    """
    size = float(np.abs(states).max(initial=0.0))
    return float(2.0 ** np.floor(np.log2(size))) if LEAST < size < 1 else 1.0


def pace_of(system: AbstractSystem, rates: Any) -> np.ndarray:
    """The unit of time, in the old one, in which rates of a flow are about one; of the same shape.

    One for a map, whose steps are counted, and for usual rates. A power of two, as above.
    """
    sizes = np.asarray(rates, dtype=float)
    least, most = USUAL_RATES
    kept = (sizes >= least) & (sizes <= most) | ~np.isfinite(sizes) | (sizes < LEAST)
    if not isinstance(system, AbstractFlow):
        return np.ones_like(sizes)
    return np.asarray(2.0 ** -np.floor(np.log2(np.where(kept, 1.0, sizes))))


def typical(values: np.ndarray) -> float:
    """The median size of the finite rows of `values`, shape (sample, dim); one if there is none."""
    sizes = np.linalg.norm(values, axis=1)
    sizes = sizes[np.isfinite(sizes)]
    return float(np.median(sizes)) if len(sizes) else 1.0


def rate_at(starts: np.ndarray, values: np.ndarray) -> float:
    """The median speed of a flow at starts, both of shape (sample, dim), over their size."""
    return typical(values) / max(typical(starts), 1.0)
