"""Damping of fixed-point iterations, deep-equilibrium layers among them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms, dynamics
from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.systems import Lorenz63


def equilibrium_layer(n, seed=0):
    """z = tanh(W z + x) with an antisymmetric W of norm 1.5."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, n))
    matrix = matrix - matrix.T
    matrix *= 1.5 / np.linalg.norm(matrix, 2)
    return algorithms.rnn_system(
        lambda z, x, w: jnp.tanh(w @ z + x), h0=np.zeros(n), n_inputs=n,
        inputs=0.1 * rng.normal(size=n), weights=matrix,
    )  # fmt: skip


def test_a_layer_that_does_not_converge_does_so_damped():
    layer = equilibrium_layer(50)
    found = algorithms.damping_for(layer, np.zeros(50))
    assert found.rate.value == pytest.approx(1.48, abs=0.03)
    assert found.converges is False
    assert found.plain_steps == np.inf
    assert found.rate_at(0.5) == pytest.approx(0.893, abs=0.01)
    assert found.damped_rate.value < found.rate_at(0.5)
    # the spectrum of an antisymmetric map: |1 - a (1 - i s)| is least at 1 / (1 + s^2)
    assert found.damping == pytest.approx(1 / (1 + found.rate.value**2), rel=0.05)
    assert np.isfinite(found.damped_steps)
    assert found.acceleration.n_evaluations < found.damped_steps
    assert np.abs(layer.step(0, found.point) - found.point).max() < 1e-14


def test_the_rate_that_is_said_is_the_rate_that_is_seen():
    layer = equilibrium_layer(20)
    found = algorithms.damping_for(layer, np.zeros(20))
    damped = algorithms.DampedMap(layer, found.damping)
    orbit = dynamics.trajectory(damped, np.zeros(20), np.arange(120)).states
    error = np.linalg.norm(orbit - found.point, axis=1)
    seen = (error[100] / error[60]) ** (1 / 40)
    assert found.damped_rate.value == pytest.approx(seen, rel=0.01)
    edge = algorithms.DampedMap(layer, 1.05 * found.largest_damping)
    jacobian = jax.jacfwd(lambda z: edge.step(0, z))(jnp.asarray(found.point))
    assert np.abs(np.linalg.eigvals(np.asarray(jacobian))).max() > 1


def test_a_symmetric_contraction_is_best_relaxed_beyond_one():
    # multipliers 0.2 and 0.9: the best factor is 2 / (0.1 + 0.8)
    line = algorithms.rnn_system(
        algorithms.ElmanCell(np.diag([0.2, 0.9]), np.eye(2), np.zeros(2), lambda x: x),
        inputs=[1.0, 1.0],
    )
    found = algorithms.damping_for(line, [0.0, 0.0])
    assert found.converges is True
    assert found.damping == pytest.approx(2 / 0.9, rel=1e-6)
    assert found.damped_rate.value == pytest.approx(0.7 / 0.9, rel=1e-6)
    assert found.largest_damping == pytest.approx(2 / 0.8)


def test_a_large_layer_is_asked_by_products_alone():
    layer = equilibrium_layer(700)
    found = algorithms.damping_for(layer, np.zeros(700), max_steps=500)
    assert not found.complete
    jacobian = np.asarray(layer.cell.weights) * (1 - found.point**2)[:, None]
    values = np.linalg.eigvals(jacobian)
    assert found.rate.value == pytest.approx(np.abs(values).max(), rel=1e-3)
    assert found.damped_rate.value == pytest.approx(
        np.abs(1 - found.damping * (1 - values)).max(), rel=1e-3
    )


def test_where_no_damping_converges_that_is_said():
    found = algorithms.damping_for(algorithms.rnn_system([[2.0]]), [0.0])
    assert np.isnan(found.damping)
    assert found.largest_damping == 0
    assert "No positive damping" in found.summary()
    # from elsewhere the iteration itself ends on another, stable point
    other = algorithms.damping_for(algorithms.rnn_system([[2.0]]), [0.1])
    assert other.point[0] == pytest.approx(0.9575, abs=1e-4)
    assert other.converges is True


def test_a_family_of_fixed_points_is_left_out_with_a_caution():
    rng = np.random.default_rng(0)
    cost = rng.uniform(size=(6, 6))
    transport = algorithms.Sinkhorn(cost, np.full(6, 1 / 6), np.full(6, 1 / 6), 0.2)
    found = algorithms.damping_for(transport, np.zeros(6))
    assert found.cautions[0].code == "neutral-direction"
    assert found.converges is True
    assert found.damped_rate.value < found.rate.value < 1
    assert found.damped_steps <= found.plain_steps


def test_no_fixed_point_is_a_status():
    runaway = algorithms.rnn_system(lambda h, u: h + 1.0, h0=[0.0])
    with pytest.raises(NumericalFailure, match="did not converge"):
        algorithms.damping_for(runaway, [0.0], max_steps=300)
    found = algorithms.damping_for(runaway, [0.0], max_steps=300, throw=False)
    assert found.status is Status.NOT_CONVERGED
    assert np.isnan(found.rate.value)
    assert np.isnan(found.point).all()


def test_wrong_questions():
    with pytest.raises(WrongKind, match="a map"):
        algorithms.damping_for(Lorenz63(), [1.0, 1.0, 1.0])
    played = algorithms.rnn_system(
        {"weight_hh": [[0.5]], "weight_ih": [[1.0]]}, inputs=[[1.0], [2.0]]
    )
    with pytest.raises(WrongKind, match="depends on time"):
        algorithms.damping_for(played, [0.0])
    with pytest.raises(InvalidInput, match="shape"):
        algorithms.damping_for(algorithms.rnn_system([[0.5]]), [0.0, 1.0])
