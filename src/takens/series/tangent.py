"""Tangent dynamics from data: local polynomial maps along the orbit, and the growth they imply."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.series.observable import DelayVectors, neighbours

_PIECE = 300  # steps that one vector is followed; more would only lengthen the loop


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
    """

    gradients: np.ndarray
    lead: int
    residual: float
    noise: float


def _chains(vectors: DelayVectors, lead: int, max_references: int) -> np.ndarray:
    """Rows of the reference points, shape (n_steps, n_chains); -1 after a chain has ended.

    Every chain follows ``t, t + lead, t + 2 lead, ...``. Chains start in each stretch, at evenly
    spread phases, as many as `max_references` allows; a long stretch is cut into several.
    """
    edges = np.flatnonzero(np.diff(vectors.clock) != 1) + 1
    stretches = np.split(np.arange(len(vectors.clock)), edges)
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
    model: LocalModel,
    *,
    theiler: int,
    max_references: int = 3000,
    max_library: int = 20_000,
) -> TangentMaps:
    """Fit a weighted local polynomial map at every point of the reference chains.

    The map predicts the newest block one delay ahead; the other blocks shift. Weights are
    ``(1 - (d / h)^3)^3`` with `h` the distance of the last neighbour, and a ridge relative to the
    trace keeps directions that the neighbours do not span at zero slope.

    Notes
    -----
    Cost: O(n_references * n_neighbours * features^2), memory O(n_references * n_neighbours * dim).
    """
    lead, p, dim = vectors.delay, vectors.n_components, vectors.points.shape[1]
    table = _chains(vectors, lead, max_references)
    chosen = table >= 0
    refs = table[chosen]
    ahead = vectors.successors(lead)
    usable = np.flatnonzero(ahead >= 0)
    library = usable[:: max(1, -(-len(usable) // max_library))]
    gradients = np.full((*table.shape, p, dim), np.nan)
    if len(refs) < 20 or len(library) < 4 * model.n_neighbours:
        return TangentMaps(gradients=gradients, lead=lead, residual=np.nan, noise=np.nan)
    slopes, misfit, freedom = _local_fits(vectors, model, refs, library, ahead, theiler)
    gradients[chosen] = slopes
    known = np.isfinite(misfit).all(axis=1)
    if not known.any():  # no reference has enough neighbours outside the Theiler window
        return TangentMaps(gradients=gradients, lead=lead, residual=np.nan, noise=np.nan)
    squares = np.sum(misfit[known] ** 2, axis=1)
    power = np.mean(squares / np.maximum(freedom[known], 1e-9)) / p
    gain = 1 + np.median(np.sum(slopes[known] ** 2, axis=(1, 2))) / p
    residual = float(np.sqrt(np.mean(squares) / p))
    return slopes, misfit, freedom


def tangent_growth(maps: TangentMaps, rng: np.random.Generator, n_discarded: int) -> np.ndarray:
    """Log growth of a generic tangent vector for each map, shape (n_steps, n_chains), per map.

    The delay state's tangent map is a companion matrix: the newest block is the local gradient
    applied to the vector, the older blocks shift. NaN while the vector is still aligning, and
    after a chain has ended.
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
    log_growth = np.full(active.shape, np.nan)
    for step in range(len(steps)):
        newest = np.einsum("cpd,cd->cp", gradients[step], vector)
        moved, size = _unit(np.concatenate([newest, vector[:, : dim - p]], axis=1))
        # A missing map: start afresh; the bias of realigning is one of many steps.
        broken = ~np.isfinite(size) | ~active[step] | (size == 0)
        with np.errstate(divide="ignore"):
            log_growth[step] = np.where(broken, np.nan, np.log(size))
        if broken.any():
            moved[broken] = _unit(rng.normal(size=(int(broken.sum()), dim)))[0]
        vector = moved
    kept = log_growth[n_discarded:].reshape(_PIECE, n_pieces, -1).transpose(1, 0, 2)
    growth = kept.reshape(_PIECE * n_pieces, -1)[:n_steps]
    growth[:n_discarded] = np.nan
    return growth


def _unit(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows over their length, and the lengths."""
    size = np.sqrt(np.einsum("cd,cd->c", vectors, vectors))
    with np.errstate(divide="ignore", invalid="ignore"):
        return vectors / size[:, None], size
