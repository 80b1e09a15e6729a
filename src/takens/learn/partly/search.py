r"""Which candidates the data ask for, beginning with none: best subsets of the linearised problem.

Around an orbit the misfit is a quadratic function of the numbers, :math:`c - 2 b^\top w + w^\top G
w`, with G the Fisher information of all candidates at once. A beam of subsets grows on it, one
candidate at a time; the best are then fitted in earnest, and from the orbit of the winner all is
linearised again, until no subset does better. A number costs :math:`\log N + 2 \gamma \log K`, the
extended BIC (Chen and Chen 2008). Short records leave no choice but this direction: with tens of
samples, all candidates at once have no orbit to begin an elimination with.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.learn.partly.field import PartlyKnownField
from takens.learn.partly.problem import Orbit, Problem, criterion, remeasured, settled
from takens.learn.sparse.fields import FlowAdvance
from takens.learn.sparse.shooting import Noise, inverse, linearised, shoot

WIDTH = 20  # subsets of each size that are kept
TRIED = 12  # subsets that are fitted in earnest from one linearisation
ROUNDS = 8
PATIENCE = 3.0  # prices by which larger subsets may be worse before the beam ends
CLEARLY = 1e-3  # drop of the criterion that counts as one
COLLINEAR = 1e-8  # share of a candidate that what stands already does not hold
STEPS = 20
PER_NUMBER = 4  # values that the data must hold for each candidate of a subset


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Chosen:
    """The end of a search.

    Parameters
    ----------
    orbit : Orbit
        Fitted in earnest; its field has the chosen candidates only.
    which : array of bool, shape (candidate,)
    criterion : float
    barred : array of bool, shape (candidate,)
        Candidates that the free parameters imitate, which cannot be told from them.
    rivals : tuple of (float, tuple of int)
        Criterion of other subsets that were fitted, best first.
    """

    orbit: Orbit
    which: np.ndarray
    criterion: float
    barred: np.ndarray
    rivals: tuple[tuple[float, tuple[int, ...]], ...]


def searched(
    problem: Problem, field: PartlyKnownField, w: np.ndarray, price: float, *, signed: bool = True
) -> Chosen | None:
    """The best subset of the candidates of `field`; None where no orbit was found for any.

    Notes
    -----
    Cost: a linearisation over all P numbers, ``N dim^2 (dim + P)``, and some ``20 P k^2`` for each
    size k, a few times; a dozen fits each time.
    """
    nodes, known = problem.nodes, field.n_known
    most = int(nodes.seen.sum()) // PER_NUMBER
    wide = np.r_[w, np.zeros(field.n_candidates)]
    states, noise, advance = problem.states, problem.noise, FlowAdvance()
    tried: dict[tuple[int, ...], float] = {}
    best: Orbit | None = None
    chosen: tuple[int, ...] = ()
    least = np.inf
    barred = None
    for _ in range(ROUNDS):
        with np.errstate(all="ignore"):
            linear = linearised(field, wide, states, nodes, noise, advance)
        gram, pull = linear.information, linear.score + linear.information @ wide
        if not np.isfinite(gram).all():
            break
        if barred is None:
            barred = _imitated(gram, known)
        improved = False
        ranked = _beam(gram, pull, known, barred, price, most, signed)
        for subset in [s for _, s in ranked if s not in tried][:TRIED]:
            orbit, value = _fitted(problem, field, subset, gram, pull, (states, noise, advance),
                                   price, signed)  # fmt: skip
            tried[subset] = value
            if orbit is not None and value < least - CLEARLY:
                best, chosen, least, improved = orbit, subset, value, True
        if best is None or not improved:
            break
        best = remeasured(nodes, best)
        wide = np.zeros(field.n_parameters)
        wide[[*range(known), *(known + k for k in chosen)]] = best.numbers
        states, noise = best.shot.states, best.noise
    if best is None or barred is None:
        return None
    which = np.isin(np.arange(field.n_candidates), chosen)
    orbit = settled(nodes, best.field, best.numbers, best.shot.states, best.noise)
    rivals = sorted((v, s) for s, v in tried.items() if np.isfinite(v) and s != chosen)
    return Chosen(orbit=orbit, which=which, criterion=least, barred=barred, rivals=tuple(rivals))


def _imitated(gram: np.ndarray, known: int) -> np.ndarray:
    """Candidates that are a combination of what the free parameters do, (candidate,)."""
    size = np.diag(gram)[known:]
    across = gram[known:, :known]
    own = size - np.einsum("ij,jk,ik->i", across, inverse(gram[:known, :known]), across)
    return np.asarray(~(own > COLLINEAR * size) | ~(size > 0))


def _beam(
    gram: np.ndarray,
    pull: np.ndarray,
    known: int,
    barred: np.ndarray,
    price: float,
    most: int,
    signed: bool,
) -> list[tuple[float, tuple[int, ...]]]:
    """Subsets of up to `most` by misfit and price, best first."""
    size = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    gram, pull = gram / np.outer(size, size), pull / size
    base = list(range(known))
    free = np.flatnonzero(~barred)
    level: list[tuple[int, ...]] = [()]
    found: list[tuple[float, tuple[int, ...]]] = []
    least = np.inf
    for count in range(min(len(free), most) + 1):
        gains: dict[tuple[int, ...], float] = {}
        below = np.inf
        for subset in level:
            rows = base + [known + k for k in subset]
            inner = inverse(gram[np.ix_(rows, rows)])
            w = inner @ pull[rows]
            value = price * count - float(pull[rows] @ w)
            if signed or (w[known:] >= 0).all():
                found.append((value, subset))
            below = min(below, value)
            across = gram[np.ix_(known + free, rows)]
            own = 1.0 - np.einsum("ij,jk,ik->i", across, inner, across)
            gain = (pull[known + free] - across @ w) ** 2 / np.maximum(own, COLLINEAR)
            gain[own < COLLINEAR] = 0.0
            for k, more in zip(free, gain, strict=True):
                if int(k) not in subset and more > 0:
                    gains[tuple(sorted((*subset, int(k))))] = value - more
        least = min(least, below)
        if below > least + PATIENCE * price or not gains:
            break
        level = sorted(gains, key=gains.__getitem__)[:WIDTH]
    return sorted(found)


def _fitted(
    problem: Problem,
    field: PartlyKnownField,
    subset: tuple[int, ...],
    gram: np.ndarray,
    pull: np.ndarray,
    start: tuple[np.ndarray, Noise, FlowAdvance],
    price: float,
    signed: bool,
) -> tuple[Orbit | None, float]:
    """An orbit with some of the candidates, from where the linear problem has its least misfit."""
    states, noise, advance = start
    rows = np.r_[np.arange(field.n_known), field.n_known + np.array(subset, dtype=int)].astype(int)
    w = inverse(gram[np.ix_(rows, rows)]) @ pull[rows]
    part = field.chosen(np.isin(np.arange(field.n_candidates), subset))
    try:
        shot = shoot(part, w, states, problem.nodes, noise, advance, max_steps=STEPS)
    except np.linalg.LinAlgError:
        return None, np.inf
    if not shot.converged or (not signed and (shot.parameters[field.n_known :] < 0).any()):
        return None, np.inf
    orbit = Orbit(shot=shot, noise=noise, advance=advance)
    return orbit, criterion(problem.nodes, shot, price)
