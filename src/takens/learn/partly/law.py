"""What was found of a half-known system: parameters and missing terms, with error bars."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Status
from takens.learn.partly.identifiability import Identifiability

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PartlyKnownLaw(AbstractResult):
    """Numbers of a half-known system, and how far its orbits follow the data.

    Parameters
    ----------
    unknown : str
        What was allowed beside the known part.
    names : tuple of str
        Columns.
    equations : tuple of str
        As `takens.learn.PartlyKnownFlow.equations` shows them.
    parameters : tuple of str
        Free parameters of the known part.
    values, standard_errors : array, shape (parameter,)
        NaN where the data cannot tell.
    labels : tuple of str
        Missing parts that were found, such as ``"x*y in dx/dt"``.
    numbers, number_errors : array, shape (label,)
    covariance : array, shape (parameter + label, parameter + label)
    identifiability : Identifiability
    measurement_noise : array, shape (dim,)
        Standard deviation of what the orbits leave of the data, in the units of the columns.
    explained : array, shape (dim,)
        Share of the variance of each column that the orbits hold.
    whiteness : float
        Probability of residuals as correlated as these (Ljung and Box, pooled over the columns), or
        as large beside the sixth differences of the data, if they were noise.
    criterion : float
        Minus twice the log-likelihood plus the price of the numbers; lower is better.
    n_samples : int
    freedom : float
        Degrees of freedom of the residuals.
    level : float
        Of the intervals, which have Student's distribution.
    """

    unknown: str
    names: tuple[str, ...]
    equations: tuple[str, ...]
    parameters: tuple[str, ...]
    values: np.ndarray
    standard_errors: np.ndarray
    labels: tuple[str, ...]
    numbers: np.ndarray
    number_errors: np.ndarray
    covariance: np.ndarray
    identifiability: Identifiability
    measurement_noise: np.ndarray
    explained: np.ndarray
    whiteness: float
    criterion: float
    n_samples: int
    freedom: float
    level: float = 0.95

    def parameter(self, name: str) -> Estimate:
        """One free parameter with its interval; NaN where the data cannot tell."""
        k = self.parameters.index(name)
        return self._estimate(self.values[k], self.standard_errors[k])

    def number(self, label: str) -> Estimate:
        """The number of one missing part, by its label; zero, without interval, if not found."""
        if label not in self.labels:
            return Estimate(value=0.0, level=self.level, method="not selected")
        k = self.labels.index(label)
        return self._estimate(self.numbers[k], self.number_errors[k])

    def _estimate(self, value: float, error: float) -> Estimate:
        from scipy.special import stdtrit

        width = float(stdtrit(self.freedom, 0.5 + self.level / 2)) * float(error)
        return Estimate(
            value=float(value),
            interval=(float(value) - width, float(value) + width),
            standard_error=float(error),
            level=self.level,
            method="curvature of the misfit at its minimum",
        )

    def summary(self) -> str:
        """Equations, numbers with intervals, noise."""
        if self.status not in (Status.OK, Status.NOT_IDENTIFIABLE):
            return self.status.value
        noise = ", ".join(
            f"{n} {s:.2g}" for n, s in zip(self.names, self.measurement_noise, strict=True)
        )
        found = [f"{n} = {self.parameter(n)}" for n in self.parameters]
        found += [f"{label}: {self.number(label)}" for label in self.labels]
        return "\n".join([
            *self.equations,
            *found,
            f"Beside the known part: {self.unknown}. {self.n_samples} samples; the orbits hold at "
            f"least {float(self.explained.min()):.2%} of each variance.",
            f"Left of the data: {noise}; noise would be as correlated, or as large, with "
            f"probability {self.whiteness:.2g}.",
            *(f"{finding}" for finding in self.cautions),
        ])  # fmt: skip

    def plot(self, ax: Any = None) -> Any:
        """The interval of every number, over the number."""
        from takens.plot import axes, errorbars, labels

        ax = axes(ax)
        names, shares = [], []
        pairs = [(n, self.parameter(n)) for n in self.parameters]
        pairs += [(label, self.number(label)) for label in self.labels]
        for name, found in pairs:
            if np.isfinite(found.interval).all() and found.value != 0:
                width = (found.interval[1] - found.value) / abs(found.value)
                names.append(f"{name}: {found.value:.4g}")
                shares.append(
                    Estimate(value=1.0, interval=(1 - width, 1 + width), level=self.level)
                )
        if shares:
            errorbars(ax, names, shares)
        return labels(ax, xlabel=f"{self.level:.0%} interval over the number")

    def to_xarray(self) -> xr.Dataset:
        """Parameters, missing parts and noise."""
        import xarray as xr

        return xr.Dataset(
            {
                "value": ("parameter", self.values),
                "standard_error": ("parameter", self.standard_errors),
                "number": ("label", self.numbers),
                "number_error": ("label", self.number_errors),
                "measurement_noise": ("equation", self.measurement_noise),
                "explained": ("equation", self.explained),
            },
            coords={
                "parameter": list(self.parameters),
                "label": list(self.labels),
                "equation": list(self.names),
            },
            attrs={
                "unknown": self.unknown,
                "whiteness": self.whiteness,
                "criterion": self.criterion,
                "n_samples": self.n_samples,
                "level": self.level,
            },
        )
