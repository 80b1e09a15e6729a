"""Exponential time differencing of order 4: the stiff linear part of a field costs no small step."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from takens.core.errors import WrongKind
from takens.core.integrators import AbstractIntegrator, planned_steps
from takens.systems.field import AbstractField

_TERMS = 17  # of the series, where |z| < 1: the first one left out is below 1/20!


def phi_functions(z: Any) -> tuple[Any, Any, Any]:
    r"""The functions :math:`\varphi_k(z) = \sum_j z^j/(j+k)!` for k = 1, 2, 3, elementwise.

    ``phi_1 = (exp(z) - 1)/z``, and each next one is ``(phi_k - 1/k!)/z``, which cancels near zero:
    there the series is summed. Kassam and Trefethen average over a circle around `z` instead; the
    numbers are the same, and the series is a tenth of the work, which matters since the
    coefficients are computed inside compiled sweeps, where `z` depends on a parameter.
    """
    near = jnp.abs(z) < 1
    small = jnp.where(near, z, 0.0)
    series = jnp.zeros_like(small)
    factorials = [6.0]
    for j in range(1, _TERMS):
        factorials.append(factorials[-1] * (j + 3))
    for factorial in reversed(factorials):
        series = series * small + 1 / factorial
    large = jnp.where(near, 1.0, z)
    far1 = (jnp.exp(large) - 1) / large
    far2 = (far1 - 1) / large
    far3 = (far2 - 0.5) / large
    near2 = small * series + 0.5
    near1 = small * near2 + 1
    return (
        jnp.where(near, near1, far1),
        jnp.where(near, near2, far2),
        jnp.where(near, series, far3),
    )


class ETDRK4(AbstractIntegrator):
    r"""Exponential time differencing, Runge-Kutta of order 4, with a fixed step: for fields.

    The linear part is solved exactly, so the step is set by the nonlinearity alone, whatever the
    number of points. No error is controlled: halve `max_step` and compare.

    Parameters
    ----------
    max_step : float
        Longest step, in time units; a span is cut into equal steps no longer than this.

    Notes
    -----
    Four evaluations of the nonlinearity a step. Only for an `AbstractField`, whose linear part is
    diagonal in Fourier space; other flows are refused. Where the nonlinearity itself is stiff
    (fast reactions), the order can fall below 4. Backward in time a dissipative field is ill-posed:
    short waves grow without bound, and the state is soon NaN.

    References
    ----------
    Cox and Matthews, J. Comput. Phys. 176, 430 (2002), eqs. 26 to 29. Kassam and Trefethen, SIAM
    J. Sci. Comput. 26, 1214 (2005).
    """

    max_step: float = eqx.field(static=True)

    def substeps(self, dt: float) -> int:
        """As few as `max_step` allows."""
        return planned_steps(dt, self.max_step)

    def advance(self, flow: Any, t: Any, dt: Any, x: Any, u: Any, n_substeps: int) -> Any:
        """Equal steps in Fourier space; a blow-up becomes NaN by itself."""
        if not isinstance(flow, AbstractField):
            raise WrongKind(
                f"ETDRK4 was asked to integrate {type(flow).__name__}; it needs an AbstractField, "
                "whose linear part is diagonal in Fourier space. Use Implicit or RungeKutta."
            )
        h = dt / n_substeps
        z = h * flow.symbol()
        whole, half = jnp.exp(z), jnp.exp(z / 2)
        middle = h / 2 * phi_functions(z / 2)[0]
        phi1, phi2, phi3 = (h * phi for phi in phi_functions(z))
        first, inner, last = phi1 - 3 * phi2 + 4 * phi3, 2 * phi2 - 4 * phi3, 4 * phi3 - phi2

        def one(v: Any, index: Any) -> tuple[Any, None]:
            now = t + index * h
            n1 = flow.forcing(now, v, u)
            a = half * v + middle * n1  # eq. 26
            n2 = flow.forcing(now + h / 2, a, u)
            b = half * v + middle * n2  # eq. 27
            n3 = flow.forcing(now + h / 2, b, u)
            c = half * a + middle * (2 * n3 - n1)  # eq. 28
            n4 = flow.forcing(now + h, c, u)
            return whole * v + first * n1 + inner * (n2 + n3) + last * n4, None  # eq. 29

        v = flow.to_modes(x)
        if n_substeps == 1:
            v, _ = one(v, 0.0)
        else:
            v, _ = jax.lax.scan(one, v, jnp.arange(float(n_substeps)))
        return flow.from_modes(v)
