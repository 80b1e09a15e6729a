"""Delay equations against closed-form eigenvalues and the method of steps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import lambertw

from takens.core.errors import InvalidInput
from takens.core.integrators import AbstractIntegrator, RungeKutta
from takens.core.system import parameter, static
from takens.systems.delay import AbstractDelayFlow, DelayedLogistic, LinearDelay, MackeyGlass


class Pursuit(AbstractDelayFlow):
    """Two components, of which the second follows the past of the first."""

    delay: object = parameter(2.0)
    n_nodes: int = static(17)
    integrator: AbstractIntegrator = RungeKutta(0.05)
    components = ("a", "b")

    def delayed_field(self, t, x, x_delayed, u=None):
        push = 0.0 if u is None else u[0]
        return jnp.stack([x[1] + push, x_delayed[0] - x[1]])


def eigenvalues(system, rest):
    jacobian = jax.jacfwd(lambda x: system.vector_field(0.0, x))(rest)
    values = np.linalg.eigvals(np.asarray(jacobian))
    return values[np.argsort(-values.real, kind="stable")]


@pytest.mark.parametrize(("a", "b", "delay"), [(-0.5, -1.0, 1.0), (0.3, -2.0, 1.5), (-1, 0.8, 4.0)])
def test_eigenvalues_of_the_linear_equation(a, b, delay):
    system = LinearDelay(a=a, b=b, delay=delay, n_nodes=33)
    found = eigenvalues(system, jnp.zeros(33))
    branches = lambertw(b * delay * np.exp(-a * delay), np.arange(-4, 5))
    exact = a + branches / delay
    for value in exact[np.argsort(-exact.real)][:5]:
        assert abs(found - value).min() < 1e-10


def test_eigenvalues_converge_spectrally():
    exact = -0.5 + lambertw(-np.exp(0.5), 2)  # a pair further left, which few nodes miss
    errors = [
        abs(eigenvalues(LinearDelay(n_nodes=n), jnp.zeros(n)) - exact).min() for n in (13, 17, 21)
    ]
    assert errors[1] < errors[0] / 200
    assert errors[2] < errors[1] / 500  # each four nodes gain more than the four before


@pytest.mark.parametrize("delay", [1.0, 2.5])
def test_hopf_bifurcation_of_the_delayed_logistic(delay):
    rest = jnp.ones(25)
    at = eigenvalues(DelayedLogistic(rate=np.pi / 2 / delay, delay=delay, n_nodes=25), rest)[:2]
    np.testing.assert_allclose(sorted(at.imag), [-np.pi / 2 / delay, np.pi / 2 / delay], rtol=1e-11)
    np.testing.assert_allclose(at.real, 0, atol=1e-11)
    for factor, sign in ((0.98, -1), (1.02, 1)):
        system = DelayedLogistic(rate=factor * np.pi / 2 / delay, delay=delay, n_nodes=25)
        assert np.sign(eigenvalues(system, rest)[0].real) == sign


def by_steps(system, past, n_delays):
    """The solution by the method of steps: each delay is an ordinary equation, solved tightly."""
    delay, pieces = float(system.delay), [past]

    def rate(t, x, before):
        old = before(t - delay)
        made = float(system.beta) * old / (1 + old ** float(system.exponent))
        return made - float(system.gamma) * x

    for k in range(n_delays):
        start = np.atleast_1d(pieces[-1](k * delay))
        piece = solve_ivp(
            rate,
            (k * delay, (k + 1) * delay),
            start,
            method="DOP853",
            rtol=1e-12,
            atol=1e-13,
            dense_output=True,
            args=(pieces[-1],),
        )
        pieces.append(piece.sol)
    return pieces[1:]


@eqx.filter_jit
def advance(system, dt, x):
    flow = system.integrator
    return flow.advance(system, 0.0, dt, x, None, flow.substeps(dt))


def test_mackey_glass_converges_spectrally_to_the_method_of_steps():
    delay = 17.0
    pieces = by_steps(MackeyGlass(), lambda t: 0.9 + 0.4 * np.cos(0.37 * t), 10)
    origin = 8 * delay  # by then the kink at the start is in the ninth derivative

    def truth(theta):
        return float(pieces[7](origin + float(theta))[0])

    errors = []
    for n, step in ((9, 0.5), (17, 0.25), (33, 0.125)):
        system = MackeyGlass(n_nodes=n, integrator=RungeKutta(step))
        after = advance(system, 1.5 * delay, system.from_history(truth))
        errors.append(abs(float(after[0]) - float(pieces[9](origin + 1.5 * delay)[0])))
    assert errors[0] > 1e-5
    assert errors[1] < errors[0] / 200
    assert errors[2] < 1e-9


def test_history_interpolates():
    system = Pursuit()
    x = system.from_history(lambda theta: jnp.stack([jnp.sin(theta), theta**2]))
    times = jnp.concatenate([jnp.linspace(-2, 0, 7), system.nodes[3:4]])
    past = system.history(x, times)
    exact = np.stack([np.sin(times), np.asarray(times) ** 2], axis=1)
    np.testing.assert_allclose(past, exact, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(system.nodes[jnp.array([0, -1])], [0.0, -2.0])


def test_components_input_and_names():
    system = Pursuit()
    assert system.names[:3] == ("a[0]", "b[0]", "a[1]")
    assert system.dim == 34
    x = system.from_history(lambda theta: jnp.stack([jnp.sin(theta), theta**2]))
    rate = system.vector_field(0.0, x, jnp.array([0.25])).reshape(17, 2)
    np.testing.assert_allclose(rate[0], [0.25, np.sin(-2.0)], atol=1e-14)
    transported = np.stack([np.cos(system.nodes), 2 * np.asarray(system.nodes)], axis=1)
    np.testing.assert_allclose(rate[1:], transported[1:], rtol=0, atol=1e-12)


def test_the_delay_is_a_parameter_like_any_other():
    system = MackeyGlass(n_nodes=9, integrator=RungeKutta(1.0))
    x = jnp.asarray(system.x0)
    delays = jnp.array([12.0, 17.0])
    swept = jax.vmap(lambda d: advance(system.with_parameters(delay=d), 5.0, x))(delays)
    alone = [advance(system.with_parameters(delay=d), 5.0, x) for d in delays]
    np.testing.assert_allclose(swept, jnp.stack(alone), rtol=1e-12)
    assert abs(swept[0] - swept[1]).max() > 1e-3


def test_the_default_step_is_stable_over_the_usual_delays():
    system = MackeyGlass()
    x = jnp.asarray(system.x0)
    delays = jnp.array([4.0, 17.0, 40.0])
    ends = jax.vmap(lambda d: advance(system.with_parameters(delay=d), 300.0, x)[0])(delays)
    assert ends[0] == pytest.approx(1.0, abs=1e-3)  # the equilibrium is stable below a delay of 4.7
    assert (abs(ends[1:] - 0.8) < 0.7).all()


def test_a_step_too_long_for_the_nodes_is_seen():
    system = LinearDelay(n_nodes=33, integrator=RungeKutta(0.5))
    assert np.isnan(advance(system, 50.0, jnp.ones(33))).all()  # the true solution decays


@pytest.mark.parametrize("n_nodes", [2, 8.0])
def test_a_history_too_coarse_is_refused(n_nodes):
    with pytest.raises(InvalidInput, match=r"n_nodes = .*; expected a whole number, 3 or more"):
        MackeyGlass(n_nodes=n_nodes)
