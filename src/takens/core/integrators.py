"""How a flow or a diffusion is carried from one time to another. A method is data plus an order."""

import abc
import functools
import operator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core.errors import InvalidInput

MOST_STEPS = 10**8  # of one plan: their numbers fill a gigabyte
UNROLLED = 4  # up to this many components the stages are written out, which runs faster


class AbstractIntegrator(eqx.Module):
    """Carries a state of a flow from one time to another; differentiable in the state."""

    @abc.abstractmethod
    def substeps(self, dt: float) -> int:
        """How many equal steps it plans for `dt`; part of the compiled program."""

    @abc.abstractmethod
    def advance(self, flow: Any, t: Any, dt: Any, x: Any, u: Any, n_substeps: int) -> Any:
        """The state at ``t + dt`` in `n_substeps` steps, the input held; NaN where that fails."""


class AbstractStochasticIntegrator(eqx.Module):
    """Carries a state of a diffusion from one time to another along one path of the noise."""

    @abc.abstractmethod
    def substeps(self, dt: float) -> int:
        """How many equal steps it plans for `dt`; part of the compiled program."""

    @abc.abstractmethod
    def advance(self, system: Any, t: Any, dt: Any, x: Any, u: Any, key: Any, n_substeps: int) -> Any:  # fmt: skip
        """The state at ``t + dt`` in `n_substeps` steps with noise from `key`."""


def planned_steps(dt: float, max_step: float) -> int:
    """The least number of equal steps, none longer than `max_step`, that make up `dt`.

    Raises
    ------
    InvalidInput
        If `max_step` is not positive and finite, or more than 100 million steps would be needed.
    """
    if not (np.isfinite(max_step) and max_step > 0):
        raise InvalidInput(f"max_step = {max_step}; expected a positive, finite time step.")
    if not abs(dt) / max_step <= MOST_STEPS:
        raise InvalidInput(
            f"{dt:g} time units need {abs(dt) / max_step:.3g} steps of {max_step:g} at once; at most "
            f"{MOST_STEPS:.0e} are taken. Give a shorter time step, and more of them."
        )
    return max(1, int(np.ceil(abs(dt) / max_step * (1 - 1e-12))))


class Tableau(eqx.Module):
    """Coefficients of an explicit Runge-Kutta method.

    Parameters
    ----------
    order : int
        The error over a fixed span falls as ``step ** order``.
    stages : tuple of tuple of float
        Row i holds the weights of the slopes 0 to i for the argument of slope i + 1.
    weights : tuple of float
        Of the slopes in the step.
    """

    order: int = eqx.field(static=True)
    stages: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    weights: tuple[float, ...] = eqx.field(static=True)


CLASSICAL = Tableau(4, ((1 / 2,), (0, 1 / 2), (0, 0, 1)), (1 / 6, 1 / 3, 1 / 3, 1 / 6))

_R = 21**0.5
COOPER_VERNER = Tableau(  # Cooper and Verner, SIAM J. Numer. Anal. 9, 389 (1972), table 1
    8,
    (
        (1 / 2,),
        (1 / 4, 1 / 4),
        (1 / 7, (-7 - 3 * _R) / 98, (21 + 5 * _R) / 49),
        ((11 + _R) / 84, 0, (18 + 4 * _R) / 63, (21 - _R) / 252),
        ((5 + _R) / 48, 0, (9 + _R) / 36, (-231 + 14 * _R) / 360, (63 - 7 * _R) / 80),
        ((10 - _R) / 42, 0, (-432 + 92 * _R) / 315, (633 - 145 * _R) / 90, (-504 + 115 * _R) / 70,
         (63 - 13 * _R) / 35),
        (1 / 14, 0, 0, 0, (14 - 3 * _R) / 126, (13 - 3 * _R) / 63, 1 / 9),
        (1 / 32, 0, 0, 0, (91 - 21 * _R) / 576, 11 / 72, (-385 - 75 * _R) / 1152,
         (63 + 13 * _R) / 128),
        (1 / 14, 0, 0, 0, 1 / 9, (-733 - 147 * _R) / 2205, (515 + 111 * _R) / 504,
         (-51 - 11 * _R) / 56, (132 + 28 * _R) / 245),
        (0, 0, 0, 0, (-42 + 7 * _R) / 18, (-18 + 28 * _R) / 45, (-273 - 53 * _R) / 72,
         (301 + 53 * _R) / 72, (28 - 28 * _R) / 45, (49 - 7 * _R) / 18),
    ),
    (1 / 20, 0, 0, 0, 0, 0, 0, 49 / 180, 16 / 45, 49 / 180, 1 / 20),
)  # fmt: skip


class RungeKutta(AbstractIntegrator):
    """Explicit Runge-Kutta with a fixed step: the cheapest, for fields whose time scale is known.

    No error is controlled: halve `max_step` and compare. The default, of order 8 with 11 stages,
    is both cheaper and more exact than the classical one of order 4 on smooth fields.

    Parameters
    ----------
    max_step : float
        Longest step, in time units; a span is cut into equal steps no longer than this.
    tableau : Tableau
        `COOPER_VERNER` (order 8) or `CLASSICAL` (order 4).
    """

    max_step: float = eqx.field(static=True)
    tableau: Tableau = COOPER_VERNER

    def substeps(self, dt: float) -> int:
        """As few as `max_step` allows."""
        return planned_steps(dt, self.max_step)

    def advance(self, flow: Any, t: Any, dt: Any, x: Any, u: Any, n_substeps: int) -> Any:
        """Equal steps; a blow-up becomes infinite or NaN by itself and is returned as NaN."""
        h = dt / n_substeps

        def one(state: Any, index: Any) -> tuple[Any, None]:
            return self._step(flow, t + index * h, h, state, u), None

        if n_substeps == 1:
            return one(x, 0.0)[0]
        return jax.lax.scan(one, x, jnp.arange(float(n_substeps)))[0]

    def _step(self, flow: Any, t: Any, h: Any, x: Any, u: Any) -> Any:
        if x.size > UNROLLED:
            return self._rolled(flow, t, h, x, u)
        slopes = [flow.vector_field(t, x, u)]
        for row in self.tableau.stages:
            argument = x + h * _weighted(row, slopes)
            slopes.append(flow.vector_field(t + sum(row) * h, argument, u))
        return x + h * _weighted(self.tableau.weights, slopes)

    def _rolled(self, flow: Any, t: Any, h: Any, x: Any, u: Any) -> Any:
        """The same step as a loop over stages: the field is compiled once instead of 11 times."""
        count = len(self.tableau.weights)
        matrix = np.zeros((count, count))
        for i, row in enumerate(self.tableau.stages):
            matrix[i + 1, : len(row)] = row

        def stage(slopes: Any, now: Any) -> tuple[Any, None]:
            index, row, node = now
            slope = flow.vector_field(t + node * h, x + h * (row @ slopes), u)
            return slopes.at[index].set(slope), None

        rows = (jnp.arange(count), jnp.asarray(matrix), jnp.asarray(matrix.sum(axis=1)))
        slopes, _ = jax.lax.scan(stage, jnp.zeros((count, x.size)), rows)
        return x + h * (jnp.asarray(self.tableau.weights) @ slopes)


def _weighted(weights: tuple[float, ...], slopes: list[Any]) -> Any:
    return functools.reduce(
        operator.add, (w * k for w, k in zip(weights, slopes, strict=True) if w != 0)
    )


class Adaptive(AbstractIntegrator):
    """Explicit Tsitouras 5(4) with error control: the default for a field nothing is known of.

    Parameters
    ----------
    rtol, atol : float
        Relative tolerance, and absolute tolerance in state units.
    max_steps : int
        Steps allowed per call; past it the state is NaN, as for a stiff field on which an explicit
        method crawls (then `Implicit` is the choice) or a solution that blows up.
    """

    rtol: float = eqx.field(static=True, default=1e-8)
    atol: float = eqx.field(static=True, default=1e-10)
    max_steps: int = eqx.field(static=True, default=4096)

    def substeps(self, dt: float) -> int:
        """One: the method chooses its own steps."""
        return 1

    def advance(self, flow: Any, t: Any, dt: Any, x: Any, u: Any, n_substeps: int) -> Any:
        """Diffrax's Tsit5."""
        import diffrax

        return _controlled(diffrax.Tsit5(), self, flow, t, dt, x, u)


class Implicit(AbstractIntegrator):
    """Kvaerno 5(4), singly diagonally implicit with error control: for stiff fields.

    Parameters
    ----------
    rtol, atol : float
        Relative tolerance, and absolute tolerance in state units.
    max_steps : int
        Steps allowed per call; past it the state is NaN.
    """

    rtol: float = eqx.field(static=True, default=1e-8)
    atol: float = eqx.field(static=True, default=1e-10)
    max_steps: int = eqx.field(static=True, default=4096)

    def substeps(self, dt: float) -> int:
        """One: the method chooses its own steps."""
        return 1

    def advance(self, flow: Any, t: Any, dt: Any, x: Any, u: Any, n_substeps: int) -> Any:
        """Diffrax's Kvaerno5."""
        import diffrax

        return _controlled(diffrax.Kvaerno5(), self, flow, t, dt, x, u)


def _controlled(solver: Any, settings: Any, flow: Any, t: Any, dt: Any, x: Any, u: Any) -> Any:
    import diffrax

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(flow.vector_field), solver, t, t + dt, None, x, args=u,
        stepsize_controller=diffrax.PIDController(rtol=settings.rtol, atol=settings.atol),
        max_steps=settings.max_steps, adjoint=diffrax.ForwardMode(), throw=False,
    )  # fmt: skip
    okay = solution.result == diffrax.RESULTS.successful
    return solution.ys[-1] * jnp.where(okay, 1.0, jnp.nan)  # poisons value and tangent alike


class EulerMaruyama(AbstractStochasticIntegrator):
    """Euler-Maruyama with a fixed step: strong order 1/2, weak order 1, any noise.

    Parameters
    ----------
    max_step : float
        Longest step, in time units.
    """

    max_step: float = eqx.field(static=True)

    def substeps(self, dt: float) -> int:
        """As few as `max_step` allows."""
        return planned_steps(dt, self.max_step)

    def advance(self, system: Any, t: Any, dt: Any, x: Any, u: Any, key: Any, n_substeps: int) -> Any:  # fmt: skip
        """Equal steps with independent Gaussian increments."""

        def increment(now: Any, state: Any, h: Any, dw: Any) -> Any:
            return system.drift(now, state, u) * h + system.diffusion(now, state, u) @ dw

        return _noisy(increment, system, t, dt, x, u, key, n_substeps)


class Milstein(AbstractStochasticIntegrator):
    r"""Milstein with a fixed step: strong order 1 where the noise commutes.

    Adds :math:`\tfrac12 \sum_{jk} (b_k \cdot \nabla) b_j\,(\Delta W_j \Delta W_k - \delta_{jk} h)`
    to Euler-Maruyama. Scalar, diagonal and additive noise commute; for other noise the order falls
    back to 1/2, since Levy areas are not simulated.

    Parameters
    ----------
    max_step : float
        Longest step, in time units.
    """

    max_step: float = eqx.field(static=True)

    def substeps(self, dt: float) -> int:
        """As few as `max_step` allows."""
        return planned_steps(dt, self.max_step)

    def advance(self, system: Any, t: Any, dt: Any, x: Any, u: Any, key: Any, n_substeps: int) -> Any:  # fmt: skip
        """Equal steps; the derivative of the noise along itself comes by forward mode."""

        def increment(now: Any, state: Any, h: Any, dw: Any) -> Any:
            def noise(y: Any) -> Any:
                return system.diffusion(now, y, u)

            b = noise(state)
            along = jax.vmap(lambda column: jax.jvp(noise, (state,), (column,))[1])(b.T)
            area = 0.5 * (dw[:, None] * dw[None, :] - h * jnp.eye(dw.shape[0]))
            ito = jnp.einsum("kij,jk->i", along, area)  # Kloeden and Platen (1992), eq. 10.3.16
            return system.drift(now, state, u) * h + b @ dw + ito

        return _noisy(increment, system, t, dt, x, u, key, n_substeps)


def _noisy(
    increment: Any, system: Any, t: Any, dt: Any, x: Any, u: Any, key: Any, n_substeps: int
) -> Any:
    h = dt / n_substeps
    width = jax.eval_shape(system.diffusion, t, x, u).shape[1]
    noise = jax.random.normal(key, (n_substeps, width), dtype=x.dtype) * jnp.sqrt(h)

    def one(state: Any, now: Any) -> tuple[Any, None]:
        index, dw = now
        return state + increment(t + index * h, state, h, dw), None

    return jax.lax.scan(one, x, (jnp.arange(float(n_substeps)), noise))[0]
