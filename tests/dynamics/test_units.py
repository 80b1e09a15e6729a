"""The same question in another unit has the same answer in that unit."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import (
    all_fixed_points,
    attractors,
    fixed_points,
    period_doublings,
    periodic_orbits,
    slow_points,
    stable_manifold,
    unstable_manifold,
)
from takens.dynamics.rescaled import RescaledFlow, RescaledMap, pace_of, unit_of
from takens.dynamics.stability import kind, n_neutral, ordered
from takens.systems import HenonMap, Lorenz63, VanDerPol
from takens.testing import check_system

NANO = 1e-9
ROOT = 8.4852813742385695  # sqrt(beta (rho - 1))


class SmallHenon(AbstractMap):
    a: object = parameter(1.4)
    unit: object = parameter(NANO)
    names: tuple[str, ...] = static(("x", "y"))

    def step(self, n, x, u=None):
        return self.unit * HenonMap(a=self.a).step(n, x / self.unit)


class SmallFlow(AbstractFlow):
    flow: AbstractFlow
    unit: object = parameter(NANO)
    names: tuple[str, ...] = static(("x", "y", "z"))
    integrator: AbstractIntegrator = RungeKutta(0.02)

    def vector_field(self, t, x, u=None):
        return self.unit * self.flow.vector_field(t, x / self.unit)


def small(flow):
    return SmallFlow(flow, names=flow.names)


def test_every_fixed_point_is_found_in_small_units():
    box = NANO * np.array([(-30, 30), (-30, 30), (0, 50)])
    found = fixed_points(small(Lorenz63()), bounds=box)
    exact = [[0, 0, 0], [-ROOT, -ROOT, 27], [ROOT, ROOT, 27]]
    np.testing.assert_allclose(found.points / NANO, exact, atol=1e-12)
    assert found.types == ("saddle", "saddle-focus", "saddle-focus")
    assert np.all(found.error < 1e-12 * NANO)
    assert found.provenance["system"] == "SmallFlow"
    proven = all_fixed_points(small(Lorenz63()))
    np.testing.assert_allclose(proven.points / NANO, exact, atol=1e-12)
    assert proven.types == found.types


@pytest.mark.parametrize("unit", [1e-30, 1e-3, 1e9])
def test_the_answer_does_not_depend_on_the_unit(unit):
    system = SmallHenon(unit=unit)
    found = fixed_points(system, bounds=unit * np.array([(-2, 2), (-2, 2)]))
    # y = 0.3 x, and 1.4 x^2 + 0.7 x - 1 = 0
    x = np.roots([1.4, 0.7, -1.0])
    np.testing.assert_allclose(np.sort(found.points[:, 0]) / unit, np.sort(x), rtol=1e-12)
    assert found.types == ("saddle", "saddle")


def test_cycles_cascades_and_manifolds_in_small_units():
    system, big = SmallHenon(), SmallHenon(unit=1.0)
    orbits = periodic_orbits(system, [[0.6 * NANO, 0.2 * NANO]], max_period=4, n_starts=64)
    assert [orbits.count(p) for p in (1, 2, 3, 4)] == [2, 1, 0, 1]  # as Biham and Wenzel count
    assert np.all(orbits.error < 1e-12 * NANO)
    cascade = period_doublings(system, "a", (0.2, 1.0), [0.1 * NANO, 0.1 * NANO], n_doublings=2)
    # 1 to 2 at a = 3 (1 - b)^2 / 4, 2 to 4 at a = (1 - b)^2 + (1 + b)^2 / 4
    np.testing.assert_allclose(cascade.values, [0.3675, 0.9125], rtol=1e-10)
    assert np.abs(cascade.cycles[0]).max() < 2 * NANO
    for question in (stable_manifold, unstable_manifold):
        given = {"length": 2.0, "max_gap": 0.05, "tolerance": 1e-9}
        one = question(big, [0.63, 0.19], **given)
        two = question(system, [0.63 * NANO, 0.19 * NANO],
                       **{name: NANO * value for name, value in given.items()})  # fmt: skip
        np.testing.assert_allclose(two.lengths / NANO, one.lengths, atol=0.06)
        assert two.largest_gap < 0.05 * NANO * (1 + 1e-9)
        assert not any(c.code == "gaps-in-manifold" for c in two.cautions)


def test_a_closed_orbit_of_a_flow_in_small_units():
    flow = small(VanDerPol(mu=1.0))
    found = periodic_orbits(flow, [[2.0 * NANO, 0.0]], max_period=8.0, n_starts=8, n_segments=2,
                            n_steps=300)  # fmt: skip
    assert len(found) == 1
    assert found.periods[0] == pytest.approx(6.6632868593, abs=1e-8)
    assert np.abs(found.orbits[0][:, 0]).max() == pytest.approx(2.0086 * NANO, rel=1e-3)


def test_a_single_small_start_is_not_taken_for_a_point():
    found = attractors(SmallHenon(a=0.9), [[0.1 * NANO, 0.1 * NANO]])
    assert found.attractors[0].what == "cycle of period 2"


def test_rescaled_systems_are_systems():
    check_system(RescaledMap(system=HenonMap(), state_unit=0.5), np.array([0.2, 0.4]))
    check_system(RescaledFlow(system=VanDerPol(), state_unit=0.5), np.array([0.2, 0.4]), dt=0.1)
    assert unit_of(np.array([[3.0, -1e9]])) == 1.0
    assert unit_of(np.zeros((2, 3))) == 1.0
    assert unit_of(np.array([[0.3, -1e-5]])) == 0.25


class Paced(AbstractFlow):
    """A flow whose time is told in another unit."""

    flow: AbstractFlow
    rate: object = parameter(1e-12)
    names: tuple[str, ...] = static(("x", "y", "z"))
    integrator: AbstractIntegrator = RungeKutta(0.02)

    def vector_field(self, t, x, u=None):
        return self.rate * self.flow.vector_field(t, x)


@pytest.mark.parametrize("rate", [1e-30, 1e-12, 1e12])
def test_stability_does_not_depend_on_the_unit_of_time(rate):
    system = Paced(Lorenz63(), rate)
    exact = [[0, 0, 0], [-ROOT, -ROOT, 27], [ROOT, ROOT, 27]]
    for found in (
        fixed_points(system, bounds=[(-30, 30), (-30, 30), (0, 50)], n_starts=64),
        all_fixed_points(system),
    ):
        np.testing.assert_allclose(found.points, exact, atol=1e-12)
        assert found.types == ("saddle", "saddle-focus", "saddle-focus")
        assert found.n_unstable.tolist() == [1, 2, 2]
        assert np.all(found.error < 1e-12)
        # (-11 + sqrt(1201)) / 2 at the origin
        assert found.eigenvalues[0, 0].real == pytest.approx((1201**0.5 - 11) / 2 * rate)
        assert "±" in found.summary().splitlines()[-1].split("eigenvalue")[1]


class Cubic(AbstractFlow):
    """x^3 repels and y decays, but the Jacobian has a zero."""

    rate: object = parameter(1.0)
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return self.rate * jnp.stack([x[0] ** 3, -x[1]])


@pytest.mark.parametrize("rate", [1e-12, 1.0, 1e12])
def test_a_degenerate_point_has_no_unstable_direction_for_certain(rate):
    found = fixed_points(Cubic(rate=rate), bounds=[(-1, 1.1), (-1, 1.2)], n_starts=32)
    assert np.abs(found.points).max() < 1e-3
    assert set(found.types) == {"non-hyperbolic (undecided linearly)"}
    assert not found.n_unstable.any()
    assert not found.index.any()


class Channel(AbstractFlow):
    """Just past a fold, in any unit of state and time: x' = gap + x^2 never vanishes."""

    unit: object = parameter(1.0)
    rate: object = parameter(1.0)
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        z = x / self.unit
        return self.unit * self.rate * jnp.stack([0.01 + z[0] ** 2, 3 * z[1]])


@pytest.mark.parametrize(("unit", "rate"), [(1e-9, 1.0), (1.0, 1e-12), (1.0, 1e12), (1e-6, 1e-9)])
def test_slow_points_in_any_unit(unit, rate):
    found = slow_points(Channel(unit=unit, rate=rate), bounds=unit * np.array([(-2, 2), (-2, 2)]))
    one = slow_points(Channel(), bounds=np.array([(-2, 2), (-2, 2)]))
    assert len(found) == len(one) == 1
    np.testing.assert_allclose(found.points[0] / unit, 0, atol=1e-8)
    assert found.speeds[0] == pytest.approx(0.01 * unit * rate, rel=1e-9)
    assert found.relative_speeds[0] == pytest.approx(one.relative_speeds[0], rel=1e-6)
    assert found.curvatures[0] == pytest.approx(0.02 * rate**2, rel=1e-6)
    assert found.error[0] < 1e-9 * unit
    # The eigenvalue along the speed is zero, whatever sign rounding gives it.
    assert found.n_unstable[0] == 1
    assert found.hits[0] > 200


def test_rates_are_compared_with_each_other_and_multipliers_with_one():
    slow = np.array([1e-13, -2e-12])
    assert kind(slow, is_map=False) == "saddle"
    assert n_neutral(slow, is_map=False) == 0
    assert n_neutral(np.array([-1.0, 1e-10]), is_map=False) == 1
    assert n_neutral(np.zeros(2), is_map=False) == 2
    assert n_neutral(np.array([1 + 1e-10, 1e-3]), is_map=True) == 1
    np.testing.assert_array_equal(ordered(slow[::-1], is_map=False), slow)
    assert pace_of(HenonMap(), 1e-12) == 1
    assert pace_of(Lorenz63(), 20.0) == 1
    assert pace_of(Lorenz63(), 2.0**-40) == 2.0**40
