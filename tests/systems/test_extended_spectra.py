"""Short spectra of a field and of a delay equation against the long ones that their classes quote."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens.dynamics import lyapunov_spectrum
from takens.systems import KuramotoSivashinsky, MackeyGlass


@pytest.mark.parametrize(
    ("system", "dt", "n_steps", "n_transient", "zeros"),
    [(KuramotoSivashinsky(), 0.5, 3000, 600, slice(1, 4)), (MackeyGlass(), 1.0, 6000, 1000, [1])],
)
def test_short_spectrum_agrees_with_the_quoted_one(system, dt, n_steps, n_transient, zeros):
    truth = system.truth
    found = lyapunov_spectrum(
        system,
        system.x0,
        dt=dt,
        n_steps=n_steps,
        n_transient=n_transient,
        n_exponents=len(truth.exponents),
    )
    error = np.hypot(found.standard_error, truth.standard_errors)
    assert (abs(found.exponents - truth.exponents) < 3 * error + 1e-4).all()
    assert (found.exponents[0] - 2 * error[0]) > 0
    np.testing.assert_allclose(found.exponents[zeros], 0, atol=4e-3)
    dimension = found.kaplan_yorke
    slack = 3 * np.hypot(dimension.standard_error, truth.dimension_error)
    assert dimension.value == pytest.approx(truth.dimension, abs=slack)


def test_the_nonlinearity_of_kuramoto_and_sivashinsky_keeps_volume():
    system = KuramotoSivashinsky(n_points=32)
    x = jnp.asarray(system.x0)
    trace = jnp.trace(jax.jacfwd(lambda y: system.vector_field(0.0, y))(x))
    waves = 2 * np.pi / 22.0 * np.fft.fftfreq(32, 1 / 32)
    assert trace == pytest.approx(np.sum(waves**2 - waves**4), rel=1e-11)
