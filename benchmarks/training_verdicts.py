"""What becomes of training runs: verdicts of systems, of their projections and of their losses alone.

    python benchmarks/training_verdicts.py            # needs scikit-learn for its digits; 80 CPU seconds
    python benchmarks/training_verdicts.py --seed 1   # other draws of data and starts
    python benchmarks/training_verdicts.py --quick    # twelve of the sixty runs, no table of the edge

Sixty runs: six losses, ten optimisers each, with rates that are fixed multiples of the threshold at the
start (Adam and RMSProp: 0.01 and 0.001). The verdict of the system rests on sharpness and exponents, that
of the projections on a `Recorder` in the loop; for batches the loop records the loss of the batch. Both
share the tests for rest, cycles, noise and progress, which need no Jacobian. Thresholds of the rule were
set on other losses and seeds.
"""

from __future__ import annotations

import argparse
import collections
import time

import edge_of_stability as edge
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens import algorithms
from takens.algorithms.diagnosis.result import VERDICTS

GD, HB, NAG = algorithms.GradientDescent, algorithms.HeavyBall, algorithms.Nesterov
ADAM, RMS, SGD = algorithms.Adam, algorithms.RMSProp, algorithms.StochasticGradient


def net(data, width, seed):
    x, y = data
    start = edge.weights(x, y, width, seed)
    return algorithms.Loss.of(edge.network, start, (x, y)), start


def logistic(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(500, 20)) * np.geomspace(1, 0.05, 20)
    y = np.sign(x @ rng.normal(size=20) + 0.5 * rng.normal(size=500))

    def loss(w, data):
        x, y = data
        return jnp.mean(jnp.logaddexp(0, -y * (x @ w))) + 0.5e-4 * w @ w

    return algorithms.Loss.of(loss, np.zeros(20), (x, y)), np.zeros(20)


def linear_network(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(100, 6))
    y = x @ rng.normal(size=(6, 3)) + 0.1 * rng.normal(size=(100, 3))

    def loss(w, data):
        x, y = data
        return 0.5 * jnp.mean(jnp.sum((x @ w["one"] @ w["two"] - y) ** 2, axis=1))

    start = {"one": 0.4 * rng.normal(size=(6, 4)), "two": 0.4 * rng.normal(size=(4, 3))}
    return algorithms.Loss.of(loss, start, (x, y)), start


def double_well(seed):
    rng = np.random.default_rng(seed)
    heights = 1 + 0.1 * rng.normal(size=20)
    start = np.array([rng.uniform(0.7, 0.9)])
    return (
        algorithms.Loss.of(lambda w, d: 0.25 * jnp.mean((w[0] ** 2 - d) ** 2), start, heights),
        start,
    )


def factorisation(seed):
    rng = np.random.default_rng(seed)
    products = 1 + 0.1 * rng.normal(size=20)
    start = rng.uniform(0.8, 1.4, 2)
    return (
        algorithms.Loss.of(lambda w, d: 0.5 * jnp.mean((w[0] * w[1] - d) ** 2), start, products),
        start,
    )


LOSSES = {  # maker, steps
    "net A": (lambda s: net(edge.data_a(), 50, s), 10_000),
    "net B": (lambda s: net(edge.data_b(), 32, s), 4_000),
    "ridge logistic": (logistic, 4_000),
    "linear network": (linear_network, 3_000),
    "double well": (double_well, 2_000),
    "factorisation": (factorisation, 2_000),
}
RUNS = (  # class, multiple of the threshold at the start or rate, further settings
    (GD, 1e-4, ()), (GD, 0.3, ()), (GD, 0.9, ()), (GD, 1.4, ()), (HB, 0.3, (0.9,)), (HB, 1.05, (0.5,)),
    (NAG, 0.5, (0.9,)), (ADAM, 0.01, (0.9, 0.99)), (RMS, 1e-3, (0.99,)), (SGD, 0.4, ()),
)  # fmt: skip


def system_of(loss, start, kind, rate, settings):
    """The optimiser, at its multiple of the threshold at the start."""
    if kind in (ADAM, RMS):
        return kind(loss, rate, *settings)
    if kind is SGD:
        n = len(jax.tree.leaves(loss.data)[0])
        made = SGD(loss, 1.0, batch=max(n // 10, 2))
    else:
        made = kind(loss, 1.0, *settings)
    ratio = algorithms.sharpness(made, made.start(start)).ratio.value
    return made.with_parameters(learning_rate=rate / ratio)


@eqx.filter_jit
def rows(system, x, n, size):
    """Losses as a loop would log them, gradients and weights."""

    def one(x, i):
        loss = system.loss
        if isinstance(system, SGD):
            loss = loss.batch(i, system.seed, system.batch)
        w = system.weights(x)
        value, slope = jax.value_and_grad(loss)(w)
        return system.step(i, x), (value, jnp.linalg.norm(slope), w)

    return jax.lax.scan(one, x, n + jnp.arange(size))


def recorded(system, x, n_steps, seed):
    """A run with a `Recorder` in its loop."""
    recorder, n, size = algorithms.Recorder(seed=seed), 0, 1_000
    while n < n_steps:
        x, found = rows(system, x, jnp.asarray(n), size)
        for loss, slope, w in zip(*(np.asarray(f) for f in found), strict=True):
            recorder.record(loss, w, gradient_norm=slope)
        n += size
    return recorder.run()


def without(run, *names):
    kept = {n: getattr(run, n) for n in ("gradient_norm", "projections") if n not in names}
    return algorithms.TrainingRun(steps=run.steps, loss=run.loss, **kept)


def sixty(quick, seed):
    """Verdicts by every door."""
    found = []
    for i, (name, (maker, n_steps)) in enumerate(LOSSES.items()):
        if quick and name in ("net A", "net B", "ridge logistic"):
            continue
        for kind, rate, settings in RUNS[:: 2 if quick else 1]:
            loss, start = maker(seed + i)
            system = system_of(loss, start, kind, rate, settings)
            x0 = system.start(start)
            by_system = algorithms.diagnose(system, x0, n_steps=n_steps, n_trials=0)
            run = recorded(system, x0, n_steps, seed=7)
            doors = [by_system.verdict, algorithms.diagnose(run).verdict]
            doors.append(algorithms.diagnose(without(run, "projections")).verdict)
            doors.append(algorithms.diagnose(without(run, "projections", "gradient_norm")).verdict)
            found.append(doors)
            print(
                f"| {name} | {kind.__name__} {rate:g} {settings} | " + " | ".join(doors) + " |",
                flush=True,
            )
    return found


def confusion(found, door, title):
    """Rows: the system's verdict; columns: the door's."""
    counts = collections.Counter((doors[0], doors[door]) for doors in found)
    rows_ = [v for v in VERDICTS if any(a == v for a, _ in counts)]
    columns = [v for v in VERDICTS if any(b == v for _, b in counts)]
    print(f"\n{title}\n\n| system | " + " | ".join(columns) + " |")
    print("| --- " * (len(columns) + 1) + "|")
    for row in rows_:
        print(f"| {row} | " + " | ".join(str(counts[row, c] or "") for c in columns) + " |")
    same = sum(n for (a, b), n in counts.items() if a == b)
    refused = sum(n for (a, b), n in counts.items() if a != b and b == "undetermined")
    wrong = len(found) - same - refused
    print(f"\nthe same: {same} of {len(found)}; refused: {refused}; other: {wrong}")


def edge_table():
    """Every row of the edge of stability, controls and lost runs included."""
    extra = [
        ("heavy ball 0.9, A 0.05", "A", HB, (0.05, 0.9), 20_000, 0, None, None),
        ("Nesterov 0.9, A 0.2 (lost)", "A", NAG, (0.2, 0.9), 20_000, 0, None, None),
        ("heavy ball 0.9, A 0.1", "A", HB, (0.1, 0.9), 20_000, 0, None, None),
        ("heavy ball 0.5, B 1.0", "B", HB, (1.0, 0.5), 3000, 0, None, None),
        ("heavy ball 0.5, B 3.0 (lost)", "B", HB, (3.0, 0.5), 3000, 0, None, None),
    ]
    print("\n| run | verdict | sharpness over threshold | exponent |\n| --- | --- | --- | --- |")
    for name, which, kind, settings, steps, seed, *_ in [*edge.ROWS, *extra]:
        loss, start = net(
            edge.data_a() if which == "A" else edge.data_b(), 50 if which == "A" else 32, seed
        )
        system = kind(loss, *settings)
        found = algorithms.diagnose(system, system.start(start), n_steps=steps, n_trials=0)
        told = [
            found.named(n) for n in ("sharpness over threshold", "Lyapunov exponent of training")
        ]
        print(f"| {name} | {found.verdict} | " + " | ".join("" if t is None else str(t.value) for t in told)
              + " |", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=3_000)
    given = parser.parse_args()
    quick = given.quick
    begun = time.process_time()
    print("| loss | optimiser | system | projections | loss and gradient | loss |")
    print("| --- | --- | --- | --- | --- | --- |")
    found = sixty(quick, given.seed)
    for door, title in enumerate(("projections", "loss and gradient norm", "loss alone"), 1):
        confusion(found, door, title)
    if not quick:
        edge_table()
    print(f"\n{time.process_time() - begun:.0f} CPU s")


if __name__ == "__main__":
    main()
