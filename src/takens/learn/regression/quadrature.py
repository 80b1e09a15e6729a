"""Integrals of sampled functions over uneven times, of as high an order as the times allow."""

from __future__ import annotations

import functools

import numpy as np

AROUND = 6  # samples around an interval that its integral may be made of
STABLE = 2.5  # sum of the sizes of the weights over the step, beyond which they magnify noise


def interval_weights(times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Weights of neighbouring samples in the integral from each sample to the next.

    The function is replaced by the polynomial through the six samples about each interval (at an end
    the outermost), :math:`\int_{t_i}^{t_{i+1}} f \approx \sum_m w_{im} f(t_{c_i + m})`. Where samples
    lie so unevenly that the weights would magnify noise, the polynomial goes through the nearest
    four, three or two.

    Parameters
    ----------
    times : array, shape (sample,)
        At least six.

    Returns
    -------
    first : array, shape (sample - 1,)
        The first of the six samples.
    weights : array, shape (sample - 1, 6)
    rougher : array, shape (sample - 1, 6)
        Those of the polynomial through the next smaller number of samples: the difference between the
        two integrals is more than the error of the first.

    Examples
    --------
    >>> t = np.arange(8.0)
    >>> first, w, _ = interval_weights(t)
    >>> round(float((w * t[first[:, None] + np.arange(6)] ** 5).sum() - 7**6 / 6), 9)
    0.0
    """
    n = len(times)
    here = np.arange(n - 1)
    first = np.clip(here - AROUND // 2 + 1, 0, n - AROUND)
    fine = _lagrange(times, first, first, AROUND)
    rough = _lagrange(times, first, np.clip(here - 1, 0, n - 4), 4)
    unstable = np.abs(fine).sum(axis=1) > STABLE * np.diff(times)
    if unstable.any():
        left, right = (_lagrange(times, first, np.clip(here - s, 0, n - 3), 3) for s in (1, 0))
        smaller = np.abs(left).sum(axis=1) <= np.abs(right).sum(axis=1)
        three = np.where(smaller[:, None], left, right)
        ladder = np.stack([fine, rough, three, _lagrange(times, first, here, 2)])
        stable = np.abs(ladder).sum(axis=2) <= STABLE * np.diff(times)
        stable[-1] = True
        chosen = stable.argmax(axis=0)
        other = np.where(chosen == len(ladder) - 1, chosen - 1, chosen + 1)
        fine, rough = ladder[chosen, here], ladder[other, here]
    return first, fine, rough


def _lagrange(times: np.ndarray, first: np.ndarray, start: np.ndarray, count: int) -> np.ndarray:
    """Weights of `count` samples from `start`, in their places among the six from `first`.

    The basis polynomials are integrated by Gauss and Legendre's rule, which is exact for them.
    """
    n = len(times)
    step = np.diff(times)
    s = (times[start + np.arange(count)[:, None]] - times[:-1]) / step
    nodes, shares = _gauss((count + 1) // 2)
    itself = np.eye(count, dtype=bool)[:, :, None]
    apart = np.where(itself, 1.0, s[:, None] - s).prod(axis=1)  # of s_m - s_j, over j
    basis = sum(
        0.5 * share * np.where(itself, 1.0, 0.5 + 0.5 * node - s).prod(axis=1)
        for node, share in zip(nodes, shares, strict=True)
    )
    wide = np.zeros((n - 1, AROUND))
    places = (start - first)[:, None] + np.arange(count)
    np.put_along_axis(wide, places, (basis / apart * step).T, axis=1)
    return wide


@functools.cache
def _gauss(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(n)


def sample_weights(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of every sample in the integral over the whole stretch, and in the rougher one."""
    first, *both = interval_weights(times)
    places = (first[:, None] + np.arange(AROUND)).ravel()
    fine, rough = (np.bincount(places, weights.ravel(), len(times)) for weights in both)
    return fine, rough
