"""Curvature without a matrix, and sharpness against the threshold."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms, dynamics
from takens.core import InvalidInput, WrongKind
from tests.algorithms.cases import LOSS, TWO


def loss_of(curvatures):
    c = jnp.asarray(curvatures)
    return algorithms.Loss.of(lambda w: 0.5 * jnp.sum(c * w**2), np.zeros(len(curvatures)))


SPECTRA = {
    "uniform": np.arange(1.0, 301.0),
    "outlier": np.r_[5.0, np.linspace(0, 1, 500)],
    "clustered": np.r_[1.1362, 1.1355, 1.1331, 1.1291, 1.1261, np.linspace(0, 1, 500)],
    "indefinite": np.linspace(-3, 1, 400),
    "decaying": np.exp(-np.linspace(0, 15, 400)),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_both_ends_are_as_accurate_as_asked_for(name, seed):
    c = SPECTRA[name]
    found = algorithms.curvature_spectrum(
        algorithms.Curvature(loss_of(c), np.zeros(len(c))), n_trailing=1, seed=seed
    )
    size = np.abs(c).max()
    assert not found.cautions
    assert c.max() - 0.01 * size <= found.leading[0].value <= c.max() + 1e-12 * size
    assert c.min() - 1e-12 * size <= found.trailing[0].value <= c.min() + 0.01 * size
    low, high = found.leading[0].interval
    assert np.any((c >= low - (high - low)) & (c <= high))  # an eigenvalue within the residual


def test_several_eigenvalues_and_their_vectors():
    c = np.r_[10.0, 7.0, 5.0, np.linspace(-1, 1, 100)]
    operator = algorithms.Curvature(loss_of(c), np.zeros(103))
    found = algorithms.curvature_spectrum(operator, n_leading=3, n_trailing=1, rtol=1e-8)
    assert np.allclose([e.value for e in found.leading], [10, 7, 5])
    assert np.allclose(np.abs(found.vectors[:3, :3]), np.eye(3), atol=1e-3)
    assert found.residuals.max() < 1e-2


def test_products_that_run_out_are_a_caution_and_the_interval_still_holds():
    operator = algorithms.Curvature(loss_of(np.linspace(0, 1, 500)), np.zeros(500))
    found = algorithms.curvature_spectrum(operator, rtol=1e-10, max_products=5)
    assert [c.code for c in found.cautions] == ["products-ran-out"]
    assert found.leading[0].value < 1 < found.leading[0].interval[1] + 0.2
    assert found.n_products == 5


def test_a_complete_krylov_space_ends_the_process():
    found = algorithms.curvature_spectrum(
        algorithms.Curvature(loss_of(np.ones(50)), np.zeros(50)), n_leading=1
    )
    assert found.n_products == 1
    assert found.leading[0].value == pytest.approx(1.0)
    assert not found.cautions


def test_products_agree_with_the_hessian_in_every_metric():
    w = jnp.asarray(TWO)
    hessian = np.asarray(jax.hessian(LOSS)(w))
    metric = np.array([2.0, 5.0])
    scaled = hessian / np.sqrt(np.outer(metric, metric))
    exact = algorithms.Curvature(LOSS, w, metric)
    rough = algorithms.DifferenceCurvature(jax.grad(LOSS), np.asarray(w), metric)
    v = np.array([0.3, -1.0])
    assert np.allclose(exact(v), scaled @ v, rtol=1e-12)
    assert np.allclose(rough(v), scaled @ v, rtol=1e-8)
    assert np.array_equal(rough(np.zeros(2)), np.zeros(2))


def test_density_and_trace():
    c = np.r_[np.full(100, 1.0), np.full(300, 3.0)]
    operator = algorithms.Curvature(loss_of(c), np.zeros(400))
    found = algorithms.spectral_density(operator, n_probes=8)
    step = found.values[1] - found.values[0]
    lower = found.density[found.values < 2].sum() * step
    assert lower == pytest.approx(0.25, abs=4 * 0.25 / np.sqrt(8 * 100))
    assert found.trace.interval[0] - 1e-9 <= 1000 <= found.trace.interval[1] + 1e-9
    assert found.trace.value == pytest.approx(1000)  # probes of signs are exact on a diagonal


def test_sharpness_over_threshold_and_the_multiplier_at_minus_one():
    loss = loss_of(np.r_[10.0, np.linspace(0, 1, 50)])
    at_edge = algorithms.sharpness(algorithms.GradientDescent(loss, 0.2), np.zeros(51))
    assert at_edge.ratio.value == pytest.approx(1.0, rel=1e-2)
    assert np.abs(at_edge.multipliers + 1).min() < 0.02
    assert "at the threshold" in at_edge.summary()
    ball = algorithms.HeavyBall(loss, 0.2, 0.5)
    calm = algorithms.sharpness(ball, np.zeros(102))
    assert calm.threshold == pytest.approx(15.0)
    assert "below" in calm.summary()


def test_tracking_takes_one_product_a_step():
    # a chain of weights whose sharpness grows slowly along the run
    loss = algorithms.Loss.of(
        lambda w: jnp.sum((w[1:] * w[:-1] - 1) ** 2) + 0.01 * jnp.sum(w**4), np.ones(60)
    )
    descent = algorithms.GradientDescent(loss, 0.01)
    x = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1.5, 60))
    hessian = jax.jit(jax.hessian(loss))
    tracked, used, close = None, [], []
    for n in range(100):
        x = descent.step(n, x)
        tracked = algorithms.sharpness(descent, x, previous=tracked)
        used.append(tracked.n_products)
        exact = np.linalg.eigvalsh(np.asarray(hessian(x)))[-1]
        close.append(abs(tracked.value.value / exact - 1) < 1e-2)
        bounded = np.isfinite(tracked.value.interval).all()
        assert bounded == (tracked.value.method == "residual")
    assert np.median(used) == 1
    assert np.mean(used) < 2.5
    assert np.mean(close) > 0.9  # a mode from elsewhere comes to lead, and is met at the next check
    assert all(close[50:])


def polynomial_net(optimiser, *settings, n_steps):
    """Ratio of sharpness to threshold along the end of a run on twenty points."""
    x = np.linspace(-1, 1, 20)
    y = 8 * x**4 - 8 * x**2 + 1
    rng = np.random.default_rng(0)
    start = {
        "in": rng.uniform(-1, 1, 50), "bias": np.zeros(50),
        "out": rng.uniform(-1, 1, 50) / 50**0.5, "offset": 0.0,
    }  # fmt: skip

    def net(w, data):
        hidden = jnp.tanh(data[0][:, None] * w["in"] + w["bias"])
        return 0.5 * jnp.mean((hidden @ w["out"] + w["offset"] - data[1]) ** 2)

    system = optimiser(algorithms.Loss.of(net, start, (x, y)), *settings)
    orbit = dynamics.trajectory(
        system, system.start(start), np.r_[0, np.linspace(0.75, 1.0, 12) * n_steps].astype(int)
    )
    found, ratios = None, []
    for n, state in zip(orbit.times[1:], orbit.states[1:], strict=True):
        found = algorithms.sharpness(system, state, n=int(n), previous=found)
        ratios.append(found.ratio.value)
    return float(np.median(ratios))


def test_training_settles_at_the_edge_of_its_optimiser():
    assert polynomial_net(algorithms.GradientDescent, 0.4, n_steps=12_000) == pytest.approx(
        1, abs=0.03
    )
    assert polynomial_net(algorithms.HeavyBall, 0.3, 0.5, n_steps=12_000) == pytest.approx(
        1, abs=0.03
    )
    assert polynomial_net(algorithms.GradientDescent, 0.02, n_steps=4000) < 0.5  # far from its own


def test_the_metric_of_adam_is_that_of_a_frozen_step():
    adam = algorithms.Adam(LOSS, 0.01)
    state = dynamics.trajectory(adam, adam.start(TWO), [0, 30]).states[-1]
    metric = np.asarray(adam.metric(30, jnp.asarray(state)))
    hessian = np.asarray(jax.hessian(LOSS)(jnp.asarray(state[:2])))
    exact = np.linalg.eigvalsh(hessian / np.sqrt(np.outer(metric, metric)))[-1]
    assert algorithms.sharpness(adam, state, n=30).value.value == pytest.approx(exact, rel=1e-2)


def test_critical_sharpness_of_a_quadratic_is_the_rayleigh_quotient():
    c = np.array([1.0, 4.0, 9.0])
    x = np.array([1.0, -0.5, 0.2])
    g = c * x
    found = algorithms.critical_sharpness(
        algorithms.GradientDescent(loss_of(c), 0.1), x, rtol=1e-10
    )
    assert found.value.value == pytest.approx((g @ (c * g)) / (g @ g), rel=1e-9)
    assert found.ratio.value == pytest.approx(found.value.value * 0.05)


def test_a_loss_that_only_falls_has_no_critical_sharpness():
    loss = algorithms.Loss.of(lambda w: jnp.sum(-w), [0.0])
    found = algorithms.critical_sharpness(algorithms.GradientDescent(loss, 0.1), [0.0])
    assert found.value.value == 0


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda: algorithms.sharpness(LOSS, TWO), WrongKind, "optimiser"),
        (
            lambda: algorithms.sharpness(algorithms.GradientDescent(LOSS, 0.1), [0.0]),
            InvalidInput,
            "expected",
        ),
        (
            lambda: algorithms.sharpness(algorithms.GradientDescent(LOSS, 0.1), [np.nan, 0.0]),
            InvalidInput,
            "diverged",
        ),
        (
            lambda: algorithms.sharpness(
                algorithms.RMSProp(LOSS, 0.1, epsilon=0.0), [0.0, 0.0, 0.0, 0.0]
            ),
            InvalidInput,
            "metric",
        ),
        (lambda: algorithms.curvature_spectrum(np.eye(2)), WrongKind, "symmetric operator"),
        (
            lambda: algorithms.curvature_spectrum(algorithms.Curvature(LOSS, TWO), n_leading=3),
            InvalidInput,
            "in all",
        ),
        (
            lambda: algorithms.curvature_spectrum(algorithms.Curvature(LOSS, [np.nan, 0.0])),
            InvalidInput,
            "not finite",
        ),
        (
            lambda: algorithms.critical_sharpness(
                algorithms.GradientDescent(loss_of([1.0]), 0.1), [0.0]
            ),
            InvalidInput,
            "vanishes",
        ),
    ],
)
def test_what_has_no_sharpness_is_refused(ask, error, message):
    with pytest.raises(error, match=message):
        ask()
