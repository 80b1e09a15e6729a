"""Which laws survive, which are refused, and what a blow-up says."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import NumericalFailure, Status, Trajectory
from takens.data import regular_segments
from takens.learn import LawForecast, SINDy, SparseMap
from takens.learn.terms import Polynomials
from takens.validate import judge_law
from takens.validate.law import first_blow_up
from tests.learn.orbits import autoregression

CUBIC = SINDy(library=Polynomials(3))


def van_der_pol(n=600, noise=0.05, seed=0):
    times = 0.1 * np.arange(n)
    orbit = solve_ivp(
        lambda t, x: [x[1], (1 - x[0] ** 2) * x[1] - x[0]], (0, times[-1]), [2.0, 0.0],
        t_eval=times, rtol=1e-9, atol=1e-9,
    ).y.T  # fmt: skip
    states = orbit + noise * np.random.default_rng(seed).normal(size=orbit.shape)
    return Trajectory(times=times, states=states, names=("x", "v"))


@pytest.fixture(scope="module")
def cycle():
    return judge_law(van_der_pol(), CUBIC, n_folds=2, n_origins=30)


def test_a_true_law_survives(cycle):
    assert cycle.survives
    assert cycle.gain_over_linear.interval[0] > 0
    assert len(set(cycle.fold_terms)) == 1
    assert cycle.fold_terms[0] == ("x", "v", "x^2*v")
    assert cycle.blow_up is None
    low, high = cycle.law.coefficient("x^2*v", "v").interval
    assert low < -1 < high
    found = cycle.backtest
    assert (
        found.rmse[found.of("sparse law")] < found.rmse[found.of("linear autoregression")]
    ).all()


def test_its_long_run_is_that_of_the_data(cycle):
    run = cycle.long_run
    assert run.bounded
    assert run.distribution_distance[0] < 0.1
    assert abs(run.exponent.value) < 0.05  # a cycle


def test_the_table_and_the_summary(cycle):
    rows = cycle.table(2)
    assert [row[0] for row in rows[1:]] == [
        "persistence", "climatology", "linear autoregression", "sparse law",
    ]  # fmt: skip
    assert rows[0][1:] == ("skill at 0.1", "skill at 6", "valid time", "free runs lost")
    assert "survives" in cycle.summary()
    assert "x^2*v" in cycle.summary()


def test_a_law_that_is_printed_judged_and_run_is_one(cycle):
    system = cycle.model.equations()
    assert system.equations(17) == cycle.model.equations().equations(17)
    law = cycle.law
    x = np.array([0.5, -1.2])
    terms = Polynomials(3).over(("x", "v"))
    np.testing.assert_allclose(system.vector_field(0.0, x), terms(x) @ law.coefficients, rtol=1e-14)


@pytest.mark.parametrize("finder", [SINDy(), SparseMap()])
@pytest.mark.parametrize("kind", ["noise", "walk", "autoregression"])
def test_without_a_rule_there_is_no_law(kind, finder):
    rng = np.random.default_rng(4)
    data = {
        "noise": rng.normal(size=(250, 2)),
        "walk": rng.normal(size=(250, 2)).cumsum(axis=0),
        "autoregression": np.stack([autoregression(0.9, 250, seed=s) for s in (1, 2)], axis=1),
    }[kind]
    found = judge_law(data, finder, throw=False)
    assert found.outcome == "none"
    assert found.status is Status.NO_LAW
    assert found.backtest is None
    assert found.reasons


def test_no_law_raises_unless_told_otherwise():
    with pytest.raises(NumericalFailure, match="No sparse law"):
        judge_law(np.random.default_rng(4).normal(size=250), SparseMap())


def test_a_law_that_forecasts_worse_than_autoregression_is_refused():
    """Forced motion without its force in the library: short memory of AR does better."""
    rng = np.random.default_rng(0)
    times = 0.1 * np.arange(800)
    slow = np.cumsum(rng.normal(size=800)) * 0.02
    wave = np.stack([np.cos(times) + slow, np.sin(times) - slow], axis=1)
    data = Trajectory(times=times, states=wave + 0.05 * rng.normal(size=wave.shape))
    found = judge_law(data, SINDy(library=Polynomials(1)), n_folds=2, throw=False)
    assert found.outcome in {"none", "refused"}


def test_too_few_origins_leave_a_law_untested():
    times = np.arange(24.0) * 0.3
    data = np.stack([np.cos(times), -np.sin(times)], axis=1)
    data += 0.01 * np.random.default_rng(0).normal(size=data.shape)
    found = judge_law(
        Trajectory(times=times, states=data), SINDy(library=Polynomials(1)), free_run=False
    )
    assert found.outcome == "untested"
    assert not found.survives
    assert "needed" in found.reasons[0] or "longer" in found.reasons[0]


def test_a_blow_up_is_a_result():
    """x' = x^2 from 1/2 is infinite at t = 2; steps are bounded, so nothing hangs."""
    times = 0.01 * np.arange(120)
    x = 1 / (2 - times)
    data = Trajectory(
        times=times, states=x[:, None] + 1e-4 * np.random.default_rng(0).normal(size=(120, 1)),
        names=("x",), time_unit="s",
    )  # fmt: skip
    segments = regular_segments(data)
    model = LawForecast().learn(segments).model
    assert model.terms.names == ("x^2",)
    found = first_blow_up(model, segments, np.array([[0, 100]]), 1_000)
    assert found is not None
    assert found.confirmed
    assert found.term == "x^2"
    assert found.equation == "x"
    assert found.start == pytest.approx(1.0)
    assert 0.8 < found.time < 1.02
    assert "blows up after" in str(found)
    assert " s," in str(found)
    assert first_blow_up(model, segments, np.array([[0, 100]]), 5) is None


def test_a_growing_law_is_refused_for_its_lost_runs():
    times = 0.05 * np.arange(400)
    growth = np.exp(0.5 * times)[:, None]
    data = growth * (1 + 0) + 0.05 * np.random.default_rng(0).normal(size=growth.shape)
    found = judge_law(
        Trajectory(times=times, states=data), SINDy(library=Polynomials(1)), n_folds=2
    )
    assert found.outcome == "refused"
    assert found.blow_up is not None
    assert any("are lost" in reason for reason in found.reasons)
    assert "law-blows-up" in {c.code for c in found.cautions}
