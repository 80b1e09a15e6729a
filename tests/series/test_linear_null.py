"""The linear null: autoregressions invert, surrogates carry the record's own fit, sizes hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from takens.core import InvalidInput
from takens.series import surrogate_data, surrogate_test
from takens.series.nulls import Linear
from takens.series.nulls.autoregression import (
    Lattice,
    Vector,
    autoregression,
    predictors,
    reflections,
)
from takens.series.nulls.linear import needs_lens
from takens.series.prediction import time_asymmetry
from tests.series.signals import ar1, henon

RESONANCE = np.array([2 * 0.95 * np.cos(0.6), -(0.95**2)])


def resonant(n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=n + 500)
    return lfilter([1.0], np.r_[1.0, -RESONANCE], noise)[500:]


def test_reflections_are_those_of_the_process() -> None:
    found, _ = predictors(reflections(resonant(50_000, 0)[None], 2)[0])
    np.testing.assert_allclose(found[2], RESONANCE, atol=0.01)


def test_predictors_solve_the_normal_equations() -> None:
    """Levinson's recursion against the Toeplitz system of the autocovariance it implies."""
    coefficients, variance = predictors(np.array([0.7, -0.4, 0.2]))
    gamma = np.array([1.0])
    for order in (1, 2, 3):  # Yule-Walker, one lag after another
        shorter = coefficients[order - 1]
        step = coefficients[order][-1] * variance[order - 1]
        gamma = np.r_[gamma, shorter @ gamma[1:order][::-1] + step]
    toeplitz = gamma[np.abs(np.subtract.outer(np.arange(3), np.arange(3)))]
    np.testing.assert_allclose(np.linalg.solve(toeplitz, gamma[1:]), coefficients[3], rtol=1e-12)
    assert variance[3] == pytest.approx(1 - coefficients[3] @ gamma[1:])


def test_running_undoes_whitening_and_starts_in_the_stationary_state() -> None:
    model, x = Lattice(2), resonant(200, 1)
    theta = model.fit(x[None, None])
    left = model.innovations(theta[0], x[None])
    back = model.run(theta, left[None], np.random.default_rng(0))
    np.testing.assert_allclose(back[0, 0], x, atol=1e-10)
    rng = np.random.default_rng(0)
    many = model.run(np.repeat(theta, 4000, axis=0), rng.normal(size=(4000, 1, 12)), rng)[:, 0]
    np.testing.assert_allclose(many.var(axis=0), 1, atol=5 * np.sqrt(2 / 4000))


def test_a_vector_autoregression_is_found_and_run() -> None:
    law = np.array([[0.6, 0.3], [-0.3, 0.5]])
    noise, rows = np.random.default_rng(0).normal(size=(5000, 2)), np.zeros((5000, 2))
    for t in range(1, 5000):
        rows[t] = law @ rows[t - 1] + noise[t]
    model = autoregression(rows.T, None)
    assert isinstance(model, Vector)
    assert model.order == 1
    theta = model.fit(rows.T[None])
    np.testing.assert_allclose(theta.reshape(2, 2), law, atol=0.04)
    left = model.innovations(theta[0], rows.T)
    np.testing.assert_allclose(np.cov(left), np.eye(2), atol=0.07)
    again = model.run(theta, left[None], np.random.default_rng(0))
    np.testing.assert_allclose(np.cov(again[0]), np.cov(rows.T), rtol=0.15, atol=0.1)


def test_an_explosive_vector_fit_is_drawn_in() -> None:
    model = Vector(1, 2)
    theta = np.array([[1.2, 0.0, 0.0, 0.5]])
    made = model.run(theta, np.ones((1, 2, 400)), np.random.default_rng(0))
    assert np.abs(made).max() < 3000


@pytest.mark.parametrize("order", [1, 5])
def test_surrogates_have_the_fitted_autoregression_of_the_record(order: int) -> None:
    x = resonant(256, 2)
    made = Linear(lens="never", order=order).draw(x, 5, np.random.default_rng(0))
    model = Lattice(order)
    wanted = np.tanh(model.fit(x[None, None])[0])
    for one in made:
        np.testing.assert_allclose(np.tanh(model.fit(one[None, None])[0]), wanted, atol=2e-3)
    np.testing.assert_allclose(made.mean(axis=1), x.mean(), atol=1e-12)
    np.testing.assert_allclose(made.std(axis=1), x.std(), rtol=1e-12)
    plain = Lattice(order).run(
        np.repeat(np.arctanh(wanted)[None], 5, 0),
        np.random.default_rng(0).normal(size=(5, 1, 256)),
        np.random.default_rng(0),
    )
    assert np.abs(np.tanh(model.fit(plain)) - wanted).max() > 4e-3  # what conditioning does


def test_columns_keep_the_fit_that_joins_them() -> None:
    a, b = ar1(400, 0.8, 0), ar1(400, 0.5, 1)
    pair = np.stack([a, b + 0.7 * np.roll(a, 1)], axis=1)
    made = Linear(lens="never").draw(pair, 4, np.random.default_rng(0))
    model = autoregression(((pair - pair.mean(axis=0)) / pair.std(axis=0)).T, None)
    fitted = lambda z: model.fit(((z - z.mean(axis=0)) / z.std(axis=0)).T[None])[0]
    for one in made:
        np.testing.assert_allclose(fitted(one), fitted(pair), atol=5e-3)


def test_a_lens_is_put_on_where_values_ask_for_it() -> None:
    slow = ar1(256, 0.95, 3)
    assert not needs_lens(slow, None, np.random.default_rng(0))
    assert needs_lens(ar1(256, 0.7, 0) ** 3, None, np.random.default_rng(0))
    cubed = ar1(300, 0.7, 0) ** 3
    made = Linear().draw(cubed, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(made, axis=1), np.broadcast_to(np.sort(cubed), (3, 300)))
    lag_one = lambda z: np.corrcoef(z[1:], z[:-1])[0, 1]
    for one in made:
        assert lag_one(one) == pytest.approx(lag_one(cubed), abs=0.05)


def test_many_equal_values_are_no_order_of_time() -> None:
    x = np.maximum(ar1(400, 0.6, 0), 0.5)
    made = Linear().draw(x, 4, np.random.default_rng(0))
    assert np.isfinite(made).all()
    np.testing.assert_array_equal(np.sort(made, axis=1), np.broadcast_to(np.sort(x), made.shape))
    lag_one = lambda z: np.corrcoef(z[1:], z[:-1])[0, 1]
    assert np.mean([lag_one(z) for z in made]) == pytest.approx(lag_one(x), abs=0.05)


def test_a_slow_resonance_is_not_called_nonlinear_and_a_map_is() -> None:
    """The share rejected, where joined ends reject one record in four."""
    from takens.series.observable import delay_vectors
    from takens.series.prediction import local_prediction_error

    error = lambda z: local_prediction_error(delay_vectors((z[:, None],), 2, 1), lead=1, theiler=2)
    p = [
        surrogate_test(resonant(256, s), error, alternative="less", n_surrogates=19).p_value
        for s in range(60)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.12  # 5 % would exceed this once in 75 times
    found = surrogate_test(henon(256), error, alternative="less")
    assert found.null == "linear"
    assert found.p_value == 1 / 40
    rough = surrogate_test(henon(256), lambda z: time_asymmetry(z, (1,)), alternative="greater")
    assert rough.p_value == 1 / 40


def test_a_constant_has_constant_surrogates() -> None:
    made = Linear().draw(np.full(100, 3.0), 2, np.random.default_rng(0))
    np.testing.assert_allclose(made, 3.0)


def test_settings_are_checked() -> None:
    with pytest.raises(
        InvalidInput, match="lens = 'maybe'; expected 'tested', 'always' or 'never'"
    ):
        surrogate_data(henon(100), null=Linear(lens="maybe"))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="order = 90; it is counted in whole numbers from 1 to"):
        surrogate_data(henon(100), null=Linear(order=90))
