"""Dimensions and the correlation entropy: exact answers, brute force, refusals and missing values."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status, Trajectory
from takens.series import (
    box_dimension,
    correlation_dimension,
    embedding,
    generalised_dimensions,
    higuchi_dimension,
    information_dimension,
    local_dimension,
)
from takens.series.correlation_sum import correlation_sums
from takens.series.embedding import Embedding
from takens.series.local_dimension import suveges
from takens.series.observable import delay_vectors, observable
from takens.series.slopes import jackknife_error, likelihood_slopes, slope_ensemble

from .signals import ar1, henon, lorenz


def skew_tent(n: int, seed: int = 0) -> np.ndarray:
    """Uniform density; its correlation entropy is -ln(p^2 + q^2) with p the golden section."""
    p, x = (5**0.5 - 1) / 2, float(np.random.default_rng(seed).uniform(0.1, 0.9))
    orbit = np.empty(n)
    for i in range(n):
        orbit[i] = x
        x = x / p if x < p else (1 - x) / (1 - p)
    return orbit


def fixed(dimension: int, delay: int = 1, theiler: int = 1, map_like: bool = True) -> Embedding:
    """Settings by hand, so that no criterion stands between the data and the test."""
    none = np.full(1, np.nan)
    return Embedding(
        delay=delay,
        dimension=dimension,
        settings=np.array([[dimension, delay]]),
        theiler=theiler,
        lags=np.ones(1),
        mutual_information=none,
        autocorrelation=none,
        dimensions=np.ones(1, dtype=int),
        cao_e1=none,
        cao_e2=none,
        false_neighbours=none,
        map_like=map_like,
        dt=1.0,
        time_unit="1",
        label="x",
    )


@pytest.mark.parametrize("width", [1, 2])
def test_pairs_are_those_of_brute_force(width: int) -> None:
    rng = np.random.default_rng(0)
    series = tuple(rng.normal(size=(n, width)) for n in (90, 70))
    series[0][40] = np.nan
    dims, theiler = np.array([2, 3, 4]), 5
    vectors = delay_vectors(series, 4, 2)
    found = correlation_sums(vectors, dims, theiler=theiler, n_blocks=7)
    i, j = np.triu_indices(len(vectors.clock), 1)
    apart = vectors.clock[j] - vectors.clock[i] > theiler
    i, j = i[apart], j[apart]
    block = np.empty(len(vectors.clock), dtype=int)
    for number, rows in enumerate(np.array_split(np.arange(len(block)), 7)):
        block[rows] = number
    assert found.n_pairs == len(i)
    for row, m in enumerate(dims):
        gap = np.abs(vectors.points[i] - vectors.points[j])[:, : m * width].max(axis=1)
        by_hand = (gap[:, None] < found.radii).sum(axis=0)
        np.testing.assert_array_equal(found.counts[row], by_hand)
        far = (block[i] != 3) & (block[j] != 3)
        np.testing.assert_array_equal(
            found.without[3, row], (gap[far][:, None] < found.radii).sum(axis=0)
        )
        near = block[j] - block[i] <= 1
        np.testing.assert_array_equal(
            found.near_counts[row], (gap[near][:, None] < found.radii).sum(axis=0)
        )


def test_a_part_of_the_pairs_is_a_fair_sample() -> None:
    vectors = delay_vectors((np.random.default_rng(0).normal(size=(3000, 1)),), 2, 1)
    whole = correlation_sums(vectors, np.array([1, 2]), theiler=0)
    part = correlation_sums(vectors, np.array([1, 2]), theiler=0, max_pairs=1_000_000)
    thin = correlation_sums(vectors, np.array([1, 2]), theiler=0, max_points=1000)
    assert (part.row_stride, thin.stride) == (5, 3)
    at = whole.sums > 0.05
    np.testing.assert_allclose(part.sums[at], whole.sums[at], rtol=0.05)
    np.testing.assert_allclose(thin.sums[at], whole.sums[at], rtol=0.1)


def test_slopes_and_likelihood_of_an_exact_power_law() -> None:
    log_r = np.linspace(-6, 0, 300)
    log_c = 1.7 * log_r[None].repeat(3, axis=0) + 20
    members = slope_ensemble(log_r, log_c, np.stack([log_c] * 4), np.ones((3, 300), dtype=bool))
    assert members is not None
    np.testing.assert_allclose(members.slope, 1.7, rtol=1e-9)
    assert members.value(0.9).standard_error < 1e-9
    ml = likelihood_slopes(log_r, np.exp(log_c), members.low, members.high, members.curve)
    np.testing.assert_allclose(ml, 1.7, rtol=2e-3)  # distances are known by their bin only
    nothing = np.zeros((3, 300), dtype=bool)
    assert slope_ensemble(log_r, log_c, np.stack([log_c] * 4), nothing) is None


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    x = np.random.default_rng(0).normal(size=12)
    without = (x.sum() - x) / 11
    assert jackknife_error(without) == pytest.approx(x.std(ddof=1) / np.sqrt(12), rel=1e-12)


def test_uniform_points_on_a_line_have_dimension_one_and_the_entropy_of_the_tent() -> None:
    found = correlation_dimension(skew_tent(4000), settings=fixed(2))
    assert found.dimension.value == pytest.approx(1.0, abs=0.03)
    assert found.likelihood.value == pytest.approx(1.0, abs=0.05)
    low, high = found.dimension.interval
    assert low < 1 < high
    p = (5**0.5 - 1) / 2
    exact = -np.log(p**2 + (1 - p) ** 2)
    assert found.entropy.value == pytest.approx(exact, abs=0.05)
    low, high = found.entropy.interval
    assert low < exact < high


def test_intervals_hold_the_dimension_of_chaos() -> None:
    for signal, truth in ((henon(5000), 1.216), (lorenz(4000), 2.05)):
        found = correlation_dimension(signal)
        low, high = found.dimension.interval
        assert low < truth < high
        assert high - low < 0.3 * truth
        assert found.scaling[0] < found.scaling[1]
        assert "maximum likelihood" in found.summary()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["white", "ar1", "walk"])
@pytest.mark.parametrize("n", [1000, 5000])
def test_noise_is_refused(kind: str, n: int, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=n)
    x = {"white": noise, "ar1": ar1(n, 0.95, seed), "walk": np.cumsum(noise)}[kind]
    found = correlation_dimension(x, throw=False)
    assert found.status is Status.NO_SCALING
    assert np.isnan([found.dimension.value, found.likelihood.value, found.entropy.value]).all()


def test_power_law_noise_near_in_time_is_told_by_its_crowding() -> None:
    # Osborne and Provenzale's trap: without a Theiler window an independent set of random walks
    # has a finite dimension, because every pair that is close in space is close in time.
    walks = np.cumsum(np.random.default_rng(1).normal(size=(4000, 3)), axis=0)
    found = correlation_dimension(walks, settings=fixed(1, theiler=1), throw=False)
    assert found.status is Status.NO_SCALING
    assert found.crowding > 3


def test_missing_samples_are_left_out_not_filled() -> None:
    whole = skew_tent(6000)
    rng = np.random.default_rng(0)
    for share in (0.01, 0.1, 0.4):
        x = whole.copy()
        x[rng.random(len(x)) < share] = np.nan
        found = correlation_dimension(x, settings=fixed(2))
        assert found.dimension.value == pytest.approx(1.0, abs=0.05)
    x = whole.copy()
    x[1000:2500] = np.nan
    assert correlation_dimension(x, settings=fixed(2)).dimension.value == pytest.approx(1, abs=0.04)


def test_records_and_columns_are_used_together() -> None:
    times = np.arange(2000.0)
    pair = tuple(Trajectory(times=times, states=skew_tent(2000, k)[:, None]) for k in (1, 2))
    one = correlation_dimension(pair, settings=fixed(2))
    assert one.dimension.value == pytest.approx(1.0, abs=0.05)
    view = observable(np.random.default_rng(0).uniform(size=(3000, 2)))
    assert view.n_components == 2
    square = correlation_dimension(view, settings=fixed(1), throw=False)
    assert square.status is Status.NO_SCALING  # independent points: every delay adds two


def test_too_short_a_record_for_the_settings_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Delay vectors"):
        correlation_dimension(np.sin(np.arange(60.0)), settings=fixed(4, delay=40, map_like=False))


def test_rounded_values_are_not_resolved_below_their_step() -> None:
    x = np.round(henon(5000), 2)
    found = correlation_dimension(x, settings=embedding(henon(5000)), throw=False)
    assert not found.dimension.is_finite or found.scaling[0] > 0.01 / np.std(x)


def test_a_window_that_leaves_no_pairs_is_an_answer_not_a_crash() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=1000))
    for theiler in (950, 2000):
        found = correlation_dimension(
            walk, settings=fixed(3, delay=20, theiler=theiler, map_like=False), throw=False
        )
        assert found.status is Status.NO_SCALING
        assert found.local_slopes.shape == found.correlation_sums.shape


def fractional_motion(n: int, hurst: float, seed: int) -> np.ndarray:
    """Fractional Brownian motion from its exact increments (Davies and Harte 1987)."""
    k = np.arange(n + 1.0)
    two = 2 * hurst
    cov = 0.5 * (np.abs(k + 1) ** two - 2 * k**two + np.abs(k - 1) ** two)
    size = np.maximum(np.fft.fft(np.concatenate([cov, cov[-2:0:-1]])).real, 0)
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=len(size)) + 1j * rng.normal(size=len(size))
    return np.cumsum(np.fft.fft(np.sqrt(size / len(size)) * noise).real[:n])


@pytest.mark.parametrize("hurst", [0.3, 0.5, 0.7])
def test_higuchi_of_fractional_brownian_motion_is_two_less_hurst(hurst: float) -> None:
    values, held = [], 0
    for seed in range(10):
        found = higuchi_dimension(fractional_motion(4000, hurst, seed)).dimension
        values.append(found.value)
        held += found.interval[0] <= 2 - hurst <= found.interval[1]
    assert np.mean(values) == pytest.approx(2 - hurst, abs=0.02)
    assert held >= 8


def test_higuchi_of_white_noise_is_two_and_of_a_sine_one() -> None:
    noise = np.random.default_rng(0).normal(size=4000)
    assert higuchi_dimension(noise).dimension.value == pytest.approx(2.0, abs=0.01)
    sine = np.sin(2 * np.pi * np.arange(4000) / 1000)
    assert higuchi_dimension(sine, max_lag=100).dimension.value == pytest.approx(1.0, abs=0.02)


def test_higuchi_uses_what_is_there_and_refuses_what_has_no_scaling() -> None:
    x = fractional_motion(6000, 0.5, 3)
    for share in (0.01, 0.1, 0.4):
        gone = x.copy()
        gone[np.random.default_rng(1).random(len(x)) < share] = np.nan
        if share < 0.4:
            assert higuchi_dimension(gone).dimension.value == pytest.approx(1.5, abs=0.05)
    gone = x.copy()
    gone[2000:3000] = np.nan
    assert higuchi_dimension(gone).dimension.value == pytest.approx(1.5, abs=0.05)
    short = higuchi_dimension(x[:100], throw=False)
    assert short.status is Status.TOO_SHORT
    with pytest.raises(NumericalFailure, match="No scaling"):
        higuchi_dimension(np.sin(np.arange(5000) * 0.3))
    with pytest.raises(InvalidInput, match="max_lag"):
        higuchi_dimension(x, max_lag=5000)


def test_boxes_of_an_asymmetric_cantor_set() -> None:
    # Digits 0 and 2 with shares p and 1 - p: D_q = ln(p^q + (1-p)^q) / ((1-q) ln 3).
    p, rng = 0.3, np.random.default_rng(0)
    digits = 2 * (rng.random((40_000, 30)) > p)
    x = digits @ 3.0 ** -np.arange(1, 31)
    found = generalised_dimensions(x, orders=(0, 1, 2, 3), embedding_dim=1)
    exact = [
        np.log(2) / np.log(3),
        -(p * np.log(p) + (1 - p) * np.log(1 - p)) / np.log(3),
        -np.log(p**2 + (1 - p) ** 2) / np.log(3),
        np.log(p**3 + (1 - p) ** 3) / (-2 * np.log(3)),
    ]
    for estimate, truth in zip(found.dimensions, exact, strict=True):
        assert estimate.value == pytest.approx(truth, abs=0.04)
        assert estimate.interval[0] < truth < estimate.interval[1]


def test_boxes_of_a_square_and_of_noise() -> None:
    square = np.random.default_rng(0).uniform(size=(20_000, 2))
    for door in (box_dimension, information_dimension):
        assert door(square, embedding_dim=1).dimension.value == pytest.approx(2.0, abs=0.08)
        noise = door(np.random.default_rng(1).normal(size=4000), throw=False)
        assert noise.status is Status.NO_SCALING
        assert np.isnan(noise.dimension.value)
    with pytest.raises(InvalidInput, match="orders"):
        generalised_dimensions(square, orders=(-1,), embedding_dim=1)


def test_boxes_leave_missing_samples_out() -> None:
    x = skew_tent(8000)
    x[np.random.default_rng(0).random(len(x)) < 0.1] = np.nan
    x[3000:3800] = np.nan
    found = information_dimension(x, embedding_dim=2, delay=1)
    assert found.dimension.value == pytest.approx(1.0, abs=0.06)


def test_extremal_index_of_independent_samples_and_of_repeated_ones() -> None:
    rng = np.random.default_rng(0)
    hits = np.flatnonzero(rng.random(200_000) < 0.02)
    assert suveges(hits, 0.02) == pytest.approx(1.0, abs=0.02)
    visits = np.flatnonzero(rng.random(50_000) < 0.02)
    fourfold = (4 * visits[:, None] + np.arange(4)).ravel()
    assert suveges(fourfold, 0.02) == pytest.approx(0.25, abs=0.01)
    assert np.isnan(suveges(np.array([5]), 0.02))


def test_local_dimension_of_a_square_and_of_the_cat() -> None:
    square = np.random.default_rng(0).uniform(size=(10_000, 2))
    found = local_dimension(square, embedding_dim=1, theiler=0, n_states=300)
    assert found.dimension.value == pytest.approx(2.0, abs=0.08)
    assert found.extremal_index.value == pytest.approx(1.0, abs=0.03)
    assert found.persistence.value == pytest.approx(1.0, abs=0.03)
    at = np.round(found.times).astype(int)
    inside = ((square[at] > 0.15) & (square[at] < 0.85)).all(axis=1)  # edges have another shape
    stated = float(np.mean(found.standard_errors[inside]))
    assert found.local_dimensions[inside].std() == pytest.approx(stated, rel=0.2)
    orbit, (x, y) = np.empty((10_000, 2)), (0.1234, 0.5678)
    for i in range(len(orbit)):
        x, y = (x + y) % 1, (x + 2 * y) % 1
        orbit[i] = x, y
    cat = local_dimension(orbit, embedding_dim=1, theiler=1, n_states=300)
    assert cat.dimension.value == pytest.approx(2.0, abs=0.08)
    low, high = cat.dimension.interval
    assert low < 2 < high


def test_local_dimension_of_noise_in_delays_is_refused_and_of_chaos_not() -> None:
    noise = local_dimension(np.random.default_rng(0).normal(size=4000), n_states=200, throw=False)
    assert noise.status is Status.NO_SCALING
    assert np.isnan(noise.dimension.value)
    chaos = lorenz(4000)
    found = local_dimension(chaos, n_states=200)
    assert found.dimension.value == pytest.approx(2.06, abs=0.25)
    fine, coarse = (
        local_dimension(
            x, embedding_dim=4, delay=lag, theiler=3 * lag, quantile=0.95, n_states=200
        ).extremal_index.value
        for x, lag in ((chaos, 4), (chaos[::4], 1))
    )
    assert 0 < fine < coarse - 0.1  # a visit holds fewer samples
    short = local_dimension(henon(400), n_states=50, throw=False)
    assert short.status is Status.TOO_SHORT
    with pytest.raises(InvalidInput, match="quantile"):
        local_dimension(henon(400), quantile=2.0)


def test_local_dimension_with_missing_samples_keeps_silent_about_persistence() -> None:
    x = skew_tent(8000)
    x[np.random.default_rng(0).random(len(x)) < 0.1] = np.nan
    found = local_dimension(x, embedding_dim=2, delay=1, theiler=1, n_states=200)
    assert found.dimension.value == pytest.approx(1.0, abs=0.06)
    assert np.isnan(found.persistence.value)
    assert "persistence-needs-whole-visits" in {c.code for c in found.cautions}
