"""A result without an answer keeps every promise of a result: it draws, tells and saves itself."""

from __future__ import annotations

import numpy as np
import pytest

from takens import dynamics, testing
from takens.core import Status
from takens.core.system import AbstractMap, static
from takens.systems import HenonMap, LogisticMap, NoisyDoubleWell

LOST = HenonMap(a=3.0)
START = [2.0, 0.1]
AXIS = np.linspace(2.0, 3.0, 4)


class Nowhere(AbstractMap):
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return x * np.nan


FAILED = {
    "escape": lambda: dynamics.escape_times(
        Nowhere(), [[0.3], [0.9]], [[-5.0, 5.0]], max_time=20, throw=False
    ),
    "density": lambda: dynamics.invariant_density(LOST, START, n_steps=100, throw=False),
    "transfer": lambda: dynamics.transfer_matrix(Nowhere(), [np.linspace(0, 1, 9)], throw=False),
    "vectors": lambda: dynamics.covariant_lyapunov_vectors(LOST, START, throw=False),
    "field": lambda: dynamics.finite_time_lyapunov_field(LOST, [AXIS, AXIS], span=50, throw=False),
    "alignment": lambda: dynamics.smaller_alignment_index(LOST, START, throw=False),
    "zero-one": lambda: dynamics.zero_one_test(LOST, START, n_steps=400, throw=False),
}
EXTREME = {
    "never leaves": lambda: dynamics.escape_times(
        LogisticMap(r=3.9), [[0.2], [0.3]], [[0.0, 1.0]], max_time=50
    ),
    "one exponent": lambda: dynamics.covariant_lyapunov_vectors(LogisticMap(), [0.3], n_steps=60),
    "beyond floats": lambda: dynamics.mean_exit_time(
        NoisyDoubleWell(noise=0.02), [1.0], 0.0, np.inf
    ),
}


@pytest.mark.parametrize("name", FAILED)
def test_failed(name):
    found = FAILED[name]()
    assert found.status is not Status.OK
    assert found.status.value in found.summary()
    testing.check_result(found)


@pytest.mark.parametrize("name", EXTREME)
def test_extreme(name):
    found = EXTREME[name]()
    assert found.status is Status.OK
    testing.check_result(found)
