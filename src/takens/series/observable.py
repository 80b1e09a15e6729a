"""From a recording to the standardised series and delay vectors that the estimators share."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from takens.core import Finding, InvalidInput
from takens.data import gridded_records, regular_segments

MAX_COMPONENTS = 4
_SPOILT = 0.5  # misfit of interpolation, in standard deviations, that no longer is a small error


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Observable:
    """What is analysed: standardised stretches, one column or a few principal components.

    Parameters
    ----------
    series : tuple of array, each (time, n_components)
        Zero mean and unit variance of the first component; dimensionless. Finite: runs of one or
        two missing samples are bridged, longer ones separate stretches.
    gapped : tuple of array, each (time, n_components)
        The same, nothing bridged: NaN where a sample is missing. For estimators that use whatever
        delay vectors and pairs there are; `series` itself where nothing is missing.
    dt : float
        Sampling step in `time_unit`.
    label : str
        Column name, or what the components are.
    scale : float
        Standard deviation that was divided out, in the column's unit (first component).
    constant : bool
        Nothing varies: there is nothing to standardise.
    """

    series: tuple[np.ndarray, ...]
    gapped: tuple[np.ndarray, ...]
    dt: float
    time_unit: str
    label: str
    unit: str
    scale: float
    constant: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def n_samples(self) -> int:
        """Samples over all stretches."""
        return sum(len(s) for s in self.series)

    @property
    def missing(self) -> float:
        """Share of the samples of `gapped` that are missing."""
        whole = sum(len(s) for s in self.gapped)
        return 1 - sum(int(np.isfinite(s).all(axis=1).sum()) for s in self.gapped) / max(whole, 1)

    @property
    def bridged(self) -> float:
        """Share of the samples of `series` that were missing and are interpolated."""
        seen = sum(int(np.isfinite(s).all(axis=1).sum()) for s in self.gapped)
        return max(0.0, 1 - seen / max(self.n_samples, 1))

    @property
    def spoilt(self) -> bool:
        """Whether interpolated samples are far from what was missing, as in a map.

        Tried on the samples that are there: the root-mean-square distance of one to the middle of
        its neighbours exceeds half the standard deviation.
        """
        if not self.missing > 0:
            return False
        first = [s[:, 0] for s in self.gapped]
        bent = np.concatenate([s[1:-1] - (s[:-2] + s[2:]) / 2 for s in first])
        bent = bent[np.isfinite(bent)]
        return not bent.size or float(np.sqrt(np.mean(bent**2))) > _SPOILT

    @property
    def n_components(self) -> int:
        """Components of one sample."""
        return int(self.series[0].shape[1])

    @property
    def longest(self) -> np.ndarray:
        """First component of the longest stretch, shape (time,)."""
        return max(self.series, key=len)[:, 0]


def time_name(time_unit: str) -> str:
    """The time unit for people: an unknown one counts steps."""
    return "steps" if time_unit == "1" else time_unit


def observable(data: Any) -> Observable:
    """Standardise one column, or reduce several to their leading principal components.

    Several columns are standardised one by one; the principal components that together carry 90 %
    of the variance, at most four, are kept, in units of the first one's standard deviation.

    Parameters
    ----------
    data : Observable or anything `takens.data.as_recording` accepts

    Raises
    ------
    InvalidInput
        If no evenly sampled stretch is long enough.
    """
    if isinstance(data, Observable):
        return data
    cut = regular_segments(data)
    stacked = np.concatenate(cut.values)
    mean, spread = stacked.mean(axis=0), stacked.std(axis=0)
    alive = spread > 1e-12 * np.maximum(np.abs(mean), 1e-300)
    if not alive.any():
        flat_lines = tuple(np.zeros((len(v), 1)) for v in cut.values)
        return Observable(
            series=flat_lines,
            gapped=flat_lines,
            label=cut.names[0],
            unit=cut.units[0],
            scale=0.0,
            constant=True,
            findings=cut.findings,
            dt=cut.dt,
            time_unit=cut.time_unit,
        )
    scaled = [(v[:, alive] - mean[alive]) / spread[alive] for v in cut.values]
    broken = {"bridged", "split"} & {f.code for f in cut.findings}
    raw = gridded_records(data).values if broken else ()
    open_ = [(v[:, alive] - mean[alive]) / spread[alive] for v in raw] or scaled
    findings = list(cut.findings)
    if alive.sum() == 1:
        column = int(np.flatnonzero(alive)[0])
        return Observable(
            series=tuple(scaled),
            gapped=tuple(open_),
            label=cut.names[column],
            unit=cut.units[column],
            scale=float(spread[column]),
            findings=tuple(findings),
            dt=cut.dt,
            time_unit=cut.time_unit,
        )
    flat = np.concatenate(scaled)
    _, singular, axes = np.linalg.svd(flat[:: max(1, len(flat) // 20_000)], full_matrices=False)
    share = singular**2 / np.sum(singular**2)
    n_kept = int(np.searchsorted(np.cumsum(share), 0.9) + 1)
    n_kept = max(1, min(n_kept, MAX_COMPONENTS))
    findings.append(
        Finding(
            "principal-components",
            f"{int(alive.sum())} columns were standardised and reduced to {n_kept} principal "
            f"{'component' if n_kept == 1 else 'components'}, which carry "
            f"{share[:n_kept].sum():.0%} of their variance.",
            "Give one column to analyse it alone.",
            "note" if share[:n_kept].sum() >= 0.9 else "caution",
        )
    )
    unit_scale = (flat @ axes[0]).std()
    return Observable(
        series=tuple(v @ axes[:n_kept].T / unit_scale for v in scaled),
        gapped=tuple(v @ axes[:n_kept].T / unit_scale for v in open_),
        label=f"principal components of {int(alive.sum())} columns",
        unit="",
        scale=1.0,
        findings=tuple(findings),
        dt=cut.dt,
        time_unit=cut.time_unit,
    )


def refuse_constant(view: Observable) -> None:
    """Refuse a record in which nothing varies, for questions about its motion.

    Raises
    ------
    InvalidInput
    """
    if view.constant:
        raise InvalidInput("Every column is constant. Give a column that varies.")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DelayVectors:
    """Delay vectors of all stretches, newest block first, with the clock to follow them.

    Parameters
    ----------
    points : array, shape (n, m * n_components)
        ``[x(t), x(t - delay), ..., x(t - (m - 1) delay)]``, each a block of components.
    clock : array of int, shape (n,)
        Sample index of the newest block; stretches are so far apart that they never meet.
    """

    points: np.ndarray
    clock: np.ndarray
    delay: int
    dimension: int
    n_components: int

    def successors(self, lead: int) -> np.ndarray:
        """Row reached after `lead` samples, or -1 where it is missing or the stretch has ended."""
        n = len(self.clock)
        rows = np.minimum(np.arange(n) + lead, n - 1)
        if not np.array_equal(self.clock, self.clock[0] + np.arange(n)):  # rows are left out
            rows = np.minimum(np.searchsorted(self.clock, self.clock + lead), n - 1)
        return np.where(self.clock[rows] == self.clock + lead, rows, -1)

    def after(self, rows: np.ndarray, lead: int) -> np.ndarray:
        """As `successors`, of the given rows alone."""
        found = np.minimum(
            np.searchsorted(self.clock, self.clock[rows] + lead), len(self.clock) - 1
        )
        return np.where(self.clock[found] == self.clock[rows] + lead, found, -1)


def delay_vectors(series: tuple[np.ndarray, ...], dimension: int, delay: int) -> DelayVectors:
    """Build the delay vectors of every stretch long enough to hold one.

    Parameters
    ----------
    series : tuple of array, each (time, n_components)
        A vector with a missing (NaN) coordinate is left out; the clock tells where.
    dimension, delay : int
        Number of blocks, and samples between them.

    Raises
    ------
    InvalidInput
        If no stretch is longer than ``(dimension - 1) * delay``, or one of the two is below 1.
    """
    if dimension < 1 or delay < 1:
        raise InvalidInput(
            f"dimension = {dimension}, delay = {delay}; both are counted in whole numbers from 1."
        )
    span, points, clock, offset = (dimension - 1) * delay, [], [], 0
    for values in series:
        n = len(values) - span
        if n > 0:
            blocks = [values[span - i * delay : span - i * delay + n] for i in range(dimension)]
            rows, times = np.concatenate(blocks, axis=1), offset + np.arange(n)
            whole = np.isfinite(rows).all(axis=1)
            if whole.any():
                points.append(rows if whole.all() else rows[whole])
                clock.append(times if whole.all() else times[whole])
        offset += len(values) + 10_000_000  # farther than any Theiler window
    if not points:
        raise InvalidInput(
            f"Delay vectors of dimension {dimension} and delay {delay} span {span + 1} samples; "
            f"the longest stretch has {max(map(len, series))}, and none holds a vector without a "
            "missing value. Lower one of them."
        )
    return DelayVectors(
        points=np.concatenate(points),
        clock=np.concatenate(clock),
        delay=delay,
        dimension=dimension,
        n_components=int(series[0].shape[1]),
    )


def neighbours(
    library: np.ndarray,
    library_clock: np.ndarray,
    queries: np.ndarray,
    query_clock: np.ndarray,
    *,
    k: int,
    theiler: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest library points at least `theiler` samples away in time.

    Rows that fall short are asked again with a larger ball, and what then remains by all distances,
    so the Theiler window never costs a large query for every point.

    Returns
    -------
    distances, indices : array, each (n_queries, k)
        Euclidean; infinity and -1 where fewer than `k` admissible neighbours exist.

    Notes
    -----
    Cost: O((N + n_queries k) log N) at the low dimensions of delay vectors; O(n_queries N) where
    most neighbours in space are neighbours in time.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(library, leafsize=32)
    n = len(queries)
    distances, indices = np.full((n, k), np.inf), np.full((n, k), -1)
    pending = np.arange(n)
    most = min(k + 2 * theiler + 1, len(library))  # no window holds more than the rest
    for asked in dict.fromkeys(min(a, most) for a in (k + 8, 4 * (k + 20))):
        near, which = tree.query(queries[pending], k=asked)
        near, which = near.reshape(len(pending), -1), which.reshape(len(pending), -1)
        apart = np.abs(library_clock[which] - query_clock[pending][:, None]) > theiler
        rank = np.cumsum(apart, axis=1)
        enough = (rank[:, -1] >= k) | (asked == most)
        done = np.flatnonzero(enough)
        row, column = np.nonzero(apart[done] & (rank[done] <= k))
        slot = rank[done][row, column] - 1
        distances[pending[done][row], slot] = near[done][row, column]
        indices[pending[done][row], slot] = which[done][row, column]
        pending = pending[~enough]
        if not pending.size:
            return distances, indices
    # What is left lies on slow stretches, surrounded by its own past: all distances are cheaper.
    squares = np.sum(library**2, axis=1)
    for block in np.array_split(pending, -(-len(pending) * len(library) // 4_000_000)):
        here = queries[block]
        squared = squares + np.sum(here**2, axis=1)[:, None] - 2 * here @ library.T
        apart = np.abs(library_clock - query_clock[block][:, None]) > theiler
        squared[~apart] = np.inf
        few = min(k, len(library))
        best = np.argpartition(squared, few - 1, axis=1)[:, :few]
        length = np.sqrt(np.maximum(np.take_along_axis(squared, best, axis=1), 0))
        order = np.argsort(length, axis=1)
        length = np.take_along_axis(length, order, axis=1)
        distances[block, :few] = length
        indices[block, :few] = np.where(
            np.isfinite(length), np.take_along_axis(best, order, axis=1), -1
        )
    return distances, indices
