"""All roots of polynomial rules: counts in closed form, proofs, and what cannot be proven."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import InvalidInput, Status, WrongKind
from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, parameter, static
from takens.dynamics import all_fixed_points, fixed_points
from takens.dynamics.krawczyk import certified_radius
from takens.dynamics.polynomials import PolynomialSystem, all_roots, polynomial_system
from takens.systems import HenonMap, LogisticMap, Lorenz63, Lorenz96


class Line(AbstractFlow):
    """A polynomial by its coefficients, lowest first."""

    c: object = parameter()
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return sum(self.c[k] * x**k for k in range(len(self.c)))


class Cubics(AbstractFlow):
    """Two coupled bistable cubics."""

    coupling: object = parameter(0.1)
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return x - x**3 + self.coupling * (x[::-1] - x)


class Ratio(AbstractFlow):
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return 1 / (1 + x**2) - x


class Sine(AbstractFlow):
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return jnp.sin(x)


class Constant(AbstractFlow):
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return jnp.stack([jnp.ones(()), x[0] + x[1]])


def test_nine_roots_of_two_coupled_cubics():
    k = 0.1
    found = all_fixed_points(Cubics(coupling=k))
    # By sum s and difference d of the components: d = 0, or s = 0, or the two together.
    same = [(v, v) for v in (-1.0, 0.0, 1.0)]
    v = np.sqrt(1 - 2 * k)
    opposite = [(v, -v), (-v, v)]
    # x y = -k and x^2 + y^2 = 1 - k for the other four
    s, d = np.sqrt(1 - k - 2 * k), np.sqrt(1 - k + 2 * k)
    mixed = [((a * s + b * d) / 2, (a * s - b * d) / 2) for a in (1, -1) for b in (1, -1)]
    exact = np.array(sorted(same + opposite + mixed))
    points = found.points[np.lexsort(found.points.T[::-1])]
    assert len(found) == 9
    np.testing.assert_allclose(points, exact, atol=1e-14)
    assert found.complete
    assert found.certified.all()
    assert found.error.max() < 1e-12
    # Poincare-Hopf: the field points inwards far out, so the indices sum to one.
    assert found.index.sum() == 1


def test_all_agree_with_many_starts():
    for system, box in ((Lorenz63(), [(-30, 30), (-30, 30), (0, 50)]), (HenonMap(), [(-2, 2)] * 2)):
        everything, searched = all_fixed_points(system), fixed_points(system, bounds=box)
        assert everything.complete
        assert everything.certified.all()
        np.testing.assert_allclose(everything.points, searched.points, atol=1e-12)
        assert everything.types == searched.types


def test_bezout_count_of_lorenz96():
    found = all_fixed_points(Lorenz96(n_sites=5))
    assert found.provenance["n_paths"] == 32
    assert found.provenance["n_complex"] + found.provenance["n_infinite"] == 32
    np.testing.assert_allclose(found.points, [[8.0] * 5], atol=1e-12)


def test_a_certified_radius_holds_the_exact_root():
    # 21 x^2 - 58 x + 21 = (3 x - 7)(7 x - 3)
    found = all_fixed_points(Line(np.array([21.0, -58.0, 21.0])))
    exact = np.array([3 / 7, 7 / 3])
    assert found.certified.all()
    assert np.all(np.abs(np.sort(found.points[:, 0]) - exact) <= found.error.max())
    system = PolynomialSystem(np.array([[0], [2]]), np.array([[-2.0, 1.0]]))
    assert certified_radius(system, np.array([2.0**0.5])) < 1e-14
    assert np.isinf(certified_radius(system, np.array([1.0])))  # no root near
    assert np.isinf(certified_radius(system, np.array([0.0])))  # singular


def test_roots_against_the_companion_matrix():
    coefficients = np.array([3.0, -2.0, 0.5, 7.0, -4.0, 1.0, 2.0])
    found = all_roots(PolynomialSystem(np.arange(7)[:, None], coefficients[None]), seed=0)
    np.testing.assert_allclose(
        np.sort_complex(found.simple[:, 0]),
        np.sort_complex(np.roots(coefficients[::-1])),
        rtol=1e-10,
    )


def test_no_fixed_point_is_an_answer():
    found = all_fixed_points(Line(np.array([1.0, 0.0, 1.0])))
    assert found.status is Status.OK
    assert len(found) == 0
    assert found.complete
    assert "0 equilibria, all there are" in found.summary()
    assert len(all_fixed_points(Constant())) == 0


def test_coinciding_roots_are_not_certified():
    found = all_fixed_points(Line(np.array([0.0, 0.0, 1.0, 1.0])))  # x^2 (x + 1)
    assert not found.complete
    assert found.cautions[0].code == "singular-roots"
    assert found.certified.tolist() == [False, True] or found.certified.tolist() == [True, False]
    np.testing.assert_allclose(np.sort(found.points[:, 0]), [-1, 0], atol=1e-6)


def test_coefficients_are_read_from_the_rule():
    system = polynomial_system(LogisticMap(r=3.0))
    table = dict(zip(system.exponents[:, 0].tolist(), system.coefficients[0].tolist(), strict=True))
    assert table == {0: 0.0, 1: 2.0, 2: -3.0}


def test_badly_scaled_coefficients():
    found = all_fixed_points(Line(np.array([2e-12, -3e-4, 1e4])))  # of size 1e-8
    np.testing.assert_allclose(np.sort(found.points[:, 0]), [1e-8, 2e-8], rtol=1e-10)
    assert found.certified.all()


@pytest.mark.parametrize("system", [Ratio(), Sine()])
def test_other_rules_are_refused(system):
    with pytest.raises(WrongKind, match="fixed_points"):
        all_fixed_points(system)


def test_too_many_paths_are_refused():
    with pytest.raises(InvalidInput, match="max_paths = 100"):
        all_fixed_points(Lorenz96(n_sites=8), max_paths=100)
