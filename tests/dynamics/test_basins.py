"""Basins against layouts known beforehand, brute force, and symmetry."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from takens.core import InvalidInput, NumericalFailure, Status, WrongKind
from takens.core.integrators import AbstractIntegrator, EulerMaruyama, RungeKutta
from takens.core.system import AbstractDiffusion, AbstractFlow, AbstractMap, parameter, static
from takens.dynamics import attractors, basins_of_attraction
from takens.dynamics.basins import grid_starts
from takens.dynamics.march import BLOCK, counted, record
from takens.learn import DMD
from takens.systems import HenonMap, LogisticMap


class Gradient(AbstractFlow):
    """Downhill on (x^2 - 1)^2 / 4 + y^2 / 2: minima at x = -+1, basins told by the sign of x."""

    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.25)

    def vector_field(self, t, x, u=None):
        return jnp.stack([x[0] - x[0] ** 3, -x[1]])


class Newton(AbstractMap):
    """Newton's method for z^3 = 1: three basins that a turn by a third maps onto each other."""

    names: tuple[str, ...] = static(("re", "im"))

    def step(self, n, x, u=None):
        a, b = x
        d = 3 * (a * a + b * b) ** 2
        return jnp.stack([2 * a / 3 + (a * a - b * b) / d, 2 * b / 3 - 2 * a * b / d])


class Cubic(AbstractMap):
    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return 2.55 * x - x**3


class Circle(AbstractMap):
    """A small circle with a rotation that nearly, but not quite, returns after ten steps."""

    names: tuple[str, ...] = static(("x", "y"))

    def step(self, n, x, u=None):
        c, s = np.cos(2 * np.pi * 0.1003), np.sin(2 * np.pi * 0.1003)
        r = jnp.sqrt(x @ x)
        grown = (0.06 + 0.5 * (r - 0.06)) / r
        return grown * jnp.stack([c * x[0] - s * x[1], s * x[0] + c * x[1]])


class Ghost(AbstractMap):
    """Just past a fold: the orbit creeps by at least 1e-4 a step, and then leaves."""

    names: tuple[str, ...] = static(("x",))

    def step(self, n, x, u=None):
        return jnp.where(x < 1, x + 1e-4 + 0.1 * x**2, 3 + 0.5 * (x - 3))


class Spiral(AbstractMap):
    """Half a radian and 0.1 % nearer in each step."""

    names: tuple[str, ...] = static(("x", "y"))

    def step(self, n, x, u=None):
        c, s = np.cos(0.5), np.sin(0.5)
        return 0.999 * jnp.stack([c * x[0] - s * x[1], s * x[0] + c * x[1]])


class Duffing(AbstractFlow):
    """Double well with damping and, if wanted, a force of period 2 pi."""

    damping: object = parameter(0.5)
    force: object = parameter(0.0)
    names: tuple[str, ...] = static(("x", "v"))
    integrator: AbstractIntegrator = RungeKutta(0.25)

    def vector_field(self, t, x, u=None):
        push = self.force * jnp.cos(t)
        return jnp.stack([x[1], -self.damping * x[1] + x[0] - x[0] ** 3 + push])


class ForcedPendulum(AbstractFlow):
    """x'' + x' / 10 + sin x = 2.1 cos t: two attracting oscillations with tangled basins."""

    names: tuple[str, ...] = static(("angle", "rate"))
    integrator: AbstractIntegrator = RungeKutta(0.4)

    def vector_field(self, t, x, u=None):
        return jnp.stack([x[1], -0.1 * x[1] - jnp.sin(x[0]) + 2.1 * jnp.cos(t)])


class Three(AbstractFlow):
    """x' = -x (x^2 - 1) (x^2 - 4), y' = -y: attractors at x = -2, 0, 2, boundaries at -+1."""

    names: tuple[str, ...] = static(("x", "y"))
    integrator: AbstractIntegrator = RungeKutta(0.05)

    def vector_field(self, t, x, u=None):
        return jnp.stack([-x[0] * (x[0] ** 2 - 1) * (x[0] ** 2 - 4), -x[1]])


class Ring(AbstractFlow):
    """A point at the origin and a cycle of radius 1 outside the unstable one of radius 1/2."""

    names: tuple[str, ...] = static(("x", "y", "z"))
    integrator: AbstractIntegrator = RungeKutta(0.25)

    def vector_field(self, t, x, u=None):
        r2 = x[0] ** 2 + x[1] ** 2
        rate = (r2 - 0.25) * (1 - r2)
        return jnp.stack([rate * x[0] - x[1], rate * x[1] + x[0], -x[2]])


class Noise(AbstractDiffusion):
    names: tuple[str, ...] = static(("x",))
    integrator: object = EulerMaruyama(0.1)

    def drift(self, t, x, u=None):
        return -x

    def diffusion(self, t, x, u=None):
        return jnp.ones((1, 1))


def lines(low, high, n, *names):
    return {name: np.linspace(low, high, n) for name in names}


def test_a_gradient_system_has_the_sign_of_x():
    found = basins_of_attraction(Gradient(), lines(-2, 2, 20, "x", "y"), dt=0.5, n_steps=50)
    assert [a.kind for a in found.attractors] == ["point", "point"]
    np.testing.assert_allclose(found.attractors[0].points, [[-1, 0]], atol=1e-6)
    np.testing.assert_array_equal(
        found.labels, (found.grid["x"] > 0)[:, None] * np.ones((20, 20), int)
    )
    assert found.shares[0].value == 0.5
    assert found.cautions == ()


def test_newton_basins_turn_into_each_other():
    n = 120  # more starts than one compiled call of the wide shape holds
    found = basins_of_attraction(Newton(), lines(-1.7, 1.7, n, "re", "im"))
    roots = np.exp(2j * np.pi * np.array([-1, 1, 0]) / 3)
    points = np.array([a.centre for a in found.attractors])
    np.testing.assert_allclose(points[:, 0] + 1j * points[:, 1], roots, atol=1e-12)
    z = found.grid["re"][:, None] + 1j * found.grid["im"]
    brute = z.copy()
    for _ in range(200):
        brute = brute - (brute**3 - 1) / (3 * brute**2)
    np.testing.assert_array_equal(found.labels, np.abs(brute[..., None] - roots).argmin(axis=-1))
    # conjugation swaps the two complex roots, and a third of a disc belongs to each
    np.testing.assert_array_equal(found.labels[:, ::-1], np.array([1, 0, 2])[found.labels])
    disc = np.abs(z) < 1.7
    for label in range(3):
        assert np.mean(found.labels[disc] == label) == pytest.approx(1 / 3, abs=0.01)


def test_henon_escape_against_brute_force():
    grid = lines(-1.9, 1.9, 40, "x", "y")
    found = basins_of_attraction(HenonMap(), grid)
    x, y = np.meshgrid(grid["x"], grid["y"], indexing="ij")
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(500):
            x, y = 1 - 1.4 * x**2 + y, 0.3 * x
    np.testing.assert_array_equal(found.labels == -1, ~(np.abs(x) < 10))
    assert [a.kind for a in found.attractors] == ["other"]
    assert found.shares[0].value + found.diverged.value == 1.0
    # points of the cloud map onto the cloud
    a, b = found.attractors[0].points.T
    image = np.stack([1 - 1.4 * a**2 + b, 0.3 * a], axis=1)
    gap = np.abs(image[:, None] - found.attractors[0].points).max(axis=2).min(axis=1)
    assert np.quantile(gap, 0.95) < 3.8 * found.attractors[0].reach


def test_duffing_wells_are_told_apart_and_symmetric():
    found = basins_of_attraction(Duffing(), lines(-2, 2, 24, "x", "v"), dt=1.0, n_transient=100,
                                 n_steps=60)  # fmt: skip
    np.testing.assert_allclose([a.centre for a in found.attractors], [[-1, 0], [1, 0]], atol=1e-6)
    np.testing.assert_array_equal(found.labels[::-1, ::-1], 1 - found.labels)
    assert 0.3 < np.mean(found.labels[:12] == 0) < 1  # spirals reach over


def test_attractors_outside_the_grid_and_slices():
    found = basins_of_attraction(Three(), {"x": np.linspace(0.1, 1.5, 16)}, x0=[0.0, 3.0], dt=0.2,
                                 n_steps=60)  # fmt: skip
    np.testing.assert_allclose([a.centre for a in found.attractors], [[0, 0], [2, 0]], atol=1e-5)
    np.testing.assert_array_equal(found.labels, (found.grid["x"] > 1).astype(int))
    box = basins_of_attraction(Three(), lines(-3, 3, 12, "x", "y"), dt=0.2, n_steps=60)
    expected = np.digitize(box.grid["x"], [-1, 1])
    np.testing.assert_array_equal(box.labels, expected[:, None] * np.ones((12, 12), int))


def test_a_forced_pendulum_has_two_oscillations():
    found = basins_of_attraction(
        ForcedPendulum(), {"angle": np.linspace(-3, 3, 12), "rate": np.linspace(-2, 4, 12)},
        dt=2 * np.pi, wrap={"angle": 2 * np.pi}, n_transient=120, n_steps=40, n_pilots=24,
    )  # fmt: skip
    assert [a.kind for a in found.attractors] == ["point", "point"]
    for attractor in found.attractors:

        def field(t, x):
            return [x[1], -0.1 * x[1] - np.sin(x[0]) + 2.1 * np.cos(t)]

        start = attractor.points[0]
        end = solve_ivp(field, (0, 2 * np.pi), start, "DOP853", rtol=1e-11, atol=1e-11).y[:, -1]
        turns = (end - start)[0] / (2 * np.pi)
        assert abs(round(turns)) == 1  # a turn in each period, one way or the other
        np.testing.assert_allclose(end - start, [2 * np.pi * round(turns), 0], atol=1e-4)
    assert found.undecided.value < 0.1


def test_a_cycle_seen_at_few_phases_is_one_attractor():
    """`dt` is a quarter of the period: each start would see four points of its own."""
    starts = np.random.default_rng(1).uniform(-1.4, 1.4, (60, 3))
    found = attractors(Ring(), starts, dt=np.pi / 2, n_transient=60)
    kinds = sorted(a.kind for a in found.attractors)
    assert kinds == ["cycle", "point"]
    inside = np.hypot(starts[:, 0], starts[:, 1]) < 0.5
    point = [a.kind for a in found.attractors].index("point")
    np.testing.assert_array_equal(found.labels == point, inside)
    cycle = found.attractors[1 - point]
    np.testing.assert_allclose(np.hypot(*cycle.points[:, :2].T), 1.0, atol=1e-4)
    assert np.isnan(cycle.period)


def test_cycles_of_a_map_have_their_points_and_period():
    found = attractors(LogisticMap(r=3.83), np.linspace(0.1, 0.9, 20)[:, None])
    (cycle,) = found.attractors
    assert (cycle.kind, cycle.period) == ("cycle", 3)
    x = cycle.points[:, 0]
    np.testing.assert_allclose(3.83 * x * (1 - x), np.roll(x, -1), atol=1e-9)
    assert found.shares[0].value == 1.0


def test_two_chaotic_attractors_side_by_side():
    """x -> a x - x^3 has two chaotic bands below a = 3 sqrt(3) / 2, mirrored, and escapes outside."""
    grid = {"x": np.linspace(-1.95, 1.95, 300)}
    found = basins_of_attraction(Cubic(), grid)
    assert [a.kind for a in found.attractors] == ["other", "other"]
    top = 2 * 2.55 / 3 * (2.55 / 3) ** 0.5
    band = found.attractors[1].points[:, 0]
    assert band.max() == pytest.approx(top, abs=0.02)
    assert band.min() == pytest.approx(2.55 * top - top**3, abs=0.02)
    lost = np.abs(grid["x"]) > 3.55**0.5
    np.testing.assert_array_equal(found.labels == -1, lost)
    np.testing.assert_array_equal(found.labels[~lost][::-1], 1 - found.labels[~lost])
    x = grid["x"][~lost]
    for _ in range(500):
        x = 2.55 * x - x**3
    assert np.mean((x > 0) == found.labels[~lost]) > 0.98  # round-off decides on the boundary


def test_a_start_on_an_unstable_point_is_undecided():
    found = attractors(Three(), [[1.0, 0.0], [0.5, 0.0], [1.5, 1.0]], dt=0.2, n_steps=60)
    np.testing.assert_array_equal(found.labels, [-2, 0, 1])
    assert [f.code for f in found.cautions] == ["starts-undecided"]


def test_slow_motion_is_no_attractor():
    """A spiral that loses 1 % a turn has not arrived, and is left undecided, with a caution."""
    slow, starts = Spiral(), np.array([[1.0, 0.0], [-0.5, 1.0], [0.0, -1.0]])
    found = attractors(slow, starts, n_transient=50, n_steps=400, throw=False)
    assert found.status is Status.NOT_CONVERGED
    assert [f.code for f in found.cautions] == ["starts-undecided"]
    assert not found.attractors
    with pytest.raises(NumericalFailure, match="did not converge"):
        attractors(slow, starts, n_transient=50, n_steps=400)


def test_the_end_of_a_transient_is_no_attractor():
    """Long chaotic transients end at one of two oscillations; plain iteration finds no third."""
    system, dt = Duffing(damping=0.2, force=0.25), 2 * np.pi
    found = basins_of_attraction(system, lines(-1.5, 1.5, 10, "x", "v"), dt=dt, n_transient=200,
                                 n_steps=200)  # fmt: skip
    assert [a.kind for a in found.attractors] == ["point", "point"]
    starts = grid_starts(system, found.grid, None)
    flow_map, ends = system.as_map(dt), starts.T  # to the last digit as the basins step: chaos
    for n in range(0, 1500, BLOCK):
        size = counted(min(BLOCK, 1500 - n))
        ends = np.asarray(record(flow_map, ends, counted(n), size, None)[0])
    ends = ends.T
    centres = np.array([a.centre for a in found.attractors])
    np.testing.assert_allclose(ends, centres[found.labels.ravel()], atol=1e-4)


def test_a_near_return_is_no_cycle():
    starts = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    found = attractors(Circle(), starts)
    assert [a.kind for a in found.attractors] == ["other"]
    np.testing.assert_allclose(np.hypot(*found.attractors[0].points.T), 0.06, atol=1e-9)
    assert found.shares[0].value == 1.0


def test_a_bottleneck_is_no_point():
    starts = np.linspace(-1.0, 1.0, 30)[:, None]
    found = attractors(Ghost(), starts, n_transient=1000)
    np.testing.assert_allclose(found.attractors[-1].centre, [3.0])
    assert found.shares[-1].value == 1.0


def test_a_learned_map_passes_unchanged():
    states = np.stack([0.9 ** np.arange(40), 0.7 ** np.arange(40)], axis=1) + 2.0
    model = DMD().fit(states).model
    starts = np.stack([model.encode(states[i : i + 5]) for i in range(0, 30, 10)])
    found = attractors(model, starts)
    assert [a.kind for a in found.attractors] == ["point"]
    assert found.shares[0].value == 1.0


def test_everything_diverges():
    found = attractors(LogisticMap(r=3.0), [[2.0], [3.0]], throw=False)
    assert found.status is Status.DIVERGED
    assert found.diverged.value == 1.0
    assert "No attractor. Diverged 1." in found.summary()
    with pytest.raises(NumericalFailure, match="non-finite"):
        attractors(LogisticMap(r=3.0), [[2.0], [3.0]])


def test_the_answer_depends_neither_on_the_seed_nor_on_the_batch():
    grid = lines(-1.5, 1.5, 70, "re", "im")
    first = basins_of_attraction(Newton(), grid, seed=0)
    second = basins_of_attraction(Newton(), grid, seed=5, n_pilots=7)
    np.testing.assert_array_equal(first.labels, second.labels)
    coarse = {name: values[::7] for name, values in grid.items()}
    few = basins_of_attraction(Newton(), coarse)
    np.testing.assert_array_equal(first.labels[::7, ::7], few.labels)


def test_plots_show_the_basins(tmp_path):
    found = basins_of_attraction(HenonMap(), lines(-2, 2, 12, "x", "y"))
    ax = found.plot()
    assert len(ax.images) == 1
    assert [t.get_text() for t in ax.get_legend().get_texts()][-1] == "diverged"
    uneven = basins_of_attraction(HenonMap(), {"x": [-1.0, 0.0, 0.1], "y": [-0.1, 0.0, 1.0]})
    assert uneven.plot().collections
    assert uneven.to_xarray()["label"].dims == ("x", "y")
    line = basins_of_attraction(HenonMap(), {"x": [-1.0, 0.0, 0.1]}, x0=[0.0, 0.0])
    assert line.plot().get_xlabel() == "x"


def test_malformed_questions_are_refused():
    square = lines(-1, 1, 4, "x", "y")
    with pytest.raises(InvalidInput, match="starts leave out y"):
        basins_of_attraction(HenonMap(), {"x": [0.0, 1.0]})
    with pytest.raises(InvalidInput, match="grid names 'z'"):
        basins_of_attraction(HenonMap(), {"z": [0.0, 1.0]})
    with pytest.raises(InvalidInput, match="two or more increasing"):
        basins_of_attraction(HenonMap(), {"x": [1.0, 0.0]})
    with pytest.raises(InvalidInput, match="expected a mapping"):
        basins_of_attraction(HenonMap(), np.zeros((3, 2)))
    with pytest.raises(InvalidInput, match="wrap holds 'q'"):
        basins_of_attraction(HenonMap(), square, wrap={"q": 1.0})
    with pytest.raises(InvalidInput, match="20 recorded steps"):
        basins_of_attraction(HenonMap(), square, n_steps=5)
    with pytest.raises(InvalidInput, match="tolerance = 2"):
        basins_of_attraction(HenonMap(), square, tolerance=2)
    with pytest.raises(InvalidInput, match="escape = 0"):
        attractors(HenonMap(), [[0.1, 0.1]], escape=0)
    with pytest.raises(WrongKind, match="is a diffusion"):
        attractors(Noise(), [[0.1]])
