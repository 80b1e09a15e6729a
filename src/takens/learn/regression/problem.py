"""From normal equations, noise and constraints to quadratic problems, and back to a table."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from takens.learn.moments import Moments
from takens.learn.regression.constraints import Bounds
from takens.learn.regression.equations import AbstractEquations
from takens.learn.regression.quadratic import Quadratic
from takens.learn.regression.selectors import AbstractSelector, Choice


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """All laws of one regression.

    Parameters
    ----------
    equations : AbstractEquations
    bounds : Bounds
    """

    equations: AbstractEquations
    bounds: Bounds

    @property
    def shape(self) -> tuple[int, int]:
        """(equation, term)."""
        return self.equations.dim, self.equations.n_terms

    @functools.cached_property
    def groups(self) -> tuple[np.ndarray, ...]:
        """Equations that constraints tie together."""
        d, k = self.shape
        tie = np.eye(d, dtype=bool)
        for row in self.bounds.equality.reshape(-1, d, k):
            used = (row != 0).any(axis=1)
            tie |= np.outer(used, used)
        for _ in range(d):
            tie = tie @ tie
        return tuple(np.flatnonzero(row) for row in np.unique(tie, axis=0))

    @functools.cached_property
    def dispersions(self) -> np.ndarray:
        """Variance of the rows of each equation, from all terms without constraints, (equation,)."""
        d, k = self.shape
        found = np.ones(d)
        sums = self.equations.sums()
        free = Bounds.none(d * k)
        free = dataclasses.replace(free, allowed=self.bounds.allowed)
        for i in range(d):
            one = self._quadratic(np.array([i]), sums, np.ones(d), free)
            support = one.independent()
            while True:
                try:
                    w = one.solve(support).coefficients / one.scale
                    break
                except np.linalg.LinAlgError:
                    support[np.flatnonzero(support)[-1]] = False
            found[i] = max(self.equations.dispersion(i, w, int(support.sum())), 1e-300)
        return found

    def quadratics(self, weights: np.ndarray | None = None) -> list[tuple[np.ndarray, Quadratic]]:
        """A problem for each group: where its coefficients stand, and the problem itself."""
        sums = self.equations.sums(weights)
        k = self.shape[1]
        found = []
        for group in self.groups:
            places = (group[:, None] * k + np.arange(k)).ravel()
            found.append((places, self._quadratic(group, sums, self.dispersions, self.bounds)))
        return found

    def _quadratic(
        self, group: np.ndarray, sums: tuple[Moments, ...], units: np.ndarray, bounds: Bounds
    ) -> Quadratic:
        _, k = self.shape
        p = len(group) * k
        gram, noise, cross, square = np.zeros((p, p)), np.zeros((p, p)), np.zeros(p), 0.0
        for n, i in enumerate(group):
            here = slice(n * k, (n + 1) * k)
            part = sums[i]
            share = part.count / max(float(self.equations.blocks[0].counts.sum()), 1.0)
            own = self.equations.noise(int(i)) * share
            gram[here, here] = part.gram / units[i]
            noise[here, here] = own[:k, :k] / units[i]
            cross[here] = (part.cross[:, 0] - own[:k, k]) / units[i]
            square += (float(part.square[0, 0]) - own[k, k]) / units[i]
        size = np.sqrt(np.diag(gram))
        scale = np.where(size > 0, size, 1.0)
        places = (group[:, None] * k + np.arange(k)).ravel()
        rows = bounds.equality[:, places] / scale
        used = np.abs(rows).max(axis=1, initial=0.0) > 0
        length = np.abs(rows[used]).max(axis=1, initial=0.0)
        return Quadratic(
            gram=gram / np.outer(scale, scale),
            noise=noise / np.outer(scale, scale),
            cross=cross / scale,
            square=square,
            count=float(sums[int(group[0])].count),
            n_terms=k,
            scale=scale,
            units=np.repeat(units[group], k),
            allowed=bounds.allowed[places] & (size > 0),
            required=bounds.required[places],
            equality=rows[used] / length[:, None],
            rhs=bounds.rhs[used] / length,
            signs=bounds.signs[places],
        )

    def chosen(
        self, selector: AbstractSelector, weights: np.ndarray | None = None
    ) -> tuple[np.ndarray, tuple[Choice, ...]]:
        """Coefficients, (term, equation), and the choice made in each group."""
        d, k = self.shape
        flat = np.zeros(d * k)
        choices = []
        for places, quadratic in self.quadratics(weights):
            choice = selector.select(quadratic)
            flat[places] = choice.solution.coefficients / quadratic.scale
            choices.append(choice)
        return flat.reshape(d, k).T, tuple(choices)

    def refitted(self, support: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Coefficients of a given support, (term, equation)."""
        d, k = self.shape
        flat, stands = np.zeros(d * k), support.T.ravel()
        for places, quadratic in self.quadratics(weights):
            solution = quadratic.solve(stands[places] & quadratic.allowed)
            flat[places] = solution.coefficients / quadratic.scale
        return flat.reshape(d, k).T

    def covariance(self, table: np.ndarray) -> np.ndarray:
        """Of the coefficients, (equation * term, equation * term): bread, scores, bread."""
        d, k = self.shape
        bread = np.zeros((d * k, d * k))
        stands = (table != 0).T.ravel()
        for places, quadratic in self.quadratics():
            solution = quadratic.solve(stands[places])
            wide = solution.inner / np.outer(quadratic.scale, quadratic.scale)
            bread[np.ix_(places, places)] = wide / quadratic.units
        return bread @ self.equations.score_covariance(table) @ bread.T
