"""Manifolds of saddles against closed forms and their own invariance."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import InvalidInput, WrongKind
from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import stable_manifold, unstable_manifold
from takens.systems import HenonMap, LogisticMap, Lorenz63


class Hyperbolic(AbstractMap):
    matrix: object = parameter()
    names: tuple[str, ...] = static(("x", "y"))

    def step(self, n, x, u=None):
        return self.matrix @ x


class Parabola(AbstractFlow):
    """y = e^t, x' = -x + y^2: the unstable manifold is x = y^2 / 3, the stable one y = 0."""

    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return jnp.stack([-x[0] + x[1] ** 2, x[1]])


class Sheet(AbstractFlow):
    """x' = -x, y' = -2 y, z' = z + x^2 + y^2: the stable manifold is z = -x^2 / 3 - y^2 / 5."""

    names: tuple[str, ...] = static(("x", "y", "z"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return jnp.stack([-x[0], -2 * x[1], x[2] + x[0] ** 2 + x[1] ** 2])


def distance_to(curve, points):
    """Of each point to a polygon."""
    start, piece = curve[:-1], np.diff(curve, axis=0)
    away = points[:, None] - start
    along = np.clip(np.sum(away * piece, -1) / np.sum(piece**2, -1), 0, 1)
    return np.linalg.norm(away - along[..., None] * piece, axis=-1).min(axis=1)


def henon(points):
    return np.stack([1 - 1.4 * points[:, 0] ** 2 + points[:, 1], 0.3 * points[:, 0]], axis=1)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_linear_saddle_has_straight_manifolds(sign):
    system = Hyperbolic(np.array([[sign * 2.0, 1.0], [0.0, 0.5]]))
    out = unstable_manifold(system, [0.0, 0.0], length=5.0, max_gap=0.1)
    assert np.abs(np.concatenate(out.curves)[:, 1]).max() < 1e-12
    assert sorted(np.sign([c[-1, 0] for c in out.curves])) == [-1, 1]
    np.testing.assert_allclose(out.lengths, 5, atol=0.1)
    assert out.largest_gap <= 0.1
    inner = stable_manifold(system, [0.0, 0.0], length=5.0, max_gap=0.1)
    direction = np.array([1.0, 0.5 - sign * 2.0])
    points = np.concatenate(inner.curves)
    across = points @ np.array([-direction[1], direction[0]]) / np.linalg.norm(direction)
    assert np.abs(across).max() < 1e-9
    np.testing.assert_allclose(inner.lengths, 5, atol=0.1)


def test_henon_unstable_manifold_is_invariant():
    found = unstable_manifold(HenonMap(), [0.63, 0.19], length=12.0, max_gap=0.01)
    assert found.cautions == ()
    assert found.dimension == 1
    curve = np.concatenate([found.curves[0][::-1], found.curves[1][1:]])
    # Points far inside have images on the curve again (the multiplier is negative: halves swap).
    inside = np.concatenate([c[: np.searchsorted(arc(c), 2.0)] for c in found.curves])
    # A polygon with pieces of length g that meet at up to 0.3 radians leaves a curve by g 0.3 / 8.
    assert distance_to(curve, henon(inside)).max() < 0.01 * 0.3 / 8
    fine = unstable_manifold(HenonMap(), [0.63, 0.19], length=12.0, max_gap=0.0025)
    curve = np.concatenate([fine.curves[0][::-1], fine.curves[1][1:]])
    assert distance_to(curve, henon(inside)).max() < 0.0025 * 0.3 / 8


def arc(curve):
    return np.r_[0, np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))]


def test_henon_stable_manifold_is_invariant_and_crosses_the_unstable_one():
    found = stable_manifold(HenonMap(), [0.63, 0.19], length=8.0, max_gap=0.02)
    curve = np.concatenate([found.curves[0][::-1], found.curves[1][1:]])
    assert distance_to(curve, henon(curve)).max() < 0.02 * 0.3 / 8
    out = unstable_manifold(HenonMap(), [0.63, 0.19], length=8.0, max_gap=0.02)
    far = np.concatenate([c[arc(c) > 1.0] for c in out.curves])
    assert distance_to(curve, far).min() < 0.01  # a homoclinic point


def test_a_parabola_in_closed_form():
    out = unstable_manifold(Parabola(), [0.0, 0.0], length=4.0, max_gap=0.1)
    points = np.concatenate(out.curves)
    np.testing.assert_allclose(points[:, 0], points[:, 1] ** 2 / 3, atol=1e-8)
    assert np.abs(points[:, 1]).max() > 2
    inner = stable_manifold(Parabola(), [0.0, 0.0], length=4.0, max_gap=0.1)
    assert np.abs(np.concatenate(inner.curves)[:, 1]).max() < 1e-12


def test_a_sheet_in_closed_form():
    found = stable_manifold(Sheet(), [0.0, 0.0, 0.0], length=1.5, max_gap=0.2)
    assert found.dimension == 2
    assert found.largest_gap <= 0.2
    assert found.cautions == ()
    points = np.concatenate(found.curves)
    exact = -(points[:, 0] ** 2) / 3 - points[:, 1] ** 2 / 5
    np.testing.assert_allclose(points[:, 2], exact, atol=1e-7)
    # The ends lie all around, in the strong direction as well as in the weak one.
    ends = np.array([c[-1] for c in found.curves])
    turn = np.sort(np.arctan2(ends[:, 1], ends[:, 0]))
    assert np.diff(turn).max() < 0.3


def test_lorenz_manifolds_of_the_origin():
    sheet = stable_manifold(Lorenz63(), [0, 0, 0], length=20.0, max_gap=3.0)
    points = np.concatenate(sheet.curves)
    # The z axis is part of it, and the symmetry (x, y) -> (-x, -y) maps it to itself.
    assert np.linalg.norm(points - [0, 0, 20.0], axis=1).min() < 0.5
    assert np.linalg.norm(points - [0, 0, -20.0], axis=1).min() < 0.5
    ends = np.array([c[-1] for c in sheet.curves])
    mirrored = ends * [-1, -1, 1]
    assert np.linalg.norm(ends[:, None] - mirrored, axis=-1).min(axis=1).max() < 2.0
    line = unstable_manifold(Lorenz63(), [0, 0, 0], length=50.0, max_gap=1.0)
    a, b = line.curves
    n = min(len(a), len(b))
    np.testing.assert_allclose(a[:n], b[:n] * [-1, -1, 1], atol=1e-6)


def test_refusals_say_what_to_do():
    with pytest.raises(InvalidInput, match=r"0 unstable direction\(s\)"):
        unstable_manifold(LogisticMap(r=2.5), [0.6])
    with pytest.raises(InvalidInput, match="Start from `fixed_points`"):
        unstable_manifold(HenonMap(), [1.6, 0.0])
    with pytest.raises(InvalidInput, match="max_gap = 20"):
        unstable_manifold(HenonMap(), [0.63, 0.19], max_gap=20)
    with pytest.raises(WrongKind, match="expected a system"):
        stable_manifold(3, [0.0])


def test_a_gap_that_stays_is_said():
    found = unstable_manifold(HenonMap(), [0.63, 0.19], length=12.0, max_gap=0.01, max_points=60)
    codes = [c.code for c in found.cautions]
    assert "gaps-in-manifold" in codes or "manifold-ends" in codes
