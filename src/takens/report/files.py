"""Where a report goes: three files that never replace anything but an earlier report."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from takens.core import InvalidInput

if TYPE_CHECKING:
    from takens.report.result import Report

NAMES = ("report.html", "results.json", "results.nc")
_MARKS = {
    "report.html": b'<meta name="generator" content="takens',
    "results.json": b'"format": "takens-results"',
}


def _ours(path: Path) -> bool:
    """Whether the file was written by an earlier report."""
    if path.is_symlink() or not path.is_file():
        return False
    if path.name == "results.nc":
        import h5py

        try:
            with h5py.File(path, "r") as file:
                return bool(file.attrs.get("format", "") == "takens-results")
        except OSError:
            return False
    with path.open("rb") as file:
        return _MARKS[path.name] in file.read(4096)


def check_directory(directory: str | Path) -> None:
    """Refuse, before any work, a directory that the report may not be written into.

    Raises
    ------
    InvalidInput
        If it is a file, or holds a file of one of the report's names that is not ours.
    """
    place = Path(directory)
    if place.exists() and not place.is_dir():
        raise InvalidInput(
            f"{str(place)!r} is a file; the report needs a directory. Give another --output."
        )
    for name in NAMES:
        path = place / name
        if os.path.lexists(path) and not _ours(path):
            raise InvalidInput(
                f"{str(path)!r} exists and is not an earlier report of takens, so it is not "
                "replaced. Move it away, or give another directory."
            )


def save(report: Report, directory: Path) -> tuple[Path, ...]:
    """Write the three files; each appears whole or not at all."""
    from takens.report.archive import write_arrays
    from takens.report.page import page

    check_directory(directory)
    content = report.to_dict()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".takens-") as scratch:
            place = Path(scratch)
            (place / "report.html").write_text(page(report, content), encoding="utf-8")
            text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
            # a lone surrogate from a badly decoded name cannot be written as UTF-8
            raw = text.encode("utf-8", errors="replace")
            (place / "results.json").write_bytes(raw + b"\n")
            write_arrays(report, place / "results.nc")
            for name in NAMES:
                os.replace(place / name, directory / name)
    except OSError as error:
        raise InvalidInput(
            f"The report could not be written to {str(directory)!r} ({error.strerror or error}). "
            "Give a directory that you may write to."
        ) from error
    return tuple(directory / name for name in NAMES)
