"""Records of the chaotic flows of dysts, with their largest exponents recomputed here.

    python benchmarks/dysts_records.py

Writes one file a system into ``TAKENS_BENCHMARK_CACHE`` or the user's cache folder. A record is the
first coordinate after 60 stored periods, 5,000 samples; the number of samples a period is drawn from
15 to 100 by the system's name. Systems that dysts calls nonautonomous, delayed or unbounded are
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
    steps = 20
    spectrum = dynamics.lyapunov_spectrum(
        system, warm, dt=period / steps, n_steps=N_EXPONENT * steps, n_exponents=1, throw=False
    )
    return {
        "states": orbit.states,
        "dt": dt,
        "period": period,
        "exponent": float(spectrum.exponents[0]),
        "standard_error": float(spectrum.standard_error[0]),
    }


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
