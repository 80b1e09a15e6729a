"""Forecasts of one model from many origins, on the host side of the simulation."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Fit
from takens.data import Segments
from takens.learn import AbstractHostMap
from takens.learn.simulate import residual_table

MAX_CELLS = 6_000_000  # numbers held at once by a block of forecasts
FAR = 10.0  # data ranges beyond which a free run has blown up, and at which errors are cut


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Starts:
    """Where forecasts start, and what happened afterwards.

    Parameters
    ----------
    places : integer array, shape (origin, 2)
        Stretch and row.
    truth : array, shape (origin, step, dim)
        NaN past the end of a stretch.
    inputs : array, shape (origin, step, n_inputs)
        Inputs over the forecast, known beforehand; the last one is held past the end.
    """

    places: np.ndarray
    truth: np.ndarray
    inputs: np.ndarray


def starts(segments: Segments, places: np.ndarray, horizon: int) -> Starts:
    """Collect truth and inputs after each origin."""
    dim = segments.values[0].shape[1]
    truth = np.full((len(places), horizon, dim), np.nan)
    n_inputs = len(segments.input_names)
    inputs = np.zeros((len(places), horizon, n_inputs))
    for row, (index, at) in enumerate(places):
        ahead = segments.values[index][at + 1 : at + 1 + horizon]
        truth[row, : len(ahead)] = ahead
        drivers = segments.inputs[index]
        if drivers is not None:
            last = len(drivers) - 1
            inputs[row] = drivers[np.minimum(np.arange(at, at + horizon), last)]
    return Starts(places=places, truth=truth, inputs=inputs)


def states(model: AbstractHostMap, segments: Segments, places: np.ndarray) -> np.ndarray:
    """State of the model at each origin, (origin, state)."""
    back = np.arange(model.window)
    past = np.stack([model.frame.encode(segments.values[i][at - back]) for i, at in places])
    inputs = np.zeros((*past.shape[:2], len(segments.input_names)))
    for row, (i, at) in enumerate(places):
        drivers = segments.inputs[i]
        if drivers is not None:
            inputs[row] = drivers[at - back]
    return model.start(past, inputs, clocks(segments, places))


def clocks(segments: Segments, places: np.ndarray) -> np.ndarray:
    """Sample number of each origin, counted from time zero."""
    first = np.array([round(start / segments.dt) for start in segments.starts])
    return np.asarray(first[places[:, 0]] + places[:, 1], dtype=float)


def block_rows(wanted: int, horizon: int, width: int) -> int:
    """Number of orbits in one block, so that a block stays within `MAX_CELLS` numbers."""
    return max(1, min(wanted, MAX_CELLS // (horizon * width)))


def forecast(
    fit: Fit[Any],
    segments: Segments,
    begin: Starts,
    n_members: int,
    rng: np.random.Generator,
    n_rows: int,
) -> np.ndarray:
    """Deterministic path (member 0) and `n_members` paths with resampled residuals.

    Returns
    -------
    array, shape (1 + n_members, origin, step, coordinate)
        In the model's coordinates; `n_rows` is the fixed number of orbits in one block.
    """
    model, horizon = fit.model, begin.truth.shape[1]
    count = len(begin.places)
    x0, n0 = states(model, segments, begin.places), clocks(segments, begin.places)
    table = residual_table(np.asarray(fit.diagnostics["residuals"]))
    rows = np.tile(np.arange(count), 1 + n_members)
    draws = rng.integers(1, len(table), size=(horizon, len(rows)))
    draws[:, :count] = 0
    width, parts = table.shape[1], []
    n_rows = block_rows(n_rows, horizon, width)
    for low in range(0, len(rows), n_rows):
        part = np.arange(low, min(low + n_rows, len(rows)))
        if model.one_shape:
            part = np.resize(part, n_rows)  # one shape, so one program
        orbit = rows[part]
        drive = np.swapaxes(begin.inputs[orbit], 0, 1)
        _, path = model.orbits(x0[orbit], n0[orbit], drive, table, draws[:, part])
        parts.append(np.swapaxes(path, 0, 1)[: min(n_rows, len(rows) - low)])
    return np.concatenate(parts).reshape(1 + n_members, count, horizon, width)


def blow_ups(
    fit: Fit[Any], segments: Segments, begin: Starts, n_steps: int, n_rows: int
) -> tuple[int, int]:
    """How many noise-free runs of `n_steps` leave the data's range tenfold, of how many."""
    model = fit.model
    values = np.concatenate(segments.values)
    z = model.frame.encode(values[-20_000:])
    centre, limit = z.mean(axis=0), FAR * np.ptp(z, axis=0) + 1e-9
    horizon = begin.truth.shape[1]
    size = block_rows(n_rows, horizon, z.shape[1])  # the shape that is already compiled
    begin = dataclasses.replace(
        begin, places=begin.places[:size], truth=begin.truth[:size], inputs=begin.inputs[:size]
    )
    count = len(begin.places)
    part = np.resize(np.arange(count), size) if model.one_shape else np.arange(count)
    x, n = states(model, segments, begin.places)[part], clocks(segments, begin.places)[part]
    table = np.zeros_like(residual_table(np.asarray(fit.diagnostics["residuals"])))
    draws = np.zeros((horizon, len(part)), dtype=int)
    drive = np.swapaxes(begin.inputs[part], 0, 1)
    out = np.zeros(len(part), dtype=bool)
    for _ in range(-(-n_steps // horizon)):
        x, path = model.orbits(x, n, drive, table, draws)
        n = n + horizon
        far = np.abs(path - centre) > limit
        out |= (far | ~np.isfinite(path)).any(axis=(0, 2))
    return int(out[:count].sum()), count
