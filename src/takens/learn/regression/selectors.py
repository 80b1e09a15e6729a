"""Which terms stand: elimination without a threshold, and the classics beside it."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import heapq
import itertools

import numpy as np

from takens.core import InvalidInput
from takens.learn.regression.quadratic import Infeasible, Quadratic, Solution, freedom
from takens.learn.sparse.selection import price_of

EXCHANGES = 20  # terms taken in or exchanged after elimination, at most
CLEARLY = 1e-6  # drop of the criterion that counts as one
UNSOLVED = (np.linalg.LinAlgError, Infeasible)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Choice:
    """What a selector found.

    Parameters
    ----------
    solution : Solution
    path : tuple of (int, float)
        Number of coefficients and misfit along the way.
    proven : bool
        False where a search for the best of all subsets ended before it had looked at all.
    """

    solution: Solution
    path: tuple[tuple[int, float], ...] = ()
    proven: bool = True


class AbstractSelector(abc.ABC):
    """Frozen settings of a rule that picks terms from normal equations."""

    references: tuple[str, ...] = ()

    @abc.abstractmethod
    def select(self, problem: Quadratic) -> Choice:
        """The terms of one law, or of several that constraints tie together."""


def _checked(**numbers: float) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
            raise InvalidInput(f"{name} = {value!r}; expected a number, zero or more.")
        if not np.isfinite(value):
            raise InvalidInput(f"{name} = {value}; expected a finite number.")


def _price(problem: Quadratic, gamma: float) -> float:
    return price_of(max(int(problem.count), 2), max(problem.n_terms, 2), gamma)


def _plus(support: np.ndarray, k: int, there: bool) -> np.ndarray:
    new = support.copy()
    new[k] = there
    return new


@dataclasses.dataclass(frozen=True)
class Elimination(AbstractSelector):
    r"""The weakest term goes, again and again; what had the least extended BIC is kept.

    A coefficient costs :math:`\log N + 2\gamma \log K` in units of the noise variance, with N rows and
    K terms (Chen and Chen 2008); a direction that is partly noise costs more. Then every term that
    was left out is offered again, alone and in exchange for one that stands. There is no threshold.

    Parameters
    ----------
    gamma : float
        Weight of the number of candidates; zero is the ordinary BIC, which keeps more.

    Notes
    -----
    Cost: some K solves of K equations, and K for each exchange.
    """

    gamma: float = 1.0

    def __post_init__(self) -> None:
        _checked(gamma=self.gamma)

    def select(self, problem: Quadratic) -> Choice:
        """Down from all independent columns, then exchanges."""
        price = _price(problem, self.gamma)
        path: list[tuple[int, float]] = []
        best = _descended(problem, problem.independent(), price, path)
        for _ in range(EXCHANGES):
            better = _exchanged(problem, best, price)
            if better is None:
                break
            best = better
        return Choice(solution=best, path=tuple(path))


def _value(solution: Solution, price: float) -> float:
    return solution.misfit + price * solution.effective


def _descended(
    problem: Quadratic, start: np.ndarray, price: float, path: list[tuple[int, float]]
) -> Solution:
    """The best of the solutions from `start` down to none."""
    now = _started(problem, start)
    best = now
    while True:
        path.append((int(now.support.sum()), now.misfit))
        if _value(now, price) <= _value(best, price):
            best = now
        squares = np.where(problem.required, np.inf, now.squares)
        order = np.argsort(squares)
        for k in order[np.isfinite(squares[order])]:
            try:
                now = problem.solve(_plus(now.support, int(k), False))
                break
            except UNSOLVED:
                continue
        else:
            return best


def _started(problem: Quadratic, start: np.ndarray, ridge: float = 0.0) -> Solution:
    """The solution of as many columns as can be told apart."""
    support = start
    while True:
        try:
            return problem.solve(support, ridge)
        except np.linalg.LinAlgError:
            left = np.flatnonzero(support & ~problem.required)
            if not len(left):
                raise
            support = _plus(support, int(left[-1]), False)  # the least simple one


def _exchanged(problem: Quadratic, best: Solution, price: float) -> Solution | None:
    """The best solution with a term more, or with one in exchange for the weakest."""
    found, least = None, _value(best, price) - CLEARLY
    for k in np.flatnonzero(problem.allowed & ~best.support):
        try:
            more = problem.solve(_plus(best.support, int(k), True))
        except UNSOLVED:
            continue
        squares = np.where(problem.required, np.inf, more.squares)
        squares[k] = np.inf
        tried = [more]
        if np.isfinite(squares).any():
            weakest = int(np.argmin(squares))
            # without it the misfit rises by its squared score, at least where nothing is noise
            if _value(more, price) + squares[weakest] - price < least:
                with contextlib.suppress(*UNSOLVED):
                    tried.append(problem.solve(_plus(more.support, weakest, False)))
        for one in tried:
            if _value(one, price) < least:
                found, least = one, _value(one, price)
    return found


@dataclasses.dataclass(frozen=True)
class STLSQ(AbstractSelector):
    r"""Sequentially thresholded least squares.

    Ridge regression; coefficients below `threshold` are set to zero; again with those left, until
    nothing changes; then least squares without the ridge on what is left.

    Parameters
    ----------
    threshold : float
        In the units of the coefficients, the same for all.
    ridge : float
        Weight of the sum of squared coefficients beside the sum of squared residuals of the rows.

    Notes
    -----
    For comparison with what others report. A threshold depends on the units of the columns, so a
    law may change with the units.

    References
    ----------
    Brunton, Proctor and Kutz, PNAS 113, 3932 (2016).
    """

    threshold: float = 0.1
    ridge: float = 0.05
    references = ("brunton2016discovering",)

    def __post_init__(self) -> None:
        _checked(threshold=self.threshold, ridge=self.ridge)

    def select(self, problem: Quadratic) -> Choice:
        """Threshold until nothing changes."""
        support = problem.allowed
        path = []
        for _ in range(len(problem) + 1):
            now = _started(problem, support, self.ridge)
            large = np.abs(now.coefficients / problem.scale) >= self.threshold
            new = now.support & (large | problem.required | ~np.isfinite(now.squares))
            path.append((int(new.sum()), now.misfit))
            if np.array_equal(new, support):
                break
            support = new
        return Choice(solution=_started(problem, support), path=tuple(path))


@dataclasses.dataclass(frozen=True)
class SR3(AbstractSelector):
    r"""Sparse relaxed regularised regression with a hard threshold.

    .. math::

        \min_{w, v} \tfrac{1}{2N} \|y - A w\|^2 + \tfrac{1}{2\nu}\|w - v\|^2
        + \tfrac{\tau^2}{2\nu} \|v\|_0

    by alternation: `w` solves a ridge problem around `v`, `v` keeps of `w` what is at least the
    threshold; then least squares on what stands in `v`.

    Parameters
    ----------
    threshold : float
        :math:`\tau`, in the units of the coefficients.
    nu : float
        How far `w` and `v` may part; with the misfit of one row, in units of the squared column.
    max_iterations : int

    Notes
    -----
    For comparison. The misfit is that of the mean row, so that `nu` does not depend on the length of
    the record.

    References
    ----------
    Zheng, Askham, Brunton, Kutz and Aravkin, IEEE Access 7, 1404 (2019).
    """

    threshold: float = 0.1
    nu: float = 1.0
    max_iterations: int = 1_000
    references = ("zheng2019unified",)

    def __post_init__(self) -> None:
        _checked(threshold=self.threshold, nu=self.nu)
        if self.nu == 0 or self.max_iterations < 1:
            raise InvalidInput("nu or max_iterations is zero; expected more.")

    def select(self, problem: Quadratic) -> Choice:
        """Alternate until the relaxed coefficients rest."""
        index = np.flatnonzero(problem.allowed)
        scale = problem.scale[index]
        per_row = problem.units[index] / problem.count  # from units of the noise to one row
        matrix = per_row[:, None] * problem.gram[np.ix_(index, index)] * np.outer(scale, scale)
        pull = per_row * problem.cross[index] * scale
        matrix += np.eye(len(index)) / self.nu
        given, free = freedom(problem.equality[:, index] * scale, problem.rhs)
        free = np.eye(len(index)) if free is None else free
        inner = free @ np.linalg.solve(free.T @ matrix @ free, free.T)
        kept = problem.required[index]
        v = np.zeros(len(index))
        path = []
        for _ in range(self.max_iterations):
            w = given + inner @ (pull + v / self.nu - matrix @ given)
            new = np.where((np.abs(w) >= self.threshold) | kept, w, 0.0)
            path.append((int((new != 0).sum()), float(np.abs(new - v).max(initial=0.0))))
            if path[-1][1] <= 1e-10 * np.abs(w).max(initial=1e-300):
                break
            v = new
        support = np.zeros(len(problem), dtype=bool)
        support[index[v != 0]] = True
        return Choice(solution=_started(problem, support), path=tuple(path))


@dataclasses.dataclass(frozen=True)
class BestSubset(AbstractSelector):
    r"""The subset of least extended BIC among all subsets, by branch and bound.

    With terms decided in, out and open, the misfit of those in and open bounds that of every subset
    below; a branch whose bound is above the best subset so far is cut.

    Parameters
    ----------
    gamma : float
        As for `Elimination`, from whose result the search begins.
    max_nodes : int
        Solves after which the search ends with the best so far, which is then not proven best.

    Notes
    -----
    Cost: usually hundreds to thousands of solves for 20 candidates, but it grows exponentially with
    them in the worst case. Exact where no noise is taken off the products of the terms; otherwise
    the bound holds for the problem with the noise left in.

    References
    ----------
    Furnival and Wilson, Technometrics 16, 499 (1974).
    """

    gamma: float = 1.0
    max_nodes: int = 20_000
    references = ("furnival1974regressions", "chen2008extended")

    def __post_init__(self) -> None:
        _checked(gamma=self.gamma)
        if self.max_nodes < 1:
            raise InvalidInput(f"max_nodes = {self.max_nodes}; expected at least 1.")

    def select(self, problem: Quadratic) -> Choice:
        """Best bound first."""
        price = _price(problem, self.gamma)
        start = Elimination(self.gamma).select(problem).solution
        best, least = start, _value(start, price)
        columns = problem.independent()
        count = itertools.count()

        def bound(solution: Solution, fixed: np.ndarray) -> float:
            """Below the criterion of every subset that holds the fixed terms and no others than these."""
            return solution.misfit + price * max(int(fixed.sum()) - len(problem.rhs), 0)

        root = _relaxed(problem, _started(problem, columns).support)
        fixed = problem.required & columns
        queue = [(bound(root, fixed), next(count), fixed, root)]
        nodes = 0
        path: list[tuple[int, float]] = []
        while queue and nodes < self.max_nodes:
            low, _, fixed, solution = heapq.heappop(queue)
            if low >= least - CLEARLY:
                return Choice(solution=best, path=tuple(path))
            squares = np.where(solution.support & ~fixed, solution.squares, np.inf)
            squares[~np.isfinite(squares)] = -np.inf
            k = int(np.argmax(squares))
            if squares[k] == -np.inf:
                continue  # nothing is open, or what is open the constraints decide
            kept = _plus(fixed, k, True)
            heapq.heappush(queue, (bound(solution, kept), next(count), kept, solution))
            nodes += 1
            try:
                less = _relaxed(problem, _plus(solution.support, k, False))
                whole = problem.solve(less.support) if problem.signs.any() else less
            except UNSOLVED:
                continue
            if _value(whole, price) < least:
                best, least = whole, _value(whole, price)
                path.append((int(whole.support.sum()), whole.misfit))
            if bound(less, fixed) < least:
                heapq.heappush(queue, (bound(less, fixed), next(count), fixed, less))
        return Choice(solution=best, path=tuple(path), proven=not queue)


def _relaxed(problem: Quadratic, support: np.ndarray) -> Solution:
    """Without the signs, which only raise the misfit."""
    if not problem.signs.any():
        return problem.solve(support)
    free = dataclasses.replace(problem, signs=np.zeros(len(problem)))
    return free.solve(support)
