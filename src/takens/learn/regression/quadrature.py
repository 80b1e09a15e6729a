"""Integrals of sampled functions over uneven times, exact for polynomials of degree five."""

from __future__ import annotations

import numpy as np

AROUND = 6  # samples around an interval that its integral is made of
FEWER = 4  # the same for a rougher integral, whose difference tells how good the first one is


def interval_weights(times: np.ndarray, around: int = AROUND) -> tuple[np.ndarray, np.ndarray]:
    r"""Weights of neighbouring samples in the integral from each sample to the next.

    The function is replaced by the polynomial through the `around` samples about each interval (at
    an end the outermost), :math:`\int_{t_i}^{t_{i+1}} f \approx \sum_m w_{im} f(t_{c_i + m})`. The
    error of an interval is of order ``around + 1`` in the step, even or not.

    Parameters
    ----------
    times : array, shape (sample,)
        At least `around`.
    around : int
        Even.

    Returns
    -------
    first : array, shape (sample - 1,)
        The first of the samples.
    weights : array, shape (sample - 1, around)

    Examples
    --------
    >>> t = np.array([0.0, 0.4, 0.5, 1.1, 1.5, 1.8, 2.0])
    >>> first, w = interval_weights(t)
    >>> round(float((w * t[first[:, None] + np.arange(6)] ** 5).sum()), 9)
    10.666666667
    """
    n = len(times)
    first = np.clip(np.arange(n - 1) - around // 2 + 1, 0, n - around)
    step = np.diff(times)
    s = (times[first[:, None] + np.arange(around)] - times[:-1, None]) / step[:, None]
    weights = np.empty((n - 1, around))
    powers = 1.0 / np.arange(1, around + 1)  # integrals of s^k over the interval
    for m in range(around):
        others = [j for j in range(around) if j != m]
        polynomial = np.zeros((n - 1, around))  # product of (s - s_j), rising powers
        polynomial[:, 0] = 1.0
        for j in others:
            moved = np.roll(polynomial, 1, axis=1)
            polynomial = moved - s[:, j, None] * polynomial
        weights[:, m] = polynomial @ powers / np.prod(s[:, m, None] - s[:, others], axis=1)
    return first, weights * step[:, None]


def rougher(times: np.ndarray) -> np.ndarray:
    """The weights of the rougher integral in the places of the finer one, (sample - 1, 6)."""
    first, _ = interval_weights(times)
    inside, few = interval_weights(times, FEWER)
    wide = np.zeros((len(first), AROUND))
    np.put_along_axis(wide, (inside - first)[:, None] + np.arange(FEWER), few, axis=1)
    return wide


def sample_weights(times: np.ndarray, around: int = AROUND) -> np.ndarray:
    """Weight of every sample in the integral over the whole stretch, (sample,)."""
    first, weights = interval_weights(times, around)
    total = np.zeros(len(times))
    np.add.at(total, (first[:, None] + np.arange(around)).ravel(), weights.ravel())
    return total
