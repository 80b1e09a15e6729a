"""The error of a mean of correlated blocks, against processes whose mean is known to be zero."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from takens.dynamics.door import half_width, mean_error

N_RUNS = 2000


def autoregression(phi, n_blocks, seed):
    noise = np.random.default_rng(seed).normal(size=(n_blocks + 400, N_RUNS))
    return lfilter([1.0], [1.0, -phi], noise, axis=0)[400:]


def coverage(blocks):
    error, freedom = mean_error(blocks)
    return np.mean(np.abs(blocks.mean(axis=0)) <= half_width(error, freedom, 0.9))


@pytest.mark.parametrize(
    ("phi", "n_blocks"),
    [(0.0, 40), (0.0, 80), (0.5, 80), (0.0, 120), (0.8, 120), (0.0, 500), (0.5, 500), (0.9, 500),
     (0.95, 500), (-0.7, 500)],
)  # fmt: skip
def test_memory_of_many_blocks_is_covered(phi, n_blocks):
    assert 0.87 <= coverage(autoregression(phi, n_blocks, 1)) <= 0.95


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_what_the_ends_of_blocks_contribute_does_not_widen_the_error(phi):
    """Such sums are bounded, as those of an exponent along the flow are."""
    blocks = np.diff(autoregression(phi, 501, 2), axis=0)
    error, _ = mean_error(blocks)
    spread = blocks.mean(axis=0).std()
    assert 0.85 < np.sqrt(np.mean(error**2)) / spread < 1.2
    naive = blocks.std() / np.sqrt(500)
    assert naive > 7 * spread
    assert coverage(blocks) > 0.9


def test_a_line_of_the_spectrum_leaves_the_error_finite():
    for frequency in (0.0047, 0.0131, 0.0777, 0.317):
        turn = np.cos(2 * np.pi * (frequency * np.arange(500)[:, None] + np.linspace(0, 1, 50)))
        error, _ = mean_error(turn)
        assert np.isfinite(error).all()
        assert coverage(turn) > 0.8


def test_blocks_that_never_change_have_no_error():
    error, _ = mean_error(np.full((500, 2), 0.3))
    np.testing.assert_allclose(error, 0.0, atol=1e-15)
