"""The stored invariants: recomputed, against exact identities and against the literature."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import dynamics, systems

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import known_systems  # noqa: E402

KNOWN = {entry.name: entry.system for entry in systems.catalogue() if entry.system.truth}
# Share of the full span: short, so that the error of the test itself is the larger one.
RECOMPUTED = {
    "Lorenz63": 0.05, "Rossler": 0.05, "Thomas": 0.05, "HenonMap": 0.02, "IkedaMap": 0.02,
    "StandardMap": 0.02,
}  # fmt: skip
PUBLISHED = {  # as printed, without an error: some units of the last digit are allowed
    "Lorenz63": ([0.9056, 0.0, -14.5723], 0.0005),
    "Rossler": ([0.0714, 0.0, -5.3943], 0.0003),
    "Thomas": ([0.0349, 0.0, -0.5749], 0.0003),
    "SprottJerk": ([0.0551, 0.0, -2.0721], 0.0003),
    "HenonMap": ([0.41922, -1.62319], 0.00005),
}
CONSTANT = [  # volume changes at the same rate everywhere
    *("Lorenz63", "Lorenz96", "Thomas", "SprottJerk", "Duffing", "ForcedPendulum", "HenonHeiles"),
    *("HenonMap", "LoziMap", "IkedaMap", "StandardMap", "ArnoldCat"),
]


@pytest.mark.parametrize("name", RECOMPUTED)
def test_recomputed_exponents_are_the_stored_ones(name):
    new = known_systems.measure(name, RECOMPUTED[name], seed=5)
    assert known_systems.distance(new, KNOWN[name].truth) < 3


def test_logistic_exponent_is_ln_2():
    system = systems.LogisticMap()
    spectrum = dynamics.lyapunov_spectrum(system, system.x0, n_steps=200_000)
    assert abs(spectrum.exponents[0] - system.truth.exponents[0]) < 1e-3
    assert system.truth.exponents[0] == round(math.log(2), 10)


@pytest.mark.parametrize("name", PUBLISHED)
def test_stored_exponents_are_the_published_ones(name):
    values, error = PUBLISHED[name]
    truth = KNOWN[name].truth
    gaps = np.abs(np.subtract(truth.exponents, values))
    assert (gaps <= 3 * np.hypot(truth.standard_errors, error)).all(), truth.exponents


@pytest.mark.parametrize("name", CONSTANT)
def test_volume_changes_at_the_stated_rate(name):
    system = KNOWN[name]()
    for x in np.random.default_rng(2).uniform(0.1, 1.0, (3, system.dim)):
        if isinstance(system, systems.AbstractKnown) and hasattr(system, "step"):
            tangent = jax.jacfwd(lambda y: system.step(0.0, y))(jnp.array(x))
            rate = float(jnp.log(jnp.abs(jnp.linalg.det(tangent))))
        else:
            tangent = jax.jacfwd(lambda y: system.vector_field(0.0, y))(jnp.array(x))
            rate = float(jnp.trace(tangent))
        assert abs(rate - system.truth.total) < 1e-9


@pytest.mark.parametrize("name", KNOWN)
def test_stored_numbers_agree_among_themselves(name):
    truth = KNOWN[name].truth
    assert len(truth.exponents) == len(truth.standard_errors)
    if name in known_systems.CASES:  # of fields and delays only the first are known
        assert len(truth.exponents) == KNOWN[name]().dim
    assert list(truth.exponents) == sorted(truth.exponents, reverse=True)
    rounding = 0.5 * sum(10.0 ** -min(6, 12) + e / 10 for e in truth.standard_errors)
    if truth.total is not None:
        assert abs(sum(truth.exponents) - truth.total) < rounding + 1e-5 * abs(truth.total) + 1e-6
    if not math.isnan(truth.dimension):
        computed = dynamics.kaplan_yorke_dimension(truth.exponents)
        known = truth.dimension_error == 0  # a cycle or a state of rest: the zeros are exact
        assert known or abs(computed - truth.dimension) < 3 * truth.dimension_error


AUTONOMOUS = ["Lorenz63", "Lorenz84", "Rossler", "Chua", "Thomas", "SprottJerk", "HindmarshRose",
              "HastingsPowell", "VanDerPol", "Brusselator", "FitzHughNagumo"]  # fmt: skip


@pytest.mark.parametrize("name", AUTONOMOUS)
def test_a_flow_has_a_zero_exponent(name):
    truth = KNOWN[name].truth
    ratios = np.abs(truth.exponents) / np.maximum(truth.standard_errors, 1e-6)
    assert ratios.min() < 4


def test_lorenz_96_has_thirteen_positive_exponents_of_forty():
    truth = systems.Lorenz96.truth
    assert sum(value > 3 * error for value, error in
               zip(truth.exponents, truth.standard_errors, strict=True)) == 13  # fmt: skip
    assert truth.total == -40


def test_a_broken_identity_is_noticed(monkeypatch):
    wrong = dataclasses.replace(known_systems.CASES["HenonMap"], total=lambda s: -1.0)
    monkeypatch.setitem(known_systems.CASES, "HenonMap", wrong)
    with pytest.raises(ArithmeticError, match="misses its identity"):
        known_systems.measure("HenonMap", 1e-4)


def test_every_case_has_its_numbers_and_the_page_shows_them():
    beyond = (systems.AbstractField, systems.AbstractDelayFlow)  # have a script of their own
    assert set(known_systems.CASES) == {n for n in KNOWN if not issubclass(KNOWN[n], beyond)}
    assert known_systems.page() == known_systems.PAGE.read_text(encoding="utf-8")


def test_an_error_is_printed_with_the_last_digits():
    assert known_systems.bracketed(-0.90563, 0.00042) == "−0.90563(42)"
    assert known_systems.bracketed(-2.0, 0.0) == "−2"
