"""Hostile records and settings: an error that says what to do, or a result; never another error."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

from takens import series
from takens.core import InvalidInput, TakensError, Trajectory
from tests.series.test_missing_everywhere import ROWS

RNG = np.random.default_rng(0)
N = 300
X = RNG.normal(size=N)
RECORDS = {
    "constant": np.ones(N),
    "one row": np.ones(1),
    "two rows": np.array([1.0, 2.0]),
    "no row": np.zeros(0),
    "huge": 1e300 * X,
    "tiny": 1e-300 * X,
    "far offset": 1e9 + 1e-3 * X,
    "integers": RNG.integers(0, 3, N),
    "truth values": RNG.integers(0, 2, N).astype(bool),
    "words": np.array(["a", "b"] * 50),
    "nothing but missing": np.full(N, np.nan),
    "infinite": np.where(np.arange(N) == 7, np.inf, X),
    "twenty rows": X[:20],
    "constant column": np.column_stack([X, np.ones(N)]),
    "constant columns": np.ones((N, 3)),
    "equal columns": np.column_stack([X, X]),
    "one step": np.where(np.arange(N) < N // 2, 0.0, 1.0),
    "one spike": np.where(np.arange(N) == N // 2, 1.0, 0.0),
    "two values": np.arange(N) % 2.0,
    "ramp": np.arange(float(N)),
    "exact period": np.sin(2 * np.pi * np.arange(N) / 20),
    "mostly missing": np.where(np.arange(N) % 17 == 0, X, np.nan),
    "complex": X + 1j,
    "cube": np.zeros((5, 5, 5)),
    "single precision": X.astype(np.float32),
}
ANSWERS_NOTHING = {"one row", "no row", "words", "nothing but missing", "complex", "cube"}


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("name", ROWS)
def test_records(name, record):
    row = ROWS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            answer = row.answer(row.ask(RECORDS[record]))
        except TakensError:
            return
    assert record not in ANSWERS_NOTHING or np.isnan([value for value, _ in answer]).all()


def test_questions_about_motion_refuse_a_constant_record():
    for ask in (
        series.embedding,
        series.prediction_error,
        series.time_reversal,
        series.surrogate_data,
        series.largest_lyapunov,
    ):
        with pytest.raises(InvalidInput, match=r"constant\. Give a column that varies"):
            ask(np.ones(N))
    silent = series.lempel_ziv_complexity(np.ones(N), throw=False)
    assert np.isnan(silent.complexity.value)


@pytest.mark.parametrize("times", [np.repeat(np.arange(150.0), 2), np.arange(300.0)[::-1]])
def test_times_that_do_not_increase_are_refused(times):
    with pytest.raises(InvalidInput, match=r"not strictly increasing\. Sort them"):
        Trajectory(times=times, states=X[:, None], names=("x",), units=("",), time_unit="s")


NEEDED = {
    "cross_recurrence": {"other": X},
    "joint_recurrence": {"other": X},
    "surrogate_test": {"statistic": np.var},
    "surrogate_tests": {"statistics": {"variance": (np.var, "less")}},
    "windowed": {"statistic": np.var},
    "delay_coordinates": {"delays": [0, 1]},
    "recurrence_windows": {"window": 100},
}
SETTINGS = [
    (name, setting, str(parameter.annotation).removesuffix(" | None"))
    for name in ROWS
    for setting, parameter in inspect.signature(getattr(series, name)).parameters.items()
    if str(parameter.annotation).removesuffix(" | None") in ("int", "float")
]


@pytest.mark.parametrize(("name", "setting", "kind"), SETTINGS)
def test_settings_of_the_wrong_kind_are_refused(name, setting, kind):
    wrong = ["a", np.nan, np.inf] + ([2.5] if kind == "int" else [])
    wrong += {
        "level": [0.0, 1.0, 1.5],
        "seed": [-1],
        "delay": [0, -1],
        "n_states": [0],
        "max_dimension": [0],
    }.get(setting, [])
    for value in wrong:
        with pytest.raises(InvalidInput, match=r"="):
            getattr(series, name)(X, **{**NEEDED.get(name, {}), setting: value})


@pytest.mark.parametrize("delays", [3, 2.5, "a", [], [-1], [0.5]])
def test_delays_that_are_none(delays):
    with pytest.raises(InvalidInput, match="delay"):
        series.delay_coordinates(X, delays)


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: series.multiscale_entropy(x, scales=2.5),
        lambda x: series.multiscale_entropy(x, scales=[1, 2.5]),
        lambda x: series.multiscale_entropy(x, scales=[np.nan]),
        lambda x: series.multiscale_entropy(x, scales=[10**12]),
        lambda x: series.multiscale_entropy(x, scales=[300]),
        lambda x: series.cross_prediction(x, n_segments=10**9),
        lambda x: series.cross_prediction(x, n_reassignments=10**12),
        lambda x: series.noise_level(x, dimension=10**9),
        lambda x: series.local_dimension(x, theiler=-5),
    ],
)
def test_enormous_and_broken_settings_are_refused_at_once(ask):
    with pytest.raises(InvalidInput):
        ask(np.random.default_rng(0).normal(size=250))
