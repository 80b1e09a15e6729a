"""Samples of all records in one array, with what links each to the next: the input of every form."""

from __future__ import annotations

import dataclasses
from math import comb
from typing import Any

import numpy as np

from takens.core import InvalidInput, Recording
from takens.data import as_recording

DIFFERENCES = 6  # order of the differences that leave only noise of a well-sampled signal
UNSEEN = 1e4  # variance of a missing value, in squared ranges of its column: nothing is known of it
FINEST = 1e-6  # noise, in standard deviations of a column, below which no data are taken to be
LARGEST, SMALLEST = 1e37, 1e-37  # sizes of which the eighth power is a number
LONGEST_LINK = 20  # a gap longer than so many median steps ends a stretch


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Nodes:
    """Rows of all records, one after the other.

    Parameters
    ----------
    times : array, shape (node,)
    values : array, shape (node, dim)
        Missing entries hold an interpolated value.
    seen : array of bool, shape (node, dim)
        False where a value was missing.
    inputs : array, shape (node, input)
    linked : array of bool, shape (node - 1,)
        Whether a row and the next belong to one stretch.
    names, units, input_names : tuple of str
    time_unit : str
    """

    times: np.ndarray
    values: np.ndarray
    seen: np.ndarray
    inputs: np.ndarray
    linked: np.ndarray
    names: tuple[str, ...]
    units: tuple[str, ...]
    input_names: tuple[str, ...]
    time_unit: str

    def __len__(self) -> int:
        return len(self.times)

    @property
    def dim(self) -> int:
        """Number of columns."""
        return self.values.shape[1]

    @property
    def steps(self) -> np.ndarray:
        """Time from each row to the next, zero where they are not linked, (node - 1,)."""
        return np.where(self.linked, np.diff(self.times), 0.0)

    @property
    def stretches(self) -> tuple[slice, ...]:
        """Rows that are linked to each other."""
        ends = np.r_[np.flatnonzero(~self.linked) + 1, len(self)]
        return tuple(slice(a, b) for a, b in zip(np.r_[0, ends[:-1]], ends, strict=True))

    @property
    def measured(self) -> np.ndarray:
        """Which columns hold a measured value at all, (dim,)."""
        return np.asarray(self.seen.any(axis=0))

    @property
    def span(self) -> np.ndarray:
        """Standard deviation of each column, (dim,); of the guess for one that is never measured."""
        known = self.seen | ~self.measured
        return np.asarray([self.values[known[:, j], j].std() for j in range(self.dim)], dtype=float)

    def rows(self, chosen: np.ndarray) -> Nodes:
        """Some of the rows; neighbours in time that lost what lay between them are not linked."""
        chosen = np.asarray(chosen)
        joined = (np.diff(chosen) == 1) & self.linked[chosen[:-1]]
        return dataclasses.replace(
            self,
            times=self.times[chosen],
            values=self.values[chosen],
            seen=self.seen[chosen],
            inputs=self.inputs[chosen],
            linked=joined,
        )


def nodes_of(data: Any, *, least: int = 8) -> Nodes:
    """The rows of `data` that hold something, linked within records and across short gaps.

    Parameters
    ----------
    data : Recording, Trajectory, array, table or path
        See `as_recording`. Uneven times, missing values and several records are used as they are.
    least : int
        Rows that a stretch needs to be kept.

    Raises
    ------
    InvalidInput
        If no stretch is long enough, a column is constant or empty, or values cannot be squared.
    """
    recording = as_recording(data)
    step = median_step(recording)
    parts = [_rows(record, step, least) for record in recording]
    found = [stretch for part in parts for stretch in part]
    if not found:
        raise InvalidInput(
            f"No stretch holds {least} rows without a long gap. Give a longer record, or leave out "
            "columns with many missing values."
        )
    first = recording[0]
    linked = np.ones(sum(len(s[0]) for s in found) - 1, dtype=bool)
    linked[np.cumsum([len(s[0]) for s in found])[:-1] - 1] = False
    values = np.concatenate([s[1] for s in found])
    seen = np.concatenate([s[2] for s in found])
    _checked(values, seen, first.names)
    return Nodes(
        times=np.concatenate([s[0] for s in found]),
        values=values,
        seen=seen,
        inputs=np.concatenate([s[3] for s in found]),
        linked=linked,
        names=first.names,
        units=first.units,
        input_names=first.input_names,
        time_unit=first.time_unit,
    )


def median_step(recording: Recording) -> float:
    """From a row to the next, over all records.

    Raises
    ------
    InvalidInput
        If there is none, or its powers are no numbers.
    """
    steps = [np.diff(record.times) for record in recording if len(record) > 1]
    if not steps:
        raise InvalidInput("No record has two rows. Equations need a time series.")
    step = float(np.median(np.concatenate(steps)))
    if not SMALLEST < step < LARGEST:
        raise InvalidInput(
            f"Times are {step:.3g} apart, too {'small' if step < 1 else 'large'} for powers of "
            f"rates. Give time in {'smaller' if step < 1 else 'larger'} units."
        )
    return step


def _rows(record: Any, step: float, least: int) -> list[tuple[np.ndarray, ...]]:
    """Stretches of one record: times, values, seen, inputs."""
    seen = np.isfinite(record.states)
    inputs = np.empty((len(record), 0)) if record.inputs is None else record.inputs
    kept = np.flatnonzero(seen.any(axis=1) & np.isfinite(inputs).all(axis=1))
    if len(kept) == 0:
        return []
    times = record.times[kept]
    breaks = np.flatnonzero(np.diff(times) > LONGEST_LINK * step) + 1
    found: list[tuple[np.ndarray, ...]] = []
    for rows in np.split(kept, breaks):
        here = seen[rows]
        if len(rows) < least or (here.sum(axis=0) < 2).any():
            continue
        t = record.times[rows]
        columns = [
            np.interp(t, t[here[:, j]], record.states[rows[here[:, j]], j])
            for j in range(record.dim)
        ]
        found.append((t, np.stack(columns, axis=1), here, inputs[rows]))
    return found


def _checked(values: np.ndarray, seen: np.ndarray, names: tuple[str, ...]) -> None:
    for j, name in enumerate(names):
        check_column(name, values[seen[:, j], j])


def check_column(name: str, values: np.ndarray) -> None:
    """Refuse a column that does not move, or of which powers are no numbers."""
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if not size < LARGEST:
        raise InvalidInput(
            f"Values of {name!r} reach {size:.3g}, too large for products of columns. "
            "Give the column in larger units."
        )
    if high - low <= 1e-12 * size:
        raise InvalidInput(
            f"Column {name!r} is constant, so that nothing can be learned of it. Leave it out."
        )
    if high - low < SMALLEST:
        raise InvalidInput(
            f"Values of {name!r} differ by {high - low:.3g} at most, too little for products of "
            "columns. Give the column in smaller units."
        )


def noise_variance(nodes: Nodes, kind: str = "flow") -> np.ndarray:
    r"""Variance of measurement noise in each column, from sixth differences, (dim,).

    :math:`\hat\sigma^2 = \langle (\Delta^6 y)^2 \rangle / \binom{12}{6}` over runs of seven samples
    that are seen and evenly spaced, with the median in place of the mean square. What a sparsely
    sampled signal does within seven samples counts as noise, so this is an upper end. Iterates of a
    map are not smooth in time: there it is a hundredth of each variance, to begin with.
    """
    if kind == "map":
        return np.asarray(0.01 * nodes.span**2)
    weights = np.array([(-1.0) ** k * comb(DIFFERENCES, k) for k in range(DIFFERENCES + 1)])
    width = DIFFERENCES + 1
    variance = np.empty(nodes.dim)
    steps = np.where(nodes.linked, np.diff(nodes.times), np.nan)
    if len(nodes) < 3 * width:
        return np.asarray((0.05 * nodes.span) ** 2)
    run = np.lib.stride_tricks.sliding_window_view(steps, DIFFERENCES)
    even = np.ptp(run, axis=1) <= 0.02 * run.mean(axis=1)
    for j in range(nodes.dim):
        windows = np.lib.stride_tricks.sliding_window_view(nodes.values[:, j], width)
        there = np.lib.stride_tricks.sliding_window_view(nodes.seen[:, j], width).all(axis=1)
        rows = even & there
        if rows.sum() < 2 * width:
            variance[j] = _uneven_variance(nodes, j)
            continue
        squares = (windows[rows] @ weights) ** 2 / comb(2 * DIFFERENCES, DIFFERENCES)
        variance[j] = np.median(squares) / 0.4549364  # median of chi-squared with one degree
    return np.maximum(variance, (FINEST * nodes.span) ** 2)


def _uneven_variance(nodes: Nodes, column: int) -> float:
    """From the middle one of three samples against the line through its neighbours (Gasser)."""
    t, y = nodes.times, nodes.values[:, column]
    ok = nodes.linked[:-1] & nodes.linked[1:]
    seen = nodes.seen[:, column]
    ok &= seen[:-2] & seen[1:-1] & seen[2:]
    if ok.sum() < 8:
        return float((0.05 * nodes.span[column]) ** 2)
    a = (t[2:] - t[1:-1]) / (t[2:] - t[:-2])
    residual = a * y[:-2] + (1 - a) * y[2:] - y[1:-1]
    return float(np.median((residual**2 / (a**2 + (1 - a) ** 2 + 1))[ok]) / 0.4549364)
