"""Many states carried forward together: the compiled part that diagrams and basins share.

Inside, the batch axis comes last, (dim, sample): the compiler then vectorises over samples, which
runs nearly twice as fast as the other order on a CPU.
"""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core.system import AbstractMap
from takens.dynamics.door import vary
from takens.dynamics.places import LOST, UNDECIDED

WIDE, NARROW = 4096, 128  # states in one compiled call: two shapes, whatever their number
FINE = 256  # most attractor points that are compared in the compiled call
BLOCK = 256  # recorded steps in one call; another number of steps does not recompile


def _stepped(evolution: AbstractMap, n: Any, x: Any, u: Any) -> Any:
    return jax.vmap(lambda state: evolution.step(n, state, u), -1, -1)(x)


def _swept(evolution: AbstractMap, n: Any, x: Any, u: Any, parameter: str, values: Any) -> Any:
    def one(value: Any, state: Any) -> Any:
        return vary(evolution, parameter, value).step(n, state, u)

    return jax.vmap(one, (-1, -1), -1)(values, x)


@eqx.filter_jit
def approach(
    evolution: AbstractMap, x: Any, n: Any, n_steps: Any, u: Any, n_points: Any, points: Any,
    owner: Any, reach: Any, frame: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """States (dim, sample) after `n_steps` counted from `n`, and the attractor of each, (sample,)."""
    centre, scale, wrap, escape = frame
    x = jax.lax.fori_loop(0, n_steps, lambda i, x: _stepped(evolution, n + i, x, u), x)
    scaled = (x - centre[:, None]) / scale[:, None]
    turn = jnp.where(wrap > 0, 1 / jnp.where(wrap > 0, wrap, 1.0), 0.0)

    def look(i: Any, best: Any) -> Any:
        gap = scaled - points[i][:, None]
        gap = gap - wrap[:, None] * jnp.round(gap * turn[:, None])
        distance = jnp.max(jnp.abs(gap), axis=0)
        nearer = (distance <= reach[i]) & (distance < best[0])
        return jnp.where(nearer, distance, best[0]), jnp.where(nearer, owner[i], best[1])

    nothing = (jnp.full(x.shape[-1], jnp.inf), jnp.full(x.shape[-1], UNDECIDED))
    _, label = jax.lax.fori_loop(0, n_points, look, nothing)
    far = (jnp.abs(scaled) > escape) & (wrap == 0)[:, None]
    gone = (~jnp.isfinite(x) | far).any(axis=0)
    return x, jnp.where(gone, LOST, label)


@eqx.filter_jit
def record(evolution: AbstractMap, x: Any, n: Any, n_steps: Any, u: Any) -> Any:
    """The same, and the states on the way, (BLOCK, dim, sample); rows past `n_steps` are zero."""

    def one(i: Any, carry: Any) -> Any:
        x = _stepped(evolution, n + i, carry[0], u)
        return x, carry[1].at[i].set(x)

    return jax.lax.fori_loop(0, n_steps, one, (x, jnp.zeros((BLOCK, *x.shape))))


@eqx.filter_jit
def sweep(
    evolution: AbstractMap, x: Any, n: Any, skip: Any, n_steps: Any, u: Any, chosen: Any,
    parameter: str, values: Any,
) -> Any:  # fmt: skip
    """`record` with one parameter value a sample, after `skip` steps; the `chosen` components."""

    def quiet(i: Any, x: Any) -> Any:
        return _swept(evolution, n + i, x, u, parameter, values)

    def one(i: Any, carry: Any) -> Any:
        x = _swept(evolution, n + skip + i, carry[0], u, parameter, values)
        return x, carry[1].at[i].set(x[chosen])

    x = jax.lax.fori_loop(0, skip, quiet, x)
    kept = jnp.zeros((BLOCK, len(chosen), x.shape[-1]))
    return jax.lax.fori_loop(0, n_steps, one, (x, kept))


def nowhere(dim: int) -> tuple[np.ndarray, ...]:
    """No attractor to `approach`: number of points, points, owners and reaches."""
    return counted(0), np.zeros((FINE, dim)), np.full(FINE, UNDECIDED), np.zeros(FINE)


def counted(n: int) -> np.ndarray:
    """As an array, because a Python number would be compiled in."""
    return np.asarray(n)


def together(work: Callable[[Any], Any], pieces: Sequence[Any]) -> list[Any]:
    """`work` on each piece, in order, in as many threads as there are cores.

    Compiled code releases the interpreter, so threads suffice and nothing is copied.
    """
    if len(pieces) < 2:
        return [work(piece) for piece in pieces]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, pieces))


def pieces(x: np.ndarray) -> list[np.ndarray]:
    """Columns in pieces of two widths only, the last filled up with copies."""
    count = x.shape[1]
    wide = count - count % WIDE
    cuts = [x[:, i : i + WIDE] for i in range(0, wide, WIDE)]
    for i in range(wide, count, NARROW):
        piece = x[:, i : i + NARROW]
        short = NARROW - piece.shape[1]
        cuts.append(np.pad(piece, ((0, 0), (0, short)), mode="edge") if short else piece)
    return cuts
