"""Dimensions and the correlation entropy: exact answers, brute force, refusals and missing values."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, Status, Trajectory
from takens.series import correlation_dimension, embedding
from takens.series.correlation_sum import correlation_sums
from takens.series.embedding import Embedding
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
