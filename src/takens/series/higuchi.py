"""Higuchi's dimension of the graph of a series."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, InvalidInput, Status, require
from takens.series.observable import observable
from takens.series.settings import checked
from takens.series.slopes import slope_ensemble

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 16
_MIN_SAMPLES = 200
_LARGEST_ERROR = 0.12


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HiguchiDimension(AbstractResult):
    """Dimension of the graph of a series, between 1 (smooth) and 2 (fills the plane).

    Parameters
    ----------
    dimension : Estimate
        Dimensionless; NaN where the length of the graph has no scaling region.
    lags : array of int, shape (n_lags,)
        In samples.
    lengths : array, shape (n_lags,)
        Length of the graph seen at each lag, in standard deviations of the series.
    label : str
        What was analysed.
    """

    dimension: Estimate
    lags: np.ndarray
    lengths: np.ndarray
    label: str

    def summary(self) -> str:
        """The dimension or the reason for its absence."""
        if not self.dimension.is_finite:
            return f"Higuchi dimension: none ({self.status.value})"
        return f"Higuchi dimension: {self.dimension}"

    def plot(self, ax: Any = None) -> Any:
        """Length of the graph against lag, on logarithmic axes."""
        from takens import plot

        ax = plot.line(plot.axes(ax), self.lags, self.lengths, marker=".")
        ax.set_xscale("log")
        ax.set_yscale("log")
        plot.labels(ax, xlabel="lag (samples)", ylabel="length of the graph", title=self.label)
        return ax

    def to_xarray(self) -> xr.Dataset:
        """Lengths against lag."""
        import xarray as xr

        return xr.Dataset(
            {"length": ("lag", self.lengths)},
            {"lag": self.lags},
            attrs={"dimension": self.dimension.value},
        )


def _lengths(series: tuple[np.ndarray, ...], lags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of absolute differences and their number by block of time, each (n_blocks, n_lags)."""
    size = max(1, -(-sum(map(len, series)) // _N_BLOCKS))
    sums, numbers = np.zeros((_N_BLOCKS, len(lags))), np.zeros((_N_BLOCKS, len(lags)))
    offset = 0
    for values in series:
        x = values[:, 0]
        for place, lag in enumerate(lags):
            if len(x) <= lag:
                continue
            gap = np.abs(x[lag:] - x[:-lag])
            whole = np.isfinite(gap)
            block = (offset + np.arange(len(gap))) // size
            numbers[:, place] += np.bincount(block[whole], minlength=_N_BLOCKS)
            sums[:, place] += np.bincount(block[whole], gap[whole], minlength=_N_BLOCKS)
        offset += len(x)
    return sums, numbers


@checked
def higuchi_dimension(
    data: Any, *, max_lag: int | None = None, level: float = 0.9, throw: bool = True
) -> HiguchiDimension:
    r"""Dimension `D` of the graph of a series: its length at lag `k` falls as :math:`k^{-D}`.

    .. math:: L(k) = \frac{N - 1}{k^2} \langle |x_{t+k} - x_t| \rangle_t

    is Higuchi's length averaged over all starting points. The slope of :math:`\ln L` against
    :math:`-\ln k` is an ensemble over windows of lags, weighted by what each may be wrong by; the
    interval joins a jackknife over 16 blocks of time and the spread of the windows. Fractional
    Brownian motion has ``D = 2 - H``.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        The first component is used; pairs with a missing sample are left out.
    max_lag : int, optional
        Largest lag in samples; a fiftieth of the record when not given, at least 16.
    level : float
        Nominal coverage of the interval.
    throw : bool
        Raise where there is no answer; else the value is NaN and `status` says why.

    Returns
    -------
    HiguchiDimension

    Raises
    ------
    InvalidInput
        If `max_lag` is less than 8 or more than an eighth of the record.
    NumericalFailure
        If the record has fewer than 200 samples or the slope differs between windows, and `throw`.

    Notes
    -----
    It is about the roughness of a graph, *not* about an attractor: a smooth chaotic signal has
    dimension 1 at small lags and none at larger ones, where the record is refused or the answer is
    that of the range of lags. Cost: O(n_lags N).

    References
    ----------
    Higuchi (1988), Physica D 31, 277.

    Examples
    --------
    >>> import numpy as np
    >>> walk = np.cumsum(np.random.default_rng(0).normal(size=4000))
    >>> bool(1.45 < higuchi_dimension(walk).dimension.value < 1.55)
    True
    """
    view = observable(data)
    n = sum(map(len, view.gapped))
    most = max(16, n // 50) if max_lag is None else int(max_lag)
    if max_lag is not None and not 8 <= most <= n // 8:
        raise InvalidInput(
            f"max_lag = {max_lag}; expected a lag between 8 and an eighth of the {n} samples."
        )
    lags = np.unique(np.round(2.0 ** np.arange(0, np.log2(most) + 1e-9, 0.25)).astype(int))
    sums, numbers = _lengths(view.gapped, lags)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = (n - 1) / lags**2
        lengths = sums.sum(axis=0) / numbers.sum(axis=0) * scale
        without = (sums.sum(axis=0) - sums) / (numbers.sum(axis=0) - numbers) * scale
        usable = (lengths > 0) & np.isfinite(lengths) & (without > 0).all(axis=0)
        curve, others = np.log(lengths), np.log(without)
    estimate, status = Estimate(value=np.nan, level=level), Status.TOO_SHORT
    if n >= _MIN_SAMPLES:
        status = Status.NO_SCALING
        x = np.log(lags.astype(float))
        members = slope_ensemble(
            x,
            np.where(usable, curve, 0.0)[None],
            np.where(usable, others, 0.0)[:, None],
            usable[None],
        )
        if members is not None:
            found = dataclasses.replace(
                members, slope=-members.slope, replicates=-members.replicates
            ).value(level)
            if found.standard_error <= _LARGEST_ERROR:
                estimate, status = found, Status.OK
    require(status, throw=throw)
    return HiguchiDimension(
        dimension=estimate,
        lags=lags,
        lengths=lengths,
        label=view.label,
        status=status,
        cautions=view.findings,
        provenance={"level": level, "max_lag": most},
    )
