"""Scores of forecasts, and what sampling can do to them."""

from __future__ import annotations

import numpy as np


def crps(members: np.ndarray, truth: np.ndarray) -> np.ndarray:
    r"""Fair continuous ranked probability score of an ensemble.

    :math:`\frac1M\sum_i |x_i-y| - \frac{1}{2M(M-1)}\sum_{ij}|x_i-x_j|`, whose expectation does not
    depend on the number of members.

    Parameters
    ----------
    members : array, shape (member, ...)
    truth : array, shape (...)

    Returns
    -------
    array, shape (...)
        In the unit of the data; zero is perfect.

    References
    ----------
    Ferro, Quarterly Journal of the Royal Meteorological Society 140, 1917 (2014).

    Examples
    --------
    >>> float(crps(np.array([1.0, 3.0]), np.array(2.0)))
    0.0
    """
    ordered = np.sort(members, axis=0)
    m = len(ordered)
    weights = 2 * np.arange(1, m + 1) - m - 1
    spread = np.tensordot(weights, ordered, axes=(0, 0)) / (m * (m - 1))
    return np.asarray(np.abs(ordered - truth).mean(axis=0) - spread)


def pit(members: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Randomised rank of the truth among the members, uniform on (0, 1) when calibrated."""
    below = (members < truth).sum(axis=0)
    ties = (members == truth).sum(axis=0)
    rank = below + rng.random(below.shape) * (ties + 1)
    value: np.ndarray = rank / (len(members) + 1)
    return np.where(np.isfinite(truth), value, np.nan)


def block_weights(count: int, block: int, n_boot: int, rng: np.random.Generator) -> np.ndarray:
    """How often each origin is drawn, (draw, origin), in circular blocks of `block` origins."""
    block = int(np.clip(block, 1, count))
    n_blocks = -(-count // block)
    starts = rng.integers(0, count, size=(n_boot, n_blocks))
    index = ((starts[:, :, None] + np.arange(block)) % count).reshape(n_boot, -1)[:, :count]
    weights = np.zeros((n_boot, count))
    np.add.at(weights, (np.arange(n_boot)[:, None], index), 1.0)
    return weights


def weighted_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Means of (..., origin, lead) under each row of weights: (draw, ..., lead), without NaN."""
    good = np.isfinite(values)
    total = np.tensordot(weights, np.moveaxis(np.where(good, values, 0.0), -2, 0), axes=(1, 0))
    number = np.tensordot(weights, np.moveaxis(good.astype(float), -2, 0), axes=(1, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(number > 0, total / number, np.nan)


def max_statistic_test(
    gains: np.ndarray, weights: np.ndarray, alpha: float, block: int
) -> tuple[np.ndarray, float]:
    """Studentised mean gains and the critical value that holds over all of them at once.

    Parameters
    ----------
    gains : array, shape (model, reference, origin, lead)
        Squared error of the reference minus that of the model.
    weights : array, shape (draw, origin)
        Block bootstrap weights, the same for every model: the comparison is paired.
    alpha : float
        Chance that any true null hypothesis is rejected.
    block : int
        Origins in a block. With few blocks the spread itself is uncertain: the critical value is
        carried over from the normal to Student's t distribution with blocks - 1 degrees of freedom.

    Returns
    -------
    statistic : array, shape (model, lead)
        The smaller of the two references' statistics: both must be beaten (intersection-union).
    critical : float
        The ``1 - alpha`` quantile of the largest centred statistic over models, references, leads.

    References
    ----------
    White, Econometrica 68, 1097 (2000); Hansen, Journal of Business & Economic Statistics 23,
    365 (2005): the studentised form.
    """
    mean = weighted_means(gains, np.ones((1, gains.shape[-2])))[0]
    draws = weighted_means(gains, weights)
    spread = draws.std(axis=0)
    usable = spread > 1e-12 * (1e-12 + np.abs(mean))
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.where(usable, mean / spread, np.sign(mean) * np.inf)
        statistic = np.where(np.abs(mean) > 1e-12, statistic, 0.0)
        centred = np.where(usable, (draws - mean) / spread, 0.0)
    largest = np.nan_to_num(centred).reshape(len(draws), -1).max(axis=1)
    from statistics import NormalDist

    from scipy.special import stdtrit

    count = gains.shape[-2]
    tail = 1 - NormalDist().cdf(float(np.quantile(largest, 1 - alpha)))
    student = float(stdtrit(max(count / block - 1, 1), 1 - max(tail, 1e-12)))
    # circular blocks of b out of n understate the variance by 1 - b / n
    critical = student / np.sqrt(1 - min(block / count, 0.5))
    return np.nan_to_num(statistic, nan=0.0).min(axis=1), float(critical)


def proportion_interval(hits: int, count: int, level: float) -> tuple[float, float]:
    """Wilson interval of a proportion.

    Examples
    --------
    >>> low, high = proportion_interval(0, 40, 0.9)
    >>> low, round(high, 3)
    (0.0, 0.063)
    """
    from statistics import NormalDist

    if count == 0:
        return (np.nan, np.nan)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    low, high = float(centre - half), float(centre + half)
    return (0.0 if hits == 0 else max(0.0, low), 1.0 if hits == count else min(1.0, high))
