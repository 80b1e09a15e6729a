"""Stochastic Runge-Kutta methods: their orders on paths that are known, and what they refuse."""

from __future__ import annotations

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import WrongKind
from takens.core.integrators import AbstractStochasticIntegrator, EulerMaruyama
from takens.core.system import AbstractDiffusion, parameter
from takens.dynamics import trajectories, trajectory
from takens.systems import (
    AdditiveRungeKutta,
    CommutativeRungeKutta,
    GeometricBrownian,
    Lorenz63,
    NoisyDoubleWell,
    OrnsteinUhlenbeck,
)
from takens.systems.stochastic import increments, solved, stratonovich_drift

N_PATHS = 2000
GEOMETRIC = GeometricBrownian(growth=0.5, noise=1.0)


def halved(noise):
    """The increments and areas of the same path over steps twice as long."""
    w, h = (a.reshape(-1, 2, a.shape[1]) for a in noise)
    return w.sum(axis=1), h.mean(axis=1) + (w[:, 0] - w[:, 1]) / 4


def order(n_steps, error):
    return -np.polyfit(np.log(n_steps), np.log(error), 1)[0]


class Lognormal(AbstractDiffusion):
    """The exponential of an Ornstein-Uhlenbeck process of rate 2 and noise 1."""

    integrator: AbstractStochasticIntegrator = CommutativeRungeKutta(0.1)
    names: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def drift(self, t, x, u=None):
        return x * (0.5 - 2 * jnp.log(x))

    def diffusion(self, t, x, u=None):
        return x[:, None]


@eqx.filter_jit
def _errors(keys, end_of, function):
    """Distance from the exact end, a function of an Ornstein-Uhlenbeck path; 64, 32, 16, 8 steps."""
    n = 1024

    def one(key):
        noise = increments(key, 1 / n, n, 1)
        w, area = noise[0][:, 0], noise[1][:, 0]
        # Y = e^-2 Y0 + W - 2 int e^{-2 (1 - s)} W ds, with the integral of W over a piece exact
        inner = (jnp.cumsum(w) - w / 2 + area) / n
        decay = jnp.exp(-2 * (1 - (jnp.arange(n) + 0.5) / n))
        exact = function(jnp.exp(-2.0) + w.sum() - 2 * jnp.sum(decay * inner))
        ends = []
        while len(noise[0]) > 8:
            noise = halved(noise)
            if len(noise[0]) <= 64:
                ends.append(jnp.abs(end_of(noise)[0] - exact))
        return jnp.stack(ends)

    return jax.vmap(one)(keys).mean(axis=0)


def _spring(noise):
    spring = OrnsteinUhlenbeck(rate=2.0)
    return solved(diffrax.ShARK(), spring.drift, spring, 0.0, 1.0, jnp.ones(1), None, noise)


def _lognormal(noise):
    system, start = Lognormal(), jnp.exp(jnp.ones(1))
    drift = stratonovich_drift(system)
    return solved(diffrax.SlowRK(), drift, system, 0.0, 1.0, start, None, noise)


def test_strong_order_where_the_drift_bends():
    """Against 1,024 steps along the same path: the order is no more than promised."""
    system = NoisyDoubleWell(noise=1.0)

    def errors(key):
        noise = increments(key, 1 / 1024, 1024, 1)
        ends = []
        while len(noise[0]) > 16:
            if len(noise[0]) in (1024, 128, 64, 32):
                ends.append(solved(
                    diffrax.ShARK(), system.drift, system, 0.0, 1.0, jnp.ones(1), None, noise
                )[0])  # fmt: skip
            noise = halved(noise)
        return jnp.abs(jnp.stack(ends[1:]) - ends[0])

    error = jax.jit(jax.vmap(errors))(jax.random.split(jax.random.key(6), N_PATHS)).mean(axis=0)
    assert order([128, 64, 32], error) == pytest.approx(1.5, abs=0.15)


@pytest.mark.parametrize(
    ("end_of", "function"), [(_spring, lambda y: y), (_lognormal, jnp.exp)], ids=["additive", "ito"]
)
def test_strong_order(end_of, function):
    error = np.asarray(_errors(jax.random.split(jax.random.key(1), N_PATHS), end_of, function))
    assert order([64, 32, 16, 8], error) > 1.5  # 2 for a linear drift


def test_the_noise_of_an_additive_method_may_depend_on_time():
    class Growing(AbstractDiffusion):  # Kloeden and Platen (1992), eq. 4.4.4 and 4.4.6
        integrator: AbstractStochasticIntegrator = AdditiveRungeKutta(1.0)
        names: tuple[str, ...] = eqx.field(static=True, default=("x",))

        def drift(self, t, x, u=None):
            return 2 / (1 + t) * x + (1 + t) ** 2

        def diffusion(self, t, x, u=None):
            return (1 + t) ** 2 * jnp.ones((1, 1))

    def error(n):
        def one(key):
            end = Growing().integrator.advance(Growing(), 0.0, 1.0, jnp.ones(1), None, key, n)
            return jnp.abs(end - 4 * (2 + increments(key, 1 / n, n, 1)[0].sum()))

        return float(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(2), N_PATHS)).mean())

    assert order([8, 64], [error(8), error(64)]) > 1.35


def test_geometric_brownian_motion_is_solved_in_the_sense_of_ito():
    """Here noise and drift commute, and the order is 2."""

    def error(n):
        def one(key):
            method = CommutativeRungeKutta(1.0)
            end = method.advance(GEOMETRIC, 0.0, 1.0, jnp.ones(1), None, key, n)
            noise = increments(key, 1 / n, n, 1)[0].sum()
            return jnp.abs(end - jnp.exp(noise))  # growth = noise^2 / 2

        return float(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(3), N_PATHS)).mean())

    coarse, fine = error(16), error(128)
    assert fine < 3e-5
    assert order([16, 128], [coarse, fine]) > 1.5


def test_two_noises_on_two_components():
    class Pair(AbstractDiffusion):
        noise: object = parameter([0.6, 0.3])
        integrator: AbstractStochasticIntegrator = CommutativeRungeKutta(0.05)
        names: tuple[str, ...] = eqx.field(static=True, default=("x", "y"))

        def drift(self, t, x, u=None):
            return 0.0 * x

        def diffusion(self, t, x, u=None):
            return jnp.diag(self.noise * x)

    found = trajectories(Pair(), np.ones((500, 2)), [0.0, 1.0], seed=4).states[:, -1]
    logs = np.log(found)  # normal with mean -noise^2/2, where Ito's sense is kept
    s = np.array([0.6, 0.3])
    error = s / np.sqrt(500)
    assert (np.abs(logs.mean(axis=0) + s**2 / 2) < 3.5 * error).all()
    np.testing.assert_allclose(logs.std(axis=0), s, rtol=0.12)
    assert abs(np.corrcoef(logs.T)[0, 1]) < 0.15


@pytest.mark.parametrize(
    ("system", "method"),
    [(OrnsteinUhlenbeck(), AdditiveRungeKutta(0.1)), (GEOMETRIC, CommutativeRungeKutta(0.1))],
)
def test_paths_are_those_of_their_seed(system, method):
    times = np.arange(0.0, 1.3, 0.3)
    one, again, other = (
        trajectory(system, [1.0], times, integrator=method, seed=seed).states for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.isfinite(one).all()
    assert np.abs(one[1:] - other[1:]).min() > 1e-6
    many = trajectories(system, np.ones((3, 1)), times, integrator=method).states
    assert len(np.unique(many[:, -1, 0])) == 3


def test_wrong_noise_and_wrong_systems_are_refused():
    with pytest.raises(WrongKind, match=r"noise of GeometricBrownian .* `Commutative"):
        trajectory(GEOMETRIC, [1.0], [0.0, 1.0], integrator=AdditiveRungeKutta(0.1))
    with pytest.raises(WrongKind, match="AdditiveRungeKutta cannot carry Lorenz63"):
        trajectory(Lorenz63(), [1.0, 1.0, 1.0], [0.0, 1.0], integrator=AdditiveRungeKutta(0.1))


class Runaway(AbstractDiffusion):
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.1)
    names: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def drift(self, t, x, u=None):
        return x**3

    def diffusion(self, t, x, u=None):
        return jnp.ones((1, 1))


@pytest.mark.parametrize("method", [AdditiveRungeKutta(0.1), CommutativeRungeKutta(0.1)])
def test_a_blow_up_is_nan(method):
    path = trajectory(Runaway(), [5.0], np.arange(4.0), integrator=method, throw=False)
    assert np.isnan(path.states[1:]).all()
