"""Logs of training runs: recorded, written, read."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from takens import algorithms
from takens.core import InvalidInput

WEIGHTS = {"a": np.arange(1.0, 2001.0).reshape(40, 50), "b": [np.ones(7), np.float32(2.0)]}


def test_projections_are_linear_keep_distances_and_repeat():
    def shadow(*weights, **settings):
        recorder = algorithms.Recorder(64, **settings)
        for w in weights:
            recorder.record(0.0, w)
        return recorder.run().projections

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3333))
    made = shadow(a, b, 2 * a - b)
    assert np.allclose(made[2], 2 * made[0] - made[1])
    ratio = np.sum(made[0] ** 2) / np.sum(a**2)
    assert ratio == pytest.approx(1.0, abs=0.6)  # chi-squared of 64: four deviations are 0.7
    assert np.array_equal(shadow(a), shadow(a))
    assert not np.array_equal(shadow(a), shadow(a, seed=1))
    single = shadow(a.astype(np.float32))
    assert np.allclose(single, shadow(a), atol=1e-4)


def test_every_weight_has_a_part():
    for i in (0, 63, 64, 1023, 1024, 1999, 2000, 2006, 2007):
        flat = np.zeros(2008)
        flat[i] = 1.0
        recorder = algorithms.Recorder(16)
        recorder.record(0.0, [flat[:2000], flat[2000:2007], flat[2007]])
        assert np.count_nonzero(recorder.run().projections) == 1


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".jsonl"])
def test_what_is_written_is_read(tmp_path, suffix):
    recorder = algorithms.Recorder(3, settings={"optimiser": "sgd", "learning_rate": 0.1})
    for n in range(5):
        recorder.record(np.float32(1 / (n + 1)), WEIGHTS, gradient_norm=0.5**n)
    path = recorder.save(tmp_path / f"run{suffix}")
    run, back = recorder.run(), algorithms.read_run(path)
    assert np.array_equal(back.steps, run.steps)
    assert np.array_equal(back.loss, run.loss)
    assert np.array_equal(back.gradient_norm, run.gradient_norm)
    assert np.array_equal(back.projections, run.projections)
    if suffix == ".npz":
        assert back.settings == run.settings
        assert back.n_weights == 2008
    with pytest.raises(InvalidInput, match="exists already"):
        recorder.save(path)


def test_rows_are_skipped_and_steps_may_be_given():
    recorder = algorithms.Recorder(every=3)
    for n in range(10):
        recorder.record(n, np.ones(4))
    assert recorder.run().steps.tolist() == [0, 3, 6, 9]
    other = algorithms.Recorder()
    other.record(1.0, np.ones(4), step=100)
    assert other.run().steps.tolist() == [100]
    assert other.run().gradient_norm is None


def test_a_diverged_loss_is_kept(tmp_path):
    recorder = algorithms.Recorder()
    for loss in (1.0, np.inf, np.nan):
        recorder.record(loss, np.full(4, loss))
    for suffix in (".npz", ".csv", ".jsonl"):
        back = algorithms.read_run(recorder.save(tmp_path / f"lost{suffix}"))
        assert np.isnan(back.loss[2])
        assert np.isinf(back.loss[1])


def test_logs_of_others(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,note,lr\n1,0.5,warm,0.1\n2,0.25,x,0.1\n")
    run = algorithms.read_run(path)
    assert run.steps.tolist() == [1, 2]
    assert run.loss.tolist() == [0.5, 0.25]
    lines = tmp_path / "log.jsonl"
    lines.write_text(
        "\n".join(json.dumps({"step": n, "loss": 1.0 / (n + 1)}) for n in range(3)) + "\n\n"
    )
    assert algorithms.read_run(lines).projections is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "step,value\n1,2\n", "one must be called 'loss'"),
        ("a.csv", "step,loss\n1,x\n", "Line 2"),
        ("a.csv", "step,loss\n2,1\n1,1\n", "Steps must increase"),
        ("a.csv", "", "no rows"),
        ("a.jsonl", "{\n", "Line 1"),
        ("a.jsonl", "[1]\n", "no object"),
        ("a.npz", "nothing", "no such file"),
        ("a.txt", "", "expected one of"),
    ],
)
def test_files_that_are_no_log_are_refused(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        algorithms.read_run(path)


def test_misuse_is_refused(tmp_path):
    recorder = algorithms.Recorder()
    with pytest.raises(InvalidInput, match="Nothing was recorded"):
        recorder.run()
    recorder.record(1.0, np.ones(4))
    with pytest.raises(InvalidInput, match="one model with one recorder"):
        recorder.record(1.0, np.ones(5))
    with pytest.raises(InvalidInput, match="at least 1"):
        algorithms.Recorder(0)
    with pytest.raises(InvalidInput, match="no file"):
        algorithms.read_run(tmp_path / "none.csv")
    with pytest.raises(InvalidInput, match="for each"):
        algorithms.TrainingRun(steps=[0, 1], loss=[1.0])


def test_recording_needs_neither_jax_nor_scipy():
    code = (
        "import sys, numpy as np; from takens.algorithms import Recorder; r = Recorder(); "
        "r.record(1.0, np.ones(3)); r.run(); print([m for m in ('jax', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
