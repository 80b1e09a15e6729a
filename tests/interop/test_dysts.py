"""Every system of dysts against dysts' own evaluation in NumPy."""

import copy
import pickle
import sys
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

with warnings.catch_warnings():  # it warns when numba is absent
    warnings.simplefilter("ignore")  # about an optional compiler that is not used here
    pytest.importorskip("dysts.flows", reason="dysts is not installed: pip install takens[dysts]")
    from dysts import flows, maps

from takens import testing
from takens.core import InvalidInput, MissingDependency, WrongKind
from takens.core.integrators import RungeKutta
from takens.core.system import AbstractMap
from takens.interop import dysts as door
from takens.interop import dysts_names, from_dysts

UNTRACEABLE = {"BlinkingVortexMap"}  # it calls a root finder of SciPy
NAMES = [name for name in dysts_names() if name not in UNTRACEABLE]


def rule(system):
    return system.step if isinstance(system, AbstractMap) else system.vector_field


@eqx.filter_jit
def answers(system, t, points, direction):
    """Values at all points, and the derivative at the first: one program a system."""
    values = jax.vmap(lambda x: rule(system)(t, x))(points)
    return values, jax.jvp(lambda x: rule(system)(t, x), (points[0],), (direction,))[1]


def native(name, t, x):
    source = getattr(flows, name, None) or getattr(maps, name)
    with np.errstate(all="ignore"):
        if hasattr(flows, name):
            return np.array([float(v) for v in source().rhs(x, t)])
        return np.asarray(source().rhs(x[None]), dtype=float)[0]


def test_the_whole_catalogue_is_covered():
    assert len(NAMES) >= 151


@pytest.mark.parametrize("name", NAMES)
def test_same_numbers_as_numpy(name):
    system = from_dysts(name)
    x0 = np.array(system.x0)
    wobble = 1e-3 * np.sqrt(np.arange(2.0, x0.size + 2.0))
    direction = wobble / np.linalg.norm(wobble) * np.clip(abs(x0), 1e-2, 1)
    points = np.stack([x0, x0 * (1 + wobble), x0 * (1 - wobble)])
    values, slope = answers(system, 0.3, points, direction)
    for x, value in zip(points, np.asarray(values), strict=True):
        expected = native(name, 0.3, x)
        scale = max(1.0, abs(expected).max())
        np.testing.assert_allclose(value / scale, expected / scale, rtol=0, atol=1e-12)
    up, down = native(name, 0.3, x0 + 1e-6 * direction), native(name, 0.3, x0 - 1e-6 * direction)
    numeric = (up - down) / 2e-6
    scale = max(1.0, abs(numeric).max(), 1e-3 * abs(native(name, 0.3, x0)).max())
    np.testing.assert_allclose(slope / scale, numeric / scale, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["Hopfield", "BlinkingRotlet", "Lorenz96", "Henon"])
def test_conformance(name):
    system = from_dysts(name, integrator=RungeKutta(0.01))
    dt = 1.0 if isinstance(system, AbstractMap) else 0.01
    testing.check_system(system, np.array(system.x0), dt=dt)


def test_parameters_are_swept_by_vmap():
    system = from_dysts("Lorenz", integrator=RungeKutta(0.01))
    assert system.integrator == RungeKutta(0.01)
    x0 = jnp.asarray(system.x0)
    rates = jax.vmap(lambda rho: system.with_parameters(rho=rho).vector_field(0.0, x0))
    swept = rates(jnp.array([10.0, 28.0]))
    np.testing.assert_allclose(swept[1, 1] - swept[0, 1], 18.0 * x0[0], rtol=1e-12)
    with pytest.raises(InvalidInput, match=r"no parameter 'r'. It has: \['beta', 'rho', 'sigma'\]"):
        system.with_parameters(r=1.0)


def test_metadata_and_names():
    system = from_dysts("Lorenz")
    assert system.dt == flows.Lorenz().dt
    assert system.period == flows.Lorenz().period
    assert "Lorenz" in system.citation
    assert from_dysts("Lorenz96").names[:2] == ("x[0]", "x[1]")
    assert from_dysts("Henon").period is None


def test_one_class_for_a_name_and_pickled_by_name():
    system = from_dysts("Rossler").with_parameters(c=6.0)
    assert type(system) is type(from_dysts("Rossler"))
    for again in (pickle.loads(pickle.dumps(system)), copy.deepcopy(system)):
        assert type(again) is type(system)
        assert eqx.tree_equal(again, system)


@pytest.mark.parametrize("name", ["MackeyGlass", "IkedaDelay"])
def test_delay_equations_are_refused(name):
    assert name not in dysts_names()
    with pytest.raises(WrongKind, match=f"{name} of dysts is a delay equation: .* AbstractDelayFl"):
        from_dysts(name)


@pytest.mark.parametrize("name", sorted(UNTRACEABLE))
def test_what_cannot_be_traced_is_refused_with_the_reason(name):
    with pytest.raises(WrongKind, match=f"rule of {name} in dysts cannot be traced \\(Tracer"):
        from_dysts(name)


def test_unknown_name():
    with pytest.raises(InvalidInput, match=r"no system 'Lorentz'. takens.interop.dysts_names\(\)"):
        from_dysts("Lorentz")


def test_missing_library(monkeypatch):
    door._library.cache_clear()
    for module in ("dysts", "dysts.base", "dysts.flows", "dysts.maps"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency, match="pip install dysts"):
        dysts_names()
    door._library.cache_clear()
