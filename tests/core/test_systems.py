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
from takens.core.integrators import (
    CLASSICAL,
    COOPER_VERNER,
    AbstractIntegrator,
    AbstractStochasticIntegrator,
    Adaptive,
    EulerMaruyama,
    Implicit,
    Milstein,
    RungeKutta,
)
from takens.core.system import (
    AbstractDiffusion,
    AbstractFlow,
    AbstractMap,
    parameter,
)


class Linear(AbstractFlow):
    matrix: object = parameter()
    names: tuple[str, ...] = eqx.field(static=True, default=("x", "y"))
    integrator: AbstractIntegrator = Adaptive()

    def vector_field(self, t, x, u=None):
        return self.matrix @ x


class Explosion(AbstractFlow):
    rate: object = parameter(1.0)
    names: tuple[str, ...] = eqx.field(static=True, default=("x",))
    integrator: AbstractIntegrator = Adaptive(max_steps=64)

    def vector_field(self, t, x, u=None):
        return self.rate * x**2


class Logistic(AbstractMap):
    r: object = parameter(4.0)
    names: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def step(self, n, x, u=None):
        return self.r * x * (1 - x)


class Brownian(AbstractDiffusion):
    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.1)
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


class Turning(AbstractFlow):
    """A forced, nonlinear field with a closed form: ``x' = x cos t``, ``x = exp(sin t)``."""

    integrator: AbstractIntegrator = Adaptive()
    names: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def vector_field(self, t, x, u=None):
        return x * jnp.cos(t)


def _error(integrator, span=2.0):
    flow = eqx.tree_at(lambda s: s.integrator, Turning(), integrator)
    found = eqx.filter_jit(flow.as_map(span).step)(0.0, jnp.ones(1))
    return abs(float(found[0]) - np.exp(np.sin(span)))


@pytest.mark.parametrize(
    ("tableau", "steps", "slack"), [(CLASSICAL, (64, 128), 0.1), (COOPER_VERNER, (4, 8), 0.6)]
)
def test_order_of_the_fixed_step_methods(tableau, steps, slack):
    coarse, fine = (_error(RungeKutta(2.0 / n, tableau)) for n in steps)
    assert np.log2(coarse / fine) == pytest.approx(tableau.order, abs=slack)


def test_stages_in_a_loop_and_written_out_are_the_same_step():
    from takens.core.integrators import UNROLLED

    wide = np.linspace(0.5, 1.5, UNROLLED + 1)
    names = tuple(f"x{i}" for i in range(len(wide)))
    flow = Turning(integrator=RungeKutta(0.25), names=names)
    rolled = flow.as_map(1.0).step(0.3, jnp.asarray(wide))
    one_by_one = [
        float(Turning(integrator=RungeKutta(0.25)).as_map(1.0).step(0.3, jnp.array([v]))[0])
        for v in wide
    ]
    np.testing.assert_allclose(rolled, one_by_one, rtol=1e-14)


def test_tableaus_are_consistent():
    for tableau in (CLASSICAL, COOPER_VERNER):
        nodes = np.array([0.0, *(sum(row) for row in tableau.stages)])
        weights = np.array(tableau.weights)
        for power in range(tableau.order):  # quadrature conditions
            assert weights @ nodes**power == pytest.approx(1 / (power + 1), abs=1e-14)


def test_adaptive_methods_keep_their_tolerance():
    assert _error(Adaptive(rtol=1e-9, atol=1e-11)) < 1e-7
    assert _error(Implicit(rtol=1e-9, atol=1e-11)) < 1e-7


class Stiff(AbstractFlow):
    integrator: AbstractIntegrator = Adaptive(max_steps=200)
    names: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def vector_field(self, t, x, u=None):
        return -1e5 * (x - jnp.cos(t)) - jnp.sin(t)


def test_a_stiff_field_is_nan_for_the_explicit_method_and_right_for_the_implicit_one():
    x = jnp.ones(1)
    assert np.isnan(Stiff().as_map(1.0).step(0.0, x)).all()
    implicit = eqx.tree_at(lambda s: s.integrator, Stiff(), Implicit(rtol=1e-8, atol=1e-10))
    assert float(implicit.as_map(1.0).step(0.0, x)[0]) == pytest.approx(np.cos(1.0), abs=1e-7)


def test_a_span_is_cut_into_equal_steps_no_longer_than_allowed():
    assert [RungeKutta(0.1).substeps(dt) for dt in (0.05, 0.1, 0.3, 0.31, -0.3)] == [1, 1, 3, 4, 3]
    with pytest.raises(InvalidInput, match="max_step"):
        RungeKutta(0.0).substeps(1.0)


class Geometric(AbstractDiffusion):
    """Geometric Brownian motion, whose path is known from that of its noise."""

    integrator: AbstractStochasticIntegrator = EulerMaruyama(0.1)
    names: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def drift(self, t, x, u=None):
        return 0.5 * x

    def diffusion(self, t, x, u=None):
        return x[:, None]


def _strong_error(method, n):
    """Mean distance at time one between computed and exact end of 4,000 paths, same noise."""
    keys = jax.random.split(jax.random.key(5), 4000)
    ends = jax.vmap(lambda k: method.advance(Geometric(), 0.0, 1.0, jnp.ones(1), None, k, n))(keys)
    noise = jax.vmap(lambda k: jax.random.normal(k, (n, 1)))(keys).sum(axis=1) / np.sqrt(n)
    return float(jnp.abs(ends - jnp.exp(noise)).mean())


@pytest.mark.parametrize(("method", "order"), [(EulerMaruyama, 0.5), (Milstein, 1.0)])
def test_strong_order_of_the_stochastic_methods(method, order):
    coarse, fine = (_strong_error(method(1.0), n) for n in (64, 256))
    assert np.log2(coarse / fine) / 2 == pytest.approx(order, abs=0.08)


def test_other_parameters_make_another_system():
    assert float(Logistic(4.0).with_parameters(r=3.0).r) == 3.0
    with pytest.raises(InvalidInput, match=r"no parameter 'q'. It has: \['r'\]"):
        Logistic().with_parameters(q=1.0)
