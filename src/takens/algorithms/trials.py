"""Runs in whatever container they come, as trials, and trials dealt into units."""

from __future__ import annotations

from typing import Any

import numpy as np

from takens.algorithms.fingerprints import Trials
from takens.algorithms.recording import TrainingRun
from takens.core import InvalidInput, Recording, Trajectory

LEAST_STEPS = 8


def as_trials(run: Any, n_steps: int, what: str) -> Trials:
    """Trials of shape (time, column), whatever they came in.

    Raises
    ------
    InvalidInput
        If one is no array of finite numbers that move.
    """
    from takens.core.system import AbstractSystem
    from takens.dynamics.ensemble import Ensemble
    from takens.dynamics.trajectory import trajectories

    if isinstance(run, TrainingRun):
        shown = run.loss[:, None] if run.projections is None else run.projections
        return [_checked(shown, what)]
    if isinstance(run, Trajectory):
        return [_checked(run.states, what)]
    if isinstance(run, Recording):
        return [_checked(record.states, what) for record in run]
    if isinstance(run, AbstractSystem):
        raise InvalidInput(
            f"{what} is a system without starts. Give (system, x0), with x0 of shape (sample, dim)."
        )
    if isinstance(run, tuple) and len(run) == 2 and isinstance(run[0], AbstractSystem):
        run = trajectories(run[0], run[1], np.arange(n_steps + 1.0))
    if isinstance(run, Ensemble):
        return [_checked(states, what) for states in run.states]
    if isinstance(run, (list, tuple)) and run and any(np.ndim(_bare(one)) for one in run):
        return [trial for one in run for trial in as_trials(one, n_steps, what)]
    array = _numbers(run, what)
    return [_checked(a, what) for a in (array if array.ndim == 3 else array[None])]


def _bare(one: Any) -> Any:
    """Something with a number of dimensions, which what is no array counts to have."""
    return one if isinstance(one, (int, float, np.ndarray, np.generic)) else [0.0]


def _numbers(values: Any, what: str) -> np.ndarray:
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInput(f"{what} holds something that is no array of real numbers.") from None
    if array.ndim not in (1, 2, 3):
        raise InvalidInput(
            f"{what} has shape {array.shape}; expected (time, column), a list of such, or (trial, time, "
            "column)."
        )
    return array


def _checked(values: Any, what: str) -> np.ndarray:
    trial = _numbers(values, what)
    if trial.ndim == 1:
        trial = trial[:, None]
    if trial.ndim != 2 or not trial.shape[1]:
        raise InvalidInput(f"A trial of {what} has shape {trial.shape}; expected (time, column).")
    if not np.isfinite(trial).all():
        raise InvalidInput(
            f"A trial of {what} holds NaN or infinity. Cut it before, or leave it out."
        )
    if np.abs(trial).max(initial=0.0) > 1e100:
        raise InvalidInput(f"A trial of {what} holds numbers beyond 1e100. Did it diverge? Cut it.")
    if len(trial) and not np.ptp(trial, axis=0).any():
        raise InvalidInput(f"A trial of {what} does not move. Leave it out.")
    return trial


def cut(trials: Trials, n_segments: int) -> Trials:
    """Consecutive pieces of trials that agree in their columns.

    Raises
    ------
    InvalidInput
        If they do not agree.
    """
    columns = {trial.shape[1] for trial in trials}
    if len(columns) != 1:
        raise InvalidInput(
            f"Trials of one run have {sorted(columns)} columns; expected one number."
        )
    return [piece for trial in trials for piece in np.array_split(trial, n_segments)]


def dealt(a: Trials, b: Trials, n_units: int) -> tuple[list[Trials], list[Trials]]:
    """Units of equally many trials of equal length, dealt in turn.

    Raises
    ------
    InvalidInput
        If the shortest trial is too short.
    """
    rows = min(len(trial) for trial in [*a, *b])
    if rows < LEAST_STEPS:
        raise InvalidInput(
            f"The shortest trial has {rows} times; expected {LEAST_STEPS} or more. Leave it out, or cut "
            "into fewer segments."
        )
    n_units = min(n_units, len(a), len(b))
    each = min(len(a), len(b)) // n_units
    made = [
        [[trial[:rows] for trial in trials[k::n_units][:each]] for k in range(n_units)]
        for trials in (a, b)
    ]
    return made[0], made[1]
