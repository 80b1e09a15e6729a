"""Inputs that are nonsense are refused with a sentence, before anything is computed."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from takens import dynamics, systems
from takens.core import InvalidInput, Status
from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import AbstractFlow, AbstractMap, static
from takens.learn import Persistence

HENON, LORENZ = systems.HenonMap(), systems.Lorenz63()
LOGISTIC, KICKED = systems.LogisticMap(r=3.9), systems.StandardMap(kick=6.0)

START, SQUARE = [1.0, 2.0, 20.0], {"x": [0.0, 0.1], "y": [0.0, 0.1]}
LINEAR = systems.LinearMap()
MATRIX = np.asarray(LINEAR.matrix)
AXIS = np.linspace(-0.5, 0.5, 4)


def height(t, x):
    return x[2] - 27.0


def cross(**given):
    return dynamics.crossings(LORENZ, START, **({"event": height, "dt": 0.02} | given))


def around(**given):
    return dynamics.periodic_orbits(HENON, [[0.6, 0.2]], **({"max_period": 1} | given))


def field(axes, **given):
    return dynamics.finite_time_lyapunov_field(HENON, axes, **({"span": 2} | given))


def stretch(**given):
    return dynamics.finite_time_lyapunov(HENON, [[0.1, 0.1]], **({"span": 2} | given))


def basins(grid=SQUARE, **given):
    return dynamics.basins_of_attraction(HENON, grid, **given)


def follow(bounds, **given):
    return dynamics.follow_attractors(LOGISTIC, "r", [1.0, 2.0], bounds, **given)


REFUSED = {
    "text as dt": (lambda: cross(dt="a"), "dt = 'a'; expected a number"),
    "two dt": (lambda: cross(dt=np.ones(2)), "expected a number"),
    "text as time": (lambda: cross(max_time="x"), "max_time = 'x'"),
    "yes as direction": (lambda: cross(direction=True), "direction = True"),
    "no function": (lambda: cross(event=3), "expected a function event"),
    "whole event": (lambda: cross(event=lambda t, x: 1), "type int64; expected one number"),
    "NaN event": (lambda: cross(event=lambda t, x: x[2] * jnp.nan), "is NaN at the start"),
    "text as period": (lambda: around(max_period="a"), "max_period = 'a'"),
    "half an iterate": (lambda: around(max_period=0.5), "expected 1 iterate or more"),
    "text as tolerance": (lambda: around(tolerance="a"), "tolerance = 'a'"),
    "three bounds": (
        lambda: dynamics.period_doublings(LOGISTIC, "r", (1, 2, 3), [0.4]),
        "expected two different values",
    ),
    "text as length": (
        lambda: dynamics.stable_manifold(HENON, [0.63, 0.19], length="a"),
        "length = 'a'",
    ),
    "text as span": (lambda: stretch(span="a"), "span = 'a'"),
    "two spans": (lambda: stretch(span=np.ones(2)), "expected a number"),
    "no axes": (lambda: field(None), "Give a list of two arrays"),
    "text on an axis": (lambda: field([["a", "b", "c"], AXIS]), "expected real numbers"),
    "names as one word": (lambda: field([AXIS, AXIS], components="xy"), "a list of two names"),
    "nested names": (lambda: field([AXIS, AXIS], components=[["x"], ["y"]]), "list of two names"),
    "text on a grid": (lambda: basins(SQUARE | {"x": ["a", "b"]}), r"grid\['x'\] is \['a', 'b'\]"),
    "ragged grid": (lambda: basins(SQUARE | {"x": [[1], [1, 2]]}), "expected real numbers"),
    "text as escape": (lambda: basins(escape="a"), "escape = 'a'"),
    "list of angles": (lambda: basins(wrap=["x"]), "expected a mapping from names of angles"),
    "text as an angle": (lambda: basins(wrap={"x": "a"}), r"wrap\['x'\] = 'a'"),
    "text as bounds": (
        lambda: dynamics.basin_stability(HENON, {"x": ("a", "b"), "y": (0, 1)}),
        "expected real numbers",
    ),
    "text as distance": (lambda: follow({"x": (0, 1)}, max_distance="a"), "max_distance = 'a'"),
    "text as a range": (lambda: follow({"x": ("a", 1)}), "expected real numbers"),
    "unknown label": (
        lambda: dynamics.tipping_probabilities(np.array([-7, 0]), np.array([0, 1])),
        "holds the label -7",
    ),
    "cells beyond memory": (
        lambda: dynamics.transfer_matrix(systems.Lorenz96(n_sites=100), [[0.0, 1, 2]] * 100),
        "points in all cells were asked for. Give coarser cells",
    ),
    "points beyond memory": (
        lambda: dynamics.transfer_matrix(systems.Lorenz96(n_sites=40), [[0.0, 1]] * 39 + [np.arange(9.0)]),
        r"8.8e.12 points in all cells",
    ),
    "bins beyond memory": (
        lambda: dynamics.invariant_density(HENON, [0.1, 0.1], components=["x", "y"], bins=10**6),
        "bins of all blocks were asked for. Give fewer bins",
    ),
    "starts beyond memory": (
        lambda: basins({"x": np.arange(1e4), "y": np.arange(1e4)}),
        "starts of this grid. Give a coarser one",
    ),
    "paths without end": (
        lambda: dynamics.all_fixed_points(systems.Lorenz96(n_sites=100)),
        r"The degrees 2, 2, 2, 2, 2, 2, 2, 2, \.\.\. need 1.27e.30 paths",
    ),
    "array as parameter": (
        lambda: dynamics.period_doublings(LINEAR, "matrix", (MATRIX, 2 * MATRIX), [0.1, 0.1]),
        "matrix is an array; a cascade is followed through one number",
    ),
    "text as a step": (
        lambda: dynamics.transfer_matrix(LOGISTIC, [np.linspace(0, 1, 9)], dt="a"),
        "dt = 'a'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_nonsense_is_refused(case):
    question, words = REFUSED[case]
    with pytest.raises(InvalidInput, match=words):
        question()


ASKED = {
    "crossings": lambda u: cross(u=u),
    "sections": lambda u: dynamics.poincare_section(LORENZ, [START], ("z", 27.0), dt=0.02, u=u),
    "return map": lambda u: dynamics.return_map(LORENZ, START, "z", dt=0.02, u=u),
    "orbits": lambda u: around(u=u),
    "cascade": lambda u: dynamics.period_doublings(LOGISTIC, "r", (2.5, 3.5), [0.4], u=u),
    "unstable": lambda u: dynamics.unstable_manifold(HENON, [0.63, 0.19], u=u),
    "stretching": lambda u: stretch(u=u),
    "alignment": lambda u: dynamics.smaller_alignment_index(KICKED, [3.0, 1.0], u=u),
    "zero-one": lambda u: dynamics.zero_one_test(LOGISTIC, [0.3], u=u),
    "basins": lambda u: basins(u=u),
    "following": lambda u: follow({"x": (0, 1)}, u=u),
    "transfer": lambda u: dynamics.transfer_matrix(LOGISTIC, [np.linspace(0, 1, 9)], u=u),
    "all points": lambda u: dynamics.all_fixed_points(HENON, u=u),
    "points": lambda u: dynamics.fixed_points(HENON, [[0.6, 0.2]], u=u),
    "slow points": lambda u: dynamics.slow_points(HENON, [[0.6, 0.2]], u=u),
    "exponents": lambda u: dynamics.lyapunov_spectrum(LOGISTIC, [0.3], u=u),
    "vectors": lambda u: dynamics.covariant_lyapunov_vectors(HENON, [0.1, 0.1], u=u),
}  # fmt: skip


@pytest.mark.parametrize("question", ASKED)
@pytest.mark.parametrize(
    ("u", "words"),
    [([1.0], "takes none"), ("a", "expected real numbers"), ([[1.0]], r"expected \(input,\)"),
     ([np.nan], "NaN")],
)  # fmt: skip
def test_an_input_is_looked_at_by_every_question(question, u, words):
    with pytest.raises(InvalidInput, match=words):
        ASKED[question](u)


class Pushed(AbstractFlow):
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return -x + (0.0 if u is None else jnp.eye(2) @ u)


def test_an_input_of_the_wrong_length_is_refused_with_its_shape():
    with pytest.raises(InvalidInput, match=r"shape \(3,\), which does not fit the rule of Pushed"):
        dynamics.fixed_points(Pushed(), [[0.0, 0.0]], u=[1.0, 2.0, 3.0])
    found = dynamics.all_fixed_points(Pushed(), u=[1.0, 2.0])
    np.testing.assert_allclose(found.points, [[1.0, 2.0]])


def test_points_that_fill_a_space_are_not_called_absent():
    found = dynamics.all_fixed_points(Persistence().fit(np.cos(np.arange(50.0))).model)
    assert found.status is Status.NOT_APPLICABLE
    assert not found.complete
    assert "Every state is a fixed point" in found.summary()
    assert [c.code for c in found.cautions] == ["not-isolated"]


class HalfIdle(AbstractFlow):
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return jnp.stack([x[1] - x[0] ** 2, 0.0 * x[0]])


def test_a_component_at_rest_leaves_a_curve_of_points():
    found = dynamics.all_fixed_points(HalfIdle())
    assert not found.complete
    assert "1 of 2 components never change" in found.summary()


class Halved(AbstractMap):
    names: tuple[str, ...] = static(("x", "y", "z"))

    def step(self, n, x, u=None):
        return x / 2


def test_starts_on_other_axes_or_in_another_slice_are_not_the_same():
    grid = np.linspace(-0.5, 0.5, 3)
    first, second, third = (
        dynamics.basins_of_attraction(Halved(), {"x": grid, name: grid}, x0=[0.0, 0.0, z])
        for name, z in (("y", 0.0), ("z", 0.0), ("y", 5.0))
    )
    for other in (second, third):
        with pytest.raises(InvalidInput, match="not of the same starts"):
            dynamics.tipping_probabilities(first, other)
    shares = dynamics.follow_attractors(LOGISTIC, "r", [2.0, 2.1], {"x": (0.1, 0.9)}, n_samples=9)
    assert "label_value" in dataclasses.replace(shares, parameter="label").to_xarray().coords


def test_backwards_the_index_of_a_torus_is_a_number():
    found = dynamics.smaller_alignment_index(
        systems.HenonHeiles(), [0.0, 0.1, 0.49, 0.0], dt=-0.5, n_steps=300
    )
    assert found.times[-1] == -150.0
    assert found.indicates == "regular"
    assert found.power.interval[0] < found.power.value < found.power.interval[1]
