"""The one door: whatever people have becomes a `Recording`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from takens.core import InvalidInput, Recording, Trajectory


def as_recording(data: Any, *, dt: float = 1.0, time_unit: str = "1") -> Recording:
    """`data` as a `Recording`; arrays are (time,) or (time, dim) with step `dt`."""
    if isinstance(data, Recording):
        return data
    if isinstance(data, Trajectory):
        return Recording(records=(data,))
    if isinstance(data, (str, Path)):
        from takens.data.reading import read

        return read(data)
    if isinstance(data, (tuple, list)) and data and isinstance(data[0], Trajectory):
        return Recording(records=tuple(data))
    array = np.asarray(data, dtype=float)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise InvalidInput(f"data has shape {array.shape}; expected (time,) or (time, dim).")
    times = np.arange(len(array)) * dt
    return Recording(records=(Trajectory(times=times, states=array, time_unit=time_unit),))
