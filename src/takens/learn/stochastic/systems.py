"""Learned diffusions: drift and noise on a grid, or as sums of terms."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from takens.core.integrators import AbstractStochasticIntegrator, EulerMaruyama
from takens.core.system import AbstractDiffusion, parameter


class GridDiffusion(AbstractDiffusion):
    r"""A diffusion of one or two components whose drift and noise are known on an even grid.

    Between the nodes both are interpolated by cubic convolution; outside the cells all of whose
    nodes are known they are NaN, since nothing is known there.

    Parameters
    ----------
    low, spacing : array, shape (dim,)
        First node and distance between nodes, in state units.
    drift_values : array, shape (node, ..., dim)
        State units per time unit.
    noise_values : array, shape (node, ..., dim, dim)
        The symmetric root of the squared noise, in state units per square root of time.
    known : array, shape (node, ...)
        One where the node is known, zero elsewhere.
    names : tuple of str
    integrator : AbstractStochasticIntegrator

    Notes
    -----
    A path that leaves the known region becomes NaN. Cost: a few hundred operations a call.

    References
    ----------
    Keys, IEEE Trans. Acoust. Speech Signal Process. 29, 1153 (1981), eq. 4.
    """

    low: Float[Array, " dim"] = parameter()
    spacing: Float[Array, " dim"] = parameter()
    drift_values: Array = parameter()
    noise_values: Array = parameter()
    known: Array = parameter()
    names: tuple[str, ...] = eqx.field(static=True)
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.01)

    def drift(self, t: Any, x: Any, u: Any = None) -> Any:
        """Interpolated; NaN outside the known region."""
        return self._at(self.drift_values, x)

    def diffusion(self, t: Any, x: Any, u: Any = None) -> Any:
        """Interpolated root of the squared noise; NaN outside the known region."""
        return self._at(self.noise_values, x)

    def _at(self, values: Any, x: Any) -> Any:
        dim = len(self.names)
        place = (x - self.low) / self.spacing
        sure = jnp.where(jnp.isfinite(place), place, 0.0)
        counts = jnp.asarray(self.known.shape)
        cell = jnp.clip(jnp.floor(sure), 0, counts - 2)
        share = sure - cell
        found, inside = values, self.known
        for axis in range(dim):
            nodes = cell[axis].astype(int) + jnp.arange(-1, 3)
            nodes = jnp.clip(nodes, 0, self.known.shape[axis] - 1)
            found = jnp.tensordot(_cubic(share[axis]), jnp.take(found, nodes, axis=0), 1)
            inside = jnp.take(inside, nodes[1:3], axis=0).prod(axis=0)
        within = ((place >= -1e-9) & (place <= counts - 1 + 1e-9)).all()
        return found * jnp.where(within & (inside > 0), 1.0, jnp.nan)


def _cubic(s: Any) -> Any:
    """Weights of four neighbours at a share of the middle cell."""
    return jnp.stack([
        ((-0.5 * s + 1) * s - 0.5) * s,
        (1.5 * s - 2.5) * s * s + 1,
        ((-1.5 * s + 2) * s + 0.5) * s,
        (0.5 * s - 0.5) * s * s,
    ])  # fmt: skip


class PolynomialDiffusion(AbstractDiffusion):
    r"""A diffusion on a line whose drift and squared noise are sums of powers.

    .. math:: dX = \sum_k a_k X^{p_k} dt + \sqrt{\textstyle\sum_k c_k X^{q_k}} \, dW

    Parameters
    ----------
    drift_coefficients : array, shape (drift_term,)
        :math:`a_k`, per time unit.
    noise_coefficients : array, shape (noise_term,)
        :math:`c_k`, squared state units per time unit at power zero.
    drift_powers, noise_powers : tuple of int
        :math:`p_k` and :math:`q_k`.
    names : tuple of str
    integrator : AbstractStochasticIntegrator

    Notes
    -----
    Where the sum under the root is negative the noise is zero, as in a full truncation scheme
    (Lord, Koekkoek and van Dijk, Quant. Finance 10, 177, 2010).
    """

    drift_coefficients: Float[Array, " drift_term"] = parameter()
    noise_coefficients: Float[Array, " noise_term"] = parameter()
    drift_powers: tuple[int, ...] = eqx.field(static=True)
    noise_powers: tuple[int, ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.01)

    def drift(self, t: Any, x: Any, u: Any = None) -> Any:
        """The sum of powers."""
        return _sum(self.drift_coefficients, self.drift_powers, x)

    def diffusion(self, t: Any, x: Any, u: Any = None) -> Any:
        """The root of the sum of powers, shape (1, 1)."""
        square = _sum(self.noise_coefficients, self.noise_powers, x)
        safe = jnp.where(square > 0, square, 1.0)  # so that no derivative is infinite times zero
        root = jnp.where(square > 0, jnp.sqrt(safe), 0.0 * square)
        return root[:, None]


def _sum(coefficients: Any, powers: tuple[int, ...], x: Any) -> Any:
    total = 0.0 * x  # keeps a NaN state NaN
    for number, power in enumerate(powers):
        total = total + coefficients[number] * x**power
    return total


@eqx.filter_jit
def drift_and_square(system: Any, x: Any) -> Any:
    """Drift and squared noise of a system of one component at many states, each of shape (x,)."""

    def one(point: Any) -> Any:
        noise = system.diffusion(0.0, point, None)
        return system.drift(0.0, point, None)[0], (noise @ noise.T)[0, 0]

    return jax.vmap(one)(x[:, None])
