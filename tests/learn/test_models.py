"""Exact answers, breaks in the record, inputs, and the two ways to simulate."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from takens.core import InvalidInput, Recording, Trajectory, WrongKind
from takens.data import regular_segments
from takens.learn import (
    DMD,
    NVAR,
    Analog,
    Climatology,
    LinearAutoregression,
    Persistence,
    SeasonalClimatology,
    simulate,
)
from takens.learn.delay import pairs
from takens.learn.frame import fit_frame
from takens.learn.host import host_map
from takens.learn.moments import moments, with_intercept
from takens.learn.polynomial import derivative_gram, monomial_table, monomials
from takens.learn.simulate import residual_table
from tests.learn.orbits import autoregression, henon, logistic

ALL = (
    Persistence(),
    Climatology(),
    SeasonalClimatology(period=12.0),
    DMD(),
    LinearAutoregression(order=3),
    NVAR(n_lags=2, spacing=2, degree=2, noise=1e-3),
    Analog(n_lags=2, spacing=2, n_neighbours=10),
)


def test_autoregression_is_consistent():
    errors = [
        abs(
            float(LinearAutoregression(order=1).fit(autoregression(0.7, n)).model.matrix[0, 0])
            - 0.7
        )
        for n in (200, 20_000)
    ]
    assert errors[1] < 3 * np.sqrt((1 - 0.49) / 20_000)
    assert errors[1] < errors[0]


def test_order_is_found():
    noise, x = np.random.default_rng(1).normal(size=4_000), np.zeros(4_000)
    for i in range(3, 4_000):
        x[i] = 0.5 * x[i - 1] - 0.6 * x[i - 3] + noise[i]
    chosen = LinearAutoregression().tuned(regular_segments(x)).order
    assert chosen in (3, 4, 5)  # the corrected Akaike criterion never undershoots here


def test_intercept_keeps_the_mean():
    x = autoregression(0.9, 5_000) + 50.0
    for estimator in (DMD(), LinearAutoregression(order=1)):
        model = estimator.fit(x).model
        state = np.asarray(model.encode(x[-model.window :, None]))[None]
        still, steps = np.zeros((1, 1)), np.zeros((300, 1), dtype=int)
        last, _ = simulate(model, state, np.zeros(1), np.zeros((300, 1, 0)), still, steps)
        assert abs(float(model.observe(last[0])[0]) - x.mean()) < 0.2 * x.std()


def test_dmd_rank_is_respected_and_full_rank_is_exact():
    turn = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    states = [np.array([1.0, 0.0])]
    for _ in range(200):
        states.append(turn @ states[-1])
    data = np.array(states)
    exact = DMD().fit(data)
    np.testing.assert_allclose(exact.diagnostics["spectral_radius"], 1.0, rtol=1e-8)
    assert DMD(rank=1).fit(data).diagnostics["rank"] == 1
    np.testing.assert_allclose(exact.diagnostics["residuals"], 0.0, atol=1e-8)


def test_seasonal_climatology_is_exact_on_its_harmonics_and_keeps_the_phase():
    times = np.arange(240.0) + 5  # the record does not start at time zero
    x = 3 + np.sin(2 * np.pi * times / 12) + 0.5 * np.cos(4 * np.pi * times / 12)
    data = Trajectory(times=times, states=x[:, None])
    model = SeasonalClimatology(period=12.0).fit(data).model
    state = model.encode(x[:1, None])
    for step, n in enumerate(times[:30], 1):
        state = model.step(n, state)
        np.testing.assert_allclose(float(model.observe(state)[0]), x[step], atol=1e-8)


def test_nvar_finds_the_logistic_map():
    model = NVAR(n_lags=1, spacing=1, degree=2, noise=0.0).fit(logistic(400)).model
    for x in (0.1, 0.5, 0.83):
        state = model.encode(np.array([[x]]))
        np.testing.assert_allclose(float(model.observe(model.step(0, state))[0]), 4 * x * (1 - x))


def test_nvar_chooses_the_henon_map_by_itself():
    chosen = NVAR().tuned(regular_segments(henon(1_500)))
    assert (chosen.n_lags, chosen.spacing, chosen.degree) == (2, 1, 2)


def test_training_noise_in_closed_form_is_training_noise():
    rng = np.random.default_rng(0)
    z, table = rng.normal(size=(400, 2)), monomial_table(2, 2)
    target, sigma = z[:, :1] * z[:, 1:] + z[:, :1], 0.02
    plain = moments(lambda rows: monomials(rows, table, np), z, target)
    closed = plain.solve(400 * sigma**2 * derivative_gram(z, table, np.arange(2)))
    many = np.concatenate([z] * 300)
    noisy = many + sigma * rng.normal(size=many.shape)
    drawn = moments(lambda rows: monomials(rows, table, np), noisy, np.concatenate([target] * 300))
    shift = np.abs(drawn.solve() - plain.solve()).max()
    np.testing.assert_allclose(closed, drawn.solve(), atol=0.4 * shift + 2e-4)


def test_analog_maps_are_exact_for_a_linear_law():
    x = np.cos(0.7 * np.arange(300))
    model = Analog(n_lags=2, spacing=1, n_neighbours=12).fit(x).model
    state = model.encode(x[:100, None])
    got = float(model.observe(model.step(0, state))[0])
    np.testing.assert_allclose(got, x[100], atol=1e-3)


@pytest.mark.parametrize("estimator", ALL, ids=lambda e: e.label)
def test_host_and_device_simulate_alike(estimator):
    x = np.sin(0.5 * np.arange(300)) + 0.1 * np.random.default_rng(2).normal(size=300)
    fit = estimator.learn(regular_segments(x))
    host, model, rng = fit.model, fit.model.system(), np.random.default_rng(3)
    starts = np.stack([np.asarray(model.encode(x[:k, None])) for k in (50, 120, 200)])
    numbers = np.array([49.0, 119.0, 199.0])
    table = residual_table(fit.diagnostics["residuals"])
    draws = rng.integers(0, len(table), size=(12, 3))
    inputs = np.zeros((12, 3, 0))
    last, path = simulate(host, starts, numbers, inputs, table, draws)
    slow_last, slow = simulate(model, starts, numbers, inputs, table, draws)
    np.testing.assert_allclose(path, slow, atol=1e-9)
    np.testing.assert_allclose(last, slow_last, atol=1e-9)
    assert np.ptp(path) > 0


@pytest.mark.parametrize("estimator", ALL, ids=lambda e: e.label)
def test_host_and_device_carry_tangent_vectors_alike(estimator):
    rng = np.random.default_rng(4)
    u = rng.normal(size=(300, 2))
    x = np.sin(0.5 * np.arange(300)) + 0.1 * rng.normal(size=300)
    data = Trajectory(times=np.arange(300.0), states=np.stack([x, x**2], axis=1), inputs=u)
    fit = estimator.learn(regular_segments(data))
    states = np.stack([fit.model.system().encode(data.states[:k]) for k in (90, 200)])
    vectors = rng.normal(size=states.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = residual_table(fit.diagnostics["residuals"])
    draws = rng.integers(0, len(table), size=(9, 2))
    ways = [
        host_map(m).tangent_orbits(states, vectors, 7.0, np.array([0.1, -0.2]), table, draws)
        for m in (fit.model, fit.model.system())
    ]
    for fast, slow in zip(*ways, strict=True):
        np.testing.assert_allclose(fast, slow, atol=1e-8)
    assert np.isfinite(ways[0][2]).all()


def test_learning_and_forecasting_on_the_host_never_start_the_compiler():
    code = (
        "import sys, numpy as np, takens.validate as v\n"
        "from takens.data import regular_segments\n"
        "s = regular_segments(np.sin(0.3 * np.arange(400)) + 0.1 * np.cos(np.arange(400.0) ** 2))\n"
        "b = v.backtest(s); v.long_run(b.estimators[-1].learn(s), s, n_steps=256)\n"
        "print(sorted({'jax', 'equinox', 'diffrax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_pair_spans_a_break():
    x = np.arange(100.0)
    x[40:60] = np.nan
    segments = regular_segments(x)
    frame, _ = fit_frame(segments, 4)
    found = pairs(segments, frame, (0, 1))
    jumps = np.asarray(frame.scale)[0] * (found.future[:, 0] - found.past[:, 0])
    np.testing.assert_allclose(jumps, 1.0)
    assert len(found) == 38 + 38


def test_records_of_different_length_are_pooled():
    whole = autoregression(0.8, 3_000)
    parts = Recording(
        records=tuple(
            Trajectory(times=np.arange(len(part), dtype=float), states=part[:, None])
            for part in (whole[:400], whole[400:1_500], whole[1_500:])
        )
    )
    pooled = float(LinearAutoregression(order=1).fit(parts).model.matrix[0, 0])
    alone = float(LinearAutoregression(order=1).fit(whole).model.matrix[0, 0])
    assert pooled != alone
    assert abs(pooled - alone) < 0.01


@pytest.mark.parametrize("estimator", ALL[3:], ids=lambda e: e.label)
def test_inputs_drive_the_model(estimator):
    rng = np.random.default_rng(5)
    u, x = rng.normal(size=(800, 1)), np.zeros((800, 1))
    for i in range(799):
        x[i + 1] = 0.5 * x[i] + 2.0 * u[i]
    data = Trajectory(times=np.arange(800.0), states=x, inputs=u)
    estimator = dataclasses.replace(estimator)
    model = estimator.fit(data).model
    state = model.encode(x[:100])
    up, down = (
        float(model.observe(model.step(0, state, np.array([value])))[0]) for value in (0.5, -0.5)
    )
    assert abs((up - down) - 2.0) < 0.2


def test_wide_data_are_reduced_with_a_caution():
    rng = np.random.default_rng(0)
    wide = np.cumsum(rng.normal(size=(54, 3)), axis=0) @ rng.normal(size=(3, 500))
    fit = NVAR().fit(wide)
    assert fit.model.frame.n_coordinates <= 5
    assert "reduced-columns" in {c.code for c in fit.cautions}
    assert fit.model.observe(fit.model.encode(wide)).shape == (500,)


def test_long_training_records_are_capped_aloud():
    fit = Analog(n_lags=1, spacing=1, n_neighbours=5, max_library=200).fit(autoregression(0.5, 900))
    assert fit.model.points.shape[0] == 200
    assert "library-capped" in {c.code for c in fit.cautions}


def test_moments_do_not_depend_on_chunks():
    rng = np.random.default_rng(0)
    a, y = rng.normal(size=(1_000, 3)), rng.normal(size=(1_000, 2))
    one, many = (moments(with_intercept, a, y, chunk=c) for c in (10_000, 77))
    np.testing.assert_allclose(one.gram, many.gram)
    exact = np.linalg.lstsq(with_intercept(a), y, rcond=None)[0]
    np.testing.assert_allclose(many.solve(), exact, atol=1e-10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearAutoregression(order=0), "order = 0"),
        (lambda: DMD(rank=0), "rank = 0"),
        (lambda: NVAR(degree=0), "degree = 0"),
        (lambda: NVAR(noise=-1.0), "noise = -1"),
        (lambda: Analog(n_neighbours=0), "n_neighbours = 0"),
        (lambda: SeasonalClimatology(period=1.0).fit(np.arange(50.0)), "period = 1"),
        (lambda: NVAR(n_lags=9, spacing=1, degree=4, noise=0.0).fit(np.arange(99.0)), "monomials"),
        (lambda: LinearAutoregression(order=60).fit(np.arange(50.0)), "No stretch is longer"),
    ],
)
def test_wrong_questions_are_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()


@pytest.mark.parametrize("estimator", ALL, ids=lambda e: type(e).__name__)
def test_a_model_in_the_units_of_the_data_has_the_same_orbits(estimator):
    x = np.stack([100 + autoregression(0.7, 300), 1e-3 * autoregression(0.4, 300)], axis=1)
    model = estimator.fit(x).model
    plain = model.in_units()
    assert plain.names == model.names
    state, same = model.encode(x[:40]), x[39 : 39 - model.window : -1].reshape(-1)
    for n in range(3):
        state, same = model.step(n, state), plain.step(n, same)
    np.testing.assert_allclose(model.observe(state), same[:2], rtol=1e-9)
    np.testing.assert_allclose(model.observe(state[-2:]), same[-2:], rtol=1e-9)


def test_an_input_passes_to_the_model_in_the_units_of_the_data():
    u = np.sin(np.arange(200.0))[:, None]
    x = np.zeros((200, 1))
    for i in range(199):
        x[i + 1] = 0.5 * x[i] + 3 * u[i] + 7
    model = LinearAutoregression(order=1).fit(
        Trajectory(times=np.arange(200.0), states=x, inputs=u)
    ).model.in_units()  # fmt: skip
    np.testing.assert_allclose(model.step(0, np.array([20.0]), np.array([0.3])), [17.9], rtol=1e-6)


def test_a_reduced_model_has_no_state_in_the_units_of_the_data():
    x = np.outer(autoregression(0.7, 100), np.ones(30)) + 1e-6 * np.eye(100, 30)
    model = DMD(rank=1).fit(x).model
    small = dataclasses.replace(
        model, frame=fit_frame(regular_segments(x), 4)[0].system()
    )  # fmt: skip
    with pytest.raises(WrongKind, match="sees 1 components of 30 columns"):
        small.in_units()


def test_short_history_is_refused():
    model = LinearAutoregression(order=3).fit(autoregression(0.5, 100)).model
    with pytest.raises(InvalidInput, match="The history has 2 rows"):
        model.encode(np.zeros((2, 1)))


def test_an_escaping_polynomial_says_so():
    x = np.exp(0.05 * np.arange(200))
    fit = NVAR(n_lags=1, spacing=1, degree=1, noise=0.0).fit(x)
    assert fit.diagnostics["escaped"] > 0
    assert "free-run-escapes" in {c.code for c in fit.cautions}


def test_models_do_not_depend_on_the_unit():
    x = autoregression(0.7, 500)
    for estimator in ALL:
        plain, small = estimator.fit(x).model, estimator.fit(1e-19 * x).model
        np.testing.assert_allclose(small.frame.scale, 1e-19 * plain.frame.scale, rtol=1e-9)
