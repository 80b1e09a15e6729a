import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import InvalidInput, Recording, Status, Trajectory, WrongKind
from takens.core.integrators import CLASSICAL, RungeKutta
from takens.learn import known
from takens.learn.partly import (
    GaussianProcess,
    Ladder,
    MissingTerms,
    Network,
    Nothing,
    profile_likelihood,
)
from takens.learn.partly.estimator import posed
from takens.learn.partly.field import HeldField, PartlyKnownField
from takens.learn.partly.problem import Orbit, correlation, excess
from takens.learn.partly.structure import Conserving, Dissipative, Free, Hamiltonian, Positive
from takens.learn.terms import Expressions, Inputs, Polynomials
from takens.systems import HenonMap, LotkaVolterra

TIMES = 0.1 * np.arange(31)
RATES = "dx/dt = a*x - b*x*y; dy/dt = c*x*y - d*y"


def lotka_volterra(t, x):
    return [1.3 * x[0] - 0.9 * x[0] * x[1], 0.8 * x[0] * x[1] - 1.8 * x[1]]


def orbit(rate, start, times, **settings):
    tight = {"rtol": 1e-10, "atol": 1e-11} | settings
    return solve_ivp(rate, (times[0], times[-1]), start, t_eval=times, **tight).y.T


CLEAN = orbit(lotka_volterra, (0.44249296, 4.6280594), TIMES)


def record(share, seed, clean=CLEAN, times=TIMES, names=("x", "y"), **more):
    noise = np.random.default_rng(seed).normal(size=clean.shape)
    states = clean + share * np.abs(clean).mean(axis=0) * noise
    return Trajectory(times=times, states=states, names=names, **more)


def law_of(estimator, data):
    return estimator.fit(data).diagnostics["law"]


@pytest.mark.parametrize("share", [0.001, 0.01])
def test_unknown_interaction_is_found(share):
    half = known("dx/dt = 1.3*x; dy/dt = -1.8*y") + MissingTerms()
    law = law_of(half, record(share, 1))
    assert law.labels == ("x*y in dx/dt", "x*y in dy/dt")
    for label, truth in (("x*y in dx/dt", -0.9), ("x*y in dy/dt", 0.8)):
        assert abs(law.number(label).value - truth) < 5 * law.number(label).standard_error
    assert law.number("y^2 in dx/dt").value == 0


def test_free_parameters_beside_missing_terms():
    law = law_of(known("dx/dt = a*x; dy/dt = -d*y") + MissingTerms(), record(0.002, 3))
    assert law.labels == ("x*y in dx/dt", "x*y in dy/dt")
    low, high = law.parameter("a").interval
    assert low < 1.3 < high
    notes = [f for f in law.cautions if f.code == "imitated"]
    assert notes
    assert "x in dx/dt, y in dy/dt" in notes[0].text


def test_one_law_from_strings_a_function_and_a_system():
    data = record(0.005, 2)
    by_text = law_of(known(RATES) + Nothing(), data)
    function = lambda t, x, p: [p.a * x[0] - p.b * x[0] * x[1], p.c * x[0] * x[1] - p.d * x[1]]
    by_function = law_of(known(function, free=("a", "b", "c", "d")) + Nothing(), data)
    by_system = law_of(known(LotkaVolterra()) + Nothing(), data)
    order = [by_system.parameters.index(n) for n in ("growth", "predation", "conversion", "death")]
    for law, places in ((by_function, range(4)), (by_system, order)):
        assert np.allclose(law.values[list(places)], by_text.values, rtol=1e-6)
        assert np.allclose(law.standard_errors[list(places)], by_text.standard_errors, rtol=1e-4)


def test_a_system_is_matched_to_columns_by_name():
    data = record(0.005, 2)
    turned = Trajectory(times=data.times, states=data.states[:, ::-1], names=("predator", "prey"))
    law = law_of(known(LotkaVolterra(), free=("growth",),
                       fixed={"predation": 0.9, "conversion": 0.8, "death": 1.8}) + Nothing(), turned)  # fmt: skip
    assert abs(law.parameter("growth").value - 1.3) < 0.02


def test_what_is_printed_is_what_is_predicted_and_simulated():
    flow = (known("dx/dt = a*x; dy/dt = -d*y/(1 + 0.01*y)") + MissingTerms()).fit(
        record(0.005, 5)
    ).model  # fmt: skip
    points = np.random.default_rng(0).uniform(0.2, 3, size=(7, 2))
    read = known("; ".join(flow.equations(17))).over(("x", "y"))
    none = np.empty((7, 0))
    printed, _ = read.rates(points, none, np.zeros(7), np.empty(0))
    terms = flow.as_terms()
    for x, rate in zip(points, printed, strict=True):
        assert np.allclose(flow.vector_field(0.0, jnp.array(x)), rate, rtol=1e-12)
        assert np.allclose(terms.vector_field(0.0, jnp.array(x)), rate, rtol=1e-12)
    other = flow.with_values(a=0.0)
    assert float(other.vector_field(0.0, jnp.array([1.0, 0.0]))[0]) == pytest.approx(
        float(flow.vector_field(0.0, jnp.array([1.0, 0.0]))[0] - flow.parameters[0])
    )
    with pytest.raises(InvalidInput, match="'q' is no parameter"):
        flow.with_values(q=1.0)


def test_a_function_is_no_sum_of_terms():
    half = known(lambda t, x, p: [-p.k * x[0]], free=("k",)) + Nothing()
    flow = half.fit(np.exp(-0.2 * np.arange(30.0))).model
    assert "k=0.2" in flow.equations()[0]
    with pytest.raises(WrongKind, match="written down"):
        flow.as_terms()


def test_the_orbit_of_the_model_follows_the_data():
    from takens.dynamics import trajectory

    data = record(0.005, 2)
    fit = (known(RATES) + Nothing()).fit(data)
    found = trajectory(fit.model, CLEAN[0], TIMES, integrator=RungeKutta(0.1))
    assert np.abs(found.states - CLEAN).max() < 0.05


def test_a_product_of_parameters_is_not_identifiable():
    half = known("dx/dt = a*x - b*e*x*y; dy/dt = c*x*y - d*y") + Nothing()
    fit = half.fit(record(0.005, 2))
    law = fit.diagnostics["law"]
    assert fit.status is Status.NOT_IDENTIFIABLE
    assert np.isnan(law.parameter("b").value)
    assert np.isnan(law.parameter("e").value)
    assert np.isfinite(law.parameter("a").interval).all()
    assert "b^0.71 * e^-0.71" in law.identifiability.direction(4)
    product = float(fit.model.parameters[1] * fit.model.parameters[2])
    assert product == pytest.approx(0.9, rel=0.02)
    profile = profile_likelihood(record(0.005, 2), half, "b")
    assert profile.status is Status.NOT_IDENTIFIABLE
    assert profile.estimate.interval[1] == np.inf


def test_what_is_never_seen_is_not_identifiable():
    law = law_of(known("dx/dt = -k*x + q*0*x + r*sin(0*x)") + Nothing(), DECAY)
    assert law.parameters == ("k",)  # what vanishes in the equations is no parameter
    function = lambda t, x, p: [-p.k * x[0] + 0.0 * p.q]
    law = law_of(known(function, free=("k", "q")) + Nothing(), DECAY)
    assert law.status is Status.NOT_IDENTIFIABLE
    assert law.identifiability.identified.tolist() == [True, False]


DECAY = np.exp(-0.1 * np.arange(60.0)) + 0.005 * np.random.default_rng(4).normal(size=60)


def test_profile_agrees_with_curvature_where_the_misfit_is_quadratic():
    half = known("dx/dt = -k*x") + Nothing()
    low, high = law_of(half, DECAY).parameter("k").interval
    profile = profile_likelihood(DECAY, half, "k")
    assert profile.status is Status.OK
    assert profile.estimate.interval == pytest.approx((low, high), rel=0.01)
    with pytest.raises(InvalidInput, match="'q' is no free parameter"):
        profile_likelihood(DECAY, half, "q")


def test_a_parameter_that_the_missing_terms_imitate_is_flagged():
    times = 0.05 * np.arange(80)
    rate = lambda t, x: [-0.5 * x[0] + 0.2 * x[0] ** 2 - 0.1 * x[0] ** 3]
    data = record(0.002, 0, orbit(rate, [1.5], times), times, ("x",))
    library = Expressions("x^2", "x^3")
    law = law_of(known("dx/dt = -k*x") + MissingTerms(library), data)
    assert law.labels
    assert law.identifiability.absorbed[0] > 0.9
    assert "confounded" in [f.code for f in law.cautions]


def test_intervals_cover():
    hits = 0
    for seed in range(60):
        noise = 0.02 * np.random.default_rng(seed).normal(size=40)
        data = np.exp(-0.1 * np.arange(40.0)) + noise
        low, high = law_of(known("dx/dt = -k*x") + Nothing(), data).parameter("k").interval
        hits += low < 0.1 < high
    assert hits >= 51  # fewer happen once in two hundred times at 95 %


def test_gaps_uneven_times_and_several_records():
    rng = np.random.default_rng(0)
    records = []
    for start in ((0.5, 2.0), (2.0, 1.0), (1.0, 0.5)):
        times = np.sort(rng.uniform(0, 4, size=40))
        states = orbit(lotka_volterra, start, np.r_[0.0, times])[1:]
        states = states + 0.01 * rng.normal(size=states.shape)
        states[rng.random(states.shape) < 0.2] = np.nan
        records.append(Trajectory(times=times, states=states, names=("x", "y")))
    law = law_of(known(RATES) + Nothing(), Recording(records=tuple(records)))
    errors = (law.values - [1.3, 0.9, 0.8, 1.8]) / law.standard_errors
    assert np.abs(errors).max() < 4
    assert law.standard_errors.max() < 0.02


def test_inputs_enter_known_and_missing_parts():
    times = 0.1 * np.arange(120)
    push = np.sin(0.7 * times)
    rate = lambda t, x: [x[1], -4 * np.sin(x[0]) - 0.3 * x[1] + 1.5 * np.sin(0.7 * t)]
    data = record(0.005, 0, orbit(rate, [0.5, 0.0], times), times, ("q", "v"),
                  inputs=push[:, None], input_names=("u",))  # fmt: skip
    law = law_of(known("dq/dt = v; dv/dt = -g*sin(q) - r*v + f*u") + Nothing(), data)
    assert np.allclose(law.values, [1.5, 4.0, 0.3], atol=0.02) or law.parameters != ("f", "g", "r")
    truth = {"g": 4.0, "r": 0.3, "f": 1.5}
    for name in law.parameters:
        assert abs(law.parameter(name).value - truth[name]) < 0.03
    library = Polynomials(1, constant=False) + Inputs()
    lacking = MissingTerms(library, structure=Free(("v",)))
    law = law_of(known("dq/dt = v; dv/dt = -g*sin(q)") + lacking, data)
    assert law.labels == ("v in dv/dt", "u in dv/dt")
    function = lambda t, x, p, u: [x[1], -p.g * jnp.sin(x[0]) - 0.3 * x[1] + p.f * u[0]]
    law = law_of(known(function, free=("g", "f")) + Nothing(), data)
    assert np.allclose(law.values, [4.0, 1.5], atol=0.03)


def test_a_parameter_that_is_not_linear_needs_no_guess():
    times = 0.1 * np.arange(60)
    rate = lambda t, s: [-2.0 * s[0] / (0.5 + s[0])]
    data = record(0.005, 1, orbit(rate, [5.0], times), times, ("s",))
    law = law_of(known("ds/dt = -v*s/(k + s)") + Nothing(), data)
    for name, truth in (("v", 2.0), ("k", 0.5)):
        low, high = law.parameter(name).interval
        assert low < truth < high


def test_a_wrong_known_part_is_no_noise():
    data = record(0.005, 2)
    law = law_of(known(RATES, fixed={"a": 1.5}) + Nothing(), data)
    assert law.whiteness < 1e-6
    assert "residuals-remember" in [f.code for f in law.cautions]
    right = law_of(known(RATES) + Nothing(), data)
    assert right.whiteness > 0.01
    assert not [f for f in right.cautions if f.level == "serious"]


def test_noise_of_a_million_times_the_known_part_has_no_law():
    data = np.random.default_rng(0).normal(size=100)
    fit = (known("dx/dt = -a*x") + MissingTerms()).fit(data)
    assert fit.status is Status.NO_LAW or "nothing-held" in [f.code for f in fit.cautions]
    if fit.status is Status.NO_LAW:
        assert np.isnan(np.asarray(fit.model.vector_field(0.0, jnp.ones(1)))).all()


@pytest.mark.parametrize("traced", [False, True])
def test_derivatives_of_a_half_known_field(traced):
    part = known("dx/dt = a*x - sin(b*y)*u + t; dy/dt = x/(b + x^2)").over(("x", "y"), ("u",))
    if traced:
        function = lambda t, x, p, u: [
            p.a * x[0] - jnp.sin(p.b * x[1]) * u[0] + t, x[0] / (p.b + x[0] ** 2)
        ]  # fmt: skip
        part = known(function, free=("a", "b")).over(("x", "y"), ("u",))
    pool = Hamiltonian((("x", "y"),)).candidates(Polynomials(3), ("x", "y"), ())
    field = PartlyKnownField(part, pool.terms, pool.tables)
    rng = np.random.default_rng(0)
    x, u, t = rng.uniform(0.5, 1, (4, 2)), rng.normal(size=(4, 1)), rng.normal(size=4)
    w = rng.uniform(0.5, 1, field.n_parameters)
    carry = rng.normal(size=(4, 2, 2))
    _, slopes = field.rates(x, u, t, w)
    response = field.response(carry, x, u, t, w)
    for j in range(2):
        h = 1e-6 * np.eye(2)[j]
        change = (field.rates(x + h, u, t, w)[0] - field.rates(x - h, u, t, w)[0]) / 2e-6
        assert np.allclose(slopes[:, :, j], change, atol=1e-8)
    for k in range(field.n_parameters):
        h = 1e-6 * np.eye(field.n_parameters)[k]
        change = (field.rates(x, u, t, w + h)[0] - field.rates(x, u, t, w - h)[0]) / 2e-6
        assert np.allclose(response[:, :, k], np.einsum("nij,nj->ni", carry, change), atol=1e-8)
    held = HeldField(field, 1, float(w[1]))
    assert np.allclose(held.response(carry, x, u, t, np.delete(w, 1)),
                       np.delete(response, 1, axis=2))  # fmt: skip


def test_a_prior_pulls_towards_zero():
    from takens.learn.sparse.fields import FlowAdvance
    from takens.learn.sparse.shooting import shoot

    problem, _ = posed(known("dx/dt = -k*x") + Nothing(), DECAY, 0)
    part = problem.part
    free = shoot(PartlyKnownField(part), np.array([0.1]), problem.states, problem.nodes,
                 problem.noise, FlowAdvance())  # fmt: skip
    information = float(free.linear.information[0, 0])
    held = shoot(
        PartlyKnownField(part, precision=np.array([information / 100])), np.array([0.1]),
        problem.states, problem.nodes, problem.noise, FlowAdvance(),
    )  # fmt: skip
    assert held.parameters[0] == pytest.approx(free.parameters[0] / 1.01, rel=2e-3)
    assert held.linear.information[0, 0] == pytest.approx(1.01 * information, rel=0.05)


def test_without_parameters_the_orbit_still_settles():
    law = law_of(known("dx/dt = -0.1*x") + Nothing(), DECAY)
    assert law.parameters == ()
    assert law.measurement_noise[0] == pytest.approx(0.005, rel=0.3)
    assert law.whiteness > 0.01


def test_whiteness_has_its_size():
    problem, _ = posed(known("dx/dt = -0.1*x") + Nothing(), DECAY, 0)
    good = (known("dx/dt = -0.1*x") + Nothing()).unknown.rung(problem).orbit
    rng = np.random.default_rng(0)
    import dataclasses

    found = []
    for _ in range(300):
        nodes = dataclasses.replace(
            problem.nodes, values=good.shot.states + 0.005 * rng.normal(size=(60, 1))
        )
        found.append(
            correlation(nodes, Orbit(shot=good.shot, noise=good.noise, advance=good.advance))
        )
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.1


STATES = ("x", "y", "z")


def rates_of(pool, numbers, x):
    return pool.terms(x) @ np.tensordot(numbers, pool.tables, axes=1)


def test_guarantees_of_structures():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(50, 3))
    library = Polynomials(2)
    pool = Conserving("x^2*y + z^2").candidates(library, STATES, ())
    gradient = np.stack([2 * x[:, 0] * x[:, 1], x[:, 0] ** 2, 2 * x[:, 2]], axis=1)
    change = (rates_of(pool, rng.normal(size=len(pool)), x) * gradient).sum(axis=1)
    assert np.abs(change).max() < 1e-12
    pool = Dissipative("x^2/2 + y^4 + z^2/2").candidates(library, STATES, ())
    assert not pool.signed
    gradient = np.stack([x[:, 0], 4 * x[:, 1] ** 3, x[:, 2]], axis=1)
    change = (rates_of(pool, rng.uniform(size=len(pool)), x) * gradient).sum(axis=1)
    assert change.max() < 0
    pool = Positive(("x", "z")).candidates(library, STATES, ())
    x[:, 0] = 0
    rates = rates_of(pool, rng.normal(size=len(pool)), x)
    assert np.abs(rates[:, 0]).max() == 0
    assert np.abs(rates[:, 1]).max() > 0.1
    pool = Hamiltonian((("x", "y"),)).candidates(library, ("x", "y"), ())
    numbers = rng.normal(size=len(pool))
    h = 1e-6
    points = rng.normal(size=(20, 2))
    divergence = sum(
        (rates_of(pool, numbers, points + h * e) - rates_of(pool, numbers, points - h * e)) @ e
        for e in np.eye(2)
    ) / (2 * h)
    assert np.abs(divergence).max() < 1e-8


def test_a_missing_hamiltonian_is_found():
    times = 0.1 * np.arange(150)
    data = record(0.01, 0, orbit(lambda t, x: [x[1], x[0] - x[0] ** 3], [1.2, 0.3], times),
                  times, ("q", "p"))  # fmt: skip
    half = known("dq/dt = 0*p") + MissingTerms(Polynomials(4), Hamiltonian((("q", "p"),)))
    law = law_of(half, data)
    assert law.labels == ("q^2 in H", "p^2 in H", "q^4 in H")
    assert np.allclose(law.numbers, [-0.5, 0.5, 0.25], atol=0.02)


def test_losses_cannot_become_gains():
    times = 0.1 * np.arange(100)
    rate = lambda t, x: [x[1], -x[0] - 0.2 * x[1] ** 3]
    data = record(0.01, 0, orbit(rate, [2.0, 0.0], times), times, ("q", "v"))
    lossy = MissingTerms(Polynomials(1), Dissipative("v^2/2", equations=("v",)))
    law = law_of(known("dq/dt = v; dv/dt = -k*q") + lossy, data)
    assert law.labels == ("loss v^2 in dv/dt",)
    assert law.numbers[0] == pytest.approx(0.2, rel=0.1)
    gaining = orbit(lambda t, x: [x[1], -x[0] + 0.1 * x[1]], [0.5, 0.0], times)
    law = law_of(known("dq/dt = v; dv/dt = -k*q") + lossy,
                 record(0.01, 0, gaining, times, ("q", "v")))  # fmt: skip
    assert law.labels == ()
    assert law.whiteness < 0.01


def test_a_conserved_quantity_joins_equations():
    half = known("dx/dt = a*x; dy/dt = 0") + MissingTerms(Polynomials(2), Conserving("x + y"))
    times = 0.1 * np.arange(80)
    rate = lambda t, x: [0.2 * x[0] - x[0] * x[1], x[0] * x[1]]
    law = law_of(half, record(0.005, 0, orbit(rate, [1.0, 0.1], times), times))
    assert law.labels == ("x*y between x and y",)
    assert law.numbers[0] == pytest.approx(-1.0, rel=0.03)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("hello",), "is no equation"),
        (("dx/dt = 1; x' = 2",), "two equations for 'x'"),
        ((3,), "int was given"),
        ((lambda x: x,), r"must take \(t, x, p\)"),
        ((HenonMap(),), "is no flow"),
        (([],), "no equation was given"),
        (("x' = __import__('os')",), "stands in|no expression"),
    ],
)
def test_malformed_known_parts_are_refused(given, message):
    with pytest.raises(InvalidInput, match=message):
        known(*given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: known("dz/dt = a*x"), "equation for 'z', which is no column"),
        (lambda: known(RATES, fixed={"q": 1.0}), "'q', which is in no equation"),
        (lambda: known(RATES, free=("a", "b", "c")), "'d' is not both"),
        (lambda: known(RATES, guess={"q": 1.0}), "guess was given for 'q'"),
        (lambda: known("dx/dt = a*x[-1]"), "an earlier value"),
        (lambda: known("dx/dt = a*exp(1000*x + 1000)"), "not finite on the data"),
        (lambda: known(lambda t, x, p: [p.a], free=("a",)), r"shape \(1,\)"),
        (lambda: known(lambda t, x, p: [p.q, p.q], free=("a",)), "no attribute 'q'"),
    ],
)
def test_known_parts_that_do_not_fit_the_data_are_refused(make, message):
    with pytest.raises(InvalidInput, match=message):
        (make() + Nothing()).fit(record(0.01, 0))


def test_settings_are_checked():
    half = known(RATES) + MissingTerms()
    with pytest.raises(InvalidInput, match="gamma"):
        MissingTerms(gamma=-1.0)
    with pytest.raises(InvalidInput, match="'w' is no column"):
        (known(RATES) + MissingTerms(structure=Free(("w",)))).fit(record(0.01, 0))
    with pytest.raises(InvalidInput, match="level"):
        type(half)(known=half.known, level=2.0)
    with pytest.raises(InvalidInput, match="expected such as MissingTerms"):
        type(half)(known=half.known, unknown="terms")
    with pytest.raises(InvalidInput, match="fixed, and free"):
        known(RATES, fixed={"a": 1.0}, free=("a",))
    with pytest.raises(InvalidInput, match="expected a finite number"):
        known(RATES, fixed={"a": np.nan})
    with pytest.raises(InvalidInput, match="no field"):
        known(LotkaVolterra(), free=("integrator",))
    with pytest.raises(TypeError):
        known(RATES) + 3


def test_the_ladder_stops_where_noise_is_left():
    data = record(0.005, 2)
    fit = (known(RATES) + Ladder()).fit(data)
    assert fit.diagnostics["rungs"].unknown == ("nothing",)
    fit = (known("dx/dt = a*x; dy/dt = -d*y") + Ladder()).fit(data)
    rungs, law = fit.diagnostics["rungs"], fit.diagnostics["law"]
    assert rungs.unknown == ("nothing", "missing terms")
    assert rungs.kept == 1
    assert law.labels == ("x*y in dx/dt", "x*y in dy/dt")
    assert "no noise" in rungs.reasons[0]
    linear = MissingTerms(Polynomials(1))
    fit = (known("dx/dt = a*x; dy/dt = -d*y") + Ladder((Nothing(), linear))).fit(data)
    assert [f.code for f in fit.diagnostics["rungs"].cautions] == ["ladder-ends"]
    with pytest.raises(InvalidInput, match="rungs"):
        Ladder(())


def saturating(t, x):
    eaten = x[0] ** 2 * x[1] / (0.3 + x[0] ** 2)
    return [x[0] * (1 - x[0] / 3) - 1.5 * eaten, -0.6 * x[1] + 0.9 * eaten]


GRAZING_TIMES = 0.2 * np.arange(120)
GRAZING = orbit(saturating, [1.5, 0.5], GRAZING_TIMES)
LOGISTIC = "dx/dt = a*x*(1 - x/3); dy/dt = -d*y"


@pytest.fixture(scope="module")
def grazing():
    half = known(LOGISTIC, fixed={"a": 1.0, "d": 0.6})
    ladder = Ladder((Nothing(), MissingTerms(Polynomials(2)), GaussianProcess()))
    return (half + ladder).fit(record(0.01, 0, GRAZING, GRAZING_TIMES))


def test_where_no_terms_suffice_a_process_is_learned_with_its_interval(grazing):
    rungs = grazing.diagnostics["rungs"]
    assert rungs.unknown[rungs.kept] == "a Gaussian process"
    assert rungs.whiteness[1] < 1e-6
    learned, errors = grazing.model.learned, []
    for x in GRAZING[::6]:
        truth = np.array(saturating(0, x)) - [x[0] * (1 - x[0] / 3), -0.6 * x[1]]
        found = np.asarray(learned(0.0, jnp.array(x)))
        errors.append((found - truth) / np.asarray(learned.standard_deviation(jnp.array(x))))
    assert np.mean(np.abs(errors) < 1.96) > 0.75  # neighbours err together: this is no coverage
    near = learned.standard_deviation(jnp.array(GRAZING[30]))
    far = learned.standard_deviation(jnp.array([30.0, 30.0]))
    assert (np.asarray(far) > 10 * np.asarray(near)).all()
    assert np.allclose(far, np.sqrt(learned.prior))


def test_forecast_with_the_process_beats_the_known_part_alone(grazing):
    from takens.dynamics import trajectory

    ahead = GRAZING_TIMES[-1] + 0.2 * np.arange(30)
    truth = orbit(saturating, GRAZING[-1], ahead)
    step = RungeKutta(0.2, CLASSICAL)
    ours = trajectory(grazing.model, GRAZING[-1], ahead, integrator=step).states
    alone = (known(LOGISTIC) + Nothing()).fit(record(0.01, 0, GRAZING, GRAZING_TIMES)).model
    theirs = trajectory(alone, GRAZING[-1], ahead, integrator=step).states
    assert np.abs(ours - truth).max() < 0.1 * np.abs(theirs - truth).max()


def test_parameters_that_a_process_imitates_have_no_value():
    fit = (known(LOGISTIC) + GaussianProcess()).fit(record(0.01, 0, GRAZING, GRAZING_TIMES))
    law = fit.diagnostics["law"]
    assert fit.status is Status.NOT_IDENTIFIABLE
    assert np.isnan(law.values).all()
    assert law.identifiability.absorbed.min() > 0.99
    assert [f.level for f in law.cautions if f.code == "confounded"] == ["serious", "serious"]


def test_derivatives_of_a_process():
    from takens.learn.partly.gaussian import _kernels

    basis = _kernels(GRAZING, (1, 0), 40, 0.9)
    x = GRAZING[5:9]
    for j in range(2):
        h = 1e-6 * np.eye(2)[j]
        change = (basis(x + h) - basis(x - h)) / 2e-6
        assert np.allclose(basis.jacobian(x)[:, :, j], change, atol=1e-6)
    inside = basis(x)
    assert np.allclose((inside**2).sum(axis=1), 1.0, atol=0.05)  # the prior variance of the process


def test_a_process_is_told_where_it_stands():
    half = known("dx/dt = a*x; dy/dt = 0") + GaussianProcess(equations=("w",))
    with pytest.raises(InvalidInput, match="'w' is no column"):
        half.fit(record(0.01, 0))
    with pytest.raises(InvalidInput, match="most = 1"):
        GaussianProcess(most=1)


def test_residuals_larger_than_the_data_are_rough_are_no_noise():
    data = record(0.01, 1000)
    wrong = known("dx/dt = a*x - b*y; dy/dt = c*x*y - d*y") + Nothing()
    values = []
    for half in (wrong, known(RATES) + Nothing()):
        problem, _ = posed(half, data, 0)
        found = half.unknown.rung(problem).orbit
        values.append((correlation(problem.nodes, found), excess(problem.nodes, found)))
    (wrong_correlation, wrong_excess), (_, right_excess) = values
    assert wrong_correlation > 0.01  # 31 points alone do not show it
    assert wrong_excess < 0.005
    assert right_excess > 0.05


def test_a_network_is_learned_where_no_terms_suffice():
    half = known(LOGISTIC, fixed={"a": 1.0, "d": 0.6})
    fit = (half + Network(terms=MissingTerms(Polynomials(2)))).fit(
        record(0.01, 0, GRAZING, GRAZING_TIMES)
    )
    law, learned = fit.diagnostics["law"], fit.model.learned
    assert law.unknown == "a network"
    assert law.whiteness > 0.01
    assert "network(x, y)[1]" in law.equations[1]
    assert "no-terms" in [f.code for f in law.cautions]
    truth = np.array([saturating(0, x) for x in GRAZING[::6]])
    truth = truth - np.stack(
        [GRAZING[::6, 0] * (1 - GRAZING[::6, 0] / 3), -0.6 * GRAZING[::6, 1]], 1
    )
    found = np.array([learned(0.0, jnp.array(x)) for x in GRAZING[::6]])
    assert np.abs(found - truth).max() < 0.06 * np.abs(truth).max()
    assert np.isfinite(np.asarray(learned.standard_deviation(jnp.array(GRAZING[0])))).all()


def test_a_network_turns_into_terms_where_these_suffice():
    fit = (known("dx/dt = 1.3*x; dy/dt = -1.8*y") + Network()).fit(record(0.005, 1))
    law = fit.diagnostics["law"]
    assert law.unknown == "terms of a network"
    assert law.labels == ("x*y in dx/dt", "x*y in dy/dt")
    with pytest.raises(InvalidInput, match="width = 0"):
        Network(width=0)


def test_derivatives_of_a_network():
    from takens.learn.partly.network import HiddenUnits

    rng = np.random.default_rng(0)
    units = HiddenUnits(places=(1, 0), centre=np.ones(2), scale=np.array([0.5, 2.0]),
                        hidden=rng.normal(size=(3, 2)), bias=rng.normal(size=3))  # fmt: skip
    x = rng.normal(size=(5, 3))
    for j in range(3):
        h = 1e-6 * np.eye(3)[j]
        change = (units(x + h) - units(x - h)) / 2e-6
        assert np.allclose(units.jacobian(x)[:, :, j], change, atol=1e-8)
