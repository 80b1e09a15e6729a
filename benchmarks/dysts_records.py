"""Records of the chaotic flows of dysts, with their largest exponents recomputed here.

    python benchmarks/dysts_records.py

Writes one file a system into ``TAKENS_BENCHMARK_CACHE`` or the user's cache folder. A record is the
first coordinate after 60 stored periods, 5,000 samples; the number of samples a period is drawn from
15 to 100 by the system's name. The exponent is taken over 300 periods, and over 10,000 where these do
not show it to be positive; of a right-hand side that jumps, which tangent vectors do not see, from two
orbits side by side. Systems that dysts calls nonautonomous, delayed or unbounded are
kept if they can be integrated; what cannot is listed at the end with the reason. The stored
exponents of dysts are not used, because many of them are wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from signals import cache_folder

N_SAMPLES = 5000
N_TRANSIENT = 60  # periods
N_EXPONENT = 300  # periods
N_LONG = 10_000  # periods, where those leave the sign open
JUMPS = frozenset({"SprottMore"})


def folder() -> Path:
    """Where the records are kept."""
    path = cache_folder() / "dysts-v1"
    path.mkdir(parents=True, exist_ok=True)
    return path


def samples_per_period(name: str) -> float:
    """Between 15 and 100, evenly on a logarithmic scale, fixed by the name."""
    share = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
    return float(15 * (100 / 15) ** share)


def make(name: str) -> dict[str, Any]:
    """States, step and exponent of one system."""
    from takens import dynamics
    from takens.interop import from_dysts

    system = from_dysts(name)
    period = float(system.period)
    start = np.asarray(system.x0, dtype=float)
    dt = period / samples_per_period(name)
    first = np.linspace(0, N_TRANSIENT, 20 * N_TRANSIENT + 1) * period
    warm = dynamics.trajectory(system, start, first).states[-1]
    orbit = dynamics.trajectory(system, warm, np.arange(N_SAMPLES) * dt)
    value, error = exponent(system, name, warm, period)
    return {
        "states": orbit.states,
        "dt": dt,
        "period": period,
        "exponent": value,
        "standard_error": error,
    }


def exponent(system: Any, name: str, start: np.ndarray, period: float) -> tuple[float, float]:
    """Largest exponent per time unit, with its standard error."""
    from takens import dynamics

    if name in JUMPS:
        return two_orbits(name, start, period)
    steps = 20
    for n_periods in (N_EXPONENT, N_LONG):
        spectrum = dynamics.lyapunov_spectrum(
            system, start, dt=period / steps, n_steps=n_periods * steps, n_exponents=1, throw=False
        )
        value, error = float(spectrum.exponents[0]), float(spectrum.standard_error[0])
        if not value < 3 * error:  # shown to be positive, or no number
            break
    return value, error


def two_orbits(
    name: str, start: np.ndarray, period: float, n_periods: int = 200
) -> tuple[float, float]:
    """Growth of the distance of two orbits, 1e-7 apart, brought together every half period."""
    import dysts.flows
    from scipy.integrate import solve_ivp

    flow = getattr(dysts.flows, name)()

    def after(state: np.ndarray) -> np.ndarray:
        run = solve_ivp(
            lambda t, y: np.array(flow.rhs(y, t)),
            (0, period / 2),
            state,
            method="DOP853",
            rtol=1e-11,
            atol=1e-11,
        )
        return np.asarray(run.y[:, -1])

    one, apart = start, 1e-7 * np.eye(len(start))[0]
    growth = []
    for _ in range(2 * n_periods):
        other, one = after(one + apart), after(one)
        apart = other - one
        size = float(np.linalg.norm(apart))
        growth.append(np.log(size / 1e-7) / (period / 2))
        apart *= 1e-7 / size
    blocks = [np.mean(part) for part in np.array_split(growth[4:], 20)]
    return float(np.mean(growth[4:])), float(np.std(blocks, ddof=1) / np.sqrt(len(blocks)))


def main() -> None:
    from dysts.systems import get_attractor_list

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=90, help="seconds for one system")
    parser.add_argument("--names", nargs="*", help="only these systems")
    args = parser.parse_args()

    def late(*_: Any) -> None:
        raise TimeoutError(f"more than {args.limit} s")

    signal.signal(signal.SIGALRM, late)
    failed = {}
    for name in args.names or get_attractor_list():
        path = folder() / f"{name}.npz"
        if path.exists():
            continue
        started = time.perf_counter()
        signal.alarm(args.limit)
        try:
            made = make(name)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {str(error)[:120]}"
            continue
        finally:
            signal.alarm(0)
        np.savez(path, **made)
        print(
            f"{name:28s} exponent {made['exponent']:9.4f} ± {made['standard_error']:.4f}  "
            f"{made['exponent'] * made['period']:.3f} a period  {time.perf_counter() - started:.1f} s",
            flush=True,
        )
    for name, reason in failed.items():
        print(f"{name:28s} {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
