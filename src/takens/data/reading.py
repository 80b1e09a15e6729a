"""The front door for files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from takens.core import Finding, InvalidInput, Recording, TakensError
from takens.data.assemble import assemble
from takens.data.audit import audit
from takens.data.options import Options, checked_dt
from takens.data.table import Table, shown


def read(
    path: str | Path,
    *,
    time: str | None = None,
    columns: str | Sequence[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    group: str | None = None,
    dt: float | None = None,
    time_unit: str | None = None,
    max_columns: int | None = None,
) -> Recording:
    """Read measurements from a file, and say what was found in it.

    Delimited text (any usual separator and encoding, decimal comma, comments, gz, bz2, xz, zip),
    month tables, NumPy, Parquet, Excel, MATLAB, HDF5, NetCDF and Zarr. Time is the column named
    by `time`; otherwise one that is called time, date, year and the like, or holds dates;
    otherwise the row number. It is never guessed from the shape of the data.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of a Zarr store.
    time : str, optional
        The time column (for NetCDF and Zarr: the dimension), or ``"row"`` to number the rows.
    columns, inputs : str or sequence of str, optional
        Observed columns (default: every column of numbers that is left) and external drivers.
    group : str, optional
        A column of labels; rows with one label form one record.
    dt : float, optional
        Time step where there is no time column (default 1).
    time_unit : str, optional
        Unit of time to use: dates are turned into it, a known unit in the header is converted, and
        otherwise it names the unit.
    max_columns : int, optional
        Refuse a wider table before its columns are looked at, unless `columns` chooses some.

    Returns
    -------
    Recording
        One `Trajectory` per record, with `findings` that say what was noticed and done.

    Raises
    ------
    InvalidInput
        If the file cannot be read as a table of numbers, or an option does not fit it.
    MissingDependency
        If the format needs a library that is not installed.

    Notes
    -----
    Reading establishes nothing about the system: outliers, saturation and missing codes are
    reported, not removed. Two million rows of plain numbers take a few seconds.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "pendulum.csv"
    >>> _ = path.write_text("time [s];angle [rad]\\n0,0;0,10\\n0,1;0,08\\n0,2;0,03\\n")
    >>> recording = read(path)
    >>> recording.names, recording.units, recording.time_unit, recording.n_samples
    (('angle',), ('rad',), 's', 3)
    """
    from takens.data.formats import table_of

    options = Options(
        time=time,
        columns=_names(columns, "columns"),
        inputs=_names(inputs, "inputs") or (),
        group=group,
        dt=checked_dt(dt),
        time_unit=time_unit,
        max_columns=max_columns,
    )
    place = existing(path)
    try:
        table = table_of(place, options)
    except TakensError:
        raise
    except MemoryError:
        raise InvalidInput(
            f"{shown(place.name)} does not fit into memory. Read fewer columns, or split the file."
        ) from None
    except OSError as error:
        raise InvalidInput(
            f"{shown(place.name)} could not be read ({error.strerror or type(error).__name__}). "
            "Check that the file is complete and that you may read it."
        ) from None
    options.check_width(len(table.columns))
    return finished(table, options, source=place.name, digest=_digest(place), given=path)


def finished(
    table: Table, options: Options, *, source: str, digest: str, given: Any = None
) -> Recording:
    """The audited recording of a table."""
    records, findings = assemble(table, options)
    settings = {
        key: value
        for key, value in (
            ("time", options.time),
            ("columns", options.columns),
            ("inputs", options.inputs or None),
            ("group", options.group),
            ("dt", options.dt),
            ("time_unit", options.time_unit),
        )
        if value is not None
    }
    return audit(
        Recording(
            records=records,
            findings=tuple(_once(findings)),
            source=source,
            digest=digest,
            settings=settings,
        )
    )


def existing(path: Any) -> Path:
    """`path` when there is something to read, with a clear error when there is not."""
    text = str(path)
    if "\x00" in text or not text.strip():
        raise InvalidInput(f"{shown(text)} is not a file name. Give the path of a file.")
    if "://" in text:
        raise InvalidInput(f"{shown(text)} is a web address. Download the file and give its path.")
    place = Path(path).expanduser()
    try:
        if place.exists():
            return place
        broken = place.is_symlink()
    except OSError as error:
        raise InvalidInput(
            f"{shown(text)} cannot be used as a path ({error.strerror}). Give the path of a file."
        ) from None
    if broken:
        raise InvalidInput(f"{shown(text)} is a link to a file that is not there. Mend the link.")
    raise InvalidInput(f"There is no file {shown(text, 200)}. Check the name and the folder.")


def _names(given: str | Sequence[str] | None, what: str) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, str):
        return (given,)
    names = tuple(given)
    if not all(isinstance(n, str) for n in names):
        raise InvalidInput(f"{what} = {shown(names)}; expected column names. Give a list of texts.")
    return names


def _once(findings: list[Finding], limit: int = 5) -> list[Finding]:
    """At most `limit` findings of one code; records in their hundreds say the same thing."""
    counts: dict[str, int] = {}
    kept = []
    for finding in findings:
        counts[finding.code] = counts.get(finding.code, 0) + 1
        if counts[finding.code] <= limit:
            kept.append(finding)
    kept += [
        Finding(code, f"The same was found {n - limit} more time(s).")
        for code, n in counts.items()
        if n > limit
    ]
    return kept


def _digest(place: Path) -> str:
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    sha = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                sha.update(chunk)
    return sha.hexdigest()
