"""One file per family of formats; each turns a path into a `Table`, chosen by content first."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from takens.core import Finding, InvalidInput
from takens.data.table import Table, shown

if TYPE_CHECKING:
    from takens.data.options import Options

LIMIT = 4 << 30  # bytes of text that are read into memory
_MAGIC = (
    (b"\x93NUMPY", "npy"),
    (b"PAR1", "parquet"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"CDF\x01", "netcdf3"),
    (b"CDF\x02", "netcdf3"),
    (b"CDF\x05", "netcdf3"),
    (b"MATLAB 7.3 MAT-file", "mat73"),
    (b"MATLAB 5.0 MAT-file", "mat"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gz"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
)
_FOREIGN = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"SQLite format 3", "an SQLite data base"),
    (b"ARROW1", "an Arrow file"),
    (b"RIFF", "a RIFF sound or video"),
)
_ENDINGS = {
    ".npy": ("npy",),
    ".npz": ("zip",),
    ".parquet": ("parquet",),
    ".pq": ("parquet",),
    ".xlsx": ("zip",),
    ".xlsm": ("zip",),
    ".xls": ("xls", "zip"),
    ".mat": ("mat", "mat73", "hdf5"),
    ".nc": ("hdf5", "netcdf3"),
    ".nc4": ("hdf5",),
    ".cdf": ("netcdf3", "hdf5"),
    ".h5": ("hdf5", "mat73"),
    ".hdf5": ("hdf5", "mat73"),
    ".zip": ("zip",),
}


def table_of(path: Path, options: Options) -> Table:
    """The table in the file or store at `path`."""
    what = shown(path.name, 80)
    if path.is_dir():
        return _folder(path, options, what)
    if not path.is_file():
        raise InvalidInput(f"{what} is not a regular file. Give a file of measurements.")
    with path.open("rb") as stream:
        head = stream.read(64)
    if not head:
        raise InvalidInput(f"{what} is empty (0 bytes). Give a file with rows of numbers.")
    for magic, name in _FOREIGN:
        if head.startswith(magic):
            raise InvalidInput(f"{what} is {name}, not measurements. Export the data as CSV.")
    kind = next((k for magic, k in _MAGIC if head.startswith(magic)), "text")
    expected = _ENDINGS.get(path.suffix.lower())
    if expected and kind not in expected:
        raise InvalidInput(
            f"{what} ends in {path.suffix.lower()} but does not hold that format (its content "
            f"looks like "
            f"{kind}). The file is damaged or wrongly named; export it again or correct the ending."
        )
    return _by_kind(path, kind, options, what)


def _by_kind(path: Path, kind: str, options: Options, what: str) -> Table:
    suffix = path.suffix.lower()
    if kind in ("text", "gz", "bz2", "xz"):
        return _text(path, kind, options, what)
    if kind in ("npy", "mat", "mat73") or (kind == "zip" and suffix == ".npz"):
        from takens.data.formats import arrays

        return arrays.read_arrays(path, kind, options, what)
    if kind == "parquet":
        from takens.data.formats import sheets

        return sheets.read_parquet(path, options, what)
    if kind == "xls" or (kind == "zip" and suffix in (".xlsx", ".xlsm", ".xls")):
        from takens.data.formats import sheets

        return sheets.read_excel(path, kind, what)
    if kind in ("netcdf3", "hdf5"):
        from takens.data.formats import arrays, gridded

        if suffix in (".mat", ".h5", ".hdf5"):
            return arrays.read_arrays(path, "hdf5", options, what)
        return gridded.read_netcdf(path, kind, options, what)
    return _zipped(path, what)


def _text(path: Path, kind: str, options: Options, what: str) -> Table:
    from takens.data.formats.text import read_text

    if kind == "text":
        if path.stat().st_size > LIMIT:
            raise _too_big(what)
        table = read_text(path.read_bytes(), what, options)
        if path.suffix.lower() in (".gz", ".bz2", ".xz"):
            note = Finding(
                "not-compressed",
                f"The file ends in {path.suffix} but is plain text.",
                "Read as text.",
            )
            return Table(columns=table.columns, findings=(note, *table.findings), time=table.time)
        return table
    import bz2
    import gzip
    import lzma

    openers: dict[str, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    try:
        with openers[kind](path, "rb") as stream:
            raw = _bounded(stream, what)
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise InvalidInput(
            f"{what} is damaged or cut short: it could not be unpacked ({error}). Copy or "
            f"download it again."
        ) from None
    return _inner(raw, what)


def _inner(raw: bytes, what: str) -> Table:
    from takens.data.formats.text import read_text

    if not raw:
        raise InvalidInput(f"{what} unpacks to nothing. Give a file with rows of numbers.")
    inside = next((k for magic, k in _MAGIC if raw.startswith(magic)), None)
    if inside == "npy":
        from takens.data.formats import arrays

        return arrays.read_npy(io.BytesIO(raw), what)
    if inside:
        raise InvalidInput(
            f"{what} holds a packed {inside} file. Unpack it first and give the file inside."
        )
    return read_text(raw, what)


def _bounded(stream: BinaryIO, what: str) -> bytes:
    parts, size = [], 0
    while chunk := stream.read(1 << 22):
        parts.append(chunk)
        size += len(chunk)
        if size > LIMIT:
            raise _too_big(what)
    return b"".join(parts)


def _too_big(what: str) -> InvalidInput:
    return InvalidInput(
        f"{what} holds more than {LIMIT >> 30} GB of text. Convert it to Parquet or NumPy, or "
        f"split it."
    )


def _zipped(path: Path, what: str) -> Table:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                n
                for n in archive.namelist()
                if not n.endswith("/") and not n.startswith("__MACOSX")
            ]
            if any(n == "[Content_Types].xml" for n in names):
                raise InvalidInput(
                    f"{what} is an office document. Give it the ending .xlsx if it is a workbook."
                )
            if len(names) != 1:
                raise InvalidInput(
                    f"{what} holds {len(names)} files. Unpack it and give the one with the data."
                )
            with archive.open(names[0]) as stream:
                raw = _bounded(stream, what)  # type: ignore[arg-type]
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise InvalidInput(
            f"{what} is a damaged or locked zip file ({error}). Copy it again, or unpack it."
        ) from None
    return _inner(raw, what)


def _folder(path: Path, options: Options, what: str) -> Table:
    if any((path / mark).exists() for mark in ("zarr.json", ".zgroup", ".zarray", ".zmetadata")):
        from takens.data.formats import gridded

        return gridded.read_zarr(path, options, what)
    raise InvalidInput(f"{what} is a folder, not a file. Give one file of it (or a Zarr store).")
