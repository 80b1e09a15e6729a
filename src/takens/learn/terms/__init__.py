"""Candidate terms of equations: recipes, and what they become over the columns of some data.

Systems made of terms need JAX, and are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from takens.learn.terms.library import AbstractLibrary as AbstractLibrary
from takens.learn.terms.library import Delays as Delays
from takens.learn.terms.library import Fourier as Fourier
from takens.learn.terms.library import Inputs as Inputs
from takens.learn.terms.library import Polynomials as Polynomials
from takens.learn.terms.terms import Terms as Terms
from takens.learn.terms.written import Expressions as Expressions
from takens.learn.terms.written import Functions as Functions

if TYPE_CHECKING:
    from takens.learn.terms.delayed import TermDelayFlow as TermDelayFlow
    from takens.learn.terms.files import load as load
    from takens.learn.terms.files import save as save
    from takens.learn.terms.system import AbstractTermSystem as AbstractTermSystem
    from takens.learn.terms.system import RationalFlow as RationalFlow
    from takens.learn.terms.system import TermFlow as TermFlow
    from takens.learn.terms.system import TermMap as TermMap

_LAZY = {
    "AbstractTermSystem": "system",
    "RationalFlow": "system",
    "TermFlow": "system",
    "TermMap": "system",
    "TermDelayFlow": "delayed",
    "load": "files",
    "save": "files",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"takens.learn.terms.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'takens.learn.terms' has no attribute {name!r}")
