"""Populations and epidemics."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, parameter
from takens.systems.known import AbstractKnown, Reference
from takens.systems.truths import TRUTHS


class LotkaVolterra(AbstractFlow, AbstractKnown):
    r"""Lotka's and Volterra's prey and predator.

    .. math:: \dot x = x (\alpha - \beta y), \quad \dot y = y (\delta x - \gamma)

    Every orbit is a cycle around :math:`(\gamma / \delta, \alpha / \beta)`, on a level of
    :math:`\delta x - \gamma \ln x + \beta y - \alpha \ln y`.

    Parameters
    ----------
    growth, predation, conversion, death : float
        :math:`\alpha, \beta, \delta, \gamma`, rates per time unit.
    integrator : AbstractIntegrator

    References
    ----------
    Lotka, Elements of Physical Biology (1925); Volterra, Nature 118, 558 (1926).
    """

    growth: Array = parameter(1.0)
    predation: Array = parameter(1.0)
    conversion: Array = parameter(1.0)
    death: Array = parameter(1.0)
    integrator: AbstractIntegrator = RungeKutta(0.05)

    names: ClassVar[tuple[str, ...]] = ("prey", "predator")
    x0: ClassVar[tuple[float, ...]] = (2.0, 1.0)
    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("lotka1925elements", "volterra1926fluctuations")
    truth: ClassVar[Reference | None] = TRUTHS["LotkaVolterra"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Prey and predator."""
        return jnp.stack(
            [
                x[0] * (self.growth - self.predation * x[1]),
                x[1] * (self.conversion * x[0] - self.death),
            ]
        )

    def invariant(self, x: Any) -> Any:
        """The quantity that every orbit conserves; both populations positive."""
        prey = self.conversion * x[0] - self.death * jnp.log(x[0])
        return prey + self.predation * x[1] - self.growth * jnp.log(x[1])


class HastingsPowell(AbstractFlow, AbstractKnown):
    r"""Hastings's and Powell's food chain of three, the teacup of chaos.

    .. math:: \dot x = x (1 - x) - f_1(x) y, \quad
              \dot y = f_1(x) y - f_2(y) z - d_1 y, \quad
              \dot z = f_2(y) z - d_2 z, \quad f_i(s) = \frac{a_i s}{1 + b_i s}

    Parameters
    ----------
    a1, b1, a2, b2 : float
        Of the two saturating appetites.
    d1, d2 : float
        Death rates of the consumer and of the top predator.
    integrator : AbstractIntegrator

    References
    ----------
    Hastings and Powell, Ecology 72, 896 (1991).
    """

    a1: Array = parameter(5.0)
    b1: Array = parameter(3.0)
    a2: Array = parameter(0.1)
    b2: Array = parameter(2.0)
    d1: Array = parameter(0.4)
    d2: Array = parameter(0.01)
    integrator: AbstractIntegrator = RungeKutta(0.25)

    names: ClassVar[tuple[str, ...]] = ("resource", "consumer", "predator")
    x0: ClassVar[tuple[float, ...]] = (0.5553, 0.3304, 8.197)
    dt: ClassVar[float] = 1.0
    references: ClassVar[tuple[str, ...]] = ("hastings1991chaos",)
    truth: ClassVar[Reference | None] = TRUTHS["HastingsPowell"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Resource, consumer and predator."""
        p, q, r = x
        eaten = self.a1 * p / (1 + self.b1 * p) * q
        hunted = self.a2 * q / (1 + self.b2 * q) * r
        return jnp.stack([p * (1 - p) - eaten, eaten - hunted - self.d1 * q, hunted - self.d2 * r])


class SeasonalSIR(AbstractFlow, AbstractKnown):
    r"""Susceptible, infected, recovered, with births and a seasonal contact rate.

    .. math:: \dot S = \mu (1 - S) - \beta(t) S I, \quad
              \dot I = \beta(t) S I - (\gamma + \mu) I, \quad
              \beta(t) = \beta_0 (1 + \beta_1 \cos 2 \pi t)

    Fractions of the population, time in years; the recovered are what is left.

    Parameters
    ----------
    birth : float
        :math:`\mu`, births and deaths per year.
    recovery : float
        :math:`\gamma` per year; the default is an infectious period of 13 days.
    contact : float
        :math:`\beta_0` per year; the default gives 17 secondary cases.
    seasonality : float
        :math:`\beta_1`, relative amplitude of the seasons.
    integrator : AbstractIntegrator

    References
    ----------
    Keeling and Rohani, Modeling Infectious Diseases (2008), section 5.2.
    """

    birth: Array = parameter(0.02)
    recovery: Array = parameter(365.0 / 13.0)
    contact: Array = parameter(17.0 * (365.0 / 13.0 + 0.02))
    seasonality: Array = parameter(0.1)
    integrator: AbstractIntegrator = RungeKutta(0.02)

    names: ClassVar[tuple[str, ...]] = ("susceptible", "infected")
    x0: ClassVar[tuple[float, ...]] = (0.05731, 0.0002238)
    dt: ClassVar[float] = 1.0 / 52.0
    period: ClassVar[float] = 1.0
    references: ClassVar[tuple[str, ...]] = ("keeling2008modeling",)
    truth: ClassVar[Reference | None] = TRUTHS["SeasonalSIR"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Susceptible and infected."""
        season = 1 + self.seasonality * jnp.cos(2 * jnp.pi * t)
        infections = self.contact * season * x[0] * x[1]
        return jnp.stack(
            [
                self.birth * (1 - x[0]) - infections,
                infections - (self.recovery + self.birth) * x[1],
            ]
        )


class SeasonalSEIR(AbstractFlow, AbstractKnown):
    r"""Measles: susceptible, exposed, infectious, with a seasonal contact rate.

    .. math:: \dot S = \mu (1 - S) - \beta(t) S I, \quad
              \dot E = \beta(t) S I - (\alpha + \mu) E, \quad
              \dot I = \alpha E - (\gamma + \mu) I, \quad
              \beta(t) = \beta_0 (1 + \beta_1 \cos 2 \pi t)

    Fractions of the population, time in years; the recovered are what is left.

    Parameters
    ----------
    birth : float
        :math:`\mu`, births and deaths per year.
    onset, recovery : float
        :math:`\alpha` and :math:`\gamma`, per year.
    contact : float
        :math:`\beta_0` per year.
    seasonality : float
        :math:`\beta_1`, relative amplitude of the seasons; chaos at 0.28.
    integrator : AbstractIntegrator

    References
    ----------
    Aron and Schwartz, J. Theor. Biol. 110, 665 (1984).
    """

    birth: Array = parameter(0.02)
    onset: Array = parameter(35.84)
    recovery: Array = parameter(100.0)
    contact: Array = parameter(1800.0)
    seasonality: Array = parameter(0.28)
    integrator: AbstractIntegrator = RungeKutta(0.0033)

    names: ClassVar[tuple[str, ...]] = ("susceptible", "exposed", "infectious")
    x0: ClassVar[tuple[float, ...]] = (0.05622, 0.0003487, 0.0001164)
    dt: ClassVar[float] = 1.0 / 52.0
    period: ClassVar[float] = 1.0
    references: ClassVar[tuple[str, ...]] = ("aron1984seasonality",)
    truth: ClassVar[Reference | None] = TRUTHS["SeasonalSEIR"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Susceptible, exposed and infectious."""
        season = 1 + self.seasonality * jnp.cos(2 * jnp.pi * t)
        infections = self.contact * season * x[0] * x[2]
        return jnp.stack(
            [
                self.birth * (1 - x[0]) - infections,
                infections - (self.onset + self.birth) * x[1],
                self.onset * x[1] - (self.recovery + self.birth) * x[2],
            ]
        )
