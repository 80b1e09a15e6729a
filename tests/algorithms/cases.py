"""One row per class of the room: a maker, and for a system a state where its map is smooth."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from takens import algorithms

TARGETS = jnp.asarray(np.random.default_rng(0).normal(size=(8, 2)))


def bowl(w, data):
    """A smooth loss of two weights that is no quadratic."""
    return jnp.mean(jnp.cosh(0.5 * (w - data)).sum(axis=1)) + 0.1 * w[0] * w[1]


def trained_by(make):
    """A small torch network under an optimiser, past its first step."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Linear(2, 1)).double()
    tool, data = make(torch.optim)(model.parameters()), torch.tensor(np.array(TARGETS))
    loss = lambda m, d: torch.cosh(m(d)).mean()
    loss(model, data).backward()
    tool.step()
    return algorithms.from_torch(model, loss, tool, data)[0]


LOSS = algorithms.Loss.of(bowl, [0.0, 0.0], TARGETS)
SQUARES = algorithms.Loss.of(lambda w, x: 0.5 * jnp.mean((w - x) ** 2), [0.0, 0.0], TARGETS)
PRODUCT = algorithms.Loss.of(lambda w: 0.5 * (w[0] * w[1] - 1) ** 2, [1.0, 1.0])
BALANCE = algorithms.symmetries(PRODUCT, [1.0, 0.5])
GAME = algorithms.Game.of(
    lambda x, y: x @ y + 0.1 * x @ x, lambda x, y: -x @ y + 0.1 * y @ y, [1.0], [0.0]
)
TWO = [0.3, -0.2]
SYSTEMS = {
    "GradientDescent": (lambda: algorithms.GradientDescent(LOSS, 0.3), TWO),
    "HeavyBall": (lambda: algorithms.HeavyBall(LOSS, 0.3, 0.5), [*TWO, 0.1, 0.2]),
    "Nesterov": (lambda: algorithms.Nesterov(LOSS, 0.3, 0.5), [*TWO, 0.1, 0.2]),
    "RMSProp": (lambda: algorithms.RMSProp(LOSS, 0.3), [*TWO, 0.1, 0.2]),
    "Adam": (lambda: algorithms.Adam(LOSS, 0.3), [*TWO, 0.1, 0.2, 0.3, 0.1]),
    "StochasticGradient": (lambda: algorithms.StochasticGradient(LOSS, 0.3, batch=3), TWO),
    "SimultaneousDescent": (lambda: algorithms.SimultaneousDescent(GAME, 0.3), TWO),
    "AlternatingDescent": (lambda: algorithms.AlternatingDescent(GAME, 0.3), TWO),
    "Extragradient": (lambda: algorithms.Extragradient(GAME, 0.3), TWO),
    "OptimisticDescent": (lambda: algorithms.OptimisticDescent(GAME, 0.3), [*TWO, 0.1, 0.2]),
    "ProximalPoint": (lambda: algorithms.ProximalPoint(GAME, 0.3), TWO),
    "Iteration": (lambda: algorithms.as_map(lambda s: 0.5 * jnp.sin(s), jnp.ones(2))[0], TWO),
    "OptaxMap": (
        lambda: algorithms.from_optax(
            bowl, optax.adam, [0.0, 0.0], batch=TARGETS, learning_rate=0.3
        )[0],
        [*TWO, 0.1, 0.2, 0.3, 0.1],
    ),
    "TrainingStep": (
        lambda: algorithms.TrainingStep.of(
            algorithms.HeavyBall(LOSS, 0.3, 0.5), scale=[1.0, 0.5], decay=0.1, batch=3
        ),
        [*TWO, 0.1, 0.2],
    ),
    "TorchStep": (
        lambda: trained_by(lambda optim: optim.Adagrad),
        [0.1, 0.3, -0.2, 0.4, 0.2, 0.3],
    ),
    "ExponentiatedGradient": (lambda: algorithms.ExponentiatedGradient(LOSS, 0.3), [0.3, 0.2]),
    "GaussianMixtureEM": (
        lambda: algorithms.GaussianMixtureEM(TARGETS[:, 0], jnp.array([0.4, 0.6])),
        TWO,
    ),
    "Sinkhorn": (
        lambda: algorithms.Sinkhorn(jnp.abs(TARGETS[:2, :]), jnp.ones(2) / 2, jnp.ones(2) / 2, 0.5),
        TWO,
    ),
    "KMeans": (lambda: algorithms.KMeans(TARGETS, 2), [0.5, 0.4, -0.5, -0.4]),
    "ValueIteration": (
        lambda: algorithms.ValueIteration(
            jnp.array([[[0.5, 0.5], [0.2, 0.8]], [[0.9, 0.1], [0.3, 0.7]]]),
            jnp.array([[1.0, 0.0], [0.2, 0.5]]),
        ),
        TWO,
    ),
    "RecurrentNetwork": (
        lambda: algorithms.rnn_system(
            {"weight_hh": np.array([[0.5, 1.0], [-1.0, 0.5]]), "weight_ih": np.eye(2)},
            inputs=lambda key: jax.random.normal(key, (2,)),
        ),
        TWO,
    ),
    "DampedMap": (
        lambda: algorithms.DampedMap(algorithms.GradientDescent(LOSS, 0.3), 0.5),
        TWO,
    ),
    "UnadjustedLangevin": (lambda: algorithms.UnadjustedLangevin(LOSS, 0.3), TWO),
    "GradientFlow": (lambda: algorithms.GradientFlow(LOSS, penalty=0.1), TWO),
    "GradientDiffusion": (
        lambda: algorithms.GradientDiffusion(algorithms.StochasticGradient(LOSS, 0.05, batch=3)),
        TWO,
    ),
    "IndependentRuns": (
        lambda: algorithms.IndependentRuns(algorithms.UnadjustedLangevin(LOSS, 0.3)),
        [*TWO, 1.0],
    ),
}
RESULTS = {
    "CurvatureSpectrum": lambda: algorithms.curvature_spectrum(
        algorithms.Curvature(LOSS, TWO), n_trailing=1
    ),
    "SpectralDensity": lambda: algorithms.spectral_density(
        algorithms.Curvature(LOSS, TWO), n_probes=3
    ),
    "Sharpness": lambda: algorithms.sharpness(algorithms.GradientDescent(LOSS, 0.3), TWO),
    "LearningRateScan": lambda: algorithms.learning_rate_scan(
        algorithms.GradientDescent(LOSS, 0.3), TWO, (0.1, 20.0), n_rounds=0, n_transient=400
    ),
    "ConvergenceRate": lambda: algorithms.convergence_rate(0.9 ** np.arange(60.0)),
    "TrainingDiagnosis": lambda: algorithms.diagnose(
        algorithms.TrainingRun(steps=np.arange(100), loss=0.9 ** np.arange(100.0))
    ),
    "GameAnalysis": lambda: algorithms.game_analysis(GAME, [0.0, 0.0]),
    "EchoState": lambda: algorithms.echo_state(SYSTEMS["RecurrentNetwork"][0](), n_steps=500),
    "DampingAdvice": lambda: algorithms.damping_for(algorithms.GradientDescent(LOSS, 0.3), TWO),
    "SameDynamics": lambda: algorithms.same_dynamics(
        0.9 ** np.arange(30.0)[:, None] * np.arange(1.0, 5.0)[:, None, None],
        0.8 ** np.arange(30.0)[:, None] * np.arange(1.0, 5.0)[:, None, None],
    ),
    "Acceleration": lambda: algorithms.accelerate(np.cos, [1.0]),
    "Tuning": lambda: algorithms.tune(
        algorithms.HeavyBall(LOSS, 0.3), algorithms.Quadratics(0.1, 1.0)
    ),
    "FlowErrors": lambda: algorithms.flow_errors(
        algorithms.GradientDescent(LOSS, 0.3), TWO, time=0.6, n_halvings=2
    ),
    "StationaryNoise": lambda: algorithms.stationary_noise(
        algorithms.StochasticGradient(SQUARES, 0.3, batch=3),
        np.asarray(TARGETS.mean(axis=0)),
        n_steps=200,
    ),
    "Symmetries": lambda: BALANCE,
    "ChargeDrift": lambda: algorithms.charge_drift(
        algorithms.GradientDescent(PRODUCT, 0.1), [2.0, 0.1], BALANCE, n_steps=20
    ),
    "CriticalSharpness": lambda: algorithms.critical_sharpness(
        algorithms.GradientDescent(LOSS, 0.3), TWO
    ),
}
