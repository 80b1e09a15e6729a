"""Diffusions: flows with noise, in the sense of Ito."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jax.scipy.special import gammaln, ndtr
from jaxtyping import Array

from takens.core.integrators import AbstractStochasticIntegrator, EulerMaruyama, Milstein
from takens.core.system import AbstractDiffusion, parameter
from takens.systems.known import AbstractKnown, pushed


class OrnsteinUhlenbeck(AbstractDiffusion, AbstractKnown):
    r"""Ornstein's and Uhlenbeck's process: a spring in noise, the stationary Gaussian Markov process.

    .. math:: dX = \theta (\mu - X) \, dt + \sigma \, dW

    Parameters
    ----------
    rate : float
        :math:`\theta`, per time unit.
    level : float
        :math:`\mu`, the mean it returns to.
    noise : float
        :math:`\sigma`, in state units per square root of time.
    integrator : AbstractStochasticIntegrator

    References
    ----------
    Uhlenbeck and Ornstein, Phys. Rev. 36, 823 (1930).
    """

    rate: Array = parameter(1.0)
    level: Array = parameter(0.0)
    noise: Array = parameter(1.0)
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.01)

    names: ClassVar[tuple[str, ...]] = ("x",)
    x0: ClassVar[tuple[float, ...]] = (0.0,)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("uhlenbeck1930theory",)

    def drift(self, t: Any, x: Any, u: Any = None) -> Any:
        """Back to the level."""
        return self.rate * (self.level - x)

    def diffusion(self, t: Any, x: Any, u: Any = None) -> Any:
        """The same everywhere."""
        return self.noise * jnp.ones((1, 1))

    def mean(self, t: Any, x0: Any) -> Any:
        """Expected value at time `t` after a start at `x0`."""
        return self.level + (x0 - self.level) * jnp.exp(-self.rate * t)

    def variance(self, t: Any) -> Any:
        """At time `t` after a start at one value."""
        return self.noise**2 / (2 * self.rate) * -jnp.expm1(-2 * self.rate * t)

    def autocovariance(self, lag: Any) -> Any:
        """Of the stationary process."""
        return self.noise**2 / (2 * self.rate) * jnp.exp(-self.rate * jnp.abs(lag))

    def stationary_density(self, x: Any) -> Any:
        """Gaussian around the level, per state unit."""
        variance = self.noise**2 / (2 * self.rate)
        return jnp.exp(-((x - self.level) ** 2) / (2 * variance)) / jnp.sqrt(2 * jnp.pi * variance)


class CoxIngersollRoss(AbstractDiffusion, AbstractKnown):
    r"""Cox, Ingersoll and Ross's interest rate: noise that grows with the square root of the state.

    .. math:: dX = \kappa (\theta - X) \, dt + \sigma \sqrt X \, dW

    Zero is never reached where :math:`2 \kappa \theta \geq \sigma^2`.

    Parameters
    ----------
    rate : float
        :math:`\kappa`, per time unit.
    level : float
        :math:`\theta`, the mean it returns to.
    noise : float
        :math:`\sigma`.
    integrator : AbstractStochasticIntegrator

    Notes
    -----
    A step that ends below zero has no noise from there on until the drift has brought it back
    (full truncation), which biases the law near zero by an amount that falls with the step.

    References
    ----------
    Cox, Ingersoll and Ross, Econometrica 53, 385 (1985), eq. 17-20.
    """

    rate: Array = parameter(1.0)
    level: Array = parameter(1.0)
    noise: Array = parameter(0.5)
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.01)

    names: ClassVar[tuple[str, ...]] = ("x",)
    x0: ClassVar[tuple[float, ...]] = (1.0,)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("cox1985theory",)

    def drift(self, t: Any, x: Any, u: Any = None) -> Any:
        """Back to the level."""
        return self.rate * (self.level - x)

    def diffusion(self, t: Any, x: Any, u: Any = None) -> Any:
        """The square root, and zero below zero; NaN stays NaN."""
        above = jnp.where(x <= 0, 0.0, jnp.sqrt(jnp.where(x <= 0, 1.0, x)))
        return self.noise * above[:, None]

    def mean(self, t: Any, x0: Any) -> Any:
        """Expected value at time `t` after a start at `x0`."""
        return self.level + (x0 - self.level) * jnp.exp(-self.rate * t)

    def variance(self, t: Any, x0: Any) -> Any:
        """At time `t` after a start at `x0`; Cox et al. (1985), eq. 19."""
        decay = jnp.exp(-self.rate * t)
        scale = self.noise**2 / self.rate
        return scale * (x0 * decay * (1 - decay) + self.level / 2 * (1 - decay) ** 2)

    def stationary_density(self, x: Any) -> Any:
        """A gamma density, per state unit; zero below zero. Cox et al. (1985), eq. 20."""
        rate = 2 * self.rate / self.noise**2
        shape = rate * self.level
        y = jnp.where(x > 0, x, 1.0)
        log = shape * jnp.log(rate) - gammaln(shape) + (shape - 1) * jnp.log(y) - rate * y
        return jnp.where(x > 0, jnp.exp(log), 0.0)


class GeometricBrownian(AbstractDiffusion, AbstractKnown):
    r"""Geometric Brownian motion: growth with noise in proportion.

    .. math:: dX = \mu X \, dt + \sigma X \, dW

    Almost every path grows at the rate :math:`\mu - \sigma^2 / 2`, below that of the mean.

    Parameters
    ----------
    growth : float
        :math:`\mu`, per time unit.
    noise : float
        :math:`\sigma`, per square root of time.
    integrator : AbstractStochasticIntegrator

    References
    ----------
    Black and Scholes, J. Polit. Econ. 81, 637 (1973); Oksendal, Stochastic Differential Equations
    (2003), chapter 5.
    """

    growth: Array = parameter(0.05)
    noise: Array = parameter(0.2)
    integrator: AbstractStochasticIntegrator = Milstein(0.01)

    names: ClassVar[tuple[str, ...]] = ("x",)
    x0: ClassVar[tuple[float, ...]] = (1.0,)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("black1973pricing", "oksendal2003stochastic")

    def drift(self, t: Any, x: Any, u: Any = None) -> Any:
        """In proportion to the state."""
        return self.growth * x

    def diffusion(self, t: Any, x: Any, u: Any = None) -> Any:
        """In proportion to the state."""
        return self.noise * x[:, None]

    def mean(self, t: Any, x0: Any) -> Any:
        """Expected value at time `t` after a start at `x0`."""
        return x0 * jnp.exp(self.growth * t)

    def variance(self, t: Any, x0: Any) -> Any:
        """At time `t` after a start at `x0`."""
        return self.mean(t, x0) ** 2 * jnp.expm1(self.noise**2 * t)

    def transition_density(self, t: Any, x0: Any, x: Any) -> Any:
        """Lognormal, per state unit, at time `t` after a start at `x0`; both positive."""
        spread = self.noise**2 * t
        centre = jnp.log(x0) + (self.growth - self.noise**2 / 2) * t
        log = -((jnp.log(x) - centre) ** 2) / (2 * spread)
        return jnp.exp(log) / (x * jnp.sqrt(2 * jnp.pi * spread))


class NoisyDoubleWell(AbstractDiffusion, AbstractKnown):
    r"""A particle in two wells, kicked by noise: rare jumps from one to the other.

    .. math:: dX = (a X - b X^3 + u) \, dt + \sigma \, dW

    The wells lie at :math:`\pm \sqrt{a / b}`, below a barrier of height :math:`a^2 / (4 b)`.

    Parameters
    ----------
    a, b : float
        Linear growth and cubic damping, both positive.
    noise : float
        :math:`\sigma`.
    integrator : AbstractStochasticIntegrator

    References
    ----------
    Kramers, Physica 7, 284 (1940).
    """

    a: Array = parameter(1.0)
    b: Array = parameter(1.0)
    noise: Array = parameter(0.5)
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.01)

    names: ClassVar[tuple[str, ...]] = ("x",)
    x0: ClassVar[tuple[float, ...]] = (1.0,)
    dt: ClassVar[float] = 0.1
    inputs: ClassVar[tuple[str, ...]] = ("force",)
    references: ClassVar[tuple[str, ...]] = ("kramers1940brownian",)

    def drift(self, t: Any, x: Any, u: Any = None) -> Any:
        """Down the slope of the potential."""
        return self.a * x - self.b * x**3 + pushed(u)

    def diffusion(self, t: Any, x: Any, u: Any = None) -> Any:
        """The same everywhere."""
        return self.noise * jnp.ones((1, 1))

    def potential(self, x: Any) -> Any:
        """Of the drift without input, zero on the barrier."""
        return -self.a * x**2 / 2 + self.b * x**4 / 4

    def stationary_density(self, x: Any) -> Any:
        """Boltzmann's, per state unit; normalised by a trapezoidal sum, exact to rounding."""
        scale = 2 / self.noise**2
        bottom = -(self.a**2) / (4 * self.b)
        # Beyond this point the density is below exp(-40) of that on the barrier.
        end = jnp.sqrt((self.a + jnp.sqrt(self.a**2 + 80 * self.b * self.noise**2)) / self.b)
        grid = jnp.linspace(-1.0, 1.0, 4001) * end
        weights = jnp.exp(-scale * (self.potential(grid) - bottom))
        total = jnp.sum(weights) * end / 2000
        return jnp.exp(-scale * (self.potential(x) - bottom)) / total

    def kramers_rate(self) -> Any:
        """Jumps out of a well per time unit, for noise that is weak against the barrier."""
        return (
            self.a / (jnp.sqrt(2.0) * jnp.pi) * jnp.exp(-(self.a**2) / (2 * self.b * self.noise**2))
        )


class StochasticHopf(AbstractDiffusion, AbstractKnown):
    r"""The normal form of a Hopf bifurcation, in isotropic noise.

    .. math:: dZ = ((\mu + i \omega) Z - (1 + i c) |Z|^2 Z) \, dt + \sigma (dW_1 + i \, dW_2)

    Below the bifurcation a noisy focus, above a ring; rotation does not touch the density.

    Parameters
    ----------
    mu : float
        Distance from the bifurcation, per time unit.
    omega : float
        Angular velocity at zero amplitude, in radians per time unit.
    shear : float
        The factor c by which amplitude changes the frequency.
    noise : float
        :math:`\sigma`.
    integrator : AbstractStochasticIntegrator

    References
    ----------
    Gardiner, Stochastic Methods (2009), for the density; Kuramoto, Chemical Oscillations, Waves,
    and Turbulence (1984), chapter 2, for the normal form.
    """

    mu: Array = parameter(1.0)
    omega: Array = parameter(1.0)
    shear: Array = parameter(0.0)
    noise: Array = parameter(0.3)
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.01)

    names: ClassVar[tuple[str, ...]] = ("x", "y")
    x0: ClassVar[tuple[float, ...]] = (1.0, 0.0)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("gardiner2009stochastic", "kuramoto1984chemical")

    def drift(self, t: Any, x: Any, u: Any = None) -> Any:
        """Real and imaginary part."""
        square = x[0] ** 2 + x[1] ** 2
        growth, turn = self.mu - square, self.omega - self.shear * square
        return jnp.stack([growth * x[0] - turn * x[1], growth * x[1] + turn * x[0]])

    def diffusion(self, t: Any, x: Any, u: Any = None) -> Any:
        """The same everywhere and in every direction."""
        return self.noise * jnp.eye(2)

    def stationary_density(self, x: Any) -> Any:
        """Per area, at states of shape (..., 2)."""
        square = x[..., 0] ** 2 + x[..., 1] ** 2
        # With s = r^2 the integral over the plane is that of a Gaussian in s above zero.
        total = jnp.pi * jnp.sqrt(2 * jnp.pi) * self.noise * ndtr(self.mu / self.noise)
        return jnp.exp(-((square - self.mu) ** 2) / (2 * self.noise**2)) / total


class NoisyFitzHughNagumo(AbstractDiffusion, AbstractKnown):
    r"""An excitable cell below its threshold, fired by noise.

    .. math:: dV = (V - \tfrac13 V^3 - W + I + u) \, dt + \sigma \, dB, \quad
              dW = \varepsilon (V + a - b W) \, dt

    Parameters
    ----------
    a, b : float
        Place and slope of the recovery nullcline.
    epsilon : float
        Rate of recovery.
    current : float
        The constant current I; the cell fires by itself from about 0.33.
    noise : float
        :math:`\sigma`, of the voltage.
    integrator : AbstractStochasticIntegrator

    References
    ----------
    Lindner, Garcia-Ojalvo, Neiman and Schimansky-Geier, Phys. Rep. 392, 321 (2004).
    """

    a: Array = parameter(0.7)
    b: Array = parameter(0.8)
    epsilon: Array = parameter(0.08)
    current: Array = parameter(0.25)
    noise: Array = parameter(0.15)
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.02)

    names: ClassVar[tuple[str, ...]] = ("voltage", "recovery")
    x0: ClassVar[tuple[float, ...]] = (-1.0, -0.4)
    dt: ClassVar[float] = 0.5
    inputs: ClassVar[tuple[str, ...]] = ("current",)
    references: ClassVar[tuple[str, ...]] = ("lindner2004effects",)

    def drift(self, t: Any, x: Any, u: Any = None) -> Any:
        """Voltage and recovery."""
        v, w = x
        return jnp.stack(
            [
                v - v**3 / 3 - w + self.current + pushed(u),
                self.epsilon * (v + self.a - self.b * w),
            ]
        )

    def diffusion(self, t: Any, x: Any, u: Any = None) -> Any:
        """In the voltage only."""
        return self.noise * jnp.array([[1.0], [0.0]])
