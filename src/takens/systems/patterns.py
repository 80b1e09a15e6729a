"""Reaction and diffusion on a periodic square: Turing patterns, waves, spots."""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.core.integrators import AbstractIntegrator
from takens.core.system import parameter, static
from takens.systems.etdrk4 import ETDRK4
from takens.systems.field import AbstractField, flattened, phase
from takens.systems.known import AbstractKnown


class BrusselatorField(AbstractField, AbstractKnown):
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

    dt: ClassVar[float] = 0.1
    references: ClassVar[tuple[str, ...]] = ("prigogine1968symmetry",)

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """Near the uniform state of the default parameters, with many waves of small amplitude."""
        a = phase(self)
        rows = sum(np.cos(k * a + k**2) for k in range(1, 8))
        columns = sum(np.cos(k * a + 2 * k**2) for k in range(1, 8))
        nudge = 0.01 * np.add.outer(rows, columns) + 0.01 * np.multiply.outer(rows, columns)
        return flattened(3.0 + nudge, 3.0 - nudge)

    def symbol(self) -> Any:
        """Diffusion of both, and the linear loss of `u`."""
        k2 = _squared(self)
        return jnp.stack([-self.diffusivity_u * k2 - (self.b + 1), -self.diffusivity_v * k2])

    def nonlinear(self, t: Any, v: Any) -> Any:
        """Feed and autocatalysis."""
        first, second = self.on_grid(self.from_modes(v))
        made = first**2 * second
        return jnp.fft.rfftn(jnp.stack([self.a + made, self.b * first - made]), axes=(1, 2))


class GrayScott(AbstractField, AbstractKnown):
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

    dt: ClassVar[float] = 10.0
    references: ClassVar[tuple[str, ...]] = ("pearson1993complex",)

    @property
    def x0(self) -> tuple[float, ...]:  # type: ignore[override]
        """The empty state with one seed in the middle."""
        spot = np.exp(-(((phase(self) - np.pi) / 0.5) ** 2))
        seed = np.multiply.outer(spot, spot)
        return flattened(1 - 0.5 * seed, 0.25 * seed)

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
