"""Long-term states over a parameter: orbit diagrams, and the same with the past remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, InvalidInput, Status, require
from takens.core.system import AbstractMap, AbstractSystem
from takens.dynamics.door import (
    a_number,
    abscissa,
    an_input,
    axis_name,
    counts,
    describe,
    evolution,
    state,
    sweep_starts,
    sweep_values,
)
from takens.dynamics.march import BLOCK, counted, sweep

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class OrbitDiagram(AbstractResult):
    """Long-term states of a system over the values of one parameter.

    Parameters
    ----------
    parameter : str
        Name of the swept field.
    values : array, shape (value,) or (value, ...)
        Its values.
    components : tuple of str
        Those that were recorded.
    states : array, shape (value, time, component)
        After the transient, in state units; NaN where the orbit was lost.
    periods : array, shape (value,)
        Number of distinct points: the least period of the recorded states within tolerance; 0
        where none up to `max_period` fits, NaN where the orbit was lost.
    max_period : int
        The longest period looked for.
    last_states : array, shape (value, dim)
        From which each orbit can be continued.
    """

    parameter: str
    values: np.ndarray
    components: tuple[str, ...]
    states: np.ndarray
    periods: np.ndarray
    max_period: int
    last_states: np.ndarray

    @property
    def lost(self) -> np.ndarray:
        """Whether the orbit became non-finite, shape (value,)."""
        return np.isnan(self.periods)

    def summary(self) -> str:
        """How many values have which period."""
        found, numbers = np.unique(self.periods[~self.lost], return_counts=True)
        parts = [
            f"period {int(p)} at {k}" if p else f"none up to {self.max_period} at {k}"
            for p, k in sorted(zip(found, numbers, strict=True), key=lambda pair: -pair[1])[:6]
        ]
        more = ", ..." if len(found) > 6 else ""
        lost = f" Lost at {int(self.lost.sum())}." if self.lost.any() else ""
        return (
            f"{len(self.values)} values of {self.parameter} from {np.ravel(self.values)[0]:g} to "
            f"{np.ravel(self.values)[-1]:g}: {', '.join(parts) or 'no orbit survives'}{more}.{lost}"
        )

    def plot(self, ax: Any = None, *, component: str | None = None) -> Any:
        """The recorded states of one component (the first, if not named) over the parameter."""
        from takens import plot

        index = _index(self.components, self.components[0] if component is None else component)
        ax = plot.axes(ax)
        swept = abscissa(self.values)
        x = np.broadcast_to(swept[:, None], self.states.shape[:2])
        plot.points(ax, x, self.states[:, :, index])
        return plot.labels(ax, self.parameter, self.components[index])

    def to_xarray(self) -> xr.Dataset:
        """States and periods over the parameter."""
        import xarray as xr

        axis = _axis(self.parameter)
        return xr.Dataset(
            {
                "state": ((axis, "step", "component"), self.states),
                "period": (axis, self.periods),
            },
            {axis: abscissa(self.values), "component": list(self.components)},
            attrs={"max_period": self.max_period},
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HysteresisDiagram(AbstractResult):
    """Long-term states with the parameter moved there and back, the past remembered.

    Parameters
    ----------
    forward, backward : OrbitDiagram
        Along the values as given, and along the reverse from where the forward pass ended; both
        are stored in the order of the values as given.
    distance : array, shape (value,)
        Hausdorff distance between the states of the two passes, in state units; NaN where one was
        lost.
    """

    forward: OrbitDiagram
    backward: OrbitDiagram
    distance: np.ndarray

    def summary(self) -> str:
        """Where the two passes differ most."""
        name, values = self.forward.parameter, self.forward.values
        if np.isnan(self.distance).all():
            return f"No value of {name} at which both passes survive."
        most = int(np.nanargmax(self.distance))
        return (
            f"{len(values)} values of {name}, there and back: the passes differ most at "
            f"{name} = {abscissa(values)[most]:g}, by {self.distance[most]:.4g}; the median "
            f"difference is {np.nanmedian(self.distance):.4g}."
        )

    def plot(self, ax: Any = None, *, component: str | None = None) -> Any:
        """Both passes, each in its colour."""
        from takens import plot

        ax = plot.axes(ax)
        index = 0 if component is None else _index(self.forward.components, component)
        for run, label, colour in (
            (self.forward, "forward", plot.COLOURS[0]),
            (self.backward, "backward", plot.COLOURS[1]),
        ):
            swept = np.broadcast_to(abscissa(run.values)[:, None], run.states.shape[:2])
            ax.plot(swept.ravel(), run.states[:, :, index].ravel(), ".", ms=3, color=colour,
                    label=label, rasterized=True, alpha=0.6)  # fmt: skip
        return plot.labels(ax, self.forward.parameter, self.forward.components[index])

    def to_xarray(self) -> xr.Dataset:
        """States, periods and distance, with a dimension for the direction."""
        import xarray as xr

        both = [self.forward.to_xarray(), self.backward.to_xarray()]
        joined = xr.concat(both, xr.Variable("direction", ["forward", "backward"]))
        return joined.assign(distance=(_axis(self.forward.parameter), self.distance))


def orbit_diagram(
    system: Any,
    parameter: str,
    values: Any,
    x0: Any,
    *,
    dt: float = 1.0,
    n_steps: int = 200,
    n_transient: int = 500,
    components: Sequence[str] | None = None,
    max_period: int = 32,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    u: Any = None,
) -> OrbitDiagram:
    r"""Long-term states over the values of one parameter, all computed as one batch.

    For each value the orbit runs `n_transient` steps, then `n_steps` states are recorded. Their
    period is the least :math:`p` with :math:`|x_{n+p} - x_n| \le` `atol` + `rtol`
    :math:`\max |x|` for all recorded :math:`n` and components.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known, learned or derived, such as a Poincaré map.
    parameter : str
        Name of a field of the system.
    values : array, shape (value,)
        Its values, in any order.
    x0 : array, shape (dim,) or (value, dim)
        One start for all values, or one for each, in state units.
    dt : float
        Time between recorded states of a flow, in time units; 1 for a map. For a forced flow, the
        period of the force.
    n_steps, n_transient : int
        States recorded, and dropped before, in multiples of `dt`.
    components : sequence of str, optional
        Names of the components to record; all when not given. The period is theirs.
    max_period : int
        The longest period looked for; at most half of `n_steps`.
    rtol, atol : float
        Tolerance of the period, relative to the largest state of the orbit, and in state units.
    u : array, shape (input,), optional
        A constant input.

    Returns
    -------
    OrbitDiagram
        NaN where an orbit was lost; the others are not touched by it.

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If there is no such parameter or component, a shape is wrong or a number is out of range.

    See Also
    --------
    hysteresis_diagram : with each value started where the previous one ended.

    Notes
    -----
    Cost: ``value * (n_transient + n_steps)`` steps; memory ``value * n_steps * component``.
    *What this does not establish*: near a bifurcation the transient lasts longer than any fixed
    number of steps, and a period found there may be twice or half the true one; one start sees
    one attractor; and a recorded period says nothing about an autonomous flow unless its cycle
    is cut by a section.

    References
    ----------
    May, Nature 261, 459 (1976), figure 4.

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> orbit_diagram(LogisticMap(), "r", [2.8, 3.2, 3.5, 3.83, 4.0], [0.3]).periods
    array([1., 2., 4., 3., 0.])
    """
    step_map = evolution(system, dt)
    swept = sweep_values(system, parameter, values)
    start = sweep_starts(system, x0, len(swept))
    chosen = _chosen(system, components)
    _checked(n_steps, n_transient, max_period, rtol, atol)
    x, recorded = _recorded(step_map, start.T, 0, n_steps, n_transient, an_input(system, u), chosen, parameter,
                            swept)  # fmt: skip
    return _assembled(
        system, parameter, swept, chosen, recorded, x, max_period, rtol, atol,
        {"dt": dt, "n_steps": n_steps, "n_transient": n_transient,
         "x0": np.asarray(x0, dtype=float).tolist()},
    )  # fmt: skip


def hysteresis_diagram(
    system: Any,
    parameter: str,
    values: Any,
    x0: Any,
    *,
    dt: float = 1.0,
    n_steps: int = 100,
    n_transient: int = 500,
    components: Sequence[str] | None = None,
    max_period: int = 32,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    u: Any = None,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> HysteresisDiagram:
    """Long-term states with the parameter moved along its values and back again.

    Each value starts where the previous one ended, so that the orbit stays on its attractor for
    as long as that exists; where two attractors coexist, the two passes differ.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known, learned or derived.
    parameter : str
        Name of a field of the system.
    values : array, shape (value,)
        In the order of the forward pass.
    x0 : array, shape (dim,)
        Start at the first value, in state units.
    dt, n_steps, n_transient, components, max_period, rtol, atol, u
        As in `orbit_diagram`.
    throw : bool
        Whether to raise when the orbit is lost.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    HysteresisDiagram
        With status DIVERGED and NaN from where a pass is lost.

    Raises
    ------
    WrongKind, InvalidInput
        As in `orbit_diagram`.
    NumericalFailure
        If an orbit becomes non-finite, and `throw`.

    Notes
    -----
    Cost: ``2 * value * (n_transient + n_steps)`` steps one after another; memory as in
    `orbit_diagram`. *What this does not establish*: an attractor that no pass meets is not seen,
    and passes may differ because `n_transient` is too short near a bifurcation.

    Examples
    --------
    >>> from takens.systems import HenonMap
    >>> found = hysteresis_diagram(HenonMap(), "a", [0.2, 0.3], [0.1, 0.1])
    >>> bool(np.max(found.distance) < 1e-6)
    True
    """
    step_map = evolution(system, dt)
    swept = sweep_values(system, parameter, values)
    x = state(system, x0)[:, None]
    chosen = _chosen(system, components)
    _checked(n_steps, n_transient, max_period, rtol, atol)
    held, passes, n, done = an_input(system, u), [], 0, 0
    for order in (range(len(swept)), range(len(swept) - 1, -1, -1)):
        table = np.full((len(swept), n_steps, len(chosen)), np.nan)
        ends = np.full((len(swept), system.dim), np.nan)
        for index in order:
            x, recorded = _recorded(
                step_map, x, n, n_steps, n_transient, held, chosen, parameter, swept[[index]]
            )
            table[index], ends[index] = recorded[0], x[:, 0]
            n, done = n + n_transient + n_steps, done + 1
            if progress is not None:
                progress(done / (2 * len(swept)))
            if not np.isfinite(x).all():
                break
        passes.append((table, ends.T))
    given = {"dt": dt, "n_steps": n_steps, "n_transient": n_transient,
             "x0": np.asarray(x0, dtype=float).tolist()}  # fmt: skip
    forward, backward = (
        _assembled(system, parameter, swept, chosen, table, ends, max_period, rtol, atol, given)
        for table, ends in passes
    )
    status = Status.DIVERGED if (forward.lost | backward.lost).any() else Status.OK
    require(status, throw=throw)
    return HysteresisDiagram(
        forward=forward,
        backward=backward,
        distance=np.array([_hausdorff(a, b) for a, b in
                           zip(forward.states, backward.states, strict=True)]),
        status=status,
        provenance=forward.provenance,
    )  # fmt: skip


def least_periods(states: np.ndarray, max_period: int, rtol: float, atol: float) -> np.ndarray:
    """Least period of each record, states (sample, time, component); 0 where none fits, NaN if lost."""
    periods = np.zeros(len(states))
    with np.errstate(invalid="ignore", over="ignore"):
        slack = atol + rtol * np.abs(states).max(axis=1, keepdims=True)
    left = np.flatnonzero(np.isfinite(states).all(axis=(1, 2)))
    periods[np.setdiff1d(np.arange(len(states)), left)] = np.nan
    for p in range(1, max_period + 1):
        # A few states rule out nearly all candidates; the rest are compared in full.
        near = np.abs(states[left, p : p + 2] - states[left, :2]) <= slack[left]
        hopeful = left[near.all(axis=(1, 2))]
        if len(hopeful):
            gap = np.abs(states[hopeful, p:] - states[hopeful, :-p]) <= slack[hopeful]
            fits = hopeful[gap.all(axis=(1, 2))]
            periods[fits] = p
            left = np.setdiff1d(left, fits, assume_unique=True)
    return periods


def _recorded(
    step_map: AbstractMap, x: Any, n: int, n_steps: int, n_transient: int, u: Any,
    chosen: np.ndarray, parameter: str, values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Last states (dim, value), and the recorded ones (value, time, component)."""
    last_axis = np.moveaxis(values, 0, -1)
    pieces, skip = [], n_transient
    for first in range(0, n_steps, BLOCK):
        size = min(BLOCK, n_steps - first)
        x, kept = sweep(step_map, x, counted(n), counted(skip), counted(size), u, chosen,
                        parameter, last_axis)  # fmt: skip
        pieces.append(np.asarray(kept)[:size])
        n, skip = n + skip + size, 0
    return np.asarray(x), np.moveaxis(np.concatenate(pieces), -1, 0)


def _assembled(
    system: AbstractSystem, parameter: str, values: np.ndarray, chosen: np.ndarray,
    recorded: np.ndarray, last: np.ndarray, max_period: int, rtol: float, atol: float,
    given: dict[str, Any],
) -> OrbitDiagram:  # fmt: skip
    lost = ~(np.isfinite(last).all(axis=0) & np.isfinite(recorded).all(axis=(1, 2)))
    if lost.any():
        recorded, last = recorded.copy(), np.array(last)
        recorded[lost], last[:, lost] = np.nan, np.nan
    return OrbitDiagram(
        parameter=parameter,
        values=values,
        components=tuple(system.names[i] for i in chosen),
        states=recorded,
        periods=least_periods(recorded, max_period, rtol, atol),
        max_period=max_period,
        last_states=last.T,
        provenance=describe(system) | given | {"max_period": max_period, "rtol": rtol,
                                               "atol": atol},
    )  # fmt: skip


def _chosen(system: AbstractSystem, components: Sequence[str] | None) -> np.ndarray:
    if components is None:
        return np.arange(system.dim)
    if isinstance(components, str) or not len(components):
        raise InvalidInput(f"components = {components!r}; expected a list of names, at least one.")
    return np.array([_index(system.names, name) for name in components])


def _index(names: Sequence[str], name: str) -> int:
    if name not in names:
        raise InvalidInput(f"There is no component {name!r}. There are: {', '.join(names)}.")
    return list(names).index(name)


def _checked(n_steps: int, n_transient: int, max_period: int, rtol: float, atol: float) -> None:
    counts(n_steps=n_steps, n_transient=n_transient)
    whole = isinstance(max_period, (int, np.integer)) and not isinstance(max_period, bool)
    if not (whole and 1 <= max_period <= n_steps / 2):
        raise InvalidInput(
            f"max_period = {max_period!r} and n_steps = {n_steps}; a period has to be seen twice. "
            "Give a whole number from 1 to half of n_steps."
        )
    a_number(rtol=rtol, atol=atol)
    if not (rtol >= 0 and atol >= 0 and np.isfinite([rtol, atol]).all() and rtol + atol > 0):
        raise InvalidInput(f"rtol = {rtol}, atol = {atol}; expected tolerances, not both zero.")


def _axis(parameter: str) -> str:
    return axis_name(parameter, "state", "period", "step", "component", "direction", "distance")


def _hausdorff(a: np.ndarray, b: np.ndarray) -> float:
    """Hausdorff distance of two clouds of points, (time, component); NaN if one is lost."""
    from scipy.spatial import cKDTree

    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("nan")
    return float(max(cKDTree(a).query(b)[0].max(), cKDTree(b).query(a)[0].max()))
