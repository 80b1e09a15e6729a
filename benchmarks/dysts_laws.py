"""Equations of 70 polynomial chaotic flows from noisy records, beside the published benchmark.

    python benchmarks/dysts_laws.py [--noise 0 0.1 1] [--only NAME ...] [--part K/N]

Protocol of Kaptanoglu et al., Nonlinear Dynamics 111, 13143 (2023): for each system five records of
1,000 points, 100 a period, from different places on the attractor; Gaussian noise in percent of the
root mean square of the record; all monomials up to degree four; error of the coefficients in the
spectral norm, over that of the true ones. The published figures chose a threshold on clean test
records; here nothing is chosen, and only the noisy records are seen. Results go to a file of one
line each, so that a run can be stopped and resumed; `--summarise` prints the table.
Needs `dysts`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

NAMES = tuple(  # the polynomial flows of the published benchmark
    """Aizawa Bouali2 BurkeShaw Chen ChenLee Dadras DequanLi Finance GenesioTesi GuckenheimerHolmes
Hadley Halvorsen HenonHeiles HyperBao HyperCai HyperJha HyperLorenz HyperLu HyperPang HyperQi
HyperRossler HyperWang HyperXu HyperYan HyperYangChen KawczynskiStrizhak Laser Lorenz
LorenzBounded LorenzStenflo LuChen LuChenCheng MooreSpiegel NewtonLiepnik NoseHoover
NuclearQuadrupole PehlivanWei Qi QiChen RabinovichFabrikant RayleighBenard RikitakeDynamo
Rossler Rucklidge Sakarya ShimizuMorioka SprottA SprottB SprottC SprottD SprottE SprottF SprottG
SprottH SprottI SprottJ SprottJerk SprottK SprottL SprottM SprottN SprottO SprottP SprottQ
SprottR SprottS SprottTorus VallisElNino WangSun ZhouChen""".split()  # noqa: SIM905 - seventy names read better as words
)
PUBLISHED = {0.0: (2.08e-5, 0.93), 0.1: (1.82e-4, 0.84), 1.0: (4.03e-3, 0.61)}  # weak STLSQ


def system(name: str):
    """Right-hand side, start and sampling step of a flow of dysts."""
    import dysts.flows

    flow = getattr(dysts.flows, name)()
    start = np.asarray(flow.ic, dtype=float)
    start = start[0] if start.ndim == 2 else start
    return (lambda t, x: np.asarray(flow.rhs(x, t), dtype=float)), start, float(flow.period) / 100


def records(name: str, count: int, length: int = 1_000) -> tuple[list[np.ndarray], float]:
    """Clean records from places on the attractor ten periods apart."""
    rate, x, dt = system(name)
    found = []
    for _ in range(count):
        grid = dt * np.arange(2 * length)
        orbit = solve_ivp(
            rate, (0, grid[-1]), x, method="DOP853", t_eval=grid, rtol=1e-11, atol=1e-12
        )
        if orbit.y.shape[1] < len(grid) or not np.isfinite(orbit.y).all():
            raise RuntimeError(f"{name} left the attractor")
        found.append(orbit.y.T[length:])
        x = orbit.y[:, -1]
    return found, dt


def truth(name: str, terms, scale: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Coefficients of the rule over the terms, by least squares at exact values."""
    rate, _, _ = system(name)
    rng = np.random.default_rng(0)
    x = centre + scale * rng.normal(size=(6 * len(terms), len(scale)))
    values, rates = terms(x), np.stack([rate(0.0, row) for row in x])
    size = np.abs(values).max(axis=0)
    table = np.linalg.lstsq(values / size, rates, rcond=None)[0] / size[:, None]
    share = np.abs(table) * np.sqrt((values**2).mean(0))[:, None]
    table[share < 1e-8 * share.max(axis=0)] = 0.0
    table = np.where(np.abs(table - np.round(table)) < 1e-9, np.round(table), table)
    left = np.abs(values @ table - rates).max(axis=0) / np.abs(rates).max(axis=0)
    if (left > 1e-6).any():
        raise RuntimeError(f"{name} is no polynomial of this degree: {left}")
    return table


def run(name: str, noise: float, seed: int) -> dict:
    """One fit."""
    from takens.core import Trajectory
    from takens.learn import SINDy
    from takens.learn.terms import Polynomials

    clean, dt = records(name, 5)
    rng = np.random.default_rng(1_000 * seed + NAMES.index(name))
    noisy = [x + noise / 100 * np.sqrt((x**2).mean()) * rng.normal(size=x.shape) for x in clean]
    stacked = np.concatenate(clean)
    columns = tuple("xyzw"[: stacked.shape[1]])
    terms = Polynomials(4).over(columns)
    exact = truth(name, terms, stacked.std(0), stacked.mean(0))
    data = [Trajectory(times=dt * np.arange(len(x)), states=x, names=columns) for x in noisy]
    began = time.process_time()
    fit = SINDy(library=Polynomials(4)).fit(data)
    seconds = time.process_time() - began
    found = np.nan_to_num(fit.diagnostics["law"].coefficients)
    error = np.linalg.norm(found - exact, 2) / np.linalg.norm(exact, 2)
    return {
        "name": name, "noise": noise, "seed": seed, "status": fit.status.name, "error": float(error),
        "exact": bool(((found != 0) == (exact != 0)).all()),
        "missing": int(((found == 0) & (exact != 0)).sum()),
        "extra": int(((found != 0) & (exact == 0)).sum()), "seconds": round(seconds, 2),
    }  # fmt: skip


def summarise(path: Path) -> None:
    """The table."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    print(f"{'noise %':>8}{'runs':>6}{'median':>10}{'< 1 %':>7}{'< 10 %':>7}{'exact':>7}{'CPU s':>7}"
          "   published weak STLSQ: median, < 1 %")  # fmt: skip
    for noise in sorted({line["noise"] for line in lines}):
        here = [line for line in lines if line["noise"] == noise]
        errors = np.array([line["error"] for line in here])
        print(f"{noise:8g}{len(here):6d}{np.median(errors):10.2e}{(errors < 0.01).mean():7.2f}"
              f"{(errors < 0.1).mean():7.2f}{np.mean([line['exact'] for line in here]):7.2f}"
              f"{np.median([line['seconds'] for line in here]):7.1f}   {PUBLISHED.get(noise, '')}")  # fmt: skip


def main() -> None:
    """Run what is asked and not yet on file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.1, 1.0])
    parser.add_argument("--only", nargs="+", default=NAMES)
    parser.add_argument("--part", default="0/1", help="K/N: every N-th system from the K-th")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--file", type=Path, default=None)
    parser.add_argument("--summarise", action="store_true")
    given = parser.parse_args()
    folder = Path(os.environ.get("TAKENS_BENCHMARK_CACHE", Path.home() / ".cache" / "takens"))
    path = given.file or folder / "dysts-laws.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    if given.summarise:
        summarise(path)
        return
    done = set()
    if path.exists():
        done = {
            (r["name"], r["noise"], r["seed"])
            for r in map(json.loads, path.read_text().splitlines())
        }
    k, n = map(int, given.part.split("/"))
    for noise in given.noise:
        for name in given.only[k::n]:
            if (name, noise, given.seed) in done:
                continue
            try:
                result = run(name, noise, given.seed)
            except Exception as error:
                print(name, noise, "failed:", error)
                continue
            with path.open("a") as file:
                file.write(json.dumps(result) + "\n")
            print(result, flush=True)


if __name__ == "__main__":
    main()
