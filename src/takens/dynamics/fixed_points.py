"""Fixed points of maps and equilibria of autonomous flows, with stability, type and index."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import numpy as np

from takens.core import AbstractResult, Finding, InvalidInput, Status, WrongKind, require
from takens.core.system import AbstractDiffusion, AbstractFlow, AbstractSystem
from takens.dynamics.door import a_system, an_input, counts, describe, fraction, numbers, states
from takens.dynamics.newton import (
    collected,
    first_order_errors,
    solve_from,
    uncertain,
    with_jacobian,
)
from takens.dynamics.rescaled import pace_of, rate_at, rescaled, typical, unit_of
from takens.dynamics.stability import (
    UNDECIDED,
    kind,
    n_neutral,
    n_unstable,
    ordered,
    topological_index,
)

if TYPE_CHECKING:
    import xarray as xr

# Far apart, so that a force that is slow in these time units shows too.
PROBED_TIMES = (0.0, 1.0, 0.37, 2.61803, 17.0, 7.3e3, 1.9e6, 4.1e8, 8.3e10)
PROBED_COUNTS = (0.0, 1.0, 2.0, 3.0, 17.0)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FixedPoints(AbstractResult):
    """Fixed points of a map or equilibria of a flow, the least unstable first.

    Parameters
    ----------
    points : array, shape (point, dim)
        In state units.
    eigenvalues : complex array, shape (point, dim)
        Of the Jacobian of a flow (per time unit), or the multipliers of a map; most unstable first.
    error : array, shape (point,)
        First-order bound of the distance to the exact point, rounding included; infinite where
        the Jacobian is singular. A certified radius instead where `certified`.
    residual : array, shape (point,)
        Norm of the vector field, or of ``step(x) - x``.
    types : tuple of str
        Such as ``"stable focus"`` or ``"saddle"``.
    n_unstable : array of int, shape (point,)
        Unstable directions.
    index : array of int, shape (point,)
        Topological index: sign of ``det J`` for a flow, of ``det(1 - J)`` for a map; 0 if singular.
    certified : array of bool, shape (point,)
        Whether existence and uniqueness within `error` are proven by interval arithmetic.
    hits : array of int, shape (point,)
        Starts that ended there.
    complete : bool
        Whether these are all the real fixed points there are.
    is_map : bool
        Whether time is discrete.
    names : tuple of str
        Of the state components.
    """

    points: np.ndarray
    eigenvalues: np.ndarray
    error: np.ndarray
    residual: np.ndarray
    types: tuple[str, ...]
    n_unstable: np.ndarray
    index: np.ndarray
    certified: np.ndarray
    hits: np.ndarray
    complete: bool
    is_map: bool
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.points)

    @property
    def stable(self) -> np.ndarray:
        """Whether every direction decays, shape (point,); false where linearisation is undecided."""
        return np.array([name.startswith("stable") for name in self.types], dtype=bool)

    def summary(self) -> str:
        """Each point with its error, type and leading eigenvalue."""
        if self.status is Status.NOT_APPLICABLE:
            return "No isolated fixed points. " + " ".join(c.text for c in self.cautions)
        if self.status is not Status.OK:
            return f"No fixed points: {self.status.value}"
        one, many = (
            ("fixed point", "fixed points") if self.is_map else ("equilibrium", "equilibria")
        )
        whole = "all there are" if self.complete else "not proven to be all"
        lines = [f"{len(self)} {one if len(self) == 1 else many}, {whole}:"]
        for i in range(min(len(self), 12)):
            at = ", ".join(f"{v:.6g}" for v in self.points[i][:6])
            more = ", ..." if self.points.shape[1] > 6 else ""
            word = "multiplier" if self.is_map else "eigenvalue"
            lines.append(f"  ({at}{more}) ± {self.error[i]:.1g}: {self.types[i]}, leading {word} "
                         f"{_written(self.eigenvalues[i, 0])}")  # fmt: skip
        if len(self) > 12:
            lines.append(f"  and {len(self) - 12} more")
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """The points in the plane of the first two components, full where stable."""
        from takens import plot

        ax = plot.axes(ax)
        second = 1 if len(self.names) > 1 else None
        for i, name in enumerate(dict.fromkeys(self.types)):
            chosen = [t == name for t in self.types]
            x = self.points[chosen, 0]
            y = np.zeros(len(x)) if second is None else self.points[chosen, 1]
            colour = plot.COLOURS[i % len(plot.COLOURS)]
            face = colour if name.startswith("stable") else "none"
            plot.line(ax, x, y, label=name, linestyle="none", marker="o", color=colour,
                      markerfacecolor=face)  # fmt: skip
        return plot.labels(ax, self.names[0], "" if second is None else self.names[1])

    def to_xarray(self) -> xr.Dataset:
        """Points and what is known of each, with named dimensions."""
        import xarray as xr

        return xr.Dataset(
            {
                "point": (("number", "component"), self.points),
                "eigenvalue_real": (("number", "order"), self.eigenvalues.real),
                "eigenvalue_imag": (("number", "order"), self.eigenvalues.imag),
                "error": ("number", self.error),
                "residual": ("number", self.residual),
                "type": ("number", np.array(self.types, dtype=str)),
                "n_unstable": ("number", self.n_unstable),
                "index": ("number", self.index),
                "certified": ("number", self.certified),
                "hits": ("number", self.hits),
            },
            {"component": list(self.names)},
            attrs={"status": self.status.name, "complete": int(self.complete)},
        )


def imbalance(system: AbstractSystem, t: Any, x: Any, u: Any = None) -> Any:
    """What vanishes at a fixed point: the vector field, or ``step(x) - x``."""
    if isinstance(system, AbstractFlow):
        return system.vector_field(t, x, u)
    return system.step(t, x, u) - x  # type: ignore[attr-defined]


@eqx.filter_jit
def _search(system: AbstractSystem, starts: Any, u: Any, pace: Any, roots: Any, known: Any) -> Any:
    def one(x: Any) -> Any:
        at = with_jacobian(lambda y: pace * imbalance(system, 0.0, y, u))
        return solve_from(at, x, roots, known)

    return jax.vmap(one)(starts)


@eqx.filter_jit
def _jacobians(system: AbstractSystem, points: Any, u: Any) -> Any:
    """Value and Jacobian of what vanishes, at many points."""
    return jax.vmap(with_jacobian(lambda x: imbalance(system, 0.0, x, u)))(points)


@eqx.filter_jit
def at_times(system: AbstractSystem, times: Any, points: Any, u: Any) -> Any:
    """What vanishes at a fixed point, at each of `times` and `points`, (time, sample, dim)."""

    def at(t: Any) -> Any:
        return jax.vmap(lambda x: imbalance(system, t, x, u))(points)

    return jax.lax.map(at, times)  # a loop, so that the rule is compiled once


def autonomous(system: Any, points: np.ndarray, u: Any = None) -> np.ndarray:
    """The imbalance at `points`, shape (sample, dim), of a system checked not to depend on time.

    Raises
    ------
    WrongKind
        If the system is a diffusion, or its rule differs between times.
    """
    if isinstance(a_system(system), AbstractDiffusion):
        raise WrongKind(
            f"{type(system).__name__} is a diffusion: noise moves it away from every point. "
            "Write a flow with its drift, or ask for its stationary density."
        )
    probed = PROBED_TIMES if isinstance(system, AbstractFlow) else PROBED_COUNTS
    values = np.asarray(at_times(system, np.array(probed), points, u))
    spread = np.abs(values - values[0])
    if np.any(spread > 1e-10 * (1e-30 + np.abs(values[0]).max())):
        flow = isinstance(system, AbstractFlow)
        remedy = ("Ask the same of `stroboscopic_map(system, period)`." if flow
                  else "Compose the map over one period of its rule.")  # fmt: skip
        raise WrongKind(
            f"The rule of {type(system).__name__} depends on time, so it has no fixed points in "
            f"general. {remedy}"
        )
    return values[0]


def box(system: AbstractSystem, bounds: Any, what: str = "bounds") -> np.ndarray:
    """`bounds` as an array of shape (dim, 2) with lower ends below upper ends.

    Raises
    ------
    InvalidInput
        If it is not.
    """
    array = numbers(bounds, what)
    good = array.shape == (system.dim, 2) and np.isfinite(array).all()
    if not (good and np.all(array[:, 0] < array[:, 1])):
        raise InvalidInput(
            f"{what} = {bounds!r}; expected shape ({system.dim}, 2): a lower and a larger upper "
            "end for each component."
        )
    return array


def spread_in(bounds: np.ndarray, n: int, seed: int) -> np.ndarray:
    """`n` points of a scrambled Sobol sequence in a box, shape (n, dim)."""
    from scipy.stats import qmc

    power = int(np.ceil(np.log2(max(n, 2))))
    unit = qmc.Sobol(len(bounds), rng=np.random.default_rng(seed)).random_base2(power)[:n]
    return bounds[:, 0] + unit * (bounds[:, 1] - bounds[:, 0])


def starts_from(
    system: AbstractSystem, x0: Any, bounds: Any, n_starts: int, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Starts, shape (sample, dim), and the box that they come from, if any.

    Raises
    ------
    InvalidInput
        If not exactly one of `x0` and `bounds` is given, or it has the wrong shape.
    """
    if (x0 is None) == (bounds is None):
        given = "both were" if x0 is not None else "neither was"
        raise InvalidInput(f"Give starts as x0, or a box as bounds: {given} given; expected one.")
    counts(n_starts=n_starts, seed=seed)
    if bounds is None:
        return states(system, x0), None
    region = box(system, bounds)
    return spread_in(region, n_starts, seed), region


def fixed_points(
    system: Any,
    x0: Any = None,
    *,
    bounds: Any = None,
    n_starts: int = 256,
    u: Any = None,
    tolerance: float = 1e-6,
    max_points: int = 64,
    seed: int = 0,
    throw: bool = True,
) -> FixedPoints:
    r"""Fixed points of a map (:math:`F(x) = x`) or equilibria of an autonomous flow (:math:`f(x) = 0`).

    All starts run as one batch of damped Newton iterations. Roots found are then deflated, the
    residual multiplied by :math:`\prod_k (1 + |x - x_k|^{-2})`, and all starts run again, until a
    round finds nothing new: starts that fell into one root now look for others.

    Parameters
    ----------
    system : AbstractMap or AbstractFlow
        Known or learned; its rule must not depend on time.
    x0 : array, shape (sample, dim), optional
        Starts, in state units. A stretch of the system's own orbit is a good choice.
    bounds : array, shape (dim, 2), optional
        A box to start in, instead of `x0`; only points inside are returned.
    n_starts : int
        Starts in the box.
    u : array, shape (input,), optional
        A constant input.
    tolerance : float
        Points closer than this are one, relative to ``1 + max|x|``, in units of the largest start
        where all starts are smaller than one.
    max_points : int
        Most points to look for.
    seed : int
        Of the starts in the box.
    throw : bool
        Whether to raise when none is found.

    Returns
    -------
    FixedPoints
        With status NOT_CONVERGED when none is found.

    Raises
    ------
    WrongKind
        If `system` is a diffusion or no system, or its rule depends on time.
    InvalidInput
        If the starts are malformed, or both or neither of `x0` and `bounds` are given.
    NumericalFailure
        If no start converges, and `throw`.

    Notes
    -----
    Cost: up to six rounds of at most 100 iterations for every start, each a Jacobian (`dim`
    tangents) and a solve of cost ``dim**3``. The list is what the starts led to; that there is no
    other point is not established. For polynomial rules `all_fixed_points` establishes it.
    The errors are first-order bounds; where an eigenvalue is neutral, linearisation does not
    decide stability, and the type says so.

    References
    ----------
    Farrell, Birkisson and Funke, SIAM J. Sci. Comput. 37, A2026 (2015), deflation.

    Examples
    --------
    >>> from takens.systems import Lorenz63
    >>> found = fixed_points(Lorenz63(), bounds=[(-30, 30), (-30, 30), (0, 50)])
    >>> found.types
    ('saddle', 'saddle-focus', 'saddle-focus')
    """
    u = an_input(system, u)
    a_system(system)
    starts, region = starts_from(system, x0, bounds, n_starts, seed)
    counts(max_points=max_points)
    fraction(tolerance=tolerance)
    unit = unit_of(starts)
    seen = rescaled(system, unit)
    at_starts = autonomous(system, starts, u) / unit
    pace = pace_of(system, rate_at(starts / unit, at_starts))
    scale = typical(pace * at_starts)

    def search(roots: np.ndarray, known: np.ndarray) -> Any:
        return _search(seen, starts / unit, u, pace, roots, known)

    found, hits = collected(search, system.dim, scale, tolerance, max_points)
    found = [unit * x for x in found]
    cautions: list[Finding] = []
    if region is not None:
        inside = [bool(np.all((region[:, 0] <= x) & (x <= region[:, 1]))) for x in found]
        if not all(inside):
            cautions.append(_outside(len(found) - sum(inside)))
        kept = [i for i, keep in enumerate(inside) if keep]
        found, hits = [found[i] for i in kept], [hits[i] for i in kept]
    if len(found) >= max_points:
        cautions.append(_crowded(max_points))
    status = Status.OK if found else Status.NOT_CONVERGED
    require(status, throw=throw)
    return assembled(
        system, np.array(found).reshape(-1, system.dim), np.array(hits, dtype=int), u, status,
        cautions, {"n_starts": len(starts), "tolerance": tolerance, "seed": seed}, unit=unit,
    )  # fmt: skip


def assembled(
    system: AbstractSystem, points: np.ndarray, hits: np.ndarray, u: Any, status: Status,
    cautions: list[Finding], provenance: dict[str, Any], complete: bool = False,
    radii: np.ndarray | None = None, unit: float = 1.0,
) -> FixedPoints:  # fmt: skip
    """Everything that is said of points once they are known, in order of instability."""
    is_map = not isinstance(system, AbstractFlow)
    n, dim = points.shape
    f, slope = np.zeros((n, dim)), np.zeros((n, dim, dim))
    if n:
        f, slope = (np.asarray(a) for a in _jacobians(system, points, u))
    jacobian = slope + np.eye(dim) if is_map else slope
    values = np.array([ordered(np.linalg.eigvals(j), is_map) for j in jacobian], dtype=complex)
    values = values.reshape(n, dim)
    pace = pace_of(system, np.linalg.norm(slope, axis=(1, 2)))

    def jacobians(x: np.ndarray) -> np.ndarray:
        return np.asarray(pace[:, None, None] * _jacobians(system, unit * x, u)[1])

    paced = pace[:, None, None] * slope
    error = unit * first_order_errors(points / unit, pace[:, None] * f / unit, paced, jacobians)
    blur = np.where(np.isinf(error), uncertain(points / unit, paced, jacobians) / pace, 0.0)
    unstable = np.array(
        [n_unstable(v, is_map, b) for v, b in zip(values, blur, strict=True)], dtype=int
    )
    certified = np.zeros(n, dtype=bool) if radii is None else np.isfinite(radii)
    if radii is not None:
        error = np.where(certified, radii, error)
    index = np.array([topological_index(j, is_map) for j in jacobian], dtype=int)
    order = np.lexsort((*points.T[::-1], unstable)) if n else np.zeros(0, dtype=int)
    if np.isinf(error).any() or any(n_neutral(v, is_map) for v in values):
        cautions = [*cautions, _neutral()]
    return FixedPoints(
        points=points[order],
        eigenvalues=values[order],
        error=error[order],
        residual=np.linalg.norm(f, axis=1)[order],
        types=tuple(
            UNDECIDED if np.isinf(e) else kind(v, is_map)
            for v, e in zip(values[order], error[order], strict=True)
        ),
        n_unstable=unstable[order],
        index=np.where(np.isinf(error[order]), 0, index[order]),
        certified=certified[order],
        hits=hits[order],
        complete=complete,
        is_map=is_map,
        names=system.names,
        status=status,
        cautions=tuple(cautions),
        provenance=describe(system) | provenance,
    )


def _outside(n: int) -> Finding:
    return Finding(
        code="points-outside-bounds",
        text=f"{n} more fixed point(s) were found outside the bounds.",
        action="They are left out; widen the bounds to have them.",
        level="note",
    )


def _crowded(n: int) -> Finding:
    return Finding(
        code="many-fixed-points",
        text=f"The search stopped at max_points = {n}.",
        action="Allow more, unless the points fill a curve: then they are not isolated.",
    )


def _neutral() -> Finding:
    return Finding(
        code="undecided-stability",
        text="A fixed point has an eigenvalue that neither grows nor decays.",
        action="Its stability is decided by nonlinear terms, which are not looked at here.",
    )


def _written(value: complex) -> str:
    if abs(value.imag) <= 1e-12 * abs(value):
        return f"{value.real:.6g}"
    return f"{value.real:.6g} ± {abs(value.imag):.6g}i"
