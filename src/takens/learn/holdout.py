"""Choosing settings inside the training data by forecasts of many steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from takens.data import Segments

CAP = 2.0  # squared error, in variances, at which a lost forecast stops counting as worse


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """An earlier part to learn from and a later part to be judged on.

    Parameters
    ----------
    early, late : Segments
    """

    early: Segments
    late: Segments


def cut(segments: Segments, keep: Callable[[int, int], slice], min_length: int) -> Segments:
    """The stretches cut by ``keep(index, length)``, those shorter than `min_length` dropped."""
    values, inputs, starts, records = [], [], [], []
    for index, part in enumerate(segments.values):
        rows = keep(index, len(part))
        if len(part[rows]) < min_length:
            continue
        drivers = segments.inputs[index]
        values.append(part[rows])
        inputs.append(None if drivers is None else drivers[rows])
        starts.append(segments.starts[index] + segments.dt * (rows.start or 0))
        records.append(segments.records[index])
    return dataclasses.replace(
        segments,
        values=tuple(values),
        inputs=tuple(inputs),
        starts=tuple(starts),
        records=tuple(records),
    )


def holdout(segments: Segments, *, share: float = 0.25, max_early: int = 3_000) -> Split:
    """The last `share` of the samples, in order of stretches, against what comes before.

    Of the earlier part the most recent `max_early` samples are kept: enough to rank settings.
    """
    lengths = np.array([len(v) for v in segments.values])
    ends = np.cumsum(lengths)
    border = int(ends[-1] * (1 - share))
    first = max(0, border - max_early)

    def early(index: int, length: int) -> slice:
        begin = int(ends[index]) - length
        return slice(
            int(np.clip(first - begin, 0, length)), int(np.clip(border - begin, 0, length))
        )

    def late(index: int, length: int) -> slice:
        return slice(int(np.clip(border - int(ends[index]) + length, 0, length)), length)

    return Split(early=cut(segments, early, 4), late=cut(segments, late, 4))


def correlation_length(segments: Segments, frame: Any) -> int:
    """First lag at which the mean autocorrelation of the coordinates falls below 1/e, at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from takens.data import regular_segments
    >>> from takens.learn.frame import fit_frame
    >>> data = regular_segments(np.cos(2 * np.pi * np.arange(400) / 40))
    >>> correlation_length(data, fit_frame(data, 4)[0])
    8
    """
    z = frame.encode(segments.longest[-8_192:])
    z = z - z.mean(axis=0)
    n = len(z)
    size = 1 << (2 * n - 1).bit_length()
    power = np.abs(np.fft.rfft(z, size, axis=0)) ** 2
    covariance = np.fft.irfft(power.sum(axis=1), size)[: n // 4 + 1]
    if not covariance[0] > 0:
        return 1
    low = np.flatnonzero(covariance / covariance[0] < np.exp(-1))
    return int(max(1, low[0])) if low.size else max(1, n // 16)


def judged_steps(correlation: int) -> int:
    """How many steps a candidate is judged on: three correlation lengths, within 24 to 60.

    Examples
    --------
    >>> judged_steps(1), judged_steps(15), judged_steps(500)
    (24, 45, 60)
    """
    return min(60, max(24, 3 * correlation))


def multistep_score(
    advance: Callable[[np.ndarray, np.ndarray], np.ndarray],
    late: Segments,
    frame: Any,
    lags: tuple[int, ...],
    n_candidates: int,
    *,
    n_origins: int = 40,
    n_steps: int = 24,
) -> np.ndarray:
    """Capped squared error of multi-step forecasts, averaged over steps.

    Parameters
    ----------
    advance : callable
        From delay coordinates (candidate, origin, delayed) and inputs (origin, input) to the next
        sample (candidate, origin, coordinate).
    late : Segments
        Held-out part of the training data.
    lags : tuple of int
    n_candidates : int
        How many settings are judged side by side.

    Returns
    -------
    array, shape (candidate, origin)
        In variances, between 0 and `CAP`; infinite when no stretch is long enough.
    """
    window = max(lags) + 1
    stretch = max((len(v) for v in late.values), default=0)
    n_steps = min(n_steps, max(1, (stretch - window) // 2))
    places = [
        (index, row)
        for index, part in enumerate(late.values)
        for row in range(window - 1, len(part) - n_steps)
    ]
    if not places:
        return np.full((n_candidates, 1), np.inf)
    chosen = [places[i] for i in np.unique(np.linspace(0, len(places) - 1, n_origins).astype(int))]
    encoded = [frame.encode(part) for part in late.values]
    windows = np.stack([encoded[i][row - window + 1 : row + 1][::-1] for i, row in chosen])
    truth = np.stack([encoded[i][row + 1 : row + 1 + n_steps] for i, row in chosen])
    drivers = np.stack(
        [
            np.empty((n_steps, 0))
            if late.inputs[i] is None
            else late.inputs[i][row : row + n_steps]
            for i, row in chosen
        ]
    )
    state = np.repeat(windows[None], n_candidates, axis=0)
    picks, total = list(lags), np.zeros((n_candidates, len(chosen)))
    for step in range(n_steps):
        delayed = state[:, :, picks].reshape(n_candidates, len(chosen), -1)
        with np.errstate(all="ignore"):
            new = np.clip(np.nan_to_num(advance(delayed, drivers[:, step]), nan=1e6), -1e6, 1e6)
            error = ((new - truth[:, step]) ** 2).mean(axis=-1)
        total += np.minimum(error, CAP)
        state = np.concatenate([new[:, :, None], state[:, :, :-1]], axis=2)
    return np.asarray(total / n_steps)


def simplest_first(scores: list[np.ndarray], complexity: list[int]) -> list[int]:
    """Candidates in the order in which they deserve to be taken.

    First those within one standard error of the best mean score, the simplest of them first;
    then the others by their score. Held-out forecasts are few, and without this the richest
    candidate wins by luck.

    Examples
    --------
    >>> simplest_first([np.array([0.5, 0.7]), np.array([0.5, 0.6]), np.array([2.0, 2.0])], [1, 9, 4])
    [0, 1, 2]
    """
    means = np.array([s.mean() for s in scores])
    best = int(np.argmin(means))
    error = float(scores[best].std() / max(len(scores[best]) - 1, 1) ** 0.5)
    # of errors too small to matter for noise, a factor two is not worth a richer model
    close = means <= means[best] + max(error, min(3 * means[best], 1e-4))
    return sorted(
        range(len(scores)), key=lambda i: (not close[i], complexity[i] if close[i] else 0, means[i])
    )
