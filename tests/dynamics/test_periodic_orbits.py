"""Cycles and closed orbits against closed forms, known counts and published periods."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.integrators import AbstractIntegrator, EulerMaruyama, RungeKutta
from takens.core.system import AbstractDiffusion, AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import period_doublings, periodic_orbits
from takens.learn import LinearAutoregression
from takens.systems import HenonMap, LogisticMap, Lorenz63


class Twist(AbstractFlow):
    """r' = mu r (1 - r^2), angle' = omega - gamma r^2: Stuart and Landau with shear."""

    mu: object = parameter(0.1)
    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        r2 = x @ x
        rate = 4.0 - 1.0 * r2
        return jnp.stack(
            [
                self.mu * (1 - r2) * x[0] - rate * x[1],
                self.mu * (1 - r2) * x[1] + rate * x[0],
            ]
        )


class VanDerPol(AbstractFlow):
    mu: object = parameter(1.0)
    names: tuple[str, ...] = static(("x", "v"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return jnp.stack([x[1], self.mu * (1 - x[0] ** 2) * x[1] - x[0]])


class Shift(AbstractMap):
    """No cycle at all."""

    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return x + 1 + 0.1 * jnp.sin(x)


class Noise(AbstractDiffusion):
    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.1)

    def drift(self, t, x, u=None):
        return -x

    def diffusion(self, t, x, u=None):
        return jnp.ones((1, 1))


@pytest.fixture(scope="module")
def henon():
    return periodic_orbits(HenonMap(), [[0.6, 0.2]])


def test_the_number_of_henon_cycles(henon):
    assert [henon.count(p) for p in range(1, 9)] == [2, 1, 0, 1, 0, 2, 4, 7]


def test_henon_cycles_are_cycles_with_their_determinant(henon):
    for points, period, values in zip(henon.orbits, henon.periods, henon.multipliers, strict=True):
        image = np.stack([1 - 1.4 * points[:, 0] ** 2 + points[:, 1], 0.3 * points[:, 0]], axis=1)
        np.testing.assert_allclose(image, np.roll(points, -1, axis=0), atol=1e-12)
        assert np.prod(values).real == pytest.approx((-0.3) ** period, rel=1e-6)
    assert henon.error.max() < 1e-11
    assert set(henon.types) == {"saddle"}


def test_henon_cycle_of_period_two_in_closed_form(henon):
    # The two x are the roots of a^2 x^2 - a (1 - b) x + (1 - b)^2 - a = 0.
    a, b = 1.4, 0.3
    roots = np.roots([a**2, -a * (1 - b), (1 - b) ** 2 - a])
    found = henon.orbits[int(np.nonzero(henon.periods == 2)[0][0])]
    np.testing.assert_allclose(np.sort(found[:, 0]), np.sort(roots), atol=1e-13)


def test_logistic_cycles_at_four_have_powers_of_two():
    found = periodic_orbits(LogisticMap(r=4.0), [[0.3]], max_period=6)
    assert [found.count(p) for p in range(1, 7)] == [2, 1, 2, 3, 6, 9]
    inner = [i for i, o in enumerate(found.orbits) if np.abs(o).min() > 1e-9]
    np.testing.assert_allclose(
        np.abs(found.multipliers[inner, 0]), 2.0 ** found.periods[inner], rtol=1e-9
    )
    # The end of the interval is a fixed point of slope r, not 2.
    at_zero = [i for i, o in enumerate(found.orbits) if np.abs(o).min() <= 1e-9]
    assert found.multipliers[at_zero, 0].real == pytest.approx([4.0])


def test_logistic_cycles_of_period_two_and_three_in_closed_form():
    r = 3.3
    two = periodic_orbits(LogisticMap(r=r), [[0.3]], max_period=2)
    i = int(np.nonzero(two.periods == 2)[0][0])
    exact = (r + 1 + np.array([-1, 1]) * np.sqrt((r - 3) * (r + 1))) / (2 * r)
    np.testing.assert_allclose(two.orbits[i][:, 0], exact, atol=1e-13)
    assert two.multipliers[i, 0].real == pytest.approx(4 + 2 * r - r**2, abs=1e-12)
    assert two.stable[i]
    # The window of period three opens at 1 + sqrt 8; its stable cycle is superstable where one
    # half is on the cycle: f^3(1/2) = 1/2.
    r = 3.8318740552833155
    three = periodic_orbits(LogisticMap(r=r), [[0.3]], max_period=3)
    values = three.multipliers[three.periods == 3, 0].real
    assert len(values) == 2
    assert np.abs(values).min() < 1e-9
    assert np.abs(values).max() > 1
    assert periodic_orbits(LogisticMap(r=1 + 8**0.5 - 1e-3), [[0.3]], max_period=3).count(3) == 0


@pytest.mark.parametrize("mu", [0.1, -0.1])
def test_a_twisted_normal_form_stable_and_unstable(mu):
    starts = [[1.01, 0.0], [0.98, 0.1]]
    found = periodic_orbits(
        Twist(mu=mu), starts, max_period=3.0, dt=0.1, n_steps=60, n_transient=1, n_starts=8
    )
    period = 2 * np.pi / 3
    assert len(found) == 1
    assert found.periods[0] == pytest.approx(period, abs=1e-9)
    assert abs(found.periods[0] - period) <= 10 * found.period_error[0] + 1e-13
    across = found.multipliers[0, np.argmax(np.abs(found.multipliers[0] - 1))]
    assert across.real == pytest.approx(np.exp(-2 * mu * period), rel=1e-7)
    assert found.trivial_error[0] < 1e-8
    assert found.types[0].startswith("stable" if mu > 0 else "unstable")
    np.testing.assert_allclose(np.linalg.norm(found.orbits[0], axis=1), 1, atol=1e-9)


def test_van_der_pol_period_and_liouville():
    system = VanDerPol()
    found = periodic_orbits(system, [[1.0, 1.0]], max_period=14.0, dt=0.1, n_steps=300, n_starts=4)
    assert len(found) == 1  # and not twice around as well

    def field(t, x):
        return [x[1], (1 - x[0] ** 2) * x[1] - x[0], 1 - x[0] ** 2]

    up = lambda t, x: x[0]
    up.direction, up.terminal = 1, 9
    run = scipy.integrate.solve_ivp(
        field, (0, 60), [1, 1, 0], events=up, method="DOP853", rtol=1e-12, atol=1e-13
    )
    times, states = run.t_events[0], run.y_events[0]
    assert found.periods[0] == pytest.approx(times[-1] - times[-2], abs=1e-9)
    # Liouville: the product of the multipliers is exp of the integral of the divergence.
    liouville = np.exp(states[-1][2] - states[-2][2])
    assert np.prod(found.multipliers[0]).real == pytest.approx(liouville, rel=1e-6)
    assert found.stable.tolist() == [True]


def test_lorenz_orbit_ab():
    # Viswanath, Nonlinearity 16, 1035 (2003): the period of the shortest orbit, AB.
    found = periodic_orbits(
        Lorenz63(integrator=RungeKutta(0.005)), [[1.0, 1.0, 20.0]], max_period=1.7, dt=0.02,
        n_steps=1000, n_starts=16,
    )  # fmt: skip
    assert len(found) == 1
    assert found.periods[0] == pytest.approx(1.5586522107161747, abs=1e-13)
    assert found.trivial_error[0] < 1e-11
    assert found.types == ("saddle",)
    # Liouville with the constant divergence; the smallest multiplier is what is left.
    assert found.multipliers[0, 0].real == pytest.approx(4.7129473, abs=1e-6)
    assert np.prod(found.multipliers[0]).real == pytest.approx(
        np.exp(-41 / 3 * found.periods[0]), rel=1e-3
    )


def test_logistic_cascade():
    found = period_doublings(LogisticMap(), "r", (2.5, 3.57), [0.4])
    assert found.periods.tolist() == [1, 2, 4, 8, 16, 32]
    assert found.values[0] == pytest.approx(3.0, abs=1e-13)
    assert found.values[1] == pytest.approx(1 + 6**0.5, abs=1e-13)
    assert abs(found.values[1] - 1 - 6**0.5) <= found.error[1]
    # r_3 is algebraic: a root of Kotsireas and Karamanos' polynomial of degree 12
    np.testing.assert_allclose(found.values[2:4], [3.5440903595519, 3.5644072660954], atol=1e-12)
    assert found.ratios[-1] == pytest.approx(4.669201609, abs=1e-3)
    low, high = found.accumulation.interval
    assert low < 3.5699456718709 < high
    assert high - low < 1e-4


def test_henon_cascade_starts_in_closed_form():
    found = period_doublings(HenonMap(), "a", (0.2, 1.1), [0.1, 0.1], n_doublings=3)
    # Fixed point: a = 3 (1 - b)^2 / 4. Cycle of two: a = (1 - b)^2 + (1 + b)^2 / 4.
    assert found.values[:2] == pytest.approx([3 * 0.49 / 4, 0.49 + 1.69 / 4], abs=1e-12)


def test_a_cascade_that_ends_says_so():
    found = period_doublings(LogisticMap(), "r", (2.5, 3.5), [0.4])
    assert len(found.values) == 2
    assert found.cautions[0].code == "cascade-ends"
    none = period_doublings(LogisticMap(), "r", (2.5, 2.9), [0.4], throw=False)
    assert none.status is Status.NOT_CONVERGED


def test_none_is_a_failure():
    with pytest.raises(NumericalFailure):
        periodic_orbits(Shift(), [[0.3]], max_period=2, n_starts=16)
    lost = periodic_orbits(Shift(), [[0.3]], max_period=2, n_starts=16, throw=False)
    assert lost.status is Status.NOT_CONVERGED
    assert len(lost) == 0


def test_a_learned_model_is_asked_the_same():
    model = LinearAutoregression().fit(np.sin(0.3 * np.arange(300)) + 0.1).model
    found = periodic_orbits(
        model, [np.linspace(0, 1, model.dim)], max_period=1, n_starts=8, n_steps=50
    )
    assert found.count(1) == 1


def test_refusals_say_what_to_do():
    with pytest.raises(WrongKind, match="diffusion"):
        periodic_orbits(Noise(), [[0.1]])
    with pytest.raises(WrongKind, match="poincare_map"):
        period_doublings(Lorenz63(), "rho", (1, 2), [0.1, 0.1, 0.1])
    with pytest.raises(InvalidInput, match=r"expected \(sample, 2\)"):
        periodic_orbits(HenonMap(), [0.1, 0.1])
    with pytest.raises(InvalidInput, match="max_period = -1"):
        periodic_orbits(HenonMap(), [[0.1, 0.1]], max_period=-1)
    with pytest.raises(InvalidInput, match="shorter than max_period"):
        periodic_orbits(VanDerPol(), [[0.1, 0.1]], max_period=1.0, dt=2.0)
    with pytest.raises(InvalidInput, match="no parameter 'q'"):
        period_doublings(LogisticMap(), "q", (1, 2), [0.1])
