"""HTML that is escaped unless it was built here, and numbers that carry their exact value."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any
from unicodedata import category


class Markup(str):
    """Text that is HTML already; everything else is escaped when it enters a page."""

    __slots__ = ()


def visible(text: str) -> str:
    """`text` with control, format and unassigned characters replaced; they could hide or reorder.

    Examples
    --------
    >>> visible("a\\u202eb") == "a\\ufffdb"
    True
    """
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if category(c)[0] == "C" and c not in "\n\t" else c
        for c in text
    )


def counted(number: int, thing: str, things: str = "") -> str:
    """A number with its noun in the singular or the plural.

    Examples
    --------
    >>> counted(1, "gap"), counted(2, "stretch", "stretches")
    ('1 gap', '2 stretches')
    """
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def escaped(content: Any) -> Markup:
    """`content` as HTML: escaped, or as it is when it is `Markup`; lists are joined.

    Examples
    --------
    >>> escaped("<b>")
    '&lt;b&gt;'
    """
    if isinstance(content, Markup):
        return content
    if isinstance(content, (list, tuple)):
        return Markup("".join(escaped(item) for item in content))
    if content is None:
        return Markup("")
    clean = visible(str(content))
    return Markup(html.escape(clean, quote=True))


def tag(_name: str, *content: Any, **attributes: Any) -> Markup:
    """One element. A trailing underscore is dropped from attribute names (``class_``).

    Examples
    --------
    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    parts = [
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return Markup(f"<{_name}{''.join(parts)}>{escaped(list(content))}</{_name}>")


def number_text(value: Any, digits: int = 4) -> str:
    """A number as a reader wants it: `digits` significant, thin thousands, no stray zeros.

    Examples
    --------
    >>> number_text(0.90561), number_text(3309), number_text(None), number_text(1.2e-7)
    ('0.9056', '3309', 'none', '1.2e-7')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and abs(value) < 10**9:
        return str(value) if abs(value) < 10_000 else f"{value:,}".replace(",", "\u202f")
    size = abs(value)
    if size != 0 and (size < 1e-4 or size >= 1e7):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{int(exponent)}"
    if size >= 10**digits:
        return f"{round(value):,}".replace(",", "\u202f")
    return f"{value:.{digits}g}"


def number(value: Any, *, digits: int = 4, unit: str = "") -> Markup:
    """A number whose exact value a machine can read from the page; nothing is a dash."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return tag("span", "–", class_="none", title="no value")
    shown = tag("data", number_text(value, digits), value=repr(value))
    return escaped([shown, f"\u202f{unit}"]) if unit not in {"", "1"} else shown


def interval(low: Any, high: Any, *, unit: str = "") -> Markup:
    """``low to high`` with its unit, or a dash."""
    if low is None or high is None:
        return tag("span", "–", class_="none", title="no interval")
    digits = next(
        (d for d in range(4, 9) if low == high or number_text(low, d) != number_text(high, d)), 4
    )  # an interval shorter than the rounding must still show its two ends
    return escaped([number(low, digits=digits), " to ", number(high, digits=digits, unit=unit)])


def table(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    numeric: Iterable[int] = (),
    class_: str | None = None,
) -> Markup:
    """A captioned table; the first cell of each row is its heading.

    Parameters
    ----------
    caption : str
        Says what the rows are.
    headings : sequence of str
        One per column.
    rows : iterable of sequences
        Cells: text, or `Markup`.
    numeric : iterable of int
        Columns set in figures of one width, aligned right.
    class_ : str, optional
        A class of the element.
    """
    right = set(numeric)
    head = [
        tag("th", heading, scope="col", class_="number" if i in right else None)
        for i, heading in enumerate(headings)
    ]
    body = []
    for row in rows:
        cells = [tag("th", row[0], scope="row")]
        cells += [
            tag("td", cell, class_="number" if i in right else None)
            for i, cell in enumerate(row[1:], start=1)
        ]
        body.append(tag("tr", *cells))
    if not body:
        return Markup("")
    parts = (tag("caption", caption), tag("thead", tag("tr", *head)), tag("tbody", *body))
    return tag("div", tag("table", *parts, class_=class_), class_="scroll", tabindex="0",
               role="region", aria_label=caption)  # fmt: skip


def bullets(items: Iterable[Any], class_: str | None = None) -> Markup:
    """An unordered list; nothing when there are no items."""
    entries = [tag("li", item) for item in items]
    return tag("ul", *entries, class_=class_) if entries else Markup("")
