"""What must stand on real records: conclusions that a scientist of each field would expect."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

import takens
from takens.core import Estimate, Recording
from takens.data import as_recording
from takens.series import (
    correlation_dimension,
    divergence_exponent,
    kind_of_motion,
    largest_lyapunov,
    local_global_prediction,
    multiscale_entropy,
    noise_level,
    spectrum,
    time_reversal,
    zero_one_test_of_data,
)


def holds(estimate: Estimate, value: float) -> bool:
    return estimate.interval[0] <= value <= estimate.interval[1]


@pytest.fixture(scope="module")
def laser() -> Recording:
    return takens.data.load("laser")


@pytest.fixture(scope="module")
def log_measles() -> Recording:
    record = takens.data.load("measles-london")[0]
    return as_recording(np.log(record.states[:, 0] + 1), dt=7 / 365.2425, time_unit="y")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("laser", "chaotic"),
        ("heartbeat", "stochastic-nonlinear"),
        ("sunspots", "stochastic-linear"),
        ("sunspots-yearly", "stochastic-nonlinear"),
        ("nino34", "stochastic-nonlinear"),
        ("measles-london", "stochastic-nonlinear"),
    ],
)
def test_only_the_laser_is_chaotic(name: str, kind: str) -> None:
    assert kind_of_motion(takens.data.load(name), quick=True).kind == kind


def test_laser_has_one_positive_exponent_by_two_methods(laser: Recording) -> None:
    tangent, parting = largest_lyapunov(laser), divergence_exponent(laser)
    assert tangent.exponent.interval[0] > 0
    assert parting.exponent.interval[0] > 0
    assert holds(tangent.exponent, parting.exponent.value)


def test_laser_is_two_dimensional_once_its_counts_are_dithered(laser: Recording) -> None:
    counts = laser[0].states[:, 0]
    dither = np.random.default_rng(0).uniform(-0.5, 0.5, size=counts.size)
    found = correlation_dimension(counts + dither)
    assert holds(found.dimension, 2.05)
    assert found.dimension.interval[1] - found.dimension.interval[0] < 0.6


def test_noise_of_the_laser_is_that_of_its_counter(laser: Recording) -> None:
    step = 1 / laser[0].states.std()
    # A count is 2.1 % of the spread; rounding alone would be that over the square root of 12.
    assert step / np.sqrt(12) < noise_level(laser).share.value < step


def test_sunspots_keep_their_cycle_and_rise_faster_than_they_fall() -> None:
    monthly, yearly = takens.data.load("sunspots"), takens.data.load("sunspots-yearly")
    for record in (monthly, yearly):
        assert holds(spectrum(record).periods[0], 11.0)
    assert time_reversal(yearly).p_value <= 0.01
    # Noise from month to month hides it at short lags; at the lag of the rise it is plain.
    rise = time_reversal(monthly, lags=(24,))
    assert rise.p_value <= 0.01
    assert rise.asymmetry.interval[0] > 0


def test_measles_in_london_come_every_two_years_and_every_year() -> None:
    two, one = spectrum(takens.data.load("measles-london")).periods[:2]
    assert holds(two, 2.0)
    assert holds(one, 1.0)


def test_measles_are_a_cycle_once_growth_is_counted_in_factors(log_measles: Recording) -> None:
    motion = kind_of_motion(log_measles, quick=True)
    assert motion.kind == "periodic"
    assert motion.line_periods[0].value == pytest.approx(2.0, rel=0.02)


def test_nino_is_foretold_as_well_by_a_linear_model_and_falls_faster_than_it_rises() -> None:
    record = takens.data.load("nino34")
    period = spectrum(record).periods[0]
    assert 2 < period.value < 7
    assert local_global_prediction(record).gain.value > 0.95
    assert time_reversal(record).asymmetry.interval[1] < 0


def test_heart_is_irreversible_and_complex_on_long_scales() -> None:
    record = takens.data.load("heartbeat")
    assert time_reversal(record).p_value <= 0.01
    entropies = multiscale_entropy(record).entropies
    assert entropies[10].interval[0] > entropies[0].interval[1]


@pytest.mark.parametrize("name", ["heartbeat", "sunspots", "nino34", "measles-london"])
def test_noisy_records_get_neither_dimension_nor_chaos(name: str) -> None:
    record = takens.data.load(name)
    assert not correlation_dimension(record, throw=False).dimension.is_finite
    assert not divergence_exponent(record, throw=False).exponent.is_finite
    assert zero_one_test_of_data(record, throw=False).kind != "chaotic"


@pytest.mark.parametrize(("radius", "period"), [(0.97, 12), (0.9, 8)])
def test_one_broad_peak_is_one_period(radius: float, period: float) -> None:
    shape = [1, -2 * radius * np.cos(2 * np.pi / period), radius**2]
    found = []
    for seed in range(8):
        noise = np.random.default_rng(seed).normal(size=10_500)
        found.append(len(spectrum(lfilter([1], shape, noise)[500:]).periods))
    assert min(found) == 1  # ragged by chance, such a peak counted for four periods and more
    assert np.mean(found) < 1.3


def test_two_lines_in_noise_are_two_periods() -> None:
    t = np.arange(4000)
    for seed in range(5):
        noise = 1.5 * np.random.default_rng(seed).normal(size=t.size)
        x = np.sin(2 * np.pi * t / 20) + 0.6 * np.sin(2 * np.pi * t / 7.3) + noise
        assert sorted(round(p.value, 1) for p in spectrum(x).periods) == [7.3, 20.0]


def test_noise_has_a_period_about_as_rarely_as_the_level_says() -> None:
    hits = 0
    for seed in range(100):
        noise = np.random.default_rng(seed).normal(size=800)
        hits += bool(spectrum(lfilter([1], [1, -0.9], noise)[300:]).periods)
    assert hits <= 5  # 1 % is asked for; 10 % came of counting only independent frequencies
