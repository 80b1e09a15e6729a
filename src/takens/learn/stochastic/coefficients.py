"""The table that the Kramers-Moyal estimate gives: drift and noise over the states visited."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class KramersMoyalCoefficients(AbstractResult):
    r"""Drift and squared noise at the nodes of a grid, each with its standard error.

    Off the region of support, where too few visits were seen, every number is NaN.

    Parameters
    ----------
    names, units : tuple of str
        Of the components.
    time_unit : str
    axes : tuple of array, each (node,)
        Nodes of each component, in its unit.
    drift, drift_error : array, shape (node, ..., dim)
        :math:`D_1` and its standard error, state units per time unit.
    squared_noise, squared_noise_error : array, shape (node, ..., dim, dim)
        :math:`b b^\top = 2 D_2` and its standard error, squared state units per time unit.
    effective : array, shape (node, ...)
        Effective number of starts under the kernel, :math:`(\sum w)^2 / \sum w^2`.
    visits : array of int, shape (node, ...)
        How often the record entered the kernel: a measure of the *independent* evidence.
    widths : array, shape (2, dim)
        Half-width of the kernel for drift and for noise, in state units.
    level : float
        Nominal coverage of the pointwise intervals.
    dt : float
        Median time between samples.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    time_unit: str
    axes: tuple[np.ndarray, ...]
    drift: np.ndarray
    drift_error: np.ndarray
    squared_noise: np.ndarray
    squared_noise_error: np.ndarray
    effective: np.ndarray
    visits: np.ndarray
    widths: np.ndarray
    level: float
    dt: float

    @property
    def supported(self) -> np.ndarray:
        """Which nodes have numbers, shape (node, ...)."""
        return np.isfinite(self.drift).all(axis=-1)

    def _reach(self) -> float:
        from statistics import NormalDist

        return NormalDist().inv_cdf(0.5 + self.level / 2)

    @property
    def drift_interval(self) -> np.ndarray:
        """Lower and upper end at `level`, pointwise, shape (2, node, ..., dim)."""
        reach = self._reach() * self.drift_error
        return np.stack([self.drift - reach, self.drift + reach])

    @property
    def squared_noise_interval(self) -> np.ndarray:
        """Lower and upper end at `level`, pointwise, shape (2, node, ..., dim, dim)."""
        reach = self._reach() * self.squared_noise_error
        return np.stack([self.squared_noise - reach, self.squared_noise + reach])

    def summary(self) -> str:
        """Region of support, and typical size and error of both functions."""
        kept = self.supported
        where = []
        for i, (name, axis) in enumerate(zip(self.names, self.axes, strict=True)):
            other = tuple(j for j in range(kept.ndim) if j != i)
            seen = axis[kept.any(axis=other)]
            where.append(f"{name} from {seen.min():.4g} to {seen.max():.4g}")
        drift = np.median(np.abs(self.drift[kept])), np.median(self.drift_error[kept])
        noise = (np.median(np.abs(self.squared_noise[kept])),
                 np.median(self.squared_noise_error[kept]))  # fmt: skip
        return (
            f"Drift and noise over {', '.join(where)}, at {kept.sum()} of {kept.size} nodes. Typical "
            f"drift {drift[0]:.3g} with a standard error of {drift[1]:.2g}; squared noise "
            f"{noise[0]:.3g} with {noise[1]:.2g}. At the median node {np.median(self.visits[kept]):.0f} "
            "visits."
        )

    def plot(self, ax: Any = None) -> Any:
        """Drift of the first component with its band; with two components, an image of it."""
        from takens import plot

        ax = plot.axes(ax)
        name, unit = self.names[0], f"{self.units[0] or '1'} / {self.time_unit}"
        label = plot.quantity(f"drift of {name}", unit if unit != "1 / 1" else "")
        first = plot.quantity(name, self.units[0])
        if len(self.names) == 2:
            plot.heat(ax, *self.axes, self.drift[..., 0].T, label=label, diverging=True)
            return plot.labels(ax, first, plot.quantity(self.names[1], self.units[1]))
        low, high = self.drift_interval[..., 0]
        plot.line(ax, self.axes[0], self.drift[:, 0], color=plot.COLOURS[0], label="drift")
        ax.fill_between(self.axes[0], low, high, color=plot.COLOURS[0], alpha=0.2, lw=0)
        low, high = self.squared_noise_interval[..., 0, 0]
        noise = self.squared_noise[:, 0, 0]
        plot.line(ax, self.axes[0], noise, color=plot.COLOURS[1], label="squared noise")
        ax.fill_between(self.axes[0], low, high, color=plot.COLOURS[1], alpha=0.2, lw=0)
        return plot.labels(ax, first, label)

    def to_xarray(self) -> xr.Dataset:
        """Both functions, their errors, and the evidence under each node."""
        import xarray as xr

        nodes = self.names
        return xr.Dataset(
            {
                "drift": ((*nodes, "component"), self.drift),
                "drift_error": ((*nodes, "component"), self.drift_error),
                "squared_noise": ((*nodes, "component", "other"), self.squared_noise),
                "squared_noise_error": ((*nodes, "component", "other"), self.squared_noise_error),
                "effective": (nodes, self.effective),
                "visits": (nodes, self.visits),
            },
            dict(zip(self.names, self.axes, strict=True))
            | {"component": list(self.names), "other": list(self.names)},
            attrs={"level": self.level, "dt": self.dt, "time_unit": self.time_unit},
        )
