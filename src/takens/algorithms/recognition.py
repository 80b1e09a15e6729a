"""Which rule of this package an optax optimiser is, found out from what it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from takens.algorithms.loss import Layout
from takens.algorithms.optimisers import (
    AbstractOptimiser,
    Adam,
    GradientDescent,
    HeavyBall,
    Nesterov,
    RMSProp,
)
from takens.algorithms.training_step import TrainingStep
from takens.core.system import static

if TYPE_CHECKING:
    from takens.algorithms.from_libraries import OptaxMap

ALIKE = 1e-6  # relative difference of updates that are the same
LATE = 1_000  # an iterate by which a schedule would have moved
TINY = 1e-30  # gradient beside which any epsilon is large


class _Given(eqx.Module):
    """A loss with one gradient everywhere."""

    slope: Any
    shape: Layout = static()

    @property
    def dim(self) -> int:
        return self.shape.dim

    def gradient(self, weights: Any) -> Any:
        return self.slope


def recognised(system: OptaxMap, *, seed: int = 0) -> AbstractOptimiser | None:
    """The rule that takes the same steps, with its settings; none where no rule does.

    Settings are read off the answers to chosen gradients. Every candidate then has to take the steps that
    the optimiser takes, from random states with gradients of all sizes, early and late.

    Parameters
    ----------
    system : OptaxMap
        With a learning rate that is a number.
    seed : int
        Of the states tried.

    Returns
    -------
    AbstractOptimiser or None
    """
    rng = np.random.default_rng(seed)
    counters = sum(kind == "counter" for kind in system.whole[1])
    for rule in _candidates(system, counters):
        if _same_steps(system, rule, rng):
            whole = dataclasses.replace(rule, loss=system.loss)
            if system.recipe:
                whole = dataclasses.replace(whole, learning_rate=system.learning_rate)
            return whole
    return None


def _step(system: Any, n: int, x: Any, slope: Any) -> np.ndarray:
    """A step in which the gradient is the one given."""
    loss = _Given(jnp.asarray(slope), system.loss.shape)
    return np.asarray(dataclasses.replace(system, loss=loss).step(n, jnp.asarray(x)), float)


def _candidates(system: OptaxMap, counters: int) -> Iterator[AbstractOptimiser]:
    """Rules with as many buffers and counters, their settings read off."""
    dim = system.loss.dim
    n_buffers = system.buffers.dim // dim if system.buffers.shapes else 0
    start = np.zeros(system.dim)
    one = _step(system, 0, start, np.ones(dim))
    moved = -float(one[0])
    pulled = start.copy()
    pulled[:dim] = 1.0
    lost = 1 - float(_step(system, 0, pulled, np.zeros(dim))[0])  # of a weight, without a gradient
    made: list[AbstractOptimiser] = []
    if (n_buffers, counters) == (0, 0):
        made = [GradientDescent(system.loss, moved)]
    elif (n_buffers, counters) == (1, 0):
        kept = float(_step(system, 1, one, np.zeros(dim))[dim]) / max(float(one[dim]), TINY)
        made = [
            HeavyBall(system.loss, moved, kept),
            Nesterov(system.loss, moved / (1 + kept), kept),
        ]
        rate, floor = _size(system, 1 - kept)
        made += [
            RMSProp(system.loss, rate, kept, floor),
            RMSProp(system.loss, rate, kept, 0.0, floor**2),
        ]
    elif (n_buffers, counters) == (2, 1):
        rate, floor = _size(system, 1.0)
        first, second = 1 - float(one[dim]), 1 - float(one[2 * dim])
        made = [Adam(system.loss, rate, first, second, floor)]
    for rule in made:
        rate = float(rule.learning_rate)
        if np.isfinite(rate) and rate > 0:
            yield TrainingStep.of(rule, decay=lost / rate) if abs(lost) > 1e-12 else rule


def _size(system: OptaxMap, share: float) -> tuple[float, float]:
    """Rate and smallest divisor of an optimiser that divides by the size of the gradient."""
    dim = system.loss.dim
    large, small = 1e15, TINY
    start = np.zeros(system.dim)
    rate = -float(_step(system, 0, start, np.full(dim, large))[0]) * max(share, 0.0) ** 0.5
    slow = -float(_step(system, 0, start, np.full(dim, small))[0])
    return rate, rate * small / max(slow, 1e-300)


def _same_steps(system: OptaxMap, rule: AbstractOptimiser, rng: np.random.Generator) -> bool:
    dim = system.loss.dim
    rule = dataclasses.replace(rule, loss=_Given(jnp.zeros(dim), system.loss.shape))
    if rule.dim != system.dim:
        return False
    for n in (0, 1, 2, LATE):
        x = np.abs(rng.normal(size=system.dim))
        x[:dim] *= rng.choice([-1.0, 1.0], dim)
        slope = rng.normal(size=dim) * 10 ** rng.uniform(-9, 3, dim)
        x[dim:] *= np.tile(slope**2, len(rule.buffers))
        theirs, ours = _step(system, n, x, slope), _step(rule, n, x, slope)
        moved = np.abs(theirs - x)
        if not np.all(np.abs(theirs - ours) <= ALIKE * moved + 1e-14 * np.abs(x)):
            return False
    return True
