"""Correlation dimension of noisy records: exact sums, known noise, and no noise where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import Status
from takens.series import correlation_dimension
from takens.series.correlation_sum import correlation_sums
from takens.series.noisy_dimension import _sums, noisy_slopes
from takens.series.observable import delay_vectors

from .signals import ar1, henon, lorenz
from .test_dimensions import fixed, skew_tent


def noisy(x: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    return x + share * x.std() * np.random.default_rng(seed).normal(size=len(x))


@pytest.mark.parametrize("width", [1, 2])
def test_euclidean_pairs_and_kernel_sums_are_those_of_brute_force(width: int) -> None:
    rng = np.random.default_rng(0)
    series = tuple(rng.normal(size=(n, width)) for n in (90, 70))
    series[0][40] = np.nan
    dims = np.array([2, 3, 4])
    vectors = delay_vectors(series, 4, 2)
    found = correlation_sums(vectors, dims, theiler=5, n_blocks=7, euclidean=True)
    i, j = np.triu_indices(len(vectors.clock), 1)
    apart = vectors.clock[j] - vectors.clock[i] > 5
    i, j = i[apart], j[apart]
    sums = _sums(found, width).at(np.array([0.3, 0.6]))
    for row, m in enumerate(dims):
        square = np.sum((vectors.points[i] - vectors.points[j])[:, : m * width] ** 2, axis=1)
        by_hand = (np.sqrt(square)[:, None] < found.radii).sum(axis=0)
        by_hand[-1] = len(i)  # the last bin holds whatever is farther
        np.testing.assert_array_equal(found.counts[row], by_hand)
        for at, h in enumerate((0.3, 0.6)):  # distances are known by their bin only
            exact = np.exp(-square / (4 * h**2)).mean()
            assert sums[0, row, at] == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("share", [0.03, 0.06])
def test_noise_is_found_and_divided_out(share: float) -> None:
    truth = share / np.sqrt(1 + share**2)
    for signal, dimension in ((henon(5000), 1.216), (lorenz(5000), 2.055)):
        found = correlation_dimension(noisy(signal, share))
        assert found.noise.value == pytest.approx(truth, rel=0.12)
        low, high = found.dimension.interval
        assert low < dimension < high
        assert found.dimension.value == pytest.approx(dimension, rel=0.1)
        assert np.isnan(found.likelihood.value)
        assert "divided out" in found.summary()
        assert any(finding.code == "noise-divided-out" for finding in found.cautions)
        assert found.scaling[0] > found.noise.value


def test_the_entropy_of_a_noisy_tent_is_that_of_the_clean_one() -> None:
    found = correlation_dimension(noisy(skew_tent(6000), 0.03), settings=fixed(2))
    p = (5**0.5 - 1) / 2
    assert found.entropy.value == pytest.approx(-np.log(p**2 + (1 - p) ** 2), rel=0.15)
    assert found.dimension.value == pytest.approx(1.0, abs=0.08)


def test_a_clean_record_has_no_noise_to_divide_out() -> None:
    for signal in (henon(3000), lorenz(3000), skew_tent(3000)):
        assert not correlation_dimension(signal).noise.is_finite
    vectors = delay_vectors((np.tile([[0.0], [1.0]], (300, 1)),), 3, 1)
    assert noisy_slopes(vectors, np.array([1, 2, 3]), theiler=1, level=0.9) is None


def test_a_noisy_process_is_not_mistaken_for_a_rule_with_noise() -> None:
    for seed in range(3):
        for x in (ar1(2500, 0.8, seed), np.exp(0.5 * ar1(2500, 0.8, seed))):
            found = correlation_dimension(x, throw=False)
            assert found.status is Status.NO_SCALING
            assert not found.dimension.is_finite


def test_gaps_do_not_change_the_noise() -> None:
    x = noisy(henon(6000), 0.05)
    x[np.random.default_rng(1).random(len(x)) < 0.05] = np.nan
    found = correlation_dimension(x, settings=fixed(3))
    assert found.noise.value == pytest.approx(0.05, rel=0.15)
    assert found.dimension.value == pytest.approx(1.216, rel=0.1)
