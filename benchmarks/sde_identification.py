"""How often do stochastic laws found in one path hold the truth?

    python benchmarks/sde_identification.py [coefficients terms curves sensor escape jumps] [--runs 200]

The tables on docs/learn/stochastic.md were made with it. Paths come from exact transitions; the double
well by a scheme of weak order two with 20 steps to a sample.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from takens.core import Status
from takens.dynamics import kramers_rate
from takens.learn import DiffusionLaw, KramersMoyal, jump_test
from takens.systems import NoisyDoubleWell
from tests.learn.paths import double_well, geometric, observed, ornstein_uhlenbeck, square_root

CASES = {  # maker, step, powers of drift and of squared noise, their coefficients
    "Ornstein-Uhlenbeck": (ornstein_uhlenbeck, 0.1, (1,), (0,), [-1, 1]),
    "the same, step 1": (ornstein_uhlenbeck, 1.0, (1,), (0,), [-1, 1]),
    "square root (CIR)": (square_root, 0.1, (0, 1), (1,), [1, -1, 0.25]),
    "geometric (GBM)": (geometric, 0.1, (1,), (2,), [0.05, 0.04]),
    "double well": (double_well, 0.1, (1, 3), (0,), [1, -1, 0.49]),
}


def path(name: str, n: int, seed: int):
    make, dt = CASES[name][:2]
    return observed(make(n, dt, seed=seed), dt)


def coefficients(runs: int) -> None:
    print("\nCoefficients, terms known, 2,000 samples, nominal 95 %:")
    for name, (_, _, drift, noise, truth) in CASES.items():
        law = DiffusionLaw(drift_powers=drift, noise_powers=noise, sensor="none")
        errors, spent, refused = [], time.process_time(), 0
        for seed in range(runs):
            fit = law.fit(path(name, 2000, seed))
            found = fit.diagnostics["law"]
            errors.append((found.coefficients - truth) / found.standard_errors)
            refused += fit.status is Status.NOT_APPLICABLE
        spent = (time.process_time() - spent) / runs
        hit = (np.abs(errors) < 1.959964).mean(axis=0)
        print(f"| {name} | {', '.join(f'{h:.3f}' for h in hit)} | bias / s.e. "
              f"{np.round(np.mean(errors, axis=0), 2)} | refused {refused / runs:.3f} | {spent:.2f} s",
              flush=True)  # fmt: skip


def terms(runs: int) -> None:
    print("\nTerms chosen among powers 0 to 5 and 0 to 2, sensor decided, 4,000 samples:")
    for name, (_, _, drift, noise, truth) in CASES.items():
        right, perfect, inside, spent = 0, 0, [], time.process_time()
        for seed in range(runs):
            law = DiffusionLaw().fit(path(name, 4000, seed)).diagnostics["law"]
            same = (law.drift_powers, law.noise_powers) == (drift, noise)
            right, perfect = right + same, perfect + (law.decision == "dynamical noise")
            x = np.linspace(*law.support, 23)[4:-4]
            for (value, error), powers, part in (
                (law.drift_at(x), drift, truth[: len(drift)]),
                (law.squared_noise_at(x), noise, truth[len(drift) :]),
            ):
                true = (x[:, None] ** np.array(powers, float)) @ part
                inside.append(np.mean(np.abs(value - true) < 1.959964 * error))
        spent = (time.process_time() - spent) / runs
        print(f"| {name} | right terms {right / runs:.3f} | no sensor noise {perfect / runs:.3f} | drift "
              f"within {np.mean(inside[::2]):.3f} | squared noise within {np.mean(inside[1::2]):.3f} | "
              f"{spent:.2f} s", flush=True)  # fmt: skip


def curves(runs: int) -> None:
    print("\nKramers-Moyal curves at the supported nodes, 4,000 samples, nominal 95 %:")
    for name, (_, dt, drift, noise, truth) in CASES.items():
        if dt == 1.0:
            continue
        hit, spent = [], time.process_time()
        for seed in range(runs):
            law = KramersMoyal().fit(path(name, 4000, seed)).diagnostics["law"]
            x, kept = law.axes[0], law.supported
            row = []
            for value, error, powers, part in (
                (law.drift[:, 0], law.drift_error[:, 0], drift, truth[: len(drift)]),
                (law.squared_noise[:, 0, 0], law.squared_noise_error[:, 0, 0], noise,
                 truth[len(drift) :]),
            ):  # fmt: skip
                true = (x[:, None] ** np.array(powers, float)) @ part
                row.append((np.abs(value - true) < 1.959964 * error)[kept].mean())
            hit.append(row)
        spent = (time.process_time() - spent) / runs
        print(f"| {name} | drift {np.mean(hit, axis=0)[0]:.3f} | squared noise "
              f"{np.mean(hit, axis=0)[1]:.3f} | {spent:.2f} s", flush=True)  # fmt: skip


def sensor(runs: int) -> None:
    print("\nOrnstein-Uhlenbeck through a sensor, 2,000 samples every 0.1, powers 0 to 3:")
    for size in (0.0, 0.1, 0.2, 0.4):
        decisions: dict[str, int] = {}
        hit, naive = [], []
        for seed in range(runs):
            x = ornstein_uhlenbeck(2000, 0.1, seed=seed)
            z = observed(x + size * np.random.default_rng(10_000 + seed).normal(size=2000))
            law = DiffusionLaw(degree=3).fit(z).diagnostics["law"]
            decisions[law.decision] = decisions.get(law.decision, 0) + 1
            at = np.array([0.5])
            hit.append([abs(law.drift_at(at)[0][0] + 0.5) < 1.96 * law.drift_at(at)[1][0],
                        abs(law.squared_noise_at(at)[0][0] - 1)
                        < 1.96 * law.squared_noise_at(at)[1][0]])  # fmt: skip
            plain = DiffusionLaw(drift_powers=(1,), noise_powers=(0,), sensor="none").fit(z)
            naive.append(plain.diagnostics["law"].coefficients)
        print(f"| {size} | {decisions} | drift at 0.5 within {np.mean(hit, axis=0)[0]:.3f} | squared noise "
              f"within {np.mean(hit, axis=0)[1]:.3f} | taken for perfect: "
              f"{np.round(np.mean(naive, axis=0), 2)}", flush=True)  # fmt: skip


def escape(runs: int) -> None:
    def rate(system) -> float:
        return kramers_rate(system, [1.0], [0.0]).exact.value

    truth = rate(NoisyDoubleWell(noise=0.7))
    hit, width = [], []
    for seed in range(runs):
        law = DiffusionLaw(degree=3, noise_degree=0, drift_powers=(1, 3), noise_powers=(0,),
                           sensor="none").fit(path("double well", 4000, seed)).diagnostics["law"]  # fmt: skip
        low, high = law.propagate(rate, n_samples=100).interval
        hit.append(low < truth < high)
        width.append(high / low)
    print(f"\nEscape rate {truth:.4g} within {np.mean(hit):.3f} of {runs} intervals, whose ends differ "
          f"by a factor of {np.median(width):.2f}.", flush=True)  # fmt: skip


def jumps(runs: int) -> None:
    print("\nJump test at 5 %, 2,000 samples every 0.02 (GBM 0.1):")
    for name, make, dt in (("Ornstein-Uhlenbeck", ornstein_uhlenbeck, 0.02),
                           ("square root (CIR)", square_root, 0.02),
                           ("geometric (GBM)", geometric, 0.1)):  # fmt: skip
        p = [jump_test(observed(make(2000, dt, seed=s), dt)).p_value for s in range(runs)]
        print(f"| {name} | refused {np.mean(np.array(p) < 0.05):.3f}", flush=True)
    for size in (0.6, 0.8, 1.0):
        p = []
        for s in range(runs):
            x = ornstein_uhlenbeck(2000, 0.02, seed=s)
            x[1000:] += size
            p.append(jump_test(observed(x, 0.02)).p_value)
        print(f"| one jump of {size / 0.02**0.5:.1f} noise deviations | found "
              f"{np.mean(np.array(p) < 0.05):.3f}", flush=True)  # fmt: skip


TABLES = {f.__name__: f for f in (coefficients, terms, curves, sensor, escape, jumps)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="*", default=list(TABLES))
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--only", help="part of the name of the laws to take")
    settings = parser.parse_args()
    CASES = {k: v for k, v in CASES.items() if (settings.only or "") in k}
    for table in settings.tables:
        TABLES[table](settings.runs)
