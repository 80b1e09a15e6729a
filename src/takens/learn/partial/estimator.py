"""Partial differential equations from noisy fields, in weak form."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractEstimator, Finding, Fit, InvalidInput, Status
from takens.learn.partial.collinear import independent
from takens.learn.partial.equation import LearnedEquation, Problem, learn_equation, loose
from takens.learn.partial.grid import FieldData, as_fields
from takens.learn.partial.law import PDELaw
from takens.learn.partial.prepare import (
    LEAST_TESTS,
    Prepared,
    check_different,
    half_widths,
    lattice,
    narrowest,
    noise_variance,
    spread_of,
)
from takens.learn.partial.terms import PDETerm, candidate_count, candidates

if TYPE_CHECKING:
    from takens.learn.partial.systems import GridPDE, PeriodicPDE

MOST_CANDIDATES = 200
HIGHEST_ORDER = 5
EXACTEST = 1e-3  # of a component's deviation: no field is taken to be known better than this
GAMMA = 1.0  # of the extended criterion: every size of law has the same chance beforehand


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeakPDE(AbstractEstimator["PeriodicPDE | GridPDE"]):
    r"""Partial differential equation of a noisy field, in weak form, without a threshold.

    .. math:: u_t = \sum_k w_k\, D^{\alpha_k} m_k(u)

    with monomials :math:`m_k` of the components. Multiplied by test functions of compact support,
    :math:`\prod_i (1 - s_i^2)^8`, and integrated by parts, every derivative acts on the test
    function and none on the data. Then

    1. half-widths are set from the spectrum along each axis, where the field sinks into its noise;
    2. the noise variance is that of high differences along all axes at once;
    3. monomials are debiased by Hermite polynomials of that variance;
    4. residuals are whitened by the covariance that the law and the noise imply, which is iterated,
       and the part of the Gram matrix that noise makes is taken off: errors in the variables;
    5. terms are selected by the extended Bayesian criterion, by a search over subsets; the
       finalists are compared at their own covariance;
    6. standard errors follow from the response of the residual to the noise of every single cell.

    Parameters
    ----------
    degree : int
        Largest degree of a monomial.
    order : int, optional
        Largest order of a derivative, at most 5; 4 on a line and 2 on a plane or in space when not
        given.
    periodic : bool or tuple of bool
        Whether the grid closes on itself, for all axes or one by one; the last point is then one
        step before the first.
    boundary : str
        What the learned system does at open ends: ``"reflecting"`` or ``"held"``. Data from inside
        a window do not tell.
    half_widths : tuple of int, optional
        Of the test functions, in points, time first; from the spectra when not given.
    required : float
        Share of the rate of change beyond noise that a law must account for to be supported.
    level : float
        Of the intervals.

    Raises
    ------
    InvalidInput
        If the data are no field on a regular grid, a component is constant, the grid is too short
        for a test function or too much of it is missing, or a setting is out of range.

    Notes
    -----
    Available are derivatives of products, such as ``(u^2)_x``, which is ``2 u u_x``; products of
    derivatives, such as ``u_x^2`` or ``u u_xx``, cannot be integrated by parts and are found only in
    the combinations that are derivatives of products, such as ``(u^2)_xx``. Coefficients are
    constant in time and space, but known fields, the `inputs` of the data, are factors of terms as
    components are: ``f``, ``f u``, ``(f u)_x``. They are taken as exact. Noise must be independent
    from cell to cell, Gaussian, and of one variance per component; smoothed or interpolated fields
    break the intervals, and the fields `explained` and `dispersion` of the law say when noise alone
    does not account for the residual. Intervals hold
    given the terms; `inclusion` says how sure the terms are.

    Missing cells with measured ones around them are filled by a local quadratic, whose error is
    carried along; test functions that touch any other missing cell are dropped.

    Cost: for N cells, p candidates and K test functions (at most 8000 a record) about p N products
    for the projections, and K 900^2 for each of some ten covariances; 1 to 3 s for 50,000 cells.
    Memory: about six times the data plus 0.1 GB.

    References
    ----------
    Messenger and Bortz, J. Comput. Phys. 443, 110525 (2021), for the weak form and the widths;
    Bortz, Messenger and Dukic, Bull. Math. Biol. 85, 110 (2023), for the covariance; Chen and Chen,
    Biometrika 95, 759 (2008), for the criterion; Fuller, Measurement Error Models (1987), section
    2.2, for the correction of the moments.

    Examples
    --------
    >>> import numpy as np
    >>> t, x = np.arange(60) * 0.05, np.arange(64) * 0.1
    >>> k = 2 * np.pi / 6.4
    >>> waves = [a * np.exp(-0.5 * (n * k) ** 2 * t)[:, None] * np.sin(n * k * x + n)
    ...          for n, a in ((1, 1.0), (2, 0.5), (3, 0.5))]
    >>> u = sum(waves) + 0.02 * np.random.default_rng(0).normal(size=(60, 64))
    >>> data = FieldData(values=u, times=t, coordinates={"x": x})
    >>> fit = WeakPDE(degree=2, periodic=True).fit(data)
    >>> fit.diagnostics["law"].equations(2)
    ('u_t = 0.5 u_xx',)
    """

    degree: int = 3
    order: int | None = None
    periodic: bool | tuple[bool, ...] = False
    boundary: str = "reflecting"
    half_widths: tuple[int, ...] | None = None
    required: float = 0.9
    level: float = 0.9
    references = (
        "messenger2021weak",
        "bortz2023direct",
        "chen2008extended",
        "fuller1987measurement",
    )

    def __post_init__(self) -> None:
        if self.degree < 1:
            raise InvalidInput(f"degree = {self.degree}; expected at least 1.")
        if self.order is not None and not 0 <= self.order <= HIGHEST_ORDER:
            raise InvalidInput(
                f"order = {self.order}; expected 0 to {HIGHEST_ORDER}: the test functions have no "
                "smooth derivative beyond."
            )
        if self.boundary not in ("reflecting", "held"):
            raise InvalidInput(f"boundary = {self.boundary!r}; expected 'reflecting' or 'held'.")
        for name in ("required", "level"):
            if not 0 < getattr(self, name) < 1:
                raise InvalidInput(f"{name} = {getattr(self, name)}; expected between 0 and 1.")

    def fit(self, data: Any, *, seed: int = 0) -> Fit[PeriodicPDE | GridPDE]:
        """Learn the law and the system that follows it.

        Parameters
        ----------
        data : FieldData, xarray.DataArray, xarray.Dataset, or a sequence of these
            Records on the same grid; they are never joined.
        seed : int
            Unused: nothing is drawn at random.

        Returns
        -------
        Fit
            With the `PDELaw` under ``diagnostics["law"]``. Where no sparse law is supported, the
            status says so and the coefficients of that component are NaN.
        """
        records = as_fields(data)
        closed = self._closed(records[0])
        terms = self._terms(records[0])
        prepared = tuple(Prepared.of(record, closed) for record in records)
        sigma, widths = self._scales(records, prepared, closed)
        exact = np.zeros(len(records[0].input_names))
        weak = tuple(
            part.weak(lattice(record, widths, closed), np.append(sigma, exact))
            for part, record in zip(prepared, records, strict=True)
        )
        n_tests = sum(w.n_tests for w in weak)
        if n_tests < LEAST_TESTS:
            raise InvalidInput(
                f"{n_tests} test functions of {widths} points half-width clear the gaps and the mask; "
                f"at least {LEAST_TESTS} are needed. Give a longer or fuller record."
            )
        weak = tuple(w for w in weak if w.n_tests)
        dropped: tuple[Finding, ...] = ()
        if records[0].input_names:
            terms, dropped = independent(weak, terms, records[0])
        found = []
        for c in range(len(sigma)):
            features = _features(terms, c)
            found.append(learn_equation(Problem(weak, features, np.append(sigma, exact), GAMMA)))
        law = self._law(records, terms, tuple(found), sigma, widths, dropped)
        model = _system(records, law, closed, self.boundary)
        return Fit(model=model, diagnostics={"law": law}, status=law.status, cautions=law.cautions)

    def _closed(self, record: FieldData) -> tuple[bool, ...]:
        if isinstance(self.periodic, bool):
            return (self.periodic,) * record.n_axes
        if len(self.periodic) != record.n_axes:
            raise InvalidInput(
                f"periodic has {len(self.periodic)} entries for {record.n_axes} axes. Give one each."
            )
        return tuple(bool(p) for p in self.periodic)

    def _terms(self, record: FieldData) -> tuple[PDETerm, ...]:
        order = self._order(record)
        factors = len(record.components) + len(record.input_names)
        count = candidate_count(factors, record.n_axes, self.degree, order)
        if count > MOST_CANDIDATES:
            raise InvalidInput(
                f"degree {self.degree} and order {order} make {count} candidate terms; at most "
                f"{MOST_CANDIDATES} are searched. Lower one of them."
            )
        return candidates(factors, record.n_axes, self.degree, order)

    def _order(self, record: FieldData) -> int:
        return self.order if self.order is not None else (4 if record.n_axes == 1 else 2)

    def _scales(
        self,
        records: tuple[FieldData, ...],
        prepared: tuple[Prepared, ...],
        closed: tuple[bool, ...],
    ) -> tuple[np.ndarray, tuple[int, ...]]:
        """Noise of every component, and half-widths."""
        check_different(records)
        sigma = []
        for c, name in enumerate(records[0].components):
            spread = spread_of(name, np.concatenate([r.values[..., c].ravel() for r in records]))
            sizes = [r.values[..., c].size for r in records]
            parts = [noise_variance(r.values[..., c]) for r in records]
            sigma.append(max(float(np.average(parts, weights=sizes)) ** 0.5, EXACTEST * spread))
        noise = np.array(sigma)
        if self.half_widths is None:
            return noise, half_widths(prepared, closed, noise, self._order(records[0]))
        shape = records[0].values.shape[:-1]
        least = [narrowest(1)] + [narrowest(self._order(records[0]))] * records[0].n_axes
        if len(self.half_widths) != len(shape) or not all(
            low <= m <= (n - 1) // 2
            for low, m, n in zip(least, self.half_widths, shape, strict=True)
        ):
            raise InvalidInput(
                f"half_widths = {self.half_widths} for a grid of {shape}; expected one per axis, time "
                f"first, from {least} points on to less than half of the axis."
            )
        return noise, tuple(self.half_widths)

    def _law(
        self,
        records: tuple[FieldData, ...],
        terms: tuple[PDETerm, ...],
        found: tuple[LearnedEquation, ...],
        sigma: np.ndarray,
        widths: tuple[int, ...],
        dropped: tuple[Finding, ...],
    ) -> PDELaw:
        coefficients = np.stack([f.coefficients for f in found], axis=1)
        errors = np.full_like(coefficients, np.nan)
        cautions = list(dropped)
        status = Status.OK
        for c, (equation, name) in enumerate(zip(found, records[0].components, strict=True)):
            reason = self._refusal(equation, len(terms))
            if reason:
                coefficients[:, c] = np.nan
                status = Status.NO_LAW
                text = f"No sparse law of {name!r} is supported by these data: {reason}."
                action = "Offer other terms, or use its forecasts without an equation."
                cautions.append(Finding("no-sparse-law", text, action, "serious"))
                continue
            support = list(equation.support)
            errors[support, c] = equation.standard_errors[support]
            if equation.dispersion > loose(equation.n_tests):
                text = (
                    f"The residual of {name!r} is {equation.dispersion:.2f} times what independent "
                    "noise in the cells makes."
                )
                action = "The noise is not independent, or small terms are left out."
                cautions.append(Finding("residual-above-noise", text, action))
        steps = records[0].steps
        return PDELaw(
            components=records[0].components,
            inputs=records[0].input_names,
            axes=records[0].axes,
            terms=terms,
            coefficients=coefficients,
            standard_errors=errors,
            inclusion=np.stack([f.inclusion for f in found], axis=1),
            noise=sigma,
            dispersion=np.array([f.dispersion for f in found]),
            explained=np.array([f.explained for f in found]),
            half_widths=tuple(m * h for m, h in zip(widths, steps, strict=True)),
            n_tests=found[0].n_tests,
            level=self.level,
            status=status,
            cautions=tuple(cautions),
            provenance={"estimator": repr(self)},
        )

    def _refusal(self, equation: LearnedEquation, n_terms: int) -> str:
        """Why an equation is not supported, or nothing."""
        if not equation.support:
            return "no term stands out from the noise"
        if not equation.explained >= self.required:
            return (
                f"the best law of {len(equation.support)} terms accounts for "
                f"{max(equation.explained, 0.0):.0%} of the rate of change beyond noise"
            )
        if len(equation.support) > n_terms / 2:
            return f"{len(equation.support)} of {n_terms} terms are needed"
        return ""


def _features(terms: tuple[PDETerm, ...], component: int) -> tuple[PDETerm, ...]:
    """Candidates with time first among their orders, and the left side."""
    own = tuple(int(c == component) for c in range(len(terms[0].powers)))
    space = len(terms[0].orders)
    right = tuple(PDETerm(t.powers, (0, *t.orders)) for t in terms)
    return (*right, PDETerm(own, (1, *[0] * space)))


def _system(
    records: tuple[FieldData, ...], law: PDELaw, closed: tuple[bool, ...], boundary: str
) -> PeriodicPDE | GridPDE:
    """The learned equation on the grid of the data, with an integrator that suits it."""
    from takens.core.integrators import Implicit, RungeKutta
    from takens.learn.partial.systems import GridPDE, PeriodicPDE
    from takens.systems.etdrk4 import ETDRK4

    record = records[0]
    used = np.flatnonzero((np.nan_to_num(law.coefficients, nan=1.0) != 0).any(axis=1))
    if np.isnan(law.coefficients).all():
        used = np.array([0])
    terms = tuple(law.terms[i] for i in used)
    coefficients = law.coefficients[used]
    dt, *steps = record.steps
    linear, other = _rates(records, terms, np.nan_to_num(coefficients), np.array(steps))
    shape = record.values.shape[1:-1]
    if all(closed):
        return PeriodicPDE(
            coefficients=coefficients,
            lengths=np.array(steps) * shape,
            terms=terms,
            shape=shape,
            components=record.components,
            inputs=record.input_names,
            integrator=ETDRK4(max_step=min(dt, 1.0 / max(other, 1e-12))),
        )
    fastest = linear + other
    stiff = fastest * dt > 200
    return GridPDE(
        coefficients=coefficients,
        steps=np.array(steps),
        terms=terms,
        shape=shape,
        components=record.components,
        inputs=record.input_names,
        boundaries=tuple("periodic" if c else boundary for c in closed),
        integrator=Implicit(1e-6, 1e-8)
        if stiff
        else RungeKutta(min(dt, 2.0 / max(fastest, 1e-12))),
    )


def _rates(
    records: tuple[FieldData, ...],
    terms: tuple[PDETerm, ...],
    coefficients: np.ndarray,
    steps: np.ndarray,
) -> tuple[float, float]:
    """Fastest rates of the linear and of the other terms on the grid, per time unit."""
    own = coefficients.shape[1]
    wide = [np.concatenate([r.values, r.inputs], axis=-1) for r in records]
    size = np.max([np.nanmax(np.abs(w), axis=tuple(range(w.ndim - 1))) for w in wide], axis=0)
    size = np.maximum(size, 1e-300)
    linear = other = 0.0
    for term, row in zip(terms, coefficients, strict=True):
        degree = sum(term.powers)
        if not any(term.powers[:own]):
            continue
        slope = (
            degree
            * float(np.prod(size ** np.array(term.powers)))
            / float(size[:own][np.array(term.powers[:own]) > 0].min())
        )
        # at the shortest wave that takes part: pi / step, or pi / 2 step of a product
        shortest = np.prod((np.pi / (1 if degree == 1 else 1.5) / steps) ** np.array(term.orders))
        rate = float(np.abs(row).max() * slope * shortest)
        if degree == 1:
            linear = max(linear, rate)
        else:
            other += rate
    return linear, other
