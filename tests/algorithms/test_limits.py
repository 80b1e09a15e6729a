"""Small steps and the noise of batches: flows, a diffusion, stationary spread, escape, charges."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms, dynamics
from takens.core import InvalidInput, WrongKind

BENT = algorithms.Loss.of(
    lambda w: 0.25 * (w[0] ** 2 - 1) ** 2 + 0.5 * w[0] * w[1] ** 2 + w[1] ** 2, [0.3, 1.0]
)


@pytest.mark.parametrize(
    "system",
    [
        algorithms.GradientDescent(BENT, 0.1),
        algorithms.HeavyBall(BENT, 0.02, 0.5),
        algorithms.HeavyBall(BENT, 0.001, 0.8),
        algorithms.Nesterov(BENT, 0.02, 0.5),
    ],
    ids=["descent", "ball", "heavier ball", "nesterov"],
)
def test_orders_of_both_flows(system):
    found = algorithms.flow_errors(
        system, [0.3, 1.0], time=1.0 if len(system.buffers) == 0 else 0.4
    )
    assert found.gradient_order.value == pytest.approx(1.0, abs=0.02)
    assert found.modified_order.value == pytest.approx(2.0, abs=0.04)
    assert not found.cautions


def test_rates_beyond_the_edge_have_no_limit():
    loss = algorithms.Loss.of(lambda w: 0.5 * jnp.sum(w**2), [1.0])
    found = algorithms.flow_errors(
        algorithms.GradientDescent(loss, 1.9), [1.0], time=1.9, n_halvings=2
    )
    assert [c.code for c in found.cautions] == ["no-limit-yet"]
    with pytest.raises(InvalidInput):
        algorithms.flow_errors(algorithms.GradientDescent(loss, 0.1), [1.0], time=0.01)
    with pytest.raises(WrongKind):
        algorithms.flow_errors(algorithms.Adam(loss, 0.1), [1.0], time=1.0)


@pytest.mark.parametrize("batch", [1, 4, 8])
def test_additive_noise_has_the_variance_of_the_discrete_equation(batch):
    x = jnp.asarray(np.random.default_rng(0).normal(size=20))
    loss = algorithms.Loss.of(lambda w, x: 0.5 * 3.0 * jnp.mean((w - x) ** 2), [0.0], x)
    system = algorithms.StochasticGradient(loss, 0.4, batch=batch)
    found = algorithms.stationary_noise(system, [float(x.mean())], n_runs=0)
    noise = 9 * float(jnp.var(x)) * (20 - batch) / (batch * 19)
    due = 0.4 * noise / (3.0 * (2 - 0.4 * 3.0))
    assert found.variances[0] == pytest.approx(due, rel=1e-7)
    assert found.additive[0] == pytest.approx(due, rel=1e-9)
    assert found.diffusion[0] == pytest.approx(due * (1 - 0.4 * 3.0 / 2), rel=1e-9)
    assert found.mean_square.value == pytest.approx((1 - 1.2) ** 2, rel=1e-7)


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 3)) * [1.0, 0.8, 0.6]
    y = x @ [1.0, 2.0, -1.0] + 0.5 * rng.normal(size=40)
    loss = algorithms.Loss.of(
        lambda w, d: 0.5 * jnp.mean((d[0] @ w - d[1]) ** 2), np.zeros(3), (x, y)
    )
    return loss, np.linalg.lstsq(x, y, rcond=None)[0], x, y


def test_noise_in_the_curvature_of_batches_counts(regression):
    loss, best, x, y = regression
    system = algorithms.StochasticGradient(loss, 0.3, batch=2)
    found = algorithms.stationary_noise(system, best, n_runs=24, n_steps=6_000)
    low, high = found.measured_interval.T
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    assert np.all(np.abs(found.variances - middle) < 2 * half)
    assert np.all(found.additive[:2] < low[:2])  # without it the leading modes would spread less
    # the same equation by brute force over pairs of weights
    share = (40 - 2) / (2 * 39)
    curvature = x.T @ x / 40
    slopes = x * (x @ best - y)[:, None]
    kept = np.eye(3) - 0.3 * curvature
    pairs = np.kron(kept, kept) - 0.09 * share * np.kron(curvature, curvature)
    pairs += 0.09 * share * np.mean([np.kron(np.outer(a, a), np.outer(a, a)) for a in x], axis=0)
    source = 0.09 * share * np.cov(slopes.T, bias=True)
    due = np.linalg.solve(np.eye(9) - pairs, source.ravel()).reshape(3, 3)
    assert np.allclose(found.covariance, due, rtol=1e-6)
    assert found.mean_square.value == pytest.approx(
        np.abs(np.linalg.eigvals(pairs)).max(), rel=1e-6
    )
    assert found.excess_loss.value == pytest.approx(0.5 * np.trace(curvature @ due), rel=1e-6)


def test_a_minimum_that_batches_leave_has_no_covariance(regression):
    loss, best, _, _ = regression
    system = algorithms.StochasticGradient(loss, 1.2, batch=1)
    found = algorithms.stationary_noise(system, best, n_runs=0)
    assert found.mean_square.value > 1
    assert found.status.name == "NOT_APPLICABLE"
    assert np.isnan(found.covariance).all()
    assert found.curvatures[0] < 2 / 1.2  # full gradients would stay


def test_flat_directions_and_places_that_are_no_minimum(regression):
    loss, best, _, _ = regression
    wide = algorithms.Loss.of(lambda w, d: loss.function(w[:3], d), np.zeros(4), loss.data)
    found = algorithms.stationary_noise(
        algorithms.StochasticGradient(wide, 0.1, batch=4), [*best, 1.0], n_runs=0
    )
    assert "flat-directions" in [c.code for c in found.cautions]
    assert np.isnan(found.variances[-1])
    assert np.isfinite(found.variances[:3]).all()
    away = algorithms.stationary_noise(
        algorithms.StochasticGradient(loss, 0.1, batch=4), best + 1, n_runs=0
    )
    assert "no-minimum" in [c.code for c in away.cautions]
    hill = algorithms.Loss.of(lambda w, x: -jnp.mean((w - x) ** 2), [0.0], jnp.arange(5.0))
    with pytest.raises(InvalidInput, match="no minimum"):
        algorithms.stationary_noise(algorithms.StochasticGradient(hill, 0.1, batch=2), [2.0])
    total = algorithms.Loss.of(lambda w, x: jnp.sum((w - x) ** 2), [0.0], jnp.arange(5.0))
    with pytest.raises(InvalidInput, match="mean"):
        algorithms.stationary_noise(algorithms.StochasticGradient(total, 0.1, batch=2), [2.0])
    with pytest.raises(WrongKind):
        algorithms.stationary_noise(algorithms.GradientDescent(loss, 0.1), best)


def test_independent_runs_see_noise_of_their_own(regression):
    loss, best, _, _ = regression
    runs = algorithms.IndependentRuns(algorithms.StochasticGradient(loss, 0.3, batch=2))
    ends = dynamics.trajectories(runs, runs.starts(best, 64), [0, 50]).states[:, -1, :3]
    assert np.abs(np.corrcoef(ends[::2, 0], ends[1::2, 0])[0, 1]) < 0.5
    alone = dynamics.trajectory(runs.system, best, [0, 50]).states[-1]
    assert np.allclose(ends[0], alone)  # run 0 is the system's own
    assert len(np.unique(ends[:, 0])) == 64


def test_escape_of_stochastic_gradients_is_that_of_their_diffusion():
    # a double well whose examples push by +s or -s: batches of one are additive noise
    push = jnp.array([-3.0, 3.0])
    loss = algorithms.Loss.of(
        lambda w, x: jnp.sum(0.25 * (w**2 - 1) ** 2) + jnp.mean(x) * w[0], [1.0], push
    )
    descent = algorithms.StochasticGradient(loss, 0.03, batch=1)
    runs = algorithms.IndependentRuns(descent)
    escape = dynamics.escape_times(
        runs, runs.starts([1.0], 600), lambda x: x[:1], max_time=20_000.0
    )
    limit = algorithms.GradientDiffusion(descent)
    exact = dynamics.mean_exit_time(limit, [1.0], 0.0, np.inf)
    steps = exact.mean.value / 0.03
    low, high = escape.mean.interval
    assert (
        0.85 * low < steps < 1.15 * high
    )  # a step can jump the barrier: the limit is one of small steps


def test_symmetries_of_a_network_and_how_steps_break_them():
    rng = np.random.default_rng(1)
    x, label = rng.normal(size=(30, 3)), rng.integers(0, 3, 30)

    def network(w, data):
        x, label = data
        hidden = jax.nn.relu(x @ w["in"] + w["bias"])
        score = jax.nn.log_softmax(hidden @ w["out"])
        return -jnp.mean(score[jnp.arange(len(label)), label])

    weights = {k: rng.normal(size=s) for k, s in (("in", (3, 4)), ("bias", 4), ("out", (4, 3)))}
    loss = algorithms.Loss.of(network, weights, (x, label))
    found = algorithms.symmetries(loss, weights)
    assert len(found) == 8  # four units are rescaled, and four rows of logits shifted
    assert found.residual.max() < 1e-12
    assert found.gap > 1e-5
    descent = algorithms.GradientDescent(loss, 0.2)
    drift = algorithms.charge_drift(descent, descent.start(weights), found, n_steps=100)
    assert np.allclose(drift.charges - drift.charges[0], drift.due, atol=1e-12)
    half = algorithms.GradientDescent(loss, 0.1)
    slower = algorithms.charge_drift(half, half.start(weights), found, n_steps=200)
    ratio = drift.due[-1, :4] / slower.due[-1, :4]
    assert np.allclose(ratio, 2.0, atol=0.3)  # over the same time it halves with the rate
    adam = algorithms.Adam(loss, 0.01)
    assert np.isnan(algorithms.charge_drift(adam, adam.start(weights), found, n_steps=5).due).all()


def test_scale_invariance_grows_the_norm_exactly():
    loss = algorithms.Loss.of(lambda w: -(w[0] / jnp.linalg.norm(w)), [1.0, 1.0, 0.5])
    found = algorithms.symmetries(loss, [1.0, 1.0, 0.5])
    assert len(found) == 1
    assert np.allclose(found.rescalings[0], found.rescalings[0, 0])
    drift = algorithms.charge_drift(
        algorithms.GradientDescent(loss, 0.5), [1.0, 1.0, 0.5], found, n_steps=50
    )
    assert drift.drift[0].value == pytest.approx(drift.due[-1, 0], abs=1e-12)
    assert drift.drift[0].value > 0


def test_a_loss_without_symmetry_and_wrong_questions():
    loss = algorithms.Loss.of(lambda w: jnp.sum(jnp.cosh(w)) + w[0] * w[1], [1.0, 0.5])
    none = algorithms.symmetries(loss, [1.0, 0.5])
    assert len(none) == 0
    assert none.summary().startswith("0 symmetries")
    with pytest.raises(WrongKind):
        algorithms.symmetries(lambda w: w, [1.0])
    with pytest.raises(InvalidInput):
        algorithms.symmetries(loss, [1.0, 0.5], spread=0.0)
    with pytest.raises(WrongKind):
        algorithms.charge_drift(algorithms.GradientDescent(loss, 0.1), [1.0, 0.5], "balance")
    flat = algorithms.Loss.of(lambda w: 0.0 * jnp.sum(w), [1.0, 0.5])
    with pytest.raises(InvalidInput, match="vanishes"):
        algorithms.symmetries(flat, [1.0, 0.5])
