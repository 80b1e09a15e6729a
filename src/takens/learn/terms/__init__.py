"""Candidate terms of equations: recipes, and what they become over the columns of some data."""

from takens.learn.terms.library import AbstractLibrary as AbstractLibrary
from takens.learn.terms.library import Delays as Delays
from takens.learn.terms.library import Fourier as Fourier
from takens.learn.terms.library import Inputs as Inputs
from takens.learn.terms.library import Polynomials as Polynomials
from takens.learn.terms.terms import Terms as Terms
from takens.learn.terms.written import Expressions as Expressions
from takens.learn.terms.written import Functions as Functions
