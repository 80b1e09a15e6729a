"""Orbits for the tests of this folder."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp


@eqx.filter_jit
def orbit(evolution, x0, n_steps):
    """States of shape (time, dim), the start included, and the index of each."""
    n = jnp.arange(float(n_steps))

    def one(x, i):
        return evolution.step(i, x), x

    return jax.lax.scan(one, x0, n)[1], n
