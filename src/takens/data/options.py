"""The reading options as given."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import InvalidInput
from takens.data.table import shown


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The reading options as given."""

    time: str | None = None
    columns: tuple[str, ...] | None = None
    inputs: tuple[str, ...] = ()
    group: str | None = None
    dt: float | None = None
    time_unit: str | None = None
    max_columns: int | None = None

    def check_width(self, width: int) -> None:
        """Refuse a table of `width` columns, unless some of them are chosen by name."""
        if self.columns is None and self.max_columns is not None and width > self.max_columns:
            raise InvalidInput(
                f"{width} columns were given; at most {self.max_columns} are taken here. Transpose "
                "the table if time runs along its rows, or choose columns."
            )


def checked_dt(dt: Any) -> float | None:
    """`dt` as a positive number, or None when it was not given."""
    if dt is None:
        return None
    try:
        step = float(dt)
    except (TypeError, ValueError):
        step = float("nan")
    if not (np.isfinite(step) and step > 0):
        raise InvalidInput(
            f"dt = {shown(dt)}; the time step must be a positive number. Give dt > 0."
        )
    return step
