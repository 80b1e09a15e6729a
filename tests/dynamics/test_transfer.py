"""Densities along an orbit and from Ulam's method, against closed forms."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.integrators import EulerMaruyama
from takens.core.system import AbstractMap, parameter, static
from takens.dynamics import invariant_density, transfer_matrix
from takens.systems import (
    ForcedPendulum,
    HenonMap,
    LogisticMap,
    NoisyDoubleWell,
    OrnsteinUhlenbeck,
    VanDerPol,
)


class Tent(AbstractMap):
    slope: object = parameter(2.0)
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return self.slope * jnp.minimum(x, 1 - x)


class Rotation(AbstractMap):
    turn: object = parameter(0.25)
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return (x + self.turn) % 1.0


class Nowhere(AbstractMap):
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return x * jnp.nan


def arcsine(edges):
    """Shares of the cells under 1 / (pi sqrt(x (1 - x)))."""
    return np.diff(2 / np.pi * np.arcsin(np.sqrt(edges)))


def test_the_tent_map_is_uniform_and_mixes_at_once():
    found = transfer_matrix(Tent(), [np.linspace(0, 1, 65)])
    np.testing.assert_allclose(found.density, 1.0, atol=1e-10)
    assert found.eigenvalues[0] == pytest.approx(1.0, abs=1e-12)
    assert abs(found.eigenvalues[1]) < 1e-2  # exactly zero, but defective: (1e-16) ** (1/7)
    np.testing.assert_allclose(found.matrix.sum(axis=1), 1.0)


def test_the_logistic_density_converges_with_the_cells():
    errors = []
    for n in (32, 128, 512):
        edges = np.linspace(0, 1, n + 1)
        found = transfer_matrix(LogisticMap(r=4.0), [edges], n_samples=200)
        errors.append(np.abs(found.density / n - arcsine(edges)).sum())
    assert errors[0] > 1.4 * errors[1] > 1.4 * 1.4 * errors[2]
    assert errors[2] < 0.06


def test_an_open_map_leaks_at_its_exact_rate():
    """Slope 3: a third of each iterate is lost, whatever the density."""
    found = transfer_matrix(Tent(slope=3.0), [np.linspace(0, 1, 82)], n_samples=90)
    assert found.escape_rate == pytest.approx(np.log(1.5), abs=1e-6)
    lost = (found.density * found.leak).sum() / found.density.sum()
    assert lost == pytest.approx(1 / 3, abs=1e-6)


def test_a_rotation_has_roots_of_unity():
    found = transfer_matrix(Rotation(), [np.linspace(0, 1, 9)], n_modes=4)
    np.testing.assert_allclose(np.abs(found.eigenvalues), 1.0, atol=1e-12)
    assert {round(float(v.real)) for v in found.eigenvalues**4} == {1}


def test_noise_has_the_rates_of_the_process():
    """exp(-k dt) for the Ornstein-Uhlenbeck process; the error bar is that of the sampling."""
    system = OrnsteinUhlenbeck(integrator=EulerMaruyama(0.005))
    found = transfer_matrix(system, [np.linspace(-4, 4, 121)], dt=0.5, n_samples=400)
    exact = np.exp(-0.5 * np.arange(4))
    for k in range(1, 4):
        assert abs(found.eigenvalues[k] - exact[k]) < 4 * found.error[k]
    assert found.error[1] < 0.01
    centres = 0.5 * (found.edges[0][1:] + found.edges[0][:-1])
    off = np.abs(found.density - norm(0, 0.5**0.5).pdf(centres))
    assert off.sum() * 8 / 120 < 0.06
    assert 0.4 < off.sum() / found.density_error.sum() < 2.5


def test_two_wells_are_almost_invariant():
    found = transfer_matrix(NoisyDoubleWell(), [np.linspace(-2.5, 2.5, 101)], dt=0.5)
    centres = 0.5 * (found.edges[0][1:] + found.edges[0][:-1])
    wells = np.abs(np.abs(centres) - 1) < 0.4
    assert (np.sign(found.second[wells]) == np.sign(found.second[-20] * centres[wells])).all()
    assert min(found.almost_invariant) > 0.95
    # the spectral gap 0.0568 of the Fokker-Planck operator, see its own tests
    assert found.mixing_rate == pytest.approx(0.0568, abs=4 * found.error[1] / 0.5)


def test_two_components_and_more_cells():
    orbit = invariant_density(HenonMap(), [0.1, 0.1], edges=[np.linspace(-1.5, 1.5, 601)])
    truth = (orbit.density * orbit.centres[0]).sum() * 0.005
    errors = []
    for n in (30, 120):
        grid = [np.linspace(-1.5, 1.5, 2 * n + 1), np.linspace(-0.5, 0.5, n + 1)]
        found = transfer_matrix(HenonMap(), grid, n_samples=16)
        assert found.density.shape == (2 * n, n)
        share = found.density.sum(axis=1) * (1.5 / n) * (1 / n)
        assert share.sum() == pytest.approx(1.0)
        errors.append(abs((share * (grid[0][1:] + grid[0][:-1]) / 2).sum() - truth))
    assert errors[1] < 0.5 * errors[0]  # cells blur the attractor by their size
    assert errors[1] < 0.02


def test_a_flow_over_an_interval():
    grid = [np.linspace(-2.6, 2.6, 27), np.linspace(-3.4, 3.4, 27)]
    found = transfer_matrix(VanDerPol(), grid, dt=1.0, n_samples=16)
    # the cycle is an attractor: nothing leaks in the long run, and its hole is empty
    assert found.escape_rate < 0.02
    assert found.density[13, 13] < 0.05 * found.density.max()


def test_points_that_vanish_are_told():
    found = transfer_matrix(Nowhere(), [np.linspace(0, 1, 9)], throw=False)
    assert found.status is Status.NOT_CONVERGED
    assert np.isnan(found.density).all()
    assert "lost-points" in [f.code for f in found.cautions]
    with pytest.raises(NumericalFailure, match="did not converge"):
        transfer_matrix(Nowhere(), [np.linspace(0, 1, 9)])


def test_an_orbit_of_the_logistic_map_has_the_arcsine_density():
    edges = np.linspace(0, 1, 51)
    found = invariant_density(LogisticMap(r=4.0), [0.3], edges=[edges], n_steps=200_000)
    z = (found.density / 50 - arcsine(edges)) / (found.standard_error / 50)
    assert np.mean(np.abs(z) < stats_t(0.9)) == pytest.approx(0.9, abs=0.15)
    assert found.outside == 0.0


def stats_t(level):
    from scipy.special import stdtrit

    return stdtrit(19, 0.5 + level / 2)


def test_an_orbit_of_noise_has_its_law():
    found = invariant_density(
        OrnsteinUhlenbeck(), [0.0], edges=[np.linspace(-1.5, 1.5, 13)], dt=0.5, n_steps=20_000
    )
    exact = np.diff(norm(0, 0.5**0.5).cdf(found.edges[0])) / 0.25
    assert (np.abs(found.density - exact) < 5 * found.standard_error).all()
    assert found.outside == pytest.approx(2 * norm(0, 0.5**0.5).sf(1.5), abs=0.02)


def test_a_lost_orbit_has_no_density():
    found = invariant_density(LogisticMap(r=4.5), [0.3], n_steps=100, throw=False)
    assert found.status is Status.DIVERGED
    assert np.isnan(found.density).all()
    with pytest.raises(NumericalFailure, match="non-finite"):
        invariant_density(LogisticMap(r=4.5), [0.3], n_steps=100)


def test_malformed_questions_are_refused():
    with pytest.raises(InvalidInput, match="expected a sequence of 1"):
        transfer_matrix(LogisticMap(), np.linspace(0, 1, 9))
    with pytest.raises(InvalidInput, match="expected a sequence of 2"):
        transfer_matrix(HenonMap(), [np.linspace(0, 1, 9)])
    with pytest.raises(InvalidInput, match="n_modes = 1 for 8 cells"):
        transfer_matrix(LogisticMap(), [np.linspace(0, 1, 9)], n_modes=1)
    with pytest.raises(InvalidInput, match="expected a list of one or two of"):
        invariant_density(HenonMap(), [0.1, 0.1], components=("z",))
    with pytest.raises(WrongKind, match="depends on time"):
        transfer_matrix(ForcedPendulum(), [np.linspace(-3, 3, 9)] * 2, dt=1.0)
    with pytest.raises(WrongKind, match="ndarray was given"):
        transfer_matrix(np.eye(2), [np.linspace(0, 1, 9)])
    with pytest.raises(WrongKind, match="ndarray was given"):
        invariant_density(np.eye(2), [0.1])
