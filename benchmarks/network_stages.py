"""What the last stages of training a network through orbits are worth, on fresh noisy records.

    python benchmarks/network_stages.py [--seeds N] [--first N]

Two half-known systems whose missing part is no polynomial, or one of two columns. The error of the
missing rates is along the true orbit; that of new orbits is over four time units from three other
starts. Both are relative to the size of what they are the error of; `before` is a network whose hidden
layer was matched to slopes alone.
"""

from __future__ import annotations

import argparse
import time
from unittest import mock

import numpy as np
from scipy.integrate import solve_ivp

from takens.core import Trajectory
from takens.learn import Network, known
from takens.learn.partly import network


def swing(x):
    """Missing rates of a pendulum with two wells and turbulent friction."""
    return np.array([0.0, -np.sin(2 * x[0]) - 0.3 * x[1] * abs(x[1])])


def meeting(x):
    """Missing rates of prey and predators."""
    return np.array([-0.9 * x[0] * x[1], 0.8 * x[0] * x[1]])


# name: equations, columns that lack something, known rates, missing rates, start, times, new starts
CASES = {
    "pendulum": (["dq/dt = v", "dv/dt = 0*q"], ("v",), lambda x: np.array([x[1], 0.0]), swing,
                 [1.2, 0.0], 0.1 * np.arange(120), [[0.9, 0.4], [0.5, -0.6], [1.0, 0.0]]),
    "Lotka-Volterra": (["dq/dt = 1.3*q", "dv/dt = -1.8*v"], None,
                       lambda x: np.array([1.3 * x[0], -1.8 * x[1]]), meeting, [0.44, 4.63],
                       0.1 * np.arange(80), [[0.6, 4.0], [2.0, 1.0], [3.0, 2.0]]),
}  # fmt: skip
AHEAD = 0.1 * np.arange(40)


def orbit(rate, start, times):
    """Of a rule; NaN after it has left the numbers."""
    found = solve_ivp(
        lambda t, x: rate(x), (0, times[-1]), start, t_eval=times, rtol=1e-7, atol=1e-9
    )
    whole = np.full((len(times), len(start)), np.nan)
    whole[: found.y.shape[1]] = found.y.T
    return whole


def errors(model, given, missing, path, starts):
    """Of the missing rates, and of new orbits."""
    learned = model.learned
    hidden, bias, output = (np.asarray(a) for a in (learned.hidden, learned.bias, learned.output))
    centre, scale = np.asarray(learned.centre), np.asarray(learned.scale)

    def rate(x):
        return np.append(np.tanh(hidden @ ((x - centre) / scale) + bias), 1.0) @ output

    true = np.array([missing(x) for x in path])
    ours = np.array([rate(x) for x in path])
    apart = []
    for start in starts:
        exact = orbit(lambda x: given(x) + missing(x), start, AHEAD)
        found = orbit(lambda x: given(x) + rate(x), start, AHEAD)
        apart.append(np.sqrt(np.mean((found - exact) ** 2)) / exact.std())
    return np.sqrt(np.mean((ours - true) ** 2) / np.mean(true**2)), float(np.mean(apart))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1_000)
    given = parser.parse_args()
    print(
        "| system | noise | rates, before | after | new orbits, before | after | rates better | CPU s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, (equations, lacking, part, missing, start, times, starts) in CASES.items():
        path = orbit(lambda x, p=part, m=missing: p(x) + m(x), start, times)
        finder = known(equations) + Network(equations=lacking, terms=None)
        for share in (0.02, 0.05, 0.1):
            rows, spent = [], []
            for seed in range(given.first, given.first + given.seeds):
                noise = np.random.default_rng(seed).normal(size=path.shape)
                data = Trajectory(
                    times=times, states=path + share * path.std(axis=0) * noise, names=("q", "v")
                )
                with mock.patch.object(network, "_bettered", lambda problem, found, *rest: found):
                    before = errors(finder.fit(data).model, part, missing, path, starts)
                began = time.process_time()
                model = finder.fit(data).model
                spent.append(time.process_time() - began)
                rows.append(before + errors(model, part, missing, path, starts))
            a, b, c, d = np.nanmedian(rows, axis=0)
            better = sum(r[2] < r[0] for r in rows)
            print(f"| {name} | {share:.0%} | {a:.3f} | {c:.3f} | {b:.3f} | {d:.3f} | "
                  f"{better} of {len(rows)} | {np.median(spent):.1f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
