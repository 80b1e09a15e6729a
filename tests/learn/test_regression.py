"""Sparse regression in every form: structure, intervals, breaks, inputs, units, refusal."""

import dataclasses
import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import InvalidInput, Recording, Status, Trajectory
from takens.dynamics import trajectory
from takens.learn import SparseRegression
from takens.learn.regression import (
    STLSQ,
    BestSubset,
    Differences,
    Ensemble,
    IntegralForm,
    SmoothingSpline,
    StepForm,
    StrongForm,
    WeakForm,
)
from takens.learn.regression.quadrature import interval_weights, sample_weights
from takens.learn.terms import Delays, Expressions, Fourier, Polynomials
from tests.learn.test_sindy import LORENZ, assert_lorenz, found, lorenz, noisy, orbit, record

FLOWS = [WeakForm(), StrongForm(), IntegralForm()]
NAME = {"ids": lambda form: type(form).__name__}


@pytest.fixture(scope="module")
def clean():
    return orbit(lorenz, [1.0, 3.0, 20.0], 0.01 * np.arange(3_000))[2_000:]


def law_of(data, **settings):
    return SparseRegression(**settings).fit(data).diagnostics["law"]


@pytest.mark.parametrize("form", FLOWS, **NAME)
def test_lorenz_from_a_noisy_record(clean, form):
    share = 0.05 if isinstance(form, WeakForm) else 0.01  # of the three the best at more noise
    fit = SparseRegression(form=form).fit(record(noisy(clean, share)))
    assert fit.status is Status.OK
    assert_lorenz(fit.diagnostics["law"], within=4.5)


def test_the_weak_form_is_right_to_many_digits_on_clean_data(clean):
    law = law_of(record(clean))
    assert set(found(law)) == set(LORENZ)
    for place, value in LORENZ.items():
        assert found(law)[place] == pytest.approx(value, rel=3e-5)


@pytest.mark.parametrize("form", FLOWS, **NAME)
def test_uneven_times_missing_rows_and_several_records(clean, form):
    rng = np.random.default_rng(1)
    x = noisy(clean, 0.01)
    x[rng.random(x.shape) < 0.02] = np.nan  # a tenth of the rows lose something
    x[500:560] = np.nan  # a long gap
    times = 0.01 * np.arange(len(x)) + 0.002 * rng.random(len(x))
    moved = orbit(lorenz, clean[0], np.r_[0.0, times[1:] - times[0]])
    y = np.where(np.isnan(x), np.nan, noisy(moved, 0.01, seed=4))
    data = [record(y[:450], times[:450]), record(y[450:], times[450:])]
    fit = SparseRegression(form=form).fit(data)
    assert "rows-incomplete" in {f.code for f in fit.cautions}
    assert_lorenz(fit.diagnostics["law"], within=6.0)


@pytest.mark.parametrize("form", [*FLOWS, StepForm()], **NAME)
def test_records_are_not_joined_and_their_order_is_nothing(clean, form):
    """Two orbits with a jump of the whole attractor between them."""
    first, second = record(noisy(clean[:400], 0.02)), record(noisy(clean[600:], 0.02))
    est = SparseRegression(form=form)
    one, two = (est.fit(data).diagnostics["law"] for data in ([first, second], [second, first]))
    np.testing.assert_allclose(one.coefficients, two.coefficients, rtol=1e-6, atol=1e-9)
    assert_lorenz(one, 6.0) if one.kind == "flow" else None
    joined = np.concatenate([first.states, second.states])
    glued = est.fit(record(joined)).diagnostics["law"]
    assert not np.allclose(
        np.nan_to_num(glued.coefficients), one.coefficients, rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("form", [*FLOWS, StepForm()], **NAME)
def test_fitting_again_is_fitting_afresh(clean, form):
    settings = SparseRegression(form=form, ensemble=Ensemble(n_models=5))
    settings.fit(record(noisy(clean, 0.05, seed=3)))
    again = settings.fit(record(noisy(clean, 0.02))).diagnostics["law"]
    fresh = dataclasses.replace(settings).fit(record(noisy(clean, 0.02))).diagnostics["law"]
    np.testing.assert_array_equal(again.coefficients, fresh.coefficients)
    np.testing.assert_array_equal(again.inclusion, fresh.inclusion)


@pytest.mark.parametrize("form", FLOWS, **NAME)
def test_units_change_nothing_but_the_units(clean, form):
    x = noisy(clean, 0.02)
    factor = np.array([1e-5, 1e4, 1.0])
    plain = law_of(record(x), form=form)
    scaled = law_of(record(x * factor), form=form)
    slow = law_of(record(x, 0.01 * 60 * np.arange(len(x))), form=form)
    np.testing.assert_array_equal(plain.support, scaled.support)
    k = plain.terms.index("x*y")
    expected = plain.coefficients[k, 2] / (factor[0] * factor[1])
    assert scaled.coefficients[k, 2] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(60 * slow.coefficients, plain.coefficients, rtol=1e-5, atol=1e-9)


def test_halving_is_learned_as_halving():
    """One step from 2 is 1, not 2 and not one half."""
    fit = SparseRegression(library=Polynomials(1), form=StepForm()).fit(0.5 ** np.arange(20.0))
    assert float(fit.model.step(0, jnp.array([2.0]))[0]) == pytest.approx(1.0, abs=1e-9)
    assert found(fit.diagnostics["law"]) == {("x", "x"): pytest.approx(0.5)}


def test_what_is_printed_is_what_is_simulated(clean):
    fit = SparseRegression().fit(record(noisy(clean, 0.02)))
    law, model = fit.diagnostics["law"], fit.model
    np.testing.assert_array_equal(np.asarray(model.coefficients), law.coefficients)
    names = Expressions(*[line.split(" = ")[1] for line in model.equations(17)]).over(
        ("x", "y", "z")
    )
    x = np.array([1.0, 2.0, 30.0])
    rates = np.asarray(model.vector_field(0.0, jnp.asarray(x)))
    assert len(names) >= 3
    printed = [eval(line.split(" = ")[1].replace("^", "**"), dict(zip("xyz", x, strict=True)))
               for line in model.equations(17)]  # fmt: skip
    np.testing.assert_allclose(printed, rates, rtol=1e-12)
    path = trajectory(model, x, 0.01 * np.arange(20)).states
    expected = orbit(lambda t, x: law.coefficients.T @ model.terms(x), x, 0.01 * np.arange(20))
    np.testing.assert_allclose(path, expected, rtol=1e-6)


@pytest.mark.parametrize("form", FLOWS, **NAME)
def test_an_input_enters_as_a_term(form):
    times = 0.05 * np.arange(800)
    drive = np.cos(1.3 * times) + 0.5 * np.sin(0.4 * times)

    def rate(t, x):
        u = np.cos(1.3 * t) + 0.5 * np.sin(0.4 * t)
        return [x[1], x[0] - x[0] ** 3 - 0.2 * x[1] + 0.7 * u]

    x = orbit(rate, [0.5, 0.0], times, max_step=0.05)
    data = Trajectory(times=times, states=noisy(x, 0.01), inputs=drive[:, None],
                      names=("x", "v"), input_names=("u",), time_unit="s")  # fmt: skip
    values = found(law_of(data, library=Polynomials(3), form=form))
    right = {("v", "x"), ("x", "v"), ("x^3", "v"), ("v", "v"), ("u", "v")}
    assert right <= set(values) if isinstance(form, StrongForm) else right == set(values)
    assert values[("u", "v")] == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("form", FLOWS, **NAME)
def test_terms_that_are_not_polynomials(form):
    times = 0.05 * np.arange(600)
    x = orbit(lambda t, x: [x[1], -np.sin(x[0]) - 0.05 * x[1]], [2.5, 0.0], times)
    data = Trajectory(times=times, states=noisy(x, 0.01), names=("a", "w"), time_unit="s")
    law = law_of(data, library=Polynomials(1) + Fourier(1), form=form)
    assert {("w", "a"), ("sin(a)", "w")} <= set(found(law))


def test_a_short_record_suits_the_integral_form():
    times = 0.1 * np.arange(30)
    x = orbit(lambda t, x: [-0.3 * x[0] + 2 * x[1], -2 * x[0] - 0.3 * x[1]], [1, 0], times)
    data = Trajectory(times=times, states=noisy(x, 0.02), names=("x", "y"), time_unit="s")
    law = law_of(data, library=Polynomials(1), form=IntegralForm())
    truth = {("x", "x"): -0.3, ("y", "x"): 2.0, ("x", "y"): -2.0, ("y", "y"): -0.3}
    assert set(truth) <= set(found(law))
    for (term, equation), value in truth.items():
        estimate = law.coefficient(term, equation)
        assert abs(estimate.value - value) < 4.5 * estimate.standard_error


@pytest.mark.parametrize("form", [WeakForm(), IntegralForm()], **NAME)
def test_intervals_cover(form):
    """A damped oscillator, 40 records: 95 % intervals hold 160 true values."""
    times = 0.1 * np.arange(200)
    truth = np.array([[0.0, 0.0], [-0.1, -2.0], [2.0, -0.1]])
    x = orbit(lambda t, x: [-0.1 * x[0] + 2 * x[1], -2 * x[0] - 0.1 * x[1]], [1, 0], times)
    held = []
    for seed in range(40):
        data = Trajectory(times=times, states=noisy(x, 0.1, seed), names=("x", "y"))
        law = law_of(data, library=Polynomials(1, constant=False), form=form)
        for k, term in enumerate(law.terms):
            for i, name in enumerate(law.names):
                low, high = law.coefficient(term, name).interval
                held.append(low <= truth[k + 1, i] <= high)
    assert 0.898 <= np.mean(held) <= 0.995  # 95 %, give or take three standard errors of 160


@pytest.mark.parametrize("form", FLOWS, **NAME)
@pytest.mark.parametrize("kind", ["white", "walk", "ar"])
def test_noise_has_no_law(form, kind):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 2))
    if kind == "walk":
        x = x.cumsum(axis=0)
    if kind == "ar":
        for n in range(1, len(x)):
            x[n] += 0.8 * x[n - 1]
    fit = SparseRegression(form=form).fit(x)
    assert fit.status is Status.NO_LAW
    assert np.isnan(np.asarray(fit.model.coefficients)).all()
    assert any(f.level == "serious" for f in fit.cautions)


@pytest.mark.parametrize("form", FLOWS, **NAME)
def test_a_missing_term_is_not_papered_over(form):
    """A pendulum, fitted with straight lines."""
    times = 0.05 * np.arange(600)
    x = orbit(lambda t, x: [x[1], -np.sin(x[0])], [2.8, 0.0], times)
    data = Trajectory(times=times, states=noisy(x, 0.01), names=("a", "w"), time_unit="s")
    fit = SparseRegression(library=Polynomials(1), form=form).fit(data)
    assert fit.status is Status.NO_LAW
    assert "residuals-too-large" in {f.code for f in fit.cautions}


def test_collinear_terms_are_named_and_the_simple_ones_preferred():
    """On one circle the square of one column is one minus that of the other."""
    times = 0.05 * np.arange(600)
    x = np.stack([np.cos(times), -np.sin(times)], axis=1)
    data = Trajectory(times=times, states=x, names=("x", "v"), time_unit="s")
    fit = SparseRegression(form=StrongForm(Differences())).fit(data)
    caution = next(f for f in fit.cautions if f.code == "collinear-terms")
    assert "v^2" in caution.text
    assert {("v", "x"), ("x", "v")} <= set(found(fit.diagnostics["law"]))


def test_maps_of_several_columns_with_a_gap():
    h = [(0.1, 0.1)]
    for _ in range(400):
        h.append((1 - 1.4 * h[-1][0] ** 2 + h[-1][1], 0.3 * h[-1][0]))
    x = np.array(h)
    x[200:203] = np.nan
    fit = SparseRegression(form=StepForm()).fit(x)
    values = found(fit.diagnostics["law"])
    assert values == {
        ("1", "x0"): pytest.approx(1.0),
        ("x1", "x0"): pytest.approx(1.0),
        ("x0^2", "x0"): pytest.approx(-1.4),
        ("x0", "x1"): pytest.approx(0.3),
    }
    assert "successors-missing" in {f.code for f in fit.cautions}


def test_an_ensemble_knows_how_often_terms_stand(clean):
    fit = SparseRegression(ensemble=Ensemble(n_models=40)).fit(record(noisy(clean, 0.05)), seed=1)
    law = fit.diagnostics["law"]
    assert set(found(law)) == set(LORENZ)
    assert (law.inclusion[law.support] >= 0.5).all()
    assert law.inclusion[~law.support].max() < 0.5
    assert np.asarray(fit.diagnostics["ensemble"].coefficients).shape == (40, 10, 3)
    for (term, equation), value in LORENZ.items():
        low, high = law.coefficient(term, equation).interval
        assert low < high
        assert abs(value - (low + high) / 2) < 1.5 * (high - low)
    same = SparseRegression(ensemble=Ensemble(n_models=40)).fit(record(noisy(clean, 0.05)), seed=1)
    np.testing.assert_array_equal(law.lower, same.diagnostics["law"].lower)


def test_members_are_the_regressions_of_their_blocks(clean):
    """A bootstrap draw is the regression on the rows of its blocks, repeated."""
    from takens.learn.regression.constraints import Bounds
    from takens.learn.regression.problem import Problem
    from takens.learn.regression.samples import samples_of

    nodes, _ = samples_of(record(clean))
    rows = StrongForm(Differences()).on(nodes)
    terms = Polynomials(2).over(nodes.names)
    equations = rows.equations(terms, None, 10)
    weights = np.array([0, 2, 1, 1, 1, 3, 0, 1, 0, 1.0])
    problem = Problem(equations=equations, bounds=Bounds.none(len(terms) * 3))
    table = problem.refitted(np.ones((len(terms), 3), dtype=bool), weights)
    kept = np.flatnonzero(rows.kept)
    edges = np.linspace(0, len(kept), 11).astype(int)
    picked = np.concatenate([kept[a:b] for a, b, n in zip(edges[:-1], edges[1:], weights, strict=True)
                             for _ in range(int(n))])  # fmt: skip
    expected = np.linalg.lstsq(terms(clean[picked]), rows.left[picked], rcond=None)[0]
    np.testing.assert_allclose(table, expected, rtol=1e-5, atol=1e-6)


def test_a_long_record_is_never_held_as_features():
    """A million rows of 56 terms would take 450 MB."""
    t = 0.01 * np.arange(1_000_000)
    x = np.stack([np.sin(t), np.cos(1.3 * t), np.sin(0.7 * t + 1)], axis=1)
    data = Recording(records=(Trajectory(times=t, states=x),))
    settings = SparseRegression(
        library=Polynomials(5), form=StrongForm(Differences()), selector=STLSQ(0.1)
    )
    tracemalloc.start()
    settings.fit(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * x.nbytes  # some copies of the data, 24 MB each


def test_smoothing_splines_find_slopes():
    rng = np.random.default_rng(0)
    t = np.sort(rng.uniform(0, 10, 400))
    y = np.sin(t)[:, None] + 0.05 * rng.normal(size=(400, 1))
    values, slopes, edge = SmoothingSpline().read(t, y)
    inside = slice(edge, -edge)
    assert np.abs(values - np.sin(t)[:, None])[inside].std() < 0.02
    assert np.abs(slopes - np.cos(t)[:, None])[inside].std() < 0.1


def test_differences_are_of_fourth_order():
    def error(n):
        t = np.linspace(0, 1, n) ** 1.3 + np.linspace(0, 1, n)
        _, slopes, edge = Differences().read(t, np.sin(3 * t)[:, None])
        return np.abs(slopes[edge:-edge, 0] - 3 * np.cos(3 * t[edge:-edge])).max()

    assert 12 < error(100) / error(199) < 24
    t = np.linspace(0, 1, 50)
    slopes = Differences().read(t, t[:, None] ** 4)[1]
    np.testing.assert_allclose(slopes[2:-2, 0], 4 * t[2:-2] ** 3, atol=1e-10)


def test_integrals_are_exact_for_polynomials():
    t = np.cumsum(np.random.default_rng(0).uniform(0.9, 1.1, 30))
    first, weights, rougher = interval_weights(t)
    places = first[:, None] + np.arange(6)
    np.testing.assert_allclose((weights * t[places] ** 5).sum(axis=1), np.diff(t**6) / 6, rtol=1e-9)
    np.testing.assert_allclose((rougher * t[places] ** 3).sum(axis=1), np.diff(t**4) / 4, rtol=1e-9)
    assert sample_weights(t)[0] @ t**5 == pytest.approx((t[-1] ** 6 - t[0] ** 6) / 6, rel=1e-9)


def test_integrals_do_not_magnify_noise_where_times_cluster():
    t = np.sort(np.random.default_rng(0).uniform(0, 20, 400))
    first, weights, rougher = interval_weights(t)
    assert (np.abs(weights).sum(axis=1) <= 2.5 * np.diff(t) * (1 + 1e-12)).all()
    places = first[:, None] + np.arange(6)
    truth = np.sin(t[1:]) - np.sin(t[:-1])
    error = np.abs((weights * np.cos(t)[places]).sum(axis=1) - truth)
    told = np.abs(((weights - rougher) * np.cos(t)[places]).sum(axis=1))
    assert (error <= np.diff(t) ** 3 / 12 + 1e-12).all()  # no worse than trapezoids
    assert np.median(error) < 1e-8
    assert np.mean(error <= told) > 0.9


@pytest.mark.parametrize("form", [WeakForm(), IntegralForm()], **NAME)
def test_intervals_cover_at_random_times(form):
    """A circle seen at 400 random times, 20 records: scores have a deviation of one."""
    scores = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        t = np.sort(rng.uniform(0, 20, 400))
        x = np.stack([np.cos(t), -np.sin(t)], axis=1) + 0.05 * rng.normal(size=(400, 2))
        law = law_of(
            Trajectory(times=t, states=x), library=Polynomials(1, constant=False), form=form
        )
        scores += [(law.coefficients[1, 0] - 1) / law.standard_errors[1, 0]]
        scores += [(law.coefficients[0, 1] + 1) / law.standard_errors[0, 1]]
    assert 0.6 < np.std(scores) < 1.5
    assert abs(np.mean(scores)) < 0.6


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones((100, 2)), "constant"),
        (np.arange(3.0), "No stretch"),
        (np.full((100, 1), np.nan), "No stretch|missing"),
        (1e60 * np.random.default_rng(0).normal(size=(100, 1)), "too large"),
        (np.array([["a", "b"]] * 30), "type|numbers"),
        (np.ones((1, 2)), "two rows|No stretch"),
    ],
)
def test_data_that_cannot_be_used_are_refused(data, message):
    with pytest.raises(InvalidInput, match=message):
        SparseRegression().fit(data)


def test_noise_that_could_not_be_taken_off_is_told(clean):
    fit = SparseRegression(library=Polynomials(7)).fit(record(noisy(clean[:150], 0.02)))
    assert "noise-left-in" in {f.code for f in fit.cautions}


def test_terms_without_a_value_are_refused():
    x = np.cos(np.arange(100.0))[:, None]
    with pytest.raises(InvalidInput, match=r"log\(x\) has no finite value"):
        SparseRegression(library=Expressions("log(x)", "x")).fit(x)
    with pytest.raises(InvalidInput, match="no finite value"):
        SparseRegression(library=Expressions("exp(x)", "x"), form=StepForm()).fit(1e4 * x)


def test_columns_that_are_never_seen_together_are_refused():
    x = np.random.default_rng(0).normal(size=(100, 2))
    x[::2, 0], x[1::2, 1] = np.nan, np.nan
    with pytest.raises(InvalidInput, match="SINDy"):
        SparseRegression().fit(x)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": 1.0}, "level"),
        ({"form": "weak"}, "form"),
        ({"selector": STLSQ}, "selector"),
        ({"library": 2}, "library"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        SparseRegression(**settings)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (STLSQ, {"threshold": -1.0}),
        (STLSQ, {"ridge": np.nan}),
        (BestSubset, {"max_nodes": 0}),
        (Ensemble, {"n_models": 1}),
        (Ensemble, {"include": 0.0}),
        (WeakForm, {"half_width": -1.0}),
    ],
)
def test_parts_out_of_range_are_refused(kind, settings):
    with pytest.raises(InvalidInput, match="expected"):
        kind(**settings)


def test_wrong_questions_of_the_data_are_refused(clean):
    with pytest.raises(InvalidInput, match="delayed"):
        SparseRegression(library=Delays(1)).fit(record(clean))
    with pytest.raises(InvalidInput, match="IntegralForm"):
        SparseRegression(form=WeakForm(half_width=50.0)).fit(record(clean))
    with pytest.raises(InvalidInput, match="four"):
        SparseRegression(form=StrongForm(), ensemble=Ensemble(n_models=5)).fit(record(clean[:60]))
