"""How often the 95 % intervals of found coefficients hold the truth, with and without selection.

    python benchmarks/law_coverage.py [--seeds 200] [--only NAME ...]

Each record has its own noise (relative to the standard deviation of each column) and, for Lorenz, its
own stretch of the attractor. With the structure known only the true terms are candidates; after
selection all monomials of the library are, and records whose terms are not exactly the true ones are
left out and counted.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.integrate import solve_ivp

from takens.core import Trajectory
from takens.learn import SINDy, SparseMap
from takens.learn.terms import Polynomials


def flow(rate, x0, times):
    """An orbit to ten digits."""
    return solve_ivp(rate, (0, times[-1]), x0, t_eval=times, rtol=1e-10, atol=1e-10).y.T


def lorenz(rng):
    """A thousand samples of the attractor."""
    times = 0.01 * np.arange(3_000)
    rate = lambda t, x: [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]  # noqa: E731
    return flow(rate, [1, 1, 20] + 3 * rng.normal(size=3), times)[2_000:], 0.01


def henon(rng):
    """Five hundred iterates."""
    x = [0.1 + 0.02 * rng.normal(size=2)]
    for _ in range(600):
        x.append(np.array([1 - 1.4 * x[-1][0] ** 2 + x[-1][1], 0.3 * x[-1][0]]))
    return np.array(x[100:600]), 1.0


def van_der_pol(rng):
    """Ten rounds of the cycle."""
    rate = lambda t, x: [x[1], 2 * (1 - x[0] ** 2) * x[1] - x[0]]  # noqa: E731
    return flow(rate, [2.0, rng.normal()], 0.05 * np.arange(1_500)), 0.05


def lotka_volterra(rng):
    """Six rounds of the cycle."""
    rate = lambda t, x: [1.3 * x[0] - 0.9 * x[0] * x[1], 0.8 * x[0] * x[1] - 1.8 * x[1]]  # noqa: E731
    return flow(rate, [1.0 + rng.random(), 1.0], 0.05 * np.arange(500)), 0.05


LORENZ = {("x", "x"): -10.0, ("y", "x"): 10.0, ("x", "y"): 28.0, ("y", "y"): -1.0,
          ("x*z", "y"): -1.0, ("z", "z"): -8 / 3, ("x*y", "z"): 1.0}  # fmt: skip
VAN_DER_POL = {("y", "x"): 1.0, ("y", "y"): 2.0, ("x^2*y", "y"): -2.0, ("x", "y"): -1.0}
LOTKA = {("x", "x"): 1.3, ("x*y", "x"): -0.9, ("x*y", "y"): 0.8, ("y", "y"): -1.8}
HENON = {("1", "x"): 1.0, ("x^2", "x"): -1.4, ("y", "x"): 1.0, ("x", "y"): 0.3}
CASES = {
    "Lorenz, 1 %": (lorenz, LORENZ, 0.01, SINDy, 2),
    "Lorenz, 5 %": (lorenz, LORENZ, 0.05, SINDy, 2),
    "Lorenz, 10 %": (lorenz, LORENZ, 0.1, SINDy, 2),
    "van der Pol, 5 %": (van_der_pol, VAN_DER_POL, 0.05, SINDy, 3),
    "Lotka-Volterra, 5 %": (lotka_volterra, LOTKA, 0.05, SINDy, 2),
    "Henon map, 1 %": (henon, HENON, 0.01, SparseMap, 2),
    "Henon map, 3 %": (henon, HENON, 0.03, SparseMap, 2),
}


def held(law, truth) -> list[bool]:
    """Whether each interval holds the true value."""
    found = []
    for place, value in truth.items():
        low, high = law.coefficient(*place).interval
        found.append(bool(low <= value <= high))
    return found


def measured(name: str, seeds: int) -> str:
    """A line of the table."""
    make, truth, share, kind, degree = CASES[name]
    known, chosen, exact = [], [], 0
    for seed in range(seeds):
        rng = np.random.default_rng(5_000 + seed)
        x, step = make(rng)
        columns = ("x", "y", "z")[: x.shape[1]]
        noisy = x + share * x.std(axis=0) * rng.normal(size=x.shape)
        data = Trajectory(times=step * np.arange(len(x)), states=noisy, names=columns)
        library = Polynomials(degree)
        others = tuple(
            (t, e) for t in library.over(columns).names for e in columns if (t, e) not in truth
        )
        law = kind(library=library, known=tuple(truth), excluded=others).fit(data)
        known += held(law.diagnostics["law"], truth)
        law = kind(library=library).fit(data).diagnostics["law"]
        if {(law.terms[k], law.names[i]) for k, i in np.argwhere(law.support)} == set(truth):
            exact += 1
            chosen += held(law, truth)
    after = f"{np.mean(chosen):.3f}" if chosen else ""
    return f"| {name} | {np.mean(known):.3f} | {len(known)} | {exact / seeds:.2f} | {after} |"


def main() -> None:
    """The table, a line at a time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--only", nargs="+", default=list(CASES))
    given = parser.parse_args()
    print("| system and noise | structure known | intervals | exact structure | after selection |")
    print("| --- | --- | --- | --- | --- |")
    for name in given.only:
        print(measured(name, given.seeds), flush=True)


if __name__ == "__main__":
    main()
