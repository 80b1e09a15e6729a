"""Samples of laws: their spread is that of the fit, and forecasts with them cover."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import Status, Trajectory, WrongKind
from takens.core.integrators import RungeKutta
from takens.dynamics import trajectories
from takens.learn import DelaySINDy, HigherOrderSINDy, RationalSINDy, SINDy, posterior
from takens.learn.terms import Polynomials

TIMES = 0.1 * np.arange(120)


def oscillator(t, x):
    return [-0.1 * x[0] + 2 * x[1], -2 * x[0] - 0.1 * x[1]]


def orbit(times):
    found = solve_ivp(oscillator, (0, times[-1]), [1, 0], t_eval=times, rtol=1e-10, atol=1e-11)
    return found.y.T


def record(x, share, seed, names=("x", "y"), times=TIMES):
    noise = share * x.std(axis=0) * np.random.default_rng(seed).normal(size=x.shape)
    return Trajectory(times=times, states=x + noise, names=names, time_unit="s")


EVERY = tuple((t, e) for t in ("x", "y") for e in ("x", "y"))
LINEAR = SINDy(library=Polynomials(1), known=EVERY)


def test_the_spread_is_that_of_the_fit_where_the_fit_is_nearly_linear():
    found = posterior(record(orbit(TIMES), 0.02, 0), LINEAR, n_samples=200, n_draws=200)
    assert found.status is Status.OK
    assert found.samples.shape == (200, 3, 2)
    assert found.effective > 0.5 * found.n_draws
    stands = found.law.support
    spread = found.samples.std(axis=0)[stands]
    np.testing.assert_allclose(spread, found.law.standard_errors[stands], rtol=0.25)
    middle = found.samples.mean(axis=0)[stands]
    off = np.abs(middle - found.law.coefficients[stands]) / found.law.standard_errors[stands]
    assert off.max() < 0.35
    assert not found.samples[:, ~stands].any()
    estimate = found.coefficient("y", "x")
    assert estimate.interval[0] < 2.0 < estimate.interval[1]


def test_the_same_seed_gives_the_same_samples():
    data = record(orbit(TIMES), 0.02, 0)
    one, two, other = (posterior(data, LINEAR, n_samples=30, n_draws=30, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.samples, two.samples)
    assert (one.samples != other.samples).any()


def test_a_forecast_with_the_samples_covers_and_the_ensemble_has_a_leading_axis():
    """States up to two time units beyond six records, 95 %."""
    ahead = TIMES[-1] + np.linspace(0.0, 2.0, 5)
    truth = orbit(np.r_[TIMES, ahead[1:]])[-5:]
    model = LINEAR.fit(record(orbit(TIMES), 0.1, 0)).model
    held = []
    for seed in range(6):
        found = posterior(record(orbit(TIMES), 0.1, seed), LINEAR, n_samples=60, n_draws=60)
        fan = trajectories(
            model, found.last_states, ahead, parameters=found.parameters, integrator=RungeKutta(0.1)
        )
        low, high = np.quantile(fan.states, [0.025, 0.975], axis=0)
        held.append((low <= truth) & (truth <= high))
    assert 0.8 <= np.mean(held) <= 1.0
    ensemble = model.with_parameters(**found.parameters)
    assert ensemble.coefficients.shape == (60, 3, 2)


def test_velocities_that_nobody_measured_are_sampled_too():
    x = orbit(TIMES)[:, :1]
    found = posterior(
        record(x, 0.02, 0, ("q",)),
        HigherOrderSINDy(library=Polynomials(1)),
        n_samples=60,
        n_draws=60,
    )
    assert found.last_states.shape == (60, 2)
    rate = oscillator(0, orbit(TIMES)[-1])[0]
    middle, spread = found.last_states[:, 1].mean(), found.last_states[:, 1].std()
    assert abs(middle - rate) < 4 * spread
    assert spread < 0.05 * np.abs(x).max()


def test_quotients_have_both_parameters():
    times = 0.1 * np.arange(60)
    runs = [
        solve_ivp(lambda t, s: 0.6 - 1.5 * s / (0.3 + s), (0, 6), [s], t_eval=times).y.T
        for s in (0.02, 1.0, 3.0, 6.0)
    ]
    data = [record(s, 0.02, k, ("s",), times) for k, s in enumerate(runs)]
    settings = RationalSINDy(library=Polynomials(1), below=Polynomials(1))
    found = posterior(data, settings, n_samples=40, n_draws=60)
    assert found.parameters["numerator"].shape == (40, 2, 1)
    assert found.parameters["denominator"].shape == (40, 1, 1)
    assert (found.parameters["denominator"] > 0).all()


def test_no_law_has_no_samples():
    walk = np.random.default_rng(1).normal(size=(200, 1)).cumsum(axis=0)
    found = posterior(walk, SINDy(library=Polynomials(1)), n_samples=20, n_draws=20)
    assert found.status is Status.NO_LAW
    assert np.isnan(found.samples).all()
    assert found.summary() == Status.NO_LAW.value


def test_what_cannot_be_sampled_is_refused():
    with pytest.raises(WrongKind, match="expected SINDy"):
        posterior(record(orbit(TIMES), 0.02, 0), "SINDy")
    with pytest.raises(ValueError, match="n_draws"):
        posterior(record(orbit(TIMES), 0.02, 0), LINEAR, n_draws=3)


def late(count):
    """Hutchinson's equation at a rate of 1.8 and a delay of one, every 0.1."""
    x, h = [0.3 + 0.01 * n for n in range(101)], 0.01
    for _ in range(10 * count):
        rate = 1.8 * x[-1] * (1 - x[-101])
        end = x[-1] + h * rate
        x.append(x[-1] + h / 2 * (rate + 1.8 * end * (1 - x[-100])))
    return np.array(x)[100::10]


LATE = DelaySINDy(delays=(0.5, 2.0))


def test_a_delay_is_sampled_and_the_past_goes_on():
    clean = late(240)
    data = record(clean[:200, None], 0.05, 3, ("x",), 0.1 * np.arange(200))
    found = posterior(data, LATE, n_samples=80, n_draws=80)
    assert found.delays.shape == (80,)
    assert found.samples.shape == (80, *found.law.support.shape)
    assert abs(found.delay.value - 1.0) < 4 * found.delay.standard_error
    fit = LATE.fit(data)
    spread = found.samples.std(axis=0)[found.law.support]
    np.testing.assert_allclose(spread, found.law.standard_errors[found.law.support], rtol=0.4)
    assert found.delay.standard_error == pytest.approx(
        fit.diagnostics["delay"].standard_error, rel=0.4
    )
    # the newest value first, then the past down to one delay ago
    past = np.asarray(fit.model.history(found.last_states[0], np.array([0.0, -0.5])))
    assert np.abs(past[:, 0] - [clean[199], clean[194]]).max() < 0.05 * clean.std()
    ahead = trajectories(
        fit.model, found.last_states, 19.9 + 0.1 * np.arange(0, 31, 10), parameters=found.parameters
    )
    low, high = np.quantile(ahead.states[:, :, 0], [0.001, 0.999], axis=0)
    assert ((low < clean[199:230:10]) & (clean[199:230:10] < high)).all()
    assert "delay" in found.summary()
    assert "delay" in found.to_xarray()


def test_noise_has_no_delay_to_sample():
    data = record(
        np.random.default_rng(5).normal(size=(150, 1)), 0.0, 0, ("x",), 0.1 * np.arange(150)
    )
    found = posterior(data, LATE, n_samples=20, n_draws=20)
    assert found.status is Status.NO_LAW
    assert np.isnan(found.last_states).all()
    assert not found.delay.is_finite
