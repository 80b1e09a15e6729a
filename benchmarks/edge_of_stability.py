"""Whether training meets the threshold of its optimiser, and stays there: the edge of stability.

    python benchmarks/edge_of_stability.py          # needs scikit-learn for its digits; 2 minutes

Net A: tanh, 1-50-1, on the Chebyshev polynomial T4 at 20 points. Net B: tanh, 64-32-10, on the first
200 digits of scikit-learn, centred, over 16. Loss: half the mean over examples of the squared error
summed over outputs; weights uniform within one over the root of the inputs, no bias at the start; full
batch, double precision. Reported is the median of sharpness over threshold in the last quarter of the run.
"""

from __future__ import annotations

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens import algorithms

POINTS = 60  # states of a run at which sharpness is asked


def data_a():
    x = np.linspace(-1, 1, 20)[:, None]
    return x, 8 * x**4 - 8 * x**2 + 1


def data_b():
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = digits.data[:200] / 16
    return x - x.mean(axis=0), np.eye(10)[digits.target[:200]]


def network(w, data):
    x, y = data
    hidden = jnp.tanh(x @ w["in"] + w["bias"])
    return 0.5 * jnp.mean(jnp.sum((hidden @ w["out"] + w["offset"] - y) ** 2, axis=1))


def weights(x, y, width, seed):
    rng = np.random.default_rng(seed)
    ins, outs = x.shape[1], y.shape[1]
    return {
        "in": rng.uniform(-1, 1, (ins, width)) / ins**0.5,
        "bias": np.zeros(width),
        "out": rng.uniform(-1, 1, (width, outs)) / width**0.5,
        "offset": np.zeros(outs),
    }


@eqx.filter_jit
def run(system, x, n, n_steps):
    return jax.lax.fori_loop(0, n_steps, lambda i, s: system.step(n + i, s), x)


GD, HB, NAG = algorithms.GradientDescent, algorithms.HeavyBall, algorithms.Nesterov
ADAM, RMS = algorithms.Adam, algorithms.RMSProp
ROWS = [  # name, net, optimiser, settings, steps, seed, published ratio, tolerance
    *[("gradient descent, B 0.5", "B", GD, (0.5,), 3000, s, 1.0, 0.03) for s in range(5)],
    ("gradient descent, B 0.2 (control)", "B", GD, (0.2,), 3000, 0, 0.387, None),
    ("gradient descent, A 0.2", "A", GD, (0.2,), 20_000, 0, 1.0, 0.03),
    ("gradient descent, A 0.4", "A", GD, (0.4,), 20_000, 0, 1.0, 0.03),
    ("heavy ball 0.5, A 0.2", "A", HB, (0.2, 0.5), 20_000, 0, 1.0, 0.03),
    ("heavy ball 0.5, A 0.3", "A", HB, (0.3, 0.5), 20_000, 0, 1.0, 0.03),
    ("heavy ball 0.5, B 0.6", "B", HB, (0.6, 0.5), 8000, 0, 1.0, 0.03),
    ("Nesterov 0.9, A 0.1", "A", NAG, (0.1, 0.9), 20_000, 0, 1.0, 0.03),
    ("Nesterov 0.9, B 0.3", "B", NAG, (0.3, 0.9), 6000, 0, 1.0, 0.03),
    ("Nesterov 0.9, B 0.4", "B", NAG, (0.4, 0.9), 6000, 0, 1.0, 0.03),
    ("Adam 0.9/0.99, B 1e-3", "B", ADAM, (1e-3, 0.9, 0.99), 4000, 0, 1.0, 0.05),
    ("Adam 0.9/0.99, B 3e-3", "B", ADAM, (3e-3, 0.9, 0.99), 4000, 0, 1.0, 0.05),
    ("Adam 0.9/0.99, A 1e-3", "A", ADAM, (1e-3, 0.9, 0.99), 20_000, 0, 1.0, 0.05),
    ("Adam 0.9/0.99, A 3e-3", "A", ADAM, (3e-3, 0.9, 0.99), 20_000, 0, 1.0, 0.05),
    ("Adam 0.9/0.999, B 1e-3", "B", ADAM, (1e-3, 0.9, 0.999), 6000, 0, 1.0, 0.05),
    ("RMSProp 0.99, B 1e-3", "B", RMS, (1e-3, 0.99), 6000, 0, 1.0, 0.12),
    ("RMSProp 0.99, B 3e-4", "B", RMS, (3e-4, 0.99), 6000, 0, 1.0, 0.12),
    ("RMSProp 0.99, A 1e-3", "A", RMS, (1e-3, 0.99), 20_000, 0, 1.0, 0.12),
    ("RMSProp 0.99, A 3e-4", "A", RMS, (3e-4, 0.99), 20_000, 0, 1.0, 0.12),
]


def ratio(net, kind, settings, steps, seed):
    """Median of the ratio in the last quarter, products for each sharpness, final loss."""
    x, y = data_a() if net == "A" else data_b()
    start = weights(x, y, 50 if net == "A" else 32, seed)
    loss = algorithms.Loss.of(network, start, (x, y))
    system = kind(loss, *settings)
    state, n, found, ratios, products = system.start(start), 0, None, [], 0
    every = steps // POINTS
    while n < steps:
        state = run(system, state, jnp.asarray(n), jnp.asarray(every))
        n += every
        if not bool(jnp.isfinite(state).all()):
            return np.nan, np.nan, np.nan
        if n >= steps // 2:
            found = algorithms.sharpness(system, state, n=n, previous=found)
            ratios.append(found.ratio.value)
            products += found.n_products
    tail = ratios[-(POINTS // 4) :]
    return float(np.median(tail)), products / len(ratios), float(loss(system.weights(state)))


def main():
    print("| run | ratio, last quarter | within | products a state | loss | CPU s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, net, kind, settings, steps, seed, published, tolerance in ROWS:
        begun = time.process_time()
        middle, products, loss = ratio(net, kind, settings, steps, seed)
        spent = time.process_time() - begun
        if tolerance is None:
            within = f"control, {published}"
        else:
            within = "yes" if abs(middle - published) <= tolerance else f"no ({tolerance:.0%})"
        print(
            f"| {name} | {middle:.4f} | {within} | {products:.1f} | {loss:.3g} | {spent:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
