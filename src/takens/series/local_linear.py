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
    sizes = [round(share * (dim + 1)) + 2 for share in _LINEAR]
    library = usable[:: max(1, -(-len(usable) // max_library))]
    sizes = [k for k in sizes if k <= len(library) // 4]
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
    errors = [
        float(np.mean((targets - futures[:, :k].mean(axis=1)) ** 2)) / (1 + 1 / k)
        for k in _CONSTANT
    ]
    offsets = vectors.points[near] - vectors.points[queries][:, None]
    for k in sizes:
        reach = np.maximum(distance[:, k - 1], 1e-300)[:, None, None]
        design = np.concatenate([np.ones((len(near), k, 1)), offsets[:, :k] / reach], axis=2)
        turned = design.transpose(0, 2, 1)
        gram = turned @ design
        penalty = _RIDGE * np.trace(gram, axis1=1, axis2=2) / (dim + 1)
        gram[:, range(1, dim + 1), range(1, dim + 1)] += penalty[:, None]
        forecast = np.linalg.solve(gram, turned @ futures[:, :k])[:, 0]
        errors.append(float(np.mean((targets - forecast) ** 2)))
    spread = float(np.mean((targets - targets.mean(axis=0)) ** 2))
    return float(np.sqrt(min(errors) / spread)) if spread > 0 else 0.0
