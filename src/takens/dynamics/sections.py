"""Poincaré sections of flows, and return maps: one recorded number against the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from takens.core import AbstractResult, InvalidInput, Status, require
from takens.dynamics.crossings import a_flow, all_crossings, cautions_of, checked
from takens.dynamics.door import counts, describe, state, states

if TYPE_CHECKING:
    import xarray as xr


class PlaneEvent(eqx.Module):
    """Signed distance to a plane, in state units; other planes need no new compilation.

    Parameters
    ----------
    normal : array, shape (dim,)
        Of length one.
    offset : array, shape ()
        ``normal @ x`` on the plane.
    """

    normal: Any
    offset: Any

    def __call__(self, t: Any, x: Any) -> Any:
        """Positive on the side that the normal points to."""
        return jnp.dot(self.normal, x) - self.offset


class MaximumEvent(eqx.Module):
    """Rate of change of one component: it falls through zero at a maximum.

    Parameters
    ----------
    flow : AbstractFlow
    weights : array, shape (dim,)
        One at the component, zero elsewhere.
    u : array, shape (input,), optional
    """

    flow: Any
    weights: Any
    u: Any

    def __call__(self, t: Any, x: Any) -> Any:
        """The rate, per time unit."""
        return jnp.dot(self.weights, self.flow.vector_field(t, x, self.u))


def component(system: Any, which: Any) -> int:
    """The index of a component given by name or number.

    Raises
    ------
    InvalidInput
        If there is none such.
    """
    if isinstance(which, str) and which in system.names:
        return int(system.names.index(which))
    whole = isinstance(which, (int, np.integer)) and not isinstance(which, bool)
    if whole and 0 <= which < system.dim:
        return int(which)
    raise InvalidInput(
        f"{which!r} is no component of {type(system).__name__}. It has {list(system.names[:8])}, "
        f"numbered from 0 to {system.dim - 1}."
    )


def plane_of(system: Any, plane: Any) -> tuple[np.ndarray, float]:
    """Unit normal and offset of ``(component, value)`` or ``(normal, offset)``.

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    if not (isinstance(plane, (tuple, list)) and len(plane) == 2):
        raise InvalidInput(
            f"plane = {plane!r}; expected (component, value), such as ('z', 27.0), or "
            "(normal, offset) with one number of the normal for each component."
        )
    first, value = plane
    if isinstance(first, (str, int, np.integer)):
        normal = np.zeros(system.dim)
        normal[component(system, first)] = 1.0
    else:
        normal = state(system, first, "the normal of the plane")
    length = float(np.linalg.norm(normal))
    if not (length > 0 and np.ndim(value) == 0 and np.isfinite(value)):
        raise InvalidInput(f"plane = {plane!r}; expected a nonzero normal and a finite offset.")
    return normal / length, float(value) / length


def basis_of(normal: np.ndarray) -> np.ndarray:
    """Orthonormal rows that span the plane, shape (dim - 1, dim): the other axes where they fit."""
    dim = len(normal)
    along = int(np.argmax(np.abs(normal)))
    rows = np.delete(np.eye(dim), along, axis=0)
    if np.count_nonzero(normal) == 1:
        return rows
    flat = rows - np.outer(rows @ normal, normal)
    return np.linalg.qr(flat.T)[0].T


def section_names(names: tuple[str, ...], normal: np.ndarray) -> tuple[str, ...]:
    """Names of the coordinates on a plane."""
    if np.count_nonzero(normal) == 1:
        along = int(np.argmax(np.abs(normal)))
        return tuple(name for i, name in enumerate(names) if i != along)
    return tuple(f"s{i + 1}" for i in range(len(names) - 1))


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
        return f"{text}; {', '.join(ranges)}."

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
        return paired(values, names[i], self.status, self.provenance)

    def plot(self, ax: Any = None) -> Any:
        """The first two coordinates on the plane, one colour for each orbit."""
        from takens import plot

        ax = plot.axes(ax)
        for i, points in enumerate(self.coordinates):
            if len(self.names) > 1:
                x, y = points[:, 0], points[:, 1]
            else:
                x, y = self.times[i], points[:, 0]
            plot.line(ax, x, y, linestyle="none", marker=".", markersize=2.5,
                      color=plot.COLOURS[i % len(plot.COLOURS)])  # fmt: skip
        pair = self.names[:2] if len(self.names) > 1 else ("time", self.names[0])
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


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ReturnMap(AbstractResult):
    """A recorded number against the next one.

    Parameters
    ----------
    before, after : array, shape (pair,)
        Successive values, in state units.
    name : str
        What they are.
    """

    before: np.ndarray
    after: np.ndarray
    name: str

    @property
    def thickness(self) -> float:
        """How far the pairs are from a curve: median gap of `after` between neighbours in `before`.

        Relative to the standard deviation of `after`; near zero, the next value is a function of
        this one, and one number describes the attractor. It shrinks as the slope over the number
        of pairs even on a curve, and does not vanish faster than that.
        """
        order = np.argsort(self.before)
        spread = float(np.std(self.after))
        gaps = np.abs(np.diff(self.after[order]))
        return float(np.median(gaps)) / spread if len(gaps) and spread > 0 else float("nan")

    def summary(self) -> str:
        """Number of pairs, range and thickness."""
        if not len(self.before):
            return f"No return map: {self.status.value}"
        return (
            f"{len(self.before)} pairs of {self.name} and the next, from {self.before.min():.4g} to "
            f"{self.before.max():.4g}; thickness {self.thickness:.2g} of the spread."
        )

    def plot(self, ax: Any = None) -> Any:
        """The pairs, and the diagonal on which nothing changes."""
        from takens import plot

        ax = plot.axes(ax)
        if len(self.before):
            ends = [
                min(self.before.min(), self.after.min()),
                max(self.before.max(), self.after.max()),
            ]
            plot.line(ax, ends, ends, color="0.6", linewidth=0.8)
        plot.line(ax, self.before, self.after, linestyle="none", marker=".", markersize=3,
                  color=plot.COLOURS[0])  # fmt: skip
        return plot.labels(ax, self.name, f"next {self.name}")

    def to_xarray(self) -> xr.Dataset:
        """Both columns."""
        import xarray as xr

        return xr.Dataset(
            {"before": ("pair", self.before), "after": ("pair", self.after)},
            attrs={"name": self.name, "status": self.status.name},
        )


def paired(values: np.ndarray, name: str, status: Status, provenance: Any) -> ReturnMap:
    """Successive pairs within each row of `values`, shape (sample, n)."""
    before, after = values[:, :-1].ravel(), values[:, 1:].ravel()
    keep = np.isfinite(before) & np.isfinite(after)
    return ReturnMap(
        before=before[keep], after=after[keep], name=name, status=status, provenance=provenance
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
    checked(dt, direction, max_time)
    normal, offset = plane_of(flow, plane)
    found = all_crossings(
        flow, PlaneEvent(normal, np.asarray(offset)), x, dt=dt, direction=direction,
        n_crossings=n_crossings, n_transient=n_transient, max_time=max_time, u=u,
        progress=progress,
    )  # fmt: skip
    none = not np.isfinite(found.times).any()
    status = Status.DIVERGED if found.lost.any() else Status.NOT_CONVERGED if none else Status.OK
    require(status, throw=throw)
    return PoincareSection(
        times=found.times, states=found.states, time_error=found.errors,
        coordinates=found.states @ basis_of(normal).T, normal=normal, offset=offset,
        direction=direction, names=section_names(flow.names, normal), status=status,
        cautions=cautions_of(found, n_crossings),
        provenance=describe(flow) | {"dt": dt, "n_transient": n_transient},
    )  # fmt: skip


def return_map(
    system: Any,
    x0: Any,
    variable: str | int,
    *,
    dt: float,
    n_maxima: int = 500,
    n_transient: int = 20,
    max_time: float | None = None,
    u: Any = None,
    throw: bool = True,
) -> ReturnMap:
    """Successive maxima of one component along an orbit of a flow, each against the next.

    Parameters
    ----------
    system : AbstractFlow
        Known or learned.
    x0 : array, shape (dim,)
        Start, in state units.
    variable : str or int
        Name or number of the component.
    dt : float
        Time between two looks, in time units, shorter than from a maximum to the next minimum.
    n_maxima, n_transient : int
        Maxima to record, and to drop before them.
    max_time : float, optional
        When to give up, in time units; ``1000 dt`` for each maximum if not given.
    u : array, shape (input,), optional
        A constant input.
    throw : bool
        Whether to raise when the orbit is lost or has no maximum.

    Returns
    -------
    ReturnMap

    Raises
    ------
    WrongKind, InvalidInput, NumericalFailure
        As in `crossings`.

    Notes
    -----
    Maxima are where the rate of the component falls through zero, located to the accuracy of the
    integrator. That the pairs lie close to a curve shows strong contraction; it is no proof that
    the dynamics are one-dimensional. For other recorded numbers take `poincare_section` and its
    method `return_map`.

    References
    ----------
    Lorenz, J. Atmos. Sci. 20, 130 (1963), figure 4.

    Examples
    --------
    >>> from takens.systems import Lorenz63
    >>> cusp = return_map(Lorenz63(), [-5.76, -2.28, 27.08], "z", dt=0.02, n_maxima=200)
    >>> bool(30 < cusp.before.min() and cusp.before.max() < 50)
    True
    """
    flow = a_flow(system, "a return map of maxima")
    x = state(flow, x0)
    counts(n_maxima=n_maxima, n_transient=n_transient)
    checked(dt, -1, max_time)
    i = component(flow, variable)
    event = MaximumEvent(flow, np.eye(flow.dim)[i], u)
    found = all_crossings(
        flow, event, x[None], dt=dt, direction=-1, n_crossings=n_maxima,
        n_transient=n_transient, max_time=max_time, u=u, progress=None,
    )  # fmt: skip
    have = np.isfinite(found.times[0]).any()
    status = Status.DIVERGED if found.lost[0] else Status.OK if have else Status.NOT_CONVERGED
    require(status, throw=throw)
    result = paired(found.states[..., i], f"maximum of {flow.names[i]}", status, describe(flow))
    return dataclasses.replace(result, cautions=cautions_of(found, n_maxima))
