"""How likely a random start ends at each attractor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, require
from takens.core.system import AbstractSystem
from takens.dynamics.attractors import (
    Attractors,
    counted_shares,
    doubts,
    listed,
    outcome,
    points_table,
    prepared,
    settings,
)
from takens.dynamics.basins import BasinsOfAttraction, recognised, through
from takens.dynamics.door import counts, describe, evolution, fraction, numbers
from takens.dynamics.places import Attractor
from takens.dynamics.settling import explore

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BasinStability(AbstractResult):
    """Probability that a start drawn uniformly from a box ends at each attractor.

    Parameters
    ----------
    components : tuple of str
        Names of the state components.
    bounds : mapping of str to (float, float)
        The box, in state units.
    attractors : tuple of Attractor
        Those given, then new ones ordered by their centres.
    starts : array, shape (sample, dim)
        The draws.
    labels : array, shape (sample,)
        Number of the attractor that each reaches; -1 diverged, -2 undecided.
    stability : tuple of Estimate
        Probability of each attractor, with Wilson's interval.
    diverged, undecided : Estimate
        Probability to be lost, and to reach nothing in time.
    """

    components: tuple[str, ...]
    bounds: Mapping[str, tuple[float, float]]
    attractors: tuple[Attractor, ...]
    starts: np.ndarray
    labels: np.ndarray
    stability: tuple[Estimate, ...]
    diverged: Estimate
    undecided: Estimate

    def summary(self) -> str:
        """Each attractor with its probability."""
        text = listed(self.attractors, self.stability, self.diverged, self.undecided)
        return f"{len(self.labels)} random starts. {text}"

    def plot(self, ax: Any = None) -> Any:
        """The probabilities with their intervals."""
        from takens import plot

        names = [f"{i}: {a.what}" for i, a in enumerate(self.attractors)]
        extra = [("diverged", self.diverged), ("undecided", self.undecided)]
        shown = [(name, estimate) for name, estimate in extra if estimate.value > 0]
        names += [name for name, _ in shown]
        ax = plot.errorbars(plot.axes(ax), names, [*self.stability, *(e for _, e in shown)])
        return plot.labels(ax, "probability of a random start")

    def to_xarray(self) -> xr.Dataset:
        """Starts with labels, probabilities with intervals, and all attractor points."""
        import xarray as xr

        return xr.Dataset(
            {
                "start": (("sample", "component"), self.starts),
                "label": ("sample", self.labels),
                "stability": ("attractor", [e.value for e in self.stability]),
                "interval": (
                    ("attractor", "end"),
                    np.array([e.interval for e in self.stability]).reshape(-1, 2),
                ),
            }
            | points_table(self.attractors, len(self.components)),
            {"component": list(self.components), "end": ["low", "high"]},
            attrs={"diverged": self.diverged.value, "undecided": self.undecided.value},
        )


def basin_stability(
    system: Any,
    bounds: Mapping[str, tuple[float, float]],
    *,
    x0: Any = None,
    known: Attractors | BasinsOfAttraction | None = None,
    n_samples: int = 1000,
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
) -> BasinStability:
    """Probability that a random start ends at each attractor: the volume of its basin in a box.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known, learned or derived.
    bounds : mapping of str to (float, float)
        For some components, or all, the range from which starts are drawn uniformly.
    x0 : array, shape (dim,), optional
        What the components not in `bounds` start from, in state units.
    known : Attractors or BasinsOfAttraction, optional
        Attractors found before, which keep their numbers; with them come their scales, and the
        search by pilots is left out. Others that are met are added.
    n_samples : int
        Number of starts. The standard error is ``sqrt(p (1 - p) / n_samples)`` in any dimension.
    dt, n_transient, n_steps, n_pilots, tolerance, wrap, escape, u
        As in `attractors`.
    level : float
        Coverage of the intervals.
    seed : int
        Of the draws.
    throw : bool
        Whether to raise when no start reaches an attractor.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    BasinStability

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system.
    InvalidInput
        If a range is unknown or empty, components are missing and no `x0` is given, or a number is
        out of range.
    NumericalFailure
        If all starts diverge, or none is decided, and `throw`.

    See Also
    --------
    attractors : for starts drawn from another distribution, with the same intervals.

    Notes
    -----
    Cost and limits are those of `attractors`. *What this does not establish*: the probability is
    that of the box; a larger one gives another. An attractor with a basin of probability p is
    missed with probability ``(1 - p) ** n_samples``. The interval counts sampling only, not
    starts that are undecided or mistaken.

    References
    ----------
    Menck, Heitzig, Marwan and Kurths, Nature Physics 9, 89 (2013), eq. 2.

    Examples
    --------
    >>> from takens.systems import HenonMap
    >>> found = basin_stability(HenonMap(), {"x": (-2, 2), "y": (-2, 2)}, n_samples=500)
    >>> low, high = found.stability[0].interval
    >>> bool(low < 0.43 < high)
    True
    """
    evolution(system, dt)
    counts(n_samples=n_samples, seed=seed)
    fraction(level=level)
    box = checked_bounds(system, bounds)
    starts = drawn(system, box, x0, n_samples, seed)
    given, scale = recognised(system, known)
    search = prepared(
        system, starts, dt=dt, n_transient=n_transient, n_steps=n_steps, n_pilots=n_pilots,
        tolerance=tolerance, wrap=wrap, escape=escape, u=u, seed=seed, progress=progress,
        scale=scale,
    )  # fmt: skip
    found, labels, _ = explore(search, starts, seed, given)
    shares, diverged, undecided = counted_shares(
        labels, len(found), level, f"Wilson interval, {n_samples} independent starts"
    )
    status = outcome(labels)
    require(status, throw=throw)
    return BasinStability(
        components=tuple(system.names),
        bounds=box,
        attractors=found,
        starts=starts,
        labels=labels,
        stability=shares,
        diverged=diverged,
        undecided=undecided,
        status=status,
        cautions=doubts(found, labels),
        provenance=describe(system) | settings(search, dt, seed) | {"n_samples": n_samples},
    )


def checked_bounds(system: AbstractSystem, bounds: Any) -> dict[str, tuple[float, float]]:
    """The ranges of a box as pairs of floats.

    Raises
    ------
    InvalidInput
        If it is no mapping of component names to a lower and a higher number.
    """
    if not isinstance(bounds, Mapping) or not bounds:
        raise InvalidInput(
            f"bounds is {type(bounds).__name__}; expected a mapping from names of components to "
            f"(low, high). {type(system).__name__} has: {', '.join(system.names[:8])}."
        )
    box = {}
    for name, given in bounds.items():
        ends = numbers(given, f"bounds[{name!r}]")
        if name not in system.names:
            raise InvalidInput(
                f"bounds name {name!r}; {type(system).__name__} has: {', '.join(system.names[:8])}."
            )
        if ends.shape != (2,) or not np.isfinite(ends).all() or not ends[0] < ends[1]:
            raise InvalidInput(f"bounds[{name!r}] = {given!r}; expected (low, high), low < high.")
        box[name] = (float(ends[0]), float(ends[1]))
    return box


def drawn(
    system: AbstractSystem, box: Mapping[str, tuple[float, float]], x0: Any, n: int, seed: int
) -> np.ndarray:
    """Starts drawn uniformly from a box, shape (n, dim)."""
    starts = np.tile(through(system, tuple(box), x0), (n, 1))
    rng = np.random.default_rng(seed)
    for name, (low, high) in box.items():
        starts[:, list(system.names).index(name)] = rng.uniform(low, high, n)
    return starts
