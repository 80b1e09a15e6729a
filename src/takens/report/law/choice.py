"""Flow or map, and which candidate terms: decided from the data where nothing is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from takens.core import InvalidInput, Recording, Status
from takens.learn import HigherOrderSINDy, LibraryLadder, OrderLadder, SINDy, SparseMap
from takens.learn.laws.chain import chain_names
from takens.learn.terms import AbstractLibrary, Expressions, Fourier, Polynomials

DEGREES = (1, 2, 3)
MOST_UNASKED = 45  # candidate coefficients above which a degree is tried only when it is asked for
MOST = 600  # candidate coefficients that any search may have
FOURIER = "fourier"

Method = type[SINDy] | type[SparseMap] | type[HigherOrderSINDy]
KINDS: dict[Method, str] = {SINDy: "flow", SparseMap: "map", HigherOrderSINDy: "second-order"}
TITLES: dict[Method, str] = {
    SINDy: "Equations of a flow",
    SparseMap: "Equations of a map",
    HigherOrderSINDy: "Equations of second order",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """What is searched, and why.

    Parameters
    ----------
    finder : LibraryLadder or OrderLadder
    reasons : tuple of str
        In plain sentences.
    kind : str
        ``"flow"``, ``"map"`` or ``"second-order"``.
    degrees : tuple of int
        Of the polynomials that are tried.
    """

    finder: LibraryLadder | OrderLadder
    reasons: tuple[str, ...]
    kind: str
    degrees: tuple[int, ...]


def chosen(
    recording: Recording,
    names: tuple[str, ...],
    *,
    method: Method | None,
    degree: int | None,
    terms: Sequence[str],
    max_samples: int,
) -> Choice:
    """The searches to be made.

    Parameters
    ----------
    recording : Recording
    names : tuple of str
        Columns that vary.
    method : SINDy, SparseMap or HigherOrderSINDy, optional
        From the sampling when not given; then laws of order two are looked for as well where none of
        order one stands.
    degree : int, optional
        Of the polynomials; one to three, as far as there are few enough candidates, if not given.
    terms : sequence of str
        Further candidates: expressions, or ``"fourier"`` for sine and cosine of each column.
    max_samples : int
        That a search may use.

    Raises
    ------
    InvalidInput
        If there would be too many candidates.
    """
    either = method is None
    if method is None:
        method, why = _by_sampling(recording)
    else:
        why = "As asked for."
    inputs = recording[0].input_names
    rungs = _rungs(method, names, inputs, degree, terms)
    if rungs.counts[0] > MOST:
        raise InvalidInput(
            f"{len(names)} columns give {rungs.counts[0]} candidate coefficients; at most {MOST} can "
            "be searched. Choose fewer columns with --columns, or a lower --degree."
        )
    reasons = [f"{TITLES[method]} are looked for. {why}", *rungs.reasons]
    finder: LibraryLadder | OrderLadder = rungs.finder(max_samples)
    if either and method is SINDy and not _twice(names):
        second = _rungs(HigherOrderSINDy, names, inputs, degree, terms)
        if second.counts[0] <= MOST:
            reasons += [f"Where none stands: {TITLES[HigherOrderSINDy].lower()}, in case the columns "
                        "are positions.", *second.reasons]  # fmt: skip
            finder = OrderLadder(finders=(finder, second.finder(max_samples)))
    return Choice(finder=finder, reasons=tuple(reasons), kind=KINDS[method], degrees=rungs.degrees)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Rungs:
    """Libraries of one kind of law, and how many candidate coefficients each has."""

    method: Method
    degrees: tuple[int, ...]
    libraries: tuple[AbstractLibrary, ...]
    counts: tuple[int, ...]
    reasons: tuple[str, ...]

    def finder(self, max_samples: int) -> LibraryLadder:
        """One search for each."""
        return LibraryLadder(
            finders=tuple(
                self.method(library=library, max_samples=max_samples) for library in self.libraries
            )
        )


def _rungs(
    method: Method,
    names: tuple[str, ...],
    inputs: tuple[str, ...],
    degree: int | None,
    terms: Sequence[str],
) -> _Rungs:
    degrees = DEGREES if degree is None else (degree,)
    libraries = {d: _library(d, terms) for d in degrees}
    columns = chain_names(names, 2) if method is HigherOrderSINDy else names
    counts = {d: len(lib.over(columns, inputs=inputs)) * len(names) for d, lib in libraries.items()}
    kept = tuple(d for d in degrees if degree is not None or d == 1 or counts[d] <= MOST_UNASKED)
    tried = ", ".join(str(d) for d in kept[:-1]) + " and " * (len(kept) > 1) + str(kept[-1])
    more = f", and {', '.join(terms)}" if terms else ""
    reasons = [
        f"Candidates are the monomials up to degree {tried}{more}: {counts[kept[-1]]} coefficients "
        "at most."
    ]
    left = [d for d in degrees if d not in kept]
    if left:
        reasons.append(
            f"Degree {left[0]} would have {counts[left[0]]}; it is tried when asked for (--degree)."
        )
    return _Rungs(
        method=method,
        degrees=kept,
        libraries=tuple(libraries[d] for d in kept),
        counts=tuple(counts[d] for d in kept),
        reasons=tuple(reasons),
    )


def _twice(names: tuple[str, ...]) -> bool:
    """Whether a derivative would be called as another column is, most likely because it is one."""
    try:
        chain_names(names, 2)
    except InvalidInput:
        return True
    return False


def method_of(kind: str) -> Method:
    """The estimator of a kind of equations, by its name in a `Choice`."""
    return next(method for method, name in KINDS.items() if name == kind)


def _by_sampling(recording: Recording) -> tuple[type[SINDy] | type[SparseMap], str]:
    from takens.series import sampling

    found = sampling(recording, throw=False)
    if found.status is not Status.OK:
        return (
            SINDy,
            "The record is too short to tell a map from a flow; --kind map asks for a map.",
        )
    ratio = f"a step covers {found.step_ratio:.2f} of the distance of states at random"
    if found.map_like:
        return SparseMap, f"The samples jump along the orbit: {ratio}."
    return SINDy, f"The samples trace an orbit: {ratio}."


def _library(degree: int, terms: Sequence[str]) -> AbstractLibrary:
    library: AbstractLibrary = Polynomials(degree)
    for term in terms:
        library = library + (Fourier() if term.casefold() == FOURIER else Expressions(term))
    return library
