"""Programs that evaluate many monomials, each as one product of two values already at hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from takens.core import InvalidInput
from takens.learn.terms.tree import (
    ONE,
    Node,
    as_power,
    children,
    columns_of,
    derivative,
    product_text,
    scaled,
    text,
    value,
)

Monomial: TypeAlias = tuple[tuple[Node, int], ...]
Users: TypeAlias = Mapping[str, Callable[..., Any]]


def product(monomials: Iterable[Monomial]) -> Monomial:
    """The product of some monomials, equal factors collected."""
    powers: dict[Node, int] = {}
    for atom, exponent in (factor for monomial in monomials for factor in monomial):
        powers[atom] = powers.get(atom, 0) + exponent
    return tuple((atom, p) for atom, p in powers.items() if p)


def factors_of(node: Node) -> tuple[float, Monomial]:
    """An expression as a number times a monomial; a sum is one factor."""
    scale, rest = scaled(node)
    if rest == ONE:
        return scale, ()
    found = []
    for piece in rest[1:] if rest[0] == "*" else (rest,):
        base, exponent = as_power(piece)
        whole = float(exponent).is_integer()
        found.append((base, int(exponent)) if whole else (piece, 1))
    return scale, product([tuple(found)])


def ordered(monomial: Monomial, columns: Sequence[str]) -> Monomial:
    """Factors in the order of the columns, plain columns first."""

    def rank(factor: tuple[Node, int]) -> tuple[int, int, str]:
        atom = factor[0]
        if atom[0] == "column":
            return 0, columns.index(atom[1]), ""
        places = [columns.index(name) for name in columns_of(atom) if name in columns]
        return 1, min(places, default=len(columns)), text(atom)

    return tuple(sorted(monomial, key=rank))


def monomial_text(monomial: Monomial) -> str:
    """The name of a term; the parser reads it back."""
    return product_text((atom, float(p)) for atom, p in monomial)


def monomial_columns(monomial: Monomial) -> frozenset[str]:
    """Names of the columns in a monomial."""
    return frozenset().union(*[columns_of(atom) for atom, _ in monomial])


def slopes(monomial: Monomial, by: str) -> list[tuple[float, Monomial]]:
    """The derivative by a column, as numbers times monomials (product rule, factor by factor)."""
    found = []
    for i, (atom, p) in enumerate(monomial):
        scale, inner = factors_of(derivative(atom, by))
        if scale:
            rest = (*monomial[:i], (atom, p - 1), *monomial[i + 1 :])
            found.append((scale * p, product([rest, inner])))
    return found


@dataclasses.dataclass(frozen=True)
class Step:
    """One value: a constant one, an atom, a product or a reciprocal of earlier values."""

    slot: int
    kind: str
    a: int = -1
    b: int = -1
    atom: Node = ONE


class Plan:
    """The steps that give the wanted monomials in the first slots, and what they need behind.

    Parameters
    ----------
    wanted : sequence of monomials
        Each once.
    """

    def __init__(self, wanted: Sequence[Monomial]) -> None:
        self.n_wanted = len(wanted)
        self.slots = {monomial: i for i, monomial in enumerate(wanted)}
        self.steps: list[Step] = []
        self._done: set[int] = set()
        for monomial in wanted:
            self._need(monomial)

    def _need(self, monomial: Monomial) -> int:
        slot = self.slots.setdefault(monomial, len(self.slots))
        if slot in self._done:
            return slot
        self._done.add(slot)
        if not monomial:
            step = Step(slot, "one")
        elif len(monomial) > 1:
            step = Step(slot, "product", self._need(monomial[:-1]), self._need(monomial[-1:]))
        else:
            ((atom, p),) = monomial
            if p == 1:
                step = Step(slot, "atom", atom=atom)
            elif p < 0:
                step = Step(slot, "reciprocal", self._need(((atom, -p),)))
            else:
                half = p // 2 if ((atom, p - 1),) not in self.slots else 1
                a, b = self._need(((atom, p - half),)), self._need(((atom, half),))
                step = Step(slot, "product", a, b)
        self.steps.append(step)
        return slot

    def into(self, out: np.ndarray, given: Callable[[Node], Any], users: Users) -> None:
        """Fill `out`, shape (wanted, sample), with NumPy."""
        values: list[Any] = [None] * len(self.slots)
        for step in self.steps:
            target = out[step.slot] if step.slot < self.n_wanted else np.empty(out.shape[1:])
            if step.kind == "product":
                np.multiply(values[step.a], values[step.b], out=target)
            elif step.kind == "reciprocal":
                np.divide(1.0, values[step.a], out=target)
            else:
                target[...] = 1.0 if step.kind == "one" else value(step.atom, given, users, np)
            values[step.slot] = target

    def traced(self, given: Callable[[Node], Any], users: Users, xp: Any) -> list[Any]:
        """The wanted values in another array library, scalars among them not yet spread."""
        values: list[Any] = [None] * len(self.slots)
        for step in self.steps:
            if step.kind == "product":
                found = values[step.a] * values[step.b]
            elif step.kind == "reciprocal":
                found = 1.0 / values[step.a]
            else:
                found = 1.0 if step.kind == "one" else value(step.atom, given, users, xp)
            values[step.slot] = found
        return values[: self.n_wanted]


@dataclasses.dataclass(frozen=True)
class UserFunction:
    """A function that a library was given.

    Parameters
    ----------
    name : str
        In expressions and in the names of terms.
    function : callable
        Of arrays, element by element; written so that it takes NumPy and JAX arrays.
    n_arguments : int
    derivative : callable or tuple of callable, optional
        By each argument; made by JAX when not given.
    """

    name: str
    function: Callable[..., Any]
    n_arguments: int = 1
    derivative: Any = None

    def __call__(self, orders: tuple[int, ...], xp: Any, *arguments: Any) -> Any:
        """The function, or its derivative of some order by each argument."""
        function: Callable[..., Any] = self.function
        left = list(orders)
        if any(left) and self.derivative is not None:
            first = next(i for i, order in enumerate(left) if order)
            given = self.derivative if isinstance(self.derivative, tuple) else (self.derivative,)
            function, left[first] = given[first], left[first] - 1
        for i, order in enumerate(left):
            for _ in range(order):
                function = _slope_of(function, i, self.name)
        found = function(*arguments)
        return np.asarray(found, dtype=float) if xp is np else found


def _slope_of(function: Callable[..., Any], position: int, name: str) -> Callable[..., Any]:
    """The derivative of an element-wise function by one argument, through JAX."""
    import jax
    import jax.numpy as jnp

    import takens.core.system  # noqa: F401  switches JAX to float64

    def slope(*arguments: Any) -> Any:
        arrays = [jnp.asarray(a, dtype=float) for a in jnp.broadcast_arrays(*arguments)]

        def alone(argument: Any) -> Any:
            return function(*arrays[:position], argument, *arrays[position + 1 :])

        here = arrays[position]
        try:
            return jax.jvp(alone, (here,), (jnp.ones_like(here),))[1]
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"the function {name!r} cannot be differentiated by JAX ({type(error).__name__}). "
                "Write it with jax.numpy, or give its `derivative`."
            ) from error

    return slope


def constant_factor(monomial: Monomial) -> bool:
    """Whether a factor is a mere number."""
    return any(_is_constant(atom) for atom, _ in monomial)


def _is_constant(node: Node) -> bool:
    if node[0] in ("column", "time"):
        return False
    return all(_is_constant(child) for child in children(node))
