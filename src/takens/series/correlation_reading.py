"""Readings of correlation sums: what an ensemble of slopes says, and whether it is to be trusted."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.core import Estimate
from takens.series.correlation_sum import CorrelationSums
from takens.series.noisy_dimension import NoisySlopes
from takens.series.slopes import SlopeEnsemble, combined, likelihood_slopes, slope_ensemble

MIN_PAIRS = 100

_UPPER = 0.1  # correlation sums above this share feel the edges of the attractor
_AGREEMENT = 0.06  # slopes of successive dimensions must agree this well, half their range
_LARGEST_ERROR = 0.09  # share of the value
_BELOW_CEILING = 0.75  # near the ceiling noise has room for a plateau of an octave or two
_CROWDING = 3.0  # close pairs near in time, over their share among all pairs
_PLATEAU = 0.2  # a smaller slope over an octave: values repeat, the record is not resolved below
_OCTAVE = 8


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """What an ensemble of slopes says, before it is trusted."""

    dimension: Estimate
    likelihood: Estimate
    entropy: Estimate
    scaling: tuple[float, float]
    window: tuple[np.ndarray, np.ndarray]  # log radii and logs of the sums, of the best window
    agreement: float
    crowding: float

    def trusted(self, ceiling: float) -> bool:
        """Whether the slopes agree, are known well enough, and are not what noise would give."""
        value = self.dimension.value
        return (
            self.agreement <= _AGREEMENT
            and self.dimension.standard_error <= _LARGEST_ERROR * value
            and value <= _BELOW_CEILING * ceiling
            and self.crowding <= _CROWDING
        )


def _usable(found: CorrelationSums) -> np.ndarray:
    """Radii that hold enough pairs, below the edges and above the resolution of the values."""
    few, many = found.counts >= MIN_PAIRS, found.sums <= _UPPER
    log_r = np.log(found.radii)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_c = np.log(found.counts)
        slope = (log_c[:, _OCTAVE:] - log_c[:, :-_OCTAVE]) / (log_r[_OCTAVE:] - log_r[:-_OCTAVE])
    flat = np.zeros_like(few)
    flat[:, _OCTAVE:] = (slope < _PLATEAU) & few[:, :-_OCTAVE]
    flat &= many
    resolved = np.cumsum(flat[:, ::-1], axis=1)[:, ::-1] == 0  # nothing flat at or above
    present = (found.without > 0).all(axis=0)
    return np.asarray(few & many & resolved & present)


def _ensemble(found: CorrelationSums) -> SlopeEnsemble | None:
    """Slopes over all windows and dimensions; indices refer to the whole grid of radii."""
    usable = _usable(found)
    inside = np.flatnonzero(usable.any(axis=0))
    if not inside.size:
        return None
    part = slice(int(inside[0]), int(inside[-1]) + 1)
    keep = usable[:, part]
    with np.errstate(divide="ignore"):
        log_c = np.where(keep, np.log(found.counts[:, part]), 0.0)
        log_without = np.where(keep, np.log(found.without[:, :, part]), 0.0)
    made = slope_ensemble(np.log(found.radii[part]), log_c, log_without, keep)
    if made is None:
        return None
    return dataclasses.replace(made, low=made.low + part.start, high=made.high + part.start)


def _crowding(found: CorrelationSums, at: int, curve: int) -> float:
    """Share of close pairs that are near in time over that of all pairs: 1 for a return map."""
    close = found.near_counts[curve, at] / max(int(found.counts[curve, at]), 1)
    return float(close / max(found.near_share, 1e-12))


def _entropy(
    found: CorrelationSums, members: SlopeEnsemble, step: float, level: float, unit: str
) -> Estimate:
    """Logarithm of the ratio of two successive curves over the time of one step, in the windows."""
    every = np.concatenate([found.counts[None], found.without])[:, -3:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(every[:, :-1] / every[:, 1:]) / step  # (1 + n_blocks, 1 or 2, n_radii)
    whole = np.concatenate([np.zeros_like(ratio[..., :1]), np.cumsum(
        np.where(np.isfinite(ratio), ratio, 0.0), axis=-1)], axis=-1)  # fmt: skip
    mean = (whole[..., members.high] - whole[..., members.low]) / (members.high - members.low)
    last = mean[:, -1]
    base = combined(last[0], last[1:], members.weights, level)
    descent = abs(float(members.weights @ (mean[0, -1] - mean[0, 0])))
    error = float(np.hypot(base.standard_error, descent))
    half = (base.interval[1] - base.value) * error / max(base.standard_error, 1e-12)
    return dataclasses.replace(
        base,
        interval=(base.value - half, base.value + half),
        standard_error=error,
        unit=unit,
        method=base.method + ", last step in dimension",
    )


def clean_reading(found: CorrelationSums, step: float, level: float, unit: str) -> Reading | None:
    """Reading of the maximum norm; None where no window is usable."""
    members = _ensemble(found)
    if members is None:
        return None
    best, log_r = int(np.argmin(members.error)), np.log(found.radii)
    low, high, curve = (int(v[best]) for v in (members.low, members.high, members.curve))
    guess = members.value(level)
    every = np.concatenate([found.counts[None], found.without])
    ml = likelihood_slopes(log_r, every, members.low, members.high, members.curve)
    enough = np.where(found.counts[:, low] >= MIN_PAIRS, 1.0, np.nan)[:, None]
    return Reading(
        dimension=guess,
        likelihood=combined(ml[0], ml[1:], members.weights, level),
        entropy=_entropy(found, members, step, level, unit),
        scaling=(float(found.radii[low]), float(found.radii[high - 1])),
        window=(log_r[low:high], enough * np.log(np.maximum(found.counts[:, low:high], 1))),
        agreement=float(members.weights @ members.disagreement / max(guess.value, 1e-12)),
        crowding=_crowding(found, high - 1, curve),
    )


def noisy_reading(noisy: NoisySlopes, found: CorrelationSums, level: float) -> Reading:
    """Reading of the Gaussian kernel; pairs of the maximum norm tell whether they are crowded."""
    members, guess = noisy.members, noisy.value(level)
    best = int(np.argmin(members.error))
    low, high, curve = (int(v[best]) for v in (members.low, members.high, members.curve))
    scaling = (float(noisy.bandwidths[low]), float(noisy.bandwidths[high - 1]))
    inside = slice(low, high)
    nothing = Estimate(value=np.nan, level=level)
    at = int(np.searchsorted(found.radii, scaling[1]))
    return Reading(
        dimension=guess,
        likelihood=nothing,
        entropy=nothing,
        scaling=scaling,
        window=(np.log(noisy.bandwidths[inside]), noisy.curves[:, inside]),
        agreement=float(members.weights @ members.disagreement / max(guess.value, 1e-12)),
        crowding=_crowding(found, at, curve),
    )
