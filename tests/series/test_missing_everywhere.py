"""Missing samples in every estimator: used, within a stated distance, or refused with the reason."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from takens import series
from takens.core import Estimate, InvalidInput, Status
from tests.series.signals import ar1, henon, lorenz

RNG = np.random.default_rng(5)
UNIFORM = RNG.uniform(size=4000)
HENON = henon(1500)
NOISY = HENON + 0.05 * RNG.normal(size=1500)
LORENZ = lorenz(3000, inner=10)
RED = ar1(1500, 0.6, 1)
WALK = np.cumsum(RNG.normal(size=2000))
STEP = np.where(np.arange(1500) < 700, RED, RED + 3)
PATTERNS = ("1 %", "10 %", "40 %", "gap")

# Not estimators: arithmetic on a number of points.
EXEMPT = {"eckmann_ruelle_ceiling"}


def fields(*names: str) -> Callable[[Any], list[tuple[float, tuple[float, float]]]]:
    """Values and intervals (NaN where there are none) of fields of a result, nested by dots."""

    def get(result: Any) -> list[tuple[float, tuple[float, float]]]:
        found = []
        for name in names:
            value = result
            for part in name.split("."):
                value = getattr(value, part)
            for one in value if isinstance(value, tuple) else np.ravel(np.asarray(value, object)):
                if isinstance(one, Estimate):
                    bound = one.method == "lower bound"
                    found.append((one.value, (one.value, np.inf) if bound else one.interval))
                else:
                    found.append((float(one), (np.nan, np.nan)))
        return found

    return get


@dataclasses.dataclass(frozen=True)
class Row:
    """One estimator: data, how it is asked, what it answers, and how far that may move.

    `share` is of the complete record's answer, `most` absolute; an interval that holds the complete
    record's answer, or that overlaps with its interval, is near enough as well.
    """

    signal: np.ndarray
    ask: Callable[[np.ndarray], Any]
    answer: Callable[[Any], list[tuple[float, tuple[float, float]]]]
    share: float = 0.1
    most: float = 0.0


def kind(result: Any) -> list[tuple[float, tuple[float, float]]]:
    """1 for chaos, NaN for undetermined, -1 for any other answer."""
    code = {"chaotic": 1.0, "undetermined": np.nan}.get(result.kind, -1.0)
    return [(code, (np.nan, np.nan))]


def cubes(x: np.ndarray) -> float:
    return float(np.nanmean(np.diff(x) ** 3) / np.nanmean(np.diff(x) ** 2) ** 1.5)


def spread(x: np.ndarray) -> float:
    return float(np.nanvar(x))


def rejected(result: Any) -> list[tuple[float, tuple[float, float]]]:
    """Whether a test rejects; this is what may not change."""
    answered = np.isfinite(result.p_value)
    return [(float(result.p_value <= 0.05) if answered else np.nan, (np.nan, np.nan))]


def finite_size(result: Any) -> list[tuple[float, tuple[float, float]]]:
    """The rate at the smallest scale that is known."""
    known = np.flatnonzero(np.isfinite(result.rates))
    if not known.size:
        return [(np.nan, (np.nan, np.nan))]
    return [(result.rates[known[0]], tuple(result.intervals[known[0]]))]


def spectrum_of_exponents(result: Any) -> list[tuple[float, tuple[float, float]]]:
    every = zip(result.exponents, result.intervals, strict=True)
    return [(float(v), tuple(i)) for v, i in every] or [(np.nan, (np.nan, np.nan))] * 2


def shares_of_values(result: Any) -> list[tuple[float, tuple[float, float]]]:
    """Standard deviations of each coordinate of the states."""
    states = np.concatenate([r.states for r in result])
    return [(float(s), (np.nan, np.nan)) for s in np.nanstd(states, axis=0)]


def of_windows(result: Any) -> list[tuple[float, tuple[float, float]]]:
    """Mean determinism and laminarity of the windows that have one."""
    seen = result.values[np.isfinite(result.values[:, 0])][:, [0, 2]]
    return [(float(v.mean()) if len(v) else np.nan, (np.nan, np.nan)) for v in seen.T]


QUIET: dict[str, Any] = {"throw": False}
LINES = fields("recurrence_rate", "determinism", "laminarity", "recurrence_time", "mean_line")
ROWS = {
    "box_dimension": Row(HENON, lambda x: series.box_dimension(x, **QUIET), fields("dimensions")),
    "change_points": Row(
        STEP, lambda x: series.change_points(x, n_surrogates=39, **QUIET), fields("places"), 0.02
    ),
    "correlation_dimension": Row(
        HENON, lambda x: series.correlation_dimension(x, **QUIET), fields("dimension", "likelihood")
    ),
    "cross_prediction": Row(
        NOISY,
        lambda x: series.cross_prediction(
            x, n_segments=2, n_reassignments=19, dimension=2, **QUIET
        ),
        rejected,
    ),
    "cross_recurrence": Row(
        HENON, lambda x: series.cross_recurrence(x, x[::-1], dimension=2, delay=1, **QUIET), LINES
    ),
    "data_sufficiency": Row(
        LORENZ, series.data_sufficiency, fields("length_in_periods", "largest_dimension"), 0.35
    ),
    "delay_coordinates": Row(
        HENON, lambda x: series.delay_coordinates(x, [0, 1]), shares_of_values
    ),
    "delayed_information": Row(
        RED,
        lambda x: series.delayed_information(x, max_lag=3, **QUIET),
        fields("information"),
        most=0.08,
    ),
    "dispersion_entropy": Row(
        RED, lambda x: series.dispersion_entropy(x, classes=3, **QUIET), fields("entropy"), 0.02
    ),
    "divergence_exponent": Row(
        LORENZ, lambda x: series.divergence_exponent(x, **QUIET), fields("exponent")
    ),
    "embedding": Row(HENON, series.embedding, fields("dimension", "delay", "map_like"), 0.0),
    "finite_size_lyapunov": Row(
        LORENZ, lambda x: series.finite_size_lyapunov(x, **QUIET), finite_size, 0.5
    ),
    "fuzzy_entropy": Row(HENON, lambda x: series.fuzzy_entropy(x, **QUIET), fields("entropy")),
    "generalised_dimensions": Row(
        HENON, lambda x: series.generalised_dimensions(x, **QUIET), fields("dimensions")
    ),
    "higuchi_dimension": Row(
        WALK, lambda x: series.higuchi_dimension(x, **QUIET), fields("dimension"), 0.03
    ),
    "information_dimension": Row(
        HENON, lambda x: series.information_dimension(x, **QUIET), fields("dimensions")
    ),
    "joint_recurrence": Row(
        HENON, lambda x: series.joint_recurrence(x, x[::-1], dimension=2, delay=1, **QUIET), LINES
    ),
    "kind_of_motion": Row(HENON, lambda x: series.kind_of_motion(x, quick=True), kind, 0.0),
    "largest_lyapunov": Row(
        HENON, lambda x: series.largest_lyapunov(x, quick=True, **QUIET), fields("exponent")
    ),
    "lempel_ziv_complexity": Row(
        HENON, lambda x: series.lempel_ziv_complexity(x, **QUIET), fields("complexity")
    ),
    "level_stationarity": Row(
        np.diff(RED), lambda x: series.level_stationarity(x, **QUIET), rejected
    ),
    "local_dimension": Row(
        HENON,
        lambda x: series.local_dimension(x, n_states=100, **QUIET),
        fields("dimension", "persistence"),
    ),
    "local_global_prediction": Row(
        NOISY,
        lambda x: series.local_global_prediction(x, dimension=2, delay=1, **QUIET),
        fields("gain"),
        0.5,
    ),
    "lyapunov_spectrum_from_data": Row(
        HENON, lambda x: series.lyapunov_spectrum_from_data(x, **QUIET), spectrum_of_exponents
    ),
    "multiscale_entropy": Row(
        RED, lambda x: series.multiscale_entropy(x, scales=3, **QUIET), fields("entropies")
    ),
    "noise_level": Row(NOISY, lambda x: series.noise_level(x, **QUIET), fields("share")),
    "noise_reduction": Row(
        NOISY[:1000],
        lambda x: series.noise_reduction(x, max_iterations=1, **QUIET),
        fields("noise", "removed"),
    ),
    "nonuniform_embedding": Row(
        HENON,
        lambda x: series.nonuniform_embedding(x, max_dimension=2, max_lag=1, **QUIET),
        lambda r: [(float(d), (np.nan, np.nan)) for d in np.append(r.delays, np.nan)[:2]],
        0.0,
    ),
    "permutation_entropy": Row(
        HENON, lambda x: series.permutation_entropy(x, **QUIET), fields("entropy", "weighted"), 0.02
    ),
    "prediction_error": Row(
        NOISY,
        lambda x: series.prediction_error(x, dimension=2, delay=1, **QUIET),
        fields("error", "over_linear"),
        0.3,
    ),
    "recurrence_network": Row(
        HENON,
        lambda x: series.recurrence_network(x, max_states=400, **QUIET),
        fields("transitivity", "clustering", "dimension"),
    ),
    "recurrence_plot": Row(HENON, lambda x: series.recurrence_plot(x, **QUIET), fields("rate")),
    "recurrence_quantification": Row(
        HENON, lambda x: series.recurrence_quantification(x, dimension=2, delay=1, **QUIET), LINES
    ),
    "recurrence_time_dimension": Row(
        HENON, lambda x: series.recurrence_time_dimension(x, **QUIET), fields("dimension")
    ),
    "recurrence_windows": Row(
        HENON,
        lambda x: series.recurrence_windows(x, window=500, dimension=2, delay=1, **QUIET),
        of_windows,
    ),
    "sample_entropy": Row(HENON, lambda x: series.sample_entropy(x, **QUIET), fields("entropy")),
    "sampling": Row(
        LORENZ,
        lambda x: series.sampling(x, **QUIET),
        fields("step_ratio", "samples_per_fast_period", "map_like"),
        0.15,
    ),
    "singular_embedding": Row(
        HENON, lambda x: series.singular_embedding(x, window=4, **QUIET), fields("values"), 0.12
    ),
    "slope_entropy": Row(
        RED, lambda x: series.slope_entropy(x, length=3, **QUIET), fields("entropy"), 0.02
    ),
    "spectral_entropy": Row(
        RED, lambda x: series.spectral_entropy(x, **QUIET), fields("entropy"), 0.02
    ),
    "spectrum": Row(
        np.sin(0.21 * np.arange(2000)) + 0.3 * RNG.normal(size=2000),
        series.spectrum,
        lambda r: fields("periods")(r)[:1] or [(np.nan, (np.nan, np.nan))],
        0.05,
    ),
    "stationarity": Row(
        np.diff(RED),
        lambda x: series.stationarity(x, **QUIET),
        lambda r: [(float(r.wanders or r.uneven), (np.nan, np.nan))],
    ),
    "statistical_complexity": Row(
        HENON,
        lambda x: series.statistical_complexity(x, **QUIET),
        fields("entropy", "complexity"),
        0.02,
    ),
    "surrogate_data": Row(
        RED,
        lambda x: series.surrogate_data(x, n_surrogates=2, **QUIET),
        lambda r: [(float(np.nanstd(s)), (np.nan, np.nan)) for s in r.surrogates],
        0.2,
    ),
    "surrogate_test": Row(
        HENON, lambda x: series.surrogate_test(x, cubes, n_surrogates=39, **QUIET), rejected
    ),
    "surrogate_tests": Row(
        HENON,
        lambda x: series.surrogate_tests(x, {"cubes": (cubes, "two-sided")})[0],
        rejected,
    ),
    "time_reversal": Row(
        HENON, lambda x: series.time_reversal(x, n_surrogates=39, **QUIET), fields("asymmetry")
    ),
    "unit_root": Row(RED, lambda x: series.unit_root(x, **QUIET), fields("half_life"), 0.1),
    "windowed": Row(
        RED, lambda x: series.windowed(x, spread, window=150, n_surrogates=39, **QUIET), rejected
    ),
    "zero_one_test_of_data": Row(
        HENON,
        lambda x: series.zero_one_test_of_data(x, n_surrogates=19, **QUIET),
        fields("k"),
        0.02,
    ),
}


def holed(x: np.ndarray, pattern: str) -> np.ndarray:
    if pattern == "gap":
        middle = len(x) // 2
        return np.concatenate([x[: middle - 60], np.full(120, np.nan), x[middle + 60 :]])
    share = float(pattern.removesuffix(" %")) / 100
    return np.where(UNIFORM[: len(x)] < share, np.nan, x)


def near(got: Any, whole: Any, row: Row) -> bool:
    (value, interval), (true, spanned) = got, whole
    if np.isnan(value) or np.isnan(true):
        return True
    if abs(value - true) <= row.share * abs(true) + row.most + 1e-12:
        return True
    ends = spanned if np.isfinite(spanned).all() else (true, true)
    return bool(interval[0] <= ends[1] and interval[1] >= ends[0])


WHOLE: dict[str, Any] = {}
ANSWERED: dict[str, set[str]] = {}


def test_every_estimator_has_a_row():
    public = {
        name
        for name, thing in vars(series).items()
        if inspect.isfunction(thing) and not name.startswith("_")
    }
    assert public - EXEMPT == set(ROWS)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", ROWS)
def test_missing_samples_are_used_or_refused(name, pattern):
    row = ROWS[name]
    if name not in WHOLE:
        WHOLE[name] = row.answer(row.ask(row.signal))
        assert np.isfinite([value for value, _ in WHOLE[name]][:1]).all()
    try:
        result = row.ask(holed(row.signal, pattern))
    except InvalidInput as error:
        message = str(error)
    else:
        message = ""
    if message:  # what was given, and what to do
        assert any(word in message for word in ("missing", "samples", "stretch"))
        assert any(word in message for word in ("Give", "Lower", "Use", "Ask", "Leave"))
        return
    told = getattr(result, "cautions", None) or result.findings
    assert "missing-values" in {finding.code for finding in told}
    status = getattr(result, "status", Status.OK)
    answer = row.answer(result)
    if status is not Status.OK:
        assert status in (
            Status.TOO_SHORT,
            Status.NOT_APPLICABLE,
            Status.NO_SCALING,
            Status.NO_EMBEDDING,
        )
        if status is not Status.NO_EMBEDDING:  # which holds the present value all the same
            assert np.isnan([value for value, _ in answer]).all()
        return
    if name == "change_points":
        assert len(answer) == len(WHOLE[name])
    if np.isfinite(answer[0][0]):
        ANSWERED.setdefault(name, set()).add(pattern)
    for got, whole in zip(answer, WHOLE[name], strict=False):
        assert near(got, whole, row), (got, whole)


# A refusal of everything would pass: these answer fewer than three of the first, second and last.
REFUSERS = {
    "lempel_ziv_complexity": 1,
    "zero_one_test_of_data": 2,
    "unit_root": 2,
    "divergence_exponent": 2,
}


@pytest.mark.parametrize("name", ROWS)
def test_not_everything_is_refused(name):
    if name not in WHOLE:
        pytest.skip("asked of the whole file, which has the answers")
    assert len(ANSWERED.get(name, set()) - {"40 %"}) >= REFUSERS.get(name, 3)
