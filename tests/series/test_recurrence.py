"""Recurrence: streamed line counts against the matrix, closed forms, missing states, two records."""

from __future__ import annotations

import numpy as np
import pytest

from takens import Recording, Trajectory
from takens.core import InvalidInput, NumericalFailure, Status
from takens.series import (
    cross_recurrence,
    joint_recurrence,
    recurrence_plot,
    recurrence_quantification,
)
from takens.series.recurrence_lines import N_BLOCKS, count_lines, length_distribution, measures
from tests.series.signals import ar1, henon, lorenz

RNG = np.random.default_rng(2)


def runs(flags, known):
    """(length, cut ends, middle) of each run of True, by brute force."""
    found, n, k = [], len(flags), 0
    while k < n:
        if flags[k]:
            end = k
            while end < n and flags[end]:
                end += 1
            cut = int(k == 0 or not known[k - 1]) + int(end == n or not known[end])
            found.append((end - k, cut, k + (end - k) // 2))
            k = end
        k += 1
    return found


def brute_lines(x, y, near, corridor):
    """Counts by ends cut, block and length, from the whole matrix."""
    nx, ny = len(x.T), len(y.T)
    known_x, known_y = np.isfinite(x).all(axis=0), np.isfinite(y).all(axis=0)
    diagonal = np.zeros((3, N_BLOCKS + 1, min(nx, ny) + 1), int)
    vertical = np.zeros((3, N_BLOCKS + 1, ny + 1), int)
    both = known_x[:, None] & known_y[None]
    for lag in range(corridor + 1 if corridor >= 0 else 1 - nx, ny):
        i, j = max(0, -lag), max(0, lag)
        for length, cut, middle in runs(np.diagonal(near, lag), np.diagonal(both, lag)):
            touched = {(i + middle) * N_BLOCKS // nx, (j + middle) * N_BLOCKS // ny, N_BLOCKS}
            diagonal[cut, list(touched), length] += 1
    for i in np.flatnonzero(known_x):
        sides = [(0, ny)] if corridor < 0 else [(0, max(i - corridor, 0)), (i + corridor + 1, ny)]
        for low, high in sides:
            for length, cut, middle in runs(near[i, low:high], known_y[low:high]):
                touched = {i * N_BLOCKS // nx, (low + middle) * N_BLOCKS // ny, N_BLOCKS}
                vertical[cut, list(touched), length] += 1
    return diagonal, vertical


@pytest.mark.parametrize(
    ("corridor", "norm", "holes"), [(0, "euclidean", 0), (7, "maximum", 25), (-1, "euclidean", 9)]
)
def test_streamed_lines_are_those_of_the_matrix(corridor, norm, holes):
    x = np.cumsum(RNG.normal(size=(2, 190)), axis=1) / 4
    y = x.copy() if corridor >= 0 else np.cumsum(RNG.normal(size=(2, 140)), axis=1) / 4
    for z in (x, y):
        z[:, RNG.choice(140, holes, replace=False)] = np.nan
    if corridor >= 0:
        y = x.copy()
    gap = np.abs(x[:, :, None] - y[:, None, :])
    with np.errstate(invalid="ignore"):
        near = (np.sqrt((gap**2).sum(axis=0)) if norm == "euclidean" else gap.max(axis=0)) <= 1
    groups = np.array([0, 2]) if norm == "euclidean" else np.array([0, 1, 2])
    known = tuple(np.isfinite(z).all(axis=0) for z in (x, y))
    found = count_lines(x, y, groups, known, corridor)
    diagonal, vertical = brute_lines(x, y, near, corridor)
    np.testing.assert_array_equal(found.diagonal, diagonal)
    np.testing.assert_array_equal(found.vertical, vertical)
    # Pairs and steps, all and without each block.
    i, j = np.indices(near.shape)
    row, column = i * N_BLOCKS // near.shape[0], j * N_BLOCKS // near.shape[1]
    both = known[0][:, None] & known[1][None]
    pair = both & ((j - i > corridor) if corridor >= 0 else True)
    step = np.zeros_like(both)
    step[:, 1:] = both[:, 1:] & both[:, :-1]
    if corridor >= 0:
        step &= (j - i > corridor + 1) | (i - j > corridor)
    for what, counted in ((pair, found.pairs), (step, found.steps)):
        expected = [(what & ((row == k) | (column == k))).sum() for k in range(N_BLOCKS)]
        np.testing.assert_array_equal(counted, [*expected, what.sum()])


def test_measures_are_those_of_their_definitions():
    x = np.cumsum(RNG.normal(size=(1, 260)), axis=1) / 3
    x = np.concatenate([x, [[99.0]]], axis=1)  # nothing recurs with the last: few lines are cut
    near = np.abs(x.T - x) <= 1
    known = np.ones(261, bool)
    counts = count_lines(x, x, np.array([0, 1]), (known, known), 3)
    got = measures(*counts.without(-1), 2, 3)
    lines = [r for lag in range(4, 261) for r in runs(np.diagonal(near, lag), known)]
    whole = np.array([length for length, cut, _ in lines if cut == 0 and length >= 2])
    points = sum(length for length, *_ in lines)
    assert got[0] == pytest.approx(points / (257 * 258 / 2))
    inside = [(max(n - cut, 0), n >= 2) for n, cut, _ in lines]
    assert got[1] == pytest.approx(sum(n for n, ok in inside if ok) / sum(n for n, _ in inside))
    only = np.bincount(whole, minlength=len(counts.diagonal[0, -1]))
    mass = length_distribution(np.stack([only, 0 * only, 0 * only]), 2)
    assert mass @ np.arange(len(mass)) == pytest.approx(whole.mean())
    share = np.unique(whole, return_counts=True)[1] / len(whole)
    held = mass[mass > 0]
    assert -np.sum(held * np.log(held)) == pytest.approx(-np.sum(share * np.log(share)))
    assert got[6] == pytest.approx(1 / got[0])


def test_cut_lines_do_not_bias_the_distribution_of_lengths():
    # Geometric lines, seen through windows so short that most are cut.
    rng, counts = np.random.default_rng(0), np.zeros((3, 31), int)
    for _ in range(6000):
        for length, cut, _middle in runs(rng.uniform(size=30) < 0.9, np.ones(30, bool)):
            counts[cut, length] += 1
    mass = length_distribution(counts, 2)
    expected = 0.1 * 0.9 ** np.arange(28)
    assert mass[2:20] == pytest.approx(expected[:18], abs=0.006)


@pytest.mark.parametrize("p", [0.05, 0.3])
def test_independent_noise_follows_its_formulas(p):
    angle = np.random.default_rng(4).uniform(0, 2 * np.pi, 1500)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])  # every point has the same chance
    found = recurrence_quantification(ring, rate=p, dimension=1, theiler=0, shortest=3)
    q = 1 - p
    exact = {
        "recurrence_rate": p,
        "determinism": 1 - q**2 - 2 * p * q**2,
        "mean_line": 3 + p / q,
        "line_entropy": -np.log(q) - p / q * np.log(p),
        "laminarity": 1 - q**2,
        "trapping_time": 2 + p / q,
        "recurrence_time": 1 / p,
        "return_time": 1 / (p * q),
    }
    for name, value in exact.items():
        estimate = getattr(found, name)
        assert abs(estimate.value - value) < 4 * estimate.standard_error + 0.01 * value, name


def test_a_cycle_is_all_lines():
    found = recurrence_quantification(
        np.sin(0.1 * np.arange(1200)), dimension=2, delay=16, theiler=20
    )
    assert found.determinism.value == 1
    assert found.longest_line > 1000
    n, period = 1184, 20 * np.pi  # of the n / period visits, the present one is in the corridor
    assert found.return_time.value == pytest.approx((n - 41) / (n / period - 1), rel=0.005)
    assert found.divergence == 1 / found.longest_line
    assert found.mean_line.method == "lower bound"
    assert "lines-cut" in {f.code for f in found.cautions}


def test_the_plot_is_the_matrix_that_is_quantified():
    x = henon(700)
    drawn = recurrence_plot(x, dimension=2, delay=1, theiler=1, rate=0.1)
    states = np.column_stack([x[1:], x[:-1]]) / x.std()
    distance = np.sqrt(((states[:, None] - states[None]) ** 2).sum(axis=2))
    np.testing.assert_array_equal(drawn.matrix(), distance <= drawn.radius)
    apart = np.abs(np.subtract.outer(np.arange(699), np.arange(699))) > 1
    assert drawn.rate == pytest.approx((distance <= drawn.radius)[apart].mean())
    assert drawn.rate == pytest.approx(0.1, abs=0.001)
    counted = recurrence_quantification(x, dimension=2, delay=1, theiler=1, radius=drawn.radius)
    assert counted.recurrence_rate.value == pytest.approx(drawn.rate, abs=1e-12)
    assert (drawn.to_sparse() != drawn.matrix()).sum() == 0
    with pytest.raises(InvalidInput, match="at most 20000"):
        recurrence_plot(RNG.normal(size=20_100), dimension=1, theiler=0)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_missing_samples_leave_shares_and_times(share):
    x = lorenz(2500, dt=0.05, inner=8)
    settings = {"dimension": 2, "delay": 3, "theiler": 10, "norm": "maximum"}
    whole = recurrence_quantification(x, **settings)
    x[np.random.default_rng(1).uniform(size=len(x)) < share] = np.nan
    found = recurrence_quantification(x, **settings)
    for name in ("recurrence_rate", "determinism", "laminarity", "recurrence_time", "return_time"):
        a, b = getattr(whole, name), getattr(found, name)
        assert abs(a.value - b.value) < 2 * np.hypot(a.standard_error, b.standard_error), name
    assert "recurrences-with-gaps" in {f.code for f in found.cautions}
    if share == 0.4:
        assert not np.isfinite(found.mean_line.interval).any()


def test_lines_do_not_cross_gaps_or_records():
    x = np.sin(0.1 * np.arange(900))
    settings = {"dimension": 2, "delay": 16, "theiler": 20, "radius": 0.3}
    x[400:460] = np.nan
    holed = recurrence_quantification(x, **settings)
    assert holed.longest_line <= 440 - 16
    parts = (np.sin(0.1 * np.arange(300)), np.sin(0.1 * np.arange(300, 800)))
    records = Recording(
        records=tuple(Trajectory(times=np.arange(len(p) * 1.0), states=p[:, None]) for p in parts)
    )
    assert recurrence_quantification(records, **settings).longest_line <= 500 - 16


def test_two_records():
    x, y = henon(900), henon(900, a=1.38)
    settings = {"dimension": 2, "delay": 1}
    itself = cross_recurrence(x, x, radius=0.2, **settings)
    alone = recurrence_quantification(x, radius=0.2, theiler=0, **settings)
    assert itself.longest_line == 899
    n = alone.n_states
    pairs = alone.recurrence_rate.value * n * (n - 1) + n
    assert itself.recurrence_rate.value * n * n == pytest.approx(pairs)
    noise = ar1(900, 0.0, 1)
    other = cross_recurrence(x, noise, rate=0.05, **settings)
    assert (
        other.determinism.value
        < cross_recurrence(x, y, rate=0.05, **settings).determinism.value - 0.2
    )
    rates = [
        joint_recurrence(x, z, theiler=0, rate=0.1, **settings).recurrence_rate.value
        for z in (x, 3 - x, noise)
    ]
    assert rates[:2] == pytest.approx([0.1, 0.1], abs=0.002)
    assert rates[2] == pytest.approx(0.01, abs=0.002)
    with pytest.raises(InvalidInput, match="records of one length"):
        joint_recurrence(x, y[:800], **settings)
    with pytest.raises(InvalidInput, match="components"):
        cross_recurrence(x, np.column_stack([noise, x]), **settings)


def test_what_cannot_be_asked():
    x = RNG.normal(size=400)
    for wrong, words in (
        ({"rate": 0.1, "radius": 0.1}, "Give one"),
        ({"rate": 1.2}, "between 0 and 1"),
        ({"radius": 0.0}, "standard deviations"),
        ({"norm": "city"}, "'maximum'"),
        ({"theiler": -1}, "0 or more"),
        ({"shortest": 1}, "a line has 2 points"),
        ({"dimension": 0}, "positive whole number"),
    ):
        with pytest.raises(InvalidInput, match=words):
            recurrence_quantification(x, **wrong)
    with pytest.raises(InvalidInput, match="at most 200000"):
        recurrence_quantification(RNG.normal(size=200_100), dimension=1, theiler=0)
    with pytest.raises(NumericalFailure, match="does not apply"):
        recurrence_quantification(np.ones(300))
    silent = recurrence_quantification(x[:60], dimension=1, theiler=0, throw=False)
    assert silent.status is Status.TOO_SHORT
    assert np.isnan(silent.determinism.value)
    constant = joint_recurrence(x, np.ones(400), dimension=1, theiler=0, throw=False)
    assert constant.status is Status.NOT_APPLICABLE
