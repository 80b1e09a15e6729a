"""Sparse identification of equations from measured, noisy, gappy records."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from takens.core import AbstractEstimator, Finding, InvalidInput, Status
from takens.learn.sparse.driven import beyond_linear, driven
from takens.learn.sparse.fields import AbstractAdvance, FlowAdvance, MapAdvance
from takens.learn.sparse.finder import AbstractFinder, Identified, flow_of, map_of
from takens.learn.sparse.law import Law
from takens.learn.sparse.nodes import Nodes, nodes_of, noise_variance
from takens.learn.sparse.relaxed import Rough, approached, first_noise
from takens.learn.sparse.selection import Found, Search, exchanged, fitted, price_of, renewed
from takens.learn.sparse.shooting import Noise
from takens.learn.sparse.start import started
from takens.learn.sparse.verdict import judged, judged_driven
from takens.learn.terms import AbstractLibrary, Polynomials

if TYPE_CHECKING:
    from takens.learn.terms import TermFlow, TermMap

Model = TypeVar("Model")
PIECE = 2_000  # rows of a stretch taken from a record that is too long


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractSparse(AbstractEstimator[Model]):
    """What both kinds of law are set by."""

    library: AbstractLibrary = Polynomials(2)  # noqa: RUF009 - a frozen recipe
    known: tuple[tuple[str, str], ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()
    gamma: float = 1.0
    level: float = 0.95
    max_samples: int = 20_000

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InvalidInput(f"level = {self.level}; expected a number between 0 and 1.")
        if not self.gamma >= 0:
            raise InvalidInput(f"gamma = {self.gamma}; expected zero (BIC) or more.")
        if self.max_samples < 100:
            raise InvalidInput(f"max_samples = {self.max_samples}; expected at least 100.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SINDy(AbstractSparse["TermFlow"], AbstractFinder["TermFlow"]):
    r"""Ordinary differential equations that are sums of few terms, :math:`\dot x = \theta(x, u) W`.

    Every sample is :math:`y_n = x_n + e_n` with :math:`x` on an orbit of the law. Coefficients and
    orbits are found together, by generalised least squares on the linearised problem (see
    `takens.learn.sparse.shooting`), so that noise in the regressors biases nothing to first order.
    It begins with orbits that need follow the law only roughly: all candidates are then one linear
    problem, whose best subset by removals, additions and exchanges makes a law and better orbits,
    round by round (`takens.learn.sparse.relaxed`). Then orbits follow the law strictly, and sets of
    terms are compared by the extended BIC: a coefficient must lower the misfit by
    :math:`\log N + 2 \gamma \log K` in units of the noise variance (N samples, K terms). There is
    no threshold.

    Parameters
    ----------
    library : AbstractLibrary
        Candidate terms; polynomials of degree two if not given.
    known : tuple of (term, equation)
        Terms that stand whatever the data say, such as ``("x", "y")`` for x in the equation of y.
    excluded : tuple of (term, equation)
        Terms that may not stand.
    gamma : float
        Weight of the number of candidates; zero is the ordinary BIC, which keeps more.
    level : float
        Of the intervals.
    max_samples : int
        Of longer data, evenly spread stretches of this many samples in all are fitted.

    Raises
    ------
    InvalidInput
        If the data hold no usable stretch, a column is constant, or a term or column is unknown.

    Notes
    -----
    Missing values, uneven times, several records and inputs (linear between samples) enter as they
    are; nothing is joined across a record or a long gap. Intervals follow from the curvature of the
    misfit; they hold if the law is right and the noise white and independent between columns.

    Where no orbit follows the data to within noise, a law with noise in the dynamics is tried, with
    both variances in every column by restricted likelihood (`takens.learn.sparse.driven`). It stands
    if errors of its forecasts of one sample are white, if the data need the noise, and if the law is
    not linear: noise, random walks and autoregressions follow linear laws with such noise. Then
    ``law.noise`` holds both parts with their intervals, and the model is the drift. The noise is taken
    as white, Gaussian, of a size that does not depend on the state, and independent between columns.

    `fit` returns a model of NaN with status ``NO_LAW`` where orbits of no such law follow the data
    to within noise: what they leave is correlated in time, or is nearly all of the variance. That a
    law is found does not make it the mechanism; other terms may do as well over the range that was
    visited, and a term too weak to be worth its price is left out. The search is greedy: a better
    set that no single removal, addition or exchange leads to is not found.

    Cost: with p candidate coefficients in all, a round takes :math:`O(N d p (d + p))` operations and
    memory ``3 N d p``, and there are four to twelve; 1,000 samples of three columns with 30 candidates
    take a sixth of a second, 5,000 samples of four columns with 280 candidates three seconds. With
    noise in the dynamics it is up to one second for 1,000 samples, and a refusal may cost two more.

    References
    ----------
    Brunton, Proctor and Kutz, PNAS 113, 3932 (2016): sparse identification. Bock, in Numerical
    Treatment of Inverse Problems (1983): multiple shooting. Sasaki, Monthly Weather Review 98, 875
    (1970): orbits that need follow a law only roughly. Chen and Chen, Biometrika 95, 759 (2008):
    extended BIC. Patterson and Thompson, Biometrika 58, 545 (1971): restricted likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(0.0, 12.0, 0.05)
    >>> rng = np.random.default_rng(0)
    >>> data = np.exp(-0.1 * t) * np.array([np.cos(2 * t), -np.sin(2 * t)])
    >>> fit = SINDy().fit(data.T + 0.01 * rng.normal(size=(len(t), 2)))
    >>> [line.split(" = ")[0] for line in fit.diagnostics["law"].equations]
    ['dx0/dt', 'dx1/dt']
    >>> int(fit.diagnostics["law"].support.sum())
    4
    """

    references = (
        "brunton2016discovering",
        "bock1983recent",
        "sasaki1970some",
        "chen2008extended",
        "patterson1971recovery",
    )

    def identified(self, data: Any) -> Identified:
        """The equations without a system made of them."""
        return _identified(self, data, "flow", FlowAdvance())

    def system_of(self, found: Identified) -> TermFlow:
        """The flow."""
        return flow_of(found)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SparseMap(AbstractSparse["TermMap"], AbstractFinder["TermMap"]):
    r"""Maps that are sums of few terms, :math:`x_{n+1} = \theta(x_n, u_n) W`.

    As `SINDy` in all else: errors of measurement in both `x` and its successor are part of the
    model.

    Parameters
    ----------
    library, known, excluded, gamma, level, max_samples
        As for `SINDy`.

    Raises
    ------
    InvalidInput
        As for `SINDy`; also where times are uneven, which a map cannot have.

    Examples
    --------
    >>> import numpy as np
    >>> x = [0.3]
    >>> for _ in range(300):
    ...     x.append(3.8 * x[-1] * (1 - x[-1]))
    >>> fit = SparseMap().fit(np.array(x) + 1e-3 * np.random.default_rng(0).normal(size=301))
    >>> law = fit.diagnostics["law"]
    >>> [law.terms[k] for k in np.flatnonzero(law.support[:, 0])]
    ['x', 'x^2']
    """

    references = ("brunton2016discovering", "chen2008extended")

    def identified(self, data: Any) -> Identified:
        """The map without a system made of it."""
        return _identified(self, data, "map", MapAdvance())

    def system_of(self, found: Identified) -> TermMap:
        """The map."""
        return map_of(found)


def _identified(
    settings: AbstractSparse[Any], data: Any, kind: str, advance: AbstractAdvance
) -> Identified:
    nodes = nodes_of(data)
    cautions: tuple[Finding, ...] = ()
    if kind == "map":
        nodes, cautions = successors(nodes)
    terms = settings.library.over(nodes.names, inputs=nodes.input_names)
    if terms.delays:
        raise InvalidInput(
            "The library has delayed terms. Give the delayed columns as columns of their own."
        )
    nodes, fewer = shortened(nodes, settings.max_samples)
    allowed = ~marked(settings.excluded, terms.names, nodes.names)
    search = Search(
        terms=terms,
        nodes=nodes,
        allowed=allowed,
        forced=marked(settings.known, terms.names, nodes.names),
        price=price_of(len(nodes), len(terms), settings.gamma),
    )
    law, more, found = _judged(search, kind, advance, settings)
    return Identified(
        nodes=nodes,
        law=law,
        terms=terms,
        cautions=cautions + fewer + more,
        search=search,
        found=found,
    )


def _judged(
    search: Search, kind: str, advance: AbstractAdvance, settings: AbstractSparse[Any]
) -> tuple[Law, tuple[Finding, ...], Found | None]:
    """The law that orbits follow; where none do, the one that they follow with noise in the dynamics."""
    nodes, level = search.nodes, settings.level
    measurement = noise_variance(nodes, kind)
    states, slopes = started(nodes, measurement, kind)
    try:
        rough = approached(
            search, states, first_noise(search, states, slopes, measurement), advance
        )
    except np.linalg.LinAlgError:
        return *judged(search, None, kind, level), None
    strict = Noise(measurement=rough.noise.measurement, dynamical=np.zeros(nodes.dim))
    support = (rough.table != 0) | search.forced
    notes: tuple[Finding, ...] = ()
    try:
        first = fitted(search, support, rough.table, rough.states, strict, rough.advance)
        found: Found | None = renewed(search, first)
    except np.linalg.LinAlgError:
        found = None
    if judged(search, found, kind, level)[0].status is not Status.OK:
        law, notes, moved = _driven(search, rough, kind, settings)
        if law is not None and law.status is Status.OK:
            return law, notes, moved
        notes = tuple(dataclasses.replace(f, level="note") for f in notes)
    try:
        found = None if found is None else exchanged(search, found)
    except np.linalg.LinAlgError:
        found = None
    law, findings = judged(search, found, kind, level)
    return law, findings + notes * (law.status is not Status.OK), found


def _driven(
    search: Search, rough: Rough, kind: str, settings: AbstractSparse[Any]
) -> tuple[Law | None, tuple[Finding, ...], Found | None]:
    """The law with noise in the dynamics, stood or refused; None where there is none at all."""
    try:
        with np.errstate(all="ignore"):  # a wild law overflows, and is refused
            moved = driven(search, rough.table, rough.states, rough.noise, rough.advance)
            wider = settings.library + Polynomials(1)
            nodes = search.nodes
            terms = wider.over(nodes.names, inputs=nodes.input_names)
            p_linear = beyond_linear(search, moved, terms)
            return *judged_driven(search, moved, p_linear, kind, settings.level), moved.found
    except np.linalg.LinAlgError:
        return None, (), None


def marked(
    pairs: tuple[tuple[str, str], ...], terms: tuple[str, ...], names: tuple[str, ...]
) -> np.ndarray:
    """The places of (term, equation) pairs in the table of coefficients, (term, equation)."""
    table = np.zeros((len(terms), len(names)), dtype=bool)
    for term, equation in pairs:
        if term not in terms or equation not in names:
            raise InvalidInput(
                f"({term!r}, {equation!r}) was given; expected one of the terms {list(terms)} "
                f"and one of the columns {list(names)}."
            )
        table[terms.index(term), names.index(equation)] = True
    return table


def successors(nodes: Nodes) -> tuple[Nodes, tuple[Finding, ...]]:
    """Only true successors stay linked."""
    steps = np.diff(nodes.times)[nodes.linked]
    one = float(np.median(steps))
    apart = float(np.mean(np.abs(steps - one) > 0.01 * one))
    if apart > 0.5:
        raise InvalidInput(
            "Times are uneven; a map advances by one even step. Use `SINDy` for a flow."
        )
    linked = nodes.linked & (np.abs(np.diff(nodes.times) - one) <= 0.01 * one)
    finding = Finding(
        code="successors-missing",
        text=f"{apart:.1%} of the samples have no successor one step later.",
        action="Nothing was joined across these breaks.",
        level="note",
    )
    return dataclasses.replace(nodes, linked=linked), (finding,) if apart else ()


def shortened(nodes: Nodes, most: int) -> tuple[Nodes, tuple[Finding, ...]]:
    """Evenly spread stretches of a long record."""
    if len(nodes) <= most:
        return nodes, ()
    piece = min(PIECE, most)
    starts = np.linspace(0, len(nodes) - piece, max(most // piece, 1)).astype(int)
    rows = np.unique(np.concatenate([np.arange(s, s + piece) for s in starts]))
    finding = Finding(
        code="samples-capped",
        text=f"{len(rows)} of {len(nodes)} samples were fitted, in evenly spread stretches.",
        action="Give `max_samples` to take more; time and memory grow in proportion.",
        level="note",
    )
    return nodes.rows(rows), (finding,)
