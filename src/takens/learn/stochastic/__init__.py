"""Stochastic laws from paths: drift and noise with intervals, and whether the data are a diffusion."""

from takens.learn.stochastic.check import TransitionCheck as TransitionCheck
from takens.learn.stochastic.check import transition_check as transition_check
from takens.learn.stochastic.coefficients import (
    KramersMoyalCoefficients as KramersMoyalCoefficients,
)
from takens.learn.stochastic.diffusion_law import DiffusionLaw as DiffusionLaw
from takens.learn.stochastic.jumps import JumpTest as JumpTest
from takens.learn.stochastic.jumps import jump_test as jump_test
from takens.learn.stochastic.kramers_moyal import KramersMoyal as KramersMoyal
from takens.learn.stochastic.law import StochasticLaw as StochasticLaw
from takens.learn.stochastic.noise_decision import NoiseDecision as NoiseDecision
from takens.learn.stochastic.noise_decision import noise_decision as noise_decision
