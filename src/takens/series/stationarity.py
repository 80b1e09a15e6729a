"""Stationarity: whether the record wanders, drifts, or changes its variance."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, Status, require
from takens.series.embedding import autocorrelation
from takens.series.observable import observable
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_LIMIT = 20_000
_MOST_BRIDGED = 0.15  # share of interpolated samples up to which variances are compared
_N_BLOCKS = 10
# MacKinnon (1996) asymptotic quantiles of the Dickey-Fuller t statistic with a constant.
_DF_LEVELS = np.array([0.01, 0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975, 0.99])
_DF_QUANTILES = np.array([-3.43, -3.12, -2.86, -2.57, -1.57, -0.44, -0.07, 0.23, 0.60])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Stationarity(AbstractResult):
    """Tests of stationarity of one record.

    Parameters
    ----------
    unit_root_statistic, unit_root_p : float
        Augmented Dickey-Fuller t statistic and p-value; the null is a random walk, so a *large*
        p-value means that a random walk cannot be ruled out.
    kpss_statistic : float
        Kwiatkowski-Phillips-Schmidt-Shin statistic; above 0.739 level stationarity is rejected at
        1 %.
    drift, drift_p : float
        Linear change over the record in standard deviations, and its p-value with
        autocorrelation-corrected errors.
    variance_ratio, variance_p : float
        Largest over smallest block variance, and the p-value of equal variances (Levene's test on
        blocks, with the effective number of samples).
    block_means, block_deviations : array, shape (n_blocks,)
        In standard deviations of the record.
    correlation_time : float
        Integrated autocorrelation time, in time units.
    time_unit : str
        Unit of time.
    """

    unit_root_statistic: float
    unit_root_p: float
    kpss_statistic: float
    drift: float
    drift_p: float
    variance_ratio: float
    variance_p: float
    block_means: np.ndarray
    block_deviations: np.ndarray
    correlation_time: float
    time_unit: str

    @property
    def wanders(self) -> bool:
        """A random walk is not ruled out at 5 % *and* level stationarity is rejected at 1 %."""
        return bool(self.unit_root_p > 0.05 and self.kpss_statistic > 0.739)

    @property
    def drifts(self) -> bool:
        """A linear drift of at least one standard deviation, significant at 1 %."""
        return bool(self.drift_p < 0.01 and abs(self.drift) > 1)

    @property
    def changes_variance(self) -> bool:
        """Block variances grow or shrink along the record, as well as differ (`uneven`).

        A variance that waxes and wanes, as of bursts or volatility, is a stationary possibility.
        """
        order = np.arange(len(self.block_deviations)) - (len(self.block_deviations) - 1) / 2
        size = np.log(np.maximum(self.block_deviations, 1e-9))
        trend = np.corrcoef(order, size)[0, 1] if size.std() > 0 else 0.0
        return bool(self.uneven and abs(trend) > 0.8)

    @property
    def uneven(self) -> bool:
        """Block variances differ by more than a factor of 4, significantly at 0.1 %."""
        return bool(self.variance_p < 0.001 and self.variance_ratio > 4)

    def summary(self) -> str:
        """The three answers in words."""
        if self.status is not Status.OK:
            return f"stationarity: no answer ({self.status.value})"
        found = [
            word
            for word, true in (
                ("a random walk is not ruled out", self.wanders),
                (f"a drift of {self.drift:.3g} standard deviations", self.drifts),
                (f"a variance that changes by a factor {_short(self.variance_ratio)}", self.uneven),
            )
            if true
        ]
        return "stationarity: " + ("; ".join(found) or "no sign of wandering, drift or change")

    def plot(self, ax: Any = None) -> Any:
        """Block means with their standard deviations."""
        from takens import plot

        ax = plot.axes(ax)
        blocks = np.arange(1, len(self.block_means) + 1)
        ax.errorbar(blocks, self.block_means, yerr=self.block_deviations, fmt="o")
        plot.labels(ax, xlabel="block", ylabel="mean and deviation (standard deviations)")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Block means and deviations with the tests' numbers as attributes."""
        import xarray as xr

        return xr.Dataset(
            {"mean": ("block", self.block_means), "deviation": ("block", self.block_deviations)},
            attrs={
                "unit_root_p": self.unit_root_p,
                "drift_p": self.drift_p,
                "variance_p": self.variance_p,
                "kpss": self.kpss_statistic,
            },
        )


def _short(ratio: float) -> str:
    """Two digits, without an exponent up to a million."""
    return f"{float(f'{ratio:.2g}'):g}"


def dickey_fuller(x: np.ndarray, n_lags: int) -> tuple[float, float]:
    """Augmented Dickey-Fuller t statistic with a constant, and its asymptotic p-value.

    Regression of the increments on the previous value, a constant and `n_lags` lagged increments.
    The p-value is interpolated between MacKinnon's quantiles and clipped to 0.001 ... 0.999.
    """
    step = np.diff(x)
    rows = len(step) - n_lags
    columns = [x[n_lags:-1], np.ones(rows)]
    columns += [step[n_lags - i : len(step) - i] for i in range(1, n_lags + 1)]
    design, target = np.stack(columns, axis=1), step[n_lags:]
    gram = design.T @ design
    gram[np.diag_indices_from(gram)] *= 1 + 1e-12
    inverse = np.linalg.pinv(gram)
    weights = inverse @ (design.T @ target)
    residual = target - design @ weights
    variance = float(residual @ residual) / max(rows - design.shape[1], 1)
    error = np.sqrt(max(variance * inverse[0, 0], 0.0))
    if error == 0:
        return -np.inf, 0.001
    statistic = float(weights[0] / error)
    z = np.interp(statistic, _DF_QUANTILES, np.log(_DF_LEVELS / (1 - _DF_LEVELS)))
    if statistic < _DF_QUANTILES[0]:
        z += 2.0 * (statistic - _DF_QUANTILES[0])
    elif statistic > _DF_QUANTILES[-1]:
        z += 2.0 * (statistic - _DF_QUANTILES[-1])
    return statistic, float(np.clip(1 / (1 + np.exp(-z)), 0.001, 0.999))


def kpss(x: np.ndarray, n_lags: int) -> float:
    """KPSS level-stationarity statistic with Bartlett weights up to `n_lags`."""
    centred = x - x.mean()
    n = len(x)
    correlation = autocorrelation(x, n_lags) * float(centred @ centred) / n
    weights = 1 - np.arange(1, n_lags + 1) / (n_lags + 1)
    long_run = correlation[0] + 2 * float(weights @ correlation[1:])
    return float(np.sum(np.cumsum(centred) ** 2) / n**2 / max(long_run, 1e-300))


def _correlation_time(x: np.ndarray) -> float:
    """Integrated autocorrelation time in samples, with Sokal's window."""
    correlation = autocorrelation(x, len(x) // 3)
    total = 2 * np.cumsum(correlation) - 1
    window = np.arange(len(total)) >= 5 * np.maximum(total, 1)
    return float(max(1.0, total[int(np.argmax(window))] if window.any() else total[-1]))


@checked
def stationarity(data: Any, *, throw: bool = True) -> Stationarity:
    """Unit root, drift, and change of variance of a record.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        For several columns the first principal component; the longest gap-free stretch is used.
    throw : bool
        Raise where the record is too short; else the values are NaN.

    Returns
    -------
    Stationarity

    Raises
    ------
    NumericalFailure
        If the stretch is shorter than 50 samples, and `throw`.

    Notes
    -----
    Passing all tests does *not* prove stationarity: a slow oscillation seen for one period looks
    like a drift, and a change in dynamics at equal mean and variance is not seen. Cost: O(N log N),
    at most 20,000 samples (evenly thinned above).

    References
    ----------
    Said and Dickey (1984), Biometrika 71, 599; MacKinnon (1996), J. Appl. Econometrics 11, 601;
    Kwiatkowski et al. (1992), J. Econometrics 54, 159; Levene (1960).

    Examples
    --------
    >>> import numpy as np
    >>> walk = np.cumsum(np.random.default_rng(1).normal(size=1000))
    >>> stationarity(walk).wanders
    True
    """
    from scipy.special import fdtrc, ndtr

    view = observable(data)
    whole = view.longest
    thin = max(1, -(-len(whole) // _LIMIT))
    x = whole[::thin]
    blocks = np.array_split(x, _N_BLOCKS)
    means, deviations = np.array([b.mean() for b in blocks]), np.array([b.std() for b in blocks])
    nan = float("nan")
    if len(x) < 50 or x.std() < 1e-12:
        status = Status.TOO_SHORT if len(x) < 50 else Status.NOT_APPLICABLE
        require(status, throw=throw)
        return Stationarity(
            unit_root_statistic=nan,
            unit_root_p=nan,
            kpss_statistic=nan,
            drift=nan,
            drift_p=nan,
            variance_ratio=nan,
            variance_p=nan,
            block_means=means,
            block_deviations=deviations,
            correlation_time=nan,
            time_unit=view.time_unit,
            status=status,
            cautions=view.findings,
        )
    n_lags = int(min(12 * (len(x) / 100) ** 0.25, len(x) // 5))
    statistic, p_root = dickey_fuller(x, n_lags)
    memory = _correlation_time(x)
    time = np.linspace(-0.5, 0.5, len(x))
    slope = float(time @ (x - x.mean()) / (time @ time))
    residual = x - x.mean() - slope * time
    # The memory of what is left: the drift itself would look like an endless memory.
    effective = max(len(x) / _correlation_time(residual), 3.0)
    error = residual.std() / np.sqrt(effective / 12)
    drift_p = float(2 * ndtr(-abs(slope) / max(error, 1e-300)))
    spread = [np.abs(b - np.median(b)) for b in blocks]
    scale = np.array([s.mean() for s in spread])
    inner = np.concatenate([s - s.mean() for s in spread])
    within = float(np.mean(inner**2))
    per_block = max(len(x) / _correlation_time(inner) / _N_BLOCKS, 1.0)
    between = per_block * float(np.var(scale, ddof=1))
    freedom = max(_N_BLOCKS * (per_block - 1), 1.0)
    variance_p = float(fdtrc(_N_BLOCKS - 1, freedom, between / max(within, 1e-300)))
    cautions = list(view.findings)
    if view.bridged > _MOST_BRIDGED:  # false alarms at 40 % missing: one half instead of 5 %
        variance_p = nan
        cautions.append(
            Finding(
                "variance-not-tested",
                f"{view.bridged:.0%} of the samples were missing and are interpolated, which lowers "
                "the variance here and there.",
                "The variance is not tested. Give a stretch with fewer missing samples.",
            )
        )
    total = max(float(x.std()), 1e-300)
    found = Stationarity(
        unit_root_statistic=statistic,
        unit_root_p=p_root,
        kpss_statistic=kpss(x, n_lags),
        drift=slope / total,
        drift_p=drift_p,
        variance_ratio=float((deviations.max() / max(deviations.min(), 1e-9)) ** 2),
        variance_p=variance_p,
        block_means=(means - x.mean()) / total,
        block_deviations=deviations / total,
        correlation_time=memory * thin * view.dt,
        time_unit=view.time_unit,
        cautions=tuple(cautions),
        provenance={"n_samples": len(x), "n_lags": n_lags},
    )
    if not found.uneven:
        return found
    caution = Finding(
        "uneven-variance",
        f"The variance of ten blocks of the record differs by a factor {_short(found.variance_ratio)}.",
        "Averages over the whole record mix calm and stormy stretches.",
    )
    return dataclasses.replace(found, cautions=(*found.cautions, caution))
