"""Closed orbits of flows by multiple shooting with the period unknown."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from takens.core import InvalidInput
from takens.core.system import AbstractFlow
from takens.dynamics.newton import Residual, accepted, solve_from, with_jacobian

N_DRAWN = 256  # points kept of each orbit, a multiple of the periods tried for a shorter one
DIVISORS = (2, 3, 4, 5, 6, 7, 8)


@dataclasses.dataclass(frozen=True)
class ClosedOrbit:
    """One periodic orbit of a flow.

    Parameters
    ----------
    points : array, shape (N_DRAWN, dim)
        Equally spaced in time.
    period, period_error : float
    multipliers : complex array, shape (dim,)
    error : float
        Of the points, to first order.
    """

    points: np.ndarray
    period: float
    period_error: float
    multipliers: np.ndarray
    error: float


def residual(
    flow: AbstractFlow, reference: Any, direction: Any, n_segments: int, n_substeps: int, u: Any
) -> Residual:
    """Misfits at the joints and the phase condition, with their Jacobian.

    Unknowns are the first points of the segments and the period, shape (n_segments * dim + 1,).
    The phase condition keeps the first point on the plane through `reference` across `direction`.
    """
    dim = flow.dim

    def at(unknowns: Any) -> tuple[Any, Any]:
        x, period = unknowns[:-1].reshape(n_segments, dim), unknowns[-1]

        def end(y: Any) -> Any:
            span = period / n_segments
            return flow.integrator.advance(flow, jnp.zeros(()), span, y, u, n_substeps)

        ends, tangents = jax.vmap(with_jacobian(end))(x)
        speeds = jax.vmap(lambda y: flow.vector_field(jnp.zeros(()), y, u))(ends) / n_segments
        joints = ends - jnp.roll(x, -1, axis=0)
        phase = jnp.dot(direction, x[0] - reference)
        n = n_segments * dim
        index = jnp.arange(n_segments)
        blocks = jnp.zeros((n_segments, dim, n_segments, dim))
        blocks = blocks.at[index, :, index, :].add(tangents)
        blocks = blocks.at[index, :, (index + 1) % n_segments, :].add(-jnp.eye(dim))
        jacobian = jnp.zeros((n + 1, n + 1)).at[:n, :n].set(blocks.reshape(n, n))
        jacobian = jacobian.at[:n, n].set(speeds.ravel()).at[n, :dim].set(direction)
        return jnp.append(joints.ravel(), phase), jacobian

    return at


@eqx.filter_jit
def _orbit(flow: AbstractFlow, x: Any, dt: Any, n_steps: int, n_substeps: int, u: Any) -> Any:
    def one(x: Any, _: Any) -> tuple[Any, Any]:
        move: Any = jax.vmap(
            lambda y: flow.integrator.advance(flow, jnp.zeros(()), dt, y, u, n_substeps)
        )
        y = move(x)
        return y, y

    return jax.lax.scan(one, x, None, length=n_steps)[1]


@eqx.filter_jit
def _search(
    flow: AbstractFlow, starts: Any, directions: Any, n_segments: int, n_substeps: int, u: Any
) -> Any:
    def one(x: Any, direction: Any) -> Any:
        at = residual(flow, x[: flow.dim], direction, n_segments, n_substeps, u)
        return solve_from(at, x)

    return jax.vmap(one)(starts, directions)


@eqx.filter_jit
def _misfit(
    flow: AbstractFlow, x: Any, direction: Any, n_segments: int, n_substeps: int, u: Any
) -> Any:
    return residual(flow, x[: flow.dim], direction, n_segments, n_substeps, u)(x)


@eqx.filter_jit
def _drawn(flow: AbstractFlow, x: Any, span: Any, n_points: int, n_substeps: int, u: Any) -> Any:
    """Points along every segment from its start, shape (segment, n_points, dim)."""

    def one(x: Any, _: Any) -> tuple[Any, Any]:
        step = span / n_points
        move: Any = jax.vmap(
            lambda y: flow.integrator.advance(flow, jnp.zeros(()), step, y, u, n_substeps)
        )
        return move(x), x

    return jnp.moveaxis(jax.lax.scan(one, x, None, length=n_points)[1], 0, 1)


@eqx.filter_jit
def _fields(flow: AbstractFlow, x: Any, u: Any) -> Any:
    return jax.vmap(lambda y: flow.vector_field(jnp.zeros(()), y, u))(x)


def near_returns(
    paths: np.ndarray, dt: float, max_lag: int, n_starts: int, n_segments: int
) -> np.ndarray:
    """Unknowns of the stretches that close best, over all lags, shape (start, n_segments * dim + 1).

    The best few for every lag at which the distance has a minimum, so that long periods are not
    crowded out by short ones.
    """
    rows: list[tuple[float, np.ndarray]] = []
    share = max(1, n_starts // 32)
    for path in paths:
        scale = path.std(axis=0) + 1e-12 * (1 + np.abs(path).max())
        scaled = path / scale
        lags = np.arange(1, min(max_lag, len(path) - 2) + 1)
        gaps = np.full((len(lags), len(path)), np.inf)
        for row, lag in enumerate(lags):
            gaps[row, : len(path) - lag] = np.linalg.norm(scaled[lag:] - scaled[:-lag], axis=1)
        # Where leaving the neighbourhood comes before returning: a minimum over lags.
        inner = np.zeros_like(gaps, dtype=bool)
        inner[1:-1] = (gaps[1:-1] < gaps[:-2]) & (gaps[1:-1] <= gaps[2:]) & np.isfinite(gaps[2:])
        for which in np.nonzero(inner.any(axis=1))[0].tolist():
            at = np.nonzero(inner[which])[0]
            for i in at[np.argsort(gaps[which, at])[:share]]:
                shift = int(lags[which])
                picks = i + np.round(shift * np.arange(n_segments) / n_segments).astype(int)
                rows.append((float(gaps[which, i]), np.append(path[picks].ravel(), shift * dt)))
    rows.sort(key=lambda each: each[0])
    chosen = rows[:n_starts]
    return np.array([row for _, row in chosen])


def closed_orbits(
    flow: AbstractFlow, x: np.ndarray, *, max_period: float, dt: float, n_steps: int,
    n_transient: int, n_starts: int, n_segments: int, max_orbits: int, tolerance: float, u: Any,
) -> list[ClosedOrbit]:  # fmt: skip
    """Distinct closed orbits no longer than `max_period`, the shortest first."""
    if not (np.isfinite(dt) and 0 < dt < max_period):
        raise InvalidInput(f"dt = {dt}; expected a positive interval shorter than max_period.")
    total = n_transient + n_steps
    path = _orbit(flow, x, np.asarray(dt), total, flow.integrator.substeps(dt), u)
    path = np.moveaxis(np.asarray(path), 0, 1)[:, n_transient:]
    path = path[np.isfinite(path).all(axis=(1, 2))]
    starts = near_returns(path, dt, int(max_period / dt), n_starts, n_segments)
    if not len(starts):
        return []
    starts = np.resize(starts, (n_starts, starts.shape[1]))  # one compiled size
    substeps = flow.integrator.substeps(1.1 * max_period / n_segments)
    fields = np.asarray(_fields(flow, starts[:, : flow.dim], u))
    directions = fields / np.maximum(np.linalg.norm(fields, axis=1), 1e-300)[:, None]
    ends, f, jacobian = (
        np.asarray(a) for a in _search(flow, starts, directions, n_segments, substeps, u)
    )
    speed = float(np.median(np.linalg.norm(fields, axis=1)))
    good = accepted(ends, f, jacobian, speed * dt) & (ends[:, -1] > 0)
    good &= ends[:, -1] <= 1.1 * max_period
    found: list[ClosedOrbit] = []
    signatures: list[np.ndarray] = []
    for row in np.argsort(np.where(good, ends[:, -1], np.inf), kind="stable")[: int(good.sum())]:
        orbit = _completed(flow, ends[row], n_segments, substeps, speed, tolerance, u)
        if orbit is None or orbit.period > max_period * (1 + 1e-9):
            continue
        mark = _signature(orbit)
        reach = 10 * tolerance * (1 + np.abs(mark).max())
        if all(np.abs(mark - other).max() > reach for other in signatures):
            signatures.append(mark)
            found.append(orbit)
        if len(found) >= max_orbits:
            break
    return sorted(found, key=lambda orbit: orbit.period)


def _signature(orbit: ClosedOrbit) -> np.ndarray:
    """Period and means along the orbit, which do not depend on where it starts.

    Means over equally spaced points of a periodic orbit are exact to all orders.
    """
    rms = np.sqrt((orbit.points**2).mean(axis=0))
    return np.concatenate([[orbit.period], orbit.points.mean(axis=0), rms])


def _completed(
    flow: AbstractFlow, unknowns: np.ndarray, n_segments: int, substeps: int, speed: float,
    tolerance: float, u: Any,
) -> ClosedOrbit | None:  # fmt: skip
    """The orbit with its prime period, errors and multipliers; None for a rest point."""
    dim, period = flow.dim, float(unknowns[-1])
    heads = unknowns[:-1].reshape(n_segments, dim)
    n_points = N_DRAWN * 2 // n_segments
    each = max(1, -(-2 * substeps // n_points))
    points = np.asarray(
        _drawn(flow, heads, np.asarray(period / n_segments), n_points, each, u)
    ).reshape(-1, dim)
    moves = np.linalg.norm(np.asarray(_fields(flow, points, u)), axis=1)
    reach = np.ptp(points, axis=0).max()
    if moves.max() < 1e-6 * speed or reach < tolerance * (1 + np.abs(points).max()):
        return None
    rounds = _rounds(points, reach)
    direction = np.asarray(_fields(flow, heads[:1], u))[0]
    direction = direction / np.linalg.norm(direction)
    if rounds > 1:  # the same orbit, gone around several times: cut it and close it again
        period /= rounds
        index = np.round(np.arange(n_segments) * len(points) / rounds / n_segments).astype(int)
        unknowns = np.append(points[index].ravel(), period)
        ends, f, jacobian = (
            np.asarray(a)[0] for a in _search(flow, unknowns[None], direction[None], n_segments,
                                              substeps, u)
        )  # fmt: skip
        if not accepted(ends[None], f[None], jacobian[None], speed)[0]:
            return None
        return _completed(flow, ends, n_segments, substeps, speed, tolerance, u)
    f, jacobian = (
        np.asarray(a) for a in _misfit(flow, unknowns, direction, n_segments, substeps, u)
    )
    finer = np.asarray(_misfit(flow, unknowns, direction, n_segments, 2 * substeps, u)[0])
    inverse = np.linalg.inv(jacobian)
    rounding = np.finfo(float).eps * (np.abs(jacobian) @ np.abs(unknowns) + np.abs(unknowns))
    shift = np.abs(inverse @ finer) + np.abs(inverse) @ (np.abs(f) + rounding)
    product = np.eye(dim)
    for i in range(n_segments):
        block = slice(i * dim, (i + 1) * dim)
        tangent = jacobian[block, block] + (np.eye(dim) if n_segments == 1 else 0)
        product = tangent @ product
    return ClosedOrbit(
        points=points[::2], period=period, period_error=float(shift[-1]),
        multipliers=np.linalg.eigvals(product), error=float(np.linalg.norm(shift[:-1])),
    )  # fmt: skip


def _rounds(points: np.ndarray, reach: float) -> int:
    """How many times the orbit is gone around: the largest shift that leaves it as it is."""
    n = len(points)
    for k in reversed(DIVISORS):
        # Equally spaced points of a periodic function: trigonometric interpolation is exact.
        spectrum = np.fft.fft(points, axis=0)
        turn = np.exp(2j * np.pi * np.fft.fftfreq(n)[:, None] * n / k)
        shifted = np.fft.ifft(spectrum * turn, axis=0).real
        if np.abs(shifted - points).max() < 1e-4 * reach:
            return k
    return 1
