"""Mechanics: pendulums and a star in a galaxy."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, parameter
from takens.systems.known import AbstractKnown, Reference, pushed
from takens.systems.truths import TRUTHS


class Pendulum(AbstractFlow, AbstractKnown):
    r"""A pendulum; without damping, its energy is conserved.

    .. math:: \ddot\theta + \gamma \dot\theta + \omega_0^2 \sin\theta = u

    Parameters
    ----------
    stiffness : float
        :math:`\omega_0^2`, gravity over length.
    damping : float
        :math:`\gamma`, per time unit.
    integrator : AbstractIntegrator

    References
    ----------
    Strogatz, Nonlinear Dynamics and Chaos (2015), section 6.7.
    """

    stiffness: Array = parameter(1.0)
    damping: Array = parameter(0.0)
    integrator: AbstractIntegrator = RungeKutta(0.1)

    names: ClassVar[tuple[str, ...]] = ("angle", "rate")
    x0: ClassVar[tuple[float, ...]] = (1.0, 0.0)
    dt: ClassVar[float] = 0.1
    inputs: ClassVar[tuple[str, ...]] = ("torque",)
    references: ClassVar[tuple[str, ...]] = ("strogatz2015nonlinear",)
    truth: ClassVar[Reference | None] = TRUTHS["Pendulum"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Angle from below, in radians, and its rate."""
        pull = self.stiffness * jnp.sin(x[0]) + self.damping * x[1]
        return jnp.stack([x[1], pushed(u) - pull])

    def energy(self, x: Any) -> Any:
        """Per moment of inertia, zero at rest below."""
        return 0.5 * x[1] ** 2 + self.stiffness * (1 - jnp.cos(x[0]))


class ForcedPendulum(AbstractFlow, AbstractKnown):
    r"""A damped pendulum under a cosine torque.

    .. math:: \ddot\theta + \gamma \dot\theta + \sin\theta = a \cos \omega t + u

    Parameters
    ----------
    damping : float
        :math:`\gamma`; its inverse is the quality factor.
    amplitude, frequency : float
        Of the torque; frequency in radians per time unit.
    integrator : AbstractIntegrator

    References
    ----------
    Baker and Gollub, Chaotic Dynamics: An Introduction (1996), chapter 3.
    """

    damping: Array = parameter(0.5)
    amplitude: Array = parameter(1.15)
    frequency: Array = parameter(2.0 / 3.0)
    integrator: AbstractIntegrator = RungeKutta(0.1)

    names: ClassVar[tuple[str, ...]] = ("angle", "rate")
    x0: ClassVar[tuple[float, ...]] = (0.757, -0.2959)
    dt: ClassVar[float] = 0.1
    inputs: ClassVar[tuple[str, ...]] = ("torque",)
    references: ClassVar[tuple[str, ...]] = ("baker1996chaotic",)
    truth: ClassVar[Reference | None] = TRUTHS["ForcedPendulum"]

    @property
    def period(self) -> Array:
        """Of the torque."""
        return 2 * jnp.pi / self.frequency

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Angle from below, in radians and not wrapped, and its rate."""
        torque = self.amplitude * jnp.cos(self.frequency * t) + pushed(u)
        return jnp.stack([x[1], torque - self.damping * x[1] - jnp.sin(x[0])])


class DoublePendulum(AbstractFlow, AbstractKnown):
    r"""A pendulum on a pendulum: point masses on rods without mass, no friction.

    With mass, length and gravity of the upper one as units, :math:`\Delta = \theta_1 - \theta_2`:

    .. math:: (1 + \mu) \dot\omega_1 + \mu \lambda (\dot\omega_2 \cos\Delta
              + \omega_2^2 \sin\Delta) + (1 + \mu) \sin\theta_1 = 0, \quad
              \lambda \dot\omega_2 + \dot\omega_1 \cos\Delta - \omega_1^2 \sin\Delta
              + \sin\theta_2 = 0

    Parameters
    ----------
    mass_ratio, length_ratio : float
        :math:`\mu` and :math:`\lambda`, lower over upper.
    integrator : AbstractIntegrator

    References
    ----------
    Shinbrot, Grebogi, Wisdom and Yorke, Am. J. Phys. 60, 491 (1992).
    """

    mass_ratio: Array = parameter(1.0)
    length_ratio: Array = parameter(1.0)
    integrator: AbstractIntegrator = RungeKutta(0.025)

    names: ClassVar[tuple[str, ...]] = ("angle1", "angle2", "rate1", "rate2")
    x0: ClassVar[tuple[float, ...]] = (2.0, 2.0, 0.0, 0.0)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("shinbrot1992chaos",)
    truth: ClassVar[Reference | None] = TRUTHS["DoublePendulum"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Both equations of motion, solved for the accelerations."""
        upper, lower, rate1, rate2 = x
        mu, length = self.mass_ratio, self.length_ratio
        cosine, sine = jnp.cos(upper - lower), jnp.sin(upper - lower)
        first = -mu * length * sine * rate2**2 - (1 + mu) * jnp.sin(upper)
        second = sine * rate1**2 - jnp.sin(lower)
        determinant = length * (1 + mu * sine**2)
        return jnp.stack(
            [
                rate1,
                rate2,
                length * (first - mu * cosine * second) / determinant,
                ((1 + mu) * second - cosine * first) / determinant,
            ]
        )

    def energy(self, x: Any) -> Any:
        """Kinetic and potential, the latter zero at the height of the support."""
        upper, lower, rate1, rate2 = x
        mu, length = self.mass_ratio, self.length_ratio
        kinetic = (
            0.5 * (1 + mu) * rate1**2
            + 0.5 * mu * (length * rate2) ** 2
            + mu * length * rate1 * rate2 * jnp.cos(upper - lower)
        )
        return kinetic - (1 + mu) * jnp.cos(upper) - mu * length * jnp.cos(lower)


class HenonHeiles(AbstractFlow, AbstractKnown):
    r"""Hénon's and Heiles's star in the plane of a galaxy: order and chaos side by side.

    .. math:: H = \tfrac12 (p_x^2 + p_y^2) + \tfrac12 (x^2 + y^2)
              + \lambda (x^2 y - \tfrac13 y^3)

    Bounded for energies below :math:`1 / (6 \lambda^2)`.

    Parameters
    ----------
    coupling : float
        :math:`\lambda`.
    integrator : AbstractIntegrator

    References
    ----------
    Hénon and Heiles, Astron. J. 69, 73 (1964).
    """

    coupling: Array = parameter(1.0)
    integrator: AbstractIntegrator = RungeKutta(0.1)

    names: ClassVar[tuple[str, ...]] = ("x", "y", "p_x", "p_y")
    x0: ClassVar[tuple[float, ...]] = (0.0, -0.15, 0.5365, 0.0)
    dt: ClassVar[float] = 0.2
    references: ClassVar[tuple[str, ...]] = ("henon1964applicability",)
    truth: ClassVar[Reference | None] = TRUTHS["HenonHeiles"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Hamilton's equations."""
        a, b, p, q = x
        return jnp.stack([p, q, -a - 2 * self.coupling * a * b, -b - self.coupling * (a**2 - b**2)])

    def energy(self, x: Any) -> Any:
        """The Hamiltonian."""
        a, b, p, q = x
        harmonic = 0.5 * (p**2 + q**2 + a**2 + b**2)
        return harmonic + self.coupling * (a**2 * b - b**3 / 3)
