"""Systems whose correlation dimension is exact or was computed here from a million full states.

`python benchmarks/dimension_systems.py [NAME ...]` recomputes them.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time

import numba
import numpy as np

Array = np.ndarray


@numba.njit(cache=True)
def _map_step(kind, s):  # type: ignore[no-untyped-def]
    x, y = s[0], s[1]
    if kind == 0:  # Henon
        s[0], s[1] = 1 - 1.4 * x * x + y, 0.3 * x
    elif kind == 1:  # Lozi
        s[0], s[1] = 1 - 1.7 * abs(x) + y, 0.5 * x
    elif kind == 2:  # Ikeda
        angle = 0.4 - 6.0 / (1.0 + x * x + y * y)
        c, d = math.cos(angle), math.sin(angle)
        s[0], s[1] = 1.0 + 0.9 * (x * c - y * d), 0.9 * (x * d + y * c)
    elif kind == 3:  # Arnold's cat
        s[0], s[1] = (x + y) % 1.0, (x + 2 * y) % 1.0
    elif kind == 4:  # logistic, r = 3.9
        s[0] = 3.9 * x * (1 - x)
    elif kind == 5:  # a skewed tent: uniform density, and no loss of binary digits
        s[0] = x / 0.6180339887 if x < 0.6180339887 else (1 - x) / (1 - 0.6180339887)


@numba.njit(cache=True)
def _field(kind, t, s, out):  # type: ignore[no-untyped-def]
    x, y, z = s[0], s[1], s[2]
    if kind == 0:  # Lorenz
        out[0], out[1], out[2] = 10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z
    elif kind == 1:  # Rossler
        out[0], out[1], out[2] = -y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)
    elif kind == 2:  # Thomas, b = 0.18
        out[0], out[1], out[2] = (
            math.sin(y) - 0.18 * x,
            math.sin(z) - 0.18 * y,
            math.sin(x) - 0.18 * z,
        )
    elif kind == 3:  # Chua's double scroll: a = 9, b = 100/7, slopes -1/7 and 2/7
        bend = 2.0 / 7.0 * x - 3.0 / 14.0 * (abs(x + 1.0) - abs(x - 1.0))
        out[0], out[1], out[2] = 9.0 * (y - bend), x - y + z, -100.0 / 7.0 * y
    elif kind == 4:  # Duffing, forced; the phase is the third coordinate
        out[0], out[1], out[2] = y, x - x * x * x - 0.25 * y + 0.3 * math.cos(t), 0.0


@numba.njit(cache=True)
def _run_map(kind, s, n_transient, n):  # type: ignore[no-untyped-def]
    orbit = np.empty((n, 2))
    for i in range(-n_transient, n):
        if i >= 0:
            orbit[i] = s
        _map_step(kind, s)
    return orbit


@numba.njit(cache=True)
def _run_flow(kind, s, dt, inner, n_transient, n):  # type: ignore[no-untyped-def]
    h = dt / inner
    orbit = np.empty((n, 3))
    a, b, c, d = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for i in range(-n_transient, n):
        if i >= 0:
            orbit[i] = s
        t = 0.0  # a sample is a period of the forcing; a growing time would lose its phase
        for _ in range(inner):
            _field(kind, t, s, a)
            _field(kind, t + h / 2, s + h / 2 * a, b)
            _field(kind, t + h / 2, s + h / 2 * b, c)
            _field(kind, t + h, s + h * c, d)
            s += h / 6 * (a + 2 * b + 2 * c + d)
            t += h
    return orbit


@dataclasses.dataclass(frozen=True)
class Known:
    """One system: its rule, its sampling step and the dimension with its standard error."""

    name: str
    kind: int
    flow: bool
    dimension: float = math.nan
    error: float = 0.0
    exact: bool = False
    dt: float = 1.0
    period: float = 0.0  # of the forcing, where the state is read once a period
    held_out: bool = False
    columns: int = 2
    scatter: float = 1.0  # of the starts

    @property
    def step(self) -> float:
        """Time between samples."""
        return self.period or self.dt


# Slopes over the decades of C from 1e-3 to 1e-5.5; the errors join the jackknife and what the decades
# differ by. Henon's slope oscillates between 1.16 and 1.23; Rossler's climbs from 1.79 at C = 1e-2 to
# 1.88 at 1e-5, so that shorter records must read less. Thomas's (1.73 to 1.96) and the logistic map's
# (0.93 to 0.95, towards 1 logarithmically) have no plateau in a million states: not measured against.
SYSTEMS = (
    Known("henon", 0, False, 1.216, 0.012),
    Known("lozi", 1, False, 1.393, 0.004, held_out=True),
    Known("ikeda", 2, False, 1.675, 0.006),
    Known("cat", 3, False, 2.0, exact=True, held_out=True),
    Known("logistic_3.9", 4, False, columns=1, held_out=True),
    Known("skew_tent", 5, False, 1.0, exact=True, columns=1),
    Known("torus", -1, False, 2.0, exact=True, columns=1),
    Known("lorenz", 0, True, 2.055, 0.005, dt=0.05, columns=3),
    Known("rossler", 1, True, 1.90, 0.03, dt=0.2, columns=3),
    Known("thomas", 2, True, dt=1.0, columns=3, held_out=True),
    Known("chua", 3, True, 1.985, 0.015, dt=0.1, columns=3, scatter=0.2, held_out=True),
    Known("duffing", 4, True, 1.225, 0.02, period=2 * math.pi, held_out=True),
)


def states(known: Known, n: int, seed: int) -> Array:
    """`n` full states, shape (n, columns), from a random start that is forgotten."""
    rng = np.random.default_rng([seed, n, known.kind + 1, known.flow])
    if known.kind < 0:  # a torus, seen through a sum of two sines
        slow = 2 * np.pi / rng.uniform(15, 60)
        angles = np.outer(np.arange(n), [slow, slow * math.sqrt(2)]) + rng.uniform(0, 6, 2)
        return np.sin(angles) @ np.array([[1.0], [0.8]])
    if known.flow:
        dt = known.period or known.dt
        inner = math.ceil(dt / 0.02)
        start = known.scatter * rng.uniform(0.1, 1.0, 3)
        wait = math.ceil(rng.uniform(300, 400) / dt)
        orbit = _run_flow(known.kind, start, dt, inner, wait, n)
    else:
        start = rng.uniform(0.05, 0.15, 2) + (0.3 if known.columns == 1 or known.kind == 3 else 0)
        orbit = _run_map(known.kind, start, 1000, n)
    return orbit[:, : known.columns]


DIMENSIONS = {known.name: known for known in SYSTEMS}


def dimension_record(name: str, n: int, seed: int, noise: float = 0.0) -> Array:
    """`n` samples of the first coordinate; `noise` is a share of its standard deviation."""
    x = states(DIMENSIONS[name], n, seed)[:, 0]
    rng = np.random.default_rng([seed, n, 77])
    return x + noise * x.std() * rng.normal(size=n) if noise else x


def correlation_slope(known: Known, n: int = 1_000_000, n_rows: int = 4000, seed: int = 0):
    """Slopes over decades of C from all full states; the jackknife is over the rows."""
    from takens.series.kernels.correlation import bin_edges, pair_counts

    x = states(known, n, seed)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    columns = np.ascontiguousarray(x.T)
    first = np.zeros(n, dtype=np.int64)  # the states next in time are a share of 1e-4 of all
    blocks = np.array_split(np.sort(np.random.default_rng(1).choice(n, n_rows, False)), 20)
    counts = []
    for block in blocks:
        one = pair_counts(columns, block, columns.shape[0], first, 0, n, 1, False)[0].astype(float)
        one[0] -= len(block)  # each state with itself
        if known.flow and not known.period:
            own = np.zeros_like(one)
            for i in block:
                low, high = max(0, i - 100), min(n, i + 101)
                own += pair_counts(
                    columns, np.array([i]), columns.shape[0], first, low, high, 1, False
                )[0]
            own[0] -= len(block)
            one -= own
        counts.append(one)
    total = np.cumsum(np.array(counts), axis=1)
    edges = np.log(bin_edges())
    share = total.sum(axis=0) / (float(n) * n_rows)
    found = []
    for top in (-1.5, -2.0, -2.5, -3.0, -3.5, -4.0, -4.5, -5.0):
        inside = np.flatnonzero((share <= 10.0**top) & (share > 10.0 ** (top - 1)))
        if len(inside) < 6 or total.sum(axis=0)[inside[0]] < 5000:
            continue
        row = edges[inside] - edges[inside].mean()
        row = row / (row @ row)
        without = np.log(total.sum(axis=0)[inside] - total[:, inside])
        each = without @ row
        error = float(np.sqrt((len(each) - 1) * np.var(each)))
        found.append((top, float(row @ np.log(share[inside])), error))
    return found


if __name__ == "__main__":
    for known in [
        s for s in SYSTEMS if not s.exact and (len(sys.argv) < 2 or s.name in sys.argv[1:])
    ]:
        began = time.process_time()
        for top, slope, error in correlation_slope(known):
            print(f"{known.name:14s} C to 1e{top:+.1f}: {slope:.4f} +- {error:.4f}", flush=True)
        print(f"   {time.process_time() - began:.1f} CPU s", flush=True)
