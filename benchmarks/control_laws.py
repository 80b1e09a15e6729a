"""Controlled systems from input and output with noise: right terms, and simulation on unseen inputs.

    python benchmarks/control_laws.py [--seeds 10] [--quick]

Each law is learned from one noisy record under a sum of sines, and simulated under another input, of
steps, from a start filtered out of noisy samples. Simulation errors are against the noise-free truth,
root mean square over the spread of each column, with a linear autoregression with input beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable

import numpy as np
from scipy.integrate import solve_ivp

from takens.core import Status, Trajectory
from takens.data import regular_segments
from takens.learn import LawForecast, LinearAutoregression, SINDy
from takens.learn.terms import AbstractLibrary, Expressions, Polynomials
from takens.validate.forecasts import clocks, starts, states

NOISES = (0.01, 0.05, 0.1)


@dataclasses.dataclass(frozen=True)
class Case:
    """A system with an input, how it is recorded, and its true terms in each equation."""

    name: str
    rate: Callable[[np.ndarray, float], list[float]]
    x0: tuple[float, ...]
    names: tuple[str, ...]
    dt: float
    n: int
    centre: float
    size: float
    library: AbstractLibrary
    true: tuple[dict[str, float], ...]
    horizon: int


CASES = (
    Case(
        "forced Duffing oscillator",
        lambda x, u: [x[1], x[0] - x[0] ** 3 - 0.3 * x[1] + u],
        (0.5, 0.0), ("x", "v"), 0.05, 1_500, 0.0, 0.5, Polynomials(3),
        ({"v": 1.0}, {"x": 1.0, "x^3": -1.0, "v": -0.3, "u": 1.0}), 100,
    ),
    Case(
        "Lorenz equations with input",
        lambda x, u: [10 * (x[1] - x[0]) + u, x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]],
        (1.0, 3.0, 20.0), ("x", "y", "z"), 0.01, 1_500, 0.0, 20.0, Polynomials(2),
        ({"x": -10.0, "y": 10.0, "u": 1.0}, {"x": 28.0, "x*z": -1.0, "y": -1.0},
         {"x*y": 1.0, "z": -8 / 3}), 100,
    ),
    Case(
        "two tanks",
        lambda x, u: [u - 0.5 * np.sqrt(max(x[0], 0)),
                      0.5 * np.sqrt(max(x[0], 0)) - 0.4 * np.sqrt(max(x[1], 0))],
        (1.0, 1.0), ("h1", "h2"), 0.2, 1_000, 0.5, 0.3,
        Polynomials(1) + Expressions("sqrt(h1)", "sqrt(h2)"),
        ({"u": 1.0, "sqrt(h1)": -0.5}, {"sqrt(h1)": 0.5, "sqrt(h2)": -0.4}), 300,
    ),
)  # fmt: skip


def sines(case: Case, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Five sines with periods of 20 to 300 samples, within the case's size."""
    periods = case.dt * np.exp(rng.uniform(np.log(20), np.log(300), 5))
    phases = rng.uniform(0, 2 * np.pi, 5)

    def at(t: np.ndarray) -> np.ndarray:
        angle = 2 * np.pi * np.asarray(t)[..., None] / periods + phases
        return case.centre + case.size * np.sin(angle).mean(axis=-1) * 1.5

    return at


def steps(case: Case, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Levels that change every 40 samples, along a ramp of one sample."""
    levels = case.centre + case.size * rng.uniform(-0.8, 0.8, 200)
    places = np.arange(200) * 40 * case.dt
    grid = np.sort(np.concatenate([places[1:] - case.dt, places]))
    values = levels[np.searchsorted(places, grid, side="right") - 1]
    return lambda t: np.interp(t, grid, values)


def recorded(case: Case, push: Callable, n: int, x0: tuple[float, ...]) -> tuple:
    """Noise-free states and the input at the samples; the input is linear between them."""
    times = case.dt * np.arange(n)
    u = push(times)
    orbit = solve_ivp(
        lambda t, x: case.rate(x, float(np.interp(t, times, u))), (0, times[-1]), x0, t_eval=times,
        rtol=1e-8, atol=1e-8, max_step=case.dt,
    ).y.T  # fmt: skip
    return times, orbit, u


def trajectory(case: Case, times, states, u) -> Trajectory:
    return Trajectory(times=times, states=states, inputs=u[:, None], names=case.names,
                      input_names=("u",))  # fmt: skip


def simulated(fit, segments, rows: np.ndarray, horizon: int) -> np.ndarray:
    """Paths of `horizon` samples from filtered starts at `rows`, in the units of the columns."""
    places = np.column_stack([np.zeros(len(rows), dtype=int), rows])
    begin = starts(segments, places, horizon)
    x0, n0 = states(fit.model, segments, places), clocks(segments, places)
    residuals = np.zeros((1, len(segments.names)))
    draws = np.zeros((horizon, len(rows)), dtype=int)
    _, path = fit.model.orbits(x0, n0, np.swapaxes(begin.inputs, 0, 1), residuals, draws)
    return fit.model.frame.decode(np.swapaxes(path, 0, 1))


def one(case: Case, noise: float, seed: int) -> dict[str, float]:
    rng = np.random.default_rng([seed, CASES.index(case)])
    times, orbit, u = recorded(case, sines(case, rng), case.n, case.x0)
    spread = orbit.std(axis=0)
    data = trajectory(case, times, orbit + noise * spread * rng.normal(size=orbit.shape), u)
    segments = regular_segments(data)
    start = time.process_time()
    fit = LawForecast(finder=SINDy(library=case.library)).learn(segments)
    cpu = time.process_time() - start
    if fit.status is not Status.OK:
        return {"found": 0.0, "right": 0.0, "coefficient": np.nan, "error": np.nan,
                "linear": np.nan, "cpu": cpu}  # fmt: skip
    law = fit.diagnostics["law"]
    stands = [
        {law.terms[k] for k in np.flatnonzero(law.support[:, i])} for i in range(len(case.names))
    ]
    right = stands == [set(true) for true in case.true]
    worst = max(
        abs(law.coefficient(term, case.names[i]).value / value - 1)
        for i, true in enumerate(case.true) for term, value in true.items()
    ) if right else np.nan  # fmt: skip
    times, truth, u = recorded(case, steps(case, rng), 1_000, case.x0)
    unseen = regular_segments(
        trajectory(case, times, truth + noise * spread * rng.normal(size=truth.shape), u)
    )
    rows = np.arange(60, 1_000 - case.horizon - 1, 60)
    ahead = np.stack([truth[row + 1 : row + 1 + case.horizon] for row in rows])
    linear = LinearAutoregression().learn(segments)
    errors = {}
    for name, model in (("error", fit), ("linear", linear)):
        path = simulated(model, unseen, rows, case.horizon)
        errors[name] = float(np.sqrt((((path - ahead) / spread) ** 2).mean()))
    return {"found": 1.0, "right": float(right), "coefficient": worst, "cpu": cpu, **errors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="two seeds")
    options = parser.parse_args()
    seeds = 2 if options.quick else options.seeds
    print("| system | noise | right terms | largest error of a coefficient | simulation error, law | "
          "the same, linear with input | CPU s a fit |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        for noise in NOISES:
            rows = [one(case, noise, seed) for seed in range(seeds)]
            middle = {key: np.nanmedian([row[key] for row in rows]) for key in rows[0]}
            share = np.mean([row["right"] for row in rows])
            print(f"| {case.name} | {noise:.0%} | {share:.2f} | {middle['coefficient']:.1%} | "
                  f"{middle['error']:.3g} | {middle['linear']:.3g} | {middle['cpu']:.1f} |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
