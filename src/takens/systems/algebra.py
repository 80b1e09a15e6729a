"""Algebras: tables of elementary operations on expressions, with what follows from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from takens.core.errors import WrongKind

Entries: TypeAlias = np.ndarray  # of objects: expressions and Python numbers


def objects(shape: tuple[int, ...], entries: Iterable[Any]) -> Entries:
    """An array of objects, filled one by one: NumPy would unpack an expression that has a length.

    Examples
    --------
    >>> objects((2,), ["a", 1.0])
    array(['a', 1.0], dtype=object)
    """
    found = np.empty(math.prod(shape), dtype=object)
    for i, entry in enumerate(entries):
        found[i] = entry
    return found.reshape(shape)


@dataclasses.dataclass(frozen=True)
class Complex:
    """A complex expression as two real ones: algebras of real functions need no more.

    Parameters
    ----------
    re, im : expression or number
    """

    re: Any
    im: Any

    @classmethod
    def of(cls, value: Any) -> Complex:
        """`value` itself, or a real expression or a complex number as a pair."""
        if isinstance(value, Complex):
            return value
        if isinstance(value, complex):
            return cls(value.real, value.imag)
        return cls(value, 0.0)


@dataclasses.dataclass(frozen=True)
class Algebra:
    """Elementary operations on expressions, by the names of JAX's primitives.

    Parameters
    ----------
    name : str
        Used in messages.
    operations : mapping of str to callable
        ``add``, ``mul``, ``pow`` and ``exp`` at least; ``sum`` of a list where it is better than
        repeated ``add``. Operations that are missing are composed from others where that is exact,
        and refused otherwise.
    advice : str
        What to do about an operation that is missing.
    """

    name: str
    operations: Mapping[str, Callable[..., Any]]
    advice: str = "Write the rule with elementary functions."

    def apply(self, name: str, *entries: Any) -> Any:
        """One operation on entries: numbers fold, neutral elements vanish."""
        if name in ("real", "imag", "conj", "complex") or any(
            isinstance(e, (Complex, complex)) for e in entries
        ):
            return self._complex(name, *entries)
        if name == "select_n":
            return self._select(*entries)
        if all(map(_is_number, entries)):
            return _folded(name, entries, self)
        short = _shortened(name, entries)
        if short is not None:
            return short[0]
        operation = self.operations.get(name)
        if operation is not None:
            return operation(*entries)
        composed = _COMPOSED.get(name)
        if composed is not None:
            return composed(self, *entries)
        raise refuse(self, name, f"the operation `{name}`")

    def has(self, name: str) -> bool:
        """Whether an operation is in the table or follows from it."""
        return name in self.operations or name in _COMPOSED

    def total(self, terms: list[Any]) -> Any:
        """The sum of a list, its numbers added first."""
        constant = sum(float(e) for e in terms if _is_number(e))
        rest = [e for e in terms if not _is_number(e)]
        if any(isinstance(e, (Complex, complex)) for e in rest):
            pairs = [Complex.of(e) for e in terms]
            return Complex(self.total([p.re for p in pairs]), self.total([p.im for p in pairs]))
        if not rest:
            return constant
        many = self.operations.get("sum")
        if constant != 0:
            rest = [constant, *rest]
        if many is not None and len(rest) > 2:
            return many(rest)
        found = rest[0]
        for term in rest[1:]:
            found = self.apply("add", found, term)
        return found

    def fold(self, name: str, entries: list[Any]) -> Any:
        """`name` applied along a list."""
        if name == "add":
            return self.total(entries)
        found = entries[0]
        for entry in entries[1:]:
            found = self.apply(name, found, entry)
        return found

    def _select(self, which: Any, *cases: Any) -> Any:
        if _is_number(which):
            return cases[int(which)]
        if all(case is cases[0] for case in cases):
            return cases[0]
        if "select" not in self.operations or len(cases) != 2:
            raise refuse(self, "select_n", "a choice that depends on the state (`where`)")
        return self.operations["select"](which, cases[1], cases[0])

    def _complex(self, name: str, *entries: Any) -> Any:
        if name == "complex":
            return Complex(*entries)
        a = Complex.of(entries[0])
        if name == "real":
            return a.re
        if name == "imag":
            return a.im
        if name in ("conj", "neg"):
            re = a.re if name == "conj" else self.apply("neg", a.re)
            return Complex(re, self.apply("neg", a.im))
        if name in ("add", "sub", "add_any"):
            b = Complex.of(entries[1])
            return Complex(self.apply(name, a.re, b.re), self.apply(name, a.im, b.im))
        if name == "div" and not isinstance(entries[1], (Complex, complex)):
            return Complex(self.apply("div", a.re, entries[1]), self.apply("div", a.im, entries[1]))
        if name == "mul":
            b = Complex.of(entries[1])
            cross = [self.apply("mul", p, q) for p in (a.re, a.im) for q in (b.re, b.im)]
            return Complex(
                self.apply("sub", cross[0], cross[3]), self.apply("add", cross[1], cross[2])
            )
        raise refuse(self, name, f"the operation `{name}` on complex numbers")


def refuse(algebra: Algebra, name: str, what: str) -> WrongKind:
    """The error for something that `algebra` cannot express."""
    return WrongKind(
        f"The rule uses {what} (primitive {name!r}), which has no expression in {algebra.name}. "
        f"{algebra.advice}"
    )


def _is_number(entry: Any) -> bool:
    return isinstance(entry, (bool, int, float, np.generic))


def _shortened(name: str, entries: tuple[Any, ...]) -> tuple[Any] | None:
    """The result where a neutral or absorbing number gives it, in a tuple."""
    a, b = (*entries, None, None)[:2]
    if name in ("add", "add_any"):
        return (b,) if _is(a, 0) else (a,) if _is(b, 0) else None
    if name == "sub":
        return (a,) if _is(b, 0) else None
    if name == "mul":
        if _is(a, 0) or _is(b, 0):
            return (0.0,)
        return (b,) if _is(a, 1) else (a,) if _is(b, 1) else None
    if name == "div":
        return (0.0,) if _is(a, 0) else (a,) if _is(b, 1) else None
    if name == "pow":
        return (1.0,) if _is(b, 0) else (a,) if _is(b, 1) else None
    if name in ("and", "or"):
        number, other = (a, b) if _is_number(a) else (b, a)
        if _is_number(number):
            return (other,) if bool(number) == (name == "and") else (bool(number),)
    if name in ("eq", "ne", "le", "ge", "lt", "gt") and a is b:  # how NaN is looked for
        return (name in ("eq", "le", "ge"),)
    return None


def _is(entry: Any, number: float) -> bool:
    return _is_number(entry) and entry == number


def _folded(name: str, entries: tuple[Any, ...], algebra: Algebra) -> Any:
    if name in NUMBERS:
        with np.errstate(all="ignore"):
            found = NUMBERS[name](*[np.asarray(e) for e in entries])
        return found.item()
    if name in _COMPOSED:
        return _COMPOSED[name](algebra, *entries)
    raise refuse(algebra, name, f"the operation `{name}`")


def _power(a: Any, b: Any) -> Any:
    return np.power(np.asarray(a, dtype=float), b)


NUMBERS: dict[str, Callable[..., Any]] = {
    "add": np.add, "add_any": np.add, "sub": np.subtract, "mul": np.multiply, "neg": np.negative,
    "div": np.true_divide, "pow": _power, "exp": np.exp, "log": np.log, "sin": np.sin,
    "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "atan2": np.arctan2, "sqrt": np.sqrt, "cbrt": np.cbrt, "abs": np.abs,
    "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "max": np.maximum, "min": np.minimum,
    "mod": np.mod, "rem": np.fmod, "hypot": np.hypot, "logaddexp": np.logaddexp, "lt": np.less,
    "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal,
    "ne": np.not_equal, "and": np.logical_and, "or": np.logical_or, "not": np.logical_not,
    "expm1": np.expm1, "log1p": np.log1p, "erf": np.vectorize(math.erf, otypes=[float]),
    "is_finite": np.isfinite,
}  # fmt: skip

_COMPOSED: dict[str, Callable[..., Any]] = {
    "add_any": lambda a, x, y: a.apply("add", x, y),
    "neg": lambda a, x: a.apply("mul", -1.0, x),
    "sub": lambda a, x, y: a.apply("add", x, a.apply("neg", y)),
    "div": lambda a, x, y: a.apply("mul", x, a.apply("pow", y, -1)),
    "square": lambda a, x: a.apply("pow", x, 2),
    "sqrt": lambda a, x: a.apply("pow", x, 0.5),
    "rsqrt": lambda a, x: a.apply("pow", x, -0.5),
    "logistic": lambda a, x: a.apply(
        "pow", a.apply("add", 1.0, a.apply("exp", a.apply("neg", x))), -1
    ),
    "exp2": lambda a, x: a.apply("exp", a.apply("mul", math.log(2), x)),
    "expm1": lambda a, x: a.apply("add", a.apply("exp", x), -1.0),
    "log1p": lambda a, x: a.apply("log", a.apply("add", 1.0, x)),
    "erfc": lambda a, x: a.apply("sub", 1.0, a.apply("erf", x)),
    "tan": lambda a, x: a.apply("div", a.apply("sin", x), a.apply("cos", x)),
    "hypot": lambda a, x, y: a.apply(
        "sqrt", a.apply("add", a.apply("square", x), a.apply("square", y))
    ),
    "logaddexp": lambda a, x, y: a.apply(
        "add", x, a.apply("log1p", a.apply("exp", a.apply("sub", y, x)))
    ),
    "cbrt": lambda a, x: a.apply(
        "mul", a.apply("sign", x), a.apply("pow", a.apply("abs", x), 1 / 3)
    ),
    "clamp": lambda a, low, x, high: a.apply("min", a.apply("max", x, low), high),
    "rem": lambda a, x, y: a.apply("sub", x, a.apply("mul", y, _truncated(a, a.apply("div", x, y)))),
    "is_finite": lambda a, x: True,
}  # fmt: skip


def _truncated(algebra: Algebra, x: Any) -> Any:
    return algebra.apply(
        "mul", algebra.apply("sign", x), algebra.apply("floor", algebra.apply("abs", x))
    )


def _spelt(name: str) -> Callable[..., str]:
    return lambda *entries: f"{name}({', '.join(map(str, entries))})"


TEXT = Algebra("text", {name: _spelt(name) for name in NUMBERS})
