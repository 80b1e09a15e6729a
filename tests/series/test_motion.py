"""The verdict: affirmed where it should be, refused where it must be."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, Status
from takens.series import kind_of_motion
from tests.series.signals import ar1, henon, logistic, lorenz

T = np.arange(2000)
RNG = np.random.default_rng(11)


@pytest.mark.parametrize(
    ("kind", "signal"),
    [
        ("equilibrium", np.full(500, 3.0)),
        ("equilibrium", np.exp(-0.02 * T) * np.cos(0.3 * T)),
        ("periodic", np.sin(0.37 * T)),
        ("periodic", np.sin(0.37 * T) + 0.2 * RNG.normal(size=2000)),
        ("periodic", np.sign(np.sin(0.05123 * T)) + 0.05 * RNG.normal(size=2000)),
        ("quasiperiodic", np.sin(0.37 * T) + 0.8 * np.sin(0.37 * np.sqrt(2) * T)),
        ("chaotic", logistic(2000, 4.0, 0.3123)),
        ("chaotic", henon(2000)),
        ("chaotic", lorenz(3000)),
        ("stochastic-linear", RNG.normal(size=1500)),
        ("stochastic-linear", ar1(1500, 0.9, 5)),
        ("nonstationary", np.cumsum(RNG.normal(size=1500))),
        ("nonstationary", 0.004 * T + RNG.normal(size=2000)),
        ("stochastic-nonlinear", np.abs(ar1(2000, 0.8, 2)) * np.sign(RNG.normal(size=2000))),
    ],
)
def test_verdict(kind: str, signal: np.ndarray) -> None:
    found = kind_of_motion(signal)
    if kind == "stochastic-nonlinear":  # weak: the point is that it is never called chaotic
        assert found.kind in ("stochastic-nonlinear", "stochastic-linear")
    else:
        assert found.kind == kind, found.summary()
    assert found.reasons


@pytest.mark.parametrize("seed", range(8))
def test_noise_is_never_announced_as_chaos(seed: int) -> None:
    rng = np.random.default_rng(seed)
    white = rng.normal(size=800)
    variance, garch = 1.0, np.empty(800)
    for i in range(800):
        garch[i] = np.sqrt(variance) * white[i]
        variance = 0.05 + 0.1 * garch[i] ** 2 + 0.85 * variance
    for signal in (white, ar1(800, 0.95, seed), np.cumsum(white), garch):
        assert kind_of_motion(signal, seed=seed, quick=True).kind != "chaotic"


def test_both_tests_together_have_their_size_on_noise() -> None:
    """Two tests at 39 surrogates, Holm-corrected, reject white noise in one record of twenty."""
    found = []
    for seed in range(40):
        noise = np.random.default_rng([seed, 5]).normal(size=250)
        tests = kind_of_motion(noise, quick=True, seed=seed).surrogates
        found.append([test.p_value for test in tests])
    p_values = np.array(found)
    assert int(np.sum(p_values.min(axis=1) <= 0.05 / 2)) <= 6  # more in 1 of 300 such tests
    centre = (1 + 1 / 40) / 2  # of ranks from 1/40 to 1
    assert np.all(np.abs(p_values.mean(axis=0) - centre) < 3.3 * 0.289 / np.sqrt(len(p_values)))


def test_a_slow_wandering_is_not_taken_for_a_cycle() -> None:
    kinds = [kind_of_motion(np.cumsum(np.random.default_rng(s).normal(size=500)), quick=True).kind
             for s in range(40, 60)]  # fmt: skip
    assert set(kinds) <= {"nonstationary", "stochastic-linear", "stochastic-nonlinear"}


def test_a_short_chaotic_record_is_not_called_chaotic() -> None:
    found = kind_of_motion(lorenz(400))
    assert found.kind != "chaotic"
    assert any("periods" in need or "samples" in need for need in found.would_change)


def test_a_handful_of_samples_is_undetermined() -> None:
    found = kind_of_motion(RNG.normal(size=40))
    assert found.kind == "undetermined"
    assert found.status is Status.TOO_SHORT
    assert "40 samples" in found.reasons[0]


def test_same_seed_same_numbers() -> None:
    x = ar1(600, 0.5, 1)
    first, second = kind_of_motion(x, seed=3), kind_of_motion(x, seed=3)
    assert first.to_dict() == second.to_dict()


def test_verdict_does_not_depend_on_units() -> None:
    x = henon(1500)
    scaled = kind_of_motion(1e-9 * x + 40.0)
    plain = kind_of_motion(x)
    assert scaled.kind == plain.kind == "chaotic"
    assert scaled.exponent is not None
    assert plain.exponent is not None
    assert scaled.exponent.exponent.value == pytest.approx(plain.exponent.exponent.value, rel=0.02)


def test_gaps_are_respected() -> None:
    x = lorenz(4000)
    x[::401] = np.nan
    x[1000:1040] = np.nan
    assert kind_of_motion(x).kind == "chaotic"


def test_a_joint_embedding_of_several_columns() -> None:
    x = henon(2000)
    table = np.stack([x, np.roll(x, 1), 2 * x + 1], axis=1)[1:]
    assert kind_of_motion(table).kind == "chaotic"


def test_progress_runs_from_zero_to_one() -> None:
    seen: list[float] = []
    kind_of_motion(ar1(300, 0.3, 0), progress=lambda fraction, what: seen.append(fraction))
    assert seen[0] == 0.0
    assert seen[-1] == 1.0
    assert seen == sorted(seen)


def test_too_few_surrogates_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 39"):
        kind_of_motion(ar1(300, 0.3, 0), n_surrogates=19)


@pytest.mark.parametrize("x", [np.arange(300) % 2, np.arange(300) == 99, np.arange(300) < 270])
def test_records_that_mostly_repeat_or_rest_have_no_dimension_and_raise_no_warning(x) -> None:
    found = kind_of_motion(x.astype(float))
    assert found.kind != "chaotic"
    assert found.dimension is None or not found.dimension.dimension.is_finite
