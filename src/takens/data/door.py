"""The one door: whatever people have becomes a `Recording`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from takens.core import InvalidInput, Recording, Trajectory
from takens.data.audit import audit
from takens.data.options import Options, checked_dt
from takens.data.table import Column, Table, label, shown

_RULE = "Expected numbers of shape (time,) or (time, column), a table, a Trajectory or a file name."


def as_recording(data: Any, *, dt: float | None = None, time_unit: str | None = None) -> Recording:
    """`data` as a `Recording`, audited.

    Parameters
    ----------
    data : Recording, Trajectory, sequence of Trajectory, path, array, list, pandas or xarray object
        Arrays are (time,) or (time, column); the first dimension is always time. The index of a
        pandas object and the time coordinate of an xarray object are understood.
    dt : float, optional
        Time step where `data` carries no times (default 1).
    time_unit : str, optional
        Unit of time; dates are turned into it.

    Returns
    -------
    Recording
        With findings about gaps, missing values, rounding and the like. A `Recording` passes
        unchanged.

    Raises
    ------
    InvalidInput
        If `data` is not numbers over time, or `dt` contradicts the times it carries.

    Notes
    -----
    Meaning is never guessed from a shape: a wide array is taken as it is, and a (2, 1000) array is
    two times of a thousand columns.

    Examples
    --------
    >>> recording = as_recording([0.0, 1.0, 0.5, 0.25], dt=0.1, time_unit="s")
    >>> recording.n_samples, recording.names, recording.time_unit
    (4, ('x',), 's')
    """
    step = checked_dt(dt)
    if isinstance(data, Recording):
        return data
    if isinstance(data, Trajectory):
        return audit(Recording(records=(data,)))
    if isinstance(data, (str, Path)):
        from takens.data.bundled import open_any

        return open_any(data, dt=step, time_unit=time_unit)
    if isinstance(data, (tuple, list)) and any(isinstance(d, Trajectory) for d in data):
        return audit(Recording(records=tuple(data)))
    options = Options(dt=step, time_unit=time_unit)
    return _finish(_table(data, options), options)


def _finish(table: Table, options: Options) -> Recording:
    from takens.data.reading import finished

    sha = hashlib.sha256()
    for column in table.columns:
        if column.kind == "number":
            sha.update(np.ascontiguousarray(column.values).tobytes())
    recording = finished(table, options, source="array", digest=sha.hexdigest())
    return recording


def _table(data: Any, options: Options) -> Table:
    pandas, xarray = sys.modules.get("pandas"), sys.modules.get("xarray")  # no object without them
    if pandas is not None and isinstance(data, (pandas.Series, pandas.DataFrame)):
        return _pandas(data, pandas)
    if xarray is not None and isinstance(data, (xarray.Dataset, xarray.DataArray)):
        from takens.data.formats.gridded import table_of_dataset

        if isinstance(data, xarray.DataArray):
            data = data.to_dataset(name=data.name or "x")
        return table_of_dataset(data, options, "The xarray object")
    return Table(columns=tuple(_array_columns(data)))


def _array_columns(data: Any) -> list[Column]:
    if data is None or isinstance(data, (dict, set, bytes, int, float, complex)):
        raise InvalidInput(f"data is a {type(data).__name__}. {_RULE}")
    try:
        array = (
            np.ma.filled(data.astype(float), np.nan)
            if np.ma.isMaskedArray(data)
            else np.asarray(data)
        )
    except ValueError as error:
        raise InvalidInput(
            f"data could not be made an array ({error}). {_RULE} Rows need one length."
        ) from None
    if array.dtype.kind == "c":
        raise InvalidInput(
            f"data is complex. {_RULE} Give real and imaginary parts as two columns."
        )
    if array.dtype == object:
        array = _objects(array)
    if array.dtype.kind not in "fiub":
        raise InvalidInput(f"data has type {array.dtype}. {_RULE} Convert it to float.")
    if array.ndim not in (1, 2):
        raise InvalidInput(f"data has shape {array.shape}. {_RULE} Reshape it, one row per time.")
    if array.size == 0:
        raise InvalidInput(f"data is empty, of shape {array.shape}. {_RULE}")
    values = array.astype(float)
    if values.ndim == 1:
        return [Column(name="x", values=values)]
    dim = values.shape[1]
    return [Column(name=f"x{i}" if dim > 1 else "x", values=values[:, i]) for i in range(dim)]


def _objects(array: np.ndarray) -> np.ndarray:
    """An object array as floats when it holds nothing but numbers and None."""
    flat = array.ravel().tolist()
    odd = next(
        (v for v in flat if v is not None and not isinstance(v, (int, float, np.number))), None
    )
    if odd is not None:
        raise InvalidInput(f"data holds a {type(odd).__name__} ({shown(odd)}). {_RULE}")
    return np.array([np.nan if v is None else float(v) for v in flat]).reshape(array.shape)


def _pandas(data: Any, pandas: Any) -> Table:
    frame = (
        data.to_frame(name=data.name if data.name is not None else "x")
        if isinstance(data, pandas.Series)
        else data
    )
    headers = [" ".join(map(str, c)) if isinstance(c, tuple) else str(c) for c in frame.columns]
    names, units, findings = label(headers)
    columns = []
    for position, (name, unit, raw) in enumerate(zip(names, units, headers, strict=True)):
        columns.append(
            Column(name=name, unit=unit, raw=raw, values=_series(frame.iloc[:, position], pandas))
        )
    index, time = _index(frame.index, pandas, set(names))
    if index is not None:
        columns.insert(0, index)
        time = index.name
    return Table(columns=tuple(columns), findings=tuple(findings), time=time)


def _series(series: Any, pandas: Any) -> np.ndarray:
    types = pandas.api.types
    if types.is_datetime64_any_dtype(series.dtype):
        plain = series.dt.tz_convert(None) if series.dt.tz is not None else series
        return np.asarray(plain.to_numpy()).astype("M8[us]")
    if types.is_complex_dtype(series.dtype):
        raise InvalidInput(
            f"The column {shown(series.name)} is complex. Give real and imaginary parts as two "
            f"columns."
        )
    if types.is_numeric_dtype(series.dtype) or types.is_bool_dtype(series.dtype):
        return np.asarray(series.to_numpy(dtype=float, na_value=np.nan))
    values = series.to_list()
    if all(v is None or isinstance(v, (int, float)) for v in values):
        return np.array([np.nan if v is None else float(v) for v in values])
    return np.array(["" if v is None else str(v) for v in values], dtype=object)


def _index(index: Any, pandas: Any, names: set[str]) -> tuple[Column | None, str]:
    from takens.data.timeaxis import TIME_NAMES

    name = str(index.name) if index.name is not None else "time"
    while name in names:
        name = f"{name} (index)"
    if isinstance(index, pandas.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pandas.DatetimeIndex):
        plain = index.tz_convert(None) if index.tz is not None else index
        return Column(name=name, values=plain.to_numpy().astype("M8[us]")), name
    if isinstance(index, pandas.TimedeltaIndex):
        return Column(name=name, values=index.total_seconds().to_numpy(), unit="s"), name
    if (
        index.name is not None
        and str(index.name).casefold() in TIME_NAMES
        and index.dtype.kind in "fiu"
    ):
        return Column(name=name, values=index.to_numpy(dtype=float)), name
    return None, ""
