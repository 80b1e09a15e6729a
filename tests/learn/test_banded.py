"""Banded covariances of projected equations against dense ones."""

import itertools

import numpy as np
import pytest

from takens.learn.regression.banded import BandedFactors
from takens.learn.regression.projection import JITTER, gathered
from takens.learn.regression.weak import bumps, intervals

VARIANCE = np.array([0.3, 1.2])


def pieces(kind, uneven):
    """Test functions on two pieces of a record, the second twice as densely sampled."""
    rng = np.random.default_rng(2)
    step = np.r_[np.full(60, 0.1), np.full(90, 0.05)] * (
        rng.uniform(0.5, 1.5, 150) if uneven else 1
    )
    times = np.cumsum(step)
    found = []
    for rows in (slice(0, 60), slice(60, 150)):
        t = times[rows]
        found.append(intervals(t, rows) if kind == "integral" else bumps(t, rows, 0.9))
    return found


def dense(piece):
    return piece.matrix(piece.inner).toarray(), piece.matrix(piece.outer).toarray()


def joined(kind, uneven):
    (whole,) = gathered(pieces(kind, uneven), 10**6)
    return whole


def unbanded(band):
    """A symmetric matrix from its lower band."""
    lower = sum(np.diag(row[: len(row) - s], -s) for s, row in enumerate(band))
    return np.tril(lower) + np.tril(lower, -1).T


CASES = pytest.mark.parametrize(
    ("kind", "uneven"), [("weak", False), ("weak", True), ("integral", False), ("integral", True)]
)


@CASES
def test_covariance_is_that_of_filtered_noise(kind, uneven):
    whole = joined(kind, uneven)
    tests, samples = whole.shape
    rng = np.random.default_rng(0)
    slopes = rng.normal(size=(samples, 2, 2))
    error = rng.uniform(0.01, 0.1, size=(tests, 2))
    factors = whole.factors(slopes, VARIANCE, error)
    inner, outer = dense(whole)
    for i in range(2):
        filters = np.zeros((2, tests, samples))
        for j in range(2):
            filters[j] = (i == j) * outer - inner * slopes[:, i, j]
        total = sum(v * f @ f.T for v, f in zip(VARIANCE, filters, strict=True))
        mean = np.concatenate([np.full(n, np.trace(part) / n) for n, part in _blocks(total, whole)])
        total += np.diag(error[:, i] + JITTER * mean)
        half = np.tril(unbanded(factors.lower[i]))
        np.testing.assert_allclose(half @ half.T, total, atol=1e-12 * total.max())
        np.testing.assert_allclose(
            whole.responses(i, slopes, VARIANCE, np.eye(tests)).reshape(2, samples, tests),
            np.sqrt(VARIANCE)[:, None, None] * np.moveaxis(filters, 1, 2),
            atol=1e-14,
        )


def _blocks(matrix, whole):
    edges = np.r_[0, np.cumsum(whole.parts)]
    for a, b in itertools.pairwise(edges):
        yield b - a, matrix[a:b, a:b]


@CASES
def test_inverse_and_traces_are_those_of_the_dense_matrix(kind, uneven):
    whole = joined(kind, uneven)
    slopes = np.random.default_rng(1).normal(size=(whole.shape[1], 2, 2))
    factors = whole.factors(slopes, VARIANCE, np.full((whole.shape[0], 2), 0.05))
    band, inner_outer = factors.inverse(), dense(whole)
    traces = whole.traces(band)
    for i in range(2):
        half = np.tril(unbanded(factors.lower[i]))
        inverse = np.linalg.inv(half @ half.T)
        for s, row in enumerate(band[i]):
            np.testing.assert_allclose(row[: len(row) - s], np.diag(inverse, -s), atol=1e-10)
        inner, outer = inner_outer
        for found, (a, b) in zip(
            traces[:, i], ((inner, inner), (inner, outer), (outer, outer)), strict=True
        ):
            np.testing.assert_allclose(found, np.diag(a.T @ inverse @ b), atol=1e-10)
        rows = np.random.default_rng(3).normal(size=(whole.shape[0], 3))
        white = factors.whitened(i, rows)
        np.testing.assert_allclose(half @ white, rows, atol=1e-11)
        np.testing.assert_allclose(factors.weighted(i, white), inverse @ rows, atol=1e-9)


@CASES
def test_pieces_together_are_the_pieces_alone(kind, uneven):
    alone = list(gathered(pieces(kind, uneven), 1))
    assert len(alone) == 2
    whole = joined(kind, uneven)
    bands = [p.factors(None, VARIANCE, np.zeros((p.shape[0], 2))).lower for p in alone]
    together = whole.factors(None, VARIANCE, np.zeros((whole.shape[0], 2))).lower
    for i in range(2):
        start = 0
        for band in bands:
            n = band.shape[2]
            np.testing.assert_allclose(
                together[i, : band.shape[1], start : start + n], band[i], atol=1e-13
            )
            start += n


def test_covariances_without_a_factor_are_refused():
    lower = np.ones((1, 2, 4))
    lower[0, 0, 2] = 0.0
    with pytest.raises(np.linalg.LinAlgError, match="no factor"):
        BandedFactors(lower=lower, parts=np.array([4])).whitened(0, np.ones((4, 1)))


def test_a_group_holds_what_it_has_room_for():
    times = 0.1 * np.arange(40_000)
    rows = [slice(a, a + 400) for a in range(0, 40_000, 400)]
    groups = list(gathered((intervals(times[r], r) for r in rows), 10_000))
    assert len(groups) == 25  # four pieces of 399 windows of six
    assert sum(g.shape[0] for g in groups) == 100 * 399
    assert all(g.inner.size <= 10_000 for g in groups)
