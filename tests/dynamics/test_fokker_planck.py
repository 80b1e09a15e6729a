"""Stationary laws, Fokker-Planck spectra and evolving densities against closed forms."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import gamma, ks_1samp, norm, t

from takens.core import InvalidInput, WrongKind
from takens.core.integrators import EulerMaruyama
from takens.core.system import AbstractDiffusion, parameter, static
from takens.dynamics import (
    evolve_density,
    fokker_planck_spectrum,
    kramers_rate,
    mean_exit_time,
    stationary_density,
)
from takens.systems import (
    CoxIngersollRoss,
    GeometricBrownian,
    HenonMap,
    LogisticMap,
    NoisyDoubleWell,
    OrnsteinUhlenbeck,
)

GRID = np.linspace(-2.0, 2.0, 81)


class Student(AbstractDiffusion):
    """Noise that grows with the state: Student's t with 1 + 2 theta degrees of freedom."""

    theta: object = parameter(1.0)
    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.01)

    def drift(self, t, x, u=None):
        return -self.theta * x

    def diffusion(self, t, x, u=None):
        return jnp.sqrt(1 + x**2)[:, None]


class Jacobi(AbstractDiffusion):
    """Noise that dies at both ends of the unit interval: a beta law."""

    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.001)

    def drift(self, t, x, u=None):
        return 1.5 * (0.4 - x)

    def diffusion(self, t, x, u=None):
        return jnp.sqrt(x * (1 - x))[:, None]


def test_gaussian_of_an_ornstein_uhlenbeck_process():
    found = stationary_density(OrnsteinUhlenbeck(rate=2.0, level=0.3, noise=0.8), GRID)
    law = norm(0.3, 0.4)
    np.testing.assert_allclose(found.density, law.pdf(GRID), atol=1e-12)
    np.testing.assert_allclose(found.cumulative, law.cdf(GRID), atol=1e-12)
    assert found.mean.value == pytest.approx(0.3, abs=1e-12)
    assert found.variance.value == pytest.approx(0.16, abs=1e-12)
    assert found.error < 1e-10


def test_boltzmann_in_a_double_well():
    noise = 0.4
    found = stationary_density(NoisyDoubleWell(noise=noise), GRID)
    shape = np.exp(-2 * (GRID**4 / 4 - GRID**2 / 2) / noise**2)
    np.testing.assert_allclose(found.density / found.density[40], shape / shape[40], rtol=1e-10)
    np.testing.assert_allclose(found.modes, [-1.0, 1.0], atol=1e-12)
    assert found.cumulative[40] == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("noise", [0.5, 1.6])  # on both sides of Feller's condition
def test_gamma_law_of_a_square_root_process(noise):
    law = gamma(2 / noise**2, scale=noise**2 / 2)
    grid = np.linspace(0.01, 4, 60)
    found = stationary_density(CoxIngersollRoss(noise=noise), grid, support=(0.0, np.inf))
    np.testing.assert_allclose(found.density, law.pdf(grid), rtol=1e-9)
    np.testing.assert_allclose(found.cumulative, law.cdf(grid), atol=1e-10)
    assert found.variance.value == pytest.approx(law.var(), rel=1e-9)


def test_a_heavy_tail_has_no_false_variance():
    grid = np.linspace(-5, 5, 41)
    found = stationary_density(Student(theta=1.0), grid)
    np.testing.assert_allclose(found.density, t(3, scale=3**-0.5).pdf(grid), rtol=1e-8)
    assert found.variance.value == pytest.approx(1.0, rel=1e-5)
    assert np.isnan(stationary_density(Student(theta=0.25), grid).variance.value)


def test_noise_that_dies_at_both_ends():
    from scipy.stats import beta

    grid = np.linspace(0.02, 0.98, 25)
    found = stationary_density(Jacobi(), grid, support=(0.0, 1.0))
    np.testing.assert_allclose(found.density, beta(1.2, 1.8).pdf(grid), rtol=1e-9)


def test_reflecting_ends_cut_the_law():
    found = stationary_density(GeometricBrownian(), np.linspace(0.5, 2, 21), support=(0.5, 2.0))
    exponent = 2 * 0.05 / 0.04 - 2
    weight = (2.0 ** (exponent + 1) - 0.5 ** (exponent + 1)) / (exponent + 1)
    np.testing.assert_allclose(found.density, np.linspace(0.5, 2, 21) ** exponent / weight)


def test_simulated_paths_follow_the_law():
    """The one thing that no formula shared with the code can prove."""
    import equinox as eqx
    import jax

    system = NoisyDoubleWell(noise=1.0)

    @eqx.filter_jit
    def march(system, x, keys):
        return jax.vmap(
            lambda s, k: system.integrator.advance(system, 0.0, 10.0, s, None, k, 1000)
        )(x, keys)

    ends = march(system, np.zeros((1000, 1)), jax.random.split(jax.random.key(0), 1000))
    law = stationary_density(system, np.linspace(-3, 3, 601))
    found = ks_1samp(np.asarray(ends)[:, 0], lambda x: np.interp(x, law.grid, law.cumulative))
    assert found.pvalue > 0.01


def test_no_law_is_refused():
    with pytest.raises(InvalidInput, match="no stationary law exists"):
        stationary_density(GeometricBrownian(), np.linspace(0.5, 2, 21), support=(0.0, np.inf))
    with pytest.raises(InvalidInput, match="no stationary law exists"):
        stationary_density(OrnsteinUhlenbeck(rate=-1.0), GRID)
    with pytest.raises(InvalidInput, match="no stationary law exists"):
        stationary_density(OrnsteinUhlenbeck(rate=0.0), GRID)
    with pytest.raises(InvalidInput, match="vanishes at"):
        stationary_density(GeometricBrownian(), GRID)


def test_rates_of_an_ornstein_uhlenbeck_process():
    found = fokker_planck_spectrum(OrnsteinUhlenbeck(rate=0.7), np.linspace(-6, 6, 301), n_modes=5)
    np.testing.assert_allclose(found.eigenvalues, -0.7 * np.arange(5), atol=1e-4)
    assert (np.abs(found.eigenvalues + 0.7 * np.arange(5)) < found.error + 1e-10).all()
    assert found.relaxation_time == pytest.approx(1 / 0.7, rel=1e-6)
    law = norm(0, (1 / 1.4) ** 0.5).pdf(found.centres)
    np.testing.assert_allclose(found.modes[0], law, atol=1e-3)


def test_the_error_falls_with_the_square_of_the_cell():
    ratios = []
    for n in (51, 101):
        found = fokker_planck_spectrum(OrnsteinUhlenbeck(), np.linspace(-5, 5, n), n_modes=4)
        ratios.append(found.error[1:])
    np.testing.assert_allclose(np.log2(ratios[0] / ratios[1]), 2.0, atol=0.1)


def test_absorbing_ends_give_the_rates_of_exit():
    free = OrnsteinUhlenbeck(rate=0.0, noise=1.0)
    ends = ("absorbing", "absorbing")
    found = fokker_planck_spectrum(free, np.linspace(0, 2, 101), n_modes=3, ends=ends)
    np.testing.assert_allclose(found.eigenvalues, -(np.pi**2) / 8 * np.array([1, 4, 9]), rtol=1e-6)


def test_a_rate_below_round_off_is_not_given():
    found = fokker_planck_spectrum(NoisyDoubleWell(noise=0.05), np.linspace(-2, 2, 401), n_modes=3)
    assert np.isnan(found.relaxation_time)  # exp(-200), which no eigenvalue can show
    assert found.eigenvalues[0] == 0.0
    assert abs(found.eigenvalues[1]) <= 2 * found.error[1]


def test_three_ways_to_one_rate():
    """Spectral gap, mean exit time and Kramers meet for a high barrier: gap = two rates of hops."""
    system = NoisyDoubleWell(noise=0.25)
    gap = -fokker_planck_spectrum(system, np.linspace(-2, 2, 401)).eigenvalues[1]
    time = mean_exit_time(system, [-1.0], -np.inf, 1.0).mean.value
    assert gap == pytest.approx(2 / time, rel=2e-3)
    assert gap == pytest.approx(2 * kramers_rate(system, [1.0], [0.0]).exact.value, rel=2e-2)


def test_a_density_spreads_as_the_closed_form_says():
    grid = np.linspace(-5, 5, 401)
    centres = 0.5 * (grid[1:] + grid[:-1])
    found = evolve_density(
        OrnsteinUhlenbeck(), grid, norm(1, 0.3).pdf(centres), [0.0, 0.5, 2.0, 30.0]
    )
    for i, when in enumerate(found.times):
        spread = (0.09 * np.exp(-2 * when) + 0.5 * (1 - np.exp(-2 * when))) ** 0.5
        exact = norm(np.exp(-when), spread).pdf(centres)
        difference = np.abs(found.density[i] - exact).sum() * (grid[1] - grid[0])
        assert difference <= found.error[i] + 1e-6
    np.testing.assert_allclose(found.mass, 1.0, atol=1e-10)
    assert found.density.min() > -1e-12


def test_absorbed_mass_is_gone():
    free = OrnsteinUhlenbeck(rate=0.0, noise=1.0)
    grid = np.linspace(0, 2, 201)
    start = np.sin(np.pi * (grid[1:] + grid[:-1]) / 4)
    found = evolve_density(free, grid, start, [1.0, 2.0], ends=("absorbing", "absorbing"))
    np.testing.assert_allclose(found.mass, np.exp(-(np.pi**2) / 8 * found.times), rtol=1e-4)


def test_malformed_questions_are_refused():
    with pytest.raises(WrongKind, match="is deterministic"):
        stationary_density(LogisticMap(), GRID)
    with pytest.raises(WrongKind, match="is deterministic"):
        fokker_planck_spectrum(HenonMap(), GRID)
    with pytest.raises(InvalidInput, match="three or more increasing"):
        stationary_density(OrnsteinUhlenbeck(), GRID[::-1])
    with pytest.raises(InvalidInput, match="ends = "):
        fokker_planck_spectrum(OrnsteinUhlenbeck(), GRID, ends=("open", "reflecting"))
    with pytest.raises(InvalidInput, match="Ask for fewer"):
        fokker_planck_spectrum(OrnsteinUhlenbeck(), GRID, n_modes=80)
    with pytest.raises(InvalidInput, match=r"expected \(80,\)"):
        evolve_density(OrnsteinUhlenbeck(), GRID, np.ones(81), [1.0])
    with pytest.raises(InvalidInput, match="zero everywhere"):
        evolve_density(OrnsteinUhlenbeck(), GRID, np.zeros(80), [1.0])
    with pytest.raises(InvalidInput, match="increasing numbers from zero"):
        evolve_density(OrnsteinUhlenbeck(), GRID, np.ones(80), [-1.0])
    with pytest.raises(InvalidInput, match="missing somewhere on the grid"):
        fokker_planck_spectrum(CoxIngersollRoss(), np.linspace(-1, 1, 21))
