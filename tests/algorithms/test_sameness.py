"""Whether runs are told apart: size, power, invariance, and what is refused."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms, dynamics
from takens.core import InvalidInput, NumericalFailure, Status, Trajectory

LOSS = algorithms.Loss.of(
    lambda w: 0.5 * jnp.sum(jnp.array([1.0, 3.0]) * (w - jnp.array([0.7, 0.4])) ** 2), [1.0, 1.0]
)
MIRROR = algorithms.ExponentiatedGradient(LOSS, 0.1)
DUAL = algorithms.ExponentiatedGradient(LOSS, 0.1, dual=True)
DESCENT = algorithms.GradientDescent(LOSS, 0.1)


def starts(seed, n=40):
    return np.random.default_rng(seed).uniform(0.2, 1.2, (n, 2))


def cycle(seed, turn=0.6, n=24):
    """Onto the unit circle, turning by 0.6 a step."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(0.5, 1.5, n) * np.exp(2j * np.pi * rng.uniform(size=n))
    states = [z]
    for _ in range(40):
        z = z * np.exp(1j * turn) * (1 + 0.2 * (1 - np.abs(z) ** 2))
        states.append(z)
    states = np.array(states).T
    return np.stack([states.real, states.imag], axis=-1)


def test_mirror_descent_is_its_dual_and_not_gradient_descent():
    # multipliers 1 - eta c a = 0.93, 0.88 in both coordinates, 1 - eta c = 0.9, 0.7 for descent
    same = algorithms.same_dynamics((MIRROR, starts(0)), (DUAL, np.log(starts(1))))
    assert same.verdict == "not told apart"
    assert same.resolution < 1e-3
    assert np.allclose(np.median(same.values_a.real, axis=0), [0.93, 0.88], atol=2e-3)
    assert np.allclose(np.median(same.values_b.real, axis=0), [0.93, 0.88], atol=2e-3)
    other = algorithms.same_dynamics((MIRROR, starts(0)), (DESCENT, starts(1)))
    assert other.verdict == "different"
    assert other.p_value.value == pytest.approx(2 / 12870)  # both orders of one division
    assert other.distance.interval[0] > 0
    assert np.isnan(other.resolution)


def test_the_test_keeps_its_size_on_one_system():
    # by similarity of delay matrices, where distances are never zero: p is uniform then
    matrix = algorithms.DelayMatrix(n_delays=1, rank=2)
    rejected = 0
    for seed in range(100):
        runs = np.random.default_rng(seed).normal(size=(10, 20, 2)).cumsum(axis=1)
        found = algorithms.same_dynamics(list(runs[:5]), list(runs[5:]), fingerprint=matrix)
        rejected += found.verdict == "different"
    assert 1 <= rejected <= 12  # 5 of 100, and three standard errors


def test_a_faster_cycle_is_told_apart_and_a_bent_one_is_not():
    own = cycle(0)
    bent = cycle(1) @ np.array([[1.0, 2.0], [0.5, -1.0]]) + 0.1 * cycle(1)[..., ::-1] ** 2
    assert algorithms.same_dynamics(own, bent).verdict == "not told apart"
    faster = algorithms.same_dynamics(own, cycle(1, 0.606))
    assert faster.verdict == "different"
    angle = np.angle(faster.values_a[:, 0])
    assert np.allclose(angle, 0.6, atol=2e-3)


def test_similarity_is_unseen_by_linear_coordinates_and_sees_another_cycle():
    matrix = algorithms.DelayMatrix(n_delays=1, rank=2)
    turn = np.array([[1.0, 2.0], [0.5, -1.0]])
    same = algorithms.same_dynamics(cycle(0), cycle(0) @ turn, fingerprint=matrix)
    assert np.abs(np.diag(same.distances[:8, 8:])).max() < 1e-5
    other = algorithms.same_dynamics(cycle(0), cycle(1, 0.7), fingerprint=matrix)
    assert other.verdict == "different"


def test_the_least_rotation_is_found():
    from takens.algorithms.fingerprints import _turned

    rng = np.random.default_rng(0)
    a = rng.normal(size=(5, 4, 4))
    turns = np.linalg.qr(rng.normal(size=(5, 4, 4)))[0]
    b = turns @ a @ turns.swapaxes(1, 2)
    assert _turned(a, b).max() < 1e-3
    # symmetric matrices: the least distance is that of their sorted eigenvalues
    s, t = (m + m.swapaxes(1, 2) for m in (a, rng.normal(size=(5, 4, 4))))
    least = np.linalg.norm(np.linalg.eigvalsh(s) - np.linalg.eigvalsh(t), axis=1)
    assert np.allclose(_turned(s, t), least, rtol=1e-3)


def test_multipliers_that_nearly_meet_stay_unresolved_and_it_says_so():
    def near(seed):
        states = [starts(seed) - 0.3]
        for _ in range(40):
            states.append(states[-1] * np.array([0.951, 0.952]))
        return np.stack(states, axis=1) + 0.3

    bent = near(1)
    bent = np.log(bent + 0.2 + 0.3 * bent[..., ::-1] ** 2)
    found = algorithms.same_dynamics(near(0), bent)
    assert found.verdict == "not told apart"
    assert any(c.code == "near-degenerate" for c in found.cautions)


def test_one_run_of_each_has_no_p_value():
    a, b = (dynamics.trajectory(s, x, np.arange(60)).states
            for s, x in ((MIRROR, [0.3, 0.9]), (DESCENT, [0.3, 0.9])))  # fmt: skip
    with pytest.raises(NumericalFailure):
        algorithms.same_dynamics(a, b)
    found = algorithms.same_dynamics(a, b, throw=False)
    assert found.status is Status.TOO_SHORT
    assert np.isnan(found.p_value.value)
    assert found.verdict == "undetermined"
    assert "4 or more other starts" in found.summary()


def test_settled_motion_can_be_cut_into_segments():
    t = np.arange(400.0)
    a, b, c = (np.stack([np.cos(w * t + p), np.sin(w * t + p)], axis=1)
               for w, p in ((0.6, 0.0), (0.6, 1.0), (0.63, 0.0)))  # fmt: skip
    assert algorithms.same_dynamics(a, b, n_segments=8).verdict == "not told apart"
    assert algorithms.same_dynamics(a, c, n_segments=8).verdict == "different"


def test_runs_may_come_in_any_container():
    runs = dynamics.trajectories(MIRROR, starts(0, 16), np.arange(31))
    arrays = runs.states
    logs = [
        algorithms.TrainingRun(steps=np.arange(31), loss=np.ones(31), projections=a) for a in arrays
    ]
    records = tuple(Trajectory(times=np.arange(31.0), states=a, names=("a", "b")) for a in arrays)
    expected = algorithms.same_dynamics(arrays, arrays[::-1]).values_a
    for other in (runs, list(arrays), logs, records):
        assert np.array_equal(algorithms.same_dynamics(other, arrays[::-1]).values_a, expected)


def test_noise_is_not_resolved():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(16, 30, 2))
    found = algorithms.same_dynamics(noise[:8], noise[8:], throw=False)
    assert found.status is Status.NOT_APPLICABLE
    assert found.cautions[0].code == "nothing-resolved"


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ([["a"]], "no array of real numbers"),
        (np.full((8, 20, 2), np.nan), "NaN or infinity"),
        (np.ones((8, 20, 2)), "does not move"),
        (1e200 * np.arange(320.0).reshape(8, 20, 2), "diverge"),
        (np.zeros((2, 2, 2, 2)), "shape"),
        (np.arange(32.0).reshape(8, 4, 1), "8 or more"),
        (MIRROR, "without starts"),
        ([np.zeros((20, 2)) + np.arange(20.0)[:, None], np.arange(20.0)], "columns"),
        ([], "0 times"),
    ],
)
def test_what_is_no_run_is_refused(run, message):
    good = dynamics.trajectories(MIRROR, starts(0, 8), np.arange(31)).states
    with pytest.raises(InvalidInput, match=message):
        algorithms.same_dynamics(good, run)


def test_settings_are_checked():
    good = dynamics.trajectories(MIRROR, starts(0, 8), np.arange(31)).states
    for fingerprint in (
        lambda: algorithms.KoopmanSpectrum(n_multipliers=0),
        lambda: algorithms.KoopmanSpectrum(max_residual=2.0),
        lambda: algorithms.DelayMatrix(rank=0),
    ):
        with pytest.raises(InvalidInput, match="expected at least 1"):
            fingerprint()
    with pytest.raises(InvalidInput, match="Ask for fewer"):
        algorithms.same_dynamics(good, good, fingerprint=algorithms.DelayMatrix(n_delays=1, rank=5))
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        algorithms.same_dynamics(good, good, level=0.0)
