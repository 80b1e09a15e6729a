"""The hidden layer of a network through orbits: slopes that are right, and what they are worth."""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import Trajectory
from takens.learn import Network, known
from takens.learn.partly import network, network_training
from takens.learn.partly.estimator import posed
from takens.learn.partly.field import PartlyKnownField
from takens.learn.partly.network_training import WholeField, _Stage, through_orbits, unlikely
from takens.learn.partly.network_units import HiddenUnits
from takens.learn.partly.problem import Orbit
from takens.learn.sparse.fields import FlowAdvance
from takens.learn.sparse.shooting import Noise, shoot

TIMES = 0.1 * np.arange(100)


def swing(t, x):
    """A force that no polynomial of low degree is, and friction of the square of the velocity."""
    return [x[1], -np.sin(2 * x[0]) - 0.3 * x[1] * abs(x[1])]


def record(share, seed, names=("q", "v")):
    orbit = solve_ivp(swing, (0, TIMES[-1]), [1.2, 0.0], t_eval=TIMES, rtol=1e-9, atol=1e-9).y.T
    noise = share * orbit.std(axis=0) * np.random.default_rng(seed).normal(size=orbit.shape)
    return orbit, Trajectory(times=TIMES, states=orbit + noise, names=names)


HALF = known(["dq/dt = v", "dv/dt = 0*q"])


def fitted(data, monkeypatch=None):
    """With or without the last stages of the training."""
    if monkeypatch is not None:
        monkeypatch.setattr(network, "_bettered", lambda problem, orbit, equations, width: orbit)
    return (HALF + Network(equations=("v",), terms=None)).fit(data)


@pytest.fixture(scope="module")
def small():
    """A field with four units in the second equation, and an orbit of it."""
    problem = posed(HALF + Network(), record(0.03, 1)[1], 0)[0]
    nodes = problem.nodes
    rng = np.random.default_rng(3)
    units = HiddenUnits(places=(0, 1), centre=np.zeros(2), scale=np.ones(2),
                        hidden=rng.normal(size=(4, 2)), bias=rng.normal(size=4))  # fmt: skip
    tables = np.zeros((5, 5, 2))
    tables[np.arange(5), np.arange(5), 1] = 1.0
    field = PartlyKnownField(problem.part, units, tables, np.full(5, 0.1))
    noise = Noise(measurement=np.array([1e-3, 1e-3]), dynamical=np.array([1e-2, 1e-2]))
    shot = shoot(field, np.zeros(5), nodes.values, nodes, noise, FlowAdvance())
    return problem, Orbit(shot=shot, noise=noise, advance=FlowAdvance())


def test_responses_of_hidden_weights_are_derivatives(small):
    problem, orbit = small
    nodes = problem.nodes
    whole = WholeField(orbit.field)
    w = np.r_[orbit.numbers, orbit.field.basis.weights.ravel()]
    x, u, t = nodes.values[:6], nodes.inputs[:6], nodes.times[:6]
    eye = np.broadcast_to(np.eye(2), (6, 2, 2))
    ours = whole.response(eye, x, u, t, w)
    assert ours.shape == (6, 2, whole.n_parameters)
    for k in range(len(w)):
        step = 1e-6 * np.eye(len(w))[k]
        change = (whole.values(x, u, t, w + step) - whole.values(x, u, t, w - step)) / 2e-6
        np.testing.assert_allclose(ours[:, :, k], change, atol=1e-8)


def test_the_slope_through_an_orbit_is_that_of_its_misfit(small):
    """By differences, with output layer and orbit at their best each time."""
    problem, orbit = small
    nodes = problem.nodes
    weights = orbit.field.basis.weights.ravel()
    stage = _Stage(nodes, orbit, orbit.noise, orbit.numbers, orbit.shot.states)
    for _ in range(4):  # until the orbit has arrived
        _, slope = stage(weights)
    for k in (0, 4, 11):
        step = 1e-3 * np.eye(len(weights))[k]
        ends = [stage(weights + s)[0] for s in (step, -step)]
        assert (ends[0] - ends[1]) / 2e-3 == pytest.approx(slope[k], rel=0.02, abs=0.02)


def test_the_evidence_has_every_weight_in_it(small):
    problem, orbit = small
    nodes = problem.nodes
    far = orbit.field.basis.moved(orbit.field.basis.weights + 5.0)
    shot = dataclasses.replace(orbit.shot, field=dataclasses.replace(orbit.field, basis=far))
    assert np.isfinite(unlikely(nodes, orbit))
    assert unlikely(nodes, dataclasses.replace(orbit, shot=shot)) > unlikely(nodes, orbit)


def test_learned_rates_are_better_than_without_the_last_stages(monkeypatch):
    """Median over noisy records of the error of the missing rate along the true orbit."""
    gains = []
    for seed in (11, 12, 13):
        orbit, data = record(0.03, seed)
        true = np.array([swing(0.0, x)[1] for x in orbit])
        errors = []
        for patch in (None, monkeypatch):
            learned = fitted(data, patch).model.learned
            monkeypatch.undo()
            z = (orbit - learned.centre) / learned.scale
            units = np.tanh(z @ np.asarray(learned.hidden).T + learned.bias)
            rate = np.column_stack([units, np.ones(len(units))]) @ np.asarray(learned.output)[:, 1]
            errors.append(np.sqrt(((rate - true) ** 2).mean()))
        gains.append(errors[0] / errors[1])
    assert np.median(gains) < 0.95


def test_training_that_fails_leaves_the_network_as_it_was(monkeypatch):
    _, data = record(0.05, 2)

    def broken(problem, orbit):
        raise np.linalg.LinAlgError("no orbit")

    monkeypatch.setattr(network, "through_orbits", broken)
    assert fitted(data).model is not None


def test_weights_are_kept_where_the_search_finds_no_orbit(small, monkeypatch):
    problem, orbit = small

    def overflows(*arguments, **settings):
        raise np.linalg.LinAlgError("overflow")

    monkeypatch.setattr(network_training, "shoot", overflows)
    kept = through_orbits(problem, orbit)
    np.testing.assert_array_equal(kept.weights, orbit.field.basis.weights)
