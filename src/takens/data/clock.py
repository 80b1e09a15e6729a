"""From written dates to a numeric time axis in a sensible unit."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from takens.core import InvalidInput
from takens.data.table import MISSING, rows_text, shown

SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "week": 7 * 86400.0,
    "month": 365.2425 * 86400 / 12,
    "y": 365.2425 * 86400.0,
}
_ALIASES = {
    "ns": "nanosecond nanoseconds",
    "us": "µs μs microsecond microseconds usec",
    "ms": "millisecond milliseconds msec",
    "s": "sec secs second seconds",
    "min": "mins minute minutes",
    "h": "hr hrs hour hours",
    "d": "day days",
    "week": "weeks wk w",
    "month": "months mon",
    "y": "yr yrs year years a",
}
UNITS = {alias: unit for unit, text in _ALIASES.items() for alias in (unit, *text.split())}
_MONTHS = {
    m: i + 1
    for i, m in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    )
}
_CLOCK = r"(?:[T ,]\s*(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<p>[AaPp][Mm])?)?"
_ZONE = r"\s*(?P<z>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?$"
_FAMILIES = {
    "year-month-day": r"^(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d{1,2})(?:(?P=sep)(?P<d>\d{1,2}))?",
    "day/month/year or month/day/year": r"^(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4})",
    "yyyymmdd": r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
    "day month-name year": r"^(?P<d>\d{1,2})[- .](?P<mon>[A-Za-z]{3,9})[-. ,]+(?P<y>\d{4})",
    "month-name day, year": r"^(?P<mon>[A-Za-z]{3,9})[- .](?P<d>\d{1,2}),?[- ](?P<y>\d{4})",
    "month-name year": r"^(?P<mon>[A-Za-z]{3,9})[- .,]+(?P<y>\d{4})",
    "quarter": r"^(?P<y>\d{4})[- ]?[Qq](?P<q>[1-4])",
}
_PATTERNS = {name: re.compile(text + _CLOCK + _ZONE) for name, text in _FAMILIES.items()}
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?Z?$")
_TIME_OF_DAY = re.compile(r"^(\d{1,3}):([0-5]\d)(?::([0-5]\d(?:[.,]\d+)?))?$")


def canonical_unit(text: str | None) -> str | None:
    """The package's name of a unit of time, or None when it is not one."""
    return None if text is None else UNITS.get(text.strip().casefold())


def looks_like_date(cell: str) -> bool:
    """Whether a cell is written as a date in a form that is understood."""
    text = cell.strip()
    return (
        4 < len(text) < 48
        and not text.isdigit()
        and any(
            p.match(text) and (name != "month-name year" or text[:3].lower() in _MONTHS)
            for name, p in _PATTERNS.items()
        )
    )


def clock_times(cells: Sequence[str]) -> np.ndarray | None:
    """Seconds since midnight of ``HH:MM[:SS]`` cells, or None when they are something else."""
    out = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        text = cell.strip()
        if text.casefold() in MISSING:
            continue
        found = _TIME_OF_DAY.match(text)
        if not found:
            return None
        out[row] = (
            int(found[1]) * 3600 + int(found[2]) * 60 + float((found[3] or "0").replace(",", "."))
        )
    return out


def parse_dates(cells: Sequence[str], name: str) -> tuple[np.ndarray, list[int], str]:
    """Instants (``datetime64[us]``, UTC where a zone is given) of written dates.

    Returns
    -------
    dates : array of datetime64, shape (time,)
        NaT where a cell is missing or impossible.
    bad : list of int
        Rows whose cell is not a possible date.
    note : str
        How an ambiguous notation was read, or ``""``.

    Raises
    ------
    InvalidInput
        If notations are mixed, or day and month cannot be told apart.
    """
    texts = [c.strip() for c in cells]
    quick = _quick_iso(texts)
    if quick is not None:
        return quick, [], ""
    family, matches, bad = _match(texts, name)
    if not matches:
        return np.full(len(texts), "NaT", "M8[us]"), bad, ""
    rows = np.fromiter((r for r, _ in matches), int, len(matches))
    fields = {
        key: np.array([int(m.groupdict().get(key) or 0) for _, m in matches])
        for key in ("y", "m", "d", "a", "b", "q", "H", "M", "S")
    }
    note = ""
    if family.startswith("day/month"):
        first_is_day, note = _day_first(fields, matches[0][1]["sep"], name)
        fields["d"], fields["m"] = (
            (fields["a"], fields["b"]) if first_is_day else (fields["b"], fields["a"])
        )
    if family == "quarter":
        fields["m"] = 3 * fields["q"] - 2
    if "month-name" in family:
        fields["m"] = np.array([_MONTHS.get(m["mon"][:3].lower(), 0) for _, m in matches])
    has_day = [m.groupdict().get("d") is not None or "a" in m.groupdict() for _, m in matches]
    fields["d"] = np.where(has_day, fields["d"], 1)
    dates = np.full(len(texts), "NaT", "M8[us]")
    dates[rows], okay = _compose(fields, matches)
    return dates, sorted([*bad, *rows[~okay].tolist()]), note


def _quick_iso(texts: list[str]) -> np.ndarray | None:
    """ISO dates of one length through NumPy's own parser; None where they are not that plain."""
    known = (
        [t for t in texts if t.casefold() not in MISSING]
        if "" in texts or "NaN" in texts
        else texts
    )
    first = known[0] if known else ""
    if not _ISO.match(first) or len(set(map(len, known))) > 1:
        return None
    zone = first.endswith("Z")
    try:
        letters = np.array(known, dtype="S").view("S1").reshape(len(known), -1)
    except UnicodeEncodeError:
        return None
    tail = letters[:, 10:]
    if ((letters[:, -1] == b"Z") != zone).any() or (tail == b"+").any() or (tail == b"-").any():
        return None
    bare = [t if len(t) == len(first) else "NaT" for t in texts] if known is not texts else texts
    try:
        return np.array([t.removesuffix("Z") for t in bare] if zone else bare, dtype="M8[us]")
    except ValueError:
        return None


def _match(texts: list[str], name: str) -> tuple[str, list[tuple[int, re.Match[str]]], list[int]]:
    by_family: dict[str, list[tuple[int, re.Match[str]]]] = {}
    bad: list[int] = []
    order = list(_PATTERNS.items())
    for row, text in enumerate(texts):
        if text.casefold() in MISSING:
            continue
        for family, pattern in order:
            found = pattern.match(text) if len(text) < 48 else None
            if found:
                by_family.setdefault(family, []).append((row, found))
                if order[0][0] != family:  # try the family that worked first
                    order.sort(key=lambda item: item[0] != family)
                break
        else:
            bad.append(row)
    if not by_family:
        return "", [], bad
    ranked = sorted(by_family, key=lambda f: -len(by_family[f]))
    if len(ranked) > 1:
        examples = " and ".join(shown(by_family[f][0][1].string) for f in ranked[:2])
        raise InvalidInput(
            f"The column {shown(name)} mixes ways of writing dates, such as {examples}. "
            "A column needs one notation; write them all as 2024-01-31."
        )
    matches = by_family[ranked[0]]
    zoned = [m["z"] is not None for _, m in matches]
    if any(zoned) and not all(zoned):
        raise InvalidInput(
            f"In column {shown(name)} some dates carry a time zone and some do not "
            f"(row {matches[zoned.index(False)][0] + 1}). Give all of them a zone, or none."
        )
    return ranked[0], matches, bad


def _day_first(fields: dict[str, np.ndarray], sep: str, name: str) -> tuple[bool, str]:
    a, b = fields["a"], fields["b"]
    a_is_day, b_is_day = bool((a > 12).any()), bool((b > 12).any())
    if a_is_day != b_is_day:
        return a_is_day, ""
    if a_is_day and b_is_day:
        raise InvalidInput(
            f"The column {shown(name)} mixes day/month/year and month/day/year. "
            "A column needs one notation; write dates as 2024-01-31."
        )
    if sep == ".":
        return True, "dates such as 1.2.2000 were read as day.month.year"
    regular = []
    for day, month in ((a, b), (b, a)):
        stamp = (fields["y"] - 1970) * 12 + month - 1
        days = stamp.astype("M8[M]").astype("M8[D]").astype(int) + day - 1
        same = len(set(day.tolist())) == 1 and len(set(np.diff(stamp).tolist())) == 1
        regular.append(same or (len(set(np.diff(days).tolist())) == 1))
    if len(a) > 2 and regular[0] != regular[1]:
        which = "day/month/year" if regular[0] else "month/day/year"
        return regular[0], f"dates were read as {which}, the only reading with an even step"
    raise InvalidInput(
        f"In column {shown(name)} day and month cannot be told apart: no number exceeds 12. "
        "Write the dates as 2024-01-31."
    )


def _compose(
    fields: dict[str, np.ndarray], matches: list[tuple[int, re.Match[str]]]
) -> tuple[np.ndarray, np.ndarray]:
    hour = fields["H"].copy()
    half = np.array([(m["p"] or "").lower() for _, m in matches])
    hour = np.where(
        (half == "pm") & (hour < 12), hour + 12, np.where((half == "am") & (hour == 12), 0, hour)
    )
    micro = np.array([int((m["f"] or "0").ljust(6, "0")[:6]) for _, m in matches])
    okay = (fields["m"] >= 1) & (fields["m"] <= 12) & (fields["d"] >= 1) & (fields["y"] > 0)
    okay &= (hour < 24) & (fields["M"] < 60) & (fields["S"] < 61)
    stamp = np.where(okay, (fields["y"] - 1970) * 12 + fields["m"] - 1, 0)
    first = stamp.astype("M8[M]").astype("M8[D]")
    okay &= fields["d"] <= ((stamp + 1).astype("M8[M]").astype("M8[D]") - first).astype(int)
    seconds = hour * 3600 + fields["M"] * 60 + fields["S"]
    offset = np.array([_offset(m["z"]) for _, m in matches])
    days = (first.astype(int) + fields["d"] - 1).astype(np.int64)
    dates = ((days * 86400 + seconds - offset) * 1_000_000 + micro).astype("M8[us]")
    dates[~okay] = np.datetime64("NaT")
    return dates, okay


def _offset(zone: str | None) -> int:
    if not zone or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (-1 if zone[0] == "-" else 1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


def impossible(cells: Sequence[str], bad: Sequence[int], name: str) -> InvalidInput:
    """The error for a column of dates of which too many cannot be read."""
    return InvalidInput(
        f"{len(bad)} of {len(cells)} cells of the time column {shown(name)} are not possible dates "
        f"(rows {rows_text(bad)}; such as {shown(cells[bad[0]])}). "
        "Write dates as 2024-01-31 or 2024-01-31T12:00, or leave those rows out."
    )


def date_axis(dates: np.ndarray, unit: str | None) -> tuple[np.ndarray, str, str]:
    """Numeric times of `dates`, their unit, and a sentence that says where zero lies.

    Monthly and yearly dates become years with a step of exactly 1/12 or 1, business days are
    counted without weekends, and everything else is the time elapsed since the first date, in the
    largest unit in which the step is at least 0.1.
    """
    known = _distinct(dates[~np.isnat(dates)])
    wanted = canonical_unit(unit)
    if unit is not None and wanted is None and unit != "business day":
        raise InvalidInput(
            f"time_unit {shown(unit)} is not a unit of time that dates can be turned into. "
            f"Choose from: {', '.join(SECONDS)}."
        )
    first = str(known[0])[:19].removesuffix("T00:00:00") if len(known) else "?"
    if wanted in (None, "y", "month") and _calendar_monthly(known):
        months = dates.astype("M8[M]").astype(float) + np.where(np.isnat(dates), np.nan, 0.0)
        if wanted == "month":
            start = float(known[0].astype("M8[M]").astype(int))
            return months - start, "month", f"Calendar months since {first}."
        return 1970 + months / 12, "y", f"Calendar months as years from {first}; a month is 1/12 y."
    if unit in (None, "business day") and (_business_days(known) or unit):
        day = dates.astype("M8[D]")
        count = np.full(len(day), np.nan)
        valid = ~np.isnat(day)
        count[valid] = np.busday_count(known[0].astype("M8[D]"), day[valid])
        return count, "business day", f"Business days since {first}; weekends are not counted."
    if wanted == "y":
        years = 1970 + _seconds(dates, np.datetime64(0, "us")) / SECONDS["y"]
        return years, "y", f"Decimal years of 365.2425 d from {first}."
    elapsed = _seconds(dates, known[0] if len(known) else np.datetime64(0, "us"))
    if wanted is None:
        step = float(np.median(np.diff(known)).astype(float)) / 1e6 if len(known) > 1 else 1.0
        wanted = next((u for u in ("d", "h", "min") if step >= 0.1 * SECONDS[u]), "s")
    return elapsed / SECONDS[wanted], wanted, f"Time since {first} in {wanted}."


def _distinct(dates: np.ndarray) -> np.ndarray:
    """Sorted, each once; cheaper than `np.unique` where they come sorted."""
    ordered = np.sort(dates, kind="stable")
    return (
        ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered
    )


def _seconds(dates: np.ndarray, origin: np.datetime64) -> np.ndarray:
    elapsed = (dates - origin).astype("m8[us]")
    return np.where(np.isnat(elapsed), np.nan, elapsed.astype(float) / 1e6)


def _calendar_monthly(known: np.ndarray) -> bool:
    if len(known) < 3:
        return False
    months = known.astype("M8[M]")
    if len(_distinct(months)) < len(known):
        return False
    days = known.astype("M8[D]")
    of_month = (days - months.astype("M8[D]")).astype(int) + 1
    left = ((months + 1).astype("M8[D]") - days).astype(int)
    return bool(
        (of_month == of_month[0]).all() or (left == 1).all() or (abs(of_month - 15.5) < 2).all()
    )


def _business_days(known: np.ndarray) -> bool:
    days = known.astype("M8[D]")
    if len(known) < 10 or (days != known).any() or not np.is_busday(days).all():
        return False
    steps = np.diff(days).astype(int)
    return bool(np.median(steps) == 1 and (steps >= 3).any())
