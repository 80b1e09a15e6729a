"""Finite-time exponents: exact cases, symmetries of the double gyre, finite differences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import (
    finite_time_lyapunov,
    finite_time_lyapunov_field,
    lyapunov_spectrum,
)
from takens.learn import DMD
from takens.systems import HenonMap, LogisticMap, Lorenz63, OrnsteinUhlenbeck


class Saddle(AbstractFlow):
    matrix: object = parameter(((1.0, 0.7), (0.0, -2.0)))
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.1)

    def vector_field(self, t, x, u=None):
        return self.matrix @ x


class DoubleGyre(AbstractFlow):
    """Shadden, Lekien and Marsden (2005), eq. 29."""

    swing: object = parameter(0.25)
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.25)

    def vector_field(self, t, x, u=None):
        a = self.swing * jnp.sin(2 * jnp.pi * t / 10)
        f = a * x[0] ** 2 + (1 - 2 * a) * x[0]
        slope = 2 * a * x[0] + 1 - 2 * a
        wave = 0.1 * jnp.pi
        return jnp.stack([
            -wave * jnp.sin(jnp.pi * f) * jnp.cos(jnp.pi * x[1]),
            wave * jnp.cos(jnp.pi * f) * jnp.sin(jnp.pi * x[1]) * slope,
        ])  # fmt: skip


class Burst(AbstractMap):
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return x**4


def test_a_linear_saddle_is_exact_forward_and_backward():
    import scipy.linalg

    matrix = np.array([[1.0, 0.7], [0.0, -2.0]])
    starts = np.random.default_rng(0).normal(size=(5, 2))
    for span in (1.5, -1.5):
        found = finite_time_lyapunov(Saddle(), starts, span=span)
        _, sizes, rows = np.linalg.svd(scipy.linalg.expm(span * matrix))
        np.testing.assert_allclose(found.exponents, np.log(sizes)[None].repeat(5, 0) / 1.5)
        assert np.abs(found.directions @ rows[0]) == pytest.approx(1.0)
        np.testing.assert_allclose(found.ends, starts @ scipy.linalg.expm(span * matrix).T)


def test_the_double_gyre_has_its_symmetries():
    """x -> 2 - x half a period later; y -> 1 - y turns the field round, at mirrored times."""
    rng = np.random.default_rng(1)
    starts = np.stack([rng.uniform(0, 2, 40), rng.uniform(0, 1, 40)], axis=1)
    found = finite_time_lyapunov(DoubleGyre(), starts, span=7.0, t0=1.3)
    later = finite_time_lyapunov(
        DoubleGyre(), np.array([2.0, 0.0]) + starts * [-1, 1], span=7.0, t0=6.3
    )
    np.testing.assert_allclose(later.exponents, found.exponents, atol=1e-9)
    above = finite_time_lyapunov(
        DoubleGyre(), np.array([0.0, 1.0]) + starts * [1, -1], span=-7.0, t0=3.7
    )
    np.testing.assert_allclose(above.exponents, found.exponents, atol=1e-9)
    np.testing.assert_allclose(found.exponents.sum(axis=1), 0.0, atol=1e-6)  # no divergence
    other = finite_time_lyapunov(DoubleGyre(), starts, span=7.0, t0=6.3)
    assert np.abs(other.exponents - found.exponents).max() > 0.01  # the start time matters


def test_finite_differences_of_the_flow_map_agree():
    system, start, h = DoubleGyre(), np.array([0.7, 0.3]), 1e-5
    step_map = system.as_map(10.0)
    moved = [start + h * np.array(v) for v in ([1, 0], [-1, 0], [0, 1], [0, -1])]
    ends = np.asarray(jax.vmap(lambda x: step_map.step(0.0, x))(np.array(moved)))
    tangent = np.stack([ends[0] - ends[1], ends[2] - ends[3]], axis=1) / (2 * h)
    found = finite_time_lyapunov(system, start[None], span=10.0)
    exact = np.log(np.linalg.svd(tangent, compute_uv=False)) / 10
    np.testing.assert_allclose(found.exponents[0], exact, atol=1e-6)


def test_backward_from_the_end_is_minus_the_smallest_forward():
    starts = np.random.default_rng(2).uniform([0.2, 0.2], [1.8, 0.8], (20, 2))
    there = finite_time_lyapunov(DoubleGyre(), starts, span=5.0)
    back = finite_time_lyapunov(DoubleGyre(), there.ends, span=-5.0, t0=5.0)
    np.testing.assert_allclose(back.ends, starts, atol=1e-5)
    np.testing.assert_allclose(back.exponents[:, 0], -there.exponents[:, 1], atol=1e-5)


def test_long_spans_tend_to_the_spectrum():
    """Largest finite-time exponents of Hénon scatter around the mean of the orbit."""
    orbit = np.asarray(lyapunov_spectrum(HenonMap(), [0.1, 0.1], n_steps=1000).last_state)
    found = finite_time_lyapunov(HenonMap(), orbit[None], span=10)
    np.testing.assert_allclose(found.exponents.sum(axis=1), np.log(0.3), atol=1e-9)
    far = finite_time_lyapunov(HenonMap(), orbit[None], span=400)
    assert far.exponents[0, 0] == pytest.approx(0.419, abs=0.1)
    assert np.isnan(far.exponents[0, 1])  # drowned, and said so
    assert [f.code for f in far.cautions] == ["exponents-unresolved"]


def test_a_field_on_a_grid_with_its_ridge():
    """Neighbours part most at the gate between two basins."""

    class Gate(AbstractFlow):
        names: tuple[str, ...] = static(("x", "y"))
        integrator: AbstractIntegrator = RungeKutta(0.2)

        def vector_field(self, t, x, u=None):
            return jnp.stack([x[0] - x[0] ** 3, -x[1]])

    axes = [np.linspace(-0.9, 0.9, 61), np.linspace(-0.5, 0.5, 21)]
    found = finite_time_lyapunov_field(Gate(), axes, span=4.0)
    assert found.field.shape == (61, 21)
    assert np.argmax(found.field[:, 10]) == 30  # on the line x = 0
    assert found.field[30, 10] == pytest.approx(1.0, abs=1e-6)  # the rate of the saddle
    across = found.ridges.any(axis=1)
    assert across[30]
    assert across.sum() <= 3
    starts = found.starts.reshape(61, 21, 2)
    np.testing.assert_array_equal(starts[:, 4, 0], axes[0])
    np.testing.assert_array_equal(starts[7, :, 1], axes[1])


def test_other_components_stay_where_they_are_put():
    axes = [np.linspace(-5, 5, 4), np.linspace(20, 30, 3)]
    found = finite_time_lyapunov_field(
        Lorenz63(), axes, span=0.1, components=("x", "z"), at=[0.0, 1.5, 0.0]
    )
    assert set(found.starts[:, 1]) == {1.5}
    np.testing.assert_allclose(found.exponents.sum(axis=1), -41 / 3, atol=1e-4)


def test_a_learned_map_passes_unchanged():
    wave = np.exp(-0.1 * np.arange(60.0)) * np.cos(0.4 * np.arange(60.0))
    model = DMD().fit(wave).model
    found = finite_time_lyapunov(model, np.ones((2, model.dim)), span=3)
    assert np.isfinite(found.exponents[:, 0]).all()


def test_a_lost_orbit_spoils_no_other():
    found = finite_time_lyapunov(Burst(), [[0.5], [10.0]], span=30)
    assert np.isnan(found.exponents[1, 0])
    assert np.isnan(found.ends[1, 0])
    assert not np.isnan(found.exponents[0, 0])
    assert [f.code for f in found.cautions] == ["lost-orbits"]
    gone = finite_time_lyapunov(Burst(), [[10.0]], span=30, throw=False)
    assert gone.status is Status.DIVERGED
    with pytest.raises(NumericalFailure, match="non-finite"):
        finite_time_lyapunov(Burst(), [[10.0]], span=30)


def test_malformed_questions_are_refused():
    with pytest.raises(InvalidInput, match="A map has no backward"):
        finite_time_lyapunov(HenonMap(), [[0.1, 0.1]], span=-3)
    with pytest.raises(InvalidInput, match="whole numbers"):
        finite_time_lyapunov(HenonMap(), [[0.1, 0.1]], span=2.5)
    with pytest.raises(InvalidInput, match="span not zero"):
        finite_time_lyapunov(Saddle(), [[0.1, 0.1]], span=0.0)
    with pytest.raises(InvalidInput, match=r"expected \(sample, 2\)"):
        finite_time_lyapunov(Saddle(), [0.1, 0.1], span=1.0)
    with pytest.raises(InvalidInput, match="Give `at`"):
        finite_time_lyapunov_field(Lorenz63(), [np.arange(3.0), np.arange(3.0)], span=1.0)
    with pytest.raises(InvalidInput, match="two of"):
        finite_time_lyapunov_field(LogisticMap(), [np.arange(3.0), np.arange(3.0)], span=1)
    with pytest.raises(InvalidInput, match="The starts are scattered"):
        _ = finite_time_lyapunov(Saddle(), [[0.1, 0.1]], span=1.0).field
    with pytest.raises(WrongKind, match="is a diffusion"):
        finite_time_lyapunov(OrnsteinUhlenbeck(), [[0.1]], span=1.0)
