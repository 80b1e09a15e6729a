"""Known rates over the columns of some data, on the host: values and derivatives."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from takens.learn.terms import Terms
from takens.learn.terms.plan import factors_of
from takens.learn.terms.tree import Node, add, call, children, multiply, number, power

if TYPE_CHECKING:
    from takens.learn.partly.rules import AbstractRule

_BUILDERS: dict[str, Callable[..., Node]] = {"+": add, "*": multiply, "^": power}


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AbstractPart(abc.ABC):
    """Known rates over the columns of some data, :math:`g(x, u, t; p)`.

    Parameters
    ----------
    states, inputs : tuple of str
        Columns of `x` and of `u`.
    parameters : tuple of str
        Names of the free parameters, the components of `p`.
    guess : mapping of str to float
        Where to begin, of some of them.
    """

    states: tuple[str, ...]
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    guess: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @abc.abstractmethod
    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, p: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rates, (point, dim), and their derivatives by the state, (point, dim, dim)."""

    @abc.abstractmethod
    def sensitivities(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, p: np.ndarray
    ) -> np.ndarray:
        """Derivatives of the rates by the parameters, (point, dim, parameter)."""

    @abc.abstractmethod
    def rule(self) -> AbstractRule:
        """The same rates in JAX."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class EquationPart(AbstractPart):
    """Rates that were written down; derivatives are symbolic, and no compiler is needed.

    Parameters
    ----------
    nodes : tuple of expression
        The right side for each state.
    """

    nodes: tuple[Node, ...]

    @functools.cached_property
    def _terms(self) -> tuple[Terms, np.ndarray, np.ndarray]:
        """Terms over states and parameters, and factor and place of each right side."""
        pieces = [factors_of(node) for node in self.nodes]
        terms = Terms(self.states + self.parameters, self.inputs, tuple(m for _, m in pieces))
        alone = [
            Terms(self.states + self.parameters, self.inputs, (m,)).names[0] for _, m in pieces
        ]
        places = np.array([terms.names.index(name) for name in alone])
        return terms, np.array([scale for scale, _ in pieces]), places

    def _extended(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.concatenate([x, np.broadcast_to(p, (len(x), len(p)))], axis=1)

    def _slopes(self, x: np.ndarray, u: np.ndarray, t: np.ndarray, p: np.ndarray) -> np.ndarray:
        terms, scale, places = self._terms
        found: np.ndarray = terms.jacobian(self._extended(x, p), u, t)[:, places]
        return found * scale[:, None]

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, p: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values and symbolic derivatives."""
        terms, scale, places = self._terms
        values = terms(self._extended(x, p), u, t)[:, places] * scale
        return values, self._slopes(x, u, t, p)[:, :, : x.shape[1]]

    def sensitivities(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, p: np.ndarray
    ) -> np.ndarray:
        """Symbolic derivatives."""
        return self._slopes(x, u, t, p)[:, :, x.shape[1] :]

    def rule(self) -> AbstractRule:
        """A sum of terms over states and parameters."""
        from takens.learn.partly.rules import EquationRule

        terms, scale, places = self._terms
        return EquationRule(
            scale=scale, terms=terms, places=tuple(map(int, places)), nodes=self.nodes
        )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TracedPart(AbstractPart):
    """Rates that JAX evaluates and differentiates.

    Parameters
    ----------
    traced : AbstractRule
    """

    traced: AbstractRule

    def rates(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, p: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values and forward-mode derivatives; one compilation for each number of points."""
        from takens.learn.partly.rules import rates_and_slopes

        values, slopes = rates_and_slopes(self.traced, t, x, u, p)
        return np.asarray(values), np.asarray(slopes)

    def sensitivities(
        self, x: np.ndarray, u: np.ndarray, t: np.ndarray, p: np.ndarray
    ) -> np.ndarray:
        """Forward-mode derivatives."""
        from takens.learn.partly.rules import sensitivities

        return np.asarray(sensitivities(self.traced, t, x, u, p))

    def rule(self) -> AbstractRule:
        """What was given."""
        return self.traced


def filled(node: Node, values: Mapping[str, float]) -> Node:
    """An expression with some names replaced by numbers."""
    kind = node[0]
    if kind == "column":
        return number(values[node[1]]) if node[1] in values else node
    below = [filled(child, values) for child in children(node)]
    if kind in _BUILDERS:
        return _BUILDERS[kind](*below)
    if kind == "call":
        return call(node[1], below[0])
    return (*node[:3], *below) if kind == "user" else node


def rounded(node: Node, digits: int) -> Node:
    """An expression with its numbers to some significant digits."""
    if node[0] == "number":
        return number(float(f"{node[1]:.{digits}g}"))
    below = [rounded(child, digits) for child in children(node)]
    return (*node[: len(node) - len(below)], *below)
