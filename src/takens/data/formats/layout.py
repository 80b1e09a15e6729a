"""How a delimited text is laid out: separator, header, decimal mark."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from takens.core import Finding, InvalidInput
from takens.data import clock
from takens.data.table import MISSING, shown

SAMPLE = 200  # lines looked at to find the delimiter and the header


NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?$|^[+-]?(inf|infinity)$", re.I)


COMMA_NUMBER = re.compile(r"^[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?$")


_GROUPED = re.compile(r"^[+-]?[1-9]\d{0,2}(,\d{3})+$")


_BOTH_MARKS = re.compile(
    r"^[+-]?(\d{1,3}(,\d{3})+\.\d*|\d{1,3}(\.\d{3})+,\d*|\d{1,3}(,\d{3}){2,}|\d{1,3}(\.\d{3}){2,})$"
)


RULE = re.compile(r"^\s*$|^\s*[-=_*+|~][\s\-=_*+|~]+[-=_*+|~]\s*$")


_UNIT_ROW = re.compile(
    r"^[\[(]?(s|ms|us|min|h|d|days?|y|yr|K|°?C|degC|°?F|%|m|mm|cm|km|m/s|V|mV|A|mA|Hz|Pa|hPa|kPa|bar|W|kW|MW|g|kg|-|1)?[\])]?$"
)


_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "white space"}


def fields(lines: Any, delimiter: str) -> Iterator[list[str]]:
    """Rows of cells; empty rows are passed over."""
    if delimiter == " ":
        return (row for line in lines if (row := line.split()))
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    return filter(_filled, reader)


def _filled(row: list[str]) -> bool:
    return len(row) > 1 or bool(row and row[0].strip())


def is_value(cell: str) -> bool:
    """Whether a cell is a number, a date, a time of day or a mark for missing."""
    bare = cell.strip()
    return bool(
        bare.casefold() in MISSING
        or NUMBER.match(bare)
        or COMMA_NUMBER.match(bare)
        or _BOTH_MARKS.match(bare)
        or clock.looks_like_date(bare)
        or clock.clock_times([bare]) is not None
    )


class Layout:
    """Delimiter, header, decimal mark: decided on the first lines."""

    def __init__(self, text: str, comment: str, what: str) -> None:
        self.what, self.findings = what, list[Finding]()
        lines = [
            x for x in islice(io.StringIO(text), SAMPLE + 50) if x.strip() and not RULE.match(x)
        ]
        self.delimiter = self._guess([x[:200_000] for x in lines])
        try:
            csv.field_size_limit(10_000_000)
            rows = list(fields(lines, self.delimiter))
        except csv.Error as error:
            raise InvalidInput(
                f"{what} could not be split into cells ({error}). Check its quotes, and save it "
                f"as CSV."
            ) from None
        self.ended = len(rows) > 2 and all(not r[-1].strip() for r in rows) and len(rows[0]) > 2
        if self.ended:
            rows = [r[:-1] for r in rows]
        self._header(rows, comment)
        body = rows[self.skip :]
        self.numeric = bool(body) and all(
            NUMBER.match(c.strip()) or c.strip().lower() == "nan" for r in body for c in r
        )
        self.comma = self._decimal(body)
        self.month_table = self._is_month_table()

    def _guess(self, lines: list[str]) -> str:
        best, score = " ", 0.0
        tail = lines[-40:] if len(lines) > 3 else lines[-2:]
        for delimiter in (";", "\t", "|", ",", " "):
            try:
                counts = [len(r) for r in fields(tail, delimiter)]
            except csv.Error:
                continue
            if not counts:
                continue
            mode = max(set(counts), key=counts.count)
            agree = counts.count(mode) / len(tail)
            value = (
                0.0
                if mode < 2
                else agree * {";": 1.1, "\t": 1.1, "|": 1.05, ",": 1.0, " ": 0.8}[delimiter]
            )
            if delimiter != " " and mode >= 2 and agree > 0.6:
                values = [c for r in fields(tail, delimiter) for c in r]
                value *= 0.5 + 0.5 * sum(map(is_value, values)) / len(values)
            if value > score:
                best, score = delimiter, value
        return best if score else ","

    def _header(self, rows: list[list[str]], comment: str) -> None:
        widths = [len(r) for r in rows]
        self.width = max(set(widths[-60:]), key=widths[-60:].count)
        whole = [len(r) == self.width for r in rows]
        known = [sum(map(is_value, r)) for r in rows]
        filled = [sum(bool(c.strip()) for c in r) for r in rows]
        data = [
            w and k > 0 and (any(is_value(c) and c.strip().casefold() not in MISSING for c in r))
            for w, k, r in zip(whole, known, rows, strict=True)
        ]
        first = next((i for i, d in enumerate(data) if d), None)
        self.skip, self.header = 0, None
        if first is None:
            if len(rows) == 1:
                raise InvalidInput(
                    f"{self.what} has a header but no row of data. Give a file with rows of "
                    f"numbers."
                )
            first = 1 if whole[0] else 0
        # A first row with text where the next row has values is a header, numbers in it or not.
        if first == 0 and len(rows) > 1 and whole[0] and whole[1] and known[1] > known[0]:
            odd = any(
                not is_value(a) and is_value(b) for a, b in zip(rows[0], rows[1], strict=True)
            )
            first = 1 if odd and known[0] < self.width / 2 else 0
        row = first - 1
        units: list[str] | None = None
        if (
            row >= 1
            and whole[row]
            and whole[row - 1]
            and filled[row - 1] == self.width
            and all(_UNIT_ROW.match(c.strip()) for c in rows[row])
        ):
            units, row = rows[row], row - 1
        if row >= 0 and whole[row] and filled[row] > 0:
            self.header = [c.strip() for c in rows[row]]
            if units is not None:
                self.header = [
                    f"{h} [{u.strip('[]() ')}]" if u.strip("[]() ") else h
                    for h, u in zip(self.header, units, strict=True)
                ]
            if row:
                self.findings.append(
                    Finding(
                        "preamble", f"{row} line(s) stand above the header.", "Skipped.", "note"
                    )
                )
        elif first:
            if (
                any(k == 0 and n > 1 for k, n in zip(known[:first], widths[:first], strict=True))
                and widths[first - 1] * 2 == self.width
            ):
                raise self.two_marks(widths[first - 1])
            self.findings.append(
                Finding(
                    "preamble",
                    f"{first} line(s) above the data do not fit the columns.",
                    "Skipped; columns are named by position.",
                )
            )
        if self.header is None and comment:
            cells = (
                comment.split()
                if self.delimiter == " "
                else [c.strip() for c in comment.split(self.delimiter)]
            )
            if self.width == 1 and (":" in comment or len(comment) > 24):
                cells = []  # a remark, not a name
            if len(cells) == self.width and not any(map(is_value, cells)):
                self.header = cells
        self.skip = first

    def two_marks(self, n_names: int) -> InvalidInput:
        """The error for commas that are decimal mark and separator at once."""
        return InvalidInput(
            f"{self.what} has {n_names} names but {self.width} cells in a row, separated by "
            f"commas. "
            "It seems that the comma is both the decimal mark and the separator, which cannot be "
            "told "
            "apart. Export it again with semicolons or tabs between cells, or with decimal points."
        )

    def _decimal(self, body: list[list[str]]) -> bool:
        cells = [c.strip() for r in body for c in r if "," in c or c.count(".") > 1]
        marks = [c for c in cells if _BOTH_MARKS.match(c)]
        if marks:
            raise InvalidInput(
                f"{self.what} writes numbers with thousands separators, such as {shown(marks[0])}. "
                "Numbers need one decimal mark and no other; export it without them."
            )
        numbers = [c for c in cells if COMMA_NUMBER.match(c)]
        if not numbers:
            return False
        if all(map(_GROUPED.match, numbers)):
            if self.delimiter == ",":
                raise InvalidInput(
                    f"In {self.what} {shown(numbers[0])} may be a decimal comma or a thousands "
                    f"separator. "
                    "Export it without thousands separators, or with decimal points."
                )
            self.findings.append(
                Finding(
                    "decimal-comma",
                    f"Numbers such as {shown(numbers[0])} were read with a decimal comma.",
                    "If the comma separates thousands, export the file without it.",
                )
            )
            return True
        self.findings.append(
            Finding(
                "decimal-comma",
                f"Numbers such as {shown(numbers[0])} were read with a decimal comma.",
                "",
                "note",
            )
        )
        return True

    def _is_month_table(self) -> bool:
        names = [h.strip().casefold() for h in self.header or []]
        return (
            len(names) == 13
            and names[0] in ("year", "yr", "jahr")
            and [n[:3] for n in names[1:]] == _MONTHS
        )
