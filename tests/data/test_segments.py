"""Even stretches: exact where the data are even, and an account of everything else."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takens.core import InvalidInput, Recording, Trajectory
from takens.data import as_recording, audit, gridded_records, regular_segments


def _of(times, states, **more):
    return Recording(records=(Trajectory(times=times, states=np.atleast_2d(states.T).T, **more),))


def _codes(segments):
    return [f.code for f in segments.findings]


def test_even_data_pass_unchanged(rng):
    x = rng.normal(size=(500, 3))
    segments = regular_segments(x)
    assert len(segments.values) == 1
    np.testing.assert_array_equal(segments.values[0], x)
    assert segments.dt == 1


@pytest.mark.parametrize(("run", "n_stretches"), [(1, 1), (2, 1), (3, 2), (10, 2)])
def test_short_runs_are_bridged_and_long_ones_split(run, n_stretches):
    x = np.arange(100.0) ** 2 % 17
    x[50 : 50 + run] = np.nan
    segments = regular_segments(x)
    assert len(segments.values) == n_stretches
    assert ("bridged" in _codes(segments)) == (n_stretches == 1)
    if n_stretches == 1:
        middle = np.interp(np.arange(50, 50 + run), [49, 50 + run], [x[49], x[50 + run]])
        np.testing.assert_allclose(segments.values[0][50 : 50 + run, 0], middle)
    else:
        assert [len(v) for v in segments.values] == [50, 50 - run]
        assert segments.starts == (0.0, 50.0 + run)


@pytest.mark.parametrize(("gap", "n_stretches"), [(2, 1), (3, 1), (4, 2), (1e6, 2)])
def test_gaps_in_time(gap, n_stretches, rng):
    times = np.concatenate([np.arange(40), 39 + gap + np.arange(40)])
    x = rng.normal(size=80)
    segments = regular_segments(_of(times, x))
    assert len(segments.values) == n_stretches
    if n_stretches == 2:
        assert segments.starts[1] == 39 + gap
        np.testing.assert_array_equal(segments.values[1][:, 0], x[40:])
    assert segments.n_samples < 90  # a long gap costs no memory


def test_jitter_is_interpolated_and_said(rng):
    times = np.arange(2000) * 0.1 + rng.uniform(-0.008, 0.008, 2000)
    segments = regular_segments(_of(times, np.sin(times)))
    assert "jitter" in _codes(segments)
    grid = segments.starts[0] + np.arange(segments.n_samples) * segments.dt
    # The grid follows the median step; the error is that of linear interpolation and drift.
    assert abs(segments.values[0][:, 0] - np.sin(grid)).max() < 0.05


def test_irregular_times_are_a_caution(rng):
    times = np.cumsum(rng.exponential(1.0, 3000) + 0.2)
    segments = regular_segments(_of(times, np.sin(times / 50)))
    said = next(f for f in segments.findings if f.code == "resampled")
    assert said.level == "caution"
    assert "%" in said.text


def test_rounded_times_do_not_add_up():
    times = np.round(np.arange(3000) / 3, 3)
    segments = regular_segments(_of(times, np.sin(times)))
    assert segments.n_samples == 3000
    assert abs(segments.dt - 1 / 3) < 1e-6
    assert "resampled" not in _codes(segments)


def test_constant_and_empty_columns_are_left_out():
    x = np.column_stack([np.sin(np.arange(100)), np.full(100, 3.0), np.full(100, np.nan)])
    segments = regular_segments(_of(np.arange(100.0), x, names=["a", "b", "c"]))
    assert segments.names == ("a",)
    assert {"constant-columns", "empty-columns"} <= set(_codes(segments))
    flat = regular_segments(np.full((50, 2), 7.0))
    assert flat.names == ("x0", "x1")


def test_inputs_travel_along():
    n = 60
    record = Trajectory(
        times=np.arange(n), states=np.sin(np.arange(n))[:, None], inputs=np.arange(n)[:, None]
    )
    segments = regular_segments(record)
    np.testing.assert_array_equal(segments.inputs[0][:, 0], np.arange(n))


def test_several_records_are_kept_apart(rng):
    records = tuple(
        Trajectory(times=np.arange(n), states=rng.normal(size=(n, 1)), label=str(n))
        for n in (30, 40)
    )
    segments = regular_segments(records)
    assert segments.records == (0, 1)
    assert [len(v) for v in segments.values] == [30, 40]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (np.full(100, np.nan), "Every value is missing"),
        (np.arange(5.0), "longest has 5"),
        (np.where(np.arange(100) % 10 < 5, np.nan, 1.0), "No stretch of 16"),
    ],
)
def test_too_little_is_refused(data, says):
    with pytest.raises(InvalidInput, match=says):
        regular_segments(data)


def test_numbers_that_overflow_are_refused():
    recording = _of(np.arange(50.0), np.sin(np.arange(50)) * 1e200)
    assert "huge-values" in [f.code for f in audit(recording).findings]
    with pytest.raises(InvalidInput, match="Rescale"):
        regular_segments(recording)


def test_a_million_rows_take_less_than_a_second(rng):
    recording = _of(
        np.arange(1e6), np.where(rng.random(1_000_000) < 0.02, np.nan, 1.0 + np.arange(1e6) % 9)
    )
    start = time.process_time()
    segments = regular_segments(recording)
    assert time.process_time() - start < 1.0
    assert segments.n_samples > 900_000


@given(st.sets(st.integers(0, 199), max_size=80), st.integers(1, 30))
def test_every_sample_is_measured_or_bridged(lost, min_length):
    x = np.arange(200.0)
    x[list(lost)] = np.nan
    try:
        segments = regular_segments(x, min_length=min_length)
    except InvalidInput:
        return
    for start, values in zip(segments.starts, segments.values, strict=True):
        assert len(values) >= min_length
        # A straight line is what linear bridging leaves unchanged.
        np.testing.assert_allclose(values[:, 0], start + np.arange(len(values)))
        assert np.isfinite(x[int(start)])


def test_the_audit_is_idempotent_and_changes_nothing(rng):
    x = rng.normal(size=(300, 2))
    x[5, 0] = np.nan
    recording = as_recording(x)
    again = audit(audit(recording))
    assert [str(f) for f in again.findings] == [str(f) for f in recording.findings]
    np.testing.assert_array_equal(again[0].states, x)


def test_clean_noise_raises_no_caution(rng):
    recording = as_recording(rng.normal(size=(5000, 3)))
    assert [f.code for f in recording.findings if f.level != "note"] == []


def test_values_too_small_to_be_squared_are_refused():
    with pytest.raises(InvalidInput, match=r"squares vanish\. Rescale"):
        regular_segments(1e-200 * np.sin(np.arange(100.0)))


def test_gridded_records_leave_missing_values_missing(rng):
    x = rng.normal(size=(300, 2))
    x[40, 0] = np.nan
    x[100:115] = np.nan
    x[200:240] = np.nan
    found = gridded_records(x)
    assert [len(v) for v in found.values] == [200, 60]
    np.testing.assert_array_equal(found.values[0], x[:200])
    np.testing.assert_array_equal(found.values[1], x[240:])
    assert found.starts == (0.0, 240.0)


def test_gridded_records_hold_gaps_in_time_open(rng):
    times = np.concatenate([np.arange(40), 49 + np.arange(40), 1e7 + np.arange(40)])
    x = rng.normal(size=120)
    found = gridded_records(_of(times, x))
    assert [len(v) for v in found.values] == [89, 40]
    assert np.isnan(found.values[0][40:49]).all()
    np.testing.assert_array_equal(found.values[0][49:, 0], x[40:80])
