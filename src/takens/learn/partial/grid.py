"""The door for fields on a grid: one record as an array with its axes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from takens.core import InvalidInput

MOST_AXES = 3
LARGEST, SMALLEST = 1e30, 1e-30  # sizes of steps and values of which powers are numbers
UNEVEN = 1e-3  # of a step: times and places written with few digits are still even


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FieldData:
    """One record of a field on a regular grid of one to three dimensions.

    Parameters
    ----------
    values : array, shape (time, axes...) or (time, axes..., component)
        In `units`; NaN marks a missing or masked cell. A constant mask is NaN at all times.
    times : array, shape (time,)
        Strictly increasing, in `time_unit`. Every step is a whole multiple of the shortest one:
        rows that are missing become NaN.
    coordinates : mapping of str to array
        Name and places of every axis in the order of `values`, evenly spaced.
    components : sequence of str
        One label per component; ``("u",)`` or ``("u", "v", ...)`` when not given.
    units : sequence of str
        One per component.
    inputs : array, shape of `values` or (time, axes..., input), optional
        Known fields that drive the motion, such as a source, a wind or a conductivity that depends on
        place; taken as exact. Spread what depends on time or place alone over the grid with
        ``numpy.broadcast_to``. A NaN makes its cell a lost one.
    input_names : sequence of str
        One per input; ``("f",)`` or ``("f", "g", ...)`` when not given.
    time_unit, length_unit : str
        Of `times` and `coordinates`, ``"1"`` when unknown.

    Raises
    ------
    InvalidInput
        If shapes disagree, a grid is uneven or too short, values are infinite, a component holds no
        number, or an input is constant.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 1, 20)
    >>> record = FieldData(values=np.zeros((30, 20)), times=np.arange(30), coordinates={"x": x})
    >>> record.n_axes, record.components
    (1, ('u',))
    """

    values: np.ndarray
    times: np.ndarray
    coordinates: Mapping[str, np.ndarray]
    components: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    inputs: Any = None
    input_names: tuple[str, ...] = ()
    time_unit: str = "1"
    length_unit: str = "1"

    def __post_init__(self) -> None:
        def set_field(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        places = _places(self.coordinates)
        values, times = real(self.values, "values"), real(self.times, "times")
        if values.ndim == 1 + len(places):
            values = values[..., None]
        lengths = tuple(v.size for v in places.values())
        if values.shape[:-1] != (times.size, *lengths):
            raise InvalidInput(
                f"values have shape {np.shape(self.values)}; expected ({times.size} times, "
                f"{', '.join(map(str, lengths))} places) and at most one more axis, for components."
            )
        if np.isinf(values).any():
            raise InvalidInput("values hold infinity. Mark missing cells with NaN.")
        for name, line in places.items():
            even_step(line, name)
        inputs = _inputs(self.inputs, values.shape[:-1])
        even, values = _regular(times, values)
        inputs, times = _regular(times, inputs)[1], even
        empty = ~np.isfinite(values).any(axis=tuple(range(values.ndim - 1)))
        if empty.any():
            raise InvalidInput(
                f"component {int(np.argmax(empty))} holds only NaN. Drop it, or give its values."
            )
        count = values.shape[-1]
        labels = tuple(map(str, self.components)) or tuple(
            "uvwpqrs"[i] for i in range(min(count, 7))
        )
        if len(labels) != count or len(set(labels)) != count or not all(labels):
            raise InvalidInput(
                f"{labels} label {count} component(s). Give one label per component, all different."
            )
        units = tuple(self.units) or ("",) * count
        if len(units) != count:
            raise InvalidInput(f"{len(units)} units were given for {count} components.")
        names = tuple(map(str, self.input_names)) or tuple(
            "fghabcd"[i] for i in range(min(inputs.shape[-1], 7))
        )
        different = len({*names, *labels}) == len(names) + count and all(names)
        if len(names) != inputs.shape[-1] or not different:
            raise InvalidInput(
                f"{names} label {inputs.shape[-1]} input(s) beside {labels}. Give one name per input, "
                "all different."
            )
        for array in (values, times, inputs, *places.values()):
            array.flags.writeable = False
        set_field("values", values)
        set_field("inputs", inputs)
        set_field("input_names", names)
        set_field("times", times)
        set_field("coordinates", places)
        set_field("components", labels)
        set_field("units", units)

    @property
    def n_axes(self) -> int:
        """Dimensions of space."""
        return len(self.coordinates)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes of space."""
        return tuple(self.coordinates)

    @property
    def steps(self) -> tuple[float, ...]:
        """Spacing of the grid in time and along every axis."""
        lines = (self.times, *self.coordinates.values())
        return tuple(float((v[-1] - v[0]) / (len(v) - 1)) for v in lines)


def _places(coordinates: Any) -> dict[str, np.ndarray]:
    """Every axis by its name."""
    if not isinstance(coordinates, Mapping):
        raise InvalidInput(
            f"coordinates are a {type(coordinates).__name__}; expected a mapping from the "
            "name of an axis to its places, such as {'x': x, 'y': y}."
        )
    places = {str(k): real(v, f"coordinate {k!r}") for k, v in coordinates.items()}
    for name in places:
        if not name.isidentifier():
            raise InvalidInput(
                f"an axis is called {name!r}; expected a word, which names its derivatives."
            )
    if not 1 <= len(places) <= MOST_AXES:
        raise InvalidInput(
            f"{len(places)} axes were given; a field has one to three. Name them in coordinates."
        )
    return places


def real(given: Any, what: str) -> np.ndarray:
    """A new array of floats."""
    array = np.asarray(given)
    if np.iscomplexobj(array):
        raise InvalidInput(f"{what} are complex. Give real and imaginary parts as two components.")
    try:
        return np.array(array, dtype=float)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{what} are no numbers ({array.dtype}). Convert them.") from error


def _inputs(given: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Known fields with their own axis last, (time, axes..., input)."""
    if given is None:
        return np.empty((*shape, 0))
    inputs = real(given, "inputs")
    if inputs.ndim == len(shape):
        inputs = inputs[..., None]
    if inputs.shape[:-1] != shape:
        raise InvalidInput(
            f"inputs have shape {np.shape(given)}; expected {shape} and at most one more axis, for "
            "several. Spread what depends on time or place alone with numpy.broadcast_to."
        )
    if np.isinf(inputs).any():
        raise InvalidInput("inputs hold infinity. Mark cells in which they are unknown with NaN.")
    for c in range(inputs.shape[-1]):
        known = inputs[..., c][np.isfinite(inputs[..., c])]
        if not known.size or np.ptp(known) <= 1e-12 * np.abs(known).max():
            raise InvalidInput(
                f"input {c} is the same everywhere, so that nothing can be told from it. Leave it out."
            )
    return inputs


def even_step(line: np.ndarray, name: str) -> float:
    """Spacing of an axis that is evenly spaced."""
    if line.ndim != 1 or line.size < 2 or not np.isfinite(line).all():
        raise InvalidInput(
            f"coordinate {name!r} has shape {line.shape}; expected two or more finite places."
        )
    steps = np.diff(line)
    step = float(steps.mean())
    check_step(step, f"coordinate {name!r}")
    if not (step > 0 and np.abs(steps - step).max() <= UNEVEN * step):
        raise InvalidInput(
            f"coordinate {name!r} steps by {steps.min():.6g} to {steps.max():.6g}; expected even, "
            "increasing steps. Interpolated values have correlated errors, which would falsify every "
            "interval: average or thin the field to an even grid instead."
        )
    return step


def check_step(step: float, what: str) -> None:
    """Refuse steps whose powers are no numbers; derivatives divide by them."""
    if not abs(step) < LARGEST or (step and abs(step) < SMALLEST):
        raise InvalidInput(
            f"{what} steps by {step:.3g}, of which powers are no numbers. Take other units."
        )


def _regular(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Even times, with NaN in the rows that were missing."""
    if times.ndim != 1 or times.size < 2 or not np.isfinite(times).all():
        raise InvalidInput(f"times have shape {times.shape}; expected two or more finite times.")
    steps = np.diff(times)
    if not (steps > 0).all():
        raise InvalidInput("times are not strictly increasing. Sort them and merge duplicates.")
    dt = float(np.median(steps[steps < 1.5 * steps.min()]))
    check_step(dt, "time")
    counts = np.rint(steps / dt)
    if np.abs(steps - counts * dt).max() > UNEVEN * dt * max(1.0, counts.max()):
        raise InvalidInput(
            f"times step by {steps.min():.6g} to {steps.max():.6g}; expected whole multiples of the "
            "shortest step. Average or thin the field to even times."
        )
    place = np.concatenate([[0], np.cumsum(counts)]).astype(int)
    if place[-1] > 20 * times.size:
        raise InvalidInput(
            f"{times.size} times fill a grid of {place[-1] + 1}. Cut the record at its long gaps and "
            "give the pieces as records."
        )
    if place[-1] == times.size - 1:
        return times, values
    wide = np.full((place[-1] + 1, *values.shape[1:]), np.nan)
    wide[place] = values
    return times[0] + (times[-1] - times[0]) * np.arange(len(wide)) / (len(wide) - 1), wide


def from_xarray(data: Any) -> FieldData:
    """A labelled array, or a data set whose variables are the components.

    The dimension ``time`` (or ``t``) is time, ``component`` holds components, the others are axes.
    """
    array = data.to_array("component") if hasattr(data, "data_vars") else data
    names = [str(d) for d in array.dims]
    time = next((d for d in ("time", "t") if d in names), None)
    if time is None:
        raise InvalidInput(f"dimensions {names} have none called time. Rename it.")
    axes = [d for d in names if d not in (time, "component")]
    lacking = [d for d in (time, *axes) if d not in array.coords]
    if lacking:
        raise InvalidInput(f"dimensions {lacking} have no coordinates. Assign their places.")
    ordered = array.transpose(time, *axes, *(["component"] if "component" in names else []))
    clock, unit = np.asarray(array[time]), str(array[time].attrs.get("units", "1"))
    if np.issubdtype(clock.dtype, np.datetime64):
        clock, unit = (clock - clock[0]) / np.timedelta64(1, "s"), "s"
    if "component" in names:
        labels = tuple(map(str, np.asarray(array["component"])))
    else:
        labels = (str(array.name),) if array.name else ()
    return FieldData(
        values=np.asarray(ordered),
        times=clock,
        coordinates={d: np.asarray(array[d]) for d in axes},
        components=labels,
        time_unit=unit,
        length_unit=str(array[axes[0]].attrs.get("units", "1")) if axes else "1",
    )


def as_fields(data: Any) -> tuple[FieldData, ...]:
    """One or more records on the same grid, from what people have."""
    if isinstance(data, FieldData):
        return (data,)
    if hasattr(data, "dims") and hasattr(data, "coords"):
        return (from_xarray(data),)
    if isinstance(data, Sequence) and not isinstance(data, str) and len(data):
        records = tuple(record for item in data for record in as_fields(item))
        first = records[0]
        for record in records[1:]:
            same = record.components == first.components and record.axes == first.axes
            same = same and record.input_names == first.input_names
            if not (same and np.allclose(record.steps[1:], first.steps[1:], rtol=UNEVEN)):
                raise InvalidInput(
                    f"records differ: {record.components} on {record.axes} in steps of "
                    f"{record.steps[1:]} against {first.components} on {first.axes} in steps of "
                    f"{first.steps[1:]}. Give the same components, inputs, axes and grid spacing."
                )
        return records
    raise InvalidInput(
        f"a {type(data).__name__} was given for a field; expected FieldData, a labelled array of "
        "xarray, or a sequence of these. An array alone does not say which axis is time: give "
        "FieldData(values=..., times=..., coordinates={'x': ...})."
    )
