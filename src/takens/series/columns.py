"""Every column of a recording on one grid, standardised one by one, missing values left open."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput
from takens.data import gridded_records

_MIN_SAMPLES = 100
_APART = 10_000_000  # between the clocks of two stretches, beyond any window


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Columns:
    """All stretches below each other, with the clock that tells them apart.

    Parameters
    ----------
    values : array, shape (time, n_columns)
        Zero mean and unit variance, column by column; NaN where missing.
    clock : array of int, shape (time,)
        Sample index; stretches are so far apart that they never meet.
    times : array, shape (time,)
        In `time_unit`.
    names : tuple of str
        Names of the columns.
    scales : array, shape (n_columns,)
        Standard deviations that were divided out.
    dt : float
        Sampling step in `time_unit`.
    time_unit : str
        Unit of time.
    longest : int
        Samples of the longest stretch.
    """

    values: np.ndarray
    clock: np.ndarray
    times: np.ndarray
    names: tuple[str, ...]
    scales: np.ndarray
    dt: float
    time_unit: str
    longest: int
    findings: tuple[Finding, ...] = ()

    def inner(self, *, before: int, after: int) -> np.ndarray:
        """Rows with `before` samples of the same stretch ahead of them and `after` behind."""
        rows = np.arange(before, len(self.clock) - after)
        same = (self.clock[rows - before] == self.clock[rows] - before) & (
            self.clock[rows + after] == self.clock[rows] + after
        )
        if same.sum() < _MIN_SAMPLES:
            raise InvalidInput(
                f"Only {int(same.sum())} states have {before} samples before and {after} after "
                f"them; {_MIN_SAMPLES} are needed. Give a longer record, or a smaller `max_lag`."
            )
        return rows[same]


def columns_of(data: Any) -> Columns:
    """The varying columns of `data`, standardised.

    Raises
    ------
    InvalidInput
        If every column is constant or the record has fewer than 100 samples.
    """
    cut = gridded_records(data)
    values = np.concatenate(cut.values)
    mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    alive = spread > 1e-12 * np.maximum(np.abs(mean), 1e-300)
    if not alive.any():
        raise InvalidInput("Every column is constant. Give a column that varies.")
    if len(values) < _MIN_SAMPLES:
        raise InvalidInput(
            f"The record has {len(values)} samples; at least {_MIN_SAMPLES} are needed."
        )
    clock = np.concatenate([np.arange(len(v)) + i * _APART for i, v in enumerate(cut.values)])
    return Columns(
        values=(values[:, alive] - mean[alive]) / spread[alive],
        clock=clock,
        times=np.concatenate(
            [t + cut.dt * np.arange(len(v)) for t, v in zip(cut.starts, cut.values, strict=True)]
        ),
        names=tuple(n for n, a in zip(cut.names, alive, strict=True) if a),
        scales=spread[alive],
        dt=cut.dt,
        time_unit=cut.time_unit,
        longest=max(map(len, cut.values)),
        findings=cut.findings,
    )
