"""Cycles of maps by multiple shooting: all points of a cycle are unknowns at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core.system import AbstractMap
from takens.dynamics.newton import (
    capacity,
    collected,
    corrections,
    first_order_errors,
    solve_from,
    with_jacobian,
)

Shooting = Callable[[Any], tuple[Any, Any]]


def shooting(system: AbstractMap, period: Any, room: int, u: Any) -> Shooting:
    """Residual ``F(x_i) - x_{i+1}`` of a closed cycle and its Jacobian, for states of shape (room * dim,).

    Only the first `period` points count; the others are held at zero, so that one program serves
    every period up to `room`.
    """
    dim = system.dim
    index = jnp.arange(room)
    following = jnp.where(index == period - 1, 0, jnp.minimum(index + 1, room - 1))
    used = index < period
    chosen = jax.nn.one_hot(following, room)

    def at(flat: Any) -> tuple[Any, Any]:
        x = flat.reshape(room, dim)

        image, tangent = jax.vmap(with_jacobian(lambda y: system.step(0.0, y, u)))(x)
        residual = jnp.where(used[:, None], image - x[following], x)
        own = jnp.where(used[:, None, None], tangent, jnp.eye(dim))
        block = index[:, None, None, None] == index[None, None, :, None]
        jacobian = jnp.where(block, own[:, :, None, :], 0.0)
        closing = jnp.where(used[:, None], chosen, 0.0)
        jacobian = jacobian - closing[:, None, :, None] * jnp.eye(dim)[None, :, None, :]
        return residual.ravel(), jacobian.reshape(room * dim, room * dim)

    return at


@eqx.filter_jit
def _search(system: AbstractMap, starts: Any, period: Any, u: Any, roots: Any, known: Any) -> Any:
    at = shooting(system, period, starts.shape[1] // system.dim, u)
    return jax.vmap(lambda x: solve_from(at, x, roots, known))(starts)


@eqx.filter_jit
def _at(system: AbstractMap, flat: Any, period: Any, u: Any) -> Any:
    return jax.vmap(shooting(system, period, flat.shape[1] // system.dim, u))(flat)


@eqx.filter_jit
def _tangents(system: AbstractMap, x: Any, u: Any) -> Any:
    return jax.vmap(jax.jacfwd(lambda y: system.step(0.0, y, u)))(x)


@eqx.filter_jit
def _orbits(system: AbstractMap, x: Any, n_steps: int, u: Any) -> Any:
    def one(x: Any, _: Any) -> tuple[Any, Any]:
        y = jax.vmap(lambda z: system.step(0.0, z, u))(x)
        return y, y

    return jax.lax.scan(one, x, None, length=n_steps)[1]


def recorded(system: AbstractMap, x: np.ndarray, n_steps: int, u: Any) -> np.ndarray:
    """Orbits from each row of `x`, shape (sample, step, dim), without those that are lost."""
    path = np.moveaxis(np.asarray(_orbits(system, x, n_steps, u)), 0, 1)
    path = np.concatenate([x[:, None], path], axis=1)
    return path[np.isfinite(path).all(axis=(1, 2))]


def guesses(
    orbits: np.ndarray, box: np.ndarray, period: int, room: int, n_starts: int, seed: int
) -> np.ndarray:
    """Starts for cycles of one period, shape (n_starts, room * dim).

    Half are stretches of orbits that nearly close, best first; half have all their points drawn
    independently in the box, which reaches cycles that orbits avoid.
    """
    dim = len(box)
    rng = np.random.default_rng([seed, period])
    starts = np.zeros((n_starts, room, dim))
    drawn = rng.uniform(box[:, 0], box[:, 1], size=(n_starts, period, dim))
    starts[:, :period] = drawn
    scale = box[:, 1] - box[:, 0]
    stretches, gaps = [], []
    for path in orbits:
        if len(path) > period:
            gap = np.linalg.norm((path[period:] - path[:-period]) / scale, axis=1)
            order = np.argsort(gap)[: n_starts // 2]
            stretches += [path[i : i + period] for i in order]
            gaps += gap[order].tolist()
    best = np.argsort(gaps, kind="stable")[: n_starts // 2]
    for row, i in enumerate(best):
        starts[row, :period] = stretches[i]
    return starts.reshape(n_starts, room * dim)


def cycles_of_period(
    system: AbstractMap, starts: np.ndarray, period: int, shorter: list[np.ndarray], u: Any,
    tolerance: float, max_orbits: int, max_period: int,
) -> list[tuple[np.ndarray, float, int]]:  # fmt: skip
    """Cycles of this prime period as (points, error, hits); `shorter` are known cycles, (period, dim)."""
    dim, width = system.dim, starts.shape[1]

    def flat(cycle: np.ndarray) -> np.ndarray:
        padded = np.zeros(width)
        padded[: period * dim] = cycle.ravel()
        return padded

    def shifts(x: np.ndarray) -> np.ndarray:
        cycle = x[: period * dim].reshape(period, dim)
        return np.stack([flat(np.roll(cycle, -k, axis=0)) for k in range(period)])

    given = [
        flat(np.roll(np.tile(c, (period // len(c), 1)), -k, axis=0))
        for c in shorter if period % len(c) == 0 for k in range(len(c))
    ]  # fmt: skip
    count = np.asarray(period)

    def search(roots: np.ndarray, known: np.ndarray) -> Any:
        return _search(system, starts, count, u, roots, known)

    first = np.asarray(_at(system, starts, count, u)[0])
    sizes = np.linalg.norm(first, axis=1)
    scale = float(np.median(sizes[np.isfinite(sizes)])) if np.isfinite(sizes).any() else 1.0
    found, hits = collected(
        search, width, scale, tolerance, max_orbits, images=shifts, given=given,
        room=capacity(max_orbits * max_period),
    )  # fmt: skip
    if not found:
        return []
    x = np.stack(found)
    f, jacobian = (np.asarray(a) for a in _at(system, x, count, u))
    errors = first_order_errors(x, f, jacobian, lambda y: np.asarray(_at(system, y, count, u)[1]))
    result = []
    for row, error, n in zip(x, errors, hits, strict=True):
        cycle = row[: period * dim].reshape(period, dim)
        if is_prime(cycle, tolerance):
            start = int(np.lexsort(cycle.T[::-1])[0])
            result.append((np.roll(cycle, -start, axis=0), float(error), n))
    return result


def is_prime(cycle: np.ndarray, tolerance: float) -> bool:
    """Whether no shorter shift leaves the cycle as it is."""
    reach = tolerance * (1 + np.abs(cycle).max())
    period = len(cycle)
    return all(
        np.abs(np.roll(cycle, -k, axis=0) - cycle).max() > reach
        for k in range(1, period) if period % k == 0
    )  # fmt: skip


def tangent_around(system: AbstractMap, cycle: np.ndarray, u: Any) -> np.ndarray:
    """Product of the tangents once around the cycle, shape (dim, dim)."""
    room = capacity(len(cycle))
    padded = np.concatenate([cycle, np.tile(cycle[:1], (room - len(cycle), 1))])
    product = np.eye(system.dim)
    for tangent in np.asarray(_tangents(system, padded, u))[: len(cycle)]:
        product = tangent @ product
    return product


def followed(system: AbstractMap, cycle: np.ndarray, u: Any, room: int) -> np.ndarray | None:
    """The cycle near `cycle`, by undamped Newton steps; None where they do not settle."""
    period, dim = cycle.shape
    x = np.zeros((1, room * dim))
    x[0, : period * dim] = cycle.ravel()
    size = 1 + np.abs(cycle).max()
    for _ in range(12):
        f, jacobian = (np.asarray(a) for a in _at(system, x, np.asarray(period), u))
        step, _ = corrections(f, jacobian)
        if not np.isfinite(step).all() or np.abs(step).max() > 0.5 * size:
            return None
        x = x + step
        if np.abs(step).max() < 1e-13 * size:
            break
    else:
        return (
            None if np.abs(step).max() > 1e-9 * size else x[0, : period * dim].reshape(period, dim)
        )
    return x[0, : period * dim].reshape(period, dim)
