"""The estimator of half-known systems."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractEstimator, Finding, Fit, InvalidInput, Status
from takens.learn.partly.identifiability import Identifiability, identifiability_of
from takens.learn.partly.known import AbstractKnown
from takens.learn.partly.law import PartlyKnownLaw
from takens.learn.partly.problem import WHITE, Orbit, Problem, coarse, informed
from takens.learn.partly.unknown import AbstractUnknown, MissingTerms, Rung
from takens.learn.sparse.nodes import nodes_of, noise_variance
from takens.learn.sparse.shooting import Noise
from takens.learn.sparse.sindy import shortened
from takens.learn.sparse.start import smoothed

if TYPE_CHECKING:
    from takens.learn.partly.flow import PartlyKnownFlow

LEAST = 5  # rows of a stretch
USEFUL = 0.2  # share of a column's variance that the orbits must hold


@dataclasses.dataclass(frozen=True, kw_only=True)
class HalfKnown(AbstractEstimator["PartlyKnownFlow"]):
    r"""A system of which some is known, :math:`\dot x = g(x, u, t; p) + r(x, u, t)`.

    Written ``known(...) + MissingTerms()``. Every sample is :math:`y_n = x_n + e_n` with :math:`x`
    on an orbit; parameters, what is missing and the orbits are found together by Gauss-Newton with
    a node at every sample (see `takens.learn.sparse.shooting`), so that noise biases nothing to
    first order. Parameters begin where the known rates fit the slopes of the smoothed data best;
    a guess is rarely needed.

    Parameters
    ----------
    known : AbstractKnown
        :math:`g`; see `takens.learn.known`.
    unknown : AbstractUnknown
        What :math:`r` may be: `Nothing`, `MissingTerms` (when not given), `GaussianProcess`,
        `Network`, or a `Ladder` of these.
    level : float
        Of the intervals.
    max_samples : int
        Of longer data, evenly spread stretches of this many samples in all are fitted.

    Raises
    ------
    InvalidInput
        If the data hold no usable stretch, a column is constant, or names do not fit.

    Notes
    -----
    Missing values, uneven times, several records and inputs (linear between samples) enter as they
    are; nothing is joined across a record or a long gap. All states must have a column.

    ``fit.diagnostics["law"]`` is a `PartlyKnownLaw`. Its status is ``NOT_IDENTIFIABLE`` where data
    cannot tell some parameters, whose values are then NaN; the model holds one choice of them that
    fits. It is ``NO_LAW``, and the model NaN, where no orbit follows the data. Intervals hold if the
    known part and the form of the missing one are right, and the noise is white and independent
    between columns. That a missing part is found does not make it the mechanism.

    Cost: a Gauss-Newton step takes :math:`O(N d^2 (d + p))` operations and memory ``N d p``; 31
    samples of two columns with 20 candidates take 0.2 s in all. A function or a system as known
    part is compiled once, in about a second.

    References
    ----------
    Bock, in Numerical Treatment of Inverse Problems (1983): multiple shooting. Kennedy and O'Hagan,
    J. R. Stat. Soc. B 63, 425 (2001): discrepancy. Rackauckas et al., arXiv:2001.04385: universal
    differential equations.

    Examples
    --------
    Prey grows and predators die; how do they meet?

    >>> import numpy as np
    >>> from takens.core import Trajectory
    >>> from takens.learn import MissingTerms, known
    >>> from takens.systems import LotkaVolterra
    >>> from takens.dynamics import trajectory
    >>> orbit = trajectory(LotkaVolterra(), [2.0, 1.0], 0.1 * np.arange(61))
    >>> noise = 0.01 * np.random.default_rng(0).normal(size=orbit.states.shape)
    >>> data = Trajectory(times=orbit.times, states=orbit.states + noise, names=("x", "y"))
    >>> fit = (known("dx/dt = a*x; dy/dt = -d*y") + MissingTerms()).fit(data)
    >>> fit.diagnostics["law"].labels
    ('x*y in dx/dt', 'x*y in dy/dt')
    """

    references = ("bock1983recent", "kennedy2001bayesian", "rackauckas2020universal")

    known: AbstractKnown
    unknown: AbstractUnknown = MissingTerms()  # noqa: RUF009 - frozen settings
    level: float = 0.95
    max_samples: int = 20_000

    def __post_init__(self) -> None:
        if not isinstance(self.known, AbstractKnown):
            raise InvalidInput(f"known = {self.known!r}; expected what `known(...)` returns.")
        if not isinstance(self.unknown, AbstractUnknown):
            raise InvalidInput(f"unknown = {self.unknown!r}; expected such as MissingTerms().")
        if not 0 < self.level < 1:
            raise InvalidInput(f"level = {self.level}; expected a number between 0 and 1.")
        if self.max_samples < 100:
            raise InvalidInput(f"max_samples = {self.max_samples}; expected at least 100.")

    def fit(self, data: Any, *, seed: int = 0) -> Fit[PartlyKnownFlow]:
        """Find what is missing; `seed` draws the starts of parameters that are not linear."""
        problem, fewer = posed(self, data, seed)
        rung = self.unknown.rung(problem)
        law = law_of(problem, rung, fewer)
        diagnostics: dict[str, Any] = {"law": law}
        if rung.tried:
            from takens.learn.partly.ladder import rungs_of

            diagnostics["rungs"] = rungs_of(problem, rung)
        return Fit(
            model=_model(problem, rung, law),
            diagnostics=diagnostics,
            status=law.status,
            cautions=law.cautions,
        )


def posed(settings: HalfKnown, data: Any, seed: int) -> tuple[Problem, tuple[Finding, ...]]:
    """Data and known part, joined and smoothed."""
    nodes, fewer = shortened(nodes_of(data, least=LEAST), settings.max_samples)
    part = settings.known.over(nodes.names, nodes.input_names)
    noise = Noise(measurement=noise_variance(nodes), dynamical=np.zeros(nodes.dim))
    states, slopes = smoothed(nodes, noise)
    problem = Problem(
        nodes=nodes, part=part, noise=noise, states=states, slopes=slopes,
        level=settings.level, seed=seed,
    )  # fmt: skip
    return problem, fewer


def law_of(problem: Problem, rung: Rung, fewer: tuple[Finding, ...] = ()) -> PartlyKnownLaw:
    """The result of a rung."""
    nodes, parameters = problem.nodes, problem.part.parameters
    count, labelled = len(parameters), len(rung.labels)
    orbit = rung.orbit
    if orbit is None:
        blank, none = np.full(nodes.dim, np.nan), np.full(count, np.nan)
        unknown = np.zeros((count, count))
        return PartlyKnownLaw(
            unknown=rung.unknown, names=nodes.names, equations=(), parameters=parameters,
            values=none, standard_errors=none, labels=(), numbers=np.empty(0),
            number_errors=np.empty(0), covariance=np.full((count, count), np.nan),
            identifiability=identifiability_of(parameters, none, unknown, unknown, none),
            measurement_noise=blank, explained=blank, whiteness=np.nan, criterion=np.nan,
            n_samples=len(nodes), freedom=np.nan, level=problem.level, status=Status.NO_LAW,
            cautions=fewer + rung.cautions,
        )  # fmt: skip
    told = _identifiability(problem, orbit, rung)
    covariance = orbit.covariance[: count + labelled, : count + labelled]
    errors = np.sqrt(np.diag(covariance))
    known = told.identified
    variance = orbit.noise.measurement
    explained = 1 - variance / nodes.span**2
    cautions = fewer + rung.cautions + told.cautions
    cautions += _objections(problem, orbit, explained, rung.whiteness)
    return PartlyKnownLaw(
        unknown=rung.unknown,
        names=nodes.names,
        equations=_flow(problem, rung, orbit.numbers[:count]).equations(),
        parameters=parameters,
        values=np.where(known, orbit.numbers[:count], np.nan),
        standard_errors=np.where(known, errors[:count], np.nan),
        labels=rung.labels,
        numbers=orbit.numbers[count : count + labelled],
        number_errors=errors[count:],
        covariance=covariance,
        identifiability=told,
        measurement_noise=np.sqrt(variance),
        explained=explained,
        whiteness=rung.whiteness,
        criterion=rung.criterion,
        n_samples=len(nodes),
        freedom=orbit.freedom(nodes),
        level=problem.level,
        status=told.status,
        cautions=cautions,
    )


def _identifiability(problem: Problem, orbit: Orbit, rung: Rung) -> Identifiability:
    count = len(problem.part.parameters)
    information = orbit.shot.linear.information / orbit.rise
    kept = np.arange(len(information)) < count
    return identifiability_of(
        problem.part.parameters,
        orbit.numbers[:count],
        informed(information, kept),
        information[:count, :count],
        rung.absorbed,
        prior=orbit.field.precision is not None,
    )


def _flow(problem: Problem, rung: Rung, p: np.ndarray) -> PartlyKnownFlow:
    from takens.learn.partly.flow import PartlyKnownFlow

    nodes, part = problem.nodes, problem.part
    return PartlyKnownFlow(
        p, part.rule(), rung.learned(), names=nodes.names, inputs=nodes.input_names,
        parameter_names=part.parameters, units=nodes.units, time_unit=nodes.time_unit,
    )  # fmt: skip


def _model(problem: Problem, rung: Rung, law: PartlyKnownLaw) -> PartlyKnownFlow:
    count = len(problem.part.parameters)
    if rung.orbit is not None:
        return _flow(problem, rung, rung.orbit.numbers[:count])
    from takens.learn.partly.flow import LearnedTerms
    from takens.learn.terms import Polynomials

    terms = Polynomials(0).over(problem.nodes.names)
    nothing = LearnedTerms(np.full((1, problem.nodes.dim), np.nan), terms)
    return _flow(problem, dataclasses.replace(rung, learned=lambda: nothing), law.values)


def _objections(
    problem: Problem, orbit: Orbit, explained: np.ndarray, white: float
) -> tuple[Finding, ...]:
    findings = []
    for name, held in zip(problem.nodes.names, explained, strict=True):
        if held < USEFUL:
            findings.append(
                Finding(
                    code="nothing-held",
                    text=f"The orbits hold {max(float(held), 0.0):.0%} of the variance of {name!r}.",
                    action="The known part says little of this column.",
                    level="serious",
                )
            )
    if white < WHITE:
        findings.append(
            Finding(
                code="residuals-remember",
                text="What the orbits leave of the data is more correlated in time, or larger, than "
                f"noise would be (probability {white:.1g}).",
                action="Something is missing still, or there is noise in the dynamics: intervals "
                "are too narrow.",
                level="serious",
            )
        )
    if not orbit.shot.converged:
        findings.append(
            Finding(
                code="not-converged",
                text="The last Gauss-Newton iteration did not come to rest.",
                action="Take the standard errors as a lower end.",
            )
        )
    if coarse(problem.nodes, orbit):
        findings.append(
            Finding(
                code="coarse-integration",
                text="The orbits between two samples are so fast that the steps of the integration "
                "still change a number by more than a fifth of its standard error.",
                action="Take the standard errors as a lower end, or sample faster.",
            )
        )
    return tuple(findings)
