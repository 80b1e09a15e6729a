"""A system run for a while, and asked along the way what only its Jacobian tells."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.algorithms.diagnosis.rule import STATIONARY
from takens.algorithms.diagnosis.seen import Seen, look
from takens.algorithms.edge import sharpness
from takens.algorithms.optimisers import AbstractOptimiser, StochasticGradient
from takens.algorithms.recording import TrainingRun
from takens.core import Estimate, Finding, InvalidInput, TakensError, WrongKind
from takens.core.system import AbstractMap

PARTS = 32  # in which a run is made; states at the ends of the last eight are looked into
LATE = 8
N_PROJECTIONS = 16
DENSE = 128  # dimension up to which a Jacobian is written out
LEAST_STEPS = 256


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """A run of a system.

    Parameters
    ----------
    system : AbstractMap
    x0 : array, shape (dim,)
    run : TrainingRun
    states : tuple of (int, array)
        Iterate and state at the ends of the last parts.
    n_transient : int
    """

    system: Any
    x0: np.ndarray
    run: TrainingRun
    states: tuple[tuple[int, np.ndarray], ...]
    n_transient: int

    @property
    def last(self) -> tuple[int, np.ndarray]:
        """Iterate and state at the end."""
        return self.states[-1]


def draws(system: Any) -> bool:
    """Whether the system draws batches, so that its steps are partly chance."""
    from takens.algorithms.torch_step import TorchStep
    from takens.algorithms.training_step import TrainingStep

    if isinstance(system, (TrainingStep, TorchStep)):
        return system.batch > 0
    return isinstance(system, StochasticGradient)


def as_rule(system: Any) -> Any:
    """An optimiser of optax as the rule of ours that takes the same steps, if there is one."""
    from takens.algorithms.from_libraries import OptaxMap

    if isinstance(system, OptaxMap):
        with contextlib.suppress(WrongKind):
            return system.as_optimiser()
    return system


def make(system: Any, x0: Any, *, n_steps: int, n_transient: int, seed: int) -> Made:
    """Run a system and record it, one row a step.

    Raises
    ------
    WrongKind
        If the system is no map.
    InvalidInput
        If the state does not fit, or there are too few steps.
    """
    if not isinstance(system, AbstractMap):
        raise WrongKind(
            f"{type(system).__name__} was given; expected an optimiser or another map, a TrainingRun, or "
            "the path of a log."
        )
    system, state = as_rule(system), np.asarray(x0, float)
    if state.shape != (system.dim,) or not np.isfinite(state).all():
        raise InvalidInput(
            f"x0 has shape {state.shape}; expected ({system.dim},), finite. An optimiser makes it of the "
            "weights: system.start(weights)."
        )
    if n_steps < LEAST_STEPS or n_transient < 0:
        raise InvalidInput(
            f"n_steps = {n_steps}, n_transient = {n_transient}; expected at least {LEAST_STEPS} and 0."
        )
    size = (n_steps // PARTS) | 1  # odd, so that both sides of a flip are looked at
    x = jnp.asarray(x0)
    signs = _signs(_width(system), seed)
    if n_transient:
        x = _advance(system, x, jnp.asarray(n_transient))
    rows: list[list[np.ndarray]] = []
    states = []
    for part in range(PARTS):
        x, recorded = _record(system, x, jnp.asarray(n_transient + part * size), signs, size)
        rows.append([np.asarray(r) for r in recorded])
        states.append((n_transient + (part + 1) * size, np.asarray(x)))
    loss, gradient, shadows = (np.concatenate(column) for column in zip(*rows, strict=True))
    run = TrainingRun(
        steps=n_transient + np.arange(len(loss)), loss=loss, projections=shadows,
        gradient_norm=None if np.isnan(gradient).all() and not np.isnan(loss).all() else gradient,
        n_weights=_width(system), settings=_settings(system),
    )  # fmt: skip
    return Made(system=system, x0=state, run=run, states=tuple(states[-LATE - 1 :]),
                n_transient=n_transient)  # fmt: skip


def _with_loss(system: Any) -> bool:
    from takens.algorithms.from_libraries import OptaxMap
    from takens.algorithms.torch_step import TorchStep

    return isinstance(system, (AbstractOptimiser, OptaxMap, TorchStep))


def _width(system: Any) -> int:
    return int(system.loss.dim if _with_loss(system) else system.dim)


def _settings(system: Any) -> dict[str, Any]:
    held: dict[str, Any] = {"optimiser": type(system).__name__, "full_batch": not draws(system)}
    if isinstance(system, AbstractOptimiser):
        held["learning_rate"] = float(system.learning_rate)
    return held


def _signs(dim: int, seed: int) -> jax.Array:
    rng = np.random.default_rng(seed)
    return jnp.asarray(2.0 * rng.integers(0, 2, dim, dtype=np.int8) - 1)


@eqx.filter_jit
def _advance(system: Any, x: Any, n_steps: Any) -> Any:
    return jax.lax.fori_loop(0, n_steps, system.step, x)


@eqx.filter_jit
def _record(system: Any, x: Any, n: Any, signs: Any, size: int) -> Any:
    spare = -len(signs) % N_PROJECTIONS
    with_loss = _with_loss(system)

    def one(state: Any, i: Any) -> Any:
        weights = system.weights(state) if with_loss else state
        folded = jnp.pad(weights * signs, (0, spare)).reshape(-1, N_PROJECTIONS).sum(axis=0)
        value, gradient = jnp.nan, jnp.nan
        if with_loss:
            value, gradient = system.loss(weights), jnp.linalg.norm(system.loss.gradient(weights))
        return system.step(n + i, state), (value, gradient, folded)

    return jax.lax.scan(one, x, jnp.arange(size))


def inspect(made: Made, *, rtol: float, seed: int) -> Seen:
    """What the run shows, and what the Jacobian says at states of its last quarter."""
    seen = look(made.run)
    if np.isfinite(seen.lost_at) or seen.grows or not np.isfinite(made.last[1]).all():
        return seen
    ratio, notes = _ratio(made, rtol, seed)
    flip = None if ratio is not None else _flip(made)
    exponent = None
    swings = seen.alternation is not None and seen.alternation.alive
    settled = seen.travel.value < STATIONARY
    if not (seen.rests or seen.period[0] or seen.noisy) and (swings or settled):
        exponent = _exponent(made, seed)
    return dataclasses.replace(
        seen, sharpness=ratio, flip=flip, exponent=exponent, cautions=(*seen.cautions, *notes)
    )


def _ratio(made: Made, rtol: float, seed: int) -> tuple[Estimate | None, list[Finding]]:
    """Sharpness over threshold: median and range over states."""
    if not _with_loss(made.system):
        return None, []
    ratios, found = [], None
    try:
        for n, state in made.states:
            found = sharpness(
                made.system, state, n=n, rtol=rtol, previous=found, check_every=3, seed=seed
            )
            ratios.append(found.ratio.value)
    except WrongKind:
        return None, []
    except TakensError as error:
        return None, [Finding("no-sharpness", f"Sharpness could not be asked: {error}")]
    return Estimate(
        value=float(np.median(ratios)), interval=(min(ratios), max(ratios)), level=1.0,
        method=f"{len(ratios)} states of the last quarter",
    ), []  # fmt: skip


def _flip(made: Made) -> Estimate | None:
    """Least real part of a multiplier of the step: median and range over states."""
    least = []
    for n, state in made.states[::2]:
        values = _multipliers(made.system, state, n)
        if values is None:
            return None
        least.append(float(values.real.min()))
    return Estimate(value=float(np.median(least)), interval=(min(least), max(least)), level=1.0,
                    method=f"Jacobian at {len(least)} states of the last quarter")  # fmt: skip


def _multipliers(system: Any, state: np.ndarray, n: int) -> np.ndarray | None:
    """All multipliers of a small step, the one of least real part of a large one."""
    x = jnp.asarray(state)
    if system.dim <= DENSE:
        return np.linalg.eigvals(np.asarray(_jacobian(system, x, jnp.asarray(n))))
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigs

    def product(v: np.ndarray) -> np.ndarray:
        return np.asarray(
            _tangent(system, x, jnp.asarray(n), jnp.asarray(v.ravel(), x.dtype)), float
        )

    operator = LinearOperator((system.dim, system.dim), matvec=product, dtype=float)
    start = np.random.default_rng(0).normal(size=system.dim)
    try:
        return np.asarray(eigs(operator, k=1, which="SR", tol=1e-3, v0=start, maxiter=30,
                               return_eigenvectors=False))  # fmt: skip
    except ArpackError:
        return None


@eqx.filter_jit
def _jacobian(system: Any, x: Any, n: Any) -> Any:
    return jax.jacfwd(lambda s: system.step(n, s))(x)


@eqx.filter_jit
def _tangent(system: Any, x: Any, n: Any, v: Any) -> Any:
    return jax.jvp(lambda s: system.step(n, s), (x,), (v,))[1]


def _exponent(made: Made, seed: int) -> Estimate | None:
    """Largest Lyapunov exponent of the last half, from the start of the run on."""
    from takens.dynamics import lyapunov_spectrum

    half = len(made.run) // 2
    try:
        found = lyapunov_spectrum(
            made.system, made.x0, n_steps=max(half, 64), n_transient=made.n_transient + half,
            n_exponents=1, seed=seed,
        )  # fmt: skip
    except TakensError:
        return None
    low, high = (float(v) for v in found.intervals[0])
    return Estimate(
        value=float(found.exponents[0]), interval=(low, high), method="blocks of the run"
    )
