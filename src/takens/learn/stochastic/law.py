"""The law that a likelihood fit gives: coefficients, bands, draws, and what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, NumericalFailure
from takens.learn.stochastic.powers import term

if TYPE_CHECKING:
    import xarray as xr

    from takens.learn.stochastic.systems import PolynomialDiffusion

METHOD = "observed information"
NO_SENSOR = Estimate(value=np.nan)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StochasticLaw(AbstractResult):
    """Drift and squared noise as sums of powers, with the covariance of all coefficients.

    Parameters
    ----------
    names, units : tuple of str
        Of the variable.
    time_unit : str
    drift_powers, noise_powers : tuple of int
        Of the terms in the law.
    coefficients : array, shape (coefficient,)
        Of the drift, then of the squared noise, in units of state and time.
    covariance : array, shape (coefficient, coefficient)
        By the observed information.
    n_drift : int
        How many coefficients belong to the drift.
    log_likelihood : float
        Of all transitions.
    rivals : tuple
        Terms of other laws, and by how much their criterion is worse, where that is little.
    level : float
        Nominal coverage of the intervals.
    n_transitions : int
    dt : float
        Median time between samples.
    support : (float, float)
        Range of the data; beyond it the law is an extrapolation.
    decision : str
        Of `noise_decision`, or ``"assumed"`` when it was not asked.
    sensor : Estimate
        Standard deviation of the noise of the sensor, in state units; NaN where the law has none.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    time_unit: str
    drift_powers: tuple[int, ...]
    noise_powers: tuple[int, ...]
    coefficients: np.ndarray
    covariance: np.ndarray
    n_drift: int
    log_likelihood: float
    rivals: tuple[Any, ...]
    level: float
    n_transitions: int
    dt: float
    support: tuple[float, float]
    decision: str = "assumed"
    sensor: Estimate = NO_SENSOR

    @property
    def terms(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the terms of drift and of squared noise."""
        name = self.names[0]
        return (
            tuple(term(p, name) for p in self.drift_powers),
            tuple(term(p, name) for p in self.noise_powers),
        )

    @property
    def standard_errors(self) -> np.ndarray:
        """Of the coefficients, shape (coefficient,)."""
        return np.sqrt(np.diag(self.covariance))

    def _estimates(self, which: slice) -> tuple[Estimate, ...]:
        reach = NormalDist().inv_cdf(0.5 + self.level / 2)
        return tuple(
            Estimate(value=float(c), interval=(float(c - reach * e), float(c + reach * e)),
                     standard_error=float(e), level=self.level, method=METHOD)
            for c, e in zip(self.coefficients[which], self.standard_errors[which], strict=True)
        )  # fmt: skip

    @property
    def drift(self) -> tuple[Estimate, ...]:
        """Coefficients of the drift, one for each of its terms."""
        return self._estimates(slice(None, self.n_drift))

    @property
    def squared_noise(self) -> tuple[Estimate, ...]:
        """Coefficients of the squared noise, one for each of its terms."""
        return self._estimates(slice(self.n_drift, None))

    def drift_at(self, x: Any) -> tuple[np.ndarray, np.ndarray]:
        """The drift at states, and its standard error, each of shape (x,)."""
        return self._curve(x, self.drift_powers, slice(None, self.n_drift))

    def squared_noise_at(self, x: Any) -> tuple[np.ndarray, np.ndarray]:
        """The squared noise at states, and its standard error, each of shape (x,)."""
        return self._curve(x, self.noise_powers, slice(self.n_drift, None))

    def _curve(
        self, x: Any, powers: tuple[int, ...], which: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        at = np.atleast_1d(np.asarray(x, float))
        design = at[:, None] ** np.array(powers, float)[None] if powers else np.empty((len(at), 0))
        spread = np.einsum("xi,ij,xj->x", design, self.covariance[which, which], design)
        return design @ self.coefficients[which], np.sqrt(np.maximum(spread, 0.0))

    def system(self, coefficients: np.ndarray | None = None) -> PolynomialDiffusion:
        """The law as a system, or the same terms with other `coefficients`."""
        from takens.core.integrators import EulerMaruyama
        from takens.learn.stochastic.systems import PolynomialDiffusion

        theta = self.coefficients if coefficients is None else coefficients
        return PolynomialDiffusion(
            drift_coefficients=theta[: self.n_drift],
            noise_coefficients=theta[self.n_drift :],
            drift_powers=self.drift_powers,
            noise_powers=self.noise_powers,
            names=self.names,
            integrator=EulerMaruyama(self.dt / 10),
        )

    def draws(self, n_samples: int, *, seed: int = 0) -> Iterator[PolynomialDiffusion]:
        """Laws from the normal distribution of the estimate, those without noise left out."""
        rng = np.random.default_rng(seed)
        at = np.linspace(*self.support, 101)[:, None] ** np.array(self.noise_powers, float)
        count = 0
        for _ in range(20 * n_samples):
            theta = rng.multivariate_normal(self.coefficients, self.covariance, method="eigh")
            if (at @ theta[self.n_drift :] > 0).all():
                yield self.system(theta)
                count += 1
                if count == n_samples:
                    return

    def propagate(
        self, question: Callable[[Any], float], *, n_samples: int = 200, seed: int = 0
    ) -> Estimate:
        """What a question about the law answers, with the interval that the coefficients give it.

        Parameters
        ----------
        question : callable
            From a system to one number, such as ``lambda s: kramers_rate(s, [1], [0]).rate``.
        n_samples : int
            Draws of the coefficients.
        seed : int

        Returns
        -------
        Estimate
            Value at the estimate; quantiles of the answers to the draws as interval. A draw of which
            the question cannot be asked counts as both larger and smaller than every other.

        Raises
        ------
        InvalidInput
            If `n_samples` is below 20.
        """
        if n_samples < 20:
            raise InvalidInput(f"n_samples = {n_samples}; expected at least 20.")
        value, answers, lost = float(question(self.system())), [], 0
        for system in self.draws(n_samples, seed=seed):
            try:
                answers.append(float(question(system)))
            except (InvalidInput, NumericalFailure):
                lost += 1
        tail = (1 - self.level) / 2
        ranked = np.concatenate([np.full(lost, -np.inf), np.sort(answers), np.full(lost, np.inf)])
        low, high = np.quantile(ranked, [tail, 1 - tail], method="nearest")
        error = float(np.std(answers)) if answers else np.nan
        return Estimate(value=value, interval=(float(low), float(high)), standard_error=error,
                        level=self.level, method=f"{n_samples} draws of the coefficients")  # fmt: skip

    def summary(self) -> str:
        """The equation, and each coefficient with its interval."""
        lines = [self.equation]
        for kind, terms, estimates in zip(
            ("drift", "squared noise"), self.terms, (self.drift, self.squared_noise), strict=True
        ):
            lines += [f"{kind} {t}: {e}" for t, e in zip(terms, estimates, strict=True)]
        if self.sensor.is_finite:
            lines.append(f"sensor noise: {self.sensor}")
        lines.append(
            f"From {self.n_transitions} transitions between {self.support[0]:.4g} and "
            f"{self.support[1]:.4g}; {len(self.rivals)} rival law(s)."
        )
        return "\n".join(lines)

    @property
    def equation(self) -> str:
        """The law in one line."""
        drift, noise = (
            " + ".join(f"{c:.4g}" + ("" if t == "1" else f" {t}") for c, t in zip(cs, ts, strict=True))
            or "0"
            for cs, ts in zip(
                (self.coefficients[: self.n_drift], self.coefficients[self.n_drift :]),
                self.terms, strict=True,
            )
        )  # fmt: skip
        return f"d{self.names[0]} = ({drift}) dt + sqrt({noise}) dW".replace("+ -", "- ")

    def plot(self, ax: Any = None) -> Any:
        """Drift and squared noise over the range of the data, with their bands."""
        from takens import plot

        ax = plot.axes(ax)
        x = np.linspace(*self.support, 201)
        reach = NormalDist().inv_cdf(0.5 + self.level / 2)
        for i, (label, (value, error)) in enumerate(
            (("drift", self.drift_at(x)), ("squared noise", self.squared_noise_at(x)))
        ):
            plot.line(ax, x, value, color=plot.COLOURS[i], label=label)
            ax.fill_between(x, value - reach * error, value + reach * error,
                            color=plot.COLOURS[i], alpha=0.2, lw=0)  # fmt: skip
        return plot.labels(ax, plot.quantity(self.names[0], self.units[0]))

    def to_xarray(self) -> xr.Dataset:
        """Coefficients and their covariance."""
        import xarray as xr

        labels = [f"drift {t}" for t in self.terms[0]] + [f"noise {t}" for t in self.terms[1]]
        return xr.Dataset(
            {
                "coefficient": ("term", self.coefficients),
                "covariance": (("term", "other"), self.covariance),
            },
            {"term": labels, "other": labels},
            attrs={"equation": self.equation, "log_likelihood": self.log_likelihood},
        )
