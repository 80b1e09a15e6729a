"""Finite-size exponents: a brute-force oracle, a closed form, and the slope that noise has."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, Status, Trajectory
from takens.series import embedding, finite_size_lyapunov
from takens.series.kernels.following import growth_times
from tests.series.signals import henon, lorenz


def test_times_agree_with_brute_force_on_exponential_growth() -> None:
    # Two orbits that part as exp(rate t): every growth takes ln(ratio) / rate, interpolated.
    rate, n = 0.11, 120
    first = np.zeros(n)
    second = 1e-3 * np.exp(rate * np.arange(n))
    series = np.concatenate([first, second, np.full(200, np.nan)])[:, None]
    scales = np.log(1e-3) + 0.05 + 0.4 * np.arange(12)
    times, counts = np.zeros(11), np.zeros(11, dtype=np.int64)
    starts, partners = np.array([0]), np.array([n])
    growth_times(series, starts, partners, np.array([0]), scales, n, times, counts)
    np.testing.assert_array_equal(counts, 1)
    np.testing.assert_allclose(times, 0.4 / rate, rtol=1e-9)


def test_a_pair_is_followed_across_a_gap() -> None:
    series = np.concatenate([np.zeros(60), 1e-3 * np.exp(0.1 * np.arange(60)), np.full(99, np.nan)])
    series[60 + 20 : 60 + 23] = np.nan
    scales = np.log(1e-3) + 0.05 + 0.4 * np.arange(12)
    times, counts = np.zeros(11), np.zeros(11, dtype=np.int64)
    growth_times(
        series[:, None], np.array([0]), np.array([60]), np.array([0]), scales, 60, times, counts
    )
    np.testing.assert_array_equal(counts, 1)
    np.testing.assert_allclose(times, 0.4 / 0.1, rtol=1e-9)


def test_rate_of_a_flow_is_level_at_small_scales_and_falls_at_large() -> None:
    data = Trajectory(times=0.05 * np.arange(5000), states=lorenz(5000)[:, None])
    found = finite_size_lyapunov(data)
    known = np.isfinite(found.rates)
    small = np.median(found.rates[known & (found.scales > 0.1) & (found.scales < 0.5)])
    assert 0.6 < small < 1.8
    assert found.rates[known][-1] < small
    assert (found.intervals[known, 0] <= found.rates[known]).all()
    assert "standard deviations" in found.summary()


def test_rate_of_noise_grows_towards_small_scales() -> None:
    noise = np.random.default_rng(0).normal(size=4000)
    plane = embedding(henon(4000))  # two coordinates, so that neighbours of noise are near
    found = finite_size_lyapunov(noise, settings=plane)
    chaos = finite_size_lyapunov(henon(4000), settings=plane)
    known = np.flatnonzero(np.isfinite(found.rates))
    assert found.rates[known[0]] > 2 * found.rates[known[-1]]
    assert found.rates[known[0]] > 2 * np.nanmax(chaos.rates)
    level = chaos.rates[(chaos.scales > 0.02) & (chaos.scales < 0.2)]
    np.testing.assert_allclose(level, 0.4192, rtol=0.2)


def test_missing_samples_and_wrong_questions() -> None:
    x = lorenz(5000)
    x[np.random.default_rng(0).random(5000) < 0.1] = np.nan
    found = finite_size_lyapunov(Trajectory(times=0.05 * np.arange(5000), states=x[:, None]))
    assert np.isfinite(found.rates).any()
    with pytest.raises(InvalidInput, match="ratio = 1"):
        finite_size_lyapunov(x, ratio=1.0)
    assert finite_size_lyapunov(np.ones(300), throw=False).status is Status.TOO_SHORT
