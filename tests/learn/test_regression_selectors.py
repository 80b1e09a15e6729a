"""Selectors and constraints against exact answers."""

import itertools

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from takens.core import InvalidInput, Status, Trajectory
from takens.learn import SparseRegression
from takens.learn.moments import MomentBlocks, Moments
from takens.learn.regression import (
    SR3,
    STLSQ,
    BestSubset,
    Elimination,
    EnergyConserving,
    Excluded,
    Hamiltonian,
    Known,
    Linear,
    NonNegative,
    NonPositive,
    Required,
    StrongForm,
    Symmetry,
    WeakForm,
)
from takens.learn.regression.constraints import Bounds, bounds_of
from takens.learn.regression.equations import PlainEquations
from takens.learn.regression.problem import Problem
from takens.learn.regression.quadratic import Infeasible
from takens.learn.sparse.selection import price_of
from takens.learn.terms import Expressions, Fourier, Polynomials
from tests.learn.test_sindy import assert_lorenz, found, lorenz, noisy, orbit, record


@pytest.fixture(scope="module")
def clean():
    return orbit(lorenz, [1.0, 3.0, 20.0], 0.01 * np.arange(3_000))[2_000:]


def regression(seed=0, k=9, d=1, n=400, correlated=0.6):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, k)) + correlated * rng.normal(size=(n, 1))
    w = np.where(rng.random((k, d)) < 0.4, rng.normal(size=(k, d)), 0.0)
    return a, a @ w + 0.5 * rng.normal(size=(n, d)), w


def problem(a, y, bounds=None):
    parts = [Moments.empty(a.shape[1], y.shape[1]).update(a[i::20], y[i::20]) for i in range(20)]
    equations = PlainEquations(blocks=(MomentBlocks.of(parts),), dim=y.shape[1])
    return Problem(equations=equations, bounds=bounds or Bounds.none(a.shape[1] * y.shape[1]))


def by_hand(one, support):
    """The extended BIC of a subset, solved afresh."""
    index = np.flatnonzero(support)
    w = np.linalg.solve(one.gram[np.ix_(index, index)], one.cross[index]) if len(index) else []
    misfit = one.square - one.cross[index] @ w
    return misfit + price_of(int(one.count), one.n_terms) * len(index)


@pytest.mark.parametrize("seed", range(6))
def test_the_best_subset_is_the_best_of_all(seed):
    a, y, _ = regression(seed)
    ((_, one),) = problem(a, y).quadratics()
    every = [np.array(s) for s in itertools.product([False, True], repeat=9)]
    best = min(every, key=lambda s: by_hand(one, s))
    choice = BestSubset().select(one)
    assert choice.proven
    np.testing.assert_array_equal(choice.solution.support, best)
    elimination = Elimination().select(one).solution
    assert by_hand(one, elimination.support) >= by_hand(one, best) - 1e-9


def test_a_search_that_was_cut_short_says_so():
    a, y, _ = regression(3, k=25, correlated=3.0)
    ((_, one),) = problem(a, y).quadratics()
    choice = BestSubset(max_nodes=2).select(one)
    assert not choice.proven
    assert choice.solution.misfit <= Elimination().select(one).solution.misfit + 1e-9


def test_thresholding_is_the_published_iteration():
    a, y, _ = regression(1)
    ((_, one),) = problem(a, y).quadratics()
    kept = np.ones(9, dtype=bool)
    for _ in range(20):
        w = np.zeros(9)
        inner = a[:, kept].T @ a[:, kept] + 0.05 * np.eye(kept.sum())
        w[kept] = np.linalg.solve(inner, a[:, kept].T @ y[:, 0])
        if np.array_equal(np.abs(w) >= 0.3, kept):
            break
        kept = np.abs(w) >= 0.3
    choice = STLSQ(threshold=0.3, ridge=0.05).select(one)
    np.testing.assert_array_equal(choice.solution.support, kept)
    expected = np.linalg.lstsq(a[:, kept], y[:, 0], rcond=None)[0]
    np.testing.assert_allclose((choice.solution.coefficients / one.scale)[kept], expected)


def test_relaxed_regression_rests_at_a_fixed_point():
    a, y, _ = regression(2)
    ((_, one),) = problem(a, y).quadratics()
    kept = SR3(threshold=0.3, nu=0.5).select(one).solution.support
    v = np.zeros(9)
    for _ in range(5_000):
        w = np.linalg.solve(a.T @ a / len(a) + np.eye(9) / 0.5, a.T @ y[:, 0] / len(a) + v / 0.5)
        v = np.where(np.abs(w) >= 0.3, w, 0.0)
    np.testing.assert_array_equal(kept, v != 0)
    assert 0 < kept.sum() < 9


def test_signs_give_the_bounded_least_squares():
    a, y, _ = regression(4)
    signs = np.array([1, -1, 0, 1, -1, 1, 1, -1, -1.0])
    bounds = Bounds.none(9)
    bounds = Bounds(**{**bounds.__dict__, "signs": signs})
    ((_, one),) = problem(a, y, bounds).quadratics()
    w = one.solve(np.ones(9, dtype=bool)).coefficients / one.scale
    expected = lsq_linear(
        a, y[:, 0], (np.where(signs > 0, 0, -np.inf), np.where(signs < 0, 0, np.inf)), tol=1e-14
    ).x
    np.testing.assert_allclose(w, expected, atol=1e-7)
    assert (w == 0).any()


def test_signs_and_equations_together():
    """Against the same problem by elimination of one unknown."""
    a, y, _ = regression(5, k=4)
    bounds = Bounds.none(4).with_rows(np.array([[1.0, 1.0, 1.0, 1.0]]), np.array([0.3]))
    bounds = Bounds(**{**bounds.__dict__, "signs": np.array([1.0, 1.0, 1.0, 0.0])})
    ((_, one),) = problem(a, y, bounds).quadratics()
    w = one.solve(np.ones(4, dtype=bool)).coefficients / one.scale
    reduced, target = a[:, :3] - a[:, 3:], y[:, 0] - 0.3 * a[:, 3]
    expected = lsq_linear(reduced, target, (0, np.inf), tol=1e-14).x
    np.testing.assert_allclose(w[:3], expected, atol=1e-7)
    assert w.sum() == pytest.approx(0.3)


def test_equality_constraints_are_those_of_lagrange():
    a, y, _ = regression(6, k=5)
    rows = np.array([[1.0, -1.0, 0, 0, 0], [0, 0, 1.0, 2.0, 0]])
    ((_, one),) = problem(a, y, Bounds.none(5).with_rows(rows, np.array([0.0, 1.0]))).quadratics()
    solution = one.solve(np.ones(5, dtype=bool))
    kkt = np.block([[a.T @ a, rows.T], [rows, np.zeros((2, 2))]])
    expected = np.linalg.solve(kkt, np.r_[a.T @ y[:, 0], 0.0, 1.0])[:5]
    np.testing.assert_allclose(solution.coefficients / one.scale, expected, atol=1e-9)
    assert solution.effective == pytest.approx(3.0)


@pytest.mark.parametrize("selector", [Elimination(), STLSQ(0.2), SR3(0.2), BestSubset()])
def test_every_selector_finds_lorenz(clean, selector):
    law = SparseRegression(selector=selector).fit(record(noisy(clean, 0.01))).diagnostics["law"]
    assert_lorenz(law, 4.5)


def test_known_excluded_and_required_coefficients(clean):
    fit = SparseRegression(
        constraints=(Known("x", "y", 28.0), Known("x*z", "y", -1.0), Excluded("y", "y"),
                     Required("z", "x"))
    ).fit(record(noisy(clean, 0.02)))  # fmt: skip
    law = fit.diagnostics["law"]
    values = found(law)
    assert values[("x", "y")] == pytest.approx(28.0, rel=1e-12)
    assert law.coefficient("x", "y").standard_error == 0.0
    assert law.coefficient("x", "y").method == "given"
    assert ("z", "x") in values
    assert ("y", "y") not in values


def test_a_linear_constraint_ties_coefficients_and_narrows_intervals(clean):
    data = record(noisy(clean, 0.05))
    free = SparseRegression().fit(data).diagnostics["law"]
    tied = SparseRegression(constraints=(Linear((("x", "x", 1.0), ("y", "x", 1.0))),)).fit(data)
    law = tied.diagnostics["law"]
    assert found(law)[("x", "x")] == pytest.approx(-found(law)[("y", "x")], rel=1e-10)
    assert law.standard_errors[1, 0] < free.standard_errors[1, 0]
    assert_lorenz(law, 4.5)
    assert not {"constraints-contradicted"} & {f.code for f in tied.cautions}


def test_symmetry_leaves_only_what_it_allows(clean):
    law = (
        SparseRegression(library=Polynomials(3), constraints=(Symmetry((-1, -1, 1)),))
        .fit(record(noisy(clean, 0.02)))
        .diagnostics["law"]
    )
    assert_lorenz(law, 4.5)
    bounds = bounds_of((Symmetry((-1, -1, 1)),), Polynomials(3).over(("x", "y", "z")))
    allowed = bounds.allowed.reshape(3, -1)
    names = Polynomials(3).over(("x", "y", "z")).names
    for k, name in enumerate(names):
        odd = sum(int(p.split("^")[1]) if "^" in p else 1
                  for p in name.split("*") if p[0] in "xy") % 2  # fmt: skip
        np.testing.assert_array_equal(allowed[:, k], [odd == 1, odd == 1, odd == 0])


def test_a_rotation_is_a_symmetry_with_tied_coefficients():
    """The normal form of a limit cycle is the same from every angle."""

    def rate(t, x):
        r = 1 - x[0] ** 2 - x[1] ** 2
        return [x[0] * r - 2 * x[1], x[1] * r + 2 * x[0]]

    times = 0.03 * np.arange(400)
    x = orbit(rate, [0.05, 0.0], times)
    data = Trajectory(times=times, states=noisy(x, 0.02), names=("x", "y"), time_unit="s")
    c, s = np.cos(1.0), np.sin(1.0)
    law = (
        SparseRegression(library=Polynomials(3), constraints=(Symmetry(((c, -s), (s, c))),))
        .fit(data).diagnostics["law"]
    )  # fmt: skip
    values = found(law)
    assert values[("x", "x")] == pytest.approx(values[("y", "y")], rel=1e-8)
    assert values[("y", "x")] == pytest.approx(-values[("x", "y")], rel=1e-8)
    assert values[("x^3", "x")] == pytest.approx(values[("x^2*y", "y")], rel=1e-8)
    assert values[("x^3", "x")] == pytest.approx(-1.0, abs=0.1)


def test_quadratic_terms_conserve_energy(clean):
    data = record(noisy(clean, 0.05))
    fit = SparseRegression(constraints=(EnergyConserving(),)).fit(data)
    table = fit.diagnostics["law"].coefficients
    assert fit.status is Status.OK
    terms = fit.model.terms
    x = np.random.default_rng(0).normal(size=(20, 3))
    quadratic = [k for k, name in enumerate(terms.names) if "*" in name or "^" in name]
    assert table[quadratic].any()
    work = (x * (terms(x)[:, quadratic] @ table[quadratic])).sum(axis=1)
    np.testing.assert_allclose(work, 0.0, atol=1e-9)


def test_a_hamiltonian_law_has_a_hamiltonian():
    times = 0.05 * np.arange(600)
    x = orbit(lambda t, x: [x[1], -x[0] - x[0] ** 2], [0.4, 0.0], times)
    data = Trajectory(times=times, states=noisy(x, 0.02), names=("q", "p"), time_unit="s")
    fit = SparseRegression(constraints=(Hamiltonian((("q", "p"),)),)).fit(data)
    law, terms = fit.diagnostics["law"], fit.model.terms
    assert {("p", "q"), ("q", "p"), ("q^2", "p")} <= set(found(law))
    slopes = terms.jacobian(np.random.default_rng(0).normal(size=(20, 2)))
    divergence = sum(slopes[:, :, i] @ law.coefficients[:, i] for i in range(2))
    np.testing.assert_allclose(divergence, 0.0, atol=1e-9)  # one degree of freedom: the same


def test_signs_stop_coefficients_at_zero(clean):
    data = record(noisy(clean, 0.02))
    fit = SparseRegression(
        constraints=(NonNegative("y", "y"), NonPositive("x", "x"))
    ).fit(data)  # fmt: skip
    values = found(fit.diagnostics["law"])
    assert ("y", "y") not in values  # it is -1
    assert values[("x", "x")] == pytest.approx(-10.0, abs=0.5)
    assert fit.diagnostics["law"].coefficient("x", "x").interval[1] <= 0.0


def test_a_constraint_that_the_data_contradict_is_a_caution(clean):
    fit = SparseRegression(constraints=(Known("x", "y", 20.0),)).fit(record(noisy(clean, 0.01)))
    assert "constraints-contradicted" in {f.code for f in fit.cautions}


@pytest.mark.parametrize("form", [WeakForm(), StrongForm()])
def test_constraints_that_contradict_each_other_are_refused(clean, form):
    pair = (Known("x", "y", 20.0), Known("x", "y", 21.0))
    with pytest.raises(Infeasible, match="contradict"):
        SparseRegression(constraints=pair, form=form).fit(record(clean))


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        (Known("q", "x", 1.0), "one of the terms"),
        (Excluded("x", "q"), "one of the columns"),
        (Known("x", "x", np.nan), "finite"),
        (Known("x", "x", "1"), "number"),
        (Linear(()), "zero"),
        (Symmetry((1, -1)), "3 numbers"),
        (EnergyConserving((1.0,)), "3 positive"),
        (Hamiltonian((("x", "y"),)), "once"),
        ("x = 0", "given as a constraint"),
    ],
)
def test_constraints_that_make_no_sense_are_refused(clean, constraint, message):
    with pytest.raises(InvalidInput, match=message):
        SparseRegression(constraints=(constraint,)).fit(record(clean[:300]))


def test_a_symmetry_needs_a_library_that_is_closed():
    with pytest.raises(InvalidInput, match="images"):
        bounds_of((Symmetry((-1, 1)),), Expressions("exp(x)", "y").over(("x", "y")))
    bounds = bounds_of((Symmetry((-1,)),), Fourier(1).over(("x",)))
    names = Fourier(1).over(("x",)).names
    assert {n for n, ok in zip(names, bounds.allowed, strict=True) if ok} == {"sin(x)"}
