"""From observations to systems: maps on a window of the past, and stochastic laws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from takens.learn.analog import Analog as Analog
from takens.learn.climatology import Climatology as Climatology
from takens.learn.climatology import SeasonalClimatology as SeasonalClimatology
from takens.learn.delay import AbstractDelayEstimator as AbstractDelayEstimator
from takens.learn.dmd import DMD as DMD
from takens.learn.host import AbstractHostMap as AbstractHostMap
from takens.learn.linear import LinearAutoregression as LinearAutoregression
from takens.learn.nvar import NVAR as NVAR
from takens.learn.partly import Conserving as Conserving
from takens.learn.partly import Dissipative as Dissipative
from takens.learn.partly import Free as Free
from takens.learn.partly import GaussianProcess as GaussianProcess
from takens.learn.partly import HalfKnown as HalfKnown
from takens.learn.partly import Hamiltonian as Hamiltonian
from takens.learn.partly import Identifiability as Identifiability
from takens.learn.partly import Ladder as Ladder
from takens.learn.partly import MissingTerms as MissingTerms
from takens.learn.partly import Network as Network
from takens.learn.partly import Nothing as Nothing
from takens.learn.partly import PartlyKnownLaw as PartlyKnownLaw
from takens.learn.partly import Positive as Positive
from takens.learn.partly import ProfileLikelihood as ProfileLikelihood
from takens.learn.partly import Rungs as Rungs
from takens.learn.partly import known as known
from takens.learn.partly import profile_likelihood as profile_likelihood
from takens.learn.persistence import Persistence as Persistence
from takens.learn.reconstruction import DelayCoordinates as DelayCoordinates
from takens.learn.reduction import Modes as Modes
from takens.learn.reduction import Reduced as Reduced
from takens.learn.reduction import modes as modes
from takens.learn.regression import RegressionLaw as RegressionLaw
from takens.learn.regression import SparseRegression as SparseRegression
from takens.learn.simulate import HostedSystem as HostedSystem
from takens.learn.simulate import simulate as simulate
from takens.learn.sparse import Law as Law
from takens.learn.sparse import LawForecast as LawForecast
from takens.learn.sparse import LibraryLadder as LibraryLadder
from takens.learn.sparse import NoiseParts as NoiseParts
from takens.learn.sparse import SINDy as SINDy
from takens.learn.sparse import SparseMap as SparseMap
from takens.learn.stochastic import DiffusionLaw as DiffusionLaw
from takens.learn.stochastic import JumpTest as JumpTest
from takens.learn.stochastic import KramersMoyal as KramersMoyal
from takens.learn.stochastic import KramersMoyalCoefficients as KramersMoyalCoefficients
from takens.learn.stochastic import NoiseDecision as NoiseDecision
from takens.learn.stochastic import StochasticLaw as StochasticLaw
from takens.learn.stochastic import TransitionCheck as TransitionCheck
from takens.learn.stochastic import jump_test as jump_test
from takens.learn.stochastic import noise_decision as noise_decision
from takens.learn.stochastic import transition_check as transition_check

if TYPE_CHECKING:
    from takens.learn.laws import DelayScan as DelayScan
    from takens.learn.laws import DelaySINDy as DelaySINDy
    from takens.learn.laws import HigherOrderSINDy as HigherOrderSINDy
    from takens.learn.laws import OrderLadder as OrderLadder
    from takens.learn.laws import Posterior as Posterior
    from takens.learn.laws import RationalSINDy as RationalSINDy
    from takens.learn.laws import posterior as posterior
    from takens.learn.maps import AbstractDelayMap as AbstractDelayMap
    from takens.learn.maps import Frame as Frame
    from takens.learn.maps import ObservedMap as ObservedMap
    from takens.learn.partial import FieldData as FieldData
    from takens.learn.partial import PDELaw as PDELaw
    from takens.learn.partial import PDETerm as PDETerm
    from takens.learn.partial import WeakPDE as WeakPDE
    from takens.learn.partial.systems import GridPDE as GridPDE
    from takens.learn.partial.systems import PeriodicPDE as PeriodicPDE
    from takens.learn.partly import PartlyKnownFlow as PartlyKnownFlow
    from takens.learn.stochastic.systems import GridDiffusion as GridDiffusion
    from takens.learn.stochastic.systems import PolynomialDiffusion as PolynomialDiffusion

_SYSTEMS = (
    "AbstractDelayMap",
    "Frame",
    "ObservedMap",
)  # need JAX, and are imported when first used
_DIFFUSIONS = ("GridDiffusion", "PolynomialDiffusion")  # likewise

_PARTIAL = ("FieldData", "PDELaw", "PDETerm", "WeakPDE")  # need SciPy
_FIELDS = ("GridPDE", "PeriodicPDE")  # need JAX
_LAWS = (
    "DelayScan",
    "DelaySINDy",
    "HigherOrderSINDy",
    "OrderLadder",
    "Posterior",
    "RationalSINDy",
    "posterior",
)  # need SciPy
_PARTLY = ("PartlyKnownFlow",)  # needs JAX


def __getattr__(name: str) -> Any:
    if name in _SYSTEMS:
        from takens.learn import maps

        return getattr(maps, name)
    if name in _DIFFUSIONS:
        from takens.learn.stochastic import systems

        return getattr(systems, name)
    if name in _PARTIAL:
        from takens.learn import partial

        return getattr(partial, name)
    if name in _LAWS:
        from takens.learn import laws

        return getattr(laws, name)
    if name in _PARTLY:
        from takens.learn import partly

        return getattr(partly, name)
    if name in _FIELDS:
        from takens.learn.partial import systems as fields

        return getattr(fields, name)
    raise AttributeError(f"module 'takens.learn' has no attribute {name!r}")
