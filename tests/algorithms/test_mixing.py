"""Fixed points sooner, and never much later than by the plain iteration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from takens import algorithms
from takens.core import InvalidInput, NumericalFailure, Status

METHODS = [algorithms.Anderson(), algorithms.ReducedRank(), algorithms.MinimalPolynomial()]


def ridge_logistic(seed=0):
    """A step of gradient descent on a badly conditioned regression, condition number 2,600."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(500, 20)) * np.logspace(0, -1.2, 20)
    y = np.sign(x @ rng.normal(size=20) + 0.3 * rng.normal(size=500))
    top = np.linalg.eigvalsh(x.T @ x / 500)[-1] / 4 + 1e-4

    def step(w):
        slope = -(x.T @ (y * expit(-y * (x @ w)))) / 500 + 1e-4 * w
        return w - slope / top

    def jacobian(w):
        p = expit(y * (x @ w))
        return np.eye(20) - ((x.T * (p * (1 - p))) @ x / 500 + 1e-4 * np.eye(20)) / top

    return step, jacobian


def plain(step, x, tol, most=30_000):
    for k in range(most):
        new = step(x)
        if np.abs(new - x).max() <= tol * max(1, np.abs(x).max()):
            return k + 1
        x = new
    return most


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_a_badly_conditioned_descent_takes_a_twentieth(method):
    step, jacobian = ridge_logistic()
    found = algorithms.accelerate(step, np.zeros(20), method=method)
    assert found.n_evaluations <= 1500
    assert np.abs(step(found.x) - found.x).max() <= 1e-10 * np.abs(found.x).max()
    rate = np.abs(np.linalg.eigvals(jacobian(found.x))).max()
    assert rate > 0.998
    assert np.log(1e-10) / np.log(rate) > 10 * found.n_evaluations


def test_the_rate_before_is_the_slowest_multiplier():
    step, jacobian = ridge_logistic()
    found = algorithms.accelerate(step, np.zeros(20))
    rate = np.abs(np.linalg.eigvals(jacobian(found.x))).max()
    low, high = found.rate_before.interval
    assert low <= rate <= high
    assert high - low < 0.01


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_policy_evaluation_and_transport(method):
    rng = np.random.default_rng(0)
    chain, gain = rng.dirichlet(np.ones(100), size=100), rng.normal(size=100)
    value = algorithms.accelerate(lambda v: gain + 0.99 * chain @ v, np.zeros(100), method=method)
    assert value.n_evaluations <= 40
    assert np.allclose(value.x, np.linalg.solve(np.eye(100) - 0.99 * chain, gain))
    a, b = rng.uniform(size=(30, 2)), rng.uniform(size=(30, 2))
    cost = ((a[:, None] - b) ** 2).sum(axis=-1)
    even = np.full(30, 1 / 30)
    sinkhorn = algorithms.Sinkhorn(cost, even, even, 0.05)
    import jax

    step = jax.jit(lambda f: sinkhorn.step(0, f))
    found = algorithms.accelerate(step, np.zeros(30), method=method, tol=1e-12)
    assert found.n_evaluations <= 40
    assert np.allclose(np.asarray(sinkhorn.plan(found.x)).sum(axis=0), even)


def test_no_random_map_diverges_or_takes_longer():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        d = rng.integers(2, 40)
        a = rng.normal(size=(d, d))
        radius = rng.uniform(0.3, 0.999)
        a *= radius / np.abs(np.linalg.eigvals(a)).max()
        b, bend = rng.normal(size=d), rng.uniform(0, 0.5) * (1 - radius)
        x0 = 3 * rng.normal(size=d)

        def step(x, a=a, b=b, bend=bend):
            return a @ x + b + bend * np.tanh(x)

        found = algorithms.accelerate(step, x0)
        assert found.status is Status.OK
        assert found.n_evaluations <= plain(step, x0, 1e-10)


def test_a_map_that_bends_hard_is_safeguarded():
    # Newton-like overshoot: mixing leaves the region in which the map contracts
    def step(x):
        return np.where(x > 0, 0.9 * x, x * (1 - 0.05 * np.minimum(np.abs(x), 19)))

    found = algorithms.accelerate(step, np.array([5.0, 8.0]), tol=1e-8)
    assert found.status is Status.OK
    assert np.abs(found.x).max() < 1e-6


def test_what_has_no_fixed_point_is_said():
    with pytest.raises(NumericalFailure, match="did not converge"):
        algorithms.accelerate(lambda x: x + 1, [0.0], max_evaluations=200)
    lost = algorithms.accelerate(lambda x: x**2 + 3, [2.0], throw=False)
    assert lost.status in (Status.DIVERGED, Status.NOT_CONVERGED)
    assert np.isnan(lost.x).all()
    assert np.isnan(lost.residual)


def test_a_start_at_the_fixed_point_and_other_shapes():
    found = algorithms.accelerate(lambda x: 0.5 * x, np.zeros((2, 3)))
    assert found.n_evaluations == 1
    assert found.x.shape == (2, 3)
    assert "evaluations" in found.summary()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: algorithms.accelerate(np.cos, [np.nan]), "not finite"),
        (lambda: algorithms.accelerate(np.cos, ["a"]), "real numbers"),
        (lambda: algorithms.accelerate(np.cos, []), "empty"),
        (lambda: algorithms.accelerate(np.cos, [1.0], tol=0.0), "tol"),
        (lambda: algorithms.accelerate(np.cos, [1.0], method="anderson"), "expected Anderson"),
        (lambda: algorithms.accelerate(lambda x: x[:1], [1.0, 2.0]), "shape"),
        (lambda: algorithms.Anderson(memory=0), "at least 1"),
        (lambda: algorithms.ReducedRank(cycle=1), "at least 2"),
        (lambda: algorithms.MinimalPolynomial(cycle=1), "at least 2"),
    ],
)
def test_malformed_questions_are_refused(ask, message):
    with pytest.raises(InvalidInput, match=message):
        ask()
