"""Stationary density of a diffusion on a line, by quadrature."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, NumericalFailure
from takens.dynamics.door import an_input, describe, numbers
from takens.dynamics.line import PANELS, Line, a_line, coefficients, make_line

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StationaryDensity(AbstractResult):
    """The law to which a diffusion on a line settles.

    Parameters
    ----------
    grid : array, shape (point,)
        Positions, in state units.
    density : array, shape (point,)
        Per state unit; its integral over the support is one.
    cumulative : array, shape (point,)
        Probability below each position.
    error : float
        Largest change of the density on halving the panels.
    mean, variance : Estimate
        Of the law; the interval is the change on halving the panels. NaN where the tail is too
        heavy for a finite moment.
    support : (float, float)
        Where it lives.
    """

    grid: np.ndarray
    density: np.ndarray
    cumulative: np.ndarray
    error: float
    mean: Estimate
    variance: Estimate
    support: tuple[float, float]

    @property
    def modes(self) -> np.ndarray:
        """Positions of the grid at which the density has a maximum inside the grid."""
        inner = (self.density[1:-1] > self.density[:-2]) & (self.density[1:-1] >= self.density[2:])
        return self.grid[1:-1][inner]

    def summary(self) -> str:
        """Moments and modes."""
        modes = ", ".join(f"{mode:.4g}" for mode in self.modes[:6]) or "none inside the grid"
        return (
            f"Stationary law with mean {self.mean.value:.6g} and variance "
            f"{self.variance.value:.6g}; modes: {modes}."
        )

    def plot(self, ax: Any = None) -> Any:
        """The density over the grid."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, self.grid, self.density, color=plot.COLOURS[0])
        ax.fill_between(self.grid, self.density, color=plot.COLOURS[0], alpha=0.15, lw=0)
        return plot.labels(ax, "state", "stationary density")

    def to_xarray(self) -> xr.Dataset:
        """Density and distribution over the grid."""
        import xarray as xr

        return xr.Dataset(
            {"density": ("x", self.density), "cumulative": ("x", self.cumulative)},
            {"x": self.grid},
            attrs={"mean": self.mean.value, "variance": self.variance.value, "error": self.error},
        )


def stationary_density(
    system: Any,
    grid: Any,
    *,
    support: tuple[float, float] = (-np.inf, np.inf),
    u: Any = None,
) -> StationaryDensity:
    r"""Stationary density of a diffusion of one component.

    The solution of the Fokker-Planck equation without flux,

    .. math:: p(x) \propto \frac{1}{b(x)^2} \exp \int^x \frac{2 a(z)}{b(z)^2} dz .

    Parameters
    ----------
    system : AbstractDiffusion
        Of one component, without dependence on time.
    grid : array, shape (point,)
        Where the density is wanted, increasing, in state units; it should show where the state
        usually is.
    support : (float, float)
        Where the state lives. An infinite end must be natural, that is, paths come back from it; a
        finite end reflects, unless the noise vanishes there.
    u : array, shape (input,), optional
        A constant input.

    Returns
    -------
    StationaryDensity

    Raises
    ------
    WrongKind
        If the system is deterministic, has more than one component, or depends on time.
    InvalidInput
        If the grid is malformed, the noise vanishes inside the support, or no stationary law
        exists there.
    NumericalFailure
        If the quadrature does not resolve the law.

    Notes
    -----
    Cost: some ten thousand evaluations of drift and noise. The law exists; whether an observed
    path has had the time to settle to it is another question, see `fokker_planck_spectrum`. Two
    wells farther apart than the grid and divided by a density below 1e-19 are taken for one: let
    the grid span both.

    References
    ----------
    Gardiner, Handbook of Stochastic Methods (2004), eq. 5.2.23.

    Examples
    --------
    >>> from takens.systems import OrnsteinUhlenbeck
    >>> law = stationary_density(OrnsteinUhlenbeck(rate=2.0, noise=1.0), np.linspace(-2, 2, 41))
    >>> law.variance.value  # noise**2 / (2 rate)
    0.25
    """
    u = an_input(system, u)
    found = a_line(system, u)
    points = a_grid(grid)
    ends = numbers(support, "support")
    if ends.shape != (2,):
        raise InvalidInput(
            f"support has shape {ends.shape}; expected (2,): its lower and upper end."
        )
    coarse, fine = (
        _law(found, points, make_line(found, support, points, u, panels), u)
        for panels in (PANELS // 2, PANELS)
    )
    with np.errstate(invalid="ignore"):
        change = float(np.max(np.where(np.isnan(fine[0]), 0.0, np.abs(fine[0] - coarse[0]))))
    if not change < 0.01 * np.nanmax(fine[0], initial=0.0):
        raise NumericalFailure(
            f"The density changes by {change:.4g} on halving the panels; its largest value is "
            f"{np.nanmax(fine[0], initial=0.0):.4g}. Let the grid be no wider than the law."
        )
    mean, variance = (
        Estimate(value=f, interval=(f - abs(f - c), f + abs(f - c)),
                 method="quadrature: change on halving the panels")
        for f, c in zip(fine[2:], coarse[2:], strict=True)
    )  # fmt: skip
    return StationaryDensity(
        grid=points, density=fine[0], cumulative=fine[1],
        error=change, mean=mean, variance=variance,
        support=(float(support[0]), float(support[1])),
        provenance=describe(found) | {"support": list(support)},
    )  # fmt: skip


def a_grid(grid: Any) -> np.ndarray:
    """`grid` as an increasing array, shape (point,).

    Raises
    ------
    InvalidInput
        If it is not one.
    """
    points = numbers(grid, "grid")
    if points.ndim != 1 or len(points) < 3 or not (np.diff(points) > 0).all():
        raise InvalidInput(
            f"grid has shape {points.shape}; expected three or more increasing positions."
        )
    if not np.isfinite(points).all():
        raise InvalidInput("grid holds NaN or infinity. Give finite numbers.")
    return points


def _law(system: Any, grid: np.ndarray, line: Line, u: Any) -> tuple[Any, Any, float, float]:
    """Density and distribution on the grid, mean and variance."""
    log_speed = line.phi - np.log(line.b2)
    top = float(log_speed.max())
    weight = np.exp(log_speed - top) * line.slope
    below, mass = line.cumulative(weight)
    _, first = line.cumulative(weight * line.x)
    mean = first / mass
    _, second = line.cumulative(weight * (line.x - mean) ** 2)
    # A moment that lives in the cut tail is no moment of the law.
    moments = []
    for order, value in ((1, mean), (2, second / mass)):
        tail = weight * np.abs(line.x - mean) ** order
        heavy = max(tail[0, 0], tail[-1, -1]) > 1e-6 * tail.max()
        ends = (line.chart.kind[0] == "natural", line.chart.kind[1] == "natural")
        moments.append(float("nan") if heavy and any(ends) else float(value))
    _, b2 = coefficients(system, grid, u)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        density = np.exp(line.at(line.phi, grid) - top) / b2 / mass
    low, high = line.chart.kind
    outside = ((grid <= line.chart.low) & (low == "singular")) | (
        (grid >= line.chart.high) & (high == "singular")
    )
    density = np.where(outside & ~np.isfinite(density), np.nan, density)
    return density, np.clip(line.at(below, grid) / mass, 0, 1), moments[0], moments[1]
