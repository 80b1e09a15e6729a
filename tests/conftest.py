"""Strictness for every test: one thread per process, no window, a fixed hypothesis profile."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

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


MAPS = Path("/proc/self/maps")
MOST_MAPS = 20_000  # pieces of memory; by default Linux allows a process 65,530
EVERY = 40


TESTS = itertools.count(1)


@pytest.fixture(autouse=True)
def _few_programs():
    """Compiled programs are forgotten before a worker runs out of pieces of memory for them, and crashes."""
    yield
    if next(TESTS) % EVERY or "jax" not in sys.modules or not MAPS.exists():
        return
    with MAPS.open("rb") as lines:
        count = sum(1 for _ in lines)
    if count > MOST_MAPS:
        import jax

        jax.clear_caches()
