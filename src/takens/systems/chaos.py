"""Flows that became the standard examples of chaos."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, parameter, static
from takens.systems.known import AbstractKnown


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
    integrator: AbstractIntegrator = RungeKutta(0.02)

    names: ClassVar[tuple[str, ...]] = ("x", "y", "z")
    x0: ClassVar[tuple[float, ...]] = (-5.76, -2.28, 27.08)
    dt: ClassVar[float] = 0.02
    references: ClassVar[tuple[str, ...]] = ("lorenz1963deterministic",)

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
    x0: ClassVar[tuple[float, ...]] = (-4.0, -4.0, 0.02)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("rossler1976equation",)

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Rössler (1976), eq. 2."""
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
    integrator: AbstractIntegrator = RungeKutta(0.05)

    dt: ClassVar[float] = 0.05
    references: ClassVar[tuple[str, ...]] = ("lorenz1996predictability",)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for each site."""
        return tuple(f"x{i + 1}" for i in range(self.n_sites))

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """Near the unstable rest state, one site displaced: let a transient of 20 pass."""
        return (8.01, *(8.0 for _ in range(self.n_sites - 1)))

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Lorenz (1996), eq. 1."""
        advection = (jnp.roll(x, -1) - jnp.roll(x, 2)) * jnp.roll(x, 1)
        return advection - x + self.forcing
