"""Terms of noisy columns: their mean is that of the noise-free ones. Units of coefficients."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import InvalidInput
from takens.learn.terms import Expressions, Fourier, Functions, Polynomials
from takens.learn.terms.units import read_unit, unit_text

TRUE = np.array([0.8, -1.1, 1.4])
SPREAD = np.array([0.3, 0.2, 0.25])
EXACT = (
    Polynomials(5)
    + Fourier(2)
    + Expressions("exp(0.4*x - y)", "sin(x + 2*z)*y^2", "(1 + x - 3*z)^3", "(x^2 + y*z)")
    + Expressions("x^2*u", "u*sin(y)*t", "exp(-u)*x^3*cos(z)")
)


def draws(n, seed):
    return TRUE + SPREAD * np.random.default_rng(seed).normal(size=(n, 3))


def test_exact_terms_have_the_noise_free_mean():
    terms = EXACT.over(("x", "y", "z"), inputs=("u",))
    n, u, t = 200_000, np.array([0.7]), 1.3
    values = terms.debiased(draws(n, 1), SPREAD**2, u, t)
    expected = terms(TRUE, u, t)
    error = values.std(axis=0) / np.sqrt(n)
    score = (values.mean(axis=0) - expected) / np.where(error > 0, error, 1.0)
    # over this many terms the largest score of a normal law is below 4 with probability 0.99
    assert len(terms) < 120
    assert np.abs(score).max() < 4, terms.names[int(np.abs(score).argmax())]
    assert np.mean(np.abs(score) < 2) > 0.9


def test_plain_values_are_biased():
    terms = Polynomials(2).over(("x", "y", "z"))
    x = draws(200_000, 2)
    bias = terms(x).mean(axis=0) - terms(TRUE)
    found = bias[terms.names.index("x^2")]
    assert found == pytest.approx(SPREAD[0] ** 2, rel=0.05)


def test_hermite_polynomials_by_formula():
    terms = Polynomials(4, constant=False).over(("x",))
    x, v = np.array([[0.7], [-1.2]]), 0.3
    a = x[:, 0]
    expected = np.stack([a, a**2 - v, a**3 - 3 * v * a, a**4 - 6 * v * a**2 + 3 * v**2], axis=-1)
    np.testing.assert_allclose(terms.debiased(x, [v]), expected, rtol=1e-13)


def test_other_terms_are_right_to_second_order():
    terms = (
        Expressions("x*y/(1 + x)", "1/z", "x*sin(x)", "tanh(x*z)", "log(z)*x^2")
        + Functions(hill=lambda a: a**2 / (1 + a**2))
    ).over(("x", "y", "z"))  # fmt: skip
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    weights = weights / weights.sum()
    grid = np.stack(np.meshgrid(nodes, nodes, nodes, indexing="ij"), axis=-1)
    total = np.einsum("i,j,k->ijk", weights, weights, weights)

    def largest_bias(spread, corrected):
        x = TRUE + spread * grid
        values = terms.debiased(x, [spread**2] * 3) if corrected else terms(x)
        return np.abs(np.einsum("ijk,ijkm->m", total, values) - terms(TRUE))

    coarse, fine = largest_bias(0.06, True), largest_bias(0.03, True)
    ratio = coarse / fine
    assert (ratio[fine > 1e-13] > 12).all()  # fourth order: halving the noise divides by 16
    plain = largest_bias(0.03, False)
    assert (fine < 0.1 * plain + 1e-13).all()


def test_no_noise_changes_nothing():
    terms = EXACT.over(("x", "y", "z"), inputs=("u",))
    x = draws(20, 3)
    np.testing.assert_allclose(
        terms.debiased(x, np.zeros(3), [0.7], 1.3), terms(x, [0.7], 1.3), rtol=1e-12
    )


def test_noise_that_differs_between_samples():
    terms = Polynomials(2).over(("x",))
    values = terms.debiased(np.array([[2.0], [2.0]]), np.array([[0.0], [1.0]]))
    assert values[:, 2].tolist() == [4.0, 3.0]


def test_units_of_coefficients():
    terms = (Polynomials(2) + Expressions("t*v", "sqrt(v)")).over(("v", "c"), inputs=("i",))
    table, findings = terms.units(["mV", "mol/L"], "s", ["A"])
    found = dict(zip(terms.names, table, strict=True))
    assert found["1"] == ("mV/s", "mol/(L*s)")
    assert found["v"] == ("1/s", "mol/(L*mV*s)")
    assert found["v*c"] == ("L/(mol*s)", "1/(mV*s)")
    assert found["v*i"] == ("1/(A*s)", "mol/(L*mV*A*s)")
    assert found["v*t"][0] == "1/s^2"
    assert found["v^0.5" if "v^0.5" in found else "sqrt(v)"][0] == "mV^0.5/s"
    assert findings == ()
    steps, _ = Polynomials(1).over(("v",)).units(["mV"])
    assert steps == (("mV",), ("",))


def test_a_function_of_a_quantity_with_a_unit_is_named():
    terms = (
        Fourier(1, columns=("v",)) + Fourier(1, columns=("t",), period=24) + Expressions("exp(v/c)")
    ).over(("v", "c"))
    table, findings = terms.units(["mV", "mV"], "h")
    assert table[0] == ("mV/h", "mV/h")
    assert {f.code for f in findings} == {"function-of-a-unit"}
    assert "takes sin of v, which is in mV" in findings[0].text
    assert len(findings) == 2  # sine and cosine of v; time over its period and v/c are pure
    assert Fourier(1).over(("angle",)).units([""], "s")[1] == ()


def test_a_sum_of_unlike_units_is_named():
    terms = Expressions("1/(v + c)", "v/(1 + v)").over(("v", "c"))
    findings = terms.units(["mV", "mol"], "s")[1]
    assert [f.code for f in findings] == ["sum-of-unlike-units"]
    with pytest.raises(InvalidInput, match="1 state units were given for 2 states"):
        terms.units(["mV"], "s")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", ""),
        ("1", ""),
        ("m/s^2", "m/s^2"),
        ("m s-2", "m/s^2"),
        ("J/(kg*K)", "J/(kg*K)"),
        ("1/s", "1/s"),
        ("m·m", "m^2"),
        ("m/s*s", "m"),
        ("°C", "°C"),
        ("°C/kV", "°C/kV"),
        ("cases per week?", "cases per week?"),
        ("%", "%"),
    ],
)
def test_units_are_read_and_written(written, read):
    assert unit_text(read_unit(written)) == read
