"""A model learned from Lorenz data answers as the true system does, within its spread."""

from __future__ import annotations

import numpy as np
import pytest

from takens import dynamics, learn, systems
from takens.core import Recording, Trajectory

DT = 0.01


@pytest.fixture(scope="module")
def models():
    """Four models, each from 15 records at known values of rho, which is an input."""
    rng = np.random.default_rng(0)
    rho = rng.uniform(12, 30, 60)
    box = np.array([[-15, 15], [-20, 20], [0, 40.0]])
    starts = rng.uniform(box[:, 0], box[:, 1], (60, 3))
    times = np.arange(0, 12, DT)
    found = dynamics.trajectories(systems.Lorenz63(), starts, times, parameters={"rho": rho})
    records = [
        Trajectory(
            times=times,
            states=states,
            inputs=np.full((len(times), 1), value),
            names=("x", "y", "z"),
        )
        for states, value in zip(found.states, rho, strict=True)
    ]
    learner = learn.NVAR(n_lags=1, spacing=1, degree=4, noise=0.0)
    return [learner.fit(Recording(records=tuple(records[i::4]))).model for i in range(4)]


def spread(values):
    """Mean, and half the 99 % t interval over four models."""
    values = np.asarray(values)
    return values.mean(axis=0), 5.841 * values.std(axis=0, ddof=1) / 2


def test_equilibria_and_their_growth(models):
    c = np.sqrt(8 / 3 * 19)
    jacobian = [[-10, 10, 0], [1, -1, -c], [c, c, -8 / 3]]
    growth = np.linalg.eigvals(jacobian).real.max()
    answers = []
    for model in models:
        near = np.asarray(model.encode(np.array([[c, c, 19.0]])))
        found = dynamics.fixed_points(dynamics.with_input(model, [20.0]), [near])
        place = int(np.argmin(np.abs(found.points - near).max(axis=1)))
        rate = np.log(np.abs(found.eigenvalues[place])).max() / DT
        answers.append([*np.asarray(model.observe(found.points[place])), rate])
    value, half = spread(answers)
    np.testing.assert_allclose(value[:3], [c, c, 19.0], atol=1e-3)
    assert value[3] == pytest.approx(growth, abs=half[3] + 1e-4)
    assert half[3] < 0.01 * abs(growth)


def test_exponents(models):
    answers = []
    for model in models:
        start = np.asarray(model.encode(np.array([[1.0, 2.0, 20.0]])))
        held = dynamics.with_input(model, [28.0])
        answers.append(dynamics.lyapunov_spectrum(held, start, n_steps=100_000).exponents / DT)
    value, half = spread(answers)
    truth = dynamics.lyapunov_spectrum(systems.Lorenz63(), [1, 2, 20.0], dt=0.5, n_steps=16_000)
    slack = half + 2.6 * truth.standard_error
    assert (np.abs(value - truth.exponents) < slack).all()
    assert (slack < [0.03, 0.01, 0.1]).all()


def test_orbit_diagram(models):
    values = np.array([14.0, 18.0, 26.0, 29.0])
    start = np.array([1.0, 2.0, 20.0])
    held = dynamics.with_input(models[0], [20.0])
    learned = dynamics.orbit_diagram(
        held, "u", values[:, None], models[0].encode(start[None]), n_steps=800, n_transient=3_000
    )
    exact = dynamics.orbit_diagram(
        systems.Lorenz63(), "rho", values, start, dt=0.01, n_steps=800, n_transient=3_000
    )
    for ours, true in zip(learned.states, exact.states, strict=True):
        seen = np.asarray([models[0].observe(s) for s in ours[::40]])
        if np.ptp(true[:, 2]) < 1:  # the same focus, or its mirror image
            np.testing.assert_allclose(np.abs(seen[-1]), np.abs(true[-1]), atol=0.05)
        else:
            assert np.ptp(seen[:, 2]) > 10
            assert true[:, 2].min() - 8 < seen[:, 2].min() < seen[:, 2].max() < true[:, 2].max() + 8


@pytest.mark.parametrize(("rho", "least"), [(16.0, 0.99), (20.0, 0.88)])
def test_basins(models, rho, least):
    """Which of two equilibria is reached, on a plane; at 20 the boundary is far more folded."""
    grid = {"x": np.linspace(-15, 15, 25), "y": np.linspace(-20, 20, 25)}
    plane = [0.0, 0.0, rho - 1]
    truth = dynamics.basins_of_attraction(systems.Lorenz63(rho=rho), grid, x0=plane, dt=0.2)
    c = np.sqrt(8 / 3 * (rho - 1))
    np.testing.assert_allclose(truth.attractors[0].centre, [-c, -c, rho - 1], atol=1e-5)
    for model in models[:2]:
        learned = dynamics.iterate(dynamics.with_input(model.in_units(), [rho]), 20)
        found = dynamics.basins_of_attraction(learned, grid, x0=plane, known=truth)
        assert len(found.attractors) == 2
        assert np.mean(found.labels == truth.labels) > least
        assert found.shares[0].value == pytest.approx(0.5, abs=0.05)  # by symmetry


def test_attractors_of_a_model_are_found_without_the_truth(models):
    """Both of them, in the units of the data."""
    learned = dynamics.iterate(dynamics.with_input(models[0].in_units(), [16.0]), 20)
    starts = [[-5.0, -5.0, 15.0], [5.0, 5.0, 15.0], [1.0, 8.0, 20.0], [-1.0, -8.0, 20.0]]
    found = dynamics.attractors(learned, starts)
    c = np.sqrt(40.0)
    centres = [a.centre for a in found.attractors]
    np.testing.assert_allclose(centres, [[-c, -c, 15.0], [c, c, 15.0]], atol=1e-2)
    np.testing.assert_array_equal(found.labels[:2], [0, 1])
