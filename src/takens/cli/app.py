"""Commands and their options. The work and its display are imported when a command runs."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

import takens

USER_ERROR, DEFECT, INTERRUPTED = 2, 1, 130

# Help is set in plain text: rendering it with Rich costs three times the whole start-up.
app = typer.Typer(
    help="Takens: from measurements to a dynamical system, each answer with its error bar.",
    epilog="First steps:  takens analyse sunspots",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@contextlib.contextmanager
def _errors_as_blocks(*, debug: bool) -> Iterator[None]:
    """Turn every exception into one block on stderr and an exit code."""
    from takens.core.errors import TakensError

    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        _silence_stdout()
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        _block("Interrupted", "Stopped at your request; no report was written.")
        raise typer.Exit(INTERRUPTED) from None
    except (TakensError, OSError) as error:
        if debug:
            raise
        _block("Cannot do that", str(error) or type(error).__name__)
        raise typer.Exit(USER_ERROR) from None
    except MemoryError:
        _block("Out of memory", "Give fewer rows or columns, or use --columns to choose.")
        raise typer.Exit(USER_ERROR) from None
    except Exception as error:
        if debug:
            raise
        _block(
            "This is a defect in takens, not in your data",
            f"{type(error).__name__}: {error}\n"
            "Run the same command with --debug and report what it prints, with the version "
            f"(takens {takens.__version__}) and, if you may, the file.",
        )
        raise typer.Exit(DEFECT) from None


def _block(title: str, text: str) -> None:
    from takens.cli.show import error_block

    error_block(title, text)


def _silence_stdout() -> None:
    import os
    import sys

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _split(names: str | None) -> list[str] | None:
    """Column names between commas; quotes keep a comma inside a name."""
    if names is None:
        return None
    import csv

    return [name.strip() for name in next(csv.reader([names], skipinitialspace=True), [])]


def _stem(source: str) -> str:
    """A safe folder name from a file's or data set's name: ``a/b.csv.gz`` gives ``b``."""
    name = Path(source).name.split(".")[0] or "data"
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    return kept[:80].strip("-") or "data"


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"takens {takens.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    del version


class Kind(enum.StrEnum):
    """What equations are to be: rates of change, next values, or second derivatives."""

    flow = "flow"
    map = "map"
    second = "second-order"


def analyse(
    source: Annotated[
        str, typer.Argument(metavar="FILE_OR_NAME", help="A file, or a data set of `takens data`.")
    ],
    time: Annotated[
        str | None, typer.Option(metavar="COL", help="The column that holds the time.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B", help="The columns to analyse; all numbers if not.")
    ] = None,
    inputs: Annotated[
        str | None, typer.Option(metavar="U,V", help="Columns that are known external drivers.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="COL", help="The column that tells records apart.")
    ] = None,
    dt: Annotated[
        float | None, typer.Option(metavar="X", help="The time step, if no column holds the time.")
    ] = None,
    time_unit: Annotated[
        str | None, typer.Option("--time-unit", metavar="UNIT", help="The unit of time.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the report goes; takens-report-<name> if not."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of every random number.")] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer surrogates and settings: wider intervals.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback when something fails.")
    ] = False,
) -> None:
    """Analyse a file of measurements and write a report.

    Says what was read, what kind of motion it is and against which null hypotheses, how far ahead
    it can be predicted, and which model does so on held-out data.
    """
    with _errors_as_blocks(debug=debug):
        from takens.cli.show import progress_bar, report_summary
        from takens.report import analyse as run
        from takens.report.files import check_directory

        directory = output if output is not None else Path(f"takens-report-{_stem(source)}")
        check_directory(directory)  # before minutes of work, not after
        reading: dict[str, Any] = {
            "time": time,
            "columns": _split(columns),
            "inputs": _split(inputs),
            "group": group,
            "dt": dt,
            "time_unit": time_unit,
        }
        given = {name: value for name, value in reading.items() if value is not None}
        with progress_bar() as progress:
            report = run(source, seed=seed, quick=quick, progress=progress, **given)
            paths = report.save(directory)
        report_summary(report, paths)


app.command("analyse")(analyse)
app.command("analyze", hidden=True)(analyse)


@app.command("discover")
def discover(
    source: Annotated[
        str, typer.Argument(metavar="FILE_OR_NAME", help="A file, or a data set of `takens data`.")
    ],
    time: Annotated[
        str | None, typer.Option(metavar="COL", help="The column that holds the time.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B", help="The states; all columns of numbers if not.")
    ] = None,
    inputs: Annotated[
        str | None, typer.Option(metavar="U,V", help="Columns that are known external drivers.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(metavar="COL", help="The column that tells records apart.")
    ] = None,
    dt: Annotated[
        float | None, typer.Option(metavar="X", help="The time step, if no column holds the time.")
    ] = None,
    time_unit: Annotated[
        str | None, typer.Option("--time-unit", metavar="UNIT", help="The unit of time.")
    ] = None,
    kind: Annotated[
        Kind | None,
        typer.Option(
            help="Rates of change, next values, or second derivatives of "
            "positions; from the data if not."
        ),
    ] = None,
    degree: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=8, help="Of the polynomials; 1 to 3 compete if not."),
    ] = None,
    library: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help='More candidate terms, as "sin(x),x*y/(1+x)"; fourier for sines.'
        ),
    ] = None,
    horizon: Annotated[
        float | None,
        typer.Option(metavar="X", help="Longest lead of the forecasts, in time units."),
    ] = None,
    max_samples: Annotated[
        int, typer.Option("--max-samples", metavar="N", min=100, help="Samples that are searched.")
    ] = 5_000,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the report goes; takens-law-<name> if not."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of every random number.")] = 0,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback when something fails.")
    ] = False,
) -> None:
    """Look for equations in a file of measurements, and judge them.

    Writes the equations with error bars, how they forecast data held out beside simple models, and
    the law as JSON, Python, SymPy, C and LaTeX. That no law is supported is an answer, with the
    reason, and no error.
    """
    with _errors_as_blocks(debug=debug):
        from takens.cli.show import law_summary, progress_bar
        from takens.report import discover as run
        from takens.report.files import LAW_NAMES, check_directory
        from takens.report.law.choice import method_of

        directory = output if output is not None else Path(f"takens-law-{_stem(source)}")
        check_directory(directory, LAW_NAMES)  # before the work, not after
        reading: dict[str, Any] = {
            "time": time,
            "columns": _split(columns),
            "inputs": _split(inputs),
            "group": group,
            "dt": dt,
            "time_unit": time_unit,
            "horizon": horizon,
            "degree": degree,
            "method": None if kind is None else method_of(kind),
        }
        given = {name: value for name, value in reading.items() if value is not None}
        terms = tuple(_split(library) or ())
        with progress_bar() as progress:
            found = run(
                source, seed=seed, max_samples=max_samples, terms=terms, progress=progress, **given
            )
            paths = found.save(directory)
        law_summary(found, paths)


@app.command("training")
def training(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="The log of a run: .csv, .jsonl or .npz.")
    ],
    tol: Annotated[
        float, typer.Option(metavar="X", help="Factor for the steps to go of a run that settles.")
    ] = 1e-3,
    full_batch: Annotated[
        bool | None,
        typer.Option(
            "--full-batch/--mini-batch", help="What every step saw, if the log does not say."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the report goes; takens-training-<name> if not."),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback when something fails.")
    ] = False,
) -> None:
    """Diagnose the log of a training run and write a report.

    Says whether the run settles, trains at the edge of stability, oscillates, wanders, stands, has come to
    the noise of its batches or is lost, by which evidence, and what to do about it.
    """
    with _errors_as_blocks(debug=debug):
        from takens.cli.show import training_summary
        from takens.report.files import check_directory
        from takens.report.training import training as run

        directory = output if output is not None else Path(f"takens-training-{_stem(str(source))}")
        check_directory(directory)  # before the work, not after
        report = run(source, tol=tol, full_batch=full_batch)
        training_summary(report, report.save(directory))


@app.command("data")
def data(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback when something fails.")
    ] = False,
) -> None:
    """List the data sets that ship with the package, each with its credit."""
    with _errors_as_blocks(debug=debug):
        from takens.cli.show import catalogue_table
        from takens.data import catalogue

        catalogue_table(catalogue())
