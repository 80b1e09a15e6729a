"""Matrices that are known by their products alone: curvature, as it is and as an optimiser sees it."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core.errors import InvalidInput, WrongKind

if TYPE_CHECKING:
    from takens.algorithms.loss import Loss
    from takens.algorithms.optimisers import AbstractOptimiser

RELATIVE = 1e-5  # length of a difference step against that of the weights, in double precision


class AbstractSymmetric(abc.ABC):
    """A symmetric matrix of shape (dim, dim) that multiplies vectors."""

    dim: int

    @abc.abstractmethod
    def __call__(self, vector: Any) -> np.ndarray:
        """The product with a vector of shape (dim,)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Curvature(AbstractSymmetric):
    r"""Hessian of a loss at some weights, :math:`P^{-1/2} H P^{-1/2}`, by automatic differentiation.

    Parameters
    ----------
    loss : Loss
    weights : array, shape (weight,)
    metric : array, shape (weight,), optional
        The diagonal P by which an optimiser divides the gradient; ones when not given.

    Notes
    -----
    Cost of a product: some two gradients, in the precision of the weights. The first one compiles.

    Examples
    --------
    >>> from takens.algorithms.loss import Loss
    >>> hessian = Curvature(Loss.of(lambda w: w[0] ** 2 + 3 * w[1] ** 2, [0.0, 0.0]), [0.0, 0.0])
    >>> hessian([1.0, 1.0]).tolist()
    [2.0, 6.0]
    """

    loss: Loss
    weights: Any
    metric: Any = None

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Number of weights."""
        return self.loss.dim

    def __call__(self, vector: Any) -> np.ndarray:
        """One product."""
        weights = _floats(self.weights)
        inverse_root = None
        if self.metric is not None:
            inverse_root = 1 / jnp.sqrt(jnp.asarray(self.metric, weights.dtype))
        direction = jnp.asarray(vector, weights.dtype)
        return np.asarray(_product(self.loss, weights, inverse_root, direction), float)


@eqx.filter_jit
def _product(loss: Loss, weights: Any, inverse_root: Any, vector: Any) -> Any:
    if inverse_root is None:
        return loss.curvature(weights, vector)
    return inverse_root * loss.curvature(weights, inverse_root * vector)


@dataclasses.dataclass(frozen=True, eq=False)
class DifferenceCurvature(AbstractSymmetric):
    r"""Hessian products from gradients alone, :math:`\big(g(w + s v) - g(w - s v)\big) / 2s`.

    For gradients that cannot be differentiated again, such as those of fused attention, or that come
    from another library.

    Parameters
    ----------
    gradient : callable
        From flat weights to the gradient, both NumPy arrays of shape (weight,).
    weights : array, shape (weight,)
    metric : array, shape (weight,), optional
    relative : float
        Length of the step over that of the weights; 1e-5 suits double precision, 1e-2 single.

    Notes
    -----
    The error is of the order of ``relative**2`` times third derivatives, and of the rounding of the
    gradient over ``relative``. Cost of a product: two gradients.

    Examples
    --------
    >>> hessian = DifferenceCurvature(lambda w: w**3, np.array([1.0]))
    >>> bool(abs(hessian([1.0])[0] - 3) < 1e-8)
    True
    """

    gradient: Callable[[np.ndarray], Any]
    weights: Any
    metric: Any = None
    relative: float = RELATIVE

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Number of weights."""
        return int(np.size(self.weights))

    def __call__(self, vector: Any) -> np.ndarray:
        """One product."""
        weights = np.asarray(self.weights, float)
        root = 1.0 if self.metric is None else 1 / np.sqrt(np.asarray(self.metric, float))
        direction = root * np.asarray(vector, float)
        length = float(np.linalg.norm(direction))
        if length == 0:
            return np.zeros(self.dim)
        size = max(float(np.linalg.norm(weights)), 1e-3 * self.dim**0.5)
        step = self.relative * size / length
        up = np.asarray(self.gradient(weights + step * direction), float)
        down = np.asarray(self.gradient(weights - step * direction), float)
        return np.asarray(root * (up - down) / (2 * step))


def an_optimiser(system: Any) -> AbstractOptimiser:
    """`system`, or the rule that an optax optimiser is.

    Raises
    ------
    WrongKind
        If it is neither an optimiser nor known to be one.
    """
    from takens.algorithms.from_libraries import OptaxMap
    from takens.algorithms.optimisers import AbstractOptimiser

    if isinstance(system, OptaxMap):
        return system.as_optimiser()
    if not isinstance(system, AbstractOptimiser):
        raise WrongKind(
            f"{type(system).__name__} was given; expected an optimiser, such as GradientDescent. Another "
            "map with a loss has curvature, Curvature(system.loss, weights), but no threshold."
        )
    return system


def curvature_of(system: AbstractOptimiser, x: Any, n: int = 0) -> Curvature:
    """Curvature as an optimiser meets it in a state: of its loss, in its metric.

    Parameters
    ----------
    system : AbstractOptimiser or OptaxMap
    x : array, shape (dim,)
        State of the optimiser, buffers included.
    n : int
        Iterate, which a metric may depend on.

    Returns
    -------
    Curvature

    Raises
    ------
    WrongKind
        If the system is no optimiser.
    InvalidInput
        If the state has another shape, is not finite, or its metric is not positive.

    Examples
    --------
    >>> from takens.algorithms import GradientDescent, Loss
    >>> descent = GradientDescent(Loss.of(lambda w: jnp.sum(w**2), [1.0]), 0.1)
    >>> curvature_of(descent, [1.0])([1.0]).tolist()
    [2.0]
    """
    system = an_optimiser(system)
    state = _floats(x)
    if state.shape != (system.dim,):
        raise InvalidInput(
            f"x has shape {state.shape}; expected ({system.dim},): the weights and the buffers, as "
            "`system.start(weights)` lays them out."
        )
    if not bool(jnp.isfinite(state).all()):
        raise InvalidInput("The state is not finite: the run has diverged, and has no curvature.")
    metric = system.metric(n, state)
    if not bool((metric > 0).all()):
        raise InvalidInput(
            "The metric of the optimiser is not positive: its buffers are still those of the start. "
            "Ask after some iterates."
        )
    plain = bool((metric == 1).all())
    return Curvature(system.loss, system.weights(state), None if plain else metric)


def _floats(array: Any) -> jax.Array:
    made = jnp.asarray(array)
    return made if made.dtype in (jnp.float32, jnp.float64) else made.astype(float)
