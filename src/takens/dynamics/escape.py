"""First-exit times of many paths: simulated without overlooking what happens between steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.core.system import AbstractDiffusion, AbstractMap, TimeMap
from takens.dynamics.door import (
    a_number,
    a_system,
    an_input,
    counts,
    describe,
    evolution,
    fraction,
    numbers,
    states,
)
from takens.dynamics.survival import mean_time, product_limit, tail_rate, tail_steady

if TYPE_CHECKING:
    import xarray as xr

BLOCK = 64  # steps between looks at who is left
CROWD = 256  # below this many paths a smaller batch would not repay its compilation


class Box(eqx.Module):
    """An interval for each component; it measures the distance to each of its faces."""

    low: Any
    high: Any

    def __call__(self, x: Any) -> Any:
        """Distances, lower faces first, shape (2 dim,)."""
        return jnp.concatenate([x - self.low, self.high - x])


class Inside(eqx.Module):
    """Where a function, or each of several, is positive."""

    function: Callable[[Any], Any] = eqx.field(static=True)

    def __call__(self, x: Any) -> Any:
        """Values, shape (face,)."""
        return jnp.atleast_1d(self.function(x))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class EscapeTimes(AbstractResult):
    """When each path first left a region; a path still inside at the end is censored, not dropped.

    Parameters
    ----------
    times : array, shape (path,)
        First exit, or the end of the watch where `escaped` is false; NaN for a lost path. In time
        units, iterates for a map.
    escaped : array of bool, shape (path,)
        Whether the path was seen to leave.
    faces : array of int, shape (path,)
        Through which face: the lower ends of the components, then the upper ones, or the index
        of the function that became negative; -1 where it did not leave.
    survival_times, survival : array, shape (event,)
        Kaplan and Meier's estimate of the share still inside after each time.
    survival_error : array, shape (event,)
        Its standard error, by Greenwood's formula.
    mean : Estimate
        Mean exit time. With censored paths the area below the survival curve, with an exponential
        tail added; NaN if too few exits show the tail.
    rate : Estimate
        Exits per time unit among those still inside, counted over the last share `tail` of exits.
    tail : float
        Share of the exits seen that makes up the tail.
    step_bias : Estimate
        Mean time within the watch at this step less that at twice the step, from other noise;
        with an error of first order, what is left is about as large. NaN for deterministic systems.
    max_time : float
        Length of the watch.
    """

    times: np.ndarray
    escaped: np.ndarray
    faces: np.ndarray
    survival_times: np.ndarray
    survival: np.ndarray
    survival_error: np.ndarray
    mean: Estimate
    rate: Estimate
    tail: float
    step_bias: Estimate
    max_time: float

    @property
    def n_censored(self) -> int:
        """Paths still inside at the end."""
        return int(np.sum(~self.escaped))

    def summary(self) -> str:
        """Mean and rate with intervals, and how many never left."""
        if self.status is not Status.OK:
            return f"No exit times: {self.status.value}"
        return (
            f"{len(self.times) - self.n_censored} of {len(self.times)} paths left within "
            f"{self.max_time:g}. Mean exit time {self.mean}; rate in the tail {self.rate}. "
            f"Effect of doubling the step: {self.step_bias}."
        )

    def plot(self, ax: Any = None) -> Any:
        """Share still inside over time, logarithmic, with the rate of its tail."""
        from takens import plot

        ax = plot.axes(ax)
        t, s = self.survival_times, self.survival
        low, high = s - 1.645 * self.survival_error, s + 1.645 * self.survival_error
        shown = s > 0
        plot.line_with_band(ax, t[shown], s[shown], np.maximum(low, 1e-9)[shown], high[shown],
                            "still inside", color=plot.COLOURS[0])  # fmt: skip
        if self.rate.is_finite and shown.any():
            late = shown & (t >= np.quantile(self.times[self.escaped], 1 - self.tail))
            if late.any():
                first = np.argmax(late)
                decay = s[first] * np.exp(-self.rate.value * (t[late] - t[first]))
                plot.line(
                    ax, t[late], decay, label="exponential tail", color=plot.COLOURS[1], ls="--"
                )
        ax.set_yscale("log")
        ax.set_ylim(max(0.5 / max(len(self.times), 1), 1e-9), 1.2)
        return plot.labels(ax, "time", "share of paths inside")

    def to_xarray(self) -> xr.Dataset:
        """Exit times and the survival curve."""
        import xarray as xr

        return xr.Dataset(
            {
                "time": ("path", self.times),
                "escaped": ("path", self.escaped),
                "face": ("path", self.faces),
                "survival": ("event_time", self.survival),
                "survival_error": ("event_time", self.survival_error),
            },
            {"event_time": self.survival_times},
            attrs={"max_time": self.max_time, "mean": self.mean.value, "rate": self.rate.value},
        )


def crossing(before: Any, after: Any, spread: Any, chance: Any, normal: Any, pick: Any) -> Any:
    """When a Brownian bridge first crosses each face, in units of the step; infinity if it does not.

    The bridge runs from distance `before` to `after` with variance `spread` over the step. It
    crosses with probability ``exp(-2 before after / spread)``; then ``z = s / (1 - s)`` at the
    crossing time s is inverse Gaussian with mean ``before / |after|`` and shape
    ``before**2 / spread``, drawn as Michael, Schucany and Haas (1976) do.
    """
    crosses = ~(after > 0) | (chance < jnp.exp(-2 * before * after / spread))
    reach = jnp.where(crosses, before, 1.0)  # infinite distances would give NaN below
    mean = reach / jnp.maximum(jnp.abs(after), 1e-150)
    ratio = 0.5 * mean * normal**2 * spread / reach**2
    root = 1 / (1 + ratio + jnp.sqrt(ratio * (ratio + 2)))  # the smaller root over the mean
    z = mean * jnp.where(pick * (1 + root) <= 1, root, 1 / root)
    return jnp.where(crosses, jnp.where(jnp.isfinite(z), z / (1 + z), 1.0), jnp.inf)


def _noisy_step(system: Any, region: Any, t: Any, h: Any, x: Any, u: Any, key: Any, draw: Any) -> Any:  # fmt: skip
    """State after one step and the crossing time of each face within it."""
    y = system.integrator.advance(system, t, h, x, u, key, 1)
    before, after = region(x), region(y)
    noise = jax.jacfwd(region)(x) @ system.diffusion(t, x, u)
    spread = jnp.maximum(jnp.sum(noise**2, axis=1) * h, 1e-300)
    # One draw of the moment serves all faces: each has its law, and rarely are two crossed.
    return y, crossing(before, after, spread, draw[2:], jax.scipy.special.ndtri(draw[0]), draw[1])


def _sure_step(step_map: Any, region: Any, n: Any, x: Any, u: Any) -> Any:
    """The same without noise; a map leaves at its iterate, a flow where a chord says."""
    y = step_map.step(n, x, u)
    before, after = region(x), region(y)
    where = before / (before - after) if isinstance(step_map, TimeMap) else jnp.ones_like(after)
    return y, jnp.where(~(after > 0), jnp.where(jnp.isfinite(where), where, 1.0), jnp.inf)


@eqx.filter_jit
def _march(
    system: Any, region: Any, first: Any, h: Any, x: Any, n_steps: Any, u: Any, key: Any
) -> Any:
    """Paths `x`, shape (dim, path), over `n_steps` steps: state, exit step (inf inside), face."""
    noisy = isinstance(system, AbstractDiffusion)
    count = x.shape[1]
    n_faces = jax.eval_shape(region, x[:, 0]).size

    def one(index: Any, carry: Any) -> Any:
        x, exit_step, face = carry
        n = first + index
        if noisy:
            mine, shared = jax.random.split(jax.random.fold_in(key, n.astype(int)))
            # Single precision suffices for yes or no, at half the price.
            draws = jax.random.uniform(shared, (n_faces + 2, count), jnp.float32, 1e-7)
            step: Any = jax.vmap(
                lambda s, k, d: _noisy_step(system, region, n * h, h, s, u, k, d),
                in_axes=(1, 0, 1), out_axes=(1, 1),
            )  # fmt: skip
            y, part = step(x, jax.random.split(mine, count), draws.astype(float))
        else:
            y, part = jax.vmap(
                lambda s: _sure_step(system, region, n, s, u), in_axes=1, out_axes=(1, 1)
            )(x)
        # An infinite state has left where a face says so; elsewhere it is lost, like NaN.
        outside = (jax.vmap(region, in_axes=1, out_axes=1)(y) <= 0).any(axis=0)
        lost = jnp.isnan(y).any(axis=0) | (jnp.isinf(y).any(axis=0) & ~outside)
        inside = jnp.isinf(exit_step)  # NaN and finite have ended
        part, which = jnp.min(part, axis=0), jnp.argmin(part, axis=0)
        exits = jnp.isfinite(part) & ~lost
        now = jnp.where(exits, n + part, jnp.where(lost, jnp.nan, jnp.inf))
        face = jnp.where(inside & exits, which, face)
        return (jnp.where(inside, y, x), jnp.where(inside, now, exit_step), face)

    start = (x, jnp.full(count, jnp.inf), jnp.full(count, -1))
    return jax.lax.fori_loop(0, n_steps, one, start)


def march(
    system: AbstractDiffusion | AbstractMap, region: Any, h: float, x0: np.ndarray, n_steps: int,
    u: Any, seed: int, progress: Callable[[float], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Exit step, inf where none, and face of each path; survivors move into smaller batches."""
    steps, faces = np.full(len(x0), np.inf), np.full(len(x0), -1)
    x, who, key = x0.T.copy(), np.arange(len(x0)), jax.random.key(seed)
    real = np.ones(len(who), bool)
    for first in range(0, n_steps, BLOCK):
        size = min(BLOCK, n_steps - first)
        out = _march(system, region, np.asarray(float(first)), np.asarray(h), x, np.asarray(size),
                     u, jax.random.fold_in(key, len(who)))  # fmt: skip
        x, found, face = (np.array(part) for part in out)
        steps[who[real]], faces[who[real]] = found[real], face[real]
        left = real & np.isinf(found)
        if progress is not None:
            progress(min(1.0, (first + size) / n_steps))
        if not left.any():
            break
        batch = len(who) // 8 if len(who) >= 8 * CROWD and left.sum() <= len(who) // 8 else len(who)
        keep = np.concatenate([np.flatnonzero(left), np.flatnonzero(~left)])[:batch]
        x, who, real = x[:, keep], who[keep], left[keep]
    return steps, faces


def _as_region(system: Any, region: Any, x0: np.ndarray) -> Any:
    if callable(region):
        where: Any = Inside(region)
        found = jax.eval_shape(where, jax.ShapeDtypeStruct((system.dim,), float))
        if found.ndim != 1:
            raise InvalidInput(
                f"region returns shape {found.shape}; expected a number or shape (face,), positive "
                "inside. Return one value for each face."
            )
    else:
        ends = numbers(region, "region")
        if ends.shape != (system.dim, 2) or not (ends[:, 0] < ends[:, 1]).all():
            raise InvalidInput(
                f"region = {ends.tolist()} of shape {ends.shape}; expected ({system.dim}, 2), a lower "
                "and a higher end for each component, infinite where it has none. Or give a "
                "function that is positive inside."
            )
        where = Box(ends[:, 0], ends[:, 1])
    inside = np.asarray(jax.vmap(where)(x0)).min(axis=1) > 0
    if not inside.all():
        raise InvalidInput(
            f"{int(np.sum(~inside))} of {len(x0)} starts in x0 are not inside the region. Start "
            "each path inside."
        )
    return where


def escape_times(
    system: Any,
    x0: Any,
    region: Any,
    *,
    max_time: float,
    dt: float = 1.0,
    tail: float = 0.5,
    u: Any = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> EscapeTimes:
    r"""When paths first leave a region: diffusions, maps with a hole, flows.

    A diffusion is simulated with its own integrator, and between two steps the path is taken as a
    Brownian bridge: it may have left and come back, with probability
    :math:`\exp(-2 d_n d_{n+1} / (\sigma^2 h))` for distances d to a face, and the moment of
    crossing is drawn from its exact law. For constant coefficients and one face this has no error
    of step size; without it the error would fall as :math:`\sqrt h`.

    Parameters
    ----------
    system : AbstractDiffusion, AbstractMap or AbstractFlow
        Known or learned.
    x0 : array, shape (path, dim)
        The start of each path; ``np.tile(start, (n, 1))`` for n paths from one.
    region : array, shape (dim, 2), or callable
        Lower and higher end for each component, infinite where there is none; or a JAX function of
        a state, shape (dim,), that returns one or more numbers, all positive inside; NaN is outside.
    max_time : float
        Length of the watch, in time units; a path still inside is censored there.
    dt : float
        Longest step, in time units; the integrator's own step is taken if that is shorter. For a
        flow the time between looks; 1 for a map.
    tail : float
        Share of the exits seen, the latest ones, over which the rate is counted.
    u : array, shape (input,), optional
        A constant input.
    level : float
        Coverage of the intervals.
    seed : int
        Of the noise.
    throw : bool
        Whether to raise when a path is lost.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    EscapeTimes
        With status DIVERGED, and NaN for mean and rate, where a path became NaN.

    Raises
    ------
    WrongKind
        If `system` is no system.
    InvalidInput
        If a shape is wrong, a start is not inside, or a number is out of range.
    NumericalFailure
        If a path becomes NaN, and `throw`.

    Notes
    -----
    Cost: about 2.5 mean exit times of steps for all paths from 2,048 paths on, since the few that
    stay are moved to smaller batches, and half as much again for the check at the double step. Memory ``8 * path *
    dim``. A flow that leaves and returns between two looks is not seen. Starts that are not drawn
    from the conditionally invariant density make the first exits faster or slower than the tail.
    A rate from censored paths rests on the exponential form of the tail, which a caution questions
    where its two halves disagree; slow rates beyond the watch cannot be seen.

    References
    ----------
    Gobet, Stoch. Process. Appl. 87, 167 (2000); Kaplan and Meier, J. Am. Stat. Assoc. 53, 457
    (1958); Michael, Schucany and Haas, Am. Stat. 30, 88 (1976).

    Examples
    --------
    Above four, the logistic map lets almost every start escape from the unit interval:

    >>> from takens.systems import LogisticMap
    >>> starts = np.random.default_rng(0).uniform(0, 1, (2000, 1))
    >>> found = escape_times(LogisticMap(r=5.0), starts, [[0.0, 1.0]], max_time=60)
    >>> round(found.n_censored / len(starts), 1)
    0.0
    """
    noisy = isinstance(a_system(system), AbstractDiffusion)
    a_number(max_time=max_time, dt=dt)
    if not (np.isfinite(max_time) and max_time > 0 and np.isfinite(dt) and 0 < dt <= max_time):
        raise InvalidInput(f"max_time = {max_time}, dt = {dt}; expected 0 < dt <= max_time.")
    starts, u = states(system, x0), an_input(system, u)
    counts(seed=seed)
    fraction(tail=tail, level=level)
    where = _as_region(system, region, starts)
    h = dt / system.integrator.substeps(dt) if noisy else dt
    n_steps = 2 * max(1, round(max_time / (2 * h))) if noisy else max(1, round(max_time / h))
    mover = system if noisy else evolution(system, dt)
    steps, faces = march(mover, where, h, starts, n_steps, u, seed, progress)
    status = Status.DIVERGED if np.isnan(steps).any() else Status.OK
    require(status, throw=throw)
    bias = Estimate(value=np.nan)
    if noisy and status is Status.OK:
        twice, _ = march(mover, where, 2 * h, starts, n_steps // 2, u, seed + 1_000_003)
        bias = _difference(
            np.minimum(steps, n_steps) * h, np.minimum(twice, n_steps / 2) * 2 * h, level
        )
    end = n_steps * h
    return _assembled(
        np.where(np.isinf(steps), n_steps, steps) * h, np.isfinite(steps), faces, bias,
        (tail, level, end, isinstance(system, AbstractMap), seed), status,
        describe(system) | {"dt": float(h), "max_time": end, "n_paths": len(starts),
                            "region": getattr(region, "__name__", None) or
                            np.asarray(region, dtype=float).tolist(), "seed": seed},
    )  # fmt: skip


def _difference(one: np.ndarray, two: np.ndarray, level: float) -> Estimate:
    from scipy.special import ndtri

    if len(one) < 2:
        return Estimate(value=np.nan, level=level, method="one path: no error can be given")
    value = float(one.mean() - two.mean())
    error = float(np.sqrt((one.var(ddof=1) + two.var(ddof=1)) / len(one)))
    reach = float(ndtri(0.5 + level / 2)) * error
    return Estimate(value=value, interval=(value - reach, value + reach), standard_error=error,
                    level=level, method="independent paths at one and two steps")  # fmt: skip


def _assembled(
    times: np.ndarray, escaped: np.ndarray, faces: np.ndarray, bias: Estimate,
    settings: tuple[float, float, float, bool, int], status: Status, provenance: dict[str, Any],
) -> EscapeTimes:  # fmt: skip
    tail, level, end, whole, seed = settings
    cautions: list[Finding] = []
    fine = status is Status.OK
    event = share = error = np.empty(0)
    rate = mean = Estimate(value=np.nan, level=level)
    if fine:
        event, share, error = product_limit(times, escaped)
        rate = tail_rate(times, escaped, tail, level, whole)
        mean = mean_time(times, escaped, tail, level, whole, seed)
        if not tail_steady(times, escaped, tail, level):
            cautions.append(Finding(
                code="tail-not-exponential",
                text="The rates in the two halves of the tail differ by more than chance.",
                action="Count the rate later (a smaller tail), or watch for longer.",
            ))  # fmt: skip
        if not escaped.all():
            cautions.append(Finding(
                code="censored-paths",
                text=f"{int(np.sum(~escaped))} of {len(times)} paths were still inside at {end:g}.",
                action="The mean adds an exponential tail for them; watch for longer to check it.",
            ))  # fmt: skip
        if abs(bias.value) > 3 * bias.standard_error:
            cautions.append(Finding(
                code="step-bias",
                text=f"Doubling the step changes the mean time by {-bias.value:.3g}.",
                action="Shorten the step of the integrator.",
            ))  # fmt: skip
    return EscapeTimes(
        times=times, escaped=escaped, faces=faces, survival_times=event, survival=share,
        survival_error=error, mean=mean, rate=rate, tail=tail, step_bias=bias, max_time=end,
        status=status, cautions=tuple(cautions), provenance=provenance,
    )  # fmt: skip
