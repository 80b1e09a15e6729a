"""Stationarity: oracles of the tests, their size and power, missing values, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import cramervonmises
from statsmodels.tsa.adfvalues import mackinnonp
from statsmodels.tsa.stattools import adfuller
from statsmodels.tsa.stattools import kpss as kpss_peer

from takens import Recording, Trajectory
from takens.core import InvalidInput, NumericalFailure, Status
from takens.series import cross_prediction, level_stationarity, unit_root
from takens.series.cross_prediction import _forecasts, _squared_errors, memory_within
from takens.series.observable import delay_vectors, observable
from takens.series.unit_root import bridge_p, unit_root_p
from tests.series.signals import ar1, henon

TRENDS = (("constant", "c"), ("line", "ct"))


def noise(n, seed):
    return np.random.default_rng(seed).normal(size=n)


def driven_logistic(n, first, last, seed=0):
    x, orbit = np.random.default_rng(seed).uniform(0.2, 0.8), np.empty(n)
    for i, r in enumerate(np.linspace(first, last, n)):
        x = r * x * (1 - x)
        orbit[i] = x
    return orbit


@pytest.mark.parametrize(("trend", "peer"), TRENDS)
@pytest.mark.parametrize("walk", [True, False])
def test_dickey_fuller_is_that_of_statsmodels(trend, peer, walk):
    x = np.cumsum(noise(300, 1)) if walk else ar1(300, 0.7, 1)
    expected = adfuller(x, maxlag=5, autolag=None, regression=peer, result_object=False)
    found = unit_root(x, trend=trend, n_lags=5)
    assert found.statistic == pytest.approx(expected[0], rel=1e-9)
    assert found.p_value == pytest.approx(expected[1], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("trend", "peer"), TRENDS)
def test_p_values_of_the_unit_root_over_the_whole_range(trend, peer):
    for statistic in np.linspace(-20, 4, 49):
        assert unit_root_p(statistic, trend) == pytest.approx(
            float(mackinnonp(statistic, peer)), abs=1e-12
        )


# statsmodels says so of a p-value that it looks up; only its statistic is compared.
@pytest.mark.filterwarnings("ignore:The test statistic is outside")
@pytest.mark.parametrize(("trend", "peer"), TRENDS)
def test_level_stationarity_is_that_of_statsmodels(trend, peer):
    x = ar1(300, 0.7, 1)
    found = level_stationarity(x, trend=trend, n_lags=7)
    expected = kpss_peer(x, regression=peer, nlags=7, result_object=False)
    assert found.statistic == pytest.approx(expected[0], rel=1e-9)


def test_law_of_the_bridge_in_closed_form_and_by_its_mean():
    # Anderson and Darling (1952), table 1, for the first order; means 1/6 and 1/15.
    for level, point in ((0.5, 0.11888), (0.1, 0.34730), (0.05, 0.46136), (0.01, 0.74346)):
        assert bridge_p(point, "constant") == pytest.approx(level, abs=2e-5)
    n = 20_000  # SciPy's test on a large sample has the limiting law, but for terms of 1 / n
    peer = cramervonmises((np.arange(n) + 0.5) / n + 0.004, "uniform")
    assert bridge_p(peer.statistic, "constant") == pytest.approx(peer.pvalue, abs=1e-4)


def test_law_of_the_second_bridge_by_simulation():
    walks = np.cumsum(np.random.default_rng(0).normal(size=(4000, 400)), axis=1)
    steps = np.diff(walks, axis=1, prepend=0)
    design = np.stack([np.ones(400), np.linspace(-1, 1, 400)], axis=1)
    residual = steps - steps @ np.linalg.pinv(design).T @ design.T
    drawn = np.mean(np.cumsum(residual, axis=1) ** 2, axis=1) / 400
    for point in (0.03, 0.06, 0.12, 0.15):
        assert bridge_p(point, "line") == pytest.approx(np.mean(drawn > point), abs=0.025)


def test_phillips_perron_without_correction_is_dickey_fuller_without_lags():
    x = np.cumsum(noise(400, 2))
    plain = unit_root(x, n_lags=0)
    corrected = unit_root(x, n_lags=0, method="phillips-perron")
    assert corrected.statistic == pytest.approx(plain.statistic, rel=1e-12)


def test_phillips_perron_keeps_its_size_under_correlated_increments():
    walks = [np.cumsum(lfilter([1], [1, -0.4], noise(600, s))) for s in range(60)]
    naive = np.mean([unit_root(x, n_lags=0, method="phillips-perron").p_value < 0.5 for x in walks])
    found = np.mean([unit_root(x, method="phillips-perron").p_value < 0.5 for x in walks])
    assert abs(found - 0.5) < 0.2
    assert naive < found - 0.1  # positively correlated increments: too rarely without correction
    returning = [ar1(600, 0.8, s) for s in range(10)]
    assert all(unit_root(x, method="phillips-perron").p_value < 0.01 for x in returning)


def test_half_life_of_an_autoregression():
    found = unit_root(ar1(8000, 0.9, 3), n_lags=0)
    assert found.half_life == pytest.approx(np.log(0.5) / np.log(0.9), rel=0.1)
    assert "half-life" in found.summary()


def test_a_line_is_no_walk_if_a_line_is_allowed():
    x = 0.02 * np.arange(500) + noise(500, 4)
    assert unit_root(x, trend="line").p_value < 0.01
    assert level_stationarity(x).p_value < 0.01 < level_stationarity(x, trend="line").p_value


@pytest.mark.parametrize("ask", [unit_root, level_stationarity])
def test_what_the_two_questions_refuse(ask):
    with pytest.raises(InvalidInput, match="expected 'constant' or 'line'"):
        ask(noise(100, 0), trend="quadratic")
    with pytest.raises(InvalidInput, match="Ask for fewer"):
        ask(noise(100, 0), n_lags=100)
    with pytest.raises(InvalidInput, match="zero or a positive"):
        ask(noise(100, 0), n_lags=-1)
    with pytest.raises(NumericalFailure, match="too short"):
        ask(noise(30, 0))
    found = ask(np.full(200, 3.0), throw=False)
    assert found.status is Status.NOT_APPLICABLE
    assert np.isnan(found.p_value)
    with pytest.raises(InvalidInput, match="expected 'dickey-fuller'"):
        unit_root(noise(100, 0), method="dickey")


def test_a_long_gap_leaves_the_longest_stretch_and_says_so():
    x = np.cumsum(noise(600, 5))
    x[200:260] = np.nan
    found = unit_root(x)
    assert "longest-stretch" in {c.code for c in found.cautions}
    assert found.provenance["n_samples"] == 340
    assert found.statistic == pytest.approx(unit_root(x[260:], n_lags=found.n_lags).statistic)


# Cross-prediction


def test_errors_are_those_of_brute_force_for_any_deal():
    x = observable(henon(400)).series[0][:, 0]
    vectors = delay_vectors((x[:, None],), 3, 1)
    made = _forecasts(vectors, 1, 12, 4, 3)
    usable = np.flatnonzero(vectors.successors(1) >= 0)
    blocks = [rows + 2 for rows in np.array_split(usable, 12)]  # the newest sample of each vector
    order = np.random.default_rng(0).permutation(12).reshape(3, 4)
    found = _squared_errors(made, order)
    asked = [int(np.flatnonzero(x == v)[0]) - 1 for v in made.target[:, 0]]
    for q, (t, block) in enumerate(zip(asked, made.block, strict=True)):
        assert all(abs(t - other).min() > 3 for b, other in enumerate(blocks) if b != block)
        place = np.argwhere(order == block)[0][1]
        for s in range(3):
            rows = np.concatenate([blocks[b] for j, b in enumerate(order[s]) if j != place])
            gap = sum((x[rows - i] - x[t - i]) ** 2 for i in range(3))
            near = rows[np.argsort(gap, kind="stable")[:4]]
            expected = (x[near + 1].mean() - x[t + 1]) ** 2 / 1.25
            assert found[s, q] == pytest.approx(expected, rel=1e-9)


def test_a_drifting_parameter_is_seen_where_mean_and_variance_are_not():
    found = cross_prediction(driven_logistic(1500, 3.86, 3.93), n_reassignments=99)
    assert found.p_value == 0.01
    assert found.errors[0, 4] > 3 * found.errors[0, 0]
    assert (found.standard_errors > 0).all()
    assert "between" in found.summary()


@pytest.mark.parametrize("make", [
    lambda s: ar1(2500, 0.9, s),
    lambda s: noise(900, s),
    lambda s: henon(1000, 1.4 - 1e-4 * s),
])  # fmt: skip
def test_stationary_records_are_rejected_as_rarely_as_stated(make):
    p = [cross_prediction(make(s), n_reassignments=19, throw=False).p_value for s in range(12)]
    p = np.array([v for v in p if np.isfinite(v)])
    assert len(p) > 8
    assert np.mean(p <= 0.05) <= 0.25  # five or more of twelve at 5 % happen once in 5,000
    assert p.mean() > 0.25


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_cross_prediction_uses_what_is_there(share):
    x = driven_logistic(8000, 3.86, 3.94)
    x[np.random.default_rng(1).uniform(size=8000) < share] = np.nan
    assert cross_prediction(x, n_reassignments=39, delay=1).p_value == 0.025


def test_cross_prediction_of_several_records_columns_and_a_gap():
    x = driven_logistic(1500, 3.86, 3.93)
    records = Recording(
        records=tuple(
            Trajectory(times=np.arange(500.0), states=part[:, None]) for part in np.split(x, 3)
        )
    )
    assert cross_prediction(records, n_reassignments=39).p_value == 0.025
    both = np.stack([x, np.roll(x, 1)], axis=1)
    assert cross_prediction(both, n_reassignments=39).p_value == 0.025
    x[700:800] = np.nan
    found = cross_prediction(x, n_reassignments=39)
    assert found.p_value == 0.025
    assert found.bounds[-1] == 1400


def test_what_cross_prediction_refuses():
    with pytest.raises(InvalidInput, match="n_segments = 1; at least 2"):
        cross_prediction(noise(500, 0), n_segments=1)
    with pytest.raises(InvalidInput, match="positive number of samples"):
        cross_prediction(noise(500, 0), delay=0)
    with pytest.raises(NumericalFailure, match="too short"):
        cross_prediction(np.cumsum(noise(800, 0)))
    found = cross_prediction(np.cumsum(noise(800, 0)), throw=False)
    assert np.isnan(found.p_value)
    assert found.cautions[-1].code == "too-few-blocks"
    assert cross_prediction(np.ones(500), throw=False).status is Status.NOT_APPLICABLE


def test_memory_is_not_made_of_steps():
    x = ar1(4000, 0.8, 1)
    stepped = x + np.repeat([0.0, 20.0], 2000)
    assert memory_within((stepped[:, None],)) == pytest.approx(9, rel=0.25)  # (1 + a) / (1 - a)
