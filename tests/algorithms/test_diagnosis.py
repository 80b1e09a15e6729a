"""What becomes of a run: known answers, records of the same runs, and records that must be refused."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from takens import algorithms
from takens.algorithms.diagnosis import measures
from takens.core import InvalidInput, Status, WrongKind

GD, Run = algorithms.GradientDescent, algorithms.TrainingRun
WELL = algorithms.Loss.of(lambda w: 0.25 * jnp.sum((w**2 - 1) ** 2), np.zeros(1))
BOWL = algorithms.Loss.of(lambda w: 0.5 * jnp.sum(jnp.array([0.01, 0.1, 1.0]) * w**2), np.zeros(3))


def network(seed=0, n=40, width=8):
    """A small tanh network on labels that it cannot learn at once."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6)) / 6**0.5
    y = np.eye(3)[rng.integers(0, 3, n)]
    start = {
        "in": rng.uniform(-1, 1, (6, width)) / 6**0.5,
        "out": rng.uniform(-1, 1, (width, 3)) / width**0.5,
    }

    def loss(w, data):
        x, y = data
        return 0.5 * jnp.mean(jnp.sum((jnp.tanh(x @ w["in"]) @ w["out"] - y) ** 2, axis=1))

    return algorithms.Loss.of(loss, start, (x, y)), start


NET, START = network()


def verdict(system, x0, n_steps=512, **settings):
    return algorithms.diagnose(system, x0, n_steps=n_steps, n_trials=0, **settings)


SYSTEMS = [
    ("converging", GD(WELL, 0.3), [0.4], 256),
    ("oscillating", GD(WELL, 1.1), [0.4], 256),
    ("oscillating", GD(WELL, 1.25), [0.4], 512),
    ("chaotic", GD(WELL, 1.4), [0.4], 2000),
    ("diverging", GD(WELL, 2.2), [0.4], 256),
    ("stalled", GD(WELL, 0.3), [0.0], 256),  # on the hilltop, where the gradient vanishes
    ("converging", GD(BOWL, 1.99), [1.0, 1.0, 1.0], 1000),  # alternates, and dies out
    ("oscillating", GD(BOWL, 2.0), [1.0, 1.0, 1.0], 1000),
    ("diverging", GD(BOWL, 2.05), [1.0, 1.0, 1.0], 1000),
    ("stalled", GD(BOWL, 1e-4), [1.0, 1.0, 1.0], 512),
    ("converging", algorithms.HeavyBall(BOWL, 1.0, 0.9), [1.0] * 3 + [0.0] * 3, 512),
]


@pytest.mark.parametrize(
    ("expected", "system", "x0", "n_steps"), SYSTEMS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_known_runs_by_both_doors(expected, system, x0, n_steps):
    found = verdict(system, x0, n_steps)
    assert found.verdict == expected
    again = algorithms.diagnose(
        Run(steps=found.run.steps, loss=found.run.loss, gradient_norm=found.run.gradient_norm,
            projections=found.run.projections)
    )  # fmt: skip
    assert again.verdict == expected
    assert found.door == "system"
    assert again.door == (
        "projections" if len(found.run) and np.isfinite(found.run.projections).all() else "loss"
    )


EDGE = [
    ("edge-of-stability", GD(NET, 1.5)),
    ("edge-of-stability", algorithms.Adam(NET, 0.01, 0.9, 0.99)),
    ("converging", GD(NET, 0.3)),
    ("diverging", GD(NET, 12.0)),
]


@pytest.mark.parametrize(("expected", "system"), EDGE)
def test_the_edge_from_sharpness_and_from_projections(expected, system):
    found = verdict(system, system.start(START), 2000)
    assert found.verdict == expected
    bare = Run(steps=found.run.steps, loss=found.run.loss, projections=found.run.projections)
    assert algorithms.diagnose(bare).verdict == expected
    alone = algorithms.diagnose(Run(steps=bare.steps, loss=bare.loss))
    assert alone.verdict in ("converging", "diverging", "undetermined")  # the loss sees no flip
    assert alone.door == "loss"


def test_batches_come_to_their_noise_and_are_never_called_the_edge():
    loss = algorithms.Loss.of(lambda w, x: 0.5 * jnp.mean((w[0] - x) ** 2), [0.0],
                              np.random.default_rng(0).normal(size=200))  # fmt: skip
    floor = algorithms.StochasticGradient(loss, 0.1, batch=10)
    found = algorithms.diagnose(floor, [3.0], n_steps=2000, n_trials=1)
    assert found.verdict == "noise-floor"
    assert found.advice[0].tried
    bare = Run(steps=found.run.steps, loss=found.run.loss, projections=found.run.projections)
    assert algorithms.diagnose(bare).verdict == "noise-floor"
    early = verdict(algorithms.StochasticGradient(loss, 2e-3, batch=10), [3.0], 1000)
    assert early.verdict == "converging"


def test_noise_is_never_the_edge_chaos_or_a_cycle():
    rng = np.random.default_rng(1)
    for seed in range(12):
        noise = rng.normal(size=(800, 16))
        walk = [noise, np.cumsum(noise, axis=0), np.cumsum(noise + 0.2, axis=0)][seed % 3]
        loss = 1 + 0.1 * rng.normal(size=800)
        found = algorithms.diagnose(Run(steps=np.arange(800), loss=loss, projections=walk))
        assert found.verdict in ("noise-floor", "undetermined"), seed


def test_what_is_left_of_single_precision_is_no_noise_floor():
    w, rows = np.linspace(1, 2, 400, dtype=np.float32), []
    recorder = algorithms.Recorder()
    target = np.float32(0.3) * w
    for _ in range(600):
        recorder.record(float(0.5 * np.mean((w - target) ** 2)) + 0.1, w)
        rows.append(w)
        w = (w - np.float32(0.1) * (w - target)).astype(np.float32)
    assert algorithms.diagnose(recorder.run()).verdict == "converging"


def test_advice_names_the_largest_stable_rate_and_was_tried():
    found = algorithms.diagnose(GD(WELL, 1.4), [0.4], n_steps=1000)
    assert "1.4 times the largest that is stable at the minimum nearby, 1." in found.advice[0].text
    assert found.advice[0].tried
    lost = algorithms.diagnose(GD(BOWL, 3.0), [1.0, 1.0, 1.0], n_steps=512)
    assert "1.5 times the largest stable one at the start (2)" in lost.advice[0].text
    slow = algorithms.diagnose(GD(BOWL, 1e-4), [1.0, 1.0, 1.0], n_steps=512)
    assert slow.advice[0].tried
    assert "5e-05 of what curvature bears" in slow.advice[0].text
    assert not algorithms.diagnose(lost.run).advice[0].tried


def test_rate_and_steps_of_a_run_that_settles():
    found = verdict(GD(BOWL, 1.0), [1.0, 1.0, 1.0], 1500)
    low, high = found.named("rate").value.interval
    assert low <= 0.99 <= high
    assert found.named("steps to go").value.value == pytest.approx(
        np.log(1e-3) / np.log(0.99), rel=1e-2
    )


def test_exponent_and_period_are_those_of_the_map():
    found = verdict(GD(WELL, 1.4), [0.4], 2000)
    low, high = found.named("Lyapunov exponent of training").value.interval
    assert low < 0.3433 < high
    assert verdict(GD(WELL, 1.25), [0.4]).named("period").value.value == 4


def test_a_map_without_a_loss_by_its_jacobian():
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    system, x0 = algorithms.as_map(lambda s: jnp.asarray(turn) @ s, jnp.array([1.0, 0.0]))
    assert verdict(system, x0).verdict == "oscillating"
    system, x0 = algorithms.as_map(lambda s: 0.9 * jnp.asarray(turn) @ s, jnp.array([1.0, 0.0]))
    assert verdict(system, x0).verdict == "converging"
    system, x0 = algorithms.as_map(lambda s: -s + 1e-3, jnp.array([1.0]))
    found = verdict(system, x0)
    assert found.verdict == "oscillating"


def test_measures_on_known_motions():
    rng = np.random.default_rng(0)
    n = np.arange(4000.0)
    line = n[:, None] * np.ones(3)
    assert measures.travel(line).value == pytest.approx(64, rel=1e-6)
    walks = [
        measures.travel(np.cumsum(rng.normal(size=(4000, 16)), axis=0)).value for _ in range(8)
    ]
    assert np.median(walks) == pytest.approx(11.5, rel=0.4)
    assert measures.travel(rng.normal(size=(4000, 16))).value == pytest.approx(1, abs=0.3)
    cycle = np.tile(rng.normal(size=(5, 2)), (400, 1))
    assert measures.period(cycle)[0] == 5
    assert measures.period(line)[0] == 0
    x = np.empty(1000)
    x[0] = 0.3
    for i in range(999):
        x[i + 1] = 3.9 * x[i] * (1 - x[i])
    assert measures.unforetold(x[:-1, None], np.diff(x)).value < 1e-3
    noise = rng.normal(size=(1000, 16))
    assert measures.unforetold(noise[:-1], np.diff(noise, axis=0)).value > 0.6
    swing = measures.alternation(1e-3 * n[:, None] + 0.1 * (-1.0) ** n[:, None])
    assert swing.amplitude == pytest.approx(np.full(32, 0.1), rel=1e-6)
    assert swing.alive


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (np.exp(-0.01 * np.arange(400)), "converging"),
        (1.0 - 1e-6 * np.arange(400), "stalled"),
        (np.tile([1.0, 2.0], 100), "oscillating"),
        (np.r_[np.ones(50), np.nan], "diverging"),
        (np.exp(0.05 * np.arange(200)), "diverging"),
        (np.ones(100), "undetermined"),
        (1 + 0.3 * np.random.default_rng(0).normal(size=300), "undetermined"),
        (np.exp(-0.01 * np.arange(300)) * (1 + 0.1 * np.random.default_rng(0).normal(size=300)),
         "converging"),
        (2 + np.sin(0.2 * np.arange(400)), "undetermined"),
        ([1.0], "undetermined"),
        ([np.nan], "diverging"),
        (1e300 * np.exp(-0.01 * np.arange(400)), "converging"),
        (-5 + np.exp(-0.01 * np.arange(400)), "converging"),
    ],
)  # fmt: skip
def test_verdicts_of_a_loss_alone(loss, expected):
    found = algorithms.diagnose(Run(steps=np.arange(len(loss)), loss=loss))
    assert found.verdict == expected, found
    assert found.door == "loss"
    assert (found.status is Status.TOO_SHORT) == (len(loss) == 1 and expected == "undetermined")


def test_missing_skipped_and_uneven_rows_are_cautions():
    base = verdict(GD(WELL, 0.05), [0.4], 512).run
    loss = base.loss.copy()
    loss[10:20] = np.nan
    codes = {c.code for c in algorithms.diagnose(Run(steps=base.steps, loss=loss)).cautions}
    assert codes == {"missing-loss"}
    every = Run(steps=base.steps[::2], loss=base.loss[::2], projections=base.projections[::2])
    found = algorithms.diagnose(every)
    assert [c.code for c in found.cautions] == ["rows-skipped"]
    assert found.cautions[0].level == "serious"
    keep = np.r_[0:30, 31:512]
    uneven = Run(steps=base.steps[keep], loss=base.loss[keep], projections=base.projections[keep])
    assert "uneven-steps" in {c.code for c in algorithms.diagnose(uneven).cautions}
    short = Run(steps=base.steps[:30], loss=base.loss[:30], projections=base.projections[:30])
    found = algorithms.diagnose(short)
    assert "few-projections" in {c.code for c in found.cautions}
    assert found.door == "loss"


def test_files(tmp_path):
    run = verdict(GD(WELL, 1.1), [0.4], 256).run
    for suffix in (".npz", ".csv", ".jsonl"):
        path = run.save(tmp_path / f"run{suffix}")
        assert algorithms.diagnose(path).verdict == "oscillating"
        assert algorithms.diagnose(str(path)).verdict == "oscillating"


def test_wrong_questions():
    system = GD(WELL, 0.3)
    with pytest.raises(InvalidInput, match=r"system\.start"):
        algorithms.diagnose(system)
    with pytest.raises(InvalidInput, match="shape"):
        algorithms.diagnose(system, [1.0, 2.0])
    with pytest.raises(InvalidInput, match="at least 256"):
        algorithms.diagnose(system, [1.0], n_steps=10)
    with pytest.raises(InvalidInput, match="tol"):
        algorithms.diagnose(system, [1.0], tol=2.0)
    with pytest.raises(InvalidInput, match="n_trials"):
        algorithms.diagnose(system, [1.0], n_trials=-1)
    with pytest.raises(InvalidInput, match="n_steps: for a system"):
        algorithms.diagnose(Run(steps=[0], loss=[1.0]), n_steps=300)
    with pytest.raises(WrongKind, match="TrainingRun"):
        algorithms.diagnose(3.0, [1.0])
    with pytest.raises(InvalidInput, match="no file"):
        algorithms.diagnose("none.csv")


def test_summary_says_what_it_rests_on():
    found = algorithms.diagnose(GD(WELL, 1.1), [0.4], n_steps=256)
    text = str(found)
    assert text.startswith("oscillating: ")
    assert "advice (tried)" in text
    assert found.status is Status.OK
    assert found.named("nothing of that name") is None


def test_an_optimiser_of_optax_is_known_or_asked_by_its_jacobian():
    import optax

    system, x0 = algorithms.from_optax(
        NET.function, optax.sgd, START, batch=NET.data, learning_rate=1.5
    )
    found = verdict(system, x0, 1200)
    assert found.verdict == "edge-of-stability"
    assert found.named("sharpness over threshold").value.value == pytest.approx(1.0, abs=0.15)
    clipped = optax.chain(optax.clip(0.05), optax.sgd(1.5))
    other, x0 = algorithms.from_optax(NET.function, clipped, START, batch=NET.data)
    found = verdict(other, x0, 600)
    assert found.named("sharpness over threshold") is None
    assert found.named("multiplier of least real part").value.is_finite
