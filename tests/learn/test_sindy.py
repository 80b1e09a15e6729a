"""Equations from noisy, gappy records: exact structure, honest errors, and refusal."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import InvalidInput, Status, Trajectory
from takens.learn import SINDy, SparseMap
from takens.learn.sparse.fields import FlowAdvance, MapAdvance, SparseField
from takens.learn.sparse.nodes import nodes_of, noise_variance
from takens.learn.sparse.shooting import Noise, linearised
from takens.learn.terms import Fourier, Polynomials

LORENZ = {
    ("x", "x"): -10.0, ("y", "x"): 10.0, ("x", "y"): 28.0, ("y", "y"): -1.0, ("x*z", "y"): -1.0,
    ("z", "z"): -8.0 / 3.0, ("x*y", "z"): 1.0,
}  # fmt: skip


def orbit(rate, x0, times, **settings):
    found = solve_ivp(rate, (0, times[-1]), x0, t_eval=times, rtol=1e-10, atol=1e-11, **settings)
    return found.y.T


def lorenz(t, x):
    return [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]


@pytest.fixture(scope="module")
def clean():
    return orbit(lorenz, [1.0, 3.0, 20.0], 0.01 * np.arange(3_000))[2_000:]


def noisy(x, share, seed=0):
    return x + share * x.std(axis=0) * np.random.default_rng(seed).normal(size=x.shape)


def record(x, times=None):
    times = 0.01 * np.arange(len(x)) if times is None else times
    return Trajectory(times=times, states=x, names=("x", "y", "z")[: x.shape[1]], time_unit="s")


def found(law):
    return {
        (law.terms[k], law.names[i]): law.coefficients[k, i] for k, i in np.argwhere(law.support)
    }


def assert_lorenz(law, within=4.0):
    values = found(law)
    assert set(values) == set(LORENZ)
    for (term, equation), value in LORENZ.items():
        estimate = law.coefficient(term, equation)
        assert abs(estimate.value - value) < within * estimate.standard_error


def test_lorenz_from_a_noisy_record(clean):
    fit = SINDy().fit(record(noisy(clean, 0.05)))
    law = fit.diagnostics["law"]
    assert fit.status is Status.OK
    assert_lorenz(law)
    np.testing.assert_allclose(law.measurement_noise, 0.05 * clean.std(axis=0), rtol=0.08)
    assert "dz/dt" in law.summary()
    x = np.array([1.0, 2.0, 3.0])
    theta = fit.model.terms(x)
    np.testing.assert_allclose(fit.model.vector_field(0.0, x), theta @ law.coefficients, rtol=1e-12)


def test_clean_data_give_the_law_to_rounding(clean):
    law = SINDy().fit(record(clean)).diagnostics["law"]
    assert set(found(law)) == set(LORENZ)
    for place, value in LORENZ.items():
        assert found(law)[place] == pytest.approx(value, rel=1e-6)


def test_missing_values_uneven_times_and_several_records_are_used(clean):
    rng = np.random.default_rng(1)
    x = noisy(clean, 0.02)
    x[rng.random(x.shape) < 0.1] = np.nan
    kept = np.sort(rng.choice(len(x), 800, replace=False))
    times = 0.01 * np.arange(len(x))
    halves = [record(x[kept[:400]], times[kept[:400]]), record(x[kept[400:]], times[kept[400:]])]
    law = SINDy().fit(halves).diagnostics["law"]
    assert law.n_samples <= 800
    assert_lorenz(law)


def test_records_are_not_joined(clean):
    """Two records whose ends do not meet, in either order, give the same law."""
    first, second = record(noisy(clean[:400], 0.02)), record(noisy(clean[600:], 0.02))
    one = SINDy().fit([first, second]).diagnostics["law"]
    two = SINDy().fit([second, first]).diagnostics["law"]
    assert_lorenz(one)
    np.testing.assert_allclose(one.coefficients, two.coefficients, rtol=1e-6, atol=1e-9)
    nodes = nodes_of([first, second])
    assert list(np.flatnonzero(~nodes.linked)) == [399]


def test_fitting_again_is_fitting_afresh(clean):
    settings = SINDy()
    settings.fit(record(noisy(clean, 0.05, seed=3)))
    again = settings.fit(record(noisy(clean, 0.02))).diagnostics["law"]
    fresh = SINDy().fit(record(noisy(clean, 0.02))).diagnostics["law"]
    np.testing.assert_array_equal(again.coefficients, fresh.coefficients)


def test_units_change_nothing_but_the_units(clean):
    x = noisy(clean, 0.02)
    plain = SINDy().fit(record(x)).diagnostics["law"]
    factor = np.array([1e-6, 1e4, 1.0])
    scaled = SINDy().fit(record(x * factor)).diagnostics["law"]
    np.testing.assert_array_equal(plain.support, scaled.support)
    k = plain.terms.index("x*y")
    expected = plain.coefficients[k, 2] / (factor[0] * factor[1])
    assert scaled.coefficients[k, 2] == pytest.approx(expected, rel=1e-4)


def test_intervals_cover():
    """A damped oscillator, 60 records: 95 % intervals hold 240 true values."""
    times = 0.1 * np.arange(120)
    truth = np.array([[0.0, 0.0], [-0.1, -2.0], [2.0, -0.1]])
    clean = orbit(lambda t, x: [-0.1 * x[0] + 2 * x[1], -2 * x[0] - 0.1 * x[1]], [1, 0], times)
    held = []
    for seed in range(60):
        data = Trajectory(
            times=times, states=noisy(clean, 0.1, seed), names=("x", "y"), time_unit="s"
        )
        every = tuple((t, e) for t in ("x", "y") for e in ("x", "y"))
        law = SINDy(library=Polynomials(1), known=every).fit(data).diagnostics["law"]
        for k, term in enumerate(law.terms[1:], start=1):
            for i, name in enumerate(law.names):
                low, high = law.coefficient(term, name).interval
                held.append(low <= truth[k, i] <= high)
    assert 0.90 <= np.mean(held) <= 0.985  # 95 %, give or take three standard errors of 240


def test_an_input_enters_as_a_term():
    times = 0.05 * np.arange(800)
    drive = np.cos(1.3 * times) + 0.5 * np.sin(0.4 * times)

    def rate(t, x):
        u = np.interp(t, times, drive)
        return [x[1], x[0] - x[0] ** 3 - 0.2 * x[1] + 0.7 * u]

    x = orbit(rate, [0.5, 0.0], times, max_step=0.05)
    data = Trajectory(times=times, states=noisy(x, 0.02), inputs=drive[:, None],
                      names=("x", "v"), input_names=("u",), time_unit="s")  # fmt: skip
    fit = SINDy(library=Polynomials(3)).fit(data)
    values = found(fit.diagnostics["law"])
    assert set(values) == {("v", "x"), ("x", "v"), ("x^3", "v"), ("v", "v"), ("u", "v")}
    assert values[("u", "v")] == pytest.approx(0.7, abs=0.03)


def test_terms_that_are_not_polynomials():
    times = 0.05 * np.arange(600)
    x = orbit(lambda t, x: [x[1], -np.sin(x[0]) - 0.05 * x[1]], [2.5, 0.0], times)
    data = Trajectory(times=times, states=noisy(x, 0.02), names=("a", "w"), time_unit="s")
    law = SINDy(library=Polynomials(1) + Fourier(1)).fit(data).diagnostics["law"]
    assert set(found(law)) == {("w", "a"), ("sin(a)", "w"), ("w", "w")}


def test_maps():
    h = [(0.1, 0.1)]
    for _ in range(400):
        h.append((1 - 1.4 * h[-1][0] ** 2 + h[-1][1], 0.3 * h[-1][0]))
    law = SparseMap().fit(noisy(np.array(h), 0.01)).diagnostics["law"]
    values = found(law)
    assert set(values) == {("1", "x0"), ("x1", "x0"), ("x0^2", "x0"), ("x0", "x1")}
    assert values[("x0^2", "x0")] == pytest.approx(-1.4, abs=0.02)
    halving = SparseMap(library=Polynomials(1)).fit(0.5 ** np.arange(20.0))
    assert float(halving.model.step(0, np.array([2.0]))[0]) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("settings", [SINDy(), SparseMap()])
@pytest.mark.parametrize("kind", ["white", "walk", "ar"])
def test_noise_has_no_law(settings, kind):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 2))
    if kind == "walk":
        x = x.cumsum(axis=0)
    if kind == "ar":
        for n in range(1, len(x)):
            x[n] += 0.8 * x[n - 1]
    fit = settings.fit(x)
    assert fit.status is Status.NO_LAW
    assert np.isnan(np.asarray(fit.model.coefficients)).all()
    assert any(f.level == "serious" for f in fit.cautions)


def test_a_missing_term_is_not_papered_over():
    """A pendulum, fitted with straight lines."""
    times = 0.05 * np.arange(600)
    x = orbit(lambda t, x: [x[1], -np.sin(x[0])], [2.8, 0.0], times)
    data = Trajectory(times=times, states=noisy(x, 0.01), names=("a", "w"), time_unit="s")
    fit = SINDy(library=Polynomials(1)).fit(data)
    assert fit.status is Status.NO_LAW
    assert {f.code for f in fit.cautions} & {"residuals-remember", "nothing-held"}


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_terms_that_a_conserved_quantity_ties_together_are_told_apart(share):
    """On one circle 1, x^2 and v^2 are dependent, and x, x^3 and x*v^2."""
    times = 0.05 * np.arange(600)
    x = np.stack([np.cos(times), -np.sin(times)], axis=1)
    data = Trajectory(times=times, states=noisy(x, share), names=("x", "v"), time_unit="s")
    law = SINDy(library=Polynomials(2)).fit(data).diagnostics["law"]
    assert set(found(law)) == {("v", "x"), ("x", "v")}


def test_excluded_terms_stay_out_and_known_ones_in(clean):
    law = (
        SINDy(excluded=(("x", "z"),), known=(("z", "x"),))
        .fit(record(noisy(clean, 0.02)))
        .diagnostics["law"]
    )
    assert ("z", "x") in found(law)
    assert ("x", "z") not in found(law)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones((100, 2)), "constant"),
        (np.arange(3.0), "No stretch"),
        (np.full((100, 1), np.nan), "No stretch|missing"),
        (1e60 * np.random.default_rng(0).normal(size=(100, 1)), "too large"),
    ],
)
def test_data_that_cannot_be_used_are_refused(data, message):
    with pytest.raises(InvalidInput, match=message):
        SINDy().fit(data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"known": (("q", "x"),)}, "one of the terms"),
        ({"excluded": (("x", "q"),)}, "one of the columns"),
    ],
)
def test_terms_that_do_not_exist_are_refused(clean, settings, message):
    with pytest.raises(InvalidInput, match=message):
        SINDy(**settings).fit(record(clean))


@pytest.mark.parametrize(
    "settings", [{"level": 1.0}, {"gamma": -1.0}, {"max_samples": 3}, {"level": np.nan}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InvalidInput, match="expected"):
        SINDy(**settings)


def test_a_map_wants_even_times():
    times = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, 100))
    data = Trajectory(times=times, states=np.sin(times)[:, None])
    with pytest.raises(InvalidInput, match="uneven"):
        SparseMap().fit(data)


def test_long_records_are_sampled_in_stretches(clean):
    fit = SINDy(max_samples=500).fit(record(noisy(clean, 0.02)))
    assert fit.diagnostics["law"].n_samples == 500
    assert "samples-capped" in {f.code for f in fit.cautions}


@pytest.mark.parametrize(
    "advance", [FlowAdvance(substeps=1), FlowAdvance(substeps=3), MapAdvance()]
)
def test_sensitivities_against_differences(advance):
    terms = Polynomials(2).over(("x", "y"), inputs=("u",))
    rng = np.random.default_rng(0)
    support = rng.random((len(terms), 2)) < 0.6
    field = SparseField(terms, support)
    w = 0.3 * rng.normal(size=field.n_parameters)
    x, u = rng.normal(size=(5, 2)), (rng.normal(size=(5, 1)), rng.normal(size=(5, 1)))
    t, h = np.zeros(5), np.full(5, 0.01)

    def moved(x, w):
        return advance(field, w, x, u, t, h, derivatives=False)[0]

    _, tangent, response = advance(field, w, x, u, t, h)
    small = 1e-6
    for j in range(2):
        shift = small * np.eye(2)[j]
        slope = (moved(x + shift, w) - moved(x - shift, w)) / (2 * small)
        np.testing.assert_allclose(tangent[:, :, j], slope, rtol=1e-6, atol=1e-8)
    for k in range(field.n_parameters):
        shift = small * np.eye(field.n_parameters)[k]
        slope = (moved(x, w + shift) - moved(x, w - shift)) / (2 * small)
        np.testing.assert_allclose(response[:, :, k], slope, rtol=1e-5, atol=1e-7)


def test_the_banded_problem_is_the_dense_one(clean):
    """Covariance of the defects, written out with whole matrices."""
    data = [record(noisy(clean[:12], 0.02)), record(noisy(clean[30:45], 0.02))]
    nodes = nodes_of(data)
    terms = Polynomials(2).over(nodes.names)
    support = np.zeros((len(terms), 3), dtype=bool)
    for term, equation in LORENZ:
        support[terms.names.index(term), "xyz".index(equation)] = True
    field = SparseField(terms, support)
    table = np.zeros(support.shape)
    for (term, equation), value in LORENZ.items():
        table[terms.names.index(term), "xyz".index(equation)] = value
    w = table.T[support.T]
    noise = Noise(measurement=np.array([0.1, 0.2, 0.3]), dynamical=np.array([0.5, 0.0, 0.1]))
    states = nodes.values + 0.1 * np.random.default_rng(0).normal(size=nodes.values.shape)
    linear = linearised(field, w, states, nodes, noise, FlowAdvance())
    moved, tangent, response = FlowAdvance()(
        field, w, states[:-1], (nodes.inputs[:-1], nodes.inputs[1:]), nodes.times[:-1], nodes.steps
    )
    links = np.flatnonzero(nodes.linked)
    jump = np.zeros((len(links) * 3, len(nodes) * 3))
    for row, n in enumerate(links):
        jump[3 * row : 3 * row + 3, 3 * n : 3 * n + 3] = -tangent[n]
        jump[3 * row : 3 * row + 3, 3 * n + 3 : 3 * n + 6] = np.eye(3)
    spread = np.tile(noise.measurement, len(nodes))
    dense = (jump * spread) @ jump.T + np.diag(np.tile(noise.dynamical * 0.01, len(links)))
    error = (nodes.values - states).reshape(-1)
    defect = (states[1:] - moved)[links].reshape(-1) + jump @ error
    columns = np.column_stack([defect, -response[links].reshape(len(links) * 3, -1)])
    expected = columns.T @ np.linalg.solve(dense, columns)
    np.testing.assert_allclose(linear.gram, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


def test_noise_is_measured_by_differences(clean):
    sd = np.sqrt(noise_variance(nodes_of(record(noisy(clean, 0.03)))))
    np.testing.assert_allclose(sd, 0.03 * clean.std(axis=0), rtol=0.1)
