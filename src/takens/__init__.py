"""Takens: analyse dynamical systems on the basis of observed data.

Data goes in, a dynamical system comes out, and every question that theory asks of a system can be
asked of it. Names are imported when first used, so that ``import takens`` costs almost nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from takens.core import Estimate as Estimate
    from takens.core import Finding as Finding
    from takens.core import Recording as Recording
    from takens.core import Trajectory as Trajectory
    from takens.data import as_recording as as_recording
    from takens.data import read as read
    from takens.report import Report as Report
    from takens.report import analyse as analyse
    from takens.report import discover as discover

__version__ = "0.1.0"

_NAMES = {
    "Estimate": "takens.core",
    "Finding": "takens.core",
    "Recording": "takens.core",
    "Trajectory": "takens.core",
    "as_recording": "takens.data",
    "read": "takens.data",
    "Report": "takens.report",
    "analyse": "takens.report",
    "discover": "takens.report",
}
_ROOMS = (
    "core",
    "plot",
    "data",
    "systems",
    "series",
    "learn",
    "dynamics",
    "algorithms",
    "validate",
    "interop",
    "report",
    "testing",
)

__all__ = [*_NAMES, *_ROOMS, "__version__"]  # noqa: PLE0604  (all are strings)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"takens.{name}")
    raise AttributeError(f"module 'takens' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
