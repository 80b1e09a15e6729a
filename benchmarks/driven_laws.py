"""Laws of records with noise of the sensors and in the dynamics: terms, coverage, false discoveries.

    python benchmarks/driven_laws.py [driven] [sensor] [null] [--seeds N] [--quick]

`driven`: paths of diffusions, seen with noise of a share of each column's standard deviation; exactly
the true terms, how often 95 % intervals hold the true numbers, and the decision on the noise.
`sensor`: orbits without noise in the dynamics, which must not be taken for driven ones.
`null`: noise, random walks and autoregressions, in which there is no law.
Every line is one task; results go to stdout as they come.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from scipy.integrate import solve_ivp

from takens.core import Status, Trajectory
from takens.learn import SINDy, SparseMap
from takens.learn.terms import Polynomials

SUBSTEPS = 20  # of the stochastic Heun method between two samples
SKIPPED = 200  # samples


def path(
    drift: Callable[[np.ndarray], np.ndarray], x0: list[float], noise: np.ndarray, dt: float,
    n: int, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """A path of ``dx = drift(x) dt + noise dW`` at even samples."""
    x, h, found = np.array(x0, dtype=float), dt / SUBSTEPS, []
    for sample in range(n + SKIPPED):
        if sample >= SKIPPED:
            found.append(x)
        for _ in range(SUBSTEPS):
            kick = noise * np.sqrt(h) * rng.normal(size=len(x))
            rate = drift(x)
            x = x + h / 2 * (rate + drift(x + h * rate + kick)) + kick
    return np.array(found)


def van_der_pol(x):
    """With a relaxation of two."""
    return np.array([x[1], 2 * (1 - x[0] ** 2) * x[1] - x[0]])


def prey(x):
    """Lotka and Volterra's."""
    return np.array([x[0] - 0.5 * x[0] * x[1], -0.8 * x[1] + 0.3 * x[0] * x[1]])


def lorenz(x):
    """With the classical parameters."""
    return np.array([10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]])


def well(x):
    """Two wells on a line."""
    return np.array([x[0] - x[0] ** 3])


# name: drift, start, step, noise in the dynamics, degree, true coefficients
DRIVEN = {
    "van der Pol": (van_der_pol, [2.0, 0.0], 0.1, [0.1, 0.3], 3,
                    {("y", "x"): 1, ("x", "y"): -1, ("y", "y"): 2, ("x^2*y", "y"): -2}),
    "van der Pol, kicked in y": (van_der_pol, [2.0, 0.0], 0.1, [0.0, 0.3], 3,
                                 {("y", "x"): 1, ("x", "y"): -1, ("y", "y"): 2, ("x^2*y", "y"): -2}),
    "Lotka-Volterra": (prey, [3.0, 1.0], 0.1, [0.04, 0.04], 2,
                       {("x", "x"): 1, ("x*y", "x"): -0.5, ("y", "y"): -0.8, ("x*y", "y"): 0.3}),
    "Lorenz": (lorenz, [1.0, 1.0, 20.0], 0.02, [1.0, 1.0, 1.0], 2,
               {("x", "x"): -10, ("y", "x"): 10, ("x", "y"): 28, ("y", "y"): -1, ("x*z", "y"): -1,
                ("z", "z"): -8 / 3, ("x*y", "z"): 1}),
    "double well": (well, [1.0], 0.1, [0.5], 3, {("x", "x"): 1, ("x^3", "x"): -1}),
}  # fmt: skip
SHARES = (0.0, 0.02, 0.1)


def driven(seeds: int) -> Iterator[str]:
    """Terms, coverage and decision."""
    yield "| system | sensor noise | exact | no law | coefficients | sensor | dynamics | CPU s |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, (drift, x0, dt, noise, degree, truth) in DRIVEN.items():
        for share in SHARES:
            yield _driven_row(name, drift, x0, dt, np.array(noise), degree, truth, share, seeds)


def _driven_row(name, drift, x0, dt, noise, degree, truth, share, seeds):
    held: dict[str, list[bool]] = {"w": [], "v": [], "q": []}
    exact = none = 0
    decisions: Counter[str] = Counter()
    spent = []
    for seed in range(seeds):
        rng = np.random.default_rng([1, seed])
        x = path(drift, x0, noise, dt, 1_000, rng)
        sensor = share * x.std(axis=0)
        data = Trajectory(times=dt * np.arange(len(x)), states=x + sensor * rng.normal(size=x.shape),
                          names=("x", "y", "z")[: len(x0)])  # fmt: skip
        began = time.process_time()
        law = SINDy(library=Polynomials(degree)).identified(data).law
        spent.append(time.process_time() - began)
        none += law.status is Status.NO_LAW
        if law.noise is None:
            decisions["none" if law.status is Status.NO_LAW else "sensor only"] += 1
            continue
        decisions[law.noise.decision] += 1
        if {(law.terms[k], law.names[i]) for k, i in np.argwhere(law.support)} != set(truth):
            continue
        exact += 1
        for (term, column), value in truth.items():
            held["w"].append(_within(law.coefficient(term, column), value))
        held["v"] += [_within(e, v) for e, v in zip(law.noise.sensor, sensor, strict=True)]
        held["q"] += [_within(e, q) for e, q in zip(law.noise.dynamical, noise, strict=True)]
    cells = [f"{np.mean(h):.2f} of {len(h)}" if h else "" for h in held.values()]
    found = ", ".join(f"{k} {n}" for k, n in decisions.most_common())
    return (f"| {name} | {share:.0%} | {exact}/{seeds} | {none} | {' | '.join(cells)} | "
            f"{np.median(spent):.1f} | {found}")  # fmt: skip


def _within(estimate, value) -> bool:
    return bool(estimate.interval[0] <= value <= estimate.interval[1])


def sensor(seeds: int) -> Iterator[str]:
    """Orbits that nothing moves: how many are taken for driven ones."""
    yield "| system | sensor noise | law | no law | taken for driven |"
    yield "| --- | --- | --- | --- | --- |"
    for name in ("van der Pol", "Lotka-Volterra", "Lorenz"):
        drift, x0, dt, _, degree, _ = DRIVEN[name]
        times = dt * np.arange(1_200)
        orbit = solve_ivp(lambda t, x, f=drift: f(x), (0, times[-1]), x0, t_eval=times, rtol=1e-10,
                          atol=1e-10).y.T[200:]  # fmt: skip
        for share in (0.01, 0.05, 0.1, 0.2):
            found = Counter()
            for seed in range(seeds):
                noise = share * orbit.std(axis=0)
                noise = noise * np.random.default_rng([2, seed]).normal(size=orbit.shape)
                data = Trajectory(times=times[:1_000], states=orbit + noise)
                law = SINDy(library=Polynomials(degree)).identified(data).law
                found["driven" if law.noise is not None else law.status.name] += 1
            yield f"| {name} | {share:.0%} | {found['OK']} | {found['NO_LAW']} | {found['driven']} |"


def record(kind: str, n: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Without a law."""
    kicks = rng.normal(size=(n, dim))
    if kind == "white noise":
        return kicks
    if kind == "random walk":
        return kicks.cumsum(axis=0)
    x = kicks.copy()
    if kind == "rotating autoregression":
        turn = 0.985 * np.array([[0.98, -0.15], [0.15, 0.98]])
        for i in range(1, n):
            x[i] = turn @ x[i - 1] + 0.1 * kicks[i]
        return x
    for i in range(1, n):
        x[i] = 0.9 * x[i - 1] + kicks[i]
    return x + 0.5 * rng.normal(size=x.shape) if kind == "the same, seen with noise" else x


def null(seeds: int) -> Iterator[str]:
    """Laws that are found where there are none."""
    yield "| record | columns | candidates | flows | maps | CPU s a flow |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for dim, degree in ((1, 3), (2, 2), (2, 3)):
        for kind in ("white noise", "random walk", "autoregression", "the same, seen with noise",
                     "rotating autoregression"):  # fmt: skip
            if kind == "rotating autoregression" and dim == 1:
                continue
            counts, spent = [0, 0], 0.0
            for seed in range(seeds):
                data = record(kind, 300, dim, np.random.default_rng([3, seed]))
                for k, finder in enumerate((SINDy, SparseMap)):
                    began = time.process_time()
                    law = finder(library=Polynomials(degree)).identified(data).law
                    spent += (time.process_time() - began) * (k == 0)
                    counts[k] += law.status is Status.OK
            size = len(Polynomials(degree).over(("x", "y")[:dim])) * dim
            yield (f"| {kind} | {dim} | {size} | {counts[0]} of {seeds} | {counts[1]} of {seeds} | "
                   f"{spent / seeds:.2f} |")  # fmt: skip


TABLES = {"driven": (driven, 40), "sensor": (sensor, 20), "null": (null, 100)}


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=list(TABLES))
    parser.add_argument("--seeds", type=int, help="instead of the number of each table")
    parser.add_argument("--quick", action="store_true", help="four seeds of each")
    given = parser.parse_args()
    for name in given.tables:
        table, seeds = TABLES[name]
        for line in table(given.seeds or (4 if given.quick else seeds)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
