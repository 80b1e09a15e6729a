"""What a training loop adds to a rule: parameter groups, decoupled decay, batches, a start under way."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.algorithms.optimisers import AbstractOptimiser, roots
from takens.core.errors import InvalidInput
from takens.core.system import parameter, static


def _count(n: Any) -> Any:
    return jnp.asarray(n, int)


class TrainingStep(AbstractOptimiser):
    r"""The step of a training loop: a rule, with rates and decays of its own for every weight, on batches.

    .. math:: w_i' = (1 - \eta s_i d_i)\, w_i + s_i\, \Delta_i(w, b),\qquad b' = b'(w, b)

    with :math:`\Delta` and :math:`b'` the change and the buffers of the rule at the rate :math:`\eta`,
    for the gradient of the batch of iterate n.

    Parameters
    ----------
    loss : Loss or TorchLoss
    learning_rate : float
    rule : AbstractOptimiser
        Such as `Adam`; its own loss and learning rate are not used.
    scale : float or array, shape (weight,)
        Rates over `learning_rate`: the factors :math:`s`.
    decay : float or array, shape (weight,)
        Decoupled weight decay :math:`d`, as in AdamW.
    begun : int
        Updates made before iterate zero, which the rule goes on counting.
    batch : int
        Examples drawn at every iterate, without one twice; zero for all of them.
    seed : int
        The batch of iterate n is drawn from this and n alone: a random map.

    Notes
    -----
    In the metric of the rule over :math:`s`, curvature has the threshold of the rule; decay moves it by the
    factor :math:`1 - \eta s d/2`, for which the largest :math:`s d` is taken where they differ. For batches
    it is that of all data, and bounds a batch's own curvature from no side. Draws are independent from
    step to step; a loader that goes through the data in epochs draws otherwise. Cost: that of the rule.

    References
    ----------
    Loshchilov and Hutter, Decoupled weight decay regularization, ICLR (2019), algorithm 2.

    Examples
    --------
    >>> from takens.algorithms import GradientDescent, Loss
    >>> loss = Loss.of(lambda w: 0.5 * jnp.sum(w**2), [1.0, 1.0])
    >>> step = TrainingStep.of(GradientDescent(loss, 0.5), scale=[1.0, 0.1])
    >>> step.step(0, jnp.ones(2)).tolist()
    [0.5, 0.95]
    """

    loss: Any
    learning_rate: Array = parameter()
    rule: Any = None
    scale: Array = parameter(1.0)
    decay: Array = parameter(0.0)
    begun: Array = eqx.field(default_factory=lambda: _count(0), converter=_count)
    batch: int = static(0)
    seed: int = static(0)

    @classmethod
    def of(
        cls,
        rule: AbstractOptimiser,
        *,
        scale: Any = 1.0,
        decay: Any = 0.0,
        begun: int = 0,
        batch: int = 0,
        seed: int = 0,
    ) -> Self:
        """That of a rule with its loss and its learning rate.

        Raises
        ------
        InvalidInput
            If there is no factor or decay for each weight, one is negative, or there are fewer examples
            than the batch asks for.
        """
        loss = rule.loss
        for name, value in (("scale", scale), ("decay", decay)):
            array = np.asarray(value, float)
            if array.shape not in ((), (loss.dim,)) or not np.all(array >= 0):
                raise InvalidInput(
                    f"{name} has shape {array.shape}; expected one number or ({loss.dim},), not negative."
                )
        if batch and not 1 <= batch <= loss.n_examples:
            raise InvalidInput(
                f"batch = {batch} of {loss.n_examples} examples; expected 1 to {loss.n_examples}."
            )
        bare = dataclasses.replace(rule, loss=None)
        return cls(loss, rule.learning_rate, bare, scale, decay, begun, batch, seed)

    @property
    def title(self) -> str:
        """Name of the rule."""
        return str(self.rule.title)

    @property
    def buffers(self) -> tuple[str, ...]:
        """Those of the rule."""
        return tuple(self.rule.buffers)

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The rule on this iterate's batch, weight by weight at its rate, and the decay."""
        count = n + self.begun
        loss = self.loss.batch(count, self.seed, self.batch) if self.batch else self.loss
        moved = self._rule(loss).step(count, x)
        weights = self.weights(x)
        change = self.scale * (self.weights(moved) - weights)
        kept = (1 - self.learning_rate * self.scale * self.decay) * weights
        return jnp.concatenate([kept + change, moved[self.loss.dim :]]).astype(x.dtype)

    def multipliers(self, curvature: Any) -> Array:
        """Those of the rule, moved by the decay."""
        rule, lost = self._rule(), self._lost()
        plain = rule.multipliers(curvature)
        if plain.shape[-1] == 1:
            return plain - lost
        memory = rule.multipliers(0.0).prod()  # what the momentum keeps of itself
        return roots(plain.sum(axis=-1) - lost, plain.prod(axis=-1) - lost * memory)

    def threshold(self) -> Array:
        """That of the rule, lowered by the decay."""
        return self._rule().threshold() * (1 - 0.5 * self._lost())

    def metric(self, n: Any, x: Any) -> Any:
        """That of the rule over the factors."""
        return self._rule().metric(n + self.begun, x) / self.scale

    def _rule(self, loss: Any = None) -> AbstractOptimiser:
        return dataclasses.replace(
            self.rule, loss=self.loss if loss is None else loss, learning_rate=self.learning_rate
        )

    def _lost(self) -> Any:
        """The greatest share of a weight that decays in a step."""
        return self.learning_rate * jnp.max(self.scale * self.decay)
