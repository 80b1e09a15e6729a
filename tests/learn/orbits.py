"""Signals whose answers are known."""

from __future__ import annotations

import numpy as np


def autoregression(coefficient, n, seed=0):
    noise = np.random.default_rng(seed).normal(size=n)
    x = np.zeros(n)
    for i in range(1, n):
        x[i] = coefficient * x[i - 1] + noise[i]
    return x


def logistic(n, x=0.3):
    orbit = np.empty(n)
    for i in range(n):
        orbit[i] = x
        x = 4 * x * (1 - x)
    return orbit


def henon(n):
    x, y, orbit = 0.1, 0.1, np.empty(n + 50)
    for i in range(n + 50):
        orbit[i] = x
        x, y = 1 - 1.4 * x * x + y, 0.3 * x
    return orbit[50:]
