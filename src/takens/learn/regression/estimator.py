"""Sparse regression: candidate terms, a form, a selector, constraints and an ensemble, each a choice."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractEstimator, Finding, Fit, InvalidInput, Status
from takens.learn.regression.constraints import AbstractConstraint, Bounds, bounds_of
from takens.learn.regression.ensemble import Ensemble, Members
from takens.learn.regression.equations import AbstractEquations
from takens.learn.regression.forms import AbstractForm, AbstractRows
from takens.learn.regression.judgement import objections, standing
from takens.learn.regression.law import RegressionLaw
from takens.learn.regression.problem import Problem
from takens.learn.regression.samples import samples_of
from takens.learn.regression.selectors import AbstractSelector, Choice, Elimination
from takens.learn.regression.weak import WeakForm
from takens.learn.terms import AbstractLibrary, Polynomials, Terms

if TYPE_CHECKING:
    from takens.learn.terms import AbstractTermSystem

N_BLOCKS = 40  # of rows, for covariances from blocks


@dataclasses.dataclass(frozen=True, kw_only=True)
class SparseRegression(AbstractEstimator["AbstractTermSystem"]):
    r"""Linear regression on candidate terms in any form, with any selector: the classics, composed.

    Each choice is a small frozen object: the candidate *library*; the *form*, which says what
    stands on the left; the *selector*, which says which terms stay; *constraints*, which say what is
    known; and an *ensemble*, which says how often each term stands.

    Parameters
    ----------
    library : AbstractLibrary
        Candidate terms; polynomials of degree two if not given.
    form : AbstractForm
        `WeakForm`, `StrongForm`, `IntegralForm`; `StepForm` makes a map.
    selector : AbstractSelector
        `Elimination`, which has no threshold, `STLSQ`, `SR3` or `BestSubset`.
    constraints : tuple of AbstractConstraint
        See `takens.learn.regression.constraints`.
    ensemble : Ensemble, optional
        Block bootstrap of the selection.
    level : float
        Of the intervals.

    Raises
    ------
    InvalidInput
        If the data hold no usable stretch, a column is constant, a constraint names what is not
        there, or the constraints contradict each other.

    Notes
    -----
    ``fit(data).diagnostics["law"]`` is a `RegressionLaw`; ``"ensemble"`` the members as one system
    with a leading axis, where there is an ensemble.

    `takens.learn.SINDy` is the default of the package: it makes the orbit itself part of the
    problem, is right more often from noisy records, and uses rows with missing values. This class is
    faster, takes constraints, and is what to compare with.

    Rows in which a value is missing are left out; nothing is joined across a record or a long gap.
    Intervals take the terms as given: the selection itself has none, unless an ensemble is asked
    for. Under constraints they are those of the constrained estimate and take the constraints as
    exact. Where the residuals reject the law the status is ``NO_LAW``, and the model is NaN.

    Cost: the sums take one product of the features with themselves; memory a few thousand rows of
    features and the data. For `WeakForm` see there.

    References
    ----------
    Brunton, Proctor and Kutz, PNAS 113, 3932 (2016).

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(0.0, 12.0, 0.05)
    >>> data = np.exp(-0.1 * t) * np.array([np.cos(2 * t), -np.sin(2 * t)])
    >>> noise = np.random.default_rng(0).normal(size=(len(t), 2))
    >>> fit = SparseRegression().fit(data.T + 0.01 * noise)
    >>> int(fit.diagnostics["law"].support.sum())
    4
    """

    library: AbstractLibrary = Polynomials(2)  # noqa: RUF009 - a frozen recipe
    form: AbstractForm = WeakForm()  # noqa: RUF009 - frozen settings
    selector: AbstractSelector = Elimination()  # noqa: RUF009 - frozen settings
    constraints: tuple[AbstractConstraint, ...] = ()
    ensemble: Ensemble | None = None
    level: float = 0.95
    references = ("brunton2016discovering", "fasel2022ensemble", "kunsch1989jackknife")

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InvalidInput(f"level = {self.level}; expected a number between 0 and 1.")
        kinds = {"form": AbstractForm, "selector": AbstractSelector, "library": AbstractLibrary}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise InvalidInput(
                    f"{name} = {getattr(self, name)!r}; expected an object such as "
                    "WeakForm(), Elimination() or Polynomials(2)."
                )

    def fit(self, data: Any, *, seed: int = 0) -> Fit[AbstractTermSystem]:
        """Find the law; `seed` matters to an ensemble only."""
        from takens.learn.terms import TermFlow, TermMap

        nodes, found = samples_of(data)
        rows = self.form.on(nodes)
        nodes = rows.nodes
        terms = self.library.over(nodes.names, inputs=nodes.input_names)
        if terms.delays:
            raise InvalidInput(
                "The library has delayed terms. Give the delayed columns as columns of their own."
            )
        bounds = bounds_of(self.constraints, terms)
        problem, table, choices = self._searched(rows, terms, bounds)
        members = None
        if self.ensemble is not None:
            members = self.ensemble.drawn(problem, self.selector, seed)
            table = problem.refitted(members.support)
        cautions = (*found, *rows.cautions, *standing(problem, choices, terms, table))
        law = self._law(rows, terms, problem, table, choices, members, cautions)

        def system(coefficients: np.ndarray) -> AbstractTermSystem:
            if self.form.kind == "map":
                return TermMap(coefficients, terms, units=nodes.units)
            return TermFlow(coefficients, terms, units=nodes.units, time_unit=nodes.time_unit)

        diagnostics: dict[str, Any] = {"law": law}
        if members is not None:
            diagnostics["ensemble"] = system(members.selected)
        return Fit(
            model=system(law.coefficients), diagnostics=diagnostics, status=law.status,
            cautions=law.cautions,
        )  # fmt: skip

    def _searched(
        self, rows: AbstractRows, terms: Terms, bounds: Bounds
    ) -> tuple[Problem, np.ndarray, tuple[Choice, ...]]:
        """Weights and law by turns, until the terms come round again."""
        n_blocks = N_BLOCKS if self.ensemble is None else self.ensemble.n_blocks
        seen: list[np.ndarray] = []
        with np.errstate(over="ignore", invalid="ignore"):  # refused here, with their names
            equations = rows.equations(terms, None, n_blocks)
            _checked(equations, terms)
        problem = Problem(equations=equations, bounds=bounds)
        table, choices = problem.chosen(self.selector)
        for _ in range(self.form.n_rounds - 1):
            seen.append(table != 0)
            problem = Problem(equations=rows.equations(terms, table, n_blocks), bounds=bounds)
            table, choices = problem.chosen(self.selector)
            if sum(np.array_equal(table != 0, one) for one in seen) > 1:
                break
        return problem, table, choices

    def _law(
        self,
        rows: AbstractRows,
        terms: Terms,
        problem: Problem,
        table: np.ndarray,
        choices: tuple[Choice, ...],
        members: Members | None,
        cautions: tuple[Finding, ...],
    ) -> RegressionLaw:
        from scipy.special import ndtri

        d, k = problem.shape
        wide = problem.covariance(table)
        errors = np.sqrt(np.maximum(np.diag(wide), 0.0)).reshape(d, k).T
        errors[errors <= 1e-10 * np.abs(table)] = 0.0  # what a constraint gives has no error
        half = float(ndtri(0.5 + self.level / 2)) * errors
        lower, upper = table - half, table + half
        method = "generalised least squares" if self.form.n_rounds > 1 else "blocks of rows"
        if members is not None:
            tails = (1 - self.level) / 2
            lower, upper = np.quantile(members.refitted, [tails, 1 - tails], axis=0)
            lower, upper = np.minimum(lower, table), np.maximum(upper, table)
            errors = members.refitted.std(axis=0)
            method = "bootstrap of blocks"
        signs = problem.bounds.signs.reshape(d, k).T
        lower = np.where(signs > 0, np.maximum(lower, 0.0), lower)
        upper = np.where(signs < 0, np.minimum(upper, 0.0), upper)
        explained, more = objections(rows, problem, terms, table)
        cautions += more
        refused = any(f.level == "serious" for f in cautions)
        stands = (table != 0).T.ravel()
        blank = np.full(table.shape, np.nan)
        return RegressionLaw(
            kind=self.form.kind,
            names=rows.nodes.names,
            terms=terms.names,
            coefficients=blank if refused else table,
            standard_errors=blank if refused else errors,
            covariance=np.empty((0, 0)) if refused else wide[np.ix_(stands, stands)],
            lower=blank if refused else lower,
            upper=blank if refused else upper,
            n_samples=len(rows.nodes),
            level=self.level,
            explained=explained,
            measurement_noise=np.sqrt(rows.variance),
            inclusion=(table != 0).astype(float) if members is None else members.inclusion,
            intervals_from=method,
            path=tuple(p for c in choices for p in c.path),
            status=Status.NO_LAW if refused else Status.OK,
            cautions=cautions,
        )


def _checked(equations: AbstractEquations, terms: Terms) -> None:
    """Refuse terms that have no value somewhere on the data: their sums have none."""
    squares = np.diag(equations.sums()[0].spread)[: len(terms)]
    if not np.isfinite(squares).all():
        names = [terms.names[k] for k in np.flatnonzero(~np.isfinite(squares))]
        raise InvalidInput(
            f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} no finite value on some "
            "of the data. Leave out such terms, or the rows where they have none."
        )
