"""Expressions as small trees: built in one canonical form, differentiated, evaluated, printed.

A node is a nested tuple, so that it can be hashed and compared:

========================================  ==================================================
``("number", 2.0)``, ``("pi",)``          constants
``("column", "x")``, ``("time",)``        what is measured
``("+", a, b, ...)``, ``("*", a, ...)``   sums and products, in a fixed order
``("^", a, b)``                           powers
``("call", "sin", a)``                    one of `FUNCTIONS`
``("user", "f", (0, 1), a, b)``           a function of the user's, with its order of derivative
========================================  ==================================================
"""

from __future__ import annotations

import keyword
import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from takens.core import InvalidInput

Node: TypeAlias = tuple[Any, ...]
PI: Node = ("pi",)
TIME: Node = ("time",)
UNROLLED_POWER = 16  # whole powers up to this are products


def number(value: float) -> Node:
    """A constant."""
    if not math.isfinite(value):
        raise InvalidInput(f"the number {value} stands in an expression; expected a finite one.")
    return ("number", float(value) + 0.0)


ZERO, ONE = number(0.0), number(1.0)


def column(name: str) -> Node:
    """A column of the data."""
    return ("column", name)


_RANK = ("number", "pi", "column", "time", "^", "*", "call", "user", "+")


def _ordered(nodes: Iterable[Node]) -> list[Node]:
    return sorted(nodes, key=lambda node: (_RANK.index(node[0]), repr(node)))


def add(*terms: Node) -> Node:
    """A sum, like terms collected."""
    parts: dict[Node, float] = {}
    for term in terms:
        for piece in term[1:] if term[0] == "+" else (term,):
            scale, rest = scaled(piece)
            parts[rest] = parts.get(rest, 0.0) + scale
    found = [multiply(number(scale), rest) for rest, scale in parts.items() if scale != 0]
    if len(found) < 2:
        return found[0] if found else ZERO
    return ("+", *_ordered(found))


def scaled(node: Node) -> tuple[float, Node]:
    """A node as a number times what is left."""
    if node[0] == "number":
        return node[1], ONE
    if node[0] == "*" and node[1][0] == "number":
        return node[1][1], node[2] if len(node) == 3 else ("*", *node[2:])
    return 1.0, node


def multiply(*factors: Node) -> Node:
    """A product, powers of one base collected."""
    scale = 1.0
    powers: dict[Node, float] = {}
    for factor in factors:
        for piece in factor[1:] if factor[0] == "*" else (factor,):
            if piece[0] == "number":
                scale *= piece[1]
                continue
            base, exponent = as_power(piece)
            powers[base] = powers.get(base, 0.0) + exponent
    if scale == 0:
        return ZERO
    found = _ordered(
        base if exponent == 1 else ("^", base, number(exponent))
        for base, exponent in powers.items()
        if exponent != 0
    )
    if scale != 1 or not found:
        found = [number(scale), *found]
    return found[0] if len(found) == 1 else ("*", *found)


def as_power(node: Node) -> tuple[Node, float]:
    """A node as a base and a number as its exponent."""
    if node[0] == "^" and node[2][0] == "number":
        return node[1], node[2][1]
    return node, 1.0


def power(base: Node, exponent: Node) -> Node:
    """A power; whole powers of products and of powers are multiplied out."""
    if exponent[0] != "number":
        return ("^", base, exponent)
    p = exponent[1]
    if p == 0:
        return ONE
    if p == 1:
        return base
    if base[0] == "number":
        return number(_number_power(base[1], p))
    if p.is_integer():
        if base[0] == "*":
            return multiply(*[power(factor, exponent) for factor in base[1:]])
        inner, q = as_power(base)
        if q != 1:
            return power(inner, number(p * q))
    return ("^", base, exponent)


def _number_power(base: float, p: float) -> float:
    try:
        value = base**p
    except (OverflowError, ZeroDivisionError) as error:
        raise InvalidInput(
            f"{base:g}^{p:g} stands in an expression and is no finite number."
        ) from error
    if isinstance(value, complex):
        raise InvalidInput(f"{base:g}^{p:g} stands in an expression and is not real.")
    return float(value)


def divide(a: Node, b: Node) -> Node:
    """A quotient; of two numbers it is a number, rounded once."""
    if b == ZERO:
        raise InvalidInput("an expression divides by zero.")
    if b[0] == "number":
        scale, rest = scaled(a)
        return multiply(number(scale / b[1]), rest)
    return multiply(a, power(b, number(-1)))


def call(name: str, argument: Node) -> Node:
    """One of `FUNCTIONS` of an argument; of a number its value."""
    if argument[0] == "number":
        try:
            return number(_VALUES[name](argument[1]))
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise InvalidInput(f"{name}({argument[1]:g}) is no finite number.") from error
    return ("call", name, argument)


_VALUES: dict[str, Callable[[float], float]] = {
    **{name: getattr(math, name) for name in (
        "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh",
        "atanh", "exp", "log", "sqrt")},
    "abs": abs,
    "sign": lambda a: float((a > 0) - (a < 0)),
}  # fmt: skip
FUNCTIONS = tuple(_VALUES)
_ARRAYS = {
    **{name: f"arc{name[1:]}" for name in FUNCTIONS if name[0] == "a" and name != "abs"},
}
_SLOPES: dict[str, Callable[[Node], Node]] = {
    "sin": lambda a: call("cos", a),
    "cos": lambda a: multiply(number(-1), call("sin", a)),
    "tan": lambda a: add(ONE, power(call("tan", a), number(2))),
    "asin": lambda a: power(_one_minus_square(a), number(-0.5)),
    "acos": lambda a: multiply(number(-1), power(_one_minus_square(a), number(-0.5))),
    "atan": lambda a: power(add(ONE, power(a, number(2))), number(-1)),
    "sinh": lambda a: call("cosh", a),
    "cosh": lambda a: call("sinh", a),
    "tanh": lambda a: add(ONE, multiply(number(-1), power(call("tanh", a), number(2)))),
    "asinh": lambda a: power(add(ONE, power(a, number(2))), number(-0.5)),
    "acosh": lambda a: power(add(number(-1), power(a, number(2))), number(-0.5)),
    "atanh": lambda a: power(_one_minus_square(a), number(-1)),
    "exp": lambda a: call("exp", a),
    "log": lambda a: power(a, number(-1)),
    "sqrt": lambda a: multiply(number(0.5), power(call("sqrt", a), number(-1))),
    "abs": lambda a: call("sign", a),
    "sign": lambda a: ZERO,
}


def _one_minus_square(a: Node) -> Node:
    return add(ONE, multiply(number(-1), power(a, number(2))))


def derivative(node: Node, by: str) -> Node:
    """The derivative by a column."""
    kind = node[0]
    if kind == "column":
        return ONE if node[1] == by else ZERO
    if by not in columns_of(node):
        return ZERO
    if kind == "+":
        return add(*[derivative(term, by) for term in node[1:]])
    if kind == "*":
        factors = node[1:]
        return add(*[
            multiply(*factors[:i], derivative(factor, by), *factors[i + 1 :])
            for i, factor in enumerate(factors)
        ])  # fmt: skip
    if kind == "^":
        base, exponent = node[1], node[2]
        if exponent[0] == "number":
            down = power(base, number(exponent[1] - 1))
            return multiply(exponent, down, derivative(base, by))
        return multiply(node, derivative(multiply(exponent, call("log", base)), by))
    if kind == "call":
        return multiply(_SLOPES[node[1]](node[2]), derivative(node[2], by))
    _, name, orders, *arguments = node
    return add(*[
        multiply(
            ("user", name, (*orders[:i], orders[i] + 1, *orders[i + 1 :]), *arguments),
            derivative(argument, by),
        )
        for i, argument in enumerate(arguments)
    ])  # fmt: skip


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    start = {"+": 1, "*": 1, "^": 1, "call": 2, "user": 3}.get(node[0])
    return () if start is None else node[start:]


def columns_of(node: Node) -> frozenset[str]:
    """Names of the columns in an expression."""
    if node[0] == "column":
        return frozenset((node[1],))
    return frozenset().union(*[columns_of(child) for child in children(node)])


def uses_time(node: Node) -> bool:
    """Whether time stands in an expression."""
    return node == TIME or any(uses_time(child) for child in children(node))


def users_of(node: Node) -> frozenset[str]:
    """Names of the user's functions in an expression."""
    own = {node[1]} if node[0] == "user" else set()
    return frozenset(own).union(*[users_of(child) for child in children(node)])


def value(
    node: Node, given: Callable[[Node], Any], users: Mapping[str, Callable[..., Any]], xp: Any
) -> Any:
    """The value of an expression.

    Parameters
    ----------
    node : tuple
    given : callable
        The array of a column, or that of time.
    users : mapping of str to callable
        Called as ``users[name](orders, xp, *arguments)``.
    xp : module
        ``numpy`` or ``jax.numpy``.
    """
    kind = node[0]
    if kind == "number":
        return node[1]
    if kind == "pi":
        return math.pi
    if kind in ("column", "time"):
        return given(node)
    below = [value(child, given, users, xp) for child in children(node)]
    if kind == "user":
        return users[node[1]](node[2], xp, *below)
    if kind == "call":
        return getattr(xp, _ARRAYS.get(node[1], node[1]))(below[0])
    if kind == "^":
        return raised(below[0], below[1], xp)
    total = below[0]
    for item in below[1:]:
        total = total + item if kind == "+" else total * item
    return total


def raised(base: Any, exponent: Any, xp: Any) -> Any:
    """A power; by products where the exponent is a small whole number."""
    if isinstance(exponent, float) and exponent.is_integer() and abs(exponent) <= UNROLLED_POWER:
        count, square = int(abs(exponent)), base
        product: Any = None
        while count:
            if count & 1:
                product = square if product is None else product * square
            count >>= 1
            square = square * square if count else square
        return product if exponent > 0 else 1.0 / product
    return xp.power(base, exponent)


def text(node: Node, level: int = 0) -> str:
    """The expression as `takens.learn.terms.parse.parse` reads it back."""
    kind = node[0]
    if kind == "number":
        return _wrapped(number_text(node[1]), level, 0 if node[1] < 0 else _level_of(node[1]))
    if kind == "pi":
        return "pi"
    if kind == "time":
        return "t"
    if kind == "column":
        return quoted(node[1])
    if kind in ("call", "user"):
        inner = ", ".join(text(child) for child in children(node))
        primes = "'".join(["", *map(str, node[2])]) if kind == "user" and any(node[2]) else ""
        return f"{node[1]}{primes}({inner})"
    if kind == "^":
        base, exponent = as_power(node)
        if exponent < 0:
            return product_text([(base, exponent)], level)
        shown = text(node[1], 3) + "^" + text(node[2], 3)
        return _wrapped(shown, level, 2)
    if kind == "*":
        return product_text([as_power(factor) for factor in node[1:]], level)
    shown = text(node[1])
    for term in node[2:]:
        piece = text(term)
        shown += f" - {piece[1:]}" if piece.startswith("-") else f" + {piece}"
    return _wrapped(shown, level, 0)


def product_text(factors: Iterable[tuple[Node, float]], level: int = 0) -> str:
    """A product of powers, in the order given; what has a negative exponent below a line."""
    above: list[str] = []
    below: list[str] = []
    sign = ""
    for base, exponent in factors:
        if base[0] == "number" and exponent == 1 and not above:
            if base[1] == -1:
                sign = "-"
                continue
            sign = "-" if base[1] < 0 else ""
            above.append(number_text(abs(base[1])))
            continue
        size = abs(exponent)
        shown = text(base if size == 1 else ("^", base, number(size)), 2 if size == 1 else 1)
        (above if exponent > 0 else below).append(shown)
    shown = "*".join(above) or "1"
    if below:
        shown += "/" + (below[0] if len(below) == 1 else f"({'*'.join(below)})")
    return _wrapped(sign + shown, level, 0 if sign else 1)


def _wrapped(shown: str, level: int, own: int) -> str:
    return f"({shown})" if own < level else shown


def _level_of(value: float) -> int:
    return 1 if "/" in number_text(value) else 3


def number_text(value: float) -> str:
    """The shortest text that gives the same number back, ``1/3`` among them."""
    plain = repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    near = Fraction(value).limit_denominator(1000)
    ratio = f"{near.numerator}/{near.denominator}"
    exact = near.denominator > 1 and near.numerator / near.denominator == value
    return ratio if exact and len(ratio) < len(plain) else plain


def quoted(name: str) -> str:
    """The name of a column; between backticks where it is no plain word."""
    base = name[: name.rindex("[-")] if _is_delayed(name) else name
    plain = base.isidentifier() and unicodedata.normalize("NFKC", base) == base
    if plain and not keyword.iskeyword(base) and base not in ("t", "pi"):
        return name
    return "`" + name.replace("`", "``") + "`"


def _is_delayed(name: str) -> bool:
    inside = name[name.rindex("[-") + 2 : -1] if "[-" in name and name.endswith("]") else ""
    return inside.isascii() and inside.isdigit() and not inside.startswith("0")
