"""How often do the 90 % intervals of entropies hold a truth that is known in closed form?

    python benchmarks/entropy_coverage.py [--runs 200]

The table on docs/series/entropies.md was made with it.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import erf, ndtr
from scipy.stats import multivariate_normal
from signals import make

from takens import series
from takens.series.complexity import jensen_complexity


def entropy(p) -> float:
    p = np.asarray(p)[np.asarray(p) > 0]
    return float(-np.sum(p * np.log(p)))


# The logistic map at r = 4: x = sin^2(a), a uniform on 0 to 90 degrees.
LOGISTIC = np.array([1 / 3, 1 / 15, 2 / 15, 4 / 15, 1 / 5, 0])


def ar1_patterns(rho: float) -> float:
    """Permutation entropy of three values: signs of two increments of known correlation."""
    both = (2 * rho - 1 - rho**2) / (2 * (1 - rho))
    straight = 0.25 + np.arcsin(both) / (2 * np.pi)
    return entropy([straight] * 2 + [(1 - 2 * straight) / 4] * 4) / np.log(6)


def ar1_sample(rho: float, r: float = 0.2) -> float:
    """Sample entropy of one value: differences of two independent pairs are bivariate normal."""
    pair = multivariate_normal(cov=2 * np.array([[1, rho], [rho, 1]]))
    square = pair.cdf([r, r]) - 2 * pair.cdf([r, -r]) + pair.cdf([-r, -r])
    return float(np.log(erf(r / 2) / square))


def slopes(flat: float = 0.1) -> float:
    steep, level = 2 * ndtr(-1 / np.sqrt(2)), 2 * ndtr(flat / np.sqrt(2)) - 1
    gentle = 1 - steep - level
    return entropy([steep / 2, gentle / 2, level, gentle / 2, steep / 2]) / np.log(5)


def spectrum(rho: float, lag: int = 64) -> float:
    """Of AR(1) through Parzen's lag window."""
    k = np.arange(-lag, lag + 1)
    u = np.abs(k) / lag
    window = np.where(u <= 0.5, 1 - 6 * u**2 + 6 * u**3, 2 * (1 - u) ** 3)
    p = [np.sum(window * rho ** np.abs(k) * np.cos(np.pi * j * k / lag)) for j in range(1, lag)]
    return entropy(np.array(p) / np.sum(p)) / np.log(lag - 1)


def uniform(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng([7, seed]).uniform(size=n)


FLAT = 0.2 / np.sqrt(12)
CASES = {
    "sample, white": (
        2_000,
        lambda x: series.sample_entropy(x).entropy,
        "white",
        -np.log(erf(0.1)),
    ),
    "sample, uniform": (
        2_000,
        lambda x: series.sample_entropy(x).entropy,
        uniform,
        -np.log(2 * FLAT - FLAT**2),
    ),
    "sample of one value, AR(1)": (
        2_000,
        lambda x: series.sample_entropy(x, dimension=1).entropy,
        "ar1_0.5",
        ar1_sample(0.5),
    ),
    "permutation, logistic": (
        2_000,
        lambda x: series.permutation_entropy(x, order=3).entropy,
        "logistic",
        entropy(LOGISTIC) / np.log(6),
    ),
    "permutation, AR(1)": (
        2_000,
        lambda x: series.permutation_entropy(x, order=3).entropy,
        "ar1_0.5",
        ar1_patterns(0.5),
    ),
    "permutation, white": (
        2_000,
        lambda x: series.permutation_entropy(x, order=3).entropy,
        "white",
        1.0,
    ),
    "slope, white": (
        3_000,
        lambda x: series.slope_entropy(x, length=2, flat=0.1).entropy,
        "white",
        slopes(),
    ),
    "dispersion, white": (3_000, lambda x: series.dispersion_entropy(x).entropy, "white", 1.0),
    "spectral, AR(1)": (
        8_000,
        lambda x: series.spectral_entropy(x, max_lag=64).entropy,
        "ar1_0.5",
        spectrum(0.5),
    ),
    "spectral, white": (
        3_000,
        lambda x: series.spectral_entropy(x, max_lag=40).entropy,
        "white",
        1.0,
    ),
    "complexity, logistic": (
        3_000,
        lambda x: series.statistical_complexity(x, order=3).complexity,
        "logistic",
        float(jensen_complexity(LOGISTIC)[1]),
    ),
    "Lempel-Ziv, white": (
        3_000,
        lambda x: series.lempel_ziv_complexity(x).complexity,
        "white",
        1.0,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    for name, (n, measure, source, truth) in CASES.items():
        hits = 0
        for seed in range(runs):
            x = make(source, n, seed) if isinstance(source, str) else source(n, seed)
            low, high = measure(x).interval
            hits += low <= truth <= high
        print(f"| {name} | {n} | {runs} | {hits / runs:.0%} |", flush=True)


if __name__ == "__main__":
    main()
