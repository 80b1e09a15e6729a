"""Correlation dimension and entropy of a record, from all pairs of its states."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, Status, require
from takens.series.correlation_reading import MIN_PAIRS, clean_reading, noisy_reading
from takens.series.correlation_sum import MAX_POINTS, CorrelationSums, correlation_sums
from takens.series.embedding import Embedding, embedding
from takens.series.noisy_dimension import NoisySlopes, noisy_slopes
from takens.series.observable import DelayVectors, Observable, delay_vectors, observable
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_MIN_VECTORS = 500


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CorrelationDimension(AbstractResult):
    """Correlation dimension and entropy, or the reason why there are none.

    Parameters
    ----------
    dimension : Estimate
        Dimensionless; NaN unless slopes agree over a scaling region and between embedding
        dimensions.
    noise : Estimate
        Standard deviation of the measurement noise that was divided out, in standard deviations of
        the record; NaN where none was seen.
    likelihood : Estimate
        The same by maximum likelihood (Takens and Theiler) over the same windows; NaN with noise,
        which distances cannot be freed of one by one.
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
        Radii between which the best of the windows lies; with noise, bandwidths of the kernel.
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
    noise: Estimate
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
        beside = f"by maximum likelihood {self.likelihood}"
        if self.noise.is_finite:
            beside = f"noise of {self.noise} standard deviations divided out"
        return (
            f"correlation dimension: {self.dimension}; {beside}; "
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


@checked
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


def _takens_curve(log_r: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Inverse of the mean logarithm of distance over radius, of all pairs closer than it."""
    middle = np.concatenate([[log_r[0]], (log_r[1:] + log_r[:-1]) / 2])
    moment = np.cumsum(np.diff(counts, axis=1, prepend=0) * middle, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        curve = 1 / (log_r - moment / counts)
    return np.where(counts >= MIN_PAIRS, curve, np.nan)


@checked
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

    Where small distances show white noise of 1.5 to 25 % of the standard deviation, pairs are
    counted with a Gaussian kernel instead, under which Gaussian noise is a known factor
    :math:`(1 + \sigma^2 / h^2)^{-m/2}` of the sums: its level is fitted and it is divided out. The
    interval then holds what the choice of the level changes, too.

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
    longer than the Theiler window (Osborne and Provenzale 1989). Noise that is divided out is taken
    to be white, Gaussian and added by the instrument; noise inside the rule is not. The entropy is that of the largest
    embedding dimension and comes down to :math:`K_2` from above. Cost: about 1.3 ns for each pair
    and dimension, five to seven dimensions; beyond 60 million pairs every second or third state is
    compared with all others, beyond 30,000 states the record is thinned.

    References
    ----------
    Grassberger and Procaccia (1983), Physica D 9, 189, and Phys. Rev. A 28, 2591 (entropy); Theiler
    (1986), Phys. Rev. A 34, 2427; Eckmann and Ruelle (1992), Physica D 56, 185; Osborne and
    Provenzale (1989), Physica D 35, 357; Deshmukh et al. (2021), Chaos 31, 123102 (ensembles of
    slopes); Diks (1996), Phys. Rev. E 53, R4263, and Yu et al. (2000), Phys. Rev. E 61, 3750 (noise).

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
    noisy = noisy_slopes(vectors, dims, theiler=chosen.theiler, level=level)
    unit = f"1/{view.time_unit}" if view.time_unit != "1" else "1/step"
    step = chosen.delay * view.dt
    read = (
        clean_reading(found, step, level, unit)
        if noisy is None
        else noisy_reading(noisy, found, level)
    )
    ceiling = eckmann_ruelle_ceiling(min(view.n_samples, MAX_POINTS))
    nothing = Estimate(value=np.nan, level=level)
    dimension, likelihood, entropy = nothing, nothing, dataclasses.replace(nothing, unit=unit)
    status, slopes = Status.NO_SCALING, np.full(len(dims), np.nan)
    if read is not None:
        slopes = _window_slopes(*read.window)
        if read.trusted(ceiling):
            status, dimension, likelihood = Status.OK, read.dimension, read.likelihood
            entropy = read.entropy if noisy is None else noisy.entropy(step, level, unit)
    require(status, throw=throw)
    shown, log_r = _shown(found), np.log(found.radii)
    with np.errstate(divide="ignore"):
        log_c = np.where(found.counts >= MIN_PAIRS, np.log(found.counts), np.nan)
    return CorrelationDimension(
        dimension=dimension,
        noise=nothing if noisy is None else noisy.noise,
        likelihood=likelihood,
        entropy=entropy,
        embedding_dimensions=dims,
        slopes_by_dimension=slopes,
        radii=found.radii[shown],
        correlation_sums=found.sums[:, shown],
        local_slopes=_local_slopes(log_r[shown], log_c[:, shown]),
        likelihood_curve=_takens_curve(log_r, found.counts)[:, shown],
        scaling=(np.nan, np.nan) if read is None else read.scaling,
        ceiling=ceiling,
        agreement=np.nan if read is None else read.agreement,
        crowding=np.nan if read is None else read.crowding,
        status=status,
        cautions=(*view.findings, *_cautions(found, noisy, len(vectors.clock))),
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


def _window_slopes(log_r: np.ndarray, log_c: np.ndarray) -> np.ndarray:
    """Slope of each curve in one window; NaN where it holds too few pairs."""
    x = log_r - log_r.mean()
    return np.asarray(log_c @ (x / (x @ x)))


def _cautions(
    found: CorrelationSums, noisy: NoisySlopes | None, n_vectors: int
) -> tuple[Finding, ...]:
    made = []
    if noisy is not None:
        made.append(
            Finding(
                "noise-divided-out",
                f"Noise of {noisy.noise.value:.1%} of the standard deviation fills the small "
                "distances; it is taken to be Gaussian and white, and was divided out.",
                "Slopes that are shown still have it. A cleaner record would need no assumption.",
            )
        )
    if found.stride > 1 or found.row_stride > 1:
        made.append(_thinned(found, n_vectors))
    return tuple(made)


def _thinned(found: CorrelationSums, n_vectors: int) -> Finding:
    return Finding(
        "pairs-are-a-part",
        f"Of {n_vectors} states one in {found.stride} was used, and of these one in "
        f"{found.row_stride} was compared with all later ones: {found.n_pairs} pairs.",
        "Nothing needs to be done; radii below the smallest shown would need more pairs.",
        "note",
    )
