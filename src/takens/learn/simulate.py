"""Many orbits of a delay map at once, with or without resampled residuals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.learn.delay import MAX_RESIDUALS, AbstractDelayMap


@eqx.filter_jit
def _paths(model: Any, x0: Any, n0: Any, inputs: Any, residuals: Any, draws: Any) -> Any:
    """Scan over steps, vmap over orbits; row 0 of `residuals` is zero."""
    width = residuals.shape[1]

    def advance(carry: Any, now: Any) -> Any:
        x, n = carry
        u, draw = now
        kick = jnp.zeros_like(x).at[:, :width].set(residuals[draw])
        x = jax.vmap(model.step)(n, x, u) + kick
        return (x, n + 1), x[:, :width]

    (x, _), path = jax.lax.scan(advance, (x0, n0), (inputs, draws))
    return x, path


def residual_table(residuals: np.ndarray) -> np.ndarray:
    """Residuals under a leading row of zeros, repeated to a fixed size so programs are reused."""
    rows = np.resize(residuals, (MAX_RESIDUALS, residuals.shape[1]))
    return np.concatenate([np.zeros((1, rows.shape[1])), rows])


@functools.singledispatch
def simulate(
    model: AbstractDelayMap,
    x0: np.ndarray,
    n0: np.ndarray,
    inputs: np.ndarray,
    residuals: np.ndarray,
    draws: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Orbits of `model` from many states, ``z[n+1] = advance(z) + residuals[draw]``.

    A model may register a faster way; it must give the same numbers.

    Parameters
    ----------
    model : AbstractDelayMap
    x0 : array, shape (orbit, state)
        Initial states.
    n0 : array, shape (orbit,)
        Sample number of the newest observation in each state.
    inputs : array, shape (step, orbit, n_inputs)
    residuals : array, shape (row, n_coordinates)
        Row 0 is zero, so that draw 0 is the deterministic map.
    draws : integer array, shape (step, orbit)
        Row of `residuals` added at each step.

    Returns
    -------
    last : array, shape (orbit, state)
        From which the orbits can be continued.
    path : array, shape (step, orbit, n_coordinates)
        In the coordinates of the model's frame.

    Notes
    -----
    Costs one compilation for each shape; a persistent cache keeps it.

    Examples
    --------
    >>> from takens.learn import Persistence
    >>> model = Persistence().fit(np.arange(20.0)).model
    >>> still, steps = np.zeros((1, 1)), np.zeros((3, 1), int)
    >>> last, path = simulate(model, still, np.zeros(1), np.zeros((3, 1, 0)), still, steps)
    >>> path.shape
    (3, 1, 1)
    """
    last, path = _paths(model, x0, n0, inputs, residuals, np.asarray(draws, dtype=np.int32))
    return np.asarray(last), np.asarray(path)


def march(
    advance: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    x0: np.ndarray,
    n0: np.ndarray,
    inputs: np.ndarray,
    residuals: np.ndarray,
    draws: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The same orbits on the host, where a step over all of them is cheap and needs no compiler.

    Parameters
    ----------
    advance : callable
        From sample numbers (orbit,), windows (orbit, window, coordinate) and inputs
        (orbit, n_inputs) to the next sample (orbit, coordinate).
    x0, n0, inputs, residuals, draws : array
        As in `simulate`.
    """
    width = residuals.shape[1]
    first = x0.reshape(len(x0), -1, width)
    n_steps, window = len(draws), first.shape[1]
    orbit = np.empty((len(x0), n_steps + window, width))  # newest first, filled from the right
    orbit[:, n_steps:] = first
    with np.errstate(all="ignore"):  # an orbit that escapes becomes infinite, and is counted
        for step, draw in enumerate(draws):
            at = n_steps - step
            new = advance(n0 + step, orbit[:, at : at + window], inputs[step])
            orbit[:, at - 1] = new + residuals[draw]
    path = np.ascontiguousarray(np.swapaxes(orbit[:, :n_steps][:, ::-1], 0, 1))
    return orbit[:, :window].reshape(len(x0), -1), path
