"""Laws for a higher derivative of what was measured: mechanical systems, and jerks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import InvalidInput
from takens.learn.laws.chain import ChainField, chain_names, derivatives
from takens.learn.sparse.fields import FlowAdvance
from takens.learn.sparse.finder import AbstractFinder, Identified, flow_of
from takens.learn.sparse.nodes import Nodes, nodes_of, noise_variance
from takens.learn.sparse.selection import Found, Search, exchanged, fitted, narrowed, price_of
from takens.learn.sparse.shooting import Noise
from takens.learn.sparse.sindy import AbstractSparse, marked, shortened
from takens.learn.sparse.start import sieved, sums_of_slopes
from takens.learn.sparse.verdict import judged
from takens.learn.terms import AbstractLibrary, Polynomials

if TYPE_CHECKING:
    from takens.learn.terms import TermFlow

HIGHEST = 6
MANY = 60  # coefficients beyond which slopes choose those to begin with


@dataclasses.dataclass(frozen=True, kw_only=True)
class HigherOrderSINDy(AbstractSparse["TermFlow"], AbstractFinder["TermFlow"]):
    r"""Laws of order k in the measured columns, :math:`q^{(k)} = \theta(q, \dot q, \dots, u)\, W`.

    With the order two these are mechanical systems of which positions alone were measured; with the
    order three and one column, jerks, the standard form of a flow in three dimensions seen through
    one of them. The derivatives below the highest are part of the state and were never seen. They
    are found as all states are, as the points of the orbit of the law that is nearest to the data:
    no column is differentiated, but for a first guess. Search, price and intervals are those of
    `takens.learn.SINDy`.

    Parameters
    ----------
    order : int
        k, from one to six.
    library : AbstractLibrary
        Candidate terms over the columns and their derivatives, which are called ``dx``, ``d2x`` and
        so on for a column ``x``; polynomials of degree three if not given.
    known, excluded : tuple of (term, equation)
        Terms that stand, and that may not; the equation is named by its column.
    gamma, level, max_samples
        As for `SINDy`.

    Raises
    ------
    InvalidInput
        As for `SINDy`; also if a derivative would be called as another column is.

    Notes
    -----
    The model is a `takens.learn.terms.TermFlow` over the columns and their derivatives: a start
    needs the velocities too.

    The equation holds between the column and its own derivatives. Where other, hidden variables
    drive it, it is an equation of the reconstruction: its terms are not those of the mechanism, and
    a change of a parameter of the mechanism may change all of them. Terms with the velocity are
    known less well than those with the position.

    Cost: about that of `SINDy` for ``order`` times as many columns: 0.1 s of CPU for 800 samples of
    one column with ten candidates, order two.

    References
    ----------
    Brunton, Proctor and Kutz, PNAS 113, 3932 (2016). Gouesbet, Phys. Rev. A 43, 5321 (1991): the
    standard form of a flow from one of its variables. Bock, in Numerical Treatment of Inverse
    Problems (1983).

    Examples
    --------
    >>> import numpy as np
    >>> from takens.learn.terms import Polynomials
    >>> t = np.arange(0.0, 20.0, 0.05)
    >>> q = np.exp(-0.1 * t) * np.cos(2 * t) + 0.01 * np.random.default_rng(0).normal(size=len(t))
    >>> fit = HigherOrderSINDy(library=Polynomials(1)).fit(q)
    >>> law = fit.diagnostics["law"]
    >>> [law.terms[k] for k in np.flatnonzero(law.support[:, 0])]
    ['x', 'dx']
    """

    order: int = 2
    library: AbstractLibrary = Polynomials(3)  # noqa: RUF009 - a frozen recipe

    references = ("brunton2016discovering", "gouesbet1991reconstruction", "bock1983recent")

    def __post_init__(self) -> None:
        AbstractSparse.__post_init__(self)
        if isinstance(self.order, bool) or self.order not in range(1, HIGHEST + 1):
            raise InvalidInput(
                f"order = {self.order!r}; expected a whole number from 1 to {HIGHEST}."
            )

    def identified(self, data: Any) -> Identified:
        """The law without a system made of it; the samples are those that were measured."""
        measured, fewer = shortened(nodes_of(data), self.max_samples)
        names = chain_names(measured.names, self.order)
        terms = self.library.over(names, inputs=measured.input_names)
        if terms.delays:
            raise InvalidInput("The library has delayed terms. Use `DelaySINDy` for these.")
        variance = noise_variance(measured)
        smooth = derivatives(measured, variance, self.order)
        nodes = _with_derivatives(measured, smooth[:-1], names)
        search = Search(
            terms=terms,
            nodes=nodes,
            allowed=~marked(self.excluded, terms.names, measured.names),
            forced=marked(self.known, terms.names, measured.names),
            price=price_of(len(nodes), len(terms), self.gamma),
            field=ChainField,
        )
        found = _searched(search, variance, smooth[-1])
        law, more = judged(search, found, "flow", self.level)
        law = dataclasses.replace(law, order=self.order)
        return Identified(
            nodes=measured, law=law, terms=terms, cautions=fewer + more, search=search, found=found
        )

    def system_of(self, found: Identified) -> TermFlow:
        """The flow of the columns and their derivatives."""
        return flow_of(found)


def _with_derivatives(nodes: Nodes, smooth: np.ndarray, names: tuple[str, ...]) -> Nodes:
    """The samples with a column for each derivative, in which nothing was seen."""
    guesses = np.concatenate(list(smooth[1:]), axis=1) if len(smooth) > 1 else nodes.values[:, :0]
    return dataclasses.replace(
        nodes,
        values=np.concatenate([nodes.values, guesses], axis=1),
        seen=np.concatenate([nodes.seen, np.zeros(guesses.shape, dtype=bool)], axis=1),
        names=names,
        units=(),
    )


def _searched(search: Search, variance: np.ndarray, highest: np.ndarray) -> Found | None:
    """The best subset of all candidates; from those that the smoothed data support, where that fails."""
    nodes = search.nodes
    noise = Noise(
        measurement=np.r_[variance, nodes.span[len(variance) :] ** 2],
        dynamical=np.zeros(nodes.dim),
    )
    values = search.terms(nodes.values, nodes.inputs, nodes.times)
    many = search.allowed.sum() > min(MANY, nodes.seen.sum() / 3)
    for support in ([] if many else [search.allowed]) + [sieved(values, highest, search)]:
        table = np.zeros(support.shape)
        for i in range(support.shape[1]):
            chosen = support[:, i]
            if chosen.any():
                table[chosen, i] = sums_of_slopes(values[:, chosen], highest[:, i])
        try:
            first = fitted(search, support, table, nodes.values, noise, FlowAdvance())
            return exchanged(search, narrowed(search, first))
        except np.linalg.LinAlgError:
            continue
    return None
