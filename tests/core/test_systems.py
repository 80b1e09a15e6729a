"""Systems against closed forms, and the traps: failed integration, recompilation, wrong kinds."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from takens.core import InvalidInput, WrongKind
from takens.core.compile_cache import cache_folder, enable_compile_cache
from takens.core.system import (
    AbstractDiffusion,
    AbstractFlow,
    AbstractMap,
    Integrator,
    parameter,
)


class Linear(AbstractFlow):
    matrix: object = parameter()
    names: tuple[str, ...] = eqx.field(static=True, default=("x", "y"))
    integrator: Integrator = Integrator()

    def vector_field(self, t, x, u=None):
        return self.matrix @ x


class Explosion(AbstractFlow):
    rate: object = parameter(1.0)
    names: tuple[str, ...] = eqx.field(static=True, default=("x",))
    integrator: Integrator = Integrator(max_steps=64)

    def vector_field(self, t, x, u=None):
        return self.rate * x**2


class Logistic(AbstractMap):
    r: object = parameter(4.0)
    names: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def step(self, n, x, u=None):
        return self.r * x * (1 - x)


class Brownian(AbstractDiffusion):
    names: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def drift(self, t, x, u=None):
        return 0.0 * x

    def diffusion(self, t, x, u=None):
        return jnp.ones((1, 1))


def test_linear_flow_is_the_matrix_exponential():
    matrix = np.array([[-0.1, 2.0], [-2.0, -0.3]])
    evolve, x = Linear(matrix).as_map(0.7), jnp.array([1.0, -0.5])
    exact = scipy.linalg.expm(0.7 * matrix)
    both = eqx.filter_jit(lambda y: (evolve.step(0.0, y), jax.jacfwd(evolve.step, 1)(0.0, y)))
    value, tangent = both(x)
    np.testing.assert_allclose(value, exact @ x, rtol=1e-6)
    np.testing.assert_allclose(tangent, exact, rtol=1e-5, atol=1e-7)


def test_blow_up_is_nan_and_so_is_its_tangent():
    evolve, x = Explosion().as_map(2.0), jnp.array([1.0])  # infinite at time one
    push = eqx.filter_jit(lambda y: jax.jvp(lambda z: evolve.step(0.0, z), (y,), (jnp.ones(1),)))
    value, tangent = push(x)
    assert np.isnan(value).all()
    assert np.isnan(tangent).all()


def test_a_new_parameter_value_does_not_recompile():
    traces = []

    @eqx.filter_jit
    def advance(system, x):
        traces.append(1)
        return system.step(0, x)

    for r in (3.5, 3.6, 4.0):
        advance(Logistic(r), jnp.array([0.2]))
    assert len(traces) == 1


def test_systems_are_frozen_and_in_double_precision():
    system = Logistic()
    assert system.r.dtype == jnp.float64
    assert system.dim == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        system.r = 3.0


def test_a_parameter_sweep_is_a_vmap():
    sweep = jax.vmap(Logistic)(jnp.array([2.0, 4.0]))
    out = jax.vmap(lambda s: s.step(0, jnp.array([0.5])))(sweep)
    np.testing.assert_allclose(out[:, 0], [0.5, 1.0])


def test_wrong_kinds_are_refused():
    with pytest.raises(InvalidInput, match="asked of a map"):
        Logistic().as_map(0.5)
    with pytest.raises(InvalidInput, match="nonzero"):
        Linear(np.eye(2)).as_map(0.0)
    with pytest.raises(WrongKind, match="is a diffusion"):
        Brownian().as_map()


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "takens" / "compiled"


def test_unwritable_cache_costs_only_time(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    before = jax.config.jax_compilation_cache_dir
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        assert enable_compile_cache() is False
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
