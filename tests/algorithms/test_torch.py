"""Training steps of torch are the same maps, and nothing of the user's is touched."""

from __future__ import annotations

import copy
import sys
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms, dynamics
from takens.core import InvalidInput, MissingDependency, WrongKind
from takens.core.errors import CautionWarning

torch = pytest.importorskip("torch")
torch.set_num_threads(1)
nn, optim = torch.nn, torch.optim

GEN = torch.Generator().manual_seed(0)
INPUTS = torch.randn(20, 3, generator=GEN, dtype=torch.float64)
TARGETS = torch.randn(20, 2, generator=GEN, dtype=torch.float64)
DATA = (INPUTS, TARGETS)
MSE = nn.MSELoss()


def network(*extra):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), *extra, nn.Tanh(), nn.Linear(4, 2)).double()


def one_step(model, tool, loss=None):
    tool.zero_grad()
    value = MSE(model(INPUTS), TARGETS) if loss is None else loss(model, DATA)
    value.backward()
    tool.step()


def flat(model):
    parts = [p.detach().numpy().ravel() for _, p in sorted(model.named_parameters())]
    return np.concatenate(parts)


def groups_of(model):
    first, last = model[0].parameters(), model[-1].parameters()
    return [{"params": first, "lr": 0.05, "weight_decay": 0.1}, {"params": last, "lr": 0.2}]


RULES = {
    "sgd": (lambda p: optim.SGD(p, lr=0.1), "GradientDescent"),
    "heavy ball": (lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01), "HeavyBall"),
    "nesterov": (lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), "Nesterov"),
    "adam": (lambda p: optim.Adam(p, lr=0.01, weight_decay=0.1), "Adam"),
    "adamw": (lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1), "Adam"),
    "rmsprop": (lambda p: optim.RMSprop(p, lr=0.01), "RMSProp"),
    "adagrad": (lambda p: optim.Adagrad(p, lr=0.1), None),
    "nadam": (optim.NAdam, None),
    "adamax": (optim.Adamax, None),
    "adafactor": (optim.Adafactor, None),
    "damped": (lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.2), None),
    "amsgrad": (lambda p: optim.Adam(p, lr=0.01, amsgrad=True), None),
}


@pytest.mark.parametrize("under_way", [0, 3])
@pytest.mark.parametrize("name", RULES)
def test_the_loop_that_a_user_would_write(name, under_way):
    make, rule = RULES[name]
    model = network()
    tool = make(model.parameters())
    for _ in range(under_way):
        one_step(model, tool)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        system, x = algorithms.from_torch(model, MSE, tool, DATA)
    if any("state after it" in str(w.message) for w in caught):
        assert not under_way
        one_step(model, tool)
    assert isinstance(system, algorithms.TorchStep if rule is None else algorithms.TrainingStep)
    assert rule is None or system.title == rule
    step = eqx.filter_jit(system.step)
    for n in range(6):
        assert np.allclose(system.weights(x), flat(model), rtol=0, atol=1e-10)
        x = step(n, x)
        one_step(model, tool)
    assert len(system.names) == system.dim == len(x)

    rng = np.random.default_rng(0)
    along = jnp.asarray(rng.normal(size=system.dim) * np.abs(x))
    known = jax.jvp(lambda y: step(7, y), (x,), (along,))[1]
    differences = (step(7, x + 1e-6 * along) - step(7, x - 1e-6 * along)) / 2e-6
    assert np.allclose(known, differences, rtol=0, atol=1e-7 * np.abs(known).max())


def test_rates_and_decays_of_groups():
    model = network()
    tool = optim.SGD(groups_of(model), momentum=0.5)
    system, x = algorithms.from_torch(model, MSE, tool, DATA)
    for n in range(5):
        x = system.step(n, x)
        one_step(model, tool)
    assert np.allclose(system.weights(x), flat(model), rtol=0, atol=1e-14)
    assert float(system.learning_rate) == 0.2


@pytest.mark.parametrize(
    "make",
    [
        lambda m: optim.SGD(groups_of(m)),
        lambda m: optim.SGD(groups_of(m), momentum=0.5),
        lambda m: optim.SGD(groups_of(m), momentum=0.5, nesterov=True),
    ],
)
def test_at_the_threshold_a_multiplier_is_minus_one(make):
    """Sharpness over threshold is exact: the Jacobian of the whole step is asked instead."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    system, x = algorithms.from_torch(model, MSE, make(model), DATA)
    ratio = algorithms.sharpness(system, x, rtol=1e-9).ratio.value
    at_edge = system.with_parameters(learning_rate=system.learning_rate / ratio)
    multipliers = np.linalg.eigvals(jax.jacfwd(lambda y: at_edge.step(0, y))(x))
    assert np.abs(multipliers + 1).min() < 1e-6


def test_decoupled_decay_moves_the_threshold():
    loss = algorithms.Loss.of(lambda w: 0.5 * jnp.sum(jnp.array([1.0, 8.0]) * w**2), [1.0, 1.0])
    for rule in (
        algorithms.GradientDescent(loss, 0.2),
        algorithms.HeavyBall(loss, 0.2, 0.5),
        algorithms.Nesterov(loss, 0.2, 0.5),
    ):
        system = algorithms.TrainingStep.of(rule, decay=0.7)
        x = system.start([1.0, 1.0])
        expected = np.linalg.eigvals(jax.jacfwd(lambda y, s=system: s.step(0, y))(x))
        for curvature in (1.0, 8.0):
            for found in np.asarray(system.multipliers(curvature)):
                assert np.abs(expected - found).min() < 1e-7
        edge = np.asarray(system.multipliers(system.threshold()))
        assert np.abs(edge + 1).min() < 1e-9


def test_sharpness_is_that_of_the_same_network_in_jax():
    model = network()
    tool = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    for _ in range(20):
        one_step(model, tool)
    system, x = algorithms.from_torch(model, MSE, tool, DATA)
    x_, y_ = (jnp.asarray(a.numpy()) for a in DATA)

    def same(w, data):
        x, y = data
        hidden = jnp.tanh(x @ w["0.weight"].T + w["0.bias"])
        return jnp.mean((hidden @ w["2.weight"].T + w["2.bias"] - y) ** 2)

    weights = {n: p.detach().numpy() for n, p in model.named_parameters()}
    ours = algorithms.Adam(algorithms.Loss.of(same, weights, (x_, y_)), 1e-3)
    assert ours.loss.names == system.loss.names
    assert float(ours.loss(x[:26])) == pytest.approx(float(system.loss(x[:26])))
    a = algorithms.sharpness(ours, x, n=20, rtol=1e-6)
    b = algorithms.sharpness(system, x, rtol=1e-6)  # which knows that 20 updates were made
    assert b.value.value == pytest.approx(a.value.value, rel=1e-8)
    assert b.threshold == pytest.approx(38_000)
    assert b.optimiser == "Adam"
    later = algorithms.sharpness(system, x, previous=b)
    assert later.n_products == 1
    critical = algorithms.critical_sharpness(system, x, rtol=1e-6).value.value
    assert critical == pytest.approx(
        algorithms.critical_sharpness(ours, x, rtol=1e-6).value.value, rel=1e-5
    )
    spectrum = algorithms.curvature_spectrum(
        algorithms.Curvature(system.loss, x[:26]), n_trailing=1, rtol=1e-6
    )
    hessian = jax.hessian(system.loss)(x[:26])
    assert np.allclose(hessian, jax.hessian(ours.loss)(x[:26]), atol=1e-12)
    assert spectrum.trailing[0].value == pytest.approx(np.linalg.eigvalsh(hessian)[0], abs=1e-5)


def test_all_of_dynamics_applies():
    class Well(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.tensor([0.4], dtype=torch.float64))

    def double_well(model, data):
        return 0.25 * ((model.w**2 - 1) ** 2).sum()

    model = Well()
    tool = optim.SGD(model.parameters(), lr=0.5)
    system, x = algorithms.from_torch(model, double_well, tool, torch.zeros(1))
    gentle = system.with_parameters(learning_rate=0.25)
    found = dynamics.lyapunov_spectrum(gentle, x, n_steps=400, n_transient=50)
    assert found.exponents[0] == pytest.approx(np.log(0.5), rel=1e-6)  # multiplier 1 - 2 eta
    diagram = dynamics.orbit_diagram(
        system, "learning_rate", [0.9, 1.1, 1.25], x, n_steps=64, n_transient=100
    )
    assert diagram.periods.tolist() == [1, 2, 4]  # which double at 1 and at sqrt(5) - 1
    scan = algorithms.learning_rate_scan(
        system, x, (0.4, 0.8), n_rates=4, n_rounds=0, n_steps=128, n_transient=50
    )
    assert scan.periods.tolist() == [1, 1, 1, 1]


def test_nothing_of_the_users_is_changed():
    model = network(nn.BatchNorm1d(4), nn.Dropout(0.5))
    tool = optim.Adam(model.parameters())
    one_step(model, tool)
    before = copy.deepcopy((model.state_dict(), tool.state_dict()))
    slopes = [p.grad.clone() for p in model.parameters()]
    chance = torch.get_rng_state()
    with pytest.warns(CautionWarning):
        system, x = algorithms.from_torch(model, MSE, tool, DATA, batch=10)
    for n in range(3):
        x = system.step(n, x)
    algorithms.sharpness(system, x, n=3)
    after = (model.state_dict(), tool.state_dict())
    assert str(after) == str(before)
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), slopes, strict=True))
    assert torch.equal(torch.get_rng_state(), chance)
    one_step(model, tool)  # and the copy does not follow the original
    assert np.array_equal(system.step(0, x), system.step(0, x))


def test_batch_statistics_are_part_of_the_loss_and_running_ones_of_nothing():
    model = network(nn.BatchNorm1d(4))
    tool = optim.SGD(model.parameters(), lr=0.1)
    with pytest.warns(CautionWarning, match="running_mean"):
        system, x = algorithms.from_torch(model, MSE, tool, DATA)
    for n in range(3):
        x = system.step(n, x)
        one_step(model, tool)
    assert np.allclose(system.weights(x), flat(model), rtol=0, atol=1e-14)
    algorithms.from_torch(model.eval(), MSE, tool, DATA)  # no caution: an error here otherwise


def test_dropout_is_a_random_map_or_refused():
    model = network(nn.Dropout(0.5))
    tool = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InvalidInput, match=r"draws at random in \['1'\].*model.eval"):
        algorithms.from_torch(model, MSE, tool, DATA)
    system, x = algorithms.from_torch(model, MSE, tool, DATA, batch=20, seed=3)
    assert np.array_equal(system.step(4, x), system.step(4, x))
    assert not np.allclose(system.step(4, x), system.step(5, x))
    algorithms.from_torch(model.eval(), MSE, tool, DATA)


def test_batches_are_those_of_the_iterate():
    model = network()
    tool = optim.SGD(model.parameters(), lr=0.1)
    system, x = algorithms.from_torch(model, MSE, tool, DATA, batch=5, seed=2)
    rows = np.array(system.loss.batch(7, 2, 5).rows)
    assert len(set(rows.tolist())) == 5
    MSE(model(INPUTS[rows]), TARGETS[rows]).backward()
    tool.step()
    assert np.allclose(system.step(7, x), flat(model), rtol=0, atol=1e-15)
    jitted = eqx.filter_jit(system.step)(7, x)
    assert np.allclose(jitted, flat(model), rtol=0, atol=1e-15)
    ours = algorithms.TrainingStep.of(
        algorithms.GradientDescent(
            algorithms.Loss.of(lambda w, x: jnp.mean((w - x) ** 2), [0.0], np.arange(10.0)), 0.1
        ),
        batch=2,
    )
    plain = algorithms.StochasticGradient(ours.loss, 0.1, batch=2)
    assert float(ours.step(3, jnp.zeros(1))[0]) == pytest.approx(
        float(plain.step(3, jnp.zeros(1))[0])
    )


def test_shared_frozen_and_idle_parameters():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = nn.Linear(3, 3, bias=False)
            self.outside = nn.Linear(3, 3, bias=False)
            self.outside.weight = self.inside.weight
            self.frozen = nn.Linear(3, 2)
            self.idle = nn.Linear(7, 7)
            self.left_out = nn.Parameter(torch.ones(2))
            self.frozen.requires_grad_(False)

        def forward(self, x):
            hidden = torch.tanh(self.outside(torch.tanh(self.inside(x))))
            return self.frozen(hidden) * self.left_out

    torch.manual_seed(0)
    model = Tied().double()
    trained = [p for n, p in model.named_parameters() if n != "left_out"]
    tool = optim.SGD(trained, lr=0.1, momentum=0.9, weight_decay=0.1)
    system, x = algorithms.from_torch(model, MSE, tool, DATA)
    assert system.loss.names[0] == "inside.weight[0]"
    assert system.loss.dim == 9
    for n in range(5):
        x = system.step(n, x)
        one_step(model, tool)
    assert np.allclose(
        system.weights(x), model.inside.weight.detach().numpy().ravel(), rtol=0, atol=1e-14
    )
    hessian = jax.jacfwd(system.loss.gradient)(system.weights(x))
    assert np.allclose(hessian, hessian.T, atol=1e-14)


def test_attention_without_a_second_derivative_falls_back():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Linear(4, 12)

        def forward(self, x):
            q, k, v = self.mix(x).chunk(3, -1)
            return nn.functional.scaled_dot_product_attention(q, k, v)

    torch.manual_seed(0)
    model = Attention().double()
    tool = optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(2, 1, 5, 4, dtype=torch.float64)

    def exact(model, data):
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return (model(data) ** 2).mean()

    with pytest.warns(CautionWarning, match="cannot be differentiated again"):
        system, x0 = algorithms.from_torch(model, lambda m, d: (m(d) ** 2).mean(), tool, x)
    assert [c.code for c in system.loss.cautions] == ["no-second-derivative"]
    other, _ = algorithms.from_torch(model, exact, tool, x)
    v = np.random.default_rng(0).normal(size=60)
    known = other.loss.curvature(x0, v)
    assert np.allclose(system.loss.curvature(x0, v), known, rtol=0, atol=1e-8 * np.abs(known).max())
    assert algorithms.sharpness(system, x0).value.value == pytest.approx(
        algorithms.sharpness(other, x0).value.value, rel=1e-5
    )


def test_single_precision_and_a_double_copy():
    model = network().float()
    data = (INPUTS.float(), TARGETS.float())
    tool = optim.Adam(model.parameters(), lr=0.01)
    single, x = algorithms.from_torch(model, MSE, tool, data)
    double, y = algorithms.from_torch(model, MSE, tool, data, dtype=torch.float64)
    assert x.dtype == jnp.float32
    assert y.dtype == jnp.float64
    a = algorithms.sharpness(single, single.step(0, x), n=1).value.value
    b = algorithms.sharpness(double, double.step(0, y), n=1).value.value
    assert a == pytest.approx(b, rel=1e-4)
    for n in range(5):
        x = single.step(n, x)
        tool.zero_grad()
        MSE(model(data[0]), data[1]).backward()
        tool.step()
    assert x.dtype == jnp.float32
    assert np.allclose(single.weights(x), flat(model), rtol=0, atol=1e-6)
    assert next(model.parameters()).dtype == torch.float32


def test_without_torch_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependency, match=r"takens\[torch\]"):
        algorithms.from_torch(None, None, None, None)


class Counting(nn.Module):
    """A layer that changes with every call."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        self.calls += 1
        return x * self.calls


OUTSIDE = network()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": 3}, "expected a torch Module"),
        ({"optimiser": 3}, "expected a torch Optimizer"),
        ({"loss": 3}, "expected a function"),
        ({"loss": lambda m, d: m(d[0])}, "expected one real number"),
        ({"loss": lambda m, d: 3.0}, "expected one real number"),
        ({"loss": lambda m, d: OUTSIDE(d[0]).mean()}, "use that argument"),
        ({"data": INPUTS}, "must be .inputs, targets."),
        ({"batch": 21}, "expected 1 to the 20"),
        ({"batch": 0}, "expected 1 to the 20"),
        ({"model": network(Counting())}, "changes what it depends on .1.calls."),
    ],
)
def test_what_is_no_training_step_is_refused(change, message):
    given = {"model": network(), "loss": MSE, "data": DATA, **change}
    if "optimiser" not in given:
        model = given["model"] if isinstance(given["model"], nn.Module) else network()
        given["optimiser"] = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(InvalidInput, match=message):
        algorithms.from_torch(**given)


def test_optimisers_that_are_no_step_are_refused():
    model = network()
    with pytest.raises(InvalidInput, match="LBFGS cannot take a step from a gradient alone"):
        algorithms.from_torch(model, MSE, optim.LBFGS(model.parameters()), DATA)
    with pytest.raises(InvalidInput, match="no part of the model"):
        algorithms.from_torch(model, MSE, optim.SGD(network().parameters(), lr=0.1), DATA)
    tool = optim.SGD(model.parameters(), lr=0.1)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*DATA), batch_size=4)
    with pytest.raises(InvalidInput, match="DataLoader"):
        algorithms.from_torch(model, MSE, tool, loader)
    tool.register_step_post_hook(lambda *a: None)
    with pytest.raises(InvalidInput, match="hooks"):
        algorithms.from_torch(model, MSE, tool, DATA)


def test_a_step_of_its_own_has_no_threshold():
    model = network()
    tool = optim.Adagrad(model.parameters())
    system, x = algorithms.from_torch(model, MSE, tool, DATA)
    with pytest.raises(WrongKind, match="no threshold"):
        algorithms.sharpness(system, x)
    found = algorithms.curvature_spectrum(algorithms.Curvature(system.loss, system.weights(x)))
    assert found.leading[0].value > 0


def test_a_run_that_diverges_ends_in_nan():
    model = network()
    tool = optim.SGD(model.parameters(), lr=1e200)
    system, x = algorithms.from_torch(model, MSE, tool, DATA)
    for n in range(6):
        x = system.step(n, x)
    assert not np.isfinite(x).all()
    with pytest.raises(InvalidInput, match="diverged"):
        algorithms.sharpness(system, x)


def test_a_newcomer_is_told_the_problem_and_the_fix(tmp_path):
    from takens.report.training import training

    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 64)[:, None]
    model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    tool = optim.SGD(model.parameters(), lr=0.3)
    system, x0 = algorithms.from_torch(model, MSE, tool, (x, torch.sin(4 * x)))
    weights = list(model.parameters())
    recorder = algorithms.Recorder(settings={"optimiser": "SGD", "learning_rate": 0.3})
    for _ in range(100):
        loss = MSE(model(x), torch.sin(4 * x))
        recorder.record(loss, weights)
        tool.zero_grad()
        loss.backward()
        tool.step()
    paths = training(recorder.save(tmp_path / "run.npz")).save(tmp_path / "report")
    page = next(p for p in paths if p.suffix == ".html").read_text(encoding="utf-8")
    assert "diverging" in page
    assert "Lower the learning rate of 0.3" in page
    assert 0.3 / algorithms.sharpness(system, x0).ratio.value == pytest.approx(0.12, abs=0.02)
