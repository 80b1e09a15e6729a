"""The linear Gaussian null for records with missing samples or uneven times.

The missing part is drawn from its distribution given what was measured, under the null: values are
mapped to normal scores, their autocovariance is estimated from the pairs there are, and the scores
at the missing places are simulated conditionally. Each completed record then has an IAAFT surrogate,
of which only the measured places are kept. With nothing missing this *is* IAAFT; annealing the
gapped periodogram (Schmitz and Schreiber 1999) aims at the same null, at a cost some thousand times
higher.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from takens.core import InvalidInput
from takens.series.nulls.base import AbstractNull, Sampling, as_rows, like, with_values
from takens.series.nulls.fourier import iaaft, normal_scores

_ROUNDS = 6  # of filling and estimating the autocovariance anew
_MIN_PAIRS = 10
_NUGGET = 1e-4  # white part of the model, as a share of the variance: bounds the condition number
_MAX_GRID = 200_000


def pairwise_autocovariance(y: np.ndarray, max_lag: int) -> np.ndarray:
    """Autocovariance at lags 0 to `max_lag` from the pairs there are; zero mean is assumed.

    The products of the pairs at a lag are divided by the mean square of the *same* samples, then
    multiplied by the variance: where few pairs remain, their own variance would otherwise pass for
    a lack of correlation, that is for white noise in the record.

    Parameters
    ----------
    y : array, shape (n, time)
        NaN where missing; the records are pooled.

    Returns
    -------
    array, shape (max_lag + 1,)
        Lags with fewer than ten pairs are interpolated.
    """
    from scipy import fft

    size = fft.next_fast_len(y.shape[1] + max_lag, real=True)
    seen = np.isfinite(y)
    values, mask = np.where(seen, y, 0.0), seen.astype(float)
    moved, there = fft.rfft(values, size), fft.rfft(mask, size)
    square = fft.rfft(values**2, size)
    stacked = np.stack([np.abs(moved) ** 2, (square * there.conj()).real, np.abs(there) ** 2])
    total, own, count = fft.irfft(stacked.sum(axis=1), size)[:, : max_lag + 1]
    known = np.round(count) >= _MIN_PAIRS
    lags, variance = np.arange(max_lag + 1), total[0] / count[0]
    return np.asarray(np.interp(lags, lags[known], variance * total[known] / own[known]))


def _power(autocovariance: np.ndarray, size: int) -> np.ndarray:
    """Spectrum on a circle of `size` of the Parzen-tapered autocovariance, nowhere below a nugget."""
    from scipy import fft

    at = np.arange(len(autocovariance)) / len(autocovariance)
    taper = np.where(at < 0.5, 1 - 6 * at**2 * (1 - at), 2 * (1 - at) ** 3)
    circle = np.zeros(size)
    circle[: len(at)] = autocovariance * taper
    circle[size - len(at) + 1 :] = circle[1 : len(at)][::-1]
    return np.maximum(fft.rfft(circle).real, _NUGGET * autocovariance[0])


def _first_power(autocovariance: np.ndarray, size: int, n_seen: int) -> np.ndarray:
    """Spectrum of the autoregression that fits the autocovariance, its order by Akaike's criterion.

    The tapered autocovariance of a gapped record is not positive, and cutting its spectrum off at
    zero makes it whiter; a few coefficients do not have that fault.
    """
    from scipy import fft

    error, coefficients = autocovariance[0], np.zeros(0)
    best, chosen = n_seen * np.log(error), (error, coefficients)
    for order in range(1, min(60, len(autocovariance) - 1, n_seen // 10)):
        lagged = autocovariance[order - 1 : 0 : -1]
        reflection = (autocovariance[order] - coefficients @ lagged) / error
        if abs(reflection) > 0.9995:
            break
        coefficients = np.r_[coefficients - reflection * coefficients[::-1], reflection]
        error *= 1 - reflection**2
        score = n_seen * np.log(error) + 2 * order
        if score < best:
            best, chosen = score, (error, coefficients)
    taps = np.r_[1.0, -chosen[1]]
    return np.maximum(chosen[0] / np.abs(fft.rfft(taps, size)) ** 2, _NUGGET * autocovariance[0])


def completed(
    y: np.ndarray, power: np.ndarray, size: int, n: int, rng: np.random.Generator
) -> np.ndarray:
    """`n` draws of the Gaussian process with spectrum `power`, given the finite values of `y`.

    An unconditional draw is corrected by kriging its misfit at the measured places; the linear
    system is solved by conjugate gradients, preconditioned with the inverse spectrum.

    Returns
    -------
    array, shape (n, time)
    """
    from scipy import fft

    seen = np.isfinite(y)
    at = np.flatnonzero(seen)

    def filtered(w: np.ndarray, gain: np.ndarray) -> np.ndarray:
        grid = np.zeros((n, size))
        grid[:, at] = w
        return np.asarray(fft.irfft(fft.rfft(grid) * gain, size))

    free = fft.irfft(np.sqrt(power) * fft.rfft(rng.normal(size=(n, size))), size)[:, : len(y)]
    misfit = y[at] - free[:, at]
    weights = np.zeros_like(misfit)
    rest = misfit.copy()
    ready = filtered(rest, 1 / power)[:, at]
    way = ready.copy()
    energy = np.sum(rest * ready, axis=1, keepdims=True)
    goal = 1e-3 * np.linalg.norm(misfit, axis=1)
    for _ in range(200):
        if (np.linalg.norm(rest, axis=1) <= goal).all():
            break
        image = filtered(way, power)[:, at]
        step = energy / np.maximum(np.sum(way * image, axis=1, keepdims=True), 1e-300)
        weights += step * way
        rest -= step * image
        ready = filtered(rest, 1 / power)[:, at]
        new = np.sum(rest * ready, axis=1, keepdims=True)
        way = ready + new / np.maximum(energy, 1e-300) * way
        energy = new
    made = free + filtered(weights, power)[:, : len(y)]
    made[:, at] = y[at]
    return np.asarray(made)


def filled_in(x: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """`x` with its NaN drawn `n` times from the linear Gaussian null, shape (n, time)."""
    from scipy import fft

    seen = np.isfinite(x)
    scores = normal_scores(x)
    max_lag = min(len(x) - 1, max(32, len(x) // 2))
    size = fft.next_fast_len(len(x) + max_lag + 1, real=True)
    power = _first_power(pairwise_autocovariance(scores[None], max_lag), size, int(seen.sum()))
    for _ in range(_ROUNDS):
        drawn = completed(scores, power, size, 4, rng)
        power = _power(pairwise_autocovariance(drawn, max_lag), size)
    drawn = completed(scores, power, size, n, rng)
    made = np.interp(drawn, np.sort(scores[seen]), np.sort(x[seen]))
    made[:, seen] = x[seen]
    return np.asarray(made)


def _surrogates_at(grid: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Surrogates of the measured part of `grid`, shape (n, number of finite values)."""
    seen = np.isfinite(grid)
    if seen.sum() < 20:
        raise InvalidInput(f"{seen.sum()} values were measured; at least 20 are needed.")
    whole = filled_in(grid, n, rng) if not seen.all() else np.repeat(grid[None], n, axis=0)
    made = np.stack([iaaft(one, 1, rng)[0][seen] for one in whole])
    return with_values(made, np.sort(grid[seen]))


@dataclasses.dataclass(frozen=True)
class Gapped(AbstractNull):
    """IAAFT of records with missing samples: the same values, spectrum and missing places."""

    hypothesis: ClassVar[str] = (
        "a stationary linear Gaussian process seen through a monotonic measurement, with the "
        "record's missing samples"
    )
    references: ClassVar[tuple[str, ...]] = ("schreiber1996improved", "schmitz1999testing")
    multivariate: ClassVar[bool] = False
    periodic: ClassVar[bool] = True
    sampling: ClassVar[Sampling] = "gapped"

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """Complete, randomise, and take away again what was not measured."""
        row = as_rows(x)[0]
        made = np.full((n, 1, len(row)), np.nan)
        made[:, 0, np.isfinite(row)] = _surrogates_at(row, n, rng)
        return like(made, x)


@dataclasses.dataclass(frozen=True)
class Uneven(AbstractNull):
    """IAAFT on a fine grid on which the measured times are the few places that were seen.

    Parameters
    ----------
    resolution : int
        Cells of the grid in a median step; a time is rounded to its cell.
    """

    hypothesis: ClassVar[str] = (
        "a stationary linear Gaussian process seen through a monotonic measurement at the record's "
        "uneven times"
    )
    references: ClassVar[tuple[str, ...]] = ("schreiber1996improved", "schmitz1999testing")
    multivariate: ClassVar[bool] = False
    sampling: ClassVar[Sampling] = "uneven"
    resolution: int = 4

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """Values at the measured times, from surrogates on the grid."""
        row = as_rows(x)[0]
        steps = np.arange(len(row), dtype=float) if times is None else np.asarray(times, float)
        step = float(np.median(np.diff(steps))) / self.resolution
        cells = np.round((steps - steps[0]) / step).astype(int)
        cells = np.maximum.accumulate(cells - np.arange(len(cells))) + np.arange(len(cells))
        if cells[-1] >= _MAX_GRID:
            raise InvalidInput(
                f"A grid of {self.resolution} cells a median step has {cells[-1] + 1} cells; at "
                f"most {_MAX_GRID} are used. Give a shorter record or one without long pauses."
            )
        grid = np.full(cells[-1] + 1, np.nan)
        grid[cells] = row
        return like(_surrogates_at(grid, n, rng)[:, None], x)
