"""Laws in coordinates rebuilt from the past."""

from __future__ import annotations

import numpy as np
import pytest

from takens import dynamics, learn, systems
from takens.core import InvalidInput, Recording, Status, Trajectory
from takens.learn.terms import Polynomials


def seen(system, x0, dt, n, skip=0):
    states = dynamics.trajectory(system, x0, dt * np.arange(n + skip)).states[skip:]
    return Trajectory(times=dt * np.arange(n), states=states[:, :1], names=("x",))


def test_exponents_of_van_der_pol_from_one_column():
    data = seen(systems.VanDerPol(), [1.0, 2.0], 0.05, 2000)
    regression = learn.regression.SparseRegression(library=Polynomials(5))
    estimator = learn.DelayCoordinates(estimator=regression, window=10, n_modes=2)
    fit = estimator.fit(data)
    assert fit.status is Status.OK
    assert fit.cautions[0].code == "reconstructed-coordinates"
    start = fit.diagnostics["modes"].encode(estimator.embed(data))[0].states[-1]
    found = dynamics.lyapunov_spectrum(fit.model, start, dt=0.05, n_steps=10_000).exponents
    true = dynamics.lyapunov_spectrum(systems.VanDerPol(), [1.0, 2.0], dt=0.05, n_steps=10_000)
    assert np.allclose(found, true.exponents, atol=0.02)


def test_a_law_that_is_no_polynomial_there_is_refused():
    data = seen(systems.Lorenz63(), [1.0, 2.0, 20.0], 0.01, 1500, skip=500)
    regression = learn.regression.SparseRegression(library=Polynomials(3))
    fit = learn.DelayCoordinates(estimator=regression, window=10).fit(data)
    assert fit.status is Status.NO_LAW


def test_windows_hold_the_past_and_nothing_crosses_records_or_gaps():
    x = np.arange(30.0)
    x[20] = np.nan
    records = tuple(
        Trajectory(times=np.arange(30), states=s[:, None], names=("x",))
        for s in (x, -np.arange(30.0))
    )
    estimator = learn.DelayCoordinates(estimator=learn.SINDy(), window=3, spacing=2)
    made = estimator.embed(Recording(records=records))
    assert made.names == ("x", "x[-2]", "x[-4]")
    assert np.array_equal(made[0].states[0], [4, 2, 0])
    assert np.array_equal(made[0].times[:2], [4, 5])
    missing = np.isnan(made[0].states).any(axis=1)
    assert set(made[0].times[missing]) == {20, 22, 24}
    assert np.array_equal(made[1].states[0], [-4, -2, 0])


@pytest.mark.parametrize(
    ("settings", "data", "message"),
    [
        ({"window": 1}, np.arange(50.0), "no past"),
        ({"window": 0}, np.arange(50.0), "1 or more"),
        ({"window": 5, "n_modes": 6}, np.arange(50.0), "5 values"),
        ({"window": 50}, np.arange(50.0), "smaller window"),
        (
            {"window": 5},
            Trajectory(times=np.arange(50.0) ** 1.2, states=np.arange(50.0)[:, None]),
            "uneven",
        ),
    ],
)
def test_windows_that_do_not_fit_are_refused(settings, data, message):
    with pytest.raises(InvalidInput, match=message):
        learn.DelayCoordinates(estimator=learn.SINDy(), **settings).fit(data)
