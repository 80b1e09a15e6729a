"""Best subsets against all subsets, and laws among very many candidates."""

import itertools

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import Status, Trajectory
from takens.learn import SINDy
from takens.learn.sparse.shooting import Linear
from takens.learn.sparse.subset import Subset
from takens.learn.terms import Polynomials


def problem(columns, target, forced=None, price=4.0, around=None):
    """As the kernel hands it over: defects around coefficients, minus the sensitivities."""
    p = columns.shape[1]
    around = np.zeros(p) if around is None else around
    white = np.column_stack([target - columns @ around, -columns])
    nothing = np.empty((0, 1, 1))
    linear = Linear(
        tangent=nothing, weighted=white, gram=white.T @ white, log_determinant=0.0, white=white
    )
    forced = np.zeros(p, dtype=bool) if forced is None else forced
    return Subset.of(linear, around, n_rows=len(target), forced=forced, price=price)


def every_subset(columns, target, price):
    best = (np.inf, ())
    for k in range(columns.shape[1] + 1):
        for chosen in itertools.combinations(range(columns.shape[1]), k):
            part = columns[:, chosen]
            left = target - part @ np.linalg.lstsq(part, target, rcond=None)[0] if k else target
            value = len(target) * np.log(left @ left) + price * k
            best = min(best, (value, chosen))
    return best


@pytest.mark.parametrize("seed", range(8))
def test_the_best_of_all_subsets_is_found(seed):
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(60, 9)) @ rng.normal(size=(9, 9))  # far from orthogonal
    target = columns[:, [1, 4, 7]] @ [3.0, -2.0, 1.0] + rng.normal(size=60)
    value, chosen = every_subset(columns, target, 4.0)
    subset = problem(columns, target, around=rng.normal(size=9))
    found = subset.best()
    coefficients, left = subset.solved(found)
    assert subset.criterion(left, int(found.sum())) == pytest.approx(value, abs=1e-6)
    assert tuple(np.flatnonzero(found)) == chosen
    part = columns[:, chosen]
    np.testing.assert_allclose(
        coefficients[found], np.linalg.lstsq(part, target, rcond=None)[0], rtol=1e-8
    )


def test_columns_that_stand_only_by_each_other_go_together():
    """Of two pairs with equal sums one is enough; no single removal shows it."""
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 400))
    columns = np.column_stack([a, b, c, a + b + 1e-3 * c])
    target = 5 * (a + b + 1e-3 * c) + 0.1 * rng.normal(size=400)
    found = problem(columns, target).best()
    assert list(np.flatnonzero(found)) == [3]
    three = np.array([True, True, True, False])
    assert list(np.flatnonzero(problem(columns, target).polished(three))) != [0, 1, 2]


def test_forced_columns_stay_and_dependent_ones_do_no_harm():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(100, 3))
    columns = np.column_stack([a, a[:, 0], 2 * a[:, 1], np.zeros(100)])
    target = a[:, 2] + 0.01 * rng.normal(size=100)
    forced = np.arange(6) == 0
    found = problem(columns, target, forced=forced).best()
    assert list(np.flatnonzero(found)) == [0, 2]


def test_more_candidates_than_rows():
    rng = np.random.default_rng(2)
    columns = rng.normal(size=(20, 40))
    target = columns[:, 3] * 2 - columns[:, 30]
    found = problem(columns, target + 1e-3 * rng.normal(size=20), price=10.0).best()
    assert {3, 30} <= set(np.flatnonzero(found))
    assert found.sum() < 20


def test_exact_structure_among_105_nearly_dependent_candidates():
    """Chen's equations, all monomials of degree four: columns are dependent to a part in 10^4."""
    rate = lambda t, x: [
        35 * (x[1] - x[0]),
        -7 * x[0] - x[0] * x[2] + 28 * x[1],
        x[0] * x[1] - 3 * x[2],
    ]
    times = 0.006 * np.arange(3_000)
    x = solve_ivp(rate, (0, times[-1]), [-10, 0, 37], t_eval=times, rtol=1e-10, atol=1e-10).y.T
    noise = 0.01 * np.sqrt((x**2).mean()) * np.random.default_rng(0).normal(size=x.shape)
    halves = [
        Trajectory(times=times[rows], states=(x + noise)[rows], names=("x", "y", "z"))
        for rows in (slice(800, 1_800), slice(2_000, 3_000))
    ]
    fit = SINDy(library=Polynomials(4)).fit(halves)
    law = fit.diagnostics["law"]
    assert fit.status is Status.OK
    found = {(law.terms[k], law.names[i]) for k, i in np.argwhere(law.support)}
    assert found == {("x", "x"), ("y", "x"), ("x", "y"), ("y", "y"), ("x*z", "y"), ("z", "z"),
                     ("x*y", "z")}  # fmt: skip
    for (term, equation), value in {("x", "x"): -35, ("x*y", "z"): 1, ("x", "y"): -7}.items():
        estimate = law.coefficient(term, equation)
        assert abs(estimate.value - value) < 4 * estimate.standard_error


def test_a_long_gap_is_not_integrated_over():
    """A fast law, whose orbit would overflow within the gap."""
    times = np.r_[0.02 * np.arange(300), 1e3 + 0.02 * np.arange(300)]
    x = solve_ivp(lambda t, x: [x[0] - x[0] ** 3], (0, 6), [0.01], t_eval=times[:300], rtol=1e-9)
    y = solve_ivp(lambda t, x: [x[0] - x[0] ** 3], (0, 6), [-2.0], t_eval=times[:300], rtol=1e-9)
    states = np.r_[x.y[0], y.y[0]][:, None]
    states = states + 1e-3 * np.random.default_rng(0).normal(size=states.shape)
    law = SINDy(library=Polynomials(5)).fit(
        Trajectory(times=times, states=states, names=("x",))
    ).diagnostics["law"]  # fmt: skip
    assert [law.terms[k] for k in np.flatnonzero(law.support[:, 0])] == ["x", "x^3"]
