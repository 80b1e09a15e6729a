"""Logs of training as other tools write them: names of many kinds, gaps, text, restarts."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from takens.algorithms.recording import SUFFIXES, TrainingRun, read_run
from takens.core import Finding, InvalidInput

NAMES = {  # after lower case and with one underscore for every other sign
    "step": ("step", "global_step", "train_global_step", "iteration", "iter", "update", "batch_idx",
             "epoch"),
    "loss": ("loss", "train_loss", "training_loss", "loss_train", "train_train_loss", "objective", "value"),
    "gradient_norm": ("gradient_norm", "grad_norm", "gnorm", "train_grad_norm", "train_gradient_norm"),
    "validation": ("val_loss", "validation_loss", "valid_loss", "eval_loss", "loss_val", "test_loss"),
    "learning_rate": ("learning_rate", "lr", "train_learning_rate", "train_lr"),
}  # fmt: skip
NOTHING = {"", "none", "null", "na", "n/a", "-", "--"}
MOST_TEXT = 0.5  # share of the losses that may be text


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainingLog:
    """A run, and what else its file holds.

    Parameters
    ----------
    run : TrainingRun
    learning_rate : array, shape (row,), or None
        NaN where nothing stands.
    validation : array, shape (2, entry), or None
        Steps and losses on data held out.
    findings : tuple of Finding
    """

    run: TrainingRun
    learning_rate: np.ndarray | None = None
    validation: np.ndarray | None = None
    findings: tuple[Finding, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Column:
    """Numbers, where none stands, and how many entries were text."""

    values: np.ndarray
    missing: np.ndarray
    n_text: int


def read_log(path: str | Path) -> TrainingLog:
    """Read the log of a run, of this package or of another tool.

    Columns are known by usual names, such as ``train/loss``, ``grad_norm``, ``lr``, ``val_loss`` and
    ``global_step``; a loss there must be, everything else may be missing. Where steps go back to the first,
    only the last run is kept; where they go back on the way, rows that were made again replace the earlier
    ones; where they repeat, rows are counted instead.

    Raises
    ------
    InvalidInput
        If the file cannot be read, or has no loss.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES or not path.is_file() or path.suffix == ".npz":
        return TrainingLog(run=read_run(path))
    table = _columns(path)
    roles = _roles(table)
    if "loss" not in roles:
        raise InvalidInput(
            f"{path.name} has the columns {_some(table)}; none of them is a loss. Call one 'loss'."
        )
    shadows = sorted(
        (k for k in table if k.startswith("projection") and k[10:].isdigit()),
        key=lambda k: int(k[10:]),
    )
    found: list[Finding] = []
    columns = {}
    for name in [*roles.values(), *shadows]:
        column = columns[name] = _numbers(table[name])
        if column.n_text:
            found.append(
                Finding("text-for-numbers", f"{column.n_text} entries of {_shown(name)} are text.",
                        "They count as missing.")
            )  # fmt: skip
    loss = columns[roles["loss"]]
    if loss.n_text > MOST_TEXT * len(loss.values):
        raise InvalidInput(
            f"Column {_shown(roles['loss'])} of {path.name} is text in {loss.n_text} rows of "
            f"{len(loss.values)}; the loss must be a number."
        )
    if loss.missing.all():
        raise InvalidInput(f"Column {_shown(roles['loss'])} of {path.name} is empty.")
    steps = columns[roles["step"]] if "step" in roles else None
    order = _order(steps, len(loss.values), _shown(roles.get("step", "")), found)
    return _arranged(columns, roles, shadows, order, found)


def _arranged(
    columns: dict[str, _Column],
    roles: dict[str, str],
    shadows: list[str],
    order: tuple[np.ndarray, np.ndarray],
    found: list[Finding],
) -> TrainingLog:
    """The rows that have a loss, in the order of their steps."""
    steps, rows = order
    with_loss = ~columns[roles["loss"]].missing[rows]
    steps, kept = steps[with_loss], rows[with_loss]

    def of(role: str) -> np.ndarray | None:
        if role not in roles or columns[roles[role]].missing[kept].all():
            return None
        return columns[roles[role]].values[kept]

    loss, gradient, rates = of("loss"), of("gradient_norm"), of("learning_rate")
    assert loss is not None  # its column was looked at before
    validation = None
    if "validation" in roles:
        values = columns[roles["validation"]].values[rows]
        there = np.isfinite(values)
        validation = np.stack([order[0][there], values[there]]) if there.any() else None
    projections = np.stack([columns[k].values for k in shadows], axis=1)[kept] if shadows else None
    if projections is not None and any(columns[k].missing[kept].any() for k in shadows):
        found.append(Finding("missing-projections", "Projections are missing in some rows.",
                             "They are left out, which needs all of them."))  # fmt: skip
        projections = None
    settings: dict[str, Any] = {}
    if rates is not None:
        told = rates[np.isfinite(rates)]
        if len(told) and np.ptp(told) <= 1e-9 * np.abs(told).max():
            settings["learning_rate"] = float(told[-1])
        elif len(told):
            found.extend(_schedule(told))
    run = TrainingRun(steps=steps, loss=loss, gradient_norm=gradient, projections=projections,
                      settings=settings)  # fmt: skip
    return TrainingLog(run=run, learning_rate=rates, validation=validation, findings=tuple(found))


def _schedule(rates: np.ndarray) -> list[Finding]:
    """What a changing learning rate does to a verdict."""
    late = rates[len(rates) // 2 :]
    low, high = float(late.min()), float(late.max())
    if high <= 1.1 * low:
        return []
    return [
        Finding("schedule", f"The learning rate goes from {late[0]:.3g} to {late[-1]:.3g} over the last half.",
                "Thresholds move with it, and steps that shrink with it need not mean that the run settles.",
                "serious" if late[-1] < 0.5 * late[0] else "caution")
    ]  # fmt: skip


def _order(
    column: _Column | None, n: int, name: str, found: list[Finding]
) -> tuple[np.ndarray, np.ndarray]:
    """Steps that increase, and the rows that they belong to."""
    rows = np.arange(n)
    if column is None:
        return rows.astype(float), rows
    known = np.isfinite(column.values)
    if not known.all():
        found.append(Finding("rows-without-step", f"{int((~known).sum())} rows have no {name}.",
                             "They are left out."))  # fmt: skip
        rows = rows[known]
    steps = column.values[rows]
    if len(rows) < 2:
        return steps, rows
    same = int((np.diff(steps) == 0).sum())
    if same > 0.2 * len(rows):
        found.append(Finding("steps-repeat", f"{name} is the same in {same} rows as in the row before.",
                             "Rows are counted instead.", "note"))  # fmt: skip
        return np.arange(len(rows), dtype=float), rows
    return _resumed(steps, rows, found)


def _resumed(
    steps: np.ndarray, rows: np.ndarray, found: list[Finding]
) -> tuple[np.ndarray, np.ndarray]:
    """Runs that begin anew, and rows that a run made again from a saved state."""
    anew = np.flatnonzero((np.diff(steps) < 0) & (steps[1:] <= steps[0])) + 1
    if len(anew):
        found.append(Finding("several-runs", f"The steps begin anew {len(anew)} times.",
                             "Only the last run is looked at.", "serious"))  # fmt: skip
        steps, rows = steps[anew[-1] :], rows[anew[-1] :]
    later = np.minimum.accumulate(steps[::-1])[::-1]  # least step from here on
    keep = np.append(steps[:-1] < later[1:], True)
    if not keep.all():
        back = int((np.diff(steps) < 0).sum())
        said = (
            f"The steps go back {back} times, as where a run is resumed."
            if back
            else f"{int((~keep).sum())} steps stand twice."
        )
        found.append(Finding("rows-made-again", said, "The later rows are kept."))
    return steps[keep], rows[keep]


def _columns(path: Path) -> dict[str, list[Any]]:
    """Cells by column; names with their first spelling."""
    rows = _csv_rows(path) if path.suffix == ".csv" else _json_rows(path)
    names = [name for name in next(rows, []) if isinstance(name, str)]
    table: dict[str, list[Any]] = {name: [] for name in names}
    count = 0
    for row in rows:
        for name, cell in row.items():
            if name not in table:
                table[name] = [None] * count
            table[name].append(cell)
        count += 1
        for cells in table.values():
            if len(cells) < count:
                cells.append(None)
    if not count:
        raise InvalidInput(f"{path.name} has no rows.")
    return table


def _csv_rows(path: Path) -> Iterator[Any]:
    """First the names, then a mapping for each row."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        first = file.readline()
        delimiter = max(",;\t", key=first.count)
        file.seek(0)
        try:
            reader = csv.reader((line.replace("\0", "") for line in file), delimiter=delimiter)
            names = [name.strip() for name in next(reader, [])]
            yield names
            for cells in reader:
                if (
                    any(cell.strip() for cell in cells) and cells != names
                ):  # some tools repeat the head
                    yield dict(zip(names, cells, strict=False))
        except csv.Error as error:
            raise InvalidInput(f"{path.name} is no table: {error}") from None


def _json_rows(path: Path) -> Iterator[Any]:
    yield []
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InvalidInput(f"Line {number} of {path.name} is no JSON: {error}") from None
            if not isinstance(row, dict):
                raise InvalidInput(f"Line {number} of {path.name} is no object with names.")
            yield row


def _plain(name: str) -> str:
    kept = "".join(c if c.isalnum() else "_" for c in name.strip().lower())
    return "_".join(part for part in kept.split("_") if part)


def _roles(table: dict[str, list[Any]]) -> dict[str, str]:
    """Which column is what: the first of the usual names that is there."""
    plain: dict[str, str] = {}
    for name in table:
        plain.setdefault(_plain(name), name)
    roles = {}
    for role, usual in NAMES.items():
        found = [plain[u] for u in usual if u in plain]
        if found:
            roles[role] = found[0]
    return roles


def _numbers(cells: list[Any]) -> _Column:
    values, missing, n_text = np.full(len(cells), np.nan), np.zeros(len(cells), bool), 0
    for i, cell in enumerate(cells):
        if cell is None or (isinstance(cell, str) and cell.strip().lower() in NOTHING):
            missing[i] = True
            continue
        try:
            values[i] = float(cell)
        except (TypeError, ValueError, OverflowError):
            missing[i], n_text = True, n_text + 1
    return _Column(values=values, missing=missing, n_text=n_text)


def _shown(name: str) -> str:
    short = "".join(c if c.isprintable() else " " for c in name)
    return repr(short if len(short) <= 40 else short[:37] + "...")


def _some(table: dict[str, list[Any]]) -> str:
    names = [_shown(name) for name in table]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
