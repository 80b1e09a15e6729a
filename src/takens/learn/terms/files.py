"""Systems made of terms as text files: no code in them, every digit kept."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np

from takens.core.errors import InvalidInput, WrongKind
from takens.core.integrators import CLASSICAL, COOPER_VERNER, Adaptive, Implicit, RungeKutta
from takens.learn.terms.delayed import TermDelayFlow
from takens.learn.terms.system import AbstractTermSystem, RationalFlow, TermFlow, TermMap
from takens.learn.terms.terms import Terms

FORMAT = "takens.system/1"
_SYSTEMS = {
    "TermFlow": TermFlow,
    "TermMap": TermMap,
    "RationalFlow": RationalFlow,
    "TermDelayFlow": TermDelayFlow,
}
_INTEGRATORS = {"Adaptive": Adaptive, "Implicit": Implicit, "RungeKutta": RungeKutta}
_TABLEAUS = {"CLASSICAL": CLASSICAL, "COOPER_VERNER": COOPER_VERNER}


def save(system: Any, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a system made of terms to a JSON file, from which `load` makes an equal one.

    Parameters
    ----------
    system : TermFlow, TermMap, RationalFlow or TermDelayFlow
        With any number of leading axes on its coefficients, as an ensemble has.
    path : str or Path
        The file; ``.json`` by custom.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    WrongKind
        If `system` is another kind of object.
    InvalidInput
        If the file exists, the terms call a function of the user's, or the integrator is of a kind
        that a file cannot name.

    Notes
    -----
    Numbers are written with the digits that give the same float64 back, bit for bit; the equations
    stand in the file as text too, for readers.

    Examples
    --------
    >>> import tempfile
    >>> from takens.learn.terms import Polynomials, TermMap
    >>> logistic = TermMap([[0.0], [3.7], [-3.7]], Polynomials(2).over(("x",)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(logistic, f"{folder}/logistic.json")).equations()
    ('x[+1] = 3.7*x - 3.7*x^2',)
    """
    kind = type(system).__name__
    if not isinstance(system, AbstractTermSystem):
        raise WrongKind(
            f"{kind} was given; only {', '.join(_SYSTEMS)} are written as terms. For another "
            "system write its source with `takens.interop.symbolic(system).python()`."
        )
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(system):
        fields[field.name] = _written(getattr(system, field.name))
    readable = list(system.equations(17)) if _is_single(system) else []
    content = {"format": FORMAT, "kind": kind, "equations": readable, "fields": fields}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)
    target = Path(path)
    try:
        with target.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError as error:
        raise InvalidInput(
            f"{target} exists. Give another name, or `overwrite=True` to replace it."
        ) from error
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror}.") from error
    return target


def load(path: str | Path) -> Any:
    """The system that `save` wrote. Nothing in the file is run.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    TermFlow, TermMap, RationalFlow or TermDelayFlow

    Raises
    ------
    InvalidInput
        If the file cannot be read or holds something else.

    Examples
    --------
    >>> load("nowhere.json")
    Traceback (most recent call last):
    takens.core.errors.InvalidInput: nowhere.json cannot be read: No such file or directory.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} holds no text. Give a file that `save` wrote.") from error
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise InvalidInput(f"{path} has the format {content['format']!r}; expected {FORMAT}.")
        fields = {name: _read(entry) for name, entry in content["fields"].items()}
        return _SYSTEMS[content["kind"]](**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(
            f"{path} holds no system made of terms ({type(error).__name__}: {error}). "
            "Give a file that `save` wrote."
        ) from error


def _is_single(system: Any) -> bool:
    first = getattr(system, dataclasses.fields(system)[0].name)
    return np.ndim(first) == 2


def _written(value: Any) -> Any:
    """A field in JSON types, each with its kind."""
    if isinstance(value, Terms):
        return {"terms": json.loads(value.to_json())}
    if type(value) in _INTEGRATORS.values():
        settings = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        if "tableau" in settings:
            settings["tableau"] = _tableau_name(settings["tableau"])
        for name, setting in settings.items():
            if not isinstance(setting, (int, float, str)):
                raise InvalidInput(f"{type(value).__name__}.{name} cannot be written to a file.")
        return {"integrator": type(value).__name__, "settings": settings}
    if isinstance(value, (str, tuple, int)):
        return {"plain": value}
    if isinstance(value, (np.ndarray, jax.Array)):
        array = np.asarray(value, dtype=float)
        flat = [v if math.isfinite(v) else repr(v) for v in array.ravel().tolist()]
        return {"shape": array.shape, "numbers": flat}
    raise InvalidInput(
        f"{value!r} cannot be written to a file. Give an integrator among {list(_INTEGRATORS)}."
    )


def _tableau_name(tableau: Any) -> str:
    for name, known in _TABLEAUS.items():
        if known == tableau:
            return name
    raise InvalidInput(
        f"a tableau of your own cannot be written to a file. Take one of {list(_TABLEAUS)}."
    )


def _read(entry: Any) -> Any:
    if "terms" in entry:
        return Terms.from_json(json.dumps(entry["terms"]))
    if "integrator" in entry:
        settings = dict(entry["settings"])
        if "tableau" in settings:
            settings["tableau"] = _TABLEAUS[settings["tableau"]]
        return _INTEGRATORS[entry["integrator"]](**settings)
    if "numbers" in entry:
        return np.array([float(v) for v in entry["numbers"]]).reshape(entry["shape"])
    return _tuples(entry["plain"])


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
