"""Largest exponent from the divergence of neighbours, by Rosenstein's and Kantz's curves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from takens.core import AbstractResult, Estimate, Finding, InvalidInput, Status, require
from takens.series.embedding import Embedding, embedding
from takens.series.following import Pairs, find_pairs
from takens.series.local_exponents import noise_bound
from takens.series.observable import Observable, observable
from takens.series.scaling import slope_distribution
from takens.series.settings import checked

if TYPE_CHECKING:
    import xarray as xr

_N_BLOCKS = 8
_NEIGHBOURS = (1, 4)  # Rosenstein's nearest neighbour, and Kantz's mean over a few
_MOST_LAGS = 1000
_PILOT = 1000  # pairs that show where the curve bends
_PLATEAU = 250  # pairs that show where it levels off, over all lags
_EVERY = 5000  # references of the first setting, above which every second state is one
_FEWEST_PAIRS = 200
_RISE_USED = 0.7  # share of the rise to the plateau; above it the curve bends
_LEAST_RISE = 0.65  # of the logarithm, within the region: nearly a factor of two
_MOST_WIDTH = 0.35  # of the peak of slopes, as a share of the slope
_LEAST_LAGS = 5
_NOISY = 0.02  # noise level above which small distances are left out
_NOISE_DOUBT = 3.0  # standard error, in shares of the exponent, for each unit of noise level
_ABOVE_NOISE = 4.0  # distance, in noise levels, below which it slows the rise by more than 1/8


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DivergenceExponent(AbstractResult):
    """Largest exponent from the divergence of neighbours, with every curve and its slope.

    Parameters
    ----------
    exponent : Estimate
        Per time unit, natural logarithm; NaN where the curves have no straight rise.
    settings : array of int, shape (n_curves, 3)
        Dimension, delay in samples, neighbours of each reference: 1 is Rosenstein's curve, more
        is Kantz's.
    lags : array, shape (n_lags,)
        Time since a pair was found, in time units.
    curves : array, shape (n_curves, n_lags)
        Mean logarithm of the distance, in standard deviations; NaN beyond the rise.
    slopes, widths : array, shape (n_curves,)
        Mode of the ensemble of slopes of each curve, and full width of its peak at half height,
        per time unit.
    regions : array, shape (n_curves, 2)
        Between which times the windows of the mode lie, in time units.
    accepted : array of bool, shape (n_curves,)
        Whether the curve has a straight rise: these make the exponent.
    block_slopes : array, shape (n_curves, n_blocks)
        Slope over the region with one block of references left out.
    n_references : int
        Reference points of the first setting.
    time_unit : str
        Unit of time.
    """

    exponent: Estimate
    settings: np.ndarray
    lags: np.ndarray
    curves: np.ndarray
    slopes: np.ndarray
    widths: np.ndarray
    regions: np.ndarray
    accepted: np.ndarray
    block_slopes: np.ndarray
    n_references: int
    time_unit: str

    def summary(self) -> str:
        """The exponent, or the reason for its absence."""
        if not self.exponent.is_finite:
            return f"exponent from divergence: none ({self.status.value})"
        return (
            f"exponent from divergence: {self.exponent}; {int(self.accepted.sum())} of "
            f"{len(self.accepted)} curves have a straight rise"
        )

    def plot(self, ax: Any = None) -> Any:
        """The curves, and over each accepted one the line of its region."""
        from takens import plot

        ax = plot.axes(ax)
        for i, curve in enumerate(self.curves):
            colour = plot.COLOURS[i % len(plot.COLOURS)]
            m, delay, k = self.settings[i]
            plot.line(ax, self.lags, curve, color=colour, label=f"m {m}, delay {delay}, k {k}")
            if self.accepted[i]:
                inside = (self.lags >= self.regions[i, 0]) & (self.lags <= self.regions[i, 1])
                t = self.lags[inside]
                line = np.nanmean(curve[inside]) + self.slopes[i] * (t - t.mean())
                ax.plot(t, line, "--", color=colour, lw=3, alpha=0.4)
        ax.legend(fontsize="small")
        return plot.labels(ax, plot.quantity("time", self.time_unit), "mean log distance")

    def to_xarray(self) -> xr.Dataset:
        """Curves, slopes and blocks with named dimensions."""
        import xarray as xr

        return xr.Dataset(
            {
                "curve": (("setting", "lag"), self.curves),
                "slope": ("setting", self.slopes),
                "width": ("setting", self.widths),
                "accepted": ("setting", self.accepted),
                "region": (("setting", "end"), self.regions),
                "block_slope": (("setting", "block"), self.block_slopes),
                "settings": (("setting", "which"), self.settings),
            },
            {"lag": self.lags, "which": ["dimension", "delay", "neighbours"]},
            attrs={
                "exponent": self.exponent.value,
                "low": self.exponent.interval[0],
                "high": self.exponent.interval[1],
                "unit": self.exponent.unit,
            },
        )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Curve:
    """One divergence curve over its rise, and what the ensemble of its slopes says."""

    setting: tuple[int, int, int]
    curve: np.ndarray
    slope: float = np.nan
    width: float = np.nan
    region: tuple[float, float] = (np.nan, np.nan)
    blocks: np.ndarray = dataclasses.field(default_factory=lambda: np.full(_N_BLOCKS, np.nan))
    accepted: bool = False


def mean_curves(pairs: Pairs, n_neighbours: int, n_lags: int, n_blocks: int) -> np.ndarray:
    """Sums of the log mean distance and their counts, shape (2, n_blocks, n_lags + 1).

    Blocks hold successive reference points.
    """
    from takens.series.kernels.following import mean_log_distance

    found = np.zeros((2, n_blocks, n_lags + 1))
    partners = np.ascontiguousarray(pairs.partners[:, :n_neighbours])
    for block, rows in enumerate(np.array_split(np.arange(len(pairs.starts)), n_blocks)):
        sums, counts = np.zeros(n_lags + 1), np.zeros(n_lags + 1, dtype=np.int64)
        mean_log_distance(pairs.series, pairs.starts[rows], partners[rows], sums, counts)
        found[:, block] = sums, counts
    return found


def _mean(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.where(counts >= 20, sums / np.maximum(counts, 1), np.nan)


def _end_of_rise(pairs: Pairs, n_neighbours: int, n_lags: int) -> int:
    """Lag at which the curve has done most of its rise to the plateau."""
    curve = _pilot_curve(pairs, n_neighbours, n_lags, _PLATEAU)
    known = np.flatnonzero(np.isfinite(curve))
    if len(known) < _LEAST_LAGS:
        return 0
    plateau = float(np.median(curve[known[-max(3, len(known) // 4) :]]))
    end = known[-1]
    for n_pairs in (_PLATEAU, _PILOT):
        known = np.flatnonzero(np.isfinite(curve))
        bend = curve[known[0]] + _RISE_USED * (plateau - curve[known[0]])
        risen = known[curve[known] > bend]
        end = int(risen[0]) if risen.size else int(known[-1])
        if n_pairs < _PILOT:
            curve = _pilot_curve(pairs, n_neighbours, min(n_lags, end + end // 4 + 5), _PILOT)
    return end


def _pilot_curve(pairs: Pairs, n_neighbours: int, n_lags: int, n_pairs: int) -> np.ndarray:
    """Divergence curve of a few evenly spread references."""
    some = slice(None, None, max(1, len(pairs.starts) // n_pairs))
    pilot = dataclasses.replace(
        pairs,
        starts=np.ascontiguousarray(pairs.starts[some]),
        partners=pairs.partners[some],
    )
    return _mean(*mean_curves(pilot, n_neighbours, n_lags, 1)[:, 0])


def _curve(
    pairs: Pairs, setting: tuple[int, int, int], n_lags: int, dt: float, noise: float
) -> _Curve:
    """The curve of one setting, its slopes, and the slopes without each block."""
    end = _end_of_rise(pairs, setting[2], n_lags)
    sums, counts = mean_curves(pairs, setting[2], max(end, 1), _N_BLOCKS)
    curve = _mean(sums.sum(axis=0), counts.sum(axis=0))
    lags = dt * np.arange(len(curve))
    # Distances under the noise rise too slowly: log sqrt(d^2 + 2 noise^2).
    clear = (
        curve if noise < _NOISY else np.where(curve > np.log(_ABOVE_NOISE * noise), curve, np.nan)
    )
    fits = end >= _LEAST_LAGS and np.isfinite(clear).sum() >= _LEAST_LAGS
    slopes = slope_distribution(lags, clear) if fits else None
    if slopes is None:
        return _Curve(setting=setting, curve=curve)
    inside = (lags >= slopes.start - dt / 2) & (lags <= slopes.stop + dt / 2)
    without = _mean(sums.sum(axis=0) - sums, counts.sum(axis=0) - counts)[:, inside]
    centred = lags[inside] - lags[inside].mean()
    rise = slopes.slope * (slopes.stop - slopes.start)
    return _Curve(
        setting=setting,
        curve=curve,
        slope=slopes.slope,
        width=slopes.width,
        region=(slopes.start, slopes.stop),
        blocks=without @ centred / (centred @ centred),
        accepted=rise >= _LEAST_RISE and slopes.width <= _MOST_WIDTH * slopes.slope,
    )


def _combine(curves: list[_Curve], noise: float, level: float, unit: str) -> Estimate:
    """Median over the accepted curves; blocks left out, curves and regions make the interval."""
    from scipy.special import stdtrit

    slopes = np.array([c.slope for c in curves])
    centre = float(np.median(slopes))
    without = np.median([c.blocks for c in curves], axis=0)
    n = len(without)
    sampling = float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
    between = float(np.std(slopes, ddof=1)) if len(slopes) > 1 else 0.0
    region = float(np.median([c.width for c in curves])) / 2.355  # of a normal peak
    doubt = _NOISE_DOUBT * noise * abs(centre) if noise > _NOISY / 4 else 0.0
    error = float(np.sqrt(sampling**2 + between**2 + region**2 + doubt**2))
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * error
    return Estimate(
        value=centre,
        interval=(centre - half, centre + half),
        standard_error=error,
        level=level,
        unit=unit,
        method=f"{n} blocks x {len(slopes)} curves, and the ensemble of slopes",
    )


@checked
def divergence_exponent(
    data: Any,
    *,
    settings: Embedding | None = None,
    max_references: int = 50_000,
    level: float = 0.9,
    throw: bool = True,
) -> DivergenceExponent:
    r"""Largest Lyapunov exponent from the mean divergence of neighbours.

    Each delay vector is paired with its nearest neighbours outside the Theiler window, and the
    pairs are followed in the newest coordinate,

    .. math:: S(t) = \Bigl\langle \ln \frac{1}{k} \sum_{j=1}^{k}
              \lvert x(t_i + t) - x(t_{n_j(i)} + t) \rvert \Bigr\rangle_i ,

    with :math:`k = 1` (Rosenstein) and :math:`k = 4` (Kantz, with a fixed number of neighbours),
    for every embedding of the ensemble. Up to 70 % of the rise to the plateau, the slopes of all
    windows vote, weighted by length over squared misfit; the mode is the slope of the curve.
    Distances within four noise levels, as local maps bound them, are left out. A
    curve counts if its region spans nearly a factor of two and the peak of slopes is narrow. The
    exponent is the median over such curves, at least half of all; its interval joins blocks of
    references left out in turn, the spread over curves and the width of the peaks.

    Parameters
    ----------
    data : anything `takens.data.as_recording` accepts
        Missing samples are used as missing: a pair is followed across them.
    settings : Embedding, optional
        Made from `data` when not given.
    max_references : int
        Reference points of the first setting, evenly spread; half of the states where there are
        more than 5,000, since the next state has nearly the same neighbours. The other settings
        get an eighth.
    level : float
        Nominal coverage of the interval.
    throw : bool
        Raise where there is no answer; else the value is NaN and `status` says why.

    Returns
    -------
    DivergenceExponent
        Exponent in 1 / `time_unit`.

    Raises
    ------
    InvalidInput
        If `max_references` is below 200.
    NumericalFailure
        If too few vectors have neighbours, or the curves do not rise straight, and `throw`.

    Notes
    -----
    It does *not* establish chaos: noise that passes a narrow filter can show a short straight
    rise; test for determinism first. Observational noise hides the small scales and, above a few
    per cent, the whole rise. Cost: O(N log N) for the neighbours, O(references * lags) to follow
    them; memory O(N).

    References
    ----------
    Rosenstein, Collins and De Luca (1993), Physica D 65, 117, eq. 13; Kantz (1994), Phys. Lett. A
    185, 77, eq. 4; Deshmukh, Bradley, Garland and Meiss (2021), Chaos 31, 123102.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.empty(3000)
    >>> x[0] = 0.3
    >>> for n in range(2999):
    ...     x[n + 1] = 3.9 * x[n] * (1 - x[n])
    >>> result = divergence_exponent(x)
    >>> bool(0.44 < result.exponent.value < 0.55)
    True
    """
    if max_references < _FEWEST_PAIRS:
        raise InvalidInput(
            f"max_references = {max_references}: at least {_FEWEST_PAIRS} are needed to tell a "
            "straight rise from scatter. Give more, or leave it out."
        )
    view = observable(data)
    unit = f"1/{view.time_unit}" if view.time_unit != "1" else "1/step"
    curves, n_references, noise = _curves(view, settings, max_references)
    accepted = [c for c in curves if c.accepted]
    status, cautions = Status.OK, list(view.findings)
    if not curves:
        status = Status.TOO_SHORT
    elif 2 * len(accepted) < len(curves):
        status = Status.NO_SCALING
        cautions.append(_no_rise(curves))
    require(status, throw=throw)
    none = Estimate(value=np.nan, level=level, unit=unit)
    longest = max((len(c.curve) for c in curves), default=1)
    padded = np.full((len(curves), longest), np.nan)
    for row, c in zip(padded, curves, strict=True):
        row[: len(c.curve)] = c.curve
    return DivergenceExponent(
        exponent=_combine(accepted, noise, level, unit) if status is Status.OK else none,
        settings=np.array([c.setting for c in curves], dtype=int).reshape(-1, 3),
        lags=view.dt * np.arange(longest),
        curves=padded,
        slopes=np.array([c.slope for c in curves]),
        widths=np.array([c.width for c in curves]),
        regions=np.array([c.region for c in curves]).reshape(-1, 2),
        accepted=np.array([c.accepted for c in curves], dtype=bool),
        block_slopes=np.array([c.blocks for c in curves]).reshape(-1, _N_BLOCKS),
        n_references=n_references,
        time_unit=view.time_unit,
        status=status,
        cautions=tuple(cautions),
        provenance={"level": level, "max_references": max_references},
    )


def _curves(
    view: Observable, settings: Embedding | None, max_references: int
) -> tuple[list[_Curve], int, float]:
    """Curves of all settings with enough pairs, the references of the first, the noise bound."""
    curves: list[_Curve] = []
    n_first, n_lags = 0, min(_MOST_LAGS, max(map(len, view.gapped)) // 4)
    if view.constant or n_lags < 2 * _LEAST_LAGS:
        return curves, n_first, 0.0
    chosen = embedding(view) if settings is None else settings
    noise = noise_bound(view, chosen)
    for dimension, delay in chosen.settings:
        fewer = max(2000, min(view.n_samples, max_references) // 8)
        first = min(max_references, max(_EVERY, view.n_samples // 2))
        try:
            pairs = find_pairs(
                view,
                int(dimension),
                int(delay),
                theiler=chosen.theiler,
                n_neighbours=max(_NEIGHBOURS),
                padding=n_lags,
                max_references=min(fewer, max_references) if curves else first,
            )
        except InvalidInput:  # no vector of this setting is whole
            continue
        if (pairs.partners[:, -1] >= 0).sum() < _FEWEST_PAIRS:
            continue
        n_first = n_first or len(pairs.starts)
        curves += [
            _curve(pairs, (int(dimension), int(delay), k), n_lags, view.dt, noise)
            for k in _NEIGHBOURS
        ]
    return curves, n_first, noise


def _no_rise(curves: list[_Curve]) -> Finding:
    """Why the curves give no exponent."""
    short = sum(not np.isfinite(c.slope) for c in curves)
    if 2 * short >= len(curves):
        reason = f"{short} of {len(curves)} curves reach their plateau within a few samples"
    else:
        reason = f"{sum(c.accepted for c in curves)} of {len(curves)} curves rise straight"
    return Finding(
        "no-straight-rise",
        f"{reason}: neighbours do not separate exponentially over any range of scales.",
        "This is what noise and regular motion do; a longer, finer or cleaner record of chaos "
        "would show a rise.",
    )
