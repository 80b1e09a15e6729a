"""Each system by itself: bifurcations, conserved quantities and states of rest known from theory."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import systems
from takens.core.integrators import Implicit
from tests.systems.orbits import orbit

CONSERVED = [
    (systems.HenonHeiles(), "energy"), (systems.DoublePendulum(), "energy"),
    (systems.Pendulum(), "energy"), (systems.LotkaVolterra(), "invariant"),
    (systems.DoublePendulum(mass_ratio=0.5, length_ratio=2.0), "energy"),
]  # fmt: skip


@pytest.mark.parametrize(("system", "quantity"), CONSERVED)
def test_conserved_quantity_drifts_little(system, quantity):
    states, _ = orbit(system.as_map(system.dt), jnp.array(system.x0), 2000)
    values = jax.vmap(getattr(system, quantity))(states)
    assert np.ptp(states[:, 0]) > 0.5
    assert np.ptp(values) < 1e-8


def test_energies_are_hamiltonians():
    # dH/dt = grad H . f vanishes as an identity, not only along one orbit.
    rng = np.random.default_rng(4)
    for system, quantity in CONSERVED:
        for x in rng.uniform(0.2, 1.5, (3, system.dim)):
            slope = jax.grad(getattr(system, quantity))(jnp.array(x))
            assert abs(float(slope @ system.vector_field(0.0, jnp.array(x)))) < 1e-12


def jacobian(system, x):
    return np.asarray(jax.jacfwd(lambda y: system.vector_field(0.0, y))(jnp.array(x)))


def test_lorenz_equilibria_lose_stability_at_470_19():
    for rho, stable in ((24.73, True), (24.75, False)):
        system = systems.Lorenz63(rho=rho)
        side = (8 / 3 * (rho - 1)) ** 0.5
        equilibrium = [side, side, rho - 1]
        np.testing.assert_allclose(system.vector_field(0.0, jnp.array(equilibrium)), 0, atol=1e-12)
        real = np.linalg.eigvals(jacobian(system, equilibrium)).real
        assert bool(real.max() < 0) is stable


def test_brusselator_hopf():
    for b, sign in ((4.9, -1), (5.1, 1)):  # A = 2, so that 1 + A^2 = 5
        trace = np.trace(jacobian(systems.Brusselator(a=2.0, b=b), [2.0, b / 2]))
        assert np.sign(trace) == sign


def test_stuart_landau_cycle():
    system = systems.StuartLandau(mu=0.25, omega=2.0, shear=0.5)
    x = jnp.array([0.5, 0.0])  # on the circle of radius sqrt(mu)
    np.testing.assert_allclose(system.vector_field(0.0, x), [0.0, 0.5 * (2 - 0.5 * 0.25)])


def test_kuramoto_mean_field_is_the_double_sum():
    system = systems.Kuramoto()
    x = jnp.array(system.x0)
    pairs = jnp.sin(x[None, :] - x[:, None]).mean(axis=1)
    np.testing.assert_allclose(
        system.vector_field(0.0, x), system.frequencies + system.coupling * pairs, rtol=1e-12
    )
    assert system.order_parameter(jnp.zeros(10)) == 1.0


def test_squid_axon_rests_near_minus_65_and_fires_ten_times_in_150_ms():
    quiet = systems.HodgkinHuxley(current=0.0)
    states, _ = orbit(quiet.as_map(0.5), jnp.array(quiet.x0), 400)
    assert abs(float(states[-1, 0]) + 65.0) < 0.1
    firing = systems.HodgkinHuxley()
    states, _ = orbit(firing.as_map(0.5), jnp.array(firing.x0), 400)
    voltage = np.asarray(states[:, 0])
    spikes = np.sum((voltage[1:] > 0) & (voltage[:-1] <= 0))
    assert 12 <= spikes <= 15  # 68 Hz at 10 microampere: a period of 14.6 ms


def test_rates_of_the_squid_axon_are_smooth_where_they_are_zero_over_zero():
    system = systems.HodgkinHuxley()
    for voltage in (-40.0, -55.0):
        near = [jacobian(system, [voltage + e, 0.3, 0.4, 0.5]) for e in (-2e-3, 0.0, 2e-3)]
        assert np.isfinite(near[1]).all()
        np.testing.assert_allclose(near[1], (near[0] + near[2]) / 2, rtol=1e-5, atol=1e-7)


def test_stiff_relaxation_agrees_with_the_implicit_method():
    explicit = systems.FastSlowVanDerPol()
    implicit = systems.FastSlowVanDerPol(integrator=Implicit(1e-10, 1e-12))
    x = jnp.array(explicit.x0)
    for _ in range(3):
        y = eqx.filter_jit(explicit.as_map(0.1).step)(0.0, x)
        z = eqx.filter_jit(implicit.as_map(0.1).step)(0.0, x)
        np.testing.assert_allclose(y, z, rtol=1e-8)
        x = y


def test_linear_flow_is_the_matrix_exponential():
    from scipy.linalg import expm

    matrix = np.array([[-0.3, 2.0, 0.0], [-2.0, -0.3, 0.1], [0.0, 0.4, -1.0]])
    system = systems.LinearFlow(matrix=matrix)
    assert system.names == ("x1", "x2", "x3")
    state = system.as_map(1.0).step(0.0, jnp.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(state, expm(matrix) @ [1, 2, 3], rtol=1e-9)


def test_double_well_is_a_gradient_flow():
    system = systems.DoubleWell(a=2.0, b=0.5, tilt=0.3)
    x = jnp.array([0.7])
    np.testing.assert_allclose(
        system.vector_field(0.0, x), -jax.grad(system.potential)(x), rtol=1e-12
    )


def test_stommel_has_two_states_of_rest():
    system = systems.StommelBox()
    ends = []
    for start in ([1.7, 0.9], [2.8, 3.0]):
        states, _ = orbit(system.as_map(1.0), jnp.array(start), 200)
        ends.append(np.asarray(states[-1]))
        np.testing.assert_allclose(system.vector_field(0.0, states[-1]), 0, atol=1e-10)
    assert ends[0][0] > ends[0][1]  # driven by heat
    assert ends[1][0] < ends[1][1]  # driven by salt


def test_newton_finds_all_three_roots():
    system = systems.NewtonMap()
    roots = [np.exp(2j * np.pi * k / 3) for k in range(3)]
    for root in roots:
        start = jnp.array([root.real + 0.1, root.imag - 0.1])
        states, _ = orbit(system, start, 12)
        np.testing.assert_allclose(states[-1], [root.real, root.imag], atol=1e-14)
    assert np.isnan(system.step(0, jnp.zeros(2))).any()


def test_cat_and_standard_map_preserve_area():
    for system in (systems.ArnoldCat(), systems.StandardMap(kick=1.3)):
        tangent = jax.jacfwd(lambda x, s=system: s.step(0, x))(jnp.array([0.31, 0.77]))
        assert abs(np.linalg.det(tangent) - 1) < 1e-12


def test_circle_map_locks_where_it_should():
    locked = systems.CircleMap(omega=0.5, coupling=0.9)
    states, _ = orbit(locked, jnp.array([0.1]), 3000)
    np.testing.assert_allclose(states[-1], states[-3], atol=1e-12)  # rotation number 1/2
    x = jnp.array([0.2])
    np.testing.assert_allclose(locked.step(0, x), locked.lift(x) % 1.0)
