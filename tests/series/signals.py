"""Short exact signals for the tests of this room."""

from __future__ import annotations

import numpy as np


def logistic(n: int, r: float = 3.9, x: float = 0.3) -> np.ndarray:
    orbit = np.empty(n)
    for i in range(n):
        x = r * x * (1 - x)
        orbit[i] = x
    return orbit


def henon(n: int, a: float = 1.4, b: float = 0.3) -> np.ndarray:
    orbit, x, y = np.empty(n + 100), 0.1, 0.1
    for i in range(n + 100):
        x, y = 1 - a * x * x + y, b * x
        orbit[i] = x
    return orbit[100:]


def lorenz(n: int, dt: float = 0.05, inner: int = 25) -> np.ndarray:
    h, state, orbit = dt / inner, np.array([1.0, 2.0, 20.0]), np.empty(n + 400)

    def field(s: np.ndarray) -> np.ndarray:
        x, y, z = s
        return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    for i in range(n + 400):
        for _ in range(inner):
            k1 = field(state)
            k2 = field(state + h / 2 * k1)
            k3 = field(state + h / 2 * k2)
            k4 = field(state + h * k3)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        orbit[i] = state[0]
    return orbit[400:]


def ar1(n: int, coefficient: float, seed: int) -> np.ndarray:
    shocks = np.random.default_rng(seed).normal(size=n + 500)
    x = np.zeros(n + 500)
    for i in range(1, n + 500):
        x[i] = coefficient * x[i - 1] + shocks[i]
    return x[500:]
