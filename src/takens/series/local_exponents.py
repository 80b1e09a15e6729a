"""Growth of a tangent vector over an ensemble of embeddings and local maps, chosen by forecasts."""

from __future__ import annotations

import numpy as np

from takens.core import InvalidInput
from takens.series.embedding import Embedding, vectors_of
from takens.series.observable import DelayVectors, Observable, delay_vectors
from takens.series.tangent import LocalModel, TangentMaps, tangent_growth, tangent_maps

_N_BLOCKS = 10
_DISCARDED = 80  # maps until a vector has aligned: a neutral direction gives way only slowly
_MISFIT_RATIO = (
    10.0  # settings whose local maps fit worse than this many times the best are dropped
)
_FEWEST_STEPS = 40  # maps with a vector that has aligned
_NOISY = 0.02  # misfit, as a noise level, above which the usual neighbourhoods are reconsidered
_IMPROVEMENT = 0.6  # a delay this much better in misfit was too long before
_PILOT = 400  # references that choose a neighbourhood
_WIDEST_CURVED = 5  # coordinates up to which large neighbourhoods are tried: in more they are wide

Row = tuple[np.ndarray, tuple[float, float, float, float], TangentMaps]


def growth_ensemble(
    view: Observable, chosen: Embedding, quick: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Exponents per setting and block, in order of misfit.

    Where a pilot finds the local maps to miss by less than `_NOISY`, each embedding gets its usual
    neighbourhoods. Else the misfit is of one of two kinds. If it falls with the delay, the flow
    bends too much within one, and shorter delays replace the ensemble's. If it stays, it is
    observational noise: small neighbourhoods fit the noise, so that the tangent maps are random
    and grow; each embedding takes the neighbourhood, and the degree, whose maps forecast points
    outside the fit best,
    and the usual one stays beside it for the spread.

    Returns
    -------
    values : array, shape (n_settings, n_blocks)
    settings : array, shape (n_settings, 4)
        Dimension, delay, neighbours, degree.
    noise : float
        Smallest bound on the noise level among the settings.
    drift : float
        How much the exponent of a map moves when its neighbourhoods hold twice as many points.
    """
    rows: list[Row] = []
    pilot = _pilot(view, chosen, *(int(v) for v in chosen.settings[0]))[0]
    drift = 0.0
    if pilot > _NOISY:
        pairs = _shorter(view, chosen, pilot)
        for m, d in chosen.settings if pairs is None else pairs:
            rows += _by_forecast(view, chosen, int(m), int(d), quick, rng)
    else:
        n_references = 1500 if quick else 3000 if chosen.map_like else 2000
        for m, d in chosen.settings:
            vectors = vectors_of(view, int(m), int(d))
            models = _usual(vectors.points.shape[1], quick)
            rows += _rows(view, chosen, vectors, models, n_references, rng)
        drift = _drift(view, chosen, rng) if chosen.map_like and rows else 0.0
    if not rows:
        return np.full((0, _N_BLOCKS), np.nan), np.zeros((0, 4)), float("nan"), drift
    misfit = np.array([maps.residual for _, _, maps in rows])
    fine = misfit <= _MISFIT_RATIO * max(float(misfit.min()), 1e-6)
    best = np.flatnonzero(fine)[np.argsort(misfit[fine], kind="stable")]
    return (
        np.array([rows[i][0] for i in best]),
        np.array([rows[i][1] for i in best], dtype=float),
        float(np.nanmin([maps.noise for _, _, maps in rows])),
        drift,
    )


def _n_curved(width: int) -> int:
    """Coefficients of a local fit with curvature."""
    return 1 + width + width * (width + 1) // 2


def _usual(width: int, quick: bool) -> list[LocalModel]:
    """Small neighbourhoods: the maps of clean data."""
    models = []
    if not quick:
        models.append(LocalModel(n_neighbours=max(30, 4 * width), quadratic=False))
    if _n_curved(width) <= 36:
        models.append(LocalModel(n_neighbours=max(40, 2 * _n_curved(width)), quadratic=True))
    return models


def _rows(
    view: Observable,
    chosen: Embedding,
    vectors: DelayVectors,
    models: list[LocalModel],
    n_references: int,
    rng: np.random.Generator,
) -> list[Row]:
    """Exponents per block of one embedding, for each model that can be fitted."""
    rows: list[Row] = []
    every = tangent_maps(vectors, models, theiler=chosen.theiler, max_references=n_references)
    for model, maps in zip(models, every, strict=True):
        n_steps = maps.gradients.shape[0]
        discarded = min(_DISCARDED, n_steps // 4)
        if n_steps < 60 or not np.isfinite(maps.residual):
            continue
        growth = tangent_growth(maps, rng, discarded)
        if np.isfinite(growth).sum() < _FEWEST_STEPS:
            continue
        blocks = np.array_split(growth[discarded:], _N_BLOCKS, axis=0)
        means = [np.nanmean(b) if np.isfinite(b).any() else np.nan for b in blocks]
        if np.isfinite(means).any():
            setting = (vectors.dimension, vectors.delay, model.n_neighbours, 1 + model.quadratic)
            rows.append((np.array(means) / (maps.lead * view.dt), setting, maps))
    return rows


def _pilot(view: Observable, chosen: Embedding, dimension: int, delay: int) -> tuple[float, float]:
    """Mean and typical misfit of the usual maps at a few references, as noise levels."""
    try:
        vectors = delay_vectors(view.gapped, dimension, delay)
    except InvalidInput:
        return float("nan"), float("nan")
    model = _usual(vectors.points.shape[1], quick=False)[-1]
    (maps,) = tangent_maps(vectors, [model], theiler=chosen.theiler, max_references=_PILOT)
    return maps.noise, maps.typical_noise


def noise_bound(view: Observable, chosen: Embedding) -> float:
    """Bound on the noise level: the least typical misfit of local maps at a few delays."""
    bound = _pilot(view, chosen, *(int(v) for v in chosen.settings[0]))[1]
    for share in (4, 8):
        delay = chosen.delay // share
        if bound > _NOISY and not chosen.map_like and delay >= 1:
            again = _pilot(view, chosen, min(chosen.dimension, 4), delay)[1]
            bound = float(np.fmin(bound, again))
    return bound


def _shorter(view: Observable, chosen: Embedding, noise: float) -> list[tuple[int, int]] | None:
    """Embeddings of a shorter delay, if one at a quarter or an eighth lowers the misfit much."""
    dimension, found = min(chosen.dimension, 4), None
    least = noise
    for share in (4, 8):
        delay = chosen.delay // share
        if chosen.map_like or delay < 1:
            break
        misfit = _pilot(view, chosen, dimension, delay)[0]
        if not misfit < _IMPROVEMENT * least:
            break
        least, found = misfit, delay
    if found is None or least > _NOISY:  # still unresolved: the ensemble's own is no worse
        return None
    return [(m, d) for m in (dimension, dimension + 1) for d in (found, max(1, found // 2))]


def _by_forecast(
    view: Observable, chosen: Embedding, m: int, d: int, quick: bool, rng: np.random.Generator
) -> list[Row]:
    """The row of the model that forecasts best, chosen at a few references."""
    vectors = vectors_of(view, m, d)
    width, most = vectors.points.shape[1], len(vectors.clock) // 6
    curved = _n_curved(width)
    models = _usual(width, quick=False)
    wide = (120, 360) if width <= _WIDEST_CURVED else (120,)
    models += [LocalModel(n_neighbours=k, quadratic=False) for k in wide if k < most]
    if width <= _WIDEST_CURVED:
        sizes = (max(120, 6 * curved), max(360, 12 * curved))
        models += [LocalModel(n_neighbours=k, quadratic=True) for k in sizes if k < most]
    tried = tangent_maps(vectors, models, theiler=chosen.theiler, max_references=_PILOT)
    misfits = np.array([maps.residual for maps in tried])
    if not np.isfinite(misfits).any():
        return []
    best = int(np.nanargmin(misfits))
    # The best forecast smooths the maps too much, the usual small neighbourhoods too little.
    used = sorted({best, len(_usual(width, quick=False)) - 1})
    return _rows(view, chosen, vectors, [models[i] for i in used], 1000 if quick else 1500, rng)


def _drift(view: Observable, chosen: Embedding, rng: np.random.Generator) -> float:
    """Change of the exponent when twice as many neighbours are fitted: a kink, or too few data."""
    m, d = (int(v) for v in chosen.settings[0])
    vectors = vectors_of(view, m, d)
    usual = _usual(vectors.points.shape[1], quick=True)
    if not usual or len(vectors.clock) < 12 * usual[0].n_neighbours:
        return 0.0
    double = LocalModel(n_neighbours=2 * usual[0].n_neighbours, quadratic=True)
    rows = _rows(view, chosen, vectors, [*usual, double], 1000, rng)
    if len(rows) < 2:
        return 0.0
    return abs(float(np.nanmean(rows[0][0]) - np.nanmean(rows[1][0])))
