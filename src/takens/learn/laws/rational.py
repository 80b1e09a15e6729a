"""Rational laws: rates that saturate, switch or inhibit, as quotients of sparse sums."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import Finding, Fit, InvalidInput
from takens.learn.laws.chain import derivatives
from takens.learn.laws.implicit import Column, beginnings
from takens.learn.laws.quotient import QuotientField
from takens.learn.sparse.fields import FlowAdvance
from takens.learn.sparse.finder import Identified
from takens.learn.sparse.law import Law
from takens.learn.sparse.nodes import Nodes, nodes_of, noise_variance
from takens.learn.sparse.selection import (
    PATIENCE,
    Found,
    Search,
    criterion,
    eliminated,
    exchanged,
    fitted,
    price_of,
    refitted,
    table_of,
)
from takens.learn.sparse.shooting import Noise
from takens.learn.sparse.sindy import AbstractSparse, marked, shortened
from takens.learn.sparse.subset import CLEARLY
from takens.learn.sparse.verdict import judged
from takens.learn.terms import AbstractLibrary, Polynomials, Terms

if TYPE_CHECKING:
    from takens.learn.terms import RationalFlow

BEGINNINGS = 4  # of each equation that are followed to their ends


@dataclasses.dataclass(frozen=True, kw_only=True)
class RationalSINDy(AbstractSparse["RationalFlow"]):
    r"""Rates that are quotients of two sums of few terms, :math:`\dot x_i = \theta a_i / (1 + \varphi b_i)`.

    Michaelis-Menten and Hill kinetics, inhibition, predation that saturates and friction that
    levels off are of this form. Numerators and denominators are fitted as they stand, together with
    the orbits, as `SINDy` fits sums; the implicit equation
    :math:`\dot x_i = \theta a_i - \dot x_i\, \varphi b_i` on smoothed data, which is linear but
    biased by noise, only gives the beginnings: without a denominator, with each candidate below
    alone, and with all at once. From the most promising, terms are taken out and offered as in
    `SINDy`; what has the least extended BIC is kept.

    Parameters
    ----------
    library : AbstractLibrary
        Candidates above the stroke; polynomials of degree two if not given.
    below : AbstractLibrary
        Candidates below it, to which the constant one is added; polynomials of degree two if not
        given. They are named with a stroke before them, such as ``/x``.
    known, excluded : tuple of (term, equation)
        Terms that stand, and that may not, such as ``("/x", "y")`` for x below in the equation of y.
    gamma, level, max_samples
        As for `SINDy`.

    Raises
    ------
    InvalidInput
        As for `SINDy`.

    Notes
    -----
    Numerator and denominator are known up to a common factor, which the constant one fixes: a
    denominator that vanishes where all columns are zero cannot be found; move the origin. Where a
    factor of both cancels over the range that was visited, the sparser form is reported. Rates of
    the fit are finite along the data; elsewhere the denominator may pass through zero, and a caution
    says if it does within the box that the data span.

    Saturation shows only where it was visited: data far below it support a sum of powers as well.

    Cost: three to four times that of `SINDy` with as many candidates.

    References
    ----------
    Mangan, Brunton, Proctor and Kutz, IEEE Trans. Mol. Biol. Multi-Scale Commun. 2, 52 (2016):
    implicit sparse regression. Kaheman, Kutz and Brunton, Proc. R. Soc. A 476, 20200279 (2020): one
    candidate after the other as left side.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.integrate import solve_ivp
    >>> from takens.core import Trajectory
    >>> t = np.arange(0.0, 10.0, 0.05)
    >>> runs = [solve_ivp(lambda t, s: 0.1 - 1.5 * s / (0.5 + s), (0, 10), [s], t_eval=t,
    ...                   rtol=1e-9).y.T for s in (0.3, 4.0, 9.0)]
    >>> data = [Trajectory(times=t, states=s, names=("s",)) for s in runs]
    >>> fit = RationalSINDy(library=Polynomials(1), below=Polynomials(1)).fit(data)
    >>> fit.model.equations(2)
    ("s' = (0.1 - 2.8*s)/(1 + 2*s)",)
    """

    below: AbstractLibrary = Polynomials(2)  # noqa: RUF009 - a frozen recipe

    references = ("mangan2016inferring", "kaheman2020sindy", "bock1983recent")

    def fit(self, data: Any, *, seed: int = 0) -> Fit[RationalFlow]:
        """Find the equations; nothing here is random."""
        from takens.learn.terms import RationalFlow

        found = self.identified(data)
        nodes, law, upper = found.nodes, found.law, found.terms
        lower = self._lower(nodes)
        model = RationalFlow(
            law.coefficients[: len(upper)], law.coefficients[len(upper) :], upper, lower,
            units=nodes.units, time_unit=nodes.time_unit,
        )  # fmt: skip
        return Fit(
            model=model, diagnostics={"law": law}, status=law.status, cautions=found.cautions
        )

    def _lower(self, nodes: Nodes) -> Terms:
        return _without_constant(self.below.over(nodes.names, inputs=nodes.input_names))

    def identified(self, data: Any) -> Identified:
        """The law without a system made of it; its terms are those above the stroke."""
        nodes, fewer = shortened(nodes_of(data), self.max_samples)
        upper = self.library.over(nodes.names, inputs=nodes.input_names)
        lower = self._lower(nodes)
        if upper.delays or lower.delays:
            raise InvalidInput("The library has delayed terms. Use `DelaySINDy` for these.")
        names = (*upper.names, *(f"/{name}" for name in lower.names))
        search = Search(
            terms=upper,
            nodes=nodes,
            allowed=~marked(self.excluded, names, nodes.names),
            forced=marked(self.known, names, nodes.names),
            price=price_of(len(nodes), len(names), self.gamma),
            field=lambda _, support: QuotientField(upper, lower, support),
        )
        found = _searched(search, upper, lower)
        law, more = judged(search, found, "flow", self.level)
        law = dataclasses.replace(law, terms=names, n_lower=len(lower))
        cautions = fewer + more + _poles(nodes, law, lower)
        return Identified(
            nodes=nodes, law=law, terms=upper, cautions=cautions, search=search, found=found
        )


def _without_constant(terms: Terms) -> Terms:
    kept = [name for name in terms.names if name != "1"]
    if not kept:
        raise InvalidInput("below holds the constant alone, which is there already. Use `SINDy`.")
    return terms.select(kept)


def _searched(search: Search, upper: Terms, lower: Terms) -> Found | None:
    """The best of what several beginnings lead to, and of mixtures of their equations."""
    variance = noise_variance(search.nodes)
    smooth = derivatives(search.nodes, variance, 1)
    noise = Noise(measurement=variance, dynamical=np.zeros(search.nodes.dim))
    ranked = [beginnings(search, (upper, lower), smooth, i) for i in range(search.nodes.dim)]
    ended: list[Found] = []
    for place in range(min(max(len(rows) for rows in ranked), BEGINNINGS)):
        columns = [rows[min(place, len(rows) - 1)] for rows in ranked]
        support, table = (np.stack(parts, axis=1) for parts in zip(*columns, strict=True))
        try:
            first = fitted(search, support, table, smooth[0], noise, FlowAdvance())
            ended.append(exchanged(search, eliminated(search, first)))
        except np.linalg.LinAlgError:
            continue
    if not ended:
        return None
    ended.sort(key=lambda found: criterion(search, found))
    for i, rows in enumerate(ranked):
        rows.extend((other.support[:, i], table_of(other)[:, i]) for other in ended[1:])
    return _mixed(search, ended[0], ranked)


def _mixed(search: Search, best: Found, ranked: list[list[Column]]) -> Found:
    """The best, with another beginning or end of one equation wherever that leads further."""
    for i, rows in enumerate(ranked):
        for chosen, numbers in rows:
            if (chosen == best.support[:, i]).all():
                continue
            support, table = best.support.copy(), table_of(best)
            support[:, i], table[:, i] = chosen, numbers
            try:
                new = refitted(search, best, support, 30, table)
                if criterion(search, new) > criterion(search, best) + PATIENCE * search.price:
                    continue
                new = exchanged(search, eliminated(search, new))
            except np.linalg.LinAlgError:
                continue
            if criterion(search, new) < criterion(search, best) - CLEARLY:
                best = new
    return best


def _poles(nodes: Nodes, law: Law, lower: Terms) -> tuple[Finding, ...]:
    """Where a denominator passes through zero within the box of the data, without inputs and time."""
    table = law.coefficients[-law.n_lower :]
    if not np.isfinite(table).all() or not table.any():
        return ()
    low, high = nodes.values.min(axis=0), nodes.values.max(axis=0)
    points = low + (high - low) * np.random.default_rng(0).random((4096, nodes.dim))
    rows = np.random.default_rng(1).integers(len(nodes), size=len(points))
    bottom = 1 + lower(points, nodes.inputs[rows], nodes.times[rows]) @ table
    bad = [name for i, name in enumerate(nodes.names) if (bottom[:, i] <= 0).any()]
    if not bad:
        return ()
    return (
        Finding(
            code="pole-in-range",
            text=f"The denominator of {', '.join(bad)} passes through zero within the box that the "
            "data span, though not along them.",
            action="Orbits that come there end. Data from there would tell more.",
        ),
    )
