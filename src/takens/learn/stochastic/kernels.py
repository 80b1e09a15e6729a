"""The compiled loop of the filter. Nothing imports this before a filter runs: Numba starts slowly."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit("float64(float64[::1], float64, int64)", cache=True, error_model="numpy")
def slope(coefficients, x, order):  # type: ignore[no-untyped-def]
    """Derivative of a sum of powers."""
    total = 0.0
    for p in range(len(coefficients) - 1, order - 1, -1):
        factor = coefficients[p]
        for k in range(order):
            factor *= p - k
        total = total * x + factor
    return total


@numba.njit(
    "float64[::1](float64[::1], float64[::1], float64[::1], float64[::1], float64, float64)",
    cache=True,
    error_model="numpy",
)
def filtered(z, dt, drift, square, sensor, longest):  # type: ignore[no-untyped-def]
    """Log density of each sample given those before, by a Gaussian filter of second order.

    Mean and variance obey m' = f + f''P/2 and P' = 2 (f' + f'''P/2) P + D + D''P/2 (Jazwinski 1970,
    eq. 9.4.14 and 9.4.15), in classical Runge-Kutta steps; exact where f is linear and D constant.
    The first sample of a record starts the filter and has no density.
    """
    n = len(z)
    out = np.zeros(n)
    m, p = 0.0, 0.0
    for i in range(n):
        if dt[i] < 0:
            m, p = z[i], sensor
            continue
        count = int(np.ceil(dt[i] / longest))
        count = max(1, min(count, 200))
        h = dt[i] / count
        for _ in range(count):
            m0, p0, mk, pk, am, ap = m, p, 0.0, 0.0, 0.0, 0.0
            for stage in range(4):
                share = 0.0 if stage == 0 else (1.0 if stage == 3 else 0.5)
                x, v = m0 + share * h * mk, max(p0 + share * h * pk, 0.0)
                f2 = slope(drift, x, 2)
                mk = slope(drift, x, 0) + 0.5 * f2 * v
                pk = 2 * (slope(drift, x, 1) + 0.5 * slope(drift, x, 3) * v) * v
                pk += max(slope(square, x, 0) + 0.5 * slope(square, x, 2) * v, 0.0)
                weight = 2.0 if stage in (1, 2) else 1.0
                am += weight * mk
                ap += weight * pk
            m, p = m0 + h * am / 6, max(p0 + h * ap / 6, 0.0)
        total = p + sensor
        error = z[i] - m
        out[i] = -0.5 * np.log(2 * np.pi * total) - 0.5 * error * error / total
        gain = p / total
        m += gain * error
        p = max(p - gain * p, 0.0)
    return out
