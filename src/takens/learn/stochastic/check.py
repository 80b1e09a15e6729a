"""Whether a diffusion gives the transitions that were seen: probability integral transforms."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, NumericalFailure, Status, WrongKind
from takens.learn.stochastic.chart import Chart
from takens.learn.stochastic.pairs import Paths, Transitions, paths_of
from takens.learn.stochastic.transition import Lattice, Side, log_kernel

if TYPE_CHECKING:
    import xarray as xr

MOST = 4000  # transitions that are transformed
LAGS = 10
ERROR_RATE = 0.01
FINE = 0.3  # spacing of the lattice, over the root of the short step
MOST_SITES = 1500


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TransitionCheck(AbstractResult):
    """Whether transitions are as likely as a diffusion says, and independent given the state.

    Parameters
    ----------
    p_value : float
        The smallest of the three below, tripled.
    p_uniform, p_memory, p_spread : float
        That transforms are uniform; that their normal scores are uncorrelated, and their squares.
    transforms : array, shape (transition,)
        The probability, under the law, of a smaller end than the one that came.
    stationary_distance : float
        Largest difference of the distribution of the samples from the stationary one of the law,
        within the range of the data; NaN where the law has none there.
    p_stationary : float
        Of that difference, with the effective number of samples; approximate.
    """

    p_value: float
    p_uniform: float
    p_memory: float
    p_spread: float
    transforms: np.ndarray
    stationary_distance: float
    p_stationary: float

    def summary(self) -> str:
        """Refused or not, and by what."""
        verdict = "refused" if self.p_value < ERROR_RATE else "not refused"
        return (
            f"The law is {verdict} (p = {self.p_value:.2g}): uniform {self.p_uniform:.2g}, memory "
            f"{self.p_memory:.2g}, changing spread {self.p_spread:.2g}. Stationary law: distance "
            f"{self.stationary_distance:.3f}, p = {self.p_stationary:.2g}."
        )

    def plot(self, ax: Any = None) -> Any:
        """Histogram of the transforms, which is flat for the true law."""
        from takens import plot

        ax = plot.axes(ax)
        ax.hist(self.transforms, bins=20, range=(0, 1), color=plot.COLOURS[0], alpha=0.6)
        ax.axhline(len(self.transforms) / 20, color=plot.COLOURS[1], lw=1)
        return plot.labels(ax, "probability integral transform", "transitions")

    def to_xarray(self) -> xr.Dataset:
        """The transforms, with the p-values as attributes."""
        import xarray as xr

        names = ("p_value", "p_uniform", "p_memory", "p_spread", "stationary_distance")
        return xr.Dataset(
            {"transform": ("transition", self.transforms)},
            attrs={name: getattr(self, name) for name in names},
        )


def transition_check(system: Any, data: Any) -> TransitionCheck:
    r"""Test a diffusion on a line against the transitions of data.

    Each transition is turned into :math:`u_i = P(X_{t_{i+1}} < x_{i+1} \mid X_{t_i} = x_i)` by the exact
    density at its own step. For the true law these are uniform (Kolmogorov and Smirnov) and
    independent (Ljung and Box, on normal scores and on their squares).

    Parameters
    ----------
    system : AbstractDiffusion
        Of one component, without dependence on time: learned or known.
    data : Recording, Trajectory, array, table or path
        One column.

    Returns
    -------
    TransitionCheck
        With status `NOT_APPLICABLE` and a caution where the law is refused at 1 %.

    Raises
    ------
    WrongKind
        If the system is no diffusion of one component.
    InvalidInput
        If the data cannot be used, or the noise vanishes where they lie.
    NumericalFailure
        If the density does not come out normalised.

    Notes
    -----
    Where the law was fitted to the same data the test of uniformity is mild, that of memory hardly.
    A second hidden variable, noise of the sensor, jumps and inputs all show as memory or spread. At
    most 4,000 transitions, the first ones, are used.

    References
    ----------
    Rosenblatt, Ann. Math. Stat. 23, 470 (1952); Hong and Li, Rev. Financ. Stud. 18, 37 (2005).

    Examples
    --------
    >>> from takens.systems import OrnsteinUhlenbeck
    >>> rng, x = np.random.default_rng(0), [0.0]
    >>> for kick in 0.9298735 * rng.normal(size=2000):  # dX = -X dt + sqrt(2) dW, every 1
    ...     x.append(np.exp(-1.0) * x[-1] + kick)
    >>> bool(transition_check(OrnsteinUhlenbeck(noise=2**0.5), np.array(x)).p_value > 0.01)
    True
    """
    from takens.core.system import AbstractDiffusion

    if not isinstance(system, AbstractDiffusion) or system.dim != 1:
        raise WrongKind(
            f"{type(system).__name__} was given; expected a diffusion of one component. Pass "
            "`fit.model`, or one of `takens.systems`."
        )
    return checked(system, paths_of(data, (1,)))


def checked(system: Any, paths: Paths) -> TransitionCheck:
    """The check behind the door."""
    from scipy.stats import chi2, kstest, norm

    u, stationary = _transforms(system, paths)
    score = norm.ppf(np.clip(u, 1e-12, 1 - 1e-12))
    ps = [float(kstest(u, "uniform").pvalue)]
    for series in (score, score**2):
        centred = series - series.mean()
        r = np.array([np.sum(centred[k:] * centred[:-k]) for k in range(1, LAGS + 1)])
        r /= np.sum(centred**2)
        n = len(series)
        box = n * (n + 2) * np.sum(r**2 / (n - np.arange(1, LAGS + 1)))
        ps.append(float(chi2.sf(box, LAGS)))
    p_value = min(1.0, 3 * min(ps))
    cautions = list(paths.findings)
    if p_value < ERROR_RATE:
        what = ("transitions are not distributed as it says", "errors remember earlier ones",
                "the size of errors remembers earlier ones")[int(np.argmin(ps))]  # fmt: skip
        cautions.append(Finding(
            code="law-refused", text=f"The law is refused (p = {p_value:.2g}): {what}.",
            action="One variable without memory may not be enough: look for a second variable, an input, "
            "noise of the sensor (`noise_decision`) or jumps (`jump_test`).", level="serious",
        ))  # fmt: skip
    return TransitionCheck(
        p_value=p_value, p_uniform=ps[0], p_memory=ps[1], p_spread=ps[2], transforms=u,
        stationary_distance=stationary[0], p_stationary=stationary[1],
        status=Status.OK if p_value >= ERROR_RATE else Status.NOT_APPLICABLE,
        cautions=tuple(cautions),
        provenance={"system": type(system).__name__, "n_transitions": len(u)},
    )  # fmt: skip


def _functions(system: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drift and squared noise at states; filled up to a power of two, so that little is compiled."""
    from takens.learn.stochastic.systems import drift_and_square

    filled = np.full(1 << int(len(x) - 1).bit_length(), x[0])
    filled[: len(x)] = x
    drift, square = drift_and_square(system, filled)
    return np.asarray(drift)[: len(x)], np.asarray(square)[: len(x)]


def _transforms(system: Any, paths: Paths) -> tuple[np.ndarray, tuple[float, float]]:
    pairs = paths.transitions()
    kept = slice(None, MOST)
    pairs = Transitions(start=pairs.start[kept], end=pairs.end[kept], dt=pairs.dt[kept],
                        origin=pairs.origin[kept])  # fmt: skip
    x, place = np.unique(np.concatenate([pairs.start[:, 0], pairs.end[:, 0]]), return_inverse=True)
    drift, square = _functions(system, x)
    if not (np.isfinite(drift).all() and (square > 0).all()):
        raise InvalidInput(
            "The law has no drift, or no noise, at some of the samples. Take data within its support."
        )
    rough = Chart.over(x, 64)
    slope = np.abs(rough.by_x(_functions(system, rough.x)[0]))
    pace = 1 / max(float(np.quantile(rough.values_at(x) @ slope, 0.9)), 1e-12)
    short = min(0.3 * pace, 0.5 * float(np.quantile(pairs.dt, 0.05)))
    wide = float(np.sum(np.diff(x) / np.sqrt(square[1:])))
    short = max(short, (wide / (FINE * MOST_SITES)) ** 2)

    def root(at: np.ndarray) -> np.ndarray:
        found = np.sqrt(_functions(system, at)[1])
        return np.where(np.isfinite(found) & (found > 0), found, 1e-3 * np.sqrt(square.max()))

    n = len(pairs)
    lattice = Lattice.of(x, place[:n], place[n:], pairs.dt, short, root, spacing=FINE)
    sides = lattice.sides(*_functions(system, lattice.chart.x))
    if sides is None or not len(lattice.grid):
        raise NumericalFailure("The law has no density next to the data. Check its noise there.")
    rows = [_cumulative(lattice, *sides, np.arange(i, min(i + 1000, n))) for i in range(0, n, 1000)]
    return np.concatenate(rows), _stationary(lattice, *sides, paths)


def _cumulative(lattice: Lattice, points: Side, grid: Side, rows: np.ndarray) -> np.ndarray:
    """Probability below the end of each transition, by sums over the lattice."""
    dt, sites = lattice.dt[rows], np.arange(len(lattice.grid))
    inner = np.maximum(np.round(dt / lattice.short).astype(int) - 1, 0)
    start, here = points.take(lattice.start[rows][:, None]), grid.take(sites[None])
    weight = lattice.sites * np.exp(-grid.log_noise)
    with np.errstate(over="ignore", invalid="ignore"):
        mass = np.exp(log_kernel(start, here, (dt - inner * lattice.short)[:, None])) * weight
        across = np.exp(log_kernel(grid.take(sites[:, None]), here, np.array(lattice.short)))
        across = across * weight
        for k in range(int(inner.max())):
            more = inner > k
            mass[more] = mass[more] @ across
        mass = mass * np.exp(here.phi - start.phi - 0.5 * here.log_noise + 0.5 * start.log_noise)
    total = mass.sum(axis=1)
    if not (np.isfinite(total).all() and np.median(np.abs(total - 1)) < 0.02):
        raise NumericalFailure(
            f"The transition density integrates to {np.median(total):.3f}. Check drift and noise of the "
            "law next to the data."
        )
    middle = (np.cumsum(mass, axis=1) - 0.5 * mass) / total[:, None]
    end = lattice.points[lattice.end[rows]]
    return np.array([np.interp(e, lattice.grid, m) for e, m in zip(end, middle, strict=True)])


def _stationary(lattice: Lattice, points: Side, grid: Side, paths: Paths) -> tuple[float, float]:
    """Distance of the samples from the stationary law within their range, and its p-value."""
    from scipy.stats import kstwo

    from takens.learn.stochastic.pairs import memory

    log_density = 2 * grid.phi - 2 * grid.log_noise
    density = np.exp(log_density - log_density.max())
    x = np.sort(paths.values[:, 0])
    inside = (lattice.grid >= x[0]) & (lattice.grid <= x[-1])
    if inside.sum() < 5 or max(density[inside][[0, -1]]) > 0.2 * density[inside].max():
        return float("nan"), float("nan")
    mass = np.where(inside, density * lattice.sites, 0.0)
    law = np.interp(x, lattice.grid, (np.cumsum(mass) - 0.5 * mass) / mass.sum())
    distance = float(np.abs(law - (np.arange(len(x)) + 0.5) / len(x)).max())
    r = float(np.clip(memory(paths)[0], 0.0, 0.9999))
    effective = max(len(x) * (1 - r) / (1 + r), 2.0)
    return distance, float(kstwo.sf(distance, int(np.ceil(effective))))
