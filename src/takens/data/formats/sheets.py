"""Parquet files and Excel workbooks."""

from __future__ import annotations

import datetime
import importlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import Finding, InvalidInput, MissingDependency
from takens.data.table import Column, Table, label, shown

if TYPE_CHECKING:
    from takens.data.options import Options


def needed(module: str, purpose: str) -> Any:
    """The optional library `module`, or an error that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingDependency(
            f"{purpose} needs {module.split('.', maxsplit=1)[0]}, which is not installed. Run: "
            f"pip install 'takens[files]'."
        ) from None


def read_parquet(path: Path, options: Options, what: str) -> Table:
    """The table in a Parquet file."""
    parquet = needed("pyarrow.parquet", "Reading Parquet")
    arrow = needed("pyarrow", "Reading Parquet")
    try:
        content = parquet.read_table(path)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise InvalidInput(
            f"{what} is not a whole Parquet file ({str(error)[:120]}). Write it again."
        ) from None
    raw = [str(n) for n in content.column_names]
    names, units, findings = label(raw)
    columns, left = [], []
    for index, name in enumerate(names):
        values = _arrow_values(content.column(index), arrow)
        if values is None:
            left.append(name)
            continue
        indexed = raw[index].startswith("__index_level_") and values.dtype.kind == "M"
        columns.append(
            Column(
                name="time" if indexed else name, unit=units[index], raw=raw[index], values=values
            )
        )
    if left:
        findings.append(
            Finding(
                "columns-left-out",
                f"{len(left)} column(s) hold nested values: {shown(left[0])}.",
                "Left out.",
                "note",
            )
        )
    return Table(columns=tuple(columns), findings=tuple(findings))


def _arrow_values(column: Any, arrow: Any) -> np.ndarray | None:
    kind, types = column.type, arrow.types
    if types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if types.is_timestamp(kind) or types.is_date(kind):
        return np.asarray(column.cast(arrow.timestamp("us"), safe=False).to_numpy()).astype(
            "M8[us]"
        )
    if (
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
    ):
        if column.null_count == 0 and not types.is_decimal(kind):
            return np.asarray(column.to_numpy()).astype(float)
        return np.array([np.nan if v is None else float(v) for v in column.to_pylist()])
    if types.is_string(kind) or types.is_large_string(kind):
        return np.array(["" if v is None else str(v) for v in column.to_pylist()], dtype=object)
    return None


def read_excel(path: Path, kind: str, what: str) -> Table:
    """The table in the first sheet of a workbook that holds one."""
    from takens.data.formats.text import table_of_rows

    sheets = _xls(path, what) if kind == "xls" else _xlsx(path, what)
    filled = [(name, rows) for name, rows in sheets if len(rows) > 1]
    if not filled:
        raise InvalidInput(
            f"{what} holds no sheet with rows of numbers. Give a workbook with data."
        )
    name, rows = filled[0]
    width = max(map(len, rows))
    table = table_of_rows([r + [""] * (width - len(r)) for r in rows], what)
    findings = list(table.findings)
    if len(filled) > 1:
        findings.insert(
            0,
            Finding(
                "several-sheets",
                f"The workbook has {len(filled)} sheets with data.",
                f"Only the first, {shown(name)}, was read; save others as files of their own.",
            ),
        )
    return Table(columns=table.columns, findings=tuple(findings), time=table.time)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return (
            ""
            if math.isnan(value)
            else repr(int(value))
            if value == int(value if math.isfinite(value) else 0) and abs(value) < 1e15
            else repr(value)
        )
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep="T", timespec="microseconds" if value.microsecond else "seconds")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return " ".join(str(value).split())


def _xlsx(path: Path, what: str) -> list[tuple[str, list[list[str]]]]:
    openpyxl = needed("openpyxl", "Reading Excel workbooks")
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions that play no part here
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            sheets = [
                (s.title, [[_cell(v) for v in row] for row in s.iter_rows(values_only=True)])
                for s in book.worksheets
            ]
            book.close()
    except Exception as error:  # openpyxl raises many kinds on damaged files
        raise InvalidInput(
            f"{what} is not a readable workbook ({error}). Save it again as .xlsx or CSV."
        ) from None
    return [(name, [r for r in rows if any(r)]) for name, rows in sheets]


def _xls(path: Path, what: str) -> list[tuple[str, list[list[str]]]]:
    xlrd = needed("xlrd", "Reading old Excel workbooks")
    try:
        with path.open("rb") as stream:
            book = xlrd.open_workbook(file_contents=stream.read())
        sheets = []
        for sheet in book.sheets():
            rows = []
            for r in range(sheet.nrows):
                rows.append(
                    [_xls_cell(sheet.cell(r, c), book.datemode, xlrd) for c in range(sheet.ncols)]
                )
            sheets.append((sheet.name, [r for r in rows if any(r)]))
    except Exception as error:  # xlrd raises many kinds on damaged files
        raise InvalidInput(
            f"{what} is not a readable workbook ({error}). Save it again as .xlsx or CSV."
        ) from None
    return sheets


def _xls_cell(cell: Any, datemode: int, xlrd: Any) -> str:
    if cell.ctype == xlrd.XL_CELL_DATE:
        return _cell(xlrd.xldate_as_datetime(cell.value, datemode))
    return "" if cell.ctype in (xlrd.XL_CELL_ERROR, xlrd.XL_CELL_EMPTY) else _cell(cell.value)
