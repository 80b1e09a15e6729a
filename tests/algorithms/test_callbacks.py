"""Recorders in the loops of others: trainers that call the hooks as Lightning 2.6 and Keras 3.15 do."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms
from takens.algorithms import shadows
from takens.core import InvalidInput

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

X = np.random.default_rng(0).normal(size=(12, 3))
Y = X.sum(axis=1, keepdims=True)


class Trainer:
    """Calls every hook of a Lightning callback around a torch loop, in its order."""

    def __init__(self, callbacks, starts=True, wrapped=True):
        self.callbacks, self.starts, self.wrapped = callbacks, starts, wrapped

    def call(self, name, *args, **kwargs):
        for callback in self.callbacks:
            hook = getattr(callback, name)
            assert callback.state_key
            if callable(hook):
                hook(self, self.module, *args, **kwargs)

    def fit(self, module, seen):
        self.module = module
        tool = torch.optim.SGD(module.parameters(), lr=0.1)
        self.call("setup", stage="fit")
        self.call("on_sanity_check_start")
        self.call("on_train_start")
        x, y = torch.tensor(X), torch.tensor(Y)
        for i in range(5):
            if self.starts:
                self.call("on_train_batch_start", (x, y), i)
            seen.append([p.detach().clone() for p in module.parameters() if p.requires_grad])
            loss = ((module(x) - y) ** 2).mean()
            self.call("on_before_backward", loss)
            tool.zero_grad()
            loss.backward()
            self.call("on_before_optimizer_step", tool)
            tool.step()
            outputs = {"loss": loss} if self.wrapped else loss
            self.call("on_train_batch_end", outputs, (x, y), i)
        self.call("on_train_batch_end", None, (x, y), 5)  # a skipped step
        self.call("on_train_end")
        assert [c.state_dict() for c in self.callbacks] == [{}]
        self.call("teardown", stage="fit")


def module():
    torch.manual_seed(0)
    made = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1)).double()
    made[0].bias.requires_grad_(False)
    return made


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_lightning_shaped_trainer(wrapped):
    recorder, known, seen = algorithms.Recorder(4), algorithms.Recorder(4), []
    Trainer([algorithms.LightningCallback(recorder)], wrapped=wrapped).fit(module(), seen)
    for weights in seen:
        known.record(0.0, weights)
    assert recorder.run().steps.tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(recorder.run().projections, known.run().projections)
    assert recorder.run().n_weights == 9
    assert np.all(np.diff(recorder.run().loss) < 0)


def test_a_trainer_that_does_not_say_when_a_batch_starts():
    recorder, known, seen = algorithms.Recorder(4), algorithms.Recorder(4), []
    model = module()
    Trainer([algorithms.LightningCallback(recorder)], starts=False).fit(model, seen)
    for weights in [*seen[1:], [p for p in model.parameters() if p.requires_grad]]:
        known.record(0.0, weights)
    assert np.array_equal(recorder.run().projections, known.run().projections)


class Variable:
    """As Keras has them: a name over an array that is replaced."""

    def __init__(self, value):
        self.value = value


class KerasModel:
    """Weights that are out of date until they are asked for, as on the JAX backend."""

    def __init__(self):
        self.current = np.zeros((3, 1))
        self.trainable_variables = [Variable(None)]

    def jax_state_sync(self):
        self.trainable_variables[0].value = self.current

    def fit(self, callbacks, losses, names=("on_train_batch_begin", "on_train_batch_end")):
        def call(name, *args, **kwargs):
            for callback in callbacks:
                getattr(callback, name)(*args, **kwargs)

        call("set_model", self)
        call("set_params", {"epochs": 2})
        call("on_train_begin", {})
        for epoch in range(2):
            call("on_epoch_begin", epoch, {})
            total = 0.0
            for batch in range(4):
                call(names[0], batch, logs={})
                error = X @ self.current - Y
                losses.append((float(np.mean(error**2)), self.current))
                total += losses[-1][0]
                self.current = self.current - 0.1 * 2 * X.T @ error / len(X)
                call(names[1], batch, logs={"loss": total / (batch + 1)})  # their mean so far
            call("on_test_batch_end", 0, logs={"loss": 7.0})
            call("on_epoch_end", epoch, {})
        call("on_train_end", {})


@pytest.mark.parametrize(
    "names", [("on_train_batch_begin", "on_train_batch_end"), ("on_batch_begin", "on_batch_end")]
)
def test_a_keras_shaped_trainer(names):
    recorder, known, losses = algorithms.Recorder(4), algorithms.Recorder(4), []
    KerasModel().fit([algorithms.KerasCallback(recorder)], losses, names)
    for loss, weights in losses:
        known.record(loss, [weights])
    assert np.allclose(recorder.run().loss, known.run().loss, rtol=1e-12)
    assert np.array_equal(recorder.run().projections, known.run().projections)


def test_misuse_is_refused():
    with pytest.raises(InvalidInput, match="expected a Recorder"):
        algorithms.LightningCallback(3)
    callback = algorithms.KerasCallback(algorithms.Recorder())
    with pytest.raises(InvalidInput, match="set_model"):
        callback.on_train_batch_begin(0)
    callback.set_model(KerasModel())
    with pytest.raises(InvalidInput, match="no 'loss'"):
        callback.on_train_batch_end(0, logs={"accuracy": 0.5})
    with pytest.raises(AttributeError):
        callback.something_else()
    assert pickle.loads(pickle.dumps(callback)).params is None


def test_a_torch_loop_is_read_where_its_weights_lie():
    model = module()
    tool = torch.optim.SGD(model.parameters(), lr=0.1)
    weights = list(model.parameters())
    recorder, copied = algorithms.Recorder(4), algorithms.Recorder(4)
    for n in range(6):
        loss = ((model(torch.tensor(X)) - torch.tensor(Y)) ** 2).mean()
        recorder.record(loss, weights)
        copied.record(loss.item(), [p.detach().clone() for p in weights])
        tool.zero_grad()
        loss.backward()
        tool.step()
        if n == 2:  # moved, as a change of device does
            weights[0].data = weights[0].data.clone()
    assert np.array_equal(recorder.run().projections, copied.run().projections)
    assert np.array_equal(recorder.run().loss, copied.run().loss)
    half = algorithms.Recorder(4)
    half.record(1.0, [p.detach().bfloat16() for p in weights])
    assert np.allclose(half.run().projections, copied.run().projections[-1], atol=0.3)


@pytest.mark.parametrize("sizes", [(40, 30), (200, 150)])  # all weights, and runs of them
def test_jax_loops_give_the_same_projections(sizes):
    rng = np.random.default_rng(1)
    weights = [{"w": rng.normal(size=sizes), "b": rng.normal(size=sizes[1])}]
    ours, theirs = algorithms.Recorder(8), algorithms.Recorder(8)
    step = jax.jit(lambda w: jax.tree.map(lambda a: 0.9 * a, w))
    on_device = jax.tree.map(jnp.asarray, weights)
    for n in range(300):  # more rows than may be on their way
        theirs.record(jnp.asarray(float(n)), on_device, gradient_norm=jnp.asarray(1.0))
        ours.record(float(n), jax.tree.map(np.asarray, on_device), gradient_norm=1.0)
        on_device = step(on_device)
    error = np.linalg.norm(ours.run().projections - theirs.run().projections, axis=1)
    single = 1e-6  # the precision that JAX begins with
    assert np.all(error < single * np.linalg.norm(ours.run().projections, axis=1))
    assert np.array_equal(ours.run().loss, theirs.run().loss)
    assert theirs.run().n_weights == sizes[0] * sizes[1] + sizes[1]
    with pytest.raises(InvalidInput, match="one model with one recorder"):
        theirs.record(0.0, [jnp.ones(3)])


def test_arrays_on_a_device_are_summed_there(monkeypatch):
    monkeypatch.setattr(shadows, "on_cpu", lambda leaf: False)
    weights = [{"w": np.random.default_rng(1).normal(size=(200, 150)), "b": np.ones(150)}]
    ours, theirs = algorithms.Recorder(8), algorithms.Recorder(8)
    ours.record(1.0, weights)
    theirs.record(1.0, jax.tree.map(jnp.asarray, weights))
    assert np.allclose(ours.run().projections, theirs.run().projections, rtol=1e-4, atol=1e-3)
    with pytest.raises(InvalidInput, match="one model with one recorder"):
        theirs.record(0.0, [jnp.ones(3)])


def test_loops_that_donate_their_weights():
    step = jax.jit(lambda w: 0.5 * w, donate_argnums=0)
    recorder, w = algorithms.Recorder(2), jnp.ones(5)
    for n in range(40):
        recorder.record(float(n), w)
        w = step(w)
    run = recorder.run()
    assert np.allclose(run.projections[1:], 0.5 * run.projections[:-1])


def test_weights_may_be_given_before_the_loss():
    recorder, w = algorithms.Recorder(2, every=2), np.ones(5)
    for n in range(5):
        recorder.before(w)
        w *= 0.5  # in place
        recorder.record(float(n))
    scale = recorder.run().projections[:, 0] / recorder.run().projections[0, 0]
    assert np.allclose(scale, [1, 1 / 4, 1 / 16])
    with pytest.raises(InvalidInput, match="No weights were given"):
        algorithms.Recorder().record(1.0)


def test_runs_of_a_large_model_keep_distances_and_leave_no_column_out():
    rng = np.random.default_rng(3)
    shape = (256, 128)
    change = [rng.normal(size=shape), rng.normal(size=300)]
    length = sum(float(np.sum(c**2)) for c in change)
    ratios = []
    for seed in range(40):
        recorder = algorithms.Recorder(16, seed=seed)
        recorder.record(0.0, change)
        ratios.append(float(np.sum(recorder.run().projections ** 2)) / length)
    assert np.mean(ratios) == pytest.approx(1.0, abs=4 * 0.4 / 40**0.5)
    assert np.std(ratios) < 0.6  # 0.35 of the factors; what runs add is small for an even change
    seen = 0
    for column in range(128):
        one = [np.zeros(shape), np.zeros(300)]
        one[0][:, column] = 1.0
        recorder = algorithms.Recorder(16)
        recorder.record(0.0, one)
        seen += bool(np.any(recorder.run().projections))
    assert seen == 128
