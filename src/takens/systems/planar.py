"""Maps of the plane and of more components: discrete time, one iterate a step."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.system import AbstractMap, parameter, static
from takens.systems.known import AbstractKnown, Reference
from takens.systems.truths import TRUTHS


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
    x0: ClassVar[tuple[float, ...]] = (-0.7095, 0.319)
    references: ClassVar[tuple[str, ...]] = ("henon1976two",)
    truth: ClassVar[Reference | None] = TRUTHS["HenonMap"]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Hénon (1976), eq. 4."""
        return jnp.stack([1 - self.a * x[0] ** 2 + x[1], self.b * x[0]])


class LoziMap(AbstractMap, AbstractKnown):
    r"""Lozi's piecewise linear relative of Hénon's map; its chaos is proved.

    .. math:: x_{n+1} = 1 - a |x_n| + y_n, \quad y_{n+1} = b x_n

    Parameters
    ----------
    a, b : float
        Without unit; the determinant is ``-b``.

    References
    ----------
    Lozi, J. Phys. Colloq. 39, C5-9 (1978); Misiurewicz, Ann. N. Y. Acad. Sci. 357, 348 (1980).
    """

    a: Array = parameter(1.7)
    b: Array = parameter(0.5)

    names: ClassVar[tuple[str, ...]] = ("x", "y")
    x0: ClassVar[tuple[float, ...]] = (-0.2672, 0.411)
    references: ClassVar[tuple[str, ...]] = ("lozi1978attracteur", "misiurewicz1980strange")
    truth: ClassVar[Reference | None] = TRUTHS["LoziMap"]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """A fold with a sharp edge at ``x = 0``."""
        return jnp.stack([1 - self.a * jnp.abs(x[0]) + x[1], self.b * x[0]])


class IkedaMap(AbstractMap, AbstractKnown):
    r"""Ikeda's light in a ring cavity with a nonlinear medium.

    .. math:: z_{n+1} = A + B z_n \exp\left(i \left(\kappa
              - \frac{\alpha}{1 + |z_n|^2}\right)\right), \quad z = x + i y

    Parameters
    ----------
    source : float
        A, the light fed in.
    feedback : float
        B, the amplitude that survives a round trip; areas shrink by its square.
    detuning, shift : float
        :math:`\kappa` and :math:`\alpha`, phases in radians.

    References
    ----------
    Ikeda, Opt. Commun. 30, 257 (1979); in this form Hammel, Jones and Moloney, J. Opt. Soc. Am. B
    2, 552 (1985).
    """

    source: Array = parameter(1.0)
    feedback: Array = parameter(0.9)
    detuning: Array = parameter(0.4)
    shift: Array = parameter(6.0)

    names: ClassVar[tuple[str, ...]] = ("real", "imaginary")
    x0: ClassVar[tuple[float, ...]] = (1.2081, -1.0181)
    references: ClassVar[tuple[str, ...]] = ("ikeda1979multiple", "hammel1985global")
    truth: ClassVar[Reference | None] = TRUTHS["IkedaMap"]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """One round trip of the light."""
        phase = self.detuning - self.shift / (1 + x[0] ** 2 + x[1] ** 2)
        cosine, sine = self.feedback * jnp.cos(phase), self.feedback * jnp.sin(phase)
        return jnp.stack([self.source + cosine * x[0] - sine * x[1], sine * x[0] + cosine * x[1]])


class StandardMap(AbstractMap, AbstractKnown):
    r"""Chirikov's standard map, the kicked rotor: it preserves area.

    .. math:: p_{n+1} = p_n + K \sin\theta_n, \quad \theta_{n+1} = \theta_n + p_{n+1}
              \pmod{2 \pi}

    The last barrier breaks at :math:`K \approx 0.971635`; for large K the exponent is near
    :math:`\ln(K / 2)`.

    Parameters
    ----------
    kick : float
        K; at small values chaos and islands mix, and an exponent depends on where one starts.

    References
    ----------
    Chirikov, Phys. Rep. 52, 263 (1979).
    """

    kick: Array = parameter(6.0)

    names: ClassVar[tuple[str, ...]] = ("angle", "momentum")
    x0: ClassVar[tuple[float, ...]] = (3.0, 1.0)
    references: ClassVar[tuple[str, ...]] = ("chirikov1979universal",)
    truth: ClassVar[Reference | None] = TRUTHS["StandardMap"]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Kick, then turn; both in radians, 0 to 2 pi."""
        momentum = x[1] + self.kick * jnp.sin(x[0])
        return jnp.stack([x[0] + momentum, momentum]) % (2 * jnp.pi)


class ArnoldCat(AbstractMap, AbstractKnown):
    r"""Arnold's cat map of the torus: hyperbolic everywhere, and all of it known.

    .. math:: (x, y) \mapsto (x + y, x + 2 y) \bmod 1

    Its exponents are :math:`\pm \ln \tfrac12 (3 + \sqrt 5)`.

    Notes
    -----
    On the binary grid of floating point the map is a permutation: every computed orbit is periodic,
    though with a period far beyond any computation.

    References
    ----------
    Arnold and Avez, Ergodic Problems of Classical Mechanics (1968).
    """

    names: ClassVar[tuple[str, ...]] = ("x", "y")
    x0: ClassVar[tuple[float, ...]] = (0.3456, 0.7891)
    references: ClassVar[tuple[str, ...]] = ("arnold1968ergodic",)
    truth: ClassVar[Reference | None] = TRUTHS["ArnoldCat"]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """A shear along each axis."""
        return jnp.stack([x[0] + x[1], x[0] + 2 * x[1]]) % 1.0


class NewtonMap(AbstractMap, AbstractKnown):
    r"""Newton's method for the cube roots of one: three basins with one common boundary.

    .. math:: z_{n+1} = z_n - \frac{z_n^3 - 1}{3 z_n^2}, \quad z = x + i y

    Each root attracts quadratically, so its exponents are minus infinity. The origin has no image.

    References
    ----------
    Peitgen and Richter, The Beauty of Fractals (1986).
    """

    names: ClassVar[tuple[str, ...]] = ("real", "imaginary")
    x0: ClassVar[tuple[float, ...]] = (1.0, 0.0)
    references: ClassVar[tuple[str, ...]] = ("peitgen1986beauty",)

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """``(2 z + z**-2) / 3``."""
        real, imaginary = x[0] ** 2 - x[1] ** 2, 2 * x[0] * x[1]
        inverse = jnp.stack([real, -imaginary]) / (real**2 + imaginary**2)
        return (2 * x + inverse) / 3


class LeslieRicker(AbstractMap, AbstractKnown):
    r"""Young and adults: Leslie's age classes with Ricker's crowding.

    .. math:: x_{n+1} = (f_1 x_n + f_2 y_n) e^{-\kappa (x_n + y_n)}, \quad y_{n+1} = p x_n

    Parameters
    ----------
    fecundity_young, fecundity_adult : float
        :math:`f_1, f_2`, offspring per head and step.
    survival : float
        p, from young to adult.
    crowding : float
        :math:`\kappa`, per head.

    References
    ----------
    Ugarcovici and Weiss, Nonlinearity 17, 1689 (2004).
    """

    fecundity_young: Array = parameter(25.0)
    fecundity_adult: Array = parameter(25.0)
    survival: Array = parameter(0.9)
    crowding: Array = parameter(0.1)

    names: ClassVar[tuple[str, ...]] = ("young", "adult")
    x0: ClassVar[tuple[float, ...]] = (44.68, 1.579)
    references: ClassVar[tuple[str, ...]] = ("ugarcovici2004chaotic",)
    truth: ClassVar[Reference | None] = TRUTHS["LeslieRicker"]

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Births, then ageing."""
        births = self.fecundity_young * x[0] + self.fecundity_adult * x[1]
        return jnp.stack([births * jnp.exp(-self.crowding * (x[0] + x[1])), self.survival * x[0]])


class CoupledLogistic(AbstractMap, AbstractKnown):
    r"""Kaneko's ring of logistic maps, each coupled to its neighbours: chaos in space and time.

    .. math:: x^i_{n+1} = (1 - \varepsilon) f(x^i_n)
              + \tfrac12 \varepsilon (f(x^{i-1}_n) + f(x^{i+1}_n)), \quad f(x) = 1 - a x^2

    Parameters
    ----------
    a : float
        Of the map at each site, 0 to 2.
    coupling : float
        :math:`\varepsilon`, 0 to 1.
    n_sites : int
        Sites on the ring; part of the program.

    References
    ----------
    Kaneko, Prog. Theor. Phys. 72, 480 (1984).
    """

    a: Array = parameter(1.9)
    coupling: Array = parameter(0.1)
    n_sites: int = static(8)

    references: ClassVar[tuple[str, ...]] = ("kaneko1984period",)
    truth: ClassVar[Reference | None] = TRUTHS["CoupledLogistic"]

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for each site."""
        return tuple(f"x{i + 1}" for i in range(self.n_sites))

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """Spread by the golden ratio, so that no two sites are equal and no symmetry holds."""
        return tuple(round(2 * (0.618034 * i % 1) - 1, 3) for i in range(1, self.n_sites + 1))

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Each site, then the mean of its neighbours."""
        y = 1 - self.a * x**2
        return (1 - self.coupling) * y + self.coupling / 2 * (jnp.roll(y, 1) + jnp.roll(y, -1))


class LinearMap(AbstractMap, AbstractKnown):
    r"""A linear map; everything about it is known.

    .. math:: x_{n+1} = A x_n

    Its exponents are the logarithms of the moduli of the eigenvalues of A.

    Parameters
    ----------
    matrix : array, shape (dim, dim)
        A; a damped rotation by default.

    References
    ----------
    Strogatz, Nonlinear Dynamics and Chaos (2015), chapter 10.
    """

    matrix: Array = parameter(((0.8, 0.5), (-0.5, 0.8)))

    references: ClassVar[tuple[str, ...]] = ("strogatz2015nonlinear",)
    truth: ClassVar[Reference | None] = TRUTHS["LinearMap"]

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for each row of the matrix."""
        return tuple(f"x{i + 1}" for i in range(self.matrix.shape[-1]))

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """One in every component."""
        return (1.0,) * self.dim

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The matrix times the state."""
        return self.matrix @ x
