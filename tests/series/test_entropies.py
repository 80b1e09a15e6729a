"""Entropies of templates and patterns: brute force, closed forms, missing values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import erf

from takens import Recording, Trajectory
from takens.core import InvalidInput, NumericalFailure, Status
from takens.series import (
    fuzzy_entropy,
    multiscale_entropy,
    permutation_entropy,
    sample_entropy,
)
from tests.series.signals import ar1, logistic

RNG = np.random.default_rng(11)


def brute_counts(x, m, delay, radius, theiler):
    """Pairs of windows, without a missing value, alike in m and in m + 1 values."""
    n = len(x) - m * delay
    windows = np.array([x[i : i + m * delay + 1 : delay] for i in range(n)])
    shorter = longer = 0
    for i, j in itertools.combinations(np.flatnonzero(np.isfinite(windows).all(axis=1)), 2):
        if j - i > theiler:
            gap = np.abs(windows[i] - windows[j])
            shorter += gap[:m].max() <= radius
            longer += gap.max() <= radius
    return shorter, longer


def brute_fuzzy(x, m, radius, power, theiler):
    sums, windows = [], np.array([x[i : i + m + 1] for i in range(len(x) - m)])
    whole = np.flatnonzero(np.isfinite(windows).all(axis=1))
    for size in (m, m + 1):
        part = windows[:, :size] - windows[:, :size].mean(axis=1, keepdims=True)
        sums.append(
            sum(
                np.exp(-((np.abs(part[i] - part[j]).max() / radius) ** power))
                for i, j in itertools.combinations(whole, 2)
                if j - i > theiler
            )
        )
    return sums


@pytest.mark.parametrize(
    ("m", "delay", "theiler", "holes"), [(2, 1, 0, 0), (1, 3, 5, 30), (3, 2, 1, 9)]
)
def test_sample_entropy_counts_what_brute_force_counts(m, delay, theiler, holes):
    x = ar1(250, 0.8, 3)
    x[RNG.choice(250, holes, replace=False)] = np.nan
    found = sample_entropy(x, dimension=m, delay=delay, theiler=theiler)
    assert found.radius == pytest.approx(0.2 * np.nanstd(x), rel=1e-12)
    shorter, longer = brute_counts(x, m, delay, 0.2 * np.nanstd(x), theiler)
    assert (found.matches, found.longer_matches) == (shorter, longer)
    assert found.entropy.value == pytest.approx(np.log(shorter / longer), abs=1e-12)


@pytest.mark.parametrize(("power", "theiler", "holes"), [(2.0, 0, 0), (3.5, 4, 25)])
def test_fuzzy_entropy_sums_what_brute_force_sums(power, theiler, holes):
    x = ar1(200, 0.8, 3)
    x[RNG.choice(200, holes, replace=False)] = np.nan
    found = fuzzy_entropy(x, power=power, theiler=theiler)
    expected = brute_fuzzy(x, 2, 0.2 * np.nanstd(x), power, theiler)
    assert [found.matches, found.longer_matches] == pytest.approx(expected, rel=1e-10)


def test_many_templates_run_in_parts_and_count_the_same(monkeypatch):
    x = RNG.normal(size=5000)
    one, many = sample_entropy(x), None
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    many = sample_entropy(x)
    assert (one.matches, one.longer_matches) == (many.matches, many.longer_matches)
    order = np.sort(x)
    close = np.searchsorted(order, order + 0.2 * x.std(), side="right") - np.arange(5000) - 1
    one_value = sample_entropy(np.append(x, 0.0), dimension=1, tolerance=0.2)
    assert one_value.matches == pytest.approx(close.sum(), rel=0.01)


def test_sample_entropy_of_known_sources():
    white = sample_entropy(np.random.default_rng(0).normal(size=6000))
    low, high = white.entropy.interval
    assert low < -np.log(erf(0.1)) < high
    assert high - low < 0.1
    flat = sample_entropy(np.random.default_rng(1).uniform(size=6000))
    r = 0.2 / np.sqrt(12)
    assert flat.entropy.interval[0] < -np.log(2 * r - r**2) < flat.entropy.interval[1]
    assert sample_entropy(np.full(300, 4.0)).entropy.value == 0
    assert sample_entropy(np.tile([0.0, 3.0, 1.0, 7.0, 5.0], 60)).entropy.value == 0
    periodic = fuzzy_entropy(np.tile([0.0, 30.0, 10.0, 70.0], 60), tolerance=0.02)
    assert periodic.entropy.value == pytest.approx(0, abs=1e-9)


def test_entropy_is_free_of_units():
    x = ar1(800, 0.7, 1)
    for measure in (sample_entropy, fuzzy_entropy, permutation_entropy):
        moved = measure(1e3 * x - 70)
        assert measure(x).entropy.value == pytest.approx(moved.entropy.value, abs=1e-9)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
@pytest.mark.parametrize("measure", [sample_entropy, fuzzy_entropy, permutation_entropy])
def test_missing_samples_leave_the_entropy_of_noise(measure, share):
    x = np.random.default_rng(5).normal(size=4000)
    whole = measure(x).entropy
    x[RNG.uniform(size=len(x)) < share] = np.nan
    found = measure(x)
    assert abs(found.entropy.value - whole.value) < 4 * found.entropy.standard_error + 0.002
    assert {"bridged", "templates-with-gaps"} & {f.code for f in found.cautions}


@pytest.mark.parametrize("measure", [sample_entropy, permutation_entropy])
def test_a_gap_is_not_bridged_and_records_do_not_meet(measure):
    x = logistic(3000, 4.0)
    rest = x.copy()
    rest[1000:1500] = np.nan
    whole, holed = measure(x), measure(rest)
    assert holed.entropy.value == pytest.approx(whole.entropy.value, abs=0.03)
    records = tuple(
        Trajectory(times=np.arange(1000.0), states=part[:, None])
        for part in (x[:1000], x[1000:2000], x[2000:])
    )
    split = measure(Recording(records=records))
    assert split.entropy.value == pytest.approx(whole.entropy.value, abs=0.01)
    columns = measure(np.column_stack([x, 2 * x + 1]))
    assert columns.entropy.value == pytest.approx(whole.entropy.value, abs=1e-6)
    assert "principal-components" in {f.code for f in columns.cautions}


def test_what_cannot_be_asked():
    x = RNG.normal(size=300)
    for wrong, words in (
        ({"dimension": 0}, "positive numbers of samples"),
        ({"tolerance": 0}, "share of the standard deviation"),
        ({"theiler": -1}, "0 or more"),
    ):
        with pytest.raises(InvalidInput, match=words):
            sample_entropy(x, **wrong)
    with pytest.raises(InvalidInput, match="need 2"):
        fuzzy_entropy(x, dimension=1)
    with pytest.raises(InvalidInput, match="positive number"):
        fuzzy_entropy(x, power=-1)
    with pytest.raises(NumericalFailure, match="too short"):
        sample_entropy(x[:40], dimension=8)
    silent = sample_entropy(x[:40], dimension=8, throw=False)
    assert silent.status is Status.TOO_SHORT
    assert np.isnan(silent.entropy.value)
    assert "few-matches" in {f.code for f in sample_entropy(x[:150], dimension=2).cautions}


def test_frequencies_of_the_logistic_map_are_its_measure():
    # With x = sin^2(a), a uniform on 0 to 90 degrees, the patterns change at a = 30, 36, 54, 60, 72.
    exact = {
        (0, 1, 2): 1 / 3,
        (0, 2, 1): 1 / 15,
        (1, 0, 2): 2 / 15,
        (2, 0, 1): 4 / 15,
        (1, 2, 0): 1 / 5,
    }
    found = permutation_entropy(logistic(60_000, 4.0, 0.3123), order=3)
    seen = {tuple(p): f for p, f in zip(found.patterns, found.frequencies, strict=True) if f > 0}
    assert seen.keys() == exact.keys()
    assert [seen[k] for k in exact] == pytest.approx(list(exact.values()), abs=0.005)
    h = -sum(p * np.log(p) for p in exact.values()) / np.log(6)
    assert found.entropy.interval[0] < h < found.entropy.interval[1]


def test_ties_are_reported_and_can_be_shared():
    coin = np.random.default_rng(2).integers(0, 2, 8000).astype(float)
    first, shared = (
        permutation_entropy(coin, order=2),
        permutation_entropy(coin, order=2, ties="shared"),
    )
    assert first.tied == pytest.approx(0.5, abs=0.02)
    rising = int(np.flatnonzero((first.patterns == [0, 1]).all(axis=1))[0])
    assert first.frequencies[rising] == pytest.approx(0.75, abs=0.02)
    assert shared.frequencies == pytest.approx([0.5, 0.5], abs=0.01)
    assert "tied-patterns" in {f.code for f in first.cautions}
    flat = np.full(200, 3.0)
    assert permutation_entropy(flat, order=3).entropy.value == 0
    assert permutation_entropy(flat, order=3, ties="shared").entropy.value == 1
    x = np.round(ar1(400, 0.5, 1), 0)
    found = permutation_entropy(x, order=3, ties="shared")
    counts = dict.fromkeys(itertools.permutations(range(3)), 0.0)
    for window in np.lib.stride_tricks.sliding_window_view(x, 3):
        allowed = [p for p in counts if (np.diff(window[list(p)]) >= 0).all()]
        for p in allowed:
            counts[p] += 1 / len(allowed)
    expected = np.array([counts[tuple(p)] for p in found.patterns]) / (len(x) - 2)
    assert found.frequencies == pytest.approx(expected, abs=1e-12)
    with pytest.raises(InvalidInput, match="'order' or 'shared'"):
        permutation_entropy(coin, ties="noise")


def test_weighted_permutation_entropy_is_that_of_weighted_counts():
    x = ar1(600, 0.6, 4)
    found, weight = permutation_entropy(x, order=3), {}
    for window in np.lib.stride_tricks.sliding_window_view(x, 3):
        key = tuple(np.argsort(window))
        weight[key] = weight.get(key, 0.0) + window.var()
    p = np.array(list(weight.values())) / sum(weight.values())
    assert found.weighted.value == pytest.approx(-np.sum(p * np.log(p)) / np.log(6), abs=1e-12)
    since = np.arange(4000) % 20
    ramps = permutation_entropy(np.where(since < 8, 10 * since, 0) + RNG.normal(size=4000), order=3)
    assert ramps.weighted.value < ramps.entropy.value - 0.1


def test_multiscale_entropy_of_noise_follows_its_formula():
    x = np.random.default_rng(3).normal(size=6000)
    found = multiscale_entropy(x, scales=[1, 2, 4, 9])
    exact = -np.log(erf(0.1 * np.sqrt(found.scales)))
    for estimate, value in zip(found.entropies, exact, strict=True):
        assert abs(estimate.value - value) < 3 * estimate.standard_error
    assert found.values[0] == pytest.approx(sample_entropy(x).entropy.value, abs=1e-12)
    ordinal = multiscale_entropy(x, measure="permutation", order=3, scales=[1, 5])
    assert ordinal.values == pytest.approx([1, 1], abs=0.005)
    few = multiscale_entropy(x[:900], scales=[1, 20], measure="fuzzy")
    assert np.isnan(few.values[1])
    assert "scales-without-answer" in {f.code for f in few.cautions}
    with pytest.raises(InvalidInput, match="expected 'sample'"):
        multiscale_entropy(x, measure="shannon")
    with pytest.raises(InvalidInput, match="positive numbers"):
        multiscale_entropy(x, scales=0)
    with pytest.raises(NumericalFailure):
        multiscale_entropy(x[:60], scales=[10])


def test_intervals_cover_the_entropy_of_noise():
    hits = [0, 0]
    for seed in range(60):
        x = np.random.default_rng(100 + seed).normal(size=1200)
        low, high = sample_entropy(x).entropy.interval
        hits[0] += low < -np.log(erf(0.1)) < high
        low, high = sample_entropy(ar1(1200, 0.5, seed), dimension=1).entropy.interval
        hits[1] += low < gaussian_sample_entropy(0.5) < high
    assert min(hits) >= 46  # 54 are expected at 90 %; fewer than 46 has probability 0.001


def gaussian_sample_entropy(rho):
    """-ln of P(|u'| <= r given |u| <= r) for differences of two independent AR(1) processes."""
    from scipy.stats import multivariate_normal

    both = multivariate_normal(cov=2 * np.array([[1, rho], [rho, 1]]))
    r = 0.2
    square = both.cdf([r, r]) - 2 * both.cdf([r, -r]) + both.cdf([-r, -r])
    return float(np.log(erf(r / 2) / square))
