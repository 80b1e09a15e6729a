"""Candidate terms: values against direct formulas, derivatives, names, refusals."""

from __future__ import annotations

import copy
import pickle

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import takens.core.system  # noqa: F401  switches JAX to float64
from takens.core import InvalidInput
from takens.learn.terms import (
    Delays,
    Expressions,
    Fourier,
    Functions,
    Inputs,
    Polynomials,
    Terms,
    tree,
)
from takens.learn.terms.parse import parse

X = np.random.default_rng(3).uniform(0.2, 2.0, size=(50, 2))
U = np.random.default_rng(4).uniform(-1, 1, size=(50, 1))
TIMES = np.linspace(0, 3, 50)
RICH = (
    Polynomials(3)
    + Fourier(2, columns=("x",))
    + Fourier(1, columns=("t",), period=7)
    + Expressions("x*y/(1 + x)", "exp(-x/3)*y^2", "x^0.5*log(y)", "u*x", "2^x", "t*x", "x^y")
    + Functions(hill=lambda a: a**2 / (1 + a**2))
)


def rich():
    return RICH.over(("x", "y"), inputs=("u",))


def test_values_are_the_formulas():
    terms = rich()
    (x, y), u = X.T, U[:, 0]
    expected = {
        "1": x**0,
        "x^2*y": x**2 * y,
        "y^3": y**3,
        "x*y*u": x * y * u,
        "sin(2*x)": np.sin(2 * x),
        "cos(2/7*pi*t)": np.cos(2 * np.pi * TIMES / 7),
        "x*y/(1 + x)": x * y / (1 + x),
        "y^2*exp(-1/3*x)": y**2 * np.exp(-x / 3),
        "x^0.5*log(y)": np.sqrt(x) * np.log(y),
        "2^x": 2**x,
        "x^y": x**y,
        "x*t": x * TIMES,
        "hill(y)": y**2 / (1 + y**2),
    }
    values = terms(X, U, TIMES)
    assert values.shape == (50, len(terms))
    for name, value in expected.items():
        np.testing.assert_allclose(values[:, terms.names.index(name)], value, rtol=1e-14)


def test_jax_gives_the_same_as_numpy():
    terms = rich()
    values = terms(X, U, TIMES)
    np.testing.assert_allclose(
        terms(jnp.asarray(X), jnp.asarray(U), jnp.asarray(TIMES), xp=jnp), values, rtol=1e-13
    )
    one = terms(jnp.asarray(X[3]), jnp.asarray(U[3]), TIMES[3], xp=jnp)
    np.testing.assert_allclose(one, values[3], rtol=1e-13)


def test_shapes_and_memory():
    terms = Polynomials(2).over(("x", "y"))
    wide = terms(X.reshape(5, 10, 2))
    assert wide.shape == (5, 10, 6)
    np.testing.assert_array_equal(wide.reshape(50, 6), terms(X))
    out = np.empty((6, 50))
    assert terms.stacked(X, out=out) is out
    np.testing.assert_array_equal(out.T, terms(X))
    long = np.tile(X, (400, 1))  # several blocks, the last one not full
    np.testing.assert_array_equal(terms(long)[-50:], terms(X))
    assert terms(np.empty((0, 2))).shape == (0, 6)


def test_missing_values_stay_where_they_are():
    values = Polynomials(1).over(("x", "y"))(np.array([[np.nan, 2.0]]))
    np.testing.assert_array_equal(values, [[1.0, np.nan, 2.0]])


def test_jacobian_against_central_differences():
    terms = rich()
    step = 1e-6
    found = terms.jacobian(X, U, TIMES)
    assert found.shape == (50, len(terms), 2)
    for j in range(2):
        move = step * np.eye(2)[j]
        slope = (terms(X + move, U, TIMES) - terms(X - move, U, TIMES)) / (2 * step)
        np.testing.assert_allclose(found[:, :, j], slope, rtol=2e-7, atol=1e-8)


def test_jacobian_of_every_function():
    inside = "0.3*x"  # within the domain of all but acosh
    for name in tree.FUNCTIONS:
        terms = Expressions(f"{name}({'1 + x' if name == 'acosh' else inside})").over(("x",))
        x = np.array([[0.4], [1.3]])
        slope = (terms(x + 1e-6) - terms(x - 1e-6)) / 2e-6
        np.testing.assert_allclose(terms.jacobian(x)[..., 0], slope, rtol=1e-7, err_msg=name)


def test_derivatives_of_a_function_of_two_columns():
    made_by_jax = Functions(f=lambda a, b: a * jnp.sin(b)).over(("x", "y"))
    given_ones = Functions(
        f=lambda a, b: a * jnp.sin(b),
        derivatives={"f": (lambda a, b: np.sin(b), lambda a, b: a * np.cos(b))},
    ).over(("x", "y"))
    assert made_by_jax.names == ("f(x, y)", "f(y, x)")
    x, y = X.T
    expected = np.stack([np.sin(y), x * np.cos(y)], axis=-1)
    np.testing.assert_allclose(made_by_jax.jacobian(X)[:, 0], expected, rtol=1e-14)
    np.testing.assert_allclose(given_ones.jacobian(X)[:, 0], expected, rtol=1e-14)
    with pytest.raises(InvalidInput, match="cannot be differentiated by JAX"):
        Functions(f=lambda a: np.tanh(a) + 0).over(("x",)).jacobian(X[:, :1])


def test_names_are_read_back():
    columns = ("x", "a*b", "`q", "lambda", "t", "é t", "µ", "2nd", "x[-3]", "pi")
    terms = (Polynomials(2) + Fourier(1)).over(columns)
    again = Expressions(*terms.names[1:]).over(columns)
    assert again.monomials == terms.monomials[1:]
    assert "x*`a*b`" in terms.names
    assert "`lambda`^2" in terms.names
    assert "x[-3]^2" in terms.names


LEAVES = st.sampled_from(["x", "y", "`a b`", "t", "pi", "2", "0.1", "1e-7", "3", "-2.5"])
SOURCES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(
            lambda p: f"({p[0]} {p[1]} {p[2]})"
        ),
        st.tuples(inner, st.sampled_from(["2", "-1", "0.5", "(1/3)", "-3", "x"])).map(
            lambda p: f"({p[0]})^{p[1]}"
        ),
        inner.map(lambda p: f"-{p}"),
        inner.map(lambda p: f"sin({p})"),
    ),
    max_leaves=8,
)


@given(SOURCES)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_printed_expressions_are_read_back(source):
    try:
        node = parse(source)
    except InvalidInput:  # a division by zero, or a negative number to a broken power
        return
    assert parse(tree.text(node)) == node


def test_expressions_hold_their_value_through_simplification():
    rng = np.random.default_rng(0)
    at = {"x": 0.7, "y": 1.9}
    for _ in range(200):
        a, b, c = rng.choice(["x", "y", "2", "(x + 1)", "(y - 3*x)", "sin(x)"], 3)
        p, q = rng.choice(["*", "/", "+", "-"], 2)
        source = f"({a} {p} {b})^2 {q} {c}"
        expected = eval(  # the test's own strings
            source.replace("^", "**"), {"sin": np.sin, **at}
        )
        found = tree.value(parse(source), lambda node: at[node[1]], {}, np)
        assert found == pytest.approx(expected, rel=1e-12), source


def test_the_parser_runs_nothing():
    for source in (
        "__import__('os').system('true')",
        "x.__class__",
        "[x for x in y]",
        "open('file')",
        "x if y else 1",
        "'text'",
        "x; y",
        "lambda: 1",
        "x y",
        "1j*x",
        "sin(x, y)",
        "True*x",
        "f(x=1)",
        "9**9**9**9**9",
        "1e999*x",
        "x/0",
        "",
        "(" * 500 + "x" + ")" * 500,
        "x" * 20_000,
    ):
        with pytest.raises(InvalidInput):
            parse(source)


def test_sympy_and_strings_agree():
    sp = pytest.importorskip("sympy")
    x, y, t = sp.symbols("x y t")
    given = (
        x * y / (1 + x), sp.exp(-x / 3) * y**2, sp.sqrt(x), sp.Abs(x - y), sp.sin(2 * sp.pi * t / 7)
    )  # fmt: skip
    written = ("x*y/(1 + x)", "exp(-x/3)*y^2", "x^0.5", "abs(x - y)", "sin(2*pi*t/7)")
    a = Expressions(*given).over(("x", "y"))
    b = Expressions(*written).over(("x", "y"))
    np.testing.assert_allclose(a(X, t=TIMES), b(X, t=TIMES), rtol=1e-14)
    assert a.names[:2] == ("x*y/(1 + x)", "y^2*exp(-1/3*x)")
    with pytest.raises(InvalidInput, match="besselj"):
        Expressions(sp.besselj(0, x))


def test_unions_have_no_duplicates_and_products_all_pairs():
    union = Polynomials(2) + Polynomials(1) + Expressions("y*x", "x*x") + Fourier(1, ("x",))
    assert union.over(("x", "y")).names == (
        "1", "x", "y", "x^2", "x*y", "y^2", "sin(x)", "cos(x)",
    )  # fmt: skip
    assert (Polynomials(1) * Fourier(1, ("y",))).over(("x", "y")).names == (
        "sin(y)", "cos(y)", "x*sin(y)", "x*cos(y)", "y*sin(y)", "y*cos(y)",
    )  # fmt: skip
    assert (Inputs(2) * Polynomials(1)).over(("x",), ("u",)).names[:3] == ("u", "x*u", "u^2")


def test_polynomial_settings():
    over = ("x", "y"), ("u",)
    assert Polynomials(2, inputs_degree=0).over(*over).names[-1] == "y^2"
    assert "u^2" in Polynomials(2, inputs_degree=2).over(*over).names
    assert Polynomials(2, interactions=False, constant=False).over(*over).names == (
        "x", "y", "u", "x^2", "y^2",
    )  # fmt: skip
    assert Polynomials(2, columns=("y",)).over(*over).names == ("1", "y", "y^2")
    assert Polynomials(0).over(("x",)).names == ("1",)


def test_delays_see_earlier_values():
    library = Polynomials(1) + Delays((1, 3), Polynomials(2))
    terms = library.over(("x", "y"))
    assert terms.columns == ("x", "y", "x[-1]", "y[-1]", "x[-3]", "y[-3]")
    assert terms.names[:4] == ("1", "x", "y", "x[-1]")
    assert "x[-1]*y[-3]" in terms.names
    record = np.column_stack([np.arange(6.0), 10 + np.arange(6.0)])
    wide = terms.delayed(record)
    np.testing.assert_array_equal(wide[0], [3, 13, 2, 12, 0, 10])
    assert wide.shape == (3, 6)
    assert terms(wide)[1, terms.names.index("x*y[-1]")] == 4 * 13
    with pytest.raises(InvalidInput, match="more than 3 times"):
        terms.delayed(record[:3])
    given = Expressions("x*x[-3]").over(("x", "x[-3]"))  # columns of the caller's own
    assert given([2.0, 5.0]).tolist() == [10.0]


def test_parts_and_selections():
    terms = rich()
    part = terms.part(("y",))
    assert part.states == ("y",)
    assert part.inputs == ()
    assert part.names[:4] == ("1", "y", "y^2", "y^3")
    np.testing.assert_allclose(part(X[:, 1:], t=TIMES)[:, 2], X[:, 1] ** 2)
    turned = terms.part(("y", "x"))
    assert turned.states == ("y", "x")
    assert "y*x" in turned.names
    plain = Polynomials(2).over(("x", "y"))
    mask = np.array([True, False, False, False, True, False])
    assert plain.select(mask).names == plain.select([0, 4]).names == ("1", "x*y")
    assert plain.select(("x*y", "1")).names == ("x*y", "1")
    for wrong in ([], [9], [0, 0], [True, False], ["z"], [False] * 6, [-1]):
        with pytest.raises(InvalidInput):
            plain.select(wrong)
    with pytest.raises(InvalidInput, match="'z' is no column"):
        plain.part(("z",))
    with pytest.raises(InvalidInput, match="no term is made of"):
        Expressions("x*y").over(("x", "y")).part(("x",))


def test_equal_recipes_give_equal_and_hashable_terms():
    a, b = Polynomials(2).over(("x", "y")), Polynomials(2).over(["x", "y"])
    assert a == b
    assert hash(a) == hash(b)
    assert a != Polynomials(2).over(("y", "x"))
    assert Polynomials(2) == Polynomials(2)
    assert len({RICH, RICH + Polynomials(3)}) == 2
    a(X)  # makes its program
    for other in (copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        assert other == a
        assert hash(other) == hash(a)
        np.testing.assert_array_equal(other(X), a(X))


def test_json_round_trip():
    library = Polynomials(3) + Fourier(3, period=0.7) + Expressions("x^0.3*exp(-1e-9*`a*b`/7)")
    terms = (library + Delays((2,))).over(("x", "a*b"), inputs=("u",))
    again = Terms.from_json(terms.to_json())
    assert again == terms
    assert again.names == terms.names
    assert "u*x" not in terms.names
    with pytest.raises(InvalidInput, match="hill, which is code of yours"):
        rich().to_json()
    for text in ("", "{}", "[1]", '{"format": "other"}', terms.to_json().replace('"x"', '"z"', 1)):
        with pytest.raises(InvalidInput):
            Terms.from_json(text)
    with pytest.raises(InvalidInput):
        Terms.from_json(terms.to_json().replace('"x*u"', '"__import__(1)"'))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Polynomials(-1), "degree = -1; expected a whole number"),
        (lambda: Polynomials(1.5), "expected a whole number"),
        (lambda: Polynomials(True), "expected a whole number"),
        (lambda: Fourier(0), "harmonics = 0"),
        (lambda: Fourier(1, period=0.0), "period = 0.0; expected a positive"),
        (lambda: Delays(()), "no lag was given"),
        (lambda: Delays((0,)), "a lag = 0"),
        (Expressions, "no expression was given"),
        (lambda: Expressions("2*x"), "has a constant factor"),
        (lambda: Expressions("pi*x"), "has a constant factor"),
        (lambda: Expressions(object()), "expected a string or a SymPy expression"),
        (lambda: Expressions("f(x)"), "Expressions hold columns"),
        (lambda: Expressions("f(x, y)", functions={"f": lambda a: a}), "it takes 1"),
        (Functions, "no function was given"),
        (lambda: Functions(f=3), "expected a callable"),
        (lambda: Functions(sin=np.sin), "'sin' cannot name a function"),
        (lambda: Functions(f=lambda: 1), "takes no argument"),
        (lambda: Functions(f=abs, derivatives={"g": abs}), "no given function"),
        (lambda: Polynomials(1).over("xy"), "a string was given"),
        (lambda: Polynomials(1).over(("x", "x")), "two columns are called 'x'"),
        (lambda: Polynomials(1).over(("x",), ("x",)), "two columns are called 'x'"),
        (lambda: Polynomials(1).over(("x", "")), "expected a word"),
        (lambda: Polynomials(1, columns=("speed",)).over(("sped",)), "Did you mean 'sped'"),
        (lambda: Expressions("x*z").over(("x", "y")), "'z' is no column"),
        (lambda: Expressions("t*x").over(("x", "t")), "a column is called 't' too"),
        (lambda: Inputs().over(("x",)), "without inputs"),
        (lambda: Polynomials(0, constant=False).over(("x",)), "has no term"),
        (lambda: Polynomials(9).over(tuple("abcdefghij")), "more than 20000 terms"),
        (lambda: (Functions(f=abs) + Functions(f=np.abs)).over(("x",)), "two functions are called"),
        (lambda: Polynomials(1).over(("x",))(np.ones((3, 2))), r"expected \(..., 1\)"),
        (lambda: Polynomials(1).over(("x",))(2.0), r"expected \(..., 1\)"),
        (lambda: Polynomials(1).over(("x",), ("u",))(X[:, :1]), "Give `u`"),
        (lambda: Polynomials(1).over(("x",), ("u",))(X[:, :1], X), "u has shape"),
        (lambda: Expressions("t").over(("x",))(X[:, :1]), "Give `t`"),
        (lambda: Polynomials(1).over(("x",)).stacked(X[:, :1], out=np.ones(3)), "out has shape"),
        (lambda: Polynomials(1).over(("x",)).debiased(X[:, :1], [-1.0]), "negative"),
        (lambda: Polynomials(1).over(("x",)).debiased(X[:, :1], [1.0, 2.0]), "variance has shape"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()


def test_sums_of_libraries_with_other_things_are_refused():
    with pytest.raises(TypeError):
        Polynomials(1) + 3
    with pytest.raises(TypeError):
        Polynomials(1) * 2


def test_evaluation_is_fast():
    import time

    terms = Polynomials(3).over(("x", "y", "z"))
    x = np.random.default_rng(0).normal(size=(100_000, 3))
    spent = []
    for _ in range(7):
        start = time.process_time()
        terms(x)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.02  # 2 ms where this was written
