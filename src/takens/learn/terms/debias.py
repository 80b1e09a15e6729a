"""Terms of noisy columns without the bias that noise gives to what is not linear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from takens.learn.terms.plan import Monomial, Users, factors_of, monomial_columns, product
from takens.learn.terms.tree import (
    Node,
    columns_of,
    derivative,
    multiply,
    number,
    power,
    value,
)


def debiased(
    monomials: Sequence[Monomial],
    given: Callable[[Node], Any],
    variance: Mapping[str, Any],
    users: Users,
    lead: tuple[int, ...],
) -> np.ndarray:
    """Values whose mean is that of the noise-free columns, shape (..., n_terms).

    A term falls into groups of factors that share no noisy column. These are independent, and the
    mean of a product is the product of the means.
    """
    work = _Work(given, variance, users)
    found = np.empty((len(monomials), *lead))
    for k, monomial in enumerate(monomials):
        found[k] = work.term(monomial)
    return np.moveaxis(found, 0, -1)


class _Work:
    """One evaluation: what is known already is not computed again."""

    def __init__(
        self, given: Callable[[Node], Any], variance: Mapping[str, Any], users: Users
    ) -> None:
        self.given, self.variance, self.users = given, variance, users
        self.known: dict[Any, Any] = {}

    def term(self, monomial: Monomial) -> Any:
        """The product of its groups, one multiplication beyond a shorter product."""
        return self._product(tuple(_groups(monomial, frozenset(self.variance))))

    def _product(self, groups: tuple[Monomial, ...]) -> Any:
        if not groups:
            return 1.0
        if groups not in self.known:
            last = self._group(groups[-1])
            self.known[groups] = last if len(groups) == 1 else self._product(groups[:-1]) * last
        return self.known[groups]

    def _group(self, group: Monomial) -> Any:
        noisy = [name for name in self.variance if name in monomial_columns(group)]
        if not noisy:
            return self._value(_node(group))
        if len(group) == 1:
            (atom, p) = group[0]
            if p > 0 and self._is_linear(atom, noisy):
                return self._hermite(atom, noisy, p)
            if p == 1 and atom[0] == "+":
                parts = [factors_of(piece) for piece in atom[1:]]
                return sum(scale * self.term(product([inner])) for scale, inner in parts)
            if (
                p == 1
                and atom[0] == "call"
                and atom[1] in ("sin", "cos", "exp")
                and self._is_linear(atom[2], noisy)
            ):
                half = self._spread(atom[2], noisy) / 2  # E exp(i e) = exp(-var(e) / 2)
                return self._value(atom) * np.exp(-half if atom[1] == "exp" else half)
        node = _node(group)
        found = self._value(node)
        for name in noisy:
            bend = derivative(derivative(node, name), name)
            found = found - 0.5 * self.variance[name] * self._value(bend)
        return found

    def _hermite(self, atom: Node, noisy: Sequence[str], p: int) -> Any:
        """He_p with variance w: He_{p+1} = x He_p - p w He_{p-1}."""
        if p == 0:
            return 1.0
        if p == 1:
            return self._value(atom)
        key = ("hermite", atom, p)
        if key not in self.known:
            spread = self._spread(atom, noisy)
            upper, lower = self._hermite(atom, noisy, p - 1), self._hermite(atom, noisy, p - 2)
            self.known[key] = self._value(atom) * upper - (p - 1) * spread * lower
        return self.known[key]

    def _is_linear(self, node: Node, noisy: Sequence[str]) -> bool:
        return not any(
            columns_of(derivative(node, name)) & frozenset(self.variance) for name in noisy
        )

    def _spread(self, node: Node, noisy: Sequence[str]) -> Any:
        """Variance of an expression that is linear in the noisy columns."""
        if node[0] == "column":
            return self.variance[node[1]]
        parts = [self._value(derivative(node, name)) ** 2 * self.variance[name] for name in noisy]
        return sum(parts[1:], parts[0])

    def _value(self, node: Node) -> Any:
        if node not in self.known:
            self.known[node] = value(node, self.given, self.users, np)
        return self.known[node]


def _groups(monomial: Monomial, noisy: frozenset[str]) -> list[Monomial]:
    """Factors joined where they share a noisy column; the rest one by one."""
    groups: list[tuple[frozenset[str], Monomial]] = []
    for factor in monomial:
        names = columns_of(factor[0]) & noisy
        joined: Monomial = (factor,)
        kept = []
        for other, members in groups:
            if other & names:
                names, joined = names | other, members + joined
            else:
                kept.append((other, members))
        groups = [*kept, (names, joined)]
    return [members for _, members in groups]


def _node(monomial: Monomial) -> Node:
    return multiply(*[power(atom, number(p)) for atom, p in monomial])
