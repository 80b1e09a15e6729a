"""Systems made of terms leave the package and come back: files, SymPy, Python source."""

from __future__ import annotations

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import dynamics, systems
from takens.core import InvalidInput, WrongKind
from takens.core.integrators import CLASSICAL, Adaptive, Implicit, RungeKutta, Tableau
from takens.learn.terms import (
    Delays,
    Expressions,
    Fourier,
    Functions,
    Polynomials,
    RationalFlow,
    TermDelayFlow,
    TermFlow,
    TermMap,
    load,
    save,
)

LIBRARY = Polynomials(3) + Fourier(1) + Expressions("x*y/(1 + x^2)", "exp(-`a b`/3)*x^0.5")


def random_flow(**settings):
    terms = LIBRARY.over(("x", "y", "a b"), inputs=("u",))
    numbers = np.random.default_rng(1).normal(size=(len(terms), 3)) * 10.0 ** np.arange(-3, 0)
    return TermFlow(numbers, terms, **settings)


def made():
    terms = Polynomials(2).over(("x",))
    delayed = Delays((2,), Polynomials(2)).over(("x",))
    return {
        "flow": random_flow(units=("mV", "", "mol/L"), time_unit="s"),
        "fixed step": random_flow(integrator=RungeKutta(0.01, CLASSICAL)),
        "stiff": random_flow(integrator=Implicit(rtol=1e-5)),
        "loose": random_flow(integrator=Adaptive(rtol=1e-5, max_steps=99)),
        "mechanical": TermFlow(
            [[0.1], [1e-300], [-np.pi]], Polynomials(1).over(("x", "v")), velocities=(("x", "v"),)
        ),
        "rational": RationalFlow(
            [[0.1], [0.2], [1 / 3]], [[0.3], [2 / 7]], terms, terms.select([1, 2])
        ),
        "map": TermMap(np.linspace(-1, 1, len(delayed))[:, None] / 3, delayed),
        "delay": TermDelayFlow(
            [[1.8], [-0.6]],
            Delays(3, Polynomials(2)).over(("x",)).select((1, 4)),
            delay=1 / 3,
            n_nodes=9,
        ),
        "none": TermMap([[np.nan], [np.inf], [-0.0]], terms),
        "ensemble": TermMap(np.random.default_rng(0).normal(size=(4, 3, 1)), terms),
    }


@pytest.mark.parametrize("name", made())
def test_what_is_saved_comes_back_bit_for_bit(name, tmp_path):
    system = made()[name]
    again = load(save(system, tmp_path / "system.json"))
    assert type(again) is type(system)
    same = jax.tree.structure(system)
    assert jax.tree.structure(again) == same  # names, terms, integrator and units
    for a, b in zip(jax.tree.leaves(system), jax.tree.leaves(again), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_a_loaded_system_is_no_new_program(tmp_path):
    system = random_flow()
    counted = []

    @eqx.filter_jit
    def rate(flow, x):
        counted.append(1)
        return flow.vector_field(0.0, x)

    x = jnp.array([0.2, 0.3, 0.4])
    first = rate(system, x)
    np.testing.assert_array_equal(rate(load(save(system, tmp_path / "a.json")), x), first)
    assert len(counted) == 1


def test_a_file_is_not_overwritten_unasked(tmp_path):
    path = tmp_path / "law.json"
    save(random_flow(), path)
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match=r"exists\. Give another name, or `overwrite=True`"):
        save(made()["map"], path)
    assert path.read_bytes() == before
    save(made()["map"], path, overwrite=True)
    assert isinstance(load(path), TermMap)


def test_the_file_can_be_read_by_people(tmp_path):
    logistic = TermMap([[0.0], [3.7], [-3.7]], Polynomials(2).over(("x",)))
    content = json.loads(save(logistic, tmp_path / "a.json").read_text(encoding="utf-8"))
    assert content["equations"] == [f"x[+1] = {3.7:.17g}*x - {3.7:.17g}*x^2"]
    assert content["kind"] == "TermMap"


@pytest.mark.parametrize(
    "change",
    [
        lambda c: {},
        lambda c: [1, 2],
        lambda c: {**c, "format": "other"},
        lambda c: {**c, "kind": "__import__"},
        lambda c: {**c, "fields": {}},
        lambda c: {**c, "fields": {**c["fields"], "extra": {"plain": "x"}}},
        lambda c: {**c, "fields": {**c["fields"], "coefficients": {"numbers": [1], "shape": [1]}}},
        lambda c: {**c, "fields": {**c["fields"], "coefficients": {"numbers": ["x"], "shape": [1]}}},
        lambda c: {**c, "fields": {**c["fields"], "coefficients": 3}},
    ],
)  # fmt: skip
def test_other_files_are_refused(change, tmp_path):
    path = save(made()["map"], tmp_path / "a.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(content)), encoding="utf-8")
    with pytest.raises(InvalidInput):
        load(path)


def test_refusals(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        load(tmp_path / "nothing.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="holds no text"):
        load(tmp_path / "b.json")
    with pytest.raises(WrongKind, match="Lorenz63 was given"):
        save(systems.Lorenz63(), tmp_path / "c.json")
    with pytest.raises(InvalidInput, match="cannot be written"):
        save(random_flow(), tmp_path / "no" / "folder.json")
    own = Functions(f=lambda a: a).over(("x",))
    with pytest.raises(InvalidInput, match="code of yours"):
        save(TermMap([[1.0]], own), tmp_path / "c.json")
    heun = RungeKutta(0.1, Tableau(2, ((1.0,),), (0.5, 0.5)))
    with pytest.raises(InvalidInput, match="a tableau of your own"):
        save(random_flow(integrator=heun), tmp_path / "c.json")
    assert not (tmp_path / "c.json").exists()


def test_symbolic_equations_are_those_of_the_system():
    sp = pytest.importorskip("sympy")
    from takens.interop import symbolic

    flow = random_flow()
    found = symbolic(flow, parameters="numbers")
    assert [str(u) for u in found.inputs] == ["u"]
    assert found.labels == ("x", "y", "a b")
    x, u = np.array([0.3, 0.7, 0.2]), np.array([0.9])
    at = dict(zip((*found.states, *found.inputs), (*x, *u), strict=True))
    values = [float(sp.sympify(e).subs(at)) for e in found.right]
    np.testing.assert_allclose(values, flow.vector_field(0.0, jnp.asarray(x), u), rtol=1e-12)
    jacobian = np.array(found.jacobian().subs(at), dtype=float)
    expected = np.asarray(flow.coefficients).T @ flow.terms.jacobian(x, u)
    np.testing.assert_allclose(jacobian, expected, rtol=1e-12)
    pendulum = TermFlow(
        [[-9.81]], Expressions("sin(q)").over(("q", "v")), velocities=(("q", "v"),)
    )  # fmt: skip
    assert [str(e) for e in symbolic(pendulum, parameters="numbers").right] == [
        "v", "-9.81*sin(q)",
    ]  # fmt: skip


def test_a_rational_law_and_a_map_with_delays_in_sympy():
    sp = pytest.importorskip("sympy")
    from takens.interop import symbolic

    s = sp.Symbol("x")
    rational = symbolic(made()["rational"], parameters="numbers").right[0]
    expected = (0.1 + 0.2 * s + s**2 / 3) / (1 + 0.3 * s + 2 * s**2 / 7)
    at = {s: 0.37}
    assert float(rational.subs(at)) == pytest.approx(float(expected.subs(at)), rel=1e-14)
    latex = symbolic(made()["map"], parameters="numbers").latex()
    assert latex.count("&=") == 1  # rows that only remember are left out
    assert "x_{n-2}" in latex


def test_printed_simulated_and_predicted_are_one():
    pytest.importorskip("sympy")
    from takens.interop import symbolic

    flow = random_flow().pruned()
    module = {}
    exec(symbolic(flow, parameters="numbers").python(), module)  # the source is what is tested
    rng = np.random.default_rng(2)
    table = np.asarray(flow.coefficients)
    for _ in range(5):
        x, u = rng.uniform(0.1, 1.0, 3), rng.normal(size=1)
        predicted = flow.terms(x, u) @ table
        simulated = flow.vector_field(0.0, jnp.asarray(x), jnp.asarray(u))
        printed = module["vector_field"](0.0, list(x), list(u))
        scale = np.abs(flow.terms(x, u)) @ np.abs(table)
        assert (np.abs(predicted - simulated) <= 1e-15 * scale).all()
        assert (np.abs(np.asarray(printed) - simulated) <= 1e-15 * scale).all()


def test_the_text_of_the_equations_is_the_system_again():
    flow = TermFlow(
        [[0.1, 1 / 3], [-2.0, 0.0], [0.7, -1e-9]], Expressions("x", "x*y", "1/(1 + y)").over(("x", "y")),
        integrator=RungeKutta(0.01),
    )  # fmt: skip
    sides = [line.split(" = ")[1] for line in flow.equations(17)]
    again = Expressions(*(side + " + 1*x^9" for side in sides)).over(("x", "y"))
    x = np.array([[0.4, 0.8], [1.1, 0.3]])
    rates = again(x) - x[:, :1] ** 9
    expected = [flow.vector_field(0.0, jnp.asarray(row)) for row in x]
    np.testing.assert_allclose(rates, expected, rtol=1e-13)
    orbit = dynamics.trajectory(flow, [0.4, 0.8], [0.0, 0.5])
    assert np.isfinite(orbit.states).all()
