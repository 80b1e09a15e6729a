"""How often `same_dynamics` tells runs apart: of one system, in other coordinates, and of others.

Forty starts a run, forty steps each, eight units; a motion that goes on is cut into segments. The share of
pairs with p at most 0.05 is the size where the dynamics are the same and the power where they differ.
"""

import argparse
import time

import numpy as np

from takens import algorithms

RATE, CURVATURES, TARGET = 0.1, np.array([1.0, 3.0]), np.array([0.7, 0.4])
TURN = np.linalg.qr(np.random.default_rng(0).normal(size=(2, 2)))[0]


def iterated(step, x, n):
    out = [x]
    for _ in range(n):
        out.append(step(out[-1]))
    return np.stack(out, axis=1)


def descent(rng, curvatures=CURVATURES):
    return iterated(
        lambda w: w - RATE * curvatures * (w - TARGET), rng.uniform(0.2, 1.2, (40, 2)), 40
    )


def mirror(rng, rate=RATE):
    return iterated(
        lambda w: w * np.exp(-rate * CURVATURES * (w - TARGET)), rng.uniform(0.2, 1.2, (40, 2)), 40
    )


def dual(rng):
    return np.log(mirror(rng))


def noisy(make, size=1e-3):
    def made(rng):
        runs = make(rng)
        return runs + size * rng.normal(size=runs.shape)

    return made


def cycle(rng, turn=0.6):
    """A Hopf normal form at its cycle's amplitude, sampled."""
    z = rng.uniform(0.5, 1.5, 40) * np.exp(2j * np.pi * rng.uniform(size=40))
    states = iterated(lambda z: z * np.exp(1j * turn) * (1 + 0.2 * (1 - np.abs(z) ** 2)), z, 40)
    return np.stack([states.real, states.imag], axis=-1)


def bent_cycle(rng):
    runs = cycle(rng)
    return runs @ TURN + 0.15 * runs[..., ::-1] ** 2


def henon(rng, a=1.4):
    def step(x):
        return np.stack([1 - a * x[:, 0] ** 2 + x[:, 1], 0.3 * x[:, 0]], axis=1)

    return iterated(step, 0.1 * rng.uniform(-1, 1, (40, 2)), 140)[:, 100:]


def near(rng):
    """Multipliers 0.951 and 0.952, in the coordinates in which they are linear."""
    return iterated(
        lambda x: 0.3 + np.array([0.951, 0.952]) * (x - 0.3), rng.uniform(0.2, 1.2, (40, 2)), 40
    )


def near_bent(rng):
    runs = near(rng)
    return np.log(runs + 0.2 + 0.3 * runs[..., ::-1] ** 2)


KOOPMAN = algorithms.KoopmanSpectrum()
PAIRS = {
    "mirror descent, itself": (mirror, mirror, KOOPMAN),
    "the same with itself, 1e-3 noise": (noisy(mirror), noisy(mirror), KOOPMAN),
    "mirror descent, its dual": (mirror, dual, KOOPMAN),
    "mirror descent, steps 2 % longer": (mirror, lambda rng: mirror(rng, 1.02 * RATE), KOOPMAN),
    "mirror descent, gradient descent": (mirror, descent, KOOPMAN),
    "these two, 1e-3 noise": (noisy(mirror), noisy(descent), KOOPMAN),
    "multipliers 0.951 and 0.952, bent coordinates": (near, near_bent, KOOPMAN),
    "cycle, itself": (cycle, cycle, KOOPMAN),
    "cycle, bent coordinates": (cycle, bent_cycle, KOOPMAN),
    "cycle, 1 % faster": (cycle, lambda rng: cycle(rng, 0.606), KOOPMAN),
    "cycle, itself, DSA": (cycle, cycle, algorithms.DelayMatrix(n_delays=2, rank=4)),
    "cycle, 1 % faster, DSA": (
        cycle, lambda rng: cycle(rng, 0.606), algorithms.DelayMatrix(n_delays=2, rank=4)
    ),
    "Hénon, itself, DSA": (henon, henon, algorithms.DelayMatrix(n_delays=2, rank=3)),
    "Hénon, a = 1.3, DSA": (henon, lambda rng: henon(rng, 1.3), algorithms.DelayMatrix(n_delays=2, rank=3)),
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200, help="of each row")
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    settings = parser.parse_args()
    count = settings.pairs
    print("| pair | pairs | p at most 0.05 | no answer | median resolution | CPU s a pair |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (make_a, make_b, fingerprint) in PAIRS.items():
        if settings.only not in name:
            continue
        start, found = time.process_time(), []
        for seed in range(settings.first_seed, settings.first_seed + count):
            rng = np.random.default_rng(seed)
            found.append(
                algorithms.same_dynamics(
                    list(make_a(rng)), list(make_b(rng)), fingerprint=fingerprint, throw=False
                )
            )
        said = [one for one in found if one.p_value.is_finite]
        different = np.mean([one.verdict == "different" for one in said]) if said else np.nan
        seen = [one.resolution for one in said if np.isfinite(one.resolution)]
        print(
            f"| {name} | {count} | {different:.3f} | {count - len(said)} "
            f"| {np.median(seen) if seen else np.nan:.2g} "
            f"| {(time.process_time() - start) / count:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
