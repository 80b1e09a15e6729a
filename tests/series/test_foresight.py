"""Forecasts near and far ahead: what chaos forgets, cycles and tori remember."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from takens.core import Estimate
from takens.series import kind_of_motion, largest_lyapunov
from takens.series.decision import _chaos
from takens.series.embedding import embedding
from takens.series.exponent import LargestLyapunov
from takens.series.foresight import Foresight, foresight
from takens.series.local_linear import forecast_errors, smallest_local_error
from takens.series.observable import delay_vectors, observable
from tests.series.signals import henon, lorenz

T = np.arange(3000)
CYCLE = np.exp(np.sin(0.2317 * T)) + 0.4 * np.cos(2 * 0.2317 * T)
TORUS = np.sin(0.2317 * T) + 0.7 * np.sin(0.2317 * np.sqrt(2) * T)


def _seen(x: np.ndarray, turn: float) -> Foresight:
    view = observable(x)
    return foresight(view, embedding(view), turn)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("signal", [CYCLE, TORUS])
def test_a_cycle_and_a_torus_are_foretold_as_well_far_ahead_as_near(
    signal: np.ndarray, noise: float
) -> None:
    x = signal + noise * signal.std() * np.random.default_rng(3).normal(size=len(signal))
    found = _seen(x, 27.0)
    assert found.least < max(1.5 * found.near, 0.03)
    assert found.usual < 3 * max(found.near, 0.03)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_chaos_is_forgotten(noise: float) -> None:
    for signal, turn in ((lorenz(3000), 15.0), (henon(2000), 1.0)):
        x = signal + noise * signal.std() * np.random.default_rng(4).normal(size=len(signal))
        found = _seen(x, turn)
        assert found.near < 0.35
        assert found.least > 0.7


def test_a_cycle_of_two_turns_is_seen_at_its_multiples() -> None:
    """A coordinate that hides the phase: neighbours belong to either turn, half of them err."""
    x = np.sin(0.25 * T) + 0.02 * np.sin(0.125 * T)
    found = _seen(x, 2 * np.pi / 0.25)
    assert found.least <= found.usual
    assert found.least < 0.03


def test_one_search_gives_what_many_give() -> None:
    vectors = delay_vectors((henon(1200)[:, None],), 2, 1)
    together = forecast_errors(vectors, np.array([3]), theiler=1)
    assert together[0] == pytest.approx(smallest_local_error(vectors, lead=3, theiler=1), rel=1e-9)
    several = forecast_errors(vectors, np.array([1, 2, 4, 8]), theiler=1)
    assert np.all(np.diff(several) > 0)  # until it is all forgotten


def test_the_smallest_error_is_that_of_a_straightforward_fit() -> None:
    """Against a loop over references that solves each least-squares problem by itself."""
    vectors = delay_vectors((henon(300)[:, None],), 2, 1)
    usable = np.flatnonzero(vectors.successors(1) >= 0)
    points, clock = vectors.points[usable], vectors.clock[usable]
    future = vectors.points[vectors.successors(1)[usable], 0]
    squares: dict[str, list[float]] = {}
    for i, point in enumerate(points):
        distance = np.linalg.norm(points - point, axis=1)
        distance[np.abs(clock - clock[i]) <= 1] = np.inf
        order = np.argsort(distance)
        for k in (4, 8):
            error = (future[i] - future[order[:k]].mean()) ** 2 / (1 + 1 / k)
            squares.setdefault(f"mean {k}", []).append(error)
        for k in (8, 17, 38):
            design = np.c_[np.ones(k), (points[order[:k]] - point) / distance[order[k - 1]]]
            gram = design.T @ design
            gram += np.diag([0, 1, 1]) * 1e-3 * np.trace(gram) / 3
            forecast = np.linalg.solve(gram, design.T @ future[order[:k]])[0]
            squares.setdefault(f"fit {k}", []).append((future[i] - forecast) ** 2)
    expected = np.sqrt(min(np.mean(v) for v in squares.values()) / future.var())
    assert smallest_local_error(vectors, lead=1, theiler=1) == pytest.approx(expected, rel=1e-8)


def test_several_columns_share_the_coordinates() -> None:
    x = henon(1500)
    table = np.stack([x[1:], x[:-1], np.sin(x[1:])], axis=1)
    view = observable(table)
    found = foresight(view, embedding(view), 1.0)
    assert found.near < 0.2
    assert found.least > 0.7


def test_a_record_in_pieces_gives_no_forecast_and_none_is_invented() -> None:
    x = henon(600)
    x[20::23] = x[21::23] = x[22::23] = np.nan
    found = _seen(x, 1.0)
    assert np.isnan([found.near, found.least, found.usual]).all()


def _exponent(low: float, growth: float, slope: float) -> LargestLyapunov:
    """A result with a given interval, least growth and slope."""
    base = largest_lyapunov(henon(600), quick=True)
    estimate = Estimate(value=1.0, interval=(low, 2.0), unit="1/step")
    values = np.full((4, 10), growth)
    return dataclasses.replace(base, exponent=estimate, values=values, divergence_slope=slope)


@pytest.mark.parametrize(
    ("low", "growth", "slope", "ahead", "chaos"),
    [
        (0.1, 0.5, 0.3, (0.1, 0.9), True),
        (-0.1, 0.5, 0.3, (0.1, 0.9), True),  # the sign is certain, the size is not
        (-0.1, -0.1, 0.3, (0.1, 0.9), False),
        (0.1, 0.5, np.nan, (0.1, 0.9), False),  # neighbours do not part
        (0.1, 0.5, 0.3, (0.1, 0.12), False),  # foretold far ahead
        (0.1, 0.5, 0.3, (1e-4, 0.01), False),  # a large ratio of errors of no size
        (0.1, 0.5, 0.3, (np.nan, np.nan), True),  # no forecasts: the interval decides
        (-0.1, 0.5, 0.3, (np.nan, np.nan), False),
    ],
)
def test_what_a_claim_of_chaos_needs(
    low: float, growth: float, slope: float, ahead: tuple[float, float], chaos: bool
) -> None:
    seen = Foresight(near=ahead[0], least=ahead[1], usual=ahead[1], first=10, last=24)
    assert _chaos(_exponent(low, growth, slope), seen) is chaos


def test_growth_at_every_setting_is_as_small_as_the_smallest() -> None:
    found = _exponent(0.1, 0.5, 0.3)
    assert found.certain_growth == pytest.approx(0.5)  # blocks agree: no allowance
    odd = found.values.copy()
    odd[1] = -0.2
    assert dataclasses.replace(found, values=odd).certain_growth == pytest.approx(-0.2)
    odd[:] = np.nan
    assert np.isnan(dataclasses.replace(found, values=odd).certain_growth)


def test_a_stiff_cycle_is_affirmed() -> None:
    """A sawtooth has more harmonics than are fitted, and forecasts that beat them."""
    phase = (T / 36.283) % 1
    found = kind_of_motion(np.exp(-((phase - 0.3) ** 2) / 0.001) + 0.4 * phase)
    assert found.kind in ("periodic", "quasiperiodic"), found.summary()
