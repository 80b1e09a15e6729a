"""Attractors and their basins followed through a parameter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, InvalidInput, Status, require
from takens.dynamics.attractors import counted_shares, prepared, settings
from takens.dynamics.basin_stability import checked_bounds, drawn
from takens.dynamics.door import (
    a_number,
    axis_name,
    counts,
    describe,
    evolution,
    fraction,
    sweep_values,
    vary,
)
from takens.dynamics.places import UNDECIDED, Attractor, Space
from takens.dynamics.settling import explore

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """An attractor that appears or vanishes between two values of a parameter.

    Parameters
    ----------
    kind : str
        ``"appears"`` or ``"vanishes"``.
    label : int
        Of the attractor.
    between : (float, float)
        Neighbouring values of the parameter, in the order of the sweep.
    """

    kind: str
    label: int
    between: tuple[float, float]

    def __str__(self) -> str:
        return f"{self.label} {self.kind} between {self.between[0]:g} and {self.between[1]:g}"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FollowedAttractors(AbstractResult):
    """Attractors over a parameter, under labels that persist, with the shares of their basins.

    Parameters
    ----------
    parameter : str
        Name of the swept field.
    values : array, shape (value,)
        Its values, in the order of the sweep.
    components : tuple of str
        Names of the state components.
    attractors : tuple of mapping of int to Attractor
        For each value, the attractors by label.
    shares : array, shape (value, label)
        Fraction of the starts that reach each; NaN where it does not exist.
    intervals : array, shape (value, label, 2)
        Wilson's, at `level`.
    diverged, undecided : array, shape (value,)
        Fraction of the starts that was lost, and that reached nothing in time.
    level : float
        Nominal coverage of the intervals.
    """

    parameter: str
    values: np.ndarray
    components: tuple[str, ...]
    attractors: tuple[Mapping[int, Attractor], ...]
    shares: np.ndarray
    intervals: np.ndarray
    diverged: np.ndarray
    undecided: np.ndarray
    level: float

    @property
    def exists(self) -> np.ndarray:
        """Whether each attractor exists at each value, shape (value, label)."""
        return np.isfinite(self.shares)

    @property
    def events(self) -> tuple[Event, ...]:
        """Appearances and disappearances in the order of the sweep."""
        found = []
        for i in range(1, len(self.values)):
            between = (float(self.values[i - 1]), float(self.values[i]))
            for label in np.flatnonzero(self.exists[i] != self.exists[i - 1]):
                kind = "appears" if self.exists[i, label] else "vanishes"
                found.append(Event(kind=kind, label=int(label), between=between))
        return tuple(found)

    def summary(self) -> str:
        """How many attractors there are, and what appears and vanishes."""
        happened = "; ".join(str(event) for event in self.events[:8]) or "none appears or vanishes"
        more = f"; and {len(self.events) - 8} more" if len(self.events) > 8 else ""
        return (
            f"{self.shares.shape[1]} attractors over {len(self.values)} values of {self.parameter} "
            f"from {self.values[0]:g} to {self.values[-1]:g}: {happened}{more}."
        )

    def plot(self, ax: Any = None) -> Any:
        """The share of each basin over the parameter, stacked; white is divergence."""
        from takens import plot

        ax = plot.axes(ax)
        labels = range(min(self.shares.shape[1], 64))
        if labels:
            ax.stackplot(self.values, np.nan_to_num(self.shares[:, labels]).T,
                         colors=[plot.category_colour(i) for i in labels],
                         labels=[f"{i}" for i in labels[:10]])  # fmt: skip
            ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
        ax.set_ylim(0, 1)
        ax.margins(x=0)
        return plot.labels(ax, self.parameter, "share of the starts")

    def to_xarray(self) -> xr.Dataset:
        """Shares with intervals, and the centre of each attractor, over the parameter."""
        import xarray as xr

        centres = np.full((*self.shares.shape, len(self.components)), np.nan)
        for i, found in enumerate(self.attractors):
            for label, attractor in found.items():
                centres[i, label] = attractor.centre
        name = axis_name(self.parameter, "share", "interval", "centre", "diverged", "undecided",
                         "label", "end", "component")  # fmt: skip
        dims = (name, "label")
        return xr.Dataset(
            {
                "share": (dims, self.shares),
                "interval": ((*dims, "end"), self.intervals),
                "centre": ((*dims, "component"), centres),
                "diverged": (name, self.diverged),
                "undecided": (name, self.undecided),
            },
            {name: self.values, "component": list(self.components),
             "end": ["low", "high"]},
        )  # fmt: skip


def follow_attractors(
    system: Any,
    parameter: str,
    values: Any,
    bounds: Mapping[str, tuple[float, float]],
    *,
    x0: Any = None,
    n_samples: int = 200,
    max_distance: float = 0.2,
    dt: float = 1.0,
    n_transient: int = 500,
    n_steps: int = 200,
    n_pilots: int = 64,
    tolerance: float = 0.005,
    wrap: Mapping[str, float] | None = None,
    escape: float = 1e8,
    u: Any = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> FollowedAttractors:
    """Attractors and the shares of their basins through a parameter, under persistent labels.

    At each value the same random starts are told apart by the attractor they reach, and with them
    one state of every attractor seen at the value before, so that a shrinking basin is not missed.
    An attractor takes the label of the one last seen nearest to it, if the Hausdorff distance of
    the two is small; labels are assigned so that the total distance is least.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known, learned or derived.
    parameter : str
        Name of a scalar field of the system.
    values : array, shape (value,)
        In the order of the sweep.
    bounds : mapping of str to (float, float)
        The box from which starts are drawn, as in `basin_stability`.
    x0 : array, shape (dim,), optional
        What the components not in `bounds` start from, in state units.
    n_samples : int
        Number of starts.
    max_distance : float
        Farther than this, in units of the scale, an attractor is another one.
    dt, n_transient, n_steps, n_pilots, tolerance, wrap, escape, u
        As in `attractors`.
    level : float
        Coverage of the intervals.
    seed : int
        Of the draws.
    throw : bool
        Whether to raise when no start reaches an attractor at any value.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    FollowedAttractors

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If there is no such scalar parameter, a range is wrong or a number is out of range.
    NumericalFailure
        If no attractor is found at any value, and `throw`.

    Notes
    -----
    Cost: that of `basin_stability` at each value; the program is compiled once. *What this does
    not establish*: a label says that neighbours in the parameter are near, no more; an attractor
    that jumps by more than `max_distance` between two values changes its label, and two that come
    nearer than `tolerance` are one. Just past a fold, motion that creeps for longer than the
    transient still counts as an attractor.

    References
    ----------
    Datseris, Luiz Rossi and Wagemakers, Chaos 33, 073151 (2023), for matching along a sweep.

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> found = follow_attractors(LogisticMap(), "r", [0.5, 2.0, 3.2, 5.0], {"x": (0.1, 0.9)},
    ...                           n_samples=40, max_distance=0.9)
    >>> [a[0].what for a in found.attractors[:3]], bool(found.diverged[3] == 1)
    (['point', 'point', 'cycle of period 2'], True)
    """
    step_map = evolution(system, dt)
    swept = sweep_values(system, parameter, values)
    if swept.ndim != 1:
        raise InvalidInput(f"{parameter} is an array; attractors are followed through one number.")
    counts(n_samples=n_samples, seed=seed)
    fraction(level=level)
    a_number(max_distance=max_distance)
    if not max_distance > 0:
        raise InvalidInput(f"max_distance = {max_distance}; expected a positive number of scales.")
    box = checked_bounds(system, bounds)
    starts = drawn(system, box, x0, n_samples, seed)
    search = prepared(
        system, starts, dt=dt, n_transient=n_transient, n_steps=n_steps, n_pilots=n_pilots,
        tolerance=tolerance, wrap=wrap, escape=escape, u=u, seed=seed, progress=None,
    )  # fmt: skip
    seen: dict[int, Attractor] = {}  # where each label was last
    rows: list[dict[int, Attractor]] = []
    shares: list[Any] = []
    for i, value in enumerate(swept):
        job = dataclasses.replace(search, evolution=vary(step_map, parameter, value))
        seeds = [a.points[:1] for a in rows[-1].values()] if rows else []
        found, labels, _ = explore(job, np.concatenate([starts, *seeds]), seed)
        names = matched(search.space, found, seen, max_distance)
        rows.append(dict(zip(names, found, strict=True)))
        seen |= rows[-1]
        shares.append((names, *counted_shares(
            labels[:n_samples], len(found), level, f"Wilson interval, {n_samples} starts"
        )))  # fmt: skip
        if progress is not None:
            progress((i + 1) / len(swept))
    status = Status.OK if seen else Status.NOT_CONVERGED
    require(status, throw=throw)
    table = np.full((len(swept), len(seen)), np.nan)
    intervals = np.full((len(swept), len(seen), 2), np.nan)
    for i, (names, each, _, _) in enumerate(shares):
        table[i, names] = [e.value for e in each]
        intervals[i, names] = np.reshape([e.interval for e in each], (-1, 2))
    return FollowedAttractors(
        parameter=parameter,
        values=swept,
        components=tuple(system.names),
        attractors=tuple(rows),
        shares=table,
        intervals=intervals,
        diverged=np.array([lost.value for _, _, lost, _ in shares]),
        undecided=np.array([open_.value for _, _, _, open_ in shares]),
        level=level,
        status=status,
        provenance=describe(system) | settings(search, dt, seed) | {"n_samples": n_samples},
    )


def matched(
    space: Space, found: tuple[Attractor, ...], seen: Mapping[int, Attractor], limit: float
) -> list[int]:
    """A label for each attractor: that of the nearest last seen, or a new one."""
    from scipy.optimize import linear_sum_assignment

    labels = list(seen)
    names = [UNDECIDED] * len(found)
    if labels and found:
        gap = np.array([[hausdorff(space, a, seen[label]) for label in labels] for a in found])
        # A forbidden pair costs more than all allowed ones together, so it is the last resort.
        cost = np.where(gap <= limit, gap, 1e3 * limit * (1 + min(gap.shape)))
        for i, j in zip(*linear_sum_assignment(cost), strict=True):
            if gap[i, j] <= limit:
                names[i] = labels[j]
    fresh = len(labels)
    for i, name in enumerate(names):
        if name == UNDECIDED:
            names[i], fresh = fresh, fresh + 1
    return names


def hausdorff(space: Space, one: Attractor, other: Attractor) -> float:
    """Hausdorff distance of two attractors, in units of the scale of each component."""
    there, _ = space.nearest(space.tree(other.points), one.points)
    back, _ = space.nearest(space.tree(one.points), other.points)
    return float(max(there.max(), back.max()))
