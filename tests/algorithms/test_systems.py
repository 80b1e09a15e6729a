"""Optimisers, games and iterations against closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms, dynamics
from takens.core import InvalidInput


def quadratic(*curvatures):
    c = jnp.array(curvatures)
    return algorithms.Loss.of(lambda w: 0.5 * jnp.sum(c * w**2), np.zeros(len(curvatures)))


def multipliers(system, x, n=0):
    values = np.linalg.eigvals(np.asarray(jax.jacfwd(lambda s: system.step(n, s))(jnp.asarray(x))))
    return np.sort_complex(np.round(values, 12))


QUARTIC = algorithms.Loss.of(lambda w: 0.25 * jnp.sum((w**2 - 1) ** 2), [1.0])


@pytest.mark.parametrize(
    ("optimiser", "settings"),
    [("GradientDescent", ()), ("HeavyBall", (0.5,)), ("HeavyBall", (0.9,)), ("Nesterov", (0.9,))],
)
def test_multipliers_are_those_of_the_jacobian_and_reach_one_at_the_threshold(optimiser, settings):
    kind = getattr(algorithms, optimiser)
    system = kind(quadratic(1.0, 3.0), 0.4, *settings)
    said = np.concatenate([np.asarray(system.multipliers(c)) for c in (1.0, 3.0)])
    assert np.allclose(
        np.sort_complex(np.round(said, 12)), multipliers(system, np.zeros(system.dim))
    )
    edge = np.asarray(system.multipliers(system.threshold()))
    assert np.abs(edge).max() == pytest.approx(1.0, abs=1e-12)
    assert np.abs(edge + 1).min() < 1e-12
    assert np.abs(np.asarray(system.multipliers(1.001 * system.threshold()))).max() > 1


@pytest.mark.parametrize(
    ("system", "curvature"),
    [
        (algorithms.HeavyBall(quadratic(1.0), 1.0, 0.5), 3.0),
        (algorithms.HeavyBall(quadratic(1.0), 1.0, 0.9), 3.8),
        (algorithms.Nesterov(quadratic(1.0), 1.0, 0.5), 1.5),
        (algorithms.Nesterov(quadratic(1.0), 1.0, 0.9), 3.8 / 2.8),
        (algorithms.Adam(quadratic(1.0), 1.0), 38.0),
        (algorithms.RMSProp(quadratic(1.0), 1.0), 2.0),
    ],
)
def test_published_thresholds(system, curvature):
    assert float(system.threshold()) == pytest.approx(curvature, rel=1e-12)


@pytest.mark.parametrize("kappa", [10.0, 100.0, 1000.0])
def test_best_heavy_ball_has_polyaks_rate(kappa):
    rate = 4 / (np.sqrt(kappa) + 1) ** 2
    momentum = ((np.sqrt(kappa) - 1) / (np.sqrt(kappa) + 1)) ** 2
    ball = algorithms.HeavyBall(quadratic(1.0, kappa), rate, momentum)
    size = np.abs(np.asarray(ball.multipliers(jnp.array([1.0, kappa])))).max()
    assert size == pytest.approx(np.sqrt(momentum), rel=1e-6)  # a double root: rounding's root


def test_lessards_counterexample_cycles():
    # Lessard, Recht and Packard (2016), eq. 4.11: convex and smooth, and heavy ball does not converge
    def slope(x):
        return jnp.where(x < 1, 25 * x, jnp.where(x < 2, x + 24, 25 * x - 24))

    def height(w):
        x = w[0]
        middle = 0.5 * x**2 + 24 * x - 12
        return jnp.where(x < 1, 12.5 * x**2, jnp.where(x < 2, middle, 12.5 * x**2 - 24 * x + 36))

    loss = algorithms.Loss.of(height, [0.0])
    assert float(loss.gradient(jnp.array([1.5]))[0]) == float(slope(1.5))
    ball = algorithms.HeavyBall(loss, 1 / 9, 4 / 9)
    x0 = np.array([3.3, 0.0])  # the momentum of standing still
    orbit = dynamics.trajectory(ball, x0, np.arange(400)).states[-3:, 0]
    assert np.allclose(np.sort(orbit), np.sort([792 / 1225, -2208 / 1225, 2592 / 1225]), atol=1e-9)


def test_doublings_of_the_quartic_are_found_without_being_told():
    descent = algorithms.GradientDescent(QUARTIC, 0.5)
    found = dynamics.period_doublings(descent, "learning_rate", (0.5, 1.303), [0.9], n_doublings=5)
    known = [1.0, np.sqrt(5) - 1, 1.28803175, 1.29922794, 1.30162891]
    assert np.allclose(found.values, known, atol=1e-8)


def test_exponents_of_the_quartic():
    rates = np.array([1.2, 1.31, 1.4, 1.59, 1.99])
    found = dynamics.lyapunov_diagram(
        algorithms.GradientDescent(QUARTIC, 0.5), "learning_rate", rates, [0.3], n_steps=20_000
    )
    known = np.array([-0.1928, 0.0923, 0.3433, 0.648, 1.039])
    assert np.allclose(found.exponents[:, 0], known, atol=0.012)


def test_final_sharpness_of_a_product_is_what_the_rate_allows():
    loss = algorithms.Loss.of(lambda w: 0.5 * (w[0] * w[1] - 1) ** 2, [1.0, 1.0])
    descent = algorithms.GradientDescent(loss, 0.9)
    starts = np.random.default_rng(0).uniform(-2, 2, (40, 2))
    ends = np.array([dynamics.trajectory(descent, x0, [0, 5000]).states[-1]
                     for x0 in starts if np.abs(x0).sum() < 2])  # fmt: skip
    sharp = (ends**2).sum(axis=1)
    assert np.all((sharp > 2 - 1e-9) & (sharp < 2 / 0.9))


def test_adam_is_the_published_update():
    loss = algorithms.Loss.of(lambda w: jnp.sum(jnp.cosh(w)), [1.0, -2.0])
    adam = algorithms.Adam(loss, 0.01)
    x, m, v = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    state = adam.start(x)
    for n in range(20):
        g = np.sinh(x)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        step = (m / (1 - 0.9 ** (n + 1))) / (np.sqrt(v / (1 - 0.999 ** (n + 1))) + 1e-8)
        x = x - 0.01 * step
        state = adam.step(n, state)
    assert np.allclose(state, np.concatenate([x, m, v]), rtol=1e-13)


def game():
    return algorithms.Game.of(lambda x, y: x @ y, lambda x, y: -x @ y, [1.0], [0.0])


@pytest.mark.parametrize("rate", [0.1, 0.5])
@pytest.mark.parametrize(
    ("kind", "modulus"),
    [
        ("SimultaneousDescent", lambda e: np.sqrt(1 + e**2)),
        ("AlternatingDescent", lambda e: 1.0),
        ("Extragradient", lambda e: np.sqrt(1 - e**2 + e**4)),
        ("ProximalPoint", lambda e: 1 / np.sqrt(1 + e**2)),
        ("OptimisticDescent", lambda e: np.abs(np.roots([1, -(1 - 2j * e), -1j * e])).max()),
    ],
)
def test_multipliers_of_a_bilinear_game(kind, modulus, rate):
    play = getattr(algorithms, kind)(game(), rate)
    found = multipliers(play, np.zeros(play.dim))
    said = np.concatenate([np.asarray(play.multipliers(s * 1j)) for s in (1, -1)])
    assert np.abs(found).max() == pytest.approx(modulus(rate), rel=1e-7)  # may be a double root
    assert np.allclose(np.sort(np.abs(said)), np.sort(np.abs(found)), atol=1e-9)


def test_optimistic_descent_is_stable_below_one_over_root_three():
    edge = 1 / np.sqrt(3)
    for rate, stable in ((0.999 * edge, True), (1.001 * edge, False)):
        play = algorithms.OptimisticDescent(game(), rate)
        assert bool(np.abs(multipliers(play, np.zeros(4))).max() < 1) is stable
    best = algorithms.OptimisticDescent(game(), 0.5)
    assert np.abs(multipliers(best, np.zeros(4))).max() == pytest.approx(np.sqrt(0.5), abs=1e-6)


def test_sinkhorn_converges_at_the_second_singular_value_of_its_plan():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(size=(30, 2)), rng.uniform(size=(30, 2))
    cost = ((a[:, None] - b) ** 2).sum(axis=-1)
    transport = algorithms.Sinkhorn(cost, np.full(30, 1 / 30), np.full(30, 1 / 30), 0.05)
    x = dynamics.trajectory(transport, np.zeros(30), [0, 2000]).states[-1]
    plan = np.asarray(transport.plan(x))
    assert np.allclose(plan.sum(axis=0), 1 / 30)
    assert np.allclose(plan.sum(axis=1), 1 / 30)
    sigma = np.linalg.svd(30 * plan)[1]
    sizes = np.sort(np.abs(multipliers(transport, x)))[::-1]
    assert sizes[0] == pytest.approx(1.0)
    assert sizes[1] == pytest.approx(sigma[1] ** 2, rel=1e-8)


def test_em_converges_at_the_share_that_is_missing():
    rng = np.random.default_rng(0)
    y = rng.normal(size=2000) + 0.8 * rng.choice([-1, 1], 2000)
    em = algorithms.GaussianMixtureEM(y, np.array([0.5, 0.5]))
    orbit = dynamics.trajectory(em, [-1.0, 1.0], np.arange(60)).states
    end = dynamics.trajectory(em, [-1.0, 1.0], [0, 400]).states[-1]
    error = np.linalg.norm(orbit - end, axis=1)
    observed = error[20] / error[19]
    assert np.abs(multipliers(em, end)).max() == pytest.approx(observed, rel=1e-3)
    means = em.step(0, end)
    assert np.allclose(means, end, atol=1e-12)


def test_policy_evaluation_contracts_by_the_discount():
    rng = np.random.default_rng(0)
    chain = rng.dirichlet(np.ones(100), size=100)
    value = algorithms.ValueIteration(chain[None], rng.normal(size=(1, 100)), 0.99)
    sizes = np.sort(np.abs(multipliers(value, np.zeros(100))))[::-1]
    assert sizes[0] == pytest.approx(0.99)
    assert sizes[1] < 0.2


def test_k_means_ends_after_finitely_many_steps():
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 4])
    cells = algorithms.KMeans(data, 2)
    orbit = dynamics.trajectory(cells, [0.0, 1.0, 1.0, 0.0], np.arange(60)).states
    assert np.array_equal(orbit[-1], orbit[-2])
    assert np.allclose(multipliers(cells, orbit[-1]), 0.0)


def test_langevin_samples_a_wider_density_by_its_step():
    energy = algorithms.Loss.of(lambda x: 0.5 * jnp.sum(x**2), np.zeros(4000))
    sampler = algorithms.UnadjustedLangevin(energy, 0.3)
    x = jnp.zeros(4000)
    for n in range(60):
        x = sampler.step(n, x)
    assert float(x.var()) == pytest.approx(1 / (1 - 0.15), abs=3 * 1.18 * np.sqrt(2 / 4000))


def test_noise_of_batches_has_the_discrete_lyapunov_covariance():
    # w' = w - eta (lam w + xi): variance eta C / (lam (2 - eta lam)), of 2,000 independent weights
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(64, 2000))
    draws -= draws.mean(axis=0)
    loss = algorithms.Loss.of(
        lambda w, d: jnp.mean(0.5 * 1.5 * (w - d) ** 2, axis=0).sum(), np.zeros(2000), draws
    )
    chance = algorithms.StochasticGradient(loss, 1.0, batch=1)
    x = jnp.zeros(2000)
    for n in range(40):
        x = chance.step(n, x)
    noise = 1.5**2 * (draws**2).mean()
    assert float(jnp.mean(x**2)) == pytest.approx(noise / (1.5 * (2 - 1.5)), rel=0.1)


def test_mirror_descent_is_one_map_in_two_coordinates():
    c, a = jnp.array([1.0, 3.0]), jnp.array([0.7, 0.4])
    loss = algorithms.Loss.of(lambda w: 0.5 * jnp.sum(c * (w - a) ** 2), [1.0, 1.0])
    primal = algorithms.ExponentiatedGradient(loss, 0.1)
    dual = algorithms.ExponentiatedGradient(loss, 0.1, dual=True)
    w = jnp.array([0.3, 0.9])
    assert np.allclose(jnp.exp(dual.step(0, jnp.log(w))), primal.step(0, w))
    for system, x in ((primal, a), (dual, jnp.log(a))):
        assert np.allclose(multipliers(system, x), [0.88, 0.93])


def test_weights_keep_their_place_and_precision():
    weights = {"layer": [np.ones((2, 3)), np.zeros(3)], "scale": 2.0}
    loss = algorithms.Loss.of(
        lambda w: jnp.sum(w["layer"][0] @ w["layer"][1]) + w["scale"] ** 2, weights
    )
    flat = loss.shape.flat(weights)
    assert loss.dim == 10
    assert loss.names[0] == "layer.0[0]"
    assert np.array_equal(loss.shape.restore(flat)["layer"][0], np.ones((2, 3)))
    single = loss.shape.flat(jax.tree.map(lambda a: np.asarray(a, np.float32), weights))
    assert single.dtype == jnp.float32
    assert loss.gradient(single).dtype == jnp.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: algorithms.Loss.of(lambda w: w, [1.0, 2.0]), "one real number"),
        (lambda: algorithms.Loss.of(lambda w: w.sum(), np.array(["a"])), "real numbers"),
        (lambda: algorithms.Loss.of(lambda w: 0.0, []), "no number"),
        (lambda: algorithms.as_map(lambda s: jnp.zeros(3), np.zeros(2)), "shapes"),
        (lambda: algorithms.as_map(lambda s: s @ s[:1], np.zeros(2)), "fails on the state"),
        (lambda: algorithms.StochasticGradient(quadratic(1.0), 0.1), "no data"),
        (
            lambda: algorithms.StochasticGradient(
                algorithms.Loss.of(lambda w, d: jnp.sum(w * d[0]), [1.0], np.ones((5, 1))),
                0.1,
                batch=9,
            ),
            "expected 1 to 5",
        ),
    ],
)
def test_what_is_no_algorithm_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
