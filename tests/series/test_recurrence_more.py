"""Recurrence in windows, and as a network."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status
from takens.series import (
    recurrence_network,
    recurrence_quantification,
    recurrence_time_dimension,
    recurrence_windows,
)
from takens.series.recurrence import states_of
from takens.series.recurrence_dimension import return_counts
from takens.series.recurrence_network import network_measures
from tests.series.signals import ar1, henon, logistic

RNG = np.random.default_rng(6)


def test_a_window_is_the_quantification_of_its_part():
    x = henon(800)
    x = (x - x.mean()) / x.std()
    settings = {"dimension": 1, "theiler": 0, "radius": 0.3}
    found = recurrence_windows(x, window=200, step=150, **settings)
    assert found.times.tolist() == [100, 250, 400, 550, 700]
    part = recurrence_quantification(
        x[150:350], dimension=1, theiler=0, radius=0.3 / x[150:350].std()
    )
    counts = part.diagonal_counts
    length = np.arange(len(counts))
    assert found.values[1, 0] == pytest.approx(
        (counts * length)[2:].sum() / (counts * length).sum()
    )
    assert found.values[1, 1] == pytest.approx((counts * length)[2:].sum() / counts[2:].sum())
    counts = part.vertical_counts
    length = np.arange(len(counts))
    assert found.values[1, 2] == pytest.approx(
        (counts * length)[2:].sum() / (counts * length).sum()
    )


def test_windows_of_a_stationary_record_stay_in_the_band():
    share = np.zeros(4)
    for seed in range(12):
        for x in (ar1(3000, 0.6, seed), logistic(3000, 3.95, 0.2 + 0.05 * seed)):
            found = recurrence_windows(
                x, window=200, step=200, dimension=1, theiler=0, n_draws=150, seed=seed
            )
            share += found.outside.mean(axis=0) / 24
    assert (share > 0.01).all()
    assert (share < 0.17).all()  # 10 % are expected


def test_a_change_leaves_the_band():
    x = np.concatenate([ar1(1500, 0.6, 1), logistic(500, 3.95), ar1(1500, 0.6, 2)])
    x[1500:2000] = (x[1500:2000] - x[1500:2000].mean()) / x[1500:2000].std() * x[:1500].std()
    found = recurrence_windows(x, window=200, step=100, dimension=2, delay=1, theiler=1)
    inside = (found.times > 1600) & (found.times < 1900)
    assert found.outside[inside, 0].all()
    x[2500:2700:2] = np.nan
    holed = recurrence_windows(x, window=200, step=100, dimension=2, delay=1, theiler=1)
    assert np.isnan(holed.values).all(axis=1).any()
    assert "windows-left-out" in {f.code for f in holed.cautions}


def test_windows_that_cannot_be_asked():
    x = RNG.normal(size=500)
    for wrong, words in (
        ({"window": 10}, "50 states"),
        ({"window": 400}, "half the record"),
        ({"window": 100, "n_draws": 3}, "100 or more"),
    ):
        with pytest.raises(InvalidInput, match=words):
            recurrence_windows(x, dimension=1, theiler=0, **wrong)
    with pytest.raises(InvalidInput, match="at most 1000"):
        recurrence_windows(RNG.normal(size=2000), window=60, step=1, dimension=1, theiler=0)
    with pytest.raises(NumericalFailure):
        recurrence_windows(np.ones(500), window=100)


def test_network_measures_are_those_of_brute_force():
    n = 40
    a = np.triu(RNG.uniform(size=(n, n)) < 0.12, 1)
    a |= a.T
    a[:, 7] = a[7] = False  # a node without neighbours
    found, local = network_measures(a)
    closed = triples = 0
    for i in range(n):
        pairs = list(itertools.combinations(np.flatnonzero(a[i]), 2))
        linked = sum(a[j, k] for j, k in pairs)
        assert local[i] == pytest.approx(linked / len(pairs) if pairs else 0)
        closed, triples = closed + linked, triples + len(pairs)
    assert found[0] == pytest.approx(closed / triples)
    assert found[1] == pytest.approx(local.mean())
    i, j = np.nonzero(a)
    degree = a.sum(axis=1)
    assert found[2] == pytest.approx(np.corrcoef(degree[i], degree[j])[0, 1])
    steps = np.where(a, 1.0, np.inf)
    np.fill_diagonal(steps, 0)
    for k in range(n):
        steps = np.minimum(steps, steps[:, k : k + 1] + steps[k : k + 1])
    reached = np.isfinite(steps) & (steps > 0)
    assert found[3] == pytest.approx(steps[reached].mean())


def test_transitivity_tells_the_dimension_of_a_set():
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 900)
    ring = recurrence_network(
        np.column_stack([np.cos(angle), np.sin(angle)]), dimension=1, theiler=0
    )
    assert ring.dimension.interval[0] < 1 < ring.dimension.interval[1] + 0.03
    plane = np.random.default_rng(1).uniform(size=(900, 2))
    square = recurrence_network(plane, dimension=1, theiler=0, rate=0.02)
    assert square.dimension.value == pytest.approx(2, abs=0.2)
    assert np.isnan(
        recurrence_network(plane, dimension=1, theiler=0, norm="euclidean").dimension.value
    )


def test_networks_leave_out_states_that_are_missing():
    x = henon(3000)
    whole = recurrence_network(x, dimension=2, delay=1, theiler=1)
    assert len(whole.degrees) == 1000
    assert "network-of-a-part" in {f.code for f in whole.cautions}
    for share in (0.01, 0.1, 0.4):
        y = np.where(RNG.uniform(size=3000) < share, np.nan, x)
        found = recurrence_network(y, dimension=2, delay=1, theiler=1)
        error = np.hypot(found.transitivity.standard_error, whole.transitivity.standard_error)
        assert abs(found.transitivity.value - whole.transitivity.value) < 3 * error
        assert "recurrences-with-gaps" in {f.code for f in found.cautions}
    assert len(whole.links) == whole.degrees.sum() / 2
    with pytest.raises(InvalidInput, match="100 to 5,000"):
        recurrence_network(x, max_states=10)
    with pytest.raises(NumericalFailure, match="too short"):
        recurrence_network(x[:90], dimension=1, theiler=0)
    silent = recurrence_network(np.ones(200), throw=False)
    assert silent.status is Status.NOT_APPLICABLE
    assert np.isnan(silent.transitivity.value)


def test_returns_are_counted_as_by_brute_force():
    x = ar1(260, 0.7, 3)
    x[[40, 41, 90, 200]] = np.nan
    states = states_of(x, 2, 3, 4)
    references = np.flatnonzero(states.known)[::60]
    radii, table = return_counts(states, references, np.geomspace(0.3, 2, 12))
    for r, i in enumerate(references):
        apart = np.abs(np.arange(states.n) - i) > 4
        distance = np.sqrt(((states.points - states.points[:, [i]]) ** 2).sum(axis=0))
        for k in (0, 5, 11):
            near = apart & (distance <= radii[k])
            pairs = [t for t in range(1, states.n)
                     if apart[t] and apart[t - 1] and states.known[t] and states.known[t - 1]]  # fmt: skip
            entries = sum(near[t] and not near[t - 1] for t in pairs)
            assert table[r, k].tolist() == [
                near.sum(),
                (apart & states.known).sum(),
                entries,
                len(pairs),
            ]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.4])
def test_times_of_return_tell_the_dimension_of_a_map(share):
    x = henon(6000)
    x[RNG.uniform(size=6000) < share] = np.nan
    found = recurrence_time_dimension(x, dimension=2, delay=1, theiler=1)
    assert abs(found.dimension.value - 1.22) < 2 * found.dimension.standard_error
    assert found.return_exponent.value == pytest.approx(found.dimension.value, abs=0.05)


def test_a_flow_stays_in_a_neighbourhood():
    t = np.arange(6000)
    torus = np.sin(0.1 * t) + np.sin(0.1 * np.sqrt(2) * t)
    found = recurrence_time_dimension(torus, dimension=4, delay=14, theiler=50)
    assert found.dimension.value == pytest.approx(2, abs=0.15)
    assert found.return_exponent.value == pytest.approx(1, abs=0.2)


def test_noise_has_no_dimension_of_returns():
    for x in (RNG.normal(size=3000), ar1(3000, 0.9, 1)):
        with pytest.raises(NumericalFailure, match="scaling region"):
            recurrence_time_dimension(x, dimension=3, delay=2, theiler=20)
    silent = recurrence_time_dimension(
        RNG.normal(size=3000), dimension=3, delay=1, theiler=1, throw=False
    )
    assert silent.status is Status.NO_SCALING
    assert np.isnan(silent.dimension.value)
    assert silent.saturation > 0.5
    with pytest.raises(NumericalFailure, match="too short"):
        recurrence_time_dimension(henon(500), dimension=2, delay=1, theiler=1)
