"""The echo state: exponents with a closed form, coverage, several responses, bounds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms
from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.systems import LogisticMap


def driven(matrix, scale=1.0, size=1):
    units = len(matrix)
    incoming = np.random.default_rng(1).normal(size=(units, size))
    return algorithms.rnn_system(
        {"weight_hh": matrix, "weight_ih": incoming},
        inputs=lambda key: scale * jax.random.normal(key, (size,)),
    )


RANDOM = np.random.default_rng(0).normal(size=(60, 60)) / np.sqrt(60)


def growing(mean):
    """h' = e^u h has the exponent E u, whatever the orbit."""
    return algorithms.rnn_system(
        lambda h, u: jnp.exp(u) * h, h0=[1.0], n_inputs=1,
        inputs=lambda key: mean + 0.3 * jax.random.normal(key, (1,)),
    )  # fmt: skip


def test_the_interval_holds_an_exponent_that_is_known():
    network = growing(-0.05)
    hits = 0
    for seed in range(60):
        found = algorithms.echo_state(network, n_steps=500, n_transient=0, n_starts=2, seed=seed)
        low, high = found.exponents[0].interval
        hits += low < -0.05 < high
    assert 46 <= hits <= 60  # nine tenths of 60, and three standard errors


def test_a_record_of_inputs_has_an_interval_over_pieces():
    values = -0.05 + 0.3 * np.random.default_rng(0).normal(size=(2000, 1))
    network = algorithms.rnn_system(
        lambda h, u: jnp.exp(u) * h, h0=[1.0], n_inputs=1, inputs=values
    )
    found = algorithms.echo_state(network, n_steps=2000, n_transient=0)
    assert found.exponents[0].value == pytest.approx(values.mean(), abs=1e-12)
    assert found.exponents[0].standard_error == pytest.approx(0.3 / np.sqrt(2000), rel=0.5)
    with pytest.raises(InvalidInput, match="count some twice"):
        algorithms.echo_state(network, n_steps=3000)


def test_weak_and_strong_coupling_have_their_verdicts():
    weak, strong = (algorithms.echo_state(driven(g * RANDOM)) for g in (0.9, 3.0))
    assert weak.verdict == "echo state"
    assert weak.exponents[0].interval[1] < 0
    assert weak.separations[:, -1].max() < 1e-12
    assert strong.verdict == "no echo state"
    assert strong.exponents[0].interval[0] > 0


def test_an_input_can_make_a_network_forget_that_does_not_by_itself():
    # above spectral radius one: without input no fixed point at rest, under a strong one an echo state
    matrix = 1.5 * RANDOM
    assert algorithms.echo_state(driven(matrix, 3.0)).verdict == "echo state"
    free = algorithms.echo_state(driven(matrix, 0.01))
    assert free.verdict != "echo state"
    assert free.spectral_radius > 1
    assert free.norm > 1


def test_stable_responses_that_stay_apart_are_no_echo_state():
    two = algorithms.rnn_system({"weight_hh": [[2.0]], "weight_ih": [[0.1]]},
                                inputs=lambda key: jax.random.normal(key, (1,)))  # fmt: skip
    found = algorithms.echo_state(two)
    assert found.exponents[0].interval[1] < 0
    assert found.verdict == "several responses"


def test_bounds_of_a_matrix_that_only_a_scaling_settles():
    matrix = np.array([[0.5, 4.0], [0.01, 0.5]])
    found = algorithms.echo_state(driven(matrix))
    assert found.norm > 1
    assert found.spectral_radius <= found.scaled_norm < 1
    # the least over diagonal scalings of a matrix without negative entries is its radius
    assert found.scaled_norm == pytest.approx(found.spectral_radius, rel=1e-3)
    assert "forgotten" in found.summary()


def test_bounds_are_for_plain_networks_of_known_activations():
    gru = {"weight_hh": np.ones((3, 1)) / 2, "weight_ih": np.ones((3, 1))}
    found = algorithms.echo_state(
        algorithms.rnn_system(gru, inputs=lambda key: jax.random.normal(key, (1,))), n_steps=500
    )
    assert np.isnan(found.norm)
    assert found.verdict == "echo state"


def test_a_network_that_is_cut_off_forgets_in_one_step():
    off = algorithms.rnn_system(
        algorithms.ElmanCell([[0.5]], [[1.0]], [-50.0], jax.nn.relu),
        inputs=lambda key: jax.random.normal(key, (1,)),
    )
    found = algorithms.echo_state(off, n_steps=200, n_transient=10)
    assert found.exponents[0].value == -np.inf
    assert found.cautions[0].code == "direction-forgotten"
    assert found.verdict == "echo state"


def test_a_lost_orbit_is_a_status():
    with pytest.raises(NumericalFailure, match="non-finite"):
        algorithms.echo_state(growing(5.0))
    found = algorithms.echo_state(growing(5.0), throw=False)
    assert found.status is Status.DIVERGED
    assert np.isnan(found.exponents[0].value)
    assert found.verdict == "undetermined"


def test_wrong_questions():
    network = driven(0.5 * RANDOM[:2, :2])
    with pytest.raises(WrongKind, match="rnn_system"):
        algorithms.echo_state(LogisticMap())
    for settings, message in (
        ({"n_realisations": 2}, "three or more"),
        ({"x0": np.zeros((1, 2))}, "two or more different starts"),
        ({"x0": np.zeros((3, 2))}, "two or more different starts"),
        ({"n_starts": 1}, "two or more different starts"),
        ({"n_exponents": 3}, "expected 1 to 2"),
        ({"level": 1.0}, "between 0 and 1"),
        ({"n_steps": 0}, "from 1 on"),
    ):
        with pytest.raises(InvalidInput, match=message):
            algorithms.echo_state(network, **settings)
