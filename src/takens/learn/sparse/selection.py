r"""Which terms the data support: sets of terms compared by the extended BIC.

A coefficient costs :math:`\log N + 2 \gamma \log K` with N samples and K candidate terms (Chen and
Chen, Biometrika 95, 759, 2008, with :math:`\gamma = 1`); it stays while the misfit, in units of the
noise variance, would rise by more without it. There is no threshold to choose.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

from takens.learn.sparse.fields import (
    AbstractAdvance,
    AbstractSupportedField,
    FlowAdvance,
    SparseField,
)
from takens.learn.sparse.nodes import FINEST, Nodes
from takens.learn.sparse.shooting import (
    ALLOWED_BIAS,
    MOST_SUBSTEPS,
    Linear,
    Noise,
    Shot,
    ends_of,
    integration_bias,
    linearised,
    shoot,
)
from takens.learn.sparse.subset import CLEARLY, Subset
from takens.learn.terms import Terms

HOPELESS = 0.1  # share of the price below which several terms may go at once
PATIENCE = 4.0  # prices by which the criterion may rise above its least before elimination ends
IN_PASSING = 4  # Gauss-Newton steps between two removals
NARROWINGS = 4  # subsets that are chosen around orbits, one after the other
EXCHANGES = 12  # other sets that are tried around the best so far, and how often it may change


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Search:
    """A search over supports.

    Parameters
    ----------
    terms : Terms
    nodes : Nodes
    allowed, forced : array of bool, shape (term, dim)
        Which coefficients may differ from zero, and which stay whatever the data say.
    price : float
        Drop of the misfit, in units of the noise variance, that a coefficient must bring.
    field : callable
        The rule that the terms and a support make.
    """

    terms: Terms
    nodes: Nodes
    allowed: np.ndarray
    forced: np.ndarray
    price: float
    field: Callable[[Terms, np.ndarray], AbstractSupportedField] = SparseField


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Found:
    """A support and its fit.

    Parameters
    ----------
    shot : Shot
    noise : Noise
        With the measurement variance of the fit.
    advance : AbstractAdvance
    rise : float
        That variance over the one that the fit had assumed.
    path : tuple of (int, float)
        Number of coefficients and criterion of the sets of terms that were passed.
    """

    shot: Shot
    noise: Noise
    advance: AbstractAdvance
    rise: float = 1.0
    path: tuple[tuple[int, float], ...] = ()

    @property
    def support(self) -> np.ndarray:
        """Which term stands in which equation."""
        field = self.shot.field
        assert isinstance(field, AbstractSupportedField)
        return field.support


def price_of(n_samples: int, n_terms: int, gamma: float = 1.0) -> float:
    """What a coefficient costs; see the head of this file."""
    return float(np.log(n_samples) + 2 * gamma * np.log(n_terms))


def fitted(
    search: Search,
    support: np.ndarray,
    table: np.ndarray,
    states: np.ndarray,
    noise: Noise,
    advance: AbstractAdvance,
    max_steps: int = 30,
) -> Found:
    """One support, for the noise assumed."""
    field = search.field(search.terms, support)
    w = table.T[support.T]
    shot = shoot(field, w, states, search.nodes, noise, advance, max_steps=max_steps)
    return Found(shot=shot, noise=noise, advance=advance)


def table_of(found: Found) -> np.ndarray:
    """Coefficients, (term, dim), zero where a term does not stand."""
    table = np.zeros(found.support.shape)
    table.T[found.support.T] = found.shot.parameters
    return table


def coarse(search: Search, found: Found) -> bool:
    """Whether the steps between samples still matter to a coefficient."""
    if not isinstance(found.advance, FlowAdvance):
        return False
    bias = integration_bias(found.shot, search.nodes, found.advance)
    error = np.sqrt(np.diag(found.shot.covariance) * found.rise)
    return not (np.abs(bias) <= ALLOWED_BIAS * error).all()


def renewed(search: Search, found: Found) -> Found:
    """The same with the measurement variance of its residuals, and enough substeps."""
    found = measured(search, found)
    while (
        isinstance(found.advance, FlowAdvance)
        and found.advance.substeps < MOST_SUBSTEPS
        and coarse(search, found)
    ):
        finer = FlowAdvance(substeps=2 * found.advance.substeps)
        found = measured(
            search, refitted(search, dataclasses.replace(found, advance=finer), found.support)
        )
    return found


def measured(search: Search, found: Found) -> Found:
    """With the variance of the residuals as the measurement variance."""
    variance = found.shot.residual_variance(search.nodes)
    variance = np.maximum(variance, (FINEST * search.nodes.span) ** 2)
    rise = float((variance / found.noise.measurement)[search.nodes.measured].mean())
    noise = dataclasses.replace(found.noise, measurement=variance)
    return dataclasses.replace(found, noise=noise, rise=rise)


def refitted(
    search: Search,
    found: Found,
    support: np.ndarray,
    max_steps: int = 10,
    table: np.ndarray | None = None,
) -> Found:
    """Another support, started from the states of a fit and from its coefficients or others."""
    start = table_of(found) if table is None else table
    new = fitted(search, support, start, found.shot.states, found.noise, found.advance, max_steps)
    return dataclasses.replace(new, path=found.path)


def criterion(search: Search, found: Found) -> float:
    """Minus twice the log-likelihood of the measurement errors, and the price of the coefficients."""
    seen = search.nodes.seen
    error = np.where(seen, search.nodes.values - found.shot.states, 0.0)
    count = seen.sum(axis=0)  # zero for a column that is never measured, which then adds nothing
    variance = np.maximum(
        (error**2).sum(axis=0) / np.maximum(count, 1), (FINEST * search.nodes.span) ** 2
    )
    return float((count * np.log(variance)).sum() + search.price * found.shot.field.n_parameters)


def eliminated(search: Search, found: Found) -> Found:
    """Take out the weakest coefficient again and again; the best of all that were passed.

    Elimination goes on for a while where it makes things worse, because several coefficients may
    stand only by each other.
    """
    path = list(found.path)
    best, least = found, np.inf
    while True:
        found = renewed(search, found)
        value = criterion(search, found)
        path.append((found.shot.field.n_parameters, value))
        if value <= least:
            best, least = found, value
        if value > least + PATIENCE * search.price:
            break
        lesser = _lesser(search, found)
        if lesser is None:
            break
        found = lesser
    return dataclasses.replace(best, path=tuple(path))


def _lesser(search: Search, found: Found) -> Found | None:
    """A fit without the weakest coefficients; without one alone, where more was too much."""
    for most, steps in ((max(len(found.shot.parameters) // 4, 1), IN_PASSING), (1, 30)):
        gone, w = _weakest(search, found, most)
        if not len(gone):
            return None
        table = np.zeros(found.support.shape)
        table.T[found.support.T] = w
        try:
            new = refitted(search, found, without(found.support, gone), steps, table)
        except np.linalg.LinAlgError:
            continue
        if criterion(search, new) < criterion(search, found) + PATIENCE * search.price or most == 1:
            return new
    return None


def _weakest(search: Search, found: Found, most: int) -> tuple[np.ndarray, np.ndarray]:
    """What goes next, and the other coefficients then: the weakest, and those next to worthless.

    Without coefficient k the others change by minus their covariance with it times its value over
    its variance, and the covariance by the product of its row and column over that variance. This
    is exact where the problem is linear.
    """
    w = found.shot.parameters.copy()
    covariance = found.shot.covariance * found.rise
    forced = search.forced.T[found.support.T]
    left = np.ones(len(w), dtype=bool)
    gone: list[int] = []
    while left.sum() > 1 and len(gone) < most:
        spread = np.maximum(np.diag(covariance), 1e-300)
        squares = np.where(left & ~forced, w**2 / spread, np.inf)
        k = int(np.argmin(squares))
        if not np.isfinite(squares[k]) or (gone and squares[k] >= HOPELESS * search.price):
            break
        w = w - covariance[:, k] * (w[k] / spread[k])
        covariance = covariance - np.outer(covariance[:, k], covariance[k]) / spread[k]
        left[k] = False
        gone.append(k)
    w[gone] = 0.0
    return np.asarray(gone, dtype=int), w


def without(support: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """A support that lacks the given coefficients, counted equation by equation."""
    equation, term = np.nonzero(support.T)
    new = support.copy()
    new[term[gone], equation[gone]] = False
    return new


def subset_of(
    search: Search,
    table: np.ndarray,
    states: np.ndarray,
    noise: Noise,
    advance: AbstractAdvance,
    ends: np.ndarray | None,
    price: float | None = None,
) -> tuple[Subset, Linear]:
    """All candidates as a linear problem around a law and states.

    The derivatives are those of one step from node to node; only the `ends` need be exact.
    """
    nodes = search.nodes
    advance = FlowAdvance() if isinstance(advance, FlowAdvance) else advance
    w = table.T[search.allowed.T]
    wide = search.field(search.terms, search.allowed)
    with np.errstate(all="ignore"):  # terms of wild states overflow, which is seen below
        linear = linearised(wide, w, states, nodes, noise, advance, ends)
    if not np.isfinite(linear.gram if linear.white is None else linear.white).all():
        raise np.linalg.LinAlgError("The terms overflow at the data.")
    count = nodes.seen.sum(axis=0)
    subset = Subset.of(
        linear,
        w,
        n_rows=int(count.sum()),
        forced=search.forced.T[search.allowed.T],
        price=search.price if price is None else price,
        least=float((count * (FINEST * nodes.span) ** 2 / noise.measurement).sum()),
    )
    return subset, linear


def exchanged(search: Search, found: Found) -> Found:
    """Offer the terms that were left out once more, many at once and then alone or in exchange."""
    path = found.path
    for _ in range(EXCHANGES):
        found = refitted(search, found, found.support)  # its misfit in units of its own noise
        path += ((found.shot.field.n_parameters, criterion(search, found)),)
        better = _improved(search, found)
        if better is None:
            break
        found = better
    return dataclasses.replace(found, path=path)


def _improved(search: Search, found: Found) -> Found | None:
    """A fit with other terms whose criterion is lower."""
    subset, now = _around(search, found)
    value = criterion(search, found)
    tried = [now]
    for chosen in itertools.chain((subset.polished(now),), subset.neighbours(now, EXCHANGES)):
        if any((chosen == t).all() for t in tried):
            continue
        tried.append(chosen)
        try:
            new = _moved(search, found, subset, chosen)
        except np.linalg.LinAlgError:
            continue
        if criterion(search, new) < value - CLEARLY:
            return new
    return None


def narrowed(search: Search, found: Found) -> Found:
    """The best subset of all candidates around the orbit, again around its own, until it repeats.

    For a start at which the orbit is good though the terms are far too many.
    """
    found = best = renewed(search, found)
    path = [*found.path, (found.shot.field.n_parameters, criterion(search, found))]
    for _ in range(NARROWINGS):
        subset, now = _around(search, found)
        chosen = subset.best(now)
        if (chosen == now).all():
            break
        try:
            found = _moved(search, found, subset, chosen)
        except np.linalg.LinAlgError:
            break
        path.append((found.shot.field.n_parameters, criterion(search, found)))
        if criterion(search, found) < criterion(search, best):
            best = found
    return dataclasses.replace(best, path=tuple(path))


def _around(search: Search, found: Found) -> tuple[Subset, np.ndarray]:
    """All candidates as a linear problem around a fit, and which of them stand there."""
    shot, ends = found.shot, None
    if isinstance(found.advance, FlowAdvance):
        ends = ends_of(shot.field, shot.parameters, shot.states, search.nodes, found.advance)
    subset = subset_of(search, table_of(found), shot.states, found.noise, found.advance, ends)[0]
    return subset, found.support.T[search.allowed.T]


def _moved(search: Search, found: Found, subset: Subset, chosen: np.ndarray) -> Found:
    """A fit with the columns chosen, from where the linear problem puts them."""
    support, table = np.zeros_like(found.support), np.zeros(found.support.shape)
    support.T[search.allowed.T] = chosen
    table.T[search.allowed.T] = subset.solved(chosen)[0]
    return renewed(search, refitted(search, found, support, 30, table))
