"""Stochastic Runge-Kutta methods of strong order 3/2: diffrax's, for systems in the sense of Ito."""

from __future__ import annotations

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from takens.core.errors import WrongKind
from takens.core.integrators import AbstractStochasticIntegrator, planned_steps


class AdditiveRungeKutta(AbstractStochasticIntegrator):
    r"""Runge-Kutta for noise that does not depend on the state: strong order 3/2.

    Diffrax's ``ShARK``: two drifts a step, and besides the increment :math:`\Delta W` of each
    noise its space-time Levy area :math:`\tfrac1h \int (W_s - \tfrac sh \Delta W) \, ds`. Ito's and
    Stratonovich's sense agree for such noise.

    Parameters
    ----------
    max_step : float
        Longest step, in time units.

    Notes
    -----
    Cost: two drifts and two noise matrices a step, twice that of Euler-Maruyama when many paths run
    as one batch. Where the drift is linear the order is 2. Another step draws another path from the same seed.

    References
    ----------
    Foster, dos Reis and Strange, SIAM J. Numer. Anal. 62, 500 (2024), eq. 6.1.
    """

    max_step: float = eqx.field(static=True)

    def substeps(self, dt: float) -> int:
        """As few as `max_step` allows."""
        return planned_steps(dt, self.max_step)

    def advance(self, system: Any, t: Any, dt: Any, x: Any, u: Any, key: Any, n_substeps: int) -> Any:  # fmt: skip
        """Diffrax's ShARK in equal steps.

        Raises
        ------
        WrongKind
            If the noise depends on the state.
        """
        import diffrax

        _, slope = eqx.filter_jvp(lambda y: system.diffusion(t, y, u), (x,), (x,))
        if slope is not None:  # a symbolic zero where the state does not enter
            raise WrongKind(
                f"The noise of {type(system).__name__} is computed from the state; "
                "AdditiveRungeKutta needs noise that does not depend on it. Take "
                "`CommutativeRungeKutta` or `Milstein`."
            )
        return _advanced(diffrax.ShARK(), system.drift, system, t, dt, x, u, key, n_substeps)


class CommutativeRungeKutta(AbstractStochasticIntegrator):
    r"""Runge-Kutta for commutative noise, scalar and diagonal noise above all: strong order 3/2.

    Diffrax's ``SlowRK`` solves in the sense of Stratonovich. An Ito system is passed with the drift

    .. math:: f_i - \tfrac12 \sum_{jk} b_{jk} \, \partial_j b_{ik},

    whose derivative comes by forward mode, so that the answer is the Ito solution.

    Parameters
    ----------
    max_step : float
        Longest step, in time units.

    Notes
    -----
    Noise commutes if :math:`\sum_j b_{jk} \partial_j b_{il}` is the same with k and l exchanged; for
    other noise the order falls to 1/2, as Milstein's does, since Levy areas between two noises are
    not simulated. The order also needs coefficients that are smooth where the paths go, which a
    square root at zero is not. Cost: a step is that of about
    fifteen of Milstein's, so it pays where the path itself must be exact to three digits or more.

    References
    ----------
    Foster, dos Reis and Strange, SIAM J. Numer. Anal. 62, 500 (2024), eq. 6.2. Kloeden and Platen,
    Numerical Solution of Stochastic Differential Equations (1992), eq. 4.9.11, on the drift.
    """

    max_step: float = eqx.field(static=True)

    def substeps(self, dt: float) -> int:
        """As few as `max_step` allows."""
        return planned_steps(dt, self.max_step)

    def advance(self, system: Any, t: Any, dt: Any, x: Any, u: Any, key: Any, n_substeps: int) -> Any:  # fmt: skip
        """Diffrax's SlowRK in equal steps, with the drift of Stratonovich's sense."""
        import diffrax

        drift = stratonovich_drift(system)
        return _advanced(diffrax.SlowRK(), drift, system, t, dt, x, u, key, n_substeps)


def stratonovich_drift(system: Any) -> Any:
    """The drift with which a method in the sense of Stratonovich solves this Ito system."""

    def drift(t: Any, x: Any, u: Any) -> Any:
        def noise(y: Any) -> Any:
            return system.diffusion(t, y, u)

        columns = noise(x).T
        along = jax.vmap(lambda k, b: jax.jvp(noise, (x,), (b,))[1][:, k])(
            jnp.arange(len(columns)), columns
        )
        return system.drift(t, x, u) - 0.5 * along.sum(axis=0)

    return drift


def increments(key: Any, h: Any, n_steps: int, width: int) -> tuple[Any, Any]:
    """Of each step and noise, shape (n_steps, width): increment and space-time Levy area."""
    of_path, of_area = jax.random.split(key)
    shape = (n_steps, width)
    path = jnp.sqrt(h) * jax.random.normal(of_path, shape)
    return path, jnp.sqrt(h / 12) * jax.random.normal(of_area, shape)


def solved(
    solver: Any, drift: Any, system: Any, t: Any, dt: Any, x: Any, u: Any, noise: tuple[Any, Any]
) -> Any:
    """The state after the steps whose `increments` are given, by one of diffrax's methods."""
    import diffrax

    def one(y: Any, now: Any) -> tuple[Any, None]:
        start, path, area = now
        term: Any = diffrax.MultiTerm(
            diffrax.ODETerm(lambda s, z, _: drift(s, z, u)),
            diffrax.ControlTerm(
                lambda s, z, _: system.diffusion(s, z, u),
                _drawn()(h, path, area),
            ),
        )
        return solver.step(term, start, start + h, y, None, None, made_jump=False)[0], None

    n_steps = len(noise[0])
    h = dt / n_steps
    return jax.lax.scan(one, x, (t + h * jnp.arange(float(n_steps)), *noise))[0]


@functools.cache
def _drawn() -> Any:
    """The class of a noise whose increments are drawn already; diffrax is loaded when needed."""
    import diffrax

    class Drawn(diffrax.AbstractPath):
        h: Any
        path: Any
        area: Any

        @property
        def t0(self) -> Any:  # type: ignore[override]
            return -jnp.inf

        @property
        def t1(self) -> Any:  # type: ignore[override]
            return jnp.inf

        def evaluate(
            self, t0: Any, t1: Any = None, left: bool = True, use_levy: bool = False
        ) -> Any:
            return diffrax.SpaceTimeLevyArea(dt=self.h, W=self.path, H=self.area)

    return Drawn


def _advanced(
    solver: Any, drift: Any, system: Any, t: Any, dt: Any, x: Any, u: Any, key: Any, n_substeps: int
) -> Any:
    width = jax.eval_shape(system.diffusion, t, x, u).shape[1]
    noise = increments(key, dt / n_substeps, n_substeps, width)
    return solved(solver, drift, system, t, dt, x, u, noise)
