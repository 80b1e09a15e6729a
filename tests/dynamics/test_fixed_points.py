"""Fixed points against closed forms, their types and indices, and what is refused."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.integrators import AbstractIntegrator, EulerMaruyama, RungeKutta
from takens.core.system import AbstractDiffusion, AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import fixed_points
from takens.learn import NVAR, LinearAutoregression, Persistence
from takens.systems import HenonMap, LogisticMap, Lorenz63

LORENZ_BOX = [(-30, 30), (-30, 30), (0, 50)]


class Plane(AbstractFlow):
    """A linear flow of the plane."""

    matrix: object = parameter()
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        push = 0.0 if u is None else u
        return self.matrix @ x + push


class Brusselator(AbstractFlow):
    a: object = parameter(1.0)
    b: object = parameter(3.0)
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        p, q = x
        return jnp.stack([self.a - (self.b + 1) * p + p**2 * q, self.b * p - p**2 * q])


class Forced(AbstractFlow):
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return jnp.cos(t) - x


class Lifted(AbstractFlow):
    """No equilibrium: the field is at least 1 long."""

    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return 1 + x**2


class Fold(AbstractFlow):
    """A double root at the origin."""

    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return x**2


class Tail(AbstractMap):
    """Approaches a fixed point only at infinity."""

    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return x + jnp.exp(-x)


class Noise(AbstractDiffusion):
    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.1)

    def drift(self, t, x, u=None):
        return -x

    def diffusion(self, t, x, u=None):
        return jnp.ones((1, 1))


def lorenz_leading(rho):
    found = fixed_points(Lorenz63(rho=rho), bounds=LORENZ_BOX, n_starts=32)
    far = np.abs(found.points[:, 0]) > 1
    return found.eigenvalues[far, 0].real.max()


def test_lorenz_equilibria_and_their_characteristic_polynomials():
    sigma, rho, beta = 10.0, 28.0, 8 / 3
    found = fixed_points(Lorenz63(), bounds=LORENZ_BOX)
    s = np.sqrt(beta * (rho - 1))
    exact = np.array([[0, 0, 0], [-s, -s, rho - 1], [s, s, rho - 1]])
    assert len(found) == 3
    assert np.all(np.abs(found.points - exact) <= found.error[:, None] + 1e-15)
    assert found.error.max() < 1e-12
    assert found.types == ("saddle", "saddle-focus", "saddle-focus")
    assert found.n_unstable.tolist() == [1, 2, 2]
    # det J is the product of the eigenvalues: positive at the origin, negative at the others.
    assert found.index.tolist() == [1, -1, -1]
    origin = [*np.roots([1, sigma + 1, sigma * (1 - rho)]).tolist(), -beta]
    np.testing.assert_allclose(np.sort(found.eigenvalues[0].real), np.sort(origin), rtol=1e-12)
    cubic = [1, sigma + beta + 1, beta * (sigma + rho), 2 * sigma * beta * (rho - 1)]
    for i in (1, 2):
        np.testing.assert_allclose(
            np.sort_complex(found.eigenvalues[i]), np.sort_complex(np.roots(cubic)), rtol=1e-10
        )


def test_lorenz_hopf_is_where_the_leading_real_part_vanishes():
    sigma, beta = 10.0, 8 / 3
    exact = sigma * (sigma + beta + 3) / (sigma - beta - 1)
    assert scipy.optimize.brentq(lorenz_leading, 24.0, 25.0, xtol=1e-10) == pytest.approx(
        exact, abs=1e-8
    )


def test_brusselator_hopf():
    def leading(b):
        found = fixed_points(Brusselator(a=1.5, b=b), [[1.0, 1.0], [2.0, 2.0]])
        assert found.points[0] == pytest.approx([1.5, b / 1.5], abs=1e-12)
        return found.eigenvalues[0, 0].real

    assert scipy.optimize.brentq(leading, 3.0, 3.5, xtol=1e-11) == pytest.approx(3.25, abs=1e-8)


def test_logistic_multipliers():
    found = fixed_points(LogisticMap(r=3.3), bounds=[(-1, 2)])
    by_place = np.argsort(found.points[:, 0])
    np.testing.assert_allclose(found.points[by_place, 0], [0, 1 - 1 / 3.3], atol=1e-14)
    np.testing.assert_allclose(found.eigenvalues[by_place, 0], [3.3, 2 - 3.3], rtol=1e-12)
    assert found.index[by_place].tolist() == [-1, 1]  # sign of 1 - multiplier
    settled = fixed_points(LogisticMap(r=2.5), bounds=[(-1, 2)])
    assert settled.types == ("stable node", "unstable node")
    assert settled.stable.tolist() == [True, False]


def test_henon_closed_form():
    a, b = 1.4, 0.3
    found = fixed_points(HenonMap(a=a, b=b), bounds=[(-2, 2), (-2, 2)])
    x = np.array([-(1 - b) - s * np.sqrt((1 - b) ** 2 + 4 * a) for s in (1, -1)]) / (2 * a)
    np.testing.assert_allclose(found.points, np.stack([x, b * x], 1), atol=1e-13)
    np.testing.assert_allclose(np.prod(found.eigenvalues, axis=1), -b, rtol=1e-12)
    np.testing.assert_allclose(np.sum(found.eigenvalues, axis=1), -2 * a * x, rtol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "name"),
    [
        ([[-1, 0], [0, -2]], "stable node"),
        ([[1, 0], [0, 2]], "unstable node"),
        ([[-1, 3], [-3, -1]], "stable focus"),
        ([[1, 3], [-3, 1]], "unstable focus"),
        ([[1, 0], [0, -2]], "saddle"),
        ([[0, 3], [-3, 0]], "centre (undecided linearly)"),
    ],
)
def test_the_plane_has_its_names(matrix, name):
    found = fixed_points(Plane(np.array(matrix, float)), [[0.3, 0.2]], u=np.array([1.0, 2.0]))
    assert found.types == (name,)
    exact = -np.linalg.solve(matrix, [1.0, 2.0])
    np.testing.assert_allclose(found.points[0], exact, atol=1e-13)
    assert bool(found.cautions) == name.startswith("centre")


def test_a_double_root_is_found_and_said_to_be_undecided():
    found = fixed_points(Fold(), [[0.7], [-0.4]])
    assert len(found) == 1
    assert abs(found.points[0, 0]) < 1e-4
    assert np.isinf(found.error[0])
    assert found.index.tolist() == [0]
    assert found.types == ("non-hyperbolic (undecided linearly)",)


def test_infinity_is_no_fixed_point():
    found = fixed_points(Tail(), [[0.0], [3.0]], throw=False)
    assert found.status is Status.NOT_CONVERGED
    assert len(found) == 0
    assert "did not converge" in found.summary()


def test_none_is_a_failure_and_never_the_last_iterate():
    with pytest.raises(NumericalFailure, match="start elsewhere"):
        fixed_points(Lifted(), [[0.3], [-2.0]])


def test_a_minimum_of_speed_is_no_fixed_point():
    # The Jacobian is exactly singular at the start, and no step reaches the residual.
    found = fixed_points(Lifted(), [[0.0]], throw=False)
    assert len(found) == 0


def test_learned_models_are_asked_the_same():
    signal = np.sin(0.3 * np.arange(300)) + 0.1
    rng = np.random.default_rng(5)
    for estimator in (LinearAutoregression(), NVAR()):
        model = estimator.fit(signal).model
        found = fixed_points(model, rng.normal(size=(16, model.dim)))
        step = np.asarray(model.step(0, jnp.asarray(found.points[0])))
        np.testing.assert_allclose(step, found.points[0], atol=1e-8)
    line = fixed_points(Persistence().fit(signal).model, rng.normal(size=(40, 1)), max_points=16)
    assert [c.code for c in line.cautions] == ["many-fixed-points", "undecided-stability"]


def test_what_is_outside_the_bounds_is_left_out_and_said():
    found = fixed_points(LogisticMap(r=3.3), bounds=[(0.3, 2)])
    assert len(found) == 1
    assert [c.code for c in found.cautions] == ["points-outside-bounds"]


def test_refusals_say_what_to_do():
    with pytest.raises(WrongKind, match="stroboscopic_map"):
        fixed_points(Forced(), [[0.1]])
    with pytest.raises(WrongKind, match="stationary density"):
        fixed_points(Noise(), [[0.1]])
    with pytest.raises(WrongKind, match="expected a system"):
        fixed_points(lambda x: x, [[0.1]])
    with pytest.raises(InvalidInput, match="neither was given"):
        fixed_points(LogisticMap())
    with pytest.raises(InvalidInput, match=r"expected \(sample, 1\)"):
        fixed_points(LogisticMap(), [0.1])
    with pytest.raises(InvalidInput, match="a larger upper"):
        fixed_points(LogisticMap(), bounds=[(1, 0)])
    with pytest.raises(InvalidInput, match="tolerance = 2"):
        fixed_points(LogisticMap(), [[0.1]], tolerance=2)
