"""The answer of a search for a partial differential equation."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate
from takens.learn.partial.terms import PDETerm, label

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PDELaw(AbstractResult):
    """Terms of a partial differential equation, their coefficients, and how sure each one is.

    Parameters
    ----------
    components, axes, inputs : tuple of str
    terms : tuple of PDETerm
        All candidates.
    coefficients : array, shape (term, component)
        Zero where a term is not in the law; a column of NaN where no sparse law is supported.
    standard_errors : array, shape (term, component)
        Of the coefficients, given the terms; NaN outside the law.
    inclusion : array, shape (term, component)
        Weight, by the extended Bayesian criterion, of the laws with this term among all laws that
        were compared: near 1 for a term that no competitor lacks.
    noise : array, shape (component,)
        Standard deviation of the noise in a cell, in units of the component.
    dispersion : array, shape (component,)
        Mean square of the whitened residual: 1 where noise explains it, more where the law or the
        noise model lacks something.
    explained : array, shape (component,)
        Share of the rate of change beyond noise that the law accounts for.
    half_widths : tuple of float
        Of the test functions, in units of time and length, time first.
    n_tests : int
        Test functions over all records.
    level : float
        Of the intervals.
    """

    components: tuple[str, ...]
    axes: tuple[str, ...]
    terms: tuple[PDETerm, ...]
    coefficients: np.ndarray
    standard_errors: np.ndarray
    inclusion: np.ndarray
    noise: np.ndarray
    dispersion: np.ndarray
    explained: np.ndarray
    half_widths: tuple[float, ...]
    n_tests: int
    level: float = 0.9
    inputs: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of all candidates, such as ``(u^2)_x``."""
        return tuple(term.name(self.components + self.inputs, self.axes) for term in self.terms)

    @property
    def included(self) -> np.ndarray:
        """Which term stands in which equation: (term, component)."""
        return np.asarray(np.isfinite(self.standard_errors))

    def estimate(self, term: str, component: str | None = None) -> Estimate:
        """Coefficient of a term by name, with its interval; zero without an interval if left out."""
        i = self.names.index(term)
        c = 0 if component is None else self.components.index(component)
        return self._estimate(i, c)

    def _estimate(self, i: int, c: int) -> Estimate:
        from scipy.special import ndtri

        value, error = float(self.coefficients[i, c]), float(self.standard_errors[i, c])
        half = float(ndtri(0.5 + self.level / 2)) * error
        return Estimate(
            value=value,
            interval=(value - half, value + half),
            standard_error=error,
            level=self.level,
            method="weak residual under independent noise in every cell, terms given",
        )

    def equations(self, digits: int = 4) -> tuple[str, ...]:
        """Every equation as text, such as ``u_t = -0.5 (u^2)_x + 0.1 u_xx``."""
        lines = []
        for c, component in enumerate(map(label, self.components)):
            if np.isnan(self.coefficients[:, c]).any():
                lines.append(f"{component}_t = ? (no sparse law is supported)")
                continue
            text = ""
            for i in np.flatnonzero(self.included[:, c]):
                value = self.coefficients[i, c]
                sign = "-" if value < 0 else ("+" if text else "")
                name = "" if self.names[i] == "1" else f" {self.names[i]}"
                gap = " " if text else ""
                text += f"{gap}{sign}{gap}{abs(value):.{digits}g}{name}"
            lines.append(f"{component}_t = {text or '0'}")
        return tuple(lines)

    def summary(self) -> str:
        """Equations, then every coefficient with its interval."""
        lines = list(self.equations())
        for c, component in enumerate(self.components):
            for i in np.flatnonzero(self.included[:, c]):
                lines.append(
                    f"  {component}_t, {self.names[i]}: {self._estimate(i, c)}, "
                    f"inclusion {self.inclusion[i, c]:.2f}"
                )
            lines.append(
                f"  {component}: noise {self.noise[c]:.3g} in a cell, {self.explained[c]:.1%} of the "
                f"rate explained, residual {self.dispersion[c]:.2f} times the noise's"
            )
        lines.append(f"  {self.n_tests} test functions among {len(self.terms)} candidate terms")
        if self.status.value:
            lines.append(f"  {self.status.value}")
        return "\n".join([*lines, *map(str, self.cautions)])

    def plot(self, ax: Any = None) -> Any:
        """Coefficients in the law with their intervals."""
        from takens import plot

        ax = plot.axes(ax)
        places = [
            (i, c) for c in range(len(self.components)) for i in np.flatnonzero(self.included[:, c])
        ]
        names = [f"{self.components[c]}: {self.names[i]}" for i, c in places]
        plot.errorbars(
            ax, names or ["none"], [self._estimate(*p) for p in places] or [Estimate(value=np.nan)]
        )
        return plot.labels(ax, "coefficient", "", "Learned law")

    def to_xarray(self) -> xr.Dataset:
        """Arrays over ``term`` and ``component``."""
        import xarray as xr

        both = ("term", "component")
        return xr.Dataset(
            {
                "coefficient": (both, self.coefficients),
                "standard_error": (both, self.standard_errors),
                "inclusion": (both, self.inclusion),
                "noise": ("component", self.noise),
                "dispersion": ("component", self.dispersion),
                "explained": ("component", self.explained),
            },
            {"term": list(self.names), "component": list(self.components)},
            attrs={"status": self.status.name, "n_tests": self.n_tests, "level": self.level},
        )
