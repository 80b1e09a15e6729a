"""Slopes of the correlation integral of a noisy record: a Gaussian kernel, and the noise divided out."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.core import Estimate
from takens.series.correlation_sum import CorrelationSums, correlation_sums
from takens.series.observable import DelayVectors
from takens.series.slopes import SlopeEnsemble, combined, jackknife_error, slope_ensemble

MAX_PAIRS = 10_000_000
LEAST_NOISE = 0.015  # standard deviations; less leaves room for a scaling region above it
MOST_NOISE = 0.25

_MIN_PAIRS = 100
_SEEN = 0.25  # share of the slope of pure noise that each coordinate must bring at small bandwidths
_LOOKED_AT = 5  # bandwidths, one octave
_RANGES = (2.0, 1.5, 4.0)  # largest bandwidth that the noise is fitted on, in noise levels
_ABOVE = 1.3  # smallest bandwidth that a slope is taken on, in noise levels
_LESS = 0.92  # the rule parts neighbours, too: a lower level is looked at beside those fitted
_UPPER = 0.1  # kernel sums above this share feel the edges of the attractor
_STEP = 2.0**0.125
_BANDWIDTHS = 2.0 ** np.arange(-10, 0.51, 0.25)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class NoisySlopes:
    """Slopes of a record whose noise was divided out, under the best of three noise levels.

    Parameters
    ----------
    noise : Estimate
        Standard deviation of the noise, in standard deviations of the record.
    members : SlopeEnsemble
        With `low` and `high` as indices into `bandwidths`.
    others : tuple of SlopeEnsemble
        The same under the noise levels that other ranges of bandwidth suggest.
    bandwidths : array, shape (n_bandwidths,)
        Of the kernel and the noise together.
    curves : array, shape (n_dimensions, n_bandwidths)
        Logarithm of the kernel sums without their noise; NaN where pairs are few.
    steps : array, shape (1 + n_blocks, n_dimensions - 1)
        Fall of the logarithm of the kernel sum with each further dimension, without its noise; of
        the whole record and without each block of time.
    """

    noise: Estimate
    members: SlopeEnsemble
    others: tuple[SlopeEnsemble, ...]
    bandwidths: np.ndarray
    curves: np.ndarray
    steps: np.ndarray

    def value(self, level: float) -> Estimate:
        """Weighted mean of the best level; its error joins the difference to the other levels."""
        found = self.members.value(level)
        values = [found.value, *(other.value(level).value for other in self.others)]
        error = float(np.hypot(found.standard_error, np.std(values)))
        half = (found.interval[1] - found.value) * error / max(found.standard_error, 1e-12)
        return dataclasses.replace(
            found,
            interval=(found.value - half, found.value + half),
            standard_error=error,
            method=found.method + ", noise divided out",
        )

    def entropy(self, step: float, level: float, unit: str) -> Estimate:
        """Entropy per time unit of the last step in dimension; `step` is the time it takes."""
        rates = self.steps / step
        base = combined(rates[0, -1:], rates[1:, -1:], np.ones(1), level)
        error = float(np.hypot(base.standard_error, rates[0, -1] - rates[0, 0]))
        half = (base.interval[1] - base.value) * error / max(base.standard_error, 1e-12)
        return dataclasses.replace(
            base,
            interval=(base.value - half, base.value + half),
            standard_error=error,
            unit=unit,
            method="blocks of time, last step in dimension, noise divided out",
        )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Sums:
    """Histograms of squared distances that give kernel sums at any bandwidth."""

    histograms: np.ndarray  # (1 + n_blocks, n_dimensions, n_bins), the whole first
    distances: np.ndarray  # (n_bins,), middle of each bin
    coordinates: np.ndarray  # (n_dimensions,)

    def at(self, bandwidths: np.ndarray) -> np.ndarray:
        """Mean of exp(-d^2 / 4 h^2) over pairs, shape (1 + n_blocks, n_dimensions, n_bandwidths)."""
        kernel = np.exp(-(self.distances[:, None] ** 2) / (4 * bandwidths**2))
        total = self.histograms.sum(axis=-1, keepdims=True)
        return np.asarray(self.histograms @ kernel / np.maximum(total, 1))

    def enough(self, sums: np.ndarray) -> np.ndarray:
        """Where the whole record has pairs enough, shape (n_dimensions, n_bandwidths)."""
        return np.asarray(sums[0] * self.histograms[0].sum(axis=-1)[:, None] >= _MIN_PAIRS)


def _sums(found: CorrelationSums, width: int) -> _Sums:
    every = np.concatenate([found.counts[None], found.without]).astype(float)
    edges = found.radii
    return _Sums(
        histograms=np.diff(every, axis=-1, prepend=0.0),
        distances=np.sqrt(edges * np.concatenate([edges[:1], edges[:-1]])),
        coordinates=found.dimensions * width,
    )


def _logs(sums: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(sums, 1e-300)))


def _first_guess(sums: _Sums) -> float:
    """Noise level from how fast pairs part with each coordinate at the smallest bandwidths; or 0.

    The logarithm of the ratio of successive kernel sums has the slope ``-s^2 / (s^2 + h^2)`` for
    each coordinate under noise of level `s`, and none without.
    """
    made = sums.at(_BANDWIDTHS)
    fine, logs = sums.enough(made), _logs(made[0])
    guesses, slopes = [], []
    for k in range(len(logs) - 1):
        at = np.flatnonzero(fine[k + 1])[:_LOOKED_AT]
        if len(at) < _LOOKED_AT:
            continue
        fall = (logs[k] - logs[k + 1])[at] / (sums.coordinates[k + 1] - sums.coordinates[k])
        h = _BANDWIDTHS[at]
        slope = float((fall[0] - fall[-1]) / np.log(h[-1] / h[0]))
        slopes.append(slope)
        guesses.append(np.sqrt(h[0] * h[-1] * max(slope, 0.0) / max(1 - slope, 0.01)))
    if not slopes or np.median(slopes) < _SEEN:
        return 0.0
    return float(np.median(guesses))


def _level(sums: _Sums, logs: np.ndarray, fine: np.ndarray, guess: float, top: float) -> float:
    """Noise level under which successive kernel sums stay in proportion; NaN where pairs are few.

    Least squares of ``ln T_m - ln T_(m+1) = k_m + ln(1 + s^2 / h^2) / 2`` over all `k_m` and one
    `s`, on bandwidths up to `top` noise levels.
    """
    from scipy.optimize import minimize_scalar

    level = guess
    for _ in range(8):
        parts = []
        for k in range(len(logs) - 1):
            at = np.flatnonzero(fine[k] & fine[k + 1] & (top * level >= _BANDWIDTHS))
            if len(at) >= 3:
                share = (sums.coordinates[k + 1] - sums.coordinates[k]) / 2
                parts.append(((logs[k] - logs[k + 1])[at] / share, _BANDWIDTHS[at] ** 2))
        if not parts:
            return float("nan")

        def misfit(log_level: float, parts: list[tuple[np.ndarray, np.ndarray]] = parts) -> float:
            variance = np.exp(2 * log_level)
            left = (fall - np.log1p(variance / square) for fall, square in parts)
            return float(sum(np.sum((one - one.mean()) ** 2) for one in left))

        grid = np.log(level) + np.linspace(-1, 1, 21)
        best = int(np.clip(np.argmin([misfit(g) for g in grid]), 1, 19))
        found = minimize_scalar(misfit, bounds=(grid[best - 1], grid[best + 1]), method="bounded")
        before, level = level, float(np.exp(found.x))
        if abs(np.log(level / before)) < 0.01:
            break
    return level


def _ensemble(
    sums: _Sums, levels: np.ndarray
) -> tuple[SlopeEnsemble, np.ndarray, np.ndarray] | None:
    """Slopes with noise of ``levels[0]`` divided out, without block b of ``levels[1 + b]``.

    Returns
    -------
    members : SlopeEnsemble
    bandwidths, curves : array
        As in `NoisySlopes`.
    """
    bottom = np.log2(_ABOVE * levels.max())
    both = 2.0 ** np.arange(bottom, 0.51, np.log2(_STEP))
    made = np.empty((len(levels), len(sums.coordinates), len(both)))
    logs = np.empty_like(made)
    for row, level in enumerate(levels):
        h = np.sqrt(both**2 - level**2)
        one = dataclasses.replace(sums, histograms=sums.histograms[row : row + 1])
        made[row] = one.at(h)[0]
        logs[row] = _logs(made[row]) + sums.coordinates[:, None] / 2 * np.log1p((level / h) ** 2)
    usable = sums.enough(made) & (made[0] <= _UPPER)
    inside = np.flatnonzero(usable.any(axis=0))
    if not inside.size:
        return None
    part = slice(int(inside[0]), int(inside[-1]) + 1)
    keep = usable[:, part]
    filled = np.where(keep, logs[:, :, part], 0.0)
    members = slope_ensemble(np.log(both[part]), filled[0], filled[1:], keep)
    if members is None:
        return None
    return members, both[part], np.where(keep, logs[0][:, part], np.nan)


def noisy_slopes(
    vectors: DelayVectors, dimensions: np.ndarray, *, theiler: int, level: float
) -> NoisySlopes | None:
    r"""Slopes of the correlation integral with Gaussian noise divided out, where there is noise.

    With a Gaussian kernel the correlation integral of a record with Gaussian noise of level
    :math:`\sigma` is exactly

    .. math:: T_m(h) = \Bigl\langle e^{-\lVert x_i - x_j \rVert^2 / 4 h^2} \Bigr\rangle
              = \Bigl(\frac{h^2}{h^2 + \sigma^2}\Bigr)^{m/2} T^0_m\bigl(\sqrt{h^2 + \sigma^2}\bigr) ,

    :math:`T^0_m` that of the clean record, which grows as its argument to the power :math:`D_2`.
    The level is the one under which successive dimensions stay in proportion.

    Parameters
    ----------
    vectors : DelayVectors
        Of the largest dimension asked.
    dimensions : array of int
        Increasing by one.
    theiler : int
        Pairs at most this many samples apart are left out.
    level : float
        Nominal coverage of the interval of the noise level.

    Returns
    -------
    NoisySlopes or None
        None where small distances show no noise between 1.5 and 25 % of the standard deviation, or no
        window above it is left.

    References
    ----------
    Diks (1996), Phys. Rev. E 53, R4263, eq. 4; Yu, Small, Harrison and Diks (2000), Phys. Rev. E
    61, 3750.
    """
    found = correlation_sums(
        vectors, dimensions, theiler=theiler, max_pairs=MAX_PAIRS, euclidean=True
    )
    sums = _sums(found, vectors.n_components)
    guess = _first_guess(sums)
    if not LEAST_NOISE <= guess <= MOST_NOISE:
        return None
    kernel_sums = sums.at(_BANDWIDTHS)
    fine, logs = sums.enough(kernel_sums), _logs(kernel_sums)
    best = [_level(sums, logs[0], fine, guess, top) for top in _RANGES]
    blocks = np.array([_level(sums, row, fine, best[0], _RANGES[0]) for row in logs[1:]])
    if not np.isfinite(best).all() or not np.isfinite(blocks).all():
        return None
    if not LEAST_NOISE <= best[0] <= MOST_NOISE:
        return None
    ensembles: list[tuple[SlopeEnsemble, np.ndarray, np.ndarray]] = []
    for one in (*best, _LESS * best[0]):
        made = _ensemble(sums, one / best[0] * np.array([best[0], *blocks]))
        if made is None:
            return None
        ensembles.append(made)
    return NoisySlopes(
        noise=_noise(best, blocks, level),
        members=ensembles[0][0],
        others=tuple(made[0] for made in ensembles[1:]),
        bandwidths=ensembles[0][1],
        curves=ensembles[0][2],
        steps=_steps(sums, logs, fine, np.array([best[0], *blocks])),
    )


def _noise(best: list[float], blocks: np.ndarray, level: float) -> Estimate:
    from scipy.special import stdtrit

    error = float(np.hypot(jackknife_error(blocks), np.std(best)))
    half = float(stdtrit(len(blocks) - 1, 0.5 + level / 2)) * error
    return Estimate(
        value=best[0],
        interval=(max(0.0, best[0] - half), best[0] + half),
        standard_error=error,
        level=level,
        method=f"{len(blocks)} blocks x {len(best)} ranges of bandwidth",
    )


def _steps(sums: _Sums, logs: np.ndarray, fine: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Mean over bandwidths within two noise levels of the fall with each further dimension."""
    width = np.diff(sums.coordinates)[:, None] / 2
    part = np.log1p((levels[:, None] / _BANDWIDTHS) ** 2)
    fall = logs[:, :-1] - logs[:, 1:] - width * part[:, None, :]
    near = fine[1:] & (_RANGES[0] * levels[0] >= _BANDWIDTHS)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(near, fall, 0.0).sum(axis=-1) / near.sum(axis=-1))
