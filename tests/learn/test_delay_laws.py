"""Delay equations from noisy records: terms, numbers, and the delay with its interval."""

import numpy as np
import pytest

from takens.core import InvalidInput, Status, Trajectory
from takens.learn import DelaySINDy
from takens.learn.laws.delayed import DelayAdvance, DelayField, Past
from takens.learn.sparse.nodes import nodes_of
from takens.learn.sparse.shooting import Noise
from takens.learn.terms import Delays, Expressions, Polynomials

HUTCHINSON = {("x", "x"): 1.8, ("x*x[-1]", "x"): -1.8}


def solved(rate, delay, step, past, count, every, skip=0):
    """Runge-Kutta of order four with the past interpolated between its own steps."""
    lag, total = round(delay / step), count * every + skip
    x = np.empty(lag + total + 1)
    x[: lag + 1] = past(np.linspace(-delay, 0, lag + 1))
    for i in range(lag, lag + total):
        a, b = x[i - lag], x[i - lag + 1]
        middle = (a + b) / 2
        if i > lag:
            middle = (9 * (a + b) - x[i - lag - 1] - x[i - lag + 2]) / 16
        k1 = rate(x[i], a)
        k2 = rate(x[i] + step / 2 * k1, middle)
        k3 = rate(x[i] + step / 2 * k2, middle)
        k4 = rate(x[i] + step * k3, b)
        x[i + 1] = x[i] + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x[lag + skip :: every][:count, None]


@pytest.fixture(scope="module")
def logistic():
    """Hutchinson's equation with a delay of one, samples 0.1 apart."""
    return solved(lambda x, d: 1.8 * x * (1 - d), 1.0, 0.01, lambda t: 0.5 + 0.2 * t, 300, 10)


def record(x, share, seed=0, step=0.1):
    noise = share * x.std(axis=0) * np.random.default_rng(seed).normal(size=x.shape)
    return Trajectory(times=step * np.arange(len(x)), states=x + noise, names=("x",), time_unit="s")


def places(law):
    return {(law.terms[k], law.names[i]) for k, i in np.argwhere(law.support)}


def assert_law(law, truth, within=4.0):
    assert places(law) == set(truth)
    for (term, name), value in truth.items():
        found = law.coefficient(term, name)
        assert abs(found.value - value) < within * found.standard_error


def test_the_delayed_logistic_equation(logistic):
    fit = DelaySINDy(delays=(0.5, 2.0)).fit(record(logistic, 0.02))
    assert fit.status is Status.OK
    law, delay = fit.diagnostics["law"], fit.diagnostics["delay"]
    assert_law(law, HUTCHINSON)
    low, high = delay.interval
    assert low < 1.0 < high
    assert high - low < 0.01
    assert delay.unit == "s"
    assert law.covariance.shape == (2, 2)
    assert float(fit.model.delay) == pytest.approx(delay.value)
    np.testing.assert_allclose(np.asarray(fit.model.coefficients), law.coefficients)
    rate = fit.model.delayed_field(0.0, np.array([0.7]), np.array([1.3]))
    theta = fit.model.terms(np.array([0.7, 1.3]))
    np.testing.assert_allclose(rate, theta @ law.coefficients, rtol=1e-12)


def test_a_rate_of_the_users_from_a_noisy_record():
    """Mackey and Glass, whose feedback is a candidate among polynomials."""
    x = solved(lambda x, d: 0.2 * d / (1 + d**10) - 0.1 * x, 17.0, 0.1,
               lambda t: 0.9 + 0.1 * np.sin(t / 3), 500, 10, skip=2_000)  # fmt: skip
    feedback = "x[-1]/(1 + x[-1]^10)"
    settings = DelaySINDy(delays=(10, 25), library=Polynomials(2) + Expressions(feedback))
    fit = settings.fit(record(x, 0.05, step=1.0))
    assert_law(fit.diagnostics["law"], {("x", "x"): -0.1, (feedback, "x"): 0.2})
    low, high = fit.diagnostics["delay"].interval
    assert low < 17.0 < high


def test_missing_values_and_several_records(logistic):
    x = logistic + 0.01 * np.random.default_rng(4).normal(size=logistic.shape)
    x[np.random.default_rng(5).random(x.shape) < 0.05] = np.nan
    times = 0.1 * np.arange(len(x))
    halves = [
        Trajectory(times=times[rows], states=x[rows], names=("x",))
        for rows in (slice(0, 150), slice(150, 300))
    ]
    fit = DelaySINDy(delays=(0.6, 1.5)).fit(halves)
    assert_law(fit.diagnostics["law"], HUTCHINSON)


def test_the_interval_of_the_delay_covers(logistic):
    settings = DelaySINDy(delays=(0.8, 1.3), library=Expressions("x", "x*x[-1]"))
    held = []
    for seed in range(10):
        low, high = settings.fit(record(logistic[:120], 0.05, seed)).diagnostics["delay"].interval
        held.append(low <= 1.0 <= high)
    assert np.mean(held) >= 0.7  # 95 %, less three standard errors of ten


def test_noise_has_no_law():
    walk = np.random.default_rng(2).normal(size=(150, 1)).cumsum(axis=0)
    fit = DelaySINDy(delays=(5.0, 12.0), library=Polynomials(1)).fit(walk)
    assert fit.status is Status.NO_LAW
    assert np.isnan(fit.diagnostics["delay"].value)
    assert np.isnan(np.asarray(fit.model.coefficients)).all()


def test_a_cycle_of_one_period_cannot_tell_delays_apart():
    """x' = -x(t - pi/2) has the solution cos t; so it has with five half turns."""
    times = 0.1 * np.arange(600)
    data = record(np.cos(times)[:, None], 0.02)
    fit = DelaySINDy(delays=(0.8, 9.5), library=Expressions("x[-1]")).fit(data)
    assert "other-delays" in {f.code for f in fit.cautions}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"delays": (2.0, 1.0)}, "shortest and the longest"),
        ({"delays": 3.0}, "shortest and the longest"),
        ({"delays": (0.1, 2.0)}, "Sample faster"),
        ({"delays": (1.0, 40.0)}, "twice as long"),
        ({"delays": (0.5, 2.0), "library": Delays(3)}, "one delay ago"),
        ({"delays": (0.5, 2.0), "known": (("y", "x"),)}, "one of the terms"),
    ],
)
def test_settings_that_do_not_fit_are_refused(logistic, settings, message):
    with pytest.raises(InvalidInput, match=message):
        DelaySINDy(**settings).fit(record(logistic, 0.02))


def wide_problem():
    rng = np.random.default_rng(0)
    times = 0.1 * np.arange(60)
    x = np.stack([np.cos(times), np.sin(1.3 * times)], axis=1) + 0.01 * rng.normal(size=(60, 2))
    nodes = nodes_of(Trajectory(times=times, states=x, names=("x", "y")))
    terms = Delays(1, Polynomials(2)).over(("x", "y"))
    support = np.zeros((len(terms) + 1, 2), dtype=bool)
    support[:-1] = rng.random((len(terms), 2)) < 0.4
    support[-1, 0] = True
    field = DelayField(terms, support)
    w = 0.2 * rng.normal(size=field.n_parameters)
    w[field.place] = 1.034
    return nodes, field, w, DelayAdvance(nodes=nodes, links=np.arange(15, 59))


def test_sensitivities_against_differences():
    nodes, field, w, advance = wide_problem()
    states = nodes.values
    _, by_state, by_parameter, past = advance.moved(field, w, states)
    jump = advance._jump(by_state, past, states.shape).toarray()
    small = 1e-6

    def defects(states, w):
        moved = advance.moved(field, w, states)[0]
        return (states[advance.links + 1] - moved).reshape(-1)

    for k in range(field.n_parameters):
        shift = small * np.eye(field.n_parameters)[k]
        slope = -(defects(states, w + shift) - defects(states, w - shift)) / (2 * small)
        np.testing.assert_allclose(by_parameter[:, :, k].reshape(-1), slope, rtol=1e-5, atol=1e-7)
    for place in (3, 31, 58, 77, 110):
        shift = small * (np.arange(states.size) == place).reshape(states.shape)
        slope = (defects(states + shift, w) - defects(states - shift, w)) / (2 * small)
        np.testing.assert_allclose(jump[:, place], slope, rtol=1e-5, atol=1e-7)


def test_the_wide_problem_is_the_dense_one():
    nodes, field, w, advance = wide_problem()
    noise = Noise(measurement=np.array([0.1, 0.2]), dynamical=np.array([0.0, 0.3]))
    linear = advance.linearised(field, w, nodes.values + 0.05, nodes, noise)
    states = nodes.values + 0.05
    moved, by_state, by_parameter, past = advance.moved(field, w, states)
    jump = advance._jump(by_state, past, states.shape).toarray()
    count = 2 * len(advance.links)
    dense = (jump * np.tile(noise.measurement, len(nodes))) @ jump.T
    dense += np.diag(np.tile(noise.dynamical * 0.1, len(advance.links)))
    error = (nodes.values - states).reshape(-1)
    defect = (states[advance.links + 1] - moved).reshape(-1) + jump @ error
    columns = np.column_stack([defect, -by_parameter.reshape(count, -1)])
    expected = columns.T @ np.linalg.solve(dense, columns)
    np.testing.assert_allclose(linear.gram, expected, rtol=1e-6)
    assert linear.log_determinant == pytest.approx(np.linalg.slogdet(dense)[1])
    assert linear.free == len(nodes) - len(advance.links)


def test_the_past_of_a_polynomial_is_exact():
    times = np.cumsum(np.random.default_rng(0).uniform(0.08, 0.12, 60))
    values = (times**3 - 2 * times)[:, None]
    nodes = nodes_of(Trajectory(times=times, states=values, names=("x",)))
    past = Past.of(nodes, np.arange(20, 59), 1.3, np.array([0.0, 0.5]), 6)
    for offset, weights, rates in zip((0.0, 0.5), past.values, past.slopes, strict=True):
        at = times[20:59] + offset * np.diff(times)[20:59] - 1.3
        np.testing.assert_allclose((weights @ values)[:, 0], at**3 - 2 * at, atol=1e-9)
        np.testing.assert_allclose((rates @ values)[:, 0], 3 * at**2 - 2, atol=1e-7)
    with pytest.raises(np.linalg.LinAlgError, match="before the record"):
        Past.of(nodes, np.arange(5, 59), 1.3, np.zeros(1), 6)
    with pytest.raises(np.linalg.LinAlgError, match="not positive"):
        Past.of(nodes, np.arange(20, 59), -0.1, np.zeros(1), 6)
