"""Strictness for every test: one thread per process, no window, a fixed hypothesis profile."""

from __future__ import annotations

import os

# Before NumPy or JAX is imported: several workers share the cores, and threads would only fight.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile("takens", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.load_profile("takens")


@pytest.fixture
def rng():
    """A generator with a fixed seed."""
    return np.random.default_rng(20260101)
