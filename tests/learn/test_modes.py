"""Records of many columns in few coordinates."""

from __future__ import annotations

import numpy as np
import pytest

from takens import dynamics, learn, systems
from takens.core import InvalidInput, Recording, Trajectory
from takens.learn.terms import Polynomials


def sensors(latent, n_columns, noise, seed=0):
    rng = np.random.default_rng(seed)
    mixed = latent @ rng.normal(size=(latent.shape[1], n_columns)) + rng.normal(size=n_columns)
    return mixed + noise * rng.normal(size=mixed.shape)


def waves(n, n_waves=3):
    t = 0.05 * np.arange(n)[:, None]
    return np.cos(t * np.sqrt(np.arange(1, n_waves + 1)) + np.arange(n_waves))


@pytest.mark.parametrize("shape", [(500, 30), (60, 400)])
def test_noise_alone_has_hardly_any_mode_and_waves_have_their_number(shape):
    rng = np.random.default_rng(1)
    assert learn.modes(rng.normal(size=shape)).n_modes == 1  # the least there is
    data = sensors(waves(shape[0]), shape[1], 0.3)
    found = learn.modes(data)
    assert found.n_modes == 3
    assert np.median(found.noise) == pytest.approx(0.3, rel=0.05)
    assert np.allclose(found.basis.T @ found.basis, np.eye(3), atol=1e-12)


def test_loading_errors_are_those_of_repeated_noise():
    clean = waves(400) @ np.random.default_rng(2).normal(size=(3, 20))
    found = [
        learn.modes(clean + 0.2 * np.random.default_rng(s).normal(size=clean.shape),
                    n_modes=3)
        for s in range(40)
    ]  # fmt: skip
    exact = np.linalg.svd(clean - clean.mean(axis=0))[2][:3]
    outside = np.eye(20) - exact.T @ exact  # modes of like size turn among themselves
    errors = np.array([outside @ (f.scale[:, None] * f.basis) for f in found])
    spread = np.sqrt((errors**2).mean(axis=(0, 1)) * 20 / 17)
    claimed = np.mean([f.scale.mean() * f.loading_error for f in found], axis=0)
    assert np.allclose(spread / claimed, 1.0, atol=0.12)


def test_the_way_back_from_the_modes_leaves_the_noise_behind():
    clean = sensors(waves(400), 24, 0.0)
    noisy = clean + 0.3 * np.random.default_rng(5).normal(size=clean.shape)
    found = learn.modes(noisy)
    back = found.decode(found.encode(noisy)[0])
    assert back.names == found.names
    assert np.std(back.states - clean) < 0.4 * np.std(noisy - clean)  # of 24 columns 3 stay noisy


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_missing_values_are_filled_from_the_modes(share):
    clean = sensors(waves(500), 20, 0.0)
    rng = np.random.default_rng(3)
    data = clean + 0.05 * rng.normal(size=clean.shape)
    data[rng.random(data.shape) < share] = np.nan
    data[100:105] = np.nan  # rows without anything
    found = learn.modes(data)
    assert found.n_modes == 3
    assert np.median(found.noise) == pytest.approx(0.05, rel=0.05)
    coded = found.encode(data)[0]
    assert np.isnan(coded.states[100:105]).all()
    back = found.decode(coded).states
    held = np.isfinite(back).all(axis=1)
    assert held.mean() > {0.1: 0.98, 0.4: 0.75}[share]  # five rows hold nothing
    assert np.abs(back - clean)[held].max() < 0.5  # twice the largest error of single values
    assert np.std((back - clean)[held]) < 0.05


def test_a_row_that_lacks_too_much_is_missing():
    data = sensors(waves(200), 12, 0.01)
    found = learn.modes(data, n_modes=3)
    data[5, 2:] = np.nan
    assert np.isnan(found.encode(data)[0].states[5]).all()


def test_units_and_records_and_inputs_pass_through():
    one = sensors(waves(200), 12, 0.1)
    push = np.arange(200.0)[:, None]
    names = tuple(f"t{i}" for i in range(12))
    records = tuple(
        Trajectory(times=np.arange(200) * 0.1, states=s, inputs=push, names=names,
                   units=("K",) * 12, input_names=("push",), time_unit="h")
        for s in (one, -one)
    )  # fmt: skip
    data = Recording(records=records)
    found = learn.modes(data)
    coded = found.encode(data)
    assert len(coded) == 2
    assert coded[1].inputs is not None
    assert coded[1].time_unit == "h"
    assert found.decode(coded[0]).units == ("K",) * 12
    mixed_units = learn.modes(one * 10.0 ** np.arange(-6, 6))
    plain = learn.modes(one)
    assert mixed_units.n_modes == plain.n_modes == 3
    assert np.isclose(mixed_units.share, plain.share)


def test_more_modes_than_the_limit_are_named():
    found = learn.modes(sensors(waves(600, 5), 40, 0.05), max_modes=3)
    assert found.n_modes == 3
    assert [c.code for c in found.cautions] == ["modes-left-out"]
    assert "5 modes" in found.cautions[0].text


def test_exponents_of_lorenz_are_read_off_twenty_sensors():
    true = systems.Lorenz63()
    states = dynamics.trajectory(true, [1.0, 2.0, 20.0], 0.01 * np.arange(3000)).states[1000:]
    data = Trajectory(times=0.01 * np.arange(2000), states=sensors(states, 20, 0.5))
    fit = learn.Reduced(estimator=learn.SINDy(library=Polynomials(2))).fit(data)
    found = fit.diagnostics["modes"]
    assert found.n_modes == 3
    start = found.encode(data)[0].states[-1]
    spectrum = dynamics.lyapunov_spectrum(fit.model, start, dt=0.01, n_steps=20_000)
    assert spectrum.exponents[0] == pytest.approx(0.906, abs=0.06)
    assert spectrum.exponents[2] == pytest.approx(-14.57, abs=0.5)


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (np.ones((50, 12)), {}, "constant or empty"),
        (np.random.default_rng(0).normal(size=(50, 4)), {}, "Give n_modes"),
        (np.random.default_rng(0).normal(size=(50, 4)), {"n_modes": 5}, "expected 1 to 4"),
        (np.random.default_rng(0).normal(size=(50, 4)), {"n_modes": 0}, "expected 1 to 4"),
        (np.random.default_rng(0).normal(size=(50, 12)), {"max_modes": 0}, "at least 1"),
        (np.random.default_rng(0).normal(size=(2, 12)), {"n_modes": 1}, "at least 3"),
    ],
)
def test_what_cannot_be_reduced_is_refused(data, settings, message):
    with pytest.raises(InvalidInput, match=message):
        learn.modes(data, **settings)


def test_other_columns_are_refused():
    found = learn.modes(sensors(waves(100), 12, 0.1))
    with pytest.raises(InvalidInput, match="columns"):
        found.encode(np.zeros((5, 3)))
    with pytest.raises(InvalidInput, match="coordinates"):
        found.decode(Trajectory(times=[0.0, 1.0], states=np.zeros((2, 9))))
