"""Structure, accuracy and intervals of the Lorenz equations found in one noisy record.

    python benchmarks/lorenz_laws.py [--seeds 20] [--coverage 200]

1,000 samples at a step of 0.01, noise relative to the standard deviation of each column, defaults of
`SINDy`: the share of records with exactly the true terms, and CPU seconds a fit. Then, at 5 % noise,
how often the 95 % intervals of the seven coefficients hold the truth, where the terms are right.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.integrate import solve_ivp

from takens.core import Trajectory
from takens.learn import SINDy

TRUTH = {("x", "x"): -10.0, ("y", "x"): 10.0, ("x", "y"): 28.0, ("y", "y"): -1.0,
         ("x*z", "y"): -1.0, ("z", "z"): -8 / 3, ("x*y", "z"): 1.0}  # fmt: skip


def record(seed: int, share: float) -> Trajectory:
    """Noise on a stretch of the attractor of its own."""
    rng = np.random.default_rng(seed)
    times = 0.01 * np.arange(1_000)
    rate = lambda t, x: [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]  # noqa: E731
    start = [1, 1, 20] + 3 * rng.normal(size=3)
    orbit = solve_ivp(rate, (0, 30), start, t_eval=20 + times, rtol=1e-10, atol=1e-10)
    x = orbit.y.T
    noisy = x + share * x.std(axis=0) * rng.normal(size=x.shape)
    return Trajectory(times=times, states=noisy, names=("x", "y", "z"))


def fitted(seed: int, share: float):
    """The law, and CPU seconds."""
    data = record(seed, share)
    began = time.process_time()
    law = SINDy().fit(data).diagnostics["law"]
    return law, time.process_time() - began


def places(law) -> set:
    """Term and equation of every coefficient."""
    return {(law.terms[k], law.names[i]) for k, i in np.argwhere(law.support)}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--coverage", type=int, default=200)
    given = parser.parse_args()
    fitted(0, 0.05)  # what is imported and compiled once
    print("noise  exact structure  CPU s (median)")
    for share in (0.01, 0.05, 0.1, 0.2, 0.3):
        runs = [fitted(seed, share) for seed in range(given.seeds)]
        exact = np.mean([places(law) == set(TRUTH) for law, _ in runs])
        print(f"{share:5.0%}  {exact:15.2f}  {np.median([s for _, s in runs]):.2f}", flush=True)
    held, used = [], 0
    for seed in range(1_000, 1_000 + given.coverage):
        law, _ = fitted(seed, 0.05)
        if places(law) != set(TRUTH):
            continue
        used += 1
        for (term, equation), value in TRUTH.items():
            low, high = law.coefficient(term, equation).interval
            held.append(low <= value <= high)
    print(f"95 % intervals hold {np.mean(held):.3f} of {len(held)} true values, {used} records")


if __name__ == "__main__":
    main()
