"""Invariant curves and surfaces grown from the linear directions of a saddle."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core.integrators import RungeKutta
from takens.core.system import AbstractFlow, AbstractMap
from takens.dynamics.newton import solve_from, with_jacobian

BATCH = 256  # points carried in one compiled call
TURN = 0.3  # radians between neighbouring pieces of a curve
N_DOMAINS = 400  # fundamental domains of a curve, at most
N_RING = 32  # orbits that a surface starts with
FINEST = 1e-13  # of parameters between neighbours: round-off lies below


@dataclasses.dataclass(frozen=True)
class Grown:
    """Curves of a manifold: two halves of a curve, or the orbits that span a surface.

    Parameters
    ----------
    curves : tuple of array, shape (point, dim)
    gap : float
        Largest distance between neighbours that remains.
    error : float
        Of the first points, which lie on the linear directions.
    """

    curves: tuple[np.ndarray, ...]
    gap: float
    error: float


@eqx.filter_jit
def _images(
    evolution: AbstractMap, x: Any, times: Any, backwards: bool, anchor: Any, inverse: Any, u: Any
) -> Any:
    """Each point carried on as many times as asked; backwards by solving for the point before."""

    def once(y: Any) -> Any:
        if not backwards:
            return evolution.step(0.0, y, u)
        at = with_jacobian(lambda z: evolution.step(0.0, z, u) - y)
        z, f, _ = solve_from(at, anchor + inverse @ (y - anchor), n_damped=40)
        close = jnp.max(jnp.abs(f)) <= 1e-9 * (1 + jnp.max(jnp.abs(y)))
        return z * jnp.where(close, 1.0, jnp.nan)

    def one(i: Any, x: Any) -> Any:
        return jnp.where((i < times)[:, None], jax.vmap(once)(x), x)

    return jax.lax.fori_loop(0, jnp.max(times), one, x)


class _Line:
    """Half a manifold of dimension one, by a parameter: whole part iterates, the rest the start."""

    def __init__(
        self, evolution: AbstractMap, point: np.ndarray, direction: np.ndarray, factor: float,
        backwards: bool, inverse: np.ndarray, u: Any,
    ) -> None:  # fmt: skip
        self.evolution, self.point, self.direction, self.factor = (
            evolution,
            point,
            direction,
            factor,
        )
        self.backwards, self.inverse, self.u = backwards, inverse, u

    def start(self, parameters: np.ndarray) -> np.ndarray:
        """Points of the first fundamental domain, on the linear direction."""
        return self.point + self.factor ** parameters[:, None] * self.direction

    def at(self, parameters: np.ndarray, domain: int) -> np.ndarray:
        """Points of a later domain."""
        x = self.start(parameters)
        parts = []
        for i in range(0, len(x), BATCH):
            piece = x[i : i + BATCH]
            padded = np.concatenate([piece, np.tile(self.point, (BATCH - len(piece), 1))])
            times = np.where(np.arange(BATCH) < len(piece), domain, 0)
            found = _images(self.evolution, padded, times, self.backwards, self.point,
                            self.inverse, self.u)  # fmt: skip
            parts.append(np.asarray(found)[: len(piece)])
        return np.concatenate(parts)

    def defect(self) -> float:
        """How far the image of the first point lies from the line."""
        ends = np.array([0.0])
        return float(np.linalg.norm(self.at(ends, 1)[0] - self.start(ends + 1.0)[0]))


def _needs(points: np.ndarray, max_gap: float) -> np.ndarray:
    """Pieces to be halved: too long, or meeting the next at too large an angle."""
    pieces = np.diff(points, axis=0)
    sizes = np.linalg.norm(pieces, axis=1)
    wide = ~(sizes <= max_gap)  # what is lost is halved too, to find where
    with np.errstate(all="ignore"):
        cosine = np.sum(pieces[1:] * pieces[:-1], axis=1) / (sizes[1:] * sizes[:-1])
    bent = (cosine < np.cos(TURN)) & (np.maximum(sizes[1:], sizes[:-1]) > max_gap / 50)
    wide[1:] |= bent & (sizes[1:] > max_gap / 100)
    wide[:-1] |= bent & (sizes[:-1] > max_gap / 100)
    return wide


def half_curve(
    line: _Line, length: float, max_gap: float, max_points: int
) -> tuple[np.ndarray, float]:
    """Points along half a curve up to an arc length, and the largest gap left.

    New points are inserted as images of new starts, never interpolated (Hobson, J. Comput. Phys.
    104, 14 (1993)).
    """
    parameters = np.linspace(0.0, 1.0, 9)
    rows, total, gap, count = [line.point[None]], 0.0, 0.0, 0
    for domain in range(N_DOMAINS):
        points = line.at(parameters, domain)
        while True:
            # Only what lies within the length is refined; what has run away is not.
            with np.errstate(invalid="ignore"):
                sizes = np.linalg.norm(np.diff(points, axis=0), axis=1)
                near = np.concatenate([[0.0], np.cumsum(sizes)[:-1]]) < length - total
                split = np.nonzero(near & _needs(points, max_gap) & (np.diff(parameters) > FINEST))[
                    0
                ]
            if not len(split) or count + len(points) + len(split) > max_points:
                break
            middle = 0.5 * (parameters[split] + parameters[split + 1])
            parameters = np.insert(parameters, split + 1, middle)
            points = np.insert(points, split + 1, line.at(middle, domain), axis=0)
        lost = ~np.isfinite(points).all(axis=1)
        if lost.any():
            points = points[: int(np.argmax(lost))]
        if len(points) > 1:
            steps = np.linalg.norm(np.diff(np.concatenate([rows[-1][-1:], points]), axis=0), axis=1)
            along = total + np.cumsum(steps)
            keep = along <= length
            rows.append(points[keep])
            gap = max(gap, float(steps[: int(keep.sum()) + 1].max(initial=0.0)))
            total, count = float(along[-1]), count + int(keep.sum())
        if lost.any() or total >= length or count >= max_points or len(rows[-1]) == 0:
            break
    curve = np.concatenate(rows)
    distinct = np.r_[True, np.linalg.norm(np.diff(curve, axis=0), axis=1) > 0]
    return curve[distinct], gap


def curve_from(
    evolution: AbstractMap, point: np.ndarray, slope: np.ndarray, *, value: float,
    direction: np.ndarray, backwards: bool, length: float, max_gap: float, tolerance: float,
    max_points: int, u: Any,
) -> Grown:  # fmt: skip
    """Both halves of an invariant curve of a map whose multiplier along it is `value`, positive.

    The first points lie so close that the curve leaves its tangent by less than `tolerance`.
    """
    inverse = np.linalg.pinv(slope)
    factor = 1 / value if backwards else value
    halves, gaps, errors = [], [], []
    for sign in (1.0, -1.0):
        reach = min(max_gap, 0.1 * length) / factor
        for _ in range(60):
            line = _Line(evolution, point, sign * reach * direction, factor, backwards, inverse, u)
            error = line.defect()
            if error <= tolerance:
                break
            reach /= 2
        half, gap = half_curve(line, length, max_gap, max_points // 2)
        halves.append(half)
        gaps.append(gap)
        errors.append(error)
    return Grown(tuple(halves), max(gaps), max(errors))


class _ByLength(eqx.Module):
    """A flow with speed one: orbits by their arc length, forwards or backwards."""

    flow: AbstractFlow
    sign: Any
    u: Any
    least: Any  # speed at rest, where there is no direction

    def vector_field(self, t: Any, x: Any, u: Any = None) -> Any:
        """The direction of the flow's field; zero at a rest point."""
        field = self.flow.vector_field(t, x, self.u)
        return self.sign * field / jnp.sqrt(field @ field + self.least**2)


@eqx.filter_jit
def _by_length(flow: Any, x: Any, steps: Any) -> Any:
    """Points of each orbit after each of its own steps, (orbit, step), in arc length."""
    integrator = RungeKutta(1.0)
    move: Any = jax.vmap(lambda z, h: integrator.advance(flow, 0.0, h, z, None, 1))

    def one(x: Any, h: Any) -> tuple[Any, Any]:
        y = move(x, h)
        return y, y

    return jnp.moveaxis(jax.lax.scan(one, x, steps.T)[1], 0, 1)


def surface_from(
    flow: AbstractFlow, point: np.ndarray, *, values: np.ndarray, vectors: np.ndarray,
    backwards: bool, length: float, max_gap: float, tolerance: float, max_curves: int, u: Any,
) -> Grown:  # fmt: skip
    """A fan of orbits that spans an invariant surface, with orbits inserted where they part.

    Orbits start on a small ellipse in the linear plane and run by arc length; between neighbours
    that part by more than `max_gap`, the orbit of the angle halfway is computed from the ellipse.
    It is as narrow along the stronger direction as the linear flow makes a circle of radius
    `length`, carried back: orbits from a circle would all leave along that direction.
    """
    pair = np.concatenate([vectors.real, vectors.imag], axis=1)
    plane = np.linalg.svd(pair)[0][:, :2].T
    ratio = float(np.abs(values.real).max() / np.abs(values.real).min())
    weak, strong = plane
    if ratio > 1 + 1e-9 and not np.iscomplex(values).any():
        order = np.argsort(np.abs(values.real))
        weak, strong = (vectors[:, i].real / np.linalg.norm(vectors[:, i]) for i in order)
    n_steps = max(2, int(np.ceil(4 * length / max_gap)))
    rescaled = _ByLength(flow, np.asarray(-1.0 if backwards else 1.0), u,
                        np.asarray(1e-12 * length * np.abs(values).max()))  # fmt: skip
    reach, error = min(max_gap, 0.1 * length), np.inf
    across = np.eye(len(point)) - plane.T @ plane
    circle = np.linspace(0, 2 * np.pi, N_RING, endpoint=False)

    def ring(angles: np.ndarray) -> np.ndarray:
        least = 1e3 * np.finfo(float).eps * np.abs(point).max() / reach  # below, round-off takes it
        narrow = max((reach / length) ** (ratio - 1), least)
        return point + reach * (
            np.sin(angles)[:, None] * weak + narrow * np.cos(angles)[:, None] * strong
        )

    for _ in range(60):
        # How fast the ellipse would leave the plane, over one of its own radii.
        fields = np.asarray(
            jax.vmap(lambda x: rescaled.vector_field(0.0, x))(jnp.asarray(ring(circle)))
        )
        error = reach * float(np.abs(fields @ across).max())
        if error <= tolerance:
            break
        reach /= 2

    step = length / n_steps
    narrowest = float(np.linalg.norm(ring(circle) - point, axis=1).min())
    n_leaving = int(np.ceil(np.log(step / narrowest) / np.log(1.15)))

    def orbits(angles: np.ndarray) -> np.ndarray:
        rows = []
        for i in range(0, len(angles), N_RING):
            some = angles[i : i + N_RING]
            start = ring(np.resize(some, N_RING))
            # Leaving the saddle, steps grow with the distance from it: there the direction of the
            # field changes over that distance. From one step away on they are equal.
            near = np.linalg.norm(start - point, axis=1)[:, None]
            leaving = near * (step / near) ** (np.arange(n_leaving + 1) / n_leaving)
            steps = np.concatenate(
                [np.diff(leaving, axis=1), np.full((N_RING, n_steps - 1), step)], axis=1
            )
            path = np.asarray(_by_length(rescaled, start, steps))[:, n_leaving - 1 :]
            saddles = np.tile(point, (N_RING, 1, 1))
            rows.append(np.concatenate([saddles, path], axis=1)[: len(some)])
        return np.concatenate(rows)

    angles, paths = circle, orbits(circle)
    while True:
        following = np.roll(paths, -1, axis=0)
        with np.errstate(invalid="ignore"):
            apart = np.nanmax(np.linalg.norm(following - paths, axis=2), axis=1)
        spacing = np.diff(np.append(angles, angles[0] + 2 * np.pi))
        split = np.nonzero((apart > max_gap) & (spacing > FINEST))[0]
        if not len(split) or len(angles) + len(split) > max_curves:
            break
        middle = angles[split] + 0.5 * spacing[split]
        angles = np.insert(angles, split + 1, middle)
        paths = np.insert(paths, split + 1, orbits(middle), axis=0)
    return Grown(tuple(paths), float(apart.max()), error)
