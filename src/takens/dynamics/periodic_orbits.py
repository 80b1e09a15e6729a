"""Periodic orbits of maps and flows, stable or not, with their multipliers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, WrongKind, require
from takens.core.system import AbstractFlow, AbstractMap
from takens.dynamics.cycles import cycles_of_period, guesses, recorded, tangent_around
from takens.dynamics.door import a_number, a_system, an_input, counts, describe, fraction, states
from takens.dynamics.fixed_points import autonomous, box
from takens.dynamics.rescaled import rescaled, unit_of
from takens.dynamics.shooting import closed_orbits
from takens.dynamics.stability import UNDECIDED, kind, n_unstable, ordered

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PeriodicOrbits(AbstractResult):
    """Periodic orbits, the shortest first.

    Parameters
    ----------
    periods, period_error : array, shape (orbit,)
        Prime periods, in time units or iterates, and how far the exact ones may be; zero for maps.
    orbits : tuple of array, shape (point, dim)
        Points along each: all of a cycle, equally spaced in time for a flow; in state units.
    multipliers : complex array, shape (orbit, dim)
        Eigenvalues of the tangent once around, the largest first.
    types : tuple of str
        As of the fixed point of the return map, such as ``"saddle"``.
    n_unstable : array of int, shape (orbit,)
        Unstable directions.
    error : array, shape (orbit,)
        First-order bound of the distance of the points to the exact ones; infinite if degenerate.
    trivial_error : array, shape (orbit,)
        Distance from one of the multiplier along the flow, which is one exactly; zero for maps.
    is_map : bool
        Whether time is discrete.
    names : tuple of str
        Of the state components.
    """

    periods: np.ndarray
    period_error: np.ndarray
    orbits: tuple[np.ndarray, ...]
    multipliers: np.ndarray
    types: tuple[str, ...]
    n_unstable: np.ndarray
    error: np.ndarray
    trivial_error: np.ndarray
    is_map: bool
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.orbits)

    @property
    def stable(self) -> np.ndarray:
        """Whether every direction across the orbit decays, shape (orbit,)."""
        return np.array([name.startswith("stable") for name in self.types], dtype=bool)

    def count(self, period: int) -> int:
        """Number of cycles of a map with this prime period."""
        return int(np.sum(self.periods == period))

    def summary(self) -> str:
        """Each orbit with period, type and largest multiplier."""
        if not len(self):
            return f"No periodic orbits: {self.status.value}"
        lines = [f"{len(self)} periodic orbit(s), not proven to be all:"]
        for i in range(min(len(self), 20)):
            largest = self.multipliers[i, 0]
            shown = f"{largest.real:.6g}" if abs(largest.imag) < 1e-12 else f"{largest:.6g}"
            period = f"{self.periods[i]:.0f}" if self.is_map else (
                f"{self.periods[i]:.9g} ± {self.period_error[i]:.1g}")  # fmt: skip
            lines.append(f"  period {period}: {self.types[i]}, largest multiplier {shown}")
        if len(self) > 20:
            lines.append(f"  and {len(self) - 20} more")
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """The orbits in the plane of the first two components; dashed where unstable."""
        from takens import plot

        ax = plot.axes(ax)
        for i in range(min(len(self), 12)):
            points = self.orbits[i]
            stable = self.types[i].startswith("stable")
            period = f"{self.periods[i]:.6g}"
            colour = plot.COLOURS[i % len(plot.COLOURS)]
            look = {"color": colour, "label": f"period {period}, {self.types[i]}"}
            if self.is_map:
                x, y = _plane(points)
                plot.line(ax, x, y, linestyle="none", marker="o", markersize=4,
                          markerfacecolor=colour if stable else "none", **look)  # fmt: skip
            else:
                x, y = _plane(np.concatenate([points, points[:1]]))
                plot.line(ax, x, y, linestyle="-" if stable else "--", **look)
        two = len(self.names) > 1
        return plot.labels(ax, self.names[0] if two else "point of the cycle",
                           self.names[1] if two else self.names[0])  # fmt: skip

    def to_xarray(self) -> xr.Dataset:
        """Periods and multipliers by orbit, and all points in one table with their orbit's number."""
        import xarray as xr

        dim = len(self.names)
        points = np.concatenate([*self.orbits, np.zeros((0, dim))])
        owner = np.repeat(np.arange(len(self)), [len(o) for o in self.orbits])
        return xr.Dataset(
            {
                "period": ("orbit", self.periods),
                "period_error": ("orbit", self.period_error),
                "multiplier_real": (("orbit", "order"), self.multipliers.real),
                "multiplier_imag": (("orbit", "order"), self.multipliers.imag),
                "type": ("orbit", np.array(self.types, dtype=str)),
                "n_unstable": ("orbit", self.n_unstable),
                "error": ("orbit", self.error),
                "trivial_error": ("orbit", self.trivial_error),
                "point": (("row", "component"), points),
                "orbit_of_point": ("row", owner),
            },
            {"component": list(self.names)},
            attrs={"status": self.status.name},
        )


def periodic_orbits(
    system: Any,
    x0: Any,
    *,
    max_period: float = 8,
    bounds: Any = None,
    dt: float = 0.05,
    n_steps: int = 2000,
    n_transient: int = 200,
    n_starts: int = 256,
    n_segments: int = 4,
    max_orbits: int = 64,
    tolerance: float = 1e-6,
    u: Any = None,
    seed: int = 0,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> PeriodicOrbits:
    r"""Periodic orbits of a map or of an autonomous flow, from many starts, stable or not.

    Multiple shooting: all points of a cycle are unknowns, :math:`F(x_i) - x_{i+1} = 0`, so that no
    error grows along the orbit. Starts are stretches of the orbits from `x0` that nearly close;
    for maps, as many more have all their points drawn at random in `bounds`. All starts run as one
    batch of damped Newton iterations; for maps, cycles found are deflated in all their cyclic
    shifts and the batch runs again, until nothing new turns up. For flows the period is an
    unknown too, and a phase condition fixes the start.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned; its rule must not depend on time.
    x0 : array, shape (sample, dim)
        Starts of the orbits in which near returns are looked for, in state units.
    max_period : float
        Longest period to look for, in iterates or time units.
    bounds : array, shape (dim, 2), optional
        Box of the random starts for a map; if not given, that of the orbits, a quarter wider.
    dt : float
        Interval at which the orbits of a flow are looked at, in time units.
    n_steps, n_transient : int
        Iterates, or intervals `dt`, to look for near returns in, and to drop before.
    n_starts : int
        Starts for each period of a map; for a flow in all.
    n_segments : int
        Pieces into which an orbit of a flow is cut; more for strongly unstable ones.
    max_orbits : int
        Most orbits for each period of a map; for a flow in all.
    tolerance : float
        Orbits closer than this are one, relative to ``1 + max|x|``, in units of the largest start
        where all starts are smaller than one.
    u : array, shape (input,), optional
        A constant input.
    seed : int
        Of the random starts.
    throw : bool
        Whether to raise when none is found.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    PeriodicOrbits
        With status NOT_CONVERGED when none is found.

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system, or its rule depends on time.
    InvalidInput
        If `x0` has the wrong shape or a setting is out of range.
    NumericalFailure
        If none is found, and `throw`.

    Notes
    -----
    Cost: for each period p of a map up to six rounds of at most 100 solves of cost
    ``(max_period * dim)**3`` for each start. That no cycle is missing is not established; fixed
    points of a map are its cycles of period 1. The error of a flow's period comes from a
    recomputation of the residual with twice the integrator's steps; the multiplier along the flow,
    one exactly, is an independent check. Multipliers far below the largest are lost in round-off.

    References
    ----------
    Farrell, Birkisson and Funke, SIAM J. Sci. Comput. 37, A2026 (2015), deflation; Cvitanović et
    al., Chaos: Classical and Quantum (ChaosBook), chapter on fixed points, multi-point shooting.

    Examples
    --------
    >>> from takens.systems import HenonMap
    >>> found = periodic_orbits(HenonMap(), [[0.6, 0.2]], max_period=2, n_starts=32)
    >>> [found.count(p) for p in (1, 2)]
    [2, 1]
    """
    a_system(system)
    x = states(system, x0)
    counts(n_steps=n_steps, n_transient=n_transient, n_starts=n_starts, n_segments=n_segments,
           n_orbits=max_orbits, seed=seed)  # fmt: skip
    fraction(tolerance=tolerance)
    a_number(max_period=max_period, dt=dt)
    u = an_input(system, u)
    if not (np.isfinite(max_period) and max_period > 0):
        raise InvalidInput(f"max_period = {max_period}; expected a positive number.")
    autonomous(system, x, u)
    settings = {"max_period": max_period, "n_starts": n_starts, "n_steps": n_steps, "seed": seed}
    if not isinstance(system, (AbstractMap, AbstractFlow)):
        raise WrongKind(f"{type(system).__name__} is neither a map nor a flow.")
    unit = unit_of(x)
    seen, x = rescaled(system, unit), x / unit
    if isinstance(system, AbstractFlow):
        found = closed_orbits(
            seen, x, max_period=float(max_period), dt=dt, n_steps=n_steps,
            n_transient=n_transient, n_starts=n_starts, n_segments=n_segments,
            max_orbits=max_orbits, tolerance=tolerance, u=u,
        )  # fmt: skip
        return _in_unit(_of_flow(seen, found, throw, describe(system) | settings), unit)
    if max_period < 1:
        raise InvalidInput(f"max_period = {max_period} for a map; expected 1 iterate or more.")
    orbits = recorded(seen, x, n_transient + n_steps, u)[:, n_transient:]
    region = _region(x, orbits) if bounds is None else box(system, bounds) / unit
    cycles: list[tuple[np.ndarray, float, int]] = []
    longest = int(max_period)
    for period in range(1, longest + 1):
        starts = guesses(orbits, region, period, longest, n_starts, seed)
        cycles += cycles_of_period(
            seen, starts, period, [c for c, _, _ in cycles], u, tolerance, max_orbits, longest
        )
        if progress is not None:
            progress(period / longest)
    return _in_unit(_of_map(seen, cycles, u, throw, describe(system) | settings), unit)


def _in_unit(found: PeriodicOrbits, unit: float) -> PeriodicOrbits:
    """What was found in another unit of the state, in state units."""
    orbits = tuple(unit * points for points in found.orbits)
    return dataclasses.replace(found, orbits=orbits, error=unit * found.error)


def _region(x: np.ndarray, orbits: np.ndarray) -> np.ndarray:
    """The box of the random starts: that of the orbits, a quarter wider."""
    points = orbits.reshape(-1, x.shape[1]) if len(orbits) else x
    low, high = points.min(axis=0), points.max(axis=0)
    reach = 0.25 * np.maximum(high - low, 1e-3 * (1 + np.abs(high)))
    return np.stack([low - reach, high + reach], axis=1)


def _plane(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if points.shape[1] > 1:
        return points[:, 0], points[:, 1]
    return np.arange(1, len(points) + 1), points[:, 0]


def _of_map(
    system: AbstractMap, cycles: list[tuple[np.ndarray, float, int]], u: Any, throw: bool,
    settings: dict[str, Any],
) -> PeriodicOrbits:  # fmt: skip
    status = Status.OK if cycles else Status.NOT_CONVERGED
    require(status, throw=throw)
    values = [ordered(np.linalg.eigvals(tangent_around(system, c, u)), True) for c, _, _ in cycles]
    errors = np.array([e for _, e, _ in cycles])
    names = tuple(
        UNDECIDED if np.isinf(e) else kind(v, True) for v, e in zip(values, errors, strict=True)
    )
    n = len(cycles)
    return PeriodicOrbits(
        periods=np.array([len(c) for c, _, _ in cycles], dtype=float), period_error=np.zeros(n),
        orbits=tuple(c for c, _, _ in cycles),
        multipliers=np.array(values, dtype=complex).reshape(n, system.dim), types=names,
        n_unstable=np.array([n_unstable(v, True) for v in values], dtype=int), error=errors,
        trivial_error=np.zeros(n), is_map=True, names=system.names, status=status,
        provenance=settings,
    )  # fmt: skip


def _of_flow(
    system: AbstractFlow, found: list[Any], throw: bool, settings: dict[str, Any]
) -> PeriodicOrbits:
    status = Status.OK if found else Status.NOT_CONVERGED
    require(status, throw=throw)
    values, trivial, across = [], [], []
    for orbit in found:
        v = ordered(orbit.multipliers, True)
        along = int(np.argmin(np.abs(v - 1)))
        trivial.append(abs(v[along] - 1))
        across.append(np.delete(v, along))
        values.append(v)
    worst = max(trivial, default=0.0)
    cautions = (_inexact(worst),) if worst > 1e-4 else ()
    n = len(found)
    return PeriodicOrbits(
        periods=np.array([o.period for o in found], dtype=float),
        period_error=np.array([o.period_error for o in found], dtype=float),
        orbits=tuple(o.points for o in found),
        multipliers=np.array(values, dtype=complex).reshape(n, system.dim),
        types=tuple(kind(v, True) for v in across),
        n_unstable=np.array([n_unstable(v, True) for v in across], dtype=int),
        error=np.array([o.error for o in found], dtype=float), trivial_error=np.array(trivial),
        is_map=False, names=system.names, status=status, cautions=cautions,
        provenance=settings,
    )  # fmt: skip


def _inexact(worst: float) -> Finding:
    return Finding(
        code="inexact-multipliers",
        text=f"The multiplier along the flow, one exactly, is off by {worst:.1g}.",
        action="Tighten the integrator, or cut the orbit into more segments.",
    )
