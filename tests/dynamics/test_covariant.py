"""Covariant Lyapunov vectors: eigenvectors, covariance, tangencies and the field of a flow."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import scipy.linalg

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import covariant_lyapunov_vectors, lyapunov_spectrum
from takens.dynamics.covariant import subspace_angle
from takens.learn import Persistence
from takens.systems import ArnoldCat, HenonMap, LogisticMap, Lorenz63, OrnsteinUhlenbeck


class Linear(AbstractMap):
    matrix: object = parameter()
    names: tuple[str, ...] = static(("x", "y", "z"))

    def step(self, n, x, u=None):
        return self.matrix @ x


class LinearFlow(AbstractFlow):
    matrix: object = parameter()
    names: tuple[str, ...] = static(("x", "y", "z"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return self.matrix @ x


def parallel(one, two):
    """Largest sine between matching rows, signs aside."""
    one = one / np.linalg.norm(one, axis=-1, keepdims=True)
    two = two / np.linalg.norm(two, axis=-1, keepdims=True)
    rest = one - np.sum(one * two, axis=-1, keepdims=True) * two
    return np.linalg.norm(rest, axis=-1).max()


BASIS = np.array([[1.0, 0.2, -0.4], [0.5, 1.0, 0.3], [-0.3, 0.4, 1.0]])  # rows: eigenvectors


@pytest.mark.parametrize("kind", ["map", "flow"])
def test_of_a_linear_system_they_are_its_eigenvectors(kind):
    rates = np.array([-0.1, -0.9, -1.5])
    generator = BASIS.T @ np.diag(rates) @ np.linalg.inv(BASIS.T)
    system = LinearFlow(generator) if kind == "flow" else Linear(scipy.linalg.expm(generator))
    found = covariant_lyapunov_vectors(
        system, [1.0, 1.0, 1.0], n_steps=50, n_transient=60, n_backward=60
    )
    assert parallel(found.vectors, BASIS[None]) < 1e-8
    np.testing.assert_allclose(found.exponents, rates, atol=1e-9)
    np.testing.assert_allclose(found.local_exponents - rates, 0.0, atol=1e-8)


@pytest.mark.parametrize(
    ("system", "dt", "bound"), [(HenonMap(), 1.0, 1e-8), (Lorenz63(), 0.1, 1e-8)]
)
def test_the_dynamics_carries_each_vector_into_the_next(system, dt, bound):
    found = covariant_lyapunov_vectors(system, system.x0, dt=dt, n_steps=300)
    step_map = system.as_map(dt)
    jacobians = jax.vmap(jax.jacfwd(lambda x: step_map.step(0.0, x)))(found.states)
    carried = np.einsum("tij,tkj->tki", jacobians, found.vectors)
    assert parallel(carried[:-1], found.vectors[1:]) < bound
    stretched = np.log(np.linalg.norm(carried, axis=-1)) / dt
    np.testing.assert_allclose(stretched, found.local_exponents, atol=1e-6)


def test_the_cat_map_has_one_angle():
    found = covariant_lyapunov_vectors(
        ArnoldCat(), [0.1, 0.27], n_steps=100, n_transient=50, n_backward=50
    )
    golden = (3 + 5**0.5) / 2
    np.testing.assert_allclose(found.exponents, [np.log(golden), -np.log(golden)], atol=1e-12)
    np.testing.assert_allclose(found.angles, np.pi / 2, atol=1e-7)  # a symmetric matrix
    assert (found.n_unstable, found.n_neutral) == (1, 0)


def test_henon_has_tangencies_and_the_angle_of_its_two_vectors():
    found = covariant_lyapunov_vectors(HenonMap(), [0.1, 0.1], n_steps=5000)
    one, two = found.vectors[:, 0], found.vectors[:, 1]
    cross = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])
    np.testing.assert_allclose(found.angles, np.arcsin(np.clip(cross, 0, 1)), atol=1e-7)
    assert found.minimum_angle < 0.01
    spectrum = lyapunov_spectrum(HenonMap(), [0.1, 0.1], n_steps=100_000)
    np.testing.assert_allclose(
        found.exponents, spectrum.exponents, atol=4 * found.standard_error.max()
    )
    assert found.local_exponents.sum(axis=1).std() > 0.1  # no volume: they are not orthogonal


def test_the_neutral_vector_of_a_flow_is_its_field():
    system = Lorenz63()
    found = covariant_lyapunov_vectors(system, system.x0, dt=0.1, n_steps=600, n_backward=300)
    assert (found.n_unstable, found.n_neutral) == (1, 1)
    field = jax.vmap(lambda x: system.vector_field(0.0, x))(found.states)
    assert parallel(found.vectors[:, 1], np.asarray(field)) < 1e-6


def test_small_angles_keep_their_digits():
    tilt = 1e-11
    one = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    two = np.array([[[1.0, 0.0, tilt]]])
    assert subspace_angle(one, two)[0] == pytest.approx(tilt, rel=1e-6)
    assert subspace_angle(two, one)[0] == pytest.approx(tilt, rel=1e-6)


def test_the_leading_vectors_do_not_need_the_rest():
    settings = {"dt": 0.1, "n_steps": 100, "n_transient": 300, "n_backward": 300}
    full = covariant_lyapunov_vectors(Lorenz63(), Lorenz63().x0, **settings)
    few = covariant_lyapunov_vectors(Lorenz63(), Lorenz63().x0, n_vectors=2, **settings)
    assert parallel(few.vectors, full.vectors[:, :2]) < 1e-6
    assert np.isnan(few.angles).all()


def test_equal_exponents_are_told():
    found = covariant_lyapunov_vectors(
        Linear(0.5 * np.eye(3)), [1.0, 1.0, 1.0], n_steps=40, n_transient=5, n_backward=5
    )
    assert "exponents-too-close" in [f.code for f in found.cautions]


def test_failures_have_no_vectors():
    found = covariant_lyapunov_vectors(LogisticMap(r=4.5), [0.3], throw=False)
    assert found.status is Status.DIVERGED
    assert np.isnan(found.vectors).all()
    with pytest.raises(NumericalFailure, match="non-finite"):
        covariant_lyapunov_vectors(LogisticMap(r=4.5), [0.3])
    memory = Persistence().fit(np.arange(20.0)).model
    flat = covariant_lyapunov_vectors(
        Linear(np.diag([0.5, 0.2, 0.0])), [1.0, 1.0, 1.0], n_steps=40, throw=False
    )
    assert flat.status is Status.NOT_APPLICABLE
    assert [f.code for f in flat.cautions][:1] == ["forgotten-direction"]
    learned = covariant_lyapunov_vectors(memory, memory.encode(np.ones((4, 1))), n_steps=40)
    assert learned.exponents[0] == pytest.approx(0.0, abs=1e-12)


def test_malformed_questions_are_refused():
    with pytest.raises(InvalidInput, match="n_vectors = 3; expected 1 to 2"):
        covariant_lyapunov_vectors(HenonMap(), [0.1, 0.1], n_vectors=3)
    with pytest.raises(InvalidInput, match="need 40 or more"):
        covariant_lyapunov_vectors(HenonMap(), [0.1, 0.1], n_steps=10)
    with pytest.raises(InvalidInput, match="expected 0 to 2, or None"):
        covariant_lyapunov_vectors(HenonMap(), [0.1, 0.1], n_unstable=5)
    with pytest.raises(InvalidInput, match=r"x0 has shape \(1,\)"):
        covariant_lyapunov_vectors(HenonMap(), [0.1])
    with pytest.raises(WrongKind, match="is a diffusion"):
        covariant_lyapunov_vectors(OrnsteinUhlenbeck(), [0.1])
