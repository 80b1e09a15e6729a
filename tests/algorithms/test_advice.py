"""Advice on games against closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms
from takens.core import InvalidInput, WrongKind

BILINEAR = algorithms.Game.of(lambda x, y: x @ y, lambda x, y: -x @ y, [1.0], [0.0])


def of(found, method):
    return next(m for m in found.methods if m.method == method)


def test_a_bilinear_game_only_turns():
    found = algorithms.game_analysis(BILINEAR, [0.0, 0.0])
    assert found.rotation == 1.0
    assert of(found, "SimultaneousDescent").stable.value == 0
    assert of(found, "AlternatingDescent").stable.value == 0  # it neither converges nor diverges
    optimistic, extra = of(found, "OptimisticDescent"), of(found, "Extragradient")
    assert optimistic.stable.value == pytest.approx(1 / np.sqrt(3), rel=1e-5)
    assert optimistic.best.value == pytest.approx(0.5, rel=1e-4)
    assert optimistic.modulus == pytest.approx(np.sqrt(0.5), rel=1e-3)
    assert extra.stable.value == pytest.approx(1.0, rel=1e-5)
    assert extra.best.value == pytest.approx(np.sqrt(0.5), rel=1e-3)
    assert extra.modulus == pytest.approx(np.sqrt(0.75), rel=1e-6)
    assert found.methods[0].method == "OptimisticDescent"


def test_a_common_loss_does_not_turn_and_descent_has_its_classic_steps():
    def loss(x, y):
        return 0.5 * jnp.sum(x**2) + 5.0 * jnp.sum(y**2)

    game = algorithms.Game.of(loss, loss, [1.0], [1.0])
    found = algorithms.game_analysis(game, [0.0, 0.0])
    plain = of(found, "SimultaneousDescent")
    assert found.rotation == 0.0
    assert plain.stable.value == pytest.approx(2 / 10, rel=1e-5)
    assert plain.best.value == pytest.approx(2 / 11, rel=1e-4)
    assert plain.modulus == pytest.approx(9 / 11, rel=1e-4)


@pytest.mark.parametrize("method", ["SimultaneousDescent", "AlternatingDescent", "Extragradient",
                                    "OptimisticDescent"])  # fmt: skip
def test_moduli_are_those_of_the_maps_themselves(method):
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 2)), np.eye(3) * 0.7, np.eye(2) * 0.4
    game = algorithms.Game.of(
        lambda x, y: 0.5 * x @ b @ x + x @ a @ y, lambda x, y: 0.5 * y @ c @ y - x @ a @ y,
        np.zeros(3), np.zeros(2),
    )  # fmt: skip
    advice = of(algorithms.game_analysis(game, np.zeros(5)), method)
    play = getattr(algorithms, method)(game, advice.best.value)
    jacobian = np.asarray(jax.jacfwd(lambda s: play.step(0, s))(jnp.zeros(play.dim)))
    assert np.abs(np.linalg.eigvals(jacobian)).max() == pytest.approx(advice.modulus, rel=1e-9)
    for step, inside in ((0.999 * advice.stable.value, True), (1.001 * advice.stable.value, False)):
        play = getattr(algorithms, method)(game, step)
        jacobian = np.asarray(jax.jacfwd(lambda s, p=play: p.step(0, s))(jnp.zeros(play.dim)))
        assert bool(np.abs(np.linalg.eigvals(jacobian)).max() < 1) is inside


def test_points_that_are_no_equilibrium_or_repel_are_cautions():
    away = algorithms.game_analysis(BILINEAR, [1.0, 0.0])
    assert [c.code for c in away.cautions] == ["no-equilibrium"]
    hill = algorithms.Game.of(lambda x, y: -x @ x + 0 * y @ y, lambda x, y: y @ y, [0.0], [0.0])
    found = algorithms.game_analysis(hill, [0.0, 0.0])
    assert [c.code for c in found.cautions] == ["repelling"]
    assert all(m.stable.value == 0 for m in found.methods)
    assert "no step contracts" in found.summary()


def test_what_is_no_game_is_refused():
    with pytest.raises(WrongKind, match="expected a Game"):
        algorithms.game_analysis(np.eye(2), [0.0, 0.0])
    with pytest.raises(InvalidInput, match="expected"):
        algorithms.game_analysis(BILINEAR, [0.0])
