"""Laws for higher derivatives, of columns whose velocities nobody measured."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import InvalidInput, Status, Trajectory
from takens.learn import HigherOrderSINDy
from takens.learn.laws.chain import ChainField, derivatives
from takens.learn.sparse.bordered import bordered
from takens.learn.sparse.fields import FlowAdvance
from takens.learn.sparse.nodes import nodes_of, noise_variance
from takens.learn.sparse.shooting import Noise, linearised, shoot
from takens.learn.terms import Delays, Expressions, Fourier, Polynomials

TIMES = 0.05 * np.arange(700)
PENDULUM = {("sin(q)", "q"): -1.0, ("dq", "q"): -0.1}
PENDULUM_LIBRARY = Polynomials(3) + Fourier(1, columns=("q",))


def positions(acceleration, start, times=TIMES):
    """Positions alone of an orbit of ``q'' = acceleration(t, q, v)``."""
    m = len(start) // 2
    found = solve_ivp(
        lambda t, x: [*x[m:], *acceleration(t, x[:m], x[m:])],
        (times[0], times[-1]), start, t_eval=times, rtol=1e-10, atol=1e-11,
    )  # fmt: skip
    return found.y.T[:, :m]


def record(q, share=0.0, seed=0, times=TIMES, names=("q",), **more):
    noise = share * q.std(axis=0) * np.random.default_rng(seed).normal(size=q.shape)
    return Trajectory(times=times, states=q + noise, names=names, time_unit="s", **more)


@pytest.fixture(scope="module")
def pendulum():
    return positions(lambda t, q, v: [-np.sin(q[0]) - 0.1 * v[0]], [2.5, 0.0])


def places(law):
    return {(law.terms[k], law.names[i]) for k, i in np.argwhere(law.support)}


def assert_law(law, truth, within=4.0):
    assert places(law) == set(truth)
    for (term, name), value in truth.items():
        found = law.coefficient(term, name)
        assert abs(found.value - value) < within * found.standard_error


def test_a_pendulum_with_friction_from_its_angle(pendulum):
    fit = HigherOrderSINDy(library=PENDULUM_LIBRARY).fit(record(pendulum, 0.05))
    law = fit.diagnostics["law"]
    assert fit.status is Status.OK
    assert_law(law, PENDULUM)
    assert law.coefficient("sin(q)", "q").standard_error < 0.01
    assert law.measurement_noise.shape == (1,)
    assert law.measurement_noise[0] == pytest.approx(0.05 * pendulum.std(), rel=0.1)
    assert "d^2q/dt^2 =" in law.summary()
    assert fit.model.names == ("q", "dq")
    rate = np.asarray(fit.model.vector_field(0.0, np.array([0.3, 0.7])))
    theta = fit.model.terms(np.array([0.3, 0.7]))
    np.testing.assert_allclose(rate, [0.7, theta @ law.coefficients[:, 0]], rtol=1e-12)


def test_clean_data_give_the_law_closely(pendulum):
    law = HigherOrderSINDy(library=PENDULUM_LIBRARY).fit(record(pendulum)).diagnostics["law"]
    assert places(law) == set(PENDULUM)
    for (term, name), value in PENDULUM.items():
        assert law.coefficient(term, name).value == pytest.approx(value, rel=1e-5)


def test_gaps_uneven_times_and_records_are_used(pendulum):
    rng = np.random.default_rng(1)
    q = pendulum + 0.02 * pendulum.std() * rng.normal(size=pendulum.shape)
    kept = np.sort(rng.choice(len(q), 560, replace=False))
    halves = [
        record(q[rows], times=TIMES[rows]) for rows in (kept[:280], kept[280:][rng.random(280) > 0])
    ]
    law = HigherOrderSINDy(library=PENDULUM_LIBRARY).fit(halves).diagnostics["law"]
    assert_law(law, PENDULUM)
    swapped = HigherOrderSINDy(library=PENDULUM_LIBRARY).fit(halves[::-1]).diagnostics["law"]
    np.testing.assert_allclose(law.coefficients, swapped.coefficients, rtol=1e-6, atol=1e-9)


def test_two_coupled_oscillators_with_missing_values():
    def acceleration(t, q, v):
        return [
            -2 * q[0] + 0.5 * q[1] - q[0] ** 3 - 0.1 * v[0],
            -3 * q[1] + 0.5 * q[0] - 0.1 * v[1],
        ]

    q = positions(acceleration, [1.5, -1.0, 0.0, 0.0])
    q[np.random.default_rng(5).random(q.shape) < 0.1] = np.nan
    scale = np.nanstd(q, axis=0)
    noisy = q + 0.05 * scale * np.random.default_rng(3).normal(size=q.shape)
    data = Trajectory(times=TIMES, states=noisy, names=("a", "b"), time_unit="s")
    law = HigherOrderSINDy(library=Polynomials(3, interactions=False)).fit(data).diagnostics["law"]
    truth = {("a", "a"): -2.0, ("b", "a"): 0.5, ("a^3", "a"): -1.0, ("da", "a"): -0.1,
             ("b", "b"): -3.0, ("a", "b"): 0.5, ("db", "b"): -0.1}  # fmt: skip
    assert_law(law, truth)


def test_a_forced_double_well():
    drive = np.cos(1.3 * TIMES) + 0.5 * np.sin(0.4 * TIMES)

    def acceleration(t, q, v):
        return [q[0] - q[0] ** 3 - 0.2 * v[0] + 0.7 * np.interp(t, TIMES, drive)]

    q = positions(acceleration, [0.5, 0.0])
    data = record(q, 0.02, inputs=drive[:, None], input_names=("u",))
    law = HigherOrderSINDy().fit(data).diagnostics["law"]
    assert_law(law, {("q", "q"): 1.0, ("q^3", "q"): -1.0, ("dq", "q"): -0.2, ("u", "q"): 0.7})


def test_a_jerk_is_a_law_of_order_three():
    """Sprott's simplest chaotic flow, from its first variable."""
    times = 0.1 * np.arange(600)
    found = solve_ivp(lambda t, x: [x[1], x[2], -2.017 * x[2] + x[1] ** 2 - x[0]], (0, times[-1]),
                      [0.0, 0.0, 1.0], t_eval=times, rtol=1e-10, atol=1e-11)  # fmt: skip
    data = record(found.y[:1].T, 0.01, times=times)
    fit = HigherOrderSINDy(order=3, library=Polynomials(2)).fit(data)
    truth = {("q", "q"): -1.0, ("d2q", "q"): -2.017, ("dq^2", "q"): 1.0}
    assert_law(fit.diagnostics["law"], truth)
    assert fit.model.names == ("q", "dq", "d2q")
    assert fit.model.velocities == (("q", "dq"), ("dq", "d2q"))
    assert fit.diagnostics["law"].left("q") == "d^3q/dt^3"


def test_intervals_cover():
    """A damped oscillator, 40 records: 95 % intervals hold 80 true values."""
    clean = positions(lambda t, q, v: [-4 * q[0] - 0.2 * v[0]], [1.0, 0.0], TIMES[:200])
    truth = {"q": -4.0, "dq": -0.2}
    settings = HigherOrderSINDy(library=Polynomials(1), known=(("q", "q"), ("dq", "q")))
    held = []
    for seed in range(40):
        law = settings.fit(record(clean, 0.1, seed, TIMES[:200])).diagnostics["law"]
        for term, value in truth.items():
            low, high = law.coefficient(term, "q").interval
            held.append(low <= value <= high)
    assert np.mean(held) >= 0.875  # 95 %, less three standard errors of 80


@pytest.mark.parametrize("kind", ["white", "walk"])
def test_noise_has_no_law(kind):
    x = np.random.default_rng(2).normal(size=(400, 1))
    fit = HigherOrderSINDy().fit(x.cumsum(axis=0) if kind == "walk" else x)
    assert fit.status is Status.NO_LAW
    assert np.isnan(np.asarray(fit.model.coefficients)).all()
    assert any(f.level == "serious" for f in fit.cautions)


def test_a_missing_term_is_not_papered_over(pendulum):
    fit = HigherOrderSINDy(library=Polynomials(1)).fit(record(pendulum, 0.01))
    assert fit.status is Status.NO_LAW
    assert "residuals-remember" in {f.code for f in fit.cautions}


def test_bordered_is_the_ordinary_problem_where_all_is_measured():
    """Misfit, score, information and moves of the states, with noise in the dynamics as well."""
    q = positions(lambda t, q, v: [-np.sin(q[0]) - 0.1 * v[0]], [2.0, 0.0], TIMES[:60])
    both = np.column_stack([q, np.gradient(q[:, 0], 0.05)])
    nodes = nodes_of([record(both[:25], 0.05, 1, TIMES[:25], ("q", "v")),
                      record(both[25:], 0.05, 2, TIMES[25:60], ("q", "v"))])  # fmt: skip
    terms = Polynomials(2).over(("q", "v"))
    field = ChainField(terms, np.array([[False, True, True, True, False, False]]).T)
    w, states = np.array([-0.9, -0.2, 0.1]), both.copy()
    noise = Noise(measurement=np.array([0.01, 0.02]), dynamical=np.array([0.0, 0.3]))
    plain = linearised(field, w, states, nodes, noise, FlowAdvance())
    moved, tangent, response = FlowAdvance()(
        field, w, states[:-1], (nodes.inputs[:-1], nodes.inputs[1:]), nodes.times[:-1], nodes.steps
    )
    found = bordered(
        tangent, states[1:] - moved, response, nodes.values - states, noise.of_samples(nodes),
        noise.dynamical * nodes.steps[:, None], nodes.linked,
    )  # fmt: skip
    np.testing.assert_allclose(found.gram, plain.gram, rtol=1e-8)
    np.testing.assert_allclose(found.weighted[:, 0], plain.weighted[:, 0], rtol=1e-6, atol=1e-9)
    pull = plain.weighted[:, 0].reshape(-1, 2)
    back = np.zeros_like(states)
    back[1:] += pull
    back[:-1] -= np.einsum("nij,ni->nj", tangent, pull)
    move = nodes.values - noise.of_samples(nodes) * back - states
    np.testing.assert_allclose(found.shift[:, :, 0], move, rtol=1e-6, atol=1e-9)


def test_derivatives_of_a_noisy_sine():
    times = 0.05 * np.arange(600)
    nodes = nodes_of(record(np.sin(times)[:, None], 0.02, times=times))
    smooth = derivatives(nodes, noise_variance(nodes), 2)
    for k, true in enumerate((np.sin(times), np.cos(times), -np.sin(times))):
        assert np.std(smooth[k, 20:-20, 0] - true[20:-20]) < (0.01, 0.02, 0.06)[k]


def test_nothing_can_be_laid_through_two_seen_samples_of_order_three():
    """Data that do not determine the states are an error of linear algebra, not numbers."""
    values = np.zeros((5, 3))
    seen = np.zeros((5, 3), dtype=bool)
    seen[[0, 4], 0] = True
    with pytest.raises(np.linalg.LinAlgError, match="determine"):
        bordered(
            np.broadcast_to(np.eye(3) + np.eye(3, k=1), (4, 3, 3)), np.zeros((4, 3)),
            np.zeros((4, 3, 0)), values, np.where(seen, 1.0, np.inf), np.zeros((4, 3)),
            np.ones(4, dtype=bool),
        )  # fmt: skip


@pytest.mark.parametrize("order", [0, 7, True, 1.5, "2"])
def test_orders_out_of_range_are_refused(order):
    with pytest.raises(InvalidInput, match="order"):
        HigherOrderSINDy(order=order)


def test_names_that_would_stand_twice_are_refused():
    data = Trajectory(times=TIMES, states=np.random.default_rng(0).normal(size=(700, 2)),
                      names=("x", "dx"))  # fmt: skip
    with pytest.raises(InvalidInput, match="Rename"):
        HigherOrderSINDy().fit(data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"library": Delays(3)}, "DelaySINDy"),
        ({"known": (("v", "q"),)}, "one of the terms"),
        ({"library": Expressions("sin(angle)")}, "no column"),
    ],
)
def test_libraries_that_do_not_fit_are_refused(pendulum, settings, message):
    with pytest.raises(InvalidInput, match=message):
        HigherOrderSINDy(**settings).fit(record(pendulum))


def test_order_one_is_the_ordinary_law():
    """Nothing is hidden then; the same machinery, the same answer as without a chain."""
    times = 0.05 * np.arange(300)
    data = record(np.exp(-0.5 * times)[:, None], 0.02, times=times)
    law = HigherOrderSINDy(order=1, library=Polynomials(2)).fit(data).diagnostics["law"]
    assert_law(law, {("q", "q"): -0.5})
    nodes = nodes_of(data)
    field = ChainField(Polynomials(1).over(("q",)), np.array([[False], [True]]))
    noise = Noise(measurement=noise_variance(nodes), dynamical=np.zeros(1))
    shot = shoot(field, np.array([-0.4]), nodes.values, nodes, noise, FlowAdvance())
    assert shot.parameters[0] == pytest.approx(law.coefficient("q", "q").value, rel=1e-3)
