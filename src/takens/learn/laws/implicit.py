r"""Where the fit of a quotient begins: regressions on the slopes of smoothed data.

For one candidate below, :math:`\dot x_i = \sum_k a_k\, \theta_k / (1 + b \varphi)` is linear in a, and b
is tried on a grid: noise then stands on the left alone, as in any regression. With several candidates
below, :math:`\dot x_i = \theta a - \dot x_i\, \varphi b` is linear, though errors of the slopes stand on
both sides; which terms it keeps is a beginning.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from takens.learn.sparse.selection import Search
from takens.learn.sparse.start import sieved, sums_of_slopes
from takens.learn.terms import Terms

STRICTER = (1.0, 10.0, 100.0)  # prices, over that of the search: errors of slopes are correlated
GRID = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # of b, over one over the size of its candidate

Column = tuple[np.ndarray, np.ndarray]


def beginnings(
    search: Search, terms: tuple[Terms, Terms], smooth: np.ndarray, equation: int
) -> list[Column]:
    """Supports and coefficients of one equation, (candidate,) each, the most promising first.

    Parameters
    ----------
    search : Search
    terms : (Terms, Terms)
        Above and below the stroke.
    smooth : array, shape (2, node, dim)
        Smoothed states, and their slopes.
    equation : int

    Returns
    -------
    list of (array of bool, array)
        By what the quotient leaves of the slopes, with a price for each term; one for each
        denominator that is positive along the data.
    """
    states, slope = smooth[0], smooth[1][:, equation]
    inputs, times = search.nodes.inputs, search.nodes.times
    above, below = (part(states, inputs, times) for part in terms)
    n_above, n_below = above.shape[1], below.shape[1]
    allowed = search.allowed[n_above:, equation]
    must = search.forced[n_above:, equation]
    unit = 1 / np.maximum(np.sqrt((below**2).mean(axis=0)), 1e-300)
    found: list[tuple[float, Column]] = []
    for stricter in STRICTER:
        part = dataclasses.replace(search, price=search.price * stricter)

        def offer(chosen: np.ndarray, table: np.ndarray, price: float = part.price) -> None:
            bottom = 1 + below @ table[n_above:]
            if (bottom > 0).all():
                left = float(((slope - above @ table[:n_above] / bottom) ** 2).mean())
                value = len(slope) * np.log(max(left, 1e-300)) + price * chosen.sum()
                found.append((value, (chosen, table)))

        first = GRID[0] * unit * must
        offer(*_explicit(part, above, below, slope, first, must, equation))
        for k in np.flatnonzero(allowed):
            one = np.arange(n_below) == k
            for share in GRID:
                numbers = np.where(one, share * unit, first)
                if (below @ numbers > -1).all():
                    offer(*_explicit(part, above, below, slope, numbers, one | must, equation))
        offer(*_implicit(part, above, below, slope, equation))
    best: dict[bytes, Column] = {}
    for _, column in sorted(found, key=lambda pair: pair[0]):
        best.setdefault(column[0][n_above:].tobytes(), column)
    return list(best.values())


def _explicit(
    search: Search,
    above: np.ndarray,
    below: np.ndarray,
    slope: np.ndarray,
    numbers: np.ndarray,
    standing: np.ndarray,
    equation: int,
) -> Column:
    """Numerators for a given denominator."""
    width = above.shape[1]
    values = above / (1 + below @ numbers)[:, None]
    part = dataclasses.replace(
        search,
        allowed=search.allowed[:width, [equation]],
        forced=search.forced[:width, [equation]],
    )
    chosen = (
        sieved(values, slope[:, None], part)[:, 0] if part.allowed.any() else part.allowed[:, 0]
    )
    table = np.zeros(width)
    table[chosen] = sums_of_slopes(values[:, chosen], slope) if chosen.any() else 0.0
    return np.r_[chosen, standing], np.r_[table, numbers]


def _implicit(
    search: Search, above: np.ndarray, below: np.ndarray, slope: np.ndarray, equation: int
) -> Column:
    """All candidates at once."""
    values = np.concatenate([above, -slope[:, None] * below], axis=1)
    part = dataclasses.replace(
        search, allowed=search.allowed[:, [equation]], forced=search.forced[:, [equation]]
    )
    chosen = sieved(values, slope[:, None], part)[:, 0]
    table = np.zeros(len(chosen))
    table[chosen] = sums_of_slopes(values[:, chosen], slope) if chosen.any() else 0.0
    return chosen, table
