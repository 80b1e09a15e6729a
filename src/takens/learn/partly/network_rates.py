"""Rates that a small network has learned, in JAX."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.system import parameter, static
from takens.learn.partly.flow import AbstractLearned


class NetworkRates(AbstractLearned):
    r"""Rates of one hidden layer, :math:`r(x) = (\tanh(A z + b), 1)\, W` with z the columns scaled.

    Parameters
    ----------
    hidden : array, shape (unit, column)
        :math:`A`.
    bias : array, shape (unit,)
        :math:`b`.
    output : array, shape (unit + 1, dim)
        :math:`W`; zero for an equation that lacks nothing.
    covariance : array, shape (dim, unit + 1, unit + 1)
        Of the output weights, the hidden layer as it is.
    centre, scale : array, shape (column,)
    places : tuple of int
        Columns of the state that it depends on.
    """

    hidden: Array = parameter()
    bias: Array = parameter()
    output: Array = parameter()
    covariance: Array = parameter()
    centre: Array = parameter()
    scale: Array = parameter()
    places: tuple[int, ...] = static()

    def _functions(self, x: Any) -> Any:
        z = (jnp.asarray(x)[jnp.asarray(self.places)] - self.centre) / self.scale
        return jnp.append(jnp.tanh(self.hidden @ z + self.bias), 1.0)

    def __call__(self, t: Any, x: Any, u: Any = None) -> Any:
        """The network at one state, shape (dim,)."""
        return self._functions(x) @ self.output

    def standard_deviation(self, x: Any) -> Any:
        """Of the missing rates at one state, shape (dim,), the hidden layer as it is."""
        phi = self._functions(x)
        return jnp.sqrt(jnp.einsum("m,imn,n->i", phi, self.covariance, phi))

    def texts(self, names: tuple[str, ...], digits: int) -> tuple[str, ...]:
        """By name, where it is not zero."""
        of = ", ".join(names[i] for i in self.places)
        return tuple(
            f"network({of})[{i}]" if (self.covariance[i] != 0).any() else "0"
            for i in range(len(names))
        )
