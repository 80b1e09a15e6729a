"""From a table to records: which column is time, what is missing, one record per group."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput, Trajectory
from takens.data import clock
from takens.data.table import MISSING, Column, Table, listed, rows_text, shown

TIME_NAMES = frozenset(
    ["time", "times", "t", "date", "dates", "datetime", "date_time", "date-time", "timestamp", "time_stamp", "year", "years", "yr", "decimal_year", "decyear", "epoch", "unixtime", "unix_time", "elapsed", "elapsed_time", "valid_time"]
) | {"date time"}
COUNTERS = frozenset(["index", "idx", "step", "frame", "sample"])
ABSURD = 1e75  # beyond it the fourth power of a value overflows


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The reading options as given."""

    time: str | None = None
    columns: tuple[str, ...] | None = None
    inputs: tuple[str, ...] = ()
    group: str | None = None
    dt: float | None = None
    time_unit: str | None = None


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Axis:
    times: np.ndarray
    unit: str
    used: tuple[int, ...]
    findings: tuple[Finding, ...]


def checked_dt(dt: Any) -> float | None:
    """`dt` as a positive number, or None when it was not given."""
    if dt is None:
        return None
    try:
        step = float(dt)
    except (TypeError, ValueError):
        step = float("nan")
    if not (np.isfinite(step) and step > 0):
        raise InvalidInput(
            f"dt = {shown(dt)}; the time step must be a positive number. Give dt > 0."
        )
    return step


def assemble(table: Table, options: Options) -> tuple[tuple[Trajectory, ...], list[Finding]]:
    """Records and findings of `table` under `options`."""
    if not table.columns:
        raise InvalidInput("No column was found. Give a file with at least one column of numbers.")
    if table.n_rows == 0:
        raise InvalidInput(
            "There is a header but no row of data. Give a file with rows of numbers."
        )
    findings = list(table.findings)
    roles = _Roles(table, options)
    axis = _time_axis(table, options, roles.reserved)
    findings += axis.findings
    states, inputs = roles.split(axis.used, findings)
    values, units = _matrix(states, findings)
    drivers, _ = _matrix(inputs, findings) if inputs else (None, ())
    records = []
    for label, rows in _groups(table, roles.group, findings):
        records.append(
            _record(
                axis.times[rows],
                values[rows],
                None if drivers is None else drivers[rows],
                label,
                findings,
                names=tuple(c.name for c in states),
                units=units,
                input_names=tuple(c.name for c in inputs),
                time_unit=axis.unit,
            )
        )
    _agree_dt(records, options, axis, findings)
    return tuple(records), findings


class _Roles:
    """Which columns are states, inputs and the group label."""

    def __init__(self, table: Table, options: Options) -> None:
        self.table, self.options = table, options
        self.group = None if options.group is None else table.find(options.group, "group")
        self.inputs = [table.find(name, "inputs") for name in options.inputs]
        given = options.columns
        self.states = None if given is None else [table.find(name, "columns") for name in given]
        if self.states is not None and not self.states:
            raise InvalidInput(
                "columns is empty. Name at least one column, or leave the option out."
            )
        for what, chosen in (("columns", self.states or []), ("inputs", self.inputs)):
            if len(set(chosen)) < len(chosen):
                raise InvalidInput(f"{what} names a column twice. Name each column once.")
        both = set(self.inputs) & set(self.states or [])
        if both:
            raise InvalidInput(
                f"The column {shown(table.columns[both.pop()].name)} is named in both columns and "
                "inputs. A column has one role; name it in one of them."
            )
        if self.group is not None and self.group in {*self.inputs, *(self.states or [])}:
            raise InvalidInput(
                f"The column {shown(table.columns[self.group].name)} is the group and also a column "
                "or an input. A column has one role; choose one."
            )

    @property
    def reserved(self) -> dict[int, str]:
        taken = dict.fromkeys(self.inputs, "inputs") | dict.fromkeys(self.states or [], "columns")
        return taken if self.group is None else taken | {self.group: "group"}

    def split(
        self, used: tuple[int, ...], findings: list[Finding]
    ) -> tuple[list[Column], list[Column]]:
        columns = self.table.columns
        if self.states is not None:
            return [columns[i] for i in self.states], [columns[i] for i in self.inputs]
        rest = [i for i in range(len(columns)) if i not in {*used, *self.inputs, self.group}]
        text = [columns[i].name for i in rest if columns[i].kind == "text"]
        dates = [columns[i].name for i in rest if columns[i].kind == "date"]
        states = [columns[i] for i in rest if columns[i].kind == "number"]
        if text or dates:
            kind = "text" if text else "dates"
            findings.append(
                Finding("text-columns", f"{len(text) + len(dates)} column(s) hold {kind}, not numbers: "
                        f"{listed(text + dates, 5)}.", "Left out.", "note")
            )  # fmt: skip
        if not states:
            raise InvalidInput(
                f"No column of numbers was found beside time and labels; there are: "
                f"{listed([c.name for c in columns])}. Give at least one column of numbers."
            )
        return states, [columns[i] for i in self.inputs]


def _time_axis(table: Table, options: Options, reserved: dict[int, str]) -> _Axis:
    columns = table.columns
    given = options.time if options.time is not None else (table.time or None)
    if given == "row":
        return _row_axis(table.n_rows, options, "Rows were numbered, as asked.")
    if given is not None:
        index = table.find(given, "time")
        if index in reserved:
            raise InvalidInput(
                f"The column {shown(columns[index].name)} is named as time and in {reserved[index]}. "
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
            columns[i].name.casefold() in COUNTERS and columns[i].kind == "number"
            and table.n_rows > 1 and bool((np.diff(values) > 0).all())
        ):  # fmt: skip
            return _column_axis(table, i, options)
    return _row_axis(
        table.n_rows, options, "No column is recognised as time, so rows were numbered."
    )


def _row_axis(n_rows: int, options: Options, why: str) -> _Axis:
    dt = options.dt or 1.0
    unit = clock.canonical_unit(options.time_unit) or options.time_unit or "1"
    said = f"with a step of {dt:g}" + ("" if unit == "1" else f" {unit}")
    hint = "" if options.dt else " Give dt and time_unit, or name the time column."
    note = Finding("no-time-column", f"{why}", f"Time is the row number {said}.{hint}", "note")
    return _Axis(times=np.arange(n_rows) * dt, unit=unit, used=(), findings=(note,))


def _is_dated(column: Column) -> bool:
    if column.kind == "text":
        sample = [c for c in column.values[:200].tolist() if c.strip().casefold() not in MISSING]
        return bool(sample) and sum(map(clock.looks_like_date, sample)) > 0.5 * len(sample)
    return column.kind == "date"


def _column_axis(table: Table, index: int, options: Options) -> _Axis:
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
                Finding("impossible-dates", f"{len(bad)} cell(s) of {shown(column.name)} are not "
                        f"possible dates (rows {rows_text(bad)}; such as {shown(cells[bad[0]])}).",
                        "Those rows were left out.")
            )  # fmt: skip
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
) -> _Axis:
    if np.isnat(dates).all():
        raise InvalidInput(
            f"The time column {shown(name)} holds no date. Name another one with time=..., "
            "or number the rows with time='row'."
        )
    times, unit, said = clock.date_axis(dates, options.time_unit)
    findings.append(
        Finding("time-axis", f"Time was read from {shown(name)} as dates.", said, "note")
    )
    return _Axis(times=times, unit=unit, used=used, findings=tuple(findings))


def _clock_axis(seconds: np.ndarray, column: Column, index: int, options: Options) -> _Axis:
    backwards = np.diff(seconds, prepend=seconds[0]) < -43200  # past midnight
    seconds = seconds + 86400.0 * np.cumsum(backwards)
    unit = clock.canonical_unit(options.time_unit) or "s"
    note = Finding("time-axis", f"Time was read from {shown(column.name)} as time of day.",
                   f"Time since midnight in {unit}; {int(backwards.sum())} midnight(s) passed.", "note")  # fmt: skip
    return _Axis(times=seconds / clock.SECONDS[unit], unit=unit, used=(index,), findings=(note,))


def _numeric_axis(column: Column, index: int, options: Options) -> _Axis:
    values, name, findings = column.values, column.name.casefold(), []
    if column.n_bad > max(3, 0.01 * len(values)):
        raise _too_much_text(column)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise InvalidInput(
            f"The time column {shown(column.name)} holds no number. Name another one with time=..., "
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
        power = next((p for p, low in ((1e-9, 1e17), (1e-6, 1e14), (1e-3, 1e11), (1.0, 1e8))
                      if (abs(finite) >= low).all()), None)  # fmt: skip
        if power is not None and own is None and (name != "time" or whole):
            values, own = (values - finite.min()) * power, "s"
            findings.append(Finding("epoch-times", f"{shown(column.name)} holds seconds since 1970 "
                                    f"in units of {power:g} s.", "Time since the first row in s.", "note"))  # fmt: skip
    if name in ("year", "years", "yr", "decimal_year", "decyear"):
        own = own or "y"
    unit = own or column.unit or "1"
    wanted = clock.canonical_unit(options.time_unit) or options.time_unit
    if wanted and own and wanted in clock.SECONDS and wanted != own:
        values, unit = values * (clock.SECONDS[own] / clock.SECONDS[wanted]), wanted
        findings.append(Finding("time-unit", f"{shown(column.name)} is in {own}.", f"Turned into {wanted}.", "note"))  # fmt: skip
    elif wanted:
        unit = wanted
    findings.append(Finding("time-axis", f"Time was read from the column {shown(column.name)}.",
                            f"Its unit is {unit}." if unit != "1" else "Its unit is unknown; give time_unit.", "note"))  # fmt: skip
    return _Axis(times=values.astype(float), unit=unit, used=(index,), findings=tuple(findings))


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
    aliases = {"year": "year", "yr": "year", "month": "month", "mon": "month", "mo": "month",
               "day": "day", "hour": "hour", "minute": "minute"}  # fmt: skip
    found: dict[str, int] = {}
    for index, column in enumerate(table.columns[:200]):
        part = aliases.get(column.name.casefold())
        if part and index not in reserved and column.kind == "number":
            found.setdefault(part, index)
    return found if {"year", "month"} <= found.keys() else None


def _parts_axis(table: Table, parts: dict[str, int], options: Options) -> _Axis:
    values = {p: table.columns[i].values for p, i in parts.items()}
    finite = np.isfinite(np.column_stack(list(values.values()))).all(axis=1)
    number = {p: np.where(finite, v, 1).astype(int) for p, v in values.items()}
    month, day = number["month"], number.get("day", np.ones(table.n_rows, int))
    good = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidInput(
            f"Row {row + 1} has month {month[row]} and day {day[row]}. A month is 1 to 12 and a day "
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

    def build(options: Options) -> _Axis:
        dates, bad, _ = clock.parse_dates(date.values.tolist(), date.name)
        if bad:
            raise clock.impossible(date.values.tolist(), bad, date.name)
        lost = np.isnan(seconds)
        dates = dates + (np.where(lost, 0, seconds) * 1e6).astype("m8[us]")
        dates[lost] = np.datetime64("NaT")
        used = (pair["date"], pair["time"])
        return _dates_axis(dates, used, f"{date.name} + {time.name}", options, [])

    return build


def _too_much_text(column: Column) -> InvalidInput:
    return InvalidInput(
        f"The column {shown(column.name)} holds text in {column.n_bad} of {len(column.values)} rows "
        f"(rows {rows_text(column.bad_rows)}; such as {shown(column.example)}). A column is numbers; "
        "clear those cells, or choose other columns with columns=..."
    )


def _matrix(columns: list[Column], findings: list[Finding]) -> tuple[np.ndarray, tuple[str, ...]]:
    """The numbers of `columns` as one array, with what had to be treated as missing."""
    for column in columns:
        if column.kind != "number":
            example = next((v for v in column.values.tolist() if str(v).strip()), "")
            raise InvalidInput(
                f"The column {shown(column.name)} holds {column.kind}, such as {shown(example)}, not "
                "numbers. Choose a column of numbers."
            )
        if column.n_bad > max(3, 0.01 * len(column.values)) or column.n_bad >= 0.2 * len(
            column.values
        ):
            raise _too_much_text(column)
        if column.n_bad:
            findings.append(
                Finding("text-cells", f"The column {shown(column.name)} holds text in {column.n_bad} "
                        f"row(s) ({rows_text(column.bad_rows)}; such as {shown(column.example)}).",
                        "Treated as missing.")
            )  # fmt: skip
    values = np.column_stack([c.values for c in columns]).astype(float, copy=False)
    found = finite_values(values, tuple(c.name for c in columns))
    findings += found[1]
    return found[0], tuple(c.unit for c in columns)


def finite_values(values: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, list[Finding]]:
    """`values` with infinite and absurdly large entries marked as missing, and what was found."""
    findings: list[Finding] = []
    size = np.abs(values)
    infinite = np.isinf(values)
    huge = (size > ABSURD) & ~infinite
    if not (infinite.any() or huge.any()):
        return values, findings
    for mask, code, what in (
        (infinite, "infinite-values", "infinite"),
        (
            huge,
            "absurd-values",
            f"beyond 1e75 (largest {size[huge].max() if huge.any() else 0:.3g})",
        ),
    ):
        if not mask.any():
            continue
        where = [names[i] if i < len(names) else f"x{i}" for i in np.flatnonzero(mask.any(axis=0))]
        share = mask[:, mask.any(axis=0)].mean(axis=0).max()
        if share > 0.5 or (mask is huge and share > 0.05):
            raise InvalidInput(
                f"{share:.0%} of the values of {listed(where, 3)} are {what}. Numbers of that size "
                "cannot be squared; mark them as missing, or rescale the column."
            )
        findings.append(Finding(code, f"{int(mask.sum())} value(s) are {what}: {listed(where, 3)}.",
                                "Treated as missing.", "caution"))  # fmt: skip
    return np.where(infinite | huge, np.nan, values), findings


def _groups(
    table: Table, group: int | None, findings: list[Finding]
) -> list[tuple[str, np.ndarray]]:
    if group is None:
        return [("", np.arange(table.n_rows))]
    values = table.columns[group].values
    if table.columns[group].kind == "number":
        texts = np.array(["" if np.isnan(v) else f"{v:g}" for v in values], dtype=object)
    else:
        texts = np.array([str(v).strip() for v in values.tolist()], dtype=object)
    labels, inverse = np.unique(texts.astype(str), return_inverse=True)
    lost = int((texts == "").sum())
    if lost:
        findings.append(
            Finding("no-group", f"{lost} row(s) have no label in the group column.", "Left out.")
        )
    if len(labels) > max(50, 0.5 * table.n_rows):
        raise InvalidInput(
            f"The group column {shown(table.columns[group].name)} has {len(labels)} different values in "
            f"{table.n_rows} rows. A group is a record of many rows; choose another column."
        )
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse, minlength=len(labels)))[:-1])
    kept = [(str(name), rows) for name, rows in zip(labels, parts, strict=True) if name]
    kept.sort(key=lambda item: int(item[1][0]))  # in the order of the file
    if not kept:
        raise InvalidInput("No row has a label in the group column. Choose another column.")
    return kept


def _record(
    times: np.ndarray,
    states: np.ndarray,
    inputs: np.ndarray | None,
    label: str,
    findings: list[Finding],
    **labels: Any,
) -> Trajectory:
    of = f" of record {shown(label)}" if label else ""
    both = states if inputs is None else np.hstack([states, inputs])
    lost = ~np.isfinite(times)
    if lost.all():
        raise InvalidInput(f"No row{of} has a time. Name another column with time=...")
    if lost.any():
        findings.append(
            Finding("missing-times", f"{int(lost.sum())} row(s){of} have no time.", "Left out.")
        )
        times, both = times[~lost], both[~lost]
    steps = np.diff(times)
    if (steps < 0).any():
        backward = int((steps < 0).sum())
        reverse = bool((steps <= 0).all())
        text = (
            f"Time runs backwards{of}." if reverse else f"Time steps back {backward} time(s){of}."
        )
        findings.append(Finding("unsorted-times", text, "Rows were sorted by time.", "note" if reverse else "caution"))  # fmt: skip
        order = np.argsort(times, kind="stable")
        times, both = times[order], both[order]
    if len(times) > 1 and (np.diff(times) == 0).any():
        times, both = _merged(times, both, of, findings)
    dim = states.shape[1]
    return Trajectory(
        times=times, states=both[:, :dim], inputs=None if inputs is None else both[:, dim:],
        label=label, **labels,
    )  # fmt: skip


def _merged(
    times: np.ndarray, values: np.ndarray, of: str, findings: list[Finding]
) -> tuple[np.ndarray, np.ndarray]:
    """One row per time: identical rows merged, conflicting rows averaged."""
    first = np.concatenate([[True], np.diff(times) > 0])
    n_times, n_rows = int(first.sum()), len(times)
    if n_times < 0.5 * n_rows:
        raise InvalidInput(
            f"{n_rows} rows{of} share only {n_times} different times. Several records seem to be stacked: "
            "say which column tells them apart with group=..., or name another time column."
        )
    starts = np.flatnonzero(first)
    finite = np.isfinite(values)
    total = np.add.reduceat(np.where(finite, values, 0.0), starts, axis=0)
    count = np.add.reduceat(finite, starts, axis=0, dtype=int)
    low = np.minimum.reduceat(np.where(finite, values, np.inf), starts, axis=0)
    high = np.maximum.reduceat(np.where(finite, values, -np.inf), starts, axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    mean = np.where(low == high, low, mean)
    conflict = int(((high > low).any(axis=1)).sum())
    repeats = n_rows - n_times
    text = f"{repeats} row(s){of} repeat a time" + (
        f", {conflict} time(s) with different values." if conflict else "."
    )
    action = (
        "Conflicting rows were averaged, identical ones merged."
        if conflict
        else "Identical rows were merged."
    )
    level = "serious" if conflict > 0.01 * n_times else "caution"
    findings.append(Finding("duplicate-times", text, action, level))  # type: ignore[arg-type]
    return times[starts], mean


def _agree_dt(
    records: list[Trajectory], options: Options, axis: _Axis, findings: list[Finding]
) -> None:
    """A step given beside a time column must be the column's own."""
    if options.dt is None or not axis.used:
        return
    steps = np.concatenate([np.diff(r.times) for r in records])
    own = float(np.median(steps)) if steps.size else float("nan")
    if not abs(own - options.dt) <= 0.01 * options.dt:
        raise InvalidInput(
            f"dt = {options.dt:g} was given, but the time column has a median step of {own:.6g} {axis.unit}. "
            "One of them must go: leave dt out, or number the rows with time='row'."
        )
    findings.append(Finding("dt-agrees", f"dt = {options.dt:g} agrees with the time column.", "The column was used.", "note"))  # fmt: skip
