"""Nonlinear prediction error: how well successors of similar states foretell the next one."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.core import Estimate, InvalidInput
from takens.series.observable import DelayVectors, Observable, neighbours, refuse_constant

_N_BLOCKS = 10


@dataclasses.dataclass(frozen=True)
class Coordinates:
    """Delay coordinates in which a record is looked at.

    Parameters
    ----------
    dimension, delay : int
        Number of coordinates, and samples between them.
    theiler : int
        Samples within which states are neighbours in time only.
    """

    dimension: int
    delay: int
    theiler: int

    def described(self) -> dict[str, int]:
        """The settings, for a result's provenance."""
        return dataclasses.asdict(self)


def coordinates(view: Observable, dimension: int | None, delay: int | None) -> Coordinates:
    """Delay coordinates as given, what is missing from `embedding`; the dimension then at most 5.

    Raises
    ------
    InvalidInput
        If one is given and below 1, or nothing varies.
    """
    from takens.series.embedding import embedding

    if min(dimension or 1, delay or 1) < 1 or 0 in (dimension, delay):
        raise InvalidInput(
            f"dimension = {dimension}, delay = {delay}; both are counted in whole numbers from 1."
        )
    refuse_constant(view)
    if dimension is None or delay is None:
        chosen = embedding(view)
        delay = delay or chosen.delay
        dimension = dimension or int(np.clip(chosen.dimension, 1, 5))
        return Coordinates(dimension, delay, max(1, chosen.theiler))
    return Coordinates(dimension, delay, 1 if delay == 1 else 3 * delay)


def ratio_by_blocks(
    error: np.ndarray, spread: np.ndarray, *, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Root of the ratio of two means, with a jackknife over blocks of rows (of time).

    The interval is symmetric on a logarithmic scale, with Student's quantile for the number of
    blocks less one.

    Parameters
    ----------
    error, spread : array, shape (n, n_columns)
        In the order of time; rows where either is NaN are left out.
    level : float
        Nominal coverage.

    Returns
    -------
    value, low, high : array, shape (n_columns,)
    """
    from scipy.special import stdtrit

    both = np.isfinite(error) & np.isfinite(spread)
    parts = [p for p in np.array_split(np.arange(len(error)), _N_BLOCKS) if p.size]
    top = np.array([np.sum(np.where(both[p], error[p], 0.0), axis=0) for p in parts])
    bottom = np.array([np.sum(np.where(both[p], spread[p], 0.0), axis=0) for p in parts])
    n = len(parts)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.sqrt(top.sum(axis=0) / bottom.sum(axis=0))
        without = 0.5 * np.log((top.sum(axis=0) - top) / (bottom.sum(axis=0) - bottom))
        middle = without.mean(axis=0)
        wide = np.sqrt((n - 1) / n * np.sum((without - middle) ** 2, axis=0))
        wide = np.where(np.isfinite(wide), wide, np.nan) * stdtrit(max(n - 1, 1), (1 + level) / 2)
        return value, value * np.exp(-wide), value * np.exp(wide)


def as_estimate(
    value: float, low: float, high: float, level: float, method: str, unit: str = ""
) -> Estimate:
    """An estimate; without a value there is no interval either."""
    ends = (float(low), float(high)) if np.isfinite(value) else (np.nan, np.nan)
    return Estimate(value=float(value), interval=ends, level=level, unit=unit, method=method)


def local_prediction_error(
    vectors: DelayVectors,
    *,
    lead: int,
    theiler: int,
    n_neighbours: int = 8,
    max_references: int = 1500,
    max_library: int = 20_000,
) -> float:
    """Normalised root-mean-square error of the locally constant predictor.

    The forecast of ``x(t + lead)`` is the mean of the successors of the `n_neighbours` nearest
    delay vectors outside the Theiler window; the error is divided by the standard deviation of the
    targets and corrected for the variance of that mean, ``1 + 1 / n_neighbours``, so that white
    noise gives 1.

    Parameters
    ----------
    vectors : DelayVectors
    lead : int
        Samples ahead.
    theiler : int
        Neighbours closer than this in time (samples) are not used.
    max_references, max_library : int
        Evenly spread subsets are used above these numbers.

    Returns
    -------
    float
        Dimensionless; NaN where fewer than 20 references have neighbours.

    Notes
    -----
    A small error says that the recent past foretells the near future. It does *not* say that the
    rule is nonlinear: compare with surrogates. Cost: O((library + references) log library).

    References
    ----------
    Farmer and Sidorowich (1987), Phys. Rev. Lett. 59, 845; Schreiber and Schmitz (1997), Phys. Rev.
    E 55, 5443, section III, for its use as a test statistic.
    """
    ahead = vectors.successors(lead)
    usable = np.flatnonzero(ahead >= 0)
    if len(usable) < 20:
        return float("nan")
    library = usable[:: max(1, -(-len(usable) // max_library))]
    queries = usable[:: max(1, -(-len(usable) // max_references))]
    distances, which = neighbours(
        vectors.points[library],
        vectors.clock[library],
        vectors.points[queries],
        vectors.clock[queries],
        k=n_neighbours,
        theiler=theiler,
    )
    full = np.isfinite(distances).all(axis=1)
    if full.sum() < 20:
        return float("nan")
    p = vectors.n_components
    targets = vectors.points[ahead[queries[full]], :p]
    forecast = vectors.points[ahead[library[which[full]]], :p].mean(axis=1)
    error = np.mean((targets - forecast) ** 2) / (1 + 1 / n_neighbours)
    spread = np.mean((targets - targets.mean(axis=0)) ** 2)
    return float(np.sqrt(error / spread)) if spread > 0 else 0.0


def time_asymmetry(x: np.ndarray, lags: tuple[int, ...]) -> float:
    """Largest absolute skewness of the increments over `lags`, a measure of irreversibility.

    ``|<(x(t + L) - x(t))^3>| / <(x(t + L) - x(t))^2>^(3/2)``, the maximum over `lags`. Zero in
    expectation for every reversible process, linear Gaussian ones among them. Increments from or to
    a missing value are left out. Dimensionless.
    """
    worst, missing = 0.0, not np.isfinite(x).all()
    for lag in lags:
        if lag < len(x):
            step = x[lag:] - x[:-lag]
            if missing:
                step = step[np.isfinite(step)]
                if not len(step):
                    continue
            variance = float(np.mean(step**2))
            if variance > 0:
                worst = max(worst, abs(float(np.mean(step**3))) / variance**1.5)
    return worst
