"""Spectral lines: whether a few sinusoids, fitted on the past, foretell the rest of the record.

A line spectrum is what separates periodic and quasiperiodic motion from chaos and from noise with a
preferred period: a narrow but broad-based peak loses its phase, a line keeps it for ever.
"""

from __future__ import annotations

import dataclasses

import numpy as np

MAX_LINES = 10
_PATIENCE = 3  # lines tried in vain before the search ends


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Lines:
    """Sinusoids fitted to the first part of a record and judged on the rest.

    Parameters
    ----------
    frequencies : array, shape (n_lines,)
        Cycles per sample, in the order in which they were found (strongest first).
    frequency_errors : array, shape (n_lines,)
        Standard errors, from the Cramer-Rao bound with the residual as noise.
    powers : array, shape (n_lines,)
        Share of the variance carried by each line.
    unexplained_inside, unexplained_outside : float
        Residual variance over total variance, on the fitted part and on the held-out part.
    """

    frequencies: np.ndarray
    frequency_errors: np.ndarray
    powers: np.ndarray
    unexplained_inside: float
    unexplained_outside: float


def _design(times: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    phase = 2 * np.pi * times[:, None] * frequencies
    return np.concatenate([np.ones((len(times), 1)), np.cos(phase), np.sin(phase)], axis=1)


def _solve(design: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Least squares by normal equations, with a ridge far below any line that is kept."""
    gram = design.T @ design
    gram[np.diag_indices_from(gram)] *= 1 + 1e-13
    try:
        return np.asarray(np.linalg.solve(gram, design.T @ x))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(design, x, rcond=None)[0])


def _refined(x: np.ndarray, times: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Gauss-Newton on all frequencies at once, each kept within one resolution cell."""
    n_lines = len(frequencies)
    start, cell = frequencies.copy(), 1.0 / len(times)
    centre = times.mean()
    best, best_error = start, np.inf
    for _ in range(6):
        design = _design(times, frequencies)
        weights = _solve(design, x)
        residual = x - design @ weights
        error = float(residual @ residual)
        if error < best_error:
            best, best_error = frequencies.copy(), error
        a, b = weights[1 : n_lines + 1], weights[n_lines + 1 :]
        cosine, sine = design[:, 1 : n_lines + 1], design[:, n_lines + 1 :]
        slope = 2 * np.pi * (times - centre)[:, None] * (b * cosine - a * sine)
        full = np.concatenate([design, slope], axis=1)
        change = _solve(full, residual)
        frequencies = np.clip(frequencies + change[-n_lines:], start - cell, start + cell)
    return best


def fit_lines(x: np.ndarray, *, max_lines: int = MAX_LINES, max_samples: int = 6000) -> Lines:
    """Fit sinusoids one after the other to the first two thirds of `x`, judge on the last third.

    The number of lines is the one with the smallest error on the held-out third.

    Parameters
    ----------
    x : array, shape (time,)
        Evenly sampled, finite.
    max_lines : int
        Most lines to try.
    max_samples : int
        Longer records are cut to this many samples from their end.

    Notes
    -----
    Cost: O(max_lines^3 N) for the joint least-squares fits.
    """
    x = x[-max_samples:] - x[-max_samples:].mean()
    times = np.arange(len(x), dtype=float)
    split = (2 * len(x)) // 3
    inside, outside = slice(0, split), slice(split, None)
    variance = max(float(np.var(x[inside])), 1e-300)
    window = np.hanning(split + 2)[1:-1]
    pad = 4 * split
    residual, frequencies = x[inside], np.empty(0)
    best: tuple[float, float, np.ndarray, np.ndarray] | None = None
    in_vain = 0
    for _ in range(max_lines):
        power = np.abs(np.fft.rfft((residual - residual.mean()) * window, pad)) ** 2
        power[: max(1, pad // split)] = 0  # slower than one cycle in the fitted part: a trend
        peak = int(np.argmax(power)) / pad
        if frequencies.size and np.min(np.abs(frequencies - peak)) < 0.5 / split:
            break  # the same line again: it is not a line but a peak of finite width
        frequencies = _refined(x[inside], times[inside], np.append(frequencies, peak))
        design = _design(times[inside], frequencies)
        weights = _solve(design, x[inside])
        residual = x[inside] - design @ weights
        missed = x[outside] - _design(times[outside], frequencies) @ weights
        out = float(np.mean(missed**2)) / variance
        now = float(np.mean(residual**2)) / variance
        if best is None or out < 0.98 * best[1]:
            best, in_vain = (now, out, frequencies, weights), 0
        else:
            in_vain += 1
        if now < 1e-7 or in_vain == _PATIENCE:
            break
    if best is None:
        return Lines(
            frequencies=np.empty(0),
            frequency_errors=np.empty(0),
            powers=np.empty(0),
            unexplained_inside=1.0,
            unexplained_outside=1.0,
        )
    now, out, frequencies, weights = best
    n_lines = len(frequencies)
    amplitude2 = weights[1 : n_lines + 1] ** 2 + weights[n_lines + 1 :] ** 2
    error = np.sqrt(6 * now * variance / (np.pi**2 * split**3 * np.maximum(amplitude2, 1e-300)))
    return Lines(
        frequencies=frequencies,
        frequency_errors=error,
        powers=amplitude2 / 2 / variance,
        unexplained_inside=now,
        unexplained_outside=out,
    )
