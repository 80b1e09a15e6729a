"""NumPy, MATLAB and HDF5: named arrays without a table around them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import Finding, InvalidInput
from takens.data.table import Column, Table, label, shown

if TYPE_CHECKING:
    from takens.data.options import Options

_RATES = frozenset(
    ["dt", "fs", "sr", "rate", "sampling_rate", "samplingrate", "freq", "sfreq", "fsample"]
)


def read_arrays(path: Path, kind: str, options: Options, what: str) -> Table:
    """The table in a npy, npz, mat or HDF5 file."""
    if kind == "npy":
        with path.open("rb") as stream:
            return read_npy(stream, what)
    arrays = {"zip": _npz, "mat": _mat}.get(kind, _hdf5)(path, what)
    return table_of_arrays(arrays, options, what)


def read_npy(stream: Any, what: str) -> Table:
    """The table in one NumPy array; rows are times."""
    try:
        array = np.load(stream, allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise _damaged(what, error) from None
    return Table(columns=tuple(columns_of(array, "x", what)))


def _damaged(what: str, error: Exception) -> InvalidInput:
    if "pickle" in str(error).lower() or "Object arrays" in str(error):
        return InvalidInput(
            f"{what} holds pickled Python objects, which can run code and are never loaded. "
            "Save plain numbers: np.save(path, np.asarray(data, dtype=float))."
        )
    return InvalidInput(f"{what} is damaged or cut short ({error}). Copy or write it again.")


def _npz(path: Path, what: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (
        ValueError,
        EOFError,
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        SyntaxError,
        KeyError,
    ) as error:
        raise _damaged(what, error) from None


def _mat(path: Path, what: str) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    try:
        content = loadmat(path, chars_as_strings=True)
    except Exception as error:  # SciPy raises many kinds on damaged files
        raise _damaged(what, error) from None
    return {
        name: _vector(np.asarray(value))
        for name, value in content.items()
        if not name.startswith("__")
    }


def _vector(array: np.ndarray) -> np.ndarray:
    """MATLAB has no vectors: 1 x N and N x 1 are how it writes them."""
    return array.ravel() if array.ndim == 2 and 1 in array.shape else array


def _hdf5(path: Path, what: str) -> dict[str, np.ndarray]:
    import h5py

    found: dict[str, np.ndarray] = {}
    try:
        with h5py.File(path, "r") as file:
            matlab = path.suffix.lower() == ".mat"

            def visit(name: str, item: Any) -> None:
                if (
                    isinstance(item, h5py.Dataset)
                    and item.dtype.kind in "fiub"
                    and "#refs#" not in name
                ):
                    text = matlab and item.attrs.get("MATLAB_class") in (b"char", "char")
                    if not text:
                        values = np.asarray(item[()])
                        found[name] = _vector(values.T) if matlab else values

            file.visititems(visit)
    except (OSError, RuntimeError, ValueError) as error:
        raise _damaged(what, error) from None
    return found


def table_of_arrays(arrays: Mapping[str, np.ndarray], options: Options, what: str) -> Table:
    """Columns from named arrays of one length; the first dimension is time."""
    findings: list[Finding] = []
    usable = {
        n: a for n, a in arrays.items() if a.dtype.kind in "fiubMc" and a.ndim > 0 and a.size > 1
    }
    scalars = {n: a for n, a in arrays.items() if a.dtype.kind in "fiu" and a.size == 1}
    for name, value in scalars.items():
        if name.casefold() in _RATES:
            number = float(value.ravel()[0])
            findings.append(
                Finding(
                    "rate-found",
                    f"The file also holds {name} = {number:g}.",
                    "Not used; give dt if it is the sampling step or rate.",
                    "note",
                )
            )
    wanted = {
        n for n in (*(options.columns or ()), *options.inputs, options.time, options.group) if n
    }
    if options.columns and any(n in usable for n in wanted):
        usable = {
            n: a
            for n, a in usable.items()
            if n in wanted or any(w.startswith(f"{n}_") for w in wanted)
        }
    if not usable:
        shapes = ", ".join(f"{shown(n)} {a.dtype} {a.shape}" for n, a in list(arrays.items())[:8])
        raise InvalidInput(
            f"{what} holds no array of numbers ({shapes or 'it is empty'}). Save the data as "
            f"numeric arrays."
        )
    lengths = {len(a) for a in usable.values()}
    if len(lengths) > 1:
        shapes = ", ".join(f"{shown(n)} {a.shape}" for n, a in list(usable.items())[:8])
        raise InvalidInput(
            f"The arrays of {what} differ in length: {shapes}. Columns need one length, with time "
            f"first; "
            "name those that belong together with columns=..."
        )
    columns: list[Column] = []
    for name, array in usable.items():
        columns += columns_of(array, name, what)
    skipped = sorted(set(arrays) - set(usable) - set(scalars))
    if skipped:
        findings.append(
            Finding(
                "arrays-left-out",
                f"{len(skipped)} array(s) are not columns of numbers.",
                "Left out.",
                "note",
            )
        )
    return Table(columns=tuple(columns), findings=tuple(findings))


def columns_of(array: np.ndarray, name: str, what: str) -> list[Column]:
    """The columns of one array; a second dimension numbers them."""
    if array.dtype.names:
        made: list[Column] = []
        for field in array.dtype.names:
            made += columns_of(array[field], field, what)
        return made
    if array.dtype.kind == "c":
        raise InvalidInput(
            f"The array {shown(name)} of {what} is complex. A column is real; save the real and "
            f"imaginary parts apart."
        )
    if array.dtype.kind not in "fiubM":
        raise InvalidInput(
            f"The array {shown(name)} of {what} has type {array.dtype}; expected numbers. Save it "
            f"as floats."
        )
    if array.ndim == 0 or array.ndim > 2:
        raise InvalidInput(
            f"The array {shown(name)} of {what} has shape {array.shape}; expected (time,) or "
            f"(time, column). Reshape it, one row per time."
        )
    values = array.astype("M8[us]" if array.dtype.kind == "M" else float)
    if values.ndim == 1:
        return [Column(name=label([name])[0][0], raw=name, values=values)]
    if values.shape[1] == 1:
        return [Column(name=label([name])[0][0], raw=name, values=values[:, 0])]
    join = "" if name == "x" else "_"
    return [
        Column(name=f"{name}{join}{i}", raw=name, values=values[:, i])
        for i in range(values.shape[1])
    ]
