"""Lyapunov exponents against closed forms, identities, and the traps of a lost orbit."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.integrators import AbstractIntegrator, EulerMaruyama, RungeKutta
from takens.core.system import AbstractDiffusion, AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import kaplan_yorke_dimension, lyapunov_diagram, lyapunov_spectrum
from takens.dynamics.door import half_width, mean_error
from takens.learn import DMD, LinearAutoregression, Persistence
from takens.systems import HenonMap, LogisticMap, Lorenz63, Lorenz96


class LinearFlow(AbstractFlow):
    matrix: object = parameter()
    names: tuple[str, ...] = static(("x", "y", "z"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return self.matrix @ x


class LinearMap(AbstractMap):
    matrix: object = parameter()
    names: tuple[str, ...] = static(("x", "y"))

    def step(self, n, x, u=None):
        return self.matrix @ x


class Noise(AbstractDiffusion):
    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.1)

    def drift(self, t, x, u=None):
        return -x

    def diffusion(self, t, x, u=None):
        return jnp.ones((1, 1))


def test_a_linear_flow_has_the_real_parts_of_its_eigenvalues():
    matrix = np.array([[-0.05, 1.3, 0.0], [-1.3, -0.05, 0.2], [0.0, 0.0, -0.4]])
    found = lyapunov_spectrum(LinearFlow(matrix), [1.0, 0.0, 0.1], n_steps=400, n_transient=100)
    # A rotating pair: the frame returns only on average, so the error falls as 1 / span.
    np.testing.assert_allclose(found.exponents, [-0.05, -0.05, -0.4], atol=5e-3)
    assert found.sum.value == pytest.approx(np.trace(matrix), abs=1e-9)


def test_a_linear_map_has_the_log_moduli_of_its_eigenvalues():
    matrix = np.array([[0.9, 0.5], [0.0, 0.4]])
    found = lyapunov_spectrum(LinearMap(matrix), [1.0, 1.0], n_steps=100, n_transient=100)
    np.testing.assert_allclose(found.exponents, np.log([0.9, 0.4]), atol=1e-12)
    assert found.kaplan_yorke.value == 0.0


def test_logistic_map_at_four_is_ln_two():
    found = lyapunov_spectrum(LogisticMap(r=4.0), [0.3], n_steps=100_000)
    low, high = found.intervals[0]
    assert low < np.log(2) < high
    assert found.standard_error[0] < 0.003


def test_henon_sums_to_the_log_determinant():
    found = lyapunov_spectrum(HenonMap(), [0.1, 0.1], n_steps=40_000)
    assert found.sum.value == pytest.approx(np.log(0.3), abs=1e-12)
    assert found.exponents[0] == pytest.approx(0.4192, abs=4 * found.standard_error[0])
    assert found.kaplan_yorke.value == pytest.approx(1.258, abs=0.01)


def test_lorenz_sums_to_the_divergence_and_has_a_zero():
    system = Lorenz63()
    found = lyapunov_spectrum(system, system.x0, dt=0.5, n_steps=2000, n_transient=100)
    assert found.sum.value == pytest.approx(-(10 + 1 + 8 / 3), abs=1e-6)
    assert abs(found.exponents[1]) < 3 * found.standard_error[1] + 1e-3
    assert found.exponents[0] == pytest.approx(0.9056, abs=4 * found.standard_error[0])


def test_a_step_too_long_for_round_off_is_shortened_without_being_asked():
    system = Lorenz63()
    found = lyapunov_spectrum(system, system.x0, dt=4.0, n_steps=100, n_transient=10)
    assert found.provenance["dt"] <= 2.0
    assert found.span == pytest.approx(400.0)
    assert found.sum.value == pytest.approx(-41 / 3, abs=1e-5)


def test_a_map_that_cannot_be_shortened_says_what_is_lost():
    with np.errstate(all="ignore"):
        found = lyapunov_spectrum(LinearMap(np.diag([1.0, 1e-14])), [1.0, 1.0], n_steps=40)
    assert [f.code for f in found.cautions] == ["exponents-unresolved"]


def test_leading_exponents_agree_with_the_full_spectrum():
    system = Lorenz96(n_sites=10, forcing=8.0)
    settings = {"dt": 0.2, "n_steps": 200, "n_transient": 50}
    full = lyapunov_spectrum(system, system.x0, **settings)
    few = lyapunov_spectrum(system, system.x0, n_exponents=2, **settings)
    np.testing.assert_allclose(few.exponents, full.exponents[:2], atol=1e-9)
    assert not few.complete
    assert full.sum.value == pytest.approx(-10.0, abs=1e-4)


def test_a_learned_map_passes_unchanged():
    matrix = scipy.linalg.expm(0.2 * np.array([[-0.1, 1.0], [-1.0, -0.1]]))
    states = np.empty((200, 2))
    states[0] = 1.0, 0.0
    for n in range(199):
        states[n + 1] = matrix @ states[n] + 0.3
    model = DMD().fit(states).model
    found = lyapunov_spectrum(model, model.encode(states), n_steps=2000)
    np.testing.assert_allclose(found.exponents, -0.02, atol=1e-3)


def test_a_map_that_forgets_has_minus_infinity():
    rng = np.random.default_rng(0)
    model = LinearAutoregression().fit(rng.normal(size=300)).model
    memory = Persistence().fit(rng.normal(size=300)).model
    assert model.dim >= 1
    found = lyapunov_spectrum(memory, memory.encode(np.ones((4, 1))), n_steps=40)
    assert found.exponents[0] == pytest.approx(0.0, abs=1e-12)


def test_a_lost_orbit_is_nan_and_raises_when_asked():
    found = lyapunov_spectrum(LogisticMap(r=4.5), [0.3], n_steps=100, throw=False)
    assert found.status is Status.DIVERGED
    assert np.isnan(found.exponents).all()
    assert "non-finite" in found.summary()
    with pytest.raises(NumericalFailure, match="non-finite"):
        lyapunov_spectrum(LogisticMap(r=4.5), [0.3], n_steps=100)


def test_another_length_does_not_recompile():
    from takens.dynamics import lyapunov

    lyapunov_spectrum(LogisticMap(r=4.0), [0.3], n_steps=100)
    before = lyapunov._stretch_one._cached._cache_size()
    lyapunov_spectrum(LogisticMap(r=3.9), [0.4], n_steps=333, n_transient=77)
    assert lyapunov._stretch_one._cached._cache_size() == before


def test_a_diagram_is_the_spectrum_at_each_value():
    values = np.array([3.2, 3.9, 5.0])
    found = lyapunov_diagram(LogisticMap(), "r", values, [0.3], n_steps=2000)
    one = lyapunov_spectrum(LogisticMap(r=3.2), [0.3], n_steps=2000, n_transient=500)
    assert found.exponents[0, 0] == pytest.approx(one.exponents[0], abs=1e-6)
    assert found.exponents[1, 0] > 0.4
    assert np.isnan(found.exponents[2]).all()
    # the closed form on the period-2 orbit
    a, b = np.roots([3.2**2, -3.2 * 4.2, 4.2])
    assert found.exponents[0, 0] == pytest.approx(
        0.5 * np.log(abs(3.2**2 * (1 - 2 * a) * (1 - 2 * b))), abs=1e-3
    )


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Hénon, 100 starts: at 90 %, 81 to 99 hits lie within three deviations of a binomial."""
    truth = lyapunov_spectrum(HenonMap(), [0.1, 0.1], n_steps=4_000_000).exponents[0]
    starts = np.random.default_rng(3).uniform(-0.1, 0.1, (100, 2))
    hits = 0
    for start in starts:
        low, high = lyapunov_spectrum(HenonMap(), start, n_steps=4000).intervals[0]
        hits += bool(low < truth < high)
    assert 81 <= hits <= 99


def covered(series):
    """Share of rows whose 90 % interval for the mean holds zero."""
    error, freedom = mean_error(series.T)
    return np.mean(np.abs(series.mean(axis=1)) < half_width(error, freedom, 0.9))


def test_the_error_of_a_mean_holds_whatever_the_blocks_remember():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2000, 500))
    bound = 3 * np.sqrt(0.9 * 0.1 / 2000)
    assert covered(noise) == pytest.approx(0.9, abs=bound)
    ends = np.diff(3 * rng.normal(size=(2000, 501)), axis=1)
    assert covered(noise + ends) == pytest.approx(0.9, abs=2 * bound)
    plain = (noise + ends).std(axis=1, ddof=1) / np.sqrt(500)
    assert np.median(plain) > 4 * np.median(mean_error((noise + ends).T)[0]) / 1.1
    memory = noise.copy()
    for n in range(1, 500):
        memory[:, n] += 0.7 * memory[:, n - 1]
    assert covered(memory) == pytest.approx(0.9, abs=2 * bound)


def test_a_superstable_orbit_is_marked():
    found = lyapunov_spectrum(LogisticMap(r=2.0), [0.3], n_steps=100)
    assert [f.code for f in found.cautions] == ["direction-forgotten"]


def test_few_blocks_have_the_plain_spread():
    series = np.random.default_rng(1).normal(size=20)
    error, freedom = mean_error(series)
    assert error == pytest.approx(series.std(ddof=1) / np.sqrt(20))
    assert freedom == 19


def test_malformed_questions_are_refused():
    with pytest.raises(InvalidInput, match=r"x0 has shape \(2,\); LogisticMap has states"):
        lyapunov_spectrum(LogisticMap(), [0.1, 0.2])
    with pytest.raises(InvalidInput, match="NaN or infinity"):
        lyapunov_spectrum(LogisticMap(), [np.nan])
    with pytest.raises(InvalidInput, match="n_exponents = 2"):
        lyapunov_spectrum(LogisticMap(), [0.1], n_exponents=2)
    with pytest.raises(InvalidInput, match="40 or more"):
        lyapunov_spectrum(LogisticMap(), [0.1], n_steps=10)
    with pytest.raises(InvalidInput, match="expected a number between"):
        lyapunov_spectrum(LogisticMap(), [0.1], level=90)
    with pytest.raises(WrongKind, match="is a diffusion"):
        lyapunov_spectrum(Noise(), [0.1])
    with pytest.raises(WrongKind, match=r"Pass `fit.model`"):
        lyapunov_spectrum(Persistence().fit(np.arange(20.0)), [0.1])
    with pytest.raises(WrongKind, match="ndarray was given"):
        lyapunov_spectrum(np.eye(2), [0.1])
    with pytest.raises(InvalidInput, match="no parameter 'q'"):
        lyapunov_diagram(LogisticMap(), "q", [1.0], [0.1])


def test_kaplan_yorke_closed_cases():
    assert kaplan_yorke_dimension([-1.0, -2.0]) == 0.0
    assert kaplan_yorke_dimension([1.0, -2.0]) == pytest.approx(1.5)
    assert kaplan_yorke_dimension([1.0, -1.0]) == 2.0  # area preserving
    assert np.isnan(kaplan_yorke_dimension([1.0, 0.5]))
    assert np.isnan(kaplan_yorke_dimension([np.nan, 0.5]))
