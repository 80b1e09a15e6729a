"""Autoregressions that a surrogate is made with: fitted to open ends, inverted, and run."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np

_LARGEST = 1 - 1e-7  # of a reflection coefficient; keeps its inverse hyperbolic tangent finite
_STABLE = 0.9995  # largest modulus of a root that a fitted vector autoregression may run with
_BURN_IN = 1000
_FEW = 10  # samples asked for each coefficient of a vector autoregression


class AbstractAutoregression(abc.ABC):
    """What a kind of autoregression has to offer; rows have shape (n, dim, time).

    Its coefficients are a flat array of shape (n, n_coefficients), unbounded, so that they can be
    corrected by adding.
    """

    @abc.abstractmethod
    def fit(self, rows: np.ndarray) -> np.ndarray:
        """Coefficients of each record; the record's ends are not joined."""

    @abc.abstractmethod
    def innovations(self, coefficients: np.ndarray, row: np.ndarray) -> np.ndarray:
        """What one record of shape (dim, time) adds to its forecasts, same shape."""

    @abc.abstractmethod
    def run(
        self, coefficients: np.ndarray, innovations: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Records driven by innovations of shape (n, dim, time), started in the stationary state.

        The stationary start may take random numbers, the *same* in every call with equal `rng`.
        """


def reflections(rows: np.ndarray, order: int) -> np.ndarray:
    """Burg's reflection coefficients of each row, shape (n, order), below one in modulus.

    The sums run over the samples there are: nothing is assumed beyond the ends, so that a slow or
    resonant process of a few periods is not biased as by its periodogram (Burg 1967).

    Parameters
    ----------
    rows : array, shape (n, time)
        Of zero mean.
    order : int
    """
    ahead, behind = rows[:, 1:], rows[:, :-1]
    found = np.zeros((len(rows), order))
    for stage in range(order):
        power = np.sum(ahead**2 + behind**2, axis=1)
        k = 2 * np.sum(ahead * behind, axis=1) / np.maximum(power, 1e-300)
        found[:, stage] = k = np.clip(k, -_LARGEST, _LARGEST)
        ahead, behind = (
            (ahead - k[:, None] * behind)[:, 1:],
            (behind - k[:, None] * ahead)[:, :-1],
        )
    return found


def predictors(reflection: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Coefficients of the best forecasts from 0, 1, ... past samples, and their error variances.

    Levinson's recursion; the process has unit variance.
    """
    coefficients, variances = [np.zeros(0)], [1.0]
    for k in reflection:
        shorter = coefficients[-1]
        coefficients.append(np.r_[shorter - k * shorter[::-1], k])
        variances.append(variances[-1] * (1 - k * k))
    return coefficients, np.array(variances)


class Lattice(AbstractAutoregression):
    """One column; the coefficients are inverse hyperbolic tangents of Burg's reflections."""

    def __init__(self, order: int) -> None:
        self.order = order

    def fit(self, rows: np.ndarray) -> np.ndarray:
        """Burg's method."""
        row = rows[:, 0]
        return np.arctanh(reflections(row - row.mean(axis=1, keepdims=True), self.order))

    def innovations(self, coefficients: np.ndarray, row: np.ndarray) -> np.ndarray:
        """Standardised errors of the forecast from all the past there is, `order` samples at most."""
        from scipy.signal import lfilter

        taps, variance = predictors(np.tanh(coefficients))
        x, p, sizes = row[0], self.order, np.sqrt(variance)
        made = lfilter(np.r_[1.0, -taps[p]], [1.0], x) / sizes[p]
        for t in range(p):
            made[t] = (x[t] - taps[t] @ x[:t][::-1]) / sizes[t]
        return np.asarray(made)[None]

    def run(
        self, coefficients: np.ndarray, innovations: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """The inverse of `innovations`: exactly stationary from the first sample on."""
        from scipy.signal import lfilter, lfiltic

        made, p = np.empty_like(innovations), self.order
        for theta, drive, out in zip(coefficients, innovations[:, 0], made[:, 0], strict=True):
            taps, variance = predictors(np.clip(np.tanh(theta), -_LARGEST, _LARGEST))
            sizes = np.sqrt(variance)
            for t in range(p):
                out[t] = taps[t] @ out[:t][::-1] + sizes[t] * drive[t]
            poles = np.r_[1.0, -taps[p]]
            state = lfiltic([sizes[p]], poles, out[:p][::-1])
            out[p:] = lfilter([sizes[p]], poles, drive[p:], zi=state)[0]
        return made


def _lagged(rows: np.ndarray, order: int) -> np.ndarray:
    """The past of each sample from `order` on, shape (n, order * dim, time - order)."""
    n = rows.shape[2]
    return np.concatenate([rows[:, :, order - j : n - j] for j in range(1, order + 1)], axis=1)


class Vector(AbstractAutoregression):
    """Several columns, by least squares; the coefficients are the matrices, lag after lag."""

    def __init__(self, order: int, dim: int) -> None:
        self.order, self.dim = order, dim

    def fit(self, rows: np.ndarray) -> np.ndarray:
        """Least squares of every column on the past of all."""
        centred = rows - rows.mean(axis=2, keepdims=True)
        past, now = _lagged(centred, self.order), centred[:, :, self.order :]
        gram = past @ past.swapaxes(1, 2)
        ridge = 1e-10 * np.trace(gram, axis1=1, axis2=2)[:, None, None] / gram.shape[1]
        solved = np.linalg.solve(gram + ridge * np.eye(gram.shape[1]), past @ now.swapaxes(1, 2))
        return solved.swapaxes(1, 2).reshape(len(rows), -1)

    def innovations(self, coefficients: np.ndarray, row: np.ndarray) -> np.ndarray:
        """Errors of the forecasts; the first `order`, for which the past is short, are later ones."""
        matrix = coefficients.reshape(self.dim, -1)
        error = row[:, self.order :] - matrix @ _lagged(row[None], self.order)[0]
        return np.concatenate([error[:, : self.order], error], axis=1)

    def _stable(self, coefficients: np.ndarray) -> np.ndarray:
        """Matrices, shape (n, dim, order * dim), drawn in where the motion would not stay bounded."""
        d, p = self.dim, self.order
        matrix = coefficients.reshape(-1, d, p * d)
        companion = np.zeros((len(matrix), p * d, p * d))
        companion[:, :d] = matrix
        companion[:, d:, :-d] = np.eye((p - 1) * d)
        radius = np.abs(np.linalg.eigvals(companion)).max(axis=1)
        shrink = np.minimum(1.0, _STABLE / np.maximum(radius, 1e-300))
        return np.asarray(
            matrix * np.repeat(shrink[:, None] ** np.arange(1, p + 1), d, axis=1)[:, None]
        )

    def run(
        self, coefficients: np.ndarray, innovations: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Step by step, after a burn-in on innovations in random order."""
        n, d, length = innovations.shape
        matrix, early = self._stable(coefficients), rng.integers(length, size=_BURN_IN)
        drive = np.concatenate([innovations[:, :, early], innovations], axis=2)
        steps = np.ascontiguousarray(drive.transpose(2, 0, 1))
        past: Any = np.zeros((n, self.order * d))
        made = np.empty((length, n, d))
        for t, kick in enumerate(steps):
            now = (matrix @ past[:, :, None])[:, :, 0] + kick
            past = np.concatenate([now, past[:, :-d]], axis=1)
            if t >= _BURN_IN:
                made[t - _BURN_IN] = now
        return made.transpose(1, 2, 0)


def autoregression(rows: np.ndarray, order: int | None) -> AbstractAutoregression:
    """The kind for a record of shape (dim, time), its order by Akaike's criterion unless given.

    At most ten samples in a hundred, ``10 log10(time)`` lags, and ten samples a coefficient.
    """
    dim, n = rows.shape
    most = max(1, min(n // 10, int(10 * np.log10(n)), n // (_FEW * dim) if dim > 1 else n))
    centred = rows - rows.mean(axis=1, keepdims=True)
    if dim == 1:
        if order is None:
            gained = n * np.cumsum(np.log(1 - reflections(centred, most)[0] ** 2))
            order = 1 + int(np.argmin(gained + 2 * np.arange(1, most + 1)))
        return Lattice(order)
    if order is None:
        scores = []
        for p in range(1, most + 1):
            model = Vector(p, dim)
            error = model.innovations(model.fit(centred[None])[0], centred)[:, p:]
            scores.append(n * np.linalg.slogdet(error @ error.T / (n - p))[1] + 2 * p * dim**2)
            if p > int(np.argmin(scores)) + 4:
                break
        order = 1 + int(np.argmin(scores))
    return Vector(order, dim)
