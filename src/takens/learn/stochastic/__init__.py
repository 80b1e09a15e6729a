"""Stochastic laws from paths: drift and noise with intervals, and whether the data are a diffusion."""

from takens.learn.stochastic.coefficients import (
    KramersMoyalCoefficients as KramersMoyalCoefficients,
)
from takens.learn.stochastic.diffusion_law import DiffusionLaw as DiffusionLaw
from takens.learn.stochastic.kramers_moyal import KramersMoyal as KramersMoyal
from takens.learn.stochastic.law import StochasticLaw as StochasticLaw
