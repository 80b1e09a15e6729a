"""Transitions by the clock: pairs of samples of one record and the time between them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput, Recording
from takens.data import as_recording

FEWEST = 100  # transitions of any estimate
LONGEST = 10.0  # median steps a transition may take; beyond lies a gap


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Transitions:
    """Pairs of samples, a fixed number of finite samples apart, none across a record.

    Parameters
    ----------
    start, end : array, shape (pair, dim)
        In the units of the columns.
    dt : array, shape (pair,)
        Time between them by the clock, in time units.
    origin : array, shape (pair,)
        Number of the first sample among all finite ones; it grows by more than `LONGEST` from one
        record to the next, so that neighbours in it are neighbours in time.
    """

    start: np.ndarray
    end: np.ndarray
    dt: np.ndarray
    origin: np.ndarray

    def __len__(self) -> int:
        return len(self.dt)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Paths:
    """The finite samples of a recording, record by record.

    Parameters
    ----------
    times : tuple of array, each (sample,)
    states : tuple of array, each (sample, dim)
    dt : float
        Median time from one finite sample to the next.
    names, units : tuple of str
        Of the columns.
    time_unit : str
    findings : tuple of Finding
    """

    times: tuple[np.ndarray, ...]
    states: tuple[np.ndarray, ...]
    dt: float
    names: tuple[str, ...]
    units: tuple[str, ...]
    time_unit: str
    findings: tuple[Finding, ...] = ()

    @property
    def dim(self) -> int:
        """Number of columns."""
        return len(self.names)

    @property
    def values(self) -> np.ndarray:
        """All finite samples, shape (sample, dim)."""
        return np.concatenate(self.states)

    def transitions(self, lag: int = 1) -> Transitions:
        """Pairs `lag` finite samples apart; those over a gap are left out."""
        start, end, dt, origin, offset = [], [], [], [], 0
        for times, states in zip(self.times, self.states, strict=True):
            if len(times) > lag:
                step = times[lag:] - times[:-lag]
                kept = step <= LONGEST * self.dt * lag
                start.append(states[:-lag][kept])
                end.append(states[lag:][kept])
                dt.append(step[kept])
                origin.append(offset + np.flatnonzero(kept))
            offset += len(times) + 1000
        if not dt:
            empty = np.empty((0, self.dim))
            return Transitions(start=empty, end=empty, dt=np.empty(0), origin=np.empty(0, int))
        return Transitions(
            start=np.concatenate(start),
            end=np.concatenate(end),
            dt=np.concatenate(dt),
            origin=np.concatenate(origin),
        )


def paths_of(data: Any, dims: tuple[int, ...]) -> Paths:
    """The finite samples of `data`, refused when nothing can be learned from them.

    Raises
    ------
    InvalidInput
        If there are too many columns, too few samples, or a column is constant.
    """
    recording = as_recording(data)
    dim = len(recording.names)
    if dim not in dims:
        counts = " or ".join(str(d) for d in dims)
        raise InvalidInput(
            f"The data have {dim} columns; this estimate is made for {counts}. Choose columns, or "
            "leading components."
        )
    times, states = [], []
    for record in recording:
        whole = np.isfinite(record.states).all(axis=1)
        if whole.sum() > 1:
            times.append(np.asarray(record.times)[whole])
            states.append(np.asarray(record.states)[whole])
    count = sum(len(t) for t in times)
    if count < FEWEST + 1:
        raise InvalidInput(
            f"{count} finite samples lie in records with at least two; expected at least "
            f"{FEWEST + 1}. Give a longer record."
        )
    together = np.concatenate(states)
    span = np.ptp(together, axis=0)
    size = np.abs(together).max(axis=0)
    if (span <= 1e-12 * size).any() or not (span > 1e-75).all() or not (size < 1e75).all():
        name = recording.names[int(np.argmin(span))]
        raise InvalidInput(
            f"The column {name!r} spans {span.min():.3g} at a size of {size.max():.3g}: it is "
            "constant, or its squares cannot be computed. Leave it out, or rescale it."
        )
    steps = np.concatenate([np.diff(t) for t in times])
    return Paths(
        times=tuple(times),
        states=tuple(states),
        dt=float(np.median(steps)),
        names=recording.names,
        units=recording.units,
        time_unit=recording.time_unit,
        findings=(*recording.findings, *_told(recording, steps)),
    )


def _told(recording: Recording, steps: np.ndarray) -> list[Finding]:
    findings = []
    if any(record.inputs is not None for record in recording):
        findings.append(Finding(
            code="inputs-ignored", text="The data carry inputs, which are not used here.",
            action="What they drive counts as noise; remove their effect first if it is large.",
        ))  # fmt: skip
    far = int((steps > LONGEST * np.median(steps)).sum())
    if far:
        findings.append(Finding(
            code="gaps", text=f"{far} gap(s) are longer than {LONGEST:g} median steps.",
            action="No transition over them is used.", level="note",
        ))  # fmt: skip
    return findings


def memory(paths: Paths) -> np.ndarray:
    """Correlation of successive samples, column by column, about the mean of all records."""
    pair = paths.transitions()
    centre = paths.values.mean(axis=0)
    a, b = pair.start - centre, pair.end - centre
    return np.asarray((a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0)))


def refuse_coarse(paths: Paths) -> None:
    """Nothing, if successive samples know of each other.

    Raises
    ------
    InvalidInput
        If no column of the samples is correlated with the one before.
    """
    found, count = memory(paths), len(paths.transitions())
    limit = max(0.1, 3 / np.sqrt(count))
    if count < FEWEST or found.max() < limit:
        raise InvalidInput(
            f"Successive samples, {paths.dt:g} {paths.time_unit} apart, have a correlation of "
            f"{found.max():.2f}; expected more than {limit:.2f} in {FEWEST} transitions or more. The "
            "record is sampled more coarsely than the motion it should show, so drift and noise "
            "cannot be told from it. Sample at least once in the correlation time."
        )
