"""How often the band of a Gaussian process holds the rates that are missing in a half-known system.

    python benchmarks/gaussian_coverage.py [NAME ...] [--seeds 40] [--first 7000]

Each system has a known part and a missing one, which the process learns from one noisy record at
default settings. The truth is compared with the 95 % band at 60 places along the orbit, between the
samples, which share one fit and so are not independent: beside the share of places and seeds within
the band stands how it is spread over seeds. The score is the distance from the truth in standard
deviations of the band. Noise is relative to the standard deviation of each column.
"""

from __future__ import annotations

import argparse
import time

import jax
import numpy as np
from scipy.integrate import solve_ivp

from takens.core import Status, Trajectory
from takens.learn import GaussianProcess, known


def eaten(x, y):
    return x**2 * y / (0.3 + x**2)


def grazing():
    """Grass and grazers; how grazing saturates is missing in both equations."""
    missing = lambda x: np.array([-1.5 * eaten(*x), 0.9 * eaten(*x)])  # noqa: E731
    rate = lambda t, x: np.array([x[0] * (1 - x[0] / 3), -0.6 * x[1]]) + missing(x)  # noqa: E731
    half = known("dx/dt = x*(1 - x/3); dy/dt = -0.6*y") + GaussianProcess()
    return half, rate, missing, [1.5, 0.5], 0.2 * np.arange(120), (0, 1)


def friction():
    """A pendulum; its restoring force and friction are missing in the equation of the velocity."""
    missing = lambda x: np.array([0 * x[0], -2 * np.sin(x[0]) - 0.2 * x[1] * np.abs(x[1])])  # noqa: E731
    rate = lambda t, x: np.array([x[1], 0.0]) + missing(x)  # noqa: E731
    half = known("dq/dt = v; dv/dt = 0*q") + GaussianProcess(equations=("v",))
    return half, rate, missing, [2.0, 0.0], 0.1 * np.arange(200), (1,)


def limit_cycle():
    """Van der Pol's damping is missing, the spring is known but for its stiffness."""
    missing = lambda x: np.array([0 * x[0], (1 - x[0] ** 2) * x[1]])  # noqa: E731
    rate = lambda t, x: np.array([x[1], -x[0]]) + missing(x)  # noqa: E731
    half = known("dq/dt = v; dv/dt = -q") + GaussianProcess(equations=("v",))
    return half, rate, missing, [2.0, 0.0], 0.1 * np.arange(200), (1,)


CASES = {"grazing": grazing, "pendulum with friction": friction, "van der Pol": limit_cycle}


def band(half, rate, missing, start, times, equations, share, seed):
    """Scores and relative standard deviations, (place, equation) each; status; CPU seconds."""
    fine = np.linspace(times[0], times[-1], 61)[:-1] + (times[-1] - times[0]) / 120
    solved = solve_ivp(rate, (0, times[-1]), start, dense_output=True, rtol=1e-10, atol=1e-10)
    clean, places = solved.sol(times).T, solved.sol(fine).T
    rng = np.random.default_rng(seed)
    noisy = clean + share * clean.std(axis=0) * rng.normal(size=clean.shape)
    names = ("x", "y") if len(equations) == 2 else ("q", "v")
    began = time.process_time()
    fit = half.fit(Trajectory(times=times, states=noisy, names=names))
    spent = time.process_time() - began
    learned = fit.model.learned
    mean = np.asarray(jax.vmap(lambda x: learned(0.0, x))(places))
    spread = np.asarray(jax.vmap(learned.standard_deviation)(places))
    true = np.array([missing(x) for x in places])
    chosen = list(equations)
    size = true[:, chosen].std(axis=0)
    scores = (mean - true)[:, chosen] / spread[:, chosen]
    return scores, spread[:, chosen] / size, fit.status, spent


def row(name, share, seeds):
    """One line of the table."""
    case = CASES[name]()
    scores, widths, bad, spent = [], [], 0, []
    for seed in seeds:
        score, width, status, seconds = band(*case, share, seed)
        bad += status is not Status.OK
        scores.append(score)
        widths.append(width)
        spent.append(seconds)
    inside = np.abs(np.array(scores)) < 1.959964
    each = inside.mean(axis=(1, 2))
    low, high = np.quantile(each, [0.1, 0.9])
    print(
        f"| {name} | {share:.0%} | {inside.mean():.3f} | "
        f"{', '.join(f'{v:.3f}' for v in inside.mean(axis=(0, 1)))} | {low:.2f} to {high:.2f} | "
        f"{np.sqrt((np.array(scores) ** 2).mean()):.2f} | {np.median(widths):.3f} | {bad} "
        f"| {np.median(spent):.1f} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=7000)
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    print("| system | noise | within the band | each equation | of a seed, 10 to 90 % | score, rms "
          "| spread over size | not OK | CPU s |\n" + "| --- " * 9 + "|")  # fmt: skip
    for name in CASES:
        if not given.names or any(n in name for n in given.names):
            for share in (0.01, 0.05):
                row(name, share, seeds)


if __name__ == "__main__":
    main()
