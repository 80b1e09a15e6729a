"""Time reversal: whether the record looks the same when it is run backwards."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, Status, require
from takens.series.nulls import AbstractNull, null_named
from takens.series.nulls.stretch import MIN_SAMPLES, prepared
from takens.series.observable import observable, time_name
from takens.series.prediction import as_estimate, coordinates
from takens.series.settings import checked
from takens.series.surrogates import monte_carlo_p

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 10


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TimeReversal(AbstractResult):
    """Skewness of the increments at several lags, beside its values on surrogates.

    Parameters
    ----------
    asymmetry : Estimate
        Skewness of the increments at the lag where it stands out most; dimensionless, positive
        where rises are steeper than falls.
    lag : float
        That lag, in time units.
    p_value : float
        Of the largest skewness over all lags, in units of its spread at each; exact.
    null, null_text : str
        The null hypothesis in a word and in words.
    lags : array of int, shape (n_lags,)
        In samples.
    curve : array, shape (n_lags,)
        Skewness of the record's increments.
    surrogates : array, shape (n_surrogates, n_lags)
        Of the surrogates' increments.
    dt : float
        Sampling step in `time_unit`.
    time_unit, label : str
        Unit of time, and what was tested.
    """

    asymmetry: Estimate
    lag: float
    p_value: float
    null: str
    null_text: str
    lags: np.ndarray
    curve: np.ndarray
    surrogates: np.ndarray
    dt: float
    time_unit: str
    label: str

    def summary(self) -> str:
        """The skewness, its lag and the p-value."""
        if not self.asymmetry.is_finite:
            return f"time reversal: no answer ({self.status.value})"
        return (
            f"time reversal: skewness of increments {self.asymmetry} over {self.lag:.4g} "
            f"{time_name(self.time_unit)}, p = {self.p_value:.3g} against {self.null_text}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Skewness against lag, with the range of the surrogates."""
        from takens import plot

        ax = plot.axes(ax)
        t = self.lags * self.dt
        if np.isfinite(self.surrogates).any():
            low, middle, high = np.nanquantile(self.surrogates, [0.05, 0.5, 0.95], axis=0)
            plot.line_with_band(ax, t, middle, low, high, f"{self.null} surrogates, 5 to 95 %")
        plot.line(ax, t, self.curve, label="record", marker="o", ms=3)
        name = plot.quantity("lag", self.time_unit)
        plot.labels(ax, xlabel=name, ylabel="skewness of increments", title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The curves against lag."""
        import xarray as xr

        return xr.Dataset(
            {"record": ("lag", self.curve), "surrogates": (("surrogate", "lag"), self.surrogates)},
            {"lag": self.lags * self.dt},
            attrs={"p_value": self.p_value, "null": self.null},
        )


def increment_skewness(x: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """``<d^3> / <d^2>^(3/2)`` of the increments ``d = x(t + L) - x(t)``; NaN samples are left out.

    Parameters
    ----------
    x : array, shape (..., time)
    lags : array of int, shape (n_lags,)

    Returns
    -------
    array, shape (..., n_lags)
        Zero for increments that do not vary.
    """
    found = []
    for lag in lags:
        step = x[..., lag:] - x[..., :-lag]
        square, cube = np.nanmean(step**2, axis=-1), np.nanmean(step**3, axis=-1)
        found.append(cube / np.maximum(square, 1e-200) ** 1.5)
    return np.stack(found, axis=-1)


def _jackknife(x: np.ndarray, lag: int, level: float) -> tuple[float, float, float]:
    """Skewness at one lag and its interval, leaving out one of ten blocks of time at a time."""
    from scipy.special import stdtrit

    step = x[lag:] - x[:-lag]
    step = step[np.isfinite(step)]
    blocks = np.array_split(step, _N_BLOCKS)
    squares = np.array([np.sum(b**2) for b in blocks])
    cubes = np.array([np.sum(b**3) for b in blocks])
    counts = np.array([len(b) for b in blocks])

    def skewness(cube: Any, square: Any, count: Any) -> Any:
        return (cube / count) / np.maximum(square / count, 1e-200) ** 1.5

    value = float(skewness(cubes.sum(), squares.sum(), counts.sum()))
    without = skewness(
        cubes.sum() - cubes, squares.sum() - squares, np.maximum(counts.sum() - counts, 1)
    )
    error = np.sqrt((_N_BLOCKS - 1) * np.mean((without - without.mean()) ** 2))
    reach = float(error * stdtrit(_N_BLOCKS - 1, (1 + level) / 2))
    return value, value - reach, value + reach


@checked
def time_reversal(
    data: Any,
    *,
    lags: Any = None,
    null: str | AbstractNull | None = None,
    n_surrogates: int = 99,
    max_samples: int = 4096,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> TimeReversal:
    r"""Test whether the record is statistically the same when run backwards.

    .. math:: A(L) = \langle (x_{t+L} - x_t)^3 \rangle / \langle (x_{t+L} - x_t)^2 \rangle^{3/2}

    vanishes for every reversible process, linear Gaussian ones and monotonic functions of them among
    them. At each lag it is divided by its root mean square over record and surrogates; the largest
    absolute value over the lags is ranked among those of the surrogates.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Of several columns the first principal component is used; of several records the longest.
        Pairs with a missing sample are left out.
    lags : array of int, optional
        In samples; by default up to ten between 1 and two delays.
    null : str or AbstractNull, optional
        By default ``"iaaft"``, and ``"gapped"`` where samples are missing.
    n_surrogates : int
        At least 19.
    max_samples : int
        Longer records are cut to this many samples.
    level : float
        Nominal coverage of the interval.
    seed : int
        For drawing the surrogates.
    throw : bool
        Whether to raise where there is no answer.

    Returns
    -------
    TimeReversal

    Raises
    ------
    InvalidInput
        If a lag is below 1, or fewer than 19 surrogates or an unknown null are asked for.
    NumericalFailure
        If the record is shorter than 50 samples or the longest lag, and `throw`.

    Notes
    -----
    Irreversibility rules out linear Gaussian dynamics; it does *not* show chaos (a relaxation
    oscillator is irreversible) nor does symmetry show linearity (Lorenz's x hardly has a
    direction). Cost: that of the surrogates.

    References
    ----------
    Diks, van Houwelingen, Takens and DeGoede (1995), Phys. Lett. A 201, 221; Schreiber and Schmitz
    (1997), Phys. Rev. E 55, 5443, eq. 9.

    Examples
    --------
    >>> import numpy as np
    >>> sawtooth = np.arange(600) % 17 + 0.1 * np.random.default_rng(0).normal(size=600)
    >>> found = time_reversal(sawtooth)
    >>> found.p_value, found.asymmetry.value < 0
    (0.01, True)
    """
    if n_surrogates < 19:
        raise InvalidInput(f"n_surrogates = {n_surrogates}; at least 19 are needed for p = 0.05.")
    view = observable(data)
    asked = _lags(lags, view)
    chosen = null or ("gapped" if view.missing > 0 and view.n_components == 1 else "iaaft")
    name, law = null_named(chosen)
    record = prepared(view, law, name, max_samples)
    x = record.x
    first = x if x.ndim == 1 else x[:, 0]
    curve = np.full(len(asked), np.nan)
    drawn = np.full((n_surrogates, len(asked)), np.nan)
    seen = int(np.isfinite(first).sum())
    status = Status.OK if seen >= max(MIN_SAMPLES, 2 * asked[-1]) else Status.TOO_SHORT
    require(status, throw=throw)
    p, which, ends = float("nan"), 0, (float("nan"),) * 3
    if status is Status.OK:
        made = law.draw(x, n_surrogates, np.random.default_rng(seed), record.times)
        curve = increment_skewness(first, asked)
        drawn = increment_skewness(made if x.ndim == 1 else made[..., 0], asked)
        unit = np.sqrt(np.mean(np.vstack([drawn, curve]) ** 2, axis=0)) + 1e-300
        p = monte_carlo_p(
            float(np.max(np.abs(curve / unit))), np.max(np.abs(drawn / unit), axis=1), "greater"
        )
        which = int(np.argmax(np.abs(curve / unit)))
        ends = _jackknife(first, int(asked[which]), level)
    return TimeReversal(
        asymmetry=as_estimate(*ends, level, "jackknife over ten blocks of time"),
        lag=float(asked[which] * view.dt),
        p_value=p,
        null=name,
        null_text=law.hypothesis,
        lags=asked,
        curve=curve,
        surrogates=drawn,
        dt=view.dt,
        time_unit=view.time_unit,
        label=view.label,
        status=status,
        cautions=record.cautions,
        provenance={"seed": seed, "n_surrogates": n_surrogates, "n_samples": len(first)},
    )


def _lags(lags: Any, view: Any) -> np.ndarray:
    if lags is None:
        furthest = 2 * coordinates(view, None, None).delay
        return np.unique(np.round(np.linspace(1, furthest, min(10, furthest))).astype(int))
    asked = np.unique(np.asarray(lags))
    if asked.size == 0 or asked.dtype.kind not in "iu" or asked[0] < 1:
        raise InvalidInput(f"lags = {lags!r}; they are whole numbers of samples from 1.")
    return asked
