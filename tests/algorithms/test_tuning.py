"""Best settings against closed forms, and certified rates against published ones and examples."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms, dynamics
from takens.core import Estimate, InvalidInput, WrongKind

LOSS = algorithms.Loss.of(lambda w: 0.5 * jnp.sum(w**2), [0.0])
FAMILY = [
    algorithms.GradientDescent(LOSS, 0.1),
    algorithms.HeavyBall(LOSS, 0.1),
    algorithms.Nesterov(LOSS, 0.1),
    algorithms.RMSProp(LOSS, 0.1),
    algorithms.Adam(LOSS, 0.1),
]


@pytest.mark.parametrize("kappa", [2.0, 25.0, 1000.0])
def test_rates_on_quadratics_have_their_closed_form(kappa):
    root, wide = np.sqrt(kappa), np.sqrt(3 * kappa + 1)
    due = [(kappa - 1) / (kappa + 1), (root - 1) / (root + 1), 1 - 2 / wide]
    due += [due[0], due[1]]
    for system, rate in zip(FAMILY, due, strict=True):
        found = algorithms.tune(system, algorithms.Quadratics(3.0, 3 * kappa))
        assert found.rate.value == pytest.approx(rate, abs=1e-7)


@pytest.mark.parametrize("system", FAMILY, ids=lambda s: type(s).__name__)
def test_no_other_setting_is_faster_on_quadratics(system):
    functions = algorithms.Quadratics(1.0, 40.0)
    best = algorithms.tune(system, functions)
    rng = np.random.default_rng(3)
    for _ in range(200):
        other = {}
        for name, value in best.settings.items():
            if name == "learning_rate":
                other[name] = value * np.exp(0.3 * rng.normal())
            else:
                other[name] = np.clip(value + 0.1 * rng.normal(), 0, 1)
        rate = functions.rate(system.with_parameters(**other), functions.bounds)
        assert rate >= best.rate.value - 1e-7


def test_a_run_shrinks_at_the_tuned_rate():
    curvature = jnp.geomspace(1.0, 100.0, 12)
    loss = algorithms.Loss.of(lambda w: 0.5 * jnp.sum(curvature * w**2), np.zeros(12))
    found = algorithms.tune(algorithms.HeavyBall(loss, 0.01), algorithms.Quadratics(1.0, 100.0))
    states = dynamics.trajectory(
        found.system, found.system.start(np.ones(12)), [0, 100, 200]
    ).states
    sizes = np.linalg.norm(states[:, :12], axis=1)
    # a double root: an error of n rho^n
    assert np.log(sizes[2] / sizes[1]) / 100 == pytest.approx(np.log(found.rate.value), abs=0.012)


@pytest.mark.parametrize(
    ("system", "low", "high", "squared"),
    [
        # Taylor, Van Scoy and Lessard's Lyapunov rates for condition 25, of squared distances
        (algorithms.GradientDescent(LOSS, 2 / 26), 1.0, 25.0, 0.852071),
        (algorithms.Nesterov(LOSS, 1 / 25, 4 / 6), 1.0, 25.0, 0.7219),
    ],
)
def test_certified_rates_are_the_published_ones(system, low, high, squared):
    functions = algorithms.SmoothConvex(low, high)
    assert functions.rate(system, functions.bounds) ** 2 == pytest.approx(squared, abs=5e-5)


@pytest.mark.parametrize("kappa", [10.0, 100.0, 1000.0])
def test_nesterov_keeps_his_own_guarantee(kappa):
    root = np.sqrt(kappa)
    system = algorithms.Nesterov(LOSS, 1 / kappa, (root - 1) / (root + 1))
    functions = algorithms.SmoothConvex(1.0, kappa)
    quadratic = algorithms.Quadratics(1.0, kappa).rate(system, functions.bounds)
    assert quadratic < functions.rate(system, functions.bounds) < np.sqrt(1 - 1 / root)


def test_polyaks_tuning_has_no_guarantee_and_the_caution_says_so():
    # Lessard, Recht and Packard (2016), eq. 4.11: with it the heavy ball cycles for condition 25
    ball = algorithms.HeavyBall(LOSS, 0.1)
    found = algorithms.tune(ball, algorithms.Quadratics(1.0, 25.0))
    assert found.settings == pytest.approx({"learning_rate": 1 / 9, "momentum": 4 / 9})
    assert np.isnan(found.beyond)
    assert [c.code for c in found.cautions] == ["no-guarantee"]
    safe = algorithms.tune(ball, algorithms.SmoothConvex(1.0, 25.0))
    assert found.rate.value < safe.rate.value < (25 - 1) / (25 + 1)
    assert not safe.cautions


@pytest.mark.parametrize(("rate", "momentum"), [(0.0526, 0.63), (0.05, 0.4), (0.03, 0.8)])
def test_certified_rates_hold_on_functions_that_are_no_quadratics(rate, momentum):
    # slopes of their own on either side of the minimum: scale-free, so that runs have a rate
    system = algorithms.Nesterov(LOSS, rate, momentum)
    functions = algorithms.SmoothConvex(1.0, 25.0)
    due = functions.rate(system, functions.bounds)
    quadratic = algorithms.Quadratics(1.0, 25.0).rate(system, functions.bounds)
    worst = 0.0
    for left, right in np.random.default_rng(0).uniform(1, 25, (40, 2)):
        w, m, grown = 1.0, 0.0, 0.0
        for _ in range(1_000):
            g = w * (right if w > 0 else left)
            m = momentum * m + g
            w = w - rate * (g + momentum * m)
            size = np.hypot(w, rate * m)
            w, m, grown = w / size, m / size, grown + np.log(size)
        worst = max(worst, np.exp(grown / 1_000))
    assert worst <= due
    assert worst >= quadratic * 0.97  # and near it: the search is no idle one


def test_momentum_at_a_given_rate():
    functions = algorithms.Quadratics(1.0, 100.0)
    ball = algorithms.momentum_for(algorithms.HeavyBall(LOSS, 0.02), functions)
    due = max((1 - np.sqrt(0.02 * c)) ** 2 for c in (1.0, 100.0))
    assert ball.settings["momentum"] == pytest.approx(due, abs=1e-6)
    adam = algorithms.momentum_for(algorithms.Adam(LOSS, 0.1), functions)
    assert adam.rate.value < 1
    assert adam.settings["first"] > 0.5
    lost = algorithms.momentum_for(algorithms.HeavyBall(LOSS, 1.0), functions)
    assert not lost.rate.is_finite
    assert lost.status.name == "NOT_APPLICABLE"


def test_a_measured_spectrum_carries_its_intervals():
    curvature = jnp.linspace(1.0, 9.0, 30)
    loss = algorithms.Loss.of(lambda w: 0.5 * jnp.sum(curvature * w**2), np.zeros(30))
    spectrum = algorithms.curvature_spectrum(
        algorithms.Curvature(loss, np.zeros(30)), n_trailing=1, rtol=1e-3
    )
    functions = algorithms.Quadratics.of(spectrum)
    found = algorithms.tune(algorithms.GradientDescent(loss, 0.1), functions)
    low, high = found.rate.interval
    assert low <= 0.8 <= high
    assert found.rate.value == pytest.approx(0.8, abs=1e-3)
    loose = algorithms.Quadratics(Estimate(value=0.1, interval=(-0.1, 0.3)), 1.0)
    vague = algorithms.tune(algorithms.GradientDescent(loss, 0.1), loose)
    assert np.isnan(vague.rate.interval[1])
    assert "curvature-may-vanish" in [c.code for c in vague.cautions]


def test_wrong_questions():
    good = algorithms.Quadratics(1.0, 2.0)
    descent = FAMILY[0]
    with pytest.raises(InvalidInput, match="weight decay"):
        algorithms.Quadratics(0.0, 2.0)
    with pytest.raises(InvalidInput):
        algorithms.SmoothConvex(2.0, 1.0)
    with pytest.raises(InvalidInput):
        algorithms.Quadratics("a", 1.0)
    with pytest.raises(InvalidInput):
        algorithms.Quadratics(np.nan, 1.0)
    with pytest.raises(WrongKind):
        algorithms.tune("descent", good)
    with pytest.raises(WrongKind):
        algorithms.tune(descent, (1.0, 2.0))
    with pytest.raises(WrongKind, match="momentum"):
        algorithms.momentum_for(descent, good)
    with pytest.raises(WrongKind):
        algorithms.Quadratics.of([1.0, 2.0])
