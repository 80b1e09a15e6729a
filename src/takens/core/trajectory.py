"""The container that every method behind the door works on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from takens.core.errors import InvalidInput

if TYPE_CHECKING:
    import xarray as xr

Level = Literal["note", "caution", "serious"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing noticed about data or a computation, and what was done about it.

    Parameters
    ----------
    code : str
        Stable identifier in kebab case, such as ``"duplicate-times"``.
    text : str
        What was seen, in plain words, with numbers.
    action : str
        What was done about it, or what the reader should do.
    level : {"note", "caution", "serious"}
        A note changes nothing; a caution weakens conclusions; a serious finding can overturn them.
    """

    code: str
    text: str
    action: str = ""
    level: Level = "caution"

    def __str__(self) -> str:
        return f"{self.text} {self.action}".strip()


def _frozen(values: Any, ndim: int, what: str) -> np.ndarray:
    array = np.array(values, dtype=float)  # a copy: the caller's array stays the caller's
    if array.ndim != ndim:
        raise InvalidInput(
            f"{what} has shape {array.shape}; expected {ndim} dimension(s). "
            "Reshape it, one row per time."
        )
    array.flags.writeable = False
    return array


def _labels(given: Any, count: int, prefix: str) -> tuple[str, ...]:
    if given is None or len(given) == 0:
        return tuple(f"{prefix}{i}" for i in range(count)) if count != 1 else (prefix,)
    labels = tuple(str(name) for name in given)
    if len(labels) != count:
        raise InvalidInput(
            f"{len(labels)} labels were given for {count} columns. Give one label per column."
        )
    return labels


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Trajectory:
    """One record of a system, observed or computed.

    Parameters
    ----------
    times : array, shape (time,)
        Strictly increasing, in `time_unit`. Uneven spacing is allowed.
    states : array, shape (time, dim)
        In `units`; NaN marks a missing value.
    inputs : array, shape (time, input), optional
        Known external drivers at the same times, in their own units.
    names, units, input_names : sequence of str, optional
        One label per column.
    time_unit : str
        Unit of `times`, ``"1"`` when unknown (then one step is one unit).
    label : str
        Which record this is, when a data set holds several.

    Raises
    ------
    InvalidInput
        If shapes disagree, times are not finite and strictly increasing, or values are infinite.

    Examples
    --------
    >>> orbit = Trajectory(times=[0, 1, 2], states=[[0.1], [0.5], [0.9]], names=["x"])
    >>> len(orbit), orbit.dim
    (3, 1)
    """

    times: np.ndarray
    states: np.ndarray
    inputs: np.ndarray | None = None
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    time_unit: str = "1"
    label: str = ""

    def __post_init__(self) -> None:
        def set_field(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        set_field("times", _frozen(self.times, 1, "times"))
        set_field("states", _frozen(self.states, 2, "states"))
        if len(self.times) != len(self.states):
            raise InvalidInput(
                f"{len(self.times)} times were given for {len(self.states)} states. "
                "Give one time per row."
            )
        if not np.isfinite(self.times).all():
            raise InvalidInput("times hold NaN or infinity. Drop those rows, or read the file.")
        if len(self.times) > 1 and not (np.diff(self.times) > 0).all():
            raise InvalidInput(
                "times are not strictly increasing. Sort them and merge duplicates, "
                "or let `takens.read` do so."
            )
        if np.isinf(self.states).any():
            raise InvalidInput("states hold infinity. Mark missing values with NaN.")
        if self.inputs is not None:
            set_field("inputs", _frozen(self.inputs, 2, "inputs"))
            if len(self.inputs) != len(self.times):
                raise InvalidInput(
                    f"{len(self.inputs)} input rows were given for {len(self.times)} times. "
                    "Give one row per time."
                )
            if np.isinf(self.inputs).any():
                raise InvalidInput("inputs hold infinity. Mark missing values with NaN.")
        set_field("names", _labels(self.names, self.dim, "x"))
        set_field("units", tuple(self.units) or ("",) * self.dim)
        if len(self.units) != self.dim:
            raise InvalidInput(
                f"{len(self.units)} units were given for {self.dim} columns. Give one per column."
            )
        n_inputs = 0 if self.inputs is None else self.inputs.shape[1]
        set_field("input_names", _labels(self.input_names, n_inputs, "u") if n_inputs else ())

    def __len__(self) -> int:
        return len(self.times)

    @property
    def dim(self) -> int:
        """Number of observed columns."""
        return int(self.states.shape[1])

    def to_xarray(self) -> xr.Dataset:
        """Labelled copy with dimensions ``time``, ``component`` and ``input``."""
        import xarray as xr

        time = ("time", np.asarray(self.times), {"units": self.time_unit})
        variables: dict[str, Any] = {"state": (("time", "component"), np.asarray(self.states))}
        coords: dict[str, Any] = {
            "time": time,
            "component": list(self.names),
            "unit": ("component", list(self.units)),
        }
        if self.inputs is not None:
            variables["input"] = (("time", "driver"), np.asarray(self.inputs))
            coords["driver"] = list(self.input_names)
        return xr.Dataset(variables, coords, attrs={"label": self.label})


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """A data set: one or more records, and the account of how they were read.

    It behaves as a tuple of `Trajectory`; `findings` says what was noticed in the source and
    what was done about it, so that a report can repeat it.

    Parameters
    ----------
    records : tuple of Trajectory
        Same columns and units in each; lengths may differ.
    findings : tuple of Finding
        In the order in which they were noticed.
    source : str
        Where the data came from: a file name, a data set's name, or ``"array"``.
    digest : str
        SHA-256 of the source file, or of the arrays where there is no file.
    settings : mapping
        The reading options that were given, so that the reading can be repeated.
    """

    records: tuple[Trajectory, ...]
    findings: tuple[Finding, ...] = ()
    source: str = "array"
    digest: str = ""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.records:
            raise InvalidInput("No record was given. Give at least one trajectory.")
        for record in self.records:
            if not isinstance(record, Trajectory):
                raise InvalidInput(
                    f"A record is a {type(record).__name__}; expected Trajectory. "
                    "Use `takens.data.as_recording` for arrays and tables."
                )
        first = self.records[0]
        for record in self.records[1:]:
            if (record.names, record.time_unit) != (first.names, first.time_unit):
                raise InvalidInput(
                    f"Records differ: {record.names} in {record.time_unit!r} against "
                    f"{first.names} in {first.time_unit!r}. Give the same columns and time unit."
                )

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Trajectory]:
        return iter(self.records)

    def __getitem__(self, index: int) -> Trajectory:
        return self.records[index]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the observed columns."""
        return self.records[0].names

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the observed columns."""
        return self.records[0].units

    @property
    def time_unit(self) -> str:
        """Unit of time, ``"1"`` when unknown."""
        return self.records[0].time_unit

    @property
    def n_samples(self) -> int:
        """Number of rows over all records."""
        return sum(len(record) for record in self.records)
