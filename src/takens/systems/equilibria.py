"""Flows that come to rest: linear ones, and two with more than one state of rest."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, parameter
from takens.systems.known import AbstractKnown, Reference, pushed
from takens.systems.truths import TRUTHS


class LinearFlow(AbstractFlow, AbstractKnown):
    r"""A linear flow; everything about it is known.

    .. math:: \dot x = A x, \quad x(t) = e^{A t} x(0)

    Its exponents are the real parts of the eigenvalues of A.

    Parameters
    ----------
    matrix : array, shape (dim, dim)
        A, per time unit; a damped oscillation by default.
    integrator : AbstractIntegrator

    References
    ----------
    Strogatz, Nonlinear Dynamics and Chaos (2015), chapter 5.
    """

    matrix: Array = parameter(((-0.1, 1.0), (-1.0, -0.1)))
    integrator: AbstractIntegrator = RungeKutta(0.1)

    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("strogatz2015nonlinear",)
    truth: ClassVar[Reference | None] = TRUTHS["LinearFlow"]

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for each row of the matrix."""
        return tuple(f"x{i + 1}" for i in range(self.matrix.shape[-1]))

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """One in every component."""
        return (1.0,) * self.dim

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The matrix times the state."""
        return self.matrix @ x


class DoubleWell(AbstractFlow, AbstractKnown):
    r"""The gradient flow of a quartic potential: two states of rest and a fold at either side.

    .. math:: \dot x = a x - b x^3 + h + u = -V'(x)

    Two wells where :math:`|h| < 2 a^{3/2} / \sqrt{27 b}`.

    Parameters
    ----------
    a, b : float
        Linear growth and cubic damping, both positive.
    tilt : float
        The constant force h.
    integrator : AbstractIntegrator

    References
    ----------
    Strogatz, Nonlinear Dynamics and Chaos (2015), section 3.6.
    """

    a: Array = parameter(1.0)
    b: Array = parameter(1.0)
    tilt: Array = parameter(0.0)
    integrator: AbstractIntegrator = RungeKutta(0.05)

    names: ClassVar[tuple[str, ...]] = ("x",)
    x0: ClassVar[tuple[float, ...]] = (1.0,)
    dt: ClassVar[float] = 0.1
    inputs: ClassVar[tuple[str, ...]] = ("force",)
    references: ClassVar[tuple[str, ...]] = ("strogatz2015nonlinear",)
    truth: ClassVar[Reference | None] = TRUTHS["DoubleWell"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Down the slope of the potential."""
        return self.a * x - self.b * x**3 + self.tilt + pushed(u)

    def potential(self, x: Any) -> Any:
        """V, up to a constant."""
        y = x[0]
        return -self.a * y**2 / 2 + self.b * y**4 / 4 - self.tilt * y


class StommelBox(AbstractFlow, AbstractKnown):
    r"""Stommel's two boxes of ocean: a circulation with two states of rest.

    .. math:: \dot T = \eta_1 - T (1 + |T - S|), \quad
              \dot S = \eta_2 - S (\eta_3 + |T - S|)

    in Dijkstra's scaling; :math:`T - S` is the strength of the overturning.

    Parameters
    ----------
    heat : float
        :math:`\eta_1`, the thermal forcing.
    fresh_water : float
        :math:`\eta_2`, the forcing by fresh water; slowly raised, it tips the circulation.
    ratio : float
        :math:`\eta_3`, time scale of temperature over that of salinity.
    integrator : AbstractIntegrator

    Notes
    -----
    The field has a kink where ``T = S``; an orbit that crosses it loses the order of its integrator.

    References
    ----------
    Stommel, Tellus 13, 224 (1961); Dijkstra, Nonlinear Climate Dynamics (2013), for the scaling.
    """

    heat: Array = parameter(3.0)
    fresh_water: Array = parameter(1.0)
    ratio: Array = parameter(0.3)
    integrator: AbstractIntegrator = RungeKutta(0.05)

    names: ClassVar[tuple[str, ...]] = ("temperature", "salinity")
    x0: ClassVar[tuple[float, ...]] = (1.704, 0.9424)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("stommel1961thermohaline", "dijkstra2013nonlinear")
    truth: ClassVar[Reference | None] = TRUTHS["StommelBox"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Differences of temperature and salinity between the boxes."""
        flow = jnp.abs(x[0] - x[1])
        return jnp.stack(
            [self.heat - x[0] * (1 + flow), self.fresh_water - x[1] * (self.ratio + flow)]
        )
