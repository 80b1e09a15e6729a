"""Which column is time, and what its numbers are."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput
from takens.data import clock
from takens.data.options import Options
from takens.data.table import MISSING, Column, Table, listed, rows_text, shown

TIME_NAMES = frozenset(
    [
        "time",
        "times",
        "t",
        "date",
        "dates",
        "datetime",
        "date_time",
        "date-time",
        "date time",
        "timestamp",
        "time_stamp",
        "year",
        "years",
        "yr",
        "decimal_year",
        "decyear",
        "epoch",
        "unixtime",
        "unix_time",
        "elapsed",
        "elapsed_time",
        "valid_time",
    ]
)
COUNTERS = frozenset(["index", "idx", "step", "frame", "sample"])


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Axis:
    """Numeric times of every row, and the columns they were made from."""

    times: np.ndarray
    unit: str
    used: tuple[int, ...]
    findings: tuple[Finding, ...]


def time_axis(table: Table, options: Options, reserved: dict[int, str]) -> Axis:
    """The time axis of `table`: the column asked for, one known by name or dates, or the row."""
    columns = table.columns
    given = options.time if options.time is not None else (table.time or None)
    if given == "row":
        return _row_axis(table.n_rows, options, "Rows were numbered, as asked.")
    if given is not None:
        index = table.find(given, "time")
        if index in reserved:
            raise InvalidInput(
                f"The column {shown(columns[index].name)} is named as time and in "
                f"{reserved[index]}. "
                "A column has one role; choose one."
            )
        return _column_axis(table, index, options)
    parts = _calendar_parts(table, reserved)
    if parts is not None:
        return _parts_axis(table, parts, options)
    free = [i for i in range(len(columns)) if i not in reserved]
    named = [
        i
        for i in free
        if columns[i].name == "t"
        or (len(columns[i].name) > 1 and columns[i].name.casefold() in TIME_NAMES)
    ]
    dated = [i for i in free if _is_dated(columns[i])]
    both = _date_and_clock(table, named)
    if both is not None:
        return both(options)
    candidates = [i for i in named if i in dated] or named or dated
    if len(candidates) > 1 and len({i for i in candidates if columns[i].kind != "number"}) != 1:
        names = [columns[i].name for i in candidates]
        raise InvalidInput(
            f"{len(names)} columns could be time: {listed(names)}. Say which one with time=..., "
            "or time='row' to number the rows."
        )
    if candidates:
        best = next((i for i in candidates if columns[i].kind != "number"), candidates[0])
        return _column_axis(table, best, options)
    for i in free:
        values = columns[i].values
        if (
            columns[i].name.casefold() in COUNTERS
            and columns[i].kind == "number"
            and table.n_rows > 1
            and bool((np.diff(values) > 0).all())
        ):
            return _column_axis(table, i, options)
    return _row_axis(
        table.n_rows, options, "No column is recognised as time, so rows were numbered."
    )


def _row_axis(n_rows: int, options: Options, why: str) -> Axis:
    dt = options.dt or 1.0
    unit = clock.canonical_unit(options.time_unit) or options.time_unit or "1"
    said = f"with a step of {dt:g}" + ("" if unit == "1" else f" {unit}")
    hint = "" if options.dt else " Give dt and time_unit, or name the time column."
    note = Finding("no-time-column", f"{why}", f"Time is the row number {said}.{hint}", "note")
    return Axis(times=np.arange(n_rows) * dt, unit=unit, used=(), findings=(note,))


def _is_dated(column: Column) -> bool:
    if column.kind == "text":
        sample = [c for c in column.values[:200].tolist() if c.strip().casefold() not in MISSING]
        return bool(sample) and sum(map(clock.looks_like_date, sample)) > 0.5 * len(sample)
    return column.kind == "date"


def _column_axis(table: Table, index: int, options: Options) -> Axis:
    column = table.columns[index]
    if column.kind == "number":
        return _numeric_axis(column, index, options)
    findings: list[Finding] = []
    if column.kind == "text":
        cells = column.values.tolist()
        seconds = clock.clock_times(cells)
        if seconds is not None and np.isfinite(seconds).any():
            return _clock_axis(seconds, column, index, options)
        dates, bad, how = clock.parse_dates(cells, column.name)
        if len(bad) > max(3, 0.01 * len(cells)) or len(bad) >= 0.5 * len(cells):
            raise clock.impossible(cells, bad, column.name)
        if bad:
            findings.append(
                Finding(
                    "impossible-dates",
                    f"{len(bad)} cell(s) of {shown(column.name)} are not "
                    f"possible dates (rows {rows_text(bad)}; such as {shown(cells[bad[0]])}).",
                    "Those rows were left out.",
                )
            )
        if how:
            findings.append(Finding("date-notation", f"In {shown(column.name)} {how}.", "", "note"))
    else:
        dates = column.values
    return _dates_axis(dates, (index,), column.name, options, findings)


def _dates_axis(
    dates: np.ndarray,
    used: tuple[int, ...],
    name: str,
    options: Options,
    findings: list[Finding],
) -> Axis:
    if np.isnat(dates).all():
        raise InvalidInput(
            f"The time column {shown(name)} holds no date. Name another one with time=..., "
            "or number the rows with time='row'."
        )
    times, unit, said = clock.date_axis(dates, options.time_unit)
    findings.append(
        Finding("time-axis", f"Time was read from {shown(name)} as dates.", said, "note")
    )
    return Axis(times=times, unit=unit, used=used, findings=tuple(findings))


def _clock_axis(seconds: np.ndarray, column: Column, index: int, options: Options) -> Axis:
    backwards = np.diff(seconds, prepend=seconds[0]) < -43200  # past midnight
    seconds = seconds + 86400.0 * np.cumsum(backwards)
    unit = clock.canonical_unit(options.time_unit) or "s"
    note = Finding(
        "time-axis",
        f"Time was read from {shown(column.name)} as time of day.",
        f"Time since midnight in {unit}; {int(backwards.sum())} midnight(s) passed.",
        "note",
    )
    return Axis(times=seconds / clock.SECONDS[unit], unit=unit, used=(index,), findings=(note,))


def _numeric_axis(column: Column, index: int, options: Options) -> Axis:
    values, name, findings = column.values, column.name.casefold(), []
    if column.n_bad > max(3, 0.01 * len(values)):
        raise too_much_text(column)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise InvalidInput(
            f"The time column {shown(column.name)} holds no number. Name another one with "
            f"time=..., "
            "or number the rows with time='row'."
        )
    whole = bool((finite == np.round(finite)).all())
    if whole and "date" in name and _compact(finite):
        texts = ["" if not np.isfinite(v) else f"{int(v)}" for v in values]
        dates, bad, _ = clock.parse_dates(
            [t if len(t) != 6 else f"{t}01" for t in texts], column.name
        )
        if not bad:
            return _dates_axis(dates, (index,), column.name, options, [])
    unit, own = "1", clock.canonical_unit(column.unit)
    if name in ("timestamp", "time_stamp", "epoch", "unixtime", "unix_time", "time"):
        power = next(
            (
                p
                for p, low in ((1e-9, 1e17), (1e-6, 1e14), (1e-3, 1e11), (1.0, 1e8))
                if (abs(finite) >= low).all()
            ),
            None,
        )
        if power is not None and own is None and (name != "time" or whole):
            values, own = (values - finite.min()) * power, "s"
            findings.append(
                Finding(
                    "epoch-times",
                    f"{shown(column.name)} holds seconds since 1970 in units of {power:g} s.",
                    "Time since the first row in s.",
                    "note",
                )
            )
    if name in ("year", "years", "yr", "decimal_year", "decyear"):
        own = own or "y"
    unit = own or column.unit or "1"
    wanted = clock.canonical_unit(options.time_unit) or options.time_unit
    if wanted and own and wanted in clock.SECONDS and wanted != own:
        values, unit = values * (clock.SECONDS[own] / clock.SECONDS[wanted]), wanted
        findings.append(
            Finding(
                "time-unit", f"{shown(column.name)} is in {own}.", f"Turned into {wanted}.", "note"
            )
        )
    elif wanted:
        unit = wanted
    findings.append(
        Finding(
            "time-axis",
            f"Time was read from the column {shown(column.name)}.",
            f"Its unit is {unit}." if unit != "1" else "Its unit is unknown; give time_unit.",
            "note",
        )
    )
    return Axis(times=values.astype(float), unit=unit, used=(index,), findings=tuple(findings))


def _compact(values: np.ndarray) -> bool:
    """Whether whole numbers are dates written as yyyymmdd or yyyymm."""
    day = values % 100 if values.min() > 1e7 else np.ones(1)
    rest = values // 100 if values.min() > 1e7 else values
    inside = (
        (rest >= 100001).all()
        and (rest <= 299912).all()
        and ((rest % 100 >= 1) & (rest % 100 <= 12)).all()
    )
    return bool(inside and (day >= 1).all() and (day <= 31).all())


def _calendar_parts(table: Table, reserved: dict[int, str]) -> dict[str, int] | None:
    aliases = {
        "year": "year",
        "yr": "year",
        "month": "month",
        "mon": "month",
        "mo": "month",
        "day": "day",
        "hour": "hour",
        "minute": "minute",
    }
    found: dict[str, int] = {}
    for index, column in enumerate(table.columns[:200]):
        part = aliases.get(column.name.casefold())
        if part and index not in reserved and column.kind == "number":
            found.setdefault(part, index)
    return found if {"year", "month"} <= found.keys() else None


def _parts_axis(table: Table, parts: dict[str, int], options: Options) -> Axis:
    values = {p: table.columns[i].values for p, i in parts.items()}
    finite = np.isfinite(np.column_stack(list(values.values()))).all(axis=1)
    number = {p: np.where(finite, v, 1).astype(int) for p, v in values.items()}
    month, day = number["month"], number.get("day", np.ones(table.n_rows, int))
    good = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidInput(
            f"Row {row + 1} has month {month[row]} and day {day[row]}. A month is 1 to 12 and a "
            f"day "
            "1 to 31; correct the row, or name another column with time=..."
        )
    dates = ((number["year"] - 1970) * 12 + month - 1).astype("M8[M]").astype("M8[us]")
    dates = dates + (day - 1).astype("m8[D]")
    dates = dates + number.get("hour", 0 * day).astype("m8[h]")
    dates = dates + number.get("minute", 0 * day).astype("m8[m]")
    dates[~finite] = np.datetime64("NaT")
    name = " + ".join(table.columns[i].name for i in parts.values())
    return _dates_axis(dates, tuple(parts.values()), name, options, [])


def _date_and_clock(table: Table, named: list[int]) -> Any:
    """An axis from a column of dates beside a column of times of day, if there is such a pair."""
    pair = {table.columns[i].name.casefold(): i for i in named if table.columns[i].kind == "text"}
    if not {"date", "time"} <= pair.keys():
        return None
    date, time = table.columns[pair["date"]], table.columns[pair["time"]]
    seconds = clock.clock_times(time.values.tolist())
    if seconds is None:
        return None

    def build(options: Options) -> Axis:
        dates, bad, _ = clock.parse_dates(date.values.tolist(), date.name)
        if bad:
            raise clock.impossible(date.values.tolist(), bad, date.name)
        lost = np.isnan(seconds)
        dates = dates + (np.where(lost, 0, seconds) * 1e6).astype("m8[us]")
        dates[lost] = np.datetime64("NaT")
        used = (pair["date"], pair["time"])
        return _dates_axis(dates, used, f"{date.name} + {time.name}", options, [])

    return build


def too_much_text(column: Column) -> InvalidInput:
    """The error for a column in which text is more than a slip."""
    return InvalidInput(
        f"The column {shown(column.name)} holds text in {column.n_bad} of {len(column.values)} "
        f"rows "
        f"(rows {rows_text(column.bad_rows)}; such as {shown(column.example)}). A column is "
        f"numbers; "
        "clear those cells, or choose other columns with columns=..."
    )
