"""Is the motion foretold many turns ahead as well as one delay ahead? Cycles and tori are."""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.core import InvalidInput
from takens.series.embedding import Embedding
from takens.series.local_linear import forecast_errors
from takens.series.observable import Observable, delay_vectors

_FIRST, _LAST = 10, 24  # turns ahead
_SHORTEST = 3  # turns: a record that cannot be asked for these is not asked
_N_LEADS = 40  # so many that some are near a multiple of any cycle of a few turns
_WIDEST = 6  # coordinates of a state, so that neighbours are neighbours


@dataclasses.dataclass(frozen=True, kw_only=True)
class Foresight:
    """Errors of the best local model one delay ahead and 10 to 24 turns ahead.

    Parameters
    ----------
    near : float
        One delay ahead, over the standard deviation; NaN where the record is too short or too
        broken.
    least, usual : float
        The smallest and the median over the long leads. A cycle of several turns is foretold well
        at its multiples only, which the smallest sees.
    first, last : int
        Shortest and longest of the long leads, in samples.
    """

    near: float
    least: float
    usual: float
    first: int
    last: int


def foresight(view: Observable, chosen: Embedding, samples_per_turn: float) -> Foresight:
    """Errors of local models near and far ahead, from neighbours that are looked for once.

    Parameters
    ----------
    view : Observable
        Runs of one or two missing samples are bridged here; longer ones split the record.
    chosen : Embedding
    samples_per_turn : float
        1 for a map.

    Notes
    -----
    Cost: that of one search for 500 states, and 40 sums over their neighbours.
    """
    n = len(view.longest)
    if not np.isfinite(samples_per_turn):
        samples_per_turn = float(n)
    first = int(min(_FIRST * samples_per_turn, n // 8))
    last = int(min(_LAST * samples_per_turn, n // 4))
    far = np.unique(np.linspace(first, last, _N_LEADS).astype(int))
    p = view.series[0].shape[1]
    blocks = max(1 if p > 1 else 2, round(min(chosen.dimension + 1, _WIDEST) / p))
    nothing = Foresight(near=np.nan, least=np.nan, usual=np.nan, first=first, last=last)
    if first < max(_SHORTEST * samples_per_turn, chosen.delay + 1):
        return nothing
    try:
        vectors = delay_vectors(view.series, blocks, chosen.delay)
    except InvalidInput:
        return nothing
    leads = np.append(chosen.delay, far)
    theiler = 1 if chosen.map_like else 3 * chosen.delay
    errors = forecast_errors(vectors, leads, theiler=theiler)
    return Foresight(
        near=float(errors[0]),
        least=float(errors[1:].min()),
        usual=float(np.median(errors[1:])),
        first=first,
        last=last,
    )
