"""The half-way house between a file and a recording: named columns, not yet a time axis."""

from __future__ import annotations

import dataclasses
import difflib
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from takens.core import Finding, InvalidInput

MISSING = frozenset(
    [
        "",
        ".",
        "-",
        "--",
        "?",
        "na",
        "n/a",
        "nan",
        "-nan",
        "+nan",
        "null",
        "none",
        "missing",
        "nd",
        "#n/a",
        "#na",
        "<na>",
        "nat",
        "na()",
        "—",
        "–",
    ]
)  # the first of them is the empty cell
NAME_LIMIT = 80
_UNIT = re.compile(r"^(?P<name>.*\S)\s*(?:\[(?P<a>[^\[\]]{1,24})\]|\((?P<b>[^()]{1,24})\))\s*$")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Column:
    """One column as found: numbers, instants (``datetime64[us]``) or text (objects)."""

    name: str
    values: np.ndarray
    unit: str = ""
    raw: str = ""
    n_bad: int = 0
    bad_rows: tuple[int, ...] = ()
    example: str = ""

    @property
    def kind(self) -> str:
        """``number``, ``date`` or ``text``."""
        return {"f": "number", "M": "date"}.get(self.values.dtype.kind, "text")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """Columns of equal length with what was noticed while they were found.

    Parameters
    ----------
    columns : tuple of Column
        All of one length.
    findings : tuple of Finding
        Noticed by the format.
    time : str
        Name of the column that the format itself declares to be time, or ``""``.
    """

    columns: tuple[Column, ...]
    findings: tuple[Finding, ...] = ()
    time: str = ""

    @property
    def n_rows(self) -> int:
        """Length of every column."""
        return len(self.columns[0].values) if self.columns else 0

    def find(self, name: str, what: str) -> int:
        """Index of the column called `name`; `what` names the option in the message."""
        for labels in ([c.name for c in self.columns], [c.raw for c in self.columns]):
            if name in labels:
                return labels.index(name)
        wanted = str(name).strip().casefold()
        close = [
            i
            for i, c in enumerate(self.columns)
            if wanted in (c.name.casefold(), c.raw.strip().casefold())
        ]
        if len(close) == 1:
            return close[0]
        return self._missing(name, what)

    def find_all(self, name: str, what: str) -> list[int]:
        """Indices of the columns called `name`, or made from the array or variable of that name."""
        made = [i for i, c in enumerate(self.columns) if c.raw == name]
        if len(made) > 1 and all(c.name != name for c in self.columns):
            return made
        return [self.find(name, what)]

    def _missing(self, name: str, what: str) -> NoReturn:
        names = [c.name for c in self.columns]
        folded = {n.casefold(): n for n in reversed(names[:5000])}
        near = difflib.get_close_matches(str(name)[:200].casefold(), folded, n=1)
        hint = f" Did you mean {shown(folded[near[0]])}?" if near else ""
        raise InvalidInput(
            f"{what} names the column {shown(name)}, which is not there.{hint} "
            f"Choose from: {listed(names)}."
        )


def shown(name: Any, limit: int = 40) -> str:
    """`name` quoted for a message: control characters escaped, long text shortened."""
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(name)[: limit + 1])
    return f"'{text[:limit]}…'" if len(text) > limit else f"'{text}'"


def listed(names: Sequence[str], limit: int = 8) -> str:
    """The first few names for a message, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(shown(n, 30) for n in names[:limit]) + more


def rows_text(rows: Sequence[int]) -> str:
    """Row numbers for a message; the first data row is 1."""
    return ", ".join(str(r + 1) for r in rows[:5]) + (", ..." if len(rows) > 5 else "")


def split_unit(header: str) -> tuple[str, str]:
    """``"temp [K]"`` and ``"temp (K)"`` as ``("temp", "K")``.

    Examples
    --------
    >>> split_unit("temp [K]")
    ('temp', 'K')
    """
    found = _UNIT.match(header) if header.rstrip().endswith(("]", ")")) else None
    if not found:
        return header, ""
    return found["name"], (found["a"] or found["b"]).strip()


def _clean(name: str) -> str:
    if len(name) <= NAME_LIMIT and name.isalnum():
        return name
    kept = (
        c if str(unicodedata.category(c)) not in ("Cc", "Cf", "Cs", "Co") else " "
        for c in name[:4000]
    )
    text = " ".join("".join(kept).split())
    return text if len(text) <= NAME_LIMIT else text[: NAME_LIMIT - 1] + "…"


def label(headers: Sequence[str]) -> tuple[list[str], list[str], list[Finding]]:
    """Clean, unique names and the units of `headers`, with what had to be changed."""
    cleaned = [_clean(h) for h in headers]
    pairs = [split_unit(c) for c in cleaned]
    bare = [name for name, _ in pairs]
    repeated = {n for n in bare if n} and {n for n, k in _counts(bare).items() if k > 1}
    findings: list[Finding] = []
    names: list[str] = []
    taken: set[str] = set()
    doubled, nameless, altered = [], 0, []
    for index, (header, full) in enumerate(zip(headers, cleaned, strict=True)):
        name = full if bare[index] in repeated else bare[index]
        if not name:
            name, nameless = f"column{index + 1}", nameless + 1
        if full != header.strip():
            altered.append(name)
        base, k = name, 1
        while name in taken:
            k += 1
            name = f"{base}.{k}"
        if k > 1:
            doubled.append(name)
        taken.add(name)
        names.append(name)
    if doubled:
        findings.append(
            Finding(
                "duplicate-names",
                f"{len(doubled)} column name(s) occur twice or more.",
                f"Renamed to {listed(doubled, 4)}.",
            )
        )
    if nameless:
        findings.append(
            Finding(
                "nameless-columns",
                f"{nameless} column(s) have no name.",
                "Named column1, column2, ... by position.",
                "note",
            )
        )
    if altered:
        findings.append(
            Finding(
                "names-cleaned",
                f"{len(altered)} column name(s) held control characters, "
                f"line breaks or more than {NAME_LIMIT} characters.",
                f"Cleaned and shortened: {listed(altered, 4)}.",
                "note",
            )
        )
    return names, [unit for _, unit in pairs], findings


def _counts(names: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
