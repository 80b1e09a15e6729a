"""What the doors refuse, and numbers that were once given where there are none."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens import dynamics, systems
from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.system import AbstractMap, parameter, static
from takens.dynamics.door import mean_error
from takens.dynamics.survival import tail_rate

LOGISTIC = systems.LogisticMap(r=4.0)
PROCESS = systems.OrnsteinUhlenbeck()
LINE = np.linspace(-3, 3, 61)


class Forgetful(AbstractMap):
    """One step and the past is gone; its parameters are an array and a name used elsewhere."""

    target: object = parameter([0.5])
    period: object = parameter(2.0)
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return 0.0 * x + self.target


@pytest.mark.parametrize("x0", ["abc", ["a"], {"x": 1}, [1j], [[0.1], [0.2, 0.3]]])
def test_states_that_are_no_numbers(x0):
    for ask in (
        lambda: dynamics.trajectory(LOGISTIC, x0, [0, 1]),
        lambda: dynamics.lyapunov_spectrum(LOGISTIC, x0),
        lambda: dynamics.orbit_diagram(LOGISTIC, "r", [3.0], x0),
        lambda: dynamics.escape_times(LOGISTIC, x0, [[0.0, 1.0]], max_time=5),
    ):
        with pytest.raises(InvalidInput, match="x0 is "):
            ask()


@pytest.mark.parametrize("u", ["a", 1.0, [[1.0]], [np.nan]])
def test_inputs_that_are_no_constants(u):
    for ask in (
        lambda: dynamics.lyapunov_spectrum(LOGISTIC, [0.3], u=u),
        lambda: dynamics.lyapunov_diagram(LOGISTIC, "r", [3.0], [0.3], u=u),
        lambda: dynamics.fixed_points(LOGISTIC, [[0.3]], u=u),
        lambda: dynamics.stationary_density(PROCESS, LINE, u=u),
        lambda: dynamics.invariant_density(PROCESS, [0.0], u=u),
    ):
        with pytest.raises(InvalidInput, match=r"^u "):
            ask()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: dynamics.trajectory(LOGISTIC, [0.3], "ab"), "times is 'ab'"),
        (lambda: dynamics.trajectory(PROCESS, [0.3], [0, 1], seed=2**70), "one of 63 bits"),
        (lambda: dynamics.lyapunov_spectrum(LOGISTIC, [0.3], dt="a"), "dt = 'a'; expected a num"),
        (lambda: dynamics.lyapunov_spectrum(LOGISTIC, [0.3], n_exponents=True), "n_exponents"),
        (lambda: dynamics.lyapunov_spectrum(LOGISTIC, [0.3], level="a"), "level = 'a'"),
        (lambda: dynamics.lyapunov_diagram(LOGISTIC, 3, [3.0], [0.3]), "expected the name"),
        (lambda: dynamics.lyapunov_diagram(LOGISTIC, "r", ["a"], [0.3]), "values is"),
        (lambda: dynamics.invariant_density(PROCESS, [0.0], dt=0), "positive, finite time step"),
        (lambda: dynamics.invariant_density(PROCESS, [0.0], components="x"), "expected a list"),
        (lambda: dynamics.mean_exit_time(PROCESS, [0.0], "a", 1), "low = 'a'"),
        (lambda: dynamics.stationary_density(PROCESS, "a"), "grid is 'a'"),
        (lambda: dynamics.stationary_density(PROCESS, LINE, support=(0,)), "support has shape"),
        (lambda: dynamics.fokker_planck_spectrum(PROCESS, LINE, ends=None), "ends = None"),
        (lambda: dynamics.kaplan_yorke_dimension(1.0), "expected .exponent"),
        (lambda: dynamics.trajectories(LOGISTIC, [[0.3]], [0, 1], parameters=["r"]), "a mapping"),
    ],
)
def test_malformed_numbers(ask, message):
    with pytest.raises(InvalidInput, match=message):
        ask()


def test_a_step_of_a_billion_time_units_is_refused_at_once():
    with pytest.raises(InvalidInput, match=r"1e\+11 steps of 0.01 at once"):
        dynamics.lyapunov_spectrum(systems.Lorenz63(), [1, 2, 3], dt=1e9)


def test_no_error_is_given_from_too_few_blocks():
    assert np.isnan(mean_error(np.ones((1, 2)))[0]).all()
    error, _ = mean_error(np.array([[0.0, -np.inf]] * 80))
    np.testing.assert_array_equal(error, [0.0, np.nan])
    with pytest.raises(InvalidInput, match="the errors need 40"):
        dynamics.lyapunov_diagram(LOGISTIC, "r", [3.2, 4.0], [0.3], n_steps=7)


def test_a_forgotten_past_has_exponent_minus_infinity_and_no_error():
    found = dynamics.lyapunov_spectrum(Forgetful(), [0.1], n_steps=100)
    assert found.exponents[0] == -np.inf
    assert np.isnan(found.standard_error[0])
    assert "-inf" in found.summary()
    swept = dynamics.lyapunov_diagram(Forgetful(), "period", [1.0, 2.0], [0.1], n_steps=80)
    assert np.isneginf(swept.exponents).all()


def test_sweeps_of_arrays_and_of_names_that_the_result_uses():
    for found in (
        dynamics.lyapunov_diagram(Forgetful(), "target", [[0.1], [0.2]], [0.1], n_steps=80),
        dynamics.orbit_diagram(Forgetful(), "period", [1.0, 2.0], [0.1]),
        dynamics.hysteresis_diagram(Forgetful(), "period", [1.0, 2.0], [0.1]),
    ):
        assert "2 values" in found.summary()
        found.plot()
        assert 2 in found.to_xarray().sizes.values()
    assert (
        "period_value"
        in dynamics.orbit_diagram(Forgetful(), "period", [1.0, 2.0], [0.1]).to_xarray().coords
    )


def test_a_force_that_is_slow_in_these_units_is_seen():
    with pytest.raises(WrongKind, match="depends on time"):
        dynamics.fixed_points(systems.ForcedPendulum(frequency=1e-9), [[0.0, 0.0]])
    with pytest.raises(WrongKind, match="depends on time"):
        dynamics.all_fixed_points(systems.Duffing(frequency=1e-9))


def test_a_state_at_infinity_is_lost_and_a_region_without_value_is_left():
    lost = dynamics.escape_times(
        systems.LogisticMap(r=5.0), [[0.5]], [[-np.inf, np.inf]], max_time=20, throw=False
    )
    assert lost.status is Status.DIVERGED
    assert np.isnan(lost.times).all()
    left = dynamics.escape_times(LOGISTIC, [[0.3]], lambda x: jnp.sqrt(0.95 - x[0]), max_time=99)
    np.testing.assert_array_equal(left.times, [3.0])  # 0.3, 0.84, 0.5376, 0.9943...
    one = dynamics.escape_times(PROCESS, [[0.5]], [[-1.0, 1.0]], max_time=20, dt=0.1)
    assert np.isnan(one.mean.value)
    assert np.isnan(one.step_bias.value)
    assert not one.cautions


def test_rates_in_discrete_time_cover_as_often_as_they_say():
    rng, chance = np.random.default_rng(0), 0.8
    truth, seen = -np.log1p(-chance), np.ones(400, bool)
    hits, widths, errors = [], [], []
    for _ in range(400):
        found = tail_rate(rng.geometric(chance, 400).astype(float), seen, 0.999, 0.9, True)
        hits.append(found.interval[0] < truth < found.interval[1])
        widths.append(found.value)
        errors.append(found.standard_error)
    assert 0.87 < np.mean(hits) < 0.95
    assert np.std(widths) == pytest.approx(np.mean(errors), rel=0.12)


def test_mass_is_kept_in_any_unit_and_for_any_time():
    for scale in (1e-9, 1.0, 1e6):
        process = systems.OrnsteinUhlenbeck(noise=scale)
        spectrum = dynamics.fokker_planck_spectrum(process, LINE * scale, n_modes=2)
        assert spectrum.eigenvalues[0] == 0.0
        assert spectrum.relaxation_time == pytest.approx(1.0, abs=1e-3)
        kept = dynamics.evolve_density(process, LINE * scale, np.arange(60.0), [1e-6, 1.0, 1e12])
        np.testing.assert_allclose(kept.mass, 1.0, rtol=1e-12)
    narrow = dynamics.evolve_density(PROCESS, LINE * 1e-9, np.ones(60), [1.0])
    np.testing.assert_allclose(narrow.mass, 1.0, rtol=1e-12)
    single = dynamics.fokker_planck_spectrum(PROCESS, LINE, n_modes=1)
    assert np.isnan(single.relaxation_time)
    assert "Rates 0" in single.summary()


def test_an_interval_too_wide_for_the_quadrature_is_refused():
    with pytest.raises(NumericalFailure, match="an end that is hardly ever reached"):
        dynamics.mean_exit_time(PROCESS, [0.5], -1e9, 2.0)
    with pytest.raises(NumericalFailure, match="no wider than the law"):
        dynamics.stationary_density(PROCESS, LINE * 1e9)


def test_a_density_in_bins_that_are_never_visited():
    found = dynamics.invariant_density(PROCESS, [0.0], edges=[[50, 60]], n_steps=100, dt=0.1)
    assert "No visit" in found.summary()
    assert found.outside == 1.0
