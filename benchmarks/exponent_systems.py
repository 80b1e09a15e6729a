"""Chaotic systems seen through one coordinate, with their recomputed exponents.

A record is a function of (name, length, seed, noise): it starts from a random point near the
attractor and forgets it before the record begins. Truths of the known systems are those that
`takens.systems` carries (recomputed by benchmarks/known_systems.py); the logistic map's is exact;
Mackey-Glass and Lorenz-96 with eight sites were computed by benchmarks/exponents.py.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math

import numba
import numpy as np
from generators import MAKERS

from takens.systems.truths import TRUTHS

Array = np.ndarray


@numba.njit(cache=True)
def _step(kind, s):  # type: ignore[no-untyped-def]
    x, y = s[0], s[1]
    if kind == 0:  # Henon
        s[0], s[1] = 1 - 1.4 * x * x + y, 0.3 * x
    elif kind == 1:  # Lozi
        s[0], s[1] = 1 - 1.7 * abs(x) + y, 0.5 * x
    elif kind == 2:  # Ikeda
        angle = 0.4 - 6.0 / (1.0 + x * x + y * y)
        c, d = math.cos(angle), math.sin(angle)
        s[0], s[1] = 1.0 + 0.9 * (x * c - y * d), 0.9 * (x * d + y * c)


@numba.njit(cache=True)
def _field(kind, s, out):  # type: ignore[no-untyped-def]
    n = len(s)
    if kind == 4:  # Lorenz-96, forcing 8
        for i in range(n):
            out[i] = (s[(i + 1) % n] - s[i - 2]) * s[i - 1] - s[i] + 8.0
        return
    x, y, z = s[0], s[1], s[2]
    if kind == 0:  # Lorenz
        out[0], out[1], out[2] = 10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z
    elif kind == 1:  # Rossler
        out[0], out[1], out[2] = -y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)
    elif kind == 2:  # Thomas
        out[0] = math.sin(y) - 0.18 * x
        out[1] = math.sin(z) - 0.18 * y
        out[2] = math.sin(x) - 0.18 * z
    elif kind == 3:  # Chua, cubic
        out[0], out[1], out[2] = 10.0 * (y - (2 * x**3 - x) / 7), x - y + z, -100.0 / 7.0 * y
    elif kind == 5:  # Sprott's jerk
        out[0], out[1], out[2] = y, z, -2.017 * z + y * y - x


@numba.njit(cache=True)
def _map_orbit(kind, s, n_transient, n):  # type: ignore[no-untyped-def]
    orbit = np.empty(n)
    for i in range(-n_transient, n):
        if i >= 0:
            orbit[i] = s[0]
        _step(kind, s)
    return orbit


@numba.njit(cache=True)
def _flow_orbit(kind, s, h, per_sample, n_transient, n):  # type: ignore[no-untyped-def]
    orbit, k1, k2 = np.empty(n), np.empty_like(s), np.empty_like(s)
    k3, k4 = np.empty_like(s), np.empty_like(s)
    for i in range(-n_transient, n):
        if i >= 0:
            orbit[i] = s[0]
        for _ in range(per_sample):
            _field(kind, s, k1)
            _field(kind, s + h / 2 * k1, k2)
            _field(kind, s + h / 2 * k2, k3)
            _field(kind, s + h * k3, k4)
            s += h / 6 * (k1 + 2 * (k2 + k3) + k4)
    return orbit


@dataclasses.dataclass(frozen=True)
class Chaos:
    """One system: which loop makes it, its sampling step, and its exponents per time unit."""

    kind: int
    exponents: tuple[float, ...]
    dt: float = 1.0
    start: tuple[float, ...] = (0.1, 0.1)
    scatter: float = 0.05
    forget: float = 1000.0
    step: float = 0.0  # of the integrator; 0 for a map

    @property
    def exponent(self) -> float:
        """The largest."""
        return self.exponents[0]


def _known(name: str) -> tuple[float, ...]:
    return TRUTHS[name].exponents


SYSTEMS: dict[str, Chaos] = {
    "logistic": Chaos(-1, (math.log(2),)),
    "henon": Chaos(0, _known("HenonMap")),
    "lozi": Chaos(1, _known("LoziMap")),
    "ikeda": Chaos(2, _known("IkedaMap")),
    "lorenz": Chaos(0, _known("Lorenz63"), 0.05, (1.0, 1.0, 25.0), 3.0, 40.0, 0.005),
    "rossler": Chaos(1, _known("Rossler"), 0.2, (0.0, -4.0, 0.1), 0.3, 400.0, 0.02),
    "thomas": Chaos(2, _known("Thomas"), 0.5, (-1.97, 0.35, -3.7), 0.3, 1000.0, 0.05),
    "chua": Chaos(3, _known("Chua"), 0.1, (-0.7471, 0.06557, 1.206), 0.02, 200.0, 0.0125),
    "sprott_jerk": Chaos(5, _known("SprottJerk"), 0.4, (5.865, 2.144, -0.186), 0.001, 500.0, 0.04),
    "mackey_glass": Chaos(-1, (0.00515,), 2.0),
    "lorenz96": Chaos(4, (1.59,), 0.05, (8.0,) * 8, 1.0, 40.0, 0.0125),
}


def record(name: str, n: int, seed: int, noise: float = 0.0) -> Array:
    """`n` samples of the first coordinate; `noise` is a share of its standard deviation."""
    system = SYSTEMS[name]
    label = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    rng = np.random.default_rng([seed, n, label])
    if system.kind < 0:
        clean = MAKERS[name](n, system.dt, rng)
    else:
        state = np.array(system.start) + system.scatter * rng.normal(size=len(system.start))
        if system.step:
            per_sample = round(system.dt / system.step)
            wait = round(system.forget * (1 + rng.uniform()) / system.dt)
            clean = _flow_orbit(system.kind, state, system.step, per_sample, wait, n)
        else:
            clean = _map_orbit(system.kind, state, int(system.forget), n)
    if not np.isfinite(clean).all():
        raise RuntimeError(f"{name}, seed {seed}: the orbit left the attractor")
    return clean + noise * clean.std() * rng.normal(size=n) if noise else clean
