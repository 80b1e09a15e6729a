"""From a table to records: which column is time, what is missing, one record per group."""

from __future__ import annotations

from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput, Trajectory
from takens.data.options import Options
from takens.data.table import Column, Table, listed, rows_text, shown
from takens.data.timeaxis import Axis, time_axis, too_much_text

ABSURD = 1e75  # beyond it the fourth power of a value overflows


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
    axis = time_axis(table, options, roles.reserved)
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
        self.inputs = [i for name in options.inputs for i in table.find_all(name, "inputs")]
        given = options.columns
        self.states = (
            None
            if given is None
            else [i for name in given for i in table.find_all(name, "columns")]
        )
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
                f"The column {shown(table.columns[self.group].name)} is the group and also a "
                f"column "
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
                Finding(
                    "text-columns",
                    f"{len(text) + len(dates)} column(s) hold {kind}, not numbers: "
                    f"{listed(text + dates, 5)}.",
                    "Left out.",
                    "note",
                )
            )
        if not states:
            text_cells = (c.values[0] for c in columns if c.kind == "text" and len(c.values))
            example = next(text_cells, None)
            such = "" if example is None else f", with text such as {shown(example)}"
            raise InvalidInput(
                f"No column of numbers was found beside time and labels; there are: "
                f"{listed([c.name for c in columns])}{such}. Give at least one column of numbers."
            )
        return states, [columns[i] for i in self.inputs]


def _matrix(columns: list[Column], findings: list[Finding]) -> tuple[np.ndarray, tuple[str, ...]]:
    """The numbers of `columns` as one array, with what had to be treated as missing."""
    for column in columns:
        if column.kind != "number":
            example = next((v for v in column.values.tolist() if str(v).strip()), "")
            raise InvalidInput(
                f"The column {shown(column.name)} holds {column.kind}, such as {shown(example)}, "
                f"not "
                "numbers. Choose a column of numbers."
            )
        if column.n_bad > max(3, 0.01 * len(column.values)) or column.n_bad >= 0.2 * len(
            column.values
        ):
            raise too_much_text(column)
        if column.n_bad:
            findings.append(
                Finding(
                    "text-cells",
                    f"The column {shown(column.name)} holds text in {column.n_bad} "
                    f"row(s) ({rows_text(column.bad_rows)}; such as {shown(column.example)}).",
                    "Treated as missing.",
                )
            )
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
        findings.append(
            Finding(
                code,
                f"{int(mask.sum())} value(s) are {what}: {listed(where, 3)}.",
                "Treated as missing.",
                "caution",
            )
        )
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
            f"The group column {shown(table.columns[group].name)} has {len(labels)} different "
            f"values in "
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
        findings.append(
            Finding(
                "unsorted-times",
                text,
                "Rows were sorted by time.",
                "note" if reverse else "caution",
            )
        )
        order = np.argsort(times, kind="stable")
        times, both = times[order], both[order]
    if len(times) > 1 and (np.diff(times) == 0).any():
        times, both = _merged(times, both, of, findings)
    dim = states.shape[1]
    return Trajectory(
        times=times,
        states=both[:, :dim],
        inputs=None if inputs is None else both[:, dim:],
        label=label,
        **labels,
    )


def _merged(
    times: np.ndarray, values: np.ndarray, of: str, findings: list[Finding]
) -> tuple[np.ndarray, np.ndarray]:
    """One row per time: identical rows merged, conflicting rows averaged."""
    first = np.concatenate([[True], np.diff(times) > 0])
    n_times, n_rows = int(first.sum()), len(times)
    if n_times < 0.5 * n_rows:
        raise InvalidInput(
            f"{n_rows} rows{of} share only {n_times} different times. Several records seem to be "
            f"stacked: "
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
    records: list[Trajectory], options: Options, axis: Axis, findings: list[Finding]
) -> None:
    """A step given beside a time column must be the column's own."""
    if options.dt is None or not axis.used:
        return
    steps = np.concatenate([np.diff(r.times) for r in records])
    own = float(np.median(steps)) if steps.size else float("nan")
    if not abs(own - options.dt) <= 0.01 * options.dt:
        raise InvalidInput(
            f"dt = {options.dt:g} was given, but the time column has a median step of {own:.6g} "
            f"{axis.unit}. "
            "One of them must go: leave dt out, or number the rows with time='row'."
        )
    findings.append(
        Finding(
            "dt-agrees",
            f"dt = {options.dt:g} agrees with the time column.",
            "The column was used.",
            "note",
        )
    )
