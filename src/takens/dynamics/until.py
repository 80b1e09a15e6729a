"""The end of a trajectory at an event: the first crossing of zero, located on the orbit itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core import InvalidInput, WrongKind
from takens.core.system import AbstractFlow, AbstractSystem
from takens.dynamics.crossings import (
    N_INNER,
    checked,
    crossed,
    hides_two,
    located,
    rate_of,
)
from takens.dynamics.door import an_event


def an_end(
    system: AbstractSystem, until: Callable[[Any, Any], Any] | None, direction: int, series: bool
) -> None:
    """Whether a trajectory of `system` can end at this event.

    Raises
    ------
    WrongKind
        If `system` is no flow.
    InvalidInput
        If the event is no scalar, the direction is none, or the integrator finds events itself.
    """
    checked(1.0, direction, None)
    if until is None:
        if direction != 0:
            raise InvalidInput(f"direction = {direction} was given without `until`. Give an event.")
        return
    if not isinstance(system, AbstractFlow):
        raise WrongKind(
            f"{type(system).__name__} is no flow, and only a flow passes through an event at a "
            "time between two states. Cut its trajectory at the first row beyond, or ask "
            "`escape_times` of many starts."
        )
    if series:
        raise InvalidInput(
            "until was given with Taylor, which isolates roots on its own series. Ask "
            "`Taylor.crossings`."
        )
    an_event(until, system.dim)


@eqx.filter_jit
def _suspects(
    flow: AbstractFlow, event: Any, t: Any, x: Any, gap: Any, y: Any, u: Any, direction: Any
) -> Any:
    """Of each leg, whether its ends differ in sign, and whether it may hide two crossings."""

    def one(t: Any, x: Any, gap: Any, y: Any, u: Any) -> Any:
        value, rate = rate_of(flow, event, t, x, u)
        value2, rate2 = rate_of(flow, event, t + gap, y, u)
        seen = crossed(value, value2, direction)
        return seen, hides_two(value, value2, rate, rate2, gap)

    return jax.vmap(one)(t, x, gap, y, u)


@eqx.filter_jit
def _first(
    flow: AbstractFlow,
    event: Any,
    t: Any,
    x: Any,
    gap: Any,
    u: Any,
    n_substeps: int,
    direction: Any,
) -> Any:
    """Whether a leg crosses between `N_INNER` places inside it, and the first time and state."""
    n = N_INNER + 1
    after = gap * jnp.arange(1.0, n + 1) / n
    inner = jax.vmap(lambda s: flow.integrator.advance(flow, t, s, x, u, n_substeps))(after)
    starts = jnp.concatenate([x[None], inner[:-1]])
    times = jnp.concatenate([jnp.zeros(1), after])
    values = jax.vmap(event)(t + times, jnp.concatenate([x[None], inner]))
    hit = crossed(values[:-1], values[1:], direction)
    i = jnp.argmax(hit)
    s, y = located(flow, event, t + times[i], starts[i], gap / n, u, n_substeps)
    return jnp.any(hit), t + times[i] + s, y


def ended(
    flow: Any, until: Any, direction: int, grid: np.ndarray, path: np.ndarray,
    drivers: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:  # fmt: skip
    """Times, states and inputs up to the first crossing, which is their last row; all without one.

    Sought between neighbouring times. A leg whose ends differ in sign, or between whose ends a
    cubic changes sign, is run again from its start with more looks.
    """
    n_legs = len(grid) - 1
    gaps, sense = np.diff(grid), np.asarray(direction)
    pad = (0, (1 << (n_legs - 1).bit_length()) - n_legs)

    def padded(a: np.ndarray) -> np.ndarray:  # so that few programs are compiled
        return np.pad(a, (pad, *[(0, 0)] * (a.ndim - 1)), mode="edge")

    x, y, u = padded(path[:-1]), padded(path[1:]), None if drivers is None else padded(drivers[:-1])
    suspects = _suspects(flow, until, padded(grid[:-1]), x, padded(gaps), y, u, sense)
    seen, hidden = (np.asarray(a)[:n_legs] for a in suspects)
    n_substeps = flow.integrator.substeps(float(gaps.max()))
    for n in np.flatnonzero(seen | hidden):
        held = None if drivers is None else drivers[n]
        found, time, state = _first(flow, until, grid[n], path[n], gaps[n], held, n_substeps, sense)
        if not found and not seen[n]:
            continue
        if not found:  # an end of the leg lies on the surface to within the integrator's error
            time, state = grid[n + 1], path[n + 1]
        time = max(float(time), np.nextafter(grid[n], np.inf))
        rows = None if drivers is None else drivers[[*range(n + 1), n]]
        return np.append(grid[: n + 1], time), np.vstack([path[: n + 1], state]), rows
    return grid, path, drivers
