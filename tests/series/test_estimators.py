"""Exact values, closed forms and oracles for the estimators on observations alone."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status, Trajectory
from takens.series import (
    correlation_dimension,
    eckmann_ruelle_ceiling,
    embedding,
    largest_lyapunov,
    permutation_entropy,
    spectrum,
    stationarity,
    surrogate_test,
)
from takens.series.embedding import autocorrelation, mutual_information
from takens.series.lines import fit_lines
from takens.series.nulls.fourier import iaaft, matched_ends, phase_randomised
from takens.series.observable import delay_vectors, neighbours, observable
from takens.series.prediction import local_prediction_error, time_asymmetry
from takens.series.stationarity import dickey_fuller, kpss
from takens.series.surrogates import monte_carlo_p
from tests.series.signals import ar1, henon, logistic, lorenz


def test_neighbours_agree_with_brute_force_and_respect_the_theiler_window() -> None:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(600, 2)), axis=0)  # near in space means near in time
    clock = np.arange(600)
    distances, indices = neighbours(walk, clock, walk, clock, k=3, theiler=40)
    full = np.linalg.norm(walk[:, None] - walk[None], axis=2)
    full[np.abs(clock[:, None] - clock[None]) <= 40] = np.inf
    expected = np.sort(full, axis=1)[:, :3]
    np.testing.assert_allclose(distances, expected, rtol=1e-6, atol=1e-6)
    assert (np.abs(indices - clock[:, None])[indices >= 0] > 40).all()


def test_delay_vectors_never_pair_across_a_break() -> None:
    vectors = delay_vectors((np.arange(10.0)[:, None], np.arange(100.0, 108.0)[:, None]), 2, 3)
    np.testing.assert_array_equal(vectors.points[:, 0] - vectors.points[:, 1], 3.0)
    ahead = vectors.successors(2)
    seen = ahead >= 0
    step = vectors.points[ahead[seen], 0] - vectors.points[seen, 0]
    np.testing.assert_array_equal(step, 2.0)
    assert (~seen).sum() == 4  # two rows at the end of each stretch


def test_autocorrelation_of_an_autoregression() -> None:
    x = ar1(200_000, 0.8, 1)
    np.testing.assert_allclose(autocorrelation(x, 3), [1, 0.8, 0.64, 0.512], atol=0.01)


def test_mutual_information_of_a_gaussian_pair() -> None:
    x = ar1(100_000, 0.8, 2)
    exact = -0.5 * np.log(1 - 0.8**2)
    found = mutual_information(x, np.array([1]))[0]
    assert 0.95 * exact < found < exact  # a partition can only lose information
    noise = np.random.default_rng(0).normal(size=5000)
    assert abs(mutual_information(noise, np.array([1]))[0]) < 0.01


@pytest.mark.parametrize(
    ("signal", "truth"), [(logistic(4000, 4.0, 0.3123), np.log(2)), (henon(4000), 0.41922)]
)
def test_exponent_of_maps(signal: np.ndarray, truth: float) -> None:
    found = largest_lyapunov(signal).exponent
    assert found.value == pytest.approx(truth, rel=0.05)
    assert found.interval[0] < found.value < found.interval[1]


def test_exponent_scales_with_the_time_unit_and_not_with_the_amplitude() -> None:
    x = henon(2000)
    base = largest_lyapunov(x)
    slow = largest_lyapunov(Trajectory(times=np.arange(2000) * 0.1, states=1e6 * x[:, None] + 7))
    assert slow.exponent.value == pytest.approx(10 * base.exponent.value, rel=1e-4)
    assert slow.doubling_time.value == pytest.approx(np.log(2) / slow.exponent.value)


def test_exponent_of_a_flow() -> None:
    x = lorenz(3000)
    found = largest_lyapunov(Trajectory(times=np.arange(3000) * 0.05, states=x[:, None]))
    assert found.exponent.value == pytest.approx(0.9056, rel=0.12)
    low, high = found.exponent.interval
    assert low < 0.9056 < high


def test_exponent_of_a_torus_is_zero() -> None:
    t = np.arange(3000)
    found = largest_lyapunov(np.sin(0.31 * t) + np.sin(0.31 * np.sqrt(2) * t))
    assert abs(found.exponent.value) < 0.005
    assert not found.doubling_time.is_finite


def test_too_short_a_record_has_no_exponent() -> None:
    with pytest.raises(NumericalFailure, match="too short"):
        largest_lyapunov(np.random.default_rng(0).normal(size=40))
    result = largest_lyapunov(np.random.default_rng(0).normal(size=40), throw=False)
    assert result.status is Status.TOO_SHORT
    assert np.isnan(result.exponent.value)
    assert "none" in result.summary()


@pytest.mark.parametrize(
    ("signal", "truth", "slack"),
    [
        (henon(5000), 1.22, 0.06),
        (lorenz(5000), 2.05, 0.12),
        (np.sin(0.2718 * np.arange(3000)), 1.0, 0.05),
    ],
)
def test_correlation_dimension(signal: np.ndarray, truth: float, slack: float) -> None:
    found = correlation_dimension(signal).dimension
    assert found.value == pytest.approx(truth, abs=slack)


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_correlation_dimension(seed: int) -> None:
    result = correlation_dimension(np.random.default_rng(seed).normal(size=3000), throw=False)
    assert result.status is Status.NO_SCALING
    assert np.isnan(result.dimension.value)


def test_ceiling_is_two_decades_per_dimension() -> None:
    assert eckmann_ruelle_ceiling(10_000) == pytest.approx(8.0)


def test_permutation_entropy_of_known_sources() -> None:
    rising = permutation_entropy(np.arange(500.0))
    assert rising.entropy.value == pytest.approx(0.0, abs=1e-9)
    assert rising.missing == pytest.approx(23 / 24)
    # The fully developed logistic map never falls three times: one pattern in six is missing.
    full = permutation_entropy(logistic(20_000, 4.0, 0.3123), order=3)
    assert full.missing == pytest.approx(1 / 6)
    with pytest.raises(InvalidInput, match="order = 9"):
        permutation_entropy(np.arange(500.0), order=9)


def test_dickey_fuller_and_kpss_against_statsmodels() -> None:
    tools = pytest.importorskip("statsmodels.tsa.stattools", reason="oracle not installed")
    for seed in range(3):
        x = ar1(400, 0.9, seed)
        ours, p = dickey_fuller(x, 4)
        with warnings.catch_warnings():  # the peer announces changes and ends of its own tables
            warnings.simplefilter("ignore")
            theirs = tools.adfuller(x, maxlag=4, autolag=None)
            level = tools.kpss(x, nlags=6)[0]
        assert ours == pytest.approx(theirs[0], rel=1e-6)
        assert p == pytest.approx(theirs[1], abs=0.02)
        assert kpss(x, 6) == pytest.approx(level, rel=1e-6)


def test_stationarity_tells_walk_drift_and_variance_apart() -> None:
    rng = np.random.default_rng(3)
    assert stationarity(np.cumsum(rng.normal(size=2000))).wanders
    assert stationarity(rng.normal(size=2000) + np.linspace(0, 4, 2000)).drifts
    assert stationarity(rng.normal(size=2000) * np.linspace(0.3, 3, 2000)).changes_variance
    bursts = rng.normal(size=2000) * np.where(np.arange(2000) // 200 % 2, 3.0, 0.5)
    waxing = stationarity(bursts)
    assert waxing.uneven
    assert not waxing.changes_variance
    assert any(f.code == "uneven-variance" for f in waxing.cautions)
    quiet = stationarity(ar1(2000, 0.7, 4))
    assert not (quiet.wanders)
    assert not (quiet.drifts)
    assert not (quiet.changes_variance)


def test_period_of_a_line_in_noise() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(2000) * 0.1
    x = np.sin(2 * np.pi * t / 3.7) + rng.normal(size=2000)
    found = spectrum(Trajectory(times=t, states=x[:, None]))
    period = found.periods[0]
    assert period.interval[0] <= 3.7 <= period.interval[1]
    assert period.value == pytest.approx(3.7, rel=0.01)


@pytest.mark.parametrize("coefficient", [0.0, 0.9])
def test_red_and_white_noise_have_no_period(coefficient: float) -> None:
    hits = sum(bool(spectrum(ar1(1000, coefficient, s)).periods) for s in range(20))
    assert hits <= 2


def test_power_integrates_to_the_variance() -> None:
    found = spectrum(ar1(4096, 0.5, 0))
    step = found.frequency[1] - found.frequency[0]
    assert found.power.sum() * step == pytest.approx(1.0, rel=0.05)


def test_lines_are_recovered_and_foretell() -> None:
    t = np.arange(1500)
    rng = np.random.default_rng(1)
    x = np.sin(0.3 * t) + 0.5 * np.cos(0.3 * np.sqrt(3) * t) + 0.1 * rng.normal(size=1500)
    lines = fit_lines(x)
    expected = np.array([0.3, 0.3 * np.sqrt(3)]) / (2 * np.pi)
    assert np.abs(lines.frequencies[:2] - expected).max() < 1e-5
    assert (np.abs(lines.frequencies[:2] - expected) < 4 * lines.frequency_errors[:2]).all()
    assert lines.unexplained_outside < 0.03


def test_a_noisy_resonance_is_not_a_line() -> None:
    rng = np.random.default_rng(2)
    x = np.zeros(3000)
    for i in range(2, 3000):
        x[i] = 1.94 * x[i - 1] - 0.98 * x[i - 2] + rng.normal()
    assert fit_lines(x).unexplained_outside > 0.7


def test_surrogates_keep_what_they_promise() -> None:
    x = np.exp(0.5 * ar1(2000, 0.8, 0))
    made = iaaft(x, 3, np.random.default_rng(0))
    for surrogate in made:
        np.testing.assert_array_equal(np.sort(surrogate), np.sort(x))
        gap = np.abs(np.fft.rfft(surrogate)) - np.abs(np.fft.rfft(x))
        assert np.sum(gap[1:] ** 2) < 1e-3 * np.sum(np.abs(np.fft.rfft(x - x.mean())) ** 2)
    assert np.corrcoef(made[0], x)[0, 1] < 0.2
    exact = phase_randomised(x, 2, np.random.default_rng(0))
    np.testing.assert_allclose(
        np.abs(np.fft.rfft(exact[0])), np.abs(np.fft.rfft(x)), rtol=1e-8, atol=1e-8
    )


def test_multivariate_surrogates_keep_the_cross_correlation() -> None:
    x = ar1(3000, 0.7, 0)
    pair = np.stack([x, np.roll(x, 2) + 0.3 * ar1(3000, 0.2, 1)], axis=1)
    (made,) = iaaft(pair, 1, np.random.default_rng(0))
    lag = lambda z: np.corrcoef(z[:-2, 0], z[2:, 1])[0, 1]
    assert lag(made) == pytest.approx(lag(pair), abs=0.05)
    alone = iaaft(pair[:, 0], 1, np.random.default_rng(0))[0]
    assert abs(lag(np.stack([alone, pair[:, 1]], axis=1))) < 0.2


def test_matched_ends_removes_the_jump() -> None:
    walk = np.cumsum(np.random.default_rng(1).normal(size=2000))
    start, stop = matched_ends(walk)
    assert abs(walk[stop - 1] - walk[start]) < abs(walk[-1] - walk[0])
    assert stop - start > 1500


def test_monte_carlo_p_counts_ranks() -> None:
    drawn = np.arange(1.0, 20.0)
    assert monte_carlo_p(0.0, drawn, "less") == pytest.approx(1 / 20)
    assert monte_carlo_p(0.0, drawn, "greater") == pytest.approx(1.0)
    assert monte_carlo_p(25.0, drawn, "two-sided") == pytest.approx(2 / 20)
    assert np.isnan(monte_carlo_p(np.nan, drawn, "less"))


def test_surrogate_test_has_its_size_on_a_linear_process() -> None:
    statistic = lambda x: time_asymmetry(x, (1, 2))
    hits = sum(
        surrogate_test(ar1(300, 0.6, s), statistic, alternative="greater", n_surrogates=19,
                       seed=s).p_value <= 0.05
        for s in range(100)
    )  # fmt: skip
    assert 1 <= hits <= 12  # 5 expected; two-sided binomial range at 0.5 %


def test_prediction_error_of_noise_is_one_and_of_a_map_is_small() -> None:
    noise = np.random.default_rng(0).normal(size=(4000, 1))
    vectors = delay_vectors((noise,), 2, 1)
    assert local_prediction_error(vectors, lead=1, theiler=1) == pytest.approx(1.0, abs=0.06)
    vectors = delay_vectors((henon(4000)[:, None],), 2, 1)
    assert local_prediction_error(vectors, lead=1, theiler=1) < 0.03


def test_embedding_of_known_systems() -> None:
    found = embedding(henon(3000))
    assert (found.map_like, found.delay, found.dimension) == (True, 1, 2)
    flow = embedding(lorenz(4000))
    assert not flow.map_like
    assert flow.dimension in (3, 4)
    assert 2 <= flow.delay <= 6
    assert len({tuple(s) for s in flow.settings}) == len(flow.settings) > 1


def test_several_columns_are_reduced_to_components() -> None:
    x = ar1(1000, 0.8, 0)
    rng = np.random.default_rng(0)
    table = np.stack([x + 0.1 * rng.normal(size=1000) for _ in range(6)], axis=1)
    view = observable(table)
    assert view.n_components == 1
    assert any(f.code == "principal-components" for f in view.findings)


def test_delay_vectors_leave_out_missing_values_and_find_their_successors() -> None:
    x = np.arange(60.0)[:, None]
    x[[20, 33]] = np.nan
    found = delay_vectors((x, x), 3, 4)
    assert np.isfinite(found.points).all()
    assert len(found.clock) == 2 * (60 - 8 - 6)
    ahead = found.successors(5)
    reached = ahead >= 0
    np.testing.assert_array_equal(found.points[ahead[reached]], found.points[reached] + 5)
    lost = set(found.points[~reached, 0] + 5)
    assert lost == {20, 24, 28, 37, 41, 60, 61, 62, 63, 64}  # 33 would follow a missing one


def test_an_observable_knows_what_is_missing() -> None:
    x = np.random.default_rng(0).normal(size=400)
    whole = observable(x)
    assert whole.gapped[0] is whole.series[0]
    assert whole.missing == 0
    x[[10, 11, 50]] = np.nan
    holed = observable(x)
    assert len(holed.series[0]) == 400
    assert np.flatnonzero(np.isnan(holed.gapped[0][:, 0])).tolist() == [10, 11, 50]
    np.testing.assert_allclose(holed.missing, 3 / 400)
