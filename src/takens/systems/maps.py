"""Maps: discrete time, one iterate a step."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.system import AbstractMap, parameter
from takens.systems.known import AbstractKnown


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

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """May (1976), eq. 3."""
        return self.r * x * (1 - x)


class HenonMap(AbstractMap, AbstractKnown):
    r"""Hénon's map of the plane: stretch, fold, contract by the same factor everywhere.

    .. math:: x_{n+1} = 1 - a x_n^2 + y_n, \quad y_{n+1} = b x_n

    Parameters
    ----------
    a, b : float
        Without unit; the determinant is ``-b``.

    References
    ----------
    Hénon, Commun. Math. Phys. 50, 69 (1976), eq. 4.
    """

    a: Array = parameter(1.4)
    b: Array = parameter(0.3)

    names: ClassVar[tuple[str, ...]] = ("x", "y")
    x0: ClassVar[tuple[float, ...]] = (0.6313, 0.1894)
    references: ClassVar[tuple[str, ...]] = ("henon1976two",)

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Hénon (1976), eq. 4."""
        return jnp.stack([1 - self.a * x[0] ** 2 + x[1], self.b * x[0]])
