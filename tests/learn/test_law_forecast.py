"""A law as a forecaster: the same numbers everywhere, filtered starts, inputs, missing laws."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import InvalidInput, Status, Trajectory, WrongKind
from takens.data import regular_segments
from takens.learn import (
    DMD,
    LawForecast,
    LibraryLadder,
    SINDy,
    SparseMap,
    simulate,
)
from takens.learn.terms import Expressions, Polynomials

RATES = np.array([[0.0, 1.0, 0.0], [-1.0, -0.1, 1.0]])  # a damped spring, pushed


def pushed(n=400, noise=0.0, seed=0, dt=0.1):
    """A damped spring under a known slow push, and the push."""
    times = dt * np.arange(n)

    def push(t):
        return np.sin(0.3 * t) + 0.5 * np.cos(0.71 * t)

    def rate(t, x):
        return [x[1], -x[0] - 0.1 * x[1] + push(t)]

    orbit = solve_ivp(rate, (0, times[-1]), [1.0, 0.0], t_eval=times, rtol=1e-10, atol=1e-10).y.T
    orbit = orbit + noise * np.random.default_rng(seed).normal(size=orbit.shape)
    return Trajectory(
        times=times, states=orbit, inputs=push(times)[:, None], names=("x", "v"), input_names=("u",)
    )


def henon(n=300, noise=0.0):
    orbit = np.empty((n, 2))
    orbit[0] = 0.1, 0.1
    for i in range(1, n):
        orbit[i] = 1 - 1.4 * orbit[i - 1, 0] ** 2 + orbit[i - 1, 1], 0.3 * orbit[i - 1, 0]
    return orbit + noise * np.random.default_rng(0).normal(size=orbit.shape)


@pytest.fixture(scope="module")
def spring():
    segments = regular_segments(pushed(noise=0.02))
    return segments, LawForecast(finder=SINDy(library=Polynomials(1))).learn(segments)


def test_what_is_printed_is_what_is_simulated(spring):
    """Printed with all digits and read again, the equations give the same rates to rounding."""
    _, fit = spring
    model = fit.model
    system = model.equations()
    x, u = np.array([0.3, -0.7]), np.array([0.4])
    ours = model.rates(x[None], u[None], np.zeros(1))[0]
    for column, line in enumerate(system.equations(17)):
        total = 0.0
        for piece in line.split(" = ")[1].replace(" - ", " + -").split(" + "):
            number, _, term = piece.partition("*")
            total += float(number) * Expressions(term).over(("x", "v"), inputs=("u",))(x, u)[0]
        assert total == pytest.approx(ours[column], rel=1e-14)
    np.testing.assert_allclose(system.vector_field(0.0, x, u), ours, rtol=1e-14)
    law = fit.diagnostics["law"]
    printed = law.coefficients[law.support]
    assert set(printed) == set(model.coefficients[model.coefficients != 0])


def test_host_and_system_give_the_same_orbits():
    for data, finder in (
        (pushed(noise=0.02), SINDy(library=Polynomials(1))),
        (henon(), SparseMap()),
    ):
        fit = LawForecast(finder=finder, memory=1).learn(regular_segments(data))
        x0 = np.array([[0.1, 0.2], [-0.3, 0.1]])
        inputs = np.full((20, 2, fit.model.n_inputs), 0.3)  # constant, as the system holds inputs
        residuals = np.zeros((1, 2))
        draws = np.zeros((20, 2), dtype=int)
        _, ours = simulate(fit.model, x0, np.zeros(2), inputs, residuals, draws)
        system = fit.model.system()
        step = jax.jit(jax.vmap(system.step, (None, 0, 0)))
        x = jnp.asarray(x0)
        for n in range(20):
            x = step(float(n), x, inputs[n])
            np.testing.assert_allclose(ours[n], x, rtol=1e-11, atol=1e-11)


def test_an_input_is_linear_between_samples(spring):
    _, fit = spring
    clean = pushed(n=400)
    exact = dataclasses.replace(
        fit.model, coefficients=np.array([[0.0, -1.0], [1.0, -0.1], [0.0, 1.0]]), memory=1
    )
    assert exact.terms.names == ("x", "v", "u")
    x0 = exact.frame.encode(clean.states[:1])
    drive = clean.inputs[:, None, :]
    _, path = exact.orbits(
        x0, np.zeros(1), drive[:100], np.zeros((1, 2)), np.zeros((100, 1), dtype=int)
    )
    error = exact.frame.decode(path[:99, 0]) - clean.states[1:100]
    assert np.abs(error).max() < 2e-3  # holding the input would give 0.05


def test_a_start_is_filtered_from_the_last_samples(spring):
    _, fit = spring
    clean, noisy = pushed(), pushed(noise=0.02)
    assert fit.diagnostics["memory"] > 1
    wide = dataclasses.replace(fit.model, memory=16)
    rows = np.arange(40, 390, 7)
    back = np.arange(16)
    past = wide.frame.encode(noisy.states[rows[:, None] - back])
    inputs = noisy.inputs[rows[:, None] - back]
    filtered = wide.frame.decode(wide.start(past, inputs, rows.astype(float)))
    error = np.sqrt(((filtered - clean.states[rows]) ** 2).mean())
    assert error < 0.6 * 0.02
    _, spread = wide.filtered(wide.frame.decode(past), inputs, rows.astype(float))
    claimed = np.sqrt(np.einsum("oii->oi", spread).mean())
    assert 0.6 < error / claimed < 1.6


def test_residuals_are_noise_of_measurement_and_do_not_feed_the_orbit(spring):
    _, fit = spring
    model = fit.model
    x0 = np.zeros((1, 2))
    residuals = np.array([[0.0, 0.0], [0.5, -0.5]])
    inputs = np.zeros((6, 1, 1))
    still = np.zeros((6, 1), dtype=int)
    _, plain = model.orbits(x0, np.zeros(1), inputs, residuals, still)
    noisy = still.copy()
    noisy[3] = 1
    _, seen = model.orbits(x0, np.zeros(1), inputs, residuals, noisy)
    moved = np.flatnonzero(np.abs(seen - plain).max(axis=(1, 2)) > 0)
    assert moved.tolist() == [2]


def test_a_window_of_map_states_and_tangents():
    fit = LawForecast(finder=SparseMap()).learn(regular_segments(henon(noise=0.001)))
    x, v = np.array([[0.2, 0.1]]), np.array([[1.0, 0.0]])
    draws = np.zeros((1, 1), dtype=int)
    nothing = np.zeros((1, 2))
    _, moved, path, growth = fit.model.tangent_orbits(x, v, 0.0, np.zeros(0), nothing, draws)
    step = 1e-6
    inputs = np.zeros((1, 1, 0))
    ahead = [
        fit.model.orbits(x + s * v, np.zeros(1), inputs, nothing, draws)[1][0]
        for s in (step, -step)
    ]
    numeric = (ahead[0] - ahead[1]) / (2 * step)
    np.testing.assert_allclose(moved * np.exp(growth[:, 0]), numeric, rtol=1e-6)
    np.testing.assert_allclose(path[:, 0], (ahead[0] + ahead[1]) / 2, atol=1e-6)


def test_no_law_forecasts_nothing():
    walk = np.random.default_rng(1).normal(size=(300, 2)).cumsum(axis=0)
    fit = LawForecast(finder=SINDy(library=Polynomials(1))).learn(regular_segments(walk))
    assert fit.status is Status.NO_LAW
    assert fit.diagnostics["terms"] == []
    _, path = fit.model.orbits(
        np.zeros((1, 2)), np.zeros(1), np.zeros((4, 1, 0)), np.zeros((1, 2)), np.zeros((4, 1), int)
    )
    assert np.isnan(path).all()


def test_the_finder_sees_the_records_as_measured():
    """Missing values and uneven times reach the search, and nothing after the training data does."""
    whole = pushed(n=400, noise=0.01)
    states = np.array(whole.states)
    states[::7, 0] = np.nan
    keep = np.sort(np.random.default_rng(0).choice(400, 330, replace=False))
    record = dataclasses.replace(
        whole, times=whole.times[keep], states=states[keep], inputs=whole.inputs[keep]
    )
    from takens.core import Recording
    from takens.learn.holdout import cut

    recording = Recording(records=(record,))
    segments = regular_segments(recording)
    half = cut(segments, lambda index, n: slice(0, n // 2), 4)
    end = max(s + half.dt * (len(v) - 1) for s, v in zip(half.starts, half.values, strict=True))
    finder = SINDy(library=Polynomials(1))
    fit = LawForecast(finder=finder, records=recording).learn(half)
    expected = int((record.times <= end + 1e-6).sum())
    assert abs(fit.diagnostics["law"].n_samples - expected) <= 1
    assert fit.status is Status.OK


def test_other_estimators_of_equations_and_wrong_ones():
    with pytest.raises(WrongKind, match="equations of terms"):
        LawForecast(finder=DMD()).learn(regular_segments(henon()))
    with pytest.raises(InvalidInput, match="memory = 0"):
        LawForecast(memory=0)


def test_a_ladder_takes_the_library_that_is_needed():
    times = np.linspace(0, 20, 250)
    orbit = solve_ivp(
        lambda t, x: [x[1], 2 * (1 - x[0] ** 2) * x[1] - x[0]], (0, 20), [1.0, 0.0],
        t_eval=times, rtol=1e-9, atol=1e-9,
    ).y.T  # fmt: skip
    data = Trajectory(
        times=times,
        states=orbit + 0.02 * np.random.default_rng(0).normal(size=orbit.shape),
        names=("x", "v"),
    )
    found = LibraryLadder().identified(data)
    assert [found.law.terms[k] for k in np.flatnonzero(found.law.support[:, 1])] == [
        "x",
        "v",
        "x^2*v",
    ]
    with pytest.raises(InvalidInput, match="no finder"):
        LibraryLadder(finders=())
    with pytest.raises(WrongKind, match="DMD"):
        LibraryLadder(finders=(DMD(),))
    with pytest.raises(InvalidInput, match="constant"):
        LibraryLadder().fit(np.ones(100))
