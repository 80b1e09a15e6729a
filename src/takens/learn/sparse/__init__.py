"""Sparse laws from data: every sample a node, coefficients and orbits found together."""

from takens.learn.sparse.forecast import LawForecast as LawForecast
from takens.learn.sparse.ladder import LibraryLadder as LibraryLadder
from takens.learn.sparse.law import Law as Law
from takens.learn.sparse.noise_parts import NoiseParts as NoiseParts
from takens.learn.sparse.sindy import SINDy as SINDy
from takens.learn.sparse.sindy import SparseMap as SparseMap
