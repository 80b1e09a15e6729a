"""How often does a surrogate test reject a null that is true?

    python benchmarks/surrogate_size.py [--runs 1000] [--length 256] [--first 0] [--only NULL/PROCESS]

Every process satisfies the null it is tested under; at 19 surrogates and one side a test should
reject 5 % of the records. Prints one line for each null, process and statistic: the share rejected
and the half-width of its 90 % binomial interval.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.signal import lfilter

from takens.core import InvalidInput
from takens.series import surrogate_tests
from takens.series.observable import delay_vectors
from takens.series.prediction import local_prediction_error

Array = np.ndarray


def linear(n: int, seed: int, *coefficients: float) -> Array:
    noise = np.random.default_rng(seed).normal(size=n + 1000)
    return lfilter([1.0], [1.0, *(-c for c in coefficients)], noise)[1000:]


def arma(n: int, seed: int, past: tuple[float, ...], shock: float) -> Array:
    noise = np.random.default_rng(seed).normal(size=n + 1000)
    return lfilter([1.0, shock], [1.0, *(-c for c in past)], noise)[1000:]


def coupled(n: int, seed: int) -> Array:
    """Two columns: the first, of coefficient 0.9, drives the second, of 0.7, one step later."""
    noise = np.random.default_rng(seed).normal(size=(n + 1000, 2))
    first = lfilter([1.0], [1.0, -0.9], noise[:, 0])
    second = lfilter([1.0], [1.0, -0.7], noise[:, 1] + 0.5 * np.r_[0.0, first[:-1]])
    return np.stack([first, second], axis=1)[1000:]


def sine(n: int, seed: int) -> Array:
    """Of Rayleigh amplitude and uniform phase: a Gaussian process with one line."""
    a, b = np.random.default_rng([seed, 2]).normal(size=2)
    return a * np.cos(0.6 * np.arange(n)) + b * np.sin(0.6 * np.arange(n))


RESONANCE = (2 * 0.97 * np.cos(2 * np.pi * 0.1), -(0.97**2))
PROCESSES = {
    "white": lambda n, seed: linear(n, seed),
    "AR(1) 0.5": lambda n, seed: linear(n, seed, 0.5),
    "AR(1) 0.9": lambda n, seed: linear(n, seed, 0.9),
    "AR(2) resonant": lambda n, seed: linear(n, seed, *RESONANCE),
    "cube of AR(1) 0.7": lambda n, seed: linear(n, seed, 0.7) ** 3,
    "exp of AR(1) 0.7": lambda n, seed: np.exp(0.7 * linear(n, seed, 0.7)),
    "ARMA(2, 1)": lambda n, seed: arma(n, seed, (1.2, -0.5), 0.7),
    "ARMA(1, 1), nearly cancelled": lambda n, seed: arma(n, seed, (0.95,), -0.7),
    "sine of random phase and noise": lambda n, seed: sine(n, seed) + linear(n, seed),
    "cube of AR(1) 0.9": lambda n, seed: linear(n, seed, 0.9) ** 3,
    "exp of AR(1) 0.9": lambda n, seed: np.exp(0.43 * linear(n, seed, 0.9)),
    "cube of AR(2) resonant": lambda n, seed: linear(n, seed, *RESONANCE) ** 3,
    "AR(1) 0.5 about a slow wave": lambda n, seed: (
        linear(n, seed, 0.5) + 2 * np.sin(2 * np.pi * (1.3 * np.arange(n) / n + seed / 7))
    ),
    "AR(1) 0.5, growing": lambda n, seed: linear(n, seed, 0.5) * np.linspace(0.5, 2, n),
    "noisy cycle": lambda n, seed: (
        np.sin(0.3 * np.arange(n) + seed) + 0.2 * np.random.default_rng(seed).normal(size=n)
    ),
    "two AR(1), coupled": lambda n, seed: coupled(n, seed),
    "AR(1) 0.9, 10 % missing": lambda n, seed: holes(linear(n, seed, 0.9), seed, 0.1),
    "AR(1) 0.9, 40 % missing": lambda n, seed: holes(linear(n, seed, 0.9), seed, 0.4),
}
LINEAR = ("AR(1) 0.5", "AR(1) 0.9", "AR(2) resonant")
LENSED = ("cube of AR(1) 0.7", "exp of AR(1) 0.7")
MIXED = ("ARMA(2, 1)", "ARMA(1, 1), nearly cancelled", "sine of random phase and noise")
STRONG = ("cube of AR(1) 0.9", "exp of AR(1) 0.9", "cube of AR(2) resonant")
CASES = [
    *(("linear", name) for name in (*LINEAR, *MIXED, *LENSED, *STRONG)),
    ("shuffle", "white"),
    *((null, "two AR(1), coupled") for null in ("linear", "phase", "iaaft")),
    *(("phase", name) for name in LINEAR),
    *(("aaft", name) for name in (*LINEAR, *LENSED)),
    *(("iaaft", name) for name in (*LINEAR, *LENSED)),
    ("gapped", "AR(1) 0.9, 10 % missing"),
    ("gapped", "AR(1) 0.9, 40 % missing"),
    ("uneven", "AR(1) 0.9, 40 % missing"),
    ("truncated-fourier", "AR(1) 0.5 about a slow wave"),
    ("wavelet", "AR(1) 0.5, growing"),
    ("wavelet", "AR(1) 0.9"),
    ("pseudo-periodic", "noisy cycle"),
    ("twin", "noisy cycle"),
]


def holes(x: Array, seed: int, share: float) -> Array:
    return np.where(np.random.default_rng([seed, 1]).random(len(x)) < share, np.nan, x)


def prediction_error(x: Array) -> float:
    try:
        vectors = delay_vectors((x.reshape(len(x), -1),), 2, 1)
    except InvalidInput:
        return float("nan")
    return local_prediction_error(vectors, lead=1, theiler=2)


def asymmetry(x: Array) -> float:
    worst = 0.0
    for lag in (1, 2):
        step = x[lag:] - x[:-lag]
        step = step[np.isfinite(step)]
        worst = max(worst, abs(np.mean(step**3)) / np.mean(step**2) ** 1.5)
    return float(worst)


STATISTICS = {"prediction error": (prediction_error, "less"), "asymmetry": (asymmetry, "greater")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--first", type=int, default=0, help="seed of the first record")
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    print(f"{asked.runs} runs of {asked.length} samples, 19 surrogates, nominal 5 %", flush=True)
    for null, process in CASES:
        if asked.only not in f"{null}/{process}":
            continue
        start, hits = time.process_time(), np.zeros(len(STATISTICS))
        for seed in range(asked.first, asked.first + asked.runs):
            x = PROCESSES[process](asked.length, seed)
            found = surrogate_tests(x, STATISTICS, null=null, n_surrogates=19, seed=seed)
            hits += [test.p_value <= 0.05 for test in found]
        for name, share in zip(STATISTICS, hits / asked.runs, strict=True):
            half = 1.645 * np.sqrt(max(share * (1 - share), 1e-9) / asked.runs)
            print(f"{null:18s} {process:28s} {name:17s} {share:6.1%} +- {half:.1%}"
                  f"   ({time.process_time() - start:.0f} s)", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
