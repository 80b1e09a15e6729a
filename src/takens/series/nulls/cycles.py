"""Nulls of cyclic and deterministic records: noisy cycles, and other orbits of the same system."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from takens.core import InvalidInput, NumericalFailure
from takens.series.nulls.base import AbstractNull

_NEIGHBOURS = 64
_RATES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)  # recurrence rates among which twins are looked for
_MIN_PAIRED = 0.02
_MAX_TWINNED = 20_000  # samples; the recurrence matrix then takes 50 MB as bits


def _states(x: np.ndarray, dimension: int, delay: int | None) -> tuple[np.ndarray, int]:
    """Delay vectors of `x`, each column in units of its spread, and how many samples precede them."""
    from takens.series.embedding import chosen_delay

    columns = x[:, None] if x.ndim == 1 else x
    scaled = columns / np.maximum(columns.std(axis=0), 1e-300)
    step = delay or chosen_delay(columns[:, 0])
    span = (dimension - 1) * step
    if len(x) - span < 20:
        raise InvalidInput(
            f"Delay vectors of dimension {dimension} and delay {step} leave "
            f"{max(len(x) - span, 0)} of {len(x)} samples; at least 20 are needed. Give a longer "
            "record or a smaller delay."
        )
    blocks = [scaled[span - i * step : len(x) - i * step] for i in range(dimension)]
    return np.concatenate(blocks, axis=1), span


@dataclasses.dataclass(frozen=True)
class PseudoPeriodic(AbstractNull):
    """Orbits that hop between neighbouring states: the cycle is kept, finer structure is lost.

    From a state the surrogate goes to the successor of state j with probability proportional to
    ``exp(-distance / radius)``. The radius is the one at which staying on the record's own orbit
    and leaving it are as likely as can be, which makes the most of short identical stretches
    (Small, Yu and Harrison 2001).

    Parameters
    ----------
    dimension : int
        Delay coordinates of a state, per column.
    delay : int, optional
        In samples; by default the first minimum of the mutual information.
    """

    hypothesis: ClassVar[str] = "a periodic orbit disturbed by uncorrelated noise"
    references: ClassVar[tuple[str, ...]] = ("small2001surrogate",)
    dimension: int = 3
    delay: int | None = None

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """One chain for each surrogate, all advanced together."""
        from scipy.spatial import cKDTree

        points, span = _states(x, self.dimension, self.delay)
        library = points[:-1]  # the last state has no successor
        k = min(_NEIGHBOURS, len(library))
        distance, near = cKDTree(library).query(library, k=k)
        # A record that repeats itself exactly would leave a zero distance and no scale.
        scale = max(float(np.median(distance[:, -1])), 1e-12)
        radii = scale * np.geomspace(1e-3, 3, 40)
        stay = [1 / np.exp(-distance / radius).sum(axis=1) for radius in radii]
        radius = radii[int(np.argmax([np.mean(p * (1 - p)) for p in stay]))]
        weights = np.cumsum(np.exp(-distance / radius), axis=1)
        weights /= weights[:, -1:]
        at = rng.integers(len(library), size=n)
        visited = np.empty((len(x), n), dtype=int)
        for t in range(len(x)):
            visited[t] = at
            at = np.where(at == len(library), rng.integers(len(library), size=n), at)
            hop = (weights[at] < rng.uniform(size=(n, 1))).sum(axis=1)
            at = near[at, np.minimum(hop, k - 1)] + 1
        return np.asarray(x[visited + span].swapaxes(0, 1))


def _recurrence_bits(points: np.ndarray, radius: float) -> np.ndarray:
    """Rows of the recurrence matrix (maximum norm), eight entries a byte."""
    n = len(points)
    bits = np.empty((n, -(-n // 8)), dtype=np.uint8)
    rows = max(1, 2_000_000 // n)
    for start in range(0, n, rows):
        here = points[start : start + rows]
        close = np.ones((len(here), n), dtype=bool)
        for column in range(points.shape[1]):
            close &= np.abs(here[:, column, None] - points[None, :, column]) <= radius
        bits[start : start + rows] = np.packbits(close, axis=1)
    return bits


def twins(points: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups of states with the same neighbours, at the recurrence rate `rate`.

    Returns
    -------
    group : array of int, shape (n,)
        Of each state; twins share it.
    members, first : array of int
        States ordered by group, and where each group begins.
    """
    rng = np.random.default_rng(0)
    one = rng.integers(len(points), size=20_000)
    two = (one + rng.integers(1, len(points), size=one.shape)) % len(points)
    apart = np.abs(points[one] - points[two]).max(axis=1)
    bits = _recurrence_bits(points, float(np.quantile(apart, rate)))
    known: dict[bytes, int] = {}
    group = np.array([known.setdefault(row.tobytes(), len(known)) for row in bits])
    members = np.argsort(group, kind="stable")
    return group, members, np.searchsorted(group[members], np.arange(len(known) + 1))


@dataclasses.dataclass(frozen=True)
class Twin(AbstractNull):
    """Orbits that jump between twins: states that cannot be told apart by their neighbours.

    For tests of coupling and synchronisation: the surrogates follow the rule of the record, from
    other starting points. Of six recurrence rates up to 10 % the one with most twins is used.

    Parameters
    ----------
    dimension : int
        Delay coordinates of a state, per column.
    delay : int, optional
        In samples; by default the first minimum of the mutual information.
    """

    hypothesis: ClassVar[str] = "another orbit of the same dynamical system"
    references: ClassVar[tuple[str, ...]] = ("thiel2006twin",)
    dimension: int = 3
    delay: int | None = None

    def draw(
        self, x: np.ndarray, n: int, rng: np.random.Generator, times: np.ndarray | None = None
    ) -> np.ndarray:
        """Random starts, and at every step a random twin's successor."""
        if len(x) > _MAX_TWINNED:
            raise InvalidInput(
                f"{len(x)} samples were given; twins are looked for among all pairs, which is "
                f"refused above {_MAX_TWINNED}. Cut the record or lower `max_samples`."
            )
        points, span = _states(x, self.dimension, self.delay)
        found = [twins(points, rate) for rate in _RATES]
        paired = [np.mean(np.bincount(g)[g] > 1) for g, _, _ in found]
        if max(paired) < _MIN_PAIRED:
            raise NumericalFailure(
                f"{max(paired):.1%} of the states have a twin; below {_MIN_PAIRED:.0%} surrogates "
                "would be copies of the record. Give a longer record, or use another null."
            )
        group, members, first = found[int(np.argmax(paired))]
        last = len(points) - 1
        at = rng.integers(last, size=n)
        visited = np.empty((len(x), n), dtype=int)
        for t in range(len(x)):
            visited[t] = at
            low, high = first[group[at]], first[group[at] + 1]
            at = members[low + (rng.uniform(size=n) * (high - low)).astype(int)]
            at = np.where(at == last, rng.integers(last, size=n), at + 1)
        return np.asarray(x[visited + span].swapaxes(0, 1))
