"""Attractors found by recurrence: an orbit that returns to where it was lies on one.

A few pilot orbits run past their transient and are recorded. A record whose later half returns to
its earlier half, within a tolerance, lies on an attractor; records that overlap lie on the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from takens.core.system import AbstractMap, TimeMap
from takens.dynamics.fixed_points import at_times
from takens.dynamics.march import BLOCK, approach, counted, nowhere, pieces, record, together
from takens.dynamics.orbit_diagram import least_periods
from takens.dynamics.places import Attractor, Search, Space

COARSEST = 0.1  # of the scale: no recurrence is looked for on a coarser one
LONGEST = 64  # period of a cycle of a map that is told from quasi-periodic motion
GOLDEN = 0.5 * (5**0.5 - 1)


def discover(search: Search, x: np.ndarray, n: int, known: list[Attractor]) -> list[Attractor]:
    """Attractors on which states (dim, sample) end and that are not yet known."""
    recorder = _recorder(search, x)
    new: list[Attractor] = []
    for _ in range(4):
        if not x.shape[1]:
            break
        x, n = _forward(search, x, n), n + search.n_transient
        x, records = _records(search, recorder, x, n, search.n_steps)
        n += search.n_steps if recorder is search.evolution else 0
        whole = ~search.space.lost(records).any(axis=1) & ~search.space.lost(x.T)
        x, records = x[:, whole], records[whole]
        if not len(records):
            break
        curves = recorder is not search.evolution
        reach, periods = _returns(search.space, records, 1 if curves else LONGEST)
        open_ = ~np.isfinite(reach)
        for attractor, rows in _grouped(search.space, records, reach, periods, known + new, curves):
            if _stays(search, recorder, attractor, x[:, rows[:1]], n):
                new.append(attractor)
            else:
                open_[rows] = True
        x = x[:, open_]
    return new


def _stays(
    search: Search, recorder: AbstractMap, attractor: Attractor, x: np.ndarray, n: int
) -> bool:
    """Whether the orbit, pushed a little, is still there after another transient.

    Slow motion is not, nor is an orbit that sits on an unstable point or cycle.
    """
    nudge = 1e-3 * search.space.tolerance * search.space.scale[:, None]
    later = _forward(search, x + nudge, n)
    _, records = _records(search, recorder, later, n + search.n_transient, 20)
    gap, _ = search.space.nearest(search.space.tree(attractor.points), records[0])
    return bool(np.mean(gap <= 1.5 * attractor.reach) >= 0.5)


def _recorder(search: Search, x: np.ndarray) -> AbstractMap:
    """One step, or for an autonomous flow another step, in golden ratio to it.

    A cycle whose period is a simple multiple of `dt` would be seen at a few phases only, others
    for each start, and be taken for many attractors.
    """
    evolution = search.evolution
    if not isinstance(evolution, TimeMap):
        return evolution
    times = np.array([0.0, 0.37, 8.3])
    fields = np.asarray(at_times(evolution.flow, times, x[:, :1].T, search.u))
    if all(np.array_equal(fields[0], other, equal_nan=True) for other in fields[1:]):
        return evolution.flow.as_map(float(evolution.dt) * GOLDEN)
    return evolution


def _forward(search: Search, x: np.ndarray, n: int) -> np.ndarray:
    count, points, owner, reach = nowhere(len(x))

    def work(piece: np.ndarray) -> np.ndarray:
        # The program that compares with attractors serves here too, without any.
        end, _ = approach(search.evolution, piece, counted(n), counted(search.n_transient), search.u,
                          count, points, owner, reach, search.space.frame)  # fmt: skip
        return np.asarray(end)

    return np.concatenate(together(work, pieces(x)), axis=1)[:, : x.shape[1]]


def _records(
    search: Search, recorder: AbstractMap, x: Any, n: int, n_steps: int
) -> tuple[Any, np.ndarray]:
    """States (dim, sample) at the end, and those on the way (sample, time, dim)."""

    def work(piece: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kept = []
        for first in range(0, n_steps, BLOCK):
            size = min(BLOCK, n_steps - first)
            piece, block = record(recorder, piece, counted(n + first), counted(size), search.u)
            kept.append(np.asarray(block)[:size])
        return np.asarray(piece), np.moveaxis(np.concatenate(kept), -1, 0)

    count = x.shape[1]
    done = together(work, pieces(x))
    ends = np.concatenate([piece[0] for piece in done], axis=1)[:, :count]
    return ends, np.concatenate([piece[1] for piece in done])[:count]


def _returns(space: Space, records: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """How near each record returns to itself, NaN where it does not; and its period in steps.

    A record that shrinks or grows from quarter to quarter in every component spirals still.
    """
    places = space.coordinates(records)
    angle = np.flatnonzero(space.wrap > 0)
    if len(angle):  # on the circle, so that a cycle through the seam is one
        turn = 2 * np.pi * places[..., angle] / space.wrap[angle]
        radius = space.wrap[angle] / (2 * np.pi)
        plane = [np.delete(places, angle, axis=2), radius * np.cos(turn), radius * np.sin(turn)]
        places = np.concatenate(plane, axis=2)
    half = places.shape[1] // 2
    periods = least_periods(places, min(longest, half), 0.0, space.tolerance)
    for i in np.flatnonzero(periods > 0):  # small steps away add up, over all multiples of it
        p = int(periods[i])
        whole = p * (places.shape[1] // p - 1)
        if np.abs(places[i, whole : whole + p] - places[i, :p]).max() > 2 * space.tolerance:
            periods[i] = 0
    reach = np.where(periods > 0, space.tolerance, np.nan)
    early, late = places[:, :half], places[:, half:]
    quarters = np.array_split(places, 4, axis=1)
    change = np.diff([np.ptp(quarter, axis=1) for quarter in quarters], axis=0)
    still = np.ptp(places, axis=1) <= space.tolerance
    spiral = ((change < 0).all(axis=0) | still).all(axis=1)
    spiral |= ((change > 0).all(axis=0) | still).all(axis=1)
    for i in np.flatnonzero((periods == 0) & ~spiral):
        reach[i] = _recurrence(early[i], late[i], space.tolerance)
    return reach, periods


def _recurrence(early: np.ndarray, late: np.ndarray, tolerance: float) -> float:
    """Least reach, by doubling, at which 95 % of each half is near the other.

    Both ways: the end of a transient returns to nothing, though all that follows lies near it.
    """
    from scipy.spatial import cKDTree

    there = cKDTree(early).query(late, p=np.inf)[0]
    back = cKDTree(late).query(early, p=np.inf)[0]
    gap = max(np.quantile(there, 0.95), np.quantile(back, 0.95))
    reach = tolerance * 2 ** np.ceil(np.log2(max(gap / tolerance, 1.0)))
    return float(reach) if reach <= max(COARSEST, tolerance) else np.nan


def _grouped(
    space: Space, records: np.ndarray, reach: np.ndarray, periods: np.ndarray,
    known: list[Attractor], curves: bool,
) -> list[tuple[Attractor, np.ndarray]]:  # fmt: skip
    """Attractors that are not `known`, each with the rows of its records: those that overlap."""
    trees, reaches = [space.tree(a.points) for a in known], [a.reach for a in known]
    rows = np.flatnonzero(np.isfinite(reach))
    order = rows[np.argsort(reach[rows], kind="stable")].tolist()  # sharp ones first
    late = _late(records)  # whatever is left of a transient is in the earlier half
    clouds = {i: _thinned(space, late[i], periods[i], reach[i]) for i in order}
    members: dict[int, list[int]] = {}
    for i in order:
        sharp = reach[i] <= space.tolerance
        overlap = [
            np.mean(space.nearest(tree, clouds[i])[0] <= max(reach[i], reaches[j]))
            if sharp == (reaches[j] <= space.tolerance) else 0.0  # a cloud may surround a point
            for j, tree in enumerate(trees)
        ]  # fmt: skip
        if overlap and max(overlap) >= 0.5:
            members.setdefault(int(np.argmax(overlap)), []).append(i)
        else:
            members[len(trees)] = [i]
            trees.append(space.tree(clouds[i]))
            reaches.append(float(reach[i]))
    return [
        (_attractor(space, records[own], clouds[own[0]], periods[own[0]], reaches[j], curves),
         np.array(own))
        for j, own in members.items() if j >= len(known)
    ]  # fmt: skip


def _attractor(
    space: Space, records: np.ndarray, points: np.ndarray, period: float, reach: float, curves: bool
) -> Attractor:
    """What overlapping records (sample, time, dim) look like; `points` are those of the first."""
    if not period:
        points = _thinned(space, np.concatenate(_late(records[:8])), 0, reach)
    kind = "point" if period == 1 else "cycle" if period else "other"
    if curves and kind != "point":  # of an autonomous flow; its period is no number of steps
        kind = "cycle" if period or _is_curve(space, records[0]) else "other"
        period = 0
    return Attractor(
        points=space.unwound(points), kind=kind, period=float(period) or np.nan, reach=reach
    )


def _late(records: np.ndarray) -> np.ndarray:
    """The later half of records (sample, time, dim)."""
    return records[:, records.shape[1] // 2 :]


def _thinned(space: Space, states: np.ndarray, period: float, reach: float) -> np.ndarray:
    """The last cycle, or one state for each cell of half the reach."""
    if period:
        return states[len(states) - int(period) :]
    cells = np.floor(space.coordinates(states) / (0.5 * reach)).astype(np.int64)
    kept = np.unique(cells, axis=0, return_index=True)[1]
    return states[np.sort(kept)]


def _is_curve(space: Space, states: np.ndarray) -> bool:
    """Whether an orbit of an autonomous flow fills a line: its only closed kind is a cycle.

    The nearest neighbours of a state lie in one line then; on a torus and in chaos they do not.
    """
    places = space.coordinates(states)
    near = space.tree(states).query(places, k=5)[1]
    cluster = places[near] - places[near].mean(axis=1, keepdims=True)
    sizes = np.linalg.svd(cluster, compute_uv=False)
    return bool(np.median(sizes[:, 1]) < 0.1 * np.median(sizes[:, 0]))
