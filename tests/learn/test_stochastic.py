"""Drift and noise without a formula: against exact paths, breaks in the record, bad input."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from takens.core import InvalidInput, Trajectory
from takens.dynamics import mean_exit_time
from takens.learn import KramersMoyal
from takens.learn.stochastic.pairs import paths_of
from tests.learn.paths import double_well, observed, ornstein_uhlenbeck, square_root


def law_of(data, **settings):
    return KramersMoyal(**settings).fit(data).diagnostics["law"]


def inside(law, drift, noise):
    """Share of supported nodes whose intervals hold the truth."""
    x, kept = law.axes[0], law.supported
    low, high = law.drift_interval[..., 0]
    a = ((low <= drift(x)) & (drift(x) <= high))[kept]
    low, high = law.squared_noise_interval[..., 0, 0]
    b = ((low <= noise(x)) & (noise(x) <= high))[kept]
    return a.mean(), b.mean()


def test_pointwise_intervals_cover():
    found = [
        inside(law_of(observed(ornstein_uhlenbeck(seed=seed))), lambda x: -x, lambda x: 1.0 + 0 * x)
        for seed in range(30)
    ]
    # 30 records of 41 nodes, of which few are independent: five standard errors are about 0.06
    assert np.abs(np.mean(found, axis=0) - 0.95).max() < 0.06


def test_finite_steps_are_extrapolated_away():
    """Without extrapolation the squared noise at the level is low by the factor (1-e^-2T)/2T."""
    x = observed(ornstein_uhlenbeck(20_000, 0.2), 0.2)
    at_zero = {
        lags: np.interp(0.0, law.axes[0], law.squared_noise[:, 0, 0])
        for lags, law in ((lags, law_of(x, lags=lags)) for lags in (1, 3))
    }
    assert abs(at_zero[1] - np.expm1(-0.4) / -0.4) < 0.04
    assert abs(at_zero[3] - 1) < 0.07


def test_noise_that_grows_with_the_state():
    law = law_of(observed(square_root(seed=3)))
    a, b = inside(law, lambda x: 1 - x, lambda x: 0.25 * x)
    assert min(a, b) > 0.75
    assert law.squared_noise[law.supported][-1] > 2 * law.squared_noise[law.supported][0]


def test_double_well_has_three_equilibria():
    law = law_of(observed(double_well(seed=1), 0.1))
    drift, kept = law.drift[:, 0], law.supported
    middle = np.flatnonzero(kept & (np.abs(law.axes[0]) < 1.2))
    signs = np.sign(drift[middle][[0, len(middle) // 4, -len(middle) // 4, -1]])
    assert signs.tolist() == [1, -1, 1, -1]


def test_irregular_times_and_missing_samples_are_used_by_the_clock():
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.uniform(0.05, 0.25, 6000))
    x = ornstein_uhlenbeck(times=times, seed=5)
    x[rng.random(6000) < 0.2] = np.nan
    a, b = inside(law_of(observed(x, times=times)), lambda v: -v, lambda v: 1.0 + 0 * v)
    assert min(a, b) > 0.75
    # Read as if it were even, the same record has another law.
    wrong = law_of(observed(x[np.isfinite(x)], 0.05))
    assert inside(wrong, lambda v: -v, lambda v: 1.0 + 0 * v)[1] < 0.2


def test_no_pair_spans_a_record_or_a_gap():
    up = observed(10 + ornstein_uhlenbeck(500))
    down = observed(ornstein_uhlenbeck(500, seed=1))
    paths = paths_of([down, up], (1,))
    for lag in (1, 3):
        pair = paths.transitions(lag)
        assert len(pair) == 2 * (500 - lag)
        assert np.abs(pair.end - pair.start).max() < 5
    times = np.concatenate([0.1 * np.arange(500), 500 + 0.1 * np.arange(500)])
    gap = paths_of(observed(ornstein_uhlenbeck(1000), times=times), (1,))
    assert len(gap.transitions()) == 998
    assert any(f.code == "gaps" for f in gap.findings)


def test_two_components():
    matrix = np.array([[-1.0, 2.0], [-2.0, -1.0]])
    step, scale = expm(0.05 * matrix), np.sqrt(-np.expm1(-0.1) / 2)
    kicks = scale * np.random.default_rng(0).normal(size=(6000, 2))
    x = np.zeros((6000, 2))
    for i in range(1, 6000):
        x[i] = step @ x[i - 1] + kicks[i]
    fit = KramersMoyal().fit(Trajectory(times=0.05 * np.arange(6000), states=x, names=("x", "y")))
    law = fit.diagnostics["law"]
    nodes = np.stack(np.meshgrid(*law.axes, indexing="ij"), axis=-1)
    hit = (law.drift_interval[0] <= nodes @ matrix.T) & (nodes @ matrix.T <= law.drift_interval[1])
    assert hit[law.supported].mean() > 0.8
    low, high = law.squared_noise_interval
    assert ((low <= np.eye(2)) & (np.eye(2) <= high))[law.supported].mean() > 0.8
    assert fit.model.diffusion(0.0, jnp.array([0.1, 0.2])).shape == (2, 2)
    assert "two" not in law.summary()
    assert "y from" in law.summary()


def test_the_model_is_the_table_and_knows_nothing_beyond_it():
    fit = KramersMoyal().fit(observed(ornstein_uhlenbeck()))
    law, model = fit.diagnostics["law"], fit.model
    node = 20
    x = jnp.asarray(law.axes[0][node : node + 1])
    np.testing.assert_allclose(model.drift(0.0, x)[0], law.drift[node, 0], rtol=1e-12)
    noise = float(model.diffusion(0.0, x)[0, 0])
    np.testing.assert_allclose(noise**2, law.squared_noise[node, 0, 0], rtol=1e-12)
    beyond = jnp.array([law.axes[0][-1] + 0.1])
    assert np.isnan(model.drift(0.0, beyond)).all()
    assert np.isnan(model.diffusion(0.0, beyond)).all()
    found = mean_exit_time(model, [0.0], -0.8, 0.8).mean.value
    # Of dX = -X dt + dW the integral of 2 exp(y^2 - z^2) over 0 < z < y < 0.8 is 0.8034.
    assert abs(found / 0.8034 - 1) < 0.15


def test_scale_of_state_and_time_carry_through():
    x = ornstein_uhlenbeck(2000)
    plain, large = law_of(observed(x)), law_of(observed(5 + 10 * x, 0.2))
    np.testing.assert_allclose(large.drift, 10 / 2 * plain.drift, rtol=1e-6)
    np.testing.assert_allclose(
        large.squared_noise_error, 100 / 2 * plain.squared_noise_error, rtol=1e-6
    )


def test_coarse_sampling_is_told_and_then_refused():
    codes = [f.code for f in law_of(observed(ornstein_uhlenbeck(dt=0.6), 0.6)).cautions]
    assert "coarse-sampling" in codes
    with pytest.raises(InvalidInput, match="more coarsely than the motion"):
        KramersMoyal().fit(observed(ornstein_uhlenbeck(dt=8.0), 8.0))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.full(500, 3.0), "constant"),
        (np.full(500, np.nan), "0 finite samples"),
        (np.arange(50.0) ** 0.5, "50 finite samples"),
        (np.random.default_rng(0).normal(size=(500, 3)), "3 columns"),
    ],
)
def test_bad_data(data, message):
    with pytest.raises(InvalidInput, match=message):
        KramersMoyal().fit(data)


@pytest.mark.parametrize("settings", [{"lags": 0}, {"lags": 2.0}, {"width": -1.0}, {"level": 95}])
def test_bad_settings(settings):
    with pytest.raises(InvalidInput):
        KramersMoyal(**settings)
