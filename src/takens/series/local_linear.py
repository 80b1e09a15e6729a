"""The smallest error of local models, constant and linear: a test statistic for determinism."""

from __future__ import annotations

import numpy as np

from takens.series.observable import DelayVectors, neighbours

_CONSTANT = (4, 8)  # neighbours of locally constant models
_LINEAR = (2.0, 5.0, 12.0)  # neighbours of locally linear models, for each of their coefficients
_RIDGE = 1e-3
_MIN_REFERENCES = 20


def smallest_local_error(
    vectors: DelayVectors,
    *,
    lead: int,
    theiler: int,
    max_references: int = 500,
    max_library: int = 20_000,
) -> float:
    """Normalised root-mean-square error of the best of five local models.

    The state is foretold from its neighbours outside the Theiler window by their mean (4 and 8 of
    them) and by a linear fit (2, 5 and 12 for each coefficient); of the five errors, each over the
    standard deviation of the targets, the smallest is taken. A rule without noise favours few
    neighbours, noise favours many, and the choice is made anew for every record.

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
        Dimensionless, about 1 for white noise; NaN where fewer than 20 references have neighbours.

    Notes
    -----
    The minimum is a little optimistic: a test statistic, for comparison with its values on
    surrogates that went through the same choice, and no forecast error. Cost: O((library +
    references) log library + references * neighbours * dim^2).

    References
    ----------
    Farmer and Sidorowich (1987), Phys. Rev. Lett. 59, 845; Casdagli (1992), J. R. Stat. Soc. B 54,
    303 (local against global linear models).
    """
    ahead = vectors.successors(lead)
    usable = np.flatnonzero(ahead >= 0)
    dim, p = vectors.points.shape[1], vectors.n_components
    library = usable[:: max(1, -(-len(usable) // max_library))]
    sizes = _sizes(dim, len(library))
    if len(usable) < _MIN_REFERENCES or not sizes:
        return float("nan")
    queries = usable[:: max(1, -(-len(usable) // max_references))]
    distance, which = neighbours(
        vectors.points[library],
        vectors.clock[library],
        vectors.points[queries],
        vectors.clock[queries],
        k=sizes[-1],
        theiler=theiler,
    )
    full = np.isfinite(distance).all(axis=1)
    if full.sum() < _MIN_REFERENCES:
        return float("nan")
    queries, near, distance = queries[full], library[which[full]], distance[full]
    targets = vectors.points[ahead[queries], :p]
    futures = vectors.points[ahead[near], :p]
    spread = float(np.mean((targets - targets.mean(axis=0)) ** 2))
    offsets = vectors.points[near] - vectors.points[queries][:, None]
    fits = [_weights(offsets, distance, k) for k in sizes]
    return float(np.sqrt(_least_square(targets, futures, fits) / spread)) if spread > 0 else 0.0


def forecast_errors(
    vectors: DelayVectors,
    leads: np.ndarray,
    *,
    theiler: int,
    max_references: int = 500,
    max_library: int = 20_000,
) -> np.ndarray:
    """The same errors at several leads, from one search for neighbours, shape (n_leads,).

    Only states are used that are followed for the longest lead; stretches must be whole, so that
    the row `lead` further on is `lead` samples later. NaN where fewer than 20 references remain.
    """
    usable = np.flatnonzero(vectors.successors(int(max(leads))) >= 0)
    dim, p = vectors.points.shape[1], vectors.n_components
    library = usable[:: max(1, -(-len(usable) // max_library))]
    sizes = _sizes(dim, len(library))
    none = np.full(len(leads), np.nan)
    if len(usable) < _MIN_REFERENCES or not sizes:
        return none
    queries = usable[:: max(1, -(-len(usable) // max_references))]
    distance, which = neighbours(
        vectors.points[library],
        vectors.clock[library],
        vectors.points[queries],
        vectors.clock[queries],
        k=sizes[-1],
        theiler=theiler,
    )
    full = np.isfinite(distance).all(axis=1)
    if full.sum() < _MIN_REFERENCES:
        return none
    queries, near, distance = queries[full], library[which[full]], distance[full]
    offsets = vectors.points[near] - vectors.points[queries][:, None]
    fits = [_weights(offsets, distance, k) for k in sizes]
    found = []
    for lead in leads:
        targets = vectors.points[queries + lead, :p]
        spread = float(np.mean((targets - targets.mean(axis=0)) ** 2))
        square = _least_square(targets, vectors.points[near + lead, :p], fits)
        found.append(np.sqrt(square / spread) if spread > 0 else 0.0)
    return np.array(found)


def _sizes(dim: int, n_library: int) -> list[int]:
    """Neighbours of the linear models that the library can give."""
    sizes = [round(share * (dim + 1)) + 2 for share in _LINEAR]
    return [k for k in sizes if k <= n_library // 4]


def _weights(offsets: np.ndarray, distance: np.ndarray, k: int) -> np.ndarray:
    """Weights of the futures of `k` neighbours in a linear forecast, shape (n, k)."""
    dim = offsets.shape[2]
    reach = np.maximum(distance[:, k - 1], 1e-300)[:, None, None]
    design = np.concatenate([np.ones((len(offsets), k, 1)), offsets[:, :k] / reach], axis=2)
    turned = design.transpose(0, 2, 1)
    gram = turned @ design
    penalty = _RIDGE * np.trace(gram, axis1=1, axis2=2) / (dim + 1)
    gram[:, range(1, dim + 1), range(1, dim + 1)] += penalty[:, None]
    constant = np.broadcast_to(np.eye(dim + 1)[:, :1], (len(offsets), dim + 1, 1))
    return np.asarray((design @ np.linalg.solve(gram, constant))[:, :, 0])


def _least_square(targets: np.ndarray, futures: np.ndarray, fits: list[np.ndarray]) -> float:
    """The smallest mean square error of the constant and the linear models."""
    errors = [
        float(np.mean((targets - futures[:, :k].mean(axis=1)) ** 2)) / (1 + 1 / k)
        for k in _CONSTANT
    ]
    for weights in fits:
        forecast = np.einsum("nk,nkp->np", weights, futures[:, : weights.shape[1]])
        errors.append(float(np.mean((targets - forecast) ** 2)))
    return min(errors)
