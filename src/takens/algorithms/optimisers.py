"""First-order optimisers as maps on weights and buffers."""

from __future__ import annotations

import abc
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from takens.algorithms.loss import Loss
from takens.core.errors import InvalidInput
from takens.core.system import AbstractMap, parameter, static


class AbstractOptimiser(AbstractMap):
    """A map whose state holds the weights first and then the buffers of the optimiser.

    What an optimiser says of itself: the start that a training run makes, the diagonal by which it
    divides the gradient, and the multipliers of a mode of curvature in that metric, from which its
    threshold of stability follows.
    """

    loss: Any  # an `AbstractVar` would hide the order of fields; every optimiser begins with it
    learning_rate: Any

    @property
    @abc.abstractmethod
    def buffers(self) -> tuple[str, ...]:
        """Names of the buffers, each with one entry for a weight."""

    @abc.abstractmethod
    def multipliers(self, curvature: Any) -> Array:
        """Multipliers of a mode of preconditioned curvature, shape (..., 1 + n_memories)."""

    @abc.abstractmethod
    def threshold(self) -> Array:
        """Preconditioned curvature beyond which a mode grows, for the settings at hand."""

    @property
    def title(self) -> str:
        """Name of the optimiser."""
        return type(self).__name__

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the weights, then those of the buffers."""
        weights = self.loss.names
        return weights + tuple(f"{b}[{w}]" for b in self.buffers for w in weights)

    @property
    def dim(self) -> int:
        """Number of state components; names need not be made for it."""
        return int(self.loss.dim) * (1 + len(self.buffers))

    def start(self, weights: Any) -> Array:
        """The state in which a run begins: weights, and buffers of zero."""
        flat = self.loss.shape.flat(weights)
        return jnp.concatenate([flat, jnp.zeros(self.dim - flat.shape[0], flat.dtype)])

    def weights(self, x: Any) -> Any:
        """The flat weights in a state."""
        return x[..., : self.loss.dim]

    def parts(self, x: Any) -> list[Any]:
        """Weights and buffers of a state of shape (dim,)."""
        return list(jnp.split(jnp.asarray(x), 1 + len(self.buffers)))

    def metric(self, n: Any, x: Any) -> Any:
        """Diagonal by which the gradient is divided at iterate `n`, shape (weight,); ones here."""
        return jnp.ones_like(self.weights(x))


class GradientDescent(AbstractOptimiser):
    r"""Gradient descent, :math:`w_{n+1} = w_n - \eta \nabla L(w_n)`.

    Parameters
    ----------
    loss : Loss
    learning_rate : float

    Notes
    -----
    A mode of curvature :math:`\lambda` has the multiplier :math:`1 - \eta\lambda`: stable below
    :math:`2/\eta`, where the flip at -1 is. Cost: one gradient.

    References
    ----------
    Cohen et al., Gradient descent on neural networks typically occurs at the edge of stability,
    ICLR (2021).

    Examples
    --------
    >>> descent = GradientDescent(Loss.of(lambda w: 0.5 * jnp.sum(w**2), [1.0]), 0.5)
    >>> descent.step(0, jnp.array([1.0])).tolist(), float(descent.threshold())
    ([0.5], 4.0)
    """

    loss: Loss
    learning_rate: Array = parameter()

    @property
    def buffers(self) -> tuple[str, ...]:
        """None."""
        return ()

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Down the gradient."""
        return x - self.learning_rate * self.loss.gradient(x)

    def multipliers(self, curvature: Any) -> Array:
        r""":math:`1 - \eta\lambda`."""
        return jnp.asarray(1 - self.learning_rate * jnp.asarray(curvature))[..., None] + 0j

    def threshold(self) -> Array:
        r""":math:`2/\eta`."""
        return 2 / self.learning_rate


class HeavyBall(AbstractOptimiser):
    r"""Gradient descent with momentum, :math:`m' = \beta m + \nabla L(w)`, :math:`w' = w - \eta m'`.

    Parameters
    ----------
    loss : Loss
    learning_rate, momentum : float

    Notes
    -----
    Multipliers solve :math:`\mu^2 - (1 + \beta - \eta\lambda)\mu + \beta = 0`; one leaves the unit
    circle at -1 where :math:`\lambda = (2 + 2\beta)/\eta`. A pair of modulus :math:`\sqrt\beta` is
    normal and no instability. Cost: one gradient.

    References
    ----------
    Polyak, USSR Comput. Math. Math. Phys. 4, 1 (1964).

    Examples
    --------
    >>> ball = HeavyBall(Loss.of(lambda w: 0.5 * jnp.sum(w**2), [1.0]), 0.5, 0.5)
    >>> ball.step(0, ball.start([1.0])).tolist(), float(ball.threshold())
    ([0.5, 1.0], 6.0)
    """

    loss: Loss
    learning_rate: Array = parameter()
    momentum: Array = parameter(0.9)

    @property
    def buffers(self) -> tuple[str, ...]:
        """The momentum."""
        return ("momentum",)

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Momentum first, then the weights."""
        w, m = self.parts(x)
        m = self.momentum * m + self.loss.gradient(w)
        return jnp.concatenate([w - self.learning_rate * m, m])

    def multipliers(self, curvature: Any) -> Array:
        """Roots of the quadratic above."""
        trace = 1 + self.momentum - self.learning_rate * jnp.asarray(curvature)
        return roots(trace, self.momentum)

    def threshold(self) -> Array:
        r""":math:`(2 + 2\beta)/\eta`."""
        return (2 + 2 * self.momentum) / self.learning_rate


class Nesterov(AbstractOptimiser):
    r"""Nesterov's momentum, :math:`m' = \beta m + \nabla L(w)`, :math:`w' = w - \eta(\nabla L(w) + \beta m')`.

    This is the form of training libraries; its weights are the extrapolated points of the textbook's.

    Parameters
    ----------
    loss : Loss
    learning_rate, momentum : float

    Notes
    -----
    Multipliers solve :math:`\mu^2 - (1 + \beta)(1 - \eta\lambda)\mu + \beta(1 - \eta\lambda) = 0`; one
    leaves at -1 where :math:`\lambda = (2 + 2\beta)/(\eta(1 + 2\beta))`. Cost: one gradient.

    References
    ----------
    Sutskever et al., Proc. ICML 28, 1139 (2013), section 2.

    Examples
    --------
    >>> fast = Nesterov(Loss.of(lambda w: 0.5 * jnp.sum(w**2), [1.0]), 1.0, 0.5)
    >>> round(float(fast.threshold()), 6)
    1.5
    """

    loss: Loss
    learning_rate: Array = parameter()
    momentum: Array = parameter(0.9)

    @property
    def buffers(self) -> tuple[str, ...]:
        """The momentum."""
        return ("momentum",)

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Momentum first, then the weights, which look ahead along it."""
        w, m = self.parts(x)
        g = self.loss.gradient(w)
        m = self.momentum * m + g
        return jnp.concatenate([w - self.learning_rate * (g + self.momentum * m), m])

    def multipliers(self, curvature: Any) -> Array:
        """Roots of the quadratic above."""
        rest = 1 - self.learning_rate * jnp.asarray(curvature)
        return roots((1 + self.momentum) * rest, self.momentum * rest)

    def threshold(self) -> Array:
        r""":math:`(2 + 2\beta)/(\eta(1 + 2\beta))`."""
        return (2 + 2 * self.momentum) / (self.learning_rate * (1 + 2 * self.momentum))


class RMSProp(AbstractOptimiser):
    r"""The gradient over its running size.

    .. math:: v' = \rho v + (1 - \rho) g^2,\qquad w' = w - \eta \frac{g}{\sqrt{v' + \epsilon_0} + \epsilon}

    Parameters
    ----------
    loss : Loss
    learning_rate : float
    decay : float
        The rate :math:`\rho` of the running mean.
    epsilon : float
    epsilon_root : float
        The :math:`\epsilon_0` under the root, which some libraries have instead.

    Notes
    -----
    With the running mean frozen this is gradient descent in the metric
    :math:`P = \sqrt{v + \epsilon_0} + \epsilon`: stable while the largest curvature of
    :math:`P^{-1/2} H P^{-1/2}` is below :math:`2/\eta`. The mean follows the gradient, so that the
    threshold describes a run only as far as it moves slowly. Cost: one gradient.

    References
    ----------
    Cohen et al., Adaptive gradient methods at the edge of stability, arXiv:2207.14484 (2022).

    Examples
    --------
    >>> scaled = RMSProp(Loss.of(lambda w: 0.5 * jnp.sum(w**2), [1.0]), 0.01)
    >>> float(scaled.threshold())
    200.0
    """

    loss: Loss
    learning_rate: Array = parameter()
    decay: Array = parameter(0.99)
    epsilon: Array = parameter(1e-8)
    epsilon_root: Array = parameter(0.0)

    @property
    def buffers(self) -> tuple[str, ...]:
        """The running mean of squared gradients."""
        return ("square",)

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """The mean first, then the weights."""
        w, v = self.parts(x)
        g = self.loss.gradient(w)
        v = self.decay * v + (1 - self.decay) * g**2
        return jnp.concatenate(
            [w - self.learning_rate * g / (_root(v + self.epsilon_root) + self.epsilon), v]
        )

    def multipliers(self, curvature: Any) -> Array:
        r""":math:`1 - \eta\lambda`, for a frozen metric."""
        return jnp.asarray(1 - self.learning_rate * jnp.asarray(curvature))[..., None] + 0j

    def threshold(self) -> Array:
        r""":math:`2/\eta`."""
        return 2 / self.learning_rate

    def metric(self, n: Any, x: Any) -> Any:
        """The root of the running mean."""
        return _root(self.parts(x)[1] + self.epsilon_root) + self.epsilon


class Adam(AbstractOptimiser):
    r"""Adam: momentum over the running size of the gradient, both without the bias of their start.

    .. math:: m' = \beta_1 m + (1 - \beta_1) g,\quad v' = \beta_2 v + (1 - \beta_2) g^2,\quad
              w' = w - \eta \frac{m'/(1 - \beta_1^{n+1})}{\sqrt{v'/(1 - \beta_2^{n+1})} + \epsilon}

    Parameters
    ----------
    loss : Loss
    learning_rate : float
    first, second : float
        The rates :math:`\beta_1` and :math:`\beta_2`.
    epsilon : float

    Notes
    -----
    The map depends on the iterate through the corrections, more and more weakly. With the running
    size frozen a mode of curvature :math:`\lambda` of :math:`P^{-1/2} H P^{-1/2}`,
    :math:`P = (1 - \beta_1^{n+1})(\sqrt{v/(1 - \beta_2^n)} + \epsilon)`, has multipliers that solve
    :math:`\mu^2 - (1 + \beta_1 - \eta(1 - \beta_1)\lambda)\mu + \beta_1 = 0`: stable below
    :math:`(2 + 2\beta_1)/((1 - \beta_1)\eta)`, which is :math:`38/\eta` at the usual 0.9. Cost: one
    gradient.

    References
    ----------
    Kingma and Ba, ICLR (2015). Cohen et al., arXiv:2207.14484 (2022), on the threshold.

    Examples
    --------
    >>> adam = Adam(Loss.of(lambda w: 0.5 * jnp.sum(w**2), [1.0]), 0.001)
    >>> round(float(adam.threshold()))
    38000
    """

    loss: Loss
    learning_rate: Array = parameter()
    first: Array = parameter(0.9)
    second: Array = parameter(0.999)
    epsilon: Array = parameter(1e-8)

    @property
    def buffers(self) -> tuple[str, ...]:
        """Running means of the gradient and of its square."""
        return ("mean", "square")

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Both means first, then the weights."""
        w, m, v = self.parts(x)
        g = self.loss.gradient(w)
        m = self.first * m + (1 - self.first) * g
        v = self.second * v + (1 - self.second) * g**2
        size = _root(v / (1 - self.second ** (n + 1))) + self.epsilon
        rate = self.learning_rate / (1 - self.first ** (n + 1))
        return jnp.concatenate([w - rate * m / size, m, v])

    def multipliers(self, curvature: Any) -> Array:
        """Roots of the quadratic above, for a frozen metric."""
        pull = self.learning_rate * (1 - self.first) * jnp.asarray(curvature)
        return roots(1 + self.first - pull, self.first)

    def threshold(self) -> Array:
        r""":math:`(2 + 2\beta_1)/((1 - \beta_1)\eta)`."""
        return (2 + 2 * self.first) / ((1 - self.first) * self.learning_rate)

    def metric(self, n: Any, x: Any) -> Any:
        """The diagonal P above, of the buffers before iterate `n`; `n` counts from zero."""
        v = self.parts(x)[2]
        seen = jnp.maximum(1 - self.second**n, 1e-30)
        return (1 - self.first ** (n + 1)) * (_root(v / seen) + self.epsilon)


class StochasticGradient(AbstractOptimiser):
    r"""Gradient descent on batches drawn anew at every iterate: a random map.

    .. math:: w_{n+1} = w_n - \eta \nabla L_{B_n}(w_n)

    Parameters
    ----------
    loss : Loss
        Its data are arrays whose first axis counts examples.
    learning_rate : float
    batch : int
        Number of examples drawn, without one twice.
    seed : int
        The batch of iterate n is drawn from this and n alone, so that all orbits of one system see
        the same noise: the setting of random dynamical systems, in which exponents are defined.

    Notes
    -----
    The threshold is that of a full batch. Small batches keep the curvature well below it; a batch
    has its own curvature, and neither is bounded by the other. Cost: the gradient of a batch, and a
    permutation of the examples.

    Raises
    ------
    InvalidInput
        If there are no data, or fewer examples than the batch.

    Examples
    --------
    >>> loss = Loss.of(lambda w, x: jnp.mean((w - x) ** 2), [0.0], jnp.arange(10.0))
    >>> chance = StochasticGradient(loss, 0.1, batch=2)
    >>> bool(chance.step(0, jnp.zeros(1))[0] == chance.step(0, jnp.zeros(1))[0])
    True
    """

    loss: Loss
    learning_rate: Array = parameter()
    batch: int = static(32)
    seed: int = static(0)

    def __check_init__(self) -> None:
        if self.loss.data is None:
            raise InvalidInput("The loss has no data to draw a batch from. Give it data.")
        if not 1 <= self.batch <= self.n_examples:
            raise InvalidInput(
                f"batch = {self.batch} of {self.n_examples} examples; expected 1 to {self.n_examples}."
            )

    @property
    def n_examples(self) -> int:
        """Length of the first axis of the data."""
        return self.loss.n_examples

    @property
    def buffers(self) -> tuple[str, ...]:
        """None."""
        return ()

    def step(self, n: Any, x: Any, u: Any = None) -> Any:
        """Down the gradient of the batch of iterate `n`."""
        return x - self.learning_rate * self.loss.batch(n, self.seed, self.batch).gradient(x)

    def multipliers(self, curvature: Any) -> Array:
        r""":math:`1 - \eta\lambda`, of a full batch."""
        return jnp.asarray(1 - self.learning_rate * jnp.asarray(curvature))[..., None] + 0j

    def threshold(self) -> Array:
        r""":math:`2/\eta`, of a full batch."""
        return 2 / self.learning_rate


def roots(trace: Any, product: Any) -> Array:
    """Both roots of ``mu^2 - trace mu + product``, along a new last axis."""
    trace, product = jnp.broadcast_arrays(jnp.asarray(trace), jnp.asarray(product))
    half = 0.5 * trace
    root = jnp.sqrt(half**2 - product + 0j)
    return jnp.stack([half + root, half - root], axis=-1)


def _root(v: Any) -> Any:
    """Square root whose derivative at zero is zero instead of infinite."""
    positive = v > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, v, 1.0)), 0.0)
