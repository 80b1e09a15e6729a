"""Optimisers of other libraries give the same maps."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms, dynamics
from takens.core import InvalidInput, WrongKind

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


@pytest.mark.parametrize(
    ("theirs", "rate", "title", "settings"),
    [
        (optax.sgd(0.05), None, "GradientDescent", {}),
        (optax.sgd(0.05, momentum=0.9), None, "HeavyBall", {"momentum": 0.9}),
        (optax.sgd(0.05, momentum=0.8, nesterov=True), None, "Nesterov", {"momentum": 0.8}),
        (optax.adam(0.05, b1=0.8), None, "Adam", {"first": 0.8, "second": 0.999, "epsilon": 1e-8}),
        (optax.adam, 0.05, "Adam", {"first": 0.9}),
        (optax.adamw(0.05, weight_decay=0.1), None, "Adam", {"decay": 0.1}),
        (optax.rmsprop(0.05), None, "RMSProp", {"decay": 0.9, "epsilon": 0, "epsilon_root": 1e-8}),
        (optax.rmsprop(0.05, eps_in_sqrt=False), None, "RMSProp", {"epsilon": 1e-8}),
    ],
)
def test_an_optimiser_is_recognised_by_its_steps(theirs, rate, title, settings):
    system, x = algorithms.from_optax(bowl, theirs, WEIGHTS, batch=DATA, learning_rate=rate)
    rule = system.as_optimiser()
    assert rule.title == title
    assert float(rule.learning_rate) == pytest.approx(0.05, rel=1e-9)
    for name, value in settings.items():
        assert float(getattr(rule, name)) == pytest.approx(value, rel=1e-6, abs=1e-20)
    for n in range(3):
        assert np.allclose(rule.step(n, x), system.step(n, x), rtol=1e-12)
        x = system.step(n, x)
    found, known = (algorithms.sharpness(s, x, n=3) for s in (system, rule))
    assert found.ratio.value == pytest.approx(known.ratio.value)
    assert found.optimiser == title


@pytest.mark.parametrize(
    "theirs",
    [
        optax.sgd(optax.cosine_decay_schedule(0.1, 10_000)),
        optax.adam(optax.cosine_decay_schedule(0.1, 10_000)),
        optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1)),
        optax.lion(0.1),
        optax.amsgrad(0.1),
        optax.chain(optax.ema(0.9), optax.sgd(0.1)),
        optax.adam(0.1, eps_root=1e-3),
        optax.adagrad(0.1),
    ],
)
def test_an_optimiser_without_a_known_threshold_is_refused(theirs):
    system, x = algorithms.from_optax(bowl, theirs, WEIGHTS, batch=DATA)
    with pytest.raises(WrongKind, match="none whose threshold is known"):
        algorithms.sharpness(system, x)
