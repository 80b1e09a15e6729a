"""Files that try to break the reader, so that the command can be run over the same ones."""

from __future__ import annotations

import dataclasses
import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Case:
    """A hostile file and what an honest reader says about it.

    `outcome` is ``"error"`` (a TakensError whose message contains `says`) or ``"finding"``
    (a Recording with a finding of code `says`).
    """

    name: str
    path: Path
    outcome: str
    says: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


def _series(n: int = 60, step: float = 1.0) -> list[tuple[float, float]]:
    return [(i * step, round(float(np.sin(0.3 * i)), 6)) for i in range(n)]


def _csv(rows: list[tuple[Any, ...]], header: str = "time,x", sep: str = ",") -> str:
    return "\n".join([header, *(sep.join(map(str, r)) for r in rows)]) + "\n"


def _with(changes: dict[int, Any], n: int = 60) -> str:
    return _csv([(t, changes.get(i, x)) for i, (t, x) in enumerate(_series(n))])


def _texts() -> dict[str, tuple[str, str, str, dict[str, Any]]]:
    rows = _series()
    plain = _csv(rows)
    backwards = rows[:20] + [(t - 7.5, x) for t, x in rows[20:40]] + rows[40:]
    html = "<script>alert(1)</script>"
    return {
        "only header": ("time,x\n", "error", "no row of data", {}),
        "only spaces": (" \n \n\t\n", "error", "empty", {}),
        "only comments": ("# nothing\n# to see\n", "error", "only comments", {}),
        "one row": ("time,x\n0,1\n", "finding", "short-record", {}),
        "one number": ("42\n", "finding", "short-record", {}),
        "one cell of text": ("hello\n", "error", "no row of data", {}),
        "prose": ("It was a dark night.\nThe rain fell in torrents, except\nat times.\n", "error", "cells", {}),
        "text in numbers": (_with(dict.fromkeys(range(0, 60, 4), "broken")), "error", "such as 'broken'", {}),
        "few texts in numbers": (_with({7: "n.a.!"}), "finding", "text-cells", {}),
        "unsorted": (_csv(backwards), "finding", "unsorted-times", {}),
        "time backwards": (_csv(rows[::-1]), "finding", "unsorted-times", {}),
        "identical duplicate times": (_csv(rows + rows[:5]), "finding", "duplicate-times", {}),
        "conflicting duplicate times": (_csv([*rows, (3.0, 99.0)]), "finding", "duplicate-times", {}),
        "stacked records": (_csv(rows + rows + rows), "error", "group", {}),
        "constant time": (_csv([(1, x) for _, x in rows]), "error", "different times", {}),
        "all NaN": (_with(dict.fromkeys(range(60), "NaN")), "finding", "missing-values", {}),
        "30 % NaN": (_with(dict.fromkeys(range(0, 60, 3), "")), "finding", "missing-values", {}),
        "dots for missing": (_with({4: ".", 5: "."}), "finding", "missing-values", {}),
        "constant": (_with(dict.fromkeys(range(60), 5)), "finding", "constant-columns", {}),
        "Inf": (_with({9: "inf", 10: "-Infinity"}), "finding", "infinite-values", {}),
        "overflowing number": (_with({9: "1e999"}), "finding", "infinite-values", {}),
        "1e300 once": (_with({9: "1e300"}), "finding", "absurd-values", {}),
        "1e300 everywhere": (_csv([(t, f"{x * 1e300!r}") for t, x in rows]), "error", "rescale", {}),
        "1e-300 everywhere": (_csv([(t, f"{x * 1e-300!r}") for t, x in rows]), "finding", "tiny-values", {}),
        "code for missing": (_with({5: -9999, 6: -9999, 30: -9999}), "finding", "missing-codes", {}),
        "HTML in names": (_csv(rows, f"time,{html}"), "finding", "time-step", {}),
        "formula in names": (_csv(rows, 'time,"=HYPERLINK(""http://x"",""y"")"'), "finding", "time-step", {}),
        "control characters in names": (_csv(rows, "time,x\x1b[31m\x07"), "finding", "names-cleaned", {}),
        "right-to-left names": (_csv(rows, "time,\u202eevil\u202c \u0645\u0631\u062d\u0628\u0627"), "finding", "names-cleaned", {}),
        "very long name": (_csv(rows, "time," + "x" * 50_000), "finding", "names-cleaned", {}),
        "very long cell": (_with({9: "y" * 300_000}), "finding", "text-cells", {}),
        "very long line": (",".join(["1"] * 200_000) + "\n", "finding", "short-record", {}),
        "missing column": (plain, "error", "Did you mean 'x'", {"columns": ["X1"]}),
        "missing time column": (plain, "error", "Choose from", {"time": "<b>when</b>"}),
        "missing group column": (plain, "error", "group names the column", {"group": "site"}),
        "column also time": (plain, "error", "one role", {"time": "time", "columns": ["time", "x"]}),
        "column also input": (plain, "error", "one role", {"columns": ["x"], "inputs": ["x"]}),
        "column twice": (plain, "error", "twice", {"columns": ["x", "x"]}),
        "no columns": (plain, "error", "at least one column", {"columns": []}),
        "group of one row each": (_csv([(t, x, i) for i, (t, x) in enumerate(rows)], "time,x,id"), "error", "choose another column", {"group": "id"}),
        "negative dt": (plain, "error", "dt > 0", {"dt": -1}),
        "zero dt": (plain, "error", "dt > 0", {"dt": 0}),
        "NaN dt": (plain, "error", "dt > 0", {"dt": float("nan")}),
        "conflicting dt": (plain, "error", "median step", {"dt": 0.25}),
        "unknown unit for dates": (_csv([("2020-01-01", 1), ("2020-01-02", 2)]), "error", "fortnight", {"time_unit": "fortnight"}),
        "ragged rows": (plain + "1,2,3\n" + _csv(rows, "100,1"), "error", "Every row needs as many cells", {}),
        "cut last row": (plain + "60\n", "finding", "trailing-lines", {}),
        "duplicated names": (_csv([(t, x, x + t % 7) for t, x in rows], "time,x,x"), "finding", "duplicate-names", {}),
        "nameless columns": (_csv([(t, x, x + t % 7) for t, x in rows], "time,x,"), "finding", "nameless-columns", {}),
        "no header": ("\n".join(str(x) for _, x in rows), "finding", "no-header", {}),
        "ten thousand columns": (_wide(), "finding", "extent", {}),
        "impossible dates": (_csv([(f"2021-02-{d:02d}", d % 5) for d in range(1, 32)]), "finding", "impossible-dates", {}),
        "mostly impossible dates": (_csv([(f"2021-{d:02d}-30", d % 5) for d in range(8, 40)]), "error", "not possible dates", {}),
        "mixed date notations": (_csv([("2021-01-01", 1), ("2021-01-02", 2), ("03/01/2021", 3), ("04/01/2021", 4)]), "error", "mixes ways", {}),
        "day or month first": (_csv([("01/02/2021", 1), ("05/07/2021", 2), ("11/03/2021", 3)], "date,x"), "error", "cannot be told apart", {}),
        "some dates with zone": (_csv([("2021-01-01T00:00Z", 1), ("2021-01-01T01:00", 2), ("2021-01-01T02:00Z", 3)]), "error", "time zone", {}),
        "two date columns": (_csv([(f"2021-01-{d:02d}", f"2022-01-{d:02d}", d) for d in range(1, 20)], "start,end,x"), "error", "time=", {}),
        "text as time": (_csv([("early", 1), ("late", 2), ("later", 3)] * 8), "error", "not possible dates", {}),
        "no numbers": ("time,colour\n0,red\n1,blue\n2,red\n3,blue\n", "error", "No column of numbers", {}),
        "text asked for": ("time,colour,x\n0,red,1\n1,blue,2\n2,red,1\n", "error", "holds text", {"columns": ["colour"]}),
        "decimal comma with comma": ("t,x\n" + "".join(f"0,{i},1,{i}\n" for i in range(10, 40)), "error", "decimal mark", {}),
        "thousands separators": ('time;x\n' + "".join(f'{i};1.{i}00,5\n' for i in range(1, 10)), "error", "thousands", {}),
        "quoted thousands": ('time,x\n' + "".join(f'{i},"1,{200 + i}"\n' for i in range(9)), "error", "thousands", {}),
        "underscored numbers": ("time,x\n" + "".join(f"{i},1_{i}00\n" for i in range(1, 20)), "error", "text", {}),
        "unclosed quote": ('time,x\n0,"1\n' + "".join(f"{i},{i}\n" for i in range(1, 40)), "error", "", {}),
        "Windows line ends": (plain.replace("\n", "\r\n"), "finding", "time-step", {}),
        "CR only": (plain.replace("\n", "\r"), "finding", "time-step", {}),
        "blank lines between": (plain.replace("\n", "\n\n"), "finding", "blank-lines", {}),
        "web page": ("<!DOCTYPE html><html><body>404</body></html>", "error", "web page", {}),
        "JSON": ('{"time": [0, 1], "x": [1, 2]}', "error", "JSON", {}),
        "epoch seconds": (_csv([(1_600_000_000 + 60 * i, x) for i, (_, x) in enumerate(rows)], "timestamp,x"), "finding", "epoch-times", {}),
        "held samples": ("\n".join(str(round(float(np.sin(0.7 * (i // 4))), 9)) for i in range(400)), "finding", "held-samples", {}),
        "saturated": ("\n".join(str(round(min(float(np.sin(0.71 * i)), 0.7), 9)) for i in range(400)), "finding", "saturation", {}),
        "few levels": ("\n".join(str(round(3 * float(np.sin(0.71 * i)))) for i in range(400)), "finding", "few-levels", {}),
        "spikes": ("\n".join(str(round(float(np.sin(0.71 * i)), 9) if i % 97 else 500 + i) for i in range(1, 400)), "finding", "outliers", {}),
        "long gap": (_csv(rows[:25] + [(t + 300, x) for t, x in rows[25:]]), "finding", "gaps", {}),
        "irregular times": (_csv([(round(i + 0.45 * float(np.sin(i * i)), 4), x) for i, (_, x) in enumerate(rows)]), "finding", "time-step", {}),
        "twin columns": (_csv([(t, x, x) for t, x in rows], "time,a,b"), "finding", "equal-columns", {}),
    }  # fmt: skip


def _wide() -> str:
    rng = np.random.default_rng(0)
    lines = [",".join(f"c{i}" for i in range(10_000))]
    lines += [",".join(f"{v:.3f}" for v in row) for row in rng.normal(size=(20, 10_000))]
    return "\n".join(lines)


def _npz_of_objects(path: Path) -> None:
    np.savez(path, x=np.array([{"a": 1}, {"b": 2}], dtype=object))


def _mat_of_text(path: Path) -> None:
    from scipy.io import savemat

    savemat(path, {"name": "a string", "cells": np.array(["a", "b"], dtype=object)})


def _netcdf_without_time(path: Path) -> None:
    import xarray as xr

    data = xr.Dataset({"x": (("lat", "lon"), np.ones((4, 5)))})
    data.to_netcdf(path, engine="h5netcdf")


def _two_million(path: Path) -> None:
    block = "".join(f"{np.sin(0.1 * i):.6f}\n" for i in range(10_000))
    path.write_text("x\n" + block * 200)


def _zip_of_two(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
        archive.writestr("b.csv", "x\n1\n")


def _lengths_differ(path: Path) -> None:
    np.savez(path, a=np.arange(10.0), b=np.arange(12.0))


def _binaries() -> dict[str, tuple[str, Callable[[Path], object] | bytes, str, str]]:
    plain = _csv(_series()).encode()
    noise = np.random.default_rng(1).integers(0, 256, 4000, dtype=np.uint8).tobytes()
    packed = gzip.compress(plain * 50, mtime=0)
    cube = lambda p: np.save(p, np.zeros((3, 4, 5)))
    pickled = lambda p: np.save(p, np.array([1, "a", None], dtype=object), allow_pickle=True)
    return {
        "empty": ("empty.csv", b"", "error", "empty"),
        "binary as CSV": ("noise.csv", noise.replace(b"\x00", b"\x01"), "error", "binary"),
        "NUL bytes": ("nul.csv", plain[:80] + b"\x00\x00" + plain[80:], "error", "NUL"),
        "image as CSV": ("image.csv", b"\x89PNG\r\n\x1a\n" + noise, "error", "PNG"),
        "latin-1": ("latin.csv", plain.replace(b"time,x", "time,Stra\xdfe".encode("latin-1")), "finding", "encoding"),
        "mixed encodings": ("mixed.csv", plain.replace(b"time,x", "time,\u00fc".encode() + b"\xfc"), "finding", "encoding"),
        "BOM": ("bom.csv", b"\xef\xbb\xbf" + plain, "finding", "time-step"),
        "broken UTF-8 after BOM": ("bom2.csv", b"\xef\xbb\xbf" + plain + b"\xff\xfe1\n", "error", "UTF-8"),
        "UTF-16": ("utf16.csv", plain.decode().encode("utf-16"), "finding", "time-step"),
        "UTF-16 without mark": ("utf16le.csv", plain.decode().encode("utf-16-le"), "finding", "encoding"),
        "truncated gz": ("cut.csv.gz", packed[: len(packed) // 2], "error", "cut short"),
        "damaged gz": ("bad.csv.gz", packed[:40] + b"\x00" * 30 + packed[70:], "error", "damaged"),
        "gz that is not gz": ("plain.csv.gz", plain, "finding", "not-compressed"),
        "gz of nothing": ("nothing.csv.gz", gzip.compress(b""), "error", "unpacks to nothing"),
        "pickled npz": ("objects.npz", _npz_of_objects, "error", "never loaded"),
        "pickled npy": ("objects.npy", pickled, "error", "never loaded"),
        "cut npy": ("cut.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "error", "damaged"),
        "complex npy": ("complex.npy", lambda p: np.save(p, np.ones(9, complex)), "error", "complex"),
        "three-dimensional npy": ("cube.npy", cube, "error", "(3, 4, 5)"),
        "lengths differ": ("lengths.npz", _lengths_differ, "error", "differ in length"),
        "empty parquet": ("zero.parquet", b"", "error", "empty"),
        "cut parquet": ("cut.parquet", b"PAR1" + noise[:500], "error", "Parquet"),
        "text as xlsx": ("text.xlsx", plain, "error", ".xlsx"),
        "zip as xlsx": ("zip.xlsx", _zip_of_two, "error", "workbook"),
        "zip of two": ("two.zip", _zip_of_two, "error", "holds 2 files"),
        "cut xls": ("cut.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise[:600], "error", "workbook"),
        "mat of text": ("text.mat", _mat_of_text, "error", "no array of numbers"),
        "cut mat": ("cut.mat", b"MATLAB 5.0 MAT-file" + b" " * 105 + b"\x00\x01IM" + noise[:90], "error", "damaged"),
        "netcdf without time": ("still.nc", _netcdf_without_time, "error", "time="),
        "cut netcdf": ("cut.nc", b"\x89HDF\r\n\x1a\n" + noise[:900], "error", "damaged"),
        "folder": ("folder.csv", lambda p: p.mkdir(), "error", "folder"),
        "broken link": ("link.csv", lambda p: p.symlink_to(p.parent / "nowhere.csv"), "error", "link"),
        "two million rows": ("long.csv", _two_million, "finding", "extent"),
    }  # fmt: skip


def hostile_files(directory: Path) -> list[Case]:
    """Write every hostile file into `directory` and say what is expected of each."""
    cases = []
    for number, (name, (text, outcome, says, options)) in enumerate(_texts().items()):
        path = directory / f"text{number:02d}.csv"
        path.write_bytes(text.encode())
        cases.append(Case(name, path, outcome, says, options))
    for name, (file, content, outcome, says) in _binaries().items():
        path = directory / file
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content(path)
        cases.append(Case(name, path, outcome, says))
    cases.append(Case("no such file", directory / "absent.csv", "error", "no file"))
    cases.append(Case("file name too long", directory / ("x" * 400), "error", "path"))
    return cases
