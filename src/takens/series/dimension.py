"""Correlation dimension with its scaling region, over dimensions and blocks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Status, require
from takens.series.embedding import Embedding, embedding, vectors_of
from takens.series.observable import DelayVectors, observable

if TYPE_CHECKING:
    import xarray as xr

_N_RADII = 40
_N_BLOCKS = 8
_MIN_PAIRS = 100
_ROWS_AT_ONCE = 16  # rows of distances that stay in the processor's cache
_UPPER = 0.1  # correlation sums above this share feel the edges of the attractor


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CorrelationDimension(AbstractResult):
    """Correlation dimension, or the reason why there is none.

    Parameters
    ----------
    dimension : Estimate
        Dimensionless; NaN unless slopes agree over a scaling region and between embedding
        dimensions.
    embedding_dimensions : array of int, shape (n_dimensions,)
    slopes_by_dimension : array, shape (n_dimensions,)
        Mean slope in the scaling region for each embedding dimension.
    radii : array, shape (n_radii,)
        In standard deviations, Euclidean distance.
    correlation_sums, local_slopes : array, shape (n_dimensions, n_radii)
    scaling : (float, float)
        Radii between which the slope was taken, for the largest embedding dimension.
    ceiling : float
        Largest dimension that this number of points could resolve (Eckmann and Ruelle).
    """

    dimension: Estimate
    embedding_dimensions: np.ndarray
    slopes_by_dimension: np.ndarray
    radii: np.ndarray
    correlation_sums: np.ndarray
    local_slopes: np.ndarray
    scaling: tuple[float, float]
    ceiling: float

    def summary(self) -> str:
        """The dimension or the reason for its absence."""
        if not self.dimension.is_finite:
            return f"correlation dimension: none ({self.status.value})"
        return f"correlation dimension: {self.dimension}; ceiling {self.ceiling:.1f}"

    def plot(self, ax: Any = None) -> Any:
        """Local slopes against radius for each embedding dimension."""
        from takens import plot

        ax = plot.axes(ax)
        for m, slope in zip(self.embedding_dimensions, self.local_slopes, strict=True):
            ax.plot(self.radii, slope, label=f"m = {m}")
        ax.set_xscale("log")
        ax.legend()
        plot.labels(ax, xlabel="radius (standard deviations)", ylabel="local slope")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Correlation sums and local slopes."""
        import xarray as xr

        dims = ("embedding_dimension", "radius")
        return xr.Dataset(
            {
                "correlation_sum": (dims, self.correlation_sums),
                "local_slope": (dims, self.local_slopes),
            },
            {"embedding_dimension": self.embedding_dimensions, "radius": self.radii},
            attrs={"dimension": self.dimension.value, "ceiling": self.ceiling},
        )


def eckmann_ruelle_ceiling(n_points: int, *, resolution: float = 0.1) -> float:
    """Largest correlation dimension that `n_points` can resolve, ``2 ln N / ln(1 / resolution)``.

    With the customary ratio of 0.1 between the largest radius and the attractor this is
    ``2 log10 N``.

    Parameters
    ----------
    n_points : int
        Number of states.
    resolution : float
        Largest radius over the size of the attractor.

    Returns
    -------
    float
        Dimensionless.

    References
    ----------
    Eckmann and Ruelle (1992), Physica D 56, 185, eq. 4.

    Examples
    --------
    >>> eckmann_ruelle_ceiling(1000)
    6.0
    """
    return float(2 * np.log(max(n_points, 2)) / np.log(1 / resolution))


def correlation_sums(
    vectors: DelayVectors,
    radii: np.ndarray,
    *,
    theiler: int,
    max_references: int = 1000,
    max_library: int = 20_000,
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation sums of blocks of references against the whole library, at geometric radii.

    ``C(r)`` is the share of pairs, more than `theiler` samples apart, closer than `r`.

    Returns
    -------
    sums : array, shape (n_blocks, n_radii)
    pairs : array, shape (n_blocks,)
        Number of pairs behind each block.

    Notes
    -----
    Cost: O(references * library * dim) operations, memory of a few rows of distances.

    References
    ----------
    Grassberger and Procaccia (1983), Physica D 9, 189; Theiler (1986), Phys. Rev. A 34, 2427.
    """
    n = len(vectors.clock)
    library = np.arange(n)[:: max(1, -(-n // max_library))]
    refs = np.arange(n)[:: max(1, -(-n // max_references))]
    points, clock = vectors.points[library], vectors.clock[library]
    turned = np.ascontiguousarray(-2 * points.T)
    squares = np.sum(points**2, axis=1)
    edges = np.log(radii**2)
    ceiling, step = float(radii[-1] ** 2), float(edges[-1] - edges[0]) / (len(radii) - 1)
    sums, pairs = [], []
    for block in np.array_split(refs, _N_BLOCKS):
        counts, number = np.zeros(len(radii) + 1, dtype=int), 0
        for part in np.array_split(block, -(-len(block) // _ROWS_AT_ONCE)):
            here, now = vectors.points[part], vectors.clock[part]
            squared = here @ turned
            squared += squares
            squared += np.sum(here**2, axis=1)[:, None]
            first = np.searchsorted(clock, now - theiler, side="left")
            last = np.searchsorted(clock, now + theiler, side="right")
            for row, (start, stop) in enumerate(zip(first, last, strict=True)):
                squared[row, start:stop] = np.inf
            near = np.log(np.maximum(squared[squared < ceiling], 1e-300))
            place = np.floor((near - edges[0]) / step).astype(int) + 1  # first radius above
            counts += np.bincount(np.clip(place, 0, len(radii)), minlength=len(radii) + 1)
            number += squared.size - int(np.sum(last - first))
        sums.append(np.cumsum(counts)[: len(radii)] / max(number, 1))
        pairs.append(number)
    return np.array(sums), np.array(pairs)


def _radius_of(points: np.ndarray, share: float) -> float:
    """Radius within which about `share` of all pairs lie, from 40,000 random pairs."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(points), size=(2, 40_000))
    return float(np.quantile(np.linalg.norm(points[a] - points[b], axis=1), share))


def _scaling_region(log_r: np.ndarray, log_c: np.ndarray, slopes: np.ndarray) -> tuple[int, int]:
    """Widest window of radii in which the local slope varies least: (start, stop), or (0, 0)."""
    best, score = (0, 0), -np.inf
    n, least = len(log_r), max(5, round(1.2 / (log_r[1] - log_r[0])))
    for length in range(least, n + 1):
        parts = np.lib.stride_tricks.sliding_window_view(slopes, length)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = parts.mean(axis=1)
            spread = parts.std(axis=1) / mean
            value = np.log(length / least) - 12 * spread
        value[~((mean > 0) & (spread < 0.12))] = -np.inf
        start = int(np.argmax(value))
        if value[start] > score:
            best, score = (start, start + length), float(value[start])
    return best


def _slopes(log_r: np.ndarray, log_c: np.ndarray) -> np.ndarray:
    """Local slope by a straight line through five neighbouring radii."""
    x, y = (np.lib.stride_tricks.sliding_window_view(v, 5) for v in (log_r, log_c))
    x = x - x.mean(axis=1, keepdims=True)
    inner = np.sum(x * y, axis=1) / np.sum(x**2, axis=1)  # NaN where one of the five is
    return np.pad(inner, 2, constant_values=np.nan)


def correlation_dimension(
    data: Any,
    *,
    settings: Embedding | None = None,
    level: float = 0.9,
    throw: bool = True,
) -> CorrelationDimension:
    r"""Correlation dimension :math:`D_2 = \lim_{r \to 0} \mathrm{d} \ln C(r) / \mathrm{d} \ln r`.

    Correlation sums are taken in the consensus embedding dimension and the three above it; the
    slope is read in the widest radius range, below ``C = 0.1`` and with at least 100 pairs, where
    the local slope varies by less than 12 %. The slopes of the dimensions must agree within 15 %
    and stay below the Eckmann-Ruelle ceiling, else there is no answer.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
    settings : Embedding, optional
        Made from `data` when not given.
    level : float
        Nominal coverage of the interval.
    throw : bool
        Raise where there is no answer; else the value is NaN and `status` says why.

    Returns
    -------
    CorrelationDimension

    Raises
    ------
    NumericalFailure
        If no scaling region is found or the dimension does not saturate, and `throw`.

    Notes
    -----
    A finite value does *not* establish determinism: power-law noise has one too. Cost: about
    1,000 x N distances for each of four embedding dimensions, N at most 20,000.

    References
    ----------
    Grassberger and Procaccia (1983), Physica D 9, 189; Theiler (1986), Phys. Rev. A 34, 2427;
    Eckmann and Ruelle (1992), Physica D 56, 185.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(3000)
    >>> torus = np.sin(0.2 * t) + np.sin(0.2 * np.sqrt(2) * t)
    >>> bool(1.7 < correlation_dimension(torus).dimension.value < 2.3)
    True
    """
    from scipy.special import stdtrit

    view = observable(data)
    chosen = embedding(view) if settings is None else settings
    fits = [
        m
        for m in range(chosen.dimension, chosen.dimension + 4)
        if (m - 1) * chosen.delay < len(view.longest) // 3
    ]
    dims = np.array(fits or [chosen.dimension])
    widest = vectors_of(view, int(dims[-1]), chosen.delay).points
    # Where most states coincide, as of a record that mostly rests, no radius holds few pairs.
    radii = np.geomspace(1e-3, 1.0, _N_RADII) * max(_radius_of(widest, 1.5 * _UPPER), 1e-9)
    log_r = np.log(radii)
    ceiling = eckmann_ruelle_ceiling(min(view.n_samples, 20_000))
    sums, slopes, fitted, by_block, scaling = [], [], [], [], (np.nan, np.nan)
    for m in dims:
        blocks, pairs = correlation_sums(
            vectors_of(view, int(m), chosen.delay), radii, theiler=chosen.theiler
        )
        total = (blocks * pairs[:, None]).sum(axis=0) / max(pairs.sum(), 1)
        usable = (total * pairs.sum() >= _MIN_PAIRS) & (total <= _UPPER)
        with np.errstate(divide="ignore"):
            log_c = np.where(usable, np.log(total), np.nan)
            log_blocks = np.where(blocks > 0, np.log(blocks), np.nan)
        local = _slopes(log_r, log_c)
        start, stop = _scaling_region(log_r, log_c, local)
        sums.append(total)
        slopes.append(local)
        if stop > start:
            part = slice(start, stop)
            fitted.append(np.polyfit(log_r[part], log_c[part], 1)[0])
            by_block.append(
                [
                    np.polyfit(log_r[part], b[part], 1)[0] if np.isfinite(b[part]).all() else np.nan
                    for b in log_blocks
                ]
            )
            scaling = (float(radii[start]), float(radii[stop - 1]))
        else:
            fitted.append(np.nan)
            by_block.append([np.nan] * _N_BLOCKS)
    found = np.array(fitted)
    known = found[np.isfinite(found)]
    agrees = known.size >= 2 and np.ptp(known[-3:]) <= 0.15 * float(np.median(known))
    status = Status.OK
    estimate = Estimate(value=np.nan, level=level)
    if not agrees or float(np.median(known)) > ceiling or not np.isfinite(by_block).any():
        status = Status.NO_SCALING
    else:
        centre = float(np.median(known))
        answered = np.array(by_block)
        answered = answered[:, np.isfinite(answered).any(axis=0)]
        per_block = np.nanmean(answered, axis=0)
        n = len(per_block)
        sampling = float(per_block.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
        error = float(np.hypot(sampling, known.std(ddof=1)))
        half = float(stdtrit(max(n - 1, 1), 0.5 + level / 2)) * error
        estimate = Estimate(
            value=centre,
            interval=(centre - half, centre + half),
            standard_error=error,
            level=level,
            method=f"{n} blocks x {known.size} embedding dimensions",
        )
    require(status, throw=throw)
    return CorrelationDimension(
        dimension=estimate,
        embedding_dimensions=dims,
        slopes_by_dimension=found,
        radii=radii,
        correlation_sums=np.array(sums),
        local_slopes=np.array(slopes),
        scaling=scaling,
        ceiling=ceiling,
        status=status,
        cautions=view.findings,
        provenance={"level": level},
    )
