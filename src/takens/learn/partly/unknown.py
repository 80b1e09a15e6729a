"""What may stand beside the known part, from the simplest up."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from takens.core import Finding, InvalidInput
from takens.learn.partly.field import PartlyKnownField
from takens.learn.partly.problem import Orbit, Problem, criterion, settled, whiteness
from takens.learn.partly.search import searched
from takens.learn.partly.start import started
from takens.learn.partly.structure import AbstractStructure, Free
from takens.learn.sparse.selection import price_of
from takens.learn.sparse.shooting import inverse
from takens.learn.terms import AbstractLibrary, Polynomials

if TYPE_CHECKING:
    from takens.learn.partly.flow import AbstractLearned


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Rung:
    """One answer to what is missing.

    Parameters
    ----------
    unknown : str
        What was allowed.
    orbit : Orbit, optional
        None where no orbit follows the data.
    labels : tuple of str
        Of those numbers behind the free parameters that have a meaning of their own.
    learned : callable
        Makes the missing rates as part of a system.
    criterion, whiteness : float
        See `PartlyKnownLaw`.
    absorbed : array, shape (parameter,)
        See `Identifiability`.
    cautions : tuple of Finding
    tried : tuple of Rung
        All that were tried, where this is the end of a ladder.
    """

    unknown: str
    orbit: Orbit | None
    learned: Callable[[], AbstractLearned]
    labels: tuple[str, ...] = ()
    criterion: float = np.inf
    whiteness: float = 0.0
    absorbed: np.ndarray
    cautions: tuple[Finding, ...] = ()
    tried: tuple[Rung, ...] = ()


class AbstractUnknown(abc.ABC):
    """Settings of what is looked for beside the known part."""

    @abc.abstractmethod
    def rung(self, problem: Problem) -> Rung:
        """The best that it can do for some data."""


def lacking(problem: Problem, unknown: str, reason: str) -> Rung:
    """A rung that leads nowhere."""
    finding = Finding(
        code="no-orbit",
        text=f"No orbit of the known part and {unknown} could be laid through the data ({reason}).",
        action="Check the equations and units, or give `guess`.",
        level="serious",
    )
    return Rung(
        unknown=unknown,
        orbit=None,
        learned=_without(problem),
        absorbed=np.full(len(problem.part.parameters), np.nan),
        cautions=(finding,),
    )


def _without(problem: Problem) -> Callable[[], AbstractLearned]:
    def learned() -> AbstractLearned:
        from takens.learn.partly.flow import LearnedTerms

        return LearnedTerms(np.zeros((0, problem.nodes.dim)))

    return learned


@dataclasses.dataclass(frozen=True)
class Nothing(AbstractUnknown):
    """Nothing is missing: the parameters alone are found.

    Examples
    --------
    >>> import numpy as np
    >>> from takens.learn import known
    >>> data = np.exp(-0.3 * np.arange(40)) + 0.01 * np.random.default_rng(0).normal(size=40)
    >>> fit = (known("dx/dt = -k*x") + Nothing()).fit(data)
    >>> low, high = fit.diagnostics["law"].parameter("k").interval
    >>> low < 0.3 < high
    True
    """

    def rung(self, problem: Problem) -> Rung:
        """Start from slopes, then orbits."""
        field = PartlyKnownField(problem.part)
        nodes = problem.nodes
        try:
            orbit = settled(nodes, field, started(problem), problem.states, problem.noise)
        except np.linalg.LinAlgError as error:
            return lacking(problem, "nothing", str(error))
        return Rung(
            unknown="nothing",
            orbit=orbit,
            learned=_without(problem),
            criterion=criterion(nodes, orbit.shot, float(np.log(len(nodes)))),
            whiteness=whiteness(nodes, orbit),
            absorbed=np.zeros(len(problem.part.parameters)),
        )


@dataclasses.dataclass(frozen=True)
class MissingTerms(AbstractUnknown):
    r"""Few terms of a library are missing.

    The search begins with the known part alone and adds what pays: a number must lower the misfit,
    in units of the noise variance, by :math:`\log N + 2 \gamma \log K` (extended BIC, N samples, K
    candidates an equation). There is no threshold.

    Parameters
    ----------
    library : AbstractLibrary
        Candidate terms; polynomials of degree three if not given.
    structure : AbstractStructure
        What the missing part is known to be, and in which equations it stands: `Free`,
        `Hamiltonian`, `Conserving`, `Dissipative` or `Positive`.
    gamma : float
        Weight of the number of candidates; zero is the ordinary BIC, which finds more.

    Raises
    ------
    InvalidInput
        If `gamma` is negative.

    Notes
    -----
    A candidate that the free parameters can imitate, such as x beside a known ``a*x``, cannot be
    told from them; it is left out, with a note.

    References
    ----------
    Chen and Chen, Biometrika 95, 759 (2008): extended BIC.
    """

    library: AbstractLibrary = Polynomials(3)  # noqa: RUF009 - a frozen recipe
    structure: AbstractStructure = Free()  # noqa: RUF009 - a frozen recipe
    gamma: float = 1.0

    def __post_init__(self) -> None:
        if not self.gamma >= 0:
            raise InvalidInput(f"gamma = {self.gamma}; expected zero (BIC) or more.")

    def rung(self, problem: Problem) -> Rung:
        """Search from the known part upwards."""
        nodes = problem.nodes
        pool = self.structure.candidates(self.library, nodes.names, nodes.input_names)
        field = PartlyKnownField(problem.part, pool.terms, pool.tables)
        crowd = int(pool.tables.any(axis=1).sum(axis=0).max())
        price = price_of(len(nodes), crowd, self.gamma)
        try:
            found = searched(problem, field, started(problem), price, signed=pool.signed)
        except np.linalg.LinAlgError as error:
            return lacking(problem, "missing terms", str(error))
        if found is None:
            return lacking(problem, "missing terms", "no subset converged")
        orbit = found.orbit
        numbers = orbit.numbers[field.n_known :]
        coefficients = np.tensordot(numbers, pool.tables[found.which], axes=1)
        cautions: tuple[Finding, ...] = ()
        if found.barred.any():
            names = [n for n, out in zip(pool.labels, found.barred, strict=True) if out]
            shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
            cautions = (
                Finding(
                    code="imitated",
                    text=f"{shown} cannot be told from the free parameters or from each other.",
                    action="They were left out of the candidates.",
                    level="note",
                ),
            )

        def learned() -> AbstractLearned:
            from takens.learn.partly.flow import LearnedTerms

            used = coefficients.any(axis=1)
            if not used.any():
                return LearnedTerms(np.zeros((0, nodes.dim)))
            return LearnedTerms(coefficients[used], pool.terms.select(used))

        return Rung(
            unknown="missing terms",
            orbit=orbit,
            learned=learned,
            labels=tuple(n for n, there in zip(pool.labels, found.which, strict=True) if there),
            criterion=criterion(nodes, orbit.shot, price),
            whiteness=whiteness(nodes, orbit),
            absorbed=absorbed(orbit, field.n_known),
            cautions=cautions,
        )


def absorbed(orbit: Orbit, known: int) -> np.ndarray:
    r"""Share of the information on each of the first numbers that the others could take over.

    :math:`1 - I_{k|r} / I_{kk}` with :math:`I_{k|r}` what is left when the numbers of the unknown
    part, with their prior, are unknown (Kennedy and O'Hagan 2001 on model discrepancy).
    """
    information = orbit.shot.linear.information
    own = np.diag(information)[:known]
    across = information[:known, known:]
    taken = np.einsum("ij,jk,ik->i", across, inverse(information[known:, known:]), across)
    return np.asarray(np.where(own > 0, taken / np.where(own > 0, own, 1.0), np.nan))
