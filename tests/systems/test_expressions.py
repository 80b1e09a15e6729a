"""A rule read as expressions is the rule: every case against JAX itself, through an oracle algebra."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens.core import InvalidInput, WrongKind
from takens.core.integrators import CLASSICAL, RungeKutta
from takens.core.system import AbstractFlow, parameter
from takens.systems import Lorenz63, catalogue
from takens.systems.algebra import NUMBERS, TEXT, Algebra, objects
from takens.systems.expressions import expressions, parameter_arrays, rule

X = np.array([0.3, -0.7, 1.9])
MLP = eqx.nn.MLP(3, 3, 8, 2, activation=jnp.tanh, key=jax.random.key(0))
MATRIX = jnp.array([[2.0, 1.0, 0.0], [1.0, 3.0, 0.0], [1.0, 1.0, 1.0]])


class Symbol:
    """An opaque entry: the walker must not take it for a number."""

    def __init__(self, value):
        self.value = value

    def __len__(self):  # as expressions of heyoka have, which NumPy takes for sequences
        return 3


def lifted(function):
    def call(*entries):
        plain = [e.value if isinstance(e, Symbol) else e for e in entries]
        return Symbol(np.asarray(function(*map(np.asarray, plain))).item())

    return call


ORACLE = Algebra(
    "oracle", {**{name: lifted(f) for name, f in NUMBERS.items()}, "select": lifted(np.where)}
)
SMOOTH = Algebra(
    "smooth", {name: lifted(NUMBERS[name]) for name in ("add", "mul", "pow", "exp", "log", "sin")}
)


def symbols(x):
    return objects(np.shape(x), [Symbol(float(v)) for v in np.ravel(x)])


def values(found):
    plain = [e.value if isinstance(e, Symbol) else e for e in found.reshape(-1)]
    return np.array(plain, dtype=float).reshape(found.shape)


def everything(x):
    return (
        jnp.sign(x) + x**3 + jnp.abs(x) ** 2.5 + jnp.floor(x) + jnp.clip(x, -1, 1) + x**-2 + 1 / x
        + jnp.arctan2(x, x + 1) + jnp.hypot(x, x) + jnp.expm1(x) + jnp.log1p(x + 1) + jnp.cbrt(x)
        + jnp.sinc(x) + jnp.sinh(x) + jnp.exp2(x) + jax.lax.rsqrt(x * x) + jax.lax.rem(x, 0.5)
        + jax.scipy.special.erf(x) + jax.scipy.special.erfc(x)
    )  # fmt: skip


CASES = {
    "elementary": everything,
    "mlp": MLP,
    "roll": lambda x: jnp.roll(x, 1) * x - jnp.roll(x, -1),
    "where": lambda x: jnp.where(x > 0, x, x**2),
    "logic": lambda x: (x > 0) * 1.0 + jnp.logical_and(x > 0, ~(x >= 1)),
    "any": lambda x: jnp.where(jnp.any(x > 0), x, -x),
    "extremes": lambda x: jnp.max(x) - jnp.min(x),
    "gather": lambda x: x[jnp.asarray([0, 2])],
    "assign": lambda x: x.at[1].set(2 * x[0]).at[2].add(x[1]),
    "update": lambda x: jax.lax.dynamic_update_slice(x, x[:1] * 2, (1,)),
    "softplus": jax.nn.softplus,
    "gelu": jax.nn.gelu,
    "softmax": jax.nn.softmax,
    "moments": lambda x: jnp.linalg.norm(x) + jnp.var(x),
    "products": lambda x: jnp.outer(x, x) @ x + jnp.cross(x, x[::-1]) * jnp.prod(x),
    "batched": lambda x: jnp.einsum("ijk,ikl->ijl", jnp.ones((2, 2, 3)) * x, jnp.ones((2, 3, 1))),
    "triangle": lambda x: jnp.tril(jnp.outer(x, x)) @ x,
    "solve": lambda x: jnp.linalg.solve(MATRIX, x),
    "sums": lambda x: jnp.cumsum(x) + jnp.diff(x, n=1, prepend=0.0),
    "cumprod": jax.lax.cumprod,
    "derivative": lambda x: jnp.fft.irfft(1j * jnp.fft.rfftfreq(3) * jnp.fft.rfft(x), n=3),
    "filter": lambda x: jnp.real(jnp.fft.ifft(jnp.exp(1j * jnp.arange(3.0)) * jnp.fft.fft(x))),
    "power": lambda x: jnp.real(jnp.fft.fft(x) * jnp.conj(jnp.fft.fft(x))),
    "convolve": lambda x: jnp.convolve(x, jnp.array([1.0, -2.0, 1.0]), mode="same"),
    "pad": lambda x: jnp.pad(x, 2, mode="wrap").sum() + jnp.pad(x, (1, 1)),
    "scan": lambda x: jax.lax.scan(lambda c, r: (c * jnp.sin(c) + r, c[0] + r), x, x)[1],
    "backward": lambda x: jax.lax.scan(lambda c, r: (c + r, c * r), 0.5, x, reverse=True)[1],
    "loop": lambda x: jax.lax.fori_loop(0, 4, lambda i, c: c * 0.5 + x[i % 3], x),
    "cond": lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x),
    "gradient": jax.grad(lambda x: jnp.sum(jnp.sin(x) * x**2)),
    "jacobian": jax.jacfwd(lambda y: jnp.tanh(y) * y[0]),
    "vmap": lambda x: jax.vmap(lambda a: a * x)(x),
    "checkpoint": jax.checkpoint(lambda x: jnp.sin(x) * x),
    "modulo": lambda x: jnp.mod(x, 2.0),
    "finite": lambda x: jnp.where(jnp.isfinite(x) & ~jnp.isnan(x), x, 0.0),
    "folded": lambda x: x * jnp.interp(0.5, jnp.arange(3.0), jnp.sort(jnp.array([2.0, 1.0, 0.0]))),
    "constant": lambda x: jnp.array([1.0, 2.0]),
    "split": lambda x: jnp.tile(jnp.split(x, 3)[1], 2),
}


@pytest.mark.parametrize("name", CASES)
def test_the_oracle_agrees_with_jax(name):
    want = CASES[name](jnp.asarray(X))
    found = expressions(CASES[name], symbols(X), algebra=ORACLE)
    assert found.shape == want.shape
    np.testing.assert_allclose(values(found), want, rtol=1e-12, atol=1e-12)


def test_operations_are_composed_from_the_elementary_ones():
    want = jax.nn.sigmoid(X) - jnp.sqrt(X**2) / jax.nn.softplus(X) - (jnp.cosh(0.0) - X)
    found = expressions(
        lambda x: jax.nn.sigmoid(x) - jnp.sqrt(x**2) / jax.nn.softplus(x) - (jnp.cosh(0.0) - x),
        symbols(X),
        algebra=SMOOTH,
    )
    np.testing.assert_allclose(values(found), want, rtol=1e-12)


def test_zeros_and_ones_vanish():
    x = objects((2,), ["a", "b"])
    matrix = jnp.array([[0.0, 1.0], [2.0, 0.0]])
    assert expressions(lambda x: matrix @ x + 0.0, x, algebra=TEXT).tolist() == ["b", "mul(2.0, a)"]


def test_a_tree_comes_back_as_a_tree():
    found = expressions(lambda x: {"twice": 2 * x, "one": 1.0}, symbols(1.5), algebra=ORACLE)
    assert found["one"].item() == 1.0
    assert values(found["twice"]) == 3.0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: jnp.where(x > 0, x, 0.0), "`gt`.*'gt'.*smooth"),
        (lambda x: jax.lax.while_loop(lambda c: c[0] < 9, lambda c: 2 * c, x), "length depends"),
        (lambda x: x[jnp.argmax(x)], "argmax"),
        (lambda x: jnp.sin(x).astype(int), "rounding of the state"),
        (lambda x: jnp.convolve(x, x), "convolution of two"),
        (lambda x: jax.lax.fori_loop(0, 5000, lambda i, c: c + x, x), "5000 iterations"),
        (lambda x: jnp.linalg.solve(jnp.outer(x, x), x), "lu"),
        (jnp.sort, "sort"),
    ],
)
def test_what_has_no_expression_is_refused_with_a_reason(function, message):
    with pytest.raises(WrongKind, match=message):
        expressions(function, symbols(X), algebra=SMOOTH)


def test_an_index_that_depends_on_the_state_is_refused():
    with pytest.raises(WrongKind, match=r"index that depends|rounding"):
        expressions(lambda x: jnp.arange(3.0)[(x[0] > 0).astype(int)], symbols(X), algebra=ORACLE)


class Net(AbstractFlow):
    """A flow whose parameters sit in a tree."""

    net: eqx.nn.MLP
    gain: object = parameter(2.0)
    integrator: RungeKutta = RungeKutta(0.1)
    names: tuple[str, ...] = ("a", "b", "c")

    def vector_field(self, t, x, u=None):
        return self.gain * self.net(x) + (0.0 if u is None else u) + t


def test_parameters_fold_or_stay():
    flow = Net(net=MLP)
    paths = parameter_arrays(flow)
    assert next(iter(paths)) == "net.layers[0].weight"
    assert list(paths)[-1] == "gain"
    kept = {name: symbols(value) for name, value in paths.items()}
    want = flow.vector_field(0.5, jnp.asarray(X), 0.25)
    for given in (None, kept, {"gain": symbols(2.0)}):
        found = rule(
            flow, "vector_field", Symbol(0.5), symbols(X), 0.25, algebra=ORACLE, parameters=given
        )
        np.testing.assert_allclose(values(found), want, rtol=1e-12)
    with pytest.raises(InvalidInput, match=r"no parameter 'rho'.*gain"):
        rule(flow, "vector_field", 0.0, symbols(X), algebra=ORACLE, parameters={"rho": symbols(1)})


KNOWN = {entry.name: entry for entry in catalogue() if entry.dim <= 64}


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_system_can_be_read(name):
    system, kind = KNOWN[name].system(), KNOWN[name].kind
    x = np.asarray(system.x0) + 0.01 * np.random.default_rng(5).normal(size=system.dim)
    u = np.full(len(system.inputs), 0.3) if system.inputs else None
    methods = {"map": ["step"], "flow": ["vector_field"], "diffusion": ["drift", "diffusion"]}
    for method in methods[kind]:
        found = rule(system, method, Symbol(0.7), symbols(x), u, algebra=ORACLE)
        want = eqx.filter_jit(getattr(system, method))(0.7, jnp.asarray(x), u)
        scale = np.abs(want).max()
        np.testing.assert_allclose(values(found), want, rtol=1e-11, atol=1e-12 * scale)


def test_a_time_map_of_fixed_steps_is_written_out():
    short = Lorenz63(integrator=RungeKutta(0.01, CLASSICAL)).as_map(0.02)  # a scan over two steps
    found = rule(short, "step", 0.0, symbols(X), algebra=ORACLE)
    np.testing.assert_allclose(values(found), short.step(0.0, jnp.asarray(X)), rtol=1e-12)
