"""Equations as SymPy expressions: printed in LaTeX, written out in Python, differentiated."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Literal

import numpy as np

from takens.core import MissingDependency

Kind = Literal["flow", "map", "diffusion"]
SHARED = 100  # operations beyond which Python source names its common parts
_DELAYED = re.compile(r"^(?P<base>.+)\[-(?P<lag>\d+)\]$")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SymbolicSystem:
    r"""Equations of a system as SymPy expressions.

    Parameters
    ----------
    name : str
        Of the system's class.
    kind : {"flow", "map", "diffusion"}
        What `right` is: the rate of change, the next state, or the drift.
    time : sympy.Symbol
        ``t``, or ``n`` for a map.
    states, inputs : tuple of sympy.Symbol
        Components of the state and of the input.
    labels : tuple of str
        Names of the states in the system.
    right : tuple of sympy.Expr
        One for each state.
    noise : sympy.Matrix or None
        The noise matrix of a diffusion, shape (dim, noise).
    values : dict of sympy.Symbol to float
        Parameters that stayed symbols, with their values.

    Examples
    --------
    >>> from takens.interop import symbolic
    >>> from takens.systems import LogisticMap
    >>> logistic = symbolic(LogisticMap())
    >>> print(logistic.latex())
    \begin{aligned}
    x_{n+1} &= r x_{n} \left(1 - x_{n}\right)
    \end{aligned}
    """

    name: str
    kind: Kind
    time: Any
    states: tuple[Any, ...]
    inputs: tuple[Any, ...]
    labels: tuple[str, ...]
    right: tuple[Any, ...]
    noise: Any
    values: dict[Any, float]

    @property
    def equations(self) -> tuple[Any, ...]:
        """``Derivative(x(t), t) = ...`` for a flow, ``x(n + 1) = ...`` for a map.

        For a diffusion ``dx = ... dt + ... dW1``, with the differentials as symbols.
        """
        sp = sympy_module()
        if self.kind == "diffusion":
            drift, dt = sp.Matrix(self.right), sp.Symbol("dt")
            steps = sp.Matrix([sp.Symbol(f"dW{j + 1}") for j in range(self.noise.cols)])
            total = drift * dt + self.noise * steps
            return tuple(
                sp.Eq(sp.Symbol(f"d{x}"), change, evaluate=False)
                for x, change in zip(self.states, total, strict=True)
            )
        functions = [sp.Function(str(x)) for x in self.states]
        now = dict(zip(self.states, [f(self.time) for f in functions], strict=True))
        left = [
            sp.Derivative(f(self.time), self.time) if self.kind == "flow" else f(self.time + 1)
            for f in functions
        ]
        return tuple(
            sp.Eq(a, sp.sympify(b).xreplace(now), evaluate=False)
            for a, b in zip(left, self.right, strict=True)
        )

    def jacobian(self) -> Any:
        """Derivatives of `right` by the states, a SymPy matrix of shape (dim, dim)."""
        sp = sympy_module()
        return sp.Matrix(self.right).jacobian(sp.Matrix(self.states))

    def folded(self) -> SymbolicSystem:
        """The same with the values of all parameters put in."""
        sp = sympy_module()
        numbers = {symbol: number(value) for symbol, value in self.values.items()}
        right = tuple(sp.sympify(e).xreplace(numbers) for e in self.right)
        noise = None if self.noise is None else self.noise.xreplace(numbers)
        return dataclasses.replace(self, right=right, noise=noise, values={})

    def expanded(self) -> SymbolicSystem:
        """The same with products multiplied out and like terms collected."""
        sp = sympy_module()
        right = tuple(sp.expand(e) for e in self.right)
        noise = None if self.noise is None else self.noise.applyfunc(sp.expand)
        return dataclasses.replace(self, right=right, noise=noise)

    def latex(self, digits: int = 4) -> str:
        """The equations as one ``aligned`` block, numbers to `digits` significant digits.

        Rows of a map that only remember an earlier value are left out.
        """
        sp = sympy_module()
        names = {x: self._at(label, 0) for x, label in zip(self.states, self.labels, strict=True)}
        names |= {u: _latex_name(str(u)) for u in self.inputs}
        names |= {p: _latex_name(str(p)) for p in self.values}

        words = any("mathrm" in name for name in names.values())
        between = r"\," if words else None

        def written(expression: Any) -> str:
            floats = sp.sympify(expression).atoms(sp.Float)
            rounded = {f: number(float(f"{float(f):.{digits}g}")) for f in floats}
            short = sp.sympify(expression).xreplace(rounded)
            short = short.xreplace({f: sp.Float(f, digits) for f in short.atoms(sp.Float)})
            return str(sp.latex(short, symbol_names=names, mul_symbol=between))

        rows = []
        for i, (label, right) in enumerate(zip(self.labels, self.right, strict=True)):
            if self.kind == "map" and _DELAYED.match(label) and right in self.states:
                continue
            if self.kind != "diffusion":
                rows.append(f"{self._at(label, 1)} &= {written(right)}")
                continue
            change = [rf"\left({written(right)}\right) \mathrm{{d}}t"] if right != 0 else []
            change += [
                rf"\left({written(b)}\right) \mathrm{{d}}W_{{{j + 1}}}"
                for j, b in enumerate(self.noise.row(i))
                if b != 0
            ]
            rows.append(rf"\mathrm{{d}}{self._at(label, 0)} &= {' + '.join(change) or '0'}")
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def python(self) -> str:
        """Source of a module that needs nothing but ``math``.

        One function, or two for a diffusion, named as the method of the system: of time, the state
        and the input, with parameters as keywords. It returns a list; where a float overflows,
        Python raises OverflowError.
        """
        head = "import math\n"
        if self.kind == "diffusion":
            rows = [list(self.noise.row(i)) for i in range(self.noise.rows)]
            return head + self._function("drift", self.right) + self._function("diffusion", rows)
        return head + self._function("step" if self.kind == "map" else "vector_field", self.right)

    def c(self) -> str:
        """Source in C99 that needs nothing but ``math.h``.

        One function, or two for a diffusion, named as the method of the system::

            void vector_field(double t, const double *state, const double *inputs, double *result)

        `inputs` is not read where the system has none. A name that C cannot use is followed by an
        underscore; the comment at the top says which entry is which. What is not finite is NaN or
        infinite there, without a signal.
        """
        from takens.interop.c_source import c_source

        return c_source(self)

    def _function(self, name: str, results: Any) -> str:
        sp = sympy_module()
        nested = bool(results) and isinstance(results[0], list)
        flat = [e for row in results for e in row] if nested else list(results)
        shared: list[tuple[Any, Any]] = []
        if sum(sp.count_ops(e) for e in flat) > SHARED:
            taken = {str(s) for s in (*self.states, *self.inputs, *self.values)}
            fresh = (s for s in sp.numbered_symbols("c") if str(s) not in taken)
            shared, flat = sp.cse(flat, symbols=fresh, order="none")
        keywords = "".join(f", {p}={value!r}" for p, value in self.values.items())
        sender = f", inputs{keywords}" if self.inputs else f", inputs=None{keywords}"
        lines = [f"\n\ndef {name}({self.time}, state{sender}):"]
        lines.append(f"    {_unpacked(self.states)} = state")
        if self.inputs:
            lines.append(f"    {_unpacked(self.inputs)} = inputs")
        lines += [f"    {symbol} = {_code(value)}" for symbol, value in shared]
        if nested:
            width = len(results[0])
            parts = [
                "[" + ", ".join(map(_code, flat[i : i + width])) + "]"
                for i in range(0, len(flat), width)
            ]
        else:
            parts = [_code(e) for e in flat]
        lines += ["    return [", *[f"        {part}," for part in parts], "    ]\n"]
        return "\n".join(lines)

    def _at(self, label: str, ahead: int) -> str:
        """A state in LaTeX: now, or its rate or next value."""
        if self.kind != "map":
            name = _latex_name(label)
            if not ahead or self.kind != "flow":
                return name
            return rf"\frac{{\mathrm{{d}}}}{{\mathrm{{d}}t}} {name}" if "mathrm" in name else (
                rf"\dot{{{name}}}")  # fmt: skip
        found = _DELAYED.match(label)
        base = _latex_name(found["base"] if found else label)
        shift = ahead - (int(found["lag"]) if found else 0)
        when = "n" if shift == 0 else f"n{shift:+d}"
        index = re.fullmatch(r"(.*)_\{(.*)\}", base)
        return f"{index[1]}_{{{index[2]}, {when}}}" if index else f"{base}_{{{when}}}"


def _latex_name(name: str) -> str:
    """A name in LaTeX: ``x_1`` and ``p_x`` with subscripts, words upright, a clash with a tilde."""
    plain = name.rstrip("_")
    found = re.fullmatch(r"([A-Za-z]+)(\d*)((?:_[A-Za-z0-9]+)*)", plain)
    if found:
        parts = [found[2], *found[3].split("_")]
        index = ",".join(_latex_word(part) for part in parts if part)
        written = _latex_word(found[1]) + (f"_{{{index}}}" if index else "")
    else:
        safe = re.sub(r"[\\{}^~]|[^\x20-\x7e\w]", "?", plain)  # nothing that LaTeX would run
        escaped = re.sub(r"([_%&#$])", r"\\\1", safe).replace(" ", r"\ ")
        written = rf"\mathrm{{{escaped}}}"
    return rf"\tilde{{{written}}}" if plain != name else written


def _latex_word(word: str) -> str:
    if len(word) == 1 or word.isdigit():
        return word
    written = str(sympy_module().latex(sympy_module().Symbol(word)))  # knows the Greek letters
    return written if written.startswith("\\") else rf"\mathrm{{{word}}}"


def number(entry: Any) -> Any:
    """A Python number as SymPy's; whole ones exactly, so that ``2 x`` is not ``2.0 x``."""
    sp = sympy_module()
    if isinstance(entry, (bool, np.bool_)):
        return sp.true if entry else sp.false
    if isinstance(entry, (int, float, np.generic)):
        value = float(entry)
        return (
            sp.Integer(int(value)) if value.is_integer() and abs(value) < 1e15 else sp.Float(value)
        )
    return entry


def _unpacked(symbols: tuple[Any, ...]) -> str:
    return f"({symbols[0]},)" if len(symbols) == 1 else ", ".join(map(str, symbols))


def _code(expression: Any) -> str:
    from sympy.printing.pycode import PythonCodePrinter

    class Printer(PythonCodePrinter):
        """SymPy's own, with every digit of a float."""

        def _print_Float(self, number: Any) -> str:
            return repr(float(number))

    return str(Printer().doprint(expression))


def sympy_module() -> Any:
    """SymPy, or the error that says how to get it."""
    try:
        import sympy
    except ImportError as error:
        raise MissingDependency(
            "Equations need SymPy, which is not installed. "
            "Install it with `pip install 'takens[symbolic]'`."
        ) from error
    return sympy
