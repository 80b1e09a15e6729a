"""Lyapunov spectra of the fields and delay equations that `takens.systems` quotes, recomputed.

Each line is one long orbit: as quoted, and once more on a finer grid with a
shorter step, so that the error of the discretisation shows beside that of the finite orbit.

    python benchmarks/extended_spectra.py
"""

import argparse
import time

from takens.core.integrators import RungeKutta
from takens.dynamics import lyapunov_spectrum
from takens.systems import ETDRK4, KuramotoSivashinsky, MackeyGlass

# Published: Kuramoto-Sivashinsky, leading exponent 0.048 (Cvitanovic, Davidchack and Siminos 2010);
# Mackey-Glass, dimension 2.10 at delay 17 (Farmer 1982), whose exponents have few digits.
CASES = {
    "Kuramoto-Sivashinsky": (KuramotoSivashinsky(), 0.5, 200_000, 2_000, 10),
    "Kuramoto-Sivashinsky, finer": (
        KuramotoSivashinsky(n_points=96, integrator=ETDRK4(0.0625)), 0.5, 60_000, 2_000, 10,
    ),
    "Mackey-Glass": (
        MackeyGlass(n_nodes=33, integrator=RungeKutta(0.25)), 1.0, 500_000, 5_000, 5,
    ),
    "Mackey-Glass, finer": (
        MackeyGlass(n_nodes=49, integrator=RungeKutta(0.125)), 1.0, 100_000, 5_000, 5,
    ),
}  # fmt: skip


def recompute(name: str) -> None:
    """One case, printed with standard errors over 20 blocks of the orbit."""
    system, dt, n_steps, n_transient, n_exponents = CASES[name]
    start = time.process_time()
    found = lyapunov_spectrum(
        system, system.x0, dt=dt, n_steps=n_steps, n_transient=n_transient, n_exponents=n_exponents
    )
    dimension = found.kaplan_yorke
    print(f"{name}: T = {n_steps * dt:g}, {time.process_time() - start:.0f} CPU s")
    for value, error in zip(found.exponents, found.standard_error, strict=True):
        print(f"  {value:11.6f} +- {error:.6f}")
    print(f"  Kaplan-Yorke {dimension.value:.4f} +- {dimension.standard_error:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"of {list(CASES)}")
    for name in parser.parse_args().cases:
        recompute(name)


if __name__ == "__main__":
    main()
