"""The fate of training over the learning rate, found without being told."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms
from takens.core import InvalidInput, WrongKind

QUARTIC = algorithms.Loss.of(lambda w: 0.25 * jnp.sum((w**2 - 1) ** 2), [1.0])


@pytest.fixture(scope="module")
def ladder():
    return algorithms.learning_rate_scan(
        algorithms.GradientDescent(QUARTIC, 0.1), [0.4], (0.5, 2.1)
    )


def test_the_whole_ladder_of_the_quartic(ladder):
    known = [1.0, np.sqrt(5) - 1, 1.28803175, 1.29922794, 1.30162891, 1.30214327]
    assert np.allclose([f.value for f in ladder.flips], known, atol=1e-7)
    assert ladder.largest_stable.value == pytest.approx(1.0, abs=1e-7)
    assert ladder.chaos_onset.value == pytest.approx(1.3022835, abs=1e-6)
    assert ladder.chaos_onset.interval[0] <= 1.3022835 <= ladder.chaos_onset.interval[1]
    low, high = ladder.divergence.interval
    assert low <= 2.0 * (1 + 1e-9)
    assert high >= 2.0
    assert high - low < 2e-3 * high
    (merging,) = ladder.crises
    low, high = merging.interval
    assert low < 1.5 * np.sqrt(3) - 1 < high  # where the bands of both minima merge
    assert high - low < 2e-3 * high


def test_kinds_along_the_ladder(ladder):
    kinds = ladder.kinds
    assert np.all(kinds[ladder.rates < 0.99] == 0)
    assert np.all(ladder.periods[(ladder.rates > 1.05) & (ladder.rates < 1.2)] == 2)
    assert np.all(kinds[ladder.rates > 2.001] == 4)
    strong = (ladder.rates > 1.6) & (ladder.rates < 1.99)
    assert np.all(kinds[strong] != 0)
    assert np.mean(ladder.exponents[strong] > 0) > 0.8


def test_a_run_that_never_leaves_the_stable_range_has_no_thresholds():
    found = algorithms.learning_rate_scan(
        algorithms.GradientDescent(QUARTIC, 0.1), [0.4], (0.1, 0.5), n_rounds=1
    )
    assert not found.largest_stable.is_finite
    assert not found.divergence.is_finite
    assert not found.flips
    assert "not met" in found.summary()


def test_adam_depends_on_the_iterate_and_is_bracketed():
    # once the gradient is gone Adam divides by epsilon: curvature 2 / 0.1 bears rates up to 38 / 20
    found = algorithms.learning_rate_scan(
        algorithms.Adam(QUARTIC, 0.1, second=0.9, epsilon=0.1), [0.9, 0.0, 0.0], (0.5, 3.0)
    )
    low, high = found.largest_stable.interval
    assert high - low < 2e-3 * high
    assert found.largest_stable.value == pytest.approx(1.9, rel=1e-2)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda: algorithms.learning_rate_scan(QUARTIC, [0.4], (0.5, 2)), WrongKind, "map"),
        (
            lambda: algorithms.learning_rate_scan(
                algorithms.GradientDescent(QUARTIC, 0.1), [0.4], (2, 0.5)
            ),
            InvalidInput,
            "lesser first",
        ),
        (
            lambda: algorithms.learning_rate_scan(
                algorithms.GradientDescent(QUARTIC, 0.1), [0.4], (0.5, 2), parameter="momentum"
            ),
            InvalidInput,
            "momentum",
        ),
        (
            lambda: algorithms.learning_rate_scan(
                algorithms.GradientDescent(QUARTIC, 0.1), [0.4], (0.5, 2), n_steps=10
            ),
            InvalidInput,
            "n_steps",
        ),
    ],
)
def test_malformed_scans_are_refused(ask, error, message):
    with pytest.raises(error, match=message):
        ask()
