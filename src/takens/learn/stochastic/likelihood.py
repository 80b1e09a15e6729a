"""Maximum likelihood of a law with few coefficients, and the choice of its terms."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from math import comb
from typing import Protocol

import numpy as np

from takens.learn.stochastic.transition import Lattice

MOST_STEPS = 40
CONVERGED = 1e-3  # expected gain of log-likelihood at which the climb ends
STEP = 0.02  # of a finite difference, in standard errors
PLAUSIBLE = 0.01, 5.0  # median squared step over what the noise alone gives; 0.45 if it is alone
CANDIDATES = 4  # supports that are fitted after the screening, besides the best of each noise

LogDensity = Callable[[np.ndarray], np.ndarray | None]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Peak:
    """Where a climb ended.

    Parameters
    ----------
    theta : array, shape (coefficient,)
    scores : array, shape (observation, coefficient)
        Derivatives of each log density.
    value : float
        Log-likelihood.
    converged : bool
    """

    theta: np.ndarray
    scores: np.ndarray
    value: float
    converged: bool

    @property
    def outer(self) -> np.ndarray:
        """Information by the outer product of the scores."""
        return np.asarray(self.scores.T @ self.scores)


def scores_at(density: LogDensity, theta: np.ndarray, steps: np.ndarray) -> np.ndarray | None:
    """Derivatives of each log density by central differences, one-sided at an edge."""
    columns = []
    for j, step in enumerate(steps):
        up, down = theta.copy(), theta.copy()
        up[j] += step
        down[j] -= step
        high, low, width = density(up), density(down), 2 * step
        if high is None or low is None:
            here, width = density(theta), step
            if here is None or (high is None and low is None):
                return None
            high, low = (here if high is None else high), (here if low is None else low)
        columns.append((high - low) / width)
    return np.stack(columns, axis=1) if columns else None


def climb(density: LogDensity, theta: np.ndarray, size: np.ndarray) -> Peak | None:
    """Berndt, Hall, Hall and Hausman's ascent from `theta`; None where no density exists.

    `size` is a typical magnitude of each coefficient, for the first differences.
    """
    now = density(theta)
    if now is None or not np.isfinite(now).all():
        return None
    value, steps, converged = float(now.sum()), 1e-4 * size, False
    scores = np.empty((len(now), 0))
    for _ in range(MOST_STEPS if len(theta) else 0):
        found = scores_at(density, theta, steps)
        if found is None or not np.isfinite(found).all():
            return None
        scores = found
        gradient = scores.sum(axis=0)
        outer = scores.T @ scores
        way = np.linalg.lstsq(outer, gradient, rcond=1e-13)[0]
        if gradient @ way < 2 * CONVERGED:
            converged = True
            break
        share = 1.0
        while share > 1e-4:
            there = density(theta + share * way)
            if there is not None and np.isfinite(there).all() and there.sum() > value:
                break
            share /= 2
        else:
            break
        theta, value = theta + share * way, float(np.sum(there))
        with np.errstate(divide="ignore"):
            steps = np.minimum(STEP / np.sqrt(np.diag(outer)), size)
    return Peak(theta=theta, scores=scores, value=value, converged=converged or not len(theta))


def curvature(density: LogDensity, peak: Peak) -> np.ndarray:
    """Observed information: minus the second derivatives of the log-likelihood."""
    inverse = np.linalg.pinv(peak.outer)
    wide = 0.2 * np.sqrt(np.maximum(np.diag(inverse), 1e-300))
    fine = 0.1 * wide
    rows = []
    for j, step in enumerate(wide):
        ends = []
        for sign in (1, -1):
            theta = peak.theta.copy()
            theta[j] += sign * step
            scores = scores_at(density, theta, fine)
            ends.append(None if scores is None else scores.sum(axis=0))
        if ends[0] is None or ends[1] is None:
            return peak.outer
        rows.append((ends[0] - ends[1]) / (2 * step))
    found = -0.5 * (np.array(rows) + np.array(rows).T)
    if not np.isfinite(found).all() or np.linalg.eigvalsh(found)[0] <= 0:
        return peak.outer
    return found


def finite(found: list[tuple[float, Support, Peak]]) -> list[tuple[float, Support, Peak]]:
    """Those that have a criterion, the best first."""
    return sorted((f for f in found if np.isfinite(f[0])), key=lambda f: f[0])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Support:
    """Which candidate terms are in a law.

    Parameters
    ----------
    drift, noise : tuple of int
        Columns of the candidates of drift and of squared noise.
    """

    drift: tuple[int, ...]
    noise: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.drift) + len(self.noise)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Transitions, and the candidates at the nodes of their lattice.

    Parameters
    ----------
    lattice : Lattice
    drift, noise : array, shape (node, candidate)
        Values of the candidates of drift and of squared noise.
    """

    lattice: Lattice
    drift: np.ndarray
    noise: np.ndarray

    def density(self, support: Support) -> LogDensity:
        """Log density of each transition as a function of the coefficients of a support."""
        drift, noise = self.drift[:, list(support.drift)], self.noise[:, list(support.noise)]
        count = drift.shape[1]

        def of(theta: np.ndarray) -> np.ndarray | None:
            square = noise @ theta[count:]
            if not (square > 0).all():
                return None
            return self.lattice.log_density(drift @ theta[:count], square)

        return of

    def _plausible(self, support: Support, theta: np.ndarray) -> bool:
        """Whether steps are of the size of the noise: a series far outside its range may not be."""
        lattice = self.lattice
        square = self.noise[:, list(support.noise)] @ theta[len(support.drift) :]
        square = (lattice.to_points[0] @ square)[lattice.start]
        move = lattice.points[lattice.end] - lattice.points[lattice.start]
        typical = np.median(move**2 / (square * lattice.dt))
        return bool(PLAUSIBLE[0] < typical < PLAUSIBLE[1])

    def criterion(self, peak: Peak, support: Support) -> float:
        """Extended Bayesian criterion, infinite for a law that is not plausible."""
        if not self._plausible(support, peak.theta):
            return float("inf")
        return extended(peak.value, support, len(self.lattice.dt))


def extended(value: float, support: Support, n: int) -> float:
    """Extended Bayesian criterion: Chen and Chen, Biometrika 95, 759 (2008), eq. 2.2.

    The supports of one size that share their probability are those up to the last candidate
    used, so that a lower power is preferred to a higher one of the same likelihood.
    """
    ways = [comb(max(c, default=0) + 1, len(c)) for c in (support.drift, support.noise)]
    return float(-2 * value + len(support) * np.log(n) + 2 * np.log(ways).sum())


class AbstractProblem(Protocol):
    """What the choice of terms needs: a likelihood and a criterion."""

    def density(self, support: Support) -> LogDensity:
        """Log density of each observation as a function of the coefficients of a support."""
        ...

    def criterion(self, peak: Peak, support: Support) -> float:
        """The less, the better."""
        ...


def chosen(
    problem: AbstractProblem,
    start: Callable[[Support], np.ndarray],
    size: Callable[[Support], np.ndarray],
    noise_supports: Sequence[tuple[int, ...]],
    drift_columns: tuple[int, ...],
    fixed: bool,
) -> list[tuple[float, Support, Peak]]:
    """Fitted laws, the best first: every noise with all drift terms, then the best parts of these.

    The likelihood of a part is screened by the quadratic about the whole (Wang and Leng, J. Am.
    Stat. Assoc. 102, 1039, 2007); the criterion that decides is that of refitted parts.
    """
    wholes = []
    for noise in noise_supports:
        support = Support(drift=drift_columns, noise=noise)
        peak = climb(problem.density(support), start(support), size(support))
        if peak is not None:
            wholes.append((problem.criterion(peak, support), support, peak))
    if fixed or not wholes:
        return finite(wholes)
    screened: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[float, np.ndarray]] = {}
    for _, whole, peak in wholes:
        covariance = np.linalg.pinv(peak.outer)
        for part in _parts(drift_columns):
            gone = [i for i, c in enumerate(drift_columns) if c not in part]
            kept = [i for i in range(len(peak.theta)) if i not in gone]
            block = covariance[np.ix_(gone, gone)]
            lost = np.linalg.lstsq(block, peak.theta[gone], rcond=1e-12)[0] if gone else np.empty(0)
            moved = peak.theta - covariance[:, gone] @ lost
            support = Support(drift=part, noise=whole.noise)
            value = peak.value - 0.5 * float(peak.theta[gone] @ lost)
            guess = dataclasses.replace(peak, value=value, theta=moved[kept])
            screened[part, whole.noise] = (problem.criterion(guess, support), moved[kept])
    ranked = sorted(screened, key=lambda key: screened[key][0])
    of_each = [next(key for key in ranked if key[1] == whole.noise) for _, whole, _ in wholes]
    best = list(dict.fromkeys([*ranked[:CANDIDATES], *of_each]))
    found = []
    for part, noise in best:
        support = Support(drift=part, noise=noise)
        density = problem.density(support)
        for theta in (screened[part, noise][1], start(support)):
            peak = climb(density, theta, size(support))
            if peak is not None:
                found.append((problem.criterion(peak, support), support, peak))
                break
    return finite([*found, *wholes])


def _parts(columns: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [
        part for size in range(len(columns) + 1) for part in itertools.combinations(columns, size)
    ]


def settled(
    found: list[tuple[float, Support, Peak]],
    refine: Callable[[Support, Peak], tuple[float, Peak]],
) -> list[tuple[float, Support, Peak]]:
    """The same laws, the best first, of which the first is best after refinement.

    On a coarse lattice a law whose rates are fast can look better than it is; the leader is refined
    until one that has been refined leads.
    """
    ranked, done = list(found), set[int]()
    for _ in range(len(found)):
        ranked.sort(key=lambda f: f[0])
        _, support, peak = ranked[0]
        if id(support) in done:
            break
        score, finer = refine(support, peak)
        ranked[0] = (score, support, finer)
        done.add(id(support))
    return finite(ranked)
