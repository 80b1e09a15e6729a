"""What a form makes of the data: normal equations by blocks, and how sure they are."""

from __future__ import annotations

import abc
import dataclasses
import functools

import numpy as np

from takens.learn.moments import MomentBlocks, Moments

ROUNDING = (
    1e-13  # of the sum of squares of a target: what differences of sums cannot tell from none
)
FEWEST_BLOCKS = 4  # of rows, below which their scores say nothing of a covariance


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AbstractEquations(abc.ABC):
    """Normal equations of every law.

    Parameters
    ----------
    blocks : tuple of MomentBlocks
        One for each equation, with one target; or a single one with a target for each.
    dim : int
        Number of equations.
    """

    blocks: tuple[MomentBlocks, ...]
    dim: int

    @property
    def n_terms(self) -> int:
        """Candidate terms."""
        return self.blocks[0].n_regressors

    @property
    def n_blocks(self) -> int:
        """Blocks of rows, the same for every equation."""
        return len(self.blocks[0])

    def sums(self, weights: np.ndarray | None = None) -> tuple[Moments, ...]:
        """For every equation, each block as often as its weight says, one target each."""
        if weights is None:
            return self._total
        found = tuple(b.weighted(weights) for b in self.blocks)
        if len(found) == self.dim:
            return found
        (shared,) = found
        k = self.n_terms
        return tuple(_with_target(shared, k, i) for i in range(self.dim))

    @functools.cached_property
    def _total(self) -> tuple[Moments, ...]:
        return self.sums(np.ones(self.n_blocks))

    @abc.abstractmethod
    def noise(self, i: int) -> np.ndarray:
        """Mean of the sums of equation `i` under noise alone, (term + 1, term + 1), target last."""

    @abc.abstractmethod
    def dispersion(self, i: int, coefficients: np.ndarray, freedom: int) -> float:
        """Variance of a row's residual, in effect: correlated rows count less."""

    @abc.abstractmethod
    def score_covariance(self, table: np.ndarray) -> np.ndarray:
        """Of the sums of regressor times residual at a law, (equation * term, equation * term)."""


def residual_square(sums: Moments, coefficients: np.ndarray) -> float:
    """Sum of squared residuals of one target, not less than what rounding leaves of it."""
    left = float(sums.residual_covariance(coefficients[:, None])[0, 0]) * sums.count
    return max(left, ROUNDING * float(sums.square[0, 0]))


def _with_target(shared: Moments, k: int, i: int) -> Moments:
    kept = np.r_[:k, k + i]
    return Moments(
        n_regressors=k,
        count=shared.count,
        mean=shared.mean[kept],
        spread=shared.spread[np.ix_(kept, kept)],
    )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PlainEquations(AbstractEquations):
    """Rows with the same regressors for every equation, correlated over time.

    The covariance of the coefficients rests on the sums of blocks, which are much longer than the
    correlation: it is that of a regression with clusters (Liang and Zeger, Biometrika 73, 13, 1986).
    """

    def noise(self, i: int) -> np.ndarray:
        """None is known of."""
        return np.zeros((self.n_terms + 1, self.n_terms + 1))

    def dispersion(self, i: int, coefficients: np.ndarray, freedom: int) -> float:
        """The variance of the residual times how much less the rows tell for being correlated.

        That factor is the mean ratio of the covariance from blocks to that of independent rows,
        over the directions of the regressors in use.
        """
        used = coefficients != 0
        sums = self.sums()[i]
        variance = residual_square(sums, coefficients) / max(sums.count - freedom, 1)
        if not used.any() or self.n_blocks < FEWEST_BLOCKS:
            return variance
        table = np.zeros((self.n_terms, self.dim))
        table[:, i] = coefficients
        scores = self._scores(table)[:, i][:, used]
        gram = sums.gram[np.ix_(used, used)]
        size = np.sqrt(np.diag(gram))
        values, vectors = np.linalg.eigh(gram / np.outer(size, size))
        sound = values > 1e-10 * values[-1]
        along = (scores / size) @ vectors[:, sound] / np.sqrt(values[sound])
        clustered = float((along**2).mean(axis=1).sum()) * self._unbiased
        return max(clustered, variance)

    @property
    def _unbiased(self) -> float:
        return self.n_blocks / max(self.n_blocks - 1, 1)

    def _scores(self, table: np.ndarray) -> np.ndarray:
        """Block sums of regressor times residual, (block, equation, term)."""
        (shared,) = self.blocks
        return np.moveaxis(shared.scores(table), 2, 1)

    def score_covariance(self, table: np.ndarray) -> np.ndarray:
        """Sum of the squares of the scores of blocks; of few blocks, that of independent rows."""
        rows = float(self.blocks[0].counts.sum())
        used = max(int((table != 0).sum(axis=0).max()), 1)
        small = rows / max(rows - used, 1)
        if self.n_blocks < FEWEST_BLOCKS:
            (shared,) = self.blocks
            return np.kron(shared.total.residual_covariance(table) * small, shared.total.gram)
        scores = self._scores(table).reshape(self.n_blocks, -1)
        return np.asarray(scores.T @ scores) * self._unbiased * small


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class WhitenedEquations(AbstractEquations):
    """Rows whose residuals are independent and of one variance, whitened by their covariance.

    Parameters
    ----------
    noises : array, shape (equation, term + 1, term + 1)
        Mean of the sums under noise alone, the target last.
    scores : array, shape (equation, term, equation, term)
        Covariance of the sums of regressor times residual, at the noise assumed.
    """

    noises: np.ndarray
    scores: np.ndarray

    def noise(self, i: int) -> np.ndarray:
        """As given."""
        return np.asarray(self.noises[i])

    def dispersion(self, i: int, coefficients: np.ndarray, freedom: int) -> float:
        """Mean square of the whitened residual; one if the noise was judged rightly."""
        sums = self.sums()[i]
        return residual_square(sums, coefficients) / max(sums.count - freedom, 1)

    @functools.cached_property
    def _wide(self) -> np.ndarray:
        size = self.dim * self.n_terms
        return self.scores.reshape(size, size)

    def score_covariance(self, table: np.ndarray) -> np.ndarray:
        """That of the noise assumed, times the variances that the residuals have."""
        used = (table != 0).sum(axis=0)
        size = np.sqrt([self.dispersion(i, table[:, i], int(used[i])) for i in range(self.dim)])
        factor = np.repeat(size, self.n_terms)
        return self._wide * np.outer(factor, factor)
