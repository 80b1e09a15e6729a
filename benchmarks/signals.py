"""Signals whose truth is known, made from a seed.

Every signal is a function of (name, length, seed, noise, dt) alone: maps and flows start from a
random point and forget it before the record begins, so each seed is an independent piece of the
attractor. Flows use fourth-order Runge-Kutta with steps so small that refining them changes no
statistic; the orbits themselves are chaotic, hence not reproducible point by point in any
arithmetic, but their exponent, spectrum and distribution are.

Computed orbits are kept in the folder named by ``TAKENS_BENCHMARK_CACHE``, or the user's cache
folder, because they take up to a second each.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import sys
from pathlib import Path

import numpy as np
from generators import MAKERS

Array = np.ndarray
VERSION = 2  # raised whenever a generator changes, so that no cached orbit is stale

CHAOTIC = frozenset({"chaotic"})
REGULAR = frozenset({"periodic", "quasiperiodic"})
LINEAR = frozenset({"stochastic-linear"})
STOCHASTIC = frozenset({"stochastic-linear", "stochastic-nonlinear"})
NONSTATIONARY = frozenset({"nonstationary"})


@dataclasses.dataclass(frozen=True)
class Signal:
    """A signal with its truth.

    `kinds` are the verdicts that would be right; `exponent` is the largest Lyapunov exponent per
    time unit (NaN where it does not exist); `steps` are the sampling steps worth trying, the first
    being the default; `core` marks the set with a pass mark.
    """

    name: str
    family: str
    kinds: frozenset[str]
    exponent: float = math.nan
    steps: tuple[float, ...] = (1.0,)
    time_unit: str = "step"
    core: bool = False

    @property
    def dt(self) -> float:
        """Default sampling step, in `time_unit`."""
        return self.steps[0]


# Exponents: the logistic map's is exact; Henon, Lorenz, Rossler, Ikeda as published (Sprott 2003,
# appendix A); Mackey-Glass and Lorenz-96 computed here. `exponents.py` recomputes them all.
_ALL = (
    Signal("logistic", "chaotic", CHAOTIC, math.log(2), core=True),
    Signal("henon", "chaotic", CHAOTIC, 0.41922, core=True),
    Signal("lorenz", "chaotic", CHAOTIC, 0.9056, (0.05, 0.02, 0.1), "s", core=True),
    Signal("rossler", "chaotic", CHAOTIC, 0.0715, (0.2, 0.1, 0.4), "s", core=True),
    Signal("ikeda", "chaotic", CHAOTIC, 0.5076),
    Signal("mackey_glass", "chaotic", CHAOTIC, 0.00515, (2.0, 1.0, 4.0), "s"),
    Signal("lorenz96", "chaotic", CHAOTIC, 1.59, (0.05, 0.025), "s"),
    Signal("sine", "regular", REGULAR, 0.0, core=True),
    Signal("two_torus", "regular", REGULAR, 0.0, core=True),
    Signal("nonlinear_torus", "regular", REGULAR, 0.0),
    Signal("van_der_pol", "regular", REGULAR, 0.0, (1.0,), "s", core=True),
    Signal("forced_cycle", "regular", REGULAR, 0.0, (1.0,), "s", core=True),
    Signal("white", "noise", LINEAR, core=True),
    Signal("ar1_0.5", "noise", LINEAR, core=True),
    Signal("ar1_0.95", "noise", LINEAR, core=True),
    Signal("random_walk", "noise", NONSTATIONARY, core=True),
    Signal("iaaft_lorenz", "noise", LINEAR, math.nan, (0.05, 0.02, 0.1), "s", core=True),
    Signal("garch", "noise", STOCHASTIC, core=True),
    Signal("pink", "noise", LINEAR | NONSTATIONARY),
    Signal("ar2_oscillator", "noise", LINEAR),
    Signal("seasonal_ar", "noise", LINEAR | NONSTATIONARY, core=True),
    Signal("exp_ar", "noise", STOCHASTIC, core=True),
    Signal("cube_ar", "noise", STOCHASTIC, core=True),
    Signal("double_well", "noise", STOCHASTIC),
    Signal("trend", "noise", NONSTATIONARY),
    Signal("cycle_red_noise", "noise", LINEAR | REGULAR),
)
_LEVELS = (0.0, 0.05, 0.2)  # of noise on the regular signals with a pass mark
CORE_NOISE = {
    "sine": _LEVELS,
    "two_torus": _LEVELS,
    "van_der_pol": _LEVELS,
    "forced_cycle": _LEVELS,
}
SIGNALS: dict[str, Signal] = {signal.name: signal for signal in _ALL}


def make(name: str, n: int, seed: int, noise: float = 0.0, dt: float | None = None) -> Array:
    """`n` samples of the named signal, shape (n,), float64.

    `noise` is the standard deviation of added white Gaussian noise over that of the clean signal;
    `dt` is the sampling step in the signal's time unit.
    """
    signal = SIGNALS[name]
    step = signal.dt if dt is None else dt
    clean = _cached(name, n, seed, step)
    if noise:
        clean = clean + noise * clean.std() * _rng(name, n, seed, "noise").normal(size=n)
    return clean


def _rng(name: str, n: int, seed: int, purpose: str = "") -> np.random.Generator:
    """Another stream for each length: a record must not be the beginning of a longer one."""
    label = hashlib.sha256(f"{name}/{purpose}".encode()).digest()
    return np.random.default_rng([seed, n, int.from_bytes(label[:8], "little")])


def cache_folder() -> Path:
    """Where computed orbits are kept."""
    named = os.environ.get("TAKENS_BENCHMARK_CACHE")
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "takens" / "benchmarks"


_SLOW = {"lorenz", "rossler", "mackey_glass", "lorenz96", "van_der_pol"}
_SLOW |= {"forced_cycle", "iaaft_lorenz"}


def _cached(name: str, n: int, seed: int, dt: float) -> Array:
    if name not in _SLOW:
        return MAKERS[name](n, dt, _rng(name, n, seed))
    path = cache_folder() / f"v{VERSION}" / f"{name}_{n}_{seed}_{dt:g}.npy"
    if path.exists():
        stored: Array = np.load(path)
        return stored
    values = MAKERS[name](n, dt, _rng(name, n, seed))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.npy")  # two workers may make the same orbit
    np.save(part, values)
    part.replace(path)
    return values
