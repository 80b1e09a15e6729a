"""Lyapunov exponents of random networks against the mean field, over their size.

``h' = tanh(J h)`` with independent normal entries of variance g^2 / N. For N to infinity the exponent is
that of Molgedey, Schuchhardt and Schuster, Phys. Rev. Lett. 69, 3717 (1992); a finite network differs by
a mean of order 1/N and, from network to network, by a spread, and both are shown.
"""

import argparse
import time

import numpy as np

from takens import algorithms, dynamics

GAINS = (2.0, 5.0, 10.0)
SIZES = {500: 8, 1000: 4, 2000: 3}  # units, and networks of that size


def mean_field(g, n_nodes=4001):
    """The exponent of an infinite network, by quadrature over a normal variable."""
    z = np.linspace(-9.0, 9.0, n_nodes)
    weight = np.exp(-0.5 * z**2)
    weight /= weight.sum()
    q = 0.5
    for _ in range(10_000):
        q = weight @ np.tanh(g * np.sqrt(q) * z) ** 2
    return 0.5 * np.log(g**2 * (weight @ np.cosh(g * np.sqrt(q) * z) ** -4))


def exponent(g, units, seed, n_steps):
    """The largest exponent of one network, with its standard error along the orbit."""
    rng = np.random.default_rng(seed)
    network = algorithms.rnn_system(g * rng.normal(size=(units, units)) / np.sqrt(units))
    found = dynamics.lyapunov_spectrum(
        network, rng.normal(size=units), n_steps=n_steps, n_transient=n_steps // 5, n_exponents=1
    )
    return found.exponents[0], found.standard_error[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="networks of 200 and 400 units")
    parser.add_argument("--first-seed", type=int, default=1000)
    settings = parser.parse_args()
    sizes = {200: 4, 400: 2} if settings.quick else SIZES
    print(
        "| g | mean field | units | networks | mean | off by | spread | along the orbit | CPU s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for g in GAINS:
        limit = mean_field(g)
        for units, count in sizes.items():
            start = time.process_time()
            made = [exponent(g, units, settings.first_seed + i, 2000) for i in range(count)]
            values, errors = np.array(made).T
            print(
                f"| {g:g} | {limit:.4f} | {units} | {count} | {values.mean():.4f} "
                f"| {values.mean() / limit - 1:+.2%} | {values.std(ddof=1):.4f} | {errors.mean():.4f} "
                f"| {time.process_time() - start:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
