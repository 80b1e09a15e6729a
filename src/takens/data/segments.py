"""Evenly sampled, gap-free stretches of a recording: what most estimators work on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput
from takens.data.door import as_recording


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


def regular_segments(data: Any, *, min_length: int = 16) -> Segments:
    """Cut `data` into evenly sampled, gap-free stretches."""
    recording = as_recording(data)
    steps = np.concatenate([np.diff(r.times) for r in recording])
    if steps.size == 0:
        raise InvalidInput("Every record has one row; a time step needs two. Give longer records.")
    dt = float(np.median(steps))
    values, inputs, starts, records = [], [], [], []
    for index, record in enumerate(recording):
        good = np.isfinite(record.states).all(axis=1)
        if record.inputs is not None:
            good &= np.isfinite(record.inputs).all(axis=1)
        joined = np.abs(np.diff(record.times) - dt) < 0.5 * dt
        start = 0
        for end in range(1, len(record) + 1):
            broken = end == len(record) or not (good[end] and good[end - 1] and joined[end - 1])
            if broken:
                if end - start >= min_length and good[start]:
                    values.append(record.states[start:end])
                    inputs.append(None if record.inputs is None else record.inputs[start:end])
                    starts.append(float(record.times[start]))
                    records.append(index)
                start = end
    if not values:
        raise InvalidInput(
            f"No stretch of {min_length} consecutive finite samples was found. "
            "Give a longer or less broken record."
        )
    return Segments(
        values=tuple(values),
        inputs=tuple(inputs),
        starts=tuple(starts),
        records=tuple(records),
        dt=dt,
        time_unit=recording.time_unit,
        names=recording.names,
        units=recording.units,
        input_names=recording[0].input_names,
    )
