"""Stable and unstable manifolds of a saddle, as curves and surfaces."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status
from takens.core.system import AbstractFlow, AbstractMap
from takens.dynamics.derived import iterate
from takens.dynamics.door import a_number, a_system, an_input, counts, describe, state
from takens.dynamics.fixed_points import fixed_points
from takens.dynamics.manifold_growth import Grown, curve_from, surface_from
from takens.dynamics.rescaled import rescaled, unit_of

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Manifold(AbstractResult):
    """A stable or unstable manifold of a saddle, up to some arc length.

    Parameters
    ----------
    curves : tuple of array, shape (point, dim)
        Of dimension one: its two halves, from the saddle outwards. Of dimension two: orbits around
        the saddle in order of their angle, at equal arc lengths, which span the surface.
    point : array, shape (dim,)
        The saddle, in state units.
    dimension : int
        1 or 2.
    is_stable : bool
        Whether orbits on it approach the saddle in forward time.
    largest_gap : float
        Between neighbouring points of a curve, or neighbouring orbits of a surface.
    error : float
        Distance of the first points from the manifold, to lowest order. Outwards it shrinks across
        the manifold; the error of the integrator comes on top.
    names : tuple of str
        Of the state components.
    """

    curves: tuple[np.ndarray, ...]
    point: np.ndarray
    dimension: int
    is_stable: bool
    largest_gap: float
    error: float
    names: tuple[str, ...]

    @property
    def lengths(self) -> np.ndarray:
        """Arc length of each curve, shape (curve,)."""
        return np.array([np.linalg.norm(np.diff(c, axis=0), axis=1).sum() for c in self.curves])

    def summary(self) -> str:
        """Kind, dimension and extent."""
        word = "Stable" if self.is_stable else "Unstable"
        at = ", ".join(f"{v:.6g}" for v in self.point[:6])
        return (
            f"{word} manifold of dimension {self.dimension} of ({at}): {len(self.curves)} curves of "
            f"length {self.lengths.min():.4g} to {self.lengths.max():.4g}, neighbours at most "
            f"{self.largest_gap:.2g} apart, first points within {self.error:.1g}."
        )

    def plot(self, ax: Any = None) -> Any:
        """Curves in the plane of the first two components; a surface in space."""
        from takens import plot

        colour = plot.COLOURS[0 if self.is_stable else 1]
        if self.dimension == 1 or len(self.names) < 3:
            ax = plot.axes(ax)
            for curve in self.curves:
                plot.line(ax, curve[:, 0], curve[:, 1], color=colour, linewidth=0.8)
            plot.line(ax, self.point[:1], self.point[1:2], linestyle="none", marker="o", color="k")
            return plot.labels(ax, self.names[0], self.names[1])
        ax = plot.axes(ax, projection="3d")
        for curve in self.curves:
            ax.plot(*curve[:, :3].T, color=colour, linewidth=0.4, alpha=0.6)
        ring = np.stack([*self.curves, self.curves[0]])
        for i in range(0, ring.shape[1], max(1, ring.shape[1] // 12)):
            ax.plot(*ring[:, i, :3].T, color="0.3", linewidth=0.6)
        ax.set_zlabel(self.names[2])
        return plot.labels(ax, self.names[0], self.names[1])

    def to_xarray(self) -> xr.Dataset:
        """All points in one table with the number of their curve."""
        import xarray as xr

        owner = np.repeat(np.arange(len(self.curves)), [len(c) for c in self.curves])
        return xr.Dataset(
            {"point": (("row", "component"), np.concatenate(self.curves)), "curve": ("row", owner)},
            {"component": list(self.names)},
            attrs={"dimension": self.dimension, "is_stable": int(self.is_stable),
                   "largest_gap": self.largest_gap, "error": self.error},
        )  # fmt: skip


def unstable_manifold(
    system: Any,
    point: Any,
    *,
    length: float = 10.0,
    max_gap: float = 0.05,
    tolerance: float = 1e-9,
    max_points: int = 20_000,
    max_curves: int = 512,
    u: Any = None,
) -> Manifold:
    r"""The unstable manifold of a saddle of a map or a flow, a curve or (for a flow) a surface.

    A curve starts on the unstable eigenvector and is the union of images of one fundamental
    domain; where neighbours part or the curve bends, starts are inserted in between and carried
    forward, so that every point lies on the manifold and none is interpolated. A surface is
    spanned by orbits from a small ellipse in the unstable plane, run by arc length, with orbits
    inserted between neighbours that part.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned; its rule must not depend on time.
    point : array, shape (dim,)
        The saddle, in state units; it is polished first.
    length : float
        Arc length of each curve, in state units.
    max_gap : float
        Largest distance between neighbours, in state units.
    tolerance : float
        How far the first points may lie off the manifold, in state units.
    max_points : int
        Most points of a curve.
    max_curves : int
        Most orbits of a surface.
    u : array, shape (input,), optional
        A constant input.

    Returns
    -------
    Manifold
        With a caution where `max_gap` could not be kept.

    Raises
    ------
    WrongKind
        If `system` is a diffusion or depends on time.
    InvalidInput
        If there is no fixed point near `point`, or the manifold has another dimension.
    NumericalFailure
        If Newton's method does not converge from `point`.

    Notes
    -----
    Cost: for a curve every point is an orbit from the saddle; for a surface some
    ``4 length / max_gap`` steps for each orbit. A curve that folds without end is cut at `length`,
    and one that leads to another fixed point ends there. Orbits of a surface crowd along its
    strong direction; what lies between two that part faster than round-off allows is not reached.

    References
    ----------
    Hobson, J. Comput. Phys. 104, 14 (1993), curves; Krauskopf et al., Int. J. Bifurcation Chaos
    15, 763 (2005), a survey of methods for surfaces.

    Examples
    --------
    >>> from takens.systems import HenonMap
    >>> found = unstable_manifold(HenonMap(), [0.63, 0.19], length=2.0)
    >>> found.dimension, len(found.curves)
    (1, 2)
    """
    return _manifold(system, point, False, length, max_gap, tolerance, max_points, max_curves, u)


def stable_manifold(
    system: Any,
    point: Any,
    *,
    length: float = 10.0,
    max_gap: float = 0.05,
    tolerance: float = 1e-9,
    max_points: int = 20_000,
    max_curves: int = 512,
    u: Any = None,
) -> Manifold:
    r"""The stable manifold of a saddle: the unstable one of the system run backwards.

    A flow runs backwards in time. The inverse of a map is found point by point, by Newton's method
    from the inverse of its linearisation at the saddle.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned; its rule must not depend on time.
    point : array, shape (dim,)
        The saddle, in state units; it is polished first.
    length : float
        Arc length of each curve, in state units.
    max_gap : float
        Largest distance between neighbours, in state units.
    tolerance : float
        How far the first points may lie off the manifold, in state units.
    max_points : int
        Most points of a curve.
    max_curves : int
        Most orbits of a surface.
    u : array, shape (input,), optional
        A constant input.

    Returns
    -------
    Manifold
        With a caution where `max_gap` or `length` could not be kept.

    Raises
    ------
    WrongKind, InvalidInput, NumericalFailure
        As in `unstable_manifold`.

    Notes
    -----
    As for `unstable_manifold`. Of a map that is not invertible, the branch of the inverse through
    the saddle is followed, and the curve ends where Newton's method loses it.

    References
    ----------
    As for `unstable_manifold`.

    Examples
    --------
    >>> from takens.systems import HenonMap
    >>> found = stable_manifold(HenonMap(), [0.63, 0.19], length=2.0)
    >>> found.is_stable
    True
    """
    return _manifold(system, point, True, length, max_gap, tolerance, max_points, max_curves, u)


def _manifold(
    system: Any, point: Any, stable: bool, length: float, max_gap: float, tolerance: float,
    max_points: int, max_curves: int, u: Any,
) -> Manifold:  # fmt: skip
    x = state(a_system(system), point, "point")
    counts(n_points=max_points, n_curves=max_curves)
    a_number(length=length, max_gap=max_gap, tolerance=tolerance)
    u = an_input(system, u)
    if not (np.isfinite(length) and 0 < max_gap < length and tolerance > 0):
        raise InvalidInput(
            f"length = {length}, max_gap = {max_gap}, tolerance = {tolerance}; expected a finite "
            "length, a positive gap below it and a positive tolerance."
        )
    found = fixed_points(system, x[None], u=u, max_points=1)
    unit = unit_of(x[None])
    saddle = found.points[0]
    if np.abs(saddle - x).max() > 0.1 * (unit + np.abs(x).max()):
        raise InvalidInput(
            f"The fixed point next to {x.tolist()} is {saddle.tolist()}. Start from `fixed_points`."
        )
    slope = _slope(system, saddle, u)
    values, vectors = np.linalg.eig(slope)
    grows = (np.abs(values) > 1) if found.is_map else (values.real > 0)
    chosen = np.nonzero(grows != stable)[0]
    seen = rescaled(system, unit)
    grown = _grown(seen, saddle / unit, slope, values, vectors, chosen, stable, length / unit,
                   max_gap / unit, tolerance / unit, max_points, max_curves, u)  # fmt: skip
    result = Manifold(
        curves=tuple(unit * c for c in grown.curves), point=saddle, dimension=len(chosen), is_stable=stable,
        largest_gap=unit * grown.gap, error=unit * grown.error, names=system.names, status=Status.OK,
        provenance=describe(system) | {"length": length, "max_gap": max_gap},
    )  # fmt: skip
    return dataclasses.replace(result, cautions=_cautions(result, length, max_gap))


def _slope(system: Any, x: np.ndarray, u: Any) -> np.ndarray:
    import jax

    rule = system.vector_field if isinstance(system, AbstractFlow) else system.step
    return np.asarray(jax.jacfwd(lambda y: rule(0.0, y, u))(jax.numpy.asarray(x)))


def _grown(
    system: Any, saddle: np.ndarray, slope: np.ndarray, values: np.ndarray, vectors: np.ndarray,
    chosen: np.ndarray, stable: bool, length: float, max_gap: float, tolerance: float,
    max_points: int, max_curves: int, u: Any,
) -> Grown:  # fmt: skip
    is_flow = isinstance(system, AbstractFlow)
    if len(chosen) == 1 and abs(values[chosen[0]].imag) == 0:
        direction = vectors[:, chosen[0]].real
        direction = direction / np.linalg.norm(direction)
        value = float(values[chosen[0]].real)
        evolution, tangent, backwards = system, slope, stable
        if is_flow:  # watched at intervals in which distances from the saddle grow threefold
            dt = np.log(3.0) / value
            evolution, value, backwards = system.as_map(float(dt)), 3.0, False
        elif value < 0:  # halves are exchanged by one iterate, kept by two
            evolution, value, tangent = iterate(system, 2), value**2, slope @ slope
        assert isinstance(evolution, AbstractMap)
        return curve_from(
            evolution, saddle, tangent, value=value, direction=direction, backwards=backwards,
            length=length, max_gap=max_gap, tolerance=tolerance, max_points=max_points, u=u,
        )  # fmt: skip
    if len(chosen) == 2 and is_flow:
        return surface_from(
            system, saddle, values=values[chosen], vectors=vectors[:, chosen], backwards=stable,
            length=length, max_gap=max_gap, tolerance=tolerance, max_curves=max_curves, u=u,
        )  # fmt: skip
    word, other = ("stable", "unstable") if stable else ("unstable", "stable")
    raise InvalidInput(
        f"The fixed point has {len(chosen)} {word} direction(s). Curves need one, surfaces two and "
        f"a flow; the {other} manifold may be within reach."
    )


def _cautions(result: Manifold, length: float, max_gap: float) -> tuple[Finding, ...]:
    found = []
    if result.largest_gap > max_gap * (1 + 1e-9):
        found.append(Finding(
            code="gaps-in-manifold",
            text=f"Neighbours are up to {result.largest_gap:.2g} apart; max_gap is {max_gap:g}.",
            action="Allow more points or curves, or ask for a shorter length.",
        ))  # fmt: skip
    if result.lengths.min() < length - 2 * max_gap:
        found.append(Finding(
            code="manifold-ends",
            text=f"A curve ends at length {result.lengths.min():.4g} of {length:g}.",
            action="It leads to a fixed point, runs away or is cut by max_points.",
            level="note",
        ))  # fmt: skip
    return tuple(found)
