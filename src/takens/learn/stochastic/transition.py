r"""Transition densities of a diffusion on a line, to any accuracy and at any time step.

In the coordinate :math:`y = \int dx / b(x)` the noise is one (Lamperti), and the density is that of
Brownian motion times :math:`e^{\Phi(y) - \Phi(y_0)}` times the mean over bridges of
:math:`\exp \int \lambda(y_s) ds`, with the drift :math:`\mu` of y, :math:`\Phi' = \mu` and
:math:`\lambda = -(\mu^2 + \mu') / 2`. For a short step that mean is
:math:`\exp(h_1 \delta + h_2 \delta^2 + O(\delta^3))` in closed form (Ait-Sahalia, Econometrica 70, 223,
2002, eq. 2.14, in logarithms); a long step is composed of short ones by sums over a lattice, which for
such smooth functions converge exponentially. Stationarity plays no part.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from takens.learn.stochastic.chart import Chart

Function = Callable[[np.ndarray], np.ndarray]

NEAR = 0.05  # of the root of the step: closer than this the limit of equal ends is taken
SPACING = 0.55  # of the lattice, over the root of the short step: sums are exact to 1e-7
MOST_MASS = 1.1  # of a probability; more shows that the series diverges


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """What a density needs to know of a set of points: arrays of shape (point,).

    Parameters
    ----------
    y : array
        The coordinate in which the noise is one.
    phi : array
        Integral of drift over squared noise.
    total : array
        Integral of lambda over y.
    rate, tilt, bend, fourth : array
        Lambda and its first, second and fourth derivative by y.
    log_noise : array
        Logarithm of the noise b.
    """

    y: np.ndarray
    phi: np.ndarray
    total: np.ndarray
    rate: np.ndarray
    tilt: np.ndarray
    bend: np.ndarray
    fourth: np.ndarray
    log_noise: np.ndarray

    def take(self, index: np.ndarray) -> Side:
        """Some of the points, in any shape."""
        return Side(**{f.name: getattr(self, f.name)[index] for f in dataclasses.fields(self)})


def log_kernel(a: Side, b: Side, step: np.ndarray) -> np.ndarray:
    """Logarithm of the propagator from `a` to `b`, without the factors of phi and of the noise."""
    z = b.y - a.y
    near = np.abs(z) < NEAR * np.sqrt(step)
    safe = np.where(near, 1.0, z)
    middle = 0.5 * (a.rate + b.rate)
    bend = 0.5 * (a.bend + b.bend)
    first = np.where(near, middle - bend * z**2 / 12, (b.total - a.total) / safe)
    second = np.where(near, bend / 12, (middle - first) / safe**2)
    # Third order: exact where lambda is a parabola (Mehler) and for equal ends; bounded, since far
    # out on the lattice the series has no meaning.
    third = (a.tilt**2 + b.tilt**2) / 90 + 7 * a.tilt * b.tilt / 360
    third = step**3 * (third + (a.fourth + b.fourth) / 480)
    series = step * (first + step * second) + third / (1 + np.abs(third))
    return -0.5 * np.log(2 * np.pi * step) - z**2 / (2 * step) + series


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lattice:
    """The fixed geometry of many transitions; the law is given with each question.

    Parameters
    ----------
    chart : Chart
    points : array, shape (point,)
        States from and to which transitions go.
    start, end : array of int, shape (pair,)
        Rows of `points`.
    dt : array, shape (pair,)
    short : float
        Longest step for which the closed form is used.
    grid : array, shape (site,)
        States over which long steps are summed; empty when there are none.
    to_points, to_grid : tuple of array
        Matrices of values and of integrals from the nodes of the chart.
    sites : array, shape (site,)
        Derivative of x by the number of the site.
    """

    chart: Chart
    points: np.ndarray
    start: np.ndarray
    end: np.ndarray
    dt: np.ndarray
    short: float
    grid: np.ndarray
    to_points: tuple[np.ndarray, np.ndarray]
    to_grid: tuple[np.ndarray, np.ndarray]
    sites: np.ndarray

    @classmethod
    def of(
        cls, points: np.ndarray, start: np.ndarray, end: np.ndarray, dt: np.ndarray,
        short: float, noise: Function, count: int = 64, spacing: float = SPACING,
    ) -> Lattice:  # fmt: skip
        """For a law whose noise is about `noise`, in state units per root of time."""
        long = float(dt.max()) > short * (1 + 1e-9)
        reach = 5 * np.sqrt(min(float(dt.max()), 4 * short)) if long else 0.0
        ends = np.array([points.min(), points.max()])
        margins = reach * noise(ends)
        chart = Chart.over(points, count, *margins)
        grid = np.empty(0)
        sites = np.empty(0)
        if long:
            inverse = chart.dx_ds / noise(chart.x)
            fine = np.linspace(chart.low, chart.high, 2000)
            x_fine = np.exp(fine) if chart.logarithmic else fine
            y_fine = chart.integral_to(x_fine) @ inverse
            n_sites = int(np.ceil(y_fine[-1] / (spacing * np.sqrt(short)))) + 1
            s = np.interp(np.linspace(0, y_fine[-1], n_sites), y_fine, fine)
            for _ in range(3):  # Newton's steps to even spacing in y, on which the sums rely
                x = np.exp(s) if chart.logarithmic else s
                target = np.linspace(0, y_fine[-1], n_sites)
                s = s - (chart.integral_to(x) @ inverse - target) / (chart.values_at(x) @ inverse)
                s = np.clip(s, chart.low, chart.high)
            grid = np.exp(s) if chart.logarithmic else s
            # Spacing of the sites, as the derivative of a smooth map: x changes by b dy.
            sites = y_fine[-1] / (n_sites - 1) / (chart.values_at(grid) @ inverse)
            sites = sites * (grid if chart.logarithmic else 1.0)
        return cls(
            chart=chart, points=points, start=start, end=end, dt=dt, short=short, grid=grid,
            to_points=(chart.values_at(points), chart.integral_to(points)),
            to_grid=(chart.values_at(grid), chart.integral_to(grid)),
            sites=sites,
        )  # fmt: skip

    def sides(self, drift: np.ndarray, square: np.ndarray) -> tuple[Side, Side] | None:
        """The points and the lattice under a law given at the nodes; None if noise is missing."""
        chart = self.chart
        if not (np.isfinite(drift).all() and (square > 0).all()):
            return None
        noise = np.sqrt(square)
        first = chart.by_x(square)
        slip = drift - first / 4
        mean = slip / noise
        along = chart.by_x(slip) - slip * first / (2 * square)
        rate = -0.5 * (mean**2 + along)
        tilt = noise * chart.by_x(rate)
        bend = noise * chart.by_x(tilt)
        fourth = noise * chart.by_x(noise * chart.by_x(bend))
        integrands = np.stack([1 / noise, drift / square, rate / noise], axis=1)
        plain = np.stack([rate, tilt, bend, fourth, np.log(noise)], axis=1)
        made = []
        for values, integral in (self.to_points, self.to_grid):
            y, phi, total = (integral @ (integrands * chart.dx_ds[:, None])).T
            made.append(Side(y=y, phi=phi, total=total, **dict(
                zip(("rate", "tilt", "bend", "fourth", "log_noise"), (values @ plain).T, strict=True)
            )))  # fmt: skip
        return made[0], made[1]

    def log_density(self, drift: np.ndarray, square: np.ndarray) -> np.ndarray | None:
        """Of each transition, per state unit, from the law at the nodes; None if impossible."""
        sides = self.sides(drift, square)
        if sides is None:
            return None
        points, grid = sides
        a, b = points.take(self.start), points.take(self.end)
        ends = b.phi - a.phi - 1.5 * b.log_noise + 0.5 * a.log_noise
        long = self.dt > self.short * (1 + 1e-9)
        if len(self.grid) and not self._mass(points, grid) < MOST_MASS:
            return None
        out = np.empty(len(self.dt))
        if not long.all():
            few = np.flatnonzero(~long)
            out[few] = log_kernel(a.take(few), b.take(few), self.dt[few])
        for chunk in _chunks(np.flatnonzero(long)):
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # NaN is refused
                out[chunk] = self._composed(a.take(chunk), b.take(chunk), grid, self.dt[chunk])
        return out + ends

    def _mass(self, points: Side, grid: Side) -> float:
        """Largest total probability after two short steps from a few samples: 1 if all is well.

        Where the noise comes close to zero on the rim of the lattice the series can diverge.
        """
        some = np.unique(np.linspace(0, len(self.points) - 1, 16).astype(int))
        every = np.arange(len(self.grid))
        start, here = points.take(some[:, None]), grid.take(every[None])
        step = np.array(self.short)
        with np.errstate(over="ignore", invalid="ignore"):
            weight = self.sites * np.exp(-grid.log_noise)
            first = np.exp(log_kernel(start, here, step)) * weight
            across = np.exp(log_kernel(grid.take(every[:, None]), here, step)) * weight
            # Density of x is that of y over the noise; with the factors of both ends.
            tilt = here.phi - start.phi - 0.5 * here.log_noise + 0.5 * start.log_noise
            return float(((first @ across) * np.exp(tilt)).sum(axis=1).max())

    def _composed(self, a: Side, b: Side, grid: Side, dt: np.ndarray) -> np.ndarray:
        """Two outer steps of one length and as many short ones between them as are needed."""
        inner = np.maximum(np.ceil(dt / self.short - 1e-9).astype(int) - 2, 0)
        outer = ((dt - inner * self.short) / 2)[:, None]
        every = np.arange(len(self.grid))
        weight = self.sites * np.exp(-grid.log_noise)
        here, rows = grid.take(every[None]), np.arange(len(dt))[:, None]
        forward = np.exp(log_kernel(a.take(rows), here, outer)) * weight
        if inner.max() > 0:
            across = np.exp(log_kernel(grid.take(every[:, None]), here, np.array(self.short)))
            across = across * weight
            for k in range(int(inner.max())):
                more = inner > k
                forward[more] = forward[more] @ across
        back = np.exp(log_kernel(here, b.take(rows), outer))
        return np.asarray(np.log((forward * back).sum(axis=1)))


def _chunks(index: np.ndarray, size: int = 2000) -> list[np.ndarray]:
    return [index[i : i + size] for i in range(0, len(index), size)]
