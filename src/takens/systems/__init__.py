"""Known systems, each with its source, a start on its attractor and recomputed invariants."""

from takens.systems.chaos import Lorenz63 as Lorenz63
from takens.systems.chaos import Lorenz96 as Lorenz96
from takens.systems.chaos import Rossler as Rossler
from takens.systems.known import AbstractKnown as AbstractKnown
from takens.systems.known import Entry as Entry
from takens.systems.known import Reference as Reference
from takens.systems.known import catalogue as catalogue
from takens.systems.maps import HenonMap as HenonMap
from takens.systems.maps import LogisticMap as LogisticMap
