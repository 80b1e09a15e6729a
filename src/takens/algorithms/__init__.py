"""Learning algorithms as dynamical systems, and the questions that only they raise.

All of it needs JAX, and is imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from takens.algorithms.advice import GameAnalysis as GameAnalysis
    from takens.algorithms.advice import MethodAdvice as MethodAdvice
    from takens.algorithms.advice import game_analysis as game_analysis
    from takens.algorithms.callbacks import KerasCallback as KerasCallback
    from takens.algorithms.callbacks import LightningCallback as LightningCallback
    from takens.algorithms.cells import AbstractCell as AbstractCell
    from takens.algorithms.cells import ElmanCell as ElmanCell
    from takens.algorithms.cells import EquinoxCell as EquinoxCell
    from takens.algorithms.cells import GRUCell as GRUCell
    from takens.algorithms.cells import LSTMCell as LSTMCell
    from takens.algorithms.cells import StackedCells as StackedCells
    from takens.algorithms.cells import WrittenCell as WrittenCell
    from takens.algorithms.classes import AbstractFunctions as AbstractFunctions
    from takens.algorithms.classes import Quadratics as Quadratics
    from takens.algorithms.classes import SmoothConvex as SmoothConvex
    from takens.algorithms.conserved import ChargeDrift as ChargeDrift
    from takens.algorithms.conserved import Symmetries as Symmetries
    from takens.algorithms.conserved import charge_drift as charge_drift
    from takens.algorithms.conserved import symmetries as symmetries
    from takens.algorithms.curvature import CurvatureSpectrum as CurvatureSpectrum
    from takens.algorithms.curvature import SpectralDensity as SpectralDensity
    from takens.algorithms.curvature import curvature_spectrum as curvature_spectrum
    from takens.algorithms.curvature import spectral_density as spectral_density
    from takens.algorithms.damping import DampedMap as DampedMap
    from takens.algorithms.damping import DampingAdvice as DampingAdvice
    from takens.algorithms.damping import damping_for as damping_for
    from takens.algorithms.diagnosis import TrainingAdvice as TrainingAdvice
    from takens.algorithms.diagnosis import TrainingDiagnosis as TrainingDiagnosis
    from takens.algorithms.diagnosis import TrainingEvidence as TrainingEvidence
    from takens.algorithms.diagnosis import diagnose as diagnose
    from takens.algorithms.drives import AbstractDrive as AbstractDrive
    from takens.algorithms.drives import ConstantDrive as ConstantDrive
    from takens.algorithms.drives import RandomDrive as RandomDrive
    from takens.algorithms.drives import SequenceDrive as SequenceDrive
    from takens.algorithms.echo import EchoState as EchoState
    from takens.algorithms.echo import echo_state as echo_state
    from takens.algorithms.edge import CriticalSharpness as CriticalSharpness
    from takens.algorithms.edge import Sharpness as Sharpness
    from takens.algorithms.edge import critical_sharpness as critical_sharpness
    from takens.algorithms.edge import sharpness as sharpness
    from takens.algorithms.extrapolation import AbstractAcceleration as AbstractAcceleration
    from takens.algorithms.extrapolation import Anderson as Anderson
    from takens.algorithms.extrapolation import MinimalPolynomial as MinimalPolynomial
    from takens.algorithms.extrapolation import ReducedRank as ReducedRank
    from takens.algorithms.fingerprints import AbstractFingerprint as AbstractFingerprint
    from takens.algorithms.fingerprints import DelayMatrix as DelayMatrix
    from takens.algorithms.fingerprints import KoopmanSpectrum as KoopmanSpectrum
    from takens.algorithms.from_libraries import OptaxMap as OptaxMap
    from takens.algorithms.from_libraries import from_optax as from_optax
    from takens.algorithms.games import AbstractGamePlay as AbstractGamePlay
    from takens.algorithms.games import AlternatingDescent as AlternatingDescent
    from takens.algorithms.games import Extragradient as Extragradient
    from takens.algorithms.games import Game as Game
    from takens.algorithms.games import OptimisticDescent as OptimisticDescent
    from takens.algorithms.games import ProximalPoint as ProximalPoint
    from takens.algorithms.games import SimultaneousDescent as SimultaneousDescent
    from takens.algorithms.iterations import ExponentiatedGradient as ExponentiatedGradient
    from takens.algorithms.iterations import GaussianMixtureEM as GaussianMixtureEM
    from takens.algorithms.iterations import Iteration as Iteration
    from takens.algorithms.iterations import KMeans as KMeans
    from takens.algorithms.iterations import Sinkhorn as Sinkhorn
    from takens.algorithms.iterations import UnadjustedLangevin as UnadjustedLangevin
    from takens.algorithms.iterations import ValueIteration as ValueIteration
    from takens.algorithms.iterations import as_map as as_map
    from takens.algorithms.limits import FlowErrors as FlowErrors
    from takens.algorithms.limits import GradientDiffusion as GradientDiffusion
    from takens.algorithms.limits import GradientFlow as GradientFlow
    from takens.algorithms.limits import IndependentRuns as IndependentRuns
    from takens.algorithms.limits import flow_errors as flow_errors
    from takens.algorithms.limits import modified_flow as modified_flow
    from takens.algorithms.loss import Layout as Layout
    from takens.algorithms.loss import Loss as Loss
    from takens.algorithms.mixing import Acceleration as Acceleration
    from takens.algorithms.mixing import accelerate as accelerate
    from takens.algorithms.networks import RecurrentNetwork as RecurrentNetwork
    from takens.algorithms.networks import rnn_system as rnn_system
    from takens.algorithms.operators import AbstractSymmetric as AbstractSymmetric
    from takens.algorithms.operators import Curvature as Curvature
    from takens.algorithms.operators import DifferenceCurvature as DifferenceCurvature
    from takens.algorithms.operators import curvature_of as curvature_of
    from takens.algorithms.optimisers import AbstractOptimiser as AbstractOptimiser
    from takens.algorithms.optimisers import Adam as Adam
    from takens.algorithms.optimisers import GradientDescent as GradientDescent
    from takens.algorithms.optimisers import HeavyBall as HeavyBall
    from takens.algorithms.optimisers import Nesterov as Nesterov
    from takens.algorithms.optimisers import RMSProp as RMSProp
    from takens.algorithms.optimisers import StochasticGradient as StochasticGradient
    from takens.algorithms.rates import ConvergenceRate as ConvergenceRate
    from takens.algorithms.rates import convergence_rate as convergence_rate
    from takens.algorithms.recording import Recorder as Recorder
    from takens.algorithms.recording import TrainingRun as TrainingRun
    from takens.algorithms.recording import read_run as read_run
    from takens.algorithms.sameness import SameDynamics as SameDynamics
    from takens.algorithms.sameness import same_dynamics as same_dynamics
    from takens.algorithms.scan import LearningRateScan as LearningRateScan
    from takens.algorithms.scan import learning_rate_scan as learning_rate_scan
    from takens.algorithms.stationary import StationaryNoise as StationaryNoise
    from takens.algorithms.stationary import stationary_noise as stationary_noise
    from takens.algorithms.torch_loss import TorchLoss as TorchLoss
    from takens.algorithms.torch_maps import from_torch as from_torch
    from takens.algorithms.torch_step import TorchStep as TorchStep
    from takens.algorithms.training_step import TrainingStep as TrainingStep
    from takens.algorithms.tuning import Tuning as Tuning
    from takens.algorithms.tuning import momentum_for as momentum_for
    from takens.algorithms.tuning import tune as tune

_WHERE = {
    "cells": (
        "AbstractCell",
        "ElmanCell",
        "EquinoxCell",
        "GRUCell",
        "LSTMCell",
        "StackedCells",
        "WrittenCell",
    ),
    "drives": ("AbstractDrive", "ConstantDrive", "RandomDrive", "SequenceDrive"),
    "networks": ("RecurrentNetwork", "rnn_system"),
    "damping": ("DampedMap", "DampingAdvice", "damping_for"),
    "echo": ("EchoState", "echo_state"),
    "fingerprints": ("AbstractFingerprint", "DelayMatrix", "KoopmanSpectrum"),
    "sameness": ("SameDynamics", "same_dynamics"),
    "classes": (
        "AbstractFunctions",
        "Quadratics",
        "SmoothConvex",
    ),
    "conserved": (
        "ChargeDrift",
        "Symmetries",
        "charge_drift",
        "symmetries",
    ),
    "limits": (
        "FlowErrors",
        "GradientDiffusion",
        "GradientFlow",
        "IndependentRuns",
        "flow_errors",
        "modified_flow",
    ),
    "stationary": (
        "StationaryNoise",
        "stationary_noise",
    ),
    "tuning": (
        "Tuning",
        "momentum_for",
        "tune",
    ),
    "advice": ("GameAnalysis", "MethodAdvice", "game_analysis"),
    "extrapolation": ("AbstractAcceleration", "Anderson", "MinimalPolynomial", "ReducedRank"),
    "mixing": ("Acceleration", "accelerate"),
    "callbacks": ("KerasCallback", "LightningCallback"),
    "curvature": ("CurvatureSpectrum", "SpectralDensity", "curvature_spectrum", "spectral_density"),
    "diagnosis": ("TrainingAdvice", "TrainingDiagnosis", "TrainingEvidence", "diagnose"),
    "from_libraries": ("OptaxMap", "from_optax"),
    "games": (
        "AbstractGamePlay",
        "AlternatingDescent",
        "Extragradient",
        "Game",
        "OptimisticDescent",
        "ProximalPoint",
        "SimultaneousDescent",
    ),
    "iterations": (
        "ExponentiatedGradient",
        "GaussianMixtureEM",
        "Iteration",
        "KMeans",
        "Sinkhorn",
        "UnadjustedLangevin",
        "ValueIteration",
        "as_map",
    ),
    "loss": ("Layout", "Loss"),
    "operators": ("AbstractSymmetric", "Curvature", "DifferenceCurvature", "curvature_of"),
    "optimisers": (
        "AbstractOptimiser",
        "Adam",
        "GradientDescent",
        "HeavyBall",
        "Nesterov",
        "RMSProp",
        "StochasticGradient",
    ),
    "rates": ("ConvergenceRate", "convergence_rate"),
    "recording": ("Recorder", "TrainingRun", "read_run"),
    "torch_loss": ("TorchLoss",),
    "torch_maps": ("from_torch",),
    "torch_step": ("TorchStep",),
    "training_step": ("TrainingStep",),
    "scan": ("LearningRateScan", "learning_rate_scan"),
    "edge": ("CriticalSharpness", "Sharpness", "critical_sharpness", "sharpness"),
}
_ROOM = {name: room for room, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _ROOM:
        return getattr(importlib.import_module(f"takens.algorithms.{_ROOM[name]}"), name)
    raise AttributeError(f"module 'takens.algorithms' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_ROOM)
