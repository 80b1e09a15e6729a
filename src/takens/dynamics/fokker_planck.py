"""The Fokker-Planck equation on a line: its slowest modes, and the evolution of a density."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.polynomial import legendre

from takens.core import AbstractResult, InvalidInput
from takens.core.system import AbstractDiffusion
from takens.dynamics.door import an_input, counts, describe, numbers
from takens.dynamics.line import a_line, coefficients
from takens.dynamics.stationary import a_grid

if TYPE_CHECKING:
    import xarray as xr

ENDS = ("reflecting", "absorbing")
CONTOUR = 32  # points, for an error of about 1e-13


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FokkerPlanckSpectrum(AbstractResult):
    """The slowest rates at which a density on a line changes, and their modes.

    Parameters
    ----------
    eigenvalues, error : array, shape (mode,)
        Per time unit, descending, extrapolated from two grids; the error is the correction made,
        or round-off where that is larger. Zero, exactly, where both ends reflect.
    modes : array, shape (mode, cell)
        Right eigenvectors as densities; of the first, the integral is one.
    centres : array, shape (cell,)
        Of the cells.
    ends : tuple of str
        What happens at the lower and the upper end.
    """

    eigenvalues: np.ndarray
    error: np.ndarray
    modes: np.ndarray
    centres: np.ndarray
    ends: tuple[str, str]

    @property
    def relaxation_time(self) -> float:
        """Inverse of the slowest rate of decay that is not zero, in time units.

        NaN where round-off hides that rate: ask `mean_exit_time` then.
        """
        mode = int(self.ends == ("reflecting", "reflecting"))
        if mode >= len(self.eigenvalues):
            return float("nan")
        slow = self.eigenvalues[mode]
        return float(-1 / slow) if -slow > 2 * self.error[mode] else float("nan")

    def summary(self) -> str:
        """The rates, and the time that the slowest one takes."""
        rates = ", ".join(
            f"{value:.5g} ± {error:.1g}"
            for value, error in zip(self.eigenvalues[:6], self.error[:6], strict=True)
        )
        return f"Rates {rates} per time unit; relaxation time {self.relaxation_time:.4g}."

    def plot(self, ax: Any = None) -> Any:
        """The first four modes, each scaled to one."""
        from takens import plot

        ax = plot.axes(ax)
        for i, mode in enumerate(self.modes[:4]):
            plot.line(ax, self.centres, mode / np.abs(mode).max(), color=plot.COLOURS[i],
                      label=f"rate {self.eigenvalues[i]:.3g}")  # fmt: skip
        return plot.labels(ax, "state", "mode")

    def to_xarray(self) -> xr.Dataset:
        """Rates and modes."""
        import xarray as xr

        return xr.Dataset(
            {
                "eigenvalue": ("mode", self.eigenvalues),
                "error": ("mode", self.error),
                "density": (("mode", "x"), self.modes),
            },
            {"x": self.centres},
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DensityEvolution(AbstractResult):
    """A density on a line at several times.

    Parameters
    ----------
    times : array, shape (time,)
        In time units.
    centres : array, shape (cell,)
        Of the cells.
    density : array, shape (time, cell)
        Mean over each cell, per state unit.
    mass : array, shape (time,)
        What is left; one unless an end absorbs.
    error : array, shape (time,)
        Integral of the absolute difference from the grid with half as many cells.
    """

    times: np.ndarray
    centres: np.ndarray
    density: np.ndarray
    mass: np.ndarray
    error: np.ndarray

    def summary(self) -> str:
        """What is left at the end, and the error."""
        return (
            f"Density at {len(self.times)} times up to {self.times[-1]:g}: mass "
            f"{self.mass[-1]:.6g} at the end; largest difference between grids "
            f"{self.error.max():.2g}."
        )

    def plot(self, ax: Any = None) -> Any:
        """The density at up to six of the times."""
        from takens import plot

        ax = plot.axes(ax)
        chosen = np.unique(np.linspace(0, len(self.times) - 1, 6).astype(int))
        for number, i in enumerate(chosen):
            plot.line(ax, self.centres, self.density[i], label=f"t = {self.times[i]:g}",
                      color=plot.COLOURS[number % len(plot.COLOURS)])  # fmt: skip
        return plot.labels(ax, "state", "density")

    def to_xarray(self) -> xr.Dataset:
        """Density over time and state."""
        import xarray as xr

        return xr.Dataset(
            {
                "density": (("time", "x"), self.density),
                "mass": ("time", self.mass),
                "error": ("time", self.error),
            },
            {"time": self.times, "x": self.centres},
        )


@dataclasses.dataclass(frozen=True)
class Cells:
    """A chain of cells with rates of hopping up and down, shapes (cell,), and what the ends drain."""

    edges: np.ndarray
    up: np.ndarray  # from each cell to the next; the last entry drains
    down: np.ndarray  # from each cell to the one before; the first entry drains
    log_weight: np.ndarray  # of the stationary mass, up to a constant

    @property
    def widths(self) -> np.ndarray:
        """Of the cells."""
        return np.diff(self.edges)

    @property
    def diagonal(self) -> np.ndarray:
        """Of the generator."""
        return -(self.up + self.down)


def cells_of(system: AbstractDiffusion, edges: np.ndarray, ends: tuple[str, str], u: Any) -> Cells:
    """Finite volumes with exponentially fitted fluxes (Scharfetter and Gummel 1969).

    With q = p b^2 / 2 and the exact step of phi = int 2 a / b^2 between two centres, the flux is
    that of a constant drift between them, so the stationary density is kept exactly.
    """
    centres = 0.5 * (edges[1:] + edges[:-1])
    gaps = np.concatenate([[edges[0]], centres, [edges[-1]]])
    nodes, weights = legendre.leggauss(4)
    half = 0.5 * np.diff(gaps)
    a, b2 = coefficients(system, gaps[:-1, None] + half[:, None] * (1 + nodes), u)
    _, at_centre = coefficients(system, centres, u)
    if not (np.isfinite(a).all() and (b2 > 0).all() and (at_centre > 0).all()):
        raise InvalidInput(
            f"Drift or noise of {type(system).__name__} is missing somewhere on the grid. End the "
            "grid where the noise vanishes."
        )
    rise = np.sum(2 * a / b2 * weights, axis=1) * half
    distance, width = np.diff(gaps), np.diff(edges)
    conductance = 0.5 * at_centre / width
    # Bernoulli's function weighs the way with and against the drift.
    up = conductance * _bernoulli(-rise[1:]) / distance[1:]
    down = conductance * _bernoulli(rise[:-1]) / distance[:-1]
    if ends[0] == "reflecting":
        down[0] = 0.0
    if ends[1] == "reflecting":
        up[-1] = 0.0
    weight = np.log(width / at_centre) + np.concatenate([[0.0], np.cumsum(rise[1:-1])])
    return Cells(edges, up, down, weight)


def _bernoulli(z: np.ndarray) -> np.ndarray:
    """Z / (e^z - 1)."""
    small = np.abs(z) < 1e-8
    safe = np.where(small, 1.0, z)
    with np.errstate(over="ignore"):
        return np.where(small, 1 - z / 2, safe / np.expm1(safe))


def slowest(cells: Cells, n_modes: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest eigenvalues of the generator, and right eigenvectors as densities (mode, cell)."""
    from scipy.linalg import eigh_tridiagonal

    off = np.sqrt(cells.up[:-1] * cells.down[1:])  # detailed balance makes it symmetric
    n = len(cells.up)
    values, vectors = eigh_tridiagonal(cells.diagonal, off, select="i",
                                       select_range=(n - n_modes, n - 1))  # fmt: skip
    root = np.exp(0.5 * (cells.log_weight - cells.log_weight.max()))
    modes = (vectors * root[:, None]).T[::-1]
    first = modes[0] / modes[0].sum()
    modes = np.concatenate([first[None], modes[1:] / np.abs(modes[1:]).sum(axis=1)[:, None]])
    return values[::-1], modes / cells.widths


def fokker_planck_spectrum(
    system: Any,
    grid: Any,
    *,
    n_modes: int = 6,
    ends: tuple[str, str] = ("reflecting", "reflecting"),
    u: Any = None,
) -> FokkerPlanckSpectrum:
    r"""Slowest modes of the Fokker-Planck equation of a diffusion of one component.

    .. math:: \partial_t p = -\partial_x (a p) + \tfrac12 \partial_x^2 (b^2 p)
              = \sum_k c_k e^{\lambda_k t} \psi_k

    Parameters
    ----------
    system : AbstractDiffusion
        Of one component, without dependence on time.
    grid : array, shape (edge,)
        Edges of the cells, increasing, in state units. It must hold almost all of the law.
    n_modes : int
        How many of the slowest.
    ends : (str, str)
        ``"reflecting"`` or ``"absorbing"`` at the lower and the upper end. With an absorbing end
        the first rate is that at which paths leave, see `escape_times`.
    u : array, shape (input,), optional
        A constant input.

    Returns
    -------
    FokkerPlanckSpectrum

    Raises
    ------
    WrongKind
        If the system is deterministic, has more than one component, or depends on time.
    InvalidInput
        If the grid or the ends are malformed, or the noise vanishes on the grid.

    Notes
    -----
    Cost: a symmetric tridiagonal eigenvalue problem of the size of the grid, and one of twice that
    size for the error. The error is that of the grid; a grid that cuts off part of the law
    makes another error, seen by widening it.

    References
    ----------
    Scharfetter and Gummel, IEEE Trans. Electron Devices 16, 64 (1969); Chang and Cooper, J. Comput.
    Phys. 6, 1 (1970); Risken, The Fokker-Planck Equation (1989), chapter 5.

    Examples
    --------
    >>> from takens.systems import OrnsteinUhlenbeck
    >>> grid = np.linspace(-5, 5, 201)
    >>> found = fokker_planck_spectrum(OrnsteinUhlenbeck(rate=0.5), grid, n_modes=3)
    >>> np.round(found.eigenvalues, 3) + 0.0  # minus k times the rate
    array([ 0. , -0.5, -1. ])
    """
    u = an_input(system, u)
    found, edges = a_line(system, u), a_grid(grid)
    counts(n_modes=n_modes)
    _check_ends(ends)
    ends = (ends[0], ends[1])
    if n_modes >= len(edges) - 1:
        raise InvalidInput(f"n_modes = {n_modes} for {len(edges) - 1} cells. Ask for fewer.")
    coarse, modes = slowest(cells_of(found, edges, ends, u), n_modes)
    halved = cells_of(found, _halved(edges), ends, u)
    fine, _ = slowest(halved, n_modes)
    correction = (fine - coarse) / 3  # the scheme is of second order
    values = fine + correction
    error = np.maximum(np.abs(correction), 4e-16 * np.abs(halved.diagonal).max())
    if tuple(ends) == ("reflecting", "reflecting"):  # mass is kept
        values[0] = error[0] = 0.0
    return FokkerPlanckSpectrum(
        eigenvalues=values, error=error, modes=modes,
        centres=0.5 * (edges[1:] + edges[:-1]), ends=(ends[0], ends[1]),
        provenance=describe(found) | {"n_cells": len(edges) - 1, "ends": list(ends),
                                      "grid": [float(edges[0]), float(edges[-1])]},
    )  # fmt: skip


def evolve_density(
    system: Any,
    grid: Any,
    density: Any,
    times: Any,
    *,
    ends: tuple[str, str] = ("reflecting", "reflecting"),
    u: Any = None,
) -> DensityEvolution:
    r"""Evolution of a probability density under a diffusion of one component.

    Cells with exponentially fitted fluxes keep mass and sign; in time the exponential is taken by
    a contour integral, so long times cost what short ones do.

    Parameters
    ----------
    system : AbstractDiffusion
        Of one component, without dependence on time.
    grid : array, shape (edge,)
        Edges of the cells, increasing, in state units.
    density : array, shape (cell,)
        At time zero, the mean over each cell, per state unit, up to a factor.
    times : array, shape (time,)
        Increasing, zero or later, in time units.
    ends : (str, str)
        ``"reflecting"`` or ``"absorbing"`` at the lower and the upper end.
    u : array, shape (input,), optional
        A constant input.

    Returns
    -------
    DensityEvolution
        Normalised to one at time zero.

    Raises
    ------
    WrongKind
        If the system is deterministic, has more than one component, or depends on time.
    InvalidInput
        If grid, density, times or ends are malformed, or the noise vanishes on the grid.

    Notes
    -----
    Cost: 16 complex tridiagonal solutions a time, and half as much for the error. Grids of an odd
    number of cells are compared with one that joins all but the last pairwise. Memory ``8 * time *
    cell``.

    References
    ----------
    Weideman and Trefethen, Math. Comput. 76, 1341 (2007), parabolic contour.

    Examples
    --------
    >>> from takens.systems import OrnsteinUhlenbeck
    >>> grid = np.linspace(-4, 4, 161)
    >>> start = np.abs(grid[1:] - 1.0) < 0.1
    >>> found = evolve_density(OrnsteinUhlenbeck(), grid, start, [0.5, 1.0])
    >>> found.mass
    array([1., 1.])
    """
    u = an_input(system, u)
    found, edges = a_line(system, u), a_grid(grid)
    _check_ends(ends)
    start, when = numbers(density, "density"), numbers(times, "times")
    if start.shape != (len(edges) - 1,) or not np.isfinite(start).all() or not (start >= 0).all():
        raise InvalidInput(
            f"density has shape {start.shape}; expected ({len(edges) - 1},), a finite number that "
            "is not negative for each cell between two edges."
        )
    good = when.ndim == 1 and len(when) and np.isfinite(when).all() and when[0] >= 0
    if not (good and (np.diff(when) > 0).all()):
        raise InvalidInput(f"times = {times!r}; expected increasing numbers from zero on.")
    mass = start * np.diff(edges)
    if mass.sum() <= 0:
        raise InvalidInput("density is zero everywhere. Give a positive value in some cell.")
    mass /= mass.sum()
    cells = cells_of(found, edges, ends, u)
    fine = np.stack([_exponential(cells, t, mass) for t in when])
    pairs = np.unique(np.append(np.arange(0, len(edges), 2), len(edges) - 1))
    joined = cells_of(found, edges[pairs], ends, u)
    coarse = np.stack([_exponential(joined, t, np.add.reduceat(mass, pairs[:-1])) for t in when])
    error = np.abs(np.add.reduceat(fine, pairs[:-1], axis=1) - coarse).sum(axis=1)
    return DensityEvolution(
        times=when, centres=0.5 * (edges[1:] + edges[:-1]), density=fine / np.diff(edges),
        mass=fine.sum(axis=1), error=error,
        provenance=describe(found) | {"n_cells": len(edges) - 1, "ends": list(ends)},
    )  # fmt: skip


def _exponential(cells: Cells, t: float, mass: np.ndarray) -> np.ndarray:
    """Exp(t A) applied to the masses; A has real spectrum below zero."""
    if t == 0:
        return mass
    if cells.down[0] == 0 and cells.up[-1] == 0:  # what has settled is kept apart, free of rounding
        settled = np.exp(cells.log_weight - cells.log_weight.max())
        settled *= mass.sum() / settled.sum()
        moving = _relaxed(cells, t, mass - settled)
        return settled + moving - settled * (moving.sum() / settled.sum())
    return _relaxed(cells, t, mass)


def _relaxed(cells: Cells, t: float, mass: np.ndarray) -> np.ndarray:
    """The contour integral."""
    from scipy.linalg import solve_banded

    # Weideman and Trefethen (2007), eq. 3.2 with the optimal parameters for one time
    theta = np.pi * np.arange(1, CONTOUR, 2) / CONTOUR
    z = CONTOUR * (0.1309 - 0.1194 * theta**2 + 0.2500j * theta)
    weight = CONTOUR * (-2 * 0.1194 * theta + 0.2500j) * np.exp(z)
    total = np.zeros(len(mass))
    bands = np.zeros((3, len(mass)), complex)
    for point, w in zip(z, weight, strict=True):
        bands[0, 1:] = -t * cells.down[1:]
        bands[1] = point - t * cells.diagonal
        bands[2, :-1] = -t * cells.up[:-1]
        total += (w * solve_banded((1, 1), bands, mass.astype(complex))).imag
    return total * 2 / CONTOUR


def _halved(edges: np.ndarray) -> np.ndarray:
    middle = 0.5 * (edges[1:] + edges[:-1])
    return np.append(np.stack([edges[:-1], middle], axis=1).ravel(), edges[-1])


def _check_ends(ends: tuple[str, str]) -> None:
    if not isinstance(ends, tuple | list) or len(ends) != 2 or any(end not in ENDS for end in ends):
        raise InvalidInput(f"ends = {ends!r}; expected two of {ENDS}.")
