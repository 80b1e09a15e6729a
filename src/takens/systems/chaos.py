"""Flows that became the standard examples of chaos."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, parameter, static
from takens.systems.known import AbstractKnown, Reference
from takens.systems.truths import TRUTHS

_RING = (
    5.79, -3.58, 1.85, -1.24, 7.87, 7.34, 1.25, 5.69, 1.16, -3.27,
    1.33, 1.18, 8.33, 6.07, -1.66, 8.07, 1.06, -3.68, -1.2, 8.64,
    1.83, -2.5, 0.25, 2.37, 6.64, 7.31, 1.63, 6.48, 5.9, 3.6,
    3.34, 0.6, 4.23, 5.29, -2.48, 5.15, 2.88, 1.43, 2.39, 3.55,
)  # fmt: skip


class Lorenz63(AbstractFlow, AbstractKnown):
    r"""Lorenz's three modes of thermal convection, the first strange attractor.

    .. math:: \dot x = \sigma (y - x), \quad \dot y = x (\rho - z) - y, \quad
              \dot z = x y - \beta z

    The origin loses its stability at :math:`\rho = 1`; the other two equilibria lose theirs in a
    subcritical Hopf bifurcation at :math:`\rho = 470/19 \approx 24.74`.

    Parameters
    ----------
    sigma : float
        Prandtl number.
    rho : float
        Rayleigh number over its critical value.
    beta : float
        Geometric factor.
    integrator : AbstractIntegrator

    References
    ----------
    Lorenz, J. Atmos. Sci. 20, 130 (1963), eq. 25-27.

    Examples
    --------
    >>> field = Lorenz63().vector_field(0.0, jnp.array([1.0, 2.0, 3.0]))
    >>> [round(float(v), 2) for v in field]
    [10.0, 23.0, -6.0]
    """

    sigma: Array = parameter(10.0)
    rho: Array = parameter(28.0)
    beta: Array = parameter(8.0 / 3.0)
    integrator: AbstractIntegrator = RungeKutta(0.01)

    names: ClassVar[tuple[str, ...]] = ("x", "y", "z")
    x0: ClassVar[tuple[float, ...]] = (12.05, 14.8, 28.31)
    dt: ClassVar[float] = 0.02
    references: ClassVar[tuple[str, ...]] = ("lorenz1963deterministic",)
    truth: ClassVar[Reference | None] = TRUTHS["Lorenz63"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Lorenz (1963), eq. 25-27."""
        a, b, c = x
        return jnp.stack([self.sigma * (b - a), a * (self.rho - c) - b, a * b - self.beta * c])


class Rossler(AbstractFlow, AbstractKnown):
    r"""Rössler's band, the simplest folded chaos: one quadratic term.

    .. math:: \dot x = -y - z, \quad \dot y = x + a y, \quad \dot z = b + z (x - c)

    Parameters
    ----------
    a, b, c : float
        Without unit; chaos comes by period doubling as `c` grows.
    integrator : AbstractIntegrator

    References
    ----------
    Rössler, Phys. Lett. A 57, 397 (1976).
    """

    a: Array = parameter(0.2)
    b: Array = parameter(0.2)
    c: Array = parameter(5.7)
    integrator: AbstractIntegrator = RungeKutta(0.05)

    names: ClassVar[tuple[str, ...]] = ("x", "y", "z")
    x0: ClassVar[tuple[float, ...]] = (-0.4627, 5.316, 0.04163)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("rossler1976equation",)
    truth: ClassVar[Reference | None] = TRUTHS["Rossler"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """One quadratic term, in the last component."""
        p, q, r = x
        return jnp.stack([-q - r, p + self.a * q, self.b + r * (p - self.c)])


class Lorenz96(AbstractFlow, AbstractKnown):
    r"""Lorenz's ring of sites: advection, damping and a constant force; chaos of any dimension.

    .. math:: \dot x_i = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F, \quad i \bmod N

    Parameters
    ----------
    forcing : float
        The force F; chaotic above about 4.5 for many sites.
    n_sites : int
        The number N of sites, 4 or more; part of the program.
    integrator : AbstractIntegrator

    References
    ----------
    Lorenz, Predictability: a problem partly solved, ECMWF seminar (1996), eq. 1.
    """

    forcing: Array = parameter(8.0)
    n_sites: int = static(40)
    integrator: AbstractIntegrator = RungeKutta(1.0 / 60.0)

    dt: ClassVar[float] = 0.05
    references: ClassVar[tuple[str, ...]] = ("lorenz1996predictability",)
    truth: ClassVar[Reference | None] = TRUTHS["Lorenz96"]

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for each site."""
        return tuple(f"x{i + 1}" for i in range(self.n_sites))

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """On the attractor for 40 sites; repeated or cut for another number of them."""
        return tuple(_RING[i % len(_RING)] for i in range(self.n_sites))

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Lorenz (1996), eq. 1."""
        advection = (jnp.roll(x, -1) - jnp.roll(x, 2)) * jnp.roll(x, 1)
        return advection - x + self.forcing


class Lorenz84(AbstractFlow, AbstractKnown):
    r"""Lorenz's smallest model of the general circulation: a westerly jet and two waves.

    .. math:: \dot x = -y^2 - z^2 - a x + a F, \quad \dot y = x y - b x z - y + G, \quad
              \dot z = b x y + x z - z

    Parameters
    ----------
    a : float
        Damping of the jet over that of the waves; the time unit is five days.
    b : float
        Displacement of the waves by the jet over their damping.
    forcing_jet : float
        The symmetric thermal forcing F.
    forcing_wave : float
        The asymmetric thermal forcing G.
    integrator : AbstractIntegrator

    References
    ----------
    Lorenz, Tellus A 36, 98 (1984).
    """

    a: Array = parameter(0.25)
    b: Array = parameter(4.0)
    forcing_jet: Array = parameter(8.0)
    forcing_wave: Array = parameter(1.0)
    integrator: AbstractIntegrator = RungeKutta(0.02)

    names: ClassVar[tuple[str, ...]] = ("x", "y", "z")
    x0: ClassVar[tuple[float, ...]] = (1.474, 0.3637, -0.4015)
    dt: ClassVar[float] = 0.05
    references: ClassVar[tuple[str, ...]] = ("lorenz1984irregularity",)
    truth: ClassVar[Reference | None] = TRUTHS["Lorenz84"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Jet and the two phases of the wave."""
        p, q, r = x
        return jnp.stack(
            [
                -(q**2) - r**2 - self.a * (p - self.forcing_jet),
                p * q - self.b * p * r - q + self.forcing_wave,
                self.b * p * q + p * r - r,
            ]
        )


class Chua(AbstractFlow, AbstractKnown):
    r"""Chua's circuit with a cubic resistor: the double scroll, smooth.

    .. math:: \dot x = \alpha (y - \tfrac17 (2 x^3 - x)), \quad \dot y = x - y + z, \quad
              \dot z = -\beta y

    The first circuit had a piecewise linear resistor; the cubic one keeps every derivative.

    Parameters
    ----------
    alpha : float
        Ratio of the capacitances.
    beta : float
        Squared resistance times capacitance over inductance.
    integrator : AbstractIntegrator

    References
    ----------
    Matsumoto, IEEE Trans. Circuits Syst. 31, 1055 (1984), for the circuit; Zhong, IEEE Trans.
    Circuits Syst. I 41, 934 (1994), for a cubic resistor.
    """

    alpha: Array = parameter(10.0)
    beta: Array = parameter(100.0 / 7.0)
    integrator: AbstractIntegrator = RungeKutta(0.05)

    names: ClassVar[tuple[str, ...]] = ("x", "y", "z")
    x0: ClassVar[tuple[float, ...]] = (-0.7471, 0.06557, 1.206)
    dt: ClassVar[float] = 0.05
    references: ClassVar[tuple[str, ...]] = ("matsumoto1984chaotic", "zhong1994implementation")
    truth: ClassVar[Reference | None] = TRUTHS["Chua"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Voltages of the two capacitors and the current, scaled."""
        p, q, r = x
        return jnp.stack([self.alpha * (q - (2 * p**3 - p) / 7), p - q + r, -self.beta * q])


class Thomas(AbstractFlow, AbstractKnown):
    r"""Thomas's cyclically symmetric walk through a lattice of saddles.

    .. math:: \dot x = \sin y - b x, \quad \dot y = \sin z - b y, \quad \dot z = \sin x - b z

    Parameters
    ----------
    b : float
        Damping; chaos begins below about 0.208186, and at zero the motion is unbounded.
    integrator : AbstractIntegrator

    References
    ----------
    Thomas, Int. J. Bifurcation Chaos 9, 1889 (1999); b = 0.18 as in Sprott, Chaos and Time-Series
    Analysis (2003).
    """

    b: Array = parameter(0.18)
    integrator: AbstractIntegrator = RungeKutta(0.2)

    names: ClassVar[tuple[str, ...]] = ("x", "y", "z")
    x0: ClassVar[tuple[float, ...]] = (-1.971, 0.3531, -3.727)
    dt: ClassVar[float] = 0.2
    references: ClassVar[tuple[str, ...]] = ("thomas1999deterministic", "sprott2003chaos")
    truth: ClassVar[Reference | None] = TRUTHS["Thomas"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Each component is driven by the sine of the next."""
        return jnp.sin(jnp.roll(x, -1)) - self.b * x


class SprottJerk(AbstractFlow, AbstractKnown):
    r"""Sprott's jerk equation, the algebraically simplest dissipative chaos.

    .. math:: \dddot x + A \ddot x - \dot x^2 + x = 0

    Parameters
    ----------
    damping : float
        The factor A; chaotic in a narrow window, 2.017 to 2.082, and unbounded from many starts.
    integrator : AbstractIntegrator

    References
    ----------
    Sprott, Phys. Lett. A 228, 271 (1997).
    """

    damping: Array = parameter(2.017)
    integrator: AbstractIntegrator = RungeKutta(0.1)

    names: ClassVar[tuple[str, ...]] = ("position", "velocity", "acceleration")
    x0: ClassVar[tuple[float, ...]] = (5.865, 2.144, -0.1862)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("sprott1997simplest",)
    truth: ClassVar[Reference | None] = TRUTHS["SprottJerk"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Position, velocity and acceleration."""
        p, v, a = x
        return jnp.stack([v, a, -self.damping * a + v**2 - p])
