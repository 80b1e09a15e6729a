"""Spectra from data: closed forms, the frame of tangent vectors, and what reversal rejects."""

from __future__ import annotations

import numpy as np
import pytest

from takens.core import NumericalFailure, Status, Trajectory
from takens.series import embedding, largest_lyapunov, lyapunov_spectrum_from_data
from takens.series.data_spectrum import _dimension
from takens.series.tangent import TangentMaps, tangent_growth, tangent_spectrum
from tests.series.signals import ar1, henon, logistic, lorenz


def constant_maps(gradient: np.ndarray, n_steps: int = 200) -> TangentMaps:
    gradients = np.tile(gradient, (n_steps, 2, 1, 1))
    return TangentMaps(gradients=gradients, lead=1, residual=0.0, noise=0.0)


def test_frame_of_a_constant_companion_matrix_finds_its_eigenvalues() -> None:
    roots = np.array([1.5, 0.6, -0.2])
    coefficients = -np.poly(roots)[1:]  # x(t + 1) as a combination of the last three
    maps = constant_maps(coefficients[None, :])
    growth = tangent_spectrum(maps, 50)
    assert growth.shape == (200, 2, 3)
    assert np.isnan(growth[:50]).all()
    np.testing.assert_allclose(growth[50:].mean(axis=(0, 1)), np.log(np.abs(roots)), atol=1e-9)
    one = tangent_growth(maps, np.random.default_rng(0), 50)
    np.testing.assert_allclose(np.nanmean(one), np.log(1.5), atol=1e-6)


def test_a_missing_map_is_left_out_and_the_frame_goes_on() -> None:
    coefficients = -np.poly([1.5, 0.6])[1:]
    maps = constant_maps(coefficients[None, :], 700)  # more than one piece
    maps.gradients[300, 0] = np.nan
    growth = tangent_spectrum(maps, 50)
    assert np.isnan(growth[300, 0]).all()
    assert np.isfinite(growth[50:, 1]).all()
    np.testing.assert_allclose(np.nanmean(growth, axis=(0, 1)), np.log([1.5, 0.6]), atol=1e-9)


def test_henon_from_one_coordinate() -> None:
    found = lyapunov_spectrum_from_data(henon(5000))
    assert len(found.exponents) == 2
    assert found.candidates.shape[1] == 3  # three coordinates give a spurious exponent, rejected
    np.testing.assert_allclose(found.exponents, [0.4192, -1.6229], rtol=0.05)
    assert (found.intervals[:, 0] < [0.4192, -1.6229]).all()
    assert (found.intervals[:, 1] > [0.4192, -1.6229]).all()
    assert found.zero == -1
    low, high = found.kaplan_yorke.interval
    assert low < 1.2583 < high
    assert found.kaplan_yorke.value == pytest.approx(1.2583, abs=0.02)
    assert "confirmed" in found.summary()


def test_a_flow_has_a_zero_exponent() -> None:
    x = lorenz(5000)
    data = Trajectory(times=0.05 * np.arange(5000), states=x[:, None], time_unit="s")
    found = lyapunov_spectrum_from_data(data)
    assert found.zero == 1
    assert abs(found.exponents[1]) < 0.12
    assert found.exponents[0] == pytest.approx(0.9056, rel=0.15)
    assert found.intervals[0, 0] < 0.9056 < found.intervals[0, 1]
    # The strong contraction is missing, not wrong; so there is no dimension.
    assert (found.exponents > -1).all()
    assert not found.kaplan_yorke.is_finite


def test_exponents_scale_with_time_and_not_with_amplitude() -> None:
    x = henon(2500)
    base = lyapunov_spectrum_from_data(x)
    other = lyapunov_spectrum_from_data(
        Trajectory(times=0.1 * np.arange(2500), states=1e4 * x[:, None] - 3)
    )
    np.testing.assert_allclose(other.exponents, 10 * base.exponents, rtol=1e-3)


def test_a_motion_without_a_past_confirms_nothing() -> None:
    with pytest.raises(NumericalFailure, match="does not apply"):
        lyapunov_spectrum_from_data(logistic(3000, 4.0, 0.3123))


@pytest.mark.parametrize("coefficient", [0.0, 0.5, 0.95])
def test_linear_noise_is_refused(coefficient: float) -> None:
    found = lyapunov_spectrum_from_data(ar1(3000, coefficient, 0), throw=False)
    assert found.status is Status.NOT_APPLICABLE
    assert found.exponents.size == 0
    assert np.isnan(found.kaplan_yorke.value)
    assert "no-local-maps" in {c.code for c in found.cautions}
    assert "none" in found.summary()


def test_a_cycle_has_exponents_of_zero_only() -> None:
    found = lyapunov_spectrum_from_data(np.sin(0.2718 * np.arange(2000)))
    assert np.abs(found.exponents).max() < 1e-3


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_missing_samples(share: float) -> None:
    x = henon(6000)
    settings = embedding(x)
    x[np.random.default_rng(0).random(6000) < share] = np.nan
    x[3000:3100] = np.nan
    found = lyapunov_spectrum_from_data(x, settings=settings, throw=False)
    if found.status is Status.OK:  # chains of maps are short where samples are missing
        assert found.exponents[0] == pytest.approx(0.4192, rel=0.15)
    else:
        assert found.exponents.size == 0


def test_short_and_constant_records() -> None:
    assert lyapunov_spectrum_from_data(henon(60), throw=False).status is Status.TOO_SHORT
    assert lyapunov_spectrum_from_data(np.ones(300), throw=False).status is Status.TOO_SHORT


def test_dimension_of_known_spectra() -> None:
    assert _dimension(np.array([0.4, 0.0, -1.0])) == pytest.approx(2.4)
    assert _dimension(np.array([-1.0, -2.0])) == 0.0
    assert np.isnan(_dimension(np.array([0.4, 0.0])))


def test_noise_makes_neighbourhoods_grow_and_the_exponent_stays() -> None:
    x = lorenz(5000)
    x = x + 0.05 * x.std() * np.random.default_rng(1).normal(size=5000)
    found = largest_lyapunov(Trajectory(times=0.05 * np.arange(5000), states=x[:, None]))
    assert found.settings[:, 2].max() >= 120
    assert found.exponent.value == pytest.approx(0.9056, rel=0.25)
    assert found.exponent.interval[0] < 0.9056 < found.exponent.interval[1]
    assert "noise-biases-exponent" in {c.code for c in found.cautions}
