"""Numbers that follow from a Lyapunov spectrum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from takens.core import Estimate, InvalidInput
from takens.dynamics.door import half_width, mean_error, numbers


def kaplan_yorke_dimension(exponents: Any) -> float:
    r"""Kaplan-Yorke (Lyapunov) dimension of a spectrum.

    :math:`D = j + \sum_{i \le j} \lambda_i / |\lambda_{j+1}|` with the largest j for which the
    partial sum is not negative.

    Parameters
    ----------
    exponents : array, shape (exponent,)
        In descending order; all, or at least one more than reach a negative sum.

    Returns
    -------
    float
        Zero if the largest is negative; NaN if the partial sums never become negative, unless
        the sum over all of them is zero, where the dimension is their number.

    Raises
    ------
    InvalidInput
        If `exponents` is no list of numbers.

    Notes
    -----
    Equals the information dimension for typical systems by conjecture, not by theorem.

    References
    ----------
    Kaplan and Yorke, Lecture Notes in Mathematics 730, 204 (1979).

    Examples
    --------
    >>> kaplan_yorke_dimension([0.9056, 0.0, -14.5721])
    2.0621
    """
    values = numbers(exponents, "exponents")
    if values.ndim != 1:
        raise InvalidInput(
            f"exponents has shape {values.shape}; expected (exponent,). Give a single spectrum."
        )
    if np.isposinf(values).any():
        return float("nan")
    spectrum = np.sort(values)[::-1]
    if np.isnan(spectrum).any() or spectrum.size == 0:
        return float("nan")
    partial = np.cumsum(spectrum)
    j = int(np.sum(np.logical_and.accumulate(partial >= 0)))
    if j == 0:
        return 0.0
    if j == len(spectrum):
        scale = np.abs(spectrum).max()
        return float(j) if abs(partial[-1]) <= 1e-6 * scale else float("nan")
    return float(j + partial[j - 1] / abs(spectrum[j]))


def jackknife(blocks: np.ndarray, of: Callable[[np.ndarray], float], level: float) -> Estimate:
    """A function of the mean of consecutive blocks, (block, ...), from the jackknife's pseudovalues."""
    count, total = len(blocks), blocks.sum(axis=0)
    value = of(total / count)
    with np.errstate(invalid="ignore"):  # a direction that is forgotten has exponent -inf
        left_out = np.array([of((total - block) / (count - 1)) for block in blocks])
        error, freedom = mean_error(count * value - (count - 1) * left_out)
    reach = half_width(float(error), freedom, level)
    return Estimate(
        value=value,
        interval=(value - reach, value + reach),
        standard_error=float(error),
        level=level,
        method=f"jackknife over {count} blocks of the orbit",
    )
