"""Trajectories against closed forms, in batches, with inputs and noise, and when they are lost."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from takens.core import InvalidInput, NumericalFailure, WrongKind
from takens.core.integrators import (
    AbstractIntegrator,
    AbstractStochasticIntegrator,
    Adaptive,
    EulerMaruyama,
    Implicit,
    RungeKutta,
)
from takens.core.system import AbstractDiffusion, AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import trajectories, trajectory
from takens.learn import DMD
from takens.systems import HenonMap, LogisticMap, Lorenz63, Taylor

MATRIX = np.array([[-0.1, 2.0], [-2.0, -0.3]])
FIXED, CONTROLLED = RungeKutta(0.05), Adaptive(rtol=1e-10, atol=1e-12)


class Driven(AbstractFlow):
    """``x' = A x + (u, 0)``: exact with a held input."""

    matrix: object = parameter(MATRIX)
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = FIXED

    def vector_field(self, t, x, u=None):
        push = jnp.zeros(2) if u is None else jnp.stack([u[0], 0.0])
        return self.matrix @ x + push


class Square(AbstractFlow):
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = FIXED

    def vector_field(self, t, x, u=None):
        return x**2


class Stiff(AbstractFlow):
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractIntegrator = Adaptive(max_steps=64)

    def vector_field(self, t, x, u=None):
        return -1e6 * (x - jnp.cos(t)) - jnp.sin(t)


class Wiener(AbstractDiffusion):
    scale: object = parameter(1.0)
    names: tuple[str, ...] = static(("x",))
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.1)

    def drift(self, t, x, u=None):
        return jnp.zeros(1)

    def diffusion(self, t, x, u=None):
        return self.scale * jnp.ones((1, 1))


class Counter(AbstractMap):
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return x + n + (0.0 if u is None else u)


@pytest.mark.parametrize("integrator", [FIXED, CONTROLLED], ids=["fixed", "controlled"])
def test_a_linear_flow_is_the_matrix_exponential_at_uneven_times(integrator):
    times = np.array([1.0, 1.1, 1.15, 4.0, 4.01])
    found = trajectory(Driven(), [1.0, -0.5], times, integrator=integrator)
    for t, x in zip(times, found.states, strict=True):
        np.testing.assert_allclose(x, scipy.linalg.expm((t - 1) * MATRIX) @ [1, -0.5], rtol=1e-8)


@pytest.mark.parametrize("integrator", [FIXED, CONTROLLED], ids=["fixed", "controlled"])
def test_a_held_input_is_exact_between_the_times(integrator):
    times, inputs = np.array([0.0, 0.5, 2.0]), np.array([[1.0], [-2.0], [99.0]])
    found = trajectory(Driven(), [0.3, 0.1], times, inputs=inputs, integrator=integrator)
    x = np.array([0.3, 0.1])
    for dt, u in ((0.5, 1.0), (1.5, -2.0)):
        rest = -np.linalg.solve(MATRIX, [u, 0.0])
        x = rest + scipy.linalg.expm(dt * MATRIX) @ (x - rest)
    np.testing.assert_allclose(found.states[-1], x, rtol=1e-8)
    np.testing.assert_array_equal(found.inputs, inputs)


def test_a_map_counts_its_iterates_over_gaps_and_blocks():
    found = trajectory(Counter(), [0.0], [3, 4, 7])
    np.testing.assert_array_equal(found.states[:, 0], [0, 3, 3 + 4 + 5 + 6])
    with_inputs = trajectory(Counter(), [0.0], [0, 1, 3], inputs=[[1.0], [10.0], [0.0]])
    np.testing.assert_array_equal(with_inputs.states[:, 0], [0, 1, 1 + 1 + 10 + 2 + 10])
    long = trajectory(LogisticMap(r=3.7), [0.3], np.arange(2500))
    x = [0.3]
    for _ in range(30):
        x.append(3.7 * x[-1] * (1 - x[-1]))
    np.testing.assert_allclose(long.states[:31, 0], x, rtol=1e-12)
    np.testing.assert_allclose(
        long.states[1025:, 0], 3.7 * long.states[1024:-1, 0] * (1 - long.states[1024:-1, 0])
    )


def test_a_learned_map_runs():
    wave = (
        np.cos(0.1 * np.arange(100))[:, None] * [1.0, 0.0]
        + [0, 1] * np.sin(0.1 * np.arange(100))[:, None]
    )
    model = DMD().fit(wave).model
    found = trajectory(model, model.encode(wave[:1]), np.arange(50))
    shown = np.stack([np.asarray(model.observe(x)) for x in found.states])
    np.testing.assert_allclose(shown, wave[:50], atol=1e-9)


def test_a_batch_is_its_members():
    lorenz, times = Lorenz63(), np.linspace(0.0, 2.0, 9)
    starts = np.array([lorenz.x0, (1.0, 2.0, 3.0), (1.0, 2.0, 3.0)])
    found = trajectories(lorenz, starts, times, parameters={"rho": [28.0, 28.0, 14.0]})
    for i, rho in enumerate((28.0, 28.0, 14.0)):
        one = trajectory(Lorenz63(rho=rho), starts[i], times)
        np.testing.assert_allclose(found.states[i], one.states, rtol=1e-8)


def test_a_lost_member_does_not_touch_the_others():
    found = trajectories(HenonMap(), [[0.1, 0.1], [50.0, 0.0]], np.arange(60))
    assert found.lost.tolist() == [False, True]
    assert np.isfinite(found.states[0]).all()
    assert len(found.recording()) == 1


def test_noise_has_its_variance_and_its_seed():
    starts = np.zeros((4000, 1))
    found = trajectories(Wiener(), starts, [0.0, 1.0, 3.0], seed=4)
    # 3 standard errors of a sample variance of 4,000 Gaussian numbers
    for k, variance in ((1, 1.0), (2, 3.0)):
        bound = 3 * variance * np.sqrt(2 / 4000)
        assert found.states[:, k, 0].var() == pytest.approx(variance, abs=bound)
    increments = found.states[:, 2, 0] - found.states[:, 1, 0]
    assert abs(np.corrcoef(increments, found.states[:, 1, 0])[0, 1]) < 3 / np.sqrt(4000)
    again = trajectories(Wiener(), starts, [0.0, 1.0, 3.0], seed=4)
    np.testing.assert_array_equal(found.states, again.states)
    one, other = (trajectory(Wiener(), [0.0], [0, 1], seed=s).states[-1, 0] for s in (0, 1))
    assert one != other


def test_blow_up_is_nan_from_there_on_and_raises():
    times = np.linspace(0.0, 2.0, 21)
    for integrator in (FIXED, Adaptive(max_steps=400)):
        found = trajectory(Square(), [1.0], times, integrator=integrator, throw=False)
        np.testing.assert_allclose(found.states[:9, 0], 1 / (1 - times[:9]), rtol=1e-5)
        assert np.isnan(found.states[11:]).all()
        with pytest.raises(NumericalFailure, match="non-finite"):
            trajectory(Square(), [1.0], times, integrator=integrator)


def test_a_stiff_field_asks_for_the_implicit_method_and_gets_it():
    times = np.linspace(0.0, 2.0, 5)
    for integrator in (None, RungeKutta(0.01)):
        with pytest.raises(NumericalFailure, match=r"integrator=Implicit\(\)"):
            trajectory(Stiff(), [1.5], times, integrator=integrator)
    found = trajectory(Stiff(), [1.5], times, integrator=Implicit())
    np.testing.assert_allclose(found.states[1:, 0], np.cos(times[1:]), atol=1e-6)


def test_one_rare_long_gap_does_not_make_every_leg_expensive():
    from takens.dynamics.trajectory import _cut

    times = np.concatenate([np.linspace(0.0, 1.0, 101), [50.0]])
    cut, kept, n_substeps = _cut(Driven(), times)
    assert n_substeps == 1
    assert len(cut) < 101 + 49 / 0.05 + 2
    np.testing.assert_allclose(cut[kept], times)
    end = trajectory(Driven(), [1.0, 0.0], times).states[-1]
    np.testing.assert_allclose(end, scipy.linalg.expm(50 * MATRIX) @ [1, 0], rtol=1e-7, atol=1e-12)


def test_malformed_questions_are_refused():
    with pytest.raises(InvalidInput, match="strictly increasing"):
        trajectory(LogisticMap(), [0.1], [0, 0])
    with pytest.raises(InvalidInput, match="whole numbers"):
        trajectory(LogisticMap(), [0.1], [0, 0.5])
    with pytest.raises(InvalidInput, match=r"inputs has shape \(3,\)"):
        trajectory(Driven(), [0.0, 0.0], [0, 1, 2], inputs=[1, 2, 3])
    with pytest.raises(WrongKind, match="needs no integrator"):
        trajectory(LogisticMap(), [0.1], [0, 1], integrator=FIXED)
    with pytest.raises(WrongKind, match="EulerMaruyama cannot carry Driven"):
        trajectory(Driven(), [0.1, 0.1], [0, 1], integrator=EulerMaruyama(0.1))
    with pytest.raises(InvalidInput, match=r"expected \(sample, 1\)"):
        trajectories(LogisticMap(), [0.1], [0, 1])
    with pytest.raises(InvalidInput, match="no parameter 'q'"):
        trajectories(LogisticMap(), [[0.1]], [0, 1], parameters={"q": [1.0]})
    with pytest.raises(InvalidInput, match=r"r has values of shape \(2,\) for 1 samples"):
        trajectories(LogisticMap(), [[0.1]], [0, 1], parameters={"r": [1.0, 2.0]})


def test_another_length_in_the_same_block_does_not_recompile():
    from takens.dynamics import trajectory as room

    del room
    import importlib

    module = importlib.import_module("takens.dynamics.trajectory")
    trajectory(LogisticMap(), [0.1], np.arange(900))
    before = module._march_one._cached._cache_size()
    trajectory(LogisticMap(r=3.0), [0.2], np.arange(1000))
    assert module._march_one._cached._cache_size() == before


def test_an_input_that_the_rule_ignores_is_refused():
    with pytest.raises(InvalidInput, match="Lorenz63 takes none"):
        trajectory(Lorenz63(), Lorenz63().x0, [0, 1], inputs=[[1.0], [1.0]])


def test_the_system_given_is_left_as_it_was():
    system = Driven()
    trajectory(system, [0.1, 0.1], [0, 1], integrator=CONTROLLED)
    assert eqx.tree_equal(system, Driven())
    assert system.integrator is FIXED


class Spring(AbstractFlow):
    """From ``(1, 0)``: ``cos t`` and ``-sin t``."""

    frequency: object = parameter(1.0)
    names: tuple[str, ...] = static(("x", "v"))
    integrator: AbstractIntegrator = FIXED

    def vector_field(self, t, x, u=None):
        return jnp.stack([x[1], -(self.frequency**2) * x[0] + (0.0 if u is None else u[0])])


def _half(t, x):
    return x[0] - 0.5


@pytest.mark.parametrize("integrator", [FIXED, CONTROLLED])
def test_a_trajectory_ends_at_an_event(integrator):
    times = 1.0 + np.arange(0.0, 10.0, 0.7)  # does not start at zero
    first = trajectory(Spring(), [1.0, 0.0], times, until=_half, integrator=integrator)
    assert first.times[-1] == pytest.approx(1 + np.pi / 3, abs=1e-7)
    np.testing.assert_allclose(first.states[-1], [0.5, -np.sqrt(0.75)], atol=1e-7)
    np.testing.assert_array_equal(first.times[:-1], times[:2])
    up = trajectory(Spring(), [1.0, 0.0], times, until=_half, direction=1, integrator=integrator)
    assert up.times[-1] == pytest.approx(1 + 5 * np.pi / 3, abs=1e-7)


def test_an_event_passed_twice_between_two_times_is_found():
    """``x > 0.99`` for 0.28 time units around every full turn, looked at every 1.5 only."""
    found = trajectory(
        Spring(), [0.0, 1.0], np.arange(0.0, 9.0, 1.5), until=lambda t, x: x[0] - 0.98
    )
    assert found.times[-1] == pytest.approx(np.arcsin(0.98), abs=1e-7)


def test_an_event_that_never_comes_leaves_the_whole_trajectory():
    times = np.arange(0.0, 9.0, 0.5)
    whole = trajectory(Spring(), [1.0, 0.0], times, until=lambda t, x: x[0] - 1.5)
    np.testing.assert_array_equal(whole.times, times)
    start = trajectory(Spring(), [0.5, 0.0], [0.0, 0.5], until=_half)
    assert start.times[-1] == 0.5  # the start on the surface does not count


def test_an_event_with_a_held_input_and_in_time():
    rows = np.array([[0.0], [2.0], [2.0], [2.0]])
    found = trajectory(
        Spring(frequency=0.0), [0.0, 1.0], np.arange(4.0), inputs=rows, until=lambda t, x: x[0] - 3
    )  # x = t to time 1, then 1 + s + s^2
    assert found.times[-1] == pytest.approx(2.0, abs=1e-9)
    np.testing.assert_array_equal(found.inputs[-1], rows[len(found.times) - 2])
    timed = trajectory(Spring(), [1.0, 0.0], np.arange(4.0), until=lambda t, x: t - 1.25)
    assert timed.times[-1] == pytest.approx(1.25, abs=1e-12)


def test_a_blow_up_after_the_event_is_of_no_concern():
    times = np.arange(0.0, 3.0, 0.1)  # x = 1 / (1 - t)
    found = trajectory(Square(), [1.0], times, until=lambda t, x: x[0] - 4)
    assert found.times[-1] == pytest.approx(0.75, abs=1e-6)
    with pytest.raises(NumericalFailure):
        trajectory(Square(), [1.0], times, until=lambda t, x: x[0] + 4)


def test_events_that_are_refused():
    with pytest.raises(WrongKind, match="HenonMap is no flow, and only a flow passes"):
        trajectory(HenonMap(), [0.1, 0.1], [0, 1], until=_half)
    with pytest.raises(WrongKind, match="Wiener is no flow"):
        trajectory(Wiener(), [0.1], [0, 1], until=_half)
    with pytest.raises(InvalidInput, match="direction = 1 was given without `until`"):
        trajectory(Spring(), [1.0, 0.0], [0, 1], direction=1)
    with pytest.raises(InvalidInput, match=r"event\(t, x\) has shape \(2,\)"):
        trajectory(Spring(), [1.0, 0.0], [0, 1], until=lambda t, x: x)
    with pytest.raises(InvalidInput, match=r"Ask `Taylor.crossings`"):
        trajectory(Spring(), [1.0, 0.0], [0, 1], until=_half, integrator=Taylor())


def test_many_trajectories_by_taylor_series():
    pytest.importorskip("heyoka")
    times = np.array([0.0, 0.4, 2.0])
    found = trajectories(
        Spring(), [[1.0, 0.0], [1.0, 0.0], [2.0, 0.0]], times,
        parameters={"frequency": [1.0, 2.0, 3.0]}, integrator=Taylor(),
    )  # fmt: skip
    exact = np.array([1.0, 1.0, 2.0])[:, None] * np.cos(np.outer([1.0, 2.0, 3.0], times))
    np.testing.assert_allclose(found.states[:, :, 0], exact, atol=1e-14)
    alone = trajectories(Square(), [[1.0], [0.1]], [0.0, 0.5, 2.0], integrator=Taylor())
    assert alone.lost.tolist() == [True, False]
    assert alone.states[1, -1, 0] == pytest.approx(0.1 / (1 - 0.2), rel=1e-14)
