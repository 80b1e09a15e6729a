"""Rates that a Gaussian process has learned, in JAX."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from takens.core.system import parameter, static
from takens.learn.partly.flow import AbstractLearned


class GaussianRates(AbstractLearned):
    r"""Mean of a Gaussian process on inducing points, :math:`r_i(z) = \phi(z)^\top w_i`.

    Parameters
    ----------
    weights : array, shape (point, dim)
        :math:`w`; zero for an equation that lacks nothing.
    covariance : array, shape (dim, point, point)
        Of the weights.
    prior : array, shape (dim,)
        Variance of the process before the data.
    whitening : array, shape (point, point)
        Inverse Cholesky factor of the kernel on the points.
    points : array, shape (point, column)
        Standardised.
    centre, scale : array, shape (column,)
    length : float
        Of correlation, in standardised units.
    places : tuple of int
        Columns of the state that it depends on.
    """

    weights: Array = parameter()
    covariance: Array = parameter()
    prior: Array = parameter()
    whitening: Array = parameter()
    points: Array = parameter()
    centre: Array = parameter()
    scale: Array = parameter()
    length: Array = parameter()
    places: tuple[int, ...] = static()

    def _functions(self, x: Any) -> Any:
        z = (jnp.asarray(x)[jnp.asarray(self.places)] - self.centre) / self.scale
        square = ((z - self.points) ** 2).sum(axis=1)
        return self.whitening @ (1 / (1 + 0.5 * square / self.length**2))

    def __call__(self, t: Any, x: Any, u: Any = None) -> Any:
        """The mean, shape (dim,)."""
        return self._functions(x) @ self.weights

    def standard_deviation(self, x: Any) -> Any:
        """Of the missing rates at one state, shape (dim,); that of the prior far from all data."""
        phi = self._functions(x)
        found = jnp.einsum("m,imn,n->i", phi, self.covariance, phi)
        return jnp.sqrt(found + self.prior * jnp.maximum(1 - phi @ phi, 0.0))

    def texts(self, names: tuple[str, ...], digits: int) -> tuple[str, ...]:
        """By name, where it is not zero."""
        of = ", ".join(names[i] for i in self.places)
        return tuple(
            f"gaussian_process({of})[{i}]" if self.prior[i] > 0 else "0" for i in range(len(names))
        )
