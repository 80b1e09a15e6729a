"""Divergence of neighbours: brute force, closed forms, and refusal where nothing diverges."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Recording, Status, Trajectory
from takens.series import divergence_exponent, embedding
from takens.series.divergence import mean_curves
from takens.series.following import Pairs, find_pairs
from takens.series.observable import observable
from takens.series.scaling import slope_distribution
from tests.series.signals import ar1, henon, logistic, lorenz


def tent(n: int, slope: float, x: float = 0.3) -> np.ndarray:
    orbit = np.empty(n)
    for i in range(n):
        x = slope * min(x, 1 - x)
        orbit[i] = x
    return orbit


def bernoulli(n: int, slope: float, x: float = 0.3) -> np.ndarray:
    orbit = np.empty(n)
    for i in range(n):
        x = (slope * x) % 1.0
        orbit[i] = x
    return orbit


def brute_curve(
    series: np.ndarray, starts: np.ndarray, partners: np.ndarray, n_lags: int
) -> np.ndarray:
    """Mean over starts of the log of the mean distance to the partners, lag by lag."""
    curve = []
    for lag in range(n_lags + 1):
        logs = []
        for a, row in zip(starts, partners, strict=True):
            gaps = [np.linalg.norm(series[a + lag] - series[b + lag]) for b in row if b >= 0]
            known = [g for g in gaps if np.isfinite(g)]
            if known and np.mean(known) > 0:
                logs.append(np.log(np.mean(known)))
        curve.append(np.mean(logs))
    return np.array(curve)


@pytest.mark.parametrize(("width", "k"), [(1, 1), (1, 3), (2, 1), (2, 3)])
def test_curve_agrees_with_brute_force(width: int, k: int) -> None:
    rng = np.random.default_rng(0)
    series = rng.normal(size=(120, width))
    series[rng.random(120) < 0.1] = np.nan
    series[100:] = np.nan
    starts = np.arange(75)
    partners = rng.integers(0, 75, size=(75, k))
    partners[::7, -1] = -1
    pairs = Pairs(
        series=series, starts=starts, partners=partners, distances=np.ones(partners.shape)
    )
    sums, counts = mean_curves(pairs, k, 20, 3)
    expected = brute_curve(series, starts, partners, 20)
    np.testing.assert_allclose(sums.sum(axis=0) / counts.sum(axis=0), expected, rtol=1e-12)


def test_pairs_stay_within_records_and_outside_the_theiler_window() -> None:
    x = np.cumsum(np.random.default_rng(1).normal(size=700))
    x[300] = np.nan
    first, second = x[:400], x[400:]
    records = [Trajectory(times=np.arange(len(v)), states=v[:, None]) for v in (first, second)]
    view = observable(Recording(records=tuple(records)))
    pairs = find_pairs(view, 3, 2, theiler=15, n_neighbours=2, padding=50, max_references=10_000)
    assert len(pairs.starts) == (400 - 4) + (300 - 4) - 3  # three vectors hold the missing sample
    apart = np.abs(pairs.starts[:, None] - pairs.partners)[pairs.partners >= 0]
    assert apart.min() > 15
    # The distance is that of the vectors at those places, so the places are right.
    back = np.array([0, 2, 4])
    a = pairs.series[pairs.starts[:, None] - back, 0]
    b = pairs.series[pairs.partners[:, :1] - back, 0]
    np.testing.assert_allclose(np.linalg.norm(a - b, axis=1), pairs.distances[:, 0])
    assert np.isnan(pairs.series[400:451]).all()


def test_slopes_of_a_line_with_a_bend() -> None:
    x = np.linspace(0, 10, 101)
    y = np.minimum(2 * x, 12.0) + 0.01 * np.random.default_rng(0).normal(size=101)
    found = slope_distribution(x, np.where(x < 7.5, y, np.nan))
    assert found is not None
    assert found.slope == pytest.approx(2.0, rel=0.01)
    assert found.width < 0.1
    assert found.weights.sum() == pytest.approx(1.0)
    assert 0 <= found.start < found.stop <= 6.5
    assert slope_distribution(np.arange(4.0), np.arange(4.0)) is None


@pytest.mark.parametrize(
    ("signal", "truth"),
    [
        (logistic(4000, 4.0, 0.3123), np.log(2)),
        (tent(4000, 1.9), np.log(1.9)),
        (bernoulli(4000, 1.9), np.log(1.9)),
        (henon(4000), 0.41922),
    ],
    ids=["logistic", "tent", "bernoulli", "henon"],
)
def test_maps_of_known_exponent(signal: np.ndarray, truth: float) -> None:
    found = divergence_exponent(signal).exponent
    assert found.value == pytest.approx(truth, rel=0.05)
    assert found.interval[0] < truth < found.interval[1]


def test_a_flow_in_its_time_unit() -> None:
    x = lorenz(5000)
    found = divergence_exponent(
        Trajectory(times=np.arange(5000) * 0.05, states=x[:, None], time_unit="s")
    )
    assert found.exponent.unit == "1/s"
    assert found.exponent.value == pytest.approx(0.9056, rel=0.1)
    low, high = found.exponent.interval
    assert low < 0.9056 < high
    assert "straight rise" in found.summary()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["white", "ar1", "walk"])
def test_noise_is_refused(kind: str, seed: int) -> None:
    noise = ar1(3000, {"white": 0.0, "ar1": 0.95, "walk": 1.0}[kind], seed)
    result = divergence_exponent(noise, throw=False)
    assert result.status is Status.NO_SCALING
    assert np.isnan(result.exponent.value)
    assert "no-straight-rise" in {c.code for c in result.cautions}
    assert "none" in result.summary()


def test_regular_motion_does_not_diverge() -> None:
    t = np.arange(3000)
    torus = np.sin(0.31 * t) + np.sin(0.31 * np.sqrt(2) * t)
    with pytest.raises(NumericalFailure, match="scaling region"):
        divergence_exponent(torus)


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_missing_samples_are_left_out(share: float) -> None:
    x = henon(5000)
    x[np.random.default_rng(2).random(5000) < share] = np.nan
    x[2000:2200] = np.nan
    found = divergence_exponent(x)
    assert found.exponent.value == pytest.approx(0.41922, rel=0.06)
    assert found.n_references < 4800 * (1 - share) + 1


def test_two_fifths_missing_is_answered_or_refused_and_never_silent() -> None:
    x = henon(5000)
    settings = embedding(x)
    x[np.random.default_rng(3).random(5000) < 0.4] = np.nan
    found = divergence_exponent(x, settings=settings, throw=False)
    assert found.exponent.value == pytest.approx(0.41922, rel=0.1)
    assert found.cautions


def test_several_records_and_columns() -> None:
    x = henon(6000)
    parts = tuple(
        Trajectory(times=np.arange(1500), states=np.column_stack([v, np.roll(v, 1)])[1:1501])
        for v in (x[:1501], x[1501:3002], x[3002:4503], x[4400:5901])
    )
    found = divergence_exponent(Recording(records=parts))
    assert found.exponent.value == pytest.approx(0.41922, rel=0.06)


def test_wrong_questions_and_short_records() -> None:
    with pytest.raises(InvalidInput, match="max_references = 10"):
        divergence_exponent(henon(1000), max_references=10)
    short = divergence_exponent(henon(90), throw=False)
    assert short.status is Status.TOO_SHORT
    assert np.isnan(short.exponent.value)
    flat = divergence_exponent(np.ones(500), throw=False)
    assert np.isnan(flat.exponent.value)
