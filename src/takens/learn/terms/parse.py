"""Expressions written by people: strings and SymPy, read without running them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from takens.core import InvalidInput
from takens.learn.terms.tree import (
    FUNCTIONS,
    PI,
    TIME,
    Node,
    add,
    call,
    column,
    divide,
    multiply,
    number,
    power,
)

LONGEST = 10_000  # characters
_QUOTED = re.compile(r"`((?:[^`]|``)+)`")
_ALSO = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "ln": "log", "Abs": "abs",
}  # fmt: skip


def parse(expression: Any, functions: Mapping[str, int] | None = None) -> Node:
    """An expression as a tree.

    Parameters
    ----------
    expression : str or SymPy expression
        ``^`` and ``**`` are powers, ``t`` is time, ``pi`` the number. A column whose name is no
        plain word stands between backticks.
    functions : mapping of str to int, optional
        The user's own functions, each with its number of arguments.

    Raises
    ------
    InvalidInput
        If it is not an expression of columns, numbers and known functions.

    Examples
    --------
    >>> from takens.learn.terms.tree import text
    >>> text(parse("y*x / (x + 1)^2 + sin(2 * `a*b`)"))
    'x*y/(1 + x)^2 + sin(2*`a*b`)'
    """
    if not isinstance(expression, str):
        return _from_sympy(expression, functions or {})
    if not 0 < len(expression.strip()) <= LONGEST:
        raise InvalidInput(
            f"an expression of {len(expression)} characters was given; expected 1 to {LONGEST}."
        )
    names: dict[str, str] = {}
    prefix = "quoted"
    while prefix in expression:
        prefix += "_"

    def hidden(match: re.Match[str]) -> str:
        word = f"{prefix}{len(names)}"
        names[word] = match[1].replace("``", "`")
        return word

    plain = _QUOTED.sub(hidden, expression)
    try:
        body = ast.parse(plain.strip().replace("^", "**"), mode="eval").body
        return _Reader(expression, names, functions or {}).read(body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(
            f"{expression!r} is no expression that can be read. Write products with *, powers with "
            "^, and names that are no plain words between backticks, such as `a*b`."
        ) from error


class _Reader:
    """From Python's own syntax tree to ours; what is not listed here is refused."""

    def __init__(self, source: str, names: dict[str, str], functions: Mapping[str, int]) -> None:
        self.source, self.names, self.functions = source, names, functions

    def read(self, part: ast.expr) -> Node:
        """One node of the syntax tree."""
        if isinstance(part, ast.Constant) and type(part.value) in (int, float):
            return number(_float(part.value))
        if isinstance(part, ast.Name):
            if part.id in self.names:
                return column(self.names[part.id])
            return {"t": TIME, "pi": PI}.get(part.id) or column(part.id)
        if isinstance(part, ast.UnaryOp) and isinstance(part.op, (ast.USub, ast.UAdd)):
            inner = self.read(part.operand)
            return multiply(number(-1), inner) if isinstance(part.op, ast.USub) else inner
        if isinstance(part, ast.BinOp):
            return self._binary(part)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and not part.keywords:
            return self._call(part.func.id, [self.read(a) for a in part.args])
        if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name):
            name = self.names.get(part.value.id, part.value.id)
            minus = isinstance(part.slice, ast.UnaryOp) and isinstance(part.slice.op, ast.USub)
            lag = part.slice.operand if isinstance(part.slice, ast.UnaryOp) and minus else None
            if isinstance(lag, ast.Constant) and type(lag.value) is int and lag.value > 0:
                return column(f"{name}[-{lag.value}]")
        raise self._refused(ast.unparse(part))

    def _binary(self, part: ast.BinOp) -> Node:
        a, b = self.read(part.left), self.read(part.right)
        if isinstance(part.op, ast.Add):
            return add(a, b)
        if isinstance(part.op, ast.Sub):
            return add(a, multiply(number(-1), b))
        if isinstance(part.op, ast.Mult):
            return multiply(a, b)
        if isinstance(part.op, ast.Div):
            return divide(a, b)
        if isinstance(part.op, ast.Pow):
            return power(a, b)
        raise self._refused(ast.unparse(part))

    def _call(self, name: str, arguments: list[Node]) -> Node:
        if name in self.functions:
            if len(arguments) != self.functions[name]:
                raise InvalidInput(
                    f"{name} has {len(arguments)} arguments in {self.source!r}; "
                    f"it takes {self.functions[name]}."
                )
            return ("user", name, (0,) * len(arguments), *arguments)
        known = _ALSO.get(name, name)
        if known not in FUNCTIONS or len(arguments) != 1:
            raise self._refused(f"{name}(...)")
        return call(known, arguments[0])

    def _refused(self, what: str) -> InvalidInput:
        return InvalidInput(
            f"{what} stands in {self.source!r}. Expressions hold columns, numbers, t, pi, "
            f"+ - * / ^ and, of one argument, {', '.join(FUNCTIONS)}"
            + (f"; and your {', '.join(self.functions)}." if self.functions else ".")
        )


def _float(entry: Any) -> float:
    try:
        return float(entry)
    except OverflowError as error:
        raise InvalidInput("a number in an expression is too large for a float.") from error


def _from_sympy(expression: Any, functions: Mapping[str, int]) -> Node:
    """SymPy's tree in ours."""
    kind = type(expression)
    if isinstance(expression, (int, float)) and not isinstance(expression, bool):
        return number(_float(expression))
    if not kind.__module__.startswith("sympy"):
        raise InvalidInput(
            f"{kind.__name__} was given; expected a string or a SymPy expression of the columns."
        )
    import sympy as sp

    def read(part: Any) -> Node:
        if part.is_Symbol:
            return TIME if part.name == "t" else column(part.name)
        if part is sp.pi:
            return PI
        if part.is_Rational:
            return number(_float(part.p) / _float(part.q))
        if part.is_number and part.is_real:
            return number(float(part))
        below = [read(argument) for argument in part.args]
        if part.is_Add:
            return add(*below)
        if part.is_Mul:
            return multiply(*below)
        if part.is_Pow:
            return power(*below)
        name = _ALSO.get(part.func.__name__, part.func.__name__)
        if len(below) == functions.get(name):
            return ("user", name, (0,) * len(below), *below)
        if name in FUNCTIONS and len(below) == 1:
            return call(name, below[0])
        raise InvalidInput(
            f"{part} stands in the SymPy expression {expression}; known functions are "
            f"{', '.join((*FUNCTIONS, *functions))}."
        )

    return read(sp.sympify(expression))
