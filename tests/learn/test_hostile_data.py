"""Data that nobody should give: each is refused with a reason, or answered with a caution."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from takens import learn
from takens.core import InvalidInput, Status, Trajectory
from takens.learn import SINDy, SparseMap, SparseRegression
from takens.learn.regression import STLSQ, Differences, IntegralForm, StepForm, StrongForm

T = 0.05 * np.arange(240)
NOISE = np.random.default_rng(0).normal(size=(240, 2))
BASE = (np.exp(-0.05 * T) * np.array([np.cos(2 * T), -np.sin(2 * T)])).T + 0.01 * NOISE
FINDERS = {
    "orbits": SINDy(),
    "orbits of a map": SparseMap(),
    "weak": SparseRegression(),
    "integral": SparseRegression(form=IntegralForm()),
    "strong": SparseRegression(form=StrongForm()),
    "differences": SparseRegression(form=StrongForm(Differences()), selector=STLSQ()),
    "map": SparseRegression(form=StepForm()),
}


def rows(states=BASE, times=T, names=("x", "y")):
    return Trajectory(times=times, states=np.asarray(states, dtype=float), names=names)


def at(value, place=(100, 0)):
    states = BASE.copy()
    states[place] = value
    return states


REFUSED = {
    "enormous": (lambda: rows(BASE * 1e300), "too large for products"),
    "one enormous value": (lambda: rows(at(1e300)), "too large for products"),
    "tiny": (lambda: rows(BASE * 1e-300), "too little for products"),
    "constant column": (lambda: rows(np.c_[BASE[:, 0], np.ones(240)]), "'y' is constant"),
    "zeros": (lambda: rows(np.zeros((240, 2))), "'x' is constant"),
    "no rows": (lambda: rows(BASE[:0], T[:0]), "No record has two rows"),
    "one row": (lambda: rows(BASE[:1], T[:1]), "No record has two rows"),
    "two rows": (lambda: rows(BASE[:2], T[:2]), "No stretch holds 8 rows"),
    "all missing": (lambda: rows(np.full((240, 2), np.nan)), "No stretch holds 8 rows"),
    "one column missing": (lambda: rows(BASE * [1, np.nan]), "No stretch holds 8 rows"),
    "infinity": (lambda: rows(at(np.inf)), "infinity"),
    "times not finite": (
        lambda: rows(times=np.where(np.arange(240) == 5, np.nan, T)),
        "NaN or infinity",
    ),
    "times unsorted": (lambda: rows(times=T[::-1]), "strictly increasing"),
    "times twice": (lambda: rows(times=np.r_[T[:5], T[4], T[6:]]), "strictly increasing"),
    "times enormous": (lambda: rows(times=T * 1e299), "larger units"),
    "times tiny": (lambda: rows(times=T * 1e-299), "smaller units"),
    "nameless": (lambda: rows(names=("", "y")), "expected a word"),
    "names twice": (lambda: rows(names=("x", "x")), "two columns are called"),
    "text": (lambda: np.array([["a", "b"]] * 20), "type <U1"),
    "complex": (lambda: BASE + 1j, "complex"),
    "three axes": (lambda: np.zeros((4, 5, 6)), "shape"),
    "nothing": (lambda: None, "NoneType"),
}


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_with_a_reason(case, finder):
    make, reason = REFUSED[case]
    with pytest.raises(InvalidInput, match=reason):
        FINDERS[finder].fit(make())


CAUTIONED = {
    "twice the same column": (BASE[:, [0, 0]], T, {"columns-coincide", "collinear-terms"}),
    "one column in two units": (BASE[:, [0, 0]] * [1, 3], T, {"columns-coincide", "collinear-terms"}),
    "far from zero": (BASE + 1e9, T, {"entangled-terms", "collinear-terms"}),
    "nine rows": (BASE[:9], T[:9], {"few-samples", "few-rows", "nothing-held"}),
    "one huge value": (at(1e6), T, {"nothing-held", "residuals-too-large"}),
    "noise": (NOISE, T, {"nothing-held"}),
    "two states": (BASE > 0, T, {"no-orbit", "residuals-remember", "collinear-terms", "nothing-held"}),
    "steps": (np.c_[T > 6, T > 3], T, {"no-orbit", "collinear-terms"}),
}  # fmt: skip


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("case", CAUTIONED)
def test_is_answered_with_a_caution(case, finder):
    states, times, codes = CAUTIONED[case]
    if (case, finder) == ("nine rows", "weak"):
        with pytest.raises(InvalidInput, match="IntegralForm"):
            FINDERS[finder].fit(rows(states, times))
        return
    fit = FINDERS[finder].fit(rows(states, times))
    assert codes & {f.code for f in fit.cautions}
    law = fit.diagnostics["law"]
    if fit.status is Status.NO_LAW:
        assert np.isnan(law.coefficients).all()
        assert all("= ?" in line for line in law.equations)
    elif case != "steps":  # one of which leaves residuals only where the state is zero
        assert (law.standard_errors[law.support] > 1e-14).all()


@pytest.mark.parametrize("finder", ["orbits", "orbits of a map", "weak", "strong", "map"])
@pytest.mark.parametrize("power", [-30, -12, 12, 30])
def test_units_of_any_size_are_as_good(finder, power):
    law, other = (
        FINDERS[finder].fit(rows(BASE * scale)).diagnostics["law"] for scale in (1.0, 10.0**power)
    )
    np.testing.assert_array_equal(law.support, other.support)
    linear = [law.terms.index("x"), law.terms.index("y")]
    np.testing.assert_allclose(law.coefficients[linear], other.coefficients[linear], rtol=1e-5)


def test_whole_numbers_are_numbers():
    states = np.rint(10 * BASE).astype(int)
    for finder in ("orbits", "integral", "map"):
        law = FINDERS[finder].fit(rows(states)).diagnostics["law"]
        assert {law.terms[k] for k in np.flatnonzero(law.support.any(axis=1))} == {"x", "y"}


@pytest.mark.parametrize(
    "names",
    [("x y", "1"), ("lambda", "t"), ("a*b", "sin(x)"), ("é", "x^2"), ("2", "3.5"), ("a\nb", "'"), ("`", "pi")],
)  # fmt: skip
def test_hostile_names_are_quoted_and_harmless(names):
    for finder in ("orbits", "integral", "map"):
        fit = FINDERS[finder].fit(rows(names=names))
        plain = FINDERS[finder].fit(rows()).diagnostics["law"]
        law = fit.diagnostics["law"]
        np.testing.assert_allclose(law.coefficients, plain.coefficients, rtol=1e-9)
        assert len(set(law.terms)) == len(law.terms)
        first = law.equations[0].split(" = ")[0]
        assert law.terms[law.terms.index("1") + 1] in first  # the column as it stands in terms
        assert fit.model.equations()


FIELD_T, FIELD_X = 0.05 * np.arange(60), 0.1 * np.arange(64)
WAVES = sum(
    a * np.exp(-0.5 * (n * 2 * np.pi / 6.4) ** 2 * FIELD_T)[:, None]
    * np.sin(n * 2 * np.pi / 6.4 * FIELD_X + n)
    for n, a in ((1, 1.0), (2, 0.5), (3, 0.5))
)  # fmt: skip
FIELD = WAVES + 0.02 * np.random.default_rng(0).normal(size=WAVES.shape)


def field(values=FIELD, times=FIELD_T, x=FIELD_X, **keep):
    return learn.FieldData(values=values, times=times, coordinates={"x": x}, **keep)


def outlier(value):
    values = FIELD.copy()
    values[30, 30] = value
    return values


REFUSED_FIELDS = {
    "enormous": (lambda: field(FIELD * 1e300), "too large for products"),
    "one enormous value": (lambda: field(outlier(1e300)), "too large for products"),
    "tiny": (lambda: field(FIELD * 1e-60), "too little for products"),
    "far from zero": (lambda: field(FIELD + 1e9), "difference from a constant"),
    "constant": (lambda: field(np.stack([FIELD, 0 * FIELD + 1], -1)), "'v' is constant"),
    "twice": (lambda: field(np.stack([FIELD, FIELD], -1)), "same up to offset"),
    "two units": (lambda: field(np.stack([FIELD, 1 - 2 * FIELD], -1)), "same up to offset"),
    "two rows": (lambda: field(FIELD[:2], FIELD_T[:2]), "fewer than 200"),
    "one row": (lambda: field(FIELD[:1], FIELD_T[:1]), "two or more"),
    "two places": (lambda: field(FIELD[:, :2], FIELD_T, FIELD_X[:2]), "fewer than 200"),
    "times enormous": (lambda: field(times=FIELD_T * 1e300), "powers are no numbers"),
    "times tiny": (lambda: field(times=FIELD_T * 1e-300), "powers are no numbers"),
    "places enormous": (lambda: field(x=FIELD_X * 1e200), "powers are no numbers"),
    "times not finite": (lambda: field(times=np.where(FIELD_T > 2.9, np.inf, FIELD_T)), "finite"),
    "text": (lambda: field(np.full(FIELD.shape, "a")), "no numbers"),
    "complex": (lambda: field(FIELD + 1j), "complex"),
    "nameless": (lambda: field(components=("",)), "one label"),
    "axis of two words": (
        lambda: learn.FieldData(values=FIELD, times=FIELD_T, coordinates={"x 1": FIELD_X}),
        "expected a word",
    ),
}


@pytest.mark.parametrize("case", REFUSED_FIELDS)
def test_a_field_is_refused_with_a_reason(case):
    make, reason = REFUSED_FIELDS[case]
    with pytest.raises(InvalidInput, match=reason):
        learn.WeakPDE(degree=2, order=2, periodic=True).fit(make())


@pytest.mark.parametrize("values", [outlier(1e6), FIELD > 0, np.random.default_rng(1).normal(size=(60, 64))],
                         ids=["one huge value", "two states", "noise"])  # fmt: skip
def test_a_field_without_a_law_has_none(values):
    fit = learn.WeakPDE(degree=2, order=2, periodic=True).fit(field(values))
    assert fit.status is Status.NO_LAW
    assert "no-sparse-law" in {f.code for f in fit.cautions}


def test_names_of_components_are_quoted_where_they_could_be_read_as_terms():
    both = np.stack([FIELD, np.random.default_rng(2).normal(size=FIELD.shape)], -1)
    data = field(both, components=("u", "u_x"))
    law = learn.WeakPDE(degree=1, order=2, periodic=True).fit(data).diagnostics["law"]
    assert len(set(law.names)) == len(law.names)
    assert law.equations()[1].startswith("`u_x`_t = ")


def test_nothing_warns():
    """Warnings are errors here: what is wrong is said in findings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for states in (at(1e6), BASE + 1e9, BASE[:, [0, 0]], BASE > 0):
            for finder in FINDERS.values():
                finder.fit(rows(states))
