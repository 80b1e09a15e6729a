"""Which partial differential equations are found in noisy fields, with which error and coverage.

    python benchmarks/pde_identification.py table            # right terms against noise, 10 seeds
    python benchmarks/pde_identification.py starts           # 20 %, every draw from its own start
    python benchmarks/pde_identification.py gaps             # open windows, missing cells, a mask
    python benchmarks/pde_identification.py coverage         # of 95 % intervals, 120 seeds

Fields are made by exponential time differencing of order 4, freed of aliases, at steps that are
small against the motion. Noise is Gaussian with a standard deviation relative to that of the field
(all components together have their own). Estimators run at their defaults: no threshold, no width
and no noise level is given, the grid's periodicity only. A law counts as right where the set of
terms is exactly the true one; the coefficient error is the largest relative one among its terms.
"""

from __future__ import annotations

import argparse
import functools
import time
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from takens import dynamics, learn, systems
from takens.core.system import parameter, static
from takens.systems.field import AbstractField


class LambdaOmega(AbstractField):
    """u_t = D lap u + (1 - A^2) u + A^2 v, v_t = D lap v + (1 - A^2) v - A^2 u, A^2 = u^2 + v^2."""

    length: object = parameter(20.0)
    n_points: int = static(64)
    integrator: object = systems.ETDRK4(max_step=0.02)
    axes: ClassVar[int] = 2
    components: ClassVar[tuple[str, ...]] = ("u", "v")
    degree: ClassVar[int] = 3

    def symbol(self):
        k2 = sum(k**2 for k in self.wavenumbers())
        return jnp.stack([1 - 0.1 * k2, 1 - 0.1 * k2])

    def nonlinear(self, t, v):
        a, b = self.on_grid(self.from_modes(v))
        size = a**2 + b**2
        return jnp.fft.rfftn(size * jnp.stack([b - a, -a - b]), axes=(1, 2))


def waves(n, length, n_waves, seed=0):
    rng, x = np.random.default_rng(seed), np.arange(n) / n * 2 * np.pi
    return sum(
        rng.normal() * np.cos(k * x + rng.uniform(0, 2 * np.pi)) for k in range(1, n_waves + 1)
    )


def orbit(system, x0, n_times, dt, skip=0):
    states = dynamics.trajectory(system, x0, np.arange(n_times + skip) * dt).states
    fields = np.moveaxis(np.asarray(system.on_grid(states[skip:])), 1, -1)
    step = float(system.length) / system.n_points
    line = np.arange(system.n_points) * step
    return fields, np.arange(n_times) * dt, dict.fromkeys("xy"[: system.axes], line)


def burgers(start=0):
    system = systems.Burgers(
        n_points=256, length=16.0, viscosity=0.2, integrator=systems.ETDRK4(max_step=0.01)
    )
    truth = ({"(u^2)_x": -0.5, "u_xx": 0.2},)
    return (*orbit(system, waves(256, 16.0, 5, start), 200, 0.05), truth)


def korteweg_de_vries(start=0):
    system = systems.KortewegDeVries(
        n_points=256, length=40.0, integrator=systems.ETDRK4(max_step=0.005)
    )
    x0 = 0.5 * waves(256, 40.0, 4, start) if start else np.array(system.x0)
    return (*orbit(system, x0, 200, 0.05), ({"(u^2)_x": -3.0, "u_xxx": -1.0},))


def kuramoto_sivashinsky(start=0):
    system = systems.KuramotoSivashinsky(
        n_points=256, length=64.0, integrator=systems.ETDRK4(max_step=0.05)
    )
    truth = ({"(u^2)_x": -0.5, "u_xx": -1.0, "u_xxxx": -1.0},)
    x0 = waves(256, 64.0, 5, start) if start else np.array(system.x0)
    return (*orbit(system, x0, 250, 0.5, skip=250), truth)


def fisher_kpp(start=0):
    system = systems.FisherKPP(n_points=256, length=60.0, integrator=systems.ETDRK4(max_step=0.02))
    x = np.arange(256) / 256 * 2 * np.pi
    patches = ((0.6, 1.0), (0.3, 2.5), (1.4, 4.6))
    if start:
        rng = np.random.default_rng(start)
        patches = zip(rng.uniform(0.3, 1.4, 3), rng.uniform(0.5, 5.8, 3), strict=True)
    x0 = 0.02 + sum(a * np.exp(-(((x - c) / 0.15) ** 2)) for a, c in patches)
    return (*orbit(system, x0, 200, 0.04), ({"u": 1.0, "u^2": -1.0, "u_xx": 1.0},))


def lambda_omega(start=0):
    system = LambdaOmega()
    rng, n = np.random.default_rng(start), 64
    x, y = np.meshgrid(*[np.arange(n) / n * 2 * np.pi] * 2, indexing="ij")
    x0 = np.zeros((2, n, n))
    for k in range(-3, 4):
        for m in range(4):
            phases = rng.uniform(0, 2 * np.pi, 2)
            x0 += 0.25 * rng.normal(size=(2, 1, 1)) * np.cos(k * x + m * y + phases[:, None, None])
    shared = {
        "u_xx": 0.1,
        "u_yy": 0.1,
        "u": 1.0,
        "u^3": -1.0,
        "u v^2": -1.0,
        "u^2 v": 1.0,
        "v^3": 1.0,
    }
    other = {
        "v_xx": 0.1,
        "v_yy": 0.1,
        "v": 1.0,
        "v^3": -1.0,
        "u^2 v": -1.0,
        "u v^2": -1.0,
        "u^3": -1.0,
    }
    return (*orbit(system, x0.ravel(), 80, 0.1), (shared, other))


CASES = {
    "Burgers": burgers,
    "Korteweg-de Vries": korteweg_de_vries,
    "Kuramoto-Sivashinsky": kuramoto_sivashinsky,
    "Fisher-KPP": fisher_kpp,
    "lambda-omega, 2-D": lambda_omega,
}


@functools.cache
def case(name, start=0):
    return CASES[name](start)


def noisy(name, noise, seed, start=0):
    fields, times, places, truth = case(name, start)
    spread = fields.std(axis=tuple(range(fields.ndim - 1)))
    draw = np.random.default_rng(seed).normal(size=fields.shape)
    return fields + noise * spread * draw, times, places, truth


def judged(law, truth):
    """Right terms in every equation, and the largest relative error of a coefficient."""
    worst = 0.0
    for c, terms in enumerate(truth):
        found = {law.names[i] for i in np.flatnonzero(law.included[:, c])}
        if found != set(terms):
            return False, np.nan
        for term, value in terms.items():
            estimate = law.estimate(term, law.components[c])
            worst = max(worst, abs(estimate.value / value - 1))
    return True, worst


def fitted(values, times, places, **settings):
    data = learn.FieldData(values=values, times=times, coordinates=places)
    before = time.process_time()
    law = learn.WeakPDE(**settings).fit(data).diagnostics["law"]
    return law, time.process_time() - before


def row(name, noise, seeds, change=lambda values, rng: values, first=1000, start=0, **settings):
    """Draws from `first` on; from the start of the field numbered `start` on, if that is not zero."""
    results = []
    for seed in range(seeds):
        own = start + seed if start else 0
        values, times, places, truth = noisy(name, noise, first + seed, own)
        values = change(values, np.random.default_rng(10_000 + seed))
        places = {k: v[: values.shape[i + 1]] for i, (k, v) in enumerate(places.items())}
        law, cpu = fitted(values, times, places, **settings)
        results.append((*judged(law, truth), cpu))
    right, error, cpu = map(np.array, zip(*results, strict=True))
    errors = f"{np.nanmedian(error):.2%} ({np.nanmax(error):.2%})" if right.any() else "-"
    good = right & (error < 0.05)
    print(
        f"| {name} | {noise:.0%} | {right.sum()}/{seeds} | {errors} | {good.sum()}/{seeds} "
        f"| {cpu.mean():.1f} |",
        flush=True,
    )


HEADER = (
    "| field | noise | right terms | error, median (largest) | right and under 5 % | CPU s |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def table(names, seeds):
    print(HEADER)
    for name in names:
        for noise in (0.01, 0.05, 0.1, 0.2, 0.5):
            row(name, noise, seeds, periodic=True)


def starts(names, seeds):
    print(HEADER)
    for name in names:
        row(name, 0.2, seeds, first=5000, start=1, periodic=True)


def window(values, rng):
    """Three quarters of every axis, cut open."""
    return values[(slice(None), *[slice(0, 3 * n // 4) for n in values.shape[1:-1]])]


def missing(values, rng):
    """A tenth of the cells, at random."""
    lost = rng.random(values.shape[:-1]) < 0.1
    return np.where(lost[..., None], np.nan, values)


def masked(values, rng):
    """A block of a third of the time and of every axis."""
    out = values.copy()
    out[tuple(slice(n // 3, 2 * n // 3) for n in values.shape[:-1])] = np.nan
    return out


def gaps(names, seeds):
    for change, closed in ((window, False), (missing, True), (masked, True)):
        print(f"\n{change.__doc__}\n\n{HEADER}")
        for name in names:
            row(name, 0.2, seeds, change, periodic=closed)


def coverage(names, seeds):
    print(
        "| field | noise | laws | covered by 95 % intervals | z, mean | z, rms |\n"
        + "| --- " * 6
        + "|"
    )
    for name in names:
        scores = []
        for seed in range(seeds):
            values, times, places, truth = noisy(name, 0.1, 2000 + seed)
            law, _ = fitted(values, times, places, periodic=True)
            if judged(law, truth)[0]:
                for c, terms in enumerate(truth):
                    found = {t: law.estimate(t, law.components[c]) for t in terms}
                    scores.append(
                        [(found[t].value - terms[t]) / found[t].standard_error for t in terms]
                    )
        z = np.array(scores)
        inside = np.abs(z) < 1.959964
        each = ", ".join(f"{share:.3f}" for share in inside.mean(axis=0))
        print(
            f"| {name} | 10% | {len(z)}/{seeds} | {inside.mean():.3f} ({each}) | {z.mean():.2f} "
            f"| {np.sqrt((z**2).mean()):.2f} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["table", "starts", "gaps", "coverage"])
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--fields", nargs="*", default=None)
    given = parser.parse_args()
    names = [
        n for n in CASES if not given.fields or any(f.lower() in n.lower() for f in given.fields)
    ]
    part = {"table": table, "starts": starts, "gaps": gaps, "coverage": coverage}[given.part]
    if given.part == "coverage" and not given.fields:
        names = ["Burgers", "Kuramoto-Sivashinsky"]
    part(names, given.seeds or {"coverage": 120, "starts": 20}.get(given.part, 10))


if __name__ == "__main__":
    main()
