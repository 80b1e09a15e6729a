"""Measurement noise taken off a deterministic record by projection onto its local tangent spaces."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import (
    AbstractResult,
    Estimate,
    Finding,
    InvalidInput,
    Recording,
    Status,
    Trajectory,
    require,
)
from takens.data import gridded_records
from takens.series.noise_level import lagged, noise_level
from takens.series.observable import neighbours, observable
from takens.series.prediction import coordinates
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_MAX_SAMPLES = 200_000
_NEIGHBOURS, _FEWEST = 50, 20  # a hundredth of the windows, between these
_ROWS = 4000  # neighbourhoods projected at once
_HEAVY = 1e3  # weight that keeps the first and last coordinate where they are
_SETTLED = 0.1  # an iteration that removes less than this share of all that was removed is the last
_COLOURED = 0.3  # autocorrelation of what was removed above which it was not noise alone
_MIN_VECTORS = 200
_OVER = 1.25  # times the noise level may be removed


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class NoiseReduction(AbstractResult):
    """The cleaned record, and how much was taken off in how many iterations.

    Parameters
    ----------
    cleaned : tuple of Trajectory
        One for each stretch of the record, on its regular grid, in its unit; NaN where a sample is
        missing, and everywhere if the record cannot be told from noise.
    removed : float
        Standard deviation of what was taken off, over the record's.
    noise : Estimate
        Noise level of the record as given, as a share of its standard deviation.
    left : Estimate
        The same of the cleaned record.
    removed_by_iteration : array, shape (n_iterations,)
        Root mean square of the change in each, as a share of the record's standard deviation.
    autocorrelation : float
        Of what was taken off, at one sample: near 0 for white noise.
    stopped : str
        Why the iteration ended.
    window, kept, spacing : int
        Coordinates of a window, how many directions were kept, samples between coordinates.
    """

    cleaned: tuple[Trajectory, ...]
    removed: float
    noise: Estimate
    left: Estimate
    removed_by_iteration: np.ndarray
    autocorrelation: float
    stopped: str
    window: int
    kept: int
    spacing: int

    def summary(self) -> str:
        """How much was removed, of how much noise, and why it stopped."""
        if not np.isfinite(self.removed):
            return f"noise reduction: nothing was removed ({self.status.value})"
        return (
            f"noise reduction: {self.removed:.2%} of the standard deviation removed in "
            f"{len(self.removed_by_iteration)} iteration(s), noise level {self.noise} before, "
            f"{self.left} after; stopped because {self.stopped}"
        )

    def plot(self, ax: Any = None) -> Any:
        """The cleaned record, each sample against the one a window's spacing earlier."""
        from takens import plot

        ax = plot.axes(ax)
        step = 2 * self.spacing if self.spacing > 1 else 1
        for record in self.cleaned:
            x = record.states[:, 0]
            plot.points(ax, x[:-step], x[step:])
        name = plot.quantity(self.cleaned[0].names[0], self.cleaned[0].units[0])
        plot.labels(ax, xlabel=name, ylabel=f"{step} sample(s) later", title="cleaned")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """The cleaned stretches one after another, with their number."""
        import xarray as xr

        numbers = [np.full(len(r), i) for i, r in enumerate(self.cleaned)]
        return xr.Dataset(
            {
                "cleaned": ("sample", np.concatenate([r.states[:, 0] for r in self.cleaned])),
                "time": ("sample", np.concatenate([r.times for r in self.cleaned])),
                "stretch": ("sample", np.concatenate(numbers)),
                "removed_by_iteration": ("iteration", self.removed_by_iteration),
            },
            attrs={"removed": self.removed, "stopped": self.stopped},
        )


def projected(
    points: np.ndarray, clock: np.ndarray, *, kept: int, theiler: int, k: int | None = None
) -> np.ndarray:
    """Corrections that move each window onto the tangent space of its neighbourhood.

    The neighbours' covariance, its first and last coordinate weighted so heavily that they do not
    move, is diagonalised; what the window has along all but the `kept` leading directions is taken
    off. The centre is twice the neighbours' mean less the mean of their own centres, which undoes
    the pull of a curved manifold towards its inside (Grassberger et al. 1993, sections II to III).

    Parameters
    ----------
    points : array, shape (n, m)
    clock : array of int, shape (n,)

    Returns
    -------
    array, shape (n, m)
        NaN where there are too few neighbours.
    """
    n, m = points.shape
    weight = np.ones(m)
    weight[[0, -1]] = _HEAVY
    k = k or int(np.clip(n // 100, _FEWEST, _NEIGHBOURS))
    _, near = neighbours(points, clock, points, clock, k=k, theiler=theiler)
    full = near[:, -1] >= 0
    near = np.concatenate([np.arange(n)[:, None], near], axis=1)  # the window itself belongs to it
    mean = np.full((n, m), np.nan)
    blocks = np.array_split(np.flatnonzero(full), -(-n // _ROWS))
    for rows in blocks:
        mean[rows] = points[near[rows]].mean(axis=1)
    found = np.full((n, m), np.nan)
    for rows in blocks:
        around = points[near[rows]]
        spread = (around - mean[rows, None]) * weight
        _, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", spread, spread))
        noise = axes[:, :, : m - kept]  # eigenvalues ascend
        centre = 2 * mean[rows] - np.nanmean(mean[near[rows]], axis=1)
        off = (points[rows] - centre) * weight
        found[rows] = -np.einsum("nij,nkj,nk->ni", noise, noise, off) / weight
    return found


def _averaged(
    series: tuple[np.ndarray, ...], lags: list[int], clock: np.ndarray, moves: np.ndarray
) -> list[np.ndarray]:
    """Mean correction of each sample over the windows that hold it; 0 where none does."""
    offsets = np.cumsum([0] + [len(x) + 10_000_000 for x in series])
    found, span = [], max(lags)
    good = np.isfinite(moves[:, 0])
    for number, x in enumerate(series):
        mine = good & (clock >= offsets[number]) & (clock < offsets[number + 1])
        newest = clock[mine] - offsets[number] + span
        total, count = np.zeros(len(x)), np.zeros(len(x))
        for column, lag in enumerate(lags):
            np.add.at(total, newest - lag, moves[mine, column])
            np.add.at(count, newest - lag, 1.0)
        found.append(total / np.maximum(count, 1.0))
    return found


def _iterated(
    series: tuple[np.ndarray, ...],
    lags: list[int],
    *,
    kept: int,
    theiler: int,
    max_iterations: int,
    ceiling: float,
) -> tuple[tuple[np.ndarray, ...], list[float], str]:
    """Cleaned series, change in each iteration, and why it stopped."""
    now, changes = series, list[float]()
    for _ in range(max_iterations):
        points, clock = lagged(now, lags)
        moves = _averaged(now, lags, clock, projected(points, clock, kept=kept, theiler=theiler))
        new = tuple(x + move for x, move in zip(now, moves, strict=True))
        total = _rms([a - b for a, b in zip(new, series, strict=True)])
        if total > ceiling:
            return now, changes, "the next step would remove more than the noise that was found"
        changes.append(_rms(moves))
        now = new
        if changes[-1] < _SETTLED * total:
            return now, changes, f"the last step changed less than {_SETTLED:.0%} of the whole"
    return now, changes, f"{max_iterations} iterations were allowed"


def _rms(parts: Any) -> float:
    flat = np.concatenate([np.ravel(part) for part in parts])
    flat = flat[np.isfinite(flat)]
    return float(np.sqrt(np.mean(flat**2))) if flat.size else 0.0


def _window(delay: int, dimension: int | None) -> tuple[int, list[int]]:
    """Directions kept, and the lags of a window."""
    if delay == 1:
        kept = dimension or 2
        return kept, list(range(2 * kept + 1))
    kept = dimension or 3
    return kept, [max(1, delay // 4) * i for i in range(max(15, 2 * kept + 1))]


def _colour(gone: list[np.ndarray]) -> float:
    """Autocorrelation at one sample of what was taken off; NaN where nothing was."""
    pairs = [np.stack([x[:-1], x[1:]]) for x in gone if len(x) > 1]
    both = np.concatenate(pairs, axis=1)
    both = both[:, np.isfinite(both).all(axis=0)]
    if both.shape[1] < 2 or not both.std(axis=1).all():
        return float("nan")
    return float(np.corrcoef(both)[0, 1])


def _coloured(colour: float) -> Finding:
    return Finding(
        "removed-part-is-coloured",
        f"What was taken off has an autocorrelation of {colour:.2f} at one sample; white noise has "
        "none.",
        "Part of it was motion. Keep more directions, or sample finer.",
    )


_TOO_MUCH = Finding(
    "removed-more-than-noise",
    "More was taken off than there is noise: the projection took off motion as well.",
    "The motion is too folded for this many samples; use the record as it is, or a longer one.",
)


@checked
def noise_reduction(
    data: Any,
    *,
    dimension: int | None = None,
    delay: int | None = None,
    max_iterations: int = 6,
    level: float = 0.9,
    seed: int = 0,
    throw: bool = True,
) -> NoiseReduction:
    """Take white measurement noise off a deterministic record by local projections.

    Windows of samples are projected onto the leading directions of their nearest neighbours (a
    hundredth of all, 20 to 50); each sample is moved by the mean over the windows that hold it.
    Iterations end when a step
    changes less than a tenth of the whole, when more than 1.25 times the level
    that `noise_level` finds would be removed, or at `max_iterations`.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        One column. Missing samples stay missing, and no window holds one.
    dimension : int, optional
        Directions kept, at least 2. By default 2 for a map and 3 for a flow.
    delay : int, optional
        In samples; by default from `embedding`. Windows hold 5 samples of a map, 15 of a flow, over
        about three and a half delays.
    max_iterations : int
        At least 1.
    level : float
        Nominal coverage of the intervals of the noise levels.
    seed : int
        For the surrogates of the gate.
    throw : bool
        Whether to raise where there is no answer.

    Returns
    -------
    NoiseReduction

    Raises
    ------
    InvalidInput
        If there are several columns, more than 200,000 samples, `max_iterations` is below 1 or
        `dimension` below 2.
    NumericalFailure
        If the record cannot be told from noise or holds fewer than 200 windows, and `throw`.

    Notes
    -----
    Projection makes *any* record smoother and lower-dimensional: applied to noise it invents an
    attractor. Hence the gate of surrogates and spectral lines, the ceiling, and the cautions; and
    exponents and dimensions of a cleaned record do *not* prove that there was something to find.
    Cost: O(N log N) neighbour searches and N small eigenproblems an iteration.

    References
    ----------
    Grassberger, Hegger, Kantz, Schaffrath and Schreiber (1993), Chaos 3, 127; Kantz and Schreiber
    (2004), Nonlinear Time Series Analysis, section 10.3.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = np.empty(1500)
    >>> x[0] = 0.3
    >>> for n in range(1499):
    ...     x[n + 1] = 3.9 * x[n] * (1 - x[n])
    >>> noisy = x + 0.1 * x.std() * rng.normal(size=1500)
    >>> cleaned = noise_reduction(noisy).cleaned[0].states[:, 0]
    >>> bool(np.std(cleaned - x) < 0.6 * np.std(noisy - x))
    True
    """
    if dimension is not None and dimension < 2:
        raise InvalidInput(f"dimension = {dimension}; the ends of a window take two directions.")
    if max_iterations < 1:
        raise InvalidInput(f"max_iterations = {max_iterations}; at least 1 is needed.")
    grid = gridded_records(data)
    if len(grid.names) > 1:
        raise InvalidInput(f"{len(grid.names)} columns were given; give one of them.")
    if grid.n_samples > _MAX_SAMPLES:
        raise InvalidInput(
            f"{grid.n_samples} samples were given; at most {_MAX_SAMPLES} are cleaned. Cut the record."
        )
    at = coordinates(observable(data), None, delay)
    values = np.concatenate(grid.values)[:, 0]
    middle, scale = float(np.nanmean(values)), float(np.nanstd(values)) or 1.0
    series = tuple((part[:, 0] - middle) / scale for part in grid.values)
    before = noise_level(data, delay=delay, level=level, seed=seed, throw=False)
    status, cautions = before.status, list(before.cautions)
    kept, lags = _window(at.delay, dimension)
    if len(lagged(series, lags)[0]) < _MIN_VECTORS:
        status = Status.TOO_SHORT
    require(status, throw=throw)
    changes: list[float] = []
    clean, stopped = tuple(np.full(len(x), np.nan) for x in series), "nothing was done"
    if status is Status.OK:
        ceiling = _OVER * before.share.value
        clean, changes, stopped = _iterated(
            series,
            lags,
            kept=kept,
            theiler=at.theiler,
            max_iterations=max_iterations,
            ceiling=ceiling,
        )
    gone = [a - b for a, b in zip(series, clean, strict=True)]
    colour = _colour(gone)
    if changes and _rms(gone) > before.share.value:
        cautions.append(_TOO_MUCH)
    if abs(colour) > _COLOURED:
        cautions.append(_coloured(colour))
    cleaned = tuple(
        Trajectory(
            times=start + grid.dt * np.arange(len(x)),
            states=(middle + scale * x)[:, None],
            names=grid.names,
            units=grid.units,
            time_unit=grid.time_unit,
        )
        for start, x in zip(grid.starts, clean, strict=True)
    )
    after = before.share
    if status is Status.OK:
        cleaned_record = Recording(records=cleaned)
        after = noise_level(cleaned_record, delay=delay, level=level, seed=seed, throw=False).share
    return NoiseReduction(
        cleaned=cleaned,
        removed=_rms(gone) if status is Status.OK else float("nan"),
        noise=before.share,
        left=after,
        removed_by_iteration=np.array(changes),
        autocorrelation=colour,
        stopped=stopped,
        window=len(lags),
        kept=kept,
        spacing=lags[1],
        status=status,
        cautions=tuple(cautions),
        provenance={**at.described(), "seed": seed, "max_iterations": max_iterations},
    )
