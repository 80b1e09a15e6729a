"""Finite-size Lyapunov exponent of a record: how fast errors grow, as a function of their size."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, InvalidInput, Status, require
from takens.series.embedding import Embedding, embedding
from takens.series.following import Pairs, find_pairs
from takens.series.observable import observable, time_name
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 8
_FEWEST = 50  # growths behind one rate
_MOST_LAGS = 2000


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FiniteSizeLyapunov(AbstractResult):
    """Growth rate of an error as a function of its size.

    Parameters
    ----------
    scales : array, shape (n_scales,)
        Lower end of each growth, in standard deviations of the record.
    rates : array, shape (n_scales,)
        ``ln(ratio)`` over the mean time to grow by `ratio`, per time unit; NaN where fewer than
        50 pairs grew through the scale.
    intervals : array, shape (n_scales, 2)
        At `level`, from leaving out blocks of references.
    counts : array of int, shape (n_scales,)
        Growths behind each rate.
    ratio : float
        Growth that is timed.
    dimension, delay : int
        Of the delay vectors, in whose space distances are taken.
    level : float
        Nominal coverage of the intervals.
    time_unit : str
        Unit of time.
    """

    scales: np.ndarray
    rates: np.ndarray
    intervals: np.ndarray
    counts: np.ndarray
    ratio: float
    dimension: int
    delay: int
    level: float
    time_unit: str

    def summary(self) -> str:
        """Rates at the smallest and largest scales that have one."""
        known = np.flatnonzero(np.isfinite(self.rates))
        if not known.size:
            return f"finite-size Lyapunov exponent: none ({self.status.value})"
        ends = [f"{self.rates[i]:.3g} at {self.scales[i]:.2g}" for i in (known[0], known[-1])]
        return f"finite-size Lyapunov exponent: {ends[0]} to {ends[1]} standard deviations"

    def plot(self, ax: Any = None) -> Any:
        """Rate against scale, with its interval."""
        from takens import plot

        ax = plot.axes(ax)
        known = np.isfinite(self.rates)
        ax.fill_between(self.scales[known], *self.intervals[known].T, alpha=0.2)
        ax.plot(self.scales[known], self.rates[known], "o-")
        ax.set_xscale("log")
        return plot.labels(
            ax,
            "error (standard deviations)",
            plot.quantity("rate", f"1/{time_name(self.time_unit)}"),
        )

    def to_xarray(self) -> xr.Dataset:
        """Rates, intervals and counts over scale."""
        import xarray as xr

        return xr.Dataset(
            {
                "rate": ("scale", self.rates),
                "interval": (("scale", "end"), self.intervals),
                "count": ("scale", self.counts),
            },
            {"scale": self.scales},
            attrs={"ratio": self.ratio, "dimension": self.dimension, "delay": self.delay},
        )


@checked
def finite_size_lyapunov(
    data: Any,
    *,
    settings: Embedding | None = None,
    ratio: float = 2**0.5,
    max_references: int = 20_000,
    level: float = 0.9,
    throw: bool = True,
) -> FiniteSizeLyapunov:
    r"""Finite-size Lyapunov exponent :math:`\lambda(\delta) = \ln r / \langle T_r(\delta) \rangle`.

    Each delay vector and its nearest neighbour outside the Theiler window are followed while
    their distance passes a ladder of scales :math:`\delta_n = r^n \delta_0`;
    :math:`T_r(\delta_n)` is the time between the first crossings of :math:`\delta_n` and
    :math:`\delta_{n+1}`. At small scales of chaos the rate is level, at the largest exponent;
    towards the size of the attractor it falls. In a space of few dimensions noise has, in
    contrast, a rate that grows towards small scales.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Missing samples are used as missing: a crossing is interpolated across them.
    settings : Embedding, optional
        Made from `data` when not given; its dimension and delay are used.
    ratio : float
        Growth that is timed, :math:`r`; above 1.
    max_references : int
        Reference points, evenly spread where there are more.
    level : float
        Nominal coverage of the intervals.
    throw : bool
        Raise where there is no answer; else the rates are NaN and `status` says why.

    Returns
    -------
    FiniteSizeLyapunov

    Raises
    ------
    InvalidInput
        If `ratio` is not above 1.
    NumericalFailure
        If no scale is crossed by 50 pairs, and `throw`.

    Notes
    -----
    Time is sampled: growth faster than `ratio` in one sample is interpolated, so rates of maps and
    of noise are resolved to about one sample. It does *not* establish chaos; compare the shape
    with a surrogate's. Cost: O(N log N) for the neighbours, memory O(N).

    References
    ----------
    Aurell, Boffetta, Crisanti, Paladin and Vulpiani (1997), J. Phys. A 30, 1, eq. 7.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.empty(3000)
    >>> x[:2] = 0.1, 0.2
    >>> for n in range(2, 3000):
    ...     x[n] = 1 - 1.4 * x[n - 1] ** 2 + 0.3 * x[n - 2]
    >>> found = finite_size_lyapunov(x, ratio=4.0)
    >>> bool(np.nanmax(found.rates) > 0.3)
    True
    """
    if not ratio > 1:
        raise InvalidInput(f"ratio = {ratio:g}: an error must grow by a factor above 1, such as 2.")
    view = observable(data)
    chosen = embedding(view) if settings is None and not view.constant else settings
    edges, sums, counts = np.zeros(1), np.zeros((_N_BLOCKS, 0)), np.zeros((_N_BLOCKS, 0))
    n_lags = min(_MOST_LAGS, max(map(len, view.gapped)) // 4)
    if chosen is not None and n_lags >= 10:
        pairs = find_pairs(
            view,
            chosen.dimension,
            chosen.delay,
            theiler=chosen.theiler,
            n_neighbours=1,
            padding=n_lags,
            max_references=max_references,
        )
        edges = _ladder(pairs, np.log(ratio))
        sums, counts = _times(pairs, edges, chosen.dimension, chosen.delay, n_lags)
    status = Status.OK if (counts.sum(axis=0) >= _FEWEST).any() else Status.TOO_SHORT
    require(status, throw=throw)
    rates, intervals = _rates(sums, counts, float(np.log(ratio)) / view.dt, level)
    return FiniteSizeLyapunov(
        scales=np.exp(edges[:-1]),
        rates=rates,
        intervals=intervals,
        counts=counts.sum(axis=0).astype(int),
        ratio=ratio,
        dimension=chosen.dimension if chosen is not None else 0,
        delay=chosen.delay if chosen is not None else 0,
        level=level,
        time_unit=view.time_unit,
        status=status,
        cautions=view.findings,
        provenance={"level": level, "max_references": max_references},
    )


def _ladder(pairs: Pairs, step: float) -> np.ndarray:
    """Logarithms of the scales: from where most neighbours begin to the spread of the record."""
    start = pairs.distances[:, 0]
    start = start[np.isfinite(start) & (start > 0)]
    if start.size < _FEWEST:
        return np.zeros(1)
    return np.arange(float(np.log(np.quantile(start, 0.25))), np.log(2.0), step)


def _times(
    pairs: Pairs, edges: np.ndarray, dimension: int, delay: int, n_lags: int
) -> tuple[np.ndarray, np.ndarray]:
    """Total time (in samples) and number of growths, shape (n_blocks, n_scales) each."""
    from takens.series.kernels.following import growth_times

    offsets = delay * np.arange(dimension)
    n_rates = max(len(edges) - 1, 0)
    sums, counts = np.zeros((_N_BLOCKS, n_rates)), np.zeros((_N_BLOCKS, n_rates), dtype=np.int64)
    partners = np.ascontiguousarray(pairs.partners[:, 0])
    for block, rows in enumerate(np.array_split(np.arange(len(pairs.starts)), _N_BLOCKS)):
        growth_times(
            pairs.series,
            pairs.starts[rows],
            partners[rows],
            offsets,
            edges,
            n_lags,
            sums[block],
            counts[block],
        )
    return sums, counts


def _rates(
    sums: np.ndarray, counts: np.ndarray, growth: float, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rates and intervals by leaving out one block of references at a time."""
    from scipy.special import stdtrit

    total, number = sums.sum(axis=0), counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.where((number >= _FEWEST) & (total > 0), growth * number / total, np.nan)
        without = growth * (number - counts) / (total - sums)
        spread = without - without.mean(axis=0)
        error = np.sqrt((_N_BLOCKS - 1) / _N_BLOCKS * np.sum(spread**2, axis=0))
    half = float(stdtrit(_N_BLOCKS - 1, 0.5 + level / 2)) * error
    intervals = np.stack([rates - half, rates + half], axis=1)
    return rates, np.where(np.isfinite(rates)[:, None], intervals, np.nan)
