"""How far ahead the recent past foretells the record: nonlinear prediction error against horizon."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, Status, require
from takens.series.observable import DelayVectors, delay_vectors, neighbours, observable, time_name
from takens.series.prediction import as_estimate, coordinates, ratio_by_blocks
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_MAX_REFERENCES = 2000
_MAX_LIBRARY = 20_000
_MIN_REFERENCES = 50
_HALF = 0.5  # normalised error up to which a forecast is called one
_MAX_ORDER = 20


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PredictionError(AbstractResult):
    """Error of local forecasts against how far they look ahead, beside two baselines.

    Errors are root mean squares over the standard deviation: 0 is perfect, 1 is no better than
    the mean of the record.

    Parameters
    ----------
    error : Estimate
        Of the local predictor one delay ahead; dimensionless.
    over_linear : Estimate
        That error over the error of a linear autoregression at the same times; below 1 the local
        predictor is better. Dimensionless.
    horizon : Estimate
        Time up to which the local predictor's error stays below 0.5, in time units; NaN where it
        never does, infinite where it does as far as was looked.
    horizons : array of int, shape (n_horizons,)
        In samples.
    local, low, high : array, shape (n_horizons,)
        The local predictor's error and its interval at each horizon.
    persistence, linear : array, shape (n_horizons,)
        Errors of "no change" and of the autoregression.
    dimension, delay, n_neighbours, order : int
        Settings of the local predictor, and of the autoregression.
    dt : float
        Sampling step in `time_unit`.
    time_unit, label : str
        Unit of time, and what was predicted.
    """

    error: Estimate
    over_linear: Estimate
    horizon: Estimate
    horizons: np.ndarray
    local: np.ndarray
    low: np.ndarray
    high: np.ndarray
    persistence: np.ndarray
    linear: np.ndarray
    dimension: int
    delay: int
    n_neighbours: int
    order: int
    dt: float
    time_unit: str
    label: str

    def summary(self) -> str:
        """Error one delay ahead, against the linear baseline, and the horizon."""
        if not self.error.is_finite:
            return f"prediction error: no answer ({self.status.value})"
        unit = time_name(self.time_unit)
        far = f"up to {self.horizon}" if self.horizon.is_finite else "nowhere"
        if np.isposinf(self.horizon.value):
            far = f"as far as was looked, {self.horizons[-1] * self.dt:.4g} {unit}"
        return (
            f"prediction error {self.error} at {self.delay * self.dt:.4g} {unit}, "
            f"{self.over_linear} of a linear autoregression's; below {_HALF} {far}"
        )

    def plot(self, ax: Any = None) -> Any:
        """The three errors against horizon."""
        from takens import plot

        ax = plot.axes(ax)
        t = self.horizons * self.dt
        plot.line_with_band(ax, t, self.local, self.low, self.high, "nearest neighbours")
        plot.line(ax, t, self.linear, label=f"autoregression of order {self.order}", ls="--")
        plot.line(ax, t, self.persistence, label="persistence", ls=":")
        name = plot.quantity("horizon", self.time_unit)
        plot.labels(ax, xlabel=name, ylabel="error (standard deviations)", title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The curves against horizon."""
        import xarray as xr

        curves = ("local", "low", "high", "persistence", "linear")
        return xr.Dataset(
            {name: ("horizon", getattr(self, name)) for name in curves},
            {"horizon": self.horizons * self.dt},
            attrs={"dimension": self.dimension, "delay": self.delay, "order": self.order},
        )


def squared_errors(
    vectors: DelayVectors, asked: np.ndarray, horizons: np.ndarray, *, theiler: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors of the locally constant predictor, and of the mean, shape (n_asked, n_horizons).

    The forecast is the mean of the successors of the `k` nearest vectors; its squared error is
    divided by ``1 + 1 / k``, the variance of that mean over white noise. NaN where the target or
    enough successors are missing. The error is summed over the components.
    """
    p = vectors.n_components
    library = np.arange(0, len(vectors.points), max(1, -(-len(vectors.points) // _MAX_LIBRARY)))
    _, which = neighbours(
        vectors.points[library],
        vectors.clock[library],
        vectors.points[asked],
        vectors.clock[asked],
        k=min(3 * k, len(library)),  # some have no successor
        theiler=theiler,
    )
    near = np.where(which >= 0, library[which], -1)
    mean = vectors.points[:, :p].mean(axis=0)
    error = np.full((len(asked), len(horizons)), np.nan)
    spread = np.full_like(error, np.nan)
    for column, lead in enumerate(horizons):
        ahead = vectors.successors(int(lead))
        target = ahead[asked]
        after = np.where(near >= 0, ahead[near], -1)
        usable = after >= 0
        usable &= np.cumsum(usable, axis=1) <= k
        good = (target >= 0) & (usable.sum(axis=1) == k)
        if not good.any():
            continue
        values = np.where(usable[good][..., None], vectors.points[after[good], :p], 0.0)
        truth = vectors.points[target[good], :p]
        forecast = values.sum(axis=1) / k
        error[good, column] = np.sum((truth - forecast) ** 2, axis=1) / (1 + 1 / k)
        spread[good, column] = np.sum((truth - mean) ** 2, axis=1)
    return error, spread


def linear_errors(
    gapped: tuple[np.ndarray, ...], horizons: np.ndarray, max_order: int = _MAX_ORDER
) -> tuple[np.ndarray, dict[int, np.ndarray], int]:
    """Squared errors of direct linear forecasts from the last `order` samples.

    The order minimises Akaike's criterion one step ahead, among those for which the record holds
    200 complete vectors (Akaike 1974). Errors are multiplied by ``(n + q) / (n - q)`` for the `q`
    coefficients fitted (Akaike's final prediction error).

    Returns
    -------
    clock : array of int, shape (n,)
        Of the vectors, as in `DelayVectors`.
    errors : dict of horizon to array, shape (n,)
        NaN without a target.
    order : int
    """
    best, chosen, order = np.inf, None, 1
    for candidate in range(1, max_order + 1):
        try:
            vectors = delay_vectors(gapped, candidate, 1)
        except InvalidInput:
            break
        if len(vectors.points) < 200 and chosen is not None:
            break
        residual, n, q = _fit(vectors, 1)
        score = n * np.log(max(np.nanmean(residual), 1e-300)) + 2 * q if n > q else np.inf
        if chosen is None or score < best:
            best, chosen, order = score, vectors, candidate
    assert chosen is not None  # order 1 needs one sample
    return chosen.clock, {int(h): _fit(chosen, int(h))[0] for h in horizons}, order


def _fit(vectors: DelayVectors, lead: int) -> tuple[np.ndarray, int, int]:
    """Squared errors of the least-squares forecast, number of targets, number of coefficients."""
    ahead = vectors.successors(lead)
    seen = np.flatnonzero(ahead >= 0)
    error = np.full(len(ahead), np.nan)
    design = np.c_[np.ones(len(seen)), vectors.points[seen]]
    n, q = design.shape
    if n > q:
        truth = vectors.points[ahead[seen], : vectors.n_components]
        gram = design.T @ design
        gram[np.diag_indices(q)] *= 1 + 1e-10
        misfit = truth - design @ np.linalg.solve(gram, design.T @ truth)
        error[seen] = np.sum(misfit**2, axis=1) * (n + q) / (n - q)
    return error, n, q


def _crossing(horizons: np.ndarray, curve: np.ndarray) -> float:
    """Horizon at which the curve first exceeds one half, interpolated; infinite if it never does."""
    above = np.flatnonzero(~(curve < _HALF))
    if not above.size:
        return float("inf")
    i = int(above[0])
    if i == 0 or not np.isfinite(curve[i]):
        return float("nan")
    share = (_HALF - curve[i - 1]) / (curve[i] - curve[i - 1])
    return float(horizons[i - 1] + share * (horizons[i] - horizons[i - 1]))


def _normalised(error: np.ndarray, vectors: DelayVectors) -> float:
    """Root of the mean of `error` over the variance of the record."""
    now = vectors.points[:, : vectors.n_components]
    variance = float(np.sum(now.var(axis=0)))
    seen = error[np.isfinite(error)]
    return float(np.sqrt(seen.mean() / variance)) if seen.size and variance > 0 else float("nan")


def _persistence(vectors: DelayVectors, horizons: np.ndarray) -> np.ndarray:
    """Error of the forecast that nothing changes, at each horizon."""
    now, found = vectors.points[:, : vectors.n_components], []
    for lead in horizons:
        ahead = vectors.successors(int(lead))
        seen = ahead >= 0
        found.append(_normalised(np.sum((now[ahead[seen]] - now[seen]) ** 2, axis=1), vectors))
    return np.array(found)


def _paired(
    error: np.ndarray, clock: np.ndarray, other_clock: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Errors of both predictors at the times that both have, each of shape (n, 1)."""
    at = np.minimum(np.searchsorted(other_clock, clock), len(other_clock) - 1)
    same = other_clock[at] == clock
    return error[same, None], other[at[same], None]


@checked
def prediction_error(
    data: Any,
    *,
    dimension: int | None = None,
    delay: int | None = None,
    max_horizon: int | None = None,
    n_neighbours: int = 8,
    level: float = 0.9,
    throw: bool = True,
) -> PredictionError:
    r"""Error of nearest-neighbour forecasts as a function of how far they look ahead.

    The forecast of :math:`x_{t+h}` is the mean of the successors of the nearest delay vectors
    outside a Theiler window of three delays. Beside it stand the error of "no change" and that of
    a linear autoregression, forecast directly at every horizon.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Missing samples are left out, with every vector and target that would hold one.
    dimension, delay : int, optional
        Of the delay vectors; by default from `embedding`. Delay in samples.
    max_horizon : int, optional
        In samples; by default ten delays.
    n_neighbours : int
        Fewer resolve more structure, more average more noise.
    level : float
        Nominal coverage of the intervals.
    throw : bool
        Whether to raise where there is no answer.

    Returns
    -------
    PredictionError

    Raises
    ------
    InvalidInput
        If `n_neighbours` or `max_horizon` is below 1, or no stretch holds a delay vector.
    NumericalFailure
        If fewer than 50 times have neighbours and a target, and `throw`.

    Notes
    -----
    Intervals are a jackknife over ten blocks of time. An error below the autoregression's speaks
    for a nonlinear rule but does *not* prove one: test the error with `surrogate_test`. With 40 % of
    the samples missing few vectors are whole; then a smaller `dimension` sees more. Cost:
    O(N log N), at most 20,000 library vectors and 2,000 forecasts for each horizon.

    References
    ----------
    Farmer and Sidorowich (1987), Phys. Rev. Lett. 59, 845; Sugihara and May (1990), Nature 344, 734.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.empty(1000)
    >>> x[0] = 0.3
    >>> for n in range(999):
    ...     x[n + 1] = 3.9 * x[n] * (1 - x[n])
    >>> found = prediction_error(x)
    >>> bool(found.error.value < 0.1 < found.linear[0])
    True
    """
    if n_neighbours < 1 or (max_horizon is not None and max_horizon < 1):
        raise InvalidInput(
            f"n_neighbours = {n_neighbours}, max_horizon = {max_horizon}; both must be at least 1."
        )
    view = observable(data)
    at = coordinates(view, dimension, delay)
    furthest = max_horizon or 10 * at.delay
    horizons = np.unique(np.round(np.linspace(1, furthest, min(furthest, 40))).astype(int))
    horizons = np.unique(np.r_[horizons, min(at.delay, furthest)])
    vectors = delay_vectors(view.gapped, at.dimension, at.delay)
    asked = np.arange(0, len(vectors.clock), max(1, -(-len(vectors.clock) // _MAX_REFERENCES)))
    error, spread = squared_errors(vectors, asked, horizons, theiler=at.theiler, k=n_neighbours)
    local = ratio_by_blocks(error, spread, level=level)
    enough = np.isfinite(error).sum(axis=0) >= _MIN_REFERENCES
    value, low, high = (np.where(enough, curve, np.nan) for curve in local)
    first = int(np.flatnonzero(horizons == min(at.delay, furthest))[0])
    clock, straight, order = linear_errors(view.gapped, horizons)
    linear = np.array([_normalised(straight[int(h)], vectors) for h in horizons])
    ours, theirs = _paired(
        error[:, first], vectors.clock[asked], clock, straight[int(horizons[first])]
    )
    over = ratio_by_blocks(ours, theirs, level=level)
    status = Status.OK if np.isfinite(value[first]) else Status.TOO_SHORT
    require(status, throw=throw)
    method = "jackknife over ten blocks of time"
    reach = [_crossing(horizons, curve) * view.dt for curve in (value, high, low)]
    return PredictionError(
        error=as_estimate(value[first], low[first], high[first], level, method),
        over_linear=as_estimate(over[0][0], over[1][0], over[2][0], level, method),
        horizon=Estimate(
            value=reach[0],
            interval=(reach[1], reach[2]) if np.isfinite(reach[0]) else (np.nan, np.nan),
            level=level,
            unit=time_name(view.time_unit),
            method="where the interval of the error crosses one half",
        ),
        horizons=horizons,
        local=value,
        low=low,
        high=high,
        persistence=_persistence(vectors, horizons),
        linear=linear,
        dimension=at.dimension,
        delay=at.delay,
        n_neighbours=n_neighbours,
        order=order,
        dt=view.dt,
        time_unit=view.time_unit,
        label=view.label,
        status=status,
        cautions=view.findings,
        provenance={**at.described(), "n_references": len(asked), "missing": view.missing},
    )
