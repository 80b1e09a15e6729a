"""Flow or map, and which candidate terms: decided from the data where nothing is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from takens.core import InvalidInput, Recording, Status
from takens.learn import LibraryLadder, SINDy, SparseMap
from takens.learn.terms import AbstractLibrary, Expressions, Fourier, Polynomials

DEGREES = (1, 2, 3)
MOST_UNASKED = 45  # candidate coefficients above which a degree is tried only when it is asked for
MOST = 600  # candidate coefficients that any search may have
FOURIER = "fourier"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """What is searched, and why.

    Parameters
    ----------
    finder : LibraryLadder
    reasons : tuple of str
        In plain sentences.
    kind : str
        ``"flow"`` or ``"map"``.
    degrees : tuple of int
        Of the polynomials that are tried.
    """

    finder: LibraryLadder
    reasons: tuple[str, ...]
    kind: str
    degrees: tuple[int, ...]


def chosen(
    recording: Recording,
    names: tuple[str, ...],
    *,
    method: type[SINDy] | type[SparseMap] | None,
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
    method : SINDy or SparseMap, optional
        From the sampling when not given.
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
    if method is None:
        method, why = _by_sampling(recording)
    else:
        why = "As asked for."
    kind = "map" if method is SparseMap else "flow"
    reasons = [f"Equations of a {kind} are looked for. {why}"]
    inputs = recording[0].input_names
    degrees = DEGREES if degree is None else (degree,)
    libraries = {d: _library(d, terms) for d in degrees}
    counts = {d: len(lib.over(names, inputs=inputs)) * len(names) for d, lib in libraries.items()}
    kept = [d for d in degrees if degree is not None or d == 1 or counts[d] <= MOST_UNASKED]
    if counts[kept[0]] > MOST:
        raise InvalidInput(
            f"{len(names)} columns give {counts[kept[0]]} candidate coefficients; at most {MOST} can "
            "be searched. Choose fewer columns with --columns, or a lower --degree."
        )
    tried = ", ".join(str(d) for d in kept[:-1]) + " and " * (len(kept) > 1) + str(kept[-1])
    more = f", and {', '.join(terms)}" if terms else ""
    reasons.append(
        f"Candidates are the monomials up to degree {tried}{more}: {counts[kept[-1]]} coefficients "
        "at most."
    )
    left = [d for d in degrees if d not in kept]
    if left:
        reasons.append(
            f"Degree {left[0]} would have {counts[left[0]]}; it is tried when asked for (--degree)."
        )
    finders = tuple(method(library=libraries[d], max_samples=max_samples) for d in kept)
    return Choice(
        finder=LibraryLadder(finders=finders), reasons=tuple(reasons), kind=kind,
        degrees=tuple(kept),
    )  # fmt: skip


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
