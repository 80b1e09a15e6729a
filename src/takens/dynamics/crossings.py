"""Times and states at which an orbit of a flow crosses a surface, located on the orbit itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, WrongKind, require
from takens.core.system import AbstractFlow
from takens.dynamics.door import a_number, a_system, an_input, counts, describe, state

if TYPE_CHECKING:
    import xarray as xr

BLOCK = 256  # crossings found between two visits to the host
N_REFINEMENTS = 12
N_INNER = 7  # places inside a step at which an overlooked double crossing is looked for


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Crossings(AbstractResult):
    """Where an orbit crosses a surface.

    Parameters
    ----------
    times : array, shape (crossing,)
        In time units from the start.
    states : array, shape (crossing, dim)
        In state units.
    time_error : array, shape (crossing,)
        How far the located time is from the crossing of the computed orbit; the integrator's own
        error comes on top.
    rates : array, shape (crossing,)
        Rate of change of the event function there; near zero the orbit grazes.
    direction : int
        1 for upward crossings, -1 for downward, 0 for both.
    names : tuple of str
        Of the state components.
    """

    times: np.ndarray
    states: np.ndarray
    time_error: np.ndarray
    rates: np.ndarray
    direction: int
    names: tuple[str, ...]

    def summary(self) -> str:
        """How many crossings, over what time, and how regularly they come."""
        if self.status is not Status.OK or len(self.times) == 0:
            return f"No crossings: {self.status.value}"
        text = (
            f"{len(self.times)} crossing(s), from time {self.times[0]:.6g} to {self.times[-1]:.6g}"
        )
        if len(self.times) > 2:
            gaps = np.diff(self.times)
            text += f"; {gaps.mean():.6g} apart on average, {gaps.min():.6g} to {gaps.max():.6g}"
        return f"{text}. Located to {self.time_error.max():.1g} time units."

    def plot(self, ax: Any = None) -> Any:
        """Time between a crossing and the next."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, self.times[1:], np.diff(self.times), linestyle="none", marker=".")
        return plot.labels(ax, "time", "time since the crossing before")

    def to_xarray(self) -> xr.Dataset:
        """Times, states and their errors with named dimensions."""
        import xarray as xr

        return xr.Dataset(
            {
                "time": ("crossing", self.times),
                "state": (("crossing", "component"), self.states),
                "time_error": ("crossing", self.time_error),
                "rate": ("crossing", self.rates),
            },
            {"component": list(self.names)},
            attrs={"direction": self.direction, "status": self.status.name},
        )


def rate_of(flow: AbstractFlow, event: Any, t: Any, x: Any, u: Any) -> tuple[Any, Any]:
    """The event function and its rate of change along the flow."""
    return jax.jvp(event, (t, x), (jnp.ones_like(t), flow.vector_field(t, x, u)))


def crossed(before: Any, after: Any, direction: Any) -> Any:
    """Whether the sign changes in the wanted direction; a start on the surface does not count."""
    up = (before < 0) & (after >= 0) & (direction >= 0)
    return up | ((before > 0) & (after <= 0) & (direction <= 0))


def located(
    flow: AbstractFlow, event: Any, t: Any, x: Any, dt: Any, u: Any, n_substeps: int
) -> tuple[Any, Any]:
    """Time after `t`, at most `dt`, and state at the crossing of the step from `x`.

    Newton's method inside a bracket, halved where Newton would leave it.
    """

    def at(s: Any) -> tuple[Any, Any, Any]:
        y = flow.integrator.advance(flow, t, s, x, u, n_substeps)
        return y, *rate_of(flow, event, t + s, y, u)

    first = event(t, x)

    def improve(index: Any, carry: Any) -> Any:
        s, low, high, _, _ = carry
        y, value, rate = at(s)
        before = jnp.sign(value) == jnp.sign(first)
        begun = index > 0  # the first look, at the end of the step, only gives the guess
        lower, upper = jnp.where(begun & before, s, low), jnp.where(begun & ~before, s, high)
        newton = s - value / rate
        inside = (newton - lower) * (newton - upper) <= 0  # false for NaN
        settled = jnp.abs(value) <= 1e-15 * jnp.abs(rate * dt)  # else rounding would halve again
        better = jnp.where(settled, s, jnp.where(inside, newton, 0.5 * (lower + upper)))
        guess = dt * jnp.abs(first) / (jnp.abs(first) + jnp.abs(value))
        return jnp.where(begun, better, guess), lower, upper, s, y

    # The looks at both ends are turns of the loop too: the integrator is compiled once.
    start = (dt, jnp.zeros_like(dt), dt, dt, x)
    _, _, _, s, y = jax.lax.fori_loop(0, N_REFINEMENTS + 2, improve, start)
    return s, y


def hides_two(before: Any, after: Any, rate: Any, next_rate: Any, dt: Any) -> Any:
    """Whether the cubic through values and rates changes sign inside a step that shows no change."""
    s = jnp.arange(1.0, N_INNER + 1) / (N_INNER + 1)
    inner = (
        (1 + 2 * s) * (1 - s) ** 2 * before + s * (1 - s) ** 2 * dt * rate
        + s**2 * (3 - 2 * s) * after + s**2 * (s - 1) * dt * next_rate
    )  # fmt: skip
    return (before * after > 0) & jnp.any(inner * before < 0)


@eqx.filter_jit
def _march(
    flow: AbstractFlow, event: Any, x: Any, k: Any, dt: Any, n_substeps: int, direction: Any,
    wanted: Any, max_steps: Any, u: Any,
) -> Any:  # fmt: skip
    """Steps of `dt` from many states until each has crossed `wanted` times or run `max_steps`.

    Returns states and step counts, and of each crossing the state and count before it.
    """
    n, dim = x.shape
    rows = jnp.arange(n)
    look: Any = jax.vmap(lambda t, y: rate_of(flow, event, t, y, u))

    def active(carry: Any) -> Any:
        x, k, _, _, count, _, _, _ = carry
        return (count < wanted) & (k < max_steps) & jnp.all(jnp.isfinite(x), axis=1)

    def step(carry: Any) -> Any:
        x, k, value, rate, count, hidden, left, at = carry
        on = active(carry)
        y = jax.vmap(lambda t, x: flow.integrator.advance(flow, t, dt, x, u, n_substeps))(k * dt, x)
        value2, rate2 = look((k + 1) * dt, y)
        hit = on & crossed(value, value2, direction)
        place = jnp.where(hit, count, BLOCK)  # the last row is not there: the write is dropped
        left = left.at[rows, place].set(x, mode="drop")
        at = at.at[rows, place].set(k, mode="drop")
        two = jax.vmap(hides_two, (0, 0, 0, 0, None))(value, value2, rate, rate2, dt)
        return (
            jnp.where(on[:, None], y, x), jnp.where(on, k + 1, k), jnp.where(on, value2, value),
            jnp.where(on, rate2, rate), count + hit, hidden + (two & on), left, at,
        )  # fmt: skip

    start = (
        x, k, *look(k * dt, x), jnp.zeros(n, int), jnp.zeros(n, int),
        jnp.full((n, BLOCK, dim), jnp.nan), jnp.full((n, BLOCK), jnp.nan),
    )  # fmt: skip
    end = jax.lax.while_loop(lambda carry: jnp.any(active(carry)), step, start)
    return end[0], end[1], end[4], end[5], end[6], end[7]


@eqx.filter_jit
def _locate(
    flow: AbstractFlow, event: Any, x: Any, k: Any, dt: Any, n_substeps: int, u: Any
) -> Any:
    def one(x: Any, k: Any) -> Any:
        t = k * dt
        s, y = located(flow, event, t, x, dt, u, n_substeps)
        value, rate = rate_of(flow, event, t + s, y, u)
        return t + s, y, jnp.abs(value / rate) + jnp.spacing(jnp.abs(t + s)), rate

    return jax.vmap(one)(x, k)


@dataclasses.dataclass(frozen=True)
class Found:
    """Crossings of many orbits; rows are filled with NaN from the end.

    Parameters
    ----------
    times, errors, rates : array, shape (sample, crossing)
    states : array, shape (sample, crossing, dim)
    n_hidden : int
        Steps that may hide two crossings.
    lost : array of bool, shape (sample,)
        Whether the orbit became non-finite.
    """

    times: np.ndarray
    errors: np.ndarray
    rates: np.ndarray
    states: np.ndarray
    n_hidden: int
    lost: np.ndarray


def all_crossings(
    flow: AbstractFlow, event: Any, x: np.ndarray, *, dt: float, direction: int, n_crossings: int,
    n_transient: int, max_time: float | None, u: Any, progress: Callable[[float], None] | None,
) -> Found:  # fmt: skip
    """Crossings of the orbits from `x`, shape (sample, dim), after the first `n_transient`."""
    total = n_crossings + n_transient
    n, dim = x.shape
    limit = 1000.0 * total if max_time is None else max(1.0, np.ceil(max_time / dt))
    substeps = flow.integrator.substeps(dt)
    found = np.zeros(n, dtype=int)
    left, at = np.full((n, total, dim), np.nan), np.full((n, total), np.nan)
    k, hidden, y = np.zeros(n), 0, x
    step = np.asarray(float(dt))
    while True:
        missing = np.minimum(total - found, BLOCK)
        y, k, count, two, x_left, k_left = (
            np.asarray(a) for a in _march(
                flow, event, y, k, step, substeps, np.asarray(direction), missing,
                np.asarray(limit), u,
            )
        )  # fmt: skip
        hidden += int(two.sum())
        for i in range(n):
            place = slice(found[i], found[i] + count[i])
            left[i, place], at[i, place] = x_left[i, : count[i]], k_left[i, : count[i]]
        found = found + count
        lost = ~np.isfinite(y).all(axis=1)
        if progress is not None:
            progress(float(found.min() / total))
        if np.all((found >= total) | (k >= limit) | lost):
            break
    left, at = left[:, n_transient:], at[:, n_transient:]
    pad = (
        -(-n * n_crossings // BLOCK) * BLOCK - n * n_crossings
    )  # one compiled size for many counts
    flat = np.pad(left.reshape(-1, dim), ((0, pad), (0, 0)), constant_values=np.nan)
    counts_flat = np.pad(at.ravel(), (0, pad), constant_values=np.nan)
    parts = [
        [np.asarray(a) for a in _locate(flow, event, flat[i : i + BLOCK],
                                        counts_flat[i : i + BLOCK], step, substeps, u)]
        for i in range(0, len(flat), BLOCK)
    ]  # fmt: skip
    times, states, errors, rates = (
        np.concatenate([p[j] for p in parts])[: n * n_crossings] for j in range(4)
    )
    shape = (n, n_crossings)
    return Found(
        times.reshape(shape), errors.reshape(shape), rates.reshape(shape),
        states.reshape(n, n_crossings, dim), hidden, lost & (found < total),
    )  # fmt: skip


def a_flow(system: Any, what: str) -> AbstractFlow:
    """`system`, refused when it is not a flow.

    Raises
    ------
    WrongKind
        If `system` is a map, a diffusion or no system.
    """
    if not isinstance(a_system(system), AbstractFlow):
        raise WrongKind(
            f"{type(system).__name__} is no flow; {what} needs continuous time without noise. "
            "The iterates of a map are already a discrete sequence: ask it directly."
        )
    return system


def checked(dt: float, direction: int, max_time: float | None) -> None:
    """Settings that every search for crossings shares.

    Raises
    ------
    InvalidInput
        If one is out of range.
    """
    a_number(dt=dt)
    if not (np.isfinite(dt) and dt != 0):
        raise InvalidInput(f"dt = {dt}; expected a finite, nonzero interval between two looks.")
    if isinstance(direction, bool) or direction not in (-1, 0, 1):
        raise InvalidInput(f"direction = {direction!r}; expected 1 (up), -1 (down) or 0 (both).")
    if max_time is not None:
        a_number(max_time=max_time)
    if max_time is not None and not (np.isfinite(max_time) and max_time / dt > 0):
        raise InvalidInput(f"max_time = {max_time}; expected a finite time with the sign of dt.")


def cautions_of(found: Found, wanted: int) -> tuple[Finding, ...]:
    """What a reader of crossings should know of the search."""
    cautions = []
    have = np.isfinite(found.times).sum(axis=1)
    if np.any(have < wanted):
        cautions.append(Finding(
            code="too-few-crossings",
            text=f"{int(have.min())} of {wanted} crossings were found before the time was up.",
            action="Allow more max_time, or place the surface where the orbit goes.",
        ))  # fmt: skip
    if found.n_hidden:
        cautions.append(Finding(
            code="hidden-crossings",
            text=f"In {found.n_hidden} step(s) the orbit may have crossed twice unseen.",
            action="Look more often: a smaller dt.",
        ))  # fmt: skip
    rates = np.abs(found.rates[np.isfinite(found.rates)])
    grazing = int(np.sum(rates < 1e-3 * np.median(rates))) if len(rates) else 0
    if grazing:
        cautions.append(Finding(
            code="grazing",
            text=f"{grazing} crossing(s) are nearly tangent to the surface.",
            action="They are sensitive to every error; move the surface.",
        ))  # fmt: skip
    return tuple(cautions)


def _an_event(event: Any, x: np.ndarray) -> None:
    """Nothing, if `event` is a function of time and state that has a value at the start.

    Raises
    ------
    InvalidInput
        If it is something else.
    """
    if not callable(event):
        raise InvalidInput(f"event is {event!r}; expected a function event(t, x), written in JAX.")
    found = jax.eval_shape(event, jnp.zeros(()), jnp.asarray(x))
    if jnp.shape(found) != () or not jnp.issubdtype(jnp.result_type(found), jnp.floating):
        raise InvalidInput(
            f"event(t, x) has shape {jnp.shape(found)} and type {jnp.result_type(found)}; "
            "expected one number, shape (), that is real. Return a value that changes sign at the surface."
        )
    if np.isnan(event(jnp.zeros(()), jnp.asarray(x))):
        raise InvalidInput(
            "event(t, x) is NaN at the start. Write it so that it has a value there."
        )


def crossings(
    system: Any,
    x0: Any,
    event: Callable[[Any, Any], Any],
    *,
    dt: float,
    direction: int = 1,
    n_crossings: int = 100,
    n_transient: int = 0,
    max_time: float | None = None,
    u: Any = None,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> Crossings:
    """Times and states at which a function of the state crosses zero along an orbit.

    The orbit advances by `dt`, compiled; a change of sign is then located inside its step by a
    bracketed Newton iteration on the integrator's own solution, not on an interpolant.

    Parameters
    ----------
    system : AbstractFlow
        Known or learned.
    x0 : array, shape (dim,)
        Start, in state units.
    event : callable
        ``event(t, x)``, a scalar written in JAX. A function defined anew is compiled anew.
    dt : float
        Time between two looks, in time units, short enough that the function does not change sign
        twice in between. Negative runs backwards.
    direction : int
        1 for crossings from below, -1 from above, 0 for both.
    n_crossings, n_transient : int
        Crossings to return, and to drop before them.
    max_time : float, optional
        When to give up, in time units; ``1000 dt`` for each crossing if not given.
    u : array, shape (input,), optional
        A constant input.
    throw : bool
        Whether to raise when the orbit is lost or nothing is crossed.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    Crossings
        As many as were found, with a caution if fewer than asked for; with status NO_EVENT when
        nothing is crossed.

    Raises
    ------
    WrongKind
        If `system` is not a flow.
    InvalidInput
        If `x0` has the wrong shape, the event is no scalar, or a setting is out of range.
    NumericalFailure
        If the orbit becomes non-finite or never crosses, and `throw`.

    Notes
    -----
    Cost: one step and one field for each `dt`, and a dozen steps for each crossing. Two crossings
    within one `dt` are looked for on a cubic through values and rates and raise a caution, but
    that none is overlooked is not established.

    References
    ----------
    Hénon, Physica D 5, 412 (1982), on locating intersections exactly.

    Examples
    --------
    >>> from takens.systems import Lorenz63
    >>> found = crossings(Lorenz63(), [-5.76, -2.28, 27.08], lambda t, x: x[2] - 27.0, dt=0.02,
    ...                   n_crossings=3)
    >>> bool(np.all(np.abs(found.states[:, 2] - 27.0) < 1e-12))
    True
    """
    flow = a_flow(system, "a crossing")
    x = state(flow, x0)
    counts(n_crossings=n_crossings, n_transient=n_transient)
    checked(dt, direction, max_time)
    _an_event(event, x)
    u = an_input(flow, u)
    found = all_crossings(
        flow, event, x[None], dt=dt, direction=direction, n_crossings=n_crossings,
        n_transient=n_transient, max_time=max_time, u=u, progress=progress,
    )  # fmt: skip
    have = np.isfinite(found.times[0])
    status = Status.DIVERGED if found.lost[0] else Status.OK if have.any() else Status.NO_EVENT
    require(status, throw=throw)
    return Crossings(
        times=found.times[0][have], states=found.states[0][have],
        time_error=found.errors[0][have], rates=found.rates[0][have], direction=direction,
        names=flow.names, status=status, cautions=cautions_of(found, n_crossings),
        provenance=describe(flow) | {"dt": dt, "x0": x.tolist(), "n_transient": n_transient},
    )  # fmt: skip
