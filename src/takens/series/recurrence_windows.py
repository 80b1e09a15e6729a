"""Recurrence measures in a sliding window, with a band from the lines of all windows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, require
from takens.series.observable import time_name
from takens.series.recurrence import (
    DEFAULT_RATE,
    Norm,
    States,
    check_rule,
    gap_findings,
    radius_at,
    states_of,
)
from takens.series.recurrence_lines import N_BLOCKS, LineCounts
from takens.series.recurrence_quantification import check_lines, counts_at
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

MEASURES = ("determinism", "mean_line", "laminarity", "trapping_time")
_MOST_WINDOWS = 1_000


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RecurrenceWindows(AbstractResult):
    """Recurrence measures along a record, and where they leave the band of a stationary record.

    Parameters
    ----------
    times : array, shape (n_windows,)
        Middle of each window, from the first state on, in `time_unit`.
    values : array, shape (n_windows, 4)
        Determinism, mean diagonal line, laminarity and trapping time; lengths in samples, and NaN
        if samples are missing here and there, for only pieces of lines are seen. NaN where
        a window has fewer than half of its states.
    low, high : array, shape (n_windows, 4)
        Band that holds a window's value at `level` if all windows have the same lines.
    widening : array, shape (4,)
        How much wider than independent lines would have it the band is made, because the lines of
        one window depend on each other.
    window, step : int
        In samples.
    level : float
        Nominal coverage of the band, for each window by itself.
    radius : float
        In standard deviations, the same in all windows.
    time_unit, label : str
        Unit of time, and what was analysed.
    """

    times: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    widening: np.ndarray
    window: int
    step: int
    level: float
    radius: float
    time_unit: str
    label: str

    @property
    def outside(self) -> np.ndarray:
        """Whether each value leaves its band, array of bool, shape (n_windows, 4)."""
        return (self.values < self.low) | (self.values > self.high)

    def summary(self) -> str:
        """Share of windows outside the band, for each measure."""
        seen = np.isfinite(self.values)
        parts = [
            f"{name.replace('_', ' ')} {self.outside[:, k].sum()} of {seen[:, k].sum()}"
            for k, name in enumerate(MEASURES)
        ]
        return (
            f"windows of {self.window} samples outside the {self.level:.0%} band: "
            f"{', '.join(parts)}; {1 - self.level:.0%} are expected of a stationary record"
        )

    def plot(self, ax: Any = None) -> Any:
        """Determinism and its band along the record, windows outside marked."""
        from takens import plot

        ax = plot.axes(ax)
        ax.fill_between(
            self.times, self.low[:, 0], self.high[:, 0], color=plot.COLOURS[6], alpha=0.25,
            linewidth=0, label=f"{self.level:.0%} band",
        )  # fmt: skip
        plot.line(ax, self.times, self.values[:, 0], color=plot.COLOURS[0])
        out = self.outside[:, 0]
        ax.plot(self.times[out], self.values[out, 0], "o", ms=3, color=plot.COLOURS[1])
        plot.labels(
            ax,
            xlabel=plot.quantity("time", time_name(self.time_unit)),
            ylabel="determinism",
            title=self.label,
        )
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Values and bands by window and measure."""
        import xarray as xr

        shape = ("time", "measure")
        return xr.Dataset(
            {
                "value": (shape, self.values),
                "low": (shape, self.low),
                "high": (shape, self.high),
                "widening": ("measure", self.widening),
            },
            {"time": self.times, "measure": list(MEASURES)},
            attrs={"window": self.window, "level": self.level, "radius": self.radius},
        )


def _ratios(n: int, shortest: int, within: bool) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a line of each length in the numerator and the denominator of a measure."""
    length = np.arange(n, dtype=float)
    long = length >= shortest
    return length * long, length if within else long.astype(float)


def _weights(n: int, shortest: int, shortest_vertical: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of the four measures: two shares, two mean lengths."""
    return [
        _ratios(n, shortest, True),
        _ratios(n, shortest, False),
        _ratios(n, shortest_vertical, True),
        _ratios(n, shortest_vertical, False),
    ]


def _open_weights(
    n: int, shortest: int, shortest_vertical: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same for lines sorted by how many ends are cut, shape (3 n,), where samples are missing.

    Shares count the points whose neighbours along the line are known, as `share_in_lines` does; the
    mean length of what is left of cut lines says nothing and has no value.
    """
    length, ends = np.arange(n, dtype=float), np.arange(3)[:, None]
    nothing = np.zeros(3 * n)
    made = []
    for least in (shortest, shortest_vertical):
        points = np.maximum(length - ends * (least - 1), 0)
        made += [((points * (length >= least)).ravel(), points.ravel()), (nothing, nothing)]
    return made


def _lines_of(black: np.ndarray, by_ends: bool) -> np.ndarray:
    """Lines by length, or by ends cut and length, of counts of shape (3, longest + 1)."""
    return black.ravel() if by_ends else black.sum(axis=0)


def _of_lines(lines: np.ndarray, weights: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """A measure of counted lines, along the last axis; NaN without lines."""
    over, under = lines @ weights[0], lines @ weights[1]
    return np.divide(over, under, out=np.full(np.shape(over), np.nan), where=under > 0)


def _deviations(
    counts: list[LineCounts], weights: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Jackknife standard error of each measure in each window, shape (n_windows, 4)."""
    made = np.full((len(counts), 4), np.nan)
    for w, each in enumerate(counts):
        left = [each.without(b)[:2] for b in range(N_BLOCKS)]
        for k in range(4):
            by_ends = len(weights[k][0]) > left[0][k // 2].shape[1]
            rows = [_lines_of(part[k // 2], by_ends) for part in left]
            values = _of_lines(np.array(rows), weights[k])
            made[w, k] = np.sqrt((N_BLOCKS - 1) * values.var())
    return made


def _band(
    counts: list[LineCounts],
    weights: list[tuple[np.ndarray, np.ndarray]],
    level: float,
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values, band and widening: lines of all windows in one urn, as many drawn as a window has."""
    by_ends = len(weights[0][0]) > counts[0].diagonal.shape[-1]
    lines = [
        np.array([_lines_of((c.diagonal, c.vertical)[k][:, -1], by_ends) for c in counts])
        for k in range(2)
    ]
    values = np.column_stack([_of_lines(lines[k // 2], weights[k]) for k in range(4)])
    drawn = np.full((len(counts), 4, n_draws), np.nan)
    for kind in range(2):
        urn = lines[kind].sum(axis=0)
        cells = np.flatnonzero(urn)
        if not cells.size:
            continue
        for w, number in enumerate(lines[kind].sum(axis=1)):
            got = rng.multinomial(number, urn[cells] / urn.sum(), size=n_draws)
            for k in (2 * kind, 2 * kind + 1):
                part = weights[k][0][cells], weights[k][1][cells]
                drawn[w, k] = _of_lines(got, part)
    centre = drawn.mean(axis=2, keepdims=True)
    spread = drawn.std(axis=2)
    # Root mean squares: where laminar phases are rare, most windows have none and err by nothing.
    widening = np.ones(4)
    errors = _deviations(counts, weights)
    for k in range(4):
        seen = np.isfinite(errors[:, k]) & np.isfinite(spread[:, k]) & (spread[:, k] > 0)
        if seen.any():
            ratio = np.sum(errors[seen, k] ** 2) / np.sum(spread[seen, k] ** 2)
            widening[k] = max(1.0, float(np.sqrt(ratio)))
    wide = centre + widening[:, None] * (drawn - centre)
    low, high = np.quantile(wide, [0.5 - level / 2, 0.5 + level / 2], axis=2)
    return values, low, high, widening


@checked
def recurrence_windows(
    data: Any,
    *,
    window: int,
    step: int | None = None,
    rate: float | None = None,
    radius: float | None = None,
    norm: Norm = "euclidean",
    dimension: int | None = None,
    delay: int | None = None,
    theiler: int | None = None,
    shortest: int = 2,
    shortest_vertical: int = 2,
    level: float = 0.9,
    n_draws: int = 400,
    seed: int = 0,
    throw: bool = True,
) -> RecurrenceWindows:
    """Recurrence measures in sliding windows, each with the band of a stationary record.

    The band: lines of all windows are put into one urn, and as many as a window has are drawn from
    it again and again (bootstrap). Because lines of one window share their states, the spread is
    widened by the ratio, over all windows, of the jackknife error to that of independent lines.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Several columns are embedded jointly through their leading principal components.
    window, step : int
        Length of a window and distance between windows, in samples; half a window by default.
    rate, radius, norm, dimension, delay, theiler, shortest, shortest_vertical
        As in `recurrence_quantification`; the radius is one for the whole record, so that a window
        may have more recurrences than another.
    level : float
        Nominal coverage of the band, for each window by itself.
    n_draws : int
        Bootstrap draws for each window, 100 or more.
    seed : int
        For the draws and the pairs from which the radius is found.
    throw : bool
        Raise where there is no answer; else values are NaN.

    Returns
    -------
    RecurrenceWindows

    Raises
    ------
    InvalidInput
        If the window is shorter than 50 states or longer than half the record, there are more than
        1,000 windows, or a setting is out of range.
    NumericalFailure
        If the record is constant, and `throw`.

    Notes
    -----
    A window outside says that its lines differ from those of the record as a whole, not why: a
    changed level, variance or sampling noise does it as well as changed dynamics. Of a stationary
    record the share ``1 - level`` is outside, and overlapping windows leave together. Cost:
    1.5 window^2 distances for each window; memory O(window).

    References
    ----------
    Schinkel, Marwan, Dimigen and Kurths (2009), Phys. Lett. A 373, 2245; Marwan, Schinkel and Kurths
    (2013), EPL 101, 20007.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(size=1500), np.sin(np.arange(500)), rng.normal(size=1500)])
    >>> found = recurrence_windows(x, window=250, dimension=1, theiler=0)
    >>> bool(found.outside[12:15, 0].all())
    True
    """
    check_rule(rate, radius, norm, theiler)
    check_lines(shortest, shortest_vertical)
    if n_draws < 100 or not 0 < level < 1:
        raise InvalidInput(
            f"n_draws = {n_draws}, level = {level}; expected 100 or more, and a share."
        )
    states = states_of(data, dimension, delay, theiler)
    apart = max(1, window // 2) if step is None else step
    if not 50 <= window <= states.n // 2 or apart < 1:
        raise InvalidInput(
            f"window = {window}, step = {apart} of {states.n} states; expected a window of 50 states "
            "to half the record, and a positive step."
        )
    starts = np.arange(0, states.n - window + 1, apart)
    if len(starts) > _MOST_WINDOWS:
        raise InvalidInput(f"{len(starts)} windows; at most {_MOST_WINDOWS}. Raise `step`.")
    status = Status.NOT_APPLICABLE if states.view.constant else Status.OK
    require(status, throw=throw)
    nothing = np.full((len(starts), 4), np.nan)
    values, low, high, widening = nothing, nothing, nothing, np.ones(4)
    found, cautions = float("nan"), [*states.view.findings, *gap_findings(states)]
    if status is Status.OK:
        found = radius if radius is not None else radius_at(
            states.points, states.points, rate or DEFAULT_RATE, norm, states.theiler, seed
        )  # fmt: skip
        values, low, high, widening = _all_windows(
            states, starts, window, found, norm, (shortest, shortest_vertical), level, n_draws, seed
        )
        empty = int(np.isnan(values).all(axis=1).sum())
        if empty:
            cautions.append(
                Finding(
                    "windows-left-out",
                    f"{empty} of {len(starts)} windows hold fewer than half of their states.",
                    "They have no value.",
                    "note",
                )
            )
    return RecurrenceWindows(
        times=(starts + window / 2) * states.view.dt,
        values=values,
        low=low,
        high=high,
        widening=widening,
        window=window,
        step=apart,
        level=level,
        radius=found,
        time_unit=states.view.time_unit,
        label=states.view.label,
        status=status,
        cautions=tuple(cautions),
        provenance={"rate": rate, "radius": radius, "n_draws": n_draws, "seed": seed},
    )


def _all_windows(
    states: States,
    starts: np.ndarray,
    window: int,
    radius: float,
    norm: Norm,
    shortest: tuple[int, int],
    level: float,
    n_draws: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values and bands of the windows that hold half of their states; NaN for the others."""
    parts = [states.part(slice(a, a + window)) for a in starts]
    held = np.array([p.known.mean() >= 0.5 for p in parts])
    filled = np.full((3, len(starts), 4), np.nan)
    if not held.any():
        return filled[0], filled[1], filled[2], np.ones(4)
    counts = [counts_at(p, radius, norm) for p, ok in zip(parts, held, strict=True) if ok]
    made = _open_weights if states.view.missing > 0 else _weights
    weights = made(window + 1, *shortest)
    *found, widening = _band(counts, weights, level, n_draws, np.random.default_rng(seed))
    filled[:, held] = np.array(found)
    return filled[0], filled[1], filled[2], widening
