"""Sums for linear regressions: soundness far from zero, merging, blocks, bounded memory."""

import itertools
import tracemalloc

import numpy as np
import pytest

from takens.core import InvalidInput
from takens.learn.moments import MomentBlocks, Moments, accumulated, moments, with_intercept


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(5_000, 4)) @ rng.normal(size=(4, 4)) + [0, 3, -2, 100]
    return a, a @ rng.normal(size=(4, 2)) + rng.normal(size=(5_000, 2))


def test_sums_are_those_of_all_rows_at_once(rows):
    a, y = rows
    sums = Moments.empty(4, 2)
    for lo, hi in ((0, 1), (1, 700), (700, 700), (700, 5_000)):
        sums = sums.update(a[lo:hi], y[lo:hi])
    np.testing.assert_allclose(sums.gram, a.T @ a, rtol=1e-12)
    np.testing.assert_allclose(sums.cross, a.T @ y, rtol=1e-12)
    np.testing.assert_allclose(sums.square, y.T @ y, rtol=1e-12)
    assert sums.count == 5_000
    np.testing.assert_allclose(sums.solve(), np.linalg.lstsq(a, y, rcond=None)[0], rtol=1e-9)
    w = sums.solve()
    np.testing.assert_allclose(
        sums.residual_covariance(w), (y - a @ w).T @ (y - a @ w) / 5_000, rtol=1e-9
    )


def test_updating_leaves_the_old_sums_as_they_were(rows):
    a, y = rows
    first = Moments.empty(4, 2).update(a[:100], y[:100])
    before = first.gram.copy()
    first.update(a, y)
    first + first
    np.testing.assert_array_equal(first.gram, before)
    assert first.count == 100


def test_merging_does_not_depend_on_the_order(rows):
    a, y = rows
    parts = [Moments.empty(4, 2).update(a[i::3], y[i::3]) for i in range(3)]
    one, two = parts[0] + parts[1] + parts[2], parts[2] + (parts[0] + parts[1])
    np.testing.assert_allclose(one.gram, two.gram, rtol=1e-12)
    np.testing.assert_allclose(one.gram, a.T @ a, rtol=1e-12)


def test_a_large_mean_costs_no_digits():
    """Plain sums of squares lose every digit of the slope here."""
    rng = np.random.default_rng(1)
    x = 1e8 + rng.normal(size=(50_000, 1))
    y = 2.0 * (x - 1e8) + 3.0
    sums = moments(lambda part: part, x, y).centred()
    assert float(sums.solve()[0, 0]) == pytest.approx(2.0, abs=1e-6)
    naive = (x * y).sum() - x.sum() * y.sum() / len(x)
    assert abs(naive / ((x**2).sum() - x.sum() ** 2 / len(x)) - 2.0) > 1e-2


def test_weights_of_blocks_are_repetitions_of_rows(rows):
    a, y = rows
    edges = np.arange(0, 5_001, 500)
    parts = [slice(lo, hi) for lo, hi in itertools.pairwise(edges)]
    blocks = MomentBlocks.of([Moments.empty(4, 2).update(a[s], y[s]) for s in parts])
    weights = np.array([0, 2, 1, 1, 3, 0, 0, 1, 1, 1])
    picked = np.concatenate(
        [np.arange(5_000)[s] for s, n in zip(parts, weights, strict=True) for _ in range(n)]
    )
    drawn = blocks.weighted(weights)
    np.testing.assert_allclose(drawn.gram, a[picked].T @ a[picked], rtol=1e-12)
    np.testing.assert_allclose(drawn.cross, a[picked].T @ y[picked], rtol=1e-12)
    assert drawn.count == len(picked)
    np.testing.assert_allclose(blocks.total.gram, a.T @ a, rtol=1e-12)
    w = np.ones((4, 2))
    expected = [a[s].T @ (y[s] - a[s] @ w) for s in parts]
    np.testing.assert_allclose(blocks.scores(w), expected, rtol=1e-9, atol=1e-6)


def test_a_part_is_the_smaller_regression(rows):
    a, y = rows
    chosen = np.array([3, 1])
    part = moments(lambda r: r, a, y).part(chosen)
    expected = np.linalg.lstsq(a[:, chosen], y, rcond=None)[0]
    np.testing.assert_allclose(part.solve(), expected, rtol=1e-9)


def test_a_million_rows_need_the_memory_of_one_chunk():
    """All twelve features at once would take 96 MB."""
    x = np.random.default_rng(0).normal(size=(1_000_000, 3))
    powers = [(i, j, k) for i in range(3) for j in range(2) for k in range(2)]

    def features(part):
        return np.stack([part[:, 0] ** i * part[:, 1] ** j * part[:, 2] ** k
                         for i, j, k in powers], axis=1)  # fmt: skip

    tracemalloc.start()
    sums = moments(features, x, x[:, :1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sums.count == 1_000_000
    assert peak < 10e6


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InvalidInput, match="expected the same number of rows"):
        Moments.empty(2, 1).update(np.ones((3, 2)), np.ones((2, 1)))
    with pytest.raises(InvalidInput, match="no rows"):
        accumulated(())


def test_no_rows_change_nothing():
    sums = moments(with_intercept, np.ones((5, 1)), np.ones((5, 1)))
    same = sums.update(np.empty((0, 2)), np.empty((0, 1)))
    np.testing.assert_array_equal(sums.gram, same.gram)
