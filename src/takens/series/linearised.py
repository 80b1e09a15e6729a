"""Intervals of statistics that are smooth functions of averages over time."""

from __future__ import annotations

import numpy as np

from takens.core import Estimate

N_BLOCKS = 20
METHOD = f"influence of each sample, averaged over {N_BLOCKS} blocks"


def linearised_estimate(
    value: float,
    influence: np.ndarray,
    clock: np.ndarray,
    *,
    level: float,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    excess: float = 0.0,
    unit: str = "",
) -> Estimate:
    """An estimate whose interval comes from the influence of each sample on it.

    A statistic that depends smoothly on averages, also on averages over pairs, is to first order
    the mean of influence values, one for each sample; their means over blocks of time, long against
    the memory of the process, are independent and give its standard error with ``N_BLOCKS - 1``
    degrees of freedom.

    Parameters
    ----------
    value : float
        Point estimate.
    influence : array, shape (n,)
        Derivative of the statistic with respect to the weight of each sample, times n; same unit.
    clock : array, shape (n,)
        Time of each, in any unit; blocks are contiguous in it.
    level : float
        Nominal coverage.
    bounds : (float, float)
        Values that the quantity can take; the interval is cut there.
    excess : float
        Variance that the influences count twice, as far as there is that much.

    References
    ----------
    Hoeffding (1948), Ann. Math. Stat. 19, 293; Kuensch (1989), Ann. Stat. 17, 1217.
    """
    from scipy.special import stdtrit

    if not np.isfinite(value) or len(influence) < 2 * N_BLOCKS:
        return Estimate(value=value, level=level, unit=unit)
    ordered = influence if (np.diff(clock) >= 0).all() else influence[np.argsort(clock)]
    sums = np.array([block.sum() for block in np.array_split(ordered, N_BLOCKS)])
    variance = float(np.sum((sums - sums.mean()) ** 2)) * N_BLOCKS / (N_BLOCKS - 1)
    variance /= len(influence) ** 2
    error = float(np.sqrt(max(variance - excess, min(variance, excess))))
    half = float(stdtrit(N_BLOCKS - 1, 0.5 + level / 2)) * error
    return Estimate(
        value=value,
        interval=(max(value - half, bounds[0]), min(value + half, bounds[1])),
        standard_error=error,
        level=level,
        unit=unit,
        method=METHOD,
    )


def entropy_of_counts(
    codes: np.ndarray,
    clock: np.ndarray,
    n_possible: int,
    *,
    level: float,
    overlap: int = 1,
    weights: np.ndarray | None = None,
) -> tuple[Estimate, np.ndarray]:
    """Shannon entropy of patterns over ``ln n_possible``, with interval, and the frequencies.

    Parameters
    ----------
    codes : array of int, shape (n,)
        Number of the pattern, 0 to `n_possible` - 1.
    clock : array, shape (n,)
        Its time.
    overlap : int
        How many of the patterns count as one for the bias (offsets of one coarse-graining).
    weights : array, shape (n,), optional
        Weight of each pattern; then the bias is left as it is.

    Returns
    -------
    Estimate
        Dimensionless, 0 to 1, with the bias correction of Miller and Madow.
    array, shape (n_possible,)
        Frequencies.
    """
    scale = np.log(n_possible)
    weight = np.ones(len(codes)) if weights is None else weights
    whole = weight.sum()
    if whole <= 0:  # no pattern varies: one pattern with all the weight there is
        weight, whole = np.ones(len(codes)), float(len(codes))
    share = np.bincount(codes, weights=weight, minlength=n_possible) / whole
    seen = share > 0
    surprise = np.zeros(n_possible)
    surprise[seen] = -np.log(share[seen])
    raw = float(share @ surprise)
    influence = weight * len(codes) / whole * (surprise[codes] - raw) / scale
    bias = 0.0 if weights is not None else (seen.sum() - 1) / (2 * len(codes) / overlap)
    value = float(min((raw + bias) / scale, 1.0))
    return linearised_estimate(value, influence, clock, level=level, bounds=(0.0, 1.0)), share
