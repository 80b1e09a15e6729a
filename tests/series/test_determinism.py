"""Determinism, its horizon and its noise: oracles, known levels, and refusals on noise."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status
from takens.series import (
    local_global_prediction,
    noise_level,
    noise_reduction,
    prediction_error,
    time_reversal,
    zero_one_test_of_data,
)
from takens.series.kernels.nested import nested_counts
from takens.series.local_global import nested_errors
from takens.series.noise_level import lagged, schreiber
from takens.series.noise_reduction import projected
from takens.series.observable import delay_vectors
from takens.series.predictability import linear_errors
from takens.series.prediction import ratio_by_blocks
from takens.series.time_reversal import increment_skewness
from takens.series.zero_one import growth_of_displacement
from tests.series.signals import ar1, henon, logistic, lorenz

RNG = np.random.default_rng(0)
WHITE = RNG.normal(size=1500)


@pytest.fixture(scope="module")
def flow() -> np.ndarray:
    return lorenz(2500, inner=10)


def test_prediction_error_of_white_noise_is_one_and_of_a_map_grows_with_its_exponent() -> None:
    noise = prediction_error(WHITE, dimension=2, delay=1)
    assert noise.error.interval[0] < 1 < noise.error.interval[1] + 0.03
    assert noise.linear[0] == pytest.approx(1, abs=0.02)
    assert noise.persistence[0] == pytest.approx(2**0.5, abs=0.05)
    assert "below 0.5 nowhere" in noise.summary()
    chaos = prediction_error(logistic(3000, 4.0, 0.3123), dimension=1, delay=1, max_horizon=7)
    growth = np.diff(np.log(chaos.local[:5]))
    assert growth.mean() == pytest.approx(np.log(2), abs=0.12)  # errors double
    assert chaos.over_linear.interval[1] < 0.05
    assert 5 < chaos.horizon.value < 10 or np.isinf(chaos.horizon.value)


def test_linear_errors_are_those_of_least_squares() -> None:
    x = ar1(3000, 0.9, 0)
    _, errors, order = linear_errors((x[:, None],), np.array([1, 3]))
    assert order <= 4
    assert np.nanmean(errors[1]) == pytest.approx(1, rel=0.08)  # the shocks' variance
    assert np.nanmean(errors[3]) == pytest.approx(1 + 0.81 + 0.6561, rel=0.12)


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_missing_samples_cost_vectors_and_no_answer(share: float) -> None:
    x = henon(3000)
    x[np.random.default_rng(1).random(3000) < share] = np.nan
    found = prediction_error(x, dimension=2, delay=1, max_horizon=3)
    assert found.error.value < 0.2
    assert found.provenance["missing"] == pytest.approx(share, abs=0.02)


def test_forty_percent_missing_and_a_long_gap() -> None:
    x = henon(3000)
    holes = np.where(RNG.random(3000) < 0.4, np.nan, x)
    assert prediction_error(holes, dimension=2, delay=1, max_horizon=2).error.value < 0.3
    with pytest.raises(NumericalFailure, match="too short"):
        prediction_error(holes[:300], dimension=6, delay=1)
    x[1000:1600] = np.nan
    assert prediction_error(x, dimension=2, delay=1, max_horizon=2).error.value < 0.03
    two = [henon(800), henon(900, a=1.39)]
    assert np.isfinite(prediction_error(np.stack([two[0], two[1][:800]], 1)).error.value)


def test_jackknife_of_a_ratio_by_hand() -> None:
    error, spread = RNG.exponential(size=(100, 1)), RNG.exponential(size=(100, 1)) + 1
    value, low, high = ratio_by_blocks(error, spread, level=0.9)
    assert value[0] == pytest.approx(np.sqrt(error.sum() / spread.sum()))
    without = [
        0.5 * np.log(np.delete(error, b, 0).sum() / np.delete(spread, b, 0).sum())
        for b in np.array_split(np.arange(100), 10)
    ]
    reach = 1.833 * np.sqrt(0.9 * np.sum((without - np.mean(without)) ** 2))
    assert np.log(high / value)[0] == pytest.approx(reach, rel=1e-3)
    assert np.log(value / low)[0] == pytest.approx(reach, rel=1e-3)


def test_nested_fits_agree_with_least_squares_on_each_neighbourhood() -> None:
    points, targets = RNG.normal(size=(200, 2)), RNG.normal(size=(200, 1))
    states, truth = RNG.normal(size=(3, 2)), RNG.normal(size=(3, 1))
    clock, now = np.arange(200), np.array([5, 300, 400])
    sizes = np.array([8, 20, 150])
    found = nested_errors((points, targets, clock), (states, truth, now), sizes, 10)
    for row in range(3):
        allowed = np.flatnonzero(np.abs(clock - now[row]) > 10)
        order = allowed[np.argsort(np.sum((points[allowed] - states[row]) ** 2, axis=1))]
        for column, k in enumerate(sizes):
            near = order[:k]
            design = np.c_[np.ones(k), points[near]]
            fit = np.linalg.lstsq(design, targets[near], rcond=None)[0]
            expected = np.sum((truth[row] - np.r_[1, states[row]] @ fit) ** 2)
            assert found[row, column] == pytest.approx(expected, rel=1e-3)


def test_local_models_help_a_map_and_not_an_autoregression() -> None:
    chaos = local_global_prediction(henon(1500), dimension=2, delay=1)
    assert chaos.gain.interval[1] < 0.05
    assert chaos.best_share < 0.05
    linear = local_global_prediction(ar1(2000, 0.9, 0), dimension=2, delay=1)
    assert linear.gain.value > 0.95
    assert linear.best_share > 0.1
    with pytest.raises(NumericalFailure, match="too short"):
        local_global_prediction(henon(150), dimension=2, delay=1)
    with pytest.raises(InvalidInput, match="lead = 0"):
        local_global_prediction(henon(500), lead=0)


def test_skewness_of_increments_by_hand_and_its_sign() -> None:
    x = np.array([0.0, 1.0, np.nan, 4.0, 2.0])
    found = increment_skewness(x, np.array([1]))
    step = np.array([1.0, -2.0])
    assert found[0] == pytest.approx(np.mean(step**3) / np.mean(step**2) ** 1.5)
    saw = RNG.normal(size=800) * 0.1 + np.arange(800) % 13
    assert time_reversal(saw).asymmetry.interval[1] < 0
    assert time_reversal(saw[::-1]).asymmetry.interval[0] > 0


def test_time_reversal_has_its_size_and_uses_gapped_records() -> None:
    hits = sum(
        time_reversal(ar1(200, 0.6, s), lags=[1, 2], n_surrogates=19, seed=s).p_value <= 0.05
        for s in range(100)
    )
    assert 1 <= hits <= 12  # 5 expected; two-sided binomial range at 0.5 %
    holes = np.where(RNG.random(800) < 0.4, np.nan, henon(800))
    found = time_reversal(holes, n_surrogates=39)
    assert found.null == "gapped"
    assert found.p_value == 1 / 40
    with pytest.raises(InvalidInput, match="whole numbers of samples from 1"):
        time_reversal(WHITE, lags=[0, 1])
    with pytest.raises(NumericalFailure, match="too short"):
        time_reversal(WHITE[:40], lags=[1])


def test_displacement_grows_for_chaos_and_not_for_order() -> None:
    angles = np.linspace(0.7, 2.4, 40)
    assert np.median(growth_of_displacement(logistic(2000, 4.0, 0.3123) - 0.5, angles)) > 0.99
    order = np.cos(np.arange(2000) * 2.0**0.5)
    assert abs(np.median(growth_of_displacement(order, angles))) < 0.1


def test_zero_one_affirms_chaos_and_order_and_refuses_noise(flow: np.ndarray) -> None:
    assert zero_one_test_of_data(henon(1500)).kind == "chaotic"
    chaos = zero_one_test_of_data(flow)
    assert (chaos.kind, chaos.stride > 1) == ("chaotic", True)
    assert "oversampled" in {c.code for c in chaos.cautions}
    wave = np.sin(0.3 * np.arange(2000)) + 0.05 * np.random.default_rng(2).normal(size=2000)
    assert zero_one_test_of_data(wave).kind == "regular"
    for noise in (WHITE, ar1(1500, 0.7, 1)):
        found = zero_one_test_of_data(noise, delay=1, throw=False)
        assert found.status is Status.NOT_APPLICABLE
        assert np.isnan(found.k.value)
        assert "no-rule" in {c.code for c in found.cautions}
    with pytest.raises(NumericalFailure, match="does not apply"):
        zero_one_test_of_data(WHITE, delay=1)


def test_zero_one_refuses_a_bridged_record() -> None:
    holes = np.where(np.random.default_rng(3).random(2000) < 0.1, np.nan, henon(2000))
    found = zero_one_test_of_data(holes, delay=1, throw=False)
    assert found.status is Status.NOT_APPLICABLE
    assert "too-many-bridged" in {c.code for c in found.cautions}


def test_nested_counts_are_those_of_all_pairs() -> None:
    points, radii = RNG.normal(size=(150, 4)), np.geomspace(0.1, 3, 12)
    asked = np.arange(0, 150, 7)
    found = nested_counts(points, np.arange(150), asked, radii, 4, 2)
    apart = np.abs(asked[:, None] - np.arange(150)) > 4
    for m in range(2, 5):
        distance = np.abs(points[asked, None, :m] - points[None, :, :m]).max(axis=2)
        expected = [(apart & (distance <= r) & (distance < radii[-1])).sum() for r in radii]
        np.testing.assert_array_equal(found[m - 2], expected)


def test_the_curve_of_schreiber_has_its_limits() -> None:
    z = np.array([1e-4, 1.0, 5.0])
    np.testing.assert_allclose(schreiber(z), [1, 0.49259, 0], atol=1e-4)


def test_lagged_rows_leave_out_what_is_missing_and_keep_the_clock() -> None:
    x = np.arange(8.0)
    x[3] = np.nan
    rows, clock = lagged((x, np.arange(3.0)), [0, 2])
    np.testing.assert_array_equal(rows, [[2, 0], [4, 2], [6, 4], [7, 5], [2, 0]])
    assert np.diff(clock)[-1] > 1e6


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_noise_level_of_a_map(share: float) -> None:
    x = henon(3000)
    x = x + share * x.std() * np.random.default_rng(0).normal(size=3000)
    found = noise_level(x)
    truth = share / np.sqrt(1 + share**2)
    assert found.by_neighbours.value == pytest.approx(truth, rel=0.1)
    assert found.by_correlation.value == pytest.approx(truth, rel=0.15)
    assert found.share.interval[0] < truth < found.share.interval[1]
    assert found.sigma.value == pytest.approx(found.share.value * x.std(), rel=1e-6)


def test_noise_level_of_clean_gapped_and_noisy_flows(flow: np.ndarray) -> None:
    clean = noise_level(flow)
    assert clean.share.interval[0] < 1e-3
    assert clean.share.interval[1] < 0.03
    noisy = flow + 0.1 * flow.std() * np.random.default_rng(0).normal(size=len(flow))
    holes = np.where(np.random.default_rng(1).random(len(flow)) < 0.1, np.nan, noisy)
    for record in (noisy, holes):
        assert noise_level(record).share.value == pytest.approx(0.0995, rel=0.12)


def test_noise_alone_has_no_noise_level() -> None:
    for noise in (WHITE, ar1(1500, 0.9, 0)):
        found = noise_level(noise, throw=False)
        assert found.status is Status.NOT_APPLICABLE
        assert not found.share.is_finite
        assert "no-rule" in {c.code for c in found.cautions}


def test_projection_puts_points_onto_a_plane_and_keeps_their_ends() -> None:
    axes = np.array([[1.0, 2.0, -1.0, 1.0, 0.5], [0.0, 1.0, 1.0, -1.0, 2.0]])
    exact = RNG.uniform(size=(800, 2)) @ axes
    points = exact + 0.01 * RNG.normal(size=exact.shape)
    clock = np.arange(800) * 100
    move = projected(points, clock, kept=2, theiler=1)
    assert np.std((points + move - exact)[:, 1:4]) < 1.6 * np.std((points - exact)[:, [0, 4]])
    off = lambda p: np.linalg.eigvalsh(np.cov(p.T))[:3].sum()
    assert off(points + move) < 0.2 * off(points)
    assert np.abs(move)[:, [0, 4]].max() < 1e-4
    np.testing.assert_allclose(projected(exact, clock, kept=2, theiler=1), 0, atol=1e-7)


def test_noise_reduction_gains_and_stops(flow: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    for clean in (henon(2500), flow):
        noisy = 7 + 3 * (clean + 0.1 * clean.std() * rng.normal(size=len(clean)))
        noisy[500:503] = np.nan
        found = noise_reduction(noisy)
        (record,) = found.cleaned
        left = (record.states[:, 0] - 7) / 3 - clean
        before = (noisy - 7) / 3 - clean
        assert 20 * np.log10(np.nanstd(before) / np.nanstd(left)) > 6  # dB
        np.testing.assert_array_equal(np.isnan(record.states[:, 0]), np.isnan(noisy))
        assert found.removed == pytest.approx(0.0995, rel=0.2)
        assert found.left.value < 0.3 * found.noise.value
        assert abs(found.autocorrelation) < 0.3
        assert 1 <= len(found.removed_by_iteration) <= 6


def test_a_clean_record_is_left_alone_and_noise_is_not_made_a_rule() -> None:
    x = henon(2000)
    found = noise_reduction(x)
    assert np.std(found.cleaned[0].states[:, 0] - x) < 0.002 * x.std()
    refused = noise_reduction(WHITE, throw=False)
    assert refused.status is Status.NOT_APPLICABLE
    assert np.isnan(refused.cleaned[0].states).all()
    assert "nothing was removed" in refused.summary()
    with pytest.raises(NumericalFailure, match="does not apply"):
        noise_reduction(WHITE)
    with pytest.raises(InvalidInput, match="dimension = 1; the ends"):
        noise_reduction(x, dimension=1)
    with pytest.raises(InvalidInput, match="2 columns were given; give one"):
        noise_reduction(np.stack([x, x**2], axis=1))


def test_delay_vectors_of_settings_below_one_are_refused() -> None:
    with pytest.raises(InvalidInput, match="dimension = 0"):
        prediction_error(WHITE, dimension=0)
    assert delay_vectors((WHITE[:, None],), 1, 1).points.shape == (1500, 1)
