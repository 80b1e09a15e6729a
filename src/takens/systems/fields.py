"""Partial differential equations on periodic grids that people know."""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator
from takens.core.system import parameter, static
from takens.systems.etdrk4 import ETDRK4
from takens.systems.field import AbstractField


def _advection(field: AbstractField, v: Any) -> Any:
    """Modes of ``-u u_x``, in the form ``-(u^2/2)_x`` that conserves the mean."""
    (k,) = field.wavenumbers()
    values = field.on_grid(field.from_modes(v))
    return -0.5j * k * jnp.fft.rfft(values**2)


class KuramotoSivashinsky(AbstractField):
    r"""Kuramoto-Sivashinsky: flame fronts and falling films; the simplest chaotic field.

    .. math:: u_t = -u u_x - u_{xx} - u_{xxxx}

    Parameters
    ----------
    length : float
        Of the periodic domain; the uniform state is unstable from 2 pi on, chaos from about 20 on.
    n_points : int
        Points of the grid; 64 resolve lengths up to about 30.
    integrator : AbstractIntegrator

    Notes
    -----
    The mean of `u` is conserved, and the equation is invariant under shifts and Galilean boosts. So
    three exponents vanish on the attractor, for time, shift and mean: a Kaplan-Yorke dimension
    counts all three, and one that is quoted for zero mean is smaller by one.

    References
    ----------
    Cvitanovic, Davidchack and Siminos, SIAM J. Appl. Dyn. Syst. 9, 1 (2010).

    Examples
    --------
    >>> import numpy as np
    >>> system = KuramotoSivashinsky()
    >>> x = np.cos(2 * np.pi * np.asarray(system.grid) / 22.0)
    >>> moved = system.as_map(0.25).step(0, x)
    >>> bool(abs(moved.mean() - x.mean()) < 1e-12)
    True
    """

    length: Array = parameter(22.0)
    n_points: int = static(64)
    integrator: AbstractIntegrator = ETDRK4(max_step=0.125)

    conserves_mean: ClassVar[bool] = True

    def symbol(self) -> Any:
        """``k^2 - k^4``: long waves grow, short ones decay."""
        (k,) = self.wavenumbers()
        return k**2 - k**4

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Advection of the field by itself."""
        return _advection(self, v)


class Burgers(AbstractField):
    r"""Viscous Burgers: steepening against viscosity; solved exactly by Cole and Hopf.

    .. math:: u_t = -u u_x + \nu u_{xx}

    Parameters
    ----------
    viscosity : float
        Fronts have a width of about viscosity / amplitude, which the grid must resolve.
    length : float
        Of the periodic domain.
    n_points : int
        Points of the grid.
    integrator : AbstractIntegrator

    Notes
    -----
    The mean of `u` is conserved; every solution decays to it.

    References
    ----------
    Hopf, Comm. Pure Appl. Math. 3, 201 (1950).
    """

    viscosity: Array = parameter(0.1)
    length: Array = parameter(6.283185307179586)
    n_points: int = static(128)
    integrator: AbstractIntegrator = ETDRK4(max_step=0.01)

    conserves_mean: ClassVar[bool] = True

    def symbol(self) -> Any:
        """``-viscosity k^2``."""
        (k,) = self.wavenumbers()
        return -self.viscosity * k**2

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Advection of the field by itself."""
        return _advection(self, v)


class KortewegDeVries(AbstractField):
    r"""Korteweg-de Vries: waves on shallow water; integrable, with solitons.

    .. math:: u_t = -6 u u_x - u_{xxx}

    Parameters
    ----------
    length : float
        Of the periodic domain.
    n_points : int
        Points of the grid; a soliton of speed c has a width of about 4 / sqrt(c).
    integrator : AbstractIntegrator

    Notes
    -----
    The mean of `u` is conserved, and so are infinitely many other integrals, by the equation if not
    by the integrator.

    References
    ----------
    Gardner, Greene, Kruskal and Miura, Phys. Rev. Lett. 19, 1095 (1967).
    """

    length: Array = parameter(40.0)
    n_points: int = static(128)
    integrator: AbstractIntegrator = ETDRK4(max_step=0.01)

    conserves_mean: ClassVar[bool] = True

    def symbol(self) -> Any:
        """``i k^3``: pure dispersion. The shortest wave, whose sign is undefined, stands still."""
        (k,) = self.wavenumbers()
        return 1j * k**3 * self.kept()

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Advection of the field by itself, six times."""
        return 6 * _advection(self, v)


class FisherKPP(AbstractField):
    r"""Fisher-KPP: growth and diffusion; fronts invade the empty state.

    .. math:: u_t = D u_{xx} + r u (1 - u)

    Parameters
    ----------
    diffusivity : float
        D, in length^2 per time.
    rate : float
        r, per time.
    length : float
        Of the periodic domain.
    n_points : int
        Points of the grid; a front has a width of about 8 sqrt(D / r).
    integrator : AbstractIntegrator

    Notes
    -----
    Fronts that start from a bounded patch approach the speed 2 sqrt(r D) as 1/t (the correction of
    Bramson, -3/(2t) sqrt(D/r)); steeper data never move faster. The exact front
    ``(1 + exp(z/sqrt(6)))**-2`` at D = r = 1 moves at 5/sqrt(6). The empty state is unstable, so
    rounding errors ahead of a front grow as exp(r t): a run longer than about 25/r shows them.

    References
    ----------
    Fisher, Ann. Eugen. 7, 355 (1937). Ablowitz and Zeppetella, Bull. Math. Biol. 41, 835 (1979).
    """

    diffusivity: Array = parameter(1.0)
    rate: Array = parameter(1.0)
    length: Array = parameter(100.0)
    n_points: int = static(256)
    integrator: AbstractIntegrator = ETDRK4(max_step=0.1)

    def symbol(self) -> Any:
        """``r - D k^2``."""
        (k,) = self.wavenumbers()
        return self.rate - self.diffusivity * k**2

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Crowding, ``-r u^2``."""
        return -self.rate * jnp.fft.rfft(self.on_grid(self.from_modes(v)) ** 2)


class ComplexGinzburgLandau(AbstractField):
    r"""Complex Ginzburg-Landau: the amplitude of a wave just past its onset.

    .. math:: A_t = A + (1 + i\alpha) A_{xx} - (1 + i\beta) |A|^2 A, \quad A = \text{re} + i\,\text{im}

    Parameters
    ----------
    alpha, beta : float
        Linear and nonlinear dispersion. Uniform oscillation is unstable (Benjamin-Feir) where
        1 + alpha beta < 0; phase turbulence at (2, -0.9), defect turbulence at (2, -2).
    length : float
        Of the periodic domain.
    n_points : int
        Points of the grid.
    integrator : AbstractIntegrator

    Notes
    -----
    Shifts in space and in phase leave the equation unchanged: two exponents vanish beside that of
    time.

    References
    ----------
    Aranson and Kramer, Rev. Mod. Phys. 74, 99 (2002), eq. 1.
    """

    alpha: Array = parameter(2.0)
    beta: Array = parameter(-2.0)
    length: Array = parameter(50.0)
    n_points: int = static(128)
    integrator: AbstractIntegrator = ETDRK4(max_step=0.05)

    components: ClassVar[tuple[str, ...]] = ("re", "im")
    degree: ClassVar[int] = 3

    def symbol(self) -> Any:
        """``1 - (1 + i alpha) k^2``."""
        (k,) = self.wavenumbers()
        return 1 - (1 + 1j * self.alpha) * k**2

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Saturation and the shift of frequency with amplitude."""
        a = jnp.fft.ifft(v)
        return -(1 + 1j * self.beta) * jnp.fft.fft((a.real**2 + a.imag**2) * a)

    def to_modes(self, x: Any) -> Any:
        """Fourier coefficients of the complex amplitude, shape (n_points,)."""
        real, imaginary = self.on_grid(x)
        return jnp.fft.fft(real + 1j * imaginary)

    def from_modes(self, v: Any) -> Any:
        """Real parts at all points, then imaginary parts."""
        a = jnp.fft.ifft(v)
        return jnp.concatenate([a.real, a.imag])

    def wave_counts(self) -> list[Any]:
        """Whole waves per domain, of both signs since the amplitude is complex."""
        return [np.fft.fftfreq(self.n_points, 1 / self.n_points)]


class BrusselatorField(AbstractField):
    r"""The Brusselator with diffusion on a square: Turing patterns and chemical waves.

    .. math::

        u_t = a - (b + 1) u + u^2 v + D_u \nabla^2 u, \qquad v_t = b u - u^2 v + D_v \nabla^2 v

    Parameters
    ----------
    a, b : float
        Feed rates. The uniform state (a, b/a) loses stability to waves at b = 1 + a^2 and to
        patterns at b = (1 + a sqrt(D_u/D_v))^2, whichever comes first.
    diffusivity_u, diffusivity_v : float
        In length^2 per time.
    length : float
        Of a side of the periodic square.
    n_points : int
        Points along a side.
    integrator : AbstractIntegrator

    References
    ----------
    Prigogine and Lefever, J. Chem. Phys. 48, 1695 (1968).
    """

    a: Array = parameter(3.0)
    b: Array = parameter(9.0)
    diffusivity_u: Array = parameter(5.0)
    diffusivity_v: Array = parameter(12.0)
    length: Array = parameter(64.0)
    n_points: int = static(64)
    integrator: AbstractIntegrator = ETDRK4(max_step=0.01)

    axes: ClassVar[int] = 2
    components: ClassVar[tuple[str, ...]] = ("u", "v")
    degree: ClassVar[int] = 3

    def symbol(self) -> Any:
        """Diffusion of both, and the linear loss of `u`."""
        k2 = _squared(self)
        return jnp.stack([-self.diffusivity_u * k2 - (self.b + 1), -self.diffusivity_v * k2])

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Feed and autocatalysis."""
        first, second = self.on_grid(self.from_modes(v))
        made = first**2 * second
        return jnp.fft.rfftn(jnp.stack([self.a + made, self.b * first - made]), axes=(1, 2))


class GrayScott(AbstractField):
    r"""Gray-Scott on a square: spots that divide, stripes, chaos of spots.

    .. math::

        u_t = D_u \nabla^2 u - u v^2 + F (1 - u), \qquad v_t = D_v \nabla^2 v + u v^2 - (F + k) v

    Parameters
    ----------
    feed, kill : float
        F and k, per time.
    diffusivity_u, diffusivity_v : float
        In length^2 per time.
    length : float
        Of a side of the periodic square.
    n_points : int
        Points along a side.
    integrator : AbstractIntegrator

    Notes
    -----
    The empty state (1, 0) is always stable: patterns need a seed of finite size.

    References
    ----------
    Pearson, Science 261, 189 (1993).
    """

    feed: Array = parameter(0.04)
    kill: Array = parameter(0.06)
    diffusivity_u: Array = parameter(2e-5)
    diffusivity_v: Array = parameter(1e-5)
    length: Array = parameter(1.25)
    n_points: int = static(64)
    integrator: AbstractIntegrator = ETDRK4(max_step=1.0)

    axes: ClassVar[int] = 2
    components: ClassVar[tuple[str, ...]] = ("u", "v")
    degree: ClassVar[int] = 3

    def symbol(self) -> Any:
        """Diffusion and linear loss of both."""
        k2 = _squared(self)
        return jnp.stack(
            [
                -self.diffusivity_u * k2 - self.feed,
                -self.diffusivity_v * k2 - (self.feed + self.kill),
            ]
        )

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Feed and autocatalysis."""
        first, second = self.on_grid(self.from_modes(v))
        made = first * second**2
        return jnp.fft.rfftn(jnp.stack([self.feed - made, made]), axes=(1, 2))


def _squared(field: AbstractField) -> Any:
    """The Laplacian's symbol, with its sign turned."""
    return sum(k**2 for k in field.wavenumbers())
