"""Maps made from other systems: iterates, strobed flows and first returns to a plane."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.core import InvalidInput, WrongKind
from takens.core.system import AbstractFlow, AbstractMap, parameter, static
from takens.dynamics.crossings import a_flow, checked, crossed, located, rate_of
from takens.dynamics.door import a_system, counts
from takens.dynamics.fixed_points import at_times, autonomous
from takens.dynamics.planes import PlaneEvent, basis_of, plane_of, section_names


class Iterate(AbstractMap):
    """A map composed with itself.

    Parameters
    ----------
    map : AbstractMap
        What is iterated.
    k : int
        How often.
    """

    map: AbstractMap
    k: int = static()

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the map."""
        return self.map.names

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """From iterate ``k n`` to ``k (n + 1)`` of the map, the input held."""

        def one(x: Any, index: Any) -> tuple[Any, None]:
            return self.map.step(n * self.k + index, x, u), None

        return jax.lax.scan(one, x, jnp.arange(self.k))[0]


class Stroboscope(AbstractMap):
    """A flow seen once in every period of its forcing.

    Parameters
    ----------
    flow : AbstractFlow
    period : float
        In time units.
    phase : float
        Time of the first look, in time units.
    n_substeps : int
        Planned by the flow's integrator.
    """

    flow: AbstractFlow
    period: Array = parameter()
    phase: Array = parameter(0.0)
    n_substeps: int = static(1)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the flow."""
        return self.flow.names

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Over one period from the phase: the same for every `n`, as the forcing repeats."""
        flow = self.flow
        return flow.integrator.advance(flow, self.phase, self.period, x, u, self.n_substeps)


class PoincareMap(AbstractMap):
    """First return of a flow to a plane, in coordinates on the plane.

    Parameters
    ----------
    flow : AbstractFlow
    normal : array, shape (dim,)
        Of the plane, of length one.
    offset : array, shape ()
        ``normal @ x`` on the plane.
    basis : array, shape (dim - 1, dim)
        Orthonormal rows that span the plane.
    dt : array, shape ()
        Time between two looks.
    names : tuple of str
        Of the coordinates.
    direction : int
        1 for returns along the normal, -1 against it, 0 for both.
    max_steps : int
        Looks after which a return is given up as NaN.
    n_substeps : int
        Planned by the flow's integrator for `dt`.
    """

    flow: AbstractFlow
    normal: Array = parameter()
    offset: Array = parameter()
    basis: Array = parameter()
    dt: Array = parameter()
    names: tuple[str, ...] = static(("s1",))
    direction: int = static(1)
    max_steps: int = static(10_000)
    n_substeps: int = static(1)

    def lift(self, x: Any) -> Any:
        """The state of the flow at coordinates `x`, shape (dim,)."""
        return self.offset * self.normal + x @ self.basis

    def project(self, state: Any) -> Any:
        """Coordinates on the plane of a state of the flow, shape (dim - 1,)."""
        return self.basis @ state

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Coordinates of the next crossing; NaN if there is none."""
        return self.timed(x, u)[1]

    def timed(self, x: Any, u: Any = None) -> tuple[Any, Any]:
        """Time to the next crossing, and its coordinates.

        The tangent follows by one Newton step onto the plane, which projects along the flow.
        """
        flow, zero = self.flow, jnp.zeros(())
        event = PlaneEvent(self.normal, self.offset)

        def advance(s: Any, x: Any) -> Any:
            return flow.integrator.advance(flow, zero, s, x, u, self.n_substeps)

        def searching(carry: Any) -> Any:
            k, _, y, value = carry
            met = crossed(event(zero, carry[1]), value, self.direction) & (k > 1)
            return ~met & (k < self.max_steps) & jnp.all(jnp.isfinite(y))

        def move(carry: Any) -> Any:
            k, _, y, _ = carry
            z = advance(self.dt, y)
            return k + 1, y, z, event(zero, z)

        start = self.lift(x)  # its own crossing, in the first step, does not count
        k, before, _, value = jax.lax.while_loop(
            searching, move, (jnp.zeros((), int), start, start, jnp.zeros(()))
        )
        held = jax.lax.stop_gradient(before)
        s, _ = located(flow, event, zero, held, self.dt, u, self.n_substeps)
        s = jax.lax.stop_gradient(s)
        y = advance(s, before)
        distance, rate = rate_of(flow, event, zero, y, u)
        late = distance / rate
        y = y - late * flow.vector_field(zero, y, u)
        met = crossed(event(zero, before), value, self.direction) & (k > 1)
        lost = jnp.where(met, 1.0, jnp.nan)
        return ((k - 1) * self.dt + s - late) * lost, self.project(y) * lost


def iterate(system: Any, k: int) -> Iterate:
    """The `k`-th iterate of a map, itself a map: its fixed points are the cycles of period `k`.

    Parameters
    ----------
    system : AbstractMap
        Known or learned.
    k : int
        How often it is applied.

    Returns
    -------
    Iterate

    Raises
    ------
    WrongKind
        If `system` is not a map.
    InvalidInput
        If `k` is not a whole number from 1 on.

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> twice = iterate(LogisticMap(r=4.0), 2)
    >>> twice.step(0, jnp.array([0.25]))
    Array([0.75], dtype=float64)
    """
    if not isinstance(a_system(system), AbstractMap):
        raise WrongKind(
            f"{type(system).__name__} is no map; only a map has iterates. "
            "Pass `system.as_map(dt)` of a flow."
        )
    if not (isinstance(k, (int, np.integer)) and not isinstance(k, bool) and k >= 1):
        raise InvalidInput(f"k = {k!r}; expected a whole number from 1 on.")
    return Iterate(system, int(k))


def stroboscopic_map(system: Any, period: float, *, phase: float = 0.0) -> Stroboscope:
    """A periodically forced flow seen once in every period: an autonomous map.

    Parameters
    ----------
    system : AbstractFlow
        Whose rule repeats after `period`; one that does not depend on time repeats after any.
    period : float
        In time units.
    phase : float
        Time of the first look, in time units.

    Returns
    -------
    Stroboscope

    Raises
    ------
    WrongKind
        If `system` is not a flow.
    InvalidInput
        If `period` is not positive, or the rule does not repeat after it.

    Notes
    -----
    That the rule repeats is checked at a few times and states.

    Examples
    --------
    >>> from takens.systems import Lorenz63
    >>> stroboscopic_map(Lorenz63(), 0.5).dim
    3
    """
    flow = a_flow(system, "a stroboscopic map")
    if not (np.isfinite(period) and period > 0 and np.isfinite(phase)):
        raise InvalidInput(f"period = {period}, phase = {phase}; expected a positive period.")
    points = np.random.default_rng(0).normal(size=(2, flow.dim))
    times = phase + period * np.array([0.0, 0.31, 0.77])
    here, later = np.split(
        np.asarray(at_times(flow, np.append(times, times + period), points, None)), 2
    )
    gap, size = np.abs(here - later).max(axis=2), np.abs(here).max(axis=2)
    if np.any(gap > 1e-8 * (1e-30 + size)):
        raise InvalidInput(
            f"The rule of {type(flow).__name__} does not repeat after {period:g} time "
            "units. Give the period of its forcing."
        )
    return Stroboscope(flow, period, phase, flow.integrator.substeps(float(period)))


def poincare_map(
    system: Any, plane: Any, *, dt: float, direction: int = 1, max_steps: int = 10_000
) -> PoincareMap:
    """First return of a flow to a plane: a map with one dimension less, for every question of maps.

    Parameters
    ----------
    system : AbstractFlow
        Known or learned; its rule must not depend on time.
    plane : (str or int, float), or (array of shape (dim,), float)
        As in `poincare_section`.
    dt : float
        Time between two looks, in time units, shorter than any two crossings are apart.
    direction : int
        1 for returns along the normal (upwards), -1 against it, 0 for both.
    max_steps : int
        Looks after which a return is given up as NaN.

    Returns
    -------
    PoincareMap
        Its states are coordinates on the plane; `lift` and `project` lead to and from states of
        the flow, `timed` also gives the time of return.

    Raises
    ------
    WrongKind
        If `system` is not a flow, or its rule depends on time.
    InvalidInput
        If the plane or a setting is malformed.

    Notes
    -----
    Cost of one step: a step of the flow for each `dt` until the return, and a dozen more. The
    map is differentiable in forward mode wherever the orbit crosses the plane at an angle; where
    it grazes, the map has a discontinuity that no derivative shows.

    Examples
    --------
    >>> from takens.systems import Rossler
    >>> returns = poincare_map(Rossler(), ("y", 0.0), dt=0.1, direction=-1)
    >>> returns.names
    ('x', 'z')
    """
    flow = a_flow(system, "a return map")
    checked(dt, direction, None)
    counts(n_steps=max_steps)
    normal, offset = plane_of(flow, plane)
    if flow.dim < 2:
        raise InvalidInput("The flow has one component; a plane in it is a point.")
    autonomous(flow, np.random.default_rng(0).normal(size=(2, flow.dim)))
    return PoincareMap(
        flow, normal, offset, basis_of(normal), dt, section_names(flow.names, normal),
        int(direction), int(max_steps), flow.integrator.substeps(float(dt)),
    )  # fmt: skip
