"""Laws beyond ordinary differential equations of first order in what is measured."""

from takens.learn.laws.delay import DelaySINDy as DelaySINDy
from takens.learn.laws.higher_order import HigherOrderSINDy as HigherOrderSINDy
from takens.learn.laws.orders import OrderLadder as OrderLadder
from takens.learn.laws.posterior import Posterior as Posterior
from takens.learn.laws.posterior import posterior as posterior
from takens.learn.laws.rational import RationalSINDy as RationalSINDy
from takens.learn.laws.scan import DelayScan as DelayScan
