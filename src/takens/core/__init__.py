"""The nouns: trajectory, system, estimator, fit, result, status, errors.

The host-side nouns need NumPy only. The systems (`takens.core.system`) need JAX and are imported
when a room that works with systems is first used.
"""

from takens.core.errors import CautionWarning as CautionWarning
from takens.core.errors import InvalidInput as InvalidInput
from takens.core.errors import MissingDependency as MissingDependency
from takens.core.errors import NumericalFailure as NumericalFailure
from takens.core.errors import Status as Status
from takens.core.errors import TakensError as TakensError
from takens.core.errors import WrongKind as WrongKind
from takens.core.errors import require as require
from takens.core.estimator import AbstractEstimator as AbstractEstimator
from takens.core.estimator import Fit as Fit
from takens.core.estimator import Model as Model
from takens.core.result import AbstractResult as AbstractResult
from takens.core.result import Estimate as Estimate
from takens.core.result import plain as plain
from takens.core.trajectory import Finding as Finding
from takens.core.trajectory import Recording as Recording
from takens.core.trajectory import Trajectory as Trajectory
