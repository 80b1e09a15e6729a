"""Sensor noise or dynamical noise, jumps, and whether a law gives the transitions that were seen."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, Status, WrongKind
from takens.learn import DiffusionLaw, jump_test, noise_decision, transition_check
from takens.learn.stochastic.filtering import Seen
from takens.learn.stochastic.likelihood import Support
from takens.learn.stochastic.pairs import paths_of
from takens.learn.stochastic.powers import Scaled
from takens.systems import HenonMap, NoisyFitzHughNagumo, OrnsteinUhlenbeck
from tests.learn.paths import double_well, observed, ornstein_uhlenbeck, square_root


def read(x, size, seed=50):
    """Through a sensor with noise of that standard deviation."""
    return x + size * np.random.default_rng(seed).normal(size=len(x))


def test_filter_is_exact_for_a_linear_law():
    """Against the density of all samples at once, a multivariate normal law."""
    z = read(ornstein_uhlenbeck(101, 0.3, seed=2), 0.3)
    paths = paths_of(observed(z, 0.3), (1,))
    scaled = Scaled(drift_powers=(1,), noise_powers=(0,), scale=1.7)
    seen = Seen.of(paths, scaled, 0.1)
    found = seen.density(Support(drift=(0,), noise=(0,)))(np.array([-1.7, 1.0, 0.09]))
    # The filter starts at the first sample with the sensor's variance and no prior of its own.
    n, step = len(z), np.exp(-0.3)
    mean, var = z[0], 0.09
    expected = [0.0]
    for i in range(1, n):
        mean, var = step * mean, step**2 * var - np.expm1(-0.6) / 2
        total = var + 0.09
        expected.append(-0.5 * (np.log(2 * np.pi * total) + (z[i] - mean) ** 2 / total))
        mean, var = mean + var / total * (z[i] - mean), var * 0.09 / total
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-5)


def test_sensor_noise_does_not_pass_for_fast_motion():
    z = read(ornstein_uhlenbeck(4000, 0.1, seed=2), 0.2)
    fit = DiffusionLaw(degree=3).fit(observed(z))
    law = fit.diagnostics["law"]
    assert law.decision == "both"
    assert law.terms == (("x",), ("1",))
    assert (np.abs(law.coefficients - [-1, 1]) < 2.5 * law.standard_errors).all()
    assert law.sensor.interval[0] < 0.2 < law.sensor.interval[1]
    assert "sensor noise" in law.summary()
    # What is found when the sensor is taken to be perfect is wrong by many standard errors.
    wrong = DiffusionLaw(drift_powers=(1,), noise_powers=(0,), sensor="none").fit(observed(z))
    law = wrong.diagnostics["law"]
    assert law.coefficients[1] > 1.5
    assert law.coefficients[0] < -1.4
    assert wrong.status is Status.NOT_APPLICABLE
    assert "law-refused" in [f.code for f in wrong.cautions]


@pytest.mark.parametrize("make", [ornstein_uhlenbeck, square_root, double_well])
def test_a_perfect_sensor_is_left_out(make):
    found = noise_decision(observed(make(2000, 0.1, seed=1)))
    assert found.decision == "dynamical noise"
    # Over 24 seeds this ratio lies between -0.05 and 0.15: a bent curve has an intercept too.
    assert abs(found.intercept) < 0.2 * found.signature[0]


def test_a_relaxation_read_with_noise_needs_no_noise_of_its_own():
    times = 0.02 * np.arange(400)
    data = [
        observed(read(size * np.exp(-times), 0.05, seed), times=times)
        for seed, size in ((1, 3.0), (2, -2.0))
    ]
    found = noise_decision(data)
    assert found.decision == "sensor noise"
    assert found.sensor.interval[0] < 0.05 < found.sensor.interval[1]
    assert abs(found.law[2][0] + 1) < 0.05
    assert "no-dynamical-noise" in [f.code for f in DiffusionLaw().fit(data).cautions]


def test_signature_has_the_intercept_of_the_sensor():
    found = noise_decision(observed(read(ornstein_uhlenbeck(4000, 0.05, seed=3), 0.4), 0.05))
    assert abs(found.intercept / (2 * 0.16) - 1) < 0.15
    assert "both" in found.summary()


def test_jumps_keep_their_level_and_are_found():
    refused = [jump_test(observed(ornstein_uhlenbeck(1000, 0.02, seed=s), 0.02)).p_value < 0.05
               for s in range(60)]  # fmt: skip
    assert sum(refused) <= 8  # 3 expected; more than 8 has a probability of 0.3 %
    x = ornstein_uhlenbeck(2000, 0.02, seed=1)
    x[1000:] += 1.5
    found = jump_test(observed(x, 0.02))
    assert found.p_value < 1e-4
    np.testing.assert_allclose(found.times, [20.0])
    assert abs(found.sizes[0] - 1.5) < 0.5
    assert "jumps" in [f.code for f in found.cautions]


def test_many_small_jumps_show_in_the_ratio():
    rng = np.random.default_rng(3)
    steps = 0.1 * rng.normal(size=3000) + (rng.random(3000) < 0.03) * rng.normal(size=3000) * 0.5
    found = jump_test(np.cumsum(steps))
    assert found.p_ratio < 1e-4
    assert 0.1 < found.jump_share < 0.7


def test_noise_of_the_sensor_is_no_jump():
    found = jump_test(observed(read(ornstein_uhlenbeck(2000, 0.02), 0.3), 0.02))
    assert found.status is Status.NOT_APPLICABLE


def test_the_true_law_is_not_refused():
    p = [
        transition_check(OrnsteinUhlenbeck(), observed(ornstein_uhlenbeck(800, 0.5, seed=s), 0.5))
        for s in range(12)
    ]
    assert sum(c.p_value < 0.05 for c in p) <= 3
    assert np.mean([c.p_uniform for c in p]) > 0.3
    assert all(c.stationary_distance < 0.15 for c in p)


@pytest.mark.parametrize("change", [{"rate": 2.0}, {"noise": 1.1}, {"level": 0.4}])
def test_a_wrong_law_is_refused(change):
    data = observed(ornstein_uhlenbeck(4000, 0.3, seed=1), 0.3)
    found = transition_check(OrnsteinUhlenbeck(**change), data)
    assert found.p_value < 0.01
    assert "refused" in found.summary()


def test_a_hidden_variable_is_seen():
    """The position of a damped particle is no diffusion of one variable."""
    x, v, path = 0.0, 0.0, []
    for kick in 0.3 * np.random.default_rng(0).normal(size=4000):
        x, v = x + 0.1 * v, v - 0.1 * (v + x) + kick
        path.append(x)
    fit = DiffusionLaw(degree=2, noise_degree=0, sensor="none").fit(observed(path, 0.1))
    assert fit.status is Status.NOT_APPLICABLE
    assert fit.diagnostics["check"].p_memory < 1e-6


def test_wrong_questions():
    data = ornstein_uhlenbeck(300)
    with pytest.raises(WrongKind, match="diffusion of one component"):
        transition_check(HenonMap(), data)
    with pytest.raises(WrongKind, match="diffusion of one component"):
        transition_check(NoisyFitzHughNagumo(), data)
    with pytest.raises(InvalidInput, match="window"):
        jump_test(data, window=3)
    with pytest.raises(InvalidInput, match="degree"):
        noise_decision(data, degree=-1)
    for door in (jump_test, noise_decision, lambda d: transition_check(OrnsteinUhlenbeck(), d)):
        with pytest.raises(InvalidInput, match="constant"):
            door(np.ones(500))
