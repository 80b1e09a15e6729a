"""Every discovered system, estimator and result keeps its promises; a class without a case fails."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import takens
from takens import dynamics, learn, series, systems, testing, validate
from takens.core import AbstractEstimator, AbstractResult
from takens.core.integrators import AbstractIntegrator, Adaptive
from takens.core.system import (
    AbstractDiffusion,
    AbstractFlow,
    AbstractMap,
    AbstractSystem,
    parameter,
)
from takens.learn.terms import (
    Delays,
    Expressions,
    Polynomials,
    RationalFlow,
    TermDelayFlow,
    TermFlow,
    TermMap,
)
from tests.algorithms import cases as algorithm_cases

RNG = np.random.default_rng(7)
SIGNAL = np.sin(0.3 * np.arange(400)) + 0.3 * RNG.normal(size=400)

HEAT = learn.FieldData(
    values=np.exp(-0.02 * np.arange(80))[:, None] * np.sin(np.arange(20) * np.pi / 10)
    + np.exp(-0.08 * np.arange(80))[:, None] * np.cos(np.arange(20) * np.pi / 5)
    + 0.01 * RNG.normal(size=(80, 20)),
    times=np.arange(80),
    coordinates={"x": np.arange(20)},
)


# One row per class. An estimator: its settings. A result: a function that makes one.
ESTIMATORS = {
    "Persistence": learn.Persistence(),
    "Climatology": learn.Climatology(),
    "SeasonalClimatology": learn.SeasonalClimatology(period=2 * np.pi / 0.3),
    "LinearAutoregression": learn.LinearAutoregression(),
    "DMD": learn.DMD(),
    "NVAR": learn.NVAR(),
    "Analog": learn.Analog(),
    "KramersMoyal": learn.KramersMoyal(),
    "SINDy": learn.SINDy(library=Polynomials(1)),
    "SparseMap": learn.SparseMap(library=Polynomials(1)),
    "HigherOrderSINDy": learn.HigherOrderSINDy(library=Polynomials(1)),
    "DelaySINDy": learn.DelaySINDy(delays=(5, 9), library=Polynomials(1), n_nodes=5),
    "RationalSINDy": learn.RationalSINDy(library=Polynomials(1), below=Polynomials(1)),
    "SparseRegression": learn.SparseRegression(library=Polynomials(1)),
    "LibraryLadder": learn.LibraryLadder(),
    "OrderLadder": learn.OrderLadder(),
    "LawForecast": learn.LawForecast(finder=learn.SINDy(library=Polynomials(1))),
    "HalfKnown": learn.known("dx/dt = -k*x") + learn.MissingTerms(Polynomials(2)),
    "WeakPDE": learn.WeakPDE(degree=2, order=2, periodic=True),
    "DelayCoordinates": learn.DelayCoordinates(
        estimator=learn.SINDy(library=Polynomials(1)), window=8, n_modes=1
    ),
    "Reduced": learn.Reduced(estimator=learn.SINDy(library=Polynomials(1)), n_modes=1),
    "DiffusionLaw": learn.DiffusionLaw(degree=2, noise_degree=0),
}


def kicked_map() -> np.ndarray:
    """A logistic map that noise moves, seen with less noise."""
    rng, x = np.random.default_rng(2), [0.4]
    for kick in 0.02 * rng.normal(size=399):
        x.append(float(np.clip(3.6 * x[-1] * (1 - x[-1]) + kick, 0.02, 0.98)))
    return np.array(x) + 0.005 * rng.normal(size=400)


DECAY = np.exp(-0.05 * np.arange(80.0)) + 0.01 * RNG.normal(size=80)
# what a negative feedback of six or seven samples ago does, seen with a little noise
SWING = np.exp(-0.005 * np.arange(80.0)) * np.cos(0.25 * np.arange(80.0)) + 0.01 * RNG.normal(
    size=80
)
DATA = {  # of the estimators that do not learn from the signal
    "WeakPDE": HEAT,
    "HalfKnown": DECAY,
    "SINDy": DECAY,
    "Reduced": DECAY,
    "DelayCoordinates": np.exp(-0.05 * np.arange(80.0)),
    "SparseMap": DECAY,
    "RationalSINDy": DECAY,
    "DelaySINDy": SWING,
    "HigherOrderSINDy": np.exp(-0.02 * np.arange(200)) * SIGNAL[:200],
    "SparseRegression": DECAY,
    "LibraryLadder": DECAY,
    "OrderLadder": DECAY,
    "LawForecast": DECAY,
}
RESULTS = {
    "ZeroOneTest": lambda: dynamics.zero_one_test(
        systems.LogisticMap(r=3.9), [0.3], n_steps=400, n_transient=10
    ),
    "AlignmentIndex": lambda: dynamics.smaller_alignment_index(
        systems.StandardMap(kick=6.0), [3.0, 1.0], n_steps=200
    ),
    "FiniteTimeLyapunov": lambda: dynamics.finite_time_lyapunov_field(
        systems.HenonMap(), [np.linspace(0, 1, 4), np.linspace(0, 0.2, 3)], span=3
    ),
    "CovariantVectors": lambda: dynamics.covariant_lyapunov_vectors(
        systems.HenonMap(), [0.1, 0.1], n_steps=80
    ),
    "InvariantDensity": lambda: dynamics.invariant_density(
        systems.HenonMap(), [0.1, 0.1], components=("x", "y"), bins=8, n_steps=400
    ),
    "TransferMatrix": lambda: dynamics.transfer_matrix(
        systems.LogisticMap(), [np.linspace(0, 1, 17)], n_samples=16
    ),
    "StationaryDensity": lambda: dynamics.stationary_density(
        systems.OrnsteinUhlenbeck(), np.linspace(-2, 2, 41)
    ),
    "FokkerPlanckSpectrum": lambda: dynamics.fokker_planck_spectrum(
        systems.OrnsteinUhlenbeck(), np.linspace(-4, 4, 81)
    ),
    "DensityEvolution": lambda: dynamics.evolve_density(
        systems.OrnsteinUhlenbeck(), np.linspace(-4, 4, 81), np.ones(80), [0.0, 1.0]
    ),
    "MeanExitTime": lambda: dynamics.mean_exit_time(systems.OrnsteinUhlenbeck(), [0.0], -1, 2),
    "KramersRate": lambda: dynamics.kramers_rate(systems.NoisyDoubleWell(noise=0.3), [1.0], [0.0]),
    "EscapeTimes": lambda: dynamics.escape_times(
        systems.LogisticMap(r=5.0), np.linspace(0.05, 0.95, 400)[:, None], [[0, 1]], max_time=20
    ),
    "Embedding": lambda: series.embedding(SIGNAL),
    "DelayedInformation": lambda: series.delayed_information(SIGNAL, max_lag=3),
    "NonuniformEmbedding": lambda: series.nonuniform_embedding(SIGNAL, throw=False),
    "SingularEmbedding": lambda: series.singular_embedding(SIGNAL, window=4),
    "Sampling": lambda: series.sampling(SIGNAL),
    "Spectrum": lambda: series.spectrum(SIGNAL),
    "Stationarity": lambda: series.stationarity(SIGNAL),
    "ChangePoints": lambda: series.change_points(SIGNAL, n_surrogates=39),
    "Windowed": lambda: series.windowed(SIGNAL, np.mean, window=50, n_surrogates=39),
    "CrossPrediction": lambda: series.cross_prediction(
        SIGNAL, n_segments=2, n_reassignments=19, throw=False
    ),
    "UnitRoot": lambda: series.unit_root(SIGNAL),
    "LevelStationarity": lambda: series.level_stationarity(SIGNAL),
    "Sufficiency": lambda: series.data_sufficiency(SIGNAL),
    "SurrogateTest": lambda: series.surrogate_test(
        SIGNAL, lambda x: float(np.mean(np.diff(x) ** 3)), n_surrogates=19
    ),
    "PredictionError": lambda: series.prediction_error(SIGNAL),
    "LocalGlobalCurve": lambda: series.local_global_prediction(SIGNAL, dimension=2, delay=1),
    "TimeReversal": lambda: series.time_reversal(SIGNAL, n_surrogates=19),
    "ZeroOneTestOfData": lambda: series.zero_one_test_of_data(SIGNAL, n_surrogates=19, throw=False),
    "NoiseLevel": lambda: series.noise_level(SIGNAL, throw=False),
    "NoiseReduction": lambda: series.noise_reduction(SIGNAL, throw=False),
    "SurrogateData": lambda: series.surrogate_data(SIGNAL, n_surrogates=2),
    "LargestLyapunov": lambda: series.largest_lyapunov(SIGNAL, quick=True, throw=False),
    "ObservedLyapunovSpectrum": lambda: series.lyapunov_spectrum_from_data(SIGNAL, throw=False),
    "FiniteSizeLyapunov": lambda: series.finite_size_lyapunov(SIGNAL, throw=False),
    "DivergenceExponent": lambda: series.divergence_exponent(SIGNAL, throw=False),
    "LocalDimension": lambda: series.local_dimension(SIGNAL, n_states=50, throw=False),
    "GeneralisedDimensions": lambda: series.generalised_dimensions(SIGNAL, throw=False),
    "HiguchiDimension": lambda: series.higuchi_dimension(SIGNAL, throw=False),
    "CorrelationDimension": lambda: series.correlation_dimension(SIGNAL, throw=False),
    "PermutationEntropy": lambda: series.permutation_entropy(SIGNAL),
    "WordEntropy": lambda: series.dispersion_entropy(SIGNAL, classes=3),
    "SpectralEntropy": lambda: series.spectral_entropy(SIGNAL, max_lag=12),
    "LempelZiv": lambda: series.lempel_ziv_complexity(SIGNAL),
    "StatisticalComplexity": lambda: series.statistical_complexity(SIGNAL, order=3),
    "RecurrenceNetwork": lambda: series.recurrence_network(SIGNAL),
    "RecurrenceWindows": lambda: series.recurrence_windows(SIGNAL, window=100),
    "RecurrenceTimeDimension": lambda: series.recurrence_time_dimension(SIGNAL, throw=False),
    "RecurrencePlot": lambda: series.recurrence_plot(SIGNAL),
    "RecurrenceQuantification": lambda: series.recurrence_quantification(SIGNAL),
    "SampleEntropy": lambda: series.sample_entropy(SIGNAL),
    "MultiscaleEntropy": lambda: series.multiscale_entropy(SIGNAL, scales=3),
    "Motion": lambda: series.kind_of_motion(SIGNAL, quick=True),
    "Ensemble": lambda: dynamics.trajectories(
        systems.HenonMap(), [[0.1, 0.1], [9.0, 9.0]], np.arange(40), parameters={"a": [1.4, 1.2]}
    ),
    "LyapunovSpectrum": lambda: dynamics.lyapunov_spectrum(
        systems.HenonMap(), [0.1, 0.1], n_steps=400
    ),
    "LyapunovDiagram": lambda: dynamics.lyapunov_diagram(
        systems.LogisticMap(), "r", [3.2, 4.0], [0.3], n_steps=400
    ),
    "Crossings": lambda: dynamics.crossings(
        systems.Lorenz63(), [1.0, 1.0, 20.0], lambda t, x: x[2] - 27, dt=0.02, n_crossings=5
    ),
    "PoincareSection": lambda: dynamics.poincare_section(
        systems.Lorenz63(), [[1.0, 1.0, 20.0]], ("z", 27.0), dt=0.02, n_crossings=5
    ),
    "ReturnMap": lambda: dynamics.return_map(
        systems.Lorenz63(), [1.0, 1.0, 20.0], "z", dt=0.02, n_maxima=5
    ),
    "PeriodicOrbits": lambda: dynamics.periodic_orbits(
        systems.HenonMap(), [[0.6, 0.2]], max_period=2, n_starts=16
    ),
    "PeriodDoublings": lambda: dynamics.period_doublings(
        systems.LogisticMap(), "r", (2.5, 3.57), [0.4], n_doublings=3
    ),
    "SlowPoints": lambda: dynamics.slow_points(systems.HenonMap(), bounds=[(-2, 2), (-2, 2)]),
    "Manifold": lambda: dynamics.unstable_manifold(systems.HenonMap(), [0.63, 0.19], length=2.0),
    "FixedPoints": lambda: dynamics.fixed_points(systems.HenonMap(), bounds=[(-2, 2), (-2, 2)]),
    "OrbitDiagram": lambda: dynamics.orbit_diagram(
        systems.LogisticMap(), "r", [3.2, 3.5, 4.5], [0.3], n_steps=64
    ),
    "HysteresisDiagram": lambda: dynamics.hysteresis_diagram(
        systems.HenonMap(), "a", [0.2, 0.3], [0.1, 0.1], n_steps=64
    ),
    "Attractors": lambda: dynamics.attractors(
        systems.LogisticMap(r=3.2), [[0.1], [0.4], [2.0]], n_steps=100
    ),
    "BasinsOfAttraction": lambda: dynamics.basins_of_attraction(
        systems.HenonMap(), {"x": np.linspace(-2, 2, 9), "y": np.linspace(-2, 2, 8)}
    ),
    "BasinStability": lambda: dynamics.basin_stability(
        systems.HenonMap(), {"x": (-2, 2), "y": (-2, 2)}, n_samples=50
    ),
    "BasinEntropy": lambda: dynamics.basin_entropy(RNG.integers(0, 3, (20, 20))),
    "UncertaintyExponent": lambda: dynamics.uncertainty_exponent(RNG.integers(0, 3, (64, 64))),
    "FollowedAttractors": lambda: dynamics.follow_attractors(
        systems.LogisticMap(), "r", [2.0, 3.2, 5.0], {"x": (0.1, 0.9)}, n_samples=20
    ),
    "TippingProbabilities": lambda: dynamics.tipping_probabilities(
        np.array([0, 0, 1, -1]), np.array([0, 1, 1, -1])
    ),
    "JumpTest": lambda: learn.jump_test(SIGNAL),
    "NoiseParts": lambda: learn.SparseMap().fit(kicked_map()).diagnostics["law"].noise,
    "NoiseDecision": lambda: learn.noise_decision(SIGNAL, degree=2, noise_degree=0),
    "TransitionCheck": lambda: learn.transition_check(systems.OrnsteinUhlenbeck(), SIGNAL),
    "StochasticLaw": lambda: (
        learn.DiffusionLaw(degree=2, noise_degree=0).fit(SIGNAL).diagnostics["law"]
    ),
    "Law": lambda: learn.SINDy(library=Polynomials(1)).fit(DECAY).diagnostics["law"],
    "RegressionLaw": lambda: (
        learn.SparseRegression(library=Polynomials(1)).fit(DECAY).diagnostics["law"]
    ),
    "Posterior": lambda: learn.posterior(
        DECAY, learn.SINDy(library=Polynomials(1)), n_samples=20, n_draws=20
    ),
    "DelayScan": lambda: (
        learn.DelaySINDy(delays=(5, 9), library=Polynomials(1)).fit(SWING).diagnostics["scan"]
    ),
    "KramersMoyalCoefficients": lambda: learn.KramersMoyal().fit(SIGNAL).diagnostics["law"],
    "Modes": lambda: learn.modes(SIGNAL, n_modes=1),
    "PDELaw": lambda: learn.WeakPDE(degree=2, order=2).fit(HEAT).diagnostics["law"],
    "PartlyKnownLaw": lambda: half_known().fit(DECAY).diagnostics["law"],
    "Identifiability": lambda: half_known().fit(DECAY).diagnostics["law"].identifiability,
    "Rungs": lambda: (learn.known("dx/dt = -k*x") + learn.Ladder()).fit(DECAY).diagnostics["rungs"],
    "ProfileLikelihood": lambda: learn.profile_likelihood(DECAY, half_known(), "k"),
    "Backtest": lambda: validate.backtest(SIGNAL, estimators=[learn.Persistence()]),
    "LawJudgement": lambda: validate.judge_law(
        DECAY, learn.SINDy(library=Polynomials(1)), n_folds=1, throw=False
    ),
    "LongRun": lambda: validate.long_run(
        learn.LinearAutoregression().fit(SIGNAL), SIGNAL, n_steps=256, n_transient=16
    ),
}


def half_known():
    return learn.known("dx/dt = -k*x") + learn.Nothing()


KNOWN = {entry.name: entry for entry in systems.catalogue()}
# Settings under which a system is small enough for finite differences in every direction.
SMALL = {
    **{
        cls.__name__: {"n_points": 8 if cls.axes == 1 else 4}
        for cls in testing.discovered(systems.AbstractField)
    },
    **{cls.__name__: {"n_nodes": 7} for cls in testing.discovered(systems.AbstractDelayFlow)},
    "Lorenz96": {"n_sites": 5},
}


class Pendulum(AbstractFlow):
    """A flow of this test: what the documentation tells a user to write."""

    gravity: object = parameter(9.81)
    integrator: AbstractIntegrator = Adaptive()
    names: tuple[str, ...] = ("angle", "rate")

    def vector_field(self, t, x, u=None):
        return jnp.stack([x[1], -self.gravity * jnp.sin(x[0])])


class Drifting(AbstractMap):
    """A broken map: it keeps its own count, and so gives two answers to one question."""

    names: tuple[str, ...] = ("x",)

    def step(self, n, x, u=None):
        return x + float(np.random.default_rng().normal())


RESULTS |= algorithm_cases.RESULTS


def names(kind):
    return {cls.__name__ for cls in testing.discovered(kind)}


def test_every_class_has_a_case():
    assert names(AbstractEstimator) == set(ESTIMATORS)
    assert names(AbstractResult) == set(RESULTS)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator(name):
    testing.check_estimator(ESTIMATORS[name], DATA.get(name, SIGNAL))


@pytest.fixture(scope="module")
def models():
    return {name: row.fit(DATA.get(name, SIGNAL)).model for name, row in ESTIMATORS.items()}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_model(name, models):
    # Offsets that keep clear of ties and of the states seen in training.
    x0 = 0.1 + 0.01 * np.sqrt(np.arange(2.0, models[name].dim + 2.0))
    if isinstance(models[name], AbstractDiffusion):
        testing.check_diffusion(models[name], x0)
        return
    testing.check_system(models[name], x0, kinks=name == "Analog")


def test_every_system_class_is_checked(models):
    made = {type(model).__name__ for model in models.values()}
    # TimeMap is exercised by every flow, held systems in tests/dynamics/test_held.py
    elsewhere = {"TimeMap", "HeldMap", "HeldFlow", "RescaledMap", "RescaledFlow"}
    assert names(AbstractSystem) == made | set(KNOWN) | set(DERIVED) | elsewhere


@pytest.mark.parametrize("name", [name for name in KNOWN if KNOWN[name].kind != "diffusion"])
def test_known_system(name):
    system = KNOWN[name].system(**SMALL.get(name, {}))
    one_step = system.integrator.max_step if KNOWN[name].kind == "flow" else 1.0  # compiles fast
    testing.check_system(system, np.array(system.x0), dt=one_step)


@pytest.mark.parametrize("name", [name for name in KNOWN if KNOWN[name].kind == "diffusion"])
def test_known_diffusion(name):
    system = KNOWN[name].system()
    testing.check_diffusion(system, np.array(system.x0))


@pytest.mark.parametrize("name", RESULTS)
def test_result(name):
    testing.check_result(RESULTS[name]())


def observed_map():
    return learn.NVAR(n_lags=2, spacing=1, degree=2).fit(10 + SIGNAL).model.in_units()


def of_terms(kind):
    cubic = Polynomials(3).over(("x", "y"))
    small = np.random.default_rng(0).normal(scale=0.1, size=(len(cubic), 2))
    if kind == "RationalFlow":
        lower = Expressions("x^2", "y^2").over(("x", "y"))
        return RationalFlow(small, [[0.3, 0.1], [0.2, 0.4]], cubic, lower)
    if kind == "TermMap":
        delayed = Delays((2,), Polynomials(2)).over(("x",))
        return TermMap(np.linspace(-0.3, 0.3, len(delayed))[:, None], delayed)
    if kind == "TermDelayFlow":
        delayed = Delays(1, Polynomials(2)).over(("x",))
        return TermDelayFlow(small[:6, :1], delayed, delay=1.0, n_nodes=5)
    return TermFlow(small, cubic)


# Systems made from others, or from terms: a maker, and a state where the map is smooth.
DERIVED = {
    "Iterate": (lambda: dynamics.iterate(systems.HenonMap(), 3), [0.3, 0.1]),
    "Stroboscope": (lambda: dynamics.stroboscopic_map(systems.Lorenz63(), 0.1), [1.0, 2.0, 20.0]),
    "PoincareMap": (
        lambda: dynamics.poincare_map(systems.Rossler(), ("y", 0.0), dt=0.1, direction=-1),
        [-5.0, 0.02],
    ),
    "ObservedMap": (observed_map, [9.9, 10.2]),
    "TermFlow": (lambda: of_terms("TermFlow"), [0.3, -0.2]),
    "RationalFlow": (lambda: of_terms("RationalFlow"), [0.3, -0.2]),
    "TermMap": (lambda: of_terms("TermMap"), [0.3, -0.2, 0.1]),
    "TermDelayFlow": (lambda: of_terms("TermDelayFlow"), [0.3, 0.2, 0.1, 0.2, 0.3]),
    "GridPDE": (
        lambda: learn.WeakPDE(degree=2, order=2).fit(HEAT).model,
        np.cos(0.2 * np.arange(20) ** 1.5),
    ),
}


DERIVED |= algorithm_cases.SYSTEMS


@pytest.mark.parametrize("name", DERIVED)
def test_derived_system(name):
    make, x0 = DERIVED[name]
    system = make()
    check = (
        testing.check_diffusion if isinstance(system, AbstractDiffusion) else testing.check_system
    )
    check(system, np.array(x0))


def test_flow():
    testing.check_system(Pendulum(), np.array([0.3, 0.1]))


def test_impure_map_is_caught():
    with pytest.raises(AssertionError, match="not pure"):
        testing.check_system(Drifting(), np.array([0.3]))


def test_float_in_disguise_is_caught():
    with pytest.raises(AssertionError, match="no AbstractResult"):
        testing.check_result(0.9)


def test_testing_is_reached_from_the_top():
    assert takens.testing.check_system is testing.check_system
