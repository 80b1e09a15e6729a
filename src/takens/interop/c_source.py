"""Equations as C: functions of plain arrays, for other programs and for real-time use."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from takens.interop.equations import SHARED, SymbolicSystem, sympy_module

_METHODS = {"flow": "vector_field", "map": "step", "diffusion": "drift"}
# words of C, and names that <math.h> and the functions themselves use
_WORDS = """
auto bool break case char const continue default do double else enum extern false float for
goto if inline int long main nullptr register restrict return short signed sizeof static
struct switch true typedef typeof union unsigned void volatile while t n state inputs result
vector_field step drift diffusion acos acosh asin asinh atan atan2 atanh cbrt ceil cos cosh
div erf erfc exp exp2 expm1 fabs fdim floor fma fmax fmin fmod frexp gamma hypot ilogb
isfinite isinf isnan isnormal j0 j1 jn labs ldexp lgamma log log10 log1p log2 logb lrint
modf nan nearbyint pow remainder rint round scalb sin sinh sqrt tan tanh tgamma trunc y0 y1
yn signgam signbit asm fortran abs exp10 drem significand finite gammaf linux unix NAN
INFINITY
"""
_TAKEN = set(_WORDS.split())


def c_source(system: SymbolicSystem) -> str:
    """Source of one function (two for a diffusion) in C99; see `SymbolicSystem.c`."""
    sp = sympy_module()
    names = _renamed((system.time, *system.states, *system.inputs, *system.values))
    names[system.time] = str(system.time)
    results: list[tuple[str, Sequence[Any]]] = [(_METHODS[system.kind], system.right)]
    if system.kind == "diffusion":
        results.append(("diffusion", list(system.noise)))
    what = {"flow": "rate of change", "map": "next state", "diffusion": "drift"}[system.kind]
    head = [
        f"/* {_plain(system.name)}: {what} of a state.",
        *[f"   state[{i}] is {_plain(label)}" for i, label in enumerate(system.labels)],
        *[f"   inputs[{i}] is {_plain(str(u))}" for i, u in enumerate(system.inputs)],
    ]
    if system.kind == "diffusion":
        columns = system.noise.cols
        head.append(f"   diffusion: {len(system.states)} rows of {columns}, row by row")
    head[-1] += " */"
    parts = ["\n".join(head), "#include <math.h>\n"]
    for method, entries in results:
        flat = [sp.sympify(entry) for entry in entries]
        parts.append(_function(system, method, flat, names))
    return "\n".join(parts)


def _function(system: SymbolicSystem, method: str, flat: list[Any], names: dict[Any, str]) -> str:
    sp = sympy_module()
    shared: list[tuple[Any, Any]] = []
    if sum(sp.count_ops(e) for e in flat) > SHARED:
        taken = set(names.values()) | _TAKEN
        fresh = (s for s in sp.numbered_symbols("c") if str(s) not in taken)
        shared, flat = sp.cse(flat, symbols=fresh, order="none")
    names = names | {symbol: str(symbol) for symbol, _ in shared}
    used = set().union(*[e.free_symbols for e in flat], *[e.free_symbols for _, e in shared])
    code = _printer(names)
    lines = [
        f"void {method}(double {names[system.time]}, const double *state, const double *inputs, "
        "double *result)",
        "{",
    ]
    lines += [f"    const double {names[p]} = {_literal(value)};" for p, value in system.values.items()
              if p in used]  # fmt: skip
    for array, symbols in (("state", system.states), ("inputs", system.inputs)):
        lines += [
            f"    const double {names[symbol]} = {array}[{i}];"
            for i, symbol in enumerate(symbols)
            if symbol in used
        ]
    lines += [f"    const double {symbol} = {code(value)};" for symbol, value in shared]
    unused = [system.time] if system.time not in used else []
    silent = [f"(void){names[symbol]};" for symbol in unused]
    silent += [] if used & set(system.inputs) else ["(void)inputs;"]
    silent += [] if used & set(system.states) else ["(void)state;"]
    lines += [f"    {' '.join(silent)}"] if silent else []
    lines += [f"    result[{i}] = {code(entry)};" for i, entry in enumerate(flat)]
    return "\n".join([*lines, "}\n"])


def _renamed(symbols: Sequence[Any]) -> dict[Any, str]:
    """Names that C accepts, each once."""
    found: dict[Any, str] = {}
    taken = set(_TAKEN)
    for symbol in symbols:
        name = re.sub(r"[^A-Za-z0-9_]", "_", str(symbol))
        name = f"x{name}" if not name[0].isalpha() else name
        while name in taken:
            name += "_"
        taken.add(name)
        found[symbol] = name
    return found


def _literal(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value))
    return "NAN" if math.isnan(value) else ("INFINITY" if value > 0 else "-INFINITY")


def _plain(text: str) -> str:
    """Text that cannot end a comment of C."""
    return text.replace("*/", "* /").replace("\n", " ").replace("\\", "/")


def _printer(names: dict[Any, str]) -> Any:
    from sympy.printing.c import C99CodePrinter

    class Printer(C99CodePrinter):
        """SymPy's own, with every digit of a float, real division and small powers as products."""

        def _print_Symbol(self, symbol: Any) -> str:
            return names[symbol]

        def _print_Float(self, number: Any) -> str:
            return _literal(float(number))

        def _print_Integer(self, number: Any) -> str:
            return f"{int(number)}.0"

        def _print_Pow(self, power: Any) -> str:
            if power.exp.is_Integer and 2 <= power.exp <= 4 and power.base.is_Symbol:
                return "(" + "*".join([names[power.base]] * int(power.exp)) + ")"
            return str(super()._print_Pow(power))

        def _print_Mod(self, modulus: Any) -> str:
            a, b = (self._print(argument) for argument in modulus.args)
            return f"(({a}) - ({b})*floor(({a})/({b})))"

    return Printer({"math_macros": {}, "contract": False}).doprint
