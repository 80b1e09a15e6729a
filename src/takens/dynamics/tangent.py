"""Tangent vectors carried along an orbit: the part that several analyses share."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

SMALL = 4  # up to this many vectors Gram-Schmidt is written out; beyond it LAPACK is faster


def push(evolution: Any, n: Any, x: Any, frame: Any, u: Any = None) -> tuple[Any, Any]:
    """One step of a state and of tangent vectors, `frame` of shape (vector, dim)."""

    def one(v: Any) -> Any:
        return jax.jvp(lambda s: evolution.step(n, s, u), (x,), (v,))

    return jax.vmap(one, out_axes=(None, 0))(frame)


def orthonormalise(frame: Any) -> tuple[Any, Any]:
    """Orthonormal rows that span the same flag, and the positive stretching factors (vector,).

    A row that vanishes has factor zero and is replaced by some unit vector.
    """
    if frame.shape[0] > SMALL:
        q, r = jnp.linalg.qr(frame.T)
        diagonal = jnp.diagonal(r)
        return q.T * jnp.where(diagonal < 0, -1.0, 1.0)[:, None], jnp.abs(diagonal)
    rows: list[Any] = []
    sizes: list[Any] = []
    for i in range(frame.shape[0]):
        v = frame[i]
        for row in rows:
            v = v - jnp.dot(row, v) * row
        size = jnp.sqrt(jnp.dot(v, v))
        spare = jnp.zeros(frame.shape[1]).at[i].set(1.0)
        rows.append(jnp.where(size == 0, spare, v / jnp.where(size == 0, 1.0, size)))
        sizes.append(size)
    return jnp.stack(rows), jnp.stack(sizes)
