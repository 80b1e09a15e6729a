"""Forecasts of every model from one fold's origins, scored against what happened."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Fit
from takens.data import Segments
from takens.validate.forecasts import FAR, Starts, forecast
from takens.validate.result import QUANTILES, Example
from takens.validate.scores import crps, pit

VALID_ERROR = 0.4


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """Per model and origin: squared error and CRPS at the leads, steps of validity, ranks."""

    squared: np.ndarray  # (model, origin, lead)
    score: np.ndarray  # (model, ensemble origin, lead)
    rank: np.ndarray  # (model, ensemble origin, lead)
    valid: np.ndarray  # (model, origin) in steps


def judge_fold(
    fits: dict[str, Fit[Any]],
    segments: Segments,
    train: Segments,
    begin: Starts,
    leads: np.ndarray,
    n_ensembles: int,
    n_members: int,
    rng: np.random.Generator,
    n_rows: int,
) -> Scores:
    """Squared errors, ensemble scores and steps of validity of every model on common origins."""
    scale = np.concatenate(train.values).std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    reach = FAR * np.ptp(np.concatenate(train.values), axis=0) / scale + FAR
    count = len(begin.places)
    some = np.unique(np.linspace(0, count - 1, min(n_ensembles, count)).astype(int))
    rest = np.setdiff1d(np.arange(count), some)
    squared, score, rank, valid = [], [], [], []
    noise = rng.integers(2**31)  # the same draws of rank ties for every model
    for fit in fits.values():
        host = fit.model.frame
        both = [pick(begin, rows) for rows in (some, rest)]
        crowd = forecast(fit, segments, both[0], n_members, rng, n_rows)
        alone = forecast(fit, segments, both[1], 0, rng, n_rows) if len(rest) else crowd[:1, :0]
        path = np.empty((count, *crowd.shape[2:]))
        path[some], path[rest] = crowd[0], alone[0]
        error = np.nan_to_num((host.decode(path) - begin.truth) / scale, nan=np.inf)
        error = np.where(np.isfinite(begin.truth), np.clip(error, -reach, reach), np.nan)
        known = np.isfinite(begin.truth).all(axis=2)
        mean_square = np.where(known, (np.nan_to_num(error) ** 2).mean(axis=2), np.nan)
        squared.append(mean_square[:, leads - 1])
        bad = np.nan_to_num(np.sqrt(mean_square), nan=0.0) > VALID_ERROR
        valid.append(np.where(bad.any(axis=1), bad.argmax(axis=1), known.sum(axis=1)))
        members = host.decode(crowd[1:][:, :, leads - 1])
        members = np.nan_to_num(members / scale, nan=np.inf)
        truth = begin.truth[some][:, leads - 1] / scale
        centre = np.concatenate(train.values).mean(axis=0) / scale
        members = np.clip(members, centre - reach, centre + reach)
        score.append(crps(members, truth).mean(axis=2))
        rank.append(pit(members, truth, np.random.default_rng(noise)).mean(axis=2, where=True))
        if truth.shape[2] > 1:  # ranks of one column: a mean of ranks is not uniform
            rank[-1] = pit(members[..., 0], truth[..., 0], np.random.default_rng(noise))
    return Scores(
        squared=np.stack(squared),
        score=np.stack(score),
        rank=np.stack(rank),
        valid=np.stack(valid).astype(float),
    )


def pick(begin: Starts, rows: np.ndarray) -> Starts:
    """Some of the origins."""
    return Starts(places=begin.places[rows], truth=begin.truth[rows], inputs=begin.inputs[rows])


def example_of(
    best: str,
    fits: dict[str, Fit[Any]],
    segments: Segments,
    begin: Starts,
    rng: np.random.Generator,
    n_rows: int,
) -> Example:
    """One forecast of the best model, from the last origin of all."""
    whole = np.flatnonzero(np.isfinite(begin.truth).all(axis=(1, 2)))
    row = int(whole[-1]) if whole.size else 0
    one = pick(begin, np.array([row]))
    n_members = min(200, n_rows - 1)
    fit = fits[best]
    paths = fit.model.frame.decode(forecast(fit, segments, one, n_members, rng, n_rows))
    members = paths[1:, 0]
    bounded = np.isfinite(members).all(axis=0)  # where a member has escaped there is no mean
    mean = np.where(bounded, members, 0.0).mean(axis=0)
    band = np.quantile(members, QUANTILES, axis=0, method="inverted_cdf")
    index, at = one.places[0]
    steps = begin.truth.shape[1]
    first = max(0, int(at) - 2 * steps)
    clock = segments.starts[index] + segments.dt * np.arange(first, at + steps + 1)
    past = int(at) - first + 1
    return Example(
        history_times=clock[:past],
        history=segments.values[index][first : at + 1],
        times=clock[past:],
        truth=one.truth[0],
        mean=np.where(bounded, mean, np.nan),
        quantiles=np.where(np.isfinite(band), band, np.nan),
        model=best,
    )
