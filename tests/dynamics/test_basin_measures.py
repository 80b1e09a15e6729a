"""Basin stability, entropy and uncertainty exponent against layouts with closed forms."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binom

from takens.core import InvalidInput, NumericalFailure, Status
from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, AbstractMap, static
from takens.dynamics import (
    attractors,
    basin_entropy,
    basin_stability,
    basins_of_attraction,
    uncertainty_exponent,
)
from takens.systems import HenonMap, LogisticMap
from takens.testing import check_result


class Wells(AbstractFlow):
    """x' = x - x^3, y' = -y: the sign of x decides."""

    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.25)

    def vector_field(self, t, x, u=None):
        return jnp.stack([x[0] - x[0] ** 3, -x[1]])


class Newton(AbstractMap):
    names: tuple[str, ...] = static(("re", "im"))

    def step(self, n, x, u=None):
        a, b = x
        d = 3 * (a * a + b * b) ** 2
        return jnp.stack([2 * a / 3 + (a * a - b * b) / d, 2 * b / 3 - 2 * a * b / d])


FAST = {"dt": 0.5, "n_transient": 50, "n_steps": 40}


def test_stability_is_the_volume_of_the_basin():
    box = {"x": (-1.0, 3.0), "y": (-1.0, 1.0)}
    found = basin_stability(Wells(), box, n_samples=2000, **FAST)
    np.testing.assert_array_equal(found.labels, found.starts[:, 0] > 0)
    low, high = found.stability[1].interval
    assert low < 0.75 < high
    assert found.stability[1].standard_error == pytest.approx((0.75 * 0.25 / 2000) ** 0.5, rel=0.05)
    assert [name.get_text() for name in found.plot().get_yticklabels()] == ["0: point", "1: point"]


def test_intervals_cover_about_as_often_as_they_say():
    """90 % of 60 repetitions, within three deviations of a binomial: 47 to 60."""
    grid = attractors(Wells(), [[-2.0, 0.0], [2.0, 1.0]], **FAST)
    hits = 0
    for seed in range(60):
        found = basin_stability(Wells(), {"x": (-1.0, 3.0)}, x0=[0.0, 0.5], known=grid,
                                n_samples=100, seed=seed, **FAST)  # fmt: skip
        low, high = found.stability[1].interval
        hits += bool(low < 0.75 < high)
    assert 47 <= hits <= 60


def test_known_attractors_keep_their_numbers_and_new_ones_follow():
    right = attractors(Wells(), [[1.0, 0.0], [2.0, 1.0]], **FAST)
    assert len(right.attractors) == 1
    found = basin_stability(Wells(), {"x": (-1.0, 3.0), "y": (-1.0, 1.0)}, known=right,
                            n_samples=200, **FAST)  # fmt: skip
    np.testing.assert_array_equal(found.labels, found.starts[:, 0] < 0)
    assert found.attractors[0] is right.attractors[0]
    np.testing.assert_allclose(found.attractors[1].centre, [-1, 0], atol=1e-5)


def test_basins_on_a_grid_keep_the_numbers_of_known_attractors():
    grid = {"x": np.linspace(-2.0, 2.0, 20), "y": np.linspace(-1.0, 1.0, 4)}
    right = attractors(Wells(), [[1.0, 0.0], [2.0, 1.0]], **FAST)
    found = basins_of_attraction(Wells(), grid, known=right, **FAST)
    assert found.attractors[0] is right.attractors[0]
    np.testing.assert_array_equal(found.labels, np.tile(grid["x"][:, None] < 0, (1, 4)))
    assert found.provenance["scale"] == right.provenance["scale"]


def test_stability_of_nothing_raises():
    with pytest.raises(NumericalFailure, match="non-finite"):
        basin_stability(LogisticMap(), {"x": (2.0, 3.0)}, n_samples=20)
    found = basin_stability(LogisticMap(), {"x": (2.0, 3.0)}, n_samples=20, throw=False)
    assert found.status is Status.DIVERGED
    assert found.diverged.value == 1.0
    assert "No attractor" in found.summary()


def test_entropy_of_a_straight_boundary():
    labels = (np.arange(100) >= 52)[:, None] * np.ones(100, dtype=int)
    found = basin_entropy(labels, box_size=5)
    shared = -(0.4 * np.log(0.4) + 0.6 * np.log(0.6))
    assert found.boundary_entropy.value == pytest.approx(shared, abs=1e-12)
    assert found.entropy.value == pytest.approx(shared / 20, abs=1e-12)
    assert not found.boundary_is_fractal
    np.testing.assert_allclose(found.boxes[10], shared)
    flat = basin_entropy(np.zeros((20, 20), dtype=int))
    assert flat.entropy.value == 0.0
    assert "no box holds more than one basin" in flat.summary()


def test_entropy_of_uniform_random_colours():
    """Two colours: the exact mean of the plug-in entropy over a binomial; four: above log 2."""
    rng = np.random.default_rng(2)
    found = basin_entropy(rng.integers(0, 2, (200, 200)), box_size=5)
    p = np.arange(26) / 25
    each = -np.where(p > 0, p * np.log(np.maximum(p, 1e-300)), 0)
    each += -np.where(p < 1, (1 - p) * np.log(np.maximum(1 - p, 1e-300)), 0)
    exact = np.sum(binom.pmf(np.arange(26), 25, 0.5) * each)
    assert abs(found.entropy.value - exact) < 3 * found.entropy.standard_error
    assert not found.boundary_is_fractal
    four = basin_entropy(rng.integers(0, 4, (200, 200)), box_size=5)
    assert four.boundary_is_fractal
    assert four.entropy.value == pytest.approx(np.log(4) - 3 / 50, abs=0.01)  # Miller-Madow


def test_entropy_leaves_undecided_boxes_out():
    labels = np.zeros((10, 10), dtype=int)
    labels[0, 0] = -2
    found = basin_entropy(labels)
    assert np.isnan(found.boxes[0, 0])
    assert found.entropy.value == 0.0
    assert [f.code for f in found.cautions] == ["boxes-undecided"]
    labels[0, 0] = -1  # a diverging start is a basin like another
    assert basin_entropy(labels).boundary_entropy.value > 0


def test_uncertainty_exponent_of_a_line_a_cantor_set_and_dust():
    line = (np.arange(256) >= 128)[:, None] * np.ones(256, dtype=int)
    found = uncertainty_exponent(line)
    assert found.exponent.value == pytest.approx(1.0, abs=1e-12)
    assert found.boundary_dimension.value == pytest.approx(1.0, abs=1e-12)
    dust = uncertainty_exponent(np.random.default_rng(0).integers(0, 2, (128, 128)))
    assert abs(dust.exponent.value) < 0.01
    # gaps of the middle-thirds set, coloured by their level: dimension log 2 / log 3
    x = (np.arange(3**9) + 0.5) / 3**9
    label, open_ = np.full(x.size, 20), np.ones(x.size, dtype=bool)
    for depth in range(9):
        digit = np.floor(x * 3).astype(int)
        label[open_ & (digit == 1)] = depth % 2
        open_ &= digit != 1
        x = x * 3 - digit
    cantor = uncertainty_exponent(label)
    assert cantor.exponent.value == pytest.approx(1 - np.log(2) / np.log(3), abs=0.04)
    with pytest.raises(NumericalFailure, match="No scaling"):
        uncertainty_exponent(np.zeros((64, 64), dtype=int))
    empty = uncertainty_exponent(np.zeros((64, 64), dtype=int), throw=False)
    assert np.isnan(empty.exponent.value)
    assert "No uncertainty exponent" in empty.summary()


def test_newton_has_a_fractal_boundary_of_known_dimension():
    """1.440 (1.427 to 1.452) on a grid of 1600 x 1600 from plain iteration, our recomputation."""
    grid = {name: np.linspace(-1.5, 1.5, 400) for name in ("re", "im")}
    found = basins_of_attraction(Newton(), grid)
    exponent = uncertainty_exponent(found)
    assert exponent.boundary_dimension.value == pytest.approx(1.440, abs=0.02)
    assert basin_entropy(found).boundary_entropy.value > basin_entropy(found).entropy.value


def test_malformed_questions_are_refused():
    with pytest.raises(InvalidInput, match="bounds name 'z'"):
        basin_stability(HenonMap(), {"z": (0, 1)})
    with pytest.raises(InvalidInput, match="low < high"):
        basin_stability(HenonMap(), {"x": (1, 0), "y": (0, 1)})
    with pytest.raises(InvalidInput, match="starts leave out y"):
        basin_stability(HenonMap(), {"x": (0, 1)})
    with pytest.raises(InvalidInput, match="expected a mapping"):
        basin_stability(HenonMap(), [(0, 1)])
    with pytest.raises(InvalidInput, match="known is list"):
        basin_stability(HenonMap(), {"x": (0, 1), "y": (0, 1)}, known=[])
    named = attractors(Wells(), [[1.0, 0.0], [2.0, 1.0]], **FAST)
    with pytest.raises(InvalidInput, match=r"known has the components x, y; LogisticMap has: x\."):
        basins_of_attraction(LogisticMap(r=3.2), {"x": [0.1, 0.2]}, known=named)
    with pytest.raises(InvalidInput, match="box_size = 1"):
        basin_entropy(np.zeros((4, 4), dtype=int), box_size=1)
    with pytest.raises(InvalidInput, match="whole numbers that label"):
        basin_entropy(np.zeros((4, 4)))
    with pytest.raises(InvalidInput, match="64 cells or more"):
        uncertainty_exponent(np.zeros((4, 4), dtype=int))


@pytest.mark.parametrize(
    "answer",
    [
        lambda: attractors(LogisticMap(r=3.0), [[2.0], [3.0]], throw=False),
        lambda: basins_of_attraction(LogisticMap(r=3.0), {"x": [2.0, 3.0]}, throw=False),
        lambda: basin_stability(LogisticMap(r=3.0), {"x": (2.0, 3.0)}, n_samples=9, throw=False),
        lambda: basin_entropy(np.full((20, 20), -2)),
        lambda: uncertainty_exponent(np.zeros((64, 64), dtype=int), throw=False),
    ],
    ids=["attractors", "basins", "stability", "entropy", "exponent"],
)
def test_results_without_an_answer_keep_every_promise(answer):
    check_result(answer())
