"""A statistic in windows: places, the null's law, size and power, gaps, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status
from takens.series import permutation_entropy, windowed
from takens.series.windowed import block_resampled
from tests.series.signals import ar1, logistic


def test_windows_and_values_are_where_they_are_said_to_be():
    x = np.random.default_rng(0).normal(size=200)
    found = windowed(x, np.mean, window=40, step=20, n_surrogates=39)
    assert found.times == pytest.approx(19.5 + 20 * np.arange(9))
    assert found.values == pytest.approx([x[i : i + 40].mean() for i in range(0, 161, 20)])
    low, high = found.band
    assert (low + high) / 2 == pytest.approx(found.values.mean())
    assert found.excursion_p == found.window_p.min()
    assert found.p_value == min(1, 2 * min(found.excursion_p, found.trend_p))


def test_blocks_are_pieces_of_one_stretch_and_long_gaps_stay():
    x = np.arange(300.0)[:, None]
    x[100:140] = np.nan
    x[7] = np.nan
    made = block_resampled(x, [200, 100], 10, np.random.default_rng(0))[:, 0]
    assert np.isnan(made[100:140]).all()
    for piece in made.reshape(30, 10):
        seen = piece[np.isfinite(piece)]
        if len(seen) == 10:
            assert np.diff(seen) == pytest.approx(np.ones(9))
            assert not seen[0] < 199.5 < seen[-1]  # across the break between the stretches


@pytest.mark.parametrize("null", ["blocks", "iaaft"])
def test_a_constant_statistic_is_rejected_as_rarely_as_stated(null):
    p = [
        windowed(ar1(1600, 0.4, s), np.var, window=160, null=null, n_surrogates=39).p_value
        for s in range(20)
    ]
    assert np.sum(np.array(p) <= 0.05) <= 4
    assert np.mean(p) > 0.3


def test_changes_are_seen():
    step = ar1(2000, 0.5, 0) + 1.0 * (np.arange(2000) > 1000)
    assert windowed(step, np.mean, window=160).p_value == 0.02
    one_window = ar1(2000, 0.3, 1)
    one_window[800:1000] *= 2
    found = windowed(one_window, np.std, window=200, n_surrogates=199)
    assert int(np.argmin(found.window_p)) == 4
    assert found.excursion_p < 0.02 < found.trend_p


def test_the_number_of_a_public_estimator():
    x = np.concatenate([logistic(1000, 3.7), logistic(1000, 4.0)])
    found = windowed(x, permutation_entropy, field="entropy", window=200, n_surrogates=39)
    assert found.statistic == "entropy"
    assert found.values[7] > found.values[2]
    assert found.p_value == 0.05
    expected = permutation_entropy(x[:200]).entropy.value
    assert found.values[0] == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_missing_samples_reach_the_statistic(share):
    x = ar1(2000, 0.3, 2) * np.linspace(1, 2.5, 2000)
    x[np.random.default_rng(0).uniform(size=2000) < share] = np.nan
    found = windowed(x, np.nanstd, window=200)
    assert found.p_value == 0.02
    with pytest.raises(InvalidInput, match="null = 'blocks' or 'gapped'"):
        windowed(x, np.nanstd, window=200, null="iaaft")
    with pytest.raises(NumericalFailure, match="too short"):
        windowed(x, lambda w: float("nan"), window=200)
    assert windowed(x, lambda w: np.nan, window=200, throw=False).status is Status.TOO_SHORT


def test_windows_never_cross_a_gap_and_columns_come_together():
    x = ar1(1000, 0.3, 3)
    x[400:450] = np.nan
    found = windowed(x, np.mean, window=90, n_surrogates=39)
    assert not any(355.5 < t < 494 for t in found.times)
    both = np.stack([ar1(800, 0.2, 4), ar1(800, 0.2, 5)], axis=1)
    cross = windowed(both, lambda w: np.corrcoef(w.T)[0, 1], window=80, n_surrogates=39)
    assert len(cross.values) == 10
    assert cross.p_value > 0.05


def test_short_blocks_are_doubted_and_settings_checked():
    x = ar1(1000, 0.9, 6)
    found = windowed(x, np.mean, window=100, n_surrogates=39)
    assert "short-blocks" in {c.code for c in found.cautions}
    for wrong, message in (
        ({"window": 600}, "expected 2 to 500"),
        ({"window": 100, "block": 200}, "no longer than the window"),
        ({"window": 100, "n_surrogates": 19}, "at least 39"),
        ({"window": 100, "null": "nothing"}, "expected one of"),
    ):
        with pytest.raises(InvalidInput, match=message):
            windowed(x, np.mean, **wrong)
