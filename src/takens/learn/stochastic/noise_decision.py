"""Whether the noise of a record is in the motion, in the sensor, or in both."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, NumericalFailure
from takens.learn.stochastic.filtering import Filtered, Seen
from takens.learn.stochastic.likelihood import Support, chosen, climb, curvature
from takens.learn.stochastic.pairs import Paths, paths_of, refuse_coarse
from takens.learn.stochastic.powers import Scaled, noise_choices, relaxation, started

if TYPE_CHECKING:
    import xarray as xr

LAGS = 12
ERROR_RATE = 0.01


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class NoiseDecision(AbstractResult):
    """Which of two kinds of noise a record of one variable needs, by likelihood ratios.

    Parameters
    ----------
    decision : str
        ``"dynamical noise"``, ``"sensor noise"``, ``"both"``, or ``"undecided"`` where either alone
        would do.
    p_sensor, p_dynamical : float
        Of the hypotheses that there is no sensor noise, and that there is no dynamical noise.
    sensor : Estimate
        Standard deviation of the sensor noise in the law with both, in state units.
    log_likelihoods : array, shape (3,)
        Of the laws with dynamical noise, with sensor noise, and with both.
    lags : array, shape (lag,)
        In time units.
    signature : array, shape (lag,)
        Mean squared increment over each lag, in squared state units.
    intercept : float
        The signature extrapolated to lag zero: twice the variance of the sensor noise.
    law : tuple
        Powers of drift and squared noise, coefficients (the sensor's variance last), covariance.
    """

    decision: str
    p_sensor: float
    p_dynamical: float
    sensor: Estimate
    log_likelihoods: np.ndarray
    lags: np.ndarray
    signature: np.ndarray
    intercept: float
    law: tuple[Any, ...]

    def summary(self) -> str:
        """The decision and what it rests on."""
        return (
            f"Noise: {self.decision}. Without sensor noise p = {self.p_sensor:.2g}, without dynamical "
            f"noise p = {self.p_dynamical:.2g}; standard deviation of the sensor noise {self.sensor}."
        )

    def plot(self, ax: Any = None) -> Any:
        """The signature: squared increments over lags, and their intercept."""
        from takens import plot

        ax = plot.axes(ax)
        ax.plot(self.lags, self.signature, "o", color=plot.COLOURS[0], label="squared increment")
        ax.plot([0], [self.intercept], "s", color=plot.COLOURS[1], label="intercept")
        ax.set_ylim(bottom=min(0.0, self.intercept))
        return plot.labels(ax, "lag", "mean squared increment")

    def to_xarray(self) -> xr.Dataset:
        """The signature, with the decision as attributes."""
        import xarray as xr

        return xr.Dataset(
            {"signature": ("lag", self.signature)}, {"lag": self.lags},
            attrs={"decision": self.decision, "p_sensor": self.p_sensor,
                   "p_dynamical": self.p_dynamical, "intercept": self.intercept},
        )  # fmt: skip


def noise_decision(data: Any, *, degree: int = 3, noise_degree: int = 2) -> NoiseDecision:
    r"""Decide whether the noise of a record moves the state, or only its reading, or both.

    With :math:`z_i = x_{t_i} + s \epsilon_i` and :math:`dx = f(x) dt + b(x) dW`, the likelihood of all
    samples comes from a Gaussian filter (exact where f is linear and b constant, else of second
    order). The terms of f and b are chosen with both noises present; then either is taken away.

    Parameters
    ----------
    data : Recording, Trajectory, array, table or path
        One column; irregular times, missing values and several records are used as they are.
    degree, noise_degree : int
        Largest powers tried in the drift and in the squared noise.

    Returns
    -------
    NoiseDecision
        The signature plot beside it shows the same without a model: squared increments fall to
        zero with the lag, unless a sensor adds :math:`2 s^2` to each.

    Raises
    ------
    InvalidInput
        If there is more than one column, fewer than 100 transitions, a constant column, or
        successive samples are not correlated.
    NumericalFailure
        If no law has a likelihood.

    Notes
    -----
    p-values are those of a likelihood ratio at an edge, half a chi-squared; decisions are made at
    1 %. Motion faster than the sampling, jumps and a hidden second variable can look like sensor
    noise. Cost: a few thousand passes of a compiled filter, a microsecond a sample.

    References
    ----------
    Jazwinski, Stochastic Processes and Filtering Theory (1970), section 9.4; Zhang, Mykland and
    Ait-Sahalia, J. Am. Stat. Assoc. 100, 1394 (2005), for the signature plot; Self and Liang, J. Am.
    Stat. Assoc. 82, 605 (1987), case 5.

    Examples
    --------
    >>> rng, x = np.random.default_rng(0), [0.0]
    >>> for kick in 0.31 * rng.normal(size=999):  # dX = -X dt + dW, seen every 0.1
    ...     x.append(np.exp(-0.1) * x[-1] + kick)
    >>> noise_decision(np.array(x) + 0.5 * rng.normal(size=1000)).decision
    'both'
    """
    paths = paths_of(data, (1,))
    refuse_coarse(paths)
    for name, value in (("degree", degree), ("noise_degree", noise_degree)):
        if not isinstance(value, int) or not 0 <= value <= 5:
            raise InvalidInput(f"{name} = {value!r}; expected a whole number from 0 to 5.")
    from takens.learn.stochastic.diffusion_law import DiffusionLaw

    return decided(paths, DiffusionLaw(degree=degree, noise_degree=noise_degree))


def decided(paths: Paths, settings: Any) -> NoiseDecision:
    """The decision with the candidates of a `DiffusionLaw`."""
    lags, signature, intercept = _signature(paths)
    scaled, seen, choices = _setting(paths, settings)
    problem = Filtered(seen=seen)
    level = max(0.5 * intercept, 0.02 * float(signature[0]))
    pairs = paths.transitions(3)
    found = chosen(
        problem,
        lambda s: np.append(np.concatenate(started(pairs, scaled, s)), level),
        lambda s: np.append(scaled.size(pairs)(s), level),
        choices, tuple(range(len(scaled.drift_powers))), settings.drift_powers is not None,
    )  # fmt: skip
    if not found:
        raise NumericalFailure(
            "No law has a finite likelihood on these data. Look at them for jumps or outliers."
        )
    _, support, both = found[0]
    information = curvature(seen.density(support), both)
    values, ps = _without(seen, support, both.theta, both.value)
    needs = ps < ERROR_RATE
    decision = {(True, True): "both", (True, False): "sensor noise",
                (False, True): "dynamical noise", (False, False): "undecided"}  # fmt: skip
    units = np.append(scaled.units(support), 1.0)
    covariance = np.linalg.pinv(information) / np.outer(units, units)
    powers = (tuple(scaled.drift_powers[c] for c in support.drift),
              tuple(scaled.noise_powers[c] for c in support.noise))  # fmt: skip
    return NoiseDecision(
        decision=decision[bool(needs[0]), bool(needs[1])],
        p_sensor=float(ps[0]), p_dynamical=float(ps[1]),
        sensor=_deviation(both.theta[-1], covariance[-1, -1]), log_likelihoods=values,
        lags=lags, signature=signature, intercept=intercept,
        law=(*powers, both.theta / units, covariance), cautions=paths.findings,
        provenance={"degree": settings.degree, "noise_degree": settings.noise_degree,
                    "n_samples": len(seen.z)},
    )  # fmt: skip


def _setting(paths: Paths, settings: Any) -> tuple[Scaled, Seen, list[tuple[int, ...]]]:
    x, pairs = paths.values[:, 0], paths.transitions(3)
    scaled = Scaled.of(settings, x)
    pace = relaxation(scaled, *started(pairs, scaled, None), pairs.start[:, 0], 0.9)
    return scaled, Seen.of(paths, scaled, pace), noise_choices(settings, scaled, x)


def _signature(paths: Paths) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean squared increments over lags, and a parabola through the first six at lag zero."""
    lags, values = [], []
    for lag in range(1, LAGS + 1):
        pair = paths.transitions(lag)
        if len(pair):
            lags.append(float(pair.dt.mean()))
            values.append(float(np.mean((pair.end - pair.start) ** 2)))
    curve = np.polynomial.Polynomial.fit(lags[:6], values[:6], min(2, len(lags) - 1))
    return np.array(lags), np.array(values), float(curve(0.0))


def _without(
    seen: Seen, support: Support, theta: np.ndarray, value: float
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihoods without sensor, without dynamical noise and with both; p of the first two."""
    from scipy.stats import chi2

    count = len(support.drift)
    values = []
    for noise, sensor, start in (
        (True, False, theta[:-1]),
        (False, True, np.append(theta[:count], max(theta[-1], 1e-3 * float(np.var(seen.z))))),
    ):
        peak = climb(seen.density(support, noise=noise, sensor=sensor), start,
                     np.abs(start) + 1e-3 * np.abs(start).max())  # fmt: skip
        values.append(-np.inf if peak is None else peak.value)
    gain = 2 * np.maximum(value - np.array(values), 0.0)
    return np.array([*values, value]), 0.5 * chi2.sf(gain, [1, len(support.noise)])


def _deviation(variance: float, error: float) -> Estimate:
    """The root of a variance with its 95 % interval."""
    reach = 1.96 * np.sqrt(max(error, 0.0))
    low, high = max(variance - reach, 0.0), max(variance + reach, 0.0)
    value = float(np.sqrt(max(variance, 0.0)))
    return Estimate(value=value, interval=(float(np.sqrt(low)), float(np.sqrt(high))),
                    level=0.95, method="observed information of the variance")  # fmt: skip
