"""Recompute the exponents that `signals` takes as truth, each with its standard error.

python benchmarks/exponents.py
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from generators import (
    Array,
    ikeda_step,
    lorenz96_field,
    lorenz_field,
    rk4,
    rossler_field,
)
from signals import SIGNALS


def separation_exponent(
    step: Callable[[Array], Array],
    start: Array,
    n_steps: int,
    n_transient: int,
    time: float = 1.0,
    size: float = 1e-7,
) -> tuple[float, float]:
    """Largest exponent of a map by renormalised separation (Benettin et al. 1980).

    `start` has shape (dimension, replica); `time` is the duration of one step. Returns the mean
    over replicas and its standard error, per time unit. It needs no Jacobian, so it checks the
    generators themselves.
    """
    x = np.array(start, float)
    direction = np.ones_like(x) / math.sqrt(x.shape[0])
    growth = np.zeros(x.shape[1])
    for i in range(-n_transient, n_steps):
        difference = step(x + size * direction)
        x = step(x)
        difference -= x
        distance = np.sqrt((difference**2).sum(axis=0))
        if i >= 0:
            growth += np.log(distance / size)
        direction = difference / distance
    rates = growth / (n_steps * time)
    return float(rates.mean()), float(rates.std(ddof=1) / math.sqrt(rates.size))


def _henon_map(state: Array) -> Array:
    x, y = state
    return np.array([1 - 1.4 * x * x + y, 0.3 * x])


def _ikeda_map(state: Array) -> Array:
    z = ikeda_step(state[0] + 1j * state[1])
    return np.array([z.real, z.imag])


def _flow(field: Callable[..., object], h: float) -> Callable[[Array], Array]:
    return lambda state: rk4(lambda x: np.array(field(*x)), state, h)


def _mackey_glass_map(state: Array) -> Array:
    """One step of 0.1 on the history (newest first): the state of a delay equation."""
    h = 0.1
    d1, d0 = state[-2], state[-1]
    half = (d0 + d1) / 2
    f0, fm, f1 = (0.2 * d / (1 + d**10) for d in (d0, half, d1))
    v = state[0]
    k1 = f0 - 0.1 * v
    k2 = fm - 0.1 * (v + 0.5 * h * k1)
    k3 = fm - 0.1 * (v + 0.5 * h * k2)
    k4 = f1 - 0.1 * (v + h * k3)
    return np.vstack([v + h / 6 * (k1 + 2 * (k2 + k3) + k4), state[:-1]])


def recompute(name: str, n_replicas: int = 200, length: float = 1.0) -> tuple[float, float]:
    """Exponent of the named signal and its standard error; `length` scales the effort."""
    rng = np.random.default_rng(1)
    normal = rng.normal(size=(3, n_replicas))
    if name == "henon":
        return separation_exponent(_henon_map, 0.05 * normal[:2], int(2000 * length), 100)
    if name == "ikeda":
        return separation_exponent(_ikeda_map, 0.05 * normal[:2], int(2000 * length), 500)
    if name == "lorenz":
        start = 5 * normal + np.array([[0], [0], [25]])
        steps = int(6000 * length)
        return separation_exponent(_flow(lorenz_field, 0.01), start, steps, 3000, 0.01)
    if name == "rossler":
        start = normal * np.array([[1], [1], [0]]) + np.array([[0], [-4], [0.1]])
        steps = int(20000 * length)
        return separation_exponent(_flow(rossler_field, 0.04), start, steps, 6000, 0.04)
    if name == "lorenz96":
        start = 8 + rng.normal(size=(8, n_replicas))
        step = lambda x: rk4(lorenz96_field, x, 0.0125)  # noqa: E731
        return separation_exponent(step, start, int(5000 * length), 3000, 0.0125)
    if name == "mackey_glass":
        start = np.tile(rng.uniform(0.6, 1.2, n_replicas), (171, 1))
        return separation_exponent(_mackey_glass_map, start, int(60000 * length), 10000, 0.1)
    raise ValueError(f"No recipe for {name!r}.")


def main() -> None:
    for name in ("henon", "ikeda", "lorenz", "rossler", "lorenz96", "mackey_glass"):
        replicas = 50 if name == "mackey_glass" else 200
        value, error = recompute(name, replicas)
        print(f"{name:14s} {value:.5f} +- {error:.5f}   taken {SIGNALS[name].exponent:.5f}")


if __name__ == "__main__":
    main()
