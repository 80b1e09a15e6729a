"""Crossings, sections, return maps and derived maps against flows that are solved in closed form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.integrators import AbstractIntegrator, Adaptive, RungeKutta
from takens.core.system import AbstractFlow, parameter, static
from takens.dynamics import (
    crossings,
    fixed_points,
    iterate,
    lyapunov_spectrum,
    poincare_map,
    poincare_section,
    return_map,
    stroboscopic_map,
)
from takens.systems import HenonMap, LogisticMap, Lorenz63, Rossler


class Oscillator(AbstractFlow):
    names: tuple[str, ...] = static(("q", "p"))
    integrator: AbstractIntegrator = RungeKutta(0.1)

    def vector_field(self, t, x, u=None):
        return jnp.stack([x[1], -x[0]])


class Circle(AbstractFlow):
    """Stuart and Landau's normal form: r' = r - r^3, angle' = omega, and z decays."""

    omega: object = parameter(2.0)
    names: tuple[str, ...] = static(("x", "y", "z"))
    integrator: AbstractIntegrator = RungeKutta(0.02)

    def vector_field(self, t, x, u=None):
        r2 = x[0] ** 2 + x[1] ** 2
        return jnp.stack(
            [
                x[0] * (1 - r2) - self.omega * x[1],
                x[1] * (1 - r2) + self.omega * x[0],
                -0.3 * x[2],
            ]
        )


class Pushed(AbstractFlow):
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.1)

    def vector_field(self, t, x, u=None):
        return jnp.cos(t) - x


class Decay(AbstractFlow):
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.1)

    def vector_field(self, t, x, u=None):
        return -x


class Explosion(AbstractFlow):
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.01)

    def vector_field(self, t, x, u=None):
        return x**2


def position(t, x):
    return x[0]


def near_the_top(t, x):
    return x[0] - 0.9999


@pytest.mark.parametrize("integrator", [RungeKutta(0.1), Adaptive(1e-11, 1e-12)])
def test_an_oscillator_crosses_every_half_period(integrator):
    # q = sin t: up at 2 pi k, down at 2 pi k + pi; the start itself does not count.
    system = Oscillator(integrator=integrator)
    for direction, exact in (
        (1, 2 * np.pi * np.arange(1, 6)),
        (-1, np.pi + 2 * np.pi * np.arange(5)),
        (0, np.pi * np.arange(1, 6)),
    ):
        found = crossings(system, [0.0, 1.0], position, dt=0.3, n_crossings=5, direction=direction)
        np.testing.assert_allclose(found.times, exact, atol=2e-10)
        np.testing.assert_allclose(found.states[:, 0], 0, atol=1e-14)
        np.testing.assert_allclose(found.rates, np.sign(np.cos(exact)), atol=1e-9)
        assert found.time_error.max() < 1e-13


def test_backwards_in_time():
    found = crossings(Oscillator(), [0.0, 1.0], position, dt=-0.3, n_crossings=3, direction=0)
    np.testing.assert_allclose(found.times, -np.pi * np.arange(1, 4), atol=1e-10)


def test_more_crossings_than_one_block_and_a_transient():
    found = crossings(Oscillator(), [0.0, 1.0], position, dt=0.5, n_crossings=300, n_transient=50)
    np.testing.assert_allclose(found.times, 2 * np.pi * np.arange(51, 351), atol=1e-6)
    assert found.cautions == ()


def test_an_overlooked_pair_of_crossings_is_suspected():
    # Above 0.9999 the oscillator stays for 0.028 of its period of 6.28.
    found = crossings(Oscillator(), [0.0, 1.0], near_the_top, dt=0.5, n_crossings=3, max_time=100.0)
    assert "hidden-crossings" in [c.code for c in found.cautions]
    fine = crossings(Oscillator(), [0.0, 1.0], near_the_top, dt=0.005, n_crossings=3)
    assert fine.cautions == ()
    np.testing.assert_allclose(fine.times[0], np.arcsin(0.9999), atol=1e-10)


def test_too_few_crossings_and_none():
    found = crossings(Oscillator(), [0.0, 1.0], position, dt=0.3, n_crossings=9, max_time=20.0)
    assert len(found.times) == 3
    assert found.cautions[0].code == "too-few-crossings"
    never = crossings(
        Oscillator(), [0.0, 1.0], lambda t, x: x[0] - 5, dt=0.3, max_time=20.0, throw=False
    )
    assert never.status is Status.NO_EVENT
    assert len(never.times) == 0
    assert "did not happen within the span" in never.summary()
    with pytest.raises(NumericalFailure, match="did not happen within the span"):
        poincare_section(Oscillator(), [[0.0, 1.0]], ("q", 5.0), dt=0.3, max_time=20.0)


def test_one_maximum_makes_no_pair():
    given = {"dt": 0.3, "n_transient": 0, "max_time": 4.0}
    found = return_map(Oscillator(), [0.0, 1.0], 0, throw=False, **given)
    assert found.status is Status.NO_EVENT
    assert "did not happen within the span" in found.summary()
    with pytest.raises(InvalidInput, match="a pair needs two"):
        return_map(Oscillator(), [0.0, 1.0], 0, n_maxima=1, **given)
    once = poincare_section(Oscillator(), [[0.0, 1.0]], ("q", 0.0), dt=0.3, max_time=8.0)
    assert "did not happen within the span" in once.return_map().summary()


def test_a_section_of_a_flow_on_a_line_is_a_point_without_coordinates():
    found = poincare_section(Decay(), [[1.0], [2.0]], ("x", 0.5), dt=0.1, direction=-1,
                             n_crossings=1)  # fmt: skip
    np.testing.assert_allclose(found.times[:, 0], np.log([2.0, 4.0]), atol=1e-10)
    assert found.summary().endswith("2 crossing(s) of 2 orbit(s).")
    assert found.plot().get_ylabel() == "orbit"


def test_an_explosion_is_no_crossing():
    with pytest.raises(NumericalFailure, match="non-finite"):
        crossings(Explosion(), [1.0], lambda t, x: x[0] + 1, dt=0.02)


def test_a_section_of_several_orbits_and_an_oblique_plane():
    starts = np.array([[0.5, 0.0, 1.0], [2.0, 0.1, -1.0]])
    found = poincare_section(Circle(), starts, ("y", 0.0), dt=0.1, n_crossings=4)
    assert found.names == ("x", "z")
    np.testing.assert_allclose(np.diff(found.times, axis=1), np.pi, atol=1e-10)
    r0 = np.hypot(starts[:, 0], starts[:, 1])
    exact = (1 + (r0[:, None] ** -2 - 1) * np.exp(-2 * found.times)) ** -0.5
    np.testing.assert_allclose(found.coordinates[..., 0], exact, atol=1e-10)
    np.testing.assert_allclose(
        found.coordinates[..., 1], starts[:, 2:] * np.exp(-0.3 * found.times), atol=1e-10
    )
    oblique = poincare_section(Circle(), starts, ([3.0, 4.0, 0.0], 0.5), dt=0.1, n_crossings=4)
    np.testing.assert_allclose(oblique.states @ [0.6, 0.8, 0.0], 0.1, atol=1e-13)
    pairs = found.return_map("z")
    np.testing.assert_allclose(pairs.after, pairs.before * np.exp(-0.3 * np.pi), rtol=1e-9)


def test_a_first_return_map_and_its_tangent():
    returns = poincare_map(Circle(), ("y", 0.0), dt=0.1)
    x = jnp.array([0.6, 0.4])
    time, after = returns.timed(x)
    assert float(time) == pytest.approx(np.pi, abs=1e-10)
    tangent = np.asarray(jax.jacfwd(lambda y: returns.step(0, y))(x))
    # r -> (1 + (r^-2 - 1) e^(-2 pi))^(-1/2), so its derivative is (r' / r)^3 e^(-2 pi)
    slope = (float(after[0]) / 0.6) ** 3 * np.exp(-2 * np.pi)
    np.testing.assert_allclose(tangent, np.diag([slope, np.exp(-0.3 * np.pi)]), atol=1e-10)


def test_questions_of_maps_are_asked_of_a_return_map():
    returns = poincare_map(Circle(), ("y", 0.0), dt=0.1)
    found = fixed_points(returns, [[0.7, 0.1], [1.2, 0.0]])
    np.testing.assert_allclose(found.points[0], [1.0, 0.0], atol=1e-9)
    multipliers = np.exp(np.pi * np.array([-0.3, -2]))
    np.testing.assert_allclose(found.eigenvalues[0].real, multipliers, rtol=1e-6)
    spectrum = lyapunov_spectrum(returns, [0.9, 0.1], n_steps=40, n_transient=20)
    np.testing.assert_allclose(spectrum.exponents, [-0.3 * np.pi, -2 * np.pi], atol=1e-6)


def test_a_return_map_agrees_with_the_section():
    plane = ("y", 0.0)
    section = poincare_section(
        Rossler(), [[-4.0, -4.0, 0.02]], plane, dt=0.1, direction=-1, n_crossings=3, n_transient=5
    )
    returns = poincare_map(Rossler(), plane, dt=0.1, direction=-1)
    after = jax.vmap(lambda x: returns.step(0, x))(jnp.asarray(section.coordinates[0, :2]))
    np.testing.assert_allclose(after, section.coordinates[0, 1:], atol=1e-10)


def test_a_strobed_forced_flow_has_a_fixed_point():
    # x' = cos t - x has the periodic solution (cos t + sin t) / 2.
    for phase in (0.0, 1.0):
        strobed = stroboscopic_map(Pushed(), 2 * np.pi, phase=phase)
        found = fixed_points(strobed, [[3.0]])
        assert found.points[0, 0] == pytest.approx((np.cos(phase) + np.sin(phase)) / 2, abs=1e-9)
        assert found.eigenvalues[0, 0].real == pytest.approx(np.exp(-2 * np.pi), rel=1e-6)
    with pytest.raises(InvalidInput, match="does not repeat after 3"):
        stroboscopic_map(Pushed(), 3.0)


def test_an_iterate_is_a_map():
    found = fixed_points(iterate(LogisticMap(r=3.3), 2), bounds=[(-0.5, 1.5)])
    r = 3.3
    pair = (r + 1 + np.array([-1, 1]) * np.sqrt((r - 3) * (r + 1))) / (2 * r)
    np.testing.assert_allclose(
        np.sort(found.points[:, 0]), np.sort([0, 1 - 1 / r, *pair]), atol=1e-12
    )
    np.testing.assert_allclose(found.eigenvalues[0].real, 4 + 2 * r - r**2, rtol=1e-10)


def test_lorenz_cusp_is_thin_and_everywhere_steep():
    cusp = return_map(Lorenz63(), [-5.76, -2.28, 27.08], "z", dt=0.02, n_maxima=1000)
    assert cusp.thickness < 0.02
    order = np.argsort(cusp.before)
    top = np.argmax(cusp.after[order])
    rising, falling = np.diff(cusp.after[order][:top:20]), np.diff(cusp.after[order][top::20])
    assert np.all(rising > 0)
    assert np.all(falling < 0)
    # Lorenz (1963): the slope exceeds one everywhere, so no cycle of it is stable.
    assert np.all(rising > np.diff(cusp.before[order][:top:20]))
    assert np.all(-falling > np.diff(cusp.before[order][top::20]))


def test_refusals_say_what_to_do():
    with pytest.raises(WrongKind, match="already a discrete sequence"):
        crossings(HenonMap(), [0.1, 0.1], position, dt=1.0)
    with pytest.raises(WrongKind, match=r"as_map\(dt\)"):
        iterate(Lorenz63(), 2)
    with pytest.raises(WrongKind, match="stroboscopic_map"):
        poincare_map(_Forced2(), ("x", 0.0), dt=0.1)
    with pytest.raises(InvalidInput, match=r"expected one number, shape \(\)"):
        crossings(Oscillator(), [0.0, 1.0], lambda t, x: x, dt=0.1)
    with pytest.raises(InvalidInput, match="direction = 2"):
        crossings(Oscillator(), [0.0, 1.0], position, dt=0.1, direction=2)
    with pytest.raises(InvalidInput, match="dt = 0"):
        crossings(Oscillator(), [0.0, 1.0], position, dt=0)
    with pytest.raises(
        InvalidInput, match=r"'w' is no component of Circle. It has \['x', 'y', 'z'\]"
    ):
        poincare_section(Circle(), [[1, 0, 0]], ("w", 0.0), dt=0.1)
    with pytest.raises(InvalidInput, match="a nonzero normal"):
        poincare_section(Circle(), [[1, 0, 0]], ([0, 0, 0], 0.0), dt=0.1)
    with pytest.raises(InvalidInput, match="k = 0"):
        iterate(LogisticMap(), 0)


class _Forced2(AbstractFlow):
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.1)

    def vector_field(self, t, x, u=None):
        return jnp.stack([x[1], jnp.cos(t) - x[0]])
