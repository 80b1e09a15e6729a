"""Sparse linear regression of laws, composed of a library, a form, a selector and constraints."""

from takens.learn.regression.constraints import AbstractConstraint as AbstractConstraint
from takens.learn.regression.constraints import EnergyConserving as EnergyConserving
from takens.learn.regression.constraints import Excluded as Excluded
from takens.learn.regression.constraints import Hamiltonian as Hamiltonian
from takens.learn.regression.constraints import Known as Known
from takens.learn.regression.constraints import Linear as Linear
from takens.learn.regression.constraints import NonNegative as NonNegative
from takens.learn.regression.constraints import NonPositive as NonPositive
from takens.learn.regression.constraints import Required as Required
from takens.learn.regression.constraints import Symmetry as Symmetry
from takens.learn.regression.ensemble import Ensemble as Ensemble
from takens.learn.regression.estimator import SparseRegression as SparseRegression
from takens.learn.regression.forms import AbstractForm as AbstractForm
from takens.learn.regression.forms import StepForm as StepForm
from takens.learn.regression.forms import StrongForm as StrongForm
from takens.learn.regression.law import RegressionLaw as RegressionLaw
from takens.learn.regression.selectors import SR3 as SR3
from takens.learn.regression.selectors import STLSQ as STLSQ
from takens.learn.regression.selectors import AbstractSelector as AbstractSelector
from takens.learn.regression.selectors import BestSubset as BestSubset
from takens.learn.regression.selectors import Elimination as Elimination
from takens.learn.regression.slopes import AbstractSlopes as AbstractSlopes
from takens.learn.regression.slopes import Differences as Differences
from takens.learn.regression.slopes import SmoothingSpline as SmoothingSpline
from takens.learn.regression.weak import IntegralForm as IntegralForm
from takens.learn.regression.weak import WeakForm as WeakForm
