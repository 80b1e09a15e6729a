"""Excitable cells."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, parameter
from takens.systems.known import AbstractKnown, Reference, pushed
from takens.systems.truths import TRUTHS


class FitzHughNagumo(AbstractFlow, AbstractKnown):
    r"""FitzHugh's and Nagumo's excitable cell.

    .. math:: \dot v = v - \tfrac13 v^3 - w + I + u, \quad \dot w = \varepsilon (v + a - b w)

    Parameters
    ----------
    a, b : float
        Place and slope of the recovery nullcline.
    epsilon : float
        Rate of recovery.
    current : float
        The constant current I; the cell fires between about 0.33 and 1.42.
    integrator : AbstractIntegrator

    References
    ----------
    FitzHugh, Biophys. J. 1, 445 (1961); Nagumo, Arimoto and Yoshizawa, Proc. IRE 50, 2061 (1962).
    """

    a: Array = parameter(0.7)
    b: Array = parameter(0.8)
    epsilon: Array = parameter(0.08)
    current: Array = parameter(0.5)
    integrator: AbstractIntegrator = RungeKutta(0.1)

    names: ClassVar[tuple[str, ...]] = ("voltage", "recovery")
    x0: ClassVar[tuple[float, ...]] = (0.2812, 1.393)
    dt: ClassVar[float] = 0.5
    inputs: ClassVar[tuple[str, ...]] = ("current",)
    references: ClassVar[tuple[str, ...]] = ("fitzhugh1961impulses", "nagumo1962active")
    truth: ClassVar[Reference | None] = TRUTHS["FitzHughNagumo"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Voltage and recovery."""
        v, w = x
        return jnp.stack(
            [
                v - v**3 / 3 - w + self.current + pushed(u),
                self.epsilon * (v + self.a - self.b * w),
            ]
        )


class HindmarshRose(AbstractFlow, AbstractKnown):
    r"""Hindmarsh's and Rose's bursting cell.

    .. math:: \dot x = y - a x^3 + b x^2 - z + I + u, \quad \dot y = c - d x^2 - y, \quad
              \dot z = r (s (x - x_R) - z)

    Parameters
    ----------
    a, b, c, d : float
        Of the fast spikes.
    r : float
        Rate of the slow adaptation.
    s, x_rest : float
        Slope and place of the adaptation.
    current : float
        The constant current I; near 3.25 the bursts are chaotic.
    integrator : AbstractIntegrator

    References
    ----------
    Hindmarsh and Rose, Proc. R. Soc. B 221, 87 (1984).
    """

    a: Array = parameter(1.0)
    b: Array = parameter(3.0)
    c: Array = parameter(1.0)
    d: Array = parameter(5.0)
    r: Array = parameter(0.006)
    s: Array = parameter(4.0)
    x_rest: Array = parameter(-1.6)
    current: Array = parameter(3.25)
    integrator: AbstractIntegrator = RungeKutta(0.02)

    names: ClassVar[tuple[str, ...]] = ("voltage", "spiking", "adaptation")
    x0: ClassVar[tuple[float, ...]] = (-1.137, -5.435, 3.171)
    dt: ClassVar[float] = 0.1
    inputs: ClassVar[tuple[str, ...]] = ("current",)
    references: ClassVar[tuple[str, ...]] = ("hindmarsh1984model",)
    truth: ClassVar[Reference | None] = TRUTHS["HindmarshRose"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Voltage, spiking and adaptation."""
        v, w, z = x
        return jnp.stack(
            [
                w - self.a * v**3 + self.b * v**2 - z + self.current + pushed(u),
                self.c - self.d * v**2 - w,
                self.r * (self.s * (v - self.x_rest) - z),
            ]
        )


def _ratio(y: Any) -> Any:
    """``y / (1 - exp(-y))``, with its limit 1 at zero; smooth to every order that is used."""
    small = jnp.abs(y) < 1e-4
    safe = jnp.where(small, 1.0, y)
    return jnp.where(small, 1 + y / 2 + y**2 / 12, safe / -jnp.expm1(-safe))


class HodgkinHuxley(AbstractFlow, AbstractKnown):
    r"""Hodgkin's and Huxley's squid axon at one point of the membrane.

    .. math:: C \dot V = I + u - g_\mathrm{Na} m^3 h (V - E_\mathrm{Na})
              - g_\mathrm{K} n^4 (V - E_\mathrm{K}) - g_\mathrm{L} (V - E_\mathrm{L}), \quad
              \dot q = \alpha_q(V) (1 - q) - \beta_q(V) q, \quad q = m, h, n

    with the rates of the paper in the modern convention: rest near -65 mV, inside negative.

    Parameters
    ----------
    current : float
        The constant current I in microampere per square centimetre; the cell fires from about 6.3.
    capacitance : float
        In microfarad per square centimetre.
    g_sodium, g_potassium, g_leak : float
        Conductances in millisiemens per square centimetre.
    e_sodium, e_potassium, e_leak : float
        Reversal potentials in millivolt.
    integrator : AbstractIntegrator

    References
    ----------
    Hodgkin and Huxley, J. Physiol. 117, 500 (1952), eq. 26 with the rates of table 3.
    """

    current: Array = parameter(10.0)
    capacitance: Array = parameter(1.0)
    g_sodium: Array = parameter(120.0)
    g_potassium: Array = parameter(36.0)
    g_leak: Array = parameter(0.3)
    e_sodium: Array = parameter(50.0)
    e_potassium: Array = parameter(-77.0)
    e_leak: Array = parameter(-54.387)
    integrator: AbstractIntegrator = RungeKutta(0.0125)

    names: ClassVar[tuple[str, ...]] = ("voltage", "m", "h", "n")
    x0: ClassVar[tuple[float, ...]] = (-67.6, 0.03684, 0.4108, 0.4353)
    dt: ClassVar[float] = 0.1
    inputs: ClassVar[tuple[str, ...]] = ("current",)
    references: ClassVar[tuple[str, ...]] = ("hodgkin1952quantitative",)
    truth: ClassVar[Reference | None] = TRUTHS["HodgkinHuxley"]

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """Voltage in mV and the three gates; time in ms."""
        v, m, h, n = x
        ions = (
            self.g_sodium * m**3 * h * (v - self.e_sodium)
            + self.g_potassium * n**4 * (v - self.e_potassium)
            + self.g_leak * (v - self.e_leak)
        )
        opening = (
            _ratio((v + 40) / 10),
            0.07 * jnp.exp(-(v + 65) / 20),
            0.1 * _ratio((v + 55) / 10),
        )
        closing = (
            4 * jnp.exp(-(v + 65) / 18),
            1 / (1 + jnp.exp(-(v + 35) / 10)),
            0.125 * jnp.exp(-(v + 65) / 80),
        )
        gates = [a * (1 - q) - b * q for a, b, q in zip(opening, closing, (m, h, n), strict=True)]
        return jnp.stack([(self.current + pushed(u) - ions) / self.capacitance, *gates])
