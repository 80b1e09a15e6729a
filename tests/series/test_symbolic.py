"""Entropies and complexities of symbols and spectra: closed forms, brute force, refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import ndtr

from takens.core import InvalidInput, NumericalFailure, Status
from takens.series import (
    dispersion_entropy,
    lempel_ziv_complexity,
    slope_entropy,
    spectral_entropy,
    statistical_complexity,
)
from takens.series.complexity import complexity_limits, jensen_complexity
from takens.series.kernels.automaton import exhaustive_phrases
from takens.series.spectral_entropy import lagged_sums
from tests.series.signals import ar1, logistic

RNG = np.random.default_rng(8)


def brute_phrases(text):
    """Each phrase is the shortest that has not occurred, overlaps with itself allowed."""
    count, start = 0, 0
    while start < len(text):
        end = start + 1
        while end <= len(text) and text[start:end] in text[: end - 1]:
            end += 1
        count, start = count + 1, end
    return count


@pytest.mark.parametrize("symbols", [2, 3, 5])
def test_phrases_are_those_of_brute_force(symbols):
    for n, memory in itertools.product((1, 2, 7, 60, 300), (0.0, 0.8)):
        codes = RNG.integers(0, symbols, n)
        for i in range(3, n):
            if RNG.uniform() < memory:
                codes[i] = codes[i - 3]
        text = "".join(map(str, codes))
        assert exhaustive_phrases(codes, symbols) == brute_phrases(text)
    # The example of Kaspar and Schuster: 0.001.10.100.1000.101 has six phrases.
    assert exhaustive_phrases(np.array([int(c) for c in "0001101001000101"]), 2) == 6


def test_lempel_ziv_of_known_sources():
    bits = np.random.default_rng(1).integers(0, 2, 20_000)
    found = lempel_ziv_complexity(bits)
    assert found.complexity.interval[0] < 1 < found.complexity.interval[1]
    assert found.classical == pytest.approx(1, abs=0.06)
    assert lempel_ziv_complexity(np.tile([0.0, 1.0], 2000)).phrases == 3
    assert lempel_ziv_complexity(np.sin(0.05 * np.arange(5000))).complexity.value < 0.1
    full = lempel_ziv_complexity(logistic(20_000, 4.0, 0.3123))  # conjugate to a fair coin
    assert abs(full.complexity.value - 1) < 3 * full.complexity.standard_error
    assert lempel_ziv_complexity(
        RNG.normal(size=3000), symbols=4
    ).complexity.value == pytest.approx(1, abs=0.03)
    same = lempel_ziv_complexity(np.full(300, 2.0), throw=False)  # a shuffle changes nothing
    assert np.isnan(same.complexity.value)
    with pytest.raises(InvalidInput, match="2 to 64"):
        lempel_ziv_complexity(bits, symbols=1)
    with pytest.raises(InvalidInput, match="at least 5"):
        lempel_ziv_complexity(bits, n_shuffles=1)
    with pytest.raises(NumericalFailure, match="too short"):
        lempel_ziv_complexity(bits[:100])


def test_lempel_ziv_refuses_what_it_cannot_use():
    x = RNG.normal(size=2000)
    x[RNG.uniform(size=2000) < 0.1] = np.nan
    with pytest.raises(NumericalFailure):
        lempel_ziv_complexity(x)
    silent = lempel_ziv_complexity(x, throw=False)
    assert silent.status is Status.NOT_APPLICABLE
    assert np.isnan(silent.complexity.value)
    assert "phrases-need-all-samples" in {f.code for f in silent.cautions}


def entropy(p):
    p = np.asarray(p)[np.asarray(p) > 0]
    return float(-np.sum(p * np.log(p)))


def test_dispersion_entropy_counts_words():
    x = ar1(2000, 0.6, 2)
    found = dispersion_entropy(x, classes=3, length=2, delay=2)
    z = np.minimum((ndtr((x - x.mean()) / x.std()) * 3).astype(int), 2)
    table = np.zeros((3, 3))
    for a, b in zip(z[:-2], z[2:], strict=True):
        table[a, b] += 1 / (len(z) - 2)
    assert found.frequencies == pytest.approx(table.ravel(), abs=1e-12)
    corrected = entropy(table.ravel()) + 8 / (2 * (len(z) - 2))
    assert found.entropy.value == pytest.approx(corrected / np.log(9), abs=1e-12)
    np.testing.assert_array_equal(found.words[5], [1, 2])
    white = dispersion_entropy(RNG.normal(size=8000))
    assert white.entropy.value == pytest.approx(1, abs=0.003)
    assert dispersion_entropy(np.ones(900)).entropy.value == 0
    assert dispersion_entropy(np.tile([0.0, 1.0], 800)).entropy.value == pytest.approx(
        (np.log(2) + 1 / (2 * 1598)) / np.log(125), abs=1e-3
    )


def test_slope_entropy_of_noise_follows_its_formula():
    found = slope_entropy(np.random.default_rng(0).normal(size=20_000), length=2, flat=0.1)
    steep, flat = 2 * ndtr(-1 / np.sqrt(2)), 2 * ndtr(0.1 / np.sqrt(2)) - 1
    gentle = 1 - steep - flat
    exact = [steep / 2, gentle / 2, flat, gentle / 2, steep / 2]
    assert found.frequencies == pytest.approx(exact, abs=0.01)
    low, high = found.entropy.interval
    assert low < entropy(exact) / np.log(5) < high
    assert slope_entropy(np.ones(700)).entropy.value == 0
    ramp = slope_entropy(np.arange(2000.0))
    assert ramp.entropy.value == 0
    gentle = slope_entropy(np.arange(2000.0), flat=0.0)
    assert gentle.words[np.argmax(gentle.frequencies)].tolist() == [3, 3, 3]
    level = slope_entropy(np.arange(2000.0), flat=0.01)
    assert level.words[np.argmax(level.frequencies)].tolist() == [2, 2, 2]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
@pytest.mark.parametrize("measure", [dispersion_entropy, slope_entropy, spectral_entropy])
def test_missing_samples_leave_the_entropy(measure, share):
    x = ar1(9000, 0.5, 6)
    whole = measure(x).entropy
    x[np.random.default_rng(3).uniform(size=len(x)) < share] = np.nan
    found = measure(x)
    assert abs(found.entropy.value - whole.value) < 4 * found.entropy.standard_error + 0.002
    assert {"words-with-gaps", "autocovariance-with-gaps"} & {f.code for f in found.cautions}


def test_settings_of_words():
    x = RNG.normal(size=500)
    with pytest.raises(InvalidInput, match="no record fills"):
        dispersion_entropy(x, classes=20, length=5)
    with pytest.raises(InvalidInput, match="2 or more"):
        dispersion_entropy(x, classes=1)
    with pytest.raises(InvalidInput, match="flat < steep"):
        slope_entropy(x, steep=0.1, flat=0.2)
    with pytest.raises(InvalidInput, match="positive number of samples"):
        slope_entropy(x, delay=0)
    with pytest.raises(NumericalFailure, match="too short"):
        dispersion_entropy(x)
    assert np.isnan(dispersion_entropy(x, throw=False).entropy.value)


def test_lagged_sums_leave_out_what_is_missing():
    x = RNG.normal(size=80)
    x[[3, 4, 40]] = np.nan
    sums, number = lagged_sums(x, 10)
    for lag in (0, 1, 7):
        product = x[lag:] * x[: 80 - lag]
        assert sums[lag] == pytest.approx(np.nansum(product))
        assert number[lag] == np.isfinite(product).sum()


def test_spectral_entropy_of_known_spectra():
    values = [
        spectral_entropy(np.random.default_rng(s).normal(size=3000), max_lag=60) for s in range(20)
    ]
    mean = np.mean([v.entropy.value for v in values])
    assert mean == pytest.approx(1, abs=0.003)
    long = spectral_entropy(ar1(60_000, 0.5, 1), max_lag=64)
    k = np.arange(-64, 65)  # the exact autocovariance through the same lag window
    window = np.where(
        np.abs(k) <= 32,
        1 - 6 * (k / 64) ** 2 + 6 * np.abs(k / 64) ** 3,
        2 * (1 - np.abs(k) / 64) ** 3,
    )
    p = np.array(
        [np.sum(window * 0.5 ** np.abs(k) * np.cos(np.pi * j * k / 64)) for j in range(1, 64)]
    )
    assert long.power == pytest.approx(p / p.sum(), rel=0.2)
    exact = entropy(p / p.sum()) / np.log(63)
    assert abs(long.entropy.value - exact) < 3 * long.entropy.standard_error
    assert long.entropy.standard_error < 0.002
    line = spectral_entropy(np.sin(2 * np.pi * 0.11 * np.arange(20_000)))
    assert line.entropy.value < 0.3
    assert line.frequencies[np.argmax(line.power)] == pytest.approx(0.11, abs=0.003)
    with pytest.raises(InvalidInput, match="8 samples"):
        spectral_entropy(RNG.normal(size=500), max_lag=2)
    with pytest.raises(NumericalFailure, match="does not apply"):
        spectral_entropy(np.ones(500))
    assert spectral_entropy(RNG.normal(size=200), throw=False).status is Status.TOO_SHORT


def test_statistical_complexity_in_its_plane():
    # By hand, for two outcomes p and 1 - p.
    p = np.array([0.8, 0.2])
    h, c = jensen_complexity(p)
    middle = (p + 0.5) / 2
    largest = entropy([0.75, 0.25]) - 0.5 * np.log(2)
    assert h == pytest.approx(entropy(p) / np.log(2))
    assert c == pytest.approx(h * (entropy(middle) - entropy(p) / 2 - np.log(2) / 2) / largest)
    least, most = complexity_limits(24)
    for _ in range(300):
        h, c = jensen_complexity(RNG.dirichlet(np.full(24, 10 ** RNG.uniform(-2, 1))))
        assert np.interp(h, *least.T) - 1e-3 < c < np.interp(h, *most.T) + 1e-3
    noise = statistical_complexity(np.random.default_rng(0).normal(size=20_000))
    assert noise.complexity.value == pytest.approx(0, abs=0.005)
    assert noise.entropy.value == pytest.approx(1, abs=0.002)
    flat = statistical_complexity(np.full(500, 1.0))
    assert (flat.entropy.value, flat.complexity.value) == (0, 0)
    exact = np.array([1 / 3, 1 / 15, 2 / 15, 4 / 15, 1 / 5, 0])
    chaos = statistical_complexity(logistic(30_000, 4.0, 0.3123), order=3)
    h, c = jensen_complexity(exact)
    assert chaos.entropy.interval[0] < h < chaos.entropy.interval[1]
    assert chaos.complexity.interval[0] < c < chaos.complexity.interval[1]
    with pytest.raises(InvalidInput, match="'order' or 'shared'"):
        statistical_complexity(RNG.normal(size=500), ties="no")
    with pytest.raises(NumericalFailure, match="too short"):
        statistical_complexity(RNG.normal(size=60))
