"""Recurrent networks as systems: against other libraries, closed forms and the mean field."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms, dynamics
from takens.core import InvalidInput, WrongKind


def remember(h, u, w):
    return w[0] @ jnp.tanh(w[1] * (w[0].T @ h))


def flip_flop(seed):
    """Sussillo and Barak's memory of three bits, in closed form: 27 fixed points."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))[0]
    gain = np.array([1.8, 1.8, 1.8, 0.3, 0.3, 0.3])
    return algorithms.rnn_system(remember, h0=np.zeros(6), weights=(turn, gain))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_fixed_points_of_the_flip_flop_are_found_with_their_index(seed):
    network = flip_flop(seed)
    found = dynamics.fixed_points(network, network.visited(256))
    assert np.bincount(found.n_unstable).tolist() == [8, 12, 6, 1]
    assert found.stable.sum() == 8
    assert found.error.max() < 1e-12


def test_slow_points_of_a_network_are_where_fixed_points_have_met():
    # h' = tanh(2 h + u): two of three fixed points meet at u = -(2 h - artanh h) at h = sqrt(1/2)
    h = np.sqrt(0.5)
    fold = np.arctanh(h) - 2 * h
    cell = algorithms.ElmanCell([[2.0]], [[1.0]], [0.0])
    network = algorithms.rnn_system(cell)
    starts = network.visited(64)
    for u, number in ((fold + 0.01, 3), (fold - 0.01, 1)):
        assert len(dynamics.fixed_points(network, starts, u=[u])) == number
    slow = dynamics.slow_points(network, starts, u=[fold - 0.01])
    assert len(slow) == 1
    assert slow.points[0, 0] == pytest.approx(h, abs=0.05)
    assert slow.speeds[0] == pytest.approx(0.01 * (1 - h**2), rel=0.1)


def test_an_input_held_is_a_parameter_whose_fixed_points_can_be_swept():
    network = algorithms.rnn_system(algorithms.ElmanCell([[0.5]], [[1.0]], [0.0]))
    held = dynamics.with_input(network, [0.0])
    for u in (0.1, 0.4):
        point = dynamics.fixed_points(held.with_parameters(u=[u]), [[0.0]]).points[0, 0]
        assert np.tanh(0.5 * point + u) == pytest.approx(point, abs=1e-12)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_networks_of_torch_are_followed_to_rounding(kind):
    torch = pytest.importorskip("torch")
    for layers in (1, 2):
        torch.manual_seed(0)
        module = getattr(torch.nn, kind)(3, 5, num_layers=layers).double()
        x = torch.randn(7, 1, 3, dtype=torch.float64)
        shown = module(x)[0][-1, 0].detach().numpy()
        network = algorithms.rnn_system(module, inputs=x[:, 0].numpy())
        end = dynamics.trajectory(network, np.zeros(network.dim), [0, 7]).states[-1]
        assert np.allclose(network.cell.output(end), shown, rtol=0, atol=1e-14)


def test_cells_of_torch_have_no_number_of_the_layer():
    torch = pytest.importorskip("torch")
    cell = torch.nn.RNNCell(2, 3, nonlinearity="relu").double()
    h, u = np.array([0.1, -0.2, 0.3]), np.array([1.0, -1.0])
    network = algorithms.rnn_system(cell, inputs=u)
    with torch.no_grad():
        expected = cell(torch.tensor(u)[None], torch.tensor(h)[None])[0].numpy()
    assert np.allclose(network.step(0, h), expected, atol=1e-15)
    with pytest.raises(InvalidInput, match="Bidirectional"):
        algorithms.rnn_system(torch.nn.GRU(2, 3, bidirectional=True))


def test_arrays_under_the_names_of_torch_are_the_published_cells():
    # against the equations written out in NumPy, so that this runs without torch
    rng = np.random.default_rng(0)
    h, c, u = rng.normal(size=3), rng.normal(size=3), rng.normal(size=2)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def arrays(gates):
        return {
            "weight_hh_l0": rng.normal(size=(3 * gates, 3)),
            "weight_ih_l0": rng.normal(size=(3 * gates, 2)),
            "bias_hh_l0": rng.normal(size=3 * gates),
            "bias_ih_l0": rng.normal(size=3 * gates),
        }

    w = arrays(3)
    own = (w["weight_hh_l0"] @ h + w["bias_hh_l0"]).reshape(3, 3)
    given = (w["weight_ih_l0"] @ u + w["bias_ih_l0"]).reshape(3, 3)
    r, z = sigmoid(own[0] + given[0]), sigmoid(own[1] + given[1])
    expected = (1 - z) * np.tanh(given[2] + r * own[2]) + z * h
    assert np.allclose(algorithms.rnn_system(w, inputs=u).step(0, h), expected, atol=1e-15)

    w = arrays(4)
    i, f, g, o = (
        w["weight_hh_l0"] @ h + w["weight_ih_l0"] @ u + w["bias_hh_l0"] + w["bias_ih_l0"]
    ).reshape(4, 3)
    held = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    expected = np.concatenate([sigmoid(o) * np.tanh(held), held])
    made = algorithms.rnn_system(w, inputs=u).step(0, np.concatenate([h, c]))
    assert np.allclose(made, expected, atol=1e-15)


@pytest.mark.parametrize("single", [False, True])
def test_cells_of_equinox_keep_their_rule_in_double_precision(single):
    kind = jnp.float32 if single else jnp.float64
    key = jax.random.key(0)
    u = jnp.array([0.5, -0.5])
    lstm = eqx.nn.LSTMCell(2, 3, key=key, dtype=kind)
    network = algorithms.rnn_system(lstm, inputs=u)
    h = jnp.linspace(-1, 1, 6)
    assert network.step(0, h).dtype == jnp.float64
    assert np.allclose(network.step(0, h), jnp.concatenate(lstm(u, (h[:3], h[3:]))), atol=1e-6)
    gru = eqx.nn.GRUCell(2, 3, key=key)
    assert np.allclose(algorithms.rnn_system(gru, inputs=u).step(0, h[:3]), gru(u, h[:3]))


class Twisted(eqx.Module):
    """A cell of someone's own, called as equinox's are."""

    matrix: jax.Array

    def __call__(self, given, hidden):
        return {"a": jnp.tanh(self.matrix @ hidden["a"] + given), "b": hidden["b"] / 2}


def test_a_cell_of_ones_own_needs_a_state_for_its_layout():
    own = Twisted(jnp.eye(2))
    with pytest.raises(InvalidInput, match="Give h0"):
        algorithms.rnn_system(own)
    network = algorithms.rnn_system(own, h0={"a": np.zeros(2), "b": 1.0}, n_inputs=2)
    assert network.names == ("a[0]", "a[1]", "b")
    assert network.step(0, jnp.ones(3))[2] == 0.5


def test_drives_are_a_constant_a_record_and_chance():
    cell = algorithms.ElmanCell([[0.0]], [[1.0]], [0.0], lambda x: x)
    still, played, drawn = (
        algorithms.rnn_system(cell, inputs=given, seed=3)
        for given in ([2.0], [[1.0], [2.0], [3.0]], lambda key: jax.random.normal(key, (1,)))
    )
    orbit = dynamics.trajectory(played, [0.0], np.arange(6)).states[1:, 0]
    assert orbit.tolist() == [1.0, 2.0, 3.0, 1.0, 2.0]
    assert float(still.step(9, jnp.zeros(1))[0]) == 2.0
    noise = dynamics.trajectory(drawn, [0.0], np.arange(4001)).states[1:, 0]
    assert abs(noise.mean()) < 4 / np.sqrt(4000)
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 4 / np.sqrt(4000)
    assert np.array_equal(noise, dynamics.trajectory(drawn, [0.0], np.arange(4001)).states[1:, 0])
    with pytest.raises(WrongKind, match="depends on time"):
        dynamics.fixed_points(drawn, [[0.0]])
    assert len(dynamics.fixed_points(drawn, [[0.0]], u=[0.5])) == 1


def test_a_contracting_network_has_the_exponent_of_its_matrix():
    rng = np.random.default_rng(0)
    matrix = 0.9 * rng.normal(size=(100, 100)) / 10
    radius = np.abs(np.linalg.eigvals(matrix)).max()
    assert radius < 1
    found = dynamics.lyapunov_spectrum(
        algorithms.rnn_system(matrix), rng.normal(size=100), n_steps=6000, n_exponents=1
    )
    assert found.exponents[0] == pytest.approx(np.log(radius), abs=1e-3)


def test_a_random_network_is_near_the_mean_field():
    # 0.5324 at g = 5 for infinitely many units; networks of 500 are 1.7 % below, so 4 % is allowed
    rng = np.random.default_rng(0)
    network = algorithms.rnn_system(5 * rng.normal(size=(500, 500)) / np.sqrt(500))
    found = dynamics.lyapunov_spectrum(
        network, rng.normal(size=500), n_steps=1000, n_transient=200, n_exponents=1
    )
    assert found.exponents[0] == pytest.approx(0.5324, rel=0.04)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: algorithms.rnn_system(np.ones((2, 3))), "recurrent matrix"),
        (lambda: algorithms.rnn_system([["a"]]), "no array of real numbers"),
        (lambda: algorithms.rnn_system(np.full((2, 2), np.nan)), "Was the training lost"),
        (lambda: algorithms.rnn_system({"weight_hh_l1": np.eye(2)}), "Layers"),
        (lambda: algorithms.rnn_system({"weight_ih": np.eye(2)}), "weight_hh is missing"),
        (lambda: algorithms.rnn_system({"weight_hh": np.ones((4, 2))}), "one, three or four"),
        (lambda: algorithms.rnn_system({"kernel": np.eye(2)}), "names such as"),
        (lambda: algorithms.rnn_system({}), "Layers"),
        (lambda: algorithms.rnn_system(lambda h, u: h), "needs h0"),
        (lambda: algorithms.rnn_system(lambda h, u: jnp.zeros(3), h0=[1.0]), "shapes"),
        (lambda: algorithms.rnn_system(lambda h: h, h0=[1.0]), "fails on a state"),
        (lambda: algorithms.rnn_system(np.eye(2), weights=1.0), "weights belong"),
        (lambda: algorithms.rnn_system(np.eye(2), inputs=[1.0]), "takes 0"),
        (lambda: algorithms.rnn_system(np.eye(2), inputs=[[np.nan]]), "NaN or infinity"),
        (lambda: algorithms.rnn_system(np.eye(2), inputs=[["x"]]), "no real number"),
        (lambda: algorithms.rnn_system(np.eye(2), inputs=lambda key: 1.0), "shape"),
        (lambda: algorithms.ElmanCell(np.eye(2), np.zeros((3, 1)), np.zeros(2)), "incoming"),
        (lambda: algorithms.GRUCell(np.eye(2), np.eye(2), np.zeros(2), np.zeros(2)), "3"),
        (lambda: algorithms.StackedCells(()), "no layers"),
        (lambda: algorithms.rnn_system(np.eye(2)).visited(0), "1 or more"),
    ],
)
def test_what_is_no_network_is_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
