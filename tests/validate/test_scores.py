"""Scores against closed forms."""

from __future__ import annotations

from math import erf, exp, pi, sqrt

import numpy as np

from takens.validate.scores import (
    block_weights,
    crps,
    max_statistic_test,
    pit,
    proportion_interval,
    weighted_means,
)


def gaussian_crps(z):
    """Of a standard normal forecast at observation z (Gneiting and Raftery 2007)."""
    cdf, density = 0.5 * (1 + erf(z / sqrt(2))), exp(-z * z / 2) / sqrt(2 * pi)
    return z * (2 * cdf - 1) + 2 * density - 1 / sqrt(pi)


def test_crps_is_the_gaussian_closed_form():
    members = np.random.default_rng(0).normal(size=(4_000, 1))
    for z in (-1.0, 0.0, 2.5):
        np.testing.assert_allclose(crps(members, np.array([z]))[0], gaussian_crps(z), atol=0.02)


def test_crps_is_fair():
    rng = np.random.default_rng(1)
    few, truth = rng.normal(size=(3, 40_000)), rng.normal(size=40_000)
    np.testing.assert_allclose(crps(few, truth).mean(), 1 / sqrt(pi), atol=0.015)


def test_pit_is_uniform_when_calibrated_and_not_otherwise():
    rng = np.random.default_rng(2)
    members, truth = rng.normal(size=(32, 20_000)), rng.normal(size=20_000)
    shares = np.histogram(pit(members, truth, rng), 10, (0, 1))[0] / 20_000
    np.testing.assert_allclose(shares, 0.1, atol=0.01)
    narrow = np.histogram(pit(0.3 * members, truth, rng), 10, (0, 1))[0] / 20_000
    assert narrow[0] > 0.3


def test_pit_of_tied_members_is_uniform():
    rng = np.random.default_rng(3)
    ranks = pit(np.zeros((9, 5_000)), np.zeros(5_000), rng)
    np.testing.assert_allclose(np.histogram(ranks, 5, (0, 1))[0] / 5_000, 0.2, atol=0.03)


def test_block_weights_draw_every_origin_equally_often():
    weights = block_weights(50, 7, 4_000, np.random.default_rng(0))
    np.testing.assert_array_equal(weights.sum(axis=1), 50)
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.1)


def test_weighted_means_leave_out_what_is_missing():
    values = np.array([[[1.0], [np.nan], [3.0]]])
    assert weighted_means(values, np.array([[1.0, 5.0, 1.0]]))[0, 0, 0] == 2.0


def test_proportion_interval_is_wilsons():
    low, high = proportion_interval(3, 20, 0.95)
    np.testing.assert_allclose((low, high), (0.0524, 0.3604), atol=5e-4)
    assert proportion_interval(20, 20, 0.9)[1] == 1.0


def test_max_statistic_keeps_its_level():
    rejected = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        gains = rng.normal(size=(4, 2, 80, 5))
        gains[:, 1] = gains[:, 0]  # one reference: the least favourable case
        statistic, critical = max_statistic_test(gains, block_weights(80, 4, 200, rng), 0.05, 4)
        rejected += (statistic > critical).any()
    assert rejected <= 13  # 5 % nominal, plus three standard errors of 120 trials


def test_max_statistic_finds_a_gain():
    rng = np.random.default_rng(0)
    gains = rng.normal(size=(2, 2, 80, 3))
    gains[1] += 1.0
    statistic, critical = max_statistic_test(gains, block_weights(80, 4, 200, rng), 0.05, 4)
    assert (statistic[1] > critical).all()
