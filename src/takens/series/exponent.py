"""Largest Lyapunov exponent of a record, over an ensemble of settings and blocks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, Status, require
from takens.series.embedding import Embedding, embedding, vectors_of
from takens.series.local_exponents import growth_ensemble
from takens.series.observable import Observable, neighbours, observable, time_name
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_NOISE_DOUBT = 2.0  # standard error, in shares of the exponent, for each unit of noise level
_DISSENT = 2.0  # ratio of the two estimates, tangent maps and divergence, that is no longer scatter


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LargestLyapunov(AbstractResult):
    """Largest Lyapunov exponent with what it implies, and the divergence curve beside it.

    Parameters
    ----------
    exponent : Estimate
        Per time unit, natural logarithm.
    doubling_time : Estimate
        ``ln 2 / exponent`` in time units; NaN unless the whole interval is positive.
    prediction_horizon : Estimate
        Time for an error of the size of the noise (at least 0.1 % of the spread) to reach 40 % of
        the spread.
    values : array, shape (n_settings, n_blocks)
        The exponent for each setting and block of the record.
    settings : array, shape (n_settings, 4)
        Dimension, delay, neighbours, degree of the local map.
    lags : array, shape (n_lags,)
        Time since a pair of neighbours was found, in time units.
    divergence : array, shape (n_curves, n_lags)
        Mean logarithm of the distance of neighbours, in standard deviations.
    divergence_slope : float
        Sustained slope of the curve of the largest dimension, per time unit: an
        independent, cruder check.
    noise_level : float
        Upper bound on observational noise, as a share of the standard deviation.
    time_unit : str
        Unit of time.
    """

    exponent: Estimate
    doubling_time: Estimate
    prediction_horizon: Estimate
    values: np.ndarray
    settings: np.ndarray
    lags: np.ndarray
    divergence: np.ndarray
    divergence_slope: float
    noise_level: float
    time_unit: str

    @property
    def certain_growth(self) -> float:
        """What tangent vectors grow by at the least, whatever their rate; per time unit.

        Of the better half of the settings: the smaller of the median of the lower ends of 90 %
        intervals from blocks alone, and the smallest mean. Positive: the sign is certain although
        the settings disagree on the size.
        """
        from scipy.special import stdtrit

        half = self.values[: -(-len(self.values) // 2)]
        half = half[np.isfinite(half).sum(axis=1) > 1]
        if not len(half):
            return float("nan")
        count, means = np.isfinite(half).sum(axis=1), np.nanmean(half, axis=1)
        error = np.nanstd(half, axis=1, ddof=1) / np.sqrt(count)
        return float(min(np.median(means - stdtrit(count - 1, 0.95) * error), means.min()))

    def summary(self) -> str:
        """The exponent, the doubling time and the horizon."""
        if not self.exponent.is_finite:
            return f"largest Lyapunov exponent: none ({self.status.value})"
        return (
            f"largest Lyapunov exponent: {self.exponent}; doubling time {self.doubling_time}; "
            f"prediction horizon {self.prediction_horizon}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Divergence curves with the slope of the estimate."""
        from takens import plot

        ax = plot.axes(ax)
        ax.plot(self.lags, self.divergence.T, lw=1)
        plot.labels(ax, xlabel=f"time ({self.time_unit})", ylabel="mean log distance")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Values over settings and blocks, and the divergence curves."""
        import xarray as xr

        return xr.Dataset(
            {
                "value": (("setting", "block"), self.values),
                "divergence": (("curve", "lag"), self.divergence),
                "settings": (("setting", "which"), self.settings),
            },
            {"lag": self.lags, "which": ["dimension", "delay", "neighbours", "degree"]},
            attrs={
                "exponent": self.exponent.value,
                "low": self.exponent.interval[0],
                "high": self.exponent.interval[1],
                "unit": self.exponent.unit,
            },
        )


def divergence_curve(
    view: Observable,
    dimension: int,
    delay: int,
    theiler: int,
    n_lags: int,
    *,
    max_references: int = 2000,
) -> np.ndarray:
    """Mean log distance of nearest neighbours as they are followed, shape (n_lags + 1,).

    Rosenstein, Collins and De Luca (1993), Physica D 65, 117, eq. 13, with the distance measured in
    the newest coordinates only and pairs followed for the whole span.
    """
    vectors = vectors_of(view, dimension, delay)
    last = vectors.successors(n_lags)
    usable = np.flatnonzero(last >= 0)
    if len(usable) < 50:
        return np.full(n_lags + 1, np.nan)
    library = usable[:: max(1, -(-len(usable) // 20_000))]
    refs = usable[:: max(1, -(-len(usable) // max_references))]
    _, which = neighbours(
        vectors.points[library],
        vectors.clock[library],
        vectors.points[refs],
        vectors.clock[refs],
        k=1,
        theiler=theiler,
    )
    seen = which[:, 0] >= 0
    a, b = refs[seen], library[which[seen, 0]]
    p, curve = vectors.n_components, np.full(n_lags + 1, np.nan)
    for lag in range(n_lags + 1):
        later, other = vectors.after(a, lag), vectors.after(b, lag)
        both = (later >= 0) & (other >= 0)
        gap = np.linalg.norm(
            vectors.points[later[both], :p] - vectors.points[other[both], :p], axis=1
        )
        positive = gap[gap > 1e-13]
        if positive.size > 20:
            curve[lag] = float(np.mean(np.log(positive)))
    return curve


def _steepest(curve: np.ndarray, lags: np.ndarray) -> float:
    """Largest slope over a window of at least a fifth of the rise to the plateau."""
    good = np.isfinite(curve)
    if good.sum() < 6:
        return float("nan")
    lags, curve = lags[good], curve[good]
    plateau = float(np.median(curve[-max(3, len(curve) // 5) :]))
    reached = np.flatnonzero(curve > curve[0] + 0.7 * (plateau - curve[0]))
    end = int(reached[0]) + 1 if reached.size else len(curve)
    if end < 4:
        return float("nan")
    start = end // 5
    slope = np.polyfit(lags[start:end], curve[start:end], 1)[0]
    return float(slope)


def _combine(
    values: np.ndarray, noise: float, drift: float, slope: float, level: float, unit: str
) -> Estimate:
    """Median over the better half of the settings; interval from blocks, these and the slope.

    The worse half fits noise or curvature, and says nothing on the error of the better one.
    """
    from scipy.special import stdtrit

    known = np.isfinite(values).all(axis=0)  # blocks that every setting has answered
    values = values[:, known] if known.any() else values
    centres = np.array([float(np.mean(row[np.isfinite(row)])) for row in values])
    leading = slice(0, -(-len(centres) // 2))  # sorted by misfit: the better half of the settings
    centre = float(np.median(centres[leading]))
    n = int(known.sum())
    sampling = 0.0
    if n > 1:
        sampling = float(np.std(np.median(values[leading], axis=0), ddof=1) / np.sqrt(n))
    compared = centres[leading] if len(centres[leading]) > 1 else centres
    method = float(np.std(compared, ddof=1)) if len(compared) > 1 else 0.0
    if np.isfinite(slope) and slope > 0:
        method = float(np.hypot(method, 0.5 * (slope - centre)))
    doubt = _NOISE_DOUBT * noise * abs(centre)
    error = float(np.sqrt(sampling**2 + method**2 + doubt**2 + drift**2))
    half = float(stdtrit(max(n - 1, 1), 0.5 + level / 2)) * error
    return Estimate(
        value=centre,
        interval=(centre - half, centre + half),
        standard_error=error,
        level=level,
        unit=unit,
        method=f"{n} blocks x {len(centres)} settings",
    )


def _reconcile(exponent: Estimate, slope: float) -> tuple[Estimate, list[Finding]]:
    """Stretch the interval to the slope of the divergence curve where the two differ grossly."""
    value = exponent.value
    if not (np.isfinite(slope) and value > 0 and slope > 0):
        return exponent, []
    if 1 / _DISSENT <= value / slope <= _DISSENT:
        return exponent, []
    low, high = exponent.interval
    wider = dataclasses.replace(exponent, interval=(min(low, slope), max(high, slope)))
    return wider, [
        Finding(
            "exponents-disagree",
            f"The tangent maps give {value:.3g}, the divergence of neighbours {slope:.3g} "
            f"{exponent.unit}; the interval reaches to both.",
            "Local maps that are fitted to noise or to too few neighbours grow too fast; measure "
            "longer, or more of the state.",
        )
    ]


def _derived(exponent: Estimate, noise: float, unit: str) -> tuple[Estimate, Estimate]:
    low, high = exponent.interval
    none = Estimate(value=float("nan"), unit=unit, level=exponent.level)
    if not (np.isfinite(low) and low > 0):
        return none, none

    def over(amount: float, method: str) -> Estimate:
        return Estimate(
            value=amount / exponent.value,
            interval=(amount / high, amount / low),
            level=exponent.level,
            unit=unit,
            method=method,
        )

    gain = float(np.log(0.4 / min(max(noise, 1e-3), 0.2)))
    return over(float(np.log(2)), "from the exponent"), over(gain, "from exponent and noise bound")


@checked
def largest_lyapunov(
    data: Any,
    *,
    settings: Embedding | None = None,
    level: float = 0.9,
    quick: bool = False,
    seed: int = 0,
    throw: bool = True,
) -> LargestLyapunov:
    r"""Largest Lyapunov exponent by tangent dynamics along the observed orbit.

    Local linear and quadratic maps are fitted at the points of the orbit (`tangent_maps`), a
    generic tangent vector is pushed through them, and its mean logarithmic growth per unit time is
    the exponent,

    .. math:: \lambda = \lim_{n} \frac{1}{n\,\tau\,dt} \sum_{j=1}^{n} \ln \lVert J_j v_j \rVert .

    The estimate is the median over the settings (of the embedding ensemble and the local maps)
    whose local fits are in the better half; the interval joins the spread over ten blocks of
    the record (sampling), over these settings and half the distance to the slope of the divergence
    curve (method), and an allowance of twice the noise level for the bias that noise causes.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
    settings : Embedding, optional
        Made from `data` when not given.
    level : float
        Nominal coverage of the interval.
    quick : bool
        Half the reference points, quadratic maps only.
    seed : int
        For the first tangent vector.
    throw : bool
        Raise where there is no answer; else the value is NaN and `status` says why.

    Returns
    -------
    LargestLyapunov
        Exponent in 1 / `time_unit`.

    Raises
    ------
    NumericalFailure
        If the record is too short, and `throw`.

    Notes
    -----
    A positive exponent of noise is *not* chaos: the estimator assumes determinism, which has to be
    tested first (`kind_of_motion` does). Observational noise biases it; `noise_level` bounds the
    noise. Cost: O(settings * references * neighbours * features^2), under a second at 10,000
    samples, bounded for longer records.

    References
    ----------
    Eckmann, Oliffson Kamphorst, Ruelle and Ciliberto (1986), Phys. Rev. A 34, 4971; Brown, Bryant
    and Abarbanel (1991), Phys. Rev. A 43, 2787 (local quadratic maps); Rosenstein, Collins and De
    Luca (1993), Physica D 65, 117 (the divergence curve).

    Examples
    --------
    >>> import numpy as np
    >>> x = np.empty(2000)
    >>> x[0] = 0.3
    >>> for n in range(1999):
    ...     x[n + 1] = 3.9 * x[n] * (1 - x[n])
    >>> result = largest_lyapunov(x)
    >>> bool(0.45 < result.exponent.value < 0.55)
    True
    """
    view = observable(data)
    chosen = embedding(view) if settings is None else settings
    unit = f"1/{view.time_unit}" if view.time_unit != "1" else "1/step"
    values, used, noise, drift = growth_ensemble(view, chosen, quick, np.random.default_rng(seed))
    status = Status.OK if len(values) else Status.TOO_SHORT
    require(status, throw=throw)
    cautions = list(view.findings)
    if noise > 0.02:
        cautions.append(
            Finding(
                "noise-biases-exponent",
                f"Up to {noise:.1%} of the standard deviation may be observational noise, which "
                "biases the exponent.",
                "Read it as an order of magnitude, or measure with less noise.",
            )
        )
    n_lags, curves = _follow(view, chosen, float(np.nanmean(values[0])) if len(values) else np.nan)
    lags = np.arange(n_lags + 1) * view.dt
    slope = _steepest(curves[-1], lags)
    exponent = (
        _combine(values, noise, drift, slope, level, unit)
        if len(values)
        else Estimate(value=np.nan, unit=unit)
    )
    exponent, dissent = _reconcile(exponent, slope)
    cautions += dissent
    doubling, horizon = _derived(exponent, noise, time_name(view.time_unit))
    return LargestLyapunov(
        exponent=exponent,
        doubling_time=doubling,
        prediction_horizon=horizon,
        values=values,
        settings=used,
        lags=lags,
        divergence=curves,
        divergence_slope=slope,
        noise_level=noise,
        time_unit=view.time_unit,
        status=status,
        cautions=tuple(cautions),
        provenance={"seed": seed, "level": level, "quick": quick},
    )


def _follow(view: Observable, chosen: Embedding, rate: float) -> tuple[int, np.ndarray]:
    """Divergence curves long enough to show the plateau, for each dimension of the ensemble."""
    reach = 20 * chosen.delay
    if rate > 0:
        reach = int(np.clip(10 / (rate * view.dt), 12, 60 * chosen.delay))
    n_lags = int(min(reach, 600, len(view.longest) // 4))
    curves = [
        divergence_curve(view, int(m), chosen.delay, chosen.theiler, n_lags)
        for m in np.unique(chosen.settings[:, 0])
    ]
    kept = [c for c in curves if np.isfinite(c).sum() > 5]
    return n_lags, np.array(kept) if kept else np.full((1, n_lags + 1), np.nan)
