"""The known part: equations with named parameters, from strings, a function or a system."""

from __future__ import annotations

import abc
import collections
import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import InvalidInput
from takens.learn.partly.parts import AbstractPart, EquationPart, TracedPart, filled
from takens.learn.terms.parse import parse
from takens.learn.terms.tree import ZERO, Node, columns_of

if TYPE_CHECKING:
    from takens.learn.partly.estimator import HalfKnown
    from takens.learn.partly.unknown import AbstractUnknown

_LEFT = (re.compile(r"^d\s*(.+?)\s*/\s*dt$"), re.compile(r"^(.+?)\s*'$"))


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AbstractKnown(abc.ABC):
    """What is known of a system; ``known + unknown`` is an estimator.

    Parameters
    ----------
    free : tuple of str, optional
        Parameters to be found.
    fixed, guess : mapping of str to float
        Values that are known, and values from which the search begins.
    """

    free: tuple[str, ...] | None = None
    fixed: Mapping[str, float] = dataclasses.field(default_factory=dict)
    guess: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @abc.abstractmethod
    def over(self, states: Sequence[str], inputs: Sequence[str] = ()) -> AbstractPart:
        """The known rates over the columns of some data."""

    def __add__(self, unknown: AbstractUnknown) -> HalfKnown:
        from takens.learn.partly.estimator import HalfKnown
        from takens.learn.partly.unknown import AbstractUnknown

        if not isinstance(unknown, AbstractUnknown):
            return NotImplemented
        return HalfKnown(known=self, unknown=unknown)

    def _guess_among(self, parameters: Sequence[str]) -> dict[str, float]:
        for name in self.guess:
            if name not in parameters:
                raise InvalidInput(
                    f"a guess was given for {name!r}; free parameters are {list(parameters)}."
                )
        return dict(self.guess)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class KnownEquations(AbstractKnown):
    """Equations that were written down. Names that are no columns are parameters.

    Parameters
    ----------
    left : tuple of str
        States that have an equation; the known rate of the others is zero.
    right : tuple of expression
    """

    left: tuple[str, ...]
    right: tuple[Node, ...]

    def over(self, states: Sequence[str], inputs: Sequence[str] = ()) -> EquationPart:
        """Right sides in the order of the columns, known numbers filled in."""
        columns = (*states, *inputs)
        for name in self.left:
            if name not in states:
                raise InvalidInput(
                    f"there is an equation for {name!r}, which is no column of the data. Columns "
                    f"are {list(states)}."
                )
        named = [name for node in self.right for name in sorted(columns_of(node))]
        named = [name for name in dict.fromkeys(named) if name not in columns]
        for name in named:
            if "[" in name:
                raise InvalidInput(f"{name!r} is an earlier value; a flow knows the present only.")
        for name in self.fixed:
            if name not in named:
                raise InvalidInput(f"a value was given for {name!r}, which is in no equation.")
        open_ = tuple(name for name in named if name not in self.fixed)
        if self.free is not None:
            for name in (*open_, *self.free):
                if name not in self.free or name not in named:
                    raise InvalidInput(
                        f"{name!r} is not both a name in the equations and one of the free "
                        f"parameters {list(self.free)}. Columns are {list(columns)}."
                    )
            open_ = tuple(self.free)
        right = dict(zip(self.left, self.right, strict=True))
        nodes = tuple(filled(right.get(name, ZERO), self.fixed) for name in states)
        return EquationPart(
            states=tuple(states),
            inputs=tuple(inputs),
            parameters=open_,
            guess=self._guess_among(open_),
            nodes=nodes,
        )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class KnownFunction(AbstractKnown):
    """A Python function ``f(t, x, p)`` or ``f(t, x, p, u)`` that returns the rates.

    Parameters
    ----------
    function : callable
        In operations that JAX can trace. `x` and `u` are arrays in the order of the columns, `p`
        has the parameters as attributes and in order.
    """

    function: Callable[..., Any]

    def over(self, states: Sequence[str], inputs: Sequence[str] = ()) -> TracedPart:
        """The function, with the fixed parameters filled in."""
        from takens.learn.partly.rules import FunctionRule, checked_rule

        free = tuple(self.free or ())
        rule = FunctionRule(
            fixed=np.array(list(self.fixed.values()), dtype=float),
            function=self.function,
            parameters=_tuple_of((*free, *self.fixed)),
            takes_input=_n_arguments(self.function) > 3,
        )
        checked_rule(rule, len(states), len(inputs), len(free))
        return TracedPart(
            states=tuple(states),
            inputs=tuple(inputs),
            parameters=free,
            guess=self._guess_among(free),
            traced=rule,
        )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class KnownSystem(AbstractKnown):
    """A flow of the package, whose numeric fields are its parameters.

    Parameters
    ----------
    system : AbstractFlow
    """

    system: Any

    def over(self, states: Sequence[str], inputs: Sequence[str] = ()) -> TracedPart:
        """The flow over columns of the same names in any order, or over as many, in their order."""
        from takens.learn.partly.rules import SystemRule, checked_rule

        names = tuple(self.system.names)
        if len(names) != len(states):
            raise InvalidInput(
                f"{type(self.system).__name__} has the states {list(names)}; the data have the "
                f"columns {list(states)}. Give as many."
            )
        same = set(names) == set(states)
        order = tuple(states.index(name) for name in names) if same else tuple(range(len(names)))
        system = self.system.with_parameters(**self.fixed) if self.fixed else self.system
        free = tuple(self.free if self.free is not None else ())
        rule = SystemRule(system=system, order=order, free=free)
        checked_rule(rule, len(states), len(inputs), len(free))
        start = {name: float(getattr(system, name)) for name in free}
        return TracedPart(
            states=tuple(states),
            inputs=tuple(inputs),
            parameters=free,
            guess=start | self._guess_among(free),
            traced=rule,
        )


def known(
    system: Any,
    *,
    free: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    guess: Mapping[str, float] | None = None,
) -> AbstractKnown:
    r"""What is known of a system: rates :math:`g(x, u, t; p)` with named parameters.

    Parameters
    ----------
    system : str, sequence of str, callable or AbstractFlow
        Equations such as ``"dx/dt = a*x - b*x*y"`` or ``"x' = a*x"`` (several in one string stand
        on lines of their own or between semicolons; strings are read, not run); a function
        ``f(t, x, p)`` or ``f(t, x, p, u)`` that returns the rates, where ``p.a`` is a parameter; or
        a flow of the package.
    free : sequence of str, optional
        Parameters to be found. Of equations, every name that is no column and has no value, when
        not given; of a flow, every field that holds one number and is not fixed.
    fixed : mapping of str to float, optional
        Parameters whose value is known.
    guess : mapping of str to float, optional
        Where the search begins; not needed where rates are linear in the parameters. Of a flow, its
        own numbers are the guess.

    Returns
    -------
    AbstractKnown
        ``known(...) + MissingTerms()`` is an estimator; see `takens.learn.HalfKnown`.

    Raises
    ------
    InvalidInput
        If an equation cannot be read, stands twice, or a parameter is unknown or no plain number.

    Examples
    --------
    >>> part = known("dx/dt = a*x; dy/dt = -d*y", fixed={"d": 1.8}).over(("x", "y"))
    >>> part.parameters
    ('a',)
    """
    settings: dict[str, Any] = {
        "free": None if free is None else _names(free),
        "fixed": _numbers("fixed", fixed),
        "guess": _numbers("guess", guess),
    }
    both = set(settings["fixed"]) & {*(settings["free"] or ()), *settings["guess"]}
    if both:
        raise InvalidInput(f"{sorted(both)[0]!r} is fixed, and free or guessed too. Choose one.")
    if isinstance(system, str):
        system = [line for line in re.split(r"[;\n]", system) if line.strip()]
    if isinstance(system, (list, tuple)):
        left, right = _read(system)
        return KnownEquations(left=left, right=right, **settings)
    if _is_flow(system):
        fields = _fields_of(system)
        chosen = settings["free"]
        if chosen is None:
            chosen = tuple(name for name in fields if name not in settings["fixed"])
        for name in (*chosen, *settings["fixed"]):
            if name not in fields:
                raise InvalidInput(
                    f"{name!r} is no field of {type(system).__name__} that holds one number. "
                    f"Those are {list(fields)}."
                )
        settings["free"] = chosen
        return KnownSystem(system=system, **settings)
    if not callable(system):
        raise InvalidInput(
            f"{type(system).__name__} was given; expected equations as text, a function f(t, x, p) "
            "or a flow."
        )
    if _n_arguments(system) not in (3, 4):
        raise InvalidInput("the function must take (t, x, p) or (t, x, p, u).")
    for name in (*(settings["free"] or ()), *settings["fixed"]):
        if not name.isidentifier() or name.startswith("_"):
            raise InvalidInput(f"{name!r} cannot be an attribute of p. Take a plain word.")
    return KnownFunction(function=system, **settings)


@functools.lru_cache
def _tuple_of(names: tuple[str, ...]) -> Any:
    """One class for the same names, so that a traced rule is compiled once."""
    return collections.namedtuple("Parameters", names)


def _read(equations: Sequence[Any]) -> tuple[tuple[str, ...], tuple[Node, ...]]:
    left: list[str] = []
    right: list[Node] = []
    for equation in equations:
        sides = equation.split("=") if isinstance(equation, str) else []
        found = [m for m in (p.match(sides[0].strip()) for p in _LEFT) if m] if sides else []
        if len(sides) != 2 or not found:
            raise InvalidInput(
                f"{equation!r} is no equation; expected such as 'dx/dt = a*x' or \"x' = a*x\"."
            )
        name = found[0][1]
        if name.startswith("`") and name.endswith("`") and len(name) > 2:
            name = name[1:-1].replace("``", "`")
        if name in left:
            raise InvalidInput(f"there are two equations for {name!r}. Join them.")
        left.append(name)
        right.append(parse(sides[1].strip()))
    if not left:
        raise InvalidInput("no equation was given; expected one or more.")
    return tuple(left), tuple(right)


def _is_flow(system: Any) -> bool:
    from takens.core.system import AbstractFlow, AbstractSystem

    if isinstance(system, AbstractSystem) and not isinstance(system, AbstractFlow):
        raise InvalidInput(f"{type(system).__name__} is no flow; half-known systems are flows.")
    return isinstance(system, AbstractFlow)


def _fields_of(system: Any) -> tuple[str, ...]:
    return tuple(
        f.name
        for f in dataclasses.fields(system)
        if isinstance(getattr(system, f.name), np.ndarray) or _is_scalar(getattr(system, f.name))
    )


def _is_scalar(value: Any) -> bool:
    import equinox as eqx

    return eqx.is_inexact_array(value) and value.shape == ()


def _names(names: Any) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) else tuple(names)
    if len(set(found)) != len(found) or not all(isinstance(n, str) and n for n in found):
        raise InvalidInput(f"free = {names!r}; expected different names.")
    return found


def _numbers(what: str, values: Mapping[str, float] | None) -> dict[str, float]:
    found = dict(values or {})
    for name, value in found.items():
        if isinstance(value, (bool, str)) or not np.isscalar(value) or not np.isfinite(value):
            raise InvalidInput(f"{what}[{name!r}] = {value!r}; expected a finite number.")
    return {name: float(value) for name, value in found.items()}


def _n_arguments(function: Callable[..., Any]) -> int:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return 0
    return len([p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)])
