"""Partial differential equations from fields on a grid, by their weak form."""

from takens.learn.partial.estimator import WeakPDE as WeakPDE
from takens.learn.partial.grid import FieldData as FieldData
from takens.learn.partial.law import PDELaw as PDELaw
from takens.learn.partial.terms import PDETerm as PDETerm
