"""Evenly sampled, gap-free stretches of a recording: what most estimators work on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput, Recording, Trajectory
from takens.data.door import as_recording
from takens.data.table import listed

BRIDGED = 2  # consecutive missing samples that are filled by linear interpolation
HELD_OPEN = 20  # consecutive missing samples that stay in one stretch when none are filled
ON_GRID = 0.01  # departure from the grid, in steps, that counts as rounding of the times
JITTER = 0.25  # departure up to which a step is still one step


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Segments:
    """Contiguous stretches, evenly sampled at one step; no pair of samples spans a break.

    Parameters
    ----------
    values : tuple of array, each (time, dim)
        Finite values in `units`.
    inputs : tuple of array or None, each (time, input)
        Drivers at the same times.
    starts : tuple of float
        Time of the first sample of each stretch, in `time_unit`.
    records : tuple of int
        Index of the record each stretch comes from.
    dt : float
        Sampling step in `time_unit`.
    time_unit : str
        Unit of `dt` and `starts`.
    names, units, input_names : tuple of str
        One per column.
    findings : tuple of Finding
        Those of the recording, then what was done to reach an even step.
    """

    values: tuple[np.ndarray, ...]
    inputs: tuple[np.ndarray | None, ...]
    starts: tuple[float, ...]
    records: tuple[int, ...]
    dt: float
    time_unit: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    input_names: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def n_samples(self) -> int:
        """Samples over all stretches."""
        return sum(len(v) for v in self.values)

    @property
    def longest(self) -> np.ndarray:
        """The longest stretch, shape (time, dim)."""
        return max(self.values, key=len)

    def column(self, index: int) -> tuple[np.ndarray, ...]:
        """One column of every stretch, each of shape (time,)."""
        return tuple(v[:, index] for v in self.values)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Even:
    """One record on an even grid; `valid` marks the samples that rest on data."""

    values: np.ndarray
    valid: np.ndarray
    index: np.ndarray  # row coordinate of each grid point
    times: np.ndarray
    n_bridged: int
    n_between: int
    jitter: float
    irregular: bool


def regular_segments(data: Any, *, min_length: int = 16) -> Segments:
    """Cut `data` into evenly sampled, gap-free stretches.

    The step is the median step over all records. Times within 1 % of the grid are taken as they
    are; jittered and irregular ones are interpolated linearly to it. Up to two consecutive missing
    samples are bridged linearly, column by column; longer runs, and gaps in time, split the record.
    Constant and empty columns are left out, unless every column is constant.

    Parameters
    ----------
    data : Recording, Trajectory, array, table or path
        See `as_recording`.
    min_length : int
        Shortest stretch to keep, in samples.

    Returns
    -------
    Segments
        With the recording's findings and what was done here.

    Raises
    ------
    InvalidInput
        If no stretch of `min_length` samples is left, or values are too large or vary too little
        to be squared.

    Notes
    -----
    Linear interpolation lowers the variance between samples and smooths fast motion; the findings
    give the share of samples concerned. Cost and memory are linear in the number of rows.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.sin(np.arange(100.0))
    >>> x[50:60] = np.nan
    >>> [len(v) for v in regular_segments(x).values]
    [50, 40]
    """
    if not isinstance(min_length, (int, np.integer)) or min_length < 1:
        raise InvalidInput(f"min_length = {min_length!r}; expected a whole number of at least 1.")
    recording, keep, findings, dt = _opened(data)
    parts = _Parts(recording=recording, keep=keep, dt=dt)
    evens, longest, dropped = [], 0, [0, 0]
    for number, record in enumerate(recording):
        if len(record) == 0:
            continue
        even = _even(record, keep, dt, BRIDGED, BRIDGED)
        evens.append((len(even.times) if even.irregular else 0, even))
        for start, end in _runs(even.valid):
            longest = max(longest, end - start)
            if end - start < min_length:
                dropped[0], dropped[1] = dropped[0] + 1, dropped[1] + end - start
                continue
            parts.add(number, even, start, end)
    if not parts.values:
        raise InvalidInput(
            f"No stretch of {min_length} consecutive samples was found; the longest has {longest}. "
            "Give a longer or less broken record, or leave out the columns with many missing "
            "values."
        )
    findings += _told(
        [e for _, e in evens], dropped, len(parts.values), len(recording), dt, recording
    )
    known = {f.code for f in findings}
    earlier = tuple(f for f in recording.findings if f.code not in known)
    return parts.segments((*earlier, *findings))


def gridded_records(data: Any) -> Segments:
    """Evenly sampled stretches of `data` in which missing values stay missing.

    As `regular_segments`, but nothing is bridged: a missing value is NaN at its place on the grid,
    column by column. A run of more than 20 missing rows, in time or in value, starts a new stretch.

    Parameters
    ----------
    data : Recording, Trajectory, array, table or path
        See `as_recording`.

    Returns
    -------
    Segments
        Whose `values` hold NaN; its findings are those of the recording alone.

    Raises
    ------
    InvalidInput
        If every value is missing, no record has two rows, or values cannot be squared.

    Notes
    -----
    For estimators that use whatever samples and pairs there are. Cost and memory are linear in the
    number of rows.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.sin(np.arange(100.0))
    >>> x[50:60] = np.nan
    >>> [int(np.isnan(v).sum()) for v in gridded_records(x).values]
    [10]
    """
    recording, keep, findings, dt = _opened(data)
    parts = _Parts(recording=recording, keep=keep, dt=dt)
    for number, record in enumerate(recording):
        if len(record) == 0:
            continue
        even = _even(record, keep, dt, 0, HELD_OPEN)
        seen = np.isfinite(even.values[:, : len(keep)]).any(axis=1)
        for start, end in _runs(_closed(seen, HELD_OPEN)):
            parts.add(number, even, start, end)
    return parts.segments((*recording.findings, *findings))


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Parts:
    """Stretches as they are found, and what they share."""

    recording: Recording
    keep: list[int]
    dt: float
    values: list[np.ndarray] = dataclasses.field(default_factory=list)
    inputs: list[np.ndarray | None] = dataclasses.field(default_factory=list)
    starts: list[float] = dataclasses.field(default_factory=list)
    records: list[int] = dataclasses.field(default_factory=list)

    def add(self, number: int, even: _Even, start: int, end: int) -> None:
        """Take rows `start` to `end` of record `number`."""
        block = even.values[start:end]
        driven = self.recording[number].inputs is not None
        self.values.append(block[:, : len(self.keep)])
        self.inputs.append(block[:, len(self.keep) :] if driven else None)
        self.starts.append(float(even.times[start]))
        self.records.append(number)

    def segments(self, findings: tuple[Finding, ...]) -> Segments:
        """All that was taken."""
        return Segments(
            values=tuple(self.values),
            inputs=tuple(self.inputs),
            starts=tuple(self.starts),
            records=tuple(self.records),
            dt=self.dt,
            time_unit=self.recording.time_unit,
            names=tuple(self.recording.names[i] for i in self.keep),
            units=tuple(self.recording.units[i] for i in self.keep),
            input_names=self.recording[0].input_names,
            findings=findings,
        )


def _opened(data: Any) -> tuple[Recording, list[int], list[Finding], float]:
    """The recording, the columns that are kept, what was found, and the step."""
    recording = as_recording(data)
    keep, findings = _kept_columns(recording)
    steps = np.concatenate([np.diff(r.times) for r in recording])
    if steps.size == 0:
        raise InvalidInput("Every record has one row; a time step needs two. Give longer records.")
    return recording, keep, findings, _step(steps)


def _closed(seen: np.ndarray, held: int) -> np.ndarray:
    """`seen` with its inner runs of at most `held` missing samples counted as seen."""
    closed = seen.copy()
    for start, end in _runs(~seen):
        if start > 0 and end < len(seen) and end - start <= held:
            closed[start:end] = True
    return closed


def _kept_columns(recording: Recording) -> tuple[list[int], list[Finding]]:
    dim = len(recording.names)
    low, high = np.full(dim, np.inf), np.full(dim, -np.inf)
    for record in recording:
        if len(record):
            low = np.fmin(low, np.fmin.reduce(record.states, axis=0))
            high = np.fmax(high, np.fmax.reduce(record.states, axis=0))
    empty = ~np.isfinite(low)
    if empty.all():
        raise InvalidInput("Every value is missing. Give a record with numbers in it.")
    largest = np.maximum(np.abs(low), np.abs(high))[~empty].max()
    if largest > 1e75:
        raise InvalidInput(
            f"Values reach {largest:.3g}, whose powers overflow. Rescale the columns, or mark "
            f"them missing."
        )
    flat = ~empty & (high <= low)
    with np.errstate(invalid="ignore"):
        span = np.where(flat | empty, np.inf, high - low)
    if span.min() < 1e-75:
        names = [recording.names[i] for i in np.flatnonzero(span < 1e-75)]
        raise InvalidInput(
            f"Values vary by {span.min():.3g} in {listed(names, 5)}, and their squares vanish. "
            "Rescale the columns, or leave them out."
        )
    keep = ~empty if (flat | empty).all() else ~(empty | flat)
    findings = []
    if empty.any():
        names = [recording.names[i] for i in np.flatnonzero(empty)]
        findings.append(
            Finding(
                "empty-columns",
                f"{len(names)} column(s) hold no value: {listed(names, 5)}.",
                "Left out.",
            )
        )
    if flat.any():
        names = [recording.names[i] for i in np.flatnonzero(flat)]
        everything = bool(keep[flat].any())
        findings.append(
            Finding(
                "constant-columns",
                (
                    f"{'Every column is' if everything else f'{len(names)} column(s) are'} "
                    f"constant: "
                    f"{listed(names, 5)}."
                ),
                "Nothing moves." if everything else "Left out of the analysis.",
            )
        )
    return np.flatnonzero(keep).tolist(), findings


def _step(steps: np.ndarray) -> float:
    """The median step, refined by the mean over steps that are multiples of it."""
    dt = float(np.median(steps))
    whole = np.round(steps / dt)
    near = (np.abs(steps / dt - whole) <= ON_GRID) & (whole >= 1)
    return float(steps[near].sum() / whole[near].sum()) if near.mean() > 0.5 else dt


def _even(record: Trajectory, keep: list[int], dt: float, bridged: int, held: int) -> _Even:
    """`record` on its grid: runs of up to `bridged` samples filled, gaps longer than `held` cut short."""
    states = record.states if len(keep) == record.dim else record.states[:, keep]
    values = states if record.inputs is None else np.hstack([states, record.inputs])
    ratio = np.diff(record.times) / dt
    whole = np.maximum(np.round(ratio), 1.0)
    departure = np.abs(ratio - whole)
    gap = whole > held + 1
    # Rounding of the times must not add up: beyond one step the departure is judged per step.
    on_grid = bool((departure[~gap] <= ON_GRID * whole[~gap]).all())
    jitter = float(departure[~gap].max(initial=0.0))
    far = ratio > held + 1.5
    place = np.where(gap if on_grid else far, held + 2.0, whole if on_grid else ratio)
    row = np.concatenate([[0.0], np.cumsum(place)])  # gaps are shortened, so memory stays linear
    size = int(np.floor(row[-1] + 1e-9)) + 1
    finite = np.isfinite(values)
    if on_grid and size == len(row) and finite.all():
        return _Even(
            values=values,
            valid=np.ones(size, bool),
            index=row,
            times=record.times,
            n_bridged=0,
            n_between=0,
            jitter=jitter,
            irregular=False,
        )
    grid = np.arange(size, dtype=float)
    out = np.empty((size, values.shape[1]))
    valid = np.ones(size, bool)
    filled = np.zeros(size, bool)
    reach = bridged + 1 + (1e-6 if on_grid else 0.5)
    for column in range(values.shape[1]):
        good = finite[:, column]
        if not good.any():
            valid[:] = False
            out[:, column] = np.nan
            continue
        known = row[good]
        out[:, column] = np.interp(grid, known, values[good, column])
        right = np.searchsorted(known, grid - 1e-9)
        after = known[np.minimum(right, len(known) - 1)]
        before = known[np.maximum(right - 1, 0)]
        exact = np.abs(after - grid) < 1e-6
        inside = (right > 0) & (right < len(known)) & (after - before <= reach)
        out[~(exact | inside), column] = np.nan
        valid &= exact | inside
        filled |= ~exact & inside & ((after - before > 2 - JITTER) | on_grid)
    away = np.abs(row - np.round(row))
    between = 0 if on_grid else int(min(size, (away > ON_GRID).sum()))
    irregular = not on_grid and (jitter > JITTER or bool((ratio < 1 - JITTER).any()))
    return _Even(
        values=out,
        valid=valid,
        index=grid,
        times=np.interp(grid, row, record.times),
        n_bridged=int((filled & valid).sum()),
        n_between=between,
        jitter=jitter,
        irregular=irregular,
    )


def _runs(valid: np.ndarray) -> list[tuple[int, int]]:
    """Start and end of every run of valid samples."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], valid, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _told(
    evens: list[_Even],
    dropped: list[int],
    n_kept: int,
    n_records: int,
    dt: float,
    recording: Recording,
) -> list[Finding]:
    findings: list[Finding] = []
    total = sum(int(e.valid.sum()) for e in evens) or 1
    unit = "" if recording.time_unit == "1" else f" {recording.time_unit}"
    between = sum(e.n_between for e in evens)
    if any(e.irregular for e in evens):
        findings.append(
            Finding(
                "resampled",
                (
                    f"The time step is irregular; {min(between / total, 1):.0%} of the samples lie "
                    f"between measured times."
                ),
                f"Interpolated linearly to a step of {dt:.6g}{unit}; fast motion is smoothed.",
            )
        )
    elif between:
        worst = max(e.jitter for e in evens)
        findings.append(
            Finding(
                "jitter",
                f"The time step jitters by up to {worst:.1%}.",
                f"Interpolated linearly to a step of {dt:.6g}{unit}.",
                "note",
            )
        )
    bridged = sum(e.n_bridged for e in evens)
    if bridged:
        share = bridged / total
        findings.append(
            Finding(
                "bridged",
                f"{bridged} sample(s) were missing in runs of at most {BRIDGED} ({share:.2%}).",
                "Bridged by linear interpolation.",
                "caution" if share > 0.05 else "note",
            )
        )
    if n_kept > n_records or dropped[0]:
        text = f"Gaps split the data into {n_kept + dropped[0]} stretches."
        lost = (
            f"{dropped[0]} too short ones ({dropped[1]} samples) were left out."
            if dropped[0]
            else "All are used."
        )
        level = "caution" if dropped[1] > 0.1 * total or n_kept > n_records else "note"
        findings.append(Finding("split", text, lost, level))  # type: ignore[arg-type]
    return findings
