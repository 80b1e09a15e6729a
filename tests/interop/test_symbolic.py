"""Equations against the systems they were read from."""

from __future__ import annotations

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import learn, systems
from takens.core import InvalidInput, MissingDependency, WrongKind
from takens.core.integrators import Adaptive, EulerMaruyama, RungeKutta
from takens.core.system import AbstractDiffusion, AbstractFlow, AbstractMap, parameter, static
from takens.interop import symbolic
from takens.systems import HenonMap, LogisticMap, Lorenz63

sp = pytest.importorskip("sympy")

RNG = np.random.default_rng(3)
SMALL = {entry.name: entry.system for entry in systems.catalogue() if entry.dim <= 8}


def run(source, name, *arguments, **keywords):
    space = {}
    exec(source, space)
    return np.array(space[name](*arguments, **keywords))


class Noisy(AbstractDiffusion):
    """A diffusion with noise in two channels that share a state."""

    rate: object = parameter(0.7)
    level: object = parameter([[0.2, 0.0], [0.1, 0.3]])
    names: tuple[str, ...] = static(("theta", "wind speed"))
    integrator: EulerMaruyama = EulerMaruyama(0.1)

    def drift(self, t, x, u=None):
        return jnp.stack([-self.rate * x[0] ** 3 + jnp.sin(t), x[0] * 0.0])

    def diffusion(self, t, x, u=None):
        return self.level * x[0]


class Cornered(AbstractMap):
    """Pieces, a driver, and names that are no identifiers."""

    slope: object = parameter(1.7)
    names: tuple[str, ...] = static(("x", "x_", "lambda", "2nd"))

    def step(self, n, x, u=None):
        tent = jnp.where(x[0] < 0.5, self.slope * x[0], self.slope * (1 - x[0]))
        wrapped = jnp.mod(x[1] + n, 2.0)
        rest = jnp.maximum(jnp.abs(x[2]), 0.1) + jnp.sign(x[3]) * jnp.floor(3 * x[3])
        return jnp.stack([tent, wrapped, rest, u[0] * x[3] + jnp.tanh(u[1])])


class Neural(AbstractFlow):
    net: eqx.nn.MLP
    names: tuple[str, ...] = static(("x", "y"))
    integrator: Adaptive = Adaptive()

    def vector_field(self, t, x, u=None):
        return self.net(x)


@pytest.mark.parametrize("name", SMALL)
def test_python_source_repeats_every_known_system(name):
    system = SMALL[name]()
    x = np.asarray(system.x0) + 0.01 * RNG.normal(size=system.dim)
    u = 0.3 * np.ones(len(system.inputs)) if system.inputs else None
    equations = symbolic(system)
    methods = {"map": ["step"], "flow": ["vector_field"], "diffusion": ["drift", "diffusion"]}
    for method in methods[equations.kind]:
        want = getattr(system, method)(0.0, jnp.asarray(x), u)
        found = run(equations.python(), method, 0.0, list(x), u)
        scale = np.abs(want).max()
        np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12 * scale)


@pytest.mark.parametrize("system", [Lorenz63(), HenonMap()], ids=["flow", "map"])
def test_jacobian_is_that_of_jax(system):
    equations = symbolic(system)
    x = np.asarray(system.x0)
    method = system.vector_field if equations.kind == "flow" else system.step
    values = {**equations.values, **dict(zip(equations.states, x, strict=True))}
    found = np.array(equations.jacobian().subs(values), dtype=float)
    np.testing.assert_allclose(found, jax.jacfwd(lambda x: method(0.0, x))(x), rtol=1e-12)


def test_equations_of_a_flow_and_a_map():
    lorenz = symbolic(Lorenz63())
    sigma, rho, beta, t = sp.symbols("sigma rho beta t")
    x, y, z = (sp.Function(name)(t) for name in "xyz")
    right = [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]
    for equation, state, rate in zip(lorenz.equations, (x, y, z), right, strict=True):
        assert equation.lhs == sp.Derivative(state, t)
        assert sp.expand(equation.rhs - rate) == 0
    assert lorenz.values == {sigma: 10.0, rho: 28.0, beta: 8 / 3}
    assert lorenz.folded().right[0].free_symbols == set(sp.symbols("x y"))
    n, r = sp.symbols("n r")
    x = sp.Function("x")
    (equation,) = symbolic(LogisticMap()).equations
    assert equation.lhs == x(n + 1)
    assert sp.expand(equation.rhs - r * x(n) * (1 - x(n))) == 0


def test_parameters_as_keywords_and_as_numbers():
    found = run(symbolic(Lorenz63()).python(), "vector_field", 0.0, [1.0, 2.0, 3.0], rho=20.0)
    np.testing.assert_allclose(found, [10.0, 15.0, -6.0])
    numbers = symbolic(Lorenz63(), parameters="numbers")
    assert numbers.values == {}
    assert "rho" not in numbers.python()
    assert numbers.latex() == symbolic(Lorenz63()).folded().latex()


def test_a_diffusion_has_drift_and_noise():
    system, x = Noisy(), np.array([0.4, 2.0])
    equations = symbolic(system)
    found = run(equations.python(), "drift", 0.3, x)
    np.testing.assert_allclose(found, system.drift(0.3, x), rtol=1e-12)
    found = run(equations.python(), "diffusion", 0.3, x)
    np.testing.assert_allclose(found, system.diffusion(0.3, x), rtol=1e-12)
    assert str(equations.states[1]) == "wind_speed"
    first, second = equations.equations
    theta, dw1, dw2 = sp.symbols("theta dW1 dW2")
    assert first.lhs == sp.Symbol("dtheta")
    assert second.rhs.coeff(dw2) == theta * sp.Symbol("level_1_1")
    assert sp.diff(first.rhs, dw1) == theta * sp.Symbol("level_0_0")
    text = equations.latex()
    assert r"\mathrm{d}\theta &= \left(- \mathrm{rate}\,\theta^{3} + \sin" in text
    assert (
        r"\mathrm{wind\ speed} &= \left(\mathrm{level}_{1,0}\,\theta\right) \mathrm{d}W_{1}" in text
    )


def test_pieces_inputs_and_odd_names():
    system = Cornered()
    equations = symbolic(system, n_inputs=2)
    assert [str(s) for s in equations.states] == ["x", "x_", "lambda_", "x2nd"]
    for x in ([0.3, -0.7, 0.05, -1.9], [0.8, 3.3, -2.0, 0.9]):
        u = np.array([0.5, -0.2])
        want = system.step(3.0, jnp.asarray(x), u)
        np.testing.assert_allclose(run(equations.python(), "step", 3.0, x, u), want, rtol=1e-12)
    assert r"\text{for}\: x_{n} < 0.5" in equations.latex()


def test_a_network_has_equations_too():
    flow = Neural(net=eqx.nn.MLP(2, 2, 6, 2, activation=jnp.tanh, key=jax.random.key(0)))
    equations = symbolic(flow, parameters="numbers")
    x = np.array([0.3, -0.8])
    found = run(equations.python(), "vector_field", 0.0, x)
    np.testing.assert_allclose(found, flow.vector_field(0.0, x), rtol=1e-12)
    assert "c0 = math.tanh" in equations.python()  # shared by both components


def delayed(x, model):
    return model.observe(model.step(0, model.encode(jnp.asarray(x))))


def test_learned_maps_have_equations_between_observations():
    x = [0.3]
    for _ in range(300):
        x.append(3.9 * x[-1] * (1 - x[-1]))
    data = np.stack([x, np.roll(x, 3) * 5 + 2], axis=1)
    for estimator in (
        learn.NVAR(n_lags=2, spacing=2, degree=2, noise=1e-4),
        learn.LinearAutoregression(order=3),
    ):
        model = estimator.fit(data).model
        recent = data[100 : 100 + model.window]
        want = delayed(recent, model)
        for equations in (symbolic(model), symbolic(model).folded().expanded()):
            found = run(equations.python(), "step", 0, recent[::-1].reshape(-1))
            np.testing.assert_allclose(found[:2], want, rtol=1e-12)
            np.testing.assert_array_equal(found[2:], recent[::-1].reshape(-1)[:-2])
        inner = symbolic(model, coordinates="state")
        state = np.asarray(model.encode(jnp.asarray(recent)))
        found = run(inner.python(), "step", 0, state)
        np.testing.assert_allclose(found, model.step(0, state), rtol=1e-12, atol=1e-13)
    logistic = learn.NVAR(n_lags=1, spacing=1, degree=2, noise=1e-6).fit(np.array(x)).model
    right = symbolic(logistic, parameters="numbers").expanded().right[0]
    coefficients = [float(right.coeff(sp.Symbol("x"), k)) for k in (0, 1, 2)]
    np.testing.assert_allclose(coefficients, [0.0, 3.9, -3.9], atol=1e-6)


def test_latex_of_a_delay_map_leaves_out_what_only_remembers():
    model = learn.LinearAutoregression(order=3).fit(np.cos(0.3 * np.arange(90.0))).model
    text = symbolic(model, parameters="numbers").expanded().latex(digits=3)
    assert text.count("&=") == 1
    assert "x_{n+1} &=" in text
    assert "x_{n-2}" in text


def test_latex_of_words_subscripts_and_clashes():
    text = symbolic(Named()).latex()
    assert r"\frac{\mathrm{d}}{\mathrm{d}t} \mathrm{voltage} &= " in text
    assert r"\mathrm{forcing}_{\mathrm{jet}}\,\mathrm{voltage}" in text
    assert r"\dot{p_{x}} &= p_{x} + 0.3333\,\tilde{p_{x}}" in text  # neither 0.33330 nor 1.0 p


class Named(AbstractFlow):
    forcing_jet: object = parameter(1.0)
    p_x: object = parameter(2.0)  # as a state is called
    names: tuple[str, ...] = static(("voltage", "p_x"))
    integrator: RungeKutta = RungeKutta(0.25)

    def vector_field(self, t, x, u=None):
        return jnp.stack([self.forcing_jet * x[0], self.p_x / 3.00000001 + 1.0000001 * x[1]])


def test_what_has_no_equations_is_refused():
    with pytest.raises(WrongKind, match="no expression in SymPy"):
        symbolic(learn.Analog().fit(RNG.normal(size=80)).model)
    with pytest.raises(WrongKind, match=r"primitive 'nextafter'.*no expression"):  # of diffrax
        symbolic(Lorenz63(integrator=Adaptive()).as_map(0.1))
    with pytest.raises(WrongKind, match=r"fit\.model"):
        symbolic(learn.Persistence().fit(np.arange(40.0)))
    with pytest.raises(InvalidInput, match=r"'both' was given.*'symbols', 'numbers'"):
        symbolic(Lorenz63(), parameters="both")
    with pytest.raises(InvalidInput, match=r"'pixels' was given.*'observed', 'state'"):
        symbolic(Lorenz63(), coordinates="pixels")


def test_a_time_map_of_fixed_steps_has_equations():
    evolution = LinearDecay().as_map(1.0)
    right = symbolic(evolution, parameters="numbers").expanded().right[0]
    assert float(right.coeff(sp.Symbol("x"))) == pytest.approx(np.exp(-1), rel=1e-9)


class LinearDecay(AbstractFlow):
    names: tuple[str, ...] = static(("x",))
    integrator: RungeKutta = RungeKutta(0.25)

    def vector_field(self, t, x, u=None):
        return -x


def test_without_sympy_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    with pytest.raises(MissingDependency, match=r"takens\[symbolic\]"):
        symbolic(Lorenz63())
