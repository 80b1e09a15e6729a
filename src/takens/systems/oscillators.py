"""Oscillators: forced, self-sustained, relaxing, coupled."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, parameter
from takens.systems.known import AbstractKnown, Reference, pushed
from takens.systems.truths import TRUTHS


class Duffing(AbstractFlow, AbstractKnown):
    r"""Duffing's beam between two magnets, driven by a cosine.

    .. math:: \ddot x + \delta \dot x + \alpha x + \beta x^3 = \gamma \cos \omega t + u

    Parameters
    ----------
    damping, stiffness, cubic : float
        The factors :math:`\delta, \alpha, \beta`; two wells where the stiffness is negative.
    amplitude, frequency : float
        :math:`\gamma` and :math:`\omega` of the force, the latter in radians per time unit.
    integrator : AbstractIntegrator

    References
    ----------
    Holmes, Phil. Trans. R. Soc. A 292, 419 (1979).
    """

    damping: Array = parameter(0.3)
    stiffness: Array = parameter(-1.0)
    cubic: Array = parameter(1.0)
    amplitude: Array = parameter(0.5)
    frequency: Array = parameter(1.2)
    integrator: AbstractIntegrator = RungeKutta(0.1)

    names: ClassVar[tuple[str, ...]] = ("position", "velocity")
    x0: ClassVar[tuple[float, ...]] = (-0.7933, -0.3671)
    dt: ClassVar[float] = 0.1
    inputs: ClassVar[tuple[str, ...]] = ("force",)
    references: ClassVar[tuple[str, ...]] = ("holmes1979nonlinear",)
    truth: ClassVar[Reference | None] = TRUTHS["Duffing"]

    @property
    def period(self) -> Array:
        """Of the force."""
        return 2 * jnp.pi / self.frequency

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Position and velocity."""
        force = self.amplitude * jnp.cos(self.frequency * t) + pushed(u)
        spring = self.stiffness * x[0] + self.cubic * x[0] ** 3
        return jnp.stack([x[1], force - self.damping * x[1] - spring])


class VanDerPol(AbstractFlow, AbstractKnown):
    r"""Van der Pol's self-sustained oscillation.

    .. math:: \ddot x - \mu (1 - x^2) \dot x + x = u

    Parameters
    ----------
    mu : float
        Strength of the nonlinear damping; the one limit cycle is stable for every positive value.
    integrator : AbstractIntegrator

    References
    ----------
    Van der Pol, Philos. Mag. 2, 978 (1926).
    """

    mu: Array = parameter(1.0)
    integrator: AbstractIntegrator = RungeKutta(0.05)

    names: ClassVar[tuple[str, ...]] = ("position", "velocity")
    x0: ClassVar[tuple[float, ...]] = (1.498, -0.789)
    dt: ClassVar[float] = 0.1
    inputs: ClassVar[tuple[str, ...]] = ("force",)
    references: ClassVar[tuple[str, ...]] = ("vanderpol1926relaxation",)
    truth: ClassVar[Reference | None] = TRUTHS["VanDerPol"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Position and velocity."""
        return jnp.stack([x[1], self.mu * (1 - x[0] ** 2) * x[1] - x[0] + pushed(u)])


class ForcedVanDerPol(AbstractFlow, AbstractKnown):
    r"""Van der Pol's oscillator under a cosine: locking, quasi-periodicity and chaos.

    .. math:: \ddot x - \mu (1 - x^2) \dot x + x = a \cos \omega t

    Parameters
    ----------
    mu : float
        Strength of the nonlinear damping.
    amplitude, frequency : float
        Of the force; frequency in radians per time unit.
    integrator : AbstractIntegrator

    References
    ----------
    Parlitz and Lauterborn, Phys. Rev. A 36, 1428 (1987).
    """

    mu: Array = parameter(5.0)
    amplitude: Array = parameter(5.0)
    frequency: Array = parameter(2.466)
    integrator: AbstractIntegrator = RungeKutta(0.01)

    names: ClassVar[tuple[str, ...]] = ("position", "velocity")
    x0: ClassVar[tuple[float, ...]] = (0.1348, -2.166)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("parlitz1987period",)
    truth: ClassVar[Reference | None] = TRUTHS["ForcedVanDerPol"]

    @property
    def period(self) -> Array:
        """Of the force."""
        return 2 * jnp.pi / self.frequency

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Position and velocity."""
        force = self.amplitude * jnp.cos(self.frequency * t)
        return jnp.stack([x[1], self.mu * (1 - x[0] ** 2) * x[1] - x[0] + force])


class FastSlowVanDerPol(AbstractFlow, AbstractKnown):
    r"""Van der Pol's oscillator with two time scales: relaxation, and canards near ``a = 1``.

    .. math:: \varepsilon \dot x = y + x - \tfrac13 x^3, \quad \dot y = a - x

    Parameters
    ----------
    epsilon : float
        Ratio of the fast to the slow time scale.
    a : float
        Place of the slow nullcline; at ``|a| = 1`` the oscillation is born.
    integrator : AbstractIntegrator
        Explicit, as at the default ratio it is the cheaper by far.

    Notes
    -----
    The field is stiff. For a smaller ratio `max_step` has to shrink in proportion; where that
    grows too dear, take `Implicit`.

    References
    ----------
    Krupa and Szmolyan, J. Differ. Equ. 174, 312 (2001).
    """

    epsilon: Array = parameter(0.01)
    a: Array = parameter(0.5)
    integrator: AbstractIntegrator = RungeKutta(0.00125)

    names: ClassVar[tuple[str, ...]] = ("fast", "slow")
    x0: ClassVar[tuple[float, ...]] = (1.252, -0.6102)
    dt: ClassVar[float] = 0.05
    references: ClassVar[tuple[str, ...]] = ("krupa2001relaxation",)
    truth: ClassVar[Reference | None] = TRUTHS["FastSlowVanDerPol"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Fast and slow component, in slow time."""
        fast, slow = x
        return jnp.stack([(slow + fast - fast**3 / 3) / self.epsilon, self.a - fast])


class Brusselator(AbstractFlow, AbstractKnown):
    r"""The Brusselator, a chemical clock of two intermediates.

    .. math:: \dot x = A + x^2 y - (B + 1) x, \quad \dot y = B x - x^2 y

    The equilibrium :math:`(A, B/A)` loses its stability in a Hopf bifurcation at
    :math:`B = 1 + A^2`.

    Parameters
    ----------
    a, b : float
        Concentrations of the feed A and B, scaled by the rate constants.
    integrator : AbstractIntegrator

    References
    ----------
    Prigogine and Lefever, J. Chem. Phys. 48, 1695 (1968).
    """

    a: Array = parameter(1.0)
    b: Array = parameter(3.0)
    integrator: AbstractIntegrator = RungeKutta(0.025)

    names: ClassVar[tuple[str, ...]] = ("x", "y")
    x0: ClassVar[tuple[float, ...]] = (0.4219, 4.272)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("prigogine1968symmetry",)
    truth: ClassVar[Reference | None] = TRUTHS["Brusselator"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Concentrations of the two intermediates."""
        reaction = x[0] ** 2 * x[1]
        return jnp.stack(
            [self.a + reaction - (self.b + 1) * x[0], self.b * x[0] - reaction],
        )


class StuartLandau(AbstractFlow, AbstractKnown):
    r"""The normal form of a Hopf bifurcation.

    .. math:: \dot z = (\mu + i \omega) z - (1 + i c) |z|^2 z, \quad z = x + i y

    For positive :math:`\mu` the limit cycle is the circle of radius :math:`\sqrt\mu`, with angular
    velocity :math:`\omega - c \mu` and exponents 0 and :math:`-2 \mu`.

    Parameters
    ----------
    mu : float
        Distance from the bifurcation, per time unit.
    omega : float
        Angular velocity at zero amplitude, in radians per time unit.
    shear : float
        The factor c by which amplitude changes the frequency.
    integrator : AbstractIntegrator

    References
    ----------
    Kuramoto, Chemical Oscillations, Waves, and Turbulence (1984), chapter 2.
    """

    mu: Array = parameter(1.0)
    omega: Array = parameter(1.0)
    shear: Array = parameter(0.0)
    integrator: AbstractIntegrator = RungeKutta(0.1)

    names: ClassVar[tuple[str, ...]] = ("x", "y")
    x0: ClassVar[tuple[float, ...]] = (1.0, 0.0)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("kuramoto1984chemical",)
    truth: ClassVar[Reference | None] = TRUTHS["StuartLandau"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Real and imaginary part."""
        square = x[0] ** 2 + x[1] ** 2
        growth, turn = self.mu - square, self.omega - self.shear * square
        return jnp.stack([growth * x[0] - turn * x[1], growth * x[1] + turn * x[0]])


class Kuramoto(AbstractFlow, AbstractKnown):
    r"""Kuramoto's phase oscillators, each coupled to the mean of all.

    .. math:: \dot\theta_i = \omega_i + \frac{K}{N} \sum_j \sin(\theta_j - \theta_i)

    A common shift of the phases is neutral, and the mean phase moves with the mean frequency.

    Parameters
    ----------
    frequencies : array, shape (oscillator,)
        :math:`\omega_i` in radians per time unit; ten of them, evenly spaced, by default.
    coupling : float
        K, per time unit. Below locking the phases of a few oscillators are weakly chaotic.
    integrator : AbstractIntegrator

    References
    ----------
    Kuramoto, Chemical Oscillations, Waves, and Turbulence (1984), chapter 5; Popovych, Maistrenko
    and Tass, Phys. Rev. E 71, 065201 (2005), for the chaos.
    """

    frequencies: Array = parameter(tuple(-0.9 + 0.2 * i for i in range(10)))
    coupling: Array = parameter(1.2)
    integrator: AbstractIntegrator = RungeKutta(0.1)

    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("kuramoto1984chemical", "popovych2005phase")
    truth: ClassVar[Reference | None] = TRUTHS["Kuramoto"]

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for each oscillator."""
        return tuple(f"phase{i + 1}" for i in range(self.frequencies.shape[-1]))

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """Phases spread by the golden angle, so that no two are equal and no symmetry holds."""
        return tuple(round(2.399963 * i % 6.283185, 3) for i in range(self.dim))

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Through the mean field, in time proportional to the number of oscillators."""
        cosine, sine = jnp.cos(x), jnp.sin(x)
        pull = jnp.mean(sine) * cosine - jnp.mean(cosine) * sine
        return self.frequencies + self.coupling * pull

    def order_parameter(self, x: Any) -> Any:
        """Modulus of the mean of ``exp(i theta)``: 0 without order, 1 in full synchrony."""
        return jnp.hypot(jnp.mean(jnp.cos(x)), jnp.mean(jnp.sin(x)))
