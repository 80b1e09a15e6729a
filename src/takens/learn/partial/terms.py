"""Candidate terms of a partial differential equation: derivatives of monomials of the field."""

from __future__ import annotations

import dataclasses
import math
from itertools import product

import numpy as np

from takens.learn.terms.tree import quoted

AXES = ("x", "y", "z")
Powers = tuple[int, ...]
Orders = tuple[int, ...]


@dataclasses.dataclass(frozen=True, order=True)
class PDETerm:
    """One term ``D^orders (monomial)``, in conservation form.

    Parameters
    ----------
    powers : tuple of int
        Exponent of each component, then of each input, in the monomial.
    orders : tuple of int
        Order of the derivative along each axis.
    """

    powers: Powers
    orders: Orders

    def name(self, components: tuple[str, ...], axes: tuple[str, ...]) -> str:
        """Such as ``u_xx``, ``(u^2)_x``, ``u v^2`` or ``1``."""
        components = tuple(label(c) for c in components)
        inside = monomial_name(self.powers, components)
        letters = "".join(axis * order for axis, order in zip(axes, self.orders, strict=True))
        if not letters:
            return inside
        plain = inside in components
        return f"{inside}_{letters}" if plain else f"({inside})_{letters}"


def label(component: str) -> str:
    """Between backticks where it is no plain word, or could be read as a derivative."""
    return quoted(component) if "_" not in component else f"`{component}`"


def monomial_name(powers: Powers, components: tuple[str, ...]) -> str:
    """Such as ``u v^2``; ``1`` for the empty product."""
    factors = [
        name if power == 1 else f"{name}^{power}"
        for name, power in zip(components, powers, strict=True)
        if power
    ]
    return " ".join(factors) or "1"


def candidates(n_factors: int, n_axes: int, degree: int, order: int) -> tuple[PDETerm, ...]:
    """All derivatives up to `order` of all monomials up to `degree`; of a constant, only itself."""
    shapes = [p for p in product(range(degree + 1), repeat=n_factors) if sum(p) <= degree]
    shapes.sort(key=lambda p: (sum(p), tuple(-q for q in p)))
    slopes = [a for a in product(range(order + 1), repeat=n_axes) if sum(a) <= order]
    slopes.sort(key=lambda a: (sum(a), tuple(-b for b in a)))
    return tuple(PDETerm(p, a) for a in slopes for p in shapes if sum(p) or not sum(a))


def candidate_count(n_factors: int, n_axes: int, degree: int, order: int) -> int:
    """How many `candidates` there are."""
    shapes = math.comb(degree + n_factors, n_factors)
    slopes = math.comb(order + n_axes, n_axes)
    return shapes * slopes - (slopes - 1)


def debiased(values: np.ndarray, variance: np.ndarray | float, power: int) -> np.ndarray:
    """Hermite polynomial whose mean under Gaussian noise is the noise-free value to `power`."""
    before, now = np.ones_like(values), values
    if power == 0:
        return before
    for n in range(1, power):
        before, now = now, values * now - n * variance * before
    return now


def monomial(
    values: np.ndarray,
    variance: np.ndarray,
    powers: Powers,
    table: dict[tuple[int, int], np.ndarray],
) -> np.ndarray:
    """Debiased monomial of the components on the last axis; `table` keeps powers made before."""
    made: np.ndarray | None = None
    for c, power in enumerate(powers):
        if power:
            if (c, power) not in table:
                table[c, power] = debiased(values[..., c], variance[..., c], power)
            made = table[c, power] if made is None else made * table[c, power]
    return np.ones(values.shape[:-1]) if made is None else made
