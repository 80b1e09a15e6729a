"""Fields against exact solutions, linear theory and a controlled integrator."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens.core.errors import InvalidInput, WrongKind
from takens.core.integrators import Adaptive, RungeKutta
from takens.core.system import AbstractFlow, TimeMap, parameter
from takens.systems.etdrk4 import ETDRK4, phi_functions
from takens.systems.fields import (
    Burgers,
    ComplexGinzburgLandau,
    FisherKPP,
    KortewegDeVries,
    KuramotoSivashinsky,
)
from takens.systems.patterns import BrusselatorField, GrayScott

LINES = [KuramotoSivashinsky, Burgers, KortewegDeVries, FisherKPP, ComplexGinzburgLandau]
PLANES = [BrusselatorField, GrayScott]


@eqx.filter_jit
def advance(field, dt, x):
    return field.integrator.advance(field, 0.0, dt, x, None, field.integrator.substeps(dt))


@eqx.filter_jit
def march(step, x, n):
    def one(i, y):  # a bound method of a traced module cannot be hashed
        return step.step(i, y)

    return jax.lax.fori_loop(0, n, one, x)


def smooth(field, amplitude=0.3):
    """A generic state with few modes."""
    phase = 2 * np.pi * np.asarray(field.grid) / float(field.length)
    wave = amplitude * (np.cos(phase) + 0.7 * np.sin(2 * phase) + 0.2 * np.cos(3 * phase + 1))
    if field.axes == 2:
        wave = wave[:, None] * np.cos(phase)
    shifts = 1.0 + 0.5 * np.arange(len(field.components))
    return jnp.asarray(np.concatenate([(wave + s).ravel() for s in shifts]))


def contour(z, k):
    """Cauchy's integral over a circle, as Kassam and Trefethen (2005), eq. 2.8, on 64 points.

    Radius 3 keeps the circle away from zero, where the integrand cancels, for each z of the test.
    """
    circle = z + 3 * np.exp(2j * np.pi * (np.arange(64) + 0.5) / 64)
    value = (np.exp(circle) - sum(circle**j / [1, 1, 2][j] for j in range(k))) / circle**k
    return value.mean()


@pytest.mark.parametrize("z", [0.0, 1e-9, -0.4, 0.999, -1.001, 2j, 0.6 + 0.8j, -30.0, -900.0])
def test_coefficients_are_those_of_the_contour(z):
    for k, phi in enumerate(phi_functions(jnp.asarray(z)), 1):
        np.testing.assert_allclose(phi, contour(z, k), rtol=3e-13, atol=1e-15)


def test_coefficients_can_be_differentiated_through_zero():
    for k, phi in enumerate((1 / 2, 1 / 6, 1 / 24)):
        slope = jax.grad(lambda z, k=k: phi_functions(z)[k])(0.0)
        assert slope == pytest.approx(phi, rel=1e-14)


@pytest.mark.parametrize("make", [*LINES, *PLANES])
def test_layout(make):
    field = make(n_points=16)
    x = smooth(field)
    assert len(field.names) == field.dim == x.size == len(set(field.names))
    assert field.names[0] == f"{field.components[0]}[{','.join('0' * field.axes)}]"
    np.testing.assert_allclose(field.from_modes(field.to_modes(x)), x, rtol=0, atol=1e-14)
    assert field.on_grid(jnp.stack([x, x])).shape == (2, *field.on_grid(x).shape)


@pytest.mark.parametrize("make", [*LINES, *PLANES])
def test_mean_is_conserved_where_the_class_says_so(make):
    field = make(n_points=16)
    x = smooth(field) * jnp.linspace(0.9, 1.3, field.dim)
    drift = abs(field.on_grid(field.vector_field(0.0, x))[0].mean())
    assert (drift < 1e-13) == field.conserves_mean


def direct(field, x):
    """Rates from the formula on the grid, with matrices for derivatives."""
    n, length = field.n_points, float(field.length)
    k = 2 * np.pi / length * np.fft.fftfreq(n, 1 / n)
    inverse = np.linalg.inv(np.fft.fft(np.eye(n)))

    def d(p):
        return (inverse @ np.diag((1j * k) ** p) @ np.fft.fft(np.eye(n))).real

    values = np.asarray(field.on_grid(x))
    if isinstance(field, ComplexGinzburgLandau):
        a = values[0] + 1j * values[1]
        rate = a + (1 + 1j * float(field.alpha)) * (d(2) @ a)
        rate -= (1 + 1j * float(field.beta)) * abs(a) ** 2 * a
        return np.concatenate([rate.real, rate.imag])
    if field.axes == 2:
        one, two = values
        flat1, flat2 = (d(2) @ w + w @ d(2).T for w in (one, two))
        if isinstance(field, BrusselatorField):
            made = one**2 * two
            a, b = float(field.a), float(field.b)
            first, second = a - (b + 1) * one + made, b * one - made
        else:
            made = one * two**2
            feed, kill = float(field.feed), float(field.kill)
            first, second = -made + feed * (1 - one), made - (feed + kill) * two
        first = first + float(field.diffusivity_u) * flat1
        second = second + float(field.diffusivity_v) * flat2
        return np.concatenate([first.ravel(), second.ravel()])
    u = values[0]
    rates = {
        KuramotoSivashinsky: lambda: -u * (d(1) @ u) - d(2) @ u - d(4) @ u,
        Burgers: lambda: -u * (d(1) @ u) + float(field.viscosity) * d(2) @ u,
        KortewegDeVries: lambda: -6 * u * (d(1) @ u) - d(3) @ u,
        FisherKPP: lambda: float(field.diffusivity) * d(2) @ u + float(field.rate) * u * (1 - u),
    }
    return rates[type(field)]()


@pytest.mark.parametrize("make", [*LINES, *PLANES])
def test_vector_field_is_the_equation(make):
    field = make(n_points=40)  # enough for the product of three waves of the start to be kept
    x = smooth(field)
    np.testing.assert_allclose(field.vector_field(0.0, x), direct(field, x), rtol=0, atol=2e-11)


@pytest.mark.parametrize("make", [*LINES, *PLANES])
def test_etdrk4_agrees_with_a_controlled_integrator(make):
    field = make(n_points=16)
    span = min(0.5 * field.integrator.max_step, 0.1)
    x = smooth(field)
    exact = advance(eqx.tree_at(lambda f: f.integrator, field, Adaptive(1e-10, 1e-12)), span, x)
    fine = eqx.tree_at(lambda f: f.integrator, field, ETDRK4(span / 64))
    np.testing.assert_allclose(advance(fine, span, x), exact, rtol=0, atol=2e-10)


@pytest.mark.parametrize(
    "field", [FisherKPP(length=20.0, n_points=32), KortewegDeVries(length=12.0, n_points=32)]
)
def test_etdrk4_is_of_order_four(field):
    states = [march(TimeMap(field, 0.4 / n), smooth(field), jnp.asarray(n)) for n in (20, 40, 80)]
    coarse, fine = (float(abs(b - a).max()) for a, b in itertools.pairwise(states))
    assert fine > 1e-12  # above rounding, so that the ratio means something
    assert np.log2(coarse / fine) == pytest.approx(4, abs=0.25)


def test_etdrk4_refuses_a_flow_without_a_symbol():
    class Decay(AbstractFlow):
        rate: object = parameter(1.0)
        integrator: object = ETDRK4(0.1)
        names: tuple[str, ...] = ("x",)

        def vector_field(self, t, x, u=None):
            return -self.rate * x

    with pytest.raises(
        WrongKind, match="ETDRK4 was asked to integrate Decay; it needs an Abstract"
    ):
        Decay().as_map(0.1).step(0, jnp.ones(1))


def cole_hopf(field, t, n_points):
    """The exact solution from u = -sin(x) at t = 0, by quadrature of the heat kernel."""
    viscosity = float(field.viscosity)
    y, weight = np.polynomial.hermite.hermgauss(200)
    points = 2 * np.pi * np.arange(n_points) / n_points
    eta = points[:, None] - np.sqrt(4 * viscosity * t) * y
    # theta = exp(-(1/2 nu) int u) with int -sin = cos; u = -2 nu theta_x / theta.
    heat = np.exp(-(np.cos(eta) - 1) / (2 * viscosity)) * weight
    slope = heat * np.sin(eta) / (2 * viscosity)
    return -2 * viscosity * slope.sum(1) / heat.sum(1)


def test_burgers_converges_spectrally_to_cole_hopf():
    errors = []
    for n in (32, 64, 128):
        field = Burgers(viscosity=0.2, n_points=n, integrator=ETDRK4(0.005))
        start = -jnp.sin(field.grid)
        errors.append(float(abs(advance(field, 1.0, start) - cole_hopf(field, 1.0, n)).max()))
    assert errors[0] < 2e-3
    assert (
        errors[1] < errors[0] * 1e-2
    )  # each doubling squares the error, until the time step shows
    assert errors[2] < 2e-9


def test_fisher_front_moves_at_its_exact_speed():
    field = FisherKPP(length=160.0, n_points=512, integrator=ETDRK4(0.02))

    def fronts(t):  # Ablowitz and Zeppetella (1979), one to each side
        z = abs(np.asarray(field.grid) - 80.0) - 40.0 - 5 / np.sqrt(6) * t
        return (1 + np.exp(z / np.sqrt(6))) ** -2

    moved = advance(field, 4.0, jnp.asarray(fronts(0.0)))
    np.testing.assert_allclose(moved, fronts(4.0), rtol=0, atol=2e-6)
    assert abs(fronts(4.0) - fronts(0.0)).max() > 0.5


def test_soliton_keeps_its_shape():
    field = KortewegDeVries(length=40.0, n_points=256, integrator=ETDRK4(0.001))
    speed = 2.0

    def soliton(t):
        return speed / 2 / np.cosh(np.sqrt(speed) / 2 * (field.grid - 15.0 - speed * t)) ** 2

    np.testing.assert_allclose(advance(field, 1.0, soliton(0.0)), soliton(1.0), rtol=0, atol=1e-8)


def test_plane_wave_of_ginzburg_landau():
    field = ComplexGinzburgLandau(
        alpha=0.5, beta=-0.7, length=20.0, n_points=32, integrator=ETDRK4(0.01)
    )
    q = 2 * np.pi / 20.0
    frequency = 0.5 * q**2 - 0.7 * (1 - q**2)

    def wave(t):
        a = np.sqrt(1 - q**2) * np.exp(1j * (q * np.asarray(field.grid) - frequency * t))
        return jnp.asarray(np.concatenate([a.real, a.imag]))

    np.testing.assert_allclose(advance(field, 3.0, wave(0.0)), wave(3.0), rtol=0, atol=1e-8)


@pytest.mark.parametrize("waves", [1, 2, 4])
def test_growth_of_benjamin_and_feir(waves):
    alpha, beta, span = 2.0, -1.5, 1.5
    field = ComplexGinzburgLandau(
        alpha=alpha, beta=beta, length=20.0, n_points=32, integrator=ETDRK4(0.01)
    )
    k = 2 * np.pi * waves / 20.0
    shape = np.cos(k * np.asarray(field.grid))
    uniform = jnp.concatenate([jnp.ones(32), jnp.zeros(32)])
    # The linear problem in the frame that turns at -beta, for (real, imaginary) times cos(k x).
    rates = np.array([[-(k**2) - 2, alpha * k**2], [-alpha * k**2 - 2 * beta, -(k**2)]])
    growth, vectors = np.linalg.eig(rates)
    leading = np.argmax(growth.real)
    root = np.emath.sqrt(1 - alpha**2 * k**4 - 2 * alpha * beta * k**2)
    assert growth[leading] == pytest.approx(-1 - k**2 + root)
    real, imaginary = vectors[:, leading].real
    nudge = jnp.asarray(np.concatenate([real * shape, imaginary * shape]))
    _, tangent = jax.jvp(lambda x: advance(field, span, x), (uniform,), (nudge,))
    turned = (np.asarray(tangent[:32]) + 1j * np.asarray(tangent[32:])) * np.exp(1j * beta * span)
    expected = np.exp(growth[leading].real * span) * (real + 1j * imaginary) * shape
    np.testing.assert_allclose(turned, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("waves", [(0, 3), (2, 2), (1, 0)])
def test_growth_of_a_turing_pattern(waves):
    field = BrusselatorField(n_points=16, length=20.0)
    a, b, du, dv = (float(v) for v in (field.a, field.b, field.diffusivity_u, field.diffusivity_v))
    places = 2 * np.pi * np.asarray(field.grid) / 20.0
    shape = np.cos(waves[0] * places)[:, None] * np.cos(waves[1] * places)
    k2 = (2 * np.pi / 20.0) ** 2 * (waves[0] ** 2 + waves[1] ** 2)
    rates = np.array([[b - 1 - du * k2, a**2], [-b, -(a**2) - dv * k2]])
    uniform = jnp.concatenate([jnp.full(256, a), jnp.full(256, b / a)])
    for vector in np.eye(2):
        nudge = jnp.asarray(np.concatenate([v * shape.ravel() for v in vector]))
        _, slope = jax.jvp(lambda x: field.vector_field(0.0, x), (uniform,), (nudge,))
        expected = np.concatenate([v * shape.ravel() for v in rates @ vector])
        np.testing.assert_allclose(slope, expected, rtol=0, atol=1e-11)


def test_turing_threshold_of_the_brusselator():
    field = BrusselatorField()
    a, ratio = float(field.a), float(jnp.sqrt(field.diffusivity_u / field.diffusivity_v))
    k2 = np.linspace(0, 2, 2001)
    for factor, unstable in ((0.99, False), (1.01, True)):
        b = factor * (1 + a * ratio) ** 2
        one = b - 1 - float(field.diffusivity_u) * k2
        two = -(a**2) - float(field.diffusivity_v) * k2
        assert (one * two + b * a**2 < 0).any() == unstable
    assert float(field.b) > (1 + a * ratio) ** 2  # patterns at the default values


def test_spots_of_gray_and_scott_stay_bounded_and_the_empty_state_rests():
    field = GrayScott(n_points=32, length=0.625)
    empty = jnp.concatenate([jnp.ones(32 * 32), jnp.zeros(32 * 32)])
    np.testing.assert_allclose(advance(field, 20.0, empty), empty, rtol=0, atol=1e-13)
    spot = np.exp(-((np.asarray(field.grid) - 0.3) ** 2) / 0.005)
    patch = jnp.asarray((spot[:, None] * spot).ravel())
    after = advance(field, 60.0, jnp.concatenate([1 - 0.5 * patch, 0.25 * patch]))
    one, two = field.on_grid(after)
    assert 0.2 < float(two.max()) < 1
    assert float(one.min()) > 0


def test_one_program_serves_a_sweep_of_length():
    field = KuramotoSivashinsky(n_points=32)
    x = smooth(field)

    def moved(length):
        return advance(field.with_parameters(length=length), 0.5, x)

    lengths = jnp.array([12.0, 18.0, 22.0])
    swept = jax.vmap(moved)(lengths)
    alone = jnp.stack([moved(length) for length in lengths])
    np.testing.assert_allclose(swept, alone, rtol=0, atol=1e-12)
    _, slope = jax.jvp(moved, (jnp.asarray(18.0),), (jnp.asarray(1.0),))
    numeric = (moved(jnp.asarray(18.0 + 1e-5)) - moved(jnp.asarray(18.0 - 1e-5))) / 2e-5
    np.testing.assert_allclose(slope, numeric, rtol=1e-6, atol=1e-8)


def test_an_input_is_a_body_force():
    field = Burgers(n_points=16)
    x, force = smooth(field), jnp.sin(field.grid)
    forced = field.vector_field(0.0, x, force) - field.vector_field(0.0, x)
    np.testing.assert_allclose(forced, force, rtol=0, atol=1e-12)
    rested = field.as_map(0.01).step(0, jnp.zeros(16), force)
    k = 2 * np.pi / float(field.length)
    rate = -float(field.viscosity) * k**2
    linear = np.expm1(rate * 0.01) / rate * force  # the nonlinearity enters in third order of dt
    np.testing.assert_allclose(rested, linear, rtol=0, atol=1e-6)


def test_blow_up_is_nan():
    field = FisherKPP(n_points=16, integrator=ETDRK4(0.05))
    after = advance(field, 5.0, jnp.full(16, -3.0))  # below zero the crowding feeds itself
    assert np.isnan(np.asarray(after)).all()


def test_an_explicit_method_needs_the_step_that_the_grid_sets():
    field = KuramotoSivashinsky(integrator=RungeKutta(0.125))
    assert not np.isfinite(np.asarray(advance(field, 10.0, smooth(field)))).all()


def test_backward_in_time_a_dissipative_field_is_lost():
    field = KuramotoSivashinsky()
    assert np.isnan(field.as_map(-2.0).step(0, smooth(field))).any()


@pytest.mark.parametrize("n_points", [3, 8.0, 0])
def test_a_grid_without_waves_is_refused(n_points):
    with pytest.raises(InvalidInput, match=r"n_points = .*; expected a whole number, 4 or more"):
        Burgers(n_points=n_points)
