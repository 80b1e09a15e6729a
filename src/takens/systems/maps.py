"""Maps of the interval and of the circle: discrete time, one component."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.system import AbstractMap, parameter
from takens.systems.known import AbstractKnown, Reference
from takens.systems.truths import TRUTHS


class LogisticMap(AbstractMap, AbstractKnown):
    r"""The logistic map, from one fixed point through period doubling to chaos.

    .. math:: x_{n+1} = r x_n (1 - x_n)

    At :math:`r = 4` it is conjugate to the tent map: density
    :math:`1 / (\pi \sqrt{x (1 - x)})`, exponent :math:`\ln 2`.

    Parameters
    ----------
    r : float
        Growth rate, 0 to 4.

    Notes
    -----
    In double precision every orbit ends in a cycle, at r = 4 after some ten million iterates.

    References
    ----------
    May, Nature 261, 459 (1976), eq. 3.
    """

    r: Array = parameter(4.0)

    names: ClassVar[tuple[str, ...]] = ("x",)
    x0: ClassVar[tuple[float, ...]] = (0.3456,)
    references: ClassVar[tuple[str, ...]] = ("may1976simple",)
    truth: ClassVar[Reference | None] = TRUTHS["LogisticMap"]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """May (1976), eq. 3."""
        return self.r * x * (1 - x)


class TentMap(AbstractMap, AbstractKnown):
    r"""The tent map, the logistic map made piecewise linear.

    .. math:: x_{n+1} = s \min(x_n, 1 - x_n)

    Its exponent is :math:`\ln s` at every state but the tip.

    Parameters
    ----------
    slope : float
        s, 0 to 2.

    Notes
    -----
    With a slope of exactly 2 every floating-point orbit is zero after 53 iterates, as each one
    shifts out a binary digit. The default is therefore just below.

    References
    ----------
    Ott, Chaos in Dynamical Systems (2002), section 2.1.
    """

    slope: Array = parameter(1.99)

    names: ClassVar[tuple[str, ...]] = ("x",)
    x0: ClassVar[tuple[float, ...]] = (0.3456,)
    references: ClassVar[tuple[str, ...]] = ("ott2002chaos",)
    truth: ClassVar[Reference | None] = TRUTHS["TentMap"]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The smaller of the two lines."""
        return self.slope * jnp.minimum(x, 1 - x)


class BernoulliMap(AbstractMap, AbstractKnown):
    r"""The Bernoulli shift: multiply, and keep the fraction.

    .. math:: x_{n+1} = s x_n \bmod 1

    Its exponent is :math:`\ln s` at every state but the jumps.

    Parameters
    ----------
    slope : float
        s, above 1; the doubling map has 2.

    Notes
    -----
    With a slope of exactly 2 every floating-point orbit is zero after 53 iterates, as each one
    shifts out a binary digit. The default is therefore just below.

    References
    ----------
    Ott, Chaos in Dynamical Systems (2002), section 2.1.
    """

    slope: Array = parameter(1.99)

    names: ClassVar[tuple[str, ...]] = ("x",)
    x0: ClassVar[tuple[float, ...]] = (0.3456,)
    references: ClassVar[tuple[str, ...]] = ("ott2002chaos",)
    truth: ClassVar[Reference | None] = TRUTHS["BernoulliMap"]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The fraction of a multiple."""
        return (self.slope * x) % 1.0


class CircleMap(AbstractMap, AbstractKnown):
    r"""The sine circle map: quasi-periodicity against locking.

    .. math:: \theta_{n+1} = \theta_n + \Omega - \frac{K}{2 \pi} \sin 2 \pi \theta_n \bmod 1

    Invertible below K = 1, chaotic in places above.

    Parameters
    ----------
    omega : float
        Bare rotation per iterate, in turns.
    coupling : float
        K.

    References
    ----------
    Jensen, Bak and Bohr, Phys. Rev. A 30, 1960 (1984).
    """

    omega: Array = parameter(0.61)
    coupling: Array = parameter(0.8)

    names: ClassVar[tuple[str, ...]] = ("phase",)
    x0: ClassVar[tuple[float, ...]] = (0.3456,)
    references: ClassVar[tuple[str, ...]] = ("jensen1984transition",)

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The phase in turns, 0 to 1."""
        return self.lift(x) % 1.0

    def lift(self, x: Any) -> Any:
        """The map of the line that covers it: its mean displacement is the rotation number."""
        return x + self.omega - self.coupling / (2 * jnp.pi) * jnp.sin(2 * jnp.pi * x)


class RickerMap(AbstractMap, AbstractKnown):
    r"""Ricker's stock and recruitment: growth that crowding cuts off exponentially.

    .. math:: x_{n+1} = x_n e^{r (1 - x_n)}

    The equilibrium 1 loses its stability at :math:`r = 2`; chaos from about 2.69.

    Parameters
    ----------
    r : float
        Growth rate per generation; the state is in units of the carrying capacity.

    References
    ----------
    Ricker, J. Fish. Res. Board Can. 11, 559 (1954).
    """

    r: Array = parameter(3.0)

    names: ClassVar[tuple[str, ...]] = ("stock",)
    x0: ClassVar[tuple[float, ...]] = (1.746,)
    references: ClassVar[tuple[str, ...]] = ("ricker1954stock",)
    truth: ClassVar[Reference | None] = TRUTHS["RickerMap"]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Stock of the next generation."""
        return x * jnp.exp(self.r * (1 - x))
