"""Nonlinear prediction error: how well successors of similar states foretell the next one."""

from __future__ import annotations

import numpy as np

from takens.series.observable import DelayVectors, neighbours


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
    expectation for every reversible process, linear Gaussian ones among them. Dimensionless.
    """
    worst = 0.0
    for lag in lags:
        if lag < len(x):
            step = x[lag:] - x[:-lag]
            variance = float(np.mean(step**2))
            if variance > 0:
                worst = max(worst, abs(float(np.mean(step**3))) / variance**1.5)
    return worst
