"""Orbit diagrams against the closed forms of the logistic map, a pitchfork and a fold."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.integrators import AbstractIntegrator, EulerMaruyama, RungeKutta
from takens.core.system import AbstractDiffusion, AbstractFlow, parameter, static
from takens.dynamics import (
    hysteresis_diagram,
    orbit_diagram,
    poincare_map,
    stroboscopic_map,
)
from takens.dynamics.orbit_diagram import least_periods
from takens.learn import DMD
from takens.systems import HenonMap, LogisticMap, Rossler


class Fold(AbstractFlow):
    """x' = r + x - x^3: two folds, at r = -+2 / (3 sqrt 3)."""

    r: object = parameter(0.0)
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.5)

    def vector_field(self, t, x, u=None):
        return self.r + x - x**3


class Driven(AbstractFlow):
    """x' = a cos(t) - x, whose response after one period is a / 2 at every multiple of it."""

    a: object = parameter(1.0)
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.2)

    def vector_field(self, t, x, u=None):
        return self.a * jnp.cos(t) - x


class Noise(AbstractDiffusion):
    a: object = parameter(1.0)
    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.1)

    def drift(self, t, x, u=None):
        return -x

    def diffusion(self, t, x, u=None):
        return jnp.ones((1, 1))


def test_logistic_periods_change_where_the_closed_forms_say():
    """Period 2 from r = 3 to 1 + sqrt 6; period 3 from 1 + sqrt 8 (May 1976; Saha and Strogatz 1995)."""
    edges = [3.0, 1 + 6**0.5, 1 + 8**0.5]
    values = np.array([edges[0] - 0.02, edges[0] + 0.02, edges[1] - 0.02, edges[1] + 0.02,
                       edges[2] - 1e-3, edges[2] + 1e-3, 4.0])  # fmt: skip
    found = orbit_diagram(LogisticMap(), "r", values, [0.3], n_transient=5000)
    np.testing.assert_array_equal(found.periods, [1, 2, 2, 4, 0, 3, 0])
    np.testing.assert_allclose(found.states[0, :, 0], 1 - 1 / values[0], atol=1e-9)
    r = values[1]  # roots of r^2 x^2 - r (r + 1) x + r + 1
    two = np.sort(np.roots([r**2, -r * (r + 1), r + 1]))
    np.testing.assert_allclose(np.sort(found.states[1, :2, 0]), two, atol=1e-9)
    # at r = 4 the invariant density has mean 1/2 and variance 1/8
    dense = orbit_diagram(LogisticMap(), "r", [4.0], [0.3], n_steps=20_000).states[0, :, 0]
    assert dense.mean() == pytest.approx(0.5, abs=0.01)
    assert dense.var() == pytest.approx(0.125, abs=0.003)


def test_records_of_any_length_are_the_same_orbit():
    """Blocks of the compiled part leave no seam, and no other length recompiles."""
    from takens.dynamics import march

    long = orbit_diagram(HenonMap(), "a", [1.2, 1.4], [0.1, 0.1], n_steps=700, n_transient=10)
    before = march.sweep._cached._cache_size()
    late = orbit_diagram(HenonMap(), "a", [1.2, 1.4], [0.1, 0.1], n_steps=100, n_transient=310)
    assert march.sweep._cached._cache_size() == before
    np.testing.assert_array_equal(long.states[:, 300:400], late.states)
    x, y = long.states[0, :-1].T
    np.testing.assert_allclose(long.states[0, 1:, 0], 1 - 1.2 * x**2 + y, atol=1e-13)
    np.testing.assert_array_equal(long.last_states, long.states[:, -1])


def test_a_lost_orbit_is_nan_and_the_others_stay():
    found = orbit_diagram(LogisticMap(), "r", [3.2, 4.5], [0.3])
    assert np.isnan(found.states[1]).all()
    assert np.isnan(found.last_states[1]).all()
    np.testing.assert_array_equal(found.lost, [False, True])
    assert found.periods[0] == 2
    assert "Lost at 1." in found.summary()


def test_a_forced_flow_is_observed_once_a_period():
    found = orbit_diagram(Driven(), "a", [1.0, 3.0], [0.0], dt=2 * np.pi, n_steps=8, max_period=4)
    np.testing.assert_allclose(
        found.states[:, :, 0], np.array([[0.5], [1.5]]) * np.ones(8), atol=1e-6
    )
    np.testing.assert_array_equal(found.periods, 1)


def test_a_start_for_each_value_and_chosen_components():
    starts = [[0.1, 0.1], [-0.2, 0.0]]
    found = orbit_diagram(HenonMap(), "b", [0.1, 0.2], starts, components=["y"], n_transient=1)
    assert found.components == ("y",)
    first = 0.1 * (1 - 1.4 * 0.1**2 + 0.1)  # y after two iterates is b x after one
    assert found.states[0, 0, 0] == pytest.approx(first)


def test_a_learned_map_passes_unchanged():
    model = DMD().fit(np.cos(0.5 * np.arange(60.0))).model
    name = next(f for f in vars(model) if np.ndim(getattr(model, f)) == 2)
    start = model.encode(np.cos(0.5 * np.arange(60.0))[:, None])
    matrix = np.asarray(getattr(model, name))
    found = orbit_diagram(model, name, [matrix, 0.5 * matrix], start, n_steps=10, max_period=3)
    assert found.states.shape == (2, 10, model.dim)
    assert found.to_xarray().sizes["component"] == model.dim


def test_hysteresis_between_the_folds_and_nowhere_else():
    edge = 2 / (3 * 3**0.5)
    values = np.linspace(-0.6, 0.6, 25)
    found = hysteresis_diagram(Fold(), "r", values, [-1.0], dt=2.0, n_steps=4, n_transient=40,
                               max_period=1)  # fmt: skip
    inside = np.abs(values) < edge
    np.testing.assert_array_equal(found.distance > 0.1, inside)
    for run, branch in ((found.forward, 0), (found.backward, -1)):
        for value, x in zip(values, run.states[:, -1, 0], strict=True):
            roots = np.roots([1.0, 0.0, -1.0, -value])
            real = np.sort(roots[np.abs(roots.imag) < 1e-9].real)
            assert x == pytest.approx(real[branch], abs=1e-6)
    assert found.forward.states[0, -1, 0] < 0 < found.backward.states[-1, -1, 0]


def test_a_lost_pass_is_nan_from_there_on():
    values = [3.2, 4.5, 3.2]
    found = hysteresis_diagram(LogisticMap(), "r", values, [0.3], throw=False)
    assert found.status is Status.DIVERGED
    np.testing.assert_array_equal(found.forward.lost, [False, True, True])
    assert found.backward.lost.all()
    assert "No value" in found.summary()
    with pytest.raises(NumericalFailure, match="non-finite"):
        hysteresis_diagram(LogisticMap(), "r", values, [0.3])


def test_least_periods_of_made_up_records():
    time = np.arange(120)
    records = np.stack([np.zeros(120), time % 3, time % 7, np.cos(time), time * np.nan])[:, :, None]
    np.testing.assert_array_equal(least_periods(records, 8, 1e-6, 1e-9), [1, 3, 7, 0, np.nan])
    creeping = (1 - 1e-4 * time)[None, :, None]
    assert least_periods(creeping, 4, 1e-6, 0.0) == 0


def test_malformed_questions_are_refused():
    with pytest.raises(InvalidInput, match="no parameter 'q'"):
        orbit_diagram(LogisticMap(), "q", [1.0], [0.1])
    with pytest.raises(InvalidInput, match="a period has to be seen twice"):
        orbit_diagram(LogisticMap(), "r", [1.0], [0.1], n_steps=20)
    with pytest.raises(InvalidInput, match=r"no component .z.\. There are: x, y"):
        orbit_diagram(HenonMap(), "a", [1.0], [0.1, 0.1], components=["z"])
    with pytest.raises(InvalidInput, match="expected a list of names"):
        orbit_diagram(HenonMap(), "a", [1.0], [0.1, 0.1], components="x")
    with pytest.raises(InvalidInput, match="2 starts were given for 1 values"):
        orbit_diagram(LogisticMap(), "r", [1.0], [[0.1], [0.2]])
    with pytest.raises(InvalidInput, match="expected tolerances"):
        orbit_diagram(LogisticMap(), "r", [1.0], [0.1], rtol=-1.0)
    with pytest.raises(WrongKind, match="is a diffusion"):
        orbit_diagram(Noise(), "a", [1.0], [0.1])


def test_many_points_are_drawn_as_an_image_and_few_as_points():
    few = orbit_diagram(LogisticMap(), "r", [3.2, 3.5], [0.3]).plot()
    assert len(few.lines) == 1
    many = orbit_diagram(LogisticMap(), "r", np.linspace(3, 4, 300), [0.3]).plot(component="x")
    assert len(many.images) == 1
    assert not many.lines
    assert many.get_ylabel() == "x"


def test_a_poincare_map_has_the_parameters_of_its_flow():
    """Rössler at a = b = 0.2 doubles its period: 1 at c = 2.5, 2 at 3.5, 4 at 4."""
    returns = poincare_map(Rossler(integrator=RungeKutta(0.2)), ("y", 0.0), dt=0.2, direction=-1)
    start = np.asarray(returns.project(jnp.array([-4.0, 0.0, 0.05])))
    found = orbit_diagram(returns, "c", [2.5, 3.5, 4.0, 5.7], start, n_steps=24, n_transient=150,
                          max_period=8, rtol=1e-4)  # fmt: skip
    np.testing.assert_array_equal(found.periods, [1, 2, 4, 0])
    strobed = stroboscopic_map(Driven(), 2 * np.pi)
    driven = orbit_diagram(strobed, "a", [1.0, 3.0], [0.0], n_steps=8, max_period=4)
    np.testing.assert_allclose(driven.states[:, -1, 0], [0.5, 1.5], atol=1e-6)
    with pytest.raises(InvalidInput, match="no parameter 'q'"):
        orbit_diagram(returns, "q", [1.0], start)
