"""Monomials of delay coordinates and their derivatives, the same in NumPy and in JAX."""

from __future__ import annotations

import itertools
from math import comb
from typing import Any

import numpy as np


def monomial_count(n_variables: int, degree: int) -> int:
    """Number of monomials up to `degree`, the constant included.

    Examples
    --------
    >>> monomial_count(2, 3)
    10
    """
    return comb(n_variables + degree, degree)


def monomial_table(n_variables: int, degree: int) -> np.ndarray:
    """Which variables each monomial multiplies, (monomial, degree); `n_variables` stands for 1.

    Examples
    --------
    >>> monomial_table(1, 2).tolist()
    [[1, 1], [0, 1], [0, 0]]
    """
    rows = [
        chosen + (n_variables,) * (degree - d)
        for d in range(degree + 1)
        for chosen in itertools.combinations_with_replacement(range(n_variables), d)
    ]
    return np.asarray(rows, dtype=np.int32).reshape(len(rows), degree)


def monomials(z: Any, table: np.ndarray, xp: Any) -> Any:
    """Values of the monomials at `z`, shape (..., n_variables), in array library `xp`."""
    one = xp.ones((*z.shape[:-1], 1), dtype=z.dtype)
    extended = xp.concatenate([z, one], axis=-1)
    product = extended[..., table[:, 0]]
    for column in range(1, table.shape[1]):
        product = product * extended[..., table[:, column]]
    return product


def monomial_slopes(table: np.ndarray) -> np.ndarray:
    r"""Derivatives of the monomials in terms of the monomials, (variable, monomial, monomial).

    Row `j` of entry `i` holds the whole numbers :math:`c` with
    :math:`\partial m_j / \partial z_i = \sum_k c_k m_k`; at most one is not zero.

    Examples
    --------
    >>> monomial_slopes(monomial_table(1, 2))[0].tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """
    place = {tuple(row): number for number, row in enumerate(table.tolist())}
    one = int(table[0, 0])  # what stands for the factor 1
    found = np.zeros((one, len(table), len(table)))
    for number, row in enumerate(table.tolist()):
        for variable in {factor for factor in row if factor != one}:
            rest = list(row)
            rest.remove(variable)
            found[variable, number, place[(*rest, one)]] = row.count(variable)
    return found


def derivative_gram(z: np.ndarray, table: np.ndarray, variables: np.ndarray) -> np.ndarray:
    r"""Mean of :math:`J J^\top`, J the derivative of the monomials by some of the variables.

    To first order, noise of variance :math:`\sigma^2` on those variables adds :math:`\sigma^2`
    times this to the Gram matrix of a regression (Bishop, Neural Computation 7, 108, 1995).
    """
    one = np.ones((len(z), 1))
    extended = np.concatenate([z, one], axis=1)
    total = np.zeros((len(table), len(table)))
    for variable in variables:
        slope = np.zeros((len(z), len(table)))
        for column in range(table.shape[1]):  # product rule, factor by factor
            rest = np.delete(table, column, axis=1)
            hit = table[:, column] == variable
            if hit.any():
                slope[:, hit] += np.prod(extended[:, rest[hit]], axis=-1)
        total += slope.T @ slope
    return total / len(z)
