"""Alignment indices: exact rates, powers on tori, and agreement with plain linear algebra."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.system import AbstractMap, parameter, static
from takens.dynamics import (
    generalised_alignment_index,
    lyapunov_spectrum,
    smaller_alignment_index,
)
from takens.dynamics.lyapunov import first_frame
from takens.systems import HenonHeiles, HenonMap, LogisticMap, OrnsteinUhlenbeck, StandardMap

REGULAR = [0.0, 0.1, 0.49058, 0.0]  # Skokos et al. (2007), at energy 1/8
CHAOTIC = [0.0, -0.25, 0.42081, 0.0]


class Linear(AbstractMap):
    matrix: object = parameter()
    names: tuple[str, ...] = static(("x", "y", "z"))

    def step(self, n, x, u=None):
        return self.matrix @ x


def test_a_linear_map_has_the_exact_rates():
    rates = np.array([0.3, 0.0, -0.3])
    basis = np.array([[1.0, 0.3, 0.1], [0.2, 1.0, -0.3], [0.1, 0.5, 1.0]])
    system = Linear(basis @ np.diag(np.exp(rates)) @ np.linalg.inv(basis))
    for order, exact in ((2, 0.3), (3, 0.3 + 0.6)):
        found = generalised_alignment_index(system, [0.0, 0.0, 0.0], order=order, n_steps=400)
        assert found.rate.value == pytest.approx(exact, abs=1e-9)
        assert found.indicates == "chaotic"
        assert not found.cautions
    assert found.log_index[-1] < -350 + 20  # beyond what any float could hold as vectors


def test_the_index_is_the_volume_of_the_vectors():
    system, n = StandardMap(kick=6.0), 8
    found = generalised_alignment_index(system, [3.0, 1.0], n_steps=200, seed=4)
    x, vectors = jnp.array([3.0, 1.0]), first_frame(2, 2, 4).T
    for k in range(n):
        vectors = np.asarray(jax.jacfwd(lambda s: system.step(0.0, s))(x)) @ vectors
        x = system.step(0.0, x)
        unit = vectors / np.linalg.norm(vectors, axis=0)
        exact = np.prod(np.linalg.svd(unit, compute_uv=False))
        assert found.index[k] == pytest.approx(exact, rel=1e-6)
    sali = smaller_alignment_index(system, [3.0, 1.0], n_steps=200, seed=4)
    one, two = unit.T
    exact = min(np.linalg.norm(one + two), np.linalg.norm(one - two))
    assert np.exp(sali.log_index[n - 1]) == pytest.approx(exact, rel=1e-6)


def test_chaos_aligns_at_the_difference_of_the_exponents():
    found = smaller_alignment_index(StandardMap(kick=6.0), [3.0, 1.0], n_steps=4000)
    spectrum = lyapunov_spectrum(StandardMap(kick=6.0), [3.0, 1.0], n_steps=4000, n_transient=0)
    gap = 2 * spectrum.exponents[0]
    assert found.rate.value == pytest.approx(gap, abs=4 * found.rate.standard_error + 0.02)
    assert found.log_index[-1] == pytest.approx(-gap * 4000, rel=0.02)
    assert found.indicates == "chaotic"


def test_a_map_of_the_plane_aligns_with_the_square_of_time_on_an_island():
    found = smaller_alignment_index(StandardMap(kick=0.5), [4.2, 0.1], n_steps=20_000)
    assert found.power.value == pytest.approx(2.0, abs=0.01)
    assert found.power_misfit < found.exponential_misfit
    assert found.indicates == "regular"


@pytest.mark.parametrize(("order", "power"), [(2, 0.0), (3, 2.0), (4, 4.0)])
def test_powers_on_a_torus_of_two_degrees_of_freedom(order, power):
    found = generalised_alignment_index(HenonHeiles(), REGULAR, order=order, dt=1.0, n_steps=4000)
    assert found.power.value == pytest.approx(power, abs=0.35)
    assert found.indicates == "regular"


def test_the_same_energy_holds_a_chaotic_orbit():
    found = generalised_alignment_index(HenonHeiles(), CHAOTIC, order=2, dt=1.0, n_steps=4000)
    assert found.indicates == "chaotic"
    assert found.rate.value == pytest.approx(0.045, abs=0.02)  # lambda_1 - lambda_2, Skokos (2007)
    assert not found.cautions


def test_contraction_is_told():
    found = smaller_alignment_index(HenonMap(), [0.1, 0.1], n_steps=200)
    assert [f.code for f in found.cautions] == ["volume-not-preserved"]
    assert "-1.2" in found.cautions[0].text


def test_a_lost_orbit_has_no_index():
    found = generalised_alignment_index(HenonMap(a=3.0), [2.0, 0.1], throw=False)
    assert found.status is Status.DIVERGED
    assert np.isnan(found.log_index).all()
    assert found.indicates == "undecided"
    with pytest.raises(NumericalFailure, match="non-finite"):
        smaller_alignment_index(HenonMap(a=3.0), [2.0, 0.1])


def test_malformed_questions_are_refused():
    with pytest.raises(InvalidInput, match="order = 3 for a system of dimension 2"):
        generalised_alignment_index(HenonMap(), [0.1, 0.1], order=3)
    with pytest.raises(InvalidInput, match="order = 2 for a system of dimension 1"):
        smaller_alignment_index(LogisticMap(), [0.1])
    with pytest.raises(InvalidInput, match="need 200 or more"):
        smaller_alignment_index(HenonMap(), [0.1, 0.1], n_steps=50)
    with pytest.raises(WrongKind, match="is a diffusion"):
        smaller_alignment_index(OrnsteinUhlenbeck(), [0.1])
