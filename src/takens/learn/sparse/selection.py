r"""Which terms the data support: backward elimination and exchange under the extended BIC.

A coefficient costs :math:`\log N + 2 \gamma \log K` with N samples and K candidate terms (Chen and
Chen, Biometrika 95, 759, 2008, with :math:`\gamma = 1`); it stays while the misfit, in units of the
noise variance, would rise by more without it. There is no threshold to choose.
"""

from __future__ import annotations

import dataclasses
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
    Noise,
    Shot,
    integration_bias,
    inverse,
    linearised,
    shoot,
)
from takens.learn.terms import Terms

HOPELESS = 0.1  # share of the price below which several terms may go at once
PATIENCE = 4.0  # prices by which the criterion may rise above its least before elimination ends
CLEARLY = 1e-3  # drop of the criterion that counts as one
IN_PASSING = 4  # Gauss-Newton steps between two removals
EXCHANGES = 12  # candidates that are tried again when elimination has ended


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
        Number of coefficients and misfit per degree of freedom along the elimination.
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
    found = _measured(search, found)
    while (
        isinstance(found.advance, FlowAdvance)
        and found.advance.substeps < MOST_SUBSTEPS
        and coarse(search, found)
    ):
        finer = FlowAdvance(substeps=2 * found.advance.substeps)
        found = _measured(
            search, refitted(search, dataclasses.replace(found, advance=finer), found.support)
        )
    return found


def _measured(search: Search, found: Found) -> Found:
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
        freedom = max(int(search.nodes.seen.sum()) - found.shot.field.n_parameters, 1)
        path.append((found.shot.field.n_parameters, found.shot.misfit / freedom))
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


def exchanged(search: Search, found: Found) -> Found:
    """Offer the terms that were left out once more, alone and in exchange for one that stands."""
    for _ in range(EXCHANGES):
        found = refitted(search, found, found.support)  # its misfit in units of its own noise
        better = _improved(search, found)
        if better is None:
            return found
        found = eliminated(search, better)
    return found


def _improved(search: Search, found: Found) -> Found | None:
    """A fit with one term more, or with one exchanged, whose criterion is lower."""
    wide = search.field(search.terms, search.allowed)
    table = table_of(found)
    start = table.T[search.allowed.T]
    with np.errstate(all="ignore"):  # terms that stand for nothing may overflow between samples
        linear = linearised(
            wide, start, found.shot.states, search.nodes, found.noise, found.advance
        )
    stands = found.support.T[search.allowed.T]
    information, score = linear.information, linear.score
    inner = inverse(information[np.ix_(stands, stands)], unknown=1e12)
    outside = np.flatnonzero(~stands)
    across = information[np.ix_(outside, stands)]
    own = np.diag(information)[outside] - np.einsum("ij,jk,ik->i", across, inner, across)
    own = np.maximum(own, 1e-10 * np.diag(information)[outside] + 1e-300)
    with np.errstate(all="ignore"):  # a place to which nothing responds gains nothing
        gain = np.nan_to_num((score[outside] - across @ inner @ score[stands]) ** 2 / own)
    value = criterion(search, found)
    places = np.argwhere(search.allowed.T)
    for place in np.argsort(-gain)[:EXCHANGES]:
        joined = np.r_[np.flatnonzero(stands), outside[place]]
        part = inverse(information[np.ix_(joined, joined)])
        now = (table.T[search.allowed.T])[joined] + part @ score[joined]
        squares = now**2 / np.maximum(np.diag(part), 1e-300)
        squares[-1] = np.inf
        squares[search.forced.T[search.allowed.T][joined]] = np.inf
        weakest = int(np.argmin(squares))
        added = gain[place] > search.price
        if not added and squares[weakest] >= gain[place]:
            continue
        equation, term = places[outside[place]]
        support = found.support.copy()
        support[term, equation] = True
        if not added:
            equation, term = places[joined[weakest]]
            support[term, equation] = False
        try:
            new = refitted(search, found, support)
        except np.linalg.LinAlgError:
            continue
        if criterion(search, new) < value - CLEARLY:
            return new
    return None
