"""State spaces from one or several signals: information, coordinates one by one, singular vectors."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Recording, Status, Trajectory
from takens.series import (
    delay_coordinates,
    delayed_information,
    nonuniform_embedding,
    sampling,
    singular_embedding,
)
from takens.series.columns import columns_of
from takens.series.information import _local_information
from takens.series.nonuniform import _continuity, _pair_squares, _space
from tests.series.signals import ar1, henon, lorenz


def test_information_of_gaussian_pairs_is_the_closed_form() -> None:
    for coefficient in (0.0, 0.6, 0.9):
        rng = np.random.default_rng(3)
        a, b = rng.normal(size=(2, 6000))
        pairs = np.stack([a, coefficient * a + np.sqrt(1 - coefficient**2) * b], axis=1)
        local = _local_information(pairs, 6)
        exact = -0.5 * np.log(1 - coefficient**2)
        assert abs(local.mean() - exact) < 4 * local.std() / np.sqrt(len(local))


def test_information_with_the_past_of_an_autoregression() -> None:
    found = delayed_information(ar1(8000, 0.8, 1), max_lag=4)
    exact = -0.5 * np.log(1 - 0.8 ** (2 * found.lags))
    assert (np.abs(found.information - exact) < 4 * found.standard_error + 0.01).all()


def test_first_minimum_of_a_flow_and_of_noise() -> None:
    flow = delayed_information(lorenz(3000), max_lag=20)
    assert flow.first_minimum.value in (2, 3, 4, 5)
    assert flow.first_minimum.interval[0] < flow.first_minimum.value
    noise = delayed_information(np.random.default_rng(0).normal(size=2000), max_lag=5)
    assert noise.first_minimum.value == 1


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4])
def test_information_uses_what_is_not_missing(share: float) -> None:
    x = ar1(6000, 0.8, 2)
    lost = np.random.default_rng(4).uniform(size=len(x)) < share
    whole = delayed_information(x, max_lag=3, max_pairs=20_000)
    found = delayed_information(np.where(lost, np.nan, x), max_lag=3, max_pairs=20_000)
    assert found.n_pairs[0] < whole.n_pairs[0]
    error = np.hypot(found.standard_error, whole.standard_error)
    assert (np.abs(found.information - whole.information) < 4 * error).all()


def test_information_needs_pairs() -> None:
    with pytest.raises(NumericalFailure, match="too short"):
        delayed_information(np.random.default_rng(0).normal(size=120))
    silent = delayed_information(np.random.default_rng(0).normal(size=120), throw=False)
    assert silent.status is Status.TOO_SHORT
    assert np.isnan(silent.information).all()
    with pytest.raises(InvalidInput, match="max_lag = 0"):
        delayed_information(np.arange(300.0), max_lag=0)


def test_pair_squares_against_the_double_sum() -> None:
    points = np.random.default_rng(0).normal(size=(7, 4, 3))
    gaps = points[:, :, None] - points[:, None]
    np.testing.assert_allclose(_pair_squares(points), np.sum(gaps**2, axis=(1, 2, 3)) / 2)


def test_continuity_tells_a_function_from_a_stranger() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=3000)
    table = columns_of(np.stack([x, np.tanh(x), rng.normal(size=3000)], axis=1))
    space = _space(table, [(0, 0)], np.arange(5, 2990), 1, 400)
    same, function, stranger = _continuity(table, space, np.array([0]))[:, 0]
    assert max(same, function) < 0.05
    assert stranger > 0.3


@pytest.mark.parametrize(
    ("signal", "least", "most"),
    [(henon(3000), 2, 2), (lorenz(4000), 3, 4), (np.sin(0.1 * np.arange(2000)), 2, 2)],
)
def test_coordinates_are_as_many_as_the_attractor_asks(
    signal: np.ndarray, least: int, most: int
) -> None:
    found = nonuniform_embedding(signal)
    assert least <= found.dimension <= most
    assert (found.gains > 3 * found.gain_errors).all()


def test_no_coordinate_helps_noise() -> None:
    noise = np.random.default_rng(5).normal(size=2000)
    with pytest.raises(NumericalFailure, match="No further coordinate"):
        nonuniform_embedding(noise)
    assert nonuniform_embedding(noise, throw=False).dimension == 1


def test_a_useless_column_is_not_chosen() -> None:
    rng = np.random.default_rng(2)
    both = np.stack([rng.normal(size=3000), henon(3000)], axis=1)
    found = nonuniform_embedding(
        Recording(records=(Trajectory(times=np.arange(3000), states=both, names=("noise", "map")),))
    )
    assert found.columns == ("map", "map")
    assert found.delays.tolist() == [0, 1]


def test_missing_values_and_records_do_not_change_the_choice() -> None:
    x = henon(4000)
    lost = np.random.default_rng(6).uniform(size=len(x)) < 0.1
    assert nonuniform_embedding(np.where(lost, np.nan, x)).delays.tolist() == [0, 1]
    records = tuple(
        Trajectory(times=np.arange(1000), states=part[:, None]) for part in np.split(x, 4)
    )
    assert nonuniform_embedding(Recording(records=records)).delays.tolist() == [0, 1]


def test_delay_coordinates_keep_times_units_and_gaps() -> None:
    times = np.concatenate([np.arange(0, 5, 0.1), np.arange(100, 104, 0.1)])
    x = np.sin(times)
    x[20] = np.nan
    record = Trajectory(times=times, states=x[:, None], names=("v",), units=("mV",))
    found = delay_coordinates(Recording(records=(record,)), [0, 4])
    assert found.names == ("v(t)", "v(t-4)")
    assert found.units == ("mV", "mV")
    assert len(found) == 2
    for part in found:
        known = np.isfinite(part.states[:, 0])
        np.testing.assert_allclose(part.states[known, 0], np.sin(part.times[known]), atol=1e-9)
        np.testing.assert_allclose(
            part.states[known, 1], np.sin(part.times[known] - 0.4), atol=1e-9
        )
    assert np.isnan(found[0].states[:, 0]).sum() == 2  # sample 20 is wanted twice


def test_delay_coordinates_of_irregular_times_are_close() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.02, 0.08, 3000))
    record = Trajectory(times=times, states=np.sin(times)[:, None])
    (part,) = delay_coordinates(Recording(records=(record,)), [0, 10])
    known = np.isfinite(part.states[:, 0])
    assert known.mean() > 0.6  # steps beyond one and a half are not bridged
    step = part.times[1] - part.times[0]
    np.testing.assert_allclose(part.states[known, 0], np.sin(part.times[known]), atol=2e-3)
    np.testing.assert_allclose(
        part.states[known, 1], np.sin(part.times[known] - 10 * step), atol=2e-3
    )


@pytest.mark.parametrize(
    ("delays", "columns", "message"),
    [
        ([], None, "at least one"),
        ([0, -1], None, "0 or more"),
        ([0, 1], ["a"], "one column"),
        ([0], ["b"], "Unknown column"),
        ([1, 1], None, "repeat"),
        ([0, 500], None, "No state is whole"),
    ],
)
def test_delay_coordinates_refuse(delays: list, columns: list | None, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        delay_coordinates(np.arange(100.0), delays, columns=columns)


def test_singular_values_of_a_sine_in_noise() -> None:
    n, window, noise = 20_000, 60, 0.2
    x = np.sin(2 * np.pi * np.arange(n) / 20) + noise * np.random.default_rng(0).normal(size=n)
    found = singular_embedding(x, window=window)
    assert found.rank == 2
    total = 0.5 + noise**2
    np.testing.assert_allclose(found.noise_floor, noise**2 / total, rtol=0.05)
    np.testing.assert_allclose(found.values[:2], (window / 4 + noise**2) / total, rtol=0.02)
    np.testing.assert_allclose(found.values.sum(), window, rtol=0.01)
    assert found.states is not None
    np.testing.assert_allclose(found.states[0].states.var(axis=0), found.values[:2])


def test_white_noise_has_no_singular_direction() -> None:
    ranks = [
        singular_embedding(np.random.default_rng(s).normal(size=1000), window=10).rank
        for s in range(10)
    ]
    assert sum(r > 0 for r in ranks) <= 2


def test_singular_embedding_is_too_short_or_wide() -> None:
    with pytest.raises(InvalidInput, match="window = 1"):
        singular_embedding(np.sin(np.arange(300.0)), window=1)
    with pytest.raises(NumericalFailure):
        singular_embedding(np.sin(np.arange(300.0)), window=100)
    assert singular_embedding(np.sin(np.arange(300.0)), window=100, throw=False).states is None


def test_sampling_is_recognised() -> None:
    fine = lorenz(4000, dt=0.01, inner=2)
    flow = sampling(fine)
    assert not flow.map_like
    assert flow.stride > 1
    assert "oversampled" in [c.code for c in flow.cautions]
    assert sampling(henon(1000)).map_like
    assert "rounded" in [c.code for c in sampling(np.round(fine[::4])).cautions]
    np.testing.assert_allclose(sampling(np.repeat(fine[::4], 2)).held, 0.5, atol=0.01)
    coarse = sampling(np.sin(2 * np.pi * np.arange(900) / 3.3))
    assert "undersampled" in [c.code for c in coarse.cautions] or coarse.map_like


def test_sampling_of_too_little() -> None:
    with pytest.raises(NumericalFailure):
        sampling(np.ones(200))
    assert np.isnan(sampling(np.ones(200), throw=False).step_ratio)
