"""Fixed points of a network of 16 tanh units that is trained to remember three bits.

The task of Sussillo and Barak, Neural Computation 25, 626 (2013): each of three inputs sends a pulse of
either sign now and then, and its output is to hold the sign of the last one. Reported are the fixed points
without input by the number of unstable directions, for several seeds of training; eight stable ones and at
least twelve with one unstable direction are the corners and edges of a cube.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from takens import algorithms, dynamics

UNITS, BITS, TIMES, BATCH = 16, 3, 64, 256


def trials(key):
    """Pulses (trial, time, bit), and the signs to be held."""
    pulses = jax.random.choice(
        key, jnp.array([-1.0, 0.0, 1.0]), (BATCH, TIMES, BITS), p=jnp.array([0.125, 0.75, 0.125])
    )
    pulses = pulses.at[:, 0].set(jnp.where(pulses[:, 0] == 0, 1.0, pulses[:, 0]))

    def hold(last, pulse):
        last = jnp.where(pulse == 0, last, pulse)
        return last, last

    _, signs = jax.lax.scan(hold, jnp.zeros((BATCH, BITS)), pulses.swapaxes(0, 1))
    return pulses, signs.swapaxes(0, 1)


def error(w, pulses, signs):
    def one(h, u):
        h = jnp.tanh(h @ w["weight_hh"].T + u @ w["weight_ih"].T + w["bias_ih"])
        return h, h @ w["readout"].T

    _, shown = jax.lax.scan(one, jnp.zeros((BATCH, UNITS)), pulses.swapaxes(0, 1))
    return jnp.mean((shown.swapaxes(0, 1) - signs) ** 2)


def trained(seed, n_steps):
    keys = jax.random.split(jax.random.key(seed), 5)
    w = {
        "weight_hh": jax.random.normal(keys[0], (UNITS, UNITS)) / UNITS**0.5,
        "weight_ih": jax.random.normal(keys[1], (UNITS, BITS)) / BITS**0.5,
        "bias_ih": jnp.zeros(UNITS),
        "readout": jax.random.normal(keys[2], (BITS, UNITS)) / UNITS**0.5,
    }
    adam = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(0.01, n_steps))
    )

    @jax.jit
    def update(carry, key):
        w, state = carry
        loss, slope = jax.value_and_grad(error)(w, *trials(key))
        change, state = adam.update(slope, state, w)
        return (optax.apply_updates(w, change), state), loss

    carry = (w, adam.init(w))
    for key in jax.random.split(keys[3], n_steps):
        carry, loss = update(carry, key)
    return carry[0], float(loss), trials(keys[4])[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed")
    settings = parser.parse_args()
    print(
        "| seed | error | points | by unstable directions | stable | slow points | training | search |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for seed in range(1000, 1001 if settings.quick else 1005):
        start = time.process_time()
        w, loss, pulses = trained(seed, 1500)
        arrays = {k: np.asarray(v) for k, v in w.items() if k != "readout"}
        between = time.process_time()
        network = algorithms.rnn_system(arrays)
        visited = [network.visited(64, seed=seed)]
        for k in range(8):  # along the task itself
            driven = algorithms.rnn_system(arrays, inputs=pulses[k])
            visited.append(dynamics.trajectory(driven, np.zeros(UNITS), np.arange(TIMES)).states)
        found = dynamics.fixed_points(network, np.concatenate(visited), max_points=128)
        slow = dynamics.slow_points(network, np.concatenate(visited), throw=False)
        done = time.process_time()
        print(
            f"| {seed} | {loss:.1e} | {len(found)} | {' '.join(map(str, np.bincount(found.n_unstable)))} "
            f"| {found.stable.sum()} | {len(slow)} | {between - start:.1f} s | {done - between:.1f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
