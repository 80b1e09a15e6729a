"""Partial differential equations driven by known fields: winds, sources, gains in time."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from takens import dynamics, learn
from takens.core import InvalidInput, Status
from takens.learn import PDETerm
from takens.learn.partial.prepare import Prepared
from takens.systems import ETDRK4

N, LENGTH, DT = 64, 6.0, 0.05
X, TIMES = LENGTH * np.arange(N) / N, DT * np.arange(160)
START = np.cos(2 * np.pi * X / LENGTH) + 0.5 * np.sin(4 * np.pi * X / LENGTH)
START = START + np.cos(6 * np.pi * X / LENGTH)


@functools.cache
def driven(case):
    """A field under a known one, which is held over a tenth of a step of the record."""
    terms, known, _ = CASES[case]
    system = learn.PeriodicPDE(
        coefficients=np.array(list(terms.values()))[:, None],
        lengths=np.array([LENGTH]),
        terms=tuple(PDETerm(*t) for t in terms),
        shape=(N,),
        components=("u",),
        inputs=("f", "g")[: len(known)],
        integrator=ETDRK4(max_step=0.01),
    )
    grid = 0.1 * DT * np.arange(10 * len(TIMES))
    middle = grid[:, None] + 0.05 * DT
    rows = np.concatenate([f(X, middle) + 0 * middle * X for f in known], axis=1)
    return dynamics.trajectory(system, START, grid, inputs=rows).states[::10]


def record(u, fields, noise=0.1, seed=0, **keep):
    rng = np.random.default_rng(seed)
    known = np.stack([f(X, TIMES[:, None]) + 0 * TIMES[:, None] * X for f in fields], axis=-1)
    values = u + noise * u.std() * rng.normal(size=u.shape)
    return learn.FieldData(
        **{"values": values, "times": TIMES, "coordinates": {"x": X}, "inputs": known, **keep}
    )


def wind(x, t):
    return 1 + 0.5 * np.sin(2 * np.pi * x / LENGTH) + 0.3 * np.cos(4 * np.pi * x / LENGTH)


def source(x, t):
    return np.sin(2 * np.pi * x / LENGTH) * np.cos(1.3 * t)


def gain(x, t):
    return np.cos(1.3 * t)


CASES = {
    "wind": ({((1, 1), (1,)): -0.7, ((1, 0), (2,)): 0.1}, (wind,), {"(u f)_x": -0.7, "u_xx": 0.1}),
    "source and gain": (
        {
            ((0, 1, 0), (0,)): 1.0,
            ((1, 0, 1), (0,)): 0.6,
            ((1, 0, 0), (2,)): 0.1,
            ((2, 0, 0), (1,)): -0.5,
        },
        (source, gain),
        {"f": 1.0, "u g": 0.6, "u_xx": 0.1, "(u^2)_x": -0.5},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_terms_with_a_known_field_are_found(case):
    _, known, truth = CASES[case]
    fit = learn.WeakPDE(degree=2, order=2, periodic=True, level=0.999).fit(
        record(driven(case), known)
    )
    law = fit.diagnostics["law"]
    assert fit.status is Status.OK
    assert found(law) == set(truth)
    for name, value in truth.items():
        low, high = law.estimate(name).interval
        assert low < value < high
        assert law.estimate(name).value == pytest.approx(value, rel=0.05)


def found(law):
    return {law.names[i] for i in np.flatnonzero(law.included[:, 0])}


@pytest.mark.parametrize("closed", [True, False], ids=["spectral", "differences"])
def test_the_learned_system_takes_the_field_as_its_input(closed):
    u, now = driven("wind"), wind(X, 0.0)
    model = learn.WeakPDE(degree=2, order=2, periodic=closed).fit(record(u, [wind])).model
    assert model.inputs == ("f",)
    slope = np.asarray(model.vector_field(0.0, u[50], now)).reshape(-1)
    true = -0.7 * spectral(u[50] * now, 1) + 0.1 * spectral(u[50], 2)
    inside = slice(None) if closed else slice(4, -4)
    assert np.abs(slope - true)[inside].max() < 0.05 * np.abs(true).max()
    np.testing.assert_allclose(
        model.vector_field(0.0, u[50]), model.vector_field(0.0, u[50], 0 * now), atol=1e-12
    )
    if closed:
        rows = np.broadcast_to(now, (40, N))
        again = dynamics.trajectory(model, u[0], TIMES[:40], inputs=rows).states
        assert np.abs(again - u[:40]).max() < 0.05 * np.abs(u).max()


def spectral(values, order):
    k = 2 * np.pi * np.fft.rfftfreq(N, LENGTH / N)
    return np.fft.irfft((1j * k) ** order * np.fft.rfft(values), N)


def test_fields_that_coincide_are_told_and_the_simpler_kept():
    data = record(driven("wind"), [wind, lambda x, t: 3 * wind(x, t) + 1])
    law = learn.WeakPDE(degree=2, order=2, periodic=True).fit(data).diagnostics["law"]
    assert found(law) == set(CASES["wind"][2])
    (note,) = [f for f in law.cautions if f.code == "collinear-terms"]
    assert "g, " in note.text
    assert "u g" not in law.names


def test_where_an_input_is_unknown_nothing_is_learned():
    u = driven("wind")
    hole = record(u, [wind]).inputs.copy()
    hole[60:90, 20:30] = np.nan
    data = record(u, [wind], inputs=hole)
    assert Prepared.of(data, (True,)).lost.sum() == 300
    whole, less = (
        learn.WeakPDE(degree=2, order=2, periodic=True).fit(d).diagnostics["law"]
        for d in (record(u, [wind]), data)
    )
    assert found(less) == set(CASES["wind"][2])
    assert less.n_tests < whole.n_tests


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": TIMES}, "numpy.broadcast_to"),
        ({"inputs": np.ones((160, N))}, "same everywhere"),
        ({"inputs": np.full((160, N), np.nan)}, "same everywhere"),
        ({"inputs": np.where(X > 1, np.inf, 1.0) + 0 * TIMES[:, None]}, "infinity"),
        ({"input_names": ("f", "g")}, "one name per input"),
        ({"input_names": ("u",)}, "all different"),
    ],
)
def test_inputs_that_say_nothing_are_refused(change, message):
    u = np.random.default_rng(0).normal(size=(160, N))
    with pytest.raises(InvalidInput, match=message):
        record(u, [wind], **change)


def test_records_share_their_inputs():
    u = np.random.default_rng(0).normal(size=(160, N))
    with pytest.raises(InvalidInput, match="same components, inputs"):
        learn.WeakPDE().fit([record(u, [wind]), record(u, [wind, source])])
