"""Laws with noise of the sensors and in the dynamics: both found, told apart, and never invented."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from takens.core import Recording, Status, Trajectory
from takens.data import regular_segments
from takens.learn import HigherOrderSINDy, LawForecast, LibraryLadder, OrderLadder, SINDy, SparseMap
from takens.learn.sparse.driven import Likelihood, kicks_of, restricted
from takens.learn.sparse.fields import FlowAdvance, MapAdvance, SparseField
from takens.learn.sparse.nodes import nodes_of
from takens.learn.sparse.selection import Search, fitted
from takens.learn.sparse.shooting import Noise
from takens.learn.terms import Polynomials
from takens.validate import judge_law

CUBIC = SINDy(library=Polynomials(3))
VAN_DER_POL = {("y", "x"): 1.0, ("x", "y"): -1.0, ("y", "y"): 2.0, ("x^2*y", "y"): -2.0}


def kicked(n=800, sensor=0.05, seed=0, kicks=(0.1, 0.3), dt=0.1, inner=10):
    """A path of van der Pol's equation with noise, and what its sensors add: stochastic Heun."""
    rng = np.random.default_rng(seed)
    h, noise = dt / inner, np.array(kicks)

    def rate(x):
        return np.array([x[1], 2 * (1 - x[0] ** 2) * x[1] - x[0]])

    x, found = np.array([2.0, 0.0]), []
    for step in range((n + 100) * inner):
        if step % inner == 0:
            found.append(x)
        kick = noise * np.sqrt(h) * rng.normal(size=2)
        slope = rate(x)
        x = x + h / 2 * (slope + rate(x + h * slope + kick)) + kick
    states = np.array(found[100:])
    seen = states + sensor * rng.normal(size=states.shape)
    return Trajectory(times=dt * np.arange(n), states=seen, names=("x", "y"), time_unit="s")


def places(law):
    return {(law.terms[k], law.names[i]) for k, i in np.argwhere(law.support)}


def within(estimate, value):
    return estimate.interval[0] <= value <= estimate.interval[1]


@pytest.fixture(scope="module")
def both():
    return CUBIC.identified(kicked())


def test_terms_numbers_and_both_kinds_of_noise(both):
    law = both.law
    assert law.status is Status.OK
    assert places(law) == set(VAN_DER_POL)
    for (term, name), value in VAN_DER_POL.items():
        found = law.coefficient(term, name)
        assert abs(found.value - value) < 3.5 * found.standard_error
        assert found.standard_error < 0.05
    assert law.noise.decision == "both"
    for found, value in zip(law.noise.sensor, (0.05, 0.05), strict=True):
        assert found.value == pytest.approx(value, rel=0.25)
    for found, value in zip(law.noise.dynamical, (0.1, 0.3), strict=True):
        assert found.value == pytest.approx(value, rel=0.25)
    assert (law.memory < 0.15).all()
    assert "noise-in-dynamics" in {c.code for c in both.cautions}
    assert "Noise: both" in law.summary()
    assert "generalised" in law.coefficient("y", "x").method


def test_without_sensor_noise_it_says_so():
    law = CUBIC.identified(kicked(sensor=0.0, seed=1)).law
    assert law.noise.decision == "dynamical noise"
    assert all(e.interval[0] == 0 for e in law.noise.sensor)
    assert law.noise.p_sensor > 0.01
    assert law.noise.p_dynamical < 1e-10


def test_orbits_that_nothing_moves_are_not_taken_for_moved_ones():
    times = 0.05 * np.arange(500)
    orbit = solve_ivp(
        lambda t, x: [x[1], 2 * (1 - x[0] ** 2) * x[1] - x[0]], (0, times[-1]), [2.0, 0.0],
        t_eval=times, rtol=1e-9, atol=1e-9,
    ).y.T  # fmt: skip
    for share in (0.01, 0.2):
        noise = share * orbit.std(axis=0) * np.random.default_rng(3).normal(size=orbit.shape)
        law = CUBIC.identified(Trajectory(times=times, states=orbit + noise)).law
        assert law.status is Status.OK
        assert law.noise is None


def without_a_law(kind, n, rng):
    kicks = rng.normal(size=(n, 2))
    if kind == "white":
        return kicks
    if kind == "walk":
        return kicks.cumsum(axis=0)
    x = kicks.copy()
    turn = 0.9 * np.eye(2)
    if kind == "rotation":
        turn = 0.985 * np.array([[0.98, -0.15], [0.15, 0.98]])
    for i in range(1, n):
        x[i] = turn @ x[i - 1] + kicks[i]
    return x


@pytest.mark.parametrize("kind", ["white", "walk", "autoregression", "rotation"])
def test_what_an_autoregression_does_is_no_law(kind):
    """Linear laws with noise in the dynamics describe all of these, and say nothing of them."""
    for seed, finder in ((0, SINDy()), (1, SparseMap())):
        found = finder.identified(without_a_law(kind, 250, np.random.default_rng(seed)))
        assert found.law.status is Status.NO_LAW
        assert found.law.noise is None
    assert any(c.code == "no-driven-law" and c.level == "note" for c in found.cautions)


def test_a_missing_term_is_not_taken_for_noise():
    found = SINDy(library=Polynomials(1)).identified(kicked(sensor=0.02))
    assert found.law.status is Status.NO_LAW
    found = SINDy(library=Polynomials(2)).identified(kicked(sensor=0.02, kicks=(0.02, 0.02)))
    assert found.law.status is Status.NO_LAW
    assert any("correlated" in c.text for c in found.cautions)


def test_gaps_breaks_and_uneven_times():
    whole = kicked(n=900, seed=4)
    states = whole.states.copy()
    rng = np.random.default_rng(0)
    states[rng.random(states.shape) < 0.1] = np.nan
    kept = np.sort(rng.choice(900, 800, replace=False))
    records = [
        Trajectory(times=whole.times[rows], states=states[rows], names=("x", "y"))
        for rows in (kept[:300], kept[300:])
    ]
    law = CUBIC.identified(Recording(records=tuple(records))).law
    assert places(law) == set(VAN_DER_POL)
    for (term, name), value in VAN_DER_POL.items():
        found = law.coefficient(term, name)
        assert abs(found.value - value) < 3.5 * found.standard_error
    swapped = CUBIC.identified(Recording(records=tuple(records[::-1]))).law
    np.testing.assert_allclose(swapped.coefficients, law.coefficients, rtol=1e-3, atol=1e-6)


def test_a_map_that_noise_moves():
    rng = np.random.default_rng(2)
    x = np.empty(600)
    x[0] = 0.4
    for i in range(1, 600):
        x[i] = np.clip(3.6 * x[i - 1] * (1 - x[i - 1]) + 0.02 * rng.normal(), 0.02, 0.98)
    law = SparseMap().identified(x + 0.005 * rng.normal(size=600)).law
    assert law.status is Status.OK
    assert {law.terms[k] for k in np.flatnonzero(law.support[:, 0])} == {"x", "x^2"}
    assert within(law.coefficient("x", "x"), 3.6)
    assert law.noise.dynamical[0].value == pytest.approx(0.02, rel=0.2)


def test_ladders_take_noise_in_the_dynamics_last():
    """A law that orbits follow is found by one search alone, and wins whatever the likelihood."""
    data = kicked(n=400, seed=6)
    found = LibraryLadder(finders=(SINDy(), CUBIC)).identified(data)
    assert found.law.noise is not None
    assert places(found.law) == set(VAN_DER_POL)
    orders = OrderLadder(finders=(CUBIC, HigherOrderSINDy(library=Polynomials(1))))
    assert orders.identified(data).law.order == 1


def test_a_moved_law_is_judged_with_its_noise():
    found = judge_law(kicked(n=500, seed=7), CUBIC, n_folds=1, n_origins=40, free_run=False)
    assert found.survives
    assert found.gain_over_linear.interval[0] > 0
    model, scores = found.model, found.backtest
    assert model.dynamical == pytest.approx([0.01, 0.09], rel=0.5)
    inside = scores.coverage[scores.of("sparse law")]
    assert 0.7 < np.mean(inside) <= 1.0  # of 90 % intervals


def test_noise_in_the_dynamics_widens_filter_and_ensemble():
    fit = LawForecast(finder=CUBIC, memory=16).learn(regular_segments(kicked(seed=8)))
    model = fit.model
    segments = regular_segments(kicked(seed=8))
    rows = np.arange(40, 700, 30)
    past = segments.values[0][rows[:, None] - np.arange(16)]
    inputs = np.empty((len(rows), 16, 0))
    _, moved = model.filtered(past, inputs, rows.astype(float))
    assert np.sqrt(moved[:, 0, 0]).mean() < 0.06  # no worse than one sample
    residuals = np.concatenate([np.zeros((1, 2)), fit.diagnostics["residuals"]])
    draws = np.random.default_rng(0).integers(1, len(residuals), size=(20, 300))
    draws[:, 0] = 0
    x0 = np.tile(model.encode(np.array([2.0, 0.0])), (300, 1))
    last, _ = model.orbits(x0, np.zeros(300), np.zeros((20, 300, 0)), residuals, draws)
    still, _ = model.orbits(x0[:1], np.zeros(1), np.zeros((20, 1, 0)), residuals, draws[:, :1])
    np.testing.assert_allclose(last[0], still[0])
    spread = last[1:].std(axis=0) * model.frame.scale
    one = np.sqrt(0.1) * np.array([0.1, 0.3])
    assert (spread > one).all()


def test_kicks_of_a_linear_flow():
    """Against Van Loan's matrix exponential."""
    a, h = np.array([[-0.3, 1.0], [-2.0, -0.4]]), 0.1
    found = kicks_of(expm(a * h)[None], np.array([h]), FlowAdvance())
    for i in range(2):
        q = np.zeros((2, 2))
        q[i, i] = 1.0
        block = expm(np.block([[-a, q], [np.zeros((2, 2)), a.T]]) * h)
        exact = block[2:, 2:].T @ block[:2, 2:]
        np.testing.assert_allclose(found[i, 0], exact, rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(
        kicks_of(np.ones((1, 2, 2)), np.array([1.0]), MapAdvance())[1, 0], np.diag([0.0, 1.0])
    )


@pytest.fixture(scope="module")
def small():
    """A short record, a law of it and the dense covariances of its defects."""
    nodes = nodes_of([kicked(n=20, seed=9), kicked(n=15, seed=10)])
    terms = Polynomials(3).over(("x", "y"))
    table = np.zeros((len(terms), 2))
    for (term, name), value in VAN_DER_POL.items():
        table[terms.names.index(term), ("x", "y").index(name)] = value
    everything = np.ones(table.shape, dtype=bool)
    search = Search(terms=terms, nodes=nodes, allowed=everything, forced=~everything, price=10.0,
                    field=SparseField)  # fmt: skip
    noise = Noise(measurement=np.array([0.003, 0.002]), dynamical=np.array([0.01, 0.09]))
    found = fitted(search, table != 0, table, nodes.values, noise, FlowAdvance())
    likelihood = Likelihood.around(search, found)
    links, n = len(nodes) - 1, len(nodes)
    derivative = np.zeros((links, 2, n, 2))
    for k in np.flatnonzero(nodes.linked):
        derivative[k, :, k + 1] = np.eye(2)
        derivative[k, :, k] = -likelihood.tangent[k]
    flat = derivative.reshape(2 * links, 2 * n)
    parts = []
    for i in range(2):
        parts.append(flat[:, i::2] @ flat[:, i::2].T)
    for i in range(2):
        kicks = np.zeros((links, 2, links, 2))
        kicks[np.arange(links), :, np.arange(links)] = likelihood.spread[i]
        parts.append(kicks.reshape(2 * links, 2 * links))
    rows = np.repeat(nodes.linked, 2)
    return likelihood, [p[np.ix_(rows, rows)] for p in parts], rows


def dense(small, theta):
    likelihood, parts, rows = small
    covariance = sum(v * p for v, p in zip(np.exp(theta), parts, strict=True))
    inverse = np.linalg.inv(covariance)
    g = -likelihood.columns[rows][:, 1:]
    information = g.T @ inverse @ g
    project = inverse - inverse @ g @ np.linalg.solve(information, g.T @ inverse)
    r = likelihood.columns[rows][:, 0]
    value = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1] + r @ project @ r
    return value, project, r


def test_the_restricted_likelihood_is_the_dense_one(small):
    """Differences between variances; breaks between records add what no law sees."""
    likelihood = small[0]
    first = np.log([0.003, 0.002, 0.01, 0.09])
    second = np.log([0.003, 0.002, 0.03, 0.05])
    banded = likelihood.value(second) - likelihood.value(first)
    assert banded == pytest.approx(dense(small, second)[0] - dense(small, first)[0], rel=1e-8)
    assert restricted(likelihood.linear(first)) == likelihood.value(first)


def test_errors_of_variances_are_their_average_information(small):
    likelihood, parts, _ = small
    theta = np.log([0.003, 0.002, 0.01, 0.09])
    _, project, r = dense(small, theta)
    pulls = [p @ project @ r for p in parts]
    information = np.array([[a @ project @ b / 2 for b in pulls] for a in pulls])
    exact = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(likelihood.errors(likelihood.noise(theta)), exact, rtol=1e-6)
