"""Settings are checked at every door: whole numbers where samples are counted, finite ones elsewhere."""

from __future__ import annotations

import functools
import inspect
import math
import numbers
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from takens.core import InvalidInput

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")
_COUNTS = ("n_states", "max_references", "max_pairs", "max_dimension")


def checked(function: Callable[_Given, _Answer]) -> Callable[_Given, _Answer]:
    """`function`, refusing settings whose kind its annotations exclude, before anything is computed.

    What is annotated ``int`` takes whole numbers, what is annotated ``float`` finite ones; a level
    lies between 0 and 1, a seed is not negative, a delay and numbers of states are at least 1.

    Examples
    --------
    >>> @checked
    ... def answer(data: object, *, delay: int = 1) -> int:
    ...     return delay
    >>> answer(None, delay=2.5)
    Traceback (most recent call last):
    takens.core.errors.InvalidInput: delay = 2.5; expected a whole number.
    """
    kinds = {
        name: str(parameter.annotation)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }

    @functools.wraps(function)
    def door(*args: _Given.args, **kwargs: _Given.kwargs) -> _Answer:
        for name, value in kwargs.items():
            _refuse(name, kinds.get(name, ""), value)
        return function(*args, **kwargs)

    return door


def _refuse(name: str, kind: str, value: Any) -> None:
    """Raise `InvalidInput` where `value` is not of its kind."""
    if value is None and kind.endswith("| None"):
        return
    kind = kind.removesuffix(" | None")
    if kind == "int" and not isinstance(value, numbers.Integral):
        raise InvalidInput(f"{name} = {value!r}; expected a whole number.")
    if kind == "float" and not (isinstance(value, numbers.Real) and math.isfinite(value)):
        raise InvalidInput(f"{name} = {value!r}; expected a finite number.")
    if kind == "float" and name == "level" and not 0 < value < 1:
        raise InvalidInput(f"level = {value!r}; expected a number between 0 and 1.")
    if kind == "int" and name == "seed" and value < 0:
        raise InvalidInput(f"seed = {value!r}; expected a whole number of at least 0.")
    if kind == "int" and name in _COUNTS and value < 1:
        raise InvalidInput(f"{name} = {value!r}; expected a whole number of at least 1.")
    if kind == "int" and name == "delay" and value < 1:
        raise InvalidInput(f"delay = {value!r}; expected a positive number of samples.")
