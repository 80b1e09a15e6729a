"""Proof that a polynomial system has exactly one root in a small box, by interval arithmetic."""

from __future__ import annotations

import numpy as np

from takens.dynamics.polynomials import PolynomialSystem

Interval = tuple[np.ndarray, np.ndarray]  # lower and upper ends, rounded outwards


def _out(low: np.ndarray, high: np.ndarray) -> Interval:
    return np.nextafter(low, -np.inf), np.nextafter(high, np.inf)


def _add(a: Interval, b: Interval) -> Interval:
    return _out(a[0] + b[0], a[1] + b[1])


def _multiply(a: Interval, b: Interval) -> Interval:
    ends = np.stack([a[i] * b[j] for i in (0, 1) for j in (0, 1)])
    return _out(ends.min(axis=0), ends.max(axis=0))


def _exact(a: np.ndarray) -> Interval:
    return a, a


def _value(terms: np.ndarray, coefficients: np.ndarray, x: Interval) -> Interval:
    """Interval value of each row of `coefficients` over the box."""
    total = _exact(np.zeros(len(coefficients)))
    for exponents, column in zip(terms, coefficients.T, strict=True):
        if not column.any():
            continue
        product = _exact(np.ones(()))
        for j, power in enumerate(exponents):
            for _ in range(power):
                product = _multiply(product, (x[0][j], x[1][j]))
        total = _add(total, _multiply(_exact(column), product))
    return total


def _jacobian(system: PolynomialSystem, x: Interval) -> Interval:
    columns = []
    for j in range(system.exponents.shape[1]):
        e = system.exponents[:, j]
        lowered = system.exponents.copy()
        lowered[:, j] = np.maximum(e - 1, 0)
        columns.append(_value(lowered, system.coefficients * e, x))
    return np.stack([c[0] for c in columns], 1), np.stack([c[1] for c in columns], 1)


def _apply(a: Interval, b: Interval) -> Interval:
    """Interval matrix times interval vector."""
    product = _multiply(a, (b[0][None, :], b[1][None, :]))
    total = _exact(np.zeros(len(a[0])))
    for j in range(product[0].shape[1]):
        total = _add(total, (product[0][:, j], product[1][:, j]))
    return total


def certified_radius(system: PolynomialSystem, x: np.ndarray) -> float:
    r"""Distance from `x` within which exactly one root is proven to lie; infinite without proof.

    The Krawczyk operator :math:`K = x - C f(x) + (1 - C f'(X)) (X - x)` maps a box X into its
    inside only if X holds exactly one root (Krawczyk, Computing 4, 187 (1969); Moore, SIAM J.
    Numer. Anal. 14, 611 (1977)). Coefficients are taken as exact.
    """
    slope = system.values(x[None])[1][0]
    values = np.linalg.svd(slope, compute_uv=False)
    if not values[-1] > 0:
        return float("inf")
    inverse = np.linalg.inv(slope)
    residual = _value(system.exponents, system.coefficients, _exact(x))
    shift = _apply(_exact(-inverse), residual)
    least = np.maximum(np.abs(shift[0]), np.abs(shift[1]))
    for widening in 4.0 ** np.arange(1, 12):
        radius = widening * (least + 1e-15 * (1e-3 + np.abs(x)))
        box = _out(x - radius, x + radius)
        slopes = _jacobian(system, box)
        n = len(x)
        matrix: Interval = (np.zeros((n, n)), np.zeros((n, n)))
        for j in range(n):
            column = _apply(_exact(-inverse), (slopes[0][:, j], slopes[1][:, j]))
            unit = _exact(np.eye(n)[:, j])
            matrix[0][:, j], matrix[1][:, j] = _add(unit, column)
        deviation = _out(box[0] - x, box[1] - x)
        image = _add(shift, _apply(matrix, deviation))
        if np.all(image[0] > -radius) and np.all(image[1] < radius):
            reach = np.maximum(np.abs(image[0]), np.abs(image[1]))
            return float(np.nextafter(np.linalg.norm(reach) * (1 + 1e-14), np.inf))
    return float("inf")
