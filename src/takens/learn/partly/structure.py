"""Structure of what is missing: which vectors of terms may be added, and what that guarantees."""

from __future__ import annotations

import abc
import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from takens.core import InvalidInput
from takens.learn.terms import AbstractLibrary, Terms
from takens.learn.terms.parse import parse
from takens.learn.terms.plan import Monomial, factors_of, monomial_text, ordered, product, slopes
from takens.learn.terms.tree import Node, column, columns_of, derivative


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Candidates:
    """Vectors of rates that may be added to the known ones, each with one unknown number.

    Parameters
    ----------
    terms : Terms
    tables : array, shape (candidate, term, dim)
        What each adds of each term to each equation.
    labels : tuple of str
    signed : bool
        Whether the numbers may be negative.
    """

    terms: Terms
    tables: np.ndarray
    labels: tuple[str, ...]
    signed: bool = True

    def __len__(self) -> int:
        return len(self.labels)


class AbstractStructure(abc.ABC):
    """What the missing part is known to be."""

    @abc.abstractmethod
    def candidates(
        self, library: AbstractLibrary, states: Sequence[str], inputs: Sequence[str]
    ) -> Candidates:
        """Candidates made of a library over some columns."""


Entry = tuple[float, Monomial, int]  # number, term, equation


def _joined(
    vectors: Sequence[tuple[str, list[Entry]]],
    terms: Terms,
    states: Sequence[str],
    *,
    signed: bool = True,
) -> Candidates:
    """Candidates over the terms that they need; those that are zero or a copy are left out."""
    everything = terms.columns + terms.inputs
    places: dict[Monomial, int] = {}
    kept: dict[tuple[Entry, ...], str] = {}
    for label, entries in vectors:
        found: dict[tuple[Monomial, int], float] = {}
        for scale, monomial, equation in entries:
            key = (ordered(monomial, everything), equation)
            found[key] = found.get(key, 0.0) + scale
        exact = tuple((v, m, i) for (m, i), v in sorted(found.items(), key=str) if v != 0)
        if exact:
            kept.setdefault(exact, label)
    if not kept:
        raise InvalidInput("no candidate is left for the missing part. Give a larger library.")
    for exact in kept:
        for _, monomial, _ in exact:
            places.setdefault(monomial, len(places))
    tables = np.zeros((len(kept), len(places), len(states)))
    for k, exact in enumerate(kept):
        for scale, monomial, equation in exact:
            tables[k, places[monomial], equation] = scale
    inner = Terms(terms.states, terms.inputs, tuple(places), terms.functions)
    return Candidates(terms=inner, tables=tables, labels=tuple(kept.values()), signed=signed)


def _terms_of(library: AbstractLibrary, states: Sequence[str], inputs: Sequence[str]) -> Terms:
    terms = library.over(states, inputs)
    if terms.delays:
        raise InvalidInput(
            "The library has delayed terms. Give the delayed columns as columns of their own."
        )
    return terms


def _place(name: str, states: Sequence[str]) -> int:
    if name not in states:
        raise InvalidInput(f"{name!r} is no column. Columns are {list(states)}.")
    return list(states).index(name)


def _expanded(node: Node) -> list[tuple[float, Monomial]]:
    """A sum as numbers times monomials."""
    return [factors_of(piece) for piece in (node[1:] if node[0] == "+" else (node,))]


def _gradient(text: str, states: Sequence[str]) -> list[list[tuple[float, Monomial]]]:
    """Derivatives of a written function of the states by each of them."""
    node = parse(text)
    for name in columns_of(node):
        _place(name, states)
    found = [[(s, m) for s, m in _expanded(derivative(node, name)) if s != 0] for name in states]
    if not any(found):
        raise InvalidInput(f"{text!r} depends on no column.")
    return found


@dataclasses.dataclass(frozen=True)
class Free(AbstractStructure):
    """Any term in the equation of any of the columns. Guarantees nothing.

    Parameters
    ----------
    equations : tuple of str, optional
        Columns whose equations lack something; all when not given.

    Examples
    --------
    >>> from takens.learn.terms import Polynomials
    >>> Free(("y",)).candidates(Polynomials(1), ("x", "y"), ()).labels
    ('1 in dy/dt', 'x in dy/dt', 'y in dy/dt')
    """

    equations: tuple[str, ...] | None = None

    def candidates(
        self, library: AbstractLibrary, states: Sequence[str], inputs: Sequence[str]
    ) -> Candidates:
        """Term by term, equation by equation."""
        terms = _terms_of(library, states, inputs)
        chosen = list(states if self.equations is None else self.equations)
        vectors = [
            (f"{monomial_text(m)} in d{name}/dt", [(1.0, m, _place(name, states))])
            for name in chosen
            for m in terms.monomials
        ]
        return _joined(vectors, terms, states)


@dataclasses.dataclass(frozen=True)
class Hamiltonian(AbstractStructure):
    r"""The missing part is :math:`\dot q = \partial H / \partial p,\ \dot p = -\partial H / \partial q`.

    Each term of the library is a candidate for a term of H. Guarantees that the flow of the missing
    part keeps H (printed as the sum of the terms found) and the volume of phase space, whatever the
    numbers; the whole flow does so if the known part is Hamiltonian too.

    Parameters
    ----------
    pairs : tuple of (str, str)
        Each position with its momentum.

    Examples
    --------
    >>> from takens.learn.terms import Polynomials
    >>> found = Hamiltonian((("q", "p"),)).candidates(Polynomials(2), ("q", "p"), ())
    >>> found.labels
    ('q in H', 'p in H', 'q^2 in H', 'q*p in H', 'p^2 in H')
    """

    pairs: tuple[tuple[str, str], ...]

    def candidates(
        self, library: AbstractLibrary, states: Sequence[str], inputs: Sequence[str]
    ) -> Candidates:
        """Each term's derivatives, with their signs."""
        terms = _terms_of(library, states, inputs)
        used = [name for pair in self.pairs for name in pair]
        if len(set(used)) != len(used) or not used:
            raise InvalidInput(f"pairs = {self.pairs!r}; expected pairs of different columns.")
        vectors = []
        for monomial in terms.monomials:
            entries: list[Entry] = []
            for q, p in self.pairs:
                entries += [(s, m, _place(q, states)) for s, m in slopes(monomial, p)]
                entries += [(-s, m, _place(p, states)) for s, m in slopes(monomial, q)]
            vectors.append((f"{monomial_text(monomial)} in H", entries))
        return _joined(vectors, terms, states)


@dataclasses.dataclass(frozen=True)
class Conserving(AbstractStructure):
    r"""The missing part keeps a given quantity Q: :math:`f = S(x) \nabla Q` with S skew-symmetric.

    Each term of the library is a candidate for each :math:`S_{ij}`. Guarantees :math:`f \cdot \nabla
    Q = 0` at every state, whatever the numbers; the whole flow keeps Q if the known part does too.

    Parameters
    ----------
    quantity : str
        Q, an expression of the columns such as ``"x^2 + y^2"``.

    Examples
    --------
    >>> from takens.learn.terms import Polynomials
    >>> Conserving("x + y").candidates(Polynomials(1), ("x", "y"), ()).labels
    ('1 between x and y', 'x between x and y', 'y between x and y')
    """

    quantity: str

    def candidates(
        self, library: AbstractLibrary, states: Sequence[str], inputs: Sequence[str]
    ) -> Candidates:
        """Each term times each plane turn of the gradient."""
        terms = _terms_of(library, states, inputs)
        gradient = _gradient(self.quantity, states)
        vectors = []
        for i, j in itertools.combinations(range(len(states)), 2):
            for monomial in terms.monomials:
                entries: list[Entry] = [(s, product([monomial, m]), i) for s, m in gradient[j]]
                entries += [(-s, product([monomial, m]), j) for s, m in gradient[i]]
                label = f"{monomial_text(monomial)} between {states[i]} and {states[j]}"
                vectors.append((label, entries))
        return _joined(vectors, terms, states)


@dataclasses.dataclass(frozen=True)
class Dissipative(AbstractStructure):
    r"""The missing part loses a given energy E: :math:`f_i = -d_i(x)\, \partial E / \partial x_i`.

    :math:`d_i` is a sum of squares of terms of the library with weights that are not negative.
    Guarantees :math:`f \cdot \nabla E \le 0` at every state; the whole flow loses energy if the known
    part does not gain any.

    Parameters
    ----------
    energy : str
        E, an expression of the columns such as ``"p^2/2 + q^4/4"``.
    equations : tuple of str, optional
        Columns that the losses act on; all when not given.

    Examples
    --------
    >>> from takens.learn.terms import Polynomials
    >>> found = Dissipative("v^2/2", equations=("v",)).candidates(Polynomials(1), ("x", "v"), ())
    >>> found.labels
    ('loss 1 in dv/dt', 'loss x^2 in dv/dt', 'loss v^2 in dv/dt')
    """

    energy: str
    equations: tuple[str, ...] | None = None

    def candidates(
        self, library: AbstractLibrary, states: Sequence[str], inputs: Sequence[str]
    ) -> Candidates:
        """Each squared term times minus the slope of the energy."""
        terms = _terms_of(library, states, inputs)
        gradient = _gradient(self.energy, states)
        vectors = []
        for name in states if self.equations is None else self.equations:
            i = _place(name, states)
            for monomial in terms.monomials:
                square = product([monomial, monomial])
                entries: list[Entry] = [(-s, product([square, m]), i) for s, m in gradient[i]]
                vectors.append((f"loss {monomial_text(square)} in d{name}/dt", entries))
        return _joined(vectors, terms, states, signed=False)


@dataclasses.dataclass(frozen=True)
class Positive(AbstractStructure):
    r"""Columns cannot change sign through the missing part: :math:`f_i = x_i\, g_i(x)`.

    Each term of the library is a candidate for :math:`g_i`. Guarantees that :math:`x_i = 0` is
    invariant under the missing part, so that populations and concentrations stay positive if the
    known part does not push them below zero.

    Parameters
    ----------
    columns : tuple of str, optional
        Columns with this property; all when not given. The others may have any term.

    Examples
    --------
    >>> from takens.learn.terms import Polynomials
    >>> Positive(("x",)).candidates(Polynomials(1), ("x",), ()).labels
    ('x in dx/dt', 'x^2 in dx/dt')
    """

    columns: tuple[str, ...] | None = None

    def candidates(
        self, library: AbstractLibrary, states: Sequence[str], inputs: Sequence[str]
    ) -> Candidates:
        """Each term, times the column where it is a positive one."""
        terms = _terms_of(library, states, inputs)
        chosen = states if self.columns is None else self.columns
        for name in chosen:
            _place(name, states)
        vectors = []
        for i, name in enumerate(states):
            for monomial in terms.monomials:
                itself: Monomial = ((column(name), 1),)
                full = product([monomial, itself]) if name in chosen else monomial
                text = monomial_text(ordered(full, terms.columns + terms.inputs))
                entries: list[Entry] = [(1.0, full, i)]
                vectors.append((f"{text} in d{name}/dt", entries))
        return _joined(vectors, terms, states)
