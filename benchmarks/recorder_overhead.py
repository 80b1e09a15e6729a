"""What `Recorder` adds to a training step of a 50,000-parameter network with batches of 512.

Step and recording follow each other in one loop, as a user has them, so that the recorder finds the caches
as the step leaves them; each is timed in CPU seconds. One thread.
"""

from __future__ import annotations

import argparse
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import time  # noqa: E402
from itertools import pairwise  # noqa: E402

import numpy as np  # noqa: E402

from takens.algorithms import Recorder  # noqa: E402

SIZES = (64, 256, 128, 10)
BATCH = 512
RNG = np.random.default_rng(0)
X = RNG.normal(size=(BATCH, SIZES[0])).astype(np.float32)
Y = RNG.normal(size=(BATCH, SIZES[-1])).astype(np.float32)


def of_torch():
    """A plain torch loop: a function that makes one step and returns loss and weights."""
    import torch

    torch.set_num_threads(1)
    layers = []
    for a, b in pairwise(SIZES):
        layers += [torch.nn.Linear(a, b), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    tool = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    weights = list(model.parameters())

    def step():
        tool.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        tool.step()
        return loss, weights

    return step


def of_optax():
    """A jitted optax step of the same network."""
    import jax
    import jax.numpy as jnp
    import optax

    tool = optax.sgd(0.01, momentum=0.9)
    weights = [
        {
            "w": jnp.asarray(RNG.normal(size=(a, b)) / a**0.5, jnp.float32),
            "b": jnp.zeros(b, jnp.float32),
        }
        for a, b in pairwise(SIZES)
    ]

    def loss_of(weights, x, y):
        for layer in weights[:-1]:
            x = jnp.tanh(x @ layer["w"] + layer["b"])
        return jnp.mean((x @ weights[-1]["w"] + weights[-1]["b"] - y) ** 2)

    @jax.jit
    def update(weights, state, x, y):
        loss, slope = jax.value_and_grad(loss_of)(weights, x, y)
        change, state = tool.update(slope, state, weights)
        return loss, optax.apply_updates(weights, change), state

    held = [weights, tool.init(weights)]
    x, y = jnp.asarray(X), jnp.asarray(Y)

    def step():
        loss, held[0], held[1] = update(held[0], held[1], x, y)
        jax.block_until_ready(held)
        return loss, held[0]

    return step


def overhead(step, n_steps: int):
    """CPU seconds of every step and of every recording in one loop, shape (n_steps,) each."""
    recorder = Recorder(16)
    for _ in range(50):
        recorder.record(*step())
    times = np.empty((n_steps, 3))
    clock = time.process_time
    for k in range(n_steps):
        start = clock()
        loss, weights = step()
        middle = clock()
        recorder.record(loss, weights)
        times[k] = start, middle, clock()
    return np.diff(times, axis=1).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps")
    n_steps = 300 if parser.parse_args().quick else 3_000
    print("| loop | repeat | CPU ms a step | recording, us | over the step: medians | sums |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, make in (("PyTorch", of_torch), ("optax", of_optax)):
        step = make()
        for repeat in range(5):
            plain, recorded = overhead(step, n_steps)
            middle = np.median(plain), np.median(recorded)
            print(
                f"| {name} | {repeat + 1} | {1e3 * middle[0]:.2f} | {1e6 * middle[1]:.0f} | "
                f"{100 * middle[1] / middle[0]:.2f} % | {100 * recorded.sum() / plain.sum():.2f} % |"
            )


if __name__ == "__main__":
    main()
