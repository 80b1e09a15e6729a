"""Known systems, each with its source, a start on its attractor and recomputed invariants."""

from takens.systems.chaos import Lorenz63 as Lorenz63
from takens.systems.chaos import Lorenz96 as Lorenz96
from takens.systems.chaos import Rossler as Rossler
from takens.systems.delay import AbstractDelayFlow as AbstractDelayFlow
from takens.systems.delay import DelayedLogistic as DelayedLogistic
from takens.systems.delay import LinearDelay as LinearDelay
from takens.systems.delay import MackeyGlass as MackeyGlass
from takens.systems.etdrk4 import ETDRK4 as ETDRK4
from takens.systems.field import AbstractField as AbstractField
from takens.systems.fields import Burgers as Burgers
from takens.systems.fields import ComplexGinzburgLandau as ComplexGinzburgLandau
from takens.systems.fields import FisherKPP as FisherKPP
from takens.systems.fields import KortewegDeVries as KortewegDeVries
from takens.systems.fields import KuramotoSivashinsky as KuramotoSivashinsky
from takens.systems.known import AbstractKnown as AbstractKnown
from takens.systems.known import Entry as Entry
from takens.systems.known import Reference as Reference
from takens.systems.known import catalogue as catalogue
from takens.systems.maps import HenonMap as HenonMap
from takens.systems.maps import LogisticMap as LogisticMap
from takens.systems.patterns import BrusselatorField as BrusselatorField
from takens.systems.patterns import GrayScott as GrayScott
from takens.systems.taylor import Taylor as Taylor
