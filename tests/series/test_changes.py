"""Change points: brute force, places and their intervals, no false changes, missing values."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest

from takens import Recording, Trajectory
from takens.core import InvalidInput, MissingDependency, NumericalFailure
from takens.series import change_points
from takens.series.segmentation import autoregression, best_places, further_splits, removed
from tests.series.signals import ar1, henon, logistic

# Annual volume of the Nile at Aswan, 1871 to 1970, in 1e8 m^3 (Cobb 1978, Biometrika 65, 243).
NILE = np.array([
    1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180,
    799, 958, 1140, 1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833,
    701, 916, 692, 1020, 1050, 969, 831, 726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845,
    864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845, 944, 984, 897, 822, 1010, 771, 676, 649,
    846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050, 918, 986, 797, 923, 975, 815,
    1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
], dtype=float)  # fmt: skip


def steps(n, places, sizes, coefficient=0.5, seed=0):
    at = np.searchsorted(places, np.arange(n), side="right")
    return ar1(n, coefficient, seed) + np.concatenate([[0.0], np.cumsum(sizes)])[at]


def cost(x, cuts):
    return sum(((piece - piece.mean(axis=0)) ** 2).sum() for piece in np.split(x, cuts))


def test_best_places_are_those_of_brute_force():
    rows = np.random.default_rng(0).normal(size=(24, 2)) + np.repeat([0, 2, 1], 8)[:, None]
    tried = [c for c in itertools.combinations(range(3, 22), 2) if c[1] - c[0] >= 3]
    assert tuple(best_places(rows, 2, 3)) == min(tried, key=lambda c: cost(rows, list(c)))
    assert best_places(rows, 0, 3) == []


def test_further_splits_are_those_of_brute_force():
    rng = np.random.default_rng(1)
    batch = rng.normal(size=(3, 40, 1)) + np.repeat([0.0, 1.5, 0.3, 2.0], 10)[:, None]
    found = further_splits(batch, [20], 4, 1)
    single = [c for c in range(4, 37) if abs(c - 20) >= 4]
    tried = [
        (a, b) for start in (0, 20) for a, b in itertools.combinations(range(start + 4, start + 17), 2)
        if b - a >= 4
    ]  # fmt: skip
    for x, one, two in zip(batch, found.one, found.two, strict=True):
        assert one[0] == min(single, key=lambda c: cost(x, sorted([20, c])))
        assert tuple(two) == min(tried, key=lambda c: cost(x, sorted([20, *c])))


def test_removing_means_leaves_none():
    batch = np.random.default_rng(2).normal(size=(2, 30, 3)) + 5
    left = removed(batch, np.array([[10, 20], [5, 25]]))
    assert np.abs(left[0, 10:20].mean(axis=0)).max() < 1e-12
    assert np.abs(left[1, 25:].mean(axis=0)).max() < 1e-12


def test_yule_walker_solves_its_equations():
    x = ar1(300, 0.7, 0)[None, :, None]
    moment = [float(np.sum(x[0, lag:, 0] * x[0, : 300 - lag, 0])) for lag in range(4)]
    table = np.array([[moment[abs(i - j)] for j in range(3)] for i in range(3)])
    expected = np.linalg.solve(table, moment[1:])
    assert autoregression(x, 3)[0, :, 0] == pytest.approx(expected, rel=1e-10)


def test_the_nile_fell_once_when_the_century_turned():
    record = Trajectory(times=np.arange(1871.0, 1971.0), states=NILE[:, None], time_unit="yr")
    found = change_points(record)
    (place,) = found.places
    assert found.p_value < 0.02
    assert place.value == 1899  # 1898 is the last year of the old level
    assert 1890 < place.interval[0] <= 1899 <= place.interval[1] < 1908
    assert "1 at 1899 yr" in found.summary()


def test_several_changes_and_a_bump_that_one_cut_would_miss():
    x = steps(1500, [400, 700, 1100], [2.5, -2.5, 3.0])
    found = change_points(x, n_surrogates=59)
    assert [p.value for p in found.places] == pytest.approx([400, 700, 1100], abs=24)
    bump = steps(1000, [400, 600], [1.5, -1.5], seed=2)
    assert len(change_points(bump, n_surrogates=59).places) == 2


@pytest.mark.parametrize("of", ["level", "variance"])
def test_serial_correlation_makes_no_changes(of):
    p = [change_points(ar1(1500, 0.9, s), of=of, n_surrogates=39).p_value for s in range(24)]
    assert np.sum(np.array(p) <= 0.05) <= 4  # five or more of 24 at 5 %: once in 170
    assert np.mean(p) > 0.3


def test_intervals_cover_the_place():
    hits, sizes = [], []
    for seed in range(20):
        found = change_points(steps(600, [330], [2.0], seed=seed), n_surrogates=39)
        for place in found.places:
            hits.append(place.interval[0] <= 330 <= place.interval[1])
            sizes.append(place.interval[1] - place.interval[0])
    assert len(hits) >= 19
    assert np.mean(hits) > 0.7
    assert np.mean(sizes) < 60


def test_variance_changes_without_level_and_is_not_moved_by_it():
    rng = np.random.default_rng(3)
    x = rng.normal(size=2000) * np.where(np.arange(2000) < 1200, 1.0, 1.8)
    found = change_points(x, of="variance", n_surrogates=59)
    (place,) = found.places
    assert abs(place.value - 1200) < 40
    assert np.exp(np.diff(found.segment_means[:, 0])) == pytest.approx([1.8], rel=0.25)
    false = 0
    for seed in range(10):
        stepped = np.random.default_rng(seed).normal(size=1500) + 3.0 * (np.arange(1500) > 700)
        assert len(change_points(stepped, n_surrogates=39).places) >= 1
        false += change_points(stepped, of="variance", n_surrogates=59).p_value <= 0.05
    assert false <= 3


@pytest.mark.parametrize("of", ["motion", "order"])
def test_a_change_of_motion_at_equal_mean_and_variance(of):
    first, second = logistic(1500, 4.0), henon(1500)
    scaled = [(x - x.mean()) / x.std() for x in (first, second)]
    found = change_points(np.concatenate(scaled), of=of, n_surrogates=39, delay=1)
    assert [p.value for p in found.places] == pytest.approx([1500], abs=32)
    assert change_points(np.concatenate(scaled), n_surrogates=39).places == ()


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_missing_values_are_left_out(share):
    x = steps(2000, [1200], [2.0])
    x[np.random.default_rng(0).uniform(size=2000) < share] = np.nan
    (place,) = change_points(x, n_surrogates=39).places
    assert abs(place.value - 1200) < 40


def test_a_gap_several_records_and_several_columns():
    x = steps(2000, [1200], [2.0])
    x[500:700] = np.nan
    (place,) = change_points(x, n_surrogates=39).places
    assert abs(place.value - 1200) < 40
    whole = steps(1200, [800], [2.0])
    both = np.stack([whole, steps(1200, [800], [-1.5], seed=9)], axis=1)
    (place,) = change_points(both, n_surrogates=39).places
    assert abs(place.value - 800) < 20
    records = Recording(
        records=tuple(
            Trajectory(times=np.arange(600.0) + 600 * i, states=part[:, None])
            for i, part in enumerate(np.split(whole, 2))
        )
    )
    (place,) = change_points(records, n_surrogates=39).places
    assert abs(place.value - 800) < 20


def test_what_is_refused(monkeypatch):
    x = np.random.default_rng(0).normal(size=200)
    for wrong, message in (
        ({"of": "mean"}, "expected 'level'"),
        ({"min_segment": 0.5}, "at most 0.3"),
        ({"alpha": 0.0}, "between 0 and 1"),
        ({"max_changes": 0}, "at least 1"),
        ({"n_surrogates": 19}, "at least 39 are needed"),
    ):
        with pytest.raises(InvalidInput, match=message):
            change_points(x, **wrong)
    with pytest.raises(InvalidInput, match="constant"):
        change_points(np.ones(300))
    with pytest.raises(NumericalFailure, match="too short"):
        change_points(np.where(np.arange(600) % 20 == 0, np.arange(600.0) % 7, np.nan))
    monkeypatch.setitem(sys.modules, "ruptures", None)
    with pytest.raises(MissingDependency, match=r"takens\[changes\]"):
        change_points(x)


def test_a_walk_is_doubted():
    found = change_points(np.cumsum(np.random.default_rng(4).normal(size=400)), n_surrogates=39)
    assert "few-correlation-times" in {c.code for c in found.cautions}
