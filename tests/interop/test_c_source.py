"""Equations as C: compiled, they give the numbers of the system."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import jax.numpy as jnp
import numpy as np
import pytest

from takens import systems
from takens.core.integrators import AbstractIntegrator, Adaptive
from takens.core.system import AbstractFlow, parameter
from takens.interop import symbolic
from takens.learn.terms import Expressions, Polynomials, TermFlow

pytest.importorskip("sympy")
COMPILER = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(COMPILER is None, reason="gcc is not installed")


class Hostile(AbstractFlow):
    """A flow with names that C cannot use, steps, remainders and extremes."""

    gamma: object = parameter(0.3)
    integrator: AbstractIntegrator = Adaptive()
    names: tuple[str, ...] = ("double", "y0", "a*/b", "ψ")

    def vector_field(self, t, x, u=None):
        a, b, c, d = x
        return jnp.stack([
            jnp.where(a > b, a**2, jnp.sin(b)) + t,
            jnp.maximum(b, c) * self.gamma - jnp.mod(c, 0.7),
            jnp.sign(d) * jnp.abs(c) ** 1.5 + jnp.floor(10 * a) / 3,
            jnp.tanh(d) / (2 + jnp.exp(-a)) + d**7,
        ])  # fmt: skip


def compiled(source, folder, method):
    """The functions of a source as Python callables of arrays."""
    path = folder / "system.c"
    path.write_text(source, encoding="utf-8")
    flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1", "-ffp-contract=off"]
    done = subprocess.run(
        [COMPILER, *flags, "-shared", "-fPIC", "-o", str(folder / "system.so"), str(path), "-lm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + source
    function = getattr(ctypes.CDLL(str(folder / "system.so")), method)
    function.restype = None
    pointer = np.ctypeslib.ndpointer(dtype=np.float64, flags="C")
    function.argtypes = [ctypes.c_double, pointer, pointer, pointer]

    def call(t, x, u, size):
        result = np.full(size, np.nan)
        function(t, np.array(x, dtype=float), np.array(u, dtype=float), result)
        return result

    return call


CASES = {
    "Lorenz63": (systems.Lorenz63(), "vector_field"),
    "HenonMap": (systems.HenonMap(), "step"),
    "FitzHughNagumo": (systems.FitzHughNagumo(), "vector_field"),
    "Lorenz96": (systems.Lorenz96(n_sites=12), "vector_field"),  # long enough for shared parts
    "DoublePendulum": (systems.DoublePendulum(), "vector_field"),
    "Hostile": (Hostile(), "vector_field"),
}


@needs_gcc
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("parameters", ["symbols", "numbers"])
def test_compiled_source_gives_the_same_numbers(name, parameters, tmp_path):
    system, method = CASES[name]
    function = compiled(symbolic(system, parameters=parameters).c(), tmp_path, method)
    rng = np.random.default_rng(5)
    for t in (0.0, 1.0, 2.0):
        x = rng.uniform(-1.5, 1.5, system.dim)
        expected = np.asarray(getattr(system, method)(t, jnp.asarray(x)))
        # sums in another order: rounding relative to the largest part of the field
        np.testing.assert_allclose(
            function(t, x, [0.0], system.dim), expected, rtol=1e-15,
            atol=4e-15 * np.abs(expected).max(),
        )  # fmt: skip


@needs_gcc
def test_a_found_law_with_an_input(tmp_path):
    library = Polynomials(3) + Expressions("x/(1 + y^2)", "sin(2*x)*u", "abs(y)^0.5", "t*y")
    terms = library.over(("x", "y"), inputs=("u",))
    rng = np.random.default_rng(0)
    flow = TermFlow(rng.normal(size=(len(terms), 2)), terms)
    function = compiled(symbolic(flow, parameters="numbers").c(), tmp_path, "vector_field")
    for _ in range(5):
        x, u, t = rng.normal(size=2), rng.normal(size=1), rng.normal()
        theta = terms(x, u, t)
        scale = np.abs(theta) @ np.abs(np.asarray(flow.coefficients))
        found = function(t, x, u, 2)
        expected = np.asarray(flow.vector_field(t, jnp.asarray(x), jnp.asarray(u)))
        assert (np.abs(found - expected) <= 1e-15 * scale).all()


@needs_gcc
def test_both_functions_of_a_diffusion(tmp_path):
    system = systems.NoisyDoubleWell(noise=0.3)
    source = symbolic(system).c()
    x = np.array([0.4])
    drift = compiled(source, tmp_path, "drift")(0.0, x, [0.0], 1)
    noise = compiled(source, tmp_path, "diffusion")(0.0, x, [0.0], 1)
    np.testing.assert_allclose(drift, system.drift(0.0, jnp.asarray(x)), rtol=1e-15)
    np.testing.assert_allclose(
        noise, np.asarray(system.diffusion(0.0, jnp.asarray(x))).ravel(), rtol=1e-15
    )


def test_the_comment_says_which_entry_is_which():
    source = symbolic(Hostile()).c()
    assert "state[0] is double" in source
    assert "state[2] is a* /b" in source
    assert "const double double_ = state[0];" in source
    assert source.count("*/") == 1
    assert "const double gamma_ = 0.3;" in source


def test_a_number_that_is_none():
    source = symbolic(systems.Lorenz63(rho=np.nan, sigma=np.inf)).c()
    assert "rho = NAN;" in source
    assert "sigma = INFINITY;" in source
