"""Where a report goes: files that never replace anything but an earlier report."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from takens.core import InvalidInput

NAMES = ("report.html", "results.json", "results.nc")
LAW_NAMES = (
    "report.html", "results.json", "law.json", "law.py", "law_sympy.py", "law.c", "law.tex",
    "law.png",
)  # fmt: skip
_MARKS = {
    "report.html": b'<meta name="generator" content="takens',
    "results.json": b'"format": "takens-',
    "law.json": b'"format": "takens.system/1"',
    "law.py": b"# Made by takens",
    "law_sympy.py": b"# Made by takens",
    "law.c": b"/* Made by takens",
    "law.tex": b"% Made by takens",
    "law.png": b"Made by takens",
}


def _ours(path: Path) -> bool:
    """Whether the file was written by an earlier report."""
    if path.is_symlink() or not path.is_file():
        return False
    if path.name == "results.nc":
        import h5py

        try:
            with h5py.File(path, "r") as file:
                return str(file.attrs.get("format", "")) in ("takens-results", "takens-training")
        except OSError:
            return False
    with path.open("rb") as file:
        return _MARKS[path.name] in file.read(4096)


def check_directory(directory: str | Path, names: tuple[str, ...] = NAMES) -> None:
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
    for name in names:
        path = place / name
        if os.path.lexists(path) and not _ours(path):
            raise InvalidInput(
                f"{str(path)!r} exists and is not an earlier report of takens, so it is not "
                "replaced. Move it away, or give another directory."
            )


def save(
    report: Any,
    directory: Path,
    page: Callable[[Any, dict[str, Any]], str],
    write_arrays: Callable[[Any, Path], Any],
) -> tuple[Path, ...]:
    """Write the three files of a report; each appears whole or not at all."""
    check_directory(directory)
    content = report.to_dict()
    return write_all(
        directory,
        {
            "report.html": lambda path: _write_text(path, page(report, content)),
            "results.json": lambda path: write_json(path, content),
            "results.nc": lambda path: write_arrays(report, path),
        },
    )


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Numbers and text as JSON."""
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
    # a lone surrogate from a badly decoded name cannot be written as UTF-8
    path.write_bytes(text.encode("utf-8", errors="replace") + b"\n")


def write_all(
    directory: Path, writers: Mapping[str, Callable[[Path], Any]], names: tuple[str, ...] = ()
) -> tuple[Path, ...]:
    """Write the files together; each appears whole or not at all.

    Parameters
    ----------
    directory : Path
        Made when missing.
    writers : mapping of str to callable
        For each name what writes it to a path.
    names : tuple of str
        Files of an earlier report that are removed where they are not written anew.

    Returns
    -------
    tuple of Path

    Raises
    ------
    InvalidInput
        If the directory cannot be written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".takens-") as scratch:
            place = Path(scratch)
            for name, write in writers.items():
                write(place / name)
            for name in writers:
                os.replace(place / name, directory / name)
        for name in names:
            if name not in writers:
                (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"The report could not be written to {str(directory)!r} ({error.strerror or error}). "
            "Give a directory that you may write to."
        ) from error
    return tuple(directory / name for name in writers)
