"""One equation: which terms, which coefficients, and how sure."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from takens.learn.partial.selection import Equations, criterion, penalty, price, search
from takens.learn.partial.terms import PDETerm
from takens.learn.partial.weak import Weak, Whitener, score_covariance

ROUNDS = 8  # of weighting and selection
REWEIGHTED = 2  # solutions of one support, each with the covariance of the one before
LARGEST_TRIED = 6  # terms of the supports that are compared at their own covariance
Support = tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class LearnedEquation:
    """The law of one component.

    Parameters
    ----------
    coefficients, standard_errors, inclusion : array, shape (term,)
        Zero outside the law; inclusion is the weight of the laws that hold the term, of all that
        were compared.
    support : tuple of int
        Terms in the law.
    covariance : array, shape (term in the law, term in the law)
    dispersion : float
        Mean square of the whitened residual: 1 where it is the noise of the data and nothing else.
    explained : float
        Share of the rate of change, beyond noise, that the law accounts for.
    n_tests : int
    """

    coefficients: np.ndarray
    standard_errors: np.ndarray
    inclusion: np.ndarray
    support: Support
    covariance: np.ndarray
    dispersion: float
    explained: float
    n_tests: int


@dataclasses.dataclass(frozen=True, eq=False)
class Weighted:
    """Normal equations at the residual covariance of one law."""

    equations: Equations
    whiteners: tuple[Whitener, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """All that is known of one component's rate of change.

    Parameters
    ----------
    weak : tuple of Weak
        One per record.
    features : tuple of PDETerm
        Candidates, orders with time first; the left side is the last.
    sigma : array, shape (component,)
    gamma : float
        Of the extended criterion.
    """

    weak: tuple[Weak, ...]
    features: tuple[PDETerm, ...]
    sigma: np.ndarray
    gamma: float

    @functools.cached_property
    def rows(self) -> tuple[np.ndarray, ...]:
        """Weak form of every feature, for every record."""
        return tuple(w.project(self.features) for w in self.weak)

    @functools.cached_property
    def noise(self) -> tuple[np.ndarray, ...]:
        """Covariance of the noise of the features' monomials, for every record."""
        powers = tuple(sorted({f.powers for f in self.features}))
        place = [powers.index(f.powers) for f in self.features]
        return tuple(w.noise(powers)[np.ix_(place, place)] for w in self.weak)

    @property
    def count(self) -> int:
        """Test functions of all records."""
        return sum(w.n_tests for w in self.weak)

    @property
    def n_terms(self) -> int:
        """Candidates."""
        return len(self.features) - 1

    def weighted(self, coefficients: np.ndarray) -> Weighted:
        """Normal equations, whitened by the covariance of the residual of a law."""
        row = np.append(-coefficients, 1.0)
        size = len(self.features)
        gram, noise, made = np.zeros((size, size)), np.zeros((size, size)), []
        for weak, rows, spread in zip(self.weak, self.rows, self.noise, strict=True):
            white = Whitener.of(weak, self.features, row, spread)
            flat = rows[weak.kept]
            gram += flat.T @ white.solve(rows)[weak.kept]
            noise += white.noise_gram(self.features, spread)
            made.append(white)
        return Weighted(Equations((gram + gram.T) / 2, noise, self.count), tuple(made))

    def dispersion(self, weighted: Weighted) -> float:
        """Of the residual of all candidates together; more than one where weights are too large."""
        equations = weighted.equations
        scale = np.sqrt(np.diag(equations.gram))
        part = equations.gram / np.outer(scale, scale)
        solved = np.linalg.lstsq(part[:-1, :-1], part[:-1, -1], rcond=1e-10)[0]
        rest = equations.residual(solved * scale[-1] / scale[:-1])
        return max(1.0, rest / max(self.count - self.n_terms, 1))

    def everything(self, weighted: Weighted) -> np.ndarray:
        """Least squares on all candidates, without the correction: biased, but never wild."""
        gram = weighted.equations.gram
        scale = np.sqrt(np.diag(gram))
        part = gram / np.outer(scale, scale)
        solved = np.linalg.lstsq(part[:-1, :-1], part[:-1, -1], rcond=1e-10)[0]
        return np.asarray(solved * scale[-1] / scale[:-1])


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """A law solved at its own residual covariance."""

    support: Support
    coefficients: np.ndarray
    weighted: Weighted
    value: float
    seen: dict[Support, float]


def settled(problem: Problem, start: np.ndarray) -> tuple[list[dict[Support, float]], float]:
    """Weight, select, and weight again until the support repeats itself.

    Returns
    -------
    rounds : list of dict
        The criterion of every support that was seen, round by round.
    dispersion : float
        At the last weights.
    """
    support: Support = ()
    weighted = problem.weighted(start)
    rounds: list[dict[Support, float]] = []
    dispersion = 1.0
    for n in range(ROUNDS):
        dispersion = problem.dispersion(weighted)
        found, seen = search(weighted.equations, ((), support), dispersion, problem.gamma)
        rounds.append(seen)
        if n and found == support:
            break
        support = found
        weighted = problem.weighted(weighted.equations.solve(support))
    return rounds, dispersion


def tried(problem: Problem, support: Support, start: np.ndarray, dispersion: float) -> Trial | None:
    """A support at its own covariance, with a value by which supports can then be compared.

    The value is the squared residual, which no law gains by pushing below what noise makes, and
    the price of the terms. The determinant of the covariance has no place here: it is that of the
    residual and not of the data, and would favour laws that filter the noise.
    """
    coefficients = start
    for _ in range(REWEIGHTED):
        weighted = problem.weighted(coefficients)
        if not math.isfinite(criterion(weighted.equations, support, 1.0, problem.gamma)):
            return None
        coefficients = weighted.equations.solve(support)
    rest = weighted.equations.residual(coefficients) / dispersion
    value = max(rest, float(problem.count))
    value += penalty(weighted.equations, support, problem.gamma)
    return Trial(support, coefficients, weighted, value, {})


def best_of_each_size(seen: dict[Support, float]) -> list[Support]:
    """The supports of least criterion with one term, two, and so on."""
    best: dict[int, Support] = {}
    for support, value in seen.items():
        size = len(support)
        if size <= LARGEST_TRIED and (size not in best or value < seen[best[size]]):
            best[size] = support
    return [s for s in best.values() if math.isfinite(seen[s])]


def learn_equation(problem: Problem) -> LearnedEquation:
    """Select from several starts, compare the finalists at their own covariance, and judge."""
    first = problem.weighted(np.zeros(problem.n_terms))
    finalists: set[Support] = set()
    others: set[Support] = set()
    dispersion = math.inf
    for start in (np.zeros(problem.n_terms), problem.everything(first)):
        rounds, spread = settled(problem, start)
        dispersion = min(dispersion, spread)
        finalists |= {min(seen, key=lambda s: seen[s]) for seen in rounds}
        finalists |= set(best_of_each_size(rounds[-1]))
        others |= {support for seen in rounds for support in best_of_each_size(seen)}
    best = _contest(problem, first, finalists, dispersion, None)
    if best.weighted.equations.residual(best.coefficients) > loose(problem.count) * problem.count:
        best = _contest(problem, first, others - finalists, dispersion, best)
    return _pruned(problem, best, dispersion)


def _pruned(problem: Problem, best: Trial, dispersion: float) -> LearnedEquation:
    """Without terms that do not pay their price by the standard error that holds in every cell.

    The search takes the noise of the residual to be the same everywhere; where it is not, a term
    can look surer than it is.
    """
    equation = judged(problem, best)
    while equation.support:
        support = list(equation.support)
        score = (equation.coefficients[support] / equation.standard_errors[support]) ** 2
        weakest = int(np.argmin(score))
        if score[weakest] >= price(problem.count, problem.n_terms, len(support), problem.gamma):
            break
        fewer = tuple(support[:weakest] + support[weakest + 1 :])
        trial = tried(problem, fewer, equation.coefficients, dispersion)
        if trial is None:
            break
        _, seen = search(trial.weighted.equations, (fewer,), dispersion, problem.gamma)
        equation = judged(problem, dataclasses.replace(trial, seen=seen))
    return equation


def _contest(
    problem: Problem, first: Weighted, supports: set[Support], dispersion: float, best: Trial | None
) -> Trial:
    """The winner among supports, and among its own neighbours at its own covariance."""
    for _ in range(3):
        pool = [tried(problem, s, _start(problem, first, s), dispersion) for s in sorted(supports)]
        found = [t for t in pool if t is not None] + ([best] if best is not None else [])
        now = min(found, key=lambda t: t.value)
        if best is not None and now.support == best.support:
            break
        choice, seen = search(now.weighted.equations, (now.support,), dispersion, problem.gamma)
        best = dataclasses.replace(now, seen=seen)
        if choice == now.support:
            break
        supports = {choice}
    assert best is not None
    return best


def loose(count: int) -> float:
    """Dispersion beyond which the residual is more than noise: five standard errors."""
    return 1 + 5 * math.sqrt(2 / count)


def _start(problem: Problem, weighted: Weighted, support: Support) -> np.ndarray:
    """Least squares on a support, uncorrected."""
    full = np.zeros(problem.n_terms)
    if support:
        index = list(support)
        gram = weighted.equations.gram
        full[index] = np.linalg.lstsq(gram[np.ix_(index, index)], gram[index, -1], rcond=None)[0]
    return full


def judged(problem: Problem, trial: Trial) -> LearnedEquation:
    """Covariance of the coefficients and the share explained, at the chosen law."""
    support, equations = list(trial.support), trial.weighted.equations
    rest = equations.residual(trial.coefficients)
    dispersion = rest / max(problem.count - len(support), 1)
    covariance = np.zeros((len(support), len(support)))
    if support:
        row = np.append(-trial.coefficients, 1.0)
        score = np.zeros_like(covariance)
        for weak, rows, white in zip(
            problem.weak, problem.rows, trial.weighted.whiteners, strict=True
        ):
            weights = white.solve(rows[..., support])
            score += score_covariance(weak, problem.features, row, weights, problem.sigma)
        inverse = np.linalg.inv(equations.moment[np.ix_(support, support)])
        covariance = (
            inverse @ score @ inverse * (dispersion if dispersion > loose(problem.count) else 1)
        )
    errors, inclusion = np.zeros(problem.n_terms), np.zeros(problem.n_terms)
    errors[support] = np.sqrt(np.diag(covariance))
    least = min(trial.seen.values())
    total = 0.0
    for other, value in trial.seen.items():
        weight = math.exp(-min(value - least, 700.0) / 2)
        inclusion[list(other)] += weight
        total += weight
    beyond = max(float(equations.moment[-1, -1]), 1e-300)
    return LearnedEquation(
        coefficients=trial.coefficients,
        standard_errors=errors,
        inclusion=inclusion / total,
        support=trial.support,
        covariance=covariance,
        dispersion=dispersion,
        explained=1 - max(rest - problem.count, 0.0) / beyond if support else 0.0,
        n_tests=problem.count,
    )
