"""Of which order: laws of higher derivatives only where none of lower ones stands."""

from __future__ import annotations

import dataclasses
from typing import Any

from takens.core import Finding, InvalidInput, Status, WrongKind
from takens.data import as_recording
from takens.learn.laws.higher_order import HigherOrderSINDy
from takens.learn.sparse.finder import AbstractFinder, Identified, flow_of
from takens.learn.sparse.ladder import LibraryLadder
from takens.learn.terms import Polynomials


@dataclasses.dataclass(frozen=True, kw_only=True)
class OrderLadder(AbstractFinder[Any]):
    r"""The law of lowest order that stands: of the columns first, then of their derivatives.

    The searches are made one after the other, and the first law whose residuals are noise is the
    answer. A law of order k has k starting values for each column and stretch to choose, and
    :math:`\dot x = f(x)` is also :math:`\ddot x = f'(x) f(x)`, so that a higher order always follows
    the data at least as well; it is offered where the lower one has failed, or needs noise in the
    dynamics, and only there.

    Parameters
    ----------
    finders : tuple of AbstractFinder
        By rising order. When not given, `LibraryLadder` with polynomials of degree one to three for
        the columns, and one of `HigherOrderSINDy` of order two: positions of a mechanical system.

    Raises
    ------
    InvalidInput
        If no finder is given, or the first one refuses the data.
    WrongKind
        If one is no finder of laws.

    Notes
    -----
    Where no law stands, the answer is the first one, with its reasons, and a note says what else was
    tried. Cost: that of the searches that are made; for a record with a law of first order that of
    its own alone.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(0.0, 20.0, 0.05)
    >>> q = np.exp(-0.1 * t) * np.cos(2 * t) + 0.01 * np.random.default_rng(0).normal(size=len(t))
    >>> fit = OrderLadder().fit(q)
    >>> fit.diagnostics["law"].order, fit.model.names
    (2, ('x', 'dx'))
    """

    finders: tuple[AbstractFinder[Any], ...] = (
        LibraryLadder(),
        LibraryLadder(
            finders=tuple(HigherOrderSINDy(library=Polynomials(degree)) for degree in (1, 2, 3))
        ),
    )
    references = ("brunton2016discovering", "gouesbet1991reconstruction")

    def __post_init__(self) -> None:
        if not self.finders:
            raise InvalidInput("no finder was given; expected one or more.")
        for finder in self.finders:
            if not isinstance(finder, AbstractFinder):
                raise WrongKind(
                    f"{type(finder).__name__} is no finder of laws; give `LibraryLadder`, `SINDy` or "
                    "`HigherOrderSINDy`."
                )

    def identified(self, data: Any) -> Identified:
        """The first law that stands."""
        recording = as_recording(data)
        first = self.finders[0].identified(recording)
        stands = first.law.status is Status.OK
        if stands and first.law.noise is None:
            return first
        tried = []
        for finder in self.finders[1:]:
            try:
                found = finder.identified(recording)
            except InvalidInput as refusal:
                tried.append(f"A law of higher order was not looked for: {refusal}")
                continue
            if found.law.status is Status.OK:
                return found
            if stands:
                continue
            tried.append(f"No law of order {found.law.order} in the same columns is supported.")
        notes = tuple(
            Finding("higher-order", text, "Other variables may be hidden.", "note")
            for text in tried
        )
        return dataclasses.replace(first, cautions=first.cautions + notes)

    def system_of(self, found: Identified) -> Any:
        """The flow, or what the first finder makes of laws of order one."""
        return flow_of(found) if found.law.order > 1 else self.finders[0].system_of(found)
