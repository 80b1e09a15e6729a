"""Ghosts of folds in closed form, and what is no slow point."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status
from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import slow_points
from takens.systems import HenonMap


class Ghost(AbstractFlow):
    """Just past a fold: x' = gap + x^2 never vanishes; y decays."""

    gap: object = parameter(0.01)
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return jnp.stack([self.gap + x[0] ** 2, -3 * x[1]])


class Bend(AbstractMap):
    """x + gap + (x - 1)^2 comes nearest to rest at one."""

    gap: object = parameter(1e-3)
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return x + self.gap + (x - 1) ** 2


class Slide(AbstractFlow):
    """Faster towards either side without an end: no minimum."""

    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return jnp.exp(x)


def test_a_ghost_of_a_fold():
    found = slow_points(Ghost(gap=0.01), bounds=[(-2, 2), (-2, 2)])
    assert len(found) == 1
    np.testing.assert_allclose(found.points[0], 0, atol=1e-8)
    assert found.speeds[0] == pytest.approx(0.01, abs=1e-12)
    np.testing.assert_allclose(np.sort(found.eigenvalues[0].real), [-3, 0], atol=1e-7)
    # Hessian of q: diag(2 gap, 9)
    assert found.curvatures[0] == pytest.approx(0.02, rel=1e-6)
    assert found.relative_speeds[0] < 0.01
    assert found.n_fixed == 0


def test_beyond_the_fold_it_is_two_fixed_points():
    found = slow_points(Ghost(gap=-0.01), bounds=[(-2, 2), (-2, 2)])
    assert len(found) == 0
    assert found.status is Status.OK
    assert found.n_fixed > 200
    assert "0 slow point(s)" in found.summary()


def test_a_map_that_nearly_rests():
    found = slow_points(Bend(gap=1e-3), bounds=[(0, 2)])
    assert found.points[0, 0] == pytest.approx(1.0, abs=1e-7)
    assert found.speeds[0] == pytest.approx(1e-3, abs=1e-10)
    assert found.eigenvalues[0, 0].real == pytest.approx(1.0, abs=1e-6)
    assert len(slow_points(Bend(gap=1e-3), bounds=[(0, 2)], max_speed=1e-4)) == 0


def test_a_map_with_fixed_points_has_them_counted_apart():
    found = slow_points(HenonMap(), bounds=[(-2, 2), (-2, 2)])
    assert found.n_fixed > 0
    for point in found.points:
        image = np.array([1 - 1.4 * point[0] ** 2 + point[1], 0.3 * point[0]])
        assert np.linalg.norm(image - point) > 1e-6


def test_no_minimum_is_a_failure():
    with pytest.raises(NumericalFailure):
        slow_points(Slide(), [[0.0], [1.0]])


def test_refusals():
    with pytest.raises(InvalidInput, match="a positive speed"):
        slow_points(HenonMap(), [[0.0, 0.0]], max_speed=0)
