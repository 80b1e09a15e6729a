"""From observations to systems: estimators whose models are maps on a window of the past."""

from takens.learn.analog import Analog as Analog
from takens.learn.climatology import Climatology as Climatology
from takens.learn.climatology import SeasonalClimatology as SeasonalClimatology
from takens.learn.delay import AbstractDelayEstimator as AbstractDelayEstimator
from takens.learn.delay import AbstractDelayMap as AbstractDelayMap
from takens.learn.dmd import DMD as DMD
from takens.learn.frame import Frame as Frame
from takens.learn.linear import LinearAutoregression as LinearAutoregression
from takens.learn.nvar import NVAR as NVAR
from takens.learn.persistence import Persistence as Persistence
from takens.learn.simulate import simulate as simulate
