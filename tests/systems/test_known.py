"""The zoo: does every known system do what its docstring says?"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import systems
from takens.core import InvalidInput
from takens.core.integrators import RungeKutta
from tests.systems.orbits import orbit

ENTRIES = {entry.name: entry for entry in systems.catalogue()}
ELSEWHERE = (systems.AbstractField, systems.AbstractDelayFlow)  # have tests of their own
FLOWS = [
    name
    for name, entry in ENTRIES.items()
    if entry.kind == "flow" and not issubclass(entry.system, ELSEWHERE)
]
MAPS = [name for name, entry in ENTRIES.items() if entry.kind == "map"]
ROTATING = {  # angles that are not wrapped, so that they may grow
    "ForcedPendulum": slice(1, None), "DoublePendulum": slice(2, None), "Kuramoto": slice(0, 0),
}  # fmt: skip


@eqx.filter_jit
def errors(coarse, fine, n, states):
    """Difference after one step between two integrations of the same states."""
    return jnp.abs(jax.vmap(coarse.step)(n, states) - jax.vmap(fine.step)(n, states))


@pytest.mark.parametrize("name", FLOWS)
def test_flow_is_bounded_and_its_step_is_fine_enough(name):
    system = ENTRIES[name].system()
    coarse = system.as_map(system.dt)
    states, n = orbit(coarse, jnp.array(system.x0), 2000)
    assert np.isfinite(states).all()
    # Within the attractor: the second half reaches no farther than twice the first.
    kept = np.asarray(states)[:, ROTATING.get(name, slice(None))]
    reach = np.abs(kept[:1000]).max(axis=0, initial=0)
    assert (np.abs(kept[1000:]).max(axis=0, initial=0) <= 2 * reach).all()
    # The error of one observed step, against steps of a third (3^8 times more exact).
    finer = RungeKutta(system.integrator.max_step / 3)
    fine = eqx.tree_at(lambda s: s.integrator, system, finer).as_map(system.dt)
    error = np.asarray(errors(coarse, fine, n[::20], states[::20]))
    scale = np.abs(kept).max(axis=0) if name not in ROTATING else 1.0
    assert np.max(error / scale) < 1e-9, error.max(axis=0)


@pytest.mark.parametrize("name", MAPS)
def test_map_is_bounded(name):
    system = ENTRIES[name].system()
    states, _ = orbit(system, jnp.array(system.x0), 5000)
    kept = np.abs(states)
    assert np.isfinite(kept).all()
    assert (kept[2500:].max(axis=0) <= 1.5 * kept[:2500].max(axis=0)).all()


CHAOTIC_MAPS = [
    *("ArnoldCat", "BernoulliMap", "HenonMap", "IkedaMap", "LogisticMap", "LoziMap", "RickerMap"),
    *("StandardMap", "TentMap", "CoupledLogistic", "LeslieRicker"),
]


@pytest.mark.parametrize("name", CHAOTIC_MAPS)
def test_chaotic_map_does_not_die_in_floating_point(name):
    system = ENTRIES[name].system()
    states, _ = orbit(system, jnp.array(system.x0), 5000)
    assert len(np.unique(np.asarray(states)[-1000:, 0])) == 1000


@pytest.mark.parametrize("cls", [systems.TentMap, systems.BernoulliMap])
def test_a_slope_of_two_shifts_every_digit_out(cls):
    states, _ = orbit(cls(slope=2.0), jnp.array([0.3456]), 60)
    assert states[40, 0] != 0
    assert states[55, 0] == 0


def test_catalogue_is_complete_and_says_what_things_are():
    assert len(FLOWS) >= 27
    assert len(MAPS) >= 13
    assert ENTRIES["CoxIngersollRoss"].kind == "diffusion"
    assert ENTRIES["Lorenz96"].dim == 40
    assert "attractor" in str(ENTRIES["Lorenz63"])
    for name, entry in ENTRIES.items():
        assert getattr(systems, name) is entry.system, "exported"
        assert len(entry.system().x0) == entry.dim
        assert entry.system.references
        assert entry.description.endswith("."), name


def test_a_start_belongs_to_the_class_and_cannot_be_changed():
    assert systems.Lorenz63.x0 == systems.Lorenz63().x0
    with pytest.raises(AttributeError):
        systems.Lorenz63().x0 = (0.0, 0.0, 0.0)
    with pytest.raises(InvalidInput, match="no parameter 'x0'"):
        systems.Lorenz63().with_parameters(x0=1.0)


@pytest.mark.parametrize("name", [n for n, e in ENTRIES.items() if e.system.inputs])
def test_no_input_is_zero_input(name):
    system = ENTRIES[name].system()
    x = jnp.array(system.x0)
    rate = system.drift if ENTRIES[name].kind == "diffusion" else system.vector_field
    width = len(system.inputs)
    np.testing.assert_array_equal(rate(0.3, x), rate(0.3, x, jnp.zeros(width)))
    pushed = rate(0.3, x, jnp.ones(width)) - rate(0.3, x)
    np.testing.assert_allclose(jnp.sum(jnp.abs(pushed)), 1.0)


@pytest.mark.parametrize("name", [n for n in FLOWS if hasattr(ENTRIES[n].system, "period")])
def test_forcing_repeats_after_its_period(name):
    system = ENTRIES[name].system()
    x, period = jnp.array(system.x0), system.period
    now, half, later = (system.vector_field(0.1 + k * period, x) for k in (0, 0.5, 1))
    np.testing.assert_allclose(now, later, rtol=1e-9)
    assert not np.allclose(now, half)
