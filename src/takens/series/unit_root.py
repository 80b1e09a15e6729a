"""Two opposite questions: may the record be a random walk, and may its level be constant."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, require
from takens.series.observable import Observable, observable
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

Trend = Literal["constant", "line"]
Method = Literal["dickey-fuller", "phillips-perron"]

_LEAST = 50
_MOST_BRIDGED = 0.05  # share of interpolated samples up to which the half-life holds
_LIMIT = 20_000
# MacKinnon (1994), tables 3 and 4: p = Phi(polynomial in the statistic), the first polynomial below
# the first number, the second above it; beyond the last two numbers p is 0 or 1.
_SURFACE = {
    "constant": (
        (2.1659, 1.4412, 0.038269),
        (1.7339, 0.93202, -0.12745, -0.010368),
        (-1.61, -18.83, 2.74),
    ),
    "line": (
        (3.2512, 1.6047, 0.049588),
        (2.5261, 0.61654, -0.37956, -0.060285),
        (-2.89, -16.18, 0.7),
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AbstractMemoryTest(AbstractResult):
    """What the two tests share: a statistic, a p-value, and the record that was asked."""

    statistic: float
    p_value: float
    n_lags: int
    trend: str
    level: np.ndarray
    dt: float
    time_unit: str
    label: str

    def plot(self, ax: Any = None) -> Any:
        """The stretch that was tested, in standard deviations, with the p-value."""
        from takens import plot

        ax = plot.axes(ax)
        plot.line(ax, np.arange(len(self.level)) * self.dt, self.level)
        unit = "steps" if self.time_unit == "1" else self.time_unit
        title = f"p = {self.p_value:.3g}"
        plot.labels(ax, xlabel=f"time ({unit})", ylabel="standard deviations", title=title)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The stretch that was tested, with the test's numbers as attributes."""
        import xarray as xr

        return xr.Dataset(
            {"level": ("time", self.level)},
            {"time": np.arange(len(self.level)) * self.dt},
            attrs={"statistic": self.statistic, "p_value": self.p_value, "n_lags": self.n_lags},
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class UnitRoot(AbstractMemoryTest):
    """Test of the null hypothesis that the record is a random walk.

    Parameters
    ----------
    statistic : float
        t statistic of the previous value in the regression of the increments; dimensionless.
    p_value : float
        Under the null of a unit root: a *large* one means that a random walk is not ruled out.
    n_lags : int
        Lagged increments in the regression, or autocovariances in the long-run variance.
    method : str
        ``"dickey-fuller"`` or ``"phillips-perron"``.
    trend : str
        ``"constant"`` or ``"line"``: about what the record would return if it did.
    half_life : float
        Time after which half of a departure is left, of the estimated regression, in `time_unit`;
        infinite where it does not return.
    level : array, shape (time,)
        The stretch that was tested, in standard deviations.
    dt : float
        Its sampling step in `time_unit`.
    time_unit, label : str
        Unit of time, and what was analysed.
    """

    method: str
    half_life: float

    def summary(self) -> str:
        """One line: statistic, p-value, half-life."""
        if self.status is not Status.OK:
            return f"unit root: no answer ({self.status.value})"
        unit = "steps" if self.time_unit == "1" else self.time_unit
        return (
            f"unit root ({self.method}, {self.trend}, {self.n_lags} lags): t = "
            f"{self.statistic:.3g}, p = {self.p_value:.3g}; half-life {self.half_life:.3g} {unit}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LevelStationarity(AbstractMemoryTest):
    """Test of the null hypothesis that the record is stationary about a constant or a line.

    Parameters
    ----------
    statistic : float
        Mean square of the partial sums over the long-run variance; dimensionless.
    p_value : float
        Under the null of stationarity: a *small* one speaks against it.
    n_lags : int
        Autocovariances in the long-run variance.
    trend : str
        ``"constant"`` or ``"line"``.
    level : array, shape (time,)
        The stretch that was tested, in standard deviations.
    dt : float
        Its sampling step in `time_unit`.
    time_unit, label : str
        Unit of time, and what was analysed.
    """

    def summary(self) -> str:
        """One line: statistic and p-value."""
        if self.status is not Status.OK:
            return f"level stationarity: no answer ({self.status.value})"
        return (
            f"level stationarity ({self.trend}, {self.n_lags} lags): statistic "
            f"{self.statistic:.3g}, p = {self.p_value:.3g}"
        )


def unit_root_p(statistic: float, trend: Trend) -> float:
    """MacKinnon's response surface of the Dickey-Fuller distribution, for long records."""
    from scipy.special import ndtr

    low, high, (turn, least, most) = _SURFACE[trend]
    if not least < statistic < most:
        return 0.0 if statistic <= least else 1.0
    return float(
        ndtr(np.polynomial.polynomial.polyval(statistic, low if statistic <= turn else high))
    )


def bridge_p(statistic: float, trend: Trend) -> float:
    """Chance that the integral of a squared Brownian bridge exceeds `statistic`.

    About a constant a bridge of first order, the limit of Cramér and von Mises (1931); about a line
    one of second order. Both are weighted sums of squared normals, whose distribution function is
    the inverse of the characteristic function (Imhof 1961).
    """
    from scipy.integrate import quad

    # Weights: 1 / z^2 at the zeros of the Fredholm determinant, which is sin z / z for the bridge
    # and 12 (2 - 2 cos z - z sin z) / z^4 for that of second order (MacNeill 1978).
    if trend == "constant":
        zeros = np.pi * np.arange(1, 401)
    else:
        zeros = np.sort(np.concatenate([2 * np.pi * np.arange(1, 201), 2 * _tangent_zeros(200)]))
    weights = 1 / zeros**2
    if statistic <= 0:
        return 1.0

    def part(u: float) -> float:
        # The terms left out sum to their mean: they turn the phase and damp nothing.
        angle = 0.5 * np.sum(np.arctan(weights * u)) + 0.5 * rest * u - 0.5 * statistic * u
        return float(np.sin(angle) / (u * np.exp(0.25 * np.sum(np.log1p((weights * u) ** 2)))))

    rest = (1 / 6 if trend == "constant" else 1 / 15) - weights.sum()
    value, _ = quad(part, 0, 4000, limit=2000, epsabs=1e-9)
    return float(np.clip(0.5 + value / np.pi, 0.0, 1.0))


def _tangent_zeros(n: int) -> np.ndarray:
    """Positive solutions of ``tan y = y``, by Newton's rule from below the poles."""
    y = np.pi * (np.arange(1, n + 1) + 0.5)
    y = y - 1 / y
    for _ in range(20):
        y = y - (np.sin(y) - y * np.cos(y)) / (y * np.sin(y))
    return y


def _long_run_variance(residual: np.ndarray, n_lags: int) -> float:
    """Bartlett-weighted sum of autocovariances (Newey and West 1987)."""
    n, total = len(residual), float(residual @ residual)
    for lag in range(1, n_lags + 1):
        total += 2 * (1 - lag / (n_lags + 1)) * float(residual[lag:] @ residual[:-lag])
    return total / n


def _regressors(n: int, trend: Trend) -> list[np.ndarray]:
    return [np.ones(n)] if trend == "constant" else [np.ones(n), np.linspace(-1, 1, n)]


def _regression(x: np.ndarray, n_lags: int, trend: Trend) -> tuple[float, float, np.ndarray]:
    """Weight of the previous value, its standard error, and the residuals."""
    step = np.diff(x)
    rows = len(step) - n_lags
    lagged = [step[n_lags - i : len(step) - i] for i in range(1, n_lags + 1)]
    design = np.stack([x[n_lags:-1], *_regressors(rows, trend), *lagged], axis=1)
    basis, triangle = np.linalg.qr(design)
    target = step[n_lags:]
    weights = np.linalg.lstsq(triangle, basis.T @ target, rcond=None)[0]
    residual = target - design @ weights
    inverse = np.linalg.pinv(triangle)
    variance = float(residual @ residual) / max(rows - design.shape[1], 1)
    return float(weights[0]), float(np.sqrt(variance * np.sum(inverse[0] ** 2))), residual


def _phillips_perron(x: np.ndarray, n_lags: int, trend: Trend) -> tuple[float, float]:
    """Weight of the previous value, and Z_t (Hamilton 1994, eq. 17.6.8)."""
    weight, error, residual = _regression(x, 0, trend)
    n = len(residual)
    short = float(residual @ residual) / n
    long = _long_run_variance(residual, n_lags)
    spread = np.sqrt(float(residual @ residual) / max(n - 2 - (trend == "line"), 1))
    z = np.sqrt(short / long) * weight / error
    return weight, float(z - 0.5 * (long - short) / np.sqrt(long) * n * error / spread)


def _stretch(data: Any) -> tuple[Observable, np.ndarray, float, list[Finding]]:
    """The longest stretch, thinned where it is very long, and what was done."""
    view = observable(data)
    whole = view.longest
    thin = max(1, -(-len(whole) // _LIMIT))
    cautions = list(view.findings)
    if len(whole) < view.n_samples:
        cautions.append(
            Finding(
                "longest-stretch",
                f"{len(whole)} of {view.n_samples} samples, the longest stretch, were tested.",
                "A regression on past values cannot look across a break.", "note",
            )
        )  # fmt: skip
    return view, whole[::thin], view.dt * thin, cautions


def _bridged(share: float) -> Finding:
    return Finding(
        "half-life-unknown",
        f"{share:.0%} of the samples are interpolated, which lengthens the memory and costs power.",
        "No half-life is given. Give a stretch with fewer missing samples.",
    )


def _status(x: np.ndarray, throw: bool) -> Status:
    status = Status.TOO_SHORT if len(x) < _LEAST else Status.OK
    if x.std() < 1e-12:
        status = Status.NOT_APPLICABLE
    require(status, throw=throw)
    return status


def _checked(trend: str, n_lags: int | None) -> None:
    if trend not in ("constant", "line"):
        raise InvalidInput(f"trend = {trend!r}; expected 'constant' or 'line'.")
    if n_lags is not None and n_lags < 0:
        raise InvalidInput(f"n_lags = {n_lags}; expected zero or a positive number.")


@checked
def unit_root(
    data: Any,
    *,
    method: Method = "dickey-fuller",
    trend: Trend = "constant",
    n_lags: int | None = None,
    throw: bool = True,
) -> UnitRoot:
    """Whether a random walk can be ruled out.

    Augmented Dickey-Fuller: the t statistic of ``a`` in

    ``x(t) - x(t-1) = a x(t-1) + c (+ d t) + sum of b_i (x(t-i) - x(t-i-1)) + noise``.

    Phillips-Perron: the same without lagged increments, with the t statistic corrected by the
    long-run variance of the residuals.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component; the longest gap-free stretch is used.
    method : {"dickey-fuller", "phillips-perron"}
    trend : {"constant", "line"}
        What the record would return to if it did: a level, or a straight line.
    n_lags : int, optional
        By default ``12 (N / 100)^(1/4)`` (Schwert 1989), for Phillips-Perron ``4 (N / 100)^(1/4)``.
    throw : bool
        Raise where the stretch is too short or constant; else the values are NaN.

    Returns
    -------
    UnitRoot

    Raises
    ------
    InvalidInput
        If a setting is out of range.
    NumericalFailure
        If the stretch is shorter than 50 samples or constant, and `throw`.

    Notes
    -----
    A large p-value does *not* show a random walk: a slowly returning record cannot be told from one
    unless it spans many half-lives. A record with one change of level looks like a walk (Perron
    1989): ask `change_points`. Nor does a small p-value show stationarity: chaos with a drifting
    parameter, or a variance that grows, rules out a walk as well. Phillips-Perron rejects far too
    often where increments are negatively correlated. Cost: O(N n_lags^2); above 20,000 samples the
    record is thinned evenly.

    References
    ----------
    Said and Dickey (1984), Biometrika 71, 599; Phillips and Perron (1988), Biometrika 75, 335;
    p-values: MacKinnon (1994), J. Business and Economic Statistics 12, 167, tables 3 and 4.

    Examples
    --------
    >>> import numpy as np
    >>> walk = np.cumsum(np.random.default_rng(1).normal(size=1000))
    >>> bool(unit_root(walk).p_value > 0.05), bool(unit_root(np.diff(walk)).p_value < 0.01)
    (True, True)
    """
    if method not in ("dickey-fuller", "phillips-perron"):
        raise InvalidInput(f"method = {method!r}; expected 'dickey-fuller' or 'phillips-perron'.")
    _checked(trend, n_lags)
    view, x, dt, cautions = _stretch(data)
    factor = 12 if method == "dickey-fuller" else 4
    lags = int(min(factor * (len(x) / 100) ** 0.25, len(x) // 5)) if n_lags is None else n_lags
    if len(x) >= _LEAST and 2 * lags + 10 > len(x):
        raise InvalidInput(f"n_lags = {lags}, but the stretch has {len(x)} samples. Ask for fewer.")
    status = _status(x, throw)
    weight = statistic = p_value = half_life = float("nan")
    if status is Status.OK:
        if method == "dickey-fuller":
            weight, error, _ = _regression(x, lags, trend)
            statistic = weight / error if error > 0 else -np.inf
        else:
            weight, statistic = _phillips_perron(x, lags, trend)
        p_value = unit_root_p(statistic, trend)
        kept = 1 + weight
        half_life = dt * np.log(0.5) / np.log(max(kept, 1e-300)) if kept < 1 else np.inf
        if view.bridged > _MOST_BRIDGED:
            half_life, cautions = float("nan"), [*cautions, _bridged(view.bridged)]
    return UnitRoot(
        statistic=statistic,
        p_value=p_value,
        n_lags=lags,
        method=method,
        trend=trend,
        half_life=float(half_life),
        level=x,
        dt=dt,
        time_unit=view.time_unit,
        label=view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={"n_samples": len(x), "n_lags": lags},
    )


@checked
def level_stationarity(
    data: Any, *, trend: Trend = "constant", n_lags: int | None = None, throw: bool = True
) -> LevelStationarity:
    """Whether a constant level, or a straight line, can be ruled out.

    ``sum of S(t)^2 / (N^2 s^2)``, where ``S`` are the partial sums of the residuals about the level
    or line and ``s^2`` is their long-run variance with Bartlett weights (Kwiatkowski et al. 1992).

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component; the longest gap-free stretch is used.
    trend : {"constant", "line"}
    n_lags : int, optional
        Lags of the long-run variance, by default ``12 (N / 100)^(1/4)``. Too few make persistent
        stationary records look nonstationary, too many hide changes.
    throw : bool
        Raise where the stretch is too short or constant; else the values are NaN.

    Returns
    -------
    LevelStationarity

    Raises
    ------
    InvalidInput
        If a setting is out of range.
    NumericalFailure
        If the stretch is shorter than 50 samples or constant, and `throw`.

    Notes
    -----
    The null is rejected too often where the correlation time exceeds `n_lags`: an autoregression
    with coefficient 0.9 and 500 samples at 16 % (27 % about a line) instead of 5 %. It sees the level alone,
    *not* variance or dynamics. The p-value is that of long records, over the whole range and not
    between tabulated quantiles. Cost: O(N n_lags); above 20,000 samples the record is thinned.

    References
    ----------
    Kwiatkowski, Phillips, Schmidt and Shin (1992), J. Econometrics 54, 159, eqs. 11 and 13; law of
    the statistic: MacNeill (1978), Ann. Statist. 6, 422; Imhof (1961), Biometrika 48, 419, eq. 3.2.

    Examples
    --------
    >>> noise = np.random.default_rng(1).normal(size=1000)
    >>> [bool(level_stationarity(x).p_value > 0.05) for x in (noise, np.cumsum(noise))]
    [True, False]
    """
    _checked(trend, n_lags)
    view, x, dt, cautions = _stretch(data)
    lags = int(min(12 * (len(x) / 100) ** 0.25, len(x) // 5)) if n_lags is None else n_lags
    if len(x) >= _LEAST and lags >= len(x):
        raise InvalidInput(f"n_lags = {lags}, but the stretch has {len(x)} samples. Ask for fewer.")
    status = _status(x, throw)
    statistic = p_value = float("nan")
    if status is Status.OK:
        design = np.stack(_regressors(len(x), trend), axis=1)
        residual = x - design @ np.linalg.lstsq(design, x, rcond=None)[0]
        partial = np.cumsum(residual)
        variance = _long_run_variance(residual, lags)
        statistic = float(partial @ partial) / len(x) ** 2 / max(variance, 1e-300)
        p_value = bridge_p(statistic, trend)
    return LevelStationarity(
        statistic=statistic,
        p_value=p_value,
        n_lags=lags,
        trend=trend,
        level=x,
        dt=dt,
        time_unit=view.time_unit,
        label=view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={"n_samples": len(x), "n_lags": lags},
    )
