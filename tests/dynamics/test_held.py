"""An input that is held is a parameter."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens import dynamics, learn, systems, testing
from takens.core import InvalidInput, Trajectory, WrongKind
from takens.core.system import AbstractMap, static


class Driven(AbstractMap):
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return 0.5 * x + (0.0 if u is None else u)


def test_a_held_input_is_used_and_swept():
    held = dynamics.with_input(Driven(), [3.0])
    testing.check_system(held, np.array([0.2]))
    found = dynamics.orbit_diagram(held, "u", [[1.0], [2.0]], [0.0], n_steps=4, max_period=2)
    np.testing.assert_allclose(found.states[:, -1, 0], [2.0, 4.0])
    np.testing.assert_array_equal(found.periods, [1, 1])


def test_a_held_flow_keeps_its_integrator():
    flow = systems.FitzHughNagumo()
    held = dynamics.with_input(flow, [0.2])
    testing.check_system(held, np.array(flow.x0), dt=flow.dt)
    x = jnp.asarray(flow.x0)
    np.testing.assert_array_equal(
        held.vector_field(0.0, x), flow.vector_field(0.0, x, jnp.array([0.2]))
    )


def test_a_learned_response_is_asked_at_inputs_that_were_not_measured():
    rng = np.random.default_rng(0)
    u, x = rng.uniform(-1, 1, 400), np.zeros(400)
    for n in range(399):
        x[n + 1] = 0.5 * x[n] + u[n]
    record = Trajectory(times=np.arange(400), states=x[:, None], inputs=u[:, None])
    model = learn.NVAR(n_lags=1, spacing=1, degree=2, noise=0.0).fit(record).model
    at = dynamics.fixed_points(dynamics.with_input(model, [0.3]), [[0.0]])
    np.testing.assert_allclose(model.observe(at.points[0]), [0.6], atol=1e-6)


def test_what_cannot_be_held_is_refused():
    with pytest.raises(WrongKind, match="is a diffusion"):
        dynamics.with_input(systems.OrnsteinUhlenbeck(), [0.1])
    with pytest.raises(InvalidInput, match=r"u has shape \(\)"):
        dynamics.with_input(Driven(), 3.0)
