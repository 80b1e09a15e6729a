"""Optimisers of other libraries give the same maps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms, dynamics
from takens.core import InvalidInput

optax = pytest.importorskip("optax")
WEIGHTS = {"a": np.array([1.0, -2.0]), "b": 0.5}


def bowl(w, data):
    return jnp.sum(jnp.cosh(w["a"] - data)) + jnp.cosh(w["b"])


DATA = np.array([0.1, -0.3])
LOSS = algorithms.Loss.of(bowl, WEIGHTS, DATA)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (optax.sgd(0.05), algorithms.GradientDescent(LOSS, 0.05)),
        (optax.sgd(0.05, momentum=0.9), algorithms.HeavyBall(LOSS, 0.05, 0.9)),
        (optax.sgd(0.05, momentum=0.9, nesterov=True), algorithms.Nesterov(LOSS, 0.05, 0.9)),
        (optax.adam(0.05), algorithms.Adam(LOSS, 0.05)),
    ],
)
def test_the_same_orbit_as_our_own(theirs, ours):
    system, x0 = algorithms.from_optax(bowl, theirs, WEIGHTS, batch=DATA)
    orbit = dynamics.trajectory(system, x0, np.arange(50)).states
    known = dynamics.trajectory(ours, ours.start(WEIGHTS), np.arange(50)).states
    assert np.allclose(orbit[:, :3], known[:, :3], rtol=1e-10)
    assert system.names[:3] == LOSS.names


def test_the_loop_that_a_user_would_write():
    system, x0 = algorithms.from_optax(bowl, optax.adamw(0.05), WEIGHTS, batch=DATA)
    tool = optax.adamw(0.05)
    weights = jax.tree.map(jnp.asarray, WEIGHTS)
    state, x = tool.init(weights), x0
    for n in range(20):
        change, state = tool.update(jax.grad(bowl)(weights, DATA), state, weights)
        weights = optax.apply_updates(weights, change)
        x = system.step(n, x)
    assert np.allclose(system.weights(x), LOSS.shape.flat(weights), rtol=1e-10)


def test_schedules_count_along_and_rates_are_scanned():
    schedule = optax.exponential_decay(0.1, 10, 0.5)
    system, x0 = algorithms.from_optax(lambda w: 0.5 * jnp.sum(w**2), optax.sgd(schedule), [1.0])
    expected = 1.0
    x = x0
    for n in range(5):
        expected *= 1 - 0.1 * 0.5 ** (n / 10)
        x = system.step(n, x)
    assert float(x[0]) == pytest.approx(expected)
    swept, start = algorithms.from_optax(
        lambda w: 0.25 * jnp.sum((w**2 - 1) ** 2), optax.sgd, [0.4], learning_rate=0.1
    )
    scan = algorithms.learning_rate_scan(swept, start, (0.5, 2.1), n_rounds=1)
    assert scan.flips[1].value == pytest.approx(np.sqrt(5) - 1, abs=1e-6)


@pytest.mark.parametrize(
    ("optimiser", "message"),
    [
        (optax.sgd, "learning_rate"),
        (optax.chain(optax.add_noise(0.1, 0.5, key=1), optax.sgd(0.1)), "at random"),
        (0.1, "expected an optax optimiser"),
    ],
)
def test_what_is_no_map_is_refused(optimiser, message):
    with pytest.raises(InvalidInput, match=message):
        algorithms.from_optax(jnp.sum, optimiser, [1.0])
