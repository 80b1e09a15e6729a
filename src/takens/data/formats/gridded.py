"""NetCDF, Zarr and xarray objects: variables over a time dimension and others."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import Finding, InvalidInput
from takens.data.table import Column, Table, listed, shown

if TYPE_CHECKING:
    from takens.data.options import Options


def read_netcdf(path: Path, kind: str, options: Options, what: str) -> Table:
    """The table in a NetCDF file, classic (SciPy) or NetCDF-4 (h5netcdf)."""
    return _opened(path, "scipy" if kind == "netcdf3" else "h5netcdf", options, what)


def read_zarr(path: Path, options: Options, what: str) -> Table:
    """The table in a Zarr store, written by xarray or as plain arrays."""
    from takens.data.formats.sheets import needed

    zarr = needed("zarr", "Reading Zarr")
    try:
        return _opened(path, "zarr", options, what)
    except InvalidInput as error:
        try:
            group = zarr.open(path, mode="r")
        except Exception:  # no Zarr store at all: the first message says more
            raise error from None
        from takens.data.formats.arrays import columns_of, table_of_arrays

        if isinstance(group, zarr.Array):
            return Table(columns=tuple(columns_of(np.asarray(group[...]), "x", what)))
        named = {name: np.asarray(item[...]) for name, item in group.arrays()}
        if any(
            "time" in str(getattr(group[name].metadata, "dimension_names", "")) for name in named
        ):
            raise error from None
        return table_of_arrays(named, options, what)


def _opened(path: Path, engine: str, options: Options, what: str) -> Table:
    import xarray as xr

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that plays no part here
            extra = {"consolidated": None} if engine == "zarr" else {}
            with xr.open_dataset(path, engine=engine, chunks=None, **extra) as data:  # type: ignore[arg-type]
                return table_of_dataset(data.load(), options, what)
    except InvalidInput:
        raise
    except Exception as error:  # each engine has its own kinds
        raise InvalidInput(
            f"{what} could not be read as {engine} data ({type(error).__name__}: "
            f"{str(error)[:120]}). "
            "The file is damaged or uses features that xarray does not know; write it again."
        ) from None


def table_of_dataset(data: Any, options: Options, what: str) -> Table:
    """One column per variable and cell of the other dimensions; cells without data are dropped."""
    dim = _time_dim(data, options, what)
    findings: list[Finding] = []
    columns: list[Column] = []
    time = _time_column(data, dim, what)
    if time is not None:
        columns.append(time)
    bounds = {str(v.attrs["bounds"]) for v in data.variables.values() if "bounds" in v.attrs}
    wanted = set(options.columns or ()) | set(options.inputs)
    names = [
        str(n)
        for n, v in data.data_vars.items()
        if dim in v.dims and v.dtype.kind in "fiub" and n not in bounds
    ]
    many = len([n for n in names if not (wanted & set(names)) or n in wanted]) > 1
    empty = 0
    for name in names:
        if wanted & set(names) and name not in wanted:
            continue
        made, lost = _cells(data[name], dim, name, many)
        columns += made
        empty += lost
    if empty:
        findings.append(
            Finding(
                "empty-cells",
                f"{empty} cell(s) of the grid hold no data (masked, such as land).",
                "Left out.",
                "note",
            )
        )
    if len(columns) == (time is not None):
        raise InvalidInput(
            f"{what} has no variable of numbers with data over the dimension {shown(dim)}; it has "
            f"{listed([str(n) for n in data.data_vars])}. Name another dimension with time=..."
        )
    return Table(
        columns=tuple(columns), findings=tuple(findings), time="" if time is None else time.name
    )


def _time_dim(data: Any, options: Options, what: str) -> str:
    from takens.data.timeaxis import TIME_NAMES

    dims = [str(d) for d in data.dims]
    if options.time not in (None, "row"):
        if options.time in dims:
            return str(options.time)
        coordinate = data.variables.get(options.time)
        if coordinate is not None and coordinate.ndim == 1:
            return str(coordinate.dims[0])
        raise InvalidInput(
            f"time names the dimension {shown(options.time)}, which is not there. Choose from: "
            f"{listed(dims)}."
        )
    dated = [
        d for d in dims if d in data.coords and (data[d].dtype.kind == "M" or _is_cftime(data[d]))
    ]
    named = [d for d in dims if d.casefold() in TIME_NAMES and d != "T"]
    found = dated or named
    if len(found) == 1:
        return found[0]
    raise InvalidInput(
        f"{what} has {'no' if not found else 'more than one'} time dimension; its dimensions are "
        f"{listed(dims) or 'none'}. Say which one is time with time=..."
    )


def _is_cftime(variable: Any) -> bool:
    return bool(
        variable.dtype == object and variable.size and not isinstance(variable.values.flat[0], str)
    )


def _time_column(data: Any, dim: str, what: str) -> Column | None:
    if dim not in data.coords:
        return None
    values = data[dim].values
    unit = str(data[dim].attrs.get("units", ""))
    if values.dtype.kind == "M":
        return Column(name=dim, values=values.astype("M8[us]"))
    if values.dtype == object:
        text = [str(v)[:19] for v in values]
        try:
            return Column(name=dim, values=np.array(text, dtype="M8[us]"))
        except ValueError:
            raise InvalidInput(
                f"{what} uses a calendar whose dates do not exist in the common one (such as "
                f"{text[0]}). Convert it with xarray's convert_calendar."
            ) from None
    if values.dtype.kind == "m":
        return Column(name=dim, values=values.astype("m8[us]").astype(float) / 1e6, unit="s")
    return Column(name=dim, values=values.astype(float), unit=unit)


def _cells(variable: Any, dim: str, name: str, many: bool) -> tuple[list[Column], int]:
    variable = variable.transpose(dim, ...)
    unit = str(variable.attrs.get("units", ""))
    values = np.asarray(variable.values, dtype=float)
    if values.ndim == 1:
        return [Column(name=name, raw=name, values=values, unit=unit)], 0
    others = [str(d) for d in variable.dims[1:]]
    marks = [[_mark(d, variable, i) for i in range(variable.sizes[d])] for d in others]
    labels = [" ".join(parts) for parts in itertools.product(*marks)]
    flat = values.reshape(len(values), -1)
    live = np.flatnonzero(~np.isnan(flat).all(axis=0))
    if live.size == 0:
        return [], flat.shape[1]
    prefix = f"{name} " if many else ""
    made = [Column(name=prefix + labels[i], raw=name, values=flat[:, i], unit=unit) for i in live]
    return made, flat.shape[1] - len(live)


def _mark(dim: str, variable: Any, index: int) -> str:
    short = {"latitude": "lat", "longitude": "lon"}.get(dim, dim)
    value: Any = index
    if dim in variable.coords:
        value = variable.coords[dim].values[index]
    return f"{short}={value:.4g}" if isinstance(value, (float, np.floating)) else f"{short}={value}"
