"""Nulls of stationary processes: independent noise, and linear Gaussian ones with or without a lens."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from takens.series.nulls.base import AbstractNull, as_rows, like, with_values

_VALUES_AT_ONCE = 40_000  # numbers of surrogates made side by side; they stay in the cache
_COMPILED = 300_000  # numbers of all surrogates from which the compiled ranking repays its start


def matched_ends(x: np.ndarray, *, max_trim: float = 0.1) -> tuple[int, int]:
    """Start and stop of the stretch whose ends fit best in value and slope.

    The Fourier transform treats the record as periodic; a jump from the end to the start would
    leak over all frequencies and make every surrogate rougher than the data.
    """
    n = len(x)
    trim = max(1, int(max_trim * n / 2))
    heads, tails = np.arange(trim), n - 1 - np.arange(trim)
    spread = max(float(x.std()), 1e-300)
    jump = (x[heads][:, None] - x[tails][None, :]) / spread
    slope = np.gradient(x)
    kink = (slope[heads][:, None] - slope[tails][None, :]) / max(float(slope.std()), 1e-300)
    i, j = np.unravel_index(int(np.argmin(jump**2 + kink**2)), jump.shape)
    start, stop = int(heads[i]), int(tails[j])  # the tail repeats the head, so it is left out
    return start, start + _fast_length(stop - start)


def _fast_length(n: int) -> int:
    """Largest length up to `n` without prime factors above 5, on which transforms are fast."""
    best, two = 1, 1
    while two <= n:
        three = two
        while three <= n:
            five = three
            while five <= n:
                best = max(best, five)
                five *= 5
            three *= 3
        two *= 2
    return best


def iaaft(
    x: np.ndarray,
    n_surrogates: int,
    rng: np.random.Generator,
    *,
    max_steps: int = 100,
    tolerance: float = 1e-2,
    kept: int = 0,
) -> np.ndarray:
    """Iterative amplitude-adjusted Fourier surrogates: the data's spectrum and exact values.

    Alternates between imposing the Fourier amplitudes of `x` and its sorted values until one
    more step lowers the squared error of the spectrum by less than the share `tolerance`, or
    `max_steps`. With several columns the *same* phases are added to every column, so that
    cross-spectra are kept as well.

    Parameters
    ----------
    x : array, shape (time,) or (time, dim)
    n_surrogates : int
    rng : numpy.random.Generator
    kept : int
        Frequencies, from zero upwards, whose phases stay those of the data.

    Returns
    -------
    array, shape (n_surrogates, *x.shape)
        Ends on the step that imposes the values, so the distribution is exact and the spectrum
        nearly so.

    Notes
    -----
    Cost: O(n_surrogates * steps * N log N), memory of a few surrogates beyond the result.

    References
    ----------
    Schreiber and Schmitz (1996), Phys. Rev. Lett. 77, 635; multivariate form: Schreiber and Schmitz
    (2000), Physica D 142, 346, section 4.3.
    """
    from scipy import fft

    rows = as_rows(x)
    dim, n = rows.shape
    spectrum = fft.rfft(rows)
    amplitude = np.abs(spectrum)
    direction = spectrum / np.maximum(amplitude, 1e-300)
    ranked = np.sort(rows)
    made = np.stack([rows[:, rng.permutation(n)] for _ in range(n_surrogates)])
    large = made.size > _COMPILED
    at_once = max(1, _VALUES_AT_ONCE // (n * dim))
    for start in range(0, n_surrogates, at_once):
        pending = np.arange(start, min(start + at_once, n_surrogates))
        last = np.full(len(pending), np.inf)
        for _ in range(max_steps):
            shape = fft.rfft(made[pending])
            size = np.abs(shape)
            gap = np.sum((size - amplitude) ** 2, axis=(1, 2))
            turn = shape / np.maximum(size, 1e-300)
            if dim > 1:  # one rotation per frequency keeps the phase differences between columns
                turn = np.sum(turn * direction.conj(), axis=1, keepdims=True)
                turn = direction * turn / np.maximum(np.abs(turn), 1e-300)
            if kept:
                turn[..., :kept] = direction[..., :kept]
            made[pending] = with_values(fft.irfft(amplitude * turn, n), ranked, large=large)
            going = gap <= (1 - tolerance) * last
            pending, last = pending[going], gap[going]
            if not pending.size:
                break
    return like(made, x)


def phase_randomised(x: np.ndarray, n_surrogates: int, rng: np.random.Generator) -> np.ndarray:
    """Fourier surrogates with independent uniform phases: the exact spectrum, Gaussian values."""
    from scipy import fft

    spectrum = fft.rfft(x, axis=0)
    shape = (n_surrogates, len(spectrum)) + (1,) * (x.ndim - 1)
    turn = np.exp(2j * np.pi * rng.uniform(size=shape))
    turn[:, 0] = 1
    if len(x) % 2 == 0:
        turn[:, -1] = np.where(rng.uniform(size=turn[:, -1].shape) < 0.5, 1, -1)
    return np.asarray(fft.irfft(spectrum * turn, len(x), axis=1))


def normal_scores(x: np.ndarray) -> np.ndarray:
    """Each column of `x` replaced by the normal quantiles of its ranks; NaN stays."""
    from scipy.special import ndtri

    rows = as_rows(x)
    scores = np.full(rows.shape, np.nan)
    for row, out in zip(rows, scores, strict=True):
        seen = np.flatnonzero(np.isfinite(row))
        order = seen[np.argsort(row[seen], kind="stable")]
        out[order] = ndtri((np.arange(len(seen)) + 0.5) / len(seen))
    return like(scores[None], x)[0]


@dataclasses.dataclass(frozen=True)
class Shuffle(AbstractNull):
    """Rows in random order: nothing but the distribution of the values is kept."""

    hypothesis: ClassVar[str] = "independent, identically distributed noise"
    references: ClassVar[tuple[str, ...]] = ("theiler1992testing",)

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """Permutations."""
        return np.stack([x[rng.permutation(len(x))] for _ in range(n)])


@dataclasses.dataclass(frozen=True)
class Phase(AbstractNull):
    """Independent uniform phases: the periodogram is exact, the values become Gaussian."""

    hypothesis: ClassVar[str] = "a stationary linear Gaussian process"
    references: ClassVar[tuple[str, ...]] = ("theiler1992testing",)
    periodic: ClassVar[bool] = True

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """See `phase_randomised`."""
        return phase_randomised(x, n, rng)


@dataclasses.dataclass(frozen=True)
class AAFT(AbstractNull):
    """Amplitude-adjusted Fourier surrogates: exact values, a spectrum biased towards white.

    Kept because much literature used it. It rejects too often (Kugiumtzis 1999): prefer `IAAFT`.
    """

    hypothesis: ClassVar[str] = (
        "a stationary linear Gaussian process seen through a monotonic measurement"
    )
    references: ClassVar[tuple[str, ...]] = ("theiler1992testing", "kugiumtzis1999test")
    periodic: ClassVar[bool] = True

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """Phases of the normal scores are drawn anew, then the values are put in that order."""
        turned = phase_randomised(normal_scores(x), n, rng)
        rows = np.stack([as_rows(one) for one in turned])
        return like(with_values(rows, np.sort(as_rows(x))), x)


@dataclasses.dataclass(frozen=True)
class IAAFT(AbstractNull):
    """Iterated amplitude adjustment: exact values, and the periodogram but for rounding.

    Parameters
    ----------
    max_steps : int
        Iterations at most.
    tolerance : float
        Share by which one more step must lower the squared error of the spectrum.
    """

    hypothesis: ClassVar[str] = AAFT.hypothesis
    references: ClassVar[tuple[str, ...]] = ("schreiber1996improved", "schreiber2000surrogate")
    periodic: ClassVar[bool] = True
    max_steps: int = 100
    tolerance: float = 1e-2

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """See `iaaft`."""
        return iaaft(x, n, rng, max_steps=self.max_steps, tolerance=self.tolerance)
