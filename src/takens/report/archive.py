"""``results.nc``: the arrays, as netCDF-4 groups that xarray opens as a tree.

Written with h5netcdf directly: importing xarray would cost more than the rest of the report.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.report.document import FORMAT, SCHEMA_VERSION, SECTIONS

if TYPE_CHECKING:
    from takens.report.result import Report

# Names of the dimensions of each array; others are numbered.
_DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "frequency": ("frequency",), "power": ("frequency",), "background": ("frequency",),
    "period_shares": ("period",), "p_values": ("period",),
    "settings": ("setting", "setting_field"), "values": ("setting", "block"),
    "divergence": ("curve", "lag"), "lags": ("lag",), "mutual_information": ("lag",),
    "autocorrelation": ("lag",), "dimensions": ("dimension",), "cao_e1": ("dimension",),
    "cao_e2": ("dimension",), "false_neighbours": ("dimension",),
    "embedding_dimensions": ("embedding_dimension",),
    "slopes_by_dimension": ("embedding_dimension",), "radii": ("radius",),
    "correlation_sums": ("embedding_dimension", "radius"),
    "likelihood_curve": ("embedding_dimension", "radius"),
    "local_slopes": ("embedding_dimension", "radius"), "block_means": ("block",),
    "block_deviations": ("block",), "patterns": ("pattern", "rank"), "frequencies": ("pattern",),
    "surrogates": ("surrogate",),
}  # fmt: skip


def safe_name(name: str) -> str:
    """`name` as a netCDF group or variable name: letters, digits, dash, underscore.

    Examples
    --------
    >>> safe_name("a/b <c>")
    'a_b__c_'
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)
    return kept[:100] or "_"


def clean_text(text: str) -> str:
    """`text` without control characters, which HDF5 strings cannot all hold."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def write_arrays(report: Report, path: Path) -> None:
    """Write the groups ``observed``, ``analysis/<name>``, ``backtest`` and ``long_run``."""
    import h5netcdf

    with h5netcdf.File(path, "w") as root:
        root.attrs["format"] = FORMAT
        root.attrs["schema_version"] = SCHEMA_VERSION
        root.attrs["source"] = clean_text(report.recording.source)
        root.attrs["verdict"] = report.verdict.kind
        for number, record in enumerate(report.recording):
            group = root.create_group(f"observed/record_{number}")
            group.attrs["label"] = clean_text(record.label)
            _put(group, "time", record.times, ("time",), units=clean_text(record.time_unit))
            _put(group, "state", record.states, ("time", "component"))
            _put_text(group, "component", record.names)
            _put_text(group, "unit", record.units, "component")
            if record.inputs is not None:
                _put(group, "input", record.inputs, ("time", "driver"))
                _put_text(group, "driver", record.input_names)
        if report.motion is not None:
            for name in SECTIONS:
                result = getattr(report.motion, name)
                if name == "surrogates":
                    for test in result:
                        _result(root, f"analysis/surrogates_{safe_name(test.statistic)}", test)
                elif result is not None:
                    _result(root, f"analysis/{name}", result)
        for name, found in (("backtest", report.backtest), ("long_run", report.long_run)):
            if found is not None:
                _result(root, name, found)
        if report.backtest is not None and report.backtest.example is not None:
            _result(root, "forecast", report.backtest.example)


def _result(root: Any, name: str, result: Any) -> None:
    arrays = {
        field.name: value
        for field in dataclasses.fields(result)
        if isinstance(value := getattr(result, field.name), np.ndarray)
        and value.dtype.kind in "fiub" and value.size
    }  # fmt: skip
    if not arrays:
        return
    group = root.create_group(name)
    for key, value in arrays.items():
        own = tuple(f"{key}_{axis}" for axis in range(value.ndim))
        named = _DIMENSIONS.get(key, own)
        fits = len(named) == value.ndim and all(
            d not in group.dimensions or group.dimensions[d].size == n
            for d, n in zip(named, value.shape, strict=True)
        )
        _put(group, key, value, named if fits else own)


def _put(group: Any, name: str, value: Any, dimensions: tuple[str, ...], **attributes: Any) -> None:
    array = np.asarray(value)
    if array.dtype.kind == "b":
        array = array.astype(np.int8)
    for dimension, size in zip(dimensions, array.shape, strict=True):
        if dimension not in group.dimensions:
            group.dimensions[dimension] = size
    compression = {"compression": "gzip", "compression_opts": 4} if array.size > 1000 else {}
    variable = group.create_variable(name, dimensions, data=array, **compression)
    for key, text in attributes.items():
        variable.attrs[key] = text


def _put_text(group: Any, name: str, texts: tuple[str, ...], dimension: str | None = None) -> None:
    import h5py

    along = dimension or name
    if along not in group.dimensions:
        group.dimensions[along] = len(texts)
    clean = np.array([clean_text(text) for text in texts], dtype=object)
    group.create_variable(name, (along,), dtype=h5py.string_dtype(), data=clean)
