"""Laws of other classes: right terms, coverage of intervals, and cost, over seeds of the noise.

    python benchmarks/law_classes.py [second] [rational] [delay] [--seeds N] [--first N] [--output F]

Noise is relative to the standard deviation of each column. `exact` is the share of records with
exactly the true terms; coverage is that of the 95 % intervals where the terms are right. Rows that
stand in the output file already are not made again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

from takens.core import Recording, Status, Trajectory
from takens.learn import DelaySINDy, HigherOrderSINDy, RationalSINDy
from takens.learn.terms import Expressions, Fourier, Polynomials


def runs(rate, starts, times, width):
    """Noise-free orbits, of which the first columns are seen."""
    return [
        solve_ivp(rate, (0, times[-1]), x0, t_eval=times, rtol=1e-10, atol=1e-10).y.T[:, :width]
        for x0 in starts
    ]


def delayed(rate, delay, step, past, count, every, skip=0):
    """Runge-Kutta of order four with the past interpolated between its own steps."""
    lag, total = round(delay / step), count * every + skip
    x = np.empty(lag + total + 1)
    x[: lag + 1] = past(np.linspace(-delay, 0, lag + 1))
    for i in range(lag, lag + total):
        a, b = x[i - lag], x[i - lag + 1]
        middle = (9 * (a + b) - x[i - lag - 1] - x[i - lag + 2]) / 16 if i > lag else (a + b) / 2
        k1 = rate(x[i], a)
        k2 = rate(x[i] + step / 2 * k1, middle)
        k3 = rate(x[i] + step / 2 * k2, middle)
        k4 = rate(x[i] + step * k3, b)
        x[i + 1] = x[i] + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return [x[lag + skip :: every][:count, None]]


def second():
    """Positions alone: name, estimator, orbits, times, columns, truth, true delay, noises, seeds."""
    t6, t8, t_jerk = 0.05 * np.arange(600), 0.05 * np.arange(800), 0.1 * np.arange(800)
    noises = (0.01, 0.05, 0.1, 0.2)
    yield ("pendulum", HigherOrderSINDy(library=Polynomials(3) + Fourier(1, columns=("q",))),
           runs(lambda t, x: [x[1], -np.sin(x[0]) - 0.1 * x[1]], [[2.5, 0]], t6, 1), t6, ("q",),
           {("sin(q)", "q"): -1, ("dq", "q"): -0.1}, None, noises, 20)  # fmt: skip
    yield ("double well", HigherOrderSINDy(),
           runs(lambda t, x: [x[1], x[0] - x[0] ** 3 - 0.15 * x[1]], [[1.5, 1.0]], t8, 1), t8,
           ("q",), {("q", "q"): 1, ("q^3", "q"): -1, ("dq", "q"): -0.15}, None, noises, 20)  # fmt: skip
    yield ("van der Pol", HigherOrderSINDy(),
           runs(lambda t, x: [x[1], 2 * (1 - x[0] ** 2) * x[1] - x[0]], [[1.5, 1.0]], t8, 1), t8,
           ("q",), {("q", "q"): -1, ("dq", "q"): 2, ("q^2*dq", "q"): -2}, None, noises, 20)  # fmt: skip

    def coupled(t, x):
        return [x[2], x[3], -2 * x[0] + 0.5 * x[1] - x[0] ** 3 - 0.1 * x[2],
                -3 * x[1] + 0.5 * x[0] - 0.1 * x[3]]  # fmt: skip

    yield ("two coupled", HigherOrderSINDy(library=Polynomials(3, interactions=False)),
           runs(coupled, [[1.5, -1.0, 0, 0]], t8, 2), t8, ("a", "b"),
           {("a", "a"): -2, ("b", "a"): 0.5, ("a^3", "a"): -1, ("da", "a"): -0.1, ("b", "b"): -3,
            ("a", "b"): 0.5, ("db", "b"): -0.1}, None, noises, 20)  # fmt: skip
    yield ("jerk (order 3)", HigherOrderSINDy(order=3, library=Polynomials(2)),
           runs(lambda t, x: [x[1], x[2], -2.017 * x[2] + x[1] ** 2 - x[0]], [[0, 0, 1.0]],
                t_jerk, 1), t_jerk, ("q",),
           {("q", "q"): -1, ("d2q", "q"): -2.017, ("dq^2", "q"): 1}, None, (0.01, 0.03, 0.1), 20)  # fmt: skip


def rational():
    """Kinetics, switches and predation."""
    t = 0.05 * np.arange(120)
    yield ("Michaelis-Menten", RationalSINDy(),
           runs(lambda t, x: [0.6 - 1.5 * x[0] / (0.3 + x[0])], [[0.02], [1.0], [3.0], [6.0]], t, 1),
           t, ("s",), {("1", "s"): 0.6, ("s", "s"): -3.0, ("/s", "s"): 1 / 0.3}, None,
           (0.01, 0.03, 0.05, 0.1), 12)  # fmt: skip
    t = 0.1 * np.arange(100)
    yield ("Hill switch", RationalSINDy(library=Polynomials(3)),
           runs(lambda t, x: [0.1 + 2 * x[0] ** 2 / (1 + x[0] ** 2) - x[0]],
                [[0.0], [0.4], [0.6], [1.0], [3.0]], t, 1), t, ("x",),
           {("1", "x"): 0.1, ("x", "x"): -1, ("x^2", "x"): 2.1, ("x^3", "x"): -1,
            ("/x^2", "x"): 1.0}, None, (0.01, 0.03, 0.05, 0.1), 12)  # fmt: skip

    def predation(t, x):
        eaten = x[0] * x[1] / (1 + x[0])
        return [x[0] * (1 - x[0] / 5) - 2 * eaten, -0.6 * x[1] + 1.4 * eaten]

    t = 0.1 * np.arange(400)
    yield ("saturating predation", RationalSINDy(library=Polynomials(3), below=Polynomials(1)),
           runs(predation, [[1.0, 1.0], [4.0, 0.3]], t, 2), t, ("x", "y"),
           {("x", "x"): 1, ("x^2", "x"): 0.8, ("x^3", "x"): -0.2, ("x*y", "x"): -2, ("/x", "x"): 1.0,
            ("y", "y"): -0.6, ("x*y", "y"): 0.8, ("/x", "y"): 1.0}, None, (0.01, 0.03, 0.1), 6)  # fmt: skip
    t = 0.1 * np.arange(60)
    yield ("toggle switch", RationalSINDy(library=Polynomials(3)),
           runs(lambda t, x: [3 / (1 + x[1] ** 2) - x[0], 3 / (1 + x[0] ** 2) - x[1]],
                [[0.1, 0.2], [2, 1.0], [0.3, 3], [3, 2.5], [1.0, 0.9], [0.2, 1.5]], t, 2), t,
           ("a", "b"),
           {("1", "a"): 3, ("a", "a"): -1, ("a*b^2", "a"): -1, ("/b^2", "a"): 1.0, ("1", "b"): 3,
            ("b", "b"): -1, ("a^2*b", "b"): -1, ("/a^2", "b"): 1.0}, None, (0.01, 0.03, 0.1), 6)  # fmt: skip


def delay():
    """One column, one unknown delay."""
    noises = (0.02, 0.05, 0.1)
    orbit = delayed(lambda x, d: 1.8 * x * (1 - d), 1.0, 0.005, lambda t: 0.5 + 0.2 * t, 300, 20)
    yield ("delayed logistic", DelaySINDy(delays=(0.5, 2.0)), orbit, 0.1 * np.arange(300), ("x",),
           {("x", "x"): 1.8, ("x*x[-1]", "x"): -1.8}, 1.0, noises, 10)  # fmt: skip
    orbit = delayed(lambda x, d: 0.2 * d / (1 + d**10) - 0.1 * x, 17.0, 0.05,
                    lambda t: 0.9 + 0.1 * np.sin(t / 3), 800, 20, 4_000)  # fmt: skip
    feedback = "x[-1]/(1 + x[-1]^10)"
    yield ("Mackey-Glass", DelaySINDy(delays=(8, 30), library=Polynomials(2) + Expressions(feedback)),
           orbit, 1.0 * np.arange(800), ("x",), {("x", "x"): -0.1, (feedback, "x"): 0.2}, 17.0,
           noises, 10)  # fmt: skip
    orbit = delayed(lambda x, d: -x + 3 * np.sin(d), 2.0, 0.005,
                    lambda t: 0.5 + 0.1 * np.cos(3 * t), 600, 20, 4_000)  # fmt: skip
    yield ("Ikeda", DelaySINDy(delays=(0.8, 5.0),
                               library=Polynomials(3) + Expressions("sin(x[-1])", "cos(x[-1])")),
           orbit, 0.1 * np.arange(600), ("x",), {("x", "x"): -1, ("sin(x[-1])", "x"): 3}, 2.0,
           (0.01, 0.02, 0.05), 4)  # fmt: skip


def row(estimator, orbits, times, names, truth, true_delay, share, seeds, first):
    """Exact structure, no law, coverage of coefficients and delay, CPU seconds."""
    spread = np.concatenate(orbits).std(axis=0)
    exact, none, held, delays, spent = 0, 0, [], [], []
    for seed in range(first, first + seeds):
        rng = np.random.default_rng(seed)
        data = Recording(records=tuple(
            Trajectory(times=times, states=x + share * spread * rng.normal(size=x.shape), names=names)
            for x in orbits
        ))  # fmt: skip
        began = time.process_time()
        fit = estimator.fit(data)
        spent.append(time.process_time() - began)
        law = fit.diagnostics["law"]
        none += fit.status is Status.NO_LAW
        if {(law.terms[k], law.names[i]) for k, i in np.argwhere(law.support)} != set(truth):
            continue
        exact += 1
        for (term, name), value in truth.items():
            low, high = law.coefficient(term, name).interval
            held.append(low <= value <= high)
        if true_delay is not None:
            low, high = fit.diagnostics["delay"].interval
            delays.append(low <= true_delay <= high)
    return (f"{exact}/{seeds}", str(none), f"{np.mean(held):.2f} of {len(held)}" if held else "",
            f"{np.mean(delays):.2f}" if delays else "", f"{np.median(spent):.1f}")  # fmt: skip


TABLES = {"second": second, "rational": rational, "delay": delay}


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=list(TABLES))
    parser.add_argument("--seeds", type=int, help="instead of the number of each case")
    parser.add_argument("--first", type=int, default=0, help="the first seed of the noise")
    parser.add_argument("--output", type=Path, help="where rows are added, and read again")
    given = parser.parse_args()
    done = given.output.read_text().splitlines() if given.output and given.output.exists() else []

    def show(line: str) -> None:
        print(line, flush=True)
        if given.output:
            with given.output.open("a") as file:
                file.write(line + "\n")

    if not done:
        show("| system | noise | exact | no law | coefficients held | delay held | CPU s |")
        show("| --- | --- | --- | --- | --- | --- | --- |")
    for table in given.tables:
        for name, estimator, orbits, times, names, truth, true_delay, noises, seeds in TABLES[
            table
        ]():
            for share in noises:
                start = f"| {name} | {share:.0%} |"
                if any(line.startswith(start) for line in done):
                    continue
                cells = row(estimator, orbits, times, names, truth, true_delay, share,
                            given.seeds or seeds, given.first)  # fmt: skip
                show(f"{start} {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
