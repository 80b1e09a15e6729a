"""Where fitting begins: data smoothed to their noise, and coefficients from the slopes."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg import solveh_banded

from takens.learn.sparse.nodes import Nodes
from takens.learn.sparse.selection import Search
from takens.learn.sparse.shooting import Noise

KEPT = 0.95  # share of the noise variance that the smoothing takes out


def smoothed(nodes: Nodes, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    r"""Values and slopes of a cubic smoothing spline through every stretch, (node, dim) each.

    The penalty on the second derivative is as large as the noise variance allows: the residual has
    0.95 of it (the discrepancy principle; Reinsch, Numerische Mathematik 10, 177, 1967). Cost: some
    thirty pentadiagonal solves.
    """
    values, slopes = nodes.values.copy(), np.zeros_like(nodes.values)
    variance = noise.of_samples(nodes)
    for rows in nodes.stretches:
        for j in range(nodes.dim):
            spline = _spline(nodes.times[rows], nodes.values[rows, j], variance[rows, j])
            values[rows, j], slopes[rows, j] = spline
    return values, slopes


def _spline(t: np.ndarray, y: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    step = np.median(np.diff(t))
    h = np.diff(t) / step
    floor = variance / variance.min()
    q = np.stack([1 / h[:-1], -1 / h[:-1] - 1 / h[1:], 1 / h[1:]])  # second differences
    bend = np.zeros((3, len(t) - 2))
    bend[0] = (h[:-1] + h[1:]) / 3
    bend[1, :-1] = h[1:-1] / 6
    rough = np.zeros((3, len(t) - 2))
    rough[0] = (q**2 * np.stack([floor[:-2], floor[1:-1], floor[2:]])).sum(axis=0)
    rough[1, :-1] = q[1, :-1] * q[0, 1:] * floor[1:-2] + q[2, :-1] * q[1, 1:] * floor[2:-1]
    rough[2, :-2] = q[2, :-2] * q[0, 2:] * floor[2:-2]
    curvature = q[0] * y[:-2] + q[1] * y[1:-1] + q[2] * y[2:]

    def at(log_penalty: float) -> np.ndarray:
        penalty = 10.0**log_penalty
        gamma = solveh_banded(bend + penalty * rough, curvature, lower=True, check_finite=False)
        back = np.zeros_like(y)
        for k in range(3):
            back[k : len(y) - 2 + k] += q[k] * gamma
        return np.asarray(y - penalty * floor * back)

    low, high = -8.0, 12.0
    for _ in range(30):
        middle = (low + high) / 2
        left = ((y - at(middle)) ** 2 / variance).mean()
        low, high = (middle, high) if left < KEPT else (low, middle)
    z = at(low)
    return z, CubicSpline(t, z)(t, 1)


def started(nodes: Nodes, measurement: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """States and left sides to begin with: smoothed data and slopes, or the data and the next."""
    if kind == "flow":
        return smoothed(nodes, Noise(measurement=measurement, dynamical=np.zeros(nodes.dim)))
    targets = nodes.values.copy()
    targets[:-1][nodes.linked] = nodes.values[1:][nodes.linked]
    return nodes.values, targets


def sieved(values: np.ndarray, targets: np.ndarray, search: Search) -> np.ndarray:
    """Terms that ordinary least squares keeps, equation by equation, (term, dim).

    Backward elimination with the price of the search, for data on which all candidates at once
    cannot be fitted. Slopes of smoothed data are correlated, so this keeps too many, which is right
    for a beginning.
    """
    support = search.allowed.copy()
    size = np.sqrt((values**2).mean(axis=0))
    scaled = values / np.where(size > 0, size, 1.0)
    gram, cross, square = scaled.T @ scaled, scaled.T @ targets, (targets**2).sum(axis=0)
    most = max(len(values) // (4 * targets.shape[1]), 1)
    for i in range(targets.shape[1]):
        chosen = np.flatnonzero(support[:, i])
        while len(chosen) > 1:
            inner = np.linalg.pinv(gram[np.ix_(chosen, chosen)], rcond=1e-10, hermitian=True)
            w = inner @ cross[chosen, i]
            left = max(float(square[i] - w @ cross[chosen, i]), 1e-12 * float(square[i]))
            spread = np.maximum(np.diag(inner), 1e-300)
            squares = w**2 / spread / (left / len(values))
            forced = search.forced[chosen, i]
            squares[forced] = np.inf
            weakest = int(np.argmin(squares))
            if squares[weakest] > search.price and len(chosen) <= most:
                break
            chosen = np.delete(chosen, weakest)
        support[:, i] = False
        support[chosen, i] = True
    return support


def sums_of_slopes(values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Least squares of `targets` on `values` (row, term), columns scaled."""
    size = np.sqrt((values**2).mean(axis=0))
    size = np.where(size > 0, size, 1.0)
    found = np.linalg.lstsq(values / size, targets, rcond=1e-10)[0]
    return np.asarray((found.T / size).T)
