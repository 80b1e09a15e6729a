"""Rolling origins: which samples train, and from which samples forecasts start."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from takens.core import InvalidInput
from takens.data import Segments
from takens.learn.holdout import cut


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Fold:
    """One training past and the time block after it.

    Parameters
    ----------
    train : Segments
        Every sample before `start`, and none after.
    start, end : float
        The test block, in time units.
    """

    train: Segments
    start: float
    end: float


def folds(segments: Segments, n_folds: int, first_share: float = 0.5) -> list[Fold]:
    """Split by time: the first half trains the first fold, each block tests the past before it.

    Records that overlap in time are cut at the same moment, so that no fold learns from another
    record's future.
    """
    clocks = [
        start + segments.dt * np.arange(len(values))
        for start, values in zip(segments.starts, segments.values, strict=True)
    ]
    times = np.sort(np.concatenate(clocks))
    places = np.linspace(first_share * len(times), len(times), n_folds + 1).astype(int)
    edges = np.append(times[places[:-1]], times[-1] + segments.dt)
    found = []
    for start, end in itertools.pairwise(edges):
        stop = [int(np.searchsorted(clock, start)) for clock in clocks]
        train = cut(segments, lambda index, _, stop=stop: slice(0, stop[index]), 2)  # type: ignore[misc]
        if train.values and end > start:
            found.append(Fold(train=train, start=float(start), end=float(end)))
    if not found:
        raise InvalidInput(
            f"{segments.n_samples} samples cannot be split into a past and a future. "
            "Give a longer record."
        )
    return found


def origins(segments: Segments, fold: Fold, window: int, horizon: int, count: int) -> np.ndarray:
    """Stretch and row of at most `count` forecast origins in a fold's block, evenly spread.

    The origin is the last sample that a forecast sees; everything it is judged on lies in the
    block or after it. Origins with the whole horizon ahead come first.
    """
    full: list[np.ndarray] = []
    partial: list[np.ndarray] = []
    for index, values in enumerate(segments.values):
        offset = (fold.start - segments.starts[index]) / segments.dt
        first = max(int(np.ceil(offset - 1e-6)) - 1, window - 1)
        last = int(np.ceil((fold.end - segments.starts[index]) / segments.dt - 1e-6)) - 1
        rows = np.arange(first, min(last, len(values) - 1))
        whole = rows + horizon < len(values)
        for target, chosen in ((full, rows[whole]), (partial, rows[~whole])):
            target.append(np.stack([np.full(len(chosen), index), chosen], axis=1))
    places = np.concatenate(full)
    if len(places) < min(count, 8):
        places = np.concatenate([places, *partial])
    if len(places) == 0:
        return np.empty((0, 2), dtype=int)
    picks = np.unique(np.linspace(0, len(places) - 1, count).astype(int))
    return places[picks].astype(int)
