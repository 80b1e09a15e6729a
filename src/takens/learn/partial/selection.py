"""Which terms: a search over subsets for the least extended Bayesian criterion, no threshold."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

SWAPS_FOR = 8  # terms in a law up to which exchanges are tried beside additions and removals


@dataclasses.dataclass(frozen=True, eq=False)
class Equations:
    """Whitened normal equations of one law, with the part of them that noise alone makes.

    Parameters
    ----------
    gram : array, shape (term + 1, term + 1)
        Products of the whitened columns, the left side last.
    noise : array of the same shape
        The mean of `gram` under noise alone, which is taken off: errors in the variables.
    count : int
        Rows behind the products.
    """

    gram: np.ndarray
    noise: np.ndarray
    count: int

    @property
    def n_terms(self) -> int:
        """Candidate terms."""
        return len(self.gram) - 1

    @functools.cached_property
    def scaled(self) -> tuple[np.ndarray, np.ndarray]:
        """`moment` and `gram` with columns of unit length."""
        scale = np.sqrt(np.diag(self.gram))
        weigh = np.outer(scale, scale)
        return self.moment / weigh, self.gram / weigh

    @functools.cached_property
    def moment(self) -> np.ndarray:
        """The products without their noise part."""
        return self.gram - self.noise

    def solve(self, support: tuple[int, ...]) -> np.ndarray:
        """Coefficients of all terms, zero outside the support."""
        full = np.zeros(self.n_terms)
        if support:
            index = list(support)
            scale = np.sqrt(np.diag(self.gram)[index])
            part = self.moment[np.ix_(index, index)] / np.outer(scale, scale)
            full[index] = np.linalg.solve(part, self.moment[index, -1] / scale) / scale
        return full

    def residual(self, coefficients: np.ndarray) -> float:
        """Sum of squares of the whitened residual."""
        row = np.append(-coefficients, 1.0)
        return float(row @ self.gram @ row)


def criterion(
    equations: Equations, support: tuple[int, ...], dispersion: float, gamma: float
) -> float:
    r"""Extended Bayesian criterion of a support; infinite where the data do not determine it.

    .. math::

        (m_{bb} - m_b^\top M^{-1} m_b)/\phi + \log K \; \mathrm{tr}(M^{-1} G)
        + 2 \gamma \log \binom{p}{k}

    With no noise in the columns, `M` is `G` and the trace counts the terms; a direction of which
    the share q of the length is noise counts :math:`1/(1-q)` times (Takeuchi's penalty).
    """
    gained, price = _gain_and_price(equations, support, gamma)
    return (float(equations.moment[-1, -1]) - gained) / dispersion + price


def penalty(equations: Equations, support: tuple[int, ...], gamma: float) -> float:
    """Price of a support in `criterion`."""
    return _gain_and_price(equations, support, gamma)[1]


def price(count: int, n_terms: int, size: int, gamma: float) -> float:
    """Least squared score of the last of `size` terms at which the criterion keeps it."""
    return math.log(count) + 2 * gamma * math.log((n_terms - size + 1) / size)


def _gain_and_price(
    equations: Equations, support: tuple[int, ...], gamma: float
) -> tuple[float, float]:
    p, k = equations.n_terms, len(support)
    room = 2 * gamma * (math.lgamma(p + 1) - math.lgamma(k + 1) - math.lgamma(p - k + 1))
    if not support:
        return 0.0, room
    index = np.array(support)
    block = (index[:, None], index)
    moment, gram = equations.scaled
    try:
        inner = np.linalg.inv(np.linalg.cholesky(moment[block]))
    except np.linalg.LinAlgError:
        return 0.0, math.inf
    cross = inner @ moment[index, -1]
    freedom = float(((inner @ gram[block]) * inner).sum())
    gained = float(cross @ cross) * float(equations.gram[-1, -1])
    return gained, math.log(equations.count) * freedom + room


def search(
    equations: Equations,
    starts: tuple[tuple[int, ...], ...],
    dispersion: float = 1.0,
    gamma: float = 1.0,
) -> tuple[tuple[int, ...], dict[tuple[int, ...], float]]:
    """The best support found from the starts by adding, removing and exchanging one term.

    Returns
    -------
    support : tuple of int
    seen : dict
        The criterion of every support on the way.
    """
    p = equations.n_terms
    known: dict[tuple[int, ...], float] = {}

    def value(support: tuple[int, ...]) -> float:
        if support not in known:
            known[support] = criterion(equations, support, dispersion, gamma)
        return known[support]

    finals = []
    for start in starts:
        now = tuple(sorted(start))
        while True:
            out = [i for i in range(p) if i not in now]
            near = [tuple(sorted((*now, i))) for i in out]
            near += [tuple(j for j in now if j != i) for i in now]
            if len(now) <= SWAPS_FOR:
                near += [tuple(sorted((*(j for j in now if j != i), k))) for i in now for k in out]
            best = min(near, key=value)
            if not value(best) < value(now) - 1e-9:
                break
            now = best
        finals.append(now)
    return min(finals, key=value), known
