"""Partial differential equations from fields: against exact solutions and known systems."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import xarray as xr

from takens import dynamics, learn, systems
from takens.core import InvalidInput, Status
from takens.learn.partial.bumps import Axis
from takens.learn.partial.prepare import filled, narrowest, noise_variance
from takens.learn.partial.selection import Equations, criterion, search
from takens.learn.partial.terms import PDETerm, candidate_count, candidates, debiased

UX, UXX, UXXX = "u_x", "u_xx", "u_xxx"


@functools.cache
def burgers():
    """A smooth periodic orbit of Burgers' equation, 120 times and 128 places."""
    system = systems.Burgers(
        length=8.0, viscosity=0.1, integrator=systems.ETDRK4(max_step=0.02), n_points=128
    )
    orbit = dynamics.trajectory(system, np.array(system.x0), np.arange(120) * 0.04)
    return np.asarray(orbit.states), np.asarray(system.grid)


def noisy_burgers(noise, seed=0, **keep):
    clean, x = burgers()
    rng = np.random.default_rng(seed)
    values = clean + noise * clean.std() * rng.normal(size=clean.shape)
    return learn.FieldData(values=values, times=np.arange(120) * 0.04, coordinates={"x": x}, **keep)


def travelling(noise=0.05, shape=(60, 40), speed=1.5, seed=0):
    """An exact solution of u_t = -speed u_x on an open window."""
    t, x = np.arange(shape[0]) * 0.05, np.arange(shape[1]) * 0.1
    z = x - speed * t[:, None]
    u = np.sin(2 * z) + 0.7 * np.cos(3.3 * z + 1)
    u = u + noise * np.random.default_rng(seed).normal(size=shape)
    return learn.FieldData(values=u, times=t, coordinates={"x": x})


def advection_diffusion(n_axes, n_points, n_times, noise, seed=0):
    """Exact decaying and moving waves, periodic: u_t = -v_i u_i + D lap u."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_times) * 0.05
    line = np.arange(n_points) * 2 * np.pi / n_points
    grids = np.meshgrid(*[line] * n_axes, indexing="ij")
    speed, diffusivity = np.array([1.0, -0.5, 0.8])[:n_axes], 0.3
    u = np.zeros((n_times, *grids[0].shape))
    for _ in range(8):
        k = rng.integers(-2, 3, n_axes)
        phase = sum(a * g for a, g in zip(k, grids, strict=True)) + rng.uniform(0, 6)
        for n, now in enumerate(t):
            u[n] += np.exp(-diffusivity * (k**2).sum() * now) * np.cos(phase - k @ speed * now)
    u += noise * u.std() * rng.normal(size=u.shape)
    names = "xyz"[:n_axes]
    return learn.FieldData(values=u, times=t, coordinates=dict.fromkeys(names, line))


def test_burgers_with_a_fifth_of_noise():
    fit = learn.WeakPDE(periodic=True).fit(noisy_burgers(0.2))
    law = fit.diagnostics["law"]
    assert set(np.array(law.names)[law.included[:, 0]]) == {"(u^2)_x", UXX}
    advection, viscosity = law.estimate("(u^2)_x"), law.estimate(UXX)
    assert abs(advection.value + 0.5) < min(0.025, 4 * advection.standard_error)
    assert abs(viscosity.value - 0.1) < min(0.005, 4 * viscosity.standard_error)
    assert law.noise[0] == pytest.approx(0.2 * burgers()[0].std(), rel=0.03)
    assert law.dispersion[0] == pytest.approx(1.0, abs=0.15)
    assert law.explained[0] > 0.99
    assert (law.inclusion[law.included[:, 0], 0] > 0.99).all()


def test_the_learned_system_is_the_equation_that_is_printed():
    fit = learn.WeakPDE(periodic=True).fit(noisy_burgers(0.05))
    clean, _ = burgers()
    law, model = fit.diagnostics["law"], fit.model
    np.testing.assert_array_equal(
        np.asarray(model.coefficients), law.coefficients[law.included.any(axis=1)]
    )
    orbit = dynamics.trajectory(model, clean[0], np.arange(40) * 0.04)
    assert np.abs(np.asarray(orbit.states)[-1] - clean[39]).max() < 0.02 * np.abs(clean).max()
    truth = model.with_parameters(coefficients=np.array([[-0.5], [0.1]]))
    known = systems.Burgers(length=8.0, viscosity=0.1, n_points=128)
    np.testing.assert_allclose(
        truth.vector_field(0.0, clean[5]), known.vector_field(0.0, clean[5]), atol=1e-10
    )


def test_missing_cells_a_mask_and_missing_times():
    data = noisy_burgers(0.1)
    values = np.array(data.values[..., 0])
    rng = np.random.default_rng(1)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[20:45, 40:60] = np.nan
    rows = np.delete(np.arange(120), [70, 71])
    gappy = learn.FieldData(
        values=values[rows], times=data.times[rows], coordinates=data.coordinates
    )
    assert np.isnan(gappy.values[70]).all()
    law = learn.WeakPDE(periodic=True).fit(gappy).diagnostics["law"]
    full = learn.WeakPDE(periodic=True).fit(data).diagnostics["law"]
    assert set(np.array(law.names)[law.included[:, 0]]) == {"(u^2)_x", UXX}
    assert law.n_tests < full.n_tests
    for name, truth in (("(u^2)_x", -0.5), (UXX, 0.1)):
        estimate = law.estimate(name)
        assert abs(estimate.value - truth) < 4 * estimate.standard_error
        assert estimate.standard_error > full.estimate(name).standard_error


def test_open_window_and_two_records():
    data = travelling()
    law = learn.WeakPDE(order=3).fit(data).diagnostics["law"]
    assert law.equations(2) == ("u_t = -1.5 u_x",)
    both = learn.WeakPDE(order=3).fit([data, travelling(seed=5)]).diagnostics["law"]
    assert both.n_tests == 2 * law.n_tests
    ratio = both.estimate(UX).standard_error / law.estimate(UX).standard_error
    assert ratio == pytest.approx(2**-0.5, rel=0.1)


def test_a_record_is_not_joined_to_the_next():
    # Joined, the jump between two unlike records would enter the test functions across it.
    one, two = travelling(0.0), travelling(0.0)
    later = learn.FieldData(
        values=-3 * two.values[..., 0], times=two.times, coordinates=two.coordinates
    )
    law = learn.WeakPDE(order=2, degree=1).fit([one, later]).diagnostics["law"]
    assert law.estimate(UX).value == pytest.approx(-1.5, rel=1e-3)


@pytest.mark.parametrize(("n_axes", "n_points", "n_times"), [(2, 24, 40), (3, 18, 32)])
def test_advection_and_diffusion_on_a_plane_and_in_space(n_axes, n_points, n_times):
    data = advection_diffusion(n_axes, n_points, n_times, 0.1)
    law = learn.WeakPDE(degree=2, periodic=True).fit(data).diagnostics["law"]
    truth = dict(zip(("u_x", "u_y", "u_z"), (-1.0, 0.5, -0.8), strict=True))
    truth = {k: v for k, v in truth.items() if k[-1] in law.axes}
    truth |= {f"u_{a}{a}": 0.3 for a in law.axes}
    assert set(np.array(law.names)[law.included[:, 0]]) == set(truth)
    for name, value in truth.items():
        estimate = law.estimate(name)
        assert abs(estimate.value - value) < min(0.1 * abs(value), 4 * estimate.standard_error)


def test_two_components():
    # u_t = v, v_t = u_xx: standing waves, exact
    t, x = np.arange(80) * 0.05, np.arange(48) * 2 * np.pi / 48
    u, v = np.zeros((2, 80, 48))
    for k, phase in ((1, 0.3), (2, 1.1), (3, 2.0)):
        u += np.outer(np.cos(k * t + phase), np.cos(k * x + k * phase))
        v += np.outer(-k * np.sin(k * t + phase), np.cos(k * x + k * phase))
    rng = np.random.default_rng(2)
    values = np.stack([u, v], axis=-1)
    values = values + 0.1 * values.std(axis=(0, 1)) * rng.normal(size=values.shape)
    data = learn.FieldData(values=values, times=t, coordinates={"x": x})
    fit = learn.WeakPDE(degree=2, order=2, periodic=True).fit(data)
    law = fit.diagnostics["law"]
    assert law.equations(1) == ("u_t = 1 v", "v_t = 1 u_xx")
    state = np.concatenate([u[0], v[0]])
    rates = np.asarray(fit.model.vector_field(0.0, state))
    np.testing.assert_allclose(rates[:48], v[0], atol=0.1)


def test_open_axes_get_differences_and_a_boundary():
    t, x = np.arange(100) * 0.01, np.linspace(0, np.pi, 41)
    u = sum(np.outer(np.exp(-(k**2) * t), np.cos(k * x)) / k for k in (1, 2, 3))
    u = u + 0.01 * np.random.default_rng(0).normal(size=u.shape)
    data = learn.FieldData(values=u, times=t, coordinates={"x": x})
    fit = learn.WeakPDE(degree=2, order=2).fit(data)
    assert fit.diagnostics["law"].equations(1) == ("u_t = 1 u_xx",)
    start = np.cos(x)
    reflecting = fit.model.with_parameters(coefficients=np.array([[1.0]]))
    end = np.asarray(dynamics.trajectory(reflecting, start, [0.0, 0.5]).states)[-1]
    np.testing.assert_allclose(end, np.exp(-0.5) * start, atol=2e-3)
    held = learn.WeakPDE(degree=2, order=2, boundary="held").fit(data).model
    end = np.asarray(dynamics.trajectory(held, np.sin(x), [0.0, 0.5]).states)[-1]
    assert abs(end[[0, -1]]).max() < 1e-12
    np.testing.assert_allclose(end, np.exp(-0.5) * np.sin(x), atol=0.03)


def test_a_labelled_array_comes_in_by_its_names():
    data = noisy_burgers(0.05)
    coordinates = {"time": data.times, "x": data.coordinates["x"]}
    array = xr.DataArray(data.values[..., 0].T, dims=("x", "time"), coords=coordinates, name="u")
    estimator = learn.WeakPDE(degree=2, order=2, periodic=True)
    expected = estimator.fit(data).diagnostics["law"].coefficients
    for given in (array, array.to_dataset()):
        found = estimator.fit(given).diagnostics["law"]
        assert found.components == ("u",)
        np.testing.assert_array_equal(found.coefficients, expected)
    with pytest.raises(InvalidInput, match="none called time"):
        estimator.fit(array.rename(time="when"))


def test_units_of_the_data_only_rescale_the_coefficients():
    data = noisy_burgers(0.1)
    scaled = learn.FieldData(
        values=10 * data.values,
        times=5 * data.times,
        coordinates={"x": 2 * data.coordinates["x"]},
    )
    one, two = (learn.WeakPDE(periodic=True).fit(d).diagnostics["law"] for d in (data, scaled))
    np.testing.assert_array_equal(one.included, two.included)
    for name, factor in (("(u^2)_x", 2 / 10 / 5), (UXX, 4 / 5)):
        assert two.estimate(name).value == pytest.approx(factor * one.estimate(name).value, 1e-4)


def test_noise_alone_and_a_law_outside_the_library_are_refused():
    rng = np.random.default_rng(0)
    x = {"x": np.arange(48) * 0.1}
    noise = learn.FieldData(values=rng.normal(size=(80, 48)), times=np.arange(80), coordinates=x)
    fit = learn.WeakPDE(order=2).fit(noise)
    assert fit.status is Status.NO_LAW
    assert fit.cautions[0].code == "no-sparse-law"
    assert np.isnan(fit.diagnostics["law"].coefficients).all()
    assert "no sparse law" in fit.diagnostics["law"].summary()
    assert np.isnan(np.asarray(fit.model.vector_field(0.0, np.ones(48)))).all()
    # a field driven by an unseen forcing that changes in time and place
    t = np.arange(80) * 0.1
    forced = (
        np.sin(t**2 / 4)[:, None] * np.cos(20 * x["x"]) + np.cumsum(np.sin(3 * t))[:, None] * 0.2
    )
    data = learn.FieldData(
        values=forced * np.exp(-x["x"]) + 0.01 * rng.normal(size=(80, 48)), times=t, coordinates=x
    )
    assert learn.WeakPDE(degree=1, order=1).fit(data).status is Status.NO_LAW


def test_a_rectangle_with_two_components_and_mixed_terms():
    terms = (PDETerm((1, 0), (2, 0)), PDETerm((1, 1), (0, 1)), PDETerm((0, 1), (0, 0)))
    weights = np.array([[0.1, 0.0], [0.3, -0.2], [0.5, -1.0]])
    model = learn.PeriodicPDE(
        coefficients=weights,
        lengths=np.array([2.0, 3.0]),
        terms=terms,
        shape=(4, 6),
        components=("u", "v"),
        integrator=systems.ETDRK4(max_step=0.1),
    )
    assert model.names[7] == "u[1,1]"
    assert model.dim == 48
    # the slope of v along y, against the same by an explicit wave
    y = np.arange(6) * 2 * np.pi / 6
    wave = np.concatenate([np.ones(24), np.tile(np.sin(y), 4)])
    rate = np.asarray(model.on_grid(model.vector_field(0.0, wave)))
    expected = 0.3 * 2 * np.pi / 3 * np.cos(y) + 0.5 * np.sin(y)
    np.testing.assert_allclose(rate[0, 0], expected, atol=1e-12)


# ---------------------------------------------------------------------------------- the parts


def test_candidates_are_counted_and_named():
    terms = candidates(2, 2, 2, 2)
    assert len(terms) == candidate_count(2, 2, 2, 2) == 1 + 5 * 6
    names = [t.name(("u", "v"), ("x", "y")) for t in terms]
    assert len(set(names)) == len(names)
    assert {"1", "u v", "(u^2)_xy", "v_yy"} <= set(names)


def test_debiased_powers_have_the_mean_without_noise():
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / weights.sum()
    for power in range(1, 6):
        values = debiased(1.3 + 0.4 * nodes, 0.16, power)
        assert weights @ values == pytest.approx(1.3**power, rel=1e-12)


def test_test_functions_differentiate_without_the_data_being_differentiated():
    x = np.arange(400) * 0.1
    for order in range(5):
        for width, tolerance in ((narrowest(order), 3e-3), (40, 1e-8)):
            axis = Axis(400, 0.1, width, 8, 5, False)
            weak = (-1) ** order * axis.matrix(order) @ np.sin(x)
            slope = axis.matrix(0) @ np.sin(x + order * np.pi / 2)
            np.testing.assert_allclose(weak, slope, atol=tolerance)


def test_test_functions_stand_evenly_round_a_periodic_axis():
    axis = Axis(64, 0.1, 15, 8, 3, True)
    gaps = np.diff(np.append(axis.centres, axis.centres[0] + 64))
    assert gaps.min() >= 3  # two that nearly coincide would make the covariance singular
    assert gaps.max() <= 4
    np.testing.assert_allclose(axis.matrix(1).sum(axis=1), 0, atol=1e-12)
    assert axis.matrix(0)[0, -3] == pytest.approx(axis.matrix(0)[0, 3])


def test_noise_variance_sees_through_the_field():
    clean, _ = burgers()
    noise = np.random.default_rng(3).normal(size=clean.shape)
    assert noise_variance(clean + 0.1 * noise) == pytest.approx(0.01, rel=0.05)
    assert noise_variance(clean) < 1e-6
    with pytest.raises(InvalidInput, match="complete"):
        noise_variance(np.where(np.arange(clean.size).reshape(clean.shape) % 2, clean, np.nan))


def test_filling_is_exact_for_quadratics_and_says_what_it_costs():
    t, x = np.meshgrid(np.arange(20.0), np.arange(30.0), indexing="ij")
    field = 1 + t - 0.3 * x * t + 0.2 * x**2
    holes = field.copy()
    holes[np.random.default_rng(0).random(field.shape) < 0.1] = np.nan
    holes[5:12, 10:22] = np.nan
    values, gain, filling = filled(holes, (False, False))
    good = np.isfinite(gain)
    np.testing.assert_allclose(values[good], field[good], rtol=1e-6, atol=1e-9)
    assert not good[8, 15]
    assert (gain[good] <= 1).all()
    index = int(np.flatnonzero((np.isnan(holes) & good).ravel())[0])
    assert (filling[[index]].toarray() ** 2).sum() == pytest.approx(gain.ravel()[index])


def test_selection_finds_the_terms_and_pays_for_noise_in_the_columns():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(2000, 6))
    target = clean[:, [1, 4]] @ [1.0, -0.5] + rng.normal(size=2000)
    noisy = clean + np.array([0, 0.5, 0, 0, 0.5, 0]) * rng.normal(size=clean.shape)
    rows = np.column_stack([noisy, target])
    own = np.diag([0, 500.0, 0, 0, 500.0, 0, 0])
    equations = Equations(rows.T @ rows, own, 2000)
    support, seen = search(equations, ((),))
    assert support == (1, 4)
    np.testing.assert_allclose(equations.solve(support)[[1, 4]], [1.0, -0.5], atol=0.1)
    attenuated = Equations(rows.T @ rows, 0 * own, 2000).solve(support)[1]
    assert attenuated == pytest.approx(0.8, abs=0.06)
    assert seen[support] == min(seen.values())
    lost = Equations(rows.T @ rows, 4 * 1300 * np.eye(7), 2000)
    assert criterion(lost, (1,), 1.0, 1.0) == np.inf


# ---------------------------------------------------------------------------------- refusals


def test_fields_are_refused_with_a_reason():
    x, t = np.arange(20.0), np.arange(30.0)
    good = {"values": np.zeros((30, 20)), "times": t, "coordinates": {"x": x}}
    bad = [
        ({"coordinates": {"x": x**1.1}}, "even"),
        ({"coordinates": {}}, "one to three"),
        ({"coordinates": x}, "mapping"),
        ({"values": np.zeros((20, 30))}, "expected"),
        ({"values": np.full((30, 20), np.nan)}, "only NaN"),
        ({"values": np.full((30, 20), np.inf)}, "infinity"),
        ({"times": t**1.3}, "whole multiples"),
        ({"times": t[::-1]}, "increasing"),
        ({"times": np.where(t == 29, 5000, t)}, "long gaps"),
        ({"components": ("u", "v")}, "label"),
    ]
    for change, message in bad:
        with pytest.raises(InvalidInput, match=message):
            learn.FieldData(**{**good, **change})


def test_data_that_cannot_answer_are_refused():
    with pytest.raises(InvalidInput, match="does not say which axis is time"):
        learn.WeakPDE().fit(np.zeros((30, 20)))
    x, rng = {"x": np.arange(20.0)}, np.random.default_rng(0)
    constant = learn.FieldData(values=np.ones((30, 20)), times=np.arange(30), coordinates=x)
    with pytest.raises(InvalidInput, match="constant"):
        learn.WeakPDE().fit(constant)
    values = rng.normal(size=(300, 9))
    short = learn.FieldData(values=values, times=np.arange(300), coordinates={"x": np.arange(9.0)})
    with pytest.raises(InvalidInput, match="test function needs 25"):
        learn.WeakPDE().fit(short)
    masked = travelling().values.copy()
    masked[:, 18:24] = np.nan
    masked[::9] = np.nan
    masked[1::9] = np.nan
    masked[2::9] = np.nan
    data = travelling()
    holes = learn.FieldData(values=masked, times=data.times, coordinates=data.coordinates)
    with pytest.raises(InvalidInput, match="clear the gaps"):
        learn.WeakPDE(order=2, half_widths=(8, 8)).fit(holes)
    other = learn.FieldData(
        values=data.values, times=data.times, coordinates={"x": 2 * data.coordinates["x"]}
    )
    with pytest.raises(InvalidInput, match="records differ"):
        learn.WeakPDE().fit([data, other])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"degree": 0}, "degree"),
        ({"order": 6}, "order"),
        ({"boundary": "open"}, "boundary"),
        ({"required": 1.0}, "required"),
        ({"periodic": (True, False)}, "periodic has 2"),
        ({"half_widths": (8,)}, "half_widths"),
        ({"degree": 60, "order": 5}, "candidate terms"),
    ],
)
def test_settings_are_refused_with_a_reason(settings, message):
    with pytest.raises(InvalidInput, match=message):
        learn.WeakPDE(**settings).fit(travelling())
