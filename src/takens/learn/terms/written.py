"""Candidate terms that people write down: expressions, and functions of their own."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from takens.core import InvalidInput
from takens.learn.terms.library import AbstractLibrary, Columns, unknown
from takens.learn.terms.parse import parse
from takens.learn.terms.plan import Monomial, UserFunction, constant_factor, factors_of
from takens.learn.terms.tree import FUNCTIONS, Node, column, columns_of, text, uses_time


@dataclasses.dataclass(frozen=True, init=False)
class Expressions(AbstractLibrary):
    """Terms written out, as strings or in SymPy.

    Parameters
    ----------
    *expressions : str or SymPy expression
        Of the columns by name, ``t``, ``pi``, numbers, ``+ - * / ^`` and elementary functions; a
        name that is no plain word stands between backticks. Strings are read, not run.
    functions : mapping of str to callable, optional
        The user's own, under the names by which expressions call them: of arrays, element by
        element, in operations that NumPy and JAX share.
    derivatives : mapping, optional
        Of those, a callable for each argument (one, or a tuple); made by JAX when not given.
    written : tuple
        The expressions as trees.

    Raises
    ------
    InvalidInput
        If an expression cannot be read, or is a number times something: the coefficient is what
        is looked for.

    Examples
    --------
    >>> terms = Expressions("x*y/(1 + x)", "exp(-x)").over(("x", "y"))
    >>> terms.names
    ('x*y/(1 + x)', 'exp(-x)')
    >>> terms([1.0, 4.0]).round(3).tolist()
    [2.0, 0.368]
    """

    written: tuple[Node, ...]
    functions_: tuple[UserFunction, ...]

    def __init__(
        self,
        *expressions: Any,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        derivatives: Mapping[str, Any] | None = None,
    ) -> None:
        users = user_functions(functions or {}, derivatives or {})
        known = {f.name: f.n_arguments for f in users}
        if not expressions:
            raise InvalidInput("no expression was given; expected one or more.")
        nodes = tuple(parse(expression, known) for expression in expressions)
        for given, node in zip(expressions, nodes, strict=True):
            scale, monomial = factors_of(node)
            if scale != 1 or constant_factor(monomial):
                raise InvalidInput(
                    f"the term {str(given)!r} has a constant factor. Leave it out: the coefficient "
                    "of a term is what a fit finds."
                )
        object.__setattr__(self, "written", nodes)
        object.__setattr__(self, "functions_", users)

    def monomials(self, columns: Columns) -> Iterable[Monomial]:
        """In the order in which they were written."""
        known = columns.measured + columns.inputs
        for node in self.written:
            for name in sorted(columns_of(node)):
                if name not in known:
                    raise unknown(name, known)
            if "t" in known and uses_time(node):
                raise InvalidInput(
                    f"t in {text(node)!r} is time, but a column is called 't' too. Write `t` "
                    "between backticks for the column."
                )
            yield factors_of(node)[1]

    def functions(self) -> tuple[UserFunction, ...]:
        """Those given."""
        return self.functions_


@dataclasses.dataclass(frozen=True, init=False)
class Functions(AbstractLibrary):
    """Functions of the user's of every column, or of every ordered pair of columns.

    Parameters
    ----------
    columns : tuple of str, optional
        Of what; all states when not given.
    derivatives : mapping, optional
        Callables by name (a tuple with one for each argument); made by JAX when not given.
    **functions : callable
        Under the names that terms show: of arrays, element by element, in operations that NumPy
        and JAX share (``lambda x: x / (1 + x)``, or functions of `jax.numpy`).

    Raises
    ------
    InvalidInput
        If something is not callable, or has a name that is taken.

    Examples
    --------
    >>> terms = Functions(hill=lambda x: x**2 / (1 + x**2)).over(("x", "y"))
    >>> terms.names
    ('hill(x)', 'hill(y)')
    >>> terms([1.0, 2.0]).tolist()
    [0.5, 0.8]
    """

    given: tuple[UserFunction, ...]
    columns: tuple[str, ...] | None

    def __init__(
        self,
        *,
        columns: Iterable[str] | None = None,
        derivatives: Mapping[str, Any] | None = None,
        **functions: Callable[..., Any],
    ) -> None:
        if not functions:
            raise InvalidInput("no function was given; expected name=callable, one or more.")
        chosen = (columns,) if isinstance(columns, str) else columns
        object.__setattr__(self, "given", user_functions(functions, derivatives or {}))
        object.__setattr__(self, "columns", None if chosen is None else tuple(chosen))

    def monomials(self, columns: Columns) -> Iterable[Monomial]:
        """Function by function, in the order of the columns."""
        chosen = columns.chosen(self.columns)
        for function in self.given:
            for picked in itertools.permutations(chosen, function.n_arguments):
                orders = (0,) * function.n_arguments
                yield ((("user", function.name, orders, *map(column, picked)), 1),)

    def functions(self) -> tuple[UserFunction, ...]:
        """Those given."""
        return self.given


def user_functions(
    functions: Mapping[str, Any], derivatives: Mapping[str, Any]
) -> tuple[UserFunction, ...]:
    """Functions with their numbers of arguments, after a check."""
    for name in derivatives:
        if name not in functions:
            raise InvalidInput(f"a derivative was given for {name!r}, which is no given function.")
    found = []
    for name, function in functions.items():
        if not name.isidentifier() or name in FUNCTIONS:
            raise InvalidInput(f"{name!r} cannot name a function. Take a plain word not in use.")
        if not callable(function):
            raise InvalidInput(f"{name} = {function!r}; expected a callable.")
        count = _argument_count(name, function)
        given = derivatives.get(name)
        if given is not None:
            given = tuple(given) if isinstance(given, (tuple, list)) else (given,)
            if len(given) != count or not all(map(callable, given)):
                raise InvalidInput(f"{name!r} takes {count} arguments; give a derivative for each.")
        found.append(UserFunction(name, function, count, given))
    return tuple(found)


def _argument_count(name: str, function: Callable[..., Any]) -> int:
    """Positional arguments without a default; one, where nothing can be known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return 1
    needed = [
        p
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    if not needed:
        raise InvalidInput(f"the function {name!r} takes no argument; expected one or more.")
    return len(needed)
