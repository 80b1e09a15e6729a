"""What can be noticed about a recording before anything is computed from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

import numpy as np

from takens.core import Finding, Recording
from takens.data.table import listed

ROWS = 1_000_000  # rows looked at where a column has to be sorted
CODES = frozenset(
    [
        "extent",
        "time-step",
        "gaps",
        "missing-values",
        "constant-columns",
        "few-levels",
        "held-samples",
        "stuck-values",
        "outliers",
        "saturation",
        "huge-values",
        "tiny-values",
        "missing-codes",
        "several-records",
        "equal-columns",
        "short-record",
    ]
)
_SENTINELS = tuple(
    s * v for v in (99.0, 999.0, 9999.0, 99999.0, 99.9, 999.9, 99.99, 999.99) for s in (1, -1)
)
Level = Literal["note", "caution", "serious"]


def audit(recording: Recording) -> Recording:
    """`recording` with findings on its steps, gaps, missing values, rounding and outliers.

    Nothing is changed: values are reported, not removed. Calling it again gives the same.

    Parameters
    ----------
    recording : Recording
        Read or made from arrays.

    Returns
    -------
    Recording
        The same records; earlier findings are kept, and those of the audit come after them.

    Notes
    -----
    Outliers are values more than 10 robust standard deviations (1.4826 times the median absolute
    deviation) from the median: heavy tails produce them too. A rounded or clipped column is
    recognised by repeated values, which a slow or counted quantity also has. Columns longer than a
    million rows are judged on the first million where sorting is needed.

    Examples
    --------
    >>> from takens.data import as_recording
    >>> [f.code for f in as_recording([1.0, float("nan"), 2.0, 4.0]).findings][-2:]
    ['missing-values', 'short-record']
    """
    kept = tuple(f for f in recording.findings if f.code not in CODES)
    found = tuple(_findings(recording))
    return dataclasses.replace(recording, findings=(*kept, *found))


def _findings(recording: Recording) -> Iterator[Finding]:
    yield from _extent(recording)
    yield from _steps(recording)
    columns = _Columns(recording)
    yield from _missing(columns)
    yield from _constant(columns)
    yield from _magnitude(columns)
    yield from _levels(columns)
    yield from _held(recording)
    yield from _equal(columns)
    if recording.n_samples < 64:
        yield Finding(
            "short-record",
            f"There are only {recording.n_samples} rows.",
            "Hardly any question can be answered; give a longer record.",
            "serious",
        )


class _Columns:
    """All columns over all records, inputs included."""

    def __init__(self, recording: Recording) -> None:
        parts = [
            r.states if r.inputs is None else np.hstack([r.states, r.inputs]) for r in recording
        ]
        self.values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self.names = (*recording.names, *recording[0].input_names)
        self.n_states = len(recording.names)
        self.finite = np.isfinite(self.values)
        self.known = self.finite.sum(axis=0)
        self.low = np.where(self.finite, self.values, np.inf).min(axis=0, initial=np.inf)
        self.high = np.where(self.finite, self.values, -np.inf).max(axis=0, initial=-np.inf)
        self.varying = np.flatnonzero(self.high > self.low)

    def pick(self, indices: np.ndarray | list[int]) -> str:
        return listed([self.names[i] for i in indices], 5)


def _extent(recording: Recording) -> Iterator[Finding]:
    first, dim = recording[0], len(recording.names)
    units = sorted({u for u in recording.units if u})
    inputs = f", {len(first.input_names)} input(s)" if first.input_names else ""
    unit = "" if recording.time_unit == "1" else f" {recording.time_unit}"
    start, end = (
        min((r.times[0] for r in recording if len(r)), default=np.nan),
        max((r.times[-1] for r in recording if len(r)), default=np.nan),
    )
    said = f"Units: {listed(units, 4)}." if units else "Units are not given."
    yield Finding(
        "extent",
        (
            f"{recording.n_samples} rows of {dim} {'column' if dim == 1 else 'columns'}{inputs}, "
            f"time {start:.6g} to {end:.6g}{unit}."
        ),
        said,
        "note",
    )
    if len(recording) > 1:
        lengths = [len(r) for r in recording]
        yield Finding(
            "several-records",
            f"There are {len(recording)} records of {min(lengths)} to {max(lengths)} rows.",
            "They are kept apart; no pair of samples spans two of them.",
            "note",
        )


def _steps(recording: Recording) -> Iterator[Finding]:
    parts = [np.diff(r.times) for r in recording]
    steps = np.concatenate(parts)
    if steps.size == 0:
        return
    dt = float(np.median(steps))
    unit = "" if recording.time_unit == "1" else f" {recording.time_unit}"
    ratio = steps / dt
    whole = np.maximum(np.round(ratio), 1)
    gap = ratio > 1.5
    away = np.abs(ratio - whole)
    off = away[~gap]
    worst = float(off.max()) if off.size else 0.0
    if (away <= 0.01 * whole).all():
        text, level = f"The time step is regular: {dt:.6g}{unit}.", "note"
    elif worst <= 0.25 and (~gap).mean() > 0.5:
        text, level = f"The time step jitters by up to {worst:.1%} about {dt:.6g}{unit}.", "note"
    else:
        low, high = np.percentile(steps, [5, 95])
        text = f"The time step is irregular: median {dt:.6g}{unit}"
        text += f", 5 % below {low:.4g}, 5 % above {high:.4g}."
        level = "caution"
    act = (
        ""
        if level == "note" and worst <= 0.01
        else "Values are interpolated to an even step where a method needs one."
    )
    yield Finding("time-step", text, act, level)  # type: ignore[arg-type]
    if gap.any() and worst <= 0.25:
        lost = int((whole[gap] - 1).sum())
        share = lost / (lost + steps.size)
        yield Finding(
            "gaps",
            f"{int(gap.sum())} gap(s) in time; the longest is {float(steps.max()):.6g}{unit}, "
            f"and {lost} sample(s) are absent ({share:.2%}).",
            "Up to two missing samples are bridged, longer gaps split the record.",
            "serious" if share > 0.2 else "caution",
        )


def _missing(columns: _Columns) -> Iterator[Finding]:
    share = 1 - columns.known / max(len(columns.values), 1)
    some = np.flatnonzero(share > 0)
    if not some.size:
        return
    worst = some[np.argsort(-share[some])][:5]
    text = ", ".join(f"{listed([columns.names[i]])} {share[i]:.1%}" for i in worst)
    top = float(share.max())
    level: Level = "note" if top < 0.01 else "caution" if top < 0.2 else "serious"
    if top == 1 and (share == 1).all():
        yield Finding(
            "missing-values",
            "Every value is missing.",
            "Nothing can be computed; give data.",
            "serious",
        )
        return
    yield Finding(
        "missing-values",
        f"Values are missing in {some.size} column(s): {text}.",
        "Up to two in a row are bridged, longer runs split the record.",
        level,
    )


def _constant(columns: _Columns) -> Iterator[Finding]:
    flat = np.flatnonzero((columns.known > 0) & (columns.high <= columns.low))
    if not flat.size:
        return
    everything = flat.size == len(columns.names)
    action = "Nothing moves." if everything else "Left out of the analysis."
    what = "Every column is" if everything else f"{flat.size} column(s) are"
    yield Finding("constant-columns", f"{what} constant: {columns.pick(flat)}.", action)


def _magnitude(columns: _Columns) -> Iterator[Finding]:
    size = np.maximum(
        np.abs(np.where(columns.known > 0, columns.low, 0)),
        np.abs(np.where(columns.known > 0, columns.high, 0)),
    )
    huge = np.flatnonzero(size > 1e75)
    if huge.size:
        yield Finding(
            "huge-values",
            f"Values beyond 1e75 in {columns.pick(huge)}.",
            "Their powers overflow; rescale the columns.",
            "serious",
        )
    span = columns.high[columns.varying] - columns.low[columns.varying]
    tiny = columns.varying[span < 1e-75]
    if tiny.size:
        yield Finding(
            "tiny-values",
            f"Values vary by less than 1e-75 in {columns.pick(tiny)}.",
            "Their squares vanish; rescale the columns.",
            "serious",
        )


def _levels(columns: _Columns) -> Iterator[Finding]:
    """Rounding, clipping, outliers and codes for missing: one sort per column serves all four."""
    coarse: list[str] = []
    rounded: list[str] = []
    clipped: list[str] = []
    outside: list[str] = []
    codes: list[str] = []
    for i in columns.varying:
        column = columns.values[:ROWS, i]
        column = column[columns.finite[:ROWS, i]]
        if column.size < 16:
            continue
        levels, counts = np.unique(column, return_counts=True)
        name = listed([columns.names[i]])
        if levels.size < 0.25 * column.size and levels.size > 1:
            spacing = np.diff(levels)
            quantum = float(spacing[spacing > 1e-9 * np.ptp(levels)].min())  # not float noise
            entry = f"{name} {levels.size} levels {quantum:.4g} apart"
            (coarse if levels.size < 32 else rounded).append(entry)
        clipped += _clipping(levels, counts, name)
        codes += _codes(levels, counts, name)
        n_out = _n_outside(levels, counts)
        if n_out:
            outside.append(f"{name} {n_out}")
    if coarse:
        yield Finding(
            "few-levels",
            f"Few distinct values: {_few(coarse)}.",
            "Rounding limits what small distances can tell.",
        )
    if rounded:
        yield Finding("few-levels", f"Values are rounded: {_few(rounded)}.", "", "note")
    if clipped:
        yield Finding(
            "saturation",
            f"Many samples sit exactly at an end of the range: {_few(clipped)}.",
            "A clipped sensor, or a quantity that cannot go beyond; check the instrument.",
        )
    if codes:
        yield Finding(
            "missing-codes",
            f"A value looks like a code for missing: {_few(codes)}.",
            "Kept; mark it as NaN if it is one.",
            "serious",
        )
    if outside:
        yield Finding(
            "outliers",
            f"Values more than 10 robust standard deviations from the median: {_few(outside)}.",
            "Kept; check whether they are errors.",
        )


def _few(entries: list[str]) -> str:
    return "; ".join(entries[:4]) + (
        f" and {len(entries) - 4} more columns" if len(entries) > 4 else ""
    )


def _clipping(levels: np.ndarray, counts: np.ndarray, name: str) -> list[str]:
    total = int(counts.sum())
    if levels.size < 8:
        return []
    found = []
    for end, near in ((0, slice(1, 6)), (-1, slice(-6, -1))):
        if counts[end] >= max(5, 0.005 * total) and counts[end] > 5 * np.median(counts[near]):
            found.append(f"{name} {counts[end] / total:.1%} at {levels[end]:.6g}")
    return found


def _codes(levels: np.ndarray, counts: np.ndarray, name: str) -> list[str]:
    found = []
    for end, inner in ((0, 1), (-1, -2)):
        value = float(levels[end])
        rest = float(np.ptp(levels[1:] if end == 0 else levels[:-1]))
        far = abs(value - float(levels[inner])) > 2 * rest
        if value in _SENTINELS and counts[end] >= 2 and far:
            found.append(f"{name} {value:g} ({int(counts[end])} times)")
    return found


def _n_outside(levels: np.ndarray, counts: np.ndarray) -> int:
    centre = _weighted_median(levels, counts)
    away = np.abs(levels - centre)
    order = np.argsort(away)
    scale = 1.4826 * _weighted_median(away[order], counts[order])
    return int(counts[away > 10 * scale].sum()) if scale > 0 else 0


def _weighted_median(values: np.ndarray, counts: np.ndarray) -> float:
    return float(values[np.searchsorted(np.cumsum(counts), 0.5 * counts.sum())])


def _held(recording: Recording) -> Iterator[Finding]:
    """Samples repeated by a hold, and a sensor that stood still."""
    for index, record in enumerate(recording):
        states = record.states[:ROWS]
        if len(states) < 16 or not (
            np.nanmax(states, initial=-np.inf) > np.nanmin(states, initial=np.inf)
        ):
            continue
        lost = np.isnan(states).any(axis=1)
        changed = np.flatnonzero((states[1:] != states[:-1]).any(axis=1) & ~lost[1:]) + 1
        if changed.size < 2:
            continue
        runs = np.diff(changed)
        of = f" of record {index + 1}" if len(recording) > 1 else ""
        k = int(np.bincount(np.minimum(runs, 10_000)).argmax())
        if changed.size >= 8 and k >= 2 and (runs % k == 0).mean() >= 0.9:
            yield Finding(
                "held-samples",
                f"Values{of} change only every {k} samples: each was held {k} times.",
                f"Keep every {k}th sample; the true step is {k} times the one given.",
                "serious",
            )
            return
        gaps = np.diff(np.cumsum(lost)[changed])  # missing samples do not stand still
        longest = int((runs - gaps).max())
        if longest > max(50, 0.02 * len(states)) and longest > 20 * np.median(runs):
            yield Finding(
                "stuck-values",
                f"Values{of} stand still for {longest} samples in a row.",
                "Check whether the sensor was stuck or the quantity at rest.",
            )
            return


def _equal(columns: _Columns) -> Iterator[Finding]:
    if not 1 < len(columns.names) <= 2000:
        return
    seen: dict[int, int] = {}
    twins = []
    for i in columns.varying:
        key = hash(columns.values[:ROWS, i].tobytes())
        if key in seen:
            twins.append(f"{columns.names[seen[key]]} = {columns.names[i]}")
        seen.setdefault(key, int(i))
    if twins:
        yield Finding(
            "equal-columns",
            f"{len(twins)} column(s) repeat another one: {listed(twins, 3)}.",
            "Leave one of each pair out.",
        )
