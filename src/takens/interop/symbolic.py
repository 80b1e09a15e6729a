"""The equations of a system in SymPy: known, learned, or written by hand in JAX."""

from __future__ import annotations

import functools
import keyword
import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from takens.core import InvalidInput, WrongKind
from takens.core.system import AbstractFlow, AbstractMap, AbstractSystem
from takens.interop.equations import Kind, SymbolicSystem, number, sympy_module
from takens.learn.maps import AbstractDelayMap, ObservedMap
from takens.learn.terms.system import AbstractTermSystem
from takens.systems.algebra import Algebra, objects
from takens.systems.expressions import parameter_arrays, rule
from takens.systems.known import AbstractKnown

_RESERVED = {*keyword.kwlist, "math", "state", "inputs", "t", "n"}


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
    sp = sympy_module()
    _checked(system, parameters, coordinates)
    observed = isinstance(system, AbstractDelayMap) and coordinates == "observed"
    kind: Kind = "map" if isinstance(system, AbstractMap) else (
        "flow" if isinstance(system, AbstractFlow) else "diffusion")  # fmt: skip
    labels = ObservedMap(system).names if observed else tuple(system.names)
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
        right=tuple(number(e) for e in right),
        noise=None if noise is None else sp.Matrix(
            *noise.shape, [number(e) for e in noise.reshape(-1)]),
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
    return ObservedMap(model).step(n, y, u)


def _input_names(system: AbstractSystem, n_inputs: int | None) -> tuple[str, ...]:
    if n_inputs is None:
        if isinstance(system, (AbstractKnown, AbstractTermSystem)):
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


def _algebra() -> Algebra:
    sp = sympy_module()

    def lifted(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *entries: function(*map(number, entries))

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
    table["pow"] = lambda a, b: power(number(a), b)
    table["sum"] = lambda terms: sp.Add(*map(number, terms))
    return Algebra(
        "SymPy", table, "Write the rule with elementary functions and loops of fixed length."
    )
