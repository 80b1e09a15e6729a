"""Starts told apart by the attractor at which they settle, marching together in compiled batches.

Nothing is known beforehand: pilot orbits find attractors, all starts march until each has stayed at
one of them, and what reaches none is looked at as the pilots were.

That recurrences suffice for this is due to Datseris and Wagemakers, Chaos 32, 023104 (2022); theirs
is a machine of states that follows one orbit after another over a grid of cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from takens.dynamics.march import FINE, approach, counted, nowhere, pieces, together
from takens.dynamics.places import LOST, UNDECIDED, Attractor, Search, Space
from takens.dynamics.recurrence import discover

CONFIRM, CONFIRM_CLOUD = 2, 5  # looks in a row at which a start must be at one attractor
STAY_CLOUD = 32  # and steps, where the attractor is known by a coarse cloud of points


def explore(
    search: Search, starts: np.ndarray, seed: int, known: tuple[Attractor, ...] = ()
) -> tuple[tuple[Attractor, ...], np.ndarray, np.ndarray]:
    """Attractors, labels (sample,) and steps taken (sample,) of starts (sample, dim).

    With `known` attractors there are no pilots; they keep their numbers, and new ones follow.
    """
    rng = np.random.default_rng(seed)
    pilots = rng.permutation(len(starts))[: search.n_pilots]
    found = list(known) or discover(search, starts[np.sort(pilots)].T, 0, [])
    labels = np.full(len(starts), UNDECIDED)
    steps = np.full(len(starts), np.nan)
    index, x, n = np.arange(len(starts)), starts.T, 0
    for _ in range(3):
        index, x, n = settle(search, found, index, x, n, labels, steps)
        if not len(index):
            break
        some = np.sort(rng.permutation(len(index))[: search.n_pilots])
        found = found + discover(search, x[:, some], n, found)
    if len(index):
        settle(search, found, index, x, n, labels, steps)
    reached = [i for i in np.unique(labels[labels >= 0]).tolist() if i >= len(known)]
    order = list(range(len(known)))
    order += sorted(reached, key=lambda i: _place(search.space, found[i]))
    renamed = np.full(len(found) + 2, UNDECIDED)
    renamed[order], renamed[LOST] = np.arange(len(order)), LOST  # -1 and -2 index the end
    return tuple(found[i] for i in order), renamed[labels], steps


def settle(
    search: Search, found: list[Attractor], index: np.ndarray, x: Any, n: int,
    labels: np.ndarray, steps: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, int]:  # fmt: skip
    """March states (dim, sample) until each has stayed at an attractor; fills labels and steps.

    Returns what is left: the places of these starts, their states and the step reached.
    """
    finder = _Finder(search.space, found)
    cloud = np.array([a.reach > search.space.tolerance for a in found] + [False, False])
    needed, stay = np.where(cloud, CONFIRM_CLOUD, CONFIRM), np.where(cloud, STAY_CLOUD, 0)
    last, hits = np.full(len(index), UNDECIDED), np.zeros(len(index), dtype=int)
    entered = np.zeros(len(index))
    first, longest = n, search.n_transient + search.n_steps
    while len(index) and n - first < longest:
        # Looks are spaced by a sixteenth of the time spent: the delay they cause is bounded.
        size = min(max(1, (n - first) // 16), longest - (n - first))
        x, seen = finder.advance(search, x, n, size)
        n += size
        same = (seen == last) & (seen >= 0)
        hits, entered, last = np.where(same, hits + 1, 1), np.where(same, entered, n), seen
        settled = (hits >= needed[seen]) & (n - entered >= stay[seen])
        done = (seen == LOST) | ((seen >= 0) & settled)
        if done.any():
            labels[index[done]], steps[index[done]] = seen[done], n
            index, x, last = index[~done], x[:, ~done], last[~done]
            hits, entered = hits[~done], entered[~done]
        if search.progress is not None:
            search.progress(1 - len(index) / len(labels))
    return index, x, n


class _Finder:
    """The points of all attractors, ready for comparison."""

    def __init__(self, space: Space, found: list[Attractor]) -> None:
        sharp = [i for i, a in enumerate(found) if a.reach <= space.tolerance]
        few = sum(len(found[i].points) for i in sharp) <= FINE
        self.compiled = _stacked(found, sharp if few else [])
        self.clouds = [i for i in range(len(found)) if not (few and i in sharp)]
        self.trees = {i: space.tree(found[i].points) for i in self.clouds}
        self.reach = [a.reach for a in found]
        points, owner, reach = self.compiled
        _, self.points, self.owner, self.limit = nowhere(len(space.scale))
        self.count = counted(len(points))  # rows past it are not looked at
        if len(points):
            self.points[: len(points)] = (points - space.centre) / space.scale
            self.owner[: len(points)], self.limit[: len(points)] = owner, reach
        self.frame = space.frame

    def advance(self, search: Search, x: np.ndarray, n: int, size: int) -> tuple[Any, Any]:
        """States after `size` steps and the attractor at which each is."""

        def work(piece: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            y, label = approach(
                search.evolution, piece, counted(n), counted(size), search.u, self.count,
                self.points, self.owner, self.limit, self.frame,
            )  # fmt: skip
            return np.asarray(y), np.asarray(label)

        done = together(work, pieces(x))
        count = x.shape[1]
        y = np.concatenate([piece[0] for piece in done], axis=1)[:, :count]
        seen = np.concatenate([piece[1] for piece in done])[:count]
        open_ = np.flatnonzero((seen == UNDECIDED) & bool(self.clouds))
        if len(open_):
            best = np.full(len(open_), np.inf)
            for i in self.clouds:
                gap, _ = search.space.nearest(self.trees[i], y[:, open_].T, self.reach[i])
                gap = gap / self.reach[i]
                seen[open_[gap < best]], best = i, np.minimum(gap, best)
        return y, seen


def _stacked(found: list[Attractor], chosen: list[int]) -> tuple[Any, Any, Any]:
    points = [found[i].points for i in chosen]
    if not points:
        return np.empty((0, 0)), np.empty(0), np.empty(0)
    owner = np.repeat(chosen, [len(p) for p in points])
    return np.concatenate(points), owner, np.array([found[i].reach for i in owner])


def _place(space: Space, attractor: Attractor) -> tuple[float, ...]:
    """By which attractors are ordered: their centre, on a grid so coarse that noise is nothing."""
    scaled = (attractor.centre - space.centre) / space.scale
    return tuple(np.round(scaled / space.tolerance).tolist())
