"""Do the intervals of `lyapunov_spectrum` hold the truth as often as they say?

    python benchmarks/lyapunov_coverage.py

For each system, 100 runs one after another along the attractor, against one run of its own that is
longer than all of them. Writes docs/lyapunov-coverage.md.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from takens import dynamics, systems

PAGE = Path(__file__).resolve().parent.parent / "docs" / "lyapunov-coverage.md"
N_RUNS, LEVEL = 100, 0.9
CASES = {  # system, dt, steps of a run, steps of the truth, exponents
    "Hénon": (systems.HenonMap(), 1.0, 5_000, 20_000_000, 2),
    "Ikeda": (systems.IkedaMap(), 1.0, 5_000, 10_000_000, 2),
    "Coupled logistic maps": (systems.CoupledLogistic(), 1.0, 5_000, 10_000_000, 2),
    "Lorenz 63": (systems.Lorenz63(), 0.5, 4_000, 2_000_000, 3),
    "Rössler": (systems.Rossler(), 1.0, 4_000, 1_000_000, 3),
    "Thomas": (systems.Thomas(), 1.0, 4_000, 1_000_000, 3),
    "Lorenz 84": (systems.Lorenz84(), 0.5, 4_000, 1_000_000, 3),
    "Chua": (systems.Chua(), 0.5, 4_000, 2_000_000, 3),
    "Lorenz 96, N = 10": (systems.Lorenz96(n_sites=10), 0.25, 2_000, 300_000, 4),
}

REMARKS = [
    "The error is read off a spectrum fitted to the lowest frequencies and extrapolated to zero.",
    "Where the claimed error is that of the runs, a coverage far from 90 % has other causes:",
    "",
    "- An exponent of zero, that of the direction of a flow, is a difference of bounded numbers at",
    "  the two ends over the length of the run. Such a number has no tails, so that a t interval of",
    "  the right error holds it nearly always; the interval is of the order of one over the length.",
    "- The third and fourth exponents of Lorenz 96 are 0.09 apart, so their directions part only over",
    "  some 11 time units, and exchange growth over times that are not short against a run of 500. No",
    "  estimate from that run alone sees all of it: the third is covered less than it says, the fourth",
    "  more. The mean of the runs agrees with the truth, so bias is not the cause: 200 runs after a",
    "  transient eight times as long were covered no better, 84 %.",
    "- The third exponent of Thomas's system is covered less than it says, too; why is not known.",
]


def main() -> None:
    lines = [
        "# Do the intervals of Lyapunov exponents hold?",
        "",
        f"Share of {N_RUNS} runs whose {LEVEL:.0%} interval holds the exponent of a run that is "
        "hundreds of times longer, whose own standard error is given; by",
        "`python benchmarks/lyapunov_coverage.py`. With 100 runs a true coverage of 90 % shows as",
        "85 to 95 nine times in ten. *Spread* is the standard deviation of the runs about that",
        "exponent, *claimed* their root mean square standard error.",
        "",
        "| system | run | exponent | truth | spread | claimed | covered |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, (system, dt, n_steps, n_truth, k) in CASES.items():
        began = time.process_time()
        settings = {"dt": dt, "n_exponents": k, "level": LEVEL}
        truth = dynamics.lyapunov_spectrum(system, system.x0, n_steps=n_truth, **settings)
        x0, runs = np.asarray(system.x0), []
        for _ in range(N_RUNS):
            runs.append(
                dynamics.lyapunov_spectrum(system, x0, n_steps=n_steps, n_transient=200, **settings)
            )
            x0 = runs[-1].last_state
        found = np.array([run.exponents for run in runs]) - truth.exponents
        claimed = np.sqrt(np.mean([run.standard_error**2 for run in runs], axis=0))
        spread = np.sqrt(np.mean(found**2, axis=0))
        low, high = np.moveaxis([run.intervals for run in runs], -1, 0)
        covered = np.mean((low <= truth.exponents) & (truth.exponents <= high), axis=0)
        for i in range(k):
            lines.append(
                f"| {name} | {n_steps * dt:g} | {i + 1} | {truth.exponents[i]:z.4f} ± "
                f"{truth.standard_error[i]:.4f} | {spread[i]:.2g} | {claimed[i]:.2g} | "
                f"{covered[i]:.0%} |"
            )
            print(lines[-1], f"{time.process_time() - began:.0f} s", flush=True)
    PAGE.write_text("\n".join([*lines, "", *REMARKS]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
