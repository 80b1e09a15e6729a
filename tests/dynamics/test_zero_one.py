"""The 0-1 test on maps and flows whose kind of motion is known, and its guards."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.system import AbstractMap, parameter, static
from takens.dynamics import zero_one_test
from takens.dynamics.zero_one import correlations, displacements, first_zero
from takens.systems import (
    HenonHeiles,
    LogisticMap,
    Lorenz63,
    OrnsteinUhlenbeck,
    StandardMap,
    VanDerPol,
)


class Torus(AbstractMap):
    turn: object = parameter(0.6180339887498949)
    names: tuple[str, ...] = static(("x", "y"))

    def step(self, n, x, u=None):
        import jax.numpy as jnp

        angle = 2 * jnp.pi * self.turn
        c, s = jnp.cos(angle), jnp.sin(angle)
        return jnp.stack([c * x[0] - s * x[1], s * x[0] + c * x[1]])


def test_the_displacement_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    values, c = rng.normal(size=200) + 0.7, 1.1
    walk = np.cumsum(values * np.exp(1j * c * np.arange(1, 201)))
    exact = []
    for lag in range(1, 21):
        moved = np.mean(np.abs(walk[lag : lag + 180] - walk[:180]) ** 2)
        exact.append(moved - values.mean() ** 2 * (1 - np.cos(lag * c)) / (1 - np.cos(c)))
    np.testing.assert_allclose(displacements(values, np.array([c]))[0], exact, rtol=1e-9)
    assert correlations(np.arange(5.0)[None])[0] == pytest.approx(1.0)
    assert correlations(np.ones((1, 5)))[0] == 0.0


@pytest.mark.parametrize(
    ("system", "x0", "kind"),
    [
        (LogisticMap(r=3.97), [0.3], "chaotic"),
        (LogisticMap(r=3.5), [0.3], "regular"),
        (LogisticMap(r=3.55), [0.3], "regular"),
        (Torus(), [1.0, 0.0], "regular"),
        (StandardMap(kick=6.0), [3.0, 1.0], "chaotic"),
        (StandardMap(kick=0.5), [3.3, 0.1], "regular"),
    ],
)
def test_maps(system, x0, kind):
    found = zero_one_test(system, x0, n_steps=3000)
    assert found.indicates == kind
    low, high = found.k.interval
    assert low <= found.k.value <= high
    assert not found.cautions


def test_a_dense_sampling_is_thinned():
    found = zero_one_test(Lorenz63(), Lorenz63().x0, dt=0.02, n_steps=3000, n_transient=200)
    assert [f.code for f in found.cautions] == ["oversampled"]
    assert found.dt > 0.06
    assert found.indicates == "chaotic"
    assert found.provenance["dt_given"] == 0.02


def test_cycles_and_tori_of_flows_are_regular():
    assert zero_one_test(VanDerPol(), [2.0, 0.0], dt=0.1, n_steps=2000).indicates == "regular"
    start = [0.0, 0.1, 0.49058, 0.0]  # Skokos et al. (2007): a torus at energy 1/8
    found = zero_one_test(HenonHeiles(), start, dt=0.5, n_steps=2000, n_transient=0)
    assert found.indicates == "regular"


def test_autocorrelation_of_a_wave_falls_in_a_quarter_period():
    assert first_zero(np.cos(2 * np.pi * np.arange(4000) / 40)) == 10
    assert first_zero(np.random.default_rng(0).normal(size=500)) <= 5


def test_intervals_hold_the_median_as_often_as_they_say():
    """400 samples of 40 exponential numbers: 90% at least, by order statistics."""
    from takens.dynamics.zero_one import _median

    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        low, high = _median(rng.exponential(size=40), 0.9).interval
        hits += low < np.log(2) < high
    assert 0.88 < hits / 400 < 0.985


def test_a_lost_orbit_has_no_answer():
    found = zero_one_test(LogisticMap(r=4.5), [0.3], n_steps=400, throw=False)
    assert found.status is Status.DIVERGED
    assert np.isnan(found.k.value)
    assert found.indicates == "undecided"
    with pytest.raises(NumericalFailure, match="non-finite"):
        zero_one_test(LogisticMap(r=4.5), [0.3], n_steps=400)


def test_noise_and_malformed_questions_are_refused():
    with pytest.raises(WrongKind, match="is a diffusion"):
        zero_one_test(OrnsteinUhlenbeck(), [0.1])
    with pytest.raises(InvalidInput, match="component = 'z'"):
        zero_one_test(LogisticMap(), [0.1], component="z")
    with pytest.raises(InvalidInput, match="400 steps"):
        zero_one_test(LogisticMap(), [0.1], n_steps=100)
    with pytest.raises(InvalidInput, match="positive time step"):
        zero_one_test(Lorenz63(), Lorenz63().x0, dt=-0.1)
    with pytest.raises(InvalidInput, match="advances by 1"):
        zero_one_test(LogisticMap(), [0.1], dt=0.5)
