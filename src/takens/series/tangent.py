"""Tangent dynamics from data: local polynomial maps along the orbit, and the growth they imply."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from takens.series.observable import DelayVectors, neighbours

_PIECE = 300  # steps that one vector is followed; more would only lengthen the loop
_MEDIAN_OF_SQUARE = 0.455  # of a standard normal variable
_FAR = 1_000_000  # clocks of two stretches are farther apart, those of one are nearer
_REALIGNED = 5  # maps after a missing one that a vector takes to find its direction again
_FITS_AT_ONCE = 64  # local fits solved side by side; their arrays stay in the processor's cache


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalModel:
    """How the local map is fitted: number of neighbours and whether curvature is included."""

    n_neighbours: int
    quadratic: bool
    ridge: float = 1e-4


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TangentMaps:
    """Local linear maps of the delay state along chains of successive points.

    Parameters
    ----------
    gradients : array, shape (n_steps, n_chains, p, p * m)
        Derivative of the newest block after `lead` samples with respect to the delay vector; NaN
        where the chain is broken.
    lead : int
        Samples between successive maps.
    residual : float
        Root-mean-square misfit of the local fits, in standard deviations.
    noise : float
        Observational noise level that the misfit would imply, an upper bound, in the same unit.
    typical_noise : float
        The same from the median misfit: a kink or a jump, which few points meet, does not count.
    """

    gradients: np.ndarray
    lead: int
    residual: float
    noise: float
    typical_noise: float = float("nan")


def _chains(vectors: DelayVectors, lead: int, max_references: int) -> np.ndarray:
    """Rows of the reference points, shape (n_steps, n_chains); -1 after a chain has ended.

    Every chain follows ``t, t + lead, t + 2 lead, ...``. Chains start in each stretch, at evenly
    spread phases, as many as `max_references` allows; a long stretch is cut into several. Where a
    vector is missing a chain has -1 and goes on.
    """
    edges = np.flatnonzero(np.diff(vectors.clock) > _FAR) + 1
    stretches = []
    for known in np.split(np.arange(len(vectors.clock)), edges):
        clock = vectors.clock[known] - vectors.clock[known[0]]
        stretches.append(np.full(clock[-1] + 1, -1))
        stretches[-1][clock] = known
    n_total = len(vectors.clock)
    starts: list[np.ndarray] = []
    phases = int(np.clip(round(max_references * lead / n_total), 1, lead))
    share = min(1.0, max_references * lead / (n_total * phases))
    for rows in stretches:
        usable = len(rows) - lead
        if usable < lead:
            continue
        kept = rows[: max(lead + 1, int(usable * share))] if share < 1 else rows[:usable]
        starts.extend(
            kept[phase::lead] for phase in np.unique(np.linspace(0, lead - 1, phases).astype(int))
        )
    longest = max((len(s) for s in starts), default=0)
    table = np.full((longest, len(starts)), -1)
    for column, rows in enumerate(starts):
        table[: len(rows), column] = rows
    return table


def tangent_maps(
    vectors: DelayVectors,
    models: Sequence[LocalModel],
    *,
    theiler: int,
    max_references: int = 3000,
    max_library: int = 20_000,
) -> tuple[TangentMaps, ...]:
    """Fit weighted local polynomial maps at every point of the reference chains.

    Each map predicts the newest block one delay ahead; the other blocks shift. Weights are
    ``(1 - (d / h)^3)^3`` with `h` the distance of the last neighbour, and a ridge relative to the
    trace keeps directions that the neighbours do not span at zero slope. All models share one
    search for neighbours.

    Returns
    -------
    tuple of TangentMaps
        One for each model.

    Notes
    -----
    Cost: O(n_references * n_neighbours * features^2) for each model.
    """
    lead, dim = vectors.delay, vectors.points.shape[1]
    table = _chains(vectors, lead, max_references)
    refs = table[table >= 0]
    ahead = vectors.successors(lead)
    usable = np.flatnonzero(ahead >= 0)
    library = usable[:: max(1, -(-len(usable) // max_library))]
    counts = [
        min(max(model.n_neighbours, _n_features(model, dim) + 5), len(library) // 2)
        for model in models
    ]
    answered = [len(refs) >= 20 and len(library) >= 4 * model.n_neighbours for model in models]
    if any(answered):
        distance, which = neighbours(
            vectors.points[library],
            vectors.clock[library],
            vectors.points[refs],
            vectors.clock[refs],
            k=max(count for count, okay in zip(counts, answered, strict=True) if okay),
            theiler=theiler,
        )
        rows = np.where(which >= 0, library[which], -1)
    return tuple(
        _maps(vectors, model, table, ahead, distance[:, :count], rows[:, :count])
        if okay
        else TangentMaps(
            gradients=np.full((*table.shape, vectors.n_components, dim), np.nan),
            lead=lead,
            residual=np.nan,
            noise=np.nan,
        )
        for model, count, okay in zip(models, counts, answered, strict=True)
    )


def _n_features(model: LocalModel, dim: int) -> int:
    """Coefficients of one local fit: constant, slopes and products."""
    return 1 + dim + (dim * (dim + 1) // 2 if model.quadratic else 0)


def _maps(
    vectors: DelayVectors,
    model: LocalModel,
    table: np.ndarray,
    ahead: np.ndarray,
    distance: np.ndarray,
    rows: np.ndarray,
) -> TangentMaps:
    """The maps of one model from the neighbours of its reference points."""
    p, dim = vectors.n_components, vectors.points.shape[1]
    chosen = table >= 0
    gradients = np.full((*table.shape, p, dim), np.nan)
    slopes, misfit, freedom = _local_fits(vectors, model, table[chosen], ahead, distance, rows)
    gradients[chosen] = slopes
    known = np.isfinite(misfit).all(axis=1)
    if not known.any():  # no reference has enough neighbours outside the Theiler window
        return TangentMaps(gradients=gradients, lead=vectors.delay, residual=np.nan, noise=np.nan)
    squares = np.sum(misfit[known] ** 2, axis=1)
    power = float(np.mean(squares / np.maximum(freedom[known], 1e-9))) / p
    typical = float(np.median(squares / np.maximum(freedom[known], 1e-9))) / p
    gain = 1 + float(np.median(np.sum(slopes[known] ** 2, axis=(1, 2)))) / p
    return TangentMaps(
        gradients=gradients,
        lead=vectors.delay,
        residual=float(np.sqrt(np.mean(squares) / p)),
        noise=float(np.sqrt(power / gain)),
        typical_noise=float(np.sqrt(typical / _MEDIAN_OF_SQUARE / gain)),
    )


def _local_fits(
    vectors: DelayVectors,
    model: LocalModel,
    refs: np.ndarray,
    ahead: np.ndarray,
    distance: np.ndarray,
    rows: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes (n, p, dim), misfit at the point (n, p), and its variance factor (n,)."""
    p, dim = vectors.n_components, vectors.points.shape[1]
    first, second = np.triu_indices(dim)
    n_features = _n_features(model, dim)
    slopes = np.full((len(refs), p, dim), np.nan)
    misfit, freedom = np.full((len(refs), p), np.nan), np.full(len(refs), np.nan)
    full = np.flatnonzero(np.isfinite(distance).all(axis=1) & (distance[:, -1] > 0))
    penalty = np.full(n_features, model.ridge)
    penalty[0] = 1e-12
    first_unit = np.eye(n_features)[:, :1]
    for start in range(0, len(full), _FITS_AT_ONCE):
        block = full[start : start + _FITS_AT_ONCE]
        near = rows[block]
        reach = distance[block, -1][:, None]
        offset = vectors.points[near] - vectors.points[refs[block]][:, None]
        offset /= reach[:, :, None]
        root = (1 - np.minimum(distance[block] / reach, 1) ** 3) ** 1.5 + 1e-3
        weighted = np.empty((len(block), n_features, near.shape[1]))  # (reference, feature, point)
        weighted[:, 0] = 1
        turned = offset.transpose(0, 2, 1)
        weighted[:, 1 : dim + 1] = turned
        if model.quadratic:
            np.multiply(turned[:, first], turned[:, second], out=weighted[:, dim + 1 :])
        weighted *= root[:, None]
        gram = weighted @ weighted.transpose(0, 2, 1)
        trace = np.trace(gram, axis1=1, axis2=2) / n_features
        gram += trace[:, None, None] * np.diag(penalty)
        targets = vectors.points[ahead[near], :p] * root[:, :, None]
        sides = np.empty((len(block), n_features, p + 1))
        sides[:, :, :p] = weighted @ targets
        sides[:, :, p:] = first_unit
        solved = np.linalg.solve(gram, sides)
        slopes[block] = solved[:, 1 : dim + 1, :p].transpose(0, 2, 1) / reach[:, :, None]
        known = ahead[refs[block]] >= 0
        at_point = vectors.points[np.maximum(ahead[refs[block]], 0), :p]
        misfit[block] = np.where(known[:, None], at_point - solved[:, 0, :p], np.nan)
        # Var(y0 - fit) = sigma^2 (1 + e' G^-1 (sum w^2 z z') G^-1 e), bounded by 1 + e' G^-1 e.
        freedom[block] = 1 + np.clip(solved[:, 0, p], 0, 1)
    return slopes, misfit, freedom


def tangent_growth(maps: TangentMaps, rng: np.random.Generator, n_discarded: int) -> np.ndarray:
    """Log growth of a generic tangent vector for each map, shape (n_steps, n_chains), per map.

    The delay state's tangent map is a companion matrix: the newest block is the local gradient
    applied to the vector, the older blocks shift. NaN while the vector is still aligning, at
    missing maps and for five maps after them, and after a chain has ended.
    """
    n_steps, _, p, dim = maps.gradients.shape
    n_pieces = -(-n_steps // _PIECE)
    steps = np.arange(-n_discarded, _PIECE)[:, None] + _PIECE * np.arange(n_pieces)
    inside = (steps >= 0) & (steps < n_steps)
    # Pieces run side by side; each starts early enough to align before its own steps begin.
    gradients = maps.gradients[np.clip(steps, 0, n_steps - 1)]
    gradients = gradients.reshape(len(steps), -1, p, dim)
    active = np.repeat(inside, maps.gradients.shape[1], axis=1)
    vector = _unit(rng.normal(size=(gradients.shape[1], dim)))[0]
    sizes = np.full(active.shape, np.nan)
    waiting = np.zeros(active.shape[1], int)
    for step in range(len(steps)):
        newest = np.einsum("cpd,cd->cp", gradients[step], vector)
        moved, size = _unit(np.concatenate([newest, vector[:, : dim - p]], axis=1))
        # A missing map: start afresh, and count again once the vector has turned.
        broken = ~np.isfinite(size) | ~active[step] | (size == 0)
        sizes[step] = np.where(broken | (waiting > 0), np.nan, size)
        waiting = np.where(broken & active[step], _REALIGNED, np.maximum(waiting - 1, 0))
        if broken.any():
            moved[broken] = _unit(rng.normal(size=(int(broken.sum()), dim)))[0]
        vector = moved
    kept = np.log(sizes[n_discarded:]).reshape(_PIECE, n_pieces, -1).transpose(1, 0, 2)
    growth = kept.reshape(_PIECE * n_pieces, -1)[:n_steps]
    growth[:n_discarded] = np.nan
    return growth


def _unit(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows over their length, and the lengths."""
    size = np.sqrt(np.einsum("cd,cd->c", vectors, vectors))
    with np.errstate(divide="ignore", invalid="ignore"):
        return vectors / size[:, None], size


def tangent_spectrum(maps: TangentMaps, n_discarded: int) -> np.ndarray:
    """Log growth along all directions of the delay state, shape (n_steps, n_chains, p * m).

    The companion matrices of `tangent_growth` act on an orthonormal frame that is restored by QR
    after each map (Eckmann and Ruelle 1985, section V.C); the logarithms of the diagonal of R are
    in descending order on average. NaN while the frames are still aligning, at missing maps and
    for five maps after them.
    """
    n_steps, n_chains, p, dim = maps.gradients.shape
    n_pieces = -(-n_steps // _PIECE)
    steps = np.arange(-n_discarded, _PIECE)[:, None] + _PIECE * np.arange(n_pieces)
    inside = np.repeat((steps >= 0) & (steps < n_steps), n_chains, axis=1)
    gradients = maps.gradients[np.clip(steps, 0, n_steps - 1)].reshape(len(steps), -1, p, dim)
    frame = np.tile(np.eye(dim), (gradients.shape[1], 1, 1))
    kept = np.full((_PIECE, gradients.shape[1], dim), np.nan)
    waiting = np.zeros(gradients.shape[1], int)
    for step in range(len(steps)):
        moved = np.concatenate([gradients[step] @ frame, frame[:, : dim - p]], axis=1)
        there = np.isfinite(moved).all(axis=(1, 2)) & inside[step]
        counted = there & (waiting == 0)
        waiting = np.where(inside[step] & ~there, _REALIGNED, np.maximum(waiting - 1, 0))
        if not there.any():
            continue
        q, r = np.linalg.qr(moved[there])
        frame[there] = q
        if step >= n_discarded:
            size = np.abs(np.diagonal(r, axis1=1, axis2=2))
            kept[step - n_discarded, counted] = np.log(np.maximum(size[counted[there]], 1e-300))
    growth = kept.reshape(_PIECE, n_pieces, n_chains, dim).swapaxes(0, 1)
    growth = growth.reshape(_PIECE * n_pieces, n_chains, dim)[:n_steps]
    growth[:n_discarded] = np.nan
    return growth
