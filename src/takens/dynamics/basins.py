"""Basins of attraction on a grid of starts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, require
from takens.core.system import AbstractSystem
from takens.dynamics.attractors import (
    Attractors,
    counted_shares,
    doubts,
    draw,
    listed,
    outcome,
    points_table,
    prepared,
    settings,
)
from takens.dynamics.door import affordable, describe, evolution, fraction, numbers, state
from takens.dynamics.places import Attractor
from takens.dynamics.settling import explore

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BasinsOfAttraction(AbstractResult):
    """Which attractor each start of a grid reaches.

    Parameters
    ----------
    components : tuple of str
        Names of all state components.
    grid : mapping of str to array
        Values along each axis of `labels`, in the order of the axes, in state units.
    labels : array of int, one axis for each of `grid`
        Number of the attractor; -1 diverged, -2 undecided.
    steps : array, as `labels`
        Steps after which that was certain, a measure of the transient; NaN where undecided.
    attractors : tuple of Attractor
        Those given, then new ones ordered by their centres, the first component first.
    shares : tuple of Estimate
        Fraction of the grid in each basin. The grid is no random sample; its interval is that of
        as many independent draws, which is too wide for smooth boundaries.
    diverged, undecided : Estimate
        Fraction of the grid that was lost, and that reached nothing in time.
    """

    components: tuple[str, ...]
    grid: Mapping[str, np.ndarray]
    labels: np.ndarray
    steps: np.ndarray
    attractors: tuple[Attractor, ...]
    shares: tuple[Estimate, ...]
    diverged: Estimate
    undecided: Estimate

    def summary(self) -> str:
        """Each attractor with the share of its basin."""
        size = " x ".join(str(n) for n in self.labels.shape)
        text = listed(self.attractors, self.shares, self.diverged, self.undecided)
        return f"{size} starts. {text}"

    def plot(self, ax: Any = None) -> Any:
        """The basins as an image (of the middle slice, beyond two axes) with their attractors."""
        from takens import plot

        ax, names = plot.axes(ax), list(self.grid)
        legend = [f"{i}: {a.what}" for i, a in enumerate(self.attractors)]
        if len(names) == 1:
            plot.categories(ax, self.grid[names[0]], [0.0, 1.0],
                            np.stack([self.labels, self.labels], axis=1), legend)  # fmt: skip
            ax.set_yticks([])
            return plot.labels(ax, names[0])
        labels, title = self.labels, ""
        for name in names[2:]:
            middle = labels.shape[2] // 2
            title += f"{name} = {self.grid[name][middle]:.3g} "
            labels = labels[:, :, middle]
        plot.categories(ax, self.grid[names[0]], self.grid[names[1]], labels, legend)
        limits = ax.get_xlim(), ax.get_ylim()
        first, second = (self.components.index(name) for name in names[:2])
        draw(ax, self.attractors, first, second, legend=False)
        ax.set_xlim(limits[0])
        ax.set_ylim(limits[1])
        return plot.labels(ax, names[0], names[1], title.strip())

    def to_xarray(self) -> xr.Dataset:
        """Labels and steps over the grid, and the points of all attractors."""
        import xarray as xr

        axes = tuple(self.grid)
        return xr.Dataset(
            {"label": (axes, self.labels), "steps": (axes, self.steps)}
            | points_table(self.attractors, len(self.components)),
            {name: np.asarray(values) for name, values in self.grid.items()}
            | {"component": list(self.components)},
            attrs={"status": self.status.name},
        )


def basins_of_attraction(
    system: Any,
    grid: Mapping[str, Any],
    *,
    x0: Any = None,
    known: Attractors | BasinsOfAttraction | None = None,
    dt: float = 1.0,
    n_transient: int = 500,
    n_steps: int = 500,
    n_pilots: int = 128,
    tolerance: float = 0.005,
    wrap: Mapping[str, float] | None = None,
    escape: float = 1e8,
    u: Any = None,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> BasinsOfAttraction:
    """Basins of attraction of a map or a flow on a grid, its attractors not known beforehand.

    The attractors are found by recurrence, see `attractors`; they may lie outside the grid. All
    starts march together, in compiled batches, and leave when they have stayed at an attractor.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known, learned or derived.
    grid : mapping of str to array
        For some components, or all, the increasing values of the starts, in state units, such as
        ``{"x": np.linspace(-2, 2, 200), "y": np.linspace(-2, 2, 200)}``.
    x0 : array, shape (dim,), optional
        The state through which a slice is laid: what the components not in `grid` start from.
    known : Attractors or BasinsOfAttraction, optional
        Attractors found before, of this system or of another, which keep their numbers; with them
        come their scales, and the search by pilots is left out. Others that are met are added.
    dt, n_transient, n_steps, n_pilots, tolerance, wrap, escape, u
        As in `attractors`; a component's scale is the range of its grid.
    level : float
        Coverage of the intervals.
    seed : int
        For the choice of pilots.
    throw : bool
        Whether to raise when no start reaches an attractor.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    BasinsOfAttraction

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If a component of the grid is unknown, its values do not increase, components are missing
        and no `x0` is given, a number is out of range, or what is `known` fits no state.
    NumericalFailure
        If all starts diverge, or none is decided, and `throw`.

    Notes
    -----
    Cost and limits are those of `attractors`. A start within `tolerance` of an attractor counts as
    in its basin: where a boundary passes nearer than that, the label may be wrong; give a smaller
    `tolerance` to see whether labels change.

    References
    ----------
    Datseris and Wagemakers, Chaos 32, 023104 (2022), for recurrence as the only criterion.

    Examples
    --------
    >>> from takens.systems import HenonMap
    >>> square = {"x": np.linspace(-2, 2, 60), "y": np.linspace(-2, 2, 60)}
    >>> found = basins_of_attraction(HenonMap(), square)
    >>> [a.kind for a in found.attractors], round(found.diverged.value, 1)
    (['other'], 0.6)
    """
    evolution(system, dt)
    axes = checked_grid(system, grid)
    starts = grid_starts(system, axes, x0)
    fraction(level=level)
    given, scale = recognised(system, known)
    search = prepared(
        system, starts, dt=dt, n_transient=n_transient, n_steps=n_steps, n_pilots=n_pilots,
        tolerance=tolerance, wrap=wrap, escape=escape, u=u, seed=seed, progress=progress,
        scale=scale,
    )  # fmt: skip
    found, labels, steps = explore(search, starts, seed, given)
    shape = tuple(len(values) for values in axes.values())
    shares, diverged, undecided = counted_shares(
        labels, len(found), level, "Wilson interval, as if the grid were independent draws"
    )
    status = outcome(labels)
    require(status, throw=throw)
    return BasinsOfAttraction(
        components=tuple(system.names),
        grid=axes,
        labels=labels.reshape(shape),
        steps=steps.reshape(shape),
        attractors=found,
        shares=shares,
        diverged=diverged,
        undecided=undecided,
        status=status,
        cautions=doubts(found, labels),
        provenance=describe(system)
        | settings(search, dt, seed)
        | {"through": through(system, tuple(axes), x0).tolist()},
    )


def recognised(
    system: AbstractSystem, known: Any
) -> tuple[tuple[Attractor, ...], np.ndarray | None]:
    """The attractors in an earlier result, and the scale (dim,) at which they were told apart.

    Raises
    ------
    InvalidInput
        If it is no such result, or its states have other components.
    """
    if known is None:
        return (), None
    if not isinstance(known, (Attractors, BasinsOfAttraction)):
        raise InvalidInput(
            f"known is {type(known).__name__}; expected what `attractors` or "
            "`basins_of_attraction` returned."
        )
    if known.components != tuple(system.names):
        raise InvalidInput(
            f"known has the components {', '.join(known.components[:8])}; {type(system).__name__} "
            f"has: {', '.join(system.names[:8])}. Give attractors in the same coordinates."
        )
    return known.attractors, np.array(known.provenance["scale"])


def checked_grid(system: AbstractSystem, grid: Any) -> dict[str, np.ndarray]:
    """The axes of a grid as arrays.

    Raises
    ------
    InvalidInput
        If it is no mapping of component names to increasing values.
    """
    if not isinstance(grid, Mapping) or not grid:
        raise InvalidInput(
            f"grid is {type(grid).__name__}; expected a mapping from names of components to the "
            f"values of the starts. {type(system).__name__} has: {', '.join(system.names[:8])}."
        )
    axes = {}
    for name, given in grid.items():
        values = numbers(given, f"grid[{name!r}]")
        if name not in system.names:
            raise InvalidInput(
                f"grid names {name!r}; {type(system).__name__} has: {', '.join(system.names[:8])}."
            )
        if values.ndim != 1 or len(values) < 2 or not (np.diff(values) > 0).all():
            raise InvalidInput(
                f"grid[{name!r}] has shape {values.shape}; expected two or more increasing values."
            )
        if not np.isfinite(values).all():
            raise InvalidInput(f"grid[{name!r}] holds infinity. Give finite numbers.")
        axes[name] = values
    return axes


def grid_starts(system: AbstractSystem, axes: Mapping[str, np.ndarray], x0: Any) -> np.ndarray:
    """All starts of a grid, shape (sample, dim), the last axis running fastest."""
    base = through(system, tuple(axes), x0)
    size = math.prod(len(values) for values in axes.values())
    affordable(size * system.dim, "numbers make up the starts of this grid. Give a coarser one, or "
               "fewer axes and x0 for the others.")  # fmt: skip
    table = np.meshgrid(*axes.values(), indexing="ij")
    starts = np.tile(base, (table[0].size, 1))
    for name, values in zip(axes, table, strict=True):
        starts[:, list(system.names).index(name)] = values.ravel()
    return starts


def through(system: AbstractSystem, varied: tuple[str, ...], x0: Any) -> np.ndarray:
    """The state (dim,) through which a slice is laid.

    Raises
    ------
    InvalidInput
        If not all components are varied and no `x0` is given.
    """
    missing = [name for name in system.names if name not in varied]
    if x0 is None and missing:
        raise InvalidInput(
            f"The starts leave out {', '.join(missing[:8])}. Give x0, a state of shape "
            f"({system.dim},), from which these are taken."
        )
    return np.zeros(system.dim) if x0 is None else state(system, x0)
