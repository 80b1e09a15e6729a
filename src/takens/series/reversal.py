"""Spectra of local maps forward and backward in time, and which exponents change their sign."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import InvalidInput
from takens.series.embedding import Embedding
from takens.series.observable import Observable, delay_vectors
from takens.series.tangent import LocalModel, tangent_maps, tangent_spectrum

N_BLOCKS = 10
_DISCARDED = 80
_REFERENCES = 1500
_MOST_COORDINATES = 6  # beyond it the local maps with curvature have more than 28 coefficients
_AGREE = 0.2  # of the larger of two exponents, and
AGREE_TOP = 0.3  # of the largest exponent: within this they are the same
_SHARE = 0.5  # of the settings, in which an exponent must be confirmed, and
_SHARE_CONTRACTING = 0.75  # the same of one below zero, where chance partners are many
_CLEARLY = 0.6  # a partner is nearer than this share of the distance to any other
_NO_WORSE = 1.5  # the smallest dimension whose misfit is within this factor of the best, and
_FINE = 0.002  # a misfit, in standard deviations, below which differences do not count
_COARSE = 0.1  # a misfit that makes a shorter delay worth a try
_PILOT = 300


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Reversal:
    """Spectra of one setting, forward and reversed (sign changed, descending), per block."""

    label: tuple[int, int, int]
    forward: np.ndarray  # (block, exponent)
    backward: np.ndarray
    misfit: float

    def pairs(self, top: float, floor: float) -> list[np.ndarray]:
        """Blocks of the exponents that change sign when time does: nearest pairs first."""
        f, b = np.nanmean(self.forward, axis=0), np.nanmean(self.backward, axis=0)
        apart = np.abs(f[:, None] - b)
        within = apart <= _tolerance(f[:, None], b, top, floor)
        found = []
        for i, j in np.argwhere(within):
            rivals = [*np.delete(apart[i], j), *np.delete(apart[:, j], i)]
            if apart[i, j] <= _CLEARLY * min(rivals, default=np.inf) + floor:
                both = (self.forward[:, i] + self.backward[:, j]) / 2
                found.append(both if f[i] < -AGREE_TOP * top - floor else self.forward[:, i])
        return found


def _tolerance(a: Any, b: Any, top: float, floor: float) -> Any:
    """How far apart two estimates of one exponent may lie."""
    return _AGREE * np.maximum(np.abs(a), np.abs(b)) + AGREE_TOP * top + floor


def _spectrum(
    series: tuple[np.ndarray, ...], m: int, delay: int, theiler: int, dt: float
) -> tuple[np.ndarray, int, float] | None:
    """Exponents per block, neighbours and misfit; None where the record does not allow it."""
    try:
        vectors = delay_vectors(series, m, delay)
    except InvalidInput:
        return None
    width = vectors.points.shape[1]
    model = _model(width)
    (maps,) = tangent_maps(vectors, [model], theiler=theiler, max_references=_REFERENCES)
    n_steps = len(maps.gradients)
    if n_steps < 60 or not np.isfinite(maps.residual):
        return None
    discarded = min(_DISCARDED, n_steps // 4)
    growth = tangent_spectrum(maps, discarded)[discarded:] / (maps.lead * dt)
    blocks = []
    for part in np.array_split(growth, N_BLOCKS, axis=0):
        known = part[np.isfinite(part).all(axis=2)]
        blocks.append(known.mean(axis=0) if len(known) else np.full(width, np.nan))
    if not np.isfinite(blocks).all():  # too many missing samples: a block without a whole chain
        return None
    return np.array(blocks), model.n_neighbours, maps.residual


def _embedding_needed(view: Observable, chosen: Embedding) -> tuple[int, int]:
    """Smallest dimension whose local maps forecast nearly as well as the best, and the delay.

    The delay is halved while the maps miss by much: the motion bends too far within one.
    """
    found, best = (1, chosen.delay), np.inf
    for share in (1, 2, 4, 8):
        delay = chosen.delay // share
        if delay < 1 or best <= _COARSE:
            break
        misfits = _misfits(view, chosen, delay)
        known = misfits[np.isfinite(misfits)]
        if known.size and known.min() < best:
            best = float(known.min())
            found = int(np.flatnonzero(misfits <= max(_NO_WORSE * best, _FINE))[0]) + 1, delay
    return found


def _misfits(view: Observable, chosen: Embedding, delay: int) -> np.ndarray:
    """Misfit one delay ahead for each dimension from 1, at a few references."""
    misfits = []
    for m in range(1, max(2, _MOST_COORDINATES // view.n_components)):
        try:
            vectors = delay_vectors(view.gapped, m, delay)
        except InvalidInput:
            break
        (maps,) = tangent_maps(
            vectors,
            [_model(vectors.points.shape[1])],
            theiler=chosen.theiler,
            max_references=_PILOT,
        )
        misfits.append(maps.residual)
    return np.array(misfits)


def _model(width: int) -> LocalModel:
    """Local map with curvature; the ridge leaves thin directions of the attractor alone."""
    curved = 1 + width + width * (width + 1) // 2
    return LocalModel(n_neighbours=max(40, 2 * curved), quadratic=True, ridge=1e-6)


def reversals(view: Observable, chosen: Embedding) -> list[Reversal]:
    """Both spectra for every embedding that is small enough."""
    reverse = tuple(values[::-1] for values in view.gapped)
    least, delay = _embedding_needed(view, chosen)
    found = []
    for m, d in [(m, d) for m in (least, least + 1) for d in {delay: 0, max(1, delay // 2): 0}]:
        ahead = _spectrum(view.gapped, m, d, chosen.theiler, view.dt)
        back = _spectrum(reverse, m, d, chosen.theiler, view.dt)
        if ahead is not None and back is not None:
            found.append(
                Reversal(
                    label=(m, d, ahead[1]),
                    forward=ahead[0],
                    backward=-back[0][::-1, ::-1],
                    misfit=max(ahead[2], back[2]),
                )
            )
    return found


def confirmed(settings: list[Reversal], floor: float) -> list[np.ndarray]:
    """Exponents confirmed in most of the settings, each (setting, block), descending."""
    top = abs(float(np.median([np.nanmean(s.forward[:, 0]) for s in settings])))
    groups: list[list[tuple[int, np.ndarray]]] = []
    every = [(i, blocks) for i, s in enumerate(settings) for blocks in s.pairs(top, floor)]
    for i, blocks in sorted(every, key=lambda item: -np.nanmean(item[1])):
        value = np.nanmean(blocks)
        for group in groups:
            centre = np.median([np.nanmean(b) for _, b in group])
            near = abs(value - centre) <= _tolerance(value, centre, top, floor)
            if near and i not in [j for j, _ in group]:
                group.append((i, blocks))
                break
        else:
            groups.append([(i, blocks)])
    kept = []
    for group in groups:
        blocks = np.array([b for _, b in group])
        neutral = np.median(np.nanmean(blocks, axis=1)) > -AGREE_TOP * top - floor
        if len(group) >= (_SHARE if neutral else _SHARE_CONTRACTING) * len(settings):
            kept.append(blocks)
    return sorted(kept, key=lambda g: -float(np.median(np.nanmean(g, axis=1))))
