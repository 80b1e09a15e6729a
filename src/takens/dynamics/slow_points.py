"""Slow points: places where a system nearly rests without a fixed point, such as ghosts of folds."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core import AbstractResult, InvalidInput, Status, require
from takens.core.system import AbstractFlow, AbstractSystem
from takens.dynamics.door import a_system, an_input, counts, describe
from takens.dynamics.fixed_points import autonomous, imbalance, starts_from
from takens.dynamics.newton import (
    accepted,
    first_order_errors,
    solve_from,
    with_jacobian,
)
from takens.dynamics.rescaled import pace_of, rate_at, rescaled, typical, unit_of
from takens.dynamics.stability import n_unstable, ordered

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SlowPoints(AbstractResult):
    """Local minima of speed that are no fixed points, the slowest first.

    Parameters
    ----------
    points : array, shape (point, dim)
        In state units.
    speeds : array, shape (point,)
        Norm of the vector field, or of ``step(x) - x``.
    relative_speeds : array, shape (point,)
        The same over the median at the starts.
    eigenvalues : complex array, shape (point, dim)
        Of the Jacobian of a flow, or of the map's; most unstable first.
    n_unstable : array of int, shape (point,)
        Directions that grow there.
    curvatures : array, shape (point,)
        Smallest eigenvalue of the Hessian of half the squared speed: near zero the minimum is a
        channel rather than a point.
    error : array, shape (point,)
        First-order bound of the distance to the exact minimum; infinite where it is degenerate.
    hits : array of int, shape (point,)
        Starts that ended there.
    n_fixed : int
        Starts that ended on fixed points instead.
    is_map : bool
        Whether time is discrete.
    names : tuple of str
        Of the state components.
    """

    points: np.ndarray
    speeds: np.ndarray
    relative_speeds: np.ndarray
    eigenvalues: np.ndarray
    n_unstable: np.ndarray
    curvatures: np.ndarray
    error: np.ndarray
    hits: np.ndarray
    n_fixed: int
    is_map: bool
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.points)

    def summary(self) -> str:
        """Each point with its speed."""
        if self.status is not Status.OK:
            return f"No slow points: {self.status.value}"
        lines = [f"{len(self)} slow point(s); {self.n_fixed} start(s) ended on fixed points."]
        for i in range(min(len(self), 12)):
            at = ", ".join(f"{v:.6g}" for v in self.points[i][:6])
            more = ", ..." if self.points.shape[1] > 6 else ""
            lines.append(f"  ({at}{more}) ± {self.error[i]:.1g}: speed {self.speeds[i]:.4g}, "
                         f"{self.relative_speeds[i]:.2g} of the usual, "
                         f"{self.n_unstable[i]} unstable direction(s)")  # fmt: skip
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """The points in the plane of the first two components, larger the slower."""
        from takens import plot

        ax = plot.axes(ax)
        two = len(self.names) > 1
        for i, point in enumerate(self.points):
            size = 4 + 2 * min(6.0, max(0.0, -np.log10(self.relative_speeds[i] + 1e-300)))
            plot.line(ax, point[:1], point[1:2] if two else self.speeds[i : i + 1],
                      linestyle="none", marker="o", markersize=size, color=plot.COLOURS[0],
                      markerfacecolor="none")  # fmt: skip
        return plot.labels(ax, self.names[0], self.names[1] if two else "speed")

    def to_xarray(self) -> xr.Dataset:
        """Points and what is known of each, with named dimensions."""
        import xarray as xr

        return xr.Dataset(
            {
                "point": (("number", "component"), self.points),
                "speed": ("number", self.speeds),
                "relative_speed": ("number", self.relative_speeds),
                "eigenvalue_real": (("number", "order"), self.eigenvalues.real),
                "eigenvalue_imag": (("number", "order"), self.eigenvalues.imag),
                "n_unstable": ("number", self.n_unstable),
                "curvature": ("number", self.curvatures),
                "error": ("number", self.error),
                "hits": ("number", self.hits),
            },
            {"component": list(self.names)},
            attrs={"status": self.status.name, "n_fixed": self.n_fixed},
        )


def _gradient(system: AbstractSystem, u: Any, pace: Any) -> Any:
    """Gradient of half the squared speed, by forward differentiation."""
    at = with_jacobian(lambda x: pace * imbalance(system, 0.0, x, u))

    def gradient(x: Any) -> Any:
        value, jacobian = at(x)
        return jacobian.T @ value

    return gradient


@eqx.filter_jit
def _minimise(system: AbstractSystem, starts: Any, u: Any, pace: Any) -> Any:
    def one(x: Any) -> Any:
        at = with_jacobian(lambda y: pace * imbalance(system, 0.0, y, u))
        x, _, _ = solve_from(at, x, n_polish=-1)
        gradient = with_jacobian(_gradient(system, u, pace))
        x, slope, hessian = solve_from(gradient, x, n_damped=0, n_polish=8)
        return x, *at(x), slope, hessian

    return jax.vmap(one)(starts)


@eqx.filter_jit
def _hessians(system: AbstractSystem, points: Any, u: Any, pace: Any) -> Any:
    return jax.vmap(jax.jacfwd(_gradient(system, u, pace)))(jnp.asarray(points))


def slow_points(
    system: Any,
    x0: Any = None,
    *,
    bounds: Any = None,
    n_starts: int = 256,
    u: Any = None,
    max_speed: float = np.inf,
    tolerance: float = 1e-6,
    seed: int = 0,
    throw: bool = True,
) -> SlowPoints:
    r"""Local minima of :math:`q = |f|^2 / 2` that are no fixed points; for a map, of :math:`|F(x) - x|^2 / 2`.

    All starts run as one batch of Levenberg-Marquardt steps, then of Newton steps on the gradient
    of q. Minima with a positive Hessian are kept unless the speed vanishes.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned; its rule must not depend on time.
    x0 : array, shape (sample, dim), optional
        Starts, in state units. A stretch of the system's own orbit is a good choice.
    bounds : array, shape (dim, 2), optional
        A box to start in, instead of `x0`.
    n_starts : int
        Starts in the box.
    u : array, shape (input,), optional
        A constant input.
    max_speed : float
        Leave out faster points; in state units per time unit, or per iterate.
    tolerance : float
        Points closer than this are one, relative to ``1 + max|x|``, in units of the largest start
        where all starts are smaller than one.
    seed : int
        Of the starts in the box.
    throw : bool
        Whether to raise when no start converges to anything.

    Returns
    -------
    SlowPoints
        Without any point if all starts ended on fixed points or beyond `max_speed`.

    Raises
    ------
    WrongKind, InvalidInput
        As in `fixed_points`.
    NumericalFailure
        If no start converges, and `throw`.

    Notes
    -----
    Cost: that of one round of `fixed_points`, and eight Hessians of q for each start, each
    ``dim**2`` tangents. Speed is measured in the units of the state: another scaling of the
    components moves the points and makes new ones. That a minimum exists does not make it matter;
    compare `relative_speeds`, and whether orbits come near.

    References
    ----------
    Sussillo and Barak, Neural Computation 25, 626 (2013).

    Examples
    --------
    >>> from takens.systems import LogisticMap
    >>> found = slow_points(LogisticMap(r=0.9), bounds=[(-0.5, 1.5)])
    >>> len(found)
    0
    """
    a_system(system)
    starts, _ = starts_from(system, x0, bounds, n_starts, seed)
    counts(seed=seed)
    u = an_input(system, u)
    if not (0 < tolerance < 1 and max_speed > 0):
        raise InvalidInput(
            f"tolerance = {tolerance}, max_speed = {max_speed}; expected a tolerance between 0 and "
            "1 and a positive speed."
        )
    unit = unit_of(starts)  # the search is in this unit of the state and, of a flow, in its pace
    seen = rescaled(system, unit)
    at_starts = autonomous(system, starts, u) / unit
    pace = pace_of(system, rate_at(starts / unit, at_starts))
    usual = typical(pace * at_starts)
    found = _minimise(seen, starts / unit, u, pace)
    x, f, jacobian, slope, hessian = (np.asarray(a) for a in found)
    fixed = accepted(x, f, jacobian, usual)
    bends = np.array([_least(h) for h in hessian])
    still = accepted(x, slope, hessian, usual**2) & ~fixed & (bends > 0)
    speeds = np.linalg.norm(f, axis=1) * (unit / pace)
    groups = _grouped(x, np.nonzero(still & (speeds <= max_speed))[0], speeds, tolerance)
    status = Status.OK if (still | fixed).any() else Status.NOT_CONVERGED
    require(status, throw=throw)
    rows = np.array([g[0] for g in groups], dtype=int)
    is_map = not isinstance(system, AbstractFlow)
    n, dim = len(rows), system.dim
    tangents = jacobian[rows] / pace + (np.eye(dim) if is_map else 0)
    values = [ordered(np.linalg.eigvals(t), is_map) for t in tangents]
    errors = first_order_errors(
        x[rows], slope[rows], hessian[rows], lambda y: np.asarray(_hessians(seen, y, u, pace))
    )
    return SlowPoints(
        points=unit * x[rows].reshape(n, dim), speeds=speeds[rows],
        relative_speeds=speeds[rows] / (usual * unit / pace),
        eigenvalues=np.array(values, dtype=complex).reshape(n, dim),
        n_unstable=np.array([n_unstable(_others(v, is_map), is_map) for v in values], dtype=int),
        curvatures=bends[rows] / pace**2, error=unit * errors, hits=np.array([len(g) for g in groups], dtype=int),
        n_fixed=int(fixed.sum()), is_map=is_map, names=system.names, status=status,
        provenance=describe(system) | {"n_starts": len(starts), "seed": seed},
    )  # fmt: skip


def _others(eigenvalues: np.ndarray, is_map: bool) -> np.ndarray:
    """All but the neutral one: where the gradient of q vanishes and f does not, ``J.T f = 0``."""
    return np.delete(eigenvalues, np.argmin(np.abs(eigenvalues - is_map)))


def _least(hessian: np.ndarray) -> float:
    if not np.isfinite(hessian).all():
        return float("nan")
    return float(np.linalg.eigvalsh((hessian + hessian.T) / 2)[0])


def _grouped(
    x: np.ndarray, rows: np.ndarray, speeds: np.ndarray, tolerance: float
) -> list[list[int]]:
    """Rows that lie on one point, the slowest point first."""
    groups: list[list[int]] = []
    for i in rows[np.argsort(speeds[rows], kind="stable")].tolist():
        reach = tolerance * (1 + np.abs(x[i]).max())
        for group in groups:
            if np.abs(x[group[0]] - x[i]).max() <= reach:
                group.append(i)
                break
        else:
            groups.append([i])
    return groups
