"""Delimited text and month tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from itertools import islice

import numpy as np

from takens.core import Finding, InvalidInput
from takens.data.formats.encoding import decoded
from takens.data.formats.layout import (
    COMMA_NUMBER,
    NUMBER,
    RULE,
    SAMPLE,
    SEPARATORS,
    Layout,
    fields,
    is_value,
)
from takens.data.options import Options
from takens.data.table import MISSING, Column, Table, label, listed, rows_text, shown

BLOCK = 50_000


_UNEVEN = re.compile(r"(?m)^[\s\-=_*+|~]*$")
_COMMENT = re.compile(r"(?m)^[ \t]*(?:#|%|//).*\n?")


def read_text(raw: bytes, what: str, options: Options | None = None) -> Table:
    """The table in the bytes of a text file; one that `options` find too wide is refused early."""
    text, findings = decoded(raw, what)
    if not text.strip():
        raise InvalidInput(f"{what} is empty. Give a file with rows of numbers.")
    comment = _last_comment(text)
    if any(mark in text for mark in ("#", "%", "//")):
        text, removed = _COMMENT.subn("", text)
        if removed:
            findings.append(
                Finding(
                    "comment-lines", f"{removed} comment line(s) were found.", "Skipped.", "note"
                )
            )
    if not text.strip():
        raise InvalidInput(f"{what} holds only comments. Give a file with rows of numbers.")
    layout = Layout(text, comment, what)
    findings += layout.findings
    if options is not None:
        options.check_width(layout.width)
    blank = len(re.findall(r"\n[ \t]*(?=\n)", text.strip())) if "\n\n" in text else 0
    if blank:
        findings.append(
            Finding(
                "blank-lines",
                f"{blank} blank line(s) were found.",
                "Skipped; a blank line is not a missing value.",
                "note",
            )
        )
    quick = _quick(text, layout)
    if quick is not None:
        columns = [quick[:, i] for i in range(quick.shape[1])]
        found = _Found(columns=[_Cells.of(c) for c in columns], n_rows=len(quick))
    else:
        found = _slow(text, layout, findings)
    return _table(found, layout, findings, what)


def _last_comment(text: str) -> str:
    """The comment line directly above the data, where many programs put the names."""
    last = ""
    for line in islice(io.StringIO(text), SAMPLE):
        bare = line.strip()
        if bare.startswith(("#", "%", "//")):
            last = bare.lstrip("#%/").strip()
        elif bare:
            break
    return last


class _Cells:
    """A column in the making: numbers where they are numbers, the text where it is not."""

    def __init__(self) -> None:
        self.blocks: list[np.ndarray] = []
        self.texts: list[list[str]] = []
        self.bad: list[int] = []
        self.n_bad, self.n_rows, self.n_values, self.example = 0, 0, 0, ""

    @classmethod
    def of(cls, values: np.ndarray) -> _Cells:
        made = cls()
        made.blocks, made.n_rows, made.n_values = [values], len(values), len(values)
        return made

    def add(self, cells: list[str], comma: bool) -> None:
        self.blocks.append(
            self._as_text(cells) if self._stays_text(cells) else self._numbers(cells, comma)
        )
        self.texts.append(cells)
        self.n_rows += len(cells)

    def _stays_text(self, cells: list[str]) -> bool:
        """A column of nothing but text so far is not tried again cell by cell."""
        edges = (cells[0].strip(), cells[-1].strip())
        return 0 < self.n_bad == self.n_values and not any(map(NUMBER.match, edges))

    def _as_text(self, cells: list[str]) -> np.ndarray:
        self.n_bad += len(cells)
        self.n_values += len(cells)
        return np.full(len(cells), np.nan)

    def _numbers(self, cells: list[str], comma: bool) -> np.ndarray:
        joined = "".join(cells)
        # Python reads 1_000 as a number; a file does not mean that.
        if "_" not in joined:
            tidy = ["nan" if c in MISSING else c for c in cells]
            if comma and "." not in joined:
                tidy = [c.replace(",", ".") for c in tidy]
            try:
                block = np.array(tidy, dtype=float)
            except ValueError:
                return self._one_by_one(cells, comma)
            self.n_values += len(cells) - tidy.count("nan")
            return block
        return self._one_by_one(cells, comma)

    def _one_by_one(self, cells: list[str], comma: bool) -> np.ndarray:
        block = np.full(len(cells), np.nan)
        for row, cell in enumerate(cells):
            bare = cell.strip()
            if bare.casefold() in MISSING:
                continue
            self.n_values += 1
            if comma and COMMA_NUMBER.match(bare):
                bare = bare.replace(",", ".")
            if NUMBER.match(bare) and bare.isascii():
                block[row] = float(bare.replace("D", "e").replace("d", "e"))
                continue
            self.n_bad += 1
            self.example = self.example or bare
            if len(self.bad) < 20:
                self.bad.append(self.n_rows + row)
        return block

    @property
    def is_text(self) -> bool:
        return self.n_bad > 0 and self.n_bad >= 0.5 * self.n_values

    def column(self, name: str, unit: str, raw: str) -> Column:
        if self.is_text:
            cells = np.array([c for part in self.texts for c in part], dtype=object)
            return Column(name=name, unit=unit, raw=raw, values=cells)
        values = self.blocks[0] if len(self.blocks) == 1 else np.concatenate(self.blocks)
        return Column(
            name=name,
            unit=unit,
            raw=raw,
            values=values,
            n_bad=self.n_bad,
            bad_rows=tuple(self.bad),
            example=self.example,
        )


class _Found:
    def __init__(self, columns: list[_Cells], n_rows: int) -> None:
        self.columns, self.n_rows = columns, n_rows


def _quick(text: str, layout: Layout) -> np.ndarray | None:
    """A plain table of numbers through NumPy's C reader; None where it is not that plain."""
    if not layout.numeric or layout.comma or layout.month_table or layout.ended:
        return None
    start = 0
    for _ in range(len(_head(text, layout))):
        start = text.index("\n", start) + 1
    source = io.StringIO(text)
    source.seek(start)
    delimiter = None if layout.delimiter == " " else layout.delimiter
    quote = '"' if '"' in text[start : start + 20_000] else None
    try:
        return np.loadtxt(source, delimiter=delimiter, comments=None, quotechar=quote, ndmin=2)
    except ValueError:
        return None


def _head(text: str, layout: Layout) -> list[str]:
    """The physical lines above the data, rules and blank lines included."""
    head, seen = [], 0
    for line in io.StringIO(text):
        solid = bool(line.strip()) and not RULE.match(line)
        if solid and seen == layout.skip:
            break
        seen += solid
        head.append(line)
    return head


def _slow(text: str, layout: Layout, findings: list[Finding]) -> _Found:
    source = io.StringIO(text)
    for _ in _head(text, layout):
        source.readline()
    lines: Iterable[str] = source
    if _UNEVEN.search(
        text.strip()
    ):  # asked once, because asking every line costs more than reading
        lines = (line for line in source if not (line.isspace() or RULE.match(line)))
    rows = fields(lines, layout.delimiter)
    columns = [_Cells() for _ in range(layout.width)]
    ragged: list[tuple[int, list[str]]] = []
    done = 0
    while True:
        try:
            block = list(islice(rows, BLOCK))
        except csv.Error as error:
            raise InvalidInput(
                f"{layout.what} could not be split into cells near data row {done + 1} ({error}). "
                f"Check its quotes, and save it as CSV."
            ) from None
        if not block:
            break
        if layout.ended:
            block = [r[:-1] if len(r) == layout.width + 1 else r for r in block]
        whole = [r for r in block if len(r) == layout.width]
        if len(whole) < len(block):
            whole = _mend(block, layout, done, ragged)
        for cells, column in zip(zip(*whole, strict=True), columns, strict=False):
            column.add(list(cells), layout.comma)
        done += len(block)
        if len(ragged) > 1000:
            break
    _judge(ragged, done, layout, findings)
    return _Found(columns=columns, n_rows=columns[0].n_rows if columns else 0)


def _mend(
    block: list[list[str]], layout: Layout, done: int, ragged: list[tuple[int, list[str]]]
) -> list[list[str]]:
    kept = []
    for index, row in enumerate(block):
        if len(row) == layout.width:
            kept.append(row)
        elif layout.month_table and 1 < len(row) < layout.width and all(map(is_value, row)):
            kept.append(row + [""] * (layout.width - len(row)))  # the year that is not over
        else:
            ragged.append((done + index, row))
    return kept


def _judge(
    ragged: list[tuple[int, list[str]]], n_rows: int, layout: Layout, findings: list[Finding]
) -> None:
    """Rows that do not fit: a footer or a cut last line is skipped, anything else refused."""
    if not ragged:
        return
    tail = ragged
    in_tail = all(row >= n_rows - len(tail) for row, _ in tail)
    footer = (
        in_tail
        and len(tail) <= 20
        and not any(NUMBER.match(c.strip()) for _, r in tail for c in r[:1])
    )
    cut = (
        len(tail) == 1
        and tail[0][0] == n_rows - 1
        and len(tail[0][1]) < layout.width
        and n_rows > 3
    )
    if footer or cut:
        what = "footer line(s) after" if footer else "incomplete row at the end of"
        findings.append(
            Finding(
                "trailing-lines",
                f"{len(tail)} {what} the data.",
                "Left out.",
                "note" if footer else "caution",
            )
        )
        return
    if (
        layout.header
        and layout.delimiter == ","
        and all(len(r) == 2 * layout.width for _, r in tail)
    ):
        raise layout.two_marks(layout.width)
    row, cells = tail[0]
    raise InvalidInput(
        f"{len(tail)} row(s) of {layout.what} do not have {layout.width} cells (data rows "
        f"{rows_text([r for r, _ in tail])}; "
        f"row {row + 1} has {len(cells)}; cells are separated by {SEPARATORS[layout.delimiter]}). "
        f"Every row needs as many cells as "
        "the header; correct those rows, or quote cells that hold the separator."
    )


def _table(found: _Found, layout: Layout, findings: list[Finding], what: str) -> Table:
    if found.n_rows == 0:
        raise InvalidInput(
            f"{what} has a header but no row of data. Give a file with rows of numbers."
        )
    headers = layout.header
    if headers is None:
        headers = [f"x{i}" for i in range(layout.width)] if layout.width > 1 else ["x"]
        findings.append(
            Finding(
                "no-header",
                "The file has no header.",
                f"Columns were named {listed(headers, 3)}.",
                "note",
            )
        )
    if layout.month_table:
        return _months(found, headers, findings)
    names, units, said = label(headers)
    findings += said
    columns = [
        c.column(n, u, h) for c, n, u, h in zip(found.columns, names, units, headers, strict=True)
    ]
    first = columns[0]
    counter = (
        layout.header is not None
        and len(columns) > 1
        and (not headers[0] or headers[0] == "Unnamed: 0")
    )
    if (
        counter
        and first.kind == "number"
        and found.n_rows > 1
        and (np.diff(first.values) == 1).all()
        and first.values[0] in (0, 1)
    ):
        findings.append(
            Finding(
                "row-counter",
                "The first column has no name and counts the rows.",
                "Left out.",
                "note",
            )
        )
        columns = columns[1:]
    return Table(columns=tuple(columns), findings=tuple(findings))


def _months(found: _Found, headers: list[str], findings: list[Finding]) -> Table:
    """A table of one row per year and one column per month, unrolled."""
    columns = [c.column(h, "", h) for c, h in zip(found.columns, headers, strict=True)]
    mixed = [c for c in columns if c.kind != "number" or c.n_bad]
    if mixed:
        raise InvalidInput(
            f"The month table holds text in column {shown(mixed[0].name)}, such as "
            f"{shown(mixed[0].example)}. Clear those cells."
        )
    years = columns[0].values
    if not np.isfinite(years).all() or (years != np.round(years)).any():
        raise InvalidInput("A row of the month table has no whole year. Correct the first column.")
    values = np.column_stack([c.values for c in columns[1:]]).ravel()
    dates = (
        ((years.astype(int)[:, None] - 1970) * 12 + np.arange(12))
        .ravel()
        .astype("M8[M]")
        .astype("M8[us]")
    )
    order = np.argsort(dates, kind="stable")
    dates, values = dates[order], values[order]
    known = np.flatnonzero(np.isfinite(values))
    if known.size == 0:
        raise InvalidInput("The month table holds no number. Give a table with values.")
    span = slice(known[0], known[-1] + 1)
    findings.append(
        Finding(
            "month-table",
            f"A table of {len(years)} years by 12 months.",
            "Read row by row as one monthly record.",
            "note",
        )
    )
    return Table(
        columns=(
            Column(name="date", values=dates[span]),
            Column(name="value", values=values[span]),
        ),
        findings=tuple(findings),
        time="date",
    )


def table_of_rows(rows: list[list[str]], what: str) -> Table:
    """The table in rows of cells, as a sheet gives them."""
    out = io.StringIO()
    csv.writer(out, delimiter="\t", lineterminator="\n").writerows(rows)
    return read_text(out.getvalue().encode(), what)
