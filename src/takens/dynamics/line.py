r"""A diffusion on a line: everything about it follows from two integrals.

With drift a and noise b, :math:`\varphi(x) = \int 2 a / b^2`: the speed density
:math:`2 e^{\varphi} / b^2` says how long it stays, the scale density :math:`e^{-\varphi}` which way
it leaves. Both are integrated by Gauss-Legendre panels in a coordinate in which a natural end lies
at infinity and the speed density decays exponentially.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import numpy as np
from numpy.polynomial import legendre

from takens.core import InvalidInput, WrongKind
from takens.core.system import AbstractDiffusion
from takens.dynamics.door import a_diffusion

ORDER = 12
PANELS = 256
NEGLIGIBLE = 46.0  # in log: exp(-46) is below 1e-19
FARTHEST = 160.0  # of the coordinate
# Far apart, so that a force that is slow in these time units shows too.
PROBED_TIMES = (2.0**0.5, 0.37, 17.0, 7.3e3, 1.9e6, 8.3e10)
NODES, WEIGHTS = legendre.leggauss(ORDER)
_V = legendre.legvander(NODES, ORDER - 1)
_TO_COEFFICIENTS = np.linalg.inv(_V)
# Row i: weights of the integral from -1 to node i; exact for polynomials through the nodes.
_UPTO = np.stack(
    [legendre.legval(NODES, legendre.legint(e, lbnd=-1)) for e in np.eye(ORDER)], axis=1
) @ _TO_COEFFICIENTS  # fmt: skip


@eqx.filter_jit
def _coefficients(system: Any, t: Any, x: Any, u: Any) -> Any:
    def one(point: Any) -> Any:
        state = point[None]
        noise = system.diffusion(t, state, u)
        return system.drift(t, state, u)[0], (noise @ noise.T)[0, 0]

    return jax.vmap(one)(x)


def coefficients(system: Any, x: np.ndarray, u: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Drift and squared noise at points of a line, each of the shape of `x`."""
    a, b2 = _coefficients(system, np.asarray(0.0), np.ravel(x), u)
    return np.asarray(a).reshape(np.shape(x)), np.asarray(b2).reshape(np.shape(x))


def a_line(system: Any, u: Any = None) -> AbstractDiffusion:
    """`system`, refused unless it is an autonomous diffusion of one component.

    Raises
    ------
    WrongKind
        If it is deterministic, has more components, or depends on time.
    """
    found = a_diffusion(system)
    if found.dim != 1:
        raise WrongKind(
            f"{type(system).__name__} has {found.dim} components; this is exact for one. Use "
            "`transfer_matrix` or `escape_times` for more."
        )
    probe = np.linspace(0.3, 1.7, 5)
    if any(
        not np.array_equal(p, q, equal_nan=True)
        for t in PROBED_TIMES
        for p, q in zip(
            _coefficients(found, np.asarray(0.0), probe, u),
            _coefficients(found, np.asarray(t), probe, u),
            strict=True,
        )
    ):
        raise WrongKind(
            f"{type(system).__name__} depends on time, so it has no stationary law. Hold its "
            "forcing fixed, or simulate paths."
        )
    return found


@dataclasses.dataclass(frozen=True)
class Chart:
    """A coordinate y of the interval from `low` to `high`, in which panels of equal size do well."""

    low: float
    high: float
    centre: float
    scale: float
    kind: tuple[str, str]  # of the lower and the upper end: "natural", "singular" or "regular"

    def x(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position and its derivative by y."""
        lower, upper = self.kind
        if (lower, upper) == ("natural", "natural"):
            return self.centre + self.scale * np.sinh(y), self.scale * np.cosh(y)
        if (lower, upper) == ("regular", "regular"):
            return y, np.ones_like(y)
        if (lower, upper) == ("singular", "singular"):
            share = 1 / (1 + np.exp(-y))
            width = self.high - self.low
            return self.low + width * share, width * share * (1 - share)
        if lower == "natural" or (upper == "singular" and lower == "regular"):  # mirrored
            other = Chart(-self.high, -self.low, -self.centre, self.scale, (upper, lower))
            x, slope = other.x(-y)
            return -x, slope
        if lower == "singular":
            size = self.scale if upper == "natural" else self.high - self.low
            return self.low + size * np.exp(y), size * np.exp(y)
        return self.low + self.scale * np.sinh(y), self.scale * np.cosh(y)

    def y(self, x: np.ndarray) -> np.ndarray:
        """Coordinate of positions inside."""
        lower, upper = self.kind
        with np.errstate(divide="ignore"):
            if (lower, upper) == ("natural", "natural"):
                return np.arcsinh((x - self.centre) / self.scale)
            if (lower, upper) == ("regular", "regular"):
                return np.asarray(x, float)
            if (lower, upper) == ("singular", "singular"):
                return np.log((x - self.low) / (self.high - x))
            if lower == "natural" or (upper == "singular" and lower == "regular"):
                other = Chart(-self.high, -self.low, -self.centre, self.scale, (upper, lower))
                return -other.y(-x)
            if lower == "singular":
                size = self.scale if upper == "natural" else self.high - self.low
                return np.log((x - self.low) / size)
            return np.arcsinh((x - self.low) / self.scale)

    def ends(self, reach: float) -> tuple[float, float]:
        """Of the coordinate, infinity replaced by `reach`."""
        if self.kind == ("regular", "regular"):
            return self.low, self.high
        lower, upper = (kind != "regular" for kind in self.kind)
        return (-reach if lower else 0.0), (reach if upper else 0.0)


@dataclasses.dataclass(frozen=True)
class Line:
    """Panels of a line: arrays of shape (panel, node)."""

    chart: Chart
    edges: np.ndarray
    x: np.ndarray
    slope: np.ndarray  # dx / dy
    phi: np.ndarray
    b2: np.ndarray

    def cumulative(self, values: np.ndarray) -> tuple[np.ndarray, float]:
        """Integral over y from the lower end to each node, and over all."""
        half = 0.5 * np.diff(self.edges)[:, None]
        whole = np.sum(values * WEIGHTS * half, axis=1)
        before = np.concatenate([[0.0], np.cumsum(whole)[:-1]])[:, None]
        return before + half * (values @ _UPTO.T), float(whole.sum())

    def remaining(self, values: np.ndarray) -> np.ndarray:
        """Integral over y from each node to the upper end; not a difference, so no digits cancel."""
        half = 0.5 * np.diff(self.edges)[:, None]
        whole = np.sum(values * WEIGHTS * half, axis=1)
        after = np.append(np.cumsum(whole[::-1])[::-1][1:], 0.0)[:, None]
        return after + half * (values @ _UPTO[::-1, ::-1].T)

    def at(self, values: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Values on the nodes, interpolated at positions; NaN outside the panels."""
        y = self.chart.y(np.asarray(x, float))
        panel = np.clip(np.searchsorted(self.edges, y, side="right") - 1, 0, len(self.edges) - 2)
        left, right = self.edges[panel], self.edges[panel + 1]
        z = (2 * y - left - right) / (right - left)
        inside = np.abs(z) <= 1 + 1e-9
        basis = legendre.legvander(np.where(inside, z, 0.0), ORDER - 1)
        found = np.sum((basis @ _TO_COEFFICIENTS) * values[panel], axis=1)
        return np.where(inside, found, np.nan)


def chart_of(
    system: Any, support: tuple[float, float], grid: np.ndarray, u: Any, held: tuple[bool, bool]
) -> Chart:
    """The coordinate that suits the ends; an end that is `held` (absorbing) is regular."""
    low, high = float(support[0]), float(support[1])
    if not (low < high and low <= grid.min() and grid.max() <= high):
        raise InvalidInput(
            f"The interval runs from {low:g} to {high:g}, the points given from {grid.min():g} to "
            f"{grid.max():g}. Give a low and a higher end around them."
        )
    middle = 0.5 * (grid.min() + grid.max())
    typical = coefficients(system, np.array([middle]), u)[1][0]
    kinds = []
    for end, absorbs in zip((low, high), held, strict=True):
        if not np.isfinite(end):
            kinds.append("natural")
            continue
        a, b2 = (v[0] for v in coefficients(system, np.array([end]), u))
        vanishes = not (np.isfinite(a) and np.isfinite(b2) and b2 > 1e-12 * typical)
        kinds.append("singular" if vanishes and not absorbs else "regular")
    spread = max(float(np.ptp(grid)), 1e-3 * abs(middle))
    size = spread if np.ptp(grid) > 0 else 1.0
    if "singular" in kinds and not np.isfinite(high - low):
        size = abs(middle - (low if kinds[0] == "singular" else high)) or 1.0
    return Chart(low, high, middle, size, (kinds[0], kinds[1]))


def _log_speed(system: Any, chart: Chart, y: np.ndarray, u: Any) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the speed density per unit of y on a fine grid, and where noise is missing."""
    with np.errstate(all="ignore"):
        x, slope = chart.x(y)
        a, b2 = coefficients(system, x, u)
        rise = 2 * a / b2 * slope
        steps = 0.5 * (rise[1:] + rise[:-1]) * np.diff(y)
        middle = len(y) // 2
        phi = np.concatenate(
            [-np.cumsum(steps[:middle][::-1])[::-1], [0], np.cumsum(steps[middle:])]
        )
        return phi - np.log(b2) + np.log(slope), ~(b2 > 0) & np.isfinite(x)


def make_line(
    system: Any, support: tuple[float, float], grid: np.ndarray, u: Any = None,
    n_panels: int = PANELS, held: tuple[bool, bool] = (False, False),
    judged: np.ndarray | None = None,
) -> Line:  # fmt: skip
    """Panels over the part of the support that holds all but 1e-19 of the speed measure.

    Where a position of `judged` lies in a tail, all but 1e-19 of what lies beyond it.

    Raises
    ------
    InvalidInput
        If the noise vanishes inside, or the speed measure of an end is not finite.
    """
    chart = chart_of(system, support, grid, u, held)
    reach = 4.0
    while True:
        y = np.linspace(*chart.ends(reach), 4097)
        logs, missing = _log_speed(system, chart, y, u)
        shown = chart.y(grid)
        within = (y > shown.min()) & (y < shown.max())
        if (missing & within).any():
            where = chart.x(y[missing & within])[0][0]
            raise InvalidInput(
                f"The noise of {type(system).__name__} vanishes at {where:.4g}, inside the "
                "interval. End the interval there: a path does not cross it."
            )
        fine = np.isfinite(logs)
        top = np.max(logs[fine])
        floor = np.full(len(y), top)
        if judged is not None:
            ends = chart.y(np.array([judged.min(), judged.max()]))
            here = np.minimum(np.interp(ends, y[fine], logs[fine]), top)
            floor[y < ends[0]], floor[y > ends[1]] = here
        kept = np.flatnonzero(fine & (logs >= floor - NEGLIGIBLE))
        low_done = chart.kind[0] == "regular" or kept[0] > 0
        high_done = chart.kind[1] == "regular" or kept[-1] < len(y) - 1
        beyond = (kept[0] > 0 and not fine[kept[0] - 1]) or (
            kept[-1] < len(y) - 1 and not fine[kept[-1] + 1]
        )
        if low_done and high_done and not beyond:
            break
        reach *= 2
        if reach > FARTHEST or beyond:
            which = "lower" if not low_done or (beyond and kept[0] > 0) else "upper"
            raise InvalidInput(
                f"The time spent near the {which} end of {type(system).__name__} has no finite "
                "integral: paths settle there or leave, and no stationary law exists. Give a "
                "finite end, at which paths are reflected."
            )
    edge = [y[max(kept[0] - 1, 0)], y[min(kept[-1] + 1, len(y) - 1)]]
    edge = [min(edge[0], shown.min()), max(edge[1], shown.max())]
    floor, ceiling = y[0], y[-1]
    return _panels(system, chart, np.linspace(max(edge[0], floor), min(edge[1], ceiling),
                                              n_panels + 1), u)  # fmt: skip


def _panels(system: Any, chart: Chart, edges: np.ndarray, u: Any) -> Line:
    half = 0.5 * np.diff(edges)[:, None]
    y = edges[:-1, None] + half * (1 + NODES)
    x, slope = chart.x(y)
    a, b2 = coefficients(system, x, u)
    if not (np.isfinite(a).all() and np.isfinite(b2).all() and (b2 > 0).all()):
        raise InvalidInput(
            f"Drift or noise of {type(system).__name__} is not finite, or noise is missing, "
            "somewhere in the interval. Choose an interval in which both exist."
        )
    bare = Line(chart, edges, x, slope, np.zeros_like(x), b2)
    return dataclasses.replace(bare, phi=bare.cumulative(2 * a / b2 * slope)[0])
