"""Diffusions: are the closed forms those of the equations?"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import systems

ONE_DIMENSIONAL = [
    (systems.OrnsteinUhlenbeck(rate=1.5, level=0.4, noise=0.7), -4.0, 5.0),
    (systems.CoxIngersollRoss(rate=1.2, level=0.8, noise=0.6), 1e-9, 8.0),
    (systems.NoisyDoubleWell(a=1.3, b=0.8, noise=0.6), -4.0, 4.0),
]


@pytest.mark.parametrize(("system", "low", "high"), ONE_DIMENSIONAL)
def test_stationary_density_is_one_and_carries_no_flux(system, low, high):
    # Stationary in one dimension: the flux f p - (b^2 p)' / 2 vanishes everywhere.
    grid = jnp.linspace(low, high, 20_001)
    density = system.stationary_density(grid)
    assert abs(np.trapezoid(density, grid) - 1) < 1e-7

    def spread(x):
        noise = system.diffusion(0.0, jnp.array([x]))[0, 0]
        return noise**2 * system.stationary_density(x) / 2

    for x in (0.3, 0.9, 1.4):
        drift = system.drift(0.0, jnp.array([x]))[0]
        flux = drift * system.stationary_density(x) - jax.grad(spread)(x)
        assert abs(float(flux)) < 1e-10


def test_density_of_the_noisy_hopf_normal_form_solves_its_fokker_planck_equation():
    system = systems.StochasticHopf(mu=0.4, omega=2.0, shear=0.7, noise=0.5)
    side = jnp.linspace(-3, 3, 301)
    plane = jnp.stack(jnp.meshgrid(side, side), axis=-1)
    assert abs(float(jnp.sum(system.stationary_density(plane)) * 0.02**2) - 1) < 1e-10

    def current(x):  # f p - D grad p
        slope = jax.grad(system.stationary_density)(x)
        return system.drift(0.0, x) * system.stationary_density(x) - 0.5**2 / 2 * slope

    for x in ([0.3, -0.2], [0.6, 0.5]):
        divergence = np.trace(jax.jacfwd(current)(jnp.array(x)))
        assert abs(divergence) < 1e-12


def test_moments_become_those_of_the_stationary_density():
    grid = np.linspace(1e-9, 12.0, 40_001)
    rate = systems.CoxIngersollRoss(rate=1.2, level=0.8, noise=0.6)
    density = np.asarray(rate.stationary_density(jnp.array(grid)))
    mean = np.trapezoid(grid * density, grid)
    assert abs(mean - float(rate.mean(50.0, 3.0))) < 1e-7
    variance = np.trapezoid((grid - mean) ** 2 * density, grid)
    assert abs(variance - float(rate.variance(50.0, 3.0))) < 1e-7
    spring = systems.OrnsteinUhlenbeck(rate=2.0, noise=0.5)
    assert abs(float(spring.variance(50.0) - spring.autocovariance(0.0))) < 1e-12


@eqx.filter_jit
def ends(system, x0, span, keys, n_steps):
    def one(key):
        return system.integrator.advance(system, 0.0, span, x0, None, key, n_steps)

    return jax.vmap(one)(keys)


@pytest.mark.parametrize(
    "system",
    [
        systems.OrnsteinUhlenbeck(rate=1.5, level=0.4, noise=0.7),
        systems.CoxIngersollRoss(rate=1.2, level=0.8, noise=0.4),
        systems.GeometricBrownian(growth=0.3, noise=0.4),
    ],
)
def test_paths_have_the_mean_and_variance_that_are_stated(system):
    n = 20_000
    x = ends(system, jnp.array([1.0]), 0.5, jax.random.split(jax.random.key(5), n), 200)[:, 0]
    x0 = () if isinstance(system, systems.OrnsteinUhlenbeck) else (1.0,)
    variance = system.variance(0.5, *x0)
    # Bias of the integrator at this step is a tenth of the sampling error or less.
    assert abs(x.mean() - system.mean(0.5, 1.0)) < 3.5 * jnp.sqrt(variance / n)
    fourth = jnp.mean((x - x.mean()) ** 4)
    assert abs(x.var() - variance) < 3.5 * jnp.sqrt((fourth - variance**2) / n)


def test_geometric_brownian_density_has_its_moments():
    system = systems.GeometricBrownian(growth=0.3, noise=0.4)
    grid = np.linspace(1e-6, 120.0, 400_001)
    density = np.asarray(system.transition_density(1.5, 2.0, jnp.array(grid)))
    assert abs(np.trapezoid(density, grid) - 1) < 1e-8
    assert abs(np.trapezoid(grid * density, grid) - float(system.mean(1.5, 2.0))) < 1e-6


def test_interest_rate_has_no_noise_below_zero():
    system = systems.CoxIngersollRoss()
    assert system.diffusion(0.0, jnp.array([-0.1])) == 0.0
    assert system.drift(0.0, jnp.array([-0.1])) > 0
    assert np.isfinite(jax.jacfwd(lambda x: system.diffusion(0.0, x))(jnp.array([0.0]))).all()
    assert np.isnan(system.diffusion(0.0, jnp.array([jnp.nan]))).all()


def test_kramers_rate_follows_the_barrier():
    # Kramers (1940): sqrt(V''(well) |V''(barrier)|) / (2 pi) exp(-2 height / noise^2).
    system = systems.NoisyDoubleWell(a=1.3, b=0.8, noise=0.4)
    well = (1.3 / 0.8) ** 0.5
    bend = jax.grad(jax.grad(system.potential))
    height = system.potential(0.0) - system.potential(well)
    rate = jnp.sqrt(bend(well) * -bend(0.0)) / (2 * jnp.pi) * jnp.exp(-2 * height / 0.4**2)
    assert abs(float(system.kramers_rate() / rate) - 1) < 1e-12


def test_excitable_cell_is_quiet_without_noise_and_fires_with_it():
    loud, quiet = systems.NoisyFitzHughNagumo(), systems.NoisyFitzHughNagumo(noise=0.0)
    peaks = []
    for system in (loud, quiet):
        x, highest = jnp.array(system.x0), -9.0
        for k in range(100):
            x = ends(system, x, 2.0, jax.random.split(jax.random.key(k), 1), 100)[0]
            highest = max(highest, float(x[0]))
        peaks.append(highest)
    assert peaks[0] > 1.0
    assert peaks[1] < -0.5
