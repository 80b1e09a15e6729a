"""Half-known systems: missing terms found, intervals that hold, what cannot be told, flagged.

    python benchmarks/half_known.py [terms] [coverage] [flags] [--seeds 20] [--first 1000]

``terms`` is the protocol of Rackauckas et al. (arXiv:2001.04385): prey and predators at 31 times,
growth and death known, the interaction to be found among polynomials of degree three or five, noise
relative to the mean of each column, default settings; and the same with growth and death unknown
numbers. ``coverage`` counts how often 95 % intervals of parameters hold the truth over 200 seeds.
``flags`` counts how often a product that cannot be told apart and a wrong known part are noticed,
and how often a right one is called wrong.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.integrate import solve_ivp

from takens.core import Status, Trajectory
from takens.learn import MissingTerms, Nothing, known
from takens.learn.terms import Polynomials

NUMBERS = {"a": 1.3, "b": 0.9, "c": 0.8, "d": 1.8}
RATES = "dx/dt = a*x - b*x*y; dy/dt = c*x*y - d*y"
START = (0.44249296, 4.6280594)
FOUND = ("x*y in dx/dt", "x*y in dy/dt")


def lotka_volterra(n: int = 31, step: float = 0.1) -> Trajectory:
    """The orbit of the protocol without noise."""
    a, b, c, d = NUMBERS.values()
    rate = lambda t, x: [a * x[0] - b * x[0] * x[1], c * x[0] * x[1] - d * x[1]]  # noqa: E731
    times = step * np.arange(n)
    orbit = solve_ivp(rate, (0, times[-1]), START, t_eval=times, rtol=1e-11, atol=1e-12)
    return Trajectory(times=times, states=orbit.y.T, names=("x", "y"))


PENDULUM = {"g": 4.0, "r": 0.3, "f": 1.5}


def pendulum() -> Trajectory:
    """A damped pendulum pushed by an input that is linear between its samples."""
    g, r, f = PENDULUM.values()
    times = 0.1 * np.arange(201)
    u = np.sin(1.7 * times)
    rate = lambda t, x: [x[1], -g * np.sin(x[0]) - r * x[1] + f * np.interp(t, times, u)]  # noqa: E731
    orbit = solve_ivp(rate, (0, 20), [0.5, 0.0], t_eval=times, rtol=1e-9, atol=1e-10, max_step=0.05)
    return Trajectory(
        times=times, states=orbit.y.T, names=("q", "v"), inputs=u[:, None], input_names=("u",)
    )


def noisy(clean: Trajectory, share: float, seed: int) -> Trajectory:
    """Noise relative to the mean size of each column."""
    rng = np.random.default_rng(seed)
    size = share * np.abs(clean.states).mean(axis=0)
    states = clean.states + size * rng.normal(size=clean.states.shape)
    return Trajectory(times=clean.times, states=states, names=clean.names, inputs=clean.inputs,
                      input_names=clean.input_names)  # fmt: skip


def terms(seeds: range) -> None:
    """How often exactly the missing interaction is found."""
    cases = {
        "growth and death known, degree 3": ("dx/dt = 1.3*x; dy/dt = -1.8*y", 3),
        "growth and death known, degree 5": ("dx/dt = 1.3*x; dy/dt = -1.8*y", 5),
        "growth and death free, degree 3": ("dx/dt = a*x; dy/dt = -d*y", 3),
    }
    clean = lotka_volterra()
    for name, (equations, degree) in cases.items():
        print(f"\n{name}\nnoise   exact of {len(seeds)}   error of the two numbers   CPU s")
        for share in (0.001, 0.005, 0.01, 0.025, 0.05):
            exact, errors, seconds = 0, [], []
            for seed in seeds:
                data = noisy(clean, share, seed)
                began = time.process_time()
                half = known(equations) + MissingTerms(Polynomials(degree))
                law = half.fit(data).diagnostics["law"]
                seconds.append(time.process_time() - began)
                if law.labels == FOUND:
                    exact += 1
                    errors += list(np.abs(law.numbers / [-0.9, 0.8] - 1))
            error = f"{np.mean(errors):.2%}" if errors else "-"
            print(f"{share:5.1%}   {exact:2d}            {error:>6s}            "
                  f"       {np.median(seconds):.2f}", flush=True)  # fmt: skip


def coverage(seeds: range) -> None:
    """How often intervals of parameters hold the truth."""
    shown = "dq/dt = v; dv/dt = -g*sin(q) - r*v + f*u"
    cases = (
        ("Lotka-Volterra, 31 points, 0.5 %", lotka_volterra(), RATES, NUMBERS, 0.005),
        ("Lotka-Volterra, 31 points, 5 %", lotka_volterra(), RATES, NUMBERS, 0.05),
        ("Lotka-Volterra, 200 points, 10 %", lotka_volterra(200), RATES, NUMBERS, 0.1),
        ("forced pendulum, 201 points, 5 %", pendulum(), shown, PENDULUM, 0.05),
        ("forced pendulum, 201 points, 20 %", pendulum(), shown, PENDULUM, 0.2),
    )
    print(f"\nshare of {len(seeds)} records whose 95 % interval holds the truth")
    for name, clean, equations, truth, share in cases:
        hits = dict.fromkeys(truth, 0)
        told = dict.fromkeys(truth, 0)
        for seed in seeds:
            law = (known(equations) + Nothing()).fit(noisy(clean, share, seed)).diagnostics["law"]
            for key, value in truth.items():
                low, high = law.parameter(key).interval
                told[key] += bool(np.isfinite(low))
                hits[key] += low < value < high
        each = ", ".join(
            f"{key} {hits[key] / told[key]:.3f}"
            + (f" (told in {told[key]})" if told[key] < len(seeds) else "")
            for key in truth
        )
        print(f"{name}: {each}", flush=True)


def flags(seeds: range) -> None:
    """What should be noticed, and what should not."""
    product = "dx/dt = a*x - b*e*x*y; dy/dt = c*x*y - d*y"
    prey = "dx/dt = a*x - b*y; dy/dt = c*x*y - d*y"
    predators = "dx/dt = a*x - b*x*y; dy/dt = c*x - d*y"
    counts = dict.fromkeys(("product", "prey", "predators", "right"), 0)
    for seed in seeds:
        data = noisy(lotka_volterra(), 0.01, seed)
        fits = {
            name: (known(text) + Nothing()).fit(data)
            for name, text in (
                ("product", product),
                ("prey", prey),
                ("predators", predators),
                ("right", RATES),
            )
        }
        law = fits["product"].diagnostics["law"]
        told = dict(zip(law.parameters, law.identifiability.identified, strict=True))
        lost = {name for name, known_ in told.items() if not known_}
        counts["product"] += fits["product"].status is Status.NOT_IDENTIFIABLE and lost == {
            "b",
            "e",
        }
        for name in ("prey", "predators", "right"):
            counts[name] += any(f.code == "residuals-remember" for f in fits[name].cautions)
    print(f"\nof {len(seeds)} records of 31 points with 1 % noise")
    print(f"exactly the product b*e called not identifiable: {counts['product']}")
    print("residuals that are called no noise:")
    print(f"  losses of prey as y in place of x*y: {counts['prey']}")
    print(f"  gains of predators as x in place of x*y: {counts['predators']}")
    print(f"  right equations: {counts['right']}", flush=True)


TABLES = {"terms": terms, "coverage": coverage, "flags": flags}


def main() -> None:
    """Print the tables that are asked for, all when none is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], default=[])
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--first", type=int, default=1000)
    given = parser.parse_args()
    for name in given.tables or TABLES:
        count = given.seeds or (20 if name == "terms" else 200)
        TABLES[name](range(given.first, given.first + count))


if __name__ == "__main__":
    main()
