"""Laws with few terms: densities against closed forms, coverage, selection, what follows from a law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ncx2, norm

from takens.core import InvalidInput
from takens.dynamics import fokker_planck_spectrum, kramers_rate, mean_exit_time
from takens.learn import DiffusionLaw
from takens.learn.stochastic.chart import Chart
from takens.learn.stochastic.transition import Lattice
from takens.systems import NoisyDoubleWell
from tests.learn.paths import double_well, geometric, observed, ornstein_uhlenbeck, square_root


def densities(x, dt, drift, square, short):
    n = len(x)
    lattice = Lattice.of(
        x,
        np.arange(n - 1),
        np.arange(1, n),
        np.full(n - 1, dt),
        short,
        lambda v: np.sqrt(square(v)),
    )
    return lattice.log_density(drift(lattice.chart.x), square(lattice.chart.x))


def fitted(x, dt=0.1, **settings):
    """Without asking about the sensor, which has its own tests."""
    return DiffusionLaw(**{"sensor": "none"} | settings).fit(observed(x, dt)).diagnostics["law"]


def test_chart_integrates_and_differentiates():
    chart = Chart.over(np.linspace(0.1, 8.0, 20), 48)
    assert chart.logarithmic
    at = np.array([0.2, 1.0, 7.0])
    np.testing.assert_allclose(chart.values_at(at) @ chart.x**1.5, at**1.5, rtol=1e-10)
    np.testing.assert_allclose(chart.by_x(chart.x**2), 2 * chart.x, atol=1e-7)
    integral = chart.integral_to(at) @ (chart.x * chart.dx_ds)
    np.testing.assert_allclose(np.diff(integral), np.diff(at**2 / 2), rtol=1e-9)


@pytest.mark.parametrize("dt", [0.05, 0.25, 0.5, 2.0])
def test_density_of_ornstein_uhlenbeck(dt):
    x = ornstein_uhlenbeck(500, dt)
    exact = norm.logpdf(x[1:], x[:-1] * np.exp(-dt), np.sqrt(-np.expm1(-2 * dt) / 2))
    found = densities(x, dt, lambda v: -v, lambda v: 1 + 0 * v, 0.25)
    np.testing.assert_allclose(found, exact, atol=2e-4)


@pytest.mark.parametrize("dt", [0.1, 0.5, 1.0])
def test_density_of_the_square_root_law(dt):
    x = square_root(500, dt)
    scale = 0.25 * -np.expm1(-dt) / 4
    exact = ncx2.logpdf(x[1:] / scale, 16, x[:-1] * np.exp(-dt) / scale) - np.log(scale)
    found = densities(x, dt, lambda v: 1 - v, lambda v: 0.25 * v, 0.25)
    np.testing.assert_allclose(found, exact, atol=5e-3)


def test_density_of_geometric_motion():
    x = geometric(500)
    exact = norm.logpdf(np.log(x[1:] / x[:-1]), 0.003, 0.2 * np.sqrt(0.1)) - np.log(x[1:])
    found = densities(x, 0.1, lambda v: 0.05 * v, lambda v: 0.04 * v**2, 0.5)
    np.testing.assert_allclose(found, exact, atol=1e-7)


def test_density_of_the_double_well_settles():
    x = double_well(400, 0.5)
    law = (lambda v: v - v**3, lambda v: 0.49 + 0 * v)
    coarse, fine = (densities(x, 0.5, *law, short) for short in (0.1, 0.04))
    np.testing.assert_allclose(coarse, fine, atol=0.02)
    assert abs(np.mean(coarse - fine)) < 5e-4


CASES = {
    "ornstein-uhlenbeck": (ornstein_uhlenbeck, 0.2, (1,), (0,), [-1, 1]),
    "square root": (square_root, 0.2, (0, 1), (1,), [1, -1, 0.25]),
    "geometric": (geometric, 0.1, (1,), (2,), [0.05, 0.04]),
    "double well": (double_well, 0.1, (1, 3), (0,), [1, -1, 0.49]),
}


@pytest.mark.parametrize("name", CASES)
def test_intervals_cover(name):
    make, dt, drift, noise, truth = CASES[name]
    errors = []
    for seed in range(8):
        law = fitted(
            make(1500, dt, seed=seed), dt, drift_powers=drift, noise_powers=noise, sensor="none"
        )
        errors.append((law.coefficients - truth) / law.standard_errors)
    # At 95 % and 8 records four misses of one coefficient have a probability below 0.001.
    assert ((np.abs(errors) > 1.96).sum(axis=0) < 4).all()
    assert 0.5 < np.sqrt(np.mean(np.square(errors))) < 1.5


@pytest.mark.parametrize("name", CASES)
def test_the_terms_are_found(name):
    make, dt, drift, noise, _ = CASES[name]
    law = fitted(make(4000, dt, seed=11), dt)
    assert (law.drift_powers, law.noise_powers) == (drift, noise)
    assert "dx = (" in law.summary()


def test_eulers_bias_is_gone():
    """At this step Euler's pseudo-likelihood gives a rate of (1 - 1/e) and a noise of 0.43."""
    law = fitted(ornstein_uhlenbeck(4000, 1.0, seed=3), 1.0, drift_powers=(1,), noise_powers=(0,))
    assert abs(law.coefficients[0] + 1) < 3 * law.standard_errors[0] < 0.2
    assert abs(law.coefficients[1] - 1) < 3 * law.standard_errors[1] < 0.2


def test_irregular_times_missing_values_and_records():
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.uniform(0.05, 0.6, 3000))
    x = ornstein_uhlenbeck(times=times, seed=5)
    x[rng.random(3000) < 0.2] = np.nan
    other = observed(ornstein_uhlenbeck(1000, 0.3, seed=6), 0.3)
    data = [observed(x, times=times), other]
    law = DiffusionLaw(degree=3, sensor="none").fit(data).diagnostics["law"]
    assert law.terms == (("x",), ("1",))
    assert (np.abs(law.coefficients - [-1, 1]) < 3 * law.standard_errors).all()


def test_what_follows_from_a_law_has_an_interval():
    fit = DiffusionLaw(degree=3, sensor="none").fit(observed(double_well(6000, 0.1, seed=2), 0.1))
    law, model = fit.diagnostics["law"], fit.model
    assert law.terms == (("x", "x^3"), ("1",))

    def rate(system):
        return kramers_rate(system, [1.0], [0.0]).exact.value

    found = law.propagate(rate, n_samples=40)
    truth = rate(NoisyDoubleWell(noise=0.7))
    assert found.interval[0] < truth < found.interval[1]
    assert found.interval[0] < found.value < found.interval[1]
    slowest = fokker_planck_spectrum(model, np.linspace(-3, 3, 101)).relaxation_time
    assert 3 < slowest < 30
    assert mean_exit_time(model, [-1.0], -np.inf, 0.0).mean.is_finite


def test_bands_are_those_of_the_coefficients():
    law = fitted(ornstein_uhlenbeck(1500), drift_powers=(1,), noise_powers=(0,))
    value, error = law.drift_at([2.0])
    np.testing.assert_allclose(value, 2 * law.coefficients[0])
    np.testing.assert_allclose(error, 2 * law.standard_errors[0])


def test_a_record_too_short_to_tell_names_rivals():
    law = fitted(double_well(400, 0.1, seed=4))
    assert law.rivals
    assert "rival-laws" in [f.code for f in law.cautions]


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (np.full(500, 3.0), {}, "constant"),
        (np.full(500, np.nan), {}, "0 finite samples"),
        (ornstein_uhlenbeck(50), {}, "50 finite samples"),
        (ornstein_uhlenbeck(500), {"noise_powers": (1,)}, "positive above zero only"),
        (ornstein_uhlenbeck(500, 9.0), {}, "more coarsely"),
        (np.ones((300, 2)), {}, "2 columns"),
    ],
)
def test_bad_data(data, settings, message):
    with pytest.raises(InvalidInput, match=message):
        DiffusionLaw(**settings).fit(data)


@pytest.mark.parametrize(
    "settings",
    [
        {"degree": -1},
        {"level": 2.0},
        {"drift_powers": (1, 1)},
        {"noise_powers": ()},
        {"drift_powers": 1},
    ],
)
def test_bad_settings(settings):
    with pytest.raises(InvalidInput):
        DiffusionLaw(**settings)
