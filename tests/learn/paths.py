"""Paths of diffusions whose laws are known in closed form, made from their exact transitions."""

from __future__ import annotations

import numpy as np

from takens.core import Trajectory


def ornstein_uhlenbeck(n=4000, dt=0.1, rate=1.0, level=0.0, noise=1.0, seed=0, times=None):
    """At even steps, or at `times`; starts from the stationary law."""
    rng = np.random.default_rng(seed)
    steps = np.full(n - 1, dt) if times is None else np.diff(times)
    decay = np.exp(-rate * steps)
    kick = noise * np.sqrt(-np.expm1(-2 * rate * steps) / (2 * rate)) * rng.normal(size=len(steps))
    x = np.empty(len(steps) + 1)
    x[0] = noise / np.sqrt(2 * rate) * rng.normal()
    for i in range(len(steps)):
        x[i + 1] = decay[i] * x[i] + kick[i]
    return level + x


def square_root(n=4000, dt=0.1, rate=1.0, level=1.0, noise=0.5, seed=0):
    """Cox, Ingersoll and Ross: the transition is a non-central chi-squared law."""
    rng = np.random.default_rng(seed)
    scale = noise**2 * -np.expm1(-rate * dt) / (4 * rate)
    freedom = 4 * rate * level / noise**2
    x = np.empty(n)
    x[0] = level
    for i in range(1, n):
        x[i] = scale * rng.noncentral_chisquare(freedom, x[i - 1] * np.exp(-rate * dt) / scale)
    return x


def geometric(n=2000, dt=0.1, growth=0.05, noise=0.2, seed=0):
    """Geometric Brownian motion from 1."""
    rng = np.random.default_rng(seed)
    steps = (growth - noise**2 / 2) * dt + noise * np.sqrt(dt) * rng.normal(size=n - 1)
    return np.exp(np.concatenate([[0.0], np.cumsum(steps)]))


def double_well(n=4000, dt=0.1, a=1.0, b=1.0, noise=0.7, seed=0, inner=20):
    """Steps of Heun's kind for additive noise, of weak order two, `inner` to a sample."""
    rng = np.random.default_rng(seed)
    h = dt / inner
    kicks = noise * np.sqrt(h) * rng.normal(size=(n, inner))
    x, y = np.empty(n), 1.0
    for i in range(n):
        for k in kicks[i]:
            slope = a * y - b * y * y * y
            guess = y + slope * h + k
            y += 0.5 * (slope + a * guess - b * guess * guess * guess) * h + k
        x[i] = y
    return x


def observed(x, dt=0.1, times=None, name="x"):
    """As a trajectory of one column."""
    when = dt * np.arange(len(x)) if times is None else times
    return Trajectory(times=when, states=np.asarray(x, float).reshape(len(x), -1), names=(name,))
