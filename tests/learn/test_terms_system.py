"""Flows and maps made of terms: one object is printed, predicted with, simulated and analysed."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import dynamics, systems
from takens.core import InvalidInput
from takens.core.integrators import RungeKutta
from takens.learn.terms import (
    Delays,
    Expressions,
    Fourier,
    Polynomials,
    RationalFlow,
    TermDelayFlow,
    TermFlow,
    TermMap,
)

LORENZ = {
    "x": {"x": -10.0, "y": 10.0},
    "y": {"x": 28.0, "y": -1.0, "x*z": -1.0},
    "z": {"x*y": 1.0, "z": -8 / 3},
}
STATE = np.array([1.0, 2.0, 20.0])


def term_flow(laws, library, **settings):
    terms = library.over(tuple(laws))
    table = np.zeros((len(terms), len(laws)))
    for j, law in enumerate(laws.values()):
        for name, value in law.items():
            table[terms.names.index(name), j] = value
    return TermFlow(table, terms, **settings)


def lorenz(degree=2):
    return term_flow(LORENZ, Polynomials(degree), integrator=RungeKutta(0.01))


def test_the_field_is_lorenz_and_so_is_the_orbit():
    known = systems.Lorenz63()
    np.testing.assert_allclose(
        lorenz().vector_field(0.0, STATE), known.vector_field(0.0, STATE), rtol=1e-14
    )
    times = np.linspace(0, 2, 41)
    ours = dynamics.trajectory(lorenz(), STATE, times)
    theirs = dynamics.trajectory(known, STATE, times)
    np.testing.assert_allclose(ours.states, theirs.states, rtol=1e-9)


def test_every_question_takes_it():
    found = dynamics.fixed_points(lorenz().pruned(), bounds=[(-15, 15), (-15, 15), (-1, 40)])
    expected = np.sqrt(8 / 3 * 27)
    places = np.sort(found.points[:, 0])
    np.testing.assert_allclose(places, [-expected, 0, expected], atol=1e-8)


def test_pruning_changes_nothing_but_the_terms():
    wide, narrow = lorenz(4), lorenz(4).pruned()
    assert len(narrow.terms) == 5
    assert narrow.equations() == wide.equations()
    np.testing.assert_allclose(
        wide.vector_field(0.0, STATE), narrow.vector_field(0.0, STATE), rtol=1e-14
    )
    nothing = TermFlow(np.zeros((10, 3)), lorenz().terms).pruned()
    assert nothing.equations() == ("x' = 0", "y' = 0", "z' = 0")
    logistic = TermMap([[0.0], [3.7], [-3.7]], Polynomials(2).over(("x",))).pruned()
    assert logistic.terms.names == ("x", "x^2")


def test_equations_are_printed():
    assert lorenz().equations(3) == (
        "x' = -10*x + 10*y",
        "y' = 28*x - y - x*z",
        "z' = -2.67*z + x*y",
    )
    odd = term_flow({"a*b": {"1": -1.0, "1/(1 + `a*b`)": 0.5}},
                    Polynomials(1) + Expressions("1/(1 + `a*b`)"))  # fmt: skip
    assert odd.equations() == ("`a*b`' = -1 + 0.5/(1 + `a*b`)",)


def test_coefficients_are_parameters():
    flow = lorenz()

    @eqx.filter_jit
    def rate(system, x):
        return system.vector_field(0.0, x)

    rate(flow, STATE)
    changed = flow.with_parameters(coefficients=2 * flow.coefficients)
    np.testing.assert_allclose(rate(changed, STATE), 2 * rate(flow, STATE), rtol=1e-14)
    many = jax.vmap(
        lambda c: flow.with_parameters(coefficients=c).vector_field(0.0, jnp.asarray(STATE))
    )(jnp.stack([flow.coefficients, 3 * flow.coefficients]))
    np.testing.assert_allclose(many[1], 3 * many[0], rtol=1e-14)
    slopes = jax.jacobian(
        lambda c: flow.with_parameters(coefficients=c).vector_field(0.0, jnp.asarray(STATE))
    )(flow.coefficients)
    np.testing.assert_allclose(slopes[0, :, 0], flow.terms(STATE), rtol=1e-14)


def test_its_derivative_is_that_of_the_terms():
    flow = lorenz(3)
    traced = jax.jacfwd(flow.vector_field, argnums=1)(0.0, jnp.asarray(STATE))
    by_hand = np.asarray(flow.coefficients).T @ flow.terms.jacobian(STATE)
    np.testing.assert_allclose(traced, by_hand, rtol=1e-13)


def test_inputs_and_time():
    library = Polynomials(1) + Fourier(1, columns=("t",), period=4)
    terms = library.over(("x",), inputs=("u", "v"))
    flow = TermFlow(np.arange(1.0, 7.0)[:, None], terms)
    assert terms.names == ("1", "x", "u", "v", "sin(0.5*pi*t)", "cos(0.5*pi*t)")
    rate = flow.vector_field(1.0, jnp.array([2.0]), jnp.array([3.0, 5.0]))
    assert float(rate[0]) == pytest.approx(1 + 2 * 2 + 3 * 3 + 4 * 5 + 5)
    assert float(flow.vector_field(1.0, jnp.array([2.0]))[0]) == pytest.approx(1 + 2 * 2 + 5)
    assert flow.inputs == ("u", "v")


def test_a_mechanical_system():
    terms = (Expressions("sin(angle)") + Polynomials(1, constant=False)).over(("angle", "rate"))
    table = np.array([[-9.81], [0.0], [-0.1]])
    flow = TermFlow(table, terms, velocities=(("angle", "rate"),))
    assert flow.laws == ("rate",)
    np.testing.assert_allclose(
        flow.vector_field(0.0, jnp.array([0.3, 2.0])),
        [2.0, -9.81 * np.sin(0.3) - 0.2], rtol=1e-14,
    )  # fmt: skip
    undamped = TermFlow([[-9.81], [0.0], [0.0]], terms, velocities=(("angle", "rate"),),
                        integrator=RungeKutta(0.02))  # fmt: skip
    orbit = dynamics.trajectory(undamped, [1.0, 0.0], np.linspace(0, 3, 7))
    energy = orbit.states[:, 1] ** 2 / 2 - 9.81 * np.cos(orbit.states[:, 0])
    np.testing.assert_allclose(energy, energy[0], atol=1e-6)


def test_a_rational_law():
    terms = Polynomials(2).over(("s", "p"))
    lower = terms.select(("s", "p"))
    upper = np.zeros((6, 2))
    upper[0, 0], upper[1, 0], upper[1, 1] = 0.6, -3.0, 2.0
    flow = RationalFlow(upper, [[10 / 3, 0.0], [0.0, 0.5]], terms, lower)
    s, p = 0.7, 1.3
    np.testing.assert_allclose(
        flow.vector_field(0.0, jnp.array([s, p])),
        [(0.6 - 3 * s) / (1 + 10 / 3 * s), 2 * s / (1 + 0.5 * p)], rtol=1e-14,
    )  # fmt: skip
    assert flow.equations(2)[1] == "p' = (2*s)/(1 + 0.5*p)"
    pole = RationalFlow([[1.0], [0.0]], [[-1.0]], *_pole_terms())
    end = dynamics.trajectory(pole, [0.5], [0.0, 5.0], throw=False).states[-1]
    assert np.isnan(end).all()


def _pole_terms():
    terms = Polynomials(1).over(("x",))
    return terms, terms.select(("x",))


def test_a_map_with_delays_is_the_recursion():
    terms = Delays((1, 3), Polynomials(2)).over(("x",))
    table = np.zeros((len(terms), 1))
    for name, value in {"1": 1.0, "x^2": -0.9, "x[-1]": 0.2, "x*x[-3]": 0.1}.items():
        table[terms.names.index(name)] = value
    model = TermMap(table, terms)
    assert model.names == ("x", "x[-1]", "x[-2]", "x[-3]")
    past = [0.1, 0.2, 0.3, 0.4]  # oldest first
    state = jnp.array(past[::-1])
    for n in range(6):
        x = past
        past = [*x, 1 - 0.9 * x[-1] ** 2 + 0.2 * x[-2] + 0.1 * x[-1] * x[-4]]
        state = model.step(n, state)
        np.testing.assert_allclose(state, past[: -len(state) - 1 : -1], rtol=1e-14)


def test_a_delay_equation_is_the_known_one():
    known = systems.MackeyGlass(n_nodes=9)
    beta, gamma, power, tau = (
        float(v) for v in (known.beta, known.gamma, known.exponent, known.delay)
    )
    terms = Expressions("x", "x[-17]/(1 + x[-17]^10)")
    found = TermDelayFlow(
        [[-gamma], [beta]], Delays(17, terms).over(("x",)), delay=tau, n_nodes=9
    )  # fmt: skip
    assert power == 10
    state = jnp.asarray(np.linspace(0.4, 1.1, 9))
    np.testing.assert_allclose(
        found.vector_field(0.0, state), known.vector_field(0.0, state), rtol=1e-12
    )
    assert found.names == known.names
    assert found.pruned().equations(2) == ("x' = -0.1*x + 0.2*x[-17]/(1 + x[-17]^10)",)
    with pytest.raises(InvalidInput, match=r"the lags \[1, 2\]; expected one"):
        TermDelayFlow(np.ones((4, 1)), Delays((1, 2)).over(("x",)), delay=1.0)


def test_a_blow_up_is_nan():
    flow = TermFlow([[1.0]], Expressions("x^2").over(("x",)), integrator=RungeKutta(0.01))
    orbit = dynamics.trajectory(flow, [1.0], np.linspace(0, 3, 4), throw=False)
    assert np.isfinite(orbit.states[0]).all()
    assert np.isnan(orbit.states[-1]).all()


def test_an_ensemble_is_one_system_with_a_leading_axis():
    flow = lorenz()
    many = TermFlow(jnp.stack([flow.coefficients, 2 * flow.coefficients]), flow.terms)
    rates = eqx.filter_vmap(lambda system, x: system.vector_field(0.0, x), in_axes=(0, None))(
        many, jnp.asarray(STATE)
    )
    np.testing.assert_allclose(rates[1], 2 * flow.vector_field(0.0, STATE), rtol=1e-14)
    with pytest.raises(InvalidInput, match="asked of an ensemble"):
        many.equations()
    assert many.pruned().coefficients.shape == (2, 5, 3)


def test_whole_numbers_are_not_computed_in_single_precision():
    rate = lorenz().vector_field(0.0, jnp.array([1, 2, 3]))
    assert rate.dtype == jnp.float64
    np.testing.assert_allclose(rate, [10.0, 23.0, -6.0], rtol=1e-15)


def test_a_term_that_is_not_finite_and_not_used_is_pruned():
    flow = TermFlow([[0.0], [2.0]], Expressions("1/x", "x + 1").over(("x",)))
    assert np.isnan(flow.vector_field(0.0, jnp.zeros(1))).all()
    assert float(flow.pruned().vector_field(0.0, jnp.zeros(1))[0]) == 2.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TermFlow(np.ones((3, 2)), lorenz().terms), r"expected \(10, 3\)"),
        (lambda: TermFlow(np.ones((3, 1)), Polynomials(2)), "becomes terms by `over"),
        (
            lambda: TermFlow(np.ones((3, 1)), Delays((1,)).over(("x",))),
            "no part of a flow's state",
        ),
        (
            lambda: TermFlow(np.ones((3, 1)), Polynomials(1).over(("x", "v")),
                             velocities=(("x", "w"),)),
            "expected pairs of a state",
        ),
        (lambda: TermMap(np.ones((3, 2)), Polynomials(2).over(("x",))), r"expected \(3, 1\)"),
        (
            lambda: RationalFlow(np.ones((2, 1)), np.ones((2, 1)), *[Polynomials(1).over(("x",))] * 2),
            "its constant is 1 already",
        ),
        (
            lambda: RationalFlow(
                np.ones((2, 1)), np.ones((1, 1)), Polynomials(1).over(("x",)),
                Polynomials(1, constant=False).over(("y",)),
            ),
            "expected the same columns",
        ),
    ],
)  # fmt: skip
def test_refusals(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
