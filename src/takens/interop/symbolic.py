"""The equations of a system in SymPy: known, learned, or written by hand in JAX."""

from __future__ import annotations

import dataclasses
import functools
import keyword
import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from takens.core import InvalidInput, MissingDependency, WrongKind
from takens.core.system import AbstractFlow, AbstractMap, AbstractSystem
from takens.learn.maps import AbstractDelayMap
from takens.systems.algebra import Algebra, objects
from takens.systems.expressions import parameter_arrays, rule
from takens.systems.known import AbstractKnown

Kind = Literal["flow", "map", "diffusion"]
SHARED = 100  # operations beyond which Python source names its common parts
_RESERVED = {*keyword.kwlist, "math", "state", "inputs", "t", "n"}
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
        sp = _sympy()
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
        sp = _sympy()
        return sp.Matrix(self.right).jacobian(sp.Matrix(self.states))

    def folded(self) -> SymbolicSystem:
        """The same with the values of all parameters put in."""
        sp = _sympy()
        numbers = {symbol: _number(value) for symbol, value in self.values.items()}
        right = tuple(sp.sympify(e).xreplace(numbers) for e in self.right)
        noise = None if self.noise is None else self.noise.xreplace(numbers)
        return dataclasses.replace(self, right=right, noise=noise, values={})

    def expanded(self) -> SymbolicSystem:
        """The same with products multiplied out and like terms collected."""
        sp = _sympy()
        right = tuple(sp.expand(e) for e in self.right)
        noise = None if self.noise is None else self.noise.applyfunc(sp.expand)
        return dataclasses.replace(self, right=right, noise=noise)

    def latex(self, digits: int = 4) -> str:
        """The equations as one ``aligned`` block, numbers to `digits` significant digits.

        Rows of a map that only remember an earlier value are left out.
        """
        sp = _sympy()
        names = {x: self._at(label, 0) for x, label in zip(self.states, self.labels, strict=True)}
        names |= {u: _latex_name(str(u)) for u in self.inputs}
        names |= {p: _latex_name(str(p)) for p in self.values}

        def written(expression: Any) -> str:
            rounded = {f: sp.Float(f, digits) for f in sp.sympify(expression).atoms(sp.Float)}
            short = sp.sympify(expression).xreplace(rounded)
            return str(sp.latex(short, symbol_names=names))

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

    def _function(self, name: str, results: Any) -> str:
        sp = _sympy()
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
            return rf"\dot{{{name}}}" if ahead and self.kind == "flow" else name
        found = _DELAYED.match(label)
        base = _latex_name(found["base"] if found else label)
        shift = ahead - (int(found["lag"]) if found else 0)
        when = "n" if shift == 0 else f"n{shift:+d}"
        index = re.fullmatch(r"(.*)_\{(.*)\}", base)
        return f"{index[1]}_{{{index[2]}, {when}}}" if index else f"{base}_{{{when}}}"


def symbolic(
    system: Any,
    *,
    parameters: Literal["symbols", "numbers"] = "symbols",
    coordinates: Literal["observed", "state"] = "observed",
    n_inputs: int | None = None,
) -> SymbolicSystem:
    """The equations of a system.

    The rule is read as expressions from the program that JAX traces, so that every system has
    equations: known, learned, or a neural network.

    Parameters
    ----------
    system : AbstractFlow, AbstractMap or AbstractDiffusion
    parameters : {"symbols", "numbers"}
        Whether parameters stay symbols, named as the fields (elements of an array are numbered,
        ``matrix_0_1``), or are folded in.
    coordinates : {"observed", "state"}
        Of a map learned on delays: equations between observations in their own units, or between
        the standardised coordinates of its state. The same thing for every other system.
    n_inputs : int, optional
        Width of the input; what the system says of itself when not given.

    Returns
    -------
    SymbolicSystem

    Raises
    ------
    MissingDependency
        If SymPy is not installed.
    WrongKind
        If `system` is no system, or its rule has no closed expression (a loop of unknown length,
        a search for neighbours, an adaptive integrator).
    InvalidInput
        If an option has another value.

    Notes
    -----
    Cost: one visit per entry of every array in the rule. A network of 1000 weights takes a second;
    a field on a fine grid gives equations that nobody reads.

    Equations of a learned model describe the model. That it forecasts well does not make them the
    law behind the data.

    Examples
    --------
    >>> from takens.systems import Lorenz63
    >>> lorenz = symbolic(Lorenz63())
    >>> lorenz.right[0], lorenz.jacobian()[2, 1]
    (sigma*(-x + y), x)
    >>> print(lorenz.equations[2])
    Eq(Derivative(z(t), t), -beta*z(t) + x(t)*y(t))
    """
    sp = _sympy()
    _checked(system, parameters, coordinates)
    observed = isinstance(system, AbstractDelayMap) and coordinates == "observed"
    kind: Kind = "map" if isinstance(system, AbstractMap) else (
        "flow" if isinstance(system, AbstractFlow) else "diffusion")  # fmt: skip
    labels = _observed_labels(system) if observed else tuple(system.names)
    inputs = _input_names(system, n_inputs)
    taken = set(_RESERVED)
    states = [sp.Symbol(_identifier(label, taken)) for label in labels]
    drivers = [sp.Symbol(_identifier(name, taken)) for name in inputs]
    time = sp.Symbol("n" if kind == "map" else "t")
    values, given = {}, {}
    if parameters == "symbols":
        for name, array in parameter_arrays(system).items():
            entries = []
            for index in np.ndindex(array.shape):
                label = "_".join([name, *map(str, index)])
                entries.append(sp.Symbol(_identifier(label, taken)))
                values[entries[-1]] = float(array[index])
            given[name] = objects(array.shape, entries)
    read = functools.partial(
        rule,
        system,
        t=time,
        x=objects((len(states),), states),
        u=objects((len(drivers),), drivers) if drivers else None,
        algebra=_algebra(),
        parameters=given,
    )
    methods: dict[Kind, Any] = {"flow": "vector_field", "map": "step", "diffusion": "drift"}
    right = read(_observed_step if observed else methods[kind])
    noise = read("diffusion") if kind == "diffusion" else None
    used = set().union(*(sp.sympify(e).free_symbols for e in right))
    if noise is not None:
        used |= set().union(*(sp.sympify(e).free_symbols for e in noise.reshape(-1)))
    return SymbolicSystem(
        name=type(system).__name__,
        kind=kind,
        time=time,
        states=tuple(states),
        inputs=tuple(drivers),
        labels=labels,
        right=tuple(_number(e) for e in right),
        noise=None if noise is None else sp.Matrix(
            *noise.shape, [_number(e) for e in noise.reshape(-1)]),
        values={symbol: value for symbol, value in values.items() if symbol in used},
    )  # fmt: skip


def _checked(system: Any, parameters: str, coordinates: str) -> None:
    if not isinstance(system, AbstractSystem):
        raise WrongKind(
            f"{type(system).__name__} was given; expected a system. Pass `fit.model` of a fit."
        )
    for given, allowed in ((parameters, ("symbols", "numbers")),
                           (coordinates, ("observed", "state"))):  # fmt: skip
        if given not in allowed:
            raise InvalidInput(f"{given!r} was given; expected one of {allowed}.")


def _observed_step(model: AbstractDelayMap, n: Any, y: Any, u: Any) -> Any:
    """One step between observations, newest first: encode the window, advance, decode."""
    import jax.numpy as jnp

    x = model.frame.encode(y.reshape(model.window, -1)).reshape(-1)
    new = model.frame.decode(model.advance(n, x, u))
    return jnp.concatenate([new, y[: y.shape[0] - new.shape[0]]])


def _observed_labels(model: AbstractDelayMap) -> tuple[str, ...]:
    return tuple(
        name if lag == 0 else f"{name}[-{lag}]"
        for lag in range(model.window)
        for name in model.observed
    )


def _input_names(system: AbstractSystem, n_inputs: int | None) -> tuple[str, ...]:
    if n_inputs is None:
        if isinstance(system, AbstractKnown):
            return system.inputs
        n_inputs = system.n_inputs if isinstance(system, AbstractDelayMap) else 0
    return tuple(f"u{i}" for i in range(n_inputs)) if n_inputs != 1 else ("u",)


def _identifier(label: str, taken: set[str]) -> str:
    """A name that Python accepts and nobody else has; it is added to `taken`."""
    name = re.sub(r"\W+", "_", label).strip("_") or "x"
    name = f"x{name}" if name[0].isdigit() else name
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _latex_name(name: str) -> str:
    found = re.fullmatch(r"([A-Za-z]+?)_?(\d*(?:_\d+)*)_?", name)
    if not found:
        escaped = re.sub(r"([_%&#$])", r"\\\1", name).replace(" ", r"\ ")
        return rf"\mathrm{{{escaped}}}"
    base, index = found[1], found[2].replace("_", ",")
    written = str(_sympy().latex(_sympy().Symbol(base)))
    if len(base) > 1 and not written.startswith("\\"):
        written = rf"\mathrm{{{base}}}"
    return f"{written}_{{{index}}}" if index else written


def _number(entry: Any) -> Any:
    """A Python number as SymPy's; whole ones exactly, so that ``2 x`` is not ``2.0 x``."""
    sp = _sympy()
    if isinstance(entry, (bool, np.bool_)):
        return sp.true if entry else sp.false
    if isinstance(entry, (int, float, np.generic)):
        value = float(entry)
        return (
            sp.Integer(int(value)) if value.is_integer() and abs(value) < 1e15 else sp.Float(value)
        )
    return entry


def _algebra() -> Algebra:
    sp = _sympy()

    def lifted(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *entries: function(*map(_number, entries))

    def power(a: Any, b: Any) -> Any:
        halves = isinstance(b, (int, float)) and float(2 * b).is_integer()
        return a ** (sp.Rational(int(2 * b), 2) if halves else b)

    operations = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "neg": lambda a: -a,
        "pow": power,
        "select": lambda c, a, b: sp.Piecewise((a, c), (b, True)),
    }
    direct = {
        "abs": sp.Abs, "sign": sp.sign, "floor": sp.floor, "ceil": sp.ceiling, "max": sp.Max,
        "min": sp.Min, "mod": sp.Mod, "lt": sp.Lt, "le": sp.Le, "gt": sp.Gt, "ge": sp.Ge,
        "eq": sp.Eq, "ne": sp.Ne, "and": sp.And, "or": sp.Or, "not": sp.Not,
    }  # fmt: skip
    for name in ("exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh",
                 "tanh", "asinh", "acosh", "atanh", "sqrt", "erf"):  # fmt: skip
        direct[name] = getattr(sp, name)
    table = {name: lifted(f) for name, f in {**operations, **direct}.items() if name != "pow"}
    table["pow"] = lambda a, b: power(_number(a), b)
    table["sum"] = lambda terms: sp.Add(*map(_number, terms))
    return Algebra(
        "SymPy", table, "Write the rule with elementary functions and loops of fixed length."
    )


def _unpacked(symbols: tuple[Any, ...]) -> str:
    return f"({symbols[0]},)" if len(symbols) == 1 else ", ".join(map(str, symbols))


def _code(expression: Any) -> str:
    from sympy.printing.pycode import PythonCodePrinter

    class Printer(PythonCodePrinter):
        """SymPy's own, with every digit of a float."""

        def _print_Float(self, number: Any) -> str:
            return repr(float(number))

    return str(Printer().doprint(expression))


def _sympy() -> Any:
    try:
        import sympy
    except ImportError as error:
        raise MissingDependency(
            "Equations need SymPy, which is not installed. "
            "Install it with `pip install 'takens[symbolic]'`."
        ) from error
    return sympy
