"""Trajectory, recording, estimate, status, results."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from takens.core import (
    AbstractResult,
    Estimate,
    InvalidInput,
    NumericalFailure,
    Recording,
    Status,
    Trajectory,
    WrongKind,
    plain,
    require,
)


def test_trajectory_copies_and_freezes():
    states = np.zeros((3, 2))
    orbit = Trajectory(times=[0, 1, 2], states=states, names=["a", "b"])
    states[:] = 9
    assert orbit.states.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        orbit.states[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        orbit.names = ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"times": [0, 1], "states": [[1.0]]}, "2 times were given for 1 states"),
        ({"times": [0, 0], "states": [[1.0], [2.0]]}, "strictly increasing"),
        ({"times": [0, np.nan], "states": [[1.0], [2.0]]}, "NaN or infinity"),
        ({"times": [0, 1], "states": [[1.0], [np.inf]]}, "states hold infinity"),
        ({"times": [0, 1], "states": [1.0, 2.0]}, "expected 2 dimension"),
        ({"times": [0, 1], "states": [[1.0], [2.0]], "names": ["a", "b"]}, "one label per column"),
        ({"times": [0, 1], "states": [[1.0], [2.0]], "units": ["m", "s"]}, "one per column"),
        ({"times": [0, 1], "states": [[1.0], [2.0]], "inputs": [[1.0]]}, "input rows"),
    ],
)
def test_malformed_trajectories_are_refused(fields, message):
    with pytest.raises(InvalidInput, match=message):
        Trajectory(**fields)


def test_missing_values_are_welcome():
    orbit = Trajectory(times=[0, 1], states=[[np.nan], [1.0]], inputs=[[1.0], [2.0]])
    assert len(orbit) == 2
    labelled = orbit.to_xarray()
    assert labelled["state"].shape == (2, 1)
    assert labelled["input"].shape == (2, 1)


def test_recording_behaves_as_a_tuple():
    parts = [Trajectory(times=np.arange(n), states=np.ones((n, 1))) for n in (3, 5)]
    data = Recording(records=tuple(parts))
    assert (len(data), data.n_samples, data[1] is parts[1]) == (2, 8, True)
    assert [len(record) for record in data] == [3, 5]


def test_recordings_do_not_mix_columns():
    one = Trajectory(times=[0, 1], states=[[1.0], [2.0]], names=["a"])
    two = Trajectory(times=[0, 1], states=[[1.0], [2.0]], names=["b"])
    with pytest.raises(InvalidInput, match="Records differ"):
        Recording(records=(one, two))
    with pytest.raises(InvalidInput, match="No record"):
        Recording(records=())
    with pytest.raises(InvalidInput, match="expected Trajectory"):
        Recording(records=(np.ones(3),))


def test_estimate_is_no_float_and_prints_its_interval():
    estimate = Estimate(value=0.906, interval=(0.89, 0.92), unit="1/s", method="blocks")
    with pytest.raises(TypeError, match=r"Take `.value`"):
        float(estimate)
    assert str(estimate) == "0.906 1/s (90%: 0.89 to 0.92)"
    assert str(Estimate(value=np.nan)) == "none"
    assert "no interval" in str(Estimate(value=1.0))
    assert estimate.is_finite
    assert not Estimate(value=np.nan).is_finite


def test_every_failure_says_what_to_do():
    for status in Status:
        assert status is Status.OK or status.value.count(".") >= 1
    require(Status.DIVERGED, throw=False)
    require(Status.OK, throw=True)
    with pytest.raises(NumericalFailure, match="Shorten the span"):
        require(Status.DIVERGED, throw=True)


def test_errors_are_also_the_builtin_kind():
    assert issubclass(InvalidInput, ValueError)
    assert issubclass(WrongKind, TypeError)
    assert issubclass(NumericalFailure, RuntimeError)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Answer(AbstractResult):
    numbers: np.ndarray

    def summary(self):
        return "an answer"

    def plot(self, ax=None):
        return ax

    def to_xarray(self):
        raise NotImplementedError


def test_results_become_json_without_nan():
    answer = Answer(numbers=np.array([1.0, np.nan, np.inf]), provenance={"seed": np.int64(3)})
    text = json.dumps(answer.to_dict(), allow_nan=False)
    assert json.loads(text)["numbers"] == [1.0, None, None]
    assert json.loads(text)["provenance"] == {"seed": 3}
    assert str(answer) == "an answer"
    with pytest.raises(TypeError, match="is not a number"):
        float(answer)


def test_plain_speaks_json_types():
    assert plain(Status.OK) == "OK"
    assert plain((np.bool_(True), np.float64(2.5), None)) == [True, 2.5, None]
    assert plain({1: Estimate(value=np.nan)})["1"]["value"] is None
