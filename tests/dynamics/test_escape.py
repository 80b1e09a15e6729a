"""Exit times against closed forms: intervals, open maps, survival with censored paths."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.integrators import AbstractIntegrator, EulerMaruyama, RungeKutta
from takens.core.system import AbstractDiffusion, AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import escape_times
from takens.dynamics.survival import product_limit
from takens.systems import LogisticMap


class Brownian(AbstractDiffusion):
    rate: object = parameter(0.0)
    noise: object = parameter(1.0)
    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.05)

    def drift(self, t, x, u=None):
        return self.rate * jnp.ones(1)

    def diffusion(self, t, x, u=None):
        return self.noise * jnp.ones((1, 1))


class Plane(AbstractDiffusion):
    names: tuple[str, ...] = static(("x", "y"))
    integrator: object = EulerMaruyama(0.005)

    def drift(self, t, x, u=None):
        return jnp.zeros(2)

    def diffusion(self, t, x, u=None):
        return jnp.eye(2)


class Tent(AbstractMap):
    slope: object = parameter(3.0)
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return self.slope * jnp.minimum(x, 1 - x)


class Growth(AbstractFlow):
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return x


class Poisoned(AbstractMap):
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return jnp.sqrt(x - 0.3) + 0 * x


def test_brownian_motion_in_an_interval_at_a_coarse_step():
    """Mean x (L - x) / sigma^2 and side x / L; tail rate pi^2 sigma^2 / 2 L^2, at 20 steps an exit."""
    found = escape_times(Brownian(), np.full((8000, 1), 0.6), [[0.0, 2.0]], max_time=20.0, dt=0.05)
    assert found.n_censored == 0
    assert found.mean.value == pytest.approx(0.6 * 1.4, abs=4 * found.mean.standard_error)
    assert np.mean(found.faces == 1) == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 8000) ** 0.5)
    assert found.rate.value == pytest.approx(np.pi**2 / 8, abs=4 * found.rate.standard_error)
    assert abs(found.step_bias.value) < 4 * found.step_bias.standard_error
    # The planted fault: without the bridge the mean would be too long by about 0.583 sigma sqrt(h)
    # at each end (Siegmund 1985), which this tolerance would see.
    late = 0.583 * 0.05**0.5 * 2.0
    assert late > 8 * found.mean.standard_error


def test_drift_to_one_side_is_inverse_gaussian():
    """Start a from a single face with drift m: mean a / m, variance a sigma^2 / m^3, any step."""
    found = escape_times(
        Brownian(rate=1.0, noise=0.7, integrator=EulerMaruyama(0.5)),
        np.zeros((8000, 1)), [[-np.inf, 2.0]], max_time=60.0, dt=0.5,
    )  # fmt: skip
    assert found.mean.value == pytest.approx(2.0, abs=4 * found.mean.standard_error)
    variance = 2.0 * 0.7**2
    assert found.times.var() == pytest.approx(variance, rel=0.1)
    assert set(found.faces) == {1}


def test_a_disc_by_a_function():
    """Mean (R^2 - r^2) / (2 dim) for sigma = 1 in the plane, from the centre: R^2 / 2."""
    found = escape_times(
        Plane(), np.zeros((2000, 2)), lambda x: 1 - x[0] ** 2 - x[1] ** 2, max_time=6.0, dt=0.005
    )
    assert found.mean.value == pytest.approx(0.5, abs=4 * found.mean.standard_error)


def test_an_open_tent_map_loses_a_third_each_iterate():
    starts = np.random.default_rng(0).uniform(0, 1, (40_000, 1))
    found = escape_times(Tent(), starts, [[0.0, 1.0]], max_time=8)
    exact = (2 / 3) ** np.arange(9)
    np.testing.assert_allclose(found.survival[:9], exact, atol=4 * found.survival_error.max())
    assert found.rate.value == pytest.approx(np.log(1.5), abs=4 * found.rate.standard_error)
    low, high = found.rate.interval
    assert low < np.log(1.5) < high
    assert found.n_censored == pytest.approx(40_000 * exact[-1], rel=0.1)
    assert "censored-paths" in [f.code for f in found.cautions]
    assert found.mean.value == pytest.approx(3.0, abs=4 * found.mean.standard_error)


def test_censored_paths_leave_the_mean_unbiased():
    settings = {"dt": 0.05, "seed": 3}
    whole = escape_times(Brownian(), np.ones((4000, 1)), [[0, 2]], max_time=20.0, **settings)
    short = escape_times(Brownian(), np.ones((4000, 1)), [[0, 2]], max_time=1.0, **settings)
    assert short.n_censored > 1000
    assert short.times.mean() < 0.75  # what dropping or truncating them would give
    assert short.mean.value == pytest.approx(1.0, abs=4 * short.mean.standard_error)
    assert short.mean.standard_error > whole.mean.standard_error


def test_a_flow_leaves_when_it_is_there():
    found = escape_times(Growth(), [[0.5], [0.1]], [[-1.0, 1.0]], max_time=3.0, dt=0.01)
    np.testing.assert_allclose(found.times, np.log([2.0, 10.0]), atol=1e-4)
    assert np.isnan(found.step_bias.value)


def test_small_batches_change_nothing_but_the_noise():
    many = escape_times(Brownian(), np.ones((4096, 1)), [[0, 2]], max_time=20.0, dt=0.02)
    assert many.n_censored == 0
    assert many.mean.value == pytest.approx(1.0, abs=4 * many.mean.standard_error)


def test_kaplan_meier_is_that_of_the_textbook():
    """Six patients, two censored: 1, 5/6, then 3/4 of it, then half of that."""
    time, share, error = product_limit(
        np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), np.array([1, 0, 1, 0, 1, 0], bool)
    )
    np.testing.assert_array_equal(time, [0, 1, 3, 5])
    np.testing.assert_allclose(share, [1, 5 / 6, 5 / 6 * 3 / 4, 5 / 6 * 3 / 4 / 2])
    assert error[1] == pytest.approx((5 / 6 * 1 / 6 / 6) ** 0.5)


def test_one_that_never_leaves_has_no_rate():
    found = escape_times(LogisticMap(r=3.9), [[0.2], [0.3]], [[0.0, 1.0]], max_time=50)
    assert found.n_censored == 2
    assert np.isnan(found.mean.value)
    assert np.isnan(found.rate.value)


def test_a_lost_path_is_no_exit():
    with pytest.raises(NumericalFailure, match="non-finite"):
        escape_times(Poisoned(), [[0.31], [0.9]], [[-5.0, 5.0]], max_time=20)
    found = escape_times(Poisoned(), [[0.31], [0.9]], [[-5.0, 5.0]], max_time=20, throw=False)
    assert found.status is Status.DIVERGED
    assert np.isnan(found.mean.value)
    assert np.isnan(found.times).any()


def test_malformed_questions_are_refused():
    good = {"region": [[0.0, 1.0]], "max_time": 10}
    with pytest.raises(InvalidInput, match=r"expected \(sample, 1\)"):
        escape_times(Tent(), [0.2], **good)
    with pytest.raises(InvalidInput, match="1 of 2 starts in x0 are not inside"):
        escape_times(Tent(), [[0.2], [1.2]], **good)
    with pytest.raises(InvalidInput, match=r"expected \(1, 2\), a lower"):
        escape_times(Tent(), [[0.2]], [0.0, 1.0], max_time=10)
    with pytest.raises(InvalidInput, match="positive inside"):
        escape_times(Tent(), [[0.2]], lambda x: jnp.ones((2, 2)), max_time=10)
    with pytest.raises(InvalidInput, match="expected 0 < dt"):
        escape_times(Tent(), [[0.2]], [[0.0, 1.0]], max_time=-1)
    with pytest.raises(InvalidInput, match="advances by 1"):
        escape_times(Tent(), [[0.2]], dt=0.5, **good)
    with pytest.raises(WrongKind, match="ndarray was given"):
        escape_times(np.eye(2), [[0.2]], **good)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """100 runs of 128 paths, a third censored: at 90%, 81 to 99 hits lie within three deviations."""
    means = rates = 0
    for seed in range(100):
        found = escape_times(
            Brownian(), np.ones((128, 1)), [[0, 2]], max_time=1.5, dt=0.05, seed=seed
        )
        low, high = found.mean.interval
        means += bool(low < 1.0 < high)
        low, high = found.rate.interval
        rates += bool(low < np.pi**2 / 8 < high)
    assert 81 <= means <= 99
    assert 81 <= rates <= 99
