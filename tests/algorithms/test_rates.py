"""How fast a sequence converges, from the sequence alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from takens import algorithms
from takens.core import InvalidInput, NumericalFailure, Status


def ridge_logistic_run(seed, n_steps=3000):
    """Weights and losses of gradient descent, and the true rate at its limit."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(500, 20))
    y = np.sign(x @ rng.normal(size=20) + 0.5 * rng.normal(size=500))
    top = np.linalg.eigvalsh(x.T @ x / 500)[-1] / 4 + 1e-4

    def gradient(w):
        return -(x.T @ (y * expit(-y * (x @ w)))) / 500 + 1e-4 * w

    def hessian(w):
        return (x.T * (expit(x @ w) * expit(-(x @ w)))) @ x / 500 + 1e-4 * np.eye(20)

    w, weights = np.zeros(20), [np.zeros(20)]
    for _ in range(n_steps):
        w = w - gradient(w) / top
        weights.append(w)
    for _ in range(20):
        w = w - np.linalg.solve(hessian(w), gradient(w))
    weights = np.array(weights)
    losses = np.logaddexp(0, -y * (weights @ x.T)).mean(axis=1) + 5e-5 * (weights**2).sum(axis=1)
    return weights, losses, 1 - np.linalg.eigvalsh(hessian(w))[0] / top


def judged(record, true):
    """Inside, outside or refused, over windows along the record."""
    kinds = []
    for first in range(100, 2800, 450):
        found = algorithms.convergence_rate(record[first : first + 300], throw=False)
        low, high = found.rate.interval
        kinds.append(
            "refused" if not found.rate.is_finite else "in" if low <= true <= high else "out"
        )
    return kinds


def test_the_rate_of_ridge_logistic_is_inside_or_refused():
    shadows, losses = [], []
    for seed in range(200, 206):
        weights, loss, rate = ridge_logistic_run(seed)
        shadow = weights @ np.random.default_rng(0).normal(size=(20, 16))
        shadows += judged(shadow, rate)
        losses += judged(loss, rate**2)
    assert shadows.count("out") == 0
    assert shadows.count("in") >= 0.9 * len(shadows)
    assert losses.count("out") <= 0.1 * len(losses)
    assert losses.count("in") >= 0.7 * len(losses)


def test_several_exponentials_and_what_remains():
    n = np.arange(300.0)
    found = algorithms.convergence_rate(7 + 0.95**n - 2 * 0.8**n, tol=1e-2)
    assert found.rate.value == pytest.approx(0.95, abs=1e-6)
    assert found.remaining.value == pytest.approx(np.log(1e-2) / np.log(0.95), rel=1e-4)
    assert found.remaining.interval[0] <= found.remaining.value <= found.remaining.interval[1]


def test_a_turning_mode_and_a_flip_have_their_multipliers():
    n = np.arange(200.0)
    spiral = algorithms.convergence_rate(0.96**n * np.cos(0.7 * n))
    assert spiral.rate.value == pytest.approx(0.96, abs=1e-6)
    assert abs(np.angle(spiral.multiplier)) == pytest.approx(0.7, abs=1e-6)
    flip = algorithms.convergence_rate((-0.9) ** n)
    assert flip.multiplier == pytest.approx(-0.9, abs=1e-6)


def test_an_offset_biases_nothing():
    n = np.arange(200.0)
    near, far = (algorithms.convergence_rate(c + 0.9**n).rate.value for c in (0.0, 1e3))
    assert near == pytest.approx(far, abs=1e-4)


def test_noise_and_too_few_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(NumericalFailure):
        algorithms.convergence_rate(0.99 ** np.arange(400) + 0.05 * rng.normal(size=400))
    still = algorithms.convergence_rate(np.ones(100), throw=False)
    assert still.status is Status.TOO_SHORT
    assert np.isnan(still.rate.value)
    assert "none" in still.summary()


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (np.r_[np.ones(50), np.nan], {}, "Row 50 is not finite"),
        (np.ones(5), {}, "at least 26"),
        (["a"] * 50, {}, "real numbers"),
        (np.ones((50, 2, 2)), {}, "expected"),
        (np.arange(50.0), {"tol": 2.0}, "tol"),
    ],
)
def test_what_has_no_rate_is_refused(data, settings, message):
    with pytest.raises(InvalidInput, match=message):
        algorithms.convergence_rate(data, **settings)
