"""Recipes for candidate terms: small, frozen, and applied to columns when these are known."""

from __future__ import annotations

import abc
import dataclasses
import difflib
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from takens.core import InvalidInput
from takens.learn.terms.plan import Monomial, UserFunction, ordered, product
from takens.learn.terms.terms import Terms, delayed_name
from takens.learn.terms.tree import PI, TIME, call, column, multiply, number

MOST_TERMS = 20_000


@dataclasses.dataclass(frozen=True)
class Columns:
    """What a library may speak of: states, delayed states and inputs, by name."""

    states: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    delays: tuple[tuple[str, int], ...] = ()

    @property
    def measured(self) -> tuple[str, ...]:
        """States and delayed states."""
        return self.states + tuple(delayed_name(name, lag) for name, lag in self.delays)

    def chosen(self, columns: tuple[str, ...] | None) -> tuple[str, ...]:
        """The given columns after a check, or all measured ones."""
        if columns is None:
            return self.measured
        for name in columns:
            if name not in self.measured + self.inputs:
                raise unknown(name, self.measured + self.inputs)
        return columns


def unknown(name: str, known: Sequence[str]) -> InvalidInput:
    """The error for a name that is no column."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return InvalidInput(f"{name!r} is no column. Columns are {list(known)}.{hint}")


def _whole(what: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(f"{what} = {value!r}; expected a whole number, {least} or more.")


def _tuple_of_names(library: Any, field: str) -> None:
    """Freeze a field that holds names; a lone string would be read letter by letter."""
    names = getattr(library, field)
    if names is None:
        return
    if isinstance(names, str):
        names = (names,)
    object.__setattr__(library, field, tuple(names))


class AbstractLibrary(abc.ABC):
    """A recipe for candidate terms. ``+`` joins two without duplicates, ``*`` multiplies them."""

    @abc.abstractmethod
    def monomials(self, columns: Columns) -> Iterable[Monomial]:
        """The terms over some columns, duplicates allowed."""

    def functions(self) -> tuple[UserFunction, ...]:
        """Functions of the user's that the terms call."""
        return ()

    def lags(self) -> tuple[int, ...]:
        """Samples back in time at which the states are needed too."""
        return ()

    def over(self, states: Sequence[str], inputs: Sequence[str] = ()) -> Terms:
        """The candidate terms over named columns.

        Parameters
        ----------
        states : sequence of str
            Names of the columns of `x`, in order.
        inputs : sequence of str
            Names of the columns of `u`.

        Returns
        -------
        Terms

        Raises
        ------
        InvalidInput
            If a name is unknown, empty or given twice, or no term or too many are left.
        """
        if isinstance(states, str) or isinstance(inputs, str):
            raise InvalidInput("a string was given; expected a sequence of names, such as ('x',).")
        names = (tuple(states), tuple(inputs))
        delays = tuple((name, lag) for lag in sorted(set(self.lags())) for name in names[0])
        everything = (*names[0], *(delayed_name(*delay) for delay in delays), *names[1])
        found: dict[Monomial, None] = {}
        for monomial in self.monomials(Columns(*names)):
            found[ordered(monomial, everything)] = None
            if len(found) > MOST_TERMS:
                raise InvalidInput(
                    f"the library has more than {MOST_TERMS} terms over {len(names[0])} states. "
                    "Take a lower degree, or fewer columns."
                )
        if not found:
            raise InvalidInput(f"{self!r} has no term over {list(names[0] + names[1])}.")
        return Terms(*names, tuple(found), self.functions(), delays)

    def __add__(self, other: AbstractLibrary) -> Union:
        if not isinstance(other, AbstractLibrary):
            return NotImplemented
        return Union(_parts(self, Union) + _parts(other, Union))

    def __mul__(self, other: AbstractLibrary) -> Product:
        if not isinstance(other, AbstractLibrary):
            return NotImplemented
        return Product(_parts(self, Product) + _parts(other, Product))


def _parts(library: Any, kind: type) -> tuple[AbstractLibrary, ...]:
    return library.parts if isinstance(library, kind) else (library,)  # type: ignore[attr-defined]


def _merged(parts: Iterable[AbstractLibrary]) -> tuple[UserFunction, ...]:
    found: dict[str, UserFunction] = {}
    for function in (f for part in parts for f in part.functions()):
        if found.setdefault(function.name, function) != function:
            raise InvalidInput(f"two functions are called {function.name!r}. Rename one.")
    return tuple(found.values())


@dataclasses.dataclass(frozen=True)
class Union(AbstractLibrary):
    """The terms of several libraries, each once.

    Parameters
    ----------
    parts : tuple of AbstractLibrary
    """

    parts: tuple[AbstractLibrary, ...]

    def monomials(self, columns: Columns) -> Iterable[Monomial]:
        """One library after the other."""
        return (m for part in self.parts for m in part.monomials(columns))

    def functions(self) -> tuple[UserFunction, ...]:
        """Those of all parts."""
        return _merged(self.parts)

    def lags(self) -> tuple[int, ...]:
        """Those of all parts."""
        return tuple(lag for part in self.parts for lag in part.lags())


@dataclasses.dataclass(frozen=True)
class Product(AbstractLibrary):
    """Products of one term of each library.

    Parameters
    ----------
    parts : tuple of AbstractLibrary
    """

    parts: tuple[AbstractLibrary, ...]

    def monomials(self, columns: Columns) -> Iterable[Monomial]:
        """All combinations."""
        sides = [tuple(part.monomials(columns)) for part in self.parts]
        return (product(combination) for combination in itertools.product(*sides))

    def functions(self) -> tuple[UserFunction, ...]:
        """Those of all parts."""
        return _merged(self.parts)

    def lags(self) -> tuple[int, ...]:
        """Those of all parts."""
        return tuple(lag for part in self.parts for lag in part.lags())


@dataclasses.dataclass(frozen=True)
class Polynomials(AbstractLibrary):
    """Monomials of the columns, by degree: ``1, x, y, x^2, x*y, y^2, ...``.

    Parameters
    ----------
    degree : int
        Largest total degree.
    inputs_degree : int
        Largest degree in the inputs among it.
    constant : bool
        Whether ``1`` is a term.
    interactions : bool
        Whether columns are multiplied by each other; otherwise each has its powers.
    columns : tuple of str, optional
        The columns to take; all states and inputs when not given.

    Raises
    ------
    InvalidInput
        If a degree is negative.

    Examples
    --------
    >>> Polynomials(2).over(("x", "y")).names
    ('1', 'x', 'y', 'x^2', 'x*y', 'y^2')
    >>> Polynomials(1, constant=False).over(("x",), inputs=("u",)).names
    ('x', 'u')
    """

    degree: int = 2
    inputs_degree: int = 1
    constant: bool = True
    interactions: bool = True
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _whole("degree", self.degree, 0)
        _whole("inputs_degree", self.inputs_degree, 0)
        _tuple_of_names(self, "columns")

    def monomials(self, columns: Columns) -> Iterable[Monomial]:
        """By degree, and then in the order of the columns."""
        everything = columns.measured + (columns.inputs if self.inputs_degree else ())
        chosen = everything if self.columns is None else columns.chosen(self.columns)
        for degree in range(0 if self.constant else 1, self.degree + 1):
            for picked in itertools.combinations_with_replacement(chosen, degree):
                if sum(name in columns.inputs for name in picked) > self.inputs_degree:
                    continue
                if self.interactions or len(set(picked)) < 2:
                    counts = {name: picked.count(name) for name in picked}
                    yield tuple((column(name), p) for name, p in counts.items())


@dataclasses.dataclass(frozen=True)
class Fourier(AbstractLibrary):
    r"""Sines and cosines, :math:`\sin(2\pi k x / P)` and :math:`\cos(2\pi k x / P)`.

    Parameters
    ----------
    harmonics : int
        :math:`k` runs from 1 to this.
    columns : tuple of str, optional
        Of what; all states when not given. ``("t",)`` is time.
    period : float, optional
        :math:`P`, in the unit of the column; :math:`2 \pi` when not given.

    Raises
    ------
    InvalidInput
        If `harmonics` is below one or `period` not positive.

    Examples
    --------
    >>> Fourier(2, columns=("x",)).over(("x", "y")).names
    ('sin(x)', 'cos(x)', 'sin(2*x)', 'cos(2*x)')
    >>> Fourier(1, columns=("t",), period=24).over(("x",)).names
    ('sin(1/12*pi*t)', 'cos(1/12*pi*t)')
    """

    harmonics: int = 1
    columns: tuple[str, ...] | None = None
    period: float | None = None

    def __post_init__(self) -> None:
        _whole("harmonics", self.harmonics, 1)
        _tuple_of_names(self, "columns")
        if self.period is not None and not 0 < self.period < float("inf"):
            raise InvalidInput(f"period = {self.period}; expected a positive number.")

    def monomials(self, columns: Columns) -> Iterable[Monomial]:
        """By harmonic, and then in the order of the columns."""
        if self.columns == ("t",) and "t" not in columns.measured + columns.inputs:
            arguments = [TIME]
        else:
            arguments = [column(name) for name in columns.chosen(self.columns)]
        for k in range(1, self.harmonics + 1):
            for argument in arguments:
                scale = number(k) if self.period is None else multiply(
                    number(2 * k / self.period), PI)  # fmt: skip
                for name in ("sin", "cos"):
                    yield ((call(name, multiply(scale, argument)), 1),)


@dataclasses.dataclass(frozen=True)
class Inputs(AbstractLibrary):
    """Powers of the inputs: ``u, u^2, ...``.

    Parameters
    ----------
    degree : int
        Largest power.

    Examples
    --------
    >>> Inputs().over(("x",), inputs=("u", "v")).names
    ('u', 'v')
    """

    degree: int = 1

    def __post_init__(self) -> None:
        _whole("degree", self.degree, 1)

    def monomials(self, columns: Columns) -> Iterable[Monomial]:
        """By power, and then in the order of the inputs."""
        if not columns.inputs:
            raise InvalidInput("Inputs() was asked of data without inputs. Leave it out.")
        for p in range(1, self.degree + 1):
            yield from (((column(name), p),) for name in columns.inputs)


@dataclasses.dataclass(frozen=True)
class Delays(AbstractLibrary):
    """A library over the states together with their earlier values, named as ``x[-3]``.

    Parameters
    ----------
    samples : tuple of int
        Lags, in samples back in time, one or more each.
    library : AbstractLibrary
        What is made of them.

    Raises
    ------
    InvalidInput
        If a lag is below one.

    Notes
    -----
    A lag counts samples: it has a meaning together with a sampling interval only.
    `Terms.delayed` makes the columns from a record.

    Examples
    --------
    >>> Delays((1, 3)).over(("x",)).names
    ('1', 'x', 'x[-1]', 'x[-3]')
    """

    samples: tuple[int, ...]
    library: AbstractLibrary = Polynomials(1)

    def __post_init__(self) -> None:
        samples: Any = self.samples
        given = (samples,) if isinstance(samples, int) else tuple(samples)
        for lag in given:
            _whole("a lag", lag, 1)
        if not given:
            raise InvalidInput("no lag was given; expected at least one, such as (1,).")
        object.__setattr__(self, "samples", tuple(sorted(set(given))))

    def monomials(self, columns: Columns) -> Iterable[Monomial]:
        """Those of the inner library, which sees the earlier values too."""
        delays = tuple((name, lag) for lag in self.samples for name in columns.states)
        return self.library.monomials(dataclasses.replace(columns, delays=delays))

    def functions(self) -> tuple[UserFunction, ...]:
        """Those of the inner library."""
        return self.library.functions()

    def lags(self) -> tuple[int, ...]:
        """Its own, and those of the inner library."""
        return self.samples + self.library.lags()
