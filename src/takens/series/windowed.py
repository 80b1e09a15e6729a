"""A statistic over windows of time, and whether it is constant."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import (
    AbstractResult,
    Estimate,
    Finding,
    InvalidInput,
    NumericalFailure,
    Status,
    Trajectory,
    require,
)
from takens.data import gridded_records
from takens.series.cross_prediction import memory_within
from takens.series.nulls import AbstractNull, null_named
from takens.series.settings import checked
from takens.series.surrogates import monte_carlo_p

if TYPE_CHECKING:
    import xarray as xr

    from takens.data.segments import Segments

_FEWEST = 4  # windows
_LONG_GAP = 20  # missing samples in a row that stay at their place in every surrogate


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Windowed(AbstractResult):
    """A statistic in windows of time, with the band in which all lie if it is constant.

    Parameters
    ----------
    statistic : str
        Its name.
    times : array, shape (n_windows,)
        Middles of the windows in `time_unit`.
    values : array, shape (n_windows,)
        In the unit of the statistic; NaN where a window holds too few samples or gives no answer.
    band : (float, float)
        About the mean of `values`: all windows lie within it at once with probability `level` under
        the null.
    window_p : array, shape (n_windows,)
        p-value of each window, corrected for their number: the chance that the largest excursion
        among all windows is at least as large as this one's.
    excursion_p, trend_p : float
        Of the largest excursion from the mean, and of the correlation with time.
    p_value : float
        That the statistic is constant: twice the smaller of the two, at most 1.
    null : str
        ``"blocks"`` or the name of a surrogate null.
    level : float
        Nominal coverage of `band`.
    window : float
        Length of a window in `time_unit`.
    time_unit, label : str
        Unit of time, and what was analysed.
    """

    statistic: str
    times: np.ndarray
    values: np.ndarray
    band: tuple[float, float]
    window_p: np.ndarray
    excursion_p: float
    trend_p: float
    p_value: float
    null: str
    level: float
    window: float
    time_unit: str
    label: str

    def summary(self) -> str:
        """Mean, band and p-value of constancy."""
        if self.status is not Status.OK:
            return f"{self.statistic} in windows: no answer ({self.status.value})"
        low, high = self.band
        outside = int(np.sum(self.window_p <= 1 - self.level))
        return (
            f"{self.statistic} in {len(self.values)} windows: mean {np.nanmean(self.values):.4g}, "
            f"band of constancy {low:.4g} to {high:.4g} ({self.level:.0%}, {outside} outside); "
            f"constant p = {self.p_value:.3g} (excursion {self.excursion_p:.3g}, trend "
            f"{self.trend_p:.3g}; null {self.null})"
        )

    def plot(self, ax: Any = None) -> Any:
        """The statistic against time with the band."""
        from takens import plot

        ax = plot.axes(ax)
        if len(self.times):
            middle, ends = np.full(2, np.nanmean(self.values)), self.times[[0, -1]]
            low, high = (np.full(2, end) for end in self.band)
            plot.line_with_band(ax, ends, middle, low, high, f"constant ({self.level:.0%})")
            plot.line(ax, self.times, self.values, label="windows", marker="o", markersize=3)
        unit = "steps" if self.time_unit == "1" else self.time_unit
        title = f"constant: p = {self.p_value:.3g}"
        plot.labels(ax, xlabel=f"time ({unit})", ylabel=self.statistic, title=title)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Values and corrected p-values by window."""
        import xarray as xr

        return xr.Dataset(
            {"value": ("time", self.values), "window_p": ("time", self.window_p)},
            {"time": self.times},
            attrs={"statistic": self.statistic, "p_value": self.p_value, "null": self.null},
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _Question:
    """What is asked of a window."""

    ask: Callable[[Any], Any]
    field: str
    n_least: int
    dt: float
    names: tuple[str, ...]
    time_unit: str

    def number(self, x: np.ndarray) -> float:
        """The statistic of one window (time, dim), NaN where it has no answer."""
        if np.isfinite(x).all(axis=1).sum() < self.n_least:
            return float("nan")
        given: Any = x[:, 0] if x.shape[1] == 1 else x
        if self.field:
            times = np.arange(len(x)) * self.dt
            given = Trajectory(times=times, states=x, names=self.names, time_unit=self.time_unit)
        try:
            answer = self.ask(given)
        except (NumericalFailure, InvalidInput):
            return float("nan")
        if self.field:
            answer = getattr(answer, self.field)
        return float(answer.value if isinstance(answer, Estimate) else answer)


def _windows(lengths: list[int], window: int, step: int) -> list[slice]:
    """Windows within each stretch, as slices of the stretches laid end to end."""
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(int)
    return [
        slice(start + at, start + at + window)
        for start, length in zip(starts, lengths, strict=True)
        for at in range(0, length - window + 1, step)
    ]


def _long_gaps(x: np.ndarray) -> np.ndarray:
    """Samples that lie in a run of more than 20 missing ones."""
    missing = ~np.isfinite(x).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(int), [0]])))
    out = np.zeros(len(x), dtype=bool)
    for start, stop in edges.reshape(-1, 2):
        out[start:stop] = stop - start > _LONG_GAP
    return out


def block_resampled(
    x: np.ndarray, lengths: list[int], block: int, rng: np.random.Generator
) -> np.ndarray:
    """`x` (time, dim) rebuilt from blocks of its stretches, drawn with replacement.

    Blocks bring their missing samples along, so that as many are missing; long gaps are not drawn,
    and stay where they are.
    """
    gap = _long_gaps(x)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(int)
    first = np.concatenate(
        [np.arange(s, s + n - block + 1) for s, n in zip(starts, lengths, strict=True)]
    )
    blocked = np.concatenate([[0], np.cumsum(gap)])
    first = first[blocked[first + block] == blocked[first]]
    if not len(first):
        raise InvalidInput(f"No stretch holds a block of {block} samples. Give a smaller `block`.")
    drawn = rng.choice(first, size=-(-len(x) // block))
    made = x[(drawn[:, None] + np.arange(block)).ravel()[: len(x)]]
    made[gap] = np.nan
    return made


def _surrogates(
    x: np.ndarray, lengths: list[int], null: AbstractNull, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Surrogates of every stretch, laid end to end, (n, time, dim)."""
    parts = []
    for part in np.split(x, np.cumsum(lengths)[:-1]):
        one = part[:, 0] if part.shape[1] == 1 else part
        parts.append(null.draw(one, n, rng).reshape(n, *part.shape))
    return np.concatenate(parts, axis=1)


def _excursions(values: np.ndarray) -> np.ndarray:
    """Distance of each window from the mean of all; `values` (..., n_windows)."""
    return np.abs(values - np.nanmean(values, axis=-1, keepdims=True))


def _trend(values: np.ndarray, times: np.ndarray) -> float:
    """Absolute correlation with time."""
    seen = np.isfinite(values)
    t, v = times[seen] - times[seen].mean(), values[seen] - values[seen].mean()
    size = np.sqrt(np.sum(t**2) * np.sum(v**2))
    return float(abs(t @ v) / size) if size > 0 else 0.0


def _checked(
    cut: Segments, window: int, step: int, block: int, null: AbstractNull | None, n: int
) -> None:
    longest = max(map(len, cut.values))
    if not 2 <= window <= longest // 2:
        raise InvalidInput(
            f"window = {window}; expected 2 to {longest // 2} samples, half the longest stretch."
        )
    if step < 1 or not 1 <= block <= window:
        raise InvalidInput(
            f"step = {step} and block = {block}; expected positive numbers of samples, and a block "
            "no longer than the window."
        )
    if n < 39:
        raise InvalidInput(f"n_surrogates = {n}; at least 39 are needed for p = 0.05.")
    missing = any(not np.isfinite(v).all() for v in cut.values)
    if null is not None and missing and null.sampling != "gapped":
        raise InvalidInput(
            "Samples are missing, which this null does not allow. Use null = 'blocks' or 'gapped'."
        )


@checked
def windowed(
    data: Any,
    statistic: Callable[[Any], Any],
    *,
    window: int,
    step: int | None = None,
    field: str = "",
    null: str | AbstractNull = "blocks",
    block: int | None = None,
    n_surrogates: int = 99,
    min_share: float = 0.5,
    level: float = 0.9,
    name: str = "",
    seed: int = 0,
    throw: bool = True,
) -> Windowed:
    """A statistic in adjacent or sliding windows, and a test that it is constant.

    Two things are compared with their values on stationary records drawn under the null: the
    largest distance of a window from the mean of all windows, and the correlation with time.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Windows never reach across a break.
    statistic : callable
        Maps the samples of a window, shape (time,) or for several columns (time, dim), in the unit
        of the data and with NaN where samples are missing, to a number. With `field`, it is given a
        `Trajectory` instead, as the estimators of this package are.
    window : int
        Samples of a window.
    step : int, optional
        Samples from one window to the next; by default `window`, so that they do not overlap.
    field : str
        Name of the number to take from the result, if `statistic` returns one.
    null : str or AbstractNull
        ``"blocks"``: a stationary record in which what is farther apart than a block is
        independent, rebuilt from blocks of the data; or a surrogate null of `surrogate_test`, such
        as ``"iaaft"``: a stationary linear Gaussian process seen through a monotonic function.
    block : int, optional
        Samples of a block, an eighth of a window by default. It should span several correlation
        times, and a window several blocks.
    n_surrogates : int
        At least 39.
    min_share : float
        Share of the samples that a window must hold.
    level : float
        Nominal coverage of the band.
    name : str
        What to call the statistic.
    seed : int
        For drawing under the null.
    throw : bool
        Raise where fewer than four windows have an answer; else the values are NaN.

    Returns
    -------
    Windowed

    Raises
    ------
    InvalidInput
        If a setting is out of range, or the null does not allow missing samples.
    NumericalFailure
        If fewer than four windows have an answer, and `throw`.

    Notes
    -----
    The p-value is as good as the null: blocks shorter than about three correlation times reject too
    often, which a caution says; statistics of delay vectors see the joints between blocks, which
    shifts all windows alike and leaves the test valid. A large p-value does *not* prove that the
    statistic is constant. ``"iaaft"`` surrogates keep a slow drift of the mean in their spectrum
    and hardly ever reject for the mean. Cost: ``n_surrogates + 1`` times that of all windows.

    References
    ----------
    Künsch (1989), Ann. Statist. 17, 1217, for blocks; Westfall and Young (1993), Resampling-Based
    Multiple Testing, section 2.3, for the correction by the largest.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=1000) * np.linspace(1, 2, 1000)
    >>> windowed(x, np.nanstd, window=100).p_value
    0.02
    """
    cut = gridded_records(data)
    law = None if null == "blocks" else null_named(null)[1]
    hop, size = step or window, block or max(1, window // 8)
    _checked(cut, window, hop, size, law, n_surrogates)
    lengths, x = [len(v) for v in cut.values], np.concatenate(cut.values)
    places = _windows(lengths, window, hop)
    question = _Question(
        statistic, field, max(2, int(min_share * window)), cut.dt, cut.names, cut.time_unit
    )
    values = np.array([question.number(x[place]) for place in places])
    clock = np.concatenate(
        [t + cut.dt * np.arange(n) for t, n in zip(cut.starts, lengths, strict=True)]
    )
    times = np.array([(clock[p.start] + clock[p.stop - 1]) / 2 for p in places])
    called = name or field or getattr(statistic, "__name__", "statistic")
    nan = float("nan")
    about: dict[str, Any] = {
        "statistic": called, "times": times, "values": values, "level": level,
        "null": "blocks" if law is None else null_named(law)[0], "window": window * cut.dt,
        "time_unit": cut.time_unit, "label": ", ".join(cut.names),
        "provenance": {"seed": seed, "window": window, "step": hop, "block": size,
                       "n_surrogates": n_surrogates},
    }  # fmt: skip
    if np.isfinite(values).sum() < _FEWEST:
        require(Status.TOO_SHORT, throw=throw)
        return Windowed(
            band=(nan, nan), window_p=np.full(len(values), nan), excursion_p=nan, trend_p=nan,
            p_value=nan, status=Status.TOO_SHORT, cautions=cut.findings, **about,
        )  # fmt: skip
    rng = np.random.default_rng(seed)
    if law is None:
        made: Any = (block_resampled(x, lengths, size, rng) for _ in range(n_surrogates))
    else:
        made = _surrogates(x, lengths, law, n_surrogates, rng)
    drawn = np.array([[question.number(one[place]) for place in places] for one in made])
    drawn[:, ~np.isfinite(values)] = np.nan  # a window without an answer is asked of nobody
    largest = np.nanmax(_excursions(drawn), axis=1)
    away = _excursions(values)
    window_p = np.array([monte_carlo_p(a, largest, "greater") for a in away])
    trends = np.array([_trend(v, times) for v in drawn])
    trend_p = monte_carlo_p(_trend(values, times), trends, "greater")
    excursion_p, reach = float(np.nanmin(window_p)), float(np.quantile(largest, level))
    return Windowed(
        band=(float(np.nanmean(values)) - reach, float(np.nanmean(values)) + reach),
        window_p=window_p,
        excursion_p=excursion_p,
        trend_p=trend_p,
        p_value=min(1.0, 2 * min(excursion_p, trend_p)),
        cautions=(*cut.findings, *_doubts(cut.values, size, law)),
        **about,
    )


def _doubts(
    values: tuple[np.ndarray, ...], block: int, law: AbstractNull | None
) -> tuple[Finding, ...]:
    """A caution where blocks are too short for what the record remembers."""
    centre = np.nanmedian(np.concatenate(values), axis=0)
    memory = memory_within(tuple(v - centre for v in values))
    if law is not None or block >= 3 * memory or memory < 1.5:
        return ()
    return (
        Finding(
            "short-blocks",
            f"Blocks of {block} samples span fewer than three correlation times of {memory:.3g}.",
            "The test rejects too often. Use longer windows and blocks, or null = 'iaaft'.",
        ),
    )
