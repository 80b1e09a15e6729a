"""Tipping and following against the folds of a bistable normal form."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status
from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, parameter, static
from takens.dynamics import (
    basin_stability,
    basins_of_attraction,
    follow_attractors,
    tipping_probabilities,
)
from takens.systems import LogisticMap

EDGE = 2 / (3 * 3**0.5)
FAST = {"dt": 1.0, "n_transient": 120, "n_steps": 40}


class Fold(AbstractFlow):
    """x' = r + x - x^3: two stable equilibria for |r| < 2 / (3 sqrt 3), else one."""

    r: object = parameter(0.0)
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = RungeKutta(0.2)

    def vector_field(self, t, x, u=None):
        return self.r + x - x**3


def equilibria(r):
    roots = np.roots([1.0, 0.0, -1.0, -r])
    return np.sort(roots[np.abs(roots.imag) < 1e-9].real)


@pytest.fixture(scope="module")
def followed():
    return follow_attractors(Fold(), "r", np.linspace(-0.63, 0.63, 15), {"x": (-2.0, 2.0)}, **FAST)


def test_labels_exist_exactly_between_the_folds(followed):
    np.testing.assert_array_equal(followed.exists[:, 0], followed.values < EDGE)
    np.testing.assert_array_equal(followed.exists[:, 1], followed.values > -EDGE)
    for value, found in zip(followed.values, followed.attractors, strict=True):
        stable = equilibria(value)
        if 0 in found:
            assert found[0].centre[0] == pytest.approx(stable[0], abs=1e-5)
        if 1 in found:
            assert found[1].centre[0] == pytest.approx(stable[-1], abs=1e-5)


def test_appearance_and_disappearance_are_recorded(followed):
    first, second = followed.events
    assert (first.kind, first.label) == ("appears", 1)
    assert first.between[0] < -EDGE < first.between[1]
    assert (second.kind, second.label) == ("vanishes", 0)
    assert second.between[0] < EDGE < second.between[1]
    assert "1 appears between -0.45 and -0.36" in followed.summary()


def test_shares_follow_the_unstable_equilibrium(followed):
    inside = np.abs(followed.values) < EDGE
    middle = np.array([equilibria(r)[1] for r in followed.values[inside]])
    starts = np.random.default_rng(0).uniform(-2.0, 2.0, 200)
    np.testing.assert_allclose(
        followed.shares[inside, 1], np.mean(starts > middle[:, None], axis=1), atol=1e-12
    )
    truth = (2 - middle) / 4
    error = (truth * (1 - truth) / 200) ** 0.5
    assert (np.abs(followed.shares[inside, 1] - truth) < 3 * error).all()
    low, high = followed.intervals[inside, 1].T
    np.testing.assert_allclose(high - low, 2 * 1.645 * error, rtol=0.1)
    assert followed.plot().get_ylabel() == "share of the starts"
    assert followed.to_xarray()["share"].dims == ("r", "label")


def test_a_shrinking_basin_is_not_missed_and_a_return_keeps_its_label():
    """Ten starts in x > 1 never see the lower branch; its own state is carried along."""
    values = [0.0, 0.3, 0.6, 0.3]
    found = follow_attractors(Fold(), "r", values, {"x": (-0.2, 2.0)}, n_samples=10, **FAST)
    np.testing.assert_array_equal(found.exists[:3], [[True, True], [True, True], [False, True]])
    assert found.shares[1, 0] == pytest.approx(np.mean(
        np.random.default_rng(0).uniform(-0.2, 2.0, 10) < equilibria(0.3)[1]
    ))  # fmt: skip
    assert found.shares.shape[1] == 2


def test_nothing_to_follow_raises():
    with pytest.raises(NumericalFailure, match="did not converge"):
        follow_attractors(LogisticMap(), "r", [5.0], {"x": (2.0, 3.0)}, n_samples=10)
    found = follow_attractors(
        LogisticMap(), "r", [5.0], {"x": (2.0, 3.0)}, n_samples=10, throw=False
    )
    assert found.status is Status.NOT_CONVERGED
    assert found.diverged[0] == 1.0
    assert found.plot() is not None


def test_tipping_of_the_fold_is_the_strip_between_unstable_equilibria():
    grid = {"x": np.linspace(-2, 2, 400)}
    before = basins_of_attraction(Fold(r=0.0), grid, **FAST)
    after = basins_of_attraction(Fold(r=0.3), grid, **FAST)
    past = basins_of_attraction(Fold(r=0.6), grid, **FAST)
    found = tipping_probabilities(before, after)
    x = grid["x"]
    share = np.mean(x[x < 0] > equilibria(0.3)[1])
    assert found.probability(0, 1).value == pytest.approx(share, abs=1e-12)
    assert found.probability(1, 0).value == 0.0
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0)
    low, high = found.intervals[0, 1]
    assert low < share < high
    all_tip = tipping_probabilities(before, past)
    assert all_tip.after == (0,)
    np.testing.assert_array_equal(all_tip.probabilities, 1.0)
    assert "0 -> 0: 1" in all_tip.summary()


def test_tipping_over_random_starts():
    box = {"x": (-2.0, 2.0)}
    before = basin_stability(Fold(r=0.0), box, n_samples=300, **FAST)
    after = basin_stability(Fold(r=0.3), box, n_samples=300, **FAST)
    found = tipping_probabilities(before, after)
    x = before.starts[:, 0]
    assert found.probability(0, 1).value == np.mean(x[x < 0] > equilibria(0.3)[1])
    other = basin_stability(Fold(r=0.3), box, n_samples=300, seed=1, **FAST)
    with pytest.raises(InvalidInput, match="not of the same starts"):
        tipping_probabilities(before, other)


def test_malformed_questions_are_refused():
    with pytest.raises(InvalidInput, match="not of the same starts"):
        tipping_probabilities(np.zeros(3, dtype=int), np.zeros(4, dtype=int))
    with pytest.raises(InvalidInput, match="after is ndarray"):
        tipping_probabilities(np.zeros(3, dtype=int), np.zeros(3))
    with pytest.raises(InvalidInput, match="No start is decided"):
        tipping_probabilities(np.full(3, -2), np.full(3, -2))
    with pytest.raises(InvalidInput, match="No start was in basin 7"):
        tipping_probabilities(np.zeros(3, dtype=int), np.zeros(3, dtype=int)).probability(7, 0)
    with pytest.raises(InvalidInput, match="no parameter 'q'"):
        follow_attractors(Fold(), "q", [0.0], {"x": (0, 1)})
    with pytest.raises(InvalidInput, match="max_distance = 0"):
        follow_attractors(Fold(), "r", [0.0], {"x": (0, 1)}, max_distance=0)
