"""Systems that a peer does not bring along, in the form that it wants; in a module, so that its
compiler can cache them."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def lorenz96(time, u, parameters):
    n = u.shape[0]
    out = np.empty(n)
    for i in range(n):
        out[i] = (u[(i + 1) % n] - u[i - 2]) * u[i - 1] - u[i] + parameters[0]
    return out


@njit
def lorenz96_jacobian(time, u, parameters):
    n = u.shape[0]
    out = np.zeros((n, n))
    for i in range(n):
        out[i, (i + 1) % n] += u[i - 1]
        out[i, i - 2] -= u[i - 1]
        out[i, i - 1] += u[(i + 1) % n] - u[i - 2]
        out[i, i] -= 1.0
    return out
