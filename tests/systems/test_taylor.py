"""Taylor series against closed forms, invariants, JAX's own derivatives and a second integrator."""

from __future__ import annotations

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from takens.core import InvalidInput, MissingDependency, NumericalFailure, WrongKind
from takens.core.integrators import Adaptive, EulerMaruyama, RungeKutta
from takens.core.system import AbstractDiffusion, AbstractFlow, parameter, static
from takens.dynamics import trajectory
from takens.systems import HenonMap, Lorenz63, Lorenz96, MackeyGlass, taylor
from takens.systems.taylor import Taylor

pytest.importorskip("heyoka")  # has wheels for Linux only

TAYLOR = Taylor()


class Linear(AbstractFlow):
    matrix: object = parameter()
    names: tuple[str, ...] = static(("x", "y", "z"))
    integrator: RungeKutta = RungeKutta(0.1)

    def vector_field(self, t, x, u=None):
        rate = self.matrix @ x
        return rate if u is None else rate + u[0]


class Oscillator(AbstractFlow):
    """Van der Pol's, with a periodic force; harmonic where both parameters vanish."""

    damping: object = parameter(0.0)
    force: object = parameter(0.0)
    names: tuple[str, ...] = static(("x", "v"))
    integrator: RungeKutta = RungeKutta(0.02)

    def vector_field(self, t, x, u=None):
        pull = self.damping * (1 - x[0] ** 2) * x[1] + self.force * jnp.cos(2 * t)
        return jnp.stack([x[1], pull - x[0]])


class HenonHeiles(AbstractFlow):
    names: tuple[str, ...] = static(("x", "y", "p", "q"))
    integrator: RungeKutta = RungeKutta(0.1)

    @staticmethod
    def energy(x):
        potential = (x[0] ** 2 + x[1] ** 2) / 2 + x[0] ** 2 * x[1] - x[1] ** 3 / 3
        return (x[2] ** 2 + x[3] ** 2) / 2 + potential

    def vector_field(self, t, x, u=None):
        gradient = jax.grad(self.energy)(x)
        return jnp.concatenate([gradient[2:], -gradient[:2]])


class Neural(AbstractFlow):
    net: eqx.nn.MLP
    names: tuple[str, ...] = static(("x", "y", "z"))
    integrator: Adaptive = Adaptive(rtol=1e-12, atol=1e-12)

    def vector_field(self, t, x, u=None):
        return self.net(x) - x


class Scalar(AbstractFlow):
    """A rule given from outside, for the cases that must fail."""

    law: object = static(lambda x: x**2)
    names: tuple[str, ...] = static(("x",))
    integrator: RungeKutta = RungeKutta(0.1)

    def vector_field(self, t, x, u=None):
        return self.law(x)


class Noisy(AbstractDiffusion):
    names: tuple[str, ...] = static(("x",))
    integrator: EulerMaruyama = EulerMaruyama(0.1)

    def drift(self, t, x, u=None):
        return -x

    def diffusion(self, t, x, u=None):
        return jnp.eye(1)


def moved_and_tangent(evolution, x):
    return evolution.step(0.0, x), jax.jacfwd(lambda y: evolution.step(0.0, y))(x)


MATRIX = np.array([[-0.3, 2.0, 0.1], [-2.0, -0.3, 0.0], [0.4, 0.0, -1.0]])


def test_linear_flow_is_the_matrix_exponential():
    x0, times = np.array([1.0, -0.5, 2.0]), np.array([3.0, 3.5, 7.0])
    found = TAYLOR.trajectory(Linear(matrix=MATRIX), x0, times)
    want = np.stack([scipy.linalg.expm(MATRIX * (t - 3.0)) @ x0 for t in times])
    np.testing.assert_allclose(found, want, atol=1e-13)
    states, tangents = TAYLOR.tangent(Linear(matrix=MATRIX), x0, times)
    np.testing.assert_allclose(states, want, atol=1e-13)
    for t, tangent in zip(times, tangents, strict=True):
        np.testing.assert_allclose(tangent, scipy.linalg.expm(MATRIX * (t - 3.0)), atol=1e-13)
    back = TAYLOR.trajectory(Linear(matrix=MATRIX), found[-1], times[::-1])
    np.testing.assert_allclose(back[-1], x0, atol=1e-12)


def test_an_input_is_held_between_the_times():
    times, inputs = np.array([0.0, 0.5, 2.0]), np.array([[1.0], [-2.0], [99.0]])
    found = TAYLOR.trajectory(Linear(matrix=MATRIX), np.zeros(3), times, inputs)
    x = np.zeros(3)
    for k in range(2):
        offset = np.linalg.solve(MATRIX, np.full(3, inputs[k, 0]))
        x = scipy.linalg.expm(MATRIX * (times[k + 1] - times[k])) @ (x + offset) - offset
        np.testing.assert_allclose(found[k + 1], x, atol=1e-13)


def test_harmonic_and_forced_oscillators_have_closed_forms():
    t = np.linspace(0.0, 30.0, 16)
    found = TAYLOR.trajectory(Oscillator(), [1.0, 0.0], t)
    np.testing.assert_allclose(found, np.stack([np.cos(t), -np.sin(t)], axis=1), atol=1e-13)
    # x'' + x = cos 2t from the time 0.3 on, which must not be taken for zero
    late = t + 0.3
    start = [-np.cos(0.6) / 3, 2 * np.sin(0.6) / 3]
    found = TAYLOR.trajectory(Oscillator(force=1.0), start, late)
    np.testing.assert_allclose(found[:, 0], -np.cos(2 * late) / 3, atol=1e-13)


def test_lorenz_and_van_der_pol_against_another_integrator():
    # DOP853 at its tightest: its own error is what is left.
    cases = [(Lorenz63(), [1.0, 1.0, 1.0], 3.0), (Oscillator(damping=5.0), [2.0, 0.0], 12.0)]
    for system, x0, end in cases:
        other = scipy.integrate.solve_ivp(
            eqx.filter_jit(system.vector_field), (0, end), x0, "DOP853", rtol=1e-13, atol=1e-14
        )
        found = TAYLOR.trajectory(system, x0, [0.0, end])
        np.testing.assert_allclose(found[-1], other.y[:, -1], rtol=1e-9)


def test_energy_is_kept_to_the_last_digits():
    x0 = np.array([0.0, 0.1, 0.35, 0.1])
    found = TAYLOR.trajectory(HenonHeiles(), x0, np.linspace(0.0, 100.0, 101))
    energy = np.array([HenonHeiles.energy(x) for x in found])
    assert np.abs(energy / energy[0] - 1).max() < 1e-13


def test_neural_field_against_diffrax_and_jax():
    flow = Neural(net=eqx.nn.MLP(3, 3, 8, 2, activation=jnp.tanh, key=jax.random.key(1)))
    x0 = jnp.array([0.5, -1.0, 2.0])
    states, tangents = TAYLOR.tangent(flow, x0, [0.0, 2.0])
    evolution = flow.as_map(2.0)
    state, jacobian = eqx.filter_jit(moved_and_tangent)(evolution, x0)
    np.testing.assert_allclose(states[-1], state, rtol=1e-9)
    np.testing.assert_allclose(tangents[-1], jacobian, rtol=1e-7, atol=1e-10)


def test_tangent_map_is_the_derivative_of_the_time_map():
    lorenz = Lorenz63(integrator=RungeKutta(0.005))
    x0 = jnp.array([-5.76, -2.28, 27.08])
    _, want = eqx.filter_jit(moved_and_tangent)(lorenz.as_map(0.5), x0)
    _, tangents = TAYLOR.tangent(lorenz, x0, [0.0, 0.5])
    np.testing.assert_allclose(tangents[-1], want, rtol=1e-9)
    # the determinant is the exponential of the divergence, -(sigma + 1 + beta)
    assert np.linalg.det(tangents[-1]) == pytest.approx(np.exp(-0.5 * 41 / 3), rel=1e-11)


def test_stretching_gives_the_lyapunov_spectrum():
    growth = TAYLOR.stretching(Linear(matrix=MATRIX), np.zeros(3), 0.5, 20, n_transient=60)
    assert growth.shape == (20, 3)
    np.testing.assert_allclose(growth.mean(axis=0) / 0.5, [-0.3, -0.3, -1.0], atol=0.02)
    growth = TAYLOR.stretching(Lorenz63(), Lorenz63.x0, 1.0, 400, n_transient=10)
    exponents, errors = growth.mean(axis=0), growth.std(axis=0, ddof=1) / 20
    assert abs(exponents[0] - 0.9056) < 3 * errors[0]  # Viswanath (1998)
    assert exponents.sum() == pytest.approx(-41 / 3, abs=1e-6)


def test_delayed_and_ring_systems_lower_too():
    mackey = MackeyGlass(integrator=RungeKutta(0.01))
    x0 = np.full(mackey.dim, 0.9)
    found = TAYLOR.trajectory(mackey, x0, [0.0, 1.0])[-1]
    want = eqx.filter_jit(mackey.as_map(1.0).step)(0.0, jnp.asarray(x0))
    np.testing.assert_allclose(found, want, rtol=1e-10)
    ring = Lorenz96(n_sites=6)
    x0 = np.array([8.1, 8.0, 8.0, 7.9, 8.0, 8.0])
    found = TAYLOR.trajectory(ring, x0, [0.0, 1.0])[-1]
    step = RungeKutta(0.002).advance(ring, 0.0, 1.0, jnp.asarray(x0), None, 500)
    np.testing.assert_allclose(found, step, rtol=1e-9)


def test_crossings_of_a_function_of_the_state():
    found = TAYLOR.crossings(Oscillator(), [1.0, 0.0], [0.0, 10.0], lambda x: x[0] - 0.5)
    want = [np.pi / 3, 5 * np.pi / 3, 7 * np.pi / 3]
    np.testing.assert_allclose(found.times, want, atol=1e-13)
    np.testing.assert_allclose(found.states[:, 0], 0.5, atol=1e-14)
    rising = TAYLOR.crossings(
        Oscillator(), [1.0, 0.0], [0.0, 10.0], lambda x: x[0] - 0.5, direction=1
    )
    np.testing.assert_allclose(rising.times, want[1:2], atol=1e-13)
    none = TAYLOR.crossings(Oscillator(), [1.0, 0.0], [0.0, 10.0], lambda x: x @ x - 2.0)
    assert none.states.shape == (0, 2)


def test_a_parameter_or_a_start_needs_no_other_program():
    taylor._COMPILED.clear()
    for rho in (0.5, 28.0):
        found = TAYLOR.trajectory(Lorenz63(rho=rho), [1.0, 2.0, rho], [0.0, 40.0])
        assert (np.abs(found[-1]).max() < 1e-6) == (rho < 1)
    assert len(taylor._COMPILED) == 1
    TAYLOR.trajectory(Lorenz96(n_sites=4), np.arange(4.0), [0.0, 0.1])
    TAYLOR.trajectory(Lorenz96(n_sites=5), np.arange(5.0), [0.0, 0.1])
    Taylor(tol=1e-9).trajectory(Lorenz96(n_sites=5), np.arange(5.0), [0.0, 0.1])
    assert len(taylor._COMPILED) == 4


def test_a_blow_up_is_nan_from_there_on():
    times = [0.0, 0.5, 0.99, 1.5, 2.0]  # x = 1 / (1 - t)
    found = TAYLOR.trajectory(Scalar(), [1.0], times)[:, 0]
    np.testing.assert_allclose(found[:3], [1.0, 2.0, 100.0], rtol=1e-12)
    assert np.isnan(found[3:]).all()
    states, tangents = TAYLOR.tangent(Scalar(), [1.0], times)
    assert np.isnan(states[3:]).all()
    assert np.isnan(tangents[3:]).all()
    np.testing.assert_allclose(tangents[:3, 0, 0], found[:3] ** 2, rtol=1e-12)
    growth = TAYLOR.stretching(Scalar(), [1.0], 0.4, 4)[:, 0]
    assert np.isfinite(growth[:2]).all()
    assert np.isnan(growth[2:]).all()
    with pytest.raises(NumericalFailure, match="non-finite"):
        TAYLOR.crossings(Scalar(), [1.0], [0.0, 2.0], lambda x: x[0] - 3)
    found = TAYLOR.crossings(Scalar(), [1.0], [0.0, 2.0], lambda x: x[0] - 3, throw=False)
    np.testing.assert_allclose(found.states[:, 0], [3.0, np.nan], rtol=1e-12)


def test_a_trajectory_may_be_asked_to_use_it():
    times = np.linspace(0.0, 2.0, 5)
    found = trajectory(Lorenz63(), [1.0, 1.0, 1.0], times, integrator=TAYLOR)
    np.testing.assert_array_equal(
        found.states, TAYLOR.trajectory(Lorenz63(), [1.0, 1.0, 1.0], times)
    )
    with pytest.raises(NumericalFailure, match="non-finite"):
        trajectory(Scalar(), [1.0], times, integrator=TAYLOR)
    stiff, short = Scalar(law=lambda x: -1e6 * x), Taylor(max_steps=1000)
    with pytest.raises(NumericalFailure, match="crawls"):
        trajectory(stiff, [1.0], [0.0, 1e-6, 1.0], integrator=short)
    with pytest.raises(WrongKind, match="no flow"):
        trajectory(HenonMap(), [0.1, 0.1], [0, 1], integrator=TAYLOR)


def test_running_out_of_steps_is_nan():
    crawling = Taylor(max_steps=1000)  # a rate of -1e6, on which an explicit method crawls
    found = crawling.trajectory(Scalar(law=lambda x: -1e6 * x), [1.0], [0.0, 1e-6, 1.0])
    assert found[1, 0] == pytest.approx(np.exp(-1))
    assert np.isnan(found[2, 0])


@pytest.mark.parametrize(
    "law", [lambda x: jnp.where(x > 0, x, 0.0), jnp.abs, lambda x: jnp.maximum(x, 0), jnp.sign]
)
def test_a_rule_with_a_corner_is_refused(law):
    with pytest.raises(WrongKind, match=r"no expression in a Taylor series.*smooth"):
        TAYLOR.trajectory(Scalar(law=law), [1.0], [0.0, 1.0])


def test_wrong_questions_are_refused():
    line = Linear(matrix=MATRIX)
    with pytest.raises(WrongKind, match=r"HenonMap is no flow.*Iterate"):
        TAYLOR.trajectory(HenonMap(), [0.1, 0.1], [0, 1])
    with pytest.raises(WrongKind, match="Noisy is a diffusion"):
        TAYLOR.trajectory(Noisy(), [0.1], [0, 1])
    with pytest.raises(InvalidInput, match=r"shape \(2,\); expected 3 finite.*x, y, z"):
        TAYLOR.trajectory(line, [0.1, 0.1], [0, 1])
    with pytest.raises(InvalidInput, match="finite"):
        TAYLOR.trajectory(line, [0.1, np.nan, 0.1], [0, 1])
    with pytest.raises(InvalidInput, match="neither increasing nor decreasing"):
        TAYLOR.trajectory(line, np.ones(3), [0, 1, 1])
    with pytest.raises(InvalidInput, match="at least one"):
        TAYLOR.trajectory(line, np.ones(3), [])
    with pytest.raises(InvalidInput, match=r"inputs has shape \(1, 1\); expected \(2, input\)"):
        TAYLOR.trajectory(line, np.ones(3), [0, 1], [[1.0]])
    with pytest.raises(InvalidInput, match="direction = 2"):
        TAYLOR.crossings(line, np.ones(3), [0, 1], lambda x: x[0], direction=2)
    with pytest.raises(InvalidInput, match="depends on the state"):
        TAYLOR.crossings(line, np.ones(3), [0, 1], lambda x: 1.0)
    with pytest.raises(InvalidInput, match=r"tol = 0"):
        Taylor(tol=0)
    with pytest.raises(InvalidInput, match=r"max_steps = 0"):
        Taylor(max_steps=0)


def test_without_heyoka_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "heyoka", None)
    with pytest.raises(MissingDependency, match=r"takens\[taylor\]"):
        TAYLOR.trajectory(Scalar(), [1.0], [0.0, 0.5])
