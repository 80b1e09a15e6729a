r"""Local polynomial regression of rates on the state and on the time step, extrapolated to step zero.

The mean of :math:`\Delta X / \tau` given the start x is :math:`D(x) + O(\tau)`. The regression holds
powers of :math:`\tau` besides those of the distance from the point asked, so that its constant is the
value at step zero. Its variance is that of sums of scores over blocks of time, which holds for pairs
that overlap.
"""

from __future__ import annotations

import dataclasses

import numpy as np

BLOCK = 20  # samples whose scores are summed before they are squared
ROUGHNESS = 0.6  # of Epanechnikov's kernel: integral of its square
SECOND = 0.2  # its second moment


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rates:
    """Rates of change seen from many starts.

    Parameters
    ----------
    x : array, shape (pair, dim)
        Starts, in standardised units.
    tau : array, shape (pair,)
        Time steps over their median.
    y : array, shape (pair, response)
    weight : array, shape (pair,)
        Inverse variance, up to a factor.
    origin : array, shape (pair,)
        Place in time.
    order : int
        Powers of the step in the regression, from 0.
    """

    x: np.ndarray
    tau: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    origin: np.ndarray
    order: int

    def at(self, point: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray, float, int]:
        """Value and covariance at a point, effective sample, and visits; NaN if undetermined."""
        dim, n_response = self.x.shape[1], self.y.shape[1]
        nan = np.full(n_response, np.nan), np.full((n_response, n_response), np.nan)
        z = (self.x - point) / width
        near = np.flatnonzero((np.abs(z) < 1).all(axis=1))
        if near.size < 5 * (1 + dim + dim * dim + self.order):
            return (*nan, 0.0, 0)
        z, tau = z[near], self.tau[near]
        w = self.weight[near] * np.prod(1 - z**2, axis=1)
        design = _design(z, tau, self.order)
        gram = design.T @ (w[:, None] * design)
        scale = np.sqrt(np.diag(gram))
        values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
        if values[0] < 1e-10 * values[-1]:
            return (*nan, 0.0, 0)
        # The row of the inverse that belongs to the constant.
        row = (vectors * (vectors[0] / values)).sum(axis=1) / (scale * scale[0])
        influence = w * (design @ row)
        solution = (vectors / values) @ (vectors.T @ (design.T @ (w[:, None] * self.y[near]) /
                                                      scale[:, None])) / scale[:, None]  # fmt: skip
        residual = self.y[near] - design @ solution
        first, start = np.unique(self.origin[near], return_inverse=True)
        block = np.unique(first // BLOCK, return_inverse=True)[1][start]
        scores = np.stack([np.bincount(block, influence * r) for r in residual.T], axis=1)
        per_origin = np.bincount(start, w)
        effective = float(per_origin.sum() ** 2 / (per_origin**2).sum())
        visits = 1 + int((np.diff(first) > 1).sum())
        freedom = max(effective, 1.0) / max(effective - design.shape[1], 1.0)
        return solution[0], freedom * scores.T @ scores, effective, visits


def _design(z: np.ndarray, tau: np.ndarray, order: int) -> np.ndarray:
    """Constant, distances, their products, powers of the step, and step times distance."""
    dim = z.shape[1]
    columns = [np.ones(len(z)), *z.T]
    columns += [z[:, i] * z[:, j] for i in range(dim) for j in range(i, dim)]
    columns += [tau**k for k in range(1, order)]
    if order > 1:
        columns += [tau * z[:, i] for i in range(dim)]
    return np.stack(columns, axis=1)


def bandwidth(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """Width that balances variance and squared bias of a local line, from a global quartic.

    Fan and Gijbels (1996), eq. 4.3, for `dim` coordinates and several responses; in the units of x.
    """
    n, dim = x.shape
    low, high = np.quantile(x, [0.02, 0.98], axis=0)
    inner = ((x >= low) & (x <= high)).all(axis=1)
    powers = [p for p in np.ndindex(*(5,) * dim) if sum(p) <= 4]
    design = np.stack([np.prod(x ** np.array(p), axis=1) for p in powers], axis=1)
    root = np.sqrt(weight)[:, None]
    solution = np.linalg.lstsq(root * design, root * y, rcond=1e-10)[0]
    noise = np.average((y - design @ solution) ** 2, axis=0, weights=weight)
    curvature = np.zeros_like(y)
    for axis in range(dim):
        for p, c in zip(powers, solution, strict=True):
            if p[axis] > 1:
                q = np.array(p)
                q[axis] -= 2
                term = p[axis] * (p[axis] - 1) * np.prod(x**q, axis=1)
                curvature += term[:, None] * c
    bend = np.mean(curvature[inner] ** 2, axis=0)
    area = float(np.prod(high - low))
    with np.errstate(divide="ignore"):
        ratio = dim * ROUGHNESS**dim * noise * area / (SECOND**2 * bend * n)
    width = float(np.min(ratio) ** (1 / (4 + dim)))
    return float(np.clip(width, 0.15, 0.5 * float((high - low).max())))
