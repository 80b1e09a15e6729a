"""Fields on a line, periodic: fronts, solitons, waves and their turbulence."""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator
from takens.core.system import parameter, static
from takens.systems.etdrk4 import ETDRK4
from takens.systems.field import AbstractField, flattened, phase
from takens.systems.known import AbstractKnown, Reference


def _advection(field: AbstractField, v: Any) -> Any:
    """Modes of ``-u u_x``, in the form ``-(u^2/2)_x`` that conserves the mean."""
    (k,) = field.wavenumbers()
    values = field.on_grid(field.from_modes(v))
    return -0.5j * k * jnp.fft.rfft(values**2)


class KuramotoSivashinsky(AbstractField, AbstractKnown):
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

    dt: ClassVar[float] = 0.5
    references: ClassVar[tuple[str, ...]] = ("cvitanovic2010state",)
    truth: ClassVar[Reference | None] = Reference(
        exponents=(0.0481, 0.0003, 0.0, -0.0002, -0.0036, -0.1884, -0.2544, -0.2898, -0.3091),
        standard_errors=(6e-4, 2e-4, 1e-4, 2e-4, 8e-4, 1.2e-3, 1.1e-3, 7e-4, 8e-4),
        dimension=5.237,
        dimension_error=0.004,
        identity="three zero exponents: time, shift, mean",
        settings="largest 9 of 64; T = 100,000 after 1,000, orthonormalised every 0.5, ETDRK4(0.125); "
        "96 points and steps of 0.0625 agree",
        agrees_with="leading exponent 0.048 (Cvitanovic, Davidchack and Siminos 2010)",
    )

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """Two long waves out of phase; within 200 time units the orbit is on the attractor."""
        a = phase(self)
        return flattened(np.cos(a) + np.sin(2 * a + 1) + 0.5 * np.cos(3 * a + 2))

    def symbol(self) -> Any:
        """``k^2 - k^4``: long waves grow, short ones decay."""
        (k,) = self.wavenumbers()
        return k**2 - k**4

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Advection of the field by itself."""
        return _advection(self, v)


class Burgers(AbstractField, AbstractKnown):
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

    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("hopf1950partial",)

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """A wave and its half, which steepen into two fronts."""
        a = phase(self)
        return flattened(np.sin(a) + 0.5 * np.sin(2 * a + 1))

    def symbol(self) -> Any:
        """``-viscosity k^2``."""
        (k,) = self.wavenumbers()
        return -self.viscosity * k**2

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Advection of the field by itself."""
        return _advection(self, v)


class KortewegDeVries(AbstractField, AbstractKnown):
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

    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("gardner1967method",)

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """Two solitons, of speeds 2 and 0.8 at the default length; the fast one comes from behind."""
        z = 40.0 * phase(self) / (2 * np.pi)
        solitons = [(2.0, 10.0), (0.8, 25.0)]
        return flattened(sum(c / 2 / np.cosh(np.sqrt(c) / 2 * (z - a)) ** 2 for c, a in solitons))

    def symbol(self) -> Any:
        """``i k^3``: pure dispersion. The shortest wave, whose sign is undefined, stands still."""
        (k,) = self.wavenumbers()
        return 1j * k**3 * self.kept()

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Advection of the field by itself, six times."""
        return 6 * _advection(self, v)


class FisherKPP(AbstractField, AbstractKnown):
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

    dt: ClassVar[float] = 0.5
    references: ClassVar[tuple[str, ...]] = ("fisher1937wave", "ablowitz1979explicit")

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """A patch in the middle, about a tenth of the domain wide."""
        return flattened(np.exp(-((3 * (phase(self) - np.pi)) ** 2)))

    def symbol(self) -> Any:
        """``r - D k^2``."""
        (k,) = self.wavenumbers()
        return self.rate - self.diffusivity * k**2

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Crowding, ``-r u^2``."""
        return -self.rate * jnp.fft.rfft(self.on_grid(self.from_modes(v)) ** 2)


class ComplexGinzburgLandau(AbstractField, AbstractKnown):
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

    dt: ClassVar[float] = 0.25
    references: ClassVar[tuple[str, ...]] = ("aranson2002world",)

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """Uneven in amplitude and phase; at the default parameters turbulent within 50 time units."""
        a = phase(self)
        wave = (0.8 + 0.3 * np.cos(a)) * np.exp(1j * (np.sin(2 * a + 1) + np.cos(3 * a)))
        return flattened(wave.real, wave.imag)

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
