"""Nulls of records whose mean or variance moves: slow phases or wavelet energies are kept."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from takens.series.nulls.base import AbstractNull, as_rows, like, with_values
from takens.series.nulls.fourier import iaaft

# Scaling filter of the least asymmetric wavelet of length 8 (Percival and Walden 2000, table 109).
_LA8 = np.array([
    -0.0757657147893407, -0.0296355276459541, 0.4976186676324578, 0.8037387518052163,
    0.2978577956055422, -0.0992195435769354, -0.0126039672622612, 0.0322231006040713,
])  # fmt: skip


def _line_between_ends(rows: np.ndarray) -> np.ndarray:
    """Straight lines, shape (dim, time), between the levels at the ends of each row.

    Without it the jump from end to start would spread over all frequencies of a drifting record.
    """
    few = max(1, min(5, rows.shape[1] // 20))
    first, last = rows[:, :few].mean(axis=1), rows[:, -few:].mean(axis=1)
    return (last - first)[:, None] * np.linspace(-0.5, 0.5, rows.shape[1])


@dataclasses.dataclass(frozen=True)
class TruncatedFourier(AbstractNull):
    """Phases are randomised only above a frequency: the slow course of the record is kept.

    The amplitude adjustment is iterated as in `IAAFT`, on the record less the line between its
    ends.

    Parameters
    ----------
    cycles : int
        Motion with at most this many cycles in the record is kept as it is. The more are kept, the
        less is tested.
    """

    hypothesis: ClassVar[str] = (
        "stationary linear Gaussian fluctuations, seen through a monotonic measurement, about a "
        "slow course of any shape"
    )
    references: ClassVar[tuple[str, ...]] = ("nakamura2006testing", "lucio2012improvements")
    cycles: int = 10

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """Iterated as `iaaft`, with the phases of the slowest frequencies held."""
        line = like(_line_between_ends(as_rows(x))[None], x)[0]
        return iaaft(x - line, n, rng, kept=self.cycles + 1) + line


def wavelet_coefficients(x: np.ndarray, n_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Maximal-overlap wavelet transform of `x` on a circle, and its transfer functions.

    Returns
    -------
    coefficients : array, shape (n_levels + 1, time)
        Details from fine to coarse, then the smooth.
    transfer : complex array, shape (n_levels + 1, time // 2 + 1)
        ``sum_j |transfer_j|^2 = 1``, so that the adjoint is the inverse.
    """
    from scipy import fft

    n = len(x)
    low = _LA8 / np.sqrt(2)
    high = low[::-1] * (-1.0) ** np.arange(len(low))
    at = np.arange(n // 2 + 1)

    def response(taps: np.ndarray, level: int) -> np.ndarray:
        turns = np.exp(-2j * np.pi * at * 2**level / n)
        return np.polynomial.polynomial.polyval(turns, taps)

    transfer, passed = [], np.ones(len(at), complex)
    for level in range(n_levels):
        transfer.append(passed * response(high, level))
        passed = passed * response(low, level)
    stacked = np.stack([*transfer, passed])
    return fft.irfft(fft.rfft(x) * stacked, n), stacked


def _envelope(detail: np.ndarray, window: int) -> np.ndarray:
    """Root mean square of `detail` over `window` samples around each, never zero."""
    from scipy.ndimage import uniform_filter1d

    power = uniform_filter1d(detail**2, window, mode="reflect")
    return np.sqrt(np.maximum(power, 1e-6 * power.mean() + 1e-300))


@dataclasses.dataclass(frozen=True)
class Wavelet(AbstractNull):
    """Wavelet coefficients are randomised scale by scale under the envelope they had.

    Each scale of a maximal-overlap transform (least asymmetric filter of length 8) is divided by
    its root mean square in a sliding window, replaced by an IAAFT surrogate, and multiplied again;
    the sum is given the record's values. Keylock (2006) rotates each scale to where it fits best
    instead, which finds the place of one burst, not of several.

    Parameters
    ----------
    window : float
        Sliding window as a share of the record; at the coarse scales it is four wavelets at least.
        Changes of variance within it are tested, slower ones belong to the null.
    n_levels : int, optional
        Scales; by default the coarsest is a sixteenth of the record.
    """

    hypothesis: ClassVar[str] = (
        "a linear Gaussian process seen through a monotonic measurement, whose mean and variance "
        "vary in time as the record's do at each scale"
    )
    references: ClassVar[tuple[str, ...]] = ("keylock2006constrained",)
    multivariate: ClassVar[bool] = False
    window: float = 1 / 16
    n_levels: int | None = None

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """One transform, then a surrogate of every scale for every surrogate of the record."""
        from scipy import fft

        row = as_rows(x)[0]
        line = _line_between_ends(row[None])[0]
        levels = self.n_levels or max(1, int(np.log2(max(len(row) / 16, 2))))
        coefficients, transfer = wavelet_coefficients(row - line, levels)
        parts = np.repeat(coefficients[None], n, axis=0)  # the smooth stays
        for level, detail in enumerate(coefficients[:-1]):
            window = min(len(row), max(round(self.window * len(row)), 4 * 2 ** (level + 1)))
            envelope = _envelope(detail, window)
            made = iaaft(detail / envelope, n, rng, max_steps=20, tolerance=0.05)
            parts[:, level] = made * envelope
        spectrum = np.sum(fft.rfft(parts) * transfer.conj(), axis=1)
        summed = fft.irfft(spectrum, len(row)) + line
        return like(with_values(summed[:, None], np.sort(row)[None]), x)
