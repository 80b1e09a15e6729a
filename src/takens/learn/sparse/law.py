"""Equations with error bars: what sparse identification reports."""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Status
from takens.learn.sparse.noise_parts import NoiseParts
from takens.learn.terms.tree import quoted

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AbstractLaw(AbstractResult):
    r"""Coefficients of candidate terms, :math:`\dot x_i = \sum_k W_{ki} \theta_k(x)`, with errors.

    Parameters
    ----------
    kind : {"flow", "map"}
        Whether the left side is a rate of change or the next value.
    order : int
        Of the derivative by time on the left side of a flow; two for a mechanical law.
    names : tuple of str
        The columns, one equation for each.
    terms : tuple of str
        The candidates.
    coefficients, standard_errors : array, shape (term, dim)
        In units of the column over those of the term, and the time unit for a flow. Zero where the
        data do not support a term, then without an error; NaN where no law is supported at all.
        A coefficient that was given has an error of zero.
    covariance : array, shape (p, p)
        Of the coefficients that are not zero, equation by equation.
    n_samples : int
    level : float
        Of the intervals.
    n_lower : int
        How many of the candidates, the last ones, stand below the stroke of a quotient, where they
        are added to one; their names begin with the stroke.
    """

    kind: str
    names: tuple[str, ...]
    terms: tuple[str, ...]
    coefficients: np.ndarray
    standard_errors: np.ndarray
    covariance: np.ndarray
    n_samples: int
    level: float = 0.95
    order: int = 1
    n_lower: int = 0

    @property
    @abc.abstractmethod
    def method(self) -> str:
        """Where the intervals come from."""

    @property
    def support(self) -> np.ndarray:
        """Which term stands in which equation, (term, dim)."""
        return np.asarray(np.nan_to_num(self.coefficients) != 0)

    def interval(self, k: int, i: int) -> tuple[float, float]:
        """Of term `k` in equation `i`, symmetric about the coefficient."""
        value = float(self.coefficients[k, i])
        width = quantile(self.level) * float(self.standard_errors[k, i])
        return value - width, value + width

    def coefficient(self, term: str, equation: str) -> Estimate:
        """One coefficient with its interval; zero, without one, where the term does not stand."""
        k, i = self.terms.index(term), self.names.index(equation)
        value, error = float(self.coefficients[k, i]), float(self.standard_errors[k, i])
        if not self.support[k, i]:
            return Estimate(value=value, level=self.level, method="not selected")
        return Estimate(
            value=value,
            interval=self.interval(k, i),
            standard_error=error,
            level=self.level,
            method=self.method if error > 0 else "given",
        )

    def left(self, name: str) -> str:
        """The left side of the equation of a column, such as ``dx/dt``."""
        name = quoted(name)
        if self.kind == "map":
            return f"{name}[n+1]"
        power = f"^{self.order}" if self.order > 1 else ""
        return f"d{power}{name}/dt{power}"

    @property
    def equations(self) -> tuple[str, ...]:
        """One line for each column, every coefficient with its standard error."""
        lines = []
        upper = len(self.terms) - self.n_lower
        for i, name in enumerate(self.names):
            if np.isnan(self.coefficients[:, i]).any():
                lines.append(f"{self.left(name)} = ? (no sparse law is supported)")
                continue
            right = self._sum(i, range(upper)) or "0"
            lower = self._sum(i, range(upper, len(self.terms)))
            if lower:
                right = f"({right})/(1 + {lower})".replace("+ -", "- ")
            lines.append(f"{self.left(name)} = {right}")
        return tuple(lines)

    def _sum(self, i: int, chosen: range) -> str:
        parts = [
            f"{_with_error(self.coefficients[k, i], self.standard_errors[k, i])} "
            f"{self.terms[k].removeprefix('/')}"
            for k in chosen
            if self.support[k, i]
        ]
        return " + ".join(p.removesuffix(" 1") for p in parts).replace("+ -", "- ")

    @abc.abstractmethod
    def by_equation(self) -> dict[str, np.ndarray]:
        """Numbers that the result holds for every equation, by name."""

    def plot(self, ax: Any = None) -> Any:
        """The interval of every coefficient that stands, over the coefficient."""
        from takens.plot import axes, errorbars, labels

        ax = axes(ax)
        names, shares = [], []
        for i, k in np.argwhere(self.support.T):
            found = self.coefficient(self.terms[k], self.names[i])
            name = self.left(self.names[i])
            names.append(f"{name}: {found.value:.4g} {self.terms[k]}".removesuffix(" 1"))
            width = (found.interval[1] - found.value) / abs(found.value)
            shares.append(Estimate(value=1.0, interval=(1 - width, 1 + width), level=self.level))
        if shares and self.status is Status.OK:
            errorbars(ax, names, shares)
        return labels(ax, xlabel=f"{self.level:.0%} interval over the coefficient")

    def to_xarray(self) -> xr.Dataset:
        """Coefficients and errors by term and equation."""
        import xarray as xr

        return xr.Dataset(
            {
                "coefficient": (("term", "equation"), self.coefficients),
                "standard_error": (("term", "equation"), self.standard_errors),
                **{name: ("equation", values) for name, values in self.by_equation().items()},
            },
            coords={"term": list(self.terms), "equation": list(self.names)},
            attrs={"kind": self.kind, "n_samples": self.n_samples, "level": self.level},
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Law(AbstractLaw):
    r"""A law found together with the orbits that follow it; see `takens.learn.SINDy`.

    Parameters
    ----------
    measurement_noise : array, shape (dim,)
        Standard deviation of what the orbits leave of the data, in the units of the columns.
    explained : array, shape (dim,)
        Share of the variance of each column that the orbits hold.
    memory : array, shape (dim,)
        Correlation of residuals one sample apart; near zero if the law leaves noise alone.
    price : float
        What one coefficient had to be worth; see `takens.learn.SINDy`.
    path : tuple of (int, float)
        Number of coefficients and criterion of the sets of terms that were passed.
    noise : NoiseParts, optional
        Noise of both kinds, where the orbits of the law are moved by noise in the dynamics. The
        orbits of the fields above are then those that are moved, and `memory` is the largest
        correlation of forecast errors of one sample.
    """

    measurement_noise: np.ndarray
    explained: np.ndarray
    memory: np.ndarray
    price: float
    path: tuple[tuple[int, float], ...]
    noise: NoiseParts | None = None

    @property
    def method(self) -> str:
        """Gauss-Newton, or generalised least squares."""
        if self.noise is not None:
            return "generalised least squares with the covariance of both kinds of noise"
        return "curvature of the misfit at its minimum"

    def by_equation(self) -> dict[str, np.ndarray]:
        """What the orbits leave of each column."""
        return {
            "measurement_noise": self.measurement_noise,
            "explained": self.explained,
            "memory": self.memory,
        }

    def summary(self) -> str:
        """The equations, or why there are none."""
        if self.status is not Status.OK:
            return self.status.value
        noise = ", ".join(
            f"{n} {s:.2g}" for n, s in zip(self.names, self.measurement_noise, strict=True)
        )
        held = float(self.explained.min())
        lines = [
            *self.equations,
            f"{int(self.support.sum())} of {self.support.size} coefficients, {self.n_samples} "
            f"samples; in brackets the standard error of the last digits.",
        ]
        if self.noise is not None:
            return "\n".join([*lines, *self.noise.summary().splitlines()])
        lines.append(
            f"Noise left in the data: {noise}; the orbits hold at least {held:.2%} of each variance."
        )
        return "\n".join(lines)


def quantile(level: float) -> float:
    """Standard errors on either side of a value that an interval of this level reaches."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2))


def _with_error(value: float, error: float) -> str:
    """``-9.978(12)``: two digits of the error stand for the last two of the value."""
    if not (np.isfinite(value) and error > 0):
        return f"{value:.4g}"
    digits = 1 - int(np.floor(np.log10(error)))
    if digits < 0 or digits > 12:
        return f"{value:.6g}({error:.2g})"
    return f"{value:.{digits}f}({round(error * 10**digits)})"
