"""Trajectories of any system: one, or many as one batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core import InvalidInput, Status, Trajectory, WrongKind, require
from takens.core.integrators import (
    AbstractIntegrator,
    AbstractStochasticIntegrator,
    Adaptive,
    Implicit,
    RungeKutta,
)
from takens.core.system import AbstractFlow, AbstractMap, AbstractSystem
from takens.dynamics.door import a_system, counts, describe, heard, numbers, state, states
from takens.dynamics.ensemble import Ensemble
from takens.dynamics.until import an_end, ended
from takens.systems.taylor import Taylor

BLOCK = 1024  # saved states in one compiled program
LOST = 1e8  # a state this many times beyond its start, when steps run out, is blowing up


def _leg(system: Any, x: Any, t: Any, gap: Any, u: Any, key: Any, n_substeps: int) -> Any:
    """The state after `gap`: iterates of a map, time units of a flow or a diffusion."""
    if isinstance(system, AbstractMap):
        return jax.lax.fori_loop(0, gap.astype(int), lambda k, s: system.step(t + k, s, u), x)
    if isinstance(system, AbstractFlow):
        return system.integrator.advance(system, t, gap, x, u, n_substeps)
    return system.integrator.advance(system, t, gap, x, u, key, n_substeps)


def _march(system: Any, x: Any, legs: Any, n_substeps: int) -> Any:
    def one(x: Any, leg: Any) -> Any:
        t, gap, u, key = leg
        x = _leg(system, x, t, gap, u, jax.random.wrap_key_data(key), n_substeps)
        return x, x

    return jax.lax.scan(one, x, legs)


_march_one = eqx.filter_jit(_march)


@eqx.filter_jit
def _march_many(
    system: Any, x: Any, legs: Any, keys: Any, n_substeps: int, names: tuple[str, ...], values: Any
) -> Any:
    """The batch is the last axis, so that neighbouring numbers belong to neighbouring samples."""

    def one(x: Any, key: Any, values: Any) -> Any:
        varied = system.with_parameters(**dict(zip(names, values, strict=True)))
        return _march(varied, x, (*legs, key), n_substeps)

    return jax.vmap(one, in_axes=(-1, 0, 0), out_axes=(-1, -1))(x, keys, values)


@eqx.filter_jit
def _controlled(flow: Any, implicit: bool, x: Any, times: Any, settings: Any, n_legs: int) -> Any:
    """One adaptive solve through all of `times`; the states, and whether it ran out of steps."""
    import diffrax

    controller: Any = diffrax.PIDController(rtol=settings.rtol, atol=settings.atol)
    if implicit:  # its interpolant loses orders on a stiff field, so it steps to each time
        controller = diffrax.ClipStepSizeController(controller, step_ts=times)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(flow.vector_field),
        diffrax.Kvaerno5() if implicit else diffrax.Tsit5(),
        times[0],
        times[-1],
        None,
        x,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=controller,
        max_steps=settings.max_steps * n_legs,
        adjoint=diffrax.ForwardMode(),
        throw=False,
    )
    return solution.ys, solution.result == diffrax.RESULTS.max_steps_reached


def trajectory(
    system: Any,
    x0: Any,
    times: Any,
    *,
    inputs: Any = None,
    until: Callable[[Any, Any], Any] | None = None,
    direction: int = 0,
    integrator: Any = None,
    seed: int = 0,
    throw: bool = True,
) -> Trajectory:
    r"""The trajectory of a system from one state.

    Parameters
    ----------
    system : AbstractMap, AbstractFlow or AbstractDiffusion
        Known or learned.
    x0 : array, shape (dim,)
        The state at ``times[0]``.
    times : array, shape (time,)
        Strictly increasing, at least two; whole numbers for a map. Uneven spacing is allowed.
    inputs : array, shape (time, input), optional
        Row n is held from ``times[n]`` to ``times[n + 1]``.
    until : callable, optional
        ``event(t, x)``, a scalar written in JAX: a flow ends where it first crosses zero, and the
        last row is that time and state.
    direction : int
        1 if only a crossing from below ends it, -1 from above, 0 either.
    integrator : AbstractIntegrator, AbstractStochasticIntegrator or Taylor, optional
        Instead of the system's own.
    seed : int
        Of the noise of a diffusion; nothing else is random.
    throw : bool
        Whether to raise when the state is lost.

    Returns
    -------
    Trajectory
        NaN from where the state was lost, if that did not raise. It ends before ``times[-1]`` if
        and only if the event came.

    Raises
    ------
    WrongKind
        If `system` is no system, the integrator is for another kind, or an event is given for a map
        or a diffusion.
    InvalidInput
        If shapes disagree or times are not increasing, or not whole for a map; if the event is no
        scalar, or given with `Taylor`, which has `crossings` of its own.
    NumericalFailure
        If the state becomes non-finite or an explicit method crawls on a stiff field, and `throw`.

    Notes
    -----
    Cost: the steps of the integrator between the times, and ``time * dim`` numbers. A method with
    error control solves once through all times when there are no inputs; with inputs it starts
    anew at each time, where they jump. An event is sought between neighbouring times, and two
    crossings between them by a cubic; give times close enough that it does not pass through zero
    unseen. The whole span is computed first. On a chaotic system any two methods part after some tens of
    Lyapunov times: compare statistics then, not states.

    Examples
    --------
    >>> from takens.systems import Lorenz63
    >>> lorenz = Lorenz63()
    >>> orbit = trajectory(lorenz, lorenz.x0, np.arange(0.0, 20.0, 0.1))
    >>> orbit.states.shape, orbit.names
    ((200, 3), ('x', 'y', 'z'))
    >>> climb = trajectory(lorenz, lorenz.x0, np.arange(0.0, 20.0, 0.1),
    ...                    until=lambda t, x: x[2] - 35.0, direction=1)
    >>> bool(abs(climb.states[-1, 2] - 35.0) < 1e-6)
    True
    """
    series = integrator if isinstance(integrator, Taylor) else None
    system = with_integrator(a_system(system), None if series else integrator)
    x = state(system, x0)
    grid = _times(system, times)
    drivers = _inputs(system, inputs, len(grid))
    counts(seed=seed)
    an_end(system, until, direction, series is not None)
    if series is not None:  # on the host, and explicit
        path, crawled = series.trajectory(system, x, grid, drivers), True
    elif isinstance(system, AbstractFlow) and drivers is None and _is_controlled(system):
        path, crawled = _solve(system, x, grid)
    else:
        path, crawled = _path(system, x, grid, drivers, seed), False
    if until is not None:
        grid, path, drivers = ended(system, until, direction, grid, path, drivers)
    lost = ~np.isfinite(path).all(axis=1)
    path = np.where(np.logical_or.accumulate(lost)[:, None], np.nan, path)
    status = Status.OK
    if lost.any():
        status = _why(system, grid, path, crawled)
    require(status, throw=throw)
    return Trajectory(
        times=grid,
        states=path,
        inputs=drivers,
        names=system.names,
        label=type(system).__name__,
    )


def trajectories(
    system: Any,
    x0: Any,
    times: Any,
    *,
    parameters: Mapping[str, Any] | None = None,
    inputs: Any = None,
    integrator: Any = None,
    seed: int = 0,
) -> Ensemble:
    """Many trajectories as one batch: many starts, many parameter values, or many noises.

    Parameters
    ----------
    system : AbstractMap, AbstractFlow or AbstractDiffusion
        Known or learned.
    x0 : array, shape (sample, dim)
        One start a sample; repeat a row for many paths of a diffusion or many parameters.
    times : array, shape (time,)
        As in `trajectory`; only the times given are stored, so give two for the end alone.
    parameters : mapping from name to array, shape (sample, ...), optional
        Values of fields of the system, one for each sample.
    inputs : array, shape (time, input), optional
        The same for all samples.
    integrator : AbstractIntegrator, AbstractStochasticIntegrator or Taylor, optional
        Instead of the system's own. `Taylor` runs the samples one after another. Fixed steps are
        many times faster in a batch than error control, where the whole batch takes the steps of
        its most difficult member.
    seed : int
        Of the noise of a diffusion, different in each sample.

    Returns
    -------
    Ensemble
        NaN where a sample was lost; the others are not touched by it.

    Raises
    ------
    WrongKind, InvalidInput
        As in `trajectory`, and if a parameter is unknown or has not one value for each sample.

    Notes
    -----
    Memory: ``sample * time * dim`` numbers of eight bytes.

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> found = trajectories(
    ...     LogisticMap(), [[0.3], [0.3]], [0, 1], parameters={"r": [2.0, 4.0]})
    >>> found.states[:, -1, 0]
    array([0.42, 0.84])
    """
    series = integrator if isinstance(integrator, Taylor) else None
    system = with_integrator(a_system(system), None if series else integrator)
    x = states(system, x0)
    grid = _times(system, times)
    drivers = _inputs(system, inputs, len(grid))
    counts(seed=seed)
    names, values = _parameters(system, parameters, len(x))
    if series is None:
        whole = _batch(system, x, grid, drivers, seed, names, values)
    else:
        varied = (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))
        each = varied if names else ({} for _ in x)
        whole = np.stack([
            series.trajectory(system.with_parameters(**other), start, grid, drivers)
            for start, other in zip(x, each, strict=True)
        ])  # fmt: skip
    lost = np.logical_or.accumulate(~np.isfinite(whole).all(axis=2), axis=1)
    return Ensemble(
        times=grid,
        states=np.where(lost[:, :, None], np.nan, whole),
        names=system.names,
        parameters={k: np.asarray(v) for k, v in zip(names, values, strict=True)},
        status=Status.DIVERGED if lost[:, -1].all() else Status.OK,
        provenance=describe(system) | {"seed": seed},
    )


def _batch(
    system: AbstractSystem, x: np.ndarray, grid: np.ndarray, drivers: np.ndarray | None, seed: int,
    names: tuple[str, ...], values: tuple[np.ndarray, ...],
) -> np.ndarray:  # fmt: skip
    cut, kept, n_substeps = _cut(system, grid)
    held = _held(drivers, kept, len(cut) - 1)
    roots = jax.random.split(jax.random.key(seed), len(x))
    path, now = [x], jnp.asarray(x.T)
    for start in range(0, len(cut) - 1, BLOCK):
        t, gap, u, count = _block(cut, held, start)
        keys = jax.random.key_data(jax.vmap(jax.random.split, (0, None))(roots, len(t) + 1))
        roots = jax.random.wrap_key_data(keys[:, 0])
        now, block = _march_many(system, now, (t, gap, u), keys[:, 1:], n_substeps, names, values)
        path.extend(np.moveaxis(np.asarray(block), -1, 1)[:count])
        now = jnp.asarray(path[-1].T)
    return np.stack([path[i] for i in kept], axis=1)


def with_integrator(system: AbstractSystem, integrator: Any) -> AbstractSystem:
    """The system, with another integrator where one is given.

    Raises
    ------
    WrongKind
        If it is for another kind of system.
    """
    if integrator is None:
        return system
    if isinstance(system, AbstractMap):
        raise WrongKind(f"{type(system).__name__} is a map, which needs no integrator.")
    kind = AbstractIntegrator if isinstance(system, AbstractFlow) else AbstractStochasticIntegrator
    if not isinstance(integrator, kind):
        raise WrongKind(
            f"{type(integrator).__name__} cannot carry {type(system).__name__}; "
            f"expected an {kind.__name__}."
        )
    changed: AbstractSystem = eqx.tree_at(lambda s: s.integrator, system, integrator)
    return changed


def _times(system: AbstractSystem, times: Any) -> np.ndarray:
    grid = numbers(times, "times")
    if grid.ndim != 1 or len(grid) < 2 or not np.isfinite(grid).all() or (np.diff(grid) <= 0).any():
        raise InvalidInput(
            f"times has shape {grid.shape}; expected at least two finite, strictly increasing "
            "numbers. To run a flow backwards, ask `system.as_map(-dt)`."
        )
    if isinstance(system, AbstractMap) and (grid != np.round(grid)).any():
        raise InvalidInput("times of a map count iterates. Give whole numbers.")
    return grid


def _inputs(system: AbstractSystem, inputs: Any, count: int) -> np.ndarray | None:
    if inputs is None:
        return None
    rows = numbers(inputs, "inputs")
    if rows.ndim != 2 or len(rows) != count or not np.isfinite(rows).all():
        raise InvalidInput(
            f"inputs has shape {rows.shape}; expected ({count}, input) of finite numbers, one row "
            "a time."
        )
    heard(system, rows[0])
    return rows


def _parameters(
    system: AbstractSystem, parameters: Mapping[str, Any] | None, count: int
) -> tuple[tuple[str, ...], tuple[np.ndarray, ...]]:
    if not isinstance(parameters, Mapping | None):
        raise InvalidInput(
            f"parameters is {type(parameters).__name__}; expected a mapping from names of fields to "
            "values. Give a dict."
        )
    names = tuple(parameters or ())
    system.with_parameters(**{name: getattr(system, name, None) for name in names})
    values = tuple(numbers((parameters or {})[name], name) for name in names)
    for name, value in zip(names, values, strict=True):
        if value.shape != (count, *np.shape(getattr(system, name))):
            raise InvalidInput(
                f"{name} has values of shape {value.shape} for {count} samples. "
                "Give one value for each."
            )
    return names, values


def _is_controlled(flow: AbstractFlow) -> bool:
    return isinstance(flow.integrator, (Adaptive, Implicit))


def _cut(system: AbstractSystem, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Times with long gaps cut, which of them were asked for, and substeps of every leg.

    All legs take the same number of substeps, so one rare long gap must not set it for all.
    """
    gaps = np.diff(grid)
    if isinstance(system, AbstractMap):
        return grid, np.arange(len(grid)), 1
    plan = system.integrator.substeps  # type: ignore[attr-defined]
    n_substeps = plan(float(np.median(gaps)))
    pieces = np.array([-(-plan(float(gap)) // n_substeps) for gap in gaps])
    ends = np.concatenate([[0], np.cumsum(pieces)])
    if ends[-1] == len(gaps):
        return grid, ends, n_substeps
    return np.interp(np.arange(ends[-1] + 1), ends, grid), ends, n_substeps


def _held(drivers: np.ndarray | None, kept: np.ndarray, n_legs: int) -> np.ndarray | None:
    """The input of each leg."""
    if drivers is None:
        return None
    return drivers[np.searchsorted(kept, np.arange(n_legs), side="right") - 1]


def _block(cut: np.ndarray, held: np.ndarray | None, start: int) -> tuple[Any, Any, Any, int]:
    """Legs from `start` on, padded to a power of two so that few programs are compiled."""
    t, gap = cut[:-1][start : start + BLOCK], np.diff(cut)[start : start + BLOCK]
    size = min(BLOCK, 1 << (len(t) - 1).bit_length())
    pad = (0, size - len(t))
    u = None if held is None else np.pad(held[start : start + BLOCK], (pad, (0, 0)), mode="edge")
    return np.pad(t, pad, mode="edge"), np.pad(gap, pad, mode="edge"), u, len(t)


def _path(
    system: AbstractSystem, x: np.ndarray, grid: np.ndarray, drivers: np.ndarray | None, seed: int
) -> np.ndarray:
    cut, kept, n_substeps = _cut(system, grid)
    held = _held(drivers, kept, len(cut) - 1)
    root, path, now = jax.random.key(seed), [x[None]], jnp.asarray(x)
    for start in range(0, len(cut) - 1, BLOCK):
        t, gap, u, count = _block(cut, held, start)
        keys = jax.random.split(root, len(t) + 1)
        root, data = keys[0], jax.random.key_data(keys[1:])
        _, block = _march_one(system, now, (t, gap, u, data), n_substeps)
        path.append(np.asarray(block)[:count])
        now = jnp.asarray(path[-1][-1])
    return np.concatenate(path)[kept]


def _solve(flow: Any, x: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, bool]:
    size = 1 << (len(grid) - 1).bit_length()
    padded = np.concatenate([grid, np.full(max(0, size - len(grid)), grid[-1])])
    settings = flow.integrator
    implicit = isinstance(settings, Implicit)
    path, crawled = _controlled(flow, implicit, jnp.asarray(x), padded, settings, size)
    return np.asarray(path)[: len(grid)], bool(crawled)


def _why(system: AbstractSystem, grid: np.ndarray, path: np.ndarray, crawled: bool) -> Status:
    """Blown up, or too stiff for an explicit method."""
    if not isinstance(system, AbstractFlow) or isinstance(system.integrator, Implicit):
        return Status.DIVERGED
    last = int(np.flatnonzero(np.isfinite(path).all(axis=1))[-1])
    x = path[last]
    if crawled:
        far = np.abs(x).max() > LOST * (1 + np.abs(path[0]).max())
        return Status.DIVERGED if far or _blows_up(system, grid[last], x) else Status.STIFF
    if isinstance(system.integrator, RungeKutta):
        field = functools.partial(system.vector_field, grid[last])
        rates = np.linalg.eigvals(np.asarray(jax.jacfwd(field)(jnp.asarray(x))))
        fast = rates[np.argmax(np.abs(rates))]
        step = system.integrator.max_step
        if fast.real < 0 and abs(fast) * step > 3:  # beyond the stability region of either tableau
            return Status.STIFF
    return Status.DIVERGED


def _blows_up(system: AbstractFlow, t: float, x: np.ndarray) -> bool:
    """Whether the fastest rate at `x` is one of growth."""
    field = functools.partial(system.vector_field, t)
    rates = np.linalg.eigvals(np.asarray(jax.jacfwd(field)(jnp.asarray(x))))
    return bool(rates[np.argmax(np.abs(rates))].real > 0)
