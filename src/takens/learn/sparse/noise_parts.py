"""How much of what a law leaves is noise of the sensors, and how much moves the state."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate

if TYPE_CHECKING:
    import xarray as xr

ERROR_RATE = 0.01


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class NoiseParts(AbstractResult):
    """Both kinds of noise beside a law, column by column, and which of them the data need.

    Parameters
    ----------
    names : tuple of str
        The columns.
    sensor : tuple of Estimate
        Standard deviation of the error of one sample, in the units of the column.
    dynamical : tuple of Estimate
        Of the white noise that moves the state, in the units of the column over the root of the
        time unit; for a map, of what is added in one step.
    p_sensor, p_dynamical : float
        Of the hypotheses that there is none of a kind in any column, by likelihood ratios.
    p_linear : float
        Of the hypothesis that the law is linear, corrected for the choice among all other terms.
    """

    names: tuple[str, ...]
    sensor: tuple[Estimate, ...]
    dynamical: tuple[Estimate, ...]
    p_sensor: float
    p_dynamical: float
    p_linear: float

    @property
    def decision(self) -> str:
        """``"both"``, ``"dynamical noise"``, ``"sensor noise"`` or ``"undecided"``, at 1 %."""
        return {
            (True, True): "both", (True, False): "sensor noise",
            (False, True): "dynamical noise", (False, False): "undecided",
        }[self.p_sensor < ERROR_RATE, self.p_dynamical < ERROR_RATE]  # fmt: skip

    def summary(self) -> str:
        """The decision and both parts."""
        lines = [
            f"Noise: {self.decision}. Without sensor noise p = {self.p_sensor:.2g}, without dynamical "
            f"noise p = {self.p_dynamical:.2g}; with a linear law p = {self.p_linear:.2g}."
        ]
        lines += [
            f"{name}: sensor {sensor}, dynamics {dynamical}"
            for name, sensor, dynamical in zip(self.names, self.sensor, self.dynamical, strict=True)
        ]
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """Standard deviations with their intervals."""
        from takens.plot import axes, errorbars, labels

        ax = axes(ax)
        rows = [(f"{n}, sensor", e) for n, e in zip(self.names, self.sensor, strict=True)]
        rows += [(f"{n}, dynamics", e) for n, e in zip(self.names, self.dynamical, strict=True)]
        errorbars(ax, [name for name, _ in rows], [estimate for _, estimate in rows])
        return labels(ax, xlabel="standard deviation")

    def to_xarray(self) -> xr.Dataset:
        """Values and intervals by column."""
        import xarray as xr

        content: dict[str, Any] = {}
        for kind, found in (("sensor", self.sensor), ("dynamical", self.dynamical)):
            content[kind] = ("column", np.array([e.value for e in found]))
            content[f"{kind}_interval"] = (("column", "end"), np.array([e.interval for e in found]))
        return xr.Dataset(
            content, {"column": list(self.names), "end": ["low", "high"]},
            attrs={"decision": self.decision, "p_sensor": self.p_sensor,
                   "p_dynamical": self.p_dynamical, "p_linear": self.p_linear},
        )  # fmt: skip


def deviations(
    variance: np.ndarray, error: np.ndarray, level: float, reach: float
) -> tuple[Estimate, ...]:
    """Roots of variances, with intervals that end where those of the variances do, or at zero."""
    return tuple(
        Estimate(
            value=float(np.sqrt(v)),
            interval=(float(np.sqrt(max(v - reach * e, 0.0))), float(np.sqrt(v + reach * e))),
            level=level,
            method="average information of the variances",
        )
        for v, e in zip(variance, error, strict=True)
    )
