"""Systems of other libraries as systems of this one, and systems of this one as equations."""

from takens.interop.dysts import AbstractDystsFlow as AbstractDystsFlow
from takens.interop.dysts import AbstractDystsMap as AbstractDystsMap
from takens.interop.dysts import dysts_names as dysts_names
from takens.interop.dysts import from_dysts as from_dysts
from takens.interop.equations import SymbolicSystem as SymbolicSystem
from takens.interop.symbolic import symbolic as symbolic
