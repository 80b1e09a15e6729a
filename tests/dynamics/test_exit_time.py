"""Mean exit times on a line and Kramers' rate, against closed forms and simulation."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf, erfcx
from scipy.stats import gamma, norm

from takens.core import InvalidInput, WrongKind
from takens.core.integrators import EulerMaruyama
from takens.core.system import AbstractDiffusion, parameter, static
from takens.dynamics import escape_times, kramers_rate, mean_exit_time, stationary_density
from takens.systems import (
    CoxIngersollRoss,
    GeometricBrownian,
    LogisticMap,
    NoisyDoubleWell,
    OrnsteinUhlenbeck,
)


class Saddle(AbstractDiffusion):
    """Gradient of x^4 / 4 - x^2 / 2 + k (1 + x^2) y^2 / 2 in coordinates turned by `angle`."""

    k: object = parameter(2.0)
    angle: object = parameter(0.0)
    swirl: object = parameter(0.0)
    noise: object = parameter(np.eye(2) * 0.3)
    names: tuple[str, ...] = static(("p", "q"))
    integrator: object = EulerMaruyama(0.01)

    def drift(self, t, x, u=None):
        c, s = jnp.cos(self.angle), jnp.sin(self.angle)
        turn = jnp.array([[c, s], [-s, c]])
        p, q = turn @ x
        slope = jnp.stack([p**3 - p + self.k * p * q**2, self.k * (1 + p**2) * q])
        return -turn.T @ slope + self.swirl * jnp.stack([-x[1], x[0]])

    def diffusion(self, t, x, u=None):
        return self.noise


class Pulsed(AbstractDiffusion):
    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.01)

    def drift(self, t, x, u=None):
        return -x + jnp.cos(t)

    def diffusion(self, t, x, u=None):
        return jnp.ones((1, 1))


def test_free_brownian_motion_in_an_interval():
    free = OrnsteinUhlenbeck(rate=0.0, noise=1.3)
    both = mean_exit_time(free, [0.5], 0.0, 2.0)
    assert both.mean.value == pytest.approx(0.5 * 1.5 / 1.3**2, rel=1e-12)
    assert both.upper_share == pytest.approx(0.25, rel=1e-12)
    low = mean_exit_time(free, [0.5], 0.0, 2.0, reflecting="low")
    assert low.mean.value == pytest.approx((4 - 0.25) / 1.3**2, rel=1e-12)
    high = mean_exit_time(free, [0.5], 0.0, 2.0, reflecting="high")
    assert high.mean.value == pytest.approx(0.5 * 3.5 / 1.3**2, rel=1e-12)
    assert high.upper_share == 0


def test_an_ornstein_uhlenbeck_process_reaches_a_level():
    """sqrt(pi) int_0^a e^{y^2} (1 + erf y) dy for rate and noise one."""
    exact = np.pi**0.5 * quad(lambda y: np.exp(y * y) * (1 + erf(y)), 0, 2.5)[0]
    found = mean_exit_time(OrnsteinUhlenbeck(), [0.0], -np.inf, 2.5)
    assert found.mean.value == pytest.approx(exact, rel=1e-9)
    mirrored = mean_exit_time(OrnsteinUhlenbeck(), [0.0], -2.5, np.inf)
    assert mirrored.mean.value == pytest.approx(exact, rel=1e-9)


def test_square_root_noise_that_dies_at_the_end():
    """T' = 2 F(y) / (b^2 p) with the stationary gamma law, an independent double integral."""
    system = CoxIngersollRoss()
    law = gamma(8.0, scale=1 / 8.0)
    exact = quad(lambda y: 2 * law.cdf(y) / (0.25 * y * law.pdf(y)), 1.0, 2.0)[0]
    found = mean_exit_time(system, [1.0], 0.0, 2.0, reflecting="low")
    assert found.mean.value == pytest.approx(exact, rel=1e-8)


def test_simulation_agrees_with_quadrature():
    system = NoisyDoubleWell(noise=0.7)
    exact = mean_exit_time(system, [1.0], 0.0, np.inf).mean.value
    found = escape_times(system, np.ones((1000, 1)), [[0.0, np.inf]], max_time=60.0, dt=0.02)
    assert found.mean.value == pytest.approx(exact, abs=3 * found.mean.standard_error)


def test_kramers_formula_is_the_limit_of_weak_noise():
    """The relative excess falls in proportion to the noise level."""
    excess = []
    for noise in (0.2, 0.1):
        found = kramers_rate(NoisyDoubleWell(noise=noise), [0.9], [0.1])
        closed = np.exp(-0.5 / noise**2) / (2**0.5 * np.pi)
        assert found.rate == pytest.approx(closed, rel=1e-7)
        excess.append((found.rate / found.exact.value - 1) / found.noise_level)
    assert excess[0] == pytest.approx(excess[1], rel=0.3)
    assert 1 < excess[1] < 2
    assert not found.cautions


@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_curvatures_across_the_path_count(angle):
    """Hessians diag(2, 2 k) and diag(-1, k): prefactor 2 / (2 pi), in any coordinates."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    found = kramers_rate(Saddle(angle=angle), turn.T @ [0.95, 0.02], turn.T @ [0.05, 0.0])
    assert found.barrier == pytest.approx(0.25, rel=1e-7)
    assert found.rate == pytest.approx(np.exp(-0.25 / 0.045) / np.pi, rel=1e-6)
    assert np.isnan(found.exact.value)


def test_a_barrier_beyond_floats_has_a_logarithm():
    """log T over 0.5 / noise^2 tends to one, and the ratio of rates is near one at any height."""
    system = NoisyDoubleWell(noise=0.02)
    found = mean_exit_time(system, [1.0], 0.0, np.inf)
    assert np.isinf(found.mean.value)
    rate = kramers_rate(system, [1.0], [0.0])
    assert rate.rate == 0.0
    assert rate.log_rate + found.log_mean == pytest.approx(-np.log(2), abs=1e-3)


def test_a_low_barrier_is_questioned():
    found = kramers_rate(NoisyDoubleWell(noise=1.0), [1.0], [0.0])
    assert [f.code for f in found.cautions] == ["barrier-too-low"]


def test_wrong_questions_are_refused():
    with pytest.raises(WrongKind, match="no gradient"):
        kramers_rate(Saddle(swirl=0.05), [0.95, 0.02], [0.0, 0.0])
    with pytest.raises(WrongKind, match="differs between states or directions"):
        kramers_rate(Saddle(noise=np.diag([0.3, 0.2])), [0.95, 0.02], [0.0, 0.0])
    with pytest.raises(InvalidInput, match="single positive rate"):
        kramers_rate(NoisyDoubleWell(), [0.0], [1.0])
    with pytest.raises(WrongKind, match="is deterministic"):
        mean_exit_time(LogisticMap(), [0.3], 0.0, 1.0)
    with pytest.raises(WrongKind, match="has 2 components"):
        mean_exit_time(Saddle(), [0.3, 0.0], 0.0, 1.0)
    with pytest.raises(WrongKind, match="depends on time"):
        mean_exit_time(Pulsed(), [0.3], 0.0, 1.0)
    with pytest.raises(InvalidInput, match="a start between the ends"):
        mean_exit_time(OrnsteinUhlenbeck(), [3.0], 0.0, 1.0)
    with pytest.raises(InvalidInput, match="at least one finite end"):
        mean_exit_time(OrnsteinUhlenbeck(), [3.0], -np.inf, np.inf)
    with pytest.raises(InvalidInput, match="reflecting = 'left'"):
        mean_exit_time(OrnsteinUhlenbeck(), [0.5], 0.0, 1.0, reflecting="left")
    with pytest.raises(InvalidInput, match="near the lower end"):
        mean_exit_time(OrnsteinUhlenbeck(rate=0.0), [0.5], -np.inf, 1.0)
    with pytest.raises(InvalidInput, match="vanishes at"):
        mean_exit_time(GeometricBrownian(), [0.5], -1.0, 1.0)


class Tilted(AbstractDiffusion):
    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.01)

    def drift(self, t, x, u=None):
        return x - x**3 - 0.2

    def diffusion(self, t, x, u=None):
        return 0.3 * jnp.ones((1, 1))


class Steps(AbstractDiffusion):
    """Equilibria at -2 to 2, stable at the even ones, in any unit; pushed slowly by `push`."""

    unit: object = parameter(1.0)
    push: object = parameter(0.0)
    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.01)

    def drift(self, t, x, u=None):
        z = x / self.unit
        force = -0.3 * z * (z**2 - 1) * (z**2 - 4) + self.push * jnp.sin(1e-9 * t)
        return self.unit * force

    def diffusion(self, t, x, u=None):
        return 0.4 * self.unit * jnp.ones((1, 1))


def test_a_saddle_behind_another_well_is_refused():
    near = kramers_rate(Steps(), [-2.0], [-1.0])
    assert near.exact.value == pytest.approx(near.rate, rel=0.1)
    for minimum, saddle in ((-2.0, 1.0), (2.0, -1.0)):
        with pytest.raises(InvalidInput, match="another equilibrium lies there"):
            kramers_rate(Steps(), [minimum], [saddle])


def test_a_barrier_that_moves_or_no_noise_is_refused():
    for question in (
        lambda: kramers_rate(Steps(push=0.1), [-2.0], [-1.0]),
        lambda: mean_exit_time(Steps(push=0.1), [0.0], -1.0, 1.0),
    ):
        with pytest.raises(WrongKind, match="depends on time"):
            question()
    with pytest.raises(InvalidInput, match="without noise nothing escapes"):
        kramers_rate(NoisyDoubleWell(noise=0.0), [1.0], [0.0])


@pytest.mark.parametrize("unit", [1e-20, 1e-9, 1e9])
def test_a_rate_does_not_depend_on_the_unit(unit):
    one, other = (kramers_rate(Steps(unit=k), [-2.0 * k], [-1.0 * k]) for k in (1.0, unit))
    assert other.rate == pytest.approx(one.rate, rel=1e-6)
    assert other.exact.value == pytest.approx(one.exact.value, rel=1e-9)
    small = OrnsteinUhlenbeck(rate=2.0, noise=0.5 * unit)
    grid = unit * np.linspace(-1, 1, 21)
    law = norm(scale=unit / 4).pdf(grid)
    np.testing.assert_allclose(stationary_density(small, grid).density, law, rtol=1e-10)


def test_two_wells_of_unequal_depth_with_either_escape():
    """Kramers' formula from the curvatures and depths, written out for each side."""
    system, noise = Tilted(), 0.3
    left, top, right = np.sort(np.roots([1.0, 0.0, -1.0, 0.2]).real)
    for well in (left, right):
        depth = (top**4 - well**4) / 4 - (top**2 - well**2) / 2 + 0.2 * (top - well)
        curved = np.sqrt((3 * well**2 - 1) * (1 - 3 * top**2))
        found = kramers_rate(system, [well], [top])
        assert found.barrier == pytest.approx(depth, rel=1e-6)
        assert found.rate == pytest.approx(curved / (2 * np.pi) * np.exp(-2 * depth / noise**2))


def test_an_end_that_is_hardly_ever_reached_changes_nothing():
    process = OrnsteinUhlenbeck()
    free = mean_exit_time(process, [0.5], -np.inf, 2.0).mean.value
    for far in (6.0, 8.0, 12.0, 30.0):
        below = mean_exit_time(process, [0.5], -far, 2.0)
        above = mean_exit_time(process, [-0.5], -2.0, far)
        assert below.mean.value == pytest.approx(free, rel=1e-11)
        assert above.mean.value == pytest.approx(free, rel=1e-11)
        assert below.upper_share == pytest.approx(1.0)
        assert above.upper_share == pytest.approx(0.0, abs=1e-12)


def test_a_start_far_in_the_tail():
    # Coming down from there takes the integral of sqrt(pi) erfcx longer.
    process = OrnsteinUhlenbeck()
    start = mean_exit_time(process, [0.0], -2.0, np.inf).mean.value
    for x in (4.0, 6.0, 8.0):
        way, _ = quad(lambda y: np.sqrt(np.pi) * erfcx(y), 0, x, epsrel=1e-12)
        found = mean_exit_time(process, [x], -2.0, np.inf).mean.value
        assert found == pytest.approx(start + way, rel=1e-10)
