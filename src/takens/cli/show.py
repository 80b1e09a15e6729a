"""What the command shows in the terminal. Text from files is never read as markup."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from takens.core import Finding
    from takens.data.bundled import BundledData
    from takens.report import Discovery, Report, TrainingReport

_KIND_STYLE = {
    "chaotic": "bold magenta",
    "periodic": "bold green",
    "quasiperiodic": "bold green",
    "equilibrium": "bold green",
    "undetermined": "bold yellow",
    "nonstationary": "bold yellow",
    "converging": "bold green",
    "edge-of-stability": "bold cyan",
    "stalled": "bold yellow",
    "noise-floor": "bold yellow",
    "oscillating": "bold magenta",
    "diverging": "bold red",
}


def plain_text(text: object) -> str:
    """`text` without control characters, so that a name cannot move the cursor or ring a bell."""
    return "".join(
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in str(text)
    )


def error_block(title: str, text: str) -> None:
    """One framed message on stderr."""
    console = Console(stderr=True)
    console.print(
        Panel(Text(plain_text(text)), title=Text(title), title_align="left", border_style="red")
    )


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[float, str], None] | None]:
    """A callable for ``progress=``, drawn on stderr; None when stderr is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=1.0)

        def update(fraction: float, what: str = "") -> None:
            bar.update(task, completed=fraction, description=plain_text(what))

        yield update


def report_summary(report: Report, paths: Iterable[Path]) -> None:
    """The verdict, the numbers behind it and where the report lies."""
    _summary(Console(), report, (), paths)


def training_summary(report: TrainingReport, paths: Iterable[Path]) -> None:
    """The same of a training run, with what to do."""
    _summary(Console(), report, tuple(a.text for a in report.diagnosis.advice), paths)


def _summary(
    console: Console,
    report: Report | TrainingReport,
    advice: tuple[str, ...],
    paths: Iterable[Path],
) -> None:
    verdict = report.verdict
    head = Text()
    head.append(plain_text(verdict.kind), style=_KIND_STYLE.get(verdict.kind, "bold cyan"))
    head.append("\n" + plain_text(verdict.sentence))
    for reason in verdict.reasons:
        head.append("\n  • " + plain_text(reason), style="dim")
    for text in advice:
        head.append("\n  → " + plain_text(text))
    console.print(Panel(head, title=Text(plain_text(report.title)), title_align="left"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    for name, value in report.key_numbers():
        table.add_row(Text(plain_text(name)), Text(plain_text(value)))
    if table.row_count:
        console.print(table)
    _cautions_and_files(console, report.cautions, paths)


def _cautions_and_files(
    console: Console, cautions: Iterable[Finding], paths: Iterable[Path]
) -> None:
    serious = [finding for finding in cautions if finding.level != "note"]
    for finding in serious[:5]:
        console.print(Text("caution: " + plain_text(finding.text), style="yellow"))
    if len(serious) > 5:
        console.print(Text(f"and more cautions in the report: {len(serious) - 5}", style="yellow"))
    for path in paths:
        console.print(Text(f"wrote {plain_text(path)}"), soft_wrap=True, highlight=False)


_OUTCOME_STYLE = {"survives": "bold green", "refused": "bold yellow", "untested": "bold yellow"}


def law_summary(found: Discovery, paths: Iterable[Path]) -> None:
    """The equations, the judgement, the table of models and where everything lies."""
    console = Console()
    judged = found.judgement
    head = Text()
    head.append(plain_text(judged.sentence), style=_OUTCOME_STYLE.get(judged.outcome, "bold cyan"))
    for line in judged.law.equations if found.found else ():
        head.append("\n" + plain_text(line))
    for reason in judged.reasons:
        head.append("\n  • " + plain_text(reason), style="dim")
    console.print(Panel(head, title=Text(plain_text(found.title)), title_align="left"))
    for reason in found.choice.reasons:
        console.print(Text(plain_text(reason), style="dim"))
    rows = judged.table()
    if rows:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in rows[0]:
            table.add_column(heading, overflow="fold")
        for row in rows[1:]:
            table.add_row(*(Text(plain_text(cell)) for cell in row))
        console.print(table)
    _cautions_and_files(console, found.cautions, paths)


def catalogue_table(entries: Iterable[BundledData]) -> None:
    """One row per bundled data set."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("name", "what", "credit"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        cells = (entry.name, entry.title, entry.credit)
        table.add_row(*(Text(plain_text(cell)) for cell in cells))
    console = Console(file=sys.stdout)
    console.print(table)
    console.print(Text("Analyse one with:  takens analyse NAME"))
