"""Correlation dimension and entropy of a record, from all pairs of its states."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, Status, require
from takens.series.correlation_sum import MAX_POINTS, CorrelationSums, correlation_sums
from takens.series.embedding import Embedding, embedding
from takens.series.observable import DelayVectors, Observable, delay_vectors, observable
from takens.series.slopes import (
    SlopeEnsemble,
    combined,
    likelihood_slopes,
    slope_ensemble,
)

if TYPE_CHECKING:
    import xarray as xr

_MIN_PAIRS = 100
_UPPER = 0.1  # correlation sums above this share feel the edges of the attractor
_AGREEMENT = 0.06  # slopes of successive dimensions must agree this well, half their range
_LARGEST_ERROR = 0.09  # share of the value
_BELOW_CEILING = 0.75  # near the ceiling noise has room for a plateau of an octave or two
_CROWDING = 3.0  # close pairs near in time, over their share among all pairs
_PLATEAU = 0.2  # a smaller slope over an octave: values repeat, the record is not resolved below
_OCTAVE = 8
_MIN_VECTORS = 500


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CorrelationDimension(AbstractResult):
    """Correlation dimension and entropy, or the reason why there are none.

    Parameters
    ----------
    dimension : Estimate
        Dimensionless; NaN unless slopes agree over a scaling region and between embedding
        dimensions.
    likelihood : Estimate
        The same by maximum likelihood (Takens and Theiler) over the same windows.
    entropy : Estimate
        Correlation entropy K2 per time unit, natural logarithm, at the largest embedding dimension:
        it comes down to K2 from above.
    embedding_dimensions : array of int, shape (n_dimensions,)
    slopes_by_dimension : array, shape (n_dimensions,)
        Mean slope in the scaling region for each embedding dimension; NaN where the curve does
        not reach it.
    radii : array, shape (n_radii,)
        In standard deviations, maximum norm.
    correlation_sums, local_slopes : array, shape (n_dimensions, n_radii)
    likelihood_curve : array, shape (n_dimensions, n_radii)
        Takens's estimate D(r) from all pairs closer than each radius.
    scaling : (float, float)
        Radii between which the best of the windows lies.
    ceiling : float
        Largest dimension that this number of points could resolve (Eckmann and Ruelle).
    agreement : float
        Half the range of the slopes of three successive dimensions over their size, averaged over
        the windows; above 0.06 there is no answer.
    crowding : float
        How much more often close pairs are near in time than all pairs are; above 3 there is no
        answer.
    """

    dimension: Estimate
    likelihood: Estimate
    entropy: Estimate
    embedding_dimensions: np.ndarray
    slopes_by_dimension: np.ndarray
    radii: np.ndarray
    correlation_sums: np.ndarray
    local_slopes: np.ndarray
    likelihood_curve: np.ndarray
    scaling: tuple[float, float]
    ceiling: float
    agreement: float
    crowding: float

    def summary(self) -> str:
        """The dimension or the reason for its absence."""
        if not self.dimension.is_finite:
            return f"correlation dimension: none ({self.status.value})"
        return (
            f"correlation dimension: {self.dimension}; by maximum likelihood {self.likelihood}; "
            f"correlation entropy {self.entropy}; ceiling {self.ceiling:.1f}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Local slopes against radius for each embedding dimension."""
        from takens import plot

        ax = plot.axes(ax)
        for m, slope in zip(self.embedding_dimensions, self.local_slopes, strict=True):
            plot.line(ax, self.radii, slope, label=f"m = {m}")
        if self.dimension.is_finite:
            ax.axvspan(*self.scaling, color="0.9", zorder=0)
            ax.axhline(self.dimension.value, color="0.4", linestyle="--")
        ax.set_xscale("log")
        plot.labels(ax, xlabel="radius (standard deviations)", ylabel="local slope")
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Correlation sums, local slopes and Takens's curve."""
        import xarray as xr

        dims = ("embedding_dimension", "radius")
        return xr.Dataset(
            {
                "correlation_sum": (dims, self.correlation_sums),
                "local_slope": (dims, self.local_slopes),
                "likelihood": (dims, self.likelihood_curve),
            },
            {"embedding_dimension": self.embedding_dimensions, "radius": self.radii},
            attrs={
                "dimension": self.dimension.value,
                "entropy": self.entropy.value,
                "ceiling": self.ceiling,
            },
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


def _vectors(view: Observable, chosen: Embedding) -> tuple[np.ndarray, DelayVectors]:
    """Dimensions around the consensus, and delay vectors of the largest that leaves enough of them.

    A map folds its attractor in every coordinate that is added, so that large dimensions scale at
    small radii only: smaller ones are looked at as well.
    """
    lowest = max(1, chosen.dimension - 4) if chosen.map_like else max(2, chosen.dimension - 2)
    dims = np.arange(lowest, chosen.dimension + 3)[-7:]
    longest = max(map(len, view.gapped))
    while len(dims) > 3 and (int(dims[-1]) - 1) * chosen.delay >= longest // 3:
        dims = dims[:-1]
    while True:
        vectors = delay_vectors(view.gapped, int(dims[-1]), chosen.delay)
        if len(dims) <= 3 or len(vectors.clock) >= min(_MIN_VECTORS, longest // 3):
            return dims, vectors
        dims = dims[:-1]


def _local_slopes(log_r: np.ndarray, log_c: np.ndarray) -> np.ndarray:
    """Slope by a straight line through five neighbouring radii, along the last axis."""
    view = np.lib.stride_tricks.sliding_window_view
    x, y = view(log_r, 5), view(log_c, 5, axis=-1)
    x = x - x.mean(axis=1, keepdims=True)
    inner = np.sum(x * y, axis=-1) / np.sum(x**2, axis=1)  # NaN where one of the five is
    return np.pad(inner, ((0, 0), (2, 2)), constant_values=np.nan)


def _usable(found: CorrelationSums) -> np.ndarray:
    """Radii that hold enough pairs, below the edges and above the resolution of the values."""
    few, many = found.counts >= _MIN_PAIRS, found.sums <= _UPPER
    log_r = np.log(found.radii)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_c = np.log(found.counts)
        slope = (log_c[:, _OCTAVE:] - log_c[:, :-_OCTAVE]) / (log_r[_OCTAVE:] - log_r[:-_OCTAVE])
    flat = np.zeros_like(few)
    flat[:, _OCTAVE:] = (slope < _PLATEAU) & few[:, :-_OCTAVE]
    flat &= many
    resolved = np.cumsum(flat[:, ::-1], axis=1)[:, ::-1] == 0  # nothing flat at or above
    present = (found.without > 0).all(axis=0)
    return np.asarray(few & many & resolved & present)


def _ensemble(found: CorrelationSums) -> SlopeEnsemble | None:
    """Slopes over all windows and dimensions; indices refer to the whole grid of radii."""
    usable = _usable(found)
    inside = np.flatnonzero(usable.any(axis=0))
    if not inside.size:
        return None
    part = slice(int(inside[0]), int(inside[-1]) + 1)
    keep = usable[:, part]
    with np.errstate(divide="ignore"):
        log_c = np.where(keep, np.log(found.counts[:, part]), 0.0)
        log_without = np.where(keep, np.log(found.without[:, :, part]), 0.0)
    made = slope_ensemble(np.log(found.radii[part]), log_c, log_without, keep)
    if made is None:
        return None
    return dataclasses.replace(made, low=made.low + part.start, high=made.high + part.start)


def _crowding(found: CorrelationSums, at: int, curve: int) -> float:
    """Share of close pairs that are near in time over that of all pairs: 1 for a return map."""
    close = found.near_counts[curve, at] / max(int(found.counts[curve, at]), 1)
    return float(close / max(found.near_share, 1e-12))


def _entropy(
    found: CorrelationSums, members: SlopeEnsemble, step: float, level: float, unit: str
) -> Estimate:
    """Logarithm of the ratio of two successive curves over the time of one step, in the windows."""
    every = np.concatenate([found.counts[None], found.without])[:, -3:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(every[:, :-1] / every[:, 1:]) / step  # (1 + n_blocks, 1 or 2, n_radii)
    whole = np.concatenate([np.zeros_like(ratio[..., :1]), np.cumsum(
        np.where(np.isfinite(ratio), ratio, 0.0), axis=-1)], axis=-1)  # fmt: skip
    mean = (whole[..., members.high] - whole[..., members.low]) / (members.high - members.low)
    last = mean[:, -1]
    base = combined(last[0], last[1:], members.weights, level)
    descent = abs(float(members.weights @ (mean[0, -1] - mean[0, 0])))
    error = float(np.hypot(base.standard_error, descent))
    half = (base.interval[1] - base.value) * error / max(base.standard_error, 1e-12)
    return dataclasses.replace(
        base,
        interval=(base.value - half, base.value + half),
        standard_error=error,
        unit=unit,
        method=base.method + ", last step in dimension",
    )


def _takens_curve(log_r: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Inverse of the mean logarithm of distance over radius, of all pairs closer than it."""
    middle = np.concatenate([[log_r[0]], (log_r[1:] + log_r[:-1]) / 2])
    moment = np.cumsum(np.diff(counts, axis=1, prepend=0) * middle, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        curve = 1 / (log_r - moment / counts)
    return np.where(counts >= _MIN_PAIRS, curve, np.nan)


def correlation_dimension(
    data: Any,
    *,
    settings: Embedding | None = None,
    level: float = 0.9,
    throw: bool = True,
) -> CorrelationDimension:
    r"""Correlation dimension :math:`D_2 = \lim_{r \to 0} \mathrm{d} \ln C(r) / \mathrm{d} \ln r`.

    All pairs are counted by their distance in the maximum norm, in the consensus embedding dimension
    and its neighbours. Every window of radii of two octaves or more, with at least 100 pairs and
    below ``C = 0.1``, gives slopes: of a straight line, and of one with a term for the edges of the
    attractor. Each slope is weighted by the inverse cube of what it may be wrong by, which is its
    jackknife error over 16 blocks of time, its curvature, and the disagreement of three successive
    embedding dimensions in the same window. The interval joins the jackknife and the spread of the
    slopes. The correlation entropy per time unit is
    :math:`K_2 = \ln [C_m(r) / C_{m+1}(r)] / (\tau\,dt)` in the same windows.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Missing samples are left out together with the delay vectors that hold them.
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
        If there is no window, the slopes do not agree between dimensions within 6 % or are wrong
        by more than 9 %, the dimension is above three quarters of the Eckmann-Ruelle ceiling, or
        close pairs are close in time only, and `throw`.

    Notes
    -----
    A finite value does *not* establish determinism: power-law noise has one too, on time scales
    longer than the Theiler window (Osborne and Provenzale 1989). The entropy is that of the largest
    embedding dimension and comes down to :math:`K_2` from above. Cost: about 1.3 ns for each pair
    and dimension, five to seven dimensions; beyond 60 million pairs every second or third state is
    compared with all others, beyond 30,000 states the record is thinned.

    References
    ----------
    Grassberger and Procaccia (1983), Physica D 9, 189, and Phys. Rev. A 28, 2591 (entropy); Theiler
    (1986), Phys. Rev. A 34, 2427; Eckmann and Ruelle (1992), Physica D 56, 185; Osborne and
    Provenzale (1989), Physica D 35, 357; Deshmukh et al. (2021), Chaos 31, 123102 (ensembles of
    slopes).

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(3000)
    >>> torus = np.sin(0.2 * t) + np.sin(0.2 * np.sqrt(2) * t)
    >>> bool(1.7 < correlation_dimension(torus).dimension.value < 2.3)
    True
    """
    view = observable(data)
    chosen = embedding(view) if settings is None else settings
    dims, vectors = _vectors(view, chosen)
    found = correlation_sums(vectors, dims, theiler=chosen.theiler)
    log_r = np.log(found.radii)
    ceiling = eckmann_ruelle_ceiling(min(view.n_samples, MAX_POINTS))
    unit = f"1/{view.time_unit}" if view.time_unit != "1" else "1/step"
    nothing = Estimate(value=np.nan, level=level)
    dimension, likelihood = nothing, nothing
    entropy = dataclasses.replace(nothing, unit=unit)
    agreement, crowding, scaling = np.nan, np.nan, (np.nan, np.nan)
    slopes = np.full(len(dims), np.nan)
    members, status = _ensemble(found), Status.NO_SCALING
    if members is not None:
        weights, best = members.weights, int(np.argmin(members.error))
        low, high, curve = (int(v[best]) for v in (members.low, members.high, members.curve))
        scaling = (float(found.radii[low]), float(found.radii[high - 1]))
        slopes = _window_slopes(log_r[low:high], found.counts[:, low:high])
        guess = members.value(level)
        agreement = float(weights @ members.disagreement / max(guess.value, 1e-12))
        crowding = _crowding(found, high - 1, curve)
        if (
            agreement <= _AGREEMENT
            and guess.standard_error <= _LARGEST_ERROR * guess.value
            and guess.value <= _BELOW_CEILING * ceiling
            and crowding <= _CROWDING
        ):
            status, dimension = Status.OK, guess
            every = np.concatenate([found.counts[None], found.without])
            ml = likelihood_slopes(log_r, every, members.low, members.high, members.curve)
            likelihood = combined(ml[0], ml[1:], weights, level)
            entropy = _entropy(found, members, chosen.delay * view.dt, level, unit)
    require(status, throw=throw)
    shown = _shown(found)
    with np.errstate(divide="ignore"):
        log_c = np.where(found.counts >= _MIN_PAIRS, np.log(found.counts), np.nan)
    return CorrelationDimension(
        dimension=dimension,
        likelihood=likelihood,
        entropy=entropy,
        embedding_dimensions=dims,
        slopes_by_dimension=slopes,
        radii=found.radii[shown],
        correlation_sums=found.sums[:, shown],
        local_slopes=_local_slopes(log_r[shown], log_c[:, shown]),
        likelihood_curve=_takens_curve(log_r, found.counts)[:, shown],
        scaling=scaling,
        ceiling=ceiling,
        agreement=agreement,
        crowding=crowding,
        status=status,
        cautions=(*view.findings, *_cautions(found, len(vectors.clock))),
        provenance={"level": level, "delay": chosen.delay, "theiler": chosen.theiler},
    )


def _shown(found: CorrelationSums) -> slice:
    """Every second radius between the closest pair and the farthest, at least eight of them."""
    any_pair = np.flatnonzero((found.counts > 0).any(axis=0))
    if not any_pair.size:  # every pair is within the Theiler window
        return slice(0, len(found.radii), 2)
    all_pairs = int(np.flatnonzero((found.counts == found.counts[:, -1:]).all(axis=0))[0])
    start = min(int(any_pair[0]), max(0, all_pairs - 15))
    return slice(start, max(all_pairs + 1, start + 16), 2)


def _window_slopes(log_r: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Slope of each curve in one window; NaN where it holds too few pairs."""
    x = log_r - log_r.mean()
    whole = counts[:, 0] >= _MIN_PAIRS
    with np.errstate(divide="ignore"):
        log_c = np.where(whole[:, None], np.log(np.maximum(counts, 1)), np.nan)
    return np.asarray(log_c @ (x / (x @ x)))


def _cautions(found: CorrelationSums, n_vectors: int) -> tuple[Finding, ...]:
    if found.stride == 1 and found.row_stride == 1:
        return ()
    return (
        Finding(
            "pairs-are-a-part",
            f"Of {n_vectors} states one in {found.stride} was used, and of these one in "
            f"{found.row_stride} was compared with all later ones: {found.n_pairs} pairs.",
            "Nothing needs to be done; radii below the smallest shown would need more pairs.",
            "note",
        ),
    )
