"""Of which order a law is: no higher than needed, judged by simulation, from positions alone."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import InvalidInput, Status, Trajectory, WrongKind
from takens.core.system import AbstractMap
from takens.data import regular_segments
from takens.learn import (
    DMD,
    HigherOrderSINDy,
    LawForecast,
    LibraryLadder,
    OrderLadder,
    SINDy,
)
from takens.learn.terms import Fourier, Polynomials
from takens.learn.terms.units import derivative_units
from takens.validate import judge_law, long_run

TIMES = 0.1 * np.arange(500)


def record(rate, start, names, share=0.02, seed=0, times=TIMES):
    """The first columns of an orbit, with noise."""
    orbit = solve_ivp(
        rate, (0, times[-1]), start, t_eval=times, rtol=1e-10, atol=1e-11
    ).y.T[:, : len(names)]  # fmt: skip
    noise = share * orbit.std(axis=0) * np.random.default_rng(seed).normal(size=orbit.shape)
    return Trajectory(times=times, states=orbit + noise, names=names, time_unit="s")


def double_well(seed=0):
    return record(
        lambda t, x: [x[1], x[0] - x[0] ** 3 - 0.02 * x[1]], [1.5, 1.0], ("q",), seed=seed
    )


@pytest.fixture(scope="module")
def judged():
    return judge_law(double_well(), OrderLadder(), n_folds=2, n_origins=30)


def test_a_position_has_a_law_of_second_order_that_survives(judged):
    assert judged.survives
    assert judged.law.order == 2
    assert {judged.law.terms[k] for k in np.flatnonzero(judged.law.support[:, 0])} == {
        "q", "q^3", "dq",
    }  # fmt: skip
    assert len(set(judged.fold_terms)) == 1
    found = judged.backtest
    law = found.rmse[found.of("sparse law")]
    for rival in ("persistence", "linear autoregression"):
        assert (law[-3:] < 0.3 * found.rmse[found.of(rival)][-3:]).all()
    assert judged.gain_over_linear.interval[0] > 0


def test_the_judged_law_is_the_printed_one(judged):
    system = judged.model.equations()
    assert system.names == ("q", "dq")
    assert system.velocities == (("q", "dq"),)
    x = np.array([0.4, -0.3])
    rates = judged.model.rates(x[None], np.empty((1, 0)), np.zeros(1))[0]
    np.testing.assert_allclose(system.vector_field(0.0, x), rates, rtol=1e-14)


def test_the_state_is_filtered_with_its_velocity():
    """Standard errors of position and velocity as the filter states them; the true ones known."""
    rate = lambda t, x: [x[1], x[0] - x[0] ** 3 - 0.02 * x[1]]
    clean = solve_ivp(rate, (0, TIMES[-1]), [1.5, 1.0], t_eval=TIMES, rtol=1e-10, atol=1e-11).y.T
    segments = regular_segments(double_well(3))
    fit = LawForecast(finder=HigherOrderSINDy(), memory=16).learn(segments)
    model, values = fit.model, segments.values[0]
    rows = np.arange(40, 490, 9)
    past = values[rows[:, None] - np.arange(16)]
    state, spread = model.filtered(past, np.empty((len(rows), 16, 0)), rows.astype(float))
    assert state.shape == (len(rows), 2)
    error = np.sqrt(((state - clean[rows]) ** 2).mean(axis=0))
    claimed = np.sqrt(np.einsum("oii->oi", spread).mean(axis=0))
    assert (error < 1.6 * claimed).all()
    assert (error > 0.6 * claimed).all()
    assert error[0] < 0.8 * np.sqrt(model.noise[0])
    z = model.encode(state)
    np.testing.assert_allclose(model.decode(z), state, rtol=1e-12, atol=1e-12)
    assert np.allclose(z[:, 1], state[:, 1] * 0.1 / model.frame.scale[0])


def test_an_ensemble_spreads_velocities_too():
    segments = regular_segments(double_well(3))
    fit = LawForecast(finder=HigherOrderSINDy()).learn(segments)
    model = fit.model
    residuals = np.concatenate([np.zeros((1, 1)), fit.diagnostics["residuals"]])
    draws = np.random.default_rng(0).integers(1, len(residuals), size=(3, 400))
    x0 = np.tile(model.encode(np.array([[0.5, 0.2]])), (400, 1))
    last, path = model.orbits(x0, np.zeros(400), np.zeros((3, 400, 0)), residuals, draws)
    assert last.shape == (400, 2)
    assert path.shape == (3, 400, 1)
    assert (last.std(axis=0) > 0).all()
    assert abs(np.corrcoef(last.T)[0, 1]) < 0.9


def test_the_system_of_its_samples_is_the_flow_over_one():
    fit = LawForecast(finder=HigherOrderSINDy()).fit(double_well())
    assert isinstance(fit.model, AbstractMap)
    x = np.array([0.3, -0.2])
    host = LawForecast(finder=HigherOrderSINDy()).learn(regular_segments(double_well())).model
    ours = host.states(np.zeros(1), x[None], (np.empty((1, 0)), np.empty((1, 0))))[0]
    np.testing.assert_allclose(fit.model.step(0, x), ours, atol=1e-5)
    with pytest.raises(WrongKind):  # its state is no window of samples
        long_run(fit, double_well())


FIRST = {
    "decay": (lambda t, x: [-0.1 * x[0]], [1.0], ("x",)),
    "logistic": (lambda t, x: [0.3 * x[0] * (1 - x[0])], [0.01], ("x",)),
    "van der Pol": (lambda t, x: [x[1], (1 - x[0] ** 2) * x[1] - x[0]], [2.0, 0.0], ("x", "v")),
    "prey": (lambda t, x: [x[0] - 0.5 * x[0] * x[1], -0.8 * x[1] + 0.3 * x[0] * x[1]],
             [3.0, 1.0], ("x", "y")),
}  # fmt: skip


@pytest.mark.parametrize("name", FIRST)
def test_a_record_of_first_order_stays_so(name):
    rate, start, names = FIRST[name]
    law = OrderLadder().identified(record(rate, start, names)).law
    assert law.status is Status.OK
    assert law.order == 1


@pytest.mark.parametrize("kind", ["white", "walk"])
def test_noise_has_no_law_of_any_order(kind):
    x = np.random.default_rng(2).normal(size=(300, 1))
    found = OrderLadder().identified(x.cumsum(axis=0) if kind == "walk" else x)
    assert found.law.status is Status.NO_LAW
    assert found.law.order == 1
    assert "higher-order" in {f.code for f in found.cautions}


def test_without_a_law_a_forecast_is_of_nan():
    walk = np.random.default_rng(2).normal(size=300).cumsum()
    fit = LawForecast(finder=HigherOrderSINDy()).learn(regular_segments(walk))
    assert fit.status is Status.NO_LAW
    still = np.zeros((1, 1))
    _, path = fit.model.orbits(
        np.zeros((2, 2)), np.zeros(2), np.zeros((5, 2, 0)), still, np.zeros((5, 2), dtype=int)
    )
    assert path.shape == (5, 2, 1)
    assert np.isnan(path).all()


def test_a_derivative_that_is_measured_is_not_looked_for_again():
    rate, start, _ = FIRST["van der Pol"]
    found = OrderLadder().identified(record(rate, start, ("x", "dx")))
    assert found.law.order == 1
    alone = OrderLadder(finders=(SINDy(library=Polynomials(1)), HigherOrderSINDy()))
    found = alone.identified(record(rate, start, ("x", "dx")))
    assert found.law.status is Status.NO_LAW
    assert any("Rename" in f.text for f in found.cautions)


def test_a_blow_up_of_second_order_names_position_and_velocity():
    """q'' = 1.5 q^2 from rest reaches infinity in finite time; so does its law."""
    times = 0.01 * np.arange(160)
    data = record(lambda t, x: [x[1], 1.5 * x[0] ** 2], [1.0, 0.0], ("q",), 1e-4, times=times)
    judged = judge_law(data, HigherOrderSINDy(library=Polynomials(2)), n_folds=2, free_run=False)
    assert judged.blow_up is not None
    assert judged.blow_up.names == ("q", "dq")
    assert judged.blow_up.term == "q^2"
    assert "dq =" in str(judged.blow_up)


def test_units_of_derivatives():
    assert derivative_units(("m", ""), "s", 3) == ("m", "", "m/s", "1/s", "m/s^2", "1/s^2")
    assert derivative_units(("m",), "1", 2) == ("m", "m")
    assert derivative_units((), "s", 2) == ()


def test_wrong_finders_are_refused():
    with pytest.raises(InvalidInput, match="no finder"):
        OrderLadder(finders=())
    with pytest.raises(WrongKind, match="DMD"):
        OrderLadder(finders=(LibraryLadder(), DMD()))
    with pytest.raises(InvalidInput):
        OrderLadder().fit(np.ones(50))


def test_a_pendulum_with_its_sine():
    data = record(lambda t, x: [x[1], -np.sin(x[0]) - 0.1 * x[1]], [2.5, 0.0], ("a",))
    library = Polynomials(1) + Fourier(1)
    fit = OrderLadder(finders=(SINDy(library=library), HigherOrderSINDy(library=library))).fit(data)
    law = fit.diagnostics["law"]
    assert {law.terms[k] for k in np.flatnonzero(law.support[:, 0])} == {"sin(a)", "da"}
    low, high = law.coefficient("sin(a)", "a").interval
    assert low < -1 < high
