"""Numbers with error bars, and the results that hold them."""

from __future__ import annotations

import abc
import dataclasses
import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from takens.core.errors import Status
from takens.core.trajectory import Finding

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its interval, and how that interval was obtained.

    Parameters
    ----------
    value : float
        The point estimate, NaN when there is none.
    interval : (float, float)
        Lower and upper end at `level`; NaN when there is none.
    standard_error : float
        Same unit as `value`; NaN where only an interval is known.
    level : float
        Nominal coverage of `interval`.
    unit : str
        Unit of `value`, ``""`` for a pure number.
    method : str
        Where the interval comes from, such as ``"blocks x settings"``.
    """

    value: float
    interval: tuple[float, float] = (np.nan, np.nan)
    standard_error: float = np.nan
    level: float = 0.9
    unit: str = ""
    method: str = ""

    def __float__(self) -> NoReturn:
        raise TypeError("An estimate is not a number. Take `.value` or `.interval`.")

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if not np.isfinite(self.value):
            return "none"
        if not np.isfinite(self.interval).all():
            return f"{self.value:.4g}{unit} (no interval)"
        low, high = self.interval
        return f"{self.value:.4g}{unit} ({self.level:.0%}: {low:.4g} to {high:.4g})"

    @property
    def is_finite(self) -> bool:
        """Whether there is a value at all."""
        return bool(np.isfinite(self.value))


def plain(value: Any) -> Any:
    """`value` in JSON types: non-finite numbers become None, arrays nested lists."""
    if isinstance(value, enum.Enum):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value if value is None else str(value)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AbstractResult(abc.ABC):
    """An answer: frozen, NumPy-valued, self-describing, and never a float in disguise."""

    status: Status = Status.OK
    cautions: tuple[Finding, ...] = ()
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @abc.abstractmethod
    def summary(self) -> str:
        """The answer in a few lines of text, with intervals."""

    @abc.abstractmethod
    def plot(self, ax: Any = None) -> Any:
        """Draw the answer on Matplotlib axes (made when not given) and return them."""

    @abc.abstractmethod
    def to_xarray(self) -> xr.Dataset:
        """The arrays of the answer with named dimensions, and its numbers as attributes."""

    def to_dict(self) -> dict[str, Any]:
        """Every field in JSON types, with None for a number that does not exist."""
        content: dict[str, Any] = plain(self)
        return content

    def __float__(self) -> NoReturn:
        fields = [f.name for f in dataclasses.fields(self)]
        raise TypeError(
            f"A {type(self).__name__} is not a number. Take one of its fields: {fields}."
        )

    def __str__(self) -> str:
        return self.summary()
