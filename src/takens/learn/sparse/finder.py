"""What finds a law: its terms and numbers first, and a system made of them when asked."""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from takens.core import AbstractEstimator, Finding, Fit
from takens.learn.sparse.law import Law
from takens.learn.sparse.nodes import Nodes
from takens.learn.sparse.selection import Found, Search
from takens.learn.terms import Terms
from takens.learn.terms.units import derivative_units

if TYPE_CHECKING:
    from takens.learn.terms import TermFlow, TermMap

Model = TypeVar("Model")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Identified:
    """A law and what it was found from.

    Parameters
    ----------
    nodes : Nodes
        The samples that were fitted.
    law : Law
    terms : Terms
        The candidates.
    cautions : tuple of Finding
    search : Search, optional
        The problem that was solved.
    found : Found, optional
        Its solution, where there is one.
    """

    nodes: Nodes
    law: Law
    terms: Terms
    cautions: tuple[Finding, ...]
    search: Search | None = None
    found: Found | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractFinder(AbstractEstimator[Model]):
    """An estimator of equations over the columns; `identified` needs no compiler."""

    @abc.abstractmethod
    def identified(self, data: Any) -> Identified:
        """The law without a system made of it."""

    @abc.abstractmethod
    def system_of(self, found: Identified) -> Model:
        """The system of a law."""

    def fit(self, data: Any, *, seed: int = 0) -> Fit[Model]:
        """Find the equations; nothing here is random."""
        found = self.identified(data)
        return Fit(
            model=self.system_of(found),
            diagnostics={"law": found.law},
            status=found.law.status,
            cautions=found.cautions,
        )


def flow_of(found: Identified) -> TermFlow:
    """The flow of a law of rates of change, or of higher derivatives of the columns."""
    from takens.learn.terms import TermFlow

    nodes, names = found.nodes, found.terms.states
    return TermFlow(
        found.law.coefficients,
        found.terms,
        velocities=tuple(zip(names, names[nodes.dim :], strict=False)),
        units=derivative_units(nodes.units, nodes.time_unit, found.law.order),
        time_unit=nodes.time_unit,
    )


def map_of(found: Identified) -> TermMap:
    """The map of a law of next values."""
    from takens.learn.terms import TermMap

    return TermMap(found.law.coefficients, found.terms, units=found.nodes.units)
