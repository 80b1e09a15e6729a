"""Poincaré sections of flows: where orbits pass through a plane."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, InvalidInput, Status, require
from takens.dynamics.crossings import a_flow, all_crossings, cautions_of, checked
from takens.dynamics.door import an_input, counts, describe, states
from takens.dynamics.planes import PlaneEvent, basis_of, plane_of, section_names
from takens.dynamics.return_map import ReturnMap, paired

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PoincareSection(AbstractResult):
    """Where orbits pass through a plane. Rows are filled with NaN where fewer crossings were found.

    Parameters
    ----------
    times : array, shape (sample, crossing)
        In time units from the start of each orbit.
    states : array, shape (sample, crossing, dim)
        In state units.
    coordinates : array, shape (sample, crossing, dim - 1)
        On the plane: the other components, or along an orthonormal basis of an oblique plane.
    time_error : array, shape (sample, crossing)
        How far the located time is from the crossing of the computed orbit.
    normal : array, shape (dim,)
        Of the plane, of length one.
    offset : float
        ``normal @ x`` on the plane.
    direction : int
        1 for crossings along the normal, -1 against it, 0 for both.
    names : tuple of str
        Of the coordinates.
    """

    times: np.ndarray
    states: np.ndarray
    coordinates: np.ndarray
    time_error: np.ndarray
    normal: np.ndarray
    offset: float
    direction: int
    names: tuple[str, ...]

    def summary(self) -> str:
        """How many crossings of how many orbits, and their range."""
        have = np.isfinite(self.times)
        if not have.any():
            return f"No crossings: {self.status.value}"
        gaps = np.diff(self.times, axis=1)
        text = f"{int(have.sum())} crossing(s) of {len(self.times)} orbit(s)"
        if np.isfinite(gaps).any():
            text += f", {np.nanmean(gaps):.6g} time units apart on average"
        ranges = [
            f"{name} from {np.nanmin(c):.4g} to {np.nanmax(c):.4g}"
            for name, c in zip(self.names[:4], np.moveaxis(self.coordinates, -1, 0), strict=False)
        ]
        return f"{text}; {', '.join(ranges)}." if ranges else f"{text}."

    def return_map(self, coordinate: int | str = 0) -> ReturnMap:
        """One coordinate at a crossing against the same at the next.

        Parameters
        ----------
        coordinate : int or str
            Number or name of a coordinate on the plane.

        Raises
        ------
        InvalidInput
            If there is none such.
        """
        names = list(self.names)
        i = names.index(coordinate) if coordinate in names else coordinate
        if not (isinstance(i, (int, np.integer)) and 0 <= i < len(names)):
            raise InvalidInput(f"{coordinate!r} is no coordinate of the section. It has {names}.")
        values = self.coordinates[..., i]
        found = paired(values, names[i], self.status, self.provenance)
        none = self.status is Status.OK and not len(found.before)
        return dataclasses.replace(found, status=Status.NO_EVENT) if none else found

    def plot(self, ax: Any = None) -> Any:
        """The first two coordinates on the plane, one colour for each orbit; one coordinate over time."""
        from takens import plot

        ax = plot.axes(ax)
        for i, points in enumerate(self.coordinates):
            if len(self.names) > 1:
                x, y = points[:, 0], points[:, 1]
            else:
                x, y = self.times[i], points[:, 0] if self.names else np.full(len(points), i)
            plot.line(ax, x, y, linestyle="none", marker=".", markersize=2.5,
                      color=plot.COLOURS[i % len(plot.COLOURS)])  # fmt: skip
        pair = self.names[:2] if len(self.names) > 1 else ("time", (*self.names, "orbit")[0])
        return plot.labels(ax, *pair)

    def to_xarray(self) -> xr.Dataset:
        """Times, states and coordinates with named dimensions."""
        import xarray as xr

        dims = ("sample", "crossing")
        return xr.Dataset(
            {
                "time": (dims, self.times),
                "state": ((*dims, "component"), self.states),
                "coordinate": ((*dims, "axis"), self.coordinates),
                "time_error": (dims, self.time_error),
            },
            {"axis": list(self.names)},
            attrs={"offset": self.offset, "direction": self.direction, "status": self.status.name},
        )


def poincare_section(
    system: Any,
    x0: Any,
    plane: Any,
    *,
    dt: float,
    direction: int = 1,
    n_crossings: int = 500,
    n_transient: int = 0,
    max_time: float | None = None,
    u: Any = None,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> PoincareSection:
    """Crossings of a plane by the orbits of a flow, from many starts as one batch.

    Parameters
    ----------
    system : AbstractFlow
        Known or learned.
    x0 : array, shape (sample, dim)
        One start a row, in state units.
    plane : (str or int, float), or (array of shape (dim,), float)
        A component, by name or number, and its value; or a normal and the offset ``normal @ x``.
    dt : float
        Time between two looks, in time units, shorter than any two crossings are apart.
    direction : int
        1 for crossings along the normal (upwards), -1 against it, 0 for both.
    n_crossings, n_transient : int
        Of each orbit: crossings to return, and to drop before them.
    max_time : float, optional
        When to give up, in time units; ``1000 dt`` for each crossing if not given.
    u : array, shape (input,), optional
        A constant input.
    throw : bool
        Whether to raise when an orbit is lost or no orbit crosses.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    PoincareSection

    Raises
    ------
    WrongKind, InvalidInput, NumericalFailure
        As in `crossings`, and if the plane is malformed.

    Notes
    -----
    Cost and limits are those of `crossings`, for each orbit. A plane that the attractor grazes
    gives a section with false edges; the result then carries a caution.

    Examples
    --------
    >>> from takens.systems import Rossler
    >>> found = poincare_section(Rossler(), [[-4.0, -4.0, 0.02]], ("y", 0.0), dt=0.1, n_crossings=20)
    >>> found.names, found.coordinates.shape
    (('x', 'z'), (1, 20, 2))
    """
    flow = a_flow(system, "a section")
    x = states(flow, x0)
    counts(n_crossings=n_crossings, n_transient=n_transient)
    u = an_input(flow, u)
    checked(dt, direction, max_time)
    normal, offset = plane_of(flow, plane)
    found = all_crossings(
        flow, PlaneEvent(normal, np.asarray(offset)), x, dt=dt, direction=direction,
        n_crossings=n_crossings, n_transient=n_transient, max_time=max_time, u=u,
        progress=progress,
    )  # fmt: skip
    none = not np.isfinite(found.times).any()
    status = Status.DIVERGED if found.lost.any() else Status.NO_EVENT if none else Status.OK
    require(status, throw=throw)
    return PoincareSection(
        times=found.times, states=found.states, time_error=found.errors,
        coordinates=found.states @ basis_of(normal).T, normal=normal, offset=offset,
        direction=direction, names=section_names(flow.names, normal), status=status,
        cautions=cautions_of(found, n_crossings),
        provenance=describe(flow) | {"dt": dt, "n_transient": n_transient},
    )  # fmt: skip
